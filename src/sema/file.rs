//! One spec from top to bottom: what is checked, in which order.

use super::ctx::{Ctx, Global};
use super::data::{self, Data, DataView};
use super::facts::{Recorder, uses_in};
use super::job::{Job, ModelInfo, WeightInfo};
use super::keyed::{Keyed, stray};
use super::keys::{ITEMS, WORDS};
use super::model::{Elab, alone, block_alone};
use super::{
    DataProbe, Settings, dims, generate, memo, names, overrides, params, pretrained, test_section, train,
    walk,
};
use crate::base::{FileId, Precision, Sources, Span};
use crate::diag::{Diagnostic, Diagnostics, did_you_mean};
use crate::graph::{Builder, Leaf, LeafKind};
use crate::ops::formula::{Eval, Number};
use crate::ops::{Framework, Library, Mode};
use crate::syntax::ast::{self, Entry, EntryKind, ExprKind, Ident, ItemKind, Section};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The tree that is checked: misspelt section words put right (and reported), then the variant
/// and the overrides applied.
pub(super) fn prepare<'a>(
    sources: &Sources,
    ast: &'a ast::File,
    settings: &Settings,
    diags: &mut Diagnostics,
) -> Cow<'a, ast::File> {
    // Most texts are checked as they are, and editors check them at each key.
    let mut file = Cow::Borrowed(ast);
    let broken = broken_words(sources, ast);
    for (i, item) in ast.items.iter().enumerate() {
        if let ItemKind::Section(section) = &item.kind
            && let Some(meant) = section_word(section, diags)
            && let ItemKind::Section(section) = &mut file.to_mut().items[i].kind
        {
            section.word.name = meant.into();
        }
    }
    variants(&file, &broken, diags);
    let mut all = Vec::new();
    if let Some((name, span)) = &settings.variant {
        match overrides::variant(&file, name) {
            Some(section) => all.extend(overrides::from_variant(section, &mut Diagnostics::new())),
            None => diags.push(overrides::unknown_variant(&file, name, *span)),
        }
    }
    for (path, value, span) in &settings.overrides {
        match overrides::from_setting(sources, path, value, *span) {
            Ok(one) => all.push(one),
            Err(found) => diags.extend(found.sorted()),
        }
    }
    for over in &all {
        apply(file.to_mut(), over, &broken, diags);
    }
    file
}

/// Applies an override; one of something that did not parse says nothing more.
fn apply(file: &mut ast::File, over: &overrides::Override, broken: &BTreeSet<&str>, diags: &mut Diagnostics) {
    match overrides::apply(file, over) {
        Err(d) if !broken.contains(over.first()) => diags.push(d),
        Ok(()) | Err(_) => {}
    }
}

/// `modle` is said once and then read as `model`, which is given back, so that nothing about its contents is lost.
fn section_word(section: &Section, diags: &mut Diagnostics) -> Option<&'static str> {
    let word = &section.word;
    match WORDS.iter().find(|w| w.name == &*word.name).map(|w| w.later) {
        Some(Some(instead)) => {
            let message = format!("`{}` is not built yet", word.name);
            let d = Diagnostic::error(
                "later::section",
                message,
                word.span,
                "part of the language, but not built yet",
            );
            diags.push(d.help(instead));
        }
        Some(None) => nameless(section, diags),
        None => {
            let known = WORDS.iter().map(|w| w.name).chain(ITEMS.iter().map(|i| i.name));
            let d = Diagnostic::error(
                "section::unknown",
                format!("there is no section `{}`", word.name),
                word.span,
                "not a section word",
            );
            let near =
                super::keys::section_alias(&word.name).or_else(|| did_you_mean(&word.name, known.clone()));
            diags.push(match near {
                Some(near) => {
                    d.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), word.span, near)
                }
                None => d.help(format!("write one of {}", super::ctx::list(known).unwrap_or_default())),
            });
            return near;
        }
    }
    None
}

