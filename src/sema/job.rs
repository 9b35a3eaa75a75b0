//! A checked spec: everything that a run needs to know, nothing left to look up.

use crate::base::{DType, Dim, Shape, Span, TensorType};
use crate::diag::Code;
use crate::graph::{Graph, Value};
pub use crate::ops::clip::Clip;
pub use crate::ops::metric::{Better, Finish};
pub use crate::ops::plateau::Plateau;
pub use crate::ops::schedule::Schedule;
pub use crate::ops::stop::EarlyStopping;
pub use crate::ops::transform::{Classes, Encode, Windows};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What `check` makes of a spec.
#[derive(Clone, Debug)]
pub struct Job {
    /// The spec's file stem: `digits`.
    pub name: String,
    /// Every `param` and `dim` with its value, in the order of the text.
    pub params: Vec<(String, ParamValue)>,
    pub data: Vec<DataPlan>,
    pub models: Vec<ModelInfo>,
    /// The `train` sections, in order. Empty in a spec that only declares.
    pub trains: Vec<TrainPlan>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    Int(i64),
    Float(f64),
    Bool(bool),
    Str(String),
}

/// A `data` section.
#[derive(Clone, Debug)]
pub struct DataPlan {
    pub name: String,
    pub span: Span,
    pub source: SourcePlan,
    /// `valid =` and `test =` beside `source`.
    pub valid: Option<SourcePlan>,
    pub test: Option<SourcePlan>,
    /// What batches hold, in order. Leaves of the graphs bear these names.
    pub columns: Vec<Column>,
    pub split: SplitPlan,
    pub batch: usize,
    pub shuffle: bool,
    pub drop_last: bool,
    /// Warnings that the author has answered.
    pub allow: Vec<Leak>,
    pub roles: Roles,
}

/// What columns of the source are to the train sections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// Those that models take.
    pub inputs: BTreeSet<String>,
    /// Those that losses compare with what models give.
    pub targets: BTreeSet<String>,
}

/// A way in which rows for testing may be known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leak {
    Duplicates,
    Target,
    Time,
    Groups,
}

impl Leak {
    pub const ALL: [Leak; 4] = [Leak::Duplicates, Leak::Target, Leak::Time, Leak::Groups];

    /// As `allow` names it.
    pub fn word(self) -> &'static str {
        match self {
            Leak::Duplicates => "duplicates",
            Leak::Target => "target",
            Leak::Time => "time",
            Leak::Groups => "groups",
        }
    }

    pub fn code(self) -> Code {
        match self {
            Leak::Duplicates => "leak::duplicates",
            Leak::Target => "leak::target",
            Leak::Time => "leak::time",
            Leak::Groups => "leak::groups",
        }
    }
}

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
    /// in their names; `.gz` too. Columns `image: u8[rows, cols]` and `label: class(n)`.
    Idx { path: String },
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
            SourceKind::Idx { .. } | SourceKind::Synthetic { .. } => false,
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
            | SourceKind::Synthetic { .. } => false,
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
            | SourceKind::Synthetic { .. } => None,
        }
    }

    /// The sign before the fraction of its numbers.
    pub fn decimal(&self) -> u8 {
        self.dialect().map_or(b'.', |dialect| dialect.decimal)
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

/// One tensor of a batch.
#[derive(Clone, Debug)]
pub struct Column {
    /// The leaf's name.
    pub name: String,
    pub kind: ColumnKind,
    /// Of one row; sizes that only the data know are symbols such as `people.features`.
    pub ty: TensorType,
    /// What its values must be, by what reads it.
    pub wanted: Vec<Wanted>,
    pub span: Span,
}

/// A range that the values of a column must lie in.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub range: Range,
    /// A number outside of it that is welcome all the same: `ignore=-100`.
    pub except: Option<i64>,
    /// Who wants it: `CrossEntropy`.
    pub by: String,
    /// The use in the user's text.
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    /// Whole numbers from 0 up to this many.
    Below(Dim),
    /// Any number between, both ends included.
    Between(f64, f64),
    /// Any number from this one.
    AtLeast(f64),
}

