//! What sums over batches become: one number for all rows, in `f64`.

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
    count: f64,
    /// Of all but [`Finish::Explained`].
    sums: Vec<f64>,
    /// One for each target of [`Finish::Explained`].
    targets: Vec<Target>,
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
    pub fn new(finish: Finish) -> Tally {
        Tally { finish, count: 0.0, sums: Vec::new(), targets: Vec::new() }
    }

    /// Adds the numbers of a batch, part after part, and how many elements they are of.
    pub fn add(&mut self, parts: &[f32], count: f64) {
        match self.finish {
            Finish::Mean | Finish::Root | Finish::Exp | Finish::Rate(..) => {
                self.sums.resize(parts.len(), 0.0);
                self.sums.iter_mut().zip(parts).for_each(|(sum, x)| *sum += f64::from(*x));
            }
            Finish::Explained => self.explain(parts, count),
        }
        self.count += count;
    }

    /// Joins two sets of rows (Chan, Golub and LeVeque, 1979).
    fn explain(&mut self, parts: &[f32], count: f64) {
        let targets = parts.len() / 4;
        self.targets.resize(targets, Target::default());
        let part = |which: usize, target: usize| f64::from(parts[which * targets + target]);
        let all = self.count + count;
        for (i, target) in self.targets.iter_mut().enumerate() {
            let apart = part(1, i) + part(2, i) / count - target.mean;
            target.residual += part(0, i);
            target.squares += part(3, i) + apart * apart * self.count * count / all;
            target.mean += apart * count / all;
        }
    }

    /// The metric of all that was added.
    pub fn value(&self) -> f64 {
        let mean = || self.sums.iter().sum::<f64>() / self.count;
        match self.finish {
            Finish::Mean => mean(),
            Finish::Root => mean().sqrt(),
            Finish::Exp => mean().exp(),
            Finish::Rate(rate, average) => averaged(rate, average, &self.classes(average)),
            Finish::Explained => {
                self.targets.iter().map(Target::explained).sum::<f64>() / self.targets.len() as f64
            }
        }
    }

    /// The outcomes of each class that is asked for.
    fn classes(&self, average: Average) -> Vec<Outcomes> {
        let classes = self.sums.len() / 3;
        let of = |i: usize| Outcomes {
            hits: self.sums[i],
            called: self.sums[classes + i],
            actual: self.sums[2 * classes + i],
        };
        match (classes, average) {
            (1, Average::Macro | Average::Micro | Average::Weighted) => vec![of(0).others(self.count), of(0)],
            (_, Average::Positive | Average::Macro | Average::Micro | Average::Weighted) => {
                (0..classes).map(of).collect()
            }
        }
    }
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
