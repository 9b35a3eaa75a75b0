//! Recurrent layers: a state that goes from step to step.
//!
//! Input `f32[B, T, n]`; the result is the last state, `f32[B, units]`, or all of them. What the
//! input gives to the gates is one product for all steps; only what hangs on the state is in the
//! loop. Steps that a mask leaves out keep the state as it is.

mod bidirectional;
mod gru;
mod lstm;
mod simple;
mod start;

pub use bidirectional::Bidirectional;
pub use gru::Gru;
pub use lstm::Lstm;
pub use simple::SimpleRnn;

use super::{Built, Masking, penalty};
use crate::base::{Dim, Shape};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Init, Keep, ScanInputs, Value};
use crate::ops::{Attr, AttrType, Call, Default, Framework, Library, Mode};

const UNITS: Attr = Attr {
    name: "units",
    ty: AttrType::Size { min: 1 },
    default: Default::Required,
    doc: "How wide the state is.",
};

const ACTIVATION: Attr = Attr {
    name: "activation",
    ty: AttrType::Activation,
    default: Default::Word("tanh"),
    doc: "The function of what is new.",
};

const RECURRENT_ACTIVATION: Attr = Attr {
    name: "recurrent_activation",
    ty: AttrType::Activation,
    default: Default::Word("sigmoid"),
    doc: "The function of the gates.",
};

const BIAS: Attr =
    Attr { name: "bias", ty: AttrType::Bool, default: Default::Bool(true), doc: "Whether a bias is added." };

const INIT: Attr = Attr {
    name: "init",
    ty: AttrType::Init,
    default: Default::Table("RNN.init"),
    doc: "How the weight of the input starts.",
};

const RECURRENT_INIT: Attr = Attr {
    name: "recurrent_init",
    ty: AttrType::Init,
    default: Default::Table("RNN.recurrent_init"),
    doc: "How the weight of the state starts.",
};

const BIAS_INIT: Attr = Attr {
    name: "bias_init",
    ty: AttrType::Init,
    default: Default::Table("RNN.bias_init"),
    doc: "How the bias starts.",
};

const DROPOUT: Attr = Attr {
    name: "dropout",
    ty: AttrType::Float { min: 0.0, max: 1.0, open: true },
    default: Default::Float(0.0),
    doc: "The share of the input's features that training drops, the same ones at all steps of a row.",
};

const RECURRENT_DROPOUT: Attr = Attr {
    name: "recurrent_dropout",
    ty: AttrType::Float { min: 0.0, max: 1.0, open: true },
    default: Default::Float(0.0),
    doc: "The share of the state that training hides from the next step, the same units at all steps of a row.",
};

const RETURN_SEQUENCES: Attr = Attr {
    name: "return_sequences",
    ty: AttrType::Bool,
    default: Default::Bool(false),
    doc: "Whether the result has the state of every step, `f32[B, T, units]`.",
};

const RETURN_STATE: Attr = Attr {
    name: "return_state",
    ty: AttrType::Bool,
    default: Default::Bool(false),
    doc: "Whether the last state comes along: `let y, h, c = x |> LSTM(64, return_state=true)`.",
};

const GO_BACKWARDS: Attr = Attr {
    name: "go_backwards",
    ty: AttrType::Bool,
    default: Default::Bool(false),
    doc: "Whether the last step comes first, in the result too.",
};

/// The layers of this folder that go through time one way.
pub const RECURRENT: &[&str] = &["SimpleRNN", "LSTM", "GRU"];

/// A layer under way: what its cells share.
struct Recurrent<'a> {
    lib: &'a Library,
    call: &'a Call,
    units: Dim,
    /// How many gates a unit has.
    gates: usize,
    /// What the input gives to the gates at each step, `[T, B, gates * units]`.
    projected: Value,
    /// `[units, gates * units]`
    weight: Value,
    penalties: Vec<Value>,
    rows: Dim,
    steps: Dim,
}

