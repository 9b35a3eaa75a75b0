//! The reference: runs a graph in f64, each primitive by its definition.
//!
//! Slow on purpose; no rewriting, no reuse. Every other way of running a graph is compared
//! with this one. Numbers of `i32` wrap as machine integers do.

mod rounding;
mod scan;
mod tensor;

use super::ir::{Einsum, Fold, Graph, Leaf, Node, Prim, Value};
use super::scalar::ScalarOp;
use crate::base::{Bindings, DType, Dim, Shape};
use mlc_kernels::rng;
use std::collections::BTreeMap;
use tensor::strides;

pub use rounding::{Bounded, UNIT, run_bounded};
pub use tensor::Tensor;
pub(super) use tensor::each_place;

/// What a run reads from outside.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// By leaf name.
    pub leaves: BTreeMap<String, Tensor>,
    /// Symbols that no leaf's shape tells; those that stand alone as a leaf's size need not
    /// be given.
    pub bindings: Bindings,
    pub seed: u64,
    pub step: u64,
}

/// The outputs, in the graph's order.
///
/// # Panics
/// If a leaf is missing or has another shape than its type: the caller made both.
pub fn run(graph: &Graph, inputs: &Inputs) -> Vec<Tensor> {
    let run = Run { bindings: bindings(graph, inputs), graph, inputs };
    let last = graph.last_uses();
    let mut values: Vec<Tensor> = Vec::with_capacity(graph.nodes.len());
    for (id, node) in graph.nodes.iter() {
        values.push(run.node(node, &values));
        // A training step of a large model holds hundreds of tensors, few of them at once.
        for input in node.prim.inputs().iter().filter(|v| last[v.index()] == Some(id)) {
            values[input.index()] = Tensor::default();
        }
    }
    graph.outputs.iter().map(|o| values[o.value.index()].clone()).collect()
}

/// Every node's tensor, in order.
pub fn run_all(graph: &Graph, inputs: &Inputs) -> Vec<Tensor> {
    let mut values = Vec::with_capacity(graph.nodes.len());
    extend(graph, inputs, &mut values);
    values
}

/// Computes the nodes that `values` does not hold yet.
pub(super) fn extend(graph: &Graph, inputs: &Inputs, values: &mut Vec<Tensor>) {
    let run = Run { bindings: bindings(graph, inputs), graph, inputs };
    for (_, node) in graph.nodes.iter().skip(values.len()) {
        let value = run.node(node, values);
        values.push(value);
    }
}

/// The symbols given, and those that the leaves' tensors tell.
fn bindings(graph: &Graph, inputs: &Inputs) -> Bindings {
    let mut known = inputs.bindings.clone();
    for (_, leaf) in graph.leaves.iter() {
        let Some(tensor) = inputs.leaves.get(&*leaf.name) else { continue };
        for (dim, &n) in leaf.ty.shape.iter().zip(&tensor.shape) {
            if let Some(sym) = dim.as_sym() {
                known.entry(sym.clone()).or_insert(i64::try_from(n).expect("interp: sizes fit an i64"));
            }
        }
    }
    known
}

struct Run<'a> {
    graph: &'a Graph,
    inputs: &'a Inputs,
    bindings: Bindings,
}

