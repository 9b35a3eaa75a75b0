//! Norms: along an axis, mean and spread are made alike; weights then choose others.

use super::penalty::{BIAS_L1, BIAS_L2, L1, L2};
use super::{Built, OpDef, penalty};
use crate::base::Dim;
use crate::diag::Diagnostic;
use crate::graph::{Builder, Init, Value};
use crate::ops::formula::Item;
use crate::ops::{Attr, AttrType, Call, Default, Library, Sig};

const AXIS: Attr = Attr {
    name: "axis",
    ty: AttrType::Int { min: i64::MIN, max: i64::MAX },
    default: Default::Int(-1),
    doc: "The axis whose elements are made alike.",
};

pub(super) const SCALE: Attr = Attr {
    name: "scale",
    ty: AttrType::Bool,
    default: Default::Bool(true),
    doc: "Whether a weight multiplies the result.",
};

pub(super) const CENTER: Attr = Attr {
    name: "center",
    ty: AttrType::Bool,
    default: Default::Bool(true),
    doc: "Whether a bias is added to the result.",
};

pub(super) const fn epsilon(key: &'static str) -> Attr {
    Attr {
        name: "epsilon",
        ty: AttrType::Float { min: 0.0, max: f64::MAX, open: false },
        default: Default::Table(key),
        doc: "Added below the root, so that nothing is divided by 0.",
    }
}

pub struct LayerNorm;

static LAYER_NORM: Sig = Sig {
    name: "LayerNorm",
    aliases: &["LayerNormalization", "nn.LayerNorm"],
    doc: "Mean 0 and variance 1 along an axis of each row (Ba et al., 2016):\n\
          y = (x - mean) / sqrt(variance + epsilon) * weight + bias. Any shape; `weight` and `bias`\n\
          are f32 of that axis, and start as 1 and 0.",
    example: "LayerNorm",
    inputs: &["x"],
    attrs: &[AXIS, epsilon("LayerNorm.epsilon"), CENTER, SCALE, L1, L2, BIAS_L1, BIAS_L2],
};

impl OpDef for LayerNorm {
    fn sig(&self) -> &'static Sig {
        &LAYER_NORM
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let (normal, axis) = normalised(lib, b, call, "layer_norm")?;
        weighed(b, call, normal, axis)
    }
}

pub struct RmsNorm;

static RMS_NORM: Sig = Sig {
    name: "RMSNorm",
    aliases: &["RMSNormalization", "nn.RMSNorm"],
    doc: "Mean square 1 along an axis of each row (Zhang and Sennrich, 2019):\n\
          y = x / sqrt(mean(x^2) + epsilon) * weight. Any shape; `weight` is f32 of that axis, and\n\
          starts as 1.",
    example: "RMSNorm",
    inputs: &["x"],
    attrs: &[AXIS, epsilon("RMSNorm.epsilon"), SCALE, L1, L2],
};

impl OpDef for RmsNorm {
    fn sig(&self) -> &'static Sig {
        &RMS_NORM
    }

    fn build(&self, lib: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let (normal, axis) = normalised(lib, b, call, "rms_norm")?;
        scaled(b, call, normal, axis)
    }
}

pub struct GroupNorm;

static GROUP_NORM: Sig = Sig {
    name: "GroupNorm",
    aliases: &["GroupNormalization", "nn.GroupNorm"],
    doc: "Mean 0 and variance 1 in each group of channels of a row, over all its places (Wu and He, 2018):\n\
          y = (x - mean) / sqrt(variance + epsilon) * weight + bias. Any shape `f32[B, .., n]`, channels\n\
          last; `weight` and `bias` are `f32[n]`, and start as 1 and 0.",
    example: "GroupNorm(1)",
    inputs: &["x"],
    attrs: &[
        Attr {
            name: "groups",
            ty: AttrType::Size { min: 1 },
            default: Default::Int(32),
            doc: "How many groups the channels are cut into, neighbours together.",
        },
        epsilon("GroupNorm.epsilon"),
        CENTER,
        SCALE,
        L1,
        L2,
        BIAS_L1,
        BIAS_L2,
    ],
};

