use super::*;
use crate::graph::{Prim, parse, print, verify};
use std::collections::BTreeSet;

#[test]
fn graphs_are_sound_and_the_same_every_time() {
    for seed in 0..50 {
        let (graph, _) = super::graph(seed);
        verify(&graph).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        assert_eq!(print(&graph), print(&super::graph(seed).0));
    }
}

#[test]
fn every_primitive_occurs() {
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let (graph, _) = super::graph(seed);
        for (_, node) in graph.nodes.iter() {
            let text = format!("{:?}", node.prim);
            let name = text.split([' ', '(']).next().unwrap_or_default().to_string();
            seen.insert(match &node.prim {
                Prim::Map { op, .. } => op.name().to_string(),
                _ => name,
            });
        }
    }
    let primitives = [
        "Leaf",
        "Const",
        "Size",
        "Iota",
        "Reduce",
        "Contract",
        "Reshape",
        "Permute",
        "Broadcast",
        "Slice",
        "Pad",
        "Window",
        "Gather",
        "Scatter",
        "Random",
        "Scan",
    ];
    let functions = crate::graph::SCALARS.iter().map(|row| row.name);
    for wanted in primitives.into_iter().chain(functions) {
        assert!(seen.contains(wanted), "{wanted} is never drawn");
    }
}

#[test]
fn shrinking_keeps_what_fails() {
    let (graph, _) = super::graph(3);
    let has_multiplication = |g: &Graph| print(g).contains("= mul ");
    let small = shrink(&graph, has_multiplication);
    assert!(has_multiplication(&small) && parse(&print(&small)).is_ok());
    assert!(small.nodes.len() <= 6, "{}", print(&small));
}

/// A kink in the way of a nudge means that nothing is compared: that must be rare.
#[test]
fn most_graphs_can_be_nudged() {
    let nudgeable = (0..100).filter(|&seed| {
        let (graph, inputs) = super::graph(seed);
        let all: Vec<(&str, usize, f64)> = inputs
            .leaves
            .iter()
            .filter(|(name, _)| name.starts_with('w'))
            .flat_map(|(name, t)| (0..t.data.len()).map(move |i| (name.as_str(), i, 1.0)))
            .collect();
        difference(&graph, &inputs, &all).is_some()
    });
    let count = nudgeable.count();
    assert!(count >= 90, "{count} of 100");
}
