//! Columns that rows are grouped by, for metrics.

use super::Data;
use super::how::How;
use super::rows::{column, pending};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::sema::ctx::Ctx;
use crate::syntax::ast::Ident;

/// The group of each row, `i32[B]`, and the column of the batch that it is. `None` is reported.
pub(in crate::sema) fn group<'a>(
    cx: &Ctx<'a>,
    data: &Data<'a>,
    name: &Ident,
    b: &mut Builder,
) -> Option<(Value, String)> {
    let typed = data.typed.iter().find(|(n, _)| n.name == name.name);
    if matches!(typed, Some((_, How::Poison))) || data.source.is_none() {
        return None;
    }
    if data.classes(&name.name).is_some() {
        let value = column(cx, data, name, pending(data), None, b)?;
        return Some((value, name.name.to_string()));
    }
    let made = typed.is_some() || data.derived.iter().any(|(n, _)| n.name == name.name);
    if !made && data.known_columns().is_some_and(|all| all.iter().all(|c| **c != *name.name)) {
        data.no_column(cx, name);
        return None;
    }
    cx.report(no_groups(&name.name, name, &data.name.name));
    None
}

/// What stands behind `by` makes no groups.
fn no_groups(column: &str, at: &Ident, data: &str) -> Diagnostic {
    let message = format!("`{column}` makes no groups of rows");
    let d = Diagnostic::error("metric::by", message, at.span, "no classes");
    d.help(format!("group by a column that has classes: write `{column} : class` in `{data}`"))
}
