//! Directories, ports and processes of a measurement; all are gone when it ends.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::interrupt;

/// How often a condition is looked at while waiting for it.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A directory that is removed with all that is in it.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one in `base`.
    pub fn new(base: Option<&Path>) -> anyhow::Result<Self> {
        let base = base.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let path = base.join(format!("consorcio-bench-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Scratch(path))
    }

    /// A new directory in it.
    pub fn fresh_dir(&self, name: &str) -> anyhow::Result<PathBuf> {
        let number = fs::read_dir(&self.0)?.count();
        let path = self.0.join(format!("{name}-{number}"));
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }

    /// Where it is, and on what kind of disk: a sync costs nothing in memory.
    pub fn describe(&self) -> String {
        let base = self.0.parent().unwrap_or(&self.0);
        match file_system(&self.0) {
            Some(kind) => format!("{} ({kind})", base.display()),
            None => base.display().to_string(),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The kind of file system a path is on, as `/proc/self/mounts` names it.
fn file_system(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let fields = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    let over = fields.filter(|fields| fields.len() > 2 && path.starts_with(fields[1]));
    over.max_by_key(|fields| fields[1].len())
        .map(|fields| fields[2].to_owned())
}

/// A process that is killed when nobody needs it any more.
pub struct Process {
    child: Child,
    /// Where it writes what it has to say.
    log: PathBuf,
}

/// The end of a log that an error quotes, in lines.
const LOG_QUOTED: usize = 10;

impl Process {
    /// Starts it. What it prints goes to the end of the file `log`.
    pub fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        // The other end of its standard input is ours: a node that is supervised stops with us.
        command
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        Ok(Process {
            child,
            log: log.to_owned(),
        })
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop with SIGTERM and waits until it is gone.
    pub fn terminate(&mut self) -> anyhow::Result<()> {
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }

    /// Fails if it has ended, and quotes the last it said.
    pub fn still_runs(&self) -> anyhow::Result<()> {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        // Only looked at: whoever owns the process collects its end.
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if waitid(WaitId::Pid(Pid::from_child(&self.child)), look)?.is_some() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let quoted = lines[lines.len().saturating_sub(LOG_QUOTED)..].join("\n");
            bail!("a node ended; the last it said:\n{quoted}");
        }
        Ok(())
    }

    /// Memory it holds now (`VmRSS`), in bytes.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most memory that it has held so far (`VmHWM`), in bytes.
    pub fn peak_bytes(&self) -> anyhow::Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, field: &str) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib: u64 = line
            .unwrap_or_default()
            .trim()
            .trim_end_matches(" kB")
            .parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Ports of this machine that nobody uses now.
pub fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let listeners: Result<Vec<_>, _> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect();
    listeners?
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}

/// Waits until `condition` holds; an error of it counts as "not yet" and is told at the end.
/// Answers how long it took. Fails at once if one of the processes has ended.
pub fn wait_until(
    what: &str,
    at_most: Duration,
    processes: &[Process],
    mut condition: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<Duration> {
    let started = Instant::now();
    loop {
        interrupt::check()?;
        processes.iter().try_for_each(Process::still_runs)?;
        let answer = condition();
        if matches!(answer, Ok(true)) {
            return Ok(started.elapsed());
        }
        if started.elapsed() > at_most {
            match answer {
                Err(error) => return Err(error.context(format!("waited {at_most:?} until {what}"))),
                Ok(_) => bail!("waited {at_most:?} until {what}"),
            }
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Bytes that the files under a directory take on the disk.
pub fn disk_bytes(dir: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            disk_bytes(&entry.path())?
        } else {
            metadata.blocks() * 512
        };
    }
    Ok(bytes)
}
