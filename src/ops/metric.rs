//! Metrics by name. One name may stand for several formulas: the shapes choose.

use super::Library;
use super::formula::{Given, Item, apply_std};
use crate::base::{DType, Dim, Span};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};

/// What the average over all rows becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    Mean,
    /// Its square root: `rmse` averages squares.
    Root,
}

/// A metric: one or more ops of `std/metric.mlspec`, each of prediction and label.
#[derive(Debug)]
pub struct MetricDef {
    /// As the spec calls it.
    pub name: &'static str,
    /// What other frameworks call it: answered by a fix-it.
    pub aliases: &'static [&'static str],
    pub doc: &'static str,
    pub form: Form,
    pub finish: Finish,
}

/// Which formula computes it.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    One(&'static str),
    /// Chosen by the prediction: scores of classes, one logit a row, or class ids.
    Accuracy {
        classes: &'static str,
        binary: &'static str,
        exact: &'static str,
    },
}

/// Every metric.
pub static METRICS: &[MetricDef] = &[
    MetricDef {
        name: "accuracy",
        aliases: &["acc", "Accuracy", "SparseCategoricalAccuracy", "CategoricalAccuracy", "BinaryAccuracy"],
        doc: "The share of rows that are right: the largest logit is the label's, or a single logit lies on \
              the label's side of 0.",
        form: Form::Accuracy {
            classes: "categorical_accuracy",
            binary: "binary_accuracy",
            exact: "exact_accuracy",
        },
        finish: Finish::Mean,
    },
    MetricDef {
        name: "mae",
        aliases: &["MeanAbsoluteError", "MAE", "L1"],
        doc: "Mean absolute error.",
        form: Form::One("absolute_error"),
        finish: Finish::Mean,
    },
    MetricDef {
        name: "mse",
        aliases: &["MSE"],
        doc: "Mean squared error.",
        form: Form::One("squared_error"),
        finish: Finish::Mean,
    },
    MetricDef {
        name: "rmse",
        aliases: &["RootMeanSquaredError", "RMSE"],
        doc: "The root of the mean squared error over all rows.",
        form: Form::One("squared_error"),
        finish: Finish::Root,
    },
];

/// Metrics of the language that are not built yet.
static LATER: &[&str] =
    &["precision", "recall", "f1", "auc", "perplexity", "top_k", "r2", "iou", "map", "bleu"];

/// The metric of that name.
pub fn find(name: &str) -> Option<&'static MetricDef> {
    METRICS.iter().find(|m| m.name == name)
}

/// Our name of what is called `name` elsewhere.
pub fn alias(name: &str) -> Option<&'static str> {
    METRICS.iter().find(|m| m.aliases.contains(&name)).map(|m| m.name)
}

pub fn known_later(name: &str) -> bool {
    LATER.contains(&name)
}

/// A metric of one batch, before it is averaged: counts stay exact below 2^24.
#[derive(Clone, Debug)]
pub struct Score {
    /// A scalar: the scores of all elements together.
    pub sum: Value,
    /// How many elements there are, in terms of the batch.
    pub count: Dim,
}

/// The metric of one batch, to be averaged over all batches and then [`MetricDef::finish`]ed.
/// Prediction and label are what the loss takes: tensors, or a plain number for the label.
pub fn build(
    lib: &Library,
    b: &mut Builder,
    metric: &MetricDef,
    prediction: Given<Item>,
    label: Given<Item>,
    span: Span,
) -> Result<Score, Vec<Diagnostic>> {
    let op = match metric.form {
        Form::One(op) => op,
        Form::Accuracy { classes, binary, exact } => match kind(b, &prediction.value, &label.value) {
            Prediction::Classes => classes,
            Prediction::Logit => binary,
            Prediction::Ids => exact,
        },
    };
    let scores = apply_std(lib, b, op, vec![prediction, label], span)?[0];
    Ok(Score { sum: b.sum_all(scores), count: b.shape(scores).size() })
}

enum Prediction {
    /// A score for each class along the last axis.
    Classes,
    /// One number: positive is the second of two classes.
    Logit,
    /// A class itself.
    Ids,
}

fn kind(b: &Builder, prediction: &Item, label: &Item) -> Prediction {
    let rank = |item: &Item| match item {
        Item::Tensor(v) => b.shape(*v).rank(),
        Item::Number(_) | Item::Bool(_) | Item::Text(_) | Item::Tuple(_) => 0,
        Item::Entity(never) => match *never {},
    };
    let whole = matches!(prediction, Item::Tensor(v) if b.dtype(*v) == DType::I32);
    let of_tensor = matches!(label, Item::Tensor(_));
    match (whole, of_tensor && rank(prediction) == rank(label) + 1) {
        (true, _) => Prediction::Ids,
        (false, true) => Prediction::Classes,
        (false, false) => Prediction::Logit,
    }
}
