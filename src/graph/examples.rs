//! Loops over time that tests of several stages run.

use super::{Builder, Graph, Init, Keep, OutputKind, ScanInputs, Value};
use crate::base::{Dim, TensorType};

/// Sizes of [`lstm`].
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub steps: usize,
    pub batch: usize,
    pub units: usize,
}

impl Sizes {
    /// Shapes of what [`lstm`] takes.
    pub fn shapes(self) -> [Vec<usize>; 5] {
        let Sizes { steps, batch, units } = self;
        [
            vec![steps, batch, 4 * units],
            vec![batch, units],
            vec![batch, units],
            vec![units, 4 * units],
            vec![4 * units],
        ]
    }
}

/// An LSTM of the projected input, first carries, recurrent weight and bias; what it makes of all its
/// results, `f32[steps, batch, units]`.
pub fn lstm(b: &mut Builder, sizes: Sizes, reverse: bool, inputs: &[Value]) -> Value {
    let &[x, h, c, weight, bias] = inputs else { panic!("test: five inputs") };
    let units = Dim::from(sizes.units);
    let scan = ScanInputs {
        length: Dim::from(sizes.steps),
        keep: Keep::Stacks,
        reverse,
        carries: &[h, c],
        slices: &[x],
        constants: &[weight, bias],
    };
    let built = b.scan(&scan, |b, step| {
        let z = b.contract("bi,ij->bj", step.carries[0], step.constants[0]);
        let z = b.add(z, step.slices[0]);
        let z = b.add(z, step.constants[1]);
        let gate =
            |b: &mut Builder, k: usize| b.slice_axis(z, 1, units.clone() * Dim::from(k), units.clone());
        let [i, f, g, o] = [0, 1, 2, 3].map(|k| gate(b, k));
        let (i, f, g, o) = (b.sigmoid(i), b.sigmoid(f), b.tanh(g), b.sigmoid(o));
        let (kept, new) = (b.mul(f, step.carries[1]), b.mul(i, g));
        let c = b.add(kept, new);
        let t = b.tanh(c);
        let h = b.mul(o, t);
        Ok::<_, ()>([vec![h, c], vec![h]])
    });
    let [last, ys] = built.expect("test: nothing fails");
    let shape = b.shape(ys[0]).clone();
    let spread = b.broadcast(last[1], shape, &[1, 2]);
    b.mul(ys[0], spread)
}

/// A loop with a carry that nothing reads, a result that nothing reads, a step without a product, a
/// slice of whole numbers and a carry that never changes.
pub fn odd(b: &mut Builder, steps: usize, inputs: &[Value]) -> Value {
    let &[x, first, factor] = inputs else { panic!("test: three inputs") };
    let number = b.iota([steps], 0);
    let scan = ScanInputs {
        length: Dim::from(steps),
        keep: Keep::Stacks,
        reverse: false,
        carries: &[first, first],
        slices: &[x, number],
        constants: &[factor],
    };
    let built = b.scan(&scan, |b, step| {
        let t = b.to_f32(step.slices[1]);
        let moved = b.mul(step.carries[0], step.constants[0]);
        let moved = b.add(moved, step.slices[0]);
        let moved = b.mul(moved, t);
        let moved = b.tanh(moved);
        let other = b.mul(moved, step.carries[1]);
        let unread = b.exp(other);
        Ok::<_, ()>([vec![moved, step.carries[1]], vec![other, unread, step.slices[0]]])
    });
    let [last, ys] = built.expect("test: nothing fails");
    let shape = b.shape(ys[0]).clone();
    let spread = b.broadcast(last[1], shape, &[1]);
    let sum = b.mul(ys[0], spread);
    b.add(sum, ys[2])
}

/// A loop that draws: each step keeps a random part of a product and of its carry. It may compute all again on the way back.
pub fn drawn(b: &mut Builder, steps: usize, [keep, reverse]: [bool; 2], inputs: &[Value]) -> Value {
    let &[x, first, weight] = inputs else { panic!("test: three inputs") };
    let scan = ScanInputs {
        length: Dim::from(steps),
        keep: if keep { Keep::Stacks } else { Keep::Nothing },
        reverse,
        carries: &[first],
        slices: &[x],
        constants: &[weight],
    };
    let built = b.scan(&scan, |b, step| {
        let z = b.contract("bi,ij->bj", step.slices[0], step.constants[0]);
        let z = b.add(z, step.carries[0]);
        let z = b.tanh(z);
        let draw = b.random("drawn", b.shape(z).clone());
        let (bound, zero) = (b.constant(0.3), b.constant(0.0));
        let kept = b.ge(draw, bound);
        let z = b.select(kept, z, zero);
        Ok::<_, ()>([vec![z], vec![z]])
    });
    let [last, ys] = built.expect("test: nothing fails");
    let shape = b.shape(ys[0]).clone();
    let spread = b.broadcast(last[0], shape, &[1, 2]);
    b.add(ys[0], spread)
}

/// A loss of a scan, for an `op` of leaves of these shapes.
pub fn loss_of(shapes: &[Vec<usize>], op: impl Fn(&mut Builder, &[Value]) -> Value) -> (Graph, Vec<Value>) {
    let mut b = Builder::new("scan");
    let leaf =
        |(i, shape): (usize, &Vec<usize>)| b.param(format!("p{i}"), shape.as_slice(), Init::Constant(0.0));
    let leaves: Vec<Value> = shapes.iter().enumerate().map(leaf).collect();
    let y = op(&mut b, &leaves);
    let upstream = TensorType::f32(b.shape(y).clone());
    let upstream = b.batch("upstream", upstream);
    let weighed = b.mul(y, upstream);
    let loss = b.sum_all(weighed);
    b.output("y", y, OutputKind::Value);
    b.output("loss", loss, OutputKind::Loss);
    (b.finish(), leaves)
}
