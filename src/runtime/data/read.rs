//! Any source as a table in memory.

use super::files::{Places, problem};
use super::table::Table;
use super::text::MOST_TEXT;
use super::{Checked, csv, idx, jsonl, npy, npz, synthetic};
use crate::diag::Diagnostic;
use crate::sema::job::{SourceKind, SourcePlan};

/// The columns for which `wanted` holds, and the test table that an `idx` folder may bring along.
pub fn table(
    source: &SourcePlan,
    wanted: &dyn Fn(&str) -> bool,
    places: &Places,
) -> Checked<(Table, Option<Table>)> {
    let table = match &source.kind {
        SourceKind::Csv { path, dialect } => {
            let mut reader = csv::Reader::open(path, dialect, places, source)?;
            let Some(mut table) = reader.next(wanted, MOST_TEXT)? else { return Err(reader.empty()) };
            if !reader.at_end() {
                return Err(too_large(&table.name, source));
            }
            table.files.push(reader.finish()?);
            table
        }
        SourceKind::Jsonl { path, missing } => {
            let mut reader = jsonl::Reader::open(path, missing, Vec::new(), places, source)?;
            let Some(mut table) = reader.next(wanted, MOST_TEXT)? else { return Err(reader.empty()) };
            if !reader.at_end() {
                return Err(too_large(&table.name, source));
            }
            table.files.push(reader.finish()?);
            table
        }
        SourceKind::Npy { path } => npy::load(path, places, source)?,
        SourceKind::Npz { path } => npz::load(path, wanted, places, source)?,
        #[cfg(feature = "parquet")]
        SourceKind::Parquet { path } => {
            let mut reader = super::parquet::Reader::open(path, places, source)?;
            let Some(mut table) = reader.next(wanted, usize::MAX)? else { return Err(reader.empty()) };
            table.files.push(reader.finish()?);
            table
        }
        #[cfg(not(feature = "parquet"))]
        SourceKind::Parquet { .. } => return Err(without("parquet", source)),
        #[cfg(feature = "sql")]
        SourceKind::Sql { database, rows } => super::sql::load(database, rows, places, source)?,
        #[cfg(not(feature = "sql"))]
        SourceKind::Sql { .. } => return Err(without("sql", source)),
        SourceKind::Idx { path } => {
            let pairs = idx::load(path, places, source)?;
            return Ok((pairs.train, pairs.test));
        }
        SourceKind::Synthetic { generator, rows, seed } => synthetic::load(generator, *rows, *seed, source)?,
    };
    Ok((table, None))
}

fn too_large(name: &str, source: &SourcePlan) -> Box<Diagnostic> {
    let message = format!("{name}: more than 4 GiB of text");
    Box::new(problem("data::unreadable", message, source).help("split the file"))
}

/// What a build answers that lacks a format.
#[cfg(not(all(feature = "parquet", feature = "sql")))]
pub fn without(feature: &str, source: &SourcePlan) -> Box<Diagnostic> {
    let message = format!("this mlc was built without the feature `{feature}`");
    let help = format!("build it with `--features {feature}`, or convert the data to CSV once");
    Box::new(problem("data::feature", message, source).help(help))
}
