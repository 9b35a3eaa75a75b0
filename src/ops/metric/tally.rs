//! What batches leave becomes one figure for all rows, in `f64`.

use super::curve::{self, Curve};
use super::figure::{Confusion, Figure};

/// How sums become a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The sum of scores over their count.
    Mean,
    /// Its square root: `rmse` averages squares.
    Root,
    /// e to its power.
    Exp,
    /// Of hits, answers and labels by class. Three numbers alone are those of the positive class of two.
    Rate(Rate, Average),
    /// 1 - residual squares / squares around the mean; of residual squares, first target, sum of
    /// targets less the first, squares around the batch's mean, each by target.
    Explained,
    /// Of the scores of all elements, by class if there are several, and what each element is.
    Area(Curve),
    /// Of what all elements were called, and what each is.
    Confusion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    Precision,
    Recall,
    F1,
}

/// How rates of classes become one, as `sklearn.metrics` has them with `zero_division=0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The second of two classes alone: `average="binary"`.
    Positive,
    /// The mean over classes that are among labels or answers.
    Macro,
    /// The rate of all rows together.
    Micro,
    /// The mean over all rows of their class's rate.
    Weighted,
}

/// A metric under way.
#[derive(Clone, Debug)]
pub struct Tally {
    finish: Finish,
    /// As a [`Score`](super::Score) says.
    classes: usize,
    /// Whether the last number that is added says of how many elements the others are.
    counted: bool,
    count: f64,
    so_far: SoFar,
}

/// What was seen of the batches so far.
#[derive(Clone, Debug)]
enum SoFar {
    Sums(Vec<f64>),
    /// One for each target of [`Finish::Explained`].
    Targets(Vec<Target>),
    /// Scores of all elements, and what they are.
    Scores {
        scores: Vec<f32>,
        actual: Vec<f32>,
    },
    /// Rows by what they are and what they were called.
    Counts(Vec<Vec<u64>>),
}

/// A target of `r2`, so far.
#[derive(Clone, Copy, Debug, Default)]
struct Target {
    residual: f64,
    mean: f64,
    /// Squares around the mean.
    squares: f64,
}

impl Tally {
    pub fn new(finish: Finish, classes: usize) -> Tally {
        let so_far = match finish {
            Finish::Mean | Finish::Root | Finish::Exp | Finish::Rate(..) => SoFar::Sums(Vec::new()),
            Finish::Explained => SoFar::Targets(Vec::new()),
            Finish::Area(_) => SoFar::Scores { scores: Vec::new(), actual: Vec::new() },
            Finish::Confusion => SoFar::Counts(vec![vec![0; classes]; classes]),
        };
        Tally { finish, classes, counted: false, count: 0.0, so_far }
    }

    /// The same, told with each batch how many of its elements count.
    pub fn counted(self, counted: bool) -> Tally {
        Tally { counted, ..self }
    }

    /// Makes room for so many elements, so that adding them takes no more memory.
    pub fn reserve(&mut self, elements: usize) {
        if let SoFar::Scores { scores, actual } = &mut self.so_far {
            scores.reserve_exact(elements * self.classes);
            actual.reserve_exact(elements);
        }
    }

    /// Adds the numbers of a batch, part after part, and how many elements they are of.
    pub fn add(&mut self, parts: &[f32], count: f64) {
        let (parts, count) = match parts.split_last() {
            Some((count, parts)) if self.counted => (parts, f64::from(*count)),
            Some(_) | None => (parts, count),
        };
        match &mut self.so_far {
            SoFar::Sums(sums) => {
                sums.resize(parts.len(), 0.0);
                sums.iter_mut().zip(parts).for_each(|(sum, x)| *sum += f64::from(*x));
            }
            SoFar::Targets(targets) => explain(targets, self.count, parts, count),
            SoFar::Scores { scores, actual } => {
                let (of_classes, what) = parts.split_at(parts.len() - parts.len() / (self.classes + 1));
                scores.extend_from_slice(of_classes);
                actual.extend_from_slice(what);
            }
            SoFar::Counts(counts) => {
                let (answers, actual) = parts.split_at(parts.len() / 2);
                answers.iter().zip(actual).for_each(|pair| tell(counts, self.classes, pair));
            }
        }
        self.count += count;
    }

    /// The metric of all that was added; of nothing at all it is not defined.
    pub fn figure(self) -> Figure {
        let Tally { finish, classes, counted: _, count, so_far } = self;
        let mean = |sums: &[f64]| sums.iter().sum::<f64>() / count;
        let number = match (finish, so_far) {
            (Finish::Confusion, SoFar::Counts(counts)) => {
                let classes = (0..counts.len()).map(|i| i.to_string()).collect();
                return Figure::Confusion(Confusion { classes, counts });
            }
            _ if count == 0.0 => None,
            (Finish::Mean, SoFar::Sums(sums)) => Some(mean(&sums)),
            (Finish::Root, SoFar::Sums(sums)) => Some(mean(&sums).sqrt()),
            (Finish::Exp, SoFar::Sums(sums)) => Some(mean(&sums).exp()),
            (Finish::Rate(rate, average), SoFar::Sums(sums)) => {
                Some(averaged(rate, average, &outcomes(&sums, average, count)))
            }
            (Finish::Explained, SoFar::Targets(targets)) => {
                Some(targets.iter().map(Target::explained).sum::<f64>() / targets.len() as f64)
            }
            (Finish::Area(curve), SoFar::Scores { scores, actual }) => area(curve, &scores, classes, &actual),
            (
                Finish::Mean
                | Finish::Root
                | Finish::Exp
                | Finish::Rate(..)
                | Finish::Explained
                | Finish::Area(_)
                | Finish::Confusion,
                SoFar::Sums(_) | SoFar::Targets(_) | SoFar::Scores { .. } | SoFar::Counts(_),
            ) => panic!("tally: a finish has what it was made for"),
        };
        Figure::Number(number)
    }
}

