//! Joins kernels, so that values stay in registers and in L1.
//!
//! First, maps of parts that lie side by side are cut where they meet ([`segments`]). Then, for a backend that takes it, what is cheap goes to its readers
//! ([`inline`]). Last, greedy in program order. A kernel of rows joins the product or the rows
//! that make what it reads (a map in an epilogue, a fold over the same rows,
//! an optimizer's update behind its gradient, rows behind a product whose
//! columns they are if the backend folds there), or takes its only reader's
//! place in front of a fold; then kernels that read the same tensor over the
//! same points join. What no other kernel reads is then never stored. No two
//! kernels join if something between them would have to wait for both, nor if
//! a weight would be overwritten before its old value is read.
//! Each decision leaves a reason in the kernel.

mod align;
mod inline;
mod join;
mod segments;
mod sequence;

use super::dims;
use super::fusion::Fusion;
use super::ir::*;
use super::lower::{Draft, Links, overwrites_safely, prune};
use crate::graph::Fold;
use align::align;
use sequence::Sequence;
use std::collections::{BTreeMap, BTreeSet};

/// The longest row, in elements, that stays close between two phases over it.
const CLOSE_ROW: usize = 16 * 1024;

pub fn run(draft: &mut Draft, fusion: &Fusion) {
    segments::run(&mut draft.program);
    merge_dims(draft);
    if fusion.prologues {
        inline::run(draft);
        merge_dims(draft);
    }
    let mut fuser = Fuser::new(std::mem::take(draft), *fusion);
    while fuser.join_readers() || fuser.join_neighbours() {}
    *draft = fuser.finish();
}

fn merge_dims(draft: &mut Draft) {
    for kernel in &mut draft.program.kernels {
        dims::merge(&mut kernel.kind);
    }
}

struct Fuser {
    fusion: Fusion,
    draft: Draft,
    /// None for a kernel that has joined another.
    kernels: Vec<Option<Kernel>>,
    links: Links,
    sequence: Sequence,
    /// By kernel: how often it took in others.
    grown: Vec<u32>,
    refused: BTreeMap<(usize, usize), Refusal>,
}

/// Two kernels that did not become one, and as which: until one of them takes in another, they never will. Their spaces
/// do not fit, or something between them waits for both, which cannot but join one of them first.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Refusal {
    /// How often each had grown.
    grown: [u32; 2],
    /// Whether the second was to read what the first stores.
    feeds: bool,
}

/// Two kernels in the order in which they run, and the buffers that they share.
struct Pair {
    first: usize,
    second: usize,
    shared: Vec<BufferId>,
    /// Whether the second reads what the first stores.
    feeds: bool,
}

impl Fuser {
    fn new(mut draft: Draft, fusion: Fusion) -> Fuser {
        let links = Links::of(&draft.program.kernels, &draft.becomes);
        let kernels: Vec<_> = std::mem::take(&mut draft.program.kernels).into_iter().map(Some).collect();
        let sequence = Sequence::of(&links, kernels.len());
        let grown = vec![0; kernels.len()];
        Fuser { fusion, draft, kernels, links, sequence, grown, refused: BTreeMap::new() }
    }

    fn finish(mut self) -> Draft {
        self.draft.program.kernels = self.kernels.into_iter().flatten().collect();
        self.draft
    }

    fn kernel(&self, i: usize) -> &Kernel {
        self.kernels[i].as_ref().expect("loops: a joined kernel is not asked for")
    }

    /// The kernels that still stand, in order.
    fn standing(&self) -> Vec<usize> {
        (0..self.kernels.len()).filter(|&i| self.kernels[i].is_some()).collect()
    }

    /// Joins rows with what they read. Whether anything changed.
    fn join_readers(&mut self) -> bool {
        let mut changed = false;
        for reader in self.standing() {
            // What has joined its maker goes on from there.
            let mut second = reader;
            while let Some(first) = self.makers(second).into_iter().find(|&first| self.joins(first, second)) {
                changed = true;
                second = first;
            }
        }
        changed
    }

