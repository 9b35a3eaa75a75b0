//! The dims of a kernel as one list, and what may be done to them.
//!
//! A dim is a number of points along one direction of the iteration space;
//! splitting, merging and dropping dims changes every affine form in the
//! kernel and no value that it computes.

use super::ir::{Body, KernelKind, Node};

/// What a dim is for. A kernel lists its dims in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Outer,
    Row,
    Batch,
    M,
    N,
    K,
}

const ROWS: &[Role] = &[Role::Outer, Role::Row];
const TILE: &[Role] = &[Role::Batch, Role::M, Role::N];
/// What the left operand of a product varies over.
pub const LHS: &[Role] = &[Role::Batch, Role::M, Role::K];
/// What the right operand of a product varies over.
pub const RHS: &[Role] = &[Role::Batch, Role::N, Role::K];

/// Size and role of each dim.
pub type Dims = Vec<(usize, Role)>;

/// The strides of an affine form, over the dims of these roles.
type Form<'a> = (&'a mut Vec<i64>, &'static [Role]);

pub fn of(kind: &KernelKind) -> Dims {
    let with = |sizes: &[usize], role| sizes.iter().map(|&n| (n, role)).collect::<Dims>();
    match kind {
        KernelKind::Rows(r) => [with(&r.outer, Role::Outer), with(&r.row, Role::Row)].concat(),
        KernelKind::Contract(c) => {
            [with(&c.batch, Role::Batch), with(&c.m, Role::M), with(&c.n, Role::N), with(&c.k, Role::K)]
                .concat()
        }
        KernelKind::Scatter(_) | KernelKind::Scan(_) => Vec::new(),
    }
}

/// Gives the kernel these dims; its forms are changed by the caller.
pub fn set(kind: &mut KernelKind, dims: &Dims) {
    let of = |role| dims.iter().filter(|d| d.1 == role).map(|d| d.0).collect::<Vec<usize>>();
    match kind {
        KernelKind::Rows(r) => {
            r.outer = of(Role::Outer);
            r.row = of(Role::Row);
        }
        KernelKind::Contract(c) => {
            c.batch = of(Role::Batch);
            c.m = of(Role::M);
            c.n = of(Role::N);
            c.k = of(Role::K);
        }
        KernelKind::Scatter(_) | KernelKind::Scan(_) => {}
    }
}

/// Makes `dim` two dims, the inner one of size `inner`.
pub fn split(kind: &mut KernelKind, dim: usize, inner: usize) {
    let mut dims = of(kind);
    let (size, role) = dims[dim];
    assert_eq!(size % inner, 0, "loops: a dim is split evenly");
    for (strides, roles) in forms(kind) {
        if let Some(at) = position(&dims, dim, roles) {
            strides.insert(at + 1, strides[at]);
            strides[at] *= inner as i64;
        }
    }
    dims[dim].0 = size / inner;
    dims.insert(dim + 1, (inner, role));
    set(kind, &dims);
}

/// Drops dims of size 1, and merges neighbours wherever every form allows it.
pub fn merge(kind: &mut KernelKind) {
    let mut dims = of(kind);
    let mut dim = dims.len();
    while dim > 0 {
        dim -= 1;
        if dims[dim].0 == 1 {
            remove(kind, &mut dims, dim);
        } else if dim + 1 < dims.len() && merges(kind, &dims, dim) {
            dims[dim + 1].0 *= dims[dim].0;
            remove(kind, &mut dims, dim);
        }
    }
    set(kind, &dims);
}

/// Forgets `dim`, of which each form has nothing to say that its neighbour does not.
fn remove(kind: &mut KernelKind, dims: &mut Dims, dim: usize) {
    for (strides, roles) in forms(kind) {
        if let Some(at) = position(dims, dim, roles) {
            strides.remove(at);
        }
    }
    dims.remove(dim);
}

/// Whether stepping through `dim` goes on where the dim inside it ended, in every form.
fn merges(kind: &mut KernelKind, dims: &Dims, dim: usize) -> bool {
    let (inner, role) = dims[dim + 1];
    dims[dim].1 == role
        && forms(kind).iter().all(|(strides, roles)| {
            position(dims, dim, roles).is_none_or(|at| strides[at] == strides[at + 1] * inner as i64)
        })
}

/// Where a form that speaks of `roles` keeps the stride of `dim`.
fn position(dims: &Dims, dim: usize, roles: &[Role]) -> Option<usize> {
    roles.contains(&dims[dim].1).then(|| dims[..dim].iter().filter(|d| roles.contains(&d.1)).count())
}

fn forms(kind: &mut KernelKind) -> Vec<Form<'_>> {
    let own = |(body, roles)| body_forms(body).into_iter().map(move |form| (form, roles));
    parts_mut(kind).into_iter().flat_map(own).collect()
}

/// The bodies of a kernel, those of operands first, each with the roles of the dims that it is over.
pub fn parts(kind: &KernelKind) -> Vec<(&Body, &'static [Role])> {
    match kind {
        KernelKind::Rows(rows) => vec![(&rows.body, ROWS)],
        KernelKind::Contract(c) => vec![(&c.lhs.body, LHS), (&c.rhs.body, RHS), (&c.body, TILE)],
        KernelKind::Scatter(_) | KernelKind::Scan(_) => Vec::new(),
    }
}

pub fn parts_mut(kind: &mut KernelKind) -> Vec<(&mut Body, &'static [Role])> {
    match kind {
        KernelKind::Rows(rows) => vec![(&mut rows.body, ROWS)],
        KernelKind::Contract(c) => {
            vec![(&mut c.lhs.body, LHS), (&mut c.rhs.body, RHS), (&mut c.body, TILE)]
        }
        KernelKind::Scatter(_) | KernelKind::Scan(_) => Vec::new(),
    }
}

/// The strides of every affine form of a body.
pub fn body_forms(body: &mut Body) -> Vec<&mut Vec<i64>> {
    let mut forms: Vec<&mut Vec<i64>> = Vec::new();
    for node in body.nodes.iter_mut() {
        match node {
            Node::Index { strides, .. } | Node::Random { strides, .. } => forms.push(strides),
            Node::Load(access) | Node::LoadAt { access, .. } => {
                forms.push(&mut access.strides);
                forms.extend(access.guards.iter_mut().map(|g| &mut g.strides));
            }
            Node::Acc | Node::Const { .. } | Node::Op { .. } | Node::Fold { .. } => {}
        }
    }
    forms.extend(body.stores.iter_mut().map(|s| &mut s.access.strides));
    forms
}
