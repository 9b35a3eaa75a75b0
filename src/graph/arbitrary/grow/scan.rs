//! Loops over axis 0 of a tensor.
//!
//! Bodies take no decisions, whose margins nobody would look at, and what they carry stays within 1.

use super::Grower;
use crate::base::{DType, Precision, TensorType};
use crate::graph::builder::Builder;
use crate::graph::ir::{Einsum, Value};
use crate::graph::scan::{Keep, ScanInputs, ScanStep};

/// What a body may do with the numbers that it has.
#[derive(Clone, Copy)]
enum Move {
    Add,
    Mul,
    Sin,
    Sigmoid,
    /// A mean over all axes, spread out again.
    Mean,
    /// A product over the last axis.
    Product,
    Draw,
}

const MOVES: [Move; 7] =
    [Move::Add, Move::Mul, Move::Sin, Move::Sigmoid, Move::Mean, Move::Product, Move::Draw];

impl Grower {
    /// The last value of a carry, or what all steps made.
    pub(super) fn scan(&mut self) -> Option<Value> {
        let x = self.pick(|t| t.dtype == DType::F32 && t.rank() > 0 && t.rank() < 4)?;
        let (length, row) = (self.b.shape(x)[0].clone(), self.b.shape(x).without(&[0]));
        let alike = |t: &TensorType| t.dtype == DType::F32 && t.shape == row;
        let first = match self.pick(alike) {
            Some(first) => self.b.tanh(first),
            None => {
                let zero = self.b.constant(0.0);
                self.b.broadcast(zero, row.clone(), &[])
            }
        };
        let beside = self.pick(alike).unwrap_or(first);
        let square = |t: &TensorType| {
            t.dtype == DType::F32
                && t.rank() == 2
                && row.last().is_some_and(|n| *n == t.shape[0] && *n == t.shape[1])
        };
        let weight = self.pick(square);
        let constants: Vec<Value> = [beside].into_iter().chain(weight).collect();
        let number = self.b.iota([length.clone()], 0);
        let keep = if self.draw.chance(0.7) { Keep::Stacks } else { Keep::Nothing };
        let inputs = ScanInputs {
            length,
            keep,
            reverse: self.draw.chance(0.4),
            carries: &[first],
            slices: &[x, number],
            constants: &constants,
        };
        let moves: Vec<Move> = (0..1 + self.draw.below(4)).map(|_| self.draw.of(&MOVES)).collect();
        let swaps: Vec<bool> = moves.iter().map(|_| self.draw.chance(0.5)).collect();
        let site = format!("site{}", self.draw.below(2));
        let built = self.b.scan(&inputs, |b, step| Ok::<_, ()>(body(b, step, &moves, &swaps, &site)));
        let [last, stacks] = built.expect("arbitrary: a body is built of what fits");
        Some(self.draw.of(&[last[0], stacks[0], stacks[1]]))
    }
}

fn body(b: &mut Builder, step: &ScanStep, moves: &[Move], swaps: &[bool], site: &str) -> [Vec<Value>; 2] {
    let (x, beside) = (step.slices[0], step.constants[0]);
    let place = b.to_f32(step.slices[1]);
    let shape = b.shape(x).clone();
    let mut now = b.add(step.carries[0], x);
    for (step_move, swap) in moves.iter().zip(swaps) {
        let other = if *swap { x } else { beside };
        now = match step_move {
            Move::Add => b.add(now, other),
            Move::Mul => b.mul(now, other),
            Move::Sin => b.sin(now),
            Move::Sigmoid => {
                let scaled = b.mul(now, place);
                b.sigmoid(scaled)
            }
            Move::Mean => {
                let axes: Vec<usize> = (0..shape.rank()).collect();
                let mean = b.mean(now, &axes);
                let spread = b.broadcast(mean, shape.clone(), &[]);
                b.sub(now, spread)
            }
            Move::Product => match step.constants.get(1) {
                Some(weight) => product(b, now, *weight),
                None => b.mul(now, now),
            },
            Move::Draw => {
                let draw = b.random(site, shape.clone());
                b.mul(now, draw)
            }
        };
    }
    let next = b.tanh(now);
    let made = b.mul(next, step.carries[0]);
    [vec![next], vec![next, made]]
}

/// `now[.., i] * weight[i, j]`, summed over `i`.
fn product(b: &mut Builder, now: Value, weight: Value) -> Value {
    let lhs: Vec<u8> = (b'a'..).take(b.shape(now).rank()).collect();
    let summed = *lhs.last().expect("arbitrary: a weight fits a last axis");
    let out = [&lhs[..lhs.len() - 1], b"z"].concat();
    let precision = Precision::F32;
    b.einsum(Einsum { lhs, rhs: vec![summed, b'z'], out, precision }, now, weight)
}
