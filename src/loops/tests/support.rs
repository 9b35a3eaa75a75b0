//! Runs a graph and its program on the same numbers.

use crate::base::DType;
use crate::graph::interp::{Inputs, Tensor};
use crate::graph::{Graph, LeafKind, OutputKind, interp as reference};
use crate::loops::{self, Fusion, Program};

/// Numbers that look like nothing in particular, and are the same each time.
pub fn inputs(graph: &Graph, seed: u64) -> Inputs {
    let mut inputs = Inputs { seed, step: 3, ..Inputs::default() };
    for (_, leaf) in graph.leaves.iter() {
        let shape = leaf.ty.shape.as_const().expect("tests bind all sizes");
        let count: usize = shape.iter().product();
        let key = mlc_kernels::rng::key(seed, &leaf.name);
        let draw = |i: usize| f64::from(mlc_kernels::rng::uniform(key, 1, i as u64));
        let number = |i: usize| match (leaf.ty.dtype, &leaf.kind) {
            (DType::F32, LeafKind::Scalar) => 1.0 + draw(i),
            // Second moments are not negative.
            (DType::F32, LeafKind::State(_)) => draw(i),
            (DType::F32, LeafKind::Batch | LeafKind::Param(_)) => 2.0 * draw(i) - 1.0,
            // Some are out of range, where indices are clamped.
            (DType::I32, _) => (draw(i) * 13.0).floor() - 1.0,
            (DType::U8, _) => (draw(i) * 256.0).floor(),
        };
        let data: Vec<f64> = (0..count).map(number).collect();
        inputs.leaves.insert(leaf.name.to_string(), Tensor::new(shape, data));
    }
    inputs
}

/// The graph's outputs, as the program computes them.
pub fn results(program: &Program, graph: &Graph, inputs: &Inputs) -> Vec<Vec<f64>> {
    let mut memory = loops::interp::memory(program);
    for (id, buffer) in program.buffers.iter() {
        match inputs.leaves.get(&*buffer.name) {
            Some(leaf) => memory[id.index()] = leaf.data.clone(),
            // What is read before it is written should be seen.
            None => memory[id.index()].fill(f64::NAN),
        }
    }
    loops::interp::run(program, &mut memory, inputs.seed, inputs.step);
    let buffer = |name: &str| program.buffers.iter().find(|(_, b)| &*b.name == name).map(|(id, _)| id);
    let outputs = graph.outputs.iter().map(|output| {
        let id = match output.kind {
            OutputKind::Update(leaf) => buffer(&graph.leaves[leaf].name),
            OutputKind::Loss | OutputKind::Metric | OutputKind::Value => {
                program.outputs.iter().find(|(name, _)| *name == output.name).map(|(_, id)| *id)
            }
        };
        memory[id.expect("every output has a buffer").index()].clone()
    });
    outputs.collect()
}

/// The programs of a graph, unfused and for every backend, compute what the graph does; the CPU's.
pub fn check(graph: &Graph) -> Program {
    crate::graph::verify(graph).expect("tests build sound graphs");
    let inputs = inputs(graph, 7);
    let wanted = reference::run(graph, &inputs);
    let [cpu, gpu] = [Fusion::CPU, Fusion::GPU].map(|fusion| loops::lower(graph, &fusion));
    for program in [&loops::lower_unfused(graph), &cpu, &gpu] {
        loops::verify(program).unwrap_or_else(|why| panic!("{why}\n{}", loops::print(program)));
        let found = results(program, graph, &inputs);
        for ((output, wanted), found) in graph.outputs.iter().zip(&wanted).zip(&found) {
            assert_eq!(wanted.data.len(), found.len(), "{}", output.name);
            for (i, (&w, &f)) in wanted.data.iter().zip(found).enumerate() {
                let close = (w - f).abs() <= 1e-9 * (1.0 + w.abs()) || (w.is_nan() && f.is_nan()) || w == f;
                assert!(close, "{} [{i}]: graph {w}, program {f}\n{}", output.name, loops::print(program));
            }
        }
    }
    cpu
}

pub fn names(graph: &Graph) -> Vec<&str> {
    graph.outputs.iter().map(|o| &*o.name).collect()
}
