//! A product over windows of what has zeros between its places, as one product for each phase.
//!
//! The gradient of a strided convolution and a transposed convolution slide over their input with `s - 1` zeros between
//! neighbours, so of `s` taps one meets a number. Places `s * q + r` all meet the same taps `t0 + s * j`: they are a
//! convolution of their own, without zeros, by each `s`-th row of the kernel (the polyphase form of an interpolator;
//! Vaidyanathan, Multirate Systems, 1993, ch. 4). The phases lie between each other in the result.
//!
//! Exact, but for sums of fewer zeros.

use super::rewrite::{Rebuild, rewrite};
use crate::base::{Dim, TensorType};
use crate::graph::{Einsum, Graph, Prim, Value};

/// More products than this cost more to start than zeros to multiply.
const MOST_PHASES: i64 = 16;

pub fn run(graph: &mut Graph) -> bool {
    rewrite(graph, rule)
}

fn rule(r: &mut Rebuild, prim: &Prim, _: &TensorType) -> Option<Value> {
    let Prim::Contract { spec, inputs: [lhs, rhs] } = prim else { return None };
    let turned = Einsum { lhs: spec.rhs.clone(), rhs: spec.lhs.clone(), ..spec.clone() };
    let forward = Product::of(r, spec, [*lhs, *rhs]);
    let product = forward.or_else(|| Product::of(r, &turned, [*rhs, *lhs]))?;
    product.build(r)
}

/// A window, from the innermost on: the axis of the padded tensor that it slides along, and how.
struct Slide {
    base: usize,
    axis: usize,
    size: usize,
    stride: usize,
    dilation: usize,
}

/// An axis with zeros between its places.
struct Split {
    /// Of the padded tensor.
    base: usize,
    /// Places of the result, or of the other operand, along it.
    places: i64,
    place: u8,
    /// Taps that each place sees.
    taps: i64,
    tap: Option<u8>,
    before: i64,
    /// How far apart two numbers are.
    step: i64,
    /// Numbers along it.
    numbers: i64,
}

/// What one phase reads along an axis: `count` places from `place` on and `taps` taps from `tap` on, each `step`th, of
/// numbers from `from` on, `len` of them with zeros around.
struct Phase {
    place: i64,
    count: i64,
    tap: i64,
    taps: i64,
    from: i64,
    len: i64,
    around: [i64; 2],
}

impl Split {
    /// None for a phase that meets no number.
    fn phase(&self, place: i64) -> Option<Phase> {
        let tap = (self.before - place).rem_euclid(self.step);
        let count = (self.places - place + self.step - 1) / self.step;
        let taps = (self.taps - tap + self.step - 1) / self.step;
        if count <= 0 || taps <= 0 {
            return None;
        }
        let offset = (place + tap - self.before) / self.step;
        let end = offset + count + taps - 1;
        let (from, to) = (offset.clamp(0, self.numbers), end.clamp(0, self.numbers));
        let around = [from - offset, end - to];
        (from < to).then_some(Phase { place, count, tap, taps, from, len: to - from, around })
    }
}

struct Product {
    /// What is padded, and how.
    input: Value,
    pad: [Vec<Dim>; 2],
    slides: Vec<Slide>,
    splits: Vec<Split>,
    spec: Einsum,
    other: Value,
}

impl Product {
    /// A product whose first operand is windows over a pad that puts zeros between places.
    fn of(r: &Rebuild, spec: &Einsum, [operand, other]: [Value; 2]) -> Option<Product> {
        let mut slides = Vec::new();
        let mut inside = operand;
        while let Prim::Window { input, axis, size, stride, dilation } = *r.prim(inside) {
            slides.push(Slide { base: axis, axis, size, stride, dilation });
            inside = input;
        }
        let Prim::Pad { input, lo, hi, inner, value: 0.0 } = r.prim(inside) else { return None };
        if inner.iter().all(|&n| n == 0) {
            return None;
        }
        slides.reverse();
        // By axis of the operand: the base axis, and whether it counts what a place sees.
        let mut axes: Vec<(usize, bool)> = (0..lo.len()).map(|axis| (axis, false)).collect();
        for slide in &mut slides {
            let (base, seen) = axes[slide.axis];
            if seen || axes.contains(&(base, true)) {
                return None;
            }
            slide.base = base;
            axes.insert(slide.axis + 1, (base, true));
        }
        let label = |base: usize, seen: bool| {
            axes.iter().position(|&axis| axis == (base, seen)).map(|at| (at, spec.lhs[at]))
        };
        let mut splits = Vec::new();
        for base in (0..inner.len()).filter(|&base| inner[base] != 0) {
            let (at, place) = label(base, false)?;
            let slide = slides.iter().find(|s| s.base == base);
            if slide.is_some_and(|s| s.stride != 1 || s.dilation != 1) {
                return None;
            }
            splits.push(Split {
                base,
                places: r.b.shape(operand)[at].as_const()?,
                place,
                taps: slide.map_or(1, |s| s.size as i64),
                tap: label(base, true).map(|(_, label)| label),
                before: lo[base].as_const()?,
                step: inner[base] + 1,
                numbers: r.b.shape(*input)[base].as_const()?,
            });
        }
        let apart = |label: &u8| spec.rhs.contains(label) != spec.out.contains(label);
        let known = splits.iter().all(|s| apart(&s.place) && s.tap.as_ref().is_none_or(apart));
        let few = splits.iter().map(|s| s.step).product::<i64>() <= MOST_PHASES;
        (known && few).then(|| Product {
            input: *input,
            pad: [lo.clone(), hi.clone()],
            slides,
            splits,
            spec: spec.clone(),
            other,
        })
    }

