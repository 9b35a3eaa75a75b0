//! Columns that are made and never read.

use super::Data;
use super::how::How;
use crate::diag::Diagnostic;
use crate::sema::ctx::Ctx;
use crate::sema::walk;
use crate::syntax::ast::{Entry, EntryKind, ExprKind, File, Ident, ItemKind, Section};

impl Ctx<'_> {
    /// Members of a data section that anything outside `data` reads: `people.income`.
    pub fn read_columns(&self, section: &str) -> std::collections::BTreeSet<&str> {
        // What a section that is misspelt reads may be meant for this one.
        let meant = |base: &str| base == section || !self.globals.contains_key(base);
        self.reads.iter().filter(|(base, _)| meant(base)).flat_map(|(_, columns)| columns).copied().collect()
    }
}

/// Columns that are made and never read.
pub(in crate::sema) fn unused<'a>(cx: &Ctx<'a>, data: &Data<'a>, file: &File) {
    // Without a feed, which is reported, nothing could be read.
    let feed = |e: &Entry| matches!(&e.kind, EntryKind::Section(s) if &*s.word.name == "feed");
    let train = |s: &Section| &*s.word.name == "train" && s.entries.iter().any(feed);
    if !file.items.iter().any(|i| matches!(&i.kind, ItemKind::Section(s) if train(s))) {
        return;
    }
    let read = cx.read_columns(&data.name.name);
    let row = data.reads_rows(cx);
    let mut inside = inner_names(data.section);
    inside.extend(grouped_by(file));
    for (at, (name, _)) in data.derived.iter().enumerate() {
        let later = walk::names_in(|f| data.derived[at + 1..].iter().for_each(|(_, e)| walk::expr(e, f)));
        // What is typed besides is said below, once.
        if data.typed_entry(&name.name) == Some(at) && data.typed.iter().any(|(n, _)| n.name == name.name) {
            continue;
        }
        if !read.contains(&*name.name) && !later.contains(&*name.name) && !inside.contains(&*name.name) {
            not_read(cx, data, name);
        }
    }
    let derived = walk::names_in(|f| data.derived.iter().for_each(|(_, e)| walk::expr(e, f)));
    for (name, how) in &data.typed {
        let class = matches!(how, How::Known(chain) if chain.is_ids());
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

/// Columns that metrics are grouped by.
fn grouped_by(file: &File) -> std::collections::BTreeSet<&str> {
    let mut names = std::collections::BTreeSet::new();
    for item in &file.items {
        walk::item(item, &mut |e| {
            if let ExprKind::By { column, .. } = &e.kind {
                names.insert(&*column.name);
            }
        });
    }
    names
}

fn not_read(cx: &Ctx, data: &Data, name: &Ident) {
    let message = format!("column `{}` is made but never used", name.name);
    let d = Diagnostic::error("column::unused", message, name.span, "read by no `feed`");
    cx.report(d.help(format!("feed it: `{0} = {1}.{0}`, or take it out", name.name, data.name.name)));
}
