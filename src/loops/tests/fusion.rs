//! What only a GPU takes: maps computed where they are read, rows inside products.

use super::support::check;
use crate::base::{DType, Dim, TensorType};
use crate::graph::{Builder, Graph, Init, OutputKind, Prim, Value};
use crate::loops::{self, Contract, Fusion, Kernel, KernelKind, Program};

const ZEROS: Init = Init::Constant(0.0);

/// The program for a GPU, after all programs were found to compute what the graph does.
fn gpu(graph: &Graph) -> Program {
    check(graph);
    loops::lower(graph, &Fusion::GPU)
}

fn product(kernel: &Kernel) -> &Contract {
    match &kernel.kind {
        KernelKind::Contract(contract) => contract,
        KernelKind::Rows(_) | KernelKind::Scatter(_) | KernelKind::Scan(_) => {
            panic!("{} is no product", kernel.label)
        }
    }
}

fn update(b: &mut Builder, weight: Value, next: Value) {
    let Prim::Leaf(leaf) = b.graph().nodes[weight].prim else { panic!("a weight is a leaf") };
    b.output(format!("next {}", leaf.index()), next, OutputKind::Update(leaf));
}

fn softmax(b: &mut Builder, z: Value) -> Value {
    let last = b.shape(z).rank() - 1;
    let most = b.max_keep(z, &[last]);
    let z = b.sub(z, most);
    let e = b.exp(z);
    let sum = b.sum_keep(e, &[last]);
    b.div(e, sum)
}

#[test]
fn attention_is_two_products() {
    let mut b = Builder::new("attention");
    let x = b.batch("x", TensorType::f32([2, 5, 12]));
    let split = b.reshape(x, [2, 5, 3, 4]);
    let heads = b.permute(split, &[0, 2, 1, 3]);
    let scores = b.contract("bhqd,bhkd->bhqk", heads, heads);
    let shares = softmax(&mut b, scores);
    let mixed = b.contract("bhqk,bhkd->bhqd", shares, heads);
    let back = b.permute(mixed, &[0, 2, 1, 3]);
    let joined = b.reshape(back, [2, 5, 12]);
    b.output("y", joined, OutputKind::Value);
    let program = gpu(&b.finish());
    assert!(product(&program.kernels[0]).folds(), "{}", loops::print(&program));
    insta::assert_snapshot!("attention_gpu", loops::print(&program));
}

/// Rows join up to the widest `n` that a workgroup takes, and are a kernel of their own past it.
#[test]
fn rows_join_as_far_as_a_backend_takes_them() {
    for (width, kernels) in [(63, 1), (64, 1), (65, 2)] {
        let mut b = Builder::new("wide");
        let x = b.batch("x", TensorType::f32([3, 2]));
        let w = b.param("w", [2, width], ZEROS);
        let z = b.contract("bi,ij->bj", x, w);
        let y = softmax(&mut b, z);
        b.output("y", y, OutputKind::Value);
        let program = gpu(&b.finish());
        assert_eq!(program.kernels.len(), kernels, "{width}");
    }
}

/// A fold over the other side of a product is no row of it.
#[test]
fn columns_do_not_join() {
    let mut b = Builder::new("columns");
    let x = b.batch("x", TensorType::f32([3, 2]));
    let w = b.param("w", [2, 4], ZEROS);
    let z = b.contract("bi,ij->bj", x, w);
    let down = b.sum(z, &[0]);
    b.output("down", down, OutputKind::Value);
    let all = b.sum(z, &[0, 1]);
    b.output("all", all, OutputKind::Value);
    let program = gpu(&b.finish());
    assert_eq!(program.kernels.len(), 3, "{}", loops::print(&program));
}

#[test]
fn padding_is_a_prologue() {
    let mut b = Builder::new("conv");
    let x = b.batch("x", TensorType::f32([2, 5, 5, 3]));
    let w = b.param("w", [3, 3, 3, 4], ZEROS);
    let one: Vec<Dim> = [0, 1, 1, 0].map(Dim::from).to_vec();
    let padded = b.pad(x, one.clone(), one, vec![0; 4], 0.0);
    let rows = b.window(padded, 1, 3, 1, 1);
    let cols = b.window(rows, 3, 3, 1, 1);
    let y = b.contract("byixjc,ijco->byxo", cols, w);
    b.output("y", y, OutputKind::Value);
    let program = gpu(&b.finish());
    insta::assert_snapshot!("conv_gpu", loops::print(&program));
}

