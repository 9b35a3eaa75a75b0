//! Shapes of signatures: sizes with names that each use binds anew.
//!
//! `f32[..s, 2*n]` meets `f32[B, 4, 6]`: `s` is `[B, 4]` and `n` is 3. A name
//! that is already bound must come out the same again.

use super::Checked;
use super::item::Number;
use crate::base::{DType, Dim, Shape, Span, Sym};
use crate::diag::{Diagnostic, Diagnostics};
use crate::syntax::ast::{Arg, BinOp, Expr, ExprKind, SizeExpr, Type};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// In front of the symbols that a signature binds, so that they never meet those of actual shapes.
const FREE: &str = "?";

/// A tensor type as a signature writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// `None` for `number`: any type, turned to `f32` where arithmetic wants it.
    pub dtype: Option<DType>,
    pub sizes: Vec<PatternSize>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum PatternSize {
    /// Names that the signature binds are symbols with [`FREE`] in front.
    Size(Dim),
    /// `..s`
    Rest(Arc<str>),
    /// `_`
    Any,
}

/// What the names of a signature stand for in one use of it.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    sizes: BTreeMap<Sym, Dim>,
    rests: BTreeMap<Arc<str>, Vec<Dim>>,
}

/// Why a shape does not fit a pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum Mismatch {
    /// The number of axes.
    Rank,
    /// The axis, and what it should have been, if that is known.
    Size(usize, Option<Dim>),
    /// `..s` stands for these axes already.
    Rest(Arc<str>, Vec<Dim>),
}

impl Bound {
    pub fn new() -> Bound {
        Bound::default()
    }

    /// Fixes a name from outside: a setting that a shape mentions.
    pub fn set(&mut self, name: &str, dim: Dim) {
        self.sizes.insert(free(name), dim);
    }

    /// The size that a name is bound to.
    pub fn size(&self, name: &str) -> Option<&Dim> {
        self.sizes.get(&free(name))
    }

    /// All bound sizes, names as in the text.
    pub fn sizes(&self) -> impl Iterator<Item = (&str, &Dim)> {
        self.sizes.iter().map(|(name, dim)| (name.strip_prefix(FREE).unwrap_or(name), dim))
    }

    fn resolve(&self, dim: &Dim) -> Dim {
        self.sizes.iter().fold(dim.clone(), |d, (sym, by)| d.substitute(sym, by))
    }

    /// The shape that `pattern` stands for, if every name of it is bound.
    pub fn shape(&self, pattern: &Pattern) -> Option<Shape> {
        let mut dims = Vec::new();
        for size in &pattern.sizes {
            match size {
                PatternSize::Size(dim) => dims.push(Some(self.resolve(dim)).filter(|d| !has_free(d))?),
                PatternSize::Rest(name) => dims.extend(self.rests.get(name)?.iter().cloned()),
                PatternSize::Any => return None,
            }
        }
        Some(Shape::from(dims))
    }

    /// Binds what is left unbound in `pattern`'s rests to no axes.
    pub fn close_rests(&mut self, pattern: &Pattern) {
        for size in &pattern.sizes {
            if let PatternSize::Rest(name) = size {
                self.rests.entry(name.clone()).or_default();
            }
        }
    }
}

fn free(name: &str) -> Sym {
    Sym::from(format!("{FREE}{name}"))
}

fn is_free(sym: &Sym) -> bool {
    sym.starts_with(FREE)
}

fn has_free(dim: &Dim) -> bool {
    dim.syms().iter().any(is_free)
}

/// Fits `shape` to `pattern`, binding names that are new.
pub fn unify(pattern: &Pattern, shape: &Shape, bound: &mut Bound) -> Result<(), Mismatch> {
    let rest = pattern.sizes.iter().position(|s| matches!(s, PatternSize::Rest(_)));
    let fixed = pattern.sizes.len() - usize::from(rest.is_some());
    if shape.rank() < fixed || (rest.is_none() && shape.rank() != fixed) {
        return Err(Mismatch::Rank);
    }
    let spare = shape.rank() - fixed;
    let mut axis = 0;
    for size in &pattern.sizes {
        match size {
            PatternSize::Size(dim) => fit(dim, &shape[axis], axis, bound)?,
            PatternSize::Any => {}
            PatternSize::Rest(name) => {
                let found = shape[axis..axis + spare].to_vec();
                let known = bound.rests.entry(name.clone()).or_insert_with(|| found.clone());
                if *known != found {
                    return Err(Mismatch::Rest(name.clone(), known.clone()));
                }
                axis += spare;
                continue;
            }
        }
        axis += 1;
    }
    Ok(())
}

