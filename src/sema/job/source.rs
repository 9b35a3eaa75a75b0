//! Where the rows of a `data` section come from, checked.

use crate::base::{DType, Span, TensorType};

/// A call such as `csv("adult.data", missing="?")`, checked.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    pub kind: SourceKind,
    /// The call in the user's text; its path argument, if it has one.
    pub span: Span,
    pub path_span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// A table of text; `.gz` too.
    Csv { path: String, dialect: Dialect },
    /// One JSON object a line; `.gz` too. Strings among `missing` are missing values, as `null` is.
    Jsonl { path: String, missing: Vec<String> },
    /// One array of NumPy, called as the file; `.gz` too.
    Npy { path: String },
    /// Arrays of NumPy by name.
    Npz { path: String },
    /// Flat columns of a Parquet file.
    Parquet { path: String },
    /// What a database answers.
    Sql { database: Database, rows: SqlRows },
    /// Pairs of IDX files in a folder, told apart by `train`, `test`, `t10k`, `images`, `labels`
    /// in their names; `.gz` too, brought to one size (height, width) if that is given. Columns `image: u8[rows, cols]` and
    /// `label: class(n)`.
    Idx { path: String, resize: Option<[usize; 2]> },
    /// Binary files of CIFAR-10 or CIFAR-100 in a folder. Columns `image: u8[32, 32, 3]`, `label`, and `coarse` of
    /// CIFAR-100. Brought to another size as well.
    Cifar { path: String, resize: Option<[usize; 2]> },
    /// PNG and JPEG files in a folder for each class, brought to one size (height, width) if that is given. Columns
    /// `image: u8[height, width, channels]`, `label`.
    Images { path: String, resize: Option<[usize; 2]> },
    /// Images with boxes around things, as Pascal VOC writes them. Columns `image: u8[height, width, channels]`, `boxes:
    /// f32[n, 4]`, `labels: i32[n]`, `mask: f32[n]`.
    Voc(VocPlan),
    /// A file as one row: a column `text`; `.gz` too.
    Text { path: String },
    /// Files of lines, each a row of the column `text`; of several, the column `label` has the name of the file. `.gz`
    /// too.
    Lines { files: Vec<LinesFile> },
    /// Files whose lines belong together, each a column of its name; `.gz` too.
    Parallel { files: Vec<LinesFile> },
    /// Made up from a seed: `synthetic(xor, rows=1000, seed=1)`.
    Synthetic { generator: Generator, rows: usize, seed: u64 },
}

impl SourceKind {
    /// Whether there may be files of a test part beside those that train.
    pub fn may_bring_test(&self) -> bool {
        match self {
            SourceKind::Idx { .. }
            | SourceKind::Cifar { .. }
            | SourceKind::Images { .. }
            | SourceKind::Voc(_) => true,
            SourceKind::Csv { .. }
            | SourceKind::Jsonl { .. }
            | SourceKind::Npy { .. }
            | SourceKind::Npz { .. }
            | SourceKind::Parquet { .. }
            | SourceKind::Sql { .. }
            | SourceKind::Text { .. }
            | SourceKind::Lines { .. }
            | SourceKind::Parallel { .. }
            | SourceKind::Synthetic { .. } => false,
        }
    }

    /// Whether its columns are cells that `name : how` may type.
    pub fn is_table(&self) -> bool {
        match self {
            SourceKind::Csv { .. }
            | SourceKind::Jsonl { .. }
            | SourceKind::Npy { .. }
            | SourceKind::Npz { .. }
            | SourceKind::Parquet { .. }
            | SourceKind::Sql { .. }
            | SourceKind::Text { .. }
            | SourceKind::Lines { .. }
            | SourceKind::Parallel { .. } => true,
            SourceKind::Idx { .. }
            | SourceKind::Cifar { .. }
            | SourceKind::Images { .. }
            | SourceKind::Voc(_)
            | SourceKind::Synthetic { .. } => false,
        }
    }

    /// Whether its single values are text until a spec gives them a type.
    pub fn is_text(&self) -> bool {
        match self {
            SourceKind::Csv { .. }
            | SourceKind::Jsonl { .. }
            | SourceKind::Text { .. }
            | SourceKind::Lines { .. }
            | SourceKind::Parallel { .. } => true,
            SourceKind::Npy { .. }
            | SourceKind::Npz { .. }
            | SourceKind::Parquet { .. }
            | SourceKind::Sql { .. }
            | SourceKind::Idx { .. }
            | SourceKind::Cifar { .. }
            | SourceKind::Images { .. }
            | SourceKind::Voc(_)
            | SourceKind::Synthetic { .. } => false,
        }
    }

