//! Places temporaries in one arena by their lifetimes.
//!
//! A temporary lives from the kernel that writes it to its last reader. One
//! that is first written where another is last read, element over element,
//! takes its place. The largest go first, each into the tightest gap that
//! fits (best fit): deterministic, and near the bound in practice.

use super::ir::*;
use super::lower::overwrites_safely;
use crate::base::Id;

/// Offsets are multiples of this: no two threads share a line.
pub use mlc_kernels::block::ALIGN;

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

/// What a plan reckons with: a machine runs kernels in some order, and lays elements out in its way.
pub struct Layout {
    /// When each kernel runs; those with the same number run at once.
    pub times: Vec<usize>,
    /// Of each buffer, by id.
    pub bytes: Vec<usize>,
    /// No buffer crosses a multiple of this: a machine sees its memory in windows.
    pub window: usize,
}

impl Layout {
    /// One kernel after the other, elements as wide as their type, all memory in one window.
    pub fn in_order(program: &Program) -> Layout {
        Layout {
            times: (0..program.kernels.len()).collect(),
            bytes: program.buffers.iter().map(|(_, b)| b.bytes()).collect(),
            window: usize::MAX,
        }
    }

    /// Bytes that a buffer takes, with what follows it up to the next one.
    fn room(&self, buffer: BufferId) -> usize {
        self.bytes[buffer.index()].next_multiple_of(ALIGN).max(ALIGN)
    }

    /// Whether `kernel` alone uses `buffer` while it runs.
    fn alone(&self, program: &Program, kernel: usize, buffer: BufferId) -> bool {
        let others = program.kernels.iter().zip(&self.times).enumerate();
        let mut at_once = others.filter(|(k, (_, time))| *k != kernel && **time == self.times[kernel]);
        !at_once.any(|(_, (other, _))| other.reads().contains(&buffer) || other.writes().contains(&buffer))
    }
}

/// The plan of a machine that runs one kernel after the other.
pub fn plan(program: &Program) -> MemoryPlan {
    plan_for(program, &Layout::in_order(program))
}

