//! Programs as pipelines and bind groups.
//!
//! One pipeline for each distinct text of a job, one layout for each way to bind; a program has a
//! bind group for each dispatch, and records itself into a pass for any slot of the ring.

use super::device::Device;
use super::fault::Fault;
use super::heaps::{Heaps, STEP_BLOCK, buffer};
use crate::base::DType;
use crate::codegen::wgsl::{Dispatch, Heap, Place, Run, Shaders, WORD};
use crate::loops::{BufferKind, Program};
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use wgpu::BufferUsages;

/// What storage buffers a shader binds, in order: whether with an offset of the step, whether written.
type Signature = Vec<(bool, bool)>;

/// Pipelines by text, shared by all programs of a job.
#[derive(Default)]
pub(super) struct Pipelines {
    layouts: BTreeMap<Signature, (wgpu::BindGroupLayout, wgpu::PipelineLayout)>,
    by_text: BTreeMap<String, wgpu::ComputePipeline>,
}

/// Whether a heap has a slot for each step.
fn has_slots(heap: Heap) -> bool {
    match heap {
        Heap::Weights(_) | Heap::Arena(_) => false,
        Heap::Inputs | Heap::Results => true,
    }
}

fn signature(dispatch: &Dispatch) -> Signature {
    dispatch.heaps.iter().map(|(heap, writes)| (has_slots(*heap), *writes)).collect()
}

impl Pipelines {
    fn layout(
        &mut self,
        device: &Device,
        signature: &Signature,
    ) -> Result<&(wgpu::BindGroupLayout, wgpu::PipelineLayout), Fault> {
        if !self.layouts.contains_key(signature) {
            let layout = device.guarded("laying out bindings", || layout(device, signature))?;
            self.layouts.insert(signature.clone(), layout);
        }
        Ok(&self.layouts[signature])
    }

    /// Compiles the texts that are new, several at a time: a driver takes tens of milliseconds for one.
    fn compile(&mut self, device: &Device, shaders: &Shaders) -> Result<(), Fault> {
        let mut wanted: Vec<(&str, &Dispatch, wgpu::PipelineLayout)> = Vec::new();
        for dispatch in &shaders.dispatches {
            let text = shaders.texts[dispatch.text].as_str();
            if !self.by_text.contains_key(text) && wanted.iter().all(|(t, ..)| *t != text) {
                let (_, layout) = self.layout(device, &signature(dispatch))?;
                wanted.push((text, dispatch, layout.clone()));
            }
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(wanted.len());
        let share = |first: usize| -> Vec<Result<wgpu::ComputePipeline, Fault>> {
            let mine = wanted.iter().skip(first).step_by(threads);
            mine.map(|(text, dispatch, layout)| pipeline(device, text, dispatch, layout)).collect()
        };
        let mut shares: Vec<_> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|first| scope.spawn(move || share(first))).collect();
            let own = if wanted.is_empty() { Vec::new() } else { share(0) };
            let joined =
                others.into_iter().map(|t| t.join().expect("runtime: wgpu reports, it does not panic"));
            std::iter::once(own).chain(joined).map(Vec::into_iter).collect()
        });
        for (i, (text, ..)) in wanted.iter().enumerate() {
            let pipeline = shares[i % threads].next().expect("runtime: each share is whole")?;
            self.by_text.insert(text.to_string(), pipeline);
        }
        Ok(())
    }
}

fn pipeline(
    device: &Device,
    text: &str,
    dispatch: &Dispatch,
    layout: &wgpu::PipelineLayout,
) -> Result<wgpu::ComputePipeline, Fault> {
    let label = Some(dispatch.label.as_str());
    device.guarded(&format!("compiling the shader of {}", dispatch.label), || {
        let module = wgpu::ShaderModuleDescriptor { label, source: wgpu::ShaderSource::Wgsl(text.into()) };
        // SAFETY: the loop IR's verifier has proved every access in bounds and loops have constant
        // bounds; the shader's accesses are those.
        let module = unsafe {
            device.device.create_shader_module_trusted(module, wgpu::ShaderRuntimeChecks::unchecked())
        };
        device.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        })
    })
}

