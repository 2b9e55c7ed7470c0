//! A front door that may be left out.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
