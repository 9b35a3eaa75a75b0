//! Samples of random numbers: arrays of NumPy, and a picture where they are images.

use super::{Asked, FOLDER, Made};
use crate::runtime::engine::On;
use crate::runtime::error::RunError;
use crate::sema::job::SamplesPlan;
use std::io::Cursor;

/// Samples that are made at once, at most.
const BATCH: usize = 256;
/// Images in a row of a picture, and rows of it, at most.
const GRID: usize = 10;

pub(super) fn make(asked: &Asked, plan: &SamplesPlan, on: On) -> Result<Made, RunError> {
    let batch = plan.count.min(BATCH);
    let mut model = asked.model(std::slice::from_ref(&plan.graph), batch, &[], on)?;
    let outputs = model.programs[0].outputs.clone();
    let mut numbers: Vec<Vec<f32>> = vec![Vec::new(); outputs.len()];
    for step in 0..plan.count.div_ceil(batch) {
        let values = model.run(0, &[], &[], step as u64)?;
        let mut rest = values.as_slice();
        for ((_, shape), numbers) in outputs.iter().zip(&mut numbers) {
            let (own, others) = rest.split_at(shape.iter().product());
            numbers.extend_from_slice(own);
            rest = others;
        }
    }
    let mut files = Vec::new();
    for ((name, shape), mut numbers) in outputs.iter().zip(numbers) {
        let row = &shape[1..];
        numbers.truncate(plan.count * row.iter().product::<usize>());
        let stem = match outputs.len() {
            1 => asked.plan.name.clone(),
            _ => format!("{}.{name}", asked.plan.name),
        };
        let mut keep = |name: String, bytes: &[u8]| {
            asked.dir.write(&name, bytes)?;
            files.push(asked.run.path.join(FOLDER).join(name));
            Ok::<(), RunError>(())
        };
        keep(format!("{stem}.npy"), &npy(plan.count, row, &numbers))?;
        if let Some(image) = Image::of(row) {
            keep(format!("{stem}.png"), &image.picture(&numbers))?;
        }
    }
    Ok(Made { files, lines: Vec::new(), note: None })
}

/// A file of NumPy, version 1.0: `f32[count, row..]`.
fn npy(count: usize, row: &[usize], numbers: &[f32]) -> Vec<u8> {
    let sizes: String = std::iter::once(&count).chain(row).map(|n| format!("{n}, ")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sizes}), }}");
    // Magic, version and length take ten bytes; numbers start at a multiple of 64.
    let filled = (10 + header.len() + 1).next_multiple_of(64);
    header += &" ".repeat(filled - 10 - header.len() - 1);
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    numbers.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
    bytes
}

/// The shape of an image: grey, or red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Image {
    height: usize,
    width: usize,
    channels: usize,
}

impl Image {
    fn of(row: &[usize]) -> Option<Image> {
        match *row {
            [height, width] => Some(Image { height, width, channels: 1 }),
            [height, width, channels @ (1 | 3)] => Some(Image { height, width, channels }),
            _ => None,
        }
    }

    /// The first samples side by side as a PNG; the least number of them is black, the greatest white.
    fn picture(self, numbers: &[f32]) -> Vec<u8> {
        let Image { height, width, channels } = self;
        let each = height * width * channels;
        let shown = (numbers.len() / each).min(GRID * GRID);
        let (across, down) = (shown.min(GRID), shown.div_ceil(GRID));
        let numbers = &numbers[..shown * each];
        let least = numbers.iter().copied().fold(f32::INFINITY, f32::min);
        let most = numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let range = if most > least { most - least } else { 1.0 };
        let mut picture = image::RgbImage::new((across * width) as u32, (down * height) as u32);
        for (sample, numbers) in numbers.chunks(each).enumerate() {
            let (left, top) = (sample % GRID * width, sample / GRID * height);
            for (place, colours) in numbers.chunks(channels).enumerate() {
                let byte = |c: usize| ((colours[c.min(channels - 1)] - least) / range * 255.0).round() as u8;
                let at = ((left + place % width) as u32, (top + place / width) as u32);
                picture.put_pixel(at.0, at.1, image::Rgb([byte(0), byte(1), byte(2)]));
            }
        }
        let mut bytes = Cursor::new(Vec::new());
        let written = picture.write_to(&mut bytes, image::ImageFormat::Png);
        written.expect("generate: a picture can be written to memory");
        bytes.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_of_numpy_starts_at_a_multiple_of_64() {
        let bytes = npy(2, &[3], &[1.0; 6]);
        assert_eq!(bytes.len() % 64, 24);
        let header = String::from_utf8_lossy(&bytes[10..bytes.len() - 24]).to_string();
        assert!(
            header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, ), }"),
            "{header}"
        );
        assert_eq!(bytes[bytes.len() - 4..], 1f32.to_le_bytes());
    }

    #[test]
    fn a_picture_has_rows_of_ten() {
        let image = Image::of(&[2, 3]).unwrap();
        let numbers: Vec<f32> = (0..12 * 6).map(|i| i as f32).collect();
        let picture = image::load_from_memory(&image.picture(&numbers)).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (30, 4));
        assert_eq!((picture.get_pixel(0, 0).0, picture.get_pixel(5, 3).0), ([0; 3], [255; 3]));
        assert_eq!(Image::of(&[2, 3, 4]), None);
    }
}
