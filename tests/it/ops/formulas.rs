//! What expressions mean.

use super::bench::{Bench, run};
use mlc::base::Dim;
use mlc::graph::print;
use mlc::ops::{Framework, Mode};

/// The one output for `x: f32[2, 3]`, all between 0.1 and 1.9.
fn value(text: &str) -> Vec<f64> {
    let graph = Bench::new([2, 3]).build(text).graph();
    run(&graph, &[2, 3], 0.1, 1.9).remove(0).data
}

fn same(left: &str, right: &str) {
    let (l, r) = (value(left), value(right));
    assert_eq!(l.len(), r.len(), "{left} and {right}");
    for (a, b) in l.iter().zip(&r) {
        assert!((a - b).abs() < 1e-12, "{left} is {l:?}, {right} is {r:?}");
    }
}

#[test]
fn numbers_fold_exactly() {
    for (text, number) in [
        ("1 + 2 * 3", 7.0),
        ("7 / 2", 3.5),
        ("6 / 2", 3.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("-2 ^ 2", -4.0),
        ("2 ^ -1", 0.5),
        ("sqrt(16)", 4.0),
        ("max(2, 3.5)", 3.5),
        ("3 > 2", 1.0),
    ] {
        let graph = Bench::new([2, 3]).build(text).graph();
        assert_eq!(run(&graph, &[2, 3], 0.0, 1.0)[0].data, vec![number], "{text}");
        let nodes = graph.nodes.iter().filter(|(_, n)| !n.prim.inputs().is_empty()).count();
        assert_eq!(nodes, 0, "{text} is a constant");
    }
}

#[test]
fn whole_numbers_stay_whole() {
    let graph = Bench::new([2, 3]).build("i + 1").graph();
    insta::assert_snapshot!(print(&graph), @r#"
    graph bench
      leaf x: f32[2, 3] param constant 0.0
      leaf i: i32[2] batch

      %0: i32[2] = add i, 1

      value "0" = %0
    "#);
    same("i / 2", "cast(i, f32) * 0.5");
    same("i * 0.5", "cast(i, f32) / 2");
    same("cast(2.7 * (i - i) + 2.7, i32)", "i - i + 2");
}

#[test]
fn powers_are_products_where_they_can_be() {
    insta::assert_snapshot!(print(&Bench::new([2]).build("x^3").graph()), @r#"
    graph bench
      leaf x: f32[2] param constant 0.0
      leaf i: i32[] batch

      %0: f32[2] = mul x, x
      %1: f32[2] = mul %0, x

      value "0" = %1
    "#);
    same("x^0.5", "sqrt(x)");
    same("x^2.5", "x^2 * sqrt(x)");
    same("2^x", "exp(x * log(2))");
    same("x^0", "x - x + 1");
}

#[test]
fn folds_take_axes_from_both_ends() {
    same("sum(x)", "sum(sum(x, axis=0))");
    same("sum(x, axis=-1)", "sum(x, 1)");
    same("mean(x, axis=(0, 1))", "sum(x) / 6");
    same("x - mean(x, axis=-1, keep=true)", "x - mean(x, 1, true)");
    same("min(x, axis=0)", "-max(-x, axis=0)");
    same("size(x, -1) * size(x, 0)", "6");
    same("sum(one_hot(argmax(x), 3) * x, axis=-1)", "max(x, axis=-1)");
}

#[test]
fn products_contract_the_inner_axes() {
    same("sum(x @ transpose(x))", "sum(sum(x, axis=0) ^ 2)");
    same("x @ sum(x, axis=0)", "sum(x * sum(x, axis=0), axis=-1)");
}

#[test]
fn comparisons_choose() {
    same("where(x > 1, x, 1)", "max(x, 1)");
    same("(x > 1) * x + (x <= 1)", "max(x, 1)");
}

#[test]
fn a_flag_chooses_while_compiling() {
    let mut bench = Bench::new([4, 6]);
    bench.ops =
        "mlspec 1\nop f(x: f32[..s], smooth: bool = false) -> f32[..s] = where(smooth, silu(x), relu(x))\n"
            .to_string();
    let rough = bench.build("f(x)").graph();
    assert_eq!(run(&rough, &[4, 6], -1.0, 1.0), run(&bench.build("relu(x)").graph(), &[4, 6], -1.0, 1.0));
    let smooth = bench.build("f(x, smooth=true)").graph();
    assert_eq!(run(&smooth, &[4, 6], -1.0, 1.0), run(&bench.build("silu(x)").graph(), &[4, 6], -1.0, 1.0));
}

#[test]
fn sizes_may_be_symbols() {
    let shape = vec![Dim::sym("B"), Dim::sym("people.features")];
    let graph = Bench::new(shape).build("BinaryCrossEntropy(x |> Dense(1) as out |> Squeeze, i)").graph();
    mlc::graph::verify(&graph).expect("it is well formed");
    insta::assert_snapshot!(print(&graph));
    let shape = vec![Dim::sym("B"), Dim::sym("T"), Dim::from(3)];
    let text = print(&Bench::new(shape).build("x |> Flatten |> Reshape(3, -1)").graph());
    assert!(text.contains("f32[B, 3*T]") && text.contains("f32[B, 3, T]"), "{text}");
}

#[test]
fn a_pipe_fills_the_first_argument() {
    same("x |> leaky_relu(slope=0.1) |> sum(axis=0)", "sum(leaky_relu(x, 0.1), axis=0)");
    same("(x, 0.5) |> MeanSquaredError", "MeanSquaredError(x, 0.5)");
}

#[test]
fn ops_of_the_user_have_the_same_rights() {
    let mut bench = Bench::new([4, 6]);
    bench.ops = "mlspec 1\n\
        op gate(x: f32[..s, n], strength: float = 2) -> f32[..s, n] {\n\
          let soft = swish(x * strength)\n\
          output y = soft / n\n\
        }\n\
        op swish(x: f32[..s]) -> f32[..s] = x * sigmoid(x)\n"
        .to_string();
    let used = bench.build("gate(x, strength=3)").graph();
    let written = Bench::new([4, 6]).build("x * 3 * sigmoid(x * 3) / 6").graph();
    assert_eq!(run(&used, &[4, 6], -1.0, 1.0), run(&written, &[4, 6], -1.0, 1.0));
    let activated = bench.build("x |> Dense(3, activation=swish)").graph();
    assert_eq!(activated.outputs.len(), 1);
}

#[test]
fn a_user_may_take_over_a_name_of_the_library() {
    let mut bench = Bench::new([4, 6]);
    bench.ops = "mlspec 1\nop relu(x: f32[..s]) -> f32[..s] = x + 1\n".to_string();
    let taken = run(&bench.build("relu(x)").graph(), &[4, 6], -1.0, 1.0);
    let own = run(&Bench::new([4, 6]).build("x + 1").graph(), &[4, 6], -1.0, 1.0);
    assert_eq!(taken, own);
}

#[test]
fn dropout_acts_in_training_alone() {
    let mut bench = Bench::new([50, 40]);
    let trained = run(&bench.build("(x * 0 + 1) |> Dropout(0.25)").graph(), &[50, 40], 0.0, 1.0).remove(0);
    let kept = trained.data.iter().filter(|v| **v != 0.0).count();
    assert!((1450..1550).contains(&kept), "{kept} of 2000 are kept");
    assert!(trained.data.iter().all(|v| *v == 0.0 || (v - 4.0 / 3.0).abs() < 1e-6));
    bench.mode = Mode::Eval;
    let graph = bench.build("x |> Dropout(0.25)").graph();
    assert_eq!(graph.outputs[0].value.index(), 0, "evaluation hands x through");
}

#[test]
fn two_dropouts_draw_apart() {
    let graph = Bench::new([5, 8]).build("(x |> Dropout(0.5), x |> Dropout(0.5))").graph();
    let out = run(&graph, &[5, 8], 1.0, 2.0);
    assert_ne!(out[0], out[1]);
}

#[test]
fn equal_paths_share_their_weights() {
    let graph = Bench::new([4, 6]).build("(x |> Dense(6) as fc, x |> Dense(6) as fc)").graph();
    let weights: Vec<&str> = graph.leaves.iter().map(|(_, l)| &*l.name).collect();
    assert_eq!(weights, ["x", "i", "fc.weight", "fc.bias"]);
}

#[test]
fn dense_starts_as_its_framework_says() {
    let starts = |framework| {
        let mut bench = Bench::new([4, 6]);
        bench.framework = framework;
        print(&bench.build("x |> Dense(2, activation=relu, l2=1e-4) as fc1").graph())
    };
    insta::assert_snapshot!("dense_keras", starts(Framework::Keras));
    insta::assert_snapshot!("dense_torch", starts(Framework::Torch));
}
