//! Columns by name: typed, derived, or as the source has them.

use super::Data;
use crate::base::{DType, Dim, Shape, Span, TensorType};
use crate::diag::{Diagnostic, did_you_mean};
use crate::graph::{Builder, Value};
use crate::ops::formula::{Checked, Eval, Item, Never, Reported, Scope};
use crate::sema::ctx::{Ctx, Global, suggest};
use crate::sema::job::{Classes, Column, ColumnKind, Encode, Field, Wanted};
use crate::sema::{consts, walk};
use crate::syntax::ast::{Entry, EntryKind, Expr, ExprKind, File, Ident, ItemKind, Section};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What `name : how` says.
#[derive(Clone, Debug)]
pub(super) enum How {
    Known(Encode),
    /// Reported: wrong, or not built yet.
    Poison,
}

const BUILT: [&str; 5] = ["standardize", "minmax", "float", "int", "class"];
const LATER: [&str; 13] = [
    "one_hot",
    "category",
    "impute",
    "lowercase",
    "words",
    "chars",
    "bpe",
    "pad",
    "windows",
    "flip",
    "crop",
    "resize",
    "lines",
];
const INSTEAD: &str =
    "`standardize`, `minmax`, `float`, `int` and `class` are built, and arithmetic on columns";

/// Reads `standardize`, `class("<=50K", ">50K")`, …
pub(super) fn how(cx: &Ctx, expr: &Expr) -> How {
    let (name, args) = match &expr.bare().kind {
        ExprKind::Name(name) => (name, None),
        ExprKind::Call { callee, args } => match callee.as_name() {
            Some(name) => (name, Some(args)),
            None => return not_a_transform(cx, expr),
        },
        ExprKind::Pipe { input, stage } => {
            // Several at once: each is said if it is not built.
            let (first, second) = (how(cx, input), how(cx, stage));
            if let (How::Known(_), How::Known(_)) = (first, second) {
                cx.later("later::transform", "a chain of transforms", expr.span, INSTEAD);
            }
            return How::Poison;
        }
        ExprKind::Broken => return How::Poison,
        _ => return not_a_transform(cx, expr),
    };
    let plain = |encode: Encode| match args {
        Some(args) if !args.is_empty() => {
            let message = format!("`{}` takes no arguments", name.name);
            let d = Diagnostic::error("call::many", message, args[0].value.span, "not needed");
            cx.report(d.help(format!("write `{}`", name.name)));
            How::Poison
        }
        _ => How::Known(encode),
    };
    match &*name.name {
        "standardize" => plain(Encode::Standardize),
        "minmax" => plain(Encode::Minmax),
        "float" => plain(Encode::Float),
        "int" => plain(Encode::Int),
        "class" => match args {
            None => How::Known(Encode::Class(Classes::Infer)),
            Some(args) => class(cx, expr.span, args),
        },
        other if LATER.contains(&other) => {
            cx.later("later::transform", format!("the transform `{other}`"), name.span, INSTEAD);
            How::Poison
        }
        _ => {
            let message = format!("there is no transform `{}`", name.name);
            let d = Diagnostic::error("column::transform", message, name.span, "not a transform");
            cx.report(suggest(d, "transform", name, BUILT.into_iter().chain(LATER)));
            How::Poison
        }
    }
}

fn not_a_transform(cx: &Ctx, expr: &Expr) -> How {
    let d = Diagnostic::error("column::transform", "this is not a transform", expr.span, "not a transform");
    cx.report(d.help("write `standardize`, `minmax`, `float`, `int` or `class(…)`"));
    How::Poison
}

