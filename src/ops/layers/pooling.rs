//! Pooling: neighbours become one, their largest or their average.

use super::places::{SAME_OR_VALID, Slide, around, padded, sizes, windows};
use super::{Built, OpDef};
use crate::base::Dim;
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::ops::{Attr, AttrType, Call, Default, Library, Sig};

/// What becomes of neighbours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Largest,
    Average,
}

/// Over windows, or over all places.
pub struct Pool {
    sig: &'static Sig,
    axes: usize,
    of: Of,
    global: bool,
}

const SIZE: Attr = Attr {
    name: "size",
    ty: AttrType::Size { min: 1 },
    default: Default::Int(2),
    doc: "How many places become one.",
};

const SIZES: Attr = Attr {
    name: "size",
    ty: AttrType::Pair { min: 1 },
    default: Default::Int(2),
    doc: "Height and width of what becomes one place; one number for both.",
};

const STEP: Attr = Attr {
    name: "strides",
    ty: AttrType::Size { min: 1 },
    default: Default::None,
    doc: "The step from one place to the next; `size` if nothing is said.",
};

const STEPS: Attr = Attr {
    name: "strides",
    ty: AttrType::Pair { min: 1 },
    default: Default::None,
    doc: "The steps from one place to the next; `size` if nothing is said.",
};

const KEEP: Attr = Attr {
    name: "keepdims",
    ty: AttrType::Bool,
    default: Default::Bool(false),
    doc: "Whether the axes of places stay, with size 1.",
};

macro_rules! pool {
    ($pool:ident, $sig:ident, $name:literal, $aliases:expr, $axes:literal, $of:ident, $global:literal,
     $attrs:expr, $example:literal, $doc:literal) => {
        static $sig: Sig = Sig {
            name: $name,
            aliases: $aliases,
            doc: $doc,
            example: $example,
            inputs: &["x"],
            attrs: $attrs,
        };
        pub static $pool: Pool = Pool { sig: &$sig, axes: $axes, of: Of::$of, global: $global };
    };
}

pool!(
    MAX_1D,
    SIG_MAX_1D,
    "MaxPooling1D",
    &["MaxPool1d", "nn.MaxPool1d"],
    1,
    Largest,
    false,
    &[SIZE, STEP, SAME_OR_VALID],
    "Reshape(-1, 1) |> MaxPooling1D(2, padding=same)",
    "The largest of neighbouring places of a sequence, for each channel; equals give their gradient to\n\
     the first. Input `f32[B, length, n]`, output `f32[B, places, n]`. Also called MaxPool1D."
);
pool!(
    MAX_2D,
    SIG_MAX_2D,
    "MaxPooling2D",
    &["MaxPool2d", "nn.MaxPool2d"],
    2,
    Largest,
    false,
    &[SIZES, STEPS, SAME_OR_VALID],
    "Reshape(-1, 1, 1) |> MaxPooling2D(2, padding=same)",
    "The largest of neighbouring places of an image, for each channel; equals give their gradient to the\n\
     first. Input `f32[B, height, width, n]`, output `f32[B, .., .., n]`: halved by 2. Also called MaxPool2D."
);
pool!(
    AVERAGE_1D,
    SIG_AVERAGE_1D,
    "AveragePooling1D",
    &["AvgPool1d", "nn.AvgPool1d"],
    1,
    Average,
    false,
    &[SIZE, STEP, SAME_OR_VALID],
    "Reshape(-1, 1) |> AveragePooling1D(2, padding=same)",
    "The mean of neighbouring places of a sequence, for each channel; what padding=same adds does not\n\
     count. Input `f32[B, length, n]`, output `f32[B, places, n]`. Also called AvgPool1D."
);
pool!(
    AVERAGE_2D,
    SIG_AVERAGE_2D,
    "AveragePooling2D",
    &["AvgPool2d", "nn.AvgPool2d"],
    2,
    Average,
    false,
    &[SIZES, STEPS, SAME_OR_VALID],
    "Reshape(-1, 1, 1) |> AveragePooling2D(2, padding=same)",
    "The mean of neighbouring places of an image, for each channel; what padding=same adds does not count.\n\
     Input `f32[B, height, width, n]`, output `f32[B, .., .., n]`: halved by 2. Also called AvgPool2D."
);
pool!(
    GLOBAL_MAX_1D,
    SIG_GLOBAL_MAX_1D,
    "GlobalMaxPooling1D",
    &["AdaptiveMaxPool1d"],
    1,
    Largest,
    true,
    &[KEEP],
    "Reshape(-1, 1) |> GlobalMaxPooling1D",
    "The largest of all places of a sequence, for each channel: `f32[B, length, n]` becomes `f32[B, n]`.\n\
     Also called GlobalMaxPool1D."
);
pool!(
    GLOBAL_MAX_2D,
    SIG_GLOBAL_MAX_2D,
    "GlobalMaxPooling2D",
    &["AdaptiveMaxPool2d"],
    2,
    Largest,
    true,
    &[KEEP],
    "Reshape(-1, 1, 1) |> GlobalMaxPooling2D",
    "The largest of all places of an image, for each channel: `f32[B, height, width, n]` becomes `f32[B, n]`.\n\
     Also called GlobalMaxPool2D."
);
pool!(
    GLOBAL_AVERAGE_1D,
    SIG_GLOBAL_AVERAGE_1D,
    "GlobalAveragePooling1D",
    &["AdaptiveAvgPool1d"],
    1,
    Average,
    true,
    &[KEEP],
    "Reshape(-1, 1) |> GlobalAveragePooling1D",
    "The mean of all places of a sequence, for each channel: `f32[B, length, n]` becomes `f32[B, n]`.\n\
     Padding does not count. Also called GlobalAvgPool1D."
);
pool!(
    GLOBAL_AVERAGE_2D,
    SIG_GLOBAL_AVERAGE_2D,
    "GlobalAveragePooling2D",
    &["AdaptiveAvgPool2d"],
    2,
    Average,
    true,
    &[KEEP],
    "Reshape(-1, 1, 1) |> GlobalAveragePooling2D",
    "The mean of all places of an image, for each channel: `f32[B, height, width, n]` becomes `f32[B, n]`\n\
     (Lin et al., 2014). Also called GlobalAvgPool2D."
);

