//! Who a node is, kept in its data directory. Without it the node is a stranger, also to itself:
//! it must join anew, under a new id, and can never vote as the one it was.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use openraft_rt::AsyncRuntime;
use rand::Rng as _;
use serde::{Deserialize, Serialize};

use crate::env::{Disk, Env, File};
use crate::types::NodeId;

/// Version of the identity file.
const VERSION: u8 = 1;

/// What a node must keep to remain itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Random id of the cluster.
    pub cluster: [u8; 16],
    /// What proves membership to the other nodes.
    pub secret: [u8; 32],
    /// Random id of the node.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// How far it has come to being a member.
    pub stage: Stage,
}

/// How far a node has come to being a member. What was interrupted is begun again; but a member
/// whose log is gone must never begin again under its old id, for it has forgotten its votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It is to be the first member of a new cluster.
    Founding,
    /// It asks to be taken into a cluster.
    Joining,
    /// It is or was a member.
    Member,
}

/// The secret URL with which a node joins: `consorcio://SECRET@HOST:PORT,HOST:PORT/CLUSTER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinToken {
    /// The cluster to join.
    pub cluster: [u8; 16],
    /// What proves membership.
    pub secret: [u8; 32],
    /// Peer addresses of members, tried in order.
    pub peers: Vec<String>,
}

/// The text is not a join token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not a join token: it looks like consorcio://SECRET@HOST:PORT/CLUSTER and is printed \
     by `consorcio cluster token`"
)]
pub struct NotAToken;

impl Identity {
    /// A new identity in a new cluster.
    pub fn first<E: Env>(name: &str) -> Self {
        let mut rng = E::Runtime::thread_rng();
        let (mut cluster, mut secret) = ([0; 16], [0; 32]);
        rng.fill_bytes(&mut cluster);
        rng.fill_bytes(&mut secret);
        Identity {
            cluster,
            secret,
            id: random_id(&mut rng),
            name: name.to_owned(),
            stage: Stage::Founding,
        }
    }

    /// A new identity in the cluster of a token.
    pub fn joining<E: Env>(name: &str, token: &JoinToken) -> Self {
        Identity {
            cluster: token.cluster,
            secret: token.secret,
            id: random_id(&mut E::Runtime::thread_rng()),
            name: name.to_owned(),
            stage: Stage::Joining,
        }
    }

    /// Reads the identity of a data directory; `None` if it has none. Blocking.
    pub fn load<D: Disk>(disk: &D, data: &Path) -> io::Result<Option<Self>> {
        let file = match disk.open(&path(data), false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let bytes = crate::log::recovery::read_whole(&file)?;
        match bytes.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest)
                .map(Some)
                .map_err(|_| unreadable()),
            _ => Err(unreadable()),
        }
    }

    /// Writes the identity durably, replacing what was there whole or not at all. Blocking.
    pub fn save<D: Disk>(&self, disk: &D, data: &Path) -> io::Result<()> {
        disk.create_dir_all(data)?;
        let draft = data.join("identity.new");
        let file = disk.open(&draft, true)?;
        let buffer = vec![VERSION];
        let bytes = postcard::to_extend(self, buffer).map_err(io::Error::other)?;
        file.set_len(0)?;
        file.write_all_at(&bytes, 0)?;
        file.sync_data()?;
        disk.rename(&draft, &path(data))?;
        disk.sync_dir(data)
    }

    /// The token with which another node joins through the members at `peers`.
    pub fn token(&self, peers: Vec<String>) -> JoinToken {
        JoinToken {
            cluster: self.cluster,
            secret: self.secret,
            peers,
        }
    }
}

fn path(data: &Path) -> PathBuf {
    data.join("identity")
}

fn random_id(rng: &mut impl rand::Rng) -> NodeId {
    // Never 0, which reads like "nobody"; and small enough for a signed SQL integer.
    (rng.next_u64() >> 1).max(1)
}

fn unreadable() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the file `identity` of the data directory is damaged or of another version",
    )
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn unhex<const N: usize>(text: &str) -> Result<[u8; N], NotAToken> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return Err(NotAToken);
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| NotAToken)?;
    }
    Ok(bytes)
}

impl std::fmt::Display for JoinToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (secret, cluster) = (hex(&self.secret), hex(&self.cluster));
        write!(f, "consorcio://{secret}@{}/{cluster}", self.peers.join(","))
    }
}

impl FromStr for JoinToken {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let rest = text.trim().strip_prefix("consorcio://").ok_or(NotAToken)?;
        let (secret, rest) = rest.split_once('@').ok_or(NotAToken)?;
        let (peers, cluster) = rest.split_once('/').ok_or(NotAToken)?;
        let peers: Vec<String> = peers.split(',').map(str::to_owned).collect();
        if peers.iter().any(|peer| !peer.contains(':')) {
            return Err(NotAToken);
        }
        Ok(JoinToken {
            cluster: unhex(cluster)?,
            secret: unhex(secret)?,
            peers,
        })
    }
}
