//! Full-text search: how text becomes words.
