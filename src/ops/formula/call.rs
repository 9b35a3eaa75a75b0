//! One use of an `op`: its arguments are fitted to the signature, then its
//! formula is evaluated with them.

use super::arith::{as_f32, tensor_of};
use super::bind::{Slot, bind};
use super::decl::{OpDecl, OpParam, ParamKind};
use super::item::{Given, Item, Never, Number, Operand};
use super::types::{Bound, Mismatch, Pattern, PatternSize, unify};
use super::{ArgSource, Checked, Eval, Reported, Scope};
use crate::base::{DType, Dim, Shape, Span, TensorType};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::{Builder, Value};
use crate::ops::{Library, defaults};
use crate::syntax::ast::{Arg, Entry, EntryKind, Expr, Ident, OpBody};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The names inside an op: its parameters, its sizes, its `let`s.
#[derive(Default)]
pub(in crate::ops) struct Body {
    names: BTreeMap<Arc<str>, Item>,
    used: BTreeSet<Arc<str>>,
    /// Names of `let`s with a mistake.
    broken: BTreeSet<Arc<str>>,
}

impl Scope for Body {
    type Entity = Never;

    fn expr(_: &mut Eval<'_, Self>, _: &Expr) -> Option<Checked<Item>> {
        None
    }

    fn name(&mut self, name: &Ident) -> Option<Item> {
        let item = self.names.get(&name.name)?.clone();
        self.used.insert(name.name.clone());
        Some(item)
    }

    fn names(&self) -> Vec<String> {
        self.names.keys().map(|n| n.to_string()).collect()
    }

    fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(name)
    }

    fn describe(&self, entity: &Never) -> String {
        match *entity {}
    }
}

/// An argument after evaluation, with its place.
type Placed = (Item, Span);

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
        let results = instantiate(self.lib, self.b, self.diags, op, items, span)?;
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
        let result = instantiate(self.lib, self.b, &mut found, op, args, op.name_span).map(|_| ());
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
    let ty = TensorType::new(pattern.dtype.unwrap_or(DType::F32), Shape(dims.collect()));
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
) -> Checked<Vec<Item>> {
    if !op.std && lib.is_broken(&op.name) {
        return Err(Reported);
    }
    let mut fitted = Fitted { op, bound: Bound::new(), body: Body::default() };
    fitted.settings(lib, b, diags, &args, span)?;
    fitted.tensors(b, diags, &args, span)?;
    let pin = op.std.then_some(span);
    let mut inner = Diagnostics::new();
    let results = {
        let mut ev = Eval { lib, b, diags: &mut inner, scope: &mut fitted.body, pin };
        evaluate(&mut ev, op)
    };
    let results = results.and_then(|results| {
        let typed: Vec<_> = results
            .into_iter()
            .zip(&op.results)
            .map(|((item, at), (_, pattern))| {
                fit_result(b, &mut inner, op, &mut fitted.bound, item, pattern, at)
            })
            .collect();
        typed.into_iter().collect::<Checked<Vec<_>>>()
    });
    diags.extend(inner.sorted().into_iter().map(|d| match span == op.name_span {
        true => d,
        false => d.label(span, format!("in this use of `{}`", op.name)),
    }));
    results
}

/// Arguments being fitted to a signature.
struct Fitted<'a> {
    op: &'a OpDecl,
    bound: Bound,
    body: Body,
}