/// Makes one size equal to what stands in the signature.
fn fit(wanted: &Dim, found: &Dim, axis: usize, bound: &mut Bound) -> Result<(), Mismatch> {
    let wanted = bound.resolve(wanted);
    if wanted == *found {
        return Ok(());
    }
    match solve(&wanted, found) {
        Some((sym, value)) if !has_free(&value) => {
            bound.sizes.insert(sym, value);
            Ok(())
        }
        Some(_) | None => Err(Mismatch::Size(axis, (!has_free(&wanted)).then_some(wanted))),
    }
}

/// The free symbol that makes both equal, also behind a factor: `2*n` against 6.
fn solve(wanted: &Dim, found: &Dim) -> Option<(Sym, Dim)> {
    if let Some(solved) = wanted.solve(found, is_free) {
        return Some(solved);
    }
    let sym = wanted.syms().into_iter().find(is_free)?;
    let without = wanted.substitute(&sym, &Dim::zero());
    let factor = wanted.substitute(&sym, &Dim::one()) - without.clone();
    let linear = without.clone() + factor.clone() * Dim::sym(&sym) == *wanted;
    let value = (found.clone() - without).div_exact(&factor)?;
    linear.then_some((sym, value))
}

impl Pattern {
    /// Reads a type with brackets. `known` answers for names and members that are fixed outside
    /// the signature; all other names are bound by it.
    pub fn from_ast(
        ty: &Type,
        known: &dyn Fn(&Expr) -> Option<Number>,
        diags: &mut Diagnostics,
    ) -> Checked<Pattern> {
        let dtype = dtype_of(ty, diags);
        let Some(shape) = &ty.shape else {
            diags.push(
                Diagnostic::error(
                    "type::shape",
                    format!("`{}` needs a shape", ty.name.name),
                    ty.span,
                    "no shape",
                )
                .help(format!("write `{0}[]` for a single number, `{0}[..s]` for any shape", ty.name.name)),
            );
            return Err(super::Reported);
        };
        let sizes: Vec<_> = shape.iter().map(|size| pattern_size(size, known, diags)).collect();
        let sizes = sizes.into_iter().collect::<Checked<Vec<_>>>()?;
        if &*ty.name.name == "box" {
            corners(ty, sizes.last(), diags)?;
        }
        let mut rests = shape.iter().filter_map(|s| match s {
            SizeExpr::Rest(name) => Some(name),
            SizeExpr::Size(_) | SizeExpr::Any(_) => None,
        });
        if let (Some(_), Some(second)) = (rests.next(), rests.next()) {
            diags.push(
                Diagnostic::error("type::shape", "a shape has at most one `..`", second.span, "the second")
                    .help("name the axes on one side"),
            );
            return Err(super::Reported);
        }
        Ok(Pattern { dtype: dtype?, sizes, span: ty.span })
    }

    /// A size of this pattern with the names of the text, for messages and rehearsals.
    pub(super) fn named(&self, dim: &Dim) -> Dim {
        let free = dim.syms().into_iter().filter(is_free);
        free.fold(dim.clone(), |d, sym| d.substitute(&sym, &Dim::sym(&sym[FREE.len()..])))
    }

    /// The name behind `..`.
    pub fn rest(&self) -> Option<&str> {
        self.sizes.iter().find_map(|s| match s {
            PatternSize::Rest(name) => Some(&**name),
            PatternSize::Size(_) | PatternSize::Any => None,
        })
    }

    /// The names of sizes that it binds.
    pub fn names(&self) -> Vec<String> {
        let dims = self.sizes.iter().filter_map(|s| match s {
            PatternSize::Size(dim) => Some(dim),
            PatternSize::Rest(_) | PatternSize::Any => None,
        });
        let syms = dims.flat_map(Dim::syms).filter(is_free);
        syms.map(|s| s[FREE.len()..].to_string()).collect()
    }
}

/// Every name that a type can have.
pub const TYPES: [&str; 12] =
    ["f32", "i32", "u8", "number", "int", "float", "bool", "logits", "prob", "mask", "class", "box"];

/// How the four numbers of a `box` are meant: left, top, right, bottom.
const CORNERS: &str = "xyxy";

/// Element types by name; meaning types are what they are stored as.
fn dtype_of(ty: &Type, diags: &mut Diagnostics) -> Checked<Option<DType>> {
    match &*ty.name.name {
        "f32" | "logits" | "prob" | "mask" | "box" => Ok(Some(DType::F32)),
        "i32" | "class" => Ok(Some(DType::I32)),
        "u8" => Ok(Some(DType::U8)),
        "number" => Ok(None),
        other => {
            let near = of_numpy(other).or_else(|| crate::diag::did_you_mean(other, TYPES));
            let d = Diagnostic::error(
                "type::unknown",
                format!("there is no type `{other}`"),
                ty.name.span,
                "no type",
            );
            diags.push(match near {
                Some(near) => d.help(format!("did you mean `{near}`?")).fix(
                    format!("write `{near}`"),
                    ty.name.span,
                    near,
                ),
                None => {
                    d.help("tensors are `f32[…]`, `i32[…]` or `number[…]`; settings `int`, `float` or `bool`")
                }
            });
            Err(super::Reported)
        }
    }
}

