//! Weights that a model takes from a file of another program, checked.

use crate::base::{Dim, Shape, Span};

/// `pretrained = safetensors("gpt2.safetensors", prefix="transformer.")`
#[derive(Clone, Debug)]
pub struct Pretrained {
    /// Looked up beside the spec, then in the data folder.
    pub path: String,
    pub path_span: Span,
    pub prefix: String,
    pub layout: Layout,
    /// What is taken, in the order of the model.
    pub weights: Vec<Taken>,
}

/// Whose habits the file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Names, axes and gates as here.
    Mlc,
    /// As PyTorch's modules keep them.
    Torch,
}

impl Layout {
    pub const WORDS: &'static [&'static str] = &["mlc", "torch"];

    pub fn parse(word: &str) -> Option<Layout> {
        match word {
            "mlc" => Some(Layout::Mlc),
            "torch" => Some(Layout::Torch),
            _ => None,
        }
    }
}

/// A weight of the model, and what of the file it is made of.
#[derive(Clone, Debug)]
pub struct Taken {
    /// As the run calls it: `Gpt.h.0.ln_1.weight` where there are several models.
    pub name: String,
    pub shape: Shape,
    /// Where a file may have it: of these the first of which all pieces are there. At least one.
    pub ways: Vec<Way>,
    /// The layer that has it.
    pub span: Span,
}

/// Pieces that are added: one, or both biases of a recurrent layer.
pub type Way = Vec<Piece>;

/// A tensor of the file and how it becomes one of ours: some of its rows, seen in another shape, its axes turned.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// In the file.
    pub name: String,
    /// There.
    pub shape: Vec<Dim>,
    /// The first axis in so many equal parts, of which these are kept, in this order. All if it is one part.
    pub parts: (usize, Vec<usize>),
    /// What is kept, seen so.
    pub view: Vec<Dim>,
    /// For each axis of the result the one of `view` that it is; less axes of one element it has the weight's shape.
    pub axes: Vec<usize>,
}

/// A tensor that a file has, as its header tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    pub name: String,
    /// As the format calls it: `F32`, `BF16`.
    pub dtype: String,
    pub shape: Vec<usize>,
}
