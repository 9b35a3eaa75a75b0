//! Brightness, contrast and saturation of images of bytes: torchvision's `ColorJitter`, bit for bit, given the factors and
//! their order.
//!
//! Each mixes the image with another one, `factor * image + (1 - factor) * other`, in `f32`, cut to a byte: with black, with the
//! mean of its grey, with its grey.

/// What each is multiplied by.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    pub brightness: f64,
    pub contrast: f64,
    pub saturation: f64,
}

#[derive(Clone, Copy)]
enum Change {
    Brightness,
    Contrast,
    Saturation,
}

/// The orders in which the three can follow each other.
const ORDERS: [[Change; 3]; 6] = {
    use Change::{Brightness as B, Contrast as C, Saturation as S};
    [[B, C, S], [B, S, C], [C, B, S], [C, S, B], [S, B, C], [S, C, B]]
};

/// Changes an image; `order` is below 6. Saturation is of three channels: others have none.
pub fn jitter(bytes: &mut [u8], channels: usize, factors: Factors, order: usize) {
    for change in ORDERS[order] {
        match change {
            Change::Brightness => mix_all(bytes, factors.brightness, 0.0),
            Change::Contrast => mix_all(bytes, factors.contrast, mean(bytes, channels)),
            Change::Saturation if channels == 3 => {
                for pixel in bytes.chunks_exact_mut(3) {
                    let grey = f32::from(grey(pixel));
                    mix_all(pixel, factors.saturation, grey);
                }
            }
            Change::Saturation => {}
        }
    }
}

/// Mixes all bytes with one number.
fn mix_all(bytes: &mut [u8], factor: f64, other: f32) {
    let (keep, rest) = (factor as f32, (1.0 - factor) as f32 * other);
    for byte in bytes {
        *byte = (keep * f32::from(*byte) + rest).clamp(0.0, 255.0) as u8;
    }
}

/// How bright a pixel of three channels looks (ITU-R BT.601, to four digits as in torchvision).
fn grey(pixel: &[u8]) -> u8 {
    let [red, green, blue] = [0, 1, 2].map(|channel| f32::from(pixel[channel]));
    (0.2989 * red + 0.587 * green + 0.114 * blue) as u8
}

/// The mean of an image in grey: sums of bytes are exact.
fn mean(bytes: &[u8], channels: usize) -> f32 {
    let (sum, count) = match channels {
        3 => (bytes.chunks_exact(3).map(|pixel| u64::from(grey(pixel))).sum::<u64>(), bytes.len() / 3),
        _ => (bytes.iter().map(|byte| u64::from(*byte)).sum(), bytes.len()),
    };
    (sum as f64 / count.max(1) as f64) as f32
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::Value;

    /// The cases of one kind that torchvision made (`tests/goldens/augment.py`).
    pub fn golden(kind: &str) -> Vec<Value> {
        let text = include_str!("../../../tests/goldens/augment.json");
        let all: Value = serde_json::from_str(text).expect("the goldens are JSON");
        let cases = all[kind].as_array().expect("a list of cases").clone();
        assert!(!cases.is_empty());
        cases
    }

    pub fn numbers(list: &Value) -> Vec<u8> {
        let byte = |x: &Value| x.as_u64().and_then(|x| u8::try_from(x).ok()).expect("a byte");
        list.as_array().expect("a list").iter().map(byte).collect()
    }

    #[test]
    fn coloured_as_torchvision_colours() {
        for case in golden("jitter") {
            let number = |key: &str| case[key].as_f64().expect("a number");
            let factors = Factors {
                brightness: number("brightness"),
                contrast: number("contrast"),
                saturation: number("saturation"),
            };
            let mut bytes = numbers(&case["image"]);
            jitter(&mut bytes, number("channels") as usize, factors, number("order") as usize);
            assert_eq!(bytes, numbers(&case["result"]), "{factors:?}, order {}", case["order"]);
        }
    }
}
