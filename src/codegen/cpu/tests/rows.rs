use super::*;

#[test]
fn adds_vectors_of_every_length() {
    for n in [1, 2, 3, 4, 5, 10, 16, 31, 128, 1000, 1024, 1025, 5003] {
        let mut make = Make::default();
        let (x, y, out) = (make.f32("x", &[n]), make.f32("y", &[n]), make.f32("out", &[n]));
        let mut code = Code::default();
        let (a, b) = (code.load(x, &[1]), code.load(y, &[1]));
        let sum = code.op(ScalarOp::Add, &[a, b]);
        code.store(sum, out, &[1]);
        make.rows(&[n], &[], code.body());
        check(&make.program(), 1e-6);
    }
}

/// A softmax of each row, with the log of its sum and its mean beside it.
fn softmax(outer: usize, n: usize, transposed: bool) -> Program {
    let mut make = Make::default();
    let shape = if transposed { [n, outer] } else { [outer, n] };
    let strides = if transposed { [1, outer as i64] } else { [n as i64, 1] };
    let (x, out) = (make.f32("x", &shape), make.f32("out", &shape));
    let (log, bias) = (make.f32("log", &[outer]), make.f32("bias", &[n]));
    let mut code = Code::default();
    let z = code.load(x, &strides);
    let b = code.load(bias, &[0, 1]);
    let z = code.op(ScalarOp::Add, &[z, b]);
    let max = code.fold(Fold::Max, z);
    let shifted = code.op(ScalarOp::Sub, &[z, max]);
    let e = code.op(ScalarOp::Exp, &[shifted]);
    let sum = code.fold(Fold::Sum, e);
    let p = code.op(ScalarOp::Div, &[e, sum]);
    let l = code.op(ScalarOp::Log, &[sum]);
    code.store(p, out, &strides);
    code.store(l, log, &[1, 0]);
    make.rows(&[outer], &[n], code.body());
    make.program()
}

#[test]
fn folds_rows_of_every_length() {
    for (outer, n) in [(1, 1), (5, 3), (32, 10), (7, 17), (3, 64), (2, 1024), (2, 5000), (1, 70_000)] {
        check(&softmax(outer, n, false), 1e-5);
    }
}

#[test]
fn folds_columns_of_every_length() {
    for (outer, n) in [(3, 1), (5, 3), (10, 32), (17, 7), (300, 5), (64, 3000)] {
        check(&softmax(outer, n, true), 1e-5);
    }
}

#[test]
fn says_every_function_of_the_table() {
    use ScalarOp::*;
    let positive = [Log, Sqrt, Rsqrt, Log1p, Pow];
    for row in crate::graph::SCALARS {
        if matches!(row.op, ToF32 | ToI32 | Select) {
            continue;
        }
        for n in [1, 6, 33] {
            let mut make = Make::default();
            let (x, y, out) = (make.f32("x", &[n]), make.f32("y", &[n]), make.f32("out", &[n]));
            let mut code = Code::default();
            let mut a = code.load(x, &[1]);
            if positive.contains(&row.op) {
                let (size, floor) = (code.op(Abs, &[a]), code.number(0.1));
                a = code.op(Add, &[size, floor]);
            }
            let b = code.load(y, &[1]);
            let inputs = if row.op.arity() == 1 { vec![a] } else { vec![a, b] };
            let result = code.op(row.op, &inputs);
            let result = code.op(Sub, &[result, b]);
            code.store(result, out, &[1]);
            make.rows(&[n], &[], code.body());
            check(&make.program(), 1e-5);
        }
    }
}

