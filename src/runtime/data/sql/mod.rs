//! Rows of a database: `sql("sqlite:shop.db", table="orders")`, `sql("postgres://ada@host/shop", query="…")`.
//!
//! Queries run in transactions that may only read. Rows come in the order that the query asks for; without an
//! `ORDER BY` they are sorted by their values, since a database may give them in any order, and another
//! order is another training. NULL is a missing value. Passwords come from `PGPASSWORD`, never from a spec.

mod postgres;
mod sqlite;

use super::files::{FNV_START, FileInfo, Places, fnv1a, problem};
use super::table::{Cell, Cells, Origin, RawColumn, Table};
use super::text::MOST_TEXT;
use crate::base::DType;
use crate::diag::Diagnostic;
use crate::sema::job::{Database, SourcePlan, SqlRows};
use std::cmp::Ordering;

type Checked<T> = Result<T, Box<Diagnostic>>;

/// A column of a result: its name, and its type if its values are numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    pub name: String,
    pub dtype: Option<DType>,
}

/// Why there is no result.
enum Failure {
    /// Nobody answers: not known while checking, an error while loading.
    Unreachable(Box<Diagnostic>),
    Wrong(Box<Diagnostic>),
}

/// The columns of a query, and its first rows where they cost little; none if the database cannot be reached.
pub fn glance(
    database: &Database,
    rows: &SqlRows,
    places: &Places,
    source: &SourcePlan,
) -> Checked<Option<(Vec<Heading>, Option<Table>)>> {
    let found = match database {
        Database::Sqlite { path } => sqlite::glance(&places.find(path, source)?, &statement(rows), source),
        Database::Postgres { url } => {
            postgres::glance(url, &statement(rows), source).map(|columns| (columns, None))
        }
    };
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Failure::Unreachable(_)) => Ok(None),
        Err(Failure::Wrong(wrong)) => Err(wrong),
    }
}

/// Runs a query and keeps all of its rows.
pub fn load(database: &Database, rows: &SqlRows, places: &Places, source: &SourcePlan) -> Checked<Table> {
    let (name, result) = match database {
        Database::Sqlite { path } => {
            let found = places.find(path, source)?;
            (found.display().to_string(), sqlite::load(&found, &statement(rows), source))
        }
        Database::Postgres { url } => (url.clone(), postgres::load(url, &statement(rows), source)),
    };
    let mut table = match result {
        Ok(table) => table,
        Err(Failure::Unreachable(wrong) | Failure::Wrong(wrong)) => return Err(wrong),
    };
    if table.rows == 0 {
        let wrong = problem("data::empty", format!("{}: the query gives no rows", table.name), source);
        return Err(Box::new(wrong.help("run it in the database's own shell to see what it finds")));
    }
    if !ordered(rows) {
        sort(&mut table);
    }
    let info = info(name, &table);
    table.files.push(info);
    Ok(table)
}

/// What the database is asked.
fn statement(rows: &SqlRows) -> String {
    match rows {
        SqlRows::Query(query) => query.trim().trim_end_matches(';').trim_end().to_string(),
        SqlRows::Table(table) => {
            let parts: Vec<String> =
                table.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect();
            format!("SELECT * FROM {}", parts.join("."))
        }
    }
}

/// Whether the query says in which order rows come: behind its last parenthesis, so that one inside does
/// not count.
fn ordered(rows: &SqlRows) -> bool {
    let SqlRows::Query(query) = rows else { return false };
    let last = query.rsplit(')').next().unwrap_or_default().to_lowercase();
    let words: Vec<&str> = last.split_whitespace().collect();
    words.windows(2).any(|pair| pair == ["order", "by"])
}

/// Puts rows in the order of their values, column by column.
fn sort(table: &mut Table) {
    let mut order: Vec<usize> = (0..table.rows).collect();
    order.sort_by(|a, b| {
        let compare = |c: usize| match &table.columns[c].cells {
            Cells::Text(cells) => table.cell_text(cells[*a]).cmp(table.cell_text(cells[*b])),
            Cells::I32 { data, .. } => data[*a].cmp(&data[*b]),
            Cells::F64 { data, .. } => data[*a].total_cmp(&data[*b]),
            Cells::U8 { .. } | Cells::F32 { .. } | Cells::Gone => Ordering::Equal,
        };
        (0..table.columns.len()).map(compare).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    });
    for column in &mut table.columns {
        match &mut column.cells {
            Cells::Text(cells) => *cells = order.iter().map(|r| cells[*r]).collect(),
            Cells::I32 { data, .. } => *data = order.iter().map(|r| data[*r]).collect(),
            Cells::F64 { data, .. } => *data = order.iter().map(|r| data[*r]).collect(),
            Cells::U8 { .. } | Cells::F32 { .. } | Cells::Gone => {}
        }
    }
}

/// The hash of the values, by which a run tells whether the rows changed.
fn info(path: String, table: &Table) -> FileInfo {
    let (mut hash, mut bytes) = (FNV_START, 0);
    for row in 0..table.rows {
        for column in 0..table.columns.len() {
            let value = table.value_text(column, row);
            let mark: &[u8] = if table.is_missing(column, row) { b"\x01" } else { b"\x00" };
            hash = fnv1a(fnv1a(hash, value.as_bytes()), mark);
            bytes += value.len() as u64 + 1;
        }
    }
    FileInfo { path, bytes, hash: format!("{hash:016x}") }
}

/// One value of a result.
enum Value<'v> {
    Null,
    Whole(i64),
    Real(f64),
    Text(&'v str),
}

/// The values of a column so far: numbers until a text comes.
#[derive(Default)]
struct Growing {
    whole: Vec<Option<i64>>,
    real: Vec<f64>,
    text: Vec<Cell>,
}

