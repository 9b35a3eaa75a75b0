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

const SCRAPS: [&str; 30] = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "\"",
    ",",
    "=",
    "|>",
    "\n",
    " as x",
    "..",
    "-",
    "^2",
    "let ",
    "// c\n",
    "/// d\n",
    "%",
    ".",
    ":",
    "ä",
    "repeat(2) ",
    " in ",
    "\\",
    "\n\n\n",
    "\t",
    "1e9",
    "\u{0}",
    "#",
];

fn mutate(text: &str, dice: &mut Dice) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(chars.len().max(1));
        match dice.roll(4) {
            0 if at < chars.len() => drop(chars.remove(at)),
            1 if at + 1 < chars.len() => chars.swap(at, at + 1),
            2 => {
                let end = (at + dice.roll(40)).min(chars.len());
                chars.drain(at..end);
            }
            _insert => {
                let scrap: Vec<char> = SCRAPS[dice.roll(SCRAPS.len())].chars().collect();
                chars.splice(at..at, scrap);
            }
        }
    }
    chars.into_iter().collect()
}

/// What the comments of a text say, sorted; `///x` may become `/// x`, and `// x` inside entries.
fn comments(text: &str) -> Vec<String> {
    let said = |c: Comment| c.text.trim_start_matches('/').trim().to_string();
    let mut all: Vec<String> = super::scan::scan(text).comments.into_iter().map(said).collect();
    all.sort();
    all
}

/// Formatting says the same, loses no comment and is done after the first time.
fn check_format(text: &str) {
    let (file, diagnostics) = parse_text(text);
    if diagnostics.has_errors() {
        return;
    }
    let once = super::format(&file);
    let (again, complaints) = parse_text(&once);
    assert!(complaints.is_empty(), "formatting broke\n{text}\n-- into --\n{once}\n{complaints:?}");
    assert_eq!(super::dump(&file), super::dump(&again), "another meaning of\n{text}\n-- is --\n{once}");
    assert_eq!(comments(text), comments(&once), "comments of\n{text}\n-- are not those of --\n{once}");
    let twice = super::format(&again);
    let moved = once.lines().zip(twice.lines()).find(|(a, b)| a != b);
    assert!(once == twice, "not a fixed point: {moved:#?} in\n{once}");
}

#[test]
fn mutations_never_panic_and_what_parses_formats() {
    let mut dice = Dice(1);
    for (_, text) in corpus() {
        for _ in 0..rounds() {
            let mutant = mutate(&text, &mut dice);
            let mut sources = Sources::new();
            let file = sources.add("test.mlspec", None, mutant.as_str());
            let (_, diagnostics) = parse(&sources, file);
            crate::diag::human(&sources, &diagnostics.sorted());
            check_format(&mutant);
        }
    }
}

#[test]
fn comments_survive_anywhere() {
    let mut dice = Dice(2);
    for (_, text) in corpus() {
        let ends: Vec<usize> = super::scan::scan(&text).tokens.iter().map(|t| t.hi).collect();
        for _ in 0..rounds() {
            let mut commented = text.clone();
            let mut places: Vec<usize> = (0..=dice.roll(4)).map(|_| ends[dice.roll(ends.len())]).collect();
            places.sort();
            for (i, at) in places.iter().enumerate().rev() {
                let line = if dice.roll(2) == 0 { "\n" } else { "" };
                commented.insert_str(*at, &format!("{line} // c{i}\n"));
            }
            check_format(&commented);
        }
    }
}

/// Narrow and wide texts: every break can be needed.
#[test]
fn long_and_squeezed_texts_format() {
    for (_, text) in corpus() {
        let one_line = super::scan::scan(&text).tokens.iter().map(|t| &text[t.lo..t.hi]).collect::<Vec<_>>();
        // Tokens that must touch: members, and numbers in paths.
        let squeezed = one_line.join(" ").replace(" . ", ".");
        check_format(&squeezed);
        check_format(
            &text.replace("fc1", "a_name_that_goes_on_and_on_until_the_line_is_much_too_long_to_be_read"),
        );
        check_format(&text.replace(' ', "  ").replace('\n', "\n\n\n"));
        check_format(&text.replace(", ", ",\n").replace("= ", "=\n"));
    }
}

