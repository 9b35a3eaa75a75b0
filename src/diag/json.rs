//! Diagnostics as JSON for tools: one array of plain objects.

use super::{Diagnostic, Fix, Found, Label, Severity};
use crate::base::{Sources, Span};
use serde::Serialize;

/// One array over all files, an object for each diagnostic.
pub fn json(found: &[Found]) -> String {
    let all: Vec<JsonDiagnostic> =
        found.iter().flat_map(|f| f.diagnostics.iter().map(|d| JsonDiagnostic::of(f.sources, d))).collect();
    serde_json::to_string_pretty(&all).expect("json: plain values are JSON")
}

#[derive(Serialize)]
struct JsonDiagnostic<'a> {
    /// Where the mistake stands.
    file: &'a str,
    line: usize,
    column: usize,
    code: String,
    severity: &'static str,
    message: &'a str,
    labels: Vec<JsonLabel<'a>>,
    help: Option<&'a str>,
    fix: Option<JsonFix<'a>>,
}

#[derive(Serialize)]
struct JsonLabel<'a> {
    text: &'a str,
    #[serde(flatten)]
    place: JsonPlace<'a>,
}

#[derive(Serialize)]
struct JsonFix<'a> {
    title: &'a str,
    replacement: &'a str,
    #[serde(flatten)]
    place: JsonPlace<'a>,
}

/// Lines and columns count from 1, columns in characters; `start` and `end` are bytes from 0.
#[derive(Serialize)]
struct JsonPlace<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    start: u32,
    end: u32,
}

impl<'a> JsonDiagnostic<'a> {
    fn of(sources: &'a Sources, d: &'a Diagnostic) -> Self {
        let at = JsonPlace::of(sources, d.span());
        let label = |l: &'a Label| JsonLabel { text: &l.text, place: JsonPlace::of(sources, l.span) };
        let fix = |f: &'a Fix| JsonFix {
            title: &f.title,
            replacement: &f.replacement,
            place: JsonPlace::of(sources, f.span),
        };
        JsonDiagnostic {
            file: at.file,
            line: at.line,
            column: at.column,
            code: format!("mlc::{}", d.code),
            severity: d.severity.word(),
            message: &d.message,
            labels: d.labels.iter().map(label).collect(),
            help: d.help.as_deref(),
            fix: d.fix.as_ref().map(fix),
        }
    }
}

impl<'a> JsonPlace<'a> {
    fn of(sources: &'a Sources, span: Span) -> Self {
        let (line, column) = sources.line_col(span);
        let (end_line, end_column) = sources.line_col(span.end());
        let file = &sources.get(span.file).name;
        JsonPlace { file, line, column, end_line, end_column, start: span.lo, end: span.hi }
    }
}

impl Severity {
    /// As tools write it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::render::tests::example;

    #[test]
    fn json_has_places_as_lines_and_bytes() {
        let (sources, all) = example();
        insta::assert_snapshot!(json(&[Found { sources: &sources, diagnostics: &all }]));
    }

    /// Tens of thousands of errors on one long line: a minute, if each looked through the line.
    #[test]
    fn a_flood_on_one_line_is_quick() {
        let mut sources = Sources::new();
        let file = sources.add("x", None, "ä b ".repeat(50_000));
        let at = |i: usize| Span::new(file, 5 * i, 5 * i + 2);
        let all: Vec<Diagnostic> =
            (0..50_000).map(|i| Diagnostic::error("a::b", "m", at(i), "here")).collect();
        let start = std::time::Instant::now();
        let text = json(&[Found { sources: &sources, diagnostics: &all }]);
        assert!(text.contains("\"column\": 199997"), "the last");
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }
}