/// `box(xyxy)[B, 4]`: corners, four numbers on the last axis.
fn corners(ty: &Type, last: Option<&PatternSize>, diags: &mut Diagnostics) -> Checked<()> {
    let named = |arg: &Arg| arg.name.is_none() && arg.value.as_name().is_some_and(|n| &*n.name == CORNERS);
    let is_four = matches!(last, Some(PatternSize::Size(dim)) if dim.as_const() == Some(4));
    let (message, label, help) = match ty.args.as_slice() {
        [arg] if named(arg) && is_four => return Ok(()),
        [arg] if named(arg) => (
            "a box is four numbers along the last axis",
            "does not end in 4",
            "write `box(xyxy)[B, 4]`, or `box(xyxy)[B, n, 4]` of n boxes a row",
        ),
        [] => ("a box is four numbers, and there are several ways to write it", "which way?", BOX_HELP),
        _other => ("boxes are written by their corners", "not the corners", BOX_HELP),
    };
    diags.push(Diagnostic::error("type::box", message, ty.span, label).help(help));
    Err(super::Reported)
}

const BOX_HELP: &str = "write `box(xyxy)[B, 4]`: left, top, right, bottom; of a middle `c` and a size `s`, \
                        `concat(c - s / 2, c + s / 2)`";

fn pattern_size(
    size: &SizeExpr,
    known: &dyn Fn(&Expr) -> Option<Number>,
    diags: &mut Diagnostics,
) -> Checked<PatternSize> {
    match size {
        SizeExpr::Rest(name) => Ok(PatternSize::Rest(name.name.clone())),
        SizeExpr::Any(_) => Ok(PatternSize::Any),
        SizeExpr::Size(expr) => size_dim(expr, known).map(PatternSize::Size).ok_or_else(|| {
            diags.push(
                Diagnostic::error("type::shape", "this is no size", expr.span, "not whole numbers and names")
                    .help("write a name, a whole number, or `+`, `-`, `*` and exact `/` of them"),
            );
            super::Reported
        }),
    }
}

fn size_dim(expr: &Expr, known: &dyn Fn(&Expr) -> Option<Number>) -> Option<Dim> {
    match &expr.kind {
        ExprKind::Int(n) => Some(Dim::from(*n)),
        ExprKind::Paren(inner) => size_dim(inner, known),
        ExprKind::Name(name) => match known(expr) {
            Some(Number::Int(dim)) => Some(dim),
            Some(Number::Float(_)) => None,
            None => Some(Dim::sym(&free(&name.name))),
        },
        ExprKind::Member(..) => match known(expr) {
            Some(Number::Int(dim)) => Some(dim),
            Some(Number::Float(_)) | None => None,
        },
        ExprKind::Binary { op, left, right, .. } => {
            let (left, right) = (size_dim(left, known)?, size_dim(right, known)?);
            match op {
                BinOp::Add => Some(left + right),
                BinOp::Sub => Some(left - right),
                BinOp::Mul => Some(left * right),
                BinOp::Div => left.div_exact(&right),
                BinOp::Pow
                | BinOp::MatMul
                | BinOp::Eq
                | BinOp::Ne
                | BinOp::Lt
                | BinOp::Le
                | BinOp::Gt
                | BinOp::Ge => None,
            }
        }
        ExprKind::Float(_)
        | ExprKind::Percent(_)
        | ExprKind::Bytes(_)
        | ExprKind::Str(_)
        | ExprKind::Bool(_)
        | ExprKind::Call { .. }
        | ExprKind::Index { .. }
        | ExprKind::Neg(_)
        | ExprKind::Pipe { .. }
        | ExprKind::As { .. }
        | ExprKind::By { .. }
        | ExprKind::Repeat { .. }
        | ExprKind::Range(..)
        | ExprKind::List(_)
        | ExprKind::Tuple(_)
        | ExprKind::Broken => None,
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let sizes: Vec<String> = self
            .sizes
            .iter()
            .map(|size| match size {
                PatternSize::Size(dim) => dim.to_string().replace(FREE, ""),
                PatternSize::Rest(name) => format!("..{name}"),
                PatternSize::Any => "_".to_string(),
            })
            .collect();
        write!(f, "{}[{}]", self.dtype.map_or("number", DType::name), sizes.join(", "))
    }
}

/// What NumPy, PyTorch and C call a type.
fn of_numpy(name: &str) -> Option<&'static str> {
    match name {
        "float32" | "float64" | "float16" | "f64" | "f16" | "bf16" | "double" => Some("f32"),
        "int32" | "int64" | "i64" | "long" => Some("i32"),
        "uint8" | "byte" => Some("u8"),
        _other => None,
    }
}
