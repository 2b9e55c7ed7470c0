//! What a call's metadata says: who calls, how fresh, exactly once, and for how long.

use std::net::IpAddr;
use std::time::Duration;

use api::types::headers;
use http::HeaderMap;

use crate::app::{App, Caller};
use crate::headers::{bad_header, bearer, header, request_for, request_key, right_cluster};
use crate::problem::Trouble;

/// A call before its message is looked at.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    caller: Caller,
    path: String,
    key: Option<String>,
}

impl Asked {
    /// Reads the metadata of a call to `path`.
    pub fn new(app: &App, path: &str, head: &HeaderMap, peer: IpAddr) -> Result<Self, Trouble> {
        right_cluster(head, app)?;
        let seen = header(head, headers::INDEX)?.map(str::parse).transpose();
        let freshness = header(head, headers::CONSISTENCY)?.map(str::parse);
        let caller = Caller {
            token: bearer(head)?,
            seen: seen.map_err(|_| bad_header(headers::INDEX))?,
            freshness: freshness.transpose()?,
            request: None,
            // Not what metadata says: a proxy leads gRPC as bytes, so that is the client's word.
            address: peer,
        };
        Ok(Asked {
            caller,
            path: path.to_owned(),
            key: request_key(head)?.map(str::to_owned),
        })
    }

    /// Who calls, whatever the message is.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The caller of a message with this content.
    pub fn with(self, content: impl FnOnce() -> Vec<u8>) -> Caller {
        let Asked { caller, path, key } = self;
        let request = key.map(|key| request_for(key, &[path.as_bytes(), &content()]));
        Caller { request, ..caller }
    }
}

/// How long the client waits, if it says so: `100m` are 100 milliseconds.
pub(super) fn timeout(head: &HeaderMap) -> Result<Option<Duration>, Trouble> {
    let name = "grpc-timeout";
    let Some(text) = header(head, name)? else {
        return Ok(None);
    };
    let bad = || bad_header(name);
    let (digits, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or_else(bad)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_number).ok_or_else(bad)?;
    let time = match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return Err(bad()),
    };
    Ok(Some(time))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_timeout_is_read_or_refused() {
        let read = |text: &'static str| {
            let mut head = HeaderMap::new();
            head.insert("grpc-timeout", HeaderValue::from_static(text));
            timeout(&head)
        };
        assert_eq!(read("100m").unwrap(), Some(Duration::from_millis(100)));
        assert_eq!(
            read("99999999H").unwrap().unwrap().as_secs(),
            99_999_999 * 3600
        );
        assert_eq!(timeout(&HeaderMap::new()).unwrap(), None);
        for text in [
            "",
            "m",
            "1",
            "1s",
            "123456789m",
            "-1m",
            "+1m",
            "1.5S",
            " 1m",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
