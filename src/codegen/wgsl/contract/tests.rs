//! Every skeleton at many shapes is valid, and the choice among them is as documented.

use super::*;
use crate::base::{Id, Precision};
use crate::codegen::wgsl::{self, skeleton};
use crate::graph::{Fold, ScalarOp};
use crate::loops::{Access, Body, Node, Store};

fn access(buffer: usize, strides: Vec<i64>) -> Access {
    Access { buffer: Id::new(buffer), offset: 0, strides, guards: Vec::new(), fill: 0.0 }
}

fn dense(shape: &[&[usize]]) -> Vec<i64> {
    crate::loops::affine::dense_strides(&shape.concat())
}

/// `max(lhs[b, m, k] rhs[b, k, n], 0)`; `rhs` has `k` outside of `n`.
fn product(batch: &[usize], m: &[usize], n: &[usize], k: &[usize]) -> Contract {
    let inner = dense(&[batch, k, n]);
    let (b, rest) = inner.split_at(batch.len());
    let rhs = [b, &rest[k.len()..], &rest[..k.len()]].concat();
    let mut body = Body::default();
    let acc = body.nodes.push(Node::Acc);
    let zero = body.nodes.push(Node::Const { value: 0.0, dtype: DType::F32 });
    let value = body.nodes.push(Node::Op { op: ScalarOp::Max, inputs: vec![acc, zero] });
    body.stores.push(Store { value, access: access(2, dense(&[batch, m, n])) });
    Contract {
        batch: batch.into(),
        m: m.into(),
        n: n.into(),
        k: k.into(),
        precision: Precision::F32,
        lhs: Operand::load(access(0, dense(&[batch, m, k]))),
        rhs: Operand::load(access(1, rhs)),
        body,
    }
}

/// The softmax of each row, and the sum under it.
fn with_softmax(mut contract: Contract) -> Contract {
    let own = [contract.batch.clone(), contract.m.clone()].concat();
    let mut body = Body::default();
    let acc = body.nodes.push(Node::Acc);
    let max = body.nodes.push(Node::Fold { fold: Fold::Max, input: acc });
    let less = body.nodes.push(Node::Op { op: ScalarOp::Sub, inputs: vec![acc, max] });
    let power = body.nodes.push(Node::Op { op: ScalarOp::Exp, inputs: vec![less] });
    let sum = body.nodes.push(Node::Fold { fold: Fold::Sum, input: power });
    let value = body.nodes.push(Node::Op { op: ScalarOp::Div, inputs: vec![power, sum] });
    let whole = dense(&[&own, &contract.n]);
    let once = [dense(&[&own]), vec![0; contract.n.len()]].concat();
    body.stores.push(Store { value, access: access(2, whole) });
    body.stores.push(Store { value: sum, access: access(3, once) });
    contract.body = body;
    contract
}

fn validate(piece: &Piece) {
    let mut accessors = String::new();
    for slot in 0..2 {
        accessors += &format!("fn k7_get{slot}(i: i32) -> f32 {{\n    return f32(i);\n}}\n\n");
    }
    for slot in 2..4 {
        accessors += &format!("fn k7_set{slot}(i: i32, value: f32) {{\n}}\n\n");
    }
    let entry = "@compute @workgroup_size(256)\nfn main(\n    @builtin(workgroup_id) at: vec3<u32>,\n    \
                 @builtin(local_invocation_index) local: u32,\n) {\n    k7_main(at.x, local);\n}\n";
    let text = format!("{accessors}{}{}\n{entry}", skeleton::needed(&piece.text), piece.text);
    if let Err(why) = wgsl::validate(&text) {
        panic!("{why}");
    }
    let module = naga::front::wgsl::parse_str(&text).expect("it is valid");
    let shared: u32 = module
        .global_variables
        .iter()
        .filter(|(_, v)| v.space == naga::AddressSpace::WorkGroup)
        .map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx()))
        .sum();
    assert_eq!(shared, piece.shared_bytes, "{}", piece.how);
}

const DTYPES: [DType; 4] = [DType::F32; 4];

