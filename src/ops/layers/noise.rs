//! Gaussian noise while training, which keeps a net from learning its rows by heart.

use super::{Built, OpDef};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::ops::{Attr, AttrType, Call, Default, Library, Mode, Sig};

pub struct GaussianNoise;

static NOISE: Sig = Sig {
    name: "GaussianNoise",
    aliases: &[],
    doc: "Adds normal numbers of mean 0 while training; in evaluation it does nothing. Any shape.",
    example: "GaussianNoise(0.1)",
    inputs: &["x"],
    attrs: &[Attr {
        name: "std",
        ty: AttrType::Float { min: 0.0, max: f64::MAX, open: false },
        default: Default::Required,
        doc: "The standard deviation of what is added.",
    }],
};

impl OpDef for GaussianNoise {
    fn sig(&self) -> &'static Sig {
        &NOISE
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let std = call.float("std");
        if call.mode == Mode::Eval || std == 0.0 {
            return Ok(x.into());
        }
        let noise = normal(lib, b, call, x, std)?;
        Ok(b.add(x, noise).into())
    }
}

pub struct GaussianDropout;

static DROPOUT: Sig = Sig {
    name: "GaussianDropout",
    aliases: &[],
    doc: "Multiplies by normal numbers of mean 1 and variance rate / (1 - rate) while training, the\n\
          spread that dropout has; in evaluation it does nothing (Srivastava et al., 2014). Any shape.",
    example: "GaussianDropout(0.2)",
    inputs: &["x"],
    attrs: &[Attr {
        name: "rate",
        ty: AttrType::Float { min: 0.0, max: 1.0, open: true },
        default: Default::Required,
        doc: "The share that dropout of the same spread would drop.",
    }],
};

impl OpDef for GaussianDropout {
    fn sig(&self) -> &'static Sig {
        &DROPOUT
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let rate = call.float("rate");
        if call.mode == Mode::Eval || rate == 0.0 {
            return Ok(x.into());
        }
        let noise = normal(lib, b, call, x, (rate / (1.0 - rate)).sqrt())?;
        let one = b.constant(1.0);
        let factor = b.add(noise, one);
        Ok(b.mul(x, factor).into())
    }
}

/// Normal numbers of mean 0, as many as `like` has, from two streams of the layer's own.
fn normal(lib: &Library, b: &mut Builder, call: &Call, like: Value, std: f64) -> Result<Value, Diagnostic> {
    let shape = b.shape(like).clone();
    let mut draw = || {
        let site = call.site(b);
        b.random(site, shape.clone())
    };
    let uniforms = vec![draw(), draw()];
    let standard = call.formula(lib, b, "box_muller", uniforms, Vec::new())?;
    let std = b.constant(std);
    Ok(b.mul(standard, std))
}
