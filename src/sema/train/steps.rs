//! What is done on each batch: `step critic { updates = D  loss = …  optimizer = … }`, or all of it in `train` itself.

use super::build::Built;
use super::choose::Choice;
use super::watch::Seen;
use super::{groups, missing, plateau, update};
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::sema::ctx::Ctx;
use crate::sema::job::{Clip, LONGEST_CYCLE, Length, OptimizerPlan, Schedule, StepPlan};
use crate::sema::keyed::Keyed;
use crate::sema::{keys, names};
use crate::syntax::ast::{Entry, EntryKind, Expr, Ident, Section};

/// A step as written, its own keys read. What is written and wrong is `Some(None)`, and reported.
pub(super) struct Step<'a> {
    pub name: Option<&'a Ident>,
    pub span: Span,
    pub loss: Option<&'a Expr>,
    updates: Option<Option<Choice>>,
    every: Option<u64>,
    optimizer: Option<OptimizerPlan>,
    /// `no_decay` of the optimizer.
    undecayed: Option<Choice>,
    groups: Option<Vec<groups::Written>>,
    schedule: Option<Option<Schedule>>,
    plateau: Option<Option<plateau::Written>>,
    clip: Option<Option<Clip>>,
}

/// The section of a named step.
pub(super) fn named(entry: &Entry) -> Option<&Section> {
    match &entry.kind {
        EntryKind::Section(section) if &*section.word.name == "step" => Some(section),
        EntryKind::Section(_)
        | EntryKind::Bind { .. }
        | EntryKind::Let { .. }
        | EntryKind::Input { .. }
        | EntryKind::Output { .. }
        | EntryKind::Typed { .. }
        | EntryKind::Broken => None,
    }
}

/// The steps of a section: those with names, or the one that its own keys are.
pub(super) fn read<'a>(
    cx: &Ctx<'a>,
    section: &'a Section,
    keys: &Keyed<'a>,
    named: &[&'a Section],
    length: Option<Length>,
) -> Vec<Step<'a>> {
    if named.is_empty() {
        missing(cx, section, "loss", keys.get("loss").is_some(), LOSS);
        missing(cx, section, "optimizer", keys.get("optimizer").is_some(), OPTIMIZER);
        return vec![step(cx, section, None, keys, length)];
    }
    misplaced(cx, keys);
    let mut all: Vec<Step> = Vec::new();
    for inner in named {
        let Some(name) = &inner.name else {
            let d = Diagnostic::error(
                "section::name",
                "a `step` needs a name",
                inner.word.span,
                "no name behind it",
            );
            cx.report(d.help("write `step name { … }`"));
            continue;
        };
        match all.iter().find_map(|step| step.name.filter(|n| n.name == name.name)) {
            Some(first) => cx.report(names::duplicate(name, first.span)),
            None => names::shadows(cx, name),
        }
        let keys = Keyed::read(cx, inner);
        missing(cx, inner, "loss", keys.get("loss").is_some(), LOSS);
        missing(cx, inner, "optimizer", keys.get("optimizer").is_some(), OPTIMIZER);
        all.push(step(cx, inner, Some(name), &keys, length));
    }
    rhythm(cx, &all);
    all
}

const LOSS: &str = "loss = CrossEntropy(Model.logits, label)";
const OPTIMIZER: &str = "optimizer = Adam(lr=1e-3)";

/// Keys of a step that stand beside named ones.
fn misplaced(cx: &Ctx, keys: &Keyed) {
    for key in keys::of("step") {
        let at = keys.key(key.name).map(|ident| ident.span).or(keys.inner(key.name).map(|s| s.word.span));
        if let Some(at) = at {
            let message = format!("`{}` belongs to a step: this training has several", key.name);
            let d = Diagnostic::error("key::misplaced", message, at, "of which step?");
            cx.report(d.help("move it into the braces of the step that it is about"));
        }
    }
}

