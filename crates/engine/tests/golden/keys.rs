//! The store in the scripts: operations in the words of Redis, and how their answers read.

use std::error::Error;

use bytes::Bytes;
use domain::store::operation::Operation;
use domain::store::{
    Answer, Changed, Deadline, End, Entry, EntryId, Executed, ExpireWhen, Expiry, Kind, NewId,
    Read, Removed, StoreReply, Trim, When, Write,
};

use crate::show::time;
use crate::story::sized;

type Parsed<T> = Result<T, Box<dyn Error>>;

/// Several operations, each in one argument.
pub fn operations(lines: &[String]) -> Parsed<Vec<Operation>> {
    let words =
        |line: &String| -> Vec<String> { line.split(' ').map(|word| word.to_owned()).collect() };
    lines.iter().map(|line| operation(&words(line))).collect()
}

/// The words of an operation, taken one by one.
struct Words<'a>(std::slice::Iter<'a, String>);

impl Words<'_> {
    fn bytes(&mut self) -> Parsed<Bytes> {
        Ok(sized(self.word()?).into())
    }

    fn word(&mut self) -> Parsed<&str> {
        Ok(self.0.next().ok_or("a word is missing")?)
    }

    fn number<T: std::str::FromStr<Err = std::num::ParseIntError>>(&mut self) -> Parsed<T> {
        Ok(self.word()?.parse()?)
    }

    fn rest(&mut self) -> Vec<Bytes> {
        self.0.by_ref().map(|word| sized(word).into()).collect()
    }

    fn pairs(&mut self) -> Parsed<Vec<(Bytes, Bytes)>> {
        let rest = self.rest();
        let (pairs, []) = rest.as_chunks::<2>() else {
            return Err("words come in pairs".into());
        };
        Ok(pairs.iter().map(|[a, b]| (a.clone(), b.clone())).collect())
    }

    fn end(&mut self) -> Parsed<End> {
        match self.word()? {
            "left" => Ok(End::Head),
            "right" => Ok(End::Tail),
            other => Err(format!("{other} is no end").into()),
        }
    }

    /// A number, if there is one more word.
    fn count(&mut self) -> Parsed<Option<u64>> {
        Ok(self.0.next().map(|word| word.parse()).transpose()?)
    }

    fn pattern(&mut self) -> Option<Bytes> {
        self.0.next().map(|word| word.clone().into())
    }
}

/// An operation.
pub fn operation(words: &[String]) -> Parsed<Operation> {
    let mut words = Words(words.iter());
    let name = words.word()?.to_owned();
    if let Some(read) = read(&name, &mut words)? {
        return Ok(Operation::Read(read));
    }
    let written = match string_write(&name, &mut words)? {
        Some(write) => Some(write),
        None => collection_write(&name, &mut words)?,
    };
    Ok(Operation::Write(
        written.ok_or(format!("{name} is no operation"))?,
    ))
}

fn read(name: &str, words: &mut Words<'_>) -> Parsed<Option<Read>> {
    Ok(Some(match name {
        "mget" => Read::GetMany { keys: words.rest() },
        "exists" => Read::Exists { keys: words.rest() },
        "dbsize" => Read::CountKeys,
        "scan" => Read::Scan {
            cursor: words.number()?,
            count: words.number()?,
            pattern: words.pattern(),
            kind: None,
        },
        "lists" => Read::Scan {
            cursor: 0,
            count: 100,
            pattern: None,
            kind: Some(Kind::List),
        },
        "keys" => Read::Keys {
            pattern: words.bytes()?,
        },
        "randomkey" => Read::RandomKey {
            at: words.number()?,
        },
        _ => {
            let known = [
                "get",
                "strlen",
                "getrange",
                "type",
                "ttl",
                "version",
                "llen",
                "lrange",
                "lindex",
                "hget",
                "hmget",
                "hgetall",
                "hlen",
                "hscan",
                "smembers",
                "smismember",
                "scard",
                "sscan",
                "srandmember",
                "xlen",
                "xrange",
                "xrevrange",
                "xfrom",
                "xinfo",
            ];
            if !known.contains(&name) {
                return Ok(None);
            }
            let key = words.bytes()?;
            return read_of(name, key, words).map(Some);
        }
    }))
}

