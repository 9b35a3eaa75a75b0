//! `split { train = 70%  valid = 10%  test = 20%  stratify = income  seed = 42 }`
//!
//! Columns that it names (`stratify`, `group`, `time`) are looked up by the section; here is what
//! amounts, folds and orders may stand together.

use crate::base::Span;
use crate::diag::Diagnostic;
use crate::sema::ctx::Ctx;
use crate::sema::job::{Amount, RowOrder, SplitPlan};
use crate::sema::keyed::Keyed;
use crate::syntax::ast::{Expr, ExprKind, Section};

/// Reads the section; `None` is reported. `own_test` is the span of test files beside the source.
pub(super) fn split(
    cx: &Ctx,
    section: &Section,
    rows: Option<usize>,
    own_test: Option<Span>,
) -> Option<SplitPlan> {
    let keys = Keyed::read(cx, section);
    let part = |key: &str| keys.get(key).map(|e| amount(cx, key, e).filter(|a| some_rows(cx, key, *a, e)));
    let (train, valid, test) = (part("train"), part("valid"), part("test"));
    let kfold = keys.get("kfold").map(|e| cx.count("kfold", e, 2));
    let fold = keys.get("fold").map(|e| cx.count("fold", e, 1));
    let seed = keys.get("seed").map(|e| cx.count("seed", e, 0));
    let column = |key: &str| keys.get(key).map(|e| cx.word(key, e));
    let (stratify, group) = (column("stratify"), column("group"));
    let order = order(cx, &keys);
    let plan = SplitPlan {
        train: train.unwrap_or(Some(Amount::Rest))?,
        valid: valid.unwrap_or(Some(Amount::Nothing))?,
        test: test.unwrap_or(Some(Amount::Nothing))?,
        kfold: kfold.map_or(Some(None), |k| k.map(|k| Some(k as usize)))?,
        fold: fold.map_or(Some(None), |f| f.map(|f| Some(f as usize - 1)))?,
        stratify: stratify.map_or(Some(None), |s| s.map(Some))?,
        group: group.map_or(Some(None), |g| g.map(Some))?,
        order: order?,
        seed: seed.unwrap_or(Some(0))? as u64,
        ..SplitPlan::whole(section.body)
    };
    together(cx, &keys, &plan, own_test)?;
    fits(cx, &plan, rows)?;
    Some(plan)
}

/// `ordered = true` or `time = column`; shuffled otherwise.
fn order(cx: &Ctx, keys: &Keyed) -> Option<RowOrder> {
    let ordered = keys.get("ordered").map_or(Some(None), |e| cx.flag("ordered", e).map(Some))?;
    let time = keys.get("time").map_or(Some(None), |e| cx.word("time", e).map(Some))?;
    match (ordered, time) {
        (Some(false), Some(_)) => {
            let at = keys.get("time").map_or_else(Span::default, |e| e.span);
            let d = clash("a split in order of time is not shuffled", at, "an order");
            cx.report(d.help("take out `ordered = false`, or `time`"));
            None
        }
        (_, Some(column)) => Some(RowOrder::Time(column)),
        (Some(true), None) => Some(RowOrder::File),
        (Some(false) | None, None) => Some(RowOrder::Shuffled),
    }
}

fn clash(message: &str, at: Span, label: &str) -> Diagnostic {
    Diagnostic::error("data::split", message, at, label)
}

