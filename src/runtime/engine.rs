//! What runs programs: the processor or a GPU.
//!
//! Both take programs in, run them on batches in order and hand their results out in the same order.
//! The processor is done when [`Engine::run`] returns and allocates nothing in it; a GPU may hold
//! several runs under way and keeps the weights to itself until they are asked for.

use super::data::Batch;
#[cfg(feature = "gpu")]
use super::gpu;
use super::machine::{Executable, Machine};
use super::memory::Backing;
use super::paces::Scalars;
use super::room::Room;
use super::times::{self, KernelTime};
use super::weights::Weights;
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::loops::{Fusion, Program};
#[cfg(feature = "gpu")]
use crate::sema::job::MemoryLimit;
use crate::sema::job::TrainPlan;

/// Where to train, as a user says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    #[default]
    Cpu,
    Gpu,
}

/// A place to train, opened.
pub enum On {
    Cpu {
        threads: usize,
    },
    #[cfg(feature = "gpu")]
    Gpu(Box<gpu::Device>),
}

impl On {
    /// Opens the processor with so many threads, or the GPU that the environment names.
    ///
    /// # Errors
    /// At `span`, if there is no GPU or this build knows none.
    pub fn open(kind: DeviceKind, threads: usize, span: Span) -> Result<On, Box<Diagnostic>> {
        match kind {
            DeviceKind::Cpu => Ok(On::Cpu { threads }),
            DeviceKind::Gpu => gpu_at(span),
        }
    }

    /// As people know it: `2 threads`.
    pub fn name(&self) -> String {
        match self {
            On::Cpu { threads: 1 } => "1 thread".to_string(),
            On::Cpu { threads } => format!("{threads} threads"),
            #[cfg(feature = "gpu")]
            On::Gpu(device) => device.name(),
        }
    }
}

#[cfg(feature = "gpu")]
fn gpu_at(span: Span) -> Result<On, Box<Diagnostic>> {
    match gpu::Device::open(&gpu::Choice::from_env()) {
        Ok(device) => Ok(On::Gpu(Box::new(device))),
        Err(fault) => Err(Box::new(fault.diagnostic(span))),
    }
}

#[cfg(not(feature = "gpu"))]
fn gpu_at(span: Span) -> Result<On, Box<Diagnostic>> {
    let message = "this build of mlc has no part for GPUs";
    let wrong = Diagnostic::error("gpu::not_built", message, span, "to run on the GPU");
    Err(Box::new(
        wrong.help("build it with the feature `gpu`, which is on by default, or train with `--device cpu`"),
    ))
}

/// Runs programs.
pub enum Engine {
    Cpu(Box<Cpu>),
    #[cfg(feature = "gpu")]
    Gpu(Box<Gpu>),
}

/// Programs on the processor.
pub struct Cpu {
    machine: Machine,
    seed: u64,
    room: Option<Room>,
    programs: Vec<Loaded>,
    /// Results of the last run, and whether nobody took them yet.
    values: Vec<f32>,
    landed: bool,
}

struct Loaded {
    executable: Executable,
    /// Indices of the outputs that are results.
    kept: Vec<usize>,
}

/// Programs on a GPU, and the place in the spec that its troubles are told at.
#[cfg(feature = "gpu")]
pub struct Gpu {
    engine: gpu::Engine,
    limit: Option<MemoryLimit>,
    span: Span,
}

type Checked<T> = Result<T, Box<Diagnostic>>;

#[cfg(feature = "gpu")]
impl Gpu {
    fn told<T>(&self, done: Result<T, gpu::Fault>) -> Checked<T> {
        done.map_err(|fault| Box::new(fault.diagnostic(self.span)))
    }

    pub fn engine(&self) -> &gpu::Engine {
        &self.engine
    }
}

#[cfg_attr(
    not(feature = "gpu"),
    allow(
        unused_variables,
        reason = "the processor works on the weights where they lie, and needs no preparation"
    )
)]
impl Engine {
    pub fn new(on: On, weights: &Weights, plan: &TrainPlan) -> Checked<Engine> {
        match on {
            On::Cpu { threads } => Ok(Engine::Cpu(Box::new(Cpu {
                machine: Machine::new(threads, Backing::Memory),
                seed: plan.seed,
                room: None,
                programs: Vec::new(),
                values: Vec::new(),
                landed: false,
            }))),
            #[cfg(feature = "gpu")]
            On::Gpu(device) => match gpu::Engine::new(*device, weights, plan.seed) {
                Ok(engine) => Ok(Engine::Gpu(Box::new(Gpu { engine, limit: None, span: plan.span }))),
                Err(fault) => Err(Box::new(fault.diagnostic(plan.span))),
            },
        }
    }

    /// Has programs that are added from now on take no more than there is room for, on the device that computes.
    pub fn limit(&mut self, room: Room) {
        match self {
            Engine::Cpu(cpu) => {
                cpu.machine.limit(room.bytes());
                cpu.room = Some(room);
            }
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => {
                gpu.engine.limit(room.limit);
                gpu.limit = Some(room.limit);
            }
        }
    }

    /// Times the kernels of programs that are added from now on; only the processor can.
    pub fn time_kernels(&mut self) -> bool {
        match self {
            Engine::Cpu(cpu) => {
                cpu.machine.time_kernels();
                true
            }
            #[cfg(feature = "gpu")]
            Engine::Gpu(_) => false,
        }
    }

