//! Kernels of real graphs as WGSL: read by people here, taken by naga for every shape and kind of device.

use super::*;
use crate::ad;
use crate::base::{DType, Dim, Precision, TensorType};
use crate::codegen::bind::{Binding, bind};
use crate::codegen::wgsl::{scatter, skeleton, validate};
use crate::graph::{Builder, Graph, Init, OutputKind, Prim, Value};
use crate::loops::{self, Kernel, KernelKind, Program};

const ZEROS: Init = Init::Constant(0.0);
const PROCESSOR: Target = Target { software: true, ..Target::WEBGPU };

// ---- from graphs to checked texts

/// The piece of a kernel of rows or a scatter.
fn piece(program: &Program, kernel: &Kernel, target: &Target) -> Option<(Piece, Binding)> {
    let (kind, binding) = bind(program, &kernel.kind);
    let piece = match &kind {
        KernelKind::Rows(rows) => lower(rows, &binding.dtypes, "k_", target),
        KernelKind::Scatter(s) => scatter::lower(s, "k_", target),
        KernelKind::Contract(_) | KernelKind::Scan(_) => return None,
    };
    Some((piece, binding))
}

/// What a module puts around a piece: here one storage buffer for each slot.
fn module(piece: &Piece, binding: &Binding) -> String {
    let mut around = String::new();
    for (s, dtype) in binding.dtypes.iter().enumerate() {
        let ty = Type::of(*dtype).name();
        around += &format!("@group(0) @binding({s}) var<storage, read_write> b{s}: array<{ty}>;\n");
        around += &format!("fn k_get{s}(i: i32) -> {ty} {{\n    return b{s}[i];\n}}\n");
        around += &format!("fn k_set{s}(i: i32, value: {ty}) {{\n    b{s}[i] = value;\n}}\n");
    }
    for r in 0..binding.sites.len() {
        around += &format!("fn k_random{r}(element: u32) -> f32 {{\n    ");
        around += "return mlc_uniform(vec2<u32>(1u, 2u), vec2<u32>(3u, 0u), element);\n}\n";
    }
    let entry = "@compute @workgroup_size(256)\nfn main(\n    @builtin(workgroup_id) at: vec3<u32>,\n    \
                 @builtin(local_invocation_index) local: u32,\n) {\n    k_main(at.x, local);\n}\n";
    let library = skeleton::needed(&format!("{around}{}", piece.text));
    format!("{around}\n{library}\n{}\n{entry}", piece.text)
}

