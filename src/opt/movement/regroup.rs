//! Which axes of a reshape become which.

use crate::base::{Dim, Shape};
use std::ops::Range;

/// Neighbouring axes that hold the same elements before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub from: Range<usize>,
    pub to: Range<usize>,
}

/// The finest groups, in order; an axis of size 1 without a partner is a group of its own.
/// `None` if sizes with names cannot be told apart.
pub fn regroup(from: &Shape, to: &Shape) -> Option<Vec<Group>> {
    let mut groups = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < from.rank() || j < to.rank() {
        let group = next(from, to, i, j)?;
        (i, j) = (group.from.end, group.to.end);
        groups.push(group);
    }
    Some(groups)
}

fn next(from: &Shape, to: &Shape, i: usize, j: usize) -> Option<Group> {
    let one = |shape: &Shape, axis: usize| axis < shape.rank() && shape[axis].is_one();
    match (one(from, i), one(to, j)) {
        (true, false) => return Some(Group { from: i..i + 1, to: j..j }),
        (false, true) => return Some(Group { from: i..i, to: j..j + 1 }),
        (true, true) => return Some(Group { from: i..i + 1, to: j..j + 1 }),
        (false, false) => {}
    }
    let axis = |shape: &Shape, axis: usize| shape.get(axis).cloned();
    let (mut a, mut b): (Dim, Dim) = (axis(from, i)?, axis(to, j)?);
    let (mut i_end, mut j_end) = (i + 1, j + 1);
    while a != b {
        if b.div_exact(&a).is_some() {
            a = a * axis(from, i_end)?;
            i_end += 1;
        } else if a.div_exact(&b).is_some() {
            b = b * axis(to, j_end)?;
            j_end += 1;
        } else {
            a = a * axis(from, i_end)?;
            b = b * axis(to, j_end)?;
            (i_end, j_end) = (i_end + 1, j_end + 1);
        }
    }
    Some(Group { from: i..i_end, to: j..j_end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(from: &[usize], to: &[usize]) -> Option<Vec<(Range<usize>, Range<usize>)>> {
        Some(regroup(&from.into(), &to.into())?.into_iter().map(|g| (g.from, g.to)).collect())
    }

    #[test]
    fn splits_and_merges_are_told_apart() {
        assert_eq!(groups(&[2, 3, 4], &[6, 4]), Some(vec![(0..2, 0..1), (2..3, 1..2)]));
        assert_eq!(groups(&[6, 4], &[2, 3, 2, 2]), Some(vec![(0..1, 0..2), (1..2, 2..4)]));
        assert_eq!(groups(&[4, 6], &[6, 4]), Some(vec![(0..2, 0..2)]));
        assert_eq!(groups(&[3, 1], &[1, 3]), Some(vec![(0..0, 0..1), (0..1, 1..2), (1..2, 2..2)]));
    }

    #[test]
    fn names_are_sizes_too() {
        let (b, d) = (Dim::sym("B"), Dim::sym("d"));
        let from = Shape::from([b.clone(), Dim::from(3) * d.clone()]);
        let to = Shape::from([b, Dim::from(3), d]);
        let found = regroup(&from, &to).unwrap();
        assert_eq!(found, [Group { from: 0..1, to: 0..1 }, Group { from: 1..2, to: 1..3 }]);
    }
}
