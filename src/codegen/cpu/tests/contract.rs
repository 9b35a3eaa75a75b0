use super::*;

/// `[m, k] x [k, n]`, both as they lie or turned, the body left to the caller.
struct Product {
    make: Make,
    contract: Contract,
}

fn product(batch: usize, m: usize, n: usize, k: usize, turned: bool) -> Product {
    let mut make = Make::default();
    let shape = |a, b| if turned { [batch, b, a] } else { [batch, a, b] };
    let (lhs, rhs) = (make.f32("lhs", &shape(m, k)), make.f32("rhs", &shape(k, n)));
    let strides = |rows: usize, ks: usize, along_k: bool| {
        let (row, k) = match (along_k, turned) {
            (true, false) | (false, true) => (ks, 1),
            (true, true) | (false, false) => (1, rows),
        };
        vec![(rows * ks) as i64, row as i64, k as i64]
    };
    let contract = Contract {
        batch: vec![batch],
        m: vec![m],
        n: vec![n],
        k: vec![k],
        precision: Precision::F32,
        lhs: Operand::load(access(lhs, &strides(m, k, true))),
        rhs: Operand::load(access(rhs, &strides(n, k, false))),
        body: Body::default(),
    };
    Product { make, contract }
}

impl Product {
    fn check(mut self, body: Body, tolerance: f64) {
        self.contract.body = body;
        self.make.kernel(KernelKind::Contract(self.contract));
        check(&self.make.program(), tolerance);
    }
}

const SHAPES: [(usize, usize, usize, usize); 7] = [
    (1, 1, 1, 1),
    (1, 5, 3, 7),
    (2, 33, 10, 20),
    (1, 32, 128, 64),
    (3, 17, 31, 5),
    (1, 100, 45, 300),
    (1, 7, 300, 9),
];

#[test]
fn stores_products_as_they_are() {
    for (b, m, n, k) in SHAPES {
        for turned in [false, true] {
            let mut p = product(b, m, n, k, turned);
            let out = p.make.f32("out", &[b, m, n]);
            let mut code = Code::default();
            let acc = code.node(Node::Acc);
            code.store(acc, out, &[(m * n) as i64, n as i64, 1]);
            p.check(code.body(), 1e-5);
        }
    }
}

#[test]
fn finishes_tiles_with_bias_and_relu() {
    for (b, m, n, k) in SHAPES {
        let mut p = product(b, m, n, k, false);
        let (out, bias) = (p.make.f32("out", &[b, m, n]), p.make.f32("bias", &[n]));
        let mut code = Code::default();
        let acc = code.node(Node::Acc);
        let bias = code.load(bias, &[0, 0, 1]);
        let z = code.op(ScalarOp::Add, &[acc, bias]);
        let zero = code.number(0.0);
        let h = code.op(ScalarOp::Max, &[z, zero]);
        code.store(h, out, &[(m * n) as i64, n as i64, 1]);
        p.check(code.body(), 1e-5);
    }
}

#[test]
fn finishes_tiles_with_strip_calls_and_draws() {
    for (b, m, n, k) in SHAPES {
        let mut p = product(b, m, n, k, true);
        let (out, column) = (p.make.f32("out", &[b, m, n]), p.make.f32("column", &[m]));
        let strides = [(m * n) as i64, n as i64, 1];
        let mut code = Code::default();
        let acc = code.node(Node::Acc);
        let scale = code.load(column, &[0, 1, 0]);
        let scale = code.op(ScalarOp::Exp, &[scale]);
        let z = code.op(ScalarOp::Mul, &[acc, scale]);
        let t = code.op(ScalarOp::Tanh, &[z]);
        let draw = code.node(Node::Random { site: Arc::from("drop"), offset: 0, strides: strides.to_vec() });
        let rate = code.number(0.3);
        let keep = code.op(ScalarOp::Ge, &[draw, rate]);
        let y = code.op(ScalarOp::Mul, &[t, keep]);
        code.store(y, out, &strides);
        p.check(code.body(), 1e-4);
    }
}

#[test]
fn updates_weights_in_the_epilogue() {
    let (m, n, k) = (45, 70, 32);
    let mut p = product(1, m, n, k, false);
    let (w, moment) = (p.make.f32("w", &[m, n]), p.make.f32("moment", &[m, n]));
    let rate = p.make.f32("rate", &[]);
    let strides = [0, n as i64, 1];
    let mut code = Code::default();
    let g = code.node(Node::Acc);
    let old = code.load(moment, &strides);
    let beta = code.number(0.9);
    let decayed = code.op(ScalarOp::Mul, &[old, beta]);
    let new = code.op(ScalarOp::Add, &[decayed, g]);
    let rate = code.load(rate, &[0, 0, 0]);
    let step = code.op(ScalarOp::Mul, &[new, rate]);
    let weight = code.load(w, &strides);
    let weight = code.op(ScalarOp::Sub, &[weight, step]);
    code.store(new, moment, &strides);
    code.store(weight, w, &strides);
    p.check(code.body(), 1e-5);
}

#[test]
fn decodes_groups_of_dims_that_do_not_merge() {
    // [b, t, h, d] products whose rows and columns come from two axes each.
    let (b, t, h, d, k) = (2, 5, 3, 6, 8);
    let mut make = Make::default();
    let (lhs, rhs) = (make.f32("lhs", &[t, b, k]), make.f32("rhs", &[k, d, h]));
    let (out, bias) = (make.f32("out", &[b, h, t, d]), make.f32("bias", &[h]));
    let mut code = Code::default();
    let acc = code.node(Node::Acc);
    let bias = code.load(bias, &[0, 0, 1, 0]);
    let y = code.op(ScalarOp::Add, &[acc, bias]);
    let y = code.op(ScalarOp::Sigmoid, &[y]);
    let (i, j, l) = ((h * t * d) as i64, d as i64, (t * d) as i64);
    code.store(y, out, &[i, j, l, 1]);
    make.kernel(KernelKind::Contract(Contract {
        batch: vec![],
        m: vec![b, t],
        n: vec![h, d],
        k: vec![k],
        precision: Precision::F32,
        lhs: Operand::load(access(lhs, &[k as i64, (b * k) as i64, 1])),
        rhs: Operand::load(access(rhs, &[1, h as i64, (d * h) as i64])),
        body: code.body(),
    }));
    check(&make.program(), 1e-5);
}

#[test]
fn scatters_in_index_order() {
    for (count, rows, width) in [(9, 5, 3), (40, 7, 64), (700, 30, 130), (1, 1, 1)] {
        let mut make = Make::default();
        let index = make.buffer("index", DType::I32, &[count]);
        let (updates, out) = (make.f32("updates", &[count, width]), make.f32("out", &[rows, width]));
        make.kernel(KernelKind::Scatter(Scatter { index, updates, out, count, rows, width }));
        check(&make.program(), 1e-5);
    }
}
