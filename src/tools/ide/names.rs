//! Where a name is made and used, and another name in its place.
//!
//! Rests on the facts' list of names. A rename is only given when it is sound: the new name is free
//! wherever the old one stands, and is one that the language takes. What the caller checks besides
//! is that the renamed text has the same diagnostics ([`same_but_for_names`]).

use super::Analysis;
use super::edit::Edit;
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::sema::facts::{NameKind, Use};
use crate::sema::imports::imported_file;
use crate::syntax::RESERVED;
use crate::syntax::ast::ItemKind;

/// One place where a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    pub span: Span,
    /// Whether the name is made here.
    pub made: bool,
}

/// Where the name at a byte is made, if the file or one that it imports makes it; of an import that file.
pub fn definition(analysis: &Analysis, at: usize) -> Option<Span> {
    if let Some(used) = analysis.facts.use_at(at) {
        return used.definition;
    }
    let path = analysis.ast.items.iter().find_map(|item| match &item.kind {
        ItemKind::Import { path } if path.span.range().contains(&at) => Some(path),
        _ => None,
    })?;
    let file = imported_file(&analysis.sources, analysis.file, path)?;
    Some(Span::new(file, 0, 0))
}

/// Every place of the name at a byte, in order. Of a name that the file does not make, every place where the
/// same thing is meant.
pub fn references(analysis: &Analysis, at: usize) -> Vec<Reference> {
    let Some(here) = analysis.facts.use_at(at) else { return Vec::new() };
    let text = |name: &Use| &analysis.text()[name.span.range()];
    let same = |other: &&Use| match here.definition {
        Some(made) => other.definition == Some(made),
        None => {
            other.definition.is_none()
                && (other.kind, &other.owner) == (here.kind, &here.owner)
                && text(other) == text(here)
        }
    };
    let reference = |name: &Use| Reference { span: name.span, made: name.definition == Some(name.span) };
    analysis.facts.uses.iter().filter(same).map(reference).collect()
}

/// What a rename at a byte would replace: the span of the name there, or why it cannot be.
pub fn renameable(analysis: &Analysis, at: usize) -> Result<Span, String> {
    let Some(here) = analysis.facts.use_at(at) else {
        return Err("there is no name here".into());
    };
    let word = &analysis.text()[here.span.range()];
    if let Some(made) = here.definition {
        if made.file != analysis.file {
            let file = &analysis.sources.get(made.file).name;
            return Err(format!(
                "`{word}` is made in `{file}`, which other specs may import: rename it there"
            ));
        }
        return Ok(here.span);
    }
    Err(match here.kind {
        NameKind::Column => format!("`{word}` is named in the data's file, so only the file can rename it"),
        NameKind::Batch => "`B` is the batch everywhere".into(),
        NameKind::Layer
        | NameKind::Function
        | NameKind::Loss
        | NameKind::Metric
        | NameKind::Optimizer
        | NameKind::Schedule
        | NameKind::Clip
        | NameKind::Stop
        | NameKind::Initialiser
        | NameKind::Source
        | NameKind::Generator
        | NameKind::Transform => format!("`{word}` is the library's"),
        NameKind::Word
        | NameKind::Key
        | NameKind::Type
        | NameKind::Argument
        | NameKind::Choice
        | NameKind::DataSize => {
            format!("`{word}` is a word of the language")
        }
        NameKind::Param
        | NameKind::Dim
        | NameKind::Op
        | NameKind::Block
        | NameKind::Model
        | NameKind::Data
        | NameKind::Variant
        | NameKind::Section
        | NameKind::Let
        | NameKind::Input
        | NameKind::Output
        | NameKind::Setting
        | NameKind::Size
        | NameKind::Weight
        | NameKind::Feed => format!("`{word}` is not made in this file"),
    })
}

/// The edits that give the name at a byte another text, or why that cannot be.
pub fn rename(analysis: &Analysis, at: usize, new: &str) -> Result<Vec<Edit>, String> {
    let old = renameable(analysis, at)?;
    may_be_a_name(new)?;
    if let Some(taken) = taken(analysis, old, new) {
        return Err(taken);
    }
    let edit = |r: Reference| Edit { span: r.span, text: new.to_string() };
    Ok(references(analysis, at).into_iter().map(edit).collect())
}

fn may_be_a_name(new: &str) -> Result<(), String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = new.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    match () {
        () if RESERVED.contains(&new) => Err(format!("`{new}` is a word of the language")),
        () if new == "B" => Err("`B` is the batch everywhere".into()),
        () if new == "_" => Err("`_` means any size".into()),
        () if !starts || !new.chars().all(word) => {
            Err(format!("`{new}` is no name: letters, digits and `_`, and no digit first"))
        }
        () => Ok(()),
    }
}

/// Whether the file makes the new name already, where one could be taken for the other. Weights live apart
/// from all other names.
fn taken(analysis: &Analysis, old: Span, new: &str) -> Option<String> {
    let uses = &analysis.facts.uses;
    let of = |span: Span| uses.iter().find(|u| u.span == span);
    let here = of(old)?;
    let weight = |u: &Use| u.kind == NameKind::Weight;
    let clash = uses.iter().find(|u| {
        let made = u.definition == Some(u.span) && u.definition != here.definition;
        made && weight(u) == weight(here) && u.owner == here.owner && &analysis.text()[u.span.range()] == new
    })?;
    let (line, _) = analysis.sources.line_col(clash.span);
    Some(format!("`{new}` is taken: line {line} makes it"))
}

/// Whether two lists of diagnostics say the same of two texts that differ in names only. Places and
/// messages hold names, so codes are compared, in order.
pub fn same_but_for_names(before: &[Diagnostic], after: &[Diagnostic]) -> bool {
    let codes = |all: &[Diagnostic]| {
        let mut codes: Vec<_> = all.iter().map(|d| (d.code, d.severity)).collect();
        codes.sort();
        codes
    };
    codes(before) == codes(after)
}