impl Run<'_> {
    fn number(&self, dim: &Dim) -> i64 {
        dim.bind(&self.bindings).as_const().unwrap_or_else(|| panic!("interp: {dim} is bound"))
    }

    fn shape(&self, shape: &Shape) -> Vec<usize> {
        shape.bind(&self.bindings).as_const().unwrap_or_else(|| panic!("interp: {shape} is bound"))
    }

    fn leaf(&self, leaf: &Leaf) -> Tensor {
        let tensor = self.inputs.leaves.get(&*leaf.name);
        let tensor = tensor.unwrap_or_else(|| panic!("interp: leaf `{}` is given", leaf.name));
        assert_eq!(tensor.shape, self.shape(&leaf.ty.shape), "interp: leaf `{}` fits {}", leaf.name, leaf.ty);
        tensor.clone()
    }

    fn node(&self, node: &Node, values: &[Tensor]) -> Tensor {
        let shape = self.shape(&node.ty.shape);
        let get = |v: &Value| &values[v.index()];
        match &node.prim {
            Prim::Leaf(leaf) => self.leaf(&self.graph.leaves[*leaf]),
            Prim::Const(x) => Tensor::scalar(*x),
            Prim::Size(dim) => Tensor::scalar(self.number(dim) as f64),
            Prim::Iota { axis } => Tensor::tabulate(shape, |at| at[*axis] as f64),
            Prim::Map { op, inputs } => {
                let inputs: Vec<&Tensor> = inputs.iter().map(get).collect();
                map(*op, &inputs, shape, node.ty.dtype)
            }
            Prim::Reduce { fold, axes, input } => reduce(*fold, axes, get(input), shape),
            Prim::Contract { spec, inputs: [lhs, rhs] } => contract(spec, get(lhs), get(rhs), shape),
            Prim::Reshape { input } => Tensor { shape, data: get(input).data.clone() },
            Prim::Permute { input, perm } => {
                let input = get(input);
                let from = strides(&input.shape);
                Tensor::tabulate(shape, |at| {
                    input.data[at.iter().zip(perm).map(|(&i, &a)| i * from[a]).sum::<usize>()]
                })
            }
            Prim::Broadcast { input, axes } => {
                let input = get(input);
                let from = strides(&input.shape);
                Tensor::tabulate(shape, |at| {
                    input.data[axes.iter().zip(&from).map(|(&a, s)| at[a] * s).sum::<usize>()]
                })
            }
            Prim::Slice { input, start, step } => {
                let start: Vec<i64> = start.iter().map(|d| self.number(d)).collect();
                slice(get(input), &start, step, shape)
            }
            Prim::Pad { input, lo, inner, value, .. } => {
                let lo: Vec<i64> = lo.iter().map(|d| self.number(d)).collect();
                pad(get(input), &lo, inner, *value, shape)
            }
            Prim::Window { input, axis, stride, dilation, .. } => {
                let input = get(input);
                Tensor::tabulate(shape, |at| {
                    let mut from = at.to_vec();
                    let inside = from.remove(axis + 1);
                    from[*axis] = at[*axis] * stride + inside * dilation;
                    input.at(&from)
                })
            }
            Prim::Gather { inputs: [table, index] } => gather(get(table), get(index), shape),
            Prim::Scatter { inputs: [index, updates] } => scatter(get(index), get(updates), shape),
            Prim::Scan { body, inputs } => {
                scan::run(self, body, &inputs.iter().map(get).collect::<Vec<_>>(), shape)
            }
            Prim::Random { site } => {
                let key = rng::key(self.inputs.seed, site);
                let len = shape.iter().product::<usize>() as u64;
                let data = (0..len).map(|e| f64::from(rng::uniform(key, self.inputs.step, e)));
                Tensor { data: data.collect(), shape }
            }
        }
    }
}

fn map(op: ScalarOp, inputs: &[&Tensor], shape: Vec<usize>, dtype: DType) -> Tensor {
    let len = shape.iter().product();
    let mut operands = vec![0.0; inputs.len()];
    let data = (0..len).map(|i| {
        for (operand, input) in operands.iter_mut().zip(inputs) {
            *operand = if input.shape.is_empty() { input.data[0] } else { input.data[i] };
        }
        let value = op.eval(&operands);
        match dtype {
            DType::F32 => value,
            DType::I32 | DType::U8 => f64::from(value as i64 as i32),
        }
    });
    Tensor { data: data.collect(), shape }
}

fn reduce(fold: Fold, axes: &[usize], input: &Tensor, shape: Vec<usize>) -> Tensor {
    let (start, step): (f64, fn(f64, f64) -> f64) = match fold {
        Fold::Sum => (0.0, |a, x| a + x),
        Fold::Max => (f64::NEG_INFINITY, |a, x| ScalarOp::Max.eval(&[a, x])),
    };
    let mut out = Tensor { data: vec![start; shape.iter().product()], shape };
    let kept: Vec<usize> = (0..input.shape.len()).filter(|a| !axes.contains(a)).collect();
    let to = strides(&out.shape);
    let mut elements = input.data.iter();
    each_place(&input.shape, |at| {
        let cell = &mut out.data[kept.iter().zip(&to).map(|(&a, s)| at[a] * s).sum::<usize>()];
        *cell = step(*cell, *elements.next().expect("tensor: an element for each place"));
    });
    out
}