fn nameless(section: &Section, diags: &mut Diagnostics) {
    let word = &*section.word.name;
    if section.name.is_none() && word != "train" {
        let d = Diagnostic::error(
            "section::name",
            format!("a `{word}` section needs a name"),
            section.word.span,
            "no name behind it",
        );
        diags.push(d.help(format!("write `{word} name {{ … }}`")));
    }
}

/// Every variant must be right, chosen or not: its paths lead somewhere.
fn variants(file: &ast::File, broken: &BTreeSet<&str>, diags: &mut Diagnostics) {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    if overrides::variants(file).next().is_none() {
        return;
    }
    // No variant changes another.
    let mut rest = file.clone();
    rest.items.retain(|item| !matches!(&item.kind, ItemKind::Section(s) if &*s.word.name == "variant"));
    for section in overrides::variants(file) {
        if let Some(name) = &section.name {
            match seen.get(&*name.name) {
                Some(first) => diags.push(names::duplicate(name, *first)),
                None => drop(seen.insert(&name.name, name.span)),
            }
        }
        let mut scratch = rest.clone();
        for over in overrides::from_variant(section, diags) {
            apply(&mut scratch, &over, broken, diags);
        }
    }
}

/// So many variants are checked beside the chosen one: each takes as long as the spec itself, and more wait until
/// they are chosen.
const VARIANTS: usize = 32;

/// What is wrong with the values of variants that are not chosen. Each is checked as if it were;
/// what it breaks elsewhere is for those who choose it.
pub(super) fn variant_values(
    sources: &mut Sources,
    file: FileId,
    ast: &ast::File,
    settings: &Settings,
    probe: &dyn DataProbe,
    diags: &mut Diagnostics,
) {
    let chosen = settings.variant.as_ref().map(|(name, _)| &**name);
    let others = overrides::variants(ast).filter(|s| s.name.as_ref().map(|n| &*n.name) != chosen);
    // A second one of a name is a mistake that is reported.
    let mut names = BTreeSet::new();
    let others = others.filter(|s| names.insert(s.name.as_ref().map(|n| &*n.name)));
    for section in others.take(VARIANTS) {
        let mut with = ast.clone();
        for over in overrides::from_variant(section, &mut Diagnostics::new()) {
            // A path that leads nowhere is reported already.
            let _ = overrides::apply(&mut with, &over);
        }
        let mut found = Diagnostics::new();
        let nothing = Recorder::default();
        check(sources, file, &with, Asked { settings, probe, facts: &nothing }, &mut found);
        diags.extend(found.sorted().into_iter().filter(|d| section.body.contains(d.span())));
    }
}

/// How a tree is to be checked, and who notes what is seen.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub settings: &'a Settings,
    pub probe: &'a dyn DataProbe,
    pub facts: &'a Recorder,
}

