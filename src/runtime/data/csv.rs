//! Tables of text: `csv("people.csv", sep=";")`.
//!
//! Quotes as in RFC 4180 (doubled inside, line breaks allowed); unquoted fields are trimmed; blank lines
//! are skipped. The reader is our own since messages need the byte at which a field starts and `missing`
//! needs to know whether it was quoted. It gives the rows in pieces that end behind a whole row.

use super::files::{FileInfo, Places, problem};
use super::scan::{Field, Quote, Scan};
use super::table::{Cell, Cells, RawColumn, Table, quoted};
use super::text::{FIRST_LOOK, MOST_TEXT, Text};
use crate::diag::Diagnostic;
use crate::sema::job::{Dialect, SourcePlan};

type Checked<T> = Result<T, Box<Diagnostic>>;

/// An open table: its columns are known, its rows are to come.
pub struct Reader<'a> {
    text: Text<'a>,
    dialect: &'a Dialect,
    columns: Vec<String>,
    /// What may be wrong with how it is read, and the setting that mends it.
    hint: Option<String>,
}

/// Rows cut into cells.
struct Cut {
    /// Of each column that is wanted.
    cells: Vec<Option<Vec<Cell>>>,
    rows: usize,
    /// The byte behind the last of them.
    end: usize,
}

