//! Days and seconds since 1970 as text, in the proleptic Gregorian calendar.

/// `2026-11-22`.
pub fn date(days: i64) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-11-22T09:30:00`, with a fraction where there is one; `per_second` counts make a second.
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

/// Year, month and day (Hinnant, "chrono-compatible low-level date algorithms", 2021): years start in
/// March, so that the leap day ends one; 400 of them have 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
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

    #[test]
    fn seconds_and_their_fractions() {
        assert_eq!(timestamp(-1, 1000), "1969-12-31T23:59:59.999");
        assert_eq!(timestamp(1_500_000, 1_000_000), "1970-01-01T00:00:01.5");
        assert_eq!(timestamp(86_400_000_000_000, 1_000_000_000), "1970-01-02T00:00:00");
    }
}
