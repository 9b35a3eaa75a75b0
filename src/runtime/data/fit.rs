//! From cells to numbers: what is fitted, on training rows alone, and how it is applied.

use super::csv::count;
use super::files::problem;
use super::table::{Cells, Table, quoted};
use crate::base::DType;
use crate::diag::{Diagnostic, did_you_mean};
use crate::sema::job::{Classes, Dialect, Encode, Field, SourcePlan};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A field's encoding with everything that training rows decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Fitted {
    AsIs,
    Float,
    Int,
    /// `(x - mean) / std`, the standard deviation of the population; over 1 where that is 0.
    Standardize {
        mean: Vec<f64>,
        std: Vec<f64>,
    },
    /// `(x - min) / (max - min)`; over 1 where all values are equal.
    Minmax {
        min: Vec<f64>,
        max: Vec<f64>,
    },
    /// Whole numbers below `count`.
    ClassCount {
        count: usize,
    },
    /// The class is the place in the list.
    ClassNames {
        names: Vec<String>,
    },
}

impl Fitted {
    /// How many classes there are, for a class.
    pub fn classes(&self) -> Option<usize> {
        match self {
            Fitted::ClassCount { count } => Some(*count),
            Fitted::ClassNames { names } => Some(names.len()),
            Fitted::AsIs
            | Fitted::Float
            | Fitted::Int
            | Fitted::Standardize { .. }
            | Fitted::Minmax { .. } => None,
        }
    }
}

type Checked<T> = Result<T, Box<Diagnostic>>;

/// A field looked up in a table, with what messages need.
pub struct Lookup<'a> {
    pub table: &'a Table,
    pub column: usize,
    pub field: &'a Field,
    pub source: &'a SourcePlan,
}

impl<'a> Lookup<'a> {
    pub fn new(table: &'a Table, field: &'a Field, source: &'a SourcePlan) -> Checked<Lookup<'a>> {
        let Some(column) = table.column(&field.source) else {
            let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
            let message = format!("{} has no column `{}`", table.name, field.source);
            let near = did_you_mean(&field.source, names.iter().copied());
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its columns are {}", names.join(", ")),
            };
            let diagnostic = Diagnostic::error("data::column", message, field.span, "not in the file");
            return Err(Box::new(diagnostic.label(source.path_span, "read here").help(help)));
        };
        Ok(Lookup { table, column, field, source })
    }

