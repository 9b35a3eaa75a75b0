//! Data sections made real: files read, split, fitted and encoded into dense arrays in memory.
//!
//! [`load`] takes a checked [`DataPlan`] and gives a [`Dataset`], or what is wrong with the files as
//! diagnostics at the source's call in the spec, each naming file, row and column. What is fitted is
//! fitted on training rows alone. No file can make it panic or ask for more memory than it holds.

mod augment;
mod batch;
mod bucket;
mod calendar;
mod cells;
mod cifar;
mod colours;
mod computed;
mod csv;
mod encode;
mod files;
mod frame;
mod glance;
mod idx;
mod images;
mod inferred;
mod json;
mod jsonl;
mod known;
mod labelled;
mod large;
mod leaks;
mod lines;
mod npy;
mod npz;
#[cfg(feature = "parquet")]
mod parquet;
mod prefetch;
mod probe;
pub mod profile;
mod read;
mod resize;
mod same;
mod scan;
mod spill;
mod split;
#[cfg(feature = "sql")]
mod sql;
mod steps;
mod synthetic;
mod table;
mod text;
mod tokenizers;
mod turn;
mod voc;
mod wanted;
mod when;
mod windows;
mod xml;

pub use augment::Augmenter;
pub use batch::{Order, Rows};
pub use bucket::Buckets;
pub use encode::{FittedColumn, FittedField, apply, apply_file};
pub use files::{FNV_START, FileInfo, Places, fnv1a};
pub use frame::{Frame, Frames, Neighbours, source_like};
pub use labelled::{Kept, labelled};
pub use prefetch::{Batch, Batches, Prefetch};
pub use probe::DiskProbe;
pub use split::train_rows;
pub use steps::{Fitted, Speech, Vocabulary};

use crate::base::{Bindings, DType};
use crate::diag::Diagnostic;
use crate::sema::job::{Amount, AugmentPlan, Column, DataPlan, Field, SourcePlan};
use large::Budget;
use spill::Spill;
use std::collections::BTreeMap;
use std::sync::Arc;
use table::Table;

/// The rows of one column, dense and row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    U8(Vec<u8>),
    I32(Vec<i32>),
    F32(Vec<f32>),
}

/// A column as batches take it.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The leaf's name.
    pub name: String,
    /// Of one row.
    pub row: Vec<usize>,
    pub values: Values,
}

/// All columns of one source, in the plan's order.
#[derive(Debug)]
pub struct Store {
    /// Without values if the rows lie in a spill.
    pub columns: Vec<Array>,
    /// The rows, where they do not fit into memory.
    spill: Option<Spill>,
    /// Whether rows are windows: then columns hold steps, and a row is named by its first.
    windowed: bool,
}

/// Some rows of a store: training, validation or test.
#[derive(Clone, Debug)]
pub struct Part {
    pub store: Arc<Store>,
    /// In file order.
    pub rows: Arc<[u32]>,
}

/// A data section in memory.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub name: String,
    pub train: Part,
    pub valid: Part,
    pub test: Part,
    /// In the plan's order of columns.
    pub fitted: Vec<FittedColumn>,
    /// What is no mistake in the data, but hardly meant.
    pub warnings: Vec<Diagnostic>,
    pub files: Vec<FileInfo>,
    bindings: Bindings,
    /// What is done to training rows alone.
    augment: Vec<AugmentPlan>,
    /// By column of classes, how many training rows have each.
    counts: BTreeMap<String, Vec<usize>>,
}

impl Array {
    pub fn dtype(&self) -> DType {
        match self.values {
            Values::U8(_) => DType::U8,
            Values::I32(_) => DType::I32,
            Values::F32(_) => DType::F32,
        }
    }

    pub fn row_bytes(&self) -> usize {
        self.row.iter().product::<usize>() * self.dtype().bytes()
    }

