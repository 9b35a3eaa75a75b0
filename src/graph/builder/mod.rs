//! Makes graphs, node by node.
//!
//! Every node's type is inferred and checked as it is made; equal constants,
//! sizes and leaves become one node. A shape error in here is a bug of the
//! caller (who speaks to users) and panics naming the invariant.

mod contract;
mod copies;
mod movement;
mod scalars;

use super::infer;
use super::ir::{Fold, Graph, Init, Leaf, LeafId, LeafKind, Node, Output, OutputKind, Prim, Value};
use crate::base::{DType, Dim, Precision, Shape, Span, TensorType};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use copies::Part;
pub use movement::broadcast_shapes;

/// A graph in the making.
#[derive(Debug)]
pub struct Builder {
    graph: Graph,
    span: Span,
    once: BTreeMap<Once, Value>,
    leaves: BTreeMap<Arc<str>, LeafId>,
    /// What random numbers are drawn from.
    sites: BTreeSet<Arc<str>>,
    /// How many steps of the user's text lie around what is built now, for whoever limits them.
    pub nesting: usize,
    /// How many uses of layers, blocks and ops were written out so far.
    pub uses: usize,
    /// Whether the graph will be cut along time, so that no layer may cut it first.
    pub along_time: bool,
    /// Of products that do not say it.
    pub precision: Precision,
}

/// What a graph needs only one node for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Once {
    Leaf(LeafId),
    /// By its bits: 0 and -0 are two numbers.
    Const(DType, u64),
    Size(Dim),
}

impl Once {
    fn of(node: &Node) -> Option<Once> {
        match &node.prim {
            Prim::Leaf(leaf) => Some(Once::Leaf(*leaf)),
            Prim::Const(x) => Some(Once::Const(node.ty.dtype, x.to_bits())),
            Prim::Size(dim) => Some(Once::Size(dim.clone())),
            Prim::Iota { .. }
            | Prim::Map { .. }
            | Prim::Reduce { .. }
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
            | Prim::Scan { .. } => None,
        }
    }
}

impl Builder {
    pub fn new(name: impl Into<String>) -> Self {
        Self::resume(Graph::new(name))
    }

    /// Goes on with a graph; its constants, sizes and leaves are used again.
    pub fn resume(graph: Graph) -> Self {
        let leaves = graph.leaves.iter().map(|(id, leaf)| (leaf.name.clone(), id)).collect();
        let (graph_so_far, span, once) = (Graph::default(), Span::default(), BTreeMap::new());
        let sites = BTreeSet::new();
        let mut b = Builder {
            graph: graph_so_far,
            span,
            once,
            leaves,
            sites,
            nesting: 0,
            uses: 0,
            along_time: false,
            precision: Precision::F32,
        };
        for (value, node) in graph.nodes.iter() {
            b.remember(value, node);
        }
        b.graph = graph;
        b
    }

    /// Notes a node that is made once, so that it is found again.
    fn remember(&mut self, value: Value, node: &Node) {
        if let Some(key) = Once::of(node) {
            self.once.entry(key).or_insert(value);
        }
        self.note_site(&node.prim);
    }

    fn note_site(&mut self, prim: &Prim) {
        self.sites.extend(prim.sites().into_iter().cloned());
    }

