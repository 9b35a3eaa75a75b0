//! An image turned around its middle.
//!
//! Each pixel is what lies at its place in the image before, between four pixels (bilinear), with zeros outside: torchvision's
//! `rotate(…, BILINEAR)` to one unit of a byte, since angles are `f64` here and `f32` there.

use crate::base::DType;

/// How the bytes of an image lie: height by width by channels.
#[derive(Clone, Copy, Debug)]
pub struct Image {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub dtype: DType,
}

impl Image {
    /// Bytes of a pixel.
    pub fn pixel(self) -> usize {
        self.channels * self.dtype.bytes()
    }

    /// Bytes of all.
    pub fn bytes(self) -> usize {
        self.height * self.width * self.pixel()
    }
}

/// Turns by `degrees`, against the clock.
pub fn turn(before: &[u8], after: &mut [u8], image: Image, degrees: f64) {
    let (sin, cos) = libm::sincos(degrees.to_radians());
    let [middle_y, middle_x] = [image.height, image.width].map(|n| (n as f64 - 1.0) / 2.0);
    for y in 0..image.height {
        for x in 0..image.width {
            let (dy, dx) = (y as f64 - middle_y, x as f64 - middle_x);
            let from = [middle_y + dx * sin + dy * cos, middle_x + dx * cos - dy * sin];
            let corners = corners(from, image);
            for channel in 0..image.channels {
                let value = |&(at, weight): &(usize, f64)| weight * read(before, image, at + channel);
                let sum = corners.iter().flatten().map(value).sum();
                write(after, image, (y * image.width + x) * image.channels + channel, sum);
            }
        }
    }
}

/// The pixels around a place, each with its weight; none where the image has ended.
fn corners([y, x]: [f64; 2], image: Image) -> [Option<(usize, f64)>; 4] {
    let (top, left) = (y.floor(), x.floor());
    let (down, right) = (y - top, x - left);
    let corner = |y: f64, x: f64, weight: f64| {
        let inside = y >= 0.0 && x >= 0.0 && y < image.height as f64 && x < image.width as f64;
        inside.then(|| ((y as usize * image.width + x as usize) * image.channels, weight))
    };
    [
        corner(top, left, (1.0 - down) * (1.0 - right)),
        corner(top, left + 1.0, (1.0 - down) * right),
        corner(top + 1.0, left, down * (1.0 - right)),
        corner(top + 1.0, left + 1.0, down * right),
    ]
}

fn read(bytes: &[u8], image: Image, at: usize) -> f64 {
    match image.dtype {
        DType::U8 => f64::from(bytes[at]),
        DType::F32 => {
            let word = bytes[4 * at..4 * at + 4].try_into().expect("turn: four bytes");
            f64::from(f32::from_ne_bytes(word))
        }
        DType::I32 => unreachable!("turn: checked, whole numbers are not turned"),
    }
}

fn write(bytes: &mut [u8], image: Image, at: usize, value: f64) {
    match image.dtype {
        DType::U8 => bytes[at] = value.round_ties_even() as u8,
        DType::F32 => bytes[4 * at..4 * at + 4].copy_from_slice(&(value as f32).to_ne_bytes()),
        DType::I32 => unreachable!("turn: checked, whole numbers are not turned"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::data::colours::tests::{golden, numbers};

    #[test]
    fn turned_as_torchvision_turns() {
        for case in golden("rotate") {
            let [height, width, channels] = [5, 7, 3];
            let image = Image { height, width, channels, dtype: DType::U8 };
            let (before, expected) = (numbers(&case["image"]), numbers(&case["result"]));
            let mut after = vec![0; before.len()];
            let degrees = case["degrees"].as_f64().expect("an angle");
            turn(&before, &mut after, image, degrees);
            let far = after.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(far <= Some(1), "{degrees} degrees: {after:?} is not {expected:?}");
        }
    }

    /// A quarter turn moves every pixel of a square, and numbers of four bytes as well.
    #[test]
    fn a_quarter_turn_moves_pixels() {
        let image = Image { height: 2, width: 2, channels: 1, dtype: DType::F32 };
        let bytes = |numbers: [f32; 4]| numbers.iter().flat_map(|x| x.to_ne_bytes()).collect::<Vec<u8>>();
        let mut after = vec![0; 16];
        turn(&bytes([1.0, 2.0, 3.0, 4.0]), &mut after, image, 90.0);
        assert_eq!(after, bytes([2.0, 4.0, 1.0, 3.0]));
    }
}
