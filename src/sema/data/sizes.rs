//! Sizes that data sections know, or will know once files are read.

use super::Data;
use super::columns::{Found, Named};
use super::how::How;
use crate::base::{Dim, Span};
use crate::diag::Diagnostic;
use crate::ops::transform::Kind;
use crate::sema::ctx::{Ctx, Global};
use crate::syntax::ast::{Expr, ExprKind, Ident};

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
            if poisoned { unknown } else { Some(Some(data.row_width(cx))) }
        }
        (Some(column), "features") => Some(data.features(cx, column)),
        (Some(column), "vocab") => Some(data.vocab(cx, column, base.span.to(member.span))),
        (Some(column), "classes") => match data.classes(&column.name) {
            Some(classes) => Some(Some(classes)),
            None => {
                let message = format!("`{}` has no classes", column.name);
                let d = Diagnostic::error("column::classes", message, column.span, "not a class column");
                cx.report(d.help(format!("write `{} : class` in `{}`", column.name, section.name)));
                Some(None)
            }
        },
        (None, "vocab") => Some(data.only_vocab(cx, base.span.to(member.span))),
        _ => None,
    }
}

impl<'a> Data<'a> {
    /// `d.col.features`: how many numbers a row has of it; `None` is reported.
    fn features(&self, cx: &Ctx<'a>, column: &Ident) -> Option<Dim> {
        match self.lookup(cx, column, self.derived.len(), None) {
            Found::Stored(stored) => Some(stored.ty.shape.size()),
            Found::Poison => Some(Dim::sym(&format!("{}.{}.features", self.name.name, column.name))),
            Found::Derived(..) => {
                let message = format!("`{}` is computed, so the model knows its shape", column.name);
                let d = Diagnostic::error("column::size", message, column.span, "not from the source");
                cx.report(d.help("leave the size out, or write its number"));
                None
            }
        }
    }

    /// `d.vocab`: that of the one column of text; `None` is reported.
    fn only_vocab(&self, cx: &Ctx<'a>, at: Span) -> Option<Dim> {
        let names =
            self.derived.iter().map(|(name, _)| *name).chain(self.typed.iter().map(|(name, _)| *name));
        let mut texts: Vec<&Ident> = Vec::new();
        for name in names {
            let named = self.named(cx, name, self.derived.len());
            let of_text = matches!(&named, Named::Chain(made)
                if matches!(made.chain.kind, Kind::Tokens(_) | Kind::Sequence { .. }));
            if matches!(named, Named::Poison) {
                return Some(Dim::sym(&format!("{}.vocab", self.name.name)));
            }
            if of_text && !texts.iter().any(|t| t.name == name.name) {
                texts.push(name);
            }
        }
        if let [only] = texts.as_slice() {
            return self.vocab(cx, only, at).map(|vocab| vocab.bind(&cx.settings.bindings));
        }
        let section = &self.name.name;
        let (message, help) = match texts.as_slice() {
            [] => (
                format!("`{section}` has no column of text, so it has no vocabulary"),
                format!(
                    "make ids of a text, `tokens = text |> words(vocab=10000) |> pad(200)`, or name a column:                          `{section}.col.vocab`"
                ),
            ),
            [first, ..] => (
                format!("`{section}` has several vocabularies"),
                format!("say which: `{section}.{}.vocab`", first.name),
            ),
        };
        cx.report(Diagnostic::error("column::size", message, at, "of which column?").help(help));
        None
    }

    /// `d.col.vocab`: how many ids it has; `None` is reported.
    fn vocab(&self, cx: &Ctx<'a>, column: &Ident, at: Span) -> Option<Dim> {
        let symbol = Dim::sym(&format!("{}.{}.vocab", self.name.name, column.name));
        let kind = match self.named(cx, column, self.derived.len()) {
            Named::Chain(made) => Some(made.chain.kind),
            Named::Poison => return Some(symbol),
            Named::Rows(_) | Named::Derived(..) | Named::Raw => None,
        };
        match kind {
            Some(Kind::Ids(known) | Kind::Tokens(known) | Kind::Sequence { vocab: known, .. }) => {
                Some(known.map_or(symbol, Dim::from))
            }
            Some(
                Kind::Cell
                | Kind::Number
                | Kind::Whole
                | Kind::Vector(_)
                | Kind::Series { .. }
                | Kind::Frames { .. },
            )
            | None => {
                let message = format!("`{}` has no vocabulary", column.name);
                let d = Diagnostic::error("column::size", message, at, "of no ids");
                cx.report(d.help(format!("write `{} : category` in `{}`", column.name, self.name.name)));
                None
            }
        }
    }
}
