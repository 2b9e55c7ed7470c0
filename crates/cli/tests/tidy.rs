//! Keeps the rules of the house that a machine can check, so that nothing creeps: how long
//! functions and files are, what may stand in a line, and which crate may know what.
//!
//! The limits are a ratchet. They may be lowered when the code got better; raising one is a
//! decision to be explained where the number stands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

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
            "server",
            "openraft*",
            "rusqlite",
            "*postgres",
        ],
    ),
    (
        "server",
        &["cli", "ring", "openraft*", "rusqlite", "*postgres"],
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
    let mut lengths: Vec<(usize, String)> = Vec::new();
    for source in sources().iter().filter(|s| !s.is_test) {
        let mut found = Functions {
            path: &source.path,
            lengths: &mut lengths,
        };
        found.visit_file(&source.syntax);
    }
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
    let mut problems = Problems::default();
    for source in sources()
        .iter()
        .filter(|s| !s.is_test && PURE.contains(&s.krate()))
    {
        for (number, line) in source.code_lines() {
            for word in IMPURE.iter().filter(|word| has_word(line, word)) {
                problems.add(&source.path, number, word);
            }
        }
    }
    problems.none();
}

#[test]
fn only_a_node_names_the_engine_and_the_server() {
    let mut problems = Problems::default();
    for source in sources()
        .iter()
        .filter(|s| !s.is_test && s.krate() == "cli")
    {
        let module = source.path.trim_start_matches("crates/cli/src/");
        if RUNS_A_NODE.iter().any(|name| module.starts_with(name)) {
            continue;
        }
        for (number, line) in source.code_lines() {
            if has_word(line, "engine::") || has_word(line, "server::") {
                problems.add(&source.path, number, "names the engine or the server");
            }
        }
    }
    problems.none();
}

#[test]
fn only_the_simulator_names_the_simulation() {
    let mut problems = Problems::default();
    for source in sources()
        .iter()
        .filter(|s| !s.is_test && s.krate() != "sim")
    {
        let simulates = format!("crates/cli/src/{SIMULATES}");
        if source.path.starts_with(&simulates) {
            continue;
        }
        for (number, line) in source.code_lines() {
            if has_word(line, "sim::") {
                problems.add(&source.path, number, "names the simulation");
            }
        }
    }
    for name in ["api", "domain", "engine", "server"] {
        let manifest = format!("crates/{name}/Cargo.toml");
        let text = fs::read_to_string(root().join(&manifest)).expect("the manifest of a crate");
        let parsed: toml::Table = text.parse().expect("a manifest is TOML");
        if dependencies(&parsed).iter().any(|name| name == "sim") {
            problems.add(&manifest, 0, "must not know sim");
        }
    }
    problems.none();
}

#[test]
fn only_its_command_names_the_ring() {
    let mut problems = Problems::default();
    for source in sources()
        .iter()
        .filter(|s| !s.is_test && s.krate() == "cli")
    {
        let module = source.path.trim_start_matches("crates/cli/src/");
        // The root hands the command on, under the same name.
        if module.starts_with(SEES_THE_RING) || module == "main.rs" {
            continue;
        }
        for (number, line) in source.code_lines() {
            if has_word(line, "ring::") {
                problems.add(&source.path, number, "names the ring");
            }
        }
    }
    problems.none();
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

/// One Rust file.
struct Source {
    /// From the root of the repository, with `/`.
    path: String,
    text: String,
    syntax: syn::File,
    /// Built for tests or measurements only.
    is_test: bool,
}

impl Source {
    fn krate(&self) -> &str {
        self.path.split('/').nth(1).unwrap_or_default()
    }

    /// Lines of the modules in it that are built for tests only.
    fn test_lines(&self) -> usize {
        self.test_ranges()
            .iter()
            .map(|(first, last)| last - first + 1)
            .sum()
    }

    /// First and last line of each module that is built for tests only.
    fn test_ranges(&self) -> Vec<(usize, usize)> {
        let modules = self.syntax.items.iter().filter_map(|item| match item {
            syn::Item::Mod(module) if for_tests(&module.attrs) => Some(module.span()),
            _ => None,
        });
        modules
            .map(|span| (span.start().line, span.end().line))
            .collect()
    }

    /// Numbered lines that are neither comments nor tests.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.test_ranges();
        let lines = self
            .text
            .lines()
            .enumerate()
            .map(|(number, line)| (number + 1, line));
        lines
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .filter(move |(number, _)| !tests.iter().any(|(a, b)| (a..=b).contains(&number)))
    }
}

