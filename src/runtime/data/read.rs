//! Any source as a table in memory, or in pieces.

use super::files::{FileInfo, Places, problem};
use super::table::Table;
use super::text::MOST_TEXT;
use super::{Checked, cifar, csv, idx, images, jsonl, lines, npy, npz, synthetic, voc};
use crate::sema::job::{SourceKind, SourcePlan};

/// A source as a whole, and the test table that an `idx` folder may bring along; none if the part that
/// is wanted of a source that can be read in pieces is larger than `limit` bytes.
pub fn table(
    source: &SourcePlan,
    wanted: &dyn Fn(&str) -> bool,
    places: &Places,
    limit: usize,
) -> Checked<Option<(Table, Option<Table>)>> {
    let pairs = match &source.kind {
        SourceKind::Idx { path, resize } => Some(idx::load(path, *resize, places, source)?),
        SourceKind::Cifar { path, resize } => Some(cifar::load(path, *resize, places, source)?),
        SourceKind::Voc(plan) => Some(voc::load(plan, places, source)?),
        _one_table => None,
    };
    if let Some(pairs) = pairs {
        return Ok(Some((pairs.train, pairs.test)));
    }
    let mut pieces = Pieces::open(source, Vec::new(), wanted, places)?;
    let Some(mut table) = pieces.next(wanted, limit.min(MOST_TEXT))? else { return Err(pieces.empty()) };
    if !pieces.at_end() {
        return Ok(None);
    }
    table.files.extend(pieces.finish()?);
    Ok(Some((table, None)))
}

/// A source as a whole, however large.
pub fn whole(source: &SourcePlan, wanted: &dyn Fn(&str) -> bool, places: &Places) -> Checked<Table> {
    match table(source, wanted, places, usize::MAX)? {
        Some((table, _)) => Ok(table),
        None => {
            let wrong = problem("data::unreadable", "the source has more than 4 GiB of text", source);
            Err(Box::new(wrong.help("split the file")))
        }
    }
}

/// An open source that gives its rows in pieces, the same rows in the same order however large they are.
pub enum Pieces<'a> {
    Csv(Box<csv::Reader<'a>>),
    Jsonl(Box<jsonl::Reader<'a>>),
    #[cfg(feature = "parquet")]
    Parquet(Box<super::parquet::Reader<'a>>),
    /// In one piece: arrays, databases, images.
    Whole(Option<Box<Table>>),
}

impl<'a> Pieces<'a> {
    /// `known` are the columns that an earlier reading of JSON lines found.
    pub fn open(
        source: &'a SourcePlan,
        known: Vec<jsonl::Column>,
        wanted: &dyn Fn(&str) -> bool,
        places: &Places,
    ) -> Checked<Pieces<'a>> {
        let whole = |table| Pieces::Whole(Some(Box::new(table)));
        Ok(match &source.kind {
            SourceKind::Csv { path, dialect } => {
                Pieces::Csv(Box::new(csv::Reader::open(path, dialect, places, source)?))
            }
            SourceKind::Jsonl { path, missing } => {
                Pieces::Jsonl(Box::new(jsonl::Reader::open(path, missing, known, places, source)?))
            }
            #[cfg(feature = "parquet")]
            SourceKind::Parquet { path } => {
                Pieces::Parquet(Box::new(super::parquet::Reader::open(path, places, source)?))
            }
            #[cfg(not(feature = "parquet"))]
            SourceKind::Parquet { .. } => return Err(without("parquet", source)),
            SourceKind::Npy { path } => whole(npy::load(path, places, source)?),
            SourceKind::Npz { path } => whole(npz::load(path, wanted, places, source)?),
            #[cfg(feature = "sql")]
            SourceKind::Sql { database, rows } => whole(super::sql::load(database, rows, places, source)?),
            #[cfg(not(feature = "sql"))]
            SourceKind::Sql { .. } => return Err(without("sql", source)),
            SourceKind::Idx { path, resize } => whole(idx::load(path, *resize, places, source)?.train),
            SourceKind::Cifar { path, resize } => whole(cifar::load(path, *resize, places, source)?.train),
            SourceKind::Images { path, resize } => whole(images::load(path, *resize, places, source)?),
            SourceKind::Voc(plan) => whole(voc::load(plan, places, source)?.train),
            SourceKind::Text { path } => whole(lines::text(path, places, source)?),
            SourceKind::Lines { files } => whole(lines::lines(files, places, source)?),
            SourceKind::Parallel { files } => whole(lines::parallel(files, places, source)?),
            SourceKind::Synthetic { generator, rows, seed } => {
                whole(synthetic::load(generator, *rows, *seed, source)?)
            }
        })
    }

    /// The next rows, of about `limit` bytes; none behind the last.
    pub fn next(&mut self, wanted: &dyn Fn(&str) -> bool, limit: usize) -> Checked<Option<Table>> {
        match self {
            Pieces::Csv(reader) => reader.next(wanted, limit),
            Pieces::Jsonl(reader) => reader.next(wanted, limit),
            #[cfg(feature = "parquet")]
            Pieces::Parquet(reader) => reader.next(wanted, limit),
            Pieces::Whole(table) => Ok(table.take().map(|table| *table)),
        }
    }

    /// Whether all rows were given.
    pub fn at_end(&self) -> bool {
        match self {
            Pieces::Csv(reader) => reader.at_end(),
            Pieces::Jsonl(reader) => reader.at_end(),
            #[cfg(feature = "parquet")]
            Pieces::Parquet(reader) => reader.at_end(),
            Pieces::Whole(table) => table.is_none(),
        }
    }

    /// The columns that the rows so far had, where only rows tell.
    pub fn found(&self) -> Vec<jsonl::Column> {
        match self {
            Pieces::Jsonl(reader) => reader.columns().to_vec(),
            Pieces::Csv(_) | Pieces::Whole(_) => Vec::new(),
            #[cfg(feature = "parquet")]
            Pieces::Parquet(_) => Vec::new(),
        }
    }

    /// Of a source without rows.
    pub fn empty(&self) -> Box<crate::diag::Diagnostic> {
        match self {
            Pieces::Csv(reader) => reader.empty(),
            Pieces::Jsonl(reader) => reader.empty(),
            #[cfg(feature = "parquet")]
            Pieces::Parquet(reader) => reader.empty(),
            Pieces::Whole(_) => unreachable!("read: a whole table has rows, or its reader said so"),
        }
    }

    /// What was read; a whole table has that itself.
    pub fn finish(self) -> Checked<Vec<FileInfo>> {
        Ok(match self {
            Pieces::Csv(reader) => vec![reader.finish()?],
            Pieces::Jsonl(reader) => vec![reader.finish()?],
            #[cfg(feature = "parquet")]
            Pieces::Parquet(reader) => vec![reader.finish()?],
            Pieces::Whole(_) => Vec::new(),
        })
    }
}

/// What a build answers that lacks a format.
#[cfg(not(all(feature = "parquet", feature = "sql")))]
pub fn without(feature: &str, source: &SourcePlan) -> Box<crate::diag::Diagnostic> {
    let message = format!("this mlc was built without the feature `{feature}`");
    let help = format!("build it with `--features {feature}`, or convert the data to CSV once");
    Box::new(problem("data::feature", message, source).help(help))
}
