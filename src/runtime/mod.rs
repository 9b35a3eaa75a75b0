//! Everything that touches the world: files, memory, threads, clocks.
//!
//! [`data`] reads what a spec trains on. Nothing here prints: progress goes to a sink that the
//! command line hands in.

pub mod data;
pub mod memory;
