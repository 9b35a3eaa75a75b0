//! Layers, activations, losses, optimizers, metrics: compositions over `graph`.

mod sig;

pub use sig::*;