/// Keras' own short names, as good as the long ones.
pub static SHORT: &[(&str, &str)] = &[
    ("MaxPool1D", "MaxPooling1D"),
    ("MaxPool2D", "MaxPooling2D"),
    ("AvgPool1D", "AveragePooling1D"),
    ("AvgPool2D", "AveragePooling2D"),
    ("GlobalMaxPool1D", "GlobalMaxPooling1D"),
    ("GlobalMaxPool2D", "GlobalMaxPooling2D"),
    ("GlobalAvgPool1D", "GlobalAveragePooling1D"),
    ("GlobalAvgPool2D", "GlobalAveragePooling2D"),
];

/// Below every number, and a number on every device: what lies around an input is never the largest.
const LEAST: f64 = f32::MIN as f64;

impl OpDef for Pool {
    fn sig(&self) -> &'static Sig {
        self.sig
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let sizes = sizes(b, call, x, self.axes)?;
        match self.global {
            true => Ok(self.all(b, call, x).into()),
            false => self.windows(b, call, x, &sizes).map(Built::from),
        }
    }
}

/// The mean of the steps that a mask keeps: `f32[B, T, n]` and `f32[B, T]`.
fn kept_mean(b: &mut Builder, x: Value, mask: Value, keeps_axis: bool) -> Value {
    let shape = b.shape(x).clone();
    let over = b.broadcast(mask, shape.clone(), &[0, 1]);
    let kept = b.mul(x, over);
    let sums = b.sum(kept, &[1]);
    let counts = b.sum_keep(mask, &[1]);
    let one = b.constant(1.0);
    let counts = b.max(counts, one);
    let mean = b.div(sums, counts);
    match keeps_axis {
        true => b.reshape(mean, vec![shape[0].clone(), Dim::one(), shape[2].clone()]),
        false => mean,
    }
}

impl Pool {
    fn all(&self, b: &mut Builder, call: &Call, x: Value) -> Value {
        if let (Of::Average, 1, Some(mask)) = (self.of, self.axes, call.mask(0)) {
            return kept_mean(b, x, mask, call.flag("keepdims"));
        }
        let places: Vec<usize> = (1..=self.axes).collect();
        match (self.of, call.flag("keepdims")) {
            (Of::Largest, false) => b.max_of(x, &places),
            (Of::Largest, true) => b.max_keep(x, &places),
            (Of::Average, false) => b.mean(x, &places),
            (Of::Average, true) => b.mean_keep(x, &places),
        }
    }

    fn windows(&self, b: &mut Builder, call: &Call, x: Value, sizes: &[Dim]) -> Result<Value, Diagnostic> {
        let size = call.each("size")?;
        let strides = if call.says("strides") { call.each("strides")? } else { size.clone() };
        let slides: Vec<Slide> =
            size.into_iter().zip(strides).map(|(size, stride)| Slide { size, stride, dilation: 1 }).collect();
        let around = around(call, sizes, &slides, call.padding())?;
        let within: Vec<usize> = (1..=self.axes).map(|axis| 2 * axis).collect();
        let fill = if self.of == Of::Largest { LEAST } else { 0.0 };
        let inside = padded(b, x, &around, fill);
        let seen = windows(b, inside, &slides);
        if self.of == Of::Largest {
            return Ok(b.max_of(seen, &within));
        }
        if inside == x {
            return Ok(b.mean(seen, &within));
        }
        let sum = b.sum(seen, &within);
        let shape = b.shape(sum).clone();
        let mut mean = sum;
        for (axis, (n, slide)) in sizes.iter().zip(&slides).enumerate() {
            let count = counts(b, n, slide, &around[axis]);
            let count = b.broadcast(count, shape.clone(), &[1 + axis]);
            mean = b.div(mean, count);
        }
        Ok(mean)
    }
}

/// How many elements of an axis each window sees, what is around it left out.
fn counts(b: &mut Builder, n: &Dim, slide: &Slide, around: &[Dim; 2]) -> Value {
    let one = b.constant(1.0);
    let ones = b.broadcast_to(one, &vec![n.clone()].into());
    let ones = b.pad_axis(ones, 0, around.clone(), 0, 0.0);
    let seen = b.window(ones, 0, slide.size, slide.stride, slide.dilation);
    b.sum(seen, &[1])
}
