//! How PyTorch's modules keep the weights of our layers.
//!
//! A `Linear` keeps `[out, in]`, a convolution its two axes of channels first, recurrent layers have the gates of all
//! products in the first axis, two biases that are added, and names that tell layer and direction
//! (`weight_ih_l0_reverse`); `MultiheadAttention` keeps queries, keys and values in one matrix.

use crate::base::{Dim, Shape};
use crate::sema::job::{Piece, Way};

/// A weight of a layer: `path` with a dot behind, and the name in the layer.
pub(super) struct Weight<'a> {
    pub kind: &'a str,
    pub path: &'a str,
    pub own: &'a str,
    pub shape: &'a Shape,
}

impl Weight<'_> {
    /// A tensor of the layer's module in the file whose axes become ours by `axes`.
    fn turned(&self, name: &str, axes: &[usize]) -> Piece {
        let dims = self.shape.dims();
        let mut theirs = vec![Dim::one(); dims.len()];
        axes.iter().zip(dims).for_each(|(axis, dim)| theirs[*axis] = dim.clone());
        Piece {
            name: format!("{}{name}", self.path),
            shape: theirs.clone(),
            parts: (1, vec![0]),
            view: theirs,
            axes: axes.to_vec(),
        }
    }

    fn same(&self, name: &str) -> Piece {
        let axes: Vec<usize> = (0..self.shape.rank()).collect();
        self.turned(name, &axes)
    }

    /// The places along time or in an image come first with us and last with them.
    fn channels_first(&self, name: &str, axes: [usize; 2]) -> Piece {
        let places = self.shape.rank() - 2;
        // Which of their axes is ours: their channels are axes 0 and 1.
        let all: Vec<usize> = (2..places + 2).chain(axes).collect();
        self.turned(name, &all)
    }
}

/// Where a file of PyTorch may have a weight.
pub(super) fn ways(weight: &Weight) -> Vec<Way> {
    let one = |piece: Piece| vec![vec![piece]];
    let rank = weight.shape.rank();
    match (weight.kind, weight.own) {
        ("Embedding" | "PReLU" | "LayerNorm" | "GroupNorm" | "RMSNorm" | "BatchNorm", own) => {
            one(weight.same(own))
        }
        ("MultiHeadAttention", own) => attention(weight, own),
        ("LSTM" | "GRU" | "SimpleRNN", own) => recurrent(weight, own),
        ("Conv2DTranspose", "weight") => one(weight.channels_first("weight", [0, 1])),
        ("DepthwiseConv2D", "weight") => one(depthwise(weight, "weight")),
        ("SeparableConv2D", "depthwise.weight") => one(depthwise(weight, "depthwise.weight")),
        ("SeparableConv2D", "pointwise.weight") => one(pointwise(weight)),
        // A layer on each step keeps its weights as it does alone.
        (_, "weight") if rank == 2 => one(weight.turned("weight", &[1, 0])),
        (_, "weight") if rank > 2 => one(weight.channels_first("weight", [1, 0])),
        (_, own) => one(weight.same(own)),
    }
}

/// `[height, width, n, multiplier]` is theirs as `[n * multiplier, 1, height, width]`.
fn depthwise(weight: &Weight, name: &str) -> Piece {
    let [height, width, n, multiplier] = weight.shape.dims() else { return weight.same(name) };
    Piece {
        name: format!("{}{name}", weight.path),
        shape: vec![n.clone() * multiplier.clone(), Dim::one(), height.clone(), width.clone()],
        parts: (1, vec![0]),
        view: vec![n.clone(), multiplier.clone(), height.clone(), width.clone()],
        axes: vec![2, 3, 0, 1],
    }
}

/// A product at each place is theirs a convolution of one place.
fn pointwise(weight: &Weight) -> Piece {
    let turned = weight.turned("pointwise.weight", &[1, 0]);
    let shape = [turned.shape.as_slice(), &[Dim::one(), Dim::one()]].concat();
    Piece { shape, ..turned }
}

/// `q.weight` is the first third of `in_proj_weight`, or a matrix of its own where widths differ.
fn attention(weight: &Weight, own: &str) -> Vec<Way> {
    let rank = weight.shape.rank();
    let piece = |name: &str| match rank {
        2 => weight.turned(name, &[1, 0]),
        _ => weight.same(name),
    };
    let Some((part, last)) = own.split_once('.') else { return vec![vec![weight.same(own)]] };
    let Some(third) = ["q", "k", "v"].iter().position(|p| *p == part) else {
        return vec![vec![piece(&format!("out_proj.{last}"))], vec![piece(own)]];
    };
    let joined = parts_of(piece(&format!("in_proj_{last}")), 3, vec![third]);
    let apart = piece(&format!("{part}_proj_{last}"));
    vec![vec![joined], vec![apart], vec![piece(&format!("{part}_proj.{last}"))], vec![piece(own)]]
}

/// The piece as some of `count` equal parts of the first axis of what is in the file.
fn parts_of(piece: Piece, count: usize, kept: Vec<usize>) -> Piece {
    let mut shape = piece.shape.clone();
    // All parts are kept in another order, or one of them.
    if kept.len() == 1 {
        shape[0] = shape[0].clone() * Dim::from(count);
    }
    Piece { shape, parts: (count, kept), ..piece }
}

/// `weight_ih` is `weight_ih_l0`; of a cell it has no number.
fn recurrent(weight: &Weight, own: &str) -> Vec<Way> {
    let (own, back) = match own.split_once('.') {
        Some(("forward", own)) => (own, ""),
        Some(("backward", own)) => (own, "_reverse"),
        Some(_) | None => (own, ""),
    };
    let is_gru = weight.kind == "GRU";
    let piece = |name: String| {
        let piece = match weight.shape.rank() {
            2 => weight.turned(&name, &[1, 0]),
            _ => weight.same(&name),
        };
        // Their gates of a GRU are in the order r z n, ours in the order z r n.
        if is_gru { parts_of(piece, 3, vec![1, 0, 2]) } else { piece }
    };
    let called = |end: &str| -> Way {
        match own {
            // One bias stands for both, unless the layer keeps the other by itself.
            "bias" if is_gru => vec![piece(format!("bias_ih{end}"))],
            "bias" => vec![piece(format!("bias_ih{end}")), piece(format!("bias_hh{end}"))],
            _ => vec![piece(format!("{own}{end}"))],
        }
    };
    vec![called(&format!("_l0{back}")), called(back)]
}
