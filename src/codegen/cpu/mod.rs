//! Loops to machine code: one program becomes one function that runs a whole step.
//!
//! [`compile`] makes Cranelift code of every kernel and of the step that calls them. Promises: a
//! step interprets nothing and allocates nothing; its results have the same bits for any number of
//! threads, since work is cut by shape and cost alone and every fold has one fixed order (see
//! `lanes.rs`); kernels that differ only in their buffers share code. What the code calls is listed
//! in [`Compiled::calls`]: strips of transcendental functions, matrix products, random numbers and
//! the thread team, nothing else.

mod contract;
mod emit;
mod facts;
mod instance;
mod jit;
mod lanes;
mod nest;
mod rows;
mod scatter;
mod step;
mod strip;
mod value;

#[cfg(test)]
mod tests;

pub use instance::Instance;
pub use jit::FunctionText;

use crate::codegen::bind::{self, Binding};
use crate::loops::{Kernel, KernelKind, Program};
use contract::Finish;
use cranelift_module::FuncId;
use jit::{Code, Jit};
use mlc_kernels::Isa;
use mlc_kernels::abi::{Ctx, EpilogueFn};
use mlc_kernels::denormals::FlushDenormals;
use mlc_kernels::gemm::{Gemm, Out};
use mlc_kernels::team::Team;
use nest::Nest;
use rows::RowsPlan;
use scatter::ScatterPlan;
use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use step::{Launch, What};

/// What compilation may depend on beside the program. Results depend on none of it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that the plans of matrix products reckon with.
    pub threads: usize,
    /// Keep the text of the code, for [`Compiled::clif`] and [`Compiled::asm`].
    pub texts: bool,
    /// Make one more function of each kernel, for [`Instance::profile`].
    pub profile: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { threads: 1, texts: false, profile: false }
    }
}

/// A program as machine code.
pub struct Compiled {
    code: Code,
    step: FuncId,
    /// The step cut into its kernels, if it may be profiled.
    parts: Vec<FuncId>,
    /// Held for the code, which knows their addresses.
    #[allow(clippy::vec_box, reason = "a descriptor stays where it is while the list grows")]
    gemms: Vec<Box<Gemm>>,
    schedule: Vec<String>,
    buffers: usize,
    scratch_bytes: usize,
    workspace_bytes: usize,
}

/// A kernel's plan: code is made from it, and shared by all kernels with the same text.
enum Plan {
    Inline(Box<RowsPlan>),
    Rows(Box<RowsPlan>, FuncId),
    Scatter(Box<ScatterPlan>, FuncId),
    Contract(Finish, Option<FuncId>),
}

/// Compiles a program that the verifier of loops accepts.
pub fn compile(program: &Program, options: &Options) -> Compiled {
    let mut jit = Jit::new(options.texts);
    let bound: Vec<(KernelKind, Binding)> =
        program.kernels.iter().map(|kernel| bind::bind(program, &kernel.kind)).collect();
    let mut plans: Vec<Plan> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let plan_of: Vec<usize> = bound
        .iter()
        .map(|(kind, binding)| {
            let text = format!("{:?} {kind:?}", binding.dtypes);
            *known.entry(text).or_insert_with(|| {
                let plan = plan(&mut jit, kind, binding, plans.len());
                plans.push(plan);
                plans.len() - 1
            })
        })
        .collect();
    let products: Vec<bool> = bound.iter().map(|(k, _)| matches!(k, KernelKind::Contract(_))).collect();
    // The code holds their addresses, so they have them before they have a value: a descriptor
    // names its epilogue, whose address is known only after the code is sealed.
    let mut places: Vec<Option<Box<MaybeUninit<Gemm>>>> =
        products.iter().map(|&is| is.then(Box::<Gemm>::new_uninit)).collect();
    let launches: Vec<Launch> = bound
        .iter()
        .zip(&plan_of)
        .zip(&places)
        .map(|(((kind, binding), &plan), place)| {
            let descriptor = place.as_ref().map_or(0, |p| p.as_ptr() as usize);
            Launch { binding, what: launch(kind, &plans[plan], descriptor) }
        })
        .collect();
    let step = step::define(&mut jit, "step", &launches);
    let single = |(i, launch)| step::define(&mut jit, &format!("step.{i}"), std::slice::from_ref(launch));
    let parts = if options.profile { launches.iter().enumerate().map(single).collect() } else { Vec::new() };
    drop(launches);
    let code = jit.seal();

    let mut compiled = Compiled {
        step,
        parts,
        gemms: Vec::new(),
        schedule: Vec::new(),
        buffers: program.buffers.len(),
        scratch_bytes: 0,
        workspace_bytes: 0,
        code,
    };
    for (at, (kind, _)) in bound.iter().enumerate() {
        let place = places[at].take();
        compiled.finish_kernel(&program.kernels[at], kind, &plans[plan_of[at]], place, options);
    }
    compiled
}

