//! BatchNorm: each channel made alike over the rows of a batch.
//!
//! It carries two states that no gradient changes: the moving mean and variance of each channel, which the
//! training graph updates and evaluation reads. They belong to the model, not to the optimizer.

use super::norm::{CENTER, SCALE, axis, epsilon, spread, weighed};
use super::penalty::{BIAS_L1, BIAS_L2, L1, L2};
use super::{Built, OpDef};
use crate::base::Dim;
use crate::diag::Diagnostic;
use crate::graph::{Builder, Init, OutputKind, Value};
use crate::ops::{Attr, AttrType, Call, Default, Framework, Library, Mode, Sig};

pub struct BatchNorm;

static SIG: Sig = Sig {
    name: "BatchNorm",
    aliases: &["BatchNormalization", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "nn.BatchNorm1d"],
    doc: "Mean 0 and variance 1 of each channel over a batch (Ioffe and Szegedy, 2015):\n\
          y = (x - mean) / sqrt(variance + epsilon) * weight + bias. Shape `f32[B, .., n]`, channels last.\n\
          Training takes mean and variance of the batch (over all rows and places), and moves\n\
          `running_mean` and `running_var` towards them: new = decay * old + (1 - decay) * batch. Evaluation\n\
          takes those instead, and so does a batch with a single number in each channel, which has no spread and\n\
          moves nothing. All four are `f32[n]`; bias and running_mean start as 0, the others as 1. Behind\n\
          `defaults torch` the running variance is unbiased, as PyTorch has it: times N / (N - 1).",
    example: "BatchNorm",
    inputs: &["x"],
    attrs: &[
        Attr {
            name: "decay",
            ty: AttrType::Float { min: 0.0, max: 1.0, open: false },
            default: Default::Table("BatchNorm.decay"),
            doc: "The share that the moving statistics keep at each step: Keras' momentum, 1 less PyTorch's.",
        },
        epsilon("BatchNorm.epsilon"),
        CENTER,
        SCALE,
        Attr {
            name: "axis",
            ty: AttrType::Int { min: i64::MIN, max: i64::MAX },
            default: Default::Int(-1),
            doc: "The axis of channels; all others are averaged over.",
        },
        L1,
        L2,
        BIAS_L1,
        BIAS_L2,
    ],
};

impl OpDef for BatchNorm {
    fn sig(&self) -> &'static Sig {
        &SIG
    }

    fn build(&self, _: &Library, b: &mut Builder, call: &Call) -> Result<Built, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let axis = axis(b, call, x)?;
        let moving = Moving {
            mean: call.state(b, "running_mean", x, axis, 0.0)?,
            variance: call.state(b, "running_var", x, axis, 1.0)?,
        };
        let used = match call.mode {
            Mode::Train => moved(b, call, x, axis, &moving),
            Mode::Eval => moving,
        };
        let (mean, variance) = (spread(b, used.mean, x, axis), spread(b, used.variance, x, axis));
        let d = b.sub(x, mean);
        let epsilon = b.constant(call.float("epsilon"));
        let variance = b.add(variance, epsilon);
        let factor = b.rsqrt(variance);
        let y = b.mul(d, factor);
        weighed(b, call, y, axis)
    }
}

/// Mean and variance of each channel.
struct Moving {
    mean: Value,
    variance: Value,
}

/// The statistics of the batch; the moving ones go towards them.
fn moved(b: &mut Builder, call: &Call, x: Value, axis: usize, moving: &Moving) -> Moving {
    let over: Vec<usize> = (0..b.shape(x).rank()).filter(|a| *a != axis).collect();
    let numbers = over.iter().fold(Dim::one(), |n, &a| n * b.shape(x)[a].clone());
    let mean = b.mean(x, &over);
    let centre = spread(b, mean, x, axis);
    let d = b.sub(x, centre);
    let squares = b.mul(d, d);
    let variance = b.mean(squares, &over);

    // Known once the batch is: then nothing is chosen, and the other side is not computed.
    let (count, one) = (b.size(&numbers), b.constant(1.0));
    let alone = b.le(count, one);
    let wide = match call.framework {
        Framework::Keras => variance,
        Framework::Torch => {
            let less = b.sub(count, one);
            let others = b.max(less, one);
            let factor = b.div(count, others);
            b.mul(variance, factor)
        }
    };
    for (name, old, new) in [("running_mean", moving.mean, mean), ("running_var", moving.variance, wide)] {
        let old = call.latest(b, name).unwrap_or(old);
        let next = mixed(b, call.float("decay"), old, new);
        let next = b.select(alone, old, next);
        call.becomes(b, name, next);
    }
    Moving { mean: b.select(alone, moving.mean, mean), variance: b.select(alone, moving.variance, variance) }
}

/// `decay * old + (1 - decay) * new`
fn mixed(b: &mut Builder, decay: f64, old: Value, new: Value) -> Value {
    let (keep, take) = (b.constant(decay), b.constant(1.0 - decay));
    let (kept, taken) = (b.mul(old, keep), b.mul(new, take));
    b.add(kept, taken)
}

impl Call {
    fn state_name(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) }
    }

    /// The state `{path}.{name}` with a number for each place of an axis; a layer that is used twice finds the
    /// one it has.
    fn state(
        &self,
        b: &mut Builder,
        name: &str,
        x: Value,
        axis: usize,
        start: f64,
    ) -> Result<Value, Diagnostic> {
        let shape = vec![b.shape(x)[axis].clone()].into();
        self.carried(b, self.state_name(name), shape, Init::Constant(start))
    }

    /// What a use before this one made of a state.
    fn latest(&self, b: &Builder, name: &str) -> Option<Value> {
        let leaf = b.find(&self.state_name(name))?;
        let outputs = &b.graph().outputs;
        outputs.iter().find(|o| o.kind == OutputKind::Update(leaf)).map(|o| o.value)
    }

    /// Says what a state is after the step.
    fn becomes(&self, b: &mut Builder, name: &str, next: Value) {
        let full = self.state_name(name);
        let leaf = b.find(&full).expect("batch norm: its states are made first");
        b.update(full, leaf, next);
    }
}
