//! Data sections larger than memory: the same rows in the same order with the same bits.
//!
//! A source is read several times in pieces: once to count its rows and to learn what the split wants to know,
//! once for as many columns as fit into memory to fit them, once to encode all rows into a [`spill`](super::spill)
//! that batches are gathered from. In memory at once are a piece, the columns that are being fitted, four
//! bytes a row for the order of rows and for each class column, and batches.

use super::encode::{self, FittedColumn, FittedField};
use super::files::{FileInfo, Places, problem};
use super::jsonl;
use super::read::Pieces;
use super::spill::Spilling;
use super::table::Table;
use super::text::MOST_TEXT;
use super::{
    Array, Checked, Dataset, Loaded, Part, Store, Values, check_parts, column_of_split, split_rows, wanted,
    windows,
};
use crate::base::Bindings;
use crate::diag::Diagnostic;
use crate::sema::job::{DataPlan, Encode, Field, SourcePlan};
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

/// How much memory data may take.
#[derive(Clone, Copy, Debug)]
pub struct Budget(usize);

impl Budget {
    /// `MLC_MEMORY` (`512M`, `2G`, bytes), else half of what the machine has free.
    pub fn of_machine() -> Budget {
        let said = std::env::var("MLC_MEMORY").ok().and_then(|text| bytes(&text));
        Budget(said.unwrap_or_else(|| free_memory() / 2))
    }

    /// The text of a source that is kept whole: its cells and what is made of them take several times that.
    pub fn whole(self) -> usize {
        self.0 / 8
    }

    /// The text of a piece.
    fn piece(self) -> usize {
        (self.0 / 16).clamp(1 << 12, 64 << 20)
    }

    /// Columns of so many rows that are fitted at once: a cell takes some 64 bytes until it is a number.
    fn columns(self, rows: usize) -> usize {
        (self.0 / 4 / (64 * rows.max(1))).max(1)
    }
}

/// `64K`, `512M`, `2G`, or bytes.
fn bytes(text: &str) -> Option<usize> {
    let text = text.trim();
    let (digits, shift) = match text.chars().last()?.to_ascii_uppercase() {
        'K' => (&text[..text.len() - 1], 10),
        'M' => (&text[..text.len() - 1], 20),
        'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    digits.parse::<usize>().ok()?.checked_mul(1 << shift)
}

/// Memory that the system would give, where it says so.
fn free_memory() -> usize {
    const OTHERWISE: usize = 4 << 30;
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"));
    let kibibytes = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<usize>().ok());
    kibibytes.map_or(OTHERWISE, |k| k << 10)
}

/// A source that is read again for each use.
struct Large<'a> {
    source: &'a SourcePlan,
    places: &'a Places,
    budget: Budget,
    rows: usize,
    files: Vec<FileInfo>,
    /// Columns that only rows tell.
    known: Vec<jsonl::Column>,
    /// What the split wants to know.
    facts: Table,
}

