//! From the tree to [`Use`]s: who means what, by the rules of each section.
//!
//! Rests on the tree, the tables of the library and the columns that the sources were found to have. What stands for
//! nothing is left out; nothing is reported, since checking does that.

use super::uses::{NameKind, Use};
use super::{DataFact, Facts};
use crate::base::Span;
use crate::ops::formula::builtins;
use crate::ops::{self, AttrType, Library, Sig};
use crate::sema::data::{is_generator, is_source};
use crate::sema::keys;
use crate::sema::model::CONCAT;
use crate::syntax::ast::*;
use std::collections::BTreeMap;

/// What a bare name may mean where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A tensor, number, layer or function.
    Value,
    Optimizer,
    Schedule,
    Clip,
    Stop,
    Metric,
    Source,
    Generator,
    /// Behind `name :`.
    How,
    /// In a data section: a column, or what is computed from columns.
    Column,
    /// `bias`, `LayerNorm`, `fc1`
    Weights,
    /// `valid.loss`
    Monitor,
    Activation,
    Initialiser,
    /// A word of the callee's own.
    Choice,
    /// Names that the source is to give its columns.
    Columns,
}

/// What the value of a section's key may name.
pub fn role_of(word: &str, key: &str) -> Role {
    match (word, key) {
        ("data", "source" | "valid" | "test") => Role::Source,
        ("split", "stratify" | "group" | "time") => Role::Column,
        ("data", "allow") => Role::Choice,
        ("train", "optimizer") => Role::Optimizer,
        ("train", "schedule") => Role::Schedule,
        ("train", "clip") => Role::Clip,
        ("train", "stop") => Role::Stop,
        ("train", "metrics") => Role::Metric,
        ("train" | "model", "freeze") | ("groups", "weights") => Role::Weights,
        ("checkpoint", "best") => Role::Monitor,
        _ => Role::Value,
    }
}

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
                    walker.weights.entry(dotted(path)).or_insert(path.span);
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
        let (feeds, rest): (Vec<_>, Vec<_>) = section
            .entries
            .iter()
            .partition(|e| matches!(&e.kind, EntryKind::Section(s) if &*s.word.name == "feed"));
        for entry in feeds {
            let EntryKind::Section(feed) = &entry.kind else { continue };
            self.add(feed.word.span, NameKind::Key, None, Some("train"));
            for entry in &feed.entries {
                if let EntryKind::Bind { path, value } = &entry.kind
                    && let [name] = path.parts.as_slice()
                {
                    self.expr(value, Role::Value);
                    self.local(name, NameKind::Feed);
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
                EntryKind::Section(inner) => self.keyed(inner),
                EntryKind::Input { .. }
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
            EntryKind::Bind { path, value } if dotted(path) == "optimizer" => callee(value),
            _ => None,
        });
        for entry in &groups.entries {
            let EntryKind::Section(group) = &entry.kind else { continue };
            self.made(&group.word, NameKind::Section, Some("groups"));
            for entry in &group.entries {
                let EntryKind::Bind { path, value } = &entry.kind else { continue };
                if dotted(path) == "weights" {
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
        self.add(
            section.word.span,
            NameKind::Key,
            None,
            Some(keys::section_of(&section.word.name).unwrap_or("")),
        );
        self.keys(section);
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
        self.expr(value, role_of(word, &dotted(path)));
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

    /// Looks a name up where tensors and numbers are meant.
    fn value(&mut self, name: &Ident) -> Option<NameKind> {
        let text = &*name.name;
        if let Some((_, kind, span)) = self.locals.iter().rev().find(|(n, ..)| *n == text).copied() {
            self.add(name.span, kind, Some(span), None);
            return Some(kind);
        }
        if let Some(global) = self.globals.get(text).copied() {
            self.add(name.span, global.kind, Some(global.span), None);
            return Some(global.kind);
        }
        let kind = if text == "B" {
            NameKind::Batch
        } else if ops::layer(text).is_some() {
            NameKind::Layer
        } else if ops::loss::find(text).is_some() {
            NameKind::Loss
        } else if self.library.op(text).is_some() || builtins().any(|f| f.name == text) || text == CONCAT {
            NameKind::Function
        } else {
            return None;
        };
        self.add(name.span, kind, None, None);
        Some(kind)
    }

    fn name(&mut self, name: &'a Ident, role: Role) -> Option<NameKind> {
        let text = &*name.name;
        let kind = match role {
            Role::Value => return self.value(name),
            Role::Column => return self.column(name),
            Role::Optimizer => ops::optimizer::find(text).map(|_| NameKind::Optimizer),
            Role::Schedule => {
                let known = ops::schedule::find(text).is_some() || text == ops::plateau::SIG.name;
                known.then_some(NameKind::Schedule)
            }
            Role::Clip => ops::clip::find(text).map(|_| NameKind::Clip),
            Role::Stop => (text == ops::stop::EARLY_STOPPING.name).then_some(NameKind::Stop),
            Role::Metric => ops::metric::find(text).map(|_| NameKind::Metric),
            Role::Source => is_source(text).then_some(NameKind::Source),
            Role::Generator => is_generator(text).then_some(NameKind::Generator),
            Role::How => ops::transform::find(text).map(|_| NameKind::Transform),
            Role::Weights => return self.weights(name.span, text),
            Role::Monitor => {
                Some(if ops::metric::find(text).is_some() { NameKind::Metric } else { NameKind::Choice })
            }
            Role::Activation => return self.value(name),
            Role::Initialiser => ops::init::find(text).map(|_| NameKind::Initialiser),
            Role::Choice => Some(NameKind::Choice),
            Role::Columns => {
                let section = self.section;
                self.add(name.span, NameKind::Column, Some(name.span), section);
                return Some(NameKind::Column);
            }
        };
        match kind {
            Some(kind) => self.add(name.span, kind, None, None),
            // A param may stand where a number or word is wanted.
            None => return self.value(name),
        }
        kind
    }

    /// In a data section columns come first.
    fn column(&mut self, name: &Ident) -> Option<NameKind> {
        let section = self.section.unwrap_or_default();
        let fact = self.data.iter().find(|d| d.name == section).and_then(|d| d.column(&name.name));
        if let Some(fact) = fact {
            let definition = fact.span;
            self.add(name.span, NameKind::Column, definition, Some(section));
            return Some(NameKind::Column);
        }
        self.value(name)
    }

    /// Words that choose weights: a name that `as` gives, a kind of layer, `bias`.
    fn weights(&mut self, span: Span, text: &str) -> Option<NameKind> {
        let named = self.weights.iter().find(|(path, _)| {
            let longer = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.starts_with('.'));
            *path == text || longer(path, text) || longer(text, path)
        });
        let (kind, definition) = match (named, self.globals.get(text)) {
            (Some((_, span)), _) => (NameKind::Weight, Some(*span)),
            (None, Some(global)) => (global.kind, Some(global.span)),
            (None, None) if ops::layer(text).is_some() => (NameKind::Layer, None),
            (None, None) => (NameKind::Weight, None),
        };
        self.add(span, kind, definition, None);
        Some(kind)
    }

    fn expr(&mut self, expr: &'a Expr, role: Role) {
        match &expr.kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Percent(_)
            | ExprKind::Str(_)
            | ExprKind::Bool(_)
            | ExprKind::Broken => {}
            ExprKind::Name(name) => drop(self.name(name, role)),
            ExprKind::Member(base, member) => self.member(expr, base, member, role),
            ExprKind::Call { callee, args } => self.call(callee, args, role),
            ExprKind::Index { base, items } => {
                self.expr(base, role);
                items.iter().for_each(|item| self.index(item));
            }
            ExprKind::Neg(inner) | ExprKind::Paren(inner) => self.expr(inner, role),
            ExprKind::Binary { left, right, .. } | ExprKind::Range(left, right) => {
                self.expr(left, role);
                self.expr(right, role);
            }
            ExprKind::Pipe { input, stage } => {
                self.expr(input, role);
                // A column flows through transforms, or through functions where there is none of that name.
                self.expr(stage, if matches!(role, Role::Column) { Role::How } else { role });
            }
            ExprKind::As { stage, path } => {
                self.expr(stage, role);
                self.add(path.span, NameKind::Weight, Some(path.span), None);
            }
            ExprKind::By { metric, column } => {
                self.expr(metric, role);
                let known = self.data.iter().find_map(|d| Some((&d.name, d.column(&column.name)?)));
                if let Some((data, fact)) = known {
                    self.add(column.span, NameKind::Column, fact.span, Some(data));
                }
            }
            ExprKind::Repeat { var, count, body } => {
                self.expr(count, Role::Value);
                let outer = self.locals.len();
                var.iter().for_each(|v| self.local(v, NameKind::Size));
                self.expr(body, role);
                self.locals.truncate(outer);
            }
            ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().for_each(|e| self.expr(e, role)),
        }
    }

    fn index(&mut self, item: &'a IndexItem) {
        match item {
            IndexItem::At(e) => self.expr(e, Role::Value),
            IndexItem::Slice { start, stop, step, .. } => {
                [start, stop, step].into_iter().flatten().for_each(|e| self.expr(e, Role::Value));
            }
        }
    }

    /// `people.income`, `people.features`, `Mlp.logits`, `wte.weight`, `valid.loss`
    fn member(&mut self, whole: &'a Expr, base: &'a Expr, member: &'a Ident, role: Role) {
        match role {
            Role::Weights => {
                if let Some(text) = whole.dotted() {
                    self.weights(whole.span, &text);
                }
                return;
            }
            Role::Monitor => {
                self.expr(base, Role::Choice);
                self.name(member, Role::Monitor);
                return;
            }
            _ => self.expr(base, Role::Value),
        }
        let owner = match &base.bare().kind {
            ExprKind::Name(name) => name,
            ExprKind::Call { callee, .. } => match callee.as_name() {
                Some(name) => name,
                None => return,
            },
            ExprKind::Member(..) => return self.add(member.span, NameKind::DataSize, None, None),
            _ => return,
        };
        let local = self.locals.iter().any(|(n, ..)| *n == &*owner.name);
        match self.globals.get(&*owner.name).filter(|_| !local).copied() {
            Some(Global { kind: NameKind::Data, .. }) => self.of_data(owner, member),
            Some(Global { kind: NameKind::Model, item: ItemKind::Section(section), .. }) => {
                let output = section.entries.iter().find_map(|e| match &e.kind {
                    EntryKind::Output { name, .. } if name.name == member.name => Some(name.span),
                    _ => None,
                });
                if let Some(span) = output {
                    self.add(member.span, NameKind::Output, Some(span), Some(&owner.name));
                }
            }
            Some(_) => {}
            None if local => self.add(member.span, NameKind::Weight, None, Some(&owner.name)),
            None => {}
        }
    }

    fn of_data(&mut self, owner: &Ident, member: &Ident) {
        let fact = self.data.iter().find(|d| *d.name == *owner.name).and_then(|d| d.column(&member.name));
        let definition = fact.and_then(|c| c.span);
        let kind = match (fact, &*member.name) {
            (None, "features" | "vocab") => NameKind::DataSize,
            _ => NameKind::Column,
        };
        self.add(member.span, kind, definition, Some(&owner.name));
    }

    fn call(&mut self, callee: &'a Expr, args: &'a [Arg], role: Role) {
        let Some(name) = callee.as_name() else {
            self.expr(callee, role);
            args.iter().for_each(|a| self.expr(&a.value, Role::Value));
            return;
        };
        let kind = self.name(name, role);
        let mut place = 0;
        for arg in args {
            let role = match &arg.name {
                Some(word) => {
                    self.argument(word, name, kind);
                    argument_role(name, kind, Slot::Named(&word.name))
                }
                None => {
                    place += 1;
                    argument_role(name, kind, Slot::Place(place - 1))
                }
            };
            self.expr(&arg.value, role);
        }
    }

    /// The name of an argument: of the file's own callee, where that names it.
    fn argument(&mut self, word: &Ident, callee: &Ident, kind: Option<NameKind>) {
        let definition =
            self.globals.get(&*callee.name).and_then(|global| parameter(global.item, &word.name));
        let (kind, span) = match (kind, definition) {
            (Some(NameKind::Model), Some(span)) => (NameKind::Input, Some(span)),
            (_, Some(span)) => (NameKind::Setting, Some(span)),
            (_, None) => (NameKind::Argument, None),
        };
        self.add(word.span, kind, span, Some(&callee.name));
    }
}

/// Which argument of a call.
enum Slot<'s> {
    Named(&'s str),
    Place(usize),
}

/// What an argument's value may be.
fn argument_role(callee: &Ident, kind: Option<NameKind>, slot: Slot) -> Role {
    let Some(kind) = kind else { return Role::Value };
    if let Some(sig) = sig_of(kind, &callee.name) {
        let attr = match slot {
            Slot::Named("no_decay") => return Role::Weights,
            Slot::Named(name) => sig.attrs.iter().find(|a| a.name == name),
            Slot::Place(at) => sig.attrs.get(at),
        };
        return match attr.map(|a| a.ty) {
            Some(AttrType::Activation) => Role::Activation,
            Some(AttrType::Init) => Role::Initialiser,
            Some(AttrType::Metric) => Role::Monitor,
            Some(AttrType::Choice(_) | AttrType::Choices(_) | AttrType::Cell) => Role::Choice,
            Some(
                AttrType::Size { .. }
                | AttrType::Sizes
                | AttrType::Int { .. }
                | AttrType::Float { .. }
                | AttrType::Bool
                | AttrType::Str,
            )
            | None
                if kind == NameKind::Transform =>
            {
                Role::Choice
            }
            Some(_) | None => Role::Value,
        };
    }
    match (kind, slot) {
        (NameKind::Source, Slot::Named("columns")) => Role::Columns,
        (NameKind::Source, Slot::Place(0)) => Role::Generator,
        _ => Role::Value,
    }
}

/// The signature of what the library has under a name.
pub fn sig_of(kind: NameKind, name: &str) -> Option<&'static Sig> {
    match kind {
        NameKind::Layer => ops::layer(name).map(|l| l.sig()),
        NameKind::Metric => ops::metric::find(name).map(|m| &m.sig),
        NameKind::Optimizer => ops::optimizer::find(name).map(|o| &o.sig),
        NameKind::Schedule if name == ops::plateau::SIG.name => Some(&ops::plateau::SIG),
        NameKind::Schedule => ops::schedule::find(name).map(|s| &s.sig),
        NameKind::Clip => ops::clip::find(name).map(|c| &c.sig),
        NameKind::Stop => (name == ops::stop::EARLY_STOPPING.name).then_some(&ops::stop::EARLY_STOPPING),
        NameKind::Initialiser => ops::init::find(name).map(|i| &i.sig),
        NameKind::Transform => ops::transform::find(name).map(|t| &t.sig),
        _ => None,
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

/// Where the file's own callee names a parameter.
fn parameter(item: &ItemKind, wanted: &str) -> Option<Span> {
    let field = |fields: &[Field]| fields.iter().find(|f| &*f.name.name == wanted).map(|f| f.name.span);
    match item {
        ItemKind::Op(op) => field(&op.params),
        ItemKind::Block(block) => field(&block.settings).or_else(|| field(&block.inputs)),
        ItemKind::Section(section) => section.entries.iter().find_map(|e| match &e.kind {
            EntryKind::Input { name, .. } if &*name.name == wanted => Some(name.span),
            _ => None,
        }),
        ItemKind::Param { .. } | ItemKind::Dim { .. } | ItemKind::Import { .. } | ItemKind::Broken => None,
    }
}

fn callee(expr: &Expr) -> Option<&Ident> {
    match &expr.bare().kind {
        ExprKind::Call { callee, .. } => callee.as_name(),
        _ => expr.as_name(),
    }
}

fn dotted(path: &Path) -> String {
    path.parts.iter().map(|p| &*p.name).collect::<Vec<_>>().join(".")
}
