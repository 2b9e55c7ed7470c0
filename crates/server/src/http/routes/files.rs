//! Files: their bytes, and what is to be known of them.

mod headers;
mod path;

pub(crate) use path::FILE_PATH;

use api::types::{
    FileChunk, FileChunks, FilePut, FileRename, Files, FilesUsage, Hex32, headers::ROOT,
};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::accounts::Member;
use domain::files::queries::{FILES_PAGE_MAX, GetUsage, ListFiles, PATTERN_MAX_BYTES};
use domain::files::{
    BYTES_MAX, BYTES_PER_OWNER_MAX, COPIES_DEFAULT, COPIES_MAX, FILES_MAX, FILES_PER_OWNER_MAX,
    FileName, HASH_BYTES,
};
use domain::names::key_of;
use domain::{Action, Reply};
use engine::Served;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, Method, StatusCode};

use self::headers::{described, etag, wanted};
use self::path::FilePath;
use crate::app::{App, Caller, FileRef, PutFile, odd_reply};
use crate::files::{self, Part, condition, matches_none};
use crate::headers::{bad_header, header, request_for};
use crate::http::extract::{Content, Input, area_ref};
use crate::http::{Answer, Pairs, Positioned};
use crate::problem::{Kind, Trouble, bad_name};
use crate::render::{files as render, rfc3339};

/// Files in a page that asks for no number.
const PAGE_DEFAULT: i64 = 100;

/// Chunks in a page of where they are: each node is asked once for all of them.
const CHUNKS_PAGE: usize = 1_000;

impl Content for FileRename {}

/// The files there are
///
/// The shared ones and one's own private ones, newest first. A page looks at 5,000 files at most:
/// it may have fewer than `limit`, or none, though more follow. Go on while there is `next`.
#[utoipa::path(get, path = "/v1/files", tag = "files",
    params(
        ("match" = Option<String>, Query,
            description = "A part of the name, in upper or lower case; with `*`, `?` or `[` a \
                pattern for the whole name"),
        ("tag" = Option<String>, Query, description = "Only with this tag"),
        ("owner" = Option<String>, Query, description = "Only of the member of this name"),
        ("before" = Option<i64>, Query, description = "`next` of the page before"),
        ("limit" = Option<i64>, Query, description = "1 to 500; 100 if absent")),
    responses((status = 200, body = Files)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    query: Pairs,
) -> Result<Answer<Files>, Trouble> {
    caller.token()?;
    let query = query.only(&["match", "tag", "owner", "before", "limit"])?;
    let text = |name| Ok::<_, Trouble>(query.text(name)?.map(str::to_owned));
    let pattern = text("match")?;
    if pattern
        .as_ref()
        .is_some_and(|p| p.len() > PATTERN_MAX_BYTES)
    {
        let reason = format!("it has at most {PATTERN_MAX_BYTES} bytes");
        return Err(Trouble::field("match", reason));
    }
    let (tag, owner) = (query.text("tag")?.map(key_of), text("owner")?);
    let before = query.number("before", 0..=i64::MAX)?.unwrap_or(i64::MAX);
    let limit = query.number("limit", 1..=i64::from(FILES_PAGE_MAX))?;
    let limit = limit.unwrap_or(PAGE_DEFAULT) as u32;
    let question = move |me: &Member| ListFiles {
        viewer: me.account,
        tag: tag.clone(),
        owner: owner.clone(),
        pattern: pattern.clone(),
        before,
        limit,
    };
    let Served {
        value: (_, page),
        position,
    } = app.ask(&caller, question).await?;
    Ok(Answer::ok(position, render::files(page)))
}

/// Put a file
///
/// The body is the file. It is there once enough copies of all its bytes are on disks and its entry
/// is committed; before that, nothing of it is. `Content-Type` is kept. `If-None-Match: *` makes
/// only a new file, `If-Match` replaces only that version. Answers 201 for a new file, 200 for one
/// that took another's place.
#[utoipa::path(put, path = "/v1/files/{name}", tag = "files",
    params(
        ("name" = String, Path, description = "Percent-encoded, its slashes too"),
        ("private" = Option<bool>, Query, description = "Only for oneself"),
        ("area" = Option<String>, Query, description = "The area it belongs to: an id or a name"),
        ("tag" = Option<Vec<String>>, Query, description = "A tag, as often as there are any"),
        ("copies" = Option<i64>, Query, description = "Copies of each chunk, 1 to 7; 3 if absent"),
        ("consorcio-root" = Option<String>, Header, description = "What its BLAKE3 must be"),
        ("if-match" = Option<String>, Header, description = "`*`, or tags in quotes"),
        ("if-none-match" = Option<String>, Header, description = "`*`, or tags in quotes")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream",
        description = "At most 16 GiB"),
    responses((status = 200, body = FilePut), (status = 201, body = FilePut)))]
