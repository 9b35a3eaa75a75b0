//! `split { train = 70%  valid = 10%  test = 20%  stratify = income  seed = 42 }`

use crate::base::Span;
use crate::diag::Diagnostic;
use crate::sema::ctx::Ctx;
use crate::sema::job::{Amount, SplitPlan};
use crate::sema::keyed::Keyed;
use crate::syntax::ast::{Expr, ExprKind, Section};

/// Everything is for training unless the spec says otherwise.
pub(super) fn whole(span: Span) -> SplitPlan {
    SplitPlan {
        train: Amount::Rest,
        valid: Amount::Nothing,
        test: Amount::Nothing,
        stratify: None,
        ordered: false,
        seed: 0,
        span,
    }
}

/// Reads the section; `None` is reported. `stratify` is looked up by the caller.
pub(super) fn split(cx: &Ctx, section: &Section, rows: Option<usize>) -> Option<SplitPlan> {
    let keys = Keyed::read(cx, section);
    let part = |key: &str| keys.get(key).map(|e| amount(cx, key, e).filter(|a| some_rows(cx, key, *a, e)));
    let (train, valid, test) = (part("train"), part("valid"), part("test"));
    let ordered = keys.get("ordered").map(|e| cx.flag("ordered", e));
    let seed = keys.get("seed").map(|e| cx.count("seed", e, 0));
    let stratify = keys.get("stratify").map(|e| cx.word("stratify", e));
    let plan = SplitPlan {
        train: train.unwrap_or(Some(Amount::Rest))?,
        valid: valid.unwrap_or(Some(Amount::Nothing))?,
        test: test.unwrap_or(Some(Amount::Nothing))?,
        stratify: stratify.map_or(Some(None), |s| s.map(Some))?,
        ordered: ordered.unwrap_or(Some(false))?,
        seed: seed.unwrap_or(Some(0))? as u64,
        span: section.body,
    };
    if let (true, Some(stratify)) = (plan.ordered, keys.get("stratify")) {
        let d = Diagnostic::error(
            "data::split",
            "a split is either ordered or stratified",
            stratify.span,
            "needs a shuffled split",
        );
        cx.report(d.help("take out `stratify` or `ordered`"));
        return None;
    }
    fits(cx, &plan, rows)?;
    Some(plan)
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
