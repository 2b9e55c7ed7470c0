//! What is remembered between commands: per cluster, its nodes, the session and the newest index
//! seen. A file that only its owner may read, replaced as a whole.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};

/// At most this many clusters are remembered; the one that was used least lately is forgotten.
const LOGINS_MAX: usize = 50;

/// One cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The nodes as the user named them.
    pub servers: Vec<String>,
    /// The cluster's id: a node of another one is not taken for one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// All its nodes.
    #[serde(default)]
    pub members: Vec<String>,
    /// Who is signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The session's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The newest log index seen, so that the next command sees what this one did, on any node.
    #[serde(default)]
    pub index: u64,
}

impl Login {
    fn knows(&self, server: &String) -> bool {
        self.servers.contains(server) || self.members.contains(server)
    }
}

/// The file.
#[derive(Debug)]
pub struct Logins {
    path: Option<PathBuf>,
}

/// Its content, the cluster used last first.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    logins: Vec<Login>,
}

impl Logins {
    /// The user's file: `$XDG_CONFIG_HOME/consorcio/login.json`.
    pub fn of_user() -> Self {
        let dir = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let config = dir("XDG_CONFIG_HOME").map(PathBuf::from);
        let config = config.or_else(|| dir("HOME").map(|home| Path::new(&home).join(".config")));
        Logins {
            path: config.map(|config| config.join("consorcio").join("login.json")),
        }
    }

    /// What is remembered about the cluster of these nodes.
    pub fn find(&self, servers: &[String]) -> Outcome<Option<Login>> {
        let logins = self.read()?.logins;
        Ok(logins
            .into_iter()
            .find(|login| servers.iter().any(|server| login.knows(server))))
    }

    /// Remembers this about its cluster.
    pub fn keep(&self, login: Login) -> Outcome {
        let mut content = self.read()?;
        content
            .logins
            .retain(|other| !login.servers.iter().any(|server| other.knows(server)));
        content.logins.insert(0, login);
        content.logins.truncate(LOGINS_MAX);
        self.write(&content)
    }

    fn read(&self) -> Outcome<Content> {
        let Some(path) = &self.path else {
            return Ok(Content::default());
        };
        let fail = |error: &dyn std::fmt::Display| {
            Failure::failed(format!("{} cannot be read: {error}", path.display()))
        };
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| fail(&error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Content::default()),
            Err(error) => Err(fail(&error)),
        }
    }

    fn write(&self, content: &Content) -> Outcome {
        let Some(path) = &self.path else {
            return Err(Failure::failed(
                "neither XDG_CONFIG_HOME nor HOME says where to keep logins",
            ));
        };
        replace(path, content)
            .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
    }
}

fn replace(path: &Path, content: &Content) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(content)?;
    text.push(b'\n');
    if let Some(dir) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
    }
    // Commands may run side by side: each has a draft of its own.
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(draft, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn login(server: &str, name: &str) -> Login {
        Login {
            servers: vec![server.into()],
            cluster: Some("c".into()),
            members: vec![format!("{server}1"), format!("{server}2")],
            name: Some(name.into()),
            token: Some("t".into()),
            index: 7,
        }
    }

    fn empty() -> (tempfile::TempDir, Logins) {
        let dir = tempfile::tempdir().unwrap();
        let path = Some(dir.path().join("consorcio/login.json"));
        (dir, Logins { path })
    }

    #[test]
    fn a_login_is_found_by_any_node_of_its_cluster() {
        let (_dir, logins) = empty();
        assert_eq!(logins.find(&["a".into()]).unwrap(), None);
        logins.keep(login("a", "ana")).unwrap();
        logins.keep(login("b", "bea")).unwrap();
        assert_eq!(
            logins.find(&["a2".into()]).unwrap(),
            Some(login("a", "ana"))
        );
        logins
            .keep(Login {
                token: None,
                ..login("a", "ana")
            })
            .unwrap();
        assert_eq!(logins.find(&["a".into()]).unwrap().unwrap().token, None);
        assert_eq!(logins.read().unwrap().logins.len(), 2);
    }

    #[test]
    fn only_the_owner_may_read_it_and_it_does_not_grow() {
        let (_dir, logins) = empty();
        for number in 0..LOGINS_MAX + 5 {
            logins.keep(login(&format!("s{number}-"), "ana")).unwrap();
        }
        assert_eq!(logins.read().unwrap().logins.len(), LOGINS_MAX);
        let mode = fs::metadata(logins.path.as_ref().unwrap())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_said() {
        let (dir, logins) = empty();
        fs::create_dir(dir.path().join("consorcio")).unwrap();
        fs::write(logins.path.as_ref().unwrap(), "{").unwrap();
        let failure = logins.find(&["a".into()]).unwrap_err();
        assert!(failure.message.contains("cannot be read"), "{failure}");
    }
}
