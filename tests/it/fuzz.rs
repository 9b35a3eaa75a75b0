//! Texts that nobody would write, through parser, checker, formatter and reports.
//!
//! A mutant is a spec of the repository with some tokens or bytes deleted, doubled, swapped or brought from another
//! spec. It depends on its number alone: `MLC_FUZZ_FROM=1234 MLC_FUZZ_CASES=1` makes one anew. `MLC_FUZZ_SECONDS`
//! says how long to go on; where neither is set, a few hundred are tried.

use mlc::base::{FileId, Sources};
use mlc::diag::{Diagnostic, Found, github, human, json, sarif};
use mlc::sema::{self, Blind, Settings};
use mlc::syntax;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// What 64 KB may take. A development build is thirty times slower, and shares the machine with other tests.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 90 } else { 1 });

/// The largest input that is promised to be quick; an unoptimised build is tried with a part of it.
const LARGE: usize = if cfg!(debug_assertions) { 16 } else { 64 } * 1024;

/// Who has more mistakes than that in a file reads the first ones; the rest only costs time here.
const REPORTED: usize = 1000;

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers from the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, or 0.
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Every spec of the repository, the library's formulas among them.
fn corpus() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["specs", "specs/broken", "grammar/corpus", "kernels/std"] {
        let entries = fs::read_dir(root.join(folder)).expect("the folder is there");
        files.extend(entries.map(|e| e.expect("the folder is readable").path()));
    }
    // An empty one has nothing to give.
    files.retain(|f| {
        f.extension().is_some_and(|e| e == "mlspec") && fs::metadata(f).is_ok_and(|m| m.len() > 0)
    });
    files.sort();
    files.iter().map(|f| String::from_utf8_lossy(&fs::read(f).expect("readable")).into_owned()).collect()
}

/// Words, numbers, runs of space, and single signs.
fn tokens(text: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 1,
        c if c.is_whitespace() => 2,
        _ => 0,
    };
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same = |c: char| kind(c) != 0 && kind(c) == kind(first);
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len()).max(first.len_utf8());
        let (token, behind) = rest.split_at(end);
        all.push(token);
        rest = behind;
    }
    all
}

/// Pieces that are rare in specs and matter to parsers.
const ODD: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "//",
    "///",
    "|>",
    "as",
    "in",
    "=",
    ":",
    ",",
    ".",
    "..",
    "-",
    "^",
    "%",
    "\\",
    "\0",
    "\r",
    "\u{feff}",
    "\u{200b}",
    "é",
    "😀",
    "1e999",
    "99999999999999999999",
    "0",
    "-1",
    "1.",
    "B",
    "_",
    "true",
    "let",
    "repeat(9) ",
    "\n",
    "\n\n",
    "  ",
];

/// The text after one to eight changes of tokens.
fn with_other_tokens(text: &str, other: &str, random: &mut Random) -> String {
    let theirs = tokens(other);
    let mut all: Vec<&str> = tokens(text);
    for _ in 0..=random.below(8) {
        if all.is_empty() {
            break;
        }
        let at = random.below(all.len());
        let len = 1 + random.below(12).min(all.len() - at - 1);
        match random.below(6) {
            0 => drop(all.drain(at..at + len)),
            1 => {
                let doubled = all[at..at + len].to_vec();
                all.splice(at..at, doubled);
            }
            2 => {
                let with = random.below(all.len());
                all.swap(at, with);
            }
            3 => all.insert(at, *random.of(ODD)),
            4 => all[at] = *random.of(&theirs),
            _ => {
                let from = random.below(theirs.len());
                let piece = theirs[from..(from + 1 + random.below(30)).min(theirs.len())].to_vec();
                all.splice(at..at, piece);
            }
        }
    }
    all.concat()
}

/// The text with bytes changed, and perhaps cut.
fn with_other_bytes(text: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len());
        match random.below(4) {
            _ if bytes.is_empty() => bytes.push(random.next() as u8),
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, random.next() as u8),
            2 => bytes[at] = random.next() as u8,
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn mutant(corpus: &[String], number: u64) -> Vec<u8> {
    let mut random = Random(number);
    let text = random.of(corpus).clone();
    let other = random.of(corpus);
    match random.below(8) {
        0 => with_other_bytes(&text, &mut random),
        _ => with_other_tokens(&text, other, &mut random).into_bytes(),
    }
}

