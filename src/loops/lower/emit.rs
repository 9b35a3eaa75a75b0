//! Writes the body of a kernel: pulls a value's formula down to what is stored.
//!
//! Each value is asked for at coordinates that are affine in the kernel's
//! dims. Movement changes the coordinates and leaves no node behind. Where the
//! coordinates would stop being affine, the answer is an [`Obstacle`]: split a
//! dim, or store a value first.

use super::super::affine::{Affine, Uncut, flatten, unflatten};
use super::super::ir::{Access, Body, BufferId, Guard, Node, NodeId};
use super::Shapes;
use crate::base::DType;
use crate::graph::{Graph, Prim, ScalarOp, Value};
use std::collections::BTreeMap;

/// Where each value lies that is in memory: leaves and what kernels store.
pub type Stored = BTreeMap<Value, BufferId>;

/// What keeps a formula from being written as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// This value must be in memory first.
    Store(Value),
    /// This dim of the space must become two.
    Split { dim: usize, inner: usize },
}

/// `0 <= form < size`, or the value is padding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Inside {
    form: Affine,
    size: i64,
}

/// A value at coordinates, read only where all guards hold.
type Place = (Value, Vec<Affine>, Vec<Inside>);

pub struct Emitter<'a> {
    graph: &'a Graph,
    shapes: &'a Shapes,
    stored: &'a Stored,
    sizes: &'a [usize],
    pub body: Body,
    memo: BTreeMap<Place, NodeId>,
}

type Emitted<T = NodeId> = Result<T, Obstacle>;

impl<'a> Emitter<'a> {
    pub fn new(graph: &'a Graph, shapes: &'a Shapes, stored: &'a Stored, sizes: &'a [usize]) -> Self {
        Emitter { graph, shapes, stored, sizes, body: Body::default(), memo: BTreeMap::new() }
    }

    /// The value at these coordinates: a load if it is stored, its formula otherwise.
    pub fn value(&mut self, v: Value, at: &[Affine]) -> Emitted {
        self.guarded(v, at, &[])
    }

    /// The formula of a value that this kernel is to store.
    pub fn formula(&mut self, v: Value, at: &[Affine]) -> Emitted {
        self.compute(v, at, &[])
    }

    /// Appends a node unless an equal one is there.
    pub fn node(&mut self, node: Node) -> NodeId {
        let known = self.body.nodes.iter().find(|(_, n)| **n == node).map(|(id, _)| id);
        known.unwrap_or_else(|| self.body.nodes.push(node))
    }

    fn rank(&self) -> usize {
        self.sizes.len()
    }

    fn guarded(&mut self, v: Value, at: &[Affine], guards: &[Inside]) -> Emitted {
        if let Some(&buffer) = self.stored.get(&v) {
            return Ok(self.load(buffer, flatten(at, &self.shapes[v], self.rank()), guards));
        }
        let place = (v, at.to_vec(), guards.to_vec());
        if let Some(&id) = self.memo.get(&place) {
            return Ok(id);
        }
        let id = self.compute(v, at, guards)?;
        self.memo.insert(place, id);
        Ok(id)
    }

    fn compute(&mut self, v: Value, at: &[Affine], guards: &[Inside]) -> Emitted {
        let shape = &self.shapes[v];
        let dtype = self.graph.ty(v).dtype;
        match &self.graph.nodes[v].prim {
            Prim::Leaf(_) => {
                let buffer = self.stored[&v];
                Ok(self.load(buffer, flatten(at, shape, self.rank()), guards))
            }
            Prim::Const(value) => Ok(self.node(Node::Const { value: *value, dtype })),
            Prim::Size(dim) => {
                let size = dim.as_const().expect("loops: sizes are bound before lowering");
                Ok(self.node(Node::Const { value: size as f64, dtype }))
            }
            Prim::Iota { axis } => Ok(self.index(&at[*axis])),
            Prim::Map { op, inputs } => self.map(*op, inputs, at, guards, dtype),
            Prim::Reduce { .. } | Prim::Contract { .. } | Prim::Scatter { .. } | Prim::Scan { .. } => {
                Err(Obstacle::Store(v))
            }
            Prim::Reshape { input } => self.reshape(*input, &flatten(at, shape, self.rank()), guards),
            Prim::Permute { input, perm } => {
                let mut inner = at.to_vec();
                for (form, &axis) in at.iter().zip(perm) {
                    inner[axis] = form.clone();
                }
                self.guarded(*input, &inner, guards)
            }
            Prim::Broadcast { input, axes } => {
                let inner: Vec<Affine> = axes.iter().map(|&axis| at[axis].clone()).collect();
                self.guarded(*input, &inner, guards)
            }
            Prim::Slice { input, start, step } => {
                let inner: Vec<Affine> = at
                    .iter()
                    .zip(start)
                    .zip(step)
                    .map(|((form, start), &step)| form.scale(step).shift(super::known(start)))
                    .collect();
                self.guarded(*input, &inner, guards)
            }
            Prim::Pad { .. } => self.pad(v, at, guards),
            Prim::Window { input, axis, stride, dilation, .. } => {
                let mut inner = at.to_vec();
                let within = inner.remove(axis + 1).scale(*dilation as i64);
                inner[*axis] = inner[*axis].scale(*stride as i64).plus(&within);
                self.guarded(*input, &inner, guards)
            }
            Prim::Gather { inputs: [table, index] } => self.gather(*table, *index, at, guards),
            Prim::Random { site } => {
                let element = flatten(at, shape, self.rank());
                Ok(self.node(Node::Random {
                    site: site.clone(),
                    offset: element.offset,
                    strides: element.strides,
                }))
            }
        }
    }

