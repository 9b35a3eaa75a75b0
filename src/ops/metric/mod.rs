//! Metrics by name. One name may stand for several formulas: the shapes and settings choose.
//!
//! A metric of a batch is a few tensors of sums, its [`Part`]s; a [`Tally`] adds them over all batches
//! and makes one number of them at the end, so that it is that of the whole split, not a mean of means.

mod tally;

pub use tally::{Average, Finish, Rate, Tally};

use super::formula::{Given, Item, Number, apply_std};
use super::{Attr, AttrType, AttrValue, Default, Library, Sig};
use crate::base::{DType, Dim, Span};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};

/// A metric: one or more ops of `std/metric.mlspec`, each of prediction and label.
#[derive(Debug)]
pub struct MetricDef {
    pub sig: Sig,
    /// What to look for: the best of several epochs or runs.
    pub better: Better,
    form: Form,
}

/// Which of two values of a metric is that of the better model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Higher,
    Lower,
}

impl Better {
    /// Whether `a` is better than `b`. What is no number is better than nothing.
    pub fn prefers(self, a: f64, b: f64) -> bool {
        match self {
            Better::Higher => a > b || (b.is_nan() && !a.is_nan()),
            Better::Lower => a < b || (b.is_nan() && !a.is_nan()),
        }
    }
}

/// How it is computed.
#[derive(Debug)]
enum Form {
    /// This op scores every element.
    Elements(&'static str, Finish),
    /// Chosen by the prediction.
    Rows(&'static Scores, Finish),
    /// Whether the label is among the `k` largest.
    TopK,
    /// Counts of right and wrong answers.
    Rate(Rate),
    /// Squares around the target and around its mean.
    Explained,
}

/// The op that scores a row, by what the prediction is.
#[derive(Debug)]
struct Scores {
    /// Scores of classes along the last axis.
    classes: &'static str,
    /// One logit.
    binary: &'static str,
    /// A class id.
    ids: &'static str,
}

static ACCURACY: Scores =
    Scores { classes: "categorical_accuracy", binary: "binary_accuracy", ids: "exact_accuracy" };
/// A class id is no logit: the op for logits says so.
static LOG_LOSS: Scores =
    Scores { classes: "categorical_log_loss", binary: "binary_log_loss", ids: "binary_log_loss" };
static OUTCOMES: Scores =
    Scores { classes: "categorical_outcomes", binary: "binary_outcomes", ids: "binary_outcomes" };

const K: &[Attr] = &[Attr {
    name: "k",
    ty: AttrType::Int { min: 1, max: i64::MAX },
    default: Default::Required,
    doc: "How many classes count as an answer.",
}];

const AVERAGE: &[Attr] = &[Attr {
    name: "average",
    ty: AttrType::Choice(&["macro", "micro", "weighted"]),
    default: Default::None,
    doc: "How classes become one number: `macro` takes the mean over classes that occur, `micro` counts all \
          rows together, `weighted` weighs classes by their rows. Without it, one logit is judged on the \
          positive class, and several classes as `macro`.",
}];

const fn metric(
    name: &'static str,
    aliases: &'static [&'static str],
    doc: &'static str,
    better: Better,
    form: Form,
) -> MetricDef {
    MetricDef { sig: Sig { name, aliases, doc, example: name, inputs: &[], attrs: &[] }, better, form }
}

const fn rate(
    name: &'static str,
    aliases: &'static [&'static str],
    doc: &'static str,
    rate: Rate,
) -> MetricDef {
    MetricDef {
        sig: Sig { name, aliases, doc, example: name, inputs: &[], attrs: AVERAGE },
        better: Better::Higher,
        form: Form::Rate(rate),
    }
}

