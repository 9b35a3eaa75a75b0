//! The graph as plain data.
//!
//! A graph is a list of nodes, each one tensor, inputs before users. The set
//! of primitives is small and closed under differentiation: a backward graph
//! is made of the same nodes. Shapes are explicit: nothing broadcasts by
//! itself but scalars (rank 0) in [`Prim::Map`].

use super::scalar::ScalarOp;
use super::scan::ScanBody;
use crate::base::{Arena, Dim, Id, Precision, Span, Sym, TensorType};
use std::sync::Arc;

/// One tensor of a graph.
pub type Value = Id<Node>;
/// What enters a graph from outside.
pub type LeafId = Id<Leaf>;

#[derive(Clone, Debug)]
pub struct Node {
    pub prim: Prim,
    pub ty: TensorType,
    /// The user's text that asked for it; zero for what passes make.
    pub span: Span,
}

/// A tensor operation that cannot be said with the others.
#[derive(Clone, Debug, PartialEq)]
pub enum Prim {
    /// Something from outside: a batch column, a weight, a state, a scalar.
    Leaf(LeafId),
    /// A number, rank 0; `i32` values are whole.
    Const(f64),
    /// A size as an `f32` scalar, exact below 2^24: the `B` in a mean over the batch.
    Size(Dim),
    /// The `i32` index along `axis`.
    Iota { axis: usize },
    /// Applies `op` at every index. Inputs have the node's shape or rank 0.
    Map { op: ScalarOp, inputs: Vec<Value> },
    /// Folds `axes` (sorted) away. `Max` of no element is `-inf`.
    Reduce { fold: Fold, axes: Vec<usize>, input: Value },
    /// Sums products over the labels absent from `spec.out`.
    Contract { spec: Einsum, inputs: [Value; 2] },
    /// The same elements in row-major order under another shape.
    Reshape { input: Value },
    /// Output axis `i` is input axis `perm[i]`.
    Permute { input: Value, perm: Vec<usize> },
    /// Input axis `i` becomes output axis `axes[i]` (increasing); the others repeat.
    /// An axis keeps its size: size 1 is stretched by reshaping it away first.
    Broadcast { input: Value, axes: Vec<usize> },
    /// `out[i] = in[start + i * step]` per axis; steps may be negative.
    Slice { input: Value, start: Vec<Dim>, step: Vec<i64> },
    /// Puts `lo` and `hi` copies of `value` around, and `inner` between neighbours.
    Pad { input: Value, lo: Vec<Dim>, hi: Vec<Dim>, inner: Vec<i64>, value: f64 },
    /// Splits `axis` in two: `out[.., o, j, ..] = in[.., o * stride + j * dilation, ..]`,
    /// `j < size`, no padding.
    Window { input: Value, axis: usize, size: usize, stride: usize, dilation: usize },
    /// `out[i.., r..] = table[index[i..], r..]` of `[table, index]`; the index is `i32`,
    /// clamped into range.
    Gather { inputs: [Value; 2] },
    /// Zeros of the node's shape, plus, of `[index, updates]`, `updates[i.., r..]` added at
    /// `[index[i..], r..]` in the order of `i`. The index is clamped into range.
    Scatter { inputs: [Value; 2] },
    /// Uniform in [0, 1): a pure function of seed, `site`, step and element (row-major).
    Random { site: Arc<str> },
    /// Runs `body` once for each step, in order; all results in one vector, as
    /// [`ScanBody`] lays them out.
    Scan { body: Arc<ScanBody>, inputs: Vec<Value> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fold {
    Sum,
    Max,
}

impl Fold {
    pub fn name(self) -> &'static str {
        match self {
            Fold::Sum => "sum",
            Fold::Max => "max",
        }
    }

    pub fn by_name(name: &str) -> Option<Fold> {
        [Fold::Sum, Fold::Max].into_iter().find(|fold| fold.name() == name)
    }
}

/// Labels of the axes of two operands and their product: `"bi,ij->bj"`, or `"bi,ij->bj in bf16"`.
///
/// A label in both operands and the output is a batch axis; in one operand
/// and the output, a free axis; in both operands only, it is summed. A label
/// occurs at most once in each of the three; one that is in a single operand
/// is in the output.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Einsum {
    pub lhs: Vec<u8>,
    pub rhs: Vec<u8>,
    pub out: Vec<u8>,
    pub precision: Precision,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// `image`, `fc1.weight`, `fc1.weight.m`, `lr`, `step`.
    pub name: Arc<str>,
    pub ty: TensorType,
    pub kind: LeafKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum LeafKind {
    /// A column of the batch; its first axis is the batch.
    Batch,
    /// A trainable weight.
    Param(Init),
    /// What steps carry along beside weights: moments, running statistics.
    State(Init),
    /// A scalar that the session sets before each step: `lr`, `step` (from 1).
    Scalar,
}

/// How a weight starts. Bounds and scales are numbers by the time a graph exists.
/// Draws depend on the seed and the leaf's name alone.
#[derive(Clone, Debug, PartialEq)]
pub enum Init {
    Constant(f64),
    /// The last axis in as many equal parts, each with a number: the bias of gates.
    Parts(Vec<f64>),
    /// In [-bound, bound).
    Uniform {
        bound: InitScale,
    },
    Normal {
        mean: f64,
        std: InitScale,
    },
    /// Normal, redrawn beyond two standard deviations (Keras' `TruncatedNormal`).
    TruncatedNormal {
        mean: f64,
        std: InitScale,
    },
    /// Rows or columns, whichever are fewer, at right angles and of length `gain`; all axes
    /// but the last count as one.
    Orthogonal {
        gain: f64,
    },
    /// `gain` where the two coordinates are equal, else 0.
    Identity {
        gain: f64,
    },
}

/// A bound or spread, possibly from sizes that only the data know.
#[derive(Clone, Debug, PartialEq)]
pub enum InitScale {
    Fixed(f64),
    /// `sqrt(num / den)`: Glorot uniform is `sqrt(6 / (fan_in + fan_out))`.
    Root {
        num: f64,
        den: Dim,
    },
}

impl Init {
    /// Replaces the symbols of a fan.
    fn bind(&mut self, bindings: &crate::base::Bindings) {
        match self {
            Init::Uniform { bound: scale }
            | Init::Normal { std: scale, .. }
            | Init::TruncatedNormal { std: scale, .. } => {
                if let InitScale::Root { den, .. } = scale {
                    *den = den.bind(bindings);
                }
            }
            Init::Constant(_) | Init::Parts(_) | Init::Orthogonal { .. } | Init::Identity { .. } => {}
        }
    }
}

/// What a graph hands out.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub name: Arc<str>,
    pub value: Value,
    pub kind: OutputKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// What training brings down, a scalar. The first one is the total.
    Loss,
    /// Summed over batches; what it is divided by, the plan of the metric says.
    Metric,
    /// A tensor that someone reads: predictions, gradients of a test.
    Value,
    /// The next value of a weight or state.
    Update(LeafId),
}

