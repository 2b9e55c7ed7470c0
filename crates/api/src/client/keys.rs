//! The replicated store.

use bytes::Bytes;
use http::Method;
use http::header::ETAG;

use super::call::Call;
use super::{Client, Error};
use crate::types::KeyVersion;

/// What is stored under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// The bytes.
    pub value: Bytes,
    /// Version of the last change: larger with each, and never used again.
    pub version: i64,
}

impl Client {
    /// What is stored under a key, or `None`.
    pub async fn get_key(&self, key: &[u8]) -> Result<Option<KeyEntry>, Error> {
        match self.send(Call::get(&["v1", "keys"]).segment(key)).await {
            Ok((_, answer)) => {
                let etag = answer.headers.get(ETAG).and_then(|tag| tag.to_str().ok());
                let version = etag
                    .and_then(|tag| tag.trim_matches('"').parse().ok())
                    .unwrap_or(0);
                Ok(Some(KeyEntry {
                    value: answer.body,
                    version,
                }))
            }
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores a value and answers its version.
    pub async fn put_key(&self, key: &[u8], value: Bytes) -> Result<KeyVersion, Error> {
        let call = Call::change(Method::PUT, &["v1", "keys"]).segment(key);
        self.fetch(call.raw("application/octet-stream", value))
            .await
    }

    /// Removes a key and answers the version it had, 0 if it did not exist.
    pub async fn delete_key(&self, key: &[u8]) -> Result<KeyVersion, Error> {
        self.fetch(Call::change(Method::DELETE, &["v1", "keys"]).segment(key))
            .await
    }
}
