//! Programs that fit into less memory, and compute the same.

use super::support::{inputs, results};
use crate::ad;
use crate::base::{DType, TensorType};
use crate::graph::{Builder, Graph, Init, OutputKind, Prim, Value};
use crate::loops::{self, Fusion, Program, memory, remat};

fn arena(program: &Program) -> usize {
    memory::plan(program).arena_bytes
}

fn fit(program: &Program, budget: usize) -> Program {
    remat::fit(program, budget, &arena)
}

/// `x = x + tanh(x w)` so many times, with dropout, and a step down the gradient.
fn deep(layers: usize, rows: usize, width: usize) -> Graph {
    let mut b = Builder::new("deep.train");
    let mut x = b.batch("x", TensorType::new(DType::F32, [rows, width]));
    let weights: Vec<Value> =
        (0..layers).map(|i| b.param(format!("w{i}"), [width, width], Init::Constant(0.0))).collect();
    for w in &weights {
        let h = b.contract("bi,ij->bj", x, *w);
        let h = b.tanh(h);
        x = b.add(x, h);
    }
    let square = b.mul(x, x);
    let loss = b.mean(square, &[0, 1]);
    b.output("loss", loss, OutputKind::Loss);
    let gradients = ad::gradient(&mut b, loss, &weights);
    let rate = b.constant(0.01);
    for (w, g) in weights.into_iter().zip(gradients) {
        let Prim::Leaf(leaf) = b.graph().nodes[w].prim else { panic!("a weight is a leaf") };
        let step = b.mul(rate, g);
        let next = b.sub(w, step);
        b.output(format!("next {}", leaf.index()), next, OutputKind::Update(leaf));
    }
    let mut graph = b.finish();
    crate::opt::run(&mut graph);
    graph
}

fn bits(program: &Program, graph: &Graph) -> Vec<u64> {
    results(program, graph, &inputs(graph, 3)).into_iter().flatten().map(f64::to_bits).collect()
}

#[test]
fn a_deep_net_fits_into_half_and_computes_the_same() {
    let graph = deep(12, 32, 16);
    let program = loops::lower(&graph, &Fusion::CPU);
    let (all, wanted) = (arena(&program), bits(&program, &graph));
    for percent in [90, 75, 60, 50] {
        let budget = all * percent / 100;
        let less = fit(&program, budget);
        loops::verify(&less).unwrap_or_else(|why| panic!("{why}\n{}", loops::print(&less)));
        assert!(arena(&less) <= budget, "{percent}%: {} of {all} bytes", arena(&less));
        assert!(remat::again_bytes(&less) > 0);
        assert_eq!(bits(&less, &graph), wanted, "{percent}%");
    }
}

#[test]
fn nothing_runs_again_where_all_fits() {
    let program = loops::lower(&deep(4, 32, 16), &Fusion::CPU);
    assert_eq!(fit(&program, arena(&program)), program);
    assert_eq!(remat::again_bytes(&program), 0);
}

#[test]
fn the_least_is_given_where_nothing_fits() {
    let program = loops::lower(&deep(12, 32, 16), &Fusion::CPU);
    let least = fit(&program, 0);
    assert!(arena(&least) < arena(&program) / 2);
    loops::verify(&least).expect("sound");
}

#[test]
fn less_memory_is_more_work() {
    let program = loops::lower(&deep(12, 32, 16), &Fusion::CPU);
    let again = |percent: usize| remat::again_bytes(&fit(&program, arena(&program) * percent / 100));
    assert!(again(90) < again(60), "{} and {}", again(90), again(60));
}

#[test]
fn what_runs_again_is_seen() {
    let program = loops::lower(&deep(4, 32, 16), &Fusion::CPU);
    insta::assert_snapshot!("remat", loops::print(&fit(&program, arena(&program) * 3 / 4)));
}
