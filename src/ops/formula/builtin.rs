//! The functions that the language has without an `op` item: a table.
//!
//! Scalar functions are the graph's own; the rest folds, chooses and converts.

mod ctc;
mod sequence;

use super::arith::{as_f32, check_broadcast, promote, tensor_of};
use super::bind::{Slot, bind};
use super::call::{lift, sources};
use super::decl::mentioned;
use super::item::{Given, Item, Number, Operand};
use super::{ArgSource, Checked, Eval, Scope};
use crate::base::{DType, Dim, Span};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::syntax::ast::{Arg, Ident};
use std::collections::BTreeSet;

/// One row: what a function is called with and what it makes.
pub struct Builtin {
    pub name: &'static str,
    pub params: &'static [Param],
    pub doc: &'static str,
    /// An expression of `x: f32[B, 6]` and `i: i32[B]`.
    pub example: &'static str,
    build: fn(&mut Use) -> Result<Operand, Diagnostic>,
}

/// A parameter of a builtin.
pub struct Param {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number or tensor.
    Operand,
    /// The same, or `true` and `false`.
    Mask,
    /// A whole number known while compiling.
    Size,
    /// One axis or several; negative ones count from the end.
    Axes,
    Flag,
    /// `f32` or `i32`, a bare word.
    Type,
}

const fn needs(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, required: true }
}

const fn takes(name: &'static str, kind: Kind) -> Param {
    Param { name, kind, required: false }
}

const UNARY: &[Param] = &[needs("x", Kind::Operand)];
const FOLD: &[Param] = &[needs("x", Kind::Operand), takes("axis", Kind::Axes), takes("keep", Kind::Flag)];

macro_rules! unary {
    ($($name:literal $method:ident $value:expr, $doc:literal;)+) => {
        &[$(Builtin {
            name: $name,
            params: UNARY,
            doc: $doc,
            example: concat!($name, "(x)"),
            build: |call| call.scalar($value, |b, x| b.$method(x)),
        }),+]
    };
}

/// Functions of one number, folded in `f64` where the number is known.
static SCALARS: &[Builtin] = unary! {
    "abs" abs f64::abs, "The distance from 0.";
    "sign" sign |x| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x }, "-1, 0 or 1.";
    "exp" exp libm::exp, "e to the power of x.";
    "expm1" expm1 libm::expm1, "exp(x) - 1, exact near 0.";
    "log" log libm::log, "The natural logarithm.";
    "log1p" log1p libm::log1p, "log(1 + x), exact near 0.";
    "sqrt" sqrt f64::sqrt, "The square root.";
    "rsqrt" rsqrt |x| 1.0 / x.sqrt(), "1 / sqrt(x).";
    "tanh" tanh libm::tanh, "The hyperbolic tangent.";
    "sigmoid" sigmoid |x| 1.0 / (1.0 + libm::exp(-x)), "1 / (1 + exp(-x)), from 0 to 1.";
    "erf" erf libm::erf, "The error function.";
    "sin" sin libm::sin, "The sine.";
    "cos" cos libm::cos, "The cosine.";
    "floor" floor f64::floor, "The largest whole number that is not above x.";
};

