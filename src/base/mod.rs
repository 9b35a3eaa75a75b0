//! What every stage speaks: places in the source, typed handles, number
//! types, and sizes that may still have names.

mod dim;
mod id;
mod source;
mod ty;

pub use dim::{Bindings, Dim, Shape, Sym};
pub use id::{Arena, Id};
pub use source::{FileId, Source, Sources, Span, Spanned};
pub use ty::{DType, Precision, TensorType};
