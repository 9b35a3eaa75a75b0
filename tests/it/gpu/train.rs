//! Training on a device: beside the processor, twice, within the least limits, and when it ends badly.

use super::{device, device_of};
use crate::metrics::a_run_reports_those_of_scikit_learn;
use crate::support::{root, run, spec, stderr};
use mlc::base::Sources;
use mlc::diag::Diagnostic;
use mlc::ops::{Framework, Library};
use mlc::runtime::data::{self, Batches, Dataset, DiskProbe, Places, Prefetch};
use mlc::runtime::gpu::{Choice, Device, Limits};
use mlc::runtime::trainer::{Evaluation, Trainer};
use mlc::runtime::{On, RunError};
use mlc::sema::{self, Job, Settings};
use mlc::syntax;
use std::process::Command;

struct Lesson {
    job: Job,
    data: Dataset,
    library: Library,
}

fn lesson(name: &str) -> Lesson {
    let places = Places { spec: Some(root().join("specs")), data: None };
    let text = std::fs::read_to_string(spec(name)).unwrap();
    let mut sources = Sources::new();
    let file = sources.add(name, places.spec.clone(), text.as_str());
    let (ast, wrong) = syntax::parse(&sources, file);
    assert!(!wrong.has_errors());
    let probe = DiskProbe { places: places.clone() };
    let (job, wrong) = sema::check(&mut sources, file, &ast, &Settings::default(), &probe);
    assert!(!wrong.has_errors(), "{wrong:?}");
    let job = job.expect("the lesson is sound");
    let data = data::load(&job.data[job.trains[0].data], &places).expect("the lesson has its data");
    Lesson { job, data, library: Library::std(Framework::Keras, &mut Sources::new()) }
}

impl Lesson {
    fn trainer(&self, on: On) -> Result<Trainer<'_>, Box<Diagnostic>> {
        let plan = &self.job.trains[0];
        Trainer::new(&self.library, plan, &self.job.data[plan.data], &self.data, on)
    }

    /// The losses of the first steps, an evaluation after them, and the hash of the weights.
    fn trained(&self, on: On, steps: u64) -> (Vec<f32>, Evaluation, String) {
        let mut trainer = self.trainer(on).unwrap();
        let losses = losses(&mut trainer, &self.data, steps).unwrap();
        let evaluation = trainer.evaluate(&self.data.train).unwrap();
        trainer.sync().unwrap();
        (losses, evaluation, trainer.weights().hash())
    }
}

fn losses(trainer: &mut Trainer, data: &Dataset, steps: u64) -> Result<Vec<f32>, RunError> {
    let mut batches = Batches::new(&data.train, trainer.order(), 0, steps, Prefetch::Inline);
    let mut losses = Vec::new();
    while let Some(batch) = batches.advance() {
        trainer.step(&batch)?;
        while let Some(loss) = trainer.next_loss() {
            losses.push(loss);
        }
    }
    trainer.finish()?;
    losses.extend(std::iter::from_fn(|| trainer.next_loss()));
    assert!(losses.iter().enumerate().all(|(i, loss)| loss.step == i as u64 + 1), "in order: {losses:?}");
    Ok(losses.iter().map(|loss| loss.value).collect())
}

fn gpu(device: Device) -> On {
    On::Gpu(Box::new(device))
}

/// Whether two losses agree but for what devices round differently.
fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-4 * a.abs().max(b.abs())
}

#[test]
fn less_memory_gives_the_same_bits() {
    if device("gpu::train::less_memory_gives_the_same_bits").is_none() {
        return;
    }
    let again = crate::limits::trains_to_the_same_bits(["gpu", "total"], &["--device", "gpu"]);
    assert!(again.iter().any(|(_, bytes)| *bytes > 0), "some net has to make values again: {again:?}");
}

#[test]
fn a_device_learns_what_the_processor_learns() {
    for name in ["line", "xor", "iris", "digits"] {
        let Some(device) = device("a_device_learns_what_the_processor_learns") else { return };
        let lesson = lesson(name);
        // Several flights, and an odd last batch among them.
        let steps = 12;
        let (on_cpu, cpu_eval, _) = lesson.trained(On::Cpu { threads: 1 }, steps);
        let (on_gpu, gpu_eval, _) = lesson.trained(gpu(device), steps);
        assert_eq!(on_cpu.len(), on_gpu.len());
        for (step, (a, b)) in on_cpu.iter().zip(&on_gpu).enumerate() {
            assert!(near(f64::from(*a), f64::from(*b)), "{name}, step {step}: {a} and {b}");
        }
        assert!(near(cpu_eval.loss, gpu_eval.loss), "{name}: {cpu_eval:?} and {gpu_eval:?}");
    }
}

