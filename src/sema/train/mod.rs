//! `train` sections: feed, loss, optimizer, metrics, length.

mod answers;
mod balance;
mod build;
mod choose;
mod draw;
mod groups;
mod ids;
mod loss;
mod masked;
mod metric;
mod plateau;
mod steps;
mod terms;
mod update;
mod watch;
mod weigh;

use build::Built;
pub(super) use choose::{Choice, Weight};
use draw::Draws;
pub(super) use draw::{drawn, read as draws};
pub(super) use loss::{given, loss};
use metric::{Metric, metrics};
use steps::Step;

use super::ctx::{Ctx, list, suggest};
use super::job::{Amount, Balance, Length, Roles, StepPlan, TrainPlan};
use super::keyed::{Keyed, stray, unknown_key};
use super::model::declared_row;
use super::{names, walk};
use crate::base::{Precision, TensorType};
use crate::diag::{Diagnostic, did_you_mean};
use crate::ops::Mode;
use crate::syntax::ast::{Entry, EntryKind, Expr, Ident, Section};
use std::collections::BTreeSet;

/// A `train` section, taken apart.
struct Train<'a> {
    section: &'a Section,
    feed: Vec<(&'a Ident, &'a Expr)>,
    draws: Draws<'a>,
    lets: Vec<(&'a [Ident], &'a Expr)>,
    /// What is done on a batch: one without a name, or several that have names.
    steps: Vec<Step<'a>>,
    metrics: Vec<Metric<'a>>,
    /// `None` is wrong and reported.
    freeze: Option<Choice>,
    precision: Option<Precision>,
}

/// Checks a section and builds its graphs; `None` is reported, or rests on something that is.
pub(super) fn check<'a>(cx: &Ctx<'a>, section: &'a Section, job: &str) -> Option<TrainPlan> {
    let (keys, rest) = Keyed::sort(cx, section);
    let named: Vec<&Section> = rest.iter().filter_map(|entry| steps::named(entry)).collect();
    let rest: Vec<&Entry> = rest.into_iter().filter(|entry| steps::named(entry).is_none()).collect();
    let lets: Vec<(&[Ident], &Expr)> = rest.iter().filter_map(|e| as_let(cx, e)).collect();
    rest.iter().filter(|e| !matches!(e.kind, EntryKind::Let { .. })).for_each(|e| stray(cx, "train", e));
    let length = length(cx, section, &keys);
    let train = Train {
        section,
        feed: keys.inner("feed").map(|s| feed(cx, s)).unwrap_or_default(),
        draws: keys.inner("draw").map(|s| draw::read(cx, s)).unwrap_or_default(),
        lets,
        steps: steps::read(cx, section, &keys, &named, length),
        metrics: keys.get("metrics").map(|e| metrics(cx, e)).unwrap_or_default(),
        freeze: choose::frozen(cx, keys.get("freeze")),
        precision: keys.get("precision").map_or(Some(Precision::F32), |e| update::precision(cx, e)),
    };
    train.names(cx);
    missing(cx, section, "feed", keys.inner("feed").is_some(), "feed { x = data.x  y = data.y }");
    let accumulate = keys.get("accumulate").map_or(Some(1), |e| cx.count("accumulate", e, 1));
    let ema = keys.get("ema").map(|e| update::ema(cx, e));
    let memory = keys.get("memory").map(|e| update::memory(cx, e));
    let stop = keys.get("stop").map(|e| watch::stop(cx, e));
    let checkpoint = keys.inner("checkpoint").map(|s| watch::checkpoint(cx, s));
    let log = keys.inner("log").map(|s| watch::log(cx, s));
    let seed = keys.get("seed").map_or(Some(0), |e| cx.count("seed", e, 0));
    // Without one of them, everything else would seem to miss it.
    if keys.inner("feed").is_none() || train.steps.iter().any(|step| step.loss.is_none()) {
        return None;
    }
    let trained: Vec<Option<Built>> =
        (0..train.steps.len()).map(|i| train.graph(cx, job, Mode::Train, i..i + 1)).collect();
    let evaluated = train.graph(cx, job, Mode::Eval, 0..train.steps.len());
    train.unused(cx, trained.iter().all(Option::is_some));
    let trained: Option<Vec<Built>> = trained.into_iter().collect();
    let (trained, evaluated) = (trained?, evaluated?);
    let read = trained.iter().flat_map(|built| &built.read).copied().collect();
    let data = train.one_section(cx, &read)?;
    for (column, wanted) in trained.iter().flat_map(|built| &built.wanted) {
        cx.data.borrow()[data].want(column, wanted);
    }
    ids::check(cx, &cx.data.borrow()[data], &ids::picked(&evaluated.graph));
    let seen = watch::Seen { metrics: &evaluated.metrics, validates: validates(cx, data) };
    let stop = stop.map(|written| seen.stop(cx, written?));
    let checkpoint = checkpoint.map(|written| seen.checkpoint(cx, written?));
    watch::agree(cx, &stop, &checkpoint);
    let all = groups::Chosen::of(&trained);
    let frozen = train.freeze.as_ref().and_then(|freeze| all.frozen(cx, freeze, section.word.span))?;
    let balanced = balanced(&trained);
    let precision = train.precision;
    let plans: Vec<Option<StepPlan>> = train
        .steps
        .into_iter()
        .zip(trained)
        .map(|(step, built)| step.plan(cx, built, &all, &frozen, &seen))
        .collect();
    Some(TrainPlan {
        name: section.name.as_ref().map(|n| n.name.to_string()),
        span: section.word.span,
        data,
        length: length?,
        seed: seed? as u64,
        // What was written and is wrong is reported: then there is no plan.
        accumulate: accumulate? as usize,
        ema: ema.map_or(Some(None), |x| x.map(Some))?,
        precision: precision?,
        memory: memory.map_or(Some(None), |limit| limit.map(Some))?,
        balanced,
        stop: stop.map_or(Some(None), |s| s.map(Some))?,
        checkpoint: checkpoint.map_or(Some(None), |c| c.map(Some))?,
        log: log.map_or(Some(None), |n| n.map(Some))?,
        steps: plans.into_iter().collect::<Option<_>>()?,
        // Known once the whole spec is right.
        shorter: Vec::new(),
        eval: evaluated.graph,
        metrics: evaluated.metrics,
        answers: evaluated.answers,
    })
}

