//! Images in a folder: `images("photos")`. Each folder inside is a class, called as the folder, in the order of the names;
//! PNG and JPEG.
//!
//! All images have one size, or `resize` brings them to one. They have three channels, or one if all files are grey; what
//! is transparent is dropped. Files are decoded by several threads and lie in the order of their names.

use super::Checked;
use super::files::{FileInfo, Places, problem, short_name};
use super::resize::resize;
use super::table::{Cell, Cells, Origin, RawColumn, Table};
use crate::base::DType;
use crate::diag::Diagnostic;
use crate::sema::job::SourcePlan;
use crate::sema::{Sample, SchemaColumn, SourceSchema};
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// An image of more pixels is taken for a damaged file.
const MOST_PIXELS: u64 = 1 << 26;

/// What a folder holds, by names.
struct Listed {
    classes: Vec<String>,
    /// Each with its class, in order.
    files: Vec<(usize, PathBuf)>,
}

/// What the start of a file says.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Header {
    height: usize,
    width: usize,
    grey: bool,
}

/// Images of one size, row after row, and what was read.
pub struct Decoded {
    pub image: Cells,
    /// Height and width of each as it lies in its file.
    pub sizes: Vec<[usize; 2]>,
    pub files: Vec<FileInfo>,
}

/// Reads all images.
pub fn load(path: &str, to: Option<[usize; 2]>, places: &Places, source: &SourcePlan) -> Checked<Table> {
    let listed = list(path, places, source)?;
    let files: Vec<PathBuf> = listed.files.iter().map(|(_, file)| file.clone()).collect();
    let Decoded { image, files, .. } = decode(&files, to, "images", source)?;
    Ok(table(path, &listed, image, files))
}

/// Decodes files, brought to the size `to` or of one size already; `call` is the source as a spec calls it.
pub fn decode(
    files: &[PathBuf],
    to: Option<[usize; 2]>,
    call: &str,
    source: &SourcePlan,
) -> Checked<Decoded> {
    let bytes = read_all(files, source)?;
    let headers: Vec<Header> = of_all(&bytes, header)
        .into_iter()
        .zip(files)
        .map(|(header, file)| header.map_err(|why| bad(file, &why, source)))
        .collect::<Checked<_>>()?;
    let grey = headers.iter().all(|h| h.grey);
    let sizes: Vec<[usize; 2]> = headers.iter().map(|h| [h.height, h.width]).collect();
    let [height, width] = match to {
        Some(to) => to,
        None => one_size(&sizes, files, call, source)?,
    };
    let channels = if grey { 1 } else { 3 };
    let size = height * width * channels;
    let pixels = of_all(&bytes, |bytes| {
        pixels(bytes, grey).map(|(image, from)| resize(image, from, [height, width], channels))
    });
    let mut data = Vec::with_capacity(size * files.len());
    for (image, file) in pixels.into_iter().zip(files) {
        data.extend(image.map_err(|why| bad(file, &why, source))?);
    }
    let files = files.iter().zip(&bytes).map(|(file, bytes)| FileInfo::of(file, bytes)).collect();
    Ok(Decoded { image: Cells::U8 { row: vec![height, width, channels], data }, sizes, files })
}

/// Height, width and channels of an image, as its header says.
pub fn shape_of(file: &Path, source: &SourcePlan) -> Checked<[usize; 3]> {
    let bytes = std::fs::read(file).map_err(|e| bad(file, &e.to_string(), source))?;
    let Header { height, width, grey } = header(&bytes).map_err(|why| bad(file, &why, source))?;
    Ok([height, width, if grey { 1 } else { 3 }])
}

fn table(path: &str, listed: &Listed, image: Cells, files: Vec<FileInfo>) -> Table {
    let mut text = String::new();
    let words: Vec<Cell> = listed
        .classes
        .iter()
        .map(|class| {
            let lo = text.len() as u32;
            text.push_str(class);
            Cell { lo, hi: text.len() as u32, missing: false }
        })
        .collect();
    let labels = listed.files.iter().map(|(class, _)| words[*class]).collect();
    Table {
        name: path.to_string(),
        rows: listed.files.len(),
        columns: vec![
            RawColumn { name: "image".into(), cells: image },
            RawColumn { name: "label".into(), cells: Cells::Text(labels) },
        ],
        files,
        text,
        origin: Origin::Listed((1..=listed.files.len() as u32).collect()),
    }
}

