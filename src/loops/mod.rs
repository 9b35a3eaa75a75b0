//! Loop nests: what both backends are generated from.
//!
//! [`lower`] turns a graph whose sizes are numbers into a [`Program`]: a table
//! of buffers and a list of kernels, joined so that values stay in registers
//! and L1, movement composed into access maps, new weights written in place.
//! [`print`] shows it to people, [`verify`] checks what the backends rely on,
//! [`interp`] runs it by its meaning, and [`memory`] places what is temporary.
//! Everything here is a function of the graph and of [`Fusion`], what a backend
//! can take, as data: no device, no threads.
//!
//! A product multiplies two [`Operand`]s, each a formula of what it loads (bytes
//! scaled to numbers, padding, a lookup), and ends in a body that may fold over
//! all of its columns (softmax with its loss). A backend that takes less is
//! given plain loads, and rows as kernels of their own.
//!
//! A [`Scan`] runs a program of its own once for each step of time: a step's row of an
//! input is a buffer that moves with the step, a carry has two places that take turns.
//!
//! How it is meant to hold what is not built yet:
//!
//! - **3x3 convolution.** Already a [`Contract`]: `m` is (row, column), `k` is
//!   (window row, window column, channel), a window puts two strides on one
//!   axis of the input, and guards are its padding. Of its gradients, the weight's has the same map;
//!   the input's is a product over windows of the gradient, padded in between.
//! - **Attention.** Today two products, the first ending in the softmax where
//!   its rows are short, the causal mask being `Index` comparisons in its body. An `Attend` kernel takes
//!   all three: a product, phases over `k` that rescale what they have summed,
//!   a product; operands are the same strided loads (heads are only strides).

pub mod affine;
pub mod dims;
mod fuse;
mod fusion;
pub mod interp;
mod ir;
mod lower;
pub mod memory;
mod print;
pub mod remat;
mod scan;
mod verify;

pub use fusion::Fusion;
pub use ir::*;
pub use lower::{lower, lower_unfused};
pub use print::print;
pub use scan::{Scan, ScanLayout};
pub use verify::{varies, verify};

#[cfg(test)]
mod tests;
