//! Texts, windows and images as rows: what a spec makes of small files, and what is wrong with others.

use crate::support::{large_data, stderr};
use crate::tables::train;
use mlc::base::Sources;
use mlc::diag::human;
use mlc::runtime::data::{self, Places, Values};
use mlc::sema::{self, Blind, Settings};
use mlc::syntax;
use serde_json::Value as Json;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A spec that reads `columns` of `source`, feeds `x`, and compares a number with 0.
fn spec(source: &str, columns: &str, x: &str, ty: &str) -> String {
    format!(
        "mlspec 1\n\ndata d {{\n  source = {source}\n  {columns}\n  batch = 2\n}}\n\nmodel M {{\n  input x: {ty}\n  output y: \
         f32[B] = x |> Flatten |> Dense(1) as fc |> Squeeze\n}}\n\ntrain {{\n  feed {{ x = {x} }}\n  loss = \
         MeanSquaredError(M.y, 1)\n  optimizer = SGD(lr=0.01)\n  epochs = 2\n}}\n"
    )
}

fn mlc(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlc"));
    command.current_dir(folder).args(args).env_remove("MLC_DATA").output().expect("mlc starts")
}

/// What `run.yaml` keeps.
fn kept(folder: &Path) -> String {
    fs::read_to_string(folder.join("run/run.yaml")).expect("the run is there")
}

pub fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("the folder is writable");
        fs::write(path, bytes).expect("the folder is writable");
    }
    folder
}

#[test]
fn words_are_kept_in_the_run_and_serve_predictions() {
    let rows = "text,score\n\"Good, good film\",1\nbad film,0\n\"\",0\nso good,1\n";
    let folder = folder(&[("t.csv", rows.as_bytes()), ("new.csv", b"text\ngood unheard film\n\"\"\n")]);
    let columns = "tokens = text |> lowercase |> words(vocab=5) |> pad(4, side=left)\n  score : float";
    let text = spec("csv(\"t.csv\")", columns, "d.tokens / 5", "f32[B, 4]").replace("M.y, 1", "M.y, score");
    let text = text.replace("x = d.tokens / 5", "x = d.tokens / 5  score = d.score");
    let out = train(folder.path(), &text, &[]);
    assert!(out.status.success(), "{}", stderr(&out));
    let run = kept(folder.path());
    assert!(run.contains("words: good film bad"), "frequent words first, then by the alphabet: {run}");
    let out = mlc(folder.path(), &["predict", "run", "--input", "new.csv", "--output", "-"]);
    assert!(out.status.success(), "{}", stderr(&out));
    assert_eq!(String::from_utf8_lossy(&out.stdout).lines().count(), 3, "a header and two answers");
    let again = mlc(folder.path(), &["eval", "run", "--input", "t.csv"]);
    assert!(again.status.success(), "{}", stderr(&again));
}

#[test]
fn windows_are_cut_inside_of_parts() {
    let text: String = ('a'..='j').cycle().take(100).collect();
    let folder = folder(&[("t.txt", text.as_bytes())]);
    let columns =
        "tokens = text |> chars |> windows(11)\n  split { train = 60%  valid = 40%  ordered = true }";
    let good = spec("text(\"t.txt\")", columns, "d.tokens[:-1] / 10", "f32[B, 10]");
    let out = train(folder.path(), &good, &[]);
    assert!(out.status.success(), "{}", stderr(&out));
    // 60 characters make 50 windows; 40 make 3 that do not overlap.
    let run = kept(folder.path());
    assert!(run.contains("train: 50") && run.contains("valid: 3"), "{run}");
    assert!(run.contains("d.tokens.vocab: 10"), "{run}");
    let out = mlc(folder.path(), &["predict", "run", "--input", "t.txt", "--output", "-"]);
    assert!(stderr(&out).contains("run::windows"), "{}", stderr(&out));

    let long = good.replace("windows(11)", "windows(41)").replace("[B, 10]", "[B, 40]");
    let out = train(folder.path(), &long, &[]);
    let said = stderr(&out);
    assert!(said.contains("data::windows") && said.contains("validation part"), "{said}");
}

