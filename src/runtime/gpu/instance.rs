//! One program with memory of its own on the device, run by hand: for tests and for `mlc verify`.

use super::demand::Demand;
use super::device::Device;
use super::fault::Fault;
use super::heaps::Heaps;
use super::loaded::{Loaded, Pipelines};
use crate::base::DType;
use crate::codegen::wgsl::{self, Heap, Shaders, StepBlock, WORD, WeightPlaces, is_packed, words};
use crate::loops::{BufferId, Program};

/// A program on the device. Buffers start zeroed.
pub struct Instance<'d> {
    device: &'d Device,
    heaps: Heaps,
    loaded: Loaded,
}

impl<'d> Instance<'d> {
    /// Compiles a program for the device and makes room for it. Random numbers are drawn from `seed`.
    ///
    /// # Errors
    /// If the device lacks what the program needs, or its memory.
    pub fn new(device: &'d Device, program: Program, seed: u64) -> Result<Self, Fault> {
        let target = device.target();
        let places = WeightPlaces::of_program(&program, &target)?;
        let shaders = wgsl::compile(&program, &places, seed, &target)?;
        Instance::with_shaders(device, program, shaders, &places.heaps)
    }

    /// The same with shaders from elsewhere and the bytes of each heap of weights that they use.
    pub fn with_shaders(
        device: &'d Device,
        program: Program,
        shaders: Shaders,
        weights: &[u64],
    ) -> Result<Self, Fault> {
        let mut demand = Demand::of_weights(weights);
        // A batch column is written by name here: the data have none.
        let columns: Vec<String> = program.buffers.iter().map(|(_, b)| b.name.to_string()).collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        demand.add(&shaders, u64::from(device.target().slot_align));
        demand.ring.flights = 1;
        demand.ring.steps = 1;
        demand.check(device)?;
        let heaps = Heaps::new(device, &demand, None).map_err(|fault| demand.explain(fault))?;
        let mut loaded = Loaded::new(program, shaders, &columns, &[]);
        loaded.bind(device, &mut Pipelines::default(), &heaps)?;
        Ok(Instance { device, heaps, loaded })
    }

    pub fn program(&self) -> &Program {
        &self.loaded.program
    }

    pub fn shaders(&self) -> &Shaders {
        &self.loaded.shaders
    }

    fn named(&self, name: &str) -> BufferId {
        let found = self.program().buffers.iter().find(|(_, b)| *b.name == *name);
        found.unwrap_or_else(|| panic!("runtime: the program has no buffer `{name}`")).0
    }

    /// Sets a buffer: its elements, row-major, little-endian. What no kernel uses is set in vain.
    ///
    /// # Panics
    /// If there is no such buffer, or it has another number of bytes.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let id = self.named(name);
        let buffer = &self.program().buffers[id];
        assert_eq!(bytes.len(), buffer.bytes(), "runtime: `{name}` is set as a whole");
        let Some(place) = self.loaded.shaders.places[id.index()] else { return Ok(()) };
        if lies_as_it_is(buffer.dtype, place.heap) {
            return self.heaps.write(self.device, place, 0, bytes);
        }
        let wide: Vec<u8> = bytes.iter().flat_map(|b| u32::from(*b).to_le_bytes()).collect();
        self.heaps.write(self.device, place, 0, &wide)
    }

    /// The same for `f32`.
    pub fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<(), Fault> {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.write(name, &bytes)
    }

    /// Runs the program once and waits for it. Random numbers are those of this step.
    pub fn run(&mut self, step: u64) -> Result<(), Fault> {
        let bytes = StepBlock::new(step).bytes();
        let doing = format!("running {}", self.program().name);
        let index = self.device.guarded(&doing, || {
            self.device.queue.write_buffer(&self.heaps.inputs, 0, &bytes);
            let mut encoder = self.device.device.create_command_encoder(&Default::default());
            self.loaded.record(&mut encoder, &self.heaps, 0);
            self.device.queue.submit([encoder.finish()])
        })?;
        self.device.wait(index, &doing)
    }

    /// A buffer's elements, row-major, little-endian. A temporary's place may have been taken over by a
    /// later one; none for what no kernel uses.
    ///
    /// # Panics
    /// If there is no such buffer.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        let id = self.named(name);
        let buffer = &self.program().buffers[id];
        let Some(place) = self.loaded.shaders.places[id.index()] else { return Ok(None) };
        if lies_as_it_is(buffer.dtype, place.heap) {
            let mut bytes = vec![0; buffer.bytes()];
            self.heaps.read(self.device, place, 0, &mut bytes)?;
            return Ok(Some(bytes));
        }
        let mut wide = vec![0; (words(buffer.dtype, buffer.len(), place.heap) * WORD) as usize];
        self.heaps.read(self.device, place, 0, &mut wide)?;
        Ok(Some(wide.chunks_exact(WORD as usize).map(|word| word[0]).collect()))
    }

    /// The same for `f32`.
    pub fn read_f32(&self, name: &str) -> Result<Option<Vec<f32>>, Fault> {
        let bytes = self.read(name)?;
        let number = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        Ok(bytes.map(|bytes| bytes.chunks_exact(4).map(number).collect()))
    }
}

/// Whether a buffer's bytes lie in the heap as they do in memory; else each byte has a word to itself.
fn lies_as_it_is(dtype: DType, heap: Heap) -> bool {
    match dtype {
        DType::F32 | DType::I32 => true,
        DType::U8 => is_packed(dtype, heap),
    }
}
