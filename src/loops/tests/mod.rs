//! Programs compared with the graph they came from, and snapshots.

mod movement;
mod support;
mod training;
