//! Places in a text: bytes here, lines and columns in the protocol.
//!
//! A column counts bytes, UTF-16 units or characters, as client and server agreed at the start.
//! What a client sends may lie anywhere: behind a line's end it means the end, inside a character
//! its start.

use crate::base::Span;
use gen_lsp_types::{Position, PositionEncodingKind, Range};

/// What a column counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    /// What every client knows, and the protocol's default.
    #[default]
    Utf16,
    Utf32,
}

impl Encoding {
    /// The cheapest one that a client offers; texts are bytes here.
    pub fn best<'a>(offered: impl IntoIterator<Item = &'a str>) -> Encoding {
        let named = |name: &str| match name {
            "utf-8" => Some(Encoding::Utf8),
            "utf-16" => Some(Encoding::Utf16),
            "utf-32" => Some(Encoding::Utf32),
            _unknown => None,
        };
        let known: Vec<Encoding> = offered.into_iter().filter_map(named).collect();
        match known.contains(&Encoding::Utf8) {
            true => Encoding::Utf8,
            false => known.first().copied().unwrap_or_default(),
        }
    }

    pub fn kind(self) -> PositionEncodingKind {
        match self {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
            Encoding::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    /// How many columns a text takes.
    pub fn width(self, text: &str) -> u32 {
        let width = match self {
            Encoding::Utf8 => text.len(),
            _ if text.is_ascii() => text.len(),
            Encoding::Utf16 => text.encode_utf16().count(),
            Encoding::Utf32 => text.chars().count(),
        };
        u32::try_from(width).expect("place: texts are under 4 GiB")
    }

    /// The byte at a column of a line; the line's length behind its end.
    fn byte(self, line: &str, column: u32) -> usize {
        let column = column as usize;
        if self == Encoding::Utf8 || line.is_ascii() {
            let mut at = column.min(line.len());
            while !line.is_char_boundary(at) {
                at -= 1;
            }
            return at;
        }
        let mut passed = 0;
        for (at, c) in line.char_indices() {
            passed += match self {
                Encoding::Utf16 => c.len_utf16(),
                Encoding::Utf8 | Encoding::Utf32 => 1,
            };
            if passed > column {
                return at;
            }
        }
        line.len()
    }
}

/// Where the lines of one text start. A line ends with `\n`, `\r\n` or `\r`.
#[derive(Clone, Debug)]
pub struct Lines {
    starts: Vec<usize>,
    encoding: Encoding,
}

impl Lines {
    pub fn of(text: &str, encoding: Encoding) -> Lines {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(i, b)| match b {
            b'\n' => true,
            b'\r' => bytes.get(i + 1) != Some(&b'\n'),
            _other => false,
        });
        let starts = std::iter::once(0).chain(ends.map(|(i, _)| i + 1)).collect();
        Lines { starts, encoding }
    }

    /// The line that a byte lies in, from 0.
    pub fn line(&self, at: usize) -> u32 {
        (self.starts.partition_point(|start| *start <= at) - 1) as u32
    }

    pub fn position(&self, text: &str, at: usize) -> Position {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let line = self.line(at);
        let start = self.starts[line as usize];
        Position { line, character: self.encoding.width(&text[start..at]) }
    }

    pub fn byte(&self, text: &str, at: Position) -> usize {
        let Some(start) = self.starts.get(at.line as usize).copied() else { return text.len() };
        let end = self.starts.get(at.line as usize + 1).copied().unwrap_or(text.len());
        let line = text[start..end].trim_end_matches(['\n', '\r']);
        start + self.encoding.byte(line, at.character)
    }

    pub fn range(&self, text: &str, span: Span) -> Range {
        let range = span.range();
        Range { start: self.position(text, range.start), end: self.position(text, range.end) }
    }

    /// The bytes of a range; one whose ends are swapped means the same.
    pub fn bytes(&self, text: &str, range: Range) -> std::ops::Range<usize> {
        let (a, b) = (self.byte(text, range.start), self.byte(text, range.end));
        a.min(b)..a.max(b)
    }

    pub fn encoding(&self) -> Encoding {
        self.encoding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a😀b\r\nä\rc\n";

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn columns_are_counted_as_agreed() {
        let behind_emoji = TEXT.find('b').unwrap();
        for (encoding, column) in [(Encoding::Utf8, 5), (Encoding::Utf16, 3), (Encoding::Utf32, 2)] {
            let lines = Lines::of(TEXT, encoding);
            assert_eq!(lines.position(TEXT, behind_emoji), at(0, column));
            assert_eq!(lines.byte(TEXT, at(0, column)), behind_emoji);
        }
    }

    #[test]
    fn every_place_comes_back() {
        for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
            let lines = Lines::of(TEXT, encoding);
            // The `\n` of `\r\n` has no place of its own.
            for (byte, _) in TEXT.char_indices().filter(|(i, _)| !TEXT[..*i].ends_with("\r") || *i > 8) {
                assert_eq!(lines.byte(TEXT, lines.position(TEXT, byte)), byte, "{encoding:?} {byte}");
            }
        }
    }

    #[test]
    fn places_outside_mean_the_nearest_inside() {
        let lines = Lines::of(TEXT, Encoding::Utf16);
        assert_eq!(lines.byte(TEXT, at(0, 99)), TEXT.find('\r').unwrap(), "before the line's end");
        assert_eq!(lines.byte(TEXT, at(0, 2)), 1, "inside the emoji");
        assert_eq!(lines.byte(TEXT, at(99, 0)), TEXT.len());
        assert_eq!(lines.position(TEXT, 999), at(3, 0));
        let swapped = Range { start: at(3, 0), end: at(0, 0) };
        assert_eq!(lines.bytes(TEXT, swapped), 0..TEXT.len());
    }

    #[test]
    fn a_lone_carriage_return_ends_a_line() {
        let lines = Lines::of(TEXT, Encoding::Utf16);
        assert_eq!(lines.position(TEXT, TEXT.find('c').unwrap()), at(2, 0));
    }

    #[test]
    fn the_best_encoding_is_bytes_and_the_default_utf_16() {
        assert_eq!(Encoding::best(["utf-16", "utf-8"]), Encoding::Utf8);
        assert_eq!(Encoding::best(["utf-32", "utf-16"]), Encoding::Utf32);
        assert_eq!(Encoding::best(["utf-7"]), Encoding::Utf16);
        assert_eq!(Encoding::best([]), Encoding::Utf16);
    }
}
