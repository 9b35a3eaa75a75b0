//! Checks what every reader of a program relies on.
//!
//! - Every affine form has one stride for each dim of its space.
//! - Inputs of a node precede it; bodies are well typed; the sum of a product
//!   is used in contractions only.
//! - Every load stays inside its buffer at every point where its guards hold,
//!   whatever a run-time index is.
//! - Every store covers its whole buffer, each element once, and its value
//!   varies over no dim that the store does not.
//! - Operands of contractions are `f32`, without folds, sums and stores; no
//!   more is in them than they need.
//! - A buffer has one writer; temporaries and results are written before they
//!   are read; batches and scalars are never written.
//! - A kernel that writes what it reads reads at each point only the element
//!   that it writes there.
//! - The memory plan lets no two live temporaries share a byte.

use super::dims::{self, Role};
use super::ir::*;
use super::lower::overwrites_safely;
use super::memory;
use crate::base::DType;
use std::collections::BTreeSet;

type Checked = Result<(), String>;

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(otherwise()) }
}

pub fn verify(program: &Program) -> Checked {
    let mut written = BTreeSet::new();
    for (i, kernel) in program.kernels.iter().enumerate() {
        let at = |why: String| format!("k{i} {}: {why}", kernel.label);
        order(program, kernel, &written).map_err(at)?;
        Checker { program }.kernel(kernel).map_err(at)?;
        for buffer in kernel.writes() {
            let name = &program.buffers[buffer].name;
            ensure(written.insert(buffer), || at(format!("{name} is written twice")))?;
        }
    }
    for (name, buffer) in &program.outputs {
        ensure(written.contains(buffer), || format!("result {name} is never written"))?;
        ensure(program.buffers[*buffer].kind == BufferKind::Output, || format!("{name} is no result"))?;
    }
    memory::verify(program, &memory::plan(program))
}

/// What a kernel reads is there, what it writes may be written.
fn order(program: &Program, kernel: &Kernel, written: &BTreeSet<BufferId>) -> Checked {
    for id in kernel.reads() {
        let buffer = &program.buffers[id];
        let early = match buffer.kind {
            BufferKind::Temp | BufferKind::Output => !written.contains(&id),
            BufferKind::Batch | BufferKind::Param(_) | BufferKind::State(_) | BufferKind::Scalar => false,
        };
        ensure(!early, || format!("{} is read before it is written", buffer.name))?;
    }
    for id in kernel.writes() {
        let buffer = &program.buffers[id];
        let fixed = matches!(buffer.kind, BufferKind::Batch | BufferKind::Scalar);
        ensure(!fixed, || format!("{} is written", buffer.name))?;
        ensure(overwrites_safely(kernel, id, id), || {
            format!("{} is overwritten before it is read", buffer.name)
        })?;
    }
    Ok(())
}

struct Checker<'a> {
    program: &'a Program,
}

