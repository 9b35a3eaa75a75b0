//! Cuts a map where its guards do: what lies side by side in one tensor is made part by part.
//!
//! The gradient of a split, and a concatenation of equal parts, are sums of padded parts. As one map over all of it each
//! point asks every part whether it lies there, and computes what it throws away. Parts of one length become the stores of
//! one map over that length instead, without guards. Exact, but for the sign of a zero.

use super::super::ir::*;
use super::super::lower::prune;
use super::join;
use crate::base::{Arena, DType};
use crate::graph::ScalarOp;
use std::collections::{BTreeMap, BTreeSet};

/// Parts of one map, at most: each is code of its own.
const MOST: usize = 8;

/// The shortest part that is worth it, in elements.
const SHORTEST: usize = 8;

pub fn run(program: &mut Program) {
    for kernel in &mut program.kernels {
        if let KernelKind::Rows(rows) = &mut kernel.kind
            && let Some(cut) = cut(rows, &program.buffers)
        {
            *rows = cut;
            kernel.reasons.push("cut where its parts meet".into());
        }
    }
}

/// The map over the length of a part.
fn cut(rows: &Rows, buffers: &Arena<Buffer>) -> Option<Rows> {
    let [store] = rows.body.stores.as_slice() else { return None };
    if !rows.row.is_empty() {
        return None;
    }
    (0..rows.outer.len()).find_map(|dim| {
        let length = length(&rows.body, dim, rows.outer[dim])?;
        let parts = (0..rows.outer[dim] / length).map(|part| {
            let mut body = at(&rows.body, dim, part * length, length, buffers);
            body.stores[0].access.offset += store.access.strides[dim] * (part * length) as i64;
            prune(&mut body);
            body
        });
        let body = parts
            .reduce(|all, part| join::bodies(&all, &part).expect("loops: a map reads nothing it stores"))?;
        let mut outer = rows.outer.clone();
        outer[dim] = length;
        Some(Rows { outer, row: Vec::new(), body })
    })
}

/// The length of equal parts along a dim between which all changes that depend on it alone lie.
fn length(body: &Body, dim: usize, size: usize) -> Option<usize> {
    let mut edges: BTreeSet<usize> = BTreeSet::from([0, size]);
    let guards = body.loads().flat_map(|access| &access.guards);
    for guard in guards.filter(|g| alone(&g.strides, dim)) {
        let inside = [-guard.offset, guard.size - guard.offset];
        edges.extend(inside.into_iter().filter_map(|edge| usize::try_from(edge).ok()).filter(|&e| e < size));
    }
    let edges: Vec<usize> = edges.into_iter().collect();
    let length = edges.windows(2).map(|pair| pair[1] - pair[0]).min()?;
    let parts = size / length.max(1);
    let even = edges.iter().all(|edge| edge % length == 0);
    (even && length >= SHORTEST && (2..=MOST).contains(&parts)).then_some(length)
}

/// Whether a form steps with a dim, one by one, and with no other.
fn alone(strides: &[i64], dim: usize) -> bool {
    strides.iter().enumerate().all(|(d, &stride)| stride == i64::from(d == dim))
}

/// The body where a dim counts from `start` to `start + length`.
fn at(body: &Body, dim: usize, start: usize, length: usize, buffers: &Arena<Buffer>) -> Body {
    let part = Part { dim, start: start as i64, length: length as i64 };
    let dtypes = body.dtypes(buffers);
    let mut made = Body::default();
    let mut renamed: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for (id, node) in body.nodes.iter() {
        let mut node = node.clone();
        node.inputs_mut().iter_mut().for_each(|input| *input = renamed[input]);
        let new = match part.node(node, dtypes[id.index()], &made) {
            Became::Node(node) => {
                let known = made.nodes.iter().find(|(_, n)| **n == node).map(|(id, _)| id);
                known.unwrap_or_else(|| made.nodes.push(node))
            }
            Became::Other(other) => other,
        };
        renamed.insert(id, new);
    }
    made.stores =
        body.stores.iter().map(|s| Store { value: renamed[&s.value], access: s.access.clone() }).collect();
    made
}

