//! Loop nests: what both backends are generated from.

pub mod affine;
pub mod dims;
mod fuse;
pub mod interp;
mod ir;
mod lower;

pub use ir::*;
pub use lower::{lower, lower_unfused};

#[cfg(test)]
mod tests;
