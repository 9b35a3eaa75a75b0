//! `input |> stage`, `stage as name`, `repeat(n) stage as h`.

use super::apply::{self, Use};
use super::bodies;
use super::masks;
use super::repeat::{Chain, repeat};
use super::resolve::{is_function, pending};
use super::several;
use super::{Entity, Ev, Pending, Prob, What, note_stage};
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::ops;
use crate::ops::formula::{Checked, Given, Item};
use crate::sema::facts::Mark;
use crate::sema::train;
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident, Path};
use std::rc::Rc;

type Found = Checked<Item<Entity>>;
pub(super) type Inputs = Vec<Given<Item<Entity>>>;

pub(super) fn pipe(ev: &mut Ev, input: &Expr, stage: &Expr, span: Span) -> Found {
    let inputs = ev.piped(input);
    match stage_of(stage) {
        Stage::Repeat { var, count, body, name } => {
            repeat(ev, inputs, Chain { var, count, body, name, stage: stage.span, span })
        }
        Stage::One { expr, name } => {
            let called = prepare(ev, expr, inputs.is_err());
            flow(ev, called?, inputs?, name, stage.span, span)
        }
    }
}

/// A stage less its `as`.
enum Stage<'e> {
    One { expr: &'e Expr, name: Option<&'e Path> },
    Repeat { var: Option<&'e Ident>, count: &'e Expr, body: &'e Expr, name: Option<&'e Path> },
}

/// `repeat(n) L as h`: the name is the chain's, on whichever side the tree has it.
fn stage_of(stage: &Expr) -> Stage<'_> {
    let (inner, outer) = split_as(stage);
    match &inner.kind {
        ExprKind::Repeat { var, count, body } => {
            let (body, name) = split_as(body);
            Stage::Repeat { var: var.as_ref(), count, body, name: outer.or(name) }
        }
        _ => Stage::One { expr: inner, name: outer },
    }
}

fn split_as(stage: &Expr) -> (&Expr, Option<&Path>) {
    match &stage.bare().kind {
        ExprKind::As { stage, path } => (split_as(stage).0, Some(path)),
        _ => (stage.bare(), None),
    }
}

/// What a stage calls, its settings checked.
pub(super) enum Called<'e> {
    Pending(Rc<Pending>),
    Model(Ident),
    Function(&'e Ident, &'e [Arg]),
}

/// Resolves a stage; with `poisoned` inputs a function's arguments are looked at here, since
/// nobody will call it.
pub(super) fn prepare<'e>(ev: &mut Ev, stage: &'e Expr, poisoned: bool) -> Checked<Called<'e>> {
    let (callee, args): (&Expr, &[Arg]) = match &stage.bare().kind {
        ExprKind::Call { callee, args } => (callee, args),
        _ => (stage, &[]),
    };
    if let Some(name) = callee.as_name() {
        let local = ev.scope.names.contains_key(&name.name);
        let global = ev.scope.cx.globals.contains_key(&name.name);
        let built_in_op =
            matches!(ev.scope.cx.globals.get(&name.name), Some((_, crate::sema::ctx::Global::Op)));
        if !local && (built_in_op || !global) && is_function(ev, name) {
            if poisoned {
                args.iter().for_each(|a| drop(ev.eval(&a.value)));
            }
            return Ok(Called::Function(name, args));
        }
        let is_layer = ops::layer(&name.name).is_some();
        if !local && (is_layer || !global || ev.scope.cx.block(&name.name).is_some()) {
            return match pending(ev, name, args, stage.span)? {
                Item::Entity(Entity::Pending(pending)) => Ok(Called::Pending(pending)),
                _ => unreachable!("resolve: layers and blocks wait for tensors"),
            };
        }
        if ev.scope.cx.model(&name.name).is_some() && !args.is_empty() {
            let d = Diagnostic::error(
                "call::many",
                "a model takes tensors alone",
                args[0].value.span,
                "one too many",
            );
            return ev.fail(d.help(format!("write `|> {}`, or `{}(a, b)`", name.name, name.name)));
        }
    }
    let found = match args {
        [] => ev.eval(callee)?,
        _ => ev.eval(stage)?,
    };
    match found {
        Item::Entity(Entity::Pending(pending)) => Ok(Called::Pending(pending)),
        Item::Entity(Entity::Model(name)) => Ok(Called::Model(Ident { name, span: stage.span })),
        other => {
            let found = ev.describe(&other);
            let d = Diagnostic::error(
                "call::stage",
                "a pipe flows into a layer, block or function",
                stage.span,
                found,
            );
            ev.fail(d.help("name one behind `|>`: `x |> Dense(10) as fc`"))
        }
    }
}

