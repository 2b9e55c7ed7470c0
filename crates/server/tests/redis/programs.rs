//! Real clients, unmodified: `redis-cli`, `redis-benchmark`, redis-py and the crate `redis`.

use std::io::Write as _;
use std::process::Command;

/// Whether a program is there. If not, the test that needs it says so; with
/// `CONSORCIO_TEST_STRICT=1` it fails.
pub fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        missing(program);
    }
    found
}

fn missing(what: &str) {
    let strict = std::env::var("CONSORCIO_TEST_STRICT").is_ok_and(|value| value == "1");
    assert!(
        !strict,
        "{what} is not installed, and CONSORCIO_TEST_STRICT asks for it"
    );
    // Not `println`, which the test runner swallows when a test passes.
    let line = format!("skipped: {what} is not installed\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
