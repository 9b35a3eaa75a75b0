//! From a model's numbers to what people asked for: class names with probabilities, targets in their own units.

use crate::runtime::data::{Fitted, FittedColumn};
use crate::runtime::table_out::{Kind, OutColumn, OutValues};
use crate::sema::job::{Answer, AnswerKind};

/// One answer of a model.
pub(super) struct Head {
    /// The output of its program.
    pub output: String,
    name: String,
    kind: AnswerKind,
    /// How many numbers it has for a row.
    width: usize,
    /// By id, of classes.
    classes: Vec<String>,
    /// From what the target was trained as to what it is in the data.
    undo: Vec<Undo>,
}

/// The inverse of a step, element by element.
#[derive(Clone, Debug, PartialEq)]
enum Undo {
    /// `x * scale + center`
    Affine {
        center: Vec<f64>,
        scale: Vec<f64>,
    },
    Exp,
    Expm1,
}

impl Head {
    pub fn new(answer: &Answer, fitted: &[FittedColumn]) -> Head {
        let label =
            answer.label.as_ref().and_then(|label| fitted.iter().find(|column| column.name == *label));
        let steps = label.filter(|column| !column.joined).and_then(|column| column.fields.first());
        let undo = match answer.kind {
            AnswerKind::Numbers => steps.and_then(|field| undo(&field.steps)).unwrap_or_default(),
            AnswerKind::Classes | AnswerKind::Binary => Vec::new(),
        };
        Head {
            output: answer.name.clone(),
            name: answer.name.clone(),
            kind: answer.kind,
            width: 0,
            classes: label.and_then(FittedColumn::id_names).unwrap_or_default(),
            undo,
        }
    }

