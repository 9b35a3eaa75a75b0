//! Words that choose weights: `bias`, `LayerNorm`, `fc1`, `h.0`, `fc1.weight`, a model's name, `all`.

use crate::base::Span;
use crate::diag::{Diagnostic, did_you_mean};
use crate::sema::ctx::{Ctx, list};
use crate::sema::job::LayerInfo;
use crate::syntax::ast::{EntryKind, Expr, ExprKind, Section};
use std::collections::BTreeSet;

/// The choice of a list such as `[bias, LayerNorm, h.0]`.
#[derive(Clone, Debug, Default)]
pub(in crate::sema) struct Choice {
    words: Vec<Word>,
}

#[derive(Clone, Debug)]
struct Word {
    /// As written: `h.0`.
    text: String,
    /// What it is of, in front of paths: empty, or a model with a dot behind.
    prefix: String,
    span: Span,
}

/// A weight and the kind of layer that has it.
pub(in crate::sema) struct Weight<'a> {
    pub name: &'a str,
    pub kind: &'a str,
}

impl Word {
    /// Whether all of a layer is meant.
    fn is_layer(&self, path: &str, kind: &str, alone: bool) -> bool {
        let Some(path) = path.strip_prefix(&self.prefix) else { return false };
        let within =
            path == self.text || path.strip_prefix(&*self.text).is_some_and(|rest| rest.starts_with('.'));
        within || self.text == kind || self.text == "all" || alone
    }

    fn is_weight(&self, weight: &Weight, alone: bool) -> bool {
        let (layer, own) = weight.name.rsplit_once('.').unwrap_or(("", weight.name));
        let named = self.text == own || format!("{}{}", self.prefix, self.text) == weight.name;
        (named && weight.name.starts_with(&self.prefix)) || self.is_layer(layer, weight.kind, alone)
    }
}

impl Choice {
    /// Whether nothing is chosen.
    pub fn is_none(&self) -> bool {
        self.words.is_empty()
    }

    /// Reads `[bias, fc1]`, or one word; what is no word is reported under the name of the key.
    pub fn read(cx: &Ctx, key: &str, expr: &Expr, prefix: &str) -> Option<Choice> {
        let items = match &expr.bare().kind {
            ExprKind::List(items) => items.as_slice(),
            ExprKind::Broken => return None,
            _ => std::slice::from_ref(expr),
        };
        let words: Vec<Option<Word>> = items
            .iter()
            .map(|item| {
                let Some(text) = item.dotted() else {
                    cx.wants(key, "names of weights such as `[bias, LayerNorm, fc1]`", "value", item.span);
                    return None;
                };
                Some(Word { text, prefix: prefix.to_string(), span: item.span })
            })
            .collect();
        Some(Choice { words: words.into_iter().collect::<Option<_>>()? })
    }

    pub fn and(mut self, more: Choice) -> Choice {
        self.words.extend(more.words);
        self
    }

    /// Whether all of the layer at a path is chosen.
    pub fn is_layer(&self, cx: &Ctx, path: &str, kind: &str) -> bool {
        self.words.iter().any(|word| word.is_layer(path, kind, names_all(cx, word)))
    }

    pub(in crate::sema) fn is_weight(&self, cx: &Ctx, weight: &Weight) -> bool {
        self.words.iter().any(|word| word.is_weight(weight, names_all(cx, word)))
    }

    /// Reports words that mean no weight and no layer.
    pub(in crate::sema) fn check(&self, cx: &Ctx, weights: &[Weight], layers: &[LayerInfo]) -> Option<()> {
        let mut ok = Some(());
        for word in &self.words {
            let alone = names_all(cx, word);
            let some = weights.iter().any(|w| word.is_weight(w, alone))
                || layers.iter().any(|l| word.is_layer(&l.path, &l.kind, alone));
            if !some {
                cx.report(unknown(word, weights, layers));
                ok = None;
            }
        }
        ok
    }
}

/// The name of the only model: all of its weights, though their paths do not begin with it.
fn names_all(cx: &Ctx, word: &Word) -> bool {
    !cx.several_models() && cx.model(&word.text).is_some()
}

fn unknown(word: &Word, weights: &[Weight], layers: &[LayerInfo]) -> Diagnostic {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for weight in weights {
        let (layer, own) = weight.name.rsplit_once('.').unwrap_or(("", weight.name));
        known.extend([weight.kind, own, layer, weight.name]);
    }
    known.extend(layers.iter().map(|l| &*l.kind));
    known.remove("");
    let message = format!("`{}` names no weight", word.text);
    let d = Diagnostic::error("train::weights", message, word.span, "no layer, kind of layer or weight");
    match did_you_mean(&word.text, known.iter().copied()) {
        Some(near) => {
            d.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), word.span, near)
        }
        None => d.help(format!("write one of {}", list(known).unwrap_or_default())),
    }
}

/// What `freeze` says in `train` and in the models of the file; those of a model are its own.
pub(super) fn frozen(cx: &Ctx, written: Option<&Expr>) -> Option<Choice> {
    let mut choice = written.map_or(Some(Choice::default()), |e| Choice::read(cx, "freeze", e, ""));
    for (name, (_, global)) in &cx.globals {
        let super::super::ctx::Global::Model(model) = global else { continue };
        let prefix = if cx.several_models() { format!("{name}.") } else { String::new() };
        if let Some(expr) = freeze_of(model) {
            choice = choice.and_then(|c| Some(c.and(Choice::read(cx, "freeze", expr, &prefix)?)));
        }
    }
    choice
}

fn freeze_of(model: &Section) -> Option<&Expr> {
    model.entries.iter().find_map(|entry| match &entry.kind {
        EntryKind::Bind { path, value } if path.parts.len() == 1 && &*path.parts[0].name == "freeze" => {
            Some(value)
        }
        _ => None,
    })
}
