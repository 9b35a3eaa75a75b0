//! `train` sections: feed, loss, optimizer, metrics, length.

mod answers;
mod balance;
mod choose;
mod groups;
mod loss;
mod masked;
mod metric;
mod plateau;
mod terms;
mod update;
mod watch;
mod weigh;

pub(super) use choose::Choice;
pub(super) use loss::{given, loss};
use metric::{Metric, metric, metrics};

use super::ctx::{Ctx, list, suggest};
use super::job::{Amount, Answer, Balance, LayerInfo, Length, MetricPlan, Roles, TrainPlan, Wanted};
use super::keyed::{Keyed, stray, unknown_key};
use super::model::{Elab, Entity, Ev, Feeding, Names, declared_row, define};
use super::{elsewhere, names, walk};
use crate::base::{Span, TensorType};
use crate::diag::{Diagnostic, Diagnostics, did_you_mean};
use crate::graph::{Builder, Graph, OutputKind, Value};
use crate::ops::Mode;
use crate::ops::formula::{Checked, Eval, Item, Reported, tensor_of};
use crate::syntax::ast::{Entry, EntryKind, Expr, Ident, Section};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A `train` section, taken apart.
struct Train<'a> {
    section: &'a Section,
    feed: Vec<(&'a Ident, &'a Expr)>,
    lets: Vec<(&'a [Ident], &'a Expr)>,
    loss: Option<&'a Expr>,
    metrics: Vec<Metric<'a>>,
    /// `None` is wrong and reported.
    freeze: Option<Choice>,
}

/// The graph of one mode, and what was seen on the way.
struct Built {
    graph: Graph,
    metrics: Vec<MetricPlan>,
    /// Of the evaluation's graph.
    answers: Vec<Answer>,
    /// The data sections that it reads.
    read: BTreeSet<usize>,
    layers: Vec<LayerInfo>,
    /// What losses want of columns.
    wanted: Vec<(Arc<str>, Wanted)>,
    balanced: Vec<Balance>,
}