#[test]
fn computes_whole_numbers_and_conversions() {
    for n in [1, 7, 64] {
        let mut make = Make::default();
        let (i, u) = (make.buffer("i", DType::I32, &[n]), make.buffer("u", DType::U8, &[n]));
        let (x, out, ids) =
            (make.f32("x", &[n]), make.f32("out", &[n]), make.buffer("ids", DType::I32, &[n]));
        let mut code = Code::default();
        let (a, byte, f) = (code.load(i, &[1]), code.load(u, &[1]), code.load(x, &[1]));
        let at = code.node(Node::Index { offset: -3, strides: vec![2] });
        let whole = code.op(ScalarOp::ToI32, &[f]);
        let from_byte = code.op(ScalarOp::ToI32, &[byte]);
        let sum = code.op(ScalarOp::Add, &[a, at]);
        let product = code.op(ScalarOp::Mul, &[sum, from_byte]);
        let larger = code.op(ScalarOp::Max, &[product, whole]);
        let less = code.op(ScalarOp::Lt, &[a, at]);
        let chosen = code.op(ScalarOp::Select, &[less, larger, a]);
        let smaller = code.op(ScalarOp::Min, &[chosen, sum]);
        code.store(smaller, ids, &[1]);
        let (float, from_u8) = (code.op(ScalarOp::ToF32, &[sum]), code.op(ScalarOp::ToF32, &[byte]));
        let same = code.op(ScalarOp::Eq, &[a, at]);
        let total = code.op(ScalarOp::Add, &[float, from_u8]);
        let total = code.op(ScalarOp::Add, &[total, same]);
        code.store(total, out, &[1]);
        make.rows(&[n], &[], code.body());
        check(&make.program(), 1e-6);
    }
}

#[test]
fn selects_by_comparison_and_by_number() {
    let mut make = Make::default();
    let n = 37;
    let (x, y, out, other) =
        (make.f32("x", &[n]), make.f32("y", &[n]), make.f32("out", &[n]), make.f32("other", &[n]));
    let mut code = Code::default();
    let (a, b) = (code.load(x, &[1]), code.load(y, &[1]));
    let zero = code.number(0.0);
    let positive = code.op(ScalarOp::Gt, &[a, zero]);
    let relu = code.op(ScalarOp::Select, &[positive, a, zero]);
    let whole = code.op(ScalarOp::Floor, &[b]);
    let by_number = code.op(ScalarOp::Select, &[whole, a, positive]);
    code.store(relu, out, &[1]);
    code.store(by_number, other, &[1]);
    make.rows(&[n], &[], code.body());
    check(&make.program(), 0.0);
}

#[test]
fn no_number_stays_in_extremes_and_folds() {
    let n = 21;
    let mut make = Make::default();
    let (x, out, top) = (make.f32("x", &[n]), make.f32("out", &[n]), make.f32("top", &[]));
    let mut code = Code::default();
    let a = code.load(x, &[1]);
    let one = code.number(1.0);
    let (low, zero) = (code.op(ScalarOp::Min, &[a, one]), code.number(0.0));
    let high = code.op(ScalarOp::Max, &[zero, low]);
    let less = code.op(ScalarOp::Sub, &[a, one]);
    let both = code.op(ScalarOp::Max, &[less, high]);
    code.store(both, out, &[1]);
    let max = code.fold(Fold::Max, a);
    code.store(max, top, &[0]);
    make.rows(&[], &[n], code.body());
    for at in [0, 5, 20] {
        let mut instance = Instance::new(make.program.clone(), &Options::default());
        instance.f32_mut(x).fill(0.5);
        instance.f32_mut(x)[at] = f32::NAN;
        instance.step(0, 1);
        for (i, v) in instance.f32(out).iter().enumerate() {
            assert_eq!(v.is_nan(), i == at, "lane {i} is {v}");
        }
        assert!(instance.f32(top)[0].is_nan());
    }
}

#[test]
fn walks_strides_of_any_sign_and_size() {
    let (m, n) = (9, 13);
    let mut make = Make::default();
    let (x, row, out) = (make.f32("x", &[m, n]), make.f32("row", &[n]), make.f32("out", &[n, m]));
    let byte = make.buffer("byte", DType::U8, &[2 * n]);
    let mut code = Code::default();
    // Backwards along both axes of `x`, every second byte, broadcast rows, a transposed store.
    let back = code.node(Node::Load(Access { offset: (m * n - 1) as i64, ..access(x, &[-(n as i64), -1]) }));
    let wide = code.load(row, &[0, 1]);
    let second = code.load(byte, &[0, 2]);
    let second = code.op(ScalarOp::ToF32, &[second]);
    let sum = code.op(ScalarOp::Add, &[back, wide]);
    let sum = code.op(ScalarOp::Mul, &[sum, second]);
    code.store(sum, out, &[1, m as i64]);
    make.rows(&[m, n], &[], code.body());
    check(&make.program(), 1e-6);
}