/// Lets `inputs` flow into what a stage calls.
pub(super) fn flow(
    ev: &mut Ev,
    called: Called,
    inputs: Inputs,
    name: Option<&Path>,
    stage: Span,
    span: Span,
) -> Found {
    match called {
        Called::Pending(pending) => {
            let name = match (name, &pending.name) {
                (Some(path), None) => Some((path.dotted(), path.span)),
                (None, known) => known.clone(),
                (Some(path), Some(known)) => {
                    ev.diags.push(named_again(known, path).help("take out one of the two names"));
                    pending.name.clone()
                }
            };
            apply::apply(ev, Use { pending: &pending, name, inputs, stage })
        }
        Called::Model(model) => {
            let (before, given) = (Mark::starts(ev.b), inputs.clone());
            let outputs = bodies::model_on(ev, &model, inputs, span)?;
            let made = bodies::as_value(ev, &model, &outputs)?;
            note_stage(ev, stage, &model.name, before, &given, &made);
            Ok(made)
        }
        Called::Function(function, args) => {
            if let Some(path) = name {
                let d = Diagnostic::error(
                    "name::weightless",
                    format!("`{}` has no weights to name", function.name),
                    path.span,
                    "names nothing",
                );
                ev.diags.push(d.help("take out `as …`; `let` names a value"));
            }
            self::function(ev, function, inputs, args, stage)
        }
    }
}

pub(super) fn named_again((known, first): &(String, Span), path: &Path) -> Diagnostic {
    let message = format!("this layer is named `{known}` already");
    Diagnostic::error("name::twice", message, path.span, "named again").label(*first, "named here")
}

/// An op or builtin on what flows in; softmax and sigmoid leave a mark for the losses.
pub(super) fn function(ev: &mut Ev, name: &Ident, inputs: Inputs, args: &[Arg], span: Span) -> Found {
    let before = Mark::starts(ev.b);
    let flowing = if ev.scope.records { inputs.clone() } else { Inputs::new() };
    let made = called(ev, name, inputs, args, span)?;
    note_stage(ev, span, &name.name, before, &flowing, &made);
    Ok(made)
}

fn called(ev: &mut Ev, name: &Ident, inputs: Inputs, args: &[Arg], span: Span) -> Found {
    if let Some(loss) = ops::loss::find(&name.name).filter(|_| ev.lib.op(&name.name).is_some_and(|op| op.std))
    {
        let mut given = inputs;
        given.extend(train::given(ev, args)?);
        return train::loss(ev, loss, name, given, span);
    }
    if let Some(function) = several::find(&name.name).filter(|_| ev.lib.op(&name.name).is_none()) {
        return (function.build)(ev, inputs, args, span);
    }
    let by = match &*name.name {
        "softmax" => Some("Softmax"),
        "sigmoid" => Some("Sigmoid"),
        _ => None,
    };
    let mine = ev.lib.op(&name.name).is_some_and(|op| !op.std);
    let Some(by) = by.filter(|_| !mine) else {
        let first = inputs.first().and_then(tensor);
        let made = ev.call_name(name, span, inputs, args)?;
        chain(ev, first, &made, &name.name, span);
        return Ok(made);
    };
    let mut given = inputs;
    given.extend(train::given(ev, args)?);
    let first = given.first().and_then(tensor);
    let plain = given.len() == 1;
    stacked(ev, first, by, span)?;
    let made = ev.call_name(name, span, given, &[])?;
    chain(ev, first, &made, &name.name, span);
    if let Item::Tensor(v) = &made {
        let logits = first.filter(|_| plain);
        ev.scope.meta.entry(*v).or_default().prob = Some(Prob { by, span, logits });
    }
    Ok(made)
}