    /// The kernels that store what this one reads, the latest first.
    fn makers(&self, reader: usize) -> Vec<usize> {
        let makers: BTreeSet<usize> =
            self.links.reads(reader).iter().filter_map(|&b| self.links.writer(b)).collect();
        makers.into_iter().rev().filter(|&maker| maker != reader).collect()
    }

    fn joins(&mut self, first: usize, second: usize) -> bool {
        let read = self.links.reads(second);
        let both = self.links.writes(first).iter().chain(self.links.reads(first));
        let shared = both.copied().filter(|b| read.contains(b)).collect();
        self.join(&Pair { first, second, shared, feeds: true })
    }

    /// Joins kernels that read the same tensor over the same points. Whether anything changed.
    fn join_neighbours(&mut self) -> bool {
        let mut changed = false;
        for second in self.standing() {
            for first in self.beside(second) {
                let read = self.links.reads(second);
                let shared: Vec<BufferId> =
                    self.links.reads(first).iter().copied().filter(|b| read.contains(b)).collect();
                if self.neighbours(first, second, &shared)
                    && self.join(&Pair { first, second, shared, feeds: false })
                {
                    changed = true;
                    break;
                }
            }
        }
        changed
    }

    /// The kernels before this one that could share its points, the latest first.
    fn beside(&self, second: usize) -> Vec<usize> {
        let KernelKind::Rows(rows) = &self.kernel(second).kind else { return Vec::new() };
        let mut beside: BTreeSet<usize> = BTreeSet::new();
        for &buffer in self.links.reads(second) {
            if self.draft.program.buffers[buffer].len() >= points(rows) {
                beside.extend(self.links.readers(buffer));
            }
        }
        beside.into_iter().filter(|&i| i < second).rev().collect()
    }

    /// Whether it pays to run two kernels as one that do not feed each other.
    fn neighbours(&self, first: usize, second: usize, shared: &[BufferId]) -> bool {
        let (KernelKind::Rows(a), KernelKind::Rows(b)) =
            (&self.kernel(first).kind, &self.kernel(second).kind)
        else {
            return false;
        };
        let backwards = self.links.writes(second).iter().any(|b| self.links.reads(first).contains(b));
        let alike = a.row.is_empty() == b.row.is_empty();
        let big = shared.iter().any(|&s| self.draft.program.buffers[s].len() >= points(a));
        !backwards && alike && points(a) == points(b) && big
    }

    /// Makes one kernel of two if that is right and pays.
    fn join(&mut self, pair: &Pair) -> bool {
        let both = (pair.first, pair.second);
        let refusal = Refusal { grown: [self.grown[both.0], self.grown[both.1]], feeds: pair.feeds };
        if self.refused.get(&both) == Some(&refusal) {
            return false;
        }
        let (first, second) = (self.kernel(pair.first), self.kernel(pair.second));
        let Some(kind) = joined(first, second, pair, &self.fusion) else {
            self.refused.insert(both, refusal);
            return false;
        };
        let mut kernel = Kernel::of(kind);
        let unstored = self.drop_dead_stores(pair, &mut kernel);
        let late = unstored.is_empty() && self.is_for_a_fold(pair);
        if late || !pays(first, second, &kernel, &unstored) || !self.keeps_weights(&kernel) {
            return false;
        }
        let Some(dependents) = self.sequence.dependents(&self.links, pair.first, pair.second) else {
            self.refused.insert(both, refusal);
            return false;
        };
        let reason = self.reason(pair, &Joining::of(first, second), &unstored);
        kernel.reasons = [first.reasons.as_slice(), &second.reasons, &[reason]].concat();
        self.sequence.join(pair.first, pair.second, pair.first, &dependents);
        self.links.remove(pair.first);
        self.links.remove(pair.second);
        self.links.insert(pair.first, &kernel);
        self.kernels[pair.second] = None;
        self.kernels[pair.first] = Some(kernel);
        self.grown[pair.first] += 1;
        true
    }

