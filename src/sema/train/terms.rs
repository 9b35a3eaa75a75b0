//! The terms of a loss that compares several pairs, each reported by name beside their sum.

use crate::base::Dim;
use crate::graph::Value;
use crate::ops::metric::{Better, Finish};
use crate::sema::job::MetricPlan;
use crate::sema::model::{Ev, Pair};

/// Each loss of the library that the total is made of, without its factor, as Keras reports them: `loss.a` for
/// the label `a`. A loss of one term is the total itself.
pub(super) fn terms(ev: &mut Ev) -> Vec<(Vec<Value>, MetricPlan)> {
    let pairs = ev.scope.pairs.clone();
    if pairs.len() < 2 {
        return Vec::new();
    }
    let names = distinct(ev, &pairs.iter().collect::<Vec<_>>());
    let rows = Dim::sym("B");
    let term = |(pair, name): (&Pair, String)| {
        let name = format!("loss.{name}");
        ev.at(pair.label.1);
        // The mean over a batch weighs as many rows as it has.
        let count = ev.b.size(&rows);
        let sum = ev.b.mul(pair.loss, count);
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
    };
    pairs.iter().zip(names).map(term).collect()
}

/// A name for each pair: by label; by prediction where several have one label; by number where that is no name, or the same again.
pub(super) fn distinct(ev: &Ev, pairs: &[&Pair]) -> Vec<String> {
    let is_name = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "_.".contains(c));
    let all = |of: fn(&Pair) -> crate::base::Span| -> Vec<String> {
        pairs.iter().map(|pair| ev.scope.cx.text(of(pair)).to_string()).collect()
    };
    let (labels, predictions) = (all(|pair| pair.label.1), all(|pair| pair.prediction.1));
    let once = |texts: &[String], i: usize| {
        is_name(&texts[i]) && texts.iter().filter(|text| **text == texts[i]).count() == 1
    };
    let name = |i: usize| match (once(&labels, i), once(&predictions, i)) {
        (true, _) => labels[i].clone(),
        (false, true) => predictions[i].clone(),
        (false, false) => (i + 1).to_string(),
    };
    (0..pairs.len()).map(name).collect()
}
