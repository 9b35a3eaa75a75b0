//! Layers, activations, losses, optimizers, metrics: compositions over `graph`.
//!
//! Formulas are `op` items of the language ([`library`], texts in `kernels/std`); what owns
//! weights or looks at ranks is a layer ([`layers`]); settings are checked by [`attrs`] against
//! signatures that are data ([`Sig`]), with defaults of Keras or PyTorch ([`defaults`]).

pub mod attrs;
pub mod clip;
pub mod defaults;
pub mod draw;
pub mod formula;
pub mod init;
mod layers;
mod library;
pub mod loss;
pub mod metric;
pub mod optimizer;
pub mod plateau;
pub mod schedule;
mod sig;
pub mod stop;
pub mod transform;

pub use layers::{
    Attention, Built, Masking, OpDef, RECURRENT, alias, attend, free_site, known_later, later_layers, layer,
    layers,
};
pub use library::{Library, STD};
pub use sig::*;
