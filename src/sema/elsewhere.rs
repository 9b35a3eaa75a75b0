//! What people write who come from Keras, PyTorch or Python, where it is no typo of anything here.
//!
//! Names that are only called otherwise are aliases in the tables of layers, losses and keys; this file has the habits
//! that want another place or another form.

use super::ctx::Ctx;
use super::model::Ev;
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::ops;
use crate::ops::formula::Checked;
use crate::syntax::ast::{Arg, EntryKind, Expr, ExprKind, Ident};

/// Modules of Python that names of layers stand behind.
const MODULES: &[&str] =
    &["nn", "torch", "F", "tf", "keras", "layers", "activations", "losses", "metrics", "optim", "optimizers"];

/// A key that belongs elsewhere: section, key, what to do.
const PLACES: &[(&str, &str, &str)] = &[
    ("train", "batch_size", "the data section has it: `batch = 32`"),
    ("train", "batch", "the data section has it: `batch = 32`"),
    ("train", "shuffle", "the data section has it: `shuffle = true`"),
    (
        "train",
        "group_by_length",
        "the data section has it: `bucket = tokens` names a column that `pad(T)` fills up",
    ),
    ("train", "validation_split", "the data section has it: `split { train = 90%  valid = 10% }`"),
    (
        "train",
        "validation_data",
        "the data section has it: `valid = csv(\"valid.csv\")`, or a part in `split`",
    ),
    ("train", "validation_freq", "rows are validated after each epoch, or at `checkpoint { every = 500 }`"),
    ("train", "device", "the command says it: `mlc train SPEC --device gpu`"),
    ("train", "verbose", "the command says it: `mlc train SPEC --progress plain`"),
    ("train", "workers", "batches are read ahead by themselves; take it out"),
    ("train", "class_weight", "the loss has it: `CrossEntropy(M.logits, label, class_weights=[1, 2])`"),
    ("train", "weight_decay", "the optimizer has it: `AdamW(lr=1e-3, weight_decay=0.01)`"),
    ("train", "momentum", "the optimizer has it: `SGD(lr=0.1, momentum=0.9)`"),
    ("train", "patience", "it belongs to `stop = EarlyStopping(patience=5)`"),
    ("data", "validation_split", "write how rows are dealt: `split { train = 90%  valid = 10% }`"),
    ("data", "test_size", "write how rows are dealt: `split { train = 80%  test = 20% }`"),
    ("data", "num_workers", "batches are read ahead by themselves; take it out"),
    ("data", "epochs", "the `train` section has it"),
    ("data", "seed", "`split { seed = 1 }` deals the rows, `seed` in `train` drives the rest"),
];

/// Where a key of another place belongs.
pub(super) fn place(word: &str, key: &str) -> Option<&'static str> {
    PLACES.iter().find(|(w, k, _)| *w == word && *k == key).map(|(.., help)| *help)
}

/// `nn.ReLU`: names stand alone here.
pub(super) fn prefixed<T>(ev: &mut Ev, whole: &Expr, base: &Expr, member: &Ident) -> Option<Checked<T>> {
    let module = base.dotted()?;
    let root = module.split('.').next().unwrap_or_default();
    let cx = ev.scope.cx;
    if !MODULES.contains(&root) || cx.globals.contains_key(root) || ev.scope.names.contains_key(root) {
        return None;
    }
    let name = &*member.name;
    let ours = ops::alias(name).or_else(|| ops::loss::alias(name)).unwrap_or(name);
    let message = format!("`{module}.` is no prefix here: nothing is imported, names stand alone");
    let d = Diagnostic::error("name::foreign", message, whole.span, "of Python");
    let write = format!("write `{ours}`");
    Some(ev.fail(d.help(write.clone()).fix(write, whole.span, ours)))
}

/// Layers that other frameworks have and the language says by other means.
const MEANS: &[(&str, &str)] = &[
    (
        "Activation",
        "an activation is a stage of its own, `|> relu`, or a setting: `Dense(10, activation=relu)`",
    ),
    (
        "Lambda",
        "write the formula in the pipe, or make it an `op`: `op half(x: f32[..s]) -> f32[..s] = x / 2`",
    ),
    ("Sequential", "stages are chained by the pipe: `x |> Flatten |> Dense(10) as fc`"),
    ("Input", "a model says what it takes: `input x: f32[B, 28, 28]`"),
    ("InputLayer", "a model says what it takes: `input x: f32[B, 28, 28]`"),
    ("Add", "write `a + b`"),
    ("Subtract", "write `a - b`"),
    ("Multiply", "write `a * b`"),
    ("Concatenate", "write `concat(a, b)`"),
    ("cat", "write `concat(a, b)`"),
    ("view", "write `Reshape(28, 28)`: sizes behind the batch, -1 for the rest"),
    ("reshape", "write `Reshape(28, 28)`: sizes behind the batch, -1 for the rest"),
    ("matmul", "write `a @ b`"),
    ("print", "a spec says what is computed; `mlc plan` and `mlc dump` show it"),
];

/// What the language has instead of a layer.
pub(super) fn means(name: &str) -> Option<&'static str> {
    MEANS.iter().find(|(theirs, _)| *theirs == name).map(|(_, help)| *help)
}