    /// What its program says.
    pub fn has_width(&mut self, width: usize) {
        self.width = width;
        let classes = if self.kind == AnswerKind::Binary { 2 } else { width };
        if self.classes.len() != classes {
            self.classes = (0..classes).map(|id| id.to_string()).collect();
        }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether it has probabilities.
    pub fn has_shares(&self) -> bool {
        match self.kind {
            AnswerKind::Classes | AnswerKind::Binary => true,
            AnswerKind::Numbers => false,
        }
    }

    /// `income` and `prob.<=50K`, which says `prob.income.<=50K` beside other answers with probabilities; of
    /// numbers `price`, or `price.0` and so on if there are several.
    pub fn columns(&self, several: bool) -> Vec<OutColumn> {
        let column = |name: String, kind| OutColumn { name, kind };
        if self.has_shares() {
            let of = if several { format!("{}.", self.name) } else { String::new() };
            let share = |class: &String| column(format!("prob.{of}{class}"), Kind::F32);
            let answer = column(self.name.clone(), Kind::Text);
            return std::iter::once(answer).chain(self.classes.iter().map(share)).collect();
        }
        match self.width {
            1 => vec![column(self.name.clone(), Kind::F32)],
            width => (0..width).map(|i| column(format!("{}.{i}", self.name), Kind::F32)).collect(),
        }
    }

    /// The values of its columns, of the numbers of all rows.
    pub fn values(&self, numbers: &[f32]) -> Vec<OutValues> {
        let rows = numbers.chunks_exact(self.width.max(1));
        match self.kind {
            AnswerKind::Classes => self.shares(rows.map(|row| (largest(row), softmax(row))).collect()),
            AnswerKind::Binary => self.shares(rows.map(|row| sigmoid(row[0])).collect()),
            AnswerKind::Numbers => (0..self.width)
                .map(|i| OutValues::F32(rows.clone().map(|row| self.undone(i, row[i]) as f32).collect()))
                .collect(),
        }
    }

    /// Of each row the class and the probabilities.
    fn shares(&self, rows: Vec<(usize, Vec<f64>)>) -> Vec<OutValues> {
        // Scores that are no numbers answer no class.
        let names = rows.iter().map(|(class, _)| self.classes.get(*class).cloned()).collect();
        let of = |class: usize| OutValues::F32(rows.iter().map(|(_, shares)| shares[class] as f32).collect());
        std::iter::once(OutValues::Text(names)).chain((0..self.classes.len()).map(of)).collect()
    }

    fn undone(&self, element: usize, x: f32) -> f64 {
        let undo = |x: f64, undo: &Undo| match undo {
            Undo::Affine { center, scale } => {
                x * scale[element % scale.len()] + center[element % center.len()]
            }
            Undo::Exp => libm::exp(x),
            Undo::Expm1 => libm::expm1(x),
        };
        self.undo.iter().fold(f64::from(x), undo)
    }
}

/// The inverse of a chain, last step first; none where a step forgets.
fn undo(steps: &[Fitted]) -> Option<Vec<Undo>> {
    let mut all = Vec::new();
    for step in steps.iter().rev() {
        match step {
            // What was clipped or filled in stays so.
            Fitted::AsIs
            | Fitted::Float
            | Fitted::Int
            | Fitted::Clip { .. }
            | Fitted::ImputeNumber { .. }
            | Fitted::ImputeText { .. }
            | Fitted::Windows(_) => {}
            Fitted::Standardize { mean, std } => all.push(affine(mean, std.clone())),
            Fitted::Minmax { min, max } => {
                all.push(affine(min, max.iter().zip(min).map(|(max, min)| max - min).collect()));
            }
            Fitted::Robust { center, scale } => all.push(affine(center, scale.clone())),
            Fitted::Log => all.push(Undo::Exp),
            Fitted::Log1p => all.push(Undo::Expm1),
            Fitted::Quantile { .. }
            | Fitted::Bins { .. }
            | Fitted::OneHot(_)
            | Fitted::Category(_)
            | Fitted::Hashed { .. }
            | Fitted::Date { .. }
            | Fitted::ClassCount { .. }
            | Fitted::ClassNames { .. }
            | Fitted::Shares { .. }
            | Fitted::Lowercase
            | Fitted::Words(_)
            | Fitted::Chars(_)
            | Fitted::Bpe { .. }
            | Fitted::Pad { .. } => return None,
        }
    }
    Some(all)
}

/// A scale of 0 was taken for 1.
fn affine(center: &[f64], scale: Vec<f64>) -> Undo {
    let scale = scale.into_iter().map(|s| if s == 0.0 { 1.0 } else { s }).collect();
    Undo::Affine { center: center.to_vec(), scale }
}

/// Where the largest stands, of equals the first, as metrics have it; behind the last if one is no number.
fn largest(row: &[f32]) -> usize {
    if row.iter().any(|x| x.is_nan()) {
        return row.len();
    }
    (0..row.len()).reduce(|best, i| if row[i] > row[best] { i } else { best }).unwrap_or(0)
}

fn softmax(row: &[f32]) -> Vec<f64> {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shares: Vec<f64> = row.iter().map(|x| libm::exp(f64::from(*x) - f64::from(most))).collect();
    let all: f64 = shares.iter().sum();
    shares.into_iter().map(|share| share / all).collect()
}

/// A logit above 0 answers the second class.
fn sigmoid(logit: f32) -> (usize, Vec<f64>) {
    if logit.is_nan() {
        return (2, vec![f64::NAN; 2]);
    }
    let share = |x: f64| 1.0 / (1.0 + libm::exp(-x));
    let x = f64::from(logit);
    (usize::from(logit > 0.0), vec![share(-x), share(x)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_of_a_chain_goes_backwards() {
        let steps = [
            Fitted::ImputeNumber { values: vec![1.0] },
            Fitted::Log1p,
            Fitted::Standardize { mean: vec![2.0], std: vec![0.5] },
        ];
        assert_eq!(
            undo(&steps),
            Some(vec![Undo::Affine { center: vec![2.0], scale: vec![0.5] }, Undo::Expm1])
        );
        assert_eq!(undo(&[Fitted::Minmax { min: vec![3.0], max: vec![3.0] }]), {
            Some(vec![Undo::Affine { center: vec![3.0], scale: vec![1.0] }])
        });
        assert_eq!(undo(&[Fitted::ClassCount { count: 2 }]), None);
    }

    #[test]
    fn answers_are_those_of_metrics() {
        assert_eq!(largest(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(largest(&[1.0, f32::NAN]), 2);
        assert_eq!(sigmoid(0.0), (0, vec![0.5, 0.5]));
        assert_eq!(sigmoid(800.0), (1, vec![0.0, 1.0]));
        let shares = softmax(&[1000.0, 1000.0, -1000.0]);
        assert_eq!(shares, [0.5, 0.5, 0.0]);
    }
}
