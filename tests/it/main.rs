//! Everything that is tested from outside, in one binary.

mod broken;
mod cli;
mod memory;
mod ops;
mod random;
mod run;
mod style;
mod tidy;
