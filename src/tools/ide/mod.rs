//! What an editor shows beside a spec: pure functions from an [`Analysis`] and a place.
//!
//! Texts and facts go in, results with spans of bytes come out: no protocol, no files, no clocks. Everything
//! works on text that is half typed: what does not parse is missing from the facts, and the rest is there.

pub mod actions;
pub mod callable;
pub mod complete;
mod describe;
pub mod edit;
pub mod folding;
pub mod hints;
pub mod hover;
pub mod lens;
pub mod names;
mod nodes;
mod place;
pub mod selection;
pub mod signature;
pub mod symbols;
pub mod tokens;
mod values;

#[cfg(test)]
mod tests;

use crate::base::{FileId, Sources};
use crate::diag::Diagnostic;
use crate::ops::{Framework, Library};
use crate::sema::facts::Facts;
use crate::sema::{self, DataProbe, DataView, Job, Settings};
use crate::syntax::{self, ast};
use std::path::PathBuf;

/// Everything that checking one text gives.
#[derive(Debug)]
pub struct Analysis {
    /// The spec is [`Analysis::file`]; the library's texts lie behind it.
    pub sources: Sources,
    pub file: FileId,
    /// As written: without variants and overrides.
    pub ast: ast::File,
    /// Whose defaults hold.
    pub framework: Framework,
    /// The library with those defaults, without the spec's own ops.
    pub library: Library,
    /// Sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    /// There if nothing is wrong.
    pub job: Option<Job>,
    /// The data sections as far as they are right.
    pub views: Vec<DataView>,
    pub facts: Facts,
}

impl Analysis {
    pub fn text(&self) -> &str {
        &self.sources.get(self.file).text
    }
}

/// Parses and checks a text. `folder` is where paths in it are looked up first; `probe` answers for files.
pub fn analyse(
    name: impl Into<String>,
    folder: Option<PathBuf>,
    text: &str,
    settings: &Settings,
    probe: &dyn DataProbe,
) -> Analysis {
    let mut sources = Sources::new();
    let (file, mut diagnostics) = syntax::decode(&mut sources, name.into(), folder, text.as_bytes());
    let mut ast = ast::File::default();
    // Behind a wrong byte every further complaint would be noise.
    if !diagnostics.has_errors() {
        let (parsed, found) = syntax::parse(&sources, file);
        ast = parsed;
        diagnostics.extend(found.sorted());
    }
    let framework = framework(&ast);
    let (mut job, mut views, mut facts) = (None, Vec::new(), Facts::default());
    if ast.header.is_some() || !ast.items.is_empty() {
        let (checked, data, found, seen) = sema::check_with_facts(&mut sources, file, &ast, settings, probe);
        diagnostics.extend(found.sorted());
        (job, views, facts) = (checked, data, seen);
    }
    let job = job.filter(|_| !diagnostics.has_errors());
    // The library's texts are in `sources` already, for its diagnostics; it has none now.
    let library = Library::std(framework, &mut Sources::new());
    let diagnostics = diagnostics.sorted();
    Analysis { sources, file, ast, framework, library, diagnostics, job, views, facts }
}

/// The table of defaults that line one chooses.
fn framework(ast: &ast::File) -> Framework {
    let word = ast.header.as_ref().and_then(|h| h.defaults.as_ref());
    word.and_then(|word| Framework::parse(&word.name)).unwrap_or(Framework::Keras)
}
