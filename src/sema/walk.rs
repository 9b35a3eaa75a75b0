//! Visits every expression below a piece of the tree, outer before inner.

use crate::syntax::ast::*;

/// Called with each expression.
pub type Visit<'v, 'a> = &'v mut dyn FnMut(&'a Expr);

pub fn item<'a>(item: &'a Item, f: Visit<'_, 'a>) {
    match &item.kind {
        ItemKind::Param { ty: t, value, domain, .. } => {
            t.iter().for_each(|t| ty(t, f));
            expr(value, f);
            domain.iter().for_each(|d| expr(d, f));
        }
        ItemKind::Dim { value, .. } => expr(value, f),
        ItemKind::Op(op) => {
            fields(&op.params, f);
            match &op.result {
                OpResult::One(t) => ty(t, f),
                OpResult::Named(results) => fields(results, f),
            }
            match &op.body {
                OpBody::Formula(e) => expr(e, f),
                OpBody::Body(body) => entries(body, f),
            }
        }
        ItemKind::Block(block) => {
            fields(&block.settings, f);
            fields(&block.inputs, f);
            fields(&block.outputs, f);
            entries(&block.body, f);
        }
        ItemKind::Section(section) => entries(&section.entries, f),
        ItemKind::Import { .. } | ItemKind::Broken => {}
    }
}

pub fn entries<'a>(all: &'a [Entry], f: Visit<'_, 'a>) {
    all.iter().for_each(|e| entry(e, f));
}

pub fn entry<'a>(entry: &'a Entry, f: Visit<'_, 'a>) {
    match &entry.kind {
        EntryKind::Let { ty: t, value, .. } | EntryKind::Output { ty: t, value, .. } => {
            t.iter().for_each(|t| ty(t, f));
            expr(value, f);
        }
        EntryKind::Input { ty: t, .. } => ty(t, f),
        EntryKind::Bind { value, .. } => expr(value, f),
        EntryKind::Typed { how, .. } => expr(how, f),
        EntryKind::Section(section) => entries(&section.entries, f),
        EntryKind::Broken => {}
    }
}

pub fn fields<'a>(fields: &'a [Field], f: Visit<'_, 'a>) {
    for field in fields {
        ty(&field.ty, f);
        field.default.iter().for_each(|d| expr(d, f));
    }
}

pub fn ty<'a>(ty: &'a Type, f: Visit<'_, 'a>) {
    ty.args.iter().for_each(|a| expr(&a.value, f));
    for size in ty.shape.iter().flatten() {
        match size {
            SizeExpr::Size(e) => expr(e, f),
            SizeExpr::Rest(_) | SizeExpr::Any(_) => {}
        }
    }
}

pub fn expr<'a>(e: &'a Expr, f: Visit<'_, 'a>) {
    f(e);
    match &e.kind {
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Percent(_)
        | ExprKind::Bytes(_)
        | ExprKind::Str(_)
        | ExprKind::Bool(_)
        | ExprKind::Name(_)
        | ExprKind::Broken => {}
        ExprKind::Member(base, _) => expr(base, f),
        ExprKind::Call { callee, args } => {
            expr(callee, f);
            args.iter().for_each(|a| expr(&a.value, f));
        }
        ExprKind::Index { base, items } => {
            expr(base, f);
            for item in items {
                match item {
                    IndexItem::At(at) => expr(at, f),
                    IndexItem::Rest(_) => {}
                    IndexItem::Slice { start, stop, step, .. } => {
                        [start, stop, step].into_iter().flatten().for_each(|e| expr(e, f));
                    }
                }
            }
        }
        ExprKind::Neg(inner) | ExprKind::Paren(inner) => expr(inner, f),
        ExprKind::As { stage: inner, .. } | ExprKind::By { metric: inner, .. } => expr(inner, f),
        ExprKind::Binary { left, right, .. } => {
            expr(left, f);
            expr(right, f);
        }
        ExprKind::Pipe { input, stage } => {
            expr(input, f);
            expr(stage, f);
        }
        ExprKind::Repeat { count, body, .. } => {
            expr(count, f);
            expr(body, f);
        }
        ExprKind::Range(from, to) => {
            expr(from, f);
            expr(to, f);
        }
        ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().for_each(|i| expr(i, f)),
    }
}

/// Every name that the visited expressions look up.
pub(super) fn names_in<'a>(visit: impl FnOnce(Visit<'_, 'a>)) -> std::collections::BTreeSet<&'a str> {
    let mut names = std::collections::BTreeSet::new();
    visit(&mut |e| {
        if let ExprKind::Name(name) | ExprKind::By { column: name, .. } = &e.kind {
            names.insert(&*name.name);
        }
    });
    names
}
