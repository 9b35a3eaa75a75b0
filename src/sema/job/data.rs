//! A `data` section, checked: columns, the parts of the rows, what may leak between them.

use super::{Augment, Encode, SourcePlan, Windows};
use crate::base::{DType, Dim, Shape, Span, TensorType};
use crate::diag::Code;
use crate::graph::Graph;
use std::collections::BTreeSet;
use std::sync::Arc;

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
    pub bucket: Option<BucketPlan>,
    /// What is done to training rows alone.
    pub augment: Vec<AugmentPlan>,
    pub roles: Roles,
}

/// `bucket = tokens`: training rows of like length meet, and a batch is only as long as its longest row wants.
#[derive(Clone, Debug, PartialEq)]
pub struct BucketPlan {
    /// The param or dim that rows are padded to, and its value.
    pub size: String,
    pub length: usize,
    /// The other lengths that a batch may have, the longest first; filled in once the whole spec is right.
    pub shorter: Vec<Shorter>,
    /// The column that is named.
    pub span: Span,
}

/// A length that batches may have instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shorter {
    pub length: usize,
    /// By column of the section, how long its rows are then; none of those that stay as they are.
    pub cuts: Vec<Option<usize>>,
}

impl BucketPlan {
    /// The lengths that a batch may have, the longest first: eighths of the whole, rounded up.
    pub fn ladder(length: usize) -> Vec<usize> {
        let mut lengths: Vec<usize> = (1..=8).rev().map(|k| (length * k).div_ceil(8)).collect();
        lengths.dedup();
        lengths
    }

    /// Those of this plan.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.length).chain(self.shorter.iter().map(|s| s.length))
    }
}

/// Changes of a column of images, in order, drawn anew for each row and epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct AugmentPlan {
    /// The leaf's name.
    pub column: String,
    pub steps: Vec<Augment>,
    /// The column of labels that are mixed as rows are.
    pub label: Option<String>,
    pub span: Span,
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
    /// The same of ids that pick rows of weights.
    Rows(Dim),
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
        Shape::from(self.ty().shape[1..].to_vec())
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

    /// Whether it makes several pieces of a text.
    pub fn cuts_text(&self) -> bool {
        let cuts =
            |step: &Encode| matches!(step, Encode::Words(_) | Encode::Chars { .. } | Encode::Bpe { .. });
        self.how.iter().any(cuts)
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

#[cfg(test)]
mod tests {
    use super::BucketPlan;

    #[test]
    fn lengths_are_eighths_rounded_up_without_doubles() {
        assert_eq!(BucketPlan::ladder(400), [400, 350, 300, 250, 200, 150, 100, 50]);
        assert_eq!(BucketPlan::ladder(30), [30, 27, 23, 19, 15, 12, 8, 4]);
        assert_eq!(BucketPlan::ladder(3), [3, 2, 1]);
        assert_eq!(BucketPlan::ladder(1), [1]);
    }
}
