//! The step function: runs all kernels in order.
//!
//! Each kernel reads its parameters from an array of eight-byte slots that the step function fills
//! on its stack: the addresses of the buffers that it uses, the keys of its random sites, and the
//! numbers that are the same everywhere in it. A copy of the context points at this array. So code
//! knows slots only, equal kernels share it, and what is uniform is computed once.
//!
//! Kernels that are equal but for their slots share the code that fills them, too: it reads from a list of words which
//! buffers, sites and descriptor are meant, so a deep net costs two instructions a kernel here.

use super::contract::EpiloguePlan;
use super::emit::{Gen, MEM};
use super::facts::{Class, Facts};
use super::jit::Jit;
use super::nest::Nest;
use super::rows::{RowsPlan, site_count};
use super::scan;
use crate::base::DType;
use crate::codegen::bind::Binding;
use crate::loops::{BufferId, Node, NodeId, Scan};
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, StackSlotData, StackSlotKind, Value};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::FuncId;
use std::mem::offset_of;

use mlc_kernels::abi::Ctx;

/// One kernel of the list, ready to be called.
pub struct Launch<'p> {
    pub binding: &'p Binding,
    pub what: What<'p>,
    /// What it has in common with kernels that are equal.
    pub launcher: Option<Launcher<'p>>,
}

/// A function that launches any of some equal kernels, given the context and the words of one.
#[derive(Clone, Copy)]
pub struct Launcher<'p> {
    pub function: FuncId,
    /// See [`words`]; where they lie is known to the code.
    pub words: &'p [i64],
}

/// What tells a kernel from others that are equal: where its buffers stand in the table, in bytes, its sites, and the
/// address of its descriptor.
pub fn words(binding: &Binding, descriptor: usize) -> Box<[i64]> {
    let buffers = binding.buffers.iter().map(|buffer| 8 * buffer.index() as i64);
    let sites = binding.sites.iter().map(|site| mlc_kernels::rng::site(site) as i64);
    buffers.chain(sites).chain([descriptor as i64]).collect()
}

