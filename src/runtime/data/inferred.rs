//! What the cells of a column are, whatever the spec says: numbers, dates or words, and how many are none of it.

use super::table::{Cells, Table};
use super::when;
use serde::Serialize;
use std::collections::HashMap;
use std::hash::Hash;

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Whole numbers.
    Whole,
    Number,
    Date,
    Text,
    /// Several numbers in each row: their type and shape, `u8[28, 28]`.
    Array(String),
    /// Every cell is missing.
    Nothing,
}

/// A column as numbers, where it has some.
#[derive(Clone, Debug)]
pub struct Inferred {
    pub kind: Kind,
    /// Of each row, NaN where there is none: numbers as they are, dates as seconds since 1970. Empty for others.
    pub numbers: Vec<f64>,
    pub missing: usize,
    /// Cells that are not what the others are, and the row of the first.
    pub unlike: usize,
    pub first_unlike: Option<usize>,
}

/// From this share on, cells decide what a column is; the others are mistakes.
const MOST: f64 = 0.95;

/// Looks at all cells of a column. `decimal` is the sign in front of fractions.
pub fn infer(table: &Table, column: usize, decimal: u8) -> Inferred {
    match &table.columns[column].cells {
        Cells::Text(_) => of_text(table, column, decimal),
        Cells::U8 { row, data } => of_numbers(row, "u8", data.iter().map(|x| f64::from(*x)), true),
        Cells::I32 { row, data } => of_numbers(row, "i32", data.iter().map(|x| f64::from(*x)), true),
        Cells::F32 { row, data } => of_numbers(row, "f32", data.iter().map(|x| f64::from(*x)), false),
        Cells::F64 { row, data } => of_numbers(row, "f64", data.iter().copied(), false),
        Cells::Gone => Inferred::nothing(Kind::Nothing),
    }
}

impl Inferred {
    fn nothing(kind: Kind) -> Inferred {
        Inferred { kind, numbers: Vec::new(), missing: 0, unlike: 0, first_unlike: None }
    }
}

fn of_numbers(row: &[usize], dtype: &str, data: impl Iterator<Item = f64>, whole: bool) -> Inferred {
    if !row.is_empty() {
        let sizes: Vec<String> = row.iter().map(usize::to_string).collect();
        return Inferred::nothing(Kind::Array(format!("{dtype}[{}]", sizes.join(", "))));
    }
    let numbers: Vec<f64> = data.collect();
    let missing = numbers.iter().filter(|x| x.is_nan()).count();
    let whole = whole || numbers.iter().all(|x| x.is_nan() || x.fract() == 0.0);
    let kind = match (missing == numbers.len(), whole) {
        (true, _) => Kind::Nothing,
        (false, true) => Kind::Whole,
        (false, false) => Kind::Number,
    };
    Inferred { numbers, missing, ..Inferred::nothing(kind) }
}

fn of_text(table: &Table, column: usize, decimal: u8) -> Inferred {
    let there: Vec<usize> = (0..table.rows).filter(|row| !table.is_missing(column, *row)).collect();
    let missing = table.rows - there.len();
    if there.is_empty() {
        return Inferred { missing, ..Inferred::nothing(Kind::Nothing) };
    }
    let enough = |n: usize| n as f64 >= MOST * there.len() as f64;
    let read = |parse: &dyn Fn(&str) -> Option<f64>| {
        let mut numbers = vec![f64::NAN; table.rows];
        let (mut unlike, mut first_unlike) = (0, None);
        for row in &there {
            match parse(&table.value_text(column, *row)) {
                Some(x) => numbers[*row] = x,
                None => {
                    unlike += 1;
                    first_unlike.get_or_insert(*row);
                }
            }
            // Too many for the guess to hold: no need to see the rest.
            if !enough(there.len() - unlike) {
                return None;
            }
        }
        Some((numbers, unlike, first_unlike))
    };
    let date = |text: &str| when::micros(text).map(|micros| micros as f64 / 1e6);
    if let Some((numbers, unlike, first_unlike)) = read(&|text| number(text, decimal)) {
        let whole = numbers.iter().all(|x| x.is_nan() || x.fract() == 0.0);
        let kind = if whole { Kind::Whole } else { Kind::Number };
        return Inferred { kind, numbers, missing, unlike, first_unlike };
    }
    if let Some((numbers, unlike, first_unlike)) = read(&date) {
        return Inferred { kind: Kind::Date, numbers, missing, unlike, first_unlike };
    }
    Inferred { missing, ..Inferred::nothing(Kind::Text) }
}

/// A finite number with the source's decimal sign.
fn number(text: &str, decimal: u8) -> Option<f64> {
    let x: f64 = match decimal {
        b'.' => text.parse().ok()?,
        _ if text.contains('.') => return None,
        sign => text.replace(char::from(sign), ".").parse().ok()?,
    };
    x.is_finite().then_some(x)
}

/// The distinct values of a column in order of their first rows.
#[derive(Clone, Debug, Default)]
pub struct Distinct {
    /// Of each row; `NONE` where a value is missing.
    pub of: Vec<u32>,
    /// The first row and the number of rows of each.
    pub first: Vec<u32>,
    pub counts: Vec<usize>,
}

impl Distinct {
    pub const NONE: u32 = u32::MAX;

    /// Numbers are the same if they are equal, however they are written; words if they are to the letter.
    pub fn of(table: &Table, column: usize, inferred: &Inferred) -> Distinct {
        Distinct::up_to(usize::MAX, table, column, inferred).expect("data: no column has so many values")
    }

    /// The same of a column with no more than so many values; of others nothing, and no time spent on the rest of it.
    pub fn up_to(most: usize, table: &Table, column: usize, inferred: &Inferred) -> Option<Distinct> {
        match &inferred.kind {
            Kind::Whole | Kind::Number | Kind::Date if inferred.unlike == 0 => {
                // The two zeros are equal.
                let key = |x: &f64| (!x.is_nan()).then(|| (x + 0.0).to_bits());
                Distinct::coded(most, inferred.numbers.iter().map(key))
            }
            Kind::Whole | Kind::Number | Kind::Date | Kind::Text => {
                let cells = match &table.columns[column].cells {
                    Cells::Text(cells) => cells.as_slice(),
                    Cells::U8 { .. }
                    | Cells::I32 { .. }
                    | Cells::F32 { .. }
                    | Cells::F64 { .. }
                    | Cells::Gone => &[],
                };
                Distinct::coded(
                    most,
                    cells.iter().map(|cell| (!cell.missing).then(|| table.cell_text(*cell))),
                )
            }
            Kind::Array(_) | Kind::Nothing => Some(Distinct::default()),
        }
    }

    fn coded<K: Hash + Eq>(most: usize, keys: impl Iterator<Item = Option<K>>) -> Option<Distinct> {
        let mut codes: HashMap<K, u32> = HashMap::new();
        let mut all = Distinct::default();
        for (row, key) in keys.enumerate() {
            let Some(key) = key else {
                all.of.push(Self::NONE);
                continue;
            };
            let code = *codes.entry(key).or_insert_with(|| {
                all.first.push(row as u32);
                all.counts.push(0);
                all.first.len() as u32 - 1
            });
            if all.first.len() > most {
                return None;
            }
            all.counts[code as usize] += 1;
            all.of.push(code);
        }
        Some(all)
    }

    pub fn len(&self) -> usize {
        self.first.len()
    }

    /// Codes from the most common value to the rarest; the earlier first among equals.
    pub fn by_count(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.first.len() as u32).collect();
        order.sort_by_key(|code| std::cmp::Reverse(self.counts[*code as usize]));
        order
    }
}