    fn map(
        &mut self,
        op: ScalarOp,
        inputs: &[Value],
        at: &[Affine],
        guards: &[Inside],
        dtype: DType,
    ) -> Emitted {
        let mut operands = Vec::with_capacity(inputs.len());
        for &input in inputs {
            let scalar = self.shapes[input].is_empty();
            operands.push(self.guarded(input, if scalar { &[] } else { at }, guards)?);
        }
        let numbers: Option<Vec<f64>> = operands.iter().map(|&id| self.constant(id)).collect();
        Ok(match (op, numbers) {
            (ScalarOp::Stop, _) => operands[0],
            // Numbers of whole type wrap, so they are left to the machine.
            (_, Some(numbers)) if dtype == DType::F32 => {
                self.node(Node::Const { value: op.eval(&numbers), dtype })
            }
            (_, Some(_)) => self.node(Node::Op { op, inputs: operands }),
            (_, None) => self.node(Node::Op { op, inputs: operands }),
        })
    }

    fn constant(&self, id: NodeId) -> Option<f64> {
        match &self.body.nodes[id] {
            Node::Const { value, .. } => Some(*value),
            Node::Acc
            | Node::Index { .. }
            | Node::Random { .. }
            | Node::Load(_)
            | Node::LoadAt { .. }
            | Node::Op { .. }
            | Node::Fold { .. } => None,
        }
    }

    fn index(&mut self, form: &Affine) -> NodeId {
        self.node(Node::Index { offset: form.offset, strides: form.strides.clone() })
    }

    fn access(&self, buffer: BufferId, element: Affine, guards: &[Inside]) -> Access {
        let guards = guards
            .iter()
            .map(|g| Guard { offset: g.form.offset, strides: g.form.strides.clone(), size: g.size })
            .collect();
        Access { buffer, offset: element.offset, strides: element.strides, guards, fill: 0.0 }
    }

    fn load(&mut self, buffer: BufferId, element: Affine, guards: &[Inside]) -> NodeId {
        let access = self.access(buffer, element, guards);
        self.node(Node::Load(access))
    }

    /// `input` at a row-major element index. What is stored is dense, so any shape of it is a view.
    fn reshape(&mut self, mut input: Value, element: &Affine, guards: &[Inside]) -> Emitted {
        while let (Prim::Reshape { input: inner }, None) =
            (&self.graph.nodes[input].prim, self.stored.get(&input))
        {
            input = *inner;
        }
        if let Some(&buffer) = self.stored.get(&input) {
            return Ok(self.load(buffer, element.clone(), guards));
        }
        let at =
            unflatten(element, &self.shapes[input], self.sizes).map_err(|uncut| uncut.or_store(input))?;
        self.guarded(input, &at, guards)
    }

    fn pad(&mut self, v: Value, at: &[Affine], guards: &[Inside]) -> Emitted {
        let Prim::Pad { input, lo, inner, value, .. } = &self.graph.nodes[v].prim else {
            unreachable!("loops: called for a pad")
        };
        let mut all = guards.to_vec();
        let mut coords = Vec::with_capacity(at.len());
        for (axis, form) in at.iter().enumerate() {
            let mut form = form.shift(-super::known(&lo[axis]));
            if inner[axis] > 0 {
                let (quotient, rest) =
                    form.cut(inner[axis] + 1, self.sizes).map_err(|uncut| uncut.or_store(v))?;
                all.push(Inside { form: rest, size: 1 });
                form = quotient;
            }
            all.push(Inside { form: form.clone(), size: self.shapes[*input][axis] as i64 });
            coords.push(form);
        }
        let mut own = all.split_off(guards.len());
        own.retain(|g| {
            let (least, greatest) = g.form.range(self.sizes);
            least < 0 || greatest >= g.size
        });
        all.extend(own.iter().cloned());
        let inside = self.guarded(*input, &coords, &all)?;
        if own.is_empty() { Ok(inside) } else { Ok(self.outside(inside, &own, all.len(), *value, v)) }
    }

