//! What a pipeline asks of the store, gathered: as few commands as can be, and the replies in the
//! order of the requests.
//!
//! ```text
//!   GET a │ SET b 1 │ PING │ GET b │ SET c 2 │ GET d
//!   read  └──────── one command ─────────────┘ read, which sees the command
//! ```

mod again;

use std::collections::VecDeque;

use domain::store::{Answer, OPERATIONS_MAX, Operation, Read, StoreError};

use self::again::Again;
use crate::redis::commands::{Command, Shape};
use crate::redis::resp::{Replies, Version};
use crate::redis::store::{Line, Store, Written};

/// Bytes of a command's operations: what the log holds at most, less what encoding adds.
const COMMAND_MAX_BYTES: usize = 900 * 1024;

/// What encoding adds to an operation, more or less.
const OPERATION_BYTES: usize = 48;

/// Reads that are done together, before what they answer is sent.
const READS_MAX: usize = 1_024;

/// Of the buffer for replies aside, so much is kept for the next time.
const ASIDE_KEEP_BYTES: usize = 4 * 1024;

/// Requests of a pipeline that have not been answered yet.
#[derive(Default)]
pub(super) struct Batch {
    operations: VecDeque<Operation>,
    bytes: usize,
    slots: VecDeque<Slot>,
    /// Answers to the operations of the first slots.
    answers: VecDeque<Answered>,
    /// Replies that need nothing of the store, for their turn.
    aside: Replies,
    /// So much of them has had its turn.
    told: usize,
}

/// The answer to an operation, or the error of the command that it was a part of.
type Answered = Result<Answer, Line>;

/// The place of a reply.
enum Slot {
    /// The store is asked.
    Asked(Asked),
    /// It is written aside, up to this byte.
    Ready(usize),
}

/// What a request asks of the store.
pub(super) struct Asked {
    pub command: &'static Command,
    pub shape: Shape,
    /// Its operations.
    pub count: usize,
}

impl Batch {
    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether operations of this size would still fit beside those that wait.
    pub fn has_room(&self, operations: usize, bytes: usize) -> bool {
        self.operations.len() + operations <= OPERATIONS_MAX
            && self.bytes + bytes + operations * OPERATION_BYTES <= COMMAND_MAX_BYTES
    }

    /// Bytes of the replies that are written aside.
    pub fn aside_len(&self) -> usize {
        self.aside.len()
    }

    /// Adds what a request asks.
    pub fn ask(&mut self, asked: Asked, operations: &mut Vec<Operation>, bytes: usize) {
        self.bytes += bytes + asked.count * OPERATION_BYTES;
        self.operations.extend(operations.drain(..));
        self.slots.push_back(Slot::Asked(asked));
    }

    /// Where a reply is written that needs nothing of the store; [`Batch::ready`] ends it.
    pub fn aside(&mut self, version: Version) -> &mut Replies {
        self.aside.version = version;
        &mut self.aside
    }

    /// A reply was written aside.
    pub fn ready(&mut self) {
        self.slots.push_back(Slot::Ready(self.aside.len()));
    }

    /// Does a part of what is asked, and writes the replies that are due. `written` is where the
    /// newest write of the client stands.
    pub async fn step(&mut self, store: &Store, written: &mut u64, replies: &mut Replies) {
        self.bytes = 0;
        let is_write = |operation: &Operation| matches!(operation, Operation::Write(_));
        let first = self.operations.iter().position(is_write);
        match first {
            Some(0) => {
                let last = self.operations.iter().rposition(is_write).unwrap_or(0);
                let command = self.operations.drain(..=last).collect();
                let answers = write(store, command, written).await;
                self.answers.extend(answers);
            }
            first => {
                let count = first.unwrap_or(self.operations.len()).min(READS_MAX);
                let reads = reads(self.operations.drain(..count));
                let (answers, left) = read(store, reads).await;
                self.answers.extend(answers);
                let left = left.into_iter().rev().map(Operation::Read);
                left.for_each(|read| self.operations.push_front(read));
            }
        }
        self.write(replies);
    }