/// The plan of any machine.
///
/// # Panics
/// If a buffer is larger than a window.
pub fn plan_for(program: &Program, layout: &Layout) -> MemoryPlan {
    let lifetimes = lifetimes(program, layout);
    let mut slots = slots(program, layout, &lifetimes);
    let end = layout.times.iter().map(|t| t + 1).max().unwrap_or(0);
    let live_bound_bytes = (0..end)
        .map(|k| slots.iter().filter(|s| s.life.first <= k && k <= s.life.last).map(|s| s.bytes).sum())
        .max()
        .unwrap_or(0);
    slots.sort_by_key(|s| (std::cmp::Reverse(s.bytes), s.life.first, s.buffers[0]));
    for i in 0..slots.len() {
        let (placed, rest) = slots.split_at_mut(i);
        rest[0].offset = best_fit(placed, &rest[0], layout.window);
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

/// When each temporary is there, by buffer.
pub fn lifetimes(program: &Program, layout: &Layout) -> Vec<Option<Lifetime>> {
    let mut lives: Vec<Option<Lifetime>> = vec![None; program.buffers.len()];
    for (kernel, &time) in program.kernels.iter().zip(&layout.times) {
        for buffer in kernel.reads().into_iter().chain(kernel.writes()) {
            if program.buffers[buffer].kind == BufferKind::Temp {
                let life = lives[buffer.index()].get_or_insert(Lifetime { first: time, last: time });
                *life = Lifetime { first: life.first.min(time), last: life.last.max(time) };
            }
        }
    }
    lives
}

/// The kernel that writes each temporary, by buffer id.
fn writers(program: &Program) -> Vec<Option<usize>> {
    let mut writers = vec![None; program.buffers.len()];
    for (k, kernel) in program.kernels.iter().enumerate() {
        kernel.writes().into_iter().for_each(|buffer| writers[buffer.index()] = Some(k));
    }
    writers
}

/// Temporaries in the order of their first writer, those that can be written in place together.
fn slots(program: &Program, layout: &Layout, lives: &[Option<Lifetime>]) -> Vec<Slot> {
    let writers = writers(program);
    let mut temps: Vec<(Lifetime, BufferId)> =
        lives.iter().enumerate().filter_map(|(i, life)| Some(((*life)?, Id::new(i)))).collect();
    temps.sort_by_key(|(life, id)| (life.first, *id));
    let mut slots: Vec<Slot> = Vec::new();
    for (life, id) in temps {
        let bytes = layout.room(id);
        assert!(bytes <= layout.window, "loops: {} fits a window", program.buffers[id].name);
        let writer = writers[id.index()].expect("loops: a temporary is written");
        let kernel = &program.kernels[writer];
        let ends_here = |slot: &Slot| {
            let last = *slot.buffers.last().expect("loops: slots are made with a buffer");
            slot.life.last == life.first
                && kernel.reads().contains(&last)
                && program.buffers[last].len() == program.buffers[id].len()
                && layout.bytes[last.index()] == layout.bytes[id.index()]
                && overwrites_safely(kernel, id, last)
                && layout.alone(program, writer, last)
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
fn best_fit(placed: &[Slot], slot: &Slot, window: usize) -> usize {
    // Where a slot that would cross into the next window starts there.
    let aligned = |start: usize| {
        if start / window == (start + slot.bytes - 1) / window {
            start
        } else {
            start.next_multiple_of(window)
        }
    };
    let mut around: Vec<&Slot> = placed.iter().filter(|p| p.life.meets(slot.life)).collect();
    around.sort_by_key(|p| p.offset);
    let (mut end, mut best) = (0, None);
    for p in around {
        let start = aligned(end);
        if p.offset >= start + slot.bytes && best.is_none_or(|(gap, _)| p.offset - end < gap) {
            best = Some((p.offset - end, start));
        }
        end = end.max(p.offset + p.bytes);
    }
    best.map_or(aligned(end), |(_, start)| start)
}

/// Whether no two temporaries that live at once share a byte, those aside that are written in place.
pub fn verify(program: &Program, plan: &MemoryPlan) -> Result<(), String> {
    verify_for(program, &Layout::in_order(program), plan)
}

/// The same of any machine; also that none crosses a window.
pub fn verify_for(program: &Program, layout: &Layout, plan: &MemoryPlan) -> Result<(), String> {
    let writers = writers(program);
    let size = |id: BufferId| layout.bytes[id.index()];
    let placed: Vec<(BufferId, usize, Lifetime)> = program
        .buffers
        .ids()
        .filter_map(|id| Some((id, plan.offsets[id.index()]?, plan.lifetimes[id.index()]?)))
        .collect();
    for (i, &(a, at, life)) in placed.iter().enumerate() {
        let name = &program.buffers[a].name;
        if at % ALIGN != 0 || at + size(a) > plan.arena_bytes {
            return Err(format!("{name} lies at {at} of {} bytes", plan.arena_bytes));
        }
        if at / layout.window != (at + size(a).max(1) - 1) / layout.window {
            return Err(format!("{name} at {at} crosses a window of {} bytes", layout.window));
        }
        for &(b, other_at, other) in &placed[..i] {
            let apart = at + size(a) <= other_at || other_at + size(b) <= at;
            let ((early, early_life), (late, late_life)) =
                if life.first <= other.first { ((a, life), (b, other)) } else { ((b, other), (a, life)) };
            let writer = writers[late.index()].expect("loops: a temporary is written");
            let kernel = &program.kernels[writer];
            let in_place = early_life.last == late_life.first
                && at == other_at
                && kernel.reads().contains(&early)
                && overwrites_safely(kernel, late, early)
                && layout.alone(program, writer, early);
            if life.meets(other) && !apart && !in_place {
                return Err(format!("{name} and {} share memory", program.buffers[b].name));
            }
        }
    }
    Ok(())
}
