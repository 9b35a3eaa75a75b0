//! The loop IR as plain data: one training step, or one batch of evaluation.
//!
//! A program is a table of buffers and a straight list of kernels. Every size
//! is a number. Movement (reshape, permute, broadcast, slice, pad, window) is
//! gone: it became access maps. A kernel says what is computed at each point
//! of its iteration space; how it runs is the schedule's.

use super::scan::Scan;
use crate::base::{Arena, Bindings, DType, Id, Precision};
use crate::graph::{Fold, Init, ScalarOp};
use std::sync::Arc;

pub type BufferId = Id<Buffer>;

#[derive(Clone, Debug, Default)]
pub struct Program {
    /// `digits.train`
    pub name: String,
    /// What the symbols were when the graph was lowered: `B = 32`.
    pub bindings: Bindings,
    pub buffers: Arena<Buffer>,
    /// In execution order.
    pub kernels: Vec<Kernel>,
    /// Named results, in the graph's order: the buffer that holds each after a run.
    pub outputs: Vec<(Arc<str>, BufferId)>,
}

impl PartialEq for Program {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.bindings == other.bindings
            && self.buffers.iter().eq(other.buffers.iter())
            && self.kernels == other.kernels
            && self.outputs == other.outputs
    }
}

/// Dense, row-major, aligned to 128 bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    pub name: Arc<str>,
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub kind: BufferKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum BufferKind {
    /// A batch column: the session points it at the batch before each run.
    Batch,
    /// A weight: kept between runs, updated in place.
    Param(Init),
    /// Moments and running statistics: the same.
    State(Init),
    /// One number set by the session before each run.
    Scalar,
    /// Lives from its first writer to its last reader; the memory plan places it.
    Temp,
    /// A result that is read after the run.
    Output,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// What it came from, for people: `fc1`, `CrossEntropy`, `adam fc1.weight`.
    pub label: String,
    /// Why its parts are together, one line each, from fusion.
    pub reasons: Vec<String>,
    /// Whether it ran before: it makes again what was let go, and runs no sooner than all that come before it.
    pub again: bool,
    pub kind: KernelKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum KernelKind {
    Rows(Rows),
    Contract(Contract),
    Scatter(Scatter),
    Scan(Scan),
}

/// Pointwise work and folds over rows: `map` if it has no fold.
///
/// The iteration space is `outer` x `row`. A point of `outer` is independent of
/// all others. A node of the body varies over the dims that its inputs vary
/// over; a [`Node::Fold`] folds all `row` dims away, so its value is one number
/// for each point of `outer`. Values that vary over `row` may use folded ones;
/// this orders the phases. A fold counts every point of `row`, also where its
/// input is the same at all of them.
///
/// A kernel may store what it loads (a weight, or a temporary's place that it
/// takes over), at each point the element that it loads there and no other. So
/// loads come before stores: at a point of `outer`, row stores come after all
/// folds, and what is stored once for the point comes last.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    pub outer: Vec<usize>,
    pub row: Vec<usize>,
    pub body: Body,
}

/// `acc[b.., m.., n..] = sum over k.. of lhs * rhs`, then `body` at every point
/// of `batch` x `m` x `n`, where [`Node::Acc`] is the sum.
///
/// Every sum is one chain of fused multiply-adds in row-major order of `k`, of operands in its precision.
///
/// A body that folds is that of [`Rows`] with `batch` x `m` outside and `n` as
/// the row: a [`Node::Fold`] folds all of `n` away, what varies over no `n` is
/// stored once for each (batch, m), and the same order of loads and stores
/// holds. [`Contract::folds`] tells. What the operands read is never stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Contract {
    pub batch: Vec<usize>,
    pub m: Vec<usize>,
    pub n: Vec<usize>,
    pub k: Vec<usize>,
    /// What becomes of the operands' numbers before they are multiplied.
    pub precision: Precision,
    /// Over `batch`, `m`, `k` in this order.
    pub lhs: Operand,
    /// Over `batch`, `n`, `k` in this order.
    pub rhs: Operand,
    /// Over `batch`, `m`, `n` in this order.
    pub body: Body,
}

/// What a product multiplies: an `f32` for each point, computed anew wherever it is read.
///
/// Loads may have guards and any dtype; a body of more than one load is the
/// product's prologue.
#[derive(Clone, Debug, PartialEq)]
pub struct Operand {
    /// Without folds, sums and stores.
    pub body: Body,
    pub value: NodeId,
}

/// `out = 0; for i in order { out[index[i], ..] += updates[i, ..] }`
///
/// All three buffers are dense: `index` has `count` numbers, `updates` is
/// `[count, width]`, `out` is `[rows, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter {
    pub index: BufferId,
    pub updates: BufferId,
    pub out: BufferId,
    pub count: usize,
    pub rows: usize,
    pub width: usize,
}

