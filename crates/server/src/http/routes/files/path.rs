//! The name of a file in a path.

use api::client::ESCAPED;
use axum::extract::FromRequestParts;
use domain::files::FileName;
use http::request::Parts;
use percent_encoding::{percent_decode_str, utf8_percent_encode};

use crate::app::FileRef;
use crate::problem::{Kind, Trouble, bad_name};

/// The route of a file's bytes.
pub(crate) const FILE_PATH: &str = "/v1/files/{name}";

/// `{name}`: one segment, percent-encoded, its slashes too.
pub(in crate::http::routes) struct FilePath(pub FileName);

impl<S: Sync> FromRequestParts<S> for FilePath {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Trouble> {
        let encoded = parts.uri.path().split('/').nth(3).unwrap_or_default();
        let name = percent_decode_str(encoded).decode_utf8();
        let name = name.map_err(|_| Trouble::new(Kind::Malformed, "the path is not UTF-8"))?;
        let name = FileName::parse(&name).map_err(bad_name("name"))?;
        Ok(FilePath(name))
    }
}

/// Where a file is.
pub(super) fn of(file: &FileRef) -> String {
    let name = utf8_percent_encode(file.name.as_str(), ESCAPED);
    let query = if file.private { "?private=true" } else { "" };
    format!("/v1/files/{name}{query}")
}
