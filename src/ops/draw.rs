//! What a training draws anew for each step: `draw { noise = Normal(shape=[B, z]) }`.
//!
//! Numbers come from the counter-based streams of a site: they depend on the seed, the site's name, the step and the
//! place alone.

use super::formula::{Given, Item, apply_std};
use super::{Attr, AttrType, AttrValue, Default, Library, Sig};
use crate::base::{Dim, Shape, Span};
use crate::graph::{Builder, Value};

/// A distribution to draw from.
pub struct DrawDef {
    pub sig: Sig,
    /// From `[0, 1)` and its settings behind the shape; `site` names a stream for each number that is asked for.
    make: fn(&Library, &mut Builder, &Draw, &[f64]) -> Value,
}

/// Where numbers are drawn, and how many.
struct Draw<'a> {
    site: &'a str,
    shape: Shape,
    span: Span,
}

impl Draw<'_> {
    fn uniform(&self, b: &mut Builder, stream: usize) -> Value {
        let site = if stream == 1 { self.site.to_string() } else { format!("{}.{stream}", self.site) };
        b.random(site, self.shape.clone())
    }
}

const SHAPE: Attr = Attr {
    name: "shape",
    ty: AttrType::Sizes,
    default: Default::Required,
    doc: "How many numbers: `[B, 64]` is a row of 64 for each row of the batch.",
};

const fn number(name: &'static str, default: f64, doc: &'static str) -> Attr {
    let ty = AttrType::Float { min: f64::NEG_INFINITY, max: f64::INFINITY, open: false };
    Attr { name, ty, default: Default::Float(default), doc }
}

pub static DRAWS: &[DrawDef] = &[
    DrawDef {
        sig: Sig {
            name: "Normal",
            aliases: &["randn", "RandomNormal", "normal", "Gaussian"],
            doc: "Normal numbers, by the formula of Box and Muller (1958). Shape as it says, `f32`.",
            example: "Normal(shape=[B, 64])",
            inputs: &[],
            attrs: &[
                SHAPE,
                number("mean", 0.0, "Their mean."),
                Attr {
                    name: "std",
                    ty: AttrType::Float { min: 0.0, max: f64::INFINITY, open: false },
                    default: Default::Float(1.0),
                    doc: "Their standard deviation.",
                },
            ],
        },
        make: |lib, b, draw, settings| {
            let uniforms = [draw.uniform(b, 1), draw.uniform(b, 2)];
            let args = uniforms.map(|v| Given { name: None, value: Item::Tensor(v), span: draw.span });
            let made = apply_std(lib, b, "box_muller", args.into(), draw.span);
            let standard = made.expect("draw: the formula fits every shape")[0];
            scaled(b, standard, settings[1], settings[0])
        },
    },
    DrawDef {
        sig: Sig {
            name: "Uniform",
            aliases: &["rand", "RandomUniform", "uniform"],
            doc: "Numbers of equal chance between two. Shape as it says, `f32`.",
            example: "Uniform(shape=[B, 64], low=-1)",
            inputs: &[],
            attrs: &[
                SHAPE,
                number("low", 0.0, "The least."),
                number("high", 1.0, "The bound, never reached."),
            ],
        },
        make: |_, b, draw, settings| {
            let uniform = draw.uniform(b, 1);
            scaled(b, uniform, settings[1] - settings[0], settings[0])
        },
    },
    DrawDef {
        sig: Sig {
            name: "Bernoulli",
            aliases: &["bernoulli"],
            doc: "1 with a probability, else 0. Shape as it says, `f32`.",
            example: "Bernoulli(shape=[B, 64], p=0.1)",
            inputs: &[],
            attrs: &[
                SHAPE,
                Attr {
                    name: "p",
                    ty: AttrType::Float { min: 0.0, max: 1.0, open: false },
                    default: Default::Float(0.5),
                    doc: "The probability of 1.",
                },
            ],
        },
        make: |_, b, draw, settings| {
            let (uniform, p) = (draw.uniform(b, 1), b.constant(settings[0]));
            b.lt(uniform, p)
        },
    },
    DrawDef {
        sig: Sig {
            name: "Integers",
            aliases: &["randint", "RandomInteger", "Randint"],
            doc: "Whole numbers of equal chance, from 0 up to a bound. Shape as it says, `i32`.",
            example: "Integers(shape=[B], below=10)",
            inputs: &[],
            attrs: &[
                SHAPE,
                Attr {
                    name: "below",
                    ty: AttrType::Float { min: 1.0, max: 16_777_216.0, open: false },
                    default: Default::Required,
                    doc: "The bound, never reached.",
                },
            ],
        },
        make: |_, b, draw, settings| {
            let uniform = draw.uniform(b, 1);
            let wide = scaled(b, uniform, settings[0].floor(), 0.0);
            b.to_i32(wide)
        },
    },
];

/// `x * factor + offset`, without what changes nothing.
fn scaled(b: &mut Builder, x: Value, factor: f64, offset: f64) -> Value {
    let x = match factor == 1.0 {
        true => x,
        false => {
            let factor = b.constant(factor);
            b.mul(x, factor)
        }
    };
    if offset == 0.0 {
        return x;
    }
    let offset = b.constant(offset);
    b.add(x, offset)
}

/// The distribution of that name.
pub fn find(name: &str) -> Option<&'static DrawDef> {
    DRAWS.iter().find(|draw| draw.sig.name == name)
}

/// Our name of what is called `name` elsewhere.
pub fn alias(name: &str) -> Option<&'static str> {
    DRAWS.iter().find(|draw| draw.sig.aliases.contains(&name)).map(|draw| draw.sig.name)
}

impl DrawDef {
    /// Draws at a site, by the checked settings of a call.
    pub fn build(
        &self,
        lib: &Library,
        b: &mut Builder,
        site: &str,
        settings: &[AttrValue],
        span: Span,
    ) -> Value {
        let [AttrValue::Sizes(shape), rest @ ..] = settings else { panic!("draw: the shape comes first") };
        let numbers: Vec<f64> = rest
            .iter()
            .map(|value| super::attrs::as_number(value).expect("draw: settings behind the shape are numbers"))
            .collect();
        let draw = Draw { site, shape: Shape::from(shape.clone()), span };
        (self.make)(lib, b, &draw, &numbers)
    }
}

/// The first size that a shape leaves open, which no draw can have.
pub fn open_size(settings: &[AttrValue]) -> bool {
    matches!(settings, [AttrValue::Sizes(shape), ..] if shape.contains(&Dim::from(-1)))
}
