//! Cuts the bytes of a table of text into records and fields.
//!
//! Says where fields lie, copies nothing. Knows quotes, separators, blank lines and comments; what a field
//! means, how many a row should have and how mistakes are told is for others.

use super::table::Cell;
use crate::sema::job::Dialect;

/// What can be wrong with quotes, and the byte where it is.
#[derive(Clone, Copy, Debug)]
pub enum Quote {
    Open(usize),
    /// Something stands between the closing quote and the separator.
    Followed(usize),
}

/// A field as bytes of the text, quotes and outer spaces left out.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub lo: usize,
    pub hi: usize,
    pub quoted: bool,
    /// Whether it has quotes that stand for one each.
    doubled: bool,
}

/// Reads one record after the other. Doubled quotes are undone in place once a record is whole: the field
/// moves together and spaces fill what is left, so every field still starts where it started in the file.
pub struct Scan<'a> {
    bytes: &'a mut [u8],
    /// Where the next record starts.
    pub at: usize,
    sep: u8,
    comment: Option<u8>,
    /// Whether the bytes reach to the end of the file. If not, a record that reaches to their end
    /// may go on behind it, and is not given.
    ended: bool,
    pub fields: Vec<Field>,
}

impl<'a> Scan<'a> {
    pub fn new(bytes: &'a mut [u8], dialect: &Dialect, ended: bool) -> Self {
        Scan { bytes, at: 0, sep: dialect.sep, comment: dialect.comment, ended, fields: Vec::new() }
    }

    /// The fields of the last record, for whoever needs the bytes again.
    pub fn take(self) -> Vec<Field> {
        self.fields
    }

    /// A field, `missing` if it is empty or one of the words, and not in quotes.
    pub fn cell(&self, field: Field, missing: &[String]) -> Cell {
        let bytes = &self.bytes[field.lo..field.hi];
        let missing = !field.quoted && (bytes.is_empty() || missing.iter().any(|m| m.as_bytes() == bytes));
        Cell { lo: field.lo as u32, hi: field.hi as u32, missing }
    }

    /// A field's text, its quotes undone.
    ///
    /// # Panics
    /// If the bytes are not UTF-8.
    #[cfg(feature = "sql")]
    pub fn text(&self, field: Field) -> &str {
        std::str::from_utf8(&self.bytes[field.lo..field.hi]).expect("scan: the bytes are text")
    }

    /// Reads the next record that is not blank into `fields`; `Ok(false)` behind the last whole one.
    pub fn record(&mut self) -> Result<bool, Quote> {
        self.fields.clear();
        if !self.skip_blank() {
            return Ok(false);
        }
        let start = self.at;
        loop {
            match self.field() {
                Ok(true) => {}
                Ok(false) => break,
                Err(Quote::Open(_)) if !self.ended => {
                    self.at = start;
                    return Ok(false);
                }
                Err(wrong) => return Err(wrong),
            }
        }
        if self.at > self.bytes.len() && !self.ended {
            self.at = start;
            return Ok(false);
        }
        for i in 0..self.fields.len() {
            if self.fields[i].doubled {
                self.fields[i].hi = self.single(self.fields[i]);
            }
        }
        Ok(true)
    }

    /// Goes to the next line that is neither blank nor a comment; false if there is no whole one.
    fn skip_blank(&mut self) -> bool {
        loop {
            let rest = &self.bytes[self.at.min(self.bytes.len())..];
            if rest.is_empty() {
                return false;
            }
            let end = rest.iter().position(|b| *b == b'\n');
            let line = &rest[..end.unwrap_or(rest.len())];
            // With a blank as the separator a line of blanks is blank as well.
            let blank = line.iter().all(u8::is_ascii_whitespace);
            let comment = self.comment.is_some() && line.first().copied() == self.comment;
            if !blank && !comment {
                return true;
            }
            match end {
                Some(end) => self.at += end + 1,
                None if self.ended => self.at = self.bytes.len(),
                None => return false,
            }
        }
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
            self.fields.push(Field { lo, hi, quoted: false, doubled: false });
        }
        let goes_on = self.bytes.get(self.at) == Some(&sep);
        self.at += 1;
        Ok(goes_on)
    }

    fn quoted(&mut self) -> Result<Field, Quote> {
        let open = self.at;
        let (mut read, mut doubled) = (open + 1, false);
        loop {
            let rest = self.bytes.get(read..).unwrap_or_default();
            let Some(quote) = rest.iter().position(|b| *b == b'"') else { return Err(Quote::Open(open)) };
            read += quote;
            if self.bytes.get(read + 1) != Some(&b'"') {
                break;
            }
            doubled = true;
            read += 2;
        }
        self.at = read + 1;
        Ok(Field { lo: open + 1, hi: read, quoted: true, doubled })
    }

    /// Undoes doubled quotes; gives the new end of the field.
    fn single(&mut self, field: Field) -> usize {
        let (mut read, mut write) = (field.lo, field.lo);
        while read < field.hi {
            self.bytes[write] = self.bytes[read];
            read += if self.bytes[read] == b'"' { 2 } else { 1 };
            write += 1;
        }
        self.bytes[write..field.hi].fill(b' ');
        write
    }
}
