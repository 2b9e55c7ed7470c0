//! Numbers as people read them, and what a run cost.

use std::time::Instant;

use ring::simulator::{Summary, Violation};
use serde_json::{Value, json};

use super::super::output::{Cell, cell};

/// What a run cost, from its beginning.
pub struct Cost(Instant);

impl Cost {
    pub fn begin() -> Self {
        Cost(Instant::now())
    }

    pub fn seconds(&self) -> f64 {
        (self.0.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
    }

    /// The most memory that this process ever held, where the system says so.
    pub fn memory_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    }

    pub fn sentence(&self) -> String {
        let seconds = self.seconds();
        match self.memory_bytes() {
            Some(bytes) => format!("Took {seconds:.1} s and {} MiB.", bytes >> 20),
            None => format!("Took {seconds:.1} s."),
        }
    }
}

/// `12345` as `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let rest = tail.as_bytes().chunks(3).map(String::from_utf8_lossy);
    let groups = (!head.is_empty())
        .then(|| head.into())
        .into_iter()
        .chain(rest);
    groups.collect::<Vec<_>>().join(",")
}

/// A count of things: `1 node`, `2 nodes`.
pub fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

/// A number with two digits after the point, aligned.
pub fn decimal(number: f64) -> Cell {
    cell(format!("{number:.2}")).right()
}

/// By how much `ours` differs from `theirs`, of theirs.
pub fn off(ours: f64, theirs: f64) -> Cell {
    let text = match theirs {
        0.0 => String::new(),
        theirs => format!("{:+.1} %", (ours / theirs - 1.0) * 100.0),
    };
    cell(text).right()
}

/// Mean and percentiles as JSON, under names that begin with `prefix`.
pub fn summary(prefix: &str, unit: &str, summary: &Summary) -> Value {
    let name = |what: &str| format!("{prefix}_{what}{unit}");
    let mut members = serde_json::Map::new();
    members.insert(format!("mean_{prefix}{unit}"), json!(rounded(summary.mean)));
    members.insert(name("p1"), json!(summary.p1));
    members.insert(name("p50"), json!(summary.p50));
    members.insert(name("p90"), json!(summary.p90));
    members.insert(name("p99"), json!(summary.p99));
    members.insert(name("max"), json!(summary.max));
    Value::Object(members)
}

/// Four digits after the point: more would be noise.
pub fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

/// One object with the members of several.
pub fn merged(parts: impl IntoIterator<Item = Value>) -> Value {
    let objects = parts.into_iter().filter_map(|part| match part {
        Value::Object(members) => Some(members),
        _ => None,
    });
    Value::Object(objects.flatten().collect())
}

/// What came of the proof, as JSON: null if it held.
pub fn broken(violation: Option<&Violation>) -> Value {
    violation.map_or(Value::Null, |violation| {
        json!(format!(
            "after {} s: {}",
            violation.at_us / 1_000_000,
            violation.broken
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let numbers = [0, 7, 999, 1000, 12345, 1000000].map(grouped);
        assert_eq!(numbers, ["0", "7", "999", "1,000", "12,345", "1,000,000"]);
        assert_eq!(
            [counted(1, "node"), counted(2000, "node")],
            ["1 node", "2,000 nodes"]
        );
    }

    #[test]
    fn what_a_run_costs_is_known() {
        let cost = Cost::begin();
        assert!(cost.memory_bytes().is_some_and(|bytes| bytes > 1 << 20));
        assert!(cost.sentence().ends_with("MiB."));
    }
}
