//! A kernel's loops in the one form that code is generated from.
//!
//! Buffers become slots (so equal kernels of repeated layers are equal), dims that every access
//! walks as one are merged, and one dim becomes the **lane**: the one that vectors run along.
//!
//! | form | lane | who owns a lane | a fold |
//! |---|---|---|---|
//! | `Map` | any dim | a unit: one strip of lanes at one point of the other dims | has none |
//! | `Rows` | a dim of the row | a unit: one point of `outer`, its whole row | 16 lanes, then a tree |
//! | `Columns` | a dim of `outer` | a unit: one strip of lanes at one point of the other outer dims | a chain in row order |

use crate::base::{DType, Id};
use crate::loops::dims::body_forms;
use crate::loops::{Access, Body, BufferId, KernelKind, Node, Program};
use std::sync::Arc;

/// What a body of a kernel becomes.
#[derive(Clone, Debug)]
pub struct Nest {
    pub form: Form,
    pub dims: Vec<usize>,
    /// Points of these dims are units of work, outermost first; without the lane.
    pub outer: Vec<usize>,
    /// Dims that a fold walks beside the lane, outermost first.
    pub seq: Vec<usize>,
    pub lane: usize,
    /// Strides are over `dims`, buffers are slots.
    pub body: Body,
    /// Of each buffer slot.
    pub dtypes: Vec<DType>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Map,
    Rows,
    Columns,
}

/// What the slots of a kernel stand for.
#[derive(Clone, Debug, Default)]
pub struct Binding {
    pub buffers: Vec<BufferId>,
    pub dtypes: Vec<DType>,
    pub sites: Vec<Arc<str>>,
}

impl Binding {
    fn slot(&mut self, program: &Program, buffer: BufferId) -> BufferId {
        let at = self.buffers.iter().position(|&b| b == buffer).unwrap_or_else(|| {
            self.buffers.push(buffer);
            self.dtypes.push(program.buffers[buffer].dtype);
            self.buffers.len() - 1
        });
        Id::new(at)
    }

    fn site(&mut self, site: &Arc<str>) -> Arc<str> {
        let at = self.sites.iter().position(|s| s == site).unwrap_or_else(|| {
            self.sites.push(site.clone());
            self.sites.len() - 1
        });
        Arc::from(at.to_string())
    }
}

/// The kernel with slots for buffers and sites, and what they stand for. Kernels that differ in
/// their binding alone share code.
pub fn bind(program: &Program, kind: &KernelKind) -> (KernelKind, Binding) {
    let mut kind = kind.clone();
    let mut binding = Binding::default();
    match &mut kind {
        KernelKind::Rows(rows) => bind_body(program, &mut rows.body, &mut binding),
        KernelKind::Contract(contract) => {
            contract.lhs.buffer = binding.slot(program, contract.lhs.buffer);
            contract.rhs.buffer = binding.slot(program, contract.rhs.buffer);
            bind_body(program, &mut contract.body, &mut binding);
        }
        KernelKind::Scatter(scatter) => {
            for buffer in [&mut scatter.index, &mut scatter.updates, &mut scatter.out] {
                *buffer = binding.slot(program, *buffer);
            }
        }
    }
    (kind, binding)
}

fn bind_body(program: &Program, body: &mut Body, binding: &mut Binding) {
    for node in body.nodes.iter_mut() {
        if let Some(access) = node.access_mut() {
            access.buffer = binding.slot(program, access.buffer);
        }
        if let Node::Random { site, .. } = node {
            *site = binding.site(site);
        }
    }
    for store in &mut body.stores {
        store.access.buffer = binding.slot(program, store.access.buffer);
    }
}

/// Drops dims of size 1 and merges neighbours of one group that every access walks as one.
/// `groups` holds how many dims each group has, before and after.
pub fn merge_dims(body: &mut Body, dims: &mut Vec<usize>, groups: &mut [usize]) {
    let mut all = body_forms(body);
    let mut start = 0;
    for group in groups {
        let mut at = start;
        while at < start + *group {
            if dims[at] == 1 {
                dims.remove(at);
                all.iter_mut().for_each(|s| _ = s.remove(at));
                *group -= 1;
                continue;
            }
            let merges = at > start && {
                let inner = dims[at] as i64;
                all.iter().all(|s| s[at - 1] == s[at] * inner)
            };
            if merges {
                dims[at - 1] *= dims.remove(at);
                all.iter_mut().for_each(|s| _ = s.remove(at - 1));
                *group -= 1;
                continue;
            }
            at += 1;
        }
        start += *group;
    }
}

/// Adds a dim of size 1 at `at`, for kernels that have none to run along.
pub fn insert_unit_dim(body: &mut Body, dims: &mut Vec<usize>, at: usize) {
    dims.insert(at, 1);
    body_forms(body).into_iter().for_each(|s| s.insert(at, 0));
}

