//! This grammar and the compiler's say the same of the same text.
//!
//! The compiler parses with `grammar/mlspec.pest` and prints kinds and places of what it built
//! (`mlc dump --stage nodes`); trees of this grammar are brought to the same form.

use crate::support::{mlc, parse, sound_specs, specs};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tree_sitter::{Node, Tree};

/// What a node of this grammar is in the compiler's tree.
#[derive(Clone, Copy, PartialEq)]
enum Means {
    /// A node of this kind.
    Node(&'static str),
    /// None, but its children are children of the node above.
    Inline,
    /// Comments: none.
    Nothing,
}
use Means::{Inline, Node as N, Nothing};

/// Every kind that `src/node-types.json` names, in its order.
const KINDS: [(&str, Means); 45] = [
    ("any", N("any")),
    ("arg", N("arg")),
    ("args", Inline),
    ("as", N("as")),
    ("axes", N("axes")),
    ("binary", N("binary")),
    ("bind", N("bind")),
    ("block", N("block")),
    ("body", Inline),
    ("boolean", N("bool")),
    ("by", N("by")),
    ("bytes", N("bytes")),
    ("call", N("call")),
    ("comment", Nothing),
    ("dim", N("dim")),
    ("doc_comment", Nothing),
    ("field", N("field")),
    ("fields", Inline),
    ("float", N("float")),
    ("header", N("header")),
    ("identifier", N("name")),
    ("import", N("import")),
    ("index", N("index")),
    ("input", N("input")),
    ("integer", N("int")),
    ("let", N("let")),
    ("list", N("list")),
    ("member", N("member")),
    ("neg", N("neg")),
    ("op", N("op")),
    ("output", N("output")),
    ("param", N("param")),
    ("paren", N("paren")),
    ("path", N("path")),
    ("percent", N("percent")),
    ("pipe", N("pipe")),
    ("range", N("range")),
    ("repeat", N("repeat")),
    ("rest", Inline),
    ("section", N("section")),
    ("shape", Inline),
    ("slice", N("slice")),
    ("source_file", Inline),
    ("string", N("str")),
    ("tuple", N("tuple")),
];
const TYPES: [(&str, Means); 2] = [("type", N("type")), ("typed", N("typed"))];

/// Specs in `specs/broken` whose syntax this grammar takes and the compiler does not, and why.
const LOOSER: [(&str, &str); 8] = [
    ("comparison-chain", "a chain reads from the left here; that it means nothing is the compiler's to say"),
    ("empty", "an editor shows many files before their first word"),
    ("escape-unknown", "a string ends at its quote whatever its escapes mean"),
    ("header-missing", "documentation shows parts of specs"),
    ("nesting-too-deep", "this parser keeps its own stack"),
    ("not-utf8", "editors decode"),
    ("number-too-large", "digits are digits"),
    ("version-unknown", "a later language is coloured as well as this one"),
];

fn means(kind: &str) -> Means {
    let row = KINDS.iter().chain(&TYPES).find(|(name, _)| *name == kind);
    row.unwrap_or_else(|| panic!("`{kind}` has no row in KINDS")).1
}

/// The tree in the compiler's words, a node a line.
fn outline(tree: &Tree) -> String {
    let mut out = String::new();
    write(tree.root_node(), 0, &mut out);
    out
}

fn write(node: Node, depth: usize, out: &mut String) {
    let inside = match means(node.kind()) {
        Means::Node(kind) => {
            let _ = writeln!(out, "{}{kind} {}..{}", "  ".repeat(depth), node.start_byte(), node.end_byte());
            depth + 1
        }
        Inline => depth,
        Nothing => return,
    };
    for child in node.named_children(&mut node.walk()) {
        write(child, inside, out);
    }
}

/// What the compiler makes of a file; nothing if it refuses the syntax.
fn compiled(file: &Path) -> Option<String> {
    let output = mlc(&["dump", &file.display().to_string(), "--stage", "nodes"]);
    let text = String::from_utf8(output.stdout).expect("mlc prints text");
    assert!(output.status.code().is_some_and(|c| c < 2), "{}", String::from_utf8_lossy(&output.stderr));
    output.status.success().then_some(text)
}

/// # Panics
/// If the trees differ: shows the first line that does and the text that it stands for.
fn assert_agrees(name: &str, text: &str, theirs: &str) {
    let tree = parse(text);
    assert!(!tree.root_node().has_error(), "{name}: {}", tree.root_node().to_sexp());
    let ours = outline(&tree);
    let differs = |(a, b): &(&str, &str)| a != b;
    if let Some((ours, theirs)) = ours.lines().zip(theirs.lines()).find(differs) {
        let range = ours.rsplit(' ').next().expect("a line ends with a range");
        let (lo, hi) = range.split_once("..").expect("a range has two ends");
        let range = lo.parse().expect("a byte")..hi.parse().expect("a byte");
        panic!("{name}: `{ours}` here, `{theirs}` in the compiler, of\n{}", &text[range]);
    }
    assert_eq!(ours.lines().count(), theirs.lines().count(), "{name}: one tree ends early");
}

#[test]
fn trees_have_the_kinds_and_places_of_the_compiler() {
    for (file, text) in sound_specs() {
        let name = file.display().to_string();
        let theirs = compiled(&file).unwrap_or_else(|| panic!("{name}: mlc refuses its syntax"));
        assert_agrees(&name, &text, &theirs);
    }
}

#[test]
fn every_kind_has_its_row_and_every_row_its_kind() {
    let nodes: Vec<serde_json::Value> =
        serde_json::from_str(tree_sitter_mlspec::NODE_TYPES).expect("node-types.json is a list");
    let named = nodes.iter().filter(|n| n["named"] == true && n.get("subtypes").is_none());
    let mut kinds: Vec<&str> = named.map(|n| n["type"].as_str().expect("a kind is text")).collect();
    kinds.sort_unstable();
    let rows: Vec<&str> = KINDS.iter().chain(&TYPES).map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, rows);
}