/// Every metric.
pub static METRICS: &[MetricDef] = &[
    metric(
        "accuracy",
        &["acc", "Accuracy", "SparseCategoricalAccuracy", "CategoricalAccuracy", "BinaryAccuracy"],
        "The share of rows that are right: the largest logit is the label's, or a single logit lies on the \
         label's side of 0.",
        Better::Higher,
        Form::Rows(&ACCURACY, Finish::Mean),
    ),
    MetricDef {
        sig: Sig {
            name: "top_k",
            aliases: &["TopKCategoricalAccuracy", "SparseTopKCategoricalAccuracy", "top_k_accuracy"],
            doc: "The share of rows whose label has one of the `k` largest logits; of equal ones the first counts.",
            example: "top_k(5)",
            inputs: &[],
            attrs: K,
        },
        better: Better::Higher,
        form: Form::TopK,
    },
    rate(
        "precision",
        &["Precision"],
        "Of the rows that are called a class, the share that is of it; 0 if none is called so.",
        Rate::Precision,
    ),
    rate(
        "recall",
        &["Recall"],
        "Of the rows of a class, the share that is called so; 0 if there are none.",
        Rate::Recall,
    ),
    rate(
        "f1",
        &["F1", "F1Score", "f1_score"],
        "The harmonic mean of precision and recall: 2 hits / (called so + of the class).",
        Rate::F1,
    ),
    metric(
        "log_loss",
        &["LogLoss"],
        "Mean cross entropy of the logits, in nats.",
        Better::Lower,
        Form::Rows(&LOG_LOSS, Finish::Mean),
    ),
    metric(
        "perplexity",
        &["Perplexity"],
        "e to the power of the mean cross entropy: among how many equal choices the model wavers.",
        Better::Lower,
        Form::Rows(&LOG_LOSS, Finish::Exp),
    ),
    metric(
        "mae",
        &["MeanAbsoluteError", "MAE", "L1"],
        "Mean absolute error.",
        Better::Lower,
        Form::Elements("absolute_error", Finish::Mean),
    ),
    metric(
        "mse",
        &["MSE"],
        "Mean squared error.",
        Better::Lower,
        Form::Elements("squared_error", Finish::Mean),
    ),
    metric(
        "rmse",
        &["RootMeanSquaredError", "RMSE"],
        "The root of the mean squared error over all rows.",
        Better::Lower,
        Form::Elements("squared_error", Finish::Root),
    ),
    metric(
        "mape",
        &["MAPE"],
        "Mean absolute error in percent of the target, which counts as 1e-7 where it is smaller.",
        Better::Lower,
        Form::Elements("percentage_error", Finish::Mean),
    ),
    metric(
        "r2",
        &["R2", "R2Score", "r2_score"],
        "The share of the target's variance that the prediction explains: 1 is perfect, 0 as good as the \
         mean. Several targets along the last axes are averaged.",
        Better::Higher,
        Form::Explained,
    ),
];

/// Metrics of the language that are not built yet.
static LATER: &[&str] = &["auc", "iou", "map", "bleu"];

/// The metric of that name.
pub fn find(name: &str) -> Option<&'static MetricDef> {
    METRICS.iter().find(|m| m.sig.name == name)
}

/// Our name of what is called `name` elsewhere.
pub fn alias(name: &str) -> Option<&'static str> {
    METRICS.iter().find(|m| m.sig.aliases.contains(&name)).map(|m| m.sig.name)
}

pub fn known_later(name: &str) -> bool {
    LATER.contains(&name)
}

/// A metric of one batch: counts stay exact below 2^24.
#[derive(Clone, Debug)]
pub struct Score {
    /// What a [`Tally`] takes, in this order.
    pub parts: Vec<Part>,
    /// How many elements were scored, or rows, in terms of the batch.
    pub count: Dim,
    pub finish: Finish,
}

/// A tensor of sums over a batch.
#[derive(Clone, Debug)]
pub struct Part {
    /// Of which there are several; empty for the only one.
    pub name: &'static str,
    pub value: Value,
}

