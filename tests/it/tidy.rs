//! The house rules that a compiler does not know.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules in the order of the data flow: each uses only those before it.
const LAYERS: &[&str] = &[
    "base", "diag", "syntax", "graph", "ops", "sema", "ad", "opt", "loops", "codegen", "pipeline", "runtime",
    "tools", "cli",
];

/// The sources under a folder, less modules of tests: those may look and print anywhere.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("tidy: the source tree is readable") {
            let path = entry.expect("tidy: the source tree is readable").path();
            if path.file_stem().is_some_and(|name| name == "tests") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().position(|m| *m == module)
}

/// The crate modules that a line of code names: `crate::graph::…`, `crate::{base::…, graph}`.
fn named_modules(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let heads: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split(',').collect(),
            None => vec![rest],
        };
        for head in heads {
            let word: String = head.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if rank(&word).is_some() {
                named.push(word);
            }
        }
    }
    named
}

#[test]
fn modules_depend_downwards_only() {
    let src = root().join("src");
    let mut upward = Vec::new();
    for file in rust_files(&src) {
        let inside = file.strip_prefix(&src).expect("tidy: files lie under src");
        let own = inside.iter().next().and_then(|c| c.to_str()).unwrap_or_default().trim_end_matches(".rs");
        let Some(own_rank) = rank(own) else { continue };
        let text = fs::read_to_string(&file).expect("tidy: sources are UTF-8");
        for (number, line) in text.lines().enumerate() {
            for module in named_modules(line) {
                if rank(&module) > Some(own_rank) {
                    upward.push(format!("{}:{}: {own} uses {module}", inside.display(), number + 1));
                }
            }
        }
    }
    assert!(upward.is_empty(), "upward dependencies:\n{}", upward.join("\n"));
}

#[test]
fn every_module_is_in_the_list_of_layers() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("tidy: lib.rs is there");
    for line in lib.lines() {
        if let Some(module) = line.strip_prefix("pub mod ").and_then(|m| m.strip_suffix(';')) {
            assert!(rank(module).is_some(), "`{module}` has no place in the order of layers");
        }
    }
}

/// Only the rim touches files, devices, clocks; only `cli` prints or exits.
#[test]
fn the_core_is_pure() {
    let src = root().join("src");
    let io = ["std::fs", "std::net", "std::env", "Instant::now", "SystemTime::now", "std::thread"];
    let print = ["println!", "eprintln!", "print!(", "eprint!(", "process::exit"];
    let mut found = Vec::new();
    for file in rust_files(&src) {
        let inside = file.strip_prefix(&src).expect("tidy: files lie under src");
        let own = inside.iter().next().and_then(|c| c.to_str()).unwrap_or_default();
        let pure = rank(own).is_some_and(|r| r < rank("runtime").expect("tidy: runtime is a layer"));
        let text = fs::read_to_string(&file).expect("tidy: sources are UTF-8");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            let bad = io.iter().filter(|_| pure).chain(print.iter().filter(|_| own != "cli"));
            for word in bad.filter(|w| line.contains(**w)) {
                found.push(format!("{}:{}: {word}", inside.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "outside its layer:\n{}", found.join("\n"));
}
