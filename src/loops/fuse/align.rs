//! Lays the space of one kernel into that of another.
//!
//! Two kernels that touch the same buffer tell by their strides which of
//! their dims walk together. Dims are split where one kernel steps over in
//! one go what the other cuts in two. The kernel that keeps its space is the
//! host, the other the guest.

use super::super::dims::{self, Role};
use super::super::fusion::Fusion;
use super::super::ir::*;
use std::borrow::Cow;

/// A host whose dims may be split, and a guest with its body rewritten over them.
pub struct Aligned {
    pub host: KernelKind,
    pub guest: Body,
}

/// Which level of the host the guest's points are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// Each point of the host's tile or of its outer dims and rows.
    Full,
    /// Each point of its outer dims.
    Outer,
}

/// What became of one try to pair dims.
enum Pairing {
    Paired,
    Differ,
    SplitHost { dim: usize, inner: usize },
    SplitGuest { dim: usize, inner: usize },
}

/// `guest`, rows, over the space of `host`. They agree on the first of `shared`, buffers that both touch;
/// the others are asked about dims that it leaves open.
pub fn align(host: &KernelKind, guest: &KernelKind, shared: &[BufferId], fusion: &Fusion) -> Option<Aligned> {
    if shared.is_empty() {
        return None;
    }
    // Most pairs do not agree, so nothing is copied before it is known that they do.
    let (mut host, mut guest) = (Cow::Borrowed(host), Cow::Borrowed(guest));
    'split: loop {
        let mut map: Vec<Option<usize>> = vec![None; dims::of(&guest).len()];
        for (i, &buffer) in shared.iter().enumerate() {
            match pair(&host, &guest, buffer, &mut map) {
                Pairing::Paired => {}
                Pairing::Differ if i == 0 => return None,
                Pairing::Differ => {}
                Pairing::SplitHost { dim, inner } => {
                    dims::split(host.to_mut(), dim, inner);
                    continue 'split;
                }
                Pairing::SplitGuest { dim, inner } => {
                    dims::split(guest.to_mut(), dim, inner);
                    continue 'split;
                }
            }
        }
        let map: Vec<usize> = map.into_iter().collect::<Option<_>>()?;
        if !fits(&host, &guest, &map, fusion) {
            return None;
        }
        let KernelKind::Rows(rows) = guest.into_owned() else { unreachable!("loops: a guest is rows") };
        let guest = embed(rows.body, &map, body_rank(&host));
        return Some(Aligned { guest, host: host.into_owned() });
    }
}

/// The number of dims that the body of a kernel knows: not those of a product's sum.
fn body_rank(kind: &KernelKind) -> usize {
    dims::of(kind).iter().filter(|d| d.1 != Role::K).count()
}

/// The dims that an access steps along: stride, size, dim; the smallest stride first.
fn steps(access: &Access, dims: &dims::Dims) -> Vec<(i64, usize, usize)> {
    let mut steps: Vec<(i64, usize, usize)> = access
        .strides
        .iter()
        .enumerate()
        .filter(|&(dim, &stride)| stride != 0 && dims[dim].0 != 1)
        .map(|(dim, &stride)| (stride, dims[dim].0, dim))
        .collect();
    steps.sort();
    steps
}

/// The one way in which a body touches a buffer; none if there are several.
fn touch(kind: &KernelKind, buffer: BufferId) -> Option<&Access> {
    let body = match kind {
        KernelKind::Rows(rows) => &rows.body,
        KernelKind::Contract(contract) => &contract.body,
        KernelKind::Scatter(_) | KernelKind::Scan(_) => return None,
    };
    let plain = body.nodes.iter().filter_map(|(_, node)| match node {
        Node::Load(access) => Some(access),
        Node::LoadAt { .. }
        | Node::Acc
        | Node::Const { .. }
        | Node::Index { .. }
        | Node::Random { .. }
        | Node::Op { .. }
        | Node::Fold { .. } => None,
    });
    let mut all = plain.chain(body.stores.iter().map(|s| &s.access)).filter(|a| a.buffer == buffer);
    let first = all.next()?;
    (first.guards.is_empty() && all.all(|a| a == first)).then_some(first)
}

