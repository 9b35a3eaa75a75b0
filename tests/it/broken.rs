//! `specs/broken/`: one mistake each, and what people are told about it.
//!
//! A spec's name says the mistake, its first line teaches the rule. The snapshot
//! beside the others shows the report.

use mlc::base::Sources;
use mlc::diag::{Diagnostic, anchor, codes, human, link};
use mlc::runtime::data::{DiskProbe, Places};
use mlc::sema::{self, Settings};
use mlc::syntax;
use mlc::tools::{self, Shown};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn specs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/broken");
    let entries = fs::read_dir(folder).expect("specs/broken is there");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("specs/broken is readable").path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "mlspec"));
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a spec has a name").to_string_lossy().into_owned()
}

/// What `mlc check` finds, whatever the working folder.
fn check(path: &Path) -> (Sources, Vec<Diagnostic>) {
    let bytes = fs::read(path).expect("specs/broken is readable");
    let mut sources = Sources::new();
    let name = format!("{}.mlspec", stem(path));
    let (file, mut found) = syntax::decode(&mut sources, name, path.parent().map(Path::to_path_buf), &bytes);
    if !found.has_errors() {
        let (ast, syntax) = syntax::parse(&sources, file);
        found.extend(syntax.sorted());
        let places = Places { spec: path.parent().map(Path::to_path_buf), data: None };
        let (_, sema) = sema::check(&mut sources, file, &ast, &Settings::default(), &DiskProbe { places });
        found.extend(sema.sorted());
    }
    (sources, found.sorted())
}

#[test]
fn each_mistake_is_explained() {
    for path in specs() {
        let (sources, found) = check(&path);
        assert!(!found.is_empty(), "{} has no mistake", path.display());
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots/broken", omit_expression => true }, {
            insta::assert_snapshot!(stem(&path), human(&sources, &found));
        });
    }
}

#[test]
fn every_mistake_names_an_action() {
    for path in specs() {
        for d in check(&path).1 {
            assert!(d.help.is_some(), "{}: `{}` has no help", path.display(), d.code);
            assert!(codes().any(|info| info.code == d.code), "`{}` is in no table", d.code);
        }
    }
}

#[test]
fn first_lines_teach() {
    for path in specs() {
        let bytes = fs::read(&path).expect("specs/broken is readable");
        assert!(bytes.is_empty() || bytes.starts_with(b"// "), "{} starts with no lesson", path.display());
    }
}

/// Codes that no text in `specs/broken` can show, with the reason.
const WITHOUT_SPEC: &[(&str, &str)] = &[
    ("variant::unknown", "a mistake on the command line, tested with the binary"),
    ("op::broken", "only the library's own formulas can be broken so"),
    ("verify::differs", "a defect of ours, tested with one planted"),
    ("leak::duplicates", "only the rows tell, tested with the binary"),
    ("leak::time", "only the rows tell, tested with the binary"),
    ("leak::groups", "only the rows tell, tested with the binary"),
    ("generate::prompt", "only a run knows the signs of its texts, tested with the binary"),
    ("generate::ahead", "only a run shows what a model does, tested with the binary"),
    ("call::constant", "only the data know the size of a row before they are read"),
];

#[test]
fn every_code_has_a_broken_spec() {
    let shown: BTreeSet<&str> = specs().iter().flat_map(|p| check(p).1).map(|d| d.code).collect();
    let reads_files = |code: &str| ["data::", "run::", "gpu::"].iter().any(|stage| code.starts_with(stage));
    let missing: Vec<&str> = codes()
        .map(|info| info.code)
        .filter(|c| !reads_files(c) && !shown.contains(c) && !WITHOUT_SPEC.iter().any(|(w, _)| w == c))
        .collect();
    assert!(missing.is_empty(), "no spec in specs/broken shows {missing:?}");
    let idle: Vec<&str> = WITHOUT_SPEC.iter().map(|(code, _)| *code).filter(|c| shown.contains(c)).collect();
    assert!(idle.is_empty(), "a spec in specs/broken shows {idle:?}: take them off the list");
}

/// The page of diagnostics shows what is said now. `MLC_UPDATE_DOCS=1` writes it anew.
#[test]
fn the_gallery_is_fresh() {
    let shown = specs().into_iter().map(|path| {
        let (sources, found) = check(&path);
        let bytes = fs::read(&path).expect("specs/broken is readable");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Shown { name: stem(&path), text, report: human(&sources, &found), found }
    });
    let page = tools::gallery(&shown.collect::<Vec<_>>());
    for info in codes() {
        assert!(
            page.contains(&format!("<a id=\"{}\"></a>", anchor(info.code))),
            "`{}` has no place",
            info.code
        );
        assert!(link(info.code).ends_with(&format!("docs/diagnostics.md#{}", anchor(info.code))));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/diagnostics.md");
    if std::env::var("MLC_UPDATE_DOCS").is_ok_and(|v| v == "1") {
        fs::write(&file, &page).expect("docs is writable");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/diagnostics.md is old: run this test with MLC_UPDATE_DOCS=1");
}

#[test]
fn codes_are_unique_and_explained() {
    let mut seen = BTreeSet::new();
    for info in codes() {
        assert!(seen.insert(info.code), "`{}` is in two rows", info.code);
        assert!(info.title.len() > 10 && info.explain.len() > 20, "`{}` explains too little", info.code);
    }
}