impl Fitted<'_> {
    /// Settings first: shapes may mention them.
    fn settings(
        &mut self,
        lib: &Library,
        b: &mut Builder,
        diags: &mut Diagnostics,
        args: &[Option<Placed>],
        span: Span,
    ) -> Checked<()> {
        let mut ok = Ok(());
        for (param, arg) in self.op.params.iter().zip(args) {
            if let ParamKind::Tensor(_) = param.kind {
                continue;
            }
            let (item, at) = match arg {
                Some(placed) => placed.clone(),
                None => (self.default(lib, b, diags, param)?, param.span),
            };
            match setting(&param.kind, &item) {
                Some(item) => {
                    if let Item::Number(Number::Int(dim)) = &item {
                        self.bound.set(&param.name, dim.clone());
                    }
                    self.body.names.insert(param.name.clone(), item);
                }
                None => {
                    diags.push(wrong_setting(b, self.op, param, &item, at, span));
                    ok = Err(Reported);
                }
            }
        }
        ok
    }

    /// What a parameter is when the call does not say. In the library the table of the chosen
    /// framework comes before the text.
    fn default(
        &mut self,
        lib: &Library,
        b: &mut Builder,
        diags: &mut Diagnostics,
        param: &OpParam,
    ) -> Checked<Item> {
        if self.op.std
            && let Some(x) = defaults::op_setting(lib.framework(), &self.op.name, &param.name)
        {
            return Ok(Item::float(x));
        }
        let expr = param.default.as_ref().expect("bind: what has no default was given");
        Eval { lib, b, diags, scope: &mut self.body, pin: None }.eval(expr)
    }

    /// Tensors bind the names of sizes; plain numbers then take the shape that is wanted.
    fn tensors(
        &mut self,
        b: &mut Builder,
        diags: &mut Diagnostics,
        args: &[Option<Placed>],
        span: Span,
    ) -> Checked<()> {
        let mut ok = Ok(());
        let of_kind = |tensors: bool| {
            self.op.params.iter().zip(args).filter_map(move |(param, arg)| match (&param.kind, arg) {
                (ParamKind::Tensor(pattern), Some(placed)) => {
                    (matches!(placed.0, Item::Tensor(_)) == tensors).then_some((param, pattern, placed))
                }
                (ParamKind::Tensor(_) | ParamKind::Int | ParamKind::Float | ParamKind::Bool, _) => None,
            })
        };
        let mut values: Vec<(Arc<str>, Value)> = Vec::new();
        for (param, pattern, (item, at)) in of_kind(true).chain(of_kind(false)) {
            let fit = match item {
                Item::Tensor(v) => fit_tensor(b, self.op, param, pattern, *v, *at, &mut self.bound, span),
                Item::Number(n) => fit_number(b, self.op, param, pattern, n, *at, &mut self.bound, span),
                Item::Bool(_) | Item::Text(_) | Item::Tuple(_) => {
                    Err(wrong_setting(b, self.op, param, item, *at, span))
                }
                Item::Entity(never) => match *never {},
            };
            match fit {
                Ok(v) => values.push((param.name.clone(), v)),
                Err(d) => {
                    diags.push(d);
                    ok = Err(Reported);
                }
            }
        }
        for (name, v) in values {
            self.body.names.insert(name, Item::Tensor(v));
        }
        for (name, dim) in self.bound.sizes() {
            let name: Arc<str> = Arc::from(name);
            self.body.names.entry(name).or_insert_with(|| Item::int(dim.clone()));
        }
        ok
    }
}

fn setting(kind: &ParamKind, item: &Item) -> Option<Item> {
    match (kind, item) {
        (ParamKind::Int, Item::Number(Number::Int(_)))
        | (ParamKind::Float, Item::Number(_))
        | (ParamKind::Bool, Item::Bool(_)) => Some(item.clone()),
        (ParamKind::Int, Item::Number(Number::Float(x))) if x.fract() == 0.0 && x.abs() < 1e15 => {
            Some(Item::int(*x as i64))
        }
        (ParamKind::Int | ParamKind::Float | ParamKind::Bool | ParamKind::Tensor(_), _) => None,
    }
}

fn wrong_setting(b: &Builder, op: &OpDecl, param: &OpParam, item: &Item, at: Span, call: Span) -> Diagnostic {
    let found = item.describe(b);
    let d = Diagnostic::error(
        "call::type",
        format!("`{}` of `{}` is {}, but this is {found}", param.name, op.name, article(&param.kind)),
        at,
        found,
    );
    let d = if at == call { d } else { d.label(call, format!("in this use of `{}`", op.name)) };
    d.help(format!("it is called as `{}`", op.signature()))
}

fn article(kind: &ParamKind) -> String {
    match kind {
        ParamKind::Tensor(pattern) => pattern.to_string(),
        ParamKind::Int => "a whole number".to_string(),
        ParamKind::Float => "a number known before training".to_string(),
        ParamKind::Bool => "`true` or `false`".to_string(),
    }
}

#[allow(clippy::too_many_arguments, reason = "one argument of a call, with all that a message names")]
fn fit_tensor(
    b: &mut Builder,
    op: &OpDecl,
    param: &OpParam,
    pattern: &Pattern,
    v: Value,
    at: Span,
    bound: &mut Bound,
    call: Span,
) -> Result<Value, Diagnostic> {
    let ty = b.ty(v).clone();
    let fits = pattern.dtype.is_none_or(|dtype| dtype == ty.dtype);
    if !fits {
        return Err(wrong_dtype(op, param, pattern, &ty.to_string(), at, call));
    }
    unify(pattern, &ty.shape, bound).map_err(|why| {
        let d = Diagnostic::error(
            "shape::argument",
            format!("`{}` of `{}` is {pattern}, but this is {ty}", param.name, op.name),
            at,
            format!("this is {ty}"),
        );
        let d = if at == call { d } else { d.label(call, format!("in this use of `{}`", op.name)) };
        d.help(match why {
            Mismatch::Rank => format!("it needs {} axes, this has {}", axes(pattern), ty.rank()),
            Mismatch::Size(axis, Some(wanted)) => {
                format!(
                    "axis {axis} must be {wanted}, as the arguments before it say, but is {}",
                    ty.shape[axis]
                )
            }
            Mismatch::Size(axis, None) => {
                format!("axis {axis} is {}, which fits no whole size", ty.shape[axis])
            }
            Mismatch::Rest(name, dims) => {
                format!("`..{name}` is {} by the arguments before it", Shape(dims))
            }
        })
    })?;
    Ok(v)
}