impl<'a> Recurrent<'a> {
    /// `bias` is how the layer's bias starts.
    fn open(
        lib: &'a Library,
        b: &mut Builder,
        call: &'a Call,
        gates: usize,
        bias: impl FnOnce(Init) -> Init,
    ) -> Result<Recurrent<'a>, Diagnostic> {
        let x = call.float_input(b, 0)?;
        let [rows, steps, features] = b.shape(x).dims() else {
            return Err(call.shape_error(
                &format!("needs rows of steps of features, but its input is {}", b.ty(x)),
                "give it `f32[B, T, n]`: `Reshape(-1, 1)` makes steps of one feature",
            ));
        };
        let (rows, steps, features) = (rows.clone(), steps.clone(), features.clone());
        let units = call.size("units");
        let wide = units.clone() * Dim::from(gates);
        let fans = |fan_in: &Dim| match call.framework {
            Framework::Keras => [fan_in.clone(), wide.clone()],
            // PyTorch's bound is that of the units, for all weights.
            Framework::Torch => [units.clone(), units.clone()],
        };
        let [fan_in, fan_out] = fans(&features);
        let init = call.init("init").resolve(&fan_in, &fan_out);
        let weight_ih = call.param(b, "weight_ih", vec![features, wide.clone()].into(), init)?;
        let [fan_in, fan_out] = fans(&units);
        let init = call.init("recurrent_init").resolve(&fan_in, &fan_out);
        let weight = call.param(b, "weight_hh", vec![units.clone(), wide.clone()].into(), init)?;
        let mut penalties = penalty::of(b, call, "", weight_ih);
        let x = dropped(b, call, x, &[0, 2], "dropout");
        let mut projected = b.contract("btn,ng->tbg", x, weight_ih);
        if call.flag("bias") {
            let init = bias(call.init("bias_init").resolve(&units, &units));
            let bias = call.param(b, "bias", vec![wide].into(), init)?;
            penalties.extend(penalty::of(b, call, "bias_", bias));
            projected = b.add(projected, bias);
        }
        Ok(Recurrent { lib, call, units, gates, projected, weight, penalties, rows, steps })
    }

    /// Runs a cell over all steps. It is given the carries, of which the first is the state, the
    /// state as dropout leaves it, what the input gives, the recurrent weight, and `constants`; and
    /// gives the next carries.
    fn run(
        mut self,
        b: &mut Builder,
        carries: usize,
        constants: &[Value],
        cell: impl FnOnce(&Cell, &mut Builder, &[Value], Value) -> Result<Vec<Value>, Diagnostic>,
    ) -> Result<Built, Diagnostic> {
        let call = self.call;
        let (backwards, sequences) = (call.flag("go_backwards"), call.flag("return_sequences"));
        let shape: Shape = vec![self.rows.clone(), self.units.clone()].into();
        let first = start::states(b, call, carries, &shape)?;
        let hidden = hides(call, "recurrent_dropout").then(|| factor(b, call, &shape, "recurrent_dropout"));
        let mask = call.mask(0).map(|mask| b.permute(mask, &[1, 0]));
        let slices: Vec<Value> = std::iter::once(self.projected).chain(mask).collect();
        let fixed: Vec<Value> =
            [self.weight].into_iter().chain(constants.iter().copied()).chain(hidden).collect();
        let scan = ScanInputs {
            length: self.steps.clone(),
            keep: Keep::Stacks,
            reverse: backwards,
            carries: &first,
            slices: &slices,
            constants: &fixed,
        };
        let [lasts, states] = b.scan(&scan, |b, step| {
            b.at(call.span);
            let hidden = hidden.map(|_| *step.constants.last().expect("recurrent: the factor is last"));
            let seen = hidden.map_or(step.carries[0], |factor| b.mul(step.carries[0], factor));
            let cell_of = Cell {
                lib: self.lib,
                call,
                units: self.units.clone(),
                gates: self.gates,
                given: step.slices[0],
                weight: step.constants[0],
                constants: step.constants[1..=constants.len()].to_vec(),
            };
            let mut next = cell(&cell_of, b, &step.carries, seen)?;
            if let Some(&counts) = step.slices.get(1) {
                let counts = b.broadcast(counts, shape.clone(), &[0]);
                next =
                    next.iter().zip(&step.carries).map(|(&new, &old)| b.select(counts, new, old)).collect();
            }
            let stacked = if sequences { vec![next[0]] } else { Vec::new() };
            Ok([next, stacked])
        })?;
        let penalties = std::mem::take(&mut self.penalties);
        let (y, mask) = match states.first() {
            None => (lasts[0], Masking::Dropped),
            Some(&states) => {
                let y = b.permute(states, &[1, 0, 2]);
                if backwards { backwards_too(b, call, y) } else { (y, Masking::Kept) }
            }
        };
        let last = if call.flag("return_state") { lasts } else { Vec::new() };
        Ok(Built { outputs: [vec![y], last].concat(), penalties, mask })
    }
}

