//! The building blocks that generated code is made of.
//!
//! Everything here is reached through plain C calls with raw pointers, so this
//! crate is the home of nearly all `unsafe`. Promises: the same inputs give the
//! same bits on every instruction set that has fused multiply-add, for every
//! number of threads; nothing allocates after set-up.

pub mod abi;
pub mod block;
pub mod denormals;
pub mod gemm;
pub mod isa;
pub mod rng;
pub mod simd;
pub mod strip;
pub mod team;

pub use isa::Isa;
