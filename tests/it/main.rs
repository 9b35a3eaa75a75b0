//! Everything that is tested from outside, in one binary.

mod broken;
mod cli;
mod code;
mod lessons;
mod ops;
mod parity;
mod random;
mod stages;
mod style;
mod support;
mod tidy;
