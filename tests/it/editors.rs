//! What editors are given: files made from the compiler's tables, and a real editor with the server.

use crate::support::{root, skipped};
use std::fs;
use std::path::Path;
use std::process::Command;

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

/// Whether Neovim is there; where it is not the test is skipped, or fails if `MLC_REQUIRE_NEOVIM=1`.
fn neovim(test: &str) -> bool {
    let there = Command::new("nvim").arg("--version").output().is_ok_and(|o| o.status.success());
    if !there {
        let required = std::env::var("MLC_REQUIRE_NEOVIM").is_ok_and(|v| v == "1");
        assert!(!required, "{test} wants nvim");
        skipped(test, "nvim");
    }
    there
}

/// What `editors/nvim/test/fix.lua` saw of a spec, a fact a line.
fn seen_in_neovim(file: &Path) -> String {
    let plugin = root().join("editors/nvim");
    let script = plugin.join("test/fix.lua");
    let output = Command::new("nvim")
        .args(["--clean", "--headless", "-c"])
        .arg(format!("set runtimepath^={}", plugin.display()))
        .arg("-c")
        .arg(format!("luafile {}", script.display()))
        .env("MLC_BIN", env!("CARGO_BIN_EXE_mlc"))
        .env("MLSPEC_FILE", file)
        // Logs and shared data stay beside the spec.
        .env("XDG_STATE_HOME", file.with_extension("state"))
        .env("XDG_CACHE_HOME", file.with_extension("cache"))
        .env_remove("MLC_DATA")
        .output()
        .expect("nvim starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    out.into_owned()
}

/// Behind letters of two units in UTF-16 and four bytes in UTF-8, so that a wrong count of columns shows.
const BROKEN: &str = "\
mlspec 1

data d { source = csv(\"😀😀.csv\", heder=true)  x : float  y : float  batch = 2 }

model M {
  input x: f32[B]
  output y: f32[B] = x * 2
}
";

/// As a user works: opens a broken spec, reads what is wrong, takes the fix, sees that nothing is any more.
#[test]
fn neovim_shows_a_mistake_and_mends_it() {
    if !neovim("neovim_shows_a_mistake_and_mends_it") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("broken.mlspec");
    fs::write(&file, BROKEN).expect("the folder is writable");
    fs::write(folder.path().join("😀😀.csv"), "x,y\n1,2\n2,4\n").expect("the folder is writable");
    insta::assert_snapshot!(seen_in_neovim(&file), @r#"
    filetype: mlspec
    line: 3
    column: 39
    message: `csv` has no argument `heder`
    not an argument
    help: did you mean `header`?
    code: mlc::call::unknown
    fix: write `header`
    mended: data d { source = csv("😀😀.csv", header=true)  x : float  y : float  batch = 2 }
    left: 0
    "#);
}
