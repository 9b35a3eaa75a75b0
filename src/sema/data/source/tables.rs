//! Settings of tables of text: separators, signs, missing words.

use super::{Args, Call, or};
use crate::base::Span;
use crate::sema::job::{Dialect, SourceKind};
use crate::sema::names::duplicate;
use crate::syntax::ast::{Expr, ExprKind, Ident};

impl Call<'_, '_> {
    pub(super) fn text_table(&self, args: &Args, usual: u8) -> Option<SourceKind> {
        let [_, columns, sep, decimal, missing, skip, comment, header] = args.as_slice() else {
            unreachable!("bind: one result for each slot")
        };
        let dialect = Dialect {
            columns: or(columns, None, |e| self.names("columns", e).map(Some))?,
            sep: or(sep, usual, |e| self.sign("sep", e))?,
            decimal: or(decimal, b'.', |e| self.sign("decimal", e))?,
            missing: or(missing, vec![String::new()], |e| self.missing(e))?,
            skip: or(skip, 0, |e| self.cx.count("skip", e, 0).map(|n| n as usize))?,
            comment: or(comment, None, |e| self.sign("comment", e).map(Some))?,
            header: or(header, true, |e| self.cx.flag("header", e))?,
        };
        Some(SourceKind::Csv { path: self.path(args)?, dialect })
    }

    /// Words or texts, each once.
    pub(super) fn names(&self, what: &str, expr: &Expr) -> Option<Vec<String>> {
        let ExprKind::List(items) = &expr.bare().kind else {
            self.cx.wants(what, "a list of names: `[a, b]`", "value", expr.span);
            return None;
        };
        let mut seen: Vec<(String, Span)> = Vec::new();
        for item in items {
            let name = self.cx.word(what, item)?;
            if let Some((_, first)) = seen.iter().find(|(n, _)| *n == name) {
                self.cx.report(duplicate(&Ident { name: name.as_str().into(), span: item.span }, *first));
                continue;
            }
            seen.push((name, item.span));
        }
        Some(seen.into_iter().map(|(name, _)| name).collect())
    }

    /// One ASCII character in quotes.
    fn sign(&self, what: &str, expr: &Expr) -> Option<u8> {
        let text = self.cx.string(what, expr)?;
        match text.as_bytes() {
            [sign] if sign.is_ascii() => Some(*sign),
            _ => {
                self.cx.wants(what, "one character in quotes", "longer string", expr.span);
                None
            }
        }
    }

    /// One string or several; an empty cell is always missing.
    pub(super) fn missing(&self, expr: &Expr) -> Option<Vec<String>> {
        let mut all = vec![String::new()];
        match &expr.bare().kind {
            ExprKind::List(items) => {
                for item in items {
                    all.push(self.cx.string("missing", item)?);
                }
            }
            _ => all.push(self.cx.string("missing", expr)?),
        }
        all.dedup();
        Some(all)
    }
}
