//! What is made from specs and tables beside training.

mod changes;
mod render;
pub mod verify;

pub use changes::{Change, changes};
pub use render::with_defaults;