fn contract(spec: &Einsum, lhs: &Tensor, rhs: &Tensor, shape: Vec<usize>) -> Tensor {
    let size = |l: u8| {
        let of = |labels: &[u8], t: &Tensor| labels.iter().position(|&x| x == l).map(|i| t.shape[i]);
        of(&spec.lhs, lhs).or(of(&spec.rhs, rhs)).expect("verify: a label comes from an operand")
    };
    let mut labels = spec.out.clone();
    labels.extend(spec.lhs.iter().copied().filter(|l| !spec.out.contains(l)));
    let space: Vec<usize> = labels.iter().map(|&l| size(l)).collect();
    let along = |operand: &[u8], shape: &[usize]| -> Vec<usize> {
        let own = strides(shape);
        labels.iter().map(|l| operand.iter().position(|x| x == l).map_or(0, |i| own[i])).collect()
    };
    let [a, b, c] = [along(&spec.lhs, &lhs.shape), along(&spec.rhs, &rhs.shape), along(&spec.out, &shape)];
    let offset = |at: &[usize], strides: &[usize]| at.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>();
    let mut out = Tensor { data: vec![0.0; shape.iter().product()], shape };
    // Along the last label in a loop of its own: offsets only step there.
    let outer = space.len().saturating_sub(1);
    let (count, [da, db, dc]) = (
        space.get(outer).copied().unwrap_or(1),
        [&a, &b, &c].map(|strides| strides.get(outer).copied().unwrap_or(0)),
    );
    each_place(&space[..outer], |at| {
        let (a, b, c) = (offset(at, &a), offset(at, &b), offset(at, &c));
        for i in 0..count {
            let [x, y] = [lhs.data[a + i * da], rhs.data[b + i * db]].map(|x| spec.precision.round(x));
            out.data[c + i * dc] += x * y;
        }
    });
    out
}

fn slice(input: &Tensor, start: &[i64], step: &[i64], shape: Vec<usize>) -> Tensor {
    Tensor::tabulate(shape, |at| {
        let from = at.iter().zip(start).zip(step).map(|((&i, start), step)| {
            usize::try_from(start + i as i64 * step).expect("verify: a slice stays inside")
        });
        input.at(&from.collect::<Vec<_>>())
    })
}

fn pad(input: &Tensor, lo: &[i64], inner: &[i64], value: f64, shape: Vec<usize>) -> Tensor {
    let mut out = Tensor { data: vec![value; shape.iter().product()], shape };
    let to = strides(&out.shape);
    let mut elements = input.data.iter();
    each_place(&input.shape, |at| {
        let place = at.iter().zip(lo).zip(inner).zip(&to).map(|(((&i, lo), inner), s)| {
            usize::try_from(lo + i as i64 * (inner + 1)).expect("verify: padding is not negative") * s
        });
        out.data[place.sum::<usize>()] = *elements.next().expect("tensor: an element for each place");
    });
    out
}

/// The row that an index names, clamped into range.
fn row(index: f64, rows: usize) -> usize {
    index.clamp(0.0, rows.saturating_sub(1) as f64) as usize
}

fn gather(table: &Tensor, index: &Tensor, shape: Vec<usize>) -> Tensor {
    let (rows, width) = (table.shape[0], table.shape[1..].iter().product::<usize>());
    let data = index.data.iter().flat_map(|&i| {
        let from = row(i, rows) * width;
        table.data[from..from + width].iter().copied()
    });
    Tensor { data: data.collect(), shape }
}

fn scatter(index: &Tensor, updates: &Tensor, shape: Vec<usize>) -> Tensor {
    let (rows, width) = (shape[0], shape[1..].iter().product::<usize>());
    let mut out = Tensor { data: vec![0.0; rows * width], shape };
    for (i, &at) in index.data.iter().enumerate() {
        for r in 0..width {
            out.data[row(at, rows) * width + r] += updates.data[i * width + r];
        }
    }
    out
}

#[cfg(test)]
mod tests;
