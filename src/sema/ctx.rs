//! What every part of checking shares: the file's names, values of params,
//! and the list of what is wrong.

use super::Settings;
use super::data::Data;
use super::facts::Recorder;
use super::job::ParamValue;
use crate::base::{Sources, Span};
use crate::diag::{Code, Diagnostic, Diagnostics, did_you_mean};
use crate::ops::Library;
use crate::syntax::ast::{self, Ident};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something that the file names, to be looked up from anywhere in it.
#[derive(Clone, Copy)]
pub(super) enum Global<'a> {
    Param,
    Dim,
    Op,
    Block(&'a ast::Block),
    Model(&'a ast::Section),
    Data,
}

impl Global<'_> {
    /// As messages call it.
    pub fn what(&self) -> &'static str {
        match self {
            Global::Param => "param",
            Global::Dim => "dim",
            Global::Op => "op",
            Global::Block(_) => "block",
            Global::Model(_) => "model",
            Global::Data => "data section",
        }
    }
}

/// One check of one file.
pub(super) struct Ctx<'a> {
    pub sources: &'a Sources,
    pub settings: &'a Settings,
    pub library: Library,
    /// By name, with the span of the name where it is made.
    pub globals: BTreeMap<Arc<str>, (Span, Global<'a>)>,
    /// Params and dims; `None` where the value is wrong and reported.
    pub values: RefCell<BTreeMap<Arc<str>, Option<ParamValue>>>,
    pub data: RefCell<Vec<Data<'a>>>,
    /// By data section, the members that anything outside it reads: `people.income`.
    pub reads: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Words of the text that did not parse: what they may have made is not reported as missing.
    pub broken_words: BTreeSet<&'a str>,
    /// Models with a mistake of their own: uses of them say nothing more.
    pub broken_models: RefCell<BTreeSet<Arc<str>>>,
    /// Names that the file gives to weights, by `as` and `let`.
    pub weight_names: BTreeSet<String>,
    /// Blocks whose bodies some use has checked.
    pub entered: RefCell<BTreeSet<Arc<str>>>,
    /// Blocks that fill more than half of the largest graph, or hold too many others inside one another; reported.
    pub too_large: RefCell<BTreeSet<Arc<str>>>,
    pub diags: RefCell<Diagnostics>,
    /// Takes what tools show beside the text.
    pub facts: &'a Recorder,
}

impl<'a> Ctx<'a> {
    pub fn report(&self, diagnostic: Diagnostic) {
        self.diags.borrow_mut().push(diagnostic);
    }

    /// A name that is not among `known`: says which is near, else lists some.
    pub fn unknown<'n>(
        &self,
        code: Code,
        what: &str,
        name: &Ident,
        known: impl IntoIterator<Item = &'n str> + Clone,
    ) {
        let message = format!("there is no {what} `{}`", name.name);
        let diagnostic = Diagnostic::error(code, message, name.span, "not known");
        self.report(suggest(diagnostic, what, name, known));
    }

    /// Something that the language has and this program does not yet build.
    pub fn later(&self, code: Code, what: impl std::fmt::Display, at: Span, instead: impl Into<String>) {
        let message = format!("{what} is not built yet");
        self.report(
            Diagnostic::error(code, message, at, "part of the language, but not built yet").help(instead),
        );
    }

    /// The user's text.
    pub fn text(&self, span: Span) -> &'a str {
        self.sources.slice(span)
    }

    /// The value of a param or dim that is right.
    pub fn value(&self, name: &str) -> Option<ParamValue> {
        self.values.borrow().get(name).cloned().flatten()
    }

    /// Whether a name's value is wrong, which is reported where it is made.
    pub fn is_poisoned(&self, name: &str) -> bool {
        let param = matches!(self.values.borrow().get(name), Some(None));
        param || (self.broken_words.contains(name) && !self.globals.contains_key(name))
    }

    pub fn model(&self, name: &str) -> Option<&'a ast::Section> {
        match self.globals.get(name) {
            Some((_, Global::Model(section))) => Some(section),
            _ => None,
        }
    }

    pub fn block(&self, name: &str) -> Option<&'a ast::Block> {
        match self.globals.get(name) {
            Some((_, Global::Block(block))) => Some(block),
            _ => None,
        }
    }

    /// Whether weights bear the model's name: only where there are several.
    pub fn several_models(&self) -> bool {
        self.globals.values().filter(|(_, g)| matches!(g, Global::Model(_))).count() > 1
    }
}

/// Adds "did you mean" with its fix, or a list of what there is.
pub(super) fn suggest<'n>(
    diagnostic: Diagnostic,
    what: &str,
    name: &Ident,
    known: impl IntoIterator<Item = &'n str> + Clone,
) -> Diagnostic {
    match did_you_mean(&name.name, known.clone()) {
        Some(near) => {
            diagnostic.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), name.span, near)
        }
        None => match list(known) {
            Some(names) => diagnostic.help(format!("write one of {names}")),
            None => diagnostic.help(format!("declare a {what} of that name, or take this out")),
        },
    }
}

/// `` `a`, `b`, `c` ``, cut when there are many; none of nothing.
pub(super) fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    const SHOWN: usize = 24;
    let all: Vec<String> = names.into_iter().map(|n| format!("`{n}`")).collect();
    match all.len() {
        0 => None,
        n if n > SHOWN => Some(format!("{}, …", all[..SHOWN].join(", "))),
        _ => Some(all.join(", ")),
    }
}
