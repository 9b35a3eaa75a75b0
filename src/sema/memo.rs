//! What checking a model found, kept for the next text of an editor.
//!
//! A model that is right stays right while its text and that of everything it names, directly or through
//! others, is the same: what was seen of it is moved to its new place. Models that read data are
//! checked anew each time, for files change, too; so are those with a mistake.

use super::ctx::{Ctx, Global};
use super::facts::Facts;
use super::job::{ModelInfo, ParamValue};
use super::walk;
use crate::base::{FileId, Span};
use crate::ops::Framework;
use crate::syntax::ast::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The models of the last text; start with an empty one.
#[derive(Debug, Default)]
pub struct Memo {
    /// By the model's name.
    known: BTreeMap<Arc<str>, Known>,
}

/// What a model rests on.
#[derive(Debug, PartialEq)]
struct Ground {
    framework: Framework,
    /// Whether weights bear the model's name before their own.
    several: bool,
    /// The texts of the model and of all that it names, in order of names.
    texts: Vec<(Arc<str>, String)>,
    /// The params and dims among them.
    values: Vec<(Arc<str>, Option<ParamValue>)>,
}

#[derive(Debug)]
struct Known {
    ground: Ground,
    /// Where those texts stood.
    places: Vec<Span>,
    info: ModelInfo,
    /// Blocks whose bodies it went through.
    entered: BTreeSet<Arc<str>>,
    facts: Facts,
}

/// What the file names as the library names its formulas: layers may use them.
pub(super) fn taken_over<'c>(cx: &'c Ctx) -> Vec<&'c str> {
    cx.globals.keys().map(|name| &**name).filter(|name| cx.library.std_op(name).is_some()).collect()
}

/// Checks a model by `check`, or finds that nothing about it has changed. `over` is what the file has
/// [`taken_over`].
pub(super) fn model<'a>(
    cx: &Ctx<'a>,
    ast: &'a File,
    over: &[&str],
    section: &'a Section,
    name: &Ident,
    check: impl Fn() -> Option<ModelInfo>,
) -> Option<ModelInfo> {
    let Some(memo) = cx.facts.memo() else { return check() };
    let Some((ground, places)) = ground(cx, ast, over, section, name) else { return check() };
    if let Some(known) = memo.borrow().known.get(&name.name).filter(|known| known.ground == ground)
        && let Some(info) = known.replayed(cx, &places)
    {
        return Some(info);
    }
    let before = cx.diags.borrow().len();
    let outside = cx.entered.take();
    let (info, facts) = cx.facts.apart(&check);
    cx.facts.merge(facts.clone());
    let entered = cx.entered.replace(outside);
    cx.entered.borrow_mut().extend(entered.iter().cloned());
    // What is missing may be in text that does not parse, and is then not reported.
    let silent = cx.diags.borrow().len() == before && cx.broken_words.is_empty();
    let known = info.clone().filter(|_| silent).map(|info| Known { ground, places, info, entered, facts });
    match known {
        Some(known) => memo.borrow_mut().known.insert(name.name.clone(), known),
        None => memo.borrow_mut().known.remove(&name.name),
    };
    info
}

/// What the model rests on and where it stands; none if it reads data or uses another model.
fn ground(
    cx: &Ctx,
    ast: &File,
    over: &[&str],
    section: &Section,
    name: &Ident,
) -> Option<(Ground, Vec<Span>)> {
    let own = section.word.span.to(section.body);
    let mut found = BTreeMap::from([(name.name.clone(), own)]);
    let mut open: Vec<&str> = walk::names_in(|f| walk::entries(&section.entries, f)).into_iter().collect();
    open.extend(over);
    while let Some(used) = open.pop() {
        let Some((at, global)) = cx.globals.get(used) else { continue };
        if found.contains_key(used) {
            continue;
        }
        match global {
            Global::Data | Global::Model(_) => return None,
            Global::Param | Global::Dim | Global::Op | Global::Block(_) => {}
        }
        let item = ast.items.iter().find(|item| item.span.contains(*at))?;
        found.insert(Arc::from(used), item.span);
        open.extend(walk::names_in(|f| walk::item(item, f)));
    }
    let values = cx.values.borrow();
    let value = |name: &Arc<str>| values.get(name).map(|value| (name.clone(), value.clone()));
    let ground = Ground {
        framework: cx.library.framework(),
        several: cx.several_models(),
        texts: found.iter().map(|(name, span)| (name.clone(), cx.text(*span).to_string())).collect(),
        values: found.keys().filter_map(value).collect(),
    };
    Some((ground, found.into_values().collect()))
}

impl Known {
    /// Notes again what was seen, at the new places.
    fn replayed(&self, cx: &Ctx, places: &[Span]) -> Option<ModelInfo> {
        let moves = Moves { from: &self.places, to: places };
        let facts = self.facts.moved(&|span| moves.span(span))?;
        let mut info = self.info.clone();
        info.span = moves.span(info.span)?;
        for layer in &mut info.layers {
            layer.span = moves.span(layer.span)?;
        }
        cx.facts.merge(facts);
        cx.entered.borrow_mut().extend(self.entered.iter().cloned());
        Some(info)
    }
}

/// Texts that stand elsewhere now.
struct Moves<'a> {
    from: &'a [Span],
    to: &'a [Span],
}

impl Moves<'_> {
    /// Where a place in one of them is now. The library's texts stay where they are.
    fn span(&self, span: Span) -> Option<Span> {
        if span.file != FileId::default() {
            return Some(span);
        }
        let (from, to) = self.from.iter().zip(self.to).find(|(from, _)| from.contains(span))?;
        let at = |n: u32| n - from.lo + to.lo;
        Some(Span { file: span.file, lo: at(span.lo), hi: at(span.hi) })
    }
}
