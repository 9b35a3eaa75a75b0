//! What the tests share: the specs, the parser, the compiler's own tree.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};
use tree_sitter::{Parser, Tree};

/// The folder of this grammar.
pub fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The repository that it lies in.
pub fn root() -> PathBuf {
    here().join("../..").canonicalize().expect("support: the grammar lies in the repository")
}

/// The specs of a folder and their texts, in the order of their names.
pub fn specs(folder: &str) -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("support: a folder lists").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "mlspec"));
    files.sort();
    assert!(!files.is_empty(), "{folder} holds no spec");
    let read = |f: PathBuf| {
        let bytes = fs::read(&f).expect("support: a spec is readable");
        (f, String::from_utf8_lossy(&bytes).into_owned())
    };
    files.into_iter().map(read).collect()
}

/// Everything that the compiler reads without a complaint about its syntax.
pub fn sound_specs() -> Vec<(PathBuf, String)> {
    ["specs", "grammar/corpus", "kernels/std", "benches/specs"].into_iter().flat_map(specs).collect()
}

pub fn parse(text: &str) -> Tree {
    let mut parser = Parser::new();
    let language = tree_sitter_mlspec::LANGUAGE.into();
    parser.set_language(&language).expect("support: the library reads this version of grammars");
    parser.parse(text, None).expect("support: nothing cancels the parser")
}

/// The compiler: `MLC_BIN`, or what `cargo build` made of the repository.
pub fn mlc(args: &[&str]) -> Output {
    let binary = env::var_os("MLC_BIN").map_or_else(
        || {
            let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
            target.join("debug/mlc")
        },
        PathBuf::from,
    );
    let output = Command::new(&binary).args(args).env_remove("MLC_DATA").output();
    output.unwrap_or_else(|e| {
        panic!("{}: {e}\nrun `cargo build` in the repository, or name a binary in MLC_BIN", binary.display())
    })
}
