//! The scripts' words for files.

use std::error::Error;

use domain::files::queries::{
    Block, CountChanges, File, Files, GetFile, GetUsage, ListChunks, ListFiles, Usage,
};
use domain::files::{CHUNK_BYTES, COPIES_DEFAULT, Condition, FileName, NewFile, chunks_of};
use domain::{Action, Query, Reply, Sql, Topic};

use crate::script::Line;
use crate::show::{hex, list, maybe, time};
use crate::story::sized;

type Failed = Box<dyn Error>;

/// The action of a line about files, if it is one.
pub fn action(line: &Line) -> Result<Option<Action>, Failed> {
    Ok(Some(match line {
        Line::PutFile { when, .. } => Action::PutFile {
            file: new_file(line)?,
            condition: condition(when.as_deref()),
        },
        Line::RenameFile { name, to, private } => Action::RenameFile {
            private: *private,
            name: FileName::parse(name)?,
            to: FileName::parse(to)?,
        },
        Line::RemoveFile {
            name,
            private,
            when,
        } => Action::RemoveFile {
            private: *private,
            name: FileName::parse(name)?,
            condition: condition(when.as_deref()),
        },
        _ => return Ok(None),
    }))
}

fn new_file(line: &Line) -> Result<NewFile, Failed> {
    let Line::PutFile {
        name,
        content,
        size,
        chunks,
        private,
        area,
        kind,
        tags,
        copies,
        ..
    } = line
    else {
        return Err("this puts no file".into());
    };
    let size_bytes = size.unwrap_or(1);
    let count = chunks.map_or(chunks_of(size_bytes.min(1 << 40)), |count| count as i64);
    let hashes = (0..count).flat_map(|nth| root(&format!("{content} {nth}")));
    Ok(NewFile {
        name: FileName::parse(name)?,
        private: *private,
        area: *area,
        media_type: sized(kind.as_deref().unwrap_or("text/plain")),
        size_bytes,
        root: root(content),
        chunks: hashes.collect::<Vec<u8>>().into(),
        tags: tags.as_deref().map_or_else(Vec::new, self::tags),
        copies: copies.unwrap_or(COPIES_DEFAULT),
    })
}

fn tags(text: &str) -> Vec<String> {
    match text.strip_prefix('*').and_then(|count| count.parse().ok()) {
        Some(count) => (1..=count).map(|nth: usize| format!("{nth}.")).collect(),
        None => text.split(',').map(sized).collect(),
    }
}

fn condition(text: Option<&str>) -> Condition {
    match text {
        None => Condition::Any,
        Some("absent") => Condition::Absent,
        Some("present") => Condition::Present,
        Some(text) => match text.strip_prefix('!') {
            Some(word) => Condition::NoneOf(vec![root(word)]),
            None => Condition::OneOf(text.split(',').map(root).collect()),
        },
    }
}

fn root(content: &str) -> [u8; 32] {
    *blake3::hash(content.as_bytes()).as_bytes()
}

/// The answer to a question about files, if it is one.
pub fn answer(sql: &mut dyn Sql, line: &Line, viewer: i64) -> Result<Option<String>, Failed> {
    Ok(Some(match line.clone() {
        Line::File { name, private } => {
            let query = GetFile {
                viewer,
                private,
                name,
            };
            maybe(&query.run(sql)?, |(found, hashes)| {
                format!("{}  {} bytes of hashes\n", file(found), hashes.len())
            })
        }
        Line::Files {
            pattern,
            tag,
            owner,
            before,
            limit,
        } => {
            let query = ListFiles {
                viewer,
                tag,
                owner,
                pattern,
                before: before.unwrap_or(i64::MAX),
                limit: limit.unwrap_or(100),
            };
            files(&query.run(sql)?)
        }
        Line::Usage => {
            let (own, all) = GetUsage { viewer }.run(sql)?;
            format!("own {}, all {}\n", usage(own), usage(all))
        }
        Line::Chunks => {
            let changes = CountChanges.run(sql)?;
            let blocks = ListChunks { after: (0, 0) }.run(sql)?;
            format!("{changes} changes\n{}", list(&blocks, block))
        }
        _ => return Ok(None),
    }))
}

pub fn reply(reply: &Reply) -> String {
    match reply {
        Reply::File {
            id,
            at_ms,
            replaced,
        } => {
            let what = if *replaced { "replaced" } else { "put" };
            format!("file {id} {what} at {}", time(*at_ms))
        }
        other => format!("{other:?}"),
    }
}

pub fn topic(topic: &Topic) -> String {
    match topic {
        Topic::FilePut {
            file,
            name,
            by,
            area,
            size_bytes,
            root,
            replaced,
        } => {
            let replaced = if *replaced { " again" } else { "" };
            let area = area.map_or(String::new(), |area| format!(" in area {area}"));
            let root = hex(root);
            format!("file {file} {name:?}{replaced} by {by}{area}: {size_bytes} bytes {root}")
        }
        Topic::FileRenamed { file, before, name } => format!("file {file} {before:?} {name:?}"),
        Topic::FileRemoved { file, name } => format!("file {file} {name:?}"),
        other => format!("{other:?}"),
    }
}

fn files(page: &Files) -> String {
    let next = page
        .next
        .map_or(String::new(), |next| format!("next {next}\n"));
    format!("{}{next}", list(&page.files, file))
}

fn file(file: &File) -> String {
    let private = if file.private { " private" } else { "" };
    let area = file
        .area
        .map_or(String::new(), |area| format!(" in area {area}"));
    format!(
        "file {} {:?}{private} of {} ({}){area}: {}, {} bytes {}, {} copies, tags {:?}, {} to {}\n",
        file.id,
        file.name,
        file.owner,
        file.owner_id,
        file.media_type,
        file.size_bytes,
        hex(&file.root),
        file.copies,
        file.tags,
        time(file.created_at_ms),
        time(file.changed_at_ms)
    )
}

fn usage(usage: Usage) -> String {
    let chunks = usage.size_bytes / CHUNK_BYTES;
    format!(
        "{} files {} bytes ({chunks} whole chunks)",
        usage.files, usage.size_bytes
    )
}

fn block(block: &Block) -> String {
    let (file, number) = block.place;
    let hashes = block.hashes.len() / 32;
    format!(
        "file {file} block {number}: {hashes} hashes, {} copies\n",
        block.copies
    )
}
