//! Completion: labels, edits, and that what is written fits.

use super::{analysed, cursor, edited};
use crate::tools::ide::complete::{Completion, Folders, Listed, NoFolders, complete};

/// How many of a long list are shown.
const SHOWN: usize = 14;

fn list(all: &[Completion], text: &str) -> String {
    let mut out = String::new();
    for one in all.iter().take(SHOWN) {
        let replaced = &text[one.edit.span.range()];
        out.push_str(&format!("  {} ({:?})", one.label, one.kind));
        if !one.detail.is_empty() {
            out.push_str(&format!(" {}", one.detail));
        }
        if one.edit.text != one.label || !replaced.is_empty() {
            out.push_str(&format!("  [{replaced} -> {}]", one.edit.text));
        }
        if let Some(snippet) = &one.snippet {
            out.push_str(&format!("  <{}>", snippet.replace('\n', "⏎")));
        }
        out.push('\n');
    }
    if all.len() > SHOWN {
        out.push_str(&format!("  and {} more\n", all.len() - SHOWN));
    }
    if all.is_empty() { "  nothing\n".into() } else { out }
}

/// Completions at each cursor, alone in a text.
fn alone(cases: &[&str]) -> String {
    let one = |case: &&str| {
        let (text, at) = cursor(case);
        let analysis = analysed(&text);
        let line = case.lines().find(|l| l.contains('¦')).unwrap_or_default();
        format!("{}\n{}", line.trim(), list(&complete(&analysis, at, &NoFolders), &text))
    };
    cases.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// The same within the whole text.
fn within(cases: &[(&str, &str)]) -> String {
    let one = |(find, with): &(&str, &str)| {
        let (analysis, at) = edited(find, with);
        let text = analysis.text().to_string();
        format!("{with}\n{}", list(&complete(&analysis, at, &NoFolders), &text))
    };
    cases.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[test]
fn items_and_sections() {
    insta::assert_snapshot!(alone(&[
        "¦",
        "mlspec 1\n¦",
        "mlspec 1\nda¦",
        "mlspec 1\ndata ¦",
        "mlspec 1\nparam p: ¦",
        "mlspec 1\nparam a: int = 1\nparam p: int = ¦",
        "mlspec 1\n// 😀 ¦",
    ]));
}

#[test]
fn keys_that_are_missing() {
    insta::assert_snapshot!(within(&[
        ("batch = 32", "batch = 32\n  ¦"),
        ("seed = 1 }", "seed = 1  ¦ }"),
        ("epochs    = 10", "epochs    = 10\n  ¦"),
        ("train.epochs = 1 }", "¦ }"),
        ("train.epochs = 1 }", "train.ep¦ }"),
        ("people.income }", "people.income  ¦ }"),
        ("let wide", "¦\n  let wide"),
    ]));
}

#[test]
fn stages_behind_a_pipe() {
    insta::assert_snapshot!(alone(&[
        "mlspec 1\nmodel M {\n  input x: f32[B, 4]\n  output y = x |> ¦\n}\n",
        "mlspec 1\nmodel M {\n  input x: f32[B, 4]\n  output y = x |> De¦",
        "mlspec 1\nmodel M {\n  input x: f32[B, 4]\n  let fc = Dense(3)\n  output y = x |> Dense(2) as a\n    |> ¦",
        "mlspec 1\nmodel M {\n  input x: f32[B, 4]\n  output y = x |> De¦(3)",
        "mlspec 1\nmodel M {\n  input x: f32[B, 4]\n  output y = x |> Dense(2) as ¦",
        "mlspec 1\ndata d {\n  source = csv(\"people.csv\")\n  age : impute(median) |> ¦",
    ]));
}

#[test]
fn arguments_of_calls() {
    insta::assert_snapshot!(within(&[
        ("Dense(C) as out", "Dense(¦"),
        ("Dense(C) as out", "Dense(1¦"),
        ("Dense(C) as out", "Dense(C, ¦) as out"),
        ("Dense(C) as out", "Dense(C, activation=¦) as out"),
        ("Dense(C) as out", "Dense(C, activation=re¦) as out"),
        ("Dense(C) as out", "Dense(C, init=¦) as out"),
        ("Dense(C) as out", "Dense(C, bias=¦) as out"),
        ("Residual(hidden, p=0.2)", "Residual(hidden, ¦)"),
        ("AdamW(lr=rate, no_decay=[bias, norm])", "AdamW(lr=rate, no_decay=[bias, ¦"),
        ("AdamW(lr=rate, no_decay=[bias, norm])", "AdamW(¦)"),
        ("impute(most_frequent)", "impute(¦)"),
        ("one_hot(unknown=other)", "one_hot(unknown=¦)"),
        ("EarlyStopping(monitor=valid.loss, patience=5)", "EarlyStopping(monitor=¦"),
        ("EarlyStopping(monitor=valid.loss, patience=5)", "EarlyStopping(monitor=valid.¦"),
        ("csv(\"people.csv\")", "csv(\"people.csv\", ¦)"),
        ("f1(average=macro)", "f1(average=¦)"),
        ("cosine(warmup=10)", "cosine(warmup=10, ¦)"),
    ]));
}

#[test]
fn values_of_keys() {
    insta::assert_snapshot!(within(&[
        ("AdamW(lr=rate, no_decay=[bias, norm])", "¦"),
        ("cosine(warmup=10)", "¦"),
        ("global_norm(1.0)", "¦"),
        ("[accuracy, f1(average=macro)]", "[accuracy, ¦]"),
        ("EarlyStopping(monitor=valid.loss, patience=5)", "¦"),
        ("f1(average=macro)]", "f1 by ¦]"),
        (
            "CrossEntropy(Net.logits, income, label_smoothing=0.1)",
            "MeanSquaredError(Net.logits, income)  metrics = [¦]"
        ),
        ("CrossEntropy(Net.logits, income, label_smoothing=0.1)", "Cr¦"),
        ("csv(\"people.csv\")", "¦"),
        ("age, hours : standardize", "age, hours : ¦"),
        ("seed = 1 }", "seed = 1 }\n  augment { age = age |> ¦ }"),
        ("epochs    = 10", "epochs    = 10\n  freeze = [¦]"),
        ("seed = 1 }", "stratify = ¦ }"),
        ("seed = 1 }", "seed = 1 }\n  bucket = ¦"),
        ("epochs    = 10", "epochs    = 10\n  checkpoint { best = ¦ }"),
    ]));
}

#[test]
fn members() {
    insta::assert_snapshot!(within(&[
        ("people.features]", "people.¦]"),
        ("row = people.row", "row = people.¦"),
        ("people.income }", "people.inc¦ }"),
        ("Net.logits", "Net.¦"),
        ("Dense(C) as out", "Dense(people.income.¦) as out"),
        ("let wide = row", "let wide = people.¦"),
        ("no_decay=[bias, norm]", "no_decay=[bias, body.¦]"),
    ]));
}

#[test]
fn names_in_reach() {
    insta::assert_snapshot!(within(&[
        ("let wide = row |> Dense", "let wide = ¦ |> Dense"),
        ("output y = x + h", "output y = x + ¦"),
        ("f32[B, people.features]", "f32[¦]"),
        ("f32[B, people.features]", "f32[B, ¦"),
        ("input row: f32[B, people.features]", "input row: ¦"),
        (
            "loss      = CrossEntropy(Net.logits, income, label_smoothing=0.1)",
            "loss = CrossEntropy(Net.logits, ¦)"
        ),
    ]));
}

#[test]
fn text_that_is_half_typed() {
    insta::assert_snapshot!(alone(&[
        "mlspec 1\ndata people {\n  source = csv(\"people.csv\")\n\ntrain {\n  optimizer = ¦",
        "mlspec 1\ndata people { source = csv(\"people.csv\") }\ntrain {\n  feed { row = people.¦",
        "mlspec 1\ntrain {\n  metrics = [¦",
        "mlspec 1\ntrain {\n  stop = EarlyStopping(monitor=valid.¦",
        "mlspec 1\nmodel M {\n  input x: f32[B, 4] // 😀\n  let a, b = ¦",
        "mlspec 1\nmodel M {\n  input x: f32[B, 4]\n  output y = x |> Dense(2, activation=¦) as a |> Dense(",
        "mlspec 1\nmodel M {\n  input x: f32[B, 4]\n  output y = x + (x |> ¦",
        "mlspec 1\nop f(x: f32[..s], by: float) -> f32[..s] = x * ¦",
        "mlspec 1\nblock L(n: int) (x: f32[B, ¦",
        "mlspec 1\ndata d {\n  source = synthetic(¦",
        "mlspec 1\ndata d {\n  source = synthetic(xor, ¦",
        "mlspec 1\ntrain {\n  groups { head { ¦",
        "mlspec 1\ntrain {\n  optimizer = Adam(1e-3)\n  groups { head { weights = [fc]  ¦",
        "mlspec 1\r\nmodel M {\r\n  input x: f32[B, 4]\r\n  output y = x |> Fl¦\r\n}\r\n",
    ]));
}

/// A folder of data and a file of weights.
struct Disk;

impl Folders for Disk {
    fn list(&self, folder: &str) -> Vec<Listed> {
        let named = |name: &str, is_folder| Listed { name: name.into(), is_folder };
        match folder {
            "" => vec![named("people.csv", false), named("tables", true), named("Übung 😀.csv", false)],
            "tables" => vec![named("adult.csv", false)],
            _other => Vec::new(),
        }
    }

    fn tensors(&self, path: &str) -> Vec<String> {
        let names =
            ["transformer.h.0.attn.weight", "transformer.h.1.attn.weight", "transformer.wte.weight", "head"];
        if path == "gpt.safetensors" { names.map(String::from).to_vec() } else { Vec::new() }
    }
}

#[test]
fn paths_and_prefixes() {
    let cases = [
        "mlspec 1\ndata d {\n  source = csv(\"¦\")\n}\n",
        "mlspec 1\ndata d {\n  source = csv(\"tables/ad¦\n",
        "mlspec 1\ndata d {\n  source = csv(\"people.csv\", sep=\"¦\")\n}\n",
        "mlspec 1\nmodel M {\n  pretrained = safetensors(\"¦\")\n}\n",
        "mlspec 1\nmodel M {\n  pretrained = safetensors(\"gpt.safetensors\", prefix=\"tr¦\")\n}\n",
    ];
    let one = |case: &&str| {
        let (text, at) = cursor(case);
        format!("{}\n{}", case.lines().nth(2).unwrap(), list(&complete(&analysed(&text), at, &Disk), &text))
    };
    insta::assert_snapshot!(cases.iter().map(one).collect::<Vec<_>>().join("\n"));
}

#[test]
fn weights_of_a_file() {
    let model = "mlspec 1\nmodel M {\n  pretrained = safetensors(\"gpt.safetensors\", prefix=\"transformer.\")\n  input x: f32[B, 4]\n";
    let cases = [
        "mlspec 1\nmodel M {\n  pretrained = ¦\n".to_string(),
        "mlspec 1\nmodel M {\n  pretrained = safetensors(\"gpt.safetensors\", layout=¦)\n".to_string(),
        format!("{model}  output y = x |> Dense(2) as ¦\n}}\n"),
        format!("{model}  output y = x |> Dense(2) as h.1.a¦\n}}\n"),
        format!(
            "{model}  output y = x |> Part as h.0\n}}\n\nblock Part (x: f32[B, 4]) -> (y: f32[B, 4]) {{\n  output y = x |> Dense(4) as ¦\n}}\n"
        ),
        format!("{model}  fresh = [¦]\n  output y = x |> Dense(2) as wte\n}}\n"),
    ];
    let one = |case: &String| {
        let (text, at) = cursor(case);
        let line = case.lines().find(|l| l.contains('¦')).unwrap_or_default();
        format!("{}\n{}", line.trim(), list(&complete(&analysed(&text), at, &Disk), &text))
    };
    insta::assert_snapshot!(cases.iter().map(one).collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_is_offered_behind_a_pipe_is_right_where_it_is_written() {
    let text = "mlspec 1\nmodel M {\n  input x: f32[B, 6]\n  output y = x |> ¦\n}\n";
    let (plain, at) = cursor(text);
    let all = complete(&analysed(&plain), at, &NoFolders);
    for one in all.iter().filter(|c| c.snippet.is_none()) {
        let span = one.edit.span.range();
        let written = format!("{}{}{}", &plain[..span.start], one.edit.text, &plain[span.end..]);
        let unknown: Vec<_> = analysed(&written)
            .diagnostics
            .iter()
            .filter(|d| d.code == "name::unknown")
            .map(|d| d.message.clone())
            .collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", one.label);
    }
    assert!(all.iter().any(|c| c.label == "Flatten"));
}
