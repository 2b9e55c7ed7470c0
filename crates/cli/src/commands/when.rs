//! Times as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// An API's time (RFC 3339, UTC) on the clock of this machine: `2026-03-01 19:30`.
pub fn local(time: &str) -> String {
    in_zone(time, TimeZone::system())
}

/// The time of day only, for what happens now: `19:30:05`.
pub fn local_clock(time: &str) -> String {
    format(time, TimeZone::system(), "%H:%M:%S")
}

fn in_zone(time: &str, zone: TimeZone) -> String {
    format(time, zone, "%Y-%m-%d %H:%M")
}

/// What cannot be read as a time is shown as it is.
fn format(time: &str, zone: TimeZone, pattern: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(timestamp) => timestamp.to_zoned(zone).strftime(pattern).to_string(),
        Err(_) => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::offset;

    #[test]
    fn a_time_is_shown_where_the_reader_is() {
        let zone = || TimeZone::fixed(offset(-3));
        assert_eq!(
            in_zone("2026-03-01T01:30:00.123Z", zone()),
            "2026-02-28 22:30"
        );
        assert_eq!(in_zone("yesterday", zone()), "yesterday");
        assert_eq!(
            format("2026-03-01T01:30:05Z", zone(), "%H:%M:%S"),
            "22:30:05"
        );
    }
}