/// Checks the prepared tree.
pub(super) fn check(
    sources: &mut Sources,
    file: FileId,
    ast: &ast::File,
    asked: Asked,
    diags: &mut Diagnostics,
) -> (Option<Job>, Vec<DataView>) {
    let Asked { settings, probe, facts } = asked;
    defaults(ast, diags);
    let library = Library::std(super::framework(ast), sources);
    let sources = &*sources;
    let fixed = dims::any_bounded(ast).then(|| {
        let nothing = Recorder::default();
        let alone = context(sources, ast, settings, (library.clone(), &nothing), &mut Diagnostics::new());
        dims::fixed_by_data(&alone, ast, probe)
    });
    let fixed = fixed.flatten();
    let ast = fixed.as_ref().unwrap_or(ast);
    let mut cx = context(sources, ast, settings, (library, facts), diags);
    let params = params::check(&cx, ast);
    for (name, value) in &params {
        if let crate::ops::formula::Item::Number(number @ (Number::Int(_) | Number::Float(_))) =
            super::consts::item::<()>(value.clone())
        {
            cx.library.define(name, number);
        }
    }
    let mut found = Diagnostics::new();
    cx.library.declare(ast, &mut found);
    cx.diags.borrow_mut().extend(found.sorted());
    names::check(&cx, ast);
    several_trains(&cx, ast);
    *cx.data.borrow_mut() = data_sections(&cx, ast, probe);
    let over = memo::taken_over(&cx);
    let models: Vec<ModelInfo> = ast_sections(ast, "model")
        .filter_map(|s| {
            let mut model = known_model(&cx, ast, &over, s, s.name.as_ref()?);
            pretrained::check(&cx, s, model.as_mut(), probe);
            model
        })
        .collect();
    let name = job_name(sources, file);
    let trains: Vec<_> = ast_sections(ast, "train").map(|s| train::check(&cx, s, &name)).collect();
    // A model answers as the last training left it.
    let precision = trains.iter().flatten().last().map_or(Precision::F32, |plan| plan.precision);
    let generates: Vec<_> =
        ast_sections(ast, "generate").map(|s| generate::check(&cx, ast, s, precision)).collect();
    blocks(&cx);
    for section in cx.data.borrow().iter() {
        data::unused(&cx, section, ast);
        section.check_windows(&cx);
        section.check_augment(&cx);
    }
    let roles: Vec<_> = cx.data.borrow().iter().map(|data| data::roles(&cx, ast, data)).collect();
    let plans: Option<Vec<_>> = cx.data.borrow().iter().zip(&roles).map(|(d, r)| d.plan(r.clone())).collect();
    let views = cx.data.borrow().iter().zip(roles).filter_map(|(data, r)| data.view(&cx, r)).collect();
    let trains: Option<Vec<_>> = trains.into_iter().collect();
    let generates: Option<Vec<_>> = generates.into_iter().collect();
    let tests: Option<Vec<_>> = match (&trains, &plans) {
        (Some(trains), Some(plans)) => {
            ast_sections(ast, "test").map(|s| test_section::check(&cx, s, trains, plans)).collect()
        }
        (None, _) | (_, None) => None,
    };
    test_names(&cx, ast);
    facts.data(|| cx.data.borrow().iter().map(|data| data.fact(&cx)).collect());
    facts.uses(|seen| uses_in(ast, &cx.library, seen));
    diags.extend(without_echoes(&cx));
    let job =
        |(((data, trains), generates), tests)| Job { name, params, data, models, trains, generates, tests };
    (plans.zip(trains).zip(generates).zip(tests).map(job), views)
}

/// What a check of the tree starts from.
fn context<'a>(
    sources: &'a Sources,
    ast: &'a ast::File,
    settings: &'a Settings,
    (library, facts): (Library, &'a Recorder),
    diags: &mut Diagnostics,
) -> Ctx<'a> {
    Ctx {
        sources,
        settings,
        library,
        globals: names::globals(ast, diags),
        values: Default::default(),
        data: Default::default(),
        reads: reads(ast),
        broken_words: broken_words(sources, ast),
        weight_names: weight_names(ast),
        broken_models: Default::default(),
        entered: Default::default(),
        too_large: Default::default(),
        diags: Default::default(),
        facts,
    }
}

pub(super) fn data_sections<'a>(cx: &Ctx<'a>, file: &'a ast::File, probe: &dyn DataProbe) -> Vec<Data<'a>> {
    let sections = ast_sections(file, "data");
    sections.filter_map(|s| Some(Data::read(cx, s, s.name.as_ref()?, probe))).collect()
}

/// What is found, less what is only unused because its name is misspelt elsewhere.
fn without_echoes(cx: &Ctx) -> Vec<Diagnostic> {
    let found = cx.diags.borrow();
    let meant: BTreeSet<&str> =
        found.iter().filter_map(|d| d.fix.as_ref()).map(|f| f.replacement.as_str()).collect();
    let echo = |d: &Diagnostic| d.code.ends_with("::unused") && meant.contains(cx.text(d.span()));
    found.iter().filter(|d| !echo(d)).cloned().collect()
}

fn job_name(sources: &Sources, file: FileId) -> String {
    let name = &sources.get(file).name;
    let stem = std::path::Path::new(name).file_stem().and_then(|s| s.to_str());
    stem.unwrap_or(name).to_string()
}

