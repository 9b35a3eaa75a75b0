//! Moves a piece of the tree to another place in its text.

use super::ast::*;
use crate::base::Span;

/// By how many bytes all spans of a piece move.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shift(pub i64);

impl Shift {
    fn span(self, span: &mut Span) {
        let moved =
            |at: u32| u32::try_from(i64::from(at) + self.0).expect("shift: a piece stays in its text");
        (span.lo, span.hi) = (moved(span.lo), moved(span.hi));
    }

    pub(super) fn item(self, kind: &mut ItemKind) {
        match kind {
            ItemKind::Param { name, ty, value, domain } => {
                self.ident(name);
                ty.iter_mut().for_each(|ty| self.ty(ty));
                self.expr(value);
                domain.iter_mut().for_each(|domain| self.expr(domain));
            }
            ItemKind::Dim { name, bound: _, value } => {
                self.ident(name);
                self.expr(value);
            }
            ItemKind::Op(op) => self.op(op),
            ItemKind::Block(Block { name, settings, inputs, outputs, body }) => {
                self.ident(name);
                [settings, inputs, outputs].into_iter().for_each(|fields| self.fields(fields));
                self.entries(body);
            }
            ItemKind::Import { path } => self.span(&mut path.span),
            ItemKind::Section(section) => self.section(section),
            ItemKind::Broken => {}
        }
    }

    fn op(self, Op { name, params, result, body }: &mut Op) {
        self.ident(name);
        self.fields(params);
        match result {
            OpResult::One(ty) => self.ty(ty),
            OpResult::Named(fields) => self.fields(fields),
        }
        match body {
            OpBody::Formula(formula) => self.expr(formula),
            OpBody::Body(entries) => self.entries(entries),
        }
    }

    fn ident(self, name: &mut Ident) {
        self.span(&mut name.span);
    }

    fn idents(self, names: &mut [Ident]) {
        names.iter_mut().for_each(|name| self.ident(name));
    }

    fn path(self, path: &mut Path) {
        self.span(&mut path.span);
        self.idents(&mut path.parts);
    }

    fn fields(self, fields: &mut [Field]) {
        for Field { name, ty, default, span } in fields {
            self.ident(name);
            self.ty(ty);
            default.iter_mut().for_each(|default| self.expr(default));
            self.span(span);
        }
    }

    fn section(self, Section { word, name, entries, body, end: _ }: &mut Section) {
        self.ident(word);
        name.iter_mut().for_each(|name| self.ident(name));
        self.span(body);
        self.entries(entries);
    }

    fn entries(self, entries: &mut [Entry]) {
        for Entry { kind, span, doc: _, trivia: _ } in entries {
            self.span(span);
            self.entry(kind);
        }
    }

    fn entry(self, kind: &mut EntryKind) {
        match kind {
            EntryKind::Let { names, ty, value } => {
                self.idents(names);
                ty.iter_mut().for_each(|ty| self.ty(ty));
                self.expr(value);
            }
            EntryKind::Input { name, ty } => {
                self.ident(name);
                self.ty(ty);
            }
            EntryKind::Output { name, ty, value } => {
                self.ident(name);
                ty.iter_mut().for_each(|ty| self.ty(ty));
                self.expr(value);
            }
            EntryKind::Bind { path, value } => {
                self.path(path);
                self.expr(value);
            }
            EntryKind::Typed { names, how } => {
                self.idents(names);
                self.expr(how);
            }
            EntryKind::Section(section) => self.section(section),
            EntryKind::Broken => {}
        }
    }

    fn ty(self, Type { name, args, shape, span }: &mut Type) {
        self.ident(name);
        self.args(args);
        for size in shape.iter_mut().flatten() {
            match size {
                SizeExpr::Size(size) => self.expr(size),
                SizeExpr::Rest(name) => self.ident(name),
                SizeExpr::Any(span) => self.span(span),
            }
        }
        self.span(span);
    }

    fn args(self, args: &mut [Arg]) {
        for Arg { name, value } in args {
            name.iter_mut().for_each(|name| self.ident(name));
            self.expr(value);
        }
    }

    fn expr(self, Expr { kind, span }: &mut Expr) {
        self.span(span);
        match kind {
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Percent(_) | ExprKind::Bytes(_) => {}
            ExprKind::Str(_) | ExprKind::Bool(_) | ExprKind::Broken => {}
            ExprKind::Name(name) => self.ident(name),
            ExprKind::Member(base, member) => {
                self.expr(base);
                self.ident(member);
            }
            ExprKind::Call { callee, args } => {
                self.expr(callee);
                self.args(args);
            }
            ExprKind::Index { base, items } => {
                self.expr(base);
                items.iter_mut().for_each(|item| self.index(item));
            }
            ExprKind::Neg(inner) | ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Binary { op: _, op_span, left, right } => {
                self.span(op_span);
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Pipe { input, stage } => {
                self.expr(input);
                self.expr(stage);
            }
            ExprKind::As { stage, path } => {
                self.expr(stage);
                self.path(path);
            }
            ExprKind::By { metric, column } => {
                self.expr(metric);
                self.ident(column);
            }
            ExprKind::Repeat { var, count, body } => {
                var.iter_mut().for_each(|var| self.ident(var));
                self.expr(count);
                self.expr(body);
            }
            ExprKind::Range(from, to) => {
                self.expr(from);
                self.expr(to);
            }
            ExprKind::List(items) | ExprKind::Tuple(items) => {
                items.iter_mut().for_each(|item| self.expr(item))
            }
        }
    }

    fn index(self, item: &mut IndexItem) {
        match item {
            IndexItem::At(at) => self.expr(at),
            IndexItem::Rest(span) => self.span(span),
            IndexItem::Slice { start, stop, step, span } => {
                [start, stop, step].into_iter().flatten().for_each(|part| self.expr(part));
                self.span(span);
            }
        }
    }
}
