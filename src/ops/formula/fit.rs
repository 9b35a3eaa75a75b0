//! Arguments and results meet the types of a signature.
//!
//! Settings come first, since shapes may mention them; then tensors, which bind the names of
//! sizes; then plain numbers, which take the shape that is wanted.

use super::arith::{as_f32, tensor_of};
use super::body::Body;
use super::decl::{OpDecl, OpParam, ParamKind};
use super::item::{Item, Number, Operand};
use super::types::{Bound, Mismatch, Pattern, PatternSize, unify};
use super::{Checked, Eval, Reported};
use crate::base::{DType, Shape, Span};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::graph::{Builder, Value};
use crate::ops::{Library, defaults};
use std::sync::Arc;

/// An argument after evaluation, with its place.
pub(super) type Placed = (Item, Span);

/// Arguments being fitted to the signature of `op`.
pub(super) struct Fitting<'a> {
    pub lib: &'a Library,
    pub b: &'a mut Builder,
    pub diags: &'a mut Diagnostics,
    pub op: &'a OpDecl,
    pub call: Span,
    pub bound: Bound,
    pub body: Body,
}

impl Fitting<'_> {
    /// Fits all, one for each parameter. The names of the body are then complete.
    pub fn all(&mut self, args: &[Option<Placed>]) -> Checked<()> {
        self.settings(args)?;
        self.tensors(args)
    }

    fn settings(&mut self, args: &[Option<Placed>]) -> Checked<()> {
        let mut ok = Ok(());
        for (param, arg) in self.op.params.iter().zip(args) {
            if let ParamKind::Tensor(_) = param.kind {
                continue;
            }
            let (item, at) = match arg {
                Some(placed) => placed.clone(),
                None => (self.default(param)?, param.span),
            };
            match setting(&param.kind, &item) {
                Some(item) => {
                    if let Item::Number(Number::Int(dim)) = &item {
                        self.bound.set(&param.name, dim.clone());
                    }
                    self.body.names.insert(param.name.clone(), item);
                }
                None => {
                    let d = self.wrong_kind(param, &item, at);
                    self.diags.push(d);
                    ok = Err(Reported);
                }
            }
        }
        ok
    }

    /// What a parameter is when the call does not say. In the library the table of the chosen
    /// framework comes before the text.
    fn default(&mut self, param: &OpParam) -> Checked<Item> {
        if self.op.std
            && let Some(x) = defaults::op_setting(self.lib.framework(), &self.op.name, &param.name)
        {
            return Ok(Item::float(x));
        }
        let Some(expr) = &param.default else {
            let d = Diagnostic::error(
                "call::missing",
                format!("`{}` needs `{}`", self.op.name, param.name),
                self.call,
                "missing here",
            );
            self.diags.push(d.help(format!("it is called as `{}`", self.op.signature())));
            return Err(Reported);
        };
        Eval { lib: self.lib, b: self.b, diags: self.diags, scope: &mut self.body, pin: None }.eval(expr)
    }

    fn tensors(&mut self, args: &[Option<Placed>]) -> Checked<()> {
        let op = self.op;
        self.absent(args)?;
        let patterns = op.params.iter().zip(args).filter_map(|(param, arg)| match (&param.kind, arg) {
            (ParamKind::Tensor(pattern), Some((item, at))) => Some((param, pattern, item, *at)),
            (ParamKind::Tensor(_) | ParamKind::Int | ParamKind::Float | ParamKind::Bool, _) => None,
        });
        let (tensors, others): (Vec<_>, Vec<_>) =
            patterns.partition(|(_, _, item, _)| matches!(item, Item::Tensor(_)));
        let mut ok = Ok(());
        for (param, pattern, item, at) in tensors.into_iter().chain(others) {
            let fitted = match item {
                Item::Tensor(v) => self.tensor(param, pattern, *v, at),
                Item::Number(n) => self.number(param, pattern, n, at),
                Item::Bool(_) | Item::Text(_) | Item::Tuple(_) => Err(self.wrong_kind(param, item, at)),
                Item::Entity(never) => match *never {},
            };
            match fitted {
                Ok(v) => {
                    self.body.names.insert(param.name.clone(), Item::Tensor(v));
                }
                Err(d) => {
                    self.diags.push(d);
                    ok = Err(Reported);
                }
            }
        }
        for (name, dim) in self.bound.sizes() {
            let name: Arc<str> = Arc::from(name);
            self.body.names.entry(name).or_insert_with(|| Item::int(dim.clone()));
        }
        ok
    }

    /// Tensors that the call does not give are the number that the signature says: one, of no shape.
    fn absent(&mut self, args: &[Option<Placed>]) -> Checked<()> {
        let mut ok = Ok(());
        for (param, arg) in self.op.params.iter().zip(args) {
            if let (ParamKind::Tensor(_), None) = (&param.kind, arg) {
                match self.default(param)? {
                    item @ Item::Number(_) => {
                        self.body.names.insert(param.name.clone(), item);
                    }
                    other => {
                        let d = self.wrong_kind(param, &other, param.span);
                        self.diags.push(d);
                        ok = Err(Reported);
                    }
                }
            }
        }
        ok
    }

    fn tensor(
        &mut self,
        param: &OpParam,
        pattern: &Pattern,
        v: Value,
        at: Span,
    ) -> Result<Value, Diagnostic> {
        let ty = self.b.ty(v).clone();
        if pattern.dtype.is_some_and(|dtype| dtype != ty.dtype) {
            return Err(self.wrong_dtype(param, pattern, &ty.to_string(), at));
        }
        let why = match unify(pattern, &ty.shape, &mut self.bound) {
            Ok(()) => return Ok(v),
            Err(why) => why,
        };
        let d = self.mistake("shape::argument", param, &pattern.to_string(), &ty.to_string(), at);
        Err(d.help(match why {
            Mismatch::Rank => format!("it needs {} axes, this has {}", axes(pattern), ty.rank()),
            Mismatch::Size(axis, Some(wanted)) => {
                format!("axis {axis} must be {wanted}, as the other arguments say, but is {}", ty.shape[axis])
            }
            Mismatch::Size(axis, None) => {
                format!("axis {axis} is {}, which fits no whole size", ty.shape[axis])
            }
            Mismatch::Rest(name, dims) => {
                format!("`..{name}` is {} by the other arguments", Shape::from(dims))
            }
        }))
    }

    /// A plain number in the place of a tensor.
    fn number(
        &mut self,
        param: &OpParam,
        pattern: &Pattern,
        n: &Number,
        at: Span,
    ) -> Result<Value, Diagnostic> {
        let v = match (pattern.dtype, n.as_f64()) {
            (Some(DType::I32 | DType::U8), Some(x)) if x.fract() == 0.0 => self.b.int(x as i64),
            (Some(DType::I32 | DType::U8), _) => {
                return Err(self.wrong_dtype(param, pattern, &format!("the number {n}"), at));
            }
            (Some(DType::F32) | None, _) => tensor_of(self.b, &Operand::Number(n.clone())),
        };
        self.bound.close_rests(pattern);
        match self.bound.shape(pattern) {
            Some(shape) => Ok(self.b.broadcast_to(v, &shape)),
            None => {
                let d = self.mistake("shape::argument", param, &pattern.to_string(), "a plain number", at);
                Err(d.help("nothing says how large it would be: give a tensor"))
            }
        }
    }

    /// "`slope` of `leaky_relu` is …, but this is …", with the call if it is elsewhere.
    fn mistake(&self, code: Code, param: &OpParam, wanted: &str, found: &str, at: Span) -> Diagnostic {
        let d = Diagnostic::error(
            code,
            format!("`{}` of `{}` is {wanted}, but this is {found}", param.name, self.op.name),
            at,
            format!("this is {found}"),
        );
        match at == self.call {
            true => d,
            false => d.label(self.call, format!("in this use of `{}`", self.op.name)),
        }
    }

    fn wrong_dtype(&self, param: &OpParam, pattern: &Pattern, found: &str, at: Span) -> Diagnostic {
        let wanted = pattern.dtype.map_or("f32", DType::name);
        self.mistake("dtype::argument", param, &pattern.to_string(), found, at)
            .help(format!("convert it with `cast(…, {wanted})`, or check the order of the arguments"))
    }

    fn wrong_kind(&self, param: &OpParam, item: &Item, at: Span) -> Diagnostic {
        let wanted = match &param.kind {
            ParamKind::Tensor(pattern) => pattern.to_string(),
            ParamKind::Int => "a whole number".to_string(),
            ParamKind::Float => "a number known before training".to_string(),
            ParamKind::Bool => "`true` or `false`".to_string(),
        };
        self.mistake("call::type", param, &wanted, &item.describe(self.b), at)
            .help(format!("it is called as `{}`", self.op.signature()))
    }
}

