//! Plain text: a file as one row (`text`), a row a line (`lines`), files whose lines belong together (`parallel`).
//!
//! A line ends with LF or CRLF; what stands behind the last one is a line if it is not empty. Empty lines are rows with
//! empty text: in files that belong together they keep their place. No line is a missing value.

use super::Checked;
use super::csv::count;
use super::files::{FileInfo, Places, problem};
use super::table::{Cell, Cells, Origin, RawColumn, Table};
use super::text::{FIRST_LOOK, MOST_TEXT, Text};
use crate::diag::Diagnostic;
use crate::sema::job::{LinesFile, SourcePlan};
use crate::sema::{Sample, SchemaColumn, SourceSchema};

/// The column of a row's text, and of the name of its file.
const TEXT: &str = "text";
const LABEL: &str = "label";

/// A file, whole.
struct Whole {
    name: String,
    text: String,
    info: FileInfo,
}

fn whole(path: &str, places: &Places, source: &SourcePlan) -> Checked<Whole> {
    let mut open = Text::open(path, places, source)?;
    open.fill(MOST_TEXT)?;
    if !open.ended {
        let message = format!("{}: more than 4 GiB of text", open.name);
        return Err(Box::new(problem("data::unreadable", message, source).help("split the file")));
    }
    if open.bytes.is_empty() {
        return Err(open.empty());
    }
    let (text, _) = open.take(usize::MAX);
    Ok(Whole { name: open.name.clone(), text, info: open.finish()? })
}

/// `text("f")`: one row.
pub fn text(path: &str, places: &Places, source: &SourcePlan) -> Checked<Table> {
    let file = whole(path, places, source)?;
    let all = Cell { lo: 0, hi: file.text.len() as u32, missing: false };
    let column = RawColumn { name: TEXT.into(), cells: Cells::Text(vec![all]) };
    Ok(Table {
        name: file.name,
        rows: 1,
        columns: vec![column],
        files: vec![file.info],
        text: file.text,
        origin: Origin::Lines(0),
    })
}

