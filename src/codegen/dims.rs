//! The dims of a kernel's body: merged where every access walks them as one, and who varies over which.

use crate::loops::dims::body_forms;
use crate::loops::{Access, Body, Node};

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
