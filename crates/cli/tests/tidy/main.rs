//! Keeps the rules of the house that a machine can check, so that nothing creeps: how long
//! functions and files are, what may stand in a line, and which crate may know what.
//!
//! The limits are a ratchet. They may be lowered when the code got better; raising one is a
//! decision to be explained where the number stands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sources;

use std::fs;

use sources::{
    Problems, Source, dependencies, has_word, lengths, matches, root, sources, text_files,
};

/// Half of the functions are shorter than this, in lines, signature and braces included.
const FUNCTION_MEDIAN_BELOW: usize = 12;

/// A function of more lines than this is long.
const FUNCTION_LONG: usize = 70;

/// So many functions are long, and no more.
const FUNCTIONS_LONG_MAX: usize = 0;

/// A source file has at most so many lines that are not tests.
const FILE_MAX: usize = 500;

/// A file of tests has at most so many lines: it is read one test at a time.
const TEST_FILE_MAX: usize = 800;

/// Files that may be longer than [`FILE_MAX`], with their own limit and a reason each.
const FILE_EXCEPTIONS: &[(&str, usize)] = &[];

/// Columns of a line of Rust.
const LINE_MAX: usize = 100;

/// What must not be left in the code. Written in two parts, because this file is checked too.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("db", "g!("),
];

/// What a crate must not depend on, beyond its tests; `*` ends a prefix.
const FORBIDDEN_DEPENDENCIES: &[(&str, &[&str])] = &[
    (
        "domain",
        &[
            "api",
            "cli",
            "engine",
            "ring",
            "server",
            "sim",
            "openraft*",
            "tokio*",
            "futures*",
            "rusqlite",
            "*postgres",
            "axum*",
            "hyper*",
            "http*",
            "tonic*",
            "prost*",
            "serde_json",
            "rand*",
            "getrandom",
            "fastrand",
            "uuid",
            "chrono",
            "time",
            "tracing*",
            "argon2",
        ],
    ),
    (
        "ring",
        &[
            "api",
            "cli",
            "domain",
            "engine",
            "server",
            "sim",
            "openraft*",
            "tokio*",
            "futures*",
            "mio",
            "rusqlite",
            "*postgres",
            "axum*",
            "hyper*",
            "http*",
            "tonic*",
            "prost*",
            "serde*",
            "rand*",
            "getrandom",
            "fastrand",
            "uuid",
            "chrono",
            "time",
            "tracing*",
        ],
    ),
    (
        "engine",
        &[
            "api",
            "cli",
            "server",
            "sim",
            "axum*",
            "hyper*",
            "http*",
            "tonic*",
            "serde_json",
        ],
    ),
    (
        "api",
        &[
            "cli",
            "domain",
            "engine",
            "ring",
            "server",
            "sim",
            "openraft*",
            "rusqlite",
            "*postgres",
        ],
    ),
    (
        "proxy",
        &[
            "cli",
            "domain",
            "engine",
            "ring",
            "server",
            "sim",
            "openraft*",
            "rusqlite",
            "*postgres",
        ],
    ),
    (
        "server",
        &["cli", "ring", "sim", "openraft*", "rusqlite", "*postgres"],
    ),
    ("cli", &["openraft*", "rusqlite", "*postgres"]),
];

/// What the pure crates must not name: the world, and maps without an order.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
    "SystemTime",
    "Instant",
    "HashMap",
    "HashSet",
    "thread_rng",
];

/// The crates whose every output follows from their input.
const PURE: &[&str] = &["domain", "ring"];

/// The parts of the command line that run a node in their own process.
const RUNS_A_NODE: &[&str] = &["serve", "local"];

/// The part of the command line that runs simulations in its own process.
const SIMULATES: &str = "commands/simulate";

/// The part of the command line that looks at the ring itself.
const SEES_THE_RING: &str = "commands/ring/";

/// The crates that may hold SQL.
const SPEAKS_SQL: &[&str] = &["domain", "engine"];

#[test]
fn functions_are_short() {
    let sources = sources();
    let production = sources.iter().filter(|source| !source.is_test);
    let mut lengths: Vec<_> = production.flat_map(lengths).collect();
    lengths.sort();
    assert!(!lengths.is_empty(), "no function was found");
    let median = lengths[lengths.len() / 2].0;
    let long: Vec<_> = lengths
        .iter()
        .filter(|(lines, _)| *lines > FUNCTION_LONG)
        .collect();
    assert!(
        median < FUNCTION_MEDIAN_BELOW,
        "half of the functions have {median} lines or more"
    );
    let beyond = long.len().saturating_sub(FUNCTIONS_LONG_MAX);
    assert_eq!(beyond, 0, "longer than {FUNCTION_LONG} lines: {long:#?}");
}

