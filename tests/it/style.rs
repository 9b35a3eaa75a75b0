//! Every spec of the repository is written as `mlc fmt` writes it.

use mlc::base::Sources;
use mlc::syntax;
use std::fs;
use std::path::Path;

#[test]
fn specs_are_formatted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["specs", "grammar/corpus", "kernels/std"] {
        for entry in fs::read_dir(root.join(folder)).expect("the folder is there") {
            let path = entry.expect("the folder is readable").path();
            if path.extension().is_none_or(|e| e != "mlspec") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a spec is text");
            let mut sources = Sources::new();
            let file = sources.add(path.display().to_string(), None, text.as_str());
            let (ast, diagnostics) = syntax::parse(&sources, file);
            assert!(diagnostics.is_empty(), "{}: {diagnostics:#?}", path.display());
            let formatted = syntax::format(&ast);
            let line = text.lines().zip(formatted.lines()).find(|(a, b)| a != b);
            assert!(text == formatted, "{} is not formatted: {line:#?}", path.display());
        }
    }
}

/// The page of defaults says what the program does. `MLC_UPDATE_DOCS=1` writes it anew.
#[test]
fn the_page_of_defaults_is_fresh() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/defaults.md");
    let page = mlc::tools::defaults();
    if std::env::var("MLC_UPDATE_DOCS").is_ok_and(|v| v == "1") {
        fs::write(&file, &page).expect("docs is writable");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/defaults.md is old: run this test with MLC_UPDATE_DOCS=1");
}
