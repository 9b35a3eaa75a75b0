//! What is made from specs and tables beside training.

mod render;

pub use render::with_defaults;
