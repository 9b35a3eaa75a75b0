//! `mlc dump`: the text of a stage.

use super::args::{Device, DumpArgs, Stage};
use super::spec::{self, Checked};
use super::{Failure, Outcome, output};
use crate::base::{Bindings, Sym};
use crate::codegen::{self, Compiled};
use crate::graph::Graph;
use crate::loops::Fusion;
use crate::ops::Library;
use crate::pipeline;
use crate::runtime::data;
use crate::sema::Job;
use crate::sema::job::TrainPlan;
use crate::syntax::{self, ast::File};

pub fn run(args: &DumpArgs) -> Result<Outcome, Failure> {
    match args.stage {
        Stage::Ast => parsed(args, syntax::dump),
        Stage::Nodes => parsed(args, syntax::outline),
        Stage::Graph => pipeline_stage(args, pipeline::Stage::Graph),
        Stage::Grad => pipeline_stage(args, pipeline::Stage::Grad),
        Stage::Opt => pipeline_stage(args, pipeline::Stage::Opt),
        Stage::Passes => pipeline_stage(args, pipeline::Stage::Passes),
        Stage::Loops => pipeline_stage(args, pipeline::Stage::Loops),
        Stage::Clif => code(args, Compiled::clif),
        Stage::Asm => code(args, Compiled::asm),
        Stage::Wgsl => wgsl(args),
    }
}

/// What parsed is shown even if something else did not.
fn parsed(args: &DumpArgs, text: fn(&File) -> String) -> Result<Outcome, Failure> {
    let parsed = spec::parse(&args.file)?;
    output::out(&text(&parsed.ast));
    let errors = parsed.diagnostics.has_errors();
    output::report(&parsed.sources, &parsed.diagnostics.sorted());
    Ok(if errors { Outcome::Errors } else { Outcome::Clean })
}

fn pipeline_stage(args: &DumpArgs, stage: pipeline::Stage) -> Result<Outcome, Failure> {
    each_train(args, |checked, library, job, plan| {
        // Only loops have sizes in numbers, some of which only the data know.
        let bindings = match stage {
            pipeline::Stage::Loops => sizes(checked, job, plan)?,
            pipeline::Stage::Graph | pipeline::Stage::Grad => Bindings::new(),
            pipeline::Stage::Opt | pipeline::Stage::Passes => Bindings::new(),
        };
        let fusion = match args.device {
            Device::Cpu => Fusion::CPU,
            Device::Gpu => Fusion::GPU,
        };
        Some(pipeline::text(library, plan, &bindings, &fusion, stage))
    })
}

fn code(args: &DumpArgs, text: fn(&Compiled) -> String) -> Result<Outcome, Failure> {
    each_train(args, |checked, library, job, plan| {
        let bindings = sizes(checked, job, plan)?;
        let options = codegen::Options { texts: true, ..codegen::Options::default() };
        let of = |turn: pipeline::Step| {
            let (graph, _) = pipeline::rewrite(turn.batch);
            text(&codegen::compile(&pipeline::lower(&graph, &bindings, &Fusion::CPU), &options))
        };
        Some(pipeline::turns(library, plan).into_iter().map(of).collect::<Vec<_>>().join("\n"))
    })
}

/// For a device with what WebGPU promises everywhere: the text is the same on every machine.
#[cfg(feature = "gpu")]
fn wgsl(args: &DumpArgs) -> Result<Outcome, Failure> {
    use crate::codegen::wgsl::{self, Target, WeightPlaces};
    each_train(args, |checked, library, job, plan| {
        let bindings = sizes(checked, job, plan)?;
        let target = Target::WEBGPU;
        let of = |turn: pipeline::Step| {
            let (graph, _) = pipeline::rewrite(turn.batch);
            let program = pipeline::lower(&graph, &bindings, &Fusion::GPU);
            let weights = WeightPlaces::of_program(&program, &target)?;
            let shaders = wgsl::compile(&program, &weights, plan.seed, &target)?;
            Ok::<_, wgsl::Lack>(wgsl::text(&shaders, &program))
        };
        let texts: Result<Vec<String>, _> = pipeline::turns(library, plan).into_iter().map(of).collect();
        match texts {
            Ok(texts) => Some(texts.join("\n")),
            Err(lack) => {
                let wrong = crate::runtime::gpu::Fault::from(lack).diagnostic(plan.span);
                output::report(&checked.sources, &[wrong]);
                None
            }
        }
    })
}

#[cfg(not(feature = "gpu"))]
fn wgsl(_: &DumpArgs) -> Result<Outcome, Failure> {
    Err(Failure("this build of mlc has no GPU part: build it with the feature `gpu`".to_string()))
}

/// Prints a text for each train section, under its name if there are several.
fn each_train(
    args: &DumpArgs,
    text: impl Fn(&Checked, &Library, &Job, &TrainPlan) -> Option<String>,
) -> Result<Outcome, Failure> {
    let Some((checked, job)) = spec::job(&args.file, &args.spec, &args.section)? else {
        return Ok(Outcome::Errors);
    };
    if job.trains.is_empty() {
        return Err(Failure(format!("{} has no `train` section to show", args.file.display())));
    }
    let library = checked.library();
    for (i, plan) in job.trains.iter().enumerate() {
        if job.trains.len() > 1 {
            output::out(&format!("// train {}\n", plan.name.clone().unwrap_or_else(|| i.to_string())));
        }
        match text(&checked, &library, &job, plan) {
            Some(text) => output::out(&text),
            None => return Ok(Outcome::Errors),
        }
    }
    Ok(Outcome::Clean)
}

/// The numbers behind every symbol: the batch, and what the data say where the spec does not.
/// `None` when the data cannot be read, which is reported.
fn sizes(checked: &Checked, job: &Job, plan: &TrainPlan) -> Option<Bindings> {
    let data_plan = &job.data[plan.data];
    let mut bindings = Bindings::from([(Sym::from("B"), data_plan.batch as i64)]);
    let known = |bindings: &Bindings, graph: &Graph| graph.syms().iter().all(|s| bindings.contains_key(s));
    if !plan.graphs().all(|graph| known(&bindings, graph)) {
        let dataset = data::load(data_plan, &checked.places)
            .map_err(|wrong| output::report(&checked.sources, &wrong))
            .ok()?;
        bindings.extend(dataset.bindings().iter().map(|(s, n)| (s.clone(), *n)));
    }
    Some(bindings)
}