/// `class(10)` counts, `class(no, yes)` lists.
fn class(cx: &Ctx, span: Span, args: &[crate::syntax::ast::Arg]) -> How {
    let one_number = match args {
        [one] => !matches!(one.value.bare().kind, ExprKind::Str(_)) && one.value.as_name().is_none(),
        _ => false,
    };
    let param = match args {
        [one] => one.value.as_name().is_some_and(|n| cx.globals.contains_key(&n.name)),
        _ => false,
    };
    if one_number || param {
        return cx
            .count("class", &args[0].value, 2)
            .map_or(How::Poison, |n| How::Known(Encode::Class(Classes::Count(n as usize))));
    }
    let names: Option<Vec<String>> = args.iter().map(|a| class_value(cx, &a.value)).collect();
    let Some(names) = names else { return How::Poison };
    let twice = names.iter().enumerate().find(|(i, n)| names[..*i].contains(n));
    let why = match (names.len(), twice) {
        (0 | 1, _) => "a class column has at least two classes".to_string(),
        (_, Some((_, name))) => format!("the class `{name}` is listed twice"),
        _ => return How::Known(Encode::Class(Classes::Named(names))),
    };
    cx.report(Diagnostic::error("column::classes", why, span, "these classes").help(
        "list each value of the column once, as in `class(no, yes)`, or write `class(n)` for 0 to n-1",
    ));
    How::Poison
}

/// A value of a class column: a word, a string, or a number as the cells have it.
fn class_value(cx: &Ctx, expr: &Expr) -> Option<String> {
    match &expr.bare().kind {
        ExprKind::Int(n) => Some(n.to_string()),
        ExprKind::Float(x) => Some(x.to_string()),
        ExprKind::Neg(inner) => match &inner.bare().kind {
            ExprKind::Int(_) | ExprKind::Float(_) => class_value(cx, inner).map(|n| format!("-{n}")),
            _ => cx.word("class", expr),
        },
        _ => cx.word("class", expr),
    }
}

/// What a name in a data section stands for.
enum Found<'a> {
    Stored(Column),
    Derived(usize, &'a Expr),
    Poison,
}