#[test]
fn a_device_gives_the_same_bits_twice() {
    let lesson = lesson("iris");
    let trained = || Some(lesson.trained(gpu(device("a_device_gives_the_same_bits_twice")?), 20));
    let (Some(once), Some(again)) = (trained(), trained()) else { return };
    assert_eq!(once, again);
}

#[test]
fn a_program_that_comes_late_finds_room_and_changes_nothing() {
    let lesson = lesson("digits");
    let trained = |late: Option<usize>| {
        let mut trainer =
            lesson.trainer(gpu(device("a_program_that_comes_late_finds_room_and_changes_nothing")?)).unwrap();
        let first = losses(&mut trainer, &lesson.data, 3).unwrap();
        if let Some(batch) = late {
            trainer.prepare(batch).unwrap();
        }
        let then = losses(&mut trainer, &lesson.data, 3).unwrap();
        trainer.sync().unwrap();
        Some((first, then, trainer.weights().hash()))
    };
    let Some(straight) = trained(None) else { return };
    assert_eq!(trained(Some(500)), Some(straight));
}

#[test]
fn the_least_limits_are_enough() {
    let test = "the_least_limits_are_enough";
    let choice = Choice { limits: Limits::Least, ..Choice::from_env() };
    let (Some(own), Some(least)) = (device(test), device_of(test, &choice)) else { return };
    let lesson = lesson("digits");
    let (own, ..) = lesson.trained(gpu(own), 4);
    let (least, ..) = lesson.trained(gpu(least), 4);
    assert!(own.iter().zip(&least).all(|(a, b)| near(f64::from(*a), f64::from(*b))), "{own:?} {least:?}");
}

#[test]
fn losing_the_device_ends_a_training_with_its_step() {
    let Some(device) = device("losing_the_device_ends_a_training_with_its_step") else { return };
    let lesson = lesson("xor");
    let mut trainer = lesson.trainer(gpu(device)).unwrap();
    assert_eq!(losses(&mut trainer, &lesson.data, 3).unwrap().len(), 3);
    let mlc::runtime::engine::Engine::Gpu(engine) = trainer.engine() else { panic!("it is on a GPU") };
    engine.engine().device().destroy();
    let Err(RunError::Diagnostics(wrong)) = losses(&mut trainer, &lesson.data, 5) else { panic!("lost") };
    assert_eq!(wrong[0].code, "gpu::lost");
    assert!(wrong[0].message.contains("(step 1, epoch 1)"), "{}", wrong[0].message);
    let Err(RunError::Diagnostics(wrong)) = trainer.sync() else { panic!("lost") };
    assert_eq!(wrong[0].code, "gpu::lost");
}

#[test]
fn a_job_too_large_is_told_before_it_starts() {
    let choice = Choice { memory: Some(100 << 10), ..Choice::from_env() };
    let Some(device) = device_of("a_job_too_large_is_told_before_it_starts", &choice) else { return };
    let lesson = lesson("digits");
    let Err(wrong) = lesson.trainer(gpu(device)) else { panic!("digits takes more than 100 KiB") };
    assert_eq!(wrong.code, "gpu::memory");
    for row in ["weights and states", "temporaries", "batches", "results", "staging"] {
        assert!(wrong.message.contains(row), "{}", wrong.message);
    }
}

#[test]
fn a_loss_that_is_not_finite_is_told_for_its_step() {
    let Some(_) = device("a_loss_that_is_not_finite_is_told_for_its_step") else { return };
    let step = |device: &str| {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run").display().to_string();
        let args =
            ["train", &spec("line"), "--device", device, "--out", &out, "--set", "train.optimizer.lr=1e9"];
        let output = crate::support::mlc(&args);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let text = stderr(&output);
        let at = text.find("at step ").unwrap_or_else(|| panic!("{text}"));
        text[at..].split_whitespace().nth(2).unwrap().parse::<u64>().unwrap()
    };
    let (cpu, gpu) = (step("cpu"), step("gpu"));
    // A step more or less: the last finite numbers are near the largest there are.
    assert!(cpu.abs_diff(gpu) <= 1, "step {cpu} on the processor, {gpu} on the GPU");
}

