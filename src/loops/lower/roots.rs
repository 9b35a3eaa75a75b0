//! Which values get a kernel of their own, before kernels are joined.
//!
//! What is not stored is recomputed by each reader. Products, folds, scatters
//! and results are always stored. So are values that are dear and read more
//! than once, and what would be recomputed at every point of a larger space:
//! joining kernels later makes most of these stores disappear again.

use super::Shapes;
use crate::graph::{Graph, Node, Prim, ScalarOp, Value};
use std::collections::BTreeSet;

/// The most work (in cheap operations) that is done twice rather than stored.
const CHEAP: usize = 3;
/// The most work that is done twice rather than brought back from memory.
const NEARER: usize = 16;
/// Elements from which on a value does not stay near while products run.
const LARGE: usize = 256 * 1024;
/// The most work that one formula holds.
const LONG: usize = 64;

/// What is known of a value that is not stored.
#[derive(Clone, Copy, Default)]
struct Formula {
    /// Operations that its formula takes, a cheap one counted as 1.
    cost: usize,
    /// Stored tensors of its own size that its formula reads.
    streams: usize,
}

/// A reader behind any movement.
struct Reader {
    value: Value,
    /// Whether it reads each element several times.
    repeats: bool,
}

pub fn choose(graph: &Graph, shapes: &Shapes) -> BTreeSet<Value> {
    let live = live(graph);
    let mut users: Vec<Vec<Value>> = vec![Vec::new(); graph.nodes.len()];
    for &v in &live {
        for input in graph.nodes[v].prim.inputs().iter().collect::<BTreeSet<_>>() {
            users[input.index()].push(v);
        }
    }
    let mut roots: BTreeSet<Value> = graph.outputs.iter().map(|o| o.value).collect();
    let mut formulas = vec![Formula::default(); graph.nodes.len()];
    for &v in &live {
        let formula = formula(graph, shapes, &roots, &formulas, v);
        formulas[v.index()] = formula;
        if wants_storing(graph, shapes, &users, v, formula) {
            roots.insert(v);
        }
    }
    roots.retain(|&v| !matches!(graph.nodes[v].prim, Prim::Leaf(_)));
    roots
}

/// Every value that an output needs, in order.
fn live(graph: &Graph) -> BTreeSet<Value> {
    let mut live: BTreeSet<Value> = graph.outputs.iter().map(|o| o.value).collect();
    for (v, node) in graph.nodes.iter().rev() {
        if live.contains(&v) {
            live.extend(node.prim.inputs());
        }
    }
    live
}

fn formula(
    graph: &Graph,
    shapes: &Shapes,
    roots: &BTreeSet<Value>,
    formulas: &[Formula],
    v: Value,
) -> Formula {
    let node = &graph.nodes[v];
    let own = match &node.prim {
        Prim::Map { op, .. } => work(*op),
        Prim::Random { .. } => 8,
        Prim::Gather { .. } => 4,
        Prim::Pad { .. } => 1,
        Prim::Leaf(_)
        | Prim::Const(_)
        | Prim::Size(_)
        | Prim::Iota { .. }
        | Prim::Reduce { .. }
        | Prim::Contract { .. }
        | Prim::Reshape { .. }
        | Prim::Permute { .. }
        | Prim::Broadcast { .. }
        | Prim::Slice { .. }
        | Prim::Window { .. }
        | Prim::Scatter { .. }
        | Prim::Scan { .. } => 0,
    };
    let inputs: BTreeSet<&Value> = node.prim.inputs().iter().collect();
    inputs.into_iter().fold(Formula { cost: own, streams: 0 }, |sum, input| {
        let stored = roots.contains(input) || matches!(graph.nodes[*input].prim, Prim::Leaf(_));
        let part = if stored {
            let full = shapes.count(*input) >= shapes.count(v);
            Formula { cost: 0, streams: usize::from(full) }
        } else {
            formulas[input.index()]
        };
        Formula { cost: sum.cost + part.cost, streams: sum.streams + part.streams }
    })
}

