//! Devices, and one program run by hand on them.

use super::{device, device_of};
use mlc::base::{Arena, Bindings, DType, Span};
use mlc::codegen::wgsl::{Dispatch, Heap, Place, Run, Shaders, Slot};
use mlc::graph::Init;
use mlc::loops::{Buffer, BufferId, BufferKind, Program};
use mlc::runtime::gpu::{Choice, Device, Fault, Instance, Limits};
use std::process::Command;

/// `t = x + step; y = t * scale + w[1]; w[1] += 1`, written by hand as the generator would.
const TEXT: &str = "
struct Step { low: u32, high: u32, unused: vec2<u32> }
@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<uniform> params: array<vec4<u32>, 1>;
@group(0) @binding(2) var<storage, read_write> weights: array<u32>;
@group(0) @binding(3) var<storage, read_write> arena: array<u32>;
@group(0) @binding(4) var<storage, read> inputs: array<u32>;
@group(0) @binding(5) var<storage, read_write> results: array<u32>;
@compute @workgroup_size(256) fn main(@builtin(local_invocation_id) local: vec3<u32>) {
    let i = local.x;
    if (i >= 5u) { return; }
    let byte = (inputs[params[0].x + i / 4u] >> (8u * (i % 4u))) & 0xffu;
    let t = f32(byte + step.low);
    arena[i] = bitcast<u32>(t);
    let w = bitcast<f32>(weights[1]);
    results[i] = bitcast<u32>(t * bitcast<f32>(inputs[params[0].y]) + w);
    if (i == 0u) { weights[1] = bitcast<u32>(w + 1.0); }
}
";

fn program() -> (Program, Shaders) {
    let mut buffers = Arena::default();
    let mut add = |name: &str, dtype, shape: &[usize], kind| -> BufferId {
        buffers.push(Buffer { name: name.into(), dtype, shape: shape.to_vec(), kind })
    };
    let x = add("x", DType::U8, &[5], BufferKind::Batch);
    let scale = add("scale", DType::F32, &[], BufferKind::Scalar);
    add("w", DType::F32, &[2], BufferKind::Param(Init::Constant(0.0)));
    add("t", DType::F32, &[5], BufferKind::Temp);
    let y = add("y", DType::F32, &[5], BufferKind::Output);
    let place = |heap, word| Some(Place { heap, word });
    let shaders = Shaders {
        texts: vec![TEXT.to_string()],
        dispatches: vec![Dispatch {
            text: 0,
            kernels: vec!["k0".into()],
            label: "by hand".into(),
            how: vec!["one point for each invocation".into()],
            grid: [1, 1, 1],
            params: vec![vec![0, 2, 0, 0]],
            heaps: vec![
                (Heap::Weights(0), true),
                (Heap::Arena(0), true),
                (Heap::Inputs, false),
                (Heap::Results, true),
            ],
        }],
        runs: vec![Run { dispatches: 0..1, times: 1 }],
        places: vec![
            place(Heap::Inputs, 0),
            place(Heap::Inputs, 2),
            place(Heap::Weights(0), 0),
            place(Heap::Arena(0), 0),
            place(Heap::Results, 0),
        ],
        arena: vec![20],
        live_bound_bytes: 20,
        inputs: Slot { buffers: vec![x, scale], bytes: 256 },
        results: Slot { buffers: vec![y], bytes: 256 },
    };
    let outputs = vec![("y".into(), y)];
    let program =
        Program { name: "by hand".into(), bindings: Bindings::new(), buffers, kernels: Vec::new(), outputs };
    (program, shaders)
}

fn runs_by_hand(device: &Device) {
    let (program, shaders) = program();
    let mut it = Instance::with_shaders(device, program, shaders, &[8]).unwrap();
    it.write("x", &[1, 2, 3, 4, 255]).unwrap();
    it.write_f32("scale", &[2.0]).unwrap();
    it.write_f32("w", &[0.0, 0.5]).unwrap();
    for step in [10, 11] {
        it.run(step).unwrap();
    }
    assert_eq!(it.read_f32("t").unwrap().unwrap(), [12.0, 13.0, 14.0, 15.0, 266.0]);
    assert_eq!(it.read_f32("y").unwrap().unwrap(), [25.5, 27.5, 29.5, 31.5, 533.5]);
    assert_eq!(it.read_f32("w").unwrap().unwrap(), [0.0, 2.5]);
    assert_eq!(it.read("x").unwrap().unwrap(), [1, 2, 3, 4, 255]);
}

