//! A resolved spec as JSON, for programs that read specs and do not want to parse them.
//!
//! One object for each node of the tree, in the order of the text; names stay names, so that a `param` can be seen
//! where it is used. `docs/mlspec.schema.json` is its JSON Schema, made by [`schema`] from the same tables that
//! check specs.

mod schema;

pub use schema::schema;

use crate::ops::{self, AttrType, Sig, optimizer};
use crate::syntax::ast::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The whole spec.
///
/// # Panics
/// If some text of it did not parse: whoever has a checked job has none of that.
pub fn spec(file: &File) -> Value {
    let own = file.items.iter().filter_map(own_name).collect();
    let writer = Writer { own };
    let header = file.header.as_ref();
    let items: Vec<Value> = file.items.iter().map(|item| writer.item(item)).collect();
    json!({
        "mlspec": header.map_or(1, |h| h.version.0),
        "defaults": header.and_then(|h| h.defaults.as_ref()).map_or("keras", |d| &*d.name),
        "items": items,
    })
}

/// The name that an item gives to something that can be called.
fn own_name(item: &Item) -> Option<&str> {
    match &item.kind {
        ItemKind::Op(op) => Some(&op.name.name),
        ItemKind::Block(block) => Some(&block.name.name),
        ItemKind::Section(section) => section.name.as_ref().map(|n| &*n.name),
        ItemKind::Param { name, .. } | ItemKind::Dim { name, .. } => Some(&name.name),
        ItemKind::Import { .. } | ItemKind::Broken => None,
    }
}

/// The object less what is not there.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members.into_iter().filter_map(|(name, value)| value.map(|v| (name.to_string(), v)));
    Value::Object(there.collect::<Map<_, _>>())
}

struct Writer<'a> {
    /// What the file names itself: library names may be taken over.
    own: BTreeSet<&'a str>,
}

