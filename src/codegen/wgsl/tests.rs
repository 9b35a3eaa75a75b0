//! Whole programs: what is generated is WGSL, and depends on nothing that it should not.

use super::{Shaders, Target, WeightPlaces, compile, validate};
use crate::graph::{Builder, OutputKind, arbitrary};
use crate::loops::Program;
use crate::{ad, loops, opt};

/// The program of a random graph with its gradients.
pub fn program(seed: u64) -> Program {
    let (graph, inputs) = arbitrary::graph(seed);
    let loss = graph.outputs.iter().find(|o| o.kind == OutputKind::Loss).expect("a loss").value;
    let floats = graph.leaves.iter().filter(|(_, l)| l.ty.dtype == crate::base::DType::F32);
    let leaves: Vec<_> = floats.map(|(id, _)| id).collect();
    let mut b = Builder::resume(graph);
    let values: Vec<_> = leaves.iter().map(|&l| b.read(l)).collect();
    for (i, gradient) in ad::gradient(&mut b, loss, &values).into_iter().enumerate() {
        b.output(format!("gradient {i}"), gradient, OutputKind::Value);
    }
    let mut bound = b.finish().bind(&inputs.bindings);
    opt::run(&mut bound);
    loops::lower(&bound, &loops::Fusion::GPU)
}

fn shaders(program: &Program, seed: u64, target: &Target) -> Shaders {
    let weights = WeightPlaces::of_program(program, target).expect("small weights fit");
    compile(program, &weights, seed, target).expect("a small program fits every device")
}

#[test]
fn random_programs_are_wgsl() {
    let software = Target { software: true, ..Target::WEBGPU };
    for seed in 0..150 {
        let program = program(seed);
        for target in [Target::WEBGPU, software] {
            for text in shaders(&program, seed, &target).texts {
                validate(&text).unwrap_or_else(|why| panic!("seed {seed}: {why}\n{text}"));
            }
        }
    }
}

#[test]
fn texts_know_neither_seed_nor_names() {
    let program = program(3);
    let mut renamed = program.clone();
    for buffer in renamed.buffers.iter_mut() {
        buffer.name = format!("other {}", buffer.name).into();
    }
    let plain = shaders(&program, 1, &Target::WEBGPU);
    assert_eq!(plain.texts, shaders(&program, 2, &Target::WEBGPU).texts);
    assert_eq!(plain.texts, shaders(&renamed, 1, &Target::WEBGPU).texts);
}
