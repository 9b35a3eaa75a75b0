//! CIFAR in its binary form: `cifar("cifar10")`, a folder of `.bin` files.
//!
//! CIFAR-10 has `data_batch_*.bin` for training and `test_batch.bin`, whose records are a label and 3 x 32 x 32 bytes, one
//! colour behind the other; CIFAR-100 has `train.bin` and `test.bin`, where a coarse label stands before (Krizhevsky,
//! 2009). Columns `image: u8[32, 32, 3]`, `label`, and `coarse` of CIFAR-100.

use super::Checked;
use super::csv::count;
use super::files::{FileInfo, Input, Places, problem, short_name};
use super::idx::Pairs;
use super::resize::resize_all;
use super::table::{Cells, Origin, RawColumn, Table};
use crate::base::DType;
use crate::sema::job::SourcePlan;
use crate::sema::{SchemaColumn, SourceSchema};
use std::path::{Path, PathBuf};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;

/// Which of the two, by the names of its files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ten,
    Hundred,
}

impl Kind {
    /// The labels of a record, in order, and how many classes each has.
    fn labels(self) -> &'static [(&'static str, usize)] {
        match self {
            Kind::Ten => &[("label", 10)],
            Kind::Hundred => &[("coarse", 20), ("label", 100)],
        }
    }

    fn record(self) -> usize {
        self.labels().len() + 3 * PLANE
    }
}

struct Folder {
    kind: Kind,
    train: Vec<PathBuf>,
    test: Vec<PathBuf>,
}

/// Reads the training files, and the test file if there is one.
pub fn load(
    path: &str,
    to: Option<[usize; 2]>,
    places: &Places,
    source: &SourcePlan,
) -> Checked<Pairs<Table>> {
    let folder = find(path, places, source)?;
    let test = match folder.test.as_slice() {
        [] => None,
        files => Some(read(folder.kind, files, to, source)?),
    };
    Ok(Pairs { train: read(folder.kind, &folder.train, to, source)?, test })
}

/// What the names and sizes of the files tell.
pub fn glance(
    path: &str,
    to: Option<[usize; 2]>,
    places: &Places,
    source: &SourcePlan,
) -> Checked<SourceSchema> {
    let folder = find(path, places, source)?;
    let bytes: u64 = folder.train.iter().filter_map(|f| std::fs::metadata(f).ok()).map(|m| m.len()).sum();
    let column = |name: &str, shape: Vec<usize>, classes| SchemaColumn {
        name: name.to_string(),
        dtype: Some(DType::U8),
        shape,
        classes,
        sample: None,
    };
    let [height, width] = to.unwrap_or([SIDE, SIDE]);
    let labels = folder.kind.labels().iter().map(|(name, classes)| column(name, Vec::new(), Some(*classes)));
    let columns = std::iter::once(column("image", vec![height, width, 3], None)).chain(labels).collect();
    Ok(SourceSchema { columns, rows: Some(bytes as usize / folder.kind.record()), hint: None })
}

fn find(path: &str, places: &Places, source: &SourcePlan) -> Checked<Folder> {
    let folder = places.find(path, source)?;
    let entries = std::fs::read_dir(&folder).map_err(|e| {
        let message = format!("cannot list `{}`: {e}", folder.display());
        Box::new(problem("data::unreadable", message, source).help("`cifar` takes a folder of `.bin` files"))
    })?;
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
    files.sort();
    let named = |start: &str| -> Vec<PathBuf> {
        let fits = |f: &&PathBuf| short_name(f).starts_with(start) && short_name(f).ends_with(".bin");
        files.iter().filter(fits).cloned().collect()
    };
    let (ten, hundred) = (named("data_batch"), named("train"));
    if !ten.is_empty() {
        return Ok(Folder { kind: Kind::Ten, train: ten, test: named("test_batch") });
    }
    if !hundred.is_empty() {
        return Ok(Folder { kind: Kind::Hundred, train: hundred, test: named("test") });
    }
    let message = format!("`{path}` has neither `data_batch_1.bin` nor `train.bin`");
    let help =
        "unpack the binary version of CIFAR-10 or CIFAR-100, and name the folder with its `.bin` files";
    Err(Box::new(problem("data::cifar", message, source).help(help)))
}

fn read(kind: Kind, files: &[PathBuf], to: Option<[usize; 2]>, source: &SourcePlan) -> Checked<Table> {
    let labels = kind.labels();
    let mut columns: Vec<Vec<u8>> = vec![Vec::new(); labels.len()];
    let (mut image, mut infos) = (Vec::new(), Vec::new());
    for file in files {
        let (bytes, info) = records(kind, file, source)?;
        for record in bytes.chunks_exact(kind.record()) {
            let (ids, planes) = record.split_at(labels.len());
            for ((column, id), (name, classes)) in columns.iter_mut().zip(ids).zip(labels) {
                if usize::from(*id) >= *classes {
                    let row = column.len() + 1;
                    let message = format!(
                        "{}: image {row} has the {name} {id}, and there are {classes}",
                        short_name(file)
                    );
                    return Err(Box::new(
                        problem("data::cifar", message, source).help("download the file again"),
                    ));
                }
                column.push(*id);
            }
            image.extend((0..PLANE).flat_map(|i| [planes[i], planes[PLANE + i], planes[2 * PLANE + i]]));
        }
        infos.push(info);
    }
    let name = files.first().map(|f| short_name(f)).unwrap_or_default();
    let rows = columns[0].len();
    let labels = labels.iter().zip(columns);
    let labels = labels.map(|((name, _), data)| RawColumn {
        name: (*name).to_string(),
        cells: Cells::U8 { row: Vec::new(), data },
    });
    let [height, width] = to.unwrap_or([SIDE, SIDE]);
    let image = resize_all(image, &[SIDE, SIDE, 3], [height, width]);
    let image =
        RawColumn { name: "image".into(), cells: Cells::U8 { row: vec![height, width, 3], data: image } };
    let columns = std::iter::once(image).chain(labels).collect();
    Ok(Table { name, rows, columns, files: infos, text: String::new(), origin: Origin::Rows(0) })
}

/// A file that is whole records.
fn records(kind: Kind, file: &Path, source: &SourcePlan) -> Checked<(Vec<u8>, FileInfo)> {
    let mut input = Input::open(file, source)?;
    let mut bytes = Vec::new();
    input.read(u64::MAX, &mut bytes, source)?;
    let (name, record) = (input.name(), kind.record());
    if bytes.is_empty() {
        return Err(Box::new(
            problem("data::empty", format!("{name}: the file is empty"), source).help("name another folder"),
        ));
    }
    if !bytes.len().is_multiple_of(record) {
        let message =
            format!("{name}: {} is no whole number of records of {record}", count(bytes.len(), "byte"));
        let help =
            "download the file again; `cifar` reads the binary version, not those for Python or Matlab";
        return Err(Box::new(problem("data::cifar", message, source).help(help)));
    }
    Ok((bytes, input.finish(source)?))
}
