//! What a pipeline asks of the store, gathered: as few commands as can be, and the replies in the
//! order of the requests.
//!
//! ```text
//!   GET a │ SET b 1 │ PING │ GET b │ SET c 2 │ GET d
//!   read  └──────── one command ─────────────┘ read, which sees the command
//! ```

use std::vec;

use domain::store::{Answer, OPERATIONS_MAX, Operation, Read};

use crate::redis::commands::{Command, Shape};
use crate::redis::resp::{Replies, Version};
use crate::redis::store::{Line, Store, Written};

/// Bytes of a command's operations: what the log holds at most, less what encoding adds.
const COMMAND_MAX_BYTES: usize = 900 * 1024;

/// What encoding adds to an operation, more or less.
const OPERATION_BYTES: usize = 48;

/// Requests of a pipeline that have not been answered yet.
#[derive(Default)]
pub(super) struct Batch {
    operations: Vec<Operation>,
    bytes: usize,
    slots: Vec<Slot>,
    /// Replies that need nothing of the store, for their turn.
    aside: Replies,
}

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

    /// Adds what a request asks.
    pub fn ask(&mut self, asked: Asked, operations: &mut Vec<Operation>, bytes: usize) {
        self.bytes += bytes + asked.count * OPERATION_BYTES;
        self.operations.append(operations);
        self.slots.push(Slot::Asked(asked));
    }

    /// Where a reply is written that needs nothing of the store; [`Batch::ready`] ends it.
    pub fn aside(&mut self, version: Version) -> &mut Replies {
        self.aside.version = version;
        &mut self.aside
    }

    /// A reply was written aside.
    pub fn ready(&mut self) {
        self.slots.push(Slot::Ready(self.aside.len()));
    }

    /// Does what is asked, and writes the replies. Answers where the newest write stands.
    pub async fn run(&mut self, store: &Store, seen: u64, replies: &mut Replies) -> u64 {
        self.bytes = 0;
        let operations = std::mem::take(&mut self.operations);
        let (answers, seen) = run(store, operations, seen).await;
        self.write(answers, replies);
        seen
    }

    fn write(&mut self, mut answers: Answers, replies: &mut Replies) {
        let mut from = 0;
        for slot in self.slots.drain(..) {
            match slot {
                Slot::Asked(asked) => answers.write(asked, replies),
                Slot::Ready(end) => {
                    replies.append(self.aside.as_bytes().get(from..end).unwrap_or_default());
                    from = end;
                }
            }
        }
        self.aside.clear(ASIDE_KEEP_BYTES);
    }
}

/// Of the buffer for replies aside, so much is kept for the next time.
const ASIDE_KEEP_BYTES: usize = 4 * 1024;

/// The answers to operations, in their order.
pub(super) struct Answers {
    parts: vec::IntoIter<(usize, Result<Vec<Answer>, Line>)>,
    /// What is left of the part at hand.
    left: usize,
    answers: vec::IntoIter<Answer>,
    line: Line,
}

impl Answers {
    pub fn new(parts: Vec<(usize, Result<Vec<Answer>, Line>)>) -> Self {
        Answers {
            parts: parts.into_iter(),
            left: 0,
            answers: Vec::new().into_iter(),
            line: "ERR internal error: there is no answer".into(),
        }
    }

    fn next(&mut self) -> Result<Answer, &Line> {
        while self.left == 0 {
            match self.parts.next() {
                Some((count, Ok(answers))) => {
                    self.left = count;
                    self.answers = answers.into_iter();
                }
                Some((count, Err(line))) => {
                    self.left = count;
                    self.answers = Vec::new().into_iter();
                    self.line = line;
                }
                None => return Err(&self.line),
            }
        }
        self.left -= 1;
        self.answers.next().ok_or(&self.line)
    }

    /// Writes the reply to a request.
    pub fn write(&mut self, asked: Asked, replies: &mut Replies) {
        let Asked {
            command,
            shape,
            count,
        } = asked;
        if count == 1 {
            return match self.next() {
                Ok(answer) => shape.write_answer(command.name, answer, replies),
                Err(line) => replies.error(line.as_bytes()),
            };
        }
        let mut answers = Vec::with_capacity(count);
        let mut failed = None;
        for _ in 0..count {
            match self.next() {
                Ok(answer) => answers.push(answer),
                Err(line) => failed = Some(line.clone()),
            }
        }
        match failed {
            Some(line) => replies.error(line.as_bytes()),
            None => shape.write(command.name, answers, replies),
        }
    }
}

/// Does operations in their order: from the first write to the last as one command, and what is
/// before and after by reading.
async fn run(store: &Store, operations: Vec<Operation>, seen: u64) -> (Answers, u64) {
    let is_write = |operation: &Operation| matches!(operation, Operation::Write(_));
    let Some(first) = operations.iter().position(is_write) else {
        let count = operations.len();
        let read = read(store, seen, operations).await;
        return (Answers::new(vec![(count, read)]), seen);
    };
    let last = operations.iter().rposition(is_write).unwrap_or(first);
    let mut before = operations;
    let after = before.split_off(last + 1);
    let command = before.split_off(first);
    let mut parts = Vec::with_capacity(3);
    if !before.is_empty() {
        parts.push((before.len(), read(store, seen, before).await));
    }
    let count = command.len();
    let (written, seen) = match store.write(command, Vec::new(), None).await {
        Ok((Written::Done(answers), index)) => (Ok(answers), seen.max(index)),
        // Nothing was conditional.
        Ok((Written::Moved, index)) => (Ok(Vec::new()), seen.max(index)),
        Err(error) => (Err(error.line), seen),
    };
    parts.push((count, written));
    if !after.is_empty() {
        parts.push((after.len(), read(store, seen, after).await));
    }
    (Answers::new(parts), seen)
}

/// Operations that only read.
async fn read(store: &Store, seen: u64, operations: Vec<Operation>) -> Result<Vec<Answer>, Line> {
    if operations.is_empty() {
        return Ok(Vec::new());
    }
    store.read(seen, reads(operations)).await
}

/// The reads among operations.
pub(super) fn reads(operations: Vec<Operation>) -> Vec<Read> {
    let reads = operations
        .into_iter()
        .filter_map(|operation| match operation {
            Operation::Read(read) => Some(read),
            Operation::Write(_) => None,
        });
    reads.collect()
}
