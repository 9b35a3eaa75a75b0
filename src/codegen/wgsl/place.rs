//! Where every buffer lies.
//!
//! Weights and states have heaps that all programs of a job share; temporaries share an arena by their lifetimes,
//! which are counted in levels, since the kernels of a level run at once. A heap is one physical buffer and one binding:
//! so a dispatch binds few buffers, however many tensors its kernels use, and no heap is larger than a binding may be.

use super::{Heap, Lack, Place, Slot, Target, WORD, words};
use crate::base::DType;
use crate::loops::memory::{self, Layout};
use crate::loops::{Buffer, BufferId, BufferKind, Program};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Words that every buffer starts at a multiple of: 128 bytes, the line that a device fetches.
const ALIGN: u64 = 32;

/// Where the weights and states of a job lie, whatever program uses them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WeightPlaces {
    places: BTreeMap<Arc<str>, Place>,
    /// Bytes of each heap.
    pub heaps: Vec<u64>,
}

impl WeightPlaces {
    /// Lays weights out in the order given, `(name, elements)`, in as few heaps as that allows.
    ///
    /// # Errors
    /// If one is larger than a binding.
    pub fn new<'a>(
        slots: impl IntoIterator<Item = (&'a str, usize)>,
        target: &Target,
    ) -> Result<WeightPlaces, Lack> {
        let mut laid = WeightPlaces::default();
        for (name, elements) in slots {
            let bytes = room(elements as u64) * WORD;
            fits(name, bytes, target)?;
            let opens = laid.heaps.last().is_none_or(|used| used + bytes > target.max_binding_bytes);
            if opens {
                laid.heaps.push(0);
            }
            let index = laid.heaps.len() - 1;
            let word = word(laid.heaps[index]);
            laid.heaps[index] += bytes;
            laid.places.insert(Arc::from(name), Place { heap: Heap::Weights(index as u32), word });
        }
        Ok(laid)
    }

    /// Those of one program alone, as it lists them.
    ///
    /// # Errors
    /// As of [`new`](Self::new).
    pub fn of_program(program: &Program, target: &Target) -> Result<WeightPlaces, Lack> {
        let kept = program.buffers.iter().filter(|(_, b)| is_kept(&b.kind));
        WeightPlaces::new(kept.map(|(_, b)| (&*b.name, b.len())), target)
    }

    pub fn get(&self, name: &str) -> Option<Place> {
        self.places.get(name).copied()
    }
}

fn is_kept(kind: &BufferKind) -> bool {
    match kind {
        BufferKind::Param(_) | BufferKind::State(_) => true,
        BufferKind::Batch | BufferKind::Scalar | BufferKind::Temp | BufferKind::Output => false,
    }
}

fn room(words: u64) -> u64 {
    words.next_multiple_of(ALIGN).max(ALIGN)
}

