//! Files of weights that models start from: their headers, and their numbers in the places of ours.

use super::data::{FileInfo, Places};
use super::weights::Weights;
use crate::base::{Bindings, Dim};
use crate::diag::Diagnostic;
use crate::sema::ProbeError;
use crate::sema::job::{Job, ModelInfo, Piece, Pretrained, TensorInfo};
use crate::sema::pretrained::{misfits, way};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata, TensorView};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The length of the header, in front of it.
const LENGTH: u64 = 8;

/// The format's own bound: what claims a longer header is of another kind.
const LONGEST: u64 = 100_000_000;

/// A file of weights in memory.
#[derive(Clone, Debug)]
pub struct WeightFile {
    /// The model that starts from it.
    pub model: String,
    pub bytes: Arc<[u8]>,
    pub info: FileInfo,
}

/// The first place that has a file of weights.
fn find(places: &Places, path: &str) -> Option<PathBuf> {
    places.candidates(path).into_iter().find(|place| place.exists())
}

/// The tensors of a file in the order of their names, by its header; none if the file is not there.
///
/// # Errors
/// If it cannot be read, or is not of the format.
pub fn header(places: &Places, path: &str) -> Result<Option<Vec<TensorInfo>>, ProbeError> {
    let Some(found) = find(places, path) else { return Ok(None) };
    let about = metadata(&found).map_err(|why| match why {
        Damage::Disk(why) => ProbeError { message: format!("cannot read `{path}`: {why}"), help: None },
        Damage::Format(why) => ProbeError {
            message: format!("`{path}` is no file of safetensors: {why}"),
            help: Some("save it with `safetensors.torch.save_file`, or download it again".to_string()),
        },
    })?;
    let all: BTreeMap<String, &safetensors::tensor::TensorInfo> = about.tensors().into_iter().collect();
    let info = |(name, tensor): (String, &safetensors::tensor::TensorInfo)| TensorInfo {
        name,
        dtype: format!("{:?}", tensor.dtype),
        shape: tensor.shape.clone(),
    };
    Ok(Some(all.into_iter().map(info).collect()))
}

/// Why a header cannot be read.
enum Damage {
    Disk(io::Error),
    Format(String),
}

fn metadata(path: &Path) -> Result<Metadata, Damage> {
    let mut file = File::open(path).map_err(Damage::Disk)?;
    let whole = file.metadata().map_err(Damage::Disk)?.len();
    let mut length = [0; LENGTH as usize];
    let short = |e: io::Error| match e.kind() {
        io::ErrorKind::UnexpectedEof => Damage::Format("it is too short".to_string()),
        _ => Damage::Disk(e),
    };
    file.read_exact(&mut length).map_err(short)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST || LENGTH + length > whole {
        return Err(Damage::Format("its first bytes are not the length of a header".to_string()));
    }
    let mut json = Vec::new();
    file.take(length).read_to_end(&mut json).map_err(Damage::Disk)?;
    let about: Metadata = serde_json::from_slice(&json)
        .map_err(|e| Damage::Format(format!("its header does not parse ({e})")))?;
    let end = about.tensors().values().map(|tensor| tensor.data_offsets.1 as u64).max().unwrap_or(0);
    if LENGTH + length + end != whole {
        return Err(Damage::Format(format!("{} bytes are wanted, {whole} are there", LENGTH + length + end)));
    }
    Ok(about)
}

/// Reads the files that the models of a job start from.
///
/// # Errors
/// If one is not there or cannot be read.
pub fn read(job: &Job, places: &Places) -> Result<Vec<WeightFile>, Vec<Diagnostic>> {
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    for model in &job.models {
        let Some(pretrained) = &model.pretrained else { continue };
        match read_one(model, pretrained, places) {
            Ok(file) => files.push(file),
            Err(d) => wrong.push(*d),
        }
    }
    if wrong.is_empty() { Ok(files) } else { Err(wrong) }
}

fn read_one(
    model: &ModelInfo,
    pretrained: &Pretrained,
    places: &Places,
) -> Result<WeightFile, Box<Diagnostic>> {
    let path = &pretrained.path;
    let Some(found) = find(places, path) else {
        let looked: Vec<String> =
            places.candidates(path).iter().map(|place| format!("`{}`", place.display())).collect();
        let message = format!("`{path}` is not there: looked at {}", looked.join(" and "));
        let d = Diagnostic::error("data::missing_file", message, pretrained.path_span, "no such file");
        return Err(Box::new(d.help("correct the path, or name the folder that holds it with `--data DIR`")));
    };
    let bytes = fs::read(&found).map_err(|e| unreadable(pretrained, format!("cannot read `{path}`: {e}")))?;
    let info = FileInfo::of(&found, &bytes);
    Ok(WeightFile { model: model.name.clone(), bytes: bytes.into(), info })
}

fn unreadable(pretrained: &Pretrained, message: String) -> Box<Diagnostic> {
    let at = pretrained.path_span;
    Box::new(Diagnostic::error("weights::unreadable", message, at, "cannot be read as it is"))
}

