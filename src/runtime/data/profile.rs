//! What a data section holds: its columns as they are, how the spec takes them, classes, repeated rows, parts.

use super::csv::count;
use super::files::problem;
use super::inferred::{Distinct, Inferred, Kind, infer};
use super::same::{self, PAIRS, PARTS, Place, Same};
use super::table::{Table, quoted};
use super::{
    FileInfo, Loaded, Opened, Places, check_parts, computed, encode, leaks, split, split_rows, tokenizers,
    windows,
};
use crate::diag::Diagnostic;
use crate::runtime::plan::{bytes, table};
use crate::sema::job::DataPlan;
use crate::sema::{ColumnUse, DataView};
use serde::Serialize;

/// A section as `mlc data` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Profile {
    pub data: String,
    /// The source call as written.
    pub source: String,
    pub files: Vec<FileInfo>,
    /// Of the source itself, without files of their own for parts.
    pub rows: usize,
    /// Rows of each part; none if the split cannot be done.
    pub parts: Option<PartRows>,
    pub columns: Vec<ColumnProfile>,
    pub classes: Vec<Balance>,
    pub repeated: Repeated,
    /// Bytes of the tables as read, and of the arrays that training takes, where those could be made.
    pub read_bytes: usize,
    pub array_bytes: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PartRows {
    pub train: usize,
    pub valid: usize,
    pub test: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct ColumnProfile {
    pub column: String,
    pub kind: Kind,
    pub missing: usize,
    /// Cells that are not what the others are, and the first of them.
    pub unlike: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_unlike: Option<String>,
    pub distinct: usize,
    /// Of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Range>,
    /// The earliest and the latest of dates, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dates: Option<[String; 2]>,
    /// The most common values with their rows, where values repeat.
    pub common: Vec<(String, usize)>,
    /// How it becomes numbers, as the spec writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// Where it goes; nowhere if it is unused.
    pub goes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Range {
    pub least: f64,
    pub mean: f64,
    pub most: f64,
    /// The standard deviation, of the population.
    pub std: f64,
}

/// How often each class of a column occurs.
#[derive(Clone, Debug, Serialize)]
pub struct Balance {
    pub column: String,
    pub classes: Vec<ClassRows>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ClassRows {
    pub class: String,
    pub rows: usize,
    /// In train, valid and test, as far as those are rows of the source.
    pub parts: Option<PartRows>,
}

/// Rows that are the same in every column.
#[derive(Clone, Debug, Serialize)]
pub struct Repeated {
    /// Rows that an earlier row equals, with the first such pair.
    pub rows: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<[String; 2]>,
    /// Rows of a part that another part has as well: `train`, `test`, how many.
    pub across: Vec<(String, String, usize)>,
}

/// A profile, what may be wrong with the data, and what is.
#[derive(Debug)]
pub struct Looked {
    pub profile: Profile,
    /// Leaks, as warnings; and why rows cannot be parted, if they cannot.
    pub found: Vec<Diagnostic>,
}

/// Common values that are listed.
const COMMON: usize = 5;
/// Classes that are listed.
const CLASSES: usize = 100;

/// Reads a section and looks at all of it.
///
/// # Errors
/// If a file cannot be read as the spec says.
pub fn profile(view: &DataView, places: &Places) -> Result<Looked, Box<Diagnostic>> {
    let (plan, _) = &tokenizers::read(&view.plan, places)?;
    let Some(opened) = Opened::read(plan, places, &|_| true, usize::MAX)? else {
        let message =
            format!("`{}` has more than 4 GiB of text, too much to be looked at as a whole", view.name);
        let wrong = problem("data::unreadable", message, &plan.source);
        return Err(Box::new(wrong.help("look at a part of the file: `head -n 1000000`")));
    };
    let mut found = Vec::new();
    let checked = check_parts(plan, opened.valid.is_some(), opened.test.is_some());
    let parts = checked.and_then(|()| match plan.windows() {
        Some(all) => windows::of_parts(&all, &windows::parts(plan, &opened.main)?, &plan.source),
        None => split_rows(plan, &opened.main),
    });
    let parted = match parts {
        Ok(parts) if view.splits => Some(parts),
        Ok(_) => None,
        Err(wrong) => {
            found.push(*wrong);
            None
        }
    };
    // Parts of windows are no rows.
    let parts = parted.as_ref().filter(|_| plan.windows().is_none());
    if let Some(parts) = parts {
        found.extend(leaks::lint(plan, &opened, parts));
    }
    let main = &opened.main.table;
    let (valid, test) = (opened.valid.as_ref().map(|l| &l.table), opened.test.as_ref().map(|l| &l.table));
    let decimal = plan.source.kind.decimal();
    let computed = computed(plan, &opened.main, parts);
    let of_source = (0..main.columns.len()).map(|at| Looked1::new(main, at, decimal, view));
    let columns: Vec<Looked1> =
        of_source.chain(computed.iter().map(|made| Looked1::new(made, 0, decimal, view))).collect();
    let part_rows = parted.as_ref().map(|parts| PartRows {
        train: parts.train.len(),
        valid: valid.map_or(parts.valid.len(), |t| t.rows),
        test: test.map_or(parts.test.len(), |t| t.rows),
    });
    let tables = [Some(main), valid, test];
    let same = same::rows(tables, &same::places(main, parts, valid, test));
    let profile = Profile {
        data: view.name.clone(),
        source: view.source.clone(),
        files: tables.into_iter().flatten().flat_map(|t| t.files.clone()).collect(),
        rows: main.rows,
        parts: part_rows,
        classes: columns.iter().filter(|c| c.is_class()).map(|c| c.balance(parts)).collect(),
        columns: columns.into_iter().map(Looked1::profile).collect(),
        repeated: repeated(&same, tables),
        read_bytes: tables.into_iter().flatten().map(Table::bytes).sum(),
        array_bytes: None,
    };
    Ok(Looked { profile, found })
}

/// Columns that are computed before they are transformed, each as a table of its own; those that cannot be
/// computed are for loading to tell.
fn computed(plan: &DataPlan, main: &Loaded, parts: Option<&split::Parts>) -> Vec<Table> {
    let all: Vec<u32> = (0..main.table.rows as u32).collect();
    let train = parts.map_or(all.as_slice(), |parts| &parts.train);
    let mut made: Vec<Table> = Vec::new();
    for column in &plan.columns {
        for field in column.fields().iter().filter(|field| field.formula.is_some()) {
            let known = made.iter().any(|table| table.columns[0].name == field.source);
            let fitted = (!known).then(|| encode::fit_field(column, field, main, train));
            let table = fitted.and_then(|fitted| {
                let fitted = fitted.ok()?;
                computed::column(fitted.formula.as_ref()?, &fitted, &main.table, main.source).ok()
            });
            made.extend(table);
        }
    }
    made
}

/// A column while it is looked at.
struct Looked1<'a> {
    table: &'a Table,
    column: usize,
    inferred: Inferred,
    distinct: Distinct,
    uses: ColumnUse,
}

impl<'a> Looked1<'a> {
    fn new(table: &'a Table, column: usize, decimal: u8, view: &DataView) -> Looked1<'a> {
        let inferred = infer(table, column, decimal);
        let distinct = Distinct::of(table, column, &inferred);
        let uses = view.uses.get(&table.columns[column].name).cloned().unwrap_or_default();
        Looked1 { table, column, inferred, distinct, uses }
    }

    fn value(&self, row: usize) -> String {
        self.table.value_text(self.column, row).into_owned()
    }

    /// Whether the spec takes the values for classes; whole numbers called `label` are ids.
    fn is_class(&self) -> bool {
        let how = self.uses.how.iter().chain(&self.uses.goes);
        let named = how.into_iter().any(|how| how.split("|>").any(|s| s.trim().starts_with("class")));
        let stratified = self.uses.goes.iter().any(|to| to == "stratify");
        let label = self.table.columns[self.column].name == "label" && self.inferred.kind == Kind::Whole;
        (named || stratified || label) && self.distinct.len() > 0
    }

    fn balance(&self, parts: Option<&split::Parts>) -> Balance {
        let count = |rows: &[u32]| {
            let mut counts = vec![0; self.distinct.len()];
            for row in rows {
                if let Some(n) = counts.get_mut(self.distinct.of[*row as usize] as usize) {
                    *n += 1;
                }
            }
            counts
        };
        let in_parts = parts.map(|p| [&p.train, &p.valid, &p.test].map(|rows| count(rows)));
        let mut codes: Vec<usize> = (0..self.distinct.len()).collect();
        let first = |code: &usize| self.distinct.first[*code] as usize;
        match self.inferred.numbers.as_slice() {
            [] => codes.sort_by_key(|code| self.value(first(code))),
            numbers => codes.sort_by(|a, b| numbers[first(a)].total_cmp(&numbers[first(b)])),
        }
        let class = |code: usize| ClassRows {
            class: self.value(self.distinct.first[code] as usize),
            rows: self.distinct.counts[code],
            parts: in_parts.as_ref().map(|[train, valid, test]| PartRows {
                train: train[code],
                valid: valid[code],
                test: test[code],
            }),
        };
        let column = self.table.columns[self.column].name.clone();
        Balance { column, classes: codes.into_iter().take(CLASSES).map(class).collect() }
    }

    fn profile(self) -> ColumnProfile {
        let Inferred { kind, numbers, missing, unlike, first_unlike } = &self.inferred;
        let there = || numbers.iter().copied().enumerate().filter(|(_, x)| !x.is_nan());
        let ends = there().fold(None, |ends: Option<(usize, usize)>, (row, x)| match ends {
            None => Some((row, row)),
            Some((least, most)) => Some((
                if x < numbers[least] { row } else { least },
                if x > numbers[most] { row } else { most },
            )),
        });
        let repeats = self.distinct.len() * 2 <= self.distinct.of.len();
        let common = self.distinct.by_count().into_iter().take(if repeats { COMMON } else { 0 });
        ColumnProfile {
            column: self.table.columns[self.column].name.clone(),
            kind: kind.clone(),
            missing: *missing,
            unlike: *unlike,
            first_unlike: first_unlike
                .map(|row| format!("{} {}", self.table.place(self.column, row), quoted(&self.value(row)))),
            distinct: self.distinct.len(),
            numbers: ends.filter(|_| *kind != Kind::Date).map(|(least, most)| {
                let n = there().count() as f64;
                let mean = there().map(|(_, x)| x).sum::<f64>() / n;
                let var = there().map(|(_, x)| (x - mean) * (x - mean)).sum::<f64>() / n;
                Range { least: numbers[least], mean, most: numbers[most], std: var.sqrt() }
            }),
            dates: ends.filter(|_| *kind == Kind::Date).map(|(a, b)| [self.value(a), self.value(b)]),
            common: common
                .map(|code| {
                    let (row, count) =
                        (self.distinct.first[code as usize], self.distinct.counts[code as usize]);
                    (self.value(row as usize), count)
                })
                .collect(),
            how: self.uses.how,
            goes: self.uses.goes,
        }
    }
}

/// `people.csv:12`: where a row stands.
pub fn place(tables: [Option<&Table>; 3], at: Place) -> String {
    tables[at.table].map_or(String::new(), |table| table.row_place(at.row as usize))
}

fn repeated(same: &Same, tables: [Option<&Table>; 3]) -> Repeated {
    let part = |part: usize| PARTS[part].to_string();
    let across = PAIRS.into_iter().zip(&same.across).filter(|(_, across)| across.rows > 0);
    Repeated {
        rows: same.again,
        first: same.first.map(|(a, b)| [place(tables, a), place(tables, b)]),
        across: across.map(|((a, b), across)| (part(a), part(b), across.rows)).collect(),
    }
}

/// The profile for people.
pub fn text(profile: &Profile) -> String {
    let Profile { data, source, rows, .. } = profile;
    let mut out = format!("{data}: {source}, {rows} rows\n\n");
    out.push_str(&columns_text(profile));
    for column in profile.columns.iter().filter(|c| c.unlike > 0) {
        let first = column.first_unlike.as_deref().unwrap_or_default();
        let (name, n, kind) = (&column.column, count(column.unlike, "row"), kind_word(&column.kind));
        out.push_str(&format!("\n`{name}`: not a {kind} in {n}, first {first}\n"));
    }
    for balance in &profile.classes {
        out.push_str(&format!("\nclasses of {}\n{}", balance.column, balance_text(balance, profile.rows)));
    }
    out.push('\n');
    out.push_str(&table(facts(profile)));
    out
}

fn kind_word(kind: &Kind) -> String {
    match kind {
        Kind::Whole => "whole number".to_string(),
        Kind::Number => "number".to_string(),
        Kind::Date => "date".to_string(),
        Kind::Text => "text".to_string(),
        Kind::Array(ty) => ty.clone(),
        Kind::Nothing => "empty".to_string(),
    }
}

fn columns_text(profile: &Profile) -> String {
    let mut lines = vec![
        ["column", "type", "missing", "distinct", "min", "mean", "max", "most common", "spec"]
            .map(String::from)
            .to_vec(),
    ];
    for column in &profile.columns {
        let [least, mean, most] = match (&column.numbers, &column.dates) {
            (Some(r), _) => [r.least, r.mean, r.most].map(short),
            (None, Some([first, last])) => [first.clone(), String::new(), last.clone()],
            (None, None) => Default::default(),
        };
        let numeric = matches!(column.kind, Kind::Whole | Kind::Number | Kind::Date);
        let common = match column.common.first() {
            // Of many numbers the most common says little.
            Some((value, n)) if !numeric || column.distinct <= COMMON => {
                format!("{} {}", cut(value), percent(*n, profile.rows))
            }
            _ => String::new(),
        };
        let to = column.goes.join(", ");
        let spec = match (&column.how, to.is_empty()) {
            (Some(how), true) => how.clone(),
            (Some(how), false) => format!("{how} -> {to}"),
            (None, false) => format!("-> {to}"),
            (None, true) => "unused".to_string(),
        };
        let missing = if column.missing == 0 { "-".to_string() } else { column.missing.to_string() };
        let distinct = match column.kind {
            Kind::Array(_) => String::new(),
            Kind::Whole | Kind::Number | Kind::Date | Kind::Text | Kind::Nothing => {
                column.distinct.to_string()
            }
        };
        let kind = kind_word(&column.kind);
        lines.push(vec![column.column.clone(), kind, missing, distinct, least, mean, most, common, spec]);
    }
    table(lines)
}

fn balance_text(balance: &Balance, rows: usize) -> String {
    let parted = balance.classes.iter().any(|c| c.parts.is_some());
    let mut head = vec!["class", "rows", "share"];
    if parted {
        head.extend(PARTS);
    }
    let mut lines = vec![head.into_iter().map(String::from).collect::<Vec<_>>()];
    for class in &balance.classes {
        let mut line = vec![cut(&class.class), class.rows.to_string(), percent(class.rows, rows)];
        if let Some(parts) = class.parts {
            line.extend([parts.train, parts.valid, parts.test].map(|n| n.to_string()));
        }
        lines.push(line);
    }
    table(lines)
}

/// Parts, repeated rows, memory.
fn facts(profile: &Profile) -> Vec<Vec<String>> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push(vec![name.to_string(), value]);
    if let Some(PartRows { train, valid, test }) = profile.parts {
        fact("parts", format!("{train} train, {valid} valid, {test} test"));
    }
    let Repeated { rows, first, across } = &profile.repeated;
    fact(
        "repeated",
        match first {
            None => "no row is the same as another".to_string(),
            Some([a, b]) => {
                let s = if *rows == 1 { " is" } else { "s are" };
                format!("{rows} row{s} the same as an earlier one, first {b} as {a}")
            }
        },
    );
    for (one, other, n) in across {
        fact("", format!("{n} of `{other}` are in `{one}` as well"));
    }
    let arrays = profile.array_bytes.map_or(String::new(), |n| format!(", {} for training", bytes(n)));
    fact("memory", format!("{} as read{arrays}", bytes(profile.read_bytes)));
    facts
}

/// A number in four digits, whole ones as they are.
fn short(x: f64) -> String {
    if x.fract() == 0.0 && x.abs() < 1e9 {
        return x.to_string();
    }
    let rounded: f64 = format!("{x:.3e}").parse().unwrap_or(x);
    match rounded.abs() {
        size if (1e-4..1e9).contains(&size) => rounded.to_string(),
        _ => format!("{rounded:e}"),
    }
}

fn percent(n: usize, of: usize) -> String {
    format!("{:.1} %", 100.0 * n as f64 / of.max(1) as f64)
}

/// Long words are cut, for a column of a table.
fn cut(text: &str) -> String {
    const MOST: usize = 24;
    let flat: String = text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > MOST { format!("{flat}…") } else { flat }
}
