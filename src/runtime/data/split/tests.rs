//! Divisions by example, and what must hold of every one, on random rows and beside scikit-learn's.

use super::*;
use crate::base::Span;
use mlc_kernels::rng;

fn plan(train: Amount, valid: Amount, test: Amount) -> SplitPlan {
    SplitPlan { train, valid, test, seed: 7, ..SplitPlan::whole(Span::default()) }
}

fn folds(kfold: usize) -> SplitPlan {
    SplitPlan { kfold: Some(kfold), ..plan(Amount::Rest, Amount::Nothing, Amount::Nothing) }
}

fn rows(rows: usize) -> Facts {
    Facts { rows, ..Facts::default() }
}

fn codes(of: Vec<u32>) -> Option<Codes> {
    let kinds = of.iter().max().map_or(0, |c| c + 1);
    Some(Codes { of, names: (0..kinds).map(|c| c.to_string()).collect() })
}

/// As many rows of 0, 1, … as `counts` says, shuffled.
fn mixed(counts: &[usize], seed: u64) -> Vec<u32> {
    let mut all: Vec<u32> = counts.iter().enumerate().flat_map(|(code, n)| vec![code as u32; *n]).collect();
    rng::shuffle(rng::key(seed, "mixed"), 0, &mut all);
    all
}

/// Random numbers below a bound, one after the other.
struct Draws(u64, u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.1 += 1;
        (f64::from(rng::uniform(rng::key(self.0, "draws"), 0, self.1)) * bound as f64) as usize
    }
}

fn count(rows: &[u32], of: &[u32], kinds: usize) -> Vec<usize> {
    (0..kinds as u32).map(|c| rows.iter().filter(|r| of[**r as usize] == c).count()).collect()
}

/// The parts of every fold; each row is tested once and never by what it trained.
fn all_folds(plan: &SplitPlan, facts: &Facts) -> Vec<Parts> {
    let folds = plan.kfold.expect("a plan with folds");
    let all: Vec<Parts> = (0..folds)
        .map(|fold| part(&SplitPlan { fold: Some(fold), ..plan.clone() }, facts).unwrap())
        .collect();
    for parts in &all {
        let mut together = [parts.train.clone(), parts.valid.clone(), parts.test.clone()].concat();
        together.sort_unstable();
        let before = together.len();
        together.dedup();
        assert_eq!(together.len(), before, "no row is in two parts");
    }
    all
}

fn tested_once(all: &[Parts], rows: usize) {
    let mut tested: Vec<u32> = all.iter().flat_map(|p| p.test.clone()).collect();
    tested.sort_unstable();
    assert_eq!(tested, (0..rows as u32).collect::<Vec<_>>());
}

#[test]
fn amounts_become_rows() {
    use Amount::*;
    let of = |a, b, c, n| sizes([a, b, c], n);
    assert_eq!(of(Rows(55), Rows(5), Nothing, 70), Ok([55, 5, 0]));
    assert_eq!(of(Percent(70.0), Percent(10.0), Percent(20.0), 150), Ok([105, 15, 30]));
    assert_eq!(of(Percent(70.0), Percent(10.0), Percent(20.0), 11), Ok([8, 1, 2]));
    assert_eq!(of(Rest, Percent(20.0), Nothing, 11), Ok([9, 2, 0]));
    assert_eq!(of(Percent(50.0), Nothing, Nothing, 10), Ok([5, 0, 0]));
    assert_eq!(of(Rows(8), Rows(5), Nothing, 10).unwrap_err(), "the parts take 13 rows, the source has 10");
    assert_eq!(of(Percent(70.0), Percent(40.0), Nothing, 10).unwrap_err(), "the parts take 110% of the rows");
    assert_eq!(of(Rest, Percent(1.0), Nothing, 10).unwrap_err(), "`valid` gets no row of the 10");
    assert_eq!(of(Rest, Rows(10), Nothing, 10).unwrap_err(), "no row of the 10 is left for training");
}