pub(super) async fn put(
    State(app): State<App>,
    FilePath(name): FilePath,
    caller: Caller,
    query: Pairs,
    request: Request,
) -> Result<Response, Trouble> {
    caller.token()?;
    let query = query.only(&["private", "area", "tag", "copies"])?;
    let (parts, body) = request.into_parts();
    let put = to_put(&app, &caller, name, &query, &parts.headers).await?;
    let file = put.file.clone();
    let about = parts.uri.to_string();
    let identify = |caller: &mut Caller, root: &[u8; 32]| {
        identify(caller, &[b"PUT", about.as_bytes(), root]);
    };
    let (written, root, size_bytes) = app.put_file(caller, put, body, identify).await?;
    let Reply::File {
        id,
        at_ms,
        replaced,
    } = written.reply
    else {
        return Err(odd_reply(&written.reply));
    };
    let shown = FilePut {
        id,
        name: file.name.as_str().to_owned(),
        size_bytes: size_bytes.cast_signed(),
        root: Hex32(root),
        replaced,
        at: rfc3339(at_ms),
    };
    let answer = match replaced {
        true => Answer::ok(written.position, shown),
        false => Answer::created(written.position, shown).at(path::of(&file)),
    };
    Ok(([etag(&root)], answer.replayed(written.replayed)).into_response())
}

async fn to_put(
    app: &App,
    caller: &Caller,
    name: FileName,
    query: &Pairs,
    headers: &HeaderMap,
) -> Result<PutFile, Trouble> {
    let media_type = header(headers, CONTENT_TYPE.as_str())?;
    let announced = header(headers, CONTENT_LENGTH.as_str())?;
    let announced = announced.map(|text| text.parse().map_err(|_| bad_header("content-length")));
    let root = header(headers, ROOT)?.map(|text| text.parse().map_err(|_| bad_header(ROOT)));
    let area = match query.text("area")? {
        Some(area) => Some(app.area_id(caller, &area_ref(area)?).await?),
        None => None,
    };
    let copies = query.number("copies", 1..=i64::from(COPIES_MAX))?;
    Ok(PutFile {
        file: FileRef {
            name,
            private: query.flag("private")?,
        },
        area,
        media_type: media_type.unwrap_or("application/octet-stream").to_owned(),
        tags: query.all("tag").map(key_of).collect(),
        copies: copies.map_or(COPIES_DEFAULT, |copies| copies as u32),
        condition: condition(headers)?,
        announced: announced.transpose()?,
        is_waiting: headers.contains_key(EXPECT),
        root: root.transpose()?.map(|Hex32(root)| root),
    })
}

/// Makes the request's id stand for all that it says.
fn identify(caller: &mut Caller, about: &[&[u8]]) {
    let request = caller.request.take();
    caller.request = request.map(|request| request_for(request.key, about));
}

/// Read a file
///
/// The bytes, as they were put, or a range of them (`Range`). The `ETag` is their BLAKE3; with
/// `If-None-Match` a version that is known already is not sent again (304). HEAD tells the same
/// without the bytes.
#[utoipa::path(get, path = "/v1/files/{name}", tag = "files",
    params(
        ("name" = String, Path, description = "Percent-encoded, its slashes too"),
        ("private" = Option<bool>, Query, description = "One's own private file"),
        ("range" = Option<String>, Header, description = "`bytes=0-1023`, one range"),
        ("if-range" = Option<String>, Header, description = "The range only of this version"),
        ("if-match" = Option<String>, Header, description = "`*`, or tags in quotes"),
        ("if-none-match" = Option<String>, Header, description = "`*`, or tags in quotes")),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304), (status = 416)))]
pub(super) async fn get(
    State(app): State<App>,
    FilePath(name): FilePath,
    caller: Caller,
    query: Pairs,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    caller.token()?;
    let private = query.only(&["private"])?.flag("private")?;
    let Served {
        value: (file, hashes),
        position,
    } = app.file(&caller, &FileRef { name, private }).await?;
    headers::need_match(&headers, &file.root)?;
    if !matches_none(&headers, &file.root)? {
        let unchanged = (StatusCode::NOT_MODIFIED, [etag(&file.root)]);
        return Ok(Positioned(position, unchanged).into_response());
    }
    let size_bytes = file.size_bytes.cast_unsigned();
    let part = match method {
        Method::HEAD => Part::Whole,
        _ => files::part(wanted(&headers, &file.root)?, size_bytes),
    };
    let described = described(&file, &part)?;
    let range = match part {
        Part::Whole => 0..size_bytes,
        Part::Bytes(range) => range,
        Part::Beyond => {
            let detail = format!("the file has {size_bytes} bytes");
            let trouble = Trouble::new(Kind::RangeNotSatisfiable, detail);
            return Ok((headers::beyond(size_bytes), trouble).into_response());
        }
    };
    let range = if method == Method::HEAD { 0..0 } else { range };
    let files::Fetched(body) = files::fetch(&app, &hashes, range).await?;
    let (status, described) = described;
    let mut response = (status, body).into_response();
    response.headers_mut().extend(described);
    Ok(Positioned(position, response).into_response())
}

/// Remove a file
///
/// Its owner, or an administrator. With `If-Match` only that version.
#[utoipa::path(delete, path = "/v1/files/{name}", tag = "files",
    params(
        ("name" = String, Path, description = "Percent-encoded, its slashes too"),
        ("private" = Option<bool>, Query, description = "One's own private file"),
        ("if-match" = Option<String>, Header, description = "`*`, or tags in quotes")),
    responses((status = 204)))]