#[test]
fn a_character_that_no_training_row_has_is_named() {
    let folder = folder(&[("t.txt", "abcabcabc\nbcabcabcabcaß".as_bytes())]);
    let columns =
        "tokens = text |> chars |> windows(3)\n  split { train = 50%  valid = 50%  ordered = true }";
    let out = train(folder.path(), &spec("text(\"t.txt\")", columns, "d.tokens / 3", "f32[B, 3]"), &[]);
    let said = stderr(&out);
    assert!(said.contains("data::unseen") && said.contains("t.txt:2:13") && said.contains('ß'), "{said}");
}

#[test]
fn windows_of_tables_have_all_columns_side_by_side() {
    let rows: String = (0..40).map(|i| format!("{i},{},{}\n", i % 7, i % 3)).collect();
    let folder = folder(&[("t.csv", format!("a,b,c\n{rows}").as_bytes())]);
    let columns = "a, b : standardize\n  x = row |> windows(5, eval_stride=2)\n  c = c |> float |> windows(5, \
                   eval_stride=2)\n  split { train = 30  valid = 10  ordered = true }";
    let text =
        spec("csv(\"t.csv\")", columns, "d.x[:-1]  c = d.c[-1]", "f32[B, 4, 2]").replace("M.y, 1", "M.y, c");
    let out = train(folder.path(), &text, &[]);
    assert!(out.status.success(), "{}", stderr(&out));
    let run = kept(folder.path());
    assert!(run.contains("train: 26") && run.contains("valid: 3"), "{run}");
}

#[test]
fn lines_that_belong_together_are_as_many() {
    let folder = folder(&[("a.en", b"a b\nc\n"), ("a.de", "ä\nö ü\nß\n".as_bytes())]);
    let columns = "x = en |> words |> pad(3)\n  z = de |> words |> pad(3)";
    let text = spec("parallel(en=\"a.en\", de=\"a.de\")", columns, "(d.x + d.z) / 9", "f32[B, 3]");
    let out = train(folder.path(), &text, &[]);
    let said = stderr(&out);
    assert!(said.contains("data::lines") && said.contains("a.en has 2 lines, a.de has 3 lines"), "{said}");
    fs::write(folder.path().join("a.en"), "a b\nc\nd\n").expect("the folder is writable");
    let out = train(folder.path(), &text, &[]);
    assert!(out.status.success(), "{}", stderr(&out));
}

#[test]
fn files_of_lines_are_labels() {
    let folder = folder(&[("n.txt", b"bad\nworse\nworst\n"), ("p.txt", b"good\nbetter\nbest\n")]);
    let columns = "x = text |> words |> pad(1)\n  label : class(neg, pos)";
    let text = spec("lines(neg=\"n.txt\", pos=\"p.txt\")", columns, "d.x / 8  label = d.label", "f32[B, 1]");
    let text = text.replace("MeanSquaredError(M.y, 1)", "BinaryCrossEntropy(M.y, label)");
    let out = train(folder.path(), &text, &[]);
    assert!(out.status.success(), "{}", stderr(&out));
}

/// A tokenizer of four words.
const TOKENIZER: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":{"type":"Lowercase"},
"pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
"model":{"type":"WordLevel","vocab":{"[UNK]":0,"good":1,"bad":2,"film":5},"unk_token":"[UNK]"}}"#;

#[test]
fn a_published_tokenizer_gives_its_ids() {
    let padding = TOKENIZER.replace("\"film\":5", "\"film\":5,\"[PAD]\":3");
    let folder = folder(&[("t.txt", b"Good film\nbad odd film\n"), ("tok.json", padding.as_bytes())]);
    let columns = "x = text |> bpe(\"tok.json\") |> pad(3)";
    let text = spec("lines(\"t.txt\")", columns, "d.x / 6", "f32[B, 3]");
    let out = train(folder.path(), &text, &[]);
    assert!(out.status.success(), "{}", stderr(&out));
    assert!(kept(folder.path()).contains("d.x.vocab: 6"), "ids with gaps count to the largest");
    fs::write(folder.path().join("tok.json"), TOKENIZER).expect("the folder is writable");
    let out = train(folder.path(), &text, &[]);
    assert!(stderr(&out).contains("data::tokenizer"), "{}", stderr(&out));
    fs::write(folder.path().join("tok.json"), "{}").expect("the folder is writable");
    let out = train(folder.path(), &text, &[]);
    assert!(stderr(&out).contains("tok.json: no tokenizer"), "{}", stderr(&out));
}