fn word(bytes: u64) -> u32 {
    u32::try_from(bytes / WORD).expect("wgsl: a heap has less than 2^32 words")
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn fits(name: &str, bytes: u64, target: &Target) -> Result<(), Lack> {
    if bytes <= target.max_binding_bytes {
        return Ok(());
    }
    Err(Lack {
        what: format!("`{name}` takes {}", mib(bytes)),
        limit: format!("a shader of this device sees at most {} of a buffer", mib(target.max_binding_bytes)),
    })
}

/// The places of a program.
#[derive(Debug)]
pub struct Placed {
    pub places: Vec<Option<Place>>,
    pub arena: Vec<u64>,
    pub live_bound_bytes: u64,
    pub inputs: Slot,
    pub results: Slot,
}

/// Bytes that a temporary takes.
fn arena_room(buffer: &Buffer) -> u64 {
    words(buffer.dtype, buffer.len(), Heap::Arena(0)) * WORD
}

/// The most of a heap that a binding sees, in whole lines.
fn window(target: &Target) -> u64 {
    target.max_binding_bytes / (ALIGN * WORD) * (ALIGN * WORD)
}

fn layout(program: &Program, levels: &[usize], window: u64) -> Layout {
    Layout {
        times: levels.to_vec(),
        bytes: program.buffers.iter().map(|(_, b)| arena_room(b) as usize).collect(),
        window: window as usize,
    }
}

/// Bytes that the temporaries of a program take, none of which is larger than a binding.
pub fn arena_bytes(program: &Program, target: &Target) -> usize {
    let layout = layout(program, &super::group::levels(program), window(target));
    memory::plan_for(program, &layout).arena_bytes
}

/// Places every buffer that a kernel uses, or a run is asked for.
///
/// # Errors
/// If a buffer, or all that a step is given or leaves, is larger than a binding.
///
/// # Panics
/// If a weight of the program has no place among `weights`.
pub fn place(
    program: &Program,
    levels: &[usize],
    weights: &WeightPlaces,
    target: &Target,
) -> Result<Placed, Lack> {
    for (_, buffer) in program.buffers.iter().filter(|(_, b)| b.kind == BufferKind::Temp) {
        fits(&buffer.name, arena_room(buffer), target)?;
    }
    let window = window(target);
    let layout = layout(program, levels, window);
    let plan = memory::plan_for(program, &layout);
    let mut places: Vec<Option<Place>> = vec![None; program.buffers.len()];
    for (id, buffer) in program.buffers.iter() {
        places[id.index()] = match buffer.kind {
            BufferKind::Temp => plan.offsets[id.index()].map(|at| {
                let at = at as u64;
                Place { heap: Heap::Arena((at / window) as u32), word: word(at % window) }
            }),
            BufferKind::Param(_) | BufferKind::State(_) => {
                Some(weights.get(&buffer.name).expect("wgsl: every weight of a program has its place"))
            }
            BufferKind::Batch | BufferKind::Scalar | BufferKind::Output => None,
        };
    }
    let is_input = |kind: &BufferKind| matches!(kind, BufferKind::Batch | BufferKind::Scalar);
    let inputs = slot(program, Heap::Inputs, is_input, &mut places, target)?;
    let results = slot(program, Heap::Results, |kind| *kind == BufferKind::Output, &mut places, target)?;
    let arena = plan.arena_bytes as u64;
    let heaps = arena.div_ceil(window);
    Ok(Placed {
        places,
        arena: (0..heaps).map(|h| (arena - h * window).min(window)).collect(),
        live_bound_bytes: plan.live_bound_bytes as u64,
        inputs,
        results,
    })
}

fn slot(
    program: &Program,
    heap: Heap,
    holds: impl Fn(&BufferKind) -> bool,
    places: &mut [Option<Place>],
    target: &Target,
) -> Result<Slot, Lack> {
    let mut buffers: Vec<BufferId> = Vec::new();
    let mut end = 0;
    for (id, buffer) in program.buffers.iter().filter(|(_, b)| holds(&b.kind)) {
        let bytes = room(words(buffer.dtype, buffer.len(), heap)) * WORD;
        fits(&buffer.name, bytes, target)?;
        places[id.index()] = Some(Place { heap, word: word(end) });
        buffers.push(id);
        end += bytes;
    }
    let what = if heap == Heap::Inputs { "batch" } else { "results of a step" };
    fits(what, end, target)?;
    Ok(Slot {
        buffers,
        bytes: end.next_multiple_of(u64::from(target.slot_align)).max(u64::from(target.slot_align)),
    })
}

/// Whether a byte of this buffer takes a quarter of a word.
pub fn is_packed(dtype: DType, heap: Heap) -> bool {
    words(dtype, 4, heap) == 1
}

#[cfg(test)]
mod tests {
    use super::super::group::levels;
    use super::super::tests::program;
    use super::*;

    #[test]
    fn a_kernel_waits_for_what_it_reads_and_what_others_still_read() {
        for seed in 0..100 {
            let program = program(seed);
            let levels = levels(&program);
            for (k, kernel) in program.kernels.iter().enumerate() {
                for (j, before) in program.kernels[..k].iter().enumerate() {
                    let touched = |b: &BufferId| before.writes().contains(b) || before.reads().contains(b);
                    let waits = kernel.reads().iter().any(|b| before.writes().contains(b))
                        || kernel.writes().iter().any(touched);
                    assert!(!waits || levels[j] < levels[k], "seed {seed}: k{k} waits for k{j}");
                }
            }
        }
    }

    #[test]
    fn temporaries_stay_in_windows_and_apart_from_what_runs_at_once() {
        let mut windows = 0;
        for seed in 0..200 {
            let program = program(seed);
            let levels = levels(&program);
            let bytes: Vec<usize> = program.buffers.iter().map(|(_, b)| 4 * b.len()).collect();
            let largest = bytes.iter().max().copied().unwrap_or(0).next_multiple_of(128).max(128);
            for window in [largest, 2 * largest, usize::MAX] {
                let layout = Layout { times: levels.clone(), bytes: bytes.clone(), window };
                let plan = memory::plan_for(&program, &layout);
                memory::verify_for(&program, &layout, &plan)
                    .unwrap_or_else(|why| panic!("seed {seed}, windows of {window}: {why}"));
                windows = windows.max(plan.arena_bytes.div_ceil(window));
            }
        }
        assert!(windows > 1, "some plan needs several windows");
    }

    #[test]
    fn weights_fill_heaps_in_order_and_too_large_a_weight_is_named() {
        let target = Target { max_binding_bytes: 1024, ..Target::WEBGPU };
        let laid = WeightPlaces::new([("a", 100), ("b", 128), ("c", 1)], &target).expect("they fit");
        assert_eq!(laid.heaps, [1024, 128]);
        assert_eq!(laid.get("b"), Some(Place { heap: Heap::Weights(0), word: 128 }));
        assert_eq!(laid.get("c"), Some(Place { heap: Heap::Weights(1), word: 0 }));
        let lack =
            WeightPlaces::new([("a", 1), ("large", 257)], &target).expect_err("257 words are too many");
        assert!(lack.what.contains("`large`"), "{lack:?}");
    }
}