/// A table of defaults that there is not.
fn defaults(file: &ast::File, diags: &mut Diagnostics) {
    let Some(word) = file.header.as_ref().and_then(|h| h.defaults.as_ref()) else { return };
    if Framework::parse(&word.name).is_none() {
        let message = format!("there are no defaults `{}`", word.name);
        let d = Diagnostic::error("section::defaults", message, word.span, "not a table of defaults");
        diags.push(super::ctx::suggest(d, "table", word, ["keras", "torch"]));
    }
}

pub(super) fn ast_sections<'a>(file: &'a ast::File, word: &'static str) -> impl Iterator<Item = &'a Section> {
    file.items.iter().filter_map(move |item| match &item.kind {
        ItemKind::Section(s) if &*s.word.name == word => Some(s),
        _ => None,
    })
}

/// Several `train` sections each have a name of their own: runs, folders and overrides bear it.
fn several_trains(cx: &Ctx, file: &ast::File) {
    let all: Vec<&Section> = ast_sections(file, "train").collect();
    let [first, second, ..] = all.as_slice() else { return };
    if let Some(nameless) = all.iter().rfind(|section| section.name.is_none()) {
        let other = if nameless.word.span == first.word.span { second } else { first };
        let message = "one of several `train` sections has no name";
        let d = Diagnostic::error("section::twice", message, nameless.word.span, "no name behind it");
        let d = d.label(other.word.span, "another one");
        cx.report(d.help("give each a name, `train warmup { … }`, to run them in turn"));
    }
    let mut names: BTreeMap<&str, Span> = BTreeMap::new();
    for name in all.iter().filter_map(|section| section.name.as_ref()) {
        match names.get(&*name.name) {
            Some(first) => cx.report(names::duplicate(name, *first)),
            None => drop(names.insert(&name.name, name.span)),
        }
    }
}

/// Reports tell expectations apart by the name of their section.
fn test_names(cx: &Ctx, file: &ast::File) {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for name in ast_sections(file, "test").filter_map(|section| section.name.as_ref()) {
        match seen.get(&*name.name) {
            Some(first) => cx.report(names::duplicate(name, *first)),
            None => drop(seen.insert(&name.name, name.span)),
        }
    }
}

/// `d.col` wherever it stands outside `data`.
fn reads(file: &ast::File) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut reads: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for item in &file.items {
        let is_data = matches!(&item.kind, ItemKind::Section(s) if &*s.word.name == "data");
        if is_data {
            continue;
        }
        walk::item(item, &mut |expr| {
            if let ExprKind::Member(base, member) = &expr.kind
                && let Some(section) = base.as_name()
            {
                reads.entry(&section.name).or_default().insert(&member.name);
            }
        });
    }
    reads
}

/// Names that `as` and `let` give.
fn weight_names(file: &ast::File) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for item in &file.items {
        walk::item(item, &mut |expr| {
            if let ExprKind::As { path, .. } = &expr.kind {
                names.insert(path.dotted());
            }
        });
        let body = match &item.kind {
            ItemKind::Section(section) => &section.entries,
            ItemKind::Block(block) => &block.body,
            ItemKind::Op(_)
            | ItemKind::Param { .. }
            | ItemKind::Dim { .. }
            | ItemKind::Import { .. }
            | ItemKind::Broken => continue,
        };
        for entry in body {
            if let EntryKind::Let { names: lets, .. } = &entry.kind {
                names.extend(lets.iter().map(|n| n.name.to_string()));
            }
        }
    }
    names
}

