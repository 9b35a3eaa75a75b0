//! One step of what lies along time, from the graph of all steps.
//!
//! A model that reads tokens and says something of each computes, for one more token, all of them anew. Where [`reach`]
//! proves that what it says of a token depends on that token and those before it alone, this pass makes the graph of one step:
//! every tensor along time becomes its slice at `position`. What an operation needs of earlier steps (keys and values of an
//! attention, the rows below a window, the carry of a loop) is kept in states: the slice of each step is written into its
//! place, and a loop goes on from where it stood. So whatever trains can go on, token by token, and no layer has a second
//! form. Numbers are those of the whole graph but for the order of sums that other shapes may bring.
//!
//! Refused is what looks ahead, what is drawn, and what mixes time with other axes; the caller then runs the whole graph.

mod kinds;
mod reach;
mod rows;
mod scan;
#[cfg(test)]
mod tests;

use crate::base::{DType, Dim, Shape, Span, TensorType};
use crate::graph::{Builder, Graph, Init, LeafId, LeafKind, Node, OutputKind, Prim, Value};
use reach::{Facts, Sees, scan_result};
use std::collections::BTreeMap;

/// The scalar that says which step it is, from 0.
pub const POSITION: &str = "position";
/// The `i32[B]` that says whose states each row goes on from.
pub const PARENT: &str = "parent";
/// What states are named with in front.
const CACHE: &str = "cache.";

/// Whether a leaf of that name is a state of a step.
pub fn is_cache(name: &str) -> bool {
    name.starts_with(CACHE)
}

/// Whether rows may go on from the states of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parents {
    Own,
    /// By the column [`PARENT`].
    Any,
}

/// Where it could not be shown that a model looks back only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unproven {
    pub span: Span,
}

/// The step at [`POSITION`] of a graph whose one output lies along axis 1 of the leaf `tokens: i32[B, T]`, in whose place
/// stands a leaf `i32[B, 1]`. Positions come in order from 0; at 0 all states start anew. All sizes but `B` are numbers.
///
/// # Errors
/// If the output may depend on later tokens, or this cannot be told.
pub fn stepwise(graph: &Graph, tokens: LeafId, parents: Parents) -> Result<Graph, Unproven> {
    let facts = reach::facts(graph, tokens);
    let output = &graph.outputs[0];
    let causal = matches!(&facts[output.value.index()].sees, Sees::UpTo(axes)
        if axes.iter().all(|(axis, ahead)| *axis == 1 && *ahead <= 0));
    if !causal {
        return Err(lost(graph, &facts, output.value));
    }
    let mut steps = Steps::new(graph, &facts, tokens, parents);
    // What computes is done in order, so that no chain of demands is as long as the model is deep.
    let live = super::dce::live(graph);
    for (value, node) in graph.nodes.iter().filter(|(v, _)| live[v.index()]) {
        if let (Some(axis), false) = (facts[value.index()].sees.along(), moves(&node.prim)) {
            // If nobody wants it in this form, it need not exist.
            let _unwanted = steps.pick(value, axis, At::Now);
        }
    }
    let logits = steps.pick(output.value, 1, At::Now)?;
    steps.b.output(output.name.clone(), logits, OutputKind::Value);
    Ok(steps.b.finish())
}

/// The first place on the way to a value where an element may see all steps.
fn lost(graph: &Graph, facts: &[Facts], value: Value) -> Unproven {
    let live = super::dce::live(graph);
    let all = |v: &Value| facts[v.index()].sees == Sees::All;
    let mut nodes = graph.nodes.iter().filter(|(v, node)| {
        // A loop is looked at where its results are read.
        live[v.index()] && all(v) && !is_loop(graph, node)
    });
    let first = nodes.next().map_or(value, |(v, _)| v);
    Unproven { span: graph.nodes[first].span }
}

