//! A PostgreSQL server of the test's own: in a temporary directory, on a Unix socket, stopped and
//! removed at the end. Where PostgreSQL is not installed there is none, and the test says so.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use postgres::{Client, NoTls};
use tempfile::TempDir;

/// A running server.
pub struct Server {
    programs: PathBuf,
    dir: TempDir,
}

/// Starts a server, or says why not. With `CONSORCIO_TEST_STRICT=1` it must be there.
pub fn start() -> Option<Server> {
    let Some(programs) = programs() else {
        let strict = std::env::var("CONSORCIO_TEST_STRICT").is_ok_and(|value| value == "1");
        assert!(
            !strict,
            "PostgreSQL is not installed, and CONSORCIO_TEST_STRICT asks for it"
        );
        println!("skipped: PostgreSQL is not installed");
        return None;
    };
    let server = Server {
        programs,
        dir: tempfile::tempdir().unwrap(),
    };
    give_to_postgres(server.dir.path());
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
            "--no-sync",
        ],
    );
    let options = format!(
        "-c listen_addresses= -c fsync=off -k {}",
        server.dir.path().display()
    );
    let log = server.dir.path().join("log");
    server.run(
        "pg_ctl",
        &[
            "start",
            "-w",
            "-s",
            "-l",
            log.to_str().unwrap(),
            "-o",
            &options,
        ],
    );
    Some(server)
}

impl Server {
    /// A client of a new, empty database.
    pub fn database(&self, name: &str) -> Client {
        let create = format!("CREATE DATABASE {name}");
        self.connect("postgres").batch_execute(&create).unwrap();
        self.connect(name)
    }

    fn connect(&self, name: &str) -> Client {
        let host = self.dir.path().display();
        let mut client =
            Client::connect(&format!("host={host} user=test dbname={name}"), NoTls).unwrap();
        client
            .batch_execute("SET client_min_messages = warning")
            .unwrap();
        client
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

impl Drop for Server {
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
