//! What a trained model answers: the predictions that its loss compares, of rows that need no label.

use super::metric::column;
use super::terms::distinct;
use crate::base::Dim;
use crate::graph::Value;
use crate::ops::formula::Item;
use crate::sema::job::{Answer, AnswerKind};
use crate::sema::model::{Ev, Pair};

/// Of each pair that the loss compares, the prediction, once; of a loss of the user's own, all outputs of the
/// models that it reads.
pub(super) fn answers(ev: &Ev) -> Vec<Answer> {
    let labelled = |pair: &&Pair| matches!(pair.label.0, Item::Tensor(_));
    let pairs: Vec<&Pair> = ev.scope.pairs.iter().filter(labelled).collect();
    let mut all: Vec<Answer> = Vec::new();
    for (pair, name) in pairs.iter().zip(distinct(ev, &pairs)) {
        let Item::Tensor(value) = pair.prediction.0 else { continue };
        if !by_row(ev, value) || all.iter().any(|answer| answer.value == value) {
            continue;
        }
        let kind = match (pair.folds, ev.b.shape(value).rank()) {
            (Some("Softmax"), 2) => AnswerKind::Classes,
            (Some("Sigmoid"), 1) => AnswerKind::Binary,
            (_, _) => AnswerKind::Numbers,
        };
        let label = pair.column.clone().or_else(|| column(ev, &pair.label.0));
        all.push(Answer { name, value, kind, label });
    }
    if all.is_empty() { outputs(ev) } else { all }
}

/// Whether a tensor has something for each row.
fn by_row(ev: &Ev, value: Value) -> bool {
    ev.b.shape(value).first() == Some(&Dim::sym("B"))
}

fn outputs(ev: &Ev) -> Vec<Answer> {
    let mut all = Vec::new();
    for (model, outputs) in ev.scope.outputs() {
        for (name, item) in outputs {
            if let Some(Item::Tensor(value)) = item
                && by_row(ev, *value)
            {
                let name = format!("{model}.{name}");
                all.push(Answer { name, value: *value, kind: AnswerKind::Numbers, label: None });
            }
        }
    }
    all
}
