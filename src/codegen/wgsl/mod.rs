//! Loops to WGSL: one program becomes a list of dispatches of compute shaders.
//!
//! | step | where | what |
//! |---|---|---|
//! | group | `group` | kernels that do not wait for each other share a dispatch |
//! | loop | `looped` | the body of a loop runs once for each step, its places moving |
//! | place | `place` | every buffer gets a heap and a word in it |
//! | lower | `rows`, `contract`, `scatter` | each kernel becomes a [`Piece`]: a function that one workgroup runs |
//! | assemble | `module` | pieces, what they need of `kernels/wgsl`, accessors and an entry point become one text |
//!
//! Promises: the text of a dispatch depends on its kernels' shapes and bodies alone, never on names, places or
//! seeds, so equal layers share one pipeline; a device's lack is an error that names it; no float atomics, so a
//! device gives the same bits every time. Bases of buffers and keys of random sites come in a uniform block of the
//! dispatch; what changes with the step comes in another.
//!
//! # What a piece may call
//!
//! For slot `s` of its kernel ([`bind`](super::bind::bind)) and prefix `p` of the piece, the module provides
//!
//! - `fn {p}get{s}(i: i32) -> T`, element `i` of the buffer, `T` being `f32`, `i32`, or `u32` for a byte;
//! - `fn {p}set{s}(i: i32, value: T)`, for what the kernel stores;
//! - `fn {p}random{r}(element: u32) -> f32`, the draw of site `r`.
//!
//! Every workgroup has [`WORKGROUP`] invocations. `{p}main(group: u32, local: u32)` is called once by each, in
//! uniform control flow; `group` counts from 0 to the piece's `groups`.

mod body;
mod check;
pub mod contract;
mod group;
mod ir;
mod looped;
mod module;
mod place;
mod print;
mod rows;
mod scatter;
pub mod skeleton;
mod sweep;
#[cfg(test)]
mod tests;
mod text;

pub use place::{WeightPlaces, arena_bytes, is_packed};
pub use text::text;

use super::bind::{Binding, bind};
use crate::base::DType;
use crate::loops::{BufferId, KernelKind, Program};
use looped::{Looped, Turn};
use module::Member;
use std::ops::Range;

/// Invocations of every workgroup: what WebGPU promises on every device.
pub const WORKGROUP: u32 = 256;

/// Bytes of a word, the unit of every place. A byte of a batch column takes a quarter, all else a word each.
pub const WORD: u64 = 4;

/// What generation may depend on beside the program: the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Bytes that one binding may span.
    pub max_binding_bytes: u64,
    /// Workgroups along one axis of a dispatch.
    pub max_groups: u32,
    /// Storage buffers that one dispatch may bind.
    pub max_storage_buffers: u32,
    /// Bytes of workgroup memory.
    pub workgroup_bytes: u32,
    /// What an offset into a slot must be a multiple of.
    pub slot_align: u32,
    /// The device is a processor that runs shaders: workgroup memory gains nothing and barriers are dear.
    pub software: bool,
}

impl Target {
    /// What every device has: the default limits of WebGPU.
    pub const WEBGPU: Target = Target {
        max_binding_bytes: 128 << 20,
        max_groups: 65535,
        max_storage_buffers: 8,
        workgroup_bytes: 16 << 10,
        slot_align: 256,
        software: false,
    };
}

/// What a program asks for and a device lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What does not fit: ``fc1.weight` takes 412.0 MiB``.
    pub what: String,
    /// What the device has: `its buffers are bound 128.0 MiB at a time`.
    pub limit: String,
}

/// What a heap is for. One physical buffer each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Heap {
    /// Weights and states: kept between steps. Numbered, since one binding has a largest size.
    Weights(u32),
    /// Temporaries of a step, shared by all programs. Numbered as well.
    Arena(u32),
    /// What a step is given: scalars and batch columns. Read only; one slot for each step under way.
    Inputs,
    /// What a step leaves to be read. One slot for each step under way.
    Results,
}

/// Where a buffer lies: a heap, and the word in it (in the slot, where a heap has slots).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub heap: Heap,
    pub word: u32,
}

/// A kernel as WGSL.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Module-scope declarations, every name of them starting with the piece's prefix.
    pub text: String,
    /// Workgroups that it takes; 0 for a kernel without points.
    pub groups: u64,
    /// Bytes of its workgroup variables.
    pub shared_bytes: u32,
    /// How it runs, for people: `one row of 10 for each invocation`.
    pub how: String,
}

