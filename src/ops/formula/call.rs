//! One use of an `op`: its arguments are fitted to the signature, then its
//! formula is evaluated with them.

use super::arith::tensor_of;
use super::bind::{Slot, bind};
use super::body::{Body, evaluate};
use super::decl::{OpDecl, OpParam, ParamKind};
use super::fit::{Fitting, Placed, fit_result};
use super::item::{Given, Item, Operand};
use super::types::{Bound, Pattern, PatternSize};
use super::{ArgSource, Checked, Eval, Memo, OP, Reported, Scope, depth, in_use, room};
use crate::base::{DType, Dim, Shape, Span, TensorType};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::{Builder, Value};
use crate::ops::{Library, defaults};
use crate::syntax::ast::{Arg, Ident};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Applies the op or builtin `name`, the user's first: how layers use formulas. Gives the
/// results, or what is wrong; nothing if that is reported already.
pub fn apply(
    lib: &Library,
    b: &mut Builder,
    name: &str,
    args: Vec<Given<Item>>,
    span: Span,
) -> Result<Vec<Value>, Vec<Diagnostic>> {
    apply_pinned(lib, b, name, args, span, None)
}

/// The same of the library's own `name`, whatever the user calls theirs.
pub fn apply_std(
    lib: &Library,
    b: &mut Builder,
    name: &str,
    args: Vec<Given<Item>>,
    span: Span,
) -> Result<Vec<Value>, Vec<Diagnostic>> {
    apply_pinned(lib, b, name, args, span, Some(span))
}

fn apply_pinned(
    lib: &Library,
    b: &mut Builder,
    name: &str,
    args: Vec<Given<Item>>,
    span: Span,
    pin: Option<Span>,
) -> Result<Vec<Value>, Vec<Diagnostic>> {
    let mut diags = Diagnostics::new();
    let mut scope = Body::default();
    let mut ev = Eval { lib, b, diags: &mut diags, scope: &mut scope, pin };
    let ident = Ident { name: Arc::from(name), span };
    match ev.call_name(&ident, span, args, &[]) {
        Ok(item) => Ok(values(b, item)),
        Err(Reported) => Err(diags.sorted()),
    }
}

fn values(b: &mut Builder, item: Item) -> Vec<Value> {
    match item {
        Item::Tuple(items) => items.into_iter().flat_map(|i| values(b, i)).collect(),
        Item::Number(n) => vec![tensor_of(b, &Operand::Number(n))],
        Item::Tensor(v) => vec![v],
        Item::Bool(_) | Item::Text(_) => unreachable!("formula: functions give numbers and tensors"),
        Item::Entity(never) => match never {},
    }
}

impl<S: Scope> Eval<'_, S> {
    /// Calls an op of the library or the user. One result is itself, several are a tuple.
    pub(super) fn call_op(
        &mut self,
        op: &OpDecl,
        span: Span,
        leading: Vec<Given<Item<S::Entity>>>,
        args: &[Arg],
    ) -> Checked<Item<S::Entity>> {
        let slots: Vec<Slot> = op
            .params
            .iter()
            .map(|p| Slot { name: &p.name, required: !has_default(self.lib, op, p) })
            .collect();
        let bound = bind(&op.name, span, &slots, sources(leading, args), self.diags)?;
        let mut items: Vec<Checked<Option<Placed>>> = Vec::new();
        for arg in bound {
            items.push(match arg {
                None => Ok(None),
                Some(given) => self.plain(given).map(Some),
            });
        }
        let items = items.into_iter().collect::<Checked<Vec<_>>>()?;
        self.at(span);
        let memo = self.scope.memo();
        let key = Memo::key(op, &items);
        let results = match memo.get(&key) {
            Some(made) => made,
            None => {
                let made = instantiate(self.lib, self.b, self.diags, op, items, span, &memo);
                memo.put(key, made.clone());
                made
            }
        }?;
        let mut lifted: Vec<Item<S::Entity>> = results.into_iter().map(lift).collect();
        Ok(if lifted.len() == 1 { lifted.remove(0) } else { Item::Tuple(lifted) })
    }

    /// An argument's worth, which must not be of the scope's own kind.
    pub(super) fn plain(&mut self, given: Given<ArgSource<'_, S::Entity>>) -> Checked<Placed> {
        let item = match given.value {
            ArgSource::Expr(expr) => self.eval(expr)?,
            ArgSource::Item(item) => item,
        };
        self.lower(item, given.span).map(|item| (item, given.span))
    }

    fn lower(&mut self, item: Item<S::Entity>, span: Span) -> Checked<Item> {
        Ok(match item {
            Item::Number(n) => Item::Number(n),
            Item::Tensor(v) => Item::Tensor(v),
            Item::Bool(x) => Item::Bool(x),
            Item::Text(text) => Item::Text(text),
            Item::Tuple(items) => {
                Item::Tuple(items.into_iter().map(|i| self.lower(i, span)).collect::<Checked<_>>()?)
            }
            Item::Entity(_) => {
                self.as_operand(item, span)?;
                unreachable!("formula: an entity is no operand")
            }
        })
    }
}

