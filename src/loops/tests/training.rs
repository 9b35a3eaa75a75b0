//! Training steps as a user's spec would make them.

use super::support::check;
use crate::ad;
use crate::base::{DType, Dim, TensorType};
use crate::graph::{Builder, Graph, Init, OutputKind, Value};
use crate::loops::{self, Fusion, KernelKind, Program};

const ZEROS: Init = Init::Constant(0.0);

fn dense(b: &mut Builder, x: Value, name: &str, [fan_in, units]: [usize; 2]) -> (Value, [Value; 2]) {
    let w = b.param(format!("{name}.weight"), [fan_in, units], ZEROS);
    let bias = b.param(format!("{name}.bias"), [units], ZEROS);
    let y = b.contract("bi,ij->bj", x, w);
    (b.add(y, bias), [w, bias])
}

fn relu(b: &mut Builder, x: Value) -> Value {
    let zero = b.constant(0.0);
    b.max(x, zero)
}

/// The mean over rows of log sum exp z less z at the label.
fn cross_entropy(b: &mut Builder, z: Value, label: Value, classes: usize) -> Value {
    let most = b.max_keep(z, &[1]);
    let most = b.stop(most);
    let shifted = b.sub(z, most);
    let e = b.exp(shifted);
    let sum = b.sum(e, &[1]);
    let log = b.log(sum);
    let hot = b.one_hot(label, &Dim::from(classes));
    let own = b.mul(shifted, hot);
    let own = b.sum(own, &[1]);
    let loss = b.sub(log, own);
    b.mean(loss, &[0])
}

fn leaf_of(b: &Builder, v: Value) -> crate::graph::LeafId {
    let crate::graph::Prim::Leaf(leaf) = b.graph().nodes[v].prim else { panic!("a weight is a leaf") };
    leaf
}

fn sgd(b: &mut Builder, loss: Value, weights: &[Value]) {
    let lr = b.scalar_leaf("lr", DType::F32);
    for (&w, g) in weights.iter().zip(ad::gradient(b, loss, weights)) {
        let step = b.mul(lr, g);
        let next = b.sub(w, step);
        let leaf = leaf_of(b, w);
        b.output(format!("next {}", leaf.index()), next, OutputKind::Update(leaf));
    }
}

pub fn adam(b: &mut Builder, loss: Value, weights: &[Value]) {
    let lr = b.scalar_leaf("lr", DType::F32);
    let step = b.scalar_leaf("step", DType::F32);
    let one = b.constant(1.0);
    let eps = b.constant(1e-7);
    let gradients = ad::gradient(b, loss, weights);
    for (&w, g) in weights.iter().zip(gradients) {
        let leaf = leaf_of(b, w);
        let (name, shape) = (b.graph().leaves[leaf].name.clone(), b.shape(w).clone());
        let moment = |b: &mut Builder, suffix: &str, beta: f64, x: Value| {
            let old = b.state(format!("{name}.{suffix}"), shape.clone(), ZEROS);
            let (beta, rest) = (b.constant(beta), b.constant(1.0 - beta));
            let (kept, new) = (b.mul(beta, old), b.mul(rest, x));
            let next = b.add(kept, new);
            let state = leaf_of(b, old);
            b.output(format!("next {name}.{suffix}"), next, OutputKind::Update(state));
            let faded = b.pow(beta, step);
            let filled = b.sub(one, faded);
            b.div(next, filled)
        };
        let m = moment(b, "m", 0.9, g);
        let square = b.mul(g, g);
        let v = moment(b, "v", 0.999, square);
        let root = b.sqrt(v);
        let scale = b.add(root, eps);
        let step = b.mul(lr, m);
        let step = b.div(step, scale);
        let next = b.sub(w, step);
        b.output(format!("next {name}"), next, OutputKind::Update(leaf));
    }
}

/// 784-128-10 with sizes of one's own.
pub fn mlp(batch: usize, sizes: [usize; 3], optimizer: fn(&mut Builder, Value, &[Value])) -> Graph {
    let mut b = Builder::new("mlp.train");
    let image = b.batch("image", TensorType::new(DType::U8, [batch, sizes[0]]));
    let label = b.batch("label", TensorType::new(DType::I32, [batch]));
    let x = b.to_f32(image);
    let scale = b.constant(255.0);
    let x = b.div(x, scale);
    let (h, fc1) = dense(&mut b, x, "fc1", [sizes[0], sizes[1]]);
    let h = relu(&mut b, h);
    let (z, fc2) = dense(&mut b, h, "fc2", [sizes[1], sizes[2]]);
    let loss = cross_entropy(&mut b, z, label, sizes[2]);
    b.output("loss", loss, OutputKind::Loss);
    optimizer(&mut b, loss, &[fc1, fc2].concat());
    optimised(b)
}

fn optimised(b: Builder) -> Graph {
    let mut graph = b.finish();
    crate::opt::run(&mut graph);
    graph
}

fn count(program: &Program, wanted: fn(&KernelKind) -> bool) -> usize {
    program.kernels.iter().filter(|k| wanted(&k.kind)).count()
}

#[test]
fn mlp_with_sgd() {
    check(&mlp(3, [5, 4, 3], sgd));
    let program = loops::lower(&mlp(32, [784, 128, 10], sgd), &Fusion::CPU);
    insta::assert_snapshot!("mlp_sgd", loops::print(&program));
}

