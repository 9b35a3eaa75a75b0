//! What a training watches and tells: when to stop, which checkpoints to keep, what to log.

use super::not_found;
use super::update::{call, spanned};
use crate::base::Span;
use crate::diag::{Diagnostic, did_you_mean};
use crate::ops::AttrValue;
use crate::ops::metric::Better;
use crate::ops::stop::{EARLY_STOPPING, EarlyStopping};
use crate::sema::ctx::{Ctx, list};
use crate::sema::job::{CheckpointPlan, Finish, MetricPlan, Monitor, StopPlan, Watched};
use crate::sema::keyed::Keyed;
use crate::syntax::ast::{Expr, Section};

/// How many checkpoints stay unless the spec says otherwise.
const KEEP: usize = 1;

/// A `stop`, before it is known what can be monitored.
pub(super) struct Stop {
    settings: Vec<AttrValue>,
    monitor: (String, Span),
    span: Span,
}

/// `EarlyStopping(patience=5)`.
pub(super) fn stop(cx: &Ctx, expr: &Expr) -> Option<Stop> {
    let (name, args) = call(cx, "stop", "`EarlyStopping(patience=5)`", expr)?;
    let sig = &EARLY_STOPPING;
    if &*name.name != sig.name {
        let alias = sig.aliases.contains(&&*name.name).then_some(sig.name);
        not_found(cx, "way to stop", name, alias, false, &[sig.name]);
        return None;
    }
    let values = spanned(cx, sig, args, expr.span)?;
    let monitor = match &values[0] {
        (AttrValue::Word(word), span) => (word.clone(), *span),
        _ => panic!("stop: its first setting is what it monitors"),
    };
    let settings = values.into_iter().map(|(value, _)| value).collect();
    Some(Stop { settings, monitor, span: expr.span })
}

/// A `checkpoint`, before it is known what can be monitored.
pub(super) struct Checkpoint {
    every: Option<u64>,
    keep: usize,
    best: Option<(String, Span)>,
    span: Span,
}

/// `checkpoint { every = 500  keep = 3  best = valid.loss }`
pub(super) fn checkpoint(cx: &Ctx, section: &Section) -> Option<Checkpoint> {
    let keys = Keyed::read(cx, section);
    let every = keys.get("every").map(|e| cx.count("every", e, 1));
    let keep = keys.get("keep").map_or(Some(KEEP as i64), |e| cx.count("keep", e, 1));
    let best = keys.get("best").map(|e| {
        let name = e.dotted();
        if name.is_none() {
            cx.wants("best", "a value to watch such as `valid.loss`", "value", e.span);
        }
        name.map(|name| (name, e.span))
    });
    Some(Checkpoint {
        every: every.map_or(Some(None), |n| n.map(Some))?.map(|n| n as u64),
        keep: keep? as usize,
        best: best.map_or(Some(None), |b| b.map(Some))?,
        span: section.word.span,
    })
}

/// `log { every = 10 }`
pub(super) fn log(cx: &Ctx, section: &Section) -> Option<u64> {
    let keys = Keyed::read(cx, section);
    match keys.get("every") {
        Some(every) => cx.count("every", every, 1).map(|n| n as u64),
        None => {
            let d =
                Diagnostic::error("key::missing", "`log` needs `every`", section.word.span, "says nothing");
            cx.report(d.help("add how many steps lie between two lines: `log { every = 10 }`"));
            None
        }
    }
}

/// What evaluations give.
pub(super) struct Seen<'a> {
    pub metrics: &'a [MetricPlan],
    pub validates: bool,
}

