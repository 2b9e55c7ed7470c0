//! Headers that are for one connection only, and those that tell of the way.

use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderMap, HeaderName, HeaderValue, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What concerns one connection (RFC 9110, section 7.6.1), beside what `Connection` names.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authorization"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Who passed a message on.
const VIA_US: HeaderValue = HeaderValue::from_static("1.1 consorcio-proxy");

/// Prepares a request's headers for a node. Whoever may say where it comes from is believed; else
/// the address that this proxy sees is the only one that the node gets to read.
pub fn to_node(headers: &mut HeaderMap, peer: IpAddr, trust_forwarded_for: bool) {
    strip(headers);
    // The proxy asks for the body itself.
    headers.remove(EXPECT);
    headers.append(VIA, VIA_US);
    if trust_forwarded_for && headers.contains_key(FORWARDED_FOR) {
        return;
    }
    // An address has no character that a header must not have.
    if let Ok(peer) = HeaderValue::from_str(&peer.to_canonical().to_string()) {
        headers.insert(FORWARDED_FOR, peer);
    }
}

/// Prepares an answer's headers for the client.
pub fn to_client(headers: &mut HeaderMap) {
    strip(headers);
    headers.append(VIA, VIA_US);
}

/// True for an answer that goes on as long as somebody reads.
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

/// The length that a message says its body has.
pub fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines.iter();
        lines
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect()
    }

    fn lines(headers: &HeaderMap) -> Vec<String> {
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        headers.iter().map(line).collect()
    }

    #[test]
    fn what_concerns_one_connection_stays_there() {
        let mut given = headers(&[
            ("host", "sur.lan"),
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("upgrade", "h2c"),
            ("authorization", "Bearer x"),
        ]);
        to_node(&mut given, [10, 0, 0, 7].into(), false);
        let expected = [
            "authorization: Bearer x",
            "host: sur.lan",
            "via: 1.1 consorcio-proxy",
            "x-forwarded-for: 10.0.0.7",
        ];
        let mut told = lines(&given);
        told.sort();
        assert_eq!(told, expected);
    }

    #[test]
    fn nobody_pretends_to_be_somebody_else() {
        let pretending = [
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-for", "5.6.7.8"),
        ];
        let told = |trust| {
            let mut given = headers(&pretending);
            to_node(&mut given, [10, 0, 0, 7].into(), trust);
            let all = given.get_all(FORWARDED_FOR).iter();
            all.map(|value| value.to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(told(false), ["10.0.0.7"]);
        assert_eq!(told(true), ["1.2.3.4", "5.6.7.8"]);
        let mut mapped = HeaderMap::new();
        to_node(&mut mapped, "::ffff:10.0.0.9".parse().unwrap(), true);
        assert_eq!(mapped[FORWARDED_FOR], "10.0.0.9");
    }

    #[test]
    fn event_streams_are_known_by_their_type() {
        let stream = headers(&[("content-type", "text/event-stream; charset=utf-8")]);
        assert!(is_event_stream(&stream));
        assert!(!is_event_stream(&headers(&[("content-type", "text/html")])));
        assert!(!is_event_stream(&HeaderMap::new()));
    }
}
