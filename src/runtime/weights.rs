//! Weights and optimizer states: one aligned block that all programs of a job share, by name.

use super::data::{FNV_START, fnv1a};
use super::memory::{Backing, Block, lay_out};
use crate::base::{Bindings, DType};
use crate::diag::{Diagnostic, did_you_mean};
use crate::graph::{Graph, Init, LeafKind};
use crate::ops::init;
use crate::pipeline;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

/// One weight or state and where it lies.
#[derive(Clone, Debug)]
pub struct Slot {
    pub name: Arc<str>,
    pub shape: Vec<usize>,
    pub init: Init,
    pub kind: SlotKind,
    /// Whether it is a weight that a gradient may change, not a moving average of the model.
    pub trained: bool,
    offset: usize,
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// The model's: its weights, and states that evaluation reads.
    Weight,
    /// The optimizer's.
    State,
}

impl Slot {
    /// How many numbers it has.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn bytes(&self) -> usize {
        self.count() * DType::F32.bytes()
    }
}

/// All weights and states of a job, in the order of its graphs; all `f32`.
pub struct Weights {
    slots: Vec<Slot>,
    by_name: BTreeMap<Arc<str>, usize>,
    /// Of each slot: the one that averages it, which files and evaluations take for it.
    averages: Vec<Option<usize>>,
    /// Shared with the programs that read and write there, which may outlive the weights.
    memory: Arc<Block>,
}

/// Numbers that are drawn by one thread at a time.
const PART: usize = 1 << 16;

/// What `--init` has wrong: one line each.
pub type Misfits = Vec<String>;

impl Weights {
    /// Room for every weight and state of the graphs, zeroed. A name is one weight wherever it occurs. States of
    /// the first graph, the forward one, belong to the model.
    ///
    /// # Panics
    /// If a shape holds a symbol that `bindings` lacks, or a weight is not `f32`.
    pub fn new(graphs: &[&Graph], bindings: &Bindings, backing: Backing) -> Weights {
        let mut slots: Vec<Slot> = Vec::new();
        let mut by_name = BTreeMap::new();
        let leaves =
            graphs.iter().enumerate().flat_map(|(i, g)| g.leaves.iter().map(move |(_, leaf)| (i, leaf)));
        for (graph, leaf) in leaves {
            let (init, kind, trained) = match &leaf.kind {
                LeafKind::Param(init) => (init, SlotKind::Weight, true),
                LeafKind::State(init) if graph == 0 => (init, SlotKind::Weight, false),
                LeafKind::State(init) => (init, SlotKind::State, false),
                LeafKind::Batch | LeafKind::Scalar => continue,
            };
            if by_name.contains_key(&leaf.name) {
                continue;
            }
            let ty = leaf.ty.bind(bindings);
            assert_eq!(ty.dtype, DType::F32, "runtime: weights are f32");
            let shape = ty.shape.as_const().expect("runtime: sizes of weights are known once data are read");
            by_name.insert(leaf.name.clone(), slots.len());
            let init = bound(init, bindings);
            slots.push(Slot { name: leaf.name.clone(), shape, init, kind, trained, offset: 0 });
        }
        let (offsets, total) = lay_out(slots.iter().map(Slot::bytes));
        slots.iter_mut().zip(offsets).for_each(|(slot, offset)| slot.offset = offset);
        let average = |slot: &Slot| by_name.get(&*pipeline::average_of(&slot.name)).copied();
        let averages = slots.iter().map(average).collect();
        Weights { slots, by_name, averages, memory: Arc::new(Block::backed(backing, total)) }
    }

