//! Tables in Parquet files: `parquet("people.parquet")`.
//!
//! Flat columns: whole numbers, floats, booleans, decimals as numbers; strings, dates and timestamps as
//! text; nulls as missing values. Row groups are read batch by batch, so a file need not fit into memory.
//! The crate does not promise to stand damaged files: a panic of it is told as damage.

use super::calendar;
use super::csv::identifier;
use super::files::{FileInfo, Input, Places, problem, short_name};
use super::table::{Cell, Cells, Origin, RawColumn, Table};
use crate::base::DType;
use crate::diag::Diagnostic;
use crate::runtime::quiet::quietly;
use crate::sema::job::SourcePlan;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, Int96};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::fs::File;
use std::path::PathBuf;

type Checked<T> = Result<T, Box<Diagnostic>>;

/// An open file: its columns are known, its rows are to come.
pub struct Reader<'a> {
    file: SerializedFileReader<File>,
    path: PathBuf,
    name: String,
    source: &'a SourcePlan,
    columns: Vec<Column>,
    /// The row group that is being read, its wanted columns open.
    group: usize,
    open: Vec<Option<ColumnReader>>,
    left_in_group: usize,
    /// Rows that are decoded at once.
    batch: usize,
    /// Rows given.
    given: usize,
}

/// A column and how its values become cells.
struct Column {
    name: String,
    meaning: Meaning,
    /// The definition level of a value that is there.
    there: i16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Whole,
    /// Whole numbers without a sign, of 32 or 64 bits.
    Unsigned,
    F32,
    F64,
    /// Whole numbers, so many digits of which are behind the point.
    Decimal(i32),
    Text,
    /// Days since 1970.
    Date,
    /// Since 1970, so many in a second.
    Timestamp(i64),
    /// Lists and maps, or a type without a meaning here.
    Unread,
}

const BATCH: usize = 1 << 13;

/// Rows that are looked at while checking.
const GLANCE: usize = 256;