    /// An array of the same kind with so many rows of zeros.
    fn zeros(&self, rows: usize) -> Array {
        let count = rows * self.row.iter().product::<usize>();
        let values = match self.values {
            Values::U8(_) => Values::U8(vec![0; count]),
            Values::I32(_) => Values::I32(vec![0; count]),
            Values::F32(_) => Values::F32(vec![0.0; count]),
        };
        Array { name: self.name.clone(), row: self.row.clone(), values }
    }

    /// Where the elements start.
    fn start(&mut self) -> *mut u8 {
        match &mut self.values {
            Values::U8(v) => v.as_mut_ptr(),
            Values::I32(v) => v.as_mut_ptr().cast(),
            Values::F32(v) => v.as_mut_ptr().cast(),
        }
    }

    /// The elements as they lie in memory.
    pub fn bytes(&self) -> &[u8] {
        let (start, len) = match &self.values {
            Values::U8(v) => (v.as_ptr(), v.len()),
            Values::I32(v) => (v.as_ptr().cast(), size_of_val(v.as_slice())),
            Values::F32(v) => (v.as_ptr().cast(), size_of_val(v.as_slice())),
        };
        // SAFETY: plain numbers have no padding, and the vector outlives the borrow.
        unsafe { std::slice::from_raw_parts(start, len) }
    }
}

impl Store {
    pub fn new(columns: Vec<Array>) -> Store {
        Store { columns, spill: None, windowed: false }
    }

    /// Bytes from the start of a row to that of the next.
    fn hop(&self, column: &Array) -> usize {
        match self.windowed {
            true => column.row.iter().skip(1).product::<usize>() * column.dtype().bytes(),
            false => column.row_bytes(),
        }
    }

    /// Steps of a store of windows, rows of others.
    fn steps(&self) -> usize {
        self.columns.first().map_or(0, |column| column.bytes().len() / self.hop(column).max(1))
    }

    /// Copies a row's bytes, column by column, to where `to` says. `scratch` is kept from row to row.
    ///
    /// # Safety
    /// Each address has room for a row of its column.
    pub unsafe fn copy_row(&self, row: u32, to: impl Fn(usize) -> *mut u8, scratch: &mut Vec<u8>) {
        if let Some(spill) = &self.spill {
            // SAFETY: as the caller says.
            return unsafe { self.copy_spilled(spill, row, to, scratch) };
        }
        for (i, column) in self.columns.iter().enumerate() {
            let start = row as usize * self.hop(column);
            let from = &column.bytes()[start..start + column.row_bytes()];
            // SAFETY: the caller says that there is room; a store's own bytes are not given out for writing.
            unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to(i), from.len()) };
        }
    }

    /// The same of rows on disk, where all columns of a row lie side by side, and of windows all columns of a step.
    ///
    /// # Safety
    /// Each address has room for a row of its column.
    unsafe fn copy_spilled(
        &self,
        spill: &Spill,
        row: u32,
        to: impl Fn(usize) -> *mut u8,
        scratch: &mut Vec<u8>,
    ) {
        let stride = spill.stride();
        scratch.resize(self.row_bytes(), 0);
        spill.read(row, scratch);
        for (n, step) in scratch.chunks_exact(stride.max(1)).enumerate() {
            let mut at = 0;
            for (i, column) in self.columns.iter().enumerate() {
                let size = self.hop(column);
                let from = &step[at..at + size];
                at += size;
                // SAFETY: a row has as many steps as are read, each of `size` bytes.
                unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to(i).add(n * size), size) };
            }
        }
    }

    /// Bytes of one step of windows, of one row of others: all columns together.
    fn stride(&self) -> usize {
        self.columns.iter().map(|column| self.hop(column)).sum()
    }

    /// Room behind the last step of a store of windows, for windows that are not read to their end.
    pub fn with_room(mut self, steps: usize) -> Store {
        for column in &mut self.columns {
            let more = steps * column.row.iter().skip(1).product::<usize>();
            match &mut column.values {
                Values::U8(v) => v.extend(std::iter::repeat_n(0, more)),
                Values::I32(v) => v.extend(std::iter::repeat_n(0, more)),
                Values::F32(v) => v.extend(std::iter::repeat_n(0.0, more)),
            }
        }
        self
    }

    /// Some rows, as arrays in memory.
    pub fn some(&self, rows: &[u32]) -> Vec<Array> {
        let mut all: Vec<Array> = self.columns.iter().map(|c| c.zeros(rows.len())).collect();
        let starts: Vec<*mut u8> = all.iter_mut().map(Array::start).collect();
        let mut scratch = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            let to = |column: usize| starts[column].wrapping_add(i * self.columns[column].row_bytes());
            // SAFETY: each array has as many rows as are copied.
            unsafe { self.copy_row(*row, to, &mut scratch) };
        }
        all
    }

    /// Bytes of one row, all columns together.
    pub fn row_bytes(&self) -> usize {
        self.columns.iter().map(Array::row_bytes).sum()
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(|c| c.bytes().len()).sum()
    }
}

