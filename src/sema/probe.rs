//! What checking wants to know of files, asked through a trait.
//!
//! `sema` opens nothing: `runtime` answers from disk, tests from a table.

use super::job::{SourcePlan, TensorInfo};
use crate::base::{DType, Span};
use std::path::Path;

/// Looks into the sources of a spec without loading them.
pub trait DataProbe {
    /// What `source` holds; `Ok(None)` when it cannot be found, which is a
    /// warning: columns are then taken from `columns=[…]` or on trust.
    fn probe(&self, source: &SourcePlan) -> Result<Option<SourceSchema>, ProbeError>;

    /// The tensors of a file of weights that a spec names at a place, by its header; `Ok(None)` when it cannot be found.
    fn tensors(&self, _path: &str, _at: Span) -> Result<Option<Vec<TensorInfo>>, ProbeError> {
        Ok(None)
    }

    /// The bytes of a file that a spec imports, or why they cannot be had, as in `it is not there`.
    fn text(&self, _path: &Path) -> Result<Vec<u8>, String> {
        Err("no file is looked into here".to_string())
    }
}

/// The columns of a source, as far as a glance tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceSchema {
    /// In the order of the source, signs in names read as `_`.
    pub columns: Vec<SchemaColumn>,
    pub rows: Option<usize>,
    /// Why the columns may not be what the author means, naming a setting that mends it.
    pub hint: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SchemaColumn {
    pub name: String,
    /// How the source stores it; none for text and for cells of a table, whose type the spec says.
    pub dtype: Option<DType>,
    /// Of one row; empty for one number or one cell.
    pub shape: Vec<usize>,
    /// For ids: how many classes there are, if a glance tells.
    pub classes: Option<usize>,
    /// Of cells: what the first rows hold, if a glance tells.
    pub sample: Option<Sample>,
}

/// The cells of a column in the first rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    pub rows: usize,
    pub missing: usize,
    /// How many are whole numbers, how many other numbers; the rest are words.
    pub whole: usize,
    pub fractions: usize,
    pub distinct: usize,
    /// Some of the words, each once.
    pub words: Vec<String>,
}

impl Sample {
    /// Whether every cell that is there is a number.
    pub fn is_numeric(&self) -> bool {
        self.missing + self.whole + self.fractions == self.rows
    }

    /// Whether no cell that is there is one, and some are there.
    pub fn is_text(&self) -> bool {
        self.whole + self.fractions == 0 && self.missing < self.rows
    }
}

/// A source that is there and is not what the spec says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeError {
    /// One sentence with file, row and column where they are known.
    pub message: String,
    /// Names an action.
    pub help: Option<String>,
}

/// Knows nothing: every source is taken on trust.
pub struct Blind;

impl DataProbe for Blind {
    fn probe(&self, _: &SourcePlan) -> Result<Option<SourceSchema>, ProbeError> {
        Ok(None)
    }
}
