//! Training on a GPU: a device, the memory of a job on it, and programs that run there.
//!
//! [`Device`] opens an adapter; [`Demand`] says beforehand what a job takes of it; [`Instance`] runs
//! one program by hand. Weights live on the device while a job trains; steps are handed over several at
//! a time, and what they leave (losses, metrics) comes back the same way, in order.
//!
//! Promises: the same device gives the same bits every time; nothing of wgpu's ends in a panic, all of
//! it in a [`Fault`], which becomes a diagnostic where somebody knows the place in the spec.

mod demand;
mod device;
mod engine;
mod fault;
mod heaps;
mod instance;
mod loaded;

pub use demand::{Demand, Ring};
pub use device::{BY_NAME, Choice, Device, Limits};
pub use engine::Engine;
pub use fault::Fault;
pub use instance::Instance;
