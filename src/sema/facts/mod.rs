//! What checking saw, by place: for tools that show it beside the text.
//!
//! Side tables of plain data. Checking fills them as it goes, so that they hold whatever is right of
//! a spec that is wrong elsewhere; [`uses`](Facts::uses) rests on the tree alone. Nothing here
//! decides anything: without them a check finds the same.

mod record;
mod role;
mod uses;
mod walk;

#[cfg(test)]
mod tests;

pub(super) use record::{Mark, Recorder};
pub use role::{Role, role_of, sig_of};
pub(super) use uses::uses_in;
pub use uses::{NameKind, Use};

use super::SchemaColumn;
use super::job::ParamValue;
use crate::base::{Bindings, Dim, Span, TensorType};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// What one check saw.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Types by the span of an expression that gave tensors, or of the name that was made: `let`, `input`,
    /// `output`. Of what is used several times, as blocks are, the first use's.
    pub types: BTreeMap<Span, Arc<Typed>>,
    /// Layers, blocks, models and functions that tensors flowed through, by the stage's span.
    pub stages: BTreeMap<Span, Arc<StageFact>>,
    /// Values of params and dims, by the span of the name that is declared.
    pub values: BTreeMap<Span, ParamValue>,
    /// Sizes that were looked up in data, by the span of `people.features`. A symbol where only the files know.
    pub sizes: BTreeMap<Span, Dim>,
    /// Names and types of the weights of a model that is right, by the span of its name.
    pub models: BTreeMap<Span, Arc<Vec<(String, TensorType)>>>,
    /// The data sections, in order.
    pub data: Vec<DataFact>,
    /// Every name and what it stands for, in order of place.
    pub uses: Vec<Use>,
}

/// What an expression gave: one tensor, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    pub types: Vec<TensorType>,
    /// Whether another use of the same text gave something else: `types` are those of the first.
    pub varies: bool,
}

/// A stage: `Dense(128) as fc1`, `Attention(n)`, `softmax`.
#[derive(Clone, Debug, PartialEq)]
pub struct StageFact {
    /// Its name in the registry or the file: `Dense`.
    pub name: String,
    pub inputs: Vec<TensorType>,
    pub outputs: Vec<TensorType>,
    /// Names and types of the weights that it owns, those of the first copy behind `repeat`.
    pub weights: Vec<(String, TensorType)>,
    /// The matrix products of the first copy, each as the sizes that its multiply-adds run over.
    pub products: Vec<Vec<Dim>>,
    /// How many copies there are: more than one behind `repeat`, or in a block that is used again.
    pub copies: usize,
    /// Whether copies differ in their shapes.
    pub varies: bool,
}

/// A data section, as far as a glance at its source tells.
#[derive(Clone, Debug, PartialEq)]
pub struct DataFact {
    pub name: String,
    /// The name in the text.
    pub span: Span,
    pub rows: Option<usize>,
    /// Whether the source could be looked into.
    pub found: bool,
    pub columns: Vec<ColumnFact>,
}

/// A column of the source, or one that the section makes.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnFact {
    pub name: String,
    /// As the source has it; `None` of a column that the section makes.
    pub schema: Option<SchemaColumn>,
    /// Where the section makes or types it.
    pub span: Option<Span>,
    /// How it becomes numbers, as written: `standardize`, `image / 255`.
    pub how: Option<String>,
    /// Of one row, if a train section reads it.
    pub ty: Option<TensorType>,
    pub classes: Option<Dim>,
}

impl Facts {
    /// Adds what a later part of the check noted; of what both have, the first stays.
    pub(super) fn merge(&mut self, later: Facts) {
        let Facts { types, stages, values, sizes, models, data, uses } = later;
        for (span, typed) in types {
            match self.types.entry(span) {
                Entry::Vacant(free) => drop(free.insert(typed)),
                Entry::Occupied(mut known) => {
                    let known = Arc::make_mut(known.get_mut());
                    known.varies |= typed.varies || known.types != typed.types;
                }
            }
        }
        for (span, stage) in stages {
            match self.stages.entry(span) {
                Entry::Vacant(free) => drop(free.insert(stage)),
                Entry::Occupied(mut known) => {
                    let known = Arc::make_mut(known.get_mut());
                    known.copies += stage.copies;
                    known.varies |=
                        stage.varies || known.inputs != stage.inputs || known.outputs != stage.outputs;
                }
            }
        }
        self.values.extend(values);
        self.sizes.extend(sizes);
        self.models.extend(models);
        debug_assert!(
            data.is_empty() && uses.is_empty(),
            "facts: those of the whole file are noted at its end"
        );
    }

    /// The same at other places; none if one of them is gone.
    pub(super) fn moved(&self, to: &dyn Fn(Span) -> Option<Span>) -> Option<Facts> {
        fn all<T: Clone>(
            map: &BTreeMap<Span, T>,
            to: &dyn Fn(Span) -> Option<Span>,
        ) -> Option<BTreeMap<Span, T>> {
            map.iter().map(|(span, fact)| Some((to(*span)?, fact.clone()))).collect()
        }
        Some(Facts {
            types: all(&self.types, to)?,
            stages: all(&self.stages, to)?,
            values: all(&self.values, to)?,
            sizes: all(&self.sizes, to)?,
            models: all(&self.models, to)?,
            data: self.data.clone(),
            uses: self.uses.clone(),
        })
    }

    /// The use whose name covers the byte `at`, its end included.
    pub fn use_at(&self, at: usize) -> Option<&Use> {
        let at = u32::try_from(at).ok()?;
        let around = |u: &&Use| u.span.lo <= at && at <= u.span.hi;
        // Of two names that touch, the one that starts here.
        self.uses.iter().rev().find(around)
    }

    pub fn data(&self, name: &str) -> Option<&DataFact> {
        self.data.iter().find(|d| d.name == name)
    }
}

impl StageFact {
    /// Floating-point operations of the first copy's matrix products, two for each multiply-add; `None` if
    /// a size is not known.
    pub fn flops(&self, bindings: &Bindings) -> Option<f64> {
        let product = |sizes: &Vec<Dim>| {
            let known = sizes.iter().map(|size| size.bind(bindings).as_const());
            // A product of sizes may be larger than any whole number.
            known.map(|size| size.map(|n| n as f64)).product::<Option<f64>>()
        };
        self.products.iter().map(product).sum::<Option<f64>>().map(|points| 2.0 * points)
    }
}

impl DataFact {
    pub fn column(&self, name: &str) -> Option<&ColumnFact> {
        self.columns.iter().find(|c| c.name == name)
    }
}
