//! A user's mistake, as data.
//!
//! One struct holds code, spans, reason and a way out; [`human`] renders it
//! through miette, [`json`], [`sarif`] and [`github`] for tools. Nothing here prints.

mod codes;
mod github;
mod json;
mod render;
mod sarif;
mod short;
mod suggest;
mod window;

pub use codes::{Code, CodeInfo, anchor, codes, explain, link};
pub use github::github;
pub use json::json;
pub use render::{Look, human, human_as};
pub use sarif::sarif;
pub use suggest::did_you_mean;

use crate::base::{Sources, Span};
use std::collections::HashMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// A place in the user's text and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// An edit that a tool may apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    pub title: String,
    pub span: Span,
    pub replacement: String,
}

/// One thing that is wrong, where, why, and what to do about it. Words too long to read are cut in
/// what is said, never in what a [`Fix`] writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `shape::features`; printed `mlc::shape::features`.
    pub code: Code,
    pub severity: Severity,
    /// One sentence with the user's own names in it.
    pub message: String,
    /// The first label is where the mistake stands; others are the causes,
    /// such as the chain of shapes that led to it.
    pub labels: Vec<Label>,
    /// Names an action.
    pub help: Option<String>,
    pub fix: Option<Fix>,
}

/// What was found in one file, for the formats that tools read.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    pub sources: &'a Sources,
    pub diagnostics: &'a [Diagnostic],
}

impl Diagnostic {
    pub fn error(code: Code, message: impl Into<String>, at: Span, label: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: short::words(message),
            labels: vec![Label { span: at, text: short::words(label) }],
            help: None,
            fix: None,
        }
    }

    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: short::words(text) });
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(short::words(help));
        self
    }

    pub fn fix(mut self, title: impl Into<String>, span: Span, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix { title: short::words(title), span, replacement: replacement.into() });
        self
    }

    /// Where the mistake stands.
    pub fn span(&self) -> Span {
        self.labels.first().map_or_else(Span::default, |l| l.span)
    }
}

/// From so many diagnostics on, see [`Diagnostics::is_flood`].
const FLOOD: usize = 200;

/// What the stages found, in the order found; [`Diagnostics::sorted`] for people.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
    /// Indices into `all` by place: only what stands at one place can be the same.
    by_place: HashMap<Span, Vec<usize>>,
}

impl Diagnostics {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn push(&mut self, diagnostic: Diagnostic) {
        let here = self.by_place.entry(diagnostic.span()).or_default();
        if here.iter().all(|i| self.all[*i] != diagnostic) {
            here.push(self.all.len());
            self.all.push(diagnostic);
        }
    }

    pub fn extend(&mut self, others: impl IntoIterator<Item = Diagnostic>) {
        others.into_iter().for_each(|d| self.push(d));
    }

    pub fn has_errors(&self) -> bool {
        self.all.iter().any(|d| d.severity == Severity::Error)
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are so many already that a search for what was meant takes longer than it
    /// helps. Behind the first hundred, reports are not shown to people at all.
    pub fn is_flood(&self) -> bool {
        self.len() >= FLOOD
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.all.iter()
    }

    /// By place in the text, then by code.
    pub fn sorted(mut self) -> Vec<Diagnostic> {
        self.all.sort_by(|a, b| (a.span(), a.code).cmp(&(b.span(), b.code)));
        self.all
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(all: I) -> Self {
        let mut found = Diagnostics::new();
        found.extend(all);
        found
    }
}
