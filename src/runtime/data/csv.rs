//! Tables of text: `csv("people.csv", sep=";")`.
//!
//! Quotes as in RFC 4180 (doubled inside, line breaks allowed); unquoted fields are trimmed; blank lines
//! are skipped. The reader is our own since messages need the byte at which a field starts and `missing`
//! needs to know whether it was quoted.

use super::files::{Input, Places, problem};
use super::table::{Cell, Cells, RawColumn, Table, line_and_character, quoted};
use crate::diag::Diagnostic;
use crate::sema::job::SourcePlan;

/// How the fields of a table lie in its text.
#[derive(Clone, Debug)]
pub struct Dialect<'a> {
    pub columns: Option<&'a [String]>,
    pub sep: u8,
    pub missing: &'a [String],
    /// Lines to leave out at the top.
    pub skip: usize,
}

/// Reads the columns for which `wanted` holds; the others stay [`Cells::Gone`].
pub fn load(
    path: &str,
    dialect: &Dialect,
    wanted: &dyn Fn(&str) -> bool,
    places: &Places,
    source: &SourcePlan,
) -> Result<Table, Box<Diagnostic>> {
    let found = places.find(path, source)?;
    let mut input = Input::open(&found, source)?;
    let name = input.name();
    let mut bytes = Vec::new();
    if found.extension().is_none_or(|e| e != "gz") {
        bytes.reserve(usize::try_from(input.at_most.min(1 << 32)).unwrap_or(0));
    }
    input.read(u64::from(u32::MAX), &mut bytes, source)?;
    if bytes.len() == u32::MAX as usize {
        let message = format!("{name}: more than 4 GiB of text");
        return Err(problem("data::unreadable", message, source));
    }
    let text = utf8(bytes, &name, source)?;
    let mut table = parse(text, &name, dialect, wanted, source)?;
    table.files.push(input.finish(source)?);
    Ok(table)
}

/// What a glance at a table tells.
#[derive(Debug)]
pub struct Header {
    pub names: Vec<String>,
    /// What may be wrong with how it is read, and the setting that mends it.
    pub hint: Option<String>,
}

/// The column names, from `columns` or the first lines of the file; reads no further.
pub fn header(
    path: &str,
    dialect: &Dialect,
    places: &Places,
    source: &SourcePlan,
) -> Result<Header, Box<Diagnostic>> {
    let found = places.find(path, source)?;
    if let Some(columns) = dialect.columns {
        return Ok(Header { names: columns.to_vec(), hint: None });
    }
    let mut input = Input::open(&found, source)?;
    let name = input.name();
    let mut bytes = Vec::new();
    // A header that is longer than this is read again with more.
    for limit in [1 << 14, 1 << 20, u64::from(u32::MAX)] {
        let had = bytes.len();
        input.read(limit - had as u64, &mut bytes, source)?;
        let ended = (bytes.len() as u64) < limit;
        // A character may be cut at the end of what was read.
        let whole = match std::str::from_utf8(&bytes) {
            Ok(text) => text.len(),
            Err(e) if e.error_len().is_none() && !ended => e.valid_up_to(),
            Err(_) => return Err(utf8(bytes, &name, source).expect_err("csv: just seen not to be UTF-8")),
        };
        let mut text = bytes[..whole].to_vec();
        let mut scan = Scan::new(&mut text, dialect);
        scan.skip_lines(dialect.skip);
        match scan.record() {
            Ok(true) if ended || scan.at < whole => {
                let fields = scan.fields.clone();
                let hint = match fields.as_slice() {
                    [only] => one_column(&text[only.lo..only.hi], dialect.sep),
                    _ => None,
                };
                return names(&text, &fields, &name, source).map(|names| Header { names, hint });
            }
            Ok(false) if ended => return Err(empty(&name, source)),
            Err(quote) if ended => return Err(bad_quote(&text, quote, &name, source)),
            Ok(_) | Err(_) => {}
        }
    }
    let message = format!("{name}: the first line is longer than 4 GiB");
    Err(problem("data::unreadable", message, source))
}

fn utf8(bytes: Vec<u8>, name: &str, source: &SourcePlan) -> Result<String, Box<Diagnostic>> {
    String::from_utf8(bytes).map_err(|e| {
        let good = e.utf8_error().valid_up_to();
        let bytes = e.as_bytes();
        let before = std::str::from_utf8(&bytes[..good]).expect("csv: valid up to here");
        let (line, character) = line_and_character(before, good);
        let message =
            format!("{name}:{line}:{character}: the byte 0x{:02x} is not part of UTF-8 text", bytes[good]);
        let help = "save the file as UTF-8, for instance by `iconv -f latin1 -t utf-8`";
        Box::new(problem("data::encoding", message, source).help(help))
    })
}

fn empty(name: &str, source: &SourcePlan) -> Box<Diagnostic> {
    let message = format!("{name}: the file has no rows");
    Box::new(problem("data::empty", message, source).help("name another file, or a smaller `skip`"))
}

