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

use crate::base::{FileId, Sources, Span};
use crate::diag::{Diagnostic, Diagnostics};
use crate::ops::{Framework, Library, STD};
use crate::sema::facts::Facts;
use crate::sema::{self, DataProbe, DataView, Job, Settings, imports};
use crate::syntax::{self, ast};
use std::borrow::Cow;
use std::path::PathBuf;

/// Everything that checking one text gives.
#[derive(Debug)]
pub struct Analysis {
    /// The spec is [`Analysis::file`]; the library's texts lie behind it.
    pub sources: Sources,
    pub file: FileId,
    /// As written: without variants and overrides.
    pub ast: ast::File,
    /// Items of the files that it imports.
    pub imported: Vec<ast::Item>,
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

    /// The items of the spec and those that it imports.
    pub fn items(&self) -> impl Iterator<Item = &ast::Item> {
        self.ast.items.iter().chain(&self.imported)
    }
}

/// What an editor's next text is likely to share with the last; start with an empty one.
#[derive(Debug, Default)]
pub struct Memo {
    items: syntax::Memo,
    models: sema::Memo,
}

/// Parses and checks a text. `folder` is where paths in it are looked up first; `probe` answers for files.
pub fn analyse(
    name: impl Into<String>,
    folder: Option<PathBuf>,
    text: &str,
    settings: &Settings,
    probe: &dyn DataProbe,
) -> Analysis {
    let check = |sources: &mut Sources, file, ast: &ast::File| {
        sema::check_with_facts(sources, file, ast, settings, probe)
    };
    analysed((name.into(), folder, text), probe, syntax::parse, check)
}

/// The same without settings, quicker for a text that differs little from the one that `memo` was last used for.
pub fn analyse_again(
    name: impl Into<String>,
    folder: Option<PathBuf>,
    text: &str,
    probe: &dyn DataProbe,
    memo: &mut Memo,
) -> Analysis {
    let Memo { items, models } = memo;
    let parse = |sources: &Sources, file| syntax::parse_again(sources, file, items);
    let check = |sources: &mut Sources, _, ast: &ast::File| sema::check_again(sources, ast, probe, models);
    analysed((name.into(), folder, text), probe, parse, check)
}

type Checked = (Option<Job>, Vec<DataView>, Diagnostics, Facts);

fn analysed(
    (name, folder, text): (String, Option<PathBuf>, &str),
    probe: &dyn DataProbe,
    parse: impl FnOnce(&Sources, FileId) -> (ast::File, Diagnostics),
    check: impl FnOnce(&mut Sources, FileId, &ast::File) -> Checked,
) -> Analysis {
    let mut sources = Sources::new();
    let (file, mut diagnostics) = syntax::decode(&mut sources, name, folder, text.as_bytes());
    let mut ast = ast::File::default();
    // Behind a wrong byte every further complaint would be noise.
    if !diagnostics.has_errors() {
        let (parsed, found) = parse(&sources, file);
        ast = parsed;
        diagnostics.extend(found.sorted());
    }
    let framework = sema::framework(&ast);
    let (mut job, mut views, mut facts) = (None, Vec::new(), Facts::default());
    let (whole, found) = imports::imported(&mut sources, file, &ast, probe);
    diagnostics.extend(found.sorted());
    if ast.header.is_some() || !ast.items.is_empty() {
        let (checked, data, found, seen) = check(&mut sources, file, &whole);
        diagnostics.extend(found.sorted());
        (job, views, facts) = (checked, data, seen);
    }
    let imported = match whole {
        Cow::Borrowed(_) => Vec::new(),
        Cow::Owned(whole) => whole.items.into_iter().filter(|item| item.span.file != file).collect(),
    };
    let diagnostics = imports::with_places(file, &ast, diagnostics);
    let job = job.filter(|_| !diagnostics.has_errors());
    let library = library(framework);
    let diagnostics = diagnostics.sorted();
    Analysis { sources, file, ast, imported, framework, library, diagnostics, job, views, facts }
}

/// The library as it lies behind one text: there each formula is parsed once for all checks.
fn library(framework: Framework) -> Library {
    let mut sources = Sources::new();
    sources.add("", None, "");
    Library::std(framework, &mut sources)
}

/// The text of the library that a span of [`Analysis::library`] lies in: its name and all of it.
fn text_of_library(span: Span) -> Option<(&'static str, &'static str)> {
    STD.get(usize::from(span.file.0).checked_sub(1)?).copied()
}