/// Keys that exclude each other.
fn together(cx: &Ctx, keys: &Keyed, plan: &SplitPlan, own_test: Option<Span>) -> Option<()> {
    let span = |key: &str| keys.get(key).map(|e| e.span);
    let ordered = plan.order != RowOrder::Shuffled;
    let word = if span("time").is_some() { "time" } else { "ordered" };
    let folds = plan.kfold.is_some();
    let wrong = if let (true, Some(at)) = (ordered, span("stratify")) {
        clash("a split is either ordered or stratified", at, "needs a shuffled split")
            .help(format!("take out `stratify` or `{word}`"))
    } else if let (true, Some(at)) = (ordered, span("group")) {
        clash(
            "a split is either ordered or keeps groups together",
            at,
            "a group may lie on both sides of a time",
        )
        .help(format!("take out `group` or `{word}`"))
    } else if let (true, Some(at)) = (folds, span("train").or(span("test"))) {
        clash(
            "folds part all rows: each is the test part once, the others train",
            at,
            "stands beside `kfold`",
        )
        .help("take this out; `valid` alone may stand beside `kfold`, a share of each fold's training rows")
    } else if let (true, Some(at)) = (folds, own_test) {
        clash("with `kfold` each fold is the test part once", at, "a test part of its own")
            .label(plan.span, "folds asked for here")
            .help("take out `test`, or `kfold`")
    } else if let (Some(fold), Some(at)) =
        (plan.fold.filter(|f| plan.kfold.is_none_or(|k| *f >= k)), span("fold"))
    {
        let folds = plan.kfold.map_or("no folds".to_string(), |k| format!("{k} folds"));
        clash(&format!("there is no fold {} of {folds}", fold + 1), at, "which fold is the test part")
            .help("folds are counted from 1 to `kfold`; without `fold`, all are run in turn")
    } else {
        return Some(());
    };
    cx.report(wrong);
    None
}

fn amount(cx: &Ctx, key: &str, expr: &Expr) -> Option<Amount> {
    match expr.bare().kind {
        ExprKind::Percent(p) if (0.0..=100.0).contains(&p) => Some(Amount::Percent(p)),
        ExprKind::Percent(p) => {
            let d = Diagnostic::error(
                "data::split",
                format!("`{key}` is {p}%"),
                expr.span,
                "more than everything",
            );
            cx.report(d.help("choose up to 100%"));
            None
        }
        ExprKind::Float(x) => {
            let d = Diagnostic::error(
                "data::split",
                format!("`{key}` takes a count or a percentage, not {x}"),
                expr.span,
                "neither count nor percentage",
            );
            // As decimal digits: a multiplication would round.
            let percent = format!("{}%", format!("{x}e2").parse().unwrap_or(x * 100.0));
            cx.report(d.help(format!("did you mean `{percent}`?")).fix(
                format!("write `{percent}`"),
                expr.span,
                percent,
            ));
            None
        }
        _ => cx.count(key, expr, 0).map(|n| Amount::Rows(n as usize)),
    }
}

/// Whether a part that is named has rows; `train` without any is told with the others.
fn some_rows(cx: &Ctx, key: &str, amount: Amount, expr: &Expr) -> bool {
    let empty = matches!(amount, Amount::Rows(0) | Amount::Percent(0.0)) && key != "train";
    if empty {
        let message = format!("`{key}` is a part without rows");
        let d = Diagnostic::error("data::split", message, expr.span, "no rows");
        cx.report(d.help(format!("leave `{key}` out: a part that is not named has no rows")));
    }
    !empty
}

/// The parts together are not more than there is.
fn fits(cx: &Ctx, plan: &SplitPlan, rows: Option<usize>) -> Option<()> {
    let parts = [plan.train, plan.valid, plan.test];
    let percent: f64 = parts.iter().map(|p| if let Amount::Percent(p) = p { *p } else { 0.0 }).sum();
    let counted: usize = parts.iter().map(|p| if let Amount::Rows(n) = p { *n } else { 0 }).sum();
    let (message, help) = match rows {
        Some(rows) if plan.kfold.is_some_and(|k| k > rows) => (
            format!("{} folds of {rows} rows leave some without any", plan.kfold.unwrap_or_default()),
            format!("choose `kfold = {}` or less", rows.max(2)),
        ),
        _ if percent > 100.0 + 1e-9 => (
            format!("the parts make {percent}%"),
            "lower the percentages until they make 100% or less".to_string(),
        ),
        Some(rows) if counted > rows => (
            format!("the parts take {counted} rows, but the source has {rows}"),
            format!("lower the counts until they make {rows} or less, or write percentages"),
        ),
        _ if plan.train == Amount::Rows(0) || plan.train == Amount::Percent(0.0) => {
            ("nothing is left to train on".to_string(), "give `train` some rows".to_string())
        }
        _ => return Some(()),
    };
    cx.report(Diagnostic::error("data::split", message, plan.span, "does not add up").help(help));
    None
}
