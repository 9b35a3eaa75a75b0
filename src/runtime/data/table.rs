//! A source in memory, before anything is fitted: named columns of text or numbers.

use super::files::FileInfo;
use std::borrow::Cow;

/// One file (or pair of files, or generator) as read.
#[derive(Debug)]
pub struct Table {
    /// For messages: the file's name.
    pub name: String,
    pub rows: usize,
    pub columns: Vec<RawColumn>,
    pub files: Vec<FileInfo>,
    /// What text cells point into.
    pub text: String,
    pub origin: Origin,
}

/// What a place in a table is called by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The table's text is the file's own; so many lines of it came before.
    Lines(usize),
    /// A row has a number; so many came before.
    Rows(usize),
    /// The line of each row.
    Listed(Vec<u32>),
}

#[derive(Debug)]
pub struct RawColumn {
    /// As specs call it.
    pub name: String,
    pub cells: Cells,
}

/// The values of a column, row after row.
#[derive(Debug)]
pub enum Cells {
    /// Ranges of the table's text.
    Text(Vec<Cell>),
    U8 {
        row: Vec<usize>,
        data: Vec<u8>,
    },
    I32 {
        row: Vec<usize>,
        data: Vec<i32>,
    },
    F32 {
        row: Vec<usize>,
        data: Vec<f32>,
    },
    /// A value that is NaN is missing: so files of numbers write it.
    F64 {
        row: Vec<usize>,
        data: Vec<f64>,
    },
    /// Taken out, or not asked for.
    Gone,
}

/// A field of a text table. It is `missing` when it is empty without quotes or one of
/// the words that the spec gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub lo: u32,
    pub hi: u32,
    pub missing: bool,
}

impl Table {
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    pub fn cell_text(&self, cell: Cell) -> &str {
        &self.text[cell.lo as usize..cell.hi as usize]
    }

    /// `people.csv:12:5` for text: line and character, both from 1. `labels:17` for a row of numbers.
    pub fn place(&self, column: usize, row: usize) -> String {
        match (&self.columns[column].cells, &self.origin) {
            (Cells::Text(cells), Origin::Lines(before)) => {
                let (line, character) = line_and_character(&self.text, cells[row].lo as usize);
                format!("{}:{}:{character}", self.name, before + line)
            }
            // Any text of the row knows its line; without one, no line is blank or broken.
            (_, Origin::Lines(before)) => {
                let text = self.columns.iter().find_map(|c| {
                    let Cells::Text(cells) = &c.cells else { return None };
                    Some(cells[row])
                });
                let line = text.map_or(row + 1, |cell| line_and_character(&self.text, cell.lo as usize).0);
                format!("{}:{}", self.name, before + line)
            }
            (_, Origin::Listed(lines)) => format!("{}:{}", self.name, lines[row]),
            (_, Origin::Rows(before)) => format!("{}:{}", self.name, before + row + 1),
        }
    }

    /// The place of a byte inside a cell of text; that of the cell where texts lie otherwise than in their file.
    pub fn place_in(&self, column: usize, row: usize, offset: usize) -> String {
        match (&self.columns[column].cells, &self.origin) {
            (Cells::Text(cells), Origin::Lines(before))
                if self.text.is_char_boundary((cells[row].lo as usize + offset).min(self.text.len())) =>
            {
                let at = (cells[row].lo as usize + offset).min(self.text.len());
                let (line, character) = line_and_character(&self.text, at);
                format!("{}:{}:{character}", self.name, before + line)
            }
            (_, _) => self.place(column, row),
        }
    }