impl<'a> Data<'a> {
    /// Looks a column up; derived ones only before entry `before`.
    /// `row` is the type that the use expects, for sources that nobody could look at.
    fn lookup(&self, cx: &Ctx, name: &Ident, before: usize, row: Option<&TensorType>) -> Found<'a> {
        if let Some(at) = self.derived[..before].iter().rposition(|(n, _)| n.name == name.name) {
            return match self.transformed(cx, at) {
                Some(found) => found,
                None => Found::Derived(at, self.derived[at].1),
            };
        }
        if let Some((first, how)) = self.typed.iter().find(|(n, _)| n.name == name.name) {
            return match how {
                How::Known(encode) => {
                    Found::Stored(self.stored(&name.name, &name.name, encode.clone(), first.span))
                }
                How::Poison => Found::Poison,
            };
        }
        if &*name.name == "row" {
            return self.row(cx, name);
        }
        self.raw(cx, name, row)
    }

    fn stored(&self, name: &str, source: &str, how: Encode, span: Span) -> Column {
        let dtype = match &how {
            Encode::Int | Encode::Class(_) => DType::I32,
            Encode::AsIs | Encode::Float | Encode::Standardize | Encode::Minmax => DType::F32,
        };
        let field = Field { source: source.to_string(), how, span };
        let (kind, ty) = (ColumnKind::One(field), TensorType::scalar(dtype));
        Column { name: name.to_string(), kind, ty, wanted: Vec::new(), span }
    }

    /// `label = sentiment |> class(no, yes)`: a stored column under another name.
    fn transformed(&self, cx: &Ctx, at: usize) -> Option<Found<'a>> {
        let (name, expr) = self.derived[at];
        let ExprKind::Pipe { input, stage } = &expr.bare().kind else { return None };
        if !is_transform(stage) {
            return None;
        }
        let encode = how(cx, stage);
        let (How::Known(encode), Some(source)) = (encode, input.as_name()) else {
            // The chain in front of the stage may hold more that is not built.
            let mut before = input;
            while let ExprKind::Pipe { input, stage } = &before.bare().kind {
                if is_transform(stage) {
                    how(cx, stage);
                }
                before = input;
            }
            return Some(Found::Poison);
        };
        if self.known_columns().is_some_and(|all| !all.iter().any(|c| **c == *source.name)) {
            self.no_column(cx, source);
            return Some(Found::Poison);
        }
        Some(Found::Stored(self.stored(&name.name, &source.name, encode, name.span)))
    }

    fn raw(&self, cx: &Ctx, name: &Ident, row: Option<&TensorType>) -> Found<'a> {
        let Some(source) = &self.source else { return Found::Poison };
        let known = self.known_columns();
        if known.as_ref().is_some_and(|all| !all.iter().any(|c| **c == *name.name)) {
            self.no_column(cx, name);
            return Found::Poison;
        }
        if source.kind.is_table() {
            self.untyped(cx, name);
            return Found::Poison;
        }
        let schema = self.schema.as_ref().and_then(|s| s.columns.iter().find(|c| c.name == *name.name));
        let ty = match schema {
            Some(column) => {
                TensorType::new(column.dtype.unwrap_or(DType::F32), Shape::from(column.shape.as_slice()))
            }
            None if &*name.name == "label" => TensorType::scalar(DType::I32),
            // Nobody could look: images are what the model says they are.
            None => match row {
                Some(row) => TensorType::new(DType::U8, row.shape.clone()),
                None => return Found::Poison,
            },
        };
        let mut column = self.stored(&name.name, &name.name, Encode::AsIs, source.span);
        // Ids are counted in `i32` whatever the source stores.
        let ids = &*name.name == "label" && ty.dtype == DType::U8;
        column.ty = if ids { TensorType::new(DType::I32, ty.shape) } else { ty };
        Found::Stored(column)
    }

    fn untyped(&self, cx: &Ctx, name: &Ident) {
        let message = format!("nothing says what the cells of `{}` are", name.name);
        let d = Diagnostic::error("column::untyped", message, name.span, "text until it is given a type");
        let at = self.section.entries.last().map_or(self.section.body, |e| e.span).end();
        let fix = format!("\n  {} : float", name.name);
        cx.report(
            d.help(format!(
                "add `{0} : float` to `{1}`, or `standardize`, `minmax`, `int`, `class`",
                name.name, self.name.name
            ))
            .fix(format!("add `{} : float`", name.name), at, fix),
        );
    }

    /// `d.row`: every `:` column side by side, less classes and those used otherwise.
    fn row(&self, cx: &Ctx, name: &Ident) -> Found<'a> {
        if self.typed.iter().any(|(_, how)| matches!(how, How::Poison)) || self.source.is_none() {
            return Found::Poison;
        }
        let fields = self.row_fields(cx);
        if fields.is_empty() {
            let message = format!("`{}.row` is empty", self.name.name);
            let d =
                Diagnostic::error("column::row", message, name.span, "no `name : how` column is left for it");
            cx.report(d.help("give numeric columns a type, as in `age, hours : standardize`"));
            return Found::Poison;
        }
        let ty = TensorType::f32(Shape::from([fields.len()]));
        let kind = ColumnKind::Row(fields);
        Found::Stored(Column { name: "row".into(), kind, ty, wanted: Vec::new(), span: name.span })
    }

    pub(super) fn row_fields(&self, cx: &Ctx) -> Vec<Field> {
        let taken = cx.read_columns(&self.name.name);
        let derived = walk::names_in(|f| self.derived.iter().for_each(|(_, e)| walk::expr(e, f)));
        let mut fields = Vec::new();
        for (name, how) in &self.typed {
            let How::Known(encode) = how else { continue };
            let is_class = matches!(encode, Encode::Class(_));
            if !is_class && !taken.contains(&*name.name) && !derived.contains(&*name.name) {
                fields.push(Field { source: name.name.to_string(), how: encode.clone(), span: name.span });
            }
        }
        fields
    }

    /// How many classes a column has; `None` if it has none. A symbol where only the data know.
    pub fn classes(&self, name: &str) -> Option<Dim> {
        let named = |classes: &Classes| match classes {
            Classes::Count(n) => Some(Dim::from(*n)),
            Classes::Named(all) => Some(Dim::from(all.len())),
            Classes::Infer => None,
        };
        let unknown = || Dim::sym(&format!("{}.{name}.classes", self.name.name));
        let stored = self.columns.borrow();
        let column = stored.iter().find(|c| c.name == name);
        let field = match column.map(|c| &c.kind) {
            Some(ColumnKind::One(field)) => Some(field.clone()),
            Some(ColumnKind::Row(_)) => return None,
            None => self.typed.iter().find(|(n, _)| &*n.name == name).and_then(|(n, how)| match how {
                How::Known(how) => Some(Field { source: n.name.to_string(), how: how.clone(), span: n.span }),
                How::Poison => None,
            }),
        };
        match field {
            Some(Field { how: Encode::Class(classes), .. }) => Some(named(&classes).unwrap_or_else(unknown)),
            Some(Field { how: Encode::AsIs, .. }) | None => {
                let schema = self.schema.as_ref().and_then(|s| s.columns.iter().find(|c| c.name == name));
                match schema {
                    Some(column) => column.classes.map(Dim::from),
                    None if name == "label" => Some(unknown()),
                    None => None,
                }
            }
            Some(_) => None,
        }
    }

    /// The column that `stratify` names, in the source.
    pub(super) fn strata(&self, cx: &Ctx, name: &Ident) -> Option<String> {
        let Found::Stored(column) = self.lookup(cx, name, self.derived.len(), None) else {
            if self.derived.iter().any(|(n, _)| n.name == name.name) {
                let message = format!("`{}` is computed, so it has no classes", name.name);
                let d = Diagnostic::error("data::split", message, name.span, "not a class column");
                cx.report(d.help("stratify by a column with `: class`"));
            }
            return None;
        };
        let ColumnKind::One(field) = &column.kind else { return None };
        if matches!(field.how, Encode::Class(_)) || self.classes(&name.name).is_some() {
            return Some(field.source.clone());
        }
        let message = format!("`{}` has no classes to keep in proportion", name.name);
        let d = Diagnostic::error("data::split", message, name.span, "not a class column");
        cx.report(d.help(format!("stratify by a class column, or write `{} : class`", name.name)));
        None
    }

    /// The column of the source that `group` or `time` names: any, typed or not.
    pub(super) fn source_column(&self, cx: &Ctx, key: &str, name: &Ident) -> Option<String> {
        if let Some((_, expr)) = self.derived.iter().rev().find(|(n, _)| n.name == name.name) {
            let mut from = expr.bare();
            while let ExprKind::Pipe { input, .. } = &from.kind {
                from = input.bare();
            }
            if let Some(source) = from.as_name() {
                return Some(source.name.to_string());
            }
            let message = format!("`{}` is computed, and rows are parted before that", name.name);
            let d = Diagnostic::error("data::split", message, name.span, "not a column of the source");
            cx.report(d.help(format!("name a column of the source: `{key} = …`")));
            return None;
        }
        if self.known_columns().is_some_and(|all| !all.iter().any(|c| **c == *name.name)) {
            self.no_column(cx, name);
            return None;
        }
        Some(name.name.to_string())
    }

    /// Notes what the values of a stored column must be.
    pub(in crate::sema) fn want(&self, column: &str, wanted: &Wanted) {
        let mut columns = self.columns.borrow_mut();
        if let Some(column) = columns.iter_mut().find(|c| c.name == column)
            && !column.wanted.contains(wanted)
        {
            column.wanted.push(wanted.clone());
        }
    }

    /// Keeps a stored column for the plan, once.
    fn keep(&self, column: Column) {
        let mut columns = self.columns.borrow_mut();
        if !columns.iter().any(|c| c.name == column.name) {
            columns.push(column);
        }
    }
}

