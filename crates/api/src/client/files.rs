//! Files: what is known of them, and their bytes in both directions.

mod body;
mod download;
mod upload;

pub use body::Content;
pub(super) use body::FileBody;
pub use download::FileReader;
pub use upload::{IfThere, PutFile};

use http::Method;

use super::call::Call;
use super::{Client, Error};
use crate::types::{File, FileChunks, FileRename, Files, FilesUsage, Hex32};

/// Which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// Its name.
    pub name: String,
    /// Whether one's own private one is meant.
    pub private: bool,
}

/// Which files to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesQuery {
    /// Only with this in the name, or matching this pattern.
    pub pattern: Option<String>,
    /// Only with this tag.
    pub tag: Option<String>,
    /// Only of this member.
    pub owner: Option<String>,
    /// `next` of the page before.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: Option<u32>,
}

impl FileName {
    fn call(&self, method: Method) -> Call {
        let call = match method {
            Method::GET => Call::get(&["v1", "files"]),
            method => Call::change(method, &["v1", "files"]),
        };
        self.private_in(call.segment(self.name.as_bytes()))
    }

    fn private_in(&self, call: Call) -> Call {
        call.query("private", self.private.then_some("true"))
    }
}

impl Client {
    /// A page of files, newest first; it may be empty though there is a next one.
    pub async fn files(&self, query: &FilesQuery) -> Result<Files, Error> {
        let before = query.before.map(|before| before.to_string());
        let limit = query.limit.map(|limit| limit.to_string());
        let call = Call::get(&["v1", "files"])
            .query("match", query.pattern.as_deref())
            .query("tag", query.tag.as_deref())
            .query("owner", query.owner.as_deref())
            .query("before", before.as_deref())
            .query("limit", limit.as_deref());
        self.fetch(call).await
    }

    /// What is known of a file.
    pub async fn file(&self, file: &FileName) -> Result<File, Error> {
        let call = Call::get(&["v1", "files"]).segment(file.name.as_bytes());
        self.fetch(file.private_in(call.segment(b"info"))).await
    }

    /// A page of a file's chunks, with the nodes that have them.
    pub async fn file_chunks(&self, file: &FileName, from: u64) -> Result<FileChunks, Error> {
        let call = Call::get(&["v1", "files"]).segment(file.name.as_bytes());
        let call = file.private_in(call.segment(b"chunks"));
        self.fetch(call.query("from", Some(&from.to_string())))
            .await
    }

    /// Gives a file another name.
    pub async fn rename_file(&self, file: &FileName, to: &str) -> Result<(), Error> {
        let name = to.to_owned();
        let call = file.call(Method::PATCH).json(&FileRename { name })?;
        self.done(call).await
    }

    /// Removes a file.
    pub async fn remove_file(&self, file: &FileName) -> Result<(), Error> {
        self.done(file.call(Method::DELETE)).await
    }

    /// How much room files take.
    pub async fn files_usage(&self) -> Result<FilesUsage, Error> {
        self.fetch(Call::get(&["v1", "usage", "files"])).await
    }
}

/// The tag of a version.
fn tag(root: &Hex32) -> String {
    format!("\"{root}\"")
}
