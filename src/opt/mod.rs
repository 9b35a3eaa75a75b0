//! Rewrites of graphs: a table of passes, each with its reason.
//!
//! Every pass keeps [`verify`](crate::graph::verify), the leaves, and the outputs' names and
//! types; values change at most by rounding, and each pass says where. Passes repeat until
//! none finds anything, which makes their order a matter of speed alone.

mod algebra;
mod bodies;
mod canonical;
mod cse;
mod dce;
mod factors;
mod fold;
mod movement;
mod phases;
mod rewrite;
pub mod stepwise;

use crate::graph::Graph;

/// One rewrite of a whole graph.
pub struct Pass {
    pub name: &'static str,
    pub why: &'static str,
    /// True if it changed something.
    pub run: fn(&mut Graph) -> bool,
}

/// In the order of a round.
pub const PASSES: &[Pass] = &[
    Pass {
        name: "canonical",
        why: "one spelling for what is equal, so that others match less",
        run: canonical::run,
    },
    Pass { name: "fold", why: "numbers known now need no code", run: fold::run },
    Pass { name: "algebra", why: "autodiff and formulas leave x * 1, x + 0 and x ^ 2", run: algebra::run },
    Pass { name: "factors", why: "what is the same along a sum is multiplied once", run: factors::run },
    Pass {
        name: "movement",
        why: "elementwise chains fuse when no reshape stands between",
        run: movement::run,
    },
    Pass {
        name: "phases",
        why: "a stride leaves zeros between places, which need not be multiplied",
        run: phases::run,
    },
    Pass { name: "cse", why: "forward and backward compute the same values", run: cse::run },
    Pass { name: "bodies", why: "a step of a loop is a graph like any other", run: bodies::run },
    Pass { name: "dce", why: "autodiff and rewrites leave unused branches", run: dce::run },
];

/// No graph seen needs more than half of them; a cycle of rewrites would be a bug, and ends here.
const MAX_ROUNDS: usize = 16;

/// What one pass did over all rounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassReport {
    pub name: &'static str,
    pub why: &'static str,
    /// In how many rounds it found something.
    pub rounds: usize,
    /// Nodes added less nodes removed.
    pub growth: isize,
}

/// Runs all passes until none changes anything.
pub fn run(graph: &mut Graph) -> Vec<PassReport> {
    let mut reports: Vec<PassReport> = PASSES
        .iter()
        .map(|pass| PassReport { name: pass.name, why: pass.why, rounds: 0, growth: 0 })
        .collect();
    // Done when every pass in turn found nothing, wherever the turn began.
    let mut quiet = 0;
    let turns = (0..MAX_ROUNDS).flat_map(|_| PASSES.iter().enumerate());
    for (i, pass) in turns {
        let before = graph.nodes.len();
        let changed = (pass.run)(graph);
        reports[i].rounds += usize::from(changed);
        reports[i].growth += graph.nodes.len() as isize - before as isize;
        quiet = if changed { 0 } else { quiet + 1 };
        if quiet == PASSES.len() {
            break;
        }
    }
    reports
}

#[cfg(test)]
mod tests;
