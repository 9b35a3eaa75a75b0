//! The tensor graph: what a model computes, before anyone says how.

mod ir;
mod scalar;

pub use ir::*;
pub use scalar::ScalarOp;
