//! The file's names: each made once, none hidden by another, every `param`
//! and `let` used.
//!
//! Works on the tree alone, so that a poisoned value never makes a name look
//! unused.

use super::ctx::{Ctx, Global};
use super::walk;
use crate::base::Span;
use crate::diag::{Diagnostic, Diagnostics};
use crate::syntax::ast::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) type Globals<'a> = BTreeMap<Arc<str>, (Span, Global<'a>)>;

/// Collects what the file names; a second item of one name is an error.
pub(super) fn globals<'a>(file: &'a File, diags: &mut Diagnostics) -> Globals<'a> {
    let mut all = Globals::new();
    for item in &file.items {
        let Some((name, global)) = named(item) else { continue };
        diags.extend(batch(name));
        match all.get(&name.name) {
            // Two ops of one name are the library's to report.
            Some((_, Global::Op)) if matches!(global, Global::Op) => {}
            Some((first, _)) => diags.push(duplicate(name, *first)),
            None => {
                all.insert(name.name.clone(), (name.span, global));
            }
        }
    }
    all
}

fn named(item: &Item) -> Option<(&Ident, Global<'_>)> {
    match &item.kind {
        ItemKind::Param { name, .. } => Some((name, Global::Param)),
        ItemKind::Dim { name, .. } => Some((name, Global::Dim)),
        ItemKind::Op(op) => Some((&op.name, Global::Op)),
        ItemKind::Block(block) => Some((&block.name, Global::Block(block))),
        ItemKind::Section(section) => match &*section.word.name {
            "data" => section.name.as_ref().map(|n| (n, Global::Data)),
            "model" => section.name.as_ref().map(|n| (n, Global::Model(section))),
            _ => None,
        },
        ItemKind::Import { .. } | ItemKind::Broken => None,
    }
}

/// `B` is the batch everywhere: nothing else bears its name.
fn batch(name: &Ident) -> Option<Diagnostic> {
    (&*name.name == "B").then(|| {
        Diagnostic::error("name::shadowed", "`B` is the batch", name.span, "a second meaning")
            .help("choose another name")
    })
}

pub(super) fn duplicate(name: &Ident, first: Span) -> Diagnostic {
    let message = format!("`{}` is named twice", name.name);
    Diagnostic::error("name::twice", message, name.span, "named again")
        .label(first, "first named here")
        .help("rename one of the two")
}

/// Unused params and dims, and the names inside every body.
pub(super) fn check(cx: &Ctx, file: &File) {
    let used = walk::names_in(|f| file.items.iter().for_each(|i| walk::item(i, f)));
    for item in &file.items {
        match &item.kind {
            ItemKind::Param { name, .. } => unused(cx, "param", name, &used),
            ItemKind::Dim { name, .. } => unused(cx, "dim", name, &used),
            ItemKind::Block(block) => block_names(cx, block),
            ItemKind::Section(section) if &*section.word.name == "model" => {
                let mut scope = Scope::default();
                scope.body(cx, &section.entries);
                scope.unused(cx, &walk::names_in(|f| walk::entries(&section.entries, f)));
            }
            // The library checks the names inside ops.
            ItemKind::Op(_) | ItemKind::Section(_) | ItemKind::Import { .. } | ItemKind::Broken => {}
        }
    }
}

fn unused(cx: &Ctx, what: &str, name: &Ident, used: &BTreeSet<&str>) {
    if !used.contains(&*name.name) && !cx.broken_words.contains(&*name.name) {
        let message = format!("{what} `{}` is never used", name.name);
        let diagnostic = Diagnostic::error("name::unused", message, name.span, "made here, read nowhere");
        cx.report(diagnostic.help("use it, or take it out"));
    }
}

fn block_names(cx: &Ctx, block: &Block) {
    let mut scope = Scope::default();
    block.settings.iter().for_each(|s| scope.add(cx, "setting", &s.name));
    block.inputs.iter().for_each(|i| scope.add(cx, "input", &i.name));
    scope.body(cx, &block.body);
    let used = walk::names_in(|f| {
        walk::fields(&block.settings, f);
        walk::fields(&block.inputs, f);
        walk::fields(&block.outputs, f);
        walk::entries(&block.body, f);
    });
    scope.unused(cx, &used);
}

/// The names of one body, in order.
#[derive(Default)]
struct Scope<'a> {
    /// All but outputs, which are used by being outputs.
    names: Vec<(&'static str, &'a Ident)>,
    /// Where each name, outputs too, is made first.
    first: BTreeMap<&'a str, Span>,
}

impl<'a> Scope<'a> {
    fn body(&mut self, cx: &Ctx, entries: &'a [Entry]) {
        for entry in entries {
            match &entry.kind {
                EntryKind::Let { names, .. } => names.iter().for_each(|n| self.add(cx, "let", n)),
                EntryKind::Input { name, .. } => self.add(cx, "input", name),
                EntryKind::Output { name, .. } => self.clash(cx, name),
                EntryKind::Bind { .. }
                | EntryKind::Typed { .. }
                | EntryKind::Section(_)
                | EntryKind::Broken => {}
            }
        }
    }

    fn add(&mut self, cx: &Ctx, what: &'static str, name: &'a Ident) {
        self.clash(cx, name);
        self.names.push((what, name));
    }

    fn clash(&mut self, cx: &Ctx, name: &'a Ident) {
        match self.first.get(&*name.name) {
            Some(first) => cx.report(duplicate(name, *first)),
            None => {
                self.first.insert(&name.name, name.span);
                shadows(cx, name);
            }
        }
    }

    fn unused(&self, cx: &Ctx, used: &BTreeSet<&str>) {
        // `let _ = …` throws away on purpose.
        let named = self.names.iter().filter(|(_, n)| !n.name.starts_with('_'));
        named.for_each(|(what, name)| unused(cx, what, name, used));
    }
}

/// A local name may take over the library's names, never the file's or the batch's.
pub(super) fn shadows(cx: &Ctx, name: &Ident) {
    if let Some(diagnostic) = batch(name) {
        return cx.report(diagnostic);
    }
    if let Some((first, global)) = cx.globals.get(&name.name) {
        let message = format!("`{}` hides the {} of that name", name.name, global.what());
        let diagnostic = Diagnostic::error("name::shadowed", message, name.span, "a second meaning");
        cx.report(diagnostic.label(*first, "the first meaning").help("rename one of the two"));
    }
}
