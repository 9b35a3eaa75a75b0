//! What a split wants to know of rows: their classes, their groups, their order in time.

use crate::diag::Diagnostic;
use crate::runtime::data::csv::count;
use crate::runtime::data::files::problem;
use crate::runtime::data::table::{Cells, Table, quoted};
use crate::runtime::data::when;
use crate::sema::job::{RowOrder, SourcePlan, SplitPlan};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A column by numbers for its distinct values, which are sorted as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codes {
    /// Of each row.
    pub of: Vec<u32>,
    pub names: Vec<String>,
}

/// Everything that decides which row goes where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub rows: usize,
    pub strata: Option<Codes>,
    pub groups: Option<Codes>,
    /// All rows in order of time.
    pub by_time: Option<Vec<u32>>,
}

impl Codes {
    pub fn new(table: &Table, column: usize) -> Codes {
        let values: Vec<Cow<str>> = (0..table.rows).map(|row| table.value_text(column, row)).collect();
        let mut numbers: BTreeMap<&str, u32> = values.iter().map(|v| (&**v, 0)).collect();
        numbers.values_mut().enumerate().for_each(|(i, n)| *n = i as u32);
        Codes {
            of: values.iter().map(|v| numbers[&**v]).collect(),
            names: numbers.keys().map(|name| name.to_string()).collect(),
        }
    }

    /// How many rows have each value.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.names.len()];
        self.of.iter().for_each(|code| counts[*code as usize] += 1);
        counts
    }
}

impl Facts {
    /// Reads them off a table. A cell that says nothing is a diagnostic at the split.
    pub fn of(plan: &SplitPlan, table: &Table, source: &SourcePlan) -> Result<Facts, Box<Diagnostic>> {
        let reader = Reader { plan, table, source };
        let codes = |key: &str, name: &Option<String>| match name {
            Some(name) => reader.codes(key, name).map(Some),
            None => Ok(None),
        };
        Ok(Facts {
            rows: table.rows,
            strata: codes("stratify", &plan.stratify)?,
            groups: codes("group", &plan.group)?,
            by_time: match &plan.order {
                RowOrder::Time(name) => Some(reader.by_time(name)?),
                RowOrder::Shuffled | RowOrder::File => None,
            },
        })
    }

    /// Some rows, given in file order, in order of time if there is one.
    pub fn in_time(&self, rows: &[u32]) -> Vec<u32> {
        match &self.by_time {
            None => rows.to_vec(),
            Some(order) => {
                let mut wanted = vec![false; self.rows];
                rows.iter().for_each(|row| wanted[*row as usize] = true);
                order.iter().copied().filter(|row| wanted[*row as usize]).collect()
            }
        }
    }
}

struct Reader<'a> {
    plan: &'a SplitPlan,
    table: &'a Table,
    source: &'a SourcePlan,
}

impl Reader<'_> {
    fn column(&self, key: &str, name: &str) -> Result<usize, Box<Diagnostic>> {
        let table = self.table;
        let Some(column) = table.column(name) else {
            let message = format!("{} has no column `{name}` for `{key}`", table.name);
            let wrong = Diagnostic::error("data::split", message, self.plan.span, "split here");
            return Err(Box::new(wrong.help("name a column of the source")));
        };
        let single = match &table.columns[column].cells {
            Cells::U8 { row, .. }
            | Cells::I32 { row, .. }
            | Cells::F32 { row, .. }
            | Cells::F64 { row, .. } => row.is_empty(),
            Cells::Text(_) | Cells::Gone => true,
        };
        if !single {
            let message = format!("`{name}` has several numbers in each row, and `{key}` takes one value");
            let wrong = Diagnostic::error("data::split", message, self.plan.span, "split here");
            return Err(Box::new(wrong.help("name a column with one value in each row")));
        }
        Ok(column)
    }

    fn codes(&self, key: &str, name: &str) -> Result<Codes, Box<Diagnostic>> {
        let column = self.column(key, name)?;
        let missing = missing_rows(self.table, column);
        // A class that is missing is told where the class is read.
        if key == "group" && !missing.is_empty() {
            let what = "says no group";
            let help = "fill the cells in or remove the rows: each row belongs to one group";
            return Err(self.bad("data::missing_value", column, &missing, what, help));
        }
        Ok(Codes::new(self.table, column))
    }

    /// All rows, earlier ones first; equal times in file order.
    fn by_time(&self, name: &str) -> Result<Vec<u32>, Box<Diagnostic>> {
        let column = self.column("time", name)?;
        let missing = missing_rows(self.table, column);
        if !missing.is_empty() {
            let help = "fill the cells in or remove the rows: each row has its time";
            return Err(self.bad("data::missing_value", column, &missing, "is no time", help));
        }
        let rows = self.table.rows;
        let values = (0..rows).map(|row| self.table.value_text(column, row));
        let numbers: Vec<Option<f64>> =
            values.clone().map(|v| v.parse().ok().filter(|x: &f64| x.is_finite())).collect();
        let mut order: Vec<u32> = (0..rows as u32).collect();
        // The first row says which of the two a column is.
        if numbers.first().is_some_and(Option::is_some) {
            let bad: Vec<usize> = (0..rows).filter(|row| numbers[*row].is_none()).collect();
            if !bad.is_empty() {
                return Err(self.bad("data::time", column, &bad, "is no number as the first row is", FORMS));
            }
            let at = |row: &u32| numbers[*row as usize].unwrap_or_default();
            order.sort_by(|a, b| at(a).total_cmp(&at(b)));
            return Ok(order);
        }
        let times: Vec<Option<i64>> = values.map(|v| when::micros(&v)).collect();
        let bad: Vec<usize> = (0..rows).filter(|row| times[*row].is_none()).collect();
        if !bad.is_empty() {
            return Err(self.bad("data::time", column, &bad, "is neither a number nor a date", FORMS));
        }
        order.sort_by_key(|row| times[*row as usize]);
        Ok(order)
    }

    fn bad(
        &self,
        code: crate::diag::Code,
        column: usize,
        rows: &[usize],
        what: &str,
        help: &str,
    ) -> Box<Diagnostic> {
        let value = self.table.value_text(column, rows[0]);
        let more = match rows.len() - 1 {
            0 => String::new(),
            n => format!(" (and {} more like it)", count(n, "row")),
        };
        let (place, name) = (self.table.place(column, rows[0]), &self.table.columns[column].name);
        let message = format!("{place}: {} in column `{name}` {what}{more}", quoted(&value));
        Box::new(problem(code, message, self.source).label(self.plan.span, "asked for here").help(help))
    }
}

const FORMS: &str =
    "write all as numbers, or all as dates such as `2024-01-31`, `2024-01-31 14:30:00` or `31.01.2024`";

fn missing_rows(table: &Table, column: usize) -> Vec<usize> {
    (0..table.rows).filter(|row| table.is_missing(column, *row)).collect()
}
