//! The metrics of a `train` section: names, settings, and the pair that each compares.

use super::{given, not_found};
use crate::base::{Dim, Span};
use crate::diag::Diagnostic;
use crate::graph::Value;
use crate::ops;
use crate::ops::formula::{Checked, Given, Item, Never, Reported};
use crate::sema::ctx::Ctx;
use crate::sema::job::MetricPlan;
use crate::sema::model::{Entity, Ev};
use crate::sema::names;
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident};

/// One of the list, taken apart.
pub(super) struct Metric<'a> {
    def: &'static ops::metric::MetricDef,
    name: &'a Ident,
    /// Its own pair instead of the loss's.
    pair: &'a [Arg],
    settings: &'a [Arg],
    span: Span,
}

/// `[accuracy, mae(M.a, a)]`
pub(super) fn metrics<'a>(cx: &Ctx, expr: &'a Expr) -> Vec<Metric<'a>> {
    let items = match &expr.bare().kind {
        ExprKind::List(items) => items,
        ExprKind::Broken => return Vec::new(),
        _ => {
            let text = cx.text(expr.span);
            let d = Diagnostic::error("value::type", "`metrics` takes a list", expr.span, "not in brackets");
            cx.report(d.help(format!("write `[{text}]`")).fix(
                "put it in brackets",
                expr.span,
                format!("[{text}]"),
            ));
            return Vec::new();
        }
    };
    let mut all: Vec<Metric> = Vec::new();
    for item in items {
        let (name, args): (&Ident, &[Arg]) = match &item.bare().kind {
            ExprKind::Name(name) => (name, &[]),
            ExprKind::Call { callee, args } if callee.as_name().is_some() => {
                (callee.as_name().expect("metrics: just looked at"), args)
            }
            ExprKind::Broken => continue,
            _ => {
                cx.wants("metrics", "names such as `accuracy`", "value", item.span);
                continue;
            }
        };
        let Some(def) = ops::metric::find(&name.name) else {
            let known: Vec<&str> = ops::metric::METRICS.iter().map(|m| m.sig.name).collect();
            let foreign = ops::metric::alias(&name.name);
            not_found(cx, "metric", name, foreign, ops::metric::known_later(&name.name), &known);
            continue;
        };
        match all.iter().find(|m| m.def.sig.name == def.sig.name) {
            Some(first) => cx.report(names::duplicate(name, first.name.span)),
            None => {
                let (pair, settings) = args.split_at(pair_of(def, args));
                all.push(Metric { def, name, pair, settings, span: item.span });
            }
        }
    }
    all
}

/// How many arguments are a pair: `top_k(5)` has settings alone, `top_k(M.out, label, k=5)` both.
fn pair_of(def: &ops::metric::MetricDef, args: &[Arg]) -> usize {
    let unnamed = args.iter().take_while(|a| a.name.is_none()).count();
    match (def.sig.attrs, unnamed) {
        ([], _) => args.len(),
        (_, 0 | 1) => 0,
        (_, _) => 2,
    }
}

/// A metric on the loss's pair, or on its own.
pub(super) fn metric(ev: &mut Ev, metric: &Metric) -> Checked<(Vec<Value>, MetricPlan)> {
    let sig = &metric.def.sig;
    let settings = ops::attrs::attrs(ev, sig, metric.settings, metric.span)?;
    let settings: Vec<ops::AttrValue> = settings.into_iter().map(|(value, _)| value).collect();
    let (prediction, label) = compared(ev, metric)?;
    let (prediction, label) = (plain(ev, prediction)?, plain(ev, label)?);
    ev.at(metric.span);
    let lib = ev.lib;
    match ops::metric::build(lib, ev.b, metric.def, &settings, prediction, label, metric.span) {
        Ok(score) => Ok(planned(ev, metric.def, score)),
        Err(found) => {
            ev.diags.extend(found);
            Err(Reported)
        }
    }
}

/// The outputs of a metric, and how a number is made of them.
fn planned(ev: &Ev, def: &ops::metric::MetricDef, score: ops::metric::Score) -> (Vec<Value>, MetricPlan) {
    let name = def.sig.name;
    let output = |part: &ops::metric::Part| match part.name {
        "" => name.to_string(),
        which => format!("{name}.{which}"),
    };
    let plan = MetricPlan {
        name: name.to_string(),
        better: def.better,
        outputs: score.parts.iter().map(output).collect(),
        numbers: score.parts.iter().fold(Dim::zero(), |n, part| n + ev.b.shape(part.value).size()),
        count: score.count,
        finish: score.finish,
    };
    (score.parts.into_iter().map(|part| part.value).collect(), plan)
}

type Placed = (Item<Entity>, Span);

/// Prediction and label of a metric.
fn compared(ev: &mut Ev, metric: &Metric) -> Checked<(Placed, Placed)> {
    let name = metric.def.sig.name;
    match metric.pair {
        [] => match ev.scope.pairs.first().cloned() {
            Some(pair) => Ok((pair.prediction, pair.label)),
            None => {
                let message = format!("`{name}` has nothing to compare: the loss is none of the library's");
                let d = Diagnostic::error("metric::pair", message, metric.span, "of what?");
                ev.fail(d.help(format!("say it: `{name}(M.out, label)`")))
            }
        },
        [_, _] => {
            let mut given = given(ev, metric.pair)?;
            let label = given.pop().expect("metric: two arguments");
            let prediction = given.pop().expect("metric: two arguments");
            let folded = unsquashed(ev, prediction.value);
            Ok(((folded, prediction.span), (label.value, label.span)))
        }
        args => {
            let message = format!("`{name}` takes a prediction and a label, not {} arguments", args.len());
            let d = Diagnostic::error("call::missing", message, metric.span, "two are needed");
            ev.fail(d.help(format!("write `{name}`, or `{name}(M.out, label)`")))
        }
    }
}

/// Metrics read logits, as losses do.
fn unsquashed(ev: &Ev, item: Item<Entity>) -> Item<Entity> {
    match item {
        Item::Tensor(v) => Item::Tensor(ev.scope.prob(v).and_then(|p| p.logits).unwrap_or(v)),
        other => other,
    }
}

fn plain(ev: &mut Ev, (item, span): (Item<Entity>, Span)) -> Checked<Given<Item<Never>>> {
    let operand = ev.as_operand(item, span)?;
    Ok(Given { name: None, value: operand.into(), span })
}