#[derive(Clone, Debug)]
pub enum ColumnKind {
    One(Field),
    /// Several fields side by side as one `f32` vector: `people.row`.
    Row(Vec<Field>),
}

/// A column of the source, or one computed from several, and how it becomes numbers.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in the source, signs read as `_`; of what is computed, the spec's.
    pub source: String,
    /// What computes its values before they are transformed.
    pub formula: Option<Arc<Formula>>,
    /// From cells to numbers, in order, at least one step.
    pub how: Vec<Encode>,
    pub span: Span,
}

/// Arithmetic on columns, row by row: `weight / height^2`.
#[derive(Clone, Debug)]
pub struct Formula {
    /// The leaves of the graph.
    pub inputs: Vec<Column>,
    /// One output, whose first axis is that of the rows.
    pub graph: Graph,
}

impl Formula {
    fn ty(&self) -> &TensorType {
        self.graph.ty(self.graph.outputs[0].value)
    }

    /// The shape of one row.
    pub fn row(&self) -> Shape {
        Shape(self.ty().shape.0[1..].to_vec())
    }

    pub fn dtype(&self) -> DType {
        self.ty().dtype
    }
}

impl Field {
    /// The windows that its rows are, if they are.
    pub fn windows(&self) -> Option<Windows> {
        match self.how.last() {
            Some(Encode::Windows(windows)) => Some(*windows),
            Some(_) | None => None,
        }
    }

    /// The columns of the source that it is made of.
    pub fn sources(&self) -> BTreeSet<&str> {
        let Some(formula) = &self.formula else { return BTreeSet::from([self.source.as_str()]) };
        formula.inputs.iter().flat_map(Column::fields).flat_map(Field::sources).collect()
    }
}

impl DataPlan {
    /// The windows that rows are, if they are: then every column has them.
    pub fn windows(&self) -> Option<Windows> {
        self.columns.iter().find_map(Column::windows)
    }
}

impl Column {
    /// The windows that its rows are, if they are.
    pub fn windows(&self) -> Option<Windows> {
        self.fields().iter().find_map(Field::windows)
    }

    pub fn fields(&self) -> &[Field] {
        match &self.kind {
            ColumnKind::One(field) => std::slice::from_ref(field),
            ColumnKind::Row(fields) => fields,
        }
    }
}

/// How the rows of a source are parted.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitPlan {
    pub train: Amount,
    pub valid: Amount,
    pub test: Amount,
    /// So many folds, each the test part of a run of its own, which trains on the others; `valid` is
    /// then a share of those.
    pub kfold: Option<usize>,
    /// Which fold is the test part, from 0; without one, each in turn.
    pub fold: Option<usize>,
    /// A column of the source whose classes keep their shares.
    pub stratify: Option<String>,
    /// A column of the source: rows with one value of it stay in one part.
    pub group: Option<String>,
    pub order: RowOrder,
    pub seed: u64,
    pub span: Span,
}

/// How rows stand before parts are cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOrder {
    Shuffled,
    File,
    /// By a column of numbers or dates; equal ones in file order.
    Time(String),
}

impl SplitPlan {
    /// Everything is for training.
    pub fn whole(span: Span) -> SplitPlan {
        SplitPlan {
            train: Amount::Rest,
            valid: Amount::Nothing,
            test: Amount::Nothing,
            kfold: None,
            fold: None,
            stratify: None,
            group: None,
            order: RowOrder::Shuffled,
            seed: 0,
            span,
        }
    }

    /// The columns of the source that decide which row goes where.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let time = match &self.order {
            RowOrder::Time(column) => Some(column),
            RowOrder::Shuffled | RowOrder::File => None,
        };
        [self.stratify.as_ref(), self.group.as_ref(), time].into_iter().flatten().map(String::as_str)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    Nothing,
    Rows(usize),
    /// 70.0 for `70%`.
    Percent(f64),
    /// What the others leave.
    Rest,
}

