//! `test` sections: what a trained run must reach, in numbers that evaluations report.

use super::ctx::{Ctx, list};
use super::job::{Amount, DataPlan, Expectation, Finish, TestPlan, TrainPlan};
use super::keyed::Keyed;
use crate::diag::{Diagnostic, did_you_mean};
use crate::ops::metric;
use crate::syntax::ast::{BinOp, Expr, ExprKind, Section};

/// The parts of data, as `mlc eval --split` calls them.
const PARTS: [&str; 3] = ["train", "valid", "test"];

/// Checks a section; `None` is reported.
pub(super) fn check(
    cx: &Ctx,
    section: &Section,
    trains: &[TrainPlan],
    data: &[DataPlan],
) -> Option<TestPlan> {
    let keys = Keyed::read(cx, section);
    let name = section.name.as_ref()?;
    let train = train_of(cx, section, keys.get("train"), trains)?;
    let part = part_of(cx, section, keys.get("split"), &data[train.data]);
    let Some(expect) = keys.get("expect") else {
        let d =
            Diagnostic::error("key::missing", "`test` needs `expect`", section.word.span, "asks for nothing");
        cx.report(d.help("say what is to be reached: `expect = [loss <= 0.1]`"));
        return None;
    };
    let written = match &expect.bare().kind {
        ExprKind::List(items) => items.as_slice(),
        ExprKind::Binary { .. } => std::slice::from_ref(expect),
        ExprKind::Broken => return None,
        _ => {
            cx.wants("expect", "a list such as `[accuracy >= 0.97]`", "value", expect.span);
            return None;
        }
    };
    let all: Vec<_> = written.iter().map(|item| expectation(cx, item, train)).collect();
    let expects: Vec<Expectation> = all.into_iter().collect::<Option<_>>()?;
    if expects.is_empty() {
        cx.wants("expect", "at least one such as `loss <= 0.1`", "empty list", expect.span);
        return None;
    }
    Some(TestPlan {
        name: name.name.to_string(),
        span: section.word.span,
        train: train.name.clone(),
        part: part?,
        expects,
    })
}

/// The `train` section that is named, or the last one: its weights are those that a run ends with.
fn train_of<'t>(
    cx: &Ctx,
    section: &Section,
    named: Option<&Expr>,
    trains: &'t [TrainPlan],
) -> Option<&'t TrainPlan> {
    let Some(expr) = named else {
        if trains.is_empty() {
            let d = Diagnostic::error(
                "key::missing",
                "`test` needs a `train` section",
                section.word.span,
                "of no run",
            );
            cx.report(d.help("add `train { … }` to say how the model is trained"));
        }
        return trains.last();
    };
    let Some(name) = expr.as_name() else {
        cx.wants("train", "the name of a `train` section", "value", expr.span);
        return None;
    };
    let found = trains.iter().find(|plan| plan.name.as_deref() == Some(&*name.name));
    if found.is_none() {
        let known: Vec<&str> = trains.iter().filter_map(|plan| plan.name.as_deref()).collect();
        cx.unknown("name::unknown", "train", name, known.iter().copied());
    }
    found
}

/// The part that is named, if one is; the outer `None` is reported.
fn part_of(cx: &Ctx, section: &Section, named: Option<&Expr>, data: &DataPlan) -> Option<Option<String>> {
    let Some(expr) = named else { return Some(None) };
    let Some(name) = expr.as_name() else {
        cx.wants("split", "`train`, `valid` or `test`", "value", expr.span);
        return None;
    };
    if !PARTS.contains(&&*name.name) {
        cx.unknown("name::unknown", "part", name, PARTS);
        return None;
    }
    if !has_part(data, &name.name) {
        let message = format!("`{}` has no {} part", data.name, name.name);
        let d = Diagnostic::error("name::unknown", message, name.span, "no rows to look at");
        let d = d.label(section.word.span, "asked for here");
        cx.report(d.help(format!("give some rows to `{}` in `split`, or name another part", name.name)));
        return None;
    }
    Some(Some(name.name.to_string()))
}

/// Whether a part has rows. Folders may bring a test part of their own, which nobody has looked for yet.
fn has_part(data: &DataPlan, part: &str) -> bool {
    let split = &data.split;
    match part {
        "train" => true,
        "valid" => data.valid.is_some() || split.valid != Amount::Nothing,
        _ => {
            data.test.is_some()
                || split.test != Amount::Nothing
                || split.kfold.is_some()
                || data.source.kind.may_bring_test()
        }
    }
}

