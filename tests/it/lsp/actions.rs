//! Code actions: what is offered, and that it helps.

use super::super::support::root;
use super::session::{Session, changes};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;

/// The actions over the whole of what the first diagnostic covers.
fn offered(session: &mut Session, range: Value, only: Option<&str>) -> Vec<Value> {
    let context = match only {
        Some(kind) => json!({ "diagnostics": [], "only": [kind] }),
        None => json!({ "diagnostics": [] }),
    };
    let params = json!({ "textDocument": { "uri": session.uri }, "range": range, "context": context });
    let all = session.request("textDocument/codeAction", params).expect("actions");
    all.as_array().expect("a list").clone()
}

fn broken(name: &str) -> Session {
    let path = root().join(format!("specs/broken/{name}.mlspec"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
    Session::open_as(&format!("file://{}", path.display()), &text)
}

/// Broken specs with quick fixes, one of each kind.
const FIXED: [&str; 30] = [
    "activation-typo",
    "argument-missing",
    "argument-of-torch",
    "argument-typo",
    "batch-norm-momentum",
    "choice-typo",
    "column-untyped",
    "comma-missing-in-call",
    "comment-with-hash",
    "flatten-forgotten",
    "header-missing",
    "item-word-typo",
    "key-of-keras",
    "key-typo",
    "layer-of-torch",
    "layer-typo",
    "let-unused",
    "loss-argument-missing",
    "loss-typo",
    "metric-typo",
    "model-without-output",
    "name-typo",
    "optimizer-typo",
    "param-unused",
    "power-with-two-stars",
    "quotes-single",
    "section-word-typo",
    "transform-of-sklearn",
    "version-unknown",
    "weights-unnamed",
];

#[test]
fn broken_specs_are_offered_their_fixes() {
    let mut out = String::new();
    for name in FIXED {
        let mut session = broken(name);
        let before = session.codes();
        let ranges: Vec<Value> = session.diagnostics.iter().map(|d| d["range"].clone()).collect();
        let _ = writeln!(out, "== {name}: {}", before.join(" "));
        for range in ranges {
            for action in offered(&mut session, range, Some("quickfix")) {
                let after = session.applied(&action["edit"]);
                let left = Session::open_as(&session.uri, &after).codes();
                let preferred = if action["isPreferred"] == true { " (preferred)" } else { "" };
                let _ = writeln!(out, "{}{preferred}", action["title"].as_str().unwrap());
                out.push_str(&changes(&session.text, &after));
                if !left.is_empty() {
                    let _ = writeln!(out, "left: {}", left.join(" "));
                }
                // A path that can be read now may lead nowhere.
                let wrong = left.iter().filter(|code| *code != "mlc::data::missing_file").count();
                assert!(wrong <= before.len(), "{name}: {left:?} after {before:?}");
            }
        }
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../../snapshots/lsp", omit_expression => true }, {
        insta::assert_snapshot!("actions", out);
    });
}

#[test]
fn all_fixes_at_once() {
    let mut session = broken("five-mistakes");
    let range = session.range(0..0);
    let all = offered(&mut session, range, Some("source.fixAll"));
    let [action] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(action["kind"], "source.fixAll");
    let after = session.applied(&action["edit"]);
    let left = Session::open(&after).codes();
    assert!(left.len() < session.codes().len(), "{left:?}\n{after}");
}

#[test]
fn actions_of_other_kinds_are_not_offered() {
    let mut session = broken("name-typo");
    let range = session.diagnostics[0]["range"].clone();
    assert!(offered(&mut session, range.clone(), Some("refactor")).is_empty());
    let kinds =
        |all: Vec<Value>| all.iter().map(|a| a["kind"].as_str().unwrap().to_string()).collect::<Vec<_>>();
    assert!(kinds(offered(&mut session, range.clone(), Some("quickfix"))).iter().all(|k| k == "quickfix"));
    let answered = &offered(&mut session, range, Some("quickfix"))[0]["diagnostics"][0]["code"];
    assert_eq!(answered, "mlc::name::unknown");
}

#[test]
fn a_size_without_a_name_is_declared() {
    let text = "mlspec 1\n\nmodel M {\n  input x: f32[B, width]\n  output y: f32[B, width] = 2 * x\n}\n";
    let mut session = Session::open(text);
    let at = text.find("width").unwrap();
    let range = session.range(at..at);
    let titles: Vec<String> = offered(&mut session, range, Some("quickfix"))
        .iter()
        .map(|a| a["title"].as_str().unwrap().to_string())
        .collect();
    // A size that only a signature names needs none: either nothing is wrong, or it can be declared.
    assert!(
        session.codes().is_empty() || titles.contains(&"declare `dim width = 64`".to_string()),
        "{titles:?}"
    );
}

#[test]
fn the_type_of_a_let_can_be_written() {
    let text = "mlspec 1\n\nmodel M {\n  input x: f32[B, 4]\n  let h = 2 * x\n  output y: f32[B, 4] = h\n}\n";
    let mut session = Session::open(text);
    assert_eq!(session.codes(), [] as [&str; 0]);
    let at = text.find("h =").unwrap();
    let range = session.range(at..at);
    let all = offered(&mut session, range, Some("refactor"));
    let [action] = all.as_slice() else { panic!("{all:?}") };
    let after = session.applied(&action["edit"]);
    assert!(after.contains("let h: f32[B, 4] = 2 * x"), "{after}");
    assert_eq!(Session::open(&after).codes(), [] as [&str; 0]);
}
