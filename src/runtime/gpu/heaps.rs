//! The buffers of a job on its device: one for each heap, with slots for the steps under way.

use super::demand::{CHUNK, Demand};
use super::device::Device;
use super::fault::Fault;
use crate::codegen::wgsl::{Heap, Place, StepBlock, WORD};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wgpu::BufferUsages;

/// Bytes of the block that says which step it is.
pub(super) const STEP_BLOCK: u64 = size_of::<StepBlock>() as u64;

/// All heaps, allocated.
pub(super) struct Heaps {
    pub weights: Vec<wgpu::Buffer>,
    pub arena: Vec<wgpu::Buffer>,
    /// Slots of inputs. A slot opens with the step's block; the inputs start `align` bytes later.
    pub inputs: wgpu::Buffer,
    pub results: wgpu::Buffer,
    pub input_slot: u64,
    pub result_slot: u64,
    pub align: u64,
}

/// A buffer of so many bytes, of at least one word.
pub(super) fn buffer(
    device: &Device,
    what: &str,
    bytes: u64,
    usage: BufferUsages,
) -> Result<wgpu::Buffer, Fault> {
    let size = bytes.next_multiple_of(WORD).max(16);
    let mapped_at_creation = usage.contains(BufferUsages::MAP_WRITE);
    if size > device.max_buffer_bytes() {
        let message = format!(
            "{what} take {size} bytes, and {} has buffers of {}",
            device.name(),
            device.max_buffer_bytes()
        );
        return Err(Fault::Memory { message, table: String::new() });
    }
    device.guarded(&format!("making room for {what}"), || {
        device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(what),
            size,
            usage,
            mapped_at_creation,
        })
    })
}

impl Heaps {
    /// Allocates all heaps; those of the weights unless they are there.
    pub fn new(device: &Device, demand: &Demand, weights: Option<Vec<wgpu::Buffer>>) -> Result<Heaps, Fault> {
        let storage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        let all = |what, sizes: &[u64]| {
            sizes.iter().map(|bytes| buffer(device, what, *bytes, storage)).collect::<Result<Vec<_>, _>>()
        };
        let slots = demand.ring.slots();
        Ok(Heaps {
            weights: match weights {
                Some(weights) => weights,
                None => all("the weights", &demand.weights)?,
            },
            arena: all("temporaries", &demand.arena)?,
            inputs: buffer(device, "batches", slots * demand.input_slot, storage | BufferUsages::UNIFORM)?,
            results: buffer(device, "results", slots * demand.result_slot, storage)?,
            input_slot: demand.input_slot,
            result_slot: demand.result_slot,
            align: u64::from(device.target().slot_align),
        })
    }

    pub fn buffer(&self, heap: Heap) -> &wgpu::Buffer {
        match heap {
            Heap::Weights(i) => &self.weights[i as usize],
            Heap::Arena(i) => &self.arena[i as usize],
            Heap::Inputs => &self.inputs,
            Heap::Results => &self.results,
        }
    }

    /// Where a place's bytes start in its heap's buffer, for the step in `slot`.
    pub fn offset(&self, place: Place, slot: u64) -> u64 {
        let word = u64::from(place.word) * WORD;
        match place.heap {
            Heap::Weights(_) | Heap::Arena(_) => word,
            Heap::Inputs => slot * self.input_slot + self.align + word,
            Heap::Results => slot * self.result_slot + word,
        }
    }

    /// Copies numbers to the device. They are there for every later submission.
    pub fn write(&self, device: &Device, place: Place, slot: u64, data: &[u8]) -> Result<(), Fault> {
        let to = self.buffer(place.heap);
        let start = self.offset(place, slot);
        for (i, part) in data.chunks(CHUNK as usize).enumerate() {
            let padded;
            let part = match part.len() % WORD as usize {
                0 => part,
                _ => {
                    padded = [part, &[0; WORD as usize]].concat();
                    &padded[..part.len().next_multiple_of(WORD as usize)]
                }
            };
            let at = start + i as u64 * CHUNK;
            device.guarded("copying to the device", || device.queue.write_buffer(to, at, part))?;
            if part.len() as u64 == CHUNK {
                // Else what is staged would pile up until the next submission.
                let index = device.guarded("copying to the device", || device.queue.submit([]))?;
                device.wait(index, "copying to the device")?;
            }
        }
        Ok(())
    }

    /// Copies numbers from the device, after everything submitted before: `data.len()` bytes.
    pub fn read(&self, device: &Device, place: Place, slot: u64, data: &mut [u8]) -> Result<(), Fault> {
        let from = self.buffer(place.heap);
        let start = self.offset(place, slot);
        if data.is_empty() {
            return Ok(());
        }
        let room = (data.len() as u64).next_multiple_of(WORD).min(CHUNK);
        let staging = buffer(device, "reading back", room, BufferUsages::COPY_DST | BufferUsages::MAP_READ)?;
        for (i, part) in data.chunks_mut(CHUNK as usize).enumerate() {
            let bytes = (part.len() as u64).next_multiple_of(WORD);
            let (index, ready) = device.guarded("reading back", || {
                let mut encoder = device.device.create_command_encoder(&Default::default());
                encoder.copy_buffer_to_buffer(from, start + i as u64 * CHUNK, &staging, 0, bytes);
                let index = device.queue.submit([encoder.finish()]);
                (index, map(&staging, wgpu::MapMode::Read, bytes))
            })?;
            device.wait(index, "reading back")?;
            mapped(device, &ready, "reading back")?;
            let view = staging.get_mapped_range(..bytes);
            let view = view.map_err(|e| device.failed("reading back", e.to_string()))?;
            part.copy_from_slice(&view[..part.len()]);
            drop(view);
            staging.unmap();
        }
        Ok(())
    }
}

/// Asks for a buffer's first bytes; the flag is set once they can be had.
pub(super) fn map(buffer: &wgpu::Buffer, mode: wgpu::MapMode, bytes: u64) -> Arc<AtomicBool> {
    let ready = Arc::new(AtomicBool::new(false));
    let flag = ready.clone();
    buffer.map_async(mode, ..bytes, move |done| flag.store(done.is_ok(), Ordering::Release));
    ready
}

/// Whether a mapping that was waited for came about.
pub(super) fn mapped(device: &Device, ready: &AtomicBool, doing: &str) -> Result<(), Fault> {
    match ready.load(Ordering::Acquire) {
        true => Ok(()),
        false => Err(device.failed(doing, "the memory could not be mapped".to_string())),
    }
}
