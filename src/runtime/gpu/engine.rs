//! Runs of programs on batches, several under way at a time.
//!
//! Runs are gathered into a flight: their inputs are written into mapped memory, and one submission
//! carries them over, runs all and brings their results back. While a flight is away the other one
//! is filled. Results land in the order of the runs, one flight at a time. How many runs a flight
//! takes follows the clock, so that results neither come late nor cost a submission each; what they
//! are does not depend on it.

use super::demand::{Demand, Ring};
use super::device::Device;
use super::fault::Fault;
use super::heaps::{Heaps, buffer, map, mapped};
use super::loaded::{Loaded, Pipelines};
use crate::codegen::wgsl::{self, Shaders, StepBlock, Target, WeightPlaces};
use crate::loops::{Program, remat};
use crate::runtime::data::Batch;
use crate::runtime::paces::Scalars;
use crate::runtime::weights::Weights;
use crate::sema::job::MemoryLimit;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use wgpu::BufferUsages;

/// A flight that takes less than this grows, one that takes more than the other shrinks.
const SHORT: Duration = Duration::from_millis(25);
const LONG: Duration = Duration::from_millis(250);

/// A device with the weights of a job and its programs.
pub struct Engine {
    device: Device,
    seed: u64,
    places: WeightPlaces,
    pipelines: Pipelines,
    programs: Vec<Loaded>,
    demand: Demand,
    limit: Option<MemoryLimit>,
    /// None until the first program is about to run.
    held: Option<Held>,
    landed: VecDeque<Vec<f32>>,
    /// Those taken last.
    taken: Vec<f32>,
}

/// What is allocated for a demand.
struct Held {
    demand: Demand,
    heaps: Heaps,
    flights: Vec<Flight>,
    /// The flight that is being filled.
    current: usize,
    /// Runs to a flight.
    size: u64,
    last_landing: Instant,
}

/// Runs that go together.
struct Flight {
    /// Of the ring.
    first_slot: u64,
    upload: wgpu::Buffer,
    download: wgpu::Buffer,
    /// The program of each.
    runs: Vec<usize>,
    away: Option<Away>,
}

/// A submission that was not waited for yet.
struct Away {
    until: wgpu::SubmissionIndex,
    upload: Arc<AtomicBool>,
    download: Arc<AtomicBool>,
    since: Instant,
}

