//! Queries name what the grammar has, and paint what a reader expects.

use crate::support::{here, parse, sound_specs};
use std::collections::{BTreeMap, BTreeSet};
use std::{env, fs};
use tree_sitter::{Language, Query, QueryCursor, StreamingIterator, Tree};
use tree_sitter_mlspec::{FOLDS, HIGHLIGHTS, INDENTS, INJECTIONS, LANGUAGE, LOCALS};

/// The files of `queries/`, and which capture names editors know in each.
const QUERIES: [(&str, &str, &[&str]); 5] = [
    ("highlights", HIGHLIGHTS, &[]),
    ("folds", FOLDS, &["fold"]),
    (
        "indents",
        INDENTS,
        &["indent", "indent.auto", "indent.begin", "indent.branch", "indent.end", "outdent"],
    ),
    ("locals", LOCALS, &["local.definition", "local.reference", "local.scope"]),
    ("injections", INJECTIONS, &["injection.content"]),
];

fn query(name: &str, text: &str) -> Query {
    let language: Language = LANGUAGE.into();
    Query::new(&language, text).unwrap_or_else(|e| panic!("queries/{name}.scm: {e}"))
}

/// Of every byte the capture of the last pattern that holds it, the innermost node winning over those around it.
fn painted(tree: &Tree, text: &str, query: &Query) -> Vec<Option<String>> {
    let mut best: Vec<Option<(usize, usize, String)>> = vec![None; text.len()];
    let mut cursor = QueryCursor::new();
    let mut captures = cursor.captures(query, tree.root_node(), text.as_bytes());
    while let Some((found, at)) = captures.next() {
        let capture = found.captures()[*at];
        let range = capture.node.byte_range();
        let name = query.capture_names()[capture.index as usize];
        for slot in &mut best[range.clone()] {
            let better = slot.as_ref().is_none_or(|(len, pattern, _)| {
                range.len() < *len || range.len() == *len && found.pattern_index >= *pattern
            });
            if better {
                *slot = Some((range.len(), found.pattern_index, name.to_string()));
            }
        }
    }
    best.into_iter().map(|slot| slot.map(|(_, _, name)| name)).collect()
}

/// The marks of a text: `// ^ capture` speaks of the column of the `^` in the nearest line above that is
/// no mark, `// <- capture` of the column where the comment starts. The form of tree-sitter's own tests.
fn marks(text: &str) -> Vec<(usize, usize, &str)> {
    let (mut marks, mut above, mut start) = (Vec::new(), (0, ""), 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let comment = line.trim_start();
        let arrow = comment.strip_prefix("//").map(str::trim_start);
        match arrow.and_then(|a| a.strip_prefix("<-").or(a.strip_prefix('^'))) {
            Some(capture) => {
                let sign = if comment.contains("<-") { "//" } else { "^" };
                let column = line.find(sign).expect("the mark is in its line");
                marks.push((number + 1, above.0 + column, capture.trim()));
            }
            None => above = (start, line),
        }
        start += line.len();
    }
    marks
}

