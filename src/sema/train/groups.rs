//! Which weights are trained, and how: `freeze`, `no_decay`, `groups`.

use super::build::Built;
use super::choose::{Choice, Weight};
use crate::base::Span;
use crate::diag::{Diagnostic, did_you_mean};
use crate::graph::LeafKind;
use crate::ops::attrs::check_range;
use crate::ops::formula::Item;
use crate::ops::optimizer;
use crate::sema::ctx::{Ctx, list};
use crate::sema::job::{Group, LayerInfo, OptimizerPlan};
use crate::syntax::ast::{Entry, EntryKind, Expr, Ident, Section};

/// A group as written: whose weights, and the settings that they have instead of the optimizer's.
pub(super) struct Written {
    name: String,
    weights: Choice,
    settings: Vec<(String, f64)>,
    span: Span,
}

/// `groups { head { weights = [fc2]  lr = 1e-2 } }`
pub(super) fn read(cx: &Ctx, section: &Section, optimizer: Option<&OptimizerPlan>) -> Option<Vec<Written>> {
    let groups: Vec<Option<Written>> =
        section.entries.iter().filter_map(|entry| entry_of(cx, entry, optimizer)).collect();
    groups.into_iter().collect()
}

fn entry_of(cx: &Ctx, entry: &Entry, optimizer: Option<&OptimizerPlan>) -> Option<Option<Written>> {
    match &entry.kind {
        EntryKind::Section(inner) => Some(group(cx, inner, optimizer)),
        EntryKind::Broken => None,
        EntryKind::Bind { .. }
        | EntryKind::Let { .. }
        | EntryKind::Input { .. }
        | EntryKind::Output { .. }
        | EntryKind::Typed { .. } => {
            let message = "`groups` holds groups alone";
            let d = Diagnostic::error("key::misplaced", message, entry.span, "not `name { … }`");
            cx.report(d.help("write `head { weights = [fc2]  lr = 1e-2 }`"));
            Some(None)
        }
    }
}

fn group(cx: &Ctx, section: &Section, optimizer: Option<&OptimizerPlan>) -> Option<Written> {
    let (mut weights, mut settings, mut ok) = (None, Vec::new(), true);
    for entry in &section.entries {
        let EntryKind::Bind { path, value } = &entry.kind else {
            ok &= matches!(entry.kind, EntryKind::Broken);
            continue;
        };
        match path.parts.as_slice() {
            [key] if &*key.name == "weights" => {
                weights = Some(Choice::read(cx, "weights", value, ""));
            }
            [key] => match setting(cx, key, value, optimizer) {
                Some(setting) => settings.push(setting),
                None => ok = false,
            },
            _ => ok = false,
        }
    }
    let Some(weights) = weights else {
        let message = format!("the group `{}` has no `weights`", section.word.name);
        let d = Diagnostic::error("key::missing", message, section.word.span, "of whom?");
        cx.report(d.help("add `weights = [fc2]`: layers, kinds of layers or weights"));
        return None;
    };
    let weights = weights?;
    let name = section.word.name.to_string();
    ok.then_some(Written { name, weights, settings, span: section.word.span })
}

/// A setting of the optimizer with another value.
fn setting(cx: &Ctx, key: &Ident, value: &Expr, optimizer: Option<&OptimizerPlan>) -> Option<(String, f64)> {
    let optimizer = optimizer?;
    let sig = &optimizer::find(&optimizer.name)?.sig;
    let Some(attr) = sig.attrs.iter().find(|a| a.name == &*key.name) else {
        let message = format!("`{}` has no setting `{}`", sig.name, key.name);
        let d = Diagnostic::error("key::unknown", message, key.span, "not a setting of the optimizer");
        let known = || sig.attrs.iter().map(|a| a.name);
        cx.report(match did_you_mean(&key.name, known()) {
            Some(near) => {
                d.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), key.span, near)
            }
            None => d.help(format!("write `weights` or one of {}", list(known()).unwrap_or_default())),
        });
        return None;
    };
    let found = cx.constant(value)?;
    let Some(x) = (match &found {
        Item::Number(n) => n.as_f64(),
        Item::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Item::Tensor(_) | Item::Text(_) | Item::Tuple(_) | Item::Entity(_) => None,
    }) else {
        cx.wants(&key.name, "a number", "value", value.span);
        return None;
    };
    check_range(sig, attr, x, value.span).map_err(|d| cx.report(d)).ok()?;
    let base = optimizer.setting("lr");
    if attr.name == "lr" && base == 0.0 {
        let message = "a group's `lr` follows the optimizer's, which is 0";
        let d = Diagnostic::error("call::range", message, value.span, "would stay 0");
        cx.report(d.help("give the optimizer a learning rate, and `freeze` what shall not move"));
        return None;
    }
    Some((attr.name.to_string(), x))
}

