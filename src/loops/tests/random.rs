//! Random graphs, with gradients and updates in place: programs compute what the graphs do.

use super::support::{names, results};
use crate::ad;
use crate::base::DType;
use crate::graph::arbitrary::{self, agree, shrink};
use crate::graph::interp::{self, Inputs, Tensor};
use crate::graph::{Builder, Graph, LeafId, LeafKind, OutputKind, Value, print};
use crate::loops::{Fusion, KernelKind, memory, remat};
use crate::{loops, opt};

const SEEDS: u64 = 300;

#[test]
fn random_graphs_lower() {
    for seed in 0..SEEDS {
        let (graph, inputs) = arbitrary::graph(seed);
        if let Err(why) = guarded(&graph, &inputs) {
            let small = shrink(&graph, |g| guarded(g, &arbitrary::inputs(g, seed)).is_err());
            let reason = guarded(&small, &arbitrary::inputs(&small, seed)).err().unwrap_or(why);
            panic!("{reason}\n// seed {seed}: \n{}", print(&small));
        }
    }
}

/// The graphs above do reach the forms that only a GPU takes.
#[test]
fn random_graphs_have_prologues_and_row_phases() {
    let (mut prologues, mut phases) = (0, 0);
    for seed in 0..2 * SEEDS {
        let (graph, inputs) = arbitrary::graph(seed);
        let mut trained = descend(&graph.bind(&inputs.bindings));
        opt::run(&mut trained);
        for kernel in &loops::lower(&trained, &Fusion::GPU).kernels {
            if let KernelKind::Contract(c) = &kernel.kind {
                prologues += usize::from(c.operands().iter().any(|operand| operand.plain().is_none()));
                phases += usize::from(c.folds());
            }
        }
    }
    assert!(prologues >= 40 && phases >= 5, "{prologues} products with prologues, {phases} with phases");
}

fn guarded(graph: &Graph, inputs: &Inputs) -> Result<(), String> {
    std::panic::catch_unwind(|| lowers(graph, inputs)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default())
    })
}

fn lowers(graph: &Graph, inputs: &Inputs) -> Result<(), String> {
    let bound = graph.bind(&inputs.bindings);
    same(&bound, inputs, "as it stands")?;
    let mut trained = descend(&bound);
    same(&trained, inputs, "with gradients")?;
    opt::run(&mut trained);
    same(&trained, inputs, "rewritten")
}

/// The graph with a step down its gradient for each leaf, written in place.
fn descend(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    for id in graph.leaves.ids() {
        let leaf = &mut graph.leaves[id];
        if leaf.ty.dtype == DType::F32 {
            leaf.kind = LeafKind::Param(crate::graph::Init::Constant(0.0));
        }
    }
    let leaves: Vec<LeafId> =
        graph.leaves.ids().filter(|&l| graph.leaves[l].ty.dtype == DType::F32).collect();
    let Some(loss) = graph.outputs.iter().find(|o| o.kind == OutputKind::Loss).map(|o| o.value) else {
        return graph;
    };
    let mut b = Builder::resume(graph);
    let weights: Vec<Value> = leaves.iter().map(|&l| b.read(l)).collect();
    let gradients = ad::gradient(&mut b, loss, &weights);
    let rate = b.constant(0.01);
    for ((&leaf, w), g) in leaves.iter().zip(weights).zip(gradients) {
        let step = b.mul(rate, g);
        let next = b.sub(w, step);
        b.output(format!("next {}", leaf.index()), next, OutputKind::Update(leaf));
    }
    b.finish()
}

fn same(graph: &Graph, inputs: &Inputs, which: &str) -> Result<(), String> {
    let wanted = interp::run(graph, inputs);
    let programs = [
        (loops::lower_unfused(graph), "unfused"),
        (loops::lower(graph, &Fusion::CPU), "fused for the CPU"),
        (loops::lower(graph, &Fusion::GPU), "fused for a GPU"),
    ];
    for (program, how) in programs {
        let at = |why: String| format!("{which}, {how}: {why}\n{}", loops::print(&program));
        loops::verify(&program).map_err(at)?;
        let found = results(&program, graph, inputs);
        let less = remat::fit(&program, 0, &|p| memory::plan(p).arena_bytes);
        loops::verify(&less).map_err(|why| format!("in little memory: {}", at(why)))?;
        let bits = |all: &[Vec<f64>]| -> Vec<u64> { all.iter().flatten().map(|x| x.to_bits()).collect() };
        if bits(&results(&less, graph, inputs)) != bits(&found) {
            return Err(at(format!(
                "{which}, {how}: other numbers in little memory\n{}",
                loops::print(&less)
            )));
        }
        let found: Vec<Tensor> =
            wanted.iter().zip(found).map(|(w, data)| Tensor::new(w.shape.clone(), data)).collect();
        agree(&names(graph), &found, &wanted, 1e-9).map_err(at)?;
    }
    Ok(())
}
