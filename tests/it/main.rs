//! Everything that is tested from outside, in one binary.

mod ops;
mod random;
mod tidy;
