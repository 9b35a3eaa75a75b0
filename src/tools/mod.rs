//! What is made from specs and tables beside training.

mod render;
pub mod verify;

pub use render::with_defaults;
