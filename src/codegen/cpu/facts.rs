//! What is known of each node of a nest before any code is made: a side table.

use super::nest::{Form, Nest};
use crate::base::{DType, Id};
use crate::codegen::dims::{bits_of, strides_set, variation};
use crate::graph::{Cpu, ScalarOp};
use crate::loops::{Access, Node, NodeId};
use mlc_kernels::strip::formula;

/// Where a node's value lives, by the dims over which it varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Over nothing, and from no fold: computed once, by the step function.
    Uniform,
    /// One number for each unit of work.
    Unit,
    /// One number for each point of the sequential dims.
    Seq,
    /// One number for each lane.
    Lane,
}

/// The side table. Every list is by node.
pub struct Facts {
    pub varies: Vec<u64>,
    pub class: Vec<Class>,
    pub dtype: Vec<DType>,
    /// Whether it belongs to a point of the row (of the space, in a `Map`), not of `outer`.
    pub row: Vec<bool>,
    /// The sweep over the row that can compute it; a point node is ready before that sweep.
    pub level: Vec<usize>,
    /// Instructions to compute it anew from loads and calls; capped.
    pub cost: Vec<u32>,
    /// Whether that includes a strip call.
    pub dear: Vec<bool>,
    /// Whether its lanes come out of a call, which leaves them in scratch.
    pub called: Vec<bool>,
    /// Whether wide loops do all that lanes do, but for calls.
    pub wide: bool,
    /// Of each store, by index.
    pub stores: Vec<StoreFacts>,
    /// Sweeps over the row.
    pub sweeps: usize,
}

/// The dims over which a store writes: those of its value, and those that it walks.
#[derive(Clone, Copy, Debug)]
pub struct StoreFacts {
    pub varies: u64,
    pub class: Class,
    pub row: bool,
}

/// Lanes of a wide loop's vectors.
const LANES: usize = 16;

/// Columns that keep a wide loop busy, whose sums wait in memory for those of the row before.
const BROAD: usize = 64;
/// Operations on a row that do so with half as many.
const RICH: usize = 4;

/// Anything costlier is stored rather than computed again.
const CHEAP: u32 = 3;

impl Facts {
    /// `wide` says whether loops may be: those take steps of strip functions among their own.
    pub fn of(nest: &Nest, wide: bool) -> Facts {
        let nodes = &nest.body.nodes;
        let lane = 1u64 << nest.lane;
        let seq = bits_of(&nest.seq);
        let row_dims = match nest.form {
            Form::Map => 0,
            Form::Rows => seq | lane,
            Form::Columns => seq,
        };
        let mut varies = variation(&nest.body, nest.dims.len(), row_dims);
        let mut facts = Facts {
            class: Vec::with_capacity(nodes.len()),
            dtype: Vec::with_capacity(nodes.len()),
            row: Vec::with_capacity(nodes.len()),
            level: Vec::with_capacity(nodes.len()),
            cost: Vec::with_capacity(nodes.len()),
            dear: Vec::with_capacity(nodes.len()),
            called: Vec::new(),
            wide: false,
            sweeps: 0,
            varies: Vec::new(),
            stores: Vec::new(),
        };
        let mut folded = vec![false; nodes.len()];
        let is_row = |varies: u64| match nest.form {
            Form::Map => varies & lane != 0,
            Form::Rows | Form::Columns => varies & row_dims != 0,
        };
        for (id, node) in nodes.iter() {
            let at = id.index();
            let inputs = node.inputs();
            // A chain of lanes is kept for each column, whether its terms differ or not.
            if nest.form == Form::Columns && matches!(node, Node::Fold { .. }) {
                varies[at] |= lane;
            }
            if nest.form == Form::Columns {
                varies[at] |= inputs.iter().fold(0, |set, i| set | varies[i.index()] & lane);
            }
            folded[at] = matches!(node, Node::Fold { .. }) || inputs.iter().any(|i| folded[i.index()]);
            facts.class.push(class_of(varies[at], lane, seq, folded[at]));
            facts.row.push(is_row(varies[at]));
            let deepest = inputs.iter().map(|i| facts.level[i.index()]).max().unwrap_or(0);
            facts.level.push(deepest + usize::from(matches!(node, Node::Fold { .. })));
            facts.dtype.push(dtype(node, &facts.dtype, nest));
            facts.push_cost(node, inputs);
        }
        for store in &nest.body.stores {
            let value = store.value.index();
            let varies = varies[value] | strides_set(&store.access.strides);
            let class = class_of(varies, lane, seq, folded[value]);
            facts.stores.push(StoreFacts { varies, class, row: is_row(varies) });
        }
        facts.varies = varies;
        facts.wide = wide && facts.suits_wide_loops(nest);
        let called =
            nodes.iter().map(|(id, node)| is_called(node) && !(facts.wide && facts.has_formula(id, node)));
        facts.called = called.collect();
        facts.sweeps = facts.count_sweeps(nest);
        facts
    }

    fn push_cost(&mut self, node: &Node, inputs: &[NodeId]) {
        let inner: u32 = inputs.iter().map(|i| self.cost[i.index()]).sum();
        let calls = inputs.iter().any(|i| self.dear[i.index()]);
        let (cost, dear) = match node {
            Node::Op { op, .. } => (inner + 1, calls || is_call(*op)),
            Node::LoadAt { .. } => (inner + 2, calls),
            Node::Random { .. } => (1, true),
            Node::Fold { .. } | Node::Acc | Node::Const { .. } | Node::Index { .. } | Node::Load(_) => {
                (0, false)
            }
        };
        self.cost.push(cost.min(1000));
        self.dear.push(dear);
    }

