//! Logs go to standard error: text with colours on a terminal, or one JSON object a line.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::failure::{Failure, Outcome};

/// What other people's code logs is for those who ask for it: a later directive of the user wins.
const QUIET: &str = "openraft=error";

/// Starts logging. `filter` is a level, or levels by module: `info,engine=debug`.
pub fn start(filter: &str, json: bool) -> Outcome {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(format!("{QUIET},{filter}"))
        .map_err(|error| Failure::usage(format!("--log {filter:?} is no log level: {error}")))?;
    // A reader of the logs that is gone must not bring the node down: the errors of writing to it
    // would be written there too, and fail again.
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .log_internal_errors(false);
    let started = if json {
        logs.json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init()
    } else {
        logs.with_ansi(colours(io::stderr().is_terminal()))
            .try_init()
    };
    started.map_err(|error| Failure::failed(format!("cannot start logging: {error}")))
}

/// Whether to use colours on a stream, as <https://no-color.org> and CLICOLOR_FORCE ask.
pub fn colours(terminal: bool) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    !set("NO_COLOR") && (terminal || set("CLICOLOR_FORCE"))
}
