//! Computes maps again where they are read, so that they are never stored.
//!
//! A map goes to all of its readers or to none: to products as a prologue of
//! an operand, to rows as a part of their body. It goes if that is cheaper by
//! the bytes and operations below, which count how often each element is
//! read: once for each tile of a product's other side, once for each point of
//! a broadcast.
//!
//! Two kinds of maps are asked: what products read (bytes scaled to `f32`,
//! padding, a weight's transform), and random numbers with what is made of
//! them (the mask of a dropout). A map of a temporary that has as many
//! elements stays: it runs in its maker's epilogue without reading anything.
//!
//! A reader that computes from a weight must come before the weight's update,
//! as the map did; where it cannot, the map stays.

use super::super::affine::{Affine, Uncut, unflatten};
use super::super::dims::{self, Role};
use super::super::ir::*;
use super::super::lower::{Draft, Links, overwrites_safely, prune, prune_operand, work};
use super::super::print::bytes;
use super::name;
use crate::base::Arena;
use std::collections::{BTreeMap, BTreeSet};

/// Cheap operations that a device does in the time in which it moves one byte: 4 to 40 on GPUs.
const OPS_PER_BYTE: usize = 16;
/// What one draw takes: ten rounds of Philox.
const DRAW: usize = 100;
/// What a guard takes, beside its load.
const GUARD: usize = 2;
/// Rows or columns that share what is loaded of an operand: between the 4 of a tile in registers
/// and the 64 of one in workgroup memory.
const TILE: usize = 16;
/// The most nodes that are computed again.
const LONG: usize = 64;

/// Takes maps to their readers; kernels keep their order.
pub fn run(draft: &mut Draft) {
    let kernels = std::mem::take(&mut draft.program.kernels);
    let links = Links::of(&kernels, &draft.becomes);
    let kernels = kernels.into_iter().map(Some).collect();
    let mut inliner = Inliner { draft, kernels, links };
    for maker in 0..inliner.kernels.len() {
        inliner.try_map(maker);
    }
    let kernels = inliner.kernels.into_iter().flatten().collect();
    draft.program.kernels = kernels;
}

struct Inliner<'a> {
    draft: &'a mut Draft,
    /// None for a map that is computed where it is read.
    kernels: Vec<Option<Kernel>>,
    links: Links,
}

/// What the nodes of one body are called in another.
type Renamed = BTreeMap<NodeId, NodeId>;

/// What a map stores, as a function of the element.
struct Formula<'a> {
    buffer: BufferId,
    body: &'a Body,
    value: NodeId,
    /// The dims of the map in the order of the buffer, the dim and its size.
    dims: Vec<(usize, usize)>,
}

impl Inliner<'_> {
    /// Takes the map that a kernel is to all of its readers, if it is one and that pays.
    fn try_map(&mut self, maker: usize) -> Option<()> {
        let kernel = self.kernels[maker].as_ref().expect("loops: each map is asked once");
        let formula = Formula::of(kernel)?;
        let readers: BTreeSet<usize> = self.links.readers(formula.buffer).collect();
        if !self.may_go(&formula, &readers) || !self.pays(&formula, &readers) {
            return None;
        }
        let taken = readers.iter().map(|&reader| Some((reader, self.take(&formula, reader)?)));
        let taken: Vec<(usize, Kernel)> = taken.collect::<Option<_>>()?;
        self.links.remove(maker);
        self.kernels[maker] = None;
        for (reader, kernel) in taken {
            self.links.remove(reader);
            self.links.insert(reader, &kernel);
            self.kernels[reader] = Some(kernel);
        }
        Some(())
    }

    fn kernel(&self, i: usize) -> &Kernel {
        self.kernels[i].as_ref().expect("loops: a reader stands")
    }

    /// Whether it is right to compute the formula at its readers, and of the kind that may pay.
    fn may_go(&self, formula: &Formula, readers: &BTreeSet<usize>) -> bool {
        let Draft { program: Program { buffers, .. }, becomes } = &*self.draft;
        let own = &buffers[formula.buffer];
        let is_operand = |&reader: &usize| match &self.kernel(reader).kind {
            KernelKind::Contract(c) => c.multiplies(formula.buffer),
            KernelKind::Rows(_) | KernelKind::Scatter(_) | KernelKind::Scan(_) => false,
        };
        let is_epilogue = |access: &Access| {
            let buffer = &buffers[access.buffer];
            let made = matches!(buffer.kind, BufferKind::Temp | BufferKind::Output);
            made && access.guards.is_empty() && buffer.len() >= own.len()
        };
        let too_late = |leaf: BufferId| {
            let new_values = becomes.iter().filter(|&(_, &over)| over == leaf);
            let mut writers = new_values.filter_map(|(&temp, _)| self.links.writer(temp));
            writers.any(|writer| self.links.reaches(writer, readers))
        };
        own.kind == BufferKind::Temp
            && !own.is_empty()
            && !becomes.contains_key(&formula.buffer)
            && !readers.is_empty()
            && (formula.draws() || readers.iter().any(is_operand))
            && !formula.body.loads().any(is_epilogue)
            && !formula.body.loads().any(|access| too_late(access.buffer))
    }

    /// Whether computing again takes less time than storing once and loading.
    fn pays(&self, formula: &Formula, readers: &BTreeSet<usize>) -> bool {
        let buffers = &self.draft.program.buffers;
        let buffer = &buffers[formula.buffer];
        let reads: usize =
            readers.iter().map(|&r| reads(&self.kernel(r).kind, formula.buffer, buffer.len())).sum();
        let (ops, read) = formula.cost(buffers);
        let once = ops + read * OPS_PER_BYTE;
        let moved = (1 + reads) * buffer.dtype.bytes() * OPS_PER_BYTE;
        reads * once <= moved + once
    }

    /// The reader with the formula in it; none if it cannot be said there.
    fn take(&self, formula: &Formula, reader: usize) -> Option<Kernel> {
        let mut kernel = self.kernel(reader).clone();
        let joins = match &kernel.kind {
            KernelKind::Contract(c) if c.multiplies(formula.buffer) => "joins product as a prologue".into(),
            KernelKind::Contract(_) | KernelKind::Rows(_) => {
                format!("is computed again in {}", name(&kernel))
            }
            KernelKind::Scatter(_) | KernelKind::Scan(_) => return None,
        };
        while let Err(uncut) = replace(&mut kernel.kind, formula) {
            match uncut {
                Uncut::Split { dim, inner } => dims::split(&mut kernel.kind, dim, inner),
                Uncut::Never => return None,
            }
        }
        let becomes = &self.draft.becomes;
        let overwrites =
            |temp: &BufferId| becomes.get(temp).is_none_or(|&leaf| overwrites_safely(&kernel, *temp, leaf));
        if !kernel.writes().iter().all(overwrites) {
            return None;
        }
        let what = if formula.draws() { "draw" } else { "map" };
        let size = bytes(self.draft.program.buffers[formula.buffer].bytes());
        kernel.reasons.push(format!("{what} {joins}: {size} never stored"));
        Some(kernel)
    }
}