impl Part {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Dataset {
    /// What changes training rows as they are gathered.
    pub fn augmenter(&self, seed: u64) -> Augmenter {
        Augmenter::new(&self.augment, &self.train.store, seed)
    }

    /// Sizes that only data know: `people.features`, `d.col.classes`.
    pub fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// What a column's numbers are multiplied by to be in the unit of the source; 1 where no factor leads back.
    pub fn unit(&self, column: &str) -> f64 {
        let fitted = self.fitted.iter().find(|f| f.name == column && !f.joined);
        let straight = fitted.and_then(|f| f.fields.first()).and_then(FittedField::straight);
        straight.map_or(1.0, |(scale, _)| scale)
    }

    /// A weight for each class of a column, so that all classes count as much: scikit-learn's `balanced`,
    /// `n / (classes * rows of the class)` over the classes that training rows have; 0 of others. None of a column
    /// without classes.
    pub fn balance(&self, column: &str) -> Option<Vec<f32>> {
        let counts = self.counts.get(column)?;
        let all: usize = counts.iter().sum();
        let there = counts.iter().filter(|n| **n > 0).count();
        let weight = |n: &usize| if *n == 0 { 0.0 } else { all as f64 / (there * n) as f64 };
        Some(counts.iter().map(|n| weight(n) as f32).collect())
    }

    /// What the classes of a column are called, in order of their ids, where they have names.
    pub fn class_names(&self, column: &str) -> Option<Vec<String>> {
        self.fitted.iter().find(|f| f.name == column && !f.joined)?.id_names()
    }

    /// Bytes of all arrays, each counted once.
    pub fn bytes(&self) -> usize {
        let mut stores: Vec<&Arc<Store>> = [&self.train, &self.valid, &self.test].map(|p| &p.store).to_vec();
        stores.dedup_by(|a, b| Arc::ptr_eq(a, b));
        stores.iter().map(|s| s.bytes()).sum()
    }
}

type Checked<T> = Result<T, Box<Diagnostic>>;

/// A source and its table, where the source may have come with a test table of its own.
struct Loaded<'a> {
    source: &'a SourcePlan,
    table: Table,
}

/// The tables of a section: the source's, and those of parts with files of their own.
struct Opened<'a> {
    main: Loaded<'a>,
    valid: Option<Loaded<'a>>,
    test: Option<Loaded<'a>>,
}

