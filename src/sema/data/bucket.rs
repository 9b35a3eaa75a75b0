//! `bucket = tokens`: the column, and the name of the size that it is padded to.

use super::Data;
use super::columns::{Made, Named};
use super::how::{Chain, stages};
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::sema::ctx::{Ctx, Global, list, suggest};
use crate::sema::job::{BucketPlan, Encode};
use crate::syntax::ast::{EntryKind, Expr, ExprKind, Ident};

impl<'a> Data<'a> {
    /// Reads the key; `None` is reported. Shorter lengths are known once the whole spec is right.
    pub(super) fn bucketed(&self, cx: &Ctx<'a>, value: &Expr) -> Option<BucketPlan> {
        let Some(name) = value.as_name() else {
            cx.wants("bucket", "the name of a column", "value of another kind", value.span);
            return None;
        };
        let length = match self.named(cx, name, self.derived.len()) {
            Named::Chain(Made { chain, .. }) if let Some(length) = pads(&chain) => length,
            Named::Poison => return None,
            Named::Raw if !self.has_column(name) => {
                let padded = self.padded(cx);
                let message = format!("`{}` has no column `{}`", self.name.name, name.name);
                let d = Diagnostic::error("column::unknown", message, name.span, "no such column");
                cx.report(suggest(d, "column", name, padded.iter().map(String::as_str)));
                return None;
            }
            Named::Chain(_) | Named::Rows(_) | Named::Derived(..) | Named::Raw => {
                cx.report(self.unpadded(cx, name));
                return None;
            }
        };
        let size = self.size_of_pad(cx, name)?;
        Some(BucketPlan { size, length, shorter: Vec::new(), span: value.span })
    }

    /// The param or dim that a column is padded to.
    fn size_of_pad(&self, cx: &Ctx<'a>, column: &Ident) -> Option<String> {
        let chain = self.chain_of(column)?;
        let argument = match &stages(chain).last()?.bare().kind {
            ExprKind::Call { args, .. } => {
                let n = args.iter().find(|arg| arg.name.as_ref().is_some_and(|name| &*name.name == "n"));
                &n.or(args.iter().find(|arg| arg.name.is_none()))?.value
            }
            // Another name of a padded column.
            _ => {
                let d = wrong(
                    format!("`{}` is another column under a second name", column.name),
                    column.span,
                    "padded elsewhere",
                );
                cx.report(d.help("name the column whose chain ends in `pad(…)`"));
                return None;
            }
        };
        let size = argument.as_name();
        match size.and_then(|size| Some((size, cx.globals.get(&size.name)?))) {
            Some((size, (_, Global::Param | Global::Dim))) => Some(size.name.to_string()),
            _ => {
                cx.report(unnamed(cx, argument));
                None
            }
        }
    }

    /// What the section says of a column that is a chain.
    fn chain_of(&self, column: &Ident) -> Option<&'a Expr> {
        let derived = self.derived.iter().rev().find(|(name, _)| name.name == column.name);
        let typed = self.section.entries.iter().find_map(|entry| match &entry.kind {
            EntryKind::Typed { names, how } if names.iter().any(|n| n.name == column.name) => Some(how),
            _ => None,
        });
        // `name : how` behind `name = …` goes on with the chain.
        typed.or(derived.map(|(_, expr)| *expr))
    }

    /// The names of columns that are padded.
    fn padded(&self, cx: &Ctx<'a>) -> Vec<String> {
        let derived = self.derived.iter().map(|(name, _)| *name);
        let names = derived.chain(self.typed.iter().map(|(name, _)| *name));
        let padded = names.filter(|name| {
            matches!(self.named(cx, name, self.derived.len()), Named::Chain(made) if pads(&made.chain).is_some())
        });
        padded.map(|name| name.name.to_string()).collect()
    }

    fn unpadded(&self, cx: &Ctx<'a>, name: &Ident) -> Diagnostic {
        let message = format!("`{}` is not padded, so its rows have no lengths of their own", name.name);
        let d = wrong(message, name.span, "no column of `pad(n)`");
        match list(self.padded(cx).iter().map(String::as_str)) {
            Some(padded) => d.help(format!("name a column that is padded: {padded}")),
            None => d.help("take `bucket` out: no column of this section is padded"),
        }
    }
}

/// The length that a chain pads rows to, if it does.
fn pads(chain: &Chain) -> Option<usize> {
    match chain.steps.last() {
        Some(Encode::Pad { length, .. }) => Some(*length),
        _ => None,
    }
}

fn wrong(message: String, at: Span, label: &str) -> Diagnostic {
    Diagnostic::error("data::bucket", message, at, label)
}

/// A length that has no name, so that no other can be put in its place.
fn unnamed(cx: &Ctx, argument: &Expr) -> Diagnostic {
    let text = cx.text(argument.span);
    let message = "batches of other lengths need a name for the length".to_string();
    let d = wrong(message, argument.span, "no name of a dim or param");
    let value = match argument.bare().kind {
        ExprKind::Int(_) => text,
        _ => "400",
    };
    d.help(format!(
        "write `dim T = {value}` above the section, `pad(T)` here, and `T` wherever the spec means this length"
    ))
}
