//! The paper's figures as plots.

use ring::simulator::{Churned, Figure10, Load, LoadLaw, Table2};

use super::paper::parts_of_mean;
use super::plot::{Axis, Look, Plot, Series};

pub fn figure_10(rows: &[Figure10]) -> Plot<'_> {
    let x = |row: &Figure10| row.law * 2.0;
    let range = |row: &Figure10| {
        let path = row.ours.path.summary();
        [(x(row), path.p1 as f64), (x(row), path.p99 as f64)]
    };
    let law = rows.iter().map(|row| (x(row), row.law));
    let paper = rows
        .iter()
        .filter_map(|row| row.paper.map(|paper| (x(row), paper)));
    let ours = rows
        .iter()
        .map(|row| (x(row), row.ours.path.summary().mean));
    Plot {
        title: "Path length against the size of the ring",
        subtitle: "Chord paper, Figure 10(a): nodes that a lookup visits; fingers, one successor",
        x: Axis {
            name: "nodes",
            marks: rows
                .iter()
                .map(|row| (x(row), row.nodes.to_string()))
                .collect(),
        },
        y_name: "nodes visited",
        series: vec![
            series(
                "1st to 99th percentile",
                Look::Range,
                rows.iter().flat_map(range),
            ),
            series("½ log₂ N", Look::Law, law),
            series("measured", Look::Ours, ours),
            series("paper", Look::Paper, paper),
        ],
    }
}

pub fn distribution(row: &Figure10) -> Plot<'_> {
    let counts = row.ours.path.counts();
    let all: u64 = counts.iter().sum();
    let parts = (0u32..).zip(counts);
    let bars = parts.map(|(length, count)| (f64::from(length), *count as f64 / all as f64));
    Plot {
        title: "Path lengths in a ring of 4,096 nodes",
        subtitle: "Chord paper, Figure 10(b): part of the lookups that visit so many nodes",
        x: Axis {
            name: "nodes visited",
            marks: (0..counts.len())
                .map(|i| (i as f64, i.to_string()))
                .collect(),
        },
        y_name: "part of the lookups",
        series: vec![series("measured", Look::Bars, bars)],
    }
}

fn dead_axis(rows: &[Table2]) -> Axis<'static> {
    Axis {
        name: "part of the nodes that died",
        marks: rows
            .iter()
            .map(|row| (row.fail, format!("{:.1}", row.fail)))
            .collect(),
    }
}

pub fn table_2_path(rows: &[Table2]) -> Plot<'_> {
    Plot {
        title: "Path length after a part of the ring died",
        subtitle: "Chord paper, Table II: 1,000 nodes, 20 successors, nothing mended",
        x: dead_axis(rows),
        y_name: "nodes visited",
        series: vec![
            series(
                "measured",
                Look::Ours,
                rows.iter()
                    .map(|row| (row.fail, row.ours.path.summary().mean)),
            ),
            series(
                "paper",
                Look::Paper,
                rows.iter().map(|row| (row.fail, row.paper_path)),
            ),
        ],
    }
}

pub fn table_2_timeouts(rows: &[Table2]) -> Plot<'_> {
    let law = rows.iter().map(|row| {
        let timeouts = row.paper_path * row.fail / (1.0 - row.fail);
        (row.fail, timeouts)
    });
    let range = |row: &Table2| {
        let measured = row.timeouts;
        [(row.fail, measured.least), (row.fail, measured.greatest)]
    };
    let ours = rows
        .iter()
        .map(|row| (row.fail, row.ours.timeouts.summary().mean));
    let paper = rows.iter().map(|row| (row.fail, row.paper_timeouts));
    Plot {
        title: "Timeouts of a lookup after a part of the ring died",
        subtitle: "Chord paper, Table II: 1,000 nodes, 20 successors, nothing mended",
        x: dead_axis(rows),
        y_name: "dead nodes asked",
        series: vec![
            series(
                "means of the rings",
                Look::Range,
                rows.iter().flat_map(range),
            ),
            series("h p / (1 − p)", Look::Law, law),
            series("measured", Look::Ours, ours),
            series("paper", Look::Paper, paper),
        ],
    }
}

pub fn churn(rows: &[(f64, Churned)]) -> Plot<'_> {
    let timeouts = rows.iter().map(|(rate, churned)| {
        let timeouts = churned.outcome.timeouts.summary();
        (*rate, timeouts.mean)
    });
    Plot {
        title: "Timeouts of a lookup while nodes come and go",
        subtitle: "1,000 nodes, 20 successors, a stabilisation every 15 to 45 s",
        x: Axis {
            name: "joins a second, and as many deaths",
            marks: rows
                .iter()
                .map(|(rate, _)| (*rate, rate.to_string()))
                .collect(),
        },
        y_name: "dead nodes asked",
        series: vec![series("measured", Look::Ours, timeouts)],
    }
}

pub fn load(rows: &[(LoadLaw, Load)]) -> Plot<'_> {
    let x = |load: &Load| f64::from(load.virtual_nodes);
    let range = |(_, load): &(LoadLaw, Load)| {
        let (p1, p99) = parts_of_mean(load);
        [(x(load), p1), (x(load), p99)]
    };
    let most = rows
        .iter()
        .map(|(_, load)| (x(load), parts_of_mean(load).1));
    let law = rows.iter().map(|(law, load)| (x(load), law.p99));
    Plot {
        title: "Keys on a machine, against its virtual nodes",
        subtitle: "Chord paper, Figure 9: a million keys on 10,000 machines, parts of the mean",
        x: Axis {
            name: "virtual nodes of a machine",
            marks: rows
                .iter()
                .map(|(_, load)| (x(load), load.virtual_nodes.to_string()))
                .collect(),
        },
        y_name: "keys, of the mean",
        series: vec![
            series(
                "1st to 99th percentile",
                Look::Range,
                rows.iter().flat_map(range),
            ),
            series("law of the 99th", Look::Law, law),
            series("99th percentile", Look::Ours, most),
        ],
    }
}

fn series(
    name: &'static str,
    look: Look,
    points: impl Iterator<Item = (f64, f64)>,
) -> Series<'static> {
    Series {
        name,
        look,
        points: points.collect(),
    }
}
