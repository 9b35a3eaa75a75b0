//! Items that were parsed before, found again by their text.
//!
//! An editor's text is parsed at every key and differs in one item. What an item parses to depends on its text and on
//! where its brackets end alone, if it stands at the margin and so does the word behind it; so the rest
//! is moved and not read again. An item with a mistake is read again each time.

use super::*;
use crate::syntax::shift::Shift;
use std::collections::BTreeMap;

/// The items of the last text; start with an empty one.
#[derive(Debug, Default)]
pub struct Memo {
    items: BTreeMap<Arc<str>, Known>,
}

#[derive(Clone, Debug)]
struct Known {
    kind: Arc<ItemKind>,
    /// Where its first token stood.
    lo: usize,
    /// The ends of its tokens' brackets, counted from its first token.
    ends: Vec<Option<(usize, bool)>>,
    /// Which of the comments inside some piece holds.
    held: Vec<bool>,
}

impl Parser<'_> {
    /// The item at a token, from memory or read; what was read is remembered.
    pub(super) fn item_again(&mut self, at: usize, memo: &Memo, next: &mut Memo) -> Piece<ItemKind> {
        let Some(end) = self.margin_end(at) else { return self.item(at) };
        let text = &self.text[self.tokens[at].lo..self.tokens[end - 1].hi];
        let ends = self.ends(at, end);
        let known = memo.items.get(text).filter(|known| known.ends == ends).cloned();
        if let Some(known) = known {
            let kind = self.moved(at, end, &known);
            next.items.insert(text.into(), known);
            return Ok((kind, end));
        }
        let before = self.diagnostics.len();
        let read = self.item(at)?;
        if self.diagnostics.len() == before && read.1 == end {
            let comments = self.comments_in(self.tokens[at].lo, self.tokens[end - 1].hi);
            let held = self.held[comments].to_vec();
            let known = Known { kind: Arc::new(read.0.clone()), lo: self.tokens[at].lo, ends, held };
            next.items.insert(text.into(), known);
        }
        Ok(read)
    }

    /// A known item at its place in this text.
    fn moved(&mut self, at: usize, end: usize, known: &Known) -> ItemKind {
        let comments = self.comments_in(self.tokens[at].lo, self.tokens[end - 1].hi);
        for (held, was) in self.held[comments].iter_mut().zip(&known.held) {
            *held |= was;
        }
        let mut kind = (*known.kind).clone();
        let by = self.tokens[at].lo as i64 - known.lo as i64;
        if by != 0 {
            Shift(by).item(&mut kind);
        }
        kind
    }

    /// The first token behind the item at `at` that starts a line at the margin, if such a word ends the item for
    /// sure; the end of the text does.
    fn margin_end(&self, at: usize) -> Option<usize> {
        self.at_margin(at).then_some(())?;
        let mut i = at;
        loop {
            i = match self.brackets.ends[i] {
                Some(group) if group.closed => group.at + 1,
                Some(_) => return None,
                None => i + 1,
            };
            if i >= self.tokens.len() {
                return Some(self.tokens.len());
            }
            if self.at_margin(i) {
                // `in` and `as` go on with what stands before them.
                return self.word(i).filter(|word| !RESERVED.contains(word)).map(|_| i);
            }
        }
    }

    pub(super) fn at_margin(&self, i: usize) -> bool {
        let lo = self.tokens[i].lo;
        lo == 0 || self.text.as_bytes()[lo - 1] == b'\n'
    }

    fn ends(&self, at: usize, end: usize) -> Vec<Option<(usize, bool)>> {
        let ends = &self.brackets.ends[at..end];
        ends.iter().map(|group| group.map(|group| (group.at - at, group.closed))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::{parse, parse_again};

    fn same(text: &str, memo: &mut Memo) {
        let mut sources = Sources::new();
        let file = sources.add("x", None, text);
        let (fresh, wrong) = parse(&sources, file);
        let (again, found) = parse_again(&sources, file, memo);
        assert_eq!(format!("{fresh:?}"), format!("{again:?}"), "{text}");
        assert_eq!(wrong.sorted(), found.sorted(), "{text}");
    }

    const TEXT: &str = "mlspec 1\n\n/// doc 😀\nparam n: int = 3 // three\n  in [1, 3]\ndim T <= 8\n\
        op f(x: f32[..s], k: int = 2) -> f32[..s] =\n  -x^k * (2 + x[1:, 0])\n\n\
        block Mix(n: int) (x: f32[B, n]) -> (y: f32[B, n]) { // body\n  let a, b = x |> repeat(i in 1..2) Dense(n) as h\n\
        \n  // last\n}\ndata d {\n  source = csv(\"a\", columns=[a, b])  // why\n  a, b : standardize\n  split { train = 80% }\n}\n\
        model M {\n  input x: f32[B, _]\n  output y: f32[B, n] = (x, x) |> Mix(n) // in a list:\n}\n\
        train { metrics = [f1 by a]  loss = M.y }\n// the end\n";

    #[test]
    fn every_prefix_is_read_as_if_anew() {
        let mut memo = Memo::default();
        for (at, _) in TEXT.char_indices() {
            same(&TEXT[..at], &mut memo);
        }
        same(TEXT, &mut memo);
    }

    /// Each character left out, doubled, or replaced by a sign that breaks things.
    #[test]
    fn every_small_change_is_read_as_if_anew() {
        let mut memo = Memo::default();
        for (at, c) in TEXT.char_indices() {
            let (head, tail) = (&TEXT[..at], &TEXT[at + c.len_utf8()..]);
            for new in ["", "(", "}", "\n", "in ", "// ", "\"", "é"] {
                same(&format!("{head}{new}{tail}"), &mut memo);
            }
            same(TEXT, &mut memo);
        }
    }

    #[test]
    fn what_stays_is_not_read_again() {
        let mut memo = Memo::default();
        same(TEXT, &mut memo);
        let before: Vec<_> = memo.items.values().map(|known| Arc::as_ptr(&known.kind)).collect();
        assert_eq!(before.len(), 7, "{:?}", memo.items.keys());
        same(&TEXT.replace("int = 3 //", "int = 33 //"), &mut memo);
        let stayed = memo.items.values().filter(|known| before.contains(&Arc::as_ptr(&known.kind))).count();
        assert_eq!(stayed, 6);
    }
}