    /// Draws every first value from seed and name.
    pub fn draw(&mut self, seed: u64) {
        let mut parts = Vec::new();
        for slot in &self.slots {
            // SAFETY: as in `values_mut`; slots do not overlap, and no part outlives this borrow of `self`.
            let all = unsafe {
                std::slice::from_raw_parts_mut(self.memory.at(slot.offset).cast::<f32>(), slot.count())
            };
            let size = if init::has_parts(&slot.init) { PART } else { slot.count().max(1) };
            parts.extend(all.chunks_mut(size).enumerate().map(|(i, part)| (slot, i * size, part)));
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(parts.len());
        let parts = Mutex::new(parts.into_iter());
        let next = || parts.lock().expect("runtime: a draw does not fail").next();
        let draw = || {
            while let Some((slot, first, out)) = next() {
                init::draw_part(&slot.init, &slot.name, seed, &slot.shape, first, out);
            }
        };
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(draw)));
            draw();
        });
        self.restart_averages();
    }

    /// Sets what the data decide: as many numbers as there are, zeros behind them.
    ///
    /// # Panics
    /// If there is no weight or state of that name, or it has fewer numbers.
    pub fn set(&mut self, name: &str, numbers: &[f32]) {
        let index = self.by_name[name];
        let values = self.values_mut(index);
        values.fill(0.0);
        values[..numbers.len()].copy_from_slice(numbers);
    }

    /// Sets all numbers of a weight or state.
    pub(super) fn put(&mut self, index: usize, numbers: &[f32]) {
        self.values_mut(index).copy_from_slice(numbers);
    }

    /// Averages start where their weights are.
    pub(super) fn restart_averages(&mut self) {
        for i in 0..self.slots.len() {
            if let Some(average) = self.averages[i] {
                let values = self.values(i).to_vec();
                self.values_mut(average).copy_from_slice(&values);
            }
        }
    }

    /// The other way round: weights go on from where their averages are.
    fn restart_weights(&mut self) {
        for i in 0..self.slots.len() {
            if let Some(average) = self.averages[i] {
                let values = self.values(average).to_vec();
                self.values_mut(i).copy_from_slice(&values);
            }
        }
    }

    /// What a file of this kind holds: names, and the slots that have the numbers. Of a weight with an average the
    /// model's file has that, under the weight's name, and the optimizer's the weight itself.
    fn in_file(&self, kind: SlotKind) -> Vec<(Arc<str>, usize)> {
        let named = |i: usize| self.slots[i].name.clone();
        let weight_of = |average: usize| self.averages.iter().position(|a| *a == Some(average));
        let all = self.of(kind).map(|(i, _)| match kind {
            SlotKind::Weight => (named(i), self.averages[i].unwrap_or(i)),
            SlotKind::State => weight_of(i).map_or_else(|| (named(i), i), |weight| (named(weight), weight)),
        });
        all.collect()
    }

    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Bytes in memory, the gaps between buffers included.
    pub fn bytes(&self) -> usize {
        self.memory.len()
    }

    /// Bytes of the weights, or of the states, gaps included.
    pub fn kind_bytes(&self, kind: SlotKind) -> usize {
        lay_out(self.of(kind).map(|(_, slot)| slot.bytes())).1
    }

    /// Bytes of the weights, or of the states, in a file.
    pub fn kind_file_bytes(&self, kind: SlotKind) -> usize {
        self.of(kind).map(|(_, slot)| slot.bytes()).sum()
    }

    /// How many numbers gradients may change, frozen ones included.
    pub fn parameters(&self) -> usize {
        self.of(SlotKind::Weight).filter(|(_, slot)| slot.trained).map(|(_, slot)| slot.count()).sum()
    }

    /// Where all of them lie: who keeps an address keeps this as well.
    pub fn memory(&self) -> Arc<Block> {
        self.memory.clone()
    }

    /// Where a weight or state lies.
    pub fn address(&self, name: &str) -> Option<*mut u8> {
        self.by_name.get(name).map(|i| self.memory.at(self.slots[*i].offset))
    }

    pub fn values(&self, index: usize) -> &[f32] {
        let slot = &self.slots[index];
        // SAFETY: the slot's bytes lie in the block, aligned; no program runs while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.memory.at(slot.offset).cast(), slot.count()) }
    }

    fn values_mut(&mut self, index: usize) -> &mut [f32] {
        let slot = &self.slots[index];
        // SAFETY: as in `values`; `self` is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.memory.at(slot.offset).cast(), slot.count()) }
    }

    /// The numbers as they lie in memory.
    pub fn bytes_of(&self, index: usize) -> &[u8] {
        let values = self.values(index);
        // SAFETY: numbers have no padding, and the borrow is handed on.
        unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
    }

    /// The same to be written; any bytes are numbers.
    pub fn bytes_of_mut(&mut self, index: usize) -> &mut [u8] {
        let values = self.values_mut(index);
        // SAFETY: as in `bytes_of`; every bit pattern is an `f32`.
        unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
    }

    fn of(&self, kind: SlotKind) -> impl Iterator<Item = (usize, &Slot)> {
        self.slots.iter().enumerate().filter(move |(_, slot)| slot.kind == kind)
    }

    /// A hash of all weights by name: equal if and only if (but for chance) every bit is.
    pub fn hash(&self) -> String {
        let hash = self.in_file(SlotKind::Weight).into_iter().fold(FNV_START, |hash, (name, i)| {
            let named = fnv1a(fnv1a(hash, name.as_bytes()), &[0]);
            self.values(i).iter().fold(named, |hash, x| fnv1a(hash, &x.to_le_bytes()))
        });
        format!("{hash:016x}")
    }

    /// The model, or the optimizer's states, as a safetensors file, with the step in its metadata. With averages
    /// the model's file has those, and the optimizer's the weights that they are of.
    pub fn to_safetensors(&self, kind: SlotKind, step: u64) -> Vec<u8> {
        let little: Vec<(Arc<str>, &[usize], Vec<u8>)> = self
            .in_file(kind)
            .into_iter()
            .map(|(name, i)| {
                let bytes = self.values(i).iter().flat_map(|x| x.to_le_bytes()).collect();
                (name, self.slots[i].shape.as_slice(), bytes)
            })
            .collect();
        let views = little.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
            (&**name, view.expect("runtime: four bytes for each number"))
        });
        let about = HashMap::from([("step".to_string(), step.to_string())]);
        safetensors::serialize(views, Some(about)).expect("runtime: names are unique and sizes agree")
    }

    /// Takes the weights, or the states, from a safetensors file: all of them, by name and shape, and nothing
    /// else. With averages the model's file is read before the optimizer's: without that, training goes on
    /// from the averages.
    pub fn read_safetensors(&mut self, kind: SlotKind, bytes: &[u8]) -> Result<(), Misfits> {
        let file =
            SafeTensors::deserialize(bytes).map_err(|e| vec![format!("it is not safetensors: {e}")])?;
        let names = file.names();
        let mut wrong = Vec::new();
        let wanted = self.in_file(kind);
        for name in sorted(names.iter().map(|n| &**n)) {
            if !wanted.iter().any(|(known, _)| **known == *name) {
                let near = did_you_mean(name, wanted.iter().map(|(known, _)| &**known));
                let near = near.map_or(String::new(), |n| format!(", perhaps `{n}`"));
                wrong.push(format!("the model has no weight `{name}`{near}"));
            }
        }
        let mut good = Vec::new();
        for (name, i) in &wanted {
            match file.tensor(name) {
                Err(_) => wrong.push(format!("it lacks `{name}`")),
                Ok(view) => match self.unlike(name, *i, &view) {
                    Some(why) => wrong.push(why),
                    None => good.push((*i, view)),
                },
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        self.take(&good);
        if kind == SlotKind::Weight {
            self.restart_weights();
        }
        Ok(())
    }

    /// Takes the weights that a file of another training has under names that are used here too, less `own`; what only
    /// one of the two has is left alone. Training goes on from averages, if the file has those.
    pub fn read_shared(&mut self, bytes: &[u8], own: &[&str]) -> Result<(), Misfits> {
        let file =
            SafeTensors::deserialize(bytes).map_err(|e| vec![format!("it is not safetensors: {e}")])?;
        let (mut wrong, mut good) = (Vec::new(), Vec::new());
        for (name, i) in self.in_file(SlotKind::Weight) {
            let Some(view) = file.tensor(&name).ok().filter(|_| !own.contains(&&*name)) else { continue };
            match self.unlike(&name, i, &view) {
                Some(why) => wrong.push(why),
                None => good.push((i, view)),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        self.take(&good);
        self.restart_weights();
        Ok(())
    }

    /// Why a tensor of a file cannot be what a slot holds.
    fn unlike(&self, name: &str, slot: usize, view: &TensorView) -> Option<String> {
        let shape = &self.slots[slot].shape;
        if view.dtype() != Dtype::F32 {
            return Some(format!("`{name}` is {:?}, not F32", view.dtype()));
        }
        let found = view.shape();
        (found != shape).then(|| format!("`{name}` has the shape {found:?}, the model's {shape:?}"))
    }

    fn take(&mut self, tensors: &[(usize, TensorView)]) {
        for (i, view) in tensors {
            let numbers = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            self.values_mut(*i).iter_mut().zip(numbers).for_each(|(to, x)| *to = x);
        }
    }
}

/// The diagnostic for what [`Weights::read_safetensors`] found, at the train section.
pub fn misfit(file: &str, wrong: &Misfits, at: crate::base::Span) -> Diagnostic {
    const SHOWN: usize = 8;
    let mut lines: Vec<String> = wrong.iter().take(SHOWN).cloned().collect();
    if wrong.len() > SHOWN {
        lines.push(format!("and {} more", wrong.len() - SHOWN));
    }
    let message = format!("`{file}` does not fit: {}", lines.join("; "));
    Diagnostic::error("run::weights", message, at, "trained here")
        .help("`mlc plan` lists the weights; `mlc train --steps 0` writes a file of them")
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names
}

/// The initialiser with sizes as numbers.
fn bound(init: &Init, bindings: &Bindings) -> Init {
    use crate::graph::InitScale::{Fixed, Root};
    let scale = |scale: &crate::graph::InitScale| match scale {
        Fixed(x) => Fixed(*x),
        Root { num, den } => Root { num: *num, den: den.bind(bindings) },
    };
    match init {
        Init::Constant(_) | Init::Parts(_) | Init::Orthogonal { .. } | Init::Identity { .. } => init.clone(),
        Init::Uniform { bound } => Init::Uniform { bound: scale(bound) },
        Init::Normal { mean, std } => Init::Normal { mean: *mean, std: scale(std) },
        Init::TruncatedNormal { mean, std } => Init::TruncatedNormal { mean: *mean, std: scale(std) },
    }
}
