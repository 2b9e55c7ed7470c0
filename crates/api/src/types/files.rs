//! Files: what is to be known of them. Their bytes travel as they are.
//!
//! `{name}` in a path is the name percent-encoded, its slashes too (`actas%2Fenero.pdf`). The
//! `ETag` of a file is its root in quotes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Hex32;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct File {
    /// Its id, which stays when it is replaced or renamed.
    pub id: i64,
    /// Its name.
    #[schema(example = "actas/2026/enero.pdf")]
    pub name: String,
    /// Whether only its owner sees it.
    pub private: bool,
    /// The owner's name.
    pub owner: String,
    /// Id of the area that it belongs to, if any.
    pub area: Option<i64>,
    /// What kind of file it is.
    #[schema(example = "application/pdf")]
    pub media_type: String,
    /// How long it is.
    pub size_bytes: i64,
    /// BLAKE3 of all its bytes.
    pub root: Hex32,
    /// Copies of each of its chunks that are wanted.
    pub copies: u32,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was first put.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last put.
    #[schema(format = DateTime)]
    pub changed_at: String,
}

/// A page of files, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Files {
    /// They: the shared ones, and the private ones of whoever asks.
    pub files: Vec<File>,
    /// What `before` is for the next page; absent at the end. A page may be empty before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// A file was put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilePut {
    /// Its id.
    pub id: i64,
    /// Its name, as it is kept.
    pub name: String,
    /// How long it is.
    pub size_bytes: i64,
    /// BLAKE3 of all its bytes.
    pub root: Hex32,
    /// Whether it took the place of an earlier version.
    pub replaced: bool,
    /// When it was put.
    #[schema(format = DateTime)]
    pub at: String,
}

/// Another name for a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRename {
    /// Its name from now on; no other file may have it.
    pub name: String,
}

/// Chunks of a file, and where they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileChunks {
    /// They, in order.
    pub chunks: Vec<FileChunk>,
    /// What `from` is for the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A chunk of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileChunk {
    /// Its number, from 0.
    pub number: u64,
    /// Its BLAKE3, which is its name.
    pub hash: Hex32,
    /// The nodes that say they have it. One that cannot be reached says nothing.
    pub nodes: Vec<String>,
}

/// How much room files take, and how much there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilesUsage {
    /// Of whoever asks.
    pub own: FileUsage,
    /// Of all members together.
    pub all: FileUsage,
}

/// How much room files take. Each counts once, however many copies there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileUsage {
    /// How many files.
    pub files: i64,
    /// Their bytes.
    pub size_bytes: i64,
    /// How much there may be.
    pub limits: FileLimits,
}

/// How much there may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileLimits {
    /// Files.
    pub files: i64,
    /// Their bytes.
    pub size_bytes: i64,
}
