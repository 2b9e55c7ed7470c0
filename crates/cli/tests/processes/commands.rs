//! The one-shot commands against a real node.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::Value;

use super::harness::{Cluster, Running, program, run, stderr, stdout};

/// A user with a configuration directory of their own.
pub struct User {
    pub config: PathBuf,
    server: String,
}

impl User {
    fn new(cluster: &Cluster, name: &str) -> Self {
        let config = cluster.dir.path().join(format!("config-{name}"));
        User {
            config,
            server: cluster.nodes[0].url(),
        }
    }

    /// Runs a command. Only linearizable readings are sure to see at once what another user did.
    fn run(&self, arguments: &[&str]) -> Output {
        let fresh = ["--consistency", "linearizable"];
        run(&self.config, &self.server, &[arguments, &fresh].concat())
    }

    /// Runs a command that must succeed, and answers what it printed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            stderr(&output)
        );
        stdout(&output)
    }

    /// The same with `--json`.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.ok(&arguments)).unwrap()
    }

    /// Runs a command that must fail, and answers its exit code and what it said.
    pub fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        let said = stderr(&output);
        assert_eq!(said.lines().count(), 1, "one sentence: {said}");
        (output.status.code().unwrap(), said)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_and_administrators_do_their_work_from_the_command_line() {
    let cluster = Cluster::start(1).await;
    let (admin, ana) = (User::new(&cluster, "admin"), User::new(&cluster, "ana"));
    sessions(&admin, &ana);
    areas(&admin, &ana);
    posts(&admin, &ana);
    keys(&ana);
    journals(&ana);
    super::lottery::lotteries(&cluster, &admin, &ana).await;
    leaving(&admin, &ana);
    watching(&ana);
}

fn sessions(admin: &User, ana: &User) {
    let (code, said) = ana.fails(&["account", "whoami"]);
    assert!(
        code == 4 && said.contains("consorcio account login"),
        "{said}"
    );
    assert!(
        admin
            .ok(&["account", "login", "admin"])
            .starts_with("Signed in as admin until ")
    );
    let file = admin.config.join("consorcio/login.json");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(
        ana.ok(&["account", "register", "ana"])
            .contains("ana is a member now")
    );
    assert_eq!(ana.json(&["account", "whoami"])["name"], "ana");
    let (code, said) = ana.fails(&["account", "register", "ANA"]);
    assert!(code == 1 && said.contains("already an account"), "{said}");
    assert_eq!(ana.fails(&["account", "list"]).0, 4);
    let list = admin.ok(&["account", "list"]);
    assert!(
        list.contains("admin  administrator") && list.contains("ana    member"),
        "{list}"
    );
    admin.ok(&["account", "promote", "ana"]);
    assert_eq!(ana.json(&["account", "whoami"])["administrator"], true);
    admin.ok(&["account", "demote", "ana"]);
}

fn areas(admin: &User, ana: &User) {
    assert_eq!(ana.fails(&["area", "add", "Obras"]).0, 4);
    assert_eq!(
        admin.json(&["area", "add", "Obras", "--description", "Qué se hace"])["id"],
        1
    );
    admin.ok(&["area", "add", "Fiestas"]);
    admin.ok(&["area", "rename", "fiestas", "Fiestas y más"]);
    admin.ok(&["area", "describe", "2", "Lo que se celebra"]);
    let list = ana.ok(&["area", "list"]);
    assert!(
        list.contains("Fiestas y más") && list.contains("Lo que se celebra"),
        "{list}"
    );
    ana.ok(&["area", "subscribe", "obras"]);
    let followed = ana.json(&["area", "subscriptions"]);
    assert_eq!(followed["subscriptions"][0]["name"], "Obras");
    ana.ok(&["area", "subscribe", "2"]);
    ana.ok(&["area", "unsubscribe", "Fiestas y más"]);
    assert_eq!(ana.fails(&["area", "subscribe", "Nada"]).0, 5);
    admin.ok(&["area", "remove", "Fiestas y más"]);
}

