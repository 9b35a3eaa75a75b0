//! `--set` and variants: edits of the tree before anything is checked.
//!
//! A new value takes the place of the old one, with the span of where the
//! user wrote it; what is wrong with it is found by the same checks and shown
//! there. So nothing behind this pass knows that overrides exist.

use super::ctx::list;
use super::keys;
use crate::base::{Sources, Span};
use crate::diag::{Diagnostic, Diagnostics, did_you_mean};
use crate::syntax::ast::*;
use crate::syntax::parse_value;
use std::sync::Arc;

/// One edit: which value, and what it becomes.
pub(super) struct Override {
    path: Path,
    value: Expr,
}

impl Override {
    /// What the path starts with.
    pub fn first(&self) -> &str {
        self.path.parts.first().map_or("", |p| &p.name)
    }
}

/// The override of one `--set path=value`, whose text `span` covers.
pub(super) fn from_setting(
    sources: &Sources,
    path: &str,
    value: &str,
    span: Span,
) -> Result<Override, Diagnostics> {
    let text = sources.slice(span);
    let lo = span.lo as usize;
    let behind = text.find('=').map_or(0, |i| i + 1);
    let starts = |within: &str, part: &str| within.find(part).unwrap_or(0);
    let path_at = lo + starts(text, path);
    let value_at = lo + behind + starts(&text[behind..], value);
    let mut at = path_at;
    let mut parts = Vec::new();
    for part in path.split('.') {
        parts.push(Ident { name: Arc::from(part), span: Span::new(span.file, at, at + part.len()) });
        at += part.len() + 1;
    }
    let value_span = Span::new(span.file, value_at, value_at + value.len());
    let path = Path { span: Span::new(span.file, path_at, path_at + path.len()), parts };
    Ok(Override { path, value: parse_value(sources, value_span)? })
}

/// The overrides of a variant; anything else in it is an error.
pub(super) fn from_variant(section: &Section, diags: &mut Diagnostics) -> Vec<Override> {
    let mut all = Vec::new();
    for entry in &section.entries {
        match &entry.kind {
            EntryKind::Bind { path, value } => {
                all.push(Override { path: path.clone(), value: value.clone() })
            }
            EntryKind::Broken => {}
            EntryKind::Let { .. }
            | EntryKind::Input { .. }
            | EntryKind::Output { .. }
            | EntryKind::Typed { .. }
            | EntryKind::Section(_) => diags.push(
                Diagnostic::error(
                    "override::entry",
                    "a variant only sets values",
                    entry.span,
                    "not `name = value`",
                )
                .help(
                    "write `name = value`, where the name is a param, a dim, or a key such as `train.epochs`",
                ),
            ),
        }
    }
    all
}

/// The variant of that name.
pub(super) fn variant<'a>(file: &'a File, name: &str) -> Option<&'a Section> {
    variants(file).find(|s| s.name.as_ref().is_some_and(|n| &*n.name == name))
}

pub(super) fn variants(file: &File) -> impl Iterator<Item = &Section> + Clone {
    file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Section(s) if &*s.word.name == "variant" => Some(s),
        _ => None,
    })
}

/// `--variant name` that no section bears.
pub(super) fn unknown_variant(file: &File, name: &str, span: Span) -> Diagnostic {
    let known: Vec<&str> = variants(file).filter_map(|s| s.name.as_ref()).map(|n| &*n.name).collect();
    let diagnostic = Diagnostic::error(
        "variant::unknown",
        format!("there is no variant `{name}`"),
        span,
        "not in the spec",
    );
    match (did_you_mean(name, known.iter().copied()), list(known.iter().copied())) {
        (Some(near), _) => {
            diagnostic.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), span, near)
        }
        (None, Some(all)) => diagnostic.help(format!("the spec has {all}")),
        (None, None) => diagnostic.help("the spec has none: add `variant name { … }`"),
    }
}

/// Gives a param or dim a number, as an override at `span` would.
pub(super) fn set_size(file: &mut File, name: &str, size: i64, span: Span) -> Result<(), Diagnostic> {
    let ident = Ident { name: Arc::from(name), span };
    let value = Expr { kind: ExprKind::Int(size), span };
    set_global(file, &ident, &Override { path: Path { parts: vec![ident.clone()], span }, value })
}

