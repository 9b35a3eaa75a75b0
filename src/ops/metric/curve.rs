//! Areas under curves over all thresholds of a score, exact: rows are sorted, not binned.
//!
//! Rows of equal score pass a threshold together, as in `sklearn.metrics`.

/// Which curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// The rate of hits over that of false alarms: `roc_auc_score`.
    Roc,
    /// Precision over recall, in steps: `average_precision_score`.
    Pr,
}

/// The area of scores and whether each row is of the class; none where only one kind of row is there (of
/// `Pr`, if no row is of the class), or a score is no number.
pub(super) fn area(curve: Curve, rows: &mut [(f32, bool)]) -> Option<f64> {
    let hits = rows.iter().filter(|(_, actual)| *actual).count() as u64;
    let others = rows.len() as u64 - hits;
    if rows.iter().any(|(score, _)| score.is_nan()) {
        return None;
    }
    // 0 and -0 are one score, so the order of bits alone would not do.
    rows.sort_by(|a, b| b.0.partial_cmp(&a.0).expect("curve: scores are numbers"));
    let steps = rows.chunk_by(|a, b| a.0 == b.0).map(|equal| {
        let hits = equal.iter().filter(|(_, actual)| *actual).count() as u64;
        (hits, equal.len() as u64 - hits)
    });
    match curve {
        Curve::Roc if hits == 0 || others == 0 => None,
        Curve::Roc => Some(roc(steps) as f64 / (2.0 * hits as f64 * others as f64)),
        Curve::Pr if hits == 0 => None,
        Curve::Pr => Some(precision_by_recall(steps, hits as f64)),
    }
}

/// Twice the number of pairs that are in order, ties counting one half each.
fn roc(steps: impl Iterator<Item = (u64, u64)>) -> u128 {
    let (mut above, mut pairs) = (0u64, 0u128);
    for (hits, others) in steps {
        pairs += u128::from(others) * u128::from(2 * above + hits);
        above += hits;
    }
    pairs
}

fn precision_by_recall(steps: impl Iterator<Item = (u64, u64)>, all: f64) -> f64 {
    let (mut found, mut called, mut area) = (0u64, 0u64, 0.0);
    for (hits, others) in steps {
        found += hits;
        called += hits + others;
        area += hits as f64 / all * (found as f64 / called as f64);
    }
    area
}

/// For each class, how far each row's logits speak for it: the logarithm of its odds against all others,
/// which has the order of its softmax but does not saturate. In `f32`, so that rows tie whose logits are
/// the same in another order, whatever the rounding of their sums.
pub(super) fn odds(logits: &[f32], classes: usize) -> Vec<Vec<f32>> {
    let mut of = vec![Vec::with_capacity(logits.len() / classes.max(1)); classes];
    // What is in front of a class, and what is behind.
    let mut front = vec![0.0; classes + 1];
    for row in logits.chunks_exact(classes.max(1)) {
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let share = |x: f32| libm::exp(f64::from(x) - f64::from(most));
        for (i, x) in row.iter().enumerate() {
            front[i + 1] = front[i] + share(*x);
        }
        let mut behind = 0.0;
        for i in (0..classes).rev() {
            let own = f64::from(row[i]) - f64::from(most);
            of[i].push((own - libm::log(front[i] + behind)) as f32);
            behind += share(row[i]);
        }
    }
    of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half() {
        let mut rows = [(0.5, true), (0.5, false), (1.0, true), (-0.0, false), (0.0, false)];
        assert_eq!(area(Curve::Roc, &mut rows), Some(5.5 / 6.0));
        assert_eq!(area(Curve::Pr, &mut rows), Some(0.5 + 0.5 * 2.0 / 3.0));
    }

    #[test]
    fn one_class_alone_has_no_curve() {
        assert_eq!(area(Curve::Roc, &mut [(1.0, true), (2.0, true)]), None);
        assert_eq!(area(Curve::Roc, &mut [(1.0, false)]), None);
        assert_eq!(area(Curve::Pr, &mut [(1.0, true), (2.0, true)]), Some(1.0));
        assert_eq!(area(Curve::Pr, &mut [(1.0, false)]), None);
        assert_eq!(area(Curve::Roc, &mut []), None);
        assert_eq!(area(Curve::Roc, &mut [(f32::NAN, true), (1.0, false)]), None);
    }

    #[test]
    fn odds_tie_for_the_same_logits_in_another_order_and_never_saturate() {
        let of = odds(&[0.25, 1.5, -0.75, 0.25, -0.75, 1.5], 3);
        assert_eq!(of[0][0], of[0][1]);
        assert_eq!(of[1][0], of[2][1]);
        let far = odds(&[0.0, 50.0, 0.0, 60.0], 2);
        assert_eq!(far[1], [50.0, 60.0]);
        assert_eq!(far[0], [-50.0, -60.0]);
    }
}