#[test]
fn guards_give_their_fill_and_touch_nothing() {
    let (m, n) = (4, 11);
    for fill in [0.0, -1.5] {
        let mut make = Make::default();
        let (x, out) = (make.f32("x", &[m - 2, n - 5]), make.f32("out", &[m, n]));
        let mut code = Code::default();
        let inner = (n - 5) as i64;
        let guards = vec![
            Guard { offset: -1, strides: vec![1, 0], size: (m - 2) as i64 },
            Guard { offset: -2, strides: vec![0, 1], size: inner },
        ];
        let a = code.node(Node::Load(Access { offset: -inner - 2, guards, fill, ..access(x, &[inner, 1]) }));
        let one = code.number(1.0);
        let sum = code.op(ScalarOp::Add, &[a, one]);
        code.store(sum, out, &[n as i64, 1]);
        make.rows(&[m, n], &[], code.body());
        check(&make.program(), 1e-6);
    }
}

#[test]
fn gathers_rows_and_single_numbers() {
    let (count, width, vocab) = (9, 12, 7);
    let mut make = Make::default();
    let (table, ids) = (make.f32("table", &[vocab, width]), make.buffer("ids", DType::I32, &[count]));
    let (out, picked) = (make.f32("out", &[count, width]), make.f32("picked", &[count]));
    let mut code = Code::default();
    let id = code.load(ids, &[1, 0]);
    let at = |strides: &[i64]| access(table, strides);
    let (rows, stride) = (vocab, width as i64);
    let x = code.node(Node::LoadAt { access: at(&[0, 1]), index: id, rows, stride });
    code.store(x, out, &[width as i64, 1]);
    let body = code.body();
    make.rows(&[count, width], &[], body);
    let mut code = Code::default();
    let id = code.load(ids, &[1]);
    let x = code.node(Node::LoadAt { access: at(&[0]), index: id, rows, stride });
    code.store(x, picked, &[1]);
    make.rows(&[count], &[], code.body());
    check(&make.program(), 0.0);
}

#[test]
fn draws_are_functions_of_site_step_and_element() {
    for (m, n) in [(1, 1), (5, 7), (3, 1030)] {
        let mut make = Make::default();
        let (out, turned, one) =
            (make.f32("out", &[m, n]), make.f32("turned", &[m, n]), make.f32("one", &[]));
        let mut code = Code::default();
        let stride = n as i64;
        let draw = |site: &str, strides: Vec<i64>| Node::Random { site: Arc::from(site), offset: 2, strides };
        let a = code.node(draw("drop", vec![stride, 1]));
        let b = code.node(draw("other", vec![1, m as i64]));
        code.store(a, out, &[stride, 1]);
        let sum = code.op(ScalarOp::Add, &[a, b]);
        code.store(sum, turned, &[stride, 1]);
        make.rows(&[m, n], &[], code.body());
        let mut code = Code::default();
        let a = code.node(draw("lonely", vec![]));
        code.store(a, one, &[]);
        make.rows(&[], &[], code.body());
        check(&make.program(), 1e-7);
    }
}

#[test]
fn scalars_of_a_step_are_computed_once_and_shared() {
    let n = 50;
    let mut make = Make::default();
    let (step, x, out) = (make.f32("step", &[]), make.f32("x", &[n]), make.f32("out", &[n]));
    let next = make.f32("next", &[]);
    let mut code = Code::default();
    let t = code.load(step, &[0]);
    let t = code.op(ScalarOp::Abs, &[t]);
    let beta = code.number(0.9);
    let decay = code.op(ScalarOp::Pow, &[beta, t]);
    let one = code.number(1.0);
    let scale = code.op(ScalarOp::Sub, &[one, decay]);
    let a = code.load(x, &[1]);
    let scaled = code.op(ScalarOp::Div, &[a, scale]);
    code.store(scaled, out, &[1]);
    code.store(decay, next, &[0]);
    make.rows(&[n], &[], code.body());
    let program = make.program();
    check(&program, 1e-4);
    let instance = Instance::new(program, &Options::default());
    assert_eq!(instance.compiled().calls(), ["mlc_pow"]);
}