/// Everything else.
static OTHERS: &[Builtin] = &[
    Builtin {
        name: "sum",
        params: FOLD,
        doc: "The sum over `axis`, over all without one; `keep=true` keeps folded axes as size 1.",
        example: "sum(x, axis=-1)",
        build: |call| call.fold(|b, x, axes| b.sum(x, axes)),
    },
    Builtin {
        name: "mean",
        params: FOLD,
        doc: "The mean over `axis`, over all without one.",
        example: "mean(x, axis=-1, keep=true)",
        build: |call| call.fold(|b, x, axes| b.mean(x, axes)),
    },
    Builtin {
        name: "max",
        params: &[
            needs("x", Kind::Operand),
            takes("y", Kind::Operand),
            takes("axis", Kind::Axes),
            takes("keep", Kind::Flag),
        ],
        doc: "The larger of two, or the largest over `axis`.",
        example: "max(x, 0)",
        build: |call| match call.operand(1) {
            Some(_) => call.pairwise(f64::max, |b, x, y| b.max(x, y)),
            None => call.fold(|b, x, axes| b.max_of(x, axes)),
        },
    },
    Builtin {
        name: "min",
        params: &[
            needs("x", Kind::Operand),
            takes("y", Kind::Operand),
            takes("axis", Kind::Axes),
            takes("keep", Kind::Flag),
        ],
        doc: "The smaller of two, or the smallest over `axis`.",
        example: "min(x, 0)",
        build: |call| match call.operand(1) {
            Some(_) => call.pairwise(f64::min, |b, x, y| b.min(x, y)),
            None => call.fold(|b, x, axes| {
                let negated = b.neg(x);
                let largest = b.max_of(negated, axes);
                b.neg(largest)
            }),
        },
    },
    Builtin {
        name: "where",
        params: &[needs("mask", Kind::Mask), needs("x", Kind::Operand), needs("y", Kind::Operand)],
        doc: "`x` where the mask is not 0, else `y`; a `bool` setting chooses one while compiling.",
        example: "where(x > 0, x, 0)",
        build: |call| call.choose(),
    },
    Builtin {
        name: "stop_gradient",
        params: UNARY,
        doc: "The same value, through which no gradient flows.",
        example: "stop_gradient(x)",
        build: |call| call.scalar(|x| x, |b, x| b.stop(x)),
    },
    Builtin {
        name: "argmax",
        params: &[needs("x", Kind::Operand), takes("axis", Kind::Axes)],
        doc: "Where along `axis` (the last unless said) the largest stands; of equals the first.",
        example: "argmax(x)",
        build: |call| call.argmax(),
    },
    Builtin {
        name: "one_hot",
        params: &[needs("index", Kind::Operand), needs("n", Kind::Size)],
        doc: "A last axis of n: 1 at the index, else 0. An index outside gives zeros.",
        example: "one_hot(i, 4)",
        build: |call| {
            let index = call.whole(0)?;
            let n = call.size(1);
            Ok(call.b.one_hot(index, &n).into())
        },
    },
    Builtin {
        name: "cast",
        params: &[needs("x", Kind::Operand), needs("type", Kind::Type)],
        doc: "The same numbers as `f32` or, cut towards zero, as `i32`.",
        example: "cast(x, i32)",
        build: |call| call.cast(),
    },
    Builtin {
        name: "size",
        params: &[needs("x", Kind::Operand), needs("axis", Kind::Axes)],
        doc: "The size of an axis, a number while compiling.",
        example: "x / size(x, -1)",
        build: |call| {
            let x = call.tensor(0);
            let axes = call.axes(1, x)?;
            Ok(axes.iter().fold(Dim::one(), |n, &a| n * call.b.shape(x)[a].clone()).into())
        },
    },
    Builtin {
        name: "transpose",
        params: UNARY,
        doc: "The last two axes exchanged.",
        example: "transpose(x)",
        build: |call| {
            let x = call.tensor(0);
            match call.b.shape(x).rank() {
                0 | 1 => Err(call.wrong(0, "needs at least two axes", "give a tensor with rows and columns")),
                _ => Ok(call.b.transpose(x).into()),
            }
        },
    },
];

/// Every builtin function, scalar functions first.
pub fn builtins() -> impl Iterator<Item = &'static Builtin> {
    SCALARS.iter().chain(OTHERS).chain(sequence::SEQUENCE).chain(ctc::CTC)
}

pub fn find(name: &str) -> Option<&'static Builtin> {
    builtins().find(|f| f.name == name)
}

/// An argument after evaluation.
enum Evaluated {
    Operand(Operand),
    Size(Dim),
    Axes(Vec<i64>),
    Flag(bool),
    Type(DType),
}

impl Evaluated {
    /// Whether a mask that is known while compiling takes the first side.
    fn chooses(&self) -> Option<bool> {
        match self {
            Evaluated::Flag(chosen) => Some(*chosen),
            Evaluated::Operand(Operand::Number(n)) => n.as_f64().map(|x| x != 0.0),
            Evaluated::Operand(Operand::Tensor(_))
            | Evaluated::Size(_)
            | Evaluated::Axes(_)
            | Evaluated::Type(_) => None,
        }
    }
}

/// One use of a builtin.
pub struct Use<'a> {
    b: &'a mut Builder,
    function: &'static Builtin,
    args: Vec<Option<(Evaluated, Span)>>,
    span: Span,
}

