//! Journals of the store: appended to, and read by index.

use api::client::ESCAPED;
use api::types::{
    Journal, JournalAppended, JournalEntryShown, JournalName, JournalTrim, JournalTrimmed, Journals,
};
use axum::extract::{FromRequestParts, State};
use bytes::Bytes;
use domain::store::{EntryId, Kind, NewId, Operation, Read, StoreReply, Trim, Write};
use engine::Served;
use http::request::Parts;
use percent_encoding::{percent_decode_str, percent_encode};

use crate::app::{App, Caller, answers, odd, shorten};
use crate::http::extract::{Content, Input, Raw};
use crate::http::{Answer, Pairs};
use crate::problem::Trouble;
use crate::render::journals as render;

/// Entries of a page that asks for no number, and keys that a page of names looks at.
const PAGE_DEFAULT: i64 = 100;

/// Entries in the longest page, as over gRPC.
const PAGE_MAX: i64 = 1_000;

impl Content for JournalTrim {}

/// The journals of the store
///
/// Looks at `limit` keys at a time and tells which of them are journals: a page may be empty though
/// more follow. Go on while there is `next`.
#[utoipa::path(get, path = "/v1/journals", tag = "journals",
    params(
        ("after" = Option<u64>, Query, description = "`next` of the page before"),
        ("limit" = Option<i64>, Query, description = "1 to 1,000; 100 if absent")),
    responses((status = 200, body = Journals)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Pairs,
) -> Result<Answer<Journals>, Trouble> {
    caller.token()?;
    let query = query.only(&["after", "limit"])?;
    let scan = Read::Scan {
        cursor: query.number("after", 0..=i64::MAX)?.unwrap_or(0) as u64,
        count: limit_of(&query)? as u32,
        pattern: None,
        kind: Some(Kind::Journal),
    };
    let Served { value, position } = app.read_keys(&caller, vec![scan]).await?;
    let [found] = answers(value)?;
    let StoreReply::Page { cursor, items } = found? else {
        return Err(odd());
    };
    let journals = items.iter().map(|name| JournalName {
        name: String::from_utf8_lossy(name).into_owned(),
        path: path_of(name),
    });
    let page = Journals {
        journals: journals.collect(),
        next: (cursor > 0).then_some(cursor),
    };
    Ok(Answer::ok(position, page))
}

/// Entries of a journal
///
/// From an index on, or the newest ones; oldest first either way. As many as are asked for, or as
/// fit into a megabyte.
#[utoipa::path(get, path = "/v1/journals/{name}", tag = "journals",
    params(
        ("name" = String, Path, description = "1 to 1,024 bytes, percent-encoded"),
        ("from" = Option<u64>, Query, description = "The first index wanted; the oldest if absent"),
        ("limit" = Option<i64>, Query, description = "1 to 1,000; 100 if absent"),
        ("tail" = Option<i64>, Query,
            description = "Instead of both: so many of the newest entries, 1 to 1,000")),
    responses((status = 200, body = Journal)))]
pub(super) async fn range(
    State(app): State<App>,
    caller: Caller,
    JournalPath(key): JournalPath,
    query: Pairs,
) -> Result<Answer<Journal>, Trouble> {
    caller.token()?;
    let wanted = Wanted::of(&query.only(&["from", "limit", "tail"])?)?;
    // What there is comes first: it must not lack the room that the entries take.
    let reads = |limit| {
        let info = Read::JournalInfo { key: key.clone() };
        vec![info, wanted.read(&key, limit)]
    };
    let Served { value, position } = app.read_page(&caller, wanted.limit, reads).await?;
    let [info, entries] = answers(value)?;
    let StoreReply::Journal(info) = info? else {
        let name = String::from_utf8_lossy(&key);
        return Err(Trouble::missing_name("journal", &name));
    };
    let StoreReply::Entries(mut entries) = entries? else {
        return Err(odd());
    };
    shorten(&mut entries);
    entries.sort_by_key(|entry| entry.index);
    let last = entries.last().map(|entry| entry.index);
    let page = Journal {
        node: position.node.to_string(),
        length: info.length,
        oldest: info.oldest,
        newest: info.newest,
        next: last.filter(|last| *last < info.newest).map(|last| last + 1),
        entries: entries.into_iter().map(render::entry).collect(),
    };
    Ok(Answer::ok(position, page))
}

/// Which entries are asked for.
struct Wanted {
    /// The first index; the newest entries if there is none.
    from: Option<u64>,
    limit: u64,
}

impl Wanted {
    fn of(query: &Pairs) -> Result<Self, Trouble> {
        let from = query.number("from", 1..=i64::MAX)?;
        let Some(tail) = query.number("tail", 1..=PAGE_MAX)? else {
            let from = from.unwrap_or(1) as u64;
            return Ok(Wanted {
                from: Some(from),
                limit: limit_of(query)?,
            });
        };
        if from.is_some() || query.text("limit")?.is_some() {
            let reason = "it goes without `from` and `limit`";
            return Err(Trouble::field("tail", reason));
        }
        let limit = tail as u64;
        Ok(Wanted { from: None, limit })
    }

    fn read(&self, key: &Bytes, limit: u64) -> Read {
        let key = key.clone();
        match self.from {
            Some(index) => Read::JournalFrom { key, index, limit },
            None => Read::JournalRange {
                key,
                from: EntryId::MIN,
                to: EntryId::MAX,
                reverse: true,
                limit,
            },
        }
    }
}

