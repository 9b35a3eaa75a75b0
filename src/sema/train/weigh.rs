//! What a loss takes beside its pair: weights of rows and of classes, labels that are shares, rows to leave
//! out. Here its formula is chosen, and its arguments take the shapes that the formula wants.

use super::balance;
use super::loss::{Inputs, tensor};
use super::masked;
use crate::base::{DType, Dim, Shape, Span};
use crate::diag::Diagnostic;
use crate::graph::{Prim, Value};
use crate::ops::formula::{Checked, Given, Item, Number, ParamKind, PatternSize, Reported};
use crate::ops::loss::{LossDef, foreign_argument};
use crate::sema::job::{Range, Wanted};
use crate::sema::model::{Entity, Ev};
use crate::syntax::ast::Ident;

/// A loss whose formula is chosen.
pub(super) struct Form {
    /// An op of the library.
    pub op: &'static str,
    pub given: Inputs,
}

/// Settings of losses and what they may be; the other settings of the formulas take any number.
static RANGES: &[(&str, f64, f64)] =
    &[("label_smoothing", 0.0, 1.0), ("pos_weight", 0.0, f64::MAX), ("gamma", 0.0, f64::MAX)];

/// Arguments in our words: those of other frameworks are reported, and so are numbers out of range.
pub(super) fn arguments(ev: &mut Ev, def: &LossDef, params: &[String], given: Inputs) -> Checked<Inputs> {
    let mut ok = Ok(());
    for (place, argument) in given.iter().enumerate() {
        let name =
            argument.name.as_ref().map_or_else(|| params.get(place).cloned(), |n| Some(n.name.to_string()));
        let Some(name) = name else { continue };
        if let (Some(written), None) = (&argument.name, params.iter().find(|p| **p == name)) {
            ok = foreign(ev, def, written).and(ok);
        }
        if let Some((_, min, max)) = RANGES.iter().find(|(setting, ..)| *setting == name)
            && let Item::Number(n) = &argument.value
            && n.as_f64().is_some_and(|x| !(*min..=*max).contains(&x))
        {
            ok = out_of_range(ev, def, &name, n, (*min, *max), argument.span);
        }
    }
    ok.map(|()| given)
}

fn out_of_range(
    ev: &mut Ev,
    def: &LossDef,
    name: &str,
    found: &Number,
    (min, max): (f64, f64),
    at: Span,
) -> Checked<()> {
    let range = if max == f64::MAX { format!("at least {min}") } else { format!("from {min} to {max}") };
    let message = format!("`{name}` of `{}` must be {range}, but is {found}", def.name);
    let d = Diagnostic::error("call::range", message, at, "out of range");
    ev.fail(d.help(crate::ops::attrs::choose(&range)))
}

/// An argument that other frameworks have.
fn foreign(ev: &mut Ev, def: &LossDef, written: &Ident) -> Checked<()> {
    let Some((ours, why)) = foreign_argument(&written.name) else { return Ok(()) };
    let message = format!("`{}` has no `{}` here", def.name, written.name);
    let d = Diagnostic::error("call::foreign", message, written.span, "of another framework");
    ev.fail(match ours {
        Some(ours) => {
            d.help(format!("write `{ours}`: {why}")).fix(format!("write `{ours}`"), written.span, ours)
        }
        None => d.help(format!("leave it out: {why}")),
    })
}

