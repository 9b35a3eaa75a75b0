//! Diagnostics as text for people.
//!
//! It is pure: it gives text and prints nothing. A label may lie in any
//! source; those outside the file of the mistake follow as reports of their own.

use super::window::{Shown, shown};
use super::{Diagnostic, Label, Severity};
use crate::base::{FileId, Sources};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};
use std::fmt;

/// How the report looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Colours and box-drawing characters; otherwise plain ASCII.
    pub color: bool,
    /// Columns to wrap at.
    pub width: usize,
}

impl Default for Look {
    fn default() -> Look {
        Look { color: false, width: 100 }
    }
}

/// The report that people see, without colour: code, reason, their own text with labels, help.
pub fn human(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    human_as(sources, diagnostics, Look::default())
}

/// So many reports are shown; nobody reads more, and each costs a search through the text.
const SHOWN: usize = 100;

/// The report that people see; behind the first hundred it only counts.
pub fn human_as(sources: &Sources, diagnostics: &[Diagnostic], look: Look) -> String {
    let theme = if look.color { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(look.width)
        .with_links(false)
        .with_context_lines(1)
        .without_cause_chain();
    let mut out = String::new();
    for d in diagnostics.iter().take(SHOWN) {
        let report = Report::of(sources, d);
        handler.render_report(&mut out, &report).expect("render: a String takes all text");
        out.push('\n');
    }
    // Lines are padded to the widest where no text follows.
    let shown = out.lines().map(|line| format!("{}\n", line.trim_end()));
    shown.chain(rest(&diagnostics[diagnostics.len().min(SHOWN)..])).collect()
}

/// The last line, if not all is shown.
fn rest(hidden: &[Diagnostic]) -> Option<String> {
    let errors = hidden.iter().filter(|d| d.severity == Severity::Error).count();
    let what = if errors == hidden.len() { "error" } else { "message" };
    match hidden.len() {
        0 => None,
        1 => Some(format!("… and 1 more {what}\n")),
        n => Some(format!("… and {n} more {what}s\n")),
    }
}

/// A diagnostic in one source, as miette wants it.
struct Report {
    code: Option<String>,
    message: String,
    severity: miette::Severity,
    help: Option<String>,
    source: Shown,
    labels: Vec<LabeledSpan>,
    /// The labels in other sources.
    elsewhere: Vec<Report>,
}

impl Report {
    fn of(sources: &Sources, d: &Diagnostic) -> Report {
        let home = d.span().file;
        let mut others: Vec<FileId> = d.labels.iter().map(|l| l.span.file).filter(|f| *f != home).collect();
        others.sort();
        others.dedup();
        let elsewhere = others.into_iter().map(|file| {
            let (source, labels) = shown(sources, file, labels(d, file));
            Report {
                code: None,
                message: format!("in {}", sources.get(file).name),
                severity: miette::Severity::Advice,
                help: None,
                source,
                labels,
                elsewhere: Vec::new(),
            }
        });
        let (source, labels) = shown(sources, home, labels(d, home));
        Report {
            code: Some(format!("mlc::{}", d.code)),
            message: d.message.clone(),
            severity: match d.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
            },
            help: d.help.clone(),
            source,
            labels,
            elsewhere: elsewhere.collect(),
        }
    }
}

/// The labels in `file`; the first of the diagnostic is the primary one.
fn labels(d: &Diagnostic, file: FileId) -> Vec<LabeledSpan> {
    let of = |(i, label): (usize, &Label)| {
        let text = (!label.text.is_empty()).then(|| label.text.clone());
        let range = label.span.range();
        match i {
            0 => LabeledSpan::new_primary_with_span(text, range),
            _ => LabeledSpan::new_with_span(text, range),
        }
    };
    d.labels.iter().enumerate().filter(|(_, l)| l.span.file == file).map(of).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

impl miette::Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        let all = self.elsewhere.iter().map(|r| r as &dyn miette::Diagnostic);
        (!self.elsewhere.is_empty()).then(|| Box::new(all) as Box<dyn Iterator<Item = _>>)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::Span;

    pub(in crate::diag) fn example() -> (Sources, Vec<Diagnostic>) {
        let mut sources = Sources::new();
        let spec = sources.add("digits.mlspec", None, "train {\n  loss = CrossEntropy(Mlp.logits)\n}\n");
        let library = sources.add(
            "std/loss.mlspec",
            None,
            "mlspec 1\n\nop CrossEntropy(x: logits, y: class) -> f32 = x\n",
        );
        let d = Diagnostic::error(
            "call::missing",
            "`CrossEntropy` wants `y`",
            Span::new(spec, 17, 29),
            "called here",
        )
        .label(Span::new(library, 37, 45), "declared here")
        .help("add the labels: `CrossEntropy(Mlp.logits, label)`")
        .fix("add `label`", Span::new(spec, 40, 40), ", label");
        (sources, vec![d])
    }

    #[test]
    fn shows_labels_of_every_file() {
        let (sources, all) = example();
        insta::assert_snapshot!(human(&sources, &all));
    }

    #[test]
    fn a_flood_of_errors_is_counted_and_not_rendered() {
        let (sources, all) = example();
        let flood: Vec<Diagnostic> = all.iter().cycle().take(SHOWN + 2).cloned().collect();
        let shown = human(&sources, &flood);
        assert_eq!(shown.matches("mlc::call::missing").count(), SHOWN);
        assert!(shown.ends_with("… and 2 more errors\n"), "{shown}");
        assert!(!human(&sources, &flood[..SHOWN]).contains("more error"));
    }

    #[test]
    fn colour_only_when_asked() {
        let (sources, all) = example();
        let colored = human_as(&sources, &all, Look { color: true, width: 80 });
        assert!(colored.contains('\u{1b}') && colored.contains('╭'));
        assert!(human(&sources, &all).is_ascii());
    }

    #[test]
    fn empty_text_and_end_of_text_render() {
        let mut sources = Sources::new();
        for text in ["", "a", "a\n", "ä\r\n\tb"] {
            let file = sources.add("x", None, text);
            let d = Diagnostic::error("a::b", "m", Span::new(file, text.len(), text.len()), "here");
            let shown = human(&sources, &[d]);
            assert!(shown.contains("here"), "{text:?}: {shown}");
        }
    }
}