impl<'a> Reader<'a> {
    /// Finds the file and reads the names of its columns, and not much more.
    pub fn open(
        path: &str,
        dialect: &'a Dialect,
        places: &Places,
        source: &'a SourcePlan,
    ) -> Checked<Reader<'a>> {
        let text = Text::open(path, places, source)?;
        let mut reader = Reader { text, dialect, columns: Vec::new(), hint: None };
        reader.head()?;
        Ok(reader)
    }

    /// The sign before the fraction of a number.
    pub fn decimal(&self) -> u8 {
        self.dialect.decimal
    }

    pub fn into_header(self) -> (Vec<String>, Option<String>) {
        (self.columns, self.hint)
    }

    /// Leaves out what comes before the rows, and learns the names of the columns.
    fn head(&mut self) -> Checked<()> {
        for _ in 0..self.dialect.skip {
            self.skip_line()?;
        }
        if let Some(columns) = &self.dialect.columns {
            self.columns.clone_from(columns);
            return Ok(());
        }
        let mut looked = FIRST_LOOK;
        loop {
            self.text.fill(looked)?;
            let mut scan = Scan::new(&mut self.text.bytes, self.dialect, self.text.ended);
            let found = scan.record();
            let (end, fields) = (scan.at, scan.take());
            match found {
                Ok(true) => return self.named(&fields, end),
                Ok(false) if self.text.ended => return Err(self.empty()),
                Err(quote) => return Err(self.bad_quote(quote)),
                Ok(false) => {}
            }
            if looked >= MOST_TEXT {
                return Err(self.text.too_long());
            }
            looked = looked.saturating_mul(64).min(MOST_TEXT);
        }
    }

    fn skip_line(&mut self) -> Checked<()> {
        loop {
            if let Some(end) = self.text.bytes.iter().position(|b| *b == b'\n') {
                self.text.skip(end + 1);
                return Ok(());
            }
            if self.text.ended {
                self.text.bytes.clear();
                return Ok(());
            }
            self.text.fill(self.text.bytes.len().max(FIRST_LOOK) * 2)?;
        }
    }

    /// Takes the names from the first record, or makes some up for as many fields.
    fn named(&mut self, fields: &[Field], end: usize) -> Checked<()> {
        if let [only] = fields {
            self.hint = one_column(&self.text.bytes[only.lo..only.hi], self.dialect.sep);
        }
        self.columns = match self.dialect.header {
            true => self.names(fields)?,
            false => (1..=fields.len()).map(|n| format!("c{n}")).collect(),
        };
        if self.dialect.header {
            self.text.skip(end);
        }
        Ok(())
    }

    /// The header's names as specs write them; two alike are an error.
    fn names(&self, fields: &[Field]) -> Checked<Vec<String>> {
        let raw: Vec<&str> = fields.iter().map(|f| self.text.slice(f.lo, f.hi)).collect();
        let names: Vec<String> = raw.iter().map(|r| identifier(r)).collect();
        for (i, name) in names.iter().enumerate() {
            if let Some(first) = names[..i].iter().position(|n| n == name) {
                let message = format!(
                    "{}: columns {} and {} are both called `{name}` ({} and {})",
                    self.text.place(fields[i].lo),
                    first + 1,
                    i + 1,
                    quoted(raw[first]),
                    quoted(raw[i])
                );
                let help = "give names with `columns=[…]` and leave the header out with `skip=1`";
                return Err(Box::new(problem("data::header", message, self.text.source).help(help)));
            }
        }
        Ok(names)
    }

    /// The next rows, whole ones, of about `limit` bytes of text and at least one; none behind the last.
    /// Columns for which `wanted` does not hold stay [`Cells::Gone`].
    pub fn next(&mut self, wanted: &dyn Fn(&str) -> bool, limit: usize) -> Checked<Option<Table>> {
        let mut limit = limit.clamp(1, MOST_TEXT);
        loop {
            self.text.fill(limit)?;
            let cut = self.rows(wanted)?;
            if cut.rows > 0 {
                return Ok(Some(self.table(cut)));
            }
            if self.text.ended {
                return Ok(None);
            }
            if limit == MOST_TEXT {
                return Err(self.text.too_long());
            }
            limit = limit.saturating_mul(2).min(MOST_TEXT);
        }
    }

    /// Whether all rows were given.
    pub fn at_end(&self) -> bool {
        self.text.at_end()
    }

    /// Cuts `bytes` into cells: those of each wanted column, how many rows, and where they end.
    fn rows(&mut self, wanted: &dyn Fn(&str) -> bool) -> Checked<Cut> {
        let mut cells: Vec<Option<Vec<Cell>>> =
            self.columns.iter().map(|c| wanted(c).then(Vec::new)).collect();
        let mut rows = 0;
        let mut scan = Scan::new(&mut self.text.bytes, self.dialect, self.text.ended);
        let wrong = loop {
            match scan.record() {
                Ok(true) if scan.fields.len() == cells.len() => {}
                Ok(true) => break Err(None),
                Ok(false) => break Ok(()),
                Err(quote) => break Err(Some(quote)),
            }
            for (column, field) in cells.iter_mut().zip(&scan.fields) {
                if let Some(column) = column {
                    column.push(scan.cell(*field, &self.dialect.missing));
                }
            }
            rows += 1;
        };
        let (end, fields) = (scan.at, scan.take());
        match wrong {
            Ok(()) => Ok(Cut { cells, rows, end: end.min(self.text.bytes.len()) }),
            Err(Some(quote)) => Err(self.bad_quote(quote)),
            Err(None) => Err(self.ragged(&fields)),
        }
    }

    fn table(&mut self, Cut { cells, rows, end }: Cut) -> Table {
        let (text, origin) = self.text.take(end);
        let columns = self.columns.iter().zip(cells);
        let columns = columns
            .map(|(name, cells)| RawColumn {
                name: name.clone(),
                cells: cells.map_or(Cells::Gone, Cells::Text),
            })
            .collect();
        Table { name: self.text.name.clone(), rows, columns, files: Vec::new(), text, origin }
    }

    pub fn finish(self) -> Checked<FileInfo> {
        self.text.finish()
    }

    pub fn empty(&self) -> Box<Diagnostic> {
        self.text.empty()
    }

    fn bad_quote(&self, quote: Quote) -> Box<Diagnostic> {
        let (Quote::Open(at) | Quote::Followed(at)) = quote;
        let start = quoted(self.text.line_from(at));
        let what = match quote {
            Quote::Open(_) => format!("the quote that opens at {start} never closes"),
            Quote::Followed(_) => format!("{start} follows a closing quote"),
        };
        let message = format!("{}: {what}", self.text.place(at));
        let help = "close the quote, or double a `\"` that is meant";
        Box::new(problem("data::quote", message, self.text.source).help(help))
    }

    fn ragged(&self, fields: &[Field]) -> Box<Diagnostic> {
        let wanted = self.columns.len();
        let first_wrong = fields[fields.len().min(wanted + 1) - 1];
        let start = self.text.line_from(fields[0].lo);
        let message = format!(
            "{}: this row has {}, the table has {wanted}: {}",
            self.text.place(first_wrong.lo),
            count(fields.len(), "field"),
            quoted(start)
        );
        let help = match fields {
            [only] => one_column(&self.text.bytes[only.lo..only.hi], self.dialect.sep),
            _ => None,
        };
        let help = help.unwrap_or_else(|| {
            "correct the row, or quote a field that holds the separator; another separator is a setting: \
             `sep=\";\"`"
                .to_string()
        });
        Box::new(problem("data::ragged", message, self.text.source).help(help))
    }
}