/// Checks a section and builds its graphs; `None` is reported, or rests on something that is.
pub(super) fn check<'a>(cx: &Ctx<'a>, section: &'a Section, job: &str) -> Option<TrainPlan> {
    let (keys, rest) = Keyed::sort(cx, section);
    let named_steps =
        section.entries.iter().any(|e| matches!(&e.kind, EntryKind::Section(s) if &*s.word.name == "step"));
    let lets: Vec<(&[Ident], &Expr)> = rest.iter().filter_map(|e| as_let(cx, e)).collect();
    rest.iter().filter(|e| !matches!(e.kind, EntryKind::Let { .. })).for_each(|e| stray(cx, "train", e));
    let train = Train {
        section,
        feed: keys.inner("feed").map(|s| feed(cx, s)).unwrap_or_default(),
        lets,
        loss: keys.get("loss"),
        metrics: keys.get("metrics").map(|e| metrics(cx, e)).unwrap_or_default(),
        freeze: choose::frozen(cx, keys.get("freeze")),
    };
    // Named steps have losses and optimizers of their own, which are not built yet.
    if !named_steps {
        missing(cx, section, "loss", train.loss.is_some(), "loss = CrossEntropy(Model.logits, label)");
        missing(cx, section, "optimizer", keys.get("optimizer").is_some(), "optimizer = Adam(lr=1e-3)");
        missing(cx, section, "feed", keys.inner("feed").is_some(), "feed { x = data.x  y = data.y }");
    }
    let length = length(cx, section, &keys);
    let (optimizer, no_decay) = keys.get("optimizer").and_then(|e| update::optimizer(cx, e)).unzip();
    let groups = keys.inner("groups").map_or(Some(Vec::new()), |s| groups::read(cx, s, optimizer.as_ref()));
    let (falls, scheduled) = match keys.get("schedule") {
        Some(expr) if plateau::is_plateau(expr) => (Some(expr), None),
        other => (None, other),
    };
    let schedule = scheduled.map(|e| update::schedule(cx, e, optimizer.as_ref(), length));
    let plateau = falls.map(|e| plateau::read(cx, e));
    let clip = keys.get("clip").map(|e| update::clip(cx, e));
    let accumulate = keys.get("accumulate").map_or(Some(1), |e| cx.count("accumulate", e, 1));
    let ema = keys.get("ema").map(|e| update::ema(cx, e));
    let stop = keys.get("stop").map(|e| watch::stop(cx, e));
    let checkpoint = keys.inner("checkpoint").map(|s| watch::checkpoint(cx, s));
    let log = keys.inner("log").map(|s| watch::log(cx, s));
    let seed = keys.get("seed").map_or(Some(0), |e| cx.count("seed", e, 0));
    // Without one of them, everything else would seem to miss it.
    if named_steps || keys.inner("feed").is_none() || train.loss.is_none() {
        train
            .loss
            .and_then(|loss| elsewhere::loss_in_quotes(cx, loss, &[]))
            .into_iter()
            .for_each(|d| cx.report(d));
        return None;
    }
    let trained = train.graph(cx, job, Mode::Train);
    let evaluated = train.graph(cx, job, Mode::Eval);
    train.unused(cx, trained.is_some());
    let (trained, evaluated) = (trained?, evaluated?);
    let data = train.one_section(cx, &trained.read)?;
    for (column, wanted) in &trained.wanted {
        cx.data.borrow()[data].want(column, wanted);
    }
    let seen = watch::Seen { metrics: &evaluated.metrics, validates: validates(cx, data) };
    let stop = stop.map(|written| seen.stop(cx, written?));
    let checkpoint = checkpoint.map(|written| seen.checkpoint(cx, written?));
    watch::agree(cx, &stop, &checkpoint);
    let plateau = plateau.map(|written| written?.plan(cx, &seen, optimizer.as_ref()));
    let chosen = groups::Chosen { graph: &trained.graph, layers: &trained.layers };
    let frozen = train.freeze.as_ref().and_then(|freeze| chosen.frozen(cx, freeze, section.word.span));
    let undecayed =
        no_decay.flatten().map_or(Some(None), |choice| chosen.without_decay(cx, &choice).map(Some));
    let groups = groups.and_then(|written| chosen.groups(cx, written));
    let groups = undecayed?.into_iter().chain(groups?).collect();
    Some(TrainPlan {
        name: section.name.as_ref().map(|n| n.name.to_string()),
        span: section.word.span,
        data,
        length: length?,
        seed: seed? as u64,
        optimizer: optimizer?,
        // What was written and is wrong is reported: then there is no plan.
        schedule: schedule.map_or(Some(None), |s| s.map(Some))?,
        plateau: plateau.map_or(Some(None), |p| p.map(Some))?,
        clip: clip.map_or(Some(None), |c| c.map(Some))?,
        accumulate: accumulate? as usize,
        ema: ema.map_or(Some(None), |x| x.map(Some))?,
        frozen: frozen?,
        balanced: trained.balanced,
        groups,
        stop: stop.map_or(Some(None), |s| s.map(Some))?,
        checkpoint: checkpoint.map_or(Some(None), |c| c.map(Some))?,
        log: log.map_or(Some(None), |n| n.map(Some))?,
        forward: trained.graph,
        eval: evaluated.graph,
        metrics: evaluated.metrics,
        answers: evaluated.answers,
    })
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
        let message = format!("`train` needs `{key}`");
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
                    && let Some((fed, _)) = self.feed.iter().find(|(n, _)| n.name == name.name)
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

    /// Builds the graph of one mode.
    fn graph(&self, cx: &Ctx<'a>, job: &str, mode: Mode) -> Option<Built> {
        let (mut scope, mut found) = (Elab::new(cx, mode), Diagnostics::new());
        if mode == Mode::Train {
            scope = scope.recording();
        }
        scope.freeze = self.freeze.clone()?;
        let suffix = match mode {
            Mode::Train => "train",
            Mode::Eval => "eval",
        };
        let mut b = Builder::new(format!("{job}.{suffix}"));
        let mut ev = Eval::new(&cx.library, &mut b, &mut found, &mut scope);
        let read = self.fed(&mut ev);
        let data = read.first().copied();
        for (names, value) in &self.lets {
            let made = ev.eval(value);
            define(&mut ev, names, made, value.span);
        }
        let fed: Vec<&Ident> = self.feed.iter().map(|(name, _)| *name).collect();
        let total = self.loss.ok_or(Reported).and_then(|e| match elsewhere::loss_in_quotes(cx, e, &fed) {
            Some(d) => ev.fail(d),
            None => total(&mut ev, e),
        });
        let metrics = match mode {
            Mode::Train => Ok(Vec::new()),
            // Metrics take the pair of the loss: without one they have nothing to say.
            Mode::Eval if total.is_err() => Err(Reported),
            Mode::Eval => self.scored(&mut ev, data),
        };
        let answers = answers::answers(&ev);
        let wanted = std::mem::take(&mut ev.scope.wanted);
        let balanced = std::mem::take(&mut ev.scope.balanced);
        let layers = std::mem::take(&mut ev.scope.layers);
        let made = total.and_then(|total| Ok((total, metrics?)));
        let result = made.ok().map(|(total, metrics): (Value, Vec<(Vec<Value>, MetricPlan)>)| {
            b.output("loss", total, OutputKind::Loss);
            for (values, plan) in &metrics {
                for (name, value) in plan.outputs.iter().zip(values) {
                    b.output(name.as_str(), *value, OutputKind::Metric);
                }
            }
            let metrics = metrics.into_iter().map(|(_, plan)| plan).collect();
            let mut graph = b.finish();
            // The loss comes first; layers have said what becomes of their states before it was known.
            graph.outputs.sort_by_key(|o| matches!(o.kind, OutputKind::Update(_)));
            Built { graph, metrics, answers, read, layers, wanted, balanced }
        });
        cx.diags.borrow_mut().extend(found.sorted());
        result
    }

    /// The terms of the loss, and all metrics; mistakes in any of them are told.
    fn scored(&self, ev: &mut Ev<'_, '_, 'a>, data: Option<usize>) -> Checked<Vec<(Vec<Value>, MetricPlan)>> {
        let mut all = terms::terms(ev);
        let asked: Vec<Checked<_>> = self.metrics.iter().map(|m| metric(ev, m, data)).collect();
        all.extend(asked.into_iter().collect::<Checked<Vec<_>>>()?);
        Ok(all)
    }

    /// Evaluates the feed, each entry alone.
    fn fed(&self, ev: &mut Ev<'_, '_, 'a>) -> BTreeSet<usize> {
        let mut names = Names::new();
        let mut read = BTreeSet::new();
        for (name, expr) in &self.feed {
            let row = self.wanted_row(ev.scope.cx, name);
            ev.scope.feeding = Some(Feeding { row, read: std::mem::take(&mut read) });
            let item = ev.eval(expr).and_then(|item| only_tensor(ev, item, expr.span));
            read = ev.scope.feeding.take().map(|f| f.read).unwrap_or_default();
            if let Ok(Item::Tensor(v)) = item {
                let text = format!("`{}` is {}", name.name, ev.b.ty(v));
                ev.scope.note(v, None, name.span, text);
            }
            names.insert(name.name.clone(), item.ok());
        }
        ev.scope.names = names.clone();
        ev.scope.fed = Some(names);
        read
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

fn only_tensor(ev: &mut Ev, item: Item<Entity>, at: Span) -> Checked<Item<Entity>> {
    match item {
        Item::Tensor(v) => Ok(Item::Tensor(v)),
        other => {
            let found = ev.describe(&other);
            let d = Diagnostic::error("feed::data", "`feed` takes columns", at, found);
            ev.fail(d.help("write `x = data.column`; plain numbers can stand in the loss itself"))
        }
    }
}

/// The loss with its penalties, a scalar.
fn total(ev: &mut Ev, expr: &Expr) -> Checked<Value> {
    let operand = ev.operand(expr)?;
    ev.at(expr.span);
    let value = tensor_of(ev.b, &operand);
    if ev.b.ty(value).rank() != 0 {
        let ty = ev.b.ty(value).to_string();
        let message = format!("a loss is one number, but this is {ty}");
        let d = Diagnostic::error("loss::scalar", message, expr.span, format!("this is {ty}"));
        return ev.fail(
            d.help("put it into a loss such as `MeanSquaredError(prediction, target)`, or take its `mean`"),
        );
    }
    if !ev.b.graph().leaves.iter().any(|(_, l)| matches!(l.kind, crate::graph::LeafKind::Param(_))) {
        let d = Diagnostic::error(
            "loss::constant",
            "this loss depends on no weight",
            expr.span,
            "nothing to train",
        );
        return ev
            .fail(d.help("compare the output of a model with a label: `CrossEntropy(M.logits, label)`"));
    }
    let penalties = ev.scope.penalties.clone();
    ev.at(expr.span);
    Ok(penalties.into_iter().fold(value, |sum, penalty| ev.b.add(sum, penalty)))
}
