//! What a drill found, for programs; [`super::text`] and [`super::html`] say it to people.

use std::path::Path;

use api::types::{DrillFault, ElectionCause, ElectionEvent};
use serde::Serialize;

use super::ledger::{Counted, Seen};
use super::{html, text};
use crate::failure::{Failure, Outcome};

/// What a drill found. Times are milliseconds from the start of the load.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Tells this drill from others; what it wrote carries it.
    pub id: String,
    pub cluster: String,
    /// RFC 3339, by this machine's clock.
    pub begun_at: String,
    /// How long the load lasted.
    pub load_ms: u64,
    /// Whether nothing was lost, doubled, made up or mixed up, and all states are equal.
    pub passed: bool,
    /// Why not, a sentence each.
    pub failures: Vec<String>,
    /// What else there is to know, a sentence each.
    pub remarks: Vec<String>,
    pub faults: Vec<FaultLine>,
    pub elections: Vec<ElectionLine>,
    pub services: Vec<ServiceLine>,
    /// The longest time in which no service had a write acknowledged.
    pub longest_unavailability_ms: u64,
    /// Writes acknowledged in each second of the load.
    pub acknowledged_each_second: Vec<u32>,
    /// The slowest write that was asked for in each second.
    pub slowest_each_second_ms: Vec<u64>,
    pub nodes: Vec<NodeLine>,
    /// BLAKE3 over this report as JSON in one line without spaces, this field and the next `null`.
    pub seal: Option<String>,
    /// Where the seal was written down: a journal of the store, and the index in it.
    pub sealed_in: Option<(String, u64)>,
}

/// A fault that was to happen.
#[derive(Clone, Debug, Serialize)]
pub struct FaultLine {
    pub at_ms: u64,
    pub node: String,
    pub fault: DrillFault,
    pub seconds: u32,
    pub outcome: Effect,
    /// Why it was skipped, or why nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The id that the node left behind, if it began anew because of this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaves: Option<String>,
    /// After how long it was back, and voted under another id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_after_ms: Option<u64>,
}

impl FaultLine {
    /// True if its node was to begin anew, and did not.
    pub fn is_without_return(&self) -> bool {
        self.fault.rebuilds() && self.outcome == Effect::Installed && self.back_after_ms.is_none()
    }
}

/// Whether a fault happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    Installed,
    Skipped,
    /// The node was asked, and nobody knows whether it heard.
    Indeterminate,
}

/// Something about who leads, as one node remembers it.
#[derive(Clone, Debug, Serialize)]
pub struct ElectionLine {
    pub at: String,
    pub node: String,
    pub term: u64,
    pub event: ElectionEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<ElectionCause>,
}

/// A service from outside.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceLine {
    pub service: &'static str,
    #[serde(flatten)]
    pub seen: Seen,
}