pub enum What<'p> {
    /// A task function; with one task and no scratch it is called directly.
    Tasks { function: FuncId, tasks: usize, scratch: bool, uniforms: Option<&'p RowsPlan> },
    /// Only numbers that are the same everywhere: no function of its own.
    Inline(&'p RowsPlan),
    /// A product; `descriptor` is the address of its `Gemm`, fixed before it is filled in.
    Product {
        descriptor: usize,
        lhs: (BufferId, i64),
        rhs: (BufferId, i64),
        out: Option<(BufferId, i64)>,
        epilogue: Option<&'p EpiloguePlan>,
    },
    /// A loop over a step function of its own.
    Scan { scan: &'p Scan, function: FuncId },
}

impl<'p> Launch<'p> {
    /// The nodes that the step function computes for it, and their nest.
    fn uniforms(&self) -> Option<(&'p Nest, &'p Facts, &'p [NodeId])> {
        match &self.what {
            What::Tasks { uniforms: Some(plan), .. } | What::Inline(plan) => {
                Some((&plan.nest, &plan.facts, &plan.uniforms))
            }
            What::Product { epilogue: Some(plan), .. } => Some((&plan.nest, &plan.facts, &plan.uniforms)),
            What::Tasks { uniforms: None, .. } | What::Product { epilogue: None, .. } | What::Scan { .. } => {
                None
            }
        }
    }

    fn slots(&self) -> usize {
        let uniforms = self.uniforms().map_or(0, |(_, _, nodes)| nodes.len());
        self.binding.buffers.len() + self.binding.sites.len() + uniforms
    }
}

/// A kernel that is nothing but uniform numbers.
pub fn is_inline(plan: &RowsPlan) -> bool {
    plan.facts.stores.iter().all(|s| s.class == Class::Uniform)
}

/// Compiles the step function.
pub fn define(jit: &mut Jit, name: &str, launches: &[Launch]) -> FuncId {
    let (empty, facts) = nothing();
    jit.define(name, &[I64], |jit, func, context| {
        let b = FunctionBuilder::new(func, context);
        let (mut g, args) = Gen::open(jit, b, &empty, &facts);
        let own = launches.iter().filter(|launch| launch.launcher.is_none());
        let step = Step::open(&mut g, args[0], own, None);
        for launch in launches {
            match launch.launcher {
                Some(Launcher { function, words }) => {
                    let callee = g.jit.local(function, g.b.func);
                    let words = g.iconst(words.as_ptr() as i64);
                    g.b.ins().call(callee, &[args[0], words]);
                }
                None => step.emit(&mut g, launch),
            }
        }
        g.close();
    })
}

/// Compiles a function that launches all kernels that are equal to this one.
pub fn define_launcher(jit: &mut Jit, name: &str, launch: &Launch) -> FuncId {
    let (empty, facts) = nothing();
    jit.define(name, &[I64, I64], |jit, func, context| {
        let b = FunctionBuilder::new(func, context);
        let (mut g, args) = Gen::open(jit, b, &empty, &facts);
        let step = Step::open(&mut g, args[0], std::iter::once(launch), Some(args[1]));
        step.emit(&mut g, launch);
        g.close();
    })
}

/// The nest of a function that computes nothing by itself.
fn nothing() -> (Nest, Facts) {
    let empty = Nest {
        form: super::nest::Form::Map,
        dims: vec![1],
        outer: Vec::new(),
        seq: Vec::new(),
        lane: 0,
        body: crate::loops::Body::default(),
        dtypes: Vec::new(),
    };
    let facts = Facts::of(&empty, false);
    (empty, facts)
}

/// Room on the stack.
pub fn stack(g: &mut Gen, bytes: usize) -> Value {
    let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, bytes as u32, 4);
    let slot = g.b.create_sized_stack_slot(slot);
    g.b.ins().stack_addr(I64, slot, 0)
}

/// A copy of a context with another table of addresses.
pub fn context(g: &mut Gen, ctx: Value, table: Value) -> Value {
    let copy = stack(g, size_of::<Ctx>());
    for field in
        [offset_of!(Ctx, seed), offset_of!(Ctx, step), offset_of!(Ctx, team), offset_of!(Ctx, workspace)]
    {
        let x = g.b.ins().load(I64, MEM, ctx, field as i32);
        g.b.ins().store(MEM, x, copy, field as i32);
    }
    g.b.ins().store(MEM, table, copy, offset_of!(Ctx, buffers) as i32);
    copy
}

struct Step {
    /// The program's own table of buffers.
    table: Value,
    /// Of a launcher: the words of the kernel that it launches.
    words: Option<Value>,
}

impl Step {
    /// Copies the context to the stack, with an array of parameters in place of the buffers.
    fn open<'l>(
        g: &mut Gen,
        ctx: Value,
        launches: impl Iterator<Item = &'l Launch<'l>>,
        words: Option<Value>,
    ) -> Step {
        let slots = launches.map(Launch::slots).max().unwrap_or(0);
        let params = stack(g, 8 * slots.max(1));
        let table = g.b.ins().load(I64, MEM, ctx, offset_of!(Ctx, buffers) as i32);
        g.ctx = context(g, ctx, params);
        g.params = params;
        Step { table, words }
    }

    /// The word of this number, if words tell kernels apart here.
    fn word(&self, g: &mut Gen, at: usize) -> Option<Value> {
        self.words.map(|words| g.b.ins().load(I64, MEM, words, 8 * at as i32))
    }

    /// The address of slot `at`.
    fn buffer(&self, g: &mut Gen, at: usize, buffer: BufferId) -> Value {
        match self.word(g, at) {
            Some(place) => {
                let place = g.b.ins().iadd(self.table, place);
                g.b.ins().load(I64, MEM, place, 0)
            }
            None => g.b.ins().load(I64, MEM, self.table, 8 * buffer.index() as i32),
        }
    }

    fn emit<'a>(&self, g: &mut Gen<'a, '_>, launch: &Launch<'a>) {
        let buffers = launch.binding.buffers.iter().enumerate();
        g.buffers = buffers.map(|(at, buffer)| self.buffer(g, at, *buffer)).collect();
        self.emit_keys(g, launch);
        if let Some((nest, facts, roots)) = launch.uniforms() {
            self.emit_uniforms(g, nest, facts, roots);
        }
        match &launch.what {
            What::Inline(plan) => (0..plan.nest.body.stores.len()).for_each(|store| {
                let origin = g.iconst(0);
                g.index = vec![origin; plan.nest.dims.len()];
                g.store_scalar(store);
            }),
            What::Tasks { function, tasks, scratch, .. } => {
                self.store_buffers(g);
                launch_tasks(g, *function, *tasks, *scratch);
            }
            What::Product { descriptor, lhs, rhs, out, .. } => {
                self.store_buffers(g);
                let known = launch.binding.buffers.len() + launch.binding.sites.len();
                let gemm = self.word(g, known).unwrap_or_else(|| g.iconst(*descriptor as i64));
                let lhs = address(g, *lhs);
                let rhs = address(g, *rhs);
                let out = match out {
                    Some(out) => address(g, *out),
                    None => g.iconst(0),
                };
                g.call("mlc_gemm", &[g.ctx, gemm, lhs, rhs, out]);
            }
            What::Scan { scan, function } => scan::emit(g, scan, *function),
        }
    }

    fn store_buffers(&self, g: &mut Gen) {
        for (slot, address) in g.buffers.clone().into_iter().enumerate() {
            g.b.ins().store(MEM, address, g.params, 8 * slot as i32);
        }
    }

    /// The Philox key of each site under the run's seed: `mix` of `kernels::rng`.
    fn emit_keys(&self, g: &mut Gen, launch: &Launch) {
        if launch.binding.sites.is_empty() {
            return;
        }
        let seed = g.b.ins().load(I64, MEM, g.ctx, offset_of!(Ctx, seed) as i32);
        for (i, site) in launch.binding.sites.iter().enumerate() {
            let mut z = match self.word(g, launch.binding.buffers.len() + i) {
                Some(site) => g.b.ins().bxor(seed, site),
                None => g.b.ins().bxor_imm_u(seed, mlc_kernels::rng::site(site) as i64),
            };
            for (shift, factor) in [(30, 0xbf58_476d_1ce4_e5b9_u64), (27, 0x94d0_49bb_1331_11eb)] {
                let high = g.b.ins().ushr_imm_u(z, shift);
                z = g.b.ins().bxor(z, high);
                let factor = g.iconst(factor as i64);
                z = g.b.ins().imul(z, factor);
            }
            let high = g.b.ins().ushr_imm_u(z, 31);
            z = g.b.ins().bxor(z, high);
            g.b.ins().store(MEM, z, g.params, 8 * (g.buffers.len() + i) as i32);
        }
    }

    /// Computes what is the same everywhere in a kernel, and hands it on.
    fn emit_uniforms<'a>(&self, g: &mut Gen<'a, '_>, nest: &'a Nest, facts: &'a Facts, roots: &[NodeId]) {
        let nodes = nest.body.nodes.len();
        let origin = g.iconst(0);
        (g.nest, g.facts) = (nest, facts);
        g.index = vec![origin; nest.dims.len()];
        g.scalars = vec![None; nodes];
        g.places = vec![None; nodes];
        g.forget_all(nodes);
        let needed = needed_uniforms(nest, roots);
        for id in nest.body.nodes.ids().filter(|id| needed[id.index()]) {
            g.compute_scalar(id);
        }
        let first = nest.dtypes.len() + site_count(nest);
        for (i, &root) in roots.iter().enumerate() {
            let x = g.scalar_value(root).expect("codegen: uniform numbers were computed");
            g.store_lane(x, 0, g.params, 8 * (first + i) as i32);
        }
    }
}

fn needed_uniforms(nest: &Nest, roots: &[NodeId]) -> Vec<bool> {
    let mut needed = vec![false; nest.body.nodes.len()];
    roots.iter().for_each(|r| needed[r.index()] = true);
    for (id, node) in nest.body.nodes.iter().rev() {
        if needed[id.index()] {
            node.inputs().iter().for_each(|i| needed[i.index()] = true);
        }
        needed[id.index()] &= !matches!(node, Node::Const { .. });
    }
    needed
}

fn address(g: &mut Gen, (slot, offset): (BufferId, i64)) -> Value {
    g.plus(g.buffers[slot.index()], offset * DType::F32.bytes() as i64)
}

fn launch_tasks(g: &mut Gen, function: FuncId, tasks: usize, scratch: bool) {
    if tasks == 0 {
        return;
    }
    let callee = g.jit.local(function, g.b.func);
    if tasks == 1 && !scratch {
        let zero = g.iconst(0);
        g.b.ins().call(callee, &[g.ctx, zero, zero]);
        return;
    }
    let callee = g.b.ins().func_addr(I64, callee);
    let tasks = g.iconst(tasks as i64);
    g.call("mlc_team_run", &[g.ctx, callee, tasks]);
}
