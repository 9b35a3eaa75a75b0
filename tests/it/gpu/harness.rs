//! A shader run by hand: numbers in, numbers out.

use mlc::base::{Arena, Bindings, DType};
use mlc::codegen::wgsl::{Dispatch, Heap, Place, Run, Shaders, Slot, skeleton};
use mlc::graph::Init;
use mlc::loops::{Buffer, BufferKind, Program};
use mlc::runtime::gpu::{Device, Instance};

/// Runs `fn piece_main(group: u32, local: u32)` on workgroups of 256. The text may call what a piece may call, with
/// the prefix `piece_`: `get{i}` of the inputs and `set{n}` of what comes back, `n` being the number of inputs; and the
/// library. Gives `len` numbers; those that were not set are -7.
pub fn run(device: &Device, text: &str, groups: u32, inputs: &[&[f32]], len: usize) -> Vec<f32> {
    let mut buffers = Arena::default();
    let mut places = Vec::new();
    let mut accessors = String::new();
    let mut word = 0;
    for (slot, input) in inputs.iter().enumerate() {
        let kind = BufferKind::Param(Init::Constant(0.0));
        buffers.push(Buffer {
            name: format!("in{slot}").into(),
            dtype: DType::F32,
            shape: vec![input.len()],
            kind,
        });
        places.push(Some(Place { heap: Heap::Weights(0), word }));
        accessors += &format!(
            "fn piece_get{slot}(i: i32) -> f32 {{\n    return bitcast<f32>(heap0[{word} + i]);\n}}\n\n"
        );
        word += input.len() as u32;
    }
    let kind = BufferKind::State(Init::Constant(0.0));
    buffers.push(Buffer { name: "out".into(), dtype: DType::F32, shape: vec![len], kind });
    places.push(Some(Place { heap: Heap::Weights(1), word: 0 }));
    let set = inputs.len();
    accessors +=
        &format!("fn piece_set{set}(i: i32, value: f32) {{\n    heap1[i] = bitcast<u32>(value);\n}}\n");
    let shaders = shaders(whole(&accessors, text), groups, places);
    let program =
        Program { name: "by hand".into(), bindings: Bindings::new(), buffers, ..Program::default() };

    let heaps = [u64::from(word.max(1)) * 4, len.max(1) as u64 * 4];
    let mut it = Instance::with_shaders(device, program, shaders, &heaps).expect("the shader is right");
    for (slot, input) in inputs.iter().enumerate() {
        it.write_f32(&format!("in{slot}"), input).expect("it fits");
    }
    it.write_f32("out", &vec![-7.0; len]).expect("it fits");
    it.run(0).expect("it runs");
    it.read_f32("out").expect("it is read").expect("it has a place")
}

fn whole(accessors: &str, text: &str) -> String {
    let library = skeleton::needed(text);
    format!(
        "@group(0) @binding(2) var<storage, read> heap0: array<u32>;\n\
         @group(0) @binding(3) var<storage, read_write> heap1: array<u32>;\n\n\
         {accessors}\n{library}\n{text}\n\
         @compute @workgroup_size(256)\n\
         fn main(@builtin(workgroup_id) at: vec3<u32>, @builtin(local_invocation_index) local: u32) {{\n    \
         piece_main(at.x, local);\n}}\n"
    )
}

fn shaders(text: String, groups: u32, places: Vec<Option<Place>>) -> Shaders {
    Shaders {
        texts: vec![text],
        dispatches: vec![Dispatch {
            text: 0,
            kernels: vec!["k0".into()],
            label: "by hand".into(),
            how: vec!["by hand".into()],
            grid: [groups, 1, 1],
            params: vec![vec![0; 4]],
            heaps: vec![(Heap::Weights(0), false), (Heap::Weights(1), true)],
        }],
        runs: vec![Run { dispatches: 0..1, times: 1 }],
        places,
        arena: Vec::new(),
        live_bound_bytes: 0,
        inputs: Slot { buffers: Vec::new(), bytes: 256 },
        results: Slot { buffers: Vec::new(), bytes: 256 },
    }
}
