//! Metrics by name. One name may stand for several formulas: the shapes and settings choose.
//!
//! A metric of a batch is a few tensors, its [`Part`]s: sums, or what each row has to say where only all
//! rows together decide. A [`Tally`] takes them from all batches and makes a [`Figure`] of them at the end,
//! so that it is that of the whole split, not a mean of means.

mod build;
mod curve;
mod figure;
mod tally;

pub use build::{Over, Part, Score, build};
pub use curve::Curve;
pub use figure::{Confusion, Figure, Group, Groups, shown};
pub use tally::{Average, Finish, Rate, Tally};

use super::{Attr, AttrType, Default, Sig};

/// A metric: one or more ops of `std/metric.mlspec`, each of prediction and label.
#[derive(Debug)]
pub struct MetricDef {
    pub sig: Sig,
    /// What to look for: the best of several epochs or runs.
    pub better: Better,
    form: Form,
}

/// What happens to a metric when prediction and target are both multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nothing: shares of rows, of variance.
    Free,
    /// It is multiplied by this power of the factor.
    Target(i32),
    /// It is a share of the target itself, which means nothing once the target is moved.
    Share,
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

impl MetricDef {
    /// The least and the most that it can be.
    pub fn range(&self) -> (f64, f64) {
        match self.form {
            Form::Rows(_, Finish::Exp) => (1.0, f64::INFINITY),
            Form::Rows(_, _) if self.better == Better::Higher => (0.0, 1.0),
            Form::Rows(..) | Form::Elements(..) | Form::Confusion => (0.0, f64::INFINITY),
            Form::TopK | Form::Rate(_) | Form::Area => (0.0, 1.0),
            Form::Explained => (f64::NEG_INFINITY, 1.0),
        }
    }

    pub fn unit(&self) -> Unit {
        match self.form {
            Form::Elements("absolute_error", _) | Form::Elements("squared_error", Finish::Root) => {
                Unit::Target(1)
            }
            Form::Elements("squared_error", _) => Unit::Target(2),
            Form::Elements("percentage_error", _) => Unit::Share,
            Form::Elements(..) | Form::Rows(..) | Form::TopK | Form::Rate(_) => Unit::Free,
            Form::Explained | Form::Area | Form::Confusion => Unit::Free,
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
    /// All scores, for the area under a curve.
    Area,
    /// How often each class was called what.
    Confusion,
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

const CURVE: &[Attr] = &[Attr {
    name: "curve",
    ty: AttrType::Choice(&["roc", "pr"]),
    default: Default::Word("roc"),
    doc: "`roc` is hits over false alarms; `pr` is precision over recall in steps, the average precision.",
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
    MetricDef {
        sig: Sig {
            name: "auc",
            aliases: &["AUC", "roc_auc", "roc_auc_score", "average_precision"],
            doc: "The area under a curve over all thresholds: how likely a row of the class has a higher score \
                  than one that is not, ties counting half. Exact, over all rows of the split. Of several \
                  classes the mean of each against all others. Not defined if a class has no rows.",
            example: "auc",
            inputs: &[],
            attrs: CURVE,
        },
        better: Better::Higher,
        form: Form::Area,
    },
    metric(
        "confusion",
        &["confusion_matrix", "ConfusionMatrix"],
        "How many rows of each class were called what: a row for each class of the label, a column for each answer.",
        Better::Higher,
        Form::Confusion,
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
        "Mean absolute error, in the unit of the source where the target is only scaled by a transform.",
        Better::Lower,
        Form::Elements("absolute_error", Finish::Mean),
    ),
    metric(
        "mse",
        &["MSE"],
        "Mean squared error, in the unit of the source squared where the target is only scaled by a transform.",
        Better::Lower,
        Form::Elements("squared_error", Finish::Mean),
    ),
    metric(
        "rmse",
        &["RootMeanSquaredError", "RMSE"],
        "The root of the mean squared error over all rows, in the unit of the source where the target is only \
         scaled by a transform.",
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
static LATER: &[&str] = &["iou", "map", "bleu"];

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
