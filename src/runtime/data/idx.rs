//! Images and labels in IDX files: `idx("mnist")`.
//!
//! A folder holds pairs of files, told apart by `images` and `labels` in their names; `train` marks the
//! training pair, `test` or `t10k` the test pair, and a single pair without either is all training data.
//! The format (LeCun, 1998): two zero bytes, the type (8: unsigned byte), the number of axes, each axis'
//! size as a big-endian u32, then the elements, row-major. Sizes are checked before memory is asked for.

use super::csv::count;
use super::files::{FileInfo, Input, Places, problem, short_name};
use super::resize::resize_all;
use super::steps::classes_of;
use super::table::{Cells, Origin, RawColumn, Table};
use crate::diag::Diagnostic;
use crate::sema::job::SourcePlan;
use std::path::{Path, PathBuf};

/// The training pair, and the test pair if the folder has one.
#[derive(Debug)]
pub struct Pairs<T> {
    pub train: T,
    pub test: Option<T>,
}

/// What a glance at the training pair tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    pub rows: usize,
    /// Of one image: `[28, 28]`.
    pub image: Vec<usize>,
    pub classes: usize,
}

struct PairPaths {
    images: PathBuf,
    labels: PathBuf,
}

/// Reads both pairs.
pub fn load(
    path: &str,
    to: Option<[usize; 2]>,
    places: &Places,
    source: &SourcePlan,
) -> Result<Pairs<Table>, Box<Diagnostic>> {
    let pairs = find(path, places, source)?;
    let test = pairs.test.as_ref().map(|pair| load_pair(pair, to, source)).transpose()?;
    Ok(Pairs { train: load_pair(&pairs.train, to, source)?, test })
}

/// Reads the header of the images, and the labels: they are few bytes, and tell the classes.
pub fn glance(
    path: &str,
    to: Option<[usize; 2]>,
    places: &Places,
    source: &SourcePlan,
) -> Result<Glance, Box<Diagnostic>> {
    let pairs = find(path, places, source)?;
    let (_, images) = open(&pairs.train.images, source)?;
    let (label_file, labels) = open(&pairs.train.labels, source)?;
    check_pair(&pairs.train, &images, &labels, source)?;
    let (bytes, _) = elements(label_file, &labels, source)?;
    let image = resized_shape(&images[1..], to, source)?;
    Ok(Glance { rows: images[0], image, classes: classes_of(&bytes) })
}

fn find(path: &str, places: &Places, source: &SourcePlan) -> Result<Pairs<PairPaths>, Box<Diagnostic>> {
    let folder = places.find(path, source)?;
    let entries = std::fs::read_dir(&folder).map_err(|e| {
        let message = format!("cannot list `{}`: {e}", folder.display());
        Box::new(problem("data::unreadable", message, source).help("`idx` takes a folder of IDX files"))
    })?;
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
    files.retain(|f| f.is_file() && part(f).is_some());
    // Compressed and plain copies of one file may lie side by side: the plain one sorts first and wins.
    files.sort();
    let pick = |wanted: Part, what: &str| {
        files.iter().find(|f| part(f) == Some(wanted) && lower_name(f).contains(what)).cloned()
    };
    let pair = |wanted| match (pick(wanted, "images"), pick(wanted, "labels")) {
        (Some(images), Some(labels)) => Ok(Some(PairPaths { images, labels })),
        (None, None) => Ok(None),
        (Some(alone), None) => Err(lonely(&folder, &alone, "labels", source)),
        (None, Some(alone)) => Err(lonely(&folder, &alone, "images", source)),
    };
    let train = match pair(Part::Train)? {
        Some(train) => Some(train),
        None => pair(Part::Unnamed)?,
    };
    let train = train.ok_or_else(|| {
        let message = format!("`{}` has no pair of IDX files for training", folder.display());
        let help = "two files are needed, with `images` and `labels` in their names: train-images-idx3-ubyte.gz, \
                    train-labels-idx1-ubyte.gz";
        Box::new(problem("data::idx", message, source).help(help))
    })?;
    Ok(Pairs { train, test: pair(Part::Test)? })
}