/// `Linear(784, 128)`: the width of the input is known. What to write from the name to the last of its sizes,
/// and where that is.
pub(super) fn without_input_width(
    cx: &Ctx,
    name: &Ident,
    ours: &str,
    args: &[Arg],
) -> Option<(Span, String)> {
    let is = |arg: &Arg, wanted: &str| arg.name.as_ref().is_none_or(|n| &*n.name == wanted);
    match (&*name.name, args) {
        ("Linear", [first, second, ..]) if is(first, "in_features") && is(second, "out_features") => {
            let width = cx.text(second.value.span);
            Some((name.span.to(second.value.span), format!("{ours}({width}")))
        }
        ("BatchNorm1d" | "BatchNorm2d", [first]) if is(first, "num_features") => {
            Some((name.span.to(first.value.span), format!("{ours}(")))
        }
        _other => None,
    }
}

/// Losses by the strings that Keras takes.
const LOSSES: &[(&str, &str)] = &[
    ("categorical_crossentropy", "CrossEntropy"),
    ("sparse_categorical_crossentropy", "CrossEntropy"),
    ("binary_crossentropy", "BinaryCrossEntropy"),
    ("mse", "MeanSquaredError"),
    ("mean_squared_error", "MeanSquaredError"),
    ("mae", "MeanAbsoluteError"),
    ("mean_absolute_error", "MeanAbsoluteError"),
    ("huber", "Huber"),
];

/// `loss = "mse"`: a loss is called with what it compares, since a model may have several outputs.
pub(super) fn loss_in_quotes(cx: &Ctx, expr: &Expr, fed: &[&Ident]) -> Option<Diagnostic> {
    let ExprKind::Str(text) = &expr.bare().kind else { return None };
    let named = LOSSES.iter().find(|(theirs, _)| *theirs == text.as_str()).map(|(_, ours)| *ours);
    let d = Diagnostic::error(
        "value::type",
        "`loss` takes a loss with what it compares, not its name in quotes",
        expr.span,
        "a text",
    );
    let (models, labels) = (outputs(cx), labels(cx, fed));
    let call = |name: &str, output: &str, label: &str| format!("{name}({output}, {label})");
    Some(match (named, models.as_slice(), labels.as_slice()) {
        (Some(name), [output], [label]) => {
            let ours = call(name, output, label);
            d.help(format!("write `{ours}`")).fix(format!("write `{ours}`"), expr.span, ours)
        }
        (name, ..) => {
            let ours = call(name.unwrap_or("CrossEntropy"), "Model.output", "label");
            d.help(format!("write an output of the model and the label: `{ours}`"))
        }
    })
}

/// `Adam(Net.parameters(), lr=1e-3)`: reports it and says so.
pub(super) fn parameters_handed(cx: &Ctx, args: &[Arg]) -> bool {
    let [first, others @ ..] = args else { return false };
    let ExprKind::Call { callee, .. } = &first.value.bare().kind else { return false };
    let handed = matches!(&callee.kind, ExprKind::Member(_, m) if &*m.name == "parameters");
    if handed {
        let text = cx.text(first.value.span);
        let d = Diagnostic::error(
            "name::foreign",
            "an optimizer is not handed the weights: it trains all that the loss depends on",
            first.value.span,
            "of PyTorch",
        );
        let next = others.first().map(|arg| arg.name.as_ref().map_or(arg.value.span, |name| name.span));
        let cut = next.map_or(first.value.span, |next| Span { hi: next.lo, ..first.value.span });
        let title = format!("leave `{text}` out");
        cx.report(d.help(format!("{title}; `freeze = [fc1]` keeps some as they are")).fix(title, cut, ""));
    }
    handed
}

/// `Mlp.logits` of every model.
fn outputs(cx: &Ctx) -> Vec<String> {
    let models = cx.globals.keys().filter_map(|name| cx.model(name).map(|section| (name, section)));
    let outputs = models.flat_map(|(model, section)| {
        section.entries.iter().filter_map(move |e| match &e.kind {
            EntryKind::Output { name, .. } => Some(format!("{model}.{}", name.name)),
            EntryKind::Input { .. } | EntryKind::Let { .. } | EntryKind::Bind { .. } => None,
            EntryKind::Typed { .. } | EntryKind::Section(_) | EntryKind::Broken => None,
        })
    });
    outputs.collect()
}

/// What is fed and is no input of a model.
fn labels(cx: &Ctx, fed: &[&Ident]) -> Vec<String> {
    let is_input = |name: &str| {
        let sections = cx.globals.keys().filter_map(|model| cx.model(model));
        sections
            .flat_map(|s| &s.entries)
            .any(|e| matches!(&e.kind, EntryKind::Input { name: input, .. } if &*input.name == name))
    };
    fed.iter().filter(|n| !is_input(&n.name)).map(|n| n.name.to_string()).collect()
}

/// A name that was put in quotes: `optimizer = "adam"`, `metrics = ["accuracy"]`. `ours` finds what it is called.
pub(super) fn in_quotes(
    key: &str,
    expr: &Expr,
    ours: impl Fn(&str) -> Option<&'static str>,
) -> Option<Diagnostic> {
    let ExprKind::Str(text) = &expr.bare().kind else { return None };
    let ours = ours(text)?;
    let message = format!("`{key}` takes a name, not a text in quotes");
    let d = Diagnostic::error("value::type", message, expr.span, "a text");
    Some(d.help(format!("write `{ours}` without quotes")).fix(format!("write `{ours}`"), expr.span, ours))
}
