//! Everything that touches the world: files, memory, threads, clocks.
//!
//! [`data`] reads what a spec trains on, [`session`] trains, [`plan`] tells beforehand what that
//! takes, [`bench`] times it. Nothing here prints: progress goes to a sink that the command line
//! hands in.

pub mod bench;
pub mod checkpoint;
pub mod data;
mod disk;
pub mod engine;
pub mod error;
pub mod evaluate;
pub mod folds;
mod gathering;
pub mod generate;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod machine;
pub mod memory;
pub mod paces;
mod phases;
pub mod plan;
pub mod predict;
pub mod pretrained;
pub mod process;
pub mod progress;
#[cfg(any(feature = "gpu", feature = "parquet"))]
mod quiet;
mod room;
pub mod run_dir;
pub mod sections;
pub mod session;
pub mod table_out;
mod tables;
mod tallies;
pub mod times;
pub mod trainer;
mod warm;
pub mod weights;

pub use engine::{DeviceKind, On};
pub use error::RunError;