/// `accuracy >= 0.97`, or `0.97 <= accuracy`.
fn expectation(cx: &Ctx, item: &Expr, train: &TrainPlan) -> Option<Expectation> {
    let ExprKind::Binary { op, op_span, left, right } = &item.bare().kind else {
        if !matches!(item.bare().kind, ExprKind::Broken) {
            cx.wants("expect", "comparisons such as `accuracy >= 0.97`", "value", item.span);
        }
        return None;
    };
    let Some(turned) = turned(*op) else {
        let message = format!("`{}` says nothing that a run can be held to", op.sign());
        let d = Diagnostic::error("value::type", message, *op_span, "not a bound");
        cx.report(
            d.help("write `>=`, `>`, `<=` or `<`: results of another machine differ in their last digits"),
        );
        return None;
    };
    let (metric, op, bound) = if is_number(left) { (right, turned, left) } else { (left, *op, right) };
    let name = metric_of(cx, metric, train)?;
    let value = match &bound.bare().kind {
        ExprKind::Percent(percent) => percent / 100.0,
        _ => cx.real("expect", bound, f64::MIN, f64::MAX)?,
    };
    possible(cx, &name, op, value, bound)?;
    Some(Expectation { metric: name, op, bound: value })
}

fn is_number(expr: &Expr) -> bool {
    match &expr.bare().kind {
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Percent(_) => true,
        ExprKind::Neg(inner) => is_number(inner),
        _ => false,
    }
}

/// A comparison seen from its other side; none of what is no bound.
fn turned(op: BinOp) -> Option<BinOp> {
    match op {
        BinOp::Lt => Some(BinOp::Gt),
        BinOp::Le => Some(BinOp::Ge),
        BinOp::Gt => Some(BinOp::Lt),
        BinOp::Ge => Some(BinOp::Le),
        BinOp::Pow | BinOp::Mul | BinOp::Div | BinOp::MatMul | BinOp::Add | BinOp::Sub => None,
        BinOp::Eq | BinOp::Ne => None,
    }
}

/// What an evaluation calls the number that is meant: `accuracy`, `top_k(5)`, `accuracy.kind`.
fn metric_of(cx: &Ctx, expr: &Expr, train: &TrainPlan) -> Option<String> {
    let written: String = cx.text(expr.bare().span).split_whitespace().collect::<Vec<_>>().join(" ");
    let numbers = || train.metrics.iter().filter(|m| m.finish != Finish::Confusion && m.by.is_none());
    let known: Vec<&str> = ["loss"].into_iter().chain(numbers().map(|m| m.name.as_str())).collect();
    if known.contains(&written.as_str()) {
        return Some(written);
    }
    let message = format!("no evaluation reports `{written}`");
    let table = train.metrics.iter().any(|m| m.name == written);
    let label = if table { "a table, not a number" } else { "not among the metrics of the training" };
    let d = Diagnostic::error("name::unknown", message, expr.span, label);
    cx.report(match did_you_mean(&written, known.iter().copied()) {
        Some(near) => {
            d.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), expr.span, near)
        }
        None if metric::find(&written).is_some() && !table => {
            d.help(format!("add it to the training: `metrics = [{written}]`"))
        }
        None => d.help(format!("write one of {}", list(known.iter().copied()).unwrap_or_default())),
    });
    None
}

/// Reports a bound that no model reaches: an accuracy of 97.
fn possible(cx: &Ctx, name: &str, op: BinOp, bound: f64, at: &Expr) -> Option<()> {
    let kind = name.split(['(', '.']).next().unwrap_or(name);
    let Some((least, most)) = metric::find(kind).map(|def| def.range()) else { return Some(()) };
    let never = match op {
        BinOp::Ge => bound > most,
        BinOp::Gt => bound >= most,
        BinOp::Le => bound < least,
        BinOp::Lt => bound <= least,
        BinOp::Eq | BinOp::Ne | BinOp::Pow | BinOp::Mul | BinOp::Div => false,
        BinOp::MatMul | BinOp::Add | BinOp::Sub => false,
    };
    if !never {
        return Some(());
    }
    let range = match (least.is_finite(), most.is_finite()) {
        (true, true) => format!("between {least} and {most}"),
        (true, false) => format!("at {least} or above"),
        (false, _) => format!("at {most} or below"),
    };
    let message = format!("`{name}` is never {} {bound}", op.sign());
    let d = Diagnostic::error("value::range", message, at.span, format!("it lies {range}"));
    let percent = most == 1.0 && op != BinOp::Le && bound > 1.0 && bound <= 100.0;
    cx.report(if percent {
        let text = format!("{bound}%");
        d.help(format!("it is a share: write `{text}`, or {}", bound / 100.0)).fix(
            format!("write `{text}`"),
            at.span,
            text,
        )
    } else {
        d.help(format!("choose a bound that lies {range}"))
    });
    None
}
