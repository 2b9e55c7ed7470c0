//! A disk so small that a test can fill it: memory, mounted where only the test's own processes see
//! it. Linux lets everybody do that in a user namespace of their own, unless somebody forbade it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::harness::{PROGRAM, unset};

/// Fills what is left of a disk.
const FILLER: &str = "filler";

/// A disk.
pub struct SmallDisk {
    /// Where it is mounted, for its own processes.
    path: PathBuf,
    /// Keeps it while its standard input is open.
    keeper: Child,
}

impl SmallDisk {
    /// Mounts a disk at a directory, which is made. `None` if this machine does not let us; with
    /// `CONSORCIO_TEST_STRICT=1` it must.
    pub fn mount(path: &Path, mebibytes: u32) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let script = "mount -t tmpfs -o size=$1m,mode=700 tmpfs \"$2\" && echo mounted && exec cat";
        let keeper = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
            .arg(mebibytes.to_string())
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut said = String::new();
        let mounted = keeper.and_then(|mut keeper| {
            let out = keeper.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
            BufReader::new(out).read_line(&mut said)?;
            Ok(keeper)
        });
        if let Ok(keeper) = mounted
            && said == "mounted\n"
        {
            let path = path.to_owned();
            return Some(SmallDisk { path, keeper });
        }
        let strict = std::env::var("CONSORCIO_TEST_STRICT").is_ok_and(|value| value == "1");
        assert!(
            !strict,
            "no user namespaces, and CONSORCIO_TEST_STRICT asks for them"
        );
        // Not `eprintln`, which the test runner swallows when a test passes.
        let skipped = b"skipped: this machine lets nobody mount a disk in a namespace\n";
        std::io::stderr().write_all(skipped).unwrap();
        None
    }

    /// The program, not yet started, where it sees the disk.
    pub fn program(&self) -> Command {
        let keeper = self.keeper.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &keeper, "--user", "--mount"]);
        command.args(["--preserve-credentials", "--", PROGRAM]);
        unset(command)
    }

    /// Where this process sees a path of the disk.
    pub fn seen(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        root.join(path.strip_prefix("/").unwrap())
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut file = File::create(self.seen(&self.path.join(FILLER))).unwrap();
        let page = [1; 4096];
        loop {
            match file.write_all(&page) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("the disk cannot be filled: {error}"),
            }
        }
    }

    /// Gives it back.
    pub fn make_room(&self) {
        fs::remove_file(self.seen(&self.path.join(FILLER))).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Its standard input ends, and with it the keeper and the disk.
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
