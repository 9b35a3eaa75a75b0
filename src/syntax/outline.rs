//! The AST as kinds and places: what `mlc dump --stage nodes` shows.
//!
//! One node a line, `kind start..end` in bytes, children indented below their parent in the order of the
//! text. It says where everything stands and nothing of what it says, so grammars of other tools (editors,
//! highlighters) can be compared with this one, node by node. What did not parse is `broken`.

use super::ast::*;
use crate::base::Span;
use std::fmt::Write as _;

/// A node a line for the whole file, the header included.
pub fn outline(file: &File) -> String {
    let mut o = Outline { out: String::new(), depth: 0 };
    if let Some(header) = &file.header {
        o.node("header", header.span, |o| {
            o.leaf("int", header.version.1);
            o.names("name", header.defaults.as_slice());
        });
    }
    for item in &file.items {
        o.item(item);
    }
    o.out
}

struct Outline {
    out: String,
    depth: usize,
}

impl Outline {
    fn node(&mut self, kind: &str, span: Span, children: impl FnOnce(&mut Self)) {
        let range = span.range();
        let _ = writeln!(self.out, "{}{kind} {}..{}", "  ".repeat(self.depth), range.start, range.end);
        self.depth += 1;
        children(self);
        self.depth -= 1;
    }

    fn leaf(&mut self, kind: &str, span: Span) {
        self.node(kind, span, |_| {});
    }

    fn names(&mut self, kind: &str, names: &[Ident]) {
        for name in names {
            self.leaf(kind, name.span);
        }
    }

    // ---- items and entries ----

    fn item(&mut self, item: &Item) {
        let span = item.span;
        match &item.kind {
            ItemKind::Param { name, ty, value, domain } => self.node("param", span, |o| {
                o.leaf("name", name.span);
                o.types(ty.as_slice());
                o.expr(value);
                o.exprs(domain.as_slice());
            }),
            ItemKind::Dim { name, bound: _, value } => self.node("dim", span, |o| {
                o.leaf("name", name.span);
                o.expr(value);
            }),
            ItemKind::Import { path } => self.node("import", span, |o| o.leaf("str", path.span)),
            ItemKind::Op(op) => self.node("op", span, |o| o.op(op)),
            ItemKind::Block(block) => self.node("block", span, |o| {
                o.leaf("name", block.name.span);
                o.fields(&block.settings);
                o.fields(&block.inputs);
                o.fields(&block.outputs);
                o.entries(&block.body);
            }),
            ItemKind::Section(section) => self.section(section, span),
            ItemKind::Broken => self.leaf("broken", span),
        }
    }

