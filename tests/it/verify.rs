//! `mlc verify`: sound machines agree, planted defects are found at their line.

use crate::support::{large_data, mlc, root, run, spec, stderr, stdout};
use mlc::base::Sources;
use mlc::diag::Diagnostic;
use mlc::graph::{Graph, OutputKind, Prim, ScalarOp};
use mlc::ops::{Framework, Library};
use mlc::runtime::data::{self, DiskProbe, Places};
use mlc::sema::{self, Settings};
use mlc::syntax;
use mlc::tools::verify::{self, Gpu, Options, Report};

/// Verifies a lesson with a defect in what is compiled.
fn with_defect(lesson: &str, tamper: Option<fn(&mut Graph)>) -> (Sources, Report, Vec<Diagnostic>) {
    verified(lesson, Gpu::LeftOut, tamper)
}

/// The same, on a GPU too if asked.
pub fn verified(
    lesson: &str,
    gpu: Gpu,
    tamper: Option<fn(&mut Graph)>,
) -> (Sources, Report, Vec<Diagnostic>) {
    let text = std::fs::read_to_string(spec(lesson)).expect("a lesson");
    let mut sources = Sources::new();
    let folder = Some(root().join("specs"));
    let file = sources.add(format!("{lesson}.mlspec"), folder.clone(), text);
    let (ast, _) = syntax::parse(&sources, file);
    let places = Places { spec: folder, data: None };
    let probe = DiskProbe { places: places.clone() };
    let (job, found) = sema::check(&mut sources, file, &ast, &Settings::default(), &probe);
    assert!(!found.has_errors());
    let job = job.expect("a lesson is sound");
    let plan = &job.trains[0];
    let data = data::load(&job.data[plan.data], &places).expect("the lesson's data are here");
    let lib = Library::std(Framework::Keras, &mut Sources::new());
    let options = Options { gpu, tamper, ..Options::default() };
    let report = verify::verify(&lib, &sources, &job, plan, Some(&data), &options).expect("the sides run");
    let wrong = verify::diagnostics(&report);
    (sources, report, wrong)
}

/// The line that the one diagnostic points at.
fn blamed(lesson: &str, tamper: fn(&mut Graph)) -> String {
    let (sources, report, wrong) = with_defect(lesson, Some(tamper));
    assert!(!report.agrees);
    let [wrong] = wrong.as_slice() else { panic!("one diagnostic for one side, not {wrong:?}") };
    assert_eq!(wrong.code, "verify::differs");
    assert!(wrong.help.is_some());
    sources.line(wrong.span()).trim().to_string()
}

/// The `nth` node that `wanted` holds for.
pub fn edit(graph: &mut Graph, nth: usize, wanted: fn(&Prim) -> bool, change: fn(&mut Prim)) {
    let found = graph.nodes.iter().filter(|(_, node)| wanted(&node.prim)).nth(nth);
    let id = found.expect("the step has such a node").0;
    change(&mut graph.nodes[id].prim);
}

fn is_map(prim: &Prim, wanted: ScalarOp) -> bool {
    matches!(prim, Prim::Map { op, .. } if *op == wanted)
}

fn becomes(prim: &mut Prim, other: ScalarOp) {
    if let Prim::Map { op, .. } = prim {
        *op = other;
    }
}

#[test]
fn sound_machines_agree() {
    for lesson in ["line", "xor", "iris", "digits"] {
        let (_, report, wrong) = with_defect(lesson, None);
        assert!(report.agrees && wrong.is_empty(), "{lesson}: {wrong:?}");
        // Not by luck of a loose bound, nor by comparing nothing.
        let worst = report.tensors.iter().map(|row| row.cpu.share).fold(0.0, f64::max);
        assert!((1e-3..0.7).contains(&worst), "{lesson}: {worst}");
        assert!(report.tensors.iter().all(|row| row.bound < 0.1), "{lesson}");
    }
}

/// A forward pass that subtracts the bias where it should be added.
#[test]
fn a_wrong_layer_is_named() {
    let line = blamed("digits", |graph| {
        let biased = |prim: &Prim| is_map(prim, ScalarOp::Add);
        // Biases start at 0, where a wrong sign changes nothing: the product is doubled instead.
        edit(graph, 0, biased, |prim| {
            if let Prim::Map { inputs, .. } = prim {
                inputs[1] = inputs[0];
            }
        });
    });
    assert!(line.ends_with("as fc1"), "{line}");
}

