//! Losses by name. Each is an op of `std/loss.mlspec` with a prediction, a label and settings, so a spec
//! calls it like any function. Some have further formulas for what a label or class may be.

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
    /// The formula for a label of shares, `f32[.., c]`, where `name` takes class ids.
    pub of_shares: Option<&'static str>,
    /// The formula that takes `class_weights` and `ignore`.
    pub by_class: Option<&'static str>,
}

impl LossDef {
    const fn new(
        name: &'static str,
        folds: Option<&'static str>,
        label: LabelRange,
        aliases: &'static [&'static str],
    ) -> LossDef {
        LossDef { name, aliases, folds, label, of_shares: None, by_class: None }
    }
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
        of_shares: Some("cross_entropy_of_shares"),
        by_class: Some("cross_entropy_by_class"),
        ..LossDef::new(
            "CrossEntropy",
            Some("Softmax"),
            LabelRange::Classes,
            &[
                "CrossEntropyLoss",
                "SparseCategoricalCrossentropy",
                "CategoricalCrossentropy",
                "categorical_crossentropy",
                "sparse_categorical_crossentropy",
                "cross_entropy",
                "NLLLoss",
            ],
        )
    },
    LossDef::new(
        "BinaryCrossEntropy",
        Some("Sigmoid"),
        LabelRange::Share,
        &[
            "BCEWithLogitsLoss",
            "BCELoss",
            "BinaryCrossentropy",
            "binary_crossentropy",
            "binary_cross_entropy",
        ],
    ),
    LossDef::new(
        "MeanSquaredError",
        None,
        LabelRange::Any,
        &["MSELoss", "MSE", "mse", "mean_squared_error", "mse_loss"],
    ),
    LossDef::new(
        "MeanAbsoluteError",
        None,
        LabelRange::Any,
        &["L1Loss", "MAE", "mae", "mean_absolute_error", "l1_loss"],
    ),
    LossDef::new(
        "MeanAbsolutePercentageError",
        None,
        LabelRange::Any,
        &["MAPE", "mape", "mean_absolute_percentage_error"],
    ),
    LossDef::new(
        "MeanSquaredLogarithmicError",
        None,
        LabelRange::Any,
        &["MSLE", "msle", "mean_squared_logarithmic_error"],
    ),
    LossDef::new("Huber", None, LabelRange::Any, &["HuberLoss", "huber", "huber_loss"]),
    LossDef::new("LogCosh", None, LabelRange::Any, &["log_cosh", "logcosh"]),
    LossDef::new(
        "KLDivergence",
        Some("Softmax"),
        LabelRange::Share,
        &["KLDivLoss", "KLD", "kl_divergence", "kl_div"],
    ),
    LossDef::new("Hinge", None, LabelRange::Any, &["hinge"]),
    LossDef::new("SquaredHinge", None, LabelRange::Any, &["squared_hinge"]),
    LossDef::new("Poisson", None, LabelRange::Any, &["poisson"]),
    LossDef::new("CosineSimilarity", None, LabelRange::Any, &["cosine_similarity"]),
    LossDef::new(
        "BinaryFocalCrossEntropy",
        Some("Sigmoid"),
        LabelRange::Share,
        &["BinaryFocalCrossentropy", "binary_focal_crossentropy"],
    ),
    LossDef {
        of_shares: Some("categorical_focal_of_shares"),
        ..LossDef::new(
            "CategoricalFocalCrossEntropy",
            Some("Softmax"),
            LabelRange::Classes,
            &["CategoricalFocalCrossentropy", "categorical_focal_crossentropy"],
        )
    },
    LossDef::new(
        "CategoricalHinge",
        None,
        LabelRange::Classes,
        &["categorical_hinge", "MultiMarginLoss", "multi_margin_loss"],
    ),
    LossDef::new("Dice", Some("Sigmoid"), LabelRange::Share, &["DiceLoss", "dice_loss"]),
    LossDef::new("Tversky", Some("Sigmoid"), LabelRange::Share, &["TverskyLoss", "tversky_loss"]),
    LossDef::new("GIoU", None, LabelRange::Any, &["GIoULoss", "generalized_box_iou_loss"]),
    LossDef::new("Triplet", None, LabelRange::Any, &["TripletMarginLoss", "triplet_margin_loss"]),
    LossDef::new("CTC", Some("Softmax"), LabelRange::Classes, &["CTCLoss", "ctc_loss", "ctc_batch_cost"]),
    LossDef::new("Contrastive", None, LabelRange::Any, &["ContrastiveLoss", "contrastive_loss"]),
];

/// What other frameworks call an argument of a loss, ours (none: leave it out), and why.
static FOREIGN: &[(&str, Option<&str>, &str)] = &[
    ("sample_weight", Some("weight"), "it is shorter here"),
    ("class_weight", Some("class_weights"), "there is one for each class"),
    ("ignore_index", Some("ignore"), "it is shorter here"),
    ("ignore_class", Some("ignore"), "it is shorter here"),
    ("from_logits", None, "losses take logits, and fold in a trailing `Softmax` or `Sigmoid`"),
    ("reduction", None, "a loss is the mean over rows; give rows a `weight` to count otherwise"),
    ("zero_infinity", None, "a row without an alignment counts nothing"),
    ("mask_index", Some("blank"), "it is the class that means none, and pads labels"),
    ("input_lengths", None, "steps that a mask leaves out do not count: `mask=…`, or that of the logits"),
    ("target_lengths", None, "labels that are `blank` are padding"),
    ("axis", None, "classes stand along the last axis"),
];

/// Our name of an argument that is called `name` elsewhere (none: there is no such thing here), and why.
pub fn foreign_argument(name: &str) -> Option<(Option<&'static str>, &'static str)> {
    FOREIGN.iter().find(|(theirs, ..)| *theirs == name).map(|(_, ours, why)| (*ours, *why))
}

/// Losses of Keras that are not built yet.
static LATER: &[&str] = &["Circle"];

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