/// The metric of one batch. Prediction and label are what the loss takes: tensors, or a plain number
/// for the label. `settings` are those of its signature, checked.
pub fn build(
    lib: &Library,
    b: &mut Builder,
    metric: &MetricDef,
    settings: &[AttrValue],
    prediction: Given<Item>,
    label: Given<Item>,
    span: Span,
) -> Result<Score, Vec<Diagnostic>> {
    let apply = |b: &mut Builder, op, args| apply_std(lib, b, op, args, span);
    let chosen = |b: &Builder, scores: &Scores| match kind(b, &prediction.value, &label.value) {
        Prediction::Classes => scores.classes,
        Prediction::Logit => scores.binary,
        Prediction::Ids => scores.ids,
    };
    match &metric.form {
        Form::Elements(op, finish) => {
            let scores = apply(b, op, vec![prediction, label])?;
            Ok(total(b, scores[0], *finish))
        }
        Form::Rows(scores, finish) => {
            let op = chosen(b, scores);
            let scores = apply(b, op, vec![prediction, label])?;
            Ok(total(b, scores[0], *finish))
        }
        Form::TopK => {
            let args = vec![classes(b, &prediction), count(settings, span)];
            let scores = apply(b, "top_k_accuracy", [vec![prediction, label], args].concat())?;
            Ok(total(b, scores[0], Finish::Mean))
        }
        Form::Rate(rate) => {
            let op = chosen(b, &OUTCOMES);
            let many = op == OUTCOMES.classes;
            let outcomes = apply(b, op, vec![prediction, label])?;
            Ok(outcomes_of(b, &outcomes, many, Finish::Rate(*rate, average(settings, many))))
        }
        Form::Explained => {
            let both = apply(b, "explained", vec![prediction, label])?;
            Ok(explained(b, both[0], both[1]))
        }
    }
}

fn total(b: &mut Builder, scores: Value, finish: Finish) -> Score {
    let count = b.shape(scores).size();
    Score { parts: vec![Part { name: "", value: b.sum_all(scores) }], count, finish }
}

/// The class ids along the last axis of the prediction.
fn classes(b: &mut Builder, prediction: &Given<Item>) -> Given<Item> {
    let classes = match &prediction.value {
        Item::Tensor(v) => b.shape(*v).last().cloned(),
        Item::Number(_) | Item::Bool(_) | Item::Text(_) | Item::Tuple(_) => None,
        Item::Entity(never) => match *never {},
    };
    let ids = b.iota([classes.unwrap_or_else(Dim::one)], 0);
    Given { name: None, value: Item::Tensor(ids), span: prediction.span }
}

/// The setting `k`, for the formula.
fn count(settings: &[AttrValue], span: Span) -> Given<Item> {
    let [AttrValue::Size(k)] = settings else { panic!("sig: `top_k` has one setting, a whole number") };
    Given { name: None, value: Item::Number(Number::Int(k.clone())), span }
}

fn average(settings: &[AttrValue], many: bool) -> Average {
    match settings {
        [AttrValue::Word(word)] => match word.as_str() {
            "macro" => Average::Macro,
            "micro" => Average::Micro,
            "weighted" => Average::Weighted,
            other => panic!("sig: `{other}` is no average"),
        },
        _ if many => Average::Macro,
        _ => Average::Positive,
    }
}

/// Sums of hits, answers and labels; by class, where the last axis is one of classes.
fn outcomes_of(b: &mut Builder, outcomes: &[Value], by_class: bool, finish: Finish) -> Score {
    let shape = b.shape(outcomes[0]).clone();
    let rows = shape.rank() - usize::from(by_class);
    let axes: Vec<usize> = (0..rows).collect();
    let count = shape.0[..rows].iter().fold(Dim::one(), |n, d| n * d.clone());
    let names = ["hits", "called", "actual"];
    let sum = |(name, v): (&'static str, &Value)| Part { name, value: b.sum(*v, &axes) };
    Score { parts: names.into_iter().zip(outcomes).map(sum).collect(), count, finish }
}

/// Squares of a batch, by target. Each target is seen from that of the batch's first row: one that never
/// changes gives zeros, whatever it is, and one far from 0 loses no digits.
fn explained(b: &mut Builder, residual: Value, target: Value) -> Score {
    let rows = b.shape(target)[0].clone();
    let first = b.slice_axis(target, 0, Dim::zero(), Dim::one());
    let shift = b.sub(target, first);
    let mean = b.mean_keep(shift, &[0]);
    let around = b.sub(shift, mean);
    let (residuals, squares) = (b.mul(residual, residual), b.mul(around, around));
    let part = |b: &mut Builder, name, v| Part { name, value: b.sum(v, &[0]) };
    let parts = vec![
        part(b, "residual", residuals),
        part(b, "first", first),
        part(b, "shift", shift),
        part(b, "square", squares),
    ];
    Score { parts, count: rows, finish: Finish::Explained }
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
