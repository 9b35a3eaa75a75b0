//! The text that a report shows: long lines cut to what is around the labels.
//!
//! Lines keep their numbers. The place in the header stays the one in the user's text.

use crate::base::{FileId, Sources, Span};
use miette::{LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
use std::borrow::Cow;
use std::ops::Range;

/// Longer lines are cut, in bytes.
const LONG: usize = 240;

/// What is shown of a long line around its labels, in bytes.
const WINDOW: usize = 120;

/// What stands where text is left out.
const DOTS: &str = "…";

/// A source as miette reads it.
pub(super) struct Shown {
    name: String,
    text: String,
    /// Where a label is shown, and its line and column in the user's text, both from 0.
    places: Vec<(usize, (usize, usize))>,
}

/// The text of a file, and labels in it moved to where their text is now. miette cannot point behind
/// the last character, where what is missing would stand: a space makes room.
pub(super) fn shown(
    sources: &Sources,
    file: FileId,
    mut labels: Vec<LabeledSpan>,
) -> (Shown, Vec<LabeledSpan>) {
    let source = sources.get(file);
    let place = |l: &LabeledSpan| {
        let (line, column) = sources.line_col(Span::new(file, l.offset(), l.offset() + l.len()));
        (line - 1, column - 1)
    };
    let places: Vec<_> = labels.iter().map(place).collect();
    let mut text = cut(&without_passwords(&source.text), &mut labels);
    if labels.iter().any(|l| l.offset() + l.len() == text.len()) {
        text.push(' ');
    }
    let places = labels.iter().map(LabeledSpan::offset).zip(places).collect();
    (Shown { name: source.name.clone(), text, places }, labels)
}

/// The text with stars for the passwords of addresses, byte for byte: reports end up in logs.
fn without_passwords(text: &str) -> Cow<'_, str> {
    let mut hidden: Vec<Range<usize>> = Vec::new();
    for (scheme, _) in text.match_indices("://") {
        let start = scheme + 3;
        let ends = |c: char| c == '"' || c == '\'' || c.is_whitespace();
        let end = start + text[start..].find(ends).unwrap_or(text.len() - start);
        let path = start + text[start..end].find(['/', '?']).unwrap_or(end - start);
        if let Some(at) = text[start..path].rfind('@')
            && let Some(colon) = text[start..start + at].find(':')
        {
            hidden.push(start + colon + 1..start + at);
        }
        if let Some(key) = text[path..end].find("password=") {
            let value = path + key + "password=".len();
            hidden.push(value..value + text[value..end].find('&').unwrap_or(end - value));
        }
    }
    if hidden.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut text = text.to_string();
    for range in hidden {
        let stars = "*".repeat(range.len());
        text.replace_range(range, &stars);
    }
    Cow::Owned(text)
}

/// Cuts every long line and moves the labels along.
fn cut(text: &str, labels: &mut [LabeledSpan]) -> String {
    let is_long = |line: &str| line.len() > LONG;
    if !text.split('\n').any(is_long) {
        return text.to_string();
    }
    let old: Vec<Range<usize>> = labels.iter().map(|l| l.offset()..l.offset() + l.len()).collect();
    let mut new = old.clone();
    let (mut out, mut start) = (String::new(), 0);
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end_matches('\n').len();
        let kept = match is_long(line) {
            true => window(text, start..end, &old),
            false => start..end,
        };
        out.push_str(if kept.start > start { DOTS } else { "" });
        let base = out.len();
        out.push_str(&text[kept.clone()]);
        out.push_str(if kept.end < end { DOTS } else { "" });
        let moved = |at: usize| base + at.clamp(kept.start, kept.end) - kept.start;
        for (old, new) in old.iter().zip(&mut new) {
            let here = start..start + line.len();
            if here.contains(&old.start) {
                new.start = moved(old.start);
            }
            if here.contains(&old.end) {
                new.end = moved(old.end);
            }
        }
        out.push_str(&text[end..start + line.len()]);
        start += line.len();
    }
    for (label, (old, new)) in labels.iter_mut().zip(old.into_iter().zip(new)) {
        // Behind the last line there is nothing to be moved along with.
        let at = |was: usize, is: usize| if was >= start { out.len() } else { is };
        let (lo, hi) = (at(old.start, new.start), at(old.end, new.end));
        let place = SourceSpan::from(lo..hi.max(lo));
        let text = label.label().map(str::to_string);
        *label = match label.primary() {
            true => LabeledSpan::new_primary_with_span(text, place),
            false => LabeledSpan::new_with_span(text, place),
        };
    }
    out
}