fn layout(device: &Device, signature: &Signature) -> (wgpu::BindGroupLayout, wgpu::PipelineLayout) {
    let entry = |binding: usize, ty, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
        binding: binding as u32,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    };
    let uniform = wgpu::BufferBindingType::Uniform;
    let mut entries = vec![entry(0, uniform, true), entry(1, uniform, true)];
    for (i, (dynamic, writes)) in signature.iter().enumerate() {
        entries.push(entry(2 + i, wgpu::BufferBindingType::Storage { read_only: !writes }, *dynamic));
    }
    let group = wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries };
    let group = device.device.create_bind_group_layout(&group);
    let pipeline = device.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&group)],
        immediate_size: 0,
    });
    (group, pipeline)
}

/// A program ready to run.
pub(super) struct Loaded {
    pub program: Program,
    pub shaders: Shaders,
    /// The numbers that are read after each run: their bytes in the slot of results.
    pub kept: Vec<u64>,
    /// Scalars by name, and batch columns with their index among the data's, each with its place.
    pub scalars: Vec<(Arc<str>, Place)>,
    pub columns: Vec<Column>,
    /// None until it is bound.
    steps: Option<Vec<Ready>>,
}

/// A batch column of a program.
pub(super) struct Column {
    pub index: usize,
    pub place: Place,
    pub bytes: usize,
}

/// A dispatch with all that it takes.
struct Ready {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    grid: [u32; 3],
    /// Where its parameters start, and how far apart those of each time are.
    params: [u64; 2],
    /// For each dynamic binding after the parameters, in order.
    slotted: Vec<Heap>,
}

impl Loaded {
    /// `columns` are the names of the data's columns in their order; `kept` the outputs, by their index in
    /// the program, whose numbers are read after each run.
    ///
    /// # Panics
    /// If the program reads a batch column that there is not, or an output that is kept is not `f32`.
    pub fn new(program: Program, shaders: Shaders, columns: &[&str], kept: &[usize]) -> Loaded {
        let mut loaded = Loaded {
            kept: kept.iter().flat_map(|output| result_bytes(&program, &shaders, *output)).collect(),
            scalars: Vec::new(),
            columns: Vec::new(),
            steps: None,
            program,
            shaders,
        };
        for (id, buffer) in loaded.program.buffers.iter() {
            let Some(place) = loaded.shaders.places[id.index()] else { continue };
            match buffer.kind {
                BufferKind::Scalar => loaded.scalars.push((buffer.name.clone(), place)),
                BufferKind::Batch => {
                    let index = columns.iter().position(|name| **name == *buffer.name);
                    let index = index.expect("runtime: every batch leaf is a column of the data");
                    loaded.columns.push(Column { index, place, bytes: buffer.bytes() });
                }
                BufferKind::Param(_) | BufferKind::State(_) | BufferKind::Temp | BufferKind::Output => {}
            }
        }
        loaded
    }

    /// Compiles and binds it, unless that was done.
    pub fn bind(&mut self, device: &Device, pipelines: &mut Pipelines, heaps: &Heaps) -> Result<(), Fault> {
        if self.steps.is_none() {
            self.steps = Some(ready(device, pipelines, heaps, &self.shaders)?);
        }
        Ok(())
    }

    /// To be called when the heaps are made anew.
    pub fn unbind(&mut self) {
        self.steps = None;
    }

    /// Records one run into an encoder, its inputs in `slot`.
    ///
    /// # Panics
    /// If it was not bound.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder, heaps: &Heaps, slot: u64) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        let mut offsets: Vec<u32> = Vec::with_capacity(3);
        let fits = |bytes: u64| u32::try_from(bytes).expect("runtime: the ring is smaller than 4 GiB");
        let steps = self.steps.as_ref().expect("runtime: a program is bound before it runs");
        let turns = |run: &Run| {
            let range = run.dispatches.clone();
            (0..run.times as u64).flat_map(move |turn| range.clone().map(move |i| (turn, i)))
        };
        for (turn, i) in self.shaders.runs.iter().flat_map(turns) {
            let step = &steps[i];
            let [first, apart] = step.params;
            offsets.clear();
            offsets.push(fits(slot * heaps.input_slot));
            offsets.push(fits(first + turn * apart));
            offsets.extend(step.slotted.iter().map(|heap| match heap {
                Heap::Inputs => fits(slot * heaps.input_slot + heaps.align),
                Heap::Results => fits(slot * heaps.result_slot),
                Heap::Weights(_) | Heap::Arena(_) => panic!("runtime: only inputs and results have slots"),
            }));
            pass.set_pipeline(&step.pipeline);
            pass.set_bind_group(0, &step.group, &offsets);
            let [x, y, z] = step.grid;
            pass.dispatch_workgroups(x, y, z);
        }
    }
}

