//! Cells on their way to numbers: looked up in a table, read as text or as numbers, with messages that name file,
//! line and character.

use super::csv::count;
use super::files::problem;
use super::steps::{Ids, Ragged};
use super::table::{Cells, Table, quoted};
use crate::base::Span;
use crate::diag::{Code, Diagnostic, did_you_mean};
use crate::sema::job::{Dialect, SourcePlan};
use std::borrow::Cow;
use std::collections::BTreeSet;

pub type Checked<T> = Result<T, Box<Diagnostic>>;

/// A column of a table, with what messages need.
pub struct Lookup<'a> {
    pub table: &'a Table,
    pub column: usize,
    /// As the source calls it.
    pub name: &'a str,
    /// Where the spec asks for it; empty in a run that has only fitted steps.
    pub span: Span,
    pub source: &'a SourcePlan,
}

/// The values of a column at some place of its chain, row after row.
#[derive(Clone, Debug)]
pub enum Flow<'a> {
    /// Nothing where a value is missing.
    Text(Vec<Option<Cow<'a, str>>>),
    Numbers(Numbers),
    /// Ids of the pieces of each text.
    Tokens(Ragged),
    /// As many ids for each row.
    Ids(Ids),
}

/// Row-major; NaN where a value is missing, and nowhere else.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// The shape of one row.
    pub row: Vec<usize>,
    pub values: Vec<f64>,
}

impl Numbers {
    pub fn scalars(values: Vec<f64>) -> Numbers {
        Numbers { row: Vec::new(), values }
    }

    /// How many numbers a row has.
    pub fn width(&self) -> usize {
        self.row.iter().product::<usize>().max(1)
    }
}

impl<'a> Flow<'a> {
    /// The value of each row as text: numbers in shortest form.
    pub fn texts(self) -> Vec<Option<Cow<'a, str>>> {
        let text = |x: f64| (!x.is_nan()).then(|| Cow::Owned(x.to_string()));
        match self {
            Flow::Text(texts) => texts,
            Flow::Numbers(numbers) => numbers.values.into_iter().map(text).collect(),
            Flow::Tokens(_) | Flow::Ids(_) => panic!("data: checked, ids of pieces are no texts any more"),
        }
    }

    /// The ids of the pieces of each text.
    pub fn tokens(self) -> Ragged {
        match self {
            Flow::Tokens(ragged) => ragged,
            Flow::Text(_) | Flow::Numbers(_) | Flow::Ids(_) => panic!("data: checked, a text was cut before"),
        }
    }
}

impl<'a> Lookup<'a> {
    pub fn new(table: &'a Table, name: &'a str, span: Span, source: &'a SourcePlan) -> Checked<Lookup<'a>> {
        let Some(column) = table.column(name) else {
            let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
            let message = format!("{} has no column `{name}`", table.name);
            let near = did_you_mean(name, names.iter().copied());
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its columns are {}", names.join(", ")),
            };
            let diagnostic = match is_written(span) {
                true => Diagnostic::error("data::column", message, span, "not in the file")
                    .label(source.path_span, "read here"),
                false => *problem("data::column", message, source),
            };
            return Err(Box::new(diagnostic.help(help)));
        };
        Ok(Lookup { table, column, name, span, source })
    }

