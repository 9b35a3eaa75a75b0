//! Every default of Keras 3 beside that of PyTorch, as a page of documentation.
//!
//! Read from the signatures and the table of `ops::defaults`; a test compares `docs/defaults.md` with it.

use crate::base::Sources;
use crate::ops::defaults::{self, Preset};
use crate::ops::formula::ParamKind;
use crate::ops::{
    self, Attr, Default, Framework, InitSpec, Library, Sig, clip, init, optimizer, plateau, schedule,
};
use std::fmt::Write;

const HEAD: &str = "# Defaults\n\nWhat a setting is when a spec does not say. The table of Keras 3 holds unless line one is\n\
                    `mlspec 1 defaults torch`; `mlc render SPEC` writes all of them into a spec.\n";

/// The page, in Markdown.
pub fn markdown() -> String {
    let mut page = HEAD.to_string();
    let layers: Vec<&Sig> = ops::layers().iter().map(|l| l.sig()).collect();
    section(&mut page, "Layers", &layers);
    section(&mut page, "Optimizers", &optimizer::OPTIMIZERS.iter().map(|o| &o.sig).collect::<Vec<_>>());
    section(
        &mut page,
        "Schedules",
        &schedule::SCHEDULES.iter().map(|s| &s.sig).chain([&plateau::SIG]).collect::<Vec<_>>(),
    );
    section(&mut page, "Clipping", &clip::CLIPS.iter().map(|c| &c.sig).collect::<Vec<_>>());
    section(&mut page, "Initialisers", &init::INITS.iter().map(|i| &i.sig).collect::<Vec<_>>());
    formulas(&mut page);
    page
}

fn head(page: &mut String, title: &str) {
    let _ = write!(page, "\n## {title}\n\n| setting | Keras | PyTorch |\n|---|---|---|\n");
}

fn row(page: &mut String, name: &str, of: impl Fn(Framework) -> String) {
    let (keras, torch) = (of(Framework::Keras), of(Framework::Torch));
    // What both agree on is said once.
    let torch = if torch == keras { String::new() } else { torch };
    let _ = writeln!(page, "| `{name}` | {keras} | {torch} |");
}

fn section(page: &mut String, title: &str, sigs: &[&Sig]) {
    head(page, title);
    for sig in sigs {
        for attr in sig.attrs {
            row(page, &format!("{}.{}", sig.name, attr.name), |framework| default_of(framework, attr));
        }
    }
}

/// A default as it would be written, in a table that says when there is none.
pub(super) fn default_of(framework: Framework, attr: &Attr) -> String {
    match attr.default {
        Default::Required => "must be said".to_string(),
        Default::None => "none".to_string(),
        Default::Int(n) => n.to_string(),
        Default::Float(x) => number(x),
        Default::Bool(x) => x.to_string(),
        Default::Word(word) => word.to_string(),
        Default::Table(key) => preset(framework, key),
    }
}

fn preset(framework: Framework, key: &str) -> String {
    match defaults::preset(framework, key) {
        Some(Preset::Number(x)) => number(*x),
        Some(Preset::Init(spec)) => initialiser(spec),
        Some(Preset::Word(word)) => (*word).to_string(),
        Some(Preset::Required) | None => "must be said".to_string(),
    }
}

/// `0.001`, `1e-7`
pub(super) fn number(x: f64) -> String {
    if x != 0.0 && x.abs() < 1e-3 { format!("{x:e}") } else { x.to_string() }
}

/// By the name that Keras gives it, or by what it draws.
fn initialiser(spec: &InitSpec) -> String {
    let plain = init::INITS.iter().filter(|i| i.sig.attrs.is_empty());
    let named = plain.filter(|i| i.spec(&[]) == *spec).map(|i| i.sig.name).next();
    match (named, spec) {
        (Some(name), _) => name.to_string(),
        (None, InitSpec::Scaled { scale, mode, uniform, truncated }) => {
            let kind = match (uniform, truncated) {
                (true, _) => "uniform",
                (false, true) => "truncated normal",
                (false, false) => "normal",
            };
            let fan = format!("{mode:?}").to_lowercase();
            format!("{kind} of variance {scale:.4} / fan {fan}")
        }
        (None, InitSpec::Fixed(crate::graph::Init::Constant(x))) => number(*x),
        (None, InitSpec::Fixed(init)) => format!("{init:?}"),
    }
}

/// Settings of the functions of the library.
fn formulas(page: &mut String) {
    head(page, "Functions");
    let lib = Library::std(Framework::Keras, &mut Sources::new());
    for op in lib.ops() {
        for param in &op.params {
            let written = param.default.as_ref().map(text);
            // Tensors come in; of those that need not, ones weigh nothing.
            let is_tensor = matches!(param.kind, ParamKind::Tensor(_));
            if is_tensor && written.as_deref().is_none_or(|text| text == "1") {
                continue;
            }
            if written.is_none()
                && defaults::preset(Framework::Keras, &format!("{}.{}", op.name, param.name)).is_none()
            {
                continue;
            }
            row(page, &format!("{}.{}", op.name, param.name), |framework| {
                let tabled = defaults::op_setting(framework, &op.name, &param.name).map(number);
                tabled.or(written.clone()).unwrap_or_else(|| "must be said".to_string())
            });
        }
    }
}

/// A default as the library's text has it.
pub(super) fn text(expr: &crate::syntax::ast::Expr) -> String {
    use crate::syntax::ast::ExprKind;
    match &expr.kind {
        ExprKind::Int(n) => n.to_string(),
        ExprKind::Float(x) => number(*x),
        ExprKind::Bool(x) => x.to_string(),
        ExprKind::Neg(inner) => format!("-{}", text(inner)),
        other => format!("{other:?}"),
    }
}
