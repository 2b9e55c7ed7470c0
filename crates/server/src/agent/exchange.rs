//! What nodes tell each other with the health checks: a version byte, then postcard.

use std::collections::BTreeMap;

use api::types::Doors;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::assign::Assignment;

/// The first byte.
const VERSION: u8 = 2;

/// The engine carries 64 KiB; the rest is left to the engine's own frame.
const ANNOUNCEMENT_MAX_BYTES: usize = 60 * 1024;

/// What one node tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Announcement {
    /// Requests it had for each area, faded.
    pub demand: BTreeMap<i64, u64>,
    /// From the leader, who is to be asked about which area; empty from the others.
    pub assignment: Assignment,
    /// Where the node serves other protocols than HTTP.
    pub doors: Doors,
}

/// As it travels: nodes by number, since names repeat.
#[derive(Serialize, Deserialize)]
struct Wire {
    doors: [Option<String>; 3],
    demand: Vec<(i64, u64)>,
    nodes: Vec<String>,
    areas: Vec<(i64, Vec<u32>)>,
}

impl Announcement {
    /// The bytes to tell. What does not fit is left out: first the areas asked for least, then
    /// assignments, whose areas are then routed by affinity alone.
    pub fn encode(&self) -> Bytes {
        let mut wire = self.wire();
        loop {
            let bytes = postcard::to_extend(&wire, vec![VERSION]).unwrap_or_default();
            if bytes.len() <= ANNOUNCEMENT_MAX_BYTES {
                return bytes.into();
            }
            let demand = wire.demand.len() / 2;
            if demand > 0 {
                wire.demand.truncate(demand);
            } else {
                wire.areas.truncate(wire.areas.len() / 2);
            }
        }
    }

    /// Reads what [`Announcement::encode`] wrote; `None` for nothing or another version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&VERSION, rest) = bytes.split_first()? else {
            return None;
        };
        let Wire {
            doors: [redis, grpc, lottery],
            demand,
            nodes,
            areas,
        } = postcard::from_bytes(rest).ok()?;
        let named = |indexes: Vec<u32>| {
            indexes
                .into_iter()
                .filter_map(|index| nodes.get(index as usize).cloned())
                .collect()
        };
        let assignment = areas
            .into_iter()
            .map(|(area, nodes)| (area, named(nodes)))
            .collect();
        Some(Announcement {
            demand: demand.into_iter().collect(),
            assignment,
            doors: Doors {
                redis,
                grpc,
                lottery,
            },
        })
    }

    fn wire(&self) -> Wire {
        let mut demand: Vec<(i64, u64)> = self.demand.iter().map(|(a, n)| (*a, *n)).collect();
        demand.sort_by_key(|(area, count)| (std::cmp::Reverse(*count), *area));
        let mut nodes: Vec<String> = self.assignment.values().flatten().cloned().collect();
        nodes.sort();
        nodes.dedup();
        let number = |name: &String| nodes.binary_search(name).unwrap_or_default() as u32;
        let numbers = |names: &Vec<String>| names.iter().map(number).collect();
        let areas = self
            .assignment
            .iter()
            .map(|(area, names)| (*area, numbers(names)))
            .collect();
        let Doors {
            redis,
            grpc,
            lottery,
        } = self.doors.clone();
        Wire {
            doors: [redis, grpc, lottery],
            demand,
            areas,
            nodes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement(areas: i64) -> Announcement {
        let nodes = |area: i64| vec![format!("n{}", area % 3), format!("n{}", (area + 1) % 3)];
        Announcement {
            demand: (0..areas).map(|area| (area, area as u64)).collect(),
            assignment: (0..areas).map(|area| (area, nodes(area))).collect(),
            doors: Doors {
                redis: Some("10.0.0.1:6379".into()),
                ..Doors::default()
            },
        }
    }

    #[test]
    fn it_reads_back() {
        let told = announcement(300);
        assert_eq!(Announcement::decode(&told.encode()), Some(told));
        assert_eq!(
            Announcement::decode(&Announcement::default().encode()),
            Some(Announcement::default())
        );
    }

    #[test]
    fn nothing_another_version_and_noise_are_no_announcement() {
        assert_eq!(Announcement::decode(&[]), None);
        assert_eq!(Announcement::decode(&[1, 0, 0, 0]), None);
        assert_eq!(Announcement::decode(&[VERSION, 255, 255, 255]), None);
    }

    #[test]
    fn it_fits_whatever_there_is_to_tell() {
        let bytes = announcement(100_000).encode();
        assert!(bytes.len() <= ANNOUNCEMENT_MAX_BYTES);
        let told = Announcement::decode(&bytes).unwrap_or_default();
        assert!(!told.assignment.is_empty());
    }
}