    fn count_sweeps(&self, nest: &Nest) -> usize {
        let folds = nest.body.nodes.iter().filter_map(|(_, node)| match node {
            Node::Fold { input, .. } => Some(self.level[input.index()] + 1),
            Node::Acc
            | Node::Const { .. }
            | Node::Index { .. }
            | Node::Random { .. }
            | Node::Load(_)
            | Node::LoadAt { .. }
            | Node::Op { .. } => None,
        });
        let stores = nest.body.stores.iter().zip(&self.stores).filter(|(_, facts)| facts.row);
        folds.chain(stores.map(|(store, _)| self.level[store.value.index()] + 1)).max().unwrap_or(0)
    }

    /// Whether wide loops can do all that lanes do, but for calls. Few columns are better folded in registers, which
    /// they know nothing of.
    fn suits_wide_loops(&self, nest: &Nest) -> bool {
        let neighbours =
            |access: &Access| access.guards.is_empty() && matches!(access.strides[nest.lane], 0 | 1);
        let is_epilogue = nest.body.nodes.iter().any(|(_, node)| matches!(node, Node::Acc));
        let suits = |(id, node): (NodeId, &Node)| match node {
            Node::Load(access) => neighbours(access),
            Node::LoadAt { access, index, .. } => neighbours(access) && !self.is_lane(*index),
            Node::Index { strides, .. } => strides[nest.lane] == 1 && !is_epilogue,
            Node::Op { op, inputs } => {
                *op != ScalarOp::ToI32
                    && self.dtype[id.index()] == DType::F32
                    && self.takes_wide(*op, inputs, nest)
            }
            Node::Acc | Node::Const { .. } | Node::Random { .. } | Node::Fold { .. } => true,
        };
        let stores = nest.body.stores.iter().zip(&self.stores);
        nest.lanes() >= self.fewest_lanes(nest)
            && nest.body.nodes.iter().filter(|(id, _)| self.is_lane(*id)).all(suits)
            && stores
                .filter(|(_, facts)| facts.class == Class::Lane)
                .all(|(s, _)| s.access.strides[nest.lane] == 1)
    }

    fn fewest_lanes(&self, nest: &Nest) -> usize {
        let on_row = |(id, node): &(NodeId, &Node)| {
            matches!(node, Node::Op { .. }) && self.row[id.index()] && self.is_lane(*id)
        };
        match nest.form {
            Form::Map | Form::Rows => LANES,
            Form::Columns if nest.body.nodes.iter().filter(on_row).count() >= RICH => BROAD / 2,
            Form::Columns => BROAD,
        }
    }

    /// Of lanes of whole numbers only coordinates are known, and compared; of bytes, that they are numbers.
    fn takes_wide(&self, op: ScalarOp, inputs: &[NodeId], nest: &Nest) -> bool {
        let whole = inputs.iter().filter(|i| self.is_lane(**i));
        let mut whole = whole.filter(|i| self.dtype[i.index()] != DType::F32);
        match op {
            ScalarOp::ToF32 => whole.all(|i| self.dtype[i.index()] == DType::U8),
            _ => whole.all(|i| matches!(nest.body.nodes[*i], Node::Index { .. })),
        }
    }

    fn has_formula(&self, id: NodeId, node: &Node) -> bool {
        let Node::Op { op, .. } = node else { return false };
        self.is_lane(id) && strip_function(*op).is_some_and(|symbol| formula(symbol).is_some())
    }

    pub fn is_lane(&self, node: NodeId) -> bool {
        self.class[node.index()] == Class::Lane
    }

    /// Whether a value that is needed again is better stored.
    pub fn worth_storing(&self, node: NodeId) -> bool {
        self.dear[node.index()] || self.cost[node.index()] > CHEAP
    }
}

fn class_of(varies: u64, lane: u64, seq: u64, folded: bool) -> Class {
    match varies {
        v if v & lane != 0 => Class::Lane,
        v if v & seq != 0 => Class::Seq,
        0 if !folded => Class::Uniform,
        _ => Class::Unit,
    }
}

/// The function of the kernels crate that computes strips of `op`; the rest is made inline.
///
/// Division and roots are exact in any form, so the instructions give the bits of the strips.
pub fn strip_function(op: ScalarOp) -> Option<&'static str> {
    match (op, op.info().cpu) {
        (ScalarOp::Div | ScalarOp::Sqrt | ScalarOp::Rsqrt, _) | (_, Cpu::Inline) => None,
        (_, Cpu::Strip(name)) => Some(name),
    }
}

pub fn is_call(op: ScalarOp) -> bool {
    strip_function(op).is_some()
}

/// Whether `node` comes out of a strip call.
pub fn is_called(node: &Node) -> bool {
    match node {
        Node::Op { op, .. } => is_call(*op),
        Node::Random { .. } => true,
        Node::Acc
        | Node::Const { .. }
        | Node::Index { .. }
        | Node::Load(_)
        | Node::LoadAt { .. }
        | Node::Fold { .. } => false,
    }
}

fn dtype(node: &Node, so_far: &[DType], nest: &Nest) -> DType {
    let of = |id: &Id<Node>| so_far[id.index()];
    match node {
        Node::Acc | Node::Random { .. } => DType::F32,
        Node::Const { dtype, .. } => *dtype,
        Node::Index { .. } => DType::I32,
        Node::Load(access) | Node::LoadAt { access, .. } => nest.dtypes[access.buffer.index()],
        Node::Op { op, inputs } => {
            let operands: Vec<DType> = inputs.iter().map(of).collect();
            op.result(&operands).expect("loops: operands have the types that their function takes")
        }
        Node::Fold { input, .. } => of(input),
    }
}
