//! How long the other side asks to be left alone. Graph sends whole seconds and was documented with a fraction
//! (`Retry-After: 2.128`); dates are what HTTP allows besides.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::Timestamp;

/// The longest pause that is honoured: a longer one is more likely a fault than a wish.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What one value of the header asks for, counted from `now`: seconds, a fraction of them too, or a date. A date that
/// has passed is no pause at all, rubbish is `None`, and nothing is longer than [`LONGEST`].
#[must_use]
pub fn parse(header: &str, now: Timestamp) -> Option<Duration> {
    let text = header.trim();
    seconds(text).or_else(|| until(text, now)).map(|pause| pause.min(LONGEST))
}

/// What the headers of an answer ask for; of several values the longest. `now` is when the answer arrived. A date is
/// measured against the answer's own `Date`, if it has one: our clock may be wrong, and must not shorten a pause.
#[must_use]
pub fn of(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let sent = headers.get(DATE).and_then(|value| value.to_str().ok()).and_then(date).unwrap_or(now);
    let values = headers.get_all(RETRY_AFTER).iter().filter_map(|value| value.to_str().ok());
    values.filter_map(|value| parse(value, sent)).max()
}

/// Digits with at most one point among them, so that `inf`, `NaN`, `1e9` and signs are rubbish.
fn seconds(text: &str) -> Option<Duration> {
    let starts_well = text.starts_with(|first: char| first.is_ascii_digit());
    if !starts_well || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let seconds: f64 = text.parse().ok()?;
    // So many digits that they are no duration any more still ask for a very long pause.
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn until(text: &str, now: Timestamp) -> Option<Duration> {
    Some(Duration::try_from(date(text)?.duration_since(now)).unwrap_or(Duration::ZERO))
}

fn date(text: &str) -> Option<Timestamp> {
    let time: SystemTime = httpdate::parse_http_date(text).ok()?;
    // The calendar of `Timestamp` ends two days before that of HTTP.
    Some(Timestamp::try_from(time).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06T08:49:37Z, the date that RFC 9110 writes in its examples.
    const NOW: i64 = 784_111_777;

    fn now() -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    #[test]
    fn seconds_fractions_and_dates_are_honoured_up_to_a_day_and_rubbish_is_not() {
        for (header, expected) in [
            ("0", Some(0.0)),
            (" 41 ", Some(41.0)),
            ("2.128", Some(2.128)),
            ("7.", Some(7.0)),
            ("100000", Some(86400.0)),
            ("99999999999999999999999999999999999999999", Some(86400.0)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120.0)),
            ("Sunday, 06-Nov-94 08:51:37 GMT", Some(120.0)),
            ("Sun Nov  6 08:51:37 1994", Some(120.0)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0.0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(86400.0)),
            ("Sun, 06 Nov 1994 08:51:37 CET", None),
            ("Sun, 31 Feb 1994 08:51:37 GMT", None),
            ("", None),
            ("soon", None),
            ("-1", None),
            ("+1", None),
            (".5", None),
            ("1.2.3", None),
            ("1e3", None),
            ("inf", None),
            ("NaN", None),
            ("0x10", None),
            ("60 seconds", None),
            ("６０", None),
        ] {
            assert_eq!(parse(header, now()), expected.map(Duration::from_secs_f64), "{header:?}");
        }
    }

    #[test]
    fn a_date_is_measured_against_the_answers_own_clock() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        headers.insert(RETRY_AFTER, "Sun, 06 Nov 1994 08:50:37 GMT".parse().unwrap());
        let fast_clock = Timestamp::from_second(NOW + 600).unwrap();
        assert_eq!(of(&headers, fast_clock), Some(Duration::from_secs(60)));
    }

    #[test]
    fn of_several_values_the_longest_counts() {
        let mut headers = HeaderMap::new();
        for value in ["5", "rubbish", "20", "10"] {
            headers.append(RETRY_AFTER, value.parse().unwrap());
        }
        assert_eq!(of(&headers, now()), Some(Duration::from_secs(20)));
        assert_eq!(of(&HeaderMap::new(), now()), None);
    }
}
