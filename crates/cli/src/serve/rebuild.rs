//! A node that begins anew, and the order that it do so: see `engine::rebuild`.

use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use engine::production::anew;
use engine::{JoinToken, StartError};
use tracing::warn;

use super::Data;
use super::data::LOCK_FILE;
use crate::failure::{Failure, Outcome};

pub use engine::rebuild::FILE as REBUILD_FILE;

/// How long another process may keep the directory. One that cannot start is gone sooner, and
/// whoever supervises it leaves pauses.
const CLAIM_MAX: Duration = Duration::from_secs(3);

const GLANCE: Duration = Duration::from_millis(20);

/// Who the node of a data directory is, as far as that can be read.
#[derive(Clone, Debug, Default)]
pub struct Owner {
    /// Its name.
    pub name: Option<String>,
    /// Its id, as the API shows it.
    pub id: Option<String>,
    /// The id of its cluster, in the same way.
    pub cluster: Option<String>,
}

/// Puts away what is in the directory, if its node is to begin anew; answers with what it joins.
pub fn carry_out(data: &Data) -> Outcome<Option<String>> {
    let begun = anew::carry_out(data.dir(), LOCK_FILE).map_err(|error| fail(data.dir(), &error))?;
    if let Some(put_away) = begun.as_ref().and_then(|begun| begun.put_away.as_ref()) {
        warn!(
            put_away = %put_away.display(),
            "this node begins anew: what it had is put away, and it joins under another id"
        );
    }
    Ok(begun.map(|begun| begun.token))
}

/// Whether a node that cannot start was ordered to begin anew for that case.
pub fn is_ordered_for(data: &Data, error: &StartError) -> bool {
    if !error.is_damage() {
        return false;
    }
    match anew::is_ordered_when_damaged(data.dir()) {
        Ok(ordered) => ordered,
        Err(error) => {
            warn!(%error, "whether this node is to begin anew cannot be read");
            false
        }
    }
}

/// The node has started: nothing is ordered any more. What cannot be removed is carried out by
/// nobody, since it names the node that is gone.
pub fn settle(data: &Data) {
    if let Err(error) = anew::settle(data.dir()) {
        warn!(%error, "the order to begin anew is done and cannot be removed");
    }
}

/// Who the node in `dir` is, which must not run; the directory is kept for the caller alone.
pub async fn claim_stopped(dir: &Path) -> Outcome<(Data, Owner)> {
    if !dir.is_dir() {
        return Err(Failure::usage(format!(
            "{} is not a directory",
            dir.display()
        )));
    }
    let deadline = Instant::now() + CLAIM_MAX;
    let data = loop {
        match Data::claim(dir) {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(GLANCE).await,
            Err(failure) => {
                return Err(Failure::failed(format!(
                    "{failure}. A node that runs is asked by its name: `consorcio cluster rebuild \
                     NAME`"
                )));
            }
            Ok(data) => break data,
        }
    };
    if data.is_new() {
        return Err(Failure::usage(format!(
            "there is no node in {}",
            dir.display()
        )));
    }
    let identity = anew::identity(dir).map_err(|error| fail(dir, &error))?;
    let owner = identity.map_or_else(Owner::default, |identity| Owner {
        name: Some(identity.name),
        id: Some(format!("{:016x}", identity.id)),
        cluster: Some(engine::identity::hex(&identity.cluster)),
    });
    Ok((data, owner))
}

/// Orders that the node of the directory begins anew at its next start.
pub fn order(data: &Data, token: &str) -> Outcome {
    let token = JoinToken::from_str(token).map_err(Failure::failed)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let at_ms = since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    });
    anew::order(data.dir(), &token, at_ms).map_err(|error| fail(data.dir(), &error))
}

fn fail(dir: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!(
        "cannot use the data directory {}: {error}",
        dir.display()
    ))
}