fn tensor(given: &Given<Item<Entity>>) -> Option<crate::graph::Value> {
    match given.value {
        Item::Tensor(v) => Some(v),
        _ => None,
    }
}

fn chain(ev: &mut Ev, before: Option<crate::graph::Value>, made: &Item<Entity>, name: &str, span: Span) {
    if let Item::Tensor(v) = made {
        masks::of_function(ev, name, before, *v);
        let text = format!("`{name}` gives {}", ev.b.ty(*v));
        ev.scope.note(*v, before, span, text);
    }
}

/// Two activations that both make shares: the second squashes what the first has squashed.
pub(super) fn stacked(ev: &mut Ev, input: Option<crate::graph::Value>, by: &str, span: Span) -> Checked<()> {
    let Some(first) = input.and_then(|v| ev.scope.prob(v)) else { return Ok(()) };
    let what = if by == first.by {
        format!("a double {}", by.to_lowercase())
    } else {
        format!("{by} on {}", first.by)
    };
    let message = format!("{what}: its input is made of probabilities already");
    let d = Diagnostic::error("loss::double_softmax", message, span, "the second one")
        .label(first.span, "the first one");
    ev.fail(d.help(format!(
        "take out one of the two; losses take logits, so before a loss even one `{by}` is not needed"
    )))
}

/// `stage as path` outside a pipe: names what it holds.
pub(super) fn named(ev: &mut Ev, stage: &Expr, path: &Path, span: Span) -> Found {
    // `Dense(10)(x) as fc`
    if let ExprKind::Call { callee, args } = &stage.bare().kind
        && callee.as_name().is_none()
    {
        let made = ev.eval(callee)?;
        if let Item::Entity(Entity::Pending(layer)) = &made {
            let inputs = train::given(ev, args)?;
            return flow(ev, Called::Pending(layer.clone()), inputs, Some(path), callee.span, span);
        }
    }
    match ev.eval(stage)? {
        Item::Entity(Entity::Pending(pending)) => {
            let name = Some((path.dotted(), path.span));
            Ok(Item::Entity(Entity::Pending(Rc::new(Pending { name, ..(*pending).clone() }))))
        }
        other => {
            let found = ev.describe(&other);
            let d = Diagnostic::error(
                "name::weightless",
                "`as` names the weights of a layer",
                path.span,
                "no layer",
            )
            .label(stage.span, found);
            ev.fail(d.help("`let name = …` names a value"))
        }
    }
}

/// A path for a layer without a name, and the name to propose for it: `fc1` for the first
/// `Dense`. Neither is one that the file gives.
pub(super) fn made_up(ev: &mut Ev, what: &What, stage: Span) -> (String, String) {
    let kind = match what {
        What::Layer { name: "Dense", .. } => "fc".to_string(),
        What::Layer { name, .. } => name.to_lowercase(),
        What::Block { name, .. } => name.to_lowercase(),
    };
    let prefix = ev.scope.prefix.clone();
    let scope = &mut ev.scope;
    let free = |n: &usize| {
        let name = format!("{kind}{n}");
        !scope.cx.weight_names.contains(&name) && !scope.made_up.contains(&format!("{prefix}{name}"))
    };
    let name = format!("{kind}{}", (1..).find(free).expect("pipe: some number is free"));
    let path = format!("{prefix}{name}");
    scope.made_up.insert(path.clone());
    (path, scope.proposed.entry(stage).or_insert(name).clone())
}