    /// `inside` where the guards hold, `fill` elsewhere: on the load itself if it is one.
    fn outside(&mut self, inside: NodeId, own: &[Inside], all: usize, fill: f64, pad: Value) -> NodeId {
        if let Node::Load(access) = &self.body.nodes[inside] {
            let mut access = access.clone();
            if access.guards.len() == all {
                access.fill = fill;
                return self.node(Node::Load(access));
            }
            if access.fill == fill {
                return inside;
            }
        }
        let dtype = self.graph.ty(pad).dtype;
        let holds = self.holds(own);
        let fill = self.node(Node::Const { value: fill, dtype });
        self.node(Node::Op { op: ScalarOp::Select, inputs: vec![holds, inside, fill] })
    }

    /// 1 where all guards hold, 0 elsewhere.
    fn holds(&mut self, guards: &[Inside]) -> NodeId {
        let mut tests = Vec::new();
        for g in guards {
            let (least, greatest) = g.form.range(self.sizes);
            let index = self.index(&g.form);
            if least < 0 {
                tests.push((ScalarOp::Ge, index, 0));
            }
            if greatest >= g.size {
                tests.push((ScalarOp::Lt, index, g.size));
            }
        }
        let mut all = None;
        for (op, index, bound) in tests {
            let bound = self.node(Node::Const { value: bound as f64, dtype: DType::I32 });
            let test = self.node(Node::Op { op, inputs: vec![index, bound] });
            all = Some(match all {
                None => test,
                Some(before) => self.node(Node::Op { op: ScalarOp::Mul, inputs: vec![before, test] }),
            });
        }
        all.expect("loops: guards that always hold were dropped")
    }

    /// A load of `table` whose first coordinate is a number found at run time.
    fn gather(&mut self, table: Value, index: Value, at: &[Affine], guards: &[Inside]) -> Emitted {
        let (picks, rest) = at.split_at(self.shapes[index].len());
        let index = self.guarded(index, picks, guards)?;
        let rows = self.shapes[table][0];
        // The row is one more dim of the space: what the table's view makes of it is the stride.
        let mut sizes = self.sizes.to_vec();
        sizes.push(rows);
        let row = sizes.len() - 1;
        let widen = |form: &Affine| {
            let mut wide = form.clone();
            wide.strides.push(0);
            wide
        };
        let coords: Vec<Affine> =
            std::iter::once(Affine::dim(row, sizes.len())).chain(rest.iter().map(widen)).collect();
        let access = resolve(self.graph, self.shapes, self.stored, &sizes, table, &coords);
        let mut access = access.map_err(|obstacle| match obstacle {
            Obstacle::Split { dim, .. } if dim == row => Obstacle::Store(table),
            Obstacle::Split { .. } | Obstacle::Store(_) => obstacle,
        })?;
        let stride = access.strides.pop().expect("loops: the row is the last dim");
        access.guards = self.access(access.buffer, Affine::constant(0, 0), guards).guards;
        Ok(self.node(Node::LoadAt { access, index, rows, stride }))
    }
}

/// The plain, unguarded load that `v` at these coordinates is, or what to store to make it one.
pub fn resolve(
    graph: &Graph,
    shapes: &Shapes,
    stored: &Stored,
    sizes: &[usize],
    v: Value,
    at: &[Affine],
) -> Emitted<Access> {
    let mut emitter = Emitter::new(graph, shapes, stored, sizes);
    let id = emitter.value(v, at)?;
    match &emitter.body.nodes[id] {
        Node::Load(access) if access.guards.is_empty() => Ok(access.clone()),
        Node::Acc
        | Node::Const { .. }
        | Node::Index { .. }
        | Node::Random { .. }
        | Node::Load(_)
        | Node::LoadAt { .. }
        | Node::Op { .. }
        | Node::Fold { .. } => Err(Obstacle::Store(behind_movement(graph, v))),
    }
}

/// The value that `v` is a view of; a pad is not a view.
fn behind_movement(graph: &Graph, mut v: Value) -> Value {
    loop {
        match &graph.nodes[v].prim {
            Prim::Reshape { input }
            | Prim::Permute { input, .. }
            | Prim::Broadcast { input, .. }
            | Prim::Slice { input, .. }
            | Prim::Window { input, .. } => v = *input,
            Prim::Leaf(_)
            | Prim::Const(_)
            | Prim::Size(_)
            | Prim::Iota { .. }
            | Prim::Map { .. }
            | Prim::Reduce { .. }
            | Prim::Contract { .. }
            | Prim::Pad { .. }
            | Prim::Gather { .. }
            | Prim::Scatter { .. }
            | Prim::Random { .. }
            | Prim::Scan { .. } => return v,
        }
    }
}

impl Uncut {
    fn or_store(self, v: Value) -> Obstacle {
        match self {
            Uncut::Split { dim, inner } => Obstacle::Split { dim, inner },
            Uncut::Never => Obstacle::Store(v),
        }
    }
}