    /// `people.csv:12`: where a row begins.
    pub fn row_place(&self, row: usize) -> String {
        let text = self.columns.iter().position(|c| matches!(c.cells, Cells::Text(_)));
        let place = self.place(text.unwrap_or(0), row);
        match (text, &self.origin) {
            (Some(_), Origin::Lines(_)) => {
                place.rsplit_once(':').map_or(place.clone(), |(line, _)| line.to_string())
            }
            (None, Origin::Lines(_)) | (_, Origin::Rows(_) | Origin::Listed(_)) => place,
        }
    }

    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        let of = |cells: &Cells| match cells {
            Cells::Text(cells) => size_of_val(cells.as_slice()),
            Cells::U8 { data, .. } => size_of_val(data.as_slice()),
            Cells::I32 { data, .. } => size_of_val(data.as_slice()),
            Cells::F32 { data, .. } => size_of_val(data.as_slice()),
            Cells::F64 { data, .. } => size_of_val(data.as_slice()),
            Cells::Gone => 0,
        };
        self.text.len() + self.columns.iter().map(|c| of(&c.cells)).sum::<usize>()
    }

    /// Whether a value is missing: an empty or marked cell of text, a NaN among numbers.
    pub fn is_missing(&self, column: usize, row: usize) -> bool {
        fn nan<T: Copy>(row: usize, shape: &[usize], data: &[T], is_nan: impl Fn(T) -> bool) -> bool {
            let width: usize = shape.iter().product();
            data[row * width..(row + 1) * width].iter().any(|x| is_nan(*x))
        }
        match &self.columns[column].cells {
            Cells::Text(cells) => cells[row].missing,
            Cells::F32 { row: shape, data } => nan(row, shape, data, f32::is_nan),
            Cells::F64 { row: shape, data } => nan(row, shape, data, f64::is_nan),
            Cells::U8 { .. } | Cells::I32 { .. } | Cells::Gone => false,
        }
    }

    /// The value as text, for comparing with names of classes.
    pub fn value_text(&self, column: usize, row: usize) -> Cow<'_, str> {
        match &self.columns[column].cells {
            Cells::Text(cells) => Cow::Borrowed(self.cell_text(cells[row])),
            Cells::U8 { data, .. } => Cow::Owned(data[row].to_string()),
            Cells::I32 { data, .. } => Cow::Owned(data[row].to_string()),
            Cells::F32 { data, .. } => Cow::Owned(data[row].to_string()),
            Cells::F64 { data, .. } => Cow::Owned(data[row].to_string()),
            Cells::Gone => Cow::Borrowed(""),
        }
    }
}

impl RawColumn {
    /// A column of the same name and kind without rows.
    pub fn emptied(&self) -> RawColumn {
        let cells = match &self.cells {
            Cells::Text(_) => Cells::Text(Vec::new()),
            Cells::U8 { row, .. } => Cells::U8 { row: row.clone(), data: Vec::new() },
            Cells::I32 { row, .. } => Cells::I32 { row: row.clone(), data: Vec::new() },
            Cells::F32 { row, .. } => Cells::F32 { row: row.clone(), data: Vec::new() },
            Cells::F64 { row, .. } => Cells::F64 { row: row.clone(), data: Vec::new() },
            Cells::Gone => Cells::Gone,
        };
        RawColumn { name: self.name.clone(), cells }
    }
}

impl Table {
    /// A table without columns and rows.
    pub fn nothing(name: &str) -> Table {
        let (columns, files, text) = (Vec::new(), Vec::new(), String::new());
        Table { name: name.to_string(), rows: 0, columns, files, text, origin: Origin::Rows(0) }
    }

    /// Appends the rows of a piece of the same source; the text of unused columns is left behind.
    pub fn append(&mut self, piece: Table) {
        let lines = piece.lines();
        if self.rows == 0 {
            self.columns = piece.columns.iter().map(RawColumn::emptied).collect();
            self.origin = lines.as_ref().map_or(Origin::Rows(0), |_| Origin::Listed(Vec::new()));
        }
        if let (Origin::Listed(all), Some(lines)) = (&mut self.origin, lines) {
            all.extend(lines);
        }
        for (to, from) in self.columns.iter_mut().zip(piece.columns) {
            join(&mut to.cells, &mut self.text, from.cells, &piece.text);
        }
        self.rows += piece.rows;
    }

