//! Loops to machine code: one program becomes one function that runs a whole step.
//!
//! [`compile`] makes Cranelift code of every kernel and of the step that calls them. Promises: a
//! step interprets nothing and allocates nothing; its results have the same bits for any number of
//! threads, since work is cut by shape and cost alone and every fold has one fixed order (see
//! `lanes.rs`); kernels that differ only in their buffers share code. What the code calls is listed
//! in [`Compiled::calls`]: strips of transcendental functions, matrix products, random numbers and
//! the thread team, nothing else (but for `floorf` on an x86-64 without SSE4.1).

mod contract;
mod emit;
mod facts;
mod formula;
mod instance;
mod jit;
mod known;
mod lanes;
mod nest;
mod rows;
mod scan;
mod scatter;
mod step;
mod strip;
mod value;
mod wide;

#[cfg(test)]
mod tests;

pub use instance::Instance;
pub use jit::FunctionText;

use crate::codegen::bind::{self, Binding};
use crate::loops::{KernelKind, Program};
use contract::Finish;
use cranelift_module::FuncId;
use jit::{Code, Jit};
use known::Known;
use mlc_kernels::Isa;
use mlc_kernels::abi::{Ctx, EpilogueFn};
use mlc_kernels::denormals::FlushDenormals;
use mlc_kernels::gemm::{Gemm, Out};
use mlc_kernels::team::Team;
use nest::Nest;
use rows::RowsPlan;
use scatter::ScatterPlan;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::MaybeUninit;
use step::{Launch, Launcher, What};

/// What compilation may depend on beside the program. Results depend on none of it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that the plans of matrix products reckon with.
    pub threads: usize,
    /// Keep the text of the code, for [`Compiled::clif`] and [`Compiled::asm`].
    pub texts: bool,
    /// Make one more function of each kernel, for [`Compiled::run_apart`].
    pub profile: bool,
    /// What the code may use.
    pub isa: Isa,
}

impl Default for Options {
    fn default() -> Self {
        Options { threads: 1, texts: false, profile: false, isa: Isa::current() }
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
    /// Held for the same reason: what launchers read.
    words: Vec<Box<[i64]>>,
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
    /// What runs a step of it.
    Scan(FuncId),
}

/// Compiles a program that the verifier of loops accepts.
pub fn compile(program: &Program, options: &Options) -> Compiled {
    let jit = Jit::new(options.texts, options.isa);
    let mut maker = Maker {
        jit,
        plans: Vec::new(),
        known: Known::default(),
        launchers: BTreeMap::new(),
        bodies: Vec::new(),
    };
    let made = maker.program(program, "step", options.profile);
    let Maker { jit, plans, bodies, .. } = maker;
    let mut compiled = Compiled {
        step: made.step,
        parts: made.parts.clone(),
        gemms: Vec::new(),
        words: Vec::new(),
        schedule: Vec::new(),
        buffers: program.buffers.len(),
        scratch_bytes: 0,
        workspace_bytes: 0,
        code: jit.seal(),
    };
    bodies.into_iter().for_each(|body| compiled.finish_program(body, &plans, options));
    let of_bodies = std::mem::take(&mut compiled.schedule);
    compiled.finish_program(made, &plans, options);
    compiled.schedule.extend(of_bodies);
    compiled
}

/// Makes the functions of programs: of the one that is compiled, and of its scans' bodies.
struct Maker {
    jit: Jit,
    plans: Vec<Plan>,
    /// The plan of each kernel seen.
    known: Known,
    /// What launches the kernels of a plan, if there are several.
    launchers: BTreeMap<usize, FuncId>,
    /// What scans run, inner ones first.
    bodies: Vec<Made>,
}

/// A program whose functions exist, but for the descriptors of its products.
struct Made {
    step: FuncId,
    parts: Vec<FuncId>,
    kernels: Vec<MadeKernel>,
}

struct MadeKernel {
    label: String,
    kind: KernelKind,
    plan: usize,
    /// What its launcher is given; the code holds their address.
    words: Box<[i64]>,
    /// The code holds its address, so it has one before it has a value: a descriptor names its
    /// epilogue, whose address is known only after the code is sealed.
    descriptor: Option<Box<MaybeUninit<Gemm>>>,
}

impl Maker {
    /// `name` is that of the function that runs all kernels; each has one of its own if `parts`.
    fn program(&mut self, program: &Program, name: &str, parts: bool) -> Made {
        let mut bindings = Vec::new();
        let mut kernels = Vec::new();
        for kernel in &program.kernels {
            let (kind, binding) = bind::bind(program, &kernel.kind);
            let plan = self.plan(&kind, &binding);
            let is_product = matches!(kind, KernelKind::Contract(_));
            let descriptor = is_product.then(Box::<Gemm>::new_uninit);
            let words = step::words(&binding, address(&descriptor));
            kernels.push(MadeKernel { label: kernel.label.clone(), kind, plan, words, descriptor });
            bindings.push(binding);
        }
        self.define_launchers(&kernels, &bindings);
        let Maker { jit, plans, launchers, .. } = self;
        let launches: Vec<Launch> = kernels
            .iter()
            .zip(&bindings)
            .map(|(kernel, binding)| {
                let what = launch(&kernel.kind, &plans[kernel.plan], address(&kernel.descriptor));
                let function = launchers.get(&kernel.plan);
                let launcher = function.map(|&function| Launcher { function, words: &kernel.words });
                Launch { binding, what, launcher }
            })
            .collect();
        let step = step::define(jit, name, &launches);
        let parts = if parts { launches.iter().collect() } else { Vec::new() };
        let single = |(i, launch)| step::define(jit, &format!("{name}.{i}"), std::slice::from_ref(launch));
        let parts = parts.into_iter().enumerate().map(single).collect();
        Made { step, parts, kernels }
    }

