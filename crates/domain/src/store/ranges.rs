//! Ranges and patterns as Redis understands them.

use std::ops::Range;

/// The places from `start` to `stop`, both included and negative ones counted from the end, that a
/// thing of this length has.
pub(super) fn within(start: i64, stop: i64, length: u64) -> Range<u64> {
    let size = i128::from(length);
    let from_start = |place: i64| match place {
        0.. => i128::from(place),
        _ => size + i128::from(place),
    };
    let first = from_start(start).max(0);
    let end = (from_start(stop) + 1).min(size);
    match first < end {
        // Both lie within the length, which is a u64.
        true => first as u64..end as u64,
        false => 0..0,
    }
}

/// The place that an index means, if there is one.
pub(super) fn at(index: i64, length: u64) -> Option<u64> {
    let place = match index {
        0.. => index.cast_unsigned(),
        _ => length.checked_sub(index.unsigned_abs())?,
    };
    (place < length).then_some(place)
}

/// The bytes that everything begins with that matches a glob.
pub(super) fn literal_prefix(glob: &[u8]) -> &[u8] {
    let end = glob.iter().position(|byte| b"*?[\\".contains(byte));
    &glob[..end.unwrap_or(glob.len())]
}

/// Whether a text matches a glob: `*` is anything, `?` one byte, `[a-z]` and `[^a]` one of some,
/// and `\` takes what follows as it is. At most as many steps as the product of both lengths.
pub fn matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut rest, mut left) = (glob, text);
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(after) = rest.strip_prefix(b"*") {
            star = Some((after, left));
            rest = after;
            continue;
        }
        if rest.is_empty() && left.is_empty() {
            return true;
        }
        if let Some((&byte, after)) = left.split_first()
            && let Some(next) = one(rest, byte)
        {
            (rest, left) = (next, after);
            continue;
        }
        // Let the last star take one byte more.
        match &mut star {
            Some((after, taken)) if !taken.is_empty() => {
                *taken = &taken[1..];
                (rest, left) = (after, taken);
            }
            _ => return false,
        }
    }
}

/// How many rows' reading matching counts as, at the worst: a glob with stars tries each of its
/// bytes at each of the text's.
pub(super) fn matching_rows(glob: &[u8], text: &[u8]) -> usize {
    let times = match glob.contains(&b'*') {
        true => text.len(),
        false => 1,
    };
    glob.len().saturating_mul(times) / ROW_STEPS
}

/// So many steps take as long as a row.
const ROW_STEPS: usize = 16 * 1024;

/// What is left of a glob once its first element has taken a byte.
fn one(glob: &[u8], byte: u8) -> Option<&[u8]> {
    match glob {
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => class(rest, byte),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal == byte).then_some(rest),
        [] => None,
    }
}

/// As [`one`], behind the opening bracket. One that is never closed ends with the glob.
fn class(glob: &[u8], byte: u8) -> Option<&[u8]> {
    let (negated, mut rest) = match glob {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, glob),
    };
    let mut found = false;
    loop {
        rest = match rest {
            [] => break,
            [b']', after @ ..] => {
                rest = after;
                break;
            }
            [b'\\', literal, after @ ..] => {
                found |= *literal == byte;
                after
            }
            [low, b'-', high, after @ ..] => {
                found |= (*low.min(high)..=*low.max(high)).contains(&byte);
                after
            }
            [literal, after @ ..] => {
                found |= *literal == byte;
                after
            }
        };
    }
    (found != negated).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::{at, literal_prefix, matches, matching_rows, within};

    #[test]
    fn ranges_count_from_both_ends() {
        for (start, stop, places) in [
            (0, -1, 0..5),
            (1, 3, 1..4),
            (-2, -1, 3..5),
            (-9, 1, 0..2),
            (3, 99, 3..5),
            (i64::MIN, i64::MAX, 0..5),
            (4, 2, 0..0),
            (5, 9, 0..0),
            (-1, -9, 0..0),
        ] {
            assert_eq!(within(start, stop, 5), places, "{start} {stop}");
        }
        assert_eq!(within(0, -1, 0), 0..0);
        assert_eq!([at(0, 2), at(-2, 2), at(2, 2)], [Some(0), Some(0), None]);
        assert_eq!(at(i64::MIN, u64::MAX), Some(u64::MAX / 2));
    }

    #[test]
    fn globs_match_what_redis_matches() {
        for (glob, yes, no) in [
            ("*", vec!["", "a", "abc"], vec![]),
            ("h?llo", vec!["hello", "hallo"], vec!["hllo", "heello"]),
            ("h*llo", vec!["hllo", "heeello"], vec!["hell"]),
            ("h[ae]llo", vec!["hello", "hallo"], vec!["hillo"]),
            ("h[^e]llo", vec!["hallo"], vec!["hello"]),
            ("h[a-c]llo", vec!["hallo", "hcllo"], vec!["hdllo"]),
            ("h[c-a]llo", vec!["hbllo"], vec!["hdllo"]),
            ("a\\*b", vec!["a*b"], vec!["axb"]),
            ("a[\\]]", vec!["a]"], vec!["a\\"]),
            ("*a*b", vec!["ab", "xxaxxb", "aab"], vec!["ba", "a"]),
            ("user:*:name", vec!["user:1:name"], vec!["user:1:age"]),
            ("[ab", vec!["a"], vec!["c"]),
            ("a\\", vec!["a\\"], vec!["a"]),
        ] {
            for text in yes {
                assert!(matches(glob.as_bytes(), text.as_bytes()), "{glob} {text}");
            }
            for text in no {
                assert!(!matches(glob.as_bytes(), text.as_bytes()), "{glob} {text}");
            }
        }
        assert!(!matches(
            "a*".repeat(40).as_bytes(),
            "a".repeat(39).as_bytes()
        ));
        assert_eq!(matching_rows(b"user:*:name", &[b'x'; 300]), 0);
        assert_eq!(matching_rows(&[b'*'; 1024], &[b'x'; 1024]), 64);
        assert_eq!(matching_rows(&[b'a'; 65536], &[b'x'; 1024]), 4);
        assert_eq!(literal_prefix(b"user:*"), b"user:");
        assert_eq!(literal_prefix(b"user"), b"user");
    }
}
