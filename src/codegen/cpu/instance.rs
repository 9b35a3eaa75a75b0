//! A compiled program with memory of its own: what tests run, and what a session builds on.

use super::{Compiled, Options, compile};
use crate::base::DType;
use crate::loops::memory::{self, ALIGN, MemoryPlan};
use crate::loops::{BufferId, Program};
use mlc_kernels::block::Block;
use mlc_kernels::team::Team;

/// A program, its code, its memory and its threads. Everything is allocated by [`Instance::new`].
pub struct Instance {
    program: Program,
    plan: MemoryPlan,
    compiled: Compiled,
    team: Team,
    addresses: Vec<*mut u8>,
    workspace: *mut u8,
    _memory: Block,
}

// SAFETY: the addresses point into `_memory`, which the instance owns.
unsafe impl Send for Instance {}

impl Instance {
    /// Compiles a program and allocates all that its steps need, zeroed.
    pub fn new(program: Program, options: &Options) -> Instance {
        let compiled = compile(&program, options);
        let team = Team::new(options.threads, compiled.scratch_bytes());
        let plan = memory::plan(&program);
        // The temporaries' arena first, then every other buffer, then the workspace.
        let mut bytes = plan.arena_bytes.next_multiple_of(ALIGN);
        let offsets: Vec<usize> = program
            .buffers
            .iter()
            .map(|(id, buffer)| {
                plan.offsets[id.index()].unwrap_or_else(|| {
                    bytes += buffer.bytes().next_multiple_of(ALIGN);
                    bytes - buffer.bytes().next_multiple_of(ALIGN)
                })
            })
            .collect();
        let memory = Block::new(bytes + compiled.workspace_bytes());
        let addresses = offsets.iter().map(|&at| memory.at(at)).collect();
        let workspace = memory.at(bytes);
        Instance { program, plan, compiled, team, addresses, workspace, _memory: memory }
    }

    pub fn program(&self) -> &Program {
        &self.program
    }

    pub fn plan(&self) -> &MemoryPlan {
        &self.plan
    }

    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// The buffer of that name.
    pub fn buffer(&self, name: &str) -> Option<BufferId> {
        self.program.buffers.iter().find(|(_, b)| &*b.name == name).map(|(id, _)| id)
    }

    /// Sets a scalar, if the program reads it.
    pub fn set(&mut self, name: &str, value: f32) {
        if let Some(id) = self.buffer(name) {
            self.f32_mut(id).fill(value);
        }
    }

    /// Runs one step on what the buffers hold; allocates nothing.
    pub fn step(&mut self, seed: u64, step: u64) {
        // SAFETY: each buffer has its own part of the block, aligned, as large as it is; the
        // workspace and the team's scratch are as large as the code asks; `&mut self` keeps others
        // away.
        unsafe { self.compiled.run(&self.team, &self.addresses, self.workspace, seed, step) }
    }

    /// Runs one step kernel by kernel and adds each one's time on `clock` to `seconds`. Needs
    /// [`Options::profile`].
    pub fn profile(&mut self, seed: u64, step: u64, clock: &dyn Fn() -> f64, seconds: &mut Vec<f64>) {
        let Instance { compiled, team, addresses, workspace, .. } = self;
        // SAFETY: as in `step`.
        unsafe { compiled.run_apart(team, addresses, *workspace, seed, step, clock, seconds) }
    }

    pub fn f32(&self, id: BufferId) -> &[f32] {
        self.typed(id, DType::F32)
    }

    pub fn i32(&self, id: BufferId) -> &[i32] {
        self.typed(id, DType::I32)
    }

    pub fn u8(&self, id: BufferId) -> &[u8] {
        self.typed(id, DType::U8)
    }

    pub fn f32_mut(&mut self, id: BufferId) -> &mut [f32] {
        self.typed_mut(id, DType::F32)
    }

    pub fn i32_mut(&mut self, id: BufferId) -> &mut [i32] {
        self.typed_mut(id, DType::I32)
    }

    pub fn u8_mut(&mut self, id: BufferId) -> &mut [u8] {
        self.typed_mut(id, DType::U8)
    }

    fn typed<T>(&self, id: BufferId, dtype: DType) -> &[T] {
        let buffer = &self.program.buffers[id];
        assert_eq!(buffer.dtype, dtype, "{} is read as what it is", buffer.name);
        // SAFETY: the buffer's part of the block, initialised and aligned; `T` has the size of
        // `dtype` in the six functions above, and no bit pattern of theirs is invalid.
        unsafe { std::slice::from_raw_parts(self.addresses[id.index()].cast(), buffer.len()) }
    }

    fn typed_mut<T>(&mut self, id: BufferId, dtype: DType) -> &mut [T] {
        let buffer = &self.program.buffers[id];
        assert_eq!(buffer.dtype, dtype, "{} is written as what it is", buffer.name);
        // SAFETY: as in `typed`, and `&mut self` makes it the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.addresses[id.index()].cast(), buffer.len()) }
    }
}
