//! Data sections made real: files read, split, fitted and encoded into dense arrays in memory.
//!
//! [`load`] takes a checked [`DataPlan`] and gives a [`Dataset`], or what is wrong with the files as
//! diagnostics at the source's call in the spec, each naming file, row and column. What is fitted is
//! fitted on training rows alone. No file can make it panic or ask for more memory than it holds.

mod batch;
mod csv;
mod files;
mod fit;
mod idx;
mod inferred;
mod leaks;
mod prefetch;
mod probe;
pub mod profile;
mod same;
mod scan;
mod split;
mod synthetic;
mod table;
mod text;
mod wanted;
mod when;

pub use batch::{Order, Rows};
pub use files::{FNV_START, FileInfo, Places, fnv1a};
pub use fit::Fitted;
pub use prefetch::{Batch, Batches, Prefetch};
pub use probe::DiskProbe;

use crate::base::{Bindings, DType, Sym};
use crate::diag::Diagnostic;
use crate::sema::job::{Amount, Column, ColumnKind, DataPlan, Field, SourceKind, SourcePlan};
use files::problem;
use fit::Lookup;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use table::{Cells, Table};

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
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    pub columns: Vec<Array>,
}

/// Some rows of a store: training, validation or test.
#[derive(Clone, Debug)]
pub struct Part {
    pub store: Arc<Store>,
    /// In file order.
    pub rows: Arc<[u32]>,
}

/// What was fitted for one field of the source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedField {
    /// The batch column that it went into.
    pub column: String,
    pub source: String,
    #[serde(flatten)]
    pub fitted: Fitted,
}

/// A data section in memory.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub name: String,
    pub train: Part,
    pub valid: Part,
    pub test: Part,
    pub fitted: Vec<FittedField>,
    pub files: Vec<FileInfo>,
    bindings: Bindings,
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
    /// Bytes of one row, all columns together.
    pub fn row_bytes(&self) -> usize {
        self.columns.iter().map(Array::row_bytes).sum()
    }

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
    /// Sizes that only data know: `people.features`, `d.col.classes`.
    pub fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// What the classes of a column are called, in order of their ids, where they have names.
    pub fn class_names(&self, column: &str) -> Option<&[String]> {
        let field = self.fitted.iter().find(|f| f.column == column)?;
        if let Fitted::ClassNames { names } = &field.fitted { Some(names) } else { None }
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
    /// Reads the columns for which `wanted` holds, where the source lets others be left out.
    fn read<'a>(plan: &'a DataPlan, places: &Places, wanted: Wants) -> Checked<Opened<'a>> {
        let (table, own_test) = read(&plan.source, wanted, places)?;
        let valid = read_beside(&plan.valid, wanted, places)?;
        let named_test = read_beside(&plan.test, wanted, places)?;
        // With folds, test files that an `idx` folder brings along stay apart: each fold is the test part.
        let own_test = own_test.filter(|_| plan.split.kfold.is_none());
        let test = named_test.or(own_test.map(|table| Loaded { source: &plan.source, table }));
        Ok(Opened { main: Loaded { source: &plan.source, table }, valid, test })
    }
}

type Wants<'w> = &'w dyn Fn(&str) -> bool;

/// Reads, splits, fits and encodes a data section. All that is wrong with its columns is told at once.
pub fn load(plan: &DataPlan, places: &Places) -> Result<Dataset, Vec<Diagnostic>> {
    let wanted =
        |name: &str| plan.split.columns().any(|c| c == name) || fields(plan).any(|(_, f)| f.source == name);
    made(plan, Opened::read(plan, places, &wanted).map_err(|d| vec![*d])?, &mut |_, _| {})
}

/// [`load`], and what may be wrong with how the rows are parted, as warnings: all columns are read for that.
pub fn load_linted(plan: &DataPlan, places: &Places) -> Result<(Dataset, Vec<Diagnostic>), Vec<Diagnostic>> {
    let opened = Opened::read(plan, places, &|_| true).map_err(|d| vec![*d])?;
    let mut warnings = Vec::new();
    let data = made(plan, opened, &mut |opened, parts| warnings = leaks::lint(plan, opened, parts))?;
    Ok((data, warnings))
}

