//! What can be asked about files. `viewer` is always the account id of the member who asks.

use crate::files::{SHARED, chunks, usage};
use crate::names::key_of;
use crate::query::Query;
use crate::sql::{Fault, Param, Row, Sql};
use crate::store::matches;

pub use crate::files::usage::Usage;

/// The longest page of files.
pub const FILES_PAGE_MAX: u32 = 500;

/// A page looks at most at so many files for those that are wanted: some milliseconds.
pub const LOOKED_AT_MAX: i64 = 5_000;

/// A pattern has at most this many bytes: it is compared with all that a page looks at.
pub const PATTERN_MAX_BYTES: usize = 256;

/// Blocks of hashes in the longest page of [`ListChunks`]: two megabytes.
pub const BLOCKS_PAGE_MAX: u32 = 64;

/// A file as the viewer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its id, which stays when it is replaced or renamed.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Whether only its owner sees it.
    pub private: bool,
    /// The owner's name.
    pub owner: String,
    /// Account id of the owner.
    pub owner_id: i64,
    /// The area it belongs to, while that is there.
    pub area: Option<i64>,
    /// What kind of file it is.
    pub media_type: String,
    /// How long it is.
    pub size_bytes: i64,
    /// BLAKE3 of all its bytes.
    pub root: [u8; 32],
    /// Copies of each chunk that are wanted.
    pub copies: u32,
    /// Its tags, in order.
    pub tags: Vec<String>,
    /// When it was first put, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When it was last put.
    pub changed_at_ms: i64,
}

/// A file with the hashes of its chunks, or `None`. Both are of the same version.
#[derive(Clone, Debug)]
pub struct GetFile {
    /// Who asks.
    pub viewer: i64,
    /// Whether the viewer's own private one is meant.
    pub private: bool,
    /// Its name.
    pub name: String,
}

impl Query for GetFile {
    type Answer = Option<(File, Vec<u8>)>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let scope = if self.private { self.viewer } else { SHARED };
        let rows = sql.query(SELECT_NAMED, &[scope.into(), (&self.name).into()])?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let file = file(sql, row)?;
        let hashes = chunks::of(sql, file.id)?;
        Ok(Some((file, hashes)))
    }
}

/// Files, newest first: the shared ones and the viewer's own private ones.
#[derive(Clone, Debug)]
pub struct ListFiles {
    /// Who asks.
    pub viewer: i64,
    /// Only with this tag.
    pub tag: Option<String>,
    /// Only of the member of this name.
    pub owner: Option<String>,
    /// Only with this in the name, in upper or lower case; with `*`, `?` or `[` it is a glob for
    /// the whole name.
    pub pattern: Option<String>,
    /// Files with an id below this; `i64::MAX` starts at the newest.
    pub before: i64,
    /// At most this many, 1 to 500.
    pub limit: u32,
}

/// A page of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The files. There may be fewer than were asked for, or none, though more follow.
    pub files: Vec<File>,
    /// Where the next page starts, if there may be more.
    pub next: Option<i64>,
}

impl Query for ListFiles {
    type Answer = Files;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let owner = match &self.owner {
            Some(name) => match account(sql, name)? {
                Some(owner) => Some(owner),
                None => return Ok(Files::none()),
            },
            None => None,
        };
        let limit = self.limit.clamp(1, FILES_PAGE_MAX) as usize;
        let rows = self.candidates(sql, owner)?;
        let (mut files, mut last) = (Vec::new(), None);
        for row in &rows {
            if files.len() == limit {
                return Ok(Files { files, next: last });
            }
            last = Some(row.int(0)?);
            if self.is_wanted(row, owner)? {
                files.push(file(sql, row)?);
            }
        }
        let next = last.filter(|_| rows.len() as i64 == LOOKED_AT_MAX);
        Ok(Files { files, next })
    }
}

impl Files {
    fn none() -> Self {
        Files {
            files: Vec::new(),
            next: None,
        }
    }
}

impl ListFiles {
    /// The files to look at, by the narrowest index there is.
    fn candidates(&self, sql: &mut dyn Sql, owner: Option<i64>) -> Result<Vec<Row>, Fault> {
        let (before, limit) = (Param::Int(self.before), Param::Int(LOOKED_AT_MAX));
        match (&self.tag, owner) {
            (Some(tag), _) => sql.query(SELECT_TAGGED, &[before, limit, tag.into()]),
            (None, Some(owner)) => sql.query(SELECT_OWNED, &[before, limit, owner.into()]),
            (None, None) => sql.query(SELECT_PAGE, &[before, limit]),
        }
    }

    fn is_wanted(&self, row: &Row, owner: Option<i64>) -> Result<bool, Fault> {
        let scope = row.int(2)?;
        if scope != SHARED && scope != self.viewer {
            return Ok(false);
        }
        if owner.is_some() && owner != Some(row.int(4)?) {
            return Ok(false);
        }
        let name = row.text(1)?;
        let pattern = self.pattern.as_deref();
        Ok(pattern.is_none_or(|pattern| is_match(pattern, name)))
    }
}

