//! Proxies beside the nodes: each listens a hundred ports above a node.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;

use super::plan::{Node, Plan};
use crate::failure::{Failure, Outcome};
use crate::serve::taken;
use crate::settings::Door;

/// So far above a node's ports are those of the proxy beside it: far enough for any number of
/// nodes, near enough to be remembered.
const ABOVE: u16 = 100;

/// One proxy of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Counted on from the nodes'.
    pub place: usize,
    pub name: String,
    pub http: SocketAddr,
    /// Its other ports: the flag, what is served there, and where.
    pub others: Vec<(&'static str, &'static str, Door)>,
    /// The nodes that it is told of.
    nodes: String,
}

impl Proxy {
    /// The URL of its front door.
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// What it serves, and where.
    fn doors(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let others = self.others.iter().filter_map(|(_, what, door)| match door {
            Door::At(address) => Some((*what, *address)),
            Door::Off => None,
        });
        std::iter::once(("HTTP", self.http)).chain(others)
    }

    /// What its process is told.
    pub fn arguments(&self, log: &str, log_json: bool) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["proxy".into(), "--supervised".into()];
        let mut flag = |name: &str, value: String| {
            arguments.push(name.into());
            arguments.push(value.into());
        };
        flag("--nodes", self.nodes.clone());
        flag("--http", self.http.to_string());
        for (name, _, door) in &self.others {
            flag(name, door.to_string());
        }
        flag("--log", log.to_owned());
        if log_json {
            arguments.push("--log-json".into());
        }
        arguments
    }
}

/// So many proxies for the nodes of a plan.
pub fn make(plan: &Plan, count: usize) -> Outcome<Vec<Proxy>> {
    let nodes: Vec<String> = plan.nodes.iter().map(Node::url).collect();
    let proxy = |place: usize| -> Outcome<Proxy> {
        let first = &plan.nodes[0];
        let door = |door: Door| match door {
            Door::At(address) => above(address, place).map(Door::At),
            Door::Off => Ok(Door::Off),
        };
        Ok(Proxy {
            place: plan.nodes.len() + place,
            name: format!("p{}", place + 1),
            http: above(first.http, place)?,
            others: vec![
                ("--redis", "Redis clients", door(first.redis)?),
                ("--lottery", "agencies", door(first.lottery)?),
                ("--grpc", "gRPC", door(first.grpc)?),
            ],
            nodes: nodes.join(","),
        })
    };
    let proxies = (0..count).map(proxy).collect::<Outcome<Vec<_>>>()?;
    check_overlap(plan, &proxies)?;
    Ok(proxies)
}

/// Refuses a proxy whose port is a node's or another proxy's.
fn check_overlap(plan: &Plan, proxies: &[Proxy]) -> Outcome {
    let mut known: BTreeMap<SocketAddr, String> = BTreeMap::new();
    for node in &plan.nodes {
        let doors = node
            .others()
            .into_iter()
            .filter_map(|(door, what)| match door {
                Door::At(address) => Some((address, what)),
                Door::Off => None,
            });
        for (address, what) in [(node.http, "HTTP"), (node.peer, "peers")]
            .into_iter()
            .chain(doors)
        {
            known.insert(address, format!("{what} of {}", node.name));
        }
    }
    for proxy in proxies {
        for (what, address) in proxy.doors() {
            let user = format!("{what} of {}", proxy.name);
            if let Some(other) = known.insert(address, user.clone()) {
                return Err(Failure::usage(format!(
                    "port {} would be for {other} and for {user}: choose other ports for the \
                     nodes, a proxy's are {ABOVE} above",
                    address.port()
                )));
            }
        }
    }
    Ok(())
}

/// Refuses to start where another process listens.
pub async fn check_ports(proxies: &[Proxy]) -> Outcome {
    for proxy in proxies {
        for (what, address) in proxy.doors() {
            if taken(address).await {
                return Err(Failure::failed(format!(
                    "another process uses port {} ({what} of {}): choose other ports for the \
                     nodes, a proxy's are {ABOVE} above, or stop that process",
                    address.port(),
                    proxy.name
                )));
            }
        }
    }
    Ok(())
}

/// The same port for the proxy at `place`.
fn above(address: SocketAddr, place: usize) -> Outcome<SocketAddr> {
    let port = usize::from(address.port()) + usize::from(ABOVE) + place;
    match u16::try_from(port) {
        Ok(port) => Ok(SocketAddr::new(address.ip(), port)),
        Err(_) => Err(Failure::usage(format!(
            "there are no ports for proxies: they would be {ABOVE} above {}",
            address.port()
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::plan::Wish;
    use super::*;

    #[test]
    fn proxies_are_a_hundred_ports_above_and_know_all_nodes() {
        let dir = tempfile::tempdir().unwrap();
        let wish = Wish {
            lottery_port: Some(0),
            ..Wish::default()
        };
        let plan = Plan::make(dir.path(), &wish, false).unwrap();
        let proxies = make(&plan, 2).unwrap();
        assert_eq!(proxies[1].url(), "http://127.0.0.1:8181");
        assert_eq!((proxies[1].place, proxies[1].name.as_str()), (4, "p2"));
        let told = proxies[0].arguments("info", true);
        let told: Vec<&str> = told.iter().map(|word| word.to_str().unwrap()).collect();
        let pairs = [
            (
                "--nodes",
                "http://127.0.0.1:8080,http://127.0.0.1:8081,http://127.0.0.1:8082",
            ),
            ("--http", "127.0.0.1:8180"),
            ("--redis", "127.0.0.1:6479"),
            ("--lottery", "off"),
        ];
        for (flag, value) in pairs {
            let at = told.iter().position(|word| *word == flag).unwrap();
            assert_eq!(told[at + 1], value, "{flag}");
        }
        assert_eq!(told.last(), Some(&"--log-json"));
    }

    #[test]
    fn a_port_of_a_node_is_no_proxys() {
        let dir = tempfile::tempdir().unwrap();
        let wish = Wish {
            grpc_port: Some(18_500),
            lottery_port: Some(18_600),
            ..Wish::default()
        };
        let plan = Plan::make(dir.path(), &wish, false).unwrap();
        let failure = make(&plan, 2).unwrap_err();
        let expected = "port 18600 would be for agencies of n1 and for gRPC of p1";
        assert!(failure.message.contains(expected), "{failure}");
        assert!(make(&plan, 0).is_ok());
    }

    #[test]
    fn there_must_be_ports_above() {
        let dir = tempfile::tempdir().unwrap();
        let wish = Wish {
            http_port: Some(65_500),
            ..Wish::default()
        };
        let plan = Plan::make(dir.path(), &wish, false).unwrap();
        let failure = make(&plan, 1).unwrap_err();
        assert!(
            failure.message.contains("no ports for proxies"),
            "{failure}"
        );
    }
}