fn read_of(name: &str, key: Bytes, words: &mut Words<'_>) -> Parsed<Read> {
    Ok(match name {
        "get" => Read::Get { key },
        "strlen" => Read::Length { key },
        "getrange" => Read::Part {
            key,
            start: words.number()?,
            end: words.number()?,
        },
        "type" => Read::Kind { key },
        "ttl" => Read::Expiry { key },
        "version" => Read::Version { key },
        "llen" => Read::ListLength { key },
        "lrange" => Read::ListRange {
            key,
            start: words.number()?,
            stop: words.number()?,
        },
        "lindex" => Read::ListIndex {
            key,
            index: words.number()?,
        },
        "hget" => Read::HashGet {
            key,
            field: words.bytes()?,
        },
        "hmget" => Read::HashGetMany {
            key,
            fields: words.rest(),
        },
        "hgetall" => Read::HashAll { key },
        "hlen" => Read::HashLength { key },
        "hscan" => Read::HashScan {
            key,
            cursor: words.number()?,
            count: words.number()?,
            pattern: words.pattern(),
        },
        "smembers" => Read::SetMembers { key },
        "smismember" => Read::SetHas {
            key,
            members: words.rest(),
        },
        "scard" => Read::SetLength { key },
        "sscan" => Read::SetScan {
            key,
            cursor: words.number()?,
            count: words.number()?,
            pattern: words.pattern(),
        },
        "srandmember" => Read::SetRandom {
            key,
            at: words.number()?,
            count: words.number()?,
        },
        "xlen" => Read::JournalLength { key },
        "xrange" | "xrevrange" => Read::JournalRange {
            key,
            from: entry_id(words.word()?)?,
            to: entry_id(words.word()?)?,
            reverse: name == "xrevrange",
            limit: words.count()?.unwrap_or(u64::MAX),
        },
        "xfrom" => Read::JournalFrom {
            key,
            index: words.number()?,
            limit: words.number()?,
        },
        _ => Read::JournalInfo { key },
    })
}

fn string_write(name: &str, words: &mut Words<'_>) -> Parsed<Option<Write>> {
    Ok(Some(match name {
        "set" => set(words)?,
        "mset" | "msetnx" => Write::SetMany {
            pairs: words.pairs()?,
            only_new: name == "msetnx",
        },
        "append" => Write::Append {
            key: words.bytes()?,
            value: words.bytes()?,
        },
        "setrange" => Write::Patch {
            key: words.bytes()?,
            offset: words.number()?,
            value: words.bytes()?,
        },
        "incr" => Write::Add {
            key: words.bytes()?,
            by: 1,
        },
        "incrby" => Write::Add {
            key: words.bytes()?,
            by: words.number()?,
        },
        "getdel" => Write::GetDelete {
            key: words.bytes()?,
        },
        "getex" => Write::GetExpire {
            key: words.bytes()?,
            expiry: expiry(words)?,
        },
        "del" => Write::Delete { keys: words.rest() },
        "pexpire" => Write::Expire {
            key: words.bytes()?,
            deadline: Deadline::In(words.number()?),
            when: expire_when(words)?,
        },
        "persist" => Write::Persist {
            key: words.bytes()?,
        },
        "rename" | "renamenx" => Write::Rename {
            from: words.bytes()?,
            to: words.bytes()?,
            only_new: name == "renamenx",
        },
        "flushdb" => Write::Flush,
        "publish" => Write::Publish {
            channel: words.bytes()?,
            message: words.bytes()?,
        },
        _ => return Ok(None),
    }))
}

fn set(words: &mut Words<'_>) -> Parsed<Write> {
    let (key, value) = (words.bytes()?, words.bytes()?);
    let (mut when, mut get) = (When::Always, false);
    loop {
        match words.0.as_slice().first().map(String::as_str) {
            Some("nx") => when = When::New,
            Some("xx") => when = When::Existing,
            Some("get") => get = true,
            _ => break,
        }
        words.word()?;
    }
    let expiry = match words.0.as_slice() {
        [] => Expiry::None,
        _ => expiry(words)?,
    };
    Ok(Write::Set {
        key,
        value,
        when,
        expiry,
        get,
    })
}

fn expiry(words: &mut Words<'_>) -> Parsed<Expiry> {
    let Some(word) = words.0.next() else {
        return Ok(Expiry::Keep);
    };
    Ok(match word.as_str() {
        "keepttl" => Expiry::Keep,
        "persist" => Expiry::None,
        "px" => Expiry::Until(Deadline::In(words.number()?)),
        "pxat" => Expiry::Until(Deadline::At(words.number()?)),
        other => return Err(format!("{other} is no time to live").into()),
    })
}

