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

/// The losses of a classifier that pools in some way what an embedding with a mask gives.
fn pooled(by: &str) -> Vec<f64> {
    let folder = root().join("tests/goldens/sequences");
    let text = format!(
        "mlspec 1\n\ndata ids {{\n  source = npz(\"sequences.npz\")\n  shuffle = false\n  batch = 32\n}}\n\n\
         model M {{\n  input tokens: i32[B, 9]\n  let x = tokens |> Embedding(12, 4, mask_zero=true) as words\n  \
         output logits: f32[B, 12] = {by} |> Dense(12) as out\n}}\n\n\
         train {{\n  feed {{ tokens = ids.tokens  label = ids.tokens[0] }}\n  loss = CrossEntropy(M.logits, label)\n  \
         optimizer = SGD(lr=0.1)\n  steps = 20\n}}\n"
    );
    let place = tempfile::tempdir().expect("a temporary folder");
    let spec = place.path().join("pooled.mlspec");
    std::fs::write(&spec, text).expect("the temporary folder is writable");
    let run = Run::train(&spec.display().to_string(), &["--data", &folder.display().to_string()]);
    let records = run.records();
    records.iter().filter(|r| r["of"] == "step").map(|r| r["loss"].as_f64().expect("a loss")).collect()
}

#[test]
fn means_over_time_leave_padding_out() {
    let layer = pooled("x |> GlobalAveragePooling1D");
    let by_hand = pooled("einsum(\"btd,bt->bd\", x, padding(x)) / sum(padding(x), axis=1, keep=true)");
    let all = pooled("mean(x, axis=1)");
    assert_eq!(layer.len(), 20);
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart(&layer, &by_hand) < 1e-5, "{layer:?}\n{by_hand:?}");
    assert!(apart(&layer, &all) > 1e-3, "padding moves the mean");
}
