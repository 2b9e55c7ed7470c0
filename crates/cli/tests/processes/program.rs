//! Arguments, settings and exit codes: what needs no cluster.

use std::net::TcpListener;
use std::process::Output;

use super::harness::{program, run, stderr, stdout};

fn consorcio(arguments: &[&str]) -> Output {
    // A node that starts although it should not ends at once: its supervisor is gone.
    let supervised = (arguments.first() == Some(&"serve")).then_some("--supervised");
    program().args(arguments).args(supervised).output().unwrap()
}

fn refused(output: &Output, code: i32, says: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(says), "{said}");
    assert!(output.stdout.is_empty(), "errors go to standard error");
}

#[test]
fn help_teaches_and_lists_the_exit_codes() {
    let help = stdout(&consorcio(&["--help"]));
    for word in [
        "up",
        "serve",
        "account",
        "news",
        "cluster",
        "kv",
        "Examples:",
        "Exit codes:",
    ] {
        assert!(help.contains(word), "{word} is missing:\n{help}");
    }
    let roles = [
        "up", "serve", "proxy", "account", "area", "news", "cluster", "kv", "journal", "agency",
        "lottery", "ring",
    ];
    for role in roles {
        let output = consorcio(&[role, "--help"]);
        assert!(
            output.status.success() && stdout(&output).contains("Examples:"),
            "{role}"
        );
    }
    assert!(stdout(&consorcio(&["--version"])).starts_with("consorcio "));
}

#[test]
fn usage_errors_exit_with_2() {
    refused(&consorcio(&["serv"]), 2, "serv");
    refused(&consorcio(&["serve", "--http", "here"]), 2, "--http");
    let twice = [
        "serve",
        "--redis",
        "0.0.0.0:6379",
        "--grpc",
        "127.0.0.1:6379",
    ];
    refused(&consorcio(&twice), 2, "are the same port");
    let twice = ["proxy", "--nodes", "sur.lan", "--http", "127.0.0.1:6379"];
    refused(&consorcio(&twice), 2, "are the same port");
    refused(&consorcio(&["up", "--nodes", "0"]), 2, "--nodes");
    refused(&consorcio(&["proxy"]), 2, "--nodes");
    let proxy = |arguments: &[&str]| consorcio(&[&["proxy", "--nodes"], arguments].concat());
    refused(&proxy(&["https://sur.lan"]), 2, "is no node");
    let open = ["sur.lan:8080", "--lottery", "0.0.0.0:12345"];
    refused(&proxy(&open), 2, "--lottery-allow");
    let networks = ["sur.lan:8080", "--redis-allow", "here"];
    refused(&proxy(&networks), 2, "--redis-allow");
    refused(&consorcio(&["news", "mark", "Obras"]), 2, "--all");
    refused(
        &consorcio(&["news", "mark", "Obras", "3", "--all"]),
        2,
        "cannot be used with",
    );
    refused(
        &consorcio(&["serve", "--log", "engine=loud", "--data", "/proc/x"]),
        2,
        "--log",
    );
}

#[test]
fn a_configuration_is_checked_before_anything_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("node.toml");
    let path = file.to_str().unwrap();
    let serve = |text: &str| {
        std::fs::write(&file, text).unwrap();
        consorcio(&["serve", "--config", path, "--data", "/proc/x"])
    };
    refused(
        &serve("name = \"a\"\nprot = 1\n"),
        2,
        "line 2: unknown field `prot`",
    );
    refused(&serve("name = \"a b\"\n"), 2, "is no name for a node");
    refused(&serve("http = \"0.0.0.0:8080\"\n"), 2, "--http-url");
    refused(
        &serve("public_url = \"https://consorcio.example/news\"\n"),
        2,
        "--public-url",
    );
    refused(
        &serve("lottery = \"0.0.0.0:12345\"\n"),
        2,
        "--lottery-allow",
    );
    refused(
        &serve("lottery_allow = \"everybody\"\n"),
        2,
        "is no network",
    );
    refused(
        &consorcio(&["serve", "--config", "/nowhere.toml"]),
        2,
        "cannot be read",
    );
    refused(
        &consorcio(&["serve", "--data", "/proc/nowhere"]),
        1,
        "the data directory /proc",
    );
}

#[test]
fn settings_come_from_defaults_file_environment_and_flags() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("node.toml");
    std::fs::write(&file, "name = \"file\"\nlog = \"warn\"\ndemo = true\n").unwrap();
    let output = program()
        .args(["serve", "--print-config", "--log", "error", "--config"])
        .arg(&file)
        .env("CONSORCIO_NAME", "environment")
        .env("CONSORCIO_LOG", "debug")
        .env("CONSORCIO_ADMIN_PASSWORD", "muy secreto")
        .output()
        .unwrap();
    let shown = stdout(&output);
    for line in [
        "name = \"environment\"",
        "log = \"error\"",
        "demo = true",
        "http = \"127.0.0.1:8080\"",
        "data = \"data/environment\"",
        "admin_password = \"(hidden)\"",
    ] {
        assert!(shown.contains(line), "{line} is missing:\n{shown}");
    }
    assert!(!shown.contains("secreto"));
}

#[test]
fn a_taken_port_is_one_clear_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = dir.path().join("n1");
    let output = consorcio(&[
        "serve",
        "--http",
        &address,
        "--data",
        data.to_str().unwrap(),
    ]);
    refused(
        &output,
        1,
        &format!("consorcio: cannot listen on {address} for HTTP"),
    );
}

#[test]
fn nobody_there_exits_with_3() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(
        dir.path(),
        "http://127.0.0.1:1",
        &["cluster", "status", "--timeout", "1"],
    );
    refused(
        &output,
        3,
        "no node can be reached at http://127.0.0.1:1: Connection refused",
    );
    let output = run(dir.path(), "https://a", &["area", "list"]);
    refused(&output, 2, "https");
}

#[test]
fn a_password_is_never_taken_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = program();
    command.args([
        "account",
        "login",
        "ana",
        "--server",
        "http://127.0.0.1:1",
        "--timeout",
        "1",
    ]);
    // Without a terminal of its own: there is nobody to ask.
    let output = command
        .env("XDG_CONFIG_HOME", dir.path())
        .arg("--password-stdin")
        .output();
    refused(&output.unwrap(), 2, "standard input holds no password");
    refused(
        &consorcio(&["account", "login", "ana", "--password", "x"]),
        2,
        "--password",
    );
}

#[test]
fn a_password_that_is_too_short_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("n1");
    let mut command = program();
    command.args(["serve", "--supervised", "--data"]).arg(&data);
    command.env("CONSORCIO_ADMIN_PASSWORD", "corta");
    command.env("CONSORCIO_HTPP", "127.0.0.1:1");
    let output = command.output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the administrator's password"), "{said}");
    assert!(
        said.contains("what is no setting: CONSORCIO_HTPP"),
        "{said}"
    );
    assert!(!data.exists(), "no cluster was founded");
}