    /// The files and folders that it names; none of what is on a server or made up.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            SourceKind::Csv { path, .. }
            | SourceKind::Jsonl { path, .. }
            | SourceKind::Npy { path }
            | SourceKind::Npz { path }
            | SourceKind::Parquet { path }
            | SourceKind::Sql { database: Database::Sqlite { path }, .. }
            | SourceKind::Text { path }
            | SourceKind::Cifar { path, .. }
            | SourceKind::Images { path, .. }
            | SourceKind::Voc(VocPlan { path, .. })
            | SourceKind::Idx { path, .. } => vec![path],
            SourceKind::Lines { files } | SourceKind::Parallel { files } => {
                files.iter().map(|file| file.path.as_str()).collect()
            }
            SourceKind::Sql { database: Database::Postgres { .. }, .. } | SourceKind::Synthetic { .. } => {
                Vec::new()
            }
        }
    }

    /// Of Pascal VOC, what is read.
    pub fn voc(&self) -> Option<&VocPlan> {
        match self {
            SourceKind::Voc(plan) => Some(plan),
            _other => None,
        }
    }

    /// How its fields lie in its text, if they do.
    pub fn dialect(&self) -> Option<&Dialect> {
        match self {
            SourceKind::Csv { dialect, .. } => Some(dialect),
            SourceKind::Jsonl { .. }
            | SourceKind::Npy { .. }
            | SourceKind::Npz { .. }
            | SourceKind::Parquet { .. }
            | SourceKind::Sql { .. }
            | SourceKind::Text { .. }
            | SourceKind::Lines { .. }
            | SourceKind::Parallel { .. }
            | SourceKind::Idx { .. }
            | SourceKind::Cifar { .. }
            | SourceKind::Images { .. }
            | SourceKind::Voc(_)
            | SourceKind::Synthetic { .. } => None,
        }
    }

    /// The sign before the fraction of its numbers.
    pub fn decimal(&self) -> u8 {
        self.dialect().map_or(b'.', |dialect| dialect.decimal)
    }
}

/// A folder of Pascal VOC, and what of it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VocPlan {
    pub path: String,
    /// In the order of their ids.
    pub classes: Vec<String>,
    /// Classes whose things are left out.
    pub skip: Vec<String>,
    /// Room for so many boxes an image.
    pub boxes: usize,
    /// A list of `ImageSets/Main` that alone is read.
    pub set: Option<String>,
    /// Height and width.
    pub resize: Option<[usize; 2]>,
    /// Whether boxes are cut at the borders of their image instead of refused.
    pub clip: bool,
}

impl VocPlan {
    /// What its columns are, whatever the files hold; none of the image.
    pub fn type_of(&self, column: &str) -> Option<TensorType> {
        match column {
            "boxes" => Some(TensorType::f32([self.boxes, 4])),
            "labels" => Some(TensorType::new(DType::I32, [self.boxes])),
            "mask" => Some(TensorType::f32([self.boxes])),
            _image => None,
        }
    }
}

/// A file of lines among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinesFile {
    /// Of the column, or of the label of its rows; empty of a file that stands alone.
    pub name: String,
    pub path: String,
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file.
    Sqlite { path: String },
    /// A server; the address has no password.
    Postgres { url: String },
}

/// Which rows of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlRows {
    Query(String),
    /// All rows of a table: `orders`, `shop.orders`.
    Table(String),
}

/// How the fields of a table lie in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The names of the columns, if not those of the first line.
    pub columns: Option<Vec<String>>,
    /// Whether the first line has names. If not, and without `columns`, they are `c1`, `c2`, ….
    pub header: bool,
    pub sep: u8,
    pub decimal: u8,
    /// What an unquoted cell of a missing value holds.
    pub missing: Vec<String>,
    /// Lines to leave out at the top.
    pub skip: usize,
    /// Lines that start with this sign are left out.
    pub comment: Option<u8>,
}

impl Default for Dialect {
    fn default() -> Self {
        Dialect {
            columns: None,
            header: true,
            sep: b',',
            decimal: b'.',
            missing: vec![String::new()],
            skip: 0,
            comment: None,
        }
    }
}

/// What `synthetic` can make. All draw from counter-based random numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Generator {
    /// `x: f32[features]`, `y: f32`: a linear rule with Gaussian noise.
    Line { features: usize, noise: f64 },
    /// `x: f32[2]`, `y: class(2)`: the four corners in turn, optionally with noise.
    Xor { noise: f64 },
    /// `x: f32[features]`, `y: class(classes)`, as scikit-learn's `make_classification`.
    Classification {
        features: usize,
        informative: usize,
        redundant: usize,
        classes: usize,
        class_sep: f64,
        flip: f64,
    },
    /// `tokens: i32[length]`, ids below `vocab`.
    Tokens { length: usize, vocab: usize },
    /// `image: f32[height, width, channels]` in [0, 1], `label: class(classes)` by a linear rule.
    Images { height: usize, width: usize, channels: usize, classes: usize },
    /// `x: f32[features]` standard normal, `y: class(classes)` by a linear rule.
    Normal { features: usize, classes: usize },
}
