//! Operations that found no room for their answers beside those of the others in their command, and
//! so did nothing: they are done again, in further commands.
//!
//! That is right only as long as nothing that came after one of them, and was done, has to do with
//! its keys: the requests of a pipeline are done in their order.

use bytes::Bytes;
use domain::store::{Answer, Operation, Read, StoreError, Write};

/// What may have to be done again.
pub(super) struct Again {
    /// The operations of the command; none if no answer can be large.
    operations: Vec<Operation>,
    /// Those that were taken last.
    taken: Vec<usize>,
    /// Those that are given up: the answer is too large by itself, or it came too late.
    settled: Vec<bool>,
}

impl Again {
    /// Of the operations of a command.
    pub fn of(command: &[Operation]) -> Self {
        let operations = match command.len() > 1 && command.iter().any(may_answer_much) {
            true => command.to_vec(),
            false => Vec::new(),
        };
        Again {
            settled: vec![false; operations.len()],
            operations,
            taken: Vec::new(),
        }
    }

    /// What is to be done again now, if anything is.
    pub fn next(&mut self, answers: &mut [Answer]) -> Option<Vec<Operation>> {
        let open = |again: &Again, place: usize| {
            let unanswered = matches!(
                answers.get(place),
                Some(Err(StoreError::TooLarge | StoreError::Busy))
            );
            unanswered && !again.settled[place]
        };
        let failed: Vec<usize> = (0..self.operations.len())
            .filter(|place| open(self, *place))
            .collect();
        // The first of a command has had all the room there is.
        if let Some(first) = failed.first().filter(|first| self.was_first(**first)) {
            self.settled[*first] = true;
        }
        for place in &failed {
            let done = place + 1..self.operations.len();
            let mut done = done.filter(|later| !failed.contains(later));
            if done.any(|later| meet(&self.operations[*place], &self.operations[later])) {
                self.settled[*place] = true;
            }
        }
        self.taken = failed
            .into_iter()
            .filter(|place| !self.settled[*place])
            .collect();
        let operations = self
            .taken
            .iter()
            .map(|place| self.operations[*place].clone());
        (!self.taken.is_empty()).then(|| operations.collect())
    }

    fn was_first(&self, place: usize) -> bool {
        self.taken
            .first()
            .map_or(place == 0, |first| *first == place)
    }

    /// They were done, with these answers.
    pub fn done(&mut self, more: Vec<Answer>, answers: &mut [Answer]) {
        for (place, answer) in self.taken.iter().zip(more) {
            if let Some(old) = answers.get_mut(*place) {
                *old = answer;
            }
        }
    }

    /// They could not be done, for this reason.
    pub fn failed(&self, answers: Vec<Answer>, line: &super::Line) -> Vec<super::Answered> {
        let answers = answers.into_iter().enumerate();
        let answered = answers.map(|(place, answer)| match self.taken.contains(&place) {
            true => Err(line.clone()),
            false => Ok(answer),
        });
        answered.collect()
    }
}

/// Whether an operation answers what a client has stored.
fn may_answer_much(operation: &Operation) -> bool {
    match operation {
        Operation::Read(_) => true,
        Operation::Write(write) => matches!(
            write,
            Write::Set { get: true, .. }
                | Write::GetDelete { .. }
                | Write::GetExpire { .. }
                | Write::ListPop { .. }
                | Write::ListPopFirst { .. }
                | Write::ListMove { .. }
                | Write::SetPop { .. }
        ),
    }
}

/// Whether the order of two operations matters.
fn meet(one: &Operation, other: &Operation) -> bool {
    if let (Operation::Read(_), Operation::Read(_)) = (one, other) {
        return false;
    }
    match (keys(one), keys(other)) {
        (Some(one), Some(other)) => one.iter().any(|key| other.contains(key)),
        _ => true,
    }
}

/// The keys that an operation is about; `None` if that may be any.
fn keys(operation: &Operation) -> Option<Vec<&Bytes>> {
    match operation {
        Operation::Read(read) => keys_read(read),
        Operation::Write(write) => keys_written(write),
    }
}

fn keys_read(read: &Read) -> Option<Vec<&Bytes>> {
    match read {
        Read::GetMany { keys } | Read::Exists { keys } => Some(keys.iter().collect()),
        Read::CountKeys | Read::Scan { .. } | Read::Keys { .. } | Read::RandomKey { .. } => None,
        Read::Get { key }
        | Read::Length { key }
        | Read::Part { key, .. }
        | Read::Kind { key }
        | Read::Expiry { key }
        | Read::Version { key }
        | Read::ListLength { key }
        | Read::ListRange { key, .. }
        | Read::ListIndex { key, .. }
        | Read::HashGet { key, .. }
        | Read::HashGetMany { key, .. }
        | Read::HashAll { key }
        | Read::HashLength { key }
        | Read::HashScan { key, .. }
        | Read::SetMembers { key }
        | Read::SetHas { key, .. }
        | Read::SetLength { key }
        | Read::SetScan { key, .. }
        | Read::SetRandom { key, .. }
        | Read::JournalLength { key }
        | Read::JournalRange { key, .. }
        | Read::JournalFrom { key, .. }
        | Read::JournalInfo { key } => Some(vec![key]),
    }
}

fn keys_written(write: &Write) -> Option<Vec<&Bytes>> {
    match write {
        Write::Flush => None,
        Write::Publish { .. } => Some(Vec::new()),
        Write::SetMany { pairs, .. } => Some(pairs.iter().map(|(key, _)| key).collect()),
        Write::Delete { keys } | Write::ListPopFirst { keys, .. } => Some(keys.iter().collect()),
        Write::Rename { from, to, .. }
        | Write::ListMove { from, to, .. }
        | Write::SetMove { from, to, .. } => Some(vec![from, to]),
        Write::Set { key, .. }
        | Write::Append { key, .. }
        | Write::Patch { key, .. }
        | Write::Add { key, .. }
        | Write::GetDelete { key }
        | Write::GetExpire { key, .. }
        | Write::Expire { key, .. }
        | Write::Persist { key }
        | Write::ListPush { key, .. }
        | Write::ListPop { key, .. }
        | Write::ListSet { key, .. }
        | Write::ListRemove { key, .. }
        | Write::ListTrim { key, .. }
        | Write::HashPut { key, .. }
        | Write::HashPutNew { key, .. }
        | Write::HashDelete { key, .. }
        | Write::HashAdd { key, .. }
        | Write::SetAdd { key, .. }
        | Write::SetRemove { key, .. }
        | Write::SetPop { key, .. }
        | Write::JournalAppend { key, .. }
        | Write::JournalTrim { key, .. }
        | Write::JournalDelete { key, .. } => Some(vec![key]),
    }
}
