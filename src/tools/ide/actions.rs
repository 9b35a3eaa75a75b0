//! What an editor offers to do: fixes of diagnostics, repairs that are tried out first, small rewritings.
//!
//! A fix is what a diagnostic itself offers. A repair is a guess: it is offered only if a check of the changed
//! text finds the mistake gone and no other in its place.

mod repairs;

use super::Analysis;
use super::edit::{Edit, applied};
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::sema::walk;
use crate::syntax::ast::*;
use crate::tools::fixes;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// Answers a diagnostic.
    QuickFix,
    /// Says the same in another way.
    Refactor,
    /// Answers all that can be answered at once.
    FixAll,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    pub title: String,
    pub kind: ActionKind,
    pub edits: Vec<Edit>,
    /// Which of the analysis' diagnostics it answers.
    pub diagnostic: Option<usize>,
    /// Whether it is the one that is right.
    pub preferred: bool,
}

/// What is wrong with a text in place of the one at hand.
pub type Check<'a> = &'a dyn Fn(&str) -> Vec<Diagnostic>;

/// More diagnostics than a place has; the rest of a flood is not tried out.
const MOST: usize = 8;

/// The actions for a selection, of the kinds that are wanted.
pub fn actions(
    analysis: &Analysis,
    at: Span,
    wanted: &dyn Fn(ActionKind) -> bool,
    check: Check,
) -> Vec<Action> {
    let mut all = Vec::new();
    if wanted(ActionKind::QuickFix) {
        for (i, d) in analysis.diagnostics.iter().enumerate().filter(|(_, d)| concerns(d, at)).take(MOST) {
            all.extend(fix(analysis, i, d));
            all.extend(repairs::repairs(analysis, i, d, check));
        }
    }
    if wanted(ActionKind::Refactor) {
        all.extend(typed(analysis, at, check));
    }
    if wanted(ActionKind::FixAll) {
        all.extend(fix_all(analysis, check));
    }
    all
}

/// Whether a diagnostic has something to say at a selection.
fn concerns(d: &Diagnostic, at: Span) -> bool {
    let fix = d.fix.iter().map(|fix| fix.span);
    d.labels.iter().map(|label| label.span).chain(fix).any(|span| touches(span, at))
}

fn touches(a: Span, b: Span) -> bool {
    a.file == b.file && a.lo <= b.hi && b.lo <= a.hi
}

/// What the diagnostic itself offers.
fn fix(analysis: &Analysis, i: usize, d: &Diagnostic) -> Option<Action> {
    let fix = d.fix.as_ref().filter(|fix| fix.span.file == analysis.file)?;
    Some(Action {
        title: fix.title.clone(),
        kind: ActionKind::QuickFix,
        edits: vec![Edit { span: fix.span, text: fix.replacement.clone() }],
        diagnostic: Some(i),
        preferred: true,
    })
}

/// Every fix that leaves less wrong.
fn fix_all(analysis: &Analysis, check: Check) -> Option<Action> {
    let text = analysis.text();
    let fixed = fixes::fixed(text.to_string(), analysis.diagnostics.clone(), analysis.file, check);
    let count = fixed.done.len();
    (count > 0).then(|| Action {
        title: if count == 1 { "apply the fix".into() } else { format!("apply all {count} fixes") },
        kind: ActionKind::FixAll,
        edits: super::edit::between(analysis.file, text, &fixed.text),
        diagnostic: None,
        preferred: false,
    })
}

/// `let h = …` with its type written out.
fn typed(analysis: &Analysis, at: Span, check: Check) -> Option<Action> {
    let name = untyped(&analysis.ast).into_iter().find(|name| touches(name.span, at))?;
    let known = analysis.facts.types.get(&name.span).filter(|known| !known.varies)?;
    let [ty] = known.types.as_slice() else { return None };
    let edits = vec![Edit { span: name.span.end(), text: format!(": {ty}") }];
    let found = check(&applied(analysis.text(), &edits));
    (found.len() <= analysis.diagnostics.len()).then(|| Action {
        title: format!("write the type of `{}`: {ty}", name.name),
        kind: ActionKind::Refactor,
        edits,
        diagnostic: None,
        preferred: false,
    })
}

/// Names that have a type and do not say it.
fn untyped(file: &File) -> Vec<&Ident> {
    let bodies = file.items.iter().flat_map(|item| body(&item.kind));
    bodies
        .filter_map(|entry| match &entry.kind {
            EntryKind::Let { names, ty: None, .. } => match names.as_slice() {
                [name] => Some(name),
                _several => None,
            },
            EntryKind::Output { name, ty: None, .. } => Some(name),
            EntryKind::Let { .. } | EntryKind::Output { .. } | EntryKind::Input { .. } => None,
            EntryKind::Bind { .. } | EntryKind::Typed { .. } | EntryKind::Section(_) | EntryKind::Broken => {
                None
            }
        })
        .collect()
}

/// The entries of what computes.
fn body(item: &ItemKind) -> &[Entry] {
    match item {
        ItemKind::Block(block) => &block.body,
        ItemKind::Section(section) => &section.entries,
        ItemKind::Op(op) => match &op.body {
            OpBody::Body(entries) => entries,
            OpBody::Formula(_) => &[],
        },
        ItemKind::Param { .. } | ItemKind::Dim { .. } | ItemKind::Import { .. } | ItemKind::Broken => &[],
    }
}

/// The stages that tensors flow into by a pipe, with what flows, in order of place.
fn stages(file: &File) -> Vec<(&Expr, &Expr)> {
    let mut all = Vec::new();
    for item in &file.items {
        walk::item(item, &mut |e| {
            if let ExprKind::Pipe { input, stage } = &e.kind {
                all.push((&**input, &**stage));
            }
        });
    }
    all.sort_by_key(|(_, stage)| stage.span);
    all
}