fn is_transform(stage: &Expr) -> bool {
    let name = match &stage.bare().kind {
        ExprKind::Name(name) => Some(name),
        ExprKind::Call { callee, .. } => callee.as_name(),
        _ => None,
    };
    name.is_some_and(|n| {
        BUILT.contains(&&*n.name) || LATER.contains(&&*n.name) || did_you_mean(&n.name, BUILT).is_some()
    })
}

/// Arithmetic on columns: names are columns of one section.
#[derive(Clone, Copy)]
struct Rows<'d, 'c, 'a> {
    cx: &'c Ctx<'a>,
    data: &'d Data<'a>,
    /// Only derived columns before this one are in reach.
    before: usize,
    /// What the use expects of a batch.
    row: Option<&'d TensorType>,
    /// Derived columns by their place, each computed once; `None` is reported.
    made: &'d RefCell<BTreeMap<usize, Option<Value>>>,
}

impl Scope for Rows<'_, '_, '_> {
    type Entity = Never;

    fn expr(ev: &mut Eval<'_, Self>, expr: &Expr) -> Option<Checked<Item>> {
        match &expr.kind {
            ExprKind::Name(name) if ev.scope.is_param(name) => None,
            ExprKind::Name(name) => {
                let rows = *ev.scope;
                Some(rows.column(name, ev.b).map(Item::Tensor).ok_or(Reported))
            }
            ExprKind::Index { .. } => {
                ev.scope.cx.later(
                    "later::index",
                    "an index into a column",
                    expr.span,
                    "use the whole column",
                );
                Some(Err(Reported))
            }
            ExprKind::Pipe { stage, .. } if is_transform(stage) => {
                if let How::Known(_) = how(ev.scope.cx, stage) {
                    let what = "a transform inside arithmetic";
                    ev.scope.cx.later(
                        "later::transform",
                        what,
                        expr.span,
                        "give the column its type first: `x : float`",
                    );
                }
                Some(Err(Reported))
            }
            _ => None,
        }
    }

    fn name(&mut self, name: &Ident) -> Option<Item> {
        self.is_param(name).then(|| self.cx.value(&name.name).map(consts::item)).flatten()
    }

    fn names(&self) -> Vec<String> {
        self.data.known_columns().unwrap_or_default()
    }

    fn describe(&self, entity: &Never) -> String {
        match *entity {}
    }
}

