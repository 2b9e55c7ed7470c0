//! Putting, renaming and removing files.

use std::collections::BTreeSet;

use crate::command::{Rejection, Reply, Right, Thing};
use crate::context::{Context, Member, Step, invalid, told};
use crate::event::Topic;
use crate::files::usage::{self, Usage};
use crate::files::{
    COPIES_MAX, Condition, FileName, HASH_BYTES, MEDIA_TYPE_MAX_BYTES, NewFile, ROOTS_MAX, SHARED,
    SIZE_MAX_BYTES, TAG_MAX_CHARS, TAGS_MAX, chunks, chunks_of,
};
use crate::news::{check_line, need_area};
use crate::sql::{Fault, Param, Sql};

/// A file that is there, as the handlers need it.
struct Standing {
    id: i64,
    owner: i64,
    size_bytes: i64,
    root: [u8; 32],
}

/// Makes a file, or replaces the one of that name.
pub(crate) fn put(context: &mut Context<'_>, file: &NewFile, condition: &Condition) -> Step<Reply> {
    let member = context.member()?.clone();
    check(context, file)?;
    check_condition(condition)?;
    let scope = scope(&member, file.private);
    let before = named(context, scope, &file.name)?;
    if let Some(before) = &before {
        need_owner(&member, before)?;
    }
    need_condition(condition, before.as_ref())?;
    let owner = before
        .as_ref()
        .map_or(member.account, |before| before.owner);
    let (more, less) = (Usage::of(file.size_bytes), used(before.as_ref()));
    usage::need_room(context, owner, more, less)?;
    let id = match &before {
        Some(before) => replace(context, before.id, file)?,
        None => insert(context, scope, owner, file)?,
    };
    insert_tags(context, id, &file.tags)?;
    chunks::insert(context, id, &file.chunks)?;
    usage::count(context, owner, more, less)?;
    let reply = Reply::File {
        id,
        at_ms: context.now_ms,
        replaced: before.is_some(),
    };
    let topic = Topic::FilePut {
        file: id,
        name: file.name.as_str().to_owned(),
        by: member.name,
        area: file.area,
        size_bytes: file.size_bytes,
        root: file.root,
        replaced: before.is_some(),
    };
    tell(context, file.private, topic, reply)
}

/// Gives a file another name, which must be free. Its own is fine and changes nothing.
pub(crate) fn rename(
    context: &mut Context<'_>,
    private: bool,
    name: &FileName,
    to: &FileName,
) -> Step<Reply> {
    let member = context.member()?.clone();
    let scope = scope(&member, private);
    let file = need_named(context, scope, name)?;
    need_owner(&member, &file)?;
    if name == to {
        return Ok(Reply::Done);
    }
    if named(context, scope, to)?.is_some() {
        return Err(Rejection::Taken(Thing::File).into());
    }
    context.sql.execute(
        "UPDATE files SET name = ?2 WHERE id = ?1",
        &[file.id.into(), to.as_str().into()],
    )?;
    let topic = Topic::FileRenamed {
        file: file.id,
        before: name.as_str().to_owned(),
        name: to.as_str().to_owned(),
    };
    tell(context, private, topic, Reply::Done)
}

/// Removes a file.
pub(crate) fn remove(
    context: &mut Context<'_>,
    private: bool,
    name: &FileName,
    condition: &Condition,
) -> Step<Reply> {
    let member = context.member()?.clone();
    check_condition(condition)?;
    let file = need_named(context, scope(&member, private), name)?;
    need_owner(&member, &file)?;
    need_condition(condition, Some(&file))?;
    context
        .sql
        .execute("DELETE FROM files WHERE id = ?1", &[file.id.into()])?;
    remove_tags(context, file.id)?;
    chunks::remove(context, file.id)?;
    usage::count(context, file.owner, Usage::default(), used(Some(&file)))?;
    let topic = Topic::FileRemoved {
        file: file.id,
        name: name.as_str().to_owned(),
    };
    tell(context, private, topic, Reply::Done)
}

/// An answer with an event, unless the file is nobody's business but its owner's.
fn tell(context: &mut Context<'_>, private: bool, topic: Topic, reply: Reply) -> Step<Reply> {
    match private {
        true => Ok(reply),
        false => told(context, topic, reply),
    }
}

fn scope(member: &Member, private: bool) -> i64 {
    if private { member.account } else { SHARED }
}

fn used(file: Option<&Standing>) -> Usage {
    file.map_or(Usage::default(), |file| Usage::of(file.size_bytes))
}