impl Eval<'_, Body> {
    /// Evaluates a formula once where it is declared, on sizes that are names alone, so that
    /// mistakes show without a use. What depends on how sizes relate is left to the uses.
    pub(in crate::ops) fn rehearse(&mut self, op: &OpDecl) -> Checked<()> {
        let args = op
            .params
            .iter()
            .map(|param| {
                let item = match &param.kind {
                    ParamKind::Tensor(pattern) => Item::Tensor(stand_in(self.b, &param.name, pattern)),
                    _ if has_default(self.lib, op, param) => return None,
                    ParamKind::Int => Item::int(1),
                    ParamKind::Float => Item::float(0.5),
                    ParamKind::Bool => Item::Bool(false),
                };
                Some((item, param.span))
            })
            .collect();
        let mut found = Diagnostics::new();
        let result =
            instantiate(self.lib, self.b, &mut found, op, args, op.name_span, &self.scope.memo()).map(|_| ());
        if found.is_empty() {
            // Well, or resting on something that is reported.
            return result;
        }
        let several = names_of_sizes(op).len() > 1;
        let sure: Vec<Diagnostic> =
            found.sorted().into_iter().filter(|d| !several || !d.code.starts_with("shape::")).collect();
        if sure.is_empty() {
            return Ok(());
        }
        self.diags.extend(sure);
        result
    }
}

fn names_of_sizes(op: &OpDecl) -> BTreeSet<String> {
    let patterns = op.params.iter().filter_map(|p| match &p.kind {
        ParamKind::Tensor(pattern) => Some(pattern),
        ParamKind::Int | ParamKind::Float | ParamKind::Bool => None,
    });
    patterns.flat_map(|p| p.names().into_iter().chain(p.rest().map(|r| format!("..{r}")))).collect()
}

/// A tensor of the pattern's type whose sizes are called as in the text; `..s` is two axes.
fn stand_in(b: &mut Builder, name: &str, pattern: &Pattern) -> Value {
    let dims = pattern.sizes.iter().enumerate().flat_map(|(axis, size)| match size {
        PatternSize::Size(dim) => vec![pattern.named(dim)],
        PatternSize::Rest(rest) => vec![Dim::sym(&format!("{rest}.0")), Dim::sym(&format!("{rest}.1"))],
        PatternSize::Any => vec![Dim::sym(&format!("{name}.{axis}"))],
    });
    let ty = TensorType::new(pattern.dtype.unwrap_or(DType::F32), dims.collect::<Shape>());
    b.batch(name, ty)
}

/// The arguments of a call, those of a pipe in front.
pub(super) fn sources<'e, E>(leading: Vec<Given<Item<E>>>, args: &'e [Arg]) -> Vec<Given<ArgSource<'e, E>>> {
    let piped =
        leading.into_iter().map(|g| Given { name: g.name, value: ArgSource::Item(g.value), span: g.span });
    let written = args.iter().map(|a| Given {
        name: a.name.clone(),
        value: ArgSource::Expr(&a.value),
        span: a.value.span,
    });
    piped.chain(written).collect()
}

pub(super) fn lift<E>(item: Item) -> Item<E> {
    match item {
        Item::Number(n) => Item::Number(n),
        Item::Tensor(v) => Item::Tensor(v),
        Item::Bool(x) => Item::Bool(x),
        Item::Text(text) => Item::Text(text),
        Item::Tuple(items) => Item::Tuple(items.into_iter().map(lift).collect()),
        Item::Entity(never) => match never {},
    }
}

fn has_default(lib: &Library, op: &OpDecl, param: &OpParam) -> bool {
    param.default.is_some()
        || (op.std && defaults::op_setting(lib.framework(), &op.name, &param.name).is_some())
}

/// Evaluates `op` with these arguments, one for each parameter.
pub(super) fn instantiate(
    lib: &Library,
    b: &mut Builder,
    diags: &mut Diagnostics,
    op: &OpDecl,
    args: Vec<Option<Placed>>,
    span: Span,
    memo: &Memo,
) -> Checked<Vec<Item>> {
    if !op.std && lib.is_broken(&op.name) {
        return Err(Reported);
    }
    room(b, diags, &op.name, span)?;
    depth(b, diags, OP, &format!("`{}`", op.name), span)?;
    let body = Body { memo: memo.clone(), ..Body::default() };
    let mut fitting = Fitting { lib, b, diags, op, call: span, bound: Bound::new(), body };
    fitting.all(&args)?;
    let Fitting { mut bound, mut body, .. } = fitting;
    let pin = op.std.then_some(span);
    let mut inner = Diagnostics::new();
    b.nesting += OP;
    let results = evaluate(&mut Eval { lib, b, diags: &mut inner, scope: &mut body, pin }, op);
    b.nesting -= OP;
    let results = results.and_then(|results| {
        let mut typed = Vec::new();
        for (result, (_, pattern)) in results.into_iter().zip(&op.results) {
            typed.push(fit_result(b, op, &mut bound, result, pattern).map_err(|d| {
                inner.push(d);
                Reported
            }));
        }
        typed.into_iter().collect::<Checked<Vec<_>>>()
    });
    match span == op.name_span {
        true => diags.extend(inner.sorted()),
        false => diags.extend(in_use(inner, &format!("`{}`", op.name), span, |_| true)),
    }
    results
}
