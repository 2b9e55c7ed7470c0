//! Which nodes there will be, where, and whether that can be.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};
use crate::serve::{Data, REBUILD_FILE, TOKEN_FILE, taken};
use crate::settings::Door;

/// More nodes than this on one machine help nobody: each write waits for a majority of them.
pub const NODES_MAX: usize = 9;

/// Nodes at the first start: the fewest that outlive one of them.
const NODES_DEFAULT: u16 = 3;

/// The file in the data directory that remembers how many nodes there are, and their ports: they
/// know each other by them.
const KEPT_FILE: &str = "up.toml";

/// A node that has one of these has run: who it is, the secret of its cluster, and that it is to
/// begin anew.
const IDENTITY_FILES: [&str; 3] = ["identity", TOKEN_FILE, REBUILD_FILE];

/// What the command line asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    pub nodes: Option<u16>,
    pub http_port: Option<u16>,
    pub peer_port: Option<u16>,
    /// 0 serves no gRPC clients.
    pub grpc_port: Option<u16>,
    /// 0 serves no agencies.
    pub lottery_port: Option<u16>,
    /// 0 serves no Redis clients.
    pub redis_port: Option<u16>,
}

/// The ports of the first node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ports {
    http_port: u16,
    peer_port: u16,
    /// Data of before there was gRPC do not say it.
    #[serde(default = "grpc_port_default")]
    grpc_port: u16,
    /// Data of before there were lotteries do not say it.
    #[serde(default = "lottery_port_default")]
    lottery_port: u16,
    /// Data of before Redis clients were served do not say it.
    #[serde(default = "redis_port_default")]
    redis_port: u16,
}

/// What is remembered from one start to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// Data of before this was kept do not say it: there are as many as have run.
    nodes: Option<u16>,
    #[serde(flatten)]
    ports: Ports,
}

const PORTS_DEFAULT: Ports = Ports {
    http_port: 8080,
    peer_port: 7070,
    grpc_port: 50_051,
    lottery_port: 12_345,
    redis_port: 6_379,
};

fn grpc_port_default() -> u16 {
    PORTS_DEFAULT.grpc_port
}

fn lottery_port_default() -> u16 {
    PORTS_DEFAULT.lottery_port
}

fn redis_port_default() -> u16 {
    PORTS_DEFAULT.redis_port
}

/// The cluster to run.
#[derive(Debug)]
pub struct Plan {
    pub data: PathBuf,
    pub nodes: Vec<Node>,
    pub demo: bool,
    /// No node has ever run here.
    pub first_start: bool,
    /// The password for the administrator, made here because the nodes' logs are no place for it.
    pub generated_password: Option<String>,
    /// Whether that password has been shown.
    pub greeted: AtomicBool,
    ports: Ports,
}

/// One node of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Counted from 0.
    pub place: usize,
    pub name: String,
    pub data: PathBuf,
    pub http: SocketAddr,
    pub peer: SocketAddr,
    pub grpc: Door,
    pub lottery: Door,
    pub redis: Door,
    /// It has never run: it starts the cluster (the first node) or joins it.
    pub fresh: bool,
}

impl Node {
    /// Its other front doors, which may be left out, and what is served there.
    pub fn others(&self) -> [(Door, &'static str); 3] {
        [
            (self.grpc, "gRPC"),
            (self.lottery, "agencies"),
            (self.redis, "Redis clients"),
        ]
    }

    /// The URL of its front door.
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// The file that holds the secret to join, once the node has started.
    pub fn token_file(&self) -> PathBuf {
        self.data.join(TOKEN_FILE)
    }
}

impl Plan {
    /// Looks at what is in `data` and fits the wish to it.
    pub fn make(data: &Path, wish: &Wish, demo: bool) -> Outcome<Self> {
        let existing = existing_nodes(data)?;
        let kept = read_kept(data)?;
        let count = count_nodes(
            wish.nodes,
            kept.and_then(|kept| kept.nodes),
            &existing,
            data,
        )?;
        let ports = choose_ports(wish, kept.map(|kept| kept.ports), data)?;
        let room = usize::from(u16::MAX) - count;
        let highest = ports.named().into_iter().map(|(_, port)| port).max();
        if usize::from(highest.unwrap_or_default()) > room {
            return Err(Failure::usage(format!(
                "there are no {count} ports from there on"
            )));
        }
        let nodes: Vec<Node> = (0..count)
            .map(|place| plan_node(data, place, ports, &existing))
            .collect();
        check_overlap(ports, count as u16)?;
        let first_start = existing.is_empty();
        let given = |name| std::env::var_os(name).is_some();
        let has_password =
            given("CONSORCIO_ADMIN_PASSWORD") || given("CONSORCIO_ADMIN_PASSWORD_FILE");
        let generated_password = (first_start && !has_password)
            .then(generate_password)
            .transpose()?;
        let data = data.to_owned();
        Ok(Plan {
            data,
            nodes,
            demo,
            first_start,
            generated_password,
            greeted: AtomicBool::new(false),
            ports,
        })
    }