fn posts(admin: &User, ana: &User) {
    let posted = admin.json(&[
        "news",
        "post",
        "Obras",
        "--title",
        "Agua",
        "--text",
        "El jueves.",
    ]);
    assert_eq!(posted["id"], 1);
    let file = ana.config.join("acta.md");
    std::fs::write(&file, "# Acta\n\nSe acordó todo.").unwrap();
    let path = file.to_str().unwrap();
    ana.ok(&["news", "post", "Obras", "--title", "Acta", "--file", path]);
    let same = [
        "news",
        "post",
        "Obras",
        "--title",
        "Una",
        "--text",
        "vez",
        "--request-id",
        "r1",
    ];
    assert_eq!(
        ana.json(&same)["id"],
        ana.json(&same)["id"],
        "the same id acts once"
    );
    assert_eq!(
        ana.json(&["news", "list", "Obras"])["posts"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let unread = ana.ok(&["news", "list"]);
    assert!(
        unread.contains("Obras:") && unread.contains("Agua"),
        "{unread}"
    );
    assert!(ana.ok(&["news", "read", "Obras"]).contains("El jueves."));
    assert_eq!(ana.ok(&["news", "list"]), "Nothing is unread.\n");
    assert_eq!(ana.json(&["news", "unmark", "Obras", "1"])["unread"], 1);
    assert_eq!(ana.json(&["news", "mark", "Obras", "--all"])["unread"], 0);
    assert!(ana.ok(&["news", "search", "acord"]).contains("Acta"));
    assert!(
        ana.ok(&["news", "show", "Obras", "2"])
            .contains("Se acordó todo.")
    );
    assert_eq!(ana.fails(&["news", "delete", "Obras", "1"]).0, 4);
    ana.ok(&["news", "delete", "Obras", "2"]);
    admin.ok(&["news", "hide", "Obras", "3", "--reason", "repetida"]);
    let list = ana.ok(&["news", "list", "Obras", "--newest"]);
    assert!(
        list.contains("(hidden: repetida)") && list.contains("(deleted"),
        "{list}"
    );
    let (code, said) = ana.fails(&["news", "post", "Obras", "--title", "", "--text", "x"]);
    assert!(code == 1 && said.contains("title"), "{said}");
    let (code, said) = admin.fails(&["area", "remove", "Obras"]);
    assert!(code == 1 && said.contains("--with-posts"), "{said}");
}

fn keys(ana: &User) {
    let stored = ana.json(&["kv", "put", "saludo/ñ", "hola"]);
    let version = stored["version"].as_i64().expect("a version");
    assert!(version > 0);
    assert_eq!(ana.ok(&["kv", "get", "saludo/ñ"]), "hola");
    assert_eq!(ana.json(&["kv", "get", "saludo/ñ"])["version"], version);
    assert_eq!(ana.json(&["kv", "delete", "saludo/ñ"])["version"], version);
    assert_eq!(ana.fails(&["kv", "get", "saludo/ñ"]).0, 5);
}

fn journals(ana: &User) {
    assert_eq!(ana.fails(&["journal", "range", "acta/ñ"]).0, 5);
    for (place, text) in ["uno", "dos\nlíneas", "tres"].iter().enumerate() {
        let appended = ana.json(&["journal", "append", "acta/ñ", text]);
        assert_eq!(appended["index"], place + 1);
    }
    let append = [
        "journal",
        "append",
        "acta/ñ",
        "cuatro",
        "--request-id",
        "acta-4",
    ];
    assert_eq!(ana.json(&append)["index"], 4);
    assert_eq!(ana.json(&append)["index"], 4, "once");
    let shown = ana.json(&["journal", "read", "acta/ñ", "2"]);
    assert_eq!(shown["data"], "dos\nlíneas");
    assert_eq!(
        (&shown["author"], &shown["node"]),
        (&"ana".into(), &"n1".into())
    );
    assert!(shown["term"].as_u64().expect("a term") > 0);
    let shown = ana.ok(&["journal", "read", "acta/ñ", "1"]);
    for line in [
        "index   1\n",
        "author  ana\n",
        "node    n1\n",
        "data    uno\n",
    ] {
        assert!(shown.contains(line), "{line:?} is missing:\n{shown}");
    }
    assert_eq!(ana.fails(&["journal", "read", "acta/ñ", "9"]).0, 5);
    let range = ana.ok(&["journal", "range", "acta/ñ", "--from", "3", "--limit", "1"]);
    assert!(
        range.starts_with("3 ") && range.ends_with(" ana tres\n"),
        "{range}"
    );
    let tail = ana.ok(&["journal", "tail", "acta/ñ", "-n", "2"]);
    assert_eq!(tail.lines().count(), 2, "{tail}");
    followed(ana);
    let trimmed = ana.ok(&["journal", "trim", "acta/ñ", "--keep", "1"]);
    assert_eq!(trimmed, "Dropped 4 entries of acta/ñ.\n");
    assert_eq!(ana.ok(&["journal", "list"]), "acta/ñ\n");
}

/// What is appended while somebody looks on.
fn followed(ana: &User) {
    let tail = program()
        .args(["journal", "tail", "acta/ñ", "-n", "1", "--follow", "--json"])
        .env("XDG_CONFIG_HOME", &ana.config)
        .env("CONSORCIO_SERVER", &ana.server)
        .stdout(Stdio::piped())
        .spawn();
    let mut tail = Running(tail.unwrap());
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["index"], 4);
    ana.ok(&["journal", "append", "acta/ñ", "cinco"]);
    let entry = next();
    assert_eq!(
        (&entry["index"], &entry["data"]),
        (&5.into(), &"cinco".into())
    );
}

fn leaving(admin: &User, ana: &User) {
    let status = admin.ok(&["cluster", "status"]);
    assert!(status.starts_with("n1 leads in term "), "{status}");
    assert_eq!(ana.fails(&["cluster", "token"]).0, 4);
    assert!(
        admin
            .ok(&["account", "logout"])
            .contains("Signed out admin.")
    );
    assert_eq!(admin.fails(&["account", "whoami"]).0, 4);
    assert!(
        admin
            .ok(&["account", "logout"])
            .contains("Nobody was signed in.")
    );
}

fn watching(ana: &User) {
    let watch = program()
        .args([
            "news", "watch", "--json", "--area", "Obras", "--count", "1", "--after", "0-0",
        ])
        .env("XDG_CONFIG_HOME", &ana.config)
        .env("CONSORCIO_SERVER", &ana.server)
        .stdout(Stdio::piped())
        .spawn();
    let mut watch = Running(watch.unwrap());
    let mut line = String::new();
    BufReader::new(watch.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["kind"], "area.added", "{line}");
    assert!(watch.wait().unwrap().success());
}
