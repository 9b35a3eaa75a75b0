//! Compiled programs and the memory they run in.
//!
//! All programs of a job run one after the other, so they share one arena for temporaries, one
//! workspace and one team; weights and states lie in [`Weights`]. After [`Machine::load`] a run
//! allocates nothing.

use super::data::Batch;
use super::memory::{Backing, Block, lay_out};
use super::warm::Warming;
use super::weights::Weights;
use crate::base::DType;
use crate::codegen::{self, Compiled};
use crate::loops::memory::{self, MemoryPlan};
use crate::loops::{BufferKind, Program, remat};
use mlc_kernels::team::Team;
use std::sync::Arc;
use std::time::Instant;

/// The team, the arena and the workspace: as large as the neediest program asks for.
pub struct Machine {
    threads: usize,
    backing: Backing,
    /// Whether kernels are timed one by one.
    timed: bool,
    /// Bytes that all programs together may take.
    room: Option<usize>,
    team: Team,
    /// Of the arena, which it may not outlive.
    warming: Warming,
    arena: Block,
    workspace: Block,
}

/// A program ready to run.
pub struct Executable {
    pub program: Program,
    pub memory: MemoryPlan,
    pub compiled: Compiled,
    /// What each kernel took in all runs together, in seconds, if the machine times them.
    pub seconds: Vec<f64>,
    /// By buffer id. Those of temporaries and batch columns are set before each run.
    addresses: Vec<*mut u8>,
    /// Buffer and place in the arena.
    temps: Vec<(usize, usize)>,
    /// Buffer and column of the data.
    columns: Vec<(usize, usize)>,
    /// Scalars and outputs.
    own: Block,
    /// Where the addresses of weights and states point.
    _weights: Arc<Block>,
    scalars: Vec<(Arc<str>, *mut u8)>,
}

