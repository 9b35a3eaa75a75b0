//! What a kernel costs, and how wide its strips down columns are.

use crate::base::DType;
use crate::codegen::cpu::facts::{Facts, is_called};
use crate::codegen::cpu::nest::Nest;
use crate::loops::Node;

/// Lanes of a strip down columns: narrower, since one vector of it is kept for each row.
const COLUMNS: usize = 256;
/// Rows from which on a fold down columns is worth registers of its own.
const TALL: usize = 64;
/// Bytes of a row from which on strips are as long as pages, which are then visited once.
const PAGES: usize = 16 * 1024;

/// Element operations of the whole kernel.
pub fn cost(nest: &Nest, facts: &Facts, live: &[bool]) -> usize {
    let nodes = nest.body.nodes.iter();
    let lanes = nodes.filter(|(id, _)| live[id.index()] && facts.is_lane(*id));
    let each: usize = lanes.map(|(_, node)| node_cost(node)).sum();
    each * nest.dims.iter().product::<usize>()
}

/// Lanes of a strip down columns, and whether its folds stay in registers: then a row waits for the sums of the one
/// before no longer than an addition takes. A wide loop has vectors enough not to wait, and goes through all rows by
/// itself, its chains in scratch.
pub fn column_strip(nest: &Nest, facts: &Facts, live: &[bool]) -> (usize, bool) {
    if facts.wide {
        let lanes = nest.lanes();
        let half = lanes.div_ceil(2).next_multiple_of(16).clamp(COLUMNS / 2, COLUMNS);
        let broad = if lanes * DType::F32.bytes() >= PAGES { 4 * COLUMNS } else { half };
        return (lanes.min(broad), false);
    }
    let nodes = nest.body.nodes.iter().filter(|(id, _)| live[id.index()]);
    let folds = nodes.filter(|(_, node)| matches!(node, Node::Fold { .. })).count();
    let tall = nest.points(&nest.seq) >= TALL;
    match folds {
        1 if tall => (nest.lanes().min(32), true),
        2 | 3 if tall => (nest.lanes().min(16), true),
        _ => (nest.lanes().min(COLUMNS), false),
    }
}

/// A rough price in vector instructions for each element, for cutting only.
fn node_cost(node: &Node) -> usize {
    match node {
        Node::Const { .. } | Node::Index { .. } => 0,
        Node::Op { .. } if is_called(node) => 8,
        Node::Op { op: crate::graph::ScalarOp::Div | crate::graph::ScalarOp::Sqrt, .. } => 3,
        Node::LoadAt { .. } => 3,
        Node::Random { .. } => 8,
        Node::Acc | Node::Load(_) | Node::Op { .. } | Node::Fold { .. } => 1,
    }
}