impl Opened<'_> {
    /// Reads the columns for which `wanted` holds, where the source lets others be left out; none if a source
    /// has more than `limit` bytes of text.
    fn read<'a>(
        plan: &'a DataPlan,
        places: &Places,
        wanted: Wants,
        limit: usize,
    ) -> Checked<Option<Opened<'a>>> {
        let Some((table, own_test)) = read::table(&plan.source, wanted, places, limit)? else {
            return Ok(None);
        };
        let Some(valid) = read_beside(&plan.valid, wanted, places, limit)? else { return Ok(None) };
        let Some(named_test) = read_beside(&plan.test, wanted, places, limit)? else { return Ok(None) };
        // With folds, test files that an `idx` folder brings along stay apart: each fold is the test part.
        let own_test = own_test.filter(|_| plan.split.kfold.is_none());
        let test = named_test.or(own_test.map(|table| Loaded { source: &plan.source, table }));
        Ok(Some(Opened { main: Loaded { source: &plan.source, table }, valid, test }))
    }
}

type Wants<'w> = &'w dyn Fn(&str) -> bool;

/// Reads, splits, fits and encodes a data section. All that is wrong with its columns is told at once.
pub fn load(plan: &DataPlan, places: &Places) -> Result<Dataset, Vec<Diagnostic>> {
    let (plan, tokenizers) = &tokenizers::read(plan, places).map_err(|d| vec![*d])?;
    let mut data = load_columns(plan, places)?;
    data.files.extend(tokenizers.iter().cloned());
    Ok(data)
}

fn load_columns(plan: &DataPlan, places: &Places) -> Result<Dataset, Vec<Diagnostic>> {
    let wanted = |name: &str| column_of_split(plan, name) || fields(plan).any(|f| f.sources().contains(name));
    let budget = Budget::of_machine();
    match Opened::read(plan, places, &wanted, budget.whole()).map_err(|d| vec![*d])? {
        Some(opened) => made(plan, opened, &mut |_, _| {}),
        None => large::load(plan, places, budget),
    }
}

/// [`load`], with what may be wrong with how the rows are parted among the warnings: all columns are read for that.
pub fn load_linted(plan: &DataPlan, places: &Places) -> Result<Dataset, Vec<Diagnostic>> {
    let (plan, tokenizers) = &tokenizers::read(plan, places).map_err(|d| vec![*d])?;
    let budget = Budget::of_machine();
    let opened = Opened::read(plan, places, &|_| true, budget.whole()).map_err(|d| vec![*d])?;
    // Leaks are looked for in memory.
    let Some(opened) = opened else { return large::load(plan, places, budget) };
    let mut leaks = Vec::new();
    let mut data = made(plan, opened, &mut |opened, parts| leaks = leaks::lint(plan, opened, parts))?;
    data.warnings.append(&mut leaks);
    data.files.extend(tokenizers.iter().cloned());
    Ok(data)
}

