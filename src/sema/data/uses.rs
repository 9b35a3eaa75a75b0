//! What a data section does with each column of its source, read off its text: for people who look at data.
//!
//! Right even where the rest of the spec is wrong: it needs no graph.

use super::Data;
use super::columns::{Made, Named};
use crate::sema::ctx::Ctx;
use crate::sema::job::{DataPlan, Roles, RowOrder, SplitPlan};
use crate::sema::walk;
use crate::syntax::ast::{EntryKind, Expr};
use std::collections::{BTreeMap, BTreeSet};

/// A data section as far as it is right, whatever is wrong elsewhere.
#[derive(Clone, Debug)]
pub struct DataView {
    pub name: String,
    /// With all rows for training where the split is wrong.
    pub plan: DataPlan,
    /// Whether the split is right.
    pub splits: bool,
    /// The source call as written.
    pub source: String,
    /// By column of the source; those that are not named are unused.
    pub uses: BTreeMap<String, ColumnUse>,
}

/// What is done with a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnUse {
    /// How it becomes numbers, as written: `standardize`, `class(3)`.
    pub how: Option<String>,
    /// Where it goes: `row`, `feed`, `stratify`, columns computed from it.
    pub goes: Vec<String>,
}

impl<'a> Data<'a> {
    /// `None` if there is no source to look into, which is reported.
    pub fn view(&self, cx: &Ctx<'a>, roles: Roles) -> Option<DataView> {
        let split = self.split.clone().unwrap_or_else(|| SplitPlan::whole(self.section.word.span));
        let batch = self.batch.unwrap_or(super::BATCH as usize);
        let plan = self.with(self.source.clone()?, split, batch, roles);
        Some(DataView {
            name: plan.name.clone(),
            source: cx.text(plan.source.span).split_whitespace().collect::<Vec<_>>().join(" "),
            splits: self.split.is_some(),
            uses: self.uses(cx, &plan),
            plan,
        })
    }

    fn uses(&self, cx: &Ctx<'a>, plan: &DataPlan) -> BTreeMap<String, ColumnUse> {
        let mut uses: BTreeMap<String, ColumnUse> = BTreeMap::new();
        let known: BTreeSet<String> = match self.known_columns() {
            Some(all) => all.into_iter().collect(),
            None => self.typed.iter().map(|(name, _)| name.name.to_string()).collect(),
        };
        let text = |e: &Expr| cx.text(e.span).split_whitespace().collect::<Vec<_>>().join(" ");
        for entry in &self.section.entries {
            if let EntryKind::Typed { names, how } = &entry.kind {
                for name in names {
                    uses.entry(name.name.to_string()).or_default().how = Some(text(how));
                }
            }
        }
        let read = cx.read_columns(&self.name.name);
        if self.reads_rows(cx) {
            for field in self.row_fields(cx) {
                goes(&mut uses, &field.source, "row");
            }
        }
        let made: Vec<&str> = self.derived.iter().map(|(name, _)| &*name.name).collect();
        for (name, expr) in &self.derived {
            for from in walk::names_in(|f| walk::expr(expr, f)) {
                if known.contains(from) && (!made.contains(&from) || from == &*name.name) {
                    goes(&mut uses, from, &format!("{} = {}", name.name, text(expr)));
                }
            }
        }
        for name in read.iter().filter(|name| !made.contains(*name) && known.contains(**name)) {
            goes(&mut uses, name, "feed");
        }
        for (at, (name, expr)) in self.derived.iter().enumerate() {
            let Named::Chain(Made { formula: Some(_), .. }) = self.named(cx, name, at + 1) else { continue };
            let column = uses.entry(name.name.to_string()).or_default();
            let typed = column.how.take().map_or(String::new(), |how| format!(" |> {how}"));
            column.how = Some(format!("{}{typed}", text(expr)));
            if read.contains(&*name.name) {
                goes(&mut uses, &name.name, "feed");
            }
        }
        let split = &plan.split;
        let time = match &split.order {
            RowOrder::Time(column) => Some(column),
            RowOrder::Shuffled | RowOrder::File => None,
        };
        for (key, column) in
            [("stratify", split.stratify.as_ref()), ("group", split.group.as_ref()), ("time", time)]
        {
            column.into_iter().for_each(|column| goes(&mut uses, column, key));
        }
        uses
    }
}

fn goes(uses: &mut BTreeMap<String, ColumnUse>, column: &str, to: &str) {
    let all = &mut uses.entry(column.to_string()).or_default().goes;
    if !all.iter().any(|t| t == to) {
        all.push(to.to_string());
    }
}
