//! Which kernels share a dispatch.
//!
//! Dispatches run one after the other, and starting one costs more than most kernels of a small net take. So kernels
//! that do not wait for each other stand side by side in one grid: each gets a range of its workgroups. A kernel runs
//! as early as what it reads is there and what it overwrites has been read. One that fills a device by itself gains
//! nothing from company, and has a dispatch of its own.

use super::{Heap, Piece, Place, Target};
use crate::codegen::bind::Binding;
use crate::loops::{BufferId, KernelKind, Program};
use std::collections::BTreeSet;
use std::ops::Range;

/// Workgroups from which a kernel fills a device: about eight for each of a hundred processors.
pub const FILLS: u64 = 1024;

/// Kernels in one dispatch at most, so that a module stays small to compile.
const COMPANY: usize = 8;

/// What a buffer takes of something that buffers share.
pub type Span = Range<usize>;

/// The level of each kernel: the longest chain of kernels that it waits for. Buffers are apart.
pub fn levels(program: &Program) -> Vec<usize> {
    levels_within(program, &(0..program.buffers.len()).map(|i| i..i + 1).collect::<Vec<Span>>())
}

/// The same where a buffer is in the way of those whose spans it meets.
pub fn levels_within(program: &Program, spans: &[Span]) -> Vec<usize> {
    let spans_of =
        |buffers: Vec<BufferId>| buffers.iter().map(|b| spans[b.index()].clone()).collect::<Vec<Span>>();
    let uses: Vec<_> = program.kernels.iter().map(|k| (spans_of(k.reads()), spans_of(k.writes()))).collect();
    let meets =
        |span: &Span, others: &[Span]| others.iter().any(|o| span.start < o.end && o.start < span.end);
    let mut levels: Vec<usize> = Vec::with_capacity(uses.len());
    for (k, (reads, writes)) in uses.iter().enumerate() {
        let waits_for = |(before_reads, before_writes): &(Vec<Span>, Vec<Span>)| {
            before_writes.iter().any(|b| meets(b, reads) || meets(b, writes))
                || before_reads.iter().any(|b| meets(b, writes))
        };
        let chain = (0..k).filter(|&j| waits_for(&uses[j])).map(|j| levels[j] + 1).max();
        // What runs again has nothing to wait for, and must not come early.
        let before = if program.kernels[k].again { levels.iter().max().copied() } else { None };
        levels.push(chain.max(before).unwrap_or(0));
    }
    levels
}

/// The kernels of each dispatch, in order. A kernel without workgroups is in none.
pub fn dispatches(
    levels: &[usize],
    pieces: &[Piece],
    bound: &[(KernelKind, Binding)],
    places: &[Option<Place>],
    target: &Target,
) -> Vec<Vec<usize>> {
    let heaps: Vec<BTreeSet<Heap>> = bound.iter().map(|(_, b)| heaps(b, places)).collect();
    let mut dispatches: Vec<Company> = Vec::new();
    for level in 0..levels.iter().max().map_or(0, |l| l + 1) {
        // Of this level, the dispatch that still takes kernels.
        let mut open: Option<usize> = None;
        for k in (0..levels.len()).filter(|&k| levels[k] == level && pieces[k].groups > 0) {
            let fills = pieces[k].groups >= FILLS;
            match open.filter(|&d| !fills && dispatches[d].takes(&pieces[k], &heaps[k], target)) {
                Some(d) => dispatches[d].add(k, &pieces[k], &heaps[k]),
                None => {
                    let mut company = Company::default();
                    company.add(k, &pieces[k], &heaps[k]);
                    dispatches.push(company);
                    open = if fills { open } else { Some(dispatches.len() - 1) };
                }
            }
        }
    }
    dispatches.into_iter().map(|c| c.kernels).collect()
}

fn heaps(binding: &Binding, places: &[Option<Place>]) -> BTreeSet<Heap> {
    binding.buffers.iter().filter_map(|b| places[b.index()]).map(|place| place.heap).collect()
}

/// Kernels side by side in one grid.
#[derive(Default)]
struct Company {
    kernels: Vec<usize>,
    shared_bytes: u32,
    heaps: BTreeSet<Heap>,
}

impl Company {
    fn takes(&self, piece: &Piece, heaps: &BTreeSet<Heap>, target: &Target) -> bool {
        self.kernels.len() < COMPANY
            && self.shared_bytes + piece.shared_bytes <= target.workgroup_bytes
            && self.heaps.union(heaps).count() <= target.max_storage_buffers as usize
    }

    fn add(&mut self, kernel: usize, piece: &Piece, heaps: &BTreeSet<Heap>) {
        self.kernels.push(kernel);
        self.shared_bytes += piece.shared_bytes;
        self.heaps.extend(heaps);
    }
}
