//! How weights change: the optimizer, the schedule of its learning rate, clipping.

use super::choose::Choice;
use super::not_found;
use crate::base::{Precision, Span};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::Builder;
use crate::ops::clip::{self, CLIPS};
use crate::ops::formula::{Eval, Item};
use crate::ops::optimizer::{self, OPTIMIZERS};
use crate::ops::plateau;
use crate::ops::schedule::{self, SCHEDULES};
use crate::ops::{self, AttrValue, Mode, Sig};
use crate::sema::ctx::Ctx;
use crate::sema::elsewhere;
use crate::sema::job::{Clip, Length, MemoryLimit, OptimizerPlan, Schedule};
use crate::sema::model::Elab;
use crate::syntax::ast::{Arg, Bytes, Expr, ExprKind, Ident};

/// `Adam(lr=1e-3)`, and the weights that do not decay: `AdamW(no_decay=[bias])`.
pub(super) fn optimizer(cx: &Ctx, expr: &Expr) -> Option<(OptimizerPlan, Option<Choice>)> {
    let (name, args) = call(cx, "optimizer", "an optimizer such as `Adam(lr=1e-3)`", expr)?;
    let Some(def) = optimizer::find(&name.name) else {
        let known: Vec<&str> = OPTIMIZERS.iter().map(|o| o.sig.name).collect();
        let (foreign, later) = (optimizer::alias(&name.name), optimizer::known_later(&name.name));
        not_found(cx, "optimizer", name, foreign, later, &known);
        return None;
    };
    let decays = def.sig.attrs.iter().any(|a| a.name == "weight_decay");
    let is_choice = |arg: &&Arg| decays && arg.name.as_ref().is_some_and(|n| &*n.name == "no_decay");
    let no_decay = args.iter().find(is_choice).map(|arg| Choice::read(cx, "no_decay", &arg.value, ""));
    let handed = elsewhere::parameters_handed(cx, args);
    let args =
        args[usize::from(handed)..].iter().filter(|arg| !is_choice(arg)).cloned().collect::<Vec<Arg>>();
    let values = settings(cx, &def.sig, &args, expr.span)?;
    let number = |value| ops::attrs::as_number(value).expect("optimizer: settings are numbers");
    let settings = def.sig.attrs.iter().zip(&values).map(|(attr, x)| (attr.name.to_string(), number(x)));
    let plan =
        OptimizerPlan { name: def.sig.name.to_string(), settings: settings.collect(), span: expr.span };
    Some((plan, no_decay.map_or(Some(None), |c| c.map(Some))?))
}

/// `cosine(warmup=100)`; it starts from the optimizer's `lr`.
pub(super) fn schedule(
    cx: &Ctx,
    expr: &Expr,
    optimizer: Option<&OptimizerPlan>,
    length: Option<Length>,
) -> Option<Schedule> {
    let (name, args) = call(cx, "schedule", "a schedule such as `cosine(warmup=100)`", expr)?;
    let Some(def) = schedule::find(&name.name) else {
        let known: Vec<&str> = SCHEDULES.iter().map(|s| s.sig.name).chain([plateau::SIG.name]).collect();
        let foreign = plateau::SIG.aliases.contains(&&*name.name).then_some(plateau::SIG.name);
        not_found(cx, "schedule", name, schedule::alias(&name.name).or(foreign), false, &known);
        return None;
    };
    let values = settings(cx, &def.sig, args, expr.span)?;
    let lr = optimizer?.settings.iter().find(|(name, _)| name == "lr");
    let lr = lr.expect("optimizer: each has a learning rate").1;
    let schedule = Schedule::new(def, values, lr, expr.span).map_err(|d| cx.report(d)).ok()?;
    // Where the one counts steps and the other epochs, only the data tell.
    let length = match (length, schedule.counts_epochs()) {
        (Some(Length::Steps(n)), false) | (Some(Length::Epochs(n)), true) => n as u64,
        (Some(Length::Steps(_)), true) | (Some(Length::Epochs(_)), false) | (None, _) => {
            return Some(schedule);
        }
    };
    schedule.check_length(length).map_err(|d| cx.report(d)).ok().map(|()| schedule)
}

/// `ema = 0.999`
pub(super) fn ema(cx: &Ctx, expr: &Expr) -> Option<f64> {
    let found = cx.constant(expr)?;
    let number = if let Item::Number(n) = &found { n.as_f64() } else { None };
    let Some(decay) = number else {
        cx.wants("ema", "a number such as 0.999", "value", expr.span);
        return None;
    };
    if (0.0..1.0).contains(&decay) {
        return Some(decay);
    }
    let message = format!("`ema` must be at least 0 and below 1, but is {decay}");
    let d = Diagnostic::error("value::range", message, expr.span, "out of range");
    cx.report(d.help("it is the share of the average that each step keeps: 0.999 averages about 1000 steps"));
    None
}

