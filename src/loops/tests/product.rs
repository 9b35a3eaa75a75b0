//! Products by hand: a prologue with guards on an operand, row phases in the body.

use crate::base::{DType, Precision};
use crate::graph::{Fold, ScalarOp};
use crate::loops::{
    self, Access, Body, Buffer, BufferId, BufferKind, Contract, Guard, Kernel, KernelKind, Node, NodeId,
    Operand, Program, Store,
};
use std::sync::Arc;

const ROWS: usize = 3;
const COLUMNS: usize = 4;
const DEPTH: usize = 5;

struct Made {
    program: Program,
    image: BufferId,
    weight: BufferId,
    share: BufferId,
    total: BufferId,
}

fn access(buffer: BufferId, strides: &[i64]) -> Access {
    Access { buffer, offset: 0, strides: strides.to_vec(), guards: Vec::new(), fill: 0.0 }
}

fn op(body: &mut Body, op: ScalarOp, inputs: &[NodeId]) -> NodeId {
    body.nodes.push(Node::Op { op, inputs: inputs.to_vec() })
}

/// `f32(image shifted by one row, 7 above it) / 4`, over (m, k).
fn prologue(image: BufferId) -> Operand {
    let mut body = Body::default();
    let guard = Guard { offset: -1, strides: vec![1, 0], size: ROWS as i64 };
    let depth = DEPTH as i64;
    let shifted = Access { offset: -depth, guards: vec![guard], fill: 7.0, ..access(image, &[depth, 1]) };
    let byte = body.nodes.push(Node::Load(shifted));
    let number = op(&mut body, ScalarOp::ToF32, &[byte]);
    let scale = body.nodes.push(Node::Const { value: 4.0, dtype: DType::F32 });
    let value = op(&mut body, ScalarOp::Div, &[number, scale]);
    Operand { body, value }
}

/// `share[m, n] = acc / sum of acc over n`, and the sum once for each row.
fn phases(share: BufferId, total: BufferId) -> Body {
    let mut body = Body::default();
    let acc = body.nodes.push(Node::Acc);
    let sum = body.nodes.push(Node::Fold { fold: Fold::Sum, input: acc });
    let part = op(&mut body, ScalarOp::Div, &[acc, sum]);
    body.stores.push(Store { value: part, access: access(share, &[COLUMNS as i64, 1]) });
    body.stores.push(Store { value: sum, access: access(total, &[1, 0]) });
    body
}

fn made() -> Made {
    let mut program = Program { name: "product".into(), ..Program::default() };
    let mut buffer = |name: &str, dtype, shape: &[usize], kind| {
        program.buffers.push(Buffer { name: Arc::from(name), dtype, shape: shape.to_vec(), kind })
    };
    let image = buffer("image", DType::U8, &[ROWS, DEPTH], BufferKind::Batch);
    let weight = buffer("weight", DType::F32, &[DEPTH, COLUMNS], BufferKind::Batch);
    let share = buffer("share", DType::F32, &[ROWS, COLUMNS], BufferKind::Output);
    let total = buffer("total", DType::F32, &[ROWS], BufferKind::Output);
    let kind = KernelKind::Contract(Contract {
        batch: vec![],
        m: vec![ROWS],
        n: vec![COLUMNS],
        k: vec![DEPTH],
        precision: Precision::F32,
        lhs: prologue(image),
        rhs: Operand::load(access(weight, &[1, COLUMNS as i64])),
        body: phases(share, total),
    });
    program.kernels.push(Kernel { label: "share total".into(), ..Kernel::of(kind) });
    program.outputs = vec![(Arc::from("share"), share), (Arc::from("total"), total)];
    Made { program, image, weight, share, total }
}

fn product(program: &mut Program) -> &mut Contract {
    match &mut program.kernels[0].kind {
        KernelKind::Contract(contract) => contract,
        KernelKind::Rows(_) | KernelKind::Scatter(_) | KernelKind::Scan(_) => {
            unreachable!("made as a product")
        }
    }
}

