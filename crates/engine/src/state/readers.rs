//! Connections that only read. A read sees one committed state and never waits for the writer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use domain::store::{Ask, Looked, Memory};
use domain::{Fault, Query};
use openraft_rt::AsyncRuntime;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::store;
use crate::answer::ReadError;
use crate::env::Env;
use crate::sql::Sqlite;
use crate::types::LogId;

/// Reads that run at once: a few more than an ordinary machine has cores.
const RUNNING_MAX: usize = 4;

/// Reads that may wait for their turn. At a tenth of a millisecond each the last one waits for
/// about a tenth of a second; beyond that the client is told to come back.
const WAITING_MAX: usize = 1024;

/// What a client is told to wait when too many reads are waiting, in milliseconds.
const RETRY_AFTER_MS: u64 = 200;

/// The reading connections of a node.
pub struct Readers<E: Env> {
    env: E,
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    running: Semaphore,
    admitted: Semaphore,
}

impl<E: Env> Readers<E> {
    /// Connections to the state at `path`, opened as they are needed.
    pub fn new(env: E, path: PathBuf) -> Arc<Self> {
        Arc::new(Readers {
            env,
            path,
            idle: Mutex::new(Vec::new()),
            running: Semaphore::new(RUNNING_MAX),
            admitted: Semaphore::new(RUNNING_MAX + WAITING_MAX),
        })
    }

    /// Runs a query; answers also which entry's state it saw.
    pub async fn read<Q: Query>(
        self: &Arc<Self>,
        query: Q,
    ) -> Result<(Q::Answer, Option<LogId>), ReadError> {
        self.blocking(move |connection| in_transaction(connection, &query))
            .await
    }

    /// Reads the store as it is applied, if that takes little time: see [`Memory::look_through`].
    pub async fn look(
        self: &Arc<Self>,
        memory: Memory,
        ask: Ask,
        index: u64,
    ) -> Result<Option<Looked>, ReadError> {
        self.blocking(move |connection| look(connection, &memory, &ask, index))
            .await
    }

    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, ReadError> {
        let busy = |_| ReadError::Busy {
            retry_after_ms: RETRY_AFTER_MS,
        };
        let _admitted = self.admitted.try_acquire().map_err(busy)?;
        let _turn = self
            .running
            .acquire()
            .await
            .map_err(|_| ReadError::Stopping)?;
        let this = Arc::clone(self);
        let work = move || this.run(work);
        match E::Runtime::spawn_blocking(work).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(fault)) => Err(ReadError::Failed(fault.to_string())),
            Err(_) => Err(ReadError::Stopping),
        }
    }

    /// Lends a connection to blocking work.
    pub fn run<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => store::connect(self.env.disk(), &self.path, false)?,
        };
        let result = work(&connection);
        // A connection with a transaction still open would hold back every checkpoint: let it go.
        if connection.is_autocommit() {
            self.idle().push(connection);
        }
        result
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node's disk.
    pub fn disk(&self) -> &E::Disk {
        self.env.disk()
    }
}

fn in_transaction<Q: Query>(
    connection: &Connection,
    query: &Q,
) -> Result<(Q::Answer, Option<LogId>), Fault> {
    let fault = crate::sql::sqlite::fault;
    connection.execute_batch("BEGIN").map_err(fault)?;
    let result = store::visible(connection)
        .and_then(|seen| Ok((query.run(&mut Sqlite::new(connection))?, seen)));
    let ended = connection.execute_batch("ROLLBACK").map_err(fault);
    let answer = result?;
    ended.map(|()| answer)
}

fn look(
    connection: &Connection,
    memory: &Memory,
    ask: &Ask,
    index: u64,
) -> Result<Option<Looked>, Fault> {
    let fault = crate::sql::sqlite::fault;
    let looked = memory.look_through(ask, index, || {
        connection.execute_batch("BEGIN").map_err(fault)?;
        Ok(Sqlite::new(connection))
    });
    if !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK").map_err(fault)?;
    }
    looked
}
