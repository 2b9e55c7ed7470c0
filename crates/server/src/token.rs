//! Secrets that a client holds: sessions and private feeds.
//!
//! A token is `secret.index`: 32 random bytes in base64url, and the log index of the write that
//! made it, in hexadecimal. Only the secret's hash is stored. The index lets any node, also one
//! that lags, know from which state on the token counts, so a session works everywhere at once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::problem::Trouble;

/// Length of a secret: 32 bytes in base64url without padding.
const SECRET_CHARS: usize = 43;

/// A token as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// BLAKE3 of the secret.
    pub hash: [u8; 32],
    /// The write that made it; a client that lies here only makes itself wait.
    pub index: u64,
}

impl Token {
    /// Reads a token; `None` if it cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (secret, index) = text.split_once('.')?;
        let fits = secret.len() == SECRET_CHARS && secret.bytes().all(is_base64url);
        let index = u64::from_str_radix(index, 16).ok()?;
        fits.then(|| Token {
            hash: hash(secret),
            index,
        })
    }
}

/// A fresh secret; the token is made of it once the write that stores its hash has its index.
pub(crate) struct Secret(String);

impl Secret {
    /// 32 bytes from the system's random source.
    pub fn generate() -> Result<Self, Trouble> {
        Ok(Secret(URL_SAFE_NO_PAD.encode(random::<32>()?)))
    }

    /// What is stored.
    pub fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }

    /// What a voter's browser keeps; it counts from no state on.
    pub fn voter(&self) -> &str {
        &self.0
    }

    /// What the client gets.
    pub fn token(&self, index: u64) -> String {
        format!("{}.{index:x}", self.0)
    }
}

/// Bytes from the system's random source.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Trouble> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(Trouble::internal)?;
    Ok(bytes)
}

fn hash(secret: &str) -> [u8; 32] {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_reads_back_with_its_index() {
        let secret = Secret::generate().unwrap();
        let token = Token::parse(&secret.token(1042)).unwrap();
        assert_eq!(
            token,
            Token {
                hash: secret.hash(),
                index: 1042
            }
        );
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let secret = Secret::generate().unwrap().0;
        for text in [
            "",
            ".",
            "x.1",
            &secret,
            &format!("{secret}."),
            &format!("{secret}.zz"),
        ] {
            assert_eq!(Token::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn two_secrets_differ() {
        assert_ne!(Secret::generate().unwrap().0, Secret::generate().unwrap().0);
    }
}
