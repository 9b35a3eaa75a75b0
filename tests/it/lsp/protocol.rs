//! The binary over pipes: life, diagnostics, edits, data files, bad messages.

use super::super::support::root;
use super::editor::Editor;
use serde_json::{Value, json};
use std::fs;

const EMOJI: &str = "// 😀 ünï\nmlspec 1\n\nparam 😀x: int = 3 /* */\n";

/// Behind emoji in a comment and a string; `hiden` is wrong.
const SPEC: &str = "\
// 😀 smile
mlspec 1

param hidden: int = 8

data shapes {
  source = synthetic(images, height=4, width=4, channels=1, classes=10, rows=100)
  split  { train = 80%  valid = 20% }
}

model Net {
  input image: f32[B, 4, 4, 1]
  output logits: f32[B, 10] =
    image |> Flatten |> /* 😀 */ Dense(hiden) as fc1 |> Dense(10) as fc2
}
";

fn utf16() -> Value {
    json!({ "general": { "positionEncodings": ["utf-16"] } })
}

/// A spec without comments in braces, for places behind emoji.
fn spec() -> String {
    SPEC.replace("/* 😀 */ ", "").replace("// 😀 smile", "/// 😀 smile")
}

fn place(line: u32, from: u32, to: u32) -> Value {
    json!({ "start": { "line": line, "character": from }, "end": { "line": line, "character": to } })
}

#[test]
fn a_session_from_hello_to_exit() {
    let mut editor = Editor::start(utf16(), Value::Null);
    assert_eq!(editor.hello["serverInfo"]["name"], "mlc");
    assert_eq!(editor.hello["capabilities"]["positionEncoding"], "utf-16");
    let text = spec();
    editor.open("file:///x/a.mlspec", &text);
    let found = editor.diagnostics("file:///x/a.mlspec", 1);
    let hiden = found.iter().find(|d| d["code"] == "mlc::name::unknown").expect("the typo is found");
    let line = text.lines().position(|l| l.contains("hiden")).unwrap() as u32;
    let column = text.lines().nth(line as usize).unwrap().find("hiden").unwrap() as u32;
    assert_eq!(hiden["range"], place(line, column, column + 5));
    assert_eq!(hiden["source"], "mlc");
    assert_eq!(hiden["severity"], 1);
    assert!(hiden["message"].as_str().unwrap().contains("did you mean `hidden`?"), "{hiden}");
    assert!(hiden["codeDescription"]["href"].as_str().unwrap().contains("diagnostics.md#"), "{hiden}");
    assert_eq!(hiden["data"]["fix"]["newText"], "hidden");

    // The typo mended by one key: only what else is wrong stays.
    let at = json!([{ "range": place(line, column + 2, column + 2), "text": "d" }]);
    editor.change("file:///x/a.mlspec", 2, at);
    let found = editor.diagnostics("file:///x/a.mlspec", 2);
    assert!(found.iter().all(|d| d["code"] != "mlc::name::unknown"), "{found:?}");

    editor.notify("textDocument/didClose", json!({ "textDocument": { "uri": "file:///x/a.mlspec" } }));
    let closed = editor.wait(|m| m["method"] == "textDocument/publishDiagnostics");
    assert_eq!(closed["params"]["diagnostics"], json!([]));
    assert_eq!(editor.stop().code(), Some(0));
}

#[test]
fn columns_behind_emoji_are_those_of_the_encoding() {
    for (encoding, column) in [("utf-8", 12), ("utf-16", 10), ("utf-32", 9)] {
        let mut editor =
            Editor::start(json!({ "general": { "positionEncodings": [encoding] } }), Value::Null);
        assert_eq!(editor.hello["capabilities"]["positionEncoding"], encoding);
        editor.open("file:///x/a.mlspec", "mlspec 1\nimport \"😀\" ?\n");
        let found = editor.diagnostics("file:///x/a.mlspec", 1);
        let sign =
            found.iter().find(|d| d["code"] == "mlc::syntax::sign").unwrap_or_else(|| panic!("{found:?}"));
        assert_eq!(sign["range"], place(1, column + 2, column + 3), "{encoding}");
        // What is put behind the emoji lands there.
        editor.change(
            "file:///x/a.mlspec",
            2,
            json!([{ "range": place(1, column + 2, column + 3), "text": "" }]),
        );
        let found = editor.diagnostics("file:///x/a.mlspec", 2);
        assert!(found.iter().all(|d| d["code"] != "mlc::syntax::sign"), "{encoding}: {found:?}");
        editor.stop();
    }
}