/// A model as `plan` shows it.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    pub name: String,
    pub span: Span,
    pub layers: Vec<LayerInfo>,
}

#[derive(Clone, Debug)]
pub struct LayerInfo {
    /// `fc1`; empty for layers without weights that bear no name.
    pub path: String,
    /// `Dense`, as in the registry.
    pub kind: String,
    /// `Dense(128, activation=relu)` as written.
    pub call: String,
    pub input: TensorType,
    pub output: TensorType,
    /// Names of its weights.
    pub params: Vec<String>,
    pub span: Span,
}

/// A `train` section.
#[derive(Clone, Debug)]
pub struct TrainPlan {
    pub name: Option<String>,
    pub span: Span,
    /// Which of [`Job::data`] it reads.
    pub data: usize,
    pub length: Length,
    pub seed: u64,
    pub optimizer: OptimizerPlan,
    /// Without one, the optimizer's `lr` stays.
    pub schedule: Option<Schedule>,
    /// Instead of a schedule: the rate falls when validations stop getting better.
    pub plateau: Option<PlateauPlan>,
    pub clip: Option<Clip>,
    /// Batches of a step, at least 1: their gradients are averaged over all rows.
    pub accumulate: usize,
    /// The share that averages of the weights keep at each step; evaluation reads them.
    pub ema: Option<f64>,
    /// Names of the weights that stay as they are, in the order of the graph.
    pub frozen: Vec<String>,
    /// States that training rows decide: weights of classes.
    pub balanced: Vec<Balance>,
    /// Weights with settings of their own; of two groups that name a weight, the later decides.
    pub groups: Vec<Group>,
    /// Without one, training goes on for its length.
    pub stop: Option<StopPlan>,
    pub checkpoint: Option<CheckpointPlan>,
    /// Steps between two that are logged, if that is said.
    pub log: Option<u64>,
    /// Training mode; its first output is the loss, a scalar averaged over the batch. Others are the next values of
    /// states that belong to the model, such as moving averages.
    pub forward: Graph,
    /// Evaluation mode; outputs are `loss`, averaged over the batch, and the
    /// [`Metric`](crate::graph::OutputKind::Metric)s that `metrics` name, summed over it.
    pub eval: Graph,
    pub metrics: Vec<MetricPlan>,
    /// What the model answers, by the pairs of the loss.
    pub answers: Vec<Answer>,
}

/// `class_weights=balanced`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The column of the batch whose classes are counted.
    pub column: String,
    /// The state of the model that holds a weight for each: `species.class_weights`.
    pub state: String,
}

/// `stop = EarlyStopping(monitor=valid.loss, patience=5)`
#[derive(Clone, Debug, PartialEq)]
pub struct StopPlan {
    pub monitor: Monitor,
    pub rule: EarlyStopping,
    pub span: Span,
}

/// `checkpoint { every = 500  keep = 3  best = valid.loss }`
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointPlan {
    /// In steps; after each epoch if not said. The validation split is evaluated there too.
    pub every: Option<u64>,
    /// How many stay, the latest of all; the best stays beside them.
    pub keep: usize,
    pub best: Option<Monitor>,
    pub span: Span,
}

/// `schedule = plateau(patience=5, monitor=valid.loss)`
#[derive(Clone, Debug, PartialEq)]
pub struct PlateauPlan {
    pub monitor: Monitor,
    pub rule: Plateau,
    /// The optimizer's, where it starts.
    pub lr: f64,
}

/// A value that evaluations give: `valid.loss`.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    pub of: Watched,
    /// `loss` or the name of a metric.
    pub metric: String,
    pub better: Better,
    pub span: Span,
}

/// The split that a [`Monitor`] watches: never the test split, which is for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Its loss, averaged since the evaluation before.
    Train,
    Valid,
}

