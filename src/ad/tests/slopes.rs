//! Each scalar function and each primitive against central differences: in the middle of a
//! graph, behind it a factor of 2.5 and a weight for each element, so that a rule that
//! forgets its upstream or mixes up elements shows; with sizes that are odd, and 1.

use crate::ad::gradient;
use crate::base::{Dim, Shape, TensorType};
use crate::graph::arbitrary::{difference, inputs};
use crate::graph::examples::{self, Sizes};
use crate::graph::interp::run;
use crate::graph::{Builder, Init, Keep, OutputKind, SCALARS, ScalarOp, ScanInputs, Value, print, verify};

/// Whether the gradient of `op`'s result agrees with differences, element by element.
fn check(what: &str, shapes: &[&[usize]], op: impl Fn(&mut Builder, &[Value]) -> Value) {
    let mut b = Builder::new(what);
    let leaf = |(i, shape): (usize, &&[usize])| (format!("x{i}"), Shape::from(*shape));
    let leaves: Vec<(String, Shape)> = shapes.iter().enumerate().map(leaf).collect();
    let weights: Vec<Value> =
        leaves.iter().map(|(name, s)| b.param(name.as_str(), s.clone(), Init::Constant(0.0))).collect();
    let operands: Vec<Value> = weights.iter().map(|&w| lively(&mut b, w)).collect();
    let y = op(&mut b, &operands);
    let upstream = b.shape(y).clone();
    let upstream = b.batch("upstream", TensorType::f32(upstream));
    let factor = b.constant(2.5);
    let (scaled, each) = (b.mul(y, factor), b.mul(upstream, factor));
    let weighted = b.mul(scaled, each);
    let loss = b.sum_all(weighted);
    b.output("loss", loss, OutputKind::Loss);
    let graph = b.graph().clone();
    for (i, g) in gradient(&mut b, loss, &weights).into_iter().enumerate() {
        b.output(format!("d{i}"), g, OutputKind::Value);
    }
    let both = b.finish();
    verify(&both).unwrap_or_else(|why| panic!("{what}: {why}"));
    let inputs = inputs(&graph, 11);
    let found = run(&both, &inputs);
    for (i, (name, _)) in leaves.iter().enumerate() {
        for (element, claimed) in found[i + 1].data.iter().enumerate() {
            let slope = difference(&graph, &inputs, &[(name, element, 1.0)])
                .unwrap_or_else(|| panic!("{what}: no kink is near {name}[{element}]"));
            assert!(
                slope.agrees(*claimed),
                "{what}, {name}[{element}]: {claimed}, not {slope:?}\n{}",
                print(&both)
            );
        }
    }
}

/// A smooth function of the leaf, not 0 and not whole: the operand stands mid-graph.
fn lively(b: &mut Builder, leaf: Value) -> Value {
    let (slope, offset) = (b.constant(0.6), b.constant(0.31));
    let scaled = b.mul(leaf, slope);
    b.add(scaled, offset)
}

fn tame(b: &mut Builder, op: ScalarOp, operand: usize, x: Value) -> Value {
    use ScalarOp::*;
    let needs_positive = match op {
        Log | Log1p | Sqrt | Rsqrt => true,
        Div => operand == 1,
        Pow => operand == 0,
        Neg | Abs | Sign | Exp | Expm1 | Tanh | Sigmoid | Erf | Sin | Cos | Floor | Add | Sub | Mul | Max
        | Min | Eq | Ne | Lt | Le | Gt | Ge | Select | ToF32 | ToI32 | Stop => false,
    };
    if !needs_positive {
        return x;
    }
    let (square, least) = (b.mul(x, x), b.constant(0.4));
    b.add(square, least)
}

