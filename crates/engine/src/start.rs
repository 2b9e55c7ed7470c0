//! What a node looks at before it starts: who it is, and whether what it has kept is whole.

use std::io;
use std::path::Path;

use domain::Fault;
use openraft_rt::AsyncRuntime;
use rusqlite::ErrorCode;

use crate::agreement;
use crate::elections::{self, Election};
use crate::env::{Disk, Env};
use crate::identity::Identity;
use crate::log::{self, Log, LogError};
use crate::options::Options;
use crate::state::{State, store};

/// What to do about data that a node cannot go on with.
const BEGIN_ANEW: &str = "`consorcio cluster rebuild --data DIR` puts the data away and has the \
                          node join anew at its next start";

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The state.
    #[error("the state cannot be opened: {0}{advice}", advice = advice(.0))]
    State(Fault),
    /// The data directory.
    #[error("the data directory cannot be used: {0}")]
    Data(#[from] io::Error),
    /// The data belong to another cluster than the token.
    #[error(
        "this data directory already belongs to another cluster; to join with this token, start \
         with an empty data directory"
    )]
    OtherCluster,
    /// The log is gone but the state is not.
    #[error(
        "the log of this node was removed or cut, and with it its votes. {}",
        BEGIN_ANEW
    )]
    LogLost,
    /// Who the node is is gone, but not what it has kept.
    #[error(
        "the file `identity` of the data directory is gone, and with it who this node is. {}",
        BEGIN_ANEW
    )]
    IdentityLost,
    /// The node took itself out of service before.
    #[error(
        "the state of this node differs from that of a majority, so it must not serve. {}",
        BEGIN_ANEW
    )]
    Outvoted,
    /// The cluster did not take the node.
    #[error("the cluster did not accept this node: {0}")]
    Join(String),
    /// openraft refused.
    #[error("raft did not start: {0}")]
    Raft(String),
}

pub async fn past_elections<E: Env>(env: &E, options: &Options) -> io::Result<Vec<Election>> {
    let (disk, data) = (env.disk().clone(), options.data.clone());
    E::Runtime::spawn_blocking(move || elections::load(&disk, &data)).await
}

pub async fn identify<E: Env>(env: &E, options: &Options) -> Result<Identity, StartError> {
    let (disk, options) = (env.disk().clone(), options.clone());
    E::Runtime::spawn_blocking(move || {
        if agreement::is_marked(&disk, &options.data)? {
            return Err(StartError::Outvoted);
        }
        let known = Identity::load(&disk, &options.data)?;
        if known.is_none() && has_run(&disk, &options.data)? {
            return Err(StartError::IdentityLost);
        }
        if let Some(known) = known.as_ref().filter(|known| known.name != options.name) {
            tracing::warn!(
                "this data directory is that of {}, which is called {} from now on",
                known.name,
                options.name
            );
        }
        let identity = match (known.clone(), &options.join) {
            (Some(known), Some(token)) if known.cluster != token.cluster => {
                return Err(StartError::OtherCluster);
            }
            (Some(known), _) => Identity {
                name: options.name.clone(),
                ..known
            },
            (None, Some(token)) => Identity::joining::<E>(&options.name, token),
            (None, None) => Identity::first::<E>(&options.name),
        };
        // A disk may be full, and a node that is what it was can start all the same.
        if known.as_ref() != Some(&identity) {
            identity.save(&disk, &options.data)?;
        }
        Ok(identity)
    })
    .await?
}

/// True if a node has kept a log or a state in a data directory. It wrote down who it is before.
fn has_run<D: Disk>(disk: &D, data: &Path) -> io::Result<bool> {
    let holds = |dir: &Path, kept: &dyn Fn(&str) -> bool| match disk.list(dir) {
        Ok(names) => Ok(names.iter().any(|name| kept(name))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    };
    let state = store::path(data);
    let state = state.file_name().and_then(|name| name.to_str());
    let log = log::dir(data);
    Ok(holds(data, &|name| Some(name) == state)? || holds(&log, &|_| true)?)
}

impl StartError {
    /// True if the node cannot go on with what it has kept, however often it starts.
    pub fn is_damage(&self) -> bool {
        match self {
            StartError::Log(error) => matches!(error, LogError::Damaged { .. }),
            StartError::State(fault) => is_damaged(fault),
            StartError::LogLost | StartError::IdentityLost | StartError::Outvoted => true,
            StartError::Data(_)
            | StartError::OtherCluster
            | StartError::Join(_)
            | StartError::Raft(_) => false,
        }
    }
}

/// What to do about a state that cannot be opened, as the rest of a sentence.
fn advice(fault: &Fault) -> String {
    match is_damaged(fault) {
        true => format!(". {BEGIN_ANEW}"),
        false => String::new(),
    }
}

fn is_damaged(fault: &Fault) -> bool {
    match fault {
        Fault::Corrupt(_) => true,
        Fault::DiskFull => false,
        Fault::Database(error) => {
            let error = error.downcast_ref::<rusqlite::Error>();
            let code = error.and_then(rusqlite::Error::sqlite_error_code);
            matches!(
                code,
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            )
        }
    }
}

/// A state that is ahead of the log is proof that the log was lost, but for one case: a crash after
/// a snapshot was installed and before the log was purged, which openraft then does.
pub async fn check_log<E: Env>(log: &Log<E>, state: &State<E>) -> Result<(), StartError> {
    if state.standing().applied <= log.last() {
        return Ok(());
    }
    let as_installed = state.is_as_installed().await.map_err(StartError::State)?;
    if log.has_voted() && as_installed {
        Ok(())
    } else {
        Err(StartError::LogLost)
    }
}
