//! Columns by name: typed, derived, or as the source has them.

use super::Data;
use super::how::{Chain, How, chain, is_transform};
use crate::base::{DType, Dim, Shape, Span, TensorType};
use crate::diag::Diagnostic;
use crate::ops::formula::builtins;
use crate::ops::transform::Kind;
use crate::sema::ctx::Ctx;
use crate::sema::job::{Classes, Column, ColumnKind, Encode, Field, Formula, SourceKind, Wanted, Windows};
use crate::sema::probe::{Sample, SchemaColumn};
use crate::sema::walk;
use crate::syntax::ast::{Expr, ExprKind, Ident};
use std::sync::Arc;

/// What the entries of a section say of a name.
pub(super) enum Named<'a> {
    Chain(Made),
    /// Windows of `row`: of all typed columns side by side.
    Rows(Windows),
    Derived(usize, &'a Expr),
    Poison,
    /// Nothing.
    Raw,
}

/// A column of the source, or a computed one, and its transforms.
pub(super) struct Made {
    pub source: String,
    pub formula: Option<Arc<Formula>>,
    pub chain: Chain,
    pub span: Span,
}

/// What a name in a data section stands for.
pub(super) enum Found<'a> {
    Stored(Column),
    Derived(usize, &'a Expr),
    Poison,
}

impl Made {
    fn field(&self) -> Field {
        let (source, formula) = (self.source.clone(), self.formula.clone());
        Field { source, formula, how: self.chain.steps.clone(), span: self.span }
    }
}

