//! What a drill may do to the process: its disk, its clock, its life. One process is one node.

use std::io;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

static SYNC_DELAY_MS: AtomicU64 = AtomicU64::new(0);
static DISK_FULL: AtomicBool = AtomicBool::new(false);
static CLOCK_OFFSET_MS: AtomicI64 = AtomicI64::new(0);

/// Makes every sync of the log take so much longer; zero ends it.
pub fn slow_disk(delay: Duration) {
    let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    SYNC_DELAY_MS.store(delay_ms, Ordering::Relaxed);
}

/// Lets the log find no room on the disk, or room again. The state and SQLite's files are not
/// touched: without a log nothing gets so far.
pub fn fill_disk(full: bool) {
    DISK_FULL.store(full, Ordering::Relaxed);
}

/// Sets the node's wall clock ahead of the machine's, or back; zero ends it.
pub fn skew_clock(offset_ms: i64) {
    CLOCK_OFFSET_MS.store(offset_ms, Ordering::Relaxed);
}

/// Whether this process can be killed and stopped from within: the first one of a container cannot,
/// whatever its own processes send it.
pub fn is_mortal() -> bool {
    std::process::id() != 1
}

/// Ends this process at once, as `kill -9` does.
pub fn kill() -> io::Result<()> {
    aside("kill -KILL \"$1\"", Duration::ZERO)
}

/// Stops this process (SIGSTOP) and lets it go on after so long. A process that stands still cannot
/// wake itself: another does, whatever becomes of whoever asked for it.
pub fn pause(duration: Duration) -> io::Result<()> {
    aside(
        "kill -STOP \"$1\"; sleep \"$2\"; kill -CONT \"$1\"",
        duration,
    )
}

fn aside(script: &str, duration: Duration) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    let seconds = format!("{:.3}", duration.as_secs_f64());
    let mut helper = Command::new("/bin/sh");
    helper
        .args([
            "-c",
            script,
            "drill",
            &std::process::id().to_string(),
            &seconds,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C is for the node, not for the one who wakes it.
        .process_group(0);
    let mut helper = helper.spawn()?;
    // Somebody has to take note of its end, or it stays in the table of processes.
    std::thread::spawn(move || helper.wait());
    Ok(())
}

pub(super) fn clock_offset_ms() -> i64 {
    CLOCK_OFFSET_MS.load(Ordering::Relaxed)
}

pub(super) fn room() -> io::Result<()> {
    match DISK_FULL.load(Ordering::Relaxed) {
        true => Err(io::ErrorKind::StorageFull.into()),
        false => Ok(()),
    }
}

pub(super) fn delay() {
    let delay_ms = SYNC_DELAY_MS.load(Ordering::Relaxed);
    if delay_ms > 0 {
        std::thread::sleep(Duration::from_millis(delay_ms));
    }
}