    /// Makes the directory its own.
    pub fn claim(&self) -> Outcome<Data> {
        Data::claim(&self.data)
    }

    /// Remembers what the next start must know, once nothing stands in the way of this one.
    pub fn remember(&self) -> Outcome {
        let fail = |error: &dyn std::fmt::Display| {
            Failure::failed(format!("cannot write {KEPT_FILE}: {error}"))
        };
        let kept = Kept {
            nodes: u16::try_from(self.nodes.len()).ok(),
            ports: self.ports,
        };
        let text = toml::to_string(&kept).map_err(|error| fail(&error))?;
        fs::write(self.data.join(KEPT_FILE), text).map_err(|error| fail(&error))
    }

    /// Refuses to start where another process listens, naming every such port.
    pub async fn check_ports(&self) -> Outcome {
        let mut busy = Vec::new();
        for node in &self.nodes {
            let mut doors = vec![(node.http, "HTTP"), (node.peer, "peers")];
            for (door, what) in node.others() {
                if let Door::At(address) = door {
                    doors.push((address, what));
                }
            }
            for (address, what) in doors {
                if taken(address).await {
                    busy.push(format!("{} ({what} of {})", address.port(), node.name));
                }
            }
        }
        match busy.as_slice() {
            [] => Ok(()),
            _ => Err(Failure::failed(format!(
                "another process uses port {}: choose others with --http-port, --peer-port, \
                 --grpc-port, --lottery-port and --redis-port, or stop that process",
                busy.join(", ")
            ))),
        }
    }

    /// A file with the secret to join, from any node that has one.
    pub fn token_file(&self) -> Option<PathBuf> {
        self.nodes
            .iter()
            .map(Node::token_file)
            .find(|file| file.exists())
    }
}

impl Ports {
    /// Those that are served at all, by who is.
    fn named(self) -> Vec<(&'static str, u16)> {
        let all = [
            ("HTTP", self.http_port),
            ("peers", self.peer_port),
            ("gRPC", self.grpc_port),
            ("agencies", self.lottery_port),
            ("Redis clients", self.redis_port),
        ];
        all.into_iter().filter(|(_, port)| *port > 0).collect()
    }
}

fn check_overlap(ports: Ports, count: u16) -> Outcome {
    let named = ports.named();
    for (place, (other, base)) in named.iter().enumerate() {
        for (what, port) in named.iter().take(place) {
            if port.abs_diff(*base) < count {
                return Err(Failure::usage(format!(
                    "the ports for {what} and for {other} overlap"
                )));
            }
        }
    }
    Ok(())
}

fn plan_node(data: &Path, place: usize, ports: Ports, existing: &[usize]) -> Node {
    let name = format!("n{}", place + 1);
    let port = |base: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, base + place as u16));
    let door = |base: u16| match base {
        0 => Door::Off,
        base => Door::At(port(base)),
    };
    Node {
        place,
        data: data.join(&name),
        name,
        http: port(ports.http_port),
        peer: port(ports.peer_port),
        grpc: door(ports.grpc_port),
        lottery: door(ports.lottery_port),
        redis: door(ports.redis_port),
        fresh: !existing.contains(&place),
    }
}

