//! The first rows of a table of text: enough to say of each column whether it holds numbers.

use super::cells::number;
use super::csv::Reader;
use super::table::{Cells, Table};
use crate::sema::{Sample, SchemaColumn, SourceSchema};
use std::collections::BTreeSet;

/// Bytes of text that are looked at: reading and judging them takes well under a millisecond.
const GLANCE: usize = 1 << 14;

/// Words that a message may show.
const SHOWN: usize = 4;

/// The columns of an open table. Rows that are wrong are for loading to name: then nothing is said of cells.
pub fn table(mut reader: Reader) -> SourceSchema {
    let first = reader.next(&|_| true, GLANCE).ok().flatten();
    let decimal = reader.decimal();
    let (names, hint) = reader.into_header();
    let column = |(at, name): (usize, String)| SchemaColumn {
        name,
        dtype: None,
        shape: Vec::new(),
        classes: None,
        sample: first.as_ref().and_then(|table| sample(table, at, decimal)),
    };
    SourceSchema { columns: names.into_iter().enumerate().map(column).collect(), rows: None, hint }
}

/// What the cells of a column are in the rows at hand.
pub fn sample(table: &Table, column: usize, decimal: u8) -> Option<Sample> {
    let Cells::Text(cells) = &table.columns[column].cells else { return None };
    let mut sample = Sample { rows: cells.len(), ..Sample::default() };
    let mut distinct = BTreeSet::new();
    for cell in cells {
        if cell.missing {
            sample.missing += 1;
            continue;
        }
        let text = table.cell_text(*cell);
        let new = distinct.insert(text);
        match number(text, decimal) {
            Some(x) if x.fract() == 0.0 => sample.whole += 1,
            Some(_) => sample.fractions += 1,
            None if new && sample.words.len() < SHOWN => sample.words.push(text.to_string()),
            None => {}
        }
    }
    sample.distinct = distinct.len();
    Some(sample)
}
