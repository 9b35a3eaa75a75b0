//! Arithmetic on columns: derived ones are computed in the graph, row by row.

use super::Data;
use super::columns::{Found, is_function};
use super::how::{How, chain, is_transform};
use crate::base::{DType, Dim, TensorType};
use crate::graph::{Builder, Value};
use crate::ops::formula::{Checked, Eval, Item, Never, Reported, Scope};
use crate::sema::consts;
use crate::sema::ctx::Ctx;
use crate::sema::job::Column;
use crate::sema::model::cut;
use crate::syntax::ast::{Expr, ExprKind, Ident};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Arithmetic on columns: names are columns of one section.
#[derive(Clone, Copy)]
struct Rows<'d, 'c, 'a> {
    cx: &'c Ctx<'a>,
    data: &'d Data<'a>,
    /// Only derived columns before this one are in reach.
    before: usize,
    /// What the use expects of a batch.
    row: Option<&'d TensorType>,
    /// Derived columns by their place, each computed once; `None` is reported.
    made: &'d RefCell<BTreeMap<usize, Option<Value>>>,
    /// Where stored columns go that are read; without it, into the batch.
    inputs: Option<&'d RefCell<Vec<Column>>>,
}

impl Scope for Rows<'_, '_, '_> {
    type Entity = Never;

    fn expr(ev: &mut Eval<'_, Self>, expr: &Expr) -> Option<Checked<Item>> {
        match &expr.kind {
            ExprKind::Name(name) if ev.scope.is_param(name) => None,
            ExprKind::Name(name) => {
                let rows = *ev.scope;
                Some(rows.column(name, ev.b).map(Item::Tensor).ok_or(Reported))
            }
            ExprKind::Index { base, items } => {
                // What the use expects is the shape of the cut.
                let (cx, row) = (ev.scope.cx, ev.scope.row.take());
                let cut = cut::fed(ev, cx, base, items, expr.span);
                ev.scope.row = row;
                Some(cut)
            }
            ExprKind::Pipe { input, stage } if is_transform(stage) && !is_function(ev.scope.cx, stage) => {
                // What is wrong before it is worth saying too.
                let _ = ev.eval(input);
                if let How::Known(_) = chain(ev.scope.cx, None, &[stage]) {
                    let what = "a transform inside arithmetic";
                    let instead = "make a column of it first: `a = age |> standardize`";
                    ev.scope.cx.later("later::transform", what, expr.span, instead);
                }
                Some(Err(Reported))
            }
            _ => None,
        }
    }

    fn name(&mut self, name: &Ident) -> Option<Item> {
        self.is_param(name).then(|| self.cx.value(&name.name).map(consts::item)).flatten()
    }

    fn names(&self) -> Vec<String> {
        self.data.known_columns().unwrap_or_default()
    }

    fn describe(&self, entity: &Never) -> String {
        match *entity {}
    }
}

impl Rows<'_, '_, '_> {
    fn column(&self, name: &Ident, b: &mut Builder) -> Option<Value> {
        match self.data.lookup(self.cx, name, self.before, self.row) {
            Found::Poison => None,
            Found::Derived(at, expr) => {
                let known = self.made.borrow().get(&at).copied();
                known.unwrap_or_else(|| {
                    let value = self.derived(at, expr, b);
                    self.made.borrow_mut().insert(at, value);
                    value
                })
            }
            Found::Stored(column) => Some(match self.inputs {
                None => stored(self.data, column, b),
                Some(inputs) => {
                    let value = leaf(&column, b);
                    let mut inputs = inputs.borrow_mut();
                    if !inputs.iter().any(|c| c.name == column.name) {
                        inputs.push(column);
                    }
                    value
                }
            }),
        }
    }

    fn derived(&self, at: usize, expr: &Expr, b: &mut Builder) -> Option<Value> {
        let mut scope = Rows { before: at, ..*self };
        let mut found = crate::diag::Diagnostics::new();
        let result = Eval::new(&self.cx.library, b, &mut found, &mut scope).tensor(expr);
        self.cx.diags.borrow_mut().extend(found.sorted());
        result.ok()
    }

    /// Columns come first, as the nearest scope.
    fn is_param(&self, name: &Ident) -> bool {
        let made = self.data.derived[..self.before].iter().any(|(n, _)| n.name == name.name);
        let typed = self.data.typed.iter().any(|(n, _)| n.name == name.name);
        let stored = self.data.known_columns().is_some_and(|all| all.iter().any(|c| **c == *name.name));
        !made && !typed && !stored && self.cx.values.borrow().contains_key(&name.name)
    }
}

/// A column of the source as a leaf, there from now on.
pub(super) fn stored(data: &Data, column: Column, b: &mut Builder) -> Value {
    let value = leaf(&column, b);
    data.keep(column);
    value
}

fn leaf(column: &Column, b: &mut Builder) -> Value {
    match b.find(&column.name) {
        Some(leaf) => b.read(leaf),
        None => {
            let mut shape = vec![Dim::sym("B")];
            shape.extend(column.ty.shape.iter().cloned());
            b.at(column.span);
            b.batch(column.name.as_str(), TensorType::new(column.ty.dtype, shape))
        }
    }
}

/// Arithmetic on the columns before an entry, in a graph of its own, and the stored columns that it reads; `None`
/// is reported.
pub(super) fn arithmetic<'a>(
    cx: &Ctx<'a>,
    data: &Data<'a>,
    before: usize,
    expr: &Expr,
    b: &mut Builder,
) -> Option<(Value, Vec<Column>)> {
    let (made, inputs) = (RefCell::default(), RefCell::default());
    // Of a table that nobody could look at, columns are numbers.
    let row = data.is_table().then(|| TensorType::scalar(DType::F32));
    let rows = Rows { cx, data, before, row: row.as_ref(), made: &made, inputs: Some(&inputs) };
    let value = rows.derived(before, expr, b)?;
    Some((value, inputs.into_inner()))
}

/// A column as a tensor `[B, …]` of the graph; `None` is reported or rests on a source that is.
pub(in crate::sema) fn column<'a>(
    cx: &Ctx<'a>,
    data: &Data<'a>,
    name: &Ident,
    before: usize,
    row: Option<&TensorType>,
    b: &mut Builder,
) -> Option<Value> {
    let made = RefCell::default();
    Rows { cx, data, before, row, made: &made, inputs: None }.column(name, b)
}

/// How many derived columns a section has: all of them are in reach of a feed.
pub(in crate::sema) fn pending(data: &Data) -> usize {
    data.derived.len()
}
