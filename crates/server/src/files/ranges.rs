//! `Range`, as RFC 9110 has it (section 14): one range of bytes. What is not understood, or asks
//! for several at once, is left out of account, and the whole is sent.

use std::ops::Range;

/// What of a file is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// These bytes, at least one.
    Bytes(Range<u64>),
    /// There are no such bytes.
    Beyond,
}

/// What a header asks of a file of this size.
pub(crate) fn part(header: Option<&str>, size_bytes: u64) -> Part {
    let spec = header.and_then(|text| text.trim().strip_prefix("bytes="));
    let Some((first, last)) = spec.and_then(|spec| spec.split_once('-')) else {
        return Part::Whole;
    };
    let range = match (number(first), number(last)) {
        (Number::Is(first), Number::Is(last)) if first <= last => {
            first..size_bytes.min(last.saturating_add(1))
        }
        (Number::Is(first), Number::Absent) => first..size_bytes,
        (Number::Absent, Number::Is(count)) => size_bytes.saturating_sub(count)..size_bytes,
        _ => return Part::Whole,
    };
    match range.is_empty() {
        true => Part::Beyond,
        false => Part::Bytes(range),
    }
}

enum Number {
    Is(u64),
    Absent,
    Odd,
}

fn number(text: &str) -> Number {
    let text = text.trim();
    match text {
        "" => Number::Absent,
        text if !text.bytes().all(|byte| byte.is_ascii_digit()) => Number::Odd,
        // A number that is too large is past every end.
        text => Number::Is(text.parse().unwrap_or(u64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        for (header, expected) in [
            ("bytes=0-0", Part::Bytes(0..1)),
            ("bytes=2-5", Part::Bytes(2..6)),
            ("bytes=2-", Part::Bytes(2..10)),
            ("bytes=2-99999999999999999999999", Part::Bytes(2..10)),
            ("bytes=-3", Part::Bytes(7..10)),
            ("bytes=-30", Part::Bytes(0..10)),
            ("bytes=10-", Part::Beyond),
            ("bytes=10-12", Part::Beyond),
            ("bytes=-0", Part::Beyond),
        ] {
            assert_eq!(part(Some(header), 10), expected, "{header}");
        }
    }

    #[test]
    fn what_is_not_understood_means_the_whole() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=0-1,3-4",
            "lines=1-2",
        ] {
            assert_eq!(part(Some(header), 10), Part::Whole, "{header}");
        }
        assert_eq!(part(None, 10), Part::Whole);
        assert_eq!(part(Some("bytes=0-"), 0), Part::Beyond);
    }
}