/// Splits, fits and encodes; `look` sees the rows before they are encoded.
fn made(
    plan: &DataPlan,
    opened: Opened,
    look: &mut dyn FnMut(&Opened, &split::Parts),
) -> Result<Dataset, Vec<Diagnostic>> {
    let one = |d: Box<Diagnostic>| vec![*d];
    check_parts(plan, opened.valid.is_some(), opened.test.is_some()).map_err(one)?;
    let windows = plan.windows();
    let parts = match windows {
        Some(_) => windows::parts(plan, &opened.main).map_err(one)?,
        None => split_rows(plan, &opened.main).map_err(one)?,
    };
    // Parts of steps are no rows.
    if windows.is_none() {
        look(&opened, &parts);
    }
    let Opened { mut main, mut valid, mut test } = opened;
    let fitted = encode::fit(plan, &main, &parts.train)?;
    let encode = |loaded: &mut Loaded| encode::apply(&fitted, &mut loaded.table, loaded.source).map(Arc::new);
    let valid_store = valid.as_mut().map(encode).transpose()?;
    let test_store = test.as_mut().map(encode).transpose()?;
    let store = encode(&mut main)?;
    let bindings = encode::bind_sizes(plan, &store, &fitted).map_err(one)?;
    let parts_read = [
        (Some(&main), Some(&store)),
        (valid.as_ref(), valid_store.as_ref()),
        (test.as_ref(), test_store.as_ref()),
    ];
    let read = parts_read.into_iter().filter_map(|(loaded, store)| Some((loaded?, store?)));
    let mut wrong: Vec<_> = read.flat_map(|(l, s)| wanted::problems(plan, l, s, &bindings)).collect();
    wrong.extend(encode::one_class(plan, &store, &fitted, &parts.train));
    if !wrong.is_empty() {
        return Err(wrong);
    }

    let warnings = encode::warnings(&fitted, &plan.source, &parts.train);
    let counts = encode::class_counts(&store, &fitted, &parts.train);
    let parts = match &windows {
        Some(windows) => windows::of_parts(windows, &parts, &plan.source).map_err(one)?,
        None => parts,
    };
    let of_main = |rows: Vec<u32>| Part { store: store.clone(), rows: rows.into() };
    let whole = |store: Arc<Store>, loaded: &Option<Loaded>| {
        let rows = match (&windows, loaded) {
            (Some(windows), Some(loaded)) => windows::of_store(windows, &store, loaded.source)?,
            (_, loaded) => (0..loaded.as_ref().map_or(0, |l| l.table.rows) as u32).collect(),
        };
        Ok(Part { store, rows: rows.into() })
    };
    let valid_part = valid_store.map(|s| whole(s, &valid)).transpose().map_err(one)?;
    let test_part = test_store.map(|s| whole(s, &test)).transpose().map_err(one)?;
    let tables = [Some(main), valid, test];
    let files = tables.into_iter().flatten().flat_map(|l| l.table.files).collect();
    Ok(Dataset {
        name: plan.name.clone(),
        train: of_main(parts.train),
        valid: valid_part.unwrap_or_else(|| of_main(parts.valid)),
        test: test_part.unwrap_or_else(|| of_main(parts.test)),
        fitted,
        warnings,
        files,
        bindings,
        augment: plan.augment.clone(),
        counts,
    })
}

/// Every field of the plan's columns, in order.
fn fields(plan: &DataPlan) -> impl Iterator<Item = &Field> {
    plan.columns.iter().flat_map(Column::fields)
}

/// Whether a source's column decides how rows are parted.
fn column_of_split(plan: &DataPlan, name: &str) -> bool {
    plan.split.columns().any(|c| c == name)
}

/// The table of a source beside the main one, if there is one; none if it has more than `limit` bytes of text.
fn read_beside<'a>(
    source: &'a Option<SourcePlan>,
    wanted: Wants,
    places: &Places,
    limit: usize,
) -> Checked<Option<Option<Loaded<'a>>>> {
    let Some(source) = source else { return Ok(Some(None)) };
    let read = read::table(source, wanted, places, limit)?;
    Ok(read.map(|(table, _)| Some(Loaded { source, table })))
}

/// A part comes from the split or from files of its own, not from both.
fn check_parts(plan: &DataPlan, valid_file: bool, test_file: bool) -> Checked<()> {
    let both = [("valid", plan.split.valid, valid_file), ("test", plan.split.test, test_file)];
    for (name, amount, from_file) in both {
        if from_file && amount != Amount::Nothing {
            let message = format!("`{}` has {name} files of its own, and the split asks for more", plan.name);
            let diagnostic = Diagnostic::error("data::split", message, plan.split.span, "split here");
            return Err(Box::new(
                diagnostic.help(format!("leave `{name}` out of the split: files for it stay apart")),
            ));
        }
    }
    Ok(())
}

fn split_rows(plan: &DataPlan, main: &Loaded) -> Checked<split::Parts> {
    let facts = split::Facts::of(&plan.split, &main.table, main.source)?;
    split::part(&plan.split, &facts).map_err(|refusal| {
        let message = format!("`{}`: {}", plan.name, refusal.why);
        let wrong = Diagnostic::error("data::split", message, plan.split.span, "split here");
        Box::new(wrong.help(refusal.help))
    })
}

#[cfg(test)]
mod goldens;
#[cfg(test)]
mod tests;
