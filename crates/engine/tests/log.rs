//! What the log keeps, what it cuts and what it refuses, on real files.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    missing_docs
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use engine::log::damage::{Flipped, flip_a_byte};
use engine::log::{Log, LogError, LogOptions};
use engine::production::{Production, RealDisk};
use engine::types::{Batch, Entry, LogId, Payload, Vote};
use openraft::storage::{IOFlushed, RaftLogStorage, RaftLogStorageExt};
use openraft::vote::RaftLeaderIdExt;
use openraft::{EntryPayload, RaftLogReader};
use openraft_rt::Oneshot as _;
use tokio::net::TcpListener;

const SEGMENT: u64 = 64 * 1024;

async fn open(dir: &Path) -> Result<Log<Production>, LogError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = LogOptions {
        dir: dir.to_owned(),
        segment_bytes: SEGMENT,
    };
    Log::open(&Production::new(listener), options).await
}

fn log_id(index: u64) -> LogId {
    log_id_in(1, index)
}

fn log_id_in(term: u64, index: u64) -> LogId {
    use openraft::impls::leader_id_std::LeaderId;
    LogId::new(LeaderId::new_committed(term, 1), index)
}

fn entry(index: u64, size: usize) -> Entry {
    let command = Bytes::from(vec![index as u8; size]);
    let batch = Batch {
        at_ms: 7,
        seed: [9; 32],
        proposals: Arc::from([command]),
    };
    let payload: Payload = EntryPayload::Normal(batch);
    Entry {
        log_id: log_id(index),
        payload,
    }
}

async fn append(log: &mut Log<Production>, entries: impl IntoIterator<Item = Entry>) {
    let entries: Vec<Entry> = entries.into_iter().collect();
    log.blocking_append(entries).await.unwrap();
}

async fn indexes(log: &mut Log<Production>) -> Vec<u64> {
    let entries = log.try_get_log_entries(..).await.unwrap();
    entries.iter().map(|entry| entry.log_id.index).collect()
}

/// The segments on disk, oldest first.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect();
    files.sort();
    files
}

/// Changes a byte `from_end` bytes before the last one that is not zero.
fn damage(path: &Path, from_end: usize) {
    let mut bytes = fs::read(path).unwrap();
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[last - from_end] ^= 0x55;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let vote = Vote::new_committed(3, 1);
    {
        let mut log = open(dir.path()).await.unwrap();
        log.save_vote(&vote).await.unwrap();
        for index in 0..200 {
            append(&mut log, [entry(index, 1000)]).await;
        }
        log.truncate_after(Some(log_id(180))).await.unwrap();
        append(&mut log, [entry(181, 5), entry(182, 5)]).await;
        log.save_committed(Some(log_id(150))).await.unwrap();
        log.purge(log_id(99)).await.unwrap();
    }
    let mut log = open(dir.path()).await.unwrap();
    assert_eq!(indexes(&mut log).await, (100..=182).collect::<Vec<_>>());
    assert_eq!(log.read_vote().await.unwrap(), Some(vote));
    assert_eq!(log.read_committed().await.unwrap(), Some(log_id(150)));
    let state = log.get_log_state().await.unwrap();
    assert_eq!(state.last_purged_log_id, Some(log_id(99)));
    assert_eq!(state.last_log_id, Some(log_id(182)));
    let entries = log.try_get_log_entries(180..183).await.unwrap();
    assert_eq!(entries, [entry(180, 1000), entry(181, 5), entry(182, 5)]);
}

#[tokio::test]
async fn what_is_committed_is_never_an_entry_that_was_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    {
        // A leader's entries 3 to 5 reach only this node. The next leader has others in their
        // place, and says that they are committed; the node dies before it has written them.
        let mut log = open(dir.path()).await.unwrap();
        append(&mut log, (0..=5).map(|index| entry(index, 5))).await;
        log.save_committed(Some(log_id_in(2, 4))).await.unwrap();
        log.save_vote(&Vote::new_committed(2, 1)).await.unwrap();
    }
    let mut log = open(dir.path()).await.unwrap();
    assert_eq!(log.read_committed().await.unwrap(), None);
    log.save_committed(Some(log_id(2))).await.unwrap();
    log.purge(log_id(1)).await.unwrap();
    assert_eq!(log.read_committed().await.unwrap(), Some(log_id(2)));
    log.save_committed(Some(log_id(1))).await.unwrap();
    assert_eq!(
        log.read_committed().await.unwrap(),
        Some(log_id(1)),
        "purged is committed"
    );
}

#[tokio::test]
async fn purged_segments_are_removed_and_the_hard_state_survives_them() {
    let dir = tempfile::tempdir().unwrap();
    let vote = Vote::new(5, 2);
    let mut log = open(dir.path()).await.unwrap();
    log.save_vote(&vote).await.unwrap();
    for index in 0..500 {
        append(&mut log, [entry(index, 1000)]).await;
    }
    let before = segments(dir.path()).len();
    assert!(before >= 7, "{before} segments");
    log.purge(log_id(490)).await.unwrap();
    let after = segments(dir.path()).len();
    assert!(after <= 2, "{after} segments");
    drop(log);
    let mut log = open(dir.path()).await.unwrap();
    assert_eq!(indexes(&mut log).await, (491..500).collect::<Vec<_>>());
    assert_eq!(log.read_vote().await.unwrap(), Some(vote));
}

