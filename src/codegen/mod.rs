//! Loops to code, once for each kind of machine.
//!
//! [`cpu`] makes machine code with Cranelift around the calls of the kernels crate; `wgsl` makes
//! compute shaders. Both start from kernels whose buffers are slots ([`bind`]) and whose dims are
//! merged ([`dims`]).

pub mod bind;
pub mod cpu;
pub mod dims;
#[cfg(feature = "gpu")]
pub mod wgsl;

pub use cpu::{Compiled, FunctionText, Instance, Options, compile};
