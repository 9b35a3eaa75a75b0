//! What can be written at a cursor, with the edit that writes it.
//!
//! The place is read off the tokens, names and types off the facts, so half-typed text is served as well as
//! whole text. Nothing is offered where nothing of the language belongs: in comments, behind `as` where no file of
//! weights has names.

mod arguments;
mod entries;
mod members;
mod names;
mod texts;
mod weights;

use super::Analysis;
use super::edit::Edit;
use super::place::{FrameKind, Part, Place, Within, place};
use super::values::{in_type, role_at};
use crate::base::Span;
use crate::sema::facts::Role;

/// What a file system has for completions; the pure core asks the server.
pub trait Folders {
    /// The names in a folder, as a spec would write its path: beside the spec, or under the data folder.
    fn list(&self, folder: &str) -> Vec<Listed>;
    /// The names of the tensors of a safetensors file.
    fn tensors(&self, path: &str) -> Vec<String>;
}

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub is_folder: bool,
}

/// A computer without files.
#[derive(Debug)]
pub struct NoFolders;

impl Folders for NoFolders {
    fn list(&self, _: &str) -> Vec<Listed> {
        Vec::new()
    }

    fn tensors(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// One thing that can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    pub label: String,
    pub kind: CompletionKind,
    /// In few words, beside the label.
    pub detail: String,
    /// Markdown.
    pub doc: String,
    pub edit: Edit,
    /// The text of the edit with places to fill, `${1:units}`, where it has some.
    pub snippet: Option<String>,
    /// Smaller ones come first.
    pub order: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletionKind {
    /// A section or item word.
    Word,
    Key,
    Layer,
    Function,
    Block,
    Model,
    Value,
    Column,
    Constant,
    Choice,
    Argument,
    Type,
    File,
    Folder,
    Weight,
}

/// What can be written at a byte, likelier things first.
pub fn complete(analysis: &Analysis, at: usize, folders: &dyn Folders) -> Vec<Completion> {
    let place = place(analysis.text(), at);
    let mut gather = Gather { analysis, place: &place, all: Vec::new() };
    match place.within {
        Within::Comment => {}
        Within::Text(from) => gather.text(from, folders),
        Within::Code => match gather.weight_path() {
            Some(start) => gather.layer_paths(start, folders),
            None => gather.code(),
        },
    }
    let mut all = gather.all;
    if place.within == Within::Code {
        all.retain(|c| fits(&place.text[place.start..at], &c.label));
    }
    all.sort_by_key(|c| c.order);
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|c| seen.insert(c.label.clone()));
    all
}

/// Whether the letters that are typed stand in a label, in order: what editors look for.
fn fits(typed: &str, label: &str) -> bool {
    let mut rest = label.chars().flat_map(char::to_lowercase);
    typed.chars().flat_map(char::to_lowercase).all(|c| rest.any(|l| l == c))
}

/// What is offered so far.
struct Gather<'a> {
    analysis: &'a Analysis,
    place: &'a Place<'a>,
    all: Vec<Completion>,
}

/// What is to be offered, without its place.
struct Offer {
    label: String,
    kind: CompletionKind,
    detail: String,
    doc: String,
    /// What is written, if not the label.
    text: Option<String>,
    snippet: Option<String>,
    order: u8,
}

impl Offer {
    fn new(label: impl Into<String>, kind: CompletionKind) -> Offer {
        Offer {
            label: label.into(),
            kind,
            detail: String::new(),
            doc: String::new(),
            text: None,
            snippet: None,
            order: 5,
        }
    }

    fn detail(self, detail: impl Into<String>) -> Offer {
        Offer { detail: detail.into(), ..self }
    }

    fn doc(self, doc: impl Into<String>) -> Offer {
        Offer { doc: doc.into(), ..self }
    }

    fn order(self, order: u8) -> Offer {
        Offer { order, ..self }
    }
}

impl Gather<'_> {
    fn push(&mut self, offer: Offer) {
        let span = Span::new(self.analysis.file, self.place.start, self.place.at);
        self.push_at(span, offer);
    }

    fn push_at(&mut self, span: Span, offer: Offer) {
        let text = offer.text.unwrap_or_else(|| offer.label.clone());
        self.all.push(Completion {
            label: offer.label,
            kind: offer.kind,
            detail: offer.detail,
            doc: offer.doc,
            edit: Edit { span, text },
            snippet: offer.snippet,
            order: offer.order,
        });
    }

    fn code(&mut self) {
        let place = self.place;
        match place.sign_before() {
            "." => return self.member(),
            "|>" => return self.stages(),
            "by" => return self.groups_of_rows(),
            _other => {}
        }
        // A number is not the start of a name.
        if place.text[place.start..place.at].starts_with(|c: char| c.is_ascii_digit()) {
            return;
        }
        match &place.top().kind {
            FrameKind::File => self.file(),
            FrameKind::Section { word, .. } => self.section(word),
            FrameKind::Call { .. } => self.call(),
            FrameKind::List => self.list(),
            FrameKind::Shape => self.sizes(),
            FrameKind::Group => self.values(role_at(place)),
        }
    }

    fn section(&mut self, word: &str) {
        let place = self.place;
        let fresh = place.starts() || place.top().part == Part::Name && place.sign_before() == "{";
        match place.sign_before() {
            ":" if word == "data" => self.values(Role::How),
            _ if fresh => self.entries(word),
            _ if in_type(place) && word != "data" => self.types(),
            // A name that is being made.
            "let" | "input" | "output" => {}
            "," if place.top().part == Part::Name => {}
            _value => self.values(role_at(place)),
        }
    }

    fn list(&mut self) {
        match self.place.call() {
            Some(_) if self.place.frames.len() >= 2 && self.is_argument() => self.argument_values(),
            _none => self.values(role_at(self.place)),
        }
    }

    /// Whether the innermost list is an argument of a call.
    fn is_argument(&self) -> bool {
        let frames = &self.place.frames;
        matches!(frames[frames.len() - 2].kind, FrameKind::Call { .. })
    }
}
