//! Names in expressions: looked up nearest first, by the role of the place.

use super::{Global, Walker};
use crate::base::Span;
use crate::ops;
use crate::ops::formula::builtins;
use crate::sema::data::{is_generator, is_source};
use crate::sema::facts::role::{Role, Slot, argument_role};
use crate::sema::facts::uses::NameKind;
use crate::sema::model::FUNCTIONS;
use crate::sema::pretrained;
use crate::syntax::ast::*;

impl<'a> Walker<'a> {
    /// Looks a name up where tensors and numbers are meant.
    pub(super) fn value(&mut self, name: &Ident) -> Option<NameKind> {
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
        } else if self.library.op(text).is_some() || is_function(text) {
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
            Role::WeightFile => (text == pretrained::CALL).then_some(NameKind::Source),
            Role::Generator => is_generator(text).then_some(NameKind::Generator),
            Role::How => ops::transform::signature(text).map(|_| NameKind::Transform),
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
    pub(super) fn column(&mut self, name: &Ident) -> Option<NameKind> {
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
    pub(super) fn weights(&mut self, span: Span, text: &str) -> Option<NameKind> {
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

    pub(super) fn expr(&mut self, expr: &'a Expr, role: Role) {
        match &expr.kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Percent(_)
            | ExprKind::Bytes(_)
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
            IndexItem::Rest(_) => {}
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

/// What formulas and models call without a layer.
fn is_function(name: &str) -> bool {
    builtins().any(|f| f.name == name) || FUNCTIONS.iter().any(|f| f.name == name)
}
