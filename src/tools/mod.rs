//! What is made from specs and tables beside training.

mod changes;
mod defaults;
pub mod fixes;
mod gallery;
pub mod ide;
pub mod json;
pub mod lsp;
mod render;
mod textmate;
pub mod verify;

pub use changes::{Change, changes};
pub use defaults::markdown as defaults;
pub use gallery::{Shown, markdown as gallery};
pub use render::with_defaults;
pub use textmate::grammar as textmate;