/// Bytes of the parameters of all dispatches, each at a multiple of `align`.
pub(super) fn params_bytes(shaders: &Shaders, align: u64) -> u64 {
    shaders.dispatches.iter().map(|dispatch| room(dispatch, align) * dispatch.params.len() as u64).sum()
}

/// Bytes from the parameters of one time to those of the next.
fn room(dispatch: &Dispatch, align: u64) -> u64 {
    (dispatch.params[0].len() as u64 * WORD).next_multiple_of(align).max(align)
}

/// Where in the slot of results the numbers of an output lie.
fn result_bytes(program: &Program, shaders: &Shaders, output: usize) -> impl Iterator<Item = u64> + use<> {
    let (name, id) = &program.outputs[output];
    let buffer = &program.buffers[*id];
    assert_eq!(buffer.dtype, DType::F32, "runtime: losses and metrics are f32, {name} is not");
    let place = shaders.places[id.index()].expect("codegen: outputs have places");
    assert_eq!(place.heap, Heap::Results, "runtime: losses and metrics are computed");
    let (first, numbers) = (u64::from(place.word), buffer.len() as u64);
    (first..first + numbers).map(|word| word * WORD)
}

fn ready(
    device: &Device,
    pipelines: &mut Pipelines,
    heaps: &Heaps,
    shaders: &Shaders,
) -> Result<Vec<Ready>, Fault> {
    let align = heaps.align;
    let params = buffer(
        device,
        "parameters of dispatches",
        params_bytes(shaders, align),
        BufferUsages::UNIFORM | BufferUsages::COPY_DST,
    )?;
    pipelines.compile(device, shaders)?;
    let mut all = Vec::with_capacity(shaders.dispatches.len());
    let mut at = 0;
    for dispatch in &shaders.dispatches {
        let pipeline = pipelines.by_text[&shaders.texts[dispatch.text]].clone();
        let (layout, _) = pipelines.layout(device, &signature(dispatch))?;
        let room = room(dispatch, align);
        let group = device.guarded("binding buffers", || {
            device.queue.write_buffer(&params, at, &params_of(dispatch, room));
            group(device, heaps, shaders, dispatch, layout, (&params, dispatch.params[0].len() as u64 * WORD))
        })?;
        let slotted = dispatch.heaps.iter().map(|(heap, _)| *heap).filter(|h| has_slots(*h)).collect();
        all.push(Ready { pipeline, group, grid: dispatch.grid, params: [at, room], slotted });
        at += room * dispatch.params.len() as u64;
    }
    Ok(all)
}

/// The parameters of all times, `room` bytes apart.
fn params_of(dispatch: &Dispatch, room: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(room as usize * dispatch.params.len());
    for words in &dispatch.params {
        bytes.resize(bytes.len().next_multiple_of(room as usize), 0);
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }
    bytes
}

fn group(
    device: &Device,
    heaps: &Heaps,
    shaders: &Shaders,
    dispatch: &Dispatch,
    layout: &wgpu::BindGroupLayout,
    (params, bytes): (&wgpu::Buffer, u64),
) -> wgpu::BindGroup {
    let part = |binding: usize, buffer, offset, bytes| wgpu::BindGroupEntry {
        binding: binding as u32,
        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer,
            offset,
            size: NonZeroU64::new(bytes),
        }),
    };
    let mut entries = vec![part(0, &heaps.inputs, 0, STEP_BLOCK), part(1, params, 0, bytes)];
    for (i, (heap, _)) in dispatch.heaps.iter().enumerate() {
        let buffer = heaps.buffer(*heap);
        // Without slots a binding is the whole heap.
        let bytes = match heap {
            Heap::Weights(_) | Heap::Arena(_) => buffer.size(),
            Heap::Inputs => shaders.inputs.bytes,
            Heap::Results => shaders.results.bytes,
        };
        entries.push(part(2 + i, buffer, 0, bytes));
    }
    device.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
}
