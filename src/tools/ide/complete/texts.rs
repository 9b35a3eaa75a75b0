//! Inside a string: paths of files, and names of the tensors in one.

use super::{CompletionKind, Folders, Gather, Offer};
use crate::base::Span;
use crate::syntax::scan::Kind;

impl Gather<'_> {
    /// `from` is where the text of the string starts.
    pub(super) fn text(&mut self, from: usize, folders: &dyn Folders) {
        let text = self.place.text;
        let typed = &text[from..self.place.at];
        match self.place.call() {
            Some(("safetensors", _, [.., Some("prefix")])) => {
                if let Some(path) = self.first_text() {
                    self.prefixes(typed, from, &folders.tensors(path));
                }
            }
            Some((callee, _, [None])) if takes_path(callee) => self.paths(typed, from, folders),
            Some((callee, _, [.., Some("path")])) if takes_path(callee) => self.paths(typed, from, folders),
            None if self.place.item().is_some_and(|(word, _)| word == "import") => {
                self.paths(typed, from, folders)
            }
            Some(_) | None => {}
        }
    }

    /// The first string of the call at hand.
    fn first_text(&self) -> Option<&str> {
        let (_, at, _) = self.place.call()?;
        let token = self.place.tokens.iter().find(|t| t.lo > at && t.kind == Kind::Str)?;
        Some(&self.place.text[token.lo + 1..token.hi - 1])
    }

    fn paths(&mut self, typed: &str, from: usize, folders: &dyn Folders) {
        let (folder, start) = match typed.rfind('/') {
            Some(at) => (&typed[..at], from + at + 1),
            None => ("", from),
        };
        let span = Span::new(self.analysis.file, start, self.place.at);
        for listed in folders.list(folder) {
            let (kind, text, order) = match listed.is_folder {
                true => (CompletionKind::Folder, format!("{}/", listed.name), 1),
                false => (CompletionKind::File, listed.name.clone(), 0),
            };
            let offer = Offer::new(listed.name, kind).order(order);
            self.push_at(span, Offer { text: Some(text), ..offer });
        }
    }

    /// Every start of a tensor's name that ends with a point.
    fn prefixes(&mut self, typed: &str, from: usize, tensors: &[String]) {
        let span = Span::new(self.analysis.file, from, self.place.at);
        let mut all: Vec<&str> =
            tensors.iter().flat_map(|name| name.match_indices('.').map(|(at, _)| &name[..=at])).collect();
        all.sort_unstable();
        all.dedup();
        for prefix in all.into_iter().filter(|p| p.starts_with(typed)) {
            let count = tensors.iter().filter(|t| t.starts_with(prefix)).count();
            let offer = Offer::new(prefix, CompletionKind::Weight).detail(format!("{count} tensors"));
            self.push_at(span, offer);
        }
    }
}

/// Whether the first argument of a call is a path.
fn takes_path(callee: &str) -> bool {
    const PATHS: [&str; 8] = ["csv", "tsv", "jsonl", "npy", "npz", "parquet", "idx", "safetensors"];
    PATHS.contains(&callee)
}
