//! What `up` shows: the nodes' logs with a prefix, or a table that follows the cluster.
//!
//! A thread of its own writes. A terminal that is held up (or a pipe nobody reads) must hold up
//! neither the nodes, which would wait to log, nor their supervision: lines are dropped then.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::failure::{Failure, Outcome};
use crate::logging;

/// Lines that wait to be written: seconds of a talkative start.
const QUEUE_LINES: usize = 4096;

/// Lines that the table keeps below it.
const RECENT_LINES: usize = 8;

/// What is still to be written when all has stopped is given up after this long.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// One colour per node, told apart on light and dark: cyan, yellow, magenta, green, blue.
const COLOURS: [u8; 5] = [36, 33, 35, 32, 34];

/// What a node's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It waits for another to start.
    Waiting,
    /// It runs, with this process id.
    Running(u32),
    /// It has died and will be started again.
    Down,
    /// It was told to stop.
    Stopping,
    /// It has stopped.
    Stopped,
}

/// Where all that is shown goes. Clones share it.
#[derive(Clone)]
pub struct Screen(Arc<Inner>);

struct Inner {
    names: Vec<String>,
    /// Logs are shown as they come; otherwise the table shows the last of them.
    logs: bool,
    json: bool,
    colours: bool,
    queue: SyncSender<Text>,
    dropped: AtomicU64,
    nodes: Mutex<Vec<State>>,
    recent: Mutex<VecDeque<String>>,
}

enum Text {
    /// A line for standard error.
    Log(String),
    /// Text for standard output.
    Out(String),
    /// The table, in place of the one before.
    Frame(String),
    /// Nothing comes after; answered when all is written.
    End(Sender<()>),
}

impl Screen {
    /// A screen for nodes of these names; with `table`, a table instead of logs.
    pub fn new(names: Vec<String>, table: bool, json: bool) -> Outcome<Self> {
        if table && !io::stdout().is_terminal() {
            return Err(Failure::usage(
                "--status needs a terminal: leave it out to get the logs",
            ));
        }
        let (queue, texts) = sync_channel(QUEUE_LINES);
        std::thread::Builder::new()
            .name("screen".into())
            .spawn(move || write_all(&texts))
            .map_err(|error| Failure::failed(format!("cannot start a thread: {error}")))?;
        let nodes = Mutex::new(vec![State::Waiting; names.len()]);
        Ok(Screen(Arc::new(Inner {
            names,
            logs: !table,
            json,
            colours: !json && logging::colours(io::stderr().is_terminal()),
            queue,
            dropped: AtomicU64::new(0),
            nodes,
            recent: Mutex::default(),
        })))
    }

    /// Whether the nodes may use colours.
    pub fn colours(&self) -> bool {
        self.0.colours
    }

    /// Whether there is a table to draw.
    pub fn has_table(&self) -> bool {
        !self.0.logs
    }

    /// A line that the node at `place` logged.
    pub fn line(&self, place: usize, line: String) {
        let line = self.prefixed(place, &line);
        if self.0.logs {
            self.put(Text::Log(line));
        } else if line.contains("WARN") || line.contains("ERROR") {
            self.remember(line);
        }
    }

    /// Something that this process has to say about a node.
    pub fn say(&self, place: usize, text: &str) {
        let text = format!("{} {text}", self.0.names[place]);
        let line = if self.0.json {
            serde_json::json!({"up": text}).to_string()
        } else {
            format!("{} {}", self.paint(1, "up"), self.paint(1, &text))
        };
        if self.0.logs {
            self.put(Text::Log(line));
        } else {
            self.remember(line);
        }
    }

    /// Text for whoever started `up`, on standard output.
    pub fn tell(&self, text: String) {
        self.put(Text::Out(text));
    }

    /// Draws the table.
    pub fn draw(&self, table: String) {
        self.put(Text::Frame(table));
    }

    /// The last lines worth keeping under a table.
    pub fn recent(&self) -> Vec<String> {
        lock(&self.0.recent).iter().cloned().collect()
    }

    /// Takes note of what a node's process does.
    pub fn set(&self, place: usize, state: State) {
        lock(&self.0.nodes)[place] = state;
    }

    /// What each node's process does.
    pub fn states(&self) -> Vec<State> {
        lock(&self.0.nodes).clone()
    }

    /// Waits until all is written, but not long.
    pub fn close(&self) {
        let (done, written) = channel();
        if self.0.queue.try_send(Text::End(done)).is_ok() {
            // A terminal that is held up does not hold up the end.
            let _ = written.recv_timeout(CLOSE_TIMEOUT);
        }
    }

    /// The line with its node: as text before it, or as the first field of its JSON.
    fn prefixed(&self, place: usize, line: &str) -> String {
        let name = &self.0.names[place];
        match line.strip_prefix('{') {
            Some(rest) if self.0.json => format!("{{\"node\":\"{name}\",{rest}"),
            _ => {
                let width = self.0.names.iter().map(String::len).max().unwrap_or(0);
                let prefix = format!("{name:width$} |");
                format!(
                    "{} {line}",
                    self.paint(COLOURS[place % COLOURS.len()], &prefix)
                )
            }
        }
    }

    fn paint(&self, colour: u8, text: &str) -> String {
        if self.0.colours {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn remember(&self, line: String) {
        let mut recent = lock(&self.0.recent);
        if recent.len() == RECENT_LINES {
            recent.pop_front();
        }
        recent.push_back(line);
    }

    fn put(&self, text: Text) {
        let dropped = self.0.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            let note = format!("up: {dropped} lines were not shown, the terminal was too slow");
            if self.0.queue.try_send(Text::Log(note)).is_ok() {
                self.0.dropped.fetch_sub(dropped, Ordering::Relaxed);
            }
        }
        if self.0.queue.try_send(text).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// None of these holds anything that a panic could leave half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes what comes until the end. Nothing can be done about a stream that is closed.
fn write_all(texts: &Receiver<Text>) {
    let mut frame_lines = 0;
    for text in texts {
        let erase = if frame_lines > 0 {
            format!("\x1b[{frame_lines}A\x1b[J")
        } else {
            String::new()
        };
        frame_lines = 0;
        match text {
            Text::Log(line) => {
                let _ = writeln!(io::stderr(), "{line}");
            }
            Text::Out(text) => {
                let _ = write!(io::stdout(), "{erase}{text}");
            }
            Text::Frame(table) => {
                frame_lines = table.lines().count();
                // Long lines are cut, not wrapped: the next frame goes back by whole lines.
                let _ = write!(io::stdout(), "{erase}\x1b[?7l{table}\x1b[?7h");
            }
            Text::End(done) => {
                let _ = done.send(());
                return;
            }
        }
        let _ = io::stdout().flush();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn screen(json: bool) -> Screen {
        let names = vec!["n1".to_owned(), "n10".to_owned()];
        Screen::new(names, false, json).unwrap()
    }

    #[test]
    fn a_line_gets_its_node() {
        assert_eq!(screen(false).prefixed(0, "hello"), "n1  | hello");
        let json = screen(true);
        assert_eq!(json.prefixed(1, "{\"a\":1}"), "{\"node\":\"n10\",\"a\":1}");
        assert_eq!(json.prefixed(1, "thread panicked"), "n10 | thread panicked");
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let screen = screen(false);
        for number in 0..20 {
            screen.remember(number.to_string());
        }
        assert_eq!(
            screen.recent(),
            ["12", "13", "14", "15", "16", "17", "18", "19"]
        );
    }
}