#[test]
fn a_chain_of_shapes_is_related_information() {
    let text = fs::read_to_string(root().join("specs/broken/flatten-forgotten.mlspec")).unwrap();
    let mut editor = Editor::start(utf16(), Value::Null);
    editor.open("file:///x/a.mlspec", &text);
    let found = editor.diagnostics("file:///x/a.mlspec", 1);
    let [d] = found.as_slice() else { panic!("{found:?}") };
    let related = d["relatedInformation"].as_array().expect("a chain");
    assert!(related.len() >= 3, "{d}");
    assert!(
        related.iter().any(|r| r["message"].as_str().unwrap().contains("`Dense` gives f32[B, 4, 4, 32]")),
        "{d}"
    );
    assert!(related.iter().all(|r| r["location"]["uri"] == "file:///x/a.mlspec"), "{d}");
}

#[test]
fn what_is_unused_is_marked_as_such() {
    let mut editor = Editor::start(utf16(), Value::Null);
    editor.open("file:///x/a.mlspec", "mlspec 1\n\nparam idle: int = 1\n");
    let found = editor.diagnostics("file:///x/a.mlspec", 1);
    assert_eq!(found[0]["code"], "mlc::name::unused");
    assert_eq!(found[0]["tags"], json!([1]));
}

#[test]
fn bad_messages_are_answered_and_end_nothing() {
    let mut editor = Editor::spawn(&[]);
    let early = editor.request("textDocument/hover", json!({})).unwrap_err();
    assert_eq!(early["code"], -32002, "before `initialize`");
    editor.raw(b"Content-Length: 4\r\n\r\nnull");
    editor.raw(b"Content-Length: 9\r\n\r\n{\"id\": 7,");
    editor.raw(b"no header at all\r\n\r\n");
    let refused = editor.wait(|m| m["error"]["code"] == -32700);
    assert_eq!(refused["id"], Value::Null);
    editor
        .request("initialize", json!({ "capabilities": 5, "processId": "odd" }))
        .expect("odd clients are served");
    assert_eq!(editor.request("initialize", json!({})).unwrap_err()["code"], -32600);
    assert_eq!(editor.request("no/such", json!({})).unwrap_err()["code"], -32601);
    assert_eq!(editor.request("textDocument/hover", json!({ "x": 1 })).unwrap_err()["code"], -32602);
    editor.notify("textDocument/didChange", json!({ "odd": true }));
    editor.notify("$/unheard", json!({}));
    editor.change("file:///never/opened", 3, json!([{ "text": "x" }]));
    let nowhere = json!({ "textDocument": { "uri": "file:///never/opened" } });
    assert_eq!(editor.request("textDocument/documentSymbol", nowhere), Ok(Value::Null));
    editor.open("file:///x/a.mlspec", EMOJI);
    assert!(!editor.diagnostics("file:///x/a.mlspec", 1).is_empty());
    editor.request("shutdown", Value::Null).unwrap();
    assert_eq!(
        editor.request("textDocument/hover", json!({})).unwrap_err()["code"],
        -32600,
        "behind `shutdown`"
    );
    assert_eq!(editor.hang_up().code(), Some(1), "a client that never says `exit`");
}

#[test]
fn cancelled_requests_are_answered_as_such() {
    let mut editor = Editor::start(utf16(), Value::Null);
    editor.open("file:///x/a.mlspec", &spec());
    // All in one write, so that the server takes them together, or the request before its end came.
    let params = json!({ "textDocument": { "uri": "file:///x/a.mlspec" } });
    let ask =
        json!({ "jsonrpc": "2.0", "id": "late", "method": "textDocument/documentSymbol", "params": params });
    let cancel = json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": { "id": "late" } });
    let frame = |m: &Value| format!("Content-Length: {}\r\n\r\n{m}", m.to_string().len());
    editor.raw(format!("{}{}", frame(&ask), frame(&cancel)).as_bytes());
    let answer = editor.wait(|m| m["id"] == "late");
    assert!(answer["error"]["code"] == -32800 || answer["result"].is_array(), "{answer}");
    assert_eq!(editor.stop().code(), Some(0));
}