impl Engine {
    /// An engine for the weights and states of a job; nothing is allocated yet.
    pub fn new(device: Device, weights: &Weights, seed: u64) -> Result<Engine, Fault> {
        let slots = weights.slots().iter().map(|slot| (&*slot.name, slot.count()));
        let places = WeightPlaces::new(slots, &device.target())?;
        let demand = Demand::of_weights(&places.heaps);
        Ok(Engine {
            device,
            seed,
            places,
            pipelines: Pipelines::default(),
            programs: Vec::new(),
            demand,
            limit: None,
            held: None,
            landed: VecDeque::new(),
            taken: Vec::new(),
        })
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Has programs that are added from now on let values go and make them again, so that the device holds no more.
    pub fn limit(&mut self, limit: MemoryLimit) {
        self.limit = Some(limit);
    }

    /// What the programs so far take.
    pub fn demand(&self) -> &Demand {
        &self.demand
    }

    /// Programs in the order of [`add`](Self::add), as they run here.
    pub fn shaders(&self) -> impl Iterator<Item = (&Program, &wgsl::Shaders)> {
        self.programs.iter().map(|loaded| (&loaded.program, &loaded.shaders))
    }

    /// Takes a program in: its shaders are generated and its demand added. One that comes after
    /// [`allocate`](Self::allocate) finds room, if need be by making it anew around the weights. `columns` are
    /// the data's columns in their order, `kept` the outputs whose numbers are wanted after each run.
    pub fn add(&mut self, program: Program, columns: &[&str], kept: &[usize]) -> Result<usize, Fault> {
        let target = self.device.target();
        let (program, shaders, demand) = self.fitted(program, &target)?;
        self.demand = demand;
        self.programs.push(Loaded::new(program, shaders, columns, kept));
        if self.held.as_ref().is_some_and(|held| !held.demand.covers(&self.demand)) {
            self.grow()?;
        }
        Ok(self.programs.len() - 1)
    }

    /// A program that keeps to the limit, if it can, its shaders, and what all take with it.
    fn fitted(&self, program: Program, target: &Target) -> Result<(Program, Shaders, Demand), Fault> {
        let with = |shaders: &Shaders| {
            let mut demand = self.demand.clone();
            demand.add(shaders, u64::from(target.slot_align));
            demand.settle(self.device.max_buffer_bytes());
            demand
        };
        let whole = program;
        let mut fitted = (whole.clone(), wgsl::compile(&whole, &self.places, self.seed, target)?);
        let mut demand = with(&fitted.1);
        let Some(limit) = self.limit.map(|limit| limit.bytes as u64) else {
            return Ok((fitted.0, fitted.1, demand));
        };
        // What runs again has parameters of its own: they are known once it is there.
        for _try in 0..2 {
            if demand.total() <= limit {
                break;
            }
            let budget = limit.saturating_sub(demand.total() - demand.temporaries());
            let less = remat::fit(&whole, budget as usize, &|program| wgsl::arena_bytes(program, target));
            let shaders = wgsl::compile(&less, &self.places, self.seed, target)?;
            demand = with(&shaders);
            fitted = (less, shaders);
        }
        Ok((fitted.0, fitted.1, demand))
    }

    /// Allocates anew for a demand that outgrew what is held. Weights stay where they are.
    fn grow(&mut self) -> Result<(), Fault> {
        self.finish()?;
        self.demand.check(&self.device)?;
        // What is held goes before more is asked for.
        let weights = self.held.take().expect(ALLOCATED).heaps.weights;
        self.programs.iter_mut().for_each(Loaded::unbind);
        let held = Held::new(&self.device, self.demand.clone(), Some(weights));
        self.held = Some(held.map_err(|fault| self.demand.explain(fault))?);
        Ok(())
    }

    /// Allocates what the programs demand, once it is known to fit, with these weights.
    pub fn allocate(&mut self, weights: &Weights) -> Result<(), Fault> {
        self.demand.check(&self.device)?;
        let held = Held::new(&self.device, self.demand.clone(), None);
        self.held = Some(held.map_err(|fault| self.demand.explain(fault))?);
        self.upload(weights)
    }

    /// Copies all weights and states to the device.
    ///
    /// # Panics
    /// Before [`allocate`](Self::allocate).
    pub fn upload(&mut self, weights: &Weights) -> Result<(), Fault> {
        self.finish()?;
        let held = self.held.as_ref().expect(ALLOCATED);
        for (i, slot) in weights.slots().iter().enumerate() {
            let place = self.places.get(&slot.name).expect(PLACED);
            held.heaps.write(&self.device, place, 0, weights.bytes_of(i))?;
        }
        Ok(())
    }

    /// Copies all weights and states from the device, after all runs.
    ///
    /// # Panics
    /// Before [`allocate`](Self::allocate).
    pub fn download(&mut self, weights: &mut Weights) -> Result<(), Fault> {
        self.finish()?;
        let held = self.held.as_ref().expect(ALLOCATED);
        for i in 0..weights.slots().len() {
            let place = self.places.get(&weights.slots()[i].name).expect(PLACED);
            held.heaps.read(&self.device, place, 0, weights.bytes_of_mut(i))?;
        }
        Ok(())
    }

    /// Compiles a program's pipelines, so that its first run does not wait for them.
    pub fn prepare(&mut self, program: usize) -> Result<(), Fault> {
        let held = self.held.as_ref().expect(ALLOCATED);
        self.programs[program].bind(&self.device, &mut self.pipelines, &held.heaps)
    }

    /// Runs a program on a batch, now or together with later runs. Scalars are given by name; random
    /// numbers are those of `step`. Older results may land meanwhile.
    pub fn run(&mut self, program: usize, batch: &Batch, scalars: &Scalars, step: u64) -> Result<(), Fault> {
        self.prepare(program)?;
        let held = self.held.as_mut().expect(ALLOCATED);
        held.land(&self.device, &self.programs, held.current, &mut self.landed)?;
        let flight = &held.flights[held.current];
        flight.fill(&self.device, &held.heaps, &self.programs[program], batch, scalars, step)?;
        let flight = &mut held.flights[held.current];
        flight.runs.push(program);
        if flight.runs.len() as u64 >= held.size {
            held.launch(&self.device, &self.programs)?;
        }
        Ok(())
    }

    /// Waits for all runs.
    pub fn finish(&mut self) -> Result<(), Fault> {
        let Some(held) = &mut self.held else { return Ok(()) };
        held.launch(&self.device, &self.programs)?;
        // After a launch the current flight is the older one.
        for i in 0..held.flights.len() {
            let at = (held.current + i) % held.flights.len();
            held.land(&self.device, &self.programs, at, &mut self.landed)?;
        }
        Ok(())
    }

    /// The next results that have landed, in the order of the runs: the outputs that the program keeps.
    pub fn landed(&mut self) -> Option<&[f32]> {
        self.taken = self.landed.pop_front()?;
        Some(&self.taken)
    }
}

const PLACED: &str = "runtime: weights have places since the engine was made";
const ALLOCATED: &str = "runtime: memory on the device is there before it is used";

impl Held {
    /// Allocates everything; the weights unless they are there.
    fn new(device: &Device, demand: Demand, weights: Option<Vec<wgpu::Buffer>>) -> Result<Held, Fault> {
        let heaps = Heaps::new(device, &demand, weights)?;
        let Ring { flights, steps } = demand.ring;
        let flight = |i: u64| -> Result<Flight, Fault> {
            let upload = BufferUsages::COPY_SRC | BufferUsages::MAP_WRITE;
            let download = BufferUsages::COPY_DST | BufferUsages::MAP_READ;
            Ok(Flight {
                first_slot: i * steps,
                upload: buffer(device, "batches on their way", steps * demand.input_slot, upload)?,
                download: buffer(device, "results on their way", steps * demand.result_slot, download)?,
                runs: Vec::with_capacity(steps as usize),
                away: None,
            })
        };
        let flights = (0..flights).map(flight).collect::<Result<Vec<_>, _>>()?;
        Ok(Held { demand, heaps, flights, current: 0, size: 1, last_landing: Instant::now() })
    }

