//! Files that pyarrow, numpy and pandas wrote, against what they say is in them (`tests/goldens/tables.py`).

use super::files::Places;
use super::read::Pieces;
use super::table::{Cells, Table};
use crate::base::Span;
use crate::sema::job::{Dialect, SourceKind, SourcePlan};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens")
}

fn source(name: &str) -> SourcePlan {
    let path = name.to_string();
    let kind = match name.split_once('.').expect("a name with an ending").1 {
        "csv" => SourceKind::Csv { path, dialect: Dialect::default() },
        "csv.gz" => {
            let dialect = Dialect { sep: b';', decimal: b',', ..Dialect::default() };
            SourceKind::Csv { path, dialect }
        }
        "jsonl" => SourceKind::Jsonl { path, missing: Vec::new() },
        "npy" => SourceKind::Npy { path },
        "npz" => SourceKind::Npz { path },
        "parquet" => SourceKind::Parquet { path },
        other => panic!("no source of `{other}`"),
    };
    SourcePlan { kind, span: Span::default(), path_span: Span::default() }
}

/// All rows, read in pieces of about `limit` bytes.
fn read(name: &str, limit: usize) -> Table {
    let places = Places { spec: Some(folder().join("tables")), data: None };
    let source = source(name);
    let all = |_: &str| true;
    let mut pieces = Pieces::open(&source, Vec::new(), &all, &places).expect("a file that is right");
    let mut table = Table::nothing(name);
    while let Some(piece) = pieces.next(&all, limit).expect("a file that is right") {
        table.append(piece);
    }
    table
}

/// The numbers of a row of a column that has several.
fn vector(cells: &Cells, row: usize, width: usize) -> Vec<f64> {
    let range = row * width..(row + 1) * width;
    match cells {
        Cells::F32 { data, .. } => data[range].iter().map(|x| f64::from(*x)).collect(),
        Cells::F64 { data, .. } => data[range].to_vec(),
        Cells::Text(_) | Cells::U8 { .. } | Cells::I32 { .. } | Cells::Gone => panic!("vectors are floats"),
    }
}

fn check(name: &str, table: &Table, column: &str, row: usize, expected: &Value) {
    let at = table.column(column).unwrap_or_else(|| panic!("{name} has no `{column}`"));
    let place = format!("{name}: `{column}`, row {row}");
    let number = |text: &Value| -> Option<f64> { text.as_str()?.strip_prefix('=')?.parse().ok() };
    if let Value::Array(numbers) = expected {
        let numbers: Vec<f64> = numbers.iter().map(|x| number(x).expect("a number")).collect();
        return assert_eq!(vector(&table.columns[at].cells, row, numbers.len()), numbers, "{place}");
    }
    assert_eq!(table.is_missing(at, row), expected.is_null(), "{place}");
    let found = table.value_text(at, row);
    let Some(text) = expected.as_str() else { return };
    let Some(wanted) = number(expected) else { return assert_eq!(found, text, "{place}") };
    let found: f64 = found.replace(',', ".").parse().unwrap_or_else(|_| panic!("{place}: {found}"));
    // What was a float of 32 bits prints in fewer digits.
    let narrow = matches!(table.columns[at].cells, Cells::F32 { .. });
    let same = if narrow { found as f32 == wanted as f32 } else { found == wanted };
    assert!(same, "{place}: {found}, not {wanted}");
}

/// `tables.json`: the set of columns that each file has.
#[derive(serde::Deserialize)]
struct Goldens {
    files: BTreeMap<String, String>,
    sets: BTreeMap<String, BTreeMap<String, Vec<Value>>>,
}

#[test]
fn files_of_other_programs_hold_what_those_say() {
    let text = std::fs::read_to_string(folder().join("tables.json")).expect("tables.json is there");
    let goldens: Goldens = serde_json::from_str(&text).expect("tables.json is JSON");
    assert!(goldens.files.len() > 10);
    for (name, set) in &goldens.files {
        if cfg!(not(feature = "parquet")) && name.ends_with("parquet") {
            continue;
        }
        for limit in [1, 1000, usize::MAX] {
            let table = read(name, limit);
            for (column, values) in &goldens.sets[set] {
                assert_eq!(table.rows, values.len(), "{name}");
                values.iter().enumerate().for_each(|(row, value)| check(name, &table, column, row, value));
            }
        }
    }
}
