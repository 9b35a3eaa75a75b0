//! A real editor with the grammar: Neovim loads the parser and colours by the queries.

use crate::fresh::generate;
use crate::support::{here, root};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::{env, fs};

/// Version 14, which every Neovim since 0.7 loads; what is checked in wants 0.11.
const VERSION: usize = 14;

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}{err}");
    output
}

/// As the README of `editors/nvim` says: the library in `parser/`, queries in `queries/mlspec/`.
fn install(site: &Path) {
    generate(&site.join("src"), VERSION);
    fs::create_dir_all(site.join("parser")).expect("a folder is made");
    fs::create_dir_all(site.join("queries/mlspec")).expect("a folder is made");
    let (include, source, library) =
        (site.join("src"), site.join("src/parser.c"), site.join("parser/mlspec.so"));
    run(Command::new("cc").args(["-shared", "-fPIC", "-I"]).arg(include).arg(source).arg("-o").arg(library));
    for query in fs::read_dir(here().join("queries")).expect("the folder is there") {
        let query = query.expect("a folder lists").path();
        let name = query.file_name().expect("a file has a name");
        fs::copy(&query, site.join("queries/mlspec").join(name)).expect("a query is copied");
    }
}

/// Skipped without Neovim, unless `MLC_REQUIRE_NEOVIM=1`.
#[test]
fn neovim_colours_by_the_grammar() {
    if !Command::new("nvim").arg("--version").output().is_ok_and(|o| o.status.success()) {
        let required = env::var("MLC_REQUIRE_NEOVIM").is_ok_and(|v| v == "1");
        assert!(!required, "neovim_colours_by_the_grammar wants nvim");
        let line = b"skipped: neovim_colours_by_the_grammar wants nvim\n";
        std::io::stderr().write_all(line).expect("standard error takes a line");
        return;
    }
    let site = tempfile::tempdir().expect("a temporary folder");
    install(site.path());
    let plugin = root().join("editors/nvim");
    let output = run(Command::new("nvim")
        .args(["--clean", "--headless", "-c"])
        .arg(format!("set runtimepath^={},{}", site.path().display(), plugin.display()))
        .arg("-c")
        .arg(format!("luafile {}", plugin.join("test/colours.lua").display()))
        .env("MLSPEC_FILE", root().join("grammar/corpus/digits.mlspec"))
        .env("MLSPEC_WORDS", "1:1,4:7,6:6,7:12,16:14,17:14,25:15"));
    let seen = String::from_utf8(output.stdout).expect("captures are text");
    let wanted = "mlspec @keyword\nhidden @constant\ndigits @type.definition\nidx @function.call\n\
                  Flatten @constructor\nDense @constructor\nAdam @constructor\n";
    assert_eq!(seen, wanted);
}
