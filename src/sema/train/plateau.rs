//! `schedule = plateau(patience=5)`: a rate that follows the validations.

use super::update::{call, spanned};
use super::watch::Seen;
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::ops::AttrValue;
use crate::ops::plateau::{Plateau, SIG};
use crate::sema::ctx::Ctx;
use crate::sema::job::{OptimizerPlan, PlateauPlan, Watched};
use crate::syntax::ast::{Expr, ExprKind};

/// A plateau, before it is known what can be monitored.
pub(super) struct Written {
    settings: Vec<AttrValue>,
    monitor: (String, Span),
    span: Span,
}

/// Whether a schedule is one.
pub(super) fn is_plateau(expr: &Expr) -> bool {
    let name = match &expr.bare().kind {
        ExprKind::Call { callee, .. } => callee.as_name(),
        _ => expr.as_name(),
    };
    name.is_some_and(|name| &*name.name == SIG.name)
}

/// `plateau(factor=0.5, patience=5)`
pub(super) fn read(cx: &Ctx, expr: &Expr) -> Option<Written> {
    let (_, args) = call(cx, "schedule", "a schedule", expr)?;
    let values = spanned(cx, &SIG, args, expr.span)?;
    let at = SIG.attrs.iter().position(|a| a.name == "monitor").expect("plateau: it monitors something");
    let monitor = match &values[at] {
        (AttrValue::Word(word), span) => (word.clone(), *span),
        (other, _) => panic!("plateau: what it monitors is a name, not {other:?}"),
    };
    let settings = values.into_iter().map(|(value, _)| value).collect();
    Some(Written { settings, monitor, span: expr.span })
}

impl Written {
    /// The plan for what evaluations give; it starts from the optimizer's `lr`.
    pub fn plan(self, cx: &Ctx, seen: &Seen, optimizer: Option<&OptimizerPlan>) -> Option<PlateauPlan> {
        let monitor = seen.monitor(cx, &self.monitor.0, self.monitor.1)?;
        if monitor.of == Watched::Train {
            let message = "a plateau is seen in validations";
            let d = Diagnostic::error("train::monitor", message, monitor.span, "of the training split");
            cx.report(d.help("watch `valid.loss`, or another metric behind `valid.`"));
            return None;
        }
        let rule = Plateau::new(&self.settings, monitor.better);
        let lr = optimizer?.setting("lr");
        if rule.min_lr() > lr {
            let message = format!("the rate falls from {lr}, but `min_lr` is {}", rule.min_lr());
            let d = Diagnostic::error("schedule::end", message, self.span, "ends above where it starts");
            cx.report(
                d.help(format!("choose a `min_lr` of at most {lr}, or a larger `lr` for the optimizer")),
            );
            return None;
        }
        Some(PlateauPlan { monitor, rule, lr })
    }
}
