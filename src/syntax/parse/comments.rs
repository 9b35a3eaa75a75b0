//! Comments find the item or entry that they belong to.
//!
//! Those before a piece and behind its last line become its [`Trivia`], `///`
//! lines its doc; those inside stay with their place in [`File::inner`].

use super::*;

impl Parser<'_> {
    pub(super) fn comments_in(&self, lo: usize, hi: usize) -> std::ops::Range<usize> {
        let index = |at: usize| self.comments.partition_point(|c| (c.at as usize) < at);
        index(lo)..index(hi)
    }

    /// Comments and blank lines before a piece; `///` lines are its doc.
    pub(super) fn leading(&mut self, from: usize, lo: usize) -> (Vec<String>, Option<String>) {
        let (mut before, mut doc) = (Vec::new(), Vec::new());
        let mut at = from;
        let first = self.tokens.partition_point(|t| t.hi <= from);
        let opens = first == 0 || matches!(self.tokens[first - 1].kind, Kind::Open(_));
        for i in self.comments_in(from, lo) {
            let comment = &self.comments[i];
            let start = comment.at as usize;
            if blank_line(&self.text[at..start]) && !(opens && before.is_empty()) && doc.is_empty() {
                before.push(String::new());
            }
            match comment.text.strip_prefix("///").filter(|rest| !rest.starts_with('/')) {
                Some(line) => doc.push(line.strip_prefix(' ').unwrap_or(line).to_string()),
                None => before.push(comment.text.clone()),
            }
            at = start + comment.text.len();
            self.held[i] = true;
        }
        if blank_line(&self.text[at..lo]) && !(opens && before.is_empty()) && doc.is_empty() {
            before.push(String::new());
        }
        (before, (!doc.is_empty()).then(|| doc.join("\n")))
    }

    /// Comments behind the last piece of a section or file.
    pub(super) fn rest(&mut self, from: usize, hi: usize) -> Vec<String> {
        let (mut lines, mut at) = (Vec::new(), from);
        for i in self.comments_in(from, hi) {
            let start = self.comments[i].at as usize;
            if blank_line(&self.text[at..start]) {
                lines.push(String::new());
            }
            lines.push(self.comments[i].text.clone());
            at = start + self.comments[i].text.len();
            self.held[i] = true;
        }
        lines
    }

    /// The comment behind a piece on its last line, and where the text after both goes on.
    pub(super) fn trailing(&mut self, span: Span) -> (Option<String>, usize) {
        let hi = span.hi as usize;
        let i = self.comments_in(0, hi).end;
        let Some(comment) = self.comments.get(i) else { return (None, hi) };
        let at = comment.at as usize;
        // The next token comes before a search for the end of the line: lines may be long.
        let next = self.tokens.partition_point(|t| t.lo < hi);
        let behind = self.tokens.get(next).is_none_or(|t| at < t.lo) && !self.text[hi..at].contains('\n');
        if !behind {
            return (None, hi);
        }
        self.held[i] = true;
        (Some(comment.text.clone()), self.text[at..].find('\n').map_or(self.text.len(), |n| at + n))
    }

    /// Behind the comment on the line that ends at `hi`, if there is one.
    pub(super) fn behind(&mut self, hi: usize) -> usize {
        self.trailing(Span::new(self.file, hi, hi)).1
    }
}

fn blank_line(space: &str) -> bool {
    space.matches('\n').count() >= 2
}
