//! Dates and times in cells of text, as a number to order them by.
//!
//! Read are `2024-01-31`, `2024/01/31`, `31.01.2024` and `2024-01`, each with a time behind `T` or a blank
//! (`14:30`, `14:30:05`, `14:30:05.123`) and a zone (`Z`, `+02:00`). `01/31/2024` is not: half of such dates could
//! be meant the other way round.

use super::calendar;

/// Microseconds since 1970-01-01 00:00 UTC; a time without a zone counts as UTC.
pub fn micros(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(text[at + 1..].trim_start())),
        None => (text, None),
    };
    let days = days(date)?;
    let micros = time.map_or(Some(0), of_day)?;
    days.checked_mul(86_400_000_000)?.checked_add(micros)
}

/// Days since 1970-01-01 of a date.
fn days(date: &str) -> Option<i64> {
    let part = |text: &str, most: usize| match text.len() {
        n if n >= 1 && n <= most && text.bytes().all(|b| b.is_ascii_digit()) => text.parse::<i64>().ok(),
        _ => None,
    };
    let sign = date.bytes().find(|b| !b.is_ascii_digit())?;
    let mut fields = date.split(char::from(sign));
    let (first, second, third) = (fields.next()?, fields.next()?, fields.next());
    if fields.next().is_some() {
        return None;
    }
    let (year, month, day) = match (sign, third) {
        (b'-' | b'/', third) if first.len() == 4 => {
            (part(first, 4)?, part(second, 2)?, third.map_or(Some(1), |d| part(d, 2))?)
        }
        (b'.', Some(third)) if third.len() == 4 => (part(third, 4)?, part(second, 2)?, part(first, 2)?),
        _ => return None,
    };
    calendar::has(year, month, day).then(|| calendar::days(year, month, day))
}

/// Microseconds since midnight UTC of `14:30:05.123+02:00`.
fn of_day(time: &str) -> Option<i64> {
    let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let mut fields = clock.trim_end().split(':');
    let hours = digits(fields.next()?, 23)?;
    let minutes = digits(fields.next()?, 59)?;
    let (seconds, fraction) = match fields.next() {
        None => (0, 0),
        Some(text) => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            // A leap second is the next minute's first.
            (digits(whole, 60)?, fraction_of(fraction)?)
        }
    };
    if fields.next().is_some() {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60 + seconds - zone_minutes(zone)? * 60;
    Some(seconds * 1_000_000 + fraction)
}

/// Two digits up to a largest value.
fn digits(text: &str, most: i64) -> Option<i64> {
    let two = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    two.then(|| text.parse().ok()).flatten().filter(|n| *n <= most)
}

/// Microseconds of the digits behind the point; finer ones are cut.
fn fraction_of(text: &str) -> Option<i64> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{text:0<6}")[..6].parse().ok()
}

/// How far a zone is ahead of UTC.
fn zone_minutes(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.as_bytes().first() {
        None => return Some(0),
        Some(b'Z' | b'z') => return (zone.len() == 1).then_some(0),
        Some(b'-') => (-1, &zone[1..]),
        Some(_) => (1, &zone[1..]),
    };
    let rest = rest.replace(':', "");
    let (hours, minutes) = match rest.len() {
        2 => (digits(&rest, 23)?, 0),
        4 => (digits(rest.get(..2)?, 23)?, digits(rest.get(2..)?, 59)?),
        _ => return None,
    };
    Some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    use super::micros;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn dates_of_several_forms() {
        assert_eq!(micros("1970-01-01"), Some(0));
        assert_eq!(micros("2000-03-01"), Some(11_017 * DAY));
        assert_eq!(micros("2024/02/29"), micros("29.02.2024"));
        assert_eq!(micros("2024-2-9"), micros("2024-02-09"));
        assert_eq!(micros("1969-12-31"), Some(-DAY));
        assert_eq!(micros("2024-02"), micros("2024-02-01"));
    }

    #[test]
    fn times_and_zones() {
        let noon = micros("2024-01-31").unwrap() + DAY / 2;
        for text in
            ["2024-01-31T12:00", "2024-01-31 12:00:00", "2024-01-31T12:00:00Z", "2024-01-31T14:00+02:00"]
        {
            assert_eq!(micros(text), Some(noon), "{text}");
        }
        assert_eq!(micros("2024-01-31 10:30:00 -0130"), Some(noon));
        assert_eq!(micros("2024-01-31 12:00:00.25"), Some(noon + 250_000));
        assert_eq!(micros("2024-01-31 12:00:00.1234567"), Some(noon + 123_456));
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "x",
            "12",
            "1.5",
            "2024",
            "2023-02-29",
            "2024-13-01",
            "2024-00-01",
            "01/31/2024",
            "1-2-3",
            "2024-01-31 25:00",
            "2024-01-31 1:00",
            "2024-01-31T12:00:00+2",
            "2024-01-31-05",
            "é-01-01",
            "31.1.24",
            "2024-01-31T",
        ] {
            assert_eq!(micros(text), None, "{text}");
        }
    }
}
