//! Definition, references, rename.

use super::session::{Session, changes, cursor};
use serde_json::json;
use std::fmt::Write as _;

const SPEC: &str = "\
mlspec 1

/// 😀
param hidden: int = 8 in [8, 16]
dim T = 4

op twice(v: f32[..s]) -> f32[..s] = 2 * v

data shapes {
  source = synthetic(images, height=4, width=4, channels=1, classes=10, rows=100)
  image  = image / 2
  split  { train = 80%  valid = 20% }
  batch  = 10
}

block Mix(n: int, p: float = 0.1) (x: f32[B, n]) -> (y: f32[B, n]) {
  let h = x |> Dense(n) as fc |> Dropout(p)
  output y = twice(h) + x
}

model Net {
  input image: f32[B, T, T, 1]
  let wide = image |> Flatten |> Dense(hidden) as fc1
  output logits: f32[B, 10] = wide |> Mix(hidden, p=0.2) as mix |> Dense(10) as fc2
}

train {
  feed      { image = shapes.image  label = shapes.label }
  loss      = CrossEntropy(Net.logits, label)
  optimizer = Adam(lr=1e-3)
  metrics   = [accuracy]
  epochs    = 1
}

variant tiny { hidden = 16  shapes.batch = 5 }
";

/// The spec with a cursor in the first place of `mark`, whose first letter it stands behind.
fn at(mark: &str) -> (Session, usize) {
    let (text, at) = cursor(&SPEC.replacen(mark, &format!("{}‸{}", &mark[..1], &mark[1..]), 1));
    assert_eq!(text, SPEC);
    (Session::open(&text), at)
}

fn check(name: &str, text: String) {
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../../snapshots/lsp", omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn the_spec_is_right() {
    assert_eq!(Session::open(SPEC).codes(), [] as [&str; 0]);
}

#[test]
fn every_name_leads_to_where_it_is_made() {
    let marks = [
        "hidden) as fc1",
        "T, T, 1]",
        "v\n",
        "twice(h)",
        "shapes.image",
        "n) as fc",
        "p)\n",
        "h) + x",
        "x\n}",
        "wide |>",
        "Mix(hidden",
        "p=0.2",
        "Net.logits",
        "logits, label",
        "label)",
        "hidden = 16",
        "shapes.batch",
    ];
    let mut out = String::new();
    for mark in marks {
        let (mut session, at) = at(mark);
        let made = session.at("textDocument/definition", at, json!({})).unwrap();
        let shown = match made.is_null() {
            true => "nowhere".into(),
            false => {
                let line = made["range"]["start"]["line"].as_u64().unwrap() as usize;
                let name = session.slice(&made["range"]).to_string();
                format!("{name} in `{}`", session.text.lines().nth(line).unwrap().trim())
            }
        };
        let _ = writeln!(out, "{:12} {shown}", mark.lines().next().unwrap());
    }
    check("definitions", out);
}

#[test]
fn references_are_all_places() {
    let mut out = String::new();
    for mark in ["hidden:", "h = x", "image: f32", "shapes {", "p: float", "fc1", "accuracy"] {
        let (mut session, at) = at(mark);
        let all = session
            .at("textDocument/references", at, json!({ "context": { "includeDeclaration": true } }))
            .unwrap();
        let highlights = session.at("textDocument/documentHighlight", at, json!({})).unwrap();
        assert_eq!(all.as_array().unwrap().len(), highlights.as_array().unwrap().len());
        let lines: Vec<String> = all
            .as_array()
            .unwrap()
            .iter()
            .map(|l| l["range"]["start"]["line"].as_u64().unwrap() + 1)
            .map(|l| l.to_string())
            .collect();
        let _ = writeln!(out, "{mark}: lines {}", lines.join(", "));
    }
    check("references", out);
}

/// Renames at each mark; the renamed spec is as right as before.
#[test]
fn a_rename_reaches_every_place() {
    let cases = [
        ("hidden:", "width"),
        ("T = 4", "side"),
        ("twice(v", "double"),
        ("v: f32", "value"),
        ("shapes {", "pictures"),
        ("Mix(n", "Blend"),
        ("n: int, p", "size"),
        ("p: float", "rate"),
        ("h = x", "mixed"),
        ("wide =", "first"),
        ("Net {", "Small"),
        ("logits: f32", "scores"),
        ("fc1", "stem"),
        ("tiny", "little"),
        ("label)", "digit"),
    ];
    let mut out = String::new();
    for (mark, new) in cases {
        let (mut session, at) = at(mark);
        let _ = writeln!(out, "{} to {new}", mark.split([' ', ':', '(', ')']).next().unwrap());
        match session.at("textDocument/rename", at, json!({ "newName": new })) {
            Ok(edit) => {
                let renamed = session.applied(&edit);
                out.push_str(&changes(SPEC, &renamed));
                assert_eq!(Session::open(&renamed).codes(), [] as [&str; 0], "{mark}");
            }
            Err(why) => {
                let _ = writeln!(out, "refused: {why}");
            }
        }
    }
    check("renames", out);
}

#[test]
fn what_cannot_be_renamed_is_refused_with_a_reason() {
    let cases = [
        ("hidden:", "let"),
        ("hidden:", "B"),
        ("hidden:", "T"),
        ("hidden:", "9x"),
        ("hidden:", "a b"),
        ("hidden:", ""),
        ("h = x", "x"),
        ("fc1", "fc2"),
        ("Dense(n", "Linear"),
        ("relu", "x"),
        ("accuracy", "x"),
        ("B, T", "x"),
        ("feed ", "x"),
        ("height", "x"),
    ];
    let mut out = String::new();
    for (mark, new) in cases {
        if !SPEC.contains(mark) {
            continue;
        }
        let (mut session, at) = at(mark);
        let why = session.at("textDocument/rename", at, json!({ "newName": new })).unwrap_err();
        let _ = writeln!(out, "{mark} to `{new}`: {why}");
    }
    let (mut session, at) = at("Dense(n");
    let prepared = session.at("textDocument/prepareRename", at, json!({})).unwrap_err();
    let _ = writeln!(out, "prepared: {prepared}");
    check("renames-refused", out);
}

#[test]
fn a_rename_is_prepared_with_the_name() {
    let (mut session, at) = at("hidden:");
    let prepared = session.at("textDocument/prepareRename", at, json!({})).unwrap();
    assert_eq!(prepared["placeholder"], "hidden");
    assert_eq!(session.slice(&prepared["range"]), "hidden");
}
