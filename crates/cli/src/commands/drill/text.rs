//! A report in words.

use std::fmt::Write as _;

use super::report::{Effect, FaultLine, Report};

/// The report as text of many lines.
pub fn of(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, report);
    text
}

/// The verdict in one sentence.
pub fn verdict(report: &Report) -> String {
    let acknowledged: usize = report
        .services
        .iter()
        .map(|line| line.seen.acknowledged)
        .sum();
    match report.passed {
        true => format!(
            "PASSED: all of {acknowledged} acknowledged writes are there, once and in order, on \
             every node that was read."
        ),
        false => format!("NOT PASSED, with {acknowledged} acknowledged writes."),
    }
}

/// What a fault did, in a sentence.
pub fn fault(line: &FaultLine) -> String {
    let FaultLine {
        node,
        fault,
        seconds,
        ..
    } = line;
    let name = fault.name();
    let lasted = match line.back_after_ms {
        Some(ms) => format!("; back under another id after {} s", self::seconds(ms)),
        None if fault.is_a_blow() => String::new(),
        None => format!(", for {seconds} s"),
    };
    let reason = line.reason.as_deref().unwrap_or_default();
    match line.outcome {
        Effect::Installed => format!("{name} at {node}{lasted}"),
        Effect::Skipped => format!("{name} at {node}: skipped, since {reason}"),
        Effect::Indeterminate => {
            format!("{name} at {node}: nobody knows whether it happened ({reason})")
        }
    }
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(text, "Drill {} of {}", report.id, report.begun_at)?;
    writeln!(text, "{}", verdict(report))?;
    for failure in &report.failures {
        writeln!(text, "  {failure}")?;
    }
    writeln!(text)?;
    writeln!(text, "What failed on purpose, in seconds from the start:")?;
    for line in &report.faults {
        let at = seconds(line.at_ms);
        writeln!(text, "  {at:>7}  {}", fault(line))?;
    }
    writeln!(text)?;
    writeln!(
        text,
        "What its users saw in {} s (all services together: at most {} ms without an answer):",
        seconds(report.load_ms),
        report.longest_unavailability_ms
    )?;
    for line in &report.services {
        let seen = &line.seen;
        writeln!(
            text,
            "  {:<8} {:>6} acknowledged, {} unknown, {} refused; longest silence {} ms; median {} \
             ms, p99 {} ms",
            line.service,
            seen.acknowledged,
            seen.unknown,
            seen.refused,
            seen.longest_gap_ms,
            seen.median_ms,
            seen.p99_ms
        )?;
    }
    writeln!(text)?;
    writeln!(text, "What each node holds of what was acknowledged:")?;
    for line in &report.nodes {
        let services = line
            .services
            .iter()
            .map(|(service, counted)| match counted {
                Some(counted) if counted.is_well() => format!("{service} {} ✓", counted.present),
                Some(counted) => format!("{service} {} ✗", counted.present),
                None => format!("{service} not read"),
            });
        let services: Vec<String> = services.collect();
        let hash = line.state_hash.get(..8).unwrap_or_default();
        let (node, applied) = (&line.node, line.applied);
        let services = services.join(", ");
        writeln!(text, "  {node}: {services}; state {hash} at {applied}")?;
    }
    if !report.remarks.is_empty() {
        writeln!(text)?;
    }
    for remark in &report.remarks {
        writeln!(text, "Note: {remark}")?;
    }
    if let (Some(seal), Some((journal, index))) = (&report.seal, &report.sealed_in) {
        writeln!(text)?;
        writeln!(
            text,
            "Sealed as entry {index} of the journal {journal}: {seal}"
        )?;
    }
    Ok(())
}

fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1_000, ms % 1_000 / 100)
}
