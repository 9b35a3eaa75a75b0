//! `dim W <= 64`: a bounded size takes its bound, unless an override or the data fix it.
//!
//! Data fix a size where a feed gives a column of known shape to a model's input whose type names it.

use super::ctx::{Ctx, Global};
use super::file::{ast_sections, data_sections};
use super::{DataProbe, data, params, walk};
use crate::graph::Builder;
use crate::syntax::ast::{
    DimBound, Entry, EntryKind, Expr, ExprKind, File, Ident, ItemKind, Section, SizeExpr, Type,
};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn any_bounded(file: &File) -> bool {
    let bounded = |kind: &ItemKind| matches!(kind, ItemKind::Dim { bound: DimBound::AtMost, .. });
    file.items.iter().any(|item| bounded(&item.kind))
}

/// The file with every bounded size that its data fix below the bound set to that; `None` if there
/// is none. A size that does not fit its bound is left for the shapes to complain about.
pub(super) fn fixed_by_data<'a>(cx: &Ctx<'a>, file: &'a File, probe: &dyn DataProbe) -> Option<File> {
    params::check(cx, file);
    *cx.data.borrow_mut() = data_sections(cx, file, probe);
    let mut sizes = BTreeMap::new();
    for section in ast_sections(file, "train") {
        from_section(cx, section, &mut sizes);
    }
    let mut fixed = file.clone();
    let mut any = false;
    for item in &mut fixed.items {
        if let ItemKind::Dim { name, bound: bound @ DimBound::AtMost, value } = &mut item.kind
            && let Some(size) = sizes.get(&name.name)
            && matches!(value.bare().kind, ExprKind::Int(most) if *size < most)
        {
            (*bound, value.kind, any) = (DimBound::Exactly, ExprKind::Int(*size), true);
        }
    }
    any.then_some(fixed)
}

/// Sizes that the feed of a `train` section fixes; the first of several stays.
fn from_section<'a>(cx: &Ctx<'a>, section: &'a Section, sizes: &mut BTreeMap<Arc<str>, i64>) {
    let is_feed = |e: &&Entry| matches!(&e.kind, EntryKind::Section(s) if &*s.word.name == "feed");
    let outside = section.entries.iter().filter(|e| !is_feed(e));
    let used = walk::names_in(|f| outside.for_each(|e| walk::entry(e, f)));
    let models: Vec<&Section> = used.into_iter().filter_map(|name| cx.model(name)).collect();
    let inputs = models.iter().flat_map(|m| &m.entries).filter_map(|e| match &e.kind {
        EntryKind::Input { name, ty } => Some((name, ty)),
        _ => None,
    });
    let inputs: Vec<(&Ident, &Type)> = inputs.collect();
    let feeds = section.entries.iter().filter(is_feed);
    for entry in feeds.flat_map(|e| match &e.kind {
        EntryKind::Section(feed) => feed.entries.as_slice(),
        _ => &[],
    }) {
        let EntryKind::Bind { path, value } = &entry.kind else { continue };
        let Some(shape) = row_shape(cx, value) else { continue };
        let fed = |name: &Ident| matches!(path.parts.as_slice(), [one] if one.name == name.name);
        for (_, ty) in inputs.iter().filter(|(name, _)| fed(name)) {
            for (name, size) in named_sizes(cx, ty, &shape) {
                sizes.entry(name).or_insert(size);
            }
        }
    }
}

/// The shape of `d.col`, batch included; `None` of what is unknown. What is wrong is said later.
fn row_shape(cx: &Ctx, value: &Expr) -> Option<Vec<Option<i64>>> {
    let ExprKind::Member(base, column) = &value.bare().kind else { return None };
    let section = base.as_name()?;
    let sections = cx.data.borrow();
    let found = sections.iter().find(|d| d.name.name == section.name)?;
    let mut b = Builder::new("probe");
    let v = data::column(cx, found, column, data::pending(found), None, &mut b)?;
    Some(b.shape(v).iter().map(|dim| dim.as_const()).collect())
}

/// Axes of a type that are a `dim` alone, with what stands there.
fn named_sizes(cx: &Ctx, ty: &Type, shape: &[Option<i64>]) -> Vec<(Arc<str>, i64)> {
    let axes = ty.shape.as_deref().unwrap_or_default();
    let rest = axes.iter().any(|axis| matches!(axis, SizeExpr::Rest(_)));
    if rest || axes.len() != shape.len() {
        return Vec::new();
    }
    let named = |(axis, size): (&SizeExpr, &Option<i64>)| {
        let SizeExpr::Size(expr) = axis else { return None };
        let name = expr.as_name()?;
        let is_dim = matches!(cx.globals.get(&name.name), Some((_, Global::Dim)));
        is_dim.then_some((name.name.clone(), (*size)?))
    };
    axes.iter().zip(shape).filter_map(named).collect()
}