/// The formula of the loss for its arguments. `pair` are the places of prediction and label.
pub(super) fn form(
    ev: &mut Ev,
    def: &LossDef,
    params: &[String],
    (prediction, label): (usize, usize),
    mut given: Inputs,
) -> Checked<Form> {
    let shares = shares(ev, def, &given[prediction], &given[label]);
    let compared = tensor(&given[label].value);
    let width = tensor(&given[prediction].value).and_then(|p| ev.b.shape(p).last().cloned());
    let by_class = |g: &Given<Item<Entity>>| g.name.as_ref().is_some_and(|n| is_by_class(&n.name));
    let op = match (shares, def.by_class) {
        (Some(op), _) => op,
        (None, Some(op)) if given.iter().any(by_class) => op,
        (None, _) => def.name,
    };
    // Other formulas have other places; the names are the same.
    for (place, argument) in given.iter_mut().enumerate().filter(|(at, _)| *at != prediction && *at != label)
    {
        if let (None, Some(name)) = (&argument.name, params.get(place)) {
            argument.name = Some(Ident { name: name.as_str().into(), span: argument.span });
        }
    }
    if op != def.name {
        (given[prediction].name, given[label].name) = (None, None);
        given.swap(0, prediction);
        given.swap(1, if label == 0 { prediction } else { label });
    }
    let balanced = balance::balanced(ev, def, &mut given, compared, width.as_ref())?;
    for argument in &mut given {
        match argument.name.as_ref().map(|n| n.name.to_string()).as_deref() {
            Some("class_weights") if def.by_class.is_some() && !balanced => {
                class_weights(ev, def, argument, width.as_ref())?
            }
            Some("alpha") if has_axes(ev, op, "alpha") && matches!(argument.value, Item::Tuple(_)) => {
                class_weights(ev, def, argument, width.as_ref())?
            }
            Some("weight") => row_weights(ev, def, argument)?,
            _ => {}
        }
    }
    expand(ev, op, &mut given);
    masked::leave_out(
        ev,
        op,
        def.by_class == Some(op),
        prediction_of(&given, op == def.name, prediction),
        &mut given,
    );
    Ok(Form { op, given })
}

/// Where the prediction stands after a change of formulas, which puts it first.
fn prediction_of(given: &Inputs, same: bool, before: usize) -> Option<Value> {
    tensor(&given.get(if same { before } else { 0 })?.value)
}

/// Whether a setting of a formula may be one number for each class.
fn has_axes(ev: &Ev, op: &str, setting: &str) -> bool {
    let params = ev.lib.std_op(op).map(|op| op.params.as_slice()).unwrap_or_default();
    let param = params.iter().find(|p| &*p.name == setting);
    param.is_some_and(|p| matches!(&p.kind, ParamKind::Tensor(pattern) if !pattern.sizes.is_empty()))
}

fn is_by_class(argument: &str) -> bool {
    ["class_weights", "ignore"].contains(&argument)
}

/// The id of the rows that count nothing.
pub(super) fn ignored(def: &LossDef, given: &Inputs) -> Option<i64> {
    def.by_class?;
    let is_it = |g: &&Given<Item<Entity>>| g.name.as_ref().is_some_and(|n| &*n.name == "ignore");
    match given.iter().find(is_it).map(|g| &g.value) {
        Some(Item::Number(Number::Int(n))) => n.as_const(),
        _ => None,
    }
}

/// The formula for shares, if the label is made of them: `f32` with an axis of classes.
pub(super) fn shares(
    ev: &Ev,
    def: &LossDef,
    prediction: &Given<Item<Entity>>,
    label: &Given<Item<Entity>>,
) -> Option<&'static str> {
    let (p, l) = (tensor(&prediction.value)?, tensor(&label.value)?);
    let alike = ev.b.dtype(l) == DType::F32 && ev.b.shape(l).rank() == ev.b.shape(p).rank();
    def.of_shares.filter(|_| alike)
}

/// `[1, 2.5, 0]` becomes a tensor with a number for each class.
fn class_weights(
    ev: &mut Ev,
    def: &LossDef,
    argument: &mut Given<Item<Entity>>,
    width: Option<&Dim>,
) -> Checked<()> {
    let number = |item: &Item<Entity>| match item {
        Item::Number(n) => n.as_f64().filter(|x| *x >= 0.0 && x.is_finite()),
        _ => None,
    };
    let all: Option<Vec<f64>> = match &argument.value {
        Item::Tuple(items) => items.iter().map(number).collect(),
        _ => None,
    };
    let name = argument.name.as_ref().map_or("class_weights", |n| &n.name).to_string();
    let Some(all) = all else {
        let found = ev.describe(&argument.value);
        let message = format!("`{name}` of `{}` is a list of numbers from 0", def.name);
        let d = Diagnostic::error("call::type", message, argument.span, found);
        let word = if name == "class_weights" { ", or `class_weights=balanced`" } else { "" };
        return ev.fail(d.help(format!("write one number for each class: `{name}=[1, 5]`{word}")));
    };
    let classes = width.cloned().unwrap_or_else(Dim::one);
    if classes.as_const() != Some(all.len() as i64) {
        let numbers = if name == "class_weights" { "class weights" } else { "numbers" };
        let message = format!("there are {classes} logits, but {} {numbers}", all.len());
        let d = Diagnostic::error("loss::classes", message, argument.span, "one for each class");
        return ev.fail(match classes.as_const() {
            Some(n) => d.help(format!("write {n} numbers, in the order of the classes")),
            None => d.help("make the width of the last layer a plain number, and write as many weights"),
        });
    }
    ev.at(argument.span);
    argument.value = Item::Tensor(table(ev, &all));
    Ok(())
}