/// Joins two sets of rows (Chan, Golub and LeVeque, 1979): those so far, of which there are `before`, and
/// `count` more.
fn explain(all: &mut Vec<Target>, before: f64, parts: &[f32], count: f64) {
    let targets = parts.len() / 4;
    all.resize(targets, Target::default());
    let part = |which: usize, target: usize| f64::from(parts[which * targets + target]);
    let rows = before + count;
    for (i, target) in all.iter_mut().enumerate() {
        let apart = part(1, i) + part(2, i) / count - target.mean;
        target.residual += part(0, i);
        target.squares += part(3, i) + apart * apart * before * count / rows;
        target.mean += apart * count / rows;
    }
}

/// Counts an answer. An answer that is none, of a row whose scores are no numbers, is not counted; where
/// nobody said how many classes there are, the table grows.
fn tell(counts: &mut Vec<Vec<u64>>, classes: usize, (answer, actual): (&f32, &f32)) {
    let (answer, actual) = (*answer as usize, *actual as usize);
    let most = answer.max(actual);
    if most >= counts.len() {
        if classes > 0 {
            return;
        }
        counts.resize(most + 1, Vec::new());
        counts.iter_mut().for_each(|row| row.resize(most + 1, 0));
    }
    counts[actual][answer] += 1;
}

/// The outcomes of each class that is asked for.
fn outcomes(sums: &[f64], average: Average, rows: f64) -> Vec<Outcomes> {
    let classes = sums.len() / 3;
    let of = |i: usize| Outcomes { hits: sums[i], called: sums[classes + i], actual: sums[2 * classes + i] };
    match (classes, average) {
        (1, Average::Macro | Average::Micro | Average::Weighted) => vec![of(0).others(rows), of(0)],
        (_, Average::Positive | Average::Macro | Average::Micro | Average::Weighted) => {
            (0..classes).map(of).collect()
        }
    }
}

/// Of one score, that of the positive class; of two classes, that of the second; of more, the mean of each
/// against all others.
fn area(curve: Curve, scores: &[f32], classes: usize, actual: &[f32]) -> Option<f64> {
    if classes == 1 {
        let mut rows: Vec<(f32, bool)> = scores.iter().zip(actual).map(|(s, a)| (*s, *a > 0.5)).collect();
        return curve::area(curve, &mut rows);
    }
    let odds = curve::odds(scores, classes);
    let of = |class: usize| {
        let is = |a: &f32| *a as usize == class;
        let mut rows: Vec<(f32, bool)> = odds[class].iter().zip(actual).map(|(s, a)| (*s, is(a))).collect();
        curve::area(curve, &mut rows)
    };
    if classes == 2 {
        return of(1);
    }
    let areas: Option<Vec<f64>> = (0..classes).map(of).collect();
    areas.map(|areas| areas.iter().sum::<f64>() / classes as f64)
}

impl Target {
    /// A target that never changes is explained by what meets it, and by nothing else.
    fn explained(&self) -> f64 {
        match (self.squares == 0.0, self.residual == 0.0) {
            (true, true) => 1.0,
            (true, false) if self.residual.is_finite() => 0.0,
            (true, false) | (false, _) => 1.0 - self.residual / self.squares,
        }
    }
}

/// What became of one class.
#[derive(Clone, Copy, Debug)]
struct Outcomes {
    /// Rows of it that were called so.
    hits: f64,
    /// Rows that were called so.
    called: f64,
    /// Rows of it.
    actual: f64,
}

impl Outcomes {
    /// Those of the other class of two.
    fn others(self, rows: f64) -> Outcomes {
        Outcomes {
            hits: rows - self.called - self.actual + self.hits,
            called: rows - self.called,
            actual: rows - self.actual,
        }
    }

    fn rate(self, rate: Rate) -> f64 {
        let (over, under) = match rate {
            Rate::Precision => (self.hits, self.called),
            Rate::Recall => (self.hits, self.actual),
            Rate::F1 => (2.0 * self.hits, self.called + self.actual),
        };
        if under == 0.0 { 0.0 } else { over / under }
    }
}

fn averaged(rate: Rate, average: Average, classes: &[Outcomes]) -> f64 {
    let sum = |f: fn(&Outcomes) -> f64| classes.iter().map(f).sum::<f64>();
    match average {
        Average::Positive | Average::Micro => {
            let all =
                Outcomes { hits: sum(|c| c.hits), called: sum(|c| c.called), actual: sum(|c| c.actual) };
            all.rate(rate)
        }
        Average::Macro => {
            let there = classes.iter().filter(|c| c.called + c.actual > 0.0);
            there.clone().map(|c| c.rate(rate)).sum::<f64>() / there.count().max(1) as f64
        }
        Average::Weighted => {
            let rows = sum(|c| c.actual);
            let weighed: f64 = classes.iter().map(|c| c.rate(rate) * c.actual).sum();
            if rows == 0.0 { 0.0 } else { weighed / rows }
        }
    }
}
