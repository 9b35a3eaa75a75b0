//! Layers: what owns weights or looks at ranks. One file each, made of primitives.
//!
//! A layer has a signature, which is data, and a `build`. It has no shape rule, gradient or
//! lowering of its own: those follow from what it is made of.

mod activation;
mod attention;
mod batch_norm;
mod conv;
mod conv_transpose;
mod dense;
mod depthwise;
mod distributed;
mod dropout;
mod embedding;
mod noise;
mod norm;
mod penalty;
mod places;
mod pooling;
mod prelu;
mod recurrent;
mod shape;
mod sides;

pub use attention::{Attention, attend};
pub use recurrent::RECURRENT;

use super::formula::{Given, Item, apply, apply_std};
use super::{AttrValue, Call, InitSpec, Inner, Library, Sig, init};
use crate::base::{DType, Dim, Shape, Span, TensorType};
use crate::diag::{Code, Diagnostic};
use crate::graph::{Builder, Init, LeafKind, Value};

/// A layer of the library.
pub trait OpDef: Sync {
    fn sig(&self) -> &'static Sig;

    /// Adds its nodes to the graph. Shapes that do not fit are a diagnostic at the call.
    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic>;
}

/// What a layer made.
#[derive(Clone, Debug, Default)]
pub struct Built {
    pub outputs: Vec<Value>,
    /// Scalars that are added to the loss: `l2`.
    pub penalties: Vec<Value>,
    pub mask: Masking,
}

/// What becomes of the mask of a layer's first input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Masking {
    /// It goes on if the output has as many axes, the first two as long: what keeps time.
    #[default]
    Kept,
    /// Time ends here, whatever the shapes look like.
    Dropped,
    /// The output has this one, `f32[B, T]`.
    Made(Value),
}

impl Masking {
    /// The mask of an output of shape `after`, given that of an input of shape `before`.
    pub fn follow(self, mask: Option<Value>, before: &Shape, after: &Shape) -> Option<Value> {
        let keeps_time = || before.rank() == after.rank() && before.get(..2) == after.get(..2);
        match self {
            Masking::Kept => mask.filter(|_| keeps_time()),
            Masking::Dropped => None,
            Masking::Made(made) => Some(made),
        }
    }
}

impl From<Value> for Built {
    fn from(output: Value) -> Built {
        Built { outputs: vec![output], ..Built::default() }
    }
}

/// Every layer, in the order of the reference.
static LAYERS: &[&dyn OpDef] = &[
    &dense::Dense,
    &conv::CONV_1D,
    &conv::CONV_2D,
    &depthwise::DepthwiseConv2D,
    &depthwise::SeparableConv2D,
    &conv_transpose::Conv2DTranspose,
    &pooling::MAX_1D,
    &pooling::MAX_2D,
    &pooling::AVERAGE_1D,
    &pooling::AVERAGE_2D,
    &pooling::GLOBAL_MAX_1D,
    &pooling::GLOBAL_MAX_2D,
    &pooling::GLOBAL_AVERAGE_1D,
    &pooling::GLOBAL_AVERAGE_2D,
    &sides::UpSampling2D,
    &sides::ZeroPadding2D,
    &sides::CROPPING_1D,
    &sides::CROPPING_2D,
    &shape::Flatten,
    &shape::Reshape,
    &shape::Squeeze,
    &shape::Permute,
    &shape::RepeatVector,
    &shape::Rescaling,
    &dropout::Dropout,
    &dropout::SPATIAL_1D,
    &dropout::SPATIAL_2D,
    &noise::GaussianNoise,
    &noise::GaussianDropout,
    &penalty::ActivityRegularization,
    &batch_norm::BatchNorm,
    &norm::LayerNorm,
    &norm::RmsNorm,
    &norm::GroupNorm,
    &activation::RELU,
    &activation::LEAKY_RELU,
    &activation::SIGMOID,
    &activation::TANH,
    &activation::SOFTMAX,
    &activation::GELU,
    &activation::SILU,
    &activation::ELU,
    &activation::SELU,
    &activation::MISH,
    &activation::SOFTPLUS,
    &activation::SOFTSIGN,
    &activation::RELU6,
    &activation::HARD_SIGMOID,
    &activation::HARD_SILU,
    &activation::HARD_TANH,
    &activation::LOG_SIGMOID,
    &prelu::PReLU,
    &embedding::Embedding,
    &recurrent::SimpleRnn,
    &recurrent::Lstm,
    &recurrent::Gru,
    &recurrent::Bidirectional,
    &distributed::TimeDistributed,
    &attention::MultiHeadAttention,
];

/// Names that are promised, so that a typo of one is answered with it.
pub fn later_layers() -> impl Iterator<Item = &'static str> {
    LATER.iter().copied()
}

/// Layers of Keras that are not built yet: a spec that names one is told so.
static LATER: &[&str] = &["Conv3D", "Attention"];

