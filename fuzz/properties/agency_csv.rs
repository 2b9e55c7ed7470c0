//! What holds of any bytes in an agency's file.

use api::lottery_packets::Request;

use super::Bets;

/// Sizes of batches to cut a file into.
const SIZES: [usize; 3] = [1, 10, 63];

/// A file is refused with one line, or all of its bets are sent: each once, in packets that say
/// what the file says, under ids that are the same the next time.
pub fn hold(file: &[u8]) {
    let bets = match Bets::of_text(3, file.to_vec(), false) {
        Ok(bets) => bets,
        Err(why) => {
            assert!(!why.is_empty() && !why.contains('\n'), "{why:?}");
            return;
        }
    };
    let whole = documents(&bets, SIZES[0]);
    assert_eq!(whole.len() as u64, bets.count());
    for size in SIZES {
        assert_eq!(documents(&bets, size), whole);
        let ids = ids(&bets, size);
        assert_eq!(self::ids(&bets, size), ids);
        let unique: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "two batches have one id");
    }
}

/// The documents of all bets, in the order in which they are sent.
fn documents(bets: &Bets, size: usize) -> Vec<String> {
    let mut documents = Vec::new();
    for batch in bets.batches(size) {
        let batch = batch.expect("the file was read before");
        assert!((1..=size).contains(&batch.bets.len()));
        let request = batch.request(false);
        let mut packet = Vec::new();
        request.render(&mut packet).expect("a batch fits a packet");
        assert_eq!(Request::parse(&packet[2..]), Ok(request));
        let document = |bet: &super::OwnedBet| bet.borrowed().document.to_owned();
        documents.extend(batch.bets.iter().map(document));
    }
    documents
}

/// The ids of the batches.
fn ids(bets: &Bets, size: usize) -> Vec<String> {
    let id = |request: Request<'_>| match request {
        Request::StoreBatchOnce { id, .. } => id.to_owned(),
        other => panic!("an agency sends {other:?}"),
    };
    let batches = bets
        .batches(size)
        .map(|batch| batch.expect("it was read before"));
    batches.map(|batch| id(batch.request(true))).collect()
}