/// Edits the tree; a path that leads nowhere is an error at the path.
pub(super) fn apply(file: &mut File, over: &Override) -> Result<(), Diagnostic> {
    match over.path.parts.as_slice() {
        [] => Ok(()),
        [name] => set_global(file, name, over),
        [section, rest @ ..] => set_key(file, section, rest, over),
    }
}

fn set_global(file: &mut File, wanted: &Ident, over: &Override) -> Result<(), Diagnostic> {
    for item in &mut file.items {
        match &mut item.kind {
            ItemKind::Param { name, value, .. } if name.name == wanted.name => {
                *value = over.value.clone();
                return Ok(());
            }
            ItemKind::Dim { name, value, bound } if name.name == wanted.name => {
                within_bound(*bound, value, over, name)?;
                *value = over.value.clone();
                *bound = DimBound::Exactly;
                return Ok(());
            }
            _ => {}
        }
    }
    Err(unknown_path(wanted, &settable(file)))
}

/// `dim T <= 1024` takes any value up to its bound.
fn within_bound(bound: DimBound, old: &Expr, over: &Override, name: &Ident) -> Result<(), Diagnostic> {
    let (DimBound::AtMost, ExprKind::Int(most)) = (bound, &old.bare().kind) else { return Ok(()) };
    match &over.value.bare().kind {
        ExprKind::Int(n) if n > most => Err(Diagnostic::error(
            "param::domain",
            format!("`{}` is at most {most}, but it is set to {n}", name.name),
            over.value.span,
            format!("more than {most}"),
        )
        .label(old.span, "bounded here")
        .help(format!("choose a value up to {most}, or raise the bound"))),
        _ => Ok(()),
    }
}

/// Every path that an override may name, for "did you mean".
fn settable(file: &File) -> Vec<String> {
    let mut all = Vec::new();
    for item in &file.items {
        match &item.kind {
            ItemKind::Param { name, .. } | ItemKind::Dim { name, .. } => all.push(name.name.to_string()),
            ItemKind::Section(s) => all.extend(handle(s).map(|h| h.to_string())),
            ItemKind::Op(_) | ItemKind::Block(_) | ItemKind::Import { .. } | ItemKind::Broken => {}
        }
    }
    all
}

/// What a path calls a section: its name, or the word if it has none.
fn handle(section: &Section) -> Option<&str> {
    match &*section.word.name {
        "variant" | "model" => None,
        word => Some(section.name.as_ref().map_or(word, |n| &n.name)),
    }
}

fn unknown_path(wanted: &Ident, known: &[String]) -> Diagnostic {
    let message = format!("there is no param, dim or section `{}` to set", wanted.name);
    let diagnostic = Diagnostic::error("override::unknown", message, wanted.span, "not in the spec");
    super::ctx::suggest(diagnostic, "param", wanted, known.iter().map(String::as_str))
}

fn set_key(file: &mut File, wanted: &Ident, rest: &[Ident], over: &Override) -> Result<(), Diagnostic> {
    let known = settable(file);
    let (wanted, rest) = match several_trains(file, wanted, rest)? {
        Some(named) => (&rest[0], named),
        None => (wanted, rest),
    };
    let section = file.items.iter_mut().find_map(|item| match &mut item.kind {
        ItemKind::Section(s) if handle(s) == Some(&wanted.name) || is_word(s, &wanted.name) => Some(s),
        _ => None,
    });
    match section {
        Some(section) => set_in(section, rest, over),
        None => Err(unknown_path(wanted, &known)),
    }
}

/// Of `train.main.epochs` where `main` is one of several `train` sections: what is behind the section's name.
///
/// # Errors
/// If none of several is named: `train.epochs` may mean any.
fn several_trains<'a>(
    file: &File,
    wanted: &Ident,
    rest: &'a [Ident],
) -> Result<Option<&'a [Ident]>, Diagnostic> {
    let trains = file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Section(s) if &*s.word.name == "train" => Some(s),
        _ => None,
    });
    let all: Vec<&Section> = trains.collect();
    let names: Vec<&str> = all.iter().filter_map(|s| s.name.as_ref()).map(|n| &*n.name).collect();
    if &*wanted.name != "train" || all.len() < 2 || names.len() < all.len() {
        return Ok(None);
    }
    let [name, behind @ ..] = rest else { return Ok(None) };
    if !behind.is_empty() && names.contains(&&*name.name) {
        return Ok(Some(behind));
    }
    let message = "there are several `train` sections to set this in";
    let diagnostic = Diagnostic::error("override::unknown", message, wanted.span, "names none of them");
    let examples = names.iter().map(|n| format!("`{n}.{}`", name.name));
    Err(diagnostic.help(format!("write one of {}", examples.collect::<Vec<_>>().join(", "))))
}