impl OpDef for GroupNorm {
    fn sig(&self) -> &'static Sig {
        &GROUP_NORM
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let shape = b.shape(x).clone();
        let grouped = by_groups(b, call, x)?;
        let x = b.reshape(x, grouped);
        let over = [1, 3];
        let mean = b.mean_keep(x, &over);
        let d = b.sub(x, mean);
        let squares = b.mul(d, d);
        let variance = b.mean_keep(squares, &over);
        let epsilon = b.constant(call.float("epsilon"));
        let variance = b.add(variance, epsilon);
        let factor = b.rsqrt(variance);
        let y = b.mul(d, factor);
        let (y, last) = (b.reshape(y, shape.clone()), shape.rank() - 1);
        weighed(b, call, y, last)
    }
}

/// Rows, places, groups, channels of a group.
fn by_groups(b: &Builder, call: &Call, x: Value) -> Result<Vec<Dim>, Diagnostic> {
    let [batch, places @ .., channels] = b.shape(x).dims() else {
        return Err(call.shape_error(
            &format!("needs rows of channels, but its input is {}", b.ty(x)),
            "give each row an axis of channels: `Reshape(1)` makes one of size 1",
        ));
    };
    let groups = call.size("groups");
    let Some(each) = channels.div_exact(&groups) else {
        return Err(call.shape_error(
            &format!("cuts {channels} channels into {groups} groups, which does not come out even"),
            "choose a number of groups that divides the number of channels",
        ));
    };
    let places = places.iter().fold(Dim::one(), |n, d| n * d.clone());
    Ok(vec![batch.clone(), places, groups, each])
}

/// Times the weight and plus the bias, if the call wants them.
pub(super) fn weighed(b: &mut Builder, call: &Call, y: Value, axis: usize) -> Result<Built, Diagnostic> {
    let mut built = scaled(b, call, y, axis)?;
    if call.flag("center") {
        let y = built.outputs[0];
        let bias = along(b, call, y, axis, ("bias", 0.0))?;
        built.penalties.extend(penalty::of(b, call, "bias_", bias));
        let bias = spread(b, bias, y, axis);
        built.outputs = vec![b.add(y, bias)];
    }
    Ok(built)
}

/// The input by the formula `op`, and the axis that it was taken along.
fn normalised(lib: &Library, b: &mut Builder, call: &Call, op: &str) -> Result<(Value, usize), Diagnostic> {
    let x = call.float_input(b, 0)?;
    let axis = axis(b, call, x)?;
    let settings = vec![("axis", Item::int(axis as i64)), ("epsilon", Item::float(call.float("epsilon")))];
    Ok((call.formula(lib, b, op, vec![x], settings)?, axis))
}

/// The axis that the call names, counted from the front; not the batch, whose rows are apart.
pub(super) fn axis(b: &Builder, call: &Call, x: Value) -> Result<usize, Diagnostic> {
    let said = call.whole("axis")?;
    let rank = b.shape(x).rank() as i64;
    let axis = if said < 0 { said.saturating_add(rank) } else { said };
    match (1..rank).contains(&axis) {
        true => Ok(axis as usize),
        false => Err(call.shape_error(
            &format!("works along an axis behind the batch, but {said} is none of {}", b.ty(x)),
            "choose another axis (-1 is the last), or give each row an axis: `Reshape(1)` makes one of size 1",
        )),
    }
}

fn scaled(b: &mut Builder, call: &Call, y: Value, axis: usize) -> Result<Built, Diagnostic> {
    if !call.flag("scale") {
        return Ok(y.into());
    }
    let weight = along(b, call, y, axis, ("weight", 1.0))?;
    let penalties = penalty::of(b, call, "", weight);
    let weight = spread(b, weight, y, axis);
    Ok(Built { penalties, ..Built::from(b.mul(y, weight)) })
}

/// A weight for each place of the axis.
fn along(
    b: &mut Builder,
    call: &Call,
    like: Value,
    axis: usize,
    (name, start): (&str, f64),
) -> Result<Value, Diagnostic> {
    let places = b.shape(like)[axis].clone();
    call.param(b, name, vec![places].into(), Init::Constant(start))
}

/// Numbers of the axis, repeated over the shape of `like`.
pub(super) fn spread(b: &mut Builder, numbers: Value, like: Value, axis: usize) -> Value {
    let shape = b.shape(like).clone();
    b.broadcast(numbers, shape, &[axis])
}