/// A PNG file of a grey ramp.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let image = image::GrayImage::from_fn(width, height, |x, y| image::Luma([(x * 16 + y) as u8]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).expect("memory is writable");
    bytes.into_inner()
}

#[test]
fn folders_of_images_are_classes() {
    let small = png(4, 4);
    let folder = folder(&[("p/cat/1.png", &small), ("p/cat/2.png", &small), ("p/dog/1.png", &small)]);
    let again = || fs::remove_dir_all(folder.path().join("run")).expect("the run is there");
    let text = spec("images(\"p\")", "image = image / 255", "d.image  label = d.label", "f32[B, 4, 4, 1]");
    let text = text.replace("MeanSquaredError(M.y, 1)", "BinaryCrossEntropy(M.y, label)");
    let out = train(folder.path(), &text, &[]);
    assert!(out.status.success(), "{}", stderr(&out));
    assert!(kept(folder.path()).contains("- cat"), "classes have names");
    again();

    fs::write(folder.path().join("p/dog/2.png"), png(6, 4)).expect("the folder is writable");
    let said = stderr(&train(folder.path(), &text, &[]));
    assert!(said.contains("data::image") && said.contains("1.png is 4 x 4, but 2.png is 4 x 6"), "{said}");
    let resized = text.replace("images(\"p\")", "images(\"p\", resize=[4, 4])");
    let out = train(folder.path(), &resized, &[]);
    assert!(out.status.success(), "{}", stderr(&out));
}

#[test]
fn changed_training_rows_are_drawn_from_the_seed() {
    let image = png(4, 4);
    let folder = folder(&[("p/cat/1.png", &image), ("p/cat/2.png", &image), ("p/dog/1.png", &image)]);
    let hash = |columns: &str| {
        let out = train(folder.path(), &spec("images(\"p\")", columns, "d.image", "f32[B, 4, 4, 1]"), &[]);
        assert!(out.status.success(), "{}", stderr(&out));
        let run = kept(folder.path());
        fs::remove_dir_all(folder.path().join("run")).expect("the run is there");
        run.lines().find(|l| l.starts_with("weights_hash")).expect("weights have a hash").to_string()
    };
    let plain = hash("image = image / 255");
    for steps in ["flip |> crop(4, pad=1)", "rotate(20) |> jitter(0.5, 0.5) |> cutout(2)"] {
        let augment = format!("augment {{ image = image |> {steps} }}\n  image = image / 255");
        assert_eq!(hash(&augment), hash(&augment), "{steps}");
        assert_ne!(hash(&augment), plain, "{steps}");
    }
}

#[test]
fn changes_that_do_not_fit_the_images_are_named() {
    let image = png(4, 4);
    let folder = folder(&[("p/cat/1.png", &image), ("p/dog/1.png", &image)]);
    let cases = [
        ("jitter(saturation=0.5)", "three channels, red, green and blue, but `image` has 1"),
        ("cutout(5)", "covers images of 4 x 4 whole"),
        ("crop(3)", "cuts 3 x 3 out of images of 4 x 4"),
        ("ColorJitter(0.2)", "write `jitter`"),
        ("rotate(200)", "200"),
    ];
    for (step, says) in cases {
        let columns = format!("augment {{ image = image |> {step} }}\n  image = image / 255");
        let out = train(folder.path(), &spec("images(\"p\")", &columns, "d.image", "f32[B, 4, 4, 1]"), &[]);
        let said = stderr(&out);
        assert_eq!(out.status.code(), Some(1), "{step}: {said}");
        assert!(said.contains(says), "{step}: {said}");
    }
}

#[test]
fn images_that_are_none_are_named() {
    let good = png(4, 4);
    let mut huge = good.clone();
    huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    let cases: [(&str, Vec<u8>); 4] = [
        ("empty", Vec::new()),
        ("cut off", good[..good.len() / 2].to_vec()),
        ("wrong magic", b"P5 4 4 255".to_vec()),
        ("huge header", huge),
    ];
    for (defect, bytes) in cases {
        let folder = folder(&[("p/cat/1.png", &good), ("p/dog/1.png", &bytes)]);
        let text = spec("images(\"p\")", "image = image / 255", "d.image", "f32[B, 4, 4, 1]");
        let out = train(folder.path(), &text, &[]);
        let said = stderr(&out);
        assert_eq!(out.status.code(), Some(1), "{defect}: {said}");
        assert!(said.contains("data::image") && said.contains("dog/1.png"), "{defect}: {said}");
    }
}