    /// The sum of all phases, each where it belongs.
    fn build(&self, r: &mut Rebuild) -> Option<Value> {
        let mut sum: Option<Value> = None;
        let all: i64 = self.splits.iter().map(|s| s.step).product();
        for mut number in 0..all {
            let mut phases = Vec::new();
            for split in &self.splits {
                phases.push(split.phase(number % split.step));
                number /= split.step;
            }
            let Some(phases) = phases.into_iter().collect::<Option<Vec<Phase>>>() else { continue };
            let part = self.part(r, &phases);
            sum = Some(sum.map_or(part, |sum| r.b.add(sum, part)));
        }
        sum
    }

    fn part(&self, r: &mut Rebuild, phases: &[Phase]) -> Value {
        let windows = self.windows(r, phases);
        let other = self.every_nth(r, phases);
        let out = &self.spec.out;
        let product = r.b.einsum(self.spec.clone(), windows, other);
        let mut placed = product;
        for (split, phase) in self.splits.iter().zip(phases) {
            let along = [
                (Some(split.place), phase.place, phase.count, split.places),
                (split.tap, phase.tap, phase.taps, split.taps),
            ];
            for (label, first, count, whole) in along {
                let Some(axis) = label.and_then(|label| out.iter().position(|&l| l == label)) else {
                    continue;
                };
                let behind = whole - first - (count - 1) * split.step - 1;
                let inner = if count == 1 { 0 } else { split.step - 1 };
                placed = r.b.pad_axis(placed, axis, [first, behind].map(Dim::from), inner, 0.0);
            }
        }
        placed
    }

    /// The windows of a phase: no zeros between.
    fn windows(&self, r: &mut Rebuild, phases: &[Phase]) -> Value {
        let mut input = self.input;
        let [mut lo, mut hi] = self.pad.clone();
        let rank = lo.len();
        for (split, phase) in self.splits.iter().zip(phases) {
            input = r.b.slice_axis(input, split.base, Dim::from(phase.from), Dim::from(phase.len));
            [lo[split.base], hi[split.base]] = phase.around.map(Dim::from);
        }
        let mut windows = r.b.pad(input, lo, hi, vec![0; rank], 0.0);
        for slide in &self.slides {
            let split = self.splits.iter().position(|s| s.base == slide.base);
            let size = split.map_or(slide.size, |at| phases[at].taps as usize);
            windows = r.b.window(windows, slide.axis, size, slide.stride, slide.dilation);
        }
        windows
    }

    /// What of the other operand a phase meets.
    fn every_nth(&self, r: &mut Rebuild, phases: &[Phase]) -> Value {
        let mut shape = r.b.shape(self.other).to_vec();
        let (mut start, mut step) = (vec![Dim::zero(); shape.len()], vec![1; shape.len()]);
        for (split, phase) in self.splits.iter().zip(phases) {
            let along = [(Some(split.place), phase.place, phase.count), (split.tap, phase.tap, phase.taps)];
            for (label, first, count) in along {
                let axis = label.and_then(|label| self.spec.rhs.iter().position(|&l| l == label));
                let Some(axis) = axis else { continue };
                (start[axis], step[axis]) = (Dim::from(first), split.step);
                shape[axis] = Dim::from(count);
            }
        }
        r.b.slice(self.other, start, step, shape)
    }
}

#[cfg(test)]
mod tests;