/// Reads, splits, fits and encodes a data section of which a source does not fit into memory.
pub fn load<'a>(plan: &'a DataPlan, places: &'a Places, budget: Budget) -> Result<Dataset, Vec<Diagnostic>> {
    let one = |d: Box<Diagnostic>| vec![*d];
    let windows = plan.windows();
    if windows.is_some() && super::fields(plan).any(Field::cuts_text) {
        return Err(vec![windows::too_large(&plan.source)]);
    }
    let of_split = |name: &str| column_of_split(plan, name);
    let nothing = |_: &str| false;
    let mut main = Large::open(&plan.source, places, budget, &of_split).map_err(one)?;
    let beside = |source: &'a Option<SourcePlan>| {
        source.as_ref().map(|source| Large::open(source, places, budget, &nothing)).transpose()
    };
    let (valid, test) = (beside(&plan.valid).map_err(one)?, beside(&plan.test).map_err(one)?);
    check_parts(plan, valid.is_some(), test.is_some()).map_err(one)?;
    let facts = Loaded { source: main.source, table: std::mem::replace(&mut main.facts, Table::nothing("")) };
    // Windows of a table have a step for each row.
    let parts = match windows {
        Some(_) => windows::parts_of(plan, main.rows),
        None => split_rows(plan, &facts),
    };
    let parts = parts.map_err(one)?;
    drop(facts);
    let fitted = main.fit(plan, &parts.train)?;
    let mut sizes = None;
    let (store, labels) = main.encode(plan, &fitted, &mut sizes)?;
    let wrong = encode::one_class(plan, &labels, &fitted, &parts.train);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let counts = encode::class_counts(&labels, &fitted, &parts.train);
    drop(labels);
    let mut other = |large: &Option<Large>| match large {
        Some(large) => large.encode(plan, &fitted, &mut sizes).map(|(store, _)| Some((store, large.rows))),
        None => Ok(None),
    };
    let (valid_store, test_store) = (other(&valid)?, other(&test)?);
    let of_main = |rows: Vec<u32>| Part { store: store.clone(), rows: rows.into() };
    let warnings = encode::warnings(&fitted, &plan.source, &parts.train);
    let parts = match &windows {
        Some(windows) => windows::of_parts(windows, &parts, &plan.source).map_err(one)?,
        None => parts,
    };
    let whole = |read: Option<(Arc<Store>, usize)>, source: &Option<SourcePlan>| -> Checked<Option<Part>> {
        let (Some((store, rows)), Some(source)) = (read, source) else { return Ok(None) };
        let rows = match &windows {
            Some(windows) => windows::of_steps(windows, rows, source)?,
            None => (0..rows as u32).collect(),
        };
        Ok(Some(Part { store, rows: rows.into() }))
    };
    let valid_part = whole(valid_store, &plan.valid).map_err(one)?;
    let test_part = whole(test_store, &plan.test).map_err(one)?;
    Ok(Dataset {
        name: plan.name.clone(),
        train: of_main(parts.train),
        valid: valid_part.unwrap_or_else(|| of_main(parts.valid)),
        test: test_part.unwrap_or_else(|| of_main(parts.test)),
        fitted,
        warnings,
        files: [Some(main), valid, test].into_iter().flatten().flat_map(|l| l.files).collect(),
        bindings: sizes.unwrap_or_default(),
        augment: plan.augment.clone(),
        counts,
    })
}

