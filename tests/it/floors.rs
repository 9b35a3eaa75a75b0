//! What the specs of real work must reach, on average over five seeds.

use crate::support::{Run, large_data, root, run, spec};
use crate::tables::{npy, zip};

/// What a metric of the test split, or of all folds together, must be on average over the seeds 1 to 5.
struct Floor {
    spec: &'static str,
    metric: &'static str,
    mean: Bound,
    /// What each of them must be alone.
    each: Option<Bound>,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            AtLeast(least) => value >= least,
            AtMost(most) => value <= most,
        }
    }
}

/// On data that come with the project.
const SMALL: &[Floor] = &[
    Floor { spec: "wdbc", metric: "accuracy", mean: AtLeast(0.95), each: None },
    // A line cannot do better than a coin, whatever it is trained with.
    Floor { spec: "xor_linear", metric: "log_loss", mean: AtLeast(0.69), each: None },
];

/// On data that are too large for that.
const LARGE: &[Floor] = &[
    Floor { spec: "mnist", metric: "accuracy", mean: AtLeast(0.975), each: Some(AtLeast(0.972)) },
    Floor { spec: "fashion", metric: "accuracy", mean: AtLeast(0.875), each: None },
    Floor { spec: "adult", metric: "accuracy", mean: AtLeast(0.85), each: None },
    Floor { spec: "adult", metric: "auc", mean: AtLeast(0.90), each: None },
    Floor { spec: "census", metric: "accuracy", mean: AtLeast(0.85), each: None },
    // In dollars.
    Floor { spec: "housing", metric: "rmse", mean: AtMost(56_000.0), each: None },
    Floor { spec: "titanic", metric: "accuracy", mean: AtLeast(0.77), each: None },
    Floor { spec: "credit", metric: "accuracy", mean: AtLeast(0.815), each: None },
    // Grades are whole numbers from 3 to 9.
    Floor { spec: "wine", metric: "mae", mean: AtMost(0.57), each: None },
];

/// Nets that train for minutes: once, with the seed that the spec has.
struct Long {
    spec: &'static str,
    args: &'static [&'static str],
    split: &'static str,
    metric: &'static str,
    bound: Bound,
}

const LONG: &[Long] = &[
    classes("mnist_cnn", 0.988),
    classes("mnist_cnn_mse", 0.98),
    classes("fashion_resnet", 0.91),
    classes("vit_mnist", 0.975),
    classes("imdb_cnn", 0.86),
    classes("imdb_lstm", 0.84),
    // Nats an image.
    Long { spec: "mnist_vae", args: &[], split: "test", metric: "loss", bound: AtMost(110.0) },
    // Nats a letter; it has no test split.
    Long {
        spec: "shakespeare",
        args: &["--variant", "nano"],
        split: "valid",
        metric: "loss",
        bound: AtMost(1.90),
    },
];

const fn classes(spec: &'static str, least: f64) -> Long {
    Long { spec, args: &[], split: "test", metric: "accuracy", bound: AtLeast(least) }
}

/// Specs of large data that have a variant of seconds.
const TINY: &[&str] = &[
    "mnist_cnn",
    "mnist_gan",
    "mnist_dcgan",
    "mnist_vae",
    "fashion_resnet",
    "vit_mnist",
    "imdb_cnn",
    "imdb_lstm",
    "shakespeare",
    "blood_cells",
    "translate",
];