    /// A launcher for each plan that several kernels follow.
    fn define_launchers(&mut self, kernels: &[MadeKernel], bindings: &[Binding]) {
        let mut seen = BTreeSet::new();
        for (kernel, binding) in kernels.iter().zip(bindings) {
            if !seen.insert(kernel.plan) && !self.launchers.contains_key(&kernel.plan) {
                let what = launch(&kernel.kind, &self.plans[kernel.plan], address(&kernel.descriptor));
                let first = Launch { binding, what, launcher: None };
                let launcher =
                    step::define_launcher(&mut self.jit, &format!("launch{}", kernel.plan), &first);
                self.launchers.insert(kernel.plan, launcher);
            }
        }
    }

    /// The plan of a kernel, shared by all that are equal.
    fn plan(&mut self, kind: &KernelKind, binding: &Binding) -> usize {
        if let Some(known) = self.known.get(kind, &binding.dtypes) {
            return known;
        }
        let plan = match kind {
            KernelKind::Scan(scan) => {
                let name = format!("scan{}", self.bodies.len());
                let made = self.program(&scan.body, &name, false);
                let function = made.step;
                self.bodies.push(made);
                Plan::Scan(function)
            }
            KernelKind::Rows(_) | KernelKind::Contract(_) | KernelKind::Scatter(_) => {
                plan(&mut self.jit, kind, binding, self.plans.len())
            }
        };
        self.plans.push(plan);
        self.known.insert(kind.clone(), binding.dtypes.clone(), self.plans.len() - 1);
        self.plans.len() - 1
    }
}

fn plan(jit: &mut Jit, kind: &KernelKind, binding: &Binding, number: usize) -> Plan {
    let name = format!("k{number}");
    match kind {
        KernelKind::Rows(rows) => {
            let plan = Box::new(RowsPlan::new(Nest::of_rows(rows, &binding.dtypes), jit.is_wide()));
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
            let finish = contract::finish(contract, &binding.dtypes, jit.is_wide());
            let function = match &finish {
                Finish::Store { .. } => None,
                Finish::Epilogue(plan) => Some(contract::define(jit, &name, plan)),
            };
            Plan::Contract(finish, function)
        }
        KernelKind::Scan(_) => unreachable!("codegen: a scan is a program of its own"),
    }
}

fn describe_scan(kind: &KernelKind) -> String {
    let KernelKind::Scan(scan) = kind else { panic!("codegen: a scan's plan is of a scan") };
    format!("{} steps of {} kernels, listed at the end", scan.length, scan.body.kernels.len())
}

/// Where a descriptor will be; 0 without one.
fn address(descriptor: &Option<Box<MaybeUninit<Gemm>>>) -> usize {
    descriptor.as_ref().map_or(0, |p| p.as_ptr() as usize)
}

fn launch<'p>(kind: &'p KernelKind, plan: &'p Plan, descriptor: usize) -> What<'p> {
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
        (Plan::Scan(function), KernelKind::Scan(scan)) => What::Scan { scan, function: *function },
        (Plan::Scan(_), KernelKind::Rows(_) | KernelKind::Scatter(_) | KernelKind::Contract(_)) => {
            panic!("codegen: a scan's plan is of a scan")
        }
        (Plan::Contract(..), KernelKind::Rows(_) | KernelKind::Scatter(_) | KernelKind::Scan(_)) => {
            panic!("codegen: a product's plan is of a product")
        }
    }
}