/// Every layer.
pub fn layers() -> &'static [&'static dyn OpDef] {
    LAYERS
}

/// The layer of that name.
pub fn layer(name: &str) -> Option<&'static dyn OpDef> {
    let long = pooling::SHORT.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
    LAYERS.iter().copied().find(|l| l.sig().name == long)
}

/// Our name of what is called `name` elsewhere: `Dense` for `Linear`.
pub fn alias(name: &str) -> Option<&'static str> {
    LAYERS.iter().map(|l| l.sig()).find(|sig| sig.aliases.contains(&name)).map(|sig| sig.name)
}

/// Whether Keras has a layer of that name that is not built yet.
pub fn known_later(name: &str) -> bool {
    LATER.contains(&name)
}

/// The same elements under another last axes: axis 0 is the batch and stays.
fn batch_first(b: &Builder, call: &Call, x: Value) -> Result<Dim, Diagnostic> {
    match b.shape(x).first() {
        Some(batch) => Ok(batch.clone()),
        None => {
            Err(call
                .shape_error("needs a batch, but its input is a single number", "give it a tensor of rows"))
        }
    }
}

impl Call {
    /// The tensor that came by the pipe.
    pub fn input(&self, i: usize) -> Value {
        self.inputs[i]
    }

    /// Which steps of input `i` count, if any do not.
    pub fn mask(&self, i: usize) -> Option<Value> {
        self.masks.get(i).copied().flatten()
    }

    fn attr(&self, name: &str) -> &AttrValue {
        let at = self.sig.attrs.iter().position(|a| a.name == name);
        &self.attrs[at.unwrap_or_else(|| panic!("layer: {} has a setting `{name}`", self.sig.name))].0
    }

    /// Where a setting is written, or the call.
    pub fn attr_span(&self, name: &str) -> Span {
        let at = self.sig.attrs.iter().position(|a| a.name == name);
        at.map_or(self.span, |i| self.attrs[i].1)
    }

    fn wrong_attr(&self, name: &str) -> ! {
        panic!("layer: the setting `{name}` of {} was checked to be of its kind", self.sig.name)
    }

    pub fn size(&self, name: &str) -> Dim {
        let AttrValue::Size(dim) = self.attr(name) else { self.wrong_attr(name) };
        dim.clone()
    }

    /// A whole number without symbols.
    pub fn whole(&self, name: &str) -> Result<i64, Diagnostic> {
        self.size(name).as_const().ok_or_else(|| {
            Diagnostic::error(
                "call::constant",
                format!("`{name}` of `{}` must be a known number", self.sig.name),
                self.attr_span(name),
                "depends on the data",
            )
            .help("write a number")
        })
    }

    pub fn sizes(&self, name: &str) -> &[Dim] {
        let AttrValue::Sizes(dims) = self.attr(name) else { self.wrong_attr(name) };
        dims
    }

    pub fn float(&self, name: &str) -> f64 {
        let AttrValue::Float(x) = self.attr(name) else { self.wrong_attr(name) };
        *x
    }

    pub fn flag(&self, name: &str) -> bool {
        let AttrValue::Bool(x) = self.attr(name) else { self.wrong_attr(name) };
        *x
    }

    /// One of a choice.
    pub fn word(&self, name: &str) -> &str {
        let AttrValue::Word(word) = self.attr(name) else { self.wrong_attr(name) };
        word
    }

    pub fn activation(&self, name: &str) -> Option<&str> {
        let AttrValue::Activation(op) = self.attr(name) else { self.wrong_attr(name) };
        op.as_deref()
    }

    pub fn init(&self, name: &str) -> &InitSpec {
        let AttrValue::Init(spec) = self.attr(name) else { self.wrong_attr(name) };
        spec
    }

    /// The layer that this one is made of.
    fn inner(&self, name: &str) -> &Inner {
        let AttrValue::Layer(inner) = self.attr(name) else { self.wrong_attr(name) };
        inner
    }

    /// A mistake of this call; the chain of shapes before it is added by whoever called.
    pub fn error(&self, code: Code, message: &str, label: &str) -> Diagnostic {
        Diagnostic::error(code, format!("`{}` {message}", self.sig.name), self.span, label)
    }

    pub fn shape_error(&self, message: &str, help: &str) -> Diagnostic {
        self.error("shape::layer", message, "does not fit its input").help(help)
    }

    /// Layers compute with `f32`.
    pub fn float_input(&self, b: &Builder, i: usize) -> Result<Value, Diagnostic> {
        let v = self.input(i);
        match b.dtype(v) {
            DType::F32 => Ok(v),
            DType::I32 | DType::U8 => Err(self
                .error(
                    "dtype::layer",
                    &format!("needs f32, but its input is {}", b.ty(v)),
                    "whole numbers come in",
                )
                .help("scale it in the `data` section (`image = image / 255`), or write `cast(x, f32)`")),
        }
    }

