//! `mlc generate`: samples of random numbers, texts that go on.

use crate::support::{Run, mlc, root, run, stderr};
use std::path::{Path, PathBuf};

const FAKES: &str = "
generate fakes {
  model = G
  draw  { noise = Uniform(shape=[B, 8, 8], low=-1) }
  count = 300
}
";

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the temporary folder is writable");
    path.display().to_string()
}

fn generated(trained: &Run, file: &str) -> PathBuf {
    trained.file("generated").join(file)
}

#[test]
fn samples_are_those_of_the_seed() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let text = std::fs::read_to_string(root().join("tests/goldens/gan.mlspec")).expect("the spec is there");
    let spec = written(place.path(), "gan.mlspec", &(text + FAKES));
    let data = root().join("specs").display().to_string();
    let trained = Run::train(&spec, &["--data", &data]);
    let folder = trained.file("").display().to_string();
    let bytes = || std::fs::read(generated(&trained, "fakes.npy")).expect("samples are written");

    let first = bytes();
    // 300 samples of 8 x 8 numbers, behind a header.
    assert_eq!(first.len() % 64, 0);
    assert!(first.len() > 300 * 64 * 4 && first.starts_with(b"\x93NUMPY"));
    assert!(generated(&trained, "fakes.png").exists(), "images are shown");
    assert_eq!(run(&["generate", &folder, "--threads", "1"]), "", "only texts are printed");
    assert!(bytes() == first, "the same samples again");
    run(&["generate", &folder, "fakes", "--set", "fakes.seed=1"]);
    assert!(bytes() != first, "others of another seed");
    let unknown = mlc(&["generate", &folder, "faces"]);
    assert!(stderr(&unknown).contains("no `generate faces`, but fakes"), "{}", stderr(&unknown));
}

const TEXT: &str = r#"
mlspec 1

data plays {
  source = text("play.txt")
  tokens = text |> chars |> windows(9)
  split  { train = 90%  valid = 10%  ordered = true }
  batch  = 8
}

model Lm {
  input tokens: i32[B, 8]
  output logits: f32[B, 8, plays.vocab] =
    (tokens * 0.2 - 1) |> Reshape(8, 1) |> Dense(32, activation=tanh) as fc1 |> Dense(plays.vocab) as out
}

train {
  feed      { tokens = plays.tokens[:-1]  next = plays.tokens[1:] }
  loss      = CrossEntropy(Lm.logits, next)
  optimizer = Adam(lr=3e-2)
  epochs    = 5
}

generate sample { model = Lm  prompt = "to be"  max_new_tokens = 40  top_k = 5  num_return_sequences = 3 }
generate beams  { model = Lm  prompt = "or "  max_new_tokens = 30  num_beams = 4  no_repeat_ngram_size = 3 }
generate next   { model = Lm  prompt = "that is the question"  max_new_tokens = 1 }
"#;

/// Lines of a file that a text was generated into.
fn lines(trained: &Run, name: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(generated(trained, name)).expect("texts are written");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn texts_go_on_from_their_prompt() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let play =
        "to be, or not to be, that is the question: whether tis nobler in the mind to suffer\n".repeat(12);
    written(place.path(), "play.txt", &play);
    let spec = written(place.path(), "play.mlspec", TEXT.trim_start());
    let trained = Run::train(&spec, &[]);
    let folder = trained.file("").display().to_string();

    let samples = lines(&trained, "sample.jsonl");
    assert_eq!(samples.len(), 3);
    assert_ne!(samples[0]["text"], samples[1]["text"]);
    for sample in &samples {
        let text = sample["text"].as_str().expect("a text");
        assert!(text.starts_with("to be") && text.chars().count() == 45, "{text}");
        assert_eq!(sample["tokens"].as_array().map(Vec::len), Some(45));
        assert!(text.chars().all(|c| play.contains(c)), "{text}");
    }
    let printed = run(&["generate", &folder, "sample"]);
    assert_eq!(lines(&trained, "sample.jsonl"), samples, "the same again");
    assert!(printed.starts_with(samples[0]["text"].as_str().expect("a text")), "{printed}");

    let tokens: Vec<i64> = lines(&trained, "beams.jsonl")[0]["tokens"]
        .as_array()
        .expect("a list of tokens")
        .iter()
        .map(|id| id.as_i64().expect("an id"))
        .collect();
    let mut runs: Vec<&[i64]> = tokens.windows(3).collect();
    runs.sort_unstable();
    runs.dedup();
    assert_eq!(runs.len(), tokens.len() - 2, "no three tokens come twice: {tokens:?}");
}