/// One step of a layer.
struct Cell<'a> {
    lib: &'a Library,
    call: &'a Call,
    units: Dim,
    gates: usize,
    /// What the input gives to the gates.
    given: Value,
    weight: Value,
    constants: Vec<Value>,
}

impl Cell<'_> {
    /// What gate `k` has of a row of all gates.
    fn part(&self, b: &mut Builder, of: Value, k: usize) -> Value {
        assert!(k < self.gates, "recurrent: a cell has that gate");
        let axis = b.shape(of).rank() - 1;
        b.slice_axis(of, axis, self.units.clone() * Dim::from(k), self.units.clone())
    }

    fn activate(&self, b: &mut Builder, setting: &str, x: Value) -> Result<Value, Diagnostic> {
        match self.call.activation(setting) {
            Some(op) => self.call.activate(self.lib, b, op, x),
            None => Ok(x),
        }
    }

    fn gate(&self, b: &mut Builder, of: Value, k: usize) -> Result<Value, Diagnostic> {
        let part = self.part(b, of, k);
        self.activate(b, "recurrent_activation", part)
    }
}

fn hides(call: &Call, setting: &str) -> bool {
    call.mode == Mode::Train && call.float(setting) != 0.0
}

/// `x` without the share that a setting drops: of the features at `axes`, alike along the others.
fn dropped(b: &mut Builder, call: &Call, x: Value, axes: &[usize], setting: &str) -> Value {
    if !hides(call, setting) {
        return x;
    }
    let shape = b.shape(x).clone();
    let drawn: Vec<Dim> = axes.iter().map(|&axis| shape[axis].clone()).collect();
    let factor = factor(b, call, &drawn.into(), setting);
    let factor = b.broadcast(factor, shape, axes);
    b.mul(x, factor)
}

/// 0 for what is dropped, and what makes up for it elsewhere.
fn factor(b: &mut Builder, call: &Call, shape: &Shape, setting: &str) -> Value {
    let rate = call.float(setting);
    let draw = b.random(call.site(b), shape.clone());
    let least = b.constant(rate);
    let keep = b.ge(draw, least);
    let scale = b.constant(1.0 / (1.0 - rate));
    b.mul(keep, scale)
}

/// All states as a layer that goes backwards gives them, the last step first, and the mask likewise.
fn backwards_too(b: &mut Builder, call: &Call, y: Value) -> (Value, Masking) {
    let mask = call.mask(0).map_or(Masking::Dropped, |mask| Masking::Made(turned(b, mask)));
    (turned(b, y), mask)
}

/// Time from its end, axis 1.
fn turned(b: &mut Builder, x: Value) -> Value {
    let shape = b.shape(x).clone();
    let start = (0..shape.rank()).map(|a| if a == 1 { shape[1].clone() - Dim::one() } else { Dim::zero() });
    let step = (0..shape.rank()).map(|a| if a == 1 { -1 } else { 1 });
    b.slice(x, start.collect(), step.collect(), shape.clone())
}