#[test]
fn every_scalar_function() {
    for row in SCALARS {
        // Conversions have no float on one side.
        if matches!(row.op, ScalarOp::ToF32 | ScalarOp::ToI32) {
            continue;
        }
        let op = row.op;
        for shape in [&[] as &[usize], &[1], &[3], &[5, 1], &[1, 7]] {
            // Every operand of full shape, then each of them rank 0.
            for scalar in 0..=op.arity() {
                let shapes: Vec<&[usize]> =
                    (0..op.arity()).map(|i| if i + 1 == scalar { &[] as &[usize] } else { shape }).collect();
                check(row.name, &shapes, |b, x| {
                    let x: Vec<Value> = x.iter().enumerate().map(|(i, &x)| tame(b, op, i, x)).collect();
                    b.map(op, &x)
                });
            }
        }
    }
}

#[test]
fn a_number_as_operand() {
    for (op, number) in [
        (ScalarOp::Max, 0.1),
        (ScalarOp::Min, 0.1),
        (ScalarOp::Pow, 3.0),
        (ScalarOp::Pow, 0.0),
        (ScalarOp::Pow, 1.0),
        (ScalarOp::Div, 3.0),
    ] {
        check(op.name(), &[&[3]], |b, x| {
            let number = b.constant(number);
            b.map(op, &[x[0], number])
        });
    }
}

#[test]
fn a_value_used_twice() {
    check("square", &[&[3]], |b, x| b.mul(x[0], x[0]));
    check("tie", &[&[3]], |b, x| b.max(x[0], x[0]));
    check("fan", &[&[3]], |b, x| {
        let (e, t) = (b.exp(x[0]), b.tanh(x[0]));
        let both = b.mul(e, t);
        b.sub(both, x[0])
    });
}

#[test]
fn folds() {
    for axes in [&[0usize] as &[_], &[1], &[0, 2], &[0, 1, 2]] {
        check("sum", &[&[3, 1, 5]], |b, x| b.sum(x[0], axes));
        check("max", &[&[3, 1, 5]], |b, x| b.max_of(x[0], axes));
        check("mean", &[&[3, 1, 5]], |b, x| b.mean(x[0], axes));
    }
    check("tied max", &[&[3]], |b, x| {
        let twice = b.broadcast(x[0], [3, 2], &[0]);
        b.max_of(twice, &[0, 1])
    });
}

#[test]
fn contractions() {
    for (spec, lhs, rhs) in [
        ("bi,ij->bj", &[3usize, 5] as &[_], &[5usize, 1] as &[_]),
        ("ib,ji->jb", &[5, 3], &[2, 5]),
        ("bqi,bki->bqk", &[2, 3, 4], &[2, 1, 4]),
        ("i,i->", &[7], &[7]),
        ("i,j->ji", &[3], &[1]),
        ("bi,bi->bi", &[3, 2], &[3, 2]),
        (",ij->ji", &[], &[3, 2]),
        ("bi,j->bj", &[3, 2], &[5]),
    ] {
        check(spec, &[lhs, rhs], |b, x| b.contract(spec, x[0], x[1]));
    }
    check("same operand", &[&[3, 3]], |b, x| b.contract("ij,jk->ik", x[0], x[0]));
}

#[test]
fn movement() {
    let dims = |sizes: &[i64]| sizes.iter().map(|&n| Dim::from(n)).collect::<Vec<Dim>>();
    check("reshape", &[&[3, 5]], |b, x| b.reshape(x[0], [5, 1, 3]));
    check("permute", &[&[3, 1, 5]], |b, x| b.permute(x[0], &[2, 0, 1]));
    check("broadcast", &[&[3, 1]], |b, x| b.broadcast(x[0], [2, 3, 1, 5], &[1, 2]));
    check("broadcast a number", &[&[]], |b, x| b.broadcast_to(x[0], &Shape::from([3, 5])));
    for (start, step, shape) in [
        ([0, 1], [1, 1], [3, 4]),
        ([1, 6], [1, -2], [1, 3]),
        ([2, 0], [-1, 3], [3, 3]),
        ([2, 5], [-2, -1], [2, 5]),
        ([0, 3], [1, 2], [2, 1]),
    ] {
        check("slice", &[&[3, 7]], |b, x| b.slice(x[0], dims(&start), step.to_vec(), shape));
    }
    for inner in [[0, 0], [2, 0], [1, 3]] {
        check("pad", &[&[3, 1]], |b, x| b.pad(x[0], dims(&[1, 0]), dims(&[0, 2]), inner.to_vec(), 1.5));
    }
    check("concat", &[&[3, 1], &[3, 2]], |b, x| b.concat(x, 1));
}

