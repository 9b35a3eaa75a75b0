//! The inside of an op: its names, `let`s and outputs.

use super::decl::OpDecl;
use super::item::{Item, Never};
use super::{Checked, Eval, Memo, Reported, Scope};
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::syntax::ast::{Entry, EntryKind, Expr, Ident, OpBody};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The names inside an op: its parameters, its sizes, its `let`s.
#[derive(Default)]
pub(in crate::ops) struct Body {
    pub(super) names: BTreeMap<Arc<str>, Item>,
    pub(super) used: BTreeSet<Arc<str>>,
    /// Names of `let`s with a mistake.
    pub(super) broken: BTreeSet<Arc<str>>,
    pub(super) memo: Memo,
}

impl Scope for Body {
    type Entity = Never;

    fn expr(_: &mut Eval<'_, Self>, _: &Expr) -> Option<Checked<Item>> {
        None
    }

    fn name(&mut self, name: &Ident) -> Option<Item> {
        let item = self.names.get(&name.name)?.clone();
        self.used.insert(name.name.clone());
        Some(item)
    }

    fn names(&self) -> Vec<String> {
        self.names.keys().map(|n| n.to_string()).collect()
    }

    fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(name)
    }

    fn memo(&self) -> Memo {
        self.memo.clone()
    }

    fn describe(&self, entity: &Never) -> String {
        match *entity {}
    }
}

/// The body's results, one for each of the signature's, with their places.
pub(super) fn evaluate(ev: &mut Eval<'_, Body>, op: &OpDecl) -> Checked<Vec<(Item, Span)>> {
    match &op.body {
        OpBody::Formula(expr) => Ok(vec![(ev.eval(expr)?, expr.span)]),
        OpBody::Body(entries) => {
            let mut outputs: Vec<(Arc<str>, Item, Span)> = Vec::new();
            let mut ok = Ok(());
            for entry in entries {
                ok = entry_of(ev, entry, &mut outputs).and(ok);
            }
            ok?;
            unused_lets(ev, entries)?;
            pick_results(ev, op, outputs)
        }
    }
}

fn entry_of(
    ev: &mut Eval<'_, Body>,
    entry: &Entry,
    outputs: &mut Vec<(Arc<str>, Item, Span)>,
) -> Checked<()> {
    match &entry.kind {
        EntryKind::Let { names, ty: None, value } => {
            let bound = let_of(ev, names, value);
            if bound.is_err() {
                ev.scope.broken.extend(names.iter().map(|n| n.name.clone()));
            }
            bound
        }
        EntryKind::Output { name, ty: None, value } => {
            let item = ev.eval(value)?;
            outputs.push((name.name.clone(), item, value.span));
            Ok(())
        }
        EntryKind::Broken => Err(Reported),
        EntryKind::Let { ty: Some(ty), .. } | EntryKind::Output { ty: Some(ty), .. } => ev.fail(
            Diagnostic::error("op::entry", "types stand in the op's signature", ty.span, "not needed here")
                .help("remove it"),
        ),
        EntryKind::Input { .. }
        | EntryKind::Bind { .. }
        | EntryKind::Typed { .. }
        | EntryKind::Section(_) => ev.fail(
            Diagnostic::error(
                "op::entry",
                "an op's body has `let` and `output` alone",
                entry.span,
                "not these",
            )
            .help("write `let name = …` or `output name = …`"),
        ),
    }
}

fn let_of(ev: &mut Eval<'_, Body>, names: &[Ident], value: &Expr) -> Checked<()> {
    let items = match (ev.eval(value)?, names.len()) {
        (item, 1) => vec![item],
        (Item::Tuple(items), n) if items.len() == n => items,
        (item, n) => {
            let found = ev.describe(&item);
            return ev.fail(
                Diagnostic::error("let::count", format!("{n} names for {found}"), value.span, found.clone())
                    .help("give each result one name"),
            );
        }
    };
    let defined: Vec<_> = names.iter().zip(items).map(|(name, item)| define(ev, name, item)).collect();
    defined.into_iter().collect()
}

fn define(ev: &mut Eval<'_, Body>, name: &Ident, item: Item) -> Checked<()> {
    if ev.scope.names.contains_key(&name.name) || ev.scope.broken.contains(&name.name) {
        return ev.fail(
            Diagnostic::error(
                "name::shadowed",
                format!("`{}` is taken", name.name),
                name.span,
                "named again here",
            )
            .help("choose another name"),
        );
    }
    ev.scope.names.insert(name.name.clone(), item);
    Ok(())
}

fn unused_lets(ev: &mut Eval<'_, Body>, entries: &[Entry]) -> Checked<()> {
    let mut ok = Ok(());
    for entry in entries {
        if let EntryKind::Let { names, .. } = &entry.kind {
            for name in names.iter().filter(|n| !n.name.starts_with('_')) {
                if !ev.scope.used.contains(&name.name) {
                    let d = Diagnostic::error(
                        "name::unused",
                        format!("`{}` is never used", name.name),
                        name.span,
                        "never used",
                    );
                    ok = ev.fail(d.help("use it, or remove the line"));
                }
            }
        }
    }
    ok
}

/// Outputs in the order of the signature.
fn pick_results(
    ev: &mut Eval<'_, Body>,
    op: &OpDecl,
    mut outputs: Vec<(Arc<str>, Item, Span)>,
) -> Checked<Vec<(Item, Span)>> {
    let named = op.results.iter().all(|(name, _)| name.is_some());
    if outputs.len() != op.results.len() {
        let (wanted, found) = (op.results.len(), outputs.len());
        return ev.fail(
            Diagnostic::error(
                "op::result",
                format!("`{}` has {wanted} results, but its body has {found} outputs", op.name),
                op.name_span,
                "declared here",
            )
            .help("write one `output` for each result of the signature"),
        );
    }
    if !named {
        let (_, item, span) = outputs.remove(0);
        return Ok(vec![(item, span)]);
    }
    let mut picked = Vec::new();
    for (name, pattern) in &op.results {
        let name = name.as_ref().expect("decl: named results all have names");
        match outputs.iter().position(|(n, _, _)| n == name) {
            Some(at) => {
                let (_, item, span) = outputs.remove(at);
                picked.push((item, span));
            }
            None => {
                return ev.fail(
                    Diagnostic::error(
                        "op::result",
                        format!("`{}` has no `output {name}`", op.name),
                        pattern.span,
                        format!("`{name}` is promised here"),
                    )
                    .help(format!("add `output {name} = …` to the body")),
                );
            }
        }
    }
    Ok(picked)
}