/// What `mlc check` would find, no file looked into.
fn check(bytes: &[u8]) -> (Sources, Vec<Diagnostic>) {
    let mut sources = Sources::new();
    let (file, mut found) = syntax::decode(&mut sources, "x.mlspec", None, bytes);
    if !found.has_errors() {
        let (ast, syntax) = syntax::parse(&sources, file);
        if syntax.is_empty() {
            formats(&sources, file);
        }
        found.extend(syntax.sorted());
        let (_, sema) = sema::check(&mut sources, file, &ast, &Settings::default(), &Blind);
        found.extend(sema.sorted());
    }
    (sources, found.sorted())
}

/// The formatter says what the text says, and what it wrote is in its style.
fn formats(sources: &Sources, file: FileId) {
    let (ast, _) = syntax::parse(sources, file);
    let once = syntax::format(&ast);
    let mut own = Sources::new();
    let file = own.add("formatted.mlspec", None, once.as_str());
    let (again, wrong) = syntax::parse(&own, file);
    assert!(wrong.is_empty(), "what was formatted does not parse: {wrong:?}\n{once}");
    assert!(syntax::dump(&ast) == syntax::dump(&again), "formatting changed what is said:\n{once}");
    assert!(syntax::format(&again) == once, "formatting twice is not formatting once:\n{once}");
}

/// Every report can be written, and every fix applied.
fn report(sources: &Sources, found: &[Diagnostic]) {
    let all = [Found { sources, diagnostics: found }];
    let written = [human(sources, found), json(&all), sarif(&all), github(&all)];
    assert!(found.is_empty() || written.iter().all(|text| !text.is_empty()));
    for d in found {
        for label in &d.labels {
            let text = &sources.get(label.span.file).text;
            assert!(text.get(label.span.range()).is_some(), "{} points at no text: {:?}", d.code, label.span);
        }
        if let Some(fix) = &d.fix {
            let text = &sources.get(fix.span.file).text;
            assert!(text.get(fix.span.range()).is_some(), "{} mends no text: {:?}", d.code, fix.span);
        }
    }
}

/// Checks a text; what is wrong, naming a file that holds it, if that panics or takes long.
fn trouble(bytes: &[u8], what: &str) -> Option<String> {
    let start = Instant::now();
    let done = catch_unwind(AssertUnwindSafe(|| {
        let (sources, found) = check(bytes);
        report(&sources, &found[..found.len().min(REPORTED)]);
    }));
    let took = start.elapsed();
    if took > LIMIT / 30 {
        println!("{what}: {took:?}");
    }
    let why = match done {
        Ok(()) if took <= LIMIT => return None,
        Ok(()) => format!("takes {took:?}"),
        Err(_) => "panics".to_string(),
    };
    let file = std::env::temp_dir().join(format!("mlc-fuzz-{}.mlspec", what.replace(' ', "-")));
    fs::write(&file, bytes).expect("the temporary folder is writable");
    Some(format!("{what}: {why}, see {}", file.display()))
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|v| v.parse().unwrap_or_else(|_| panic!("{name} is a whole number, not {v}")))
}

#[test]
fn mutants_are_survived() {
    let corpus = corpus();
    let from = setting("MLC_FUZZ_FROM").unwrap_or(0);
    let seconds = setting("MLC_FUZZ_SECONDS");
    // So that a slow machine is not kept for minutes.
    let deadline = Duration::from_secs(seconds.unwrap_or(30));
    let cases = setting("MLC_FUZZ_CASES").unwrap_or(if seconds.is_some() { u64::MAX } else { 600 });
    let start = Instant::now();
    let (mut tried, mut found) = (0, Vec::new());
    for number in (from..).take_while(|n| n - from < cases) {
        if start.elapsed() > deadline {
            break;
        }
        found.extend(trouble(&mutant(&corpus, number), &format!("mutant {number}")));
        tried += 1;
    }
    println!("{tried} mutants in {:?}", start.elapsed());
    assert!(tried > 0 && found.is_empty(), "{found:#?}");
}