/// The places of the nodes that have run in `data`.
fn existing_nodes(data: &Path) -> Outcome<Vec<usize>> {
    let has_run = |place: &usize| {
        let node = data.join(format!("n{}", place + 1));
        IDENTITY_FILES.iter().any(|file| node.join(file).exists())
    };
    match fs::metadata(data) {
        Ok(found) if !found.is_dir() => Err(Failure::usage(format!(
            "--data {} is not a directory",
            data.display()
        ))),
        _ => Ok((0..NODES_MAX).filter(has_run).collect()),
    }
}

/// How many nodes to run: never fewer than have run, and without a wish as many as last time, also
/// if the data of one are lost.
fn count_nodes(
    wish: Option<u16>,
    kept: Option<u16>,
    existing: &[usize],
    data: &Path,
) -> Outcome<usize> {
    let known = existing.iter().max().map_or(0, |place| place + 1);
    let before = match kept {
        Some(kept) => usize::from(kept).clamp(1, NODES_MAX),
        None if known == 0 => usize::from(NODES_DEFAULT),
        None => known,
    };
    let wanted = wish.map_or(before.max(known), usize::from);
    if wanted >= known {
        return Ok(wanted);
    }
    let last = format!("n{known}");
    Err(Failure::usage(format!(
        "the cluster in {dir} has {known} nodes and --nodes says {wanted}: run it whole and take \
         one out with `consorcio cluster remove {last}`, then delete {dir}/{last} and start it \
         with --nodes {wanted} again",
        dir = data.display(),
    )))
}

fn choose_ports(wish: &Wish, kept: Option<Ports>, data: &Path) -> Outcome<Ports> {
    let base = kept.unwrap_or(PORTS_DEFAULT);
    let wanted = Ports {
        http_port: wish.http_port.unwrap_or(base.http_port),
        peer_port: wish.peer_port.unwrap_or(base.peer_port),
        grpc_port: wish.grpc_port.unwrap_or(base.grpc_port),
        lottery_port: wish.lottery_port.unwrap_or(base.lottery_port),
        redis_port: wish.redis_port.unwrap_or(base.redis_port),
    };
    // Agencies and Redis clients are told where to go by people; the nodes know each other by the
    // others.
    let known = |ports: Ports| (ports.http_port, ports.peer_port);
    match kept {
        Some(kept) if known(kept) != known(wanted) => Err(Failure::usage(format!(
            "the nodes in {} know each other at the ports {} (HTTP) and {} (peers) and up: \
             leave --http-port and --peer-port out",
            data.display(),
            kept.http_port,
            kept.peer_port
        ))),
        _ => Ok(wanted),
    }
}