    /// What the kernels of a program took, if they are timed, in `runs` runs.
    pub fn kernel_times(&self, program: usize, runs: u64) -> Vec<KernelTime> {
        match self {
            Engine::Cpu(cpu) => times::kernel_times(&cpu.programs[program].executable, runs),
            #[cfg(feature = "gpu")]
            Engine::Gpu(_) => Vec::new(),
        }
    }

    /// What programs may be made of.
    pub fn fusion(&self) -> &'static Fusion {
        match self {
            Engine::Cpu(_) => &Fusion::CPU,
            #[cfg(feature = "gpu")]
            Engine::Gpu(_) => &Fusion::GPU,
        }
    }

    /// Whether all programs must be added before [`allocate`](Self::allocate), and nothing runs before it.
    pub fn plans_ahead(&self) -> bool {
        match self {
            Engine::Cpu(_) => false,
            #[cfg(feature = "gpu")]
            Engine::Gpu(_) => true,
        }
    }

    /// How many runs are worth being handed over before their results are asked for.
    pub fn group(&self) -> u64 {
        match self {
            Engine::Cpu(_) => 1,
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => gpu.engine.demand().ring.steps,
        }
    }

    /// Takes a program in. `columns` are the data's columns in their order; `kept` the outputs whose
    /// numbers are results of each run, one after the other. Gives its number for [`run`](Self::run).
    pub fn add(
        &mut self,
        program: Program,
        weights: &Weights,
        columns: &[&str],
        kept: &[usize],
    ) -> Checked<usize> {
        match self {
            Engine::Cpu(cpu) => {
                let executable = cpu.machine.load(program, weights, columns);
                cpu.values.reserve(kept.iter().map(|output| executable.output(*output).len()).sum());
                cpu.programs.push(Loaded { executable, kept: kept.to_vec() });
                Ok(cpu.programs.len() - 1)
            }
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => {
                let added = gpu.engine.add(program, columns, kept);
                gpu.told(added)
            }
        }
    }

    /// Whether the programs so far keep to the limit.
    ///
    /// # Errors
    /// At the limit, if they do not.
    pub fn keeps_to_limit(&self) -> Checked<()> {
        match self {
            Engine::Cpu(cpu) => cpu.room.map_or(Ok(()), |room| {
                let own = cpu.programs.iter().map(|loaded| loaded.executable.own_bytes());
                room.holds(cpu.machine.bytes().into_iter().chain(own).sum())
            }),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => gpu.limit.map_or(Ok(()), |limit| {
                let demand = gpu.engine.demand();
                let beside = (demand.total() - demand.temporaries()) as usize;
                Room { limit, beside }.holds(demand.temporaries() as usize)
            }),
        }
    }

    /// Makes room for all programs, and takes the first weights.
    pub fn allocate(&mut self, weights: &Weights) -> Checked<()> {
        match self {
            Engine::Cpu(_) => Ok(()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => {
                let done = gpu.engine.allocate(weights);
                gpu.told(done)
            }
        }
    }

    /// Does what else the first run of a program would wait for.
    pub fn prepare(&mut self, program: usize) -> Checked<()> {
        match self {
            Engine::Cpu(_) => Ok(()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => {
                let done = gpu.engine.prepare(program);
                gpu.told(done)
            }
        }
    }

    /// Runs a program on a batch, its scalars given by name; random numbers are those of `step`.
    ///
    /// # Panics
    /// If the results of the run before were not taken, where they are there at once.
    pub fn run(&mut self, program: usize, batch: &Batch, scalars: &Scalars, step: u64) -> Checked<()> {
        match self {
            Engine::Cpu(cpu) => {
                assert!(!cpu.landed, "runtime: results are taken before the next run");
                let Loaded { executable, kept } = &mut cpu.programs[program];
                scalars.iter().for_each(|(name, value)| executable.set(name, *value));
                cpu.machine.run(executable, batch, cpu.seed, step);
                cpu.values.clear();
                kept.iter().for_each(|index| cpu.values.extend_from_slice(executable.output(*index)));
                cpu.landed = true;
                Ok(())
            }
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => {
                let done = gpu.engine.run(program, batch, scalars, step);
                gpu.told(done)
            }
        }
    }

    /// The results of the next run in order, if they are there.
    pub fn landed(&mut self) -> Option<&[f32]> {
        match self {
            Engine::Cpu(cpu) => std::mem::take(&mut cpu.landed).then_some(cpu.values.as_slice()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => gpu.engine.landed(),
        }
    }

    /// Waits for all runs.
    pub fn finish(&mut self) -> Checked<()> {
        match self {
            Engine::Cpu(_) => Ok(()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => {
                let done = gpu.engine.finish();
                gpu.told(done)
            }
        }
    }

    /// Gives the engine all weights, and takes them back.
    pub fn upload(&mut self, weights: &Weights) -> Checked<()> {
        match self {
            Engine::Cpu(_) => Ok(()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => {
                let done = gpu.engine.upload(weights);
                gpu.told(done)
            }
        }
    }

    pub fn download(&mut self, weights: &mut Weights) -> Checked<()> {
        match self {
            Engine::Cpu(_) => Ok(()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(gpu) => {
                let done = gpu.engine.download(weights);
                gpu.told(done)
            }
        }
    }
}
