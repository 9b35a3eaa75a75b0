//! `src/` is what the generator makes of `grammar.js`.

use crate::support::here;
use std::{env, fs};
use tree_sitter_generate::{ABI_VERSION_MAX, OptLevel, generate_parser_in_directory};

const GENERATED: [&str; 6] = [
    "grammar.json",
    "node-types.json",
    "parser.c",
    "tree_sitter/alloc.h",
    "tree_sitter/array.h",
    "tree_sitter/parser.h",
];

/// `MLC_UPDATE_DOCS=1` writes them anew, as it does with the generated pages of the compiler.
#[test]
fn parser_is_generated_from_the_grammar() {
    let update = env::var("MLC_UPDATE_DOCS").is_ok_and(|v| v == "1");
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let out = if update { here().join("src") } else { scratch.path().join("src") };
    generate(&out, ABI_VERSION_MAX);
    for name in GENERATED {
        let made = fs::read_to_string(out.join(name)).expect("the generator wrote it");
        let kept = fs::read_to_string(here().join("src").join(name)).unwrap_or_default();
        assert!(made == kept, "src/{name} is old: run this test with MLC_UPDATE_DOCS=1");
    }
}

/// Writes the parser for editors that read grammars up to `version`. Wants `node`.
pub fn generate(out: &std::path::Path, version: usize) {
    let level = OptLevel::default();
    let mut remarks = Vec::new();
    let grammar = Some(here().join("grammar.js"));
    generate_parser_in_directory(here(), Some(out), grammar, version, None, None, true, level, &mut remarks)
        .unwrap_or_else(|e| panic!("the grammar has a conflict:\n{e}"));
    assert!(remarks.is_empty(), "{} remarks of the generator", remarks.len());
}
