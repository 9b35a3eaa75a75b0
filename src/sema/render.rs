//! The spec with every default written out.
//!
//! Works on the tree: the variant and overrides are applied, arguments and
//! keys that the spec leaves to their defaults are added behind the others,
//! and the formatter prints the result. It checks again, to the same job, and
//! rendering it once more changes nothing.

use super::{Settings, data, file};
use crate::base::{FileId, Sources, Span};
use crate::diag::Diagnostics;
use crate::ops::{self, Attr, AttrType, AttrValue, Default, Framework, Sig, defaults};
use crate::syntax::ast::*;
use crate::syntax::{format, parse};
use std::sync::Arc;

/// Renders a spec that checks without errors.
pub fn render(sources: &Sources, file: FileId, ast: &File, settings: &Settings) -> String {
    let mut tree = file::prepare(sources, ast, settings, &mut Diagnostics::new());
    let word = tree.header.as_ref().and_then(|h| h.defaults.as_ref());
    let framework = word.and_then(|w| Framework::parse(&w.name)).unwrap_or(Framework::Keras);
    if let Some(header) = &mut tree.header
        && header.defaults.is_none()
    {
        header.defaults = Some(ident(framework.name(), header.span.end()));
    }
    let taken: Vec<Arc<str>> = tree.items.iter().filter_map(|i| own_layer(&i.kind)).collect();
    let filler = Filler { file, framework, taken };
    tree.items.iter_mut().for_each(|item| filler.item(item));
    settle(format(&tree))
}

/// Blocks and ops may take over the names of layers.
fn own_layer(item: &ItemKind) -> Option<Arc<str>> {
    match item {
        ItemKind::Block(block) => Some(block.name.name.clone()),
        ItemKind::Op(op) => Some(op.name.name.clone()),
        ItemKind::Param { .. }
        | ItemKind::Dim { .. }
        | ItemKind::Import { .. }
        | ItemKind::Section(_)
        | ItemKind::Broken => None,
    }
}

/// What was added has no place of its own in the text, so the first print may break lines
/// otherwise than a print of itself: the formatter is asked until it agrees.
fn settle(mut text: String) -> String {
    const TRIES: usize = 4;
    for _ in 0..TRIES {
        let mut sources = Sources::new();
        let file = sources.add("rendered", None, text.as_str());
        let again = format(&parse(&sources, file).0);
        if again == text {
            break;
        }
        text = again;
    }
    text
}

struct Filler {
    file: FileId,
    framework: Framework,
    taken: Vec<Arc<str>>,
}

fn ident(name: &str, span: Span) -> Ident {
    Ident { name: Arc::from(name), span }
}

fn argument(name: &str, kind: ExprKind, at: Span) -> Arg {
    Arg { name: Some(ident(name, at)), value: Expr { kind, span: at } }
}

fn bind(name: &str, kind: ExprKind, at: Span) -> Entry {
    let path = Path { parts: vec![ident(name, at)], span: at };
    entry(EntryKind::Bind { path, value: Expr { kind, span: at } }, at)
}

fn entry(kind: EntryKind, span: Span) -> Entry {
    Entry { kind, span, doc: None, trivia: Trivia::default() }
}

/// Before the closing brace.
fn last_place(section: &Section) -> Span {
    let hi = section.body.hi.saturating_sub(1).max(section.body.lo);
    Span { lo: hi, hi, ..section.body }
}

impl Filler {
    fn item(&self, item: &mut Item) {
        let at = item.span.end();
        match &mut item.kind {
            ItemKind::Param { value, .. } | ItemKind::Dim { value, .. } => self.expr(value, at),
            ItemKind::Block(block) => block.body.iter_mut().for_each(|e| self.entry(e, at)),
            ItemKind::Section(section) => self.section(section),
            ItemKind::Op(_) | ItemKind::Import { .. } | ItemKind::Broken => {}
        }
    }

    fn section(&self, section: &mut Section) {
        let at = last_place(section);
        section.entries.iter_mut().for_each(|e| self.entry(e, at));
        let word = section.word.name.clone();
        let keys: &[(&str, ExprKind)] = match &*word {
            "data" => &[
                ("batch", ExprKind::Int(data::BATCH)),
                ("shuffle", ExprKind::Bool(true)),
                ("drop_last", ExprKind::Bool(false)),
            ],
            "split" => &[("ordered", ExprKind::Bool(false)), ("seed", ExprKind::Int(0))],
            "train" => &[("seed", ExprKind::Int(0))],
            _ => &[],
        };
        for (key, value) in keys {
            if !has_key(section, key) {
                section.entries.push(bind(key, value.clone(), at));
            }
        }
    }