pub(super) async fn delete(
    State(app): State<App>,
    FilePath(name): FilePath,
    mut caller: Caller,
    query: Pairs,
    headers: HeaderMap,
) -> Result<Answer<()>, Trouble> {
    caller.token()?;
    let private = query.only(&["private"])?.flag("private")?;
    let about = name.as_str().to_owned();
    identify(
        &mut caller,
        &[b"DELETE", about.as_bytes(), &[private.into()]],
    );
    let action = Action::RemoveFile {
        private,
        name,
        condition: condition(&headers)?,
    };
    Ok(Answer::done(app.write(&caller, action).await?))
}

/// Rename a file
///
/// Its owner, or an administrator. The new name must be free.
#[utoipa::path(patch, path = "/v1/files/{name}", tag = "files",
    params(
        ("name" = String, Path, description = "Percent-encoded, its slashes too"),
        ("private" = Option<bool>, Query, description = "One's own private file")),
    request_body = FileRename,
    responses((status = 204)))]
pub(super) async fn rename(
    State(app): State<App>,
    FilePath(name): FilePath,
    query: Pairs,
    Input { mut caller, body }: Input<FileRename>,
) -> Result<Answer<()>, Trouble> {
    let private = query.only(&["private"])?.flag("private")?;
    let to = FileName::parse(&body.name).map_err(bad_name("name"))?;
    let (from, target) = (name.as_str().to_owned(), to.as_str().to_owned());
    let about: [&[u8]; 4] = [
        b"PATCH",
        from.as_bytes(),
        target.as_bytes(),
        &[private.into()],
    ];
    identify(&mut caller, &about);
    let action = Action::RenameFile { private, name, to };
    Ok(Answer::done(app.write(&caller, action).await?))
}

/// What is known of a file
#[utoipa::path(get, path = "/v1/files/{name}/info", tag = "files",
    params(
        ("name" = String, Path, description = "Percent-encoded, its slashes too"),
        ("private" = Option<bool>, Query, description = "One's own private file")),
    responses((status = 200, body = api::types::File)))]
pub(super) async fn info(
    State(app): State<App>,
    FilePath(name): FilePath,
    caller: Caller,
    query: Pairs,
) -> Result<Answer<api::types::File>, Trouble> {
    caller.token()?;
    let private = query.only(&["private"])?.flag("private")?;
    let Served {
        value: (file, _),
        position,
    } = app.file(&caller, &FileRef { name, private }).await?;
    Ok(Answer::ok(position, render::file(file)))
}

/// Which nodes have the bytes of a file
///
/// Every node that can be reached is asked, a thousand chunks at a time.
#[utoipa::path(get, path = "/v1/files/{name}/chunks", tag = "files",
    params(
        ("name" = String, Path, description = "Percent-encoded, its slashes too"),
        ("private" = Option<bool>, Query, description = "One's own private file"),
        ("from" = Option<u64>, Query, description = "`next` of the page before")),
    responses((status = 200, body = FileChunks)))]
pub(super) async fn chunks(
    State(app): State<App>,
    FilePath(name): FilePath,
    caller: Caller,
    query: Pairs,
) -> Result<Answer<FileChunks>, Trouble> {
    caller.token()?;
    let query = query.only(&["private", "from"])?;
    let private = query.flag("private")?;
    let from = query.number("from", 0..=i64::MAX)?.unwrap_or(0) as usize;
    let Served {
        value: (_, hashes),
        position,
    } = app.file(&caller, &FileRef { name, private }).await?;
    let (hashes, _) = hashes.as_chunks::<HASH_BYTES>();
    let from = from.min(hashes.len());
    let end = hashes.len().min(from.saturating_add(CHUNKS_PAGE));
    let holders = app.engine.chunk_holders(&hashes[from..end]).await;
    let chunk = |((number, hash), nodes): ((usize, &[u8; 32]), Vec<String>)| FileChunk {
        number: number as u64,
        hash: Hex32(*hash),
        nodes,
    };
    let page = hashes.iter().enumerate().take(end).skip(from).zip(holders);
    let page = FileChunks {
        chunks: page.map(chunk).collect(),
        next: (end < hashes.len()).then_some(end as u64),
    };
    Ok(Answer::ok(position, page))
}

/// How much room files take
#[utoipa::path(get, path = "/v1/usage/files", tag = "files",
    responses((status = 200, body = FilesUsage)))]
pub(super) async fn usage(
    State(app): State<App>,
    caller: Caller,
    query: Pairs,
) -> Result<Answer<FilesUsage>, Trouble> {
    query.only(&[])?;
    let question = |me: &Member| GetUsage { viewer: me.account };
    let Served {
        value: (_, (own, all)),
        position,
    } = app.ask(&caller, question).await?;
    let usage = FilesUsage {
        own: render::usage(own, FILES_PER_OWNER_MAX, BYTES_PER_OWNER_MAX),
        all: render::usage(all, FILES_MAX, BYTES_MAX),
    };
    Ok(Answer::ok(position, usage))
}
