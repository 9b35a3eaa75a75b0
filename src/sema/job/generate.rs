//! A `generate` section, checked: what a trained model makes when it is asked to.

use crate::base::{Dim, Span};
use crate::graph::Graph;

/// `generate sample { model = Gpt  prompt = "ROMEO:" … }`
#[derive(Clone, Debug)]
pub struct GeneratePlan {
    pub name: String,
    pub span: Span,
    pub seed: u64,
    pub makes: Makes,
}

/// What is made.
#[derive(Clone, Debug)]
pub enum Makes {
    Samples(SamplesPlan),
    Text(Box<TextPlan>),
}

/// `draw { noise = Normal(shape=[B, 64]) }  count = 10000`: what a model makes of random numbers.
#[derive(Clone, Debug)]
pub struct SamplesPlan {
    pub count: usize,
    /// Evaluation mode, without columns: an output of kind [`Value`](crate::graph::OutputKind::Value) for each of the
    /// model's, its first axis the batch.
    pub graph: Graph,
}

/// `prompt = "ROMEO:"  max_new_tokens = 200`: a text that goes on.
#[derive(Clone, Debug)]
pub struct TextPlan {
    pub prompt: String,
    pub prompt_span: Span,
    pub max_new_tokens: usize,
    /// Evaluation mode: the leaf `tokens: i32[B, T]` of the batch, and one output `f32[B, T, ids]`: the logits of what
    /// follows each token.
    pub graph: Graph,
    /// What `T` is.
    pub context: Dim,
    /// The column of the data that the model's input was fed with, as in `plays.tokens`.
    pub column: (String, String),
    pub sampling: Sampling,
}

/// How the next token is chosen, in the words of Hugging Face's `generate`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Drawn by its probability; otherwise the most probable is taken.
    pub do_sample: bool,
    /// Logits are divided by it before they become probabilities.
    pub temperature: f64,
    /// Only so many of the most probable are drawn from.
    pub top_k: Option<usize>,
    /// Only the fewest whose probabilities together reach this are drawn from.
    pub top_p: Option<f64>,
    /// Texts that are followed at once, of which the most probable are kept; 1 is no search.
    pub num_beams: usize,
    /// No run of so many tokens comes twice in a text.
    pub no_repeat_ngram_size: Option<usize>,
    pub num_return_sequences: usize,
}
