//! The metrics of a `train` section: names, settings, and the pair that each compares.

use super::{given, masked, not_found};
use crate::base::{DType, Dim, Span};
use crate::diag::Diagnostic;
use crate::graph::{Prim, Value};
use crate::ops;
use crate::ops::formula::{Checked, Given, Item, Never, Reported};
use crate::ops::metric::{Over, Unit};
use crate::sema::ctx::Ctx;
use crate::sema::data::group;
use crate::sema::job::{Finish, GroupPlan, MetricPlan};
use crate::sema::model::{Entity, Ev, Pair};
use crate::sema::{elsewhere, names};
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident};

/// One of the list, taken apart.
pub(super) struct Metric<'a> {
    def: &'static ops::metric::MetricDef,
    name: &'a Ident,
    /// Its own pair instead of the loss's.
    pair: &'a [Arg],
    settings: &'a [Arg],
    /// The column that makes groups of rows.
    by: Option<&'a Ident>,
    /// What it is called in reports: unique in the list.
    called: String,
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
        let (metric, by) = match &item.bare().kind {
            ExprKind::By { metric, column } => (&**metric, Some(column)),
            _ => (item, None),
        };
        let (name, args): (&Ident, &[Arg]) = match &metric.bare().kind {
            ExprKind::Name(name) => (name, &[]),
            ExprKind::Call { callee, args } if callee.as_name().is_some() => {
                (callee.as_name().expect("metrics: just looked at"), args)
            }
            ExprKind::Broken => continue,
            _ => {
                let ours = |text: &str| {
                    ops::metric::find(text).map(|m| m.sig.name).or_else(|| ops::metric::alias(text))
                };
                match elsewhere::in_quotes("metrics", metric, ours) {
                    Some(d) => cx.report(d),
                    None => cx.wants("metrics", "names such as `accuracy`", "value", item.span),
                }
                continue;
            }
        };
        let Some(def) = ops::metric::find(&name.name) else {
            let known: Vec<&str> = ops::metric::METRICS.iter().map(|m| m.sig.name).collect();
            let foreign = ops::metric::alias(&name.name);
            not_found(cx, "metric", name, foreign, ops::metric::known_later(&name.name), &known);
            continue;
        };
        let (pair, settings) = args.split_at(pair_of(def, args));
        let mut metric = Metric { def, name, pair, settings, by, called: String::new(), span: metric.span };
        metric.called = format!("{}{}", def.sig.name, metric.grouped());
        all.push(metric);
    }
    told_apart(cx, all)
}

/// Gives several of one name what tells them apart: their labels, their settings, or all that was written.
/// What is there twice is reported.
fn told_apart<'a>(cx: &Ctx, all: Vec<Metric<'a>>) -> Vec<Metric<'a>> {
    let mut kept: Vec<Metric> = Vec::new();
    for metric in all {
        match kept.iter().find(|m| m.written(cx) == metric.written(cx)) {
            Some(first) => cx.report(names::duplicate(metric.name, first.name.span)),
            None => kept.push(metric),
        }
    }
    for more in [Metric::marked, Metric::written] {
        let names: Vec<String> = kept.iter().map(|m| m.called.clone()).collect();
        for metric in &mut kept {
            if names.iter().filter(|n| **n == metric.called).count() > 1 {
                metric.called = more(metric, cx);
            }
        }
    }
    kept
}

impl Metric<'_> {
    /// The name with its label and its settings: `accuracy.kind`, `top_k(5)`.
    fn marked(&self, cx: &Ctx) -> String {
        let label = self.pair.get(1).and_then(|arg| arg.value.as_name());
        let label = label.map_or(String::new(), |l| format!(".{}", l.name));
        format!("{}{label}{}{}", self.def.sig.name, listed(cx, self.settings), self.grouped())
    }

    /// All of it, in one form: `accuracy(M.kind, kind)`.
    fn written(&self, cx: &Ctx) -> String {
        let args: Vec<Arg> = [self.pair, self.settings].concat();
        format!("{}{}{}", self.def.sig.name, listed(cx, &args), self.grouped())
    }

    /// `[sex]`
    fn grouped(&self) -> String {
        self.by.map_or(String::new(), |by| format!("[{}]", by.name))
    }
}