fn plan(jit: &mut Jit, kind: &KernelKind, binding: &Binding, number: usize) -> Plan {
    let name = format!("k{number}");
    match kind {
        KernelKind::Rows(rows) => {
            let plan = Box::new(RowsPlan::new(Nest::of_rows(rows, &binding.dtypes)));
            if step::is_inline(&plan) {
                return Plan::Inline(plan);
            }
            let function = rows::define(jit, &name, &plan);
            Plan::Rows(plan, function)
        }
        KernelKind::Scatter(scatter) => {
            let plan = Box::new(ScatterPlan::new(scatter));
            let function = scatter::define(jit, &name, &plan);
            Plan::Scatter(plan, function)
        }
        KernelKind::Contract(contract) => {
            let finish = contract::finish(contract, &binding.dtypes);
            let function = match &finish {
                Finish::Store { .. } => None,
                Finish::Epilogue(plan) => Some(contract::define(jit, &name, plan)),
            };
            Plan::Contract(finish, function)
        }
    }
}

fn launch<'p>(kind: &KernelKind, plan: &'p Plan, descriptor: usize) -> What<'p> {
    match (plan, kind) {
        (Plan::Inline(plan), _) => What::Inline(plan),
        (Plan::Rows(plan, function), _) => What::Tasks {
            function: *function,
            tasks: plan.tasks,
            scratch: plan.scratch_bytes > 0,
            uniforms: Some(plan),
        },
        (Plan::Scatter(plan, function), _) => {
            What::Tasks { function: *function, tasks: plan.tasks, scratch: false, uniforms: None }
        }
        (Plan::Contract(finish, _), KernelKind::Contract(contract)) => {
            let (out, epilogue) = match finish {
                Finish::Store { slot, offset, .. } => (Some((*slot, *offset)), None),
                Finish::Epilogue(plan) => (None, Some(&**plan)),
            };
            let [lhs, rhs] = contract.operands().map(|operand| {
                let access = contract::plain(operand);
                (access.buffer, access.offset)
            });
            What::Product { descriptor, lhs, rhs, out, epilogue }
        }
        (Plan::Contract(..), KernelKind::Rows(_) | KernelKind::Scatter(_)) => {
            panic!("codegen: a product's plan is of a product")
        }
    }
}