#[test]
fn a_table_is_looked_up_in_a_prologue() {
    let mut b = Builder::new("lookup");
    let table = b.param("table", [9, 4], ZEROS);
    let ids = b.batch("ids", TensorType::new(DType::I32, [6]));
    let w = b.param("w", [4, 3], ZEROS);
    let rows = b.gather(table, ids);
    let y = b.contract("bi,ij->bj", rows, w);
    b.output("y", y, OutputKind::Value);
    let program = gpu(&b.finish());
    assert_eq!(program.kernels.len(), 1, "{}", loops::print(&program));
}

/// A product that computes from a weight reads it before it is overwritten, or not at all.
#[test]
fn prologues_read_weights_before_their_update() {
    let mut b = Builder::new("squares");
    let x = b.batch("x", TensorType::f32([3, 4]));
    let w = b.param("w", [4, 4], ZEROS);
    let square = b.mul(w, w);
    let y = b.contract("bi,ij->bj", x, square);
    b.output("y", y, OutputKind::Value);
    // The new weight is a product of the old one's square: it cannot be written over what it reads.
    let next = b.contract("ij,jk->ik", square, square);
    update(&mut b, w, next);
    let v = b.param("v", [3, 4], ZEROS);
    let doubled = b.add(v, v);
    let z = b.contract("bi,ij->bj", doubled, w);
    let sum = b.sub(v, z);
    update(&mut b, v, sum);
    gpu(&b.finish());
}

/// The update of `u` waits for a product that comes after the update: the map stays stored.
#[test]
fn a_map_stays_where_its_reader_would_come_too_late() {
    let mut b = Builder::new("late");
    let u = b.param("u", [4, 4], ZEROS);
    let w = b.param("w", [4, 4], ZEROS);
    let scaled = b.neg(u);
    let next = b.exp(u);
    update(&mut b, u, next);
    let after = b.contract("ij,jk->ik", next, w);
    let both = b.contract("ij,jk->ik", scaled, after);
    b.output("both", both, OutputKind::Value);
    let program = gpu(&b.finish());
    assert!(
        program.kernels.iter().all(|k| match &k.kind {
            KernelKind::Contract(c) => c.operands().iter().all(|operand| operand.plain().is_some()),
            KernelKind::Rows(_) | KernelKind::Scatter(_) | KernelKind::Scan(_) => true,
        }),
        "{}",
        loops::print(&program)
    );
}

/// What is dear and read often is stored once.
#[test]
fn dear_maps_are_stored_where_they_are_read_often() {
    for (columns, stored) in [(8, false), (512, true)] {
        let mut b = Builder::new("dear");
        let x = b.batch("x", TensorType::f32([64, 16]));
        let w = b.param("w", [16, columns], ZEROS);
        let e = b.tanh(x);
        let y = b.contract("bi,ij->bj", e, w);
        b.output("y", y, OutputKind::Value);
        let program = loops::lower(&b.finish(), &Fusion::GPU);
        assert_eq!(program.kernels.len(), 1 + usize::from(stored), "{}", loops::print(&program));
    }
}

/// A backend without them gets none of these forms.
#[test]
fn the_cpu_gets_plain_operands_and_no_row_phases() {
    let mut b = Builder::new("plain");
    let x = b.batch("x", TensorType::new(DType::U8, [6, 4]));
    let w = b.param("w", [4, 3], ZEROS);
    let x = b.to_f32(x);
    let z = b.contract("bi,ij->bj", x, w);
    let y = softmax(&mut b, z);
    b.output("y", y, OutputKind::Value);
    let graph = b.finish();
    let forms = |fusion| {
        let program = loops::lower(&graph, &fusion);
        let found = program.kernels.iter().find(|k| matches!(k.kind, KernelKind::Contract(_)));
        let contract = product(found.expect("a product"));
        (contract.lhs.plain().is_none(), contract.folds())
    };
    assert_eq!(forms(Fusion::CPU), (false, false));
    assert_eq!(forms(Fusion::GPU), (true, true));
}
