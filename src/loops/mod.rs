//! Loop nests: what both backends are generated from.

pub mod affine;
pub mod dims;
mod fuse;
pub mod interp;
mod ir;
mod lower;
pub mod memory;
mod print;
mod verify;

pub use ir::*;
pub use lower::{lower, lower_unfused};
pub use print::print;
pub use verify::{varies, verify};

#[cfg(test)]
mod tests;
