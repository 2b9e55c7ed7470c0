//! Numbers as Redis reads and writes them.

/// The digits of an integer.
#[derive(Clone, Copy, Debug)]
pub struct Integer {
    digits: [u8; LENGTH_MAX],
    start: usize,
}

/// `-9223372036854775808`.
const LENGTH_MAX: usize = 20;

impl Integer {
    /// Writes `value` in decimal.
    pub fn new(value: i64) -> Self {
        let mut digits = [0; LENGTH_MAX];
        let mut start = LENGTH_MAX;
        let mut rest = value.unsigned_abs();
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            start -= 1;
            digits[start] = b'-';
        }
        Integer { digits, start }
    }

    /// The digits, with the sign.
    pub fn as_bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

/// An integer in the one form that it has: no spaces, no plus, no zeros before it.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', digits) => (true, digits),
        _ => (false, text),
    };
    let canonical = match digits {
        [b'0'] => !negative,
        [b'1'..=b'9', ..] => digits.len() < LENGTH_MAX,
        _ => false,
    };
    if !canonical {
        return None;
    }
    // Counted downwards: there is one more negative number than there are positive ones.
    let mut value = 0i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value
            .checked_mul(10)?
            .checked_sub(i64::from(digit - b'0'))?;
    }
    match negative {
        true => Some(value),
        false => value.checked_neg(),
    }
}

/// A number that may have a fraction, as for timeouts in seconds. Neither infinite nor NaN.
pub fn parse_float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_form() {
        for value in [0, 1, -1, 10, -10, 1234567890, i64::MAX, i64::MIN] {
            let text = value.to_string();
            assert_eq!(Integer::new(value).as_bytes(), text.as_bytes());
            assert_eq!(parse_integer(text.as_bytes()), Some(value));
        }
        let wrong = [
            "",
            "-",
            "+1",
            "01",
            "-0",
            "-01",
            " 1",
            "1 ",
            "1.0",
            "0x1",
            "1e3",
            "a",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
            "111111111111111111111111111111",
        ];
        for text in wrong {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_timeout_is_a_finite_number() {
        assert_eq!(parse_float(b"0.5"), Some(0.5));
        assert_eq!(parse_float(b"3"), Some(3.0));
        for text in [&b"inf"[..], b"nan", b"", b" 1", b"1s", b"\xff"] {
            assert_eq!(parse_float(text), None, "{text:?}");
        }
    }
}
