//! Changes to a text.

use crate::base::{FileId, Span};

/// Puts `text` in the place of what a span covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub span: Span,
    pub text: String,
}

/// The text with edits that do not overlap; of those at one place, the first comes first.
pub fn applied(text: &str, edits: &[Edit]) -> String {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|edit| (edit.span.lo, edit.span.hi));
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for edit in sorted {
        let range = edit.span.range();
        debug_assert!(at <= range.start, "edit: edits do not overlap");
        out.push_str(&text[at..range.start]);
        out.push_str(&edit.text);
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}

/// From so many comparisons of lines on, one edit replaces them all.
const MOST: usize = 4_000_000;

/// Edits of whole lines that turn `old` into `new`, as few lines as can be, so that cursors and folds of the
/// others stay where they are.
pub fn between(file: FileId, old: &str, new: &str) -> Vec<Edit> {
    let (a, b): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let (a_rest, b_rest) = (&a[head..], &b[head..]);
    let tail = a_rest.iter().rev().zip(b_rest.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a_mid, b_mid) = (&a_rest[..a_rest.len() - tail], &b_rest[..b_rest.len() - tail]);
    let start: usize = a[..head].iter().map(|line| line.len()).sum();
    let hunks = match a_mid.len().saturating_mul(b_mid.len()) {
        0 => vec![(0..a_mid.len(), 0..b_mid.len())],
        n if n > MOST => vec![(0..a_mid.len(), 0..b_mid.len())],
        _few => hunks(a_mid, b_mid),
    };
    let place = |line: usize| start + a_mid[..line].iter().map(|line| line.len()).sum::<usize>();
    let edit = |(from, to): (std::ops::Range<usize>, std::ops::Range<usize>)| Edit {
        span: Span::new(file, place(from.start), place(from.end)),
        text: b_mid[to].concat(),
    };
    hunks
        .into_iter()
        .map(edit)
        .filter(|edit| !edit.span.range().is_empty() || !edit.text.is_empty())
        .collect()
}

type Hunk = (std::ops::Range<usize>, std::ops::Range<usize>);

/// The lines that differ, by the longest common subsequence.
fn hunks(a: &[&str], b: &[&str]) -> Vec<Hunk> {
    let width = b.len() + 1;
    // How many lines the rests behind (i, j) share at most.
    let mut shared = vec![0_u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            shared[i * width + j] = match a[i] == b[j] {
                true => shared[(i + 1) * width + j + 1] + 1,
                false => shared[(i + 1) * width + j].max(shared[i * width + j + 1]),
            };
        }
    }
    let (mut all, mut i, mut j): (Vec<Hunk>, usize, usize) = (Vec::new(), 0, 0);
    let (mut from, mut to) = (0, 0);
    let mut close = |i: usize, j: usize, from: usize, to: usize| {
        if (from, to) != (i, j) {
            all.push((from..i, to..j));
        }
    };
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            close(i, j, from, to);
            (i, j) = (i + 1, j + 1);
            (from, to) = (i, j);
        } else if shared[(i + 1) * width + j] >= shared[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    close(a.len(), b.len(), from, to);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_between_two_texts_make_the_one_the_other() {
        let texts =
            ["", "a\n", "a\nb\nc\n", "a\nx\nc\n", "x\nb\n", "a\nb", "\n\n", "c\nb\na\nb\nc\n", "a\r\nb\n"];
        for old in texts {
            for new in texts {
                let edits = between(FileId(0), old, new);
                assert_eq!(applied(old, &edits), new, "{old:?} to {new:?} by {edits:?}");
                assert_eq!(old == new, edits.is_empty());
            }
        }
    }

    #[test]
    fn lines_that_stay_are_not_touched() {
        let edits = between(FileId(0), "a\nb\nc\nd\n", "a\nB\nc\nD\n");
        let touched: Vec<_> = edits.iter().map(|e| (e.span.range(), e.text.as_str())).collect();
        assert_eq!(touched, [(2..4, "B\n"), (6..8, "D\n")]);
    }
}
