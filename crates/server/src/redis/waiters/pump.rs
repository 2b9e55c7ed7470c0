//! Takes items for those who wait, many with one command.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::RequestId;
use domain::store::{Answer, OPERATIONS_MAX, Operation, Read, StoreError, StoreReply, Write};
use tokio_util::sync::CancellationToken;

use super::{Waiter, Waiters};
use crate::redis::random;
use crate::redis::store::{NotWritten, Store, Written};

/// Keys that are looked at together.
const KEYS_MAX: usize = 1_024;

/// Bytes of the keys, or of what goes back, of one command: well within what a log entry's command
/// holds.
const COMMAND_MAX_BYTES: usize = 256 * 1024;

/// Between two attempts while there is no leader or too much to do.
const RETRY: Duration = Duration::from_millis(50);

/// For so long a command of unknown outcome is sent again under its id: as long as its reply is
/// kept for certain, so that what it took is known in the end.
const DOUBT_MAX: Duration = Duration::from_secs(50);

/// Those for whom an item is being taken, by when they came.
type Served = BTreeMap<u64, Waiter>;

/// Serves those who wait until `stopping`, and then sees that nothing stays on the way.
pub(in crate::redis) async fn run(
    waiters: Arc<Waiters>,
    store: Store,
    stopping: CancellationToken,
) {
    let pump = Pump { waiters, store };
    while !stopping.is_cancelled() {
        tokio::select! {
            () = pump.waiters.dirty.notified() => {}
            () = stopping.cancelled() => break,
        }
        pump.put_returned_back().await;
        // Between two serves nothing is half done.
        while !stopping.is_cancelled()
            && let Some(keys) = pump.waiters.take_dirty()
        {
            pump.serve(&keys).await;
            pump.put_returned_back().await;
        }
    }
    pump.waiters.close();
    while !pump.waiters.all_arrived() {
        pump.put_returned_back().await;
        if !pump.waiters.all_arrived() {
            pump.waiters.dirty.notified().await;
        }
    }
}

struct Pump {
    waiters: Arc<Waiters>,
    store: Store,
}

impl Pump {
    /// Takes what there is in the lists under these keys for those who wait for it.
    async fn serve(&self, keys: &[Bytes]) {
        let reads = keys.iter().map(|key| Read::ListLength { key: key.clone() });
        let reads: Vec<Read> = reads.collect();
        let lengths = match self.store.read(&reads).await {
            Ok(lengths) => lengths,
            Err(_) => {
                tokio::time::sleep(RETRY).await;
                return self.waiters.look(keys);
            }
        };
        let served = self.waiters.choose(keys, &lengths);
        if served.is_empty() {
            return;
        }
        let filled = filled(keys, &lengths);
        let writes = served.values().map(|waiter| waiter.taking_from(&filled));
        match self.take(writes.map(Operation::Write).collect()).await {
            Ok((answers, index)) => self.give(served, answers, index).await,
            Err(error) if error.passing && !error.in_doubt => {
                tokio::time::sleep(RETRY).await;
                self.waiters.put_back(served);
            }
            Err(error) => {
                for (_, waiter) in served {
                    // Whoever has gone needs not be told.
                    let _ = waiter.answer.send(Err(error.line.clone()));
                }
                self.waiters.look(keys);
            }
        }
    }

