use super::*;
use crate::base::Sources;
use crate::sema::{Blind, Settings, check_with_facts};
use std::fmt::Write;

fn facts(text: &str) -> (Sources, Facts) {
    let mut sources = Sources::new();
    let file = sources.add("test.mlspec", None, text);
    let (ast, _) = crate::syntax::parse(&sources, file);
    let (.., facts) = check_with_facts(&mut sources, file, &ast, &Settings::default(), &Blind);
    (sources, facts)
}

fn place(sources: &Sources, span: Span) -> String {
    let (line, column) = sources.line_col(span);
    format!("{line}:{column}")
}

/// Every name with what it stands for and where that is made.
fn names(text: &str) -> String {
    let (sources, facts) = facts(text);
    let mut out = String::new();
    for one in &facts.uses {
        let text = sources.slice(one.span);
        let _ = write!(out, "{} {text}: {:?}", place(&sources, one.span), one.kind);
        if let Some(owner) = &one.owner {
            let _ = write!(out, " of {owner}");
        }
        if let Some(made) = one.definition {
            let own = made == one.span;
            let _ = write!(
                out,
                "{}",
                if own { ", made here".into() } else { format!(" -> {}", place(&sources, made)) }
            );
        }
        out.push('\n');
    }
    out
}

/// Every type with its text.
fn types(text: &str) -> String {
    let (sources, facts) = facts(text);
    let mut out = String::new();
    for (span, typed) in &facts.types {
        let types: Vec<String> = typed.types.iter().map(ToString::to_string).collect();
        let varies = if typed.varies { " (varies)" } else { "" };
        let text = sources.slice(*span).split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(out, "{text}: {}{varies}", types.join(", "));
    }
    out
}

const SPEC: &str = include_str!("../../../specs/digits.mlspec");

#[test]
fn names_of_a_spec() {
    insta::assert_snapshot!(names(SPEC));
}

#[test]
fn names_of_every_section() {
    insta::assert_snapshot!(names(
        "mlspec 1 defaults torch\nparam n: int = 2\ndim T <= 8\nop twice(x: f32[..s], by: float = 2) -> f32[..s] = by * x\n\
         block L(m: int) (x: f32[B, T]) -> (y: f32[B, T]) {\n  let h = x |> Dense(m) as a\n  output y = h |> Dense(T, \
         init=Normal(std=0.1)) as b |> twice(by=3)\n}\n\
         data d {\n  source = csv(\"x.csv\", columns=[a, c, e])\n  a : impute(median) |> standardize\n  c : class(no, yes)\n  \
         f = a * n\n  split { train = 80%  valid = 20%  stratify = c }\n}\n\
         model M {\n  input row: f32[B, d.features]\n  let fc = Dense(8)\n  output y = row |> fc |> repeat(i in 1..n) \
         Dense(8 * i) as h |> Dense(2) as out\n}\n\
         train {\n  feed { row = d.row  c = d.c }\n  loss = CrossEntropy(M.y, c)\n  optimizer = AdamW(lr=1e-3, \
         no_decay=[bias, h.1])\n  schedule = cosine(warmup=5)\n  metrics = [accuracy, f1(average=macro) by c]\n  stop = \
         EarlyStopping(monitor=valid.loss)\n  groups { head { weights = [out]  lr = 1e-2 } }\n  epochs = n\n}\n\
         variant small { n = 1  train.epochs = 2 }\n"
    ));
}

#[test]
fn types_are_kept_where_something_else_is_wrong() {
    let text = types(
        "mlspec 1\nmodel A {\n  input x: f32[B, 4]\n  let h = x |> Dense(8) as one |> ReLU\n  output y = h |> Dence(3) as two\n  \
         output z = h |> Dense(2) as three\n}\nmodel B2 {\n  input x: f32[B, 4]\n  output y = x |> Flatten |> \n}\ntrain { loss = nothing }\n",
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_body_used_twice_has_the_first_types_and_says_so() {
    let (sources, facts) = facts(
        "mlspec 1\nblock L(n: int) (x: f32[B, w]) -> (y: f32[B, n]) { output y = x |> Dense(n) as fc }\n\
         model M {\n  input x: f32[B, 4]\n  output y = x |> L(8) as a |> L(2) as b\n}\n",
    );
    let (span, stage) = facts.stages.iter().find(|(s, _)| sources.slice(**s).starts_with("Dense")).unwrap();
    assert_eq!((stage.copies, stage.varies), (2, true));
    assert_eq!(stage.weights[0].1.to_string(), "f32[4, 8]");
    assert_eq!(stage.flops(&[("B".into(), 10)].into_iter().collect()), Some(640.0));
    assert_eq!(sources.slice(*span), "Dense(n) as fc");
    let text =
        types("mlspec 1\nmodel M {\n  input x: f32[B, 4]\n  output y = x |> repeat(3) Dense(4) as h\n}\n");
    assert_eq!(text, "x: f32[B, 4]\ny: f32[B, 4]\nx: f32[B, 4]\nx |> repeat(3) Dense(4) as h: f32[B, 4]\n");
}

#[test]
fn nothing_is_noted_unless_asked() {
    let mut sources = Sources::new();
    let file = sources.add("test.mlspec", None, SPEC);
    let (ast, _) = crate::syntax::parse(&sources, file);
    let recorder = Recorder::default();
    let (..) =
        crate::sema::check_recording(&mut sources, file, &ast, &Settings::default(), &Blind, &recorder);
    let facts = recorder.finish().0;
    assert!(facts.types.is_empty() && facts.uses.is_empty() && facts.data.is_empty());
}

#[test]
fn data_are_noted_as_far_as_the_spec_tells() {
    let (_, facts) = facts(
        "mlspec 1\ndata d {\n  source = csv(\"nowhere.csv\", columns=[a, b, c])\n  a : standardize\n  b : class(no, yes)\n  \
         e = a * 2\n}\nmodel M {\n  input row: f32[B, d.features]\n  output y = row |> Dence(1) as out\n}\n",
    );
    let data = facts.data("d").unwrap();
    assert!(!data.found && data.rows.is_none());
    let names: Vec<&str> = data.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "e"]);
    let how = |name: &str| data.column(name).unwrap().how.clone();
    assert_eq!([how("a"), how("c"), how("e")], [Some("standardize".into()), None, Some("a * 2".into())]);
    assert_eq!(data.column("b").unwrap().classes, Some(Dim::from(2)));
    // A size is noted even where the model that names it is wrong.
    assert_eq!(facts.sizes.values().map(Dim::as_const).collect::<Vec<_>>(), [Some(0)]);
}
