//! Scalers: what is decided is a few numbers for each element of a row.
//!
//! Missing values are left out where something is decided and stay missing, as in scikit-learn.

use super::super::cells::{Checked, Lookup, Numbers};
use super::{Fitted, normal};
use crate::ops::transform::{Binning, Spread};

/// Every number by its place in the row; what is missing stays so.
pub fn each(numbers: Numbers, change: impl Fn(usize, f64) -> f64) -> Numbers {
    let width = numbers.width();
    let at = |(i, x): (usize, f64)| if x.is_nan() { x } else { change(i % width, x) };
    Numbers { values: numbers.values.into_iter().enumerate().map(at).collect(), row: numbers.row }
}

/// `(x - center) / scale`; a scale of 0 counts as 1.
pub fn affine(numbers: Numbers, center: &[f64], scale: impl Fn(usize) -> f64) -> Numbers {
    let scales: Vec<f64> = (0..numbers.width()).map(scale).map(|s| if s == 0.0 { 1.0 } else { s }).collect();
    each(numbers, |i, x| (x - center[i]) / scales[i])
}

/// The values of the rows at one place of a row, in order, less those that are missing.
fn column<'n>(numbers: &'n Numbers, rows: &'n [u32], at: usize) -> impl Iterator<Item = f64> + 'n {
    let width = numbers.width();
    rows.iter().map(move |row| numbers.values[*row as usize * width + at]).filter(|x| !x.is_nan())
}

fn sorted(numbers: &Numbers, rows: &[u32], at: usize) -> Vec<f64> {
    let mut values: Vec<f64> = column(numbers, rows, at).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Something for each place of a row.
fn places<T>(numbers: &Numbers, of: impl FnMut(usize) -> T) -> Vec<T> {
    (0..numbers.width()).map(of).collect()
}

/// Mean and standard deviation (over n, not n - 1), in two passes.
pub fn standardize(numbers: &Numbers, rows: &[u32]) -> Fitted {
    let (mean, std) = places(numbers, |i| moments(|| column(numbers, rows, i))).into_iter().unzip();
    Fitted::Standardize { mean, std }
}

fn moments<I: Iterator<Item = f64>>(values: impl Fn() -> I) -> (f64, f64) {
    let n = values().count() as f64;
    if n == 0.0 {
        return (0.0, 0.0);
    }
    let mean = values().sum::<f64>() / n;
    let variance = values().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
    // What rounding alone can make of equal values counts as 0 (the bound of scikit-learn's scaler).
    let rounding = n * f64::EPSILON * variance + (n * mean * f64::EPSILON).powi(2);
    (mean, if variance <= rounding { 0.0 } else { variance.sqrt() })
}

pub fn minmax(numbers: &Numbers, rows: &[u32]) -> Fitted {
    let ends = |i| {
        let values = || column(numbers, rows, i);
        let (min, max) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        if min <= max { (min, max) } else { (0.0, 0.0) }
    };
    let (min, max) = places(numbers, ends).into_iter().unzip();
    Fitted::Minmax { min, max }
}

/// Median and the distance of the quartiles.
pub fn robust(numbers: &Numbers, rows: &[u32]) -> Fitted {
    let of = |i| {
        let values = sorted(numbers, rows, i);
        let scale = percentile(&values, 0.75) - percentile(&values, 0.25);
        // What rounding alone can make of equal values (the bound of scikit-learn's scalers).
        (median(&values), if scale < 10.0 * f64::EPSILON { 0.0 } else { scale })
    };
    let (center, scale) = places(numbers, of).into_iter().unzip();
    Fitted::Robust { center, scale }
}

/// Of sorted values; of none 0.
pub fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => 0.0,
        n if n.is_multiple_of(2) => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
        n => sorted[n / 2],
    }
}

/// The value below which a share of sorted values lies, straight between neighbours, with the roundings of
/// `numpy.percentile`; of none 0.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    if sorted.is_empty() {
        return 0.0;
    }
    let place = share * (sorted.len() - 1) as f64;
    let below = (place.floor() as usize).min(sorted.len() - 1);
    let (a, b) = (sorted[below], sorted[(below + 1).min(sorted.len() - 1)]);
    let t = place - below as f64;
    if t < 0.5 { a + (b - a) * t } else { b - (b - a) * (1.0 - t) }
}

