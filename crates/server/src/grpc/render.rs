//! From the rules' types to the messages, and what both ways have in common.

pub(super) mod cluster;
pub(super) mod events;
pub(super) mod lotteries;
pub(super) mod news;
pub(super) mod polls;
pub(super) mod store;

use prost::Message;
use prost_types::Timestamp;

use crate::problem::Trouble;

/// A page of large things ends once it has this many bytes: clients take messages of 4 MiB unless
/// they are told otherwise.
const PAGE_MAX_BYTES: usize = 3 * 1024 * 1024;

/// A time.
pub(super) fn time(ms: i64) -> Option<Timestamp> {
    Some(Timestamp {
        seconds: ms.div_euclid(1000),
        nanos: ms.rem_euclid(1000) as i32 * 1_000_000,
    })
}

/// A time that a client sent, in milliseconds since 1970.
pub(super) fn millis(field: &str, time: Option<Timestamp>) -> Result<Option<i64>, Trouble> {
    let Some(Timestamp { seconds, nanos }) = time else {
        return Ok(None);
    };
    let ms = seconds.checked_mul(1000);
    let ms = ms.and_then(|ms| ms.checked_add(i64::from(nanos / 1_000_000)));
    match ms {
        Some(ms) if (0..1_000_000_000).contains(&nanos) => Ok(Some(ms)),
        _ => Err(Trouble::field(field, "it is no time")),
    }
}

/// How long a page may be: what was asked, or the usual length.
pub(super) fn limit(asked: i32, usual: u32, max: u32) -> Result<u32, Trouble> {
    match u32::try_from(asked) {
        Ok(0) => Ok(usual),
        Ok(asked) if asked <= max => Ok(asked),
        _ => Err(Trouble::field(
            "limit",
            format!("it must be a whole number from 1 to {max}"),
        )),
    }
}

/// A number that is not negative.
pub(super) fn not_negative(field: &str, number: i64) -> Result<i64, Trouble> {
    match number {
        0.. => Ok(number),
        _ => Err(Trouble::field(field, "it must not be negative")),
    }
}

/// Where a page begins that goes down from the newest: 0 stands for the newest.
pub(super) fn before(number: i64) -> Result<i64, Trouble> {
    match not_negative("before", number)? {
        0 => Ok(i64::MAX),
        number => Ok(number),
    }
}

/// As much of a page as fits an answer. If some is left out, the page goes on after the last one
/// that is in.
pub(super) fn fit<T: Message>(
    items: impl Iterator<Item = T>,
    next: Option<i64>,
    place: impl Fn(&T) -> i64,
) -> (Vec<T>, Option<i64>) {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for item in items {
        bytes += item.encoded_len();
        if bytes > PAGE_MAX_BYTES && !page.is_empty() {
            let next = page.last().map(place);
            return (page, next);
        }
        page.push(item);
    }
    (page, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_both_ways() {
        for ms in [0, 1, 1_700_000_000_123, -1, -1_000] {
            assert_eq!(millis("at", time(ms)), Ok(Some(ms)));
        }
        for (seconds, nanos) in [(i64::MAX, 0), (0, -1), (0, 1_000_000_000)] {
            assert!(millis("at", Some(Timestamp { seconds, nanos })).is_err());
        }
    }

    #[test]
    fn a_page_ends_where_it_is_large_enough() {
        let large = |_| "x".repeat(1024 * 1024);
        let (page, next) = fit((0..9).map(large), None, |_| 7);
        assert_eq!((page.len(), next), (2, Some(7)));
        let (page, next) = fit((0..1).map(|_| "x".repeat(9 * 1024 * 1024)), None, |_| 7);
        assert_eq!((page.len(), next), (1, None));
    }
}