#[test]
fn mlp_with_adam() {
    check(&mlp(3, [5, 4, 3], adam));
    let program = loops::lower(&mlp(32, [784, 128, 10], adam), &Fusion::CPU);
    loops::verify(&program).expect("sound");
    assert_eq!(count(&program, |k| matches!(k, KernelKind::Contract(_))), 5);
    insta::assert_snapshot!("mlp_adam", loops::print(&program));
}

/// Bytes become numbers where they are read, the loss is in the product of the logits.
#[test]
fn mlp_for_a_gpu() {
    let program = loops::lower(&mlp(32, [784, 128, 10], adam), &Fusion::GPU);
    loops::verify(&program).expect("sound");
    insta::assert_snapshot!("mlp_adam_gpu", loops::print(&program));
}

#[test]
fn xor() {
    let mut b = Builder::new("xor.train");
    let x = b.batch("x", TensorType::f32([4, 2]));
    let y = b.batch("y", TensorType::f32([4]));
    let (h, fc1) = dense(&mut b, x, "fc1", [2, 8]);
    let h = b.tanh(h);
    let (z, fc2) = dense(&mut b, h, "fc2", [8, 1]);
    let z = b.reshape(z, [4]);
    // Binary cross entropy on logits: max(z, 0) - z y + log1p(exp(-|z|)).
    let positive = relu(&mut b, z);
    let zy = b.mul(z, y);
    let size = b.abs(z);
    let size = b.neg(size);
    let e = b.exp(size);
    let log = b.log1p(e);
    let loss = b.sub(positive, zy);
    let loss = b.add(loss, log);
    let loss = b.mean(loss, &[0]);
    b.output("loss", loss, OutputKind::Loss);
    sgd(&mut b, loss, &[fc1, fc2].concat());
    let program = check(&optimised(b));
    insta::assert_snapshot!("xor_sgd", loops::print(&program));
}

#[test]
fn dropout_mask_is_drawn_once_or_again() {
    let mut b = Builder::new("dropout.train");
    let x = b.batch("x", TensorType::f32([6, 5]));
    let (h, fc1) = dense(&mut b, x, "fc1", [5, 7]);
    let h = relu(&mut b, h);
    let draw = b.random("drop", [6, 7]);
    let (rate, scale, zero) = (b.constant(0.2), b.constant(1.25), b.constant(0.0));
    let kept = b.ge(draw, rate);
    let scaled = b.mul(h, scale);
    let h = b.select(kept, scaled, zero);
    let (y, fc2) = dense(&mut b, h, "fc2", [7, 3]);
    let square = b.mul(y, y);
    let loss = b.mean(square, &[0, 1]);
    b.output("loss", loss, OutputKind::Loss);
    sgd(&mut b, loss, &[fc1, fc2].concat());
    let graph = optimised(b);
    insta::assert_snapshot!("dropout_sgd", loops::print(&check(&graph)));
    let program = loops::lower(&graph, &Fusion::GPU);
    insta::assert_snapshot!("dropout_sgd_gpu", loops::print(&program));
}

#[test]
fn layer_norm_is_one_kernel_each_way() {
    let mut b = Builder::new("norm.train");
    let x = b.param("x", [6, 16], ZEROS);
    let gain = b.param("gain", [16], ZEROS);
    let shift = b.param("shift", [16], ZEROS);
    let goal = b.batch("goal", TensorType::f32([6, 16]));
    let mean = b.mean_keep(x, &[1]);
    let centred = b.sub(x, mean);
    let square = b.mul(centred, centred);
    let variance = b.mean_keep(square, &[1]);
    let eps = b.constant(1e-5);
    let variance = b.add(variance, eps);
    let scale = b.rsqrt(variance);
    let normed = b.mul(centred, scale);
    let y = b.mul(normed, gain);
    let y = b.add(y, shift);
    let error = b.mul(y, goal);
    let loss = b.sum(error, &[0, 1]);
    b.output("loss", loss, OutputKind::Loss);
    sgd(&mut b, loss, &[x, gain, shift]);
    let program = check(&optimised(b));
    insta::assert_snapshot!("layer_norm_sgd", loops::print(&program));
}

#[test]
fn a_layer_takes_four_kernels() {
    let layers = 40;
    let mut b = Builder::new("deep.train");
    let mut h = b.batch("x", TensorType::f32([32, 64]));
    let mut weights = Vec::new();
    for layer in 0..layers {
        let (y, own) = dense(&mut b, h, &format!("h.{layer}"), [64, 64]);
        let y = relu(&mut b, y);
        h = b.add(h, y);
        weights.extend(own);
    }
    let square = b.mul(h, h);
    let loss = b.mean(square, &[0, 1]);
    b.output("loss", loss, OutputKind::Loss);
    adam(&mut b, loss, &weights);
    let program = loops::lower(&optimised(b), &Fusion::CPU);
    loops::verify(&program).expect("sound");
    // Forward, gradient of the input (not of the first), of the bias, of the weight; loss and scalars.
    assert_eq!(program.kernels.len(), 4 * layers - 1 + 2, "{}", loops::print(&program));
}
