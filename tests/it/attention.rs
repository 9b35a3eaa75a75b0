//! Attention of long sequences: by tiles, in memory that grows with the length.

use mlc::ad;
use mlc::base::{Dim, Sources, Span};
use mlc::codegen::{Instance, Options};
use mlc::diag::Diagnostic;
use mlc::graph::{Builder, Graph, Init, OutputKind};
use mlc::loops::{self, Fusion, Program, memory};
use mlc::ops::{Attention, Framework, Library, attend};
use mlc::opt;

/// Causal attention with two heads of one text, with its gradients; whole if it will be cut along time.
fn attention(steps: usize, along_time: bool, dropout: Option<f64>) -> Graph {
    let lib = Library::std(Framework::Keras, &mut Sources::new());
    let mut b = Builder::new("attention");
    b.along_time = along_time;
    let tensors = ["q", "k", "v"].map(|name| b.param(name, [1, steps, 16], Init::Constant(0.0)));
    let how = Attention {
        heads: Dim::from(2),
        kv_heads: Dim::from(2),
        causal: true,
        dropout: dropout.map(|rate| (rate, "site".to_string())),
        ..Attention::default()
    };
    let wrong = |message: &str, _: &str| Diagnostic::error("test::wrong", message, Span::default(), "");
    let y = attend(&lib, &mut b, tensors, &how, &wrong).expect("shapes fit");
    let squares = b.mul(y, y);
    let loss = b.sum_all(squares);
    b.output("y", y, OutputKind::Value);
    for (name, grad) in ["dq", "dk", "dv"].iter().zip(ad::gradient(&mut b, loss, &tensors)) {
        b.output(*name, grad, OutputKind::Value);
    }
    b.finish()
}

fn program(graph: &Graph) -> Program {
    let mut graph = graph.clone();
    opt::run(&mut graph);
    let program = loops::lower(&graph, &Fusion::CPU);
    loops::verify(&program).expect("the program is sound");
    program
}

/// All outputs of a step on numbers between -1 and 1.
fn results(graph: &Graph, threads: usize) -> Vec<Vec<f32>> {
    let mut instance = Instance::new(program(graph), &Options { threads, ..Options::default() });
    for (salt, name) in ["q", "k", "v"].iter().enumerate() {
        let id = instance.buffer(name).expect("a weight is read");
        for (i, x) in instance.f32_mut(id).iter_mut().enumerate() {
            *x = ((i * 7919 + salt * 104_729) % 2027) as f32 / 1013.5 - 1.0;
        }
    }
    instance.step(5, 3);
    let outputs = instance.program().outputs.clone();
    outputs.iter().map(|(_, buffer)| instance.f32(*buffer).to_vec()).collect()
}

#[test]
fn memory_grows_with_the_length() {
    let arena = |steps: usize, along_time| {
        memory::plan(&program(&attention(steps, along_time, Some(0.1)))).arena_bytes
    };
    let tiled = [1024, 2048, 4096].map(|steps| arena(steps, false));
    for pair in tiled.windows(2) {
        assert!(pair[1] as f64 <= 2.05 * pair[0] as f64, "{tiled:?}");
    }
    assert!(arena(2048, true) > 4 * tiled[1], "all scores at once take more: {tiled:?}");
    assert_eq!(arena(512, false), arena(512, true), "short sequences keep their scores");
}

#[test]
fn tiles_agree_with_all_scores_at_once() {
    let (tiled, whole) =
        (results(&attention(1024, false, None), 1), results(&attention(1024, true, None), 1));
    for (tiled, whole) in tiled.iter().zip(&whole) {
        let most = whole.iter().fold(0f32, |most, x| most.max(x.abs()));
        let off = tiled.iter().zip(whole).map(|(x, y)| (x - y).abs()).fold(0f32, f32::max);
        // Sums of 1024 terms, each rounded to one part in 2^24.
        assert!(off <= most * 1024f32.sqrt() / 8_388_608.0, "{off} of {most}");
    }
}

#[test]
fn threads_give_the_same_bits() {
    let graph = attention(1024, false, Some(0.3));
    let one = results(&graph, 1);
    assert!(one.iter().flatten().all(|x| x.is_finite()) && one[0].iter().any(|x| *x != 0.0));
    for threads in [2, 3] {
        assert!(results(&graph, threads) == one, "{threads} threads");
    }
}
