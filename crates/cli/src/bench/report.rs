//! What a measurement found: a table for people, JSON for programs, from the same cells.

use std::io::Write as _;

use serde_json::{Map, Value, json};

/// The outcome of one measurement.
pub struct Report {
    /// What was measured, in one line.
    pub title: String,
    /// Under which circumstances: whoever quotes a figure needs them.
    pub setting: Vec<String>,
    /// The columns' names.
    pub columns: Vec<&'static str>,
    /// The figures, in the order of the columns.
    pub rows: Vec<Vec<Cell>>,
}

/// One place of the table.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number and how many decimals it deserves.
    Number(f64, usize),
    /// Not measured here.
    Missing,
}

impl Cell {
    fn text(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Number(number, decimals) => grouped(*number, *decimals),
            Cell::Missing => "–".to_owned(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Cell::Text(text) => json!(text),
            Cell::Number(number, 0) => json!(number.round() as i64),
            Cell::Number(number, decimals) => {
                let scale = 10f64.powi(*decimals as i32);
                json!((number * scale).round() / scale)
            }
            Cell::Missing => Value::Null,
        }
    }
}

impl Report {
    /// Writes it to standard output.
    pub fn print(&self, as_json: bool) -> anyhow::Result<()> {
        let text = if as_json {
            self.to_json()
        } else {
            self.to_text()
        };
        Ok(writeln!(std::io::stdout().lock(), "{text}")?)
    }

    fn to_json(&self) -> String {
        let row = |cells: &Vec<Cell>| -> Map<String, Value> {
            let named = self.columns.iter().zip(cells);
            named
                .map(|(name, cell)| (name.replace(' ', "_"), cell.json()))
                .collect()
        };
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        let whole = json!({"title": self.title, "setting": self.setting, "rows": rows});
        format!("{whole:#}")
    }

    fn to_text(&self) -> String {
        let mut lines = vec![self.title.clone()];
        lines.extend(self.setting.iter().map(|line| format!("  {line}")));
        lines.push(String::new());
        let header = self.columns.iter().map(|name| (*name).to_owned()).collect();
        let mut rows: Vec<Vec<String>> = vec![header];
        rows.extend(
            self.rows
                .iter()
                .map(|row| row.iter().map(Cell::text).collect()),
        );
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for row in &rows {
            let cells = row.iter().zip(&widths).enumerate();
            let aligned = cells.map(|(column, (text, width))| match column {
                0 => format!("{text:<width$}"),
                _ => format!("{text:>width$}"),
            });
            lines.push(aligned.collect::<Vec<_>>().join("  ").trim_end().to_owned());
        }
        lines.join("\n")
    }
}

/// `12345.6` is `12,345.6`.
fn grouped(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        let left = whole.len() - place;
        if place > 0 && left % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// The middle of some figures; 0 of none.
pub fn median(figures: &[f64]) -> f64 {
    quantile(figures, 0.5)
}

/// The figure below which the part `q` (0 to 1) of them lies; 0 of none.
pub fn quantile(figures: &[f64], q: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (q * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn report() -> Report {
        Report {
            title: "writes a second".to_owned(),
            setting: vec!["three nodes".to_owned()],
            columns: vec!["clients", "a second", "p99 ms"],
            rows: vec![
                vec![
                    Cell::Number(1.0, 0),
                    Cell::Number(1234567.4, 0),
                    Cell::Number(0.456, 2),
                ],
                vec![
                    Cell::Text("all".to_owned()),
                    Cell::Number(999.0, 0),
                    Cell::Missing,
                ],
            ],
        }
    }

    #[test]
    fn a_table_is_aligned() {
        let expected = "writes a second\n  three nodes\n\n\
                        clients   a second  p99 ms\n\
                        1        1,234,567    0.46\n\
                        all            999       –";
        assert_eq!(report().to_text(), expected);
    }

    #[test]
    fn json_has_the_same_figures() {
        let json: Value = serde_json::from_str(&report().to_json()).unwrap();
        assert_eq!(
            json["rows"][0],
            json!({"clients": 1, "a_second": 1234567, "p99_ms": 0.46})
        );
        assert_eq!(json["rows"][1]["p99_ms"], Value::Null);
    }

    #[test]
    fn quantiles_are_figures_that_were_measured() {
        let figures: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&figures, 0.99), 99.0);
        assert_eq!(median(&figures[..99]), 51.0);
        assert_eq!(median(&[]), 0.0);
    }
}
