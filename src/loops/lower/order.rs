//! Which kernel must come before which, and an order that obeys.

use super::super::ir::{BufferId, Kernel, KernelKind};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Temporaries that will be written in place over a leaf: temporary to leaf.
///
/// Until the end they are buffers of their own, so that old and new values
/// of a weight stay apart while kernels are joined.
pub type Becomes = BTreeMap<BufferId, BufferId>;

/// For each kernel, those that must come after it.
///
/// Readers follow the writer; who writes over a leaf follows its readers.
pub fn successors(kernels: &[&Kernel], becomes: &Becomes) -> Vec<BTreeSet<usize>> {
    let mut writer = BTreeMap::new();
    for (i, kernel) in kernels.iter().enumerate() {
        for buffer in kernel.writes() {
            let other = writer.insert(buffer, i);
            assert_eq!(other, None, "loops: a buffer has one writer");
        }
    }
    let overwriters: BTreeMap<BufferId, usize> =
        becomes.iter().filter_map(|(temp, &leaf)| Some((leaf, *writer.get(temp)?))).collect();
    let mut after = vec![BTreeSet::new(); kernels.len()];
    for (i, kernel) in kernels.iter().enumerate() {
        for buffer in kernel.reads() {
            if let Some(&w) = writer.get(&buffer).filter(|&&w| w != i) {
                after[w].insert(i);
            }
            if let Some(&w) = overwriters.get(&buffer).filter(|&&w| w != i) {
                after[i].insert(w);
            }
        }
    }
    after
}

/// The kernels in an order in which each follows those before it, as near to the given one as
/// possible; none if they wait for each other.
pub fn sort(after: &[BTreeSet<usize>]) -> Option<Vec<usize>> {
    let mut waits = vec![0usize; after.len()];
    for successor in after.iter().flatten() {
        waits[*successor] += 1;
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..after.len()).filter(|&i| waits[i] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(after.len());
    while let Some(Reverse(i)) = ready.pop() {
        order.push(i);
        for &successor in &after[i] {
            waits[successor] -= 1;
            if waits[successor] == 0 {
                ready.push(Reverse(successor));
            }
        }
    }
    (order.len() == after.len()).then_some(order)
}

/// Whether the writer of `temp` may write over `leaf` as it reads: each point of it reads no
/// element but its own.
pub fn overwrites_safely(kernel: &Kernel, temp: BufferId, leaf: BufferId) -> bool {
    if !kernel.reads().contains(&leaf) {
        return true;
    }
    let body = match &kernel.kind {
        KernelKind::Scatter(_) => return false,
        KernelKind::Contract(c) if c.lhs.buffer == leaf || c.rhs.buffer == leaf => return false,
        KernelKind::Contract(c) => &c.body,
        KernelKind::Rows(rows) => &rows.body,
    };
    let store = body.stores.iter().find(|s| s.access.buffer == temp).expect("loops: the kernel writes it");
    body.nodes.iter().filter(|(_, node)| node.access().is_some_and(|a| a.buffer == leaf)).all(|(_, node)| {
        let access = node.access().expect("loops: loads were selected");
        let plain = matches!(node, super::super::ir::Node::Load(_)) && access.guards.is_empty();
        plain && access.offset == store.access.offset && access.strides == store.access.strides
    })
}
