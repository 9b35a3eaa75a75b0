//! Attention of long sequences, which goes by tiles.

use crate::graph::{Graph, Keep, Prim};
use serde::Serialize;

/// Attentions of one size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tiles {
    /// How many there are.
    pub count: usize,
    /// Queries of all, and of a tile.
    pub steps: usize,
    pub queries: usize,
}

/// Of graphs whose sizes are numbers, in their order.
pub(super) fn of(forwards: &[Graph]) -> Vec<Tiles> {
    let mut all: Vec<Tiles> = Vec::new();
    for (_, node) in forwards.iter().flat_map(|graph| graph.nodes.iter()) {
        let Prim::Scan { body, .. } = &node.prim else { continue };
        if body.keep == Keep::Stacks {
            continue;
        }
        // The queries come first: `f32[tiles, B, queries, n]`.
        let sizes = body.input(body.carries).shape.as_const().expect("runtime: sizes are bound");
        let [tiles, _, queries, _] = sizes[..] else { continue };
        match all.iter_mut().find(|known| (known.steps, known.queries) == (tiles * queries, queries)) {
            Some(known) => known.count += 1,
            None => all.push(Tiles { count: 1, steps: tiles * queries, queries }),
        }
    }
    all
}
