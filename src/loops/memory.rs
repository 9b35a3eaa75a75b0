//! Places temporaries in one arena by their lifetimes.
//!
//! A temporary lives from the kernel that writes it to its last reader. One
//! that is first written where another is last read, element over element,
//! takes its place. The largest go first, each into the tightest gap that
//! fits (best fit): deterministic, and near the bound in practice.

use super::ir::*;
use super::lower::overwrites_safely;
use crate::base::Id;

/// Offsets are multiples of this: two cache lines, so that no two threads share one.
pub const ALIGN: usize = 128;

/// Where each temporary lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// By buffer id: the byte offset in the arena; none for what is no temporary.
    pub offsets: Vec<Option<usize>>,
    pub arena_bytes: usize,
    /// The largest set of temporaries that live at once: no plan needs less.
    pub live_bound_bytes: usize,
    /// By buffer id: the first and the last kernel of each temporary.
    pub lifetimes: Vec<Option<Lifetime>>,
}

/// The kernels that a temporary lives through, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    pub first: usize,
    pub last: usize,
}

impl Lifetime {
    fn meets(self, other: Lifetime) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Temporaries that follow one another in one place.
struct Slot {
    buffers: Vec<BufferId>,
    life: Lifetime,
    bytes: usize,
    offset: usize,
}

pub fn plan(program: &Program) -> MemoryPlan {
    let lifetimes = lifetimes(program);
    let mut slots = slots(program, &lifetimes);
    let live_bound_bytes = (0..program.kernels.len())
        .map(|k| slots.iter().filter(|s| s.life.first <= k && k <= s.life.last).map(|s| s.bytes).sum())
        .max()
        .unwrap_or(0);
    slots.sort_by_key(|s| (std::cmp::Reverse(s.bytes), s.life.first, s.buffers[0]));
    for i in 0..slots.len() {
        let (placed, rest) = slots.split_at_mut(i);
        rest[0].offset = best_fit(placed, &rest[0]);
    }
    let mut offsets = vec![None; program.buffers.len()];
    for slot in &slots {
        for buffer in &slot.buffers {
            offsets[buffer.index()] = Some(slot.offset);
        }
    }
    let arena_bytes = slots.iter().map(|s| s.offset + s.bytes).max().unwrap_or(0);
    MemoryPlan { offsets, arena_bytes, live_bound_bytes, lifetimes }
}

fn lifetimes(program: &Program) -> Vec<Option<Lifetime>> {
    let mut lives: Vec<Option<Lifetime>> = vec![None; program.buffers.len()];
    for (k, kernel) in program.kernels.iter().enumerate() {
        for buffer in kernel.reads().into_iter().chain(kernel.writes()) {
            if program.buffers[buffer].kind == BufferKind::Temp {
                lives[buffer.index()].get_or_insert(Lifetime { first: k, last: k }).last = k;
            }
        }
    }
    lives
}

/// Temporaries in the order of their first writer, those that can be written in place together.
fn slots(program: &Program, lives: &[Option<Lifetime>]) -> Vec<Slot> {
    let mut temps: Vec<(Lifetime, BufferId)> =
        lives.iter().enumerate().filter_map(|(i, life)| Some(((*life)?, Id::new(i)))).collect();
    temps.sort_by_key(|(life, id)| (life.first, *id));
    let mut slots: Vec<Slot> = Vec::new();
    for (life, id) in temps {
        let bytes = program.buffers[id].bytes().next_multiple_of(ALIGN).max(ALIGN);
        let kernel = &program.kernels[life.first];
        let ends_here = |slot: &Slot| {
            let last = *slot.buffers.last().expect("loops: slots are made with a buffer");
            slot.life.last == life.first
                && kernel.reads().contains(&last)
                && program.buffers[last].len() == program.buffers[id].len()
                && program.buffers[last].dtype.bytes() == program.buffers[id].dtype.bytes()
                && overwrites_safely(kernel, id, last)
        };
        match slots.iter_mut().find(|slot| ends_here(slot)) {
            Some(slot) => {
                slot.buffers.push(id);
                slot.life.last = life.last;
            }
            None => slots.push(Slot { buffers: vec![id], life, bytes, offset: 0 }),
        }
    }
    slots
}

/// The start of the smallest gap between the slots that live with `slot`, or their end.
fn best_fit(placed: &[Slot], slot: &Slot) -> usize {
    let mut around: Vec<&Slot> = placed.iter().filter(|p| p.life.meets(slot.life)).collect();
    around.sort_by_key(|p| p.offset);
    let (mut end, mut best) = (0, None);
    for p in around {
        if p.offset >= end + slot.bytes && best.is_none_or(|(gap, _)| p.offset - end < gap) {
            best = Some((p.offset - end, end));
        }
        end = end.max(p.offset + p.bytes);
    }
    best.map_or(end, |(_, start)| start)
}

/// Whether no two temporaries that live at once share a byte, those aside that are written in place.
pub fn verify(program: &Program, plan: &MemoryPlan) -> Result<(), String> {
    let placed: Vec<(BufferId, usize, Lifetime)> = program
        .buffers
        .ids()
        .filter_map(|id| Some((id, plan.offsets[id.index()]?, plan.lifetimes[id.index()]?)))
        .collect();
    for (i, &(a, at, life)) in placed.iter().enumerate() {
        let name = &program.buffers[a].name;
        if at % ALIGN != 0 || at + program.buffers[a].bytes() > plan.arena_bytes {
            return Err(format!("{name} lies at {at} of {} bytes", plan.arena_bytes));
        }
        for &(b, other_at, other) in &placed[..i] {
            let apart =
                at + program.buffers[a].bytes() <= other_at || other_at + program.buffers[b].bytes() <= at;
            let ((early, early_life), (late, late_life)) =
                if life.first <= other.first { ((a, life), (b, other)) } else { ((b, other), (a, life)) };
            let kernel = &program.kernels[late_life.first];
            let in_place = early_life.last == late_life.first
                && at == other_at
                && kernel.reads().contains(&early)
                && overwrites_safely(kernel, late, early);
            if life.meets(other) && !apart && !in_place {
                return Err(format!("{name} and {} share memory", program.buffers[b].name));
            }
        }
    }
    Ok(())
}
