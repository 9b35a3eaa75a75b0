//! Hints and lenses.

use super::{WHOLE, analysed};
use crate::tools::ide::hints::hints;
use crate::tools::ide::lens::{lenses, memory};

/// The text with its hints in guillemets; tooltips behind.
fn hinted(text: &str) -> String {
    let analysis = analysed(text);
    let all = hints(&analysis, 0..text.len());
    let mut out = String::new();
    let mut at = 0;
    for hint in &all {
        out.push_str(&text[at..hint.at]);
        out.push_str(&format!("«{}»", hint.label));
        at = hint.at;
    }
    out.push_str(&text[at..]);
    let tooltips: Vec<String> =
        all.iter().filter_map(|h| Some(format!("{}: {}", h.label, h.tooltip.as_ref()?))).collect();
    format!("{out}\n{}", tooltips.join("\n"))
}

#[test]
fn hints_of_a_whole_spec() {
    insta::assert_snapshot!(hinted(WHOLE));
}

#[test]
fn hints_of_small_texts() {
    let cases = [
        // One line: the name says it all.
        "mlspec 1\nmodel M {\n  input x: f32[B, 4]\n  let h = x |> Dense(8) as a |> ReLU\n  output y: f32[B, 2] = h |> Dense(2) as b\n}\n",
        // Nothing is shown twice, nothing of what is broken, and the rest is there.
        "mlspec 1\nmodel M {\n  input x: f32[B, 4]\n  let h = x |> Dence(8) as a\n  let k = x\n    |> Dense(3) as c // 😀\n    |> Tanh\n  output y = k |> Dense(2) as b\n}\n",
        // Several names.
        "mlspec 1\nmodel M {\n  input a: f32[B, 4]\n  input b: f32[B, 3]\n  output y = (a, b)\n    |> concat\n    |> Dense(2) as c\n}\n",
        // Classes that the file counts.
        "mlspec 1\ndata d {\n  source = idx(\"images\")\n}\nmodel M {\n  input image: f32[B, 8, 8]\n  output y = image |> Flatten\n    |> Dense(d.label.classes) as a\n}\n",
        // A size that only the data know is not shown.
        "mlspec 1\ndata d {\n  source = csv(\"nowhere.csv\")\n  a : one_hot\n}\nmodel M {\n  input x: f32[B, d.features]\n  output y = x |> Dense(2) as a\n}\n",
        // What repeats changes.
        "mlspec 1\nmodel M {\n  input x: f32[B, 4]\n  output y = x\n    |> repeat(i in 1..3) Dense(4 * i) as h\n    |> Dense(1) as o\n}\n",
    ];
    let seen: Vec<String> = cases.iter().map(|c| hinted(c)).collect();
    insta::assert_snapshot!(seen.join("\n---\n"));
}

#[test]
fn a_range_has_its_hints_alone() {
    let analysis = analysed(WHOLE);
    let all = hints(&analysis, 0..WHOLE.len());
    let middle = WHOLE.find("model Net").unwrap();
    let (before, after) = (hints(&analysis, 0..middle), hints(&analysis, middle..WHOLE.len()));
    assert!(!before.is_empty() && !after.is_empty());
    assert_eq!([before, after].concat(), all);
}

#[test]
fn lenses_of_a_spec() {
    let analysis = analysed(WHOLE);
    let titles: Vec<String> = lenses(&analysis)
        .iter()
        .map(|l| format!("{}: {}", analysis.sources.slice(l.span), l.title))
        .collect();
    insta::assert_snapshot!(titles.join("\n"));
    let broken = analysed(&WHOLE.replace("Dense(C) as out", "Dense(0) as out"));
    assert!(lenses(&broken).is_empty());
}

#[test]
fn memory_is_that_of_the_plan() {
    let text = WHOLE.replace("city       : impute(most_frequent) |> one_hot(unknown=other)\n", "");
    let analysis = analysed(&text);
    let found: Vec<_> = analysis.diagnostics.iter().map(|d| &d.message).collect();
    let memory = memory(&analysis);
    assert_eq!(memory.len(), 1, "{found:?}");
    assert!(memory[0].1.contains("weights"), "{}", memory[0].1);
    // Sizes that only the data know leave it open.
    assert!(super::super::lens::memory(&analysed(WHOLE)).is_empty());
}
