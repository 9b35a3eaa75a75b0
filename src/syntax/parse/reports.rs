//! What the parser itself has to say; pest's errors are put in words by `expect`.

use super::*;
use crate::syntax::brackets::MAX_DEPTH;

impl Parser<'_> {
    pub(super) fn missing_value(&mut self, next: usize) {
        let sign = self.tokens[next - 1];
        let text = &self.text[sign.lo..sign.hi];
        let head = self.tokens[next];
        self.diagnostics.push(
            Diagnostic::error(
                "syntax::value",
                format!("nothing stands behind `{text}`"),
                Span::new(self.file, sign.lo, sign.hi),
                "expected a value behind this",
            )
            .help(format!(
                "write the value, or take the `{text}` away; `{}` on the next line starts something new",
                &self.text[head.lo..head.hi]
            )),
        );
    }

    pub(super) fn report(
        &mut self,
        error: &pest::error::Error<Rule>,
        lo: usize,
        hi: usize,
        piece: expect::Piece,
    ) {
        let context = expect::Context { text: self.text, file: self.file, tokens: self.tokens, hi };
        self.diagnostics.push(context.explain(error, lo, piece));
    }

    pub(super) fn unexpected(&mut self, at: usize, piece: expect::Piece) {
        let context =
            expect::Context { text: self.text, file: self.file, tokens: self.tokens, hi: self.text.len() };
        self.diagnostics.push(context.stray(at, piece));
    }

    pub(super) fn report_faults(&mut self) {
        let deep = |f: &&Fault| matches!(f, Fault::TooDeep(_));
        let faults = match self.brackets.faults.iter().find(deep) {
            Some(deep) => vec![*deep],
            None => self.brackets.faults.clone(),
        };
        for fault in faults {
            // What is wrong is said at the colon that stands for its `{`.
            if matches!(fault, Fault::ClosesNothing(i) if self.ends_by_brace(i)) {
                continue;
            }
            let (i, message, label, help) = match fault {
                Fault::NeverClosed(i) => (i, "is never closed", "opened here", "add the missing"),
                Fault::ClosesNothing(i) => {
                    (i, "closes nothing", "no bracket is open here", "take it away, or open it before with")
                }
                Fault::TooDeep(i) => {
                    let t = self.tokens[i];
                    self.diagnostics.push(
                        Diagnostic::error(
                            "syntax::deep",
                            "brackets are nested too deep",
                            Span::new(self.file, t.lo, t.hi),
                            "one level too many",
                        )
                        .help(format!(
                            "at most {} fit into each other; give inner parts names with `let`",
                            MAX_DEPTH
                        )),
                    );
                    return;
                }
            };
            let t = self.tokens[i];
            let (sign, other) = match t.kind {
                Kind::Open(b) => (b.open(), b.close()),
                Kind::Close(b) => (b.close(), b.open()),
                other => unreachable!("brackets: {other:?} is no bracket"),
            };
            let mut d = Diagnostic::error(
                "syntax::unbalanced",
                format!("`{sign}` {message}"),
                Span::new(self.file, t.lo, t.hi),
                label,
            )
            .help(format!("{help} `{other}`"));
            if let (Fault::NeverClosed(_), Some(end)) = (fault, self.brackets.ends[i]) {
                let missing = end.at.checked_sub(1).map_or(0, |last| self.tokens[last].hi);
                d = match self.commented_out(missing, other) {
                    Some(comment) => d
                        .label(comment, format!("a comment from here on, `{other}` and all"))
                        .help("`//` starts a comment; sizes divide by `/`, and exactly: `256 / 2`"),
                    None => d.label(
                        Span::new(self.file, missing, missing),
                        format!("`{other}` is missed here at the latest"),
                    ),
                };
            }
            self.diagnostics.push(d);
        }
    }

    /// The comment behind byte `lo` on its line, if it holds the missing bracket: `Dense(256 // 2)`.
    fn commented_out(&self, lo: usize, missing: char) -> Option<Span> {
        let line = self.text[lo..].lines().next().unwrap_or_default();
        let from = lo + line.len() - line.trim_start().len();
        let comment = self.text[from..lo + line.len()].strip_prefix("//")?;
        let divides = comment.trim_start().starts_with(|c: char| c.is_ascii_alphanumeric());
        (divides && comment.contains(missing)).then(|| Span::new(self.file, from, from + 2))
    }

    pub(super) fn report_open_strings(&mut self) {
        for t in self.tokens.iter().filter(|t| t.kind == Kind::OpenStr) {
            self.diagnostics.push(
                Diagnostic::error(
                    "syntax::string",
                    "this string does not end",
                    Span::new(self.file, t.lo, t.hi),
                    "runs to the end of the line",
                )
                .help("close it with `\"`; a string stays on one line, `\\n` is a line break in it"),
            );
        }
    }
}