impl std::fmt::Display for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let of = match self.of {
            Watched::Train => "train",
            Watched::Valid => "valid",
        };
        write!(f, "{of}.{}", self.metric)
    }
}

impl TrainPlan {
    /// The schedule as it is written, with every setting.
    pub fn schedule_text(&self) -> Option<String> {
        let plateau = self.plateau.as_ref().map(|p| format!("{} of {}", p.rule, p.monitor));
        self.schedule.as_ref().map(ToString::to_string).or(plateau)
    }

    /// What chooses the weights that a run ends with: early stopping that restores the best, or the best
    /// checkpoint. Without either they are those of the last step.
    pub fn chooser(&self) -> Option<&Monitor> {
        let restores = self.stop.as_ref().filter(|stop| stop.rule.restore_best).map(|stop| &stop.monitor);
        restores.or(self.checkpoint.as_ref().and_then(|c| c.best.as_ref()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    Epochs(usize),
    Steps(usize),
}

/// `Adam(lr=1e-3)`, with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerPlan {
    /// As in the registry: `Adam`.
    pub name: String,
    pub settings: Vec<(String, f64)>,
    pub span: Span,
}

impl OptimizerPlan {
    /// A number of the checked call.
    ///
    /// # Panics
    /// If the optimizer has no such setting.
    pub fn setting(&self, name: &str) -> f64 {
        let found = self.settings.iter().find(|(n, _)| n == name);
        found.unwrap_or_else(|| panic!("job: {} has a setting `{name}`", self.name)).1
    }
}

/// `head { weights = [fc2]  lr = 1e-2 }`, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// `head`; empty for those of `no_decay`.
    pub name: String,
    /// Names of weights, in the order of the graph.
    pub weights: Vec<String>,
    /// What differs from the optimizer's. A schedule multiplies `lr` as it does the optimizer's.
    pub settings: Vec<(String, f64)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MetricPlan {
    /// `accuracy`; where a list has several, what tells them apart: `top_k(5)`, `accuracy.kind`.
    pub name: String,
    /// Whether early stopping looks for more of it or less. Of a loss less is better.
    pub better: Better,
    /// The outputs of the evaluation graph that it is made of, in the order of a
    /// [`Tally`](crate::ops::metric::Tally): `accuracy`, or `f1.hits` and others.
    pub outputs: Vec<String>,
    /// How many numbers they hold together.
    pub numbers: Dim,
    /// Where each group of rows is judged on its own.
    pub by: Option<GroupPlan>,
    /// How many elements they are made of: `B`, or `B*T` of sequences; with `by`, those of one row.
    pub count: Dim,
    pub finish: Finish,
    /// How many classes it tells apart, as a [`Score`](crate::ops::metric::Score) says.
    pub classes: Dim,
    /// The column that predictions are compared with, if it is one: it may name the classes.
    pub label: Option<String>,
    /// The power of the label's unit that it is in: 1 of `rmse`, 2 of `mse`, 0 of what has none.
    pub power: i32,
}

/// A prediction of a model, for rows without a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// As the spec calls the label; of a loss of the user's own `Model.output`.
    pub name: String,
    /// A node of the evaluation's graph, whose first axis is the batch.
    pub value: Value,
    pub kind: AnswerKind,
    /// The column that the prediction was compared with in training: it names classes, and its scale is that of
    /// numbers.
    pub label: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// A logit for each class.
    Classes,
    /// One logit: positive for the second of two classes.
    Binary,
    /// Numbers as they are.
    Numbers,
}

/// How rows are sorted into groups. The group of each row is the last of the metric's outputs; the others
/// have the batch for their first axis.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupPlan {
    /// As the spec has it: `sex`.
    pub by: String,
    /// The column of the batch, which may name the groups.
    pub column: Option<String>,
    /// How many numbers each of the other outputs has for a row.
    pub widths: Vec<Dim>,
}
