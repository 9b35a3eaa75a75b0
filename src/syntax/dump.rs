//! The AST as an indented outline: what `mlc dump --stage ast` shows.
//!
//! One node a line, without spans and comments: two texts that say the same
//! have the same dump. Expressions are written as nested calls of their
//! operators, `(+ a (* b c))`, so that precedence can be seen.

use super::ast::*;
use super::format::flat;
use std::fmt::Write as _;

pub fn dump(file: &File) -> String {
    let mut d = Dump { out: String::new(), depth: 0 };
    if let Some(header) = &file.header {
        let defaults = header.defaults.as_ref().map_or(String::new(), |n| format!(" defaults {}", n.name));
        d.line(&format!("mlspec {}{defaults}", header.version.0));
    }
    file.items.iter().for_each(|item| d.item(item));
    d.out
}

struct Dump {
    out: String,
    depth: usize,
}

impl Dump {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{}{text}", "  ".repeat(self.depth));
    }

    fn nested(&mut self, inside: impl FnOnce(&mut Self)) {
        self.depth += 1;
        inside(self);
        self.depth -= 1;
    }

    fn item(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::Param { name, ty, value, domain } => {
                let domain = domain.as_ref().map_or(String::new(), |d| format!(" in {}", expr(d)));
                self.line(&format!("param {}{} = {}{domain}", name.name, typed(ty), expr(value)));
            }
            ItemKind::Dim { name, bound, value } => {
                let sign = match bound {
                    DimBound::AtMost => "<=",
                    DimBound::Exactly => "=",
                };
                self.line(&format!("dim {} {sign} {}", name.name, expr(value)));
            }
            ItemKind::Import { path } => self.line(&format!("import {:?}", path.value)),
            ItemKind::Op(op) => self.op(op),
            ItemKind::Block(block) => {
                self.line(&format!("block {}", block.name.name));
                self.nested(|d| {
                    d.fields("setting", &block.settings);
                    d.fields("in", &block.inputs);
                    d.fields("out", &block.outputs);
                    d.entries(&block.body);
                });
            }
            ItemKind::Section(section) => self.section(section),
            ItemKind::Broken => self.line("broken item"),
        }
        if let Some(doc) = &item.doc {
            self.nested(|d| d.line(&format!("doc {doc:?}")));
        }
    }

    fn op(&mut self, op: &Op) {
        self.line(&format!("op {}", op.name.name));
        self.nested(|d| {
            d.fields("in", &op.params);
            match &op.result {
                OpResult::One(ty) => d.line(&format!("out {}", flat::ty(ty))),
                OpResult::Named(fields) => d.fields("out", fields),
            }
            match &op.body {
                OpBody::Formula(formula) => d.line(&format!("= {}", expr(formula))),
                OpBody::Body(entries) => d.entries(entries),
            }
        });
    }

    fn fields(&mut self, what: &str, fields: &[Field]) {
        for f in fields {
            let default = f.default.as_ref().map_or(String::new(), |e| format!(" = {}", expr(e)));
            self.line(&format!("{what} {}: {}{default}", f.name.name, flat::ty(&f.ty)));
        }
    }

    fn section(&mut self, section: &Section) {
        self.line(&format!("section {}", flat::head(section)));
        self.nested(|d| d.entries(&section.entries));
    }

    fn entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            match &entry.kind {
                EntryKind::Let { names, ty, value } => {
                    self.line(&format!("let {}{} = {}", flat::idents(names), typed(ty), expr(value)));
                }
                EntryKind::Input { name, ty } => self.line(&format!("input {}: {}", name.name, flat::ty(ty))),
                EntryKind::Output { name, ty, value } => {
                    self.line(&format!("output {}{} = {}", name.name, typed(ty), expr(value)));
                }
                EntryKind::Bind { path, value } => {
                    self.line(&format!("bind {} = {}", path.dotted(), expr(value)));
                }
                EntryKind::Typed { names, how } => {
                    self.line(&format!("typed {} : {}", flat::idents(names), expr(how)));
                }
                EntryKind::Section(section) => self.section(section),
                EntryKind::Broken => self.line("broken entry"),
            }
            if let Some(doc) = &entry.doc {
                self.nested(|d| d.line(&format!("doc {doc:?}")));
            }
        }
    }
}

fn typed(ty: &Option<Type>) -> String {
    ty.as_ref().map_or(String::new(), |t| format!(": {}", flat::ty(t)))
}

fn exprs(items: &[Expr]) -> String {
    items.iter().map(|e| format!(" {}", expr(e))).collect()
}

fn expr(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Percent(_) => flat::expr(e),
        ExprKind::Bytes(_) | ExprKind::Str(_) | ExprKind::Bool(_) | ExprKind::Name(_) => flat::expr(e),
        ExprKind::Member(base, name) => format!("(. {} {})", expr(base), name.name),
        ExprKind::Call { callee, args } => {
            let arg = |a: &Arg| match &a.name {
                Some(name) => format!(" {}={}", name.name, expr(&a.value)),
                None => format!(" {}", expr(&a.value)),
            };
            format!("(call {}{})", expr(callee), args.iter().map(arg).collect::<String>())
        }
        ExprKind::Index { base, items } => {
            let item = |i: &IndexItem| match i {
                IndexItem::At(e) => format!(" {}", expr(e)),
                IndexItem::Rest(_) => " ..".to_string(),
                IndexItem::Slice { start, stop, step, .. } => {
                    let part = |e: &Option<Expr>| e.as_ref().map_or("_".into(), expr);
                    format!(" (slice {} {} {})", part(start), part(stop), part(step))
                }
            };
            format!("(index {}{})", expr(base), items.iter().map(item).collect::<String>())
        }
        ExprKind::Neg(inner) => format!("(neg {})", expr(inner)),
        ExprKind::Binary { op, left, right, .. } => format!("({} {} {})", op.sign(), expr(left), expr(right)),
        ExprKind::Pipe { input, stage } => format!("(|> {} {})", expr(input), expr(stage)),
        ExprKind::As { stage, path } => format!("(as {} {})", expr(stage), path.dotted()),
        ExprKind::By { metric, column } => format!("(by {} {})", expr(metric), column.name),
        ExprKind::Repeat { var, count, body } => {
            let var = var.as_ref().map_or(String::new(), |v| format!(" {}", v.name));
            format!("(repeat{var} {} {})", expr(count), expr(body))
        }
        ExprKind::Range(lo, hi) => format!("(.. {} {})", expr(lo), expr(hi)),
        ExprKind::List(items) => format!("(list{})", exprs(items)),
        ExprKind::Tuple(items) => format!("(tuple{})", exprs(items)),
        ExprKind::Paren(inner) => format!("(paren {})", expr(inner)),
        ExprKind::Broken => "broken".into(),
    }
}
