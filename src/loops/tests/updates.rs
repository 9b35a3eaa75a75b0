//! New values of weights are written in place, after all have read the old ones.

use super::support::check;
use crate::base::{DType, TensorType};
use crate::graph::{Builder, Init, LeafId, OutputKind, Prim, Value};
use crate::loops::{self, BufferKind};

fn leaf(b: &Builder, v: Value) -> LeafId {
    let Prim::Leaf(leaf) = b.graph().nodes[v].prim else { panic!("a weight is a leaf") };
    leaf
}

fn update(b: &mut Builder, weight: Value, next: Value) {
    let leaf = leaf(b, weight);
    b.output(format!("next {}", leaf.index()), next, OutputKind::Update(leaf));
}

fn weight(b: &mut Builder, name: &str) -> Value {
    b.param(name, [3, 4], Init::Constant(0.0))
}

#[test]
fn weights_swap() {
    let mut b = Builder::new("swap");
    let (u, v) = (weight(&mut b, "u"), weight(&mut b, "v"));
    update(&mut b, u, v);
    update(&mut b, v, u);
    check(&b.finish());
}

#[test]
fn each_needs_the_old_other() {
    let mut b = Builder::new("crossed");
    let (u, v) = (weight(&mut b, "u"), weight(&mut b, "v"));
    let (sum, turned) = (b.add(u, v), b.permute(u, &[1, 0]));
    let flat = b.reshape(turned, [3, 4]);
    let difference = b.sub(v, flat);
    update(&mut b, u, sum);
    update(&mut b, v, difference);
    check(&b.finish());
}

#[test]
fn a_weight_reads_itself_elsewhere() {
    let mut b = Builder::new("roll");
    let u = b.param("u", [4, 4], Init::Constant(0.0));
    let turned = b.transpose(u);
    let next = b.add(turned, u);
    update(&mut b, u, next);
    let w = b.param("w", [4, 4], Init::Constant(0.0));
    let product = b.contract("ij,jk->ik", w, u);
    update(&mut b, w, product);
    check(&b.finish());
}

#[test]
fn results_keep_old_values_and_shared_new_ones() {
    let mut b = Builder::new("shared");
    let (u, v, w) = (weight(&mut b, "u"), weight(&mut b, "v"), weight(&mut b, "w"));
    let next = b.exp(u);
    b.output("old", u, OutputKind::Value);
    b.output("new", next, OutputKind::Value);
    b.output("again", next, OutputKind::Value);
    update(&mut b, u, next);
    let mean = b.sum(next, &[0, 1]);
    b.output("loss", mean, OutputKind::Loss);
    let tripled = b.add(next, v);
    update(&mut b, v, tripled);
    update(&mut b, w, tripled);
    let program = check(&b.finish());
    let results = program.outputs.iter().map(|(_, id)| &program.buffers[*id].kind);
    assert!(results.into_iter().all(|kind| *kind == BufferKind::Output));
}

#[test]
fn an_embedding_is_updated_behind_its_scatter() {
    let mut b = Builder::new("embedding");
    let table = b.param("table", [9, 4], Init::Constant(0.0));
    let ids = b.batch("ids", TensorType::new(DType::I32, [2, 3]));
    let rows = b.gather(table, ids);
    let square = b.mul(rows, rows);
    let loss = b.sum(square, &[0, 1, 2]);
    b.output("loss", loss, OutputKind::Loss);
    let g = crate::ad::gradient(&mut b, loss, &[table])[0];
    let next = b.sub(table, g);
    update(&mut b, table, next);
    // The rows and their loss, the scatter, the update: nothing is copied.
    let program = check(&b.finish());
    assert_eq!(program.kernels.len(), 3, "{}", loops::print(&program));
}