#[test]
fn of_a_long_text_the_end_counts_and_other_prompts_are_checked() {
    let place = tempfile::tempdir().expect("a temporary folder");
    written(place.path(), "play.txt", &"to be, or not to be, that is the question\n".repeat(20));
    let spec = written(place.path(), "play.mlspec", TEXT.trim_start());
    let trained = Run::train(&spec, &[]);
    let folder = trained.file("").display().to_string();
    let last = |name: &str| {
        let tokens = lines(&trained, name)[0]["tokens"].as_array().cloned().expect("a list of tokens");
        tokens.last().cloned()
    };
    let whole = last("next.jsonl");
    run(&["generate", &folder, "next", "--prompt", "question"]);
    assert_eq!(last("next.jsonl"), whole, "the context has eight tokens");
    let wrong = mlc(&["generate", &folder, "next", "--prompt", "2b"]);
    assert!(stderr(&wrong).contains("the model knows no '2'"), "{}", stderr(&wrong));
    assert_eq!(wrong.status.code(), Some(1));
}

/// A training of one of several models, and texts that outgrow the context of twelve tokens.
fn play(model: &str) -> String {
    format!(
        r#"mlspec 1

data plays {{
  source = text("play.txt")
  tokens = text |> chars |> windows(13)
  split  {{ train = 90%  valid = 10%  ordered = true }}
  batch  = 8
}}

block Attention(n: int) (x: f32[B, 12, 16]) -> (y: f32[B, 12, 16]) {{
  let q, k, v = x |> Dense(48) as c_attn |> split(3, axis=-1)
  output y = x + (attend(q, k, v, heads=n, mask=causal, dropout=0.1) |> Dense(16) as c_proj)
}}

model Lm {{
  input tokens: i32[B, 12]
  let wte = Embedding(plays.vocab, 16)
  let wpe = Embedding(12, 16)
  let x = wte(tokens) + wpe(positions(tokens))
  let h = x |> {model}
  output logits: f32[B, 12, plays.vocab] = h |> Dense(plays.vocab) as out
}}

train {{
  feed      {{ tokens = plays.tokens[:-1]  next = plays.tokens[1:] }}
  loss      = CrossEntropy(Lm.logits, next)
  optimizer = Adam(lr=1e-2)
  steps     = 20
}}

generate greedy {{ model = Lm  prompt = "to"  max_new_tokens = 16 }}
generate sample {{ model = Lm  prompt = "to be"  max_new_tokens = 16  top_k = 9  num_return_sequences = 3 }}
generate beams  {{ model = Lm  prompt = "or "  max_new_tokens = 16  num_beams = 4  num_return_sequences = 4 }}
"#
    )
}

const QUESTION: &str =
    "to be, or not to be, that is the question: whether tis nobler in the mind to suffer\n";

#[test]
fn steps_write_what_whole_passes_write() {
    for model in [
        "repeat(2) Attention(2) as h |> LayerNorm as ln",
        "LSTM(16, return_sequences=true) as rnn",
        "Conv1D(16, 3, padding=causal, activation=tanh) as conv |> GRU(8, return_sequences=true) as rnn",
    ] {
        let place = tempfile::tempdir().expect("a temporary folder");
        written(place.path(), "play.txt", &QUESTION.repeat(12));
        let trained = Run::train(&written(place.path(), "play.mlspec", &play(model)), &[]);
        let folder = trained.file("").display().to_string();
        let all = || ["greedy.jsonl", "sample.jsonl", "beams.jsonl"].map(|name| lines(&trained, name));
        let by_steps = all();
        run(&["generate", &folder, "--whole", "--threads", "1"]);
        assert_eq!(all(), by_steps, "{model}");
        let told = stderr(&mlc(&["generate", &folder]));
        assert!(!told.contains("whole context"), "{model} looks back only: {told}");
    }
}

#[test]
fn a_model_that_looks_ahead_writes_nothing() {
    let place = tempfile::tempdir().expect("a temporary folder");
    written(place.path(), "play.txt", &QUESTION.repeat(12));
    let spec =
        written(place.path(), "play.mlspec", &play("Conv1D(16, 3, padding=same, activation=tanh) as conv"));
    let out = place.path().join("run").display().to_string();
    let trained = mlc(&["train", &spec, "--out", &out]);
    let told = stderr(&trained);
    assert!(told.contains("looks ahead") && told.contains("generate::ahead"), "{told}");
    assert_eq!(trained.status.code(), Some(1));
}
