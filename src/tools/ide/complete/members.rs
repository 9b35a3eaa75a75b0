//! Behind a point: columns and sizes of data, outputs of models, weights, metrics of a part.

use super::{CompletionKind, Gather, Offer};
use crate::sema::facts::{DataFact, NameKind, Role};
use crate::sema::keys::{self, Status};
use crate::syntax::ast::{EntryKind, ItemKind};

use crate::tools::ide::values::{self, role_at};
use crate::tools::ide::{describe, values::globals};

impl Gather<'_> {
    pub(super) fn member(&mut self) {
        let Some(owners) = self.place.owners() else { return };
        let in_variant = self.place.item().is_some_and(|(word, _)| word == "variant");
        match owners.as_slice() {
            [owner] if in_variant => self.keys_of(owner),
            ["valid"] => self.metrics(),
            ["train"] => self.push(Offer::new("loss", CompletionKind::Choice)),
            _ if role_at(self.place) == Role::Weights => self.parts(&owners),
            [data] if self.analysis.facts.data(data).is_some() => self.of_data(data),
            [data, column] => self.of_column(data, column),
            [owner] => {
                self.outputs(owner);
                self.parts(&owners);
            }
            _longer => self.parts(&owners),
        }
    }

    fn metrics(&mut self) {
        for name in values::monitored(self.analysis) {
            self.push(Offer::new(name, CompletionKind::Choice));
        }
    }

    /// Columns where they can be read, sizes where a number is wanted.
    fn of_data(&mut self, name: &str) {
        let Some(data) = self.analysis.facts.data(name) else { return };
        // Only a feed reads columns; elsewhere they are on the way to their sizes.
        let sizes = self.place.section().is_none_or(|(word, ..)| word != "feed");
        if sizes {
            let doc = "How many numbers a row of the data has.";
            self.push(Offer::new("features", CompletionKind::Constant).doc(doc).order(0));
        }
        if self.has_row(data) && !sizes {
            let doc =
                "Every `name : how` column side by side, less classes and those that are used otherwise.";
            self.push(Offer::new("row", CompletionKind::Column).doc(doc).order(0));
        }
        for column in &data.columns {
            let detail = column.ty.as_ref().map_or(String::new(), ToString::to_string);
            let doc = describe::column(self.analysis, data, column);
            self.push(Offer::new(&column.name, CompletionKind::Column).detail(detail).doc(doc).order(1));
        }
    }

    fn has_row(&self, data: &DataFact) -> bool {
        data.columns.iter().any(|c| c.how.is_some() && c.schema.as_ref().is_none_or(|s| s.sample.is_some()))
    }

    /// `people.income.classes`
    fn of_column(&mut self, data: &str, column: &str) {
        let Some(found) = self.analysis.facts.data(data).and_then(|d| d.column(column)) else { return };
        let sizes = [
            ("classes", "How many classes it has.", found.classes.is_some()),
            ("features", "How many numbers a row of it has.", true),
            ("vocab", "How many ids it has.", found.how.as_ref().is_some_and(|h| h.contains("category"))),
        ];
        for (name, doc, fits) in sizes {
            if fits {
                self.push(Offer::new(name, CompletionKind::Constant).doc(doc));
            }
        }
    }

    /// `Mlp.logits`, by the tree, or by the facts where the model's text is broken.
    fn outputs(&mut self, owner: &str) {
        for item in self.analysis.items() {
            let ItemKind::Section(section) = &item.kind else { continue };
            let named = section.name.as_ref().is_some_and(|n| &*n.name == owner);
            if &*section.word.name != "model" || !named {
                continue;
            }
            for entry in &section.entries {
                if let EntryKind::Output { name, .. } = &entry.kind {
                    let typed = self.analysis.facts.types.get(&name.span);
                    let detail = typed.map_or(String::new(), |t| describe::types_text(&t.types));
                    self.push(Offer::new(&*name.name, CompletionKind::Value).detail(detail).order(0));
                }
            }
        }
    }

    /// What follows in the names of weights.
    fn parts(&mut self, owners: &[&str]) {
        let start = format!("{}.", owners.join("."));
        let names: Vec<String> = values::weights(self.analysis)
            .into_iter()
            .filter_map(|known| known.name.strip_prefix(&start).map(str::to_string))
            .collect();
        for name in names {
            let part = name.split('.').next().unwrap_or_default().to_string();
            self.push(Offer::new(part, CompletionKind::Weight).order(1));
        }
    }

    /// Keys that a variant may set: `train.epochs`, `people.batch`.
    fn keys_of(&mut self, owner: &str) {
        let data = globals(self.analysis).iter().any(|k| k.kind == NameKind::Data && k.name == owner);
        let word = if data { "data" } else { "train" };
        for key in keys::of(word) {
            let offer = Offer::new(key.name, CompletionKind::Key).doc(key.doc);
            let text =
                if key.status == Status::Key { format!("{} = ", key.name) } else { key.name.to_string() };
            self.push(Offer { text: Some(text), ..offer });
        }
    }
}