/// A spec around an expression, and around a body of entries.
fn around(value: &str, body: &str) -> String {
    format!("mlspec 1\nmodel M {{\n  input x: f32[B, 2]\n{body}  output y: f32[B, 2] = {value}\n}}\n")
}

/// Things inside things, as deep as [`LARGE`] allows.
fn deep() -> Vec<(&'static str, String)> {
    let nested = |open: &str, inner: &str, close: &str| {
        let times = (LARGE - 200) / (open.len() + close.len());
        around(&format!("{}{inner}{}", open.repeat(times), close.repeat(times)), "")
    };
    let unclosed = |open: &str| around(&open.repeat((LARGE - 200) / open.len()), "");
    let chain = |sign: &str, part: &str| {
        let times = (LARGE - 200) / (sign.len() + part.len());
        around(&format!("x{}", format!("{sign}{part}").repeat(times)), "")
    };
    // A line of some forty bytes for each.
    let count = LARGE / 64;
    let lets = (0..count).map(|i| match i {
        0 => "  let a0 = x\n".to_string(),
        i => format!("  let a{i} = a{0} + a{0}\n", i - 1),
    });
    // Each doubles the one before: the largest graph is filled, which takes an unoptimised build half a minute.
    let doubling = if cfg!(debug_assertions) { 12 } else { 600 };
    let blocks = (0..doubling).map(|i| match i {
        0 => "block B0 (x: f32[B, 2]) -> (y: f32[B, 2]) { output y = relu(x) }\n".to_string(),
        i => {
            format!("block B{i} (x: f32[B, 2]) -> (y: f32[B, 2]) {{ output y = x |> B{0} |> B{0} }}\n", i - 1)
        }
    });
    let inside = (0..600).map(|i| match i {
        0 => "block C0 (x: f32[B, 2]) -> (y: f32[B, 2]) { output y = relu(x) }\n".to_string(),
        i => format!("block C{i} (x: f32[B, 2]) -> (y: f32[B, 2]) {{ output y = x |> C{} }}\n", i - 1),
    });
    let ops = (0..count).map(|i| match i {
        0 => "op f0(x: f32[..s]) -> f32[..s] = x + 1\n".to_string(),
        i => format!("op f{i}(x: f32[..s]) -> f32[..s] = f{0}(f{0}(x))\n", i - 1),
    });
    let params = (0..count).map(|i| match i {
        0 => "param p0: int = 1\n".to_string(),
        i => format!("param p{i}: int = p{0} + p{0}\n", i - 1),
    });
    vec![
        ("parentheses", nested("(", "x", ")")),
        ("lists", nested("[", "x", "]")),
        ("braces", nested("{", "x", "}")),
        ("calls", nested("relu(", "x", ")")),
        ("indices", nested("x[", "0", "]")),
        ("mixed brackets", nested("([", "x", "])")),
        ("open parentheses", unclosed("(")),
        ("open lists", unclosed("[")),
        ("open braces", unclosed("{")),
        ("open calls", unclosed("f(")),
        ("closing", unclosed(")")),
        ("minus", around(&format!("{}x", "-".repeat(LARGE - 200)), "")),
        ("minus with spaces", around(&format!("{}x", "- ".repeat(LARGE / 2 - 200)), "")),
        ("pipes", chain(" |> ", "relu")),
        ("pipes of layers", chain(" |> ", "Dense(2) as a")),
        ("powers", chain("^", "2")),
        ("powers of minus", chain("^-", "2")),
        ("sums", chain(" + ", "x")),
        ("products", chain(" @ ", "x")),
        ("comparisons", chain(" < ", "x")),
        ("members", chain(".", "a")),
        ("indices in a row", chain("[", "0]")),
        ("calls in a row", chain("(", "1)")),
        ("names of weights", chain(" |> ", "relu as a.b.c.d.e.f.g.h")),
        ("repeats", around(&format!("x |> {}relu", "repeat(2) ".repeat(LARGE / 11)), "")),
        ("sections", format!("mlspec 1\n{}", "model M {\n".repeat(LARGE / 12))),
        ("values that double", around(&format!("a{}", count - 1), &lets.collect::<String>())),
        (
            "blocks that call blocks",
            format!("{}\n{}", around(&format!("x |> B{}", doubling - 1), ""), blocks.collect::<String>()),
        ),
        ("blocks inside blocks", format!("{}\n{}", around("x |> C599", ""), inside.collect::<String>())),
        (
            "ops that call ops",
            format!("{}\n{}", around(&format!("f{}(x)", count - 1), ""), ops.collect::<String>()),
        ),
        (
            "params of params",
            format!("{}\n{}", around(&format!("x * p{}", count - 1), ""), params.collect::<String>()),
        ),
        ("shapes", around("x", &format!("  input z: f32[{}]\n", "B, ".repeat(LARGE / 3 - 100)))),
    ]
}