fn named(
    context: &mut Context<'_>,
    scope: i64,
    name: &FileName,
) -> Result<Option<Standing>, Fault> {
    let rows = context.sql.query(
        "SELECT id, owner, size_bytes, root FROM files WHERE scope = ?1 AND name = ?2",
        &[scope.into(), name.as_str().into()],
    )?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Standing {
        id: row.int(0)?,
        owner: row.int(1)?,
        size_bytes: row.int(2)?,
        root: row.hash(3)?,
    }))
}

fn need_named(context: &mut Context<'_>, scope: i64, name: &FileName) -> Step<Standing> {
    Ok(named(context, scope, name)?.ok_or(Rejection::NotFound(Thing::File))?)
}

fn need_owner(member: &Member, file: &Standing) -> Step<()> {
    match member.administrator || member.account == file.owner {
        true => Ok(()),
        false => Err(Rejection::Forbidden(Right::Owner).into()),
    }
}

fn need_condition(condition: &Condition, file: Option<&Standing>) -> Step<()> {
    let root = file.map(|file| file.root);
    match condition.holds(root.as_ref()) {
        true => Ok(()),
        false => Err(Rejection::FileChanged { root }.into()),
    }
}

fn insert(context: &mut Context<'_>, scope: i64, owner: i64, file: &NewFile) -> Result<i64, Fault> {
    let id = usage::next_id(context)?;
    let params: [Param<'_>; 10] = [
        id.into(),
        scope.into(),
        file.name.as_str().into(),
        owner.into(),
        file.area.into(),
        (&file.media_type).into(),
        file.size_bytes.into(),
        (&file.root).into(),
        file.copies.into(),
        context.now_ms.into(),
    ];
    context.sql.execute(INSERT, &params)?;
    Ok(id)
}

const INSERT: &str = "
    INSERT INTO files (id, scope, name, owner, area, media_type, size_bytes, root, copies,
        created_at_ms, changed_at_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)";

fn replace(context: &mut Context<'_>, id: i64, file: &NewFile) -> Result<i64, Fault> {
    remove_tags(context, id)?;
    chunks::remove(context, id)?;
    let params: [Param<'_>; 7] = [
        id.into(),
        file.area.into(),
        (&file.media_type).into(),
        file.size_bytes.into(),
        (&file.root).into(),
        file.copies.into(),
        context.now_ms.into(),
    ];
    context.sql.execute(
        "UPDATE files SET area = ?2, media_type = ?3, size_bytes = ?4, root = ?5, copies = ?6,
            changed_at_ms = ?7 WHERE id = ?1",
        &params,
    )?;
    Ok(id)
}

fn insert_tags(context: &mut Context<'_>, file: i64, tags: &[String]) -> Result<(), Fault> {
    let tags: BTreeSet<&String> = tags.iter().collect();
    for tag in tags {
        context.sql.execute(
            "INSERT INTO file_tags (tag, file) VALUES (?1, ?2)",
            &[tag.into(), file.into()],
        )?;
    }
    Ok(())
}

fn remove_tags(context: &mut Context<'_>, file: i64) -> Result<(), Fault> {
    context
        .sql
        .execute("DELETE FROM file_tags WHERE file = ?1", &[file.into()])?;
    Ok(())
}

fn check(context: &mut Context<'_>, file: &NewFile) -> Step<()> {
    if !(0..=SIZE_MAX_BYTES).contains(&file.size_bytes) {
        return Err(invalid("size_bytes", "a file has at most 16 GiB"));
    }
    let hashes = file.chunks.len() as i64;
    if hashes != chunks_of(file.size_bytes) * HASH_BYTES as i64 {
        return Err(invalid("chunks", "there is a hash for each chunk"));
    }
    if !(1..=COPIES_MAX).contains(&file.copies) {
        return Err(invalid("copies", "there are 1 to 7 copies"));
    }
    check_media_type(&file.media_type)?;
    if file.tags.len() > TAGS_MAX {
        return Err(invalid("tags", "a file has at most 16 tags"));
    }
    for tag in &file.tags {
        check_line("tags", tag, TAG_MAX_CHARS)?;
    }
    match file.area {
        Some(_) if file.private => Err(invalid("area", "a private file is in no area")),
        Some(area) => need_area(&mut context.sql, area).map(drop),
        None => Ok(()),
    }
}

fn check_condition(condition: &Condition) -> Step<()> {
    match condition {
        Condition::OneOf(roots) | Condition::NoneOf(roots) if roots.len() > ROOTS_MAX => {
            Err(invalid("condition", "it names at most 16 versions"))
        }
        _ => Ok(()),
    }
}

/// It is sent back in a header.
fn check_media_type(text: &str) -> Step<()> {
    let shows = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let fits = (1..=MEDIA_TYPE_MAX_BYTES).contains(&text.len()) && text.bytes().all(shows);
    match fits && text.contains('/') {
        true => Ok(()),
        false => Err(invalid("media_type", "it is like text/plain")),
    }
}
