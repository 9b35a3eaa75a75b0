//! Transforms: how a column of a table becomes numbers, as a table of rows.
//!
//! A row says the settings of a transform, what may stand before it in a chain and what it gives; checking, `render`
//! and the reference read nothing else. What a transform computes is `runtime::data::steps`, on training rows
//! where there is something to fit.

mod augment;
mod table;
mod text;

use super::{AttrValue, Sig};
pub use augment::{AUGMENTS, Augment, AugmentDef};
use std::sync::Arc;
use table::Settings;
pub use table::TRANSFORMS;
pub use text::{Side, Signs, Windows, Words};

/// A transform of the library.
#[derive(Debug)]
pub struct TransformDef {
    pub sig: Sig,
    pub takes: Takes,
    /// What comes out, by what comes in.
    pub gives: fn(Kind, &Encode) -> Kind,
    /// Its arguments are values of the column instead of settings: `class(no, yes)`.
    pub lists_values: bool,
    make: fn(&Settings) -> Result<Encode, String>,
}

/// What a column is at some place of its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As the source has it: text, which may be a number.
    Cell,
    Number,
    /// A number without fraction, kept as `i32`.
    Whole,
    /// Several numbers a row; as many, if that is known before the data.
    Vector(Option<usize>),
    /// Ids of classes or of a vocabulary: `i32` from 0, and how many there are if that is known before the data.
    Ids(Option<usize>),
    /// Ids of the pieces of a text, as many as it has, and how many ids there are, if that is known before the data.
    Tokens(Option<usize>),
    /// So many ids a row.
    Sequence {
        length: usize,
        vocab: Option<usize>,
    },
    /// A number at each of so many steps.
    Series {
        length: usize,
    },
    /// Several numbers at each of so many steps; as many, if that is known before the data.
    Frames {
        length: usize,
        width: Option<usize>,
    },
}

impl Kind {
    /// As messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cell => "cells",
            Kind::Number => "a number",
            Kind::Whole => "a whole number",
            Kind::Vector(_) => "several numbers a row",
            Kind::Ids(_) => "ids",
            Kind::Tokens(_) => "ids of the pieces of a text",
            Kind::Sequence { .. } => "a sequence of ids",
            Kind::Series { .. } | Kind::Frames { .. } => "windows",
        }
    }
}

/// What a transform can stand behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Whatever is a number, or several.
    Numbers,
    /// One value a row: cells, numbers, ids.
    Values,
    /// Cells or numbers, some of them missing.
    Gaps,
    /// Cells.
    Texts,
    /// Ids of the pieces of a text.
    Tokens,
    /// What follows each other: pieces of a text, or rows with one value or several.
    Steps,
}

impl Takes {
    pub fn accepts(self, kind: Kind) -> bool {
        match kind {
            Kind::Cell => self != Takes::Tokens,
            Kind::Number | Kind::Whole => !matches!(self, Takes::Tokens | Takes::Texts),
            Kind::Vector(_) => matches!(self, Takes::Numbers | Takes::Gaps | Takes::Steps),
            Kind::Ids(_) => matches!(self, Takes::Values | Takes::Steps),
            Kind::Tokens(_) => matches!(self, Takes::Tokens | Takes::Steps),
            Kind::Sequence { .. } | Kind::Series { .. } | Kind::Frames { .. } => false,
        }
    }
}