#[test]
fn names_are_painted_by_what_they_are() {
    let text =
        fs::read_to_string(here().join("tests/highlight/everything.mlspec")).expect("the text is there");
    let tree = parse(&text);
    assert!(!tree.root_node().has_error(), "{}", tree.root_node().to_sexp());
    let painted = painted(&tree, &text, &query("highlights", HIGHLIGHTS));
    let wrong: Vec<String> = marks(&text)
        .into_iter()
        .filter(|(_, at, capture)| painted[*at].as_deref() != Some(*capture))
        .map(|(line, at, capture)| format!("line {line} says {capture}, but it is {:?}", painted[at]))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// No word, number or string of any spec is left in the colour of nothing.
#[test]
fn every_word_of_the_specs_is_painted() {
    let query = query("highlights", HIGHLIGHTS);
    for (file, text) in sound_specs() {
        let painted = painted(&parse(&text), &text, &query);
        let bare = text.char_indices().find(|(i, c)| !c.is_whitespace() && painted[*i].is_none());
        assert!(bare.is_none(), "{}: {bare:?}", file.display());
    }
}

#[test]
fn queries_hold_and_use_names_that_editors_know() {
    for (name, text, known) in QUERIES {
        let query = query(name, text);
        assert!(query.pattern_count() > 0, "queries/{name}.scm is empty");
        let stems = |c: &&str| {
            known.iter().any(|k| c.strip_prefix(k).is_some_and(|r| r.is_empty() || r.starts_with('.')))
        };
        let strange: Vec<_> =
            query.capture_names().iter().filter(|c| !known.is_empty() && !stems(c)).collect();
        assert!(strange.is_empty(), "queries/{name}.scm captures {strange:?}");
    }
}

/// Each pattern matches somewhere: one that matches nothing paints nothing.
#[test]
fn every_pattern_has_its_use() {
    let everything =
        fs::read_to_string(here().join("tests/highlight/everything.mlspec")).expect("the text is there");
    let texts: Vec<String> = sound_specs().into_iter().map(|(_, text)| text).chain([everything]).collect();
    for (name, text, _) in QUERIES {
        let query = query(name, text);
        let mut used = BTreeSet::new();
        for text in &texts {
            let tree = parse(text);
            let mut cursor = QueryCursor::new();
            let mut matches = cursor.matches(&query, tree.root_node(), text.as_bytes());
            while let Some(found) = matches.next() {
                used.insert(found.pattern_index);
            }
        }
        let idle: Vec<usize> = (0..query.pattern_count()).filter(|i| !used.contains(i)).collect();
        let at: BTreeMap<usize, &str> = idle
            .iter()
            .map(|i| (*i, text[query.start_byte_for_pattern(*i)..].lines().next().unwrap_or("")))
            .collect();
        assert!(at.is_empty(), "queries/{name}.scm: nothing matches {at:?}");
    }
}

/// An editor that wants queries in a folder of its own, and the names that it has for captures.
struct Copies {
    folder: &'static str,
    queries: &'static [&'static str],
    /// Ours, the editor's; a longer name before its beginning.
    names: &'static [(&'static str, &'static str)],
}

const COPIES: [Copies; 2] = [
    Copies {
        folder: "../zed/languages/mlspec",
        queries: &["highlights", "injections"],
        names: &[("@comment.documentation", "@comment.doc")],
    },
    Copies {
        folder: "../helix/queries/mlspec",
        queries: &["highlights", "indents", "injections", "locals"],
        names: &[
            ("@boolean", "@constant.builtin.boolean"),
            ("@comment.documentation", "@comment.line.documentation"),
            ("@function.call", "@function"),
            ("@keyword.import", "@keyword.control.import"),
            ("@keyword.repeat", "@keyword.control.repeat"),
            ("@number.float", "@constant.numeric.float"),
            ("@number", "@constant.numeric.integer"),
            ("@property", "@variable.other.member"),
            ("@type.definition", "@type"),
        ],
    },
];

/// `MLC_UPDATE_DOCS=1` copies them anew.
#[test]
fn other_editors_have_the_same_queries() {
    let update = env::var("MLC_UPDATE_DOCS").is_ok_and(|v| v == "1");
    for Copies { folder, queries, names } in COPIES {
        for name in queries {
            let ours = here().join("queries").join(format!("{name}.scm"));
            let ours = fs::read_to_string(ours).expect("a query is text");
            let ours = names.iter().fold(ours, |text, (from, to)| text.replace(from, to));
            let file = here().join(folder).join(format!("{name}.scm"));
            if update {
                fs::write(&file, &ours).expect("editors is writable");
            }
            let theirs = fs::read_to_string(&file).unwrap_or_default();
            assert!(ours == theirs, "{} is old: run this test with MLC_UPDATE_DOCS=1", file.display());
        }
    }
}

/// Copies and those that only one editor has.
#[test]
fn queries_of_other_editors_name_what_the_grammar_has() {
    for Copies { folder, queries, .. } in COPIES {
        let entries = fs::read_dir(here().join(folder)).expect("the folder is there");
        let mut files: Vec<_> = entries.map(|e| e.expect("a folder lists").path()).collect();
        files.retain(|f| f.extension().is_some_and(|e| e == "scm"));
        assert!(files.len() >= queries.len(), "{folder} lacks queries");
        for file in files {
            query(&file.display().to_string(), &fs::read_to_string(&file).expect("a query is text"));
        }
    }
}