impl<'a> Data<'a> {
    /// Looks a column up; derived ones only before entry `before`.
    /// `row` is the type that the use expects, for sources that nobody could look at.
    pub(super) fn lookup(
        &self,
        cx: &Ctx<'a>,
        name: &Ident,
        before: usize,
        row: Option<&TensorType>,
    ) -> Found<'a> {
        match self.looked_up(cx, name, before, row) {
            Found::Stored(column) => Found::Stored(self.as_mixed(cx, column)),
            other => other,
        }
    }

    fn looked_up(&self, cx: &Ctx<'a>, name: &Ident, before: usize, row: Option<&TensorType>) -> Found<'a> {
        match self.named(cx, name, before) {
            Named::Chain(made) if matches!(made.chain.kind, Kind::Tokens(_)) => {
                cx.report(super::windows::unpadded(name, made.span));
                Found::Poison
            }
            Named::Chain(made) => Found::Stored(self.stored(&name.name, &made)),
            Named::Rows(windows) => self.row(cx, name, Some(windows)),
            Named::Derived(at, expr) => Found::Derived(at, expr),
            Named::Poison => Found::Poison,
            Named::Raw if &*name.name == "row" => self.row(cx, name, None),
            Named::Raw => self.raw(cx, name, row),
        }
    }

    /// What the entries of the section say of a name.
    pub(super) fn named(&self, cx: &Ctx<'a>, name: &Ident, before: usize) -> Named<'a> {
        if let Some(at) = self.derived[..before].iter().rposition(|(n, _)| n.name == name.name) {
            let made = self.transformed(cx, at).unwrap_or(Named::Derived(at, self.derived[at].1));
            return self.typed_again(cx, at, made);
        }
        let of_source = self.typed_entry(&name.name).is_none();
        match self.typed.iter().find(|(n, _)| n.name == name.name && of_source) {
            Some((first, How::Known(chain))) => Named::Chain(Made {
                source: name.name.to_string(),
                formula: None,
                chain: chain.clone(),
                span: first.span,
            }),
            Some((_, How::Poison)) => Named::Poison,
            None => Named::Raw,
        }
    }

    fn stored(&self, name: &str, made: &Made) -> Column {
        let ty = match made.chain.kind {
            Kind::Cell | Kind::Number => TensorType::scalar(DType::F32),
            Kind::Whole | Kind::Ids(_) | Kind::Tokens(_) => TensorType::scalar(DType::I32),
            Kind::Sequence { length, .. } => TensorType::new(DType::I32, [length]),
            Kind::Series { length } => TensorType::f32([length]),
            Kind::Frames { length, width } => {
                TensorType::f32(self.vector(name, made, width).with_axis(0, Dim::from(length)))
            }
            Kind::Vector(known) => TensorType::f32(self.vector(name, made, known)),
        };
        let (kind, span) = (ColumnKind::One(made.field()), made.span);
        Column { name: name.to_string(), kind, ty, wanted: Vec::new(), span }
    }

    /// The shape of several numbers a row: that of the source or the formula, if the chain left it.
    fn vector(&self, name: &str, made: &Made, known: Option<usize>) -> Shape {
        let computed = made.formula.as_ref().and_then(|f| f.row().as_const());
        let shape = self.schema_of(&made.source).map(|c| &c.shape).filter(|s| !s.is_empty());
        let shape = if made.formula.is_some() { computed.as_ref() } else { shape };
        let same = |s: &Vec<usize>| Some(s.iter().product()) == known;
        match (shape.filter(|s| same(s)), known) {
            (Some(shape), _) => Shape::from(shape.as_slice()),
            (None, Some(width)) => Shape::from([width]),
            (None, None) => Shape::from(vec![Dim::sym(&format!("{}.{name}.features", self.name.name))]),
        }
    }

    /// `label = sentiment |> class(no, yes)`: a stored column under another name. `None` of arithmetic.
    fn transformed(&self, cx: &Ctx<'a>, at: usize) -> Option<Named<'a>> {
        let (name, expr) = self.derived[at];
        let mut stages = Vec::new();
        let mut first = expr;
        while let ExprKind::Pipe { input, stage } = &first.bare().kind {
            stages.push(&**stage);
            first = input;
        }
        stages.reverse();
        if stages.is_empty() || !stages.iter().all(|s| is_transform(s)) {
            return None;
        }
        // `log` and its like are functions of the library too: of what is computed, they are meant.
        let functions = stages.iter().all(|s| is_function(cx, s));
        let Some(source) = first.as_name() else {
            return (!functions).then(|| self.computed(cx, (name, at), first, &stages));
        };
        let before = match self.named(cx, source, at) {
            Named::Chain(made) => Some(made),
            Named::Derived(..) if functions => return None,
            Named::Derived(..) => return Some(self.computed(cx, (name, at), first, &stages)),
            Named::Raw if functions && !self.is_table() => return None,
            Named::Raw if &*source.name == "row" && !self.has_column(source) => {
                return Some(rows(cx, source, &stages));
            }
            Named::Raw => None,
            Named::Rows(_) => {
                // Windows end a chain, which says so.
                chain(cx, Some(&Chain::of(Kind::Series { length: 1 })), &stages);
                return Some(Named::Poison);
            }
            Named::Poison => return Some(Named::Poison),
        };
        if before.is_none() && !self.has_column(source) {
            self.no_column(cx, source);
            // What else is wrong in the chain is said as well.
            chain(cx, None, &stages);
            return Some(Named::Poison);
        }
        let start = before.as_ref().map(|m| m.chain.clone()).or_else(|| self.numbers(source));
        let raw = before.is_none();
        let (column, formula) =
            before.map_or_else(|| (source.name.to_string(), None), |m| (m.source, m.formula));
        Some(match chain(cx, start.as_ref(), &stages) {
            How::Known(chain) if raw && self.is_of_words(cx, source, &chain, expr.span) => Named::Poison,
            How::Known(chain) => Named::Chain(Made { source: column, formula, chain, span: name.span }),
            How::Poison => Named::Poison,
        })
    }

    /// Where a chain starts at a column of numbers; `None` of cells.
    pub(super) fn numbers(&self, source: &Ident) -> Option<Chain> {
        let schema = self.schema_of(&source.name).filter(|column| column.dtype.is_some())?;
        Some(Chain::of(match schema.shape.as_slice() {
            [] => Kind::Number,
            sizes => Kind::Vector(Some(sizes.iter().product())),
        }))
    }

    pub(super) fn is_table(&self) -> bool {
        self.source.as_ref().is_some_and(|s| s.kind.is_table())
    }

    /// Whether the source has a column, as far as anybody knows.
    pub(super) fn has_column(&self, name: &Ident) -> bool {
        self.known_columns().is_none_or(|all| all.iter().any(|c| **c == *name.name))
    }

    fn schema_of(&self, name: &str) -> Option<&SchemaColumn> {
        self.schema.as_ref()?.columns.iter().find(|c| c.name == name)
    }

    fn raw(&self, cx: &Ctx, name: &Ident, row: Option<&TensorType>) -> Found<'a> {
        let Some(source) = &self.source else { return Found::Poison };
        if !self.has_column(name) {
            self.no_column(cx, name);
            return Found::Poison;
        }
        let schema = self.schema_of(&name.name);
        if matches!(source.kind, SourceKind::Images { .. }) && &*name.name == "label" {
            return Found::Stored(self.folders(name, source.span));
        }
        // A vector has a type even where single values are text.
        if schema.map_or(source.kind.is_text(), |column| column.dtype.is_none()) {
            return self.inferred(cx, name, row);
        }
        let ty = match schema {
            Some(column) => {
                TensorType::new(column.dtype.unwrap_or(DType::F32), Shape::from(column.shape.as_slice()))
            }
            None if let Some(known) = source.kind.voc().and_then(|voc| voc.type_of(&name.name)) => known,
            None if &*name.name == "label" && !source.kind.is_table() => TensorType::scalar(DType::I32),
            None if source.kind.is_table() => match row {
                Some(row) => row.clone(),
                None => return Found::Poison,
            },
            // Nobody could look: images are what the model says they are.
            None => match row {
                Some(row) => TensorType::new(DType::U8, row.shape.clone()),
                None => return Found::Poison,
            },
        };
        let field = Field {
            source: name.name.to_string(),
            formula: None,
            how: vec![Encode::AsIs],
            span: source.span,
        };
        // Ids are counted in `i32` whatever the source stores.
        let counted = schema.is_some_and(|column| column.classes.is_some());
        let ids = (counted || &*name.name == "label") && ty.dtype == DType::U8;
        let ty = if ids { TensorType::new(DType::I32, ty.shape) } else { ty };
        let (kind, span) = (ColumnKind::One(field), source.span);
        Found::Stored(Column { name: name.name.to_string(), kind, ty, wanted: Vec::new(), span })
    }

    /// The label of images, whose classes are called as their folders.
    fn folders(&self, name: &Ident, span: Span) -> Column {
        let classes = match self.schema_of(&name.name).and_then(|column| column.sample.as_ref()) {
            Some(sample) => Classes::Named(sample.words.clone()),
            None => Classes::Infer,
        };
        let chain = Chain { steps: vec![Encode::Class(classes)], kind: Kind::Ids(None), reads_numbers: None };
        self.stored(&name.name, &Made { source: name.name.to_string(), formula: None, chain, span })
    }

    /// Cells that the spec says nothing of are numbers, if the first rows do not say otherwise.
    fn inferred(&self, cx: &Ctx, name: &Ident, row: Option<&TensorType>) -> Found<'a> {
        let sample = self.schema_of(&name.name).and_then(|c| c.sample.as_ref());
        if sample.is_some_and(|s| !s.is_numeric()) {
            self.untyped(cx, name);
            return Found::Poison;
        }
        let ids = row.is_some_and(|row| row.dtype == DType::I32);
        let chain = match sample {
            Some(sample) if ids && sample.fractions == 0 => {
                Chain { steps: vec![Encode::Int], kind: Kind::Whole, reads_numbers: None }
            }
            Some(_) | None => Chain::inferred(),
        };
        let source = name.name.to_string();
        Found::Stored(self.stored(&name.name, &Made { source, formula: None, chain, span: name.span }))
    }

    /// What the first rows hold, for a message: `` `a`, `b`, … ``.
    fn words(&self, name: &str) -> (String, String) {
        let Some(sample) = self.schema_of(name).and_then(|c| c.sample.as_ref()) else {
            return (String::new(), String::new());
        };
        let shown: Vec<String> = sample.words.iter().map(|w| format!("`{w}`")).collect();
        let more = if sample.distinct > shown.len() { ", …" } else { "" };
        let values = format!("{} distinct values in the first {} rows", sample.distinct, sample.rows);
        (format!("{}{more}", shown.join(", ")), values)
    }

    fn untyped(&self, cx: &Ctx, name: &Ident) {
        let (words, counts) = self.words(&name.name);
        let text = self.schema_of(&name.name).and_then(|c| c.sample.as_ref()).is_some_and(Sample::is_text);
        let message = match text {
            true => format!("`{}` is text, and nothing says how it becomes numbers", name.name),
            false => format!("`{}` holds words among its numbers", name.name),
        };
        let d = Diagnostic::error("column::untyped", message, name.span, format!("holds {words}"));
        let at = self.section.entries.last().map_or(self.section.body, |e| e.span).end();
        cx.report(match text {
            true => d
                .help(format!(
                    "add `{0} : one_hot` to `{1}`, or `category`, or `class` for a label: {counts}",
                    name.name, self.name.name
                ))
                .fix(format!("add `{} : one_hot`", name.name), at, format!("\n  {} : one_hot", name.name)),
            false => d.help(format!(
                "if {words} stands for a missing value, say `missing=…` in the source and `{0} : impute(median)`; else \
                 add `{0} : one_hot`, `category` or `class`",
                name.name
            )),
        });
    }

    /// Whether a chain that wants numbers stands at a column of words, which is reported.
    pub(super) fn is_of_words(&self, cx: &Ctx, source: &Ident, chain: &Chain, at: Span) -> bool {
        let sample = self.schema_of(&source.name).and_then(|c| c.sample.as_ref());
        let (Some(sample), Some(first)) = (sample, chain.reads_numbers) else { return false };
        if !sample.is_text() {
            return false;
        }
        let (words, counts) = self.words(&source.name);
        let message = format!("`{}` is text, and `{first}` takes numbers", source.name);
        let d = Diagnostic::error("column::text", message, at, format!("holds {words}"));
        if first == "windows" {
            let help =
                "make ids of the text first: `chars |> windows(n)`, `words(vocab=10000) |> windows(n)`";
            cx.report(d.help(help));
            return true;
        }
        cx.report(d.help(format!(
            "make it `{0} : one_hot`, or `category`, or `class` for a label: {counts}; if all of them stand for missing \
             values, say `missing=…` in the source",
            source.name
        )));
        true
    }

    /// `d.row`: every `:` column side by side, less classes and those used otherwise.
    fn row(&self, cx: &Ctx<'a>, name: &Ident, windows: Option<Windows>) -> Found<'a> {
        if self.typed.iter().any(|(_, how)| matches!(how, How::Poison)) || self.source.is_none() {
            return Found::Poison;
        }
        let mut fields = self.row_fields(cx);
        for field in &mut fields {
            field.how.extend(windows.map(Encode::Windows));
        }
        if fields.is_empty() {
            let message = format!("`{}.row` is empty", self.name.name);
            let d =
                Diagnostic::error("column::row", message, name.span, "no `name : how` column is left for it");
            cx.report(d.help("give numeric columns a type, as in `age, hours : standardize`"));
            return Found::Poison;
        }
        let length = windows.map(|windows| Dim::from(windows.size));
        let ty = TensorType::f32(length.into_iter().chain([self.row_width(cx)]).collect::<Shape>());
        let kind = ColumnKind::Row(fields);
        Found::Stored(Column { name: name.name.to_string(), kind, ty, wanted: Vec::new(), span: name.span })
    }

    /// Whether something is made of `row`.
    pub(super) fn reads_rows(&self, cx: &Ctx<'a>) -> bool {
        let read = cx.read_columns(&self.name.name);
        let derived = walk::names_in(|f| self.derived.iter().for_each(|(_, e)| walk::expr(e, f)));
        read.contains("row") || read.contains("features") || derived.contains("row")
    }

    /// The typed columns that `row` is made of.
    fn row_chains(&self, cx: &Ctx<'a>) -> Vec<Made> {
        let taken = cx.read_columns(&self.name.name);
        let derived = walk::names_in(|f| self.derived.iter().for_each(|(_, e)| walk::expr(e, f)));
        let used = |name: &str| taken.contains(name) || derived.contains(name);
        let mut all = Vec::new();
        for (name, how) in &self.typed {
            if let How::Known(chain) = how
                && !chain.is_ids()
                && !used(&name.name)
                && let Named::Chain(made) = self.named(cx, name, self.typed_reach(&name.name))
            {
                all.push(Made { span: name.span, ..made });
            }
        }
        all
    }

    /// The entries among which a typed column is looked up: none for one of the source.
    fn typed_reach(&self, name: &str) -> usize {
        self.typed_entry(name).map_or(0, |at| at + 1)
    }

    pub(super) fn row_fields(&self, cx: &Ctx<'a>) -> Vec<Field> {
        self.row_chains(cx).iter().map(Made::field).collect()
    }

    /// `d.features`: a symbol where a width rests on the data.
    pub(super) fn row_width(&self, cx: &Ctx<'a>) -> Dim {
        let width = |made: &Made| match made.chain.kind {
            Kind::Vector(known) => known,
            Kind::Cell | Kind::Number | Kind::Whole | Kind::Ids(_) => Some(1),
            // `row` leaves them out.
            Kind::Tokens(_) | Kind::Sequence { .. } | Kind::Series { .. } | Kind::Frames { .. } => Some(0),
        };
        let known: Option<usize> = self.row_chains(cx).iter().map(width).sum();
        known.map_or_else(|| Dim::sym(&format!("{}.features", self.name.name)), Dim::from)
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
        let steps = match column.map(|c| &c.kind) {
            Some(ColumnKind::One(field)) => Some(field.how.as_slice()),
            Some(ColumnKind::Row(_)) => return None,
            None => self.typed.iter().find(|(n, _)| &*n.name == name).and_then(|(_, how)| match how {
                How::Known(chain) => Some(chain.steps.as_slice()),
                How::Poison => None,
            }),
        };
        let telling = steps.and_then(|steps| steps.iter().rfind(|step| !matches!(step, Encode::Shares(_))));
        match telling {
            Some(Encode::Class(classes)) => Some(named(classes).unwrap_or_else(unknown)),
            Some(Encode::AsIs) | None => match self.schema_of(name) {
                Some(column) => column.classes.map(Dim::from),
                None if name == "label" => Some(unknown()),
                None if name == "labels" => {
                    self.source.as_ref().and_then(|s| s.kind.voc()).map(|voc| Dim::from(voc.classes.len()))
                }
                None => None,
            },
            Some(_numbers) => None,
        }
    }

    /// The column that `stratify` names, in the source.
    pub(super) fn strata(&self, cx: &Ctx<'a>, name: &Ident) -> Option<String> {
        let computed = || {
            let message = format!("`{}` is computed, and rows are parted before that", name.name);
            let d = Diagnostic::error("data::split", message, name.span, "not a column of the source");
            cx.report(d.help("stratify by a column of the source with `: class`"));
        };
        let Found::Stored(column) = self.lookup(cx, name, self.derived.len(), None) else {
            if self.derived.iter().any(|(n, _)| n.name == name.name) {
                computed();
            }
            return None;
        };
        let ColumnKind::One(field) = &column.kind else { return None };
        if field.formula.is_some() {
            computed();
            return None;
        }
        if matches!(field.how.last(), Some(Encode::Class(_))) || self.classes(&name.name).is_some() {
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

    /// Where the spec scales a stored column, so that its 0 is no longer that of the source.
    pub(in crate::sema) fn scaled_at(&self, column: &str) -> Option<Span> {
        let moves = |step: &Encode| {
            matches!(
                step,
                Encode::Standardize | Encode::Minmax | Encode::Robust | Encode::Quantile { .. } | Encode::Log
            )
        };
        let columns = self.columns.borrow();
        match &columns.iter().find(|c| c.name == column)?.kind {
            ColumnKind::One(field) => field.how.iter().any(moves).then_some(field.span),
            ColumnKind::Row(_) => None,
        }
    }

    /// How many ids a stored column has: a symbol where only the data know; `None` of numbers.
    pub(in crate::sema) fn ids(&self, column: &str) -> Option<Dim> {
        if let Some(classes) = self.classes(column) {
            return Some(classes);
        }
        let columns = self.columns.borrow();
        let ColumnKind::One(field) = &columns.iter().find(|c| c.name == column)?.kind else { return None };
        let unknown = || Dim::sym(&format!("{}.{column}.vocab", self.name.name));
        field.how.iter().rev().find_map(|step| match step {
            Encode::Words(words) => Some(words.vocab.map_or_else(unknown, Dim::from)),
            Encode::Hashed { buckets } => Some(Dim::from(*buckets)),
            Encode::Category(_) | Encode::Chars { .. } | Encode::Bpe { .. } => Some(unknown()),
            _numbers => None,
        })
    }

    /// Where the spec makes a stored column.
    pub(in crate::sema) fn made_at(&self, column: &str) -> Option<Span> {
        self.columns.borrow().iter().find(|c| c.name == column).map(|c| c.span)
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
    pub(super) fn keep(&self, column: Column) {
        let mut columns = self.columns.borrow_mut();
        if !columns.iter().any(|c| c.name == column.name) {
            columns.push(column);
        }
    }
}

/// `row |> windows(n)`; other transforms take columns.
fn rows<'a>(cx: &Ctx<'a>, source: &Ident, stages: &[&Expr]) -> Named<'a> {
    let How::Known(made) = chain(cx, Some(&Chain::of(Kind::Vector(None))), stages) else {
        return Named::Poison;
    };
    if let [Encode::Windows(windows)] = made.steps.as_slice() {
        return Named::Rows(*windows);
    }
    let message = "`row` is made of columns that have their transforms already";
    let d = Diagnostic::error("column::row", message, source.span, "all typed columns side by side");
    cx.report(
        d.help("only `windows(n)` stands behind `row`; transform its columns: `age, hours : standardize`"),
    );
    Named::Poison
}

/// Whether the library has a function of a stage's name.
pub(super) fn is_function(cx: &Ctx, stage: &Expr) -> bool {
    let name = match &stage.bare().kind {
        ExprKind::Call { callee, .. } => callee.as_name(),
        _name => stage.as_name(),
    };
    name.is_some_and(|n| cx.library.op(&n.name).is_some() || builtins().any(|b| b.name == &*n.name))
}
