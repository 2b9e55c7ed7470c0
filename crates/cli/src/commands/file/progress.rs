//! How far a file is, on a terminal.

use indicatif::{ProgressBar, ProgressStyle};

const TEMPLATE: &str =
    "{bar:30} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";

/// A bar on standard error; nothing where that is no terminal.
pub struct Progress(ProgressBar);

impl Progress {
    /// Of something of so many bytes.
    pub fn of(size_bytes: u64, hidden: bool) -> Self {
        if hidden {
            return Progress(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(size_bytes);
        // A template that is wrong leaves the plain bar.
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Progress(bar)
    }

    /// So many bytes were there before: they say nothing about how fast it goes.
    pub fn begin(&self, there: u64) {
        self.0.set_position(there);
        self.0.reset_eta();
    }

    /// So many bytes are done.
    pub fn at(&self, done: u64) {
        self.0.set_position(done);
    }

    /// It is over.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
