//! What tools show of a data section: its columns, by name.

use super::Data;
use crate::sema::ctx::Ctx;
use crate::sema::facts::{ColumnFact, DataFact};
use crate::syntax::ast::{EntryKind, Expr};

impl Data<'_> {
    /// The columns of the source, then those that the section makes.
    pub fn fact(&self, cx: &Ctx) -> DataFact {
        let schema = self.schema.as_ref().map(|s| s.columns.as_slice()).unwrap_or_default();
        let mut columns: Vec<ColumnFact> = match (schema, self.known_columns()) {
            ([], known) => known.into_iter().flatten().map(|name| blank(&name)).collect(),
            (all, _) => {
                all.iter().map(|c| ColumnFact { schema: Some(c.clone()), ..blank(&c.name) }).collect()
            }
        };
        for (name, how, span) in self.written(cx) {
            let at = columns.iter().position(|c| c.name == name).unwrap_or_else(|| {
                columns.push(blank(&name));
                columns.len() - 1
            });
            columns[at] = ColumnFact { span: Some(span), how: Some(how), ..columns[at].clone() };
        }
        let stored = self.columns.borrow().clone();
        for column in &mut columns {
            column.classes = self.classes(&column.name);
            column.ty = stored.iter().find(|c| c.name == column.name).map(|c| c.ty.clone());
        }
        DataFact {
            name: self.name.name.to_string(),
            span: self.name.span,
            rows: self.schema.as_ref().and_then(|s| s.rows),
            found: self.schema.is_some(),
            columns,
        }
    }

    /// What entries say of columns: name, text, and where the name stands.
    fn written(&self, cx: &Ctx) -> Vec<(String, String, crate::base::Span)> {
        let text = |e: &Expr| cx.text(e.span).split_whitespace().collect::<Vec<_>>().join(" ");
        let mut all = Vec::new();
        for entry in &self.section.entries {
            if let EntryKind::Typed { names, how } = &entry.kind {
                all.extend(names.iter().map(|n| (n.name.to_string(), text(how), n.span)));
            }
        }
        all.extend(self.derived.iter().map(|(n, e)| (n.name.to_string(), text(e), n.span)));
        all
    }
}

fn blank(name: &str) -> ColumnFact {
    ColumnFact { name: name.to_string(), schema: None, span: None, how: None, ty: None, classes: None }
}
