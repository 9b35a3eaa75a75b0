//! What an op says of itself: a signature that is data.
//!
//! Checking, defaults, docs, hover and tests are read from here; `sema`
//! resolves a call of the user's text against it and hands the result to
//! `build` as a [`Call`].

use crate::base::{Dim, Span};
use crate::graph::{Init, Value};

/// The signature of a layer.
#[derive(Debug)]
pub struct Sig {
    /// Keras' name.
    pub name: &'static str,
    /// What people who come from elsewhere type: `Linear`. Answered by a fix-it.
    pub aliases: &'static [&'static str],
    /// First line a sentence; then equation, shapes, source.
    pub doc: &'static str,
    /// A stage that can stand behind `x |>`, for an `x` of `f32[B, 6]` unless the doc says otherwise.
    pub example: &'static str,
    /// Tensors that come by the pipe, in order; those with `?` behind may be left out.
    pub inputs: &'static [&'static str],
    pub attrs: &'static [Attr],
}

/// A setting in a layer's parentheses. Positional arguments fill them in order.
#[derive(Debug)]
pub struct Attr {
    pub name: &'static str,
    pub ty: AttrType,
    pub default: Default,
    pub doc: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AttrType {
    /// A size: at least `min`, possibly with symbols.
    Size {
        min: i64,
    },
    /// Sizes as further positional arguments: `Reshape(28, 28)`; at most one is -1.
    Sizes,
    /// A number for both axes of an image, or one for each: `3`, `(3, 5)`, `[3, 5]`.
    Pair {
        min: i64,
    },
    /// A number for the four sides of an image, one for each axis, or a pair for each axis:
    /// `1`, `(1, 2)`, `((0, 1), (2, 2))`.
    Sides,
    Int {
        min: i64,
        max: i64,
    },
    /// `min <= x`, and `x <= max`, or `x < max` if `open`.
    Float {
        min: f64,
        max: f64,
        open: bool,
    },
    Bool,
    Choice(&'static [&'static str]),
    /// The name of a one-argument `op`: `relu`, or `none`.
    Activation,
    /// `Normal(std=0.02)`, `glorot_uniform`.
    Init,
    /// The loss or a metric of a split: `valid.loss`.
    Metric,
    Str,
    /// One or several words: `[year, month]`.
    Choices(&'static [&'static str]),
    /// A value as cells of a table hold it: a number, a word, a text in quotes.
    Cell,
}

/// What an attribute is when the user does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    Required,
    /// Absent, and that means something: no activation, no penalty.
    None,
    Int(i64),
    Float(f64),
    Bool(bool),
    Word(&'static str),
    /// Looked up in the table of defaults under this key: differs between Keras and PyTorch.
    Table(&'static str),
}

/// A setting after checking.
#[derive(Clone, Debug, PartialEq)]
pub enum AttrValue {
    /// Of `Size` and `Int`.
    Size(Dim),
    /// Of `Sizes`; of `Pair`, which are two; of `Sides`, which are four: before and behind each axis.
    Sizes(Vec<Dim>),
    Float(f64),
    Bool(bool),
    /// Of `Choice`, `Metric`, `Str` and `Cell`.
    Word(String),
    /// Of `Choices`.
    Words(Vec<String>),
    /// The name of an op in scope; `None` for no activation.
    Activation(Option<String>),
    Init(InitSpec),
    None,
}

/// An initialiser as written: it needs fans to become an [`Init`].
#[derive(Clone, Debug, PartialEq)]
pub enum InitSpec {
    Fixed(Init),
    /// Variance scaling (He et al., 2015): variance `scale / fan`.
    Scaled {
        scale: f64,
        mode: FanMode,
        uniform: bool,
        truncated: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FanMode {
    In,
    Out,
    Average,
}

/// Which table of defaults a spec chose on line one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    Keras,
    Torch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Train,
    Eval,
}

/// One use of a layer, checked against its signature.
#[derive(Clone, Debug)]
pub struct Call {
    pub sig: &'static Sig,
    pub inputs: Vec<Value>,
    /// By input: which steps of it count, `f32[B, T]`: 1 keeps, 0 is padding. None: all.
    pub masks: Vec<Option<Value>>,
    /// One for each of `sig.attrs`, in order, defaults filled in; where the user wrote it,
    /// or else the call.
    pub attrs: Vec<(AttrValue, Span)>,
    /// Where its weights live: `fc1`, `h.0.attn.c_attn`.
    pub path: String,
    pub span: Span,
    pub framework: Framework,
    pub mode: Mode,
}