impl Seen<'_> {
    pub fn stop(&self, cx: &Ctx, stop: Stop) -> Option<StopPlan> {
        let monitor = self.monitor(cx, &stop.monitor.0, stop.monitor.1)?;
        let rule = EarlyStopping::new(&stop.settings, monitor.better);
        let monitor = Monitor { better: rule.better, ..monitor };
        Some(StopPlan { monitor, rule, span: stop.span })
    }

    pub fn checkpoint(&self, cx: &Ctx, written: Checkpoint) -> Option<CheckpointPlan> {
        let Checkpoint { every, keep, best, span } = written;
        let best = best.map(|(name, at)| self.monitor(cx, &name, at));
        Some(CheckpointPlan { every, keep, best: best.map_or(Some(None), |m| m.map(Some))?, span })
    }

    /// `valid.loss`, looked up; what is wrong is reported.
    pub fn monitor(&self, cx: &Ctx, name: &str, span: Span) -> Option<Monitor> {
        let unknown = |label: &str| {
            let message = format!("there is no `{name}` to watch");
            Diagnostic::error("train::monitor", message, span, label.to_string())
        };
        let (of, metric) = match name.split_once('.') {
            Some(("valid", metric)) => (Watched::Valid, metric),
            Some(("train", metric)) => (Watched::Train, metric),
            Some(("test", _)) => {
                let d = unknown("the test split is evaluated once, at the end");
                cx.report(d.help("choose on the validation split: `valid.loss`"));
                return None;
            }
            Some(_) | None => {
                let d = unknown("neither `valid.` nor `train.` in front");
                let meant = self.meant(name);
                cx.report(match meant {
                    Some(meant) => d.help(format!("did you mean `{meant}`?")).fix(
                        format!("write `{meant}`"),
                        span,
                        meant,
                    ),
                    None => d.help(format!("write one of {}", self.all())),
                });
                return None;
            }
        };
        if of == Watched::Valid && !self.validates {
            let d = unknown("the data have no validation split");
            cx.report(d.help("give some rows to `valid` in `split`, or watch `train.loss`"));
            return None;
        }
        let better = match self.numbers().find(|m| m.name == metric) {
            _ if metric == "loss" => Better::Lower,
            Some(found) if of == Watched::Valid => found.better,
            Some(_) => {
                let d = unknown("metrics are computed on the validation split");
                cx.report(d.help(format!("write `valid.{metric}`, or `train.loss`")).fix(
                    format!("write `valid.{metric}`"),
                    span,
                    format!("valid.{metric}"),
                ));
                return None;
            }
            None => {
                let table = self.metrics.iter().any(|m| m.name == metric);
                let d = unknown(if table { "a table, not a number" } else { "not computed" });
                let known: Vec<&str> = self.numbers().map(|m| m.name.as_str()).chain(["loss"]).collect();
                let near = did_you_mean(metric, known.iter().copied()).map(|near| format!("valid.{near}"));
                cx.report(match near {
                    Some(near) => {
                        d.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), span, near)
                    }
                    None => d.help(format!("write one of {}, or add it to `metrics`", self.all())),
                });
                return None;
            }
        };
        Some(Monitor { of, metric: metric.to_string(), better, span })
    }

    /// Those that one value can be better of than another.
    fn numbers(&self) -> impl Iterator<Item = &MetricPlan> {
        self.metrics.iter().filter(|m| m.finish != Finish::Confusion)
    }

    /// What Keras' users write: `val_loss`, `loss`, `val_accuracy`.
    fn meant(&self, name: &str) -> Option<String> {
        let metric = name.strip_prefix("val_").unwrap_or(name);
        let known = metric == "loss" || self.numbers().any(|m| m.name == metric);
        let split = if name == "loss" { "train" } else { "valid" };
        known.then(|| format!("{split}.{metric}"))
    }

    fn all(&self) -> String {
        let valid = self.numbers().map(|m| format!("valid.{}", m.name));
        let all: Vec<String> = ["valid.loss".to_string()].into_iter().chain(valid).collect();
        let all = all.into_iter().filter(|_| self.validates).chain(["train.loss".to_string()]);
        list(all.collect::<Vec<_>>().iter().map(String::as_str)).unwrap_or_default()
    }
}

/// One thing chooses the weights that a run ends with.
pub(super) fn agree(cx: &Ctx, stop: &Option<Option<StopPlan>>, checkpoint: &Option<Option<CheckpointPlan>>) {
    let (Some(Some(stop)), Some(Some(CheckpointPlan { best: Some(best), .. }))) = (stop, checkpoint) else {
        return;
    };
    let same = stop.monitor.of == best.of && stop.monitor.metric == best.metric;
    if stop.rule.restore_best && !(same && stop.monitor.better == best.better) {
        let message = format!("`stop` restores the best `{}`, `checkpoint` the best `{best}`", stop.monitor);
        let d = Diagnostic::error("key::conflict", message, best.span, "chooses the weights")
            .label(stop.span, "chooses them too");
        cx.report(d.help("watch one value in both, or take out `restore_best` or `best`"));
    }
}
