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
    /// A layer with its settings, one of these; of all layers if there are none.
    Layer(&'static [&'static str]),
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
    /// Of `Layer`.
    Layer(Box<Inner>),
    None,
}

/// A layer that is a setting of another: `LSTM(64)` in `Bidirectional(LSTM(64))`.
#[derive(Clone, Debug)]
pub struct Inner {
    pub name: &'static str,
    pub sig: &'static Sig,
    /// One for each of `sig.attrs`, as in a [`Call`].
    pub attrs: Vec<(AttrValue, Span)>,
    pub span: Span,
}

impl PartialEq for Inner {
    /// A signature is known by its name.
    fn eq(&self, other: &Inner) -> bool {
        (self.name, &self.attrs) == (other.name, &other.attrs)
    }
}

impl Inner {
    fn at(&self, name: &str) -> usize {
        let at = self.sig.attrs.iter().position(|a| a.name == name);
        at.unwrap_or_else(|| panic!("layer: {} has a setting `{name}`", self.name))
    }

    pub fn attr(&self, name: &str) -> &AttrValue {
        &self.attrs[self.at(name)].0
    }

    pub fn set(&mut self, name: &str, value: AttrValue) {
        let at = self.at(name);
        self.attrs[at].0 = value;
    }

    /// Its use as a part of `outer`, with the tensors that come to that. Weights live in the place
    /// `part` of the outer layer's, or in it if that is empty.
    pub fn call(&self, outer: &Call, part: &str) -> Call {
        let path = match (outer.path.as_str(), part) {
            (path, "") => path.to_string(),
            ("", part) => part.to_string(),
            (path, part) => format!("{path}.{part}"),
        };
        Call { sig: self.sig, attrs: self.attrs.clone(), path, span: self.span, ..outer.clone() }
    }
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