#[test]
fn cifar_is_read_colour_by_colour() {
    let record = |label: u8| [&[label][..], &[10; 1024], &[20; 1024], &[30; 1024]].concat();
    let batch = [record(0), record(9), record(3)].concat();
    let folder = folder(&[("c/data_batch_1.bin", &batch), ("c/test_batch.bin", &record(1))]);
    let text = spec("cifar(\"c\")", "image = image / 255", "d.image  label = d.label", "f32[B, 32, 32, 3]");
    let text = text.replace("MeanSquaredError(M.y, 1)", "MeanSquaredError(M.y, label)");
    let out = train(folder.path(), &text, &[]);
    assert!(out.status.success(), "{}", stderr(&out));
    let wrong = record(10);
    let cases = [(&batch[..4000], "no whole number of records of 3073"), (&wrong[..], "has the label 10")];
    for (bytes, says) in cases {
        fs::write(folder.path().join("c/data_batch_1.bin"), bytes).expect("the folder is writable");
        let said = stderr(&train(folder.path(), &text, &[]));
        assert!(said.contains("data::cifar") && said.contains(says), "{said}");
    }
}

/// Ids of every row of `x` where a column `x` of `t.txt` is made by `how`.
fn ids(folder: &Path, how: &str, train: usize, data: &str) -> Vec<Vec<i64>> {
    let windows = how.contains("windows");
    let split = if windows { String::new() } else { format!("split {{ train = {train}  ordered = true }}") };
    let text = format!(
        "mlspec 1\n\ndata d {{\n  source = lines(\"t.txt\")\n  x = text |> {how}\n  {split}\n}}\n\nmodel M {{\n  input x: f32[B, \
         _]\n  output y: f32[B, 1] = x |> Dense(1) as fc\n}}\n\ntrain {{\n  feed {{ x = d.x / 9 }}\n  loss = mean(M.y)\n  \
         optimizer = SGD(lr=0.1)\n  steps = 1\n}}\n"
    );
    let mut sources = Sources::new();
    let file = sources.add("t.mlspec", None, text.as_str());
    let (ast, _) = syntax::parse(&sources, file);
    let (job, found) = sema::check(&mut sources, file, &ast, &Settings::default(), &Blind);
    let job = job.unwrap_or_else(|| panic!("{how}: {}", human(&sources, &found.sorted())));
    let places = Places { spec: Some(folder.to_path_buf()), data: Some(data.into()) };
    let loaded = data::load(&job.data[0], &places).unwrap_or_else(|d| panic!("{how}: {d:?}"));
    let rows: Vec<u32> = if windows { loaded.train.rows.to_vec() } else { (0..6).collect() };
    let array = loaded.train.store.some(&rows).remove(0);
    let Values::I32(values) = &array.values else { panic!("{how}: ids are whole") };
    values.chunks(array.row[0]).map(|row| row.iter().map(|id| i64::from(*id)).collect()).collect()
}

#[test]
fn ids_are_those_of_python() {
    let Some(data) = large_data("ids_are_those_of_python") else { return };
    let goldens: Json =
        serde_json::from_str(include_str!("../goldens/texts.json")).expect("the goldens are JSON");
    let lines: Vec<&str> =
        goldens["lines"].as_array().expect("lines").iter().filter_map(Json::as_str).collect();
    let folder = folder(&[("t.txt", (lines.join("\n") + "\n").as_bytes())]);
    let train = goldens["train"].as_u64().expect("a count") as usize;
    for case in goldens["cases"].as_array().expect("cases") {
        let how = case["how"].as_str().expect("a chain");
        let want: Vec<Vec<i64>> = serde_json::from_value(case["want"].clone()).expect("rows of ids");
        // The padding of the file decides, and BERT's is 0 as that of words.
        assert_eq!(ids(folder.path(), how, train, &data), want, "{how}");
    }
}