#[test]
fn files_are_short() {
    let mut problems = Problems::default();
    for source in sources() {
        let lines = source.text.lines().count() - source.test_lines();
        let exception = FILE_EXCEPTIONS
            .iter()
            .find(|(path, _)| *path == source.path);
        let max = match exception {
            Some((_, max)) => *max,
            None if source.is_test => TEST_FILE_MAX,
            None => FILE_MAX,
        };
        if lines > max {
            problems.add(&source.path, 0, &format!("{lines} lines, at most {max}"));
        }
    }
    problems.none();
}

#[test]
fn lines_are_clean() {
    let mut problems = Problems::default();
    for (path, text) in text_files() {
        for (number, line) in text.lines().enumerate() {
            if line.ends_with([' ', '\r', '\t']) {
                problems.add(&path, number + 1, "white space at the end");
            }
            if line.contains('\t') {
                problems.add(&path, number + 1, "a tab");
            }
            if path.ends_with(".rs") && line.chars().count() > LINE_MAX {
                problems.add(&path, number + 1, "more than 100 columns");
            }
        }
        if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
            problems.add(&path, 0, "must end with one newline");
        }
    }
    problems.none();
}

#[test]
fn every_module_says_what_it_is() {
    let mut problems = Problems::default();
    for source in sources() {
        if !source.text.starts_with("//!") {
            problems.add(&source.path, 1, "no module documentation (//!)");
        }
    }
    problems.none();
}

#[test]
fn nothing_is_left_unfinished() {
    let mut problems = Problems::default();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            for word in UNFINISHED.iter().filter(|word| line.contains(**word)) {
                problems.add(&source.path, number + 1, word);
            }
        }
    }
    problems.none();
}

#[test]
fn crates_know_only_what_they_may() {
    let mut problems = Problems::default();
    for (name, forbidden) in FORBIDDEN_DEPENDENCIES {
        let manifest = format!("crates/{name}/Cargo.toml");
        let text = fs::read_to_string(root().join(&manifest)).expect("the manifest of a crate");
        let parsed: toml::Table = text.parse().expect("a manifest is TOML");
        for dependency in dependencies(&parsed) {
            if forbidden
                .iter()
                .any(|pattern| matches(pattern, &dependency))
            {
                problems.add(&manifest, 0, &format!("{name} must not know {dependency}"));
            }
        }
    }
    problems.none();
}

#[test]
fn pure_crates_name_nothing_impure() {
    let pure = |source: &Source| PURE.contains(&source.krate());
    nobody_names(pure, IMPURE);
}

#[test]
fn only_a_node_names_the_engine_and_the_server() {
    let others = |source: &Source| {
        let module = source.cli_module();
        module.is_some_and(|module| !RUNS_A_NODE.iter().any(|name| module.starts_with(name)))
    };
    nobody_names(others, &["engine::", "server::"]);
}

#[test]
fn only_the_simulator_names_the_simulation() {
    let others = |source: &Source| {
        let module = source.cli_module();
        source.krate() != "sim" && !module.is_some_and(|module| module.starts_with(SIMULATES))
    };
    nobody_names(others, &["sim::"]);
}

#[test]
fn only_its_command_names_the_ring() {
    // The root hands the command on, under the same name.
    let others = |source: &Source| {
        let module = source.cli_module();
        module.is_some_and(|module| !module.starts_with(SEES_THE_RING) && module != "main.rs")
    };
    nobody_names(others, &["ring::"]);
}

#[test]
fn sql_stays_where_the_state_is() {
    let mut problems = Problems::default();
    for source in sources()
        .iter()
        .filter(|s| !s.is_test && !SPEAKS_SQL.contains(&s.krate()))
    {
        for (number, line) in source.code_lines() {
            let sql = [
                "SELECT ",
                "INSERT INTO ",
                "DELETE FROM ",
                "CREATE TABLE ",
                "PRAGMA ",
            ];
            if sql.iter().any(|word| line.contains(word)) {
                problems.add(&source.path, number, "SQL");
            }
        }
    }
    problems.none();
}

/// None of the words is in the code of the sources that are looked at.
fn nobody_names(looked_at: impl Fn(&Source) -> bool, words: &[&str]) {
    let mut problems = Problems::default();
    let sources = sources();
    let looked_at: Vec<_> = sources
        .iter()
        .filter(|source| !source.is_test && looked_at(source))
        .collect();
    assert!(!looked_at.is_empty(), "there is nothing to look at");
    for source in looked_at {
        for (number, line) in source.code_lines() {
            for word in words.iter().filter(|word| has_word(line, word)) {
                problems.add(&source.path, number, &format!("names {word}"));
            }
        }
    }
    problems.none();
}
