//! `class_weights=balanced`: a weight for each class that the training rows decide, scikit-learn's
//! `n / (classes * rows of the class)`.
//!
//! The weights are a state of the model that no step changes. It is called after the label, `species.class_weights`,
//! filled when the data are known, and kept with the weights.

use super::loss::{Inputs, tensor};
use crate::base::{Dim, Shape, Span};
use crate::diag::Diagnostic;
use crate::graph::{Init, LeafKind, Prim, Value};
use crate::ops::formula::{Checked, Given, Item};
use crate::ops::loss::{LabelRange, LossDef};
use crate::sema::job::Balance;
use crate::sema::model::{Entity, Ev};
use crate::syntax::ast::{Arg, Ident};

const ARGUMENT: &str = "class_weights";
const WORD: &str = "balanced";

/// The word `balanced` where it is one: the argument of that name expects it.
pub(super) fn word(ev: &Ev, arg: &Arg) -> Option<Item<Entity>> {
    let expected = arg.name.as_ref().is_some_and(|n| &*n.name == ARGUMENT);
    let name = arg.value.as_name().filter(|n| expected && &*n.name == WORD)?;
    (!ev.scope.names.contains_key(&name.name)).then(|| Item::Text(WORD.to_string()))
}

/// Makes tensors of balanced weights; whether there are some. `label` is what the loss compares with.
pub(super) fn balanced(
    ev: &mut Ev,
    def: &LossDef,
    given: &mut Inputs,
    label: Option<Value>,
    width: Option<&Dim>,
) -> Checked<bool> {
    let is_it =
        |g: &Given<Item<Entity>>| named(g, ARGUMENT) && matches!(&g.value, Item::Text(text) if text == WORD);
    let two = def.label == LabelRange::Share;
    let Some(at) = given.iter().position(is_it).filter(|_| two || def.by_class.is_some()) else {
        return Ok(false);
    };
    let span = given[at].span;
    let classes = if two { Dim::from(2) } else { width.cloned().unwrap_or_else(Dim::one) };
    let (weights, label) = state(ev, def, label, classes, span)?;
    if !two {
        given[at].value = Item::Tensor(weights);
        return Ok(true);
    }
    // A loss of two classes has no place for them: each row weighs as its class does.
    let rows = ev.b.gather(weights, label);
    let own = given.iter().position(|g| named(g, "weight"));
    let value = match own.map(|own| &given[own].value) {
        Some(Item::Tensor(v)) if ev.b.shape(*v) != ev.b.shape(rows) => {
            let message = format!("`weight` and `{ARGUMENT}` of `{}` weigh different things", def.name);
            let d = Diagnostic::error("call::type", message, span, "weighs rows by their class");
            return ev.fail(d.help("leave one of them out"));
        }
        Some(Item::Tensor(v)) => {
            let own = ev.b.to_f32(*v);
            ev.b.mul(rows, own)
        }
        Some(_) | None => rows,
    };
    given[at].value = Item::Tensor(value);
    given[at].name = Some(Ident { name: "weight".into(), span });
    if let Some(own) = own.filter(|own| tensor(&given[*own].value).is_some()) {
        given.remove(own);
    }
    Ok(true)
}

fn named(argument: &Given<Item<Entity>>, name: &str) -> bool {
    argument.name.as_ref().is_some_and(|n| &*n.name == name)
}

/// The state with a weight for each class of a label that is a column, and the label.
fn state(
    ev: &mut Ev,
    def: &LossDef,
    label: Option<Value>,
    classes: Dim,
    at: Span,
) -> Checked<(Value, Value)> {
    let column = label.filter(|l| ev.scope.classes(*l).is_some()).and_then(|label| {
        let graph = ev.b.graph();
        let Prim::Leaf(leaf) = graph.nodes[label].prim else { return None };
        let leaf = &graph.leaves[leaf];
        (leaf.kind == LeafKind::Batch).then(|| (label, leaf.name.to_string()))
    });
    let Some((label, column)) = column else {
        let message = format!("`{ARGUMENT}={WORD}` of `{}` counts the classes of a column", def.name);
        let d = Diagnostic::error("call::type", message, at, "this label is none");
        return ev.fail(
            d.help(format!("compare with a column of classes, or list the weights: `{ARGUMENT}=[1, 5]`")),
        );
    };
    let name = format!("{column}.{ARGUMENT}");
    ev.at(at);
    let value = match ev.b.find(&name) {
        Some(leaf) => ev.b.read(leaf),
        None => {
            ev.scope.balanced.push(Balance { column, state: name.clone() });
            ev.b.state(name.as_str(), Shape::from(vec![classes]), Init::Constant(1.0))
        }
    };
    Ok((value, label))
}