/// Mutants of each text; `MLC_FUZZ` asks for more.
fn rounds() -> usize {
    std::env::var("MLC_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(20)
}

#[test]
fn deep_and_long_texts_are_refused_in_time() {
    let deep = |open: &str, close: &str, n: usize| {
        format!("mlspec 1\ntrain {{ a = {}1{} }}", open.repeat(n), close.repeat(n))
    };
    for (text, code) in [
        (deep("(", ")", 10_000), "syntax::deep"),
        (deep("[", "]", 63), ""),
        (deep("f(", ")", 62), ""),
        (deep("[", "", 200), "syntax::deep"),
        (deep("-", "", 10_000), "syntax::deep"),
        (deep("1 + ", "", 10_000), "syntax::deep"),
        (deep("x |> ", "", 300), ""),
        (deep("2 ^ ", "", 10_000), "syntax::deep"),
        (deep("repeat(2) ", "", 10_000), "syntax::unexpected"),
        (format!("mlspec 1\n{}a = 1{}", "a { ".repeat(60), "}".repeat(60)), ""),
        (format!("mlspec 1\n{}{}", "a {\n".repeat(62), "}".repeat(62)), ""),
        (format!("mlspec 1\ntrain {{ a = x{} }}", ".a".repeat(10_000)), "syntax::deep"),
    ] {
        let (file, diagnostics) = parse_text(&text);
        let codes: Vec<&str> = diagnostics.iter().map(|d| d.code).collect();
        assert_eq!(codes.first().copied().unwrap_or_default(), code, "{}", &text[..60.min(text.len())]);
        if code.is_empty() {
            super::format(&file);
            check_format(&text);
        }
    }
}

#[test]
fn a_name_missing_behind_as_is_blamed_on_the_as() {
    let text = "mlspec 1\nmodel M {\n  let h = x |> Dense(4) as\n  output y: f32[B, 4] = h\n}\n";
    assert_eq!(found(text), ["3:25 [as] syntax::unexpected: a name is missing behind `as`"]);
    let closed = "mlspec 1\nmodel M {\n  let h = x |> Dense(4) as\n}\n";
    assert_eq!(found(closed), ["3:25 [as] syntax::unexpected: a name is missing behind `as`"]);
}

#[test]
fn beside_a_point_no_word_is_reserved() {
    let text = "mlspec 1\nmodel M {\n  freeze = [a.output, h.0.in.as]\n  let h = x |> Dense(4) as output.dense.let\n  \
                output y = h |> Dense(4) as in.repeat\n}\n";
    assert_eq!(found(text), [] as [&str; 0]);
    check_format(text);
    let alone = "mlspec 1\nmodel M {\n  output y = x |> Dense(4) as output\n}\n";
    assert_eq!(found(alone).len(), 1, "{:?}", found(alone));
}

#[test]
fn bytes_have_units_and_stay_as_they_are_written() {
    let value = |text: &str| {
        let (file, wrong) = parse_text(&format!("mlspec 1\n\ntrain {{ memory = {text} }}\n"));
        assert!(!wrong.has_errors(), "{text}");
        assert!(super::format(&file).contains(&format!("memory = {text} }}")), "{}", super::format(&file));
        let ItemKind::Section(section) = &file.items[0].kind else { panic!("a section") };
        let EntryKind::Bind { value, .. } = &section.entries[0].kind else { panic!("a key") };
        let ExprKind::Bytes(bytes) = value.kind else { panic!("bytes, not {:?}", value.kind) };
        bytes.bytes()
    };
    assert_eq!(["1KiB", "2GiB", "1.5MiB", "3TB"].map(value), [1024, 2 << 30, 3 << 19, 3_000_000_000_000]);
    assert_eq!(["7KB", "0.5MB", "20GB", "1TiB"].map(value), [7000, 500_000, 20_000_000_000, 1 << 40]);
    let said = |text: &str| found(&format!("mlspec 1\n\ntrain {{ memory = {text} }}\n"));
    for text in ["2gb", "512M", "2Gi", "1gIB"] {
        let wrong = said(text);
        assert!(
            wrong.len() == 1 && wrong[0].ends_with(&format!("`{text}` is no number of bytes")),
            "{wrong:?}"
        );
    }
    assert!(said("2x")[0].ends_with("neither a number nor a name"));
}

#[test]
fn what_nobody_sees_is_named() {
    for (sign, message) in [
        ("\u{a0}", "a non-breaking space (U+00A0) stands here"),
        ("\u{200b}", "an invisible character (U+200B) stands here"),
        ("\0", "an invisible character (U+0000) stands here"),
        ("−", "`−` is no operator here"),
    ] {
        let text = format!("mlspec 1\ntrain {{\n  lr = {sign}x\n}}\n");
        assert_eq!(found(&text), [format!("3:8 [{sign}] syntax::sign: {message}")]);
    }
}

#[test]
fn by_groups_an_element_of_a_list_and_is_a_name_elsewhere() {
    let text =
        "mlspec 1\n\ntrain {\n  metrics = [f1 by sex, top_k(M.a, a, k=3) by by, auc]\n  by      = 3\n}\n";
    check_format(text);
    let (file, diagnostics) = parse_text(text);
    assert!(diagnostics.is_empty());
    let dumped = super::dump(&file);
    assert!(dumped.contains("(list (by f1 sex) (by (call top_k"), "{dumped}");
    assert_eq!(super::format(&file), text);
}
