//! Ctrl-C and SIGTERM end a measurement or an agency early, but not before what it began is
//! put in order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::signal::unix::{SignalKind, signal};

static ASKED: AtomicBool = AtomicBool::new(false);

/// The longest that nobody looks whether a signal came.
const GLANCE: Duration = Duration::from_millis(50);

/// Notes the signals from now on.
pub fn listen() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    std::thread::spawn(move || runtime.block_on(wait_for_signal()));
    Ok(())
}

async fn wait_for_signal() {
    let signals = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    if let (Ok(mut interrupt), Ok(mut terminate)) = signals {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        ASKED.store(true, Ordering::Relaxed);
    }
}

/// Whether a signal came.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Fails once a signal came.
pub fn check() -> anyhow::Result<()> {
    if asked() {
        bail!("interrupted");
    }
    Ok(())
}

/// Waits; fails as soon as a signal comes.
pub fn sleep(time: Duration) -> anyhow::Result<()> {
    let end = Instant::now() + time;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(GLANCE));
    }
}
