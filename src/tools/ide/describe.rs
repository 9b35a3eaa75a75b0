//! What is known of a thing, as Markdown: pieces that hover, hints, completion and lenses share.

use super::Analysis;
use super::callable::Callable;
use crate::base::{Bindings, Dim, Sym, TensorType};
use crate::ops::Framework;
use crate::sema::Sample;
use crate::sema::facts::{ColumnFact, DataFact, StageFact};
use std::fmt::Write;

/// `f32[B, 10]`, or `f32[B], f32[B]`.
pub fn types_text(types: &[TensorType]) -> String {
    types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// `1,234,567`
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `512 B`, `1.5 KiB`
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let (mut x, mut at) = (n as f64 / 1024.0, 0);
    while x >= 1024.0 && at + 1 < UNITS.len() {
        x /= 1024.0;
        at += 1;
    }
    format!("{x:.1} {}", UNITS[at])
}

/// How many numbers the weights are; none if a size is not known. Sizes are the user's, so a product may be too
/// large for any number.
pub fn parameters(weights: &[(String, TensorType)]) -> Option<u64> {
    let count = |ty: &TensorType| elements(ty, &Bindings::new());
    weights.iter().try_fold(0_u64, |all, (_, ty)| all.checked_add(count(ty)?))
}

fn elements(ty: &TensorType, bindings: &Bindings) -> Option<u64> {
    let size = |dim: &Dim| dim.bind(bindings).as_const().and_then(|n| u64::try_from(n).ok());
    ty.shape.iter().try_fold(1_u64, |all, dim| all.checked_mul(size(dim)?))
}

/// A batch of one row.
fn one_row() -> Bindings {
    [(Sym::from("B"), 1)].into_iter().collect()
}

/// `f32[B, 64] → f32[B, 10], 650 parameters, 1,280 FLOPs a row`
pub fn stage_line(fact: &StageFact) -> String {
    let mut line = format!("{} → {}", types_text(&fact.inputs), types_text(&fact.outputs));
    if fact.inputs.is_empty() {
        line = types_text(&fact.outputs);
    }
    if let Some(n) = parameters(&fact.weights).filter(|_| !fact.weights.is_empty()) {
        let _ = write!(line, ", {} parameters", grouped(n));
    }
    if let Some(flops) = fact.flops(&one_row()).filter(|flops| *flops > 0.0) {
        let _ = write!(line, ", {} FLOPs a row", whole(flops));
    }
    line
}

/// A count that may be larger than whole numbers go.
fn whole(x: f64) -> String {
    if x < 1e15 { grouped(x as u64) } else { format!("{x:.3e}") }
}

/// What a stage does at its place: shapes, weights, work, memory.
pub fn stage(fact: &StageFact) -> String {
    let mut out = String::new();
    let input = types_text(&fact.inputs);
    let flow = if input.is_empty() { String::new() } else { format!("`{input}` → ") };
    let _ = writeln!(out, "**Here** {flow}`{}`", types_text(&fact.outputs));
    if fact.varies {
        let _ = writeln!(out, "at its first use; others differ");
    } else if fact.copies > 1 {
        let _ = writeln!(out, "in each of {} uses", fact.copies);
    }
    if !fact.weights.is_empty() {
        let _ = writeln!(out, "\n| weight | type | parameters |\n|---|---|---:|");
        for (name, ty) in &fact.weights {
            let count = elements(ty, &Bindings::new()).map_or_else(|| "as the data say".to_string(), grouped);
            let _ = writeln!(out, "| `{name}` | `{ty}` | {count} |");
        }
    }
    let mut notes = Vec::new();
    if let Some(n) = parameters(&fact.weights).filter(|_| !fact.weights.is_empty()) {
        notes.push(format!("{} parameters ({})", grouped(n), bytes(n.saturating_mul(4))));
    }
    if let Some(flops) = fact.flops(&one_row()).filter(|flops| *flops > 0.0) {
        notes.push(format!("{} FLOPs a row", whole(flops)));
    }
    let size = |ty: &TensorType| elements(ty, &one_row())?.checked_mul(ty.dtype.bytes() as u64);
    if let Some(n) = fact.outputs.iter().try_fold(0_u64, |all, ty| all.checked_add(size(ty)?)) {
        notes.push(format!("{} of output a row", bytes(n)));
    }
    if !notes.is_empty() {
        let _ = write!(out, "\n{}", notes.join(" · "));
    }
    out.trim_end().to_string()
}

