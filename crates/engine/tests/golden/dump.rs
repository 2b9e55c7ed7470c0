//! All that is stored, as text: to compare databases, and to see that nothing changed.

use domain::{Sql, Value};

/// Every table but the machine's own row and the stored replies, which a rejection may change.
const CONTENTS: &[&str] = &[
    "SELECT * FROM accounts ORDER BY id",
    "SELECT * FROM sessions ORDER BY token_hash",
    "SELECT * FROM outbox ORDER BY log_index, number",
    "SELECT * FROM outbox_floor ORDER BY id",
    "SELECT * FROM areas ORDER BY id",
    "SELECT * FROM subscriptions ORDER BY area, account",
    "SELECT * FROM posts ORDER BY document",
    "SELECT * FROM tombstones ORDER BY area, post",
    "SELECT * FROM read_ranges ORDER BY area, account, low",
    "SELECT * FROM lotteries ORDER BY id",
    "SELECT * FROM lottery_agencies ORDER BY lottery, agency",
    "SELECT * FROM lottery_batches ORDER BY lottery, leaf",
    "SELECT * FROM lottery_blocks ORDER BY lottery, block",
    "SELECT * FROM lottery_winners ORDER BY lottery, agency, first_winner",
];

/// As [`CONTENTS`], of what came later: an empty one of these says nothing, so that a story without
/// it reads as before.
const LATER: &[&str] = &[
    "SELECT * FROM polls ORDER BY id",
    "SELECT * FROM poll_options ORDER BY poll, number",
    "SELECT * FROM poll_voters ORDER BY poll, account",
    "SELECT * FROM ballots ORDER BY poll, voter",
    "SELECT * FROM store ORDER BY name",
    "SELECT * FROM files ORDER BY id",
    "SELECT * FROM file_chunks ORDER BY file, block",
    "SELECT * FROM file_tags ORDER BY tag, file",
    "SELECT * FROM file_usage ORDER BY owner",
];

/// The rest.
const BOOKKEEPING: &[&str] = &[
    "SELECT * FROM replies ORDER BY scope, seq",
    "SELECT * FROM machine ORDER BY id",
];

/// What a rejection must leave as it was.
pub fn contents(sql: &mut dyn Sql) -> String {
    tables(sql, CONTENTS) + &later(sql)
}

/// Everything.
pub fn everything(sql: &mut dyn Sql) -> String {
    tables(sql, CONTENTS) + &later(sql) + &tables(sql, BOOKKEEPING)
}

fn later(sql: &mut dyn Sql) -> String {
    let filled = LATER
        .iter()
        .filter(|table| !sql.query(table, &[]).unwrap().is_empty());
    let filled: Vec<&'static str> = filled.copied().collect();
    tables(sql, &filled)
}

fn tables(sql: &mut dyn Sql, tables: &[&'static str]) -> String {
    let mut text = String::new();
    for table in tables {
        text.push_str(table);
        text.push('\n');
        for row in sql.query(table, &[]).unwrap() {
            let cells: Vec<String> = row.0.iter().map(cell).collect();
            text.push_str(&cells.join(" | "));
            text.push('\n');
        }
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Int(value) => value.to_string(),
        Value::Text(value) => format!("{value:?}"),
        Value::Blob(value) => {
            let bytes: Vec<String> = value.iter().map(|byte| format!("{byte:02x}")).collect();
            bytes.concat()
        }
    }
}