impl Nest {
    /// The nest of a `Rows` kernel whose buffers are bound.
    pub fn of_rows(rows: &crate::loops::Rows, dtypes: &[DType]) -> Nest {
        let mut body = rows.body.clone();
        let folds = body.nodes.iter().any(|(_, n)| matches!(n, Node::Fold { .. }));
        let mut dims: Vec<usize> = rows.outer.iter().chain(&rows.row).copied().collect();
        let mut groups = if folds { vec![rows.outer.len(), rows.row.len()] } else { vec![dims.len(), 0] };
        merge_dims(&mut body, &mut dims, &mut groups);
        if folds && groups[1] == 0 {
            insert_unit_dim(&mut body, &mut dims, groups[0]);
            groups[1] = 1;
        }
        if dims.is_empty() {
            insert_unit_dim(&mut body, &mut dims, 0);
            groups[0] = 1;
        }
        let (form, lane) = choose_lane(&body, &dims, groups[0], folds);
        let outer = (0..groups[0]).filter(|&d| d != lane).collect();
        let seq = (groups[0]..dims.len()).filter(|&d| d != lane).collect();
        Nest { form, dims, outer, seq, lane, body, dtypes: dtypes.to_vec() }
    }

    pub fn lanes(&self) -> usize {
        self.dims[self.lane]
    }

    /// Points of the dims in `which`.
    pub fn points(&self, which: &[usize]) -> usize {
        which.iter().map(|&d| self.dims[d]).product()
    }
}

/// The form and the lane with the lowest guess of the cost for each element.
fn choose_lane(body: &Body, dims: &[usize], outer: usize, folds: bool) -> (Form, usize) {
    let row = bits_of(&(outer..dims.len()).collect::<Vec<_>>());
    let varies = variation(body, dims.len(), row);
    // Prefers the innermost dim where the guesses are equal.
    let mut best: Option<(f64, Form, usize)> = None;
    for lane in (0..dims.len()).rev() {
        let form = match (folds, lane < outer) {
            (false, _) => Form::Map,
            (true, false) => Form::Rows,
            (true, true) => Form::Columns,
        };
        let cost = access_cost(body, dims, &varies, lane) + overhead(form, dims[lane]);
        if best.is_none_or(|(least, _, _)| cost < least) {
            best = Some((cost, form, lane));
        }
    }
    let (_, form, lane) = best.expect("nest: there is a dim to run along");
    (form, lane)
}

/// Work outside the vector loop, shared by the elements of one run along the lane.
fn overhead(form: Form, lanes: usize) -> f64 {
    let per_run = match form {
        Form::Map | Form::Columns => 8.0,
        Form::Rows => 16.0,
    };
    per_run / lanes as f64
}

/// Loads and stores in quarter vectors for each element: 1 where they are contiguous. An access
/// that repeats along some dims is paid once for them.
fn access_cost(body: &Body, dims: &[usize], varies: &[u64], lane: usize) -> f64 {
    let share = |set: u64| {
        let repeats = dims.iter().enumerate().filter(|(d, _)| set >> d & 1 == 0 && *d != lane);
        1.0 / repeats.map(|(_, &size)| size as f64).product::<f64>()
    };
    let of_access = |access: &Access, set: u64, gathered: bool| {
        let guarded = access.guards.iter().any(|g| g.strides[lane] != 0);
        let price = match access.strides[lane] {
            _ if gathered || guarded => 6.0,
            0 => 1.0 / dims[lane] as f64,
            1 => 1.0,
            _ => 5.0,
        };
        price * share(set)
    };
    let loads: f64 = body
        .nodes
        .iter()
        .map(|(id, node)| match node {
            Node::Load(access) => of_access(access, varies[id.index()], false),
            Node::LoadAt { access, index, .. } => {
                of_access(access, varies[id.index()], varies[index.index()] >> lane & 1 == 1)
            }
            Node::Acc
            | Node::Const { .. }
            | Node::Index { .. }
            | Node::Random { .. }
            | Node::Op { .. }
            | Node::Fold { .. } => 0.0,
        })
        .sum();
    let stores: f64 = body
        .stores
        .iter()
        .map(|s| of_access(&s.access, varies[s.value.index()] | strides_set(&s.access.strides), false))
        .sum();
    loads + stores
}

/// Over which dims each node varies, as a bit set. A fold varies over no dim of `row`.
pub fn variation(body: &Body, dims: usize, row: u64) -> Vec<u64> {
    let of_access = |access: &Access| {
        access
            .guards
            .iter()
            .fold(strides_set(&access.strides), |set, guard| set | strides_set(&guard.strides))
    };
    let mut varies: Vec<u64> = Vec::with_capacity(body.nodes.len());
    for (_, node) in body.nodes.iter() {
        varies.push(match node {
            Node::Acc => (1 << dims) - 1,
            Node::Const { .. } => 0,
            Node::Index { strides, .. } | Node::Random { strides, .. } => strides_set(strides),
            Node::Load(access) => of_access(access),
            Node::LoadAt { access, index, .. } => of_access(access) | varies[index.index()],
            Node::Op { inputs, .. } => inputs.iter().fold(0, |set, i| set | varies[i.index()]),
            Node::Fold { input, .. } => varies[input.index()] & !row,
        });
    }
    varies
}

/// The dims that strides walk, as a bit set.
pub fn strides_set(strides: &[i64]) -> u64 {
    strides.iter().enumerate().filter(|(_, s)| **s != 0).fold(0, |set, (d, _)| set | 1 << d)
}

/// The bit set of dims.
pub fn bits_of(dims: &[usize]) -> u64 {
    dims.iter().fold(0, |set, d| set | 1 << d)
}
