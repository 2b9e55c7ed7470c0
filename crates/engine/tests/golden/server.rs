//! A PostgreSQL server for the test: the one that `CONSORCIO_TEST_POSTGRES` names, or one of the
//! test's own in a temporary directory, on a Unix socket, stopped and removed at the end. Where
//! PostgreSQL is not installed there is none, and the test says so.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use postgres::{Client, NoTls};
use tempfile::TempDir;

/// A server that can be reached.
pub struct Server {
    /// As libpq reads it.
    address: String,
    /// Stops the server when it is dropped.
    _own: Option<OwnServer>,
}

/// Finds or starts a server, or says why not. With `CONSORCIO_TEST_STRICT=1` there must be one.
pub fn start() -> Option<Server> {
    if let Ok(address) = std::env::var("CONSORCIO_TEST_POSTGRES") {
        return Some(Server {
            address,
            _own: None,
        });
    }
    let Some(programs) = programs() else {
        let strict = std::env::var("CONSORCIO_TEST_STRICT").is_ok_and(|value| value == "1");
        assert!(
            !strict,
            "PostgreSQL is not installed, and CONSORCIO_TEST_STRICT asks for it"
        );
        // Not `println`, which the test runner swallows when a test passes.
        std::io::stderr()
            .write_all(
                b"skipped: PostgreSQL is not installed
",
            )
            .unwrap();
        return None;
    };
    let own = OwnServer::start(programs);
    let address = format!(
        "host={} user=test dbname=postgres",
        own.dir.path().display()
    );
    Some(Server {
        address,
        _own: Some(own),
    })
}

impl Server {
    /// A connection to a database that compares text by bytes.
    pub fn connect(&self) -> Client {
        let mut client = Client::connect(&self.address, NoTls).unwrap();
        let collation = "SELECT datcollate FROM pg_database WHERE datname = current_database()";
        let collation: String = client.query_one(collation, &[]).unwrap().get(0);
        assert_eq!(
            collation, "C",
            "the test needs a database with the collation C"
        );
        client
            .batch_execute("SET client_min_messages = warning")
            .unwrap();
        client
    }
}

struct OwnServer {
    programs: PathBuf,
    dir: TempDir,
}

impl OwnServer {
    fn start(programs: PathBuf) -> Self {
        let server = Self {
            programs,
            dir: tempfile::tempdir().unwrap(),
        };
        let dir = server.dir.path();
        give_to_postgres(dir);
        server.run(
            "initdb",
            &[
                "-U",
                "test",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
            ],
        );
        let options = format!("-c listen_addresses= -c fsync=off -k {}", dir.display());
        let log = dir.join("log").display().to_string();
        server.run("pg_ctl", &["start", "-w", "-s", "-l", &log, "-o", &options]);
        server
    }

    fn run(&self, program: &str, args: &[&str]) {
        let output = self.command(program, args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} failed: {text}");
    }

    /// Runs a program on the server's data; as user `postgres` if need be, because PostgreSQL
    /// refuses to run as root.
    fn command(&self, program: &str, args: &[&str]) -> Output {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args([
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                "--",
            ]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        command
            .arg("-D")
            .arg(self.dir.path().join("data"))
            .args(args);
        command
            .current_dir("/")
            .env("LC_ALL", "C")
            .output()
            .unwrap()
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.command("pg_ctl", &["stop", "-m", "immediate", "-w", "-s"]);
    }
}

/// The newest installed version's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists() && bin.join("pg_ctl").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

fn give_to_postgres(dir: &Path) {
    if is_root() {
        let status = Command::new("chown")
            .arg("postgres:postgres")
            .arg(dir)
            .status()
            .unwrap();
        assert!(
            status.success(),
            "the directory cannot be given to user postgres"
        );
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}
