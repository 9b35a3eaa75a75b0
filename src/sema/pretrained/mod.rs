//! `pretrained = safetensors("f", prefix="transformer.", layout=torch)` and `fresh = [out]` of a model.
//!
//! Each weight of the model is looked for by name: the prefix, then the name as the model calls it. With `layout=torch`
//! names and axes are those of PyTorch's modules ([`torch`]). What a file has beyond that is nobody's business; what it
//! lacks is an error, unless `fresh` says that those weights keep their initial values. Checking reads the file's
//! header alone; loading holds the file against the same list once more, when all sizes are known.

mod fit;
mod torch;

pub use fit::{misfits, way};

use super::ctx::{Ctx, suggest};
use super::job::{Layout, ModelInfo, Piece, Pretrained, Taken, Way};
use super::keyed::Keyed;
use super::train::{Choice, Weight};
use super::{DataProbe, data};
use crate::base::{Bindings, Dim, Shape, Span};
use crate::diag::{Diagnostic, Severity};
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident, Section};

/// What a file of weights is called in the language.
pub const CALL: &str = "safetensors";

/// What is left to be read as it stands, or is said by default.
enum Preset {
    Required,
    Text(&'static str),
    Word(&'static str),
}

/// The name, what it is when nobody says, and documentation of each argument.
const ARGUMENTS: [(&str, Preset, &str); 3] = [
    ("path", Preset::Required, "Looked up beside the spec, then under `--data DIR` or `MLC_DATA`."),
    ("prefix", Preset::Text(""), "What stands before the names of the model's weights in the file."),
    (
        "layout",
        Preset::Word("mlc"),
        "Whose names and axes the file has: `mlc`, or those of PyTorch's modules, `torch`.",
    ),
];

/// The call as tools show it.
pub fn source() -> data::SourceInfo {
    let argument = |(name, preset, doc): &(&'static str, Preset, &'static str)| data::ArgumentInfo {
        name,
        doc,
        required: matches!(preset, Preset::Required),
        default: match preset {
            Preset::Required => None,
            Preset::Text(text) => Some(format!("{text:?}")),
            Preset::Word(word) => Some((*word).to_string()),
        },
    };
    data::SourceInfo {
        name: CALL,
        doc: "A file of weights that another program has trained, in the format safetensors.",
        arguments: ARGUMENTS.iter().map(argument).collect(),
    }
}

/// What a call leaves to its defaults, for whoever writes them out.
pub fn defaults(args: &[Arg]) -> Vec<(&'static str, ExprKind)> {
    let places = args.iter().filter(|a| a.name.is_none()).count();
    let named = |name: &str| args.iter().any(|a| a.name.as_ref().is_some_and(|n| &*n.name == name));
    let left = ARGUMENTS.iter().skip(places).filter(|(name, ..)| !named(name));
    let written = |preset: &Preset| match preset {
        Preset::Required => None,
        Preset::Text(text) => Some(ExprKind::Str((*text).to_string())),
        Preset::Word(word) => Some(ExprKind::Name(Ident { name: (*word).into(), span: Span::default() })),
    };
    left.filter_map(|(name, preset, _)| Some((*name, written(preset)?))).collect()
}

/// Reads what a model says of a file of weights, and holds its weights against the file if that is here. `layers` are
/// of the model as it was checked; none where that failed.
pub(super) fn check(cx: &Ctx, section: &Section, model: Option<&mut ModelInfo>, probe: &dyn DataProbe) {
    let (pretrained, fresh) = (value(section, "pretrained"), value(section, "fresh"));
    let Some((_, written)) = pretrained else {
        if let Some((key, _)) = fresh {
            let message = "`fresh` tells what a file of weights does not give, and no file is named";
            let d = Diagnostic::error("weights::fresh", message, key.span, "nothing is pretrained");
            cx.report(d.help("add `pretrained = safetensors(\"file.safetensors\")`, or take this out"));
        }
        return;
    };
    let name = section.name.as_ref().map_or("", |name| &name.name);
    let ours = if cx.several_models() { format!("{name}.") } else { String::new() };
    let file = call(cx, written);
    let choice = fresh.map_or(Some(Choice::default()), |(_, e)| Choice::read(cx, "fresh", e, &ours));
    let (Some(file), Some(choice), Some(model)) = (file, choice, model) else { return };
    let kinds: Vec<&str> = model.weights.iter().map(|w| kind_of(model, &w.name, &ours)).collect();
    let named: Vec<Weight> =
        model.weights.iter().zip(&kinds).map(|(w, kind)| Weight { name: &w.name, kind }).collect();
    if choice.check(cx, &named, &model.layers).is_none() {
        return;
    }
    if file.layout == Layout::Torch && unknown_to_torch(cx, model, &named, &choice) {
        return;
    }
    let kept = model.weights.iter().zip(&named).filter(|(_, weight)| !choice.is_weight(cx, weight));
    let weights = kept.map(|(weight, named)| taken(model, &file, weight, named.kind, &ours)).collect();
    let pretrained = Pretrained { weights, ..file };
    look(cx, &pretrained, name, probe);
    model.pretrained = Some(pretrained);
}

/// The value of a key of a section; one that is said twice is reported elsewhere.
fn value<'a>(section: &'a Section, key: &str) -> Option<(&'a Ident, &'a Expr)> {
    Keyed::quietly(section, key)
}

/// The kind of the layer that has a weight, seen through a layer that has it in two directions.
fn kind_of<'m>(model: &'m ModelInfo, name: &str, ours: &str) -> &'m str {
    let layer = layer_of(model, name);
    match layer.map(|layer| layer.kind.as_str()) {
        Some("Bidirectional") => {
            let path = layer.map_or("", |layer| &layer.path);
            let hidden = format!("{ours}{}.forward.weight_hh", path.strip_prefix(ours).unwrap_or(path));
            let found = model.weights.iter().find(|w| w.name == hidden);
            match found.and_then(|w| gates(&w.shape)) {
                Some(4) => "LSTM",
                Some(3) => "GRU",
                Some(_) | None => "SimpleRNN",
            }
        }
        Some(kind) => kind,
        None => "",
    }
}

