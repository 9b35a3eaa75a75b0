//! Training rows changed at random as they are gathered: flips and crops of images.
//!
//! What is drawn depends on the seed, the epoch and the row alone, so threads, batches and a resumed run see the same.

use super::Store;
use crate::ops::transform::Augment;
use crate::sema::job::AugmentPlan;
use mlc_kernels::rng;

/// What is done to the rows of some columns.
#[derive(Clone, Debug, Default)]
pub struct Augmenter {
    sites: Vec<Site>,
    /// A row before it is cropped.
    before: Vec<u8>,
}

/// A step on a column.
#[derive(Clone, Debug)]
struct Site {
    column: usize,
    step: Augment,
    key: [u32; 2],
    height: usize,
    width: usize,
    /// Bytes.
    pixel: usize,
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
                let pixel = channels * array.dtype().bytes();
                made.sites.push(Site { column, step: *step, key, height, width, pixel });
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
            let size = site.height * site.width * site.pixel;
            // SAFETY: the caller says so.
            let bytes = unsafe { std::slice::from_raw_parts_mut(to(site.column), size) };
            site.change(epoch, u64::from(row), bytes, &mut self.before);
        }
    }
}

impl Site {
    fn change(&self, epoch: u64, row: u64, bytes: &mut [u8], before: &mut Vec<u8>) {
        let draw = |n: u64| rng::uniform(self.key, epoch, 2 * row + n);
        match self.step {
            Augment::Flip if draw(0) < 0.5 => flip(bytes, self.width, self.pixel),
            Augment::Flip => {}
            Augment::Crop { pad, .. } => {
                let place = |u: f32| ((u * (2 * pad + 1) as f32) as usize).min(2 * pad);
                before.clear();
                before.extend_from_slice(bytes);
                self.shift(before, bytes, [place(draw(0)), place(draw(1))], pad);
            }
        }
    }

    /// The image that starts at a place of the image with its border.
    fn shift(&self, before: &[u8], bytes: &mut [u8], [top, left]: [usize; 2], pad: usize) {
        bytes.fill(0);
        let line = self.width * self.pixel;
        // Of the columns that stay: where they come from, where they go to, how many.
        let (from, to) = (left.saturating_sub(pad), pad.saturating_sub(left));
        let kept = self.width.saturating_sub(from.max(to)) * self.pixel;
        for y in 0..self.height {
            let Some(source) = (y + top).checked_sub(pad).filter(|source| *source < self.height) else {
                continue;
            };
            let (a, b) = (source * line + from * self.pixel, y * line + to * self.pixel);
            if kept > 0 {
                bytes[b..b + kept].copy_from_slice(&before[a..a + kept]);
            }
        }
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
        Site { column: 0, step, key: rng::key(1, "augment"), height: 2, width: 3, pixel: 1 }
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