enum Became {
    Node(Node),
    /// What was there already.
    Other(NodeId),
}

struct Part {
    dim: usize,
    start: i64,
    length: i64,
}

impl Part {
    /// The node at a place of the part.
    fn node(&self, mut node: Node, dtype: DType, made: &Body) -> Became {
        match &mut node {
            Node::Index { offset, strides } | Node::Random { offset, strides, .. } => {
                *offset += strides[self.dim] * self.start;
            }
            Node::Load(access) | Node::LoadAt { access, .. } => {
                access.offset += access.strides[self.dim] * self.start;
                if !self.holds(&mut access.guards) {
                    return Became::Node(Node::Const { value: access.fill, dtype });
                }
            }
            Node::Op { op, inputs } => return self.op(*op, inputs.clone(), dtype, made),
            Node::Acc | Node::Const { .. } | Node::Fold { .. } => {}
        }
        Became::Node(node)
    }

    /// Drops the guards that hold all over the part; false if one never does.
    fn holds(&self, guards: &mut Vec<Guard>) -> bool {
        for guard in guards.iter_mut() {
            guard.offset += guard.strides[self.dim] * self.start;
        }
        let range = |g: &Guard| (g.offset, g.offset + self.length - 1);
        let never = |g: &Guard| alone(&g.strides, self.dim) && (range(g).1 < 0 || range(g).0 >= g.size);
        let always = |g: &Guard| alone(&g.strides, self.dim) && range(g).0 >= 0 && range(g).1 < g.size;
        let holds = !guards.iter().any(never);
        guards.retain(|g| !always(g));
        holds
    }

    fn op(&self, op: ScalarOp, inputs: Vec<NodeId>, dtype: DType, made: &Body) -> Became {
        let number = |id: NodeId| match &made.nodes[id] {
            Node::Const { value, .. } => Some(*value),
            Node::Acc
            | Node::Index { .. }
            | Node::Random { .. }
            | Node::Load(_)
            | Node::LoadAt { .. }
            | Node::Op { .. }
            | Node::Fold { .. } => None,
        };
        let known = match (op, inputs.as_slice()) {
            (ScalarOp::Ge | ScalarOp::Lt, &[index, bound]) => {
                self.compared(op, &made.nodes[index], number(bound))
            }
            (ScalarOp::Mul, &[a, b]) if number(a) == Some(1.0) => return Became::Other(b),
            (ScalarOp::Mul, &[a, b]) if number(b) == Some(1.0) => return Became::Other(a),
            (ScalarOp::Add, &[a, b]) if number(a) == Some(0.0) => return Became::Other(b),
            (ScalarOp::Add, &[a, b]) if number(b) == Some(0.0) => return Became::Other(a),
            (ScalarOp::Select, &[when, then, otherwise]) => match number(when) {
                Some(when) => return Became::Other(if when != 0.0 { then } else { otherwise }),
                None => None,
            },
            (_, _) if dtype == DType::F32 => {
                let numbers: Option<Vec<f64>> = inputs.iter().map(|&id| number(id)).collect();
                numbers.map(|numbers| op.eval(&numbers))
            }
            (_, _) => None,
        };
        Became::Node(match known {
            Some(value) => Node::Const { value, dtype },
            None => Node::Op { op, inputs },
        })
    }

    /// What comparing an index of the part with a number gives, if it is the same all over.
    fn compared(&self, op: ScalarOp, index: &Node, bound: Option<f64>) -> Option<f64> {
        let (Node::Index { offset, strides }, Some(bound)) = (index, bound) else { return None };
        if !alone(strides, self.dim) {
            return None;
        }
        let ends = [*offset, offset + self.length - 1].map(|at| op.eval(&[at as f64, bound]));
        (ends[0] == ends[1]).then_some(ends[0])
    }
}
