//! Losses by name. Each is an op of `std/loss.mlspec` with two arguments, prediction and
//! label, so a spec calls it like any function.

/// A loss, and what is to be known of it beside its formula.
#[derive(Debug)]
pub struct LossDef {
    /// As the spec calls it; also the op's name.
    pub name: &'static str,
    /// What other frameworks call it: answered by a fix-it.
    pub aliases: &'static [&'static str],
    /// The activation whose output it must not be fed: losses take logits, and one trailing
    /// layer of this name is folded in.
    pub folds: Option<&'static str>,
    /// The values that a label may have.
    pub label: LabelRange,
}

/// Which labels a loss understands; others would add nothing, or anything, in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelRange {
    /// Any number.
    Any,
    /// Whole numbers from 0, below the size of the prediction's last axis.
    Classes,
    /// From 0 to 1: one of two classes, or a share between.
    Share,
}

/// Every loss.
pub static LOSSES: &[LossDef] = &[
    LossDef {
        name: "CrossEntropy",
        aliases: &[
            "CrossEntropyLoss",
            "SparseCategoricalCrossentropy",
            "CategoricalCrossentropy",
            "categorical_crossentropy",
            "sparse_categorical_crossentropy",
            "cross_entropy",
            "NLLLoss",
        ],
        folds: Some("Softmax"),
        label: LabelRange::Classes,
    },
    LossDef {
        name: "BinaryCrossEntropy",
        aliases: &[
            "BCEWithLogitsLoss",
            "BCELoss",
            "BinaryCrossentropy",
            "binary_crossentropy",
            "binary_cross_entropy",
        ],
        folds: Some("Sigmoid"),
        label: LabelRange::Share,
    },
    LossDef {
        name: "MeanSquaredError",
        aliases: &["MSELoss", "MSE", "mse", "mean_squared_error", "mse_loss"],
        folds: None,
        label: LabelRange::Any,
    },
    LossDef {
        name: "MeanAbsoluteError",
        aliases: &["L1Loss", "MAE", "mae", "mean_absolute_error", "l1_loss"],
        folds: None,
        label: LabelRange::Any,
    },
    LossDef {
        name: "MeanAbsolutePercentageError",
        aliases: &["MAPE", "mape", "mean_absolute_percentage_error"],
        folds: None,
        label: LabelRange::Any,
    },
    LossDef {
        name: "MeanSquaredLogarithmicError",
        aliases: &["MSLE", "msle", "mean_squared_logarithmic_error"],
        folds: None,
        label: LabelRange::Any,
    },
    LossDef {
        name: "Huber",
        aliases: &["HuberLoss", "huber", "huber_loss"],
        folds: None,
        label: LabelRange::Any,
    },
    LossDef { name: "LogCosh", aliases: &["log_cosh", "logcosh"], folds: None, label: LabelRange::Any },
    LossDef {
        name: "KLDivergence",
        aliases: &["KLDivLoss", "KLD", "kl_divergence", "kl_div"],
        folds: Some("Softmax"),
        label: LabelRange::Share,
    },
    LossDef { name: "Hinge", aliases: &["hinge"], folds: None, label: LabelRange::Any },
    LossDef { name: "SquaredHinge", aliases: &["squared_hinge"], folds: None, label: LabelRange::Any },
    LossDef { name: "Poisson", aliases: &["poisson"], folds: None, label: LabelRange::Any },
    LossDef {
        name: "CosineSimilarity",
        aliases: &["cosine_similarity"],
        folds: None,
        label: LabelRange::Any,
    },
    LossDef {
        name: "BinaryFocalCrossEntropy",
        aliases: &["BinaryFocalCrossentropy", "binary_focal_crossentropy"],
        folds: Some("Sigmoid"),
        label: LabelRange::Share,
    },
    LossDef {
        name: "CategoricalFocalCrossEntropy",
        aliases: &["CategoricalFocalCrossentropy", "categorical_focal_crossentropy"],
        folds: Some("Softmax"),
        label: LabelRange::Classes,
    },
];

/// Losses of Keras that are not built yet.
static LATER: &[&str] = &["CategoricalHinge", "CTC", "Dice", "Tversky", "Circle"];

/// The loss of that name.
pub fn find(name: &str) -> Option<&'static LossDef> {
    LOSSES.iter().find(|l| l.name == name)
}

/// Our name of what is called `name` elsewhere.
pub fn alias(name: &str) -> Option<&'static str> {
    LOSSES.iter().find(|l| l.aliases.contains(&name)).map(|l| l.name)
}

pub fn known_later(name: &str) -> bool {
    LATER.contains(&name)
}
