//! Rows for a run that is over: any table in pieces, encoded with what the run fitted.

use super::encode::{self, FittedColumn};
use super::files::{Places, problem};
use super::read::Pieces;
use super::table::{Cell, Cells, Origin, RawColumn, Table};
use super::{Store, csv};
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::runtime::table_out::{Kind, OutColumn, OutValues};
use crate::sema::job::{Dialect, LinesFile, SourceKind, SourcePlan};
use std::ops::Range;

type Checked<T> = Result<T, Box<Diagnostic>>;

/// How much text is read at once, about.
const PIECE: usize = 4 << 20;

/// A table, open for reading in order.
pub struct Frames<'a>(Pieces<'a>);

impl<'a> Frames<'a> {
    /// Opens a table. It may lack columns that nobody asks for.
    ///
    /// # Errors
    /// If it is not there or not what its source says.
    pub fn open(source: &'a SourcePlan, places: &Places) -> Checked<Frames<'a>> {
        Ok(Frames(Pieces::open(source, Vec::new(), &|_| true, places)?))
    }

    /// The next rows, in the order of the table; none behind the last.
    pub fn advance(&mut self) -> Checked<Option<Frame>> {
        Ok(self.0.next(&|_| true, PIECE)?.map(|table| Frame { table }))
    }
}

/// The last rows of earlier frames, where an answer is made of several rows.
pub struct Neighbours {
    read: usize,
    before: Option<Frame>,
}

impl Neighbours {
    /// For answers that are made of so many rows each.
    pub fn new(rows_read: usize) -> Neighbours {
        Neighbours { read: rows_read, before: None }
    }

    pub fn rows_read(&self) -> usize {
        self.read
    }

    /// Rows that wait for others.
    pub fn rows(&self) -> usize {
        self.before.as_ref().map_or(0, Frame::rows)
    }

    /// The rows of the next frame that end an answer's rows, and all rows that these answers are made of; none if there
    /// are too few as yet.
    pub fn take(&mut self, frame: Frame) -> (Frame, Option<Frame>) {
        let steps = match self.before.take() {
            Some(before) => before.followed_by(&frame),
            None => frame.part(0..frame.rows()),
        };
        let behind = self.read - 1;
        let answers = steps.rows().saturating_sub(behind);
        self.before = Some(steps.part(steps.rows().saturating_sub(behind)..steps.rows()));
        let ends = frame.part(frame.rows() - answers..frame.rows());
        (ends, (answers > 0).then_some(steps))
    }
}

/// Some rows of a table.
pub struct Frame {
    table: Table,
}

impl Frame {
    pub fn rows(&self) -> usize {
        self.table.rows
    }

    /// What can be passed through: columns of one value a row. Text is text, unless `typed` and all of it is
    /// numbers.
    pub fn columns(&self, typed: bool) -> Vec<OutColumn> {
        let flat = self.table.columns.iter().filter_map(|column| {
            let kind = match &column.cells {
                Cells::Text(cells) if typed => self.kind_of(cells),
                Cells::Text(_) => Kind::Text,
                Cells::U8 { row, .. } | Cells::I32 { row, .. } if row.is_empty() => Kind::I64,
                Cells::F32 { row, .. } if row.is_empty() => Kind::F32,
                Cells::F64 { row, .. } if row.is_empty() => Kind::F64,
                Cells::U8 { .. }
                | Cells::I32 { .. }
                | Cells::F32 { .. }
                | Cells::F64 { .. }
                | Cells::Gone => {
                    return None;
                }
            };
            Some(OutColumn { name: column.name.clone(), kind })
        });
        flat.collect()
    }

    /// Whole numbers only where they would be written as they are: `007` is a name.
    fn kind_of(&self, cells: &[Cell]) -> Kind {
        let texts = || cells.iter().map(|cell| self.table.cell_text(*cell));
        let whole = |text: &str| text.parse::<i64>().is_ok_and(|n| n.to_string() == text);
        let number = |text: &str| {
            let plain = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
            text.is_empty() || plain && !text.starts_with("00") && text.parse::<f64>().is_ok()
        };
        if texts().all(whole) {
            Kind::I64
        } else if texts().all(number) && texts().any(|text| !text.is_empty()) {
            Kind::F64
        } else {
            Kind::Text
        }
    }

