//! One kernel for one stored value.

use super::super::affine::{Affine, flatten};
use super::super::dims::Role;
use super::super::ir::Program;
use super::super::ir::{Access, BufferId, Contract, KernelKind, Node, NodeId, Operand, Rows, Scatter, Store};
use super::super::scan::Scan;
use super::emit::{Emitter, Obstacle, Stored, resolve};
use super::space::Space;
use super::{Shapes, known};
use crate::graph::{Einsum, Graph, Prim, ScanBody, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a kernel is written from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub graph: &'a Graph,
    pub shapes: &'a Shapes,
    pub stored: &'a Stored,
    /// The body of each scan, and the buffer that is its room.
    pub scans: &'a BTreeMap<Value, (Arc<Program>, BufferId)>,
}

type Written<T = KernelKind> = Result<T, Obstacle>;

impl Sources<'_> {
    /// The kernel that computes `v` and writes it to `out`, dims split where that helps; or a value
    /// that must be stored first.
    pub fn kernel(self, v: Value, out: BufferId) -> Result<KernelKind, Value> {
        let mut space = self.space(v);
        loop {
            let written = match &self.graph.nodes[v].prim {
                Prim::Contract { spec, inputs } => self.contract(v, spec, *inputs, &space, out),
                Prim::Scatter { inputs: [index, updates] } => self.scatter(v, *index, *updates, out),
                Prim::Scan { body, inputs } => self.scan(v, body, inputs, out),
                Prim::Reduce { .. } => self.fold(v, &space, out),
                Prim::Leaf(_)
                | Prim::Const(_)
                | Prim::Size(_)
                | Prim::Iota { .. }
                | Prim::Map { .. }
                | Prim::Reshape { .. }
                | Prim::Permute { .. }
                | Prim::Broadcast { .. }
                | Prim::Slice { .. }
                | Prim::Pad { .. }
                | Prim::Window { .. }
                | Prim::Gather { .. }
                | Prim::Random { .. } => self.pointwise(v, &space, out),
            };
            match written {
                Ok(kind) => return Ok(kind),
                Err(Obstacle::Split { dim, inner }) => space.split(dim, inner),
                Err(Obstacle::Store(needed)) => return Err(needed),
            }
        }
    }

    /// One dim for each axis of the value, then the axes folded away or summed.
    fn space(self, v: Value) -> Space {
        match &self.graph.nodes[v].prim {
            Prim::Contract { spec, inputs } => {
                let roles = [Role::Batch, Role::M, Role::N, Role::K];
                let dims = roles.iter().flat_map(|&role| {
                    self.labels(spec, *inputs, role)
                        .into_iter()
                        .map(move |label| (self.label_size(spec, *inputs, label), role))
                });
                Space::new(&dims.collect::<Vec<_>>())
            }
            Prim::Reduce { axes, input, .. } => {
                let shape = &self.shapes[*input];
                let kept =
                    (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|a| (shape[a], Role::Outer));
                let folded = axes.iter().map(|&axis| (shape[axis], Role::Row));
                Space::new(&kept.chain(folded).collect::<Vec<_>>())
            }
            Prim::Leaf(_)
            | Prim::Const(_)
            | Prim::Size(_)
            | Prim::Iota { .. }
            | Prim::Map { .. }
            | Prim::Reshape { .. }
            | Prim::Permute { .. }
            | Prim::Broadcast { .. }
            | Prim::Slice { .. }
            | Prim::Pad { .. }
            | Prim::Window { .. }
            | Prim::Gather { .. }
            | Prim::Scatter { .. }
            | Prim::Random { .. }
            | Prim::Scan { .. } => {
                Space::new(&self.shapes[v].iter().map(|&n| (n, Role::Outer)).collect::<Vec<_>>())
            }
        }
    }

    fn label_size(self, spec: &Einsum, [lhs, rhs]: [Value; 2], label: u8) -> usize {
        let find = |labels: &[u8], v: Value| {
            labels.iter().position(|&l| l == label).map(|axis| self.shapes[v][axis])
        };
        find(&spec.lhs, lhs).or_else(|| find(&spec.rhs, rhs)).expect("graph: a label is an operand's axis")
    }

    /// The labels of a role in the order of the result; those of `k` in the order of the larger operand, which is read
    /// in the order in which it lies, or of the left one if they are equal.
    fn labels(self, spec: &Einsum, inputs: [Value; 2], role: Role) -> Vec<u8> {
        let (m, n) = if swaps(spec) { (&spec.rhs, &spec.lhs) } else { (&spec.lhs, &spec.rhs) };
        let of = |in_m: bool, in_n: bool| -> Vec<u8> {
            spec.out.iter().copied().filter(|l| m.contains(l) == in_m && n.contains(l) == in_n).collect()
        };
        let count = |v: Value| self.shapes[v].iter().product::<usize>();
        match role {
            Role::Batch => of(true, true),
            Role::M => of(true, false),
            Role::N => of(false, true),
            Role::K => {
                let larger = if count(inputs[1]) > count(inputs[0]) { &spec.rhs } else { &spec.lhs };
                larger.iter().copied().filter(|l| !spec.out.contains(l)).collect()
            }
            Role::Outer | Role::Row => unreachable!("loops: a product has no rows"),
        }
    }

    fn emitter<'s>(&'s self, space: &'s Space) -> Emitter<'s> {
        Emitter::new(self.graph, self.shapes, self.stored, &space.sizes)
    }

    fn pointwise(self, v: Value, space: &Space, out: BufferId) -> Written {
        let mut emitter = self.emitter(space);
        let value = emitter.formula(v, &space.axes)?;
        let mut body = emitter.body;
        body.stores.push(store(value, out, flatten(&space.axes, &self.shapes[v], space.sizes.len())));
        Ok(KernelKind::Rows(Rows { outer: space.sizes.clone(), row: Vec::new(), body }))
    }

    fn fold(self, v: Value, space: &Space, out: BufferId) -> Written {
        let Prim::Reduce { fold, axes, input } = &self.graph.nodes[v].prim else {
            unreachable!("loops: called for a reduction")
        };
        let kept = self.shapes[v].len();
        // The space lists the kept axes first; the input wants its own order.
        let (mut kept_axes, mut folded_axes) = (space.axes[..kept].iter(), space.axes[kept..].iter());
        let at: Vec<Affine> = (0..self.shapes[*input].len())
            .map(|axis| {
                let forms = if axes.contains(&axis) { &mut folded_axes } else { &mut kept_axes };
                forms.next().expect("loops: one coordinate for each axis").clone()
            })
            .collect();
        let mut emitter = self.emitter(space);
        let folded = emitter.value(*input, &at)?;
        // Folding one element is no fold, and so the kernel is a map that may go anywhere.
        let single = space.sizes_of(Role::Row).iter().all(|&n| n == 1);
        let value = if single { folded } else { emitter.node(Node::Fold { fold: *fold, input: folded }) };
        let mut body = emitter.body;
        body.stores.push(store(value, out, flatten(&space.axes[..kept], &self.shapes[v], space.sizes.len())));
        let (outer, row) = (space.sizes_of(Role::Outer), space.sizes_of(Role::Row));
        Ok(KernelKind::Rows(Rows { outer, row, body }))
    }

    fn contract(
        self,
        v: Value,
        spec: &Einsum,
        [lhs, rhs]: [Value; 2],
        space: &Space,
        out: BufferId,
    ) -> Written {
        let order: Vec<u8> = [Role::Batch, Role::M, Role::N, Role::K]
            .iter()
            .flat_map(|&role| self.labels(spec, [lhs, rhs], role))
            .collect();
        let at = |labels: &[u8]| -> Vec<Affine> {
            let position = |l| order.iter().position(|o| o == l).expect("graph: labels have a role");
            labels.iter().map(|l| space.axes[position(l)].clone()).collect()
        };
        let operand = |v: Value, labels: &[u8]| {
            resolve(self.graph, self.shapes, self.stored, &space.sizes, v, &at(labels))
        };
        let (mut first, mut second) = (operand(lhs, &spec.lhs)?, operand(rhs, &spec.rhs)?);
        if swaps(spec) {
            std::mem::swap(&mut first, &mut second);
        }
        let over = |access: Access, free: Role| Access {
            strides: space.strides_of(&access.strides, &[Role::Batch, free, Role::K]),
            ..access
        };
        let element = flatten(&at(&spec.out), &self.shapes[v], space.sizes.len());
        let strides = space.strides_of(&element.strides, &[Role::Batch, Role::M, Role::N]);
        let mut body = super::super::ir::Body::default();
        let acc = body.nodes.push(Node::Acc);
        body.stores.push(store(acc, out, Affine { offset: element.offset, strides }));
        Ok(KernelKind::Contract(Contract {
            batch: space.sizes_of(Role::Batch),
            m: space.sizes_of(Role::M),
            n: space.sizes_of(Role::N),
            k: space.sizes_of(Role::K),
            precision: spec.precision,
            lhs: Operand::load(over(first, Role::M)),
            rhs: Operand::load(over(second, Role::N)),
            body,
        }))
    }

    fn scatter(self, v: Value, index: Value, updates: Value, out: BufferId) -> Written {
        let shape = &self.shapes[v];
        let (rows, width) = (shape[0], shape[1..].iter().product());
        let count = self.shapes[index].iter().product();
        let (index, updates) = (self.dense(index)?, self.dense(updates)?);
        Ok(KernelKind::Scatter(Scatter { index, updates, out, count, rows, width }))
    }

    fn scan(self, v: Value, body: &ScanBody, inputs: &[Value], out: BufferId) -> Written {
        let (program, room) = &self.scans[&v];
        Ok(KernelKind::Scan(Scan {
            body: program.clone(),
            length: usize::try_from(known(&body.length)).expect("graph: a scan has at least one step"),
            reverse: body.reverse,
            carries: body.carries,
            slices: body.slices,
            inputs: inputs.iter().map(|&input| self.run_of(input)).collect::<Written<_>>()?,
            out,
            room: *room,
        }))
    }

    /// Where all elements of `v` lie side by side, in order: a buffer, and an element of it.
    fn run_of(self, v: Value) -> Written<(BufferId, usize)> {
        match (&self.graph.nodes[v].prim, self.stored.get(&v)) {
            (_, Some(&buffer)) => Ok((buffer, 0)),
            (Prim::Reshape { input }, None) => self.run_of(*input),
            (Prim::Slice { input, start, step }, None) if start.len() == 1 && step[0] == 1 => {
                let (buffer, at) = self.run_of(*input)?;
                Ok((buffer, at + usize::try_from(known(&start[0])).expect("graph: slices start inside")))
            }
            (_, None) => Err(Obstacle::Store(v)),
        }
    }

    /// The buffer that holds exactly the elements of `v`, in order.
    fn dense(self, v: Value) -> Written<BufferId> {
        match (&self.graph.nodes[v].prim, self.stored.get(&v)) {
            (_, Some(&buffer)) => Ok(buffer),
            (Prim::Reshape { input }, None) => self.dense(*input),
            (_, None) => Err(Obstacle::Store(v)),
        }
    }
}

fn store(value: NodeId, buffer: BufferId, element: Affine) -> Store {
    let access =
        Access { buffer, offset: element.offset, strides: element.strides, guards: Vec::new(), fill: 0.0 };
    Store { value, access }
}

/// Whether the operands change places, so that `n` is what lies side by side in the result.
fn swaps(spec: &Einsum) -> bool {
    spec.out.last().is_some_and(|last| !spec.rhs.contains(last))
        && spec.out.iter().any(|label| !spec.lhs.contains(label))
}
