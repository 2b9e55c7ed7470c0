//! Files: looking before bytes are taken, storing them, and putting the entry.

use axum::body::Body;
use domain::accounts::Member;
use domain::command::Right;
use domain::files::queries::{File, GetFile, GetUsage, Usage};
use domain::files::{BYTES_MAX, BYTES_PER_OWNER_MAX, Condition, FileName, NewFile, SIZE_MAX_BYTES};
use domain::{Action, Fault, Query, Rejection, Sql};
use engine::Served;

use super::{App, Caller, Written};
use crate::files::{self, Stored};
use crate::problem::{Kind, Trouble, file_changed};

/// Which file.
#[derive(Clone, Debug)]
pub(crate) struct FileRef {
    pub name: FileName,
    /// Whether the caller's own private one is meant.
    pub private: bool,
}

/// A file that somebody wants to put.
pub(crate) struct PutFile {
    pub file: FileRef,
    pub area: Option<i64>,
    pub media_type: String,
    pub tags: Vec<String>,
    pub copies: u32,
    pub condition: Condition,
    /// How long it is said to be.
    pub announced: Option<u64>,
    /// Whether its bytes come only when they are asked for (`Expect: 100-continue`).
    pub is_waiting: bool,
    /// What its root must be.
    pub root: Option<[u8; 32]>,
}

impl App {
    /// A file with the hashes of its chunks.
    pub async fn file(
        &self,
        caller: &Caller,
        file: &FileRef,
    ) -> Result<Served<(File, Vec<u8>)>, Trouble> {
        let wanted = file.clone();
        let question = move |me: &Member| wanted.of(me);
        let Served {
            value: (_, found),
            position,
        } = self.ask(caller, question).await?;
        let value = found.ok_or_else(|| file.missing())?;
        Ok(Served { value, position })
    }

    /// Stores a body and puts the entry that names it.
    ///
    /// `identify` gives the request its id, once it is known what the body was.
    pub async fn put_file(
        &self,
        mut caller: Caller,
        put: PutFile,
        body: Body,
        identify: impl FnOnce(&mut Caller, &[u8; 32]) + Send,
    ) -> Result<(Written, [u8; 32], u64), Trouble> {
        let admitted = async {
            self.may_put(&caller, &put).await?;
            self.traffic.upload().await
        };
        let _turn = match admitted.await {
            Ok(turn) => turn,
            // One that waits to be told to go on is told why not instead.
            Err(trouble) if put.is_waiting => return Err(trouble),
            Err(trouble) => {
                files::drain(self, body, put.announced).await;
                return Err(trouble);
            }
        };
        let stored = files::store(self, body, put.announced, put.copies).await?;
        let Stored {
            size_bytes,
            root,
            chunks,
        } = stored;
        if put.root.is_some_and(|expected| expected != root) {
            let detail = "the bytes that came do not have the root that was announced";
            return Err(Trouble::new(Kind::Malformed, detail));
        }
        identify(&mut caller, &root);
        let file = NewFile {
            name: put.file.name,
            private: put.file.private,
            area: put.area,
            media_type: put.media_type,
            size_bytes: i64::try_from(size_bytes).unwrap_or(i64::MAX),
            root,
            chunks,
            tags: put.tags,
            copies: put.copies,
        };
        let condition = put.condition;
        let written = self
            .write(&caller, Action::PutFile { file, condition })
            .await?;
        Ok((written, root, size_bytes))
    }

    /// Refuses what the rules would refuse once all bytes have come: they decide again then.
    async fn may_put(&self, caller: &Caller, put: &PutFile) -> Result<(), Trouble> {
        let wanted = put.file.clone();
        let question = move |me: &Member| Before {
            file: wanted.of(me),
            usage: GetUsage { viewer: me.account },
        };
        let Served {
            value: (me, (before, (own, all))),
            ..
        } = self.ask(caller, question).await?;
        let before = before.map(|(file, _)| file);
        let is_others = |file: &File| file.owner_id != me.account;
        if before.as_ref().is_some_and(is_others) && !me.administrator {
            return Err(Rejection::Forbidden(Right::Owner).into());
        }
        let root = before.as_ref().map(|file| &file.root);
        // A request that is repeated may find what it did itself.
        if caller.request.is_none() && !put.condition.holds(root) {
            return Err(file_changed(root));
        }
        let size_bytes = put.announced.unwrap_or(0);
        if size_bytes > SIZE_MAX_BYTES as u64 {
            let detail = "a file has at most 16 GiB";
            return Err(Trouble::new(Kind::TooLarge, detail));
        }
        let less = before.map_or(0, |file| file.size_bytes);
        need_room(own, BYTES_PER_OWNER_MAX, size_bytes, less)?;
        need_room(all, BYTES_MAX, size_bytes, less)
    }
}

fn need_room(used: Usage, limit: i64, more: u64, less: i64) -> Result<(), Trouble> {
    let used = used.size_bytes.saturating_sub(less);
    match used.saturating_add_unsigned(more) > limit {
        true => {
            let what = domain::command::Thing::FileByte;
            Err(Rejection::LimitReached { what, limit }.into())
        }
        false => Ok(()),
    }
}

impl FileRef {
    fn of(&self, me: &Member) -> GetFile {
        GetFile {
            viewer: me.account,
            private: self.private,
            name: self.name.as_str().to_owned(),
        }
    }

    /// There is no such file.
    pub fn missing(&self) -> Trouble {
        let what = if self.private { "private file" } else { "file" };
        Trouble::missing_name(what, self.name.as_str())
    }
}

/// What there is before a file is put, all from one state.
#[derive(Clone)]
struct Before {
    file: GetFile,
    usage: GetUsage,
}

impl Query for Before {
    type Answer = (<GetFile as Query>::Answer, <GetUsage as Query>::Answer);

    fn run(&self, sql: &mut dyn Sql) -> Result<Self::Answer, Fault> {
        Ok((self.file.run(sql)?, self.usage.run(sql)?))
    }
}