/// A tensor of one axis with these numbers.
fn table(ev: &mut Ev, numbers: &[f64]) -> Value {
    let shape = Shape::from(vec![Dim::from(numbers.len() as i64)]);
    let places = ev.b.iota(shape.clone(), 0);
    let zero = ev.b.constant(0.0);
    let mut table = ev.b.broadcast_to(zero, &shape);
    for (place, number) in numbers.iter().enumerate() {
        let (place, number) = (ev.b.int(place as i64), ev.b.constant(*number));
        let here = ev.b.eq(places, place);
        table = ev.b.select(here, number, table);
    }
    table
}

/// A list is meant for classes; a column is checked when it is read.
fn row_weights(ev: &mut Ev, def: &LossDef, argument: &Given<Item<Entity>>) -> Checked<()> {
    if let (Item::Tuple(_), Some(name)) = (&argument.value, &argument.name) {
        let message = format!("`weight` of `{}` is one number for each row", def.name);
        let d = Diagnostic::error("call::type", message, argument.span, "a list");
        return ev.fail(match def.by_class {
            Some(_) => d.help("classes have `class_weights`").fix(
                "write `class_weights`",
                name.span,
                "class_weights",
            ),
            None => d.help("feed a column, and write its name: `weight=w`"),
        });
    }
    if let Some(v) = tensor(&argument.value)
        && let Prim::Leaf(leaf) = ev.b.graph().nodes[v].prim
    {
        let range = Range::AtLeast(0.0);
        let wanted =
            Wanted { range, except: None, by: format!("weight of {}", def.name), span: argument.span };
        let name = ev.b.graph().leaves[leaf].name.clone();
        ev.scope.wanted.push((name, wanted));
    }
    Ok(())
}

/// A weight of rows counts for every element of its row: the formula wants as many as it averages.
fn expand(ev: &mut Ev, op: &str, given: &mut Inputs) {
    let Some(weighed) = weighed(ev, op, given) else { return };
    let is_weight = |g: &&mut Given<Item<Entity>>| g.name.as_ref().is_some_and(|n| &*n.name == "weight");
    let Some(argument) = given.iter_mut().find(is_weight) else { return };
    let Some(v) = tensor(&argument.value) else { return };
    let shape = ev.b.shape(v).clone();
    let rows = shape.rank();
    if rows > 0 && rows < weighed.rank() && *shape.dims() == weighed[..rows] {
        ev.at(argument.span);
        let v = ev.b.to_f32(v);
        let axes: Vec<usize> = (0..rows).collect();
        argument.value = Item::Tensor(ev.b.broadcast(v, weighed, &axes));
    }
}

/// The shape of what a formula averages: that of its prediction, less the axes that have names of their own.
pub(super) fn weighed(ev: &Ev, op: &str, given: &Inputs) -> Option<Shape> {
    let ParamKind::Tensor(pattern) = &ev.lib.std_op(op)?.params.first()?.kind else { return None };
    let named = pattern.sizes.iter().filter(|s| !matches!(s, PatternSize::Rest(_))).count();
    let first = given
        .iter()
        .position(|g| g.name.is_none() || g.name.as_ref().is_some_and(|n| is_first(ev, op, n)))?;
    let shape = ev.b.shape(tensor(&given[first].value)?);
    Some(Shape::from(shape[..shape.rank().checked_sub(named)?].to_vec()))
}

fn is_first(ev: &Ev, op: &str, name: &Ident) -> bool {
    ev.lib.std_op(op).and_then(|op| op.params.first()).is_some_and(|p| p.name == name.name)
}

/// The class of the largest share, which is what metrics compare.
pub(super) fn as_ids(ev: &mut Ev, label: &Given<Item<Entity>>) -> Checked<Item<Entity>> {
    let name = Ident { name: "argmax".into(), span: label.span };
    let given = vec![Given { name: None, value: label.value.clone(), span: label.span }];
    let pin = ev.pin.replace(label.span);
    let made = ev.call_name(&name, label.span, given, &[]);
    ev.pin = pin;
    made.map_err(|Reported| Reported)
}
