//! Images brought to another size, as Pillow's `Image.resize(size, Image.BILINEAR)` does it, to the bit.
//!
//! Each new pixel is a mean of old ones under a triangle as wide as the larger of both pixels, so that making an image
//! smaller leaves none out. First along rows, then along columns, in whole numbers of 22 binary places, rounded to bytes
//! in between (Pillow, `src/libImaging/Resample.c`).

/// Binary places of a weight.
const PLACES: u32 = 22;

/// The old pixels that a new one is made of, from the first on.
struct Mean {
    first: usize,
    weights: Vec<i64>,
}

/// `image` of `from` (height, width) brought to `to`.
pub fn resize(image: Vec<u8>, from: [usize; 2], to: [usize; 2], channels: usize) -> Vec<u8> {
    let rows = match from[1] == to[1] {
        true => image,
        false => along_rows(&image, from, to[1], channels),
    };
    match from[0] == to[0] {
        true => rows,
        false => along_columns(&rows, [from[0], to[1]], to[0], channels),
    }
}

/// Images one behind the other, each `[height, width]` or `[height, width, channels]`, brought to another size.
pub fn resize_all(images: Vec<u8>, shape: &[usize], to: [usize; 2]) -> Vec<u8> {
    let ([height, width] | [height, width, _]) = *shape else {
        panic!("resize: checked, an image has height and width");
    };
    let channels = shape.get(2).copied().unwrap_or(1);
    if [height, width] == to {
        return images;
    }
    let size = (height * width * channels).max(1);
    images
        .chunks_exact(size)
        .flat_map(|image| resize(image.to_vec(), [height, width], to, channels))
        .collect()
}

fn along_rows(image: &[u8], [height, width]: [usize; 2], to: usize, channels: usize) -> Vec<u8> {
    let means = means(width, to);
    let mut out = Vec::with_capacity(height * to * channels);
    for row in image.chunks_exact(width * channels) {
        for mean in &means {
            for channel in 0..channels {
                out.push(mean.of(|i| row[i * channels + channel]));
            }
        }
    }
    out
}

fn along_columns(image: &[u8], [_, width]: [usize; 2], to: usize, channels: usize) -> Vec<u8> {
    let stride = width * channels;
    let height = image.len() / stride;
    let mut out = Vec::with_capacity(to * stride);
    for mean in means(height, to) {
        out.extend((0..stride).map(|x| mean.of(|i| image[i * stride + x])));
    }
    out
}

impl Mean {
    fn of(&self, pixel: impl Fn(usize) -> u8) -> u8 {
        let half = 1i64 << (PLACES - 1);
        let sum: i64 =
            self.weights.iter().enumerate().map(|(i, w)| i64::from(pixel(self.first + i)) * w).sum();
        ((half + sum) >> PLACES).clamp(0, 255) as u8
    }
}

fn means(from: usize, to: usize) -> Vec<Mean> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    (0..to)
        .map(|at| {
            let center = (at as f64 + 0.5) * scale;
            let first = (center - reach + 0.5).max(0.0) as usize;
            let end = ((center + reach + 0.5) as usize).min(from);
            let triangle = |i: usize| (1.0 - ((i as f64 - center + 0.5) / reach).abs()).max(0.0);
            let raw: Vec<f64> = (first..end).map(triangle).collect();
            let sum: f64 = raw.iter().sum();
            let weights = raw.iter().map(|w| (w / sum * f64::from(1 << PLACES) + 0.5) as i64).collect();
            Mean { first, weights }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Image.fromarray(a).resize((w, h), Image.BILINEAR)` of Pillow 13, where `a` counts by 37 modulo 256.
    #[test]
    fn pixels_are_those_of_pillow() {
        let image = |n: usize| (0..n).map(|i| (i * 37 % 256) as u8).collect::<Vec<u8>>();
        assert_eq!(
            resize(image(35), [5, 7], [3, 4], 1),
            [20, 78, 146, 204, 25, 83, 151, 209, 30, 88, 156, 214]
        );
        assert_eq!(
            resize(image(18), [2, 3], [4, 5], 3),
            [
                0, 37, 74, 44, 81, 118, 111, 148, 185, 178, 61, 98, 222, 3, 40, 19, 56, 93, 63, 100, 112,
                130, 167, 140, 159, 80, 92, 177, 22, 59, 58, 95, 132, 102, 139, 99, 169, 206, 51, 120, 119,
                79, 88, 61, 98, 77, 114, 151, 121, 158, 93, 188, 225, 6, 101, 138, 73, 43, 80, 117
            ]
        );
        assert_eq!(
            resize(image(36), [9, 4], [4, 4], 1),
            [71, 108, 145, 73, 123, 153, 84, 103, 150, 81, 111, 148, 89, 126, 163, 104]
        );
    }
}
