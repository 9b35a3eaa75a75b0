//! Everything that is tested from outside, in one binary.

mod broken;
mod cli;
mod ops;
mod random;
mod style;
mod tidy;