/// The names of those that one of both refuses and the other takes.
#[test]
fn what_the_compiler_refuses_to_parse_has_errors() {
    let (mut looser, mut stricter, mut refused) = (Vec::new(), Vec::new(), 0);
    for (file, text) in specs("specs/broken") {
        let name = file.file_stem().expect("a spec has a name").to_string_lossy().into_owned();
        let (theirs, ours) = (compiled(&file).is_none(), parse(&text).root_node().has_error());
        refused += usize::from(theirs);
        match (theirs, ours) {
            (true, false) => looser.push(name),
            (false, true) => stricter.push(name),
            (true, true) | (false, false) => {}
        }
    }
    assert!(refused > 10, "only {refused} specs have a mistake of syntax");
    assert_eq!(stricter, Vec::<String>::new());
    assert_eq!(looser, LOOSER.map(|(name, _why)| name));
}

/// A small generator of numbers, so that a failure can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }
}

/// What keeps a text sound often enough.
const SCRAPS: [&str; 14] =
    ["\n", " ", "// c\n", "-", " as x", "^2", ".y", "(a)", "[1:]", ",", " |> F", " .. 2", "* -b", " in x"];

/// Texts that the compiler takes, many of them odd, are taken here with the same tree.
#[test]
fn odd_texts_agree_too() {
    const EACH: usize = 40;
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let file = scratch.path().join("odd.mlspec");
    let (mut dice, mut taken) = (Dice(1), 0);
    for (path, text) in specs("grammar/corpus") {
        let chars: Vec<char> = text.chars().collect();
        for _ in 0..EACH {
            let mut odd = chars.clone();
            for _ in 0..=dice.roll(2) {
                let (at, scrap) = (dice.roll(odd.len()), SCRAPS[dice.roll(SCRAPS.len())]);
                odd.splice(at..at, scrap.chars());
            }
            let odd: String = odd.into_iter().collect();
            fs::write(&file, &odd).expect("the folder is writable");
            if let Some(theirs) = compiled(&file) {
                taken += 1;
                assert_agrees(&format!("{} made odd\n{odd}", path.display()), &odd, &theirs);
            }
        }
    }
    assert!(taken > EACH, "only {taken} odd texts parse: nothing is tested");
}
