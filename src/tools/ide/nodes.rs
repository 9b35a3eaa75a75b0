//! The spans of everything in the tree, outer before inner.

use crate::base::Span;
use crate::syntax::ast::*;

/// Calls `visit` for items, entries, types, expressions and names. Where it answers `false`, what lies inside
/// is left out.
pub fn visit(file: &File, visit: &mut dyn FnMut(Span) -> bool) {
    let mut v = Visitor { visit };
    if let Some(header) = &file.header {
        v.see(header.span);
    }
    file.items.iter().for_each(|item| v.item(item));
}

struct Visitor<'v> {
    visit: &'v mut dyn FnMut(Span) -> bool,
}

impl Visitor<'_> {
    fn see(&mut self, span: Span) -> bool {
        (self.visit)(span)
    }

    fn item(&mut self, item: &Item) {
        if !self.see(item.span) {
            return;
        }
        match &item.kind {
            ItemKind::Param { name, ty, value, domain } => {
                self.see(name.span);
                ty.iter().for_each(|ty| self.ty(ty));
                self.expr(value);
                domain.iter().for_each(|domain| self.expr(domain));
            }
            ItemKind::Dim { name, value, .. } => {
                self.see(name.span);
                self.expr(value);
            }
            ItemKind::Op(op) => self.op(op),
            ItemKind::Block(block) => {
                self.see(block.name.span);
                [&block.settings, &block.inputs, &block.outputs].into_iter().for_each(|f| self.fields(f));
                self.entries(&block.body);
            }
            ItemKind::Import { path } => {
                self.see(path.span);
            }
            ItemKind::Section(section) => self.section(section),
            ItemKind::Broken => {}
        }
    }

    fn op(&mut self, op: &Op) {
        self.see(op.name.span);
        self.fields(&op.params);
        match &op.result {
            OpResult::One(ty) => self.ty(ty),
            OpResult::Named(fields) => self.fields(fields),
        }
        match &op.body {
            OpBody::Formula(formula) => self.expr(formula),
            OpBody::Body(entries) => self.entries(entries),
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            if self.see(field.span) {
                self.see(field.name.span);
                self.ty(&field.ty);
                field.default.iter().for_each(|value| self.expr(value));
            }
        }
    }

    fn section(&mut self, section: &Section) {
        self.see(section.word.span);
        section.name.iter().for_each(|name| {
            self.see(name.span);
        });
        if self.see(section.body) {
            self.entries(&section.entries);
        }
    }

    fn entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            if self.see(entry.span) {
                self.entry(entry);
            }
        }
    }

    fn entry(&mut self, entry: &Entry) {
        match &entry.kind {
            EntryKind::Let { names, ty, value } => {
                self.idents(names);
                ty.iter().for_each(|ty| self.ty(ty));
                self.expr(value);
            }
            EntryKind::Input { name, ty } => {
                self.see(name.span);
                self.ty(ty);
            }
            EntryKind::Output { name, ty, value } => {
                self.see(name.span);
                ty.iter().for_each(|ty| self.ty(ty));
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

    fn idents(&mut self, names: &[Ident]) {
        for name in names {
            self.see(name.span);
        }
    }

    fn path(&mut self, path: &Path) {
        if self.see(path.span) {
            self.idents(&path.parts);
        }
    }

    fn ty(&mut self, ty: &Type) {
        if !self.see(ty.span) {
            return;
        }
        self.see(ty.name.span);
        self.args(&ty.args);
        for size in ty.shape.iter().flatten() {
            match size {
                SizeExpr::Size(size) => self.expr(size),
                SizeExpr::Rest(name) => {
                    self.see(name.span);
                }
                SizeExpr::Any(span) => {
                    self.see(*span);
                }
            }
        }
    }

    fn args(&mut self, args: &[Arg]) {
        for arg in args {
            let whole = arg.name.as_ref().map_or(arg.value.span, |name| name.span.to(arg.value.span));
            if self.see(whole) {
                self.idents(arg.name.as_slice());
                self.expr(&arg.value);
            }
        }
    }

    fn expr(&mut self, e: &Expr) {
        if !self.see(e.span) {
            return;
        }
        match &e.kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Percent(_)
            | ExprKind::Bytes(_)
            | ExprKind::Str(_) => {}
            ExprKind::Bool(_) | ExprKind::Name(_) | ExprKind::Broken => {}
            ExprKind::Member(base, member) => {
                self.expr(base);
                self.see(member.span);
            }
            ExprKind::Call { callee, args } => {
                self.expr(callee);
                self.args(args);
            }
            ExprKind::Index { base, items } => {
                self.expr(base);
                items.iter().for_each(|item| self.index(item));
            }
            ExprKind::Neg(inner) | ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::As { stage, path } => {
                self.expr(stage);
                self.path(path);
            }
            ExprKind::By { metric, column } => {
                self.expr(metric);
                self.see(column.span);
            }
            ExprKind::Repeat { var, count, body } => {
                self.idents(var.as_slice());
                self.expr(count);
                self.expr(body);
            }
            ExprKind::Binary { left, right, .. } | ExprKind::Range(left, right) => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Pipe { input, stage } => {
                self.expr(input);
                self.expr(stage);
            }
            ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().for_each(|item| self.expr(item)),
        }
    }

    fn index(&mut self, item: &IndexItem) {
        match item {
            IndexItem::At(at) => self.expr(at),
            IndexItem::Rest(span) => {
                self.see(*span);
            }
            IndexItem::Slice { start, stop, step, span } => {
                if self.see(*span) {
                    [start, stop, step].into_iter().flatten().for_each(|e| self.expr(e));
                }
            }
        }
    }
}
