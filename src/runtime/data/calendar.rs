//! The proleptic Gregorian calendar: dates to days since 1970 and back, and as text (Hinnant, "chrono-compatible
//! low-level date algorithms", 2021). Its years start in March, so that the leap day ends one; 400 of them have
//! 146,097 days.

/// Days from 1970-01-01 to a date.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Whether there is such a date.
pub fn has(year: i64, month: i64, day: i64) -> bool {
    (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day)
}

pub fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

/// How many days a month from 1 to 12 has.
pub fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _long => 31,
    }
}

/// `2026-11-22`.
#[cfg(feature = "parquet")]
pub fn date(days: i64) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-11-22T09:30:00`, with a fraction where there is one; `per_second` counts make a second.
#[cfg(feature = "parquet")]
pub fn timestamp(count: i64, per_second: i64) -> String {
    let (seconds, fraction) = (count.div_euclid(per_second), count.rem_euclid(per_second));
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let mut text = format!("{}T{:02}:{:02}:{:02}", date(days), rest / 3600, rest / 60 % 60, rest % 60);
    if fraction != 0 {
        let digits = per_second.ilog10() as usize;
        text.push_str(format!(".{fraction:0digits$}").trim_end_matches('0'));
    }
    text
}

/// Year, month and day of a day since 1970-01-01.
pub fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each day is one more than the one before, and leads back to its date, over every leap rule.
    #[test]
    fn days_are_counted_and_found_again() {
        let mut last = days(1899, 12, 31);
        for (year, month) in (1900..2101).flat_map(|y| (1..=12).map(move |m| (y, m))) {
            for day in 1..=days_in(year, month) {
                last += 1;
                assert_eq!((days(year, month, day), civil(last)), (last, (year, month, day)));
            }
        }
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn days_around_leap_years() {
        let cases = [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (19_782, "2024-02-29"),
            (-25_509, "1900-02-28"),
            (-25_508, "1900-03-01"),
            (20_779, "2026-11-22"),
        ];
        cases.into_iter().for_each(|(days, text)| assert_eq!(date(days), text));
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn seconds_and_their_fractions() {
        assert_eq!(timestamp(-1, 1000), "1969-12-31T23:59:59.999");
        assert_eq!(timestamp(1_500_000, 1_000_000), "1970-01-01T00:00:01.5");
        assert_eq!(timestamp(86_400_000_000_000, 1_000_000_000), "1970-01-02T00:00:00");
    }
}