/// Words of pieces that did not parse.
fn broken_words<'a>(sources: &'a Sources, file: &'a ast::File) -> BTreeSet<&'a str> {
    let mut words = BTreeSet::new();
    let mut add = |span: Span| {
        let text = sources.slice(span);
        words.extend(text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()));
    };
    for item in &file.items {
        match &item.kind {
            ItemKind::Broken => add(item.span),
            ItemKind::Section(section) => broken_entries(&section.entries, &mut add),
            ItemKind::Block(block) => broken_entries(&block.body, &mut add),
            ItemKind::Op(ast::Op { body: ast::OpBody::Body(body), .. }) => broken_entries(body, &mut add),
            ItemKind::Op(_) | ItemKind::Param { .. } | ItemKind::Dim { .. } | ItemKind::Import { .. } => {}
        }
    }
    words
}

fn broken_entries(entries: &[Entry], add: &mut impl FnMut(Span)) {
    for entry in entries {
        match &entry.kind {
            EntryKind::Broken => add(entry.span),
            EntryKind::Section(inner) => broken_entries(&inner.entries, add),
            EntryKind::Let { .. }
            | EntryKind::Input { .. }
            | EntryKind::Output { .. }
            | EntryKind::Bind { .. }
            | EntryKind::Typed { .. } => {}
        }
    }
}

/// A model that was checked already, or else is now.
fn known_model<'a>(
    cx: &Ctx<'a>,
    ast: &'a ast::File,
    over: &[&'a str],
    section: &'a Section,
    name: &Ident,
) -> Option<ModelInfo> {
    memo::model(cx, ast, over, section, name, || model(cx, section, name))
}

/// Checks a model alone, on inputs of its declared types.
fn model<'a>(cx: &Ctx<'a>, section: &'a Section, name: &Ident) -> Option<ModelInfo> {
    let (_, rest) = Keyed::sort(cx, section);
    let mut outputs = 0;
    for entry in rest {
        match &entry.kind {
            EntryKind::Let { .. } | EntryKind::Input { .. } => {}
            EntryKind::Output { .. } => outputs += 1,
            EntryKind::Bind { .. } | EntryKind::Typed { .. } | EntryKind::Section(_) | EntryKind::Broken => {
                stray(cx, "model", entry);
            }
        }
    }
    let broken = section.entries.iter().any(|e| matches!(e.kind, EntryKind::Broken));
    if outputs == 0 && !broken {
        let message = format!("`{}` has no output", name.name);
        let d = Diagnostic::error("model::output", message, name.span, "computes nothing");
        cx.report(d.help("add `output y: f32[B, 10] = x |> …`"));
    }
    let mut b = Builder::new(&*name.name);
    let mut found = Diagnostics::new();
    let mut scope = Elab::new(cx, Mode::Train).recording();
    alone(&mut Eval::new(&cx.library, &mut b, &mut found, &mut scope), name, section);
    let wrong = found.has_errors() || broken;
    cx.diags.borrow_mut().extend(found.sorted());
    if wrong {
        cx.broken_models.borrow_mut().insert(name.name.clone());
        return None;
    }
    cx.facts.model(name.span, &b);
    let layers = std::mem::take(&mut scope.layers);
    let weight = |leaf: &Leaf| match leaf.kind {
        LeafKind::Param(_) | LeafKind::State(_) => {
            Some(WeightInfo { name: leaf.name.to_string(), shape: leaf.ty.shape.clone() })
        }
        LeafKind::Batch | LeafKind::Scalar => None,
    };
    let weights = b.graph().leaves.iter().filter_map(|(_, leaf)| weight(leaf)).collect();
    let (name, span) = (name.name.to_string(), section.word.span);
    Some(ModelInfo { name, span, layers, weights, pretrained: None })
}

/// Blocks are checked where they are used; those that no use has reached, alone.
fn blocks(cx: &Ctx) {
    for (name, (_, global)) in &cx.globals {
        let Global::Block(block) = global else { continue };
        if cx.entered.borrow().contains(name) {
            continue;
        }
        let mut b = Builder::new(&**name);
        let mut found = Diagnostics::new();
        let mut scope = Elab::new(cx, Mode::Train).recording();
        block_alone(&mut Eval::new(&cx.library, &mut b, &mut found, &mut scope), block);
        cx.diags.borrow_mut().extend(found.sorted());
    }
}