impl Compiled {
    fn finish_program(&mut self, made: Made, plans: &[Plan], options: &Options) {
        for kernel in made.kernels {
            let plan = &plans[kernel.plan];
            self.finish_kernel(kernel, plan, options);
        }
    }

    /// Fills in a product's descriptor and notes what the kernel needs and how it runs.
    fn finish_kernel(&mut self, kernel: MadeKernel, plan: &Plan, options: &Options) {
        let MadeKernel { label, kind, words, descriptor: place, .. } = kernel;
        self.words.push(words);
        let (how, scratch) = match plan {
            Plan::Inline(_) => ("numbers of the step".to_string(), 0),
            Plan::Rows(plan, _) => (plan.describe(), plan.scratch_bytes),
            Plan::Scatter(plan, _) => (plan.describe(), 0),
            Plan::Scan(_) => (describe_scan(&kind), 0),
            Plan::Contract(finish, function) => {
                let (KernelKind::Contract(contract), Some(place)) = (&kind, place) else {
                    panic!("codegen: a product's plan is of a product")
                };
                let (out, tail, scratch) = match finish {
                    Finish::Store { ldc, .. } => (Out::Store { ldc: *ldc }, "plain store", 0),
                    Finish::Epilogue(plan) => {
                        let function = function.expect("codegen: an epilogue has a function");
                        let f = self.epilogue(function);
                        (Out::Epilogue(f), plan.describe(), plan.scratch_bytes)
                    }
                };
                let gemm = Gemm::new(contract::problem(contract, finish, out), options.isa, options.threads);
                let how = format!("{}, {tail}", gemm.describe());
                let scratch = scratch + gemm.scratch_bytes();
                self.workspace_bytes = self.workspace_bytes.max(gemm.workspace_bytes());
                self.gemms.push(Box::write(place, gemm));
                (how, scratch)
            }
        };
        self.scratch_bytes = self.scratch_bytes.max(scratch);
        self.schedule.push(format!("{label}: {how}"));
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

    /// Runs one step kernel by kernel, and adds each one's time on `clock` to `seconds`. Needs
    /// [`Options::profile`].
    ///
    /// # Safety
    /// As of [`run`](Self::run).
    #[allow(clippy::too_many_arguments, reason = "a run, and what to time it with")]
    pub unsafe fn run_apart(
        &self,
        team: &Team,
        buffers: &[*mut u8],
        workspace: *mut u8,
        seed: u64,
        step: u64,
        clock: &dyn Fn() -> f64,
        seconds: &mut Vec<f64>,
    ) {
        seconds.resize(self.parts.len(), 0.0);
        for (&part, seconds) in self.parts.iter().zip(seconds) {
            let start = clock();
            // SAFETY: the caller's promises; the parts in order are the step.
            unsafe { self.call(part, team, buffers, workspace, seed, step) };
            *seconds += clock() - start;
        }
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
