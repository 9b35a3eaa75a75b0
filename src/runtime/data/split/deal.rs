//! Rows dealt to parts one by one: in runs, by shares of classes, in turn.

use super::apportion;
use mlc_kernels::rng;

/// A row and the number of its part: train, valid, test, or behind them none.
pub type Placed = Vec<(u32, usize)>;

/// The rows in an order drawn from the seed; `draw` tells several draws of a split apart.
pub fn shuffled(seed: u64, draw: u64, rows: &[u32]) -> Vec<u32> {
    let mut order = rows.to_vec();
    rng::shuffle(rng::key(seed, "split"), draw, &mut order);
    order
}

/// Runs of the order, one for each size.
pub fn in_runs(order: &[u32], sizes: [usize; 3]) -> Placed {
    let ends = [sizes[0], sizes[0] + sizes[1], sizes.iter().sum()];
    let part = |at: usize| ends.iter().take_while(|end| at >= **end).count();
    order.iter().enumerate().map(|(at, row)| (*row, part(at))).collect()
}

/// Every class shares in each part as it does in the whole. `classes` is by row number.
pub fn stratified(order: &[u32], sizes: [usize; 3], classes: &[u32]) -> Placed {
    let kinds = order.iter().map(|row| classes[*row as usize] as usize + 1).max().unwrap_or(0);
    let mut left = vec![0usize; kinds];
    order.iter().for_each(|row| left[classes[*row as usize] as usize] += 1);
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
    let mut placed = Placed::with_capacity(order.len());
    for row in order {
        let quota = &mut quota[classes[*row as usize] as usize];
        let open = quota.iter().position(|n| *n > 0);
        if let Some(open) = open {
            quota[open] -= 1;
        }
        placed.push((*row, open.unwrap_or(3)));
    }
    placed
}

/// Folds in turn, class after class: sizes differ by one at most, and so do a class' rows in them
/// (the allocation of scikit-learn's `StratifiedKFold`).
pub fn round_robin(order: &[u32], classes: Option<&[u32]>, folds: usize) -> Placed {
    let mut by_class = order.to_vec();
    if let Some(classes) = classes {
        by_class.sort_by_key(|row| classes[*row as usize]);
    }
    by_class.iter().enumerate().map(|(at, row)| (*row, at % folds)).collect()
}

/// What a fold of rows in order trains on, and the run behind it that it is tested on: the ends of
/// scikit-learn's `TimeSeriesSplit`. There are more rows than folds.
pub fn forward(order: &[u32], fold: usize, folds: usize) -> (Vec<u32>, Vec<u32>) {
    let run = order.len() / (folds + 1);
    let start = order.len() - (folds - fold) * run;
    (order[..start].to_vec(), order[start..start + run].to_vec())
}
