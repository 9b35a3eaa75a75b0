//! Which words and keys the sections have: one table, read by the checks, by
//! overrides and by "did you mean".

/// A key of a section.
pub(super) struct Key {
    pub name: &'static str,
    pub status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Checked and obeyed: `key = value`.
    Key,
    /// The same, written `key { … }`.
    Section,
    /// In the language, not built yet; what to do meanwhile.
    Later(&'static str),
}

/// A section word of a file.
pub(super) struct Word {
    pub name: &'static str,
    pub status: Status,
}

use Status::{Later, Section};

pub(super) const WORDS: &[Word] = &[
    Word { name: "data", status: Section },
    Word { name: "model", status: Section },
    Word { name: "train", status: Section },
    Word { name: "variant", status: Section },
    Word { name: "generate", status: Later("train the model; take this section out until then") },
    Word { name: "search", status: Later("run `mlc train` with several `--set` values instead") },
    Word { name: "export", status: Later("read `model.safetensors` in the run folder instead") },
    Word { name: "distribute", status: Later("training runs on one machine; take this section out") },
    Word { name: "test", status: Later("the test part of `data` is evaluated once after training") },
];

/// Other words for sections.
const SECTION_ALIASES: &[(&str, &str)] = &[
    ("compile", "train"),
    ("fit", "train"),
    ("training", "train"),
    ("network", "model"),
    ("net", "model"),
    ("module", "model"),
    ("class", "model"),
    ("dataset", "data"),
];

/// Item keywords that are not sections, for "did you mean".
pub(super) const ITEMS: &[&str] = &["param", "dim", "op", "block", "import"];

const fn key(name: &'static str) -> Key {
    Key { name, status: Status::Key }
}

const fn section(name: &'static str) -> Key {
    Key { name, status: Section }
}

const fn later(name: &'static str, instead: &'static str) -> Key {
    Key { name, status: Later(instead) }
}

const DATA: &[Key] = &[
    key("source"),
    key("valid"),
    key("test"),
    section("split"),
    key("batch"),
    key("shuffle"),
    key("drop_last"),
    key("allow"),
    later("bucket", "rows of a batch have one shape; take it out"),
    later("augment", "training rows are taken as they are; take it out"),
];

const SPLIT: &[Key] = &[
    key("train"),
    key("valid"),
    key("test"),
    key("stratify"),
    key("group"),
    key("ordered"),
    key("time"),
    key("kfold"),
    key("fold"),
    key("seed"),
];

const MODEL: &[Key] = &[
    later("pretrained", "weights start from their initialisers; `mlc train --init` reads a safetensors file"),
    key("freeze"),
];

const TRAIN: &[Key] = &[
    section("feed"),
    key("loss"),
    key("optimizer"),
    key("schedule"),
    key("clip"),
    key("accumulate"),
    key("ema"),
    key("freeze"),
    section("groups"),
    key("metrics"),
    key("epochs"),
    key("steps"),
    key("seed"),
    key("stop"),
    section("checkpoint"),
    section("log"),
    later("precision", "training computes in f32; take it out"),
    later("updates", "one optimizer updates all weights; take it out"),
    later("draw", "random inputs come with named steps; one step on data is built"),
    later("step", "one step is built: give `loss` and `optimizer` in `train` itself"),
];

const CHECKPOINT: &[Key] = &[key("every"), key("keep"), key("best")];

const LOG: &[Key] = &[key("every")];

/// The keys of a section, by its word.
pub(super) fn of(word: &str) -> &'static [Key] {
    match word {
        "data" => DATA,
        "split" => SPLIT,
        "model" => MODEL,
        "train" => TRAIN,
        "checkpoint" => CHECKPOINT,
        "log" => LOG,
        _ => &[],
    }
}

/// The row of one key.
pub(super) fn find(word: &str, name: &str) -> Option<&'static Key> {
    of(word).iter().find(|k| k.name == name)
}

/// What PyTorch's and others' users call a key.
pub(super) const ALIASES: &[(&str, &str, &str)] = &[
    ("data", "batch_size", "batch"),
    ("data", "dataset", "source"),
    ("train", "learning_rate", "optimizer"),
    ("train", "num_epochs", "epochs"),
    ("train", "max_epochs", "epochs"),
    ("train", "max_steps", "steps"),
    ("train", "criterion", "loss"),
    ("train", "optim", "optimizer"),
    ("train", "random_state", "seed"),
    ("train", "scheduler", "schedule"),
    ("train", "lr_scheduler", "schedule"),
    ("train", "lr_schedule", "schedule"),
    ("train", "clipnorm", "clip"),
    ("train", "clipvalue", "clip"),
    ("train", "global_clipnorm", "clip"),
    ("train", "gradient_clip_val", "clip"),
    ("train", "callbacks", "stop"),
    ("train", "early_stopping", "stop"),
    ("train", "checkpoints", "checkpoint"),
    ("log", "steps", "every"),
    ("log", "log_every_n_steps", "every"),
    ("log", "logging_steps", "every"),
    ("checkpoint", "save_freq", "every"),
    ("checkpoint", "every_n_train_steps", "every"),
    ("checkpoint", "max_to_keep", "keep"),
    ("checkpoint", "save_top_k", "keep"),
    ("checkpoint", "save_total_limit", "keep"),
    ("checkpoint", "monitor", "best"),
    ("split", "validation", "valid"),
    ("split", "val", "valid"),
    ("data", "val", "valid"),
    ("data", "validation", "valid"),
    ("split", "random_state", "seed"),
    ("split", "n_splits", "kfold"),
    ("split", "folds", "kfold"),
    ("split", "groups", "group"),
];

/// The section that others call `word`.
pub(super) fn section_alias(word: &str) -> Option<&'static str> {
    SECTION_ALIASES.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours)
}

pub(super) fn alias(word: &str, name: &str) -> Option<&'static str> {
    ALIASES.iter().find(|(w, from, _)| *w == word && *from == name).map(|(.., to)| *to)
}