    /// Writes the replies to the requests that are done.
    fn write(&mut self, replies: &mut Replies) {
        while let Some(slot) = self.slots.front() {
            let waits = matches!(slot, Slot::Asked(asked) if asked.count > self.answers.len());
            if waits && !self.operations.is_empty() {
                return;
            }
            match self.slots.pop_front() {
                Some(Slot::Asked(asked)) => asked.write(&mut self.answers, replies),
                Some(Slot::Ready(end)) => {
                    let aside = self.aside.as_bytes();
                    replies.append(aside.get(self.told..end).unwrap_or_default());
                    self.told = end;
                }
                None => {}
            }
        }
        self.told = 0;
        self.aside.clear(ASIDE_KEEP_BYTES);
    }
}

impl Asked {
    /// Writes the reply to a request, made of the first of the answers.
    pub fn write(self, answers: &mut VecDeque<Answered>, replies: &mut Replies) {
        let Asked {
            command,
            shape,
            count,
        } = self;
        if count == 1 {
            return match answers.pop_front() {
                Some(Ok(answer)) => shape.write_answer(command.name, answer, replies),
                Some(Err(line)) => replies.error(line.as_bytes()),
                None => replies.error("ERR internal error: there is no answer"),
            };
        }
        let count = count.min(answers.len());
        let all: Result<Vec<Answer>, Line> = answers.drain(..count).collect();
        match all {
            Ok(all) => shape.write(command.name, all, replies),
            Err(line) => replies.error(line.as_bytes()),
        }
    }
}

/// Has operations done as one command; what did not fit with the others, as further ones.
async fn write(store: &Store, command: Vec<Operation>, written: &mut u64) -> Vec<Answered> {
    let count = command.len();
    let mut again = Again::of(&command);
    let mut answers = match propose(store, command, written).await {
        Ok(answers) => answers,
        Err(line) => return vec![Err(line); count],
    };
    while let Some(operations) = again.next(&mut answers) {
        match propose(store, operations, written).await {
            Ok(more) => again.done(more, &mut answers),
            Err(line) => return again.failed(answers, &line),
        }
    }
    answers.into_iter().map(Ok).collect()
}

async fn propose(
    store: &Store,
    operations: Vec<Operation>,
    written: &mut u64,
) -> Result<Vec<Answer>, Line> {
    match store.write(operations, Vec::new(), None).await {
        Ok((Written::Done(answers), index)) => {
            *written = index.max(*written);
            Ok(answers)
        }
        // Nothing was conditional.
        Ok((Written::Moved, _)) => Ok(Vec::new()),
        Err(error) => Err(error.line),
    }
}

/// Answers reads, as many as are answered together; the rest is left.
async fn read(store: &Store, mut reads: Vec<Read>) -> (Vec<Answered>, Vec<Read>) {
    if reads.is_empty() {
        return (Vec::new(), reads);
    }
    match store.read(&reads).await {
        Ok(mut answers) if !answers.is_empty() => {
            // Alone it is too large, and told so; behind others, the others may have been.
            let too_large = |answer: &Answer| *answer == Err(StoreError::TooLarge);
            let first = answers.iter().skip(1).position(too_large);
            let done = first.map_or(answers.len(), |place| place + 1);
            answers.truncate(done);
            let left = reads.split_off(done.min(reads.len()));
            (answers.into_iter().map(Ok).collect(), left)
        }
        Ok(_) => {
            let line = Line::from("ERR internal error: there is no answer");
            (vec![Err(line); reads.len()], Vec::new())
        }
        Err(line) => (vec![Err(line); reads.len()], Vec::new()),
    }
}

/// The reads among operations.
pub(super) fn reads(operations: impl IntoIterator<Item = Operation>) -> Vec<Read> {
    let reads = operations
        .into_iter()
        .filter_map(|operation| match operation {
            Operation::Read(read) => Some(read),
            Operation::Write(_) => None,
        });
    reads.collect()
}