/// Whether a layer that is not `fresh` computes what none of PyTorch's does, which is reported. Theirs of the same kind
/// would fit by its shapes, and mean something else.
fn unknown_to_torch(cx: &Ctx, model: &ModelInfo, weights: &[Weight], fresh: &Choice) -> bool {
    let has = |name: String| weights.iter().any(|w| *w.name == *name);
    let mut found = false;
    for weight in weights.iter().filter(|w| w.kind == "GRU" && !fresh.is_weight(cx, w)) {
        let Some(path) = weight.name.strip_suffix("bias").filter(|path| path.ends_with('.')) else {
            continue;
        };
        // A reset behind the product has a bias of its own.
        if has(format!("{path}bias_hh")) {
            continue;
        }
        let span = layer_of(model, weight.name).map_or(model.span, |layer| layer.span);
        let message = "PyTorch has no `GRU` with `reset_after=false`";
        let label = "resets the state before its product";
        let d = Diagnostic::error("weights::layer", message, span, label);
        cx.report(d.help(format!(
            "take `reset_after=false` out, or let the layer start anew: `fresh = [{}]`",
            path.trim_end_matches('.')
        )));
        found = true;
    }
    found
}

/// Of a recurrent weight, `[units, gates * units]`.
fn gates(shape: &Shape) -> Option<i64> {
    let [units, wide] = shape.dims() else { return None };
    wide.div_exact(units)?.as_const()
}

/// The layer with the longest path that a weight's name begins with.
fn layer_of<'m>(model: &'m ModelInfo, name: &str) -> Option<&'m super::job::LayerInfo> {
    let has = |path: &str| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    let all = model.layers.iter().filter(|layer| !layer.path.is_empty() && has(&layer.path));
    all.max_by_key(|layer| layer.path.len())
}