/// A node of a body.
pub type NodeId = Id<Node>;

/// Straight-line code at one point of an iteration space, inputs before users.
#[derive(Clone, Debug, Default)]
pub struct Body {
    pub nodes: Arena<Node>,
    pub stores: Vec<Store>,
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.stores == other.stores && self.nodes.iter().eq(other.nodes.iter())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// The sum of a contraction.
    Acc,
    Const {
        value: f64,
        dtype: DType,
    },
    /// The point's coordinate as `i32`: `offset + sum of strides * dims`.
    Index {
        offset: i64,
        strides: Vec<i64>,
    },
    /// Uniform in [0, 1) of seed, site, step and the element `offset + strides * dims`.
    Random {
        site: Arc<str>,
        offset: i64,
        strides: Vec<i64>,
    },
    Load(Access),
    /// A load at a row that an `i32` node names: the element at the access's offset plus
    /// `clamp(index, 0, rows - 1) * stride`.
    LoadAt {
        access: Access,
        index: NodeId,
        rows: usize,
        stride: i64,
    },
    Op {
        op: ScalarOp,
        inputs: Vec<NodeId>,
    },
    /// Folds `input` over all dims of the row. `Sum` starts at 0, `Max` at `-inf`.
    Fold {
        fold: Fold,
        input: NodeId,
    },
}

/// Where an element lies: an affine form of the dims, in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    pub buffer: BufferId,
    pub offset: i64,
    /// One for each dim of the iteration space, outermost first; 0 where it repeats.
    pub strides: Vec<i64>,
    /// Where one fails the load gives `fill` and touches nothing.
    pub guards: Vec<Guard>,
    pub fill: f64,
}

/// `0 <= offset + sum of strides * dims < size`
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    pub offset: i64,
    pub strides: Vec<i64>,
    pub size: i64,
}

/// Writes `value` at `access` (without guards), once for each point over which the value
/// varies: strides are 0 along the dims over which it does not.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    pub value: NodeId,
    pub access: Access,
}

impl Buffer {
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn bytes(&self) -> usize {
        self.len() * self.dtype.bytes()
    }
}

impl Operand {
    /// A load and nothing else.
    pub fn load(access: Access) -> Operand {
        let mut body = Body::default();
        let value = body.nodes.push(Node::Load(access));
        Operand { body, value }
    }

    /// The access of an operand that is a load without guards and nothing else.
    pub fn plain(&self) -> Option<&Access> {
        match &self.body.nodes[self.value] {
            Node::Load(access) if self.body.nodes.len() == 1 && access.guards.is_empty() => Some(access),
            Node::Load(_)
            | Node::Acc
            | Node::Const { .. }
            | Node::Index { .. }
            | Node::Random { .. }
            | Node::LoadAt { .. }
            | Node::Op { .. }
            | Node::Fold { .. } => None,
        }
    }
}

impl Contract {
    pub fn operands(&self) -> [&Operand; 2] {
        [&self.lhs, &self.rhs]
    }

    pub fn operands_mut(&mut self) -> [&mut Operand; 2] {
        [&mut self.lhs, &mut self.rhs]
    }

    /// Whether an operand reads this buffer.
    pub fn multiplies(&self, buffer: BufferId) -> bool {
        self.operands().iter().any(|operand| operand.body.loads().any(|access| access.buffer == buffer))
    }

    /// Whether the body has row phases: folds over `n`.
    pub fn folds(&self) -> bool {
        self.body.folds()
    }
}

impl Kernel {
    /// Without a label, and for no reason yet.
    pub fn of(kind: KernelKind) -> Kernel {
        Kernel { label: String::new(), reasons: Vec::new(), again: false, kind }
    }

    /// The buffers that it reads, sorted, once each.
    pub fn reads(&self) -> Vec<BufferId> {
        let mut buffers: Vec<BufferId> = match &self.kind {
            KernelKind::Rows(_) | KernelKind::Contract(_) => Vec::new(),
            KernelKind::Scatter(s) => vec![s.index, s.updates],
            KernelKind::Scan(s) => s.inputs.iter().map(|(buffer, _)| *buffer).collect(),
        };
        buffers.extend(self.bodies().into_iter().flat_map(Body::loads).map(|access| access.buffer));
        buffers.sort();
        buffers.dedup();
        buffers
    }

    /// The buffers that it writes, sorted, once each.
    pub fn writes(&self) -> Vec<BufferId> {
        let mut buffers: Vec<BufferId> = match &self.kind {
            KernelKind::Rows(Rows { body, .. }) | KernelKind::Contract(Contract { body, .. }) => {
                body.stores.iter().map(|s| s.access.buffer).collect()
            }
            KernelKind::Scatter(s) => vec![s.out],
            KernelKind::Scan(s) => vec![s.out, s.room],
        };
        buffers.sort();
        buffers.dedup();
        buffers
    }

