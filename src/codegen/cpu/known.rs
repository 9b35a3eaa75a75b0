//! Kernels that were planned before, to be found again: a deep net has each of them many times.

use crate::base::DType;
use crate::loops::{Body, Kernel, KernelKind, Node};
use std::collections::BTreeMap;

/// A plan for each kernel seen.
#[derive(Default)]
pub struct Known {
    /// By outline: few kernels that have the same one are not equal.
    plans: BTreeMap<Vec<usize>, Vec<Entry>>,
}

struct Entry {
    kind: KernelKind,
    dtypes: Vec<DType>,
    plan: usize,
}

impl Known {
    /// The plan of a kernel that is equal and meets buffers of the same types.
    pub fn get(&self, kind: &KernelKind, dtypes: &[DType]) -> Option<usize> {
        let entries = self.plans.get(&outline(kind))?;
        let same = |e: &&Entry| e.dtypes == dtypes && e.kind == *kind && numbers(&e.kind) == numbers(kind);
        entries.iter().find(same).map(|e| e.plan)
    }

    pub fn insert(&mut self, kind: KernelKind, dtypes: Vec<DType>, plan: usize) {
        self.plans.entry(outline(&kind)).or_default().push(Entry { kind, dtypes, plan });
    }
}

/// A few numbers in which most kernels differ.
fn outline(kind: &KernelKind) -> Vec<usize> {
    let body = |body: &Body| [body.nodes.len(), body.stores.len()];
    match kind {
        KernelKind::Rows(rows) => {
            [&[0, rows.outer.len()], rows.outer.as_slice(), &rows.row, &body(&rows.body)].concat()
        }
        KernelKind::Contract(c) => [&[1], c.m.as_slice(), &c.n, &c.k, &body(&c.body)].concat(),
        KernelKind::Scatter(s) => vec![2, s.count, s.rows, s.width],
        KernelKind::Scan(s) => vec![3, s.length, s.body.kernels.len()],
    }
}

/// All its numbers by their bits: 0 and -0 are equal but not the same.
fn numbers(kind: &KernelKind) -> Vec<u64> {
    match kind {
        KernelKind::Rows(rows) => of_body(&rows.body).collect(),
        KernelKind::Contract(c) => {
            [&c.lhs.body, &c.rhs.body, &c.body].into_iter().flat_map(of_body).collect()
        }
        KernelKind::Scatter(_) => Vec::new(),
        KernelKind::Scan(s) => s.body.kernels.iter().flat_map(|Kernel { kind, .. }| numbers(kind)).collect(),
    }
}

fn of_body(body: &Body) -> impl Iterator<Item = u64> {
    body.nodes.iter().filter_map(|(_, node)| match node {
        Node::Const { value, .. } => Some(value.to_bits()),
        Node::Load(access) | Node::LoadAt { access, .. } => Some(access.fill.to_bits()),
        Node::Acc | Node::Index { .. } | Node::Random { .. } | Node::Op { .. } | Node::Fold { .. } => None,
    })
}