/// Where the file may have a weight.
fn taken(
    model: &ModelInfo,
    file: &Pretrained,
    weight: &super::job::WeightInfo,
    kind: &str,
    ours: &str,
) -> Taken {
    let layer = layer_of(model, &weight.name);
    let plain = weight.name.strip_prefix(ours).unwrap_or(&weight.name);
    let own_from = layer.map_or(0, |layer| layer.path.strip_prefix(ours).unwrap_or(&layer.path).len() + 1);
    let (path, own) = plain.split_at(own_from.min(plain.len()));
    let path = format!("{}{path}", file.prefix);
    let ways: Vec<Way> = match file.layout {
        Layout::Mlc => vec![vec![as_it_is(format!("{path}{own}"), &weight.shape)]],
        Layout::Torch => torch::ways(&torch::Weight { kind, path: &path, own, shape: &weight.shape }),
    };
    let span = layer.map_or(model.span, |layer| layer.span);
    Taken { name: weight.name.clone(), shape: weight.shape.clone(), ways, span }
}

fn as_it_is(name: String, shape: &Shape) -> Piece {
    let dims: Vec<Dim> = shape.dims().to_vec();
    let axes = (0..dims.len()).collect();
    Piece { name, shape: dims.clone(), parts: (1, vec![0]), view: dims, axes }
}

/// Holds the weights against the file's header, if the file is here.
fn look(cx: &Ctx, pretrained: &Pretrained, model: &str, probe: &dyn DataProbe) {
    let at = pretrained.path_span;
    match probe.tensors(&pretrained.path, at) {
        Ok(Some(tensors)) => {
            misfits(pretrained, model, &tensors, &Bindings::new()).into_iter().for_each(|d| cx.report(d));
        }
        Ok(None) => {
            let message = format!("`{}` is not here, so its weights are taken on trust", pretrained.path);
            let mut d = Diagnostic::error("data::missing_file", message, at, "no such file");
            d.severity = Severity::Warning;
            cx.report(d.help("name the folder that holds it with `--data DIR` or `MLC_DATA`"));
        }
        Err(wrong) => {
            let mut d =
                Diagnostic::error("weights::unreadable", wrong.message, at, "cannot be read as it is");
            d.help = wrong.help;
            cx.report(d);
        }
    }
}

/// `safetensors("f", prefix="transformer.", layout=torch)`, its weights not looked for yet.
fn call(cx: &Ctx, expr: &Expr) -> Option<Pretrained> {
    let ExprKind::Call { callee, args } = &expr.bare().kind else {
        if !matches!(expr.bare().kind, ExprKind::Broken) {
            no_call(cx, expr.span);
        }
        return None;
    };
    let Some(callee) = callee.as_name().filter(|name| &*name.name == CALL) else {
        no_call(cx, expr.span);
        return None;
    };
    let slots: Vec<(&str, bool)> =
        ARGUMENTS.iter().map(|(name, preset, _)| (*name, matches!(preset, Preset::Required))).collect();
    let args = data::arguments(cx, &callee.name, expr.span, &slots, args)?;
    let [path, prefix, layout] = args.as_slice() else { unreachable!("pretrained: one for each slot") };
    let given = path.as_ref()?;
    let text = cx.string("path", given.value);
    let prefix = prefix.as_ref().map_or(Some(String::new()), |given| cx.string("prefix", given.value));
    let layout = layout.as_ref().map_or(Some(Layout::Mlc), |given| chosen(cx, given.value));
    let (path, prefix, layout) = (text?, prefix?, layout?);
    Some(Pretrained { path, path_span: given.span, prefix, layout, weights: Vec::new() })
}

fn no_call(cx: &Ctx, at: Span) {
    let d =
        Diagnostic::error("weights::source", "this names no file of weights", at, "not a file of weights");
    cx.report(d.help("write `safetensors(\"file.safetensors\")`, which any framework can save"));
}

fn chosen(cx: &Ctx, expr: &Expr) -> Option<Layout> {
    let word = cx.word("layout", expr)?;
    let layout = Layout::parse(&word);
    if layout.is_none() {
        let message = format!("there is no layout `{word}`");
        let d = Diagnostic::error("value::type", message, expr.span, "not a layout");
        let name = Ident { name: word.as_str().into(), span: expr.span };
        cx.report(suggest(d, "layout", &name, Layout::WORDS.iter().copied()));
    }
    layout
}