#[test]
fn a_run_on_a_device_tells_everything() {
    let Some(device) = device("a_run_on_a_device_tells_everything") else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let path = out.display().to_string();
    let args = ["train", &spec("iris"), "--device", "gpu", "--set", "train.epochs=3", "--out", &path];
    run(&[&args[..], &["--progress", "plain"]].concat());
    let yaml = std::fs::read_to_string(out.join("run.yaml")).unwrap();
    let host = yaml.lines().find_map(|l| l.strip_prefix("host: ")).unwrap();
    assert!(host.contains(device.name().split(" (").next().unwrap()), "{host}");
    let lines = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let steps: Vec<u64> =
        lines.iter().filter(|l| l["of"] == "step").map(|l| l["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, (1..=steps.len() as u64).collect::<Vec<_>>());
    // What was trained there is a start anywhere.
    let model = out.join("model.safetensors").display().to_string();
    for device in ["cpu", "gpu"] {
        let again = folder.path().join(device).display().to_string();
        run(&["train", &spec("iris"), "--device", device, "--steps", "0", "--init", &model, "--out", &again]);
        let copy = std::fs::read(folder.path().join(device).join("model.safetensors")).unwrap();
        let (copy, first) = (weights(&copy), weights(&std::fs::read(&model).unwrap()));
        assert_eq!(copy, first, "{device}");
    }
}

/// The numbers of a file of weights, by name.
fn weights(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let mut all: Vec<(String, Vec<u8>)> =
        file.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect();
    all.sort();
    all
}

#[test]
fn a_plan_names_the_device_and_what_it_holds() {
    let Some(device) = device("a_plan_names_the_device_and_what_it_holds") else { return };
    let text = run(&["plan", &spec("digits"), "--device", "gpu"]);
    assert!(
        text.contains(&device.name()) && text.contains("temporaries") && text.contains("dispatch 0"),
        "{text}"
    );
}

#[test]
fn without_a_device_there_is_a_diagnostic() {
    for command in ["train", "plan", "bench"] {
        let output = Command::new(env!("CARGO_BIN_EXE_mlc"))
            .args([command, &spec("line"), "--device", "gpu"])
            .env("VK_DRIVER_FILES", "/nonexistent")
            .env("VK_ICD_FILENAMES", "/nonexistent")
            .env("XDG_RUNTIME_DIR", "/tmp")
            .current_dir(std::env::temp_dir())
            .output()
            .unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{command}: {text}");
        assert!(text.contains("mlc::gpu::none") && text.contains("--device cpu"), "{command}: {text}");
    }
}

/// Sums by class are several numbers of one run, which the processor's test compares with scikit-learn.
#[test]
fn metrics_are_those_of_scikit_learn() {
    if device("gpu::train::metrics_are_those_of_scikit_learn").is_some() {
        a_run_reports_those_of_scikit_learn(64, &["--device", "gpu"]);
    }
}

#[test]
fn batches_of_several_lengths_are_those_of_the_processor() {
    if device("gpu::train::batches_of_several_lengths_are_those_of_the_processor").is_none() {
        return;
    }
    let (gpu, cpu) = (crate::buckets::on("gpu"), crate::buckets::on("cpu"));
    assert_eq!(gpu.len(), 40);
    assert!(gpu.iter().zip(&cpu).all(|(gpu, cpu)| (gpu - cpu).abs() < 1e-4), "{gpu:?}\n{cpu:?}");
}

#[test]
fn a_run_on_a_device_is_resumed_to_the_same_bits() {
    if device("a_run_on_a_device_is_resumed_to_the_same_bits").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name).display().to_string();
    let (whole, parted) = (out("whole"), out("parted"));
    let train = |out: &str, steps: &str| {
        let stop = "train.stop=EarlyStopping(patience=50, restore_best=true)";
        run(&["train", &spec("digits"), "--set", stop, "--device", "gpu", "--steps", steps, "--out", out]);
    };
    train(&whole, "70");
    train(&parted, "53");
    run(&["train", "--resume", &parted, "--steps", "70"]);
    for file in ["model.safetensors", "optimizer.safetensors"] {
        let read = |folder: &str| std::fs::read(std::path::Path::new(folder).join(file)).unwrap();
        assert_eq!(read(&whole), read(&parted), "{file}");
    }
}