    fn entry(&self, entry: &mut Entry, at: Span) {
        if entry.span.file != self.file {
            entry.span = at;
        }
        match &mut entry.kind {
            EntryKind::Bind { path, value } => {
                if path.span.file != self.file {
                    path.span = at;
                    path.parts.iter_mut().for_each(|p| p.span = at);
                }
                let behind = path.span.end();
                self.expr(value, behind);
                match path.parts.as_slice() {
                    [key] if &*key.name == "optimizer" => self.optimizer(value),
                    [key] if ["source", "valid", "test"].contains(&&*key.name) => self.source(value),
                    _ => {}
                }
            }
            EntryKind::Let { value, .. } | EntryKind::Output { value, .. } => self.expr(value, at),
            EntryKind::Section(section) => self.section(section),
            EntryKind::Input { .. } | EntryKind::Typed { .. } | EntryKind::Broken => {}
        }
    }

    /// Fills the layers of an expression. What an override brought gets a place in this text.
    fn expr(&self, e: &mut Expr, at: Span) {
        if e.span.file != self.file {
            e.span = at;
        }
        let here = e.span.end();
        match &mut e.kind {
            ExprKind::Name(name) if name.span.file != self.file => name.span = at,
            ExprKind::Member(inner, _) | ExprKind::Neg(inner) | ExprKind::Paren(inner) => {
                self.expr(inner, at)
            }
            ExprKind::As { stage, .. } => self.expr(stage, at),
            ExprKind::Call { callee, args } => {
                if callee.as_name().is_none() {
                    self.expr(callee, at);
                }
                for arg in args {
                    if let Some(name) = &mut arg.name
                        && name.span.file != self.file
                    {
                        name.span = here;
                    }
                    self.expr(&mut arg.value, here);
                }
            }
            ExprKind::Index { base, .. } => self.expr(base, at),
            ExprKind::Binary { left, right, .. } | ExprKind::Range(left, right) => {
                self.expr(left, at);
                self.expr(right, at);
            }
            ExprKind::Pipe { input, stage } => {
                self.expr(input, at);
                self.expr(stage, at);
            }
            ExprKind::Repeat { count, body, .. } => {
                self.expr(count, at);
                self.expr(body, at);
            }
            ExprKind::List(items) | ExprKind::Tuple(items) => items.iter_mut().for_each(|i| self.expr(i, at)),
            ExprKind::Name(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Percent(_)
            | ExprKind::Str(_)
            | ExprKind::Bool(_)
            | ExprKind::Broken => {}
        }
        if let Some(sig) = self.layer(e) {
            let missing = self.missing(sig, given(e));
            extend(e, missing);
        }
    }

    /// The layer that an expression names or calls.
    fn layer(&self, e: &Expr) -> Option<&'static Sig> {
        let name = match &e.kind {
            ExprKind::Name(name) => name,
            ExprKind::Call { callee, .. } => callee.as_name()?,
            _ => return None,
        };
        let mine = self.taken.contains(&name.name);
        ops::layer(&name.name).filter(|_| !mine).map(|layer| layer.sig())
    }

    fn optimizer(&self, value: &mut Expr) {
        let name = match &value.kind {
            ExprKind::Name(name) => Some(name),
            ExprKind::Call { callee, .. } => callee.as_name(),
            _ => None,
        };
        if let Some(def) = name.and_then(|n| ops::optimizer::find(&n.name)) {
            let missing = self.missing(&def.sig, given(value));
            extend(value, missing);
        }
    }

    fn source(&self, value: &mut Expr) {
        let missing = match &value.kind {
            ExprKind::Call { callee, args } => match callee.as_name() {
                Some(name) => data::source_defaults(&name.name, args),
                None => Vec::new(),
            },
            _ => Vec::new(),
        };
        extend(value, missing);
    }

