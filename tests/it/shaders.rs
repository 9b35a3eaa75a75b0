//! What the lessons become on a GPU, without one: every shader is WGSL that all implementations take.

use crate::support::{run, spec};
use mlc::base::{Bindings, Sources, Sym};
use mlc::codegen::wgsl::{self, Shaders, Target, WeightPlaces};
use mlc::graph::Graph;
use mlc::loops::Fusion;
use mlc::ops::{Framework, Library};
use mlc::pipeline;
use mlc::runtime::data::{DiskProbe, Places};
use mlc::sema::{self, Settings};
use mlc::syntax;

const LESSONS: &[&str] = &["line", "xor", "iris", "digits", "mnist"];

/// The rewritten graphs of a step and of an evaluation.
fn graphs(lesson: &str) -> [Graph; 2] {
    let path = std::path::PathBuf::from(spec(lesson));
    let text = std::fs::read_to_string(&path).expect("a lesson");
    let folder = path.parent().map(Into::into);
    let mut sources = Sources::new();
    let file = sources.add(lesson, folder.clone(), text);
    let (ast, _) = syntax::parse(&sources, file);
    let probe = DiskProbe { places: Places { spec: folder, data: None } };
    let (job, _) = sema::check(&mut sources, file, &ast, &Settings::default(), &probe);
    let job = job.expect("a lesson is sound");
    let plan = &job.trains[0];
    let lib = Library::std(Framework::Keras, &mut Sources::new());
    [pipeline::step_graph(&lib, plan), plan.eval.clone()].map(|graph| pipeline::rewrite(graph).0)
}

fn shaders(graph: &Graph, batch: i64, target: &Target) -> Shaders {
    let program = pipeline::lower(graph, &Bindings::from([(Sym::from("B"), batch)]), &Fusion::GPU);
    let weights = WeightPlaces::of_program(&program, target).expect("a lesson's weights fit");
    wgsl::compile(&program, &weights, 42, target).expect("a lesson fits every device")
}

/// Full batches and odd last ones, on devices with the least limits and on those that a processor plays.
#[test]
fn lessons_are_wgsl() {
    let software = Target { software: true, ..Target::WEBGPU };
    for lesson in LESSONS {
        for graph in graphs(lesson) {
            for (batch, target) in
                [(32, Target::WEBGPU), (7, Target::WEBGPU), (1, Target::WEBGPU), (32, software)]
            {
                for text in shaders(&graph, batch, &target).texts {
                    wgsl::validate(&text)
                        .unwrap_or_else(|why| panic!("{lesson}, {batch} rows: {why}\n{text}"));
                }
            }
        }
    }
}

/// Starting a dispatch costs more than a kernel of this size takes: the whole step in a few of them.
#[test]
fn mnist_takes_few_dispatches() {
    let text = run(&["dump", &spec("mnist"), "--stage", "wgsl"]);
    let counted = text.lines().filter(|line| line.starts_with("// dispatch ")).count();
    assert!(text.starts_with(&format!("// mnist.train: {counted} dispatches")), "{:.60}", text);
    assert!(counted <= 6, "{counted} dispatches");
}