    /// Whether a map would write behind a product what one fold alone reads, over the same points: computed there, it
    /// is never stored. What the product gives it must be stored in any case, for a reader that joins no product.
    fn is_for_a_fold(&self, pair: &Pair) -> bool {
        let (first, second) = (self.kernel(pair.first), self.kernel(pair.second));
        let (KernelKind::Contract(_), KernelKind::Rows(map)) = (&first.kind, &second.kind) else {
            return false;
        };
        let (buffers, becomes) = (&self.draft.program.buffers, &self.draft.becomes);
        let passes = |buffer: BufferId| {
            let temp = buffers[buffer].kind == BufferKind::Temp && !becomes.contains_key(&buffer);
            let mut readers = self.links.readers(buffer);
            let folds = |reader| match &self.kernel(reader).kind {
                KernelKind::Rows(rows) => !rows.row.is_empty() && points(rows) == points(map),
                KernelKind::Contract(_) | KernelKind::Scatter(_) | KernelKind::Scan(_) => false,
            };
            temp && readers.next().is_some_and(folds) && readers.next().is_none()
        };
        let apart = |reader: usize| match &self.kernel(reader).kind {
            KernelKind::Rows(rows) => !rows.row.is_empty(),
            KernelKind::Contract(_) | KernelKind::Scatter(_) | KernelKind::Scan(_) => true,
        };
        let read = second.reads();
        let mut fed = first.writes().into_iter().filter(|buffer| read.contains(buffer));
        map.row.is_empty()
            && second.writes().into_iter().all(passes)
            && fed.all(|buffer| self.links.readers(buffer).any(apart))
    }

    /// Whether the kernel overwrites weights only where it reads them.
    fn keeps_weights(&self, kernel: &Kernel) -> bool {
        kernel.writes().iter().all(|temp| match self.draft.becomes.get(temp) {
            Some(&leaf) => overwrites_safely(kernel, *temp, leaf),
            None => true,
        })
    }

    /// Drops the stores of temporaries that no kernel but the pair reads; which they were.
    fn drop_dead_stores(&self, pair: &Pair, kernel: &mut Kernel) -> Vec<BufferId> {
        let (buffers, becomes) = (&self.draft.program.buffers, &self.draft.becomes);
        let dead = |s: &Store| {
            let buffer = s.access.buffer;
            buffers[buffer].kind == BufferKind::Temp
                && !becomes.contains_key(&buffer)
                && self.links.readers(buffer).all(|reader| [pair.first, pair.second].contains(&reader))
        };
        let Some(body) = kernel.body_mut() else { return Vec::new() };
        let dropped = body.stores.iter().filter(|s| dead(s)).map(|s| s.access.buffer).collect();
        body.stores.retain(|s| !dead(s));
        prune(body);
        dropped
    }

    /// What was joined, and the traffic that it saves.
    fn reason(&self, pair: &Pair, joining: &Joining, unstored: &[BufferId]) -> String {
        let buffers = &self.draft.program.buffers;
        let bytes = |of: &[BufferId]| super::print::bytes(of.iter().map(|&b| buffers[b].bytes()).sum());
        if !pair.feeds {
            return format!("{} over the same points: {} read once", joining.what, bytes(&pair.shared));
        }
        let updated = joining.writes.iter().filter_map(|b| self.draft.becomes.get(b));
        let updated: Vec<&str> = updated.map(|&leaf| &*buffers[leaf].name).collect();
        let (what, into) = (joining.what, joining.into);
        let joins = match updated.is_empty() {
            true => format!("{what} joins {into}"),
            false => format!("update of {} joins {into}", updated.join(", ")),
        };
        match unstored.is_empty() {
            true => format!("{joins}: {} less read", bytes(&joining.fed)),
            false => format!("{joins}: {} less read, {} less written", bytes(&joining.fed), bytes(unstored)),
        }
    }
}

/// What is remembered of two kernels that become one.
struct Joining {
    what: &'static str,
    into: &'static str,
    /// What the second writes.
    writes: Vec<BufferId>,
    /// What the first writes and the second reads.
    fed: Vec<BufferId>,
}