    /// The values of a column, as they are.
    ///
    /// # Errors
    /// If the column is not there, or a cell is no number where the first rows had numbers.
    pub fn values(&self, column: &OutColumn, source: &SourcePlan) -> Checked<OutValues> {
        let Some(at) = self.table.column(&column.name) else {
            let message = format!("{}: later rows have no column `{}`", self.table.name, column.name);
            return Err(Box::new(
                problem("data::column", message, source).help("give every row all columns"),
            ));
        };
        let whole = |numbers: Vec<i64>| match column.kind {
            Kind::I64 => OutValues::I64(numbers),
            Kind::F32 | Kind::F64 | Kind::Text => OutValues::F64(numbers.iter().map(|n| *n as f64).collect()),
        };
        Ok(match &self.table.columns[at].cells {
            Cells::Text(cells) => self.texts(column, at, cells, source)?,
            Cells::U8 { data, .. } => whole(data.iter().map(|x| i64::from(*x)).collect()),
            Cells::I32 { data, .. } => whole(data.iter().map(|x| i64::from(*x)).collect()),
            Cells::F32 { data, .. } => OutValues::F32(data.clone()),
            Cells::F64 { data, .. } => OutValues::F64(data.clone()),
            Cells::Gone => panic!("data: every column of a frame is read"),
        })
    }

    fn texts(
        &self,
        column: &OutColumn,
        at: usize,
        cells: &[Cell],
        source: &SourcePlan,
    ) -> Checked<OutValues> {
        let texts = || cells.iter().map(|cell| self.table.cell_text(*cell));
        let wrong = |row: usize| {
            let place = self.table.place(at, row);
            let message = format!("{place}: no number in column `{}`, which had numbers before", column.name);
            let help = "leave the column out with `--keep`, or write CSV, where all is text";
            Box::new(problem("data::number", message, source).help(help))
        };
        match column.kind {
            Kind::Text => Ok(OutValues::Text(
                texts().map(|text| (!text.is_empty()).then(|| text.to_string())).collect(),
            )),
            Kind::I64 => {
                let all = texts().enumerate().map(|(row, text)| text.parse().map_err(|_| wrong(row)));
                Ok(OutValues::I64(all.collect::<Checked<_>>()?))
            }
            Kind::F32 | Kind::F64 => {
                let number = |(row, text): (usize, &str)| match text {
                    "" => Ok(f64::NAN),
                    text => text.parse().map_err(|_| wrong(row)),
                };
                Ok(OutValues::F64(texts().enumerate().map(number).collect::<Checked<_>>()?))
            }
        }
    }

    /// The rows as a model takes them.
    ///
    /// # Errors
    /// What is wrong with cells, each with its place, the first of a column with the number of others.
    pub fn encode(&self, fitted: &[FittedColumn], source: &SourcePlan) -> Result<Store, Vec<Diagnostic>> {
        encode::apply(fitted, &mut self.part(0..self.rows()).table, source)
    }

    /// The rows that can be encoded, and of each other one what is wrong with it.
    pub fn sound(&self, fitted: &[FittedColumn], source: &SourcePlan) -> (Vec<usize>, Vec<Diagnostic>) {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        // Halves without a mistake are looked at once, so few mistakes cost little.
        let mut open: Vec<Range<usize>> = std::iter::once(0..self.rows()).collect();
        while let Some(rows) = open.pop() {
            match (self.part(rows.clone()).encode(fitted, source), rows.len()) {
                (Ok(_), _) => good.extend(rows),
                (Err(wrong), 1) => bad.extend(wrong.into_iter().take(1)),
                (Err(_), n) => {
                    let middle = rows.start + n / 2;
                    open.extend([middle..rows.end, rows.start..middle]);
                }
            }
        }
        (good, bad)
    }

    /// The rows of this frame and behind them those of `next`, the frame that follows.
    pub fn followed_by(self, next: &Frame) -> Frame {
        let mut table = Table::nothing(&self.table.name);
        table.append(self.table);
        table.append(next.part(0..next.rows()).table);
        Frame { table }
    }

    /// Rows side by side.
    pub fn part(&self, rows: Range<usize>) -> Frame {
        self.rows_of(&rows.collect::<Vec<_>>())
    }