/// Batch, m, n and k, each a list of dims.
type Dims = [&'static [usize]; 4];

const SHAPES: &[Dims] = &[
    [&[], &[1], &[1], &[1]],
    [&[], &[], &[], &[]],
    [&[], &[5], &[3], &[0]],
    [&[], &[32], &[128], &[784]],
    [&[], &[129], &[65], &[17]],
    [&[3], &[2, 7], &[5, 3], &[2, 9]],
    [&[], &[100], &[1], &[333]],
    [&[], &[1], &[10], &[70]],
];

/// One of each skeleton, and those with the largest tiles.
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

#[test]
fn every_lowering_of_every_shape_is_valid() {
    for [batch, m, n, k] in SHAPES {
        let contract = product(batch, m, n, k);
        let one_by_one = LOWERINGS.iter().filter(|l| !k.contains(&0) || matches!(l, Lowering::Direct { .. }));
        for lowering in one_by_one {
            for turn in [false, true] {
                validate(&instance(&contract, &DTYPES, "k7_", *lowering, turn));
            }
        }
        for software in [false, true] {
            validate(&lower(&contract, &DTYPES, "k7_", &Target { software, ..Target::WEBGPU }));
        }
    }
}

#[test]
fn rows_are_finished_as_a_whole_at_every_shape() {
    let mut text = String::new();
    let more: &[Dims] =
        &[[&[], &[3], &[0], &[5]], [&[], &[32], &[10], &[128]], [&[], &[60000], &[64], &[128]]];
    for [batch, m, n, k] in SHAPES.iter().chain(more).filter(|d| d[2].iter().product::<usize>() <= 64) {
        let contract = with_softmax(product(batch, m, n, k));
        for (name, software) in [("gpu", false), ("cpu", true)] {
            let piece = lower(&contract, &DTYPES, "k7_", &Target { software, ..Target::WEBGPU });
            validate(&piece);
            text += &format!("{name} {:?} {}\n", [batch, m, n, k], piece.how);
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_product_without_points_has_no_workgroups() {
    let piece = lower(&product(&[0], &[2], &[3], &[4]), &DTYPES, "k7_", &Target::WEBGPU);
    assert_eq!((piece.groups, piece.how.as_str()), (0, "nothing to do"));
    validate(&piece);
}

#[test]
fn shapes_and_devices_decide_how_a_product_runs() {
    let shapes: &[Dims] = &[
        [&[], &[32], &[128], &[784]],
        [&[], &[32], &[10], &[128]],
        [&[], &[32], &[128], &[10]],
        [&[], &[784], &[128], &[32]],
        [&[], &[128], &[10], &[32]],
        [&[], &[1], &[1], &[1000000]],
        [&[], &[4096], &[4096], &[4096]],
        [&[], &[1024], &[1024], &[1024]],
        [&[96], &[128], &[128], &[64]],
        [&[], &[60000], &[10], &[128]],
        [&[], &[60000], &[1], &[128]],
        [&[], &[7], &[5], &[0]],
    ];
    let mut text = String::new();
    for [batch, m, n, k] in shapes {
        let contract = product(batch, m, n, k);
        let batch: String = batch.iter().map(|b| format!("{b} x ")).collect();
        text += &format!("{batch}m {} n {} k {}\n", m[0], n[0], k[0]);
        for (name, software) in [("gpu", false), ("cpu", true)] {
            let piece = lower(&contract, &DTYPES, "k7_", &Target { software, ..Target::WEBGPU });
            text += &format!("  {name}: {}\n", piece.how);
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_direct_product_reads_well() {
    let contract = product(&[], &[5], &[6], &[7]);
    let piece = instance(&contract, &DTYPES, "k7_", Lowering::Direct { rows: 2 }, false);
    insta::assert_snapshot!(piece.text);
}

#[test]
fn a_split_product_reads_well() {
    let contract = product(&[3], &[2, 5], &[8], &[100]);
    let lowering = Lowering::Split { rows: 2, slices: 16, along_m: 8, along_n: 2 };
    insta::assert_snapshot!(instance(&contract, &DTYPES, "k7_", lowering, true).text);
}
