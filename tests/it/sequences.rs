//! Sequences: padding counts in no metric, and what a mask keeps is the same for all.

use crate::support::{Run, root};

/// The encoder of `tests/goldens/sequences` with an evaluation of all rows in one batch.
fn encoder(mask: &str, metrics: &str) -> Run {
    let folder = root().join("tests/goldens/sequences");
    let text = std::fs::read_to_string(folder.join("encoder.mlspec")).expect("the spec is there");
    let text = text
        .replace(
            "shuffle = false\n  batch   = 32",
            "split { train = 1200  valid = 400  ordered = true }\n  batch = 400",
        )
        .replace(", mask_zero=true", mask)
        .replace("steps     = 50", &format!("epochs = 1\n  metrics = [{metrics}]"));
    assert!(text.contains("valid = 400") && text.contains("metrics"), "the places to change are there");
    let place = tempfile::tempdir().expect("a temporary folder");
    let spec = place.path().join("encoder.mlspec");
    std::fs::write(&spec, text).expect("the temporary folder is writable");
    Run::train(&spec.display().to_string(), &["--data", &folder.display().to_string()])
}

fn valid(run: &Run, figure: &str) -> f64 {
    let records = run.records();
    let last = records.iter().rev().find(|r| r["split"] == "valid").expect("an evaluation");
    let found = if figure == "loss" { &last["loss"] } else { &last["metrics"][figure] };
    found.as_f64().unwrap_or_else(|| panic!("{figure} is in {last}"))
}

#[test]
fn metrics_count_the_steps_that_the_loss_counts() {
    // One batch: the mean over what the mask keeps is that of the loss, and perplexity e to its power.
    for mask in [", mask_zero=true", ""] {
        let run = encoder(mask, "perplexity, log_loss, accuracy, f1(average=micro)");
        let loss = valid(&run, "loss");
        assert!((valid(&run, "log_loss") - loss).abs() < 1e-5 * loss, "{mask}: {loss}");
        assert!((valid(&run, "perplexity") - loss.exp()).abs() < 1e-5 * loss.exp(), "{mask}: {loss}");
        // Of one label each, all rates over all rows are the share that is right.
        assert!((valid(&run, "f1") - valid(&run, "accuracy")).abs() < 1e-6, "{mask}");
    }
}

#[test]
fn padding_is_what_the_mask_leaves_out() {
    let [with, without] = [", mask_zero=true", ""].map(|mask| valid(&encoder(mask, "accuracy"), "loss"));
    // Padding is followed by padding, which is learnt first.
    assert!(with > without + 0.05, "{with} with a mask, {without} without");
}
