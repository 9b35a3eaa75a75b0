//! mlc: a declarative model-spec compiler.
//!
//! A spec becomes a tensor graph with every shape known; the graph is
//! differentiated, rewritten, lowered to loop nests and turned into machine
//! code that runs the training. The modules stand in the order of the data
//! flow, and each uses only those above it (`tests/it/tidy.rs` enforces it).

pub mod ad;
pub mod base;
pub mod cli;
pub mod codegen;
pub mod diag;
pub mod graph;
pub mod loops;
pub mod ops;
pub mod opt;
pub mod pipeline;
pub mod runtime;
pub mod sema;
pub mod syntax;
pub mod tools;