#[test]
fn prologue_and_row_phases_compute_what_they_say() {
    let Made { program, image, weight, share, total } = made();
    loops::verify(&program).expect("sound");
    let mut memory = loops::interp::memory(&program);
    memory[image.index()] = (0..ROWS * DEPTH).map(|i| (i * 3 % 11) as f64).collect();
    memory[weight.index()] = (0..DEPTH * COLUMNS).map(|i| 1.0 + (i * 5 % 7) as f64).collect();
    let (pixels, weights) = (memory[image.index()].clone(), memory[weight.index()].clone());
    loops::interp::run(&program, &mut memory, 1, 1);
    for m in 0..ROWS {
        let operand = |k: usize| if m == 0 { 7.0 / 4.0 } else { pixels[(m - 1) * DEPTH + k] / 4.0 };
        let product = |n: usize| (0..DEPTH).map(|k| operand(k) * weights[k * COLUMNS + n]).sum::<f64>();
        let sum: f64 = (0..COLUMNS).map(product).sum();
        assert!((memory[total.index()][m] - sum).abs() < 1e-9);
        for n in 0..COLUMNS {
            assert!((memory[share.index()][m * COLUMNS + n] - product(n) / sum).abs() < 1e-12);
        }
    }
}

#[test]
fn merging_and_splitting_dims_keeps_prologues() {
    let Made { program, image, weight, share, .. } = made();
    let run = |program: &Program| {
        let mut memory = loops::interp::memory(program);
        memory[image.index()] = (0..ROWS * DEPTH).map(|i| i as f64).collect();
        memory[weight.index()] = (0..DEPTH * COLUMNS).map(|i| 1.0 + i as f64).collect();
        loops::interp::run(program, &mut memory, 1, 1);
        memory[share.index()].clone()
    };
    let mut split = program.clone();
    // The dims are m, n, k.
    loops::dims::split(&mut split.kernels[0].kind, 1, 2);
    loops::verify(&split).expect("sound");
    assert_eq!(run(&split), run(&program));
    loops::dims::merge(&mut split.kernels[0].kind);
    assert_eq!(split.kernels, program.kernels);
}

#[test]
fn products_print_as_people_would_write_them() {
    insta::assert_snapshot!("product", loops::print(&made().program));
}

#[test]
fn only_a_bare_load_is_plain() {
    let mut program = made().program;
    let contract = product(&mut program);
    assert!(contract.lhs.plain().is_none(), "a formula");
    assert!(contract.rhs.plain().is_some());
    let guard = Guard { offset: 0, strides: vec![0, 1], size: 2 };
    let load = contract.rhs.body.nodes.iter_mut().find_map(Node::access_mut).expect("a load");
    load.guards.push(guard);
    assert!(contract.rhs.plain().is_none(), "a load with guards");
}

#[test]
fn what_varies_over_n_is_not_stored_once_for_a_row() {
    let mut program = made().program;
    let body = &mut product(&mut program).body;
    body.stores[1].value = body.stores[0].value;
    let why = loops::verify(&program).expect_err("total gets a share");
    assert!(why.contains("total is stored over too few dims"), "{why}");
}

#[test]
fn what_an_operand_reads_is_not_stored() {
    let mut made = made();
    let weight = made.weight;
    made.program.buffers[weight].kind = BufferKind::Param(crate::graph::Init::Constant(0.0));
    made.program.buffers[weight].shape = vec![ROWS, COLUMNS];
    let contract = product(&mut made.program);
    contract.k = vec![ROWS];
    contract.body.stores[0].access.buffer = weight;
    made.program.outputs.remove(0);
    let why = loops::verify(&made.program).expect_err("the weight is read by other points");
    assert!(why.contains("weight is overwritten before it is read"), "{why}");
}
