//! `data` sections: where rows come from, what their columns are, how they
//! are split and batched.
//!
//! A column is *stored* if it comes from the source (possibly encoded by
//! `name : how`), *derived* if it is arithmetic on columns. Batches hold
//! stored columns; derived ones are computed in the graph.

mod augment;
mod bucket;
mod columns;
mod computed;
mod fact;
mod group;
mod how;
mod leaks;
mod rows;
mod sizes;
mod source;
mod split;
mod unused;
mod uses;
mod windows;

pub(super) use group::group;
pub(super) use leaks::roles;
pub(super) use rows::{column, pending};
pub(super) use sizes::size_of;
pub(super) use source::{arguments, is_generator, is_source};
pub(super) use unused::unused;

use super::ctx::Ctx;
use super::job::{
    AugmentPlan, BucketPlan, Column, DataPlan, Leak, Roles, RowOrder, SourceKind, SourcePlan, SplitPlan,
};
use super::keyed::{Keyed, stray};
use super::keys;
use super::probe::{DataProbe, SourceSchema};
use crate::base::Span;
use crate::diag::{Diagnostic, Severity, did_you_mean};
use crate::syntax::ast::{Entry, EntryKind, Expr, ExprKind, Ident, Section};
use how::{How, how};
pub use source::{ArgumentInfo, SourceInfo, generators, source_defaults, sources};
use std::cell::RefCell;
pub use uses::{ColumnUse, DataView};

/// Rows in a batch, unless the spec says otherwise: Keras' choice.
const BATCH: i64 = 32;

/// A data section, checked as far as it goes alone.
pub(super) struct Data<'a> {
    pub name: &'a Ident,
    pub section: &'a Section,
    /// `None` if the source is wrong, which is reported.
    source: Option<SourcePlan>,
    valid: Option<SourcePlan>,
    test: Option<SourcePlan>,
    /// `None` if it could not be looked at.
    schema: Option<SourceSchema>,
    /// `name : how`, in order.
    typed: Vec<(&'a Ident, How)>,
    /// `name = …`, in order.
    derived: Vec<(&'a Ident, &'a Expr)>,
    split: Option<SplitPlan>,
    batch: Option<usize>,
    shuffle: bool,
    drop_last: bool,
    allow: Vec<Leak>,
    bucket: Option<BucketPlan>,
    augment: Vec<AugmentPlan>,
    /// Stored columns that some graph reads, in the order of first use.
    columns: RefCell<Vec<Column>>,
}