#[test]
fn windows() {
    for [n, size, stride, dilation] in [
        [7, 3, 1, 1],
        [7, 2, 2, 1],
        [7, 3, 2, 2],
        [7, 2, 3, 1],
        [9, 2, 3, 1],
        [5, 1, 1, 1],
        [5, 5, 1, 1],
        [8, 2, 3, 2],
    ] {
        check("window", &[&[2, n, 3]], |b, x| b.window(x[0], 1, size, stride, dilation));
    }
}

#[test]
fn indexing() {
    // Row 0 twice, one row never, one index out of range.
    let index = |b: &mut Builder| {
        let iota = b.iota([2, 3], 1);
        let four = b.int(4);
        let (scaled, two) = (b.mul(iota, four), b.int(2));
        b.sub(scaled, two)
    };
    for table in [&[5usize] as &[_], &[5, 1], &[1, 3]] {
        check("gather", &[table], |b, x| {
            let i = index(b);
            b.gather(x[0], i)
        });
    }
    for rows in [1, 4, 7] {
        check("scatter", &[&[2, 3, 2]], |b, x| {
            let i = index(b);
            b.scatter([rows, 2], i, x[0])
        });
    }
}

/// The set is closed: the gradient of a gradient is a graph, and right.
#[test]
fn second_derivatives() {
    check("second derivative", &[&[3, 2], &[2, 3]], |b, x| {
        let y = b.contract("bi,ij->bj", x[0], x[1]);
        let t = b.tanh(y);
        let top = b.max_keep(t, &[1]);
        let e = b.sub(t, top);
        let p = b.exp(e);
        let loss = b.sum_all(p);
        gradient(b, loss, &[x[0]])[0]
    });
}

#[test]
fn loops_over_time() {
    for (steps, batch, units) in [(1, 1, 1), (3, 2, 2), (4, 1, 3)] {
        let sizes = Sizes { steps, batch, units };
        let shapes = sizes.shapes();
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        for reverse in [false, true] {
            check("lstm", &shapes, |b, x| examples::lstm(b, sizes, reverse, x));
        }
        check("odd", &[&[steps, 3], &[3], &[3]], |b, x| examples::odd(b, steps, x));
        for how in [[false, false], [false, true], [true, false]] {
            check("drawn", &[&[steps, 2, 3], &[2, 4], &[3, 4]], |b, x| examples::drawn(b, steps, how, x));
        }
    }
}

#[test]
fn a_loop_in_a_loop() {
    check("nested", &[&[2, 3, 4], &[4], &[4]], |b, x| {
        let outer = ScanInputs {
            length: 2.into(),
            keep: Keep::Stacks,
            reverse: false,
            carries: &x[1..2],
            slices: &x[..1],
            constants: &x[2..],
        };
        let built = b.scan(&outer, |b, step| {
            let inner = ScanInputs {
                length: 3.into(),
                keep: Keep::Stacks,
                reverse: true,
                carries: &step.carries,
                slices: &step.slices,
                constants: &step.constants,
            };
            let [last, ys] = b.scan(&inner, |b, step| {
                let y = b.mul(step.carries[0], step.constants[0]);
                let y = b.add(y, step.slices[0]);
                let y = b.tanh(y);
                Ok::<_, ()>([vec![y], vec![y]])
            })?;
            let all = b.sum(ys[0], &[0]);
            Ok::<_, ()>([last, vec![all]])
        });
        let [last, ys] = built.expect("test: nothing fails");
        let all = b.sum(ys[0], &[0]);
        b.add(last[0], all)
    });
}
