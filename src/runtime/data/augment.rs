//! Training rows changed at random as they are gathered: images flipped, moved, turned, coloured.
//!
//! What is drawn depends on the seed, the epoch and the row alone, so threads, batches and a resumed run see the same.

use super::colours::{Factors, jitter};
use super::turn::{Image, turn};
use super::{Part, Store, Values};
use crate::base::DType;
use crate::ops::transform::Augment;
use crate::sema::job::AugmentPlan;
use mlc_kernels::rng;

/// What is done to the rows of some columns.
#[derive(Clone, Debug, Default)]
pub struct Augmenter {
    sites: Vec<Site>,
    /// A row before it is moved or turned.
    before: Vec<u8>,
    /// The row that another is mixed with, by column, and its bytes as they come from a store.
    partner: Vec<Vec<u8>>,
    scratch: Vec<u8>,
}

/// A step on a column.
#[derive(Clone, Debug)]
struct Site {
    column: usize,
    step: Augment,
    key: [u32; 2],
    image: Image,
    /// The column of labels, where rows are mixed.
    label: Option<usize>,
}

impl Augmenter {
    /// The steps of a plan on the columns of a store.
    pub fn new(plans: &[AugmentPlan], store: &Store, seed: u64) -> Augmenter {
        let mut made = Augmenter::default();
        for plan in plans {
            let place = |name: &str| store.columns.iter().position(|c| c.name == name);
            let column = place(&plan.column).expect("data: checked, what is augmented is fed");
            let label = plan.label.as_deref().map(|name| place(name).expect("data: checked, labels are fed"));
            if label.is_some() {
                let floats = |c: &super::Array| matches!(c.values, Values::F32(_));
                assert!(label.is_none_or(|l| floats(&store.columns[l])), "data: checked, labels are shares");
                made.partner = store.columns.iter().map(|c| vec![0; c.row_bytes()]).collect();
            }
            let array = &store.columns[column];
            let (height, width, channels) = match *array.row.as_slice() {
                [height, width] => (height, width, 1),
                [height, width, channels] => (height, width, channels),
                _ => panic!("data: checked, what is augmented is an image"),
            };
            for (at, step) in plan.steps.iter().enumerate() {
                let key = rng::key(seed, &format!("augment.{}.{at}", plan.column));
                let image = Image { height, width, channels, dtype: array.dtype() };
                made.sites.push(Site { column, step: *step, key, image, label });
            }
            made.before.reserve(array.row_bytes().saturating_sub(made.before.capacity()));
        }
        made
    }

    /// Changes a row of every column, where `to` says that it lies.
    ///
    /// # Safety
    /// Each address has a row of its column, and nobody else uses it.
    pub unsafe fn change(&mut self, part: &Part, epoch: u64, row: u32, to: impl Fn(usize) -> *mut u8) {
        for (i, site) in self.sites.iter().enumerate() {
            // SAFETY: the caller says so.
            let bytes = unsafe { std::slice::from_raw_parts_mut(to(site.column), site.image.bytes()) };
            let (Augment::Mixup { alpha }, Some(label)) = (site.step, site.label) else {
                site.change(epoch, u64::from(row), bytes, &mut self.before);
                continue;
            };
            let other = part.rows[site.place(epoch, row, part.len())];
            let buffers = self.partner.as_mut_ptr();
            // SAFETY: there is a buffer for a row of each column, this augmenter's own, and one is asked for at a time.
            let buffer = |column: usize| unsafe { (*buffers.add(column)).as_mut_ptr() };
            // SAFETY: as above.
            unsafe { part.store.copy_row(other, buffer, &mut self.scratch) };
            // The other row is what it would be itself up to here.
            for earlier in self.sites[..i].iter().filter(|s| s.column == site.column) {
                earlier.change(epoch, u64::from(other), &mut self.partner[site.column], &mut self.before);
            }
            let share = site.share(epoch, row, alpha);
            mix(bytes, &self.partner[site.column], share, site.image.dtype);
            let shares = &self.partner[label];
            // SAFETY: the caller says so.
            let own = unsafe { std::slice::from_raw_parts_mut(to(label), shares.len()) };
            mix(own, shares, share, DType::F32);
        }
    }
}

