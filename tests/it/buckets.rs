//! `bucket`: batches that are only as long as their longest row wants.

use crate::support::{Run, mlc, run, stderr};
use std::fmt::Write;
use std::path::Path;

/// What a classifier of texts is like in one test.
#[derive(Clone, Copy)]
struct Texts {
    /// Words of a text at most; they are padded to 16.
    longest: usize,
    batch: usize,
    side: &'static str,
    mask: &'static str,
    /// Further lines of `data` and of `train`.
    data: &'static str,
    train: &'static str,
}

const BUCKET: &str = "bucket = tokens";

impl Default for Texts {
    fn default() -> Texts {
        let (mask, data, train) = (", mask_zero=true", BUCKET, "");
        Texts { longest: 16, batch: 16, side: "right", mask, data, train }
    }
}

impl Texts {
    /// Writes 150 texts, each of even or of odd words, and the spec that tells which; gives its path.
    fn write(self, place: &Path) -> String {
        let mut table = String::from("text,kind\n");
        for row in 0..150 {
            let odd = row / 3 % 2;
            let words =
                (0..1 + row * 7 % self.longest).map(|i| format!("w{}", (row * 5 + i * 3) % 9 * 2 + odd));
            let kind = ["even", "odd"][odd];
            writeln!(table, "{},{kind}", words.collect::<Vec<_>>().join(" ")).expect("a string takes text");
        }
        let Texts { batch, side, mask, data, train, .. } = self;
        let spec = format!(
            "mlspec 1\n\ndim T = 16\n\ndata texts {{\n  source = csv(\"texts.csv\")\n  tokens = text |> words(vocab=30) |> \
             pad(T, side={side})\n  label = kind |> class(even, odd)\n  batch = {batch}\n  {data}\n}}\n\nmodel Net {{\n  \
             input tokens: i32[B, T]\n  output logit: f32[B] = tokens |> Embedding(30, 6{mask}) as words |> LSTM(8) as \
             lstm\n    |> Dense(1) as out |> Squeeze\n}}\n\ntrain {{\n  feed {{ tokens = texts.tokens  label = \
             texts.label }}\n  loss = BinaryCrossEntropy(Net.logit, label)\n  optimizer = SGD(lr=0.5)\n  epochs = 4\n  \
             log {{ every = 1 }}\n  {train}\n}}\n"
        );
        std::fs::write(place.join("texts.csv"), table).expect("the temporary folder is writable");
        let path = place.join("texts.mlspec");
        std::fs::write(&path, spec).expect("the temporary folder is writable");
        path.display().to_string()
    }

    fn trained(self, args: &[&str]) -> Run {
        let place = tempfile::tempdir().expect("a temporary folder");
        Run::train(&self.write(place.path()), args)
    }

    /// The loss of each step.
    fn losses(self, args: &[&str]) -> Vec<f64> {
        losses(&self.trained(args))
    }
}

