//! The simulator as its user runs it. It is where most seeds of an ordinary test run are spent:
//! `CONSORCIO_SIM_SEEDS` says how many.

use std::process::Output;

use serde_json::Value;

use super::harness::{program, stderr, stdout, turn};

/// Seeds unless the environment says how many: about half a minute on two cores.
const SEEDS: u64 = 200;

fn simulate(arguments: &[&str]) -> Output {
    let mut command = program();
    command.arg("simulate").args(arguments);
    command.output().unwrap()
}

/// The line of JSON at the end.
fn summary(arguments: &[&str]) -> Value {
    let output = simulate(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "", "progress is for terminals");
    let out = stdout(&output);
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}

#[test]
fn many_seeds_pass_without_a_violation() {
    let _turn = turn();
    let seeds = std::env::var("CONSORCIO_SIM_SEEDS");
    let seeds: u64 = seeds.map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let summary = summary(&["--seeds", &seeds.to_string()]);
    eprintln!("{summary}");
    assert_eq!(summary["seeds"], seeds);
    assert_eq!(summary["violations"], 0);
    let count = |name: &str| summary[name].as_u64().unwrap();
    assert!(count("operations") > 100 * seeds);
    assert!(count("elections") > seeds && count("crashes") > seeds);
    assert!(summary["simulated_s"].as_f64().unwrap() > 5.0 * seeds as f64);
    assert!(count("looked_for") > 0);
    let faults = summary["faults"].as_object().unwrap();
    assert!(faults.len() > 10 && faults.values().all(|count| count.as_u64() > Some(0)));
    for figure in ["elapsed_s", "seeds_per_second"] {
        assert!(summary[figure].as_f64().unwrap() > 0.0, "{figure}");
    }
}

#[test]
fn a_planted_bug_is_told_and_ends_in_failure() {
    let _turn = turn();
    let output = simulate(&["--bug", "stale-reads", "--seeds", "12", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let summary: Value = serde_json::from_str(stdout(&output).lines().last().unwrap()).unwrap();
    let failed = &summary["failed"][0];
    assert!(summary["violations"].as_u64() > Some(0));
    assert_eq!(failed["repeats"], true);
    let told = stderr(&output);
    assert!(told.contains(failed["what"].as_str().unwrap()));
    let seed = &failed["seed"];
    let again = format!("consorcio simulate --seed {seed} --nodes ");
    assert!(
        told.contains(&again) && told.contains("--bug stale-reads"),
        "{told}"
    );
    assert_eq!(simulate(&["--bug", "none"]).status.code(), Some(2));
}

#[test]
fn the_same_seeds_are_the_same_in_any_process_and_order() {
    let _turn = turn();
    let run = |jobs| summary(&["--seeds", "6", "--seed", "1000", "--jobs", jobs]);
    let (alone, together) = (run("1"), run("3"));
    assert_eq!(alone["trace_hash"], together["trace_hash"]);
    assert_eq!(alone["operations"], together["operations"]);
    assert_ne!(
        alone["trace_hash"],
        summary(&["--seed", "1000"])["trace_hash"]
    );
}

#[test]
fn a_seed_can_be_told_as_a_story_and_a_run_can_be_limited_in_time() {
    let _turn = turn();
    let output = simulate(&["--seed", "7", "--nodes", "5", "--verbose"]);
    assert!(output.status.success());
    let story = stderr(&output);
    for part in ["seed 7, 5 nodes", "fault: ", "all is made good", "settled"] {
        assert!(story.contains(part), "{part}: {story}");
    }
    assert!(stdout(&output).contains("violations"));
    let timed = summary(&["--minutes", "1", "--seeds", "2"]);
    assert_eq!(timed["seeds"], 2);
    assert_eq!(simulate(&["--nodes", "4"]).status.code(), Some(2));
    assert_eq!(simulate(&["--seeds", "0"]).status.code(), Some(2));
}
