//! What a job asks a device to hold: known before anything is allocated.

use super::device::Device;
use super::fault::Fault;
use super::loaded::params_bytes;
use crate::codegen::wgsl::Shaders;
use crate::runtime::plan::{Row, bytes, table};

/// Bytes of weights that are moved between host and device at a time.
pub(super) const CHUNK: u64 = 16 << 20;

/// Batches under way take about this many bytes, if one does not take more.
const UNDER_WAY: u64 = 8 << 20;

/// Groups of steps that alternate: one runs on the device while the other is filled.
const FLIGHTS: u64 = 2;

/// Steps of a group, at most: enough that handing them over is no part of the time.
const STEPS: u64 = 16;

/// Dispatches of a group, about: what is recorded takes memory and time of the host.
const DISPATCHES: u64 = 16_000;

/// Sizes of what is shared by all programs of a job: as large as the neediest asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Bytes of each heap of weights, and of temporaries.
    pub weights: Vec<u64>,
    pub arena: Vec<u64>,
    /// Bytes of a slot for what a step is given, and for what it leaves.
    pub input_slot: u64,
    pub result_slot: u64,
    /// What the dispatches of all programs are told once.
    pub params: u64,
    /// Of the program that has the most.
    pub dispatches: u64,
    pub ring: Ring,
}

/// Slots of steps under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    pub flights: u64,
    pub steps: u64,
}

impl Ring {
    pub fn slots(self) -> u64 {
        self.flights * self.steps
    }
}

impl Demand {
    pub fn of_weights(heaps: &[u64]) -> Demand {
        Demand { weights: heaps.to_vec(), ..Demand::default() }
    }

    /// Takes a program in. `align` is the device's for slots.
    pub fn add(&mut self, shaders: &Shaders, align: u64) {
        let arena = &mut self.arena;
        arena.resize(arena.len().max(shaders.arena.len()), 0);
        arena.iter_mut().zip(&shaders.arena).for_each(|(all, one)| *all = (*all).max(*one));
        // A slot of inputs opens with what changes with the step.
        let input = align + shaders.inputs.bytes.next_multiple_of(align);
        let result = shaders.results.bytes.next_multiple_of(align).max(align);
        self.input_slot = self.input_slot.max(input);
        self.result_slot = self.result_slot.max(result);
        self.params += params_bytes(shaders, align);
        let dispatches = shaders.runs.iter().map(|run| (run.dispatches.len() * run.times) as u64);
        self.dispatches = self.dispatches.max(dispatches.sum());
    }

    /// Settles how many steps are under way. `most` is the largest buffer of the device.
    pub fn settle(&mut self, most: u64) {
        let slot = self.input_slot.max(self.result_slot).max(1);
        let flights = (most / slot).clamp(1, FLIGHTS);
        let room = UNDER_WAY.min(most) / (flights * slot);
        // A loop over time may have thousands in one step.
        let steps = STEPS.min(DISPATCHES / self.dispatches.max(1));
        self.ring = Ring { flights, steps: room.min(steps).max(1) };
    }

    /// Whether what was allocated for this demand holds the other's programs too.
    pub(super) fn covers(&self, other: &Demand) -> bool {
        let arena = |i: usize| self.arena.get(i).copied().unwrap_or(0);
        other.arena.iter().enumerate().all(|(i, bytes)| *bytes <= arena(i))
            && other.input_slot <= self.input_slot
            && other.result_slot <= self.result_slot
    }

    /// What takes how much, by what it is for.
    pub fn rows(&self) -> Vec<Row> {
        let slots = self.ring.slots();
        let (input, result) = (slots * self.input_slot, slots * self.result_slot);
        let weights: u64 = self.weights.iter().sum();
        let row = |what, bytes, note: String| Row { what, bytes, note };
        let heaps = |sizes: &[u64]| match sizes.len() {
            1 => String::new(),
            n => format!("in {n} heaps"),
        };
        vec![
            row("weights and states", weights, heaps(&self.weights)),
            row("temporaries", self.temporaries(), heaps(&self.arena)),
            row("batches", input, format!("of {slots} steps under way")),
            row("results", result, "of the same".to_string()),
            row("parameters", self.params, "of dispatches".to_string()),
            row(
                "staging",
                input + result + CHUNK.min(weights),
                "on the way to and from the device".to_string(),
            ),
        ]
    }

    /// Bytes of all heaps of temporaries.
    pub fn temporaries(&self) -> u64 {
        self.arena.iter().sum()
    }

    pub fn total(&self) -> u64 {
        self.rows().iter().map(|row| row.bytes).sum()
    }

    /// Whether the device can hold it all.
    pub fn check(&self, device: &Device) -> Result<(), Fault> {
        let Some(has) = device.memory().filter(|has| *has < self.total()) else { return Ok(()) };
        let message = format!(
            "training takes {} on the GPU, and {} has {}",
            bytes(self.total() as usize),
            device.name(),
            bytes(has as usize)
        );
        Err(Fault::Memory { message, table: self.table() })
    }

    /// A fault of the allocation, with what was asked for.
    pub(super) fn explain(&self, fault: Fault) -> Fault {
        match fault {
            Fault::Memory { message, .. } => Fault::Memory { message, table: self.table() },
            Fault::Absent { .. } | Fault::Lost { .. } | Fault::Refused { .. } | Fault::Lacks(_) => fault,
        }
    }

    /// The rows as text, each on a line of its own.
    pub fn table(&self) -> String {
        let line = |row: &Row| vec![row.what.to_string(), bytes(row.bytes as usize), row.note.clone()];
        table(self.rows().iter().map(line).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(slot: u64, most: u64) -> (u64, u64) {
        let mut demand = Demand { input_slot: slot, result_slot: 256, ..Demand::default() };
        demand.settle(most);
        (demand.ring.flights, demand.ring.steps)
    }

    #[test]
    fn steps_under_way_follow_from_their_bytes() {
        assert_eq!(ring(512, 1 << 30), (2, STEPS));
        assert_eq!(ring(1 << 20, 1 << 30), (2, 4));
        assert_eq!(ring(100 << 20, 256 << 20), (2, 1));
        // Two do not fit into one buffer: the host waits for each.
        assert_eq!(ring(200 << 20, 256 << 20), (1, 1));
    }
}
