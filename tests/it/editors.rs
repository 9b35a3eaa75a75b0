//! What editors are given: files made from the compiler's tables, and a real editor with the server.

use crate::support::root;
use std::fs;

/// The grammar knows the names that the compiler knows. `MLC_UPDATE_DOCS=1` writes it anew.
#[test]
fn the_textmate_grammar_is_fresh() {
    let file = root().join("editors/vscode/syntaxes/mlspec.tmLanguage.json");
    let grammar = mlc::tools::textmate();
    if std::env::var("MLC_UPDATE_DOCS").is_ok_and(|v| v == "1") {
        fs::write(&file, &grammar).expect("editors is writable");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == grammar, "{} is old: run this test with MLC_UPDATE_DOCS=1", file.display());
}