/// One shader run over a grid of workgroups.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    /// Of [`Shaders::texts`].
    pub text: usize,
    /// Kernels that it runs, for people: `k3`, or `k3.1` of a loop's body.
    pub kernels: Vec<String>,
    /// For people: `fc1`, or `fc1 + CrossEntropy`.
    pub label: String,
    /// How each kernel runs.
    pub how: Vec<String>,
    /// Workgroups; the grid folds past the device's limit.
    pub grid: [u32; 3],
    /// Words of the uniform block, each time that it runs: bases of slots and keys of random sites. A multiple of four.
    pub params: Vec<Vec<u32>>,
    /// Bound from binding 2 on, in this order, each with whether the shader writes it.
    pub heaps: Vec<(Heap, bool)>,
}

/// Dispatches that run in turn, and over again.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub dispatches: Range<usize>,
    /// How often: a loop's steps.
    pub times: usize,
}

/// A program as shaders.
///
/// Group 0 of every pipeline: binding 0 is the uniform block [`StepBlock`], with a dynamic offset; binding 1 the
/// uniform block of [`Dispatch::params`], with one of its own for each time; binding 2 and on the storage buffers of [`Dispatch::heaps`], those with slots with a
/// dynamic offset each.
#[derive(Clone, Debug, PartialEq)]
pub struct Shaders {
    /// Distinct modules; each has one entry point, `main`.
    pub texts: Vec<String>,
    /// In order; each waits for those before it.
    pub dispatches: Vec<Dispatch>,
    /// All of them, in order.
    pub runs: Vec<Run>,
    /// By buffer id; none for a buffer that no kernel uses.
    pub places: Vec<Option<Place>>,
    /// Bytes of each heap of temporaries.
    pub arena: Vec<u64>,
    /// The largest set of temporaries that live at once, in bytes.
    pub live_bound_bytes: u64,
    /// Scalars and batch columns, and bytes of a slot that holds them all.
    pub inputs: Slot,
    /// Results likewise.
    pub results: Slot,
}

/// A block that is there once for each step under way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slot {
    pub buffers: Vec<BufferId>,
    /// A multiple of the target's `slot_align`.
    pub bytes: u64,
}

/// What changes with the step, as the shader sees it (16 bytes): the number that random draws are for.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepBlock {
    pub step_low: u32,
    pub step_high: u32,
    pub unused: [u32; 2],
}

impl StepBlock {
    pub fn new(step: u64) -> StepBlock {
        StepBlock { step_low: step as u32, step_high: (step >> 32) as u32, unused: [0; 2] }
    }

    /// As it lies in memory.
    pub fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.step_low.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.step_high.to_le_bytes());
        bytes
    }
}

/// How an element lies in a heap.
pub fn words(dtype: DType, len: usize, heap: Heap) -> u64 {
    match (dtype, heap) {
        (DType::U8, Heap::Inputs) => (len as u64).div_ceil(WORD),
        (DType::F32 | DType::I32 | DType::U8, _) => len as u64,
    }
}

/// Makes the shaders of a program that the verifier of loops accepts. `weights` are those of the job; `seed` is the one that
/// random draws are keyed by.
///
/// # Errors
/// What the program needs and the device lacks.
pub fn compile(
    program: &Program,
    weights: &WeightPlaces,
    seed: u64,
    target: &Target,
) -> Result<Shaders, Lack> {
    let levels = group::levels(program);
    // Before anything is generated: what has a place is counted by `i32`.
    let placed = place::place(program, &levels, weights, target)?;
    let shaders = Shaders {
        texts: Vec::new(),
        dispatches: Vec::new(),
        runs: Vec::new(),
        places: placed.places,
        arena: placed.arena,
        live_bound_bytes: placed.live_bound_bytes,
        inputs: placed.inputs,
        results: placed.results,
    };
    let turn = Turn { places: shaders.places.clone(), late: None };
    let mut maker = Maker { shaders, seed, target };
    maker.part(&Part { program, levels, turns: vec![turn], of: "" })?;
    maker.shaders.runs.retain(|run| !run.dispatches.is_empty());
    Ok(maker.shaders)
}

/// Makes dispatches of programs, of the one that is compiled and of its loops' bodies.
struct Maker<'t> {
    shaders: Shaders,
    seed: u64,
    target: &'t Target,
}

/// A program, and where its buffers lie each time that it runs.
struct Part<'p> {
    program: &'p Program,
    levels: Vec<usize>,
    turns: Vec<Turn>,
    /// The loop that it is the body of, for people: `3.`.
    of: &'p str,
}

