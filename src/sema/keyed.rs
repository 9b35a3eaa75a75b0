//! `key = value` entries of a section against the table of its keys.

use super::ctx::Ctx;
use super::keys::{self, Status};
use super::names::duplicate;
use crate::base::Span;
use crate::diag::{Code, Diagnostic, did_you_mean};
use crate::syntax::ast::{Entry, EntryKind, Expr, Ident, Section};

/// The values of a section's keys; what is no key is reported.
pub(super) struct Keyed<'a> {
    values: Vec<(&'a Ident, &'a Expr)>,
    sections: Vec<(&'a Ident, &'a Section)>,
}

impl<'a> Keyed<'a> {
    /// Reads a section that has nothing but keys.
    pub fn read(cx: &Ctx, section: &'a Section) -> Keyed<'a> {
        let (keyed, rest) = Keyed::sort(cx, section);
        rest.iter().for_each(|entry| stray(cx, &section.word.name, entry));
        keyed
    }

    /// Takes the entries that are keys; hands back the others.
    pub fn sort(cx: &Ctx, section: &'a Section) -> (Keyed<'a>, Vec<&'a Entry>) {
        let word = &*section.word.name;
        let mut keyed = Keyed { values: Vec::new(), sections: Vec::new() };
        let mut rest = Vec::new();
        for entry in &section.entries {
            match &entry.kind {
                EntryKind::Bind { path, value } if path.parts.len() == 1 => {
                    keyed.bind(cx, word, entry, &path.parts[0], value, &mut rest);
                }
                EntryKind::Section(inner) => match keys::find(word, &inner.word.name).map(|k| k.status) {
                    Some(Status::Section) => keyed.section(cx, inner),
                    Some(Status::Key) => wants_value(cx, &inner.word),
                    // Whoever has several of them reads them.
                    Some(Status::Named) | None => rest.push(entry),
                },
                EntryKind::Broken => {}
                EntryKind::Bind { .. }
                | EntryKind::Let { .. }
                | EntryKind::Input { .. }
                | EntryKind::Output { .. }
                | EntryKind::Typed { .. } => rest.push(entry),
            }
        }
        (keyed, rest)
    }

    fn bind(
        &mut self,
        cx: &Ctx,
        word: &str,
        entry: &'a Entry,
        key: &'a Ident,
        value: &'a Expr,
        rest: &mut Vec<&'a Entry>,
    ) {
        match keys::find(word, &key.name).map(|k| k.status) {
            Some(Status::Key) => match self.values.iter().find(|(k, _)| k.name == key.name) {
                Some((first, _)) => cx.report(twice(key, first.span)),
                None => self.values.push((key, value)),
            },
            Some(Status::Section | Status::Named) => {
                let message = format!("`{}` is a section", key.name);
                let d = Diagnostic::error("key::form", message, entry.span, "written as a value");
                cx.report(d.help(format!("write `{} {{ … }}`", key.name)));
            }
            None => rest.push(entry),
        }
    }

    fn section(&mut self, cx: &Ctx, inner: &'a Section) {
        match self.sections.iter().find(|(k, _)| k.name == inner.word.name) {
            Some((first, _)) => cx.report(twice(&inner.word, first.span)),
            None => self.sections.push((&inner.word, inner)),
        }
    }

    /// A key of a section, for who comes after those that check its entries.
    pub fn quietly(section: &'a Section, key: &str) -> Option<(&'a Ident, &'a Expr)> {
        section.entries.iter().find_map(|entry| match &entry.kind {
            EntryKind::Bind { path, value } => match path.parts.as_slice() {
                [name] if &*name.name == key => Some((name, value)),
                _ => None,
            },
            _ => None,
        })
    }

    pub fn get(&self, key: &str) -> Option<&'a Expr> {
        self.values.iter().find(|(k, _)| &*k.name == key).map(|(_, v)| *v)
    }