/// Each element becomes `share` of itself and the rest of the other; bytes are rounded.
fn mix(own: &mut [u8], other: &[u8], share: f64, dtype: DType) {
    match dtype {
        DType::U8 => {
            for (a, b) in own.iter_mut().zip(other) {
                *a = libm::round(share * f64::from(*a) + (1.0 - share) * f64::from(*b)) as u8;
            }
        }
        DType::F32 => {
            for (a, b) in own.chunks_exact_mut(4).zip(other.chunks_exact(4)) {
                let number =
                    |bytes: &[u8]| f64::from(f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
                let mixed = share * number(a) + (1.0 - share) * number(b);
                a.copy_from_slice(&(mixed as f32).to_ne_bytes());
            }
        }
        DType::I32 => panic!("data: checked, whole numbers do not mix"),
    }
}

/// A number from Beta(alpha, alpha), made of three uniform ones without rejection (Devroye, Non-Uniform Random Variate
/// Generation, 1986, IX.3.4).
fn beta(alpha: f64, [u, v, sign]: [f64; 3]) -> f64 {
    let cos = libm::cos(2.0 * std::f64::consts::PI * u);
    let scale = (libm::pow(v, -1.0 / alpha) - 1.0) * cos * cos;
    let far = 1.0 / libm::sqrt(1.0 + 1.0 / scale);
    if sign < 0.5 { (1.0 + far) / 2.0 } else { (1.0 - far) / 2.0 }
}

impl Site {
    /// The place of the row that a row is mixed with.
    fn place(&self, epoch: u64, row: u32, rows: usize) -> usize {
        let u = f64::from(self.draw(epoch, row, 3));
        ((u * rows as f64) as usize).min(rows - 1)
    }

    /// How much of a row stays where it is mixed.
    fn share(&self, epoch: u64, row: u32, alpha: f64) -> f64 {
        beta(alpha, [0, 1, 2].map(|n| f64::from(self.draw(epoch, row, n))))
    }

    fn draw(&self, epoch: u64, row: u32, n: u64) -> f32 {
        rng::uniform(self.key, epoch, draws(self.step) * u64::from(row) + n)
    }

    fn change(&self, epoch: u64, row: u64, bytes: &mut [u8], before: &mut Vec<u8>) {
        let draw = |n: u64| rng::uniform(self.key, epoch, draws(self.step) * row + n);
        let place = |u: f32, places: usize| ((u * places as f32) as usize).min(places - 1);
        match self.step {
            Augment::Flip if draw(0) < 0.5 => flip(bytes, self.image.width, self.image.pixel()),
            Augment::Flip => {}
            Augment::Crop { pad, .. } => {
                before.clear();
                before.extend_from_slice(bytes);
                let places = 2 * pad + 1;
                self.shift(before, bytes, [place(draw(0), places), place(draw(1), places)], pad);
            }
            Augment::Rotate { degrees } => {
                before.clear();
                before.extend_from_slice(bytes);
                turn(before, bytes, self.image, degrees * (2.0 * f64::from(draw(0)) - 1.0));
            }
            Augment::Jitter { brightness, contrast, saturation } => {
                let factor = |n: u64, strength: f64| {
                    let least = (1.0 - strength).max(0.0);
                    least + (1.0 + strength - least) * f64::from(draw(n))
                };
                let factors = Factors {
                    brightness: factor(0, brightness),
                    contrast: factor(1, contrast),
                    saturation: factor(2, saturation),
                };
                jitter(bytes, self.image.channels, factors, place(draw(3), 6));
            }
            Augment::Cutout { size } => {
                let middle = [place(draw(0), self.image.height), place(draw(1), self.image.width)];
                cut_out(bytes, self.image, size, middle);
            }
            // Needs another row.
            Augment::Mixup { .. } => {}
        }
    }

    /// The image that starts at a place of the image with its border.
    fn shift(&self, before: &[u8], bytes: &mut [u8], [top, left]: [usize; 2], pad: usize) {
        bytes.fill(0);
        let Image { height, width, .. } = self.image;
        let pixel = self.image.pixel();
        let line = width * pixel;
        // Of the columns that stay: where they come from, where they go to, how many.
        let (from, to) = (left.saturating_sub(pad), pad.saturating_sub(left));
        let kept = width.saturating_sub(from.max(to)) * pixel;
        for y in 0..height {
            let Some(source) = (y + top).checked_sub(pad).filter(|source| *source < height) else {
                continue;
            };
            let (a, b) = (source * line + from * pixel, y * line + to * pixel);
            if kept > 0 {
                bytes[b..b + kept].copy_from_slice(&before[a..a + kept]);
            }
        }
    }
}

/// How many numbers a step draws for a row.
fn draws(step: Augment) -> u64 {
    match step {
        Augment::Flip | Augment::Crop { .. } | Augment::Rotate { .. } | Augment::Cutout { .. } => 2,
        Augment::Jitter { .. } | Augment::Mixup { .. } => 4,
    }
}

/// Zeros in a square around a pixel, as much of it as lies in the image.
fn cut_out(bytes: &mut [u8], image: Image, size: usize, [y, x]: [usize; 2]) {
    let range = |middle: usize, most: usize| {
        let lo = middle as isize - (size / 2) as isize;
        lo.max(0) as usize..((lo + size as isize) as usize).min(most)
    };
    let (pixel, columns) = (image.pixel(), range(x, image.width));
    for y in range(y, image.height) {
        let line = y * image.width;
        bytes[(line + columns.start) * pixel..(line + columns.end) * pixel].fill(0);
    }
}

/// Turns each line of pixels around.
fn flip(bytes: &mut [u8], width: usize, pixel: usize) {
    for line in bytes.chunks_exact_mut(width * pixel) {
        for x in 0..width / 2 {
            let (left, right) = line.split_at_mut((width - 1 - x) * pixel);
            left[x * pixel..(x + 1) * pixel].swap_with_slice(&mut right[..pixel]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(step: Augment) -> Site {
        let image = Image { height: 2, width: 3, channels: 1, dtype: DType::U8 };
        Site { column: 0, step, key: rng::key(1, "augment"), image, label: None }
    }

    #[test]
    fn lines_turn_around_and_images_move() {
        let mut bytes = [1, 2, 3, 4, 5, 6];
        flip(&mut bytes, 3, 1);
        assert_eq!(bytes, [3, 2, 1, 6, 5, 4]);
        let mut wide = [1, 2, 3, 4];
        flip(&mut wide, 2, 2);
        assert_eq!(wide, [3, 4, 1, 2]);
        let before = [1, 2, 3, 4, 5, 6];
        let moved = |place| {
            let mut bytes = before;
            site(Augment::Flip).shift(&before, &mut bytes, place, 1);
            bytes
        };
        assert_eq!(moved([1, 1]), before);
        assert_eq!(moved([0, 0]), [0, 0, 0, 0, 1, 2]);
        assert_eq!(moved([2, 2]), [5, 6, 0, 0, 0, 0]);
    }

    #[test]
    fn an_image_that_moves_out_is_zeros() {
        let mut bytes = [1, 2, 3, 4, 5, 6];
        site(Augment::Flip).shift(&[1, 2, 3, 4, 5, 6], &mut bytes, [0, 8], 4);
        assert_eq!(bytes, [0; 6]);
    }

    #[test]
    fn a_square_is_cut_out_as_far_as_it_lies_inside() {
        let image = Image { height: 3, width: 3, channels: 1, dtype: DType::U8 };
        let cut = |size, middle| {
            let mut bytes = [1; 9];
            cut_out(&mut bytes, image, size, middle);
            bytes
        };
        assert_eq!(cut(1, [1, 2]), [1, 1, 1, 1, 1, 0, 1, 1, 1]);
        assert_eq!(cut(2, [0, 0]), [0, 1, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(cut(3, [2, 1]), [1, 1, 1, 0, 0, 0, 0, 0, 0]);
    }

    /// Mean and variance of Beta(a, a) are 1/2 and 1 / (4 (2 a + 1)).
    #[test]
    fn shares_are_spread_as_they_should_be() {
        for alpha in [0.2, 1.0, 4.0] {
            let site = site(Augment::Mixup { alpha });
            let all: Vec<f64> = (0..20_000).map(|row| site.share(3, row, alpha)).collect();
            assert!(all.iter().all(|x| (0.0..=1.0).contains(x)));
            let n = all.len() as f64;
            let mean = all.iter().sum::<f64>() / n;
            let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
            let want = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!(
                (mean - 0.5).abs() < 0.01 && (variance / want - 1.0).abs() < 0.03,
                "{alpha}: {mean} {variance}"
            );
        }
        // The ends of what is drawn.
        assert_eq!(beta(0.2, [0.0, 0.0, 0.0]), 1.0);
        assert!((0.0..=1.0).contains(&beta(100.0, [0.25, 0.999_999_9, 0.9])));
    }

    #[test]
    fn rows_are_mixed_with_their_labels() {
        let columns = vec![
            super::super::Array {
                name: "image".into(),
                row: vec![1, 1],
                values: Values::U8((0..64).map(|i| if i % 2 == 0 { 0 } else { 200 }).collect()),
            },
            super::super::Array {
                name: "label".into(),
                row: vec![2],
                values: Values::F32((0..64).flat_map(|i| [(1 - i % 2) as f32, (i % 2) as f32]).collect()),
            },
        ];
        let part = Part { store: Store::new(columns).into(), rows: (0..64).collect() };
        let plan = AugmentPlan {
            column: "image".into(),
            steps: vec![Augment::Mixup { alpha: 1.0 }],
            label: Some("label".into()),
            span: crate::base::Span::default(),
        };
        let mut augmenter = Augmenter::new(&[plan], &part.store, 7);
        let mut one = |epoch, row: u32| {
            let (mut image, mut label) = ([0u8], [0f32; 2]);
            let to = [image.as_mut_ptr(), label.as_mut_ptr().cast()];
            // SAFETY: both have room for a row.
            unsafe {
                part.store.copy_row(row, |column| to[column], &mut Vec::new());
                augmenter.change(&part, epoch, row, |column| to[column]);
            }
            (image[0], label)
        };
        let all: Vec<(u8, [f32; 2])> = (0..64).map(|row| one(0, row)).collect();
        for (image, [even, odd]) in &all {
            assert!((even + odd - 1.0).abs() < 1e-6 && (f32::from(*image) - 200.0 * odd).abs() <= 0.5);
        }
        assert!(all.iter().any(|(_, [even, odd])| even.min(*odd) > 0.2), "some rows are mixed");
        assert_eq!(all[5], one(0, 5), "the same in any order");
        assert_ne!(all, (0..64).map(|row| one(1, row)).collect::<Vec<_>>());
    }

    /// Each row draws numbers of its own, however many.
    #[test]
    fn factors_of_a_row_are_its_own() {
        let site = site(Augment::Jitter { brightness: 0.5, contrast: 0.0, saturation: 0.0 });
        let one = |epoch, row| {
            let mut bytes = [100; 6];
            site.change(epoch, row, &mut bytes, &mut Vec::new());
            bytes[0]
        };
        let all: Vec<u8> = (0..64).map(|row| one(0, row)).collect();
        assert_eq!(all, (0..64).map(|row| one(0, row)).collect::<Vec<u8>>());
        assert_ne!(all, (0..64).map(|row| one(1, row)).collect::<Vec<u8>>());
        assert!(all.iter().all(|x| (50..150).contains(x)));
        assert!(all.iter().any(|x| *x < 75) && all.iter().any(|x| *x > 125));
    }

    #[test]
    fn every_epoch_draws_anew_and_every_row_for_itself() {
        let site = site(Augment::Flip);
        let turned = |epoch: u64| -> Vec<bool> {
            let one = |row| {
                let mut bytes = [1, 2, 3, 4, 5, 6];
                site.change(epoch, row, &mut bytes, &mut Vec::new());
                bytes[0] == 3
            };
            (0..64).map(one).collect()
        };
        assert_eq!(turned(0), turned(0));
        assert_ne!(turned(0), turned(1));
        assert!((16..48).contains(&turned(0).iter().filter(|t| **t).count()));
    }
}