/// `train.epochs` reaches the only `train` even if it bears a name.
fn is_word(section: &Section, word: &str) -> bool {
    &*section.word.name == word && handle(section).is_some()
}

fn set_in(section: &mut Section, path: &[Ident], over: &Override) -> Result<(), Diagnostic> {
    let [key, rest @ ..] = path else { return Ok(()) };
    for entry in &mut section.entries {
        match &mut entry.kind {
            EntryKind::Section(inner) if !rest.is_empty() && handle(inner) == Some(&key.name) => {
                return set_in(inner, rest, over);
            }
            EntryKind::Bind { path, value } if path.parts.len() == 1 && path.parts[0].name == key.name => {
                return match rest {
                    [] => {
                        *value = over.value.clone();
                        Ok(())
                    }
                    [argument] => set_argument(value, argument, over),
                    [_, deeper, ..] => Err(no_key(deeper)),
                };
            }
            _ => {}
        }
    }
    if !rest.is_empty() {
        return Err(no_key(key));
    }
    let known = keys::of(&section.word.name);
    if !known.iter().any(|k| k.name == &*key.name) {
        let message =
            format!("`{}` has no key `{}`", handle(section).unwrap_or(&section.word.name), key.name);
        let diagnostic = Diagnostic::error("override::unknown", message, key.span, "not a key");
        return Err(super::ctx::suggest(diagnostic, "key", key, known.iter().map(|k| k.name)));
    }
    // A training lasts as long as it was told last: `steps` take the place of the spec's `epochs`.
    let instead = EITHER.iter().find_map(|[a, b]| match &*key.name {
        name if name == *a => Some(*b),
        name if name == *b => Some(*a),
        _ => None,
    });
    let is_instead = |path: &Path| path.parts.len() == 1 && Some(&*path.parts[0].name) == instead;
    section.entries.retain(|e| !matches!(&e.kind, EntryKind::Bind { path, .. } if is_instead(path)));
    section.entries.push(bind(key, over.value.clone()));
    Ok(())
}

/// Keys of which a section has one.
const EITHER: &[[&str; 2]] = &[["epochs", "steps"]];

fn no_key(key: &Ident) -> Diagnostic {
    Diagnostic::error(
        "override::unknown",
        format!("there is no `{}` to set", key.name),
        key.span,
        "not in the spec",
    )
    .help("write a path such as `train.epochs` or `train.optimizer.lr`")
}

/// A key that the spec leaves to its default.
fn bind(key: &Ident, value: Expr) -> Entry {
    let span = value.span;
    let path = Path { parts: vec![key.clone()], span: key.span };
    Entry { kind: EntryKind::Bind { path, value }, span, doc: None, trivia: Trivia::default() }
}

/// `optimizer.lr`: the argument of the call that the key is bound to.
fn set_argument(value: &mut Expr, argument: &Ident, over: &Override) -> Result<(), Diagnostic> {
    let span = value.span;
    if let ExprKind::Name(_) = &value.kind {
        let callee = Box::new(value.clone());
        *value = Expr { kind: ExprKind::Call { callee, args: Vec::new() }, span };
    }
    let ExprKind::Call { args, .. } = &mut value.kind else { return Err(no_key(argument)) };
    let new = Arg { name: Some(argument.clone()), value: over.value.clone() };
    // The learning rate comes first in every optimizer, so a bare first number is `lr`.
    let is_lr = |a: &Arg| a.name.is_none() && &*argument.name == "lr";
    match args.iter_mut().find(|a| a.name.as_ref().map_or(is_lr(a), |n| n.name == argument.name)) {
        Some(arg) => *arg = new,
        None => args.push(new),
    }
    Ok(())
}