fn read_kept(data: &Path) -> Outcome<Option<Kept>> {
    let path = data.join(KEPT_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => toml::from_str(&text).map(Some).map_err(|error| {
            Failure::failed(format!(
                "{} is damaged: {}",
                path.display(),
                error.message()
            ))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::failed(format!(
            "cannot read {}: {error}",
            path.display()
        ))),
    }
}

/// 20 characters of 32 that are not mistaken for one another: 100 bits.
fn generate_password() -> Outcome<String> {
    const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::failed(format!("no random numbers can be had: {error}")))?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A directory in which these nodes have run.
    fn ran(nodes: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for node in nodes {
            fs::create_dir(dir.path().join(node)).unwrap();
            fs::write(dir.path().join(node).join(TOKEN_FILE), "secret").unwrap();
        }
        dir
    }

    fn wish(nodes: Option<u16>) -> Wish {
        Wish {
            nodes,
            ..Wish::default()
        }
    }

    #[test]
    fn a_first_start_has_three_nodes_and_a_password() {
        let dir = tempfile::tempdir().unwrap();
        let plan = Plan::make(&dir.path().join("new"), &wish(None), false).unwrap();
        let urls: Vec<String> = plan.nodes.iter().map(Node::url).collect();
        assert_eq!(
            urls,
            [
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8081",
                "http://127.0.0.1:8082"
            ]
        );
        assert!(plan.first_start && plan.nodes.iter().all(|node| node.fresh));
        assert_eq!(plan.generated_password.unwrap().len(), 20);
        assert_eq!(plan.nodes[2].data, dir.path().join("new/n3"));
        assert_eq!(plan.nodes[2].peer.port(), 7072);
    }

    #[test]
    fn a_later_start_has_as_many_nodes_as_there_are_or_more() {
        let dir = ran(&["n1", "n2", "n3", "n4"]);
        let plan = Plan::make(dir.path(), &wish(None), false).unwrap();
        assert_eq!(plan.nodes.len(), 4);
        assert!(!plan.first_start && plan.generated_password.is_none());
        let more = Plan::make(dir.path(), &wish(Some(5)), false).unwrap();
        let fresh: Vec<bool> = more.nodes.iter().map(|node| node.fresh).collect();
        assert_eq!(fresh, [false, false, false, false, true]);
        assert_eq!(
            more.token_file(),
            Some(dir.path().join("n1").join(TOKEN_FILE))
        );
    }

    #[test]
    fn a_node_whose_data_are_lost_is_started_anew() {
        let dir = ran(&["n1", "n2", "n3"]);
        let plan = Plan::make(dir.path(), &wish(None), false).unwrap();
        plan.remember().unwrap();
        fs::remove_dir_all(dir.path().join("n3")).unwrap();
        let again = Plan::make(dir.path(), &wish(None), false).unwrap();
        let fresh: Vec<bool> = again.nodes.iter().map(|node| node.fresh).collect();
        assert_eq!(fresh, [false, false, true]);
        // Whoever took it out for good says so once.
        let fewer = Plan::make(dir.path(), &wish(Some(2)), false).unwrap();
        fewer.remember().unwrap();
        let later = Plan::make(dir.path(), &wish(None), false).unwrap();
        assert_eq!(later.nodes.len(), 2);
    }

    #[test]
    fn fewer_nodes_than_there_are_is_explained() {
        let dir = ran(&["n1", "n2", "n3"]);
        let failure = Plan::make(dir.path(), &wish(Some(2)), false).unwrap_err();
        assert!(
            failure.message.contains("consorcio cluster remove n3"),
            "{failure}"
        );
    }

    #[test]
    fn the_ports_of_the_first_start_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let first = Wish {
            http_port: Some(9080),
            peer_port: Some(9070),
            nodes: Some(1),
            ..Wish::default()
        };
        let plan = Plan::make(dir.path(), &first, false).unwrap();
        plan.remember().unwrap();
        let later = Plan::make(dir.path(), &wish(None), false).unwrap();
        assert_eq!(
            (later.nodes[0].http.port(), later.nodes[0].peer.port()),
            (9080, 9070)
        );
        let other = Wish {
            http_port: Some(1234),
            ..Wish::default()
        };
        let failure = Plan::make(dir.path(), &other, false).unwrap_err();
        assert!(
            failure.message.contains("9080 (HTTP) and 9070 (peers)"),
            "{failure}"
        );
    }

    #[test]
    fn ports_that_overlap_or_run_out_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let make = |http, peer| {
            let wish = Wish {
                http_port: Some(http),
                peer_port: Some(peer),
                ..Wish::default()
            };
            Plan::make(dir.path(), &wish, false)
        };
        assert!(make(9000, 9002).unwrap_err().message.contains("overlap"));
        assert!(
            make(65535, 7070)
                .unwrap_err()
                .message
                .contains("no 3 ports")
        );
        assert!(make(9000, 9003).is_ok());
        let grpc = Wish {
            grpc_port: Some(12_346),
            ..Wish::default()
        };
        let failure = Plan::make(dir.path(), &grpc, false).unwrap_err();
        assert!(
            failure.message.contains("gRPC and for agencies"),
            "{failure}"
        );
    }

    #[test]
    fn a_data_path_that_is_a_file_or_damaged_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Plan::make(file.path(), &Wish::default(), false).is_err());
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(KEPT_FILE), "http_port = 70000\n").unwrap();
        let failure = Plan::make(dir.path(), &Wish::default(), false).unwrap_err();
        assert!(failure.message.contains("is damaged"), "{failure}");
    }
}