/// What training rows decide, once.
fn balanced(trained: &[Built]) -> Vec<Balance> {
    let mut all: Vec<Balance> = Vec::new();
    for balance in trained.iter().flat_map(|built| &built.balanced) {
        if !all.contains(balance) {
            all.push(balance.clone());
        }
    }
    all
}

/// Whether a data section has a validation split, or is wrong and that is reported.
fn validates(cx: &Ctx, data: usize) -> bool {
    let plan = cx.data.borrow()[data].plan(Roles::default());
    plan.is_none_or(|plan| plan.valid.is_some() || plan.split.valid != Amount::Nothing)
}

fn as_let<'a>(cx: &Ctx, entry: &'a Entry) -> Option<(&'a [Ident], &'a Expr)> {
    match &entry.kind {
        EntryKind::Let { names, value, .. } => {
            names.iter().for_each(|n| names::shadows(cx, n));
            Some((names, value))
        }
        _ => None,
    }
}

/// Reports a key that a `train` section, or a step of it, lacks.
fn missing(cx: &Ctx, section: &Section, key: &str, there: bool, example: &str) {
    // A key that is misspelt is said once, at the key.
    let misspelt = section.entries.iter().any(|e| match &e.kind {
        EntryKind::Bind { path, .. } => path.parts.first().is_some_and(|p| is_near(&p.name, key)),
        EntryKind::Section(s) => is_near(&s.word.name, key),
        EntryKind::Typed { names, .. } => names.iter().any(|n| &*n.name == key),
        EntryKind::Broken => true,
        _ => false,
    });
    if !there && !misspelt {
        let message = match &section.name {
            Some(name) if &*section.word.name == "step" => format!("the step `{}` needs `{key}`", name.name),
            Some(_) | None => format!("`{}` needs `{key}`", section.word.name),
        };
        let d = Diagnostic::error("key::missing", message, section.word.span, format!("no `{key}` in here"));
        cx.report(d.help(format!("add a line such as `{example}`")));
    }
}