impl Machine {
    /// Without memory behind it a machine loads programs, and runs none.
    pub fn new(threads: usize, backing: Backing) -> Machine {
        let empty = || Block::backed(backing, 0);
        Machine {
            threads,
            backing,
            timed: false,
            room: None,
            team: Team::new(threads, 0),
            warming: Warming::default(),
            arena: empty(),
            workspace: empty(),
        }
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Times the kernels of programs that are loaded from now on.
    pub fn time_kernels(&mut self) {
        self.timed = true;
    }

    /// Has programs that are loaded from now on let values go and make them again, for all to take at most so many bytes.
    pub fn limit(&mut self, room: usize) {
        self.room = Some(room);
    }

    /// Compiles a program and grows what is shared to its needs. `columns` are the names of the columns
    /// that batches will have, in their order.
    ///
    /// # Panics
    /// If the program reads a batch column or weight that there is not.
    pub fn load(&mut self, program: Program, weights: &Weights, columns: &[&str]) -> Executable {
        // Where it is known, memory comes while code is made.
        let ahead = self.room.is_none().then(|| memory::plan(&program));
        if let Some(memory) = &ahead {
            self.grow(memory.arena_bytes);
        }
        let (program, compiled) = self.fitted(program);
        let memory = ahead.unwrap_or_else(|| memory::plan(&program));
        if compiled.scratch_bytes() > self.team.scratch_bytes() {
            self.team = Team::new(self.threads, compiled.scratch_bytes());
        }
        if compiled.workspace_bytes() > self.workspace.len() {
            self.workspace = Block::backed(self.backing, compiled.workspace_bytes());
        }
        self.grow(memory.arena_bytes);
        Executable::new(program, memory, compiled, weights, columns)
    }

    /// Has the arena hold so many bytes.
    fn grow(&mut self, bytes: usize) {
        if bytes <= self.arena.len() {
            return;
        }
        self.warming.end();
        self.arena = Block::backed(self.backing, bytes);
        if self.backing == Backing::Memory && self.threads > 1 {
            // SAFETY: the arena is used in `run`, which ends this first, and replaced here, where it has ended.
            self.warming = unsafe { Warming::new(&self.arena) };
        }
    }

    /// A program that takes no more than there is room for, if it can, and its code.
    fn fitted(&self, program: Program) -> (Program, Compiled) {
        let options =
            codegen::Options { threads: self.threads, profile: self.timed, ..codegen::Options::default() };
        let compiled = |program: &Program| codegen::compile(program, &options);
        let Some(room) = self.room else {
            let code = compiled(&program);
            return (program, code);
        };
        let arena = |program: &Program| memory::plan(program).arena_bytes;
        let [_, workspace, scratch] = self.bytes();
        let first = remat::fit(&program, room.saturating_sub(workspace + scratch), &arena);
        let code = compiled(&first);
        let [workspace, scratch] =
            [workspace.max(code.workspace_bytes()), scratch.max(code.scratch_bytes() * self.threads)];
        // What the code works in is known by now.
        let left = room.saturating_sub(workspace + scratch + own_places(&program).1);
        if arena(&first) <= left {
            return (first, code);
        }
        let second = remat::fit(&program, left, &arena);
        let code = compiled(&second);
        (second, code)
    }

    /// Runs a program once on a batch, its scalars set.
    pub fn run(&self, executable: &mut Executable, batch: &Batch, seed: u64, step: u64) {
        assert_eq!(self.backing, Backing::Memory, "runtime: a machine that runs has memory");
        self.warming.end();
        for (buffer, offset) in &executable.temps {
            executable.addresses[*buffer] = self.arena.at(*offset);
        }
        for (buffer, column) in &executable.columns {
            executable.addresses[*buffer] = batch.columns[*column];
        }
        let workspace = self.workspace.at(0);
        // SAFETY: every buffer has its address: weights, scalars and outputs since `new`, in blocks that the
        // executable holds, temporaries and columns just now, each aligned to 128 bytes and as large as the
        // program's table says. They overlap only as the memory plan says. The team and workspace were grown in `load`, and `&self`
        // with `&mut Executable` keep all else away.
        unsafe {
            if self.timed {
                let began = Instant::now();
                let clock = || began.elapsed().as_secs_f64();
                let Executable { compiled, addresses, seconds, .. } = executable;
                compiled.run_apart(&self.team, addresses, workspace, seed, step, &clock, seconds);
            } else {
                executable.compiled.run(&self.team, &executable.addresses, workspace, seed, step);
            }
        }
    }

    /// Bytes of the arena, the shared workspace, and the scratch of all threads.
    pub fn bytes(&self) -> [usize; 3] {
        [self.arena.len(), self.workspace.len(), self.team.scratch_bytes() * self.threads]
    }
}

/// Where scalars and outputs lie, by buffer, and their bytes together.
fn own_places(program: &Program) -> (Vec<usize>, usize) {
    let owned = |kind: &BufferKind| match kind {
        BufferKind::Scalar | BufferKind::Output => true,
        BufferKind::Batch | BufferKind::Param(_) | BufferKind::State(_) | BufferKind::Temp => false,
    };
    lay_out(program.buffers.iter().map(|(_, b)| if owned(&b.kind) { b.bytes() } else { 0 }))
}

impl Executable {
    fn new(
        program: Program,
        memory: MemoryPlan,
        compiled: Compiled,
        weights: &Weights,
        names: &[&str],
    ) -> Executable {
        let (offsets, total) = own_places(&program);
        let own = Block::new(total);
        let mut executable = Executable {
            addresses: Vec::with_capacity(program.buffers.len()),
            temps: Vec::new(),
            columns: Vec::new(),
            scalars: Vec::new(),
            own,
            _weights: weights.memory(),
            memory,
            compiled,
            seconds: Vec::new(),
            program,
        };
        for (id, buffer) in executable.program.buffers.iter() {
            let index = id.index();
            let address = match &buffer.kind {
                BufferKind::Param(_) | BufferKind::State(_) => {
                    weights.address(&buffer.name).expect("runtime: every weight of a program is in the job")
                }
                BufferKind::Batch => {
                    let column = names.iter().position(|name| **name == *buffer.name);
                    let column = column.expect("runtime: every batch leaf is a column of the data");
                    executable.columns.push((index, column));
                    std::ptr::null_mut()
                }
                BufferKind::Temp => {
                    if let Some(offset) = executable.memory.offsets[index] {
                        executable.temps.push((index, offset));
                    }
                    std::ptr::null_mut()
                }
                BufferKind::Output => executable.own.at(offsets[index]),
                BufferKind::Scalar => {
                    let address = executable.own.at(offsets[index]);
                    executable.scalars.push((buffer.name.clone(), address));
                    address
                }
            };
            executable.addresses.push(address);
        }
        executable
    }

    /// Bytes of its own scalars and outputs.
    pub fn own_bytes(&self) -> usize {
        self.own.len()
    }

    /// Sets the scalar of that name, where the program has it.
    pub fn set(&mut self, name: &str, value: f32) {
        for (own, address) in &self.scalars {
            if **own == *name {
                // SAFETY: the address is that of an `f32` scalar in `self.own`.
                unsafe { address.cast::<f32>().write(value) };
            }
        }
    }

    /// The numbers that an output holds after a run, in row-major order; zeros before.
    ///
    /// # Panics
    /// If they are not `f32`.
    pub fn output(&self, index: usize) -> &[f32] {
        let (_, id) = self.program.outputs[index];
        let buffer = &self.program.buffers[id];
        assert_eq!(buffer.dtype, DType::F32, "runtime: losses and metrics are f32");
        // SAFETY: an output's buffer is in `self.own`, or a weight in `self._weights`, and nothing
        // writes to it before the next run, which borrows `self` mutably.
        unsafe { std::slice::from_raw_parts(self.addresses[id.index()].cast::<f32>(), buffer.len()) }
    }

    /// Where an output stands in the program's list.
    pub fn output_index(&self, name: &str) -> Option<usize> {
        self.program.outputs.iter().position(|(n, _)| **n == *name)
    }
}