#[test]
fn a_burst_of_keys_ends_in_the_last_text() {
    let mut editor = Editor::start(utf16(), Value::Null);
    editor.open("file:///x/a.mlspec", "mlspec 1\n");
    for (i, c) in "\nparam idle: int = 1\n".chars().enumerate() {
        let (line, column) = if i == 0 { (1, 0) } else { (2, i as u32 - 1) };
        let version = i as i64 + 2;
        editor.change(
            "file:///x/a.mlspec",
            version,
            json!([{ "range": place(line, column, column), "text": c.to_string() }]),
        );
    }
    let found = editor.diagnostics("file:///x/a.mlspec", 22);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["code"], "mlc::name::unused");
}

/// Headers come from a thread, are kept, and are read again when the file changes.
#[test]
fn data_files_are_looked_into_and_watched() {
    let folder = tempfile::tempdir().unwrap();
    let spec =
        "mlspec 1\n\ndata d {\n  source = csv(\"t.csv\")\n  a : standardize\n  wanted : class(x, y)\n}\n";
    let uri = format!("file://{}/s.mlspec", folder.path().display());
    let mut editor = Editor::start(utf16(), json!({ "data": folder.path().join("data") }));
    editor.open(&uri, spec);
    let missing = |d: &[Value]| d.iter().any(|d| d["code"] == "mlc::data::missing_file");
    let unknown = |d: &[Value]| d.iter().any(|d| d["code"] == "mlc::column::unknown");
    let mut found = editor.diagnostics(&uri, 1);
    // At once, or when the disk has answered.
    while !missing(&found) {
        found = editor.diagnostics(&uri, 1);
    }
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/t.csv"), "a,b\n1,x\n").unwrap();
    editor.notify("workspace/didChangeWatchedFiles", json!({ "changes": [] }));
    while missing(&found) || !unknown(&found) {
        found = editor.diagnostics(&uri, 1);
    }
    fs::write(folder.path().join("data/t.csv"), "a,wanted\n1,x\n2,y\n").unwrap();
    editor.notify("textDocument/didSave", json!({ "textDocument": { "uri": uri } }));
    while unknown(&found) {
        found = editor.diagnostics(&uri, 1);
    }
    assert_eq!(editor.stop().code(), Some(0));
}

#[test]
fn settings_are_asked_for_and_move_the_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), "a\n1\n").unwrap();
    let capabilities = json!({
        "workspace": { "configuration": true, "didChangeWatchedFiles": { "dynamicRegistration": true } },
    });
    let mut editor = Editor::start(capabilities, Value::Null);
    editor.wait(|m| m["method"] == "client/registerCapability");
    let asked = editor.wait(|m| m["method"] == "workspace/configuration");
    assert_eq!(asked["params"]["items"][0]["section"], "mlspec");
    editor.open("untitled:1", "mlspec 1\n\ndata d {\n  source = csv(\"t.csv\")\n  a : standardize\n}\n");
    let missing = |d: &[Value]| d.iter().any(|d| d["code"] == "mlc::data::missing_file");
    let mut found = editor.diagnostics("untitled:1", 1);
    while !missing(&found) {
        found = editor.diagnostics("untitled:1", 1);
    }
    let answer = json!({ "jsonrpc": "2.0", "id": asked["id"], "result": [{ "data": folder.path() }] });
    editor.raw(format!("Content-Length: {}\r\n\r\n{answer}", answer.to_string().len()).as_bytes());
    while missing(&found) {
        found = editor.diagnostics("untitled:1", 1);
    }
}

