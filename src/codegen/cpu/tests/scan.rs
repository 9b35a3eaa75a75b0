//! Loops over time, compiled.

use super::*;
use crate::ad::gradient;
use crate::graph::examples::{Sizes, drawn, loss_of, lstm, odd};
use crate::graph::{Builder, OutputKind, Value};
use crate::loops::{self, Fusion};

fn trained(shapes: &[Vec<usize>], op: impl Fn(&mut Builder, &[Value]) -> Value) -> Program {
    let (graph, leaves) = loss_of(shapes, op);
    let loss = graph.outputs[1].value;
    let mut b = Builder::resume(graph);
    for (i, grad) in gradient(&mut b, loss, &leaves).into_iter().enumerate() {
        b.output(format!("d{i}"), grad, OutputKind::Value);
    }
    let mut graph = b.finish();
    crate::opt::run(&mut graph);
    loops::lower(&graph, &Fusion::CPU)
}

#[test]
fn an_lstm_and_its_gradient() {
    for (steps, batch, units) in [(1, 1, 1), (2, 3, 4), (7, 5, 33)] {
        let sizes = Sizes { steps, batch, units };
        for reverse in [false, true] {
            check(&trained(&sizes.shapes(), |b, x| lstm(b, sizes, reverse, x)), 2e-5);
        }
    }
}

#[test]
fn carries_that_stay() {
    for steps in [1, 2, 6] {
        check(&trained(&[vec![steps, 3], vec![3], vec![3]], |b, x| odd(b, steps, x)), 1e-5);
    }
}

#[test]
fn steps_that_draw() {
    for how in [[false, false], [false, true], [true, false]] {
        let shapes = [vec![5, 3, 7], vec![3, 9], vec![7, 9]];
        check(&trained(&shapes, |b, x| drawn(b, 5, how, x)), 2e-5);
    }
}
