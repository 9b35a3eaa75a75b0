//! What holds for every row of every table.

use super::bench::{Bench, run};
use mlc::base::Sources;
use mlc::diag::Diagnostics;
use mlc::ops::{self, Attr, AttrType, Framework, Library, Sig};

fn library(framework: Framework) -> Library {
    Library::std(framework, &mut Sources::new())
}

/// The documented example of every op and builtin.
pub fn every_example() -> Vec<String> {
    let lib = library(Framework::Keras);
    let ops = lib.ops().flat_map(|op| op.examples().map(str::to_string));
    ops.chain(ops::formula::builtins().map(|f| f.example.to_string())).collect()
}

/// The documented example of every layer, weights named.
pub fn every_stage() -> Vec<String> {
    ops::layers().iter().map(|l| l.sig().example.to_string()).collect()
}

fn every_sig() -> Vec<&'static Sig> {
    let layers = ops::layers().iter().map(|l| l.sig());
    let optimizers = ops::optimizer::OPTIMIZERS.iter().map(|o| &o.sig);
    let metrics = ops::metric::METRICS.iter().map(|m| &m.sig);
    let schedules = ops::schedule::SCHEDULES.iter().map(|s| &s.sig);
    let clips = ops::clip::CLIPS.iter().map(|c| &c.sig);
    let inits = ops::init::INITS.iter().map(|i| &i.sig);
    layers.chain(optimizers).chain(metrics).chain(schedules).chain(clips).chain(inits).collect()
}

#[test]
fn every_example_runs() {
    for framework in [Framework::Keras, Framework::Torch] {
        for text in every_example().into_iter().chain(every_stage().into_iter().map(|s| format!("x |> {s}")))
        {
            let mut bench = Bench::new([4, 6]);
            bench.framework = framework;
            let graph = bench.build(&text).graph();
            mlc::graph::verify(&graph).unwrap_or_else(|why| panic!("{text}: {why}"));
            let results = run(&graph, &[4, 6], 0.1, 1.9);
            assert!(results.iter().all(|t| t.data.iter().all(|v| v.is_finite())), "{text} gives {results:?}");
        }
    }
}

#[test]
fn every_op_is_documented() {
    for op in library(Framework::Keras).ops() {
        assert!(op.doc.lines().next().is_some_and(|l| l.len() > 20), "{} has no doc", op.name);
        assert!(op.examples().next().is_some(), "{} has no example", op.name);
        assert!(op.examples().all(|e| e.contains(&*op.name)), "{}: its example calls it", op.name);
    }
    for sig in every_sig() {
        assert!(!sig.doc.is_empty() && !sig.example.is_empty(), "{} has no doc", sig.name);
        assert!(sig.example.contains(sig.name), "{}: its example calls it", sig.name);
        assert!(sig.attrs.iter().all(|a| a.doc.ends_with('.')), "{}: each setting has a sentence", sig.name);
    }
    for f in ops::formula::builtins() {
        assert!(f.doc.len() > 8 && f.example.contains(f.name), "{} has no doc", f.name);
    }
}

#[test]
fn the_library_passes_the_check_of_users_ops() {
    for framework in [Framework::Keras, Framework::Torch] {
        let mut diags = Diagnostics::new();
        library(framework).check_all(&mut diags);
        assert!(diags.is_empty(), "{:#?}", diags.sorted());
    }
}

/// A value just outside of the range, as text.
fn outside(attr: &Attr) -> Vec<String> {
    match attr.ty {
        AttrType::Size { min } | AttrType::Pair { min } => vec![(min - 1).to_string()],
        AttrType::Sides => vec!["-1".to_string()],
        AttrType::Int { min, max } => {
            let below = min.checked_sub(1).map(|n| n.to_string());
            below.into_iter().chain(max.checked_add(1).map(|n| n.to_string())).collect()
        }
        AttrType::Float { min, max, open } => {
            let below = (min > f64::MIN).then(|| format!("{:?}", min - 0.01));
            let above = (max < f64::MAX).then(|| format!("{:?}", if open { max } else { max + 0.01 }));
            below.into_iter().chain(above).collect()
        }
        AttrType::Sizes
        | AttrType::Bool
        | AttrType::Choice(_)
        | AttrType::Choices(_)
        | AttrType::Activation
        | AttrType::Init
        | AttrType::Metric
        | AttrType::Str
        | AttrType::Cell
        | AttrType::Layer(_) => Vec::new(),
    }
}

#[test]
fn every_setting_out_of_range_is_a_diagnostic_at_its_span() {
    let mut tried = 0;
    for layer in ops::layers() {
        let sig = layer.sig();
        for attr in sig.attrs {
            for bad in outside(attr) {
                let required =
                    sig.attrs.iter().filter(|a| a.default == ops::Default::Required && a.name != attr.name);
                let others: String = required.map(|a| format!("{}=2, ", a.name)).collect();
                let outcome =
                    Bench::new([4, 6]).build(&format!("x |> {}({others}{}={bad})", sig.name, attr.name));
                assert_eq!(outcome.mistakes(), [("call::range".to_string(), bad.clone())], "{}", sig.name);
                tried += 1;
            }
        }
    }
    assert!(tried >= 6, "only {tried} ranges were tried");
}

#[test]
fn names_and_aliases_are_unique() {
    let schedules: Vec<&Sig> = ops::schedule::SCHEDULES.iter().map(|s| &s.sig).collect();
    let clips: Vec<&Sig> = ops::clip::CLIPS.iter().map(|c| &c.sig).collect();
    // Those two are looked up behind keys of their own, where no other name can stand.
    let apart =
        |s: &&'static Sig| ![&schedules, &clips].iter().any(|t| t.iter().any(|o| std::ptr::eq(*o, *s)));
    let others: Vec<&Sig> = every_sig().into_iter().filter(apart).collect();
    for table in [&others, &schedules, &clips] {
        let mut names: Vec<&str> =
            table.iter().flat_map(|s| s.aliases.iter().copied().chain([s.name])).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }
    let names: Vec<&str> = others.iter().flat_map(|s| s.aliases.iter().copied().chain([s.name])).collect();
    assert!(names.iter().all(|n| !ops::known_later(n)), "a layer that is built is not promised for later");
}

#[test]
fn every_code_of_this_stage_is_explained() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
    let mut folders = vec![root];
    let mut used = std::collections::BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the source tree is readable") {
            let path = entry.expect("the source tree is readable").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("sources are text");
            let quoted = text.split('"').filter(|s| s.contains("::") && !s.contains(char::is_whitespace));
            let codes = quoted.filter(|s| s.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == ':'));
            used.extend(codes.map(str::to_string));
        }
    }
    assert!(used.len() > 30, "the codes are found");
    for code in used.iter().filter(|c| !c.starts_with("later::") && !c.ends_with(':')) {
        let info = mlc::diag::explain(code).unwrap_or_else(|| panic!("{code} is not explained"));
        assert!(info.explain.len() > 40, "{code} says why and what to do");
    }
}
