//! Joins kernels, so that values stay in registers and in L1.
//!
//! Greedy in program order. A kernel of rows joins the product or the rows
//! that make what it reads (a map in an epilogue, a fold over the same rows,
//! an optimizer's update behind its gradient), or takes its only reader's
//! place in front of a fold; then kernels that read the same tensor over the
//! same points join. What no other kernel reads is then never stored. No two
//! kernels join if something between them would have to wait for both, nor if
//! a weight would be overwritten before its old value is read.
//! Each decision leaves a reason in the kernel.

mod align;
mod join;

use super::dims;
use super::ir::*;
use super::lower::{Draft, overwrites_safely, prune, successors};
use crate::graph::Fold;
use std::collections::BTreeSet;

/// The longest row, in elements, that stays close between two phases over it.
const CLOSE_ROW: usize = 16 * 1024;

pub fn run(draft: &mut Draft) {
    for kernel in &mut draft.program.kernels {
        dims::merge(&mut kernel.kind);
    }
    let mut fuser = Fuser::new(std::mem::take(draft));
    while fuser.join_readers() || fuser.join_neighbours() {}
    *draft = fuser.finish();
}

struct Fuser {
    draft: Draft,
    /// None for a kernel that has joined another.
    kernels: Vec<Option<Kernel>>,
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
    fn new(mut draft: Draft) -> Fuser {
        let kernels = std::mem::take(&mut draft.program.kernels).into_iter().map(Some).collect();
        Fuser { draft, kernels }
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
        for second in self.standing() {
            let makers = self.makers(second);
            changed |= makers.into_iter().any(|first| self.joins(first, second));
        }
        changed
    }

    /// The kernels that store what this one reads, the latest first.
    fn makers(&self, reader: usize) -> Vec<usize> {
        let reads = self.kernel(reader).reads();
        let stores = |i: &usize| *i != reader && self.kernel(*i).writes().iter().any(|b| reads.contains(b));
        self.standing().into_iter().rev().filter(stores).collect()
    }

    fn joins(&mut self, first: usize, second: usize) -> bool {
        let (made, read) = (self.kernel(first).writes(), self.kernel(second).reads());
        let mut shared: Vec<BufferId> = made.iter().copied().filter(|b| read.contains(b)).collect();
        let also = self.kernel(first).reads().into_iter().filter(|b| read.contains(b));
        shared.extend(also);
        self.join(&Pair { first, second, shared, feeds: true })
    }

    /// Joins kernels that read the same tensor over the same points. Whether anything changed.
    fn join_neighbours(&mut self) -> bool {
        let standing = self.standing();
        for (at, &second) in standing.iter().enumerate() {
            for &first in standing[..at].iter().rev() {
                let read = self.kernel(second).reads();
                let shared: Vec<BufferId> =
                    self.kernel(first).reads().into_iter().filter(|b| read.contains(b)).collect();
                if self.neighbours(first, second, &shared)
                    && self.join(&Pair { first, second, shared, feeds: false })
                {
                    return true;
                }
            }
        }
        false
    }

    /// Whether it pays to run two kernels as one that do not feed each other.
    fn neighbours(&self, first: usize, second: usize, shared: &[BufferId]) -> bool {
        let (KernelKind::Rows(a), KernelKind::Rows(b)) =
            (&self.kernel(first).kind, &self.kernel(second).kind)
        else {
            return false;
        };
        let scalars = [a, b].iter().all(|rows| rows.outer.is_empty() && rows.row.is_empty());
        let alike = a.row.is_empty() == b.row.is_empty();
        let points = |rows: &Rows| rows.outer.iter().chain(&rows.row).product::<usize>();
        let big = shared.iter().any(|&s| self.draft.program.buffers[s].len() >= points(a));
        let backwards = self.kernel(second).writes().iter().any(|b| self.kernel(first).reads().contains(b));
        !backwards && (scalars || (alike && points(a) == points(b) && big))
    }

    /// Makes one kernel of two if that is right and pays.
    fn join(&mut self, pair: &Pair) -> bool {
        let (first, second) = (self.kernel(pair.first), self.kernel(pair.second));
        let Some(kind) = joined(first, second, pair) else { return false };
        if pair.feeds && !self.pays(first, second, &kind) {
            return false;
        }
        if !self.keeps_weights(&kind) || self.between(pair.first, pair.second) {
            return false;
        }
        let reasons = [first.reasons.as_slice(), &second.reasons].concat();
        let joining = Joining::of(first, second);
        let mut kernel = Kernel { label: String::new(), reasons, kind };
        self.kernels[pair.second] = None;
        let unstored = self.drop_dead_stores(pair.first, &mut kernel);
        kernel.reasons.push(self.reason(pair, &joining, &unstored));
        self.kernels[pair.first] = Some(kernel);
        true
    }

