//! Which kernel must come before which, and an order that obeys.

use super::super::ir::{BufferId, Kernel, KernelKind};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Temporaries that will be written in place over a leaf: temporary to leaf.
///
/// Until the end they are buffers of their own, so that old and new values
/// of a weight stay apart while kernels are joined.
pub type Becomes = BTreeMap<BufferId, BufferId>;

/// Who reads and writes what: kernels by their place in some list.
///
/// Readers follow the writer; who writes over a leaf follows its readers.
#[derive(Clone, Debug, Default)]
pub struct Links {
    reads: BTreeMap<usize, Vec<BufferId>>,
    writes: BTreeMap<usize, Vec<BufferId>>,
    writer: BTreeMap<BufferId, usize>,
    readers: BTreeMap<BufferId, BTreeSet<usize>>,
    /// By leaf, the temporary with its new value.
    new_values: BTreeMap<BufferId, BufferId>,
}

impl Links {
    pub fn of<'a>(kernels: impl IntoIterator<Item = &'a Kernel>, becomes: &Becomes) -> Links {
        let mut links = Links::default();
        for (i, kernel) in kernels.into_iter().enumerate() {
            links.insert(i, kernel);
        }
        for (&temp, &leaf) in becomes {
            links.overwrite(temp, leaf);
        }
        links
    }

    pub fn insert(&mut self, i: usize, kernel: &Kernel) {
        for buffer in kernel.reads() {
            self.readers.entry(buffer).or_default().insert(i);
        }
        for buffer in kernel.writes() {
            let other = self.writer.insert(buffer, i);
            assert_eq!(other, None, "loops: a buffer has one writer");
        }
        self.reads.insert(i, kernel.reads());
        self.writes.insert(i, kernel.writes());
    }

    pub fn remove(&mut self, i: usize) {
        for buffer in self.reads.remove(&i).into_iter().flatten() {
            self.readers.entry(buffer).or_default().remove(&i);
        }
        for buffer in self.writes.remove(&i).into_iter().flatten() {
            self.writer.remove(&buffer);
        }
    }

    pub fn overwrite(&mut self, temp: BufferId, leaf: BufferId) {
        self.new_values.insert(leaf, temp);
    }

    pub fn reads(&self, i: usize) -> &[BufferId] {
        &self.reads[&i]
    }

    pub fn writes(&self, i: usize) -> &[BufferId] {
        &self.writes[&i]
    }

    pub fn writer(&self, buffer: BufferId) -> Option<usize> {
        self.writer.get(&buffer).copied()
    }

    /// In order.
    pub fn readers(&self, buffer: BufferId) -> impl DoubleEndedIterator<Item = usize> {
        self.readers.get(&buffer).into_iter().flatten().copied()
    }

    /// The kernels that must come after this one, some perhaps named twice.
    pub fn after(&self, i: usize) -> impl Iterator<Item = usize> {
        let fed = self.writes(i).iter().flat_map(|&b| self.readers(b));
        let overwriting = self.reads(i).iter().filter_map(|b| self.writer(*self.new_values.get(b)?));
        fed.chain(overwriting).filter(move |&next| next != i)
    }

    /// Whether some kernel of `goals` must come after `from`.
    pub fn reaches(&self, from: usize, goals: &BTreeSet<usize>) -> bool {
        let mut seen = BTreeSet::from([from]);
        let mut open: Vec<usize> = self.after(from).collect();
        while let Some(i) = open.pop() {
            if goals.contains(&i) {
                return true;
            }
            if seen.insert(i) {
                open.extend(self.after(i));
            }
        }
        false
    }

    /// For each of `count` kernels, those that must come after it.
    pub fn all_after(&self, count: usize) -> Vec<BTreeSet<usize>> {
        (0..count).map(|i| self.after(i).collect()).collect()
    }
}

/// The kernels in an order in which each follows those before it, as near to the given one as
/// possible, but for those that run as soon as they can; none if they wait for each other.
pub fn sort(after: &[BTreeSet<usize>], soon: &dyn Fn(usize) -> bool) -> Option<Vec<usize>> {
    let mut waits = vec![0usize; after.len()];
    for successor in after.iter().flatten() {
        waits[*successor] += 1;
    }
    let rank = |i: usize| Reverse((!soon(i), i));
    let mut ready: BinaryHeap<_> = (0..after.len()).filter(|&i| waits[i] == 0).map(rank).collect();
    let mut order = Vec::with_capacity(after.len());
    while let Some(Reverse((_, i))) = ready.pop() {
        order.push(i);
        for &successor in &after[i] {
            waits[successor] -= 1;
            if waits[successor] == 0 {
                ready.push(rank(successor));
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
        KernelKind::Scatter(_) | KernelKind::Scan(_) => return false,
        KernelKind::Contract(c) if c.multiplies(leaf) => return false,
        KernelKind::Contract(c) => &c.body,
        KernelKind::Rows(rows) => &rows.body,
    };
    let mut stores = body.stores.iter().filter(|s| s.access.buffer == temp);
    let store = stores.next().expect("loops: the kernel writes it");
    // Part by part, one may overwrite what another has still to read.
    if stores.next().is_some() {
        return false;
    }
    body.nodes.iter().filter(|(_, node)| node.access().is_some_and(|a| a.buffer == leaf)).all(|(_, node)| {
        let access = node.access().expect("loops: loads were selected");
        let plain = matches!(node, super::super::ir::Node::Load(_)) && access.guards.is_empty();
        plain && access.offset == store.access.offset && access.strides == store.access.strides
    })
}