/// Collects the length of every function that is not a test.
struct Functions<'a> {
    path: &'a str,
    lengths: &'a mut Vec<(usize, String)>,
}

impl Functions<'_> {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.span().start().line;
        let lines = block.span().end().line - first + 1;
        self.lengths
            .push((lines, format!("{}:{first} {}", self.path, signature.ident)));
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.add(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// What a test found, all of it, so that one run is enough.
#[derive(Default)]
struct Problems(String);

impl Problems {
    fn add(&mut self, path: &str, line: usize, what: &str) {
        writeln!(self.0, "{path}:{line}: {what}").expect("a String takes every line");
    }

    fn none(self) {
        assert!(self.0.is_empty(), "\n{}", self.0);
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every Rust file of every crate.
fn sources() -> Vec<Source> {
    let files = text_files()
        .into_iter()
        .filter(|(path, _)| path.ends_with(".rs"));
    let sources: Vec<Source> = files.map(|(path, text)| source(path, text)).collect();
    assert!(sources.len() > 10, "the sources were not found");
    sources
}

fn source(path: String, text: String) -> Source {
    let syntax = syn::parse_file(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
    let apart = ["/tests/", "/benches/", "/examples/"]
        .iter()
        .any(|dir| path.contains(dir));
    let is_test = apart || path.ends_with("/tests.rs") || path.starts_with("fuzz/");
    Source {
        path,
        text,
        syntax,
        is_test,
    }
}

/// The files that people edit, with their path from the root: Rust, TOML, Markdown and scripts.
fn text_files() -> Vec<(String, String)> {
    let root = root();
    let mut paths: Vec<PathBuf> = Vec::new();
    collect(&root.join("crates"), &mut paths);
    collect(&root.join(".ci"), &mut paths);
    // Beside them is what fuzzing builds and finds.
    collect(&root.join("fuzz/fuzz_targets"), &mut paths);
    collect(&root.join("fuzz/properties"), &mut paths);
    paths.push(root.join("fuzz/Cargo.toml"));
    paths.extend(
        fs::read_dir(&root)
            .expect("the root")
            .map(|e| e.expect("an entry").path()),
    );
    paths.retain(|path| path.is_file() && is_edited(path));
    paths.sort();
    let relative = |path: &Path| {
        path.strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    paths
        .iter()
        .map(|path| (relative(path), fs::read_to_string(path).unwrap()))
        .collect()
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of the repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, paths)
        } else {
            paths.push(path)
        }
    }
}

fn is_edited(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default();
    ["rs", "toml", "md"].contains(&extension) || ["test", "run"].contains(&name)
}

fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.parse_args::<syn::Path>();
        attribute.path().is_ident("cfg") && condition.is_ok_and(|path| path.is_ident("test"))
    })
}

/// What a manifest names outside its tests, under the name the registry knows.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let mut tables = vec![manifest];
    let targets = manifest.get("target").and_then(|target| target.as_table());
    tables.extend(
        targets
            .into_iter()
            .flat_map(|t| t.values())
            .filter_map(|t| t.as_table()),
    );
    let kinds = ["dependencies", "build-dependencies"];
    let named = tables
        .iter()
        .flat_map(|t| kinds.iter().filter_map(|kind| t.get(*kind)));
    let entries = named.filter_map(|t| t.as_table()).flatten();
    entries
        .map(|(name, value)| registry_name(name, value))
        .collect()
}

fn registry_name(name: &str, value: &toml::Value) -> String {
    let package = value.get("package").and_then(|package| package.as_str());
    package.unwrap_or(name).to_owned()
}

/// Whether a dependency is what a pattern means: a name, `prefix*` or `*suffix`.
fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
        (Some(prefix), _) => name.starts_with(prefix),
        (_, Some(suffix)) => name.ends_with(suffix),
        _ => name == pattern,
    }
}

/// Whether `word` stands in `line`, and is not the end of a longer name or path.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}