    fn cells(&self) -> &'a Cells {
        &self.table.columns[self.column].cells
    }

    /// The shape of one row: empty for text.
    pub fn row_shape(&self) -> Vec<usize> {
        match self.cells() {
            Cells::Text(_) | Cells::Gone => Vec::new(),
            Cells::U8 { row, .. }
            | Cells::I32 { row, .. }
            | Cells::F32 { row, .. }
            | Cells::F64 { row, .. } => row.clone(),
        }
    }

    fn width(&self) -> usize {
        self.row_shape().iter().product()
    }

    /// A diagnostic about bad cells: the first is shown, the others are counted.
    fn bad(&self, code: crate::diag::Code, rows: &[usize], what: &str, help: &str) -> Box<Diagnostic> {
        let first = rows[0];
        let value = self.table.value_text(self.column, first);
        let more = match rows.len() - 1 {
            0 => String::new(),
            n => format!(" (and {} more like it)", count(n, "row")),
        };
        let place = self.table.place(self.column, first);
        let message = format!("{place}: {} in column `{}` {what}{more}", quoted(&value), self.field.source);
        let diagnostic = problem(code, message, self.source);
        Box::new(diagnostic.label(self.field.span, "asked for here").help(help))
    }

    /// Every element as a number, rows times width.
    fn numbers(&self, decimal: u8) -> Checked<Vec<f64>> {
        match self.cells() {
            Cells::Text(_) => self.parsed(decimal),
            Cells::U8 { data, .. } => Ok(data.iter().map(|x| f64::from(*x)).collect()),
            Cells::I32 { data, .. } => Ok(data.iter().map(|x| f64::from(*x)).collect()),
            Cells::F32 { data, .. } => self.finite(data.iter().map(|x| f64::from(*x)).collect()),
            Cells::F64 { data, .. } => self.finite(data.clone()),
            Cells::Gone => panic!("data: a column that is used is read"),
        }
    }

    fn no_missing(&self) -> Checked<()> {
        let missing: Vec<usize> =
            (0..self.table.rows).filter(|r| self.table.is_missing(self.column, *r)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(self.bad(
            "data::missing_value",
            &missing,
            "stands for a missing value",
            "fill the cells in or remove the rows; `impute` and `one_hot` are not built yet",
        ))
    }

    /// Numbers of a source as they are, none missing, all within `f32`.
    fn finite(&self, numbers: Vec<f64>) -> Checked<Vec<f64>> {
        self.no_missing()?;
        let width = self.width().max(1);
        let wrong = |x: &f64| !(*x as f32).is_finite();
        let bad: Vec<usize> =
            numbers.iter().enumerate().filter(|(_, x)| wrong(x)).map(|(i, _)| i / width).collect();
        if bad.is_empty() { Ok(numbers) } else { Err(self.not_finite(&bad)) }
    }

    fn not_finite(&self, bad: &[usize]) -> Box<Diagnostic> {
        let help = "correct the cells or remove the rows: a network cannot learn from them";
        self.bad("data::not_finite", bad, "is not a finite `f32`", help)
    }

    fn parsed(&self, decimal: u8) -> Checked<Vec<f64>> {
        self.no_missing()?;
        let Cells::Text(cells) = self.cells() else { panic!("data: only text is parsed") };
        let mut numbers = Vec::with_capacity(cells.len());
        let (mut not_numbers, mut not_finite) = (Vec::new(), Vec::new());
        for (row, cell) in cells.iter().enumerate() {
            let number = number(self.table.cell_text(*cell), decimal);
            match number {
                None => not_numbers.push(row),
                Some(x) if !(x as f32).is_finite() => not_finite.push(row),
                Some(_) => {}
            }
            numbers.push(number.unwrap_or(0.0));
        }
        if !not_numbers.is_empty() {
            let help = self.heading(&not_numbers).or_else(|| self.other_sign(&not_numbers, decimal));
            let usual = "correct the cells, name the word in `missing=`, or type the column `class`";
            let help = help.as_deref().unwrap_or(usual);
            return Err(self.bad("data::number", &not_numbers, "is not a number", help));
        }
        if !not_finite.is_empty() {
            return Err(self.not_finite(&not_finite));
        }
        Ok(numbers)
    }

    /// What to do if the first row alone is wrong and has no number at all: it is a header.
    fn heading(&self, bad: &[usize]) -> Option<String> {
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
    fn other_sign(&self, bad: &[usize], decimal: u8) -> Option<String> {
        let other = if decimal == b'.' { b',' } else { b'.' };
        let fits = |row: &usize| number(&self.table.value_text(self.column, *row), other).is_some();
        let sign = char::from(other);
        let help = || format!("these are numbers with a decimal `{sign}`: say so, `decimal=\"{sign}\"`");
        (self.source.kind.dialect().is_some() && bad.iter().all(fits)).then(help)
    }

    /// As `i32`, or a diagnostic for the first that is not whole or too large.
    fn whole(&self, decimal: u8) -> Checked<Vec<f64>> {
        let numbers = self.numbers(decimal)?;
        let fits = |x: f64| x.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&x);
        let width = self.width().max(1);
        let bad: Vec<usize> =
            numbers.iter().enumerate().filter(|(_, x)| !fits(**x)).map(|(i, _)| i / width).collect();
        match bad.is_empty() {
            true => Ok(numbers),
            false => {
                let help = "use `float` for numbers with fractions";
                Err(self.bad("data::number", &bad, "is not a whole number of 32 bits", help))
            }
        }
    }

    /// Decides what training rows decide.
    pub fn fit(&self, rows: &[u32], dtype: DType, decimal: u8) -> Checked<Fitted> {
        Ok(match &self.field.how {
            Encode::AsIs => match self.cells() {
                // Labels of an IDX file: as many classes as its largest says, test rows included.
                Cells::U8 { row, data } if row.is_empty() && dtype == DType::I32 => {
                    Fitted::ClassCount { count: classes_of(data) }
                }
                Cells::Text(_)
                | Cells::U8 { .. }
                | Cells::I32 { .. }
                | Cells::F32 { .. }
                | Cells::F64 { .. }
                | Cells::Gone => Fitted::AsIs,
            },
            Encode::Float => Fitted::Float,
            Encode::Int => Fitted::Int,
            Encode::Standardize => {
                let (mean, std) = moments(&self.numbers(decimal)?, self.width(), rows);
                Fitted::Standardize { mean, std }
            }
            Encode::Minmax => {
                let (min, max) = range(&self.numbers(decimal)?, self.width(), rows);
                Fitted::Minmax { min, max }
            }
            Encode::Class(Classes::Count(count)) => Fitted::ClassCount { count: *count },
            Encode::Class(Classes::Named(names)) => Fitted::ClassNames { names: names.clone() },
            Encode::Class(Classes::Infer) => {
                self.no_missing()?;
                let seen: BTreeSet<String> = rows
                    .iter()
                    .map(|r| self.table.value_text(self.column, *r as usize).into_owned())
                    .collect();
                Fitted::ClassNames { names: in_natural_order(seen.into_iter().collect()) }
            }
        })
    }

    /// Every element of the column as the number that a batch will hold.
    pub fn apply(&self, fitted: &Fitted, dtype: DType, decimal: u8) -> Checked<Vec<f64>> {
        let width = self.width().max(1);
        let affine = |numbers: Vec<f64>, center: &[f64], scale: &dyn Fn(usize) -> f64| {
            let scales: Vec<f64> = (0..width).map(scale).map(|s| if s == 0.0 { 1.0 } else { s }).collect();
            let at = |(i, x): (usize, f64)| (x - center[i % width]) / scales[i % width];
            numbers.into_iter().enumerate().map(at).collect::<Vec<f64>>()
        };
        match fitted {
            Fitted::Float => self.numbers(decimal),
            Fitted::Int => self.whole(decimal),
            Fitted::AsIs => match dtype {
                DType::F32 => self.numbers(decimal),
                DType::I32 | DType::U8 => self.whole(decimal),
            },
            Fitted::Standardize { mean, std } => Ok(affine(self.numbers(decimal)?, mean, &|i| std[i])),
            Fitted::Minmax { min, max } => Ok(affine(self.numbers(decimal)?, min, &|i| max[i] - min[i])),
            Fitted::ClassCount { count } => self.numbered_classes(*count),
            Fitted::ClassNames { names } => self.named_classes(names),
        }
    }

    fn numbered_classes(&self, classes: usize) -> Checked<Vec<f64>> {
        let numbers = self.whole(b'.')?;
        let bad: Vec<usize> =
            (0..numbers.len()).filter(|r| !(0.0..classes as f64).contains(&numbers[*r])).collect();
        match bad.is_empty() {
            true => Ok(numbers),
            false => {
                let what = format!("is not one of the classes 0 to {}", classes.saturating_sub(1));
                let help = "correct the label, or give the right number of classes";
                Err(self.bad("data::class", &bad, &what, help))
            }
        }
    }

    fn named_classes(&self, names: &[String]) -> Checked<Vec<f64>> {
        self.no_missing()?;
        // `class(1, 2)` means numbers, however the cells write them: `1.0`, `01`.
        let numbers: Vec<Option<f64>> = names.iter().map(|n| n.parse().ok()).collect();
        let class = |row: usize| {
            let value = self.table.value_text(self.column, row);
            let as_number = || {
                let value: f64 = value.parse().ok()?;
                numbers.iter().position(|n| *n == Some(value))
            };
            names.iter().position(|n| *n == value).or_else(as_number)
        };
        let classes: Vec<Option<usize>> = (0..self.table.rows).map(class).collect();
        let bad: Vec<usize> = (0..classes.len()).filter(|r| classes[*r].is_none()).collect();
        if bad.is_empty() {
            return Ok(classes.into_iter().flatten().map(|c| c as f64).collect());
        }
        let shown: Vec<String> = names.iter().take(12).map(|n| format!("`{n}`")).collect();
        let dots = if names.len() > 12 { ", …" } else { "" };
        let what = format!("is not one of the classes {}{dots}", shown.join(", "));
        let heading = self.heading(&bad);
        let help = match &self.field.how {
            Encode::Class(Classes::Infer) => {
                "the classes are those of the training rows: list them all, `class(a, b, …)`, or stratify the split"
            }
            Encode::Class(_)
            | Encode::AsIs
            | Encode::Float
            | Encode::Int
            | Encode::Standardize
            | Encode::Minmax => "correct the label, or add it to the list",
        };
        Err(self.bad("data::class", &bad, &what, heading.as_deref().unwrap_or(help)))
    }
}