fn is_near(word: &str, key: &str) -> bool {
    // What is a key itself is no misspelling of another.
    if super::keys::find("train", word).is_some() {
        return false;
    }
    super::keys::alias("train", word) == Some(key) || did_you_mean(word, [key]).is_some()
}

/// `name = column` entries; each name once.
fn feed<'a>(cx: &Ctx, section: &'a Section) -> Vec<(&'a Ident, &'a Expr)> {
    let mut all: Vec<(&Ident, &Expr)> = Vec::new();
    for entry in &section.entries {
        match &entry.kind {
            EntryKind::Bind { path, value } => {
                let [name] = path.parts.as_slice() else {
                    stray(cx, "feed", entry);
                    continue;
                };
                match all.iter().find(|(n, _)| n.name == name.name) {
                    Some((first, _)) => cx.report(names::duplicate(name, first.span)),
                    None => {
                        names::shadows(cx, name);
                        all.push((name, value));
                    }
                }
            }
            EntryKind::Broken => {}
            EntryKind::Section(inner) => unknown_key(cx, "feed", &inner.word),
            EntryKind::Let { .. }
            | EntryKind::Input { .. }
            | EntryKind::Output { .. }
            | EntryKind::Typed { .. } => {
                let d = Diagnostic::error(
                    "key::misplaced",
                    "`feed` only names columns",
                    entry.span,
                    "not `name = column`",
                );
                cx.report(d.help("write `name = data.column`"));
            }
        }
    }
    all
}

fn length(cx: &Ctx, section: &Section, keys: &Keyed) -> Option<Length> {
    match (keys.key("epochs"), keys.key("steps")) {
        (Some(epochs), Some(steps)) => {
            let message = "`train` has both `epochs` and `steps`";
            let d = Diagnostic::error("key::conflict", message, steps.span, "says how long")
                .label(epochs.span, "says how long too");
            cx.report(d.help("keep one of the two"));
            None
        }
        (Some(_), None) => cx.count("epochs", keys.get("epochs")?, 0).map(|n| Length::Epochs(n as usize)),
        (None, Some(_)) => cx.count("steps", keys.get("steps")?, 0).map(|n| Length::Steps(n as usize)),
        (None, None) => {
            missing(cx, section, "epochs", false, "epochs = 5");
            None
        }
    }
}

/// A name of a table that is not in it: of another framework, not built yet, or a typo.
fn not_found(
    cx: &Ctx,
    what: &'static str,
    name: &Ident,
    foreign: Option<&'static str>,
    later: bool,
    known: &[&str],
) {
    if let Some(ours) = foreign {
        let message = format!("`{}` is called `{ours}` here", name.name);
        let d = Diagnostic::error(
            "name::foreign",
            message,
            name.span,
            "the name that another framework gives it",
        );
        return cx.report(d.help(format!("write `{ours}`")).fix(format!("write `{ours}`"), name.span, ours));
    }
    if later {
        let code = if what == "metric" { "later::metric" } else { "later::optimizer" };
        let built = list(known.iter().copied()).unwrap_or_default();
        return cx.later(
            code,
            format!("the {what} `{}`", name.name),
            name.span,
            format!("{built} are built"),
        );
    }
    let message = format!("there is no {what} `{}`", name.name);
    let d = Diagnostic::error("name::unknown", message, name.span, "not known");
    cx.report(suggest(d, what, name, known.iter().copied()));
}

impl<'a> Train<'a> {
    /// What models are given by name: what is fed, and what is drawn.
    fn given(&self) -> impl Iterator<Item = &(&'a Ident, &'a Expr)> {
        self.feed.iter().chain(&self.draws)
    }

    /// No name is both fed and drawn.
    fn names(&self, cx: &Ctx) {
        for (name, _) in &self.draws {
            if let Some((first, _)) = self.feed.iter().find(|(n, _)| n.name == name.name) {
                cx.report(names::duplicate(name, first.span));
            }
        }
    }