/// A computation: leaves in, nodes in order, outputs.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// `digits.train`, `Mlp.eval`.
    pub name: String,
    pub leaves: Arena<Leaf>,
    pub nodes: Arena<Node>,
    pub outputs: Vec<Output>,
}

impl Graph {
    pub fn new(name: impl Into<String>) -> Self {
        Graph { name: name.into(), ..Graph::default() }
    }

    pub fn ty(&self, value: Value) -> &TensorType {
        &self.nodes[value].ty
    }

    pub fn output(&self, name: &str) -> Option<&Output> {
        self.outputs.iter().find(|o| &*o.name == name)
    }

    /// The leaf of that name.
    pub fn leaf(&self, name: &str) -> Option<LeafId> {
        self.leaves.iter().find(|(_, l)| &*l.name == name).map(|(id, _)| id)
    }

    /// The graph with some symbols replaced by numbers, everywhere.
    pub fn bind(&self, bindings: &crate::base::Bindings) -> Graph {
        let mut graph = self.clone();
        for id in graph.leaves.ids() {
            let leaf = &mut graph.leaves[id];
            leaf.ty = leaf.ty.bind(bindings);
            if let LeafKind::Param(init) | LeafKind::State(init) = &mut leaf.kind {
                init.bind(bindings);
            }
        }
        for id in graph.nodes.ids() {
            let node = &mut graph.nodes[id];
            node.ty = node.ty.bind(bindings);
            match &mut node.prim {
                Prim::Size(dim) => *dim = dim.bind(bindings),
                Prim::Slice { start, .. } => start.iter_mut().for_each(|d| *d = d.bind(bindings)),
                Prim::Pad { lo, hi, .. } => lo.iter_mut().chain(hi).for_each(|d| *d = d.bind(bindings)),
                Prim::Scan { body, .. } => *body = Arc::new(body.bind(bindings)),
                Prim::Leaf(_)
                | Prim::Const(_)
                | Prim::Iota { .. }
                | Prim::Map { .. }
                | Prim::Reduce { .. }
                | Prim::Contract { .. }
                | Prim::Reshape { .. }
                | Prim::Permute { .. }
                | Prim::Broadcast { .. }
                | Prim::Window { .. }
                | Prim::Gather { .. }
                | Prim::Scatter { .. }
                | Prim::Random { .. } => {}
            }
        }
        graph
    }

