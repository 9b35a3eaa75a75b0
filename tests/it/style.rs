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