/// What can be wrong with quotes, and the byte where it is.
#[derive(Clone, Copy, Debug)]
enum Quote {
    Open(usize),
    /// Something stands between the closing quote and the separator.
    Followed(usize),
}

fn bad_quote(text: &[u8], quote: Quote, name: &str, source: &SourcePlan) -> Box<Diagnostic> {
    let text = std::str::from_utf8(text).expect("csv: checked to be UTF-8");
    let (at, open) = match quote {
        Quote::Open(at) => (at, true),
        Quote::Followed(at) => (at, false),
    };
    let (line, character) = line_and_character(text, at);
    let start = quoted(text[at..].lines().next().unwrap_or_default());
    let what = match open {
        true => format!("the quote that opens at {start} never closes"),
        false => format!("{start} follows a closing quote"),
    };
    let message = format!("{name}:{line}:{character}: {what}");
    Box::new(problem("data::quote", message, source).help("close the quote, or double a `\"` that is meant"))
}

/// The header's names as specs write them; two alike are an error.
fn names(
    text: &[u8],
    fields: &[Field],
    file: &str,
    source: &SourcePlan,
) -> Result<Vec<String>, Box<Diagnostic>> {
    let text = std::str::from_utf8(text).expect("csv: checked to be UTF-8");
    let raw: Vec<&str> = fields.iter().map(|f| text[f.lo..f.hi].trim_start_matches('\u{feff}')).collect();
    let names: Vec<String> = raw.iter().map(|r| identifier(r)).collect();
    for (i, name) in names.iter().enumerate() {
        if let Some(first) = names[..i].iter().position(|n| n == name) {
            let (line, character) = line_and_character(text, fields[i].lo);
            let message = format!(
                "{file}:{line}:{character}: columns {} and {} are both called `{name}` ({} and {})",
                first + 1,
                i + 1,
                quoted(raw[first]),
                quoted(raw[i])
            );
            let help = "give names with `columns=[…]` and leave the header out with `skip=1`";
            return Err(Box::new(problem("data::header", message, source).help(help)));
        }
    }
    Ok(names)
}

