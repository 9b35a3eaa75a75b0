//! Rows that are windows of steps: what must be true of a section that has them.

use super::Data;
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::sema::ctx::Ctx;
use crate::sema::job::{Amount, Column, RowOrder, Windows};
use crate::syntax::ast::{EntryKind, Ident};

impl<'a> Data<'a> {
    /// Checks the columns that are fed: either all of them are windows of the same steps, cut in order, or none is.
    pub(in crate::sema) fn check_windows(&self, cx: &Ctx<'a>) {
        let columns = self.columns.borrow();
        let Some((first, windows)) = columns.iter().find_map(|c| Some((c, c.windows()?))) else { return };
        for other in columns.iter() {
            match other.windows() {
                Some(own) if own == windows => {}
                Some(_) => cx.report(self.differ(first, other)),
                None => cx.report(self.no_window(first, other, windows)),
            }
        }
        if let Some(split) = &self.split {
            let parted =
                [split.valid, split.test].iter().any(|a| *a != Amount::Nothing) || split.kfold.is_some();
            if parted && split.order != RowOrder::File {
                cx.report(self.unordered(first, split.span, &split.order));
            }
        }
    }

    fn differ(&self, first: &Column, other: &Column) -> Diagnostic {
        let message =
            format!("`{}` and `{}` are windows of different sizes or strides", first.name, other.name);
        let d = Diagnostic::error("data::windows", message, other.span, "another window")
            .label(first.span, "windows of this");
        let (data, x) = (&self.name.name, &first.name);
        d.help(format!(
            "give both the same `windows(…)`, and cut what is fed: `{x} = {data}.{x}[:-1]`, `{0} = {data}.{0}[-1:]`",
            other.name
        ))
    }

    fn no_window(&self, first: &Column, other: &Column, windows: Windows) -> Diagnostic {
        let message =
            format!("a row is a window of {} steps, but `{}` has one value a step", windows.size, other.name);
        let d = Diagnostic::error("data::windows", message, other.span, "no window")
            .label(first.span, "windows of this");
        let (data, name) = (&self.name.name, &other.name);
        d.help(format!(
            "write `{name} = {name} |> windows({})`, and feed the step that is meant: `{data}.{name}[-1]`",
            windows.size
        ))
    }

    fn unordered(&self, column: &Column, split: Span, order: &RowOrder) -> Diagnostic {
        let message = "windows overlap, so a shuffled split would have the same steps in several parts";
        let d = Diagnostic::error("data::windows", message, split, "not in the order of the source")
            .label(column.span, "windows of this");
        if let RowOrder::Time(_) = order {
            return d.help("sort the file by time, and write `ordered = true` instead of `time`");
        }
        let inside = |entry: &crate::syntax::ast::Entry| match &entry.kind {
            EntryKind::Section(s) if &*s.word.name == "split" => s.entries.last().map(|e| e.span.end()),
            _other => None,
        };
        let d = d.help(
            "write `ordered = true` in `split`: the steps are then cut in order, the first for training",
        );
        match self.section.entries.iter().find_map(inside) {
            Some(end) => d.fix("add `ordered = true`", end, "  ordered = true"),
            None => d,
        }
    }
}

/// A column that a feed reads before its rows have one length.
pub(super) fn unpadded(name: &Ident, made: Span) -> Diagnostic {
    let message = format!("the rows of `{}` are of different lengths, and a batch wants one", name.name);
    let d = Diagnostic::error("column::length", message, made, "as long as each text is")
        .label(name.span, "fed here");
    d.help("put `|> pad(n)` behind it, which fills up and cuts, or `|> windows(n)` for one long text")
}
