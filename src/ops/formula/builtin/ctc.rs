//! Connectionist temporal classification: the cost of all ways to spread labels over time.
//!
//! A scan in log space over the states of a row: its labels with a blank around each. What cannot be
//! has a logarithm of [`NEVER`], a plain number, so that no infinity meets another.

use super::{Builtin, Kind, Use, needs, takes};
use crate::base::{DType, Dim, Shape};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Keep, ScanInputs, Value};
use crate::ops::formula::Operand;

/// The logarithm of what never happens: far below that of any row, and no more than `f32` tells from it.
const NEVER: f64 = -1e9;

pub(super) static CTC: &[Builtin] = &[Builtin {
    name: "ctc",
    params: &[
        needs("logits", Kind::Operand),
        needs("label", Kind::Operand),
        takes("blank", Kind::Size),
        takes("mask", Kind::Operand),
    ],
    doc: "The cost of each row of `CTC`, `f32[B]`, of logits `f32[B, T, c]` and labels `i32[B, L]`: minus the logarithm of \
          the probability of all alignments. Labels that are `blank` (0 unless said) are padding. `mask`, `f32[B, T]`, says \
          which steps count. A row without an alignment costs 0.",
    example: "ctc(x, i)",
    build: |call| call.ctc(),
}];

impl Use<'_> {
    fn ctc(&mut self) -> Result<Operand, Diagnostic> {
        let (logits, label) = (self.tensor(0), self.whole(1)?);
        let blank = match &self.args[2] {
            None => 0,
            Some(_) => self.size(2).as_const().ok_or_else(|| {
                self.wrong(2, "needs a known number as `blank`", "write the id of the class that means none")
            })?,
        };
        let alone = self.b.shape(logits).rank() == 2;
        let rows = |b: &mut Builder, x: Value| match alone {
            true => b.reshape(x, b.shape(x).with_axis(0, Dim::one())),
            false => x,
        };
        let (x, ids) = (rows(self.b, logits), rows(self.b, label));
        let fits = match (self.b.shape(x).dims(), self.b.shape(ids).dims()) {
            ([n, _, _], [m, _]) => n == m && self.b.dtype(x) == DType::F32,
            _ => false,
        };
        if !fits {
            let (x, ids) = (self.b.ty(logits), self.b.ty(label));
            let why =
                format!("takes logits `f32[B, T, c]` and labels `i32[B, L]`, but these are {x} and {ids}");
            return Err(self.wrong(
                0,
                &why,
                "give each step of each row its logits, and each row its labels",
            ));
        }
        let mask = self.steps_that_count(x, alone)?;
        let costs = costs(self.b, x, ids, blank, mask);
        Ok(if alone { self.b.reshape(costs, Shape::scalar()) } else { costs }.into())
    }

    /// `f32[T, B]`; none where all do.
    fn steps_that_count(&mut self, x: Value, alone: bool) -> Result<Option<Value>, Diagnostic> {
        let Some((Operand::Tensor(mask), _)) = self.operand(3) else { return Ok(None) };
        let steps = Shape::from(self.b.shape(x)[usize::from(alone)..2].to_vec());
        if *self.b.shape(mask) != steps {
            let why = format!("counts steps {steps}, but this mask is {}", self.b.ty(mask));
            return Err(self.wrong(3, &why, "give a number for each step: 1 where it counts, else 0"));
        }
        let mask = self.b.to_f32(mask);
        let both = self.b.shape(x)[..2].to_vec();
        let mask = self.b.reshape(mask, Shape::from(both));
        Ok(Some(self.b.permute(mask, &[1, 0])))
    }
}

/// The cost of each row.
fn costs(b: &mut Builder, x: Value, ids: Value, blank: i64, mask: Option<Value>) -> Value {
    let classes = b.shape(x)[2].clone();
    let states = States::of(b, ids, blank);
    let logs = log_softmax(b, x);
    let chosen = b.one_hot(states.ids, &classes);
    let shown = b.exact_contract("btc,bsc->tbs", logs, chosen);
    let ends = states.run(b, shown, mask);
    let never = b.constant(NEVER);
    let at_end = b.select(states.is_last, ends, never);
    let total = log_sum(b, at_end, 1);
    let cost = b.neg(total);
    let most = b.constant(-NEVER / 10.0);
    let can_be = b.lt(cost, most);
    let zero = b.constant(0.0);
    b.select(can_be, cost, zero)
}

