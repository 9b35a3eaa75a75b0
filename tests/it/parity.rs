//! The same losses as Keras 3 and PyTorch, from the same weights and batches.
//!
//! `tests/goldens/mnist_parity.py` made the numbers.

use crate::support::{Run, large_data, root};

/// Relative, for each of fifty steps.
const TOLERANCE: f64 = 1e-4;

#[test]
fn fifty_losses_agree_with_keras_and_torch() {
    let Some(data) = large_data("fifty_losses_agree_with_keras_and_torch") else { return };
    let folder = root().join("tests/goldens");
    let text = std::fs::read_to_string(folder.join("mnist_parity.json")).expect("the goldens are there");
    let goldens: serde_json::Value = serde_json::from_str(&text).expect("the goldens are JSON");
    let runs = goldens["runs"].as_object().expect("goldens by name");
    assert_eq!(runs.len(), 4);
    for (name, golden) in runs {
        let spec = folder.join(format!("mnist_{name}.mlspec")).display().to_string();
        let run = Run::train(&spec, &["--data", &data]);
        let records = run.records();
        let found = records.iter().filter(|r| r["of"] == "step").map(|r| r["loss"].as_f64());
        let found: Vec<f64> = found.map(|x| x.expect("a loss is a number")).collect();
        let wanted = golden["losses"].as_array().expect("a list of losses").iter();
        let wanted: Vec<f64> = wanted.map(|x| x.as_f64().expect("a loss is a number")).collect();
        assert_eq!((found.len(), wanted.len()), (50, 50), "{name}");
        let worst = found.iter().zip(&wanted).map(|(f, w)| ((f - w) / w).abs()).fold(0.0, f64::max);
        println!("{name}: worst relative difference {worst:.1e}");
        assert!(worst <= TOLERANCE, "{name}: {worst:e}\n{found:?}\n{wanted:?}");
    }
}
