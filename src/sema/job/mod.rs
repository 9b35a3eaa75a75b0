//! A checked spec: everything that a run needs to know, nothing left to look up.

mod data;
mod generate;
mod pretrained;
mod source;
mod test;
mod train;

pub use crate::ops::clip::Clip;
pub use crate::ops::metric::{Better, Finish};
pub use crate::ops::plateau::Plateau;
pub use crate::ops::schedule::Schedule;
pub use crate::ops::stop::EarlyStopping;
pub use crate::ops::transform::{Augment, Classes, Encode, Windows};
pub use data::*;
pub use generate::*;
pub use pretrained::*;
pub use source::*;
pub use test::*;
pub use train::*;

use crate::base::{Shape, Span, TensorType};

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
    /// The `generate` sections, in order.
    pub generates: Vec<GeneratePlan>,
    /// The `test` sections, in order.
    pub tests: Vec<TestPlan>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    Int(i64),
    Float(f64),
    Bool(bool),
    Str(String),
}

/// A model as `plan` shows it.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    pub name: String,
    pub span: Span,
    pub layers: Vec<LayerInfo>,
    /// Its weights, and the states that evaluation reads, in the order of the graph.
    pub weights: Vec<WeightInfo>,
    /// The file that gives some of them.
    pub pretrained: Option<Pretrained>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightInfo {
    /// As the run calls it: after the model if there are several.
    pub name: String,
    pub shape: Shape,
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