fn expire_when(words: &mut Words<'_>) -> Parsed<ExpireWhen> {
    Ok(match words.0.next().map(String::as_str) {
        None => ExpireWhen::Always,
        Some("nx") => ExpireWhen::None,
        Some("xx") => ExpireWhen::Some,
        Some("gt") => ExpireWhen::Later,
        Some("lt") => ExpireWhen::Earlier,
        Some("xxgt") => ExpireWhen::SomeLater,
        Some("xxlt") => ExpireWhen::SomeEarlier,
        Some(other) => return Err(format!("{other} is no condition").into()),
    })
}

fn collection_write(name: &str, words: &mut Words<'_>) -> Parsed<Option<Write>> {
    if name == "blpop" {
        return Ok(Some(Write::ListPopFirst {
            keys: words.rest(),
            end: End::Head,
            count: 1,
        }));
    }
    let key = words.bytes()?;
    Ok(Some(match name {
        "lpush" | "rpush" | "lpushx" | "rpushx" => Write::ListPush {
            key,
            end: if name.starts_with('l') {
                End::Head
            } else {
                End::Tail
            },
            values: words.rest(),
            only_existing: name.ends_with('x'),
        },
        "lpop" | "rpop" => Write::ListPop {
            key,
            end: if name == "lpop" { End::Head } else { End::Tail },
            count: words.count()?,
        },
        "lset" => Write::ListSet {
            key,
            index: words.number()?,
            value: words.bytes()?,
        },
        "lrem" => Write::ListRemove {
            key,
            count: words.number()?,
            value: words.bytes()?,
        },
        "ltrim" => Write::ListTrim {
            key,
            start: words.number()?,
            stop: words.number()?,
        },
        "lmove" => Write::ListMove {
            from: key,
            to: words.bytes()?,
            take: words.end()?,
            put: words.end()?,
        },
        _ => return group_write(name, key, words),
    }))
}

fn group_write(name: &str, key: Bytes, words: &mut Words<'_>) -> Parsed<Option<Write>> {
    Ok(Some(match name {
        "hset" => Write::HashPut {
            key,
            pairs: words.pairs()?,
        },
        "hsetnx" => Write::HashPutNew {
            key,
            field: words.bytes()?,
            value: words.bytes()?,
        },
        "hdel" => Write::HashDelete {
            key,
            fields: words.rest(),
        },
        "hincrby" => Write::HashAdd {
            key,
            field: words.bytes()?,
            by: words.number()?,
        },
        "sadd" => Write::SetAdd {
            key,
            members: words.rest(),
        },
        "srem" => Write::SetRemove {
            key,
            members: words.rest(),
        },
        "spop" => Write::SetPop {
            key,
            count: words.count()?,
        },
        "smove" => Write::SetMove {
            from: key,
            to: words.bytes()?,
            member: words.bytes()?,
        },
        "xadd" | "xaddmax" | "xaddnomk" => {
            let trim = match name {
                "xaddmax" => Some(Trim::Newest(words.number()?)),
                _ => None,
            };
            let id = new_id(words.word()?)?;
            Write::JournalAppend {
                key,
                id,
                fields: words.pairs()?,
                create: name != "xaddnomk",
                trim,
            }
        }
        "xtrim" => Write::JournalTrim {
            key,
            trim: match words.word()? {
                "maxlen" => Trim::Newest(words.number()?),
                _ => Trim::From(entry_id(words.word()?)?),
            },
        },
        "xdel" => {
            let ids = words.0.by_ref().map(|word| entry_id(word));
            Write::JournalDelete {
                key,
                ids: ids.collect::<Parsed<_>>()?,
            }
        }
        _ => return Ok(None),
    }))
}

fn new_id(word: &str) -> Parsed<NewId> {
    Ok(match word {
        "*" => NewId::Auto,
        _ => match word.strip_suffix("-*") {
            Some(ms) => NewId::At(ms.parse()?),
            None => NewId::Exact(entry_id(word)?),
        },
    })
}

fn entry_id(word: &str) -> Parsed<EntryId> {
    Ok(match word {
        "-" => EntryId::MIN,
        "+" => EntryId::MAX,
        _ => {
            let (ms, seq) = word.split_once('-').ok_or("an id is ms-seq")?;
            EntryId {
                ms: ms.parse()?,
                seq: seq.parse()?,
            }
        }
    })
}

