//! News: areas, subscriptions, posts, what a member has read, and search.

pub mod queries;
pub mod search;

/// A title has at most this many characters.
pub const TITLE_MAX_CHARS: usize = 200;

/// A text has at most this many bytes of Markdown.
pub const TEXT_MAX_BYTES: usize = 64 * 1024;
