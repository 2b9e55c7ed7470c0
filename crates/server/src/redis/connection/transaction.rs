//! MULTI, EXEC and WATCH: a transaction is one command, and so one entry of the log at most.

use std::collections::VecDeque;

use domain::store::{
    Answer, CONDITIONS_MAX, Condition, OPERATIONS_MAX, Operation, Read, StoreError, StoreReply,
};

use super::batch::{Asked, reads};
use super::{Connection, Cut, Wants};
use crate::redis::commands::{Arguments, Command, Own, Refusal, Run, Wanted, write_error};
use crate::redis::here::{Handler, Here};
use crate::redis::resp::{Request, Requests};
use crate::redis::store::{Line, Written};

/// Bytes of a transaction: as of any command.
const TRANSACTION_MAX_BYTES: usize = 900 * 1024;

/// Bytes of the reply to EXEC after which what this node answers itself finds no room: as many as
/// the answers of the store have at most. A few words ask for all that `COMMAND DOCS` tells.
const REPLY_MAX_BYTES: usize = 16 * 1024 * 1024;

/// What was queued since MULTI.
#[derive(Default)]
pub(super) struct Transaction {
    queued: Vec<Queued>,
    operations: Vec<Operation>,
    bytes: usize,
    /// Something could not be queued: EXEC will do nothing.
    broken: bool,
}

/// A request that waits for EXEC.
enum Queued {
    /// It asks the store.
    Asked(Asked),
    /// This node answers it.
    Here(&'static Command, Handler, Requests),
    /// Nothing is left to do: EXEC forgets the watched keys in any case.
    Unwatch,
}

impl Transaction {
    /// EXEC will do nothing.
    pub fn break_off(&mut self) {
        self.broken = true;
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.queued.len() < OPERATIONS_MAX
            && self.operations.len() < OPERATIONS_MAX
            && self.bytes + bytes <= TRANSACTION_MAX_BYTES
    }
}

impl Connection {
    /// What needs nothing of the store.
    pub(super) fn begin_or_end(&mut self, own: Own, command: &Command) {
        match (own, self.transaction.is_some()) {
            (Own::Multi, true) => {
                let refusal = Refusal::because("MULTI calls can not be nested");
                self.refuse(command, &refusal);
            }
            (Own::Multi, false) => {
                self.transaction = Some(Transaction::default());
                self.client.queued = Some(0);
                self.answer(|replies| replies.ok());
            }
            (Own::Discard, false) => {
                self.refuse(command, &Refusal::because("DISCARD without MULTI"));
            }
            _ => {
                if own == Own::Discard {
                    self.end_transaction();
                }
                self.watched.clear();
                self.answer(|replies| replies.ok());
            }
        }
    }

    /// Forgets a transaction that has begun.
    pub(super) fn end_transaction(&mut self) -> Option<Transaction> {
        self.client.queued = None;
        self.transaction.take()
    }

    /// Refuses what a client may not ask now; a transaction that has begun does nothing then.
    pub(super) fn refuse_now(&mut self, command: &Command, refusal: &Refusal) {
        if command.name == "exec" && *refusal == Refusal::Arity {
            // With its words wrong it is the end of the transaction even so.
            self.end_transaction();
            self.watched.clear();
            let line = "EXECABORT Transaction discarded because of: wrong number of arguments for \
                        'exec' command";
            return self.answer(|replies| replies.error(line));
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.break_off();
        }
        self.refuse(command, refusal);
    }

    /// Queues a request until EXEC.
    pub(super) fn queue(&mut self, command: &'static Command, request: Request<'_>) {
        let copy = Requests::copy_of(request);
        let queued = copy
            .get(0)
            .map(|request| self.parse_queued(command, request));
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let bytes = request.size();
        let queued = match queued {
            Some(Ok(queued)) if transaction.has_room(bytes) => Ok(queued),
            Some(Err(refusal)) => Err(refusal),
            Some(Ok(_)) | None => Err(Refusal::because("the transaction is too large")),
        };
        match queued {
            Ok(queued) => {
                transaction.operations.append(&mut self.operations);
                transaction.bytes += bytes;
                transaction.queued.push(queued);
                self.client.queued = Some(transaction.queued.len());
                self.answer(|replies| replies.simple("QUEUED"));
            }
            Err(refusal) => {
                transaction.break_off();
                self.refuse(command, &refusal);
            }
        }
    }