#[test]
fn a_wrong_loss_is_named() {
    let line = blamed("digits", |graph| {
        edit(graph, 0, |prim| is_map(prim, ScalarOp::Log), |prim| becomes(prim, ScalarOp::Log1p));
    });
    assert!(line.starts_with("loss"), "{line}");
}

/// A gradient that misses a rule leaves values and loss as they are.
#[test]
fn a_wrong_gradient_is_named() {
    let line = blamed("digits", |graph| {
        let backwards = |prim: &Prim| is_map(prim, ScalarOp::Gt);
        edit(graph, 0, backwards, |prim| becomes(prim, ScalarOp::Lt));
    });
    assert!(line.ends_with("as fc1"), "{line}");
}

/// The update of one bias forgets the learning rate's correction.
#[test]
fn a_wrong_update_is_named() {
    let line = blamed("digits", |graph| {
        let update = graph.outputs.iter().find(|o| &*o.name == "fc2.bias" && o.kind != OutputKind::Value);
        let Some(update) = update else { return };
        let value = update.value;
        becomes(&mut graph.nodes[value].prim, ScalarOp::Add);
    });
    assert!(line.ends_with("as fc2"), "{line}");
}

/// The worst element decides, not the average: row numbers for classes are right or wrong by turns.
#[test]
fn a_few_wrong_elements_are_enough() {
    let line = blamed("iris", |graph| {
        edit(graph, 0, |prim| matches!(prim, Prim::Iota { .. }), |prim| *prim = Prim::Iota { axis: 0 });
    });
    assert!(line.starts_with("loss"), "{line}");
}

/// A side without a number is never within a bound.
#[test]
fn no_number_is_a_defect() {
    let (_, report, wrong) = with_defect(
        "xor",
        Some(|graph| {
            edit(graph, 0, |prim| is_map(prim, ScalarOp::Tanh), |prim| becomes(prim, ScalarOp::Log));
        }),
    );
    assert!(!report.agrees);
    assert!(wrong[0].message.contains("is a number here and none there"), "{}", wrong[0].message);
}

#[test]
fn the_table_and_the_json_say_the_same() {
    let args = ["verify", &spec("iris"), "--device", "cpu", "--batch", "8"];
    let text = run(&args);
    let json: serde_json::Value =
        serde_json::from_str(&run(&[&args[..], &["--json"]].concat())).expect("JSON");
    assert_eq!(json["batch"], 8);
    assert_eq!(json["agrees"], true);
    assert_eq!(json["gpu"], serde_json::Value::Null);
    let tensors = json["tensors"].as_array().expect("a list");
    assert_eq!(tensors.len(), 19);
    for tensor in tensors {
        let name = tensor["name"].as_str().expect("a name");
        assert!(text.contains(name), "{name}");
        assert!(tensor["cpu"]["share"].as_f64().expect("a number") < 1.0, "{tensor}");
    }
    assert!(text.ends_with("19 tensors agree within what rounding can do\n"), "{text}");
}

/// Without a GPU two sides are compared, and the report says so; who insists on one is told what is missing.
#[test]
fn without_a_gpu_two_sides_are_compared() {
    let without_gpu = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mlc"));
        command.args(["verify", &spec("line")]).args(args).env("MLC_GPU", "no adapter bears this name");
        command.output().expect("mlc starts")
    };
    let two = without_gpu(&[]);
    assert!(two.status.success(), "{}", stderr(&two));
    assert!(stdout(&two).contains("interpreter and processor alone: "), "{}", stdout(&two));
    let three = without_gpu(&["--device", "gpu"]);
    assert_eq!(three.status.code(), Some(1));
    assert!(stderr(&three).contains("mlc::gpu::none"), "{}", stderr(&three));
}

/// Data that are not here are made up, and the report says so.
#[test]
fn without_data_the_batch_is_made_up() {
    let text = run(&["verify", &spec("mnist"), "--device", "cpu", "--batch", "2"]);
    assert!(text.contains("the batch is made up"), "{text}");
}

#[test]
fn mnist_is_verified() {
    let Some(data) = large_data("mnist_is_verified") else { return };
    let output = mlc(&["verify", &spec("mnist"), "--device", "cpu", "--data", &data]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("32 rows, the first batch of the data"), "{}", stdout(&output));
}