    fn op(&mut self, op: &Op) {
        self.leaf("name", op.name.span);
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
            self.node("field", field.span, |o| {
                o.leaf("name", field.name.span);
                o.ty(&field.ty);
                o.exprs(field.default.as_slice());
            });
        }
    }

    fn section(&mut self, section: &Section, span: Span) {
        self.node("section", span, |o| {
            o.leaf("name", section.word.span);
            o.names("name", section.name.as_slice());
            o.entries(&section.entries);
        });
    }

    fn entries(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.entry(entry);
        }
    }

    fn entry(&mut self, entry: &Entry) {
        let span = entry.span;
        match &entry.kind {
            EntryKind::Let { names, ty, value } => self.node("let", span, |o| {
                o.names("name", names);
                o.types(ty.as_slice());
                o.expr(value);
            }),
            EntryKind::Input { name, ty } => self.node("input", span, |o| {
                o.leaf("name", name.span);
                o.ty(ty);
            }),
            EntryKind::Output { name, ty, value } => self.node("output", span, |o| {
                o.leaf("name", name.span);
                o.types(ty.as_slice());
                o.expr(value);
            }),
            EntryKind::Bind { path, value } => self.node("bind", span, |o| {
                o.path(path);
                o.expr(value);
            }),
            EntryKind::Typed { names, how } => self.node("typed", span, |o| {
                o.names("name", names);
                o.expr(how);
            }),
            EntryKind::Section(section) => self.section(section, span),
            EntryKind::Broken => self.leaf("broken", span),
        }
    }

    fn path(&mut self, path: &Path) {
        self.node("path", path.span, |o| o.names("name", &path.parts));
    }

    // ---- types ----

    fn types(&mut self, types: &[Type]) {
        for ty in types {
            self.ty(ty);
        }
    }

    fn ty(&mut self, ty: &Type) {
        self.node("type", ty.span, |o| {
            o.leaf("name", ty.name.span);
            o.args(&ty.args);
            for size in ty.shape.iter().flatten() {
                match size {
                    SizeExpr::Size(size) => o.expr(size),
                    SizeExpr::Rest(name) => o.leaf("name", name.span),
                    SizeExpr::Any(at) => o.leaf("any", *at),
                }
            }
        });
    }

    // ---- expressions ----

    fn args(&mut self, args: &[Arg]) {
        for arg in args {
            let span = arg.name.as_ref().map_or(arg.value.span, |name| name.span.to(arg.value.span));
            self.node("arg", span, |o| {
                o.names("name", arg.name.as_slice());
                o.expr(&arg.value);
            });
        }
    }

    fn exprs(&mut self, exprs: &[Expr]) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    fn expr(&mut self, expr: &Expr) {
        self.node(kind(&expr.kind), expr.span, |o| o.inside(&expr.kind));
    }

    fn inside(&mut self, kind: &ExprKind) {
        match kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Percent(_)
            | ExprKind::Bytes(_)
            | ExprKind::Str(_) => {}
            ExprKind::Bool(_) | ExprKind::Name(_) | ExprKind::Broken => {}
            ExprKind::Member(base, name) => {
                self.expr(base);
                self.leaf("name", name.span);
            }
            ExprKind::Call { callee, args } => {
                self.expr(callee);
                self.args(args);
            }
            ExprKind::Index { base, items } => {
                self.expr(base);
                for item in items {
                    self.index(item);
                }
            }
            ExprKind::Neg(inner) | ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Binary { op: _, op_span: _, left, right } => self.pair(left, right),
            ExprKind::Pipe { input, stage } => self.pair(input, stage),
            ExprKind::Range(lo, hi) => self.pair(lo, hi),
            ExprKind::As { stage, path } => {
                self.expr(stage);
                self.path(path);
            }
            ExprKind::By { metric, column } => {
                self.expr(metric);
                self.leaf("name", column.span);
            }
            ExprKind::Repeat { var, count, body } => {
                self.names("name", var.as_slice());
                self.pair(count, body);
            }
            ExprKind::List(items) | ExprKind::Tuple(items) => self.exprs(items),
        }
    }

    fn pair(&mut self, left: &Expr, right: &Expr) {
        self.expr(left);
        self.expr(right);
    }

    fn index(&mut self, item: &IndexItem) {
        match item {
            IndexItem::At(at) => self.expr(at),
            IndexItem::Rest(span) => self.node("axes", *span, |_| {}),
            IndexItem::Slice { start, stop, step, span } => self.node("slice", *span, |o| {
                for part in [start, stop, step] {
                    o.exprs(part.as_slice());
                }
            }),
        }
    }
}

fn kind(kind: &ExprKind) -> &'static str {
    match kind {
        ExprKind::Int(_) => "int",
        ExprKind::Float(_) => "float",
        ExprKind::Percent(_) => "percent",
        ExprKind::Bytes(_) => "bytes",
        ExprKind::Str(_) => "str",
        ExprKind::Bool(_) => "bool",
        ExprKind::Name(_) => "name",
        ExprKind::Member(..) => "member",
        ExprKind::Call { .. } => "call",
        ExprKind::Index { .. } => "index",
        ExprKind::Neg(_) => "neg",
        ExprKind::Binary { .. } => "binary",
        ExprKind::Pipe { .. } => "pipe",
        ExprKind::As { .. } => "as",
        ExprKind::By { .. } => "by",
        ExprKind::Repeat { .. } => "repeat",
        ExprKind::Range(..) => "range",
        ExprKind::List(_) => "list",
        ExprKind::Tuple(_) => "tuple",
        ExprKind::Paren(_) => "paren",
        ExprKind::Broken => "broken",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse_text;
    use super::outline;

    #[test]
    fn every_node_has_its_place_and_depth() {
        let (file, _) = parse_text("mlspec 1\ntrain { lr = -a ^ 2 |> D(n=1) as h.0  x: int }\n");
        insta::assert_snapshot!(outline(&file), @"
        header 0..8
          int 7..8
        section 9..55
          name 9..14
          bind 17..45
            path 17..19
              name 17..19
            pipe 22..45
              neg 22..28
                binary 23..28
                  name 23..24
                  int 27..28
              as 32..45
                call 32..38
                  name 32..33
                  arg 34..37
                    name 34..35
                    int 36..37
                path 42..45
                  name 42..43
                  name 44..45
          typed 47..53
            name 47..48
            name 50..53
        ");
    }
}