    /// The settings that a call leaves out, with their defaults.
    fn missing(&self, sig: &Sig, args: &[Arg]) -> Vec<(&'static str, ExprKind)> {
        let sizes = sig.attrs.iter().any(|a| a.ty == AttrType::Sizes);
        let places = if sizes { 0 } else { args.iter().filter(|a| a.name.is_none()).count() };
        let named = |attr: &Attr| args.iter().any(|a| a.name.as_ref().is_some_and(|n| &*n.name == attr.name));
        let open = sig.attrs.iter().enumerate().filter(|(i, attr)| *i >= places && !named(attr));
        open.filter_map(|(_, attr)| Some((attr.name, self.default(attr)?))).collect()
    }

    /// A default as the language writes it; `None` for what cannot be written, such as no size.
    fn default(&self, attr: &Attr) -> Option<ExprKind> {
        let word = |word: &str| Some(ExprKind::Name(ident(word, Span::default())));
        match attr.default {
            Default::Required => None,
            Default::None if attr.ty == AttrType::Activation => word("none"),
            Default::None => None,
            Default::Int(n) => Some(whole(n)),
            Default::Float(x) => Some(ExprKind::Float(x)),
            Default::Bool(x) => Some(ExprKind::Bool(x)),
            Default::Word(text) => word(text),
            Default::Table(key) => match defaults::attr(self.framework, key)? {
                AttrValue::Float(x) => Some(ExprKind::Float(x)),
                AttrValue::Size(n) => n.as_const().map(whole),
                AttrValue::Bool(x) => Some(ExprKind::Bool(x)),
                AttrValue::Init(spec) => word(initialiser(&spec)?),
                AttrValue::Sizes(_) | AttrValue::Word(_) | AttrValue::Activation(_) | AttrValue::None => None,
            },
        }
    }
}

fn whole(n: i64) -> ExprKind {
    let size = ExprKind::Int(n.abs());
    if n < 0 { ExprKind::Neg(Box::new(Expr { kind: size, span: Span::default() })) } else { size }
}

/// The name of an initialiser whose own defaults give this one.
fn initialiser(spec: &ops::InitSpec) -> Option<&'static str> {
    let same = |def: &&ops::init::InitDef| {
        let values: Option<Vec<AttrValue>> = def.sig.attrs.iter().map(plain_default).collect();
        values.is_some_and(|values| def.spec(&values) == *spec)
    };
    ops::init::INITS.iter().find(same).map(|def| def.sig.name)
}

fn plain_default(attr: &Attr) -> Option<AttrValue> {
    match attr.default {
        Default::Float(x) => Some(AttrValue::Float(x)),
        Default::Int(n) => Some(AttrValue::Size(n.into())),
        Default::Required | Default::None | Default::Bool(_) | Default::Word(_) | Default::Table(_) => None,
    }
}

fn given(e: &Expr) -> &[Arg] {
    match &e.kind {
        ExprKind::Call { args, .. } => args,
        _ => &[],
    }
}

/// Adds arguments behind those of a call; a bare name becomes a call.
fn extend(e: &mut Expr, missing: Vec<(&'static str, ExprKind)>) {
    if missing.is_empty() {
        return;
    }
    let span = e.span;
    if let ExprKind::Name(_) = &e.kind {
        let callee = Box::new(e.clone());
        e.kind = ExprKind::Call { callee, args: Vec::new() };
    }
    // In front of the closing parenthesis, where the formatter looks for comments.
    let at = if span.hi > span.lo { Span { lo: span.hi - 1, hi: span.hi - 1, ..span } } else { span };
    if let ExprKind::Call { args, .. } = &mut e.kind {
        args.extend(missing.into_iter().map(|(name, kind)| argument(name, placed(kind, at), at)));
    }
}

/// Names and signs inside a default stand where the default stands.
fn placed(kind: ExprKind, at: Span) -> ExprKind {
    match kind {
        ExprKind::Name(name) => ExprKind::Name(Ident { span: at, ..name }),
        ExprKind::Neg(inner) => ExprKind::Neg(Box::new(Expr { span: at, ..*inner })),
        other => other,
    }
}

fn has_key(section: &Section, key: &str) -> bool {
    section.entries.iter().any(|e| match &e.kind {
        EntryKind::Bind { path, .. } => path.parts.len() == 1 && &*path.parts[0].name == key,
        EntryKind::Section(inner) => &*inner.word.name == key,
        EntryKind::Let { .. }
        | EntryKind::Input { .. }
        | EntryKind::Output { .. }
        | EntryKind::Typed { .. }
        | EntryKind::Broken => false,
    })
}
