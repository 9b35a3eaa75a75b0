//! Products on a device, each lowering at many shapes, against plain sums in `f64`.

use super::{device, harness};
use mlc::base::{DType, Id, Precision};
use mlc::codegen::wgsl::Target;
use mlc::codegen::wgsl::contract::{self, Lowering, Shape};
use mlc::graph::{Fold, ScalarOp};
use mlc::loops::affine::dense_strides;
use mlc::loops::{Access, Body, Contract, Guard, Node, Operand, Store};
use mlc::runtime::gpu::Device;
use mlc_kernels::rng;

/// Sizes of batch, m, n and k, each a group of dims, and whether either operand has k innermost.
struct Case {
    dims: [&'static [usize]; 4],
    along_k: [bool; 2],
}

const CASES: &[Case] = &[
    Case { dims: [&[], &[1], &[1], &[1]], along_k: [true, false] },
    Case { dims: [&[], &[5], &[3], &[0]], along_k: [true, false] },
    Case { dims: [&[], &[32], &[128], &[100]], along_k: [true, false] },
    Case { dims: [&[], &[7], &[2], &[300]], along_k: [false, true] },
    Case { dims: [&[2], &[3, 5], &[5, 3], &[2, 9]], along_k: [true, true] },
    Case { dims: [&[3], &[67], &[129], &[33]], along_k: [false, false] },
    Case { dims: [&[], &[130], &[70], &[16]], along_k: [false, true] },
    Case { dims: [&[2, 2], &[10], &[10], &[1030]], along_k: [true, true] },
];

const LOWERINGS: &[Lowering] = &[
    Lowering::Direct { rows: 1 },
    Lowering::Direct { rows: 4 },
    Lowering::Tiled { rows: 1, columns: 1, block: 16 },
    Lowering::Tiled { rows: 1, columns: 2, block: 16 },
    Lowering::Tiled { rows: 2, columns: 2, block: 8 },
    Lowering::Split { rows: 4, slices: 64, along_m: 2, along_n: 2 },
    Lowering::Split { rows: 1, slices: 256, along_m: 1, along_n: 1 },
    Lowering::Split { rows: 2, slices: 16, along_m: 8, along_n: 2 },
];

fn access(buffer: usize, strides: Vec<i64>) -> Access {
    Access { buffer: Id::new(buffer), offset: 0, strides, guards: Vec::new(), fill: 0.0 }
}

/// A dense operand over (batch, own, k), k innermost or not.
fn operand(buffer: usize, [batch, own, k]: [&[usize]; 3], along_k: bool) -> Operand {
    if along_k {
        return Operand::load(access(buffer, dense_strides(&[batch, own, k].concat())));
    }
    let strides = dense_strides(&[batch, k, own].concat());
    let (b, rest) = strides.split_at(batch.len());
    let (ks, owns) = rest.split_at(k.len());
    Operand::load(access(buffer, [b, owns, ks].concat()))
}

fn product(case: &Case) -> Contract {
    let [batch, m, n, k] = case.dims;
    let mut body = Body::default();
    let value = body.nodes.push(Node::Acc);
    body.stores.push(Store { value, access: access(2, dense_strides(&[batch, m, n].concat())) });
    Contract {
        batch: batch.into(),
        m: m.into(),
        n: n.into(),
        k: k.into(),
        precision: Precision::F32,
        lhs: operand(0, [batch, m, k], case.along_k[0]),
        rhs: operand(1, [batch, n, k], case.along_k[1]),
        body,
    }
}

fn numbers(site: &str, len: usize) -> Vec<f32> {
    (0..len as u64).map(|i| rng::uniform(rng::key(1, site), 0, i) - 0.5).collect()
}

/// The sums in `f64`, and those of the sizes of their terms.
fn reference(case: &Case, shape: Shape, lhs: &[f32], rhs: &[f32]) -> Vec<(f64, f64)> {
    let at = |b: usize, i: usize, k: usize, own: usize, along_k: bool| {
        b * own * shape.k + if along_k { i * shape.k + k } else { k * own + i }
    };
    let mut sums = Vec::new();
    for b in 0..shape.batch {
        for m in 0..shape.m {
            for n in 0..shape.n {
                let terms = (0..shape.k).map(|k| {
                    let x = lhs[at(b, m, k, shape.m, case.along_k[0])];
                    f64::from(x) * f64::from(rhs[at(b, n, k, shape.n, case.along_k[1])])
                });
                sums.push(terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs())));
            }
        }
    }
    sums
}

fn check(device: &Device, case: &Case, lowering: Lowering, turn: bool) {
    let contract = product(case);
    let shape = Shape::of(&contract);
    let lhs = numbers("lhs", shape.batch * shape.m * shape.k);
    let rhs = numbers("rhs", shape.batch * shape.n * shape.k);
    let piece = contract::instance(&contract, &[DType::F32; 3], "piece_", lowering, turn);
    let want = reference(case, shape, &lhs, &rhs);
    let got = harness::run(device, &piece.text, piece.groups as u32, &[&lhs, &rhs], want.len());
    for (i, (got, (sum, size))) in got.iter().zip(&want).enumerate() {
        let most = size * shape.k as f64 * f64::from(f32::EPSILON);
        let off = (f64::from(*got) - sum).abs();
        assert!(off <= most, "{:?}, {} {turn}: sum {i} is {got}, not {sum}", case.dims, piece.how);
    }
}

