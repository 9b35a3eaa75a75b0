//! Decisions inside a computation: where a small change of a number can make a jump or a
//! kink.

use crate::base::DType;
use crate::graph::interp::Tensor;
use crate::graph::ir::{Fold, Graph, Node, Prim};
use crate::graph::scalar::ScalarOp;

/// How near two numbers may be whose order decides something.
const MARGIN: f64 = 1e-3;

/// Whether rounding could turn the comparison. Equal whole numbers are safe: they come from
/// floors, comparisons and zeros, which rounding does not touch.
fn doubtful(a: f64, b: f64) -> bool {
    (a - b).abs() < MARGIN && !(a == b && a.fract() == 0.0)
}

/// Whether the node's decisions, if it takes any, are clear.
pub fn is_clear(graph: &Graph, node: &Node, values: &[Tensor]) -> bool {
    let get = |i: usize| &values[node.prim.inputs()[i].index()];
    let is_float = |i: usize| graph.ty(node.prim.inputs()[i]).dtype == DType::F32;
    match &node.prim {
        Prim::Map { op, inputs } => match kind(*op) {
            Decision::Order if !is_float(0) || inputs[0] == inputs[1] => true,
            Decision::Order => !pairs(get(0), get(1)).any(|(a, b)| doubtful(a, b)),
            Decision::Sign => is_float(0) && !get(0).data.iter().any(|&x| doubtful(x, 0.0)),
            Decision::Step => !is_float(0) || !get(0).data.iter().any(|&x| doubtful(x, x.round())),
            Decision::None => true,
        },
        Prim::Reduce { fold: Fold::Max, axes, .. } => !close_calls(get(0), axes),
        Prim::Leaf(_)
        | Prim::Const(_)
        | Prim::Size(_)
        | Prim::Iota { .. }
        | Prim::Reduce { fold: Fold::Sum, .. }
        | Prim::Contract { .. }
        | Prim::Reshape { .. }
        | Prim::Permute { .. }
        | Prim::Broadcast { .. }
        | Prim::Slice { .. }
        | Prim::Pad { .. }
        | Prim::Window { .. }
        | Prim::Gather { .. }
        | Prim::Scatter { .. }
        | Prim::Random { .. }
        | Prim::Scan { .. } => true,
    }
}

/// What all nodes decide, as numbers to compare: equal before and after a nudge means that
/// no kink lies between.
pub fn decisions(graph: &Graph, values: &[Tensor]) -> Vec<i64> {
    let mut all = Vec::new();
    for (_, node) in graph.nodes.iter() {
        let get = |i: usize| &values[node.prim.inputs()[i].index()];
        match &node.prim {
            Prim::Map { op, .. } => match kind(*op) {
                Decision::Order => all.extend(pairs(get(0), get(1)).map(|(a, b)| order(a, b))),
                Decision::Sign => all.extend(get(0).data.iter().map(|&x| order(x, 0.0))),
                Decision::Step => all.extend(get(0).data.iter().map(|&x| x.floor() as i64)),
                Decision::None => {}
            },
            Prim::Reduce { fold: Fold::Max, axes, .. } => all.extend(winners(get(0), axes)),
            Prim::Leaf(_)
            | Prim::Const(_)
            | Prim::Size(_)
            | Prim::Iota { .. }
            | Prim::Reduce { fold: Fold::Sum, .. }
            | Prim::Contract { .. }
            | Prim::Reshape { .. }
            | Prim::Permute { .. }
            | Prim::Broadcast { .. }
            | Prim::Slice { .. }
            | Prim::Pad { .. }
            | Prim::Window { .. }
            | Prim::Gather { .. }
            | Prim::Scatter { .. }
            | Prim::Random { .. }
            | Prim::Scan { .. } => {}
        }
    }
    all
}

enum Decision {
    /// Which of two is larger.
    Order,
    /// Above, at or below 0.
    Sign,
    /// Between which whole numbers.
    Step,
    None,
}

fn kind(op: ScalarOp) -> Decision {
    use ScalarOp::*;
    match op {
        Max | Min | Eq | Ne | Lt | Le | Gt | Ge => Decision::Order,
        Abs | Sign | Select => Decision::Sign,
        Floor | ToI32 => Decision::Step,
        Neg | Exp | Expm1 | Log | Log1p | Sqrt | Rsqrt | Tanh | Sigmoid | Erf | Sin | Cos | Add | Sub
        | Mul | Div | Pow | ToF32 | Stop => Decision::None,
    }
}

fn order(a: f64, b: f64) -> i64 {
    i64::from(a > b) - i64::from(a < b)
}

/// Corresponding elements; rank 0 goes with all.
fn pairs<'a>(a: &'a Tensor, b: &'a Tensor) -> impl Iterator<Item = (f64, f64)> + 'a {
    let len = a.data.len().max(b.data.len());
    (0..len).map(|i| (a.data[i % a.data.len()], b.data[i % b.data.len()]))
}

/// The rows that a fold of `axes` folds.
fn rows(t: &Tensor, axes: &[usize]) -> Vec<Vec<f64>> {
    let kept: Vec<usize> = (0..t.shape.len()).filter(|a| !axes.contains(a)).collect();
    let size = |axes: &[usize]| axes.iter().map(|&a| t.shape[a]).product::<usize>();
    let mut rows = vec![Vec::with_capacity(size(axes)); size(&kept)];
    let mut elements = t.data.iter();
    crate::graph::interp::each_place(&t.shape, |at| {
        let row = kept.iter().fold(0, |row, &a| row * t.shape[a] + at[a]);
        rows[row].push(*elements.next().expect("tensor: an element for each place"));
    });
    rows
}

fn winners(t: &Tensor, axes: &[usize]) -> Vec<i64> {
    let of_row = |row: Vec<f64>| {
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.into_iter().map(move |x| i64::from(x == top)).collect::<Vec<_>>()
    };
    rows(t, axes).into_iter().flat_map(of_row).collect()
}

fn close_calls(t: &Tensor, axes: &[usize]) -> bool {
    rows(t, axes).into_iter().any(|mut row| {
        row.sort_by(f64::total_cmp);
        row.len() >= 2 && doubtful(row[row.len() - 1], row[row.len() - 2])
    })
}