/// Signs other than letters, digits and `_` read as `_`; a leading digit gains one.
pub fn identifier(header: &str) -> String {
    let name: String =
        header.trim().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

fn parse(
    text: String,
    name: &str,
    dialect: &Dialect,
    wanted: &dyn Fn(&str) -> bool,
    source: &SourcePlan,
) -> Result<Table, Box<Diagnostic>> {
    let mut bytes = text.into_bytes();
    let mut scan = Scan::new(&mut bytes, dialect);
    scan.skip_lines(dialect.skip);
    let columns = match dialect.columns {
        Some(columns) => columns.to_vec(),
        None => match scan.record() {
            Ok(true) => {
                let fields = scan.fields.clone();
                names(scan.bytes, &fields, name, source)?
            }
            Ok(false) => return Err(empty(name, source)),
            Err(quote) => return Err(bad_quote(&bytes, quote, name, source)),
        },
    };
    let mut cells: Vec<Option<Vec<Cell>>> = columns.iter().map(|c| wanted(c).then(Vec::new)).collect();
    let mut rows = 0;
    loop {
        match scan.record() {
            Ok(true) => {}
            Ok(false) => break,
            Err(quote) => return Err(bad_quote(&bytes, quote, name, source)),
        }
        if scan.fields.len() != columns.len() {
            let fields = std::mem::take(&mut scan.fields);
            return Err(ragged(&bytes, &fields, (columns.len(), dialect.sep), name, source));
        }
        for (column, field) in cells.iter_mut().zip(&scan.fields) {
            if let Some(column) = column {
                column.push(scan.cell(*field, dialect.missing));
            }
        }
        rows += 1;
    }
    if rows == 0 {
        return Err(empty(name, source));
    }
    let columns = columns
        .into_iter()
        .zip(cells)
        .map(|(name, cells)| RawColumn { name, cells: cells.map_or(Cells::Gone, Cells::Text) })
        .collect();
    let text = String::from_utf8(bytes).expect("csv: unquoting keeps text UTF-8");
    Ok(Table { name: name.to_string(), rows, columns, files: Vec::new(), text })
}

fn ragged(
    bytes: &[u8],
    fields: &[Field],
    (wanted, sep): (usize, u8),
    name: &str,
    source: &SourcePlan,
) -> Box<Diagnostic> {
    let text = std::str::from_utf8(bytes).expect("csv: unquoting keeps text UTF-8");
    let first_wrong = fields[fields.len().min(wanted + 1) - 1];
    let (line, character) = line_and_character(text, first_wrong.lo);
    let start: String = text[fields[0].lo..].lines().next().unwrap_or_default().to_string();
    let message = format!(
        "{name}:{line}:{character}: this row has {}, the table has {wanted}: {}",
        count(fields.len(), "field"),
        quoted(&start)
    );
    let help = match fields {
        [only] => one_column(&bytes[only.lo..only.hi], sep),
        _ => None,
    };
    let help = help.unwrap_or_else(|| {
        "correct the row, or quote a field that holds the separator; another separator is a setting: \
         `sep=\";\"`"
            .to_string()
    });
    Box::new(problem("data::ragged", message, source).help(help))
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

/// A field as bytes of the text, quotes and outer spaces left out.
#[derive(Clone, Copy, Debug)]
struct Field {
    lo: usize,
    hi: usize,
    quoted: bool,
}

/// Cuts a text into records. Doubled quotes are undone in place: the field moves together
/// and spaces fill what is left, so every field still starts where it started in the file.
struct Scan<'a> {
    bytes: &'a mut [u8],
    at: usize,
    sep: u8,
    fields: Vec<Field>,
}

impl<'a> Scan<'a> {
    fn new(bytes: &'a mut [u8], dialect: &Dialect) -> Self {
        let at = if bytes.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
        Scan { bytes, at, sep: dialect.sep, fields: Vec::new() }
    }

    fn skip_lines(&mut self, lines: usize) {
        for _ in 0..lines {
            let rest = &self.bytes[self.at..];
            self.at += rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |i| i + 1);
        }
    }

    fn cell(&self, field: Field, missing: &[String]) -> Cell {
        let bytes = &self.bytes[field.lo..field.hi];
        let missing = !field.quoted && (bytes.is_empty() || missing.iter().any(|m| m.as_bytes() == bytes));
        Cell { lo: field.lo as u32, hi: field.hi as u32, missing }
    }

    /// Reads the next record that is not blank into `fields`; `Ok(false)` at the end.
    fn record(&mut self) -> Result<bool, Quote> {
        self.fields.clear();
        loop {
            if self.at >= self.bytes.len() {
                return Ok(false);
            }
            let rest = &self.bytes[self.at..];
            let line = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |i| i + 1);
            // With a blank as the separator a line of blanks is blank as well.
            if !rest[..line].iter().all(u8::is_ascii_whitespace) {
                break;
            }
            self.at += line;
        }
        while self.field()? {}
        Ok(true)
    }

    /// Reads one field and what ends it; true if the record goes on.
    fn field(&mut self) -> Result<bool, Quote> {
        let sep = self.sep;
        let blank = |b: u8| (b == b' ' || b == b'\t') && b != sep;
        while self.at < self.bytes.len() && blank(self.bytes[self.at]) {
            self.at += 1;
        }
        if self.bytes.get(self.at) == Some(&b'"') {
            let field = self.quoted()?;
            self.fields.push(field);
            while self.bytes.get(self.at).is_some_and(|b| *b != sep && *b != b'\n') {
                if !self.bytes[self.at].is_ascii_whitespace() {
                    return Err(Quote::Followed(self.at));
                }
                self.at += 1;
            }
        } else {
            let lo = self.at;
            let rest = &self.bytes[lo..];
            self.at += rest.iter().position(|b| *b == sep || *b == b'\n').unwrap_or(rest.len());
            let mut hi = self.at;
            while hi > lo && (blank(self.bytes[hi - 1]) || self.bytes[hi - 1] == b'\r') {
                hi -= 1;
            }
            self.fields.push(Field { lo, hi, quoted: false });
        }
        let goes_on = self.bytes.get(self.at) == Some(&sep);
        self.at += 1;
        Ok(goes_on)
    }

    fn quoted(&mut self) -> Result<Field, Quote> {
        let open = self.at;
        let (mut read, mut write) = (open + 1, open + 1);
        loop {
            match (self.bytes.get(read), self.bytes.get(read + 1)) {
                (None, _) => return Err(Quote::Open(open)),
                (Some(b'"'), Some(b'"')) => {
                    self.bytes[write] = b'"';
                    read += 2;
                }
                (Some(b'"'), _) => break,
                (Some(&byte), _) => {
                    self.bytes[write] = byte;
                    read += 1;
                }
            }
            write += 1;
        }
        self.bytes[write..read].fill(b' ');
        self.at = read + 1;
        Ok(Field { lo: open + 1, hi: write, quoted: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;
    use crate::sema::job::SourceKind;

    fn plan() -> SourcePlan {
        let kind = SourceKind::Idx { path: String::new() };
        SourcePlan { kind, span: Span::default(), path_span: Span::default() }
    }

    fn read(text: &str, sep: u8) -> Result<Vec<Vec<String>>, Box<Diagnostic>> {
        let dialect = Dialect { columns: None, sep, missing: &[], skip: 0 };
        let table = parse(text.to_string(), "t.csv", &dialect, &|_| true, &plan())?;
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
        let dialect = Dialect { columns: None, sep: b';', missing: &["?".into()], skip: 0 };
        let text = "a;b\n\"u\"\"\nv\";\"w\"\nx;?\n";
        let table = parse(text.to_string(), "t.csv", &dialect, &|_| true, &plan()).unwrap();
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
}