#[test]
fn every_row_is_dealt_once_and_the_seed_decides() {
    let plan = plan(Amount::Rest, Amount::Rows(20), Amount::Rows(30));
    let parts = part(&plan, &rows(100)).unwrap();
    let mut all = [parts.train.clone(), parts.valid.clone(), parts.test.clone()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
    assert!(parts.train.is_sorted() && parts.valid.is_sorted());
    assert_ne!(parts.valid, (50..70).collect::<Vec<_>>());
    assert_eq!(part(&plan, &rows(100)), Ok(parts.clone()));
    let other = SplitPlan { seed: 8, ..plan };
    assert_ne!(part(&other, &rows(100)), Ok(parts));
}

#[test]
fn ordered_parts_are_runs_of_the_file() {
    let plan = SplitPlan { order: RowOrder::File, ..plan(Amount::Rows(3), Amount::Rows(2), Amount::Rows(1)) };
    let parts = part(&plan, &rows(7)).unwrap();
    assert_eq!((parts.train, parts.valid, parts.test), (vec![0, 1, 2], vec![3, 4], vec![5]));
}

#[test]
fn parts_in_order_of_time() {
    let time = RowOrder::Time("t".into());
    let plan = SplitPlan { order: time, ..plan(Amount::Rest, Amount::Rows(2), Amount::Rows(1)) };
    // Times 9 1 5 5 3.
    let facts = Facts { by_time: Some(vec![1, 4, 2, 3, 0]), ..rows(5) };
    let parts = part(&plan, &facts).unwrap();
    assert_eq!((parts.train, parts.valid, parts.test), (vec![1, 4], vec![2, 3], vec![0]));
}

#[test]
fn stratified_parts_keep_the_shares() {
    // 60 of class 0, 30 of class 1, 11 of class 2.
    let classes: Vec<u32> = (0..101).map(|r| if r < 60 { 0 } else { u32::from(r >= 90) + 1 }).collect();
    let facts = Facts { strata: codes(classes.clone()), ..rows(101) };
    let parts = part(&plan(Amount::Rest, Amount::Rows(10), Amount::Rows(20)), &facts).unwrap();
    assert_eq!(count(&parts.valid, &classes, 3), [6, 3, 1]);
    assert_eq!(count(&parts.test, &classes, 3), [12, 6, 2]);
    assert_eq!(count(&parts.train, &classes, 3), [42, 21, 8]);
}

#[test]
fn what_cannot_be_is_refused() {
    let why = |plan: &SplitPlan, facts: &Facts| part(plan, facts).unwrap_err().why;
    let thirds = plan(Amount::Rest, Amount::Percent(30.0), Amount::Percent(30.0));
    let two_groups = Facts { groups: codes(vec![0, 0, 0, 1, 1, 1]), ..rows(6) };
    assert_eq!(why(&thirds, &two_groups), "2 groups of rows cannot fill 3 parts");
    assert_eq!(why(&folds(3), &two_groups), "2 groups of rows cannot fill 3 parts");
    let lone = Facts { strata: codes(vec![0, 0, 1, 0, 0, 0]), ..rows(6) };
    assert_eq!(why(&thirds, &lone), "the class `1` has one row alone, which cannot be shared out");
    assert_eq!(why(&folds(7), &rows(6)), "7 folds need at least 7 rows, and there are 6");
    let forward = SplitPlan { order: RowOrder::File, ..folds(6) };
    assert_eq!(why(&forward, &rows(6)), "6 folds need at least 7 rows, and there are 6");
}

#[test]
fn validation_rows_are_a_share_of_each_fold_s_training_rows() {
    let classes = mixed(&[60, 40], 1);
    let facts = Facts { strata: codes(classes.clone()), ..rows(100) };
    let plan = SplitPlan { valid: Amount::Percent(10.0), ..folds(5) };
    let all = all_folds(&plan, &facts);
    tested_once(&all, 100);
    for parts in &all {
        assert_eq!((parts.train.len(), parts.valid.len(), parts.test.len()), (72, 8, 20));
        assert_eq!(count(&parts.test, &classes, 2), [12, 8]);
        assert!(count(&parts.valid, &classes, 2)[0].abs_diff(5) <= 1);
    }
    assert_ne!(all[0].valid, all[1].valid);
}

/// On random rows: groups stay whole, no part is empty, and sizes are off by less than the largest group.
#[test]
fn groups_stay_whole_in_a_thousand_random_cases() {
    for case in 0..1000 {
        let mut draws = Draws(case, 0);
        let sizes: Vec<usize> = (0..3 + draws.below(20)).map(|_| 1 + draws.below(9)).collect();
        let groups = mixed(&sizes, case);
        let total = groups.len();
        let strata = (case % 2 == 0).then(|| codes((0..total).map(|r| (r % 2) as u32).collect())).flatten();
        let facts = Facts { groups: codes(groups.clone()), strata, ..rows(total) };
        let percent = [40.0, 30.0, 30.0].map(Amount::Percent);
        let plan = SplitPlan { seed: case, ..plan(percent[0], percent[1], percent[2]) };
        let parts = part(&plan, &facts).unwrap();
        let of = |rows: &[u32]| {
            rows.iter().map(|r| groups[*r as usize]).collect::<std::collections::BTreeSet<_>>()
        };
        let [train, valid, test] = [&parts.train, &parts.valid, &parts.test].map(|p| of(p));
        assert!(train.is_disjoint(&valid) && train.is_disjoint(&test) && valid.is_disjoint(&test), "{case}");
        assert!(!train.is_empty() && !valid.is_empty() && !test.is_empty(), "{case}");
        assert_eq!(parts.train.len() + parts.valid.len() + parts.test.len(), total, "{case}");
        if sizes.len() > 8 && facts.strata.is_none() {
            let largest = *sizes.iter().max().unwrap();
            assert!(parts.train.len().abs_diff(total * 4 / 10) <= largest, "{case}");
        }
    }
}

/// Times with ties: no row of a later part is before one of an earlier part.
#[test]
fn time_never_runs_backwards_in_a_thousand_random_cases() {
    for case in 0..1000 {
        let mut draws = Draws(case, 0);
        let total = 30 + draws.below(40);
        let times: Vec<usize> = (0..total).map(|_| draws.below(12)).collect();
        let mut by_time: Vec<u32> = (0..total as u32).collect();
        by_time.sort_by_key(|r| times[*r as usize]);
        let facts = Facts { by_time: Some(by_time), ..rows(total) };
        let time = RowOrder::Time("t".into());
        let thirds = plan(Amount::Rest, Amount::Percent(20.0), Amount::Percent(30.0));
        let one = part(&SplitPlan { order: time.clone(), ..thirds }, &facts).unwrap();
        let valid = Amount::Percent(20.0);
        let mut all = all_folds(&SplitPlan { order: time, valid, ..folds(2 + draws.below(3)) }, &facts);
        all.push(one);
        for parts in all {
            let of = |rows: &[u32]| rows.iter().map(|r| times[*r as usize]).collect::<Vec<_>>();
            let [train, valid, test] = [&parts.train, &parts.valid, &parts.test].map(|p| of(p));
            assert!(
                train.iter().max() <= valid.iter().min() && valid.iter().max() <= test.iter().min(),
                "{case}"
            );
        }
    }
}

/// What `tests/goldens/splits.py` wrote.
fn goldens(splitter: &str) -> Vec<serde_json::Value> {
    let text = include_str!("../../../../tests/goldens/splits.json");
    let all: serde_json::Value = serde_json::from_str(text).unwrap();
    all[splitter].as_array().unwrap().clone()
}

fn numbers(value: &serde_json::Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

#[test]
fn classes_are_spread_as_by_stratified_kfold() {
    for (case, golden) in goldens("stratified").iter().enumerate() {
        let counts = numbers(&golden["classes"]);
        let classes = mixed(&counts, case as u64);
        let facts = Facts { strata: codes(classes.clone()), ..rows(classes.len()) };
        let all = all_folds(&folds(golden["k"].as_u64().unwrap() as usize), &facts);
        tested_once(&all, classes.len());
        let got: Vec<Vec<usize>> = all.iter().map(|p| count(&p.test, &classes, counts.len())).collect();
        let want: Vec<Vec<usize>> = golden["folds"].as_array().unwrap().iter().map(numbers).collect();
        assert_eq!(got, want, "case {case}");
    }
}

#[test]
fn folds_of_groups_have_the_sizes_of_group_kfold() {
    for (case, golden) in goldens("grouped").iter().enumerate() {
        let groups = mixed(&numbers(&golden["groups"]), case as u64);
        let facts = Facts { groups: codes(groups.clone()), ..rows(groups.len()) };
        let all = all_folds(&folds(golden["k"].as_u64().unwrap() as usize), &facts);
        tested_once(&all, groups.len());
        for parts in &all {
            let of_test = count(&parts.test, &groups, 20);
            let of_train = count(&parts.train, &groups, 20);
            assert!(of_test.iter().zip(&of_train).all(|(a, b)| *a == 0 || *b == 0), "case {case}");
        }
        let mut got: Vec<usize> = all.iter().map(|p| p.test.len()).collect();
        got.sort_unstable();
        assert_eq!(got, numbers(&golden["folds"]), "case {case}");
    }
}

#[test]
fn folds_in_order_have_the_ends_of_time_series_split() {
    for (case, golden) in goldens("forward").iter().enumerate() {
        let total = golden["rows"].as_u64().unwrap() as usize;
        let plan = SplitPlan { order: RowOrder::File, ..folds(golden["k"].as_u64().unwrap() as usize) };
        let all = all_folds(&plan, &rows(total));
        for (parts, want) in all.iter().zip(golden["folds"].as_array().unwrap()) {
            let [trained, from, to] = numbers(want).try_into().unwrap();
            assert_eq!(parts.train, (0..trained as u32).collect::<Vec<_>>(), "case {case}");
            assert_eq!(parts.test, (from as u32..to as u32).collect::<Vec<_>>(), "case {case}");
        }
    }
}
