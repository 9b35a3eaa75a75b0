//! AST and library to graphs: names, sizes, defaults, data columns.
//!
//! [`check`] looks at everything at once: a mistake in one entry poisons what
//! depends on it and nothing else, so that all mistakes of a spec are shown
//! together and none twice. It opens no file; a [`DataProbe`] answers for them.

mod bucket;
mod consts;
mod ctx;
mod data;
mod dims;
mod elsewhere;
pub mod facts;
mod file;
mod generate;
pub mod imports;
pub mod job;
mod keyed;
pub mod keys;
mod memo;
mod model;
mod names;
mod overrides;
mod params;
pub mod pretrained;
mod probe;
mod test_section;
mod train;
pub mod walk;

#[cfg(test)]
mod tests;

pub use data::{ArgumentInfo, ColumnUse, DataView, SourceInfo, generators, source_defaults, sources};
pub use job::Job;
pub use memo::Memo;
pub use model::{FUNCTIONS, Function};
pub use probe::{Blind, DataProbe, ProbeError, Sample, SchemaColumn, SourceSchema};

use crate::base::{Bindings, FileId, Sources, Span};
use crate::diag::Diagnostics;
use crate::ops::Framework;
use crate::syntax::ast;
use facts::{Facts, Recorder};

/// What the command line adds to a spec.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `--set path=value`: path, value, and where `path=value` stands in a source text of its own.
    pub overrides: Vec<(String, String, Span)>,
    /// `--variant name`, and where the name stands.
    pub variant: Option<(String, Span)>,
    /// Sizes that only the data know, once they are read: `iris.species.classes`.
    pub bindings: Bindings,
}

/// The spec with its variant and overrides applied, as [`check`] reads it; what is wrong with them
/// is for `check` to say.
pub fn resolved(sources: &Sources, ast: &ast::File, settings: &Settings) -> ast::File {
    file::prepare(sources, ast, settings, &mut Diagnostics::new()).into_owned()
}

/// The table of defaults that line one chooses; Keras' if it names none that there is, which checking reports.
pub fn framework(ast: &ast::File) -> Framework {
    let word = ast.header.as_ref().and_then(|h| h.defaults.as_ref());
    word.and_then(|word| Framework::parse(&word.name)).unwrap_or(Framework::Keras)
}

/// Checks a parsed spec. The job is there if there is no error, and if every shape that it
/// needs is known: of an `idx` source that cannot be found, a model's input may not tell all.
///
/// The library's texts are added to `sources`, for diagnostics that point into them.
pub fn check(
    sources: &mut Sources,
    file: FileId,
    ast: &ast::File,
    settings: &Settings,
    probe: &dyn DataProbe,
) -> (Option<Job>, Diagnostics) {
    let (job, _, diags) = check_with_data(sources, file, ast, settings, probe);
    (job, diags)
}

/// The same, with everything that was seen on the way.
pub fn check_with_facts(
    sources: &mut Sources,
    file: FileId,
    ast: &ast::File,
    settings: &Settings,
    probe: &dyn DataProbe,
) -> (Option<Job>, Vec<DataView>, Diagnostics, Facts) {
    let facts = Recorder::on();
    let (job, data, diags) = check_recording(sources, file, ast, settings, probe, &facts);
    (job, data, diags, facts.finish().0)
}

/// The same, for a text that differs little from the one that `memo` was last used for; it is file 0, and nothing
/// is set from outside.
pub fn check_again(
    sources: &mut Sources,
    ast: &ast::File,
    probe: &dyn DataProbe,
    memo: &mut Memo,
) -> (Option<Job>, Vec<DataView>, Diagnostics, Facts) {
    if imports::any(ast) || imports::mixed(FileId::default(), ast) {
        // Places in imported files move without a change here.
        *memo = Memo::default();
    }
    let facts = Recorder::again(std::mem::take(memo));
    let settings = Settings::default();
    let (job, data, diags) = check_recording(sources, FileId::default(), ast, &settings, probe, &facts);
    let (seen, kept) = facts.finish();
    *memo = kept;
    (job, data, diags, seen)
}

/// The same, with the data sections as far as they are right, whatever is wrong elsewhere.
pub fn check_with_data(
    sources: &mut Sources,
    file: FileId,
    ast: &ast::File,
    settings: &Settings,
    probe: &dyn DataProbe,
) -> (Option<Job>, Vec<DataView>, Diagnostics) {
    check_recording(sources, file, ast, settings, probe, &Recorder::default())
}

fn check_recording(
    sources: &mut Sources,
    file: FileId,
    ast: &ast::File,
    settings: &Settings,
    probe: &dyn DataProbe,
    facts: &Recorder,
) -> (Option<Job>, Vec<DataView>, Diagnostics) {
    let written = ast;
    let (ast, mut diags) = imports::imported(sources, file, ast, probe);
    let ast = file::prepare(sources, &ast, settings, &mut diags);
    let asked = file::Asked { settings, probe, facts };
    let (mut job, data) = file::check(sources, file, &ast, asked, &mut diags);
    if let Some(job) = job.as_mut().filter(|_| !diags.has_errors()) {
        bucket::lengths(sources, file, &ast, asked, job, &mut diags);
    }
    file::variant_values(sources, file, &ast, settings, probe, &mut diags);
    if has_broken(&ast) {
        // What did not parse may have used it.
        diags = diags.iter().filter(|d| !d.code.ends_with("::unused")).cloned().collect();
    }
    if imports::any(written) {
        diags = imports::with_places(file, written, diags);
    }
    if imports::mixed(file, &ast) {
        facts.only_of(file);
    }
    (job.filter(|_| !diags.has_errors()), data, diags)
}

/// Whether some text of the file did not parse.
fn has_broken(ast: &ast::File) -> bool {
    let entries = |item: &ast::Item| match &item.kind {
        ast::ItemKind::Broken => true,
        ast::ItemKind::Section(section) => broken_entry(&section.entries),
        ast::ItemKind::Block(block) => broken_entry(&block.body),
        ast::ItemKind::Op(op) => match &op.body {
            ast::OpBody::Body(entries) => broken_entry(entries),
            ast::OpBody::Formula(_) => false,
        },
        ast::ItemKind::Param { .. } | ast::ItemKind::Dim { .. } | ast::ItemKind::Import { .. } => false,
    };
    ast.items.iter().any(entries)
}

fn broken_entry(entries: &[ast::Entry]) -> bool {
    entries.iter().any(|e| match &e.kind {
        ast::EntryKind::Broken => true,
        ast::EntryKind::Section(section) => broken_entry(&section.entries),
        ast::EntryKind::Let { .. } | ast::EntryKind::Input { .. } | ast::EntryKind::Output { .. } => false,
        ast::EntryKind::Bind { .. } | ast::EntryKind::Typed { .. } => false,
    })
}
