//! A front door that may be left out.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};

/// Where a front door listens, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Door {
    /// It does not.
    Off,
    /// Here.
    At(SocketAddr),
}

/// The word for a door that is left out.
const OFF: &str = "off";

impl Door {
    /// A port of this machine.
    pub fn local(port: u16) -> Self {
        Door::At(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// The address, if it is one that other machines can reach.
    pub fn for_others(self) -> Option<SocketAddr> {
        match self {
            Door::At(address) if !address.ip().is_loopback() => Some(address),
            Door::At(_) | Door::Off => None,
        }
    }
}

/// Refuses two doors at the same port, each with the flag that says where it is. The system would
/// refuse the second, or let it take over a part of what the first is for.
pub fn check_apart(doors: &[(&str, Door)]) -> Outcome {
    for (place, (flag, door)) in doors.iter().enumerate() {
        for (other_flag, other) in &doors[..place] {
            let (Door::At(address), Door::At(other)) = (door, other) else {
                continue;
            };
            if overlap(*address, *other) {
                return Err(Failure::usage(format!(
                    "--{other_flag} {other} and --{flag} {address} are the same port: one of \
                     them needs another"
                )));
            }
        }
    }
    Ok(())
}

/// Whether two addresses cannot both be listened on. One that stands for every address overlaps
/// with any of its port, also of the other version of IP: `::` takes IPv4 as well.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    // The system gives 0 a port that is free.
    let same_port = one.port() == other.port() && one.port() != 0;
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    same_port && (everywhere || one.ip().to_canonical() == other.ip().to_canonical())
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Door::Off => f.write_str(OFF),
            Door::At(address) => address.fmt(f),
        }
    }
}

impl FromStr for Door {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            OFF => Ok(Door::Off),
            _ => text.parse().map(Door::At).map_err(|_| {
                format!("{text:?} is neither an address like 127.0.0.1:12345 nor off")
            }),
        }
    }
}

impl TryFrom<String> for Door {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Door> for String {
    fn from(door: Door) -> Self {
        door.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn two_doors_are_not_at_one_port() {
        let apart = |one: &str, other: &str| {
            let doors = [
                ("http", one.parse().unwrap()),
                ("redis", other.parse().unwrap()),
            ];
            check_apart(&doors)
        };
        for (one, other) in [
            ("127.0.0.1:6379", "127.0.0.1:6379"),
            ("0.0.0.0:6379", "127.0.0.1:6379"),
            ("127.0.0.1:6379", "[::]:6379"),
            ("[::ffff:10.0.0.1]:6379", "10.0.0.1:6379"),
        ] {
            let failure = apart(one, other).unwrap_err();
            let expected = format!(
                "--http {one} and --redis {other} are the same port: one of them needs another"
            );
            assert_eq!(failure.message, expected);
        }
        for (one, other) in [
            ("127.0.0.1:6379", "127.0.0.1:6380"),
            ("10.0.0.1:6379", "10.0.0.2:6379"),
            ("0.0.0.0:0", "127.0.0.1:0"),
            ("off", "off"),
        ] {
            assert!(apart(one, other).is_ok(), "{one} {other}");
        }
    }
}