/// How often a kernel reads each element of a buffer of `len` elements.
fn reads(kind: &KernelKind, buffer: BufferId, len: usize) -> usize {
    let all = dims::of(kind);
    let size =
        |roles: &[Role]| -> usize { all.iter().filter(|d| roles.contains(&d.1)).map(|d| d.0).product() };
    let parts = dims::parts(kind).into_iter().map(|(body, roles)| {
        let loads = body.loads().filter(|access| access.buffer == buffer).count();
        // An operand is read once for each tile of what it is multiplied by.
        let tiles = match (roles.contains(&Role::K), roles.contains(&Role::M)) {
            (true, true) => size(&[Role::N]).div_ceil(TILE),
            (true, false) => size(&[Role::M]).div_ceil(TILE),
            (false, _) => 1,
        };
        loads * size(roles).div_ceil(len) * tiles
    });
    parts.sum()
}

/// Puts the formula in place of every load of its buffer; or the dim of the kernel to split first.
fn replace(kind: &mut KernelKind, formula: &Formula) -> Result<(), Uncut> {
    let all = dims::of(kind);
    let reads = |body: &Body| body.loads().any(|access| access.buffer == formula.buffer);
    let inline = |body: &Body, roles: &[Role]| {
        let own: Vec<usize> = (0..all.len()).filter(|&dim| roles.contains(&all[dim].1)).collect();
        let sizes: Vec<usize> = own.iter().map(|&dim| all[dim].0).collect();
        formula.inline(body, &sizes).map_err(|uncut| match uncut {
            Uncut::Split { dim, inner } => Uncut::Split { dim: own[dim], inner },
            Uncut::Never => Uncut::Never,
        })
    };
    if let KernelKind::Contract(c) = kind {
        for (operand, roles) in [(&mut c.lhs, dims::LHS), (&mut c.rhs, dims::RHS)] {
            if reads(&operand.body) {
                let (body, renamed) = inline(&operand.body, roles)?;
                *operand = Operand { body, value: renamed[&operand.value] };
                prune_operand(operand);
            }
        }
    }
    for (body, roles) in dims::parts_mut(kind) {
        if reads(body) {
            *body = inline(body, roles)?.0;
            prune(body);
        }
    }
    Ok(())
}

