//! The metric of one batch as nodes of its graph.

use super::super::formula::{Given, Item, Number, apply_std};
use super::super::{AttrValue, Library};
use super::tally::{Average, Finish};
use super::{Curve, Form, MetricDef, OUTCOMES, Scores};
use crate::base::{DType, Dim, Shape, Span};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};

/// A metric of one batch: counts stay exact below 2^24.
#[derive(Clone, Debug)]
pub struct Score {
    /// What a [`Tally`](super::Tally) takes, in this order.
    pub parts: Vec<Part>,
    /// How many elements were scored: of the batch, in terms of it, or of one row.
    pub count: Dim,
    /// Whether the last part says how many it were, since a mask leaves some out.
    pub counted: bool,
    pub finish: Finish,
    /// How many scores a row has, or what its answers are below; 0 if nothing says.
    pub classes: Dim,
}

/// A tensor of a batch: sums over it, or numbers of each of its elements.
#[derive(Clone, Debug)]
pub struct Part {
    /// Of which there are several; empty for the only one.
    pub name: &'static str,
    pub value: Value,
}

/// What a [`Tally`](super::Tally) is to take at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The whole batch.
    Batch,
    /// One row: the first axis of every part is that of the batch, so that rows can be sorted into groups.
    Row,
}

/// Builds nodes for one metric.
struct Build<'a> {
    lib: &'a Library,
    b: &'a mut Builder,
    over: Over,
    /// Which steps count, if any do not.
    mask: Option<Value>,
    span: Span,
}

type Pair = [Given<Item>; 2];
type Found = Result<Score, Vec<Diagnostic>>;

/// The metric of one batch. `pair` is what the loss takes, prediction and label: tensors, or a plain
/// number for the label. `settings` are those of its signature, checked; `mask`, `f32[B, T]`, says which steps
/// count.
///
/// # Errors
/// If the two do not fit the formula.
pub fn build(
    lib: &Library,
    b: &mut Builder,
    metric: &MetricDef,
    settings: &[AttrValue],
    pair: Pair,
    (over, mask): (Over, Option<Value>),
    span: Span,
) -> Found {
    let mut at = Build { lib, b, over, mask, span };
    at.fits_mask(metric)?;
    match &metric.form {
        Form::Elements(op, finish) => at.scored(op, pair, *finish),
        Form::Rows(scores, finish) => {
            let op = at.chosen(&pair, scores);
            at.scored(op, pair, *finish)
        }
        Form::TopK => at.top_k(pair, settings),
        Form::Rate(rate) => {
            let op = at.chosen(&pair, &OUTCOMES);
            let many = op == OUTCOMES.classes;
            at.outcomes(op, pair, many, Finish::Rate(*rate, average(settings, many)))
        }
        Form::Explained => at.explained(pair),
        Form::Area => at.area(pair, curve(settings)),
        Form::Confusion => at.confusion(pair),
    }
}

