//! Values against what reads them: a class that no logit stands for would add nothing to a loss, in
//! silence.

use super::csv::count;
use super::files::problem;
use super::table::{Cells, Table, quoted};
use super::{Array, Loaded, Store, Values};
use crate::base::Bindings;
use crate::diag::Diagnostic;
use crate::sema::job::{Column, DataPlan, Encode, Field, Range, Wanted};

/// What is wrong with the values of a source, one diagnostic for each column and use.
pub fn problems(plan: &DataPlan, loaded: &Loaded, store: &Store, sizes: &Bindings) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (column, array) in plan.columns.iter().zip(&store.columns) {
        for wanted in &column.wanted {
            let Some((least, most)) = ends(&wanted.range, sizes) else { continue };
            let bad = outside(array, least, most, wanted.except);
            if !bad.is_empty() {
                found.push(Outside { column, array, loaded, wanted, least, most, bad }.diagnostic());
            }
        }
    }
    found
}

/// The least and the largest value; `None` of a size that nobody knows.
fn ends(range: &Range, sizes: &Bindings) -> Option<(f64, f64)> {
    match range {
        Range::Below(size) | Range::Rows(size) => Some((0.0, size.bind(sizes).as_const()? as f64 - 1.0)),
        Range::Between(least, most) => Some((*least, *most)),
        Range::AtLeast(least) => Some((*least, f64::MAX)),
    }
}

/// Places of the elements that are not in the range.
fn outside(array: &Array, least: f64, most: f64, except: Option<i64>) -> Vec<usize> {
    let in_range = |x: f64| (least..=most).contains(&x) || except.is_some_and(|id| id as f64 == x);
    array.numbers().enumerate().filter(|(_, x)| !in_range(*x)).map(|(i, _)| i).collect()
}

impl Array {
    fn len(&self) -> usize {
        match &self.values {
            Values::U8(v) => v.len(),
            Values::I32(v) => v.len(),
            Values::F32(v) => v.len(),
        }
    }

    fn number(&self, at: usize) -> f64 {
        match &self.values {
            Values::U8(v) => f64::from(v[at]),
            Values::I32(v) => f64::from(v[at]),
            Values::F32(v) => f64::from(v[at]),
        }
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        (0..self.len()).map(|i| self.number(i))
    }
}

/// A column with values that its reader does not understand.
struct Outside<'a> {
    column: &'a Column,
    array: &'a Array,
    loaded: &'a Loaded<'a>,
    wanted: &'a Wanted,
    least: f64,
    most: f64,
    /// Places of the elements, at least one.
    bad: Vec<usize>,
}