    /// By node: the last node that reads it. None for what outputs name, and for what nobody reads.
    pub fn last_uses(&self) -> Vec<Option<Value>> {
        let mut last = vec![None; self.nodes.len()];
        for (id, node) in self.nodes.iter() {
            node.prim.inputs().iter().for_each(|v| last[v.index()] = Some(id));
        }
        self.outputs.iter().for_each(|o| last[o.value.index()] = None);
        last
    }

    /// Every symbol in the leaves' types, sorted, once.
    pub fn syms(&self) -> Vec<Sym> {
        let dims = self.leaves.iter().flat_map(|(_, l)| l.ty.shape.iter());
        let mut syms: Vec<Sym> = dims.flat_map(Dim::syms).collect();
        syms.sort();
        syms.dedup();
        syms
    }
}

impl Prim {
    /// The tensors that it reads, in order.
    pub fn inputs(&self) -> &[Value] {
        match self {
            Prim::Leaf(_) | Prim::Const(_) | Prim::Size(_) | Prim::Iota { .. } | Prim::Random { .. } => &[],
            Prim::Map { inputs, .. } | Prim::Scan { inputs, .. } => inputs,
            Prim::Contract { inputs, .. } | Prim::Gather { inputs } | Prim::Scatter { inputs } => inputs,
            Prim::Reduce { input, .. }
            | Prim::Reshape { input }
            | Prim::Permute { input, .. }
            | Prim::Broadcast { input, .. }
            | Prim::Slice { input, .. }
            | Prim::Pad { input, .. }
            | Prim::Window { input, .. } => std::slice::from_ref(input),
        }
    }

    /// The same, to be renamed in place.
    pub fn inputs_mut(&mut self) -> &mut [Value] {
        match self {
            Prim::Leaf(_) | Prim::Const(_) | Prim::Size(_) | Prim::Iota { .. } | Prim::Random { .. } => {
                &mut []
            }
            Prim::Map { inputs, .. } | Prim::Scan { inputs, .. } => inputs,
            Prim::Contract { inputs, .. } | Prim::Gather { inputs } | Prim::Scatter { inputs } => inputs,
            Prim::Reduce { input, .. }
            | Prim::Reshape { input }
            | Prim::Permute { input, .. }
            | Prim::Broadcast { input, .. }
            | Prim::Slice { input, .. }
            | Prim::Pad { input, .. }
            | Prim::Window { input, .. } => std::slice::from_mut(input),
        }
    }
}

impl Einsum {
    /// Reads what is printed.
    pub fn parse(text: &str) -> Option<Einsum> {
        let (text, precision) = match text.split_once(" in ") {
            Some((text, name)) => (text, Precision::by_name(name)?),
            None => (text, Precision::F32),
        };
        let (operands, out) = text.split_once("->")?;
        let (lhs, rhs) = operands.split_once(',')?;
        let labels = |s: &str| s.trim().bytes().collect::<Vec<u8>>();
        Some(Einsum { lhs: labels(lhs), rhs: labels(rhs), out: labels(out), precision })
    }
}

impl std::fmt::Display for Einsum {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let text = |labels: &[u8]| labels.iter().map(|&b| char::from(b)).collect::<String>();
        write!(f, "{},{}->{}", text(&self.lhs), text(&self.rhs), text(&self.out))?;
        match self.precision {
            Precision::F32 => Ok(()),
            Precision::Bf16 => write!(f, " in {}", self.precision.name()),
        }
    }
}