impl Growing {
    fn rows(&self) -> usize {
        self.whole.len() + self.real.len() + self.text.len()
    }

    fn push(&mut self, value: Value, text: &mut String) {
        match value {
            Value::Null if !self.text.is_empty() => self.cell(None, text),
            Value::Null if !self.real.is_empty() => self.real.push(f64::NAN),
            Value::Null => self.whole.push(None),
            Value::Whole(n) if !self.text.is_empty() => self.cell(Some(&n.to_string()), text),
            Value::Whole(n) if !self.real.is_empty() => self.real.push(n as f64),
            Value::Whole(n) => self.whole.push(Some(n)),
            Value::Real(x) if !self.text.is_empty() => self.cell(Some(&x.to_string()), text),
            Value::Real(x) => {
                let real = |n: Option<i64>| n.map_or(f64::NAN, |n| n as f64);
                self.real.extend(std::mem::take(&mut self.whole).into_iter().map(real));
                self.real.push(x);
            }
            Value::Text(value) => {
                self.become_text(text);
                self.cell(Some(value), text);
            }
        }
    }

    fn cell(&mut self, value: Option<&str>, text: &mut String) {
        let lo = text.len() as u32;
        text.push_str(value.unwrap_or_default());
        self.text.push(Cell { lo, hi: text.len() as u32, missing: value.is_none() });
    }

    /// Numbers so far as text: a column is one or the other.
    fn become_text(&mut self, text: &mut String) {
        for n in std::mem::take(&mut self.whole) {
            self.cell(n.map(|n| n.to_string()).as_deref(), text);
        }
        for x in std::mem::take(&mut self.real) {
            self.cell((!x.is_nan()).then(|| x.to_string()).as_deref(), text);
        }
    }

    fn cells(mut self, text: &mut String) -> Cells {
        let row = Vec::new();
        if !self.text.is_empty() {
            return Cells::Text(self.text);
        }
        if !self.real.is_empty() {
            return Cells::F64 { row, data: self.real };
        }
        let narrow: Option<Vec<i32>> = self.whole.iter().map(|n| n.and_then(|n| n.try_into().ok())).collect();
        if let Some(data) = narrow {
            return Cells::I32 { row, data };
        }
        // Beyond 2^53 only text is exact.
        if self.whole.iter().flatten().any(|n| n.unsigned_abs() > 1 << 53) {
            self.become_text(text);
            return Cells::Text(self.text);
        }
        let data = self.whole.into_iter().map(|n| n.map_or(f64::NAN, |n| n as f64)).collect();
        Cells::F64 { row, data }
    }
}

/// Rows gathered into a table.
struct Gathered<'a> {
    name: String,
    headings: Vec<Heading>,
    growing: Vec<Growing>,
    text: String,
    source: &'a SourcePlan,
}

impl<'a> Gathered<'a> {
    fn new(name: String, headings: Vec<Heading>, source: &'a SourcePlan) -> Self {
        let growing = headings.iter().map(|_| Growing::default()).collect();
        Gathered { name, headings, growing, text: String::new(), source }
    }

    fn push(&mut self, column: usize, value: Value) -> Checked<()> {
        self.growing[column].push(value, &mut self.text);
        if self.text.len() <= MOST_TEXT {
            return Ok(());
        }
        let message = format!("{}: the query gives more than 4 GiB of text", self.name);
        let wrong = problem("data::sql", message, self.source);
        Err(Box::new(wrong.help("name the columns that the spec uses in `query`")))
    }

    fn table(mut self) -> Table {
        let rows = self.growing.first().map_or(0, Growing::rows);
        let columns = self.headings.into_iter().zip(self.growing);
        let columns = columns
            .map(|(heading, growing)| RawColumn { name: heading.name, cells: growing.cells(&mut self.text) })
            .collect();
        Table { name: self.name, rows, columns, files: Vec::new(), text: self.text, origin: Origin::Rows(0) }
    }
}

/// Names of a result as specs write them; two alike are an error.
fn headings(
    columns: impl Iterator<Item = (String, Option<DType>)>,
    name: &str,
    source: &SourcePlan,
) -> Checked<Vec<Heading>> {
    let mut all: Vec<Heading> = Vec::new();
    for (column, dtype) in columns {
        let heading = Heading { name: super::csv::identifier(&column), dtype };
        if all.iter().any(|h| h.name == heading.name) {
            let message = format!("{name}: two columns of the query are called `{}`", heading.name);
            let wrong = problem("data::header", message, source);
            return Err(Box::new(wrong.help("name one otherwise: `SELECT price AS price_2, …`")));
        }
        all.push(heading);
    }
    Ok(all)
}

/// A query that the database refuses, in its own words.
fn refused(name: &str, why: &str, source: &SourcePlan) -> Failure {
    let message = format!("{name}: the database refuses the query: {why}");
    let wrong = problem("data::sql", message, source);
    Failure::Wrong(Box::new(wrong.help("correct `query`; it may only read, and is one statement")))
}

impl From<Box<Diagnostic>> for Failure {
    fn from(wrong: Box<Diagnostic>) -> Failure {
        Failure::Wrong(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_inside_parentheses_does_not_count() {
        let query = |q: &str| ordered(&SqlRows::Query(q.into()));
        assert!(query("select a from t Order\n by a"));
        assert!(query("select a from (select 1) order by 1;"));
        assert!(!query("select a from (select a from t order by a)"));
        assert!(!query("select reorder, bypass from t"));
    }

    #[test]
    fn names_of_tables_are_quoted() {
        assert_eq!(
            statement(&SqlRows::Table("public.my \"t".into())),
            "SELECT * FROM \"public\".\"my \"\"t\""
        );
        assert_eq!(statement(&SqlRows::Query(" select 1; \n".into())), "select 1");
    }
}