/// One step of a chain, checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Encode {
    /// As the source has it: numbers of an `idx` or `synthetic` source.
    AsIs,
    /// A number, since the spec does not say what else.
    Inferred,
    Float,
    Int,
    /// Ids as one share for each class, 1 for its own; as many, if that is known before the data.
    Shares(Option<usize>),
    /// Less the mean, over the standard deviation (of the population, as scikit-learn's).
    Standardize,
    /// To [0, 1].
    Minmax,
    /// Less the median, over the distance of the quartiles.
    Robust,
    /// To the share of training rows below, in the form of `spread`.
    Quantile {
        points: usize,
        spread: Spread,
    },
    Log,
    Log1p,
    Clip {
        lo: f64,
        hi: f64,
    },
    Bins {
        count: usize,
        by: Binning,
    },
    Impute(Filling),
    OneHot(Unknown),
    Category(Unknown),
    Hashed {
        buckets: usize,
    },
    Date {
        format: String,
        parts: Vec<DatePart>,
    },
    Class(Classes),
    Lowercase,
    Words(Words),
    Chars {
        /// Whether there are ids for padding and for characters that no training row has.
        pad: bool,
    },
    Bpe {
        path: String,
        /// What the file holds, once it was read.
        text: Option<Arc<str>>,
    },
    Pad {
        length: usize,
        side: Side,
    },
    Windows(Windows),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Classes {
    /// 0 to n-1.
    Count(usize),
    /// In this order; of two the second is positive.
    Named(Vec<String>),
    /// Those in the training rows, sorted.
    Infer,
}

/// How shares of rows are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// As they are, from 0 to 1.
    #[default]
    Uniform,
    /// As a standard normal variable would lie.
    Normal,
}

/// Where bins end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binning {
    /// As many training rows in each.
    Quantile,
    /// Of one width.
    Uniform,
}

/// What takes the place of a missing value.
#[derive(Clone, Debug, PartialEq)]
pub enum Filling {
    Mean,
    Median,
    /// Of several as frequent, the least.
    MostFrequent,
    /// As cells would write it.
    Constant(String),
}

/// What becomes of a value that no training row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    Error,
    /// A category of its own, the last.
    Other,
    /// All zeros.
    Ignore,
}

/// What is read off a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatePart {
    Year,
    Month,
    Day,
    Weekday,
    Dayofyear,
    Hour,
    Minute,
    Second,
    Days,
}

/// The parts of a date as specs write them.
pub const DATE_PARTS: &[(&str, DatePart)] = &[
    ("year", DatePart::Year),
    ("month", DatePart::Month),
    ("day", DatePart::Day),
    ("weekday", DatePart::Weekday),
    ("dayofyear", DatePart::Dayofyear),
    ("hour", DatePart::Hour),
    ("minute", DatePart::Minute),
    ("second", DatePart::Second),
    ("days", DatePart::Days),
];

/// What `date` understands behind a `%`.
pub const DATE_SIGNS: &str = "YymdbBeHMSjfT%";

/// Transforms of the language that are not built yet.
pub const LATER: &[&str] = &["resize"];

/// The transform of that name.
pub fn find(name: &str) -> Option<&'static TransformDef> {
    TRANSFORMS.iter().find(|t| t.sig.name == name)
}

/// What a step of a column takes, whether it is of all rows or of training rows alone.
pub fn signature(name: &str) -> Option<&'static Sig> {
    let changes = AUGMENTS.iter().map(|change| &change.sig);
    TRANSFORMS.iter().map(|t| &t.sig).chain(changes).find(|sig| sig.name == name)
}

/// Our name of what is called `name` elsewhere.
pub fn alias(name: &str) -> Option<&'static str> {
    TRANSFORMS.iter().find(|t| t.sig.aliases.contains(&name)).map(|t| t.sig.name)
}

impl TransformDef {
    /// The step with these settings, or why they cannot be.
    pub fn step(&self, values: &[AttrValue]) -> Result<Encode, String> {
        (self.make)(&Settings::new(&self.sig, values))
    }
}

impl Encode {
    /// How many classes a label has, if the spec says.
    pub fn known_classes(&self) -> Option<usize> {
        match self {
            Encode::Class(Classes::Count(n)) => Some(*n),
            Encode::Class(Classes::Named(names)) => Some(names.len()),
            _other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_one_name_each() {
        let names = || TRANSFORMS.iter().flat_map(|t| t.sig.aliases.iter().chain([&t.sig.name]));
        for name in names().chain(LATER) {
            assert_eq!(names().chain(LATER).filter(|n| *n == name).count(), 1, "{name}");
        }
        for def in TRANSFORMS {
            assert!(def.sig.example.starts_with(def.sig.name), "{} shows itself", def.sig.name);
            assert!(def.sig.doc.ends_with('.') && def.sig.doc.len() > 20, "{} is explained", def.sig.name);
        }
    }
}