impl Joining {
    fn of(first: &Kernel, second: &Kernel) -> Joining {
        let read = second.reads();
        let fed = first.writes().into_iter().filter(|b| read.contains(b)).collect();
        Joining { what: name(second), into: name(first), writes: second.writes(), fed }
    }
}

/// What people call a kernel like this one.
fn name(kernel: &Kernel) -> &'static str {
    match &kernel.kind {
        KernelKind::Contract(_) => "product",
        KernelKind::Scatter(_) => "scatter",
        KernelKind::Scan(_) => "loop",
        KernelKind::Rows(rows) => {
            let mut folds = rows.body.nodes.iter().filter_map(|(_, node)| match node {
                Node::Fold { fold, .. } => Some(fold),
                Node::Acc
                | Node::Const { .. }
                | Node::Index { .. }
                | Node::Random { .. }
                | Node::Load(_)
                | Node::LoadAt { .. }
                | Node::Op { .. } => None,
            });
            match (folds.next(), folds.next()) {
                (Some(_), Some(_)) => "rows",
                (Some(Fold::Sum), None) => "sum",
                (Some(Fold::Max), None) => "max",
                (None, _) => "map",
            }
        }
    }
}

/// The kernel that does what both do, if their spaces can be laid into each other: the second into
/// the first, or what comes before a fold or in an epilogue into the second.
fn joined(first: &Kernel, second: &Kernel, pair: &Pair, fusion: &Fusion) -> Option<KernelKind> {
    if let KernelKind::Rows(_) = &second.kind
        && let Some(mut aligned) = align(&first.kind, &second.kind, &pair.shared, fusion)
    {
        let body = body_of(&mut aligned.host)?;
        *body = join::bodies(body, &aligned.guest)?;
        return Some(aligned.host);
    }
    let KernelKind::Rows(guest) = &first.kind else { return None };
    if let KernelKind::Contract(c) = &second.kind
        && (guest.body.folds() || first.writes().iter().any(|&b| c.multiplies(b)))
    {
        return None;
    }
    let mut aligned = align(&second.kind, &first.kind, &pair.shared, fusion)?;
    let body = body_of(&mut aligned.host)?;
    *body = join::bodies(&aligned.guest, body)?;
    Some(aligned.host)
}

fn body_of(kind: &mut KernelKind) -> Option<&mut Body> {
    match kind {
        KernelKind::Rows(rows) => Some(&mut rows.body),
        KernelKind::Contract(contract) => Some(&mut contract.body),
        KernelKind::Scatter(_) | KernelKind::Scan(_) => None,
    }
}

/// Whether joining loses nothing dear: a row that is walked for a fold and for stores stays close,
/// and what others read too is not made in the order of a fold over columns.
fn pays(first: &Kernel, second: &Kernel, joined: &Kernel, unstored: &[BufferId]) -> bool {
    let (KernelKind::Rows(a), KernelKind::Rows(b), KernelKind::Rows(rows)) =
        (&first.kind, &second.kind, &joined.kind)
    else {
        return true;
    };
    let row: usize = rows.row.iter().product();
    let full = |s: &Store| s.access.strides[rows.outer.len()..].iter().any(|&stride| stride != 0);
    if row > CLOSE_ROW && rows.body.stores.iter().any(full) {
        return false;
    }
    let prologue = a.row.is_empty() && !b.row.is_empty() && a.outer.len() > rows.outer.len();
    let all_unstored = first.writes().iter().all(|w| unstored.contains(w));
    !prologue || all_unstored || row_is_contiguous(rows)
}

/// Whether the rows of every full store lie side by side in memory.
fn row_is_contiguous(rows: &Rows) -> bool {
    let last = rows.outer.len() + rows.row.len() - 1;
    let full = |s: &&Store| s.access.strides[rows.outer.len()..].iter().any(|&stride| stride != 0);
    rows.body.stores.iter().filter(full).all(|s| s.access.strides[last] == 1)
}

fn points(rows: &Rows) -> usize {
    rows.outer.iter().chain(&rows.row).product()
}
