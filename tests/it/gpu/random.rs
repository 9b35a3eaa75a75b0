//! Random graphs on the device, values and gradients, within what rounding can do.

use super::device;
use crate::random::{names, products_in_bf16, settled, with_gradient, within};
use mlc::base::DType;
use mlc::graph::interp::{Inputs, Tensor};
use mlc::graph::{Graph, arbitrary, print};
use mlc::loops::{self, Fusion};
use mlc::runtime::gpu::{Device, Fault, Instance};

/// Seeds of the graphs that every run tests. A software device compiles each shader for long.
const SEEDS: u64 = 100;

#[test]
fn random_graphs_on_the_gpu() {
    let Some(device) = device("random_graphs_on_the_gpu") else { return };
    let mut wrong = Vec::new();
    for seed in 0..SEEDS {
        let (mut graph, inputs) = arbitrary::graph(seed);
        if seed % 4 == 3 {
            products_in_bf16(&mut graph);
        }
        if let Err(why) = agrees(&device, &graph, &inputs) {
            wrong.push(format!("{why}\n// seed {seed}: \n{}", print(&graph)));
        }
    }
    assert!(wrong.is_empty(), "{} of {SEEDS} graphs\n{}", wrong.len(), wrong.join("\n"));
}

fn agrees(device: &Device, graph: &Graph, inputs: &Inputs) -> Result<(), String> {
    let (both, _) = with_gradient(graph);
    let small = settled(&both, inputs);
    let found = run(device, &small, inputs).map_err(|fault| format!("{fault:?}"))?;
    within(&names(&both), &small, inputs, &both, &found)
}

fn run(device: &Device, graph: &Graph, inputs: &Inputs) -> Result<Vec<Tensor>, Fault> {
    let program = loops::lower(graph, &Fusion::GPU);
    let mut instance = Instance::new(device, program, inputs.seed)?;
    for (name, tensor) in &inputs.leaves {
        let Some((_, buffer)) = instance.program().buffers.iter().find(|(_, b)| &*b.name == name) else {
            continue;
        };
        instance.write(name, &bytes(buffer.dtype, &tensor.data))?;
    }
    instance.run(inputs.step)?;
    let outputs = graph.outputs.iter().map(|output| {
        let found = instance.program().outputs.iter().find(|(name, _)| *name == output.name);
        let (_, id) = found.expect("an output of the program");
        let buffer = &instance.program().buffers[*id];
        let data = instance.read(&buffer.name)?.expect("an output is written by a kernel");
        Ok(Tensor::new(buffer.shape.clone(), numbers(buffer.dtype, &data)))
    });
    outputs.collect()
}

fn bytes(dtype: DType, data: &[f64]) -> Vec<u8> {
    match dtype {
        DType::F32 => data.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect(),
        DType::I32 => data.iter().flat_map(|&x| (x as i32).to_le_bytes()).collect(),
        DType::U8 => data.iter().map(|&x| x as u8).collect(),
    }
}

fn numbers(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    let words = bytes.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
    match dtype {
        DType::F32 => words.map(|b| f64::from(f32::from_le_bytes(b))).collect(),
        DType::I32 => words.map(|b| f64::from(i32::from_le_bytes(b))).collect(),
        DType::U8 => bytes.iter().map(|&b| f64::from(b)).collect(),
    }
}
