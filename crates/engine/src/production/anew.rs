//! A process that begins anew, and a data directory whose node does.
//!
//! What a node kept is put away into a directory of its own beside what comes after, not deleted:
//! it may be all that is left of something. The next one that is put away takes its place.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::RealDisk;
use crate::env::Disk as _;
use crate::identity::{Identity, JoinToken};
use crate::rebuild::{FILE, NOBODY, Order, When};
use crate::types::NodeId;

/// How the names of directories begin in which something was put away.
const PUT_AWAY: &str = "put-away-";

/// The file that says who a node is. It goes last: while it is there, not all was put away.
const IDENTITY: &str = "identity";

/// The program as it runs now, also if its file has got another name or is gone since.
const RUNNING: &str = "/proc/self/exe";

/// Lets this process begin anew at once: the same program with the same arguments, and nothing else
/// of it is left, as after SIGKILL and a new start. Answers only if that cannot be done.
pub fn begin_anew() -> io::Error {
    let running = Path::new(RUNNING);
    let program = match running.exists() {
        true => Ok(running.to_owned()),
        false => std::env::current_exe(),
    };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| "consorcio".into());
    match program {
        Ok(program) => Command::new(program).arg0(name).args(arguments).exec(),
        Err(error) => error,
    }
}

/// What was ordered for a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// With what the node joins, at its first start.
    pub token: String,
    /// Where its data were put just now; `None` if an earlier start did that.
    pub put_away: Option<PathBuf>,
}

/// Puts away what is in a data directory, if its node is to begin anew. `lock` is the file that
/// keeps others out meanwhile. Blocking.
pub fn carry_out(data: &Path, lock: &str) -> io::Result<Option<Begun>> {
    let Some(order) = Order::load(&RealDisk, data)? else {
        return Ok(None);
    };
    if order.when == When::Damaged {
        return Ok(None);
    }
    let put_away = match owner(data)? == order.node {
        true => Some(put_away(data, lock, order.at_ms)?),
        false => None,
    };
    Ok(Some(Begun {
        token: order.token,
        put_away,
    }))
}

/// The node cannot go on with what it has: true if it was ordered to begin anew then, which its
/// next start does. Blocking.
pub fn is_ordered_when_damaged(data: &Path) -> io::Result<bool> {
    match Order::load(&RealDisk, data)? {
        Some(order) if order.when == When::Damaged => {
            let order = Order {
                when: When::Always,
                ..order
            };
            order.save(&RealDisk, data).map(|()| true)
        }
        _ => Ok(false),
    }
}

/// Whatever was ordered is done, or came to nothing: the node has started. Blocking.
pub fn settle(data: &Path) -> io::Result<()> {
    Order::forget(&RealDisk, data)
}

/// Orders that the node of a data directory begins anew at its next start; it must not run.
/// Blocking.
pub fn order(data: &Path, token: &JoinToken, at_ms: i64) -> io::Result<()> {
    let order = Order {
        node: owner(data)?,
        when: When::Always,
        token: token.to_string(),
        at_ms,
    };
    order.save(&RealDisk, data)
}

/// Who the node of a data directory is, if that can be read. Blocking.
pub fn identity(data: &Path) -> io::Result<Option<Identity>> {
    match Identity::load(&RealDisk, data) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        known => known,
    }
}

fn owner(data: &Path) -> io::Result<NodeId> {
    Ok(identity(data)?.map_or(NOBODY, |identity| identity.id))
}