fn wants_storing(graph: &Graph, shapes: &Shapes, users: &[Vec<Value>], v: Value, formula: Formula) -> bool {
    match &graph.nodes[v].prim {
        Prim::Reduce { .. } | Prim::Contract { .. } | Prim::Scatter { .. } | Prim::Scan { .. } => true,
        Prim::Map { .. } | Prim::Random { .. } | Prim::Gather { .. } => {
            let mut readers = Vec::new();
            collect_readers(graph, shapes, users, v, false, &mut readers);
            let repeated = readers.iter().any(|r| r.repeats);
            let folded = readers.iter().any(|r| matches!(graph.nodes[r.value].prim, Prim::Reduce { .. }));
            let single = shapes.count(v) == 1;
            let stands_for = readers.len() > 1 && stands_for_product(graph, shapes, users, v);
            let twice = if is_nearer_anew(graph, shapes, &readers, v, formula) { NEARER } else { CHEAP };
            formula.cost > LONG
                || (readers.len() > 1 && formula.cost > twice)
                || (repeated && formula.cost > if single { 0 } else { CHEAP })
                || (folded && formula.streams > 1)
                || stands_for
        }
        Prim::Leaf(_)
        | Prim::Const(_)
        | Prim::Size(_)
        | Prim::Iota { .. }
        | Prim::Reshape { .. }
        | Prim::Permute { .. }
        | Prim::Broadcast { .. }
        | Prim::Slice { .. }
        | Prim::Pad { .. }
        | Prim::Window { .. } => false,
    }
}

/// Whether a value is sooner computed again, from at most one stored tensor, than brought back from memory: it is large,
/// and products run before its last reader does.
fn is_nearer_anew(graph: &Graph, shapes: &Shapes, readers: &[Reader], v: Value, formula: Formula) -> bool {
    let is_map = |r: &Reader| matches!(graph.nodes[r.value].prim, Prim::Map { .. }) && !r.repeats;
    let last = readers.iter().map(|r| r.value.index()).max().unwrap_or(0);
    let is_product =
        |(w, node): (Value, &Node)| w > v && w.index() < last && matches!(node.prim, Prim::Contract { .. });
    shapes.count(v) >= LARGE
        && formula.streams <= 1
        && readers.iter().all(is_map)
        && graph.nodes.iter().any(is_product)
}

/// Whether a value is a chain of maps of a product or fold that nothing else reads: stored instead
/// of it, in its epilogue, the chain is not repeated and takes no more room.
fn stands_for_product(graph: &Graph, shapes: &Shapes, users: &[Vec<Value>], v: Value) -> bool {
    let Prim::Map { inputs, .. } = &graph.nodes[v].prim else { return false };
    inputs.iter().any(|&input| {
        let made = matches!(graph.nodes[input].prim, Prim::Contract { .. } | Prim::Reduce { .. });
        let alone = shapes.count(input) == shapes.count(v) && users[input.index()] == [v];
        alone && (made || stands_for_product(graph, shapes, users, input))
    })
}

fn collect_readers(
    graph: &Graph,
    shapes: &Shapes,
    users: &[Vec<Value>],
    v: Value,
    repeats: bool,
    readers: &mut Vec<Reader>,
) {
    for &user in &users[v.index()] {
        let grows = repeats || shapes.count(user) > shapes.count(v);
        match &graph.nodes[user].prim {
            Prim::Reshape { .. }
            | Prim::Permute { .. }
            | Prim::Slice { .. }
            | Prim::Pad { .. }
            | Prim::Broadcast { .. }
            | Prim::Window { .. } => {
                // Padding makes a tensor larger without reading anything twice.
                let grows = if matches!(graph.nodes[user].prim, Prim::Pad { .. }) { repeats } else { grows };
                collect_readers(graph, shapes, users, user, grows, readers);
            }
            Prim::Leaf(_)
            | Prim::Const(_)
            | Prim::Size(_)
            | Prim::Iota { .. }
            | Prim::Map { .. }
            | Prim::Gather { .. }
            | Prim::Random { .. } => readers.push(Reader { value: user, repeats: grows }),
            Prim::Reduce { .. } | Prim::Contract { .. } | Prim::Scatter { .. } | Prim::Scan { .. } => {
                readers.push(Reader { value: user, repeats })
            }
        }
    }
}

/// What an operation takes, in cheap ones.
pub fn work(op: ScalarOp) -> usize {
    use ScalarOp::*;
    match op {
        Exp | Expm1 | Log | Log1p | Tanh | Sigmoid | Erf | Sin | Cos | Pow => 8,
        Sqrt | Rsqrt | Div => 2,
        Neg | Abs | Sign | Floor | Add | Sub | Mul | Max | Min | Eq | Ne | Lt | Le | Gt | Ge | Select
        | ToF32 | ToI32 => 1,
        Stop => 0,
    }
}
