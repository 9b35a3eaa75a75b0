//! Columns that rows are grouped by, for metrics.

use super::Data;
use super::columns::Found;
use super::how::How;
use super::rows::{column, pending, stored};
use crate::base::{DType, TensorType};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::ops::transform::Unknown;
use crate::sema::ctx::Ctx;
use crate::sema::job::{Column, ColumnKind, Encode, Field};
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
    let ids = if made { ids(cx, data, name) } else { None };
    let Some(column) = ids else {
        cx.report(no_groups(name, &data.name.name));
        return None;
    };
    let group = column.name.clone();
    Some((stored(data, column, b), group))
}

/// The ids of a column of categories, whatever it is to the model: what no training row has is a group of its
/// own.
fn ids<'a>(cx: &Ctx<'a>, data: &Data<'a>, name: &Ident) -> Option<Column> {
    let Found::Stored(column) = data.lookup(cx, name, pending(data), None) else { return None };
    let ColumnKind::One(field) = &column.kind else { return None };
    let (last, before) = field.how.split_last()?;
    let (Encode::OneHot(unknown) | Encode::Category(unknown)) = last else { return None };
    let unknown = match unknown {
        Unknown::Error => Unknown::Error,
        Unknown::Other | Unknown::Ignore => Unknown::Other,
    };
    let how = [before, &[Encode::Category(unknown)]].concat();
    let kind = ColumnKind::One(Field { how, ..field.clone() });
    let ty = TensorType::scalar(DType::I32);
    Some(Column { name: format!("{}.group", name.name), kind, ty, ..column })
}

/// What stands behind `by` makes no groups.
fn no_groups(at: &Ident, data: &str) -> Diagnostic {
    let message = format!("`{}` makes no groups of rows", at.name);
    let d = Diagnostic::error("metric::by", message, at.span, "no classes");
    d.help(format!("group by a column that has classes: write `{} : class` in `{data}`", at.name))
}