fn lonely(folder: &Path, alone: &Path, lacking: &str, source: &SourcePlan) -> Box<Diagnostic> {
    let message = format!("`{}` has {}, but not its {lacking}", folder.display(), short_name(alone));
    Box::new(problem("data::idx", message, source).help("put the other file of the pair beside it"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Test,
    Unnamed,
}

fn lower_name(path: &Path) -> String {
    short_name(path).to_lowercase()
}

/// What a file's name says; none if it is no IDX file by name.
fn part(path: &Path) -> Option<Part> {
    let name = lower_name(path);
    let stem = name.strip_suffix(".gz").unwrap_or(&name);
    let text = [".md", ".txt", ".csv", ".json"].iter().any(|e| stem.ends_with(e));
    if text || !(name.contains("images") || name.contains("labels")) {
        None
    } else if name.contains("t10k") || name.contains("test") {
        Some(Part::Test)
    } else if name.contains("train") {
        Some(Part::Train)
    } else {
        Some(Part::Unnamed)
    }
}

fn load_pair(
    pair: &PairPaths,
    to: Option<[usize; 2]>,
    source: &SourcePlan,
) -> Result<Table, Box<Diagnostic>> {
    let (image_file, image_sizes) = open(&pair.images, source)?;
    let (label_file, label_sizes) = open(&pair.labels, source)?;
    check_pair(pair, &image_sizes, &label_sizes, source)?;
    let name = label_file.name();
    let (images, image_info) = elements(image_file, &image_sizes, source)?;
    let (labels, label_info) = elements(label_file, &label_sizes, source)?;
    let row = resized_shape(&image_sizes[1..], to, source)?;
    let images = match to {
        Some(to) => resize_all(images, &image_sizes[1..], to),
        None => images,
    };
    Ok(Table {
        name,
        rows: image_sizes[0],
        columns: vec![
            RawColumn { name: "image".into(), cells: Cells::U8 { row, data: images } },
            RawColumn { name: "label".into(), cells: Cells::U8 { row: Vec::new(), data: labels } },
        ],
        files: vec![image_info, label_info],
        text: String::new(),
        origin: Origin::Rows(0),
    })
}

/// What images of a shape are after `resize`.
fn resized_shape(
    image: &[usize],
    to: Option<[usize; 2]>,
    source: &SourcePlan,
) -> Result<Vec<usize>, Box<Diagnostic>> {
    let Some([height, width]) = to else { return Ok(image.to_vec()) };
    if let [_, _, channels @ ..] = image
        && channels.len() < 2
    {
        return Ok([&[height, width], channels].concat());
    }
    let message = format!("rows of {} have no height and width to resize", count(image.len(), "axis"));
    Err(Box::new(problem("data::idx", message, source).help("leave `resize` out")))
}

fn check_pair(
    pair: &PairPaths,
    images: &[usize],
    labels: &[usize],
    source: &SourcePlan,
) -> Result<(), Box<Diagnostic>> {
    let (image_name, label_name) = (short_name(&pair.images), short_name(&pair.labels));
    if labels.len() != 1 {
        let message = format!("{label_name}: labels have one axis, this file has {}", labels.len());
        return Err(problem("data::idx", message, source));
    }
    if images.len() < 2 {
        let message = format!("{image_name}: images have at least two axes, this file has {}", images.len());
        return Err(problem("data::idx", message, source));
    }
    if images[0] != labels[0] {
        let message = format!(
            "{image_name} has {}, but {label_name} has {}",
            count(images[0], "image"),
            count(labels[0], "label")
        );
        return Err(Box::new(
            problem("data::idx", message, source).help("take both files from one download"),
        ));
    }
    if images[0] == 0 {
        return Err(problem("data::empty", format!("{image_name}: the file has no images"), source));
    }
    Ok(())
}

/// Opens a file and reads its header.
fn open(path: &Path, source: &SourcePlan) -> Result<(Input, Vec<usize>), Box<Diagnostic>> {
    let mut input = Input::open(path, source)?;
    let name = input.name();
    let mut bytes = Vec::new();
    input.read(4, &mut bytes, source)?;
    if bytes.is_empty() {
        let message = format!("{name}: the file is empty");
        return Err(Box::new(problem("data::empty", message, source).help("name another file")));
    }
    let &[0, 0, kind, axes] = bytes.as_slice() else {
        let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let message = format!("{name}: starts with the bytes {}, an IDX file with 00 00", hex.join(" "));
        let help = "name a folder of IDX files, such as MNIST's";
        return Err(Box::new(problem("data::magic", message, source).help(help)));
    };
    if kind != 8 {
        let message =
            format!("{name}: holds elements of IDX type 0x{kind:02x}; unsigned bytes (0x08) are read");
        return Err(problem("data::magic", message, source));
    }
    let mut header = Vec::new();
    input.read(4 * u64::from(axes), &mut header, source)?;
    let sizes: Vec<usize> = header
        .chunks_exact(4)
        .map(|b| u32::from_be_bytes(b.try_into().expect("idx: chunks of four")) as usize)
        .collect();
    if sizes.len() != usize::from(axes) || sizes.is_empty() {
        let message = format!("{name}: the header ends before its {}", count(axes.into(), "size"));
        return Err(problem("data::idx", message, source));
    }
    let claimed = sizes.iter().try_fold(1u64, |n, d| n.checked_mul(*d as u64));
    if claimed.is_none_or(|n| n > input.at_most) {
        let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
        let message =
            format!("{name}: the header claims {} bytes, more than the file can hold", sizes.join(" x "));
        return Err(Box::new(problem("data::idx", message, source).help("download the file again")));
    }
    Ok((input, sizes))
}

/// The elements behind the header: exactly as many as it says.
fn elements(
    mut input: Input,
    sizes: &[usize],
    source: &SourcePlan,
) -> Result<(Vec<u8>, FileInfo), Box<Diagnostic>> {
    let claimed: usize = sizes.iter().product();
    let mut bytes = Vec::with_capacity(claimed);
    input.read(claimed as u64, &mut bytes, source)?;
    let mut more = Vec::new();
    input.read(1, &mut more, source)?;
    if bytes.len() < claimed || !more.is_empty() {
        let found = if more.is_empty() { bytes.len().to_string() } else { "more".to_string() };
        let message =
            format!("{}: the header says {claimed} bytes of elements, the file has {found}", input.name());
        return Err(Box::new(problem("data::idx", message, source).help("download the file again")));
    }
    Ok((bytes, input.finish(source)?))
}
