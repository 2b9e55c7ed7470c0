//! Real clients, unmodified: `redis-cli`, `redis-benchmark`, redis-py and the crate `redis`.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use redis::AsyncCommands as _;
use tokio::io::AsyncWriteExt as _;

use crate::harness::{Node, PASSWORD, guarded};

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

/// Runs a program against a node, and answers what it says.
async fn run(program: &str, arguments: &[&str], node: &Node, input: &str) -> String {
    let port = node.address.port().to_string();
    let mut command = tokio::process::Command::new(program);
    command
        .args(["-h", "127.0.0.1", "-p", &port])
        .args(arguments);
    finish(command, input).await
}

/// Waits for a program that must end well, and answers what it says.
async fn finish(mut command: tokio::process::Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let ended = tokio::time::timeout(Duration::from_secs(120), child.wait_with_output());
    let output = ended.await.expect("an end").unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_cli_works() {
    if !is_installed("redis-cli") {
        return;
    }
    let node = Node::start().await;
    let said = run("redis-cli", &["SET", "k", "v"], &node, "").await;
    assert_eq!(said, "OK\n");
    let typed = "get k\nincr n\nlpush l a b\nlrange l 0 -1\nhset h f v\nhgetall h\nnonsense\n\
                 multi\nincr n\nexec\ninfo server\n";
    let said = run("redis-cli", &["--no-auth-warning"], &node, typed).await;
    let expected = "v\n1\n2\nb\na\n1\nf\nv\nERR unknown command 'nonsense'";
    assert!(said.starts_with(expected), "{said}");
    assert!(
        said.contains("OK\nQUEUED\n2\n# Server\r\nredis_version:"),
        "{said}"
    );
    // It knows what maps are.
    let said = run("redis-cli", &["-3", "--json", "HGETALL", "h"], &node, "").await;
    assert_eq!(said, "{\"f\":\"v\"}\n");
    // Its own way to bring in much, and to look through all keys.
    let many: String = (0..1_000).map(|n| format!("SET key:{n} {n}\r\n")).collect();
    let said = run("redis-cli", &["--pipe"], &node, &many).await;
    assert!(said.contains("errors: 0, replies: 1000"), "{said}");
    let said = run("redis-cli", &["--scan", "--pattern", "key:*"], &node, "").await;
    assert_eq!(said.lines().count(), 1_000);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_cli_signs_in() {
    if !is_installed("redis-cli") {
        return;
    }
    let node = Node::with(guarded()).await;
    let credentials = ["--no-auth-warning", "--user", "admin", "--pass", PASSWORD];
    let said = run(
        "redis-cli",
        &[&credentials[..], &["SET", "k", "v"]].concat(),
        &node,
        "",
    )
    .await;
    assert_eq!(said, "OK\n");
    let said = run("redis-cli", &["GET", "k"], &node, "").await;
    assert_eq!(said.trim_end(), "NOAUTH Authentication required.");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_benchmark_works() {
    if !is_installed("redis-benchmark") {
        return;
    }
    let node = Node::start().await;
    let tests = "ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,\
                 lrange_100,mset";
    let arguments = [
        "-t", tests, "-n", "500", "-c", "10", "-r", "50", "-P", "4", "--csv",
    ];
    let said = run("redis-benchmark", &arguments, &node, "").await;
    // A line for each test, one for the columns, one for what LRANGE needs.
    assert_eq!(said.lines().count(), 16, "{said}");
    let asked = run("redis-cli", &["INFO", "stats"], &node, "").await;
    assert!(asked.contains("total_commands_processed:"), "{asked}");
    node.stop().await;
}

/// A Python that has redis-py: what `CONSORCIO_TEST_PYTHON` names, the one that `./test` made, or
/// the machine's own.
fn python() -> Option<String> {
    let cache = std::env::var("XDG_CACHE_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cache")));
    let made = cache.map(|cache| format!("{cache}/consorcio/redis-py/bin/python"));
    let named = std::env::var("CONSORCIO_TEST_PYTHON");
    let candidates = [named.ok(), made.ok(), Some("python3".to_owned())];
    let has_library = |python: &String| {
        let tried = Command::new(python).args(["-c", "import redis"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let found = candidates.into_iter().flatten().find(has_library);
    if found.is_none() {
        missing("redis-py");
    }
    found
}

async fn script(name: &str) {
    let Some(python) = python() else { return };
    let nodes = Node::three().await;
    let mut command = tokio::process::Command::new(python);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/redis/scripts");
    command
        .arg(format!("{path}/{name}"))
        .args(["127.0.0.1", &nodes[1].address.port().to_string()]);
    assert_eq!(finish(command, "").await, "ok\n");
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hit_counter_of_the_tutorials_works() {
    script("hit_counter.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn votes_pushed_as_json_are_counted_by_workers_that_wait() {
    script("votes.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_py_works_in_both_versions_of_the_protocol() {
    script("library.py").await;
}

/// The crate `redis`, with one connection that many share.
#[tokio::test(flavor = "multi_thread")]
async fn the_crate_redis_works() {
    for protocol in ["resp2", "resp3"] {
        let node = Node::start().await;
        let url = format!(
            "redis://127.0.0.1:{}/?protocol={protocol}",
            node.address.port()
        );
        let client = redis::Client::open(url).unwrap();
        let mut shared = client.get_multiplexed_async_connection().await.unwrap();
        let count = (0..50).map(|_| {
            let mut connection = shared.clone();
            async move { connection.incr::<_, _, i64>("n", 1).await.unwrap() }
        });
        let mut counts = futures_util::future::join_all(count).await;
        counts.sort_unstable();
        assert_eq!(counts, (1..=50).collect::<Vec<i64>>());
        let done: (i64, Vec<String>) = redis::pipe()
            .atomic()
            .cmd("RPUSH")
            .arg(&["l", "a", "b"])
            .cmd("LRANGE")
            .arg(&["l", "0", "-1"])
            .query_async(&mut shared)
            .await
            .unwrap();
        assert_eq!(done, (2, vec!["a".to_owned(), "b".to_owned()]));
        let fields = [("f", "v"), ("g", "w")];
        let () = shared.hset_multiple("h", &fields).await.unwrap();
        let all: std::collections::BTreeMap<String, String> = shared.hgetall("h").await.unwrap();
        assert_eq!(all.len(), 2);
        let wrong = shared.lpush::<_, _, i64>("n", "x").await.unwrap_err();
        assert_eq!(wrong.code(), Some("WRONGTYPE"));
        let popped: (String, String) = shared.blpop("l", 1.0).await.unwrap();
        assert_eq!(popped, ("l".to_owned(), "a".to_owned()));
        node.stop().await;
    }
}
