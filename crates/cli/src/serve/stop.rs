//! When a node stops: SIGTERM, Ctrl-C, or the end of whoever supervises it.

use std::io::Read;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::failure::{Failure, Outcome};

/// A node that has not stopped this long after it was told to ends anyhow: whoever waits for it
/// (`up`, an init system) kills it soon after.
const PATIENCE: Duration = Duration::from_secs(20);

/// Blocking work that is still under way when the node has stopped is left after this long.
pub const LINGER: Duration = Duration::from_secs(2);

/// Cancels `stop` when the node is to stop; a second signal, or [`PATIENCE`], ends the process.
pub fn watch(stop: CancellationToken, supervised: bool) -> Outcome {
    let fail = |error| Failure::failed(format!("cannot watch for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(fail)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fail)?;
    let orphaned = CancellationToken::new();
    if supervised {
        watch_supervisor(orphaned.clone()).map_err(fail)?;
    }
    tokio::spawn(async move {
        let why = tokio::select! {
            why = first(&mut terminate, &mut interrupt) => why,
            () = orphaned.cancelled() => "the supervisor is gone",
        };
        info!(why, "stopping");
        stop.cancel();
        tokio::select! {
            _ = first(&mut terminate, &mut interrupt) => warn!("told to stop twice: ending now"),
            () = tokio::time::sleep(PATIENCE) => {
                error!(patience = ?PATIENCE, "stopping takes too long: ending now");
            }
        }
        std::process::exit(1);
    });
    Ok(())
}

async fn first(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

/// Cancels `orphaned` when standard input ends. The supervisor holds its other end and never
/// writes, so it ends with the supervisor, however that one ends.
pub fn watch_supervisor(orphaned: CancellationToken) -> std::io::Result<()> {
    let watch = move || {
        let mut byte = [0];
        while matches!(std::io::stdin().read(&mut byte), Ok(count) if count > 0) {}
        orphaned.cancel();
    };
    // A thread of its own: a blocking read must not hold up the runtime's end.
    std::thread::Builder::new()
        .name("supervisor".into())
        .spawn(watch)
        .map(|_| ())
}
