//! Behind `as`: names of layers that the file has which a model starts from.

use super::{CompletionKind, Folders, Gather, Offer};
use crate::base::Span;
use crate::sema::pretrained;
use crate::syntax::ast::{Arg, EntryKind, ExprKind, ItemKind, Section};
use std::collections::BTreeMap;

impl Gather<'_> {
    /// Where the path of a weight starts that is being written behind `as`, if one is.
    pub(super) fn weight_path(&self) -> Option<usize> {
        let text = &self.place.text[..self.place.at];
        let start =
            text.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')).len();
        let before = text[..start].trim_end();
        let behind = start > before.len() && before.strip_suffix("as").is_some_and(|b| !b.ends_with(is_word));
        behind.then_some(start)
    }

    /// In a model the whole paths of layers, in a block what they end with.
    pub(super) fn layer_paths(&mut self, start: usize, folders: &dyn Folders) {
        let Some((word, name)) = self.place.item() else { return };
        let files = self.analysis.ast.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Section(section) if &*section.word.name == "model" => Some(section),
            _other => None,
        });
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for section in files {
            let own = section.name.as_ref().is_some_and(|n| &*n.name == name);
            let Some((path, prefix)) = file_of(section).filter(|_| own || word == "block") else { continue };
            for tensor in folders.tensors(path) {
                let Some((layer, _)) = tensor.strip_prefix(prefix).and_then(|rest| rest.rsplit_once('.'))
                else {
                    continue;
                };
                let tails = if word == "block" { tails(layer) } else { vec![layer] };
                tails.into_iter().for_each(|tail| *counts.entry(tail.to_string()).or_default() += 1);
            }
        }
        let span = Span::new(self.analysis.file, start, self.place.at);
        let typed = &self.place.text[start..self.place.at];
        for (layer, count) in counts.into_iter().filter(|(layer, _)| layer.starts_with(typed)) {
            let detail = format!("{count} tensor{}", if count == 1 { "" } else { "s" });
            self.push_at(span, Offer::new(layer, CompletionKind::Weight).detail(detail).order(0));
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The file that a model starts from, and what stands before its names there.
fn file_of(model: &Section) -> Option<(&str, &str)> {
    let value = model.entries.iter().find_map(|entry| match &entry.kind {
        EntryKind::Bind { path, value } if path.dotted() == "pretrained" => Some(value),
        _other => None,
    })?;
    let ExprKind::Call { callee, args } = &value.bare().kind else { return None };
    callee.as_name().filter(|name| &*name.name == pretrained::CALL)?;
    let named = |name: &str| args.iter().find(|a| a.name.as_ref().is_some_and(|n| &*n.name == name));
    let placed = |at: usize| args.get(at).filter(|a| a.name.is_none());
    let path = placed(0).or_else(|| named("path")).and_then(text)?;
    let prefix = placed(1).or_else(|| named("prefix")).and_then(text).unwrap_or_default();
    Some((path, prefix))
}

/// What a layer may be called in a block: all that its path ends with, which no number of a copy starts.
fn tails(layer: &str) -> Vec<&str> {
    let behind = layer.match_indices('.').map(|(at, _)| &layer[at + 1..]);
    behind.filter(|tail| !tail.starts_with(|c: char| c.is_ascii_digit())).collect()
}

fn text(arg: &Arg) -> Option<&str> {
    match &arg.value.bare().kind {
        ExprKind::Str(text) => Some(text),
        _other => None,
    }
}