/// How many classes byte labels stand for.
pub fn classes_of(labels: &[u8]) -> usize {
    labels.iter().max().map_or(0, |most| usize::from(*most) + 1)
}

/// A number as people write it, with another decimal sign if the source has one.
fn number(text: &str, decimal: u8) -> Option<f64> {
    if decimal == b'.' {
        return text.parse().ok();
    }
    if text.contains('.') {
        return None;
    }
    text.replace(char::from(decimal), ".").parse().ok()
}

/// Sorted as numbers if all are numbers, else as text.
fn in_natural_order(mut names: Vec<String>) -> Vec<String> {
    let numbers: Option<Vec<f64>> = names.iter().map(|n| n.parse::<f64>().ok()).collect();
    if numbers.is_some() {
        let value = |n: &String| n.parse::<f64>().unwrap_or_default();
        names.sort_by(|a, b| value(a).total_cmp(&value(b)).then(a.cmp(b)));
    }
    names
}

/// Mean and standard deviation (over n, not n - 1) of each element of the rows, in two passes.
fn moments(numbers: &[f64], width: usize, rows: &[u32]) -> (Vec<f64>, Vec<f64>) {
    let n = rows.len() as f64;
    let over = |each: &dyn Fn(usize, f64) -> f64| {
        let mut sums = vec![0f64; width];
        for row in rows {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum += each(i, numbers[*row as usize * width + i]);
            }
        }
        sums.into_iter().map(|s| s / n).collect::<Vec<f64>>()
    };
    let mean = over(&|_, x| x);
    let variance = over(&|i, x| (x - mean[i]) * (x - mean[i]));
    // What rounding alone can make of equal values counts as 0 (the bound of scikit-learn's scaler).
    let rounding = |mean: f64, var: f64| n * f64::EPSILON * var + (n * mean * f64::EPSILON).powi(2);
    let constant = |(var, mean): (f64, &f64)| if var <= rounding(*mean, var) { 0.0 } else { var.sqrt() };
    let std = variance.into_iter().zip(&mean).map(constant).collect();
    (mean, std)
}

fn range(numbers: &[f64], width: usize, rows: &[u32]) -> (Vec<f64>, Vec<f64>) {
    let (mut min, mut max) = (vec![f64::INFINITY; width], vec![f64::NEG_INFINITY; width]);
    for row in rows {
        for i in 0..width {
            let x = numbers[*row as usize * width + i];
            min[i] = min[i].min(x);
            max[i] = max[i].max(x);
        }
    }
    (min, max)
}