/// `n` values at even steps from `a` to `b`.
fn even(a: f64, b: f64, n: usize) -> impl Iterator<Item = f64> {
    let last = (n.max(2) - 1) as f64;
    (0..n).map(move |i| if i + 1 == n && n > 1 { b } else { a + (b - a) * (i as f64 / last) })
}

pub fn quantile(numbers: &Numbers, rows: &[u32], points: usize, spread: Spread) -> Fitted {
    let of = |i| {
        let values = sorted(numbers, rows, i);
        let points = points.min(rows.len()).max(1);
        even(0.0, 1.0, points).map(|share| percentile(&values, share)).collect()
    };
    Fitted::Quantile { quantiles: places(numbers, of), spread }
}

/// What lies closer to the ends counts as the ends where shares are spread out (scikit-learn's `BOUNDS_THRESHOLD`).
const END: f64 = 1e-7;

/// The share of quantiles below; between two of them straight, at one that repeats the middle of its run.
pub fn shares(numbers: Numbers, quantiles: &[Vec<f64>], spread: Spread) -> Numbers {
    let end = match spread {
        Spread::Uniform => 0.0,
        Spread::Normal => END,
    };
    let share = |i: usize, x: f64| {
        let known = &quantiles[i];
        let (Some(first), Some(last)) = (known.first(), known.last()) else { return 0.0 };
        if x - end <= *first {
            return 0.0;
        }
        if x + end >= *last {
            return 1.0;
        }
        // From the left the end of a run counts, from the right its beginning.
        let steps = (known.len() - 1) as f64;
        let right = known.partition_point(|q| *q <= x);
        let left = known.partition_point(|q| *q < x);
        let slope = |lo: usize, hi: usize| (x - known[lo]) / (known[hi] - known[lo]);
        let up = (right - 1) as f64 + slope(right - 1, right);
        let down = left as f64 - (known[left] - x) / (known[left] - known[left - 1]);
        0.5 * (up + down) / steps
    };
    match spread {
        Spread::Uniform => each(numbers, share),
        Spread::Normal => {
            let least = END - f64::EPSILON;
            let ends = (normal::quantile(least), normal::quantile(1.0 - least));
            each(numbers, |i, x| normal::quantile(share(i, x)).clamp(ends.0, ends.1))
        }
    }
}

/// Edges of bins; those closer than 1e-8 are one, as in scikit-learn.
pub fn binned(numbers: &Numbers, rows: &[u32], count: usize, by: Binning) -> Fitted {
    let of = |i| {
        let values = sorted(numbers, rows, i);
        let (Some(first), Some(last)) = (values.first(), values.last()) else { return Vec::new() };
        let mut edges: Vec<f64> = match by {
            Binning::Uniform => even(*first, *last, count + 1).collect(),
            Binning::Quantile => even(0.0, 1.0, count + 1).map(|share| percentile(&values, share)).collect(),
        };
        let mut before = f64::NEG_INFINITY;
        edges.retain(|edge| {
            let far = edge - before > 1e-8;
            before = *edge;
            far
        });
        edges
    };
    Fitted::Bins { edges: places(numbers, of) }
}

/// How many bins edges make: at least one.
pub fn bins(edges: &[f64]) -> usize {
    edges.len().saturating_sub(1).max(1)
}

/// The bin of each number; outside the edges the first or the last.
pub fn bin_of(numbers: Numbers, edges: &[Vec<f64>]) -> Numbers {
    each(numbers, |i, x| {
        let inner = edges[i].get(1..edges[i].len().saturating_sub(1)).unwrap_or_default();
        inner.partition_point(|edge| *edge <= x) as f64
    })
}

pub fn log(at: &Lookup, numbers: Numbers) -> Checked<Numbers> {
    above(at, &numbers, 0.0, "log", "use `log1p` where 0 occurs, or `clip(lo=…)` before it")?;
    Ok(each(numbers, |_, x| libm::log(x)))
}

pub fn log1p(at: &Lookup, numbers: Numbers) -> Checked<Numbers> {
    above(at, &numbers, -1.0, "log1p", "put `clip(lo=0)` before it")?;
    Ok(each(numbers, |_, x| libm::log1p(x)))
}

fn above(at: &Lookup, numbers: &Numbers, bound: f64, name: &str, help: &str) -> Checked<()> {
    let bad = at.rows_where(numbers, |x| x <= bound);
    if bad.is_empty() {
        return Ok(());
    }
    let what = format!("has no `{name}`, which wants numbers above {bound}");
    Err(at.bad("data::domain", &bad, &what, &format!("correct the cells, or {help}")))
}