impl<'a> Formula<'a> {
    fn of(kernel: &'a Kernel) -> Option<Formula<'a>> {
        let KernelKind::Rows(Rows { outer, row, body }) = &kernel.kind else { return None };
        let [store] = body.stores.as_slice() else { return None };
        let is_map = row.is_empty() && !body.folds() && body.nodes.len() <= LONG;
        let mut dims: Vec<(usize, usize)> =
            outer.iter().copied().enumerate().filter(|&(_, size)| size != 1).collect();
        dims.sort_by_key(|&(dim, _)| std::cmp::Reverse(store.access.strides[dim]));
        is_map.then_some(Formula { buffer: store.access.buffer, body, value: store.value, dims })
    }

    /// Operations and bytes that an element takes.
    fn cost(&self, buffers: &Arena<Buffer>) -> (usize, usize) {
        let (mut ops, mut read) = (0, 0);
        for (_, node) in self.body.nodes.iter() {
            match node {
                Node::Op { op, .. } => ops += work(*op),
                Node::Random { .. } => ops += DRAW,
                Node::Load(access) | Node::LoadAt { access, .. } => {
                    ops += GUARD * access.guards.len();
                    // What is the same for many elements stays in registers or in a cache.
                    let streams = self.dims.iter().all(|&(dim, _)| access.strides[dim] != 0)
                        || matches!(node, Node::LoadAt { .. });
                    read += if streams { buffers[access.buffer].dtype.bytes() } else { 0 };
                }
                Node::Acc | Node::Const { .. } | Node::Index { .. } | Node::Fold { .. } => {}
            }
        }
        (ops, read)
    }

    fn draws(&self) -> bool {
        self.body.nodes.iter().any(|(_, node)| matches!(node, Node::Random { .. }))
    }

    /// `body` over a space of these sizes with the formula in place of each load of its buffer, and
    /// what its nodes became; an error if a load is not at coordinates that can be said.
    fn inline(&self, body: &Body, sizes: &[usize]) -> Result<(Body, Renamed), Uncut> {
        let mut out = Body::default();
        let mut renamed = Renamed::new();
        for (id, node) in body.nodes.iter() {
            let new = match node {
                Node::Load(access) if access.buffer == self.buffer => {
                    self.append(&mut out, &self.coordinates(access, sizes)?, sizes.len())
                }
                Node::LoadAt { access, .. } if access.buffer == self.buffer => return Err(Uncut::Never),
                Node::Load(_)
                | Node::LoadAt { .. }
                | Node::Acc
                | Node::Const { .. }
                | Node::Index { .. }
                | Node::Random { .. }
                | Node::Op { .. }
                | Node::Fold { .. } => push(&mut out, node.clone(), &renamed),
            };
            renamed.insert(id, new);
        }
        let stores = body.stores.iter().map(|s| Store { value: renamed[&s.value], access: s.access.clone() });
        out.stores = stores.collect();
        Ok((out, renamed))
    }

    /// The coordinate of each dim of the map, by dim, at an element that a reader names.
    fn coordinates(&self, access: &Access, sizes: &[usize]) -> Result<BTreeMap<usize, Affine>, Uncut> {
        if !access.guards.is_empty() {
            return Err(Uncut::Never);
        }
        let element = Affine { offset: access.offset, strides: access.strides.clone() };
        let shape: Vec<usize> = self.dims.iter().map(|&(_, size)| size).collect();
        let at = unflatten(&element, &shape, sizes)?;
        Ok(self.dims.iter().map(|&(dim, _)| dim).zip(at).collect())
    }

    /// Adds the formula at these coordinates of a space of `rank` dims; the node that is its value.
    fn append(&self, out: &mut Body, at: &BTreeMap<usize, Affine>, rank: usize) -> NodeId {
        let compose = |offset: i64, strides: &[i64]| -> Affine {
            at.iter()
                .fold(Affine::constant(offset, rank), |sum, (&dim, form)| sum.plus(&form.scale(strides[dim])))
        };
        let mut renamed = Renamed::new();
        for (id, node) in self.body.nodes.iter() {
            let mut node = node.clone();
            compose_forms(&mut node, compose);
            renamed.insert(id, push(out, node, &renamed));
        }
        renamed[&self.value]
    }
}

/// Appends a node with its inputs renamed, unless an equal one is there.
fn push(body: &mut Body, mut node: Node, renamed: &Renamed) -> NodeId {
    node.inputs_mut().iter_mut().for_each(|input| *input = renamed[input]);
    let known = body.nodes.iter().find(|(_, n)| **n == node).map(|(id, _)| id);
    known.unwrap_or_else(|| body.nodes.push(node))
}

/// Rewrites every affine form of a node.
fn compose_forms(node: &mut Node, compose: impl Fn(i64, &[i64]) -> Affine) {
    let rewrite = |offset: &mut i64, strides: &mut Vec<i64>| {
        let form = compose(*offset, strides);
        (*offset, *strides) = (form.offset, form.strides);
    };
    match node {
        Node::Index { offset, strides } | Node::Random { offset, strides, .. } => rewrite(offset, strides),
        Node::Load(access) | Node::LoadAt { access, .. } => {
            rewrite(&mut access.offset, &mut access.strides);
            access.guards.iter_mut().for_each(|g| rewrite(&mut g.offset, &mut g.strides));
        }
        Node::Acc | Node::Const { .. } | Node::Op { .. } | Node::Fold { .. } => {}
    }
}
