//! The lessons train to what they promise, with the same bits every time.

use crate::support::{Run, large_data, spec};

#[test]
fn digits_reach_95_percent() {
    let accuracy = Run::train(&spec("digits"), &[]).test_metric("accuracy");
    assert!(accuracy >= 0.95, "test accuracy {accuracy}");
}

#[test]
fn xor_is_solved_exactly() {
    assert_eq!(Run::train(&spec("xor"), &[]).test_metric("accuracy"), 1.0);
}

#[test]
fn the_line_is_found() {
    let run = Run::train(&spec("line"), &[]);
    let last = run.records().pop().expect("a record of the last epoch");
    // The noise has a spread of 0.1; what is left beyond it is the model's.
    let rmse = last["metrics"]["rmse"].as_f64().expect("rmse is a number");
    assert!(rmse < 0.13, "{last}");
}

#[test]
fn iris_are_told_apart() {
    let accuracy = Run::train(&spec("iris"), &[]).test_metric("accuracy");
    assert!(accuracy >= 0.9, "test accuracy {accuracy}");
}

/// The floor: 97.5 % on average over five seeds, none under 97.2 %.
#[test]
fn mnist_reaches_its_floor() {
    let Some(data) = large_data("mnist_reaches_its_floor") else { return };
    let accuracies: Vec<f64> = (1..=5)
        .map(|seed| {
            let seed = format!("train.seed={seed}");
            Run::train(&spec("mnist"), &["--data", &data, "--set", &seed]).test_metric("accuracy")
        })
        .collect();
    let mean = accuracies.iter().sum::<f64>() / 5.0;
    println!("mnist test accuracy, seeds 1 to 5: {accuracies:?}, mean {mean}");
    assert!(mean >= 0.975, "{accuracies:?}, mean {mean}");
    assert!(accuracies.iter().all(|a| *a >= 0.972), "{accuracies:?}");
}

/// Two runs, and one, two and three threads: one hash of the final weights.
fn same_bits(name: &str, args: &[&str]) {
    let hash =
        |threads: &str| Run::train(&spec(name), &[args, &["--threads", threads]].concat()).weights_hash();
    let first = hash("2");
    for threads in ["2", "1", "3"] {
        assert_eq!(hash(threads), first, "{name} with {threads} threads");
    }
}

#[test]
fn the_small_lessons_give_the_same_bits() {
    for name in ["line", "xor", "iris", "digits"] {
        same_bits(name, &[]);
    }
}

#[test]
fn mnist_gives_the_same_bits() {
    let Some(data) = large_data("mnist_gives_the_same_bits") else { return };
    same_bits("mnist", &["--data", &data, "--set", "train.epochs=1"]);
}

#[test]
fn another_seed_gives_other_bits() {
    let hash = |seed: &str| Run::train(&spec("iris"), &["--set", seed]).weights_hash();
    assert_ne!(hash("train.seed=1"), hash("train.seed=2"));
}