/// Splits, fits and encodes; `look` sees the rows before they are encoded.
fn made(
    plan: &DataPlan,
    opened: Opened,
    look: &mut dyn FnMut(&Opened, &split::Parts),
) -> Result<Dataset, Vec<Diagnostic>> {
    let one = |d: Box<Diagnostic>| vec![*d];
    check_parts(plan, opened.valid.is_some(), opened.test.is_some()).map_err(one)?;
    let parts = split_rows(plan, &opened.main).map_err(one)?;
    look(&opened, &parts);
    let Opened { mut main, mut valid, mut test } = opened;
    let fits = fit_all(plan, &main, &parts.train)?;
    let mut encode = |loaded: &mut Loaded| encode_all(plan, loaded, &fits).map(Arc::new);
    let valid_store = valid.as_mut().map(&mut encode).transpose()?;
    let test_store = test.as_mut().map(&mut encode).transpose()?;
    let store = encode(&mut main)?;
    let bindings = bind_sizes(plan, &store, &fits).map_err(one)?;
    let parts_read = [
        (Some(&main), Some(&store)),
        (valid.as_ref(), valid_store.as_ref()),
        (test.as_ref(), test_store.as_ref()),
    ];
    let read = parts_read.into_iter().filter_map(|(loaded, store)| Some((loaded?, store?)));
    let wrong: Vec<_> = read.flat_map(|(l, s)| wanted::problems(plan, l, s, &bindings)).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }

    let of_main = |rows: Vec<u32>| Part { store: store.clone(), rows: rows.into() };
    let whole = |store: Arc<Store>, rows: usize| Part { store, rows: (0..rows as u32).collect() };
    let rows = |loaded: &Option<Loaded>| loaded.as_ref().map_or(0, |l| l.table.rows);
    let (valid_rows, test_rows) = (rows(&valid), rows(&test));
    let tables = [Some(main), valid, test];
    let files = tables.into_iter().flatten().flat_map(|l| l.table.files).collect();
    Ok(Dataset {
        name: plan.name.clone(),
        train: of_main(parts.train),
        valid: valid_store.map_or_else(|| of_main(parts.valid), |s| whole(s, valid_rows)),
        test: test_store.map_or_else(|| of_main(parts.test), |s| whole(s, test_rows)),
        fitted: fitted_fields(plan, fits),
        files,
        bindings,
    })
}

/// Every field of the plan's columns, in order, with the column it belongs to.
fn fields(plan: &DataPlan) -> impl Iterator<Item = (&Column, &Field)> {
    plan.columns.iter().flat_map(|column| column_fields(column).iter().map(move |field| (column, field)))
}

fn column_fields(column: &Column) -> &[Field] {
    match &column.kind {
        ColumnKind::One(field) => std::slice::from_ref(field),
        ColumnKind::Row(fields) => fields,
    }
}

/// The table of a source, and the test table that an `idx` folder may bring along.
fn read(source: &SourcePlan, wanted: Wants, places: &Places) -> Checked<(Table, Option<Table>)> {
    match &source.kind {
        SourceKind::Csv { path, dialect } => {
            let mut reader = csv::Reader::open(path, dialect, places, source)?;
            let Some(mut table) = reader.next(wanted, text::MOST_TEXT)? else { return Err(reader.empty()) };
            if !reader.at_end() {
                let message = format!("{}: more than 4 GiB of text", table.name);
                return Err(problem("data::unreadable", message, source));
            }
            table.files.push(reader.finish()?);
            Ok((table, None))
        }
        SourceKind::Idx { path } => {
            let pairs = idx::load(path, places, source)?;
            Ok((pairs.train, pairs.test))
        }
        SourceKind::Synthetic { generator, rows, seed } => {
            Ok((synthetic::load(generator, *rows, *seed, source)?, None))
        }
    }
}

fn read_beside<'a>(
    source: &'a Option<SourcePlan>,
    wanted: Wants,
    places: &Places,
) -> Checked<Option<Loaded<'a>>> {
    let Some(source) = source else { return Ok(None) };
    let (table, _) = read(source, wanted, places)?;
    Ok(Some(Loaded { source, table }))
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

fn decimal(source: &SourcePlan) -> u8 {
    source.kind.decimal()
}

/// One [`Fitted`] for each of [`fields`].
fn fit_all(plan: &DataPlan, main: &Loaded, train: &[u32]) -> Result<Vec<Fitted>, Vec<Diagnostic>> {
    let fit = |(column, field): (&Column, _)| {
        Lookup::new(&main.table, field, main.source)?.fit(train, column.ty.dtype, decimal(main.source))
    };
    collect(fields(plan).map(fit))
}

/// All values, or all diagnostics.
fn collect<T>(results: impl Iterator<Item = Checked<T>>) -> Result<Vec<T>, Vec<Diagnostic>> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(diagnostic) => bad.push(*diagnostic),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

fn encode_all(plan: &DataPlan, loaded: &mut Loaded, fits: &[Fitted]) -> Result<Store, Vec<Diagnostic>> {
    let mut fits = fits;
    let mut columns = Vec::new();
    let mut wrong = Vec::new();
    for column in &plan.columns {
        let (own, rest) = fits.split_at(column_fields(column).len());
        fits = rest;
        match encode_column(plan, column, own, loaded) {
            Ok(array) => columns.push(array),
            Err(diagnostic) => wrong.push(*diagnostic),
        }
    }
    if wrong.is_empty() { Ok(Store { columns }) } else { Err(wrong) }
}

