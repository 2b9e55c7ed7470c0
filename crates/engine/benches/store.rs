//! What does a write of the replicated store cost a node, without the log and the network? Entries
//! of pipelined SETs are applied to the state on disk and committed now and then; then the keys are
//! read from memory. The figures stand in ARCHITECTURE.md.
//!
//! ```text
//! cargo bench -p engine --bench store [DIR]    DIR: on the disk to measure; default: target/tmp
//! ```

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::store::{Read, Write};
use domain::{Action, Actor, Proposal};
use engine::production::RealDisk;
use engine::state::store::Store;
use engine::types::{Batch, Entry, LogId};
use openraft::EntryPayload;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Operations of a command: a pipeline.
const PIPELINE: usize = 16;

/// Commands of an entry: fifty connections with a pipeline each.
const COMMANDS: usize = 50;

/// Entries of a measurement.
const ENTRIES: u64 = 3_000;

/// Bytes of a value.
const VALUE_BYTES: usize = 64;

/// How many keys are written, at random.
const KEYSPACES: [u64; 3] = [1, 100_000, 1_000_000];

/// How long commits wait.
const INTERVALS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

fn main() {
    let given = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let base = PathBuf::from(given.unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").to_owned()));
    let (entries, commands) = (ENTRIES, COMMANDS);
    println!("{entries} entries of {commands} commands of {PIPELINE} SETs, {VALUE_BYTES} bytes");
    println!("in {}\n", base.display());
    println!("keys       commit every   apply/SET   commit/SET   commits   longest   GET     RSS");
    for keys in KEYSPACES {
        for interval in INTERVALS {
            let dir = base.join("store-bench");
            drop(std::fs::remove_dir_all(&dir));
            std::fs::create_dir_all(&dir).unwrap();
            measure(&dir, keys, interval);
            std::fs::remove_dir_all(&dir).unwrap();
        }
    }
}

fn measure(dir: &Path, keys: u64, interval: Duration) {
    let mut store = Store::open(&RealDisk, &dir.join("state.db")).unwrap();
    let mut dice = 1;
    let mut index = 0;
    // Every key is there before.
    let mut first = 0;
    while first < keys {
        let next = (first + 800).min(keys);
        index += 1;
        let commands = (first..next).collect::<Vec<_>>();
        let commands = commands.chunks(PIPELINE).map(command).collect();
        store.apply(&[entry(index, commands)]).unwrap();
        first = next;
    }
    store.commit().unwrap();
    let (mut applying, mut committing) = (Duration::ZERO, Duration::ZERO);
    let (mut commits, mut longest) = (0, Duration::ZERO);
    let mut since = Instant::now();
    for _ in 0..ENTRIES {
        index += 1;
        let chosen: Vec<u64> = (0..COMMANDS * PIPELINE)
            .map(|_| next(&mut dice) % keys)
            .collect();
        let commands = chosen.chunks(PIPELINE).map(command).collect();
        let entry = entry(index, commands);
        let begun = processor();
        store.apply(&[entry]).unwrap();
        applying += processor() - begun;
        // As if entries came at the rate that we want to reach.
        if since.elapsed() >= interval {
            let (begun, used) = (Instant::now(), processor());
            store.commit().unwrap();
            if commits % 4 == 3 {
                store.checkpoint().unwrap();
            }
            longest = longest.max(begun.elapsed());
            committing += processor() - used;
            commits += 1;
            since = Instant::now();
        }
    }
    let begun = processor();
    store.commit().unwrap();
    committing += processor() - begun;
    let sets = ENTRIES * (COMMANDS * PIPELINE) as u64;
    let each = |time: Duration, count: u64| time.as_nanos() as u64 / count;
    let (apply, commit) = (each(applying, sets), each(committing, sets));
    let (get, resident) = (reading(&store, keys, &mut dice), resident_mib());
    print!("{keys:<10} {interval:<14?} {apply:>6} ns   {commit:>7} ns   {commits:>7}   ");
    println!("{longest:>7.0?}   {get:>4} ns {resident:>4} MiB");
}

/// Nanoseconds for a GET, in pipelines.
fn reading(store: &Store, keys: u64, dice: &mut u64) -> u64 {
    let memory = store.memory().clone();
    let pipelines: Vec<Vec<Read>> = (0..20_000)
        .map(|_| {
            let get = |_| Read::Get {
                key: key(next(dice) % keys),
            };
            (0..PIPELINE).map(get).collect()
        })
        .collect();
    let begun = processor();
    let mut found = 0;
    for reads in &pipelines {
        found += usize::from(memory.look_up(reads, 0, 0).is_some());
    }
    let took = processor() - begun;
    assert!(found * 10 >= pipelines.len() * 9, "{found} are in memory");
    took.as_nanos() as u64 / (pipelines.len() * PIPELINE) as u64
}

fn command(keys: &[u64]) -> Bytes {
    let value = |key: &u64| {
        let mut value = vec![b'x'; VALUE_BYTES];
        value[..8].copy_from_slice(&key.to_le_bytes());
        value
    };
    let operations = keys
        .iter()
        .map(|number| Write::set(key(*number), value(number)).into());
    let proposal = Proposal {
        actor: Actor::Anonymous,
        request: None,
        action: Action::Store {
            conditions: Vec::new(),
            operations: operations.collect(),
        },
    };
    proposal.encode().into()
}

fn key(number: u64) -> Bytes {
    format!("key:{number:012}").into()
}

fn entry(index: u64, commands: Vec<Bytes>) -> Entry {
    let batch = Batch {
        at_ms: 0,
        seed: [0; 32],
        proposals: commands.into(),
    };
    Entry {
        log_id: LogId::new_term_index(1, index),
        payload: EntryPayload::Normal(batch),
    }
}

/// Processor time of this thread: other work on the machine is not counted.
fn processor() -> Duration {
    let used = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(used.split(' ').next().unwrap().parse().unwrap())
}

/// Xorshift.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn resident_mib() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096 / (1024 * 1024)
}
