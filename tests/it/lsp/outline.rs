//! Symbols, folds, selections, tokens.

use super::session::{Session, cursor};
use serde_json::{Value, json};
use std::fmt::Write as _;

const SPEC: &str = "\
// Digits, small.
// Two lines of it.
mlspec 1

/// Width of the hidden layer, in 😀.
param hidden: int = 32 in [16, 32]
dim T <= 8

op twice(x: f32[..s]) -> f32[..s] = 2 * x

data shapes {
  source = synthetic(images, height=4, width=4, channels=1, classes=10, rows=100)
  split { train = 80%  valid = 20% }
}

block Mix(n: int) (x: f32[B, n]) -> (y: f32[B, n]) {
  let h = x |> Dense(n) as fc
  output y = twice(h)
}

model Net {
  input image: f32[B, 4, 4, 1]
  output logits: f32[B, 10] =
    image |> Flatten
          |> Dense(hidden, activation=relu) as fc1
          |> Mix(hidden) as mix
          |> Dense(
               10,
             ) as fc2
}

train {
  feed { image = shapes.image  label = shapes.label }
  loss = CrossEntropy(Net.logits, label)
  optimizer = Adam(lr=1e-3)
  epochs = 1
}
";

fn check(name: &str, text: String) {
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../../snapshots/lsp", omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn symbols_are_a_tree() {
    fn write(session: &Session, all: &Value, depth: usize, out: &mut String) {
        for symbol in all.as_array().into_iter().flatten() {
            let detail = symbol["detail"].as_str().unwrap_or_default();
            let line = format!("{}{} {detail}", "  ".repeat(depth), symbol["name"].as_str().unwrap());
            let _ = writeln!(out, "{} ({})", line.trim_end(), symbol["kind"]);
            let name = session.slice(&symbol["selectionRange"]);
            let inside = session.slice(&symbol["range"]);
            assert!(inside.contains(name), "{name} lies in {inside}");
            write(session, &symbol["children"], depth + 1, out);
        }
    }
    let mut session = Session::open(SPEC);
    let all = session.whole("textDocument/documentSymbol");
    let mut out = String::new();
    write(&session, &all, 0, &mut out);
    check("symbols", out);
}

#[test]
fn folds_leave_the_closing_line() {
    let mut session = Session::open(SPEC);
    let all = session.whole("textDocument/foldingRange");
    let lines: Vec<&str> = SPEC.lines().collect();
    let mut out = String::new();
    for fold in all.as_array().unwrap() {
        let line = |key: &str| lines[fold[key].as_u64().unwrap() as usize].trim();
        let kind = fold["kind"].as_str().unwrap_or("code");
        let _ = writeln!(out, "{kind}: {} … {}", line("startLine"), line("endLine"));
    }
    check("folds", out);
}

#[test]
fn a_selection_grows_step_by_step() {
    let (text, at) = cursor(&SPEC.replace("activation=relu", "activation=re‸lu"));
    let mut session = Session::open(&text);
    let positions = json!([session.position(at), session.position(text.len())]);
    let all = session
        .request(
            "textDocument/selectionRange",
            json!({ "textDocument": { "uri": session.uri }, "positions": positions }),
        )
        .unwrap();
    let (mut out, mut step) = (String::new(), &all[0]);
    while step.is_object() {
        let text = session.slice(&step["range"]);
        let short = if text.lines().count() > 1 {
            format!("{} …", text.lines().next().unwrap())
        } else {
            text.into()
        };
        let _ = writeln!(out, "{short}");
        step = &step["parent"];
    }
    check("selection", out);
    assert!(all[1].is_object(), "the end of the text is a place, too");
}

/// The words of a text with their kinds.
fn coloured(session: &Session, tokens: &Value, legend: &Value) -> String {
    let names = |key: &str, i: usize| legend[key][i].as_str().unwrap().to_string();
    let (mut line, mut column, mut out) = (0, 0, String::new());
    let data: Vec<u64> = tokens["data"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    for token in data.chunks(5) {
        if token[0] > 0 {
            (line, column) = (line + token[0], 0);
        }
        column += token[1];
        let place = |c: u64| json!({ "line": line, "character": c });
        let text =
            session.slice(&json!({ "start": place(column), "end": place(column + token[2]) })).to_string();
        let modifiers: Vec<String> = (0..4)
            .filter(|i| token[4] >> i & 1 == 1)
            .map(|i| format!(" {}", names("tokenModifiers", i)))
            .collect();
        let _ = writeln!(out, "{text}: {}{}", names("tokenTypes", token[3] as usize), modifiers.concat());
    }
    out
}

#[test]
fn tokens_say_what_words_are() {
    let mut session = Session::open(SPEC);
    let hello = mlc_legend();
    let all = session.whole("textDocument/semanticTokens/full");
    check("tokens", coloured(&session, &all, &hello));
    let range = json!({ "start": { "line": 10, "character": 0 }, "end": { "line": 11, "character": 8 } });
    let some = session
        .request(
            "textDocument/semanticTokens/range",
            json!({ "textDocument": { "uri": session.uri }, "range": range }),
        )
        .unwrap();
    let (all, some) = (coloured(&session, &all, &hello), coloured(&session, &some, &hello));
    assert!(all.contains(&some), "a part is the same as in the whole: {some}");
    assert!(some.starts_with("data: ") && some.contains("source: "), "{some}");
}

/// As the server announces it.
fn mlc_legend() -> Value {
    let mut server = mlc::tools::lsp::Server::new(None, std::sync::Arc::new(|_| ()));
    let params = json!({ "capabilities": {} });
    let request = lsp_server::Request { id: 1.into(), method: "initialize".into(), params };
    server.receive(vec![request.into()]);
    let hello = serde_json::to_value(&server.sent()[0]).unwrap();
    hello["result"]["capabilities"]["semanticTokensProvider"]["legend"].clone()
}

#[test]
fn half_a_text_keeps_its_outline() {
    let text = SPEC.replace("model Net {", "model Net").replace("  epochs = 1", "  epochs =");
    let mut session = Session::open(&text);
    let all = session.whole("textDocument/documentSymbol");
    let names: Vec<&str> = all.as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    for name in ["hidden", "T", "twice", "shapes", "Mix", "train"] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
}