/// The part of a line around the first label in it; its beginning, if there is none.
fn window(text: &str, line: Range<usize>, labels: &[Range<usize>]) -> Range<usize> {
    let first = labels.iter().find(|l| line.contains(&l.start) || line.contains(&l.end));
    let center = first.map_or(line.start, |l| l.start.max(line.start));
    let mut lo = center.saturating_sub(WINDOW / 3).max(line.start);
    let mut hi = (lo + WINDOW).min(line.end);
    while !text.is_char_boundary(lo) {
        lo += 1;
    }
    while !text.is_char_boundary(hi) {
        hi -= 1;
    }
    lo.min(hi)..hi
}

impl SourceCode for Shown {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let found = self.text.read_span(span, before, after)?;
        // Without context it is asked for the place of a label.
        let label = self.places.iter().find(|(at, _)| (before, after) == (0, 0) && *at == span.offset());
        let (line, column) = label.map_or((found.line(), found.column()), |(_, place)| *place);
        let name = self.name.clone();
        let (data, place, lines) = (found.data(), *found.span(), found.line_count());
        Ok(Box::new(MietteSpanContents::new_named(name, data, place, line, column, lines)))
    }
}

#[cfg(test)]
mod tests {
    use crate::base::{Sources, Span};
    use crate::diag::{Diagnostic, human};

    fn report(text: &str, words: &[&str]) -> String {
        let mut sources = Sources::new();
        let file = sources.add("a.mlspec", None, text);
        let place = |word: &str| {
            let at = text.find(word).unwrap();
            Span::new(file, at, at + word.len())
        };
        let mut d = Diagnostic::error("a::b", "wrong", place(words[0]), "here");
        for word in &words[1..] {
            d = d.label(place(word), "and there");
        }
        human(&sources, &[d])
    }

    #[test]
    fn a_long_line_is_shown_around_its_labels() {
        let filler = "é ".repeat(500);
        let text = format!("one\n{filler}first second{filler}\nthree {filler}\n");
        let shown = report(&text, &["first", "second"]);
        assert!(shown.contains("[a.mlspec:2:1001]"), "{shown}");
        assert!(shown.contains("here") && shown.contains("and there") && shown.contains("…"), "{shown}");
        assert!(shown.lines().all(|l| l.chars().count() < 160), "{shown}");
        let line = shown.lines().find(|l| l.contains("first")).unwrap();
        let under = shown.lines().skip_while(|l| !l.contains("first")).nth(1).unwrap();
        let column = |l: &str, c: &str| l[..l.find(c).unwrap()].chars().count();
        assert_eq!(column(line, "first"), column(under, "^"), "{shown}");
    }

    #[test]
    fn labels_far_apart_and_labels_over_everything_fit() {
        let filler = "x ".repeat(400);
        let text = format!("first {filler}second{filler}last");
        for words in [&["first", "last"][..], &["last", "first"], &[text.as_str()], &["second", "last"]] {
            let shown = report(&text, words);
            assert!(shown.contains("here"), "{shown}");
            assert!(shown.lines().all(|l| l.chars().count() < 160), "{shown}");
        }
    }

    #[test]
    fn passwords_are_stars_of_the_same_length() {
        let shown = |text: &str| super::without_passwords(text).into_owned();
        assert_eq!(
            shown("a(\"postgres://ada:pé@host/db\") b:c@d"),
            "a(\"postgres://ada:***@host/db\") b:c@d"
        );
        assert_eq!(shown("x://h/db?a=b&password=pw&c=d"), "x://h/db?a=b&password=**&c=d");
        for text in ["// see https://example.org:80/a@b", "postgres://ada@host:5432/db", "://", "a://b:c"] {
            assert_eq!(shown(text), text);
        }
    }
}