fn losses(run: &Run) -> Vec<f64> {
    let records = run.records();
    records.iter().filter(|r| r["of"] == "step").map(|r| r["loss"].as_f64().expect("a loss")).collect()
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert!(!a.is_empty() && a.len() == b.len(), "{} and {}", a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn what_is_cut_away_is_padding() {
    for side in ["right", "left"] {
        // All rows in one batch, none of them longer than 7: it has 8 steps instead of 16.
        let texts = Texts { longest: 7, batch: 150, side, ..Texts::default() };
        let (with, without) = (texts.losses(&[]), Texts { data: "", ..texts }.losses(&[]));
        assert_eq!(with.len(), 4);
        assert!(apart(&with, &without) < 1e-6, "{side}: {with:?} is not {without:?}");
        // A model that reads its padding sees that there is less of it.
        let blind = Texts { mask: "", ..texts };
        let (with, without) = (blind.losses(&[]), Texts { data: "", ..blind }.losses(&[]));
        assert!(apart(&with, &without) > 1e-6, "{side}: {with:?} is {without:?}");
    }
}

#[test]
fn in_file_order_rows_meet_as_they_do_without() {
    let still = Texts { data: "shuffle = false  bucket = tokens", ..Texts::default() };
    let (with, without) = (still.losses(&[]), Texts { data: "shuffle = false", ..still }.losses(&[]));
    assert_eq!(with.len(), 40);
    assert!(apart(&with, &without) < 1e-5, "{with:?} is not {without:?}");
}

#[test]
fn rows_of_all_lengths_are_learnt_from() {
    let run = Texts {
        train: "metrics = [accuracy]",
        data: "bucket = tokens  split { train = 80%  valid = 20% }",
        ..Texts::default()
    }
    .trained(&["--set", "train.epochs=15"]);
    let records = run.records();
    let valid = records.iter().rfind(|r| r["split"] == "valid").expect("a validation");
    let accuracy = valid["metrics"]["accuracy"].as_f64().expect("a number");
    assert!(accuracy >= 0.9, "{accuracy}");
}

#[test]
fn batches_are_those_of_the_seed_for_any_threads_and_stops() {
    let texts = Texts::default();
    let whole = texts.trained(&["--steps", "35", "--threads", "1"]);
    assert_eq!(whole.weights_hash(), texts.trained(&["--steps", "35", "--threads", "2"]).weights_hash());
    let place = tempfile::tempdir().expect("a temporary folder");
    let parts = Run::train(&texts.write(place.path()), &["--steps", "13"]);
    let folder = parts.file("").display().to_string();
    run(&["train", "--resume", &folder, "--steps", "24"]);
    run(&["train", "--resume", &folder, "--steps", "35"]);
    assert_eq!(whole.weights_hash(), parts.weights_hash());
    assert_eq!(losses(&whole), losses(&parts));
    let other = texts.trained(&["--steps", "35", "--set", "train.seed=1"]);
    assert_ne!(whole.weights_hash(), other.weights_hash());
}

#[test]
fn gathered_batches_are_of_one_length() {
    let gathered = Texts { batch: 8, train: "accumulate = 2", ..Texts::default() }.losses(&[]);
    let whole = Texts::default().losses(&[]);
    assert!(apart(&gathered, &whole) < 1e-5, "{gathered:?} is not {whole:?}");
}

/// The losses of a training on a device, with all that goes along on the way there.
#[cfg(feature = "gpu")]
pub fn on(device: &str) -> Vec<f64> {
    Texts::default().losses(&["--device", device])
}

#[test]
fn plans_tell_the_lengths() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let spec = Texts::default().write(place.path());
    let told = run(&["plan", &spec]);
    assert!(told.contains("rows of 2, 4, 6, 8, 10, 12, 14 or 16 steps"), "{told}");
    // What is set goes for the ladder too, and everything that runs at full length runs.
    let told = run(&["plan", &spec, "--set", "T=4"]);
    assert!(told.contains("rows of 1, 2, 3 or 4 steps"), "{told}");
    run(&["bench", &spec, "--seconds", "0.1"]);
    run(&["verify", &spec, "--device", "cpu"]);
}

#[test]
fn lengths_at_which_the_spec_is_wrong_are_left_out() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let spec = Texts::default().write(place.path());
    let text = std::fs::read_to_string(&spec).expect("the spec is there");
    let narrow = text.replace("LSTM(8) as lstm", "Conv1D(8, 9) as conv |> GlobalMaxPooling1D");
    std::fs::write(&spec, narrow.replace(", mask_zero=true", "")).expect("the temporary folder is writable");
    let told = run(&["plan", &spec]);
    assert!(told.contains("rows of 10, 12, 14 or 16 steps"), "{told}");
    run(&["train", &spec, "--steps", "20", "--out", &place.path().join("run").display().to_string()]);
    // So is a column that is no longer the same one.
    let hashed = text.replace("class(even, odd)", "hashed(T)");
    let hashed =
        hashed.replace("BinaryCrossEntropy(Net.logit, label)", "MeanSquaredError(Net.logit, label * 1.0)");
    std::fs::write(&spec, hashed).expect("the temporary folder is writable");
    let told = stderr(&mlc(&["check", &spec]));
    assert!(
        told.contains("mlc::data::bucket") && told.contains("`label` is another column with `T = 14`"),
        "{told}"
    );
    // A weight for each step is another weight at another length.
    let flat = text.replace("LSTM(8) as lstm", "Flatten");
    std::fs::write(&spec, flat.replace(", mask_zero=true", "")).expect("the temporary folder is writable");
    let refused = mlc(&["check", &spec]);
    assert!(!refused.status.success());
    let told = stderr(&refused);
    assert!(
        told.contains("mlc::data::bucket") && told.contains("`out.weight` is [96, 1] with `T = 16`"),
        "{told}"
    );
}