    /// The line of each row, where rows have lines.
    pub fn lines(&self) -> Option<Vec<u32>> {
        let before = match &self.origin {
            Origin::Lines(before) => *before,
            Origin::Listed(lines) => return Some(lines.clone()),
            Origin::Rows(_) => return None,
        };
        let cells = self.columns.iter().find_map(|c| match &c.cells {
            Cells::Text(cells) => Some(cells),
            Cells::U8 { .. } | Cells::I32 { .. } | Cells::F32 { .. } | Cells::F64 { .. } | Cells::Gone => {
                None
            }
        })?;
        let (mut at, mut line) = (0, before + 1);
        let mut lines = Vec::with_capacity(cells.len());
        for cell in cells {
            line += self.text.as_bytes()[at..cell.lo as usize].iter().filter(|b| **b == b'\n').count();
            at = cell.lo as usize;
            lines.push(line as u32);
        }
        Some(lines)
    }
}

/// Appends cells. Where pieces came in different forms, both become the one that holds all: numbers `f64`,
/// numbers and text text.
fn join(to: &mut Cells, text: &mut String, from: Cells, from_text: &str) {
    match (&mut *to, from) {
        (Cells::Gone, _) | (_, Cells::Gone) => {}
        (Cells::Text(to), Cells::Text(from)) => {
            let moved =
                |c: Cell| written(text, (!c.missing).then(|| &from_text[c.lo as usize..c.hi as usize]));
            to.extend(from.into_iter().map(moved));
        }
        (Cells::U8 { data: to, .. }, Cells::U8 { data: from, .. }) => to.extend(from),
        (Cells::I32 { data: to, .. }, Cells::I32 { data: from, .. }) => to.extend(from),
        (Cells::F32 { data: to, .. }, Cells::F32 { data: from, .. }) => to.extend(from),
        (Cells::Text(to), from) => {
            let number = |x: f64| written(text, (!x.is_nan()).then(|| x.to_string()).as_deref());
            to.extend(from.wide().into_iter().map(number));
        }
        (_, Cells::Text(from)) => {
            let number = |x: f64| written(text, (!x.is_nan()).then(|| x.to_string()).as_deref());
            let mut cells = Cells::Text(to.wide().into_iter().map(number).collect());
            join(&mut cells, text, Cells::Text(from), from_text);
            *to = cells;
        }
        (_, from) => {
            let row = to.row();
            let mut data = to.wide();
            data.extend(from.wide());
            *to = Cells::F64 { row, data };
        }
    }
}

/// A cell at the end of a text.
fn written(text: &mut String, value: Option<&str>) -> Cell {
    let lo = text.len() as u32;
    text.push_str(value.unwrap_or_default());
    Cell { lo, hi: text.len() as u32, missing: value.is_none() }
}

impl Cells {
    /// The shape of a row: empty for text.
    fn row(&self) -> Vec<usize> {
        match self {
            Cells::Text(_) | Cells::Gone => Vec::new(),
            Cells::U8 { row, .. }
            | Cells::I32 { row, .. }
            | Cells::F32 { row, .. }
            | Cells::F64 { row, .. } => row.clone(),
        }
    }

    /// All numbers.
    fn wide(&self) -> Vec<f64> {
        match self {
            Cells::Text(_) | Cells::Gone => Vec::new(),
            Cells::U8 { data, .. } => data.iter().map(|x| f64::from(*x)).collect(),
            Cells::I32 { data, .. } => data.iter().map(|x| f64::from(*x)).collect(),
            Cells::F32 { data, .. } => data.iter().map(|x| f64::from(*x)).collect(),
            Cells::F64 { data, .. } => data.clone(),
        }
    }
}

/// Line and character of a byte offset, both from 1.
pub fn line_and_character(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.bytes().filter(|b| *b == b'\n').count() + 1, before[start..].chars().count() + 1)
}

/// A text shortened for a message.
pub fn quoted(text: &str) -> String {
    const MOST: usize = 40;
    let flat: String = text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let dots = if text.chars().count() > MOST { "…" } else { "" };
    format!("`{flat}{dots}`")
}
