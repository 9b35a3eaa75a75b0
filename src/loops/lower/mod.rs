//! From a graph to loop nests.
//!
//! 1. [`prepare`] makes every pad affine; [`roots`] says which values are stored.
//! 2. [`kernels`] writes one kernel for each, pulling formulas through movement
//!    ([`emit`]); what cannot be said affinely becomes a stored value and the
//!    round starts again.
//! 3. New values of weights are set to be written in place.
//! 4. [`super::fuse`] joins kernels.
//! 5. [`finish`] orders them, gives weights their new values in place, merges
//!    dims and names what is left.
//!
//! Every graph can be lowered; all sizes are bound.

mod emit;
mod finish;
mod kernels;
mod order;
mod prepare;
mod roots;
mod space;

pub use finish::{label, prune, prune_operand, redirect};
pub use order::{Becomes, Links, overwrites_safely, sort};
pub use roots::work;

use super::affine::dense_strides;
use super::fuse;
use super::fusion::Fusion;
use super::ir::*;
use super::scan::ScanLayout;
use crate::base::Dim;
use crate::graph::{Graph, LeafId, LeafKind, OutputKind, Prim, Value};
use emit::Stored;
use kernels::Sources;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Index;
use std::sync::Arc;

/// The sizes of each value.
pub struct Shapes(Vec<Vec<usize>>);

impl Shapes {
    fn of(graph: &Graph) -> Shapes {
        let shape = |v| graph.ty(v).shape.as_const().expect("loops: sizes are bound before lowering");
        Shapes(graph.nodes.ids().map(shape).collect())
    }

    /// The number of elements.
    fn count(&self, v: Value) -> usize {
        self[v].iter().product()
    }
}

impl Index<Value> for Shapes {
    type Output = Vec<usize>;
    fn index(&self, v: Value) -> &Vec<usize> {
        &self.0[v.index()]
    }
}

/// A number that was a dim before sizes were bound.
fn known(dim: &Dim) -> i64 {
    dim.as_const().expect("loops: sizes are bound before lowering")
}

/// A program in the making: kernels in any order, weights not yet written in place.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub program: Program,
    pub becomes: Becomes,
}

/// The program of a graph whose sizes are all numbers, for a backend that takes such fusion.
pub fn lower(graph: &Graph, fusion: &Fusion) -> Program {
    finish::run(draft(graph, Some(fusion), false))
}

/// The same without joining kernels: one for each stored value.
pub fn lower_unfused(graph: &Graph) -> Program {
    finish::run(draft(graph, None, false))
}

/// Kernels joined as `fusion` says, if it does. With `apart`, no two results share a buffer.
fn draft(graph: &Graph, fusion: Option<&Fusion>, apart: bool) -> Draft {
    let graph = &prepare::run(graph);
    let shapes = &Shapes::of(graph);
    let bodies = bodies(graph, fusion);
    let (draft, links) = (Draft::default(), Links::default());
    let mut lowering = Lowering { graph, shapes, bodies: &bodies, apart, draft, links, leaves: Vec::new() };
    lowering.draft.program.name = graph.name.clone();
    lowering.add_leaves();
    let stored = lowering.store();
    lowering.hand_out(&stored);
    let mut draft = lowering.draft;
    if let Some(fusion) = fusion {
        fuse::run(&mut draft, fusion);
    }
    draft
}

/// The program of each scan's body.
fn bodies(graph: &Graph, fusion: Option<&Fusion>) -> BTreeMap<Value, Arc<Program>> {
    let scans = graph.nodes.iter().filter_map(|(v, node)| {
        let Prim::Scan { body, .. } = &node.prim else { return None };
        Some((v, Arc::new(finish::run(draft(&body.graph, fusion, true)))))
    });
    scans.collect()
}

struct Lowering<'a> {
    graph: &'a Graph,
    shapes: &'a Shapes,
    bodies: &'a BTreeMap<Value, Arc<Program>>,
    /// Whether each result has a buffer that no other has.
    apart: bool,
    draft: Draft,
    /// Of the draft's kernels, once they are all there.
    links: Links,
    /// The buffer of each leaf.
    leaves: Vec<BufferId>,
}