#[test]
fn a_program_runs_by_hand() {
    let Some(device) = device("a_program_runs_by_hand") else { return };
    runs_by_hand(&device);
}

#[test]
fn a_program_runs_within_the_least_limits() {
    let choice = Choice { limits: Limits::Least, ..Choice::from_env() };
    let Some(device) = device_of("a_program_runs_within_the_least_limits", &choice) else { return };
    let target = device.target();
    assert_eq!(
        (target.max_binding_bytes, target.max_storage_buffers, target.workgroup_bytes),
        (128 << 20, 8, 16 << 10)
    );
    runs_by_hand(&device);
}

#[test]
fn an_unknown_name_is_no_device() {
    let choice = Choice { name: Some("abacus".into()), ..Choice::default() };
    let Err(fault) = Device::open(&choice) else { panic!("no device has this name") };
    let diagnostic = fault.diagnostic(Span::default());
    assert_eq!(diagnostic.code, "gpu::none");
    assert!(diagnostic.message.contains("`abacus`"), "{}", diagnostic.message);
}

#[test]
fn a_lost_device_is_a_fault_wherever_it_shows() {
    let Some(device) = device("a_lost_device_is_a_fault_wherever_it_shows") else { return };
    let (program, shaders) = program();
    let mut it = Instance::with_shaders(&device, program.clone(), shaders.clone(), &[8]).unwrap();
    it.run(1).unwrap();
    device.destroy();
    let lost = |fault: Fault| {
        assert!(matches!(fault, Fault::Lost { .. }), "{fault:?}");
        assert_eq!(fault.diagnostic(Span::default()).code, "gpu::lost");
    };
    lost(it.run(2).unwrap_err());
    lost(it.write_f32("scale", &[1.0]).unwrap_err());
    lost(it.read("y").unwrap_err());
    lost(Instance::with_shaders(&device, program, shaders, &[8]).err().unwrap());
}

#[test]
fn a_wrong_shader_is_refused() {
    let Some(device) = device("a_wrong_shader_is_refused") else { return };
    let (program, mut shaders) = program();
    shaders.texts[0] = shaders.texts[0].replace("i >= 5u", "i >= 5.0");
    let fault = Instance::with_shaders(&device, program, shaders, &[8]).err().unwrap();
    assert!(matches!(fault, Fault::Refused { .. }), "{fault:?}");
}

#[test]
fn what_does_not_fit_is_told_before_it_is_asked_for() {
    let choice = Choice { memory: Some(64 << 10), ..Choice::from_env() };
    let Some(device) = device_of("what_does_not_fit_is_told_before_it_is_asked_for", &choice) else { return };
    let (program, shaders) = program();
    let fault = Instance::with_shaders(&device, program, shaders, &[100 << 10]).err().unwrap();
    let diagnostic = fault.diagnostic(Span::default());
    assert_eq!(diagnostic.code, "gpu::memory");
    assert!(diagnostic.message.contains("weights and states  100.0 KiB"), "{}", diagnostic.message);
}

/// What passes the plan and is not to be had: provoked by a process that may only take so much, which the
/// drivers of real devices do not bear.
#[test]
fn memory_that_is_not_there_ends_at_the_allocation() {
    let Some(device) = device("memory_that_is_not_there_ends_at_the_allocation") else { return };
    if !device.target().software {
        return;
    }
    let this = std::env::current_exe().expect("the test has a binary");
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 8388608; exec \"$0\" \"$@\""])
        .arg(this)
        .args(["--exact", "gpu::device::asks_for_too_much", "--ignored", "--test-threads", "1"])
        .output()
        .expect("the test's binary starts");
    let text = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "wants a process that may take 8 GiB: started by memory_that_is_not_there_ends_at_the_allocation"]
fn asks_for_too_much() {
    let choice = Choice { memory: Some(u64::MAX), ..Choice::from_env() };
    let device = Device::open(&choice).unwrap();
    let (program, shaders) = program();
    let heap = device.target().max_binding_bytes;
    let fault = Instance::with_shaders(&device, program, shaders, &[heap; 128]).err().unwrap();
    let diagnostic = fault.diagnostic(Span::default());
    assert_eq!(diagnostic.code, "gpu::memory", "{fault:?}");
    assert!(diagnostic.message.contains("no memory left while making room for the weights"));
    assert!(diagnostic.message.contains("in 128 heaps"), "{}", diagnostic.message);
}
