//! Programs compared with the graph they came from, and snapshots.

mod fusion;
mod movement;
mod product;
mod random;
mod remat;
mod scan;
mod support;
mod training;
mod updates;
mod verifier;
