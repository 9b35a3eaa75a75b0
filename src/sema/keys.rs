//! Which words and keys the sections have: one table, read by the checks, by
//! overrides, by "did you mean" and by what editors show.

/// A key of a section.
pub struct Key {
    pub name: &'static str,
    pub status: Status,
    /// A sentence or two: what it says, and what holds without it.
    pub doc: &'static str,
    /// A value as a spec may have it; of a section what stands in its braces.
    pub example: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Checked and obeyed: `key = value`.
    Key,
    /// The same, written `key { … }`.
    Section,
    /// Written `key name { … }`, as many as there are names.
    Named,
}

/// A word that starts an item of a file.
pub struct Word {
    pub name: &'static str,
    /// Of what is in the language and not built yet: what to do meanwhile.
    pub later: Option<&'static str>,
    pub doc: &'static str,
    /// All behind the word, as a spec may have it.
    pub example: &'static str,
}

use Status::{Named, Section};

const fn word(name: &'static str, doc: &'static str, example: &'static str) -> Word {
    Word { name, later: None, doc, example }
}

const fn later_word(name: &'static str, doc: &'static str, instead: &'static str) -> Word {
    Word { name, later: Some(instead), doc, example: "" }
}

pub const WORDS: &[Word] = &[
    word(
        "data",
        "Where rows come from, what their columns are, how they are split and batched.",
        "people {\n  source = csv(\"people.csv\")\n}",
    ),
    word(
        "model",
        "A network: its inputs, its outputs, and the layers between them.",
        "Net {\n  input x: f32[B, 8]\n  output y: f32[B, 1] = x |> Dense(1) as out\n}",
    ),
    word(
        "train",
        "How a model learns: what it is fed, its loss, its optimizer, how long. Several with names run in turn.",
        "{\n  feed { x = people.row  y = people.income }\n  loss = MeanSquaredError(Net.y, y)\n  optimizer = \
         Adam(lr=1e-3)\n  epochs = 10\n}",
    ),
    word(
        "variant",
        "A named list of overrides, chosen by `--variant name`: params, dims, and keys such as `train.epochs`.",
        "tiny { train.epochs = 1 }",
    ),
    word(
        "generate",
        "What a trained model makes: a text that goes on from a prompt, or samples of random numbers. Made at the end \
         of a training, and by `mlc generate RUN`.",
        "faces {\n  model = G\n  draw { noise = Normal(shape=[B, 64]) }\n  count = 100\n}",
    ),
    word(
        "test",
        "What a trained run must reach. Told at the end of a training; `mlc test RUN` fails where it is not reached.",
        "floor {\n  expect = [loss <= 0.1]\n}",
    ),
    later_word(
        "search",
        "Trials with values drawn from the domains of params.",
        "run `mlc train` with several `--set` values instead",
    ),
    later_word(
        "export",
        "Files of the trained model for other programs.",
        "read `model.safetensors` in the run folder instead",
    ),
    later_word(
        "distribute",
        "Training on several machines.",
        "training runs on one machine; take this section out",
    ),
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

/// Items that are not sections.
pub const ITEMS: &[Word] = &[
    word(
        "param",
        "A named value that `--set` and variants override, with a type and a domain if you like.",
        "hidden: int = 128 in [32, 64, 128]",
    ),
    word(
        "dim",
        "A named size. `<=` bounds it: it takes its bound unless an override or the data fix it.",
        "T <= 1024",
    ),
    word(
        "op",
        "A formula of your own, with the rights of the library's.",
        "double(x: f32[..s]) -> f32[..s] = 2 * x",
    ),
    word(
        "block",
        "Layers with a name, to be used several times: settings, then tensors, then results.",
        "Layer(n: int) (x: f32[B, d]) -> (y: f32[B, d]) {\n  output y = x |> Dense(d) as fc\n}",
    ),
    word(
        "import",
        "Params, dims, blocks and ops of another file, as if they stood here; its other sections are left out. The path \
         is one from this file's folder.",
        "\"layers.mlspec\"",
    ),
];

const fn key(name: &'static str, example: &'static str, doc: &'static str) -> Key {
    Key { name, status: Status::Key, doc, example }
}

const fn section(name: &'static str, example: &'static str, doc: &'static str) -> Key {
    Key { name, status: Section, doc, example }
}

const DATA: &[Key] = &[
    key(
        "source",
        "csv(\"table.csv\")",
        "Where the rows come from. Without `split` all of them are for training.",
    ),
    key("valid", "csv(\"valid.csv\")", "A source of its own for validation."),
    key(
        "test",
        "csv(\"test.csv\")",
        "A source of its own for the test, which is looked at once, at the end.",
    ),
    section(
        "split",
        "train = 80%  valid = 10%  test = 10%",
        "Which rows are for training, validation and test: counts or percent. Seeded and shuffled, unless it says otherwise.",
    ),
    key("batch", "32", "Rows in a batch: 32 unless it says otherwise."),
    key("shuffle", "true", "Whether training rows are shuffled anew in each epoch: true."),
    key("drop_last", "false", "Whether a last batch with fewer rows is left out of training: false."),
    key(
        "allow",
        "[duplicates]",
        "Warnings about leaks that you have looked at: `duplicates`, `target`, `time`, `groups`.",
    ),
    key(
        "bucket",
        "tokens",
        "A column that `pad(T)` fills up, `T` a dim or param: training rows of like length meet in a batch, which is only as \
         long as its longest row wants, one of the eighths of `T`, rounded up. Results are those of full length for a model \
         that masks its padding.",
    ),
    section(
        "augment",
        "image = image |> flip |> crop(32, pad=4)",
        "What is done to images of training rows alone, drawn anew in each epoch: `flip`, `crop`.",
    ),
];

const SPLIT: &[Key] = &[
    key("train", "80%", "How many rows train: a count, or percent."),
    key("valid", "10%", "How many rows validate, after each epoch."),
    key("test", "10%", "How many rows are kept for the test, once, at the end."),
    key("stratify", "label", "A column whose classes are to be in proportion in all parts."),
    key("group", "user", "A column: rows of one value stay in one part."),
    key("ordered", "true", "Whether parts are cut in the order of the source, not shuffled: false."),
    key("time", "date", "A column that orders rows: training before validation before test."),
    key("kfold", "5", "Train so many times, each with another part for validation."),
    key("fold", "0", "Which fold to train, from 0: all of them unless it says so."),
    key("seed", "1", "Of the shuffle: 0. Another seed of training leaves the split alone."),
];

const MODEL: &[Key] = &[
    key(
        "pretrained",
        "safetensors(\"model.safetensors\")",
        "A file of weights to start from: each weight of the model is there by its name, or is `fresh`.",
    ),
    key(
        "fresh",
        "[out]",
        "Layers or weights that keep their initial values, though there is a file of weights.",
    ),
    key("freeze", "[fc1]", "Layers whose weights are not trained, or `all`."),
];

const TRAIN: &[Key] = &[
    section(
        "feed",
        "x = people.row  y = people.label",
        "Which columns the inputs of models and the labels are.",
    ),
    key(
        "loss",
        "CrossEntropy(Net.logits, label)",
        "What training makes small: a scalar, averaged over rows.",
    ),
    key("optimizer", "Adam(lr=1e-3)", "How gradients change weights."),
    key(
        "schedule",
        "cosine(warmup=100)",
        "How the learning rate goes over the run; the optimizer's `lr` is its peak.",
    ),
    key("clip", "global_norm(1.0)", "A bound on gradients, or on weights."),
    key(
        "accumulate",
        "4",
        "Batches whose gradients are averaged into one step: 1. Of several steps each takes all of them in its turn.",
    ),
    key(
        "ema",
        "0.999",
        "Evaluate with averages of the weights: the share of the average that each step keeps.",
    ),
    key("freeze", "[fc1]", "Layers or weights that are not trained."),
    section(
        "groups",
        "head { weights = [out]  lr = 1e-2 }",
        "Weights with settings of the optimizer of their own.",
    ),
    key("metrics", "[accuracy]", "What is reported of each evaluation, beside the loss."),
    key("epochs", "10", "How often training goes over all rows. Instead of `steps`."),
    key("steps", "1000", "How many updates training takes. Instead of `epochs`."),
    key("seed", "42", "Of initial weights, dropout and the order of rows: 0."),
    key("stop", "EarlyStopping(patience=5)", "When to end before `epochs` are over."),
    section(
        "checkpoint",
        "every = 500  keep = 3",
        "When to keep what a run can be resumed from, and how many of it.",
    ),
    section("log", "every = 100", "How many steps lie between two lines of the log."),
    key(
        "precision",
        "bf16",
        "How finely products see what they multiply: `f32`, or `bf16`, which is faster. Weights and sums are `f32` either way.",
    ),
    key(
        "memory",
        "2GiB",
        "The most that training may take, data aside: values are let go and made again until it fits. `mlc plan` shows what that costs.",
    ),
    UPDATES,
    section(
        "draw",
        "noise = Normal(shape=[B, 64])",
        "Tensors of random numbers, drawn anew for each step: `Normal`, `Uniform`, `Bernoulli`, `Integers`.",
    ),
    Key {
        name: "step",
        status: Named,
        doc: "One of several things that are done on each batch, in order, each with a loss and an optimizer of its \
              own; it sees the weights as the one before leaves them.",
        example: "critic {\n    updates = D\n    loss = BinaryCrossEntropy(D(x), y)\n    optimizer = Adam(lr=1e-3)\n  }",
    },
];

const UPDATES: Key =
    key("updates", "[out]", "Models, layers or weights that are trained: all unless it says so.");

/// Of one of several steps.
const STEP: &[Key] = &[
    UPDATES,
    key(
        "loss",
        "CrossEntropy(Net.logits, label)",
        "What the step makes small: a scalar, averaged over rows.",
    ),
    key("optimizer", "Adam(lr=1e-3)", "How gradients change the weights of the step."),
    key("schedule", "cosine(warmup=100)", "How its learning rate goes over the batches of the run."),
    key("clip", "global_norm(1.0)", "A bound on its gradients, or on its weights."),
    key("every", "5", "It is taken on each fifth batch alone: 1."),
    section(
        "groups",
        "head { weights = [out]  lr = 1e-2 }",
        "Weights with settings of its optimizer of their own.",
    ),
];

const CHECKPOINT: &[Key] = &[
    key("every", "500", "Steps between two checkpoints: the end of each epoch unless it says so."),
    key("keep", "3", "How many of the last ones stay: 1."),
    key("best", "valid.loss", "What chooses the weights that the run ends with."),
];

const LOG: &[Key] = &[key("every", "100", "How many steps lie between two lines.")];

/// Of one group of weights in `groups`; the rest are settings of the optimizer.
const GROUP: &[Key] = &[key("weights", "[out]", "Layers, kinds of layers or weights that this is about.")];

const GENERATE: &[Key] = &[
    key("model", "Net", "The model that makes something, with the weights that the run ended with."),
    key("seed", "1", "Of all that is drawn: 0."),
    section(
        "draw",
        "noise = Normal(shape=[B, 64])",
        "Random numbers for the inputs of the model; `B` counts samples.",
    ),
    key("count", "100", "How many samples: 64."),
    key(
        "prompt",
        "\"ROMEO:\"",
        "The text that the model goes on with; the data's own transform makes tokens of it.",
    ),
    key("max_new_tokens", "200", "How many tokens come behind the prompt: 20."),
    key(
        "do_sample",
        "true",
        "Whether tokens are drawn by their probability, or the most probable is taken. Drawn if `temperature`, `top_k` \
         or `top_p` is there.",
    ),
    key("temperature", "0.8", "What logits are divided by before they become probabilities: 1."),
    key("top_k", "40", "Draw from so many of the most probable tokens: all."),
    key("top_p", "0.9", "Draw from the fewest tokens whose probabilities reach this together: all."),
    key(
        "num_beams",
        "4",
        "How many texts are followed at once for the most probable: 1, which is no search.",
    ),
    key(
        "no_repeat_ngram_size",
        "3",
        "No run of so many tokens comes twice in a text, the prompt counted: any may.",
    ),
    key("num_return_sequences", "5", "How many texts: 1."),
];

const TEST: &[Key] = &[
    key(
        "expect",
        "[loss <= 0.1]",
        "Bounds on the loss and on metrics of the training, with `>=`, `>`, `<=` or `<`; a share may be written `97%`.",
    ),
    key("split", "test", "Which part of the data: the test part, or validation where there is none."),
    key("train", "finetune", "The `train` section whose weights are meant, of several: the last one."),
];

/// The section that a section inside of it is a key of: `data` of `split`.
pub fn section_of(inner: &str) -> Option<&'static str> {
    let has =
        |word: &&'static str| find(word, inner).is_some_and(|key| matches!(key.status, Section | Named));
    ["data", "train", "generate"].into_iter().find(has)
}

/// The keys of a section, by its word.
pub fn of(word: &str) -> &'static [Key] {
    match word {
        "data" => DATA,
        "split" => SPLIT,
        "model" => MODEL,
        "train" => TRAIN,
        "step" => STEP,
        "generate" => GENERATE,
        "test" => TEST,
        "checkpoint" => CHECKPOINT,
        "log" => LOG,
        "groups" => GROUP,
        _ => &[],
    }
}

/// The row of one key.
pub fn find(word: &str, name: &str) -> Option<&'static Key> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_obeyed_is_documented() {
        for word in
            ["data", "split", "model", "train", "step", "generate", "test", "checkpoint", "log", "groups"]
        {
            for key in of(word) {
                assert!(key.doc.ends_with('.') && !key.example.is_empty(), "{word}.{}", key.name);
            }
        }
        for item in WORDS.iter().chain(ITEMS) {
            assert!(item.doc.ends_with('.'), "{}", item.name);
        }
        assert_eq!(
            [section_of("split"), section_of("log"), section_of("x")],
            [Some("data"), Some("train"), None]
        );
    }
}