/// What a command came to.
pub fn executed(executed: &Executed) -> String {
    match executed {
        Executed::Done { results, .. } => answers(results).trim_end().to_owned(),
        Executed::Moved { condition, version } => {
            format!(
                "moved: condition {condition}, now {}",
                version_text(*version)
            )
        }
    }
}

/// Answers, a line each.
pub fn answers(answers: &[Answer]) -> String {
    let line = |answer: &Answer| match answer {
        Ok(reply) => self::reply(reply) + "\n",
        Err(error) => format!("error: {error}\n"),
    };
    answers.iter().map(line).collect()
}

fn reply(reply: &StoreReply) -> String {
    match reply {
        StoreReply::Done => "OK".to_owned(),
        StoreReply::Nil => "nil".to_owned(),
        StoreReply::Integer(number) if *number > 0xffff => version_text(*number),
        StoreReply::Integer(number) => number.to_string(),
        StoreReply::Bytes(bytes) => text(bytes),
        StoreReply::Values(values) => list(values, |value| match value {
            Some(value) => text(value),
            None => "nil".to_owned(),
        }),
        StoreReply::Flags(flags) => format!("{flags:?}"),
        StoreReply::Pairs(pairs) => list(pairs, pair),
        StoreReply::Page { cursor, items } => {
            format!("{} then {cursor}", list(items, text))
        }
        StoreReply::PairsPage { cursor, items } => {
            format!("{} then {cursor}", list(items, pair))
        }
        StoreReply::Kind(kind) => kind.name().to_owned(),
        StoreReply::Expiry { at_ms: None, .. } => "for ever".to_owned(),
        StoreReply::Expiry {
            at_ms: Some(at_ms),
            now_ms,
        } => format!("until {}, {} ms left", time(*at_ms), at_ms - now_ms),
        StoreReply::Popped { key, items } => {
            format!("from {}: {}", text(key), list(items, text))
        }
        StoreReply::EntryId { id, index } => format!("entry {index} id {}", id_text(*id)),
        StoreReply::Entries(entries) if entries.is_empty() => "no entries".to_owned(),
        StoreReply::Entries(entries) => {
            let lines: Vec<String> = entries.iter().map(entry).collect();
            lines.join("\n")
        }
        StoreReply::Journal(journal) => format!(
            "{} entries, {} to {}, last {}",
            journal.length,
            journal.oldest,
            journal.newest,
            id_text(journal.last_id)
        ),
    }
}

fn entry(entry: &Entry) -> String {
    format!(
        "{} id {} term {} {} by {}: {}",
        entry.index,
        id_text(entry.id),
        entry.term,
        time(entry.at_ms),
        entry.author.as_deref().unwrap_or("nobody"),
        list(&entry.fields, pair)
    )
}

/// Ids near the clock are told from the start of the story.
fn id_text(id: EntryId) -> String {
    match i64::try_from(id.ms) {
        Ok(ms) if ms >= crate::show::START_MS => format!("{}/{}", time(ms), id.seq),
        _ => id.to_string(),
    }
}

fn pair((name, value): &(Bytes, Bytes)) -> String {
    format!("{}={}", text(name), text(value))
}

fn list<T>(items: &[T], shown: impl Fn(&T) -> String) -> String {
    let items: Vec<String> = items.iter().map(shown).collect();
    format!("[{}]", items.join(" "))
}

fn text(bytes: &Bytes) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.len() {
        0..=40 => format!("{text:?}"),
        length => format!(
            "{:?}… ({length})",
            text.chars().take(10).collect::<String>()
        ),
    }
}

/// A version as the place of its command.
fn version_text(version: i64) -> String {
    format!("version {}-{}", version >> 16, version & 0xffff)
}

/// A page of changed keys.
pub fn changed(changed: &Changed) -> String {
    let line = |key: &domain::store::ChangedKey| {
        let value = key.value.as_ref().map_or("-".to_owned(), text);
        let kind = key.kind.name();
        let version = version_text(key.version);
        format!("{} {kind} {value} {version}\n", text(&key.key))
    };
    changed.keys.iter().map(line).collect()
}

/// A page of removed keys.
pub fn removed(removed: &Removed) -> String {
    match removed {
        Removed::Some { keys, .. } => {
            let line = |key: &domain::store::RemovedKey| {
                format!("{} {}\n", text(&key.key), version_text(key.version))
            };
            keys.iter().map(line).collect()
        }
        Removed::Gone { oldest } => format!("gone before {}\n", version_text(*oldest)),
    }
}
