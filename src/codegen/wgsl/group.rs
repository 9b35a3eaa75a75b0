//! Which kernels share a dispatch.
//!
//! Dispatches run one after the other, and starting one costs more than most kernels of a small net take. So kernels
//! that do not wait for each other stand side by side in one grid: each gets a range of its workgroups. A kernel runs
//! as early as what it reads is there and what it overwrites has been read. One that fills a device by itself gains
//! nothing from company, and has a dispatch of its own.

use super::{Heap, Piece, Place, Target};
use crate::codegen::bind::Binding;
use crate::loops::{KernelKind, Program};
use std::collections::BTreeSet;

/// Workgroups from which a kernel fills a device: about eight for each of a hundred processors.
const FILLS: u64 = 1024;

/// Kernels in one dispatch at most, so that a module stays small to compile.
const COMPANY: usize = 8;

/// The level of each kernel: the longest chain of kernels that it waits for.
pub fn levels(program: &Program) -> Vec<usize> {
    let uses: Vec<_> = program.kernels.iter().map(|k| (k.reads(), k.writes())).collect();
    let mut levels: Vec<usize> = Vec::with_capacity(uses.len());
    for (k, (reads, writes)) in uses.iter().enumerate() {
        let waits_for = |(before_reads, before_writes): &(Vec<_>, Vec<_>)| {
            before_writes.iter().any(|b| reads.contains(b) || writes.contains(b))
                || before_reads.iter().any(|b| writes.contains(b))
        };
        let chain = (0..k).filter(|&j| waits_for(&uses[j])).map(|j| levels[j] + 1).max();
        levels.push(chain.unwrap_or(0));
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