/// Texts that are long and not deep.
fn long() -> Vec<(&'static str, String)> {
    let fill = |piece: &str| piece.repeat(LARGE / piece.len());
    let digits = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/digits.mlspec"))
        .expect("the lesson is there");
    vec![
        ("one name", fill("a")),
        ("one number", around(&fill("9"), "")),
        ("one string", around(&format!("\"{}\"", fill("a")), "")),
        ("an open string", around(&format!("\"{}", fill("a")), "")),
        ("one comment", format!("// {}", fill("a "))),
        ("documents", format!("mlspec 1\n{}", fill("/// a\n"))),
        ("space", fill(" ")),
        ("lines", fill("\n")),
        ("carriage returns", fill("\r")),
        ("zeros", fill("\0")),
        ("emoji", fill("😀")),
        ("quotes", fill("\"")),
        ("backslashes", around(&format!("\"{}\"", fill("\\")), "")),
        ("commas", around(&format!("[{}]", fill(",")), "")),
        ("signs", fill("@")),
        ("words", fill("a ")),
        ("keys", format!("mlspec 1\ntrain {{ {} }}", fill("epochs = 5 "))),
        ("wrong keys", format!("mlspec 1\ntrain {{ {} }}", fill("epoch = 5 "))),
        ("typed columns", format!("mlspec 1\ndata d {{ {} }}", fill("a : class "))),
        ("headers", fill("mlspec 1\n")),
        ("specs", format!("{digits}\n{}", fill(&digits.replace("mlspec 1", "")))),
        ("a list of numbers", around(&format!("[{}1]", fill("1, ")), "")),
        ("arguments", around(&format!("Dense({}1)", fill("units=1, ")), "")),
        ("unknown layers", around(&format!("x{}", fill(" |> Dens(2)")), "")),
        ("unknown names", around("x", &fill("  let b = nothing\n"))),
        ("params", format!("mlspec 1\n{}", fill("param a: int = 1\n"))),
        ("variants", format!("mlspec 1\n{}", fill("variant a { b = 1 }\n"))),
    ]
}

/// No stack overflows and nothing hangs: each runs on a thread with the stack that a thread has by default.
#[test]
fn large_texts_end_soon() {
    let mut found = Vec::new();
    for (what, text) in deep().into_iter().chain(long()) {
        // An overflow ends the process and names the thread.
        let thread = std::thread::Builder::new().name(what.into()).stack_size(2 << 20);
        let run = thread.spawn(move || trouble(text.as_bytes(), what)).expect("a thread starts");
        found.extend(run.join().expect("trouble: panics are caught"));
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// What is too deep is said, at a place, with a way out.
#[test]
fn deep_texts_are_told_so() {
    let fine = ["values that double", "params of params", "blocks that call blocks"];
    let nested = |(what, _): &(&str, String)| !fine.contains(what);
    for (what, text) in deep().into_iter().filter(nested) {
        let (_, found) = check(text.as_bytes());
        assert!(!found.is_empty(), "{what}: nothing is said");
        assert!(found.iter().all(|d| d.help.is_some()), "{what}: no way out");
    }
}