    fn parse_queued(
        &mut self,
        command: &'static Command,
        request: Request<'_>,
    ) -> Result<Queued, Refusal> {
        self.operations.clear();
        let shape = match command.run {
            Run::Here(handler) => {
                let request = Requests::copy_of(request);
                return Ok(Queued::Here(command, handler, request));
            }
            Run::Own(Own::Unwatch) => return Ok(Queued::Unwatch),
            Run::Own(_) => {
                let line = "Command not allowed inside a transaction";
                return Err(Refusal::because(line));
            }
            Run::Store(_) | Run::Publish => self.parse(command, request)?,
            // Within a transaction nothing waits: it takes what is there.
            Run::Waiting(_) | Run::XRead => match self.wanted(command, request)? {
                Wants::Now(shape) => shape,
                Wants::Wait(blocking) => match blocking.wanted {
                    Wanted::Pop(write) => {
                        self.operations.push(Operation::Write(write));
                        blocking.shape
                    }
                    Wanted::Entries(entries) => self.read_entries(&entries),
                },
            },
        };
        Ok(Queued::Asked(Asked {
            command,
            shape,
            count: self.operations.len(),
        }))
    }

    /// Has the transaction done.
    pub(super) async fn exec(&mut self, command: &Command) -> Result<(), Cut> {
        let conditions = std::mem::take(&mut self.watched);
        let Some(transaction) = self.end_transaction() else {
            self.watched = conditions;
            self.refuse(command, &Refusal::because("EXEC without MULTI"));
            return Ok(());
        };
        if transaction.broken {
            let line = "EXECABORT Transaction discarded because of previous errors.";
            self.replies.error(line);
            return Ok(());
        }
        match self.execute(transaction.operations, conditions).await {
            Ok(Written::Done(answers)) => {
                let answers = answers.into_iter().map(Ok).collect();
                self.write_transaction(transaction.queued, answers);
            }
            Ok(Written::Moved) => self.replies.null_array(),
            Err(line) => self.replies.error(line.as_bytes()),
        }
        Ok(())
    }

    async fn execute(
        &mut self,
        operations: Vec<Operation>,
        conditions: Vec<Condition>,
    ) -> Result<Written, Line> {
        let only_reads = operations
            .iter()
            .all(|operation| matches!(operation, Operation::Read(_)));
        let store = &self.shared.store;
        if conditions.is_empty() && operations.is_empty() {
            return Ok(Written::Done(Vec::new()));
        }
        if conditions.is_empty() && only_reads {
            // All of them see one state, as in a command.
            let answers = store.read(&reads(operations)).await?;
            return Ok(Written::Done(answers));
        }
        match store.write(operations, conditions, None).await {
            Ok((written, index)) => {
                self.written = self.written.max(index);
                Ok(written)
            }
            Err(error) => Err(error.line),
        }
    }

    fn write_transaction(
        &mut self,
        queued: Vec<Queued>,
        mut answers: VecDeque<Result<Answer, Line>>,
    ) {
        self.replies.array(queued.len());
        for queued in queued {
            match queued {
                Queued::Asked(asked) => asked.write(&mut answers, &mut self.replies),
                Queued::Unwatch => self.replies.ok(),
                Queued::Here(command, handler, request) => {
                    let mut here = Here {
                        client: &mut self.client,
                        shared: &self.shared,
                    };
                    let Some(request) = request.get(0) else {
                        continue;
                    };
                    if self.replies.len() > REPLY_MAX_BYTES {
                        write_error(StoreError::TooLarge, command.name, &mut self.replies);
                        continue;
                    }
                    if let Err(refusal) = handler(&mut here, request, &mut self.replies) {
                        refusal.write(command.name, &mut self.replies);
                    }
                }
            }
        }
    }

    /// Remembers the versions that keys have now.
    pub(super) async fn watch(&mut self, request: Request<'_>) -> Result<(), Cut> {
        if self.transaction.is_some() {
            self.replies.error("ERR WATCH inside MULTI is not allowed");
            return Ok(());
        }
        let mut keys = Arguments::of(request).rest();
        // A key that is watched already keeps the version that it had first.
        keys.retain(|key| self.watched.iter().all(|watched| watched.key != *key));
        if self.watched.len() + keys.len() > CONDITIONS_MAX {
            self.replies
                .error(format!("ERR at most {CONDITIONS_MAX} keys can be watched"));
            return Ok(());
        }
        let reads = keys.iter().map(|key| Read::Version { key: key.clone() });
        match self.shared.store.read(&reads.collect::<Vec<_>>()).await {
            Ok(versions) => {
                for (key, version) in keys.iter().zip(versions) {
                    match version {
                        Ok(StoreReply::Integer(version)) => self.watched.push(Condition {
                            // What was read is not kept alive for a key.
                            key: bytes::Bytes::copy_from_slice(key),
                            version,
                        }),
                        Ok(_) => {}
                        Err(error) => {
                            write_error(error, "watch", &mut self.replies);
                            return Ok(());
                        }
                    }
                }
                self.replies.ok();
            }
            Err(line) => self.replies.error(line.as_bytes()),
        }
        Ok(())
    }
}