impl<S: Scope> Eval<'_, S> {
    pub(super) fn call_builtin(
        &mut self,
        function: &'static Builtin,
        span: Span,
        leading: Vec<Given<Item<S::Entity>>>,
        args: &[Arg],
    ) -> Checked<Item<S::Entity>> {
        let slots: Vec<Slot> =
            function.params.iter().map(|p| Slot { name: p.name, required: p.required }).collect();
        let bound = bind(function.name, span, &slots, sources(leading, args), self.diags)?;
        let mut evaluated = Vec::new();
        let mut left_out = None;
        for (place, (param, arg)) in function.params.iter().zip(bound).enumerate() {
            evaluated.push(match arg {
                None => Ok(None),
                Some(given) if left_out == Some(place) => {
                    self.left_out(&given);
                    Ok(None)
                }
                Some(given) => {
                    let at = given.span;
                    let found = self.argument(function, param, given);
                    if let (Kind::Mask, Ok(mask), true) = (param.kind, &found, self.pin.is_some()) {
                        left_out = mask.chooses().map(|first| if first { place + 2 } else { place + 1 });
                    }
                    found.map(|v| Some((v, at)))
                }
            });
        }
        let args = evaluated.into_iter().collect::<Checked<Vec<_>>>()?;
        self.at(span);
        let mut call = Use { b: self.b, function, args, span };
        match (function.build)(&mut call) {
            Ok(operand) => Ok(lift(operand.into())),
            Err(d) => self.fail(d),
        }
    }

    /// The side of a `where` that is not chosen. The library's formulas are right, so that it need not be
    /// built; a user's is built all the same, for the mistakes in it.
    fn left_out(&mut self, given: &Given<ArgSource<'_, S::Entity>>) {
        let ArgSource::Expr(expr) = &given.value else { return };
        let mut names = BTreeSet::new();
        mentioned(expr, &mut names);
        for name in names {
            // Looked up, so that it counts as used.
            self.scope.name(&Ident { name, span: given.span });
        }
    }

    fn argument(
        &mut self,
        function: &Builtin,
        param: &Param,
        given: Given<ArgSource<'_, S::Entity>>,
    ) -> Checked<Evaluated> {
        let at = given.span;
        if param.kind == Kind::Type {
            return self.type_word(function, param, given);
        }
        let item = match given.value {
            ArgSource::Expr(expr) if param.kind == Kind::Size => return self.size(expr).map(Evaluated::Size),
            ArgSource::Expr(expr) => self.eval(expr)?,
            ArgSource::Item(item) => item,
        };
        let wanted = match (param.kind, &item) {
            (Kind::Mask, Item::Bool(x)) => return Ok(Evaluated::Flag(*x)),
            (Kind::Operand | Kind::Mask, _) => return self.as_operand(item, at).map(Evaluated::Operand),
            (Kind::Size, Item::Number(Number::Int(dim))) => return Ok(Evaluated::Size(dim.clone())),
            (Kind::Flag, Item::Bool(x)) => return Ok(Evaluated::Flag(*x)),
            (Kind::Axes, _) => match axes_of(&item) {
                Some(axes) => return Ok(Evaluated::Axes(axes)),
                None => "an axis such as -1, or several such as (0, 1)",
            },
            (Kind::Flag, _) => "`true` or `false`",
            (Kind::Size, _) => "a whole number",
            (Kind::Type, _) => unreachable!("builtin: types are words"),
        };
        let found = self.describe(&item);
        self.fail(
            Diagnostic::error(
                "call::type",
                format!("`{}` of `{}` is {wanted}, but this is {found}", param.name, function.name),
                at,
                found.clone(),
            )
            .help(format!("write {wanted}")),
        )
    }

    fn type_word(
        &mut self,
        function: &Builtin,
        param: &Param,
        given: Given<ArgSource<'_, S::Entity>>,
    ) -> Checked<Evaluated> {
        if let ArgSource::Expr(expr) = &given.value
            && let Some(dtype) = expr.as_name().and_then(|n| n.name.parse::<DType>().ok())
            && dtype != DType::U8
        {
            return Ok(Evaluated::Type(dtype));
        }
        self.fail(
            Diagnostic::error(
                "call::type",
                format!("`{}` of `{}` is `f32` or `i32`", param.name, function.name),
                given.span,
                "neither of them",
            )
            .help("write `f32` or `i32`"),
        )
    }
}

fn axes_of<E>(item: &Item<E>) -> Option<Vec<i64>> {
    match item {
        Item::Number(Number::Int(dim)) => Some(vec![dim.as_const()?]),
        Item::Tuple(items) => {
            let all: Option<Vec<Vec<i64>>> = items.iter().map(axes_of).collect();
            Some(all?.concat())
        }
        Item::Number(Number::Float(_))
        | Item::Tensor(_)
        | Item::Bool(_)
        | Item::Text(_)
        | Item::Entity(_) => None,
    }
}

