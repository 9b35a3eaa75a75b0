//! What is made from specs and tables beside training.

mod changes;
mod defaults;
mod gallery;
mod render;
pub mod verify;

pub use changes::{Change, changes};
pub use defaults::markdown as defaults;
pub use gallery::{Shown, markdown as gallery};
pub use render::with_defaults;
