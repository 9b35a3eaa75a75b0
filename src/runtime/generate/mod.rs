//! What a run's model makes: samples of random numbers, texts that go on.
//!
//! A function of the weights, the section and its seed: the same to the bit on each run, whoever asks. Files lie in the
//! run's folder under `generated/`, named after the section.

mod samples;
mod sampling;
mod text;
mod writer;

pub use text::Line;

use super::data::{Batch, Rows};
use super::engine::{Engine, On};
use super::error::RunError;
use super::paces::Scalars;
use super::predict::weights_of;
use super::run_dir::{Run, RunDir};
use super::trainer::lowered;
use crate::base::{Bindings, Sym};
use crate::diag::Diagnostic;
use crate::graph::{Graph, LeafKind};
use crate::opt::stepwise::is_cache;
use crate::pipeline;
use crate::sema::job::{GeneratePlan, Makes, TrainPlan};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The folder of a run that holds what was made.
pub const FOLDER: &str = "generated";

/// What came of a section.
#[derive(Debug)]
pub struct Made {
    pub files: Vec<PathBuf>,
    /// Of a text.
    pub lines: Vec<Line>,
    /// What whoever waited should know.
    pub note: Option<String>,
}

/// Makes what a section says with the weights of a run; `prompt` is another than the section's.
///
/// # Errors
/// If there are no weights, the prompt has a sign that the model does not know, or a device or disk fails.
pub fn generate(
    plan: &GeneratePlan,
    train: &TrainPlan,
    run: &Run,
    on: On,
    prompt: Option<&str>,
    passes: Passes,
) -> Result<Made, RunError> {
    let folder = run.path.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(|e| RunError::io("make the folder", &folder, &e))?;
    let asked = Asked { plan, train, run, dir: RunDir::at(&folder) };
    match &plan.makes {
        Makes::Samples(_) if prompt.is_some() => {
            let name = &plan.name;
            Err(RunError::Io(format!("`{name}` makes samples of random numbers: it takes no prompt")))
        }
        Makes::Samples(samples) => samples::make(&asked, samples, on),
        Makes::Text(text) => text::make(&asked, text, on, prompt, passes),
    }
}

/// What is made, of which run, and where it goes.
struct Asked<'a> {
    plan: &'a GeneratePlan,
    train: &'a TrainPlan,
    run: &'a Run,
    dir: RunDir,
}

/// What each token of a text is computed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passes {
    /// By one step, if the model looks back only and the text fits its context; by a pass over the whole context if not.
    #[default]
    Steps,
    /// By a pass over the whole context, in any case.
    Whole,
}

/// Graphs with the weights of a run, compiled for batches of so many rows.
struct Model {
    engine: Engine,
    programs: Vec<Program>,
    batch: usize,
}

struct Program {
    /// Its place in the engine.
    at: usize,
    /// The name and shape of each output.
    outputs: Vec<(String, Vec<usize>)>,
}

impl Asked<'_> {
    /// The sizes that the run's data fixed.
    fn bindings(&self) -> Bindings {
        self.run.info.sizes.iter().map(|(name, size)| (Sym::from(name.as_str()), *size)).collect()
    }

    /// A program of each graph, in order; what they keep from run to run is zero at first.
    fn model(&self, graphs: &[Graph], batch: usize, columns: &[&str], on: On) -> Result<Model, RunError> {
        let mut bindings = self.bindings();
        bindings.insert(Sym::from("B"), batch as i64);
        let graphs: Vec<Graph> = graphs.iter().map(|graph| pipeline::rewrite(graph.clone()).0).collect();
        self.trained(&graphs)?;
        let weights = weights_of(self.train, self.run, &bindings, &graphs)?;
        let seeded = TrainPlan { seed: self.plan.seed, ..self.train.clone() };
        let mut engine = Engine::new(on, &weights, &seeded).map_err(|wrong| *wrong)?;
        let mut programs = Vec::with_capacity(graphs.len());
        for graph in &graphs {
            let program = lowered(graph, &bindings, batch, engine.fusion());
            let shape = |(name, buffer): &(std::sync::Arc<str>, crate::loops::BufferId)| {
                (name.to_string(), program.buffers[*buffer].shape.clone())
            };
            let outputs: Vec<(String, Vec<usize>)> = program.outputs.iter().map(shape).collect();
            let kept: Vec<usize> = (0..outputs.len()).collect();
            let at = engine.add(program, &weights, columns, &kept).map_err(|wrong| *wrong)?;
            programs.push(Program { at, outputs });
        }
        if engine.plans_ahead() {
            engine.allocate(&weights).map_err(|wrong| *wrong)?;
        }
        for program in &programs {
            engine.prepare(program.at).map_err(|wrong| *wrong)?;
        }
        Ok(Model { engine, programs, batch })
    }

    /// Whether all that graphs read was trained.
    fn trained(&self, graphs: &[Graph]) -> Result<(), RunError> {
        let names: BTreeSet<&str> =
            self.train.graphs().flat_map(|graph| graph.leaves.iter()).map(|(_, leaf)| &*leaf.name).collect();
        for (_, leaf) in graphs.iter().flat_map(|graph| graph.leaves.iter()) {
            let held = match leaf.kind {
                LeafKind::Param(_) => true,
                LeafKind::State(_) => !is_cache(&leaf.name),
                LeafKind::Batch | LeafKind::Scalar => false,
            };
            if held && !names.contains(&*leaf.name) {
                let message = format!("`{}` is no weight of what was trained", leaf.name);
                let d = Diagnostic::error("generate::model", message, self.plan.span, "made by this");
                return Err(d.help("generate with a model that the training uses").into());
            }
        }
        Ok(())
    }
}

impl Model {
    /// All outputs of one run of a program, one behind the other; random numbers are those of `step`.
    fn run(
        &mut self,
        program: usize,
        columns: &[*mut u8],
        scalars: &Scalars,
        step: u64,
    ) -> Result<Vec<f32>, RunError> {
        let batch = Batch { step, rows: Rows { epoch: 0, start: 0, count: self.batch }, rung: 0, columns };
        let program = self.programs[program].at;
        self.engine.run(program, &batch, scalars, step).map_err(|wrong| *wrong)?;
        self.engine.finish().map_err(|wrong| *wrong)?;
        Ok(self.engine.landed().expect("generate: a run that ended has results").to_vec())
    }
}