/// The kernels of a program as a device takes them.
fn taken(program: &Program, target: &Target) -> String {
    let mut shown = String::new();
    for kernel in &program.kernels {
        let Some((piece, binding)) = piece(program, kernel, target) else { continue };
        let text = module(&piece, &binding);
        validate(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
        shown += &format!("// {} workgroups, {}\n{}\n", piece.groups, piece.how, piece.text);
    }
    shown
}

/// The kernels of a graph on a large device, after every kind of device has taken them, joined or not.
fn kernels(graph: &Graph) -> String {
    crate::graph::verify(graph).expect("tests build sound graphs");
    let (alone, fused) = (loops::lower_unfused(graph), loops::lower(graph, &loops::Fusion::GPU));
    taken(&alone, &Target::WEBGPU);
    taken(&alone, &PROCESSOR);
    taken(&fused, &PROCESSOR);
    taken(&fused, &Target::WEBGPU)
}

// ---- graphs

fn value(b: &mut Builder, name: &str, v: Value) {
    b.output(name, v, OutputKind::Value);
}

fn update(b: &mut Builder, weight: Value, next: Value) {
    let Prim::Leaf(leaf) = b.graph().nodes[weight].prim else { panic!("a weight is a leaf") };
    b.output(format!("next {}", leaf.index()), next, OutputKind::Update(leaf));
}

fn finish(b: Builder) -> Graph {
    let mut graph = b.finish();
    crate::opt::run(&mut graph);
    graph
}

fn softmax_cross_entropy(rows: usize, classes: usize) -> Graph {
    let mut b = Builder::new("loss");
    let z = b.param("z", [rows, classes], ZEROS);
    let label = b.batch("label", TensorType::new(DType::I32, [rows]));
    let most = b.max_keep(z, &[1]);
    let most = b.stop(most);
    let shifted = b.sub(z, most);
    let e = b.exp(shifted);
    let sum = b.sum(e, &[1]);
    let log = b.log(sum);
    let hot = b.one_hot(label, &Dim::from(classes));
    let own = b.mul(shifted, hot);
    let own = b.sum(own, &[1]);
    let each = b.sub(log, own);
    value(&mut b, "each", each);
    let loss = b.mean(each, &[0]);
    b.output("loss", loss, OutputKind::Loss);
    let dz = ad::gradient(&mut b, loss, &[z])[0];
    value(&mut b, "dz", dz);
    finish(b)
}

fn layer_norm(rows: usize, width: usize) -> Graph {
    let mut b = Builder::new("norm");
    let x = b.param("x", [rows, width], ZEROS);
    let gain = b.param("gain", [width], ZEROS);
    let mean = b.mean_keep(x, &[1]);
    let centred = b.sub(x, mean);
    let square = b.mul(centred, centred);
    let variance = b.mean_keep(square, &[1]);
    let eps = b.constant(1e-5);
    let variance = b.add(variance, eps);
    let scale = b.rsqrt(variance);
    let normed = b.mul(centred, scale);
    let y = b.mul(normed, gain);
    value(&mut b, "y", y);
    let square = b.mul(y, y);
    let loss = b.sum(square, &[0, 1]);
    for (name, g) in ["dx", "dgain"].into_iter().zip(ad::gradient(&mut b, loss, &[x, gain])) {
        value(&mut b, name, g);
    }
    finish(b)
}

fn adam(size: usize) -> Graph {
    let mut b = Builder::new("adam");
    let (lr, step) = (b.scalar_leaf("lr", DType::F32), b.scalar_leaf("step", DType::F32));
    let w = b.param("w", [size], ZEROS);
    let g = b.batch("g", TensorType::f32([size]));
    let (one, eps) = (b.constant(1.0), b.constant(1e-7));
    let moment = |b: &mut Builder, name: &str, beta: f64, x: Value| {
        let old = b.state(name, [size], ZEROS);
        let (beta, rest) = (b.constant(beta), b.constant(1.0 - beta));
        let (kept, new) = (b.mul(beta, old), b.mul(rest, x));
        let next = b.add(kept, new);
        update(b, old, next);
        let faded = b.pow(beta, step);
        let filled = b.sub(one, faded);
        b.div(next, filled)
    };
    let m = moment(&mut b, "m", 0.9, g);
    let square = b.mul(g, g);
    let v = moment(&mut b, "v", 0.999, square);
    let root = b.sqrt(v);
    let scale = b.add(root, eps);
    let step = b.mul(lr, m);
    let step = b.div(step, scale);
    let next = b.sub(w, step);
    update(&mut b, w, next);
    finish(b)
}

fn dropout(rows: usize, width: usize) -> Graph {
    let mut b = Builder::new("dropout");
    let x = b.batch("x", TensorType::f32([rows, width]));
    let draw = b.random("drop", [rows, width]);
    let (rate, scale, zero) = (b.constant(0.2), b.constant(1.25), b.constant(0.0));
    let kept = b.ge(draw, rate);
    let scaled = b.mul(x, scale);
    let y = b.select(kept, scaled, zero);
    value(&mut b, "y", y);
    finish(b)
}

fn dims(sizes: &[i64]) -> Vec<Dim> {
    sizes.iter().map(|&n| Dim::from(n)).collect()
}

fn pooling() -> Graph {
    let mut b = Builder::new("pooling");
    let x = b.batch("x", TensorType::f32([2, 7, 3]));
    let padded = b.pad(x, dims(&[0, 1, 0]), dims(&[0, 1, 0]), vec![0; 3], f64::NEG_INFINITY);
    let slid = b.window(padded, 1, 3, 2, 1);
    let most = b.max_of(slid, &[2]);
    value(&mut b, "most", most);
    finish(b)
}

fn gathers() -> Graph {
    let mut b = Builder::new("gathers");
    let table = b.param("table", [9, 4], ZEROS);
    let ids = b.batch("ids", TensorType::new(DType::I32, [2, 3]));
    let rows = b.gather(table, ids);
    value(&mut b, "rows", rows);
    let back = b.scatter([9, 4], ids, rows);
    value(&mut b, "back", back);
    finish(b)
}

/// Sums over columns, rows and everything, of this many rows and columns.
fn sums(rows: usize, columns: usize) -> Graph {
    let mut b = Builder::new("sums");
    let x = b.batch("x", TensorType::f32([rows, columns]));
    for (name, axes) in [("columns", &[0][..]), ("rows", &[1]), ("all", &[0, 1])] {
        let sum = b.sum(x, axes);
        value(&mut b, name, sum);
    }
    finish(b)
}

/// A row of a weight over the weight's place, and a bias that is stored once for the row.
fn in_place(rows: usize, width: usize) -> Graph {
    let mut b = Builder::new("in_place");
    let w = b.param("w", [rows, width], ZEROS);
    let scale = b.param("scale", [rows], ZEROS);
    let sum = b.sum(w, &[1]);
    let next_scale = b.add(scale, sum);
    let kept = b.sum_keep(w, &[1]);
    let next = b.div(w, kept);
    update(&mut b, w, next);
    update(&mut b, scale, next_scale);
    finish(b)
}

// ---- what they become

#[test]
fn a_short_row_belongs_to_an_invocation() {
    insta::assert_snapshot!("softmax", kernels(&softmax_cross_entropy(32, 10)));
}

#[test]
fn a_long_row_is_shared_by_lanes() {
    insta::assert_snapshot!("layer_norm", kernels(&layer_norm(6, 512)));
}

#[test]
fn an_update_is_one_map() {
    insta::assert_snapshot!("adam", kernels(&adam(300)));
}

#[test]
fn a_mask_is_drawn_where_it_is_used() {
    insta::assert_snapshot!("dropout", kernels(&dropout(3, 50)));
}

#[test]
fn a_guarded_load_touches_nothing_outside() {
    insta::assert_snapshot!("pooling", kernels(&pooling()));
}

#[test]
fn indices_are_clamped() {
    insta::assert_snapshot!("gathers", kernels(&gathers()));
}

#[test]
fn sums_walk_what_lies_side_by_side() {
    insta::assert_snapshot!("sums", kernels(&sums(100, 40)));
}

#[test]
fn what_others_still_read_is_overwritten_behind_a_barrier() {
    let text = kernels(&in_place(33, 300));
    insta::assert_snapshot!("in_place", text);
}

#[test]
fn every_shape_is_valid() {
    for (rows, width) in [(1, 1), (1, 5), (5, 1), (300, 3), (3, 300), (257, 64), (70_000, 40), (1, 1_000_000)]
    {
        kernels(&softmax_cross_entropy(rows, width));
        kernels(&layer_norm(rows, width));
        kernels(&sums(rows, width));
        kernels(&in_place(rows, width));
    }
    kernels(&adam((1 << 20) + 3));
}

#[test]
fn empty_rows_and_empty_kernels() {
    for (rows, width) in [(0, 3), (3, 0), (0, 0)] {
        kernels(&dropout(rows, width));
        kernels(&sums(rows, width));
    }
    let program = loops::lower_unfused(&sums(3, 0));
    let groups = |k: &Kernel| piece(&program, k, &Target::WEBGPU).expect("rows").0.groups;
    // Sums of nothing are stored all the same, but there are no columns.
    assert_eq!(program.kernels.iter().map(groups).collect::<Vec<_>>(), [0, 1, 1]);
}

#[test]
fn equal_kernels_have_equal_texts() {
    let text = |name: &str| {
        let mut b = Builder::new("alike");
        let x = b.batch(name, TensorType::f32([7]));
        let y = b.exp(x);
        value(&mut b, &format!("{name}!"), y);
        kernels(&finish(b))
    };
    assert_eq!(text("u"), text("v"));
}

/// Softmax over the columns of a product, as a contraction's own rows.
#[test]
fn row_phases_read_sums_by_a_function() {
    let mut body = Body::default();
    let acc = body.nodes.push(Node::Acc);
    let most = body.nodes.push(Node::Fold { fold: crate::graph::Fold::Max, input: acc });
    let op = |body: &mut Body, op, inputs: &[loops::NodeId]| {
        body.nodes.push(Node::Op { op, inputs: inputs.to_vec() })
    };
    use crate::graph::ScalarOp::{Div, Exp, Sub};
    let shifted = op(&mut body, Sub, &[acc, most]);
    let e = op(&mut body, Exp, &[shifted]);
    let sum = body.nodes.push(Node::Fold { fold: crate::graph::Fold::Sum, input: e });
    let y = op(&mut body, Div, &[e, sum]);
    let access = |buffer: usize, strides: &[i64]| loops::Access {
        buffer: crate::base::Id::new(buffer),
        offset: 0,
        strides: strides.to_vec(),
        guards: Vec::new(),
        fill: 0.0,
    };
    body.stores.push(loops::Store { value: y, access: access(2, &[10, 1]) });
    body.stores.push(loops::Store { value: most, access: access(3, &[1, 0]) });
    let product = Contract {
        batch: vec![],
        m: vec![32],
        n: vec![10],
        k: vec![8],
        precision: Precision::F32,
        lhs: loops::Operand::load(access(0, &[8, 1])),
        rhs: loops::Operand::load(access(1, &[1, 10])),
        body,
    };
    let text = finish_rows(&product, &[DType::F32; 4], "finish", "k_");
    insta::assert_snapshot!(text, @r"
    fn k_finish(b: i32, m: i32, row: i32) {
        var f0: f32 = mlc_float(0xff800000u);
        for (var r0: i32 = 0; r0 < 10; r0++) {
            let acc0 = k_acc(row, r0);
            f0 = mlc_max(f0, acc0);
        }
        var f1: f32 = 0.0;
        for (var r1: i32 = 0; r1 < 10; r1++) {
            let acc1 = k_acc(row, r1);
            let x0 = mlc_exp(acc1 - f0);
            f1 = f1 + x0;
        }
        for (var r2: i32 = 0; r2 < 10; r2++) {
            let acc2 = k_acc(row, r2);
            let x1 = mlc_exp(acc2 - f0);
            let at = m * 10 + r2;
            k_set2(at, mlc_div(x1, f1));
        }
        k_set3(m, f0);
    }
    ");
}