#[test]
fn formatting_changes_what_must_change() {
    let mut editor = Editor::start(utf16(), Value::Null);
    let text = "mlspec 1\n\nparam n:int=3\n\nmodel M {\n  input x: f32[B, n]\n    output y = x\n}\n";
    editor.open("file:///x/a.mlspec", text);
    let options = json!({ "tabSize": 2, "insertSpaces": true });
    let document = json!({ "uri": "file:///x/a.mlspec" });
    let all = editor
        .request("textDocument/formatting", json!({ "textDocument": document, "options": options }))
        .unwrap();
    let new: Vec<&str> = all.as_array().unwrap().iter().map(|e| e["newText"].as_str().unwrap()).collect();
    assert_eq!(new, ["param n: int = 3\n", "  output y = x\n"]);
    let range = place(2, 0, 5);
    let some = editor
        .request(
            "textDocument/rangeFormatting",
            json!({ "textDocument": document, "options": options, "range": range }),
        )
        .unwrap();
    assert_eq!(some.as_array().unwrap().len(), 1, "{some}");
    editor.change("file:///x/a.mlspec", 2, json!([{ "text": "mlspec 1\nmodel M {" }]));
    let refused = editor
        .request("textDocument/formatting", json!({ "textDocument": document, "options": options }))
        .unwrap_err();
    assert!(refused["message"].as_str().unwrap().contains("does not parse"), "{refused}");
}

/// Everything that is shown beside a right spec, and the memory of its training, which a thread plans.
#[test]
fn what_stands_beside_the_code_comes_over_the_wire() {
    let snippets =
        json!({ "textDocument": { "completion": { "completionItem": { "snippetSupport": true } } } });
    let mut editor = Editor::start(snippets, Value::Null);
    let uri = format!("file://{}/specs/xor.mlspec", root().display());
    let text = fs::read_to_string(root().join("specs/xor.mlspec")).unwrap();
    editor.open(&uri, &text);
    assert_eq!(editor.diagnostics(&uri, 1), [] as [Value; 0]);
    let document = json!({ "uri": uri });
    let line = text.lines().position(|l| l.contains("Dense(")).unwrap() as u32;
    let column = text.lines().nth(line as usize).unwrap().find("Dense(").unwrap() as u32;
    let at =
        |column: u32| json!({ "textDocument": document, "position": { "line": line, "character": column } });

    let hinted =
        "mlspec 1\n\nmodel M {\n  input x: f32[B, 4]\n  let h = 2 * x\n  output y: f32[B, 4] = h\n}\n";
    editor.open("file:///x/hinted.mlspec", hinted);
    let whole = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } });
    let hints = json!({ "textDocument": { "uri": "file:///x/hinted.mlspec" }, "range": whole });
    let hints = editor.request("textDocument/inlayHint", hints).unwrap();
    assert_eq!(hints[0]["label"], ": f32[B, 4]", "{hints}");
    assert_eq!(hints[0]["position"], json!({ "line": 4, "character": 7 }));
    let hover = editor.request("textDocument/hover", at(column + 1)).unwrap();
    assert_eq!(hover["contents"]["kind"], "markdown");
    assert!(hover["contents"]["value"].as_str().unwrap().contains("Dense"), "{hover}");
    let signature = editor.request("textDocument/signatureHelp", at(column + 6)).unwrap();
    assert!(signature["signatures"][0]["label"].as_str().unwrap().starts_with("Dense("), "{signature}");
    assert_eq!(signature["activeParameter"], 0);
    let completion = editor.request("textDocument/completion", at(column + 3)).unwrap();
    let dense =
        completion.as_array().unwrap().iter().find(|c| c["label"] == "Dense").expect("Dense is offered");
    assert_eq!(dense["textEdit"]["range"]["start"]["character"], column);

    let lenses = editor.request("textDocument/codeLens", json!({ "textDocument": document })).unwrap();
    let (mut models, mut trainings) = (0, 0);
    for lens in lenses.as_array().unwrap() {
        match lens.get("command") {
            Some(command) => {
                assert!(command["title"].as_str().unwrap().contains("parameters"), "{lens}");
                models += 1;
            }
            None => {
                let resolved = editor.request("codeLens/resolve", lens.clone()).unwrap();
                assert!(resolved["command"]["title"].as_str().unwrap().contains("at the peak"), "{resolved}");
                trainings += 1;
            }
        }
    }
    assert_eq!((models, trainings), (1, 1), "{lenses}");
    assert_eq!(editor.stop().code(), Some(0));
}