/// The metric for each of the seeds.
fn of_seeds(name: &str, metric: &str, args: &[&str]) -> Vec<f64> {
    let of_seed = |seed| {
        let seed = format!("train.seed={seed}");
        Run::train(&spec(name), &[args, &["--set", &seed]].concat()).test_result(metric)
    };
    (1..=5).map(of_seed).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn holds(floor: &Floor, args: &[&str]) {
    let values = of_seeds(floor.spec, floor.metric, args);
    let mean = mean(&values);
    let Floor { spec, metric, .. } = floor;
    println!("{spec}: test {metric}, seeds 1 to 5: {values:?}, mean {mean}");
    assert!(floor.mean.holds(mean), "{spec}: {metric} {values:?}, mean {mean}, not {:?}", floor.mean);
    if let Some(each) = floor.each {
        assert!(values.iter().all(|v| each.holds(*v)), "{spec}: {metric} {values:?}, not each {each:?}");
    }
}

#[test]
fn small_data_reach_their_floors() {
    SMALL.iter().for_each(|floor| holds(floor, &[]));
}

#[test]
fn large_data_reach_their_floors() {
    let Some(data) = large_data("large_data_reach_their_floors") else { return };
    LARGE.iter().for_each(|floor| holds(floor, &["--data", &data]));
}

#[test]
#[ignore = "trains nets of images and texts: minutes each; for releases"]
fn long_trainings_reach_their_floors() {
    let Some(data) = large_data("long_trainings_reach_their_floors") else { return };
    for Long { spec: name, args, split, metric, bound } in LONG {
        let run = Run::train(&spec(name), &[*args, &["--data", &data]].concat());
        let value = run.result(split, metric);
        println!("{name}: {split} {metric} {value}");
        assert!(bound.holds(value), "{name}: {value}, not {bound:?}");
    }
}

/// What a player makes is looked at by a net that has learnt what digits are.
#[test]
#[ignore = "trains two nets on 60,000 images: many minutes; for releases"]
fn made_digits_reach_their_floor() {
    let Some(data) = large_data("made_digits_reach_their_floor") else { return };
    let judge = Run::train(&spec("mnist_cnn"), &["--data", &data]);
    let player = Run::train(&spec("mnist_dcgan"), &["--data", &data]);
    let bytes = std::fs::read(player.file("generated/fakes.npy")).expect("digits were made");
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let grey = bytes[header..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let grey: Vec<u8> = grey.map(|x| ((x + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8).collect();
    assert_eq!(grey.len(), 10_000 * 784);
    let file = judge.file("fakes.npz");
    std::fs::write(&file, zip(&[("image.npy", npy("|u1", "(10000, 28, 28)", &grey))]))
        .expect("a file is written");
    let answers =
        run(&["predict", &judge.file("").display().to_string(), "--input", &file.display().to_string()]);
    let (mut sure, mut of) = (0, [0; 10]);
    for line in answers.lines().skip(1) {
        let cells: Vec<f64> = line.split(',').map(|c| c.parse().expect("a number")).collect();
        of[cells[0] as usize] += 1;
        sure += usize::from(cells[1..].iter().any(|p| *p > 0.9));
    }
    println!("mnist_dcgan: sure of {sure} of 10,000, by digit {of:?}");
    assert!(sure >= 8_500, "sure of {sure}");
    assert!(of.iter().all(|n| *n >= 300), "every digit is made: {of:?}");
}

#[test]
fn specs_of_large_data_have_a_variant_of_seconds() {
    let Some(data) = large_data("specs_of_large_data_have_a_variant_of_seconds") else { return };
    for name in TINY {
        let run = Run::train(&spec(name), &["--variant", "tiny", "--data", &data]);
        let loss = run.result("train", "loss");
        assert!(loss.is_finite(), "{name}: {loss}");
    }
}

/// The same rows, the same network: what scikit-learn's reaches is in the golden file.
#[test]
fn made_rows_are_learnt_as_well_as_by_scikit_learn() {
    let golden = root().join("tests/goldens/classification.json");
    let golden = std::fs::read_to_string(golden).expect("the golden file is there");
    let golden: serde_json::Value = serde_json::from_str(&golden).expect("the golden file is JSON");
    let theirs = golden["mean"].as_f64().expect("a mean accuracy");
    let ours = of_seeds("classification", "accuracy", &[]);
    println!("classification: {ours:?}, mean {}, scikit-learn {theirs}", mean(&ours));
    assert!((mean(&ours) - theirs).abs() <= 0.01, "{ours:?} against {theirs}");
}