/// The item as a setting of that kind, if it is one.
fn setting(kind: &ParamKind, item: &Item) -> Option<Item> {
    match (kind, item) {
        (ParamKind::Int, Item::Number(Number::Int(_)))
        | (ParamKind::Float, Item::Number(_))
        | (ParamKind::Bool, Item::Bool(_)) => Some(item.clone()),
        (ParamKind::Int | ParamKind::Float | ParamKind::Bool | ParamKind::Tensor(_), _) => None,
    }
}

/// How many axes a pattern asks for.
fn axes(pattern: &Pattern) -> String {
    let fixed = pattern.sizes.iter().filter(|s| !matches!(s, PatternSize::Rest(_))).count();
    if fixed == pattern.sizes.len() { fixed.to_string() } else { format!("at least {fixed}") }
}

/// The result as the signature promises it. Numbers take the promised shape.
pub(super) fn fit_result(
    b: &mut Builder,
    op: &OpDecl,
    bound: &mut Bound,
    (item, at): Placed,
    pattern: &Pattern,
) -> Result<Item, Diagnostic> {
    let found = item.describe(b);
    let fitted = match item {
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
    fitted.map(Item::Tensor).ok_or_else(|| {
        let promised = bound.shape(pattern).map_or_else(
            || pattern.to_string(),
            |shape| format!("{}{shape}", pattern.dtype.map_or("number", DType::name)),
        );
        Diagnostic::error(
            "op::result",
            format!("`{}` promises {promised}, but its formula gives {found}", op.name),
            at,
            format!("this is {found}"),
        )
        .label(pattern.span, "promised here")
        .help("change the formula or the result's type")
    })
}
