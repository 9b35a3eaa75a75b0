//! Values that must be known while checking: counts, rates, flags, paths.

use super::ctx::Ctx;
use super::job::ParamValue;
use crate::base::{Dim, Span};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::Builder;
use crate::ops::attrs::{attrs, choose};
use crate::ops::formula::{Checked, Eval, Item, Never, Number, Reported, Scope};
use crate::ops::{AttrValue, Sig};
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident};

/// Params, dims and sizes of the data; no tensors.
struct Constants<'c, 'a> {
    cx: &'c Ctx<'a>,
}

impl Scope for Constants<'_, '_> {
    type Entity = Never;

    fn expr(ev: &mut Eval<'_, Self>, expr: &Expr) -> Option<Checked<Item>> {
        match &expr.kind {
            // A param whose value is wrong is reported where it is made.
            ExprKind::Name(name) if ev.scope.cx.is_poisoned(&name.name) => Some(Err(Reported)),
            ExprKind::Member(base, member) => {
                ev.scope.cx.data_size(base, member).map(|known| known.map(Item::int).ok_or(Reported))
            }
            _ => None,
        }
    }

    fn name(&mut self, name: &Ident) -> Option<Item> {
        self.cx.value(&name.name).map(item)
    }

    fn names(&self) -> Vec<String> {
        self.cx.values.borrow().keys().map(|k| k.to_string()).collect()
    }

    fn describe(&self, entity: &Never) -> String {
        match *entity {}
    }
}

/// The value of a param as an expression's worth.
pub(super) fn item<E>(value: ParamValue) -> Item<E> {
    match value {
        ParamValue::Int(n) => Item::int(n),
        ParamValue::Float(x) => Item::float(x),
        ParamValue::Bool(x) => Item::Bool(x),
        ParamValue::Str(text) => Item::Text(text),
    }
}

/// How a value is called in messages: `int`, `float`, `bool`, `str`.
pub(super) fn kind<E>(item: &Item<E>) -> &'static str {
    match item {
        Item::Number(Number::Int(_)) => "int",
        Item::Number(Number::Float(_)) => "float",
        Item::Bool(_) => "bool",
        Item::Text(_) => "str",
        Item::Tensor(_) => "tensor",
        Item::Tuple(_) => "list",
        Item::Entity(_) => "layer",
    }
}

impl Ctx<'_> {
    /// What a constant expression is worth; `None` is reported.
    pub fn constant(&self, expr: &Expr) -> Option<Item> {
        let mut b = Builder::new("constants");
        let mut found = Diagnostics::new();
        let mut scope = Constants { cx: self };
        let result = Eval::new(&self.library, &mut b, &mut found, &mut scope).eval(expr);
        self.diags.borrow_mut().extend(found.sorted());
        result.ok()
    }

    /// The settings of a call, one for each of the signature; `None` is reported.
    pub fn settings(&self, sig: &Sig, args: &[Arg], call: Span) -> Option<Vec<AttrValue>> {
        let mut b = Builder::new("settings");
        let mut found = Diagnostics::new();
        let mut scope = Constants { cx: self };
        let mut ev = Eval::new(&self.library, &mut b, &mut found, &mut scope);
        let values = attrs(&mut ev, sig, args, call);
        self.diags.borrow_mut().extend(found.sorted());
        values.ok().map(|values| values.into_iter().map(|(value, _)| value).collect())
    }

    /// A whole number of at least `min`, for the key or argument `what`.
    pub fn count(&self, what: &str, expr: &Expr, min: i64) -> Option<i64> {
        let found = self.constant(expr)?;
        match &found {
            Item::Number(Number::Int(dim)) => match dim.as_const() {
                Some(n) if n >= min => Some(n),
                Some(n) => {
                    self.range(what, format!("at least {min}"), n, expr.span);
                    None
                }
                None => {
                    self.wants(what, "a plain number", "size", expr.span);
                    None
                }
            },
            other => {
                self.wants(what, "a whole number", kind(other), expr.span);
                None
            }
        }
    }

    /// A number between `min` and `max`.
    pub fn real(&self, what: &str, expr: &Expr, min: f64, max: f64) -> Option<f64> {
        let found = self.constant(expr)?;
        let value = match &found {
            Item::Number(n) => n.as_f64(),
            _ => None,
        };
        match value {
            Some(x) if x >= min && x <= max => Some(x),
            Some(x) => {
                let bound =
                    if max.is_finite() { format!("from {min} to {max}") } else { format!("at least {min}") };
                self.range(what, bound, x, expr.span);
                None
            }
            None => {
                self.wants(what, "a number", kind(&found), expr.span);
                None
            }
        }
    }

    pub fn flag(&self, what: &str, expr: &Expr) -> Option<bool> {
        match self.constant(expr)? {
            Item::Bool(x) => Some(x),
            other => {
                self.wants(what, "`true` or `false`", kind(&other), expr.span);
                None
            }
        }
    }

    pub fn string(&self, what: &str, expr: &Expr) -> Option<String> {
        match self.constant(expr)? {
            Item::Text(text) => Some(text),
            other => {
                self.wants(what, "a string in quotes", kind(&other), expr.span);
                None
            }
        }
    }

    /// A bare word, or a string: a name of something outside the spec.
    pub fn word(&self, what: &str, expr: &Expr) -> Option<String> {
        match &expr.bare().kind {
            ExprKind::Name(name) => Some(name.name.to_string()),
            ExprKind::Str(text) => Some(text.clone()),
            ExprKind::Broken => None,
            _ => {
                let message = format!("`{what}` takes a word");
                let d = Diagnostic::error("value::type", message, expr.span, "not a word");
                self.report(d.help("write a bare word, or a string in quotes"));
                None
            }
        }
    }

    pub fn wants(&self, what: &str, wanted: &str, found: &str, span: Span) {
        let article = if found.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        self.report(
            Diagnostic::error(
                "value::type",
                format!("`{what}` takes {wanted}"),
                span,
                format!("this is {article} {found}"),
            )
            .help(format!("write {wanted}")),
        );
    }

    fn range(&self, what: &str, bound: String, found: impl std::fmt::Display, span: Span) {
        self.report(
            Diagnostic::error(
                "value::range",
                format!("`{what}` must be {bound}, but is {found}"),
                span,
                "out of range",
            )
            .help(choose(&bound)),
        );
    }

    /// `people.features` and its like: the outer `None` is not a size of data at all, the inner
    /// one is a mistake that is reported.
    pub fn data_size(&self, base: &Expr, member: &Ident) -> Option<Option<Dim>> {
        let found = super::data::size_of(self, base, member);
        if let Some(Some(size)) = &found {
            self.facts.size(base.span.to(member.span), size);
        }
        found
    }
}
