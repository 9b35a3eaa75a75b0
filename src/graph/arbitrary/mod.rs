//! Random well-typed graphs, and what tests do with them.
//!
//! [`graph`] gives the same small graph for a seed on every machine: a few leaves, a dozen
//! operations on them, all primitives, `f32` and `i32`, sizes from 1 to 5 and one with a
//! name. Every number in it is finite and moderate, and every decision (which of two is
//! larger, where a floor steps) is taken by a clear margin, so that rounding and small
//! nudges do not turn it. [`difference`] differentiates by nudging;
//! [`shrink`] makes a graph that fails a test small enough to read, and to keep as text.

mod decide;
mod difference;
mod draw;
mod grow;
mod shrink;

use super::interp::{Inputs, Tensor};
use super::ir::{Graph, Leaf};
use crate::base::{Bindings, DType};
use draw::Draw;
use std::collections::BTreeMap;

pub use difference::difference;
pub use shrink::shrink;

/// The one size with a name, and what it is.
const SYM: (&str, i64) = ("N", 3);

/// The graph of a seed, and numbers for its leaves. Its first output is a loss.
pub fn graph(seed: u64) -> (Graph, Inputs) {
    grow::graph(seed)
}

/// Numbers for the leaves of any graph: they depend on the seed and each leaf's name and
/// type alone, so they stay when other parts of a graph go. All symbols are `N`'s size.
pub fn inputs(graph: &Graph, seed: u64) -> Inputs {
    let bindings: Bindings = graph.syms().into_iter().chain([SYM.0.into()]).map(|sym| (sym, SYM.1)).collect();
    let leaves = graph.leaves.iter().map(|(_, leaf)| (leaf.name.to_string(), tensor(leaf, &bindings, seed)));
    let leaves: BTreeMap<String, Tensor> = leaves.collect();
    Inputs { leaves, bindings, seed, step: 1 + seed % 3 }
}

/// `f32`: in [-2, 2). `i32`: from -1 to 4, so that some point outside of small tables.
fn tensor(leaf: &Leaf, bindings: &Bindings, seed: u64) -> Tensor {
    let shape = leaf.ty.shape.bind(bindings).as_const().expect("arbitrary: every symbol is bound");
    let mut draw = Draw::new(seed, &leaf.name);
    Tensor::tabulate(shape, |_| match leaf.ty.dtype {
        // Numbers that an f32 holds: other ways of running start from the same ones.
        DType::F32 => f64::from((draw.uniform() * 4.0 - 2.0) as f32),
        DType::I32 => draw.below(6) as f64 - 1.0,
        DType::U8 => draw.below(256) as f64,
    })
}

/// Whether tensors agree: each pair of elements within `tolerance`, relative above 1. The
/// error names the first that do not.
pub fn agree(names: &[&str], found: &[Tensor], wanted: &[Tensor], tolerance: f64) -> Result<(), String> {
    for ((name, f), w) in names.iter().zip(found).zip(wanted) {
        if f.shape != w.shape {
            return Err(format!("{name} is {:?}, not {:?}", f.shape, w.shape));
        }
        for (i, (x, y)) in f.data.iter().zip(&w.data).enumerate() {
            let close = (x - y).abs() <= tolerance * y.abs().max(1.0);
            if !close && x.to_bits() != y.to_bits() {
                return Err(format!("{name}[{i}] is {x}, not {y}"));
            }
        }
    }
    if found.len() == wanted.len() { Ok(()) } else { Err(format!("{} outputs", found.len())) }
}

#[cfg(test)]
mod tests;