    /// Sends the current flight off, if it has runs, and turns to the other.
    fn launch(&mut self, device: &Device, programs: &[Loaded]) -> Result<(), Fault> {
        let flight = &mut self.flights[self.current];
        if flight.runs.is_empty() || flight.away.is_some() {
            return Ok(());
        }
        flight.away = Some(flight.submit(device, &self.heaps, programs)?);
        self.current = (self.current + 1) % self.flights.len();
        Ok(())
    }

    /// Waits for a flight, if it is away, and takes its results.
    fn land(
        &mut self,
        device: &Device,
        programs: &[Loaded],
        at: usize,
        landed: &mut VecDeque<Vec<f32>>,
    ) -> Result<(), Fault> {
        let flight = &mut self.flights[at];
        let Some(away) = flight.away.take() else { return Ok(()) };
        device.wait(away.until, TRAINING)?;
        mapped(device, &away.download, TRAINING)?;
        mapped(device, &away.upload, TRAINING)?;
        flight.results(device, &self.heaps, programs, landed)?;
        let runs = flight.runs.len() as u64;
        flight.runs.clear();
        let took = away.since.max(self.last_landing).elapsed();
        self.last_landing = Instant::now();
        if took < SHORT && runs >= self.size {
            self.size = (2 * self.size).min(self.demand.ring.steps);
        } else if took > LONG {
            self.size = (self.size / 2).max(1);
        }
        Ok(())
    }
}

const TRAINING: &str = "training";

impl Flight {
    /// Writes what a run is given into the next slot.
    fn fill(
        &self,
        device: &Device,
        heaps: &Heaps,
        loaded: &Loaded,
        batch: &Batch,
        scalars: &Scalars,
        step: u64,
    ) -> Result<(), Fault> {
        let start = self.runs.len() as u64 * heaps.input_slot;
        let view = self.upload.get_mapped_range_mut(start..start + heaps.input_slot);
        let mut view = view.map_err(|e| device.failed(TRAINING, e.to_string()))?;
        let mut put = |at: u64, bytes: &[u8]| {
            view.slice(at as usize..at as usize + bytes.len()).copy_from_slice(bytes);
        };
        put(0, &StepBlock::new(step).bytes());
        for (name, place) in &loaded.scalars {
            if let Some((_, value)) = scalars.iter().find(|(n, _)| **n == **name) {
                put(heaps.offset(*place, 0), &value.to_le_bytes());
            }
        }
        for column in &loaded.columns {
            // SAFETY: a batch's columns hold as many rows as the program was lowered for, and nobody
            // writes them while the batch is borrowed.
            let bytes = unsafe { std::slice::from_raw_parts(batch.columns[column.index], column.bytes) };
            put(heaps.offset(column.place, 0), bytes);
        }
        Ok(())
    }

    fn submit(&self, device: &Device, heaps: &Heaps, programs: &[Loaded]) -> Result<Away, Fault> {
        let runs = self.runs.len() as u64;
        let (input, result) = (heaps.input_slot, heaps.result_slot);
        device.guarded(TRAINING, || {
            self.upload.unmap();
            let mut encoder = device.device.create_command_encoder(&Default::default());
            let to = self.first_slot * input;
            encoder.copy_buffer_to_buffer(&self.upload, 0, &heaps.inputs, to, runs * input);
            for (i, run) in self.runs.iter().enumerate() {
                programs[*run].record(&mut encoder, heaps, self.first_slot + i as u64);
            }
            let from = self.first_slot * result;
            encoder.copy_buffer_to_buffer(&heaps.results, from, &self.download, 0, runs * result);
            let until = device.queue.submit([encoder.finish()]);
            let upload = map(&self.upload, wgpu::MapMode::Write, self.upload.size());
            let download = map(&self.download, wgpu::MapMode::Read, runs * result);
            Away { until, upload, download, since: Instant::now() }
        })
    }

    /// The numbers that came back, in the order of the runs.
    fn results(
        &self,
        device: &Device,
        heaps: &Heaps,
        programs: &[Loaded],
        landed: &mut VecDeque<Vec<f32>>,
    ) -> Result<(), Fault> {
        let view = self.download.get_mapped_range(..self.runs.len() as u64 * heaps.result_slot);
        let view = view.map_err(|e| device.failed(TRAINING, e.to_string()))?;
        for (i, run) in self.runs.iter().enumerate() {
            let start = i * heaps.result_slot as usize;
            let number = |byte: &u64| {
                let at = start + *byte as usize;
                f32::from_le_bytes([view[at], view[at + 1], view[at + 2], view[at + 3]])
            };
            let values = programs[*run].kept.iter().map(number).collect();
            landed.push_back(values);
        }
        drop(view);
        self.download.unmap();
        Ok(())
    }
}
