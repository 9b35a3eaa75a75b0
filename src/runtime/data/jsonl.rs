//! Tables of JSON, one object a line: `jsonl("people.jsonl")`.
//!
//! A key is a column, `null` or a missing key a missing value; a key inside an object joins the outer one
//! by `_`. Strings, numbers and booleans are cells of text, as in `csv`, and lie where they lie in the file;
//! an array of numbers is a vector, of one length in all rows.

use super::csv::{count, identifier};
use super::files::{FileInfo, Places, problem};
use super::json::{Kind, Parser, Wrong};
use super::table::{Cell, Cells, RawColumn, Table, quoted};
use super::text::{FIRST_LOOK, MOST_TEXT, Text};
use crate::diag::Diagnostic;
use crate::sema::job::SourcePlan;

type Checked<T> = Result<T, Box<Diagnostic>>;

/// An open file. Its columns are those of the rows seen so far.
pub struct Reader<'a> {
    text: Text<'a>,
    missing: &'a [String],
    columns: Vec<Column>,
}

/// What is known of a column: the keys that lead to it, and the length of its vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// As the file has it, keys of nested objects joined by a point.
    key: String,
    /// None of text.
    pub width: Option<usize>,
}

/// The cells of a column in one piece.
enum Growing {
    Text(Vec<Cell>),
    Numbers(Vec<f64>),
}

/// What a row lacks stands where the row starts.
fn missing_at(start: u32) -> Cell {
    Cell { lo: start, hi: start, missing: true }
}

impl<'a> Reader<'a> {
    /// `columns` are those that another reader of this file found.
    pub fn open(
        path: &str,
        missing: &'a [String],
        columns: Vec<Column>,
        places: &Places,
        source: &'a SourcePlan,
    ) -> Checked<Reader<'a>> {
        Ok(Reader { text: Text::open(path, places, source)?, missing, columns })
    }

    /// The columns of the first rows, as many as a glance reads, and those rows.
    pub fn glance(mut self) -> Checked<(Vec<Column>, Table)> {
        match self.next(&|_| true, GLANCE)? {
            Some(rows) => Ok((self.columns, rows)),
            None => Err(self.empty()),
        }
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub fn at_end(&self) -> bool {
        self.text.at_end()
    }

    pub fn finish(self) -> Checked<FileInfo> {
        self.text.finish()
    }

    pub fn empty(&self) -> Box<Diagnostic> {
        self.text.empty()
    }

    /// The next rows, whole ones, of about `limit` bytes of text and at least one; none behind the last.
    /// Every column seen so far is there; those for which `wanted` does not hold stay [`Cells::Gone`].
    pub fn next(&mut self, wanted: &dyn Fn(&str) -> bool, limit: usize) -> Checked<Option<Table>> {
        let mut limit = limit.clamp(FIRST_LOOK, MOST_TEXT);
        loop {
            self.text.fill(limit)?;
            let end = match self.text.bytes.iter().rposition(|b| *b == b'\n') {
                _ if self.text.ended => self.text.bytes.len(),
                Some(at) => at + 1,
                None => 0,
            };
            let (rows, cells) = self.rows(end, wanted)?;
            if rows > 0 {
                return Ok(Some(self.table(rows, cells, end)));
            }
            if self.text.ended {
                self.text.skip(end);
                return Ok(None);
            }
            if limit == MOST_TEXT {
                return Err(self.text.too_long());
            }
            limit = limit.saturating_mul(2).min(MOST_TEXT);
        }
    }

    fn rows(&mut self, end: usize, wanted: &dyn Fn(&str) -> bool) -> Checked<(usize, Vec<Option<Growing>>)> {
        let mut bytes = std::mem::take(&mut self.text.bytes);
        let mut cut = Cut {
            columns: &mut self.columns,
            cells: Vec::new(),
            wanted,
            missing: self.missing,
            starts: Vec::new(),
            next: 0,
        };
        cut.cells = cut.columns.iter().map(|c| cut.start(c, 0)).collect();
        let result = cut.all(&mut bytes[..end]);
        let (rows, cells) = (cut.starts.len(), cut.cells);
        self.text.bytes = bytes;
        match result {
            Ok(()) => Ok((rows, cells)),
            Err(wrong) => Err(self.wrong(&wrong)),
        }
    }

    fn wrong(&self, wrong: &Wrong) -> Box<Diagnostic> {
        let shown = match self.text.line_from(wrong.at) {
            "" => "the end of the line".to_string(),
            line => quoted(line),
        };
        let message = format!("{}: {} at {shown}", self.text.place(wrong.at), wrong.what);
        let help = match self.text.bytes.get(wrong.at) {
            Some(b'[') if wrong.what == NO_OBJECT => {
                "write one object a line: `jq -c '.[]' all.json > all.jsonl`"
            }
            _ => "correct the line: one object a line, of strings, numbers, booleans and arrays of numbers",
        };
        Box::new(problem("data::json", message, self.text.source).help(help))
    }

    fn table(&mut self, rows: usize, cells: Vec<Option<Growing>>, end: usize) -> Table {
        let (text, origin) = self.text.take(end);
        let column = |(column, cells): (&Column, Option<Growing>)| RawColumn {
            name: column.name.clone(),
            cells: match cells {
                None => Cells::Gone,
                Some(Growing::Text(cells)) => Cells::Text(cells),
                Some(Growing::Numbers(data)) => Cells::F64 { row: vec![column.width.unwrap_or(1)], data },
            },
        };
        let columns = self.columns.iter().zip(cells).map(column).collect();
        Table { name: self.text.name.clone(), rows, columns, files: Vec::new(), text, origin }
    }
}