impl Compiled {
    /// Fills in a product's descriptor and notes what the kernel needs and how it runs.
    fn finish_kernel(
        &mut self,
        kernel: &Kernel,
        kind: &KernelKind,
        plan: &Plan,
        place: Option<Box<MaybeUninit<Gemm>>>,
        options: &Options,
    ) {
        let (how, scratch) = match plan {
            Plan::Inline(_) => ("numbers of the step".to_string(), 0),
            Plan::Rows(plan, _) => (plan.describe(), plan.scratch_bytes),
            Plan::Scatter(plan, _) => (plan.describe(), 0),
            Plan::Contract(finish, function) => {
                let (KernelKind::Contract(contract), Some(place)) = (kind, place) else {
                    panic!("codegen: a product's plan is of a product")
                };
                let (out, tail, scratch) = match finish {
                    Finish::Store { ldc, batch_stride, .. } => {
                        (Out::Store { ldc: *ldc, batch_stride: *batch_stride }, "plain store", 0)
                    }
                    Finish::Epilogue(plan) => {
                        let function = function.expect("codegen: an epilogue has a function");
                        let f = self.epilogue(function);
                        (Out::Epilogue(f), plan.describe(), plan.scratch_bytes)
                    }
                };
                let gemm = Gemm::new(contract::problem(contract, out), Isa::detect(), options.threads);
                let how = format!("{}, {tail}", gemm.describe());
                let scratch = scratch + gemm.scratch_bytes();
                self.workspace_bytes = self.workspace_bytes.max(gemm.workspace_bytes());
                self.gemms.push(Box::write(place, gemm));
                (how, scratch)
            }
        };
        self.scratch_bytes = self.scratch_bytes.max(scratch);
        self.schedule.push(format!("{}: {how}", kernel.label));
    }

    fn epilogue(&self, function: FuncId) -> EpilogueFn {
        // SAFETY: `contract::define` gave the function exactly these parameters.
        unsafe { std::mem::transmute::<*const u8, EpilogueFn>(self.code.address(function)) }
    }

    /// Runs one step.
    ///
    /// # Safety
    /// `buffers` holds, by buffer id, an address aligned to 128 bytes with the buffer's size behind
    /// it; two overlap only as the memory plan says; nothing else uses them meanwhile. `workspace`
    /// has [`workspace_bytes`](Self::workspace_bytes), and the team's threads have
    /// [`scratch_bytes`](Self::scratch_bytes).
    pub unsafe fn run(&self, team: &Team, buffers: &[*mut u8], workspace: *mut u8, seed: u64, step: u64) {
        // SAFETY: the caller's promises.
        unsafe { self.call(self.step, team, buffers, workspace, seed, step) }
    }

    /// # Safety
    /// As of [`run`](Self::run); `function` is the step or a part of it.
    unsafe fn call(
        &self,
        function: FuncId,
        team: &Team,
        buffers: &[*mut u8],
        workspace: *mut u8,
        seed: u64,
        step: u64,
    ) {
        assert_eq!(buffers.len(), self.buffers, "codegen: one address for each buffer");
        assert!(team.scratch_bytes() >= self.scratch_bytes, "codegen: the team's scratch suffices");
        let ctx = Ctx { buffers: buffers.as_ptr(), seed, step, team: (&raw const *team).cast(), workspace };
        // SAFETY: `step::define` gave the function this one parameter.
        let f = unsafe {
            std::mem::transmute::<*const u8, unsafe extern "C" fn(*const Ctx)>(self.code.address(function))
        };
        let _flush = FlushDenormals::new();
        // SAFETY: the caller's promises, and what `ctx` points at lives until the call ends.
        unsafe { f(&ctx) }
    }

    /// Bytes of scratch that each thread of the team needs.
    pub fn scratch_bytes(&self) -> usize {
        self.scratch_bytes
    }

    /// Bytes of shared scratch that a run needs.
    pub fn workspace_bytes(&self) -> usize {
        self.workspace_bytes
    }

    /// The functions of the kernels crate that the code calls, sorted.
    pub fn calls(&self) -> &[&'static str] {
        &self.code.calls
    }

    /// How each kernel runs, in order.
    pub fn schedule(&self) -> &[String] {
        &self.schedule
    }

    /// The code before compilation, if texts were kept.
    pub fn clif(&self) -> String {
        self.code.texts.iter().map(|f| format!("; {}\n{}\n", f.name, f.clif)).collect()
    }

    /// The machine code, if texts were kept.
    pub fn asm(&self) -> String {
        self.code.texts.iter().map(|f| format!("; {}\n{}\n", f.name, f.asm)).collect()
    }
}
