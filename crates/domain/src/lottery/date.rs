//! Dates as bets carry them.

/// Whether a text is `YYYY-MM-DD` and the day exists in the Gregorian calendar, years 1 to 9999.
pub(super) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *bytes else {
        return false;
    };
    let Some(year) = digits(&[y0, y1, y2, y3]) else {
        return false;
    };
    match (digits(&[m0, m1]), digits(&[d0, d1])) {
        (Some(month), Some(day)) => year > 0 && day > 0 && day <= days_of(year, month),
        _ => false,
    }
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        Some(number * 10 + digit)
    })
}

fn days_of(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::is_date;

    #[test]
    fn only_days_that_exist_are_dates() {
        for text in [
            "1999-03-17",
            "2000-02-29",
            "2024-02-29",
            "0001-01-01",
            "9999-12-31",
        ] {
            assert!(is_date(text), "{text}");
        }
        for text in [
            "",
            "1999-3-17",
            "17-03-1999",
            "1999-03-017",
            "1999-03-17 ",
            "1900-02-29",
            "2023-02-30",
            "2023-04-31",
            "2023-13-01",
            "2023-00-10",
            "2023-01-00",
            "0000-01-01",
            "+999-01-01",
            "１999-01-01",
            "1999/03/17",
        ] {
            assert!(!is_date(text), "{text}");
        }
    }
}