    /// Some of the rows, in this order.
    pub fn rows_of(&self, rows: &[usize]) -> Frame {
        let table = &self.table;
        let spans = table.columns.iter().filter_map(|column| match &column.cells {
            Cells::Text(cells) => Some(rows.iter().map(|row| cells[*row])),
            Cells::U8 { .. } | Cells::I32 { .. } | Cells::F32 { .. } | Cells::F64 { .. } | Cells::Gone => {
                None
            }
        });
        let (least, most) = spans.flatten().fold((table.text.len(), 0), |(least, most), cell| {
            (least.min(cell.lo as usize), most.max(cell.hi as usize))
        });
        // From the start of a line, so that places stay what they are.
        let start = table.text[..least.min(most)].rfind('\n').map_or(0, |i| i + 1);
        let origin = match &table.origin {
            Origin::Lines(before) => {
                Origin::Lines(before + table.text[..start].bytes().filter(|b| *b == b'\n').count())
            }
            Origin::Rows(before) => Origin::Rows(before + rows.first().copied().unwrap_or(0)),
            Origin::Listed(lines) => Origin::Listed(rows.iter().map(|row| lines[*row]).collect()),
        };
        let moved = |cell: &Cell| Cell { lo: cell.lo - start as u32, hi: cell.hi - start as u32, ..*cell };
        let columns = table.columns.iter().map(|column| {
            let cells = match &column.cells {
                Cells::Text(cells) => Cells::Text(rows.iter().map(|row| moved(&cells[*row])).collect()),
                Cells::U8 { row, data } => Cells::U8 { row: row.clone(), data: taken(row, data, rows) },
                Cells::I32 { row, data } => Cells::I32 { row: row.clone(), data: taken(row, data, rows) },
                Cells::F32 { row, data } => Cells::F32 { row: row.clone(), data: taken(row, data, rows) },
                Cells::F64 { row, data } => Cells::F64 { row: row.clone(), data: taken(row, data, rows) },
                Cells::Gone => Cells::Gone,
            };
            RawColumn { name: column.name.clone(), cells }
        });
        Frame {
            table: Table {
                name: table.name.clone(),
                rows: rows.len(),
                columns: columns.collect(),
                files: Vec::new(),
                text: table.text[start..most.max(start)].to_string(),
                origin,
            },
        }
    }
}

/// Some rows of numbers.
fn taken<T: Copy>(shape: &[usize], data: &[T], rows: &[usize]) -> Vec<T> {
    let width: usize = shape.iter().product();
    rows.iter().flat_map(|row| &data[row * width..(row + 1) * width]).copied().collect()
}

/// How to read rows for a run: as it read its own where the kind of file says so. A file without a header may have
/// one now, or lack the labels.
pub fn source_like(path: &str, ending: &str, like: &SourceKind, labels: &[String], span: Span) -> SourcePlan {
    let path = path.to_string();
    let base = like.dialect().cloned().unwrap_or_default();
    let plan = |kind| SourcePlan { kind, span, path_span: span };
    match ending {
        "jsonl" | "ndjson" => plan(SourceKind::Jsonl { path, missing: base.missing }),
        "parquet" => plan(SourceKind::Parquet { path }),
        "npy" => plan(SourceKind::Npy { path }),
        "npz" => plan(SourceKind::Npz { path }),
        "csv" | "tsv" => table(path, ending, base, labels, &plan),
        // Plain text is read as the run read its own.
        other => match like {
            SourceKind::Text { .. } => plan(SourceKind::Text { path }),
            SourceKind::Lines { .. } => {
                plan(SourceKind::Lines { files: vec![LinesFile { name: String::new(), path }] })
            }
            _tables => table(path, other, base, labels, &plan),
        },
    }
}

/// A table of text.
fn table(
    path: String,
    ending: &str,
    base: Dialect,
    labels: &[String],
    plan: &dyn Fn(SourceKind) -> SourcePlan,
) -> SourcePlan {
    let sep = if ending == "tsv" { b'\t' } else { base.sep };
    let mut source = plan(SourceKind::Csv { path: path.clone(), dialect: Dialect { sep, ..base } });
    if let Some(dialect) = headed(&source, &path, labels) {
        source.kind = SourceKind::Csv { path, dialect };
    }
    source
}

/// Another dialect for a table whose run named the columns itself.
fn headed(source: &SourcePlan, path: &str, labels: &[String]) -> Option<Dialect> {
    let base = source.kind.dialect()?;
    let names = base.columns.as_ref()?;
    let header = |dialect: &Dialect| {
        let reader = csv::Reader::open(path, dialect, &Places::default(), source).ok()?;
        Some(reader.into_header().0)
    };
    let with = Dialect { columns: None, header: true, skip: 0, ..base.clone() };
    if header(&with).is_some_and(|found| found.iter().all(|name| names.contains(name))) {
        return Some(with);
    }
    let unlabelled: Vec<String> = names.iter().filter(|name| !labels.contains(name)).cloned().collect();
    let fields = header(&Dialect { columns: None, header: false, ..base.clone() })?.len();
    (fields < names.len() && fields == unlabelled.len())
        .then(|| Dialect { columns: Some(unlabelled), ..base.clone() })
}
