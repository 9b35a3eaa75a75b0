//! The tensor graph: what a model computes, before anyone says how.

pub mod arbitrary;
mod builder;
#[cfg(test)]
pub mod examples;
mod infer;
pub mod interp;
mod ir;
mod parse;
mod print;
mod scalar;
mod scan;
mod verify;

pub use builder::{Builder, Part, broadcast_shapes};
pub use infer::window_places;
pub use ir::*;
pub use parse::parse;
pub use print::print;
pub use scalar::{Cpu, Scalar, ScalarOp, TABLE as SCALARS, Types};
pub use scan::{DRAWN_ROWS, Keep, ScanBody, ScanInputs, ScanStep};
pub use verify::verify;

#[cfg(test)]
mod tests;
