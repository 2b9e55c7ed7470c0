//! Files, from the rules' types to the API's.

use api::types::{self, Hex32};
use domain::files::queries::{File, Files, Usage};

use super::rfc3339;

/// A file.
pub(crate) fn file(file: File) -> types::File {
    types::File {
        id: file.id,
        name: file.name,
        private: file.private,
        owner: file.owner,
        area: file.area,
        media_type: file.media_type,
        size_bytes: file.size_bytes,
        root: Hex32(file.root),
        copies: file.copies,
        tags: file.tags,
        created_at: rfc3339(file.created_at_ms),
        changed_at: rfc3339(file.changed_at_ms),
    }
}

/// A page of files.
pub(crate) fn files(page: Files) -> types::Files {
    types::Files {
        files: page.files.into_iter().map(file).collect(),
        next: page.next,
    }
}

/// How much room files take.
pub(crate) fn usage(used: Usage, files: i64, size_bytes: i64) -> types::FileUsage {
    types::FileUsage {
        files: used.files,
        size_bytes: used.size_bytes,
        limits: types::FileLimits { files, size_bytes },
    }
}