fn is_loop(graph: &Graph, node: &Node) -> bool {
    match &node.prim {
        Prim::Scan { .. } => true,
        Prim::Slice { input, .. } => matches!(graph.nodes[*input].prim, Prim::Scan { .. }),
        Prim::Leaf(_)
        | Prim::Const(_)
        | Prim::Size(_)
        | Prim::Iota { .. }
        | Prim::Map { .. }
        | Prim::Reduce { .. }
        | Prim::Contract { .. }
        | Prim::Reshape { .. }
        | Prim::Permute { .. }
        | Prim::Broadcast { .. }
        | Prim::Pad { .. }
        | Prim::Window { .. }
        | Prim::Gather { .. }
        | Prim::Scatter { .. }
        | Prim::Random { .. } => false,
    }
}

/// Whether it holds numbers of its input at other places: what is kept is the input.
fn moves(prim: &Prim) -> bool {
    match prim {
        Prim::Reshape { .. }
        | Prim::Permute { .. }
        | Prim::Broadcast { .. }
        | Prim::Slice { .. }
        | Prim::Pad { .. }
        | Prim::Window { .. } => true,
        Prim::Leaf(_)
        | Prim::Const(_)
        | Prim::Size(_)
        | Prim::Iota { .. }
        | Prim::Map { .. }
        | Prim::Reduce { .. }
        | Prim::Contract { .. }
        | Prim::Gather { .. }
        | Prim::Scatter { .. }
        | Prim::Random { .. }
        | Prim::Scan { .. } => false,
    }
}

type Checked<T> = Result<T, Unproven>;

/// Which places of an axis are wanted.
#[derive(Clone, Copy, Debug)]
enum At {
    /// The present step.
    Now,
    /// Those of an `i32` vector of so many.
    Rows(Value, usize),
}

/// The graph of a step in the making. Values of the whole graph are named `of`, those of the step's are not.
struct Steps<'g> {
    graph: &'g Graph,
    facts: &'g [Facts],
    tokens: LeafId,
    parents: Parents,
    b: Builder,
    /// The step as `i32`, and as a vector of one.
    now: Value,
    row: Value,
    whole: BTreeMap<Value, Value>,
    picked: BTreeMap<(Value, usize), Value>,
    /// By scan: what each of its outputs is at this step.
    scans: BTreeMap<Value, Vec<Value>>,
    caches: usize,
}

impl<'g> Steps<'g> {
    fn new(graph: &'g Graph, facts: &'g [Facts], tokens: LeafId, parents: Parents) -> Self {
        let mut b = Builder::new(format!("{}.step", graph.name));
        let position = b.scalar_leaf(POSITION, DType::F32);
        let now = b.to_i32(position);
        let row = b.reshape(now, [1]);
        let (whole, picked, scans) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Steps { graph, facts, tokens, parents, b, now, row, whole, picked, scans, caches: 0 }
    }