/// Pairs the dims along which both kernels step through `buffer`.
fn pair(host: &KernelKind, guest: &KernelKind, buffer: BufferId, map: &mut [Option<usize>]) -> Pairing {
    let (Some(ha), Some(ga)) = (touch(host, buffer), touch(guest, buffer)) else { return Pairing::Differ };
    let (hs, gs) = (steps(ha, &dims::of(host)), steps(ga, &dims::of(guest)));
    let mut found = map.to_vec();
    for (&(h_stride, h_size, h), &(g_stride, g_size, g)) in hs.iter().zip(&gs) {
        if h_stride != g_stride {
            return Pairing::Differ;
        }
        if h_size != g_size {
            return match (h_size > g_size, h_size.is_multiple_of(g_size), g_size.is_multiple_of(h_size)) {
                (true, true, _) => Pairing::SplitHost { dim: h, inner: g_size },
                (false, _, true) => Pairing::SplitGuest { dim: g, inner: h_size },
                (true, false, _) | (false, _, false) => Pairing::Differ,
            };
        }
        let taken = found.iter().enumerate().any(|(other, &at)| at == Some(h) && other != g);
        if taken || found[g].is_some_and(|at| at != h) {
            return Pairing::Differ;
        }
        found[g] = Some(h);
    }
    if hs.len() != gs.len() {
        return Pairing::Differ;
    }
    map.copy_from_slice(&found);
    Pairing::Paired
}

/// Whether the guest's points are points of the host on one level, folds over the same rows.
fn fits(host: &KernelKind, guest: &KernelKind, map: &[usize], fusion: &Fusion) -> bool {
    let (host_dims, guest_dims) = (dims::of(host), dims::of(guest));
    let rank = body_rank(host);
    let outer = host_dims[..rank].iter().filter(|d| !is_row(d.1)).count();
    let guest_folds = guest_dims.iter().any(|d| d.1 == Role::Row);
    let covers =
        |all: std::ops::Range<usize>| all.clone().all(|dim| map.contains(&dim) || host_dims[dim].0 == 1);
    let level = if covers(0..rank) {
        Level::Full
    } else if has_rows(host) && covers(0..outer) && map.iter().all(|&dim| dim < outer) {
        Level::Outer
    } else {
        return false;
    };
    let same_rows =
        || map.iter().zip(&guest_dims).all(|(&h, &(_, role))| is_row(host_dims[h].1) == is_row(role));
    match (level, guest_folds) {
        (_, false) => true,
        (Level::Full, true) => same_rows() && folds_over(host, fusion),
        (Level::Outer, true) => false,
    }
}

/// Whether folds go over the dims of this role.
fn is_row(role: Role) -> bool {
    match role {
        Role::Row | Role::N => true,
        Role::Outer | Role::Batch | Role::M | Role::K => false,
    }
}

/// Whether a kernel computes some things once for a row.
fn has_rows(kind: &KernelKind) -> bool {
    match kind {
        KernelKind::Rows(_) => true,
        KernelKind::Contract(c) => c.folds(),
        KernelKind::Scatter(_) | KernelKind::Scan(_) => false,
    }
}

/// Whether a backend can fold over the rows of this kernel.
fn folds_over(kind: &KernelKind, fusion: &Fusion) -> bool {
    match kind {
        KernelKind::Rows(_) => true,
        KernelKind::Contract(c) => (1..=fusion.row_epilogue).contains(&c.n.iter().product()),
        KernelKind::Scatter(_) | KernelKind::Scan(_) => false,
    }
}

/// The guest's body with its forms over the host's dims.
fn embed(mut body: Body, map: &[usize], rank: usize) -> Body {
    for strides in dims::body_forms(&mut body) {
        let mut over_host = vec![0; rank];
        for (&stride, &dim) in strides.iter().zip(map) {
            over_host[dim] = stride;
        }
        *strides = over_host;
    }
    body
}
