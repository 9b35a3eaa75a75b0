//! Which rows are for training, validation and testing.
//!
//! Rows are drawn by a permutation of their own seed, or taken in file order if `ordered`; each part then
//! keeps its rows in file order. With `stratify` every class keeps its share of every part, by largest remainder.

use crate::sema::job::{Amount, SplitPlan};
use mlc_kernels::rng;

/// Row numbers of the parts, each increasing. Rows that no part asked for are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub train: Vec<u32>,
    pub valid: Vec<u32>,
    pub test: Vec<u32>,
}

/// How many rows each part gets, in the order train, valid, test; or why that cannot be.
pub fn sizes(plan: &SplitPlan, rows: usize) -> Result<[usize; 3], String> {
    let amounts = [plan.train, plan.valid, plan.test];
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

/// Deals the rows out. `classes` holds each row's class if the split is stratified.
pub fn deal(plan: &SplitPlan, sizes: [usize; 3], rows: usize, classes: Option<&[u32]>) -> Parts {
    let mut order: Vec<u32> = (0..rows as u32).collect();
    if !plan.ordered {
        rng::shuffle(rng::key(plan.seed, "split"), 0, &mut order);
    }
    let part_of = match classes {
        None => {
            let ends = [sizes[0], sizes[0] + sizes[1], sizes.iter().sum()];
            let mut part = vec![3u8; rows];
            for (at, row) in order.iter().enumerate() {
                part[*row as usize] = ends.iter().take_while(|end| at >= **end).count() as u8;
            }
            part
        }
        Some(classes) => stratified(&order, sizes, classes),
    };
    let rows_of = |wanted: u8| (0..rows as u32).filter(|r| part_of[*r as usize] == wanted).collect();
    Parts { train: rows_of(0), valid: rows_of(1), test: rows_of(2) }
}

/// The part of each row (3: none), every class sharing in each part as it does in the whole.
fn stratified(order: &[u32], sizes: [usize; 3], classes: &[u32]) -> Vec<u8> {
    let kinds = classes.iter().max().map_or(0, |c| *c as usize + 1);
    let mut left = vec![0usize; kinds];
    classes.iter().for_each(|c| left[*c as usize] += 1);
    // Small parts first: their shares are the hardest to keep.
    let mut parts = [0, 1, 2];
    parts.sort_by_key(|p| sizes[*p]);
    let mut quota = vec![[0usize; 3]; kinds];
    for part in parts {
        let shares: Vec<f64> = left.iter().map(|n| *n as f64).collect();
        if left.iter().sum::<usize>() == 0 {
            break;
        }
        for (class, n) in apportion(&shares, sizes[part]).into_iter().enumerate() {
            quota[class][part] = n;
            left[class] -= n;
        }
    }
    let mut part = vec![3u8; classes.len()];
    for row in order {
        let quota = &mut quota[classes[*row as usize] as usize];
        if let Some(open) = quota.iter().position(|n| *n > 0) {
            quota[open] -= 1;
            part[*row as usize] = open as u8;
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Span;

    fn plan(train: Amount, valid: Amount, test: Amount) -> SplitPlan {
        SplitPlan { train, valid, test, stratify: None, ordered: false, seed: 7, span: Span::default() }
    }

    #[test]
    fn amounts_become_rows() {
        use Amount::*;
        let of = |a, b, c, n| sizes(&plan(a, b, c), n);
        assert_eq!(of(Rows(55), Rows(5), Nothing, 70), Ok([55, 5, 0]));
        assert_eq!(of(Percent(70.0), Percent(10.0), Percent(20.0), 150), Ok([105, 15, 30]));
        assert_eq!(of(Percent(70.0), Percent(10.0), Percent(20.0), 11), Ok([8, 1, 2]));
        assert_eq!(of(Rest, Percent(20.0), Nothing, 11), Ok([9, 2, 0]));
        assert_eq!(of(Percent(50.0), Nothing, Nothing, 10), Ok([5, 0, 0]));
        assert_eq!(
            of(Rows(8), Rows(5), Nothing, 10).unwrap_err(),
            "the parts take 13 rows, the source has 10"
        );
        assert_eq!(
            of(Percent(70.0), Percent(40.0), Nothing, 10).unwrap_err(),
            "the parts take 110% of the rows"
        );
        assert_eq!(of(Rest, Percent(1.0), Nothing, 10).unwrap_err(), "`valid` gets no row of the 10");
        assert_eq!(of(Rest, Rows(10), Nothing, 10).unwrap_err(), "no row of the 10 is left for training");
    }

    #[test]
    fn every_row_is_dealt_once_and_the_seed_decides() {
        let plan = plan(Amount::Rest, Amount::Rows(20), Amount::Rows(30));
        let parts = deal(&plan, [50, 20, 30], 100, None);
        let mut all = [parts.train.clone(), parts.valid.clone(), parts.test.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert!(parts.train.is_sorted() && parts.valid.is_sorted());
        assert_ne!(parts.valid, (50..70).collect::<Vec<_>>());
        assert_eq!(deal(&plan, [50, 20, 30], 100, None), parts);
        let other = SplitPlan { seed: 8, ..plan };
        assert_ne!(deal(&other, [50, 20, 30], 100, None), parts);
    }

    #[test]
    fn ordered_parts_are_runs_of_the_file() {
        let plan = SplitPlan { ordered: true, ..plan(Amount::Rows(3), Amount::Rows(2), Amount::Rows(1)) };
        let parts = deal(&plan, [3, 2, 1], 7, None);
        assert_eq!((parts.train, parts.valid, parts.test), (vec![0, 1, 2], vec![3, 4], vec![5]));
    }

    #[test]
    fn stratified_parts_keep_the_shares() {
        // 60 of class 0, 30 of class 1, 11 of class 2.
        let classes: Vec<u32> = (0..101).map(|r| if r < 60 { 0 } else { u32::from(r >= 90) + 1 }).collect();
        let parts =
            deal(&plan(Amount::Rest, Amount::Rows(10), Amount::Rows(20)), [71, 10, 20], 101, Some(&classes));
        let count = |rows: &[u32]| {
            (0..3).map(|c| rows.iter().filter(|r| classes[**r as usize] == c).count()).collect::<Vec<_>>()
        };
        assert_eq!(count(&parts.valid), [6, 3, 1]);
        assert_eq!(count(&parts.test), [12, 6, 2]);
        assert_eq!(count(&parts.train), [42, 21, 8]);
    }
}