impl Rows<'_, '_, '_> {
    fn column(&self, name: &Ident, b: &mut Builder) -> Option<Value> {
        match self.data.lookup(self.cx, name, self.before, self.row) {
            Found::Poison => None,
            Found::Derived(at, expr) => {
                let known = self.made.borrow().get(&at).copied();
                known.unwrap_or_else(|| {
                    let value = self.derived(at, expr, b);
                    self.made.borrow_mut().insert(at, value);
                    value
                })
            }
            Found::Stored(column) => Some(self.stored(column, b)),
        }
    }

    fn derived(&self, at: usize, expr: &Expr, b: &mut Builder) -> Option<Value> {
        let mut scope = Rows { before: at, ..*self };
        let mut found = crate::diag::Diagnostics::new();
        let result = Eval::new(&self.cx.library, b, &mut found, &mut scope).tensor(expr);
        self.cx.diags.borrow_mut().extend(found.sorted());
        result.ok()
    }

    fn stored(&self, column: Column, b: &mut Builder) -> Value {
        let value = match b.find(&column.name) {
            Some(leaf) => b.read(leaf),
            None => {
                let mut shape = vec![Dim::sym("B")];
                shape.extend(column.ty.shape.0.iter().cloned());
                b.at(column.span);
                b.batch(column.name.as_str(), TensorType::new(column.ty.dtype, shape))
            }
        };
        self.data.keep(column);
        value
    }

    /// Columns come first, as the nearest scope.
    fn is_param(&self, name: &Ident) -> bool {
        let made = self.data.derived[..self.before].iter().any(|(n, _)| n.name == name.name);
        let typed = self.data.typed.iter().any(|(n, _)| n.name == name.name);
        let stored = self.data.known_columns().is_some_and(|all| all.iter().any(|c| **c == *name.name));
        !made && !typed && !stored && self.cx.values.borrow().contains_key(&name.name)
    }
}

/// A column as a tensor `[B, …]` of the graph; `None` is reported or rests on a source that is.
pub(in crate::sema) fn column<'a>(
    cx: &Ctx<'a>,
    data: &Data<'a>,
    name: &Ident,
    before: usize,
    row: Option<&TensorType>,
    b: &mut Builder,
) -> Option<Value> {
    let made = RefCell::default();
    Rows { cx, data, before, row, made: &made }.column(name, b)
}

/// How many derived columns a section has: all of them are in reach of a feed.
pub(in crate::sema) fn pending(data: &Data) -> usize {
    data.derived.len()
}

