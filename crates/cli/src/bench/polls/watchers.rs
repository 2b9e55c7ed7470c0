//! Those who watch a poll: event streams, and when each told how many probes were counted.

use std::time::Instant;

use crate::bench::consorcio::Consorcio;
use crate::bench::streams::{Progress, Streams, subscribe};
use crate::bench::system::System as _;

/// All who watch.
pub struct Watchers {
    streams: Streams<Watcher>,
    arrived: Arrived,
}

/// What arrived in this measurement.
#[derive(Default)]
struct Arrived {
    /// Probes of earlier measurements.
    before: u64,
    /// When each probe arrived at each watcher that got it.
    at: Vec<Vec<Instant>>,
}

#[derive(Default)]
struct Watcher {
    /// The start of a message whose end has not come yet.
    rest: Vec<u8>,
    /// Probes it knows of.
    seen: u64,
}

impl Watchers {
    /// Connects all of them, evenly to the nodes, and waits until each stream has begun.
    pub fn open(cluster: &Consorcio, of: i64, count: usize) -> anyhow::Result<Self> {
        let addresses = cluster.addresses();
        let connect = |number: usize| {
            let address = addresses[number % addresses.len()];
            let stream = subscribe(address, cluster.token(), &format!("poll={of}"))?;
            Ok((stream, Watcher::default()))
        };
        Ok(Watchers {
            streams: Streams::open(count, connect)?,
            arrived: Arrived::default(),
        })
    }

    /// Forgets what arrived before.
    pub fn begin(&mut self) {
        let newest = self.streams.readers().map(|watcher| watcher.seen).max();
        self.arrived = Arrived {
            before: newest.unwrap_or(0),
            at: Vec::new(),
        };
    }

    /// When each probe arrived, in the order of the probes.
    pub fn arrivals(&self) -> &[Vec<Instant>] {
        &self.arrived.at
    }

    /// Notes what arrives until the last probe was cast and is everywhere.
    pub fn follow(&mut self, progress: &Progress) -> anyhow::Result<()> {
        let arrived = &mut self.arrived;
        let all = self.streams.count();
        self.streams.follow(progress, all, |watcher, bytes, now| {
            let Some(seen) = watcher.take(bytes) else {
                return 0;
            };
            let before = watcher.seen;
            watcher.seen = before.max(seen);
            arrived.note(before..seen, now)
        })
    }
}

impl Arrived {
    /// Notes that a watcher got these probes; answers how many of them are new.
    fn note(&mut self, probes: std::ops::Range<u64>, now: Instant) -> u64 {
        let probes = probes.start.max(self.before)..probes.end;
        for probe in probes.clone() {
            let place = (probe - self.before) as usize;
            if self.at.len() <= place {
                self.at.resize_with(place + 1, Vec::new);
            }
            self.at[place].push(now);
        }
        probes.end.saturating_sub(probes.start)
    }
}

impl Watcher {
    /// The probes that the newest whole message knows of.
    fn take(&mut self, bytes: &[u8]) -> Option<u64> {
        self.rest.extend_from_slice(bytes);
        let end = self.rest.windows(2).rposition(|two| two == b"\n\n")?;
        let whole = self.rest.drain(..end + 2).collect::<Vec<u8>>();
        let text = String::from_utf8_lossy(&whole);
        text.rsplit("\n\n").find_map(probes)
    }
}

/// The ballots of the last option in a tally.
fn probes(message: &str) -> Option<u64> {
    const BALLOTS: &str = "{\"ballots\":";
    if !message.contains("event: poll.tally") {
        return None;
    }
    let after = &message[message.rfind(BALLOTS)? + BALLOTS.len()..];
    after[..after.find(',')?].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probes_of_the_newest_whole_message_are_found() {
        let tally = |probes: u64| {
            format!(
                "event: poll.tally\ndata: {{\"tally\":{{\"options\":[\
                 {{\"ballots\":9,\"weight\":9}},{{\"ballots\":{probes},\"weight\":1}}]}}}}\n\n"
            )
        };
        assert_eq!(probes(&tally(12)), Some(12));
        assert_eq!(probes(": alive"), None);
        let mut watcher = Watcher::default();
        let text = format!(": alive\n\n{}{}", tally(3), tally(4));
        assert_eq!(watcher.take(&text.as_bytes()[..text.len() - 1]), Some(3));
        assert_eq!(watcher.take(b"\n"), Some(4));
    }
}