    /// The key as written.
    pub fn key(&self, key: &str) -> Option<&'a Ident> {
        self.values.iter().find(|(k, _)| &*k.name == key).map(|(k, _)| *k)
    }

    pub fn inner(&self, key: &str) -> Option<&'a Section> {
        self.sections.iter().find(|(k, _)| &*k.name == key).map(|(_, s)| *s)
    }
}

fn twice(key: &Ident, first: Span) -> Diagnostic {
    Diagnostic { code: "key::twice", ..duplicate(key, first) }.help("take out one of the two")
}

fn wants_value(cx: &Ctx, key: &Ident) {
    let d = Diagnostic::error(
        "key::form",
        format!("`{}` takes a value", key.name),
        key.span,
        "written as a section",
    );
    cx.report(d.help(format!("write `{} = …`", key.name)));
}

/// An entry that has no place in the section.
pub(super) fn stray(cx: &Ctx, word: &str, entry: &Entry) {
    match &entry.kind {
        EntryKind::Bind { path, .. } => match path.parts.as_slice() {
            [key] => unknown_key(cx, word, key),
            _ => {
                let d = Diagnostic::error(
                    "key::unknown",
                    format!("a dotted name is no key of `{word}`"),
                    path.span,
                    "only a variant sets dotted names",
                );
                cx.report(d.help("move it into a `variant`, or set the value where it stands"));
            }
        },
        EntryKind::Section(inner) => unknown_key(cx, word, &inner.word),
        EntryKind::Let { .. } => misplaced(cx, word, entry, "`let`"),
        EntryKind::Input { .. } => misplaced(cx, word, entry, "`input`"),
        EntryKind::Output { .. } => misplaced(cx, word, entry, "`output`"),
        EntryKind::Typed { names, how } => match names.as_slice() {
            [key] if keys::find(word, &key.name).is_some() => colon(cx, key, how),
            _names => misplaced(cx, word, entry, "`name : how`"),
        },
        EntryKind::Broken => {}
    }
}

/// `epochs: 5`
fn colon(cx: &Ctx, key: &Ident, value: &Expr) {
    let sign = key.span.end().to(value.span.start());
    let message = format!("`{}` is set by `=`; `:` gives types", key.name);
    let d = Diagnostic::error("key::form", message, sign, "not `=`");
    let help = format!("write `{} = …`", key.name);
    cx.report(d.help(help).fix("write `=`", sign, " = "));
}

fn misplaced(cx: &Ctx, word: &str, entry: &Entry, what: &str) {
    let code: Code = "key::misplaced";
    let d = Diagnostic::error(
        code,
        format!("{what} has no place in `{word}`"),
        entry.span,
        "does not belong here",
    );
    let known = super::ctx::list(built(word)).unwrap_or_default();
    cx.report(d.help(format!("`{word}` has the keys {known}")));
}

/// The keys of a section that are obeyed.
fn built(word: &str) -> impl Iterator<Item = &'static str> + Clone {
    keys::of(word).iter().map(|k| k.name)
}

/// A word that is no key, with the nearest that is one.
pub(super) fn unknown_key(cx: &Ctx, word: &str, key: &Ident) {
    let d = Diagnostic::error(
        "key::unknown",
        format!("`{word}` has no key `{}`", key.name),
        key.span,
        "not a key",
    );
    if word == "train" && ["learning_rate", "lr"].contains(&&*key.name) {
        return cx.report(d.help("the optimizer has it: `optimizer = Adam(lr=1e-3)`"));
    }
    if let Some(place) = super::elsewhere::place(word, &key.name) {
        return cx.report(d.help(place));
    }
    // A typo of a key that is not built yet is still a typo of that.
    let all = keys::of(word).iter().map(|k| k.name);
    let near = keys::alias(word, &key.name).or_else(|| did_you_mean(&key.name, all));
    cx.report(match near {
        Some(near) => {
            d.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), key.span, near)
        }
        None => match super::ctx::list(built(word)) {
            Some(keys) => d.help(format!("write one of {keys}")),
            None => d.help(format!("take it out: no key of `{word}` is built yet")),
        },
    });
}