impl Checker<'_> {
    fn kernel(&self, kernel: &Kernel) -> Checked {
        let dims = dims::of(&kernel.kind);
        let over = |roles: &[Role]| -> Vec<usize> {
            dims.iter().filter(|d| roles.contains(&d.1)).map(|d| d.0).collect()
        };
        match &kernel.kind {
            KernelKind::Rows(rows) => {
                let sizes = over(&[Role::Outer, Role::Row]);
                self.body(&rows.body, &sizes, false)?;
                self.stores(&rows.body, &sizes, rows.outer.len())
            }
            KernelKind::Contract(c) => {
                self.operand(&c.lhs, &over(&[Role::Batch, Role::M, Role::K]))?;
                self.operand(&c.rhs, &over(&[Role::Batch, Role::N, Role::K]))?;
                let sizes = over(&[Role::Batch, Role::M, Role::N]);
                self.body(&c.body, &sizes, true)?;
                self.stores(&c.body, &sizes, sizes.len() - c.n.len())
            }
            KernelKind::Scatter(s) => {
                let sized = |id: BufferId, len: usize, dtype: DType| {
                    let b = &self.program.buffers[id];
                    ensure(b.len() == len && b.dtype == dtype, || format!("{} is not {dtype}[{len}]", b.name))
                };
                sized(s.index, s.count, DType::I32)?;
                sized(s.updates, s.count * s.width, DType::F32)?;
                sized(s.out, s.rows * s.width, DType::F32)
            }
            KernelKind::Scan(scan) => scan.check(self.program),
        }
    }

    fn operand(&self, operand: &Operand, sizes: &[usize]) -> Checked {
        let Operand { body, value } = operand;
        ensure(body.stores.is_empty(), || "an operand stores".into())?;
        ensure(!body.folds(), || "an operand folds".into())?;
        ensure(value.index() + 1 == body.nodes.len(), || "an operand does more than it gives".into())?;
        self.body(body, sizes, false)?;
        let dtype = body.dtypes(&self.program.buffers)[value.index()];
        ensure(dtype == DType::F32, || format!("an operand is {dtype}"))
    }

    /// Whether each node is sound over a space of these sizes.
    fn body(&self, body: &Body, sizes: &[usize], has_acc: bool) -> Checked {
        for (id, node) in body.nodes.iter() {
            let precede = node.inputs().iter().all(|input| *input < id);
            ensure(precede, || format!("{id} uses what follows it"))?;
            self.node(body, id, sizes, has_acc)?;
        }
        let dtypes = body.dtypes(&self.program.buffers);
        for (id, node) in body.nodes.iter() {
            if let Node::LoadAt { index, .. } = node {
                ensure(dtypes[index.index()] == DType::I32, || format!("the index of {id} is no i32"))?;
            }
        }
        Ok(())
    }

    /// Whether each store covers its buffer with what varies as it does; `outer` dims are outside the row.
    fn stores(&self, body: &Body, sizes: &[usize], outer: usize) -> Checked {
        let dtypes = body.dtypes(&self.program.buffers);
        let varies = varies(body, sizes.len(), outer);
        for store in &body.stores {
            let buffer = &self.program.buffers[store.access.buffer];
            ensure(dtypes[store.value.index()] == buffer.dtype, || {
                format!("{} is stored as another type", buffer.name)
            })?;
            self.covers(&parts(body, &store.access), sizes)?;
            let steady = |dim: usize| {
                sizes[dim] == 1 || store.access.strides[dim] != 0 || !varies[store.value.index()][dim]
            };
            ensure((0..sizes.len()).all(steady), || format!("{} is stored over too few dims", buffer.name))?;
        }
        Ok(())
    }

    fn node(&self, body: &Body, id: NodeId, sizes: &[usize], has_acc: bool) -> Checked {
        match &body.nodes[id] {
            Node::Acc => ensure(has_acc, || format!("{id} is the sum of no product")),
            Node::Index { strides, .. } | Node::Random { strides, .. } => {
                ensure(strides.len() == sizes.len(), || format!("{id} has {} strides", strides.len()))
            }
            Node::Load(access) => self.in_bounds(access, sizes, 0),
            Node::LoadAt { access, rows, stride, .. } => {
                self.in_bounds(access, sizes, 0)?;
                self.in_bounds(access, sizes, (*rows as i64 - 1) * stride)
            }
            Node::Const { .. } | Node::Op { .. } | Node::Fold { .. } => Ok(()),
        }
    }

    /// Whether the access, moved by `shift`, stays inside its buffer wherever its guards hold.
    fn in_bounds(&self, access: &Access, sizes: &[usize], shift: i64) -> Checked {
        let buffer = &self.program.buffers[access.buffer];
        let forms = access.guards.iter().map(|g| &g.strides).chain([&access.strides]);
        for strides in forms {
            ensure(strides.len() == sizes.len(), || format!("{}: {} strides", buffer.name, strides.len()))?;
        }
        let Some((least, greatest)) = reach(access, sizes) else { return Ok(()) };
        let inside = least + shift >= 0 && greatest + shift < buffer.len() as i64;
        ensure(inside, || format!("{} is read at {least} to {greatest}, moved by {shift}", buffer.name))
    }

    /// Whether stores that are alike but for where they start write each element of their buffer once.
    fn covers(&self, (access, starts): &(&Access, Vec<i64>), sizes: &[usize]) -> Checked {
        let buffer = &self.program.buffers[access.buffer];
        let wrong = || format!("{} is not stored once everywhere", buffer.name);
        ensure(access.guards.is_empty() && access.strides.len() == sizes.len(), wrong)?;
        if buffer.is_empty() {
            return Ok(());
        }
        let mut steps: Vec<(i64, usize)> = access
            .strides
            .iter()
            .copied()
            .zip(sizes.iter().copied())
            .filter(|&(s, n)| s != 0 && n != 1)
            .collect();
        if let [first, second, ..] = starts[..] {
            let even = starts.windows(2).all(|pair| pair[1] - pair[0] == second - first);
            ensure(even, wrong)?;
            steps.push((second - first, starts.len()));
        }
        steps.sort();
        let mut next = 1;
        for (stride, size) in steps {
            ensure(stride == next, wrong)?;
            next *= size as i64;
        }
        ensure(starts[0] == 0 && next == buffer.len() as i64, wrong)
    }
}

