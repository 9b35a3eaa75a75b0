//! The corpus and broken texts through the parser.

use super::build::{Grammar, Rule};
use super::{ast::*, parse};
use crate::base::Sources;
use crate::diag::{Diagnostic, Diagnostics};
use pest::Parser as _;
use std::fs;
use std::path::Path;

/// The normative specs, verbatim, and their names.
pub fn corpus() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/corpus");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let read = |p: &std::path::PathBuf| {
        (p.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(p).unwrap())
    };
    files.iter().map(read).collect()
}

pub fn parse_text(text: &str) -> (File, Diagnostics) {
    let mut sources = Sources::new();
    let file = sources.add("test.mlspec", None, text);
    parse(&sources, file)
}

/// `line:col code: message` of each, in the order of the text.
fn found(text: &str) -> Vec<String> {
    let mut sources = Sources::new();
    let file = sources.add("test.mlspec", None, text);
    let all = parse(&sources, file).1.sorted();
    let line = |d: &Diagnostic| {
        let (line, col) = sources.line_col(d.span());
        format!("{line}:{col} [{}] {}: {}", sources.slice(d.span()), d.code, d.message)
    };
    all.iter().map(line).collect()
}

#[test]
fn corpus_parses_without_a_complaint() {
    for (name, text) in corpus() {
        assert_eq!(found(&text), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn grammar_of_record_accepts_what_the_parser_accepts() {
    for (name, text) in corpus() {
        if let Err(error) = Grammar::parse(Rule::file, &text) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn scratch() {
    let cases = [
        "mlspec 1\nparam x: int\nparam y: int = 3\n",
        "mlspec 1\ntrain {\n  lr = \n  epochs = 3\n}\n",
        "mlspec 1\ntrain {\n  lr = 1 +\n  step critic { a = 3 }\n}\n",
        "mlspec 1\nmodel M {\n  output y = x |> Dense(10 activation=relu)\n  output z = x |>\n}\ntrain { epochs = 3 ** 2 }\n",
        "mlspec 1\nmodel M {\n  let a = f(x\n  let b = 3\n}\ntrain { epochs = 3 ] }\n",
        "mlspec 1\nmodel M {\n  let a = f(x)\n\ntrain { epochs = 3  x = \"abc }\n\nparm x: int = 3",
        "mlspec 1\nmodel M {\n  let in = 3\n input x f32[B]\n y = [1, 2\n}\n",
        "train { epochs = 3; x = 'abc'  # foo\n}\nepochs = 3\n",
        "mlspec 2\nblock Foo(x: int) {\n a = 3 }\n",
        "mlspec 1\nop f(x: f32[..s]) f32 = x\nop g(x) -> f32[..s] = x\ndim T < 3\nparam p: int = 1_000\n",
        "mlspec 1\ntrain { a = 1.  b = .5  c = 5 % 3 d = { x = 3 } }\n",
        "mlspec 1\ntrain { a = -  }\ndata d { source = csv(\"a\\d\") x = a < b < c }",
        "",
        "// only\n",
        "mlspec\n",
        "mlspec 1.0\ndata d {}",
        "mlspec 1\n)",
        "mlspec 1\ntrain {",
        "mlspec 1\n}",
        "mlspec 1\ntrain { a = 99999999999999999999 b = 1e999 ä = 3 }\n",
        "mlspec 1\ntrain { loss = f(a, b c, d)\n metrics = [a b]\n stop f(x)\n }",
    ];
    for c in cases {
        println!("{c}\n----");
        for f in found(c) {
            println!("   {f}");
        }
        println!("=========");
    }
}

#[test]
fn corpus_is_formatted() {
    for (name, text) in corpus() {
        let (file, _) = parse_text(&text);
        let formatted = super::format(&file);
        if formatted != text {
            let first = text.lines().zip(formatted.lines()).find(|(a, b)| a != b);
            panic!("{name}: {first:#?}\n{formatted}");
        }
    }
}