/// What a row goes through: its labels, with a blank around each. All are `[B, 2 * L + 1]`.
struct States {
    ids: Value,
    shape: Shape,
    /// Whether the blank in front may be left out: this is a label, and not the one before again.
    skips: Value,
    /// The last label, and the blank behind it.
    is_last: Value,
    /// Logarithms before the first step: only the first blank, from which the first step starts.
    start: Value,
}

impl States {
    fn of(b: &mut Builder, labels: Value, blank: i64) -> States {
        let none = b.int(blank);
        let is_label = b.ne(labels, none);
        let count = b.sum(is_label, &[1]);
        let labels = b.to_f32(labels);
        // Between and around, which is the padding of a convolution read backwards.
        let ids = b.pad_axis(labels, 1, [Dim::one(), Dim::one()], 1, blank as f64);
        let shape = b.shape(ids).clone();
        let before = behind(b, ids, 2, blank as f64);
        let none = b.constant(blank as f64);
        let (is_label, is_new) = (b.ne(ids, none), b.ne(ids, before));
        let skips = b.mul(is_label, is_new);
        let places = b.iota(shape.clone(), 1);
        let places = b.to_f32(places);
        let twice = b.add(count, count);
        let last = b.broadcast(twice, shape.clone(), &[0]);
        let one = b.constant(1.0);
        let label = b.sub(last, one);
        let (on_blank, on_label) = (b.eq(places, last), b.eq(places, label));
        let is_last = b.add(on_blank, on_label);
        let (zero, never) = (b.constant(0.0), b.constant(NEVER));
        let is_first = b.eq(places, zero);
        let start = b.select(is_first, zero, never);
        let ids = b.to_i32(ids);
        States { ids, shape, skips, is_last, start }
    }

    /// The logarithm of having come to each state at the end; `shown` is that of each state at each step.
    fn run(&self, b: &mut Builder, shown: Value, mask: Option<Value>) -> Value {
        let slices: Vec<Value> = [shown].into_iter().chain(mask).collect();
        let scan = ScanInputs {
            length: b.shape(shown)[0].clone(),
            keep: Keep::Stacks,
            reverse: false,
            carries: &[self.start],
            slices: &slices,
            constants: &[self.skips],
        };
        let stepped = b.scan(&scan, |b, step| {
            let (here, skips) = (step.carries[0], step.constants[0]);
            let one = behind(b, here, 1, NEVER);
            let two = behind(b, here, 2, NEVER);
            let never = b.constant(NEVER);
            let two = b.select(skips, two, never);
            let most = b.max(here, one);
            let most = b.max(most, two);
            let most = b.stop(most);
            let parts = [here, one, two].map(|part| {
                let less = b.sub(part, most);
                b.exp(less)
            });
            let sum = b.add(parts[0], parts[1]);
            let sum = b.add(sum, parts[2]);
            let log = b.log(sum);
            let log = b.add(most, log);
            let mut next = b.add(log, step.slices[0]);
            if let Some(&counts) = step.slices.get(1) {
                let counts = b.broadcast(counts, self.shape.clone(), &[0]);
                next = b.select(counts, next, here);
            }
            Ok::<_, Diagnostic>([vec![next], Vec::new()])
        });
        stepped.expect("ctc: its step has no mistakes of users")[0][0]
    }
}

/// Each row moved `by` places on along axis 1, `first` in front.
fn behind(b: &mut Builder, x: Value, by: i64, first: f64) -> Value {
    let left = b.shape(x)[1].clone() - Dim::from(by);
    let x = b.slice_axis(x, 1, Dim::zero(), left);
    b.pad_axis(x, 1, [Dim::from(by), Dim::zero()], 0, first)
}

fn log_softmax(b: &mut Builder, x: Value) -> Value {
    let (shape, axis) = (b.shape(x).clone(), b.shape(x).rank() - 1);
    let total = log_sum(b, x, axis);
    let total = b.broadcast(total, shape, &(0..axis).collect::<Vec<_>>());
    b.sub(x, total)
}

/// The logarithm of the sum of exponentials along the last axis, which is `axis`.
fn log_sum(b: &mut Builder, x: Value, axis: usize) -> Value {
    let shape = b.shape(x).clone();
    let most = b.max_of(x, &[axis]);
    let most = b.stop(most);
    let over = b.broadcast(most, shape, &(0..axis).collect::<Vec<_>>());
    let less = b.sub(x, over);
    let parts = b.exp(less);
    let sum = b.sum(parts, &[axis]);
    let log = b.log(sum);
    b.add(most, log)
}