/// Signature, documentation, formula and parameters.
pub fn callable(analysis: &Analysis, callable: &Callable) -> String {
    let mut out = format!("```mlspec\n{}\n```", callable.signature_lines());
    if !callable.doc.is_empty() {
        let _ = write!(out, "\n\n{}", callable.doc);
    }
    if let Some(equation) = &callable.equation {
        let _ = write!(out, "\n\n```mlspec\n{equation}\n```");
    }
    let other = match analysis.framework {
        Framework::Keras => "PyTorch",
        Framework::Torch => "Keras",
    };
    let mut rows = String::new();
    for parameter in &callable.parameters {
        let elsewhere = parameter.elsewhere.as_ref().map_or(String::new(), |x| format!(" In {other} `{x}`."));
        if parameter.doc.is_empty() && elsewhere.is_empty() {
            continue;
        }
        let _ = write!(rows, "\n- `{}`: {}{elsewhere}", parameter.name, parameter.doc);
    }
    if !rows.is_empty() {
        let _ = write!(out, "\n{rows}");
    }
    out
}

/// What a glance at the source tells of a column, and what the spec makes of it.
pub fn column(analysis: &Analysis, data: &DataFact, column: &ColumnFact) -> String {
    let mut out = format!("`{}.{}`: a column", data.name, column.name);
    if let Some(ty) = &column.ty {
        let _ = write!(out, ", `{ty}` in each row");
    }
    if let Some(how) = &column.how {
        let sign = if column.schema.is_some() { ":" } else { "=" };
        let _ = write!(out, "\n\n```mlspec\n{} {sign} {how}\n```", column.name);
    }
    let mut notes = Vec::new();
    if let Some(schema) = &column.schema {
        match (schema.dtype, schema.sample.as_ref()) {
            (Some(dtype), _) => {
                let shape: Vec<String> = schema.shape.iter().map(ToString::to_string).collect();
                notes.push(format!("In the source `{dtype}[{}]`.", shape.join(", ")));
            }
            (None, Some(sample)) => notes.push(cells(sample)),
            (None, None) => {}
        }
    }
    if let Some(classes) = &column.classes {
        notes.push(format!("{classes} classes."));
    }
    let view = analysis.views.iter().find(|v| v.name == data.name);
    let goes = view.and_then(|v| v.uses.get(&column.name)).map(|u| u.goes.as_slice()).unwrap_or_default();
    if !goes.is_empty() {
        notes.push(format!(
            "Goes to {}.",
            goes.iter().map(|g| format!("`{g}`")).collect::<Vec<_>>().join(", ")
        ));
    }
    if !notes.is_empty() {
        let _ = write!(out, "\n\n{}", notes.join(" "));
    }
    out
}

/// What the cells of the first rows are.
fn cells(sample: &Sample) -> String {
    let kind = match (sample.is_text(), sample.is_numeric(), sample.fractions) {
        (true, ..) => "Text",
        (false, true, 0) => "Whole numbers",
        (false, true, _) => "Numbers",
        (false, false, _) => "Numbers and words",
    };
    let mut out = format!("{kind}: {} distinct values in the first {} rows", sample.distinct, sample.rows);
    if !sample.words.is_empty() {
        let words: Vec<String> = sample.words.iter().map(|w| format!("`{w}`")).collect();
        let more = if sample.distinct > words.len() { ", …" } else { "" };
        let _ = write!(out, " ({}{more})", words.join(", "));
    }
    if sample.missing > 0 {
        let _ = write!(out, ", {} missing", sample.missing);
    }
    out.push('.');
    out
}

/// A data section: its rows and columns.
pub fn data(data: &DataFact) -> String {
    const SHOWN: usize = 24;
    let mut out = match (data.found, data.rows) {
        (false, _) => format!("`{}`: data whose source could not be looked into", data.name),
        (true, Some(rows)) => format!("`{}`: {} rows", data.name, grouped(rows as u64)),
        (true, None) => format!("`{}`: {} columns", data.name, data.columns.len()),
    };
    let _ = write!(out, "\n\n| column | becomes | in the source |\n|---|---|---|");
    for column in data.columns.iter().take(SHOWN) {
        let how = column.how.as_ref().map_or(String::new(), |h| format!("`{}`", h.replace('|', "\\|")));
        let source = column.schema.as_ref().map_or(String::new(), |schema| {
            match (schema.dtype, schema.sample.as_ref()) {
                (Some(dtype), _) => dtype.to_string(),
                (None, Some(sample)) if sample.is_numeric() => "numbers".into(),
                (None, Some(_)) => "text".into(),
                (None, None) => String::new(),
            }
        });
        let _ = write!(out, "\n| `{}` | {how} | {source} |", column.name);
    }
    if data.columns.len() > SHOWN {
        let _ = write!(out, "\n\nand {} more", data.columns.len() - SHOWN);
    }
    out
}
