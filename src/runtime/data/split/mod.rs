//! Which rows are for training, validation and testing.
//!
//! Rows are drawn by a permutation of the split's own seed, or taken in file order or order of time; each
//! part then keeps its rows in file order. What holds of every division:
//!
//! - `stratify`: every class keeps its share of every part, by largest remainder; with folds, the rows of a
//!   class in two folds differ by one at most.
//! - `group`: all rows with one value of the column are in one part. Groups are placed from the largest to
//!   the smallest where most rows are still wanted, so sizes are as near as that gets; no part stays empty.
//! - `ordered`, `time`: no row of a later part stands before one of an earlier part.
//! - `kfold = k`: every row is in the test part of exactly one fold. With an order, folds go forward: the
//!   rows are cut into k + 1 runs, and fold i is tested on the run behind what it trains on.

mod deal;
mod facts;
mod groups;

pub use facts::{Codes, Facts};

use crate::sema::job::{Amount, RowOrder, SplitPlan};

/// Row numbers of the parts, each increasing. Rows that no part asked for are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub train: Vec<u32>,
    pub valid: Vec<u32>,
    pub test: Vec<u32>,
}

/// Why rows cannot be parted so, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub why: String,
    pub help: String,
}

impl Refusal {
    fn new(why: impl Into<String>, help: impl Into<String>) -> Refusal {
        Refusal { why: why.into(), help: help.into() }
    }
}

/// Parts the rows; of a plan with folds, those of its `fold`, or the first.
pub fn part(plan: &SplitPlan, facts: &Facts) -> Result<Parts, Refusal> {
    let all: Vec<u32> = (0..facts.rows as u32).collect();
    if let Some(strata) = &facts.strata {
        no_lone_class(strata)?;
    }
    let Some(folds) = plan.kfold else {
        return divide(plan, facts, all, [plan.train, plan.valid, plan.test], 0);
    };
    let tested = plan.fold.unwrap_or(0);
    let (rest, test) = fold(plan, facts, &all, folds, tested)?;
    // Another draw than that of the folds: else `valid` would be of the neighbouring ones.
    let draw = tested as u64 + 1;
    let parts = divide(plan, facts, rest, [Amount::Rest, plan.valid, Amount::Nothing], draw)?;
    Ok(Parts { test, ..parts })
}

/// A class of one row can be in one part only, so its shares cannot be kept.
fn no_lone_class(strata: &Codes) -> Result<(), Refusal> {
    let counts = strata.counts();
    match counts.iter().position(|n| *n == 1) {
        None => Ok(()),
        Some(lone) => Err(Refusal::new(
            format!("the class `{}` has one row alone, which cannot be shared out", strata.names[lone]),
            "remove the row, join the class with another, or take `stratify` out",
        )),
    }
}

/// Shares the rows, which are in file order, among train, valid and test. `draw` tells shuffles apart.
fn divide(
    plan: &SplitPlan,
    facts: &Facts,
    rows: Vec<u32>,
    amounts: [Amount; 3],
    draw: u64,
) -> Result<Parts, Refusal> {
    let sizes = sizes(amounts, rows.len())
        .map_err(|why| Refusal::new(why, "give the parts fewer rows, or percentages"))?;
    let part_of = match &facts.groups {
        Some(groups) => {
            let order = deal::shuffled(plan.seed, draw, &rows);
            let wanted = groups::wants(amounts, sizes, rows.len());
            groups::place(&order, groups, facts.strata.as_ref(), &wanted)?
        }
        None => match &plan.order {
            RowOrder::Shuffled => {
                let order = deal::shuffled(plan.seed, draw, &rows);
                match &facts.strata {
                    None => deal::in_runs(&order, sizes),
                    Some(strata) => deal::stratified(&order, sizes, &strata.of),
                }
            }
            RowOrder::File | RowOrder::Time(_) => deal::in_runs(&facts.in_time(&rows), sizes),
        },
    };
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    let mut placed = part_of;
    placed.sort_unstable();
    for (row, part) in placed {
        if let Some(part) = parts.get_mut(part) {
            part.push(row);
        }
    }
    let [train, valid, test] = parts;
    Ok(Parts { train, valid, test })
}

