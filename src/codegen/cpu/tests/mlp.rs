//! A whole training step: 784-128-10 with dropout, cross entropy and Adam.

use super::*;
use crate::base::TensorType;
use crate::graph::{Builder, Graph, Init, LeafKind, OutputKind, Value};

fn dense(b: &mut Builder, name: &str, x: Value, sizes: [usize; 2]) -> (Value, [Value; 2]) {
    let w = b.param(format!("{name}.weight"), sizes, Init::Constant(0.0));
    let bias = b.param(format!("{name}.bias"), [sizes[1]], Init::Constant(0.0));
    let y = b.contract("bi,ij->bj", x, w);
    (b.add(y, bias), [w, bias])
}

/// Mean cross entropy of class ids.
fn cross_entropy(b: &mut Builder, logits: Value, label: Value, classes: usize) -> Value {
    let max = b.max_keep(logits, &[1]);
    let max = b.stop(max);
    let z = b.sub(logits, max);
    let e = b.exp(z);
    let sum = b.sum_keep(e, &[1]);
    let log = b.log(sum);
    let log_p = b.sub(z, log);
    let hot = b.one_hot(label, &classes.into());
    let picked = b.mul(hot, log_p);
    let each = b.sum(picked, &[1]);
    let mean = b.mean(each, &[0]);
    b.neg(mean)
}

fn adam(b: &mut Builder, weights: &[Value], gradients: &[Value]) {
    let (lr, t) = (b.scalar_leaf("lr", DType::F32), b.scalar_leaf("step", DType::F32));
    let (one, b1, b2, eps) = (b.constant(1.0), b.constant(0.9), b.constant(0.999), b.constant(1e-7));
    let (p1, p2) = (b.pow(b1, t), b.pow(b2, t));
    let (c1, c2) = (b.sub(one, p1), b.sub(one, p2));
    let root = b.sqrt(c2);
    let rate = b.mul(lr, root);
    let rate = b.div(rate, c1);
    let (n1, n2) = (b.sub(one, b1), b.sub(one, b2));
    for (i, (&w, &g)) in weights.iter().zip(gradients).enumerate() {
        let shape = b.shape(w).clone();
        let name = b.graph().leaves.iter().filter(|(_, l)| matches!(l.kind, LeafKind::Param(_))).nth(i);
        let name = name.expect("one leaf for each weight").1.name.clone();
        let m = b.state(format!("{name}.m"), shape.clone(), Init::Constant(0.0));
        let v = b.state(format!("{name}.v"), shape, Init::Constant(0.0));
        let (d, square) = (b.sub(g, m), b.mul(g, g));
        let (d, e) = (b.mul(d, n1), b.sub(square, v));
        let (m2, e) = (b.add(m, d), b.mul(e, n2));
        let v2 = b.add(v, e);
        let root = b.sqrt(v2);
        let (below, above) = (b.add(root, eps), b.mul(m2, rate));
        let step = b.div(above, below);
        let w2 = b.sub(w, step);
        for (next, suffix) in [(w2, ""), (m2, ".m"), (v2, ".v")] {
            let leaf = b.find(&format!("{name}{suffix}")).expect("the leaf was made");
            b.output(format!("{name}{suffix}"), next, OutputKind::Update(leaf));
        }
    }
}

pub fn step_graph(batch: usize, input: usize, hidden: usize, classes: usize, dropout: bool) -> Graph {
    let mut b = Builder::new("mlp");
    let image = b.batch("image", TensorType::new(DType::U8, [batch, input]));
    let label = b.batch("label", TensorType::new(DType::I32, [batch]));
    let x = b.to_f32(image);
    let scale = b.constant(255.0);
    let x = b.div(x, scale);
    let (z, [w1, b1]) = dense(&mut b, "fc1", x, [input, hidden]);
    let zero = b.constant(0.0);
    let mut h = b.max(z, zero);
    if dropout {
        let draw = b.random("dropout", [batch, hidden]);
        let (rate, factor) = (b.constant(0.2), b.constant(1.25));
        let kept = b.ge(draw, rate);
        let kept = b.mul(kept, factor);
        h = b.mul(h, kept);
    }
    let (logits, [w2, b2]) = dense(&mut b, "fc2", h, [hidden, classes]);
    let loss = cross_entropy(&mut b, logits, label, classes);
    b.output("loss", loss, OutputKind::Loss);
    let weights = [w1, b1, w2, b2];
    let gradients = crate::ad::gradient(&mut b, loss, &weights);
    adam(&mut b, &weights, &gradients);
    b.finish()
}

pub fn program(batch: usize, input: usize, hidden: usize, classes: usize, dropout: bool) -> Program {
    let mut graph = step_graph(batch, input, hidden, classes, dropout);
    crate::opt::run(&mut graph);
    crate::loops::lower(&graph, &crate::loops::Fusion::CPU)
}

#[test]
fn a_training_step_is_what_the_interpreter_says() {
    for dropout in [false, true] {
        check(&program(7, 30, 18, 5, dropout), 1e-4);
    }
}

#[test]
fn a_step_calls_nothing_but_the_blocks_it_is_made_of() {
    let options = Options { profile: true, ..Options::default() };
    let mut instance = Instance::new(program(7, 30, 18, 5, true), &options);
    let calls = ["mlc_exp", "mlc_gemm", "mlc_log", "mlc_pow", "mlc_team_run", "mlc_uniform"];
    assert_eq!(instance.compiled().calls(), calls);
    // A clock that ticks once for each look: every kernel takes one tick.
    let ticks = std::cell::Cell::new(0.0);
    let clock = || ticks.replace(ticks.get() + 1.0);
    let mut seconds = Vec::new();
    instance.profile(1, 1, &clock, &mut seconds);
    assert_eq!(seconds, vec![1.0; instance.program().kernels.len()]);
}