impl<'a> Reader<'a> {
    pub fn open(path: &str, places: &Places, source: &'a SourcePlan) -> Checked<Reader<'a>> {
        let path = places.find(path, source)?;
        let name = short_name(&path);
        let unreadable = |e: std::io::Error| {
            problem("data::unreadable", format!("cannot read `{}`: {e}", path.display()), source)
        };
        let opened = File::open(&path).map_err(unreadable)?;
        check_ends(&opened, &name, source)?;
        let file = guarded(&name, source, || SerializedFileReader::new(opened))?;
        let schema = file.metadata().file_metadata().schema_descr();
        let mut columns: Vec<Column> = Vec::new();
        for descriptor in schema.columns() {
            let column = column(descriptor);
            if columns.iter().any(|c| c.name == column.name) {
                let message = format!("{name}: two columns read as `{}`", column.name);
                let help = "rename one of them in the file";
                return Err(Box::new(problem("data::header", message, source).help(help)));
            }
            columns.push(column);
        }
        let reader = Reader {
            file,
            path,
            name,
            source,
            columns,
            group: 0,
            open: Vec::new(),
            left_in_group: 0,
            batch: BATCH,
            given: 0,
        };
        reader.check_sizes()?;
        Ok(reader)
    }

    /// That row groups lie in the file, and all parts of the footer tell of as many rows. Pages are read in
    /// small batches, so what they hold need not be believed.
    fn check_sizes(&self) -> Checked<()> {
        let metadata = self.file.metadata();
        let length = std::fs::metadata(&self.path).map_or(0, |m| m.len());
        let mut all = 0_i64;
        for group in metadata.row_groups() {
            all = all.saturating_add(group.num_rows());
            for chunk in group.columns() {
                let (packed, values) = (chunk.compressed_size(), chunk.num_values());
                if packed < 0 || values < 0 || packed as u64 > length {
                    return Err(self.damaged(&format!("a column claims {packed} bytes and {values} values")));
                }
                let flat = chunk.column_descr().max_rep_level() == 0;
                if flat && values != group.num_rows() {
                    let rows = group.num_rows();
                    return Err(self.damaged(&format!("a column of {values} values claims {rows} rows")));
                }
            }
        }
        let rows = metadata.file_metadata().num_rows();
        if rows != all || u32::try_from(rows).is_err() {
            let why = format!("its footer claims {rows} rows, and its row groups {all}");
            return Err(self.damaged(&why));
        }
        Ok(())
    }

    pub fn rows(&self) -> usize {
        usize::try_from(self.file.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Names, and the type of those that are numbers.
    pub fn schema(&self) -> impl Iterator<Item = (&str, Option<DType>)> {
        self.columns.iter().filter(|c| c.meaning != Meaning::Unread).map(|c| {
            let dtype = match c.meaning {
                Meaning::Whole | Meaning::Unsigned => Some(DType::I32),
                Meaning::F32 | Meaning::F64 | Meaning::Decimal(_) => Some(DType::F32),
                Meaning::Text | Meaning::Date | Meaning::Timestamp(_) | Meaning::Unread => None,
            };
            (c.name.as_str(), dtype)
        })
    }

    /// A few of the first rows.
    pub fn glance(&mut self, wanted: &dyn Fn(&str) -> bool) -> Checked<Option<Table>> {
        self.batch = GLANCE;
        self.next(wanted, 1)
    }

    fn damaged(&self, why: &str) -> Box<Diagnostic> {
        damaged(&self.name, self.source, why)
    }

    pub fn empty(&self) -> Box<Diagnostic> {
        let message = format!("{}: the file has no rows", self.name);
        Box::new(problem("data::empty", message, self.source).help("name another file"))
    }

    /// Whether all rows were given.
    pub fn at_end(&self) -> bool {
        self.left_in_group == 0 && self.group == self.file.num_row_groups()
    }

    pub fn finish(self) -> Checked<FileInfo> {
        Input::open(&self.path, self.source)?.finish(self.source)
    }

    /// The next rows, of about `limit` bytes and at least one; none behind the last. Columns for which
    /// `wanted` does not hold stay [`Cells::Gone`].
    pub fn next(&mut self, wanted: &dyn Fn(&str) -> bool, limit: usize) -> Checked<Option<Table>> {
        let mut growing: Vec<Option<Growing>> = self
            .columns
            .iter()
            .map(|c| (wanted(&c.name) && c.meaning != Meaning::Unread).then(Growing::default))
            .collect();
        let (mut rows, mut text) = (0, String::new());
        let numbers = 16 * growing.iter().flatten().count();
        while text.len() + rows * numbers < limit {
            let Some(batch) = self.batch(&mut growing, &mut text)? else { break };
            rows += batch;
            if text.len() > super::text::MOST_TEXT {
                return Err(self.damaged("rows of more than 4 GiB of text"));
            }
        }
        if rows == 0 {
            return Ok(None);
        }
        let origin = Origin::Rows(self.given);
        self.given += rows;
        let columns = self.columns.iter().zip(growing);
        let columns = columns
            .map(|(column, growing)| RawColumn {
                name: column.name.clone(),
                cells: growing.map_or(Cells::Gone, |g| g.cells(column.meaning, rows, &mut text)),
            })
            .collect();
        Ok(Some(Table { name: self.name.clone(), rows, columns, files: Vec::new(), text, origin }))
    }

    /// Reads the next rows of the group at hand, or of the next one; how many, or none at the end.
    fn batch(&mut self, growing: &mut [Option<Growing>], text: &mut String) -> Checked<Option<usize>> {
        while self.left_in_group == 0 {
            if self.group == self.file.num_row_groups() {
                return Ok(None);
            }
            self.open_group(growing)?;
        }
        let rows = self.left_in_group.min(self.batch);
        let (name, source, given) = (&self.name, self.source, self.given);
        for ((open, growing), column) in self.open.iter_mut().zip(growing).zip(&self.columns) {
            let (Some(open), Some(growing)) = (open, growing) else { continue };
            let before = growing.rows;
            guarded(name, source, || growing.read(open, column, rows, text))?;
            if let Some(row) = growing.not_text {
                let message =
                    format!("{name}:{}: `{}` is not UTF-8 text in this row", given + row + 1, column.name);
                let help = "write the column as strings, or leave it out";
                return Err(Box::new(problem("data::encoding", message, source).help(help)));
            }
            if growing.rows - before != rows {
                let why = format!("`{}` has fewer rows than its row group claims", column.name);
                return Err(damaged(name, source, &why));
            }
        }
        self.left_in_group -= rows;
        Ok(Some(rows))
    }

    fn open_group(&mut self, growing: &[Option<Growing>]) -> Checked<()> {
        let (file, group) = (&self.file, self.group);
        let opened = guarded(&self.name, self.source, || {
            let reader = file.get_row_group(group)?;
            let open = |(i, wanted): (usize, &Option<Growing>)| {
                wanted.as_ref().map(|_| reader.get_column_reader(i)).transpose()
            };
            let open: Result<Vec<_>, _> = growing.iter().enumerate().map(open).collect();
            Ok((open?, usize::try_from(reader.metadata().num_rows()).unwrap_or(0)))
        })?;
        (self.open, self.left_in_group) = opened;
        // Rows without a column to read cost nothing, however many are claimed.
        if self.open.iter().all(Option::is_none) && self.left_in_group > BATCH {
            let held = |c: &parquet::file::metadata::ColumnChunkMetaData| c.num_values() as usize;
            let metadata = self.file.metadata().row_group(group);
            self.left_in_group =
                self.left_in_group.min(metadata.columns().iter().map(held).max().unwrap_or(0));
        }
        self.group += 1;
        Ok(())
    }
}

/// Runs the crate, whose panics are damage of the file as well.
fn guarded<T>(
    name: &str,
    source: &SourcePlan,
    run: impl FnOnce() -> Result<T, parquet::errors::ParquetError>,
) -> Checked<T> {
    match quietly(run) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(damaged(name, source, &e.to_string())),
        Err(_) => Err(damaged(name, source, "its pages are not what they say")),
    }
}

fn damaged(name: &str, source: &SourcePlan, why: &str) -> Box<Diagnostic> {
    let message = format!("{name}: the Parquet file is damaged or cut off: {why}");
    Box::new(problem("data::parquet", message, source).help("copy the file again, or write it again"))
}

/// A Parquet file starts and ends with the same four bytes.
fn check_ends(mut file: &File, name: &str, source: &SourcePlan) -> Checked<()> {
    use std::io::{Read, Seek, SeekFrom};
    let mut start = Vec::new();
    let read = file.take(4).read_to_end(&mut start);
    if read.is_ok() && start.is_empty() {
        let message = format!("{name}: the file is empty");
        return Err(Box::new(problem("data::empty", message, source).help("name another file")));
    }
    if start != b"PAR1" {
        let hex: Vec<String> = start.iter().map(|b| format!("{b:02x}")).collect();
        let message = format!("{name}: starts with the bytes {}, Parquet with 50 41 52 31", hex.join(" "));
        let diagnostic = problem("data::magic", message, source);
        return Err(Box::new(
            diagnostic.help("name a Parquet file, or read it with the source for its format"),
        ));
    }
    let mut end = Vec::new();
    let _ = file.seek(SeekFrom::End(-4)).and_then(|_| file.take(4).read_to_end(&mut end));
    let _ = file.seek(SeekFrom::Start(0));
    match end == b"PAR1" {
        true => Ok(()),
        false => Err(damaged(name, source, "it does not end as Parquet does")),
    }
}

fn column(descriptor: &ColumnDescriptor) -> Column {
    let parts = descriptor.path().parts();
    let flat = descriptor.max_rep_level() == 0;
    let meaning = if flat { meaning(descriptor) } else { Meaning::Unread };
    Column { name: identifier(&parts.join(".")), meaning, there: descriptor.max_def_level() }
}

fn meaning(descriptor: &ColumnDescriptor) -> Meaning {
    if let Some(LogicalType::Timestamp(stamp)) = descriptor.logical_type_ref()
        && stamp.unit == TimeUnit::NANOS
    {
        return Meaning::Timestamp(1_000_000_000);
    }
    match (descriptor.physical_type(), descriptor.converted_type()) {
        (Physical::INT32 | Physical::INT64, ConvertedType::DECIMAL) => {
            Meaning::Decimal(descriptor.type_scale())
        }
        (Physical::INT32, ConvertedType::DATE) => Meaning::Date,
        (Physical::INT64, ConvertedType::TIMESTAMP_MILLIS) => Meaning::Timestamp(1000),
        (Physical::INT64, ConvertedType::TIMESTAMP_MICROS) => Meaning::Timestamp(1_000_000),
        (Physical::INT96, _) => Meaning::Timestamp(1_000_000_000),
        (Physical::INT32, ConvertedType::UINT_32) | (Physical::INT64, ConvertedType::UINT_64) => {
            Meaning::Unsigned
        }
        (Physical::BOOLEAN | Physical::INT32 | Physical::INT64, _) => Meaning::Whole,
        (Physical::FLOAT, _) => Meaning::F32,
        (Physical::DOUBLE, _) => Meaning::F64,
        (Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY, ConvertedType::DECIMAL) => {
            Meaning::Decimal(descriptor.type_scale())
        }
        (Physical::BYTE_ARRAY, ConvertedType::BSON) => Meaning::Unread,
        (Physical::BYTE_ARRAY, _) => Meaning::Text,
        (Physical::FIXED_LEN_BYTE_ARRAY, _) => Meaning::Unread,
    }
}

/// The values of a column so far; those of missing ones are zeros.
#[derive(Default)]
struct Growing {
    rows: usize,
    whole: Vec<i64>,
    real: Vec<f64>,
    text: Vec<Cell>,
    missing: Vec<usize>,
    /// The first row of bytes that are no text.
    not_text: Option<usize>,
}

impl Growing {
    fn read(
        &mut self,
        from: &mut ColumnReader,
        column: &Column,
        rows: usize,
        text: &mut String,
    ) -> Result<(), parquet::errors::ParquetError> {
        let there = column.there;
        match from {
            ColumnReader::BoolColumnReader(r) => {
                self.each(r, there, rows, |g, x| g.whole.push(x.map_or(0, |x| i64::from(*x))))
            }
            ColumnReader::Int32ColumnReader(r) => self.each(r, there, rows, |g, x| {
                let number = x.map_or(0, |x| match column.meaning {
                    Meaning::Unsigned => i64::from(*x as u32),
                    _ => i64::from(*x),
                });
                g.number(number, x.is_none(), column.meaning, text);
            }),
            ColumnReader::Int64ColumnReader(r) => self.each(r, there, rows, |g, x| {
                g.number(x.copied().unwrap_or(0), x.is_none(), column.meaning, text);
            }),
            ColumnReader::Int96ColumnReader(r) => self.each(r, there, rows, |g, x| {
                let nanos = x.map_or(0, Int96::to_nanos);
                g.number(nanos, x.is_none(), column.meaning, text);
            }),
            ColumnReader::FloatColumnReader(r) => {
                self.each(r, there, rows, |g, x| g.real.push(x.map_or(f64::NAN, |x| f64::from(*x))))
            }
            ColumnReader::DoubleColumnReader(r) => {
                self.each(r, there, rows, |g, x| g.real.push(x.copied().unwrap_or(f64::NAN)))
            }
            ColumnReader::ByteArrayColumnReader(r) => {
                self.each(r, there, rows, |g, x| g.bytes(x.map(ByteArray::data), column.meaning, text))
            }
            ColumnReader::FixedLenByteArrayColumnReader(r) => {
                self.each(r, there, rows, |g, x| g.bytes(x.map(|x| x.data()), column.meaning, text))
            }
        }
    }

    /// Calls `put` for each of the next rows, in order, with its value or none.
    fn each<T: DataType>(
        &mut self,
        from: &mut ColumnReaderImpl<T>,
        there: i16,
        rows: usize,
        mut put: impl FnMut(&mut Growing, Option<&T::T>),
    ) -> Result<(), parquet::errors::ParquetError> {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let mut left = rows;
        while left > 0 {
            levels.clear();
            values.clear();
            let (records, ..) = from.read_records(left, Some(&mut levels), None, &mut values)?;
            if records == 0 {
                break;
            }
            let mut values = values.iter();
            for row in 0..records {
                let absent = there > 0 && levels.get(row).is_some_and(|level| *level < there);
                let value = if absent { None } else { values.next() };
                if value.is_none() {
                    self.missing.push(self.rows);
                }
                put(self, value);
                self.rows += 1;
            }
            left -= records;
        }
        Ok(())
    }

    fn number(&mut self, number: i64, missing: bool, meaning: Meaning, text: &mut String) {
        let written = match meaning {
            Meaning::Decimal(scale) => {
                return self.real.push(if missing { f64::NAN } else { decimal(number.into(), scale) });
            }
            Meaning::Date => calendar::date(number),
            Meaning::Timestamp(per_second) => calendar::timestamp(number, per_second),
            Meaning::Whole
            | Meaning::Unsigned
            | Meaning::F32
            | Meaning::F64
            | Meaning::Text
            | Meaning::Unread => {
                return self.whole.push(number);
            }
        };
        self.cell((!missing).then_some(written.as_str()), text);
    }

    fn bytes(&mut self, bytes: Option<&[u8]>, meaning: Meaning, text: &mut String) {
        if let Meaning::Decimal(scale) = meaning {
            // Two's complement, big-endian.
            let number = bytes.map(|b| {
                let start = if b.first().is_some_and(|b| *b >= 0x80) { -1 } else { 0 };
                b.iter().take(16).fold(start, |n: i128, b| n << 8 | i128::from(*b))
            });
            return self.real.push(number.map_or(f64::NAN, |n| decimal(n, scale)));
        }
        match bytes.map(std::str::from_utf8) {
            None => self.cell(None, text),
            Some(Ok(value)) => self.cell(Some(value), text),
            Some(Err(_)) => {
                self.not_text.get_or_insert(self.rows);
                self.cell(None, text);
            }
        }
    }

    fn cell(&mut self, value: Option<&str>, text: &mut String) {
        let lo = text.len() as u32;
        text.push_str(value.unwrap_or_default());
        self.text.push(Cell { lo, hi: text.len() as u32, missing: value.is_none() });
    }

    /// Numbers in the narrowest form that holds them: a missing one is a NaN.
    fn cells(self, meaning: Meaning, rows: usize, text: &mut String) -> Cells {
        let row = Vec::new();
        match meaning {
            Meaning::Text | Meaning::Date | Meaning::Timestamp(_) | Meaning::Unread => Cells::Text(self.text),
            Meaning::F32 if self.missing.is_empty() => {
                Cells::F32 { row, data: self.real.into_iter().map(|x| x as f32).collect() }
            }
            Meaning::F32 | Meaning::F64 | Meaning::Decimal(_) => Cells::F64 { row, data: self.real },
            Meaning::Whole | Meaning::Unsigned => {
                let unsigned = meaning == Meaning::Unsigned;
                let number = |x: i64| if unsigned { i128::from(x as u64) } else { i128::from(x) };
                let fits = |x: &i64| i32::try_from(number(*x)).is_ok();
                if self.missing.is_empty() && self.whole.iter().all(fits) {
                    return Cells::I32 { row, data: self.whole.into_iter().map(|x| x as i32).collect() };
                }
                if self.whole.iter().all(|x| number(*x).unsigned_abs() <= 1 << 53) {
                    let mut data: Vec<f64> = self.whole.iter().map(|x| number(*x) as f64).collect();
                    self.missing.iter().for_each(|at| data[*at] = f64::NAN);
                    return Cells::F64 { row, data };
                }
                // Beyond 2^53 only text is exact.
                let mut cells = Growing::default();
                let mut missing = self.missing.iter().peekable();
                for (at, x) in self.whole.iter().enumerate().take(rows) {
                    let absent = missing.next_if_eq(&&at).is_some();
                    cells.cell((!absent).then(|| number(*x).to_string()).as_deref(), text);
                }
                Cells::Text(cells.text)
            }
        }
    }
}

fn decimal(number: i128, scale: i32) -> f64 {
    number as f64 / 10f64.powi(scale)
}