fn axes(pattern: &Pattern) -> String {
    let fixed = pattern.sizes.iter().filter(|s| !matches!(s, PatternSize::Rest(_))).count();
    if fixed == pattern.sizes.len() { fixed.to_string() } else { format!("at least {fixed}") }
}

fn wrong_dtype(
    op: &OpDecl,
    param: &OpParam,
    pattern: &Pattern,
    found: &str,
    at: Span,
    call: Span,
) -> Diagnostic {
    let d = Diagnostic::error(
        "dtype::argument",
        format!("`{}` of `{}` is {pattern}, but this is {found}", param.name, op.name),
        at,
        format!("this is {found}"),
    );
    let d = if at == call { d } else { d.label(call, format!("in this use of `{}`", op.name)) };
    let wanted = pattern.dtype.map_or("f32", DType::name);
    d.help(format!("convert it with `cast(…, {wanted})`, or check the order of the arguments"))
}

#[allow(clippy::too_many_arguments, reason = "one argument of a call, with all that a message names")]
fn fit_number(
    b: &mut Builder,
    op: &OpDecl,
    param: &OpParam,
    pattern: &Pattern,
    n: &Number,
    at: Span,
    bound: &mut Bound,
    call: Span,
) -> Result<Value, Diagnostic> {
    let whole = n.as_f64().is_some_and(|x| x.fract() == 0.0);
    let v = match (pattern.dtype, n) {
        (Some(DType::I32 | DType::U8), _) if !whole => {
            return Err(wrong_dtype(op, param, pattern, &format!("the number {n}"), at, call));
        }
        (Some(DType::I32 | DType::U8), n) => b.int(n.as_f64().expect("formula: a whole constant") as i64),
        (Some(DType::F32) | None, n) => tensor_of(b, &Operand::Number(n.clone())),
    };
    bound.close_rests(pattern);
    match bound.shape(pattern) {
        Some(shape) => Ok(b.broadcast_to(v, &shape)),
        None => Err(Diagnostic::error(
            "shape::argument",
            format!("`{}` of `{}` is {pattern}, and nothing says how large", param.name, op.name),
            at,
            "a plain number has no shape",
        )
        .help("give a tensor here, or tensors for the other arguments")),
    }
}

/// The body's results, one for each of the signature's, with their places.
fn evaluate(ev: &mut Eval<'_, Body>, op: &OpDecl) -> Checked<Vec<(Item, Span)>> {
    match &op.body {
        OpBody::Formula(expr) => Ok(vec![(ev.eval(expr)?, expr.span)]),
        OpBody::Body(entries) => {
            let mut outputs: Vec<(Arc<str>, Item, Span)> = Vec::new();
            let mut ok = Ok(());
            for entry in entries {
                ok = entry_of(ev, entry, &mut outputs).and(ok);
            }
            ok?;
            unused_lets(ev, entries)?;
            pick_results(ev, op, outputs)
        }
    }
}

fn entry_of(
    ev: &mut Eval<'_, Body>,
    entry: &Entry,
    outputs: &mut Vec<(Arc<str>, Item, Span)>,
) -> Checked<()> {
    match &entry.kind {
        EntryKind::Let { names, ty: None, value } => {
            let bound = let_of(ev, names, value);
            if bound.is_err() {
                ev.scope.broken.extend(names.iter().map(|n| n.name.clone()));
            }
            bound
        }
        EntryKind::Output { name, ty: None, value } => {
            let item = ev.eval(value)?;
            outputs.push((name.name.clone(), item, value.span));
            Ok(())
        }
        EntryKind::Broken => Err(Reported),
        EntryKind::Let { ty: Some(ty), .. } | EntryKind::Output { ty: Some(ty), .. } => ev.fail(
            Diagnostic::error("op::entry", "types stand in the op's signature", ty.span, "not needed here")
                .help("remove it"),
        ),
        EntryKind::Input { .. }
        | EntryKind::Bind { .. }
        | EntryKind::Typed { .. }
        | EntryKind::Section(_) => ev.fail(
            Diagnostic::error(
                "op::entry",
                "an op's body has `let` and `output` alone",
                entry.span,
                "not these",
            )
            .help("write `let name = …` or `output name = …`"),
        ),
    }
}