impl Maker<'_> {
    fn part(&mut self, part: &Part) -> Result<(), Lack> {
        let Part { program, levels, turns, of } = part;
        let bound: Vec<(KernelKind, Binding)> =
            program.kernels.iter().map(|k| bind(program, &k.kind)).collect();
        let piece = |k: usize, position: usize| {
            let (kind, binding): &(KernelKind, Binding) = &bound[k];
            lower(kind, &binding.dtypes, &module::prefix(position), self.target)
        };
        let alone: Vec<Piece> = (0..bound.len()).map(|k| piece(k, 0)).collect();
        self.shaders.open(turns.len());
        for kernels in group::dispatches(levels, &alone, &bound, &turns[0].places, self.target) {
            if let [kernel] = kernels[..]
                && let KernelKind::Scan(scan) = &program.kernels[kernel].kind
            {
                self.looped(&Looped::new(scan, &turns[0].places)?, kernel)?;
                self.shaders.open(turns.len());
                continue;
            }
            let member = |(position, &kernel): (usize, &usize)| Member {
                kernel,
                prefix: module::prefix(position),
                binding: &bound[kernel].1,
                // The first of a dispatch has the names that it has alone.
                piece: if position == 0 { alone[kernel].clone() } else { piece(kernel, position) },
            };
            let members: Vec<Member> = kernels.iter().enumerate().map(member).collect();
            let (mut dispatch, text) = module::assemble(program, &members, turns, self.seed, self.target);
            dispatch.kernels = kernels.iter().map(|k| format!("k{of}{k}")).collect();
            self.shaders.push(dispatch, text, self.target)?;
        }
        Ok(())
    }

    /// The body of a loop, once for each step, between copies of its carries.
    fn looped(&mut self, looped: &Looped, kernel: usize) -> Result<(), Lack> {
        let of = format!("{kernel}.");
        let (enter, at_first) = looped.enter();
        self.copies(&enter, at_first, &of)?;
        let program = &*looped.scan.body;
        let levels = group::levels_within(program, &looped.spans());
        self.part(&Part { program, levels, turns: looped.turns(), of: &of })?;
        let (leave, at_last) = looped.leave();
        self.copies(&leave, at_last, &of)
    }

    fn copies(&mut self, program: &Program, turn: Turn, of: &str) -> Result<(), Lack> {
        self.part(&Part { program, levels: vec![0; program.kernels.len()], turns: vec![turn], of })
    }
}

fn lower(kind: &KernelKind, dtypes: &[DType], prefix: &str, target: &Target) -> Piece {
    match kind {
        KernelKind::Rows(rows) => rows::lower(rows, dtypes, prefix, target),
        KernelKind::Contract(contract) => contract::lower(contract, dtypes, prefix, target),
        KernelKind::Scatter(scatter) => scatter::lower(scatter, prefix, target),
        KernelKind::Scan(_) => Piece::of_loop(),
    }
}

impl Piece {
    /// What stands for a loop until its dispatches are made: it has no company.
    fn of_loop() -> Piece {
        Piece { text: String::new(), groups: group::FILLS, shared_bytes: 0, how: String::new() }
    }
}

impl Shaders {
    /// Has the dispatches to come run so often, one after the other.
    fn open(&mut self, times: usize) {
        let next = self.dispatches.len();
        self.runs.push(Run { dispatches: next..next, times });
    }

    /// Adds a dispatch; its text is shared with those that have the same.
    fn push(&mut self, mut dispatch: Dispatch, text: String, target: &Target) -> Result<(), Lack> {
        if dispatch.heaps.len() > target.max_storage_buffers as usize {
            return Err(Lack {
                what: format!(
                    "`{}` reads and writes {} buffers at once",
                    dispatch.label,
                    dispatch.heaps.len()
                ),
                limit: format!("a shader of this device sees {}", target.max_storage_buffers),
            });
        }
        dispatch.text = self.texts.iter().position(|t| *t == text).unwrap_or_else(|| {
            self.texts.push(text);
            self.texts.len() - 1
        });
        self.dispatches.push(dispatch);
        self.runs.last_mut().expect("wgsl: a run is open").dispatches.end += 1;
        Ok(())
    }
}

/// Whether a text is WGSL that every implementation takes.
///
/// # Errors
/// What the parser or the validator says.
pub fn validate(text: &str) -> Result<(), String> {
    use naga::valid::{Capabilities, ValidationFlags, Validator};
    let module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
    validator.validate(&module).map(|_| ()).map_err(|e| e.emit_to_string(text))
}