/// `lhs` from one k before, 0 outside, and halved: a prologue with a guard.
fn with_prologue(mut contract: Contract) -> Contract {
    let operand = &mut contract.lhs;
    let Node::Load(access) = &mut operand.body.nodes[operand.value] else { panic!("a load") };
    let last = access.strides.len() - 1;
    let strides = (0..=last).map(|d| i64::from(d == last)).collect();
    access.offset = -access.strides[last];
    access.guards = vec![Guard { offset: -1, strides, size: contract.k[contract.k.len() - 1] as i64 }];
    let load = operand.value;
    let half = operand.body.nodes.push(Node::Const { value: 0.5, dtype: DType::F32 });
    operand.value = operand.body.nodes.push(Node::Op { op: ScalarOp::Mul, inputs: vec![load, half] });
    contract
}

#[test]
fn operands_may_be_computed() {
    let Some(device) = device("operands_may_be_computed") else { return };
    let [m, n, k] = [9, 6, 70];
    let case = Case { dims: [&[], &[9], &[6], &[70]], along_k: [true, false] };
    let (lhs, rhs) = (numbers("lhs", m * k), numbers("rhs", n * k));
    // What the prologue does, done beforehand.
    let moved: Vec<f32> = (0..m * k).map(|i| if i % k == 0 { 0.0 } else { lhs[i - 1] / 2.0 }).collect();
    for lowering in LOWERINGS {
        let give = |contract: &Contract, lhs: &[f32]| {
            let piece = contract::instance(contract, &[DType::F32; 3], "piece_", *lowering, false);
            harness::run(&device, &piece.text, piece.groups as u32, &[lhs, &rhs], m * n)
        };
        let want = give(&product(&case), &moved);
        assert_eq!(give(&with_prologue(product(&case)), &lhs), want, "{lowering:?}");
    }
}

/// The softmax of each row at its place, and the sum under it behind all.
fn with_softmax(case: &Case) -> Contract {
    let mut contract = product(case);
    let [batch, m, n, _] = case.dims;
    let mut body = Body::default();
    let acc = body.nodes.push(Node::Acc);
    let max = body.nodes.push(Node::Fold { fold: Fold::Max, input: acc });
    let less = body.nodes.push(Node::Op { op: ScalarOp::Sub, inputs: vec![acc, max] });
    let power = body.nodes.push(Node::Op { op: ScalarOp::Exp, inputs: vec![less] });
    let sum = body.nodes.push(Node::Fold { fold: Fold::Sum, input: power });
    let value = body.nodes.push(Node::Op { op: ScalarOp::Div, inputs: vec![power, sum] });
    let whole = [batch, m, n].concat();
    body.stores.push(Store { value, access: access(2, dense_strides(&whole)) });
    let once = [dense_strides(&[batch, m].concat()), vec![0; n.len()]].concat();
    let behind = Access { offset: whole.iter().product::<usize>() as i64, ..access(2, once) };
    body.stores.push(Store { value: sum, access: behind });
    contract.body = body;
    contract
}

/// Row by row, the softmax of the sums and then what stands under it, in `f64`.
fn softmax(sums: &[(f64, f64)], n: usize) -> Vec<Vec<f64>> {
    let row = |sums: &[(f64, f64)]| {
        let most = sums.iter().map(|s| s.0).fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = sums.iter().map(|s| (s.0 - most).exp()).collect();
        let under: f64 = powers.iter().sum();
        powers.iter().map(|p| p / under).chain([under]).collect()
    };
    sums.chunks(n).map(row).collect()
}

#[test]
fn rows_are_finished_as_a_whole() {
    let Some(device) = device("rows_are_finished_as_a_whole") else { return };
    for case in CASES.iter().filter(|c| c.dims[2].iter().product::<usize>() <= 64) {
        let contract = with_softmax(case);
        let shape = Shape::of(&contract);
        let (rows, n) = (shape.batch * shape.m, shape.n);
        let lhs = numbers("lhs", rows * shape.k);
        let rhs = numbers("rhs", shape.batch * n * shape.k);
        let want = softmax(&reference(case, shape, &lhs, &rhs), n);
        for software in [false, true] {
            let target = Target { software, ..Target::WEBGPU };
            let piece = contract::lower(&contract, &[DType::F32; 3], "piece_", &target);
            let got = harness::run(&device, &piece.text, piece.groups as u32, &[&lhs, &rhs], rows * n + rows);
            for (row, want) in want.iter().enumerate() {
                let got = got[row * n..][..n].iter().chain([&got[rows * n + row]]);
                for (got, want) in got.zip(want) {
                    let off = (f64::from(*got) - want).abs();
                    assert!(off <= 1e-4 * want, "{:?}, {}: {got}, not {want}", case.dims, piece.how);
                }
            }
        }
    }
}

#[test]
fn every_lowering_gives_the_sums() {
    let Some(device) = device("every_lowering_gives_the_sums") else { return };
    for (i, case) in CASES.iter().enumerate() {
        let empty = case.dims[3].contains(&0);
        let fitting = LOWERINGS.iter().filter(|l| !empty || matches!(l, Lowering::Direct { .. }));
        for (j, lowering) in fitting.enumerate() {
            // Each lowering meets both ways round.
            check(&device, case, *lowering, (i + j) % 2 == 1);
        }
    }
}
