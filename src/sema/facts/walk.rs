//! From the tree to [`Use`]s: who means what, by the rules of each section.
//!
//! Rests on the tree, the tables of the library and the columns that the sources were found to have. What stands for
//! nothing is left out; nothing is reported, since checking does that.

mod value;

use super::role::{Role, role_of};
use super::uses::{NameKind, Use};
use super::{DataFact, Facts};
use crate::base::Span;
use crate::ops::Library;
use crate::sema::data::is_source;
use crate::sema::keys;
use crate::syntax::ast::*;
use std::collections::BTreeMap;

/// A name of the file.
#[derive(Clone, Copy)]
struct Global<'a> {
    kind: NameKind,
    span: Span,
    item: &'a ItemKind,
}

pub(super) struct Walker<'a> {
    globals: BTreeMap<&'a str, Global<'a>>,
    weights: BTreeMap<String, Span>,
    library: &'a Library,
    data: &'a [DataFact],
    locals: Vec<(&'a str, NameKind, Span)>,
    /// The data section at hand.
    section: Option<&'a str>,
    uses: Vec<Use>,
}

impl<'a> Walker<'a> {
    pub fn new(file: &'a File, library: &'a Library, seen: &'a Facts) -> Walker<'a> {
        let mut walker = Walker {
            globals: BTreeMap::new(),
            weights: BTreeMap::new(),
            library,
            data: &seen.data,
            locals: Vec::new(),
            section: None,
            uses: Vec::new(),
        };
        file.items.iter().filter_map(global).for_each(|(name, global)| {
            walker.globals.entry(name).or_insert(global);
        });
        for item in &file.items {
            crate::sema::walk::item(item, &mut |expr| {
                if let ExprKind::As { path, .. } = &expr.kind {
                    walker.weights.entry(path.dotted()).or_insert(path.span);
                }
            });
        }
        walker
    }

    /// All uses, in order of place.
    pub fn run(mut self, file: &'a File) -> Vec<Use> {
        if let Some(word) = file.header.as_ref().and_then(|h| h.defaults.as_ref()) {
            self.add(word.span, NameKind::Choice, None, Some("defaults"));
        }
        for item in &file.items {
            self.locals.clear();
            self.section = None;
            self.item(item);
        }
        // What an override says stands in a text of its own.
        self.uses.retain(|u| u.span.file == file.span.file);
        self.uses.sort_by_key(|u| u.span);
        self.uses.dedup_by_key(|u| u.span);
        self.uses
    }

    fn add(&mut self, span: Span, kind: NameKind, definition: Option<Span>, owner: Option<&str>) {
        self.uses.push(Use { span, kind, definition, owner: owner.map(str::to_string) });
    }

    /// A name where it is made.
    fn made(&mut self, name: &Ident, kind: NameKind, owner: Option<&str>) {
        self.add(name.span, kind, Some(name.span), owner);
    }

    fn local(&mut self, name: &'a Ident, kind: NameKind) {
        self.made(name, kind, None);
        self.locals.push((&name.name, kind, name.span));
    }

    fn item(&mut self, item: &'a Item) {
        match &item.kind {
            ItemKind::Param { name, ty, value, domain } => {
                self.made(name, NameKind::Param, None);
                ty.iter().for_each(|ty| self.ty(ty));
                self.expr(value, Role::Value);
                domain.iter().for_each(|d| self.expr(d, Role::Value));
            }
            ItemKind::Dim { name, value, .. } => {
                self.made(name, NameKind::Dim, None);
                self.expr(value, Role::Value);
            }
            ItemKind::Op(op) => {
                self.made(&op.name, NameKind::Op, None);
                op.params.iter().for_each(|f| self.field(f, NameKind::Setting));
                match &op.result {
                    OpResult::One(ty) => self.ty(ty),
                    OpResult::Named(fields) => fields.iter().for_each(|f| self.ty(&f.ty)),
                }
                match &op.body {
                    OpBody::Formula(e) => self.expr(e, Role::Value),
                    OpBody::Body(body) => self.body(body),
                }
            }
            ItemKind::Block(block) => {
                self.made(&block.name, NameKind::Block, None);
                block.settings.iter().for_each(|f| self.field(f, NameKind::Setting));
                block.inputs.iter().for_each(|f| self.field(f, NameKind::Input));
                for field in &block.outputs {
                    self.made(&field.name, NameKind::Output, Some(&block.name.name));
                    self.ty(&field.ty);
                }
                self.body(&block.body);
            }
            ItemKind::Section(section) => self.section(section),
            ItemKind::Import { .. } | ItemKind::Broken => {}
        }
    }

    fn field(&mut self, field: &'a Field, kind: NameKind) {
        self.local(&field.name, kind);
        self.ty(&field.ty);
        field.default.iter().for_each(|d| self.expr(d, Role::Value));
    }

    /// `let`, `output` and what else a body has.
    fn body(&mut self, entries: &'a [Entry]) {
        for entry in entries {
            match &entry.kind {
                EntryKind::Let { names, ty, value } => {
                    ty.iter().for_each(|ty| self.ty(ty));
                    self.expr(value, Role::Value);
                    names.iter().for_each(|n| self.local(n, NameKind::Let));
                }
                EntryKind::Input { name, ty } => {
                    self.local(name, NameKind::Input);
                    self.ty(ty);
                }
                EntryKind::Output { name, ty, value } => {
                    ty.iter().for_each(|ty| self.ty(ty));
                    self.expr(value, Role::Value);
                    self.local(name, NameKind::Output);
                }
                EntryKind::Bind { path, value } => self.key("model", path, value),
                EntryKind::Typed { how, .. } => self.expr(how, Role::How),
                EntryKind::Section(inner) => self.keyed(inner),
                EntryKind::Broken => {}
            }
        }
    }

    fn section(&mut self, section: &'a Section) {
        let word = &*section.word.name;
        self.add(section.word.span, NameKind::Word, None, None);
        let kind = match word {
            "data" => NameKind::Data,
            "model" => NameKind::Model,
            "variant" => NameKind::Variant,
            _ => NameKind::Section,
        };
        if let Some(name) = &section.name {
            self.made(name, kind, None);
        }
        match word {
            "data" => self.data(section),
            "model" => self.body(&section.entries),
            "variant" => section.entries.iter().for_each(|e| self.variant(e)),
            "train" => self.train(section),
            _ => self.keys(section),
        }
    }

    /// Columns changed in their places.
    fn augment(&mut self, section: &'a Section) {
        self.inner_word(&section.word);
        for entry in &section.entries {
            if let EntryKind::Bind { path, value } = &entry.kind {
                for name in &path.parts {
                    self.column(name);
                }
                self.expr(value, Role::Column);
            }
        }
    }

    fn data(&mut self, section: &'a Section) {
        let name = section.name.as_ref().map_or("", |n| &*n.name);
        self.section = Some(name);
        for entry in &section.entries {
            match &entry.kind {
                EntryKind::Bind { path, value } => match path.parts.as_slice() {
                    [key] if keys::find("data", &key.name).is_none() => {
                        let source = matches!(&value.bare().kind, ExprKind::Call { callee, .. }
                            if callee.as_name().is_some_and(|n| is_source(&n.name)));
                        self.expr(value, if source { Role::Source } else { Role::Column });
                        self.made(key, NameKind::Column, Some(name));
                    }
                    _ => self.key("data", path, value),
                },
                EntryKind::Typed { names, how } => {
                    names.iter().for_each(|n| self.made(n, NameKind::Column, Some(name)));
                    self.expr(how, Role::How);
                }
                EntryKind::Section(inner) if &*inner.word.name == "augment" => self.augment(inner),
                EntryKind::Section(inner) => self.keyed(inner),
                EntryKind::Let { .. }
                | EntryKind::Input { .. }
                | EntryKind::Output { .. }
                | EntryKind::Broken => {}
            }
        }
    }

    fn train(&mut self, section: &'a Section) {
        // What is fed is in reach of the whole section, wherever it stands.
        let (feeds, rest): (Vec<_>, Vec<_>) = section.entries.iter().partition(
            |e| matches!(&e.kind, EntryKind::Section(s) if matches!(&*s.word.name, "feed" | "draw")),
        );
        for entry in feeds {
            let EntryKind::Section(feed) = &entry.kind else { continue };
            self.add(feed.word.span, NameKind::Key, None, Some("train"));
            for entry in &feed.entries {
                if let EntryKind::Bind { path, value } = &entry.kind
                    && let [name] = path.parts.as_slice()
                {
                    self.expr(value, Role::Value);
                    let kind = if &*feed.word.name == "draw" { NameKind::Let } else { NameKind::Feed };
                    self.local(name, kind);
                }
            }
        }
        for entry in rest {
            match &entry.kind {
                EntryKind::Let { names, value, .. } => {
                    self.expr(value, Role::Value);
                    names.iter().for_each(|n| self.local(n, NameKind::Let));
                }
                EntryKind::Bind { path, value } => self.key("train", path, value),
                EntryKind::Section(inner) if &*inner.word.name == "groups" => self.groups(inner, section),
                EntryKind::Section(inner) if &*inner.word.name == "step" => self.step(inner),
                EntryKind::Section(inner) => self.keyed(inner),
                EntryKind::Input { .. }
                | EntryKind::Output { .. }
                | EntryKind::Typed { .. }
                | EntryKind::Broken => {}
            }
        }
    }

    /// `step critic { updates = D … }`
    fn step(&mut self, step: &'a Section) {
        self.add(step.word.span, NameKind::Key, None, Some("train"));
        if let Some(name) = &step.name {
            self.made(name, NameKind::Section, Some("step"));
        }
        for entry in &step.entries {
            match &entry.kind {
                EntryKind::Bind { path, value } => self.key("step", path, value),
                EntryKind::Section(inner) if &*inner.word.name == "groups" => self.groups(inner, step),
                EntryKind::Section(inner) => self.keyed(inner),
                EntryKind::Let { .. }
                | EntryKind::Input { .. }
                | EntryKind::Output { .. }
                | EntryKind::Typed { .. }
                | EntryKind::Broken => {}
            }
        }
    }

    /// `groups { head { weights = [fc2]  lr = 1e-2 } }`: settings are the optimizer's.
    fn groups(&mut self, groups: &'a Section, train: &'a Section) {
        self.add(groups.word.span, NameKind::Key, None, Some("train"));
        let optimizer = train.entries.iter().find_map(|e| match &e.kind {
            EntryKind::Bind { path, value } if path.dotted() == "optimizer" => callee(value),
            _ => None,
        });
        for entry in &groups.entries {
            let EntryKind::Section(group) = &entry.kind else { continue };
            self.made(&group.word, NameKind::Section, Some("groups"));
            for entry in &group.entries {
                let EntryKind::Bind { path, value } = &entry.kind else { continue };
                if path.dotted() == "weights" {
                    self.add(path.span, NameKind::Key, None, Some("groups"));
                    self.expr(value, Role::Weights);
                } else {
                    self.add(path.span, NameKind::Argument, None, optimizer.map(|o| &*o.name));
                    self.expr(value, Role::Value);
                }
            }
        }
    }

    /// `split { … }`, `checkpoint { … }`: a key, and keys in it.
    fn keyed(&mut self, section: &'a Section) {
        self.inner_word(&section.word);
        self.keys(section);
    }

    /// The word of a section inside of another.
    fn inner_word(&mut self, word: &Ident) {
        let outer = keys::section_of(&word.name).unwrap_or("");
        self.add(word.span, NameKind::Key, None, Some(outer));
    }

    fn keys(&mut self, section: &'a Section) {
        for entry in &section.entries {
            match &entry.kind {
                EntryKind::Bind { path, value } => self.key(&section.word.name, path, value),
                EntryKind::Section(inner) => self.keyed(inner),
                EntryKind::Let { value, .. } => self.expr(value, Role::Value),
                EntryKind::Input { .. }
                | EntryKind::Output { .. }
                | EntryKind::Typed { .. }
                | EntryKind::Broken => {}
            }
        }
    }

    fn key(&mut self, word: &str, path: &Path, value: &'a Expr) {
        if let [key] = path.parts.as_slice() {
            self.add(key.span, NameKind::Key, None, Some(word));
        }
        self.expr(value, role_of(word, &path.dotted()));
    }

    /// `hidden = 32`, `train.epochs = 3`
    fn variant(&mut self, entry: &'a Entry) {
        let EntryKind::Bind { path, value } = &entry.kind else { return };
        let mut word = None;
        for (at, part) in path.parts.iter().enumerate() {
            match (at, self.globals.get(&*part.name).copied(), word) {
                (0, Some(global), _) => {
                    self.add(part.span, global.kind, Some(global.span), None);
                    word = Some("data");
                }
                (0, None, _) => {
                    self.add(part.span, NameKind::Word, None, None);
                    word = Some("train");
                }
                (1, _, Some(word)) => self.add(part.span, NameKind::Key, None, Some(word)),
                _ => {}
            }
        }
        self.expr(value, Role::Value);
    }

    fn ty(&mut self, ty: &'a Type) {
        self.add(ty.name.span, NameKind::Type, None, None);
        ty.args.iter().for_each(|a| self.expr(&a.value, Role::Value));
        for size in ty.shape.iter().flatten() {
            match size {
                SizeExpr::Size(e) => match e.as_name() {
                    Some(name) => self.size(name),
                    None => self.expr(e, Role::Value),
                },
                SizeExpr::Rest(name) => self.size(name),
                SizeExpr::Any(_) => {}
            }
        }
    }

    /// A size that a type names: of the file, or bound by the signature that it stands in.
    fn size(&mut self, name: &'a Ident) {
        if self.value(name).is_none() {
            self.local(name, NameKind::Size);
        }
    }
}

fn global(item: &Item) -> Option<(&str, Global<'_>)> {
    let (name, kind) = match &item.kind {
        ItemKind::Param { name, .. } => (name, NameKind::Param),
        ItemKind::Dim { name, .. } => (name, NameKind::Dim),
        ItemKind::Op(op) => (&op.name, NameKind::Op),
        ItemKind::Block(block) => (&block.name, NameKind::Block),
        ItemKind::Section(section) => match &*section.word.name {
            "data" => (section.name.as_ref()?, NameKind::Data),
            "model" => (section.name.as_ref()?, NameKind::Model),
            _ => return None,
        },
        ItemKind::Import { .. } | ItemKind::Broken => return None,
    };
    Some((&name.name, Global { kind, span: name.span, item: &item.kind }))
}

fn callee(expr: &Expr) -> Option<&Ident> {
    match &expr.bare().kind {
        ExprKind::Call { callee, .. } => callee.as_name(),
        _ => expr.as_name(),
    }
}