impl Build<'_> {
    fn apply(&mut self, op: &str, args: Vec<Given<Item>>) -> Result<Vec<Value>, Vec<Diagnostic>> {
        apply_std(self.lib, self.b, op, args, self.span)
    }

    /// The op for what the prediction is.
    fn chosen(&self, pair: &Pair, scores: &Scores) -> &'static str {
        match kind(self.b, pair) {
            Prediction::Classes => scores.classes,
            Prediction::Logit => scores.binary,
            Prediction::Ids => scores.ids,
        }
    }

    /// How many elements a Tally takes at once, of a tensor with one for each.
    fn count(&self, elements: &[Dim]) -> Dim {
        let own = match self.over {
            Over::Batch => elements,
            Over::Row => elements.get(1..).unwrap_or(&[]),
        };
        own.iter().fold(Dim::one(), |n, d| n * d.clone())
    }

    /// The sum over the first `axes`, less that of the batch where rows stay apart.
    fn folded(&mut self, v: Value, axes: usize) -> Value {
        let first = match self.over {
            Over::Batch => 0,
            Over::Row => 1,
        };
        let axes: Vec<usize> = (first..axes).collect();
        if axes.is_empty() { v } else { self.b.sum(v, &axes) }
    }

    fn scored(&mut self, op: &str, pair: Pair, finish: Finish) -> Found {
        let scores = self.apply(op, pair.into())?[0];
        Ok(self.total(scores, finish))
    }

    /// What needs all elements one by one takes no mask.
    fn fits_mask(&self, metric: &MetricDef) -> Result<(), Vec<Diagnostic>> {
        let one_by_one = matches!(metric.form, Form::Explained | Form::Area | Form::Confusion);
        if self.mask.is_none() || !one_by_one {
            return Ok(());
        }
        let name = metric.sig.name;
        let message = format!("`{name}` needs every row, but padding or `ignore` leaves some out");
        let d = Diagnostic::error("metric::masked", message, self.span, "would count them");
        Err(vec![d.help("measure `accuracy`, `f1` or `log_loss`, which count what the mask keeps")])
    }

    /// The mask over all elements of `shape`, if that has its steps.
    fn kept(&mut self, shape: &Shape) -> Option<Value> {
        let mask = self.mask?;
        let steps = self.b.shape(mask).clone();
        let fits = shape.get(..steps.rank()) == Some(&steps[..]);
        fits.then(|| self.b.broadcast(mask, shape.clone(), &(0..steps.rank()).collect::<Vec<_>>()))
    }

    fn total(&mut self, scores: Value, finish: Finish) -> Score {
        let shape = self.b.shape(scores).clone();
        let count = self.count(&shape);
        let kept = self.kept(&shape);
        let scores = kept.map_or(scores, |kept| self.b.mul(scores, kept));
        let mut parts = vec![Part { name: "", value: self.folded(scores, shape.rank()) }];
        if let Some(kept) = kept {
            parts.push(Part { name: "count", value: self.folded(kept, shape.rank()) });
        }
        Score { parts, count, counted: kept.is_some(), finish, classes: Dim::zero() }
    }

    fn top_k(&mut self, pair: Pair, settings: &[AttrValue]) -> Found {
        let [AttrValue::Size(k)] = settings else { panic!("sig: `top_k` has one setting, a whole number") };
        let k = Given { name: None, value: Item::Number(Number::Int(k.clone())), span: self.span };
        let ids = self.b.iota([self.classes(&pair)], 0);
        let ids = Given { name: None, value: Item::Tensor(ids), span: pair[0].span };
        let scores = self.apply("top_k_accuracy", [&pair[..], &[ids, k]].concat())?;
        Ok(self.total(scores[0], Finish::Mean))
    }

    /// How long the last axis of the prediction is.
    fn classes(&self, pair: &Pair) -> Dim {
        tensor(&pair[0].value).and_then(|v| self.b.shape(v).last().cloned()).unwrap_or_else(Dim::one)
    }

    /// Sums of hits, answers and labels; by class, where the last axis is one of classes.
    fn outcomes(&mut self, op: &str, pair: Pair, by_class: bool, finish: Finish) -> Found {
        let outcomes = self.apply(op, pair.into())?;
        let shape = self.b.shape(outcomes[0]).clone();
        let rows = shape.rank() - usize::from(by_class);
        let names = ["hits", "called", "actual"];
        let kept = self.kept(&shape);
        let sum = |(name, v): (&'static str, &Value)| {
            let v = kept.map_or(*v, |kept| self.b.mul(*v, kept));
            Part { name, value: self.folded(v, rows) }
        };
        let mut parts: Vec<Part> = names.into_iter().zip(&outcomes).map(sum).collect();
        let elements = Shape::from(shape[..rows].to_vec());
        if let Some(kept) = self.kept(&elements) {
            parts.push(Part { name: "count", value: self.folded(kept, rows) });
        }
        let count = self.count(&elements);
        Ok(Score { parts, count, counted: kept.is_some(), finish, classes: Dim::zero() })
    }

    /// Squares, by target. Each target is seen from that of the batch's first row: one that never
    /// changes gives zeros, whatever it is, and one far from 0 loses no digits.
    fn explained(&mut self, pair: Pair) -> Found {
        let both = self.apply("explained", pair.into())?;
        let (residual, target) = (both[0], both[1]);
        let b = &mut *self.b;
        let first = match self.over {
            Over::Batch => b.slice_axis(target, 0, Dim::zero(), Dim::one()),
            Over::Row => target,
        };
        let shift = b.sub(target, first);
        let around = match self.over {
            Over::Batch => {
                let mean = b.mean_keep(shift, &[0]);
                b.sub(shift, mean)
            }
            Over::Row => shift,
        };
        let (residuals, squares) = (b.mul(residual, residual), b.mul(around, around));
        let mut part = |name, v| Part { name, value: self.folded(v, 1) };
        let parts = vec![
            part("residual", residuals),
            part("first", first),
            part("shift", shift),
            part("square", squares),
        ];
        let rows = self.b.shape(target)[..1].to_vec();
        Ok(Score {
            parts,
            count: self.count(&rows),
            counted: false,
            finish: Finish::Explained,
            classes: Dim::zero(),
        })
    }

    /// The scores of every element, and what it is.
    fn area(&mut self, pair: Pair, curve: Curve) -> Found {
        let (op, classes) = match kind(self.b, &pair) {
            Prediction::Classes => ("categorical_scores", self.classes(&pair)),
            Prediction::Logit | Prediction::Ids => ("binary_scores", Dim::one()),
        };
        self.each(op, pair, ["score", "actual"], Finish::Area(curve), classes)
    }

    /// The answer to every element, and what it is.
    fn confusion(&mut self, pair: Pair) -> Found {
        let (op, classes) = match kind(self.b, &pair) {
            Prediction::Classes => ("categorical_answers", self.classes(&pair)),
            Prediction::Logit => ("binary_answers", Dim::from(2)),
            Prediction::Ids => ("exact_answers", Dim::zero()),
        };
        self.each(op, pair, ["answer", "actual"], Finish::Confusion, classes)
    }

    fn each(
        &mut self,
        op: &str,
        pair: Pair,
        names: [&'static str; 2],
        finish: Finish,
        classes: Dim,
    ) -> Found {
        let both = self.apply(op, pair.into())?;
        let count = self.count(&self.b.shape(both[1]).clone());
        let parts = names.into_iter().zip(both).map(|(name, value)| Part { name, value }).collect();
        Ok(Score { parts, count, counted: false, finish, classes })
    }
}

