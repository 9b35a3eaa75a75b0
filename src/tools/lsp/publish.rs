//! Our diagnostics as the protocol's.
//!
//! The message carries what the first label and the help say, for most editors show nothing else;
//! every further label is related information, so the chain of shapes can be followed by clicks.

use super::document::Document;
use super::place::Lines;
use super::uri;
use crate::base::{FileId, Span};
use crate::diag::{self, Label, Severity};
use crate::tools::ide::Analysis;
use gen_lsp_types::{
    Code, CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag,
    Location, Range,
};
use serde_json::json;
use std::path::Path;

/// What is published of an analysis, in order of place.
pub fn published(document: &Document, analysis: &Analysis) -> Vec<Diagnostic> {
    analysis.diagnostics.iter().map(|d| one(document, analysis, d)).collect()
}

pub fn one(document: &Document, analysis: &Analysis, d: &diag::Diagnostic) -> Diagnostic {
    let shown = d.labels.iter().position(|label| label.span.file == analysis.file);
    let others = d.labels.iter().enumerate().filter(|(i, _)| Some(*i) != shown);
    let further: Vec<_> = others.filter_map(|(_, label)| related(document, analysis, label)).collect();
    Diagnostic {
        range: range(document, analysis.file, d),
        severity: Some(match d.severity {
            Severity::Error => DiagnosticSeverity::Error,
            Severity::Warning => DiagnosticSeverity::Warning,
        }),
        code: Some(Code::String(format!("mlc::{}", d.code))),
        code_description: Some(CodeDescription { href: diag::link(d.code).into() }),
        source: Some("mlc".into()),
        message: message(d).into(),
        tags: d.code.ends_with("::unused").then(|| vec![DiagnosticTag::Unnecessary]),
        related_information: (!further.is_empty()).then_some(further),
        data: d.fix.as_ref().map(|fix| {
            let range = document.lines.range(&document.text, fix.span);
            json!({ "fix": { "title": fix.title, "range": range, "newText": fix.replacement } })
        }),
    }
}

/// What stands in another text, such as the library's, is shown at the head of this one.
fn range(document: &Document, file: FileId, d: &diag::Diagnostic) -> Range {
    let here = d.labels.iter().map(|label| label.span).find(|span| span.file == file);
    here.map_or_else(Range::default, |span| document.lines.range(&document.text, span))
}

fn message(d: &diag::Diagnostic) -> String {
    let mut text = d.message.clone();
    if let Some(label) = d.labels.first().filter(|label| !label.text.is_empty()) {
        text.push_str(&format!("\n{}", label.text));
    }
    if let Some(help) = &d.help {
        text.push_str(&format!("\nhelp: {help}"));
    }
    text
}

/// None of what lies in the library's texts: no editor can open them. Files that the spec imports can be opened.
fn related(document: &Document, analysis: &Analysis, label: &Label) -> Option<DiagnosticRelatedInformation> {
    let location = location(document, analysis, label.span)?;
    Some(DiagnosticRelatedInformation { location, message: label.text.clone() })
}

/// A place in the document, or in a file that it imports.
pub fn location(document: &Document, analysis: &Analysis, span: Span) -> Option<Location> {
    if span.file == analysis.file {
        let range = document.lines.range(&document.text, span);
        return Some(Location { uri: document.uri.clone(), range });
    }
    let source = analysis.sources.get(span.file);
    let name = Path::new(&source.name).file_name()?;
    let path = source.folder.as_ref()?.join(name);
    let lines = Lines::of(&source.text, document.lines.encoding());
    Some(Location { uri: uri::of(&path).into(), range: lines.range(&source.text, span) })
}
