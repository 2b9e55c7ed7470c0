//! `consorcio ring simulate`, which needs no cluster.

use std::process::Output;

use serde_json::Value;

use super::harness::{program, stderr, stdout};

fn simulate(arguments: &[&str]) -> Output {
    let output = program()
        .args(["ring", "simulate"])
        .args(arguments)
        .output();
    output.unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = simulate(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn number(value: &Value, name: &str) -> f64 {
    let number = value[name].as_f64();
    number.unwrap_or_else(|| panic!("{name} is no number in {value}"))
}

/// Without what differs from run to run.
fn figures(mut value: Value) -> Value {
    for cost in ["seconds", "memory_bytes"] {
        assert!(number(&value, cost) > 0.0);
        value.as_object_mut().unwrap().remove(cost);
    }
    value
}

#[test]
fn table_ii_is_what_the_paper_found() {
    let rows = [("0", 3.84, 0.0), ("0.2", 4.22, 1.17), ("0.5", 5.09, 5.10)];
    for (fail, path, timeouts) in rows {
        let found = json(&[
            "--nodes",
            "1000",
            "--fail",
            fail,
            "--lookups",
            "5000",
            "--seed",
            "1",
        ]);
        assert_eq!(
            (&found["failed"], &found["invariant_broken"]),
            (&0.into(), &Value::Null)
        );
        let mean = number(&found, "mean_path");
        assert!((mean / path - 1.0).abs() < 0.05, "{fail}: {mean} of {path}");
        // On a single ring it matters which nodes die.
        let mean = number(&found, "mean_timeouts");
        assert!(
            (mean - timeouts).abs() < 0.05 + 0.25 * timeouts,
            "{fail}: {mean} of {timeouts}"
        );
    }
}

#[test]
fn the_path_is_half_the_logarithm() {
    let found = json(&["--nodes", "1024", "--successors", "1", "--lookups", "5000"]);
    let mean = number(&found, "mean_path");
    assert!((mean / 4.89 - 1.0).abs() < 0.05, "{mean}");
}

#[test]
fn a_simulation_repeats_from_its_seed() {
    let run = |seed| {
        let arguments = [
            "--nodes",
            "200",
            "--fail",
            "0.3",
            "--lookups",
            "500",
            "--seed",
            seed,
        ];
        figures(json(&arguments))
    };
    assert_eq!(run("7"), run("7"));
    assert_ne!(run("7"), run("8"));
}

#[test]
fn a_ring_mends_itself_under_churn() {
    for goodbye in [None, Some("--goodbye")] {
        let arguments = ["--nodes", "100", "--successors", "8", "--churn", "0.2"];
        let all = [&arguments[..], &["--lookups", "500"], goodbye.as_slice()].concat();
        let found = json(&all);
        assert_eq!(found["invariant_broken"], Value::Null, "{found}");
        assert_eq!(found["healed"], true, "{found}");
        assert!(
            number(&found, "joined") > 50.0 && number(&found, "departed") > 50.0,
            "{found}"
        );
        assert!(number(&found, "failed") <= 5.0, "{found}");
    }
}

#[test]
fn more_deaths_than_a_list_survives_are_said() {
    let arguments = [
        "--nodes",
        "50",
        "--successors",
        "1",
        "--fail",
        "0.5",
        "--lookups",
        "100",
    ];
    assert!(json(&arguments)["invariant_broken"].is_string());
    let said = stdout(&simulate(&arguments));
    assert!(said.contains("More died than the proof allows"), "{said}");
    assert!(said.contains("found nobody"), "{said}");
}

#[test]
fn the_papers_figures_are_printed_beside_and_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let plots = dir.path().join("plots");
    let plots = plots.to_str().unwrap();
    let output = simulate(&[
        "--paper",
        "--only",
        "table-2,load",
        "--lookups",
        "50",
        "--plots",
        plots,
    ]);
    let said = stdout(&output);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        said.contains("Table II") && said.contains("3.84") && said.contains("VIRTUAL"),
        "{said}"
    );
    for name in ["table-2-path", "table-2-timeouts", "load"] {
        let svg = std::fs::read_to_string(format!("{plots}/{name}.svg")).unwrap();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && !svg.contains("NaN"));
    }
    let found = json(&["--paper", "--only", "figure-10", "--lookups", "50"]);
    let rows = found["figure_10"].as_array().unwrap();
    assert_eq!(rows.len(), 12);
    assert_eq!(
        (&rows[7]["nodes"], &rows[7]["paper_mean_path"]),
        (&1024.into(), &4.89.into())
    );
    assert!(found.get("table_2").is_none());
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let wrong: [&[&str]; 8] = [
        &["--nodes", "0"],
        &["--nodes", "4000000", "--virtual", "2"],
        &["--successors", "65"],
        &["--fail", "1.5"],
        &["--fail", "NaN"],
        &["--churn", "0.1", "--fail", "0.1"],
        &["--plots", "somewhere"],
        &["--paper", "--nodes", "5"],
    ];
    for arguments in wrong {
        let output = simulate(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(output.stdout.is_empty());
    }
}