    /// Whether random numbers are drawn from this site already.
    pub fn draws(&self, site: &str) -> bool {
        self.sites.contains(site)
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    pub fn finish(self) -> Graph {
        self.graph
    }

    /// The user's text that the nodes to follow come from.
    pub fn at(&mut self, span: Span) {
        self.span = span;
    }

    pub fn span(&self) -> Span {
        self.span
    }

    pub fn ty(&self, v: Value) -> &TensorType {
        self.graph.ty(v)
    }

    pub fn shape(&self, v: Value) -> &Shape {
        &self.ty(v).shape
    }

    pub fn dtype(&self, v: Value) -> DType {
        self.ty(v).dtype
    }

    /// The number that `v` is, if it is a rank-0 constant.
    pub fn as_number(&self, v: Value) -> Option<f64> {
        if let Prim::Const(x) = self.graph.nodes[v].prim { Some(x) } else { None }
    }

    /// Whether `v` is a number (or a size), possibly repeated.
    pub fn is_constant(&self, v: Value) -> bool {
        match &self.graph.nodes[v].prim {
            Prim::Const(_) | Prim::Size(_) => true,
            Prim::Broadcast { input, .. } | Prim::Reshape { input } => self.is_constant(*input),
            Prim::Leaf(_)
            | Prim::Iota { .. }
            | Prim::Map { .. }
            | Prim::Reduce { .. }
            | Prim::Contract { .. }
            | Prim::Permute { .. }
            | Prim::Slice { .. }
            | Prim::Pad { .. }
            | Prim::Window { .. }
            | Prim::Gather { .. }
            | Prim::Scatter { .. }
            | Prim::Random { .. }
            | Prim::Scan { .. } => false,
        }
    }

    /// Adds a node whose shape is a choice.
    pub fn push(&mut self, prim: Prim, ty: TensorType) -> Value {
        let inputs: Vec<&TensorType> = prim.inputs().iter().map(|&v| self.graph.ty(v)).collect();
        if let Err(why) = infer::check(&prim, &ty, &inputs) {
            panic!("graph: operands were checked before {prim:?} was built: {why}");
        }
        self.note_site(&prim);
        self.graph.nodes.push(Node { prim, ty, span: self.span })
    }

    /// Adds a node whose type follows from its inputs.
    pub fn infer(&mut self, prim: Prim) -> Value {
        let inputs: Vec<&TensorType> = prim.inputs().iter().map(|&v| self.graph.ty(v)).collect();
        match infer::infer(&prim, &inputs) {
            Ok(Some(ty)) => {
                self.note_site(&prim);
                self.graph.nodes.push(Node { prim, ty, span: self.span })
            }
            Ok(None) => panic!("graph: {prim:?} does not determine its own type"),
            Err(why) => panic!("graph: operands were checked before {prim:?} was built: {why}"),
        }
    }

    /// A new leaf; its name is not taken yet.
    pub fn leaf(&mut self, name: impl Into<Arc<str>>, ty: TensorType, kind: LeafKind) -> Value {
        let name = name.into();
        assert!(self.find(&name).is_none(), "graph: leaf `{name}` is made once");
        let leaf = self.graph.leaves.push(Leaf { name: name.clone(), ty, kind, span: self.span });
        self.leaves.insert(name, leaf);
        self.read(leaf)
    }

    /// The leaf of that name, if it is made already.
    pub fn find(&self, name: &str) -> Option<LeafId> {
        self.leaves.get(name).copied()
    }

    /// The node that stands for a leaf.
    pub fn read(&mut self, leaf: LeafId) -> Value {
        let ty = self.graph.leaves[leaf].ty.clone();
        self.copy(Node { prim: Prim::Leaf(leaf), ty, span: self.span })
    }

    /// Adds a node that was checked before: one of another graph, its inputs renamed. Of a
    /// leaf, number or size there is only one.
    pub fn copy(&mut self, node: Node) -> Value {
        self.note_site(&node.prim);
        let Some(key) = Once::of(&node) else { return self.graph.nodes.push(node) };
        *self.once.entry(key).or_insert_with(|| self.graph.nodes.push(node))
    }

    /// Gives a scan more results, behind those that it has.
    pub fn widen(&mut self, scan: Value, prim: Prim, ty: TensorType) {
        let node = &mut self.graph.nodes[scan];
        assert!(matches!(node.prim, Prim::Scan { .. }), "graph: a scan is widened");
        (node.prim, node.ty) = (prim, ty);
    }

    /// A trainable weight, `f32`.
    pub fn param(&mut self, name: impl Into<Arc<str>>, shape: impl Into<Shape>, init: Init) -> Value {
        self.leaf(name, TensorType::f32(shape), LeafKind::Param(init))
    }

    /// What steps carry along, `f32`.
    pub fn state(&mut self, name: impl Into<Arc<str>>, shape: impl Into<Shape>, init: Init) -> Value {
        self.leaf(name, TensorType::f32(shape), LeafKind::State(init))
    }

    /// A column of the batch.
    pub fn batch(&mut self, name: impl Into<Arc<str>>, ty: TensorType) -> Value {
        self.leaf(name, ty, LeafKind::Batch)
    }

    /// A number that the session sets before each step.
    pub fn scalar_leaf(&mut self, name: impl Into<Arc<str>>, dtype: DType) -> Value {
        self.leaf(name, TensorType::scalar(dtype), LeafKind::Scalar)
    }

    /// An `f32` number, rank 0.
    pub fn constant(&mut self, x: f64) -> Value {
        self.number(x, DType::F32)
    }

    /// An `i32` number, rank 0.
    pub fn int(&mut self, x: i64) -> Value {
        self.number(x as f64, DType::I32)
    }

    /// A number of either kind, rank 0.
    pub fn number(&mut self, x: f64, dtype: DType) -> Value {
        let (prim, ty) = (Prim::Const(x), TensorType::scalar(dtype));
        assert_eq!(infer::check(&prim, &ty, &[]), Ok(()), "graph: a number fits its type");
        self.copy(Node { prim, ty, span: self.span })
    }

    /// A size as an `f32` number, rank 0.
    pub fn size(&mut self, dim: &Dim) -> Value {
        if let Some(n) = dim.as_const() {
            return self.constant(n as f64);
        }
        let ty = TensorType::scalar(DType::F32);
        self.copy(Node { prim: Prim::Size(dim.clone()), ty, span: self.span })
    }

    /// The `i32` index along `axis` at every place of `shape`.
    pub fn iota(&mut self, shape: impl Into<Shape>, axis: usize) -> Value {
        self.push(Prim::Iota { axis }, TensorType::new(DType::I32, shape))
    }

    /// Uniform numbers in [0, 1), drawn anew each step; one `site` is one stream.
    pub fn random(&mut self, site: impl Into<Arc<str>>, shape: impl Into<Shape>) -> Value {
        self.push(Prim::Random { site: site.into() }, TensorType::f32(shape))
    }

    /// Folds `axes` away (in any order, each once); no axes is no node.
    pub fn reduce(&mut self, fold: Fold, v: Value, axes: &[usize]) -> Value {
        if axes.is_empty() {
            return v;
        }
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        self.infer(Prim::Reduce { fold, axes, input: v })
    }

    pub fn sum(&mut self, v: Value, axes: &[usize]) -> Value {
        self.reduce(Fold::Sum, v, axes)
    }

    pub fn max_of(&mut self, v: Value, axes: &[usize]) -> Value {
        self.reduce(Fold::Max, v, axes)
    }

    /// The sum over all axes, rank 0.
    pub fn sum_all(&mut self, v: Value) -> Value {
        let axes: Vec<usize> = (0..self.shape(v).rank()).collect();
        self.sum(v, &axes)
    }

    pub fn mean(&mut self, v: Value, axes: &[usize]) -> Value {
        let count = axes.iter().fold(Dim::one(), |n, &a| n * self.shape(v)[a].clone());
        let sum = self.sum(v, axes);
        let count = self.size(&count);
        self.div(sum, count)
    }

    /// The sum, its axes kept with size 1.
    pub fn sum_keep(&mut self, v: Value, axes: &[usize]) -> Value {
        let folded = self.sum(v, axes);
        self.keep_axes(v, folded, axes)
    }

    /// The maximum, its axes kept with size 1.
    pub fn max_keep(&mut self, v: Value, axes: &[usize]) -> Value {
        let folded = self.max_of(v, axes);
        self.keep_axes(v, folded, axes)
    }

    /// The mean, its axes kept with size 1.
    pub fn mean_keep(&mut self, v: Value, axes: &[usize]) -> Value {
        let folded = self.mean(v, axes);
        self.keep_axes(v, folded, axes)
    }

    fn keep_axes(&mut self, v: Value, folded: Value, axes: &[usize]) -> Value {
        let shape = axes.iter().fold(self.shape(v).clone(), |shape, &a| shape.with(a, Dim::one()));
        self.reshape(folded, shape)
    }

    /// `out[i.., r..] = table[index[i..], r..]`.
    pub fn gather(&mut self, table: Value, index: Value) -> Value {
        self.infer(Prim::Gather { inputs: [table, index] })
    }

    /// Zeros of `shape`, plus `updates[i.., r..]` at `[index[i..], r..]`.
    pub fn scatter(&mut self, shape: impl Into<Shape>, index: Value, updates: Value) -> Value {
        self.push(Prim::Scatter { inputs: [index, updates] }, TensorType::f32(shape))
    }

    /// `f32[.., n]`: 1 where the last coordinate is the `i32` index, else 0.
    pub fn one_hot(&mut self, index: Value, n: &Dim) -> Value {
        let last = self.shape(index).rank();
        let shape = self.shape(index).with_axis(last, n.clone());
        let classes = self.iota(shape.clone(), last);
        let wanted = self.broadcast(index, shape, &(0..last).collect::<Vec<_>>());
        self.eq(wanted, classes)
    }

    /// Says what a weight or state is after the step, instead of what was said of it before.
    pub fn update(&mut self, name: impl Into<Arc<str>>, leaf: LeafId, value: Value) {
        let kind = OutputKind::Update(leaf);
        match self.graph.outputs.iter_mut().find(|o| o.kind == kind) {
            Some(known) => known.value = value,
            None => self.output(name, value, kind),
        }
    }

    pub fn output(&mut self, name: impl Into<Arc<str>>, value: Value, kind: OutputKind) {
        self.graph.outputs.push(Output { name: name.into(), value, kind });
    }
}

#[cfg(test)]
mod tests;
