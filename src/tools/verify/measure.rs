//! How far two tensors are apart.

use serde::Serialize;

/// The worst elements of a comparison. What is infinite is `null` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Units in the last place of `f32` between the element and the reference rounded to `f32`: how many
    /// numbers lie between them. [`NOT_A_NUMBER`] where one side has a number and the other has none.
    pub ulp: u64,
    /// The largest difference over the tensor's scale.
    pub relative: f64,
    /// The largest share that an element takes of its own bound: above 1 rounding cannot explain it.
    pub share: f64,
}

pub const NOT_A_NUMBER: u64 = u64::MAX;

/// Compares with the reference, element by element within `bound`.
///
/// NaN or an infinity on one side alone is over any bound.
pub fn against(found: &[f32], wanted: &[f64], bound: &[f64], scale: f64) -> Difference {
    assert_eq!(found.len(), wanted.len(), "verify: both sides have the same shape");
    let mut worst = Difference { ulp: 0, relative: 0.0, share: 0.0 };
    for ((&x, &y), &bound) in found.iter().zip(wanted).zip(bound) {
        let rounded = y as f32;
        let ulp = ulp(x, rounded);
        // Numbers that f32 cannot hold are compared as the infinities that they become.
        let apart = match x.is_finite() && rounded.is_finite() {
            true => (f64::from(x) - y).abs(),
            false if ulp == 0 => 0.0,
            false => f64::INFINITY,
        };
        worst.ulp = worst.ulp.max(ulp);
        worst.relative = worst.relative.max(relative(apart, scale));
        worst.share = worst.share.max(if apart.is_infinite() { apart } else { relative(apart, bound) });
    }
    worst
}

/// How far two sides are apart, each within `bound` of the reference.
pub fn between(a: &[f32], b: &[f32], bound: &[f64], scale: f64) -> Difference {
    let wanted: Vec<f64> = b.iter().map(|&x| f64::from(x)).collect();
    let both: Vec<f64> = bound.iter().map(|bound| 2.0 * bound).collect();
    against(a, &wanted, &both, scale)
}

impl Difference {
    /// An element is further from the reference than rounding can explain.
    pub fn over(&self) -> bool {
        self.share > 1.0
    }
}

/// The middle one of the bounds that are not 0; 0 if there is none.
pub fn middle(bounds: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = bounds.iter().copied().filter(|&bound| bound > 0.0).collect();
    let middle = sorted.len() / 2;
    if sorted.is_empty() { 0.0 } else { *sorted.select_nth_unstable_by(middle, f64::total_cmp).1 }
}

/// `x` over `scale`; of nothing nothing.
pub fn relative(x: f64, scale: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x / scale }
}

/// Steps between two numbers of `f32`; 0 and -0 are one.
fn ulp(a: f32, b: f32) -> u64 {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => return 0,
        (true, false) | (false, true) => return NOT_A_NUMBER,
        (false, false) => {}
    }
    let place = |x: f32| {
        let magnitude = i64::from(x.to_bits() & 0x7fff_ffff);
        if x.is_sign_negative() { -magnitude } else { magnitude }
    };
    place(a).abs_diff(place(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_in_the_last_place_count_numbers() {
        assert_eq!(ulp(1.0, 1.0 + f32::EPSILON), 1);
        assert_eq!(ulp(0.0, -0.0), 0);
        assert_eq!(ulp(-f32::from_bits(1), f32::from_bits(1)), 2);
        assert_eq!(ulp(f32::MAX, f32::INFINITY), 1);
        assert_eq!(ulp(f32::NAN, f32::NAN), 0);
    }

    #[test]
    fn a_side_without_a_number_is_over_any_bound() {
        for (x, y) in [(f32::NAN, 1.0), (1.0, f64::NAN), (f32::INFINITY, 1.0), (1.0, f64::INFINITY)] {
            let found = against(&[x], &[y], &[f64::INFINITY], 1.0);
            assert!(found.over() && found.relative.is_infinite(), "{x} {y}");
        }
        for y in [f64::NAN, f64::NEG_INFINITY, 1e300] {
            assert!(!against(&[y as f32], &[y], &[0.0], 1.0).over(), "{y}");
        }
    }

    #[test]
    fn the_bound_is_each_elements_own() {
        assert!(!against(&[1.5, 2.0], &[1.0, 2.0], &[0.5, 0.0], 2.0).over());
        assert!(against(&[1.5, 2.0], &[1.0, 2.0], &[0.0, 0.5], 2.0).over());
        assert_eq!(against(&[1.5, 2.0], &[1.0, 2.0], &[0.5, 0.0], 2.0).relative, 0.25);
    }
}
