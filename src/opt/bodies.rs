//! Rewrites the bodies of scans, each as a graph of its own.
//!
//! As the passes themselves: values change at most by rounding.

use crate::graph::{Graph, Prim};
use std::sync::Arc;

pub fn run(graph: &mut Graph) -> bool {
    let mut changed = false;
    for node in graph.nodes.iter_mut() {
        if let Prim::Scan { body, .. } = &mut node.prim {
            let reports = super::run(&mut Arc::make_mut(body).graph);
            changed |= reports.iter().any(|report| report.rounds > 0);
        }
    }
    changed
}
