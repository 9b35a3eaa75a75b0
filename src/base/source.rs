//! Source texts and places in them.

use std::path::PathBuf;
use std::sync::Arc;

/// Which text of [`Sources`] a span lies in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u16);

/// A range of bytes in one source text: `lo` included, `hi` not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub file: FileId,
    pub lo: u32,
    pub hi: u32,
}

impl Span {
    pub fn new(file: FileId, lo: usize, hi: usize) -> Self {
        let at = |n| u32::try_from(n).expect("source: texts are under 4 GiB");
        Span { file, lo: at(lo), hi: at(hi) }
    }

    /// The smallest span that covers both; they lie in one file.
    pub fn to(self, other: Span) -> Span {
        debug_assert_eq!(self.file, other.file, "source: a span stays in one file");
        Span { file: self.file, lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }

    /// The empty span before this one.
    pub fn start(self) -> Span {
        Span { hi: self.lo, ..self }
    }

    /// The empty span behind this one.
    pub fn end(self) -> Span {
        Span { lo: self.hi, ..self }
    }

    pub fn range(self) -> std::ops::Range<usize> {
        self.lo as usize..self.hi as usize
    }

    pub fn contains(self, other: Span) -> bool {
        self.file == other.file && self.lo <= other.lo && other.hi <= self.hi
    }
}

/// A thing and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    pub node: T,
    pub span: Span,
}

/// One text, with the name that users know it by.
#[derive(Clone, Debug)]
pub struct Source {
    /// As the user spelt it, or `std/loss.mlspec` for the library's own.
    pub name: String,
    /// Where paths inside the text are looked up first; none for embedded texts.
    pub folder: Option<PathBuf>,
    pub text: Arc<str>,
    /// Where each line starts; a search through the text for each place would be quadratic.
    lines: Arc<[u32]>,
    /// How many characters start before each block of [`BLOCK`] bytes, for columns of long lines.
    chars: Arc<[u32]>,
}

/// Bytes between two entries of [`Source::chars`].
const BLOCK: usize = 1024;

impl Source {
    fn new(name: String, folder: Option<PathBuf>, text: Arc<str>) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i as u32 + 1)).collect();
        let blocks = text
            .as_bytes()
            .chunks(BLOCK)
            .scan(0, |before, block| Some(std::mem::replace(before, *before + starts(block) as u32)));
        // A text that ends with a block has an empty one behind it: its end is a place, too.
        let all = starts(text.as_bytes()) as u32;
        let chars = blocks.chain([all]).collect();
        Source { name, folder, text, lines, chars }
    }

    /// How many characters start before the byte `at`.
    fn chars_before(&self, at: usize) -> usize {
        let block = at / BLOCK;
        self.chars[block] as usize + starts(&self.text.as_bytes()[block * BLOCK..at])
    }
}

/// How many characters of UTF-8 start in `bytes`.
fn starts(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| **b & 0xC0 != 0x80).count()
}

/// All texts of one compilation. The user's spec is file 0.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add(
        &mut self,
        name: impl Into<String>,
        folder: Option<PathBuf>,
        text: impl Into<Arc<str>>,
    ) -> FileId {
        let id = u16::try_from(self.files.len()).expect("source: fewer than 2^16 files");
        self.files.push(Source::new(name.into(), folder, text.into()));
        FileId(id)
    }

    pub fn get(&self, file: FileId) -> &Source {
        &self.files[file.0 as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        self.files.iter().enumerate().map(|(i, s)| (FileId(i as u16), s))
    }

    pub fn slice(&self, span: Span) -> &str {
        &self.get(span.file).text[span.range()]
    }

    /// The line in which a span starts, less its end.
    pub fn line(&self, span: Span) -> &str {
        let source = self.get(span.file);
        let line = source.lines.partition_point(|start| *start <= span.lo);
        let end = source.lines.get(line).map_or(source.text.len(), |next| *next as usize);
        source.text[source.lines[line - 1] as usize..end].trim_end_matches(['\r', '\n'])
    }

    /// Line and column of a span's start, both from 1; columns count characters.
    pub fn line_col(&self, span: Span) -> (usize, usize) {
        let source = self.get(span.file);
        let line = source.lines.partition_point(|start| *start <= span.lo);
        let start = source.lines[line - 1] as usize;
        (line, source.chars_before(span.lo as usize) - source.chars_before(start) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_and_column_are_those_of_a_plain_count() {
        let long = format!("a\n{}\n{}", "aä€".repeat(500), "b".repeat(3 * BLOCK));
        let full = "a".repeat(BLOCK);
        for text in ["", "a", "\n", "a\n\nbä\r\n\tc", "ä\nö\n", &long, &full] {
            let mut sources = Sources::new();
            let file = sources.add("x", None, text);
            for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                let before = &text[..at];
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
                assert_eq!(sources.line_col(Span::new(file, at, at)), (line, column), "{text:?} at {at}");
                let whole = text.split('\n').nth(line - 1).unwrap_or("").trim_end_matches('\r');
                assert_eq!(sources.line(Span::new(file, at, at)), whole, "{text:?} at {at}");
            }
        }
    }
}
