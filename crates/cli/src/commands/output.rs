//! What a command prints: aligned tables and sentences, or the API's JSON.

use std::io::{self, ErrorKind, IsTerminal, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::failure::{Failure, Outcome};
use crate::logging;

/// How text is set off on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it comes.
    Plain,
    /// A heading, or what is new.
    Bold,
    /// What matters less.
    Dim,
    /// What is well.
    Green,
    /// What is not.
    Red,
}

/// Standard output.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Print JSON.
    pub json: bool,
    colours: bool,
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    style: Style,
    right: bool,
}

/// Text from a neighbour, a server or a number. What it holds is shown, never obeyed: control
/// characters could otherwise rewrite the reader's terminal.
pub fn cell(text: impl ToString) -> Cell {
    Cell {
        text: one_line(&text.to_string()),
        style: Style::Plain,
        right: false,
    }
}

impl Cell {
    /// The same, set off.
    pub fn style(self, style: Style) -> Self {
        Cell { style, ..self }
    }

    /// The same, aligned to the right, as numbers are.
    pub fn right(self) -> Self {
        Cell {
            right: true,
            ..self
        }
    }
}

impl Output {
    pub fn new(json: bool) -> Self {
        Output {
            json,
            colours: !json && logging::colours(io::stdout().is_terminal()),
        }
    }

    /// Prints `value` as JSON on one line.
    pub fn json<T: Serialize>(&self, value: &T) -> Outcome {
        let text = serde_json::to_string(value).map_err(Failure::failed)?;
        self.raw(format!("{text}\n").as_bytes())
    }

    /// Prints a sentence, unless JSON is asked for.
    pub fn say(&self, sentence: impl AsRef<str>) -> Outcome {
        if self.json {
            Ok(())
        } else {
            self.line(sentence.as_ref())
        }
    }

    /// Prints a line whose text may come from anybody.
    pub fn line(&self, text: &str) -> Outcome {
        self.raw(format!("{}\n", one_line(text)).as_bytes())
    }

    /// Prints a line of cells, without aligning them.
    pub fn cells(&self, cells: &[Cell]) -> Outcome {
        let cells: Vec<String> = cells.iter().map(|c| self.paint(&c.text, c.style)).collect();
        self.raw(format!("{}\n", cells.join(" ")).as_bytes())
    }

    /// Prints a text of many lines.
    pub fn text(&self, text: &str) -> Outcome {
        let lines: Vec<String> = text.lines().map(one_line).collect();
        self.raw(format!("{}\n", lines.join("\n")).as_bytes())
    }

    /// Prints a table, or `empty` if it has no rows.
    pub fn table(&self, heads: &[&str], rows: &[Vec<Cell>], empty: &str) -> Outcome {
        if rows.is_empty() {
            self.line(empty)
        } else {
            self.raw(self.lay(heads, rows).as_bytes())
        }
    }

    /// A table as text.
    pub fn lay(&self, heads: &[&str], rows: &[Vec<Cell>]) -> String {
        let width_of = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.text.width())
                .max()
                .unwrap_or(0)
                .max(heads[column].width())
        };
        let widths: Vec<usize> = (0..heads.len()).map(width_of).collect();
        let right = |column: usize| rows.first().is_some_and(|row| row[column].right);
        let head = heads.iter().enumerate().map(|(column, head)| {
            let head = cell(head).style(Style::Dim);
            if right(column) { head.right() } else { head }
        });
        let head: Vec<Cell> = head.collect();
        let lines = std::iter::once(&head)
            .chain(rows)
            .map(|row| self.row(row, &widths));
        lines.fold(String::new(), |text, line| text + &line + "\n")
    }

    fn row(&self, cells: &[Cell], widths: &[usize]) -> String {
        let columns: Vec<String> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| {
                let space = " ".repeat(width.saturating_sub(cell.text.width()));
                let text = self.paint(&cell.text, cell.style);
                if cell.right {
                    space + &text
                } else {
                    text + &space
                }
            })
            .collect();
        columns.join("  ").trim_end().to_owned()
    }

    fn paint(&self, text: &str, style: Style) -> String {
        let code = match style {
            Style::Plain => return text.to_owned(),
            Style::Bold => 1,
            Style::Dim => 2,
            Style::Green => 32,
            Style::Red => 31,
        };
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Clears the terminal; what is no terminal gets an empty line instead.
    pub fn clear(&self) -> Outcome {
        self.raw(if io::stdout().is_terminal() {
            b"\x1b[H\x1b[2J"
        } else {
            b"\n"
        })
    }

    /// Prints bytes as they are.
    pub fn raw(&self, bytes: &[u8]) -> Outcome {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            // Whoever read the output (`head`, a pager) has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => Err(Failure::failed(format!("cannot write the output: {error}"))),
        }
    }
}

/// A text that is drawn again and again in the same place of a terminal.
#[derive(Debug)]
pub struct Frames {
    terminal: bool,
    lines: usize,
}

impl Frames {
    pub fn new() -> Self {
        Frames {
            terminal: io::stdout().is_terminal(),
            lines: 0,
        }
    }

    /// False if standard output is no terminal: then there is no place to go back to.
    pub fn in_place(&self) -> bool {
        self.terminal
    }

    /// Draws `text`, which holds nothing that steers a terminal, in place of the one before.
    pub fn draw(&mut self, out: Output, text: &str) -> Outcome {
        out.raw(self.next(text).as_bytes())
    }

    /// Long lines are cut, not wrapped: the next one goes back by whole lines.
    fn next(&mut self, text: &str) -> String {
        let back = match self.lines {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\x1b[J"),
        };
        self.lines = text.lines().count();
        format!("{back}\x1b[?7l{text}\x1b[?7h")
    }
}

/// `text` without control characters.
pub fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(colours: bool) -> Output {
        Output {
            json: false,
            colours,
        }
    }

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let rows = [
            vec![cell("Obras").style(Style::Bold), cell(3).right()],
            vec![cell("Jardín y más"), cell(120).right()],
        ];
        let plain = output(false).lay(&["AREA", "NEW"], &rows);
        assert_eq!(
            plain,
            "AREA          NEW\nObras           3\nJardín y más  120\n"
        );
        let painted = output(true).lay(&["AREA", "NEW"], &rows);
        assert!(
            painted.contains("\x1b[1mObras\x1b[0m         "),
            "{painted:?}"
        );
    }

    #[test]
    fn a_frame_takes_the_place_of_the_one_before() {
        let mut frames = Frames {
            terminal: true,
            lines: 0,
        };
        assert_eq!(frames.next("a\nb\n"), "\x1b[?7la\nb\n\x1b[?7h");
        assert_eq!(frames.next("c\n"), "\x1b[2A\x1b[J\x1b[?7lc\n\x1b[?7h");
        assert!(frames.next("d\n").starts_with("\x1b[1A\x1b[J"));
    }

    #[test]
    fn what_a_neighbour_wrote_does_not_steer_the_terminal() {
        let rows = [vec![cell("a\x1b[2Jb\nc")]];
        assert_eq!(
            output(true).lay(&["X"], &rows).lines().last(),
            Some("a\u{FFFD}[2Jb\u{FFFD}c")
        );
    }
}