    fn cells(&self) -> &'a Cells {
        &self.table.columns[self.column].cells
    }

    /// The bytes of ids that an IDX file has for labels.
    pub fn byte_labels(&self) -> Option<&'a [u8]> {
        match self.cells() {
            Cells::U8 { row, data } if row.is_empty() => Some(data),
            Cells::Text(_)
            | Cells::U8 { .. }
            | Cells::I32 { .. }
            | Cells::F32 { .. }
            | Cells::F64 { .. }
            | Cells::Gone => None,
        }
    }

    /// The values as the source has them.
    pub fn flow(&self) -> Flow<'a> {
        let numbers = |row: &[usize], values: Vec<f64>| Flow::Numbers(Numbers { row: row.to_vec(), values });
        match self.cells() {
            Cells::Text(cells) => {
                let text =
                    |c: &super::table::Cell| (!c.missing).then(|| Cow::Borrowed(self.table.cell_text(*c)));
                Flow::Text(cells.iter().map(text).collect())
            }
            Cells::U8 { row, data } => numbers(row, data.iter().map(|x| f64::from(*x)).collect()),
            Cells::I32 { row, data } => numbers(row, data.iter().map(|x| f64::from(*x)).collect()),
            Cells::F32 { row, data } => numbers(row, data.iter().map(|x| f64::from(*x)).collect()),
            Cells::F64 { row, data } => numbers(row, data.clone()),
            Cells::Gone => panic!("data: a column that is used is read"),
        }
    }

    /// A diagnostic about bad rows: the first is shown, the others are counted.
    pub fn bad(&self, code: Code, rows: &[usize], what: &str, help: &str) -> Box<Diagnostic> {
        let first = rows[0];
        let value = self.table.value_text(self.column, first);
        let more = match rows.len() - 1 {
            0 => String::new(),
            n => format!(" (and {} more like it)", count(n, "row")),
        };
        let place = self.table.place(self.column, first);
        let message = format!("{place}: {} in column `{}` {what}{more}", quoted(&value), self.name);
        let mut diagnostic = *problem(code, message, self.source);
        if is_written(self.span) {
            diagnostic = diagnostic.label(self.span, "asked for here");
        }
        Box::new(diagnostic.help(help))
    }

    /// A diagnostic about the column.
    pub fn problem(&self, code: Code, message: String, help: &str) -> Box<Diagnostic> {
        let diagnostic = *problem(code, message, self.source);
        let asked = match is_written(self.span) {
            true => diagnostic.label(self.span, "asked for here"),
            false => diagnostic,
        };
        Box::new(asked.help(help))
    }

    /// The sign before the fraction of a number.
    pub fn decimal(&self) -> u8 {
        self.source.kind.decimal()
    }

    /// What to do if values are missing where none may be.
    pub fn no_missing(&self, missing: &[usize]) -> Checked<()> {
        if missing.is_empty() {
            return Ok(());
        }
        let numeric = self.is_numeric();
        let filled = if numeric { "impute(median)" } else { "impute(most_frequent)" };
        let of = grouped(self.table.rows);
        let help = format!(
            "{} of {of} rows lack it: fill them in, as in `{} : {filled} |> …`, or remove the rows; `one_hot` and \
             `category` take missing values for a value of their own",
            grouped(missing.len()),
            self.name
        );
        Err(self.bad("data::missing_value", missing, "stands for a missing value", &help))
    }

    /// Whether most cells that are there are numbers.
    fn is_numeric(&self) -> bool {
        let Flow::Text(texts) = self.flow() else { return true };
        let (mut numbers, mut all) = (0, 0);
        for text in texts.iter().flatten() {
            all += 1;
            numbers += usize::from(number(text, self.decimal()).is_some());
        }
        2 * numbers > all
    }

    /// Every element as a number; what is missing stays so.
    pub fn numbers(&self, flow: Flow) -> Checked<Numbers> {
        let texts = match flow {
            Flow::Numbers(numbers) => {
                let wrong = |x: f64| !x.is_nan() && !(x as f32).is_finite();
                let bad = self.rows_where(&numbers, wrong);
                return if bad.is_empty() { Ok(numbers) } else { Err(self.not_finite(&bad)) };
            }
            Flow::Text(texts) => texts,
            Flow::Ids(Ids { row, values }) => {
                return Ok(Numbers { row, values: values.into_iter().map(f64::from).collect() });
            }
            Flow::Tokens(_) => panic!("data: checked, rows of different lengths are no numbers"),
        };
        let decimal = self.decimal();
        let mut numbers = Vec::with_capacity(texts.len());
        let (mut not_numbers, mut not_finite) = (Vec::new(), Vec::new());
        for (row, text) in texts.iter().enumerate() {
            let Some(text) = text else {
                numbers.push(f64::NAN);
                continue;
            };
            let number = number(text, decimal);
            match number {
                None => not_numbers.push(row),
                Some(x) if !(x as f32).is_finite() => not_finite.push(row),
                Some(_) => {}
            }
            numbers.push(number.unwrap_or(0.0));
        }
        if !not_numbers.is_empty() {
            return Err(self.bad(
                "data::number",
                &not_numbers,
                "is not a number",
                &self.advice(&not_numbers),
            ));
        }
        if !not_finite.is_empty() {
            return Err(self.not_finite(&not_finite));
        }
        Ok(Numbers::scalars(numbers))
    }

    fn not_finite(&self, bad: &[usize]) -> Box<Diagnostic> {
        let help = "correct the cells or remove the rows: a network cannot learn from them";
        self.bad("data::not_finite", bad, "is not a finite `f32`", help)
    }

    /// What to do about rows that hold no number.
    fn advice(&self, bad: &[usize]) -> String {
        let known = self.heading(bad).or_else(|| self.other_sign(bad));
        known.or_else(|| self.of_words(bad)).unwrap_or_else(|| {
            "correct the cells, name the word in `missing=`, or type the column `class`".to_string()
        })
    }

    /// What to do if most cells are words.
    fn of_words(&self, bad: &[usize]) -> Option<String> {
        let Flow::Text(texts) = self.flow() else { return None };
        if 2 * bad.len() < texts.iter().flatten().count() {
            return None;
        }
        let distinct: BTreeSet<&str> = texts.iter().flatten().map(|t| &**t).collect();
        Some(format!(
            "the column is text: {} rows, {} distinct values; type it `{name} : one_hot`, `{name} : category` or, for \
             a label, `{name} : class`",
            grouped(texts.len()),
            grouped(distinct.len()),
            name = self.name
        ))
    }

    /// What to do if the first row alone is wrong and has no number at all: it is a header.
    pub fn heading(&self, bad: &[usize]) -> Option<String> {
        let Dialect { columns, skip, .. } = self.source.kind.dialect()?;
        let is_number = |cells: &Cells| match cells {
            Cells::Text(cells) => {
                cells.first().is_some_and(|c| self.table.cell_text(*c).parse::<f64>().is_ok())
            }
            Cells::U8 { .. } | Cells::I32 { .. } | Cells::F32 { .. } | Cells::F64 { .. } => true,
            Cells::Gone => false,
        };
        if bad != [0] || self.table.rows < 2 || self.table.columns.iter().any(|c| is_number(&c.cells)) {
            return None;
        }
        Some(match columns {
            Some(_) => format!("the first row looks like a header: leave it out with `skip={}`", skip + 1),
            None => format!(
                "the row below the header looks like a second one: take it out, or name the columns \
                 yourself and leave both out with `columns=[…]` and `skip={}`",
                skip + 2
            ),
        })
    }

    /// What to do if all would be numbers with the other decimal sign.
    fn other_sign(&self, bad: &[usize]) -> Option<String> {
        let other = if self.decimal() == b'.' { b',' } else { b'.' };
        let fits = |row: &usize| number(&self.table.value_text(self.column, *row), other).is_some();
        let sign = char::from(other);
        let help = || format!("these are numbers with a decimal `{sign}`: say so, `decimal=\"{sign}\"`");
        (self.source.kind.dialect().is_some() && bad.iter().all(fits)).then(help)
    }

    /// Numbers that `i32` holds, or a diagnostic for the first that is not whole or too large.
    pub fn whole(&self, numbers: Numbers) -> Checked<Numbers> {
        let range = f64::from(i32::MIN)..=f64::from(i32::MAX);
        let fits = |x: f64| x.is_nan() || (x.fract() == 0.0 && range.contains(&x));
        let bad = self.rows_where(&numbers, |x| !fits(x));
        match bad.is_empty() {
            true => Ok(numbers),
            false => {
                let help = "use `float` for numbers with fractions";
                Err(self.bad("data::number", &bad, "is not a whole number of 32 bits", help))
            }
        }
    }

    /// The rows that have such a number.
    pub fn rows_where(&self, numbers: &Numbers, is: impl Fn(f64) -> bool) -> Vec<usize> {
        let width = numbers.width();
        let mut rows: Vec<usize> =
            numbers.values.iter().enumerate().filter(|(_, x)| is(**x)).map(|(i, _)| i / width).collect();
        rows.dedup();
        rows
    }
}

/// Whether a place is of the user's text.
fn is_written(span: Span) -> bool {
    span != Span::default()
}

/// `32,561`
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number as people write it, with another decimal sign if the source has one.
pub fn number(text: &str, decimal: u8) -> Option<f64> {
    if decimal == b'.' {
        return text.parse().ok();
    }
    if text.contains('.') {
        return None;
    }
    text.replace(char::from(decimal), ".").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [0, 999, 1000, 32_561, 1_234_567].map(grouped),
            ["0", "999", "1,000", "32,561", "1,234,567"]
        );
    }
}