fn limit_of(query: &Pairs) -> Result<u64, Trouble> {
    let limit = query.number("limit", 1..=PAGE_MAX)?;
    Ok(limit.unwrap_or(PAGE_DEFAULT) as u64)
}

/// Append an entry
///
/// The body is the entry's field `data`, as it is. The journal begins with its first entry. Answers
/// the entry's index, and with it where the entry is.
#[utoipa::path(post, path = "/v1/journals/{name}", tag = "journals",
    params(("name" = String, Path, description = "1 to 1,024 bytes, percent-encoded")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream",
        description = "At most 524,284 bytes"),
    responses((status = 201, body = JournalAppended)))]
pub(super) async fn append(
    State(app): State<App>,
    JournalPath(key): JournalPath,
    Raw { caller, bytes }: Raw,
) -> Result<Answer<JournalAppended>, Trouble> {
    let path = path_of(&key);
    let append = Write::JournalAppend {
        key,
        id: NewId::Auto,
        fields: vec![(Bytes::from_static(render::DATA), bytes)],
        create: true,
        trim: None,
    };
    let append = vec![Operation::Write(append)];
    let (_, results, written) = app.change_keys(&caller, Vec::new(), append).await?;
    let [appended] = answers(results)?;
    let StoreReply::EntryId { id, index } = appended? else {
        return Err(odd());
    };
    let id = id.to_string();
    let answer = Answer::created(written.position, JournalAppended { index, id });
    let answer = answer.at(format!("{path}/{index}"));
    Ok(answer.replayed(written.replayed))
}

/// One entry
///
/// With its term, when it was appended and by whom, and the node that answered.
#[utoipa::path(get, path = "/v1/journals/{name}/{index}", tag = "journals",
    params(
        ("name" = String, Path, description = "1 to 1,024 bytes, percent-encoded"),
        ("index" = u64, Path, description = "Its index, from 1")),
    responses((status = 200, body = JournalEntryShown)))]
pub(super) async fn entry(
    State(app): State<App>,
    caller: Caller,
    EntryPath(key, index): EntryPath,
) -> Result<Answer<JournalEntryShown>, Trouble> {
    caller.token()?;
    let read = Read::JournalFrom {
        key,
        index,
        limit: 1,
    };
    let Served { value, position } = app.read_keys(&caller, vec![read]).await?;
    let [found] = answers(value)?;
    let StoreReply::Entries(entries) = found? else {
        return Err(odd());
    };
    let entry = entries.into_iter().find(|entry| entry.index == index);
    let shown = JournalEntryShown {
        node: position.node.to_string(),
        entry: render::entry(entry.ok_or_else(|| Trouble::missing("entry", index))?),
    };
    Ok(Answer::ok(position, shown))
}

/// Drop old entries
///
/// All but the newest ones. Indexes are never used again.
#[utoipa::path(post, path = "/v1/journals/{name}/trim", tag = "journals",
    params(("name" = String, Path, description = "1 to 1,024 bytes, percent-encoded")),
    request_body = JournalTrim,
    responses((status = 200, body = JournalTrimmed)))]
pub(super) async fn trim(
    State(app): State<App>,
    JournalPath(key): JournalPath,
    Input { caller, body }: Input<JournalTrim>,
) -> Result<Answer<JournalTrimmed>, Trouble> {
    let trim = Trim::Newest(body.keep_newest);
    let trim = vec![Operation::Write(Write::JournalTrim { key, trim })];
    let (_, results, written) = app.change_keys(&caller, Vec::new(), trim).await?;
    let [trimmed] = answers(results)?;
    let StoreReply::Integer(dropped) = trimmed? else {
        return Err(odd());
    };
    let dropped = dropped.max(0).cast_unsigned();
    let answer = Answer::ok(written.position, JournalTrimmed { dropped });
    Ok(answer.replayed(written.replayed))
}

/// `{name}`: bytes, percent-encoded.
pub(super) struct JournalPath(Bytes);

/// `{name}/{index}`.
pub(super) struct EntryPath(Bytes, u64);

impl<S: Sync> FromRequestParts<S> for JournalPath {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Trouble> {
        Ok(JournalPath(segments(parts)?.0))
    }
}

impl<S: Sync> FromRequestParts<S> for EntryPath {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Trouble> {
        let (name, index) = segments(parts)?;
        let is_number = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
        let index = index.parse().ok().filter(|_| is_number);
        let index = index.ok_or_else(|| Trouble::not_found("entry"))?;
        Ok(EntryPath(name, index))
    }
}

/// The journal's name and what follows it. Not through `Path`: a name need not be UTF-8.
fn segments(parts: &Parts) -> Result<(Bytes, &str), Trouble> {
    let mut segments = parts.uri.path().split('/').skip(3);
    let name = segments.next().unwrap_or_default();
    let name: Vec<u8> = percent_decode_str(name).collect();
    let max = domain::store::KEY_MAX_BYTES;
    if name.is_empty() || name.len() > max {
        let reason = format!("a journal's name has 1 to {max} bytes");
        return Err(Trouble::field("name", reason));
    }
    Ok((name.into(), segments.next().unwrap_or_default()))
}

fn path_of(name: &[u8]) -> String {
    format!("/v1/journals/{}", percent_encode(name, ESCAPED))
}