/// `2GiB`.
pub(super) fn memory(cx: &Ctx, expr: &Expr) -> Option<MemoryLimit> {
    match expr.bare().kind {
        ExprKind::Bytes(limit) if limit.bytes() > 0 => {
            let bytes = usize::try_from(limit.bytes()).unwrap_or(usize::MAX);
            return Some(MemoryLimit { bytes, span: expr.span });
        }
        ExprKind::Bytes(_) => {
            let message = "`memory` must be more than nothing";
            let d = Diagnostic::error("value::range", message, expr.span, "out of range");
            cx.report(d.help("write how much may be taken, such as `2GiB`"));
        }
        ExprKind::Int(n) if n > 0 => cx.report(unitless(n as f64, expr.span)),
        ExprKind::Float(x) if x > 0.0 => cx.report(unitless(x, expr.span)),
        _ => cx.wants("memory", "a number of bytes such as `2GiB`", "value", expr.span),
    }
    None
}

/// `2e9`, with the unit that makes the shortest text of it.
fn unitless(number: f64, span: Span) -> Diagnostic {
    let message = "`memory` takes a number of bytes with its unit";
    let d = Diagnostic::error("value::type", message, span, "this is a number without one");
    let units = Bytes::UNITS.iter().filter(|(_, unit)| number >= *unit as f64);
    let texts = units.map(|(name, unit)| format!("{}{name}", number / *unit as f64));
    match texts.min_by_key(String::len) {
        Some(text) => d.help(format!("write `{text}`")).fix(format!("write `{text}`"), span, text),
        None => d.help("write it with one, such as `2GiB`"),
    }
}

/// `bf16`.
pub(super) fn precision(cx: &Ctx, expr: &Expr) -> Option<Precision> {
    let known = Precision::ALL.map(Precision::name);
    let Some(name) = expr.as_name() else {
        cx.wants("precision", "`f32` or `bf16`", "value", expr.span);
        return None;
    };
    let found = Precision::by_name(&name.name);
    if found.is_none() {
        let foreign = match &*name.name {
            "float32" | "single" | "full" => Some("f32"),
            "bfloat16" | "mixed_bfloat16" | "mixed" | "amp" => Some("bf16"),
            _ => None,
        };
        not_found(cx, "precision", name, foreign, false, &known);
    }
    found
}

/// `global_norm(1.0)`.
pub(super) fn clip(cx: &Ctx, expr: &Expr) -> Option<Clip> {
    let (name, args) = call(cx, "clip", "a way to clip such as `global_norm(1.0)`", expr)?;
    let Some(def) = clip::find(&name.name) else {
        let known: Vec<&str> = CLIPS.iter().map(|c| c.sig.name).collect();
        not_found(cx, "way to clip", name, clip::alias(&name.name), false, &known);
        return None;
    };
    let values = settings(cx, &def.sig, args, expr.span)?;
    let bound = ops::attrs::as_number(&values[0]).expect("clip: its bound is a number");
    Some(Clip { def, bound, span: expr.span })
}

/// The name and arguments of a call, with or without parentheses.
pub(super) fn call<'e>(
    cx: &Ctx,
    key: &'static str,
    wanted: &str,
    expr: &'e Expr,
) -> Option<(&'e Ident, &'e [Arg])> {
    match &expr.bare().kind {
        ExprKind::Name(name) => Some((name, &[])),
        ExprKind::Call { callee, args } if callee.as_name().is_some() => Some((callee.as_name()?, args)),
        ExprKind::Broken => None,
        _ => {
            let quoted = elsewhere::in_quotes(key, expr, |text| match key {
                "optimizer" => optimizer::find(text).map(|o| o.sig.name).or_else(|| optimizer::alias(text)),
                "schedule" => schedule::find(text).map(|s| s.sig.name).or_else(|| schedule::alias(text)),
                _other => None,
            });
            match quoted {
                Some(d) => cx.report(d),
                None => cx.wants(key, wanted, "value", expr.span),
            }
            None
        }
    }
}

/// The settings of a call, one for each of the signature.
pub(super) fn settings(cx: &Ctx, sig: &Sig, args: &[Arg], call: Span) -> Option<Vec<AttrValue>> {
    spanned(cx, sig, args, call).map(|values| values.into_iter().map(|(value, _)| value).collect())
}

/// The same, each with where it was written.
pub(super) fn spanned(cx: &Ctx, sig: &Sig, args: &[Arg], call: Span) -> Option<Vec<(AttrValue, Span)>> {
    let mut b = Builder::new("settings");
    let mut found = Diagnostics::new();
    let mut scope = Elab::new(cx, Mode::Train);
    let mut ev = Eval::new(&cx.library, &mut b, &mut found, &mut scope);
    let attrs = ops::attrs::attrs(&mut ev, sig, args, call);
    cx.diags.borrow_mut().extend(found.sorted());
    attrs.ok()
}
