//! Matches brackets before anything else is read.
//!
//! Balanced texts are matched plainly. In others, line starts tell where a
//! bracket was forgotten: a list goes on behind a comma only, and a section
//! head at the left margin is not inside another section. A forgotten bracket
//! is closed where it ought to have been, so that what follows still parses.

use super::scan::{Bracket, Kind, Token};

/// Brackets may be this deep in each other: far more than any spec needs, and
/// few enough for every recursive walk over the tree.
pub const MAX_DEPTH: usize = 64;

/// Where an opening bracket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The closing token, or the first token that is not inside any more.
    pub at: usize,
    /// Whether the closing token is there.
    pub closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The token opens a bracket that nothing closes.
    NeverClosed(usize),
    /// The token closes nothing.
    ClosesNothing(usize),
    /// The token opens one bracket too many.
    TooDeep(usize),
}

pub struct Brackets {
    /// For each token that opens a bracket: its end.
    pub ends: Vec<Option<End>>,
    /// By token.
    pub faults: Vec<Fault>,
}

impl Fault {
    fn token(self) -> usize {
        match self {
            Fault::NeverClosed(i) | Fault::ClosesNothing(i) | Fault::TooDeep(i) => i,
        }
    }
}

impl Brackets {
    pub fn closes_nothing(&self, i: usize) -> bool {
        // A token that closes nothing has no other fault.
        let found = self.faults.binary_search_by_key(&i, |f| f.token());
        found.is_ok_and(|n| matches!(self.faults[n], Fault::ClosesNothing(_)))
    }
}

pub fn brackets(text: &str, tokens: &[Token]) -> Brackets {
    let plain = Matcher::run(text, tokens, false);
    if plain.faults.is_empty() { plain } else { Matcher::run(text, tokens, true) }
}

struct Matcher<'a> {
    text: &'a str,
    tokens: &'a [Token],
    stack: Vec<(usize, Bracket)>,
    out: Brackets,
}

impl Matcher<'_> {
    fn run(text: &str, tokens: &[Token], by_lines: bool) -> Brackets {
        let out = Brackets { ends: vec![None; tokens.len()], faults: Vec::new() };
        let mut m = Matcher { text, tokens, stack: Vec::new(), out };
        for (i, token) in tokens.iter().enumerate() {
            if by_lines && token.starts_line {
                m.close_forgotten(i);
            }
            match token.kind {
                Kind::Open(bracket) => {
                    if m.stack.len() == MAX_DEPTH {
                        // Nothing is read then, so the rest need not be matched.
                        m.out.faults.push(Fault::TooDeep(i));
                        break;
                    }
                    m.stack.push((i, bracket));
                }
                Kind::Close(bracket) => m.close(i, bracket),
                Kind::OpenStr => m.close_swallowed(i),
                Kind::Word | Kind::Number | Kind::Str | Kind::Sign | Kind::Foreign => {}
            }
        }
        m.drop_to(0, tokens.len());
        m.out.faults.sort_by_key(|f| f.token());
        m.out
    }

    fn close(&mut self, i: usize, bracket: Bracket) {
        match self.stack.iter().rposition(|(_, open)| *open == bracket) {
            // `{ ( ]`: a wrong bracket inside a section does not end the section.
            Some(depth) if bracket == Bracket::Curly || !self.curly_above(depth) => {
                self.drop_to(depth + 1, i);
                let (open, _) = self.stack.pop().expect("brackets: rposition is inside the stack");
                self.out.ends[open] = Some(End { at: i, closed: true });
            }
            Some(_) | None => self.out.faults.push(Fault::ClosesNothing(i)),
        }
    }

    fn curly_above(&self, depth: usize) -> bool {
        self.stack[depth..].iter().any(|(_, b)| *b == Bracket::Curly)
    }

    /// Reports what is open beyond `depth` and ends it before token `i`.
    fn drop_to(&mut self, depth: usize, i: usize) {
        while self.stack.len() > depth {
            self.pop_open(i);
            let (open, _) = self.stack.pop().expect("brackets: just seen");
            self.out.faults.push(Fault::NeverClosed(open));
        }
    }

    fn pop_open(&mut self, i: usize) {
        if let Some((open, _)) = self.stack.last() {
            self.out.ends[*open] = Some(End { at: i, closed: false });
        }
    }

    /// The line that token `i` starts cannot be inside what is open.
    fn close_forgotten(&mut self, i: usize) {
        if self.tokens[i].kind != Kind::Word {
            return;
        }
        if self.heads_item(i) {
            return self.drop_to(0, i);
        }
        let goes_on = i > 0
            && !matches!(self.tokens[i - 1].kind, Kind::Word | Kind::Number | Kind::Str)
            && !matches!(self.tokens[i - 1].kind, Kind::Close(_) | Kind::OpenStr);
        if !goes_on {
            let kept = self.stack.iter().rposition(|(_, b)| *b == Bracket::Curly).map_or(0, |d| d + 1);
            self.drop_to(kept, i);
        }
    }

    /// At the left margin, and looks like `model Mlp {` or `param n: int`.
    fn heads_item(&self, i: usize) -> bool {
        let token = self.tokens[i];
        let margin = token.lo == 0 || self.text.as_bytes()[token.lo - 1] == b'\n';
        let kind = |n: usize| self.tokens.get(i + n).map(|t| t.kind);
        let curly = Some(Kind::Open(Bracket::Curly));
        let head = kind(1) == Some(Kind::Word) || kind(1) == curly;
        margin && head && !["let", "input", "output"].contains(&&self.text[token.lo..token.hi])
    }

    /// What an unclosed string swallowed is not to be missed a second time.
    fn close_swallowed(&mut self, i: usize) {
        let token = self.tokens[i];
        let line_start = self.text[..token.lo].rfind('\n').map_or(0, |n| n + 1);
        let curly_too = self.text[token.lo..token.hi].contains('}');
        while let Some((open, bracket)) = self.stack.last().copied() {
            let here = self.tokens[open].lo >= line_start;
            if !here || (bracket == Bracket::Curly && !curly_too) {
                break;
            }
            self.pop_open(i + 1);
            self.stack.pop();
        }
    }
}