/// Looks at the names of the folders and the header of the first file.
pub fn glance(
    path: &str,
    to: Option<[usize; 2]>,
    places: &Places,
    source: &SourcePlan,
) -> Checked<SourceSchema> {
    let listed = list(path, places, source)?;
    let [height, width, channels] = shape_of(&listed.files[0].1, source)?;
    let [height, width] = to.unwrap_or([height, width]);
    let image = SchemaColumn {
        name: "image".into(),
        dtype: Some(DType::U8),
        shape: vec![height, width, channels],
        classes: None,
        sample: None,
    };
    let classes = listed.classes.len();
    let sample = Sample { rows: classes, distinct: classes, words: listed.classes, ..Sample::default() };
    let label = SchemaColumn {
        name: "label".into(),
        dtype: None,
        shape: Vec::new(),
        classes: Some(classes),
        sample: Some(sample),
    };
    Ok(SourceSchema { columns: vec![image, label], rows: Some(listed.files.len()), hint: None })
}

fn list(path: &str, places: &Places, source: &SourcePlan) -> Checked<Listed> {
    let folder = places.find(path, source)?;
    let mut listed = Listed { classes: Vec::new(), files: Vec::new() };
    for class in sorted(&folder, source)?.into_iter().filter(|entry| entry.is_dir()) {
        let files: Vec<PathBuf> = sorted(&class, source)?.into_iter().filter(|file| is_image(file)).collect();
        if !files.is_empty() {
            let number = listed.classes.len();
            listed.classes.push(short_name(&class));
            listed.files.extend(files.into_iter().map(|file| (number, file)));
        }
    }
    if listed.files.is_empty() {
        let message = format!("`{path}` has no folders with PNG or JPEG files inside");
        let help = "`images` takes a folder that has a folder for each class: cats/1.png, dogs/1.png";
        return Err(Box::new(problem("data::image", message, source).help(help)));
    }
    Ok(listed)
}

/// What a folder holds, by names.
fn sorted(folder: &Path, source: &SourcePlan) -> Checked<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| {
        let message = format!("cannot list `{}`: {e}", folder.display());
        Box::new(problem("data::unreadable", message, source).help("`images` takes a folder of folders"))
    })?;
    let mut all: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
    all.retain(|path| !short_name(path).starts_with('.'));
    all.sort();
    Ok(all)
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    matches!(ending.as_deref(), Some("png" | "jpg" | "jpeg"))
}

fn read_all(files: &[PathBuf], source: &SourcePlan) -> Checked<Vec<Vec<u8>>> {
    let read = |file: &PathBuf| std::fs::read(file).map_err(|e| bad(file, &e.to_string(), source));
    files.iter().map(read).collect()
}

fn bad(file: &Path, why: &str, source: &SourcePlan) -> Box<Diagnostic> {
    let folder = file.parent().map(short_name).unwrap_or_default();
    let message = format!("{folder}/{}: {why}", short_name(file));
    Box::new(
        problem("data::image", message, source)
            .help("take the file out of the folder, or save it again as PNG"),
    )
}

/// A function of each file, by as many threads as the machine has, in order.
fn of_all<T: Send>(all: &[Vec<u8>], f: impl Fn(&[u8]) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = all.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let f = &f;
        let work: Vec<_> = all
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(|b| f(b)).collect::<Vec<T>>()))
            .collect();
        work.into_iter().flat_map(|w| w.join().expect("data: decoding does not panic")).collect()
    })
}

fn decoder(bytes: &[u8]) -> Result<impl ImageDecoder, String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err("this is neither PNG nor JPEG".to_string());
    }
    reader.into_decoder().map_err(|e| e.to_string())
}

fn header(bytes: &[u8]) -> Result<Header, String> {
    let decoder = decoder(bytes)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err("the header says that it has no pixels".to_string());
    }
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(format!("the header claims {width} x {height} pixels, more than are read"));
    }
    let grey =
        matches!(decoder.color_type(), ColorType::L8 | ColorType::L16 | ColorType::La8 | ColorType::La16);
    Ok(Header { height: height as usize, width: width as usize, grey })
}

/// The bytes of an image, height by width by channels.
fn pixels(bytes: &[u8], grey: bool) -> Result<(Vec<u8>, [usize; 2]), String> {
    let image = DynamicImage::from_decoder(decoder(bytes)?).map_err(|e| e.to_string())?;
    let size = [image.height() as usize, image.width() as usize];
    Ok((if grey { image.into_luma8().into_raw() } else { image.into_rgb8().into_raw() }, size))
}

fn one_size(sizes: &[[usize; 2]], files: &[PathBuf], call: &str, source: &SourcePlan) -> Checked<[usize; 2]> {
    let first = sizes[0];
    let Some(other) = sizes.iter().position(|size| *size != first) else { return Ok(first) };
    let name = |at: usize| short_name(&files[at]);
    let [height, width] = sizes[other];
    let message = format!(
        "{} is {} x {}, but {} is {height} x {width} (height x width)",
        name(0),
        first[0],
        first[1],
        name(other)
    );
    let help = format!("bring all to one size: `{call}(…, resize=[{}, {}])`", first[0], first[1]);
    Err(Box::new(problem("data::image", message, source).help(help)))
}