impl Weights {
    /// Takes what the files of a job's models give, as far as it is here: of several trainings each has the weights
    /// of its own models. Averages start there, too.
    ///
    /// # Errors
    /// What does not fit, all at once; then nothing is taken.
    pub fn take_pretrained(
        &mut self,
        job: &Job,
        files: &[WeightFile],
        bindings: &Bindings,
    ) -> Result<(), Vec<Diagnostic>> {
        let mut wrong = Vec::new();
        for file in files {
            let model = job.models.iter().find(|model| model.name == file.model);
            let pretrained = model.and_then(|model| model.pretrained.as_ref());
            let pretrained = pretrained.expect("runtime: files are those that models name");
            match opened(pretrained, file, bindings) {
                Ok(opened) => self.take_from(pretrained, &opened, bindings),
                Err(found) => wrong.extend(found),
            }
        }
        self.restart_averages();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    fn take_from(&mut self, pretrained: &Pretrained, file: &Opened, bindings: &Bindings) {
        let header = file.header.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        for weight in &pretrained.weights {
            let Some(slot) = self.slots().iter().position(|slot| *slot.name == *weight.name) else {
                continue;
            };
            let pieces = way(weight, &header).expect("runtime: what is missing was reported");
            let mut sum: Option<Vec<f32>> = None;
            for piece in pieces {
                let view = file.tensors.tensor(&piece.name).expect("runtime: the header has it");
                let numbers = turned(piece, &numbers(&view), bindings);
                sum = Some(match sum {
                    None => numbers,
                    Some(sum) => sum.iter().zip(&numbers).map(|(a, b)| a + b).collect(),
                });
            }
            self.put(slot, &sum.expect("sema: a weight is made of one piece or more"));
        }
    }
}

/// A file whose tensors fit.
struct Opened<'f> {
    tensors: SafeTensors<'f>,
    header: Vec<TensorInfo>,
}

fn opened<'f>(
    pretrained: &Pretrained,
    file: &'f WeightFile,
    bindings: &Bindings,
) -> Result<Opened<'f>, Vec<Diagnostic>> {
    let tensors = SafeTensors::deserialize(&file.bytes).map_err(|e| {
        let message = format!("`{}` is no file of safetensors: {e}", pretrained.path);
        vec![*unreadable(pretrained, message)]
    })?;
    let info = |(name, view): (&str, TensorView)| TensorInfo {
        name: name.to_string(),
        dtype: format!("{:?}", view.dtype()),
        shape: view.shape().to_vec(),
    };
    let mut header: Vec<TensorInfo> = tensors.iter().map(info).collect();
    header.sort_by(|a, b| a.name.cmp(&b.name));
    let wrong = misfits(pretrained, &file.model, &header, bindings);
    if wrong.is_empty() { Ok(Opened { tensors, header }) } else { Err(wrong) }
}

/// The numbers of a tensor, each as the nearest `f32`, which is exact.
fn numbers(view: &TensorView) -> Vec<f32> {
    let (data, half) = (view.data(), |b: &[u8]| u16::from_le_bytes([b[0], b[1]]));
    match view.dtype() {
        Dtype::F16 => data.chunks_exact(2).map(|b| of_half(half(b))).collect(),
        Dtype::BF16 => data.chunks_exact(2).map(|b| f32::from_bits(u32::from(half(b)) << 16)).collect(),
        _ => data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
    }
}

/// A number of IEEE 754's binary16: sign, 5 bits of exponent, 10 of the fraction.
fn of_half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits >> 15) << 31, (bits >> 10) & 31, u32::from(bits & 1023));
    let magnitude = match exponent {
        // Below the normal ones: a count of 2^-24, which is a normal `f32`.
        0 => (fraction as f32 * 2f32.powi(-24)).to_bits(),
        31 => 0x7f80_0000 | fraction << 13,
        _ => (u32::from(exponent) + 127 - 15) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

/// What a piece makes of the numbers of its tensor, in the order of the weight.
fn turned(piece: &Piece, numbers: &[f32], bindings: &Bindings) -> Vec<f32> {
    let size = |dim: &Dim| dim.bind(bindings).as_const().expect("runtime: sizes are bound") as usize;
    let (count, kept) = &piece.parts;
    let part = numbers.len() / count;
    let kept: Vec<f32> =
        kept.iter().flat_map(|k| numbers[k * part..(k + 1) * part].iter().copied()).collect();
    let view: Vec<usize> = piece.view.iter().map(size).collect();
    let strides: Vec<usize> = (0..view.len()).map(|axis| view[axis + 1..].iter().product()).collect();
    let shape: Vec<usize> = piece.axes.iter().map(|axis| view[*axis]).collect();
    let steps: Vec<usize> = piece.axes.iter().map(|axis| strides[*axis]).collect();
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(kept.len());
    for _ in 0..kept.len() {
        out.push(kept[index.iter().zip(&steps).map(|(i, step)| i * step).sum::<usize>()]);
        // The next place, the last axis first.
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_exact() {
        let same = |bits: u16, x: f32| assert_eq!(of_half(bits).to_bits(), x.to_bits(), "{bits:04x}");
        same(0x3c00, 1.0);
        same(0xc000, -2.0);
        same(0x7bff, 65504.0);
        same(0x0001, 2f32.powi(-24));
        same(0x0400, 2f32.powi(-14));
        same(0x8000, -0.0);
        same(0x3555, 0.333_251_95);
        assert_eq!(of_half(0xfc00), f32::NEG_INFINITY);
        assert!(of_half(0x7e00).is_nan());
    }

    #[test]
    fn pieces_are_cut_and_turned() {
        let dims = |sizes: &[usize]| sizes.iter().map(|n| Dim::from(*n)).collect::<Vec<_>>();
        let piece = Piece {
            name: "w".into(),
            shape: dims(&[6, 2]),
            parts: (3, vec![2, 0]),
            view: dims(&[4, 2]),
            axes: vec![1, 0],
        };
        let numbers: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let rows = [[8.0, 9.0], [10.0, 11.0], [0.0, 1.0], [2.0, 3.0]];
        let columns: Vec<f32> = (0..2).flat_map(|j| rows.iter().map(move |row| row[j])).collect();
        assert_eq!(turned(&piece, &numbers, &Bindings::new()), columns);
    }
}