    /// Names that something else in the section reads: losses, metrics, models fed by name.
    fn read_names(&self, cx: &Ctx<'a>) -> BTreeSet<&'a str> {
        let section = self.section;
        let mut read = walk::names_in(|f| {
            let outside = section.entries.iter().filter(|e| !is_feed(e));
            outside.for_each(|e| walk::entry(e, f));
        });
        let models: Vec<&Section> = read.iter().filter_map(|name| cx.model(name)).collect();
        for model in models {
            for entry in &model.entries {
                if let EntryKind::Input { name, .. } = &entry.kind
                    && let Some((fed, _)) = self.given().find(|(n, _)| n.name == name.name)
                {
                    read.insert(&fed.name);
                }
            }
        }
        read
    }

    fn unused(&self, cx: &Ctx<'a>, sound: bool) {
        let read = self.read_names(cx);
        for (name, _) in self.feed.iter().filter(|(n, _)| !read.contains(&*n.name)) {
            let message = format!("`{}` is fed but never used", name.name);
            let d = Diagnostic::error("feed::unused", message, name.span, "no model input, no label");
            let inputs: Vec<&str> = self.model_inputs(cx).map(|(n, _)| &*n.name).collect();
            let near = did_you_mean(&name.name, inputs.iter().copied());
            // A loss that is wrong may read it once it is right.
            if !sound && near.is_none() {
                continue;
            }
            cx.report(match near {
                Some(near) => d.help(format!("did you mean the input `{near}`?")).fix(
                    format!("write `{near}`"),
                    name.span,
                    near,
                ),
                None => d.help("use it in the loss or a metric, name it as a model's input, or take it out"),
            });
        }
        for (name, _) in self.draws.iter().filter(|(n, _)| !read.contains(&*n.name)) {
            let message = format!("`{}` is drawn but never used", name.name);
            let d = Diagnostic::error("name::unused", message, name.span, "made here, read nowhere");
            cx.report(d.help("use it in a loss, name it as a model's input, or take it out"));
        }
        for (names, _) in &self.lets {
            for name in names.iter().filter(|n| !read.contains(&*n.name) && !n.name.starts_with('_')) {
                let message = format!("let `{}` is never used", name.name);
                let d = Diagnostic::error("name::unused", message, name.span, "made here, read nowhere");
                cx.report(d.help("use it, or take it out"));
            }
        }
    }

    fn model_inputs<'c>(
        &self,
        cx: &'c Ctx<'a>,
    ) -> impl Iterator<Item = (&'a Ident, &'a crate::syntax::ast::Type)> + 'c {
        let used = walk::names_in(|f| {
            self.section.entries.iter().filter(|e| !is_feed(e)).for_each(|e| walk::entry(e, f))
        });
        let models = used.into_iter().filter_map(|name| cx.model(name)).collect::<Vec<_>>();
        models.into_iter().flat_map(|m| &m.entries).filter_map(|e| match &e.kind {
            EntryKind::Input { name, ty } => Some((name, ty)),
            _ => None,
        })
    }

    /// What the first model with an input of that name wants of a row.
    fn wanted_row(&self, cx: &Ctx<'a>, name: &Ident) -> Option<TensorType> {
        let (_, ty) = self.model_inputs(cx).find(|(n, _)| n.name == name.name)?;
        declared_row(cx, ty)
    }

    /// The one data section that a feed reads.
    fn one_section(&self, cx: &Ctx, read: &BTreeSet<usize>) -> Option<usize> {
        let mut all = read.iter();
        match (all.next(), all.next()) {
            (Some(one), None) => Some(*one),
            (Some(_), Some(_)) => {
                let span = self.feed.first().map_or(self.section.word.span, |(n, _)| n.span);
                cx.later(
                    "later::feed",
                    "a feed from several data sections",
                    span,
                    "read one section in each `train`",
                );
                None
            }
            (None, _) => {
                if !self.feed.is_empty() {
                    let span = self.feed[0].1.span;
                    let d = Diagnostic::error(
                        "feed::data",
                        "`feed` reads no data",
                        span,
                        "no column of a `data` section",
                    );
                    cx.report(d.help("write `x = data.column`"));
                }
                None
            }
        }
    }
}

fn is_feed(entry: &Entry) -> bool {
    matches!(&entry.kind, EntryKind::Section(s) if &*s.word.name == "feed")
}
