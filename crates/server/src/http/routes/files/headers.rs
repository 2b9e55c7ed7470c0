//! The headers that come with a file's bytes.

use api::client::ESCAPED;
use api::types::Hex32;
use domain::files::queries::File;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_MATCH, IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::utf8_percent_encode;

use crate::files::{Part, condition};
use crate::headers::header;
use crate::problem::{Trouble, file_changed};

/// What members upload is nobody's page: a browser that shows it runs nothing of it, and takes it
/// for another site than this one.
const SANDBOX: &str = "default-src 'none'; sandbox";

/// The tag of a version: its root.
pub(super) fn etag(root: &[u8; 32]) -> (HeaderName, HeaderValue) {
    let quoted = HeaderValue::try_from(format!("\"{}\"", Hex32(*root)));
    // Digits and quotes are always a header.
    (ETAG, quoted.unwrap_or(HeaderValue::from_static("\"\"")))
}

/// Refuses a reader that wants another version than there is.
pub(super) fn need_match(headers: &HeaderMap, root: &[u8; 32]) -> Result<(), Trouble> {
    let mut demanded = HeaderMap::new();
    for value in headers.get_all(IF_MATCH) {
        demanded.append(IF_MATCH, value.clone());
    }
    match condition(&demanded)?.holds(Some(root)) {
        true => Ok(()),
        false => Err(file_changed(Some(root))),
    }
}

/// The range that is asked for, if it is one of this version.
pub(super) fn wanted<'a>(
    headers: &'a HeaderMap,
    root: &[u8; 32],
) -> Result<Option<&'a str>, Trouble> {
    let own = format!("\"{}\"", Hex32(*root));
    match header(headers, IF_RANGE.as_str())? {
        Some(version) if version.trim() != own => Ok(None),
        _ => header(headers, RANGE.as_str()),
    }
}

/// The status of an answer with this part of a file, and its headers.
pub(super) fn described(file: &File, part: &Part) -> Result<(StatusCode, HeaderMap), Trouble> {
    let size_bytes = file.size_bytes.cast_unsigned();
    let mut headers = HeaderMap::from_iter([
        etag(&file.root),
        (ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX)),
        (CONTENT_TYPE, text(file.media_type.clone())?),
        (CONTENT_DISPOSITION, text(disposition(&file.name))?),
        (CONTENT_LENGTH, size_bytes.into()),
    ]);
    let Part::Bytes(range) = part else {
        return Ok((StatusCode::OK, headers));
    };
    let (first, last) = (range.start, range.end - 1);
    headers.insert(CONTENT_LENGTH, (range.end - range.start).into());
    let shown = format!("bytes {first}-{last}/{size_bytes}");
    headers.insert(CONTENT_RANGE, text(shown)?);
    Ok((StatusCode::PARTIAL_CONTENT, headers))
}

/// How long the file is, for whoever asked for what is past its end.
pub(super) fn beyond(size_bytes: u64) -> [(HeaderName, HeaderValue); 1] {
    let shown = HeaderValue::try_from(format!("bytes */{size_bytes}"));
    [(
        CONTENT_RANGE,
        shown.unwrap_or(HeaderValue::from_static("bytes */*")),
    )]
}

/// A browser saves it under the last part of its name (RFC 6266).
fn disposition(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or_default();
    let last = utf8_percent_encode(last, ESCAPED);
    format!("attachment; filename*=UTF-8''{last}")
}

fn text(value: String) -> Result<HeaderValue, Trouble> {
    HeaderValue::try_from(value).map_err(Trouble::internal)
}