    /// Has the operations done once, whatever dies in the meantime.
    async fn take(&self, operations: Vec<Operation>) -> Result<(Vec<Answer>, u64), NotWritten> {
        let request = request_id().map_err(NotWritten::refused)?;
        let until = Instant::now() + DOUBT_MAX;
        let mut doubtful = false;
        loop {
            let written = self.write(operations.clone(), Some(request.clone()));
            let mut error = match written.await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            doubtful |= error.in_doubt;
            if !doubtful {
                return Err(error);
            }
            if !error.passing || Instant::now() > until {
                tracing::error!("items were taken from lists, or not: nobody knows");
                error.in_doubt = true;
                return Err(error);
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn write(
        &self,
        operations: Vec<Operation>,
        request: Option<RequestId>,
    ) -> Result<(Vec<Answer>, u64), NotWritten> {
        match self.store.write(operations, Vec::new(), request).await? {
            (Written::Done(answers), index) => Ok((answers, index)),
            // Nothing was conditional.
            (Written::Moved, index) => Ok((Vec::new(), index)),
        }
    }

    /// Takes an item that is larger than what is kept under a request id: without one. If nobody
    /// knows whether it was taken, that is the end of it.
    async fn take_large(&self, waiter: &Waiter) -> Answer {
        let operations = vec![Operation::Write(waiter.write.clone())];
        match self.write(operations, None).await {
            Ok((answers, _)) => answers.into_iter().next().unwrap_or(Ok(StoreReply::Nil)),
            Err(error) => {
                if error.in_doubt {
                    tracing::error!("a large item was taken from a list, or not: nobody knows");
                }
                // Whoever waits waits on.
                Err(StoreError::Busy)
            }
        }
    }

    /// Gives each its own. Those who got nothing wait on.
    async fn give(&self, served: Served, answers: Vec<Answer>, index: u64) {
        let mut back = Served::new();
        let mut first = true;
        for ((number, waiter), mut answer) in served.into_iter().zip(answers) {
            if std::mem::take(&mut first) && answer == Err(StoreError::TooLarge) {
                answer = self.take_large(&waiter).await;
            }
            match answer {
                Ok(StoreReply::Nil) | Err(StoreError::Busy | StoreError::TooLarge) => {
                    back.insert(number, waiter);
                }
                // The list has become something else in the meantime.
                Err(StoreError::WrongType) if waiter.only_takes() => {
                    back.insert(number, waiter);
                }
                answer => {
                    let parcel = self.waiters.pack(number, &waiter.write, answer, index);
                    // If the client has gone, it comes back by itself.
                    drop(waiter.answer.send(Ok(parcel)));
                }
            }
        }
        self.waiters.put_back(back);
    }

    /// Puts back what clients that have gone should have got: nobody else has it, so there is
    /// nothing better to do than to try on while there is no leader.
    async fn put_returned_back(&self) {
        let mut left = VecDeque::from(self.waiters.take_returned());
        while !left.is_empty() {
            let count = how_many_fit(&left);
            let together: Vec<Write> = left.drain(..count).collect();
            let operations = together.iter().cloned().map(Operation::Write).collect();
            match self.take(operations).await {
                Ok((answers, _)) => {
                    let again = together.into_iter().zip(answers).filter_map(not_put_back);
                    again.rev().for_each(|write| left.push_front(write));
                }
                Err(error) if error.passing && !error.in_doubt => {
                    tokio::time::sleep(RETRY).await;
                    let again = together.into_iter().rev();
                    again.for_each(|write| left.push_front(write));
                }
                Err(error) => lost(count, &error.line),
            }
        }
    }
}

/// Keys of lists with something in them.
fn filled(keys: &[Bytes], lengths: &[Answer]) -> BTreeSet<Bytes> {
    let found = keys.iter().zip(lengths);
    let filled = found.filter(|(_, length)| matches!(length, Ok(StoreReply::Integer(1..))));
    filled.map(|(key, _)| key.clone()).collect()
}

impl Waiter {
    /// What it wants, from these lists alone: what else it waits for may be no list by now, which
    /// does not disturb who waits.
    fn taking_from(&self, filled: &BTreeSet<Bytes>) -> Write {
        match &self.write {
            Write::ListPopFirst { keys, end, count } => Write::ListPopFirst {
                keys: keys
                    .iter()
                    .filter(|key| filled.contains(*key))
                    .cloned()
                    .collect(),
                end: *end,
                count: *count,
            },
            other => other.clone(),
        }
    }

    /// It takes, and puts nothing anywhere.
    fn only_takes(&self) -> bool {
        matches!(self.write, Write::ListPopFirst { .. })
    }
}

/// How many of the first go back with one command: one at least.
fn how_many_fit(writes: &VecDeque<Write>) -> usize {
    let mut bytes = 0;
    let fits = |write: &&Write| {
        if let Write::ListPush { key, values, .. } = write {
            bytes += key.len() + values.iter().map(Bytes::len).sum::<usize>() + 16;
        }
        bytes <= COMMAND_MAX_BYTES
    };
    let fitting = writes.iter().take(OPERATIONS_MAX).take_while(fits).count();
    fitting.max(1)
}

/// What is to be tried again of what should have gone back.
fn not_put_back((write, answer): (Write, Answer)) -> Option<Write> {
    match answer {
        Ok(_) => None,
        // The log entry was full.
        Err(StoreError::Busy) => Some(write),
        // The key holds something else by now, in which there is no place for it.
        Err(error) => {
            lost(1, &error.to_string());
            None
        }
    }
}

fn lost(count: usize, reason: &str) {
    tracing::error!(
        count,
        reason,
        "items whose clients have gone could not be put back"
    );
}

/// An id that nobody else has.
fn request_id() -> Result<RequestId, super::Line> {
    let failed = |_| super::Line::from("ERR the system gives no random numbers");
    let (high, low) = (random().map_err(failed)?, random().map_err(failed)?);
    let key = format!("redis/{high:016x}{low:016x}");
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
    Ok(RequestId { key, fingerprint })
}

impl Waiters {
    /// Some of the keys to be looked at.
    fn take_dirty(&self) -> Option<Vec<Bytes>> {
        let mut queue = self.queue();
        let keys: Vec<Bytes> = queue.dirty.iter().take(KEYS_MAX).cloned().collect();
        for key in &keys {
            queue.dirty.remove(key);
        }
        (!keys.is_empty()).then_some(keys)
    }

    /// Takes out of the queue as many as there are items for, the first who came first.
    fn choose(&self, keys: &[Bytes], lengths: &[Answer]) -> Served {
        let mut queue = self.queue();
        let (mut chosen, mut bytes) = (Served::new(), 0);
        for (key, length) in keys.iter().zip(lengths) {
            let Ok(StoreReply::Integer(length @ 1..)) = length else {
                continue;
            };
            let mut left = usize::try_from(*length).unwrap_or(usize::MAX);
            while left > 0 {
                let Some((number, waiter)) = queue.remove_first(key) else {
                    break;
                };
                // Whoever is behind somebody who has gone is served in their place.
                if waiter.has_gone() {
                    continue;
                }
                left -= 1;
                bytes += waiter.keys.iter().map(|key| key.len() + 16).sum::<usize>();
                chosen.insert(number, waiter);
                if chosen.len() >= OPERATIONS_MAX || bytes >= COMMAND_MAX_BYTES {
                    queue.dirty.extend(keys.iter().cloned());
                    return chosen;
                }
            }
        }
        chosen
    }

    /// Puts those back who got nothing, in their old places, and looks again.
    fn put_back(&self, waiters: Served) {
        let mut queue = self.queue();
        let mut keys = Vec::new();
        for (number, waiter) in waiters {
            // What was there for somebody who has gone is for those behind.
            keys.extend(waiter.keys.iter().cloned());
            if !waiter.has_gone() {
                queue.insert(number, waiter);
            }
        }
        drop(queue);
        self.look(&keys);
    }
}
