//! What there is to look at: Rust files, their functions, manifests, and what was found.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// One Rust file.
pub struct Source {
    /// From the root of the repository, with `/`.
    pub path: String,
    pub text: String,
    syntax: syn::File,
    /// Built for tests or measurements only.
    pub is_test: bool,
}

impl Source {
    /// Its place in the command line's crate, if it is there.
    pub fn cli_module(&self) -> Option<&str> {
        self.path.strip_prefix("crates/cli/src/")
    }

    pub fn krate(&self) -> &str {
        self.path.split('/').nth(1).unwrap_or_default()
    }

    /// Lines of the modules in it that are built for tests only.
    pub fn test_lines(&self) -> usize {
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
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
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

/// How many lines each function has that is not a test, and where it is.
pub fn lengths(source: &Source) -> Vec<(usize, String)> {
    let mut found = Functions {
        path: &source.path,
        lengths: Vec::new(),
    };
    found.visit_file(&source.syntax);
    found.lengths
}

struct Functions<'a> {
    path: &'a str,
    lengths: Vec<(usize, String)>,
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
pub struct Problems(String);

impl Problems {
    pub fn add(&mut self, path: &str, line: usize, what: &str) {
        writeln!(self.0, "{path}:{line}: {what}").expect("a String takes every line");
    }

    pub fn none(self) {
        assert!(self.0.is_empty(), "\n{}", self.0);
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every Rust file of every crate.
pub fn sources() -> Vec<Source> {
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
pub fn text_files() -> Vec<(String, String)> {
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
pub fn dependencies(manifest: &toml::Table) -> Vec<String> {
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
pub fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
        (Some(prefix), _) => name.starts_with(prefix),
        (_, Some(suffix)) => name.ends_with(suffix),
        _ => name == pattern,
    }
}

/// Whether `word` stands in `line`, and is not the end of a longer name or path.
pub fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}
