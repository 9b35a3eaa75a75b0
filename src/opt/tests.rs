//! Each pass on a small graph: the text before and after is a snapshot.

use super::{PASSES, run};
use crate::ad::gradient;
use crate::base::{DType, Dim, TensorType};
use crate::graph::{Builder, Graph, Init, OutputKind, Value, parse, print, verify};

fn graph(text: &str) -> Graph {
    let graph = parse(text).expect("test: the graph reads");
    verify(&graph).expect("test: the graph is sound");
    graph
}

/// What one pass makes of a graph, dead nodes removed.
fn after(pass: &str, text: &str) -> String {
    let mut graph = graph(text);
    let pass = PASSES.iter().find(|p| p.name == pass).expect("test: a pass of the table");
    let before = print(&graph);
    assert!((pass.run)(&mut graph), "{} finds something", pass.name);
    verify(&graph).expect("test: passes keep graphs sound");
    super::dce::run(&mut graph);
    format!("{} because {}\n\n{before}\nbecomes\n\n{}", pass.name, pass.why, print(&graph))
}

#[test]
fn canonical() {
    insta::assert_snapshot!(after(
        "canonical",
        "graph signs and order
        leaf x: f32[B, 1, 3] batch
        leaf y: f32[B, 1, 3] batch
        %0: f32[B, 1, 3] = mul 2.0, x
        %1: f32[B, 1, 3] = neg %0
        %2: f32[B, 1, 3] = add y, %1
        %3: f32[B, 1, 3] = lt 0.0, %2
        %4: f32[B, 1, 3] = ne %3, 0.0
        %5: f32[B, 1, 3] = select %4, x, %2
        %6: f32[1, B, 3] = permute [1, 0, 2] %5
        %7: f32[B, 3] = reduce sum [1] %5
        %8: f32[3, 3] = contract \"zu,zv->vu\" %7, %7
        value a = %6
        value b = %8"
    ));
}

#[test]
fn fold() {
    insta::assert_snapshot!(after(
        "fold",
        "graph numbers
        leaf x: f32[4] batch
        %0: f32[] = mul 0.5, 3.0
        %1: f32[] = div %0, size(N)
        %2: f32[] = exp 0.0
        %3: f32[4] = mul x, %0
        %4: f32[4] = add %3, %2
        %5: f32[4] = div %4, %1
        %6: i32[] = mul 3, 4
        value y = %5
        value n = %6"
    ));
}

#[test]
fn factors() {
    insta::assert_snapshot!(after(
        "factors",
        "graph the gradient of a variance
        leaf x: f32[B, 4] batch
        leaf g: f32[B, 4] batch
        leaf c: f32[4] batch
        %0: f32[4] = reduce sum [0] x
        %1: f32[4] = div %0, size(B)
        %2: f32[B, 4] = broadcast [1] %1
        %3: f32[B, 4] = sub x, %2
        %4: f32[B, 4] = broadcast [1] c
        %5: f32[B, 4] = mul %4, g
        %6: f32[B, 4] = mul %3, %5
        %7: f32[4] = reduce sum [0] %6
        %8: f32[B, 4] = mul g, %3
        %9: f32[B, 4] = div %8, %4
        %10: f32[B, 4] = neg %9
        %11: f32[4] = reduce sum [0] %10
        %12: f32[B, 4] = mul %3, %4
        %13: f32[4] = reduce sum [0] %12
        %14: f32[4] = reduce sum [0] %3
        %15: f32[B] = reduce sum [1] %5
        value a = %7
        value b = %11
        value c = %13
        value none = %14
        value other = %15"
    ));
}

#[test]
fn algebra() {
    insta::assert_snapshot!(after(
        "algebra",
        "graph laws
        leaf x: f32[4] batch
        %0: f32[4] = mul x, 1.0
        %1: f32[4] = add %0, 0.0
        %2: f32[4] = pow %1, 3.0
        %3: f32[4] = div %2, 8.0
        %4: f32[4] = mul %3, 3.0
        %5: f32[4] = max %4, %4
        %6: f32[4] = select 0.0, x, %5
        %7: f32[4] = stop %6
        %8: f32[4] = mul %7, 0.0
        value y = %7
        value kept = %8"
    ));
}

#[test]
fn movement() {
    insta::assert_snapshot!(after(
        "movement",
        "graph towards the leaves
        leaf x: u8[B, 4, 6] batch
        leaf b: f32[24] param constant 0.0
        %0: f32[B, 4, 6] = to_f32 x
        %1: f32[B, 4, 6] = div %0, 255.0
        %2: f32[B, 24] = reshape %1
        %3: f32[B, 24] = broadcast [1] b
        %4: f32[B, 24] = broadcast [] 2.0
        %5: f32[B, 24] = mul %3, %4
        %6: f32[B, 24] = add %2, %5
        %7: f32[24, B] = permute [1, 0] %6
        %8: f32[B, 24] = permute [1, 0] %7
        %9: f32[12, B] = slice [1, 0] step [2, 1] %7
        value y = %8
        value half = %9"
    ));
}

