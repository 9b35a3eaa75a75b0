//! Loop nests: what both backends are generated from.

mod ir;

pub use ir::*;