/// How a body stores in the buffer of one of its stores: with these strides, from these elements on, sorted.
fn parts<'b>(body: &'b Body, access: &'b Access) -> (&'b Access, Vec<i64>) {
    let same = |s: &&Store| s.access.buffer == access.buffer && s.access.strides == access.strides;
    let mut starts: Vec<i64> = body.stores.iter().filter(same).map(|s| s.access.offset).collect();
    starts.sort_unstable();
    (access, starts)
}

/// Over which dims each node varies.
pub fn varies(body: &Body, rank: usize, outer: usize) -> Vec<Vec<bool>> {
    let mut all: Vec<Vec<bool>> = Vec::with_capacity(body.nodes.len());
    for (_, node) in body.nodes.iter() {
        let mut own = vec![false; rank];
        for input in node.inputs() {
            own.iter_mut().zip(&all[input.index()]).for_each(|(o, &i)| *o |= i);
        }
        let mut add = |strides: &[i64]| own.iter_mut().zip(strides).for_each(|(o, &s)| *o |= s != 0);
        match node {
            Node::Acc => own.fill(true),
            Node::Index { strides, .. } | Node::Random { strides, .. } => add(strides),
            Node::Load(access) | Node::LoadAt { access, .. } => {
                add(&access.strides);
                access.guards.iter().for_each(|g| add(&g.strides));
            }
            Node::Fold { .. } => own[outer..].fill(false),
            Node::Const { .. } | Node::Op { .. } => {}
        }
        all.push(own);
    }
    all
}

/// The least and the greatest element of an access over the points where its guards hold; none if
/// they never do. Exact: dims that a guard ties together are walked together.
fn reach(access: &Access, sizes: &[usize]) -> Option<(i64, i64)> {
    if sizes.contains(&0) {
        return None;
    }
    let mut left: BTreeSet<usize> = (0..sizes.len()).collect();
    let (mut least, mut greatest) = (access.offset, access.offset);
    while let Some(dim) = left.pop_first() {
        let group = tied(access, dim, sizes.len());
        group.iter().for_each(|d| {
            left.remove(d);
        });
        let (lo, hi) = group_reach(access, sizes, &group)?;
        least += lo;
        greatest += hi;
    }
    let constant = access.guards.iter().filter(|g| g.strides.iter().all(|&s| s == 0));
    let holds = constant.into_iter().all(|g| (0..g.size).contains(&g.offset));
    holds.then_some((least, greatest))
}

/// The dims that guards tie to `dim`, itself included.
fn tied(access: &Access, dim: usize, rank: usize) -> Vec<usize> {
    let mut group = BTreeSet::from([dim]);
    loop {
        let before = group.len();
        for g in &access.guards {
            let of = (0..rank).filter(|&d| g.strides[d] != 0).collect::<Vec<_>>();
            if of.iter().any(|d| group.contains(d)) {
                group.extend(of);
            }
        }
        if group.len() == before {
            return group.into_iter().collect();
        }
    }
}

/// The reach of the access along some dims, the guards on them holding.
fn group_reach(access: &Access, sizes: &[usize], group: &[usize]) -> Option<(i64, i64)> {
    let guards: Vec<&Guard> =
        access.guards.iter().filter(|g| group.iter().any(|&d| g.strides[d] != 0)).collect();
    let along = |strides: &[i64], point: &[usize]| -> i64 {
        group.iter().zip(point).map(|(&d, &p)| strides[d] * p as i64).sum()
    };
    if guards.is_empty() {
        let dim = group[0];
        let end = access.strides[dim] * (sizes[dim] as i64 - 1);
        return Some((end.min(0), end.max(0)));
    }
    let walked: Vec<usize> = group.iter().map(|&d| sizes[d]).collect();
    super::interp::points(&walked)
        .filter(|p| guards.iter().all(|g| (0..g.size).contains(&(g.offset + along(&g.strides, p)))))
        .map(|p| along(&access.strides, &p))
        .fold(None, |reach: Option<(i64, i64)>, x| {
            Some(reach.map_or((x, x), |(lo, hi)| (lo.min(x), hi.max(x))))
        })
}
