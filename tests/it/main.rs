//! Everything that is tested from outside, in one binary.

mod broken;
mod cli;
mod code;
mod data;
mod floors;
mod folds;
#[cfg(feature = "gpu")]
mod gpu;
mod labels;
mod lessons;
mod memory;
mod metrics;
mod ops;
mod parity;
mod random;
mod run;
mod runs;
mod schedules;
#[cfg(feature = "gpu")]
mod shaders;
mod stages;
mod style;
mod support;
mod tidy;
mod transforms;
mod verify;