impl Lowering<'_> {
    fn add_leaves(&mut self) {
        for (_, leaf) in self.graph.leaves.iter() {
            let kind = match &leaf.kind {
                LeafKind::Batch => BufferKind::Batch,
                LeafKind::Param(init) => BufferKind::Param(init.clone()),
                LeafKind::State(init) => BufferKind::State(init.clone()),
                LeafKind::Scalar => BufferKind::Scalar,
            };
            let shape = leaf.ty.shape.as_const().expect("loops: sizes are bound before lowering");
            let buffer = Buffer { name: leaf.name.clone(), dtype: leaf.ty.dtype, shape, kind };
            self.leaves.push(self.draft.program.buffers.push(buffer));
        }
    }

    /// Writes a kernel for each stored value, until every formula can be said.
    fn store(&mut self) -> Stored {
        let mut roots = roots::choose(self.graph, self.shapes);
        loop {
            let mut buffers = self.draft.program.buffers.clone();
            let mut stored: Stored = BTreeMap::new();
            for (v, node) in self.graph.nodes.iter() {
                if let Prim::Leaf(leaf) = node.prim {
                    stored.insert(v, self.leaves[leaf.index()]);
                }
            }
            for &v in &roots {
                let (dtype, shape) = (self.graph.ty(v).dtype, self.shapes[v].clone());
                let name = Arc::from(format!("v{}", v.index()));
                stored.insert(v, buffers.push(Buffer { name, dtype, shape, kind: BufferKind::Temp }));
            }
            let mut scans = BTreeMap::new();
            for (&v, body) in self.bodies.iter().filter(|(v, _)| roots.contains(v)) {
                let Prim::Scan { body: scan, .. } = &self.graph.nodes[v].prim else {
                    unreachable!("loops: bodies are of scans")
                };
                let room = ScanLayout::of(body, scan.carries).buffer();
                scans.insert(v, (body.clone(), buffers.push(room)));
            }
            let sources = Sources { graph: self.graph, shapes: self.shapes, stored: &stored, scans: &scans };
            let mut missing = BTreeSet::new();
            let mut kernels = Vec::new();
            for &v in &roots {
                match sources.kernel(v, stored[&v]) {
                    Ok(kind) => kernels.push(Kernel::of(kind)),
                    Err(needed) => {
                        assert!(
                            !stored.contains_key(&needed),
                            "loops: {needed} is stored and still in the way"
                        );
                        missing.insert(needed);
                    }
                }
            }
            if missing.is_empty() {
                self.draft.program.buffers = buffers;
                self.links = Links::of(&kernels, &Becomes::new());
                self.draft.program.kernels = kernels;
                return stored;
            }
            roots.extend(missing);
        }
    }

    /// Gives results buffers of their own, and weights their new values.
    fn hand_out(&mut self, stored: &Stored) {
        for output in &self.graph.outputs {
            let buffer = stored[&output.value];
            match output.kind {
                OutputKind::Loss | OutputKind::Metric | OutputKind::Value => {
                    let out = self.result(buffer, &output.name);
                    self.draft.program.outputs.push((output.name.clone(), out));
                }
                OutputKind::Update(_) => {}
            }
        }
        let updates: Vec<(Value, LeafId)> = self
            .graph
            .outputs
            .iter()
            .filter_map(|o| match o.kind {
                OutputKind::Update(leaf) => Some((o.value, leaf)),
                OutputKind::Loss | OutputKind::Metric | OutputKind::Value => None,
            })
            .collect();
        for (value, leaf) in updates {
            self.update(stored[&value], self.leaves[leaf.index()]);
        }
    }

    /// Makes a temporary a result; what cannot be is copied.
    fn result(&mut self, buffer: BufferId, name: &Arc<str>) -> BufferId {
        match self.draft.program.buffers[buffer].kind {
            BufferKind::Output if self.apart => {
                let copy = self.copy(buffer);
                self.result(copy, name)
            }
            BufferKind::Output => buffer,
            BufferKind::Temp => {
                let found = &mut self.draft.program.buffers[buffer];
                found.kind = BufferKind::Output;
                found.name = name.clone();
                buffer
            }
            BufferKind::Batch | BufferKind::Param(_) | BufferKind::State(_) | BufferKind::Scalar => {
                let copy = self.copy(buffer);
                self.result(copy, name)
            }
        }
    }

    /// A temporary with what `from` held at the start.
    fn copy(&mut self, from: BufferId) -> BufferId {
        let source = self.draft.program.buffers[from].clone();
        let strides = dense_strides(&source.shape);
        let access =
            |buffer| Access { buffer, offset: 0, strides: strides.clone(), guards: Vec::new(), fill: 0.0 };
        let name = Arc::from(format!("copy of {}", source.name));
        let outer = source.shape.clone();
        let to = self.draft.program.buffers.push(Buffer { name, kind: BufferKind::Temp, ..source });
        let mut body = Body::default();
        let value = body.nodes.push(Node::Load(access(from)));
        body.stores.push(Store { value, access: access(to) });
        let kind = KernelKind::Rows(Rows { outer, row: Vec::new(), body });
        let kernel = Kernel::of(kind);
        self.links.insert(self.draft.program.kernels.len(), &kernel);
        self.draft.program.kernels.push(kernel);
        to
    }

    /// Has `leaf` hold `value` after the run: in place, or by a copy once all have read the old one.
    fn update(&mut self, value: BufferId, leaf: BufferId) {
        if value == leaf {
            return;
        }
        let is_temp = self.draft.program.buffers[value].kind == BufferKind::Temp;
        let mut temp =
            if is_temp && !self.draft.becomes.contains_key(&value) { value } else { self.copy(value) };
        if !self.in_place(temp, leaf) {
            // A copy is read by nobody, so it can wait for everybody.
            temp = self.copy(temp);
            assert!(self.in_place(temp, leaf), "loops: a last copy waits for all readers");
        }
    }

    /// Sets `temp` to be written over `leaf`, unless some reader of the old value would come too late.
    fn in_place(&mut self, temp: BufferId, leaf: BufferId) -> bool {
        let writer = self.links.writer(temp).expect("loops: a value has a writer");
        if !overwrites_safely(&self.draft.program.kernels[writer], temp, leaf) {
            return false;
        }
        let readers: BTreeSet<usize> = self.links.readers(leaf).filter(|&r| r != writer).collect();
        let too_late = self.links.reaches(writer, &readers);
        if !too_late {
            self.links.overwrite(temp, leaf);
            self.draft.becomes.insert(temp, leaf);
        }
        !too_late
    }
}