impl<'a> Data<'a> {
    /// Checks a section alone.
    pub fn read(cx: &Ctx<'a>, section: &'a Section, name: &'a Ident, probe: &dyn DataProbe) -> Data<'a> {
        let (keys, rest) = Keyed::sort(cx, section);
        let source = required(cx, section, &keys).and_then(|e| source::source(cx, e));
        let mut data = Data {
            name,
            section,
            schema: source.as_ref().and_then(|s| look(cx, s, probe)),
            source,
            valid: keys.get("valid").and_then(|e| source::source(cx, e)),
            test: keys.get("test").and_then(|e| source::source(cx, e)),
            typed: Vec::new(),
            derived: Vec::new(),
            split: None,
            batch: keys
                .get("batch")
                .map_or(Some(BATCH as usize), |e| cx.count("batch", e, 1).map(|n| n as usize)),
            shuffle: keys.get("shuffle").and_then(|e| cx.flag("shuffle", e)).unwrap_or(true),
            drop_last: keys.get("drop_last").and_then(|e| cx.flag("drop_last", e)).unwrap_or(false),
            allow: keys.get("allow").map(|e| leaks::allowed(cx, e)).unwrap_or_default(),
            bucket: None,
            augment: keys.inner("augment").map(|s| augment::read(cx, s)).unwrap_or_default(),
            columns: RefCell::default(),
        };
        for plan in [&data.valid, &data.test].into_iter().flatten() {
            look(cx, plan, probe);
        }
        rest.into_iter().for_each(|entry| data.entry(cx, entry));
        data.check_typed(cx);
        data.bucket = keys.get("bucket").and_then(|e| data.bucketed(cx, e));
        data.split = data.check_split(cx, keys.inner("split"), keys.get("test").map(|e| e.span));
        data
    }

    /// Whether everything that a run needs is right.
    pub fn plan(&self, roles: Roles) -> Option<DataPlan> {
        Some(self.with(self.source.clone()?, self.split.clone()?, self.batch?, roles))
    }

    fn with(&self, source: SourcePlan, split: SplitPlan, batch: usize, roles: Roles) -> DataPlan {
        DataPlan {
            name: self.name.name.to_string(),
            span: self.section.word.span,
            source,
            valid: self.valid.clone(),
            test: self.test.clone(),
            columns: self.columns.borrow().clone(),
            split,
            batch,
            shuffle: self.shuffle,
            drop_last: self.drop_last,
            allow: self.allow.clone(),
            bucket: self.bucket.clone(),
            augment: self.augment.clone(),
            roles,
        }
    }

    fn entry(&mut self, cx: &Ctx, entry: &'a Entry) {
        match &entry.kind {
            EntryKind::Bind { path, value } if path.parts.len() == 1 => {
                self.derive(cx, &path.parts[0], value);
            }
            EntryKind::Typed { names, how: expr } => {
                for name in names {
                    // What is wrong with the chain is wrong for each name, and said once.
                    let encode = how(cx, self.numbers(name).as_ref(), expr);
                    match self.typed.iter().find(|(n, _)| n.name == name.name) {
                        Some((first, _)) => cx.report(super::names::duplicate(name, first.span)),
                        None => self.typed.push((name, encode)),
                    }
                }
            }
            EntryKind::Bind { .. }
            | EntryKind::Section(_)
            | EntryKind::Let { .. }
            | EntryKind::Input { .. }
            | EntryKind::Output { .. }
            | EntryKind::Broken => stray(cx, "data", entry),
        }
    }

    /// `name = …`: a column, unless it is a key misspelt.
    fn derive(&mut self, cx: &Ctx, name: &'a Ident, value: &'a Expr) {
        let reads_columns = !matches!(
            value.bare().kind,
            ExprKind::Int(_)
                | ExprKind::Float(_)
                | ExprKind::Bool(_)
                | ExprKind::Str(_)
                | ExprKind::Percent(_)
                | ExprKind::Bytes(_)
        );
        let is_source = matches!(&value.bare().kind, ExprKind::Call { callee, .. }
            if callee.as_name().is_some_and(|n| source::is_source(&n.name)));
        let near = did_you_mean(&name.name, keys::of("data").iter().map(|k| k.name));
        let aliased = keys::alias("data", &name.name);
        if !reads_columns || (is_source && (near.is_some() || aliased.is_some())) {
            return super::keyed::unknown_key(cx, "data", name);
        }
        self.derived.push((name, value));
    }

    /// Typed columns are cells of a table, and in it.
    fn check_typed(&mut self, cx: &Ctx) {
        let Some(source) = &self.source else { return };
        let is_table = source.kind.is_table();
        for (name, _) in &self.typed {
            if self.typed_entry(&name.name).is_some() {
                continue;
            }
            if !is_table {
                let d = Diagnostic::error(
                    "column::typed",
                    format!("`{}` has a type already", name.name),
                    name.span,
                    "numbers in the source",
                );
                cx.report(
                    d.help("`name : how` reads cells of a table; use arithmetic here: `image = image / 255`"),
                );
            } else if self.known_columns().is_some_and(|all| !all.contains(&name.name.to_string())) {
                self.no_column(cx, name);
            }
        }
        let of_words: Vec<bool> = self
            .typed
            .iter()
            .map(|(name, how)| {
                let of_source = self.typed_entry(&name.name).is_none();
                of_source && matches!(how, How::Known(c) if self.is_of_words(cx, name, c, name.span))
            })
            .collect();
        let wrong = self.typed.iter_mut().zip(of_words).filter(|(_, wrong)| *wrong);
        wrong.for_each(|((_, how), _)| *how = How::Poison);
        if !is_table {
            let of_source: Vec<bool> =
                self.typed.iter().map(|(name, _)| self.typed_entry(&name.name).is_none()).collect();
            let wrong = self.typed.iter_mut().zip(of_source).filter(|(_, of_source)| *of_source);
            wrong.for_each(|((_, how), _)| *how = How::Poison);
        }
    }

    /// The names of the source's columns, if they are known.
    fn known_columns(&self) -> Option<Vec<String>> {
        let named = self.source.as_ref().and_then(|s| s.kind.dialect()?.columns.clone());
        if named.is_some() {
            return named;
        }
        if let Some(schema) = &self.schema {
            return Some(schema.columns.iter().map(|c| c.name.clone()).collect());
        }
        match &self.source.as_ref()?.kind {
            SourceKind::Idx { .. } | SourceKind::Images { .. } => Some(vec!["image".into(), "label".into()]),
            SourceKind::Cifar { .. } => Some(vec!["image".into(), "label".into(), "coarse".into()]),
            SourceKind::Voc(_) => Some(["image", "boxes", "labels", "mask"].map(String::from).to_vec()),
            SourceKind::Text { .. } => Some(vec!["text".into()]),
            SourceKind::Lines { files } if files.len() == 1 => Some(vec!["text".into()]),
            SourceKind::Lines { .. } => Some(vec!["text".into(), "label".into()]),
            SourceKind::Parallel { files } => Some(files.iter().map(|f| f.name.clone()).collect()),
            SourceKind::Csv { .. }
            | SourceKind::Jsonl { .. }
            | SourceKind::Npy { .. }
            | SourceKind::Npz { .. }
            | SourceKind::Parquet { .. }
            | SourceKind::Sql { .. }
            | SourceKind::Synthetic { .. } => None,
        }
    }

    fn no_column(&self, cx: &Ctx, name: &Ident) {
        let known = self.known_columns().unwrap_or_default();
        let message = format!("`{}` has no column `{}`", self.name.name, name.name);
        let mut d = Diagnostic::error("column::unknown", message, name.span, "no such column");
        if let Some(source) = &self.source {
            d = d.label(source.span, "columns come from here");
        }
        let made = self.derived.iter().map(|(n, _)| &*n.name);
        let hint = self.schema.as_ref().and_then(|s| s.hint.clone());
        cx.report(match hint {
            Some(hint) => d.help(hint),
            None => super::ctx::suggest(d, "column", name, known.iter().map(String::as_str).chain(made)),
        });
    }

    fn check_split(
        &self,
        cx: &Ctx<'a>,
        section: Option<&Section>,
        own_test: Option<Span>,
    ) -> Option<SplitPlan> {
        let Some(section) = section else { return Some(SplitPlan::whole(self.section.word.span)) };
        let rows = self.schema.as_ref().and_then(|s| s.rows);
        let mut plan = split::split(cx, section, rows, own_test)?;
        let ident = |key: &str, name: &str| {
            let span = value_span(section, key).unwrap_or(section.body);
            Ident { name: name.into(), span }
        };
        let strata = plan.stratify.take().map(|name| self.strata(cx, &ident("stratify", &name)));
        let group = plan.group.take().map(|name| self.source_column(cx, "group", &ident("group", &name)));
        if let RowOrder::Time(name) = &plan.order {
            plan.order = RowOrder::Time(self.source_column(cx, "time", &ident("time", name))?);
        }
        plan.stratify = strata.map_or(Some(None), |s| s.map(Some))?;
        plan.group = group.map_or(Some(None), |g| g.map(Some))?;
        Some(plan)
    }
}

/// Where the value of a key of a section stands.
fn value_span(section: &Section, key: &str) -> Option<Span> {
    section.entries.iter().find_map(|e| match &e.kind {
        EntryKind::Bind { path, value } if path.parts.iter().any(|p| &*p.name == key) => Some(value.span),
        _ => None,
    })
}

fn required<'a>(cx: &Ctx, section: &Section, keys: &Keyed<'a>) -> Option<&'a Expr> {
    let source = keys.get("source");
    // What did not parse may have been it.
    let broken = section.entries.iter().any(|e| e.kind == EntryKind::Broken);
    if source.is_none() && !broken {
        let d = Diagnostic::error(
            "key::missing",
            "`data` needs a `source`",
            section.word.span,
            "no `source` in here",
        );
        cx.report(d.help("add a line such as `source = csv(\"table.csv\")`"));
    }
    source
}