impl Writer<'_> {
    fn item(&self, item: &Item) -> Value {
        let doc = item.doc.as_ref().map(|d| json!(d));
        match &item.kind {
            ItemKind::Param { name, ty, value, domain } => object([
                ("param", Some(json!(&*name.name))),
                ("type", ty.as_ref().map(|t| self.ty(t))),
                ("value", Some(self.expr(value))),
                ("domain", domain.as_ref().map(|d| self.expr(d))),
                ("doc", doc),
            ]),
            ItemKind::Dim { name, bound, value } => {
                let bound = match bound {
                    DimBound::AtMost => "at_most",
                    DimBound::Exactly => "exactly",
                };
                object([("dim", Some(json!(&*name.name))), (bound, Some(self.expr(value))), ("doc", doc)])
            }
            ItemKind::Op(op) => self.op(op, doc),
            ItemKind::Block(block) => object([
                ("block", Some(json!(&*block.name.name))),
                ("settings", Some(self.fields(&block.settings))),
                ("inputs", Some(self.fields(&block.inputs))),
                ("outputs", Some(self.fields(&block.outputs))),
                ("body", Some(self.entries(&block.body))),
                ("doc", doc),
            ]),
            ItemKind::Import { path } => json!({ "import": path.value }),
            ItemKind::Section(section) => self.section(section, doc),
            ItemKind::Broken => unreachable!("json: a checked spec has no broken item"),
        }
    }

    fn op(&self, op: &Op, doc: Option<Value>) -> Value {
        let results = match &op.result {
            OpResult::One(ty) => json!([self.ty(ty)]),
            OpResult::Named(fields) => self.fields(fields),
        };
        let (formula, body) = match &op.body {
            OpBody::Formula(formula) => (Some(self.expr(formula)), None),
            OpBody::Body(entries) => (None, Some(self.entries(entries))),
        };
        object([
            ("op", Some(json!(&*op.name.name))),
            ("inputs", Some(self.fields(&op.params))),
            ("outputs", Some(results)),
            ("formula", formula),
            ("body", body),
            ("doc", doc),
        ])
    }

    fn section(&self, section: &Section, doc: Option<Value>) -> Value {
        object([
            ("section", Some(json!(&*section.word.name))),
            ("name", section.name.as_ref().map(|n| json!(&*n.name))),
            ("entries", Some(self.entries(&section.entries))),
            ("doc", doc),
        ])
    }

    fn fields(&self, fields: &[Field]) -> Value {
        let one = |f: &Field| {
            object([
                ("name", Some(json!(&*f.name.name))),
                ("type", Some(self.ty(&f.ty))),
                ("default", f.default.as_ref().map(|d| self.expr(d))),
            ])
        };
        fields.iter().map(one).collect()
    }

    fn entries(&self, entries: &[Entry]) -> Value {
        entries.iter().map(|e| self.entry(e)).collect()
    }

    fn entry(&self, entry: &Entry) -> Value {
        let doc = entry.doc.as_ref().map(|d| json!(d));
        let names = |names: &[Ident]| names.iter().map(|n| json!(&*n.name)).collect::<Value>();
        match &entry.kind {
            EntryKind::Let { names: made, ty, value } => object([
                ("let", Some(names(made))),
                ("type", ty.as_ref().map(|t| self.ty(t))),
                ("value", Some(self.expr(value))),
                ("doc", doc),
            ]),
            EntryKind::Input { name, ty } => {
                object([("input", Some(json!(&*name.name))), ("type", Some(self.ty(ty))), ("doc", doc)])
            }
            EntryKind::Output { name, ty, value } => object([
                ("output", Some(json!(&*name.name))),
                ("type", ty.as_ref().map(|t| self.ty(t))),
                ("value", Some(self.expr(value))),
                ("doc", doc),
            ]),
            EntryKind::Bind { path, value } => {
                object([("key", Some(json!(path.dotted()))), ("value", Some(self.expr(value))), ("doc", doc)])
            }
            EntryKind::Typed { names: columns, how } => {
                object([("columns", Some(names(columns))), ("how", Some(self.expr(how))), ("doc", doc)])
            }
            EntryKind::Section(section) => self.section(section, doc),
            EntryKind::Broken => unreachable!("json: a checked spec has no broken entry"),
        }
    }

    fn ty(&self, ty: &Type) -> Value {
        let size = |size: &SizeExpr| match size {
            SizeExpr::Size(expr) => self.expr(expr),
            SizeExpr::Rest(name) => json!({ "rest": &*name.name }),
            SizeExpr::Any(_) => json!({ "any": true }),
        };
        object([
            ("type", Some(json!(&*ty.name.name))),
            ("arguments", (!ty.args.is_empty()).then(|| self.arguments(&ty.args))),
            ("shape", ty.shape.as_ref().map(|all| all.iter().map(size).collect())),
        ])
    }

    fn expr(&self, e: &Expr) -> Value {
        match &e.kind {
            ExprKind::Int(n) => json!(n),
            ExprKind::Float(x) => json!(x),
            ExprKind::Percent(x) => json!({ "percent": x }),
            ExprKind::Bytes(x) => json!({ "bytes": x.bytes() }),
            ExprKind::Str(text) => json!(text),
            ExprKind::Bool(x) => json!(x),
            ExprKind::Name(name) => json!({ "name": &*name.name }),
            ExprKind::Member(base, member) => match e.dotted() {
                Some(name) => json!({ "name": name }),
                None => json!({ "member": &*member.name, "of": self.expr(base) }),
            },
            ExprKind::Call { callee, args } => self.call(callee, args),
            ExprKind::Index { base, items } => {
                json!({ "index": self.expr(base), "at": items.iter().map(|i| self.index(i)).collect::<Value>() })
            }
            ExprKind::Neg(inner) => match &inner.kind {
                ExprKind::Int(n) => json!(-n),
                ExprKind::Float(x) => json!(-x),
                _other => json!({ "minus": self.expr(inner) }),
            },
            ExprKind::Binary { op, left, right, .. } => {
                json!({ "operator": op.sign(), "left": self.expr(left), "right": self.expr(right) })
            }
            ExprKind::Pipe { .. } => json!({ "pipe": self.stages(e) }),
            ExprKind::As { stage, path } => json!({ "as": path.dotted(), "stage": self.expr(stage) }),
            ExprKind::By { metric, column } => json!({ "by": &*column.name, "metric": self.expr(metric) }),
            ExprKind::Repeat { var, count, body } => object([
                ("repeat", Some(self.expr(count))),
                ("variable", var.as_ref().map(|v| json!(&*v.name))),
                ("stage", Some(self.expr(body))),
            ]),
            ExprKind::Range(from, to) => json!({ "from": self.expr(from), "to": self.expr(to) }),
            ExprKind::List(items) => items.iter().map(|i| self.expr(i)).collect(),
            ExprKind::Tuple(items) => {
                json!({ "tuple": items.iter().map(|i| self.expr(i)).collect::<Value>() })
            }
            ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Broken => unreachable!("json: a checked spec has no broken expression"),
        }
    }

    /// What flows, then every stage.
    fn stages(&self, e: &Expr) -> Vec<Value> {
        match &e.kind {
            ExprKind::Pipe { input, stage } => {
                let mut all = self.stages(input);
                all.push(self.expr(stage));
                all
            }
            _other => vec![self.expr(e)],
        }
    }

    fn index(&self, item: &IndexItem) -> Value {
        match item {
            IndexItem::At(e) => self.expr(e),
            IndexItem::Rest(_) => json!({ "axes": true }),
            IndexItem::Slice { start, stop, step, .. } => {
                let part = |e: &Option<Expr>| e.as_ref().map_or(Value::Null, |e| self.expr(e));
                json!({ "slice": [part(start), part(stop), part(step)] })
            }
        }
    }

    /// Layers and optimizers of the library have their settings by name.
    fn call(&self, callee: &Expr, args: &[Arg]) -> Value {
        let library = callee.as_name().map(|n| &*n.name).filter(|n| !self.own.contains(n));
        let layer = library.and_then(ops::layer).map(|l| ("layer", l.sig()));
        let def = library.and_then(optimizer::find).map(|o| ("optimizer", &o.sig));
        match layer.or(def).and_then(|(word, sig)| Some((word, sig, self.settings(sig, args)?))) {
            Some((word, sig, settings)) => json!({ word: sig.name, "settings": settings }),
            None => json!({ "call": self.expr(callee), "arguments": self.arguments(args) }),
        }
    }

    /// None for arguments that are no settings: `Dense(10)(x)` has tensors behind them.
    fn settings(&self, sig: &Sig, args: &[Arg]) -> Option<Value> {
        let mut settings = Map::new();
        for (i, arg) in args.iter().enumerate() {
            let value = self.expr(&arg.value);
            let sizes = sig.attrs.iter().find(|a| a.ty == AttrType::Sizes);
            match (&arg.name, sizes) {
                (Some(name), _) => drop(settings.insert(name.name.to_string(), value)),
                (None, Some(sizes)) => {
                    let all = settings.entry(sizes.name).or_insert_with(|| json!([]));
                    all.as_array_mut()?.push(value);
                }
                (None, None) => drop(settings.insert(sig.attrs.get(i)?.name.to_string(), value)),
            }
        }
        Some(Value::Object(settings))
    }

    fn arguments(&self, args: &[Arg]) -> Value {
        let one = |arg: &Arg| {
            object([
                ("name", arg.name.as_ref().map(|n| json!(&*n.name))),
                ("value", Some(self.expr(&arg.value))),
            ])
        };
        args.iter().map(one).collect()
    }
}
