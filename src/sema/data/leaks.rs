//! What of a leak shows in the text alone: which columns are inputs, which are targets, and what
//! warnings the author has answered with `allow = [duplicates]`.

use super::Data;
use crate::base::Span;
use crate::diag::{Diagnostic, Severity};
use crate::sema::ctx::Ctx;
use crate::sema::file::ast_sections;
use crate::sema::job::{Field, Leak, Roles};
use crate::sema::walk;
use crate::syntax::ast::{EntryKind, Expr, ExprKind, File, Section};
use std::collections::BTreeSet;

/// Reads `allow = [duplicates, target]`.
pub(super) fn allowed(cx: &Ctx, expr: &Expr) -> Vec<Leak> {
    let words = match &expr.bare().kind {
        ExprKind::List(items) => items.iter().collect(),
        _ => vec![expr],
    };
    let leak = |word: &&Expr| {
        let Some(name) = word.as_name() else {
            cx.wants("allow", "a list of leaks: `[duplicates]`", "value", word.span);
            return None;
        };
        let found = Leak::ALL.into_iter().find(|leak| leak.word() == &*name.name);
        if found.is_none() {
            cx.unknown("leak::allow", "leak", name, Leak::ALL.map(Leak::word));
        }
        found
    };
    words.iter().filter_map(leak).collect()
}

/// A name of the feed, with the columns of the source behind it.
struct Fed<'a> {
    name: &'a str,
    span: Span,
    columns: BTreeSet<String>,
    /// Cut out of rows: its parts are not the whole.
    cut: bool,
}

/// Which columns of a source feed models, and which are compared with what they give.
pub(in crate::sema) fn roles<'a>(cx: &Ctx<'a>, file: &'a File, data: &Data<'a>) -> Roles {
    let mut roles = Roles::default();
    let inputs = model_inputs(file);
    for train in ast_sections(file, "train") {
        let (fed, targets) = (feed(cx, train, data), loss_names(train));
        let is_input = |f: &&Fed| inputs.contains(f.name);
        for input in fed.iter().filter(is_input) {
            roles.inputs.extend(input.columns.iter().cloned());
        }
        // An input that the loss compares with as well is to be rebuilt: no leak.
        for target in fed.iter().filter(|f| targets.contains(f.name) && !is_input(f)) {
            roles.targets.extend(target.columns.iter().cloned());
            for input in fed.iter().filter(is_input).filter(|input| !input.cut || !target.cut) {
                if let Some(column) = input.columns.intersection(&target.columns).next() {
                    target_is_input(cx, data, column, input, target);
                }
            }
        }
    }
    roles
}

fn target_is_input(cx: &Ctx, data: &Data, column: &str, input: &Fed, target: &Fed) {
    if data.allow.contains(&Leak::Target) {
        return;
    }
    let (target_name, input_name) = (target.name, input.name);
    let message = format!(
        "`{target_name}` is to be predicted, and the input `{input_name}` is made of `{column}` as well"
    );
    let d = Diagnostic::error(Leak::Target.code(), message, target.span, "the target")
        .label(input.span, "an input of the model")
        .help(format!(
            "feed the model without it; if it is meant, write `allow = [target]` in `data {}`",
            data.name.name
        ));
    cx.report(Diagnostic { severity: Severity::Warning, ..d });
}

/// Names that any model of the file takes as inputs.
fn model_inputs(file: &File) -> BTreeSet<&str> {
    let entries = ast_sections(file, "model").flat_map(|s| &s.entries);
    entries
        .filter_map(|e| match &e.kind {
            EntryKind::Input { name, .. } => Some(&*name.name),
            EntryKind::Let { .. }
            | EntryKind::Output { .. }
            | EntryKind::Bind { .. }
            | EntryKind::Typed { .. }
            | EntryKind::Section(_)
            | EntryKind::Broken => None,
        })
        .collect()
}

/// Names that stand in a loss by place: by name stand weights and other settings.
fn loss_names(train: &Section) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let is_loss = |e: &&crate::syntax::ast::Entry| match &e.kind {
        EntryKind::Bind { path, .. } => path.parts.len() == 1 && &*path.parts[0].name == "loss",
        EntryKind::Input { .. }
        | EntryKind::Let { .. }
        | EntryKind::Output { .. }
        | EntryKind::Typed { .. }
        | EntryKind::Section(_)
        | EntryKind::Broken => false,
    };
    for entry in train.entries.iter().filter(is_loss) {
        walk::entry(entry, &mut |expr| {
            if let ExprKind::Call { args, .. } = &expr.kind {
                let by_place = args.iter().filter(|a| a.name.is_none());
                names.extend(by_place.filter_map(|a| a.value.as_name()).map(|n| &*n.name));
            }
        });
    }
    names
}

fn feed<'a>(cx: &Ctx<'a>, train: &'a Section, data: &Data<'a>) -> Vec<Fed<'a>> {
    let sections = train.entries.iter().filter_map(|e| match &e.kind {
        EntryKind::Section(s) if &*s.word.name == "feed" => Some(s),
        EntryKind::Section(_)
        | EntryKind::Input { .. }
        | EntryKind::Let { .. }
        | EntryKind::Output { .. }
        | EntryKind::Bind { .. }
        | EntryKind::Typed { .. }
        | EntryKind::Broken => None,
    });
    let mut all = Vec::new();
    for entry in sections.flat_map(|s| &s.entries) {
        let EntryKind::Bind { path, value } = &entry.kind else { continue };
        let Some(name) = path.parts.first() else { continue };
        let mut fed = Fed { name: &name.name, span: entry.span, columns: BTreeSet::new(), cut: false };
        walk::expr(value, &mut |e| {
            fed.cut |= matches!(e.kind, ExprKind::Index { .. });
            if let ExprKind::Member(base, member) = &e.kind
                && base.as_name().is_some_and(|n| n.name == data.name.name)
            {
                data.behind(cx, &member.name, &mut fed.columns);
            }
        });
        all.push(fed);
    }
    all
}

impl<'a> Data<'a> {
    /// Adds the columns of the source that a column of the section is made of.
    fn behind(&self, cx: &Ctx<'a>, name: &str, columns: &mut BTreeSet<String>) {
        // A column may be made of the source's of the same name, so what counts is what stands above.
        let mut open = vec![(name, self.derived.len())];
        let mut seen = BTreeSet::new();
        while let Some((name, before)) = open.pop() {
            let Some(at) = self.made_above(name, before) else {
                if name == "row" {
                    let fields = self.row_fields(cx);
                    columns.extend(fields.iter().flat_map(Field::sources).map(str::to_string));
                } else {
                    columns.insert(name.to_string());
                }
                continue;
            };
            if !seen.insert(at) {
                continue;
            }
            for from in walk::names_in(|f| walk::expr(self.derived[at].1, f)) {
                // Others are params and functions.
                let made = from == "row" || self.made_above(from, at).is_some();
                if made || from == name || self.is_own(from, at) {
                    open.push((from, at));
                }
            }
        }
    }

    /// The last entry above one that makes a column.
    fn made_above(&self, name: &str, before: usize) -> Option<usize> {
        self.derived[..before].iter().rposition(|(n, _)| &*n.name == name)
    }

    /// Whether an entry reads the source's column of that name, as far as anyone knows.
    fn is_own(&self, name: &str, at: usize) -> bool {
        let typed = self.typed.iter().any(|(n, _)| &*n.name == name) && self.typed_entry(name).is_none();
        let made = self.made_above(name, at).is_some();
        typed || (!made && self.known_columns().is_some_and(|all| all.iter().any(|c| c == name)))
    }
}
