//! What layers over places share: axes between the batch and the channels, and what slides along them.
//!
//! A sequence is `f32[B, length, channels]`, an image `f32[B, height, width, channels]`: channels are the last
//! axis. An input of another rank, and one too small for what slides over it, is a diagnostic here.

use super::batch_first;
use crate::base::Dim;
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::ops::{Attr, AttrType, AttrValue, Call, Default};

/// How a kernel or a window of a pool lies along one axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slide {
    pub size: usize,
    pub stride: usize,
    pub dilation: usize,
}

/// What is around the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    /// Nothing: the kernel stays inside.
    Valid,
    /// As much as makes `ceil(n / stride)` places of `n`; if it is odd, one more behind than before.
    Same,
    /// All before: a place sees nothing that comes after it.
    Causal,
}

pub(super) const SAME_OR_VALID: Attr = Attr {
    name: "padding",
    ty: AttrType::Choice(&["valid", "same"]),
    default: Default::Word("valid"),
    doc: "valid: stay inside of the input; same: with stride 1 the size stays, what is missing lies around it.",
};

impl Slide {
    /// From the first place that it covers to the last.
    pub fn reach(&self) -> usize {
        (self.size - 1) * self.dilation
    }
}

impl Call {
    pub(super) fn padding(&self) -> Padding {
        match self.word("padding") {
            "same" => Padding::Same,
            "causal" => Padding::Causal,
            _ => Padding::Valid,
        }
    }

    /// Whether a setting without a default was given.
    pub(super) fn says(&self, name: &str) -> bool {
        *self.attr(name) != AttrValue::None
    }

    /// One known number for each axis, of a size or a pair.
    pub(super) fn each(&self, name: &str) -> Result<Vec<usize>, Diagnostic> {
        let dims = match self.attr(name) {
            AttrValue::Size(dim) => vec![dim.clone()],
            AttrValue::Sizes(dims) => dims.clone(),
            AttrValue::Float(_)
            | AttrValue::Bool(_)
            | AttrValue::Word(_)
            | AttrValue::Words(_)
            | AttrValue::Activation(_)
            | AttrValue::Init(_)
            | AttrValue::Layer(_)
            | AttrValue::None => self.wrong_attr(name),
        };
        let known = dims.iter().map(|dim| dim.as_const().and_then(|n| usize::try_from(n).ok()));
        known.collect::<Option<Vec<usize>>>().ok_or_else(|| {
            Diagnostic::error(
                "call::constant",
                format!("`{name}` of `{}` must be a known number", self.sig.name),
                self.attr_span(name),
                "depends on the data",
            )
            .help("write a number")
        })
    }
}

/// The sizes of the `axes` places, from an input that has a batch before and channels behind them.
pub(super) fn sizes(b: &Builder, call: &Call, x: Value, axes: usize) -> Result<Vec<Dim>, Diagnostic> {
    batch_first(b, call, x)?;
    let shape = b.shape(x);
    if shape.rank() == axes + 2 {
        return Ok(shape[1..=axes].to_vec());
    }
    let wanted = match axes {
        1 => "sequences, `f32[B, length, channels]`",
        _ => "images, `f32[B, height, width, channels]`",
    };
    let message = format!("needs {wanted}, but its input is {}", b.ty(x));
    let lacks_channels = shape.rank() == axes + 1;
    let row: Vec<String> = shape[1..].iter().map(Dim::to_string).collect();
    if !lacks_channels {
        let help = format!("`Reshape` gives each row {} axes, the last for channels", axes + 1);
        return Err(call.shape_error(&message, &help));
    }
    let stage = format!("Reshape({}, 1)", row.join(", "));
    let help = format!("give each place one channel: `{stage}`");
    let at = call.span.start();
    Err(call.shape_error(&message, &help).fix(format!("put `{stage}` before it"), at, format!("{stage} |> ")))
}

/// What is added before and behind each axis of places, so that `slides` fit as `padding` says.
pub(super) fn around(
    call: &Call,
    sizes: &[Dim],
    slides: &[Slide],
    padding: Padding,
) -> Result<Vec<[Dim; 2]>, Diagnostic> {
    let each = sizes.iter().zip(slides).map(|(n, slide)| {
        let reach = Dim::from(slide.reach());
        match padding {
            Padding::Valid => fits(call, sizes, n, slide).map(|()| [Dim::zero(), Dim::zero()]),
            Padding::Causal => Ok([reach, Dim::zero()]),
            Padding::Same => same(call, n, slide),
        }
    });
    each.collect()
}

fn same(call: &Call, n: &Dim, slide: &Slide) -> Result<[Dim; 2], Diagnostic> {
    let (stride, reach) = (slide.stride as i64, slide.reach() as i64);
    let total = match n.as_const() {
        Some(n) => ((n - 1).div_euclid(stride) * stride + reach + 1 - n).max(0),
        None if stride == 1 => reach,
        None => return Err(unknown(call, n)),
    };
    Ok([Dim::from(total / 2), Dim::from(total - total / 2)])
}

fn fits(call: &Call, sizes: &[Dim], n: &Dim, slide: &Slide) -> Result<(), Diagnostic> {
    let span = slide.reach() as i64 + 1;
    let strided = (n.clone() - Dim::from(span)).div_exact(&Dim::from(slide.stride));
    match n.as_const() {
        Some(n) if n >= span => Ok(()),
        None if strided.is_some() => Ok(()),
        None => Err(unknown(call, n)),
        Some(_) => {
            let first = sizes[0].as_const().is_some_and(|n| n == 1 || n == 3);
            let help = match first && sizes.len() == 2 {
                true => "channels are the last axis here: `Permute(2, 3, 1)` brings them there",
                false => "`padding=same` lets it reach beyond the sides; or take fewer steps before it",
            };
            Err(call.shape_error(&format!("spans {span} places, but its input has {n}"), help))
        }
    }
}

fn unknown(call: &Call, n: &Dim) -> Diagnostic {
    call.shape_error(
        &format!("has strides over {n} places, whose number is not known yet"),
        "declare the size with `dim`, or take strides of 1",
    )
}

/// `x` with `around` its axes of places.
pub(super) fn padded(b: &mut Builder, x: Value, around: &[[Dim; 2]], fill: f64) -> Value {
    let rank = b.shape(x).rank();
    let (mut lo, mut hi) = (vec![Dim::zero(); rank], vec![Dim::zero(); rank]);
    for (i, [before, behind]) in around.iter().enumerate() {
        (lo[1 + i], hi[1 + i]) = (before.clone(), behind.clone());
    }
    b.pad(x, lo, hi, vec![0; rank], fill)
}

/// Splits each axis of places into those of `slides` and what they see: `[B, h, i, w, j, ..]`.
pub(super) fn windows(b: &mut Builder, x: Value, slides: &[Slide]) -> Value {
    // From the last axis on, since each split moves what is behind it.
    slides.iter().enumerate().rev().fold(x, |x, (i, s)| b.window(x, 1 + i, s.size, s.stride, s.dilation))
}
