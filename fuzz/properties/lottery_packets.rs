//! What holds of any bytes on a lottery's connection, whoever sent them.

use api::lottery_packets::{
    Answer, BETS_PER_BATCH_MAX, BIRTHDATE_MAX_BYTES, BODY_MAX_BYTES, Bet, DOCUMENT_MAX_BYTES,
    HEADER_BYTES, NAME_MAX_BYTES, NUMBER_MAX, REQUEST_ID_MAX_BYTES, Request, body_bytes,
};

/// Reads packets from a stream until it ends or a frame is broken, as a node does, and takes each
/// for a request and for an answer.
pub fn hold(mut stream: &[u8]) {
    while let Some((header, rest)) = stream.split_first_chunk::<HEADER_BYTES>() {
        let Ok(length) = body_bytes(*header) else {
            return;
        };
        assert!((1..=BODY_MAX_BYTES).contains(&length));
        let Some((body, next)) = rest.split_at_checked(length) else {
            return;
        };
        if let Ok(request) = Request::parse(body) {
            is_sound(&request);
            let again = rendered(|out| request.render(out).is_ok());
            assert_eq!(Request::parse(&again), Ok(request));
        }
        if let Ok(answer) = Answer::parse(body) {
            let again = rendered(|out| answer.render(out).is_ok());
            assert_eq!(Answer::parse(&again), Ok(answer));
        }
        stream = next;
    }
}

/// What was read from a packet fits a packet, whose header says how long it is; its body.
fn rendered(render: impl FnOnce(&mut Vec<u8>) -> bool) -> Vec<u8> {
    let mut packet = b"kept".to_vec();
    assert!(render(&mut packet), "it came in one packet");
    let packet = packet.split_off(4);
    let body = packet[HEADER_BYTES..].to_vec();
    assert_eq!(body_bytes([packet[0], packet[1]]), Ok(body.len()));
    body
}

/// Nothing is out of the bounds that the protocol names.
fn is_sound(request: &Request<'_>) {
    let (agency, bets) = match request {
        Request::StoreBet { agency, bet } => (*agency, std::slice::from_ref(bet)),
        Request::StoreBatch { agency, bets } => (*agency, &bets[..]),
        Request::StoreBatchOnce {
            id, agency, bets, ..
        } => {
            assert!((1..=REQUEST_ID_MAX_BYTES).contains(&id.len()));
            assert!(!id.contains([':', ';', ' ']));
            (*agency, &bets[..])
        }
        Request::AgencyClose { agency } | Request::WinnersRequest { agency } => {
            assert!(*agency > 0);
            return;
        }
        Request::Lottery { lottery } => {
            assert!(lottery.is_none_or(|lottery| lottery > 0));
            return;
        }
    };
    assert!(agency > 0);
    assert!((1..=BETS_PER_BATCH_MAX).contains(&bets.len()));
    bets.iter().for_each(is_a_bet);
}

fn is_a_bet(bet: &Bet<'_>) {
    let reserved = |c: char| c == ';' || c == ':' || c.is_control();
    for (text, max_bytes) in [
        (bet.first_name, NAME_MAX_BYTES),
        (bet.last_name, NAME_MAX_BYTES),
        (bet.document, DOCUMENT_MAX_BYTES),
        (bet.birthdate, BIRTHDATE_MAX_BYTES),
    ] {
        assert!((1..=max_bytes).contains(&text.len()) && !text.contains(reserved));
    }
    assert!(bet.number <= NUMBER_MAX);
}