/// Signs other than letters, digits and `_` read as `_`; a leading digit gains one.
pub fn identifier(header: &str) -> String {
    let name: String =
        header.trim().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// Signs that separate the fields of tables, the usual ones first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What a row of one field says of the separator, if another sign stands in it.
fn one_column(field: &[u8], sep: u8) -> Option<String> {
    let times = |sign: u8| field.iter().filter(|b| **b == sign).count();
    let others = SEPARATORS.iter().copied().filter(|s| *s != sep && times(*s) > 0);
    // Of two that stand there as often, the first.
    let guess = others.rev().max_by_key(|s| times(*s))?;
    let (guess, sep) = (setting(guess), setting(sep));
    Some(format!(
        "separated by `{sep}` there is one column; if `{guess}` separates the fields, say so: `sep=\"{guess}\"`"
    ))
}

/// A sign as a spec writes it in quotes.
fn setting(sign: u8) -> String {
    if sign == b'\t' { "\\t".to_string() } else { char::from(sign).to_string() }
}

/// `1 field`, `2 fields`.
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::sema::job::SourceKind;

    fn plan() -> SourcePlan {
        let kind = SourceKind::Idx { path: String::new(), resize: None };
        SourcePlan { kind, span: Span::default(), path_span: Span::default() }
    }

    /// All rows, given in pieces of about `limit` bytes.
    fn pieces(text: &str, dialect: &Dialect, limit: usize) -> Result<Vec<Table>, Box<Diagnostic>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t.csv"), text).unwrap();
        let places = Places { spec: Some(folder.path().to_path_buf()), data: None };
        let plan = plan();
        let mut reader = Reader::open("t.csv", dialect, &places, &plan)?;
        let mut all = Vec::new();
        while let Some(table) = reader.next(&|_| true, limit)? {
            all.push(table);
        }
        assert!(reader.at_end());
        if all.is_empty() { Err(reader.empty()) } else { Ok(all) }
    }

    fn whole(text: &str, dialect: &Dialect) -> Result<Table, Box<Diagnostic>> {
        let mut all = pieces(text, dialect, MOST_TEXT)?;
        assert_eq!(all.len(), 1);
        Ok(all.remove(0))
    }

    fn read(text: &str, sep: u8) -> Result<Vec<Vec<String>>, Box<Diagnostic>> {
        let table = whole(text, &Dialect { sep, ..Dialect::default() })?;
        let column = |c: usize| (0..table.rows).map(move |r| (c, r));
        let width = table.columns.len();
        let mut rows = vec![table.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>()];
        rows.resize(table.rows + 1, Vec::new());
        for (c, r) in (0..width).flat_map(column) {
            rows[r + 1].push(table.value_text(c, r).into_owned());
        }
        Ok(rows)
    }

    #[test]
    fn reads_quotes_line_breaks_and_blanks() {
        let text = "a, b.c ,3d\r\n1,\"x, \"\"y\"\"\nz\", 2 \r\n\r\n 4 , \"\" ,5";
        let rows = read(text, b',').unwrap();
        assert_eq!(rows[0], ["a", "b_c", "_3d"]);
        assert_eq!(rows[1], ["1", "x, \"y\"\nz", "2"]);
        assert_eq!(rows[2], ["4", "", "5"]);
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn a_place_survives_unquoting() {
        let dialect = Dialect { sep: b';', missing: vec!["?".into()], ..Dialect::default() };
        let text = "a;b\n\"u\"\"\nv\";\"w\"\nx;?\n";
        let table = whole(text, &dialect).unwrap();
        assert_eq!(table.place(1, 1), "t.csv:4:3");
        let Cells::Text(cells) = &table.columns[1].cells else { panic!("text") };
        assert_eq!(cells.iter().map(|c| c.missing).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn ragged_rows_open_quotes_and_clashes_are_named() {
        let message = |text| read(text, b',').unwrap_err().message;
        assert_eq!(message("a,b\n1,2\n3\n"), "t.csv:3:1: this row has 1 field, the table has 2: `3`");
        assert_eq!(message("a,b\n1,2,9\n"), "t.csv:2:5: this row has 3 fields, the table has 2: `1,2,9`");
        assert_eq!(message("a,b\n1,\"2\n"), "t.csv:2:3: the quote that opens at `\"2` never closes");
        assert_eq!(message("a,b\n\"1\"x,2\n"), "t.csv:2:4: `x,2` follows a closing quote");
        assert!(message("a.b,a-b\n1,2\n").starts_with("t.csv:1:5: columns 1 and 2 are both called `a_b`"));
        assert_eq!(message("\n \n"), "t.csv: the file has no rows");
        assert_eq!(message("a,b\n"), "t.csv: the file has no rows");
    }

    #[test]
    fn an_empty_last_field_is_a_field() {
        assert_eq!(read("a,b\n1,\n", b',').unwrap()[1], ["1", ""]);
        assert_eq!(read("a,b\n1,", b',').unwrap()[1], ["1", ""]);
    }

    #[test]
    fn comments_and_lines_without_names() {
        let dialect = Dialect { comment: Some(b'#'), header: false, skip: 1, ..Dialect::default() };
        let table = whole("made by hand\n# a,b\n1,2\n#\n\n3,4", &dialect).unwrap();
        assert_eq!(table.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["c1", "c2"]);
        assert_eq!((table.rows, table.place(1, 1)), (2, "t.csv:6:3".into()));
    }

    #[test]
    fn pieces_are_the_whole() {
        let text = "\u{feff}a,b\r\n1,\"x\"\"\ny\"\n\né,\"\"\n\"ü, \"\"ü\"\"\",4\n 5 ,6";
        let dialect = Dialect::default();
        let all = whole(text, &dialect).unwrap();
        for limit in 1..text.len() {
            let mut row = 0;
            for piece in pieces(text, &dialect, limit).unwrap() {
                for at in 0..piece.rows {
                    for column in 0..2 {
                        assert_eq!(piece.value_text(column, at), all.value_text(column, row), "{limit}");
                        assert_eq!(piece.place(column, at), all.place(column, row), "{limit}");
                    }
                    row += 1;
                }
            }
            assert_eq!(row, 4, "{limit}");
        }
    }

    #[test]
    fn mistakes_are_found_in_any_piece() {
        for text in ["a,b\n1,2\n3\n", "a,b\n1,\"2\n", "a,b\n1,2\n\"1\"x,2\n", "a,b\n1,2\n3,4,5"] {
            let message = whole(text, &Dialect::default()).unwrap_err().message;
            for limit in 1..text.len() {
                let again = pieces(text, &Dialect::default(), limit).unwrap_err().message;
                assert_eq!(again, message, "{limit}");
            }
        }
    }
}