    /// The weight `{path}.{name}`; a layer that is used twice finds the one it has.
    pub fn param(&self, b: &mut Builder, name: &str, shape: Shape, init: Init) -> Result<Value, Diagnostic> {
        let full = if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        self.drawable(&full, &shape, &init)?;
        if b.find(&full).is_none() {
            return Ok(b.param(full, shape, init));
        }
        self.shared(b, &full, shape, |kind| matches!(kind, LeafKind::Param(_)))
    }

    /// A state of the model: what steps carry along, but no gradient changes.
    fn carried(&self, b: &mut Builder, full: String, shape: Shape, init: Init) -> Result<Value, Diagnostic> {
        if b.find(&full).is_none() {
            return Ok(b.state(full, shape, init));
        }
        self.shared(b, &full, shape, |kind| matches!(kind, LeafKind::State(_)))
    }

    /// What an earlier use of the layer made, if it is of the right kind and shape.
    fn shared(
        &self,
        b: &mut Builder,
        full: &str,
        shape: Shape,
        is_kind: fn(&LeafKind) -> bool,
    ) -> Result<Value, Diagnostic> {
        let leaf = b.find(full).expect("layer: it was just looked up");
        let known = &b.graph().leaves[leaf];
        let (ty, first) = (known.ty.clone(), known.span);
        if !is_kind(&known.kind) || ty != TensorType::f32(shape.clone()) {
            return Err(self
                .error(
                    "shape::shared",
                    &format!("needs the weight `{full}` as f32{shape}, but it is {ty} already"),
                    "used with another shape here",
                )
                .label(first, format!("`{full}` is {ty} here"))
                .help("give the layers names of their own with `as`, or equal shapes"));
        }
        Ok(b.read(leaf))
    }

    /// Some initialisers are of matrices alone.
    fn drawable(&self, weight: &str, shape: &Shape, init: &Init) -> Result<(), Diagnostic> {
        let (fits, kind) = match init {
            Init::Orthogonal { .. } => (shape.rank() >= 2, "an orthogonal matrix"),
            Init::Identity { .. } => (shape.rank() == 2, "an identity matrix"),
            Init::Constant(_)
            | Init::Parts(_)
            | Init::Uniform { .. }
            | Init::Normal { .. }
            | Init::TruncatedNormal { .. } => (true, ""),
        };
        match fits {
            true => Ok(()),
            false => {
                let message = format!("cannot start `{weight}` as {kind}: it is f32{shape}");
                let help =
                    "choose an initialiser that any shape can have, such as `zeros` or `Normal(std=0.02)`";
                Err(self.error("shape::layer", &message, "would start so").help(help))
            }
        }
    }

    /// Applies the library's formula `op`, which has one result, to `x` and settings by name.
    pub fn formula(
        &self,
        lib: &Library,
        b: &mut Builder,
        op: &str,
        x: Vec<Value>,
        settings: Vec<(&str, Item)>,
    ) -> Result<Value, Diagnostic> {
        let tensors = x.into_iter().map(|x| Given::new(Item::Tensor(x), self.span));
        let settings =
            settings.into_iter().map(|(name, value)| Given::named(name, value, self.attr_span(name)));
        match apply_std(lib, b, op, tensors.chain(settings).collect(), self.span) {
            Ok(values) => Ok(values[0]),
            Err(found) => Err(found.into_iter().next().expect("layer: formulas of the library are right")),
        }
    }

    /// Applies the activation `op`, which may be the user's.
    pub fn activate(&self, lib: &Library, b: &mut Builder, op: &str, x: Value) -> Result<Value, Diagnostic> {
        let x = Given::new(Item::Tensor(x), self.span);
        match apply(lib, b, op, vec![x], self.span) {
            Ok(values) => Ok(values[0]),
            Err(found) => Err(found.into_iter().next().unwrap_or_else(|| {
                // The op itself is broken, which is reported where it is declared.
                self.error("op::broken", &format!("uses `{op}`, which has a mistake of its own"), "used here")
                    .help(format!("correct `{op}` first"))
            })),
        }
    }

    /// A site for random numbers that no other layer of the graph draws from.
    pub fn site(&self, b: &Builder) -> String {
        let base = if self.path.is_empty() { self.sig.name.to_lowercase() } else { self.path.clone() };
        free_site(b, &base)
    }
}

/// `base`, or with a number behind it, so that nothing else of the graph draws from it.
pub fn free_site(b: &Builder, base: &str) -> String {
    if !b.draws(base) {
        return base.to_string();
    }
    (2..).map(|n| format!("{base}.{n}")).find(|site| !b.draws(site)).expect("layer: some number is free")
}

impl InitSpec {
    /// The initialiser for these fans.
    pub fn resolve(&self, fan_in: &Dim, fan_out: &Dim) -> Init {
        init::resolve(self, fan_in, fan_out)
    }
}
