//! The graphs of a `train` section: each step in training mode, all of them in evaluation.

use super::metric::metric;
use super::{Train, answers, draw, terms};
use crate::base::{Dim, Span};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::{Builder, Graph, LeafKind, OutputKind, Value};
use crate::ops::Mode;
use crate::ops::formula::{Checked, Eval, Item, Reported, tensor_of};
use crate::sema::ctx::Ctx;
use crate::sema::elsewhere;
use crate::sema::job::{Answer, Balance, Better, Finish, LayerInfo, MetricPlan, Wanted};
use crate::sema::model::{Elab, Entity, Ev, Feeding, Names, define};
use crate::syntax::ast::{Expr, Ident};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// The graph of one mode, and what was seen on the way.
pub(super) struct Built {
    pub graph: Graph,
    pub metrics: Vec<MetricPlan>,
    /// Of the evaluation's graph.
    pub answers: Vec<Answer>,
    /// The data sections that it reads.
    pub read: BTreeSet<usize>,
    pub layers: Vec<LayerInfo>,
    /// What losses want of columns.
    pub wanted: Vec<(Arc<str>, Wanted)>,
    pub balanced: Vec<Balance>,
}

type Scores = Vec<(Vec<Value>, MetricPlan)>;

impl<'a> Train<'a> {
    /// Builds the graph of some steps in one mode.
    pub(super) fn graph(&self, cx: &Ctx<'a>, job: &str, mode: Mode, steps: Range<usize>) -> Option<Built> {
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
        b.precision = self.precision.unwrap_or_default();
        let mut ev = Eval::new(&cx.library, &mut b, &mut found, &mut scope);
        let read = self.fed(&mut ev);
        let data = read.first().copied();
        let fed = ev.scope.names.clone();
        let losses: Vec<Checked<Value>> = steps.map(|step| self.loss_of(&mut ev, &fed, step, mode)).collect();
        let losses: Checked<Vec<Value>> = losses.into_iter().collect();
        let metrics = match mode {
            Mode::Train => Ok(Vec::new()),
            // Metrics take the pair of the loss: without one they have nothing to say.
            Mode::Eval => losses.as_ref().map_err(|Reported| Reported).and_then(|losses| {
                let mut all = self.of_steps(&mut ev, losses);
                all.extend(self.scored(&mut ev, data)?);
                Ok(all)
            }),
        };
        let answers = answers::answers(&ev);
        let wanted = std::mem::take(&mut ev.scope.wanted);
        let balanced = std::mem::take(&mut ev.scope.balanced);
        let layers = std::mem::take(&mut ev.scope.layers);
        let made = losses.and_then(|losses| Ok((losses, metrics?)));
        let result = made.ok().map(|(losses, metrics): (Vec<Value>, Scores)| {
            let total = losses.into_iter().reduce(|sum, loss| b.add(sum, loss));
            b.output("loss", total.expect("train: there is a step"), OutputKind::Loss);
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

    /// The loss of one step on what is fed, with draws of its own.
    fn loss_of(&self, ev: &mut Ev<'_, '_, 'a>, fed: &Names, step: usize, mode: Mode) -> Checked<Value> {
        let cx = ev.scope.cx;
        let step = &self.steps[step];
        ev.scope.begin_step(fed.clone());
        let drawn = draw::drawn(ev, &self.draws, &step.prefix(), mode);
        ev.scope.names.extend(drawn);
        ev.scope.fed = Some(ev.scope.names.clone());
        for (names, value) in &self.lets {
            let made = ev.eval(value);
            define(ev, names, made, value.span);
        }
        let expr = step.loss.ok_or(Reported)?;
        let given: Vec<&Ident> = self.given().map(|(name, _)| *name).collect();
        match elsewhere::loss_in_quotes(cx, expr, &given) {
            Some(d) => ev.fail(d),
            None => total(ev, expr),
        }
    }

    /// The loss of each of several steps, as a metric: `critic.loss`.
    fn of_steps(&self, ev: &mut Ev<'_, '_, 'a>, losses: &[Value]) -> Scores {
        let rows = Dim::sym("B");
        let named = self.steps.iter().filter_map(|step| Some((step.name?, step.loss?)));
        let all = named.zip(losses).map(|((step, expr), loss)| {
            let name = format!("{}.loss", step.name);
            ev.at(expr.span);
            // The mean over a batch weighs as many rows as it has.
            let count = ev.b.size(&rows);
            let sum = ev.b.mul(*loss, count);
            let plan = MetricPlan {
                outputs: vec![name.clone()],
                name,
                better: Better::Lower,
                numbers: Dim::one(),
                by: None,
                count: rows.clone(),
                counted: false,
                finish: Finish::Mean,
                classes: Dim::zero(),
                label: None,
                power: 0,
            };
            (vec![sum], plan)
        });
        all.collect()
    }

    /// The terms of the loss, and all metrics; mistakes in any of them are told.
    fn scored(&self, ev: &mut Ev<'_, '_, 'a>, data: Option<usize>) -> Checked<Scores> {
        let mut all = if self.steps.len() == 1 { terms::terms(ev) } else { Vec::new() };
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
    if !ev.b.graph().leaves.iter().any(|(_, l)| matches!(l.kind, LeafKind::Param(_))) {
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