#[test]
fn movement_into_folds_and_contractions() {
    insta::assert_snapshot!(after(
        "movement",
        "graph into axes
        leaf x: f32[B, 4, 6] batch
        leaf w: f32[5, 24] param constant 0.0
        leaf v: f32[4] param constant 0.0
        %0: f32[B, 24] = reshape x
        %1: f32[] = reduce sum [0, 1] %0
        %2: f32[24, 5] = permute [1, 0] w
        %3: f32[B, 5] = contract \"bi,ij->bj\" %0, %2
        %4: f32[5, B] = permute [1, 0] %3
        %5: f32[B, 4, 6] = broadcast [1] v
        %6: f32[B, 4] = reduce sum [2] %5
        %7: f32[4, 6] = contract \"bij,bij->ij\" x, %5
        %8: f32[B, 4, 2] = broadcast [] 1.0
        %9: f32[6, 2] = contract \"bij,bik->jk\" x, %8
        value all = %1
        value turned = %4
        value repeated = %6
        value shared = %7
        value counted = %9"
    ));
}

#[test]
fn cse() {
    insta::assert_snapshot!(after(
        "cse",
        "graph twins
        leaf x: f32[4] batch
        %0: f32[4] = exp x
        %1: f32[4] = random \"a\"
        %2: f32[4] = mul %0, %1
        %3: f32[4] = exp x
        %4: f32[4] = random \"a\"
        %5: f32[4] = mul %3, %4
        %6: f32[4] = random \"b\"
        %7: f32[4] = pad [0] hi [0] inner [0] value 0.0 %5
        %8: f32[4] = pad [0] hi [0] inner [0] value -0.0 %5
        value y = %2
        value same = %5
        value other = %6
        value plus = %7
        value minus = %8"
    ));
}

#[test]
fn dce() {
    insta::assert_snapshot!(after(
        "dce",
        "graph unused
        leaf x: f32[4] batch
        leaf w: f32[4] param constant 0.0
        %0: f32[4] = exp x
        %1: f32[4] = mul %0, w
        %2: f32[4] = neg x
        value y = %2"
    ));
}

#[test]
fn all_passes_report_what_they_did() {
    let mut graph = graph(
        "graph t
        leaf x: f32[4] batch
        %0: f32[] = sub 2.0, 1.0
        %1: f32[4] = mul %0, x
        %2: f32[4] = exp %1
        value y = %2",
    );
    let reports = run(&mut graph);
    let busy: Vec<&str> = reports.iter().filter(|r| r.rounds > 0).map(|r| r.name).collect();
    assert_eq!(busy, ["canonical", "fold", "algebra"]);
    assert_eq!(print(&graph), "graph t\n  leaf x: f32[4] batch\n\n  %0: f32[4] = exp x\n\n  value y = %0\n");
}

/// A classifier's loss and gradients, as the library and autodiff leave them: what remains
/// is a product, a row of softmax, and the products of the backward pass.
#[test]
fn a_training_step_in_full() {
    let mut b = Builder::new("digits.train");
    let batch = Dim::sym("B");
    let image = b.batch("image", TensorType::new(DType::U8, [batch.clone(), Dim::from(8), Dim::from(8)]));
    let label = b.batch("label", TensorType::new(DType::I32, [batch.clone()]));
    let zeros = || Init::Constant(0.0);
    let w1 = b.param("fc1.weight", [64, 32], zeros());
    let b1 = b.param("fc1.bias", [32], zeros());
    let w2 = b.param("fc2.weight", [32, 10], zeros());
    let b2 = b.param("fc2.bias", [10], zeros());

    let (pixels, scale) = (b.to_f32(image), b.constant(16.0));
    let scaled = b.div(pixels, scale);
    let flat = b.reshape(scaled, [batch.clone(), Dim::from(64)]);
    let h = b.contract("..i,ij->..j", flat, w1);
    let h = b.add(h, b1);
    let zero = b.constant(0.0);
    let h = b.max(h, zero);
    let h = dropout(&mut b, h);
    let logits = b.contract("..i,ij->..j", h, w2);
    let logits = b.add(logits, b2);

    let top = b.max_keep(logits, &[1]);
    let top = b.stop(top);
    let z = b.sub(logits, top);
    let e = b.exp(z);
    let total = b.sum(e, &[1]);
    let total = b.log(total);
    let one_hot = b.one_hot(label, &Dim::from(10));
    let picked = b.mul(z, one_hot);
    let right = b.sum(picked, &[1]);
    let loss = b.sub(total, right);
    let loss = b.mean(loss, &[0]);
    b.output("loss", loss, OutputKind::Loss);
    let weights = [w1, b1, w2, b2];
    for (i, g) in gradient(&mut b, loss, &weights).into_iter().enumerate() {
        b.output(format!("d{i}"), g, OutputKind::Value);
    }
    let mut graph = b.finish();
    let before = graph.nodes.len();
    let reports = run(&mut graph);
    verify(&graph).expect("test: passes keep graphs sound");
    let summary: Vec<String> =
        reports.iter().map(|r| format!("{} in {} rounds, {:+} nodes", r.name, r.rounds, r.growth)).collect();
    insta::assert_snapshot!(format!("{before} nodes, {}\n\n{}", summary.join("; "), print(&graph)));
}

fn dropout(b: &mut Builder, x: Value) -> Value {
    let shape = b.shape(x).clone();
    let (u, rate) = (b.random("dropout", shape), b.constant(0.2));
    let keep = b.ge(u, rate);
    let grow = b.constant(1.0 / 0.8);
    let kept = b.mul(x, grow);
    b.mul(kept, keep)
}