/// Text to take the columns from when a spec is checked.
const GLANCE: usize = 1 << 18;

const NO_OBJECT: &str = "a row of JSON lines is an object, `{…}`, not what stands";

/// Cuts lines into cells.
struct Cut<'c> {
    columns: &'c mut Vec<Column>,
    /// One for each column; none of those that are not wanted.
    cells: Vec<Option<Growing>>,
    wanted: &'c dyn Fn(&str) -> bool,
    missing: &'c [String],
    /// Where the rows start.
    starts: Vec<u32>,
    /// The column that is likely next: rows mostly have their keys in one order.
    next: usize,
}

impl Cut<'_> {
    /// The cells of a column that none of the first `rows` has.
    fn start(&self, column: &Column, rows: usize) -> Option<Growing> {
        (self.wanted)(&column.name).then(|| match column.width {
            None => Growing::Text(self.starts[..rows].iter().map(|at| missing_at(*at)).collect()),
            Some(width) => Growing::Numbers(vec![f64::NAN; rows * width]),
        })
    }

    fn all(&mut self, bytes: &mut [u8]) -> Result<(), Wrong> {
        let mut parser = Parser::new(bytes);
        while parser.line() {
            self.next = 0;
            self.starts.push(parser.at() as u32);
            // Keys of this row, by column.
            let mut seen = vec![false; self.columns.len()];
            self.object(&mut parser, "", &mut seen)?;
            parser.end_of_line()?;
            self.fill_up();
        }
        Ok(())
    }

    /// What the row did not say is missing.
    fn fill_up(&mut self) {
        let rows = self.starts.len();
        for (column, cells) in self.columns.iter().zip(&mut self.cells) {
            match cells {
                Some(Growing::Text(cells)) => cells.resize(rows, missing_at(self.starts[rows - 1])),
                Some(Growing::Numbers(data)) => data.resize(rows * column.width.unwrap_or(1), f64::NAN),
                None => {}
            }
        }
    }

    fn object(&mut self, parser: &mut Parser, before: &str, seen: &mut Vec<bool>) -> Result<(), Wrong> {
        parser.open(NO_OBJECT)?;
        while let Some((at, key)) = parser.key()? {
            let key = if before.is_empty() { key } else { format!("{before}.{key}") };
            let kind = parser.kind()?;
            if kind == Kind::Object {
                self.object(parser, &key, seen)?;
            } else {
                self.value(parser, (at, key), kind, seen)?;
            }
        }
        Ok(())
    }

    fn value(
        &mut self,
        parser: &mut Parser,
        (at, key): (usize, String),
        kind: Kind,
        seen: &mut Vec<bool>,
    ) -> Result<(), Wrong> {
        let start = parser.at();
        if kind == Kind::Null {
            return parser.scalar(kind).map(|_| ());
        }
        let numbers = if kind == Kind::Array { Some(parser.numbers()?) } else { None };
        let column = self.column(key, numbers.as_ref().map(Vec::len));
        seen.resize(self.columns.len(), false);
        if std::mem::replace(&mut seen[column], true) {
            let name = &self.columns[column].name;
            return Err(Wrong { at, what: format!("two keys of this row are called `{name}`:") });
        }
        let width = self.columns[column].width;
        let mismatch = |found: String, all: String| {
            let name = &self.columns[column].name;
            Err(Wrong { at: start, what: format!("`{name}` is {found} here, {all} in rows before,") })
        };
        let vector = |n: usize| format!("an array of {}", count(n, "number"));
        match (numbers, width) {
            (None, None) => {
                let (lo, hi) = parser.scalar(kind)?;
                let text = parser.bytes(lo, hi);
                let missing = kind == Kind::String
                    && !text.is_empty()
                    && self.missing.iter().any(|m| m.as_bytes() == text);
                if let Some(Growing::Text(cells)) = &mut self.cells[column] {
                    cells.push(Cell { lo: lo as u32, hi: hi as u32, missing });
                }
                Ok(())
            }
            (Some(found), Some(width)) if found.len() == width => {
                if let Some(Growing::Numbers(data)) = &mut self.cells[column] {
                    data.extend(found);
                }
                Ok(())
            }
            (Some(found), Some(width)) => mismatch(vector(found.len()), vector(width)),
            (Some(found), None) => mismatch(vector(found.len()), "one value".into()),
            (None, Some(width)) => mismatch("one value".into(), vector(width)),
        }
    }

    /// The column of a key; one that is new has no value in the rows before.
    fn column(&mut self, key: String, width: Option<usize>) -> usize {
        let known = self.columns.len();
        let found = (self.next..known).chain(0..self.next.min(known)).find(|i| self.columns[*i].key == key);
        let at = found.or_else(|| {
            // Another key may read as the same name, as `a b` and `a.b` do.
            let name = identifier(&key);
            self.columns.iter().position(|c| c.name == name)
        });
        let at = at.unwrap_or_else(|| {
            let column = Column { name: identifier(&key), key, width };
            self.cells.push(self.start(&column, self.starts.len() - 1));
            self.columns.push(column);
            known
        });
        self.next = at + 1;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::sema::job::SourceKind;

    fn pieces(text: &str, limit: usize) -> Result<Vec<Table>, Box<Diagnostic>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t.jsonl"), text).unwrap();
        let places = Places { spec: Some(folder.path().to_path_buf()), data: None };
        let kind = SourceKind::Idx { path: String::new(), resize: None };
        let plan = SourcePlan { kind, span: Span::default(), path_span: Span::default() };
        let missing = ["".to_string(), "?".to_string()];
        let mut reader = Reader::open("t.jsonl", &missing, Vec::new(), &places, &plan)?;
        let mut all = Vec::new();
        while let Some(table) = reader.next(&|_| true, limit)? {
            all.push(table);
        }
        assert!(reader.at_end());
        if all.is_empty() { Err(reader.empty()) } else { Ok(all) }
    }

    fn whole(text: &str) -> Result<Table, Box<Diagnostic>> {
        pieces(text, MOST_TEXT).map(|mut all| all.remove(0))
    }

    #[test]
    fn keys_are_columns_and_what_lacks_is_missing() {
        let table = whole(
            "{\"a\": 1.50, \"b c\": \"x \\\"y\\\" \\u00e9\\ud83d\\ude00\", \"in\": {\"ner\": true}}\r\n\n\
             {\"b c\": \"?\", \"v\": [1, -2e1], \"a\": null}\n{\"v\": [], \"a\": \"\"}",
        );
        assert!(table.unwrap_err().message.contains("`v` is an array of 0 numbers here"));
        let table = whole(
            "{\"a\": 1.50, \"b c\": \"x \\\"y\\\" \\u00e9\\ud83d\\ude00\", \"in\": {\"ner\": true}}\r\n\n\
             {\"b c\": \"?\", \"v\": [1, -2e1], \"a\": null}\n{\"a\": \"\"}",
        )
        .unwrap();
        let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["a", "b_c", "in_ner", "v"]);
        assert_eq!(table.value_text(0, 0), "1.50");
        assert_eq!(table.value_text(1, 0), "x \"y\" é😀");
        assert_eq!(table.value_text(2, 0), "true");
        let missing = |c| (0..3).map(|r| table.is_missing(c, r)).collect::<Vec<_>>();
        assert_eq!(missing(0), [false, true, false]);
        assert_eq!(missing(1), [false, true, true]);
        assert_eq!(missing(3), [true, false, true]);
        let Cells::F64 { row, data } = &table.columns[3].cells else { panic!("a vector") };
        assert_eq!((row.as_slice(), &data[2..4]), (&[2][..], &[1.0, -20.0][..]));
        assert_eq!((table.place(0, 0), table.place(0, 1)), ("t.jsonl:1:7".into(), "t.jsonl:3:1".into()));
        assert_eq!((table.place(3, 1), table.place(3, 2)), ("t.jsonl:3".into(), "t.jsonl:4".into()));
    }

    #[test]
    fn mistakes_are_named_by_line_and_character() {
        let cases = [
            ("", "t.jsonl: the file has no rows"),
            ("[{\"a\": 1}]\n", "t.jsonl:1:1: a row of JSON lines is an object"),
            ("{\"a\": 1}\n{\"a\": 1", "t.jsonl:2:8: `,` or `}` is wanted at the end of the line"),
            ("{\"a\": 1}\n{\"a\": 01}", "t.jsonl:2:7: this is no number at `01}`"),
            ("{\"a\": 1}\n{\"a\": \"x}", "t.jsonl:2:7: this string does not close at `\"x}`"),
            ("{\"a\": \"\\q\"}", "t.jsonl:1:7: this string has an escape that JSON does not know at"),
            (
                "{\"a\": [1, \"x\"]}",
                "t.jsonl:1:11: arrays are of numbers, which is not what stands at `\"x\"]}`",
            ),
            ("{\"a\": 1} {\"a\": 2}", "t.jsonl:1:10: the line goes on behind its object at"),
            ("{\"a\": 1, \"a\": 2}", "t.jsonl:1:10: two keys of this row are called `a`: at"),
            (
                "{\"a\": 1}\n{\"a\": [2]}",
                "t.jsonl:2:7: `a` is an array of 1 number here, one value in rows before, at",
            ),
            ("{\"a\": yes}", "t.jsonl:1:7: this is no JSON value at `yes}`"),
        ];
        for (text, message) in cases {
            let found = whole(text).unwrap_err();
            assert!(found.message.starts_with(message), "{}\n{message}", found.message);
            assert!(found.help.is_some());
        }
    }
}
