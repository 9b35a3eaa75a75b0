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

#[test]
fn a_gpt_writes_what_it_writes_in_transformers() {
    let goldens = std::fs::read_to_string(root().join("tests/goldens/generate.json")).expect("goldens");
    let goldens: serde_json::Value = serde_json::from_str(&goldens).expect("goldens are JSON");
    let signs = goldens["signs"].as_str().expect("a text");
    let place = tempfile::tempdir().expect("a temporary folder");
    written(place.path(), "signs.txt", &signs.repeat(20));
    let from = root().join("tests/goldens/generate");
    let text = std::fs::read_to_string(from.join("gpt.mlspec")).expect("the spec is there");
    let spec = written(place.path(), "gpt.mlspec", &text);
    let weights = from.join("gpt.safetensors").display().to_string();
    let trained = Run::train(&spec, &["--init", &weights]);
    let folder = trained.file("").display().to_string();
    for case in goldens["texts"].as_array().expect("a list of texts") {
        let name = case["prompt"].as_str().expect("a prompt");
        let options = case["options"].as_object().expect("options by name");
        let set: Vec<String> = options.iter().map(|(key, x)| format!("{name}.{key}={x}")).collect();
        let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set.as_str()]).collect();
        run(&[&["generate", folder.as_str(), name], set.as_slice()].concat());
        let found: Vec<_> =
            lines(&trained, &format!("{name}.jsonl")).iter().map(|line| line["tokens"].clone()).collect();
        assert_eq!(serde_json::Value::from(found), case["tokens"], "{name} {options:?}");
    }
}

/// A tokenizer of pairs of letters, beside the letters themselves.
const PAIRS: &str = r#"{"version": "1.0", "pre_tokenizer": {"type": "WhitespaceSplit"}, "model": {"type": "BPE",
  "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "ca": 4, "abca": 5}, "merges": [["a", "b"], ["c", "a"], ["ab", "ca"]]}}"#;

#[test]
fn texts_of_words_and_of_pairs_go_on() {
    let place = tempfile::tempdir().expect("a temporary folder");
    written(place.path(), "play.txt", &QUESTION.replace([',', ':'], "").repeat(12));
    let by_words = play("LSTM(8, return_sequences=true) as rnn").replace("text |> chars", "text |> words");
    let trained =
        Run::train(&written(place.path(), "words.mlspec", &by_words.replace("\"or \"", "\"or\"")), &[]);
    let made = lines(&trained, "greedy.jsonl");
    let text = made[0]["text"].as_str().expect("a text");
    assert_eq!(text.split_whitespace().count(), 17, "sixteen words behind one: {text}");
    assert!(text.split_whitespace().all(|word| QUESTION.contains(word)), "{text}");

    written(place.path(), "play.txt", &"abca bca cab abcab ccab aab ".repeat(60));
    written(place.path(), "pairs.json", PAIRS);
    let by_pairs =
        play("LSTM(8, return_sequences=true) as rnn").replace("text |> chars", "text |> bpe(\"pairs.json\")");
    let by_pairs = by_pairs
        .replace("\"to\"", "\"abca\"")
        .replace("\"to be\"", "\"abcab ca\"")
        .replace("\"or \"", "\"c\"");
    let trained = Run::train(&written(place.path(), "pairs.mlspec", &by_pairs), &[]);
    let made = lines(&trained, "greedy.jsonl");
    assert_eq!(made[0]["tokens"][0], 5, "the longest pair: {made:?}");
    assert!(
        made[0]["text"].as_str().is_some_and(|text| text.starts_with("abca") && text.len() > 16),
        "{made:?}"
    );
}

#[test]
fn shakespeare_keeps_its_rules_on_any_number_of_threads() {
    let Some(data) = crate::support::large_data("shakespeare_keeps_its_rules_on_any_number_of_threads")
    else {
        return;
    };
    let spec = root().join("specs/shakespeare.mlspec").display().to_string();
    let tiny = [
        "layers=1",
        "d=16",
        "heads=2",
        "T=32",
        "train.steps=120",
        "plays.batch=4",
        "sample.max_new_tokens=40",
    ];
    let rules = ["sample.no_repeat_ngram_size=2", "sample.top_p=0.9"];
    let set: Vec<&str> = tiny.iter().chain(&rules).flat_map(|set| ["--set", set]).collect();
    let trained = Run::train(&spec, &[&["--data", data.as_str(), "--threads", "1"], set.as_slice()].concat());
    let folder = trained.file("").display().to_string();
    let first = lines(&trained, "sample.jsonl");
    assert_eq!(first.len(), 5);
    for line in &first {
        let tokens: Vec<i64> =
            line["tokens"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
        let mut pairs: Vec<&[i64]> = tokens.windows(2).collect();
        pairs.sort_unstable();
        pairs.dedup();
        assert_eq!(pairs.len(), tokens.len() - 1, "no pair comes twice: {line}");
    }
    for threads in ["2", "3"] {
        run(&["generate", &folder, "--threads", threads]);
        assert_eq!(lines(&trained, "sample.jsonl"), first, "{threads} threads");
    }
}
