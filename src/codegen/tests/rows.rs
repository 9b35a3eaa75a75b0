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