/// Some step acts on every batch, and all of them come round to where they began.
fn rhythm(cx: &Ctx, steps: &[Step]) {
    let every = |step: &Step| step.every.unwrap_or(1);
    if let Some(first) = steps.first()
        && steps.iter().all(|step| every(step) > 1)
    {
        let message = "on some batches no step would act";
        let d = Diagnostic::error(
            "train::every",
            message,
            first.span,
            format!("acts on one batch in {}", every(first)),
        );
        cx.report(d.help("take `every` out of the step that acts most often"));
        return;
    }
    let cycle = steps.iter().try_fold(1u64, |all, step| {
        let next = all / gcd(all, every(step)) * every(step);
        (next <= LONGEST_CYCLE).then_some(next)
    });
    if let (None, Some(last)) = (cycle, steps.last()) {
        let message = format!("the steps come together only after more than {LONGEST_CYCLE} batches");
        let d = Diagnostic::error("train::every", message, last.span, "this step, and those before it");
        cx.report(d.help("choose numbers for `every` that divide one another, such as 2 and 10"));
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn step<'a>(
    cx: &Ctx<'a>,
    section: &'a Section,
    name: Option<&'a Ident>,
    keys: &Keyed<'a>,
    length: Option<Length>,
) -> Step<'a> {
    let (optimizer, no_decay) = keys.get("optimizer").and_then(|e| update::optimizer(cx, e)).unzip();
    let (falls, scheduled) = match keys.get("schedule") {
        Some(expr) if plateau::is_plateau(expr) => (Some(expr), None),
        other => (None, other),
    };
    Step {
        name,
        span: section.word.span,
        loss: keys.get("loss"),
        updates: keys.get("updates").map(|e| Choice::read(cx, "updates", e, "")),
        every: keys.get("every").map_or(Some(1), |e| cx.count("every", e, 1)).map(|n| n as u64),
        groups: keys.inner("groups").map_or(Some(Vec::new()), |s| groups::read(cx, s, optimizer.as_ref())),
        schedule: scheduled.map(|e| update::schedule(cx, e, optimizer.as_ref(), length)),
        plateau: falls.map(|e| plateau::read(cx, e)),
        clip: keys.get("clip").map(|e| update::clip(cx, e)),
        undecayed: no_decay.flatten(),
        optimizer,
    }
}

impl Step<'_> {
    /// What stands before the names of all that is its own.
    pub fn prefix(&self) -> String {
        self.name.map_or(String::new(), |name| format!("{}.", name.name))
    }

    /// The plan of a step whose graph is built; `frozen` are weights that no step trains.
    pub fn plan(
        self,
        cx: &Ctx,
        built: Built,
        all: &groups::Chosen,
        frozen: &[String],
        seen: &Seen,
    ) -> Option<StepPlan> {
        let chosen = groups::Chosen::of(std::slice::from_ref(&built));
        let plateau = self.plateau.map(|written| written?.plan(cx, seen, self.optimizer.as_ref()));
        let frozen = match self.updates {
            None => Some(chosen.among(frozen)),
            Some(updates) => updates.and_then(|choice| chosen.not_updated(cx, &choice, frozen, self.span)),
        };
        // Words that mean a weight of another step are no mistake.
        let undecayed = self.undecayed.map_or(Some(None), |choice| {
            all.without_decay(cx, &choice).map(|group| Some(chosen.part(group)))
        });
        let groups = self.groups.and_then(|written| chosen.groups(cx, written));
        let groups = undecayed?.into_iter().chain(groups?).collect();
        Some(StepPlan {
            name: self.name.map(|name| name.name.to_string()),
            span: self.span,
            every: self.every?,
            optimizer: self.optimizer?,
            schedule: self.schedule.map_or(Some(None), |s| s.map(Some))?,
            plateau: plateau.map_or(Some(None), |p| p.map(Some))?,
            clip: self.clip.map_or(Some(None), |c| c.map(Some))?,
            frozen: frozen?,
            groups,
            forward: built.graph,
        })
    }
}
