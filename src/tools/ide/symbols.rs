//! The outline of a spec: sections and what they make, as a tree.

use crate::base::Span;
use crate::syntax::ast::*;

/// What a symbol is, for its icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolKind {
    Param,
    Dim,
    Op,
    Block,
    Model,
    Data,
    /// Any other section.
    Section,
    Import,
    Let,
    Input,
    Output,
    /// `key = …`
    Key,
    /// `column : how`
    Column,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Symbol {
    pub name: String,
    /// Its type, word or value, if short.
    pub detail: Option<String>,
    pub kind: SymbolKind,
    /// All of it.
    pub span: Span,
    /// Its name.
    pub at: Span,
    pub children: Vec<Symbol>,
}

pub fn symbols(text: &str, file: &File) -> Vec<Symbol> {
    file.items.iter().filter_map(|one| item(text, one)).collect()
}

fn item(text: &str, item: &Item) -> Option<Symbol> {
    let leaf = |name: &Ident, kind, detail| Symbol {
        name: name.name.to_string(),
        detail,
        kind,
        span: item.span,
        at: name.span,
        children: Vec::new(),
    };
    Some(match &item.kind {
        ItemKind::Param { name, ty, .. } => leaf(name, SymbolKind::Param, typed(text, ty)),
        ItemKind::Dim { name, .. } => leaf(name, SymbolKind::Dim, None),
        ItemKind::Op(op) => Symbol {
            children: match &op.body {
                OpBody::Formula(_) => Vec::new(),
                OpBody::Body(entries) => all(text, entries),
            },
            ..leaf(&op.name, SymbolKind::Op, Some(signature(&[&op.params])))
        },
        ItemKind::Block(block) => Symbol {
            children: all(text, &block.body),
            ..leaf(&block.name, SymbolKind::Block, Some(signature(&[&block.settings, &block.inputs])))
        },
        ItemKind::Import { path } => Symbol {
            name: path.value.clone(),
            detail: Some("import".into()),
            kind: SymbolKind::Import,
            span: item.span,
            at: path.span,
            children: Vec::new(),
        },
        ItemKind::Section(section) => of_section(text, section, item.span),
        ItemKind::Broken => return None,
    })
}

/// `(n, p) (x)`
fn signature(lists: &[&[Field]]) -> String {
    let names = |fields: &&[Field]| {
        let names: Vec<&str> = fields.iter().map(|field| &*field.name.name).collect();
        format!("({})", names.join(", "))
    };
    lists.iter().filter(|fields| !fields.is_empty()).map(names).collect::<Vec<_>>().join(" ")
}

fn of_section(text: &str, section: &Section, span: Span) -> Symbol {
    let (name, detail) = match &section.name {
        Some(name) => (name, Some(section.word.name.to_string())),
        None => (&section.word, None),
    };
    let kind = match &*section.word.name {
        "data" => SymbolKind::Data,
        "model" => SymbolKind::Model,
        _other => SymbolKind::Section,
    };
    Symbol {
        name: name.name.to_string(),
        detail,
        kind,
        span,
        at: name.span,
        children: all(text, &section.entries),
    }
}

fn all(text: &str, entries: &[Entry]) -> Vec<Symbol> {
    entries.iter().flat_map(|one| entry(text, one)).collect()
}

/// Several names on one line are several symbols.
fn entry(text: &str, entry: &Entry) -> Vec<Symbol> {
    let leaf = |name: String, at: Span, kind, detail| Symbol {
        name,
        detail,
        kind,
        span: entry.span,
        at,
        children: Vec::new(),
    };
    let named = |name: &Ident, kind, detail| leaf(name.name.to_string(), name.span, kind, detail);
    match &entry.kind {
        EntryKind::Let { names, ty, .. } => {
            names.iter().map(|name| named(name, SymbolKind::Let, typed(text, ty))).collect()
        }
        EntryKind::Input { name, ty } => vec![named(name, SymbolKind::Input, short(text, ty.span))],
        EntryKind::Output { name, ty, .. } => {
            vec![named(name, SymbolKind::Output, typed(text, ty))]
        }
        EntryKind::Bind { path, value } => {
            vec![leaf(
                text[path.span.range()].to_string(),
                path.span,
                SymbolKind::Key,
                short(text, value.span),
            )]
        }
        EntryKind::Typed { names, how } => {
            names.iter().map(|name| named(name, SymbolKind::Column, short(text, how.span))).collect()
        }
        EntryKind::Section(section) => vec![of_section(text, section, entry.span)],
        EntryKind::Broken => Vec::new(),
    }
}

/// A type as written, if there is one.
fn typed(text: &str, ty: &Option<Type>) -> Option<String> {
    short(text, ty.as_ref()?.span)
}

/// What a span covers, if it is short and on one line.
fn short(text: &str, span: Span) -> Option<String> {
    let text = &text[span.range()];
    (text.chars().count() <= 40 && !text.contains('\n')).then(|| text.to_string())
}