/// What a source holds; one that cannot be found is a warning.
fn look(cx: &Ctx, plan: &SourcePlan, probe: &dyn DataProbe) -> Option<SourceSchema> {
    if let SourceKind::Synthetic { generator, rows, .. } = &plan.kind {
        return Some(source::made_up(generator, *rows));
    }
    match probe.probe(plan) {
        Ok(Some(schema)) => Some(schema),
        Ok(None) => {
            let path = cx.text(plan.path_span);
            let database = matches!(plan.kind, SourceKind::Sql { .. });
            let (what, label, help) = match database {
                false => (
                    "is not here",
                    "not found beside the spec or under the data folder",
                    "give the folder with `--data DIR` or `MLC_DATA`",
                ),
                true => (
                    "does not answer",
                    "no such file, or no server",
                    "start the server, or correct the address",
                ),
            };
            let message = format!("{path} {what}, so its columns are taken on trust");
            let mut d = Diagnostic::error("data::missing_file", message, plan.path_span, label);
            d.severity = Severity::Warning;
            cx.report(d.help(help));
            None
        }
        Err(wrong) => {
            let mut d = Diagnostic::error(
                "data::unreadable",
                wrong.message,
                plan.path_span,
                "cannot be read as it is",
            );
            d.help = wrong.help;
            cx.report(d);
            None
        }
    }
}