impl Outside<'_> {
    fn diagnostic(&self) -> Diagnostic {
        // Windows hold steps, each of which is a row of the table.
        let sizes = if self.column.windows().is_some() { &self.array.row[1..] } else { &self.array.row };
        let (table, width) = (&self.loaded.table, sizes.iter().product::<usize>().max(1));
        // The pieces of a text have no rows of their own.
        let row = (self.bad[0] / width).min(table.rows.saturating_sub(1));
        let field = &self.column.fields()[0];
        let place = column_of(table, field).map_or_else(|| table.row_place(row), |c| table.place(c, row));
        let more = match self.bad.len() - 1 {
            0 => String::new(),
            n => format!(" (and {} more like it)", count(n, "value")),
        };
        let Wanted { by, span, .. } = self.wanted;
        let range = match self.wanted.range {
            Range::Below(_) | Range::Rows(_) | Range::Between(..) => {
                format!("from {} to {}", self.least, self.most)
            }
            Range::AtLeast(least) => format!("at least {least}"),
        };
        let message = format!(
            "{place}: {} in column `{}` is not {range}, which `{by}` wants{more}",
            self.shown(field, row),
            self.column.name,
        );
        problem("data::range", message, self.loaded.source)
            .label(self.column.span, "the column")
            .label(*span, format!("wants {}", range.trim_start_matches("from ")))
            .help(self.help(field))
    }

    /// The first wrong value as the source has it, and as it is fed if that is another.
    fn shown(&self, field: &Field, row: usize) -> String {
        let fed = self.array.number(self.bad[0]) as f32;
        // Of a text that ids were made of, the id says more.
        let ids = matches!(self.wanted.range, Range::Rows(_));
        match text_of(&self.loaded.table, field, row).filter(|_| !ids) {
            None => format!("`{fed}`"),
            Some(text) if text.parse() == Ok(fed) => quoted(&text),
            Some(text) => format!("{} ({fed} as it is fed)", quoted(&text)),
        }
    }

    fn help(&self, field: &Field) -> String {
        const LISTED: usize = 12;
        if let Range::AtLeast(_) = self.wanted.range {
            return "a weight says how much a row counts, 0 for not at all: correct the column".to_string();
        }
        let most = self.array.numbers().fold(0.0, f64::max);
        if let Range::Rows(_) = self.wanted.range {
            return format!(
                "ids pick rows of weights and count from 0: make it `Embedding({}, …)`, or correct the column",
                most + 1.0
            );
        }
        let distinct = self.distinct();
        let from_table = self.loaded.source.kind.is_table();
        let listable =
            from_table && matches!(field.how.as_slice(), [Encode::Int | Encode::Float | Encode::Inferred]);
        if listable && (2..=LISTED).contains(&distinct.len()) {
            return self.list(&distinct);
        }
        let (by, name) = (&self.wanted.by, &self.column.name);
        let classes = most + 1.0;
        let ids = distinct.iter().all(|x| x.fract() == 0.0 && *x >= 0.0);
        match (&self.wanted.range, ids) {
            (Range::Below(_) | Range::Rows(_), true) => format!(
                "correct the labels, or make the last layer {classes} wide: class ids count from 0, one for \
                 each logit"
            ),
            (Range::Below(_) | Range::Rows(_), false) => format!(
                "class ids count from 0, one for each logit: list the classes, `{name} : class(…)`, or use \
                 `MeanSquaredError` for numbers that are no classes"
            ),
            (Range::Between(..) | Range::AtLeast(_), true) => format!(
                "`{by}` tells two classes apart: for {classes} classes use `CrossEntropy` with as many logits; \
                 bring shares to 0 to 1 by `minmax`"
            ),
            (Range::Between(..) | Range::AtLeast(_), false) => format!(
                "`{by}` takes 0, 1 or a share between: use `MeanSquaredError` for other numbers, or bring the \
                 column to 0 to 1 by `minmax`"
            ),
        }
    }

    /// How few values are made classes.
    fn list(&self, values: &[f64]) -> String {
        let list: Vec<String> = values.iter().map(|x| x.to_string()).collect();
        let call = format!("`{} : class({})`", self.column.name, list.join(", "));
        let classes = match self.wanted.range {
            Range::Below(_) | Range::Rows(_) => self.most as usize + 1,
            Range::Between(..) | Range::AtLeast(_) => 2,
        };
        let n = values.len();
        match &self.wanted.range {
            _ if n == classes => format!("list the classes, which numbers them from 0: {call}"),
            Range::Below(_) | Range::Rows(_) => {
                format!(
                    "list the classes, which numbers them from 0: {call}, and make the last layer {n} wide"
                )
            }
            Range::Between(..) | Range::AtLeast(_) => {
                format!("for {n} classes use `CrossEntropy` with {n} logits, and list them: {call}")
            }
        }
    }

    /// The values that occur, sorted; a few of them if they are many.
    fn distinct(&self) -> Vec<f64> {
        const ENOUGH: usize = 1000;
        let mut seen: Vec<f64> = Vec::new();
        for x in self.array.numbers() {
            if let Err(at) = seen.binary_search_by(|s| s.total_cmp(&x)) {
                seen.insert(at, x);
            }
            if seen.len() > ENOUGH {
                break;
            }
        }
        seen
    }
}

/// The column of the source, unless the field is computed from several.
fn column_of(table: &Table, field: &Field) -> Option<usize> {
    table.column(&field.source).filter(|_| field.formula.is_none())
}

/// What the source has in a row of a text column.
fn text_of(table: &Table, field: &Field, row: usize) -> Option<String> {
    let column = column_of(table, field)?;
    matches!(table.columns[column].cells, Cells::Text(_)).then(|| table.value_text(column, row).into_owned())
}