/// `lines("f")`, or `lines(neg="a", pos="b")` with a label for each file.
pub fn lines(files: &[LinesFile], places: &Places, source: &SourcePlan) -> Checked<Table> {
    let mut all = Joined::default();
    let (mut texts, mut labels, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for LinesFile { name, path } in files {
        let file = whole(path, places, source)?;
        let cells = all.take(file, source)?;
        let label = all.word(name);
        labels.extend(cells.iter().map(|_| label));
        numbers.extend(1..=cells.len() as u32);
        texts.extend(cells);
    }
    let mut columns = vec![RawColumn { name: TEXT.into(), cells: Cells::Text(texts) }];
    let origin = match files {
        [_] => Origin::Lines(0),
        _several => {
            columns.push(RawColumn { name: LABEL.into(), cells: Cells::Text(labels) });
            Origin::Listed(numbers)
        }
    };
    Ok(all.table(columns, origin))
}

/// `parallel(en="a", de="b")`: line by line.
pub fn parallel(files: &[LinesFile], places: &Places, source: &SourcePlan) -> Checked<Table> {
    let mut all = Joined::default();
    let mut columns: Vec<(String, Vec<Cell>)> = Vec::new();
    for LinesFile { name, path } in files {
        let cells = all.take(whole(path, places, source)?, source)?;
        if let Some((_, first)) = columns.first()
            && first.len() != cells.len()
        {
            let (a, b) = (&all.names[0], &all.names[columns.len()]);
            let message =
                format!("{a} has {}, {b} has {}", count(first.len(), "line"), count(cells.len(), "line"));
            let help = "lines of the same number belong together: take both files from one place";
            return Err(Box::new(problem("data::lines", message, source).help(help)));
        }
        columns.push((name.clone(), cells));
    }
    let rows = columns.first().map_or(0, |(_, cells)| cells.len() as u32);
    let columns = columns.into_iter().map(|(name, cells)| RawColumn { name, cells: Cells::Text(cells) });
    Ok(all.table(columns.collect(), Origin::Listed((1..=rows).collect())))
}

/// Several files as the text of one table.
#[derive(Default)]
struct Joined {
    names: Vec<String>,
    files: Vec<FileInfo>,
    text: String,
}

impl Joined {
    /// Adds a file and gives its lines.
    fn take(&mut self, file: Whole, source: &SourcePlan) -> Checked<Vec<Cell>> {
        let start = self.text.len();
        if start + file.text.len() > MOST_TEXT {
            let message = "the files have more than 4 GiB of text together";
            return Err(Box::new(problem("data::unreadable", message, source).help("split the files")));
        }
        let cells = cut(&file.text, start);
        self.names.push(file.name);
        self.files.push(file.info);
        match self.text.is_empty() {
            true => self.text = file.text,
            false => self.text.push_str(&file.text),
        }
        Ok(cells)
    }

    /// A cell that says the same in many rows.
    fn word(&mut self, word: &str) -> Cell {
        let lo = self.text.len() as u32;
        self.text.push_str(word);
        Cell { lo, hi: self.text.len() as u32, missing: false }
    }

    fn table(self, columns: Vec<RawColumn>, origin: Origin) -> Table {
        let Joined { names, files, text } = self;
        let rows = match columns.first().map(|c| &c.cells) {
            Some(Cells::Text(cells)) => cells.len(),
            _none => 0,
        };
        Table { name: names.join(" and "), rows, columns, files, text, origin }
    }
}

/// The lines of a text that lies at `start` of a table's.
fn cut(text: &str, start: usize) -> Vec<Cell> {
    let mut at = start;
    let mut cells = Vec::new();
    for line in text.split_inclusive('\n') {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        let bare = bare.strip_suffix('\r').unwrap_or(bare);
        cells.push(Cell { lo: at as u32, hi: (at + bare.len()) as u32, missing: false });
        at += line.len();
    }
    cells
}

/// Characters of a text that a message shows.
const SHOWN: usize = 24;

/// What the start of a file holds.
fn start(path: &str, places: &Places, source: &SourcePlan) -> Checked<Vec<String>> {
    let mut open = Text::open(path, places, source)?;
    open.fill(FIRST_LOOK)?;
    if open.bytes.is_empty() {
        return Err(open.empty());
    }
    let whole = open.ended;
    let shown = String::from_utf8_lossy(&open.bytes);
    let mut lines: Vec<String> = shown.lines().map(|l| l.chars().take(SHOWN).collect()).collect();
    if !whole && lines.len() > 1 {
        lines.pop();
    }
    Ok(lines)
}

fn column(name: &str, words: &[String]) -> SchemaColumn {
    let mut distinct = words.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let (whole, other): (Vec<&String>, Vec<&String>) =
        words.iter().partition(|w| w.trim().parse::<f64>().is_ok());
    let sample = Sample {
        rows: words.len(),
        whole: whole.len(),
        distinct: distinct.len(),
        words: other.into_iter().filter(|w| !w.is_empty()).take(4).cloned().collect(),
        ..Sample::default()
    };
    SchemaColumn {
        name: name.to_string(),
        dtype: None,
        shape: Vec::new(),
        classes: None,
        sample: Some(sample),
    }
}

/// A glance at `text`.
pub fn glance_text(path: &str, places: &Places, source: &SourcePlan) -> Checked<SourceSchema> {
    let lines = start(path, places, source)?;
    let first: Vec<String> = lines.into_iter().take(1).collect();
    Ok(SourceSchema { columns: vec![column(TEXT, &first)], rows: None, hint: None })
}

/// A glance at `lines`.
pub fn glance_lines(
    files: &[LinesFile],
    places: &Places,
    source: &SourcePlan,
) -> Result<SourceSchema, Box<Diagnostic>> {
    let mut words = Vec::new();
    for file in files {
        words.extend(start(&file.path, places, source)?);
    }
    let mut columns = vec![column(TEXT, &words)];
    if files.len() > 1 {
        let names: Vec<String> = files.iter().map(|f| f.name.clone()).collect();
        columns.push(column(LABEL, &names));
    }
    Ok(SourceSchema { columns, rows: None, hint: None })
}

/// A glance at `parallel`.
pub fn glance_parallel(files: &[LinesFile], places: &Places, source: &SourcePlan) -> Checked<SourceSchema> {
    let columns = files.iter().map(|f| Ok(column(&f.name, &start(&f.path, places, source)?)));
    Ok(SourceSchema { columns: columns.collect::<Checked<_>>()?, rows: None, hint: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_either_way_and_the_last_may_not() {
        let text = "a b\r\n\nü\nlast";
        let lines: Vec<&str> = cut(text, 0).iter().map(|c| &text[c.lo as usize..c.hi as usize]).collect();
        assert_eq!(lines, ["a b", "", "ü", "last"]);
        assert_eq!(cut("a\n", 3), [Cell { lo: 3, hi: 4, missing: false }]);
    }
}
