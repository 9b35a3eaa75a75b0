//! Specs typed key by key: nothing panics, every request has an answer, and in the end the server says what
//! `mlc check` says.

use super::super::support::root;
use super::session::Session;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Requests that an editor sends while one types, at the cursor.
const AT_CURSOR: [&str; 5] = [
    "textDocument/completion",
    "textDocument/signatureHelp",
    "textDocument/hover",
    "textDocument/definition",
    "textDocument/documentHighlight",
];

/// About the whole text.
const WHOLE: [&str; 4] = [
    "textDocument/documentSymbol",
    "textDocument/semanticTokens/full",
    "textDocument/foldingRange",
    "textDocument/codeLens",
];

fn specs() -> Vec<PathBuf> {
    let files = fs::read_dir(root().join("specs")).expect("specs are there");
    let mut files: Vec<PathBuf> = files.map(|f| f.expect("specs are readable").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "mlspec"));
    files.sort();
    files
}

/// The codes that `mlc check` prints, in order.
fn checked(path: &Path) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_mlc"))
        .args(["check", "--format", "json"])
        .arg(path)
        .env_remove("MLC_DATA")
        .output()
        .expect("mlc starts");
    let all: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    all.iter().map(|d| d["code"].as_str().expect("a code").to_string()).collect()
}

/// Types a spec; between two checks lie `stride` characters, which come as one change.
fn type_in(path: &Path, stride: usize) {
    let text = fs::read_to_string(path).expect("specs are text");
    let mut session = Session::open_as(&format!("file://{}", path.display()), "");
    let chars: Vec<char> = text.chars().collect();
    for piece in chars.chunks(stride) {
        let (at, new) = (session.text.len(), piece.iter().collect::<String>());
        session.edit(at..at, &new);
        let cursor = session.text.len();
        for method in AT_CURSOR {
            session
                .at(method, cursor, json!({}))
                .unwrap_or_else(|why| panic!("{method}: {why}\n{}", session.text));
        }
        for method in WHOLE {
            session.whole(method);
        }
        let range = json!({ "range": session.range(0..cursor) });
        session.at("textDocument/inlayHint", 0, range).expect("hints");
    }
    assert_eq!(session.text, text);
    let wanted = checked(path);
    // Headers may come late; a change of nothing asks for them again.
    for _ in 0..500 {
        if session.codes() == wanted {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
        session.notify("workspace/didChangeWatchedFiles", json!({ "changes": [] }));
    }
    assert_eq!(session.codes(), wanted, "{}", path.display());
}

#[test]
fn every_spec_typed_key_by_key() {
    for path in specs() {
        type_in(&path, 1);
    }
}

/// In pieces whose length has no rhythm with lines, as text is pasted.
#[test]
fn every_spec_typed_in_pieces() {
    for path in specs() {
        type_in(&path, 97);
    }
}

/// Keys deleted from the end: every prefix of a text is a text, and so is every suffix.
#[test]
fn a_spec_deleted_from_both_ends() {
    let text = fs::read_to_string(root().join("specs/two_heads.mlspec")).expect("specs are text");
    let mut session = Session::open(&text);
    while !session.text.is_empty() {
        let (cut, len) = (session.text.len().min(61), session.text.len());
        match len % 2 {
            0 => session.edit(0..cut, ""),
            _ => session.edit(len - cut..len, ""),
        }
        for method in WHOLE {
            session.whole(method);
        }
    }
    assert_eq!(session.codes(), ["mlc::syntax::empty"]);
}
