//! Loops over time, with their gradients.

use super::support::check;
use crate::ad::gradient;
use crate::graph::examples::{Sizes, drawn, loss_of, lstm, odd};
use crate::graph::{Builder, Graph, OutputKind, Value, interp, parse, print};
use crate::opt;

/// A loss with the gradient of all leaves.
fn trained(shapes: &[Vec<usize>], op: impl Fn(&mut Builder, &[Value]) -> Value) -> Graph {
    let (graph, leaves) = loss_of(shapes, op);
    let loss = graph.outputs[1].value;
    let mut b = Builder::resume(graph);
    for (i, grad) in gradient(&mut b, loss, &leaves).into_iter().enumerate() {
        b.output(format!("d{i}"), grad, OutputKind::Value);
    }
    b.finish()
}

/// As it is, and rewritten: programs do what the graph does, and rewriting keeps that.
fn check_both(graph: &Graph) -> Graph {
    let again = parse(&print(graph)).expect("what is printed reads");
    assert_eq!(print(&again), print(graph));
    check(graph);
    let mut rewritten = graph.clone();
    opt::run(&mut rewritten);
    check(&rewritten);
    let inputs = super::support::inputs(graph, 7);
    let pairs = interp::run(graph, &inputs).into_iter().zip(interp::run(&rewritten, &inputs));
    for (before, after) in pairs {
        for (x, y) in before.data.iter().zip(&after.data) {
            assert!((x - y).abs() <= 1e-9 * (1.0 + x.abs()), "{x} became {y}\n{}", print(&rewritten));
        }
    }
    rewritten
}

#[test]
fn an_lstm_and_its_gradient() {
    for (steps, batch, units) in [(1, 1, 1), (3, 2, 2), (4, 3, 5)] {
        let sizes = Sizes { steps, batch, units };
        for reverse in [false, true] {
            check_both(&trained(&sizes.shapes(), |b, x| lstm(b, sizes, reverse, x)));
        }
    }
}

#[test]
fn carries_that_stay_and_results_that_nobody_reads() {
    for steps in [1, 2, 5] {
        check_both(&trained(&[vec![steps, 3], vec![3], vec![3]], |b, x| odd(b, steps, x)));
    }
}

#[test]
fn steps_that_draw() {
    for how in [[false, false], [false, true], [true, false]] {
        let graph =
            check_both(&trained(&[vec![3, 2, 3], vec![2, 4], vec![3, 4]], |b, x| drawn(b, 3, how, x)));
        let inputs = super::support::inputs(&graph, 7);
        let y = interp::run(&graph, &inputs).remove(0);
        // What a row dropped is the last carry alone, which the row that came last has twice.
        let last = if how[1] { 0 } else { 2 };
        let dropped =
            |row: usize| (0..8).map(|i| 2.0 * y.data[8 * row + i] == y.data[8 * last + i]).collect();
        let [one, other]: [Vec<bool>; 2] = [dropped(1), dropped(2 - last)];
        assert!(one != other && one.contains(&true) && one.contains(&false), "each row draws anew: {y:?}");
    }
}

#[test]
fn the_gradient_of_a_recurrent_weight_is_one_product() {
    let sizes = Sizes { steps: 4, batch: 3, units: 5 };
    let graph = check_both(&trained(&sizes.shapes(), |b, x| lstm(b, sizes, false, x)));
    insta::assert_snapshot!(print(&graph));
}
