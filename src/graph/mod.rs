//! The tensor graph: what a model computes, before anyone says how.

mod builder;
mod infer;
mod ir;
mod scalar;

pub use builder::{Builder, broadcast_shapes};
pub use infer::window_places;
pub use ir::*;
pub use scalar::{Cpu, Scalar, ScalarOp, TABLE as SCALARS, Types};
