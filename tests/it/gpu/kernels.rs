//! Generated kernels on the device against the interpreter of loops, as a processor would run them and as a large
//! device would.

use super::device;
use mlc::ad;
use mlc::base::{DType, Dim, TensorType};
use mlc::codegen::wgsl::{Target, WeightPlaces, compile};
use mlc::graph::{Builder, Graph, Init, OutputKind, Prim, ScalarOp, Value};
use mlc::loops::{self, BufferKind, Fusion, Program, interp};
use mlc::opt;
use mlc::runtime::gpu::{Device, Instance};

const SEED: u64 = 42;
const STEP: u64 = 7;
const ZEROS: Init = Init::Constant(0.0);

// ---- running

/// Numbers that look like nothing in particular; some class ids are out of range.
fn fill(kind: &BufferKind, dtype: DType, buffer: usize, i: usize) -> f64 {
    let hash = ((i * 7919 + buffer * 104_729 + 17) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let unit = hash as f64 / f64::from(1 << 24);
    match (dtype, kind) {
        (DType::F32, BufferKind::State(_) | BufferKind::Scalar) => f64::from((unit + 0.5) as f32),
        (DType::F32, _) => f64::from((unit * 4.0 - 2.0) as f32),
        (DType::I32, _) => (hash % 23) as f64 - 4.0,
        (DType::U8, _) => (hash % 256) as f64,
    }
}

fn bytes(dtype: DType, values: &[f64]) -> Vec<u8> {
    match dtype {
        DType::F32 => values.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect(),
        DType::I32 => values.iter().flat_map(|&x| (x as i32).to_le_bytes()).collect(),
        DType::U8 => values.iter().map(|&x| x as u8).collect(),
    }
}

fn numbers(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    let words = || bytes.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
    match dtype {
        DType::F32 => words().map(|b| f64::from(f32::from_le_bytes(b))).collect(),
        DType::I32 => words().map(|b| f64::from(i32::from_le_bytes(b))).collect(),
        DType::U8 => bytes.iter().map(|&b| f64::from(b)).collect(),
    }
}

/// One step from `start`; the bytes of every buffer that lasts, in order.
fn run(device: &Device, program: &Program, target: &Target, start: &interp::Memory) -> Vec<Vec<u8>> {
    let weights = WeightPlaces::of_program(program, target).expect("small weights fit");
    let shaders = compile(program, &weights, SEED, target).expect("a small program fits every device");
    let mut instance =
        Instance::with_shaders(device, program.clone(), shaders, &weights.heaps).expect("it fits the device");
    for (id, buffer) in program.buffers.iter().filter(|(_, b)| is_given(&b.kind) && !b.is_empty()) {
        instance.write(&buffer.name, &bytes(buffer.dtype, &start[id.index()])).expect("the device takes it");
    }
    instance.run(STEP).expect("the device runs it");
    let read = |name: &str| instance.read(name).expect("the device gives it").unwrap_or_default();
    program
        .buffers
        .iter()
        .map(|(_, b)| if lasts(&b.kind) && !b.is_empty() { read(&b.name) } else { Vec::new() })
        .collect()
}

fn is_given(kind: &BufferKind) -> bool {
    match kind {
        BufferKind::Batch | BufferKind::Param(_) | BufferKind::State(_) | BufferKind::Scalar => true,
        BufferKind::Temp | BufferKind::Output => false,
    }
}

fn lasts(kind: &BufferKind) -> bool {
    match kind {
        BufferKind::Param(_) | BufferKind::State(_) | BufferKind::Output => true,
        BufferKind::Batch | BufferKind::Scalar | BufferKind::Temp => false,
    }
}

/// Every result is within `tolerance` of the largest number of its buffer, and the same bits come twice.
fn check_program(device: &Device, program: &Program, tolerance: f64) {
    loops::verify(program).unwrap_or_else(|why| panic!("{why}"));
    let mut memory = interp::memory(program);
    for (id, buffer) in program.buffers.iter() {
        let values = memory[id.index()].iter_mut().enumerate();
        values.for_each(|(i, x)| *x = fill(&buffer.kind, buffer.dtype, id.index(), i));
    }
    let start = memory.clone();
    interp::run(program, &mut memory, SEED, STEP);
    for software in [true, false] {
        let target = Target { software, ..device.target() };
        let found = run(device, program, &target, &start);
        assert_eq!(found, run(device, program, &target, &start), "{}: two runs, two results", program.name);
        for (id, buffer) in program.buffers.iter().filter(|(_, b)| lasts(&b.kind) && !b.is_empty()) {
            let (found, wanted) = (numbers(buffer.dtype, &found[id.index()]), &memory[id.index()]);
            let finite = wanted.iter().filter(|x| x.is_finite());
            let bound = tolerance * finite.fold(1e-3f64, |most, x| most.max(x.abs()));
            for (i, (&w, &f)) in wanted.iter().zip(&found).enumerate() {
                let close = w == f || (w - f).abs() <= bound || w.is_nan() && f.is_nan();
                assert!(close, "{}: {}[{i}] is {f}, not {w}, software {software}", program.name, buffer.name);
            }
        }
    }
}

fn check(device: &Device, graph: &Graph, tolerance: f64) {
    check_program(device, &loops::lower(graph, &Fusion::GPU), tolerance);
    check_program(device, &loops::lower_unfused(graph), tolerance);
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
    opt::run(&mut graph);
    graph
}

fn softmax_cross_entropy(rows: usize, classes: usize) -> Graph {
    let mut b = Builder::new(format!("cross entropy of {rows} x {classes}"));
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
    let mut b = Builder::new(format!("norm of {rows} x {width}"));
    let x = b.param("x", [rows, width], ZEROS);
    let gain = b.param("gain", [width], ZEROS);
    let mean = b.mean_keep(x, &[1]);
    let centred = b.sub(x, mean);
    let square = b.mul(centred, centred);
    let variance = b.mean_keep(square, &[1]);
    let eps = b.constant(1e-2);
    let variance = b.add(variance, eps);
    let scale = b.rsqrt(variance);
    let normed = b.mul(centred, scale);
    let y = b.mul(normed, gain);
    value(&mut b, "y", y);
    let third = b.mul(y, y);
    let loss = b.sum(third, &[0, 1]);
    for (name, g) in ["dx", "dgain"].into_iter().zip(ad::gradient(&mut b, loss, &[x, gain])) {
        value(&mut b, name, g);
    }
    finish(b)
}

fn sums(rows: usize, columns: usize) -> Graph {
    let mut b = Builder::new(format!("sums of {rows} x {columns}"));
    let x = b.batch("x", TensorType::f32([rows, columns]));
    for (name, axes) in [("columns", &[0][..]), ("rows", &[1]), ("all", &[0, 1])] {
        // Of one sign, so that the bound is about folding and not about what cancels.
        let size = b.abs(x);
        let sum = b.sum(size, axes);
        value(&mut b, name, sum);
        let most = b.max_of(x, axes);
        value(&mut b, &format!("most of {name}"), most);
    }
    b.finish()
}

/// Rows over a weight's own place, and a number stored once for each row over its own.
fn in_place(rows: usize, width: usize) -> Graph {
    let mut b = Builder::new(format!("in place, {rows} x {width}"));
    let w = b.param("w", [rows, width], ZEROS);
    let scale = b.param("scale", [rows], ZEROS);
    let square = b.mul(w, w);
    let sum = b.sum(square, &[1]);
    let next_scale = b.add(scale, sum);
    let norm = b.sum_keep(square, &[1]);
    let next = b.div(w, norm);
    update(&mut b, w, next);
    update(&mut b, scale, next_scale);
    finish(b)
}

fn dims(sizes: &[i64]) -> Vec<Dim> {
    sizes.iter().map(|&n| Dim::from(n)).collect()
}

// ---- what is tested

#[test]
fn rows_fold_alone_and_together() {
    let Some(device) = device("gpu::kernels::rows_fold_alone_and_together") else { return };
    for (rows, width) in [(32, 10), (1, 5), (300, 1), (33, 300), (3, 1000)] {
        check(&device, &softmax_cross_entropy(rows, width), 1e-5);
        check(&device, &layer_norm(rows, width), 2e-5);
        check(&device, &sums(rows, width), 1e-5);
    }
    check(&device, &sums(5000, 3), 1e-5);
}

#[test]
fn weights_are_overwritten_behind_their_reads() {
    let Some(device) = device("gpu::kernels::weights_are_overwritten_behind_their_reads") else { return };
    for (rows, width) in [(33, 300), (5, 7), (1, 5000)] {
        check(&device, &in_place(rows, width), 1e-5);
    }
}

#[test]
fn nothing_is_folded_to_the_start() {
    let Some(device) = device("gpu::kernels::nothing_is_folded_to_the_start") else { return };
    check(&device, &sums(3, 0), 0.0);
}

#[test]
fn a_map_of_very_many_points() {
    let Some(device) = device("gpu::kernels::a_map_of_very_many_points") else { return };
    let mut b = Builder::new("many points");
    let x = b.batch("x", TensorType::f32([(1 << 20) + 300]));
    let y = b.neg(x);
    value(&mut b, "y", y);
    check_program(&device, &loops::lower(&b.finish(), &Fusion::GPU), 0.0);
}

#[test]
fn pads_windows_and_turns() {
    let Some(device) = device("gpu::kernels::pads_windows_and_turns") else { return };
    let mut b = Builder::new("pads");
    let x = b.batch("x", TensorType::f32([3, 4]));
    for (i, (lo, hi, inner)) in
        [([1, 2], [0, 1], [0, 0]), ([0, 1], [2, 0], [1, 2]), ([3, 0], [1, 2], [2, 1])].into_iter().enumerate()
    {
        let plain = b.pad(x, dims(&lo), dims(&hi), inner.to_vec(), 2.0);
        value(&mut b, &format!("plain{i}"), plain);
        let twice = b.pad(plain, dims(&[1, 0]), dims(&[0, 1]), vec![0, 0], f64::NEG_INFINITY);
        let turned = b.transpose(twice);
        value(&mut b, &format!("turned{i}"), turned);
        let slid = b.window(plain, 1, 2, 1, 1);
        let most = b.max_of(slid, &[2]);
        value(&mut b, &format!("slid{i}"), most);
    }
    check(&device, &b.finish(), 0.0);
}

#[test]
fn gathers_and_scatters_in_order() {
    let Some(device) = device("gpu::kernels::gathers_and_scatters_in_order") else { return };
    for (rows, width, count) in [(9, 4, 6), (100, 3, 700), (3, 300, 256), (1, 1, 1)] {
        let mut b = Builder::new(format!("{count} rows of {rows} x {width}"));
        let table = b.param("table", [rows, width], ZEROS);
        let ids = b.batch("ids", TensorType::new(DType::I32, [count]));
        let found = b.gather(table, ids);
        value(&mut b, "found", found);
        let back = b.scatter([rows, width], ids, found);
        value(&mut b, "back", back);
        check(&device, &b.finish(), 1e-5);
    }
}

#[test]
fn draws_are_those_of_the_processor() {
    let Some(device) = device("gpu::kernels::draws_are_those_of_the_processor") else { return };
    let mut b = Builder::new("draws");
    let (one, other) = (b.random("one", [5, 100]), b.random("other", [100, 5]));
    let turned = b.transpose(other);
    let both = b.add(one, turned);
    value(&mut b, "one", one);
    value(&mut b, "both", both);
    check(&device, &b.finish(), 1e-7);
}

/// Every row of the scalar table that is exact, at numbers where machines differ.
#[test]
fn special_numbers_stay_what_they_are() {
    let Some(device) = device("gpu::kernels::special_numbers_stay_what_they_are") else { return };
    use ScalarOp::*;
    let special =
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1.0, -1.5, 2.5, 3e9, -3e9, 2147483520.0];
    // Products of these are exact in the interpreter's f64, and wrap.
    let whole = [i32::MIN, -1, 0, 1, 7, 65537].map(f64::from);
    let mut b = Builder::new("special");
    let (n, k) = (special.len(), whole.len());
    let x = b.batch("x", TensorType::f32([n]));
    let y = b.batch("y", TensorType::f32([n]));
    let u = b.batch("u", TensorType::new(DType::I32, [k]));
    let v = b.batch("v", TensorType::new(DType::I32, [k]));
    let (x, y) = (b.broadcast(x, [n, n], &[0]), b.broadcast(y, [n, n], &[1]));
    let (u, v) = (b.broadcast(u, [k, k], &[0]), b.broadcast(v, [k, k], &[1]));
    for op in [Neg, Abs, Sign, Floor, ToI32, Add, Sub, Mul, Max, Min, Eq, Ne, Lt, Le, Gt, Ge] {
        let operands = if op.arity() == 1 { vec![x] } else { vec![x, y] };
        let z = b.map(op, &operands);
        value(&mut b, op.name(), z);
    }
    for op in [Add, Sub, Mul, Max, Min, Eq, Ne, Lt, Le, Gt, Ge, ToF32] {
        let operands = if op.arity() == 1 { vec![u] } else { vec![u, v] };
        let z = b.map(op, &operands);
        value(&mut b, &format!("whole {}", op.name()), z);
    }
    let plain = b.select(x, x, y);
    value(&mut b, "select", plain);
    for op in [Eq, Ne, Lt, Le, Gt, Ge] {
        let holds = b.map(op, &[x, y]);
        let z = b.select(holds, x, y);
        value(&mut b, &format!("select {}", op.name()), z);
    }
    let graph = b.finish();
    let program = loops::lower_unfused(&graph);
    let mut memory = interp::memory(&program);
    for (id, buffer) in program.buffers.iter() {
        match &*buffer.name {
            "x" | "y" => memory[id.index()].copy_from_slice(&special),
            "u" | "v" => memory[id.index()].copy_from_slice(&whole),
            _ => {}
        }
    }
    let start = memory.clone();
    interp::run(&program, &mut memory, SEED, STEP);
    let found = run(&device, &program, &device.target(), &start);
    for (id, buffer) in program.buffers.iter().filter(|(_, b)| lasts(&b.kind)) {
        let found = numbers(buffer.dtype, &found[id.index()]);
        for (i, (&w, f)) in memory[id.index()].iter().zip(found).enumerate() {
            let w = if buffer.dtype == DType::F32 { f64::from(w as f32) } else { w };
            let place = format!("{}({}, {})", buffer.name, i / n, i % n);
            assert!(w == f || w.is_nan() && f.is_nan(), "{place} is {f}, not {w}");
        }
    }
}
