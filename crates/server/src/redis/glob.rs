//! Patterns as Redis understands them.

/// Whether a text matches a glob: `*` is anything, `?` one byte, `[a-z]` and `[^a]` one of some,
/// and `\` takes what follows as it is. At most as many steps as the product of both lengths.
pub(super) fn matches(glob: &[u8], text: &[u8]) -> bool {
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