fn is_match(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    match pattern.contains(['*', '?', '[']) {
        true => matches(pattern.as_bytes(), name.as_bytes()),
        false => name.contains(&pattern),
    }
}

/// How much there is, of the viewer and in all.
#[derive(Clone, Debug)]
pub struct GetUsage {
    /// Who asks.
    pub viewer: i64,
}

impl Query for GetUsage {
    /// The viewer's, and all.
    type Answer = (Usage, Usage);

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Ok((usage::of(sql, self.viewer)?, usage::of(sql, usage::ALL)?))
    }
}

/// How often files were put or removed: what follows from the list of all is up to date while this
/// is the same.
#[derive(Clone, Copy, Debug)]
pub struct CountChanges;

impl Query for CountChanges {
    type Answer = i64;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let rows = sql.query(
            "SELECT changes FROM file_usage WHERE owner = ?1",
            &[usage::ALL.into()],
        )?;
        rows.first().map_or(Ok(0), |row| row.int(0))
    }
}

/// The hashes of all chunks of all files, block by block, for nodes that look after them.
#[derive(Clone, Copy, Debug)]
pub struct ListChunks {
    /// File and block that the page before ended with; `(0, 0)` begins.
    pub after: (i64, i64),
}

/// A block of hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it is: the file, and the number of the block.
    pub place: (i64, i64),
    /// Copies of each chunk that are wanted.
    pub copies: u32,
    /// The hashes, one after the other.
    pub hashes: Vec<u8>,
}

impl Query for ListChunks {
    type Answer = Vec<Block>;

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        let (file, block) = self.after;
        let rows = sql.query(
            "SELECT c.file, c.block, f.copies, c.hashes
             FROM file_chunks c JOIN files f ON f.id = c.file
             WHERE (c.file, c.block) > (?1, ?2) ORDER BY c.file, c.block LIMIT ?3",
            &[file.into(), block.into(), BLOCKS_PAGE_MAX.into()],
        )?;
        let block = |row: &Row| {
            Ok(Block {
                place: (row.int(0)?, row.int(1)?),
                copies: copies(row.int(2)?)?,
                hashes: row.blob(3)?.to_vec(),
            })
        };
        rows.iter().map(block).collect()
    }
}

macro_rules! select_files {
    ($tail:literal) => {
        concat!(
            "SELECT f.id, f.name, f.scope, a.name, f.owner, r.id, f.media_type, f.size_bytes,
                f.root, f.copies, f.created_at_ms, f.changed_at_ms
             FROM files f JOIN accounts a ON a.id = f.owner
                LEFT JOIN areas r ON r.id = f.area AND r.removed = 0 ",
            $tail
        )
    };
}

const SELECT_NAMED: &str = select_files!("WHERE f.scope = ?1 AND f.name = ?2");
const SELECT_PAGE: &str = select_files!("WHERE f.id < ?1 ORDER BY f.id DESC LIMIT ?2");
const SELECT_OWNED: &str =
    select_files!("WHERE f.id < ?1 AND f.owner = ?3 ORDER BY f.id DESC LIMIT ?2");
const SELECT_TAGGED: &str = select_files!(
    "WHERE f.id IN (SELECT t.file FROM file_tags t WHERE t.tag = ?3 AND t.file < ?1
        ORDER BY t.file DESC LIMIT ?2) ORDER BY f.id DESC"
);

fn file(sql: &mut dyn Sql, row: &Row) -> Result<File, Fault> {
    let id = row.int(0)?;
    Ok(File {
        id,
        name: row.text(1)?.to_owned(),
        private: row.int(2)? != SHARED,
        owner: row.text(3)?.to_owned(),
        owner_id: row.int(4)?,
        area: row.int_opt(5)?,
        media_type: row.text(6)?.to_owned(),
        size_bytes: row.int(7)?,
        root: row.hash(8)?,
        copies: copies(row.int(9)?)?,
        tags: tags(sql, id)?,
        created_at_ms: row.int(10)?,
        changed_at_ms: row.int(11)?,
    })
}

fn copies(stored: i64) -> Result<u32, Fault> {
    u32::try_from(stored).map_err(|_| Fault::Corrupt("a number of copies"))
}

fn tags(sql: &mut dyn Sql, file: i64) -> Result<Vec<String>, Fault> {
    let rows = sql.query(
        "SELECT tag FROM file_tags WHERE file = ?1 ORDER BY tag",
        &[file.into()],
    )?;
    rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
}

fn account(sql: &mut dyn Sql, name: &str) -> Result<Option<i64>, Fault> {
    let key = key_of(name);
    let rows = sql.query(
        "SELECT id FROM accounts WHERE name_key = ?1",
        &[(&key).into()],
    )?;
    rows.first().map(|row| row.int(0)).transpose()
}
