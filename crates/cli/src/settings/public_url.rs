//! The URL of the whole, as browsers know it.

use crate::failure::{Failure, Outcome};

/// A name of DNS has 253 characters at most; a port and the scheme come to it.
const PUBLIC_URL_MAX_BYTES: usize = 280;

/// The URL without a slash at the end; empty if there is none.
pub fn checked(url: &str) -> Outcome<String> {
    let bare = url.strip_suffix('/').unwrap_or(url);
    let host = ["http://", "https://"]
        .iter()
        .find_map(|scheme| bare.strip_prefix(scheme));
    let fits = host.is_some_and(is_host) && bare.len() <= PUBLIC_URL_MAX_BYTES;
    if url.is_empty() || fits {
        return Ok(bare.to_owned());
    }
    Err(Failure::usage(format!(
        "--public-url {url:?} must be http:// or https:// and a host, with a port or without, and \
         nothing after it: pages and feeds are not served below a path"
    )))
}

/// Whether a text is `host`, `host:port` or the same with an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    let port_fits = |port: &str| {
        port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|p| p.parse().is_ok_and(|p: u16| p > 0))
    };
    if let Some((address, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok() && port_fits(port);
    }
    let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
    let letters = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(letters)
        && port_fits(port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_scheme_and_a_host_and_nothing_else() {
        for (url, kept) in [
            ("", ""),
            ("https://consorcio.example", "https://consorcio.example"),
            ("https://consorcio.example/", "https://consorcio.example"),
            ("http://sur_1.lan:8080", "http://sur_1.lan:8080"),
            ("http://[2001:db8::1]:80/", "http://[2001:db8::1]:80"),
            ("http://10.0.0.1", "http://10.0.0.1"),
        ] {
            assert_eq!(checked(url).unwrap(), kept);
        }
        for bad in [
            "/",
            "consorcio.example",
            "ftp://consorcio.example",
            "https://",
            "https:///",
            "https://consorcio.example//",
            "https://consorcio.example/news",
            "https://consorcio.example?x=1",
            "https://consorcio.example#x",
            "https://ana@consorcio.example",
            "https://consorcio.example:0",
            "https://consorcio.example:",
            "https://consorcio.example:65536",
            "https://consorcio.example:80:80",
            "https://[::1",
            "https://[x]",
            "https://.example",
            "https://a b",
            "https://a\r\nX: y",
            "https://ñandú.example",
            &format!("https://{}", "a".repeat(300)),
        ] {
            let failure = checked(bad).unwrap_err();
            assert!(failure.message.contains("--public-url"), "{bad}: {failure}");
        }
    }
}
