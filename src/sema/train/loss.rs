//! Losses take logits: one trailing activation is folded in, two are an error.

use super::{balance, weigh};
use crate::base::{DType, Span};
use crate::diag::Diagnostic;
use crate::graph::{LeafKind, Prim, Value};
use crate::ops::formula::{Checked, Given, Item, Reported};
use crate::ops::loss::{LabelRange, LossDef};
use crate::sema::job::{Range, Wanted};
use crate::sema::model::{Entity, Ev, Pair};
use crate::syntax::ast::{Arg, Ident};
use std::sync::Arc;

pub(super) type Inputs = Vec<Given<Item<Entity>>>;

/// The arguments of a call, evaluated; all mistakes in them are reported.
pub(in crate::sema) fn given(ev: &mut Ev, args: &[Arg]) -> Checked<Inputs> {
    let all: Vec<_> = args
        .iter()
        .map(|arg| {
            let value = match balance::word(ev, arg) {
                Some(word) => word,
                None => ev.eval(&arg.value)?,
            };
            Ok(Given { name: arg.name.clone(), value, span: arg.value.span })
        })
        .collect();
    all.into_iter().collect()
}

/// A loss of the library on a prediction and a label.
pub(in crate::sema) fn loss(
    ev: &mut Ev,
    def: &LossDef,
    name: &Ident,
    given: Inputs,
    span: Span,
) -> Checked<Item<Entity>> {
    let params: Vec<String> = match ev.lib.op(def.name) {
        Some(op) => op.params.iter().map(|p| p.name.to_string()).collect(),
        None => return Err(Reported),
    };
    let mut given = weigh::arguments(ev, def, &params, given)?;
    let at = |which: usize, given: &Inputs| {
        let by_name = given.iter().position(|g| g.name.as_ref().is_some_and(|n| *n.name == *params[which]));
        by_name.or_else(|| given.get(which).filter(|g| g.name.is_none()).map(|_| which))
    };
    let (prediction, label) = (at(0, &given), at(1, &given));
    if let Some(i) = prediction {
        given[i].value = logits(ev, def, given[i].value.clone(), given[i].span, name.span)?;
    }
    let shown = prediction.and_then(|i| tensor(&given[i].value));
    let (mut pair, mut callee, mut pin) = (None, name.clone(), ev.pin);
    let ignore = weigh::ignored(def, &given);
    if let (Some(p), Some(l)) = (prediction, label) {
        classes(ev, def, &given[p], &given[l])?;
        wanted(ev, def, &given, (p, l), name.span);
        let compared = match weigh::shares(ev, def, &given[p], &given[l]) {
            Some(_) => weigh::as_ids(ev, &given[l])?,
            None => given[l].value.clone(),
        };
        let column = super::metric::column(ev, &given[l].value);
        pair = Some(((given[p].value.clone(), given[p].span), (compared, given[l].span), column));
        let form = weigh::form(ev, def, &params, (p, l), given)?;
        if form.op != def.name {
            // The library's own, whatever the user calls theirs.
            (callee, pin) = (Ident { name: form.op.into(), span: name.span }, Some(span));
        }
        given = form.given;
    }
    let column = label.and_then(|l| tensor(&given[l].value)).and_then(|v| number_column(ev, v));
    let before = std::mem::take(ev.diags);
    let pin = std::mem::replace(&mut ev.pin, pin);
    let made = ev.call_name(&callee, span, given, &[]);
    ev.pin = pin;
    // What is wrong with a shape here came from the model: show how.
    for d in std::mem::replace(ev.diags, before).sorted() {
        let d = match shown {
            Some(v) if d.code.starts_with("shape::") => ev.scope.explain(d, v),
            _ if d.code == "dtype::argument" && column.is_some() => {
                let name = column.as_deref().unwrap_or_default();
                d.help(format!("a column is a number unless its type says otherwise: write `{name} : class`"))
            }
            _ => d,
        };
        ev.diags.push(d);
    }
    let made = made?;
    if let (Some((prediction, label, column)), Item::Tensor(loss)) = (pair, &made) {
        ev.scope.pairs.push(Pair { prediction, label, column, folds: def.folds, ignore, loss: *loss });
    }
    Ok(made)
}

/// The column of numbers that a label is, if it comes as the data have it.
fn number_column(ev: &Ev, label: Value) -> Option<Arc<str>> {
    let graph = ev.b.graph();
    let Prim::Leaf(leaf) = graph.nodes[label].prim else { return None };
    let leaf = &graph.leaves[leaf];
    (leaf.kind == LeafKind::Batch && leaf.ty.dtype == DType::F32).then(|| leaf.name.clone())
}

