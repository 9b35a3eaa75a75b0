//! The values of numbers and strings, with a report where they have none.

use super::*;

impl Builder<'_> {
    pub(super) fn int(&mut self, text: &str, span: Span) -> ExprKind {
        match text.parse() {
            Ok(n) => ExprKind::Int(n),
            Err(_) => {
                self.diagnostics.push(
                    Diagnostic::error(
                        "syntax::number",
                        "this whole number is too large",
                        span,
                        "does not fit in 64 bits",
                    )
                    .help(format!(
                        "the largest is {}; write a float such as `1e20` if you mean a real number",
                        i64::MAX
                    )),
                );
                ExprKind::Broken
            }
        }
    }

    pub(super) fn float(&mut self, text: &str, span: Span) -> Option<f64> {
        let value = text.parse().ok().filter(|x: &f64| x.is_finite());
        if value.is_none() {
            self.diagnostics.push(
                Diagnostic::error(
                    "syntax::number",
                    "this number is too large",
                    span,
                    "beyond the range of f64",
                )
                .help("the largest is about 1.8e308"),
            );
        }
        value
    }

    /// The text of a string literal; `None` with a report if an escape in it means nothing.
    pub(super) fn string(&mut self, pair: &Pair<Rule>) -> Option<String> {
        let text = pair.as_str();
        let base = self.span(pair).lo as usize + 1;
        let inner = &text[1..text.len() - 1];
        let (mut out, mut sound) = (String::new(), true);
        let mut chars = inner.char_indices();
        while let Some((i, c)) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, '\\')) => out.push('\\'),
                Some((_, '"')) => out.push('"'),
                other => {
                    let escaped = other.map_or(String::new(), |(_, c)| c.to_string());
                    let span = Span::new(self.file, base + i, base + i + 1 + escaped.len());
                    self.diagnostics.push(
                        Diagnostic::error("syntax::escape", format!("`\\{escaped}` is no escape"), span, "in this string")
                            .help("write `\\\\` for a backslash; the others are `\\n`, `\\t` and `\\\"`. Paths may use `/` everywhere")
                            .fix("double the backslash", span, format!("\\\\{escaped}")),
                    );
                    sound = false;
                }
            }
        }
        sound.then_some(out)
    }
}