fn average(settings: &[AttrValue], many: bool) -> Average {
    match settings {
        [AttrValue::Word(word)] => match word.as_str() {
            "macro" => Average::Macro,
            "micro" => Average::Micro,
            "weighted" => Average::Weighted,
            other => panic!("sig: `{other}` is no average"),
        },
        _ if many => Average::Macro,
        _ => Average::Positive,
    }
}

fn curve(settings: &[AttrValue]) -> Curve {
    match settings {
        [AttrValue::Word(word)] if word == "pr" => Curve::Pr,
        _ => Curve::Roc,
    }
}

enum Prediction {
    /// A score for each class along the last axis.
    Classes,
    /// One number: positive is the second of two classes.
    Logit,
    /// A class itself.
    Ids,
}

fn tensor(item: &Item) -> Option<Value> {
    match item {
        Item::Tensor(v) => Some(*v),
        Item::Number(_) | Item::Bool(_) | Item::Text(_) | Item::Tuple(_) => None,
        Item::Entity(never) => match *never {},
    }
}

fn kind(b: &Builder, pair: &Pair) -> Prediction {
    let [prediction, label] = [&pair[0], &pair[1]].map(|given| tensor(&given.value));
    let rank = |v: Option<Value>| v.map_or(0, |v| b.shape(v).rank());
    let whole = prediction.is_some_and(|v| b.dtype(v) == DType::I32);
    match (whole, label.is_some() && rank(prediction) == rank(label) + 1) {
        (true, _) => Prediction::Ids,
        (false, true) => Prediction::Classes,
        (false, false) => Prediction::Logit,
    }
}