fn put_away(data: &Path, lock: &str, at_ms: i64) -> io::Result<PathBuf> {
    let to = data.join(format!("{PUT_AWAY}{at_ms}"));
    let mut going = Vec::new();
    for name in RealDisk.list(data)? {
        let path = data.join(&name);
        if name.starts_with(PUT_AWAY) {
            if path != to {
                fs::remove_dir_all(path)?;
            }
        } else if name != lock && name != FILE {
            going.push(name);
        }
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&to)?;
    going.sort_by_key(|name| name == IDENTITY);
    for name in going {
        RealDisk.rename(&data.join(&name), &to.join(&name))?;
    }
    RealDisk.sync_dir(&to)?;
    RealDisk.sync_dir(data)?;
    Ok(to)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::identity::Stage;

    const LOCK: &str = "lock";

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        RealDisk.open(path, true).unwrap();
        fs::OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
            .unwrap();
    }

    fn become_node(data: &Path, id: NodeId) {
        let identity = Identity {
            cluster: [1; 16],
            secret: [2; 32],
            id,
            name: "n1".to_owned(),
            stage: Stage::Member,
        };
        identity.save(&RealDisk, data).unwrap();
        write(&data.join("log/1.log"), "entries");
        write(&data.join("state.db"), "state");
        write(&data.join(LOCK), "");
    }

    fn token() -> JoinToken {
        JoinToken {
            cluster: [1; 16],
            secret: [2; 32],
            peers: vec!["n2:1".to_owned()],
        }
    }

    #[test]
    fn what_is_there_is_put_away_once_and_only_of_the_node_that_is_meant() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        become_node(data, 7);
        assert_eq!(carry_out(data, LOCK).unwrap(), None);
        order(data, &token(), 1).unwrap();
        let begun = carry_out(data, LOCK).unwrap().unwrap();
        assert_eq!(begun.token, token().to_string());
        let put_away = begun.put_away.unwrap();
        assert!(put_away.join("log/1.log").exists() && put_away.join("identity").exists());
        let names = RealDisk.list(data).unwrap();
        assert_eq!(names, ["lock", "put-away-1", "rebuild"]);

        // It dies before it has joined, and then as the one that joins.
        let again = carry_out(data, LOCK).unwrap().unwrap();
        assert_eq!(again.put_away, None);
        become_node(data, 8);
        let again = carry_out(data, LOCK).unwrap().unwrap();
        assert_eq!((again.put_away, again.token), (None, token().to_string()));
        assert!(data.join("log/1.log").exists());
        settle(data).unwrap();
        settle(data).unwrap();
        assert_eq!(carry_out(data, LOCK).unwrap(), None);
    }

    #[test]
    fn one_that_died_while_it_put_its_data_away_goes_on_and_only_the_newest_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        write(&data.join("put-away-1/state.db"), "older");
        become_node(data, 7);
        order(data, &token(), 2).unwrap();
        // So far it had come.
        fs::create_dir_all(data.join("put-away-2")).unwrap();
        RealDisk
            .rename(&data.join("log"), &data.join("put-away-2/log"))
            .unwrap();
        let begun = carry_out(data, LOCK).unwrap().unwrap();
        let put_away = begun.put_away.unwrap();
        assert!(put_away.join("log/1.log").exists() && put_away.join("state.db").exists());
        assert!(!data.join("put-away-1").exists());
    }

    #[test]
    fn data_that_do_not_tell_whose_they_are_are_put_away_too() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        become_node(data, 7);
        write(&data.join("identity"), "damaged");
        order(data, &token(), 1).unwrap();
        let begun = carry_out(data, LOCK).unwrap().unwrap();
        assert!(begun.put_away.unwrap().join("identity").exists());
        become_node(data, 8);
        assert_eq!(carry_out(data, LOCK).unwrap().unwrap().put_away, None);
    }

    #[test]
    fn what_was_ordered_for_damage_alone_waits_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path();
        become_node(data, 7);
        assert!(!is_ordered_when_damaged(data).unwrap());
        let order = Order {
            node: 7,
            when: When::Damaged,
            token: token().to_string(),
            at_ms: 1,
        };
        order.save(&RealDisk, data).unwrap();
        assert_eq!(carry_out(data, LOCK).unwrap(), None);
        assert!(is_ordered_when_damaged(data).unwrap());
        assert!(carry_out(data, LOCK).unwrap().unwrap().put_away.is_some());
    }
}
