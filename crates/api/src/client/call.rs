//! One call: what is asked, independent of the node that will answer it.

use bytes::Bytes;
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde::Serialize;

use super::Error;

/// All but the characters that RFC 3986 calls unreserved (section 2.3): what is escaped in a part
/// of a path and in a query's value.
pub const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Path and query, percent-encoded.
    pub(super) path: String,
    pub(super) body: Option<Body>,
    /// Whether a repetition could do it twice, so that it needs a request id.
    pub(super) needs_id: bool,
    /// Never sent again once a node may have it: a repetition would do it twice, and nothing keeps
    /// a node from that.
    pub(super) once: bool,
    /// The area it is about, to ask a node that the area is assigned to.
    pub(super) area: Option<String>,
}

/// A request's body.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) content_type: &'static str,
    pub(super) bytes: Bytes,
}

impl Call {
    /// Reads; `segments` of the path are escaped here.
    pub(super) fn get(segments: &[&str]) -> Self {
        let call = Call {
            method: Method::GET,
            path: String::new(),
            body: None,
            needs_id: false,
            once: false,
            area: None,
        };
        segments
            .iter()
            .fold(call, |call, segment| call.segment(segment.as_bytes()))
    }

    /// Adds a segment to the path, escaped.
    pub(super) fn segment(mut self, segment: &[u8]) -> Self {
        self.path.push('/');
        self.path.extend(percent_encode(segment, ESCAPED));
        self
    }

    /// Changes something, exactly once.
    pub(super) fn change(method: Method, segments: &[&str]) -> Self {
        Call {
            method,
            needs_id: true,
            ..Call::get(segments)
        }
    }

    /// It does no harm to do it twice, and its answer must not be an earlier one's.
    pub(super) fn repeatable(self) -> Self {
        Call {
            needs_id: false,
            ..self
        }
    }

    /// It is done at most once, by giving up rather than asking again.
    pub(super) fn once(self) -> Self {
        Call {
            needs_id: false,
            once: true,
            ..self
        }
    }

    /// It is about this area.
    pub(super) fn about(self, area: &str) -> Self {
        Call {
            area: Some(area.to_owned()),
            ..self
        }
    }

    /// Sends `value` as JSON.
    pub(super) fn json<T: Serialize>(self, value: &T) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(value).map_err(|error| Error::Invalid {
            field: "the request",
            reason: error.to_string(),
        })?;
        Ok(self.raw("application/json", bytes.into()))
    }

    /// Sends `bytes` as they are.
    pub(super) fn raw(self, content_type: &'static str, bytes: Bytes) -> Self {
        Call {
            body: Some(Body {
                content_type,
                bytes,
            }),
            ..self
        }
    }

    /// Adds `name=value` to the query, if there is a value.
    pub(super) fn query(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.path
                .push(if self.path.contains('?') { '&' } else { '?' });
            self.path.push_str(name);
            self.path.push('=');
            self.path.extend(percent_encode(value.as_bytes(), ESCAPED));
        }
        self
    }

    /// True if it only reads.
    pub(super) fn reads(&self) -> bool {
        self.method == Method::GET
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn segments_and_values_are_escaped() {
        let call = Call::get(&["v1", "areas", "Obras y/o ñ?", "posts"])
            .query("q", Some("a&b=c d"))
            .query("none", None)
            .query("limit", Some("5"));
        assert_eq!(
            call.path,
            "/v1/areas/Obras%20y%2Fo%20%C3%B1%3F/posts?q=a%26b%3Dc%20d&limit=5"
        );
    }

    #[test]
    fn a_change_needs_an_id_and_a_reading_does_not() {
        let change = Call::change(Method::POST, &["v1", "areas"]);
        assert!(change.needs_id && !change.reads());
        assert!(!change.repeatable().needs_id);
        let reading = Call::get(&["v1", "areas"]);
        assert!(!reading.needs_id && reading.reads());
    }

    #[test]
    fn a_body_is_json() {
        let call = Call::change(Method::POST, &["x"]).json(&["a"]).unwrap();
        let body = call.body.unwrap();
        assert_eq!(
            (body.content_type, &body.bytes[..]),
            ("application/json", &b"[\"a\"]"[..])
        );
    }
}
