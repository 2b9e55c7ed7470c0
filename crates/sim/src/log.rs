//! The nodes' own log, with virtual time and the node's name on every line.

use std::fmt;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::context;

/// What of the log is printed while a world runs, for example `info` or `engine=debug`; nothing
/// unless it is set.
const LOG_ENV: &str = "CONSORCIO_SIM_LOG";

/// Writes virtual time and node where others write the time of day.
struct WhenAndWho;

impl FormatTime for WhenAndWho {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        match context::try_current() {
            Some(context) => {
                let now = context::now().elapsed_since_start();
                write!(
                    writer,
                    "{:>12.6} {}",
                    now.as_secs_f64(),
                    context.group.node()
                )
            }
            None => write!(writer, "{:>12} --", ""),
        }
    }
}

/// Prints this thread's log until the guard is dropped, if the environment asks for it.
pub(crate) fn print() -> Option<tracing::subscriber::DefaultGuard> {
    let filter = std::env::var(LOG_ENV).ok()?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_timer(WhenAndWho)
        .with_ansi(false)
        .with_test_writer()
        .finish();
    Some(tracing::subscriber::set_default(subscriber))
}
