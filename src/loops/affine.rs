//! Affine forms of the dims of an iteration space: `offset + sum of strides * dims`.
//!
//! Movement is composed on these. Permute reorders them, slice and pad shift
//! and scale them, window adds two of them. A reshape first flattens
//! (always affine), then unflattens: affine when each dim falls on one side
//! of the cut, which splitting a dim in two often brings about.

/// One coordinate, as a function of the point of an iteration space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Affine {
    pub offset: i64,
    /// One for each dim of the space.
    pub strides: Vec<i64>,
}

/// Why a form cannot be cut into a quotient and a remainder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncut {
    /// It can when `dim` becomes two dims, the inner one of this size.
    Split {
        dim: usize,
        inner: usize,
    },
    Never,
}

impl Affine {
    pub fn constant(offset: i64, rank: usize) -> Affine {
        Affine { offset, strides: vec![0; rank] }
    }

    /// The coordinate of one dim.
    pub fn dim(dim: usize, rank: usize) -> Affine {
        let mut form = Affine::constant(0, rank);
        form.strides[dim] = 1;
        form
    }

    pub fn scale(&self, by: i64) -> Affine {
        Affine { offset: self.offset * by, strides: self.strides.iter().map(|s| s * by).collect() }
    }

    pub fn plus(&self, other: &Affine) -> Affine {
        let strides = self.strides.iter().zip(&other.strides).map(|(a, b)| a + b).collect();
        Affine { offset: self.offset + other.offset, strides }
    }

    pub fn shift(&self, by: i64) -> Affine {
        Affine { offset: self.offset + by, strides: self.strides.clone() }
    }

    /// The value at a point.
    pub fn at(&self, point: &[usize]) -> i64 {
        self.offset + self.strides.iter().zip(point).map(|(s, &p)| s * p as i64).sum::<i64>()
    }

    /// The least and the greatest value over a space.
    pub fn range(&self, sizes: &[usize]) -> (i64, i64) {
        self.strides.iter().zip(sizes).fold((self.offset, self.offset), |(lo, hi), (&s, &n)| {
            let reach = s * (n.max(1) as i64 - 1);
            (lo + reach.min(0), hi + reach.max(0))
        })
    }

    /// `self = quotient * by + remainder`, where the remainder stays in `0..by` over the space.
    pub fn cut(&self, by: i64, sizes: &[usize]) -> Result<(Affine, Affine), Uncut> {
        let rank = self.strides.len();
        let mut quotient = Affine::constant(self.offset.div_euclid(by), rank);
        let mut remainder = Affine::constant(self.offset.rem_euclid(by), rank);
        for (dim, &stride) in self.strides.iter().enumerate() {
            if stride % by == 0 {
                quotient.strides[dim] = stride / by;
            } else if sizes[dim] > 1 {
                remainder.strides[dim] = stride;
            }
        }
        let (lo, hi) = remainder.range(sizes);
        if lo >= 0 && hi < by {
            return Ok((quotient, remainder));
        }
        let crossing = remainder.strides.iter().enumerate().find_map(|(dim, &stride)| {
            let inner = usize::try_from(by / stride.max(1)).ok()?;
            let splits =
                stride > 0 && by % stride == 0 && sizes[dim] > inner && sizes[dim].is_multiple_of(inner);
            splits.then_some(Uncut::Split { dim, inner })
        });
        Err(crossing.unwrap_or(Uncut::Never))
    }
}

/// The strides of a dense row-major tensor.
pub fn dense_strides(shape: &[usize]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1) as i64;
    }
    strides
}

/// The row-major element index of the coordinates `at`.
pub fn flatten(at: &[Affine], shape: &[usize], rank: usize) -> Affine {
    at.iter()
        .zip(dense_strides(shape))
        .fold(Affine::constant(0, rank), |sum, (form, stride)| sum.plus(&form.scale(stride)))
}

/// Coordinates in `shape` of a row-major element index.
pub fn unflatten(index: &Affine, shape: &[usize], sizes: &[usize]) -> Result<Vec<Affine>, Uncut> {
    let mut at = vec![Affine::constant(0, sizes.len()); shape.len()];
    let real: Vec<usize> = (0..shape.len()).filter(|&axis| shape[axis] != 1).collect();
    let mut rest = index.clone();
    for &axis in real.iter().skip(1).rev() {
        let (quotient, remainder) = rest.cut(shape[axis].max(1) as i64, sizes)?;
        at[axis] = remainder;
        rest = quotient;
    }
    if let Some(&outermost) = real.first() {
        at[outermost] = rest;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merged_axis_unflattens_when_its_dim_is_split() {
        let whole = Affine::dim(0, 1);
        assert_eq!(unflatten(&whole, &[4, 6], &[24]), Err(Uncut::Split { dim: 0, inner: 6 }));
        let split = Affine { offset: 0, strides: vec![6, 1] };
        assert_eq!(unflatten(&split, &[4, 6], &[4, 6]), Ok(vec![Affine::dim(0, 2), Affine::dim(1, 2)]));
        assert_eq!(unflatten(&whole, &[5, 5], &[24]), Err(Uncut::Never));
    }

    #[test]
    fn cutting_keeps_the_value_at_every_point() {
        let sizes = [3, 4];
        let form = Affine { offset: 13, strides: vec![12, 2] };
        let (quotient, remainder) = form.cut(12, &sizes).unwrap();
        for i in 0..3 {
            for j in 0..4 {
                let (q, r) = (quotient.at(&[i, j]), remainder.at(&[i, j]));
                assert_eq!(q * 12 + r, form.at(&[i, j]));
                assert!((0..12).contains(&r));
            }
        }
    }
}
