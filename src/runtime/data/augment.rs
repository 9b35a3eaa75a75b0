//! Training rows changed at random as they are gathered: images flipped, moved, turned, coloured.
//!
//! What is drawn depends on the seed, the epoch and the row alone, so threads, batches and a resumed run see the same.

use super::Store;
use super::colours::{Factors, jitter};
use super::turn::{Image, turn};
use crate::ops::transform::Augment;
use crate::sema::job::AugmentPlan;
use mlc_kernels::rng;

/// What is done to the rows of some columns.
#[derive(Clone, Debug, Default)]
pub struct Augmenter {
    sites: Vec<Site>,
    /// A row before it is moved or turned.
    before: Vec<u8>,
}

/// A step on a column.
#[derive(Clone, Debug)]
struct Site {
    column: usize,
    step: Augment,
    key: [u32; 2],
    image: Image,
}

impl Augmenter {
    /// The steps of a plan on the columns of a store.
    pub fn new(plans: &[AugmentPlan], store: &Store, seed: u64) -> Augmenter {
        let mut made = Augmenter::default();
        for plan in plans {
            let found = store.columns.iter().position(|c| c.name == plan.column);
            let column = found.expect("data: checked, what is augmented is fed");
            let array = &store.columns[column];
            let (height, width, channels) = match *array.row.as_slice() {
                [height, width] => (height, width, 1),
                [height, width, channels] => (height, width, channels),
                _ => panic!("data: checked, what is augmented is an image"),
            };
            for (at, step) in plan.steps.iter().enumerate() {
                let key = rng::key(seed, &format!("augment.{}.{at}", plan.column));
                let image = Image { height, width, channels, dtype: array.dtype() };
                made.sites.push(Site { column, step: *step, key, image });
            }
            made.before.reserve(array.row_bytes().saturating_sub(made.before.capacity()));
        }
        made
    }

    /// Changes a row of every column, where `to` says that it lies.
    ///
    /// # Safety
    /// Each address has a row of its column, and nobody else uses it.
    pub unsafe fn change(&mut self, epoch: u64, row: u32, to: impl Fn(usize) -> *mut u8) {
        for site in &self.sites {
            // SAFETY: the caller says so.
            let bytes = unsafe { std::slice::from_raw_parts_mut(to(site.column), site.image.bytes()) };
            site.change(epoch, u64::from(row), bytes, &mut self.before);
        }
    }
}

impl Site {
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
        Augment::Jitter { .. } => 4,
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
    use crate::base::DType;

    fn site(step: Augment) -> Site {
        let image = Image { height: 2, width: 3, channels: 1, dtype: DType::U8 };
        Site { column: 0, step, key: rng::key(1, "augment"), image }
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