/// The rows that a fold trains on and those that it is tested on, both in file order.
fn fold(
    plan: &SplitPlan,
    facts: &Facts,
    rows: &[u32],
    folds: usize,
    tested: usize,
) -> Result<(Vec<u32>, Vec<u32>), Refusal> {
    let at_least = match plan.order {
        RowOrder::Shuffled => folds,
        RowOrder::File | RowOrder::Time(_) => folds + 1,
    };
    if rows.len() < at_least {
        let why = format!("{folds} folds need at least {at_least} rows, and there are {}", rows.len());
        return Err(Refusal::new(why, "choose fewer folds"));
    }
    let fold_of = match (&facts.groups, &plan.order) {
        (Some(groups), _) => {
            let order = deal::shuffled(plan.seed, 0, rows);
            groups::place(&order, groups, facts.strata.as_ref(), &groups::even(folds))?
        }
        (None, RowOrder::Shuffled) => {
            let order = deal::shuffled(plan.seed, 0, rows);
            deal::round_robin(&order, facts.strata.as_ref().map(|s| s.of.as_slice()), folds)
        }
        (None, RowOrder::File | RowOrder::Time(_)) => {
            let (mut before, mut run) = deal::forward(&facts.in_time(rows), tested, folds);
            before.sort_unstable();
            run.sort_unstable();
            return Ok((before, run));
        }
    };
    let (mut rest, mut test) = (Vec::new(), Vec::new());
    for (row, fold) in fold_of {
        if fold == tested { test.push(row) } else { rest.push(row) }
    }
    rest.sort_unstable();
    test.sort_unstable();
    Ok((rest, test))
}

/// How many of so many rows are for training, where that rests on their number alone.
pub fn train_rows(plan: &SplitPlan, rows: usize) -> Option<usize> {
    let alone = plan.stratify.is_none() && plan.group.is_none() && plan.kfold.is_none();
    let amounts = [plan.train, plan.valid, plan.test];
    alone.then(|| sizes(amounts, rows).ok()).flatten().map(|[train, ..]| train)
}

/// How many rows each part gets, in the order train, valid, test; or why that cannot be.
fn sizes(amounts: [Amount; 3], rows: usize) -> Result<[usize; 3], String> {
    let percent = |a: &Amount| match a {
        Amount::Percent(p) => *p,
        Amount::Nothing | Amount::Rows(_) | Amount::Rest => 0.0,
    };
    let total: f64 = amounts.iter().map(percent).sum();
    if total > 100.0 + 1e-9 {
        return Err(format!("the parts take {total}% of the rows"));
    }
    let shares: Vec<f64> = amounts.iter().map(percent).chain([100.0 - total.min(100.0)]).collect();
    let by_percent = apportion(&shares, rows);
    let mut sizes = [0; 3];
    for (size, (amount, by_percent)) in sizes.iter_mut().zip(amounts.iter().zip(&by_percent)) {
        *size = match amount {
            Amount::Nothing | Amount::Rest => 0,
            Amount::Rows(n) => *n,
            Amount::Percent(_) => *by_percent,
        };
    }
    let taken: usize = sizes.iter().fold(0, |n, s| n.saturating_add(*s));
    if taken > rows {
        return Err(format!("the parts take {taken} rows, the source has {rows}"));
    }
    if let Some(rest) = amounts.iter().position(|a| *a == Amount::Rest) {
        sizes[rest] = rows - taken;
    }
    if sizes[0] == 0 {
        return Err(format!("no row of the {rows} is left for training"));
    }
    for (name, (size, amount)) in ["train", "valid", "test"].iter().zip(sizes.iter().zip(&amounts)) {
        if *size == 0 && *amount != Amount::Nothing {
            return Err(format!("`{name}` gets no row of the {rows}"));
        }
    }
    Ok(sizes)
}

/// Whole numbers in proportion to `shares` that add up to `total`: the largest remainders are
/// rounded up, the earlier one first among equals.
pub fn apportion(shares: &[f64], total: usize) -> Vec<usize> {
    let sum: f64 = shares.iter().sum();
    let quotas: Vec<f64> = shares.iter().map(|s| s / sum * total as f64).collect();
    // A quota that is whole but for rounding counts as whole.
    let mut whole: Vec<usize> = quotas.iter().map(|q| (q + 1e-9).floor() as usize).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    let rest = |i: &usize| quotas[*i] - whole[*i] as f64;
    order.sort_by(|a, b| rest(b).total_cmp(&rest(a)).then(a.cmp(b)));
    let mut left = total.saturating_sub(whole.iter().sum());
    for i in order.into_iter().cycle().filter(|i| shares[*i] > 0.0) {
        if left == 0 {
            break;
        }
        whole[i] += 1;
        left -= 1;
    }
    whole
}

#[cfg(test)]
mod tests;