    fn sees(&self, of: Value) -> &'g Sees {
        &self.facts[of.index()].sees
    }

    fn shape(&self, of: Value) -> &'g Shape {
        &self.graph.ty(of).shape
    }

    fn unproven<T>(&self, of: Value) -> Checked<T> {
        Err(Unproven { span: self.graph.nodes[of].span })
    }

    /// All of a tensor: right at the steps so far, anything behind them.
    fn whole(&mut self, of: Value) -> Checked<Value> {
        if let Some(known) = self.whole.get(&of) {
            return Ok(*known);
        }
        let node = &self.graph.nodes[of];
        let kept = !moves(&node.prim) || scan_result(self.graph, of).is_some();
        let value = match self.sees(of) {
            Sees::All => return self.unproven(of),
            sees if sees.is_nothing() || !kept => self.again(of, node)?,
            sees @ Sees::UpTo(axes) => match sees.along() {
                Some(axis) => self.cached(of, axis)?,
                None if axes.len() > 1 => self.again(of, node)?,
                None => return self.unproven(of),
            },
        };
        self.whole.insert(of, value);
        Ok(value)
    }

    /// The node as it is, on all of its inputs.
    fn again(&mut self, of: Value, node: &Node) -> Checked<Value> {
        self.b.at(node.span);
        let mut node = node.clone();
        if let Prim::Leaf(leaf) = node.prim {
            return match leaf == self.tokens {
                true => self.unproven(of),
                false => Ok(self.leaf(leaf)),
            };
        }
        for input in node.prim.inputs_mut() {
            *input = self.whole(*input)?;
        }
        Ok(self.b.copy(node))
    }

    /// A leaf as it is in the whole graph.
    fn leaf(&mut self, leaf: LeafId) -> Value {
        let of = &self.graph.leaves[leaf];
        match self.b.find(&of.name) {
            Some(known) => self.b.read(known),
            None => self.b.leaf(of.name.clone(), of.ty.clone(), of.kind.clone()),
        }
    }

    /// The tokens of this step.
    fn token(&mut self) -> Value {
        let leaf = &self.graph.leaves[self.tokens];
        let shape = leaf.ty.shape.with(1, Dim::one());
        match self.b.find(&leaf.name) {
            Some(known) => self.b.read(known),
            None => self.b.batch(leaf.name.clone(), TensorType { dtype: leaf.ty.dtype, shape }),
        }
    }

    /// A tensor along `axis` whose slices of earlier steps are kept in a state.
    fn cached(&mut self, of: Value, axis: usize) -> Checked<Value> {
        let slice = self.pick(of, axis, At::Now)?;
        self.b.at(self.graph.nodes[of].span);
        let TensorType { dtype, shape } = self.graph.ty(of).clone();
        let slice = self.b.to_f32(slice);
        let kept = self.b.reshape(slice, shape.without(&[axis]));
        let others: Vec<usize> = (0..shape.rank()).filter(|a| *a != axis).collect();
        let kept = self.b.broadcast(kept, shape.clone(), &others);
        let places = self.b.iota(shape.clone(), axis);
        let here = self.b.eq(places, self.now);
        let (state, before) = self.state(&shape);
        let Some(before) = before else { return self.unproven(of) };
        let next = self.b.select(here, kept, before);
        self.b.update(self.b.graph().leaves[state].name.clone(), state, next);
        Ok(if dtype == DType::I32 { self.b.to_i32(next) } else { next })
    }

    /// A new state, and what it held after the step before; none if it is not known which rows are whose.
    fn state(&mut self, shape: &Shape) -> (LeafId, Option<Value>) {
        let name = format!("{CACHE}{}", self.caches);
        self.caches += 1;
        let value =
            self.b.leaf(name.clone(), TensorType::f32(shape.clone()), LeafKind::State(Init::Constant(0.0)));
        let leaf = self.b.find(&name).expect("stepwise: the state was just made");
        let rows = Dim::sym("B");
        let before = match (self.parents, shape.iter().position(|dim| *dim == rows)) {
            (Parents::Own, _) => Some(value),
            (Parents::Any, Some(axis)) => {
                let parent = match self.b.find(PARENT) {
                    Some(known) => self.b.read(known),
                    None => {
                        self.b.batch(PARENT, TensorType::new(DType::I32, Shape::from(vec![rows.clone()])))
                    }
                };
                Some(self.gathered(value, axis, parent))
            }
            (Parents::Any, None) => None,
        };
        (leaf, before)
    }

    /// Places of an axis, in the order of an `i32` vector.
    fn gathered(&mut self, value: Value, axis: usize, index: Value) -> Value {
        let rank = self.b.shape(value).rank();
        let first: Vec<usize> = std::iter::once(axis).chain((0..rank).filter(|a| *a != axis)).collect();
        let back: Vec<usize> =
            (0..rank).map(|a| first.iter().position(|f| *f == a).expect("stepwise: a permutation")).collect();
        let table = self.b.permute(value, &first);
        let rows = self.b.gather(table, index);
        self.b.permute(rows, &back)
    }
}
