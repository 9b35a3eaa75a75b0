//! What the call around a cursor takes, and which of it is being written.

use super::Analysis;
use super::callable::{Callable, Parameter, callable};
use super::place::{Place, Within, place};
use super::values::role_at;
use crate::sema::facts::{NameKind, Role};
use std::ops::Range;

/// A signature with its parameters marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureHelp {
    /// `Dense(units: size from 1, …)`
    pub label: String,
    /// The documentation of the callee, its first sentence.
    pub doc: String,
    /// Bytes of the label, and what is to be said of each.
    pub parameters: Vec<(Range<usize>, String)>,
    /// Which one is being written.
    pub active: Option<usize>,
}

/// The signature of the call around a byte.
pub fn signature(analysis: &Analysis, at: usize) -> Option<SignatureHelp> {
    let place = place(analysis.text(), at);
    if place.within == Within::Comment {
        return None;
    }
    let (callable, arguments) = called(analysis, &place)?;
    let mut label = String::new();
    let mut parameters = Vec::new();
    for (i, part) in callable.signature_parts().iter().enumerate() {
        let from = label.len();
        label.push_str(part);
        // Parameters and what stands between them take turns.
        if let Some(parameter) = callable.parameters.get(i / 2).filter(|_| i % 2 == 1) {
            parameters.push((from..label.len(), parameter.doc.clone()));
        }
    }
    let active = active(&callable, &arguments, is_piped(&place));
    Some(SignatureHelp { doc: callable.summary().to_string(), label, parameters, active })
}

/// The call around the cursor and its arguments so far.
pub(super) fn called<'t>(analysis: &Analysis, place: &Place<'t>) -> Option<(Callable, Vec<Option<&'t str>>)> {
    let (name, _, arguments) = place.call()?;
    let kinds = kinds(role_at(place));
    let found = kinds.iter().find_map(|kind| callable(analysis, *kind, name))?;
    // The settings of a generator stand in the parentheses of `synthetic`.
    let found = generator(analysis, place, &found).unwrap_or(found);
    Some((found, arguments.to_vec()))
}

/// `synthetic(xor, …)` takes what `xor` takes, behind its name.
fn generator(analysis: &Analysis, place: &Place, source: &Callable) -> Option<Callable> {
    if source.name != "synthetic" {
        return None;
    }
    let (_, at, _) = place.call()?;
    let name = place.tokens.iter().find(|t| t.lo > at + "synthetic".len())?;
    let made = callable(analysis, NameKind::Generator, &place.text[name.lo..name.hi])?;
    let parameters = source.parameters.iter().take(1).chain(&made.parameters).cloned().collect();
    Some(Callable { parameters, doc: made.doc, ..source.clone() })
}

/// What a callee may be where it stands, likelier ones first.
pub(super) fn kinds(role: Role) -> &'static [NameKind] {
    use NameKind::{
        Block, Clip, Function, Initialiser, Layer, Loss, Metric, Model, Op, Optimizer, Schedule, Source,
        Stop, Transform,
    };
    match role {
        Role::Optimizer => &[Optimizer],
        Role::Schedule => &[Schedule],
        Role::Clip => &[Clip],
        Role::Stop => &[Stop],
        Role::Metric => &[Metric],
        Role::Source | Role::WeightFile | Role::Generator => &[Source],
        Role::How | Role::Column => &[Transform, Op, Function],
        Role::Value
        | Role::Weights
        | Role::Monitor
        | Role::Activation
        | Role::Initialiser
        | Role::Choice
        | Role::Columns => &[Block, Op, Model, Layer, Loss, Function, Initialiser],
    }
}

/// Whether the callee stands behind `|>`, which then brings its first tensor.
fn is_piped(place: &Place) -> bool {
    let at = place.call().map_or(0, |(_, at, _)| at);
    let before = place.tokens.iter().rev().find(|t| t.hi <= at);
    before.is_some_and(|t| &place.text[t.lo..t.hi] == "|>")
}

/// Which parameter the last argument is: by its name, else by its place among those without one.
fn active(callable: &Callable, arguments: &[Option<&str>], piped: bool) -> Option<usize> {
    match arguments.last()? {
        Some(name) => callable.parameters.iter().position(|p| p.name == *name),
        None => {
            let brought = usize::from(piped && callable.parameters.first().is_some_and(|p| p.tensor));
            let place = arguments.iter().filter(|a| a.is_none()).count() - 1 + brought;
            // What has its name already is passed over.
            let free = |p: &(usize, &Parameter)| !arguments.contains(&Some(p.1.name.as_str()));
            callable.parameters.iter().enumerate().filter(free).nth(place).map(|(at, _)| at)
        }
    }
}
