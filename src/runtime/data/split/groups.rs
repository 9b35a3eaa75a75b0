//! Groups of rows that stay together, placed greedily.
//!
//! Groups go from the largest to the smallest, equal ones in drawn order, each to the part where the squared
//! distance from the wanted number of rows grows least; the earlier part among equals. With equal parts
//! and no classes that is the lightest part, as scikit-learn's `GroupKFold` has it. With classes the distance is
//! summed over them, each over the number of its rows, so that rare ones count.

use super::facts::Codes;
use super::{Amount, Refusal};
use crate::runtime::data::split::deal::Placed;
use std::collections::BTreeMap;

/// What a part wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Want {
    pub part: usize,
    /// Of all rows, 0 to 1.
    pub share: f64,
    /// Whether it may stay empty: what nobody asked for may.
    pub may_be_empty: bool,
}

/// What train, valid and test want, and the rest that is left out.
pub fn wants(amounts: [Amount; 3], sizes: [usize; 3], rows: usize) -> Vec<Want> {
    let named = amounts.iter().zip(sizes).enumerate();
    let mut wants: Vec<Want> = named
        .filter(|(_, (amount, _))| **amount != Amount::Nothing)
        .map(|(part, (_, size))| Want { part, share: size as f64 / rows as f64, may_be_empty: false })
        .collect();
    let rest = rows - sizes.iter().sum::<usize>();
    if rest > 0 {
        wants.push(Want { part: 3, share: rest as f64 / rows as f64, may_be_empty: true });
    }
    wants
}

/// Folds of one size.
pub fn even(folds: usize) -> Vec<Want> {
    (0..folds).map(|part| Want { part, share: 1.0 / folds as f64, may_be_empty: false }).collect()
}

/// A group: its number, its rows, and how many of them are of each class.
struct Group {
    code: u32,
    rows: usize,
    classes: Vec<(u32, usize)>,
}

/// The part of each row of `order`. Codes are by row number.
pub fn place(
    order: &[u32],
    groups: &Codes,
    strata: Option<&Codes>,
    wants: &[Want],
) -> Result<Placed, Refusal> {
    let mut all = gathered(order, groups, strata);
    let needed = wants.iter().filter(|w| !w.may_be_empty).count();
    if all.len() < needed {
        let (has, s) = (all.len(), if all.len() == 1 { "" } else { "s" });
        return Err(Refusal::new(
            format!("{has} group{s} of rows cannot fill {needed} parts"),
            "ask for fewer parts, or name a column with more values as `group`",
        ));
    }
    // Stable: among groups of one size the drawn order stands.
    all.sort_by_key(|g| std::cmp::Reverse(g.rows));
    let totals = class_totals(&all);
    let mut has = vec![vec![0usize; totals.len()]; wants.len()];
    let mut empty: Vec<bool> = wants.iter().map(|w| !w.may_be_empty).collect();
    let mut part_of: BTreeMap<u32, usize> = BTreeMap::new();
    for (at, group) in all.iter().enumerate() {
        // The last groups are for parts that have none yet.
        let reserved = all.len() - at <= empty.iter().filter(|e| **e).count();
        let open = (0..wants.len()).filter(|p| !reserved || empty[*p]);
        let cost = |p: usize| grown(group, &has[p], &totals, wants[p].share);
        let best = open.min_by(|a, b| cost(*a).total_cmp(&cost(*b))).expect("split: there is a part");
        group.classes.iter().for_each(|(class, n)| has[best][*class as usize] += n);
        empty[best] = false;
        part_of.insert(group.code, wants[best].part);
    }
    Ok(order.iter().map(|row| (*row, part_of[&groups.of[*row as usize]])).collect())
}

/// By how much a part's squared distance from its share of every class grows with a group.
fn grown(group: &Group, has: &[usize], totals: &[usize], share: f64) -> f64 {
    let of = |(class, n): &(u32, usize)| {
        let (n, total) = (*n as f64, totals[*class as usize] as f64);
        n * (n + 2.0 * (has[*class as usize] as f64 - share * total)) / total
    };
    group.classes.iter().map(of).sum()
}

fn class_totals(groups: &[Group]) -> Vec<usize> {
    let mut totals = Vec::new();
    for (class, n) in groups.iter().flat_map(|g| &g.classes) {
        let class = *class as usize;
        totals.resize(totals.len().max(class + 1), 0);
        totals[class] += n;
    }
    totals
}

/// The groups in the order of their first rows.
fn gathered(order: &[u32], groups: &Codes, strata: Option<&Codes>) -> Vec<Group> {
    let mut at = vec![usize::MAX; groups.names.len()];
    let mut all: Vec<Group> = Vec::new();
    for row in order {
        let code = groups.of[*row as usize];
        let place = &mut at[code as usize];
        if *place == usize::MAX {
            *place = all.len();
            all.push(Group { code, rows: 0, classes: Vec::new() });
        }
        let group = &mut all[*place];
        group.rows += 1;
        let class = strata.map_or(0, |s| s.of[*row as usize]);
        match group.classes.iter_mut().find(|(c, _)| *c == class) {
            Some((_, n)) => *n += 1,
            None => group.classes.push((class, 1)),
        }
    }
    all
}
