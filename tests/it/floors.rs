//! What the specs of real work must reach, on average over five seeds.

use crate::support::{Run, large_data, root, spec};

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
const LONG: &[(&str, f64)] =
    &[("mnist_cnn", 0.988), ("mnist_cnn_mse", 0.98), ("fashion_resnet", 0.91), ("vit_mnist", 0.975)];

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
#[ignore = "trains convolutional nets on 60,000 images: minutes each; for releases"]
fn convolutional_nets_reach_their_floors() {
    let Some(data) = large_data("convolutional_nets_reach_their_floors") else { return };
    for (name, floor) in LONG {
        let accuracy = Run::train(&spec(name), &["--data", &data]).test_result("accuracy");
        println!("{name}: test accuracy {accuracy}");
        assert!(accuracy >= *floor, "{name}: {accuracy}, not {floor}");
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