fn let_of(ev: &mut Eval<'_, Body>, names: &[Ident], value: &Expr) -> Checked<()> {
    let items = match (ev.eval(value)?, names.len()) {
        (item, 1) => vec![item],
        (Item::Tuple(items), n) if items.len() == n => items,
        (item, n) => {
            let found = ev.describe(&item);
            return ev.fail(
                Diagnostic::error("let::count", format!("{n} names for {found}"), value.span, found.clone())
                    .help("give each result one name"),
            );
        }
    };
    let defined: Vec<_> = names.iter().zip(items).map(|(name, item)| define(ev, name, item)).collect();
    defined.into_iter().collect()
}

fn define(ev: &mut Eval<'_, Body>, name: &Ident, item: Item) -> Checked<()> {
    if ev.scope.names.contains_key(&name.name) || ev.scope.broken.contains(&name.name) {
        return ev.fail(
            Diagnostic::error(
                "name::shadowed",
                format!("`{}` is taken", name.name),
                name.span,
                "named again here",
            )
            .help("choose another name"),
        );
    }
    ev.scope.names.insert(name.name.clone(), item);
    Ok(())
}

fn unused_lets(ev: &mut Eval<'_, Body>, entries: &[Entry]) -> Checked<()> {
    let mut ok = Ok(());
    for entry in entries {
        if let EntryKind::Let { names, .. } = &entry.kind {
            for name in names.iter().filter(|n| !n.name.starts_with('_')) {
                if !ev.scope.used.contains(&name.name) {
                    let d = Diagnostic::error(
                        "let::unused",
                        format!("`{}` is never used", name.name),
                        name.span,
                        "never used",
                    );
                    ok = ev.fail(d.help("use it, or remove the line"));
                }
            }
        }
    }
    ok
}

/// Outputs in the order of the signature.
fn pick_results(
    ev: &mut Eval<'_, Body>,
    op: &OpDecl,
    mut outputs: Vec<(Arc<str>, Item, Span)>,
) -> Checked<Vec<(Item, Span)>> {
    let named = op.results.iter().all(|(name, _)| name.is_some());
    if outputs.len() != op.results.len() {
        let (wanted, found) = (op.results.len(), outputs.len());
        return ev.fail(
            Diagnostic::error(
                "op::result",
                format!("`{}` has {wanted} results, but its body has {found} outputs", op.name),
                op.name_span,
                "declared here",
            )
            .help("write one `output` for each result of the signature"),
        );
    }
    if !named {
        let (_, item, span) = outputs.remove(0);
        return Ok(vec![(item, span)]);
    }
    let mut picked = Vec::new();
    for (name, pattern) in &op.results {
        let name = name.as_ref().expect("decl: named results all have names");
        match outputs.iter().position(|(n, _, _)| n == name) {
            Some(at) => {
                let (_, item, span) = outputs.remove(at);
                picked.push((item, span));
            }
            None => {
                return ev.fail(
                    Diagnostic::error(
                        "op::result",
                        format!("`{}` has no `output {name}`", op.name),
                        pattern.span,
                        format!("`{name}` is promised here"),
                    )
                    .help(format!("add `output {name} = …` to the body")),
                );
            }
        }
    }
    Ok(picked)
}

/// The result as the signature promises it. Numbers take the promised shape.
fn fit_result(
    b: &mut Builder,
    diags: &mut Diagnostics,
    op: &OpDecl,
    bound: &mut Bound,
    item: Item,
    pattern: &Pattern,
    at: Span,
) -> Checked<Item> {
    let found = item.describe(b);
    let ok = match item {
        Item::Tensor(v) => {
            let v = if pattern.dtype == Some(DType::F32) { as_f32(b, &Operand::Tensor(v)) } else { v };
            let ty = b.ty(v).clone();
            let dtype = pattern.dtype.is_none_or(|d| d == ty.dtype);
            (dtype && unify(pattern, &ty.shape, bound).is_ok()).then_some(v)
        }
        Item::Number(n) => bound.shape(pattern).map(|shape| {
            let v = tensor_of(b, &Operand::Number(n));
            let v = if pattern.dtype == Some(DType::I32) { b.to_i32(v) } else { v };
            b.broadcast_to(v, &shape)
        }),
        Item::Bool(_) | Item::Text(_) | Item::Tuple(_) => None,
        Item::Entity(never) => match never {},
    };
    let promised = bound.shape(pattern).map_or_else(
        || pattern.to_string(),
        |s| format!("{}{s}", pattern.dtype.map_or("number", DType::name)),
    );
    ok.map(Item::Tensor).ok_or_else(|| {
        diags.push(
            Diagnostic::error(
                "op::result",
                format!("`{}` promises {promised}, but its formula gives {found}", op.name),
                at,
                format!("this is {found}"),
            )
            .label(pattern.span, "promised here")
            .help("change the formula or the result's type"),
        );
        Reported
    })
}