pub(super) fn tensor(item: &Item<Entity>) -> Option<Value> {
    match item {
        Item::Tensor(v) => Some(*v),
        _ => None,
    }
}

/// What a prediction is before the activation that the loss has in itself.
pub(super) fn logits(
    ev: &mut Ev,
    def: &LossDef,
    prediction: Item<Entity>,
    at: Span,
    callee: Span,
) -> Checked<Item<Entity>> {
    let Some(folds) = def.folds else { return Ok(prediction) };
    let Some(prob) = tensor(&prediction).and_then(|v| ev.scope.prob(v)) else { return Ok(prediction) };
    let name = def.name;
    if let Some(logits) = prob.logits.filter(|_| prob.by == folds) {
        return match ev.scope.prob(logits) {
            None => Ok(Item::Tensor(logits)),
            Some(first) => {
                let message = format!("a double softmax: `{name}` would squash what is squashed already");
                let d = Diagnostic::error("loss::double_softmax", message, prob.span, "one too many")
                    .label(first.span, "squashed here first")
                    .label(callee, format!("`{name}` takes logits"));
                ev.fail(d.help(format!("take out both: `{name}` applies its own {folds}")))
            }
        };
    }
    let message = match prob.by == folds {
        true => format!("a double softmax: `{name}` takes logits, but these are probabilities"),
        false => format!("`{name}` takes logits, but {} made probabilities of them", prob.by),
    };
    let code = if prob.by == folds { "loss::double_softmax" } else { "loss::logits" };
    let d = Diagnostic::error(code, message, at, "probabilities come in")
        .label(prob.span, format!("made by {} here", prob.by));
    ev.fail(d.help(format!("take out the {}: `{name}` applies its own {folds}", prob.by)))
}

/// Notes what the label's column must hold, for whoever reads it: a column that nothing has called
/// a class may hold anything.
fn wanted(ev: &mut Ev, def: &LossDef, given: &Inputs, (prediction, label): (usize, usize), span: Span) {
    let (Some(p), Some(l)) = (tensor(&given[prediction].value), tensor(&given[label].value)) else { return };
    let graph = ev.b.graph();
    let Prim::Leaf(leaf) = graph.nodes[l].prim else { return };
    let shares = weigh::shares(ev, def, &given[prediction], &given[label]).is_some();
    let range = match (def.label, ev.b.shape(p).last()) {
        (LabelRange::Share, _) => Range::Between(0.0, 1.0),
        (LabelRange::Classes, _) if shares => Range::Between(0.0, 1.0),
        (LabelRange::Classes, Some(classes)) => Range::Below(classes.clone()),
        (LabelRange::Any, _) | (LabelRange::Classes, None) => return,
    };
    let wanted = Wanted { range, except: weigh::ignored(def, given), by: def.name.to_string(), span };
    ev.scope.wanted.push((graph.leaves[leaf].name.clone(), wanted));
}

/// As many logits as classes; one logit for two classes.
fn classes(
    ev: &mut Ev,
    def: &LossDef,
    prediction: &Given<Item<Entity>>,
    label: &Given<Item<Entity>>,
) -> Checked<()> {
    let (Some(p), Some(l)) = (tensor(&prediction.value), tensor(&label.value)) else { return Ok(()) };
    let Some((classes, counted)) = ev.scope.classes(l) else { return Ok(()) };
    let ty = ev.b.ty(p).clone();
    let (message, help) = match def.name {
        "CrossEntropy" => {
            let Some(width) = ty.shape.last().filter(|_| ty.rank() == ev.b.ty(l).rank() + 1) else {
                return Ok(());
            };
            // A size that only the data know is compared once they are read.
            let (Some(have), Some(want)) = (width.as_const(), classes.as_const()) else { return Ok(()) };
            if have == want {
                return Ok(());
            }
            (
                format!("there are {want} classes, but {have} logits"),
                format!("make the last layer {want} wide, one logit for each class"),
            )
        }
        "BinaryCrossEntropy" => match classes.as_const() {
            Some(n) if n > 2 => (
                format!("`BinaryCrossEntropy` tells two classes apart, but there are {n}"),
                format!("use `CrossEntropy` with {n} logits"),
            ),
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    let d = Diagnostic::error("loss::classes", message, prediction.span, format!("this is {ty}"))
        .label(counted, format!("{classes} classes"))
        .help(help);
    let d = ev.scope.explain(d, p);
    ev.fail(d)
}
