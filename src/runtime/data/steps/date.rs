//! Dates: read by a format as `strftime` writes it, made numbers of by the proleptic Gregorian calendar.

use super::super::calendar;
use super::super::cells::{Checked, Lookup, Numbers};
use super::words::Text;
use crate::ops::transform::DatePart;

/// A moment, without a time zone.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Moment {
    year: i64,
    /// From 1.
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: f64,
    /// Instead of month and day, if the format has it.
    dayofyear: Option<i64>,
}

/// The parts of each row's date, side by side; a missing date has none.
pub fn read(at: &Lookup, texts: Vec<Text>, format: &str, parts: &[DatePart]) -> Checked<Numbers> {
    let mut values = Vec::with_capacity(texts.len() * parts.len());
    let mut bad = Vec::new();
    for (row, text) in texts.iter().enumerate() {
        let moment = text.as_deref().map(|text| parse(text, format));
        match moment {
            Some(Some(moment)) => values.extend(parts.iter().map(|part| part_of(&moment, *part))),
            Some(None) => {
                bad.push(row);
                values.extend(parts.iter().map(|_| 0.0));
            }
            None => values.extend(parts.iter().map(|_| f64::NAN)),
        }
    }
    if !bad.is_empty() {
        let what = format!("is no date of the form `{format}`");
        let help = "give the form that the cells have, as in `date(\"%d.%m.%Y\")`, or correct the cells";
        return Err(at.bad("data::date", &bad, &what, help));
    }
    let row = if parts.len() == 1 { Vec::new() } else { vec![parts.len()] };
    Ok(Numbers { row, values })
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The text of a cell, read from the left.
struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    /// A number of at most `most` digits.
    fn number(&mut self, most: usize) -> Option<i64> {
        let digits = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let number = self.rest.get(..digits)?.parse().ok()?;
        self.rest = &self.rest[digits..];
        Some(number)
    }

    fn literal(&mut self, sign: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(sign)?;
        Some(())
    }

    /// A month by its name or the first three letters of it; its number.
    fn month(&mut self) -> Option<i64> {
        let letters = self.rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let word = self.rest[..letters].to_ascii_lowercase();
        let at = MONTHS.iter().position(|m| **m == word || m[..3] == word)?;
        self.rest = &self.rest[letters..];
        Some(at as i64 + 1)
    }

    /// Digits behind the point of a second.
    fn fraction(&mut self) -> Option<f64> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let value = format!("0.{}", self.rest.get(..digits)?).parse().ok()?;
        self.rest = &self.rest[digits..];
        (digits > 0).then_some(value)
    }
}

fn parse(text: &str, format: &str) -> Option<Moment> {
    let mut reader = Reader { rest: text };
    let mut made = Moment { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0.0, dayofyear: None };
    let mut signs = format.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '%' => field(&mut reader, &mut made, signs.next()?)?,
            literal => reader.literal(literal)?,
        }
    }
    let whole = reader.rest.is_empty() && is_real(&made);
    whole.then_some(made)
}

/// Reads what stands for `%sign`.
fn field(reader: &mut Reader, made: &mut Moment, sign: char) -> Option<()> {
    match sign {
        'Y' => made.year = reader.number(4)?,
        // POSIX: 69 to 99 are of the last century.
        'y' => made.year = reader.number(2).map(|y| if y < 69 { 2000 + y } else { 1900 + y })?,
        'm' => made.month = reader.number(2)?,
        'b' | 'B' => made.month = reader.month()?,
        'd' => made.day = reader.number(2)?,
        'e' => {
            reader.rest = reader.rest.trim_start();
            made.day = reader.number(2)?;
        }
        'j' => made.dayofyear = Some(reader.number(3)?),
        'H' => made.hour = reader.number(2)?,
        'M' => made.minute = reader.number(2)?,
        'S' => made.second += reader.number(2)? as f64,
        'f' => made.second += reader.fraction()?,
        'T' => {
            made.hour = reader.number(2)?;
            reader.literal(':')?;
            made.minute = reader.number(2)?;
            reader.literal(':')?;
            made.second += reader.number(2)? as f64;
        }
        '%' => reader.literal('%')?,
        other => panic!("transform: `%{other}` is checked with the spec"),
    }
    Some(())
}

/// Whether the calendar has such a day, and the clock such a time.
fn is_real(m: &Moment) -> bool {
    let day = match m.dayofyear {
        Some(day) => (1..=365 + i64::from(calendar::is_leap(m.year))).contains(&day),
        None => calendar::has(m.year, m.month, m.day),
    };
    day && (0..24).contains(&m.hour) && (0..60).contains(&m.minute) && (0.0..60.0).contains(&m.second)
}

fn part_of(m: &Moment, part: DatePart) -> f64 {
    let new_year = calendar::days(m.year, 1, 1);
    let days = match m.dayofyear {
        Some(day) => new_year + day - 1,
        None => calendar::days(m.year, m.month, m.day),
    };
    let (_, month, day) = calendar::civil(days);
    let whole = match part {
        DatePart::Year => m.year,
        DatePart::Month => month,
        DatePart::Day => day,
        // 1970-01-01 was a Thursday.
        DatePart::Weekday => (days + 3).rem_euclid(7),
        DatePart::Dayofyear => days - new_year + 1,
        DatePart::Hour => m.hour,
        DatePart::Minute => m.minute,
        DatePart::Second => return m.second,
        DatePart::Days => {
            let seconds = (m.hour * 3600 + m.minute * 60) as f64 + m.second;
            return days as f64 + seconds / 86_400.0;
        }
    };
    whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str, format: &str, of: DatePart) -> Option<f64> {
        parse(text, format).map(|m| part_of(&m, of))
    }

    #[test]
    fn days_are_counted_from_1970() {
        let days = |text| part(text, "%Y-%m-%d", DatePart::Days);
        assert_eq!(days("1970-01-01"), Some(0.0));
        assert_eq!(days("2000-03-01"), Some(11_017.0));
        assert_eq!(days("1969-12-31"), Some(-1.0));
        assert_eq!(days("1600-02-29"), Some(-135_081.0));
    }

    #[test]
    fn formats_are_read_as_strftime_writes_them() {
        use DatePart::*;
        assert_eq!(part("31.12.99", "%d.%m.%y", Year), Some(1999.0));
        assert_eq!(part("Feb 9, 2024", "%b %e, %Y", Dayofyear), Some(40.0));
        assert_eq!(part("March  9", "%B %e", Day), Some(9.0));
        assert_eq!(part("2024-366", "%Y-%j", Month), Some(12.0));
        assert_eq!(part("2024-11-22 13:07:30.25", "%Y-%m-%d %T.%f", Second), Some(30.25));
        assert_eq!(part("2024-11-22T18:00:00", "%Y-%m-%dT%H:%M:%S", Days), Some(20_049.75));
        assert_eq!(part("2026-11-22", "%Y-%m-%d", Weekday), Some(6.0));
        assert_eq!(part("7%", "%d%%", Day), Some(7.0));
    }

    #[test]
    fn what_no_calendar_has_is_no_date() {
        for text in ["2023-02-29", "2024-13-01", "2024-00-10", "2024-04-31", "2024-1", "x", "", "2024-01-01 "]
        {
            assert_eq!(parse(text, "%Y-%m-%d"), None, "{text}");
        }
        assert_eq!(parse("24:00", "%H:%M"), None);
        assert_eq!(parse("2023-366", "%Y-%j"), None);
    }
}