/// `people.features`, `iris.species.classes`: sizes that sections know, or will know.
pub(in crate::sema) fn size_of(cx: &Ctx, base: &Expr, member: &Ident) -> Option<Option<Dim>> {
    let (section, column) = match &base.bare().kind {
        ExprKind::Name(name) => (name, None),
        ExprKind::Member(inner, column) => (inner.as_name()?, Some(column)),
        _ => return None,
    };
    let (_, Global::Data) = cx.globals.get(&section.name)? else { return None };
    let path = match column {
        Some(column) => format!("{}.{}.{}", section.name, column.name, member.name),
        None => format!("{}.{}", section.name, member.name),
    };
    if let Some(known) = cx.settings.bindings.get(path.as_str()) {
        return Some(Some(Dim::from(*known)));
    }
    let unknown = Some(Some(Dim::sym(&path)));
    let data = cx.data.borrow();
    let Some(data) = data.iter().find(|d| d.name.name == section.name) else { return unknown };
    if data.source.is_none() {
        return unknown;
    }
    match (column, &*member.name) {
        (None, "features") => {
            let poisoned = data.typed.iter().any(|(_, how)| matches!(how, How::Poison));
            if poisoned { unknown } else { Some(Some(Dim::from(data.row_fields(cx).len()))) }
        }
        (Some(column), "classes") => match data.classes(&column.name) {
            Some(classes) => Some(Some(classes)),
            None => {
                let message = format!("`{}` has no classes", column.name);
                let d = Diagnostic::error("column::classes", message, column.span, "not a class column");
                cx.report(d.help(format!("write `{} : class` in `{}`", column.name, section.name)));
                Some(None)
            }
        },
        (_, "vocab") => {
            cx.later("later::size", format!("`{path}`"), base.span.to(member.span), "write the number");
            Some(None)
        }
        _ => None,
    }
}

impl Ctx<'_> {
    /// Members of a data section that anything outside `data` reads: `people.income`.
    pub fn read_columns(&self, section: &str) -> std::collections::BTreeSet<&str> {
        // What a section that is misspelt reads may be meant for this one.
        let meant = |base: &str| base == section || !self.globals.contains_key(base);
        self.reads.iter().filter(|(base, _)| meant(base)).flat_map(|(_, columns)| columns).copied().collect()
    }
}

/// Columns that are made and never read.
pub(in crate::sema) fn unused(cx: &Ctx, data: &Data, file: &File) {
    // Without a feed, which is reported, nothing could be read.
    let feed = |e: &Entry| matches!(&e.kind, EntryKind::Section(s) if &*s.word.name == "feed");
    let train = |s: &Section| &*s.word.name == "train" && s.entries.iter().any(feed);
    if !file.items.iter().any(|i| matches!(&i.kind, ItemKind::Section(s) if train(s))) {
        return;
    }
    let read = cx.read_columns(&data.name.name);
    let row = read.contains("row") || read.contains("features");
    let inside = inner_names(data.section);
    for (at, (name, _)) in data.derived.iter().enumerate() {
        let later = walk::names_in(|f| data.derived[at + 1..].iter().for_each(|(_, e)| walk::expr(e, f)));
        if !read.contains(&*name.name) && !later.contains(&*name.name) && !inside.contains(&*name.name) {
            not_read(cx, data, name);
        }
    }
    let derived = walk::names_in(|f| data.derived.iter().for_each(|(_, e)| walk::expr(e, f)));
    for (name, how) in &data.typed {
        let class = matches!(how, How::Known(Encode::Class(_)));
        let used =
            read.contains(&*name.name) || derived.contains(&*name.name) || inside.contains(&*name.name);
        if !used && (!row || class) {
            not_read(cx, data, name);
        }
    }
}

/// Names in `split { … }` and its like.
fn inner_names(section: &Section) -> std::collections::BTreeSet<&str> {
    let inner = |e: &&Entry| matches!(&e.kind, EntryKind::Section(_));
    walk::names_in(|f| section.entries.iter().filter(inner).for_each(|e| walk::entry(e, f)))
}

fn not_read(cx: &Ctx, data: &Data, name: &Ident) {
    let message = format!("column `{}` is made but never used", name.name);
    let d = Diagnostic::error("column::unused", message, name.span, "read by no `feed`");
    cx.report(d.help(format!("feed it: `{0} = {1}.{0}`, or take it out", name.name, data.name.name)));
}
