//! How files are shown.

use api::client::FileName;
use api::types::{File, FileChunk, FileUsage, Hex32};

use crate::commands::output::{Cell, Style, cell};
use crate::commands::session::Session;
use crate::commands::when;
use crate::failure::Outcome;

/// A table of files.
pub fn list(session: &Session, files: &[File]) -> Outcome {
    if session.out.json {
        return files.iter().try_for_each(|file| session.out.json(file));
    }
    let heads = ["NAME", "SIZE", "OWNER", "CHANGED", "TAGS"];
    let rows: Vec<Vec<Cell>> = files.iter().map(row).collect();
    session.out.table(&heads, &rows, "There are no such files.")
}

fn row(file: &File) -> Vec<Cell> {
    let private = if file.private { " (private)" } else { "" };
    vec![
        cell(format!("{}{private}", file.name)).style(Style::Bold),
        cell(size(file.size_bytes)),
        cell(&file.owner),
        cell(when::local(&file.changed_at)).style(Style::Dim),
        cell(file.tags.join(", ")).style(Style::Dim),
    ]
}

/// All that is known of one file.
pub async fn info(session: &mut Session, name: &FileName, chunks: bool) -> Outcome {
    let file = session.client.file(name).await?;
    let chunks = match chunks {
        true => Some(all_chunks(session, name).await?),
        false => None,
    };
    if session.out.json {
        let shown = match chunks {
            Some(chunks) => serde_json::json!({ "file": file, "chunks": chunks }),
            None => serde_json::json!(file),
        };
        return session.out.json(&shown);
    }
    let private = if file.private { " (private)" } else { "" };
    let lines = [
        format!("name     {}{private}", file.name),
        format!("size     {}", exact(file.size_bytes)),
        format!("type     {}", file.media_type),
        format!("owner    {}", file.owner),
        format!("tags     {}", file.tags.join(", ")),
        format!("blake3   {}", file.root),
        format!("copies   {}", file.copies),
        format!("created  {}", when::local(&file.created_at)),
        format!("changed  {}", when::local(&file.changed_at)),
    ];
    lines.iter().try_for_each(|line| session.out.line(line))?;
    match chunks {
        Some(chunks) => places(session, &chunks),
        None => Ok(()),
    }
}

async fn all_chunks(session: &Session, name: &FileName) -> Outcome<Vec<FileChunk>> {
    let (mut chunks, mut from) = (Vec::new(), Some(0));
    while let Some(start) = from {
        let page = session.client.file_chunks(name, start).await?;
        chunks.extend(page.chunks);
        from = page.next;
    }
    Ok(chunks)
}

/// Where the bytes are: chunks in a row that are in the same places make one line.
fn places(session: &Session, chunks: &[FileChunk]) -> Outcome {
    for run in chunks.chunk_by(|one, next| one.nodes == next.nodes) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        let nodes = match first.nodes.is_empty() {
            true => "nowhere that can be reached".to_owned(),
            false => format!("on {}", first.nodes.join(", ")),
        };
        let which = match run.len() {
            1 => format!("{} ({})", first.number, short(&first.hash)),
            count => format!("{} to {} ({count})", first.number, last.number),
        };
        session.out.line(&format!("chunk    {which} {nodes}"))?;
    }
    Ok(())
}

fn short(hash: &Hex32) -> String {
    hash.to_string().chars().take(12).collect()
}

/// How much room files take.
pub async fn usage(session: &mut Session) -> Outcome {
    let usage = session.client.files_usage().await?;
    if session.out.json {
        return session.out.json(&usage);
    }
    let line = |whose: &str, usage: &FileUsage| {
        let (files, size_bytes) = (usage.files, size(usage.size_bytes));
        let (most, room) = (usage.limits.files, size(usage.limits.size_bytes));
        format!("{whose}  {size_bytes} of {room}, {files} of {most} files")
    };
    session.out.line(&line("yours", &usage.own))?;
    session.out.line(&line("all  ", &usage.all))
}

/// A size as people read it: `4.2 MB`.
pub fn size(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    // Tenths, so that no rounding makes 1000.0 of 999.96.
    let mut tenths = bytes.saturating_mul(10);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
    }
}

fn exact(bytes: i64) -> String {
    match bytes {
        0..1_000 => size(bytes),
        _ => format!("{} ({bytes} bytes)", size(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        for (bytes, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (4_253_000, "4.2 MB"),
            (999_999, "999.9 kB"),
            (1_073_741_824, "1.0 GB"),
            (17_179_869_184, "17.1 GB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }
}