    /// Whether a fed join loses nothing dear: a row that is walked twice stays close, and what many
    /// read is not made in the order of one fold.
    fn pays(&self, first: &Kernel, second: &Kernel, joined: &KernelKind) -> bool {
        let KernelKind::Rows(rows) = joined else { return true };
        let (KernelKind::Rows(a), KernelKind::Rows(b)) = (&first.kind, &second.kind) else { return true };
        let row: usize = rows.row.iter().product();
        let phases_after_fold = !a.row.is_empty() && second_varies_over_row(rows, b);
        if phases_after_fold && row > CLOSE_ROW {
            return false;
        }
        let prologue = a.row.is_empty() && !b.row.is_empty() && !rows.row.is_empty();
        let outer_only = a.outer.iter().product::<usize>() == rows.outer.iter().product::<usize>();
        let read_elsewhere = first.writes().iter().any(|&w| {
            self.draft.program.buffers[w].kind != BufferKind::Temp
                || self.standing().iter().filter(|&&i| self.kernel(i).reads().contains(&w)).count() > 1
        });
        !(prologue && !outer_only && read_elsewhere && !row_is_contiguous(rows))
    }

    /// Whether the kernel overwrites weights only where it reads them.
    fn keeps_weights(&self, kind: &KernelKind) -> bool {
        let kernel = Kernel { label: String::new(), reasons: Vec::new(), kind: kind.clone() };
        kernel.writes().iter().all(|temp| match self.draft.becomes.get(temp) {
            Some(&leaf) => overwrites_safely(&kernel, *temp, leaf),
            None => true,
        })
    }

    /// Whether a third kernel must run after one of the two and before the other.
    fn between(&self, a: usize, b: usize) -> bool {
        let standing = self.standing();
        let kernels: Vec<&Kernel> = standing.iter().map(|&i| self.kernel(i)).collect();
        let after = successors(&kernels, &self.draft.becomes);
        let at = |i| standing.iter().position(|&s| s == i).expect("loops: both kernels stand");
        let (a, b) = (at(a), at(b));
        reaches(&after, a, b) || reaches(&after, b, a)
    }

    /// Drops the stores of temporaries that nobody reads; which they were.
    fn drop_dead_stores(&mut self, at: usize, kernel: &mut Kernel) -> Vec<BufferId> {
        let standing = self.standing();
        let read: BTreeSet<BufferId> =
            standing.iter().filter(|&&i| i != at).flat_map(|&i| self.kernel(i).reads()).collect();
        let (buffers, becomes) = (&self.draft.program.buffers, &self.draft.becomes);
        let dead = |s: &Store| {
            let buffer = s.access.buffer;
            buffers[buffer].kind == BufferKind::Temp
                && !becomes.contains_key(&buffer)
                && !read.contains(&buffer)
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
fn joined(first: &Kernel, second: &Kernel, pair: &Pair) -> Option<KernelKind> {
    if let KernelKind::Rows(guest) = &second.kind
        && let Some(mut aligned) = aligned(&first.kind, guest, pair)
    {
        let body = body_of(&mut aligned.host)?;
        *body = join::bodies(body, &aligned.guest)?;
        return Some(aligned.host);
    }
    let KernelKind::Rows(guest) = &first.kind else { return None };
    if let KernelKind::Contract(c) = &second.kind
        && first.writes().iter().any(|b| [c.lhs.buffer, c.rhs.buffer].contains(b))
    {
        return None;
    }
    let mut aligned = aligned(&second.kind, guest, pair)?;
    let body = body_of(&mut aligned.host)?;
    *body = join::bodies(&aligned.guest, body)?;
    Some(aligned.host)
}

fn body_of(kind: &mut KernelKind) -> Option<&mut Body> {
    match kind {
        KernelKind::Rows(rows) => Some(&mut rows.body),
        KernelKind::Contract(contract) => Some(&mut contract.body),
        KernelKind::Scatter(_) => None,
    }
}

fn aligned(host: &KernelKind, guest: &Rows, pair: &Pair) -> Option<align::Aligned> {
    let scalar =
        |kind: &KernelKind| matches!(kind, KernelKind::Rows(r) if r.outer.is_empty() && r.row.is_empty());
    if pair.shared.is_empty() && !(scalar(host) && guest.outer.is_empty() && guest.row.is_empty()) {
        return None;
    }
    align::align(host, guest, &pair.shared)
}

/// Whether what the second kernel does happens at every point of the rows that it has joined.
fn second_varies_over_row(joined: &Rows, second: &Rows) -> bool {
    let points = |rows: &Rows| rows.outer.iter().chain(&rows.row).product::<usize>();
    points(second) == points(joined)
}

/// Whether the rows of every full store lie side by side in memory.
fn row_is_contiguous(rows: &Rows) -> bool {
    let last = rows.outer.len() + rows.row.len() - 1;
    let full = |s: &&Store| s.access.strides[rows.outer.len()..].iter().any(|&stride| stride != 0);
    rows.body.stores.iter().filter(full).all(|s| s.access.strides[last] == 1)
}

/// Whether there is a way from `from` to `to` through some other kernel.
fn reaches(after: &[BTreeSet<usize>], from: usize, to: usize) -> bool {
    let mut seen = vec![false; after.len()];
    let mut open: Vec<usize> = after[from].iter().copied().filter(|&next| next != to).collect();
    while let Some(i) = open.pop() {
        if i == to {
            return true;
        }
        if !std::mem::replace(&mut seen[i], true) && i != from {
            open.extend(&after[i]);
        }
    }
    false
}