fn encode_column(plan: &DataPlan, column: &Column, fits: &[Fitted], loaded: &mut Loaded) -> Checked<Array> {
    let fields = column_fields(column);
    if let (ColumnKind::One(field), [Fitted::AsIs]) = (&column.kind, fits)
        && let Some(array) = moved(plan, column, field, loaded)?
    {
        return Ok(array);
    }
    let (rows, decimal) = (loaded.table.rows, decimal(loaded.source));
    let lookups: Vec<Lookup> =
        fields.iter().map(|f| Lookup::new(&loaded.table, f, loaded.source)).collect::<Checked<_>>()?;
    let shapes: Vec<Vec<usize>> = lookups.iter().map(Lookup::row_shape).collect();
    let widths: Vec<usize> = shapes.iter().map(|s| s.iter().product()).collect();
    let width: usize = widths.iter().sum();
    let row = match &column.kind {
        ColumnKind::One(_) => shapes[0].clone(),
        ColumnKind::Row(_) => vec![width],
    };
    let dtype = column.ty.dtype;
    let mut values = match dtype {
        DType::U8 => Values::U8(vec![0; rows * width]),
        DType::I32 => Values::I32(vec![0; rows * width]),
        DType::F32 => Values::F32(vec![0.0; rows * width]),
    };
    let mut at = 0;
    for ((lookup, fitted), own) in lookups.iter().zip(fits).zip(&widths) {
        let numbers = lookup.apply(fitted, dtype, decimal)?;
        for (i, x) in numbers.into_iter().enumerate() {
            let to = i / own * width + at + i % own;
            match &mut values {
                Values::U8(v) => v[to] = x as u8,
                Values::I32(v) => v[to] = x as i32,
                Values::F32(v) => v[to] = x as f32,
            }
        }
        at += own;
    }
    Ok(Array { name: column.name.clone(), row, values })
}

/// A column that stays as the source has it is taken over without a copy, when no other needs it.
fn moved(plan: &DataPlan, column: &Column, field: &Field, loaded: &mut Loaded) -> Checked<Option<Array>> {
    let at = Lookup::new(&loaded.table, field, loaded.source)?.column;
    let alone = fields(plan).filter(|(_, f)| f.source == field.source).count() == 1;
    let cells = &mut loaded.table.columns[at].cells;
    let same = match cells {
        Cells::U8 { .. } => column.ty.dtype == DType::U8,
        Cells::I32 { .. } => column.ty.dtype == DType::I32,
        Cells::F32 { .. } => column.ty.dtype == DType::F32,
        Cells::Text(_) | Cells::F64 { .. } | Cells::Gone => false,
    };
    if !(alone && same) {
        return Ok(None);
    }
    let (row, values) = match std::mem::replace(cells, Cells::Gone) {
        Cells::U8 { row, data } => (row, Values::U8(data)),
        Cells::I32 { row, data } => (row, Values::I32(data)),
        Cells::F32 { row, data } => (row, Values::F32(data)),
        Cells::Text(_) | Cells::F64 { .. } | Cells::Gone => panic!("data: only such numbers are moved"),
    };
    Ok(Some(Array { name: column.name.clone(), row, values }))
}

/// Reads sizes off the arrays: symbols of the columns' types, and the numbers of classes.
fn bind_sizes(plan: &DataPlan, store: &Store, fits: &[Fitted]) -> Checked<Bindings> {
    let mut bindings = Bindings::new();
    for ((column, field), fitted) in fields(plan).zip(fits) {
        if let Some(classes) = fitted.classes() {
            for name in [&column.name, &field.source] {
                let sym = Sym::from(format!("{}.{name}.classes", plan.name));
                bindings.entry(sym).or_insert(classes as i64);
            }
        }
    }
    for (column, array) in plan.columns.iter().zip(&store.columns) {
        let declared = &column.ty.shape;
        let wrong = || {
            let (has, wants) = (crate::base::Shape::from(array.row.as_slice()), declared);
            let message = format!("column `{}` of the data has the shape {has}, not {wants}", column.name);
            let diagnostic = Diagnostic::error("data::shape", message, column.span, "declared here");
            Box::new(diagnostic.help("check the spec again: the files may have changed since"))
        };
        if declared.rank() != array.row.len() {
            return Err(wrong());
        }
        for (dim, size) in declared.iter().zip(&array.row) {
            match dim.as_sym().filter(|s| !bindings.contains_key(*s)) {
                Some(sym) => drop(bindings.insert(sym.clone(), *size as i64)),
                None if dim.bind(&bindings).as_const() == Some(*size as i64) => {}
                None => return Err(wrong()),
            }
        }
    }
    Ok(bindings)
}

fn fitted_fields(plan: &DataPlan, fits: Vec<Fitted>) -> Vec<FittedField> {
    let named = |((column, field), fitted): ((&Column, &Field), Fitted)| FittedField {
        column: column.name.clone(),
        source: field.source.clone(),
        fitted,
    };
    fields(plan).zip(fits).map(named).collect()
}

#[cfg(test)]
mod tests;