/// Arguments as they were written: `(M.out, label, k=5)`; nothing for none.
fn listed(cx: &Ctx, args: &[Arg]) -> String {
    let text = |arg: &Arg| {
        let value = cx.text(arg.value.span).split_whitespace().collect::<Vec<_>>().join(" ");
        arg.name.as_ref().map_or(value.clone(), |name| format!("{}={value}", name.name))
    };
    if args.is_empty() {
        return String::new();
    }
    format!("({})", args.iter().map(text).collect::<Vec<_>>().join(", "))
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
pub(super) fn metric(ev: &mut Ev, metric: &Metric, data: Option<usize>) -> Checked<(Vec<Value>, MetricPlan)> {
    let sig = &metric.def.sig;
    let settings = ops::attrs::attrs(ev, sig, metric.settings, metric.span)?;
    let settings: Vec<ops::AttrValue> = settings.into_iter().map(|(value, _)| value).collect();
    let (prediction, label) = compared(ev, metric)?;
    let column = column(ev, &label.0);
    shares_of_scaled(ev, metric, column.as_deref(), data)?;
    numbers_of_classes(ev, metric, &prediction.0, &label)?;
    let mask = tensor(&prediction.0).and_then(|v| ev.scope.mask(v));
    // A pair of the metric's own says nothing of labels to ignore.
    let ignore = ev.scope.pairs.first().filter(|_| metric.pair.is_empty()).and_then(|pair| pair.ignore);
    let mask = match (ignore, tensor(&label.0)) {
        (Some(id), Some(ids)) => Some(counting(ev, ids, id, mask)),
        (Some(_) | None, _) => mask,
    };
    let pair = [plain(ev, prediction)?, plain(ev, label)?];
    ev.at(metric.span);
    let lib = ev.lib;
    let over = if metric.by.is_some() { Over::Row } else { Over::Batch };
    match ops::metric::build(lib, ev.b, metric.def, &settings, pair, (over, mask), metric.span) {
        Ok(score) => match metric.by {
            None => Ok(planned(ev, metric, score, column)),
            Some(by) => grouped(ev, metric, score, column, (by, data)),
        },
        Err(found) => {
            ev.diags.extend(found);
            Err(Reported)
        }
    }
}

/// The labels that are not `ignore`, of those that a mask keeps: 1 for each that counts.
fn counting(ev: &mut Ev, labels: Value, ignore: i64, mask: Option<Value>) -> Value {
    let (ids, none) = (ev.b.to_i32(labels), ev.b.int(ignore));
    let (gone, zero, one) = (ev.b.eq(ids, none), ev.b.constant(0.0), ev.b.constant(1.0));
    let counts = ev.b.select(gone, zero, one);
    let shape = ev.b.shape(labels).clone();
    match mask.and_then(|mask| masked::spread(ev.b, mask, &shape)) {
        Some(mask) => ev.b.mul(counts, mask),
        None => counts,
    }
}

/// A share of a target that is moved and scaled says nothing.
fn shares_of_scaled(ev: &mut Ev, metric: &Metric, label: Option<&str>, data: Option<usize>) -> Checked<()> {
    let (cx, shares) = (ev.scope.cx, metric.def.unit() == Unit::Share);
    let scaled = label.filter(|_| shares).and_then(|label| cx.data.borrow()[data?].scaled_at(label));
    let (Some(at), Some(label)) = (scaled, label) else { return Ok(()) };
    let message = format!("`{}` divides by the target, but `{label}` is scaled", metric.def.sig.name);
    let d = Diagnostic::error("metric::scaled", message, metric.span, "a share of scaled numbers");
    let d = d.label(at, "scaled here, so that 0 is no longer 0");
    ev.fail(d.help(
        "use `mae` or `rmse`, which are reported in the unit of the source, or feed the target as it is",
    ))
}

/// A metric of numbers does not know classes: each has a logit, and the label is the place of one.
fn numbers_of_classes(
    ev: &mut Ev,
    metric: &Metric,
    prediction: &Item<Entity>,
    label: &Placed,
) -> Checked<()> {
    let (Some(logits), Some(classes)) = (tensor(prediction), tensor(&label.0)) else { return Ok(()) };
    let (logits, classes) = (ev.b.ty(logits), ev.b.ty(classes));
    let one_each = logits.shape.rank() == classes.shape.rank() + 1;
    if metric.def.unit() == Unit::Free || classes.dtype != DType::I32 || !one_each {
        return Ok(());
    }
    let message = format!("`{}` compares numbers, but the target is a class", metric.def.sig.name);
    let d = Diagnostic::error("metric::target", message, metric.span, "a metric of numbers")
        .label(label.1, format!("classes: {classes}, for logits {logits}"));
    let title = "measure `accuracy`";
    let d = d.help("of classes say `accuracy`, `top_k(5)`, `f1` or `log_loss`");
    ev.fail(if metric.pair.is_empty() { d.fix(title, metric.span, "accuracy") } else { d })
}

/// The outputs of a metric, and how a figure is made of them.
fn planned(
    ev: &Ev,
    metric: &Metric,
    score: ops::metric::Score,
    label: Option<String>,
) -> (Vec<Value>, MetricPlan) {
    let name = &metric.called;
    let output = |part: &ops::metric::Part| match part.name {
        "" => name.clone(),
        which => format!("{name}.{which}"),
    };
    let plan = MetricPlan {
        name: name.clone(),
        better: metric.def.better,
        outputs: score.parts.iter().map(output).collect(),
        numbers: score.parts.iter().fold(Dim::zero(), |n, part| n + ev.b.shape(part.value).size()),
        by: None,
        count: score.count,
        counted: score.counted,
        finish: score.finish,
        classes: score.classes,
        label,
        power: match metric.def.unit() {
            Unit::Target(power) => power,
            Unit::Free | Unit::Share => 0,
        },
    };
    (score.parts.into_iter().map(|part| part.value).collect(), plan)
}

/// The same with the group of each row behind.
fn grouped(
    ev: &mut Ev,
    metric: &Metric,
    score: ops::metric::Score,
    label: Option<String>,
    (by, data): (&Ident, Option<usize>),
) -> Checked<(Vec<Value>, MetricPlan)> {
    let rows = Dim::sym("B");
    let shapes = score.parts.iter().map(|part| ev.b.shape(part.value).clone());
    let widths: Option<Vec<Dim>> = shapes.map(|shape| width(&shape, &rows)).collect();
    let widths = widths.filter(|_| score.finish != Finish::Confusion);
    let Some(widths) = widths else {
        let name = metric.def.sig.name;
        let message = format!("`{name}` cannot be grouped");
        let d = Diagnostic::error("metric::by", message, metric.span, "not one number, judged row by row");
        return ev.fail(d.help(format!("take out `by {}`", by.name)));
    };
    let (group, column) = groups_of(ev, by, data)?;
    let (mut values, mut plan) = planned(ev, metric, score, label);
    ev.at(by.span);
    values.push(ev.b.to_f32(group));
    plan.outputs.push(format!("{}.group", plan.name));
    plan.numbers = plan.numbers + rows;
    plan.by = Some(GroupPlan { by: by.name.to_string(), column, widths });
    Ok((values, plan))
}

/// How many numbers a row has, of a tensor whose first axis is that of rows.
fn width(shape: &[Dim], rows: &Dim) -> Option<Dim> {
    let (first, others) = shape.split_first()?;
    (first == rows).then(|| others.iter().fold(Dim::one(), |n, d| n * d.clone()))
}

/// The group of each row: what `feed` or a `let` calls so, or a column of the data.
fn groups_of(ev: &mut Ev, by: &Ident, data: Option<usize>) -> Checked<(Value, Option<String>)> {
    match ev.scope.names.get(&by.name) {
        Some(Some(Item::Tensor(v))) => {
            let (v, ty) = (*v, ev.b.ty(*v).clone());
            if ty.dtype == DType::I32 && *ty.shape == [Dim::sym("B")] {
                let column = self::column(ev, &Item::Tensor(v));
                return Ok((v, column));
            }
            let message = format!("`{}` makes no groups of rows", by.name);
            let d = Diagnostic::error("metric::by", message, by.span, format!("this is {ty}"));
            ev.fail(d.help("group by a column that has classes: one `i32` for each row"))
        }
        Some(_) => Err(Reported),
        None => {
            let cx = ev.scope.cx;
            let sections = cx.data.borrow();
            let data = data.and_then(|at| sections.get(at)).ok_or(Reported)?;
            let (value, column) = group(cx, data, by, ev.b).ok_or(Reported)?;
            Ok((value, Some(column)))
        }
    }
}

/// The column of the batch that an item is.
pub(super) fn column(ev: &Ev, item: &Item<Entity>) -> Option<String> {
    let graph = ev.b.graph();
    match graph.nodes[tensor(item)?].prim {
        Prim::Leaf(leaf) => Some(graph.leaves[leaf].name.to_string()),
        _ => None,
    }
}

type Placed = (Item<Entity>, Span);

/// Prediction and label of a metric.
fn compared(ev: &mut Ev, metric: &Metric) -> Checked<(Placed, Placed)> {
    let name = metric.def.sig.name;
    match metric.pair {
        [] => match ev.scope.pairs.as_slice() {
            [pair, others @ ..] => {
                let (pair, others) = (pair.clone(), others.to_vec());
                one_pair(ev, metric, &pair, &others)?;
                Ok((pair.prediction, pair.label))
            }
            [] => {
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

/// A loss of several terms has several pairs; which of them a metric means cannot be guessed.
fn one_pair(ev: &mut Ev, metric: &Metric, first: &Pair, others: &[Pair]) -> Checked<()> {
    let tensors = |pair: &Pair| [&pair.prediction.0, &pair.label.0].map(tensor);
    let is_other = |pair: &&Pair| tensors(pair)[1].is_some() && tensors(pair) != tensors(first);
    let Some(other) = others.iter().find(is_other) else { return Ok(()) };
    let name = metric.def.sig.name;
    let message = format!("`{name}` has several pairs to choose from: the loss compares more than one");
    let d = Diagnostic::error("metric::pair", message, metric.span, "which?")
        .label(first.label.1, "one pair")
        .label(other.label.1, "another");
    let [prediction, label] = [first.prediction.1, first.label.1].map(|at| ev.scope.cx.text(at));
    let example = format!("{name}({prediction}, {label})");
    ev.fail(d.help(format!("say it, as in `{example}`; several of one name may stand in the list")))
}

fn tensor(item: &Item<Entity>) -> Option<Value> {
    match item {
        Item::Tensor(v) => Some(*v),
        _ => None,
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