#[test]
fn adds_over_two_dims_that_do_not_merge() {
    // The sum over the first and the last of three axes, and a kept value in between.
    for (a, b, c) in [(3, 5, 7), (2, 3, 40), (6, 1, 16)] {
        let mut make = Make::default();
        let (x, out, sums) = (make.f32("x", &[a, b, c]), make.f32("out", &[a, b, c]), make.f32("sums", &[b]));
        let strides = [c as i64, (b * c) as i64, 1];
        let mut code = Code::default();
        let z = code.load(x, &strides);
        let t = code.op(ScalarOp::Tanh, &[z]);
        let sum = code.fold(Fold::Sum, t);
        let y = code.op(ScalarOp::Mul, &[t, sum]);
        code.store(y, out, &strides);
        code.store(sum, sums, &[1, 0, 0]);
        make.rows(&[b], &[a, c], code.body());
        check(&make.program(), 1e-5);
    }
}

#[test]
fn constants_and_row_values_fill_what_their_stores_walk() {
    let (m, n) = (6, 19);
    let mut make = Make::default();
    let (ones, row, x) = (make.f32("ones", &[m, n]), make.f32("row", &[n]), make.f32("x", &[n]));
    let mut code = Code::default();
    let one = code.number(1.0);
    code.store(one, ones, &[n as i64, 1]);
    let a = code.load(x, &[0, 1]);
    let b = code.op(ScalarOp::Exp, &[a]);
    code.store(b, row, &[0, 1]);
    make.rows(&[m, n], &[], code.body());
    check(&make.program(), 1e-6);
}

#[test]
fn large_kernels_are_cut_into_tasks() {
    let n = 300_000;
    let mut make = Make::default();
    let (x, out) = (make.f32("x", &[n]), make.f32("out", &[n]));
    let mut code = Code::default();
    let a = code.load(x, &[1]);
    let e = code.op(ScalarOp::Exp, &[a]);
    let b = code.op(ScalarOp::Mul, &[e, a]);
    code.store(b, out, &[1]);
    make.rows(&[n], &[], code.body());
    let program = make.program();
    check(&program, 1e-6);
    let instance = Instance::new(program, &Options { threads: 2, texts: false, ..Options::default() });
    assert!(instance.compiled().schedule()[0].contains("tasks"), "{:?}", instance.compiled().schedule());
}

#[test]
fn equal_kernels_share_their_code() {
    let n = 40;
    let mut make = Make::default();
    let buffers: Vec<BufferId> = (0..4).map(|i| make.f32(&format!("x{i}"), &[n])).collect();
    for pair in buffers.windows(2) {
        let mut code = Code::default();
        let a = code.load(pair[0], &[1]);
        let b = code.op(ScalarOp::Tanh, &[a]);
        code.store(b, pair[1], &[1]);
        make.rows(&[n], &[], code.body());
    }
    let program = make.program();
    check(&program, 1e-6);
    let instance = Instance::new(program, &Options { threads: 1, texts: true, ..Options::default() });
    assert_eq!(instance.compiled().clif().matches("; k").count(), 1);
}

#[test]
fn what_is_made_of_a_fold_of_nothing_is_stored() {
    let mut make = Make::default();
    let (x, shift) = (make.f32("x", &[3, 0]), make.f32("shift", &[3]));
    let out = make.f32("out", &[3]);
    let mut code = Code::default();
    let x = code.load(x, &[0, 1]);
    let sum = code.fold(Fold::Sum, x);
    let shift = code.load(shift, &[1, 0]);
    let shifted = code.op(ScalarOp::Add, &[sum, shift]);
    let e = code.op(ScalarOp::Exp, &[shifted]);
    code.store(e, out, &[1, 0]);
    make.rows(&[3], &[0], code.body());
    check(&make.program(), 1e-5);
}