#[tokio::test]
async fn an_entry_larger_than_a_segment_has_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path()).await.unwrap();
    append(&mut log, [entry(0, 10)]).await;
    append(&mut log, [entry(1, 5 * SEGMENT as usize)]).await;
    append(&mut log, [entry(2, 10)]).await;
    drop(log);
    let mut log = open(dir.path()).await.unwrap();
    let entries = log.try_get_log_entries(..).await.unwrap();
    assert_eq!(
        entries,
        [entry(0, 10), entry(1, 5 * SEGMENT as usize), entry(2, 10)]
    );
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_the_log_goes_on() {
    for from_end in [0, 10, 400] {
        let dir = tempfile::tempdir().unwrap();
        {
            let mut log = open(dir.path()).await.unwrap();
            for index in 0..20 {
                append(&mut log, [entry(index, 500)]).await;
            }
        }
        damage(segments(dir.path()).last().unwrap(), from_end);
        {
            let mut log = open(dir.path()).await.unwrap();
            assert_eq!(indexes(&mut log).await, (0..19).collect::<Vec<_>>());
            append(&mut log, [entry(19, 8), entry(20, 8)]).await;
        }
        let mut log = open(dir.path()).await.unwrap();
        assert_eq!(indexes(&mut log).await, (0..21).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_damaged_middle_is_refused_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut log = open(dir.path()).await.unwrap();
        for index in 0..300 {
            append(&mut log, [entry(index, 500)]).await;
        }
    }
    let files = segments(dir.path());
    for (file, from_end) in [(&files[0], 0), (files.last().unwrap(), 1500)] {
        let intact = fs::read(file).unwrap();
        damage(file, from_end);
        let error = open(dir.path()).await.err().expect("a refusal");
        assert!(matches!(error, LogError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("cluster rebuild"), "{error}");
        fs::write(file, intact).unwrap();
    }
    let mut log = open(dir.path()).await.unwrap();
    assert_eq!(indexes(&mut log).await.len(), 300);
}

#[tokio::test]
async fn a_byte_that_is_flipped_on_purpose_is_noticed_wherever_it_is() {
    for entries in [0, 1, 2, 20, 300] {
        let dir = tempfile::tempdir().unwrap();
        {
            let mut log = open(dir.path()).await.unwrap();
            for index in 0..entries {
                append(&mut log, [entry(index, 500)]).await;
            }
        }
        let flipped = flip_a_byte(&RealDisk, dir.path()).unwrap();
        let opened = open(dir.path()).await;
        let Some(Flipped { file, offset }) = flipped else {
            // Only a frame with another behind it tells damage from a torn end.
            assert!(entries < 2 && opened.is_ok(), "{entries} entries");
            continue;
        };
        let error = opened.err().expect("a refusal");
        assert!(
            matches!(&error, LogError::Damaged { file: at, .. } if *at == file),
            "{error}"
        );
        let mut bytes = fs::read(&file).unwrap();
        bytes[offset] = !bytes[offset];
        fs::write(&file, bytes).unwrap();
        let mut log = open(dir.path()).await.unwrap();
        assert_eq!(indexes(&mut log).await.len() as u64, entries);
    }
}

#[tokio::test]
async fn a_missing_segment_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut log = open(dir.path()).await.unwrap();
        for index in 0..300 {
            append(&mut log, [entry(index, 500)]).await;
        }
    }
    fs::remove_file(&segments(dir.path())[1]).unwrap();
    let error = open(dir.path()).await.err().expect("a refusal");
    assert!(matches!(error, LogError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn old_entries_are_read_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path()).await.unwrap();
    // Far more than is kept in memory.
    const COUNT: u64 = 80;
    for index in 0..COUNT {
        append(&mut log, [entry(index, 500_000)]).await;
    }
    let mut seen = 0;
    while seen < COUNT {
        let entries = log.limited_get_log_entries(seen, COUNT).await.unwrap();
        assert!(!entries.is_empty());
        for read in entries {
            assert_eq!(read, entry(seen, 500_000));
            seen += 1;
        }
    }
}

#[tokio::test]
async fn many_appends_share_a_sync_and_all_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path()).await.unwrap();
    let mut waiting = Vec::new();
    for index in 0..1000 {
        let (sender, receiver) = openraft_rt_tokio::TokioOneshot::channel();
        let flushed = IOFlushed::signal(sender);
        log.append([entry(index, 100)], flushed).await.unwrap();
        waiting.push(receiver);
    }
    for receiver in waiting {
        receiver.await.unwrap().unwrap();
    }
    drop(log);
    let mut log = open(dir.path()).await.unwrap();
    assert_eq!(indexes(&mut log).await.len(), 1000);
}
