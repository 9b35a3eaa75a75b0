//! A file of text read piece by piece, as UTF-8, with the places of its bytes.
//!
//! Formats cut what is here into rows; a piece that they take ends behind a whole one.

use super::files::{FileInfo, Input, Places, problem};
use super::table::{Origin, line_and_character};
use crate::diag::Diagnostic;
use crate::sema::job::SourcePlan;

type Checked<T> = Result<T, Box<Diagnostic>>;

/// The most text that one table takes: its cells are offsets of 32 bits.
pub const MOST_TEXT: usize = u32::MAX as usize - 1;

pub struct Text<'a> {
    input: Input,
    pub name: String,
    pub source: &'a SourcePlan,
    /// Read and not yet taken. A character may be cut at the end, unless the file ended.
    pub bytes: Vec<u8>,
    /// Lines of the file before `bytes`.
    lines: usize,
    /// Whether `bytes` reaches to the end of the file.
    pub ended: bool,
}

impl<'a> Text<'a> {
    pub fn open(path: &str, places: &Places, source: &'a SourcePlan) -> Checked<Text<'a>> {
        let input = Input::open(&places.find(path, source)?, source)?;
        let name = input.name();
        let mut text = Text { input, name, source, bytes: Vec::new(), lines: 0, ended: false };
        text.fill(FIRST_LOOK)?;
        if text.bytes.starts_with("\u{feff}".as_bytes()) {
            text.bytes.drain(..3);
        }
        Ok(text)
    }

    /// Reads until `bytes` holds so many, or the file ends.
    pub fn fill(&mut self, limit: usize) -> Checked<()> {
        let (had, lacking) = (self.bytes.len(), limit.saturating_sub(self.bytes.len()));
        if self.ended || lacking == 0 {
            return Ok(());
        }
        if let Some(length) = self.input.plain_length() {
            let left = usize::try_from(length).unwrap_or(usize::MAX).min(lacking);
            // One more than there is, or the end is found by growing.
            self.bytes.reserve_exact(left + 1);
        }
        self.input.read(lacking as u64, &mut self.bytes, self.source)?;
        self.ended = self.bytes.len() < limit;
        self.check(had)
    }

    /// That the bytes from `had` on are text.
    fn check(&self, had: usize) -> Checked<()> {
        // A character may have been cut where the last piece ended.
        let from = (had.saturating_sub(3)..had).find(|at| self.bytes[*at] >= 0xc0).unwrap_or(had);
        let Err(wrong) = std::str::from_utf8(&self.bytes[from..]) else { return Ok(()) };
        if wrong.error_len().is_none() && !self.ended {
            return Ok(());
        }
        let at = from + wrong.valid_up_to();
        let message =
            format!("{}: the byte 0x{:02x} is not part of UTF-8 text", self.place(at), self.bytes[at]);
        let utf16 = [b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| self.bytes.starts_with(*mark));
        let from = if utf16 { "utf-16" } else { "latin1" };
        let help = format!("save the file as UTF-8, for instance by `iconv -f {from} -t utf-8`");
        Err(Box::new(problem("data::encoding", message, self.source).help(help)))
    }

    /// `people.csv:12:5`: line and character of a byte, both from 1.
    pub fn place(&self, at: usize) -> String {
        let (line, character) = line_and_character(self.slice(0, at), at);
        format!("{}:{}:{character}", self.name, self.lines + line)
    }

    /// Bytes between signs of ASCII, as text.
    pub fn slice(&self, lo: usize, hi: usize) -> &str {
        std::str::from_utf8(&self.bytes[lo..hi]).expect("text: checked, and cut between characters")
    }

    /// From a byte to the end of its line.
    pub fn line_from(&self, at: usize) -> &str {
        let rest = &self.bytes[at..];
        let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        match std::str::from_utf8(&rest[..end]) {
            Ok(line) => line.trim_end(),
            Err(cut) => self.slice(at, at + cut.valid_up_to()),
        }
    }

    /// Leaves the first `n` bytes behind.
    pub fn skip(&mut self, n: usize) {
        let n = n.min(self.bytes.len());
        self.lines += self.bytes[..n].iter().filter(|b| **b == b'\n').count();
        self.bytes.drain(..n);
    }

    /// The first `end` bytes as a table's text, and where they come from.
    pub fn take(&mut self, end: usize) -> (String, Origin) {
        let rest = self.bytes.split_off(end.min(self.bytes.len()));
        let text = String::from_utf8(std::mem::replace(&mut self.bytes, rest));
        let text = text.expect("text: checked, and cut between characters");
        let origin = Origin::Lines(self.lines);
        self.lines += text.bytes().filter(|b| *b == b'\n').count();
        (text, origin)
    }

    /// Whether all was taken.
    pub fn at_end(&self) -> bool {
        self.ended && self.bytes.is_empty()
    }

    /// Reads what is left on disk for the hash.
    pub fn finish(self) -> Checked<FileInfo> {
        self.input.finish(self.source)
    }

    pub fn empty(&self) -> Box<Diagnostic> {
        let message = format!("{}: the file has no rows", self.name);
        Box::new(problem("data::empty", message, self.source).help("name another file, or a smaller `skip`"))
    }

    /// A row that no table can hold.
    pub fn too_long(&self) -> Box<Diagnostic> {
        let message = format!("{}: a row is longer than 4 GiB", self.place(0));
        Box::new(problem("data::unreadable", message, self.source).help("check how the rows end"))
    }
}

/// Bytes to look for a header in before more is read.
pub const FIRST_LOOK: usize = 1 << 14;