impl<'a> Large<'a> {
    /// Reads a source once: its rows are counted, `facts` of them are kept.
    fn open(
        source: &'a SourcePlan,
        places: &'a Places,
        budget: Budget,
        facts: &dyn Fn(&str) -> bool,
    ) -> Checked<Large<'a>> {
        let mut large = Large {
            source,
            places,
            budget,
            rows: 0,
            files: Vec::new(),
            known: Vec::new(),
            facts: Table::nothing(""),
        };
        // A first reading finds the columns where only rows tell; without that, pieces would differ.
        let mut pieces = Pieces::open(source, Vec::new(), &|_| false, places)?;
        while let Some(piece) = pieces.next(&|_| false, budget.piece())? {
            large.rows += piece.rows;
            large.files.extend(piece.files);
        }
        if large.rows == 0 {
            return Err(pieces.empty());
        }
        if u32::try_from(large.rows).is_err() {
            let message = format!("{} rows are more than can be counted in 32 bits", large.rows);
            return Err(Box::new(problem("data::unreadable", message, source).help("split the file")));
        }
        large.known = pieces.found();
        large.files.extend(pieces.finish()?);
        large.facts = large.columns(facts)?;
        Ok(large)
    }

    fn pieces(&self, wanted: &dyn Fn(&str) -> bool) -> Checked<Pieces<'a>> {
        Pieces::open(self.source, self.known.clone(), wanted, self.places)
    }

    /// Some columns of all rows as one table.
    fn columns(&self, wanted: &dyn Fn(&str) -> bool) -> Checked<Table> {
        let mut pieces = self.pieces(wanted)?;
        let mut all: Option<Table> = None;
        while let Some(piece) = pieces.next(wanted, self.budget.piece())? {
            let all = all.get_or_insert_with(|| Table::nothing(&piece.name));
            all.append(piece);
            if all.text.len() > MOST_TEXT {
                let message = format!("{}: more than 4 GiB of text in the columns that are fitted", all.name);
                let wrong = problem("data::unreadable", message, self.source);
                return Err(Box::new(wrong.help("leave columns of long texts out, or split the file")));
            }
        }
        all.ok_or_else(|| pieces.empty())
    }

    /// Fits all fields, as many columns at a time as fit into memory.
    fn fit(&self, plan: &DataPlan, train: &[u32]) -> Result<Vec<FittedColumn>, Vec<Diagnostic>> {
        let one = |d: Box<Diagnostic>| vec![*d];
        let mut fitted: Vec<Vec<Option<FittedField>>> =
            plan.columns.iter().map(|c| vec![None; c.fields().len()]).collect();
        let mut wrong = Vec::new();
        for group in groups(super::fields(plan), self.budget.columns(self.rows)) {
            let wanted = |name: &str| group.contains(name);
            let loaded = Loaded { source: self.source, table: self.columns(&wanted).map_err(one)? };
            for (column, fitted) in plan.columns.iter().zip(&mut fitted) {
                for (field, fitted) in column.fields().iter().zip(fitted) {
                    if fitted.is_some() || !field.sources().is_subset(&group) {
                        continue;
                    }
                    match encode::fit_field(column, field, &loaded, train) {
                        Ok(field) => *fitted = Some(field),
                        Err(diagnostic) => wrong.push(*diagnostic),
                    }
                }
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let columns = plan.columns.iter().zip(fitted);
        Ok(columns
            .map(|(column, fields)| encode::joined(column, fields.into_iter().flatten().collect()))
            .collect())
    }

    /// Encodes all rows into a spill. The second store has the values of class columns alone.
    fn encode(
        &self,
        plan: &DataPlan,
        fitted: &[FittedColumn],
        sizes: &mut Option<Bindings>,
    ) -> Result<(Arc<Store>, Store), Vec<Diagnostic>> {
        let one = |d: Box<Diagnostic>| vec![*d];
        let io = |e: io::Error| {
            let message =
                format!("rows that do not fit into memory cannot be written to a temporary file: {e}");
            let wrong = problem("data::unreadable", message, self.source);
            vec![wrong.help("make room there, or name another folder by `TMPDIR`")]
        };
        let wanted = |name: &str| super::fields(plan).any(|f| f.sources().contains(name));
        let mut pieces = self.pieces(&wanted).map_err(one)?;
        let mut open: Option<(Spilling, Vec<Array>)> = None;
        while let Some(table) = pieces.next(&wanted, self.budget.piece()).map_err(one)? {
            let rows = table.rows;
            let mut loaded = Loaded { source: self.source, table };
            let store = encode::apply(fitted, &mut loaded.table, self.source)?;
            let bound = match sizes {
                Some(bound) => bound,
                None => sizes.insert(encode::bind_sizes(plan, &store, fitted).map_err(one)?),
            };
            let wrong = wanted::problems(plan, &loaded, &store, bound);
            if !wrong.is_empty() {
                return Err(wrong);
            }
            let (spilling, kept) = match &mut open {
                Some(open) => open,
                None => {
                    let kept = store.columns.iter().map(|c| c.zeros(0)).collect();
                    open.insert((Spilling::new(store.stride()).map_err(io)?, kept))
                }
            };
            spilling.append(&store, rows).map_err(io)?;
            for ((column, array), kept) in plan.columns.iter().zip(&store.columns).zip(kept) {
                let is_class = column.fields().iter().all(|f| matches!(f.how.last(), Some(Encode::Class(_))));
                if let (Values::I32(to), Values::I32(from)) = (&mut kept.values, &array.values)
                    && is_class
                {
                    to.extend(from);
                }
            }
        }
        let (spilling, kept) = open.expect("large: a source has rows, it was read before");
        let columns = kept.iter().map(|c| c.zeros(0)).collect();
        let windowed = plan.windows().is_some();
        let store = Store { spill: Some(spilling.finish().map_err(io)?), windowed, ..Store::new(columns) };
        Ok((Arc::new(store), Store::new(kept)))
    }
}

/// Columns of the source to read together, at most `most` of them, or as many as one field is made of: every field
/// finds all of its own in one group.
fn groups<'f>(fields: impl Iterator<Item = &'f Field>, most: usize) -> Vec<BTreeSet<&'f str>> {
    let mut groups: Vec<BTreeSet<&str>> = Vec::new();
    for field in fields {
        let own = field.sources();
        if groups.iter().any(|group| own.is_subset(group)) {
            continue;
        }
        match groups.last_mut() {
            Some(last) if last.union(&own).count() <= most => last.extend(own),
            Some(_) | None => groups.push(own),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(
            ["64K", "2g", "512 ", "x", "", "-1"].map(bytes),
            [Some(65536), Some(2 << 30), Some(512), None, None, None]
        );
        assert!(free_memory() > 0);
    }
}