    pub fn body(&self) -> Option<&Body> {
        match &self.kind {
            KernelKind::Rows(rows) => Some(&rows.body),
            KernelKind::Contract(contract) => Some(&contract.body),
            KernelKind::Scatter(_) | KernelKind::Scan(_) => None,
        }
    }

    pub fn body_mut(&mut self) -> Option<&mut Body> {
        match &mut self.kind {
            KernelKind::Rows(rows) => Some(&mut rows.body),
            KernelKind::Contract(contract) => Some(&mut contract.body),
            KernelKind::Scatter(_) | KernelKind::Scan(_) => None,
        }
    }

    /// Those of the operands, then the one that stores.
    pub fn bodies(&self) -> Vec<&Body> {
        match &self.kind {
            KernelKind::Rows(rows) => vec![&rows.body],
            KernelKind::Contract(c) => vec![&c.lhs.body, &c.rhs.body, &c.body],
            KernelKind::Scatter(_) | KernelKind::Scan(_) => Vec::new(),
        }
    }

    pub fn bodies_mut(&mut self) -> Vec<&mut Body> {
        self.kind.bodies_mut()
    }
}

impl KernelKind {
    /// Those of the operands, then the one that stores.
    pub fn bodies_mut(&mut self) -> Vec<&mut Body> {
        match self {
            KernelKind::Rows(rows) => vec![&mut rows.body],
            KernelKind::Contract(c) => vec![&mut c.lhs.body, &mut c.rhs.body, &mut c.body],
            KernelKind::Scatter(_) | KernelKind::Scan(_) => Vec::new(),
        }
    }
}

impl Body {
    pub fn folds(&self) -> bool {
        self.nodes.iter().any(|(_, node)| matches!(node, Node::Fold { .. }))
    }

    /// The accesses of all loads, in order.
    pub fn loads(&self) -> impl Iterator<Item = &Access> {
        self.nodes.iter().filter_map(|(_, node)| node.access())
    }
}

impl Node {
    /// What a load reads.
    pub fn access(&self) -> Option<&Access> {
        match self {
            Node::Load(access) | Node::LoadAt { access, .. } => Some(access),
            Node::Acc
            | Node::Const { .. }
            | Node::Index { .. }
            | Node::Random { .. }
            | Node::Op { .. }
            | Node::Fold { .. } => None,
        }
    }

    pub fn access_mut(&mut self) -> Option<&mut Access> {
        match self {
            Node::Load(access) | Node::LoadAt { access, .. } => Some(access),
            Node::Acc
            | Node::Const { .. }
            | Node::Index { .. }
            | Node::Random { .. }
            | Node::Op { .. }
            | Node::Fold { .. } => None,
        }
    }

    /// The nodes that it uses.
    pub fn inputs(&self) -> &[NodeId] {
        match self {
            Node::Op { inputs, .. } => inputs,
            Node::Fold { input, .. } | Node::LoadAt { index: input, .. } => std::slice::from_ref(input),
            Node::Acc | Node::Const { .. } | Node::Index { .. } | Node::Random { .. } | Node::Load(_) => &[],
        }
    }

    pub fn inputs_mut(&mut self) -> &mut [NodeId] {
        match self {
            Node::Op { inputs, .. } => inputs,
            Node::Fold { input, .. } | Node::LoadAt { index: input, .. } => std::slice::from_mut(input),
            Node::Acc | Node::Const { .. } | Node::Index { .. } | Node::Random { .. } | Node::Load(_) => {
                &mut []
            }
        }
    }
}

impl Body {
    /// The element type of each node, by its id.
    pub fn dtypes(&self, buffers: &Arena<Buffer>) -> Vec<DType> {
        let mut dtypes: Vec<DType> = Vec::with_capacity(self.nodes.len());
        for (_, node) in self.nodes.iter() {
            let dtype = match node {
                Node::Acc | Node::Random { .. } => DType::F32,
                Node::Const { dtype, .. } => *dtype,
                Node::Index { .. } => DType::I32,
                Node::Load(access) | Node::LoadAt { access, .. } => buffers[access.buffer].dtype,
                Node::Op { op, inputs } => {
                    let operands: Vec<DType> = inputs.iter().map(|i| dtypes[i.index()]).collect();
                    op.result(&operands).unwrap_or_else(|why| panic!("loops: bodies are well typed: {why}"))
                }
                Node::Fold { input, .. } => dtypes[input.index()],
            };
            dtypes.push(dtype);
        }
        dtypes
    }
}
