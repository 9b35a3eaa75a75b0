//! Movement becomes access maps.

use super::support::check;
use crate::base::{DType, Dim, TensorType};
use crate::graph::{Builder, Init, OutputKind};
use crate::loops;

fn dims(sizes: &[i64]) -> Vec<Dim> {
    sizes.iter().map(|&n| Dim::from(n)).collect()
}

#[test]
fn every_movement_composes() {
    let mut b = Builder::new("movement");
    let x = b.batch("x", TensorType::f32([4, 6, 5]));
    let flat = b.reshape(x, [24, 5]);
    let turned = b.permute(flat, &[1, 0]);
    let doubled = b.add(turned, turned);
    // Splits an axis of a permuted view.
    let split = b.reshape(doubled, [5, 4, 6]);
    b.output("split", split, OutputKind::Value);
    // Merges across a permutation: not affine without storing.
    let merged = b.reshape(doubled, [120]);
    b.output("merged", merged, OutputKind::Value);
    let cut = b.slice(turned, dims(&[4, 1]), vec![-2, 3], [2, 7]);
    b.output("cut", cut, OutputKind::Value);
    let odd = b.reshape(cut, [7, 2]);
    let e = b.exp(odd);
    b.output("odd", e, OutputKind::Value);
    check(&b.finish());
}

#[test]
fn pads_guard_loads_and_formulas() {
    let mut b = Builder::new("pads");
    let x = b.batch("x", TensorType::f32([3, 4]));
    for (i, (lo, hi, inner)) in
        [([1, 2], [0, 1], [0, 0]), ([0, 1], [2, 0], [1, 2]), ([3, 0], [1, 2], [2, 1])].into_iter().enumerate()
    {
        let plain = b.pad(x, dims(&lo), dims(&hi), inner.to_vec(), 2.0);
        b.output(format!("plain{i}"), plain, OutputKind::Value);
        let e = b.exp(x);
        let formula = b.pad(e, dims(&lo), dims(&hi), inner.to_vec(), -3.0);
        b.output(format!("formula{i}"), formula, OutputKind::Value);
        let twice = b.pad(formula, dims(&[1, 0]), dims(&[0, 1]), vec![0, 0], 5.0);
        let both = b.add(twice, twice);
        b.output(format!("twice{i}"), both, OutputKind::Value);
        let slid = b.window(plain, 1, 2, 1, 1);
        let most = b.max_of(slid, &[2]);
        b.output(format!("slid{i}"), most, OutputKind::Value);
    }
    check(&b.finish());
}

#[test]
fn convolution_is_a_product_over_windows() {
    let mut b = Builder::new("conv");
    let x = b.batch("x", TensorType::f32([2, 5, 5, 3]));
    let w = b.param("w", [3, 3, 3, 4], Init::Constant(0.0));
    let one = dims(&[0, 1, 1, 0]);
    let padded = b.pad(x, one.clone(), one, vec![0; 4], 0.0);
    let rows = b.window(padded, 1, 3, 1, 1);
    let cols = b.window(rows, 3, 3, 1, 1);
    let y = b.contract("byixjc,ijco->byxo", cols, w);
    b.output("y", y, OutputKind::Value);
    let program = check(&b.finish());
    assert_eq!(program.kernels.len(), 2, "a padded copy, and the product");
}

#[test]
fn heads_are_views() {
    let mut b = Builder::new("heads");
    let x = b.batch("x", TensorType::f32([2, 5, 12]));
    let w = b.param("w", [12, 7], Init::Constant(0.0));
    let split = b.reshape(x, [2, 5, 3, 4]);
    let q = b.permute(split, &[0, 2, 1, 3]);
    let scores = b.contract("bhqd,bhkd->bhqk", q, q);
    b.output("scores", scores, OutputKind::Value);
    let mixed = b.contract("bhqk,bhkd->bhqd", scores, q);
    let back = b.permute(mixed, &[0, 2, 1, 3]);
    let joined = b.reshape(back, [2, 5, 12]);
    let y = b.contract("bti,ij->btj", joined, w);
    b.output("y", y, OutputKind::Value);
    let program = check(&b.finish());
    assert_eq!(program.kernels.len(), 3, "{program:#?}");
}

#[test]
fn gathers_and_scatters() {
    let mut b = Builder::new("rows");
    let table = b.param("table", [9, 4], Init::Constant(0.0));
    let ids = b.batch("ids", TensorType::new(DType::I32, [2, 3]));
    let rows = b.gather(table, ids);
    b.output("rows", rows, OutputKind::Value);
    let columns = b.transpose(table);
    let other = b.gather(columns, ids);
    let e = b.exp(other);
    b.output("other", e, OutputKind::Value);
    let back = b.scatter([9, 4], ids, rows);
    b.output("back", back, OutputKind::Value);
    let noise = b.random("noise", [3, 8]);
    let turned = b.transpose(noise);
    b.output("noise", turned, OutputKind::Value);
    let place = b.iota([2, 3], 1);
    let far = b.add(ids, place);
    b.output("far", far, OutputKind::Value);
    check(&b.finish());
}

#[test]
fn empty_and_single_sizes() {
    let mut b = Builder::new("sizes");
    let x = b.batch("x", TensorType::f32([1, 3, 1]));
    let none = b.slice(x, dims(&[0, 0, 0]), vec![1; 3], [1, 0, 1]);
    let sum = b.sum(none, &[1]);
    b.output("sum", sum, OutputKind::Value);
    let most = b.max_of(none, &[0, 1, 2]);
    b.output("most", most, OutputKind::Value);
    let all = b.sum(x, &[0, 1, 2]);
    let y = b.div(x, all);
    b.output("y", y, OutputKind::Value);
    let product = b.contract("aib,aic->bc", none, none);
    b.output("product", product, OutputKind::Value);
    // What is made of a fold of nothing is still made.
    let shift = b.batch("shift", TensorType::f32([1, 1]));
    let shifted = b.add(sum, shift);
    let e = b.exp(shifted);
    b.output("made of nothing", e, OutputKind::Value);
    let w = b.param("w", [3, 0], Init::Constant(0.0));
    let line = b.reshape(x, [1, 3]);
    let no_columns = b.contract("ij,jk->ik", line, w);
    let none_left = b.sum(no_columns, &[1]);
    let one = b.exp(none_left);
    b.output("no columns", one, OutputKind::Value);
    check(&b.finish());
}

#[test]
fn windows_and_columns_print() {
    let mut b = Builder::new("pooling");
    let x = b.batch("x", TensorType::f32([2, 7, 3]));
    let padded = b.pad(x, dims(&[0, 1, 0]), dims(&[0, 1, 0]), vec![0; 3], f64::NEG_INFINITY);
    let slid = b.window(padded, 1, 3, 2, 1);
    let most = b.max_of(slid, &[2]);
    b.output("most", most, OutputKind::Value);
    let columns = b.sum(x, &[0, 1]);
    let e = b.exp(columns);
    b.output("columns", e, OutputKind::Value);
    insta::assert_snapshot!("pooling", loops::print(&check(&b.finish())));
}