/// Everything that chooses weights, with what there is to choose from.
pub(super) struct Chosen {
    /// Names of weights, in the order of the graphs.
    weights: Vec<String>,
    layers: Vec<LayerInfo>,
}

impl Chosen {
    /// The weights of some graphs, each once.
    pub fn of(built: &[Built]) -> Chosen {
        let (mut weights, mut layers): (Vec<String>, Vec<LayerInfo>) = (Vec::new(), Vec::new());
        for Built { graph, layers: own, .. } in built {
            for (_, leaf) in graph.leaves.iter().filter(|(_, leaf)| matches!(leaf.kind, LeafKind::Param(_))) {
                if !weights.iter().any(|name| **name == *leaf.name) {
                    weights.push(leaf.name.to_string());
                }
            }
            layers.extend(own.iter().cloned());
        }
        Chosen { weights, layers }
    }

    fn weights(&self) -> Vec<Weight<'_>> {
        let kind = |name: &str| {
            let of = self.layers.iter().find(|l| l.params.iter().any(|p| p == name));
            of.map_or("", |layer| &*layer.kind)
        };
        self.weights.iter().map(|name| Weight { name, kind: kind(name) }).collect()
    }

    /// Those of some names that are here.
    pub fn among(&self, names: &[String]) -> Vec<String> {
        names.iter().filter(|name| self.weights.contains(name)).cloned().collect()
    }

    /// A group with those of its weights that are here.
    pub fn part(&self, group: Group) -> Group {
        Group { weights: self.among(&group.weights), ..group }
    }

    /// The weights that a step with `updates` leaves as they are.
    pub fn not_updated(
        &self,
        cx: &Ctx,
        updates: &Choice,
        frozen: &[String],
        span: Span,
    ) -> Option<Vec<String>> {
        let updated = self.chosen(cx, updates)?;
        let stays = |name: &&String| !updated.contains(name) || frozen.contains(name);
        let stays: Vec<String> = self.weights.iter().filter(stays).cloned().collect();
        if stays.len() == self.weights.len() {
            let message = "every weight that this step updates is frozen";
            let d = Diagnostic::error("loss::constant", message, span, "nothing to train");
            cx.report(d.help("leave something to train out of `freeze`"));
            return None;
        }
        Some(stays)
    }

    /// The names of the weights that a choice means.
    fn chosen(&self, cx: &Ctx, choice: &Choice) -> Option<Vec<String>> {
        let weights = self.weights();
        choice.check(cx, &weights, &self.layers)?;
        Some(weights.iter().filter(|w| choice.is_weight(cx, w)).map(|w| w.name.to_string()).collect())
    }

    /// The weights that stay as they are.
    pub fn frozen(&self, cx: &Ctx, choice: &Choice, span: Span) -> Option<Vec<String>> {
        let frozen = self.chosen(cx, choice)?;
        if !frozen.is_empty() && frozen.len() == self.weights().len() {
            let message = "every weight is frozen";
            let d = Diagnostic::error("loss::constant", message, span, "nothing to train");
            cx.report(d.help("leave something to train out of `freeze`"));
            return None;
        }
        Some(frozen)
    }

    /// Groups with their weights; no weight is in two of them.
    pub fn groups(&self, cx: &Ctx, written: Vec<Written>) -> Option<Vec<Group>> {
        let mut groups: Vec<(Group, Span)> = Vec::new();
        for Written { name, weights, settings, span } in written {
            let weights = self.chosen(cx, &weights)?;
            let twice = groups
                .iter()
                .find_map(|(g, at)| Some((*at, weights.iter().find(|w| g.weights.contains(w))?)));
            if let Some((first, weight)) = twice {
                let message = format!("`{weight}` is in two groups");
                let d = Diagnostic::error("train::groups", message, span, "here").label(first, "and here");
                cx.report(d.help("name it in one group alone; a path such as `fc1.bias` chooses one weight"));
                return None;
            }
            groups.push((Group { name, weights, settings }, span));
        }
        Some(groups.into_iter().map(|(group, _)| group).collect())
    }

    /// The weights that do not decay, as a group without a name.
    pub fn without_decay(&self, cx: &Ctx, choice: &Choice) -> Option<Group> {
        let weights = self.chosen(cx, choice)?;
        Some(Group { name: String::new(), weights, settings: vec![("weight_decay".to_string(), 0.0)] })
    }
}
