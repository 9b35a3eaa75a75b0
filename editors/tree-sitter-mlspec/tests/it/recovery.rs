//! A half-typed text keeps the colours of the rest: what is broken stays where it is.

use crate::support::{parse, root};
use std::fs;
use tree_sitter::{Node, Tree};

/// The words of the sections at the top of a file, in order.
fn sections(tree: &Tree, text: &str) -> Vec<String> {
    let root = tree.root_node();
    let word = |n: Node| n.child_by_field_name("word").map(|w| text[w.byte_range()].to_string());
    root.named_children(&mut root.walk()).filter(|n| n.kind() == "section").filter_map(word).collect()
}

/// What stands in the model while it is typed, in place of its last stage.
const TYPED: [&str; 14] = [
    "|>",
    "|> D",
    "|> Dense(",
    "|> Dense()",
    "|> Dense(10",
    "|> Dense(10,",
    "|> Dense(10, ini",
    "|> Dense(10, init=",
    "|> Dense(10) as",
    "|> Dense(10) as fc2 +",
    "|> Dense(10) as mlp.",
    "|> repeat(",
    "|> Dense(\"",
    "|> Dense(10)) as fc2",
];

#[test]
fn sections_around_a_broken_line_stay_sections() {
    let text = fs::read_to_string(root().join("grammar/corpus/digits.mlspec")).expect("the spec is there");
    let whole = sections(&parse(&text), &text);
    assert_eq!(whole, ["data", "model", "train", "variant"]);
    for typed in TYPED {
        let broken = text.replace("|> Dense(10) as fc2", typed);
        let found = sections(&parse(&broken), &broken);
        assert_eq!(found, whole, "behind `{typed}`");
    }
}