/// A node afterwards.
#[derive(Clone, Debug, Serialize)]
pub struct NodeLine {
    pub node: String,
    /// What it holds of each service; `None` if it could not be read.
    pub services: Vec<(&'static str, Option<Counted>)>,
    /// Its state's hash, and the log index at which it had it.
    pub applied: u64,
    pub state_hash: String,
}

/// What happened, in words.
pub fn election(line: &ElectionLine) -> String {
    let who = line.who.as_deref().unwrap_or("nobody");
    match line.event {
        ElectionEvent::Started => "started".to_owned(),
        ElectionEvent::Stood => match line.cause {
            Some(ElectionCause::Silence) => "stood, since the leader was silent".to_owned(),
            _ => "stood".to_owned(),
        },
        ElectionEvent::Voted => format!("voted for {who}"),
        ElectionEvent::Leads => format!("heard that {who} leads"),
    }
}

impl Report {
    /// The report as a file of this name holds it.
    pub fn written_for(&self, path: &Path) -> Outcome<String> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("html" | "htm") => Ok(html::of(self)),
            Some("json") => serde_json::to_string_pretty(self).map_err(Failure::failed),
            _ => Ok(text::of(self)),
        }
    }

    /// What the seal stands for, in hexadecimal.
    pub fn digest(&self) -> Outcome<String> {
        let unsealed = Report {
            seal: None,
            sealed_in: None,
            ..self.clone()
        };
        let bytes = serde_json::to_vec(&unsealed).map_err(Failure::failed)?;
        Ok(blake3::hash(&bytes).to_hex().to_string())
    }

    /// Fills in what failed, from what the nodes hold, and with it the verdict.
    pub fn judge(&mut self) {
        let mut failures = Vec::new();
        for NodeLine { node, services, .. } in &self.nodes {
            for (service, counted) in services {
                let Some(counted) = counted else {
                    continue;
                };
                let mut told = |numbers: &[u32], what: &str| {
                    if !numbers.is_empty() {
                        let count = numbers.len();
                        failures.push(format!("{node}: {count} of the {service} {what}"));
                    }
                };
                told(
                    &counted.missing,
                    "are missing though they were acknowledged",
                );
                told(&counted.doubled, "are there more than once");
                told(&counted.unasked, "are there though they were refused");
                told(&counted.out_of_order, "stand in another order");
            }
        }
        for FaultLine { node, fault, .. } in self.faults.iter().filter(|l| l.is_without_return()) {
            failures.push(match fault {
                DrillFault::Corrupt => format!(
                    "{node} did not come back under another id: it has not noticed the damage, or \
                     could not join"
                ),
                _ => format!("{node} did not come back under another id"),
            });
        }
        let read = |line: &NodeLine| line.services.iter().any(|(_, counted)| counted.is_some());
        if !self.nodes.iter().any(read) {
            failures.push("no node could be read afterwards".to_owned());
        }
        if self.services.iter().all(|line| line.seen.acknowledged == 0) {
            failures.push("nothing was acknowledged, so nothing is proved".to_owned());
        }
        self.failures.splice(0..0, failures);
        self.passed = self.failures.is_empty();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn report(counted: Option<Counted>) -> Report {
        let seen = Seen {
            acknowledged: 3,
            ..Seen::default()
        };
        Report {
            id: "1".to_owned(),
            cluster: "2".to_owned(),
            begun_at: "2026-01-01T00:00:00.000Z".to_owned(),
            load_ms: 2_500,
            passed: false,
            failures: vec![],
            remarks: vec!["<b>".to_owned()],
            faults: vec![FaultLine {
                at_ms: 100,
                node: "n1".to_owned(),
                fault: DrillFault::Kill,
                seconds: 5,
                outcome: Effect::Installed,
                reason: None,
                leaves: None,
                back_after_ms: None,
            }],
            elections: vec![],
            services: vec![ServiceLine {
                service: "posts",
                seen,
            }],
            longest_unavailability_ms: 10,
            acknowledged_each_second: vec![1, 2, 0],
            slowest_each_second_ms: vec![1, 1, 0],
            nodes: vec![NodeLine {
                node: "n1".to_owned(),
                services: vec![("posts", counted)],
                applied: 7,
                state_hash: "ab".repeat(32),
            }],
            seal: None,
            sealed_in: None,
        }
    }

    #[test]
    fn only_what_is_whole_on_a_node_that_was_read_passes() {
        let well = Counted {
            present: 3,
            ..Counted::default()
        };
        let mut passed = report(Some(well.clone()));
        passed.judge();
        assert!(passed.passed && passed.failures.is_empty());
        let missing = Counted {
            missing: vec![2],
            ..well.clone()
        };
        let doubled = Counted {
            doubled: vec![1, 2],
            ..well.clone()
        };
        for (counted, why) in [
            (Some(missing), "n1: 1 of the posts are missing"),
            (Some(doubled), "n1: 2 of the posts are there more than once"),
            (None, "no node could be read"),
        ] {
            let mut failed = report(counted);
            failed.judge();
            assert!(!failed.passed);
            assert!(failed.failures[0].starts_with(why), "{:?}", failed.failures);
            assert!(text::of(&failed).contains("NOT PASSED"));
        }
        let mut silent = report(Some(well));
        silent.services[0].seen.acknowledged = 0;
        silent.judge();
        assert!(!silent.passed, "it proves nothing");
    }

    #[test]
    fn a_node_that_has_not_noticed_its_damage_fails_the_drill() {
        let well = Counted {
            present: 3,
            ..Counted::default()
        };
        let mut noticed = report(Some(well));
        noticed.faults[0].fault = DrillFault::Corrupt;
        let mut unnoticed = noticed.clone();
        noticed.faults[0].back_after_ms = Some(2_345);
        noticed.judge();
        assert!(noticed.passed);
        let said = text::fault(&noticed.faults[0]);
        assert_eq!(said, "corrupt at n1; back under another id after 2.3 s");
        unnoticed.judge();
        assert!(!unnoticed.passed);
        assert!(unnoticed.failures[0].contains("has not noticed the damage"));
    }

    #[test]
    fn the_seal_is_of_the_report_without_it() {
        let mut one = report(None);
        let digest = one.digest().unwrap();
        one.seal = Some(digest.clone());
        one.sealed_in = Some(("drills".to_owned(), 1));
        assert_eq!(one.digest().unwrap(), digest);
        one.nodes[0].applied += 1;
        assert_ne!(one.digest().unwrap(), digest);
    }

    #[test]
    fn a_page_shows_text_and_obeys_none() {
        let page = html::of(&report(None));
        assert!(
            page.contains("&lt;b&gt;") && !page.contains("<b>"),
            "{page}"
        );
        assert!(page.contains("kill at n1"), "{page}");
    }
}