impl Use<'_> {
    fn operand(&self, i: usize) -> Option<(Operand, Span)> {
        match &self.args[i] {
            Some((Evaluated::Operand(x), at)) => Some((x.clone(), *at)),
            Some((Evaluated::Size(_) | Evaluated::Axes(_) | Evaluated::Flag(_) | Evaluated::Type(_), _))
            | None => None,
        }
    }

    fn given(&self, i: usize) -> (Operand, Span) {
        self.operand(i).expect("builtin: a required operand was bound")
    }

    fn tensor(&mut self, i: usize) -> Value {
        let (x, _) = self.given(i);
        tensor_of(self.b, &x)
    }

    fn size(&self, i: usize) -> Dim {
        match &self.args[i] {
            Some((Evaluated::Size(dim), _)) => dim.clone(),
            Some((
                Evaluated::Operand(_) | Evaluated::Axes(_) | Evaluated::Flag(_) | Evaluated::Type(_),
                _,
            ))
            | None => {
                unreachable!("builtin: a required size was bound")
            }
        }
    }

    fn flag(&self, i: usize) -> bool {
        matches!(self.args.get(i), Some(Some((Evaluated::Flag(true), _))))
    }

    fn place(&self, i: usize) -> Span {
        self.args[i].as_ref().map_or(self.span, |(_, at)| *at)
    }

    fn wrong(&self, i: usize, why: &str, help: &str) -> Diagnostic {
        Diagnostic::error(
            "shape::axis",
            format!("`{}` {why}", self.function.name),
            self.place(i),
            "this does not fit",
        )
        .help(help)
    }

    /// A whole tensor of `i32`.
    fn whole(&mut self, i: usize) -> Result<Value, Diagnostic> {
        let (x, at) = self.given(i);
        let v = match &x {
            Operand::Number(Number::Int(dim)) if dim.as_const().is_some() => {
                self.b.int(dim.as_const().expect("just looked"))
            }
            Operand::Number(_) | Operand::Tensor(_) => tensor_of(self.b, &x),
        };
        match self.b.dtype(v) {
            DType::I32 => Ok(v),
            DType::U8 => Ok(self.b.to_i32(v)),
            DType::F32 => Err(Diagnostic::error(
                "dtype::argument",
                format!("`{}` needs whole numbers, but this is {}", self.function.name, self.b.ty(v)),
                at,
                "not i32",
            )
            .help("convert it with `cast(…, i32)`")),
        }
    }

    /// The axes given as argument `i`, counted from the front, sorted; all axes without one.
    fn axes(&mut self, i: usize, x: Value) -> Result<Vec<usize>, Diagnostic> {
        let rank = self.b.shape(x).rank();
        let Some(Some((Evaluated::Axes(axes), at))) = self.args.get(i) else {
            return Ok((0..rank).collect());
        };
        let mut all = Vec::new();
        for &axis in axes {
            let from_front = if axis < 0 { axis + rank as i64 } else { axis };
            match usize::try_from(from_front) {
                Ok(a) if a < rank && !all.contains(&a) => all.push(a),
                Ok(_) | Err(_) => {
                    let ty = self.b.ty(x);
                    let d = Diagnostic::error(
                        "shape::axis",
                        format!("`{}` has no axis {axis} to fold in {ty}", self.function.name),
                        *at,
                        "no such axis, or given twice",
                    );
                    return Err(match rank {
                        0 => d.help("a single number has no axes: leave `axis` out"),
                        _ => d.help(format!("axes are 0 to {}, or -{rank} to -1 from the end", rank - 1)),
                    });
                }
            }
        }
        all.sort_unstable();
        Ok(all)
    }

    /// A function of one number; whole tensors become `f32`.
    fn scalar(
        &mut self,
        value: fn(f64) -> f64,
        node: fn(&mut Builder, Value) -> Value,
    ) -> Result<Operand, Diagnostic> {
        let (x, _) = self.given(0);
        if let Operand::Number(n) = &x
            && let Some(known) = n.as_f64()
        {
            return Ok(value(known).into());
        }
        let v = as_f32(self.b, &x);
        Ok(node(self.b, v).into())
    }

    fn pairwise(
        &mut self,
        value: fn(f64, f64) -> f64,
        node: fn(&mut Builder, Value, Value) -> Value,
    ) -> Result<Operand, Diagnostic> {
        let ((x, at_x), (y, at_y)) = (self.given(0), self.given(1));
        if let (Operand::Number(l), Operand::Number(r)) = (&x, &y)
            && let (Some(l_known), Some(r_known)) = (l.as_f64(), r.as_f64())
        {
            let winner = value(l_known, r_known);
            // The operand itself, so that a whole number stays one.
            return Ok(if winner == l_known { x } else { y });
        }
        let (l, r) = promote(self.b, &x, &y);
        check_broadcast(self.b, self.function.name, (l, at_x), (r, at_y), self.span)?;
        Ok(node(self.b, l, r).into())
    }

    /// Folds the axes of argument `axis`; `keep` follows it.
    fn fold(&mut self, node: fn(&mut Builder, Value, &[usize]) -> Value) -> Result<Operand, Diagnostic> {
        let at =
            self.function.params.iter().position(|p| p.name == "axis").expect("builtin: a fold has an axis");
        let (x, _) = self.given(0);
        let x = as_f32(self.b, &x);
        let axes = self.axes(at, x)?;
        let folded = node(self.b, x, &axes);
        if !self.flag(at + 1) {
            return Ok(folded.into());
        }
        let shape = axes.iter().fold(self.b.shape(x).clone(), |shape, &a| shape.with(a, Dim::one()));
        Ok(self.b.reshape(folded, shape).into())
    }

    fn choose(&mut self) -> Result<Operand, Diagnostic> {
        let chosen = match &self.args[..] {
            [Some((Evaluated::Flag(true), _)), ..] | [_, _, None] => Some(1),
            [Some((Evaluated::Flag(false), _)), ..] | [_, None, _] => Some(2),
            _ => None,
        };
        if let Some(side) = chosen {
            return Ok(self.given(side).0);
        }
        let (mask, at_mask) = self.given(0);
        let ((x, at_x), (y, at_y)) = (self.given(1), self.given(2));
        let mask = as_f32(self.b, &mask);
        let (l, r) = promote(self.b, &x, &y);
        check_broadcast(self.b, "where", (l, at_x), (r, at_y), self.span)?;
        check_broadcast(self.b, "where", (mask, at_mask), (l, at_x), self.span)?;
        check_broadcast(self.b, "where", (mask, at_mask), (r, at_y), self.span)?;
        Ok(self.b.select(mask, l, r).into())
    }

    /// The largest of the negated places where the maximum stands: so ties go to the first, and
    /// a row of NaN gives a place behind the last.
    fn argmax(&mut self) -> Result<Operand, Diagnostic> {
        let (x, _) = self.given(0);
        let x = as_f32(self.b, &x);
        let rank = self.b.shape(x).rank();
        if rank == 0 {
            return Err(self.wrong(
                0,
                "needs at least one axis",
                "give a tensor with the scores of the classes",
            ));
        }
        let axes = if self.args[1].is_some() { self.axes(1, x)? } else { vec![rank - 1] };
        let [axis] = axes[..] else {
            return Err(self.wrong(1, "takes one axis", "write one axis, such as `axis=-1`"));
        };
        let shape = self.b.shape(x).clone();
        let largest = self.b.max_keep(x, &[axis]);
        let places = self.b.iota(shape.clone(), axis);
        let places = self.b.to_f32(places);
        let places = self.b.neg(places);
        let behind = self.b.size(&shape[axis]);
        let behind = self.b.neg(behind);
        let stands = self.b.eq(x, largest);
        let candidates = self.b.select(stands, places, behind);
        let first = self.b.max_of(candidates, &[axis]);
        let first = self.b.neg(first);
        Ok(self.b.to_i32(first).into())
    }

    fn cast(&mut self) -> Result<Operand, Diagnostic> {
        let (x, _) = self.given(0);
        let dtype = match &self.args[1] {
            Some((Evaluated::Type(dtype), _)) => *dtype,
            Some((
                Evaluated::Operand(_) | Evaluated::Size(_) | Evaluated::Axes(_) | Evaluated::Flag(_),
                _,
            ))
            | None => {
                unreachable!("builtin: a required type was bound")
            }
        };
        let v = tensor_of(self.b, &x);
        Ok(match dtype {
            DType::F32 => self.b.to_f32(v),
            DType::I32 => self.b.to_i32(v),
            DType::U8 => unreachable!("builtin: u8 is storage only"),
        }
        .into())
    }
}
