//! Drills: failures on purpose, at the node that is asked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DrillFault {
    /// The process ends at once (SIGKILL); whoever supervises it starts it again.
    Kill,
    /// The process stands still (SIGSTOP), and goes on by itself when the time is over.
    Pause,
    /// It goes on, but nothing comes through between it and any other node.
    PlayDead,
    /// Nothing comes through between it and the nodes of `peers`.
    Partition,
    /// Every frame between it and the nodes of `peers`, or all, takes `delay_ms` longer.
    SlowLink,
    /// Every sync of its log takes `delay_ms` longer.
    SlowDisk,
    /// Its log finds no room on the disk.
    FullDisk,
    /// Its clock is ahead by `skew_ms`, or behind.
    ClockSkew,
    /// It loses its data at once and comes back empty: it joins under another id. What it had is
    /// put away.
    Wipe,
    /// A byte of its log is flipped and its process begins anew, which must notice the damage; then
    /// as with `wipe`.
    Corrupt,
}

impl DrillFault {
    /// All there are.
    pub const ALL: [DrillFault; 10] = [
        DrillFault::Kill,
        DrillFault::Pause,
        DrillFault::PlayDead,
        DrillFault::Partition,
        DrillFault::SlowLink,
        DrillFault::SlowDisk,
        DrillFault::FullDisk,
        DrillFault::ClockSkew,
        DrillFault::Wipe,
        DrillFault::Corrupt,
    ];

    /// True if its process ends with it, so that it lasts no time of its own.
    pub fn is_a_blow(self) -> bool {
        self == DrillFault::Kill || self.rebuilds()
    }

    /// True if the node begins anew because of it, under another id.
    pub fn rebuilds(self) -> bool {
        matches!(self, DrillFault::Wipe | DrillFault::Corrupt)
    }

    /// Its name, as JSON has it.
    pub fn name(self) -> &'static str {
        match self {
            DrillFault::Kill => "kill",
            DrillFault::Pause => "pause",
            DrillFault::PlayDead => "play-dead",
            DrillFault::Partition => "partition",
            DrillFault::SlowLink => "slow-link",
            DrillFault::SlowDisk => "slow-disk",
            DrillFault::FullDisk => "full-disk",
            DrillFault::ClockSkew => "clock-skew",
            DrillFault::Wipe => "wipe",
            DrillFault::Corrupt => "corrupt",
        }
    }
}

/// A failure to begin at the node that is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDrill {
    /// What fails.
    pub fault: DrillFault,
    /// When it ends by itself, 1 to 120. What ends the process ends with it, and lasts no time.
    #[schema(example = 5)]
    pub seconds: u32,
    /// With `partition` and `slow-link`, the names of the other nodes that are meant.
    #[serde(default)]
    pub peers: Vec<String>,
    /// With `slow-link` and `slow-disk`, 1 to 5,000; 200 if it is left out.
    #[serde(default)]
    pub delay_ms: Option<u32>,
    /// With `clock-skew`, at most a day either way; 10 minutes ahead if it is left out.
    #[serde(default)]
    pub skew_ms: Option<i32>,
    /// Begin it even if the nodes that are left are no majority.
    #[serde(default)]
    pub confirmed: bool,
}

/// A failure that a node was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Drill {
    /// Number of the drill on that node, since it started.
    pub id: u64,
    /// The node.
    pub node: String,
    /// What fails.
    pub fault: DrillFault,
    /// Peers that are meant, if not all.
    pub peers: Vec<String>,
    /// When it began, by the node's clock.
    pub begun_at: String,
    /// How long it may last.
    pub seconds: u32,
    /// When it was over; `null` while it lasts.
    pub ended_at: Option<String>,
    /// Whether it was ended before its time.
    pub stopped: bool,
}

/// The failures of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Drills {
    /// The node that answers.
    pub node: String,
    /// Whether its settings allow drills.
    pub allowed: bool,
    /// What lasts now.
    pub running: Option<Drill>,
    /// What is over, newest first, at most 50 since the node started.
    pub past: Vec<Drill>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_faults_name_is_what_json_has() {
        for fault in DrillFault::ALL {
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.name());
        }
    }
}
