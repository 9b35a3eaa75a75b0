//! What may stand at a place: the names in reach there, by role.

use super::Analysis;
use super::place::{Head, Part, Place};
use crate::sema::facts::{NameKind, Role, Use, role_of};
use crate::sema::keys;
use crate::syntax::scan::Token;

/// What a value at the cursor may name.
pub fn role_at(place: &Place) -> Role {
    let Some((word, _, frame)) = place.section() else { return Role::Value };
    let in_group = place.sections().nth(1) == Some("groups");
    match (word, frame.head) {
        ("data", Head::Typed) => Role::How,
        ("augment", Head::Key(_)) => Role::Column,
        ("data", Head::Key(key)) if keys::find("data", key).is_none() => Role::Column,
        (_, Head::Key(key)) if in_group => role_of("groups", key),
        (word, Head::Key(key)) => role_of(word, key),
        (_, Head::None | Head::Item { .. } | Head::Let | Head::Input | Head::Output | Head::Typed) => {
            Role::Value
        }
    }
}

/// A name in reach, what it is, and its type or value if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub name: String,
    pub kind: NameKind,
    pub detail: String,
}

/// The names that the body, signature or feed around the cursor makes before it. Read off the tokens, so that an
/// entry which does not parse hides none.
pub fn locals(analysis: &Analysis, place: &Place) -> Vec<Known> {
    let Some(start) = item_start(place) else { return Vec::new() };
    let tokens: Vec<_> = place.tokens.iter().filter(|t| t.lo >= start).collect();
    let word = |i: usize| tokens.get(i).map_or("", |t: &&Token| &place.text[t.lo..t.hi]);
    let mut all: Vec<Known> = Vec::new();
    let mut add = |at: usize, kind: NameKind| {
        let name = word(at);
        if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            let detail = tokens.get(at).map_or(String::new(), |t| type_of(analysis, t.lo));
            all.retain(|k| k.name != name);
            all.push(Known { name: name.to_string(), kind, detail });
        }
    };
    for i in 0..tokens.len() {
        match word(i) {
            "let" => {
                add(i + 1, NameKind::Let);
                let mut at = i + 2;
                while word(at) == "," {
                    add(at + 1, NameKind::Let);
                    at += 2;
                }
            }
            "input" => add(i + 1, NameKind::Input),
            "output" => add(i + 1, NameKind::Output),
            _other => {}
        }
    }
    // A `let` under way is not made yet.
    let making = place.section().is_some_and(|(.., f)| matches!(f.head, Head::Let | Head::Output));
    if making && let Some(i) = (0..tokens.len()).rev().find(|i| matches!(word(*i), "let" | "output")) {
        let names = (i + 1..tokens.len()).map(word).take_while(|w| *w != "=").collect::<Vec<_>>();
        all.retain(|k| !names.contains(&k.name.as_str()));
    }
    all.extend(signature_names(place, start));
    all.extend(fed(analysis, place));
    all
}

/// Where the item around the cursor starts.
fn item_start(place: &Place) -> Option<usize> {
    let (word, name) = place.item()?;
    let is_it = |t: &&Token| {
        let text = &place.text[t.lo..];
        t.starts_line
            && text.starts_with(word)
            && (name.is_empty() || text[word.len()..].trim_start().starts_with(name))
    };
    place.tokens.iter().rev().find(is_it).map(|t| t.lo)
}

/// The type of what is made at a byte.
fn type_of(analysis: &Analysis, at: usize) -> String {
    let found =
        analysis.facts.types.iter().find(|(span, _)| span.file == analysis.file && span.lo as usize == at);
    found.map_or(String::new(), |(_, typed)| super::describe::types_text(&typed.types))
}

/// Settings and inputs of the block or op around the cursor, read off the tokens as well.
fn signature_names(place: &Place, start: usize) -> Vec<Known> {
    let Some(("block" | "op", _)) = place.item() else { return Vec::new() };
    let text = |t: &Token| &place.text[t.lo..t.hi];
    let tokens: Vec<&Token> = place.tokens.iter().filter(|t| t.lo >= start).collect();
    let (mut depth, mut all) = (0_usize, Vec::new());
    for (i, token) in tokens.iter().enumerate() {
        match text(token) {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            // What a signature gives is not to be read in its body.
            "->" | "{" => break,
            name if depth == 1 && tokens.get(i + 1).is_some_and(|t| text(t) == ":") => {
                let from = tokens[i + 1].hi;
                let detail = type_behind(&place.text[from..place.at]);
                let kind = if detail.contains('[') { NameKind::Input } else { NameKind::Setting };
                all.push(Known { name: name.to_string(), kind, detail });
            }
            _other => {}
        }
    }
    all
}

/// The type that a text starts with, up to the comma or bracket behind it.
fn type_behind(text: &str) -> String {
    let mut depth = 0_usize;
    let end = text.find(|c| {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' if depth == 0 => return true,
            ')' | ']' => depth -= 1,
            _other => {}
        }
        depth == 0 && matches!(c, ',' | '=')
    });
    text[..end.unwrap_or(text.len())].trim().to_string()
}

/// What `feed` calls columns, within `train`.
fn fed(analysis: &Analysis, place: &Place) -> Vec<Known> {
    let Some(("train", _)) = place.item() else { return Vec::new() };
    let feeds =
        analysis.facts.uses.iter().filter(|u| u.kind == NameKind::Feed && u.definition == Some(u.span));
    let mut all: Vec<Known> = Vec::new();
    for feed in feeds {
        let name = analysis.sources.slice(feed.span).to_string();
        if !all.iter().any(|k| k.name == name) {
            all.push(Known { name, kind: NameKind::Feed, detail: String::new() });
        }
    }
    all
}

/// What the file names for all of itself: params, dims, blocks, ops, models, data sections.
pub fn globals(analysis: &Analysis) -> Vec<Known> {
    let made = |kind| {
        matches!(
            kind,
            NameKind::Param
                | NameKind::Dim
                | NameKind::Op
                | NameKind::Block
                | NameKind::Model
                | NameKind::Data
        )
    };
    let uses = analysis.facts.uses.iter().filter(|u| made(u.kind) && u.definition == Some(u.span));
    let known = uses.map(|u| {
        let detail = match analysis.facts.values.get(&u.span) {
            Some(value) => format!("{value:?}").trim_start_matches(|c| c != '(').to_string(),
            None => String::new(),
        };
        let detail = detail.trim_matches(|c| c == '(' || c == ')').to_string();
        Known { name: analysis.sources.slice(u.span).to_string(), kind: u.kind, detail }
    });
    known.collect()
}

/// Names that choose weights: those that `as` gives, full names, kinds of layers that are used.
pub fn weights(analysis: &Analysis) -> Vec<Known> {
    let mut all: Vec<Known> = Vec::new();
    let mut add = |name: &str, kind, detail: String| {
        if !all.iter().any(|k| k.name == name) {
            all.push(Known { name: name.to_string(), kind, detail });
        }
    };
    let named = |u: &&Use| u.kind == NameKind::Weight && u.definition == Some(u.span);
    for one in analysis.facts.uses.iter().filter(named) {
        let path = analysis.sources.slice(one.span);
        if starts_a_weight(analysis, path) {
            add(path, NameKind::Weight, "weights".into());
        }
    }
    for stage in analysis.facts.stages.values().filter(|s| !s.weights.is_empty()) {
        if crate::ops::layer(&stage.name).is_some() {
            add(&stage.name, NameKind::Layer, "every layer of this kind".into());
        }
        for (name, _) in &stage.weights {
            if let Some((_, own)) = name.rsplit_once('.') {
                add(own, NameKind::Weight, "every weight of this name".into());
            }
        }
    }
    for stage in analysis.facts.stages.values() {
        stage.weights.iter().for_each(|(name, ty)| add(name, NameKind::Weight, ty.to_string()));
    }
    all
}

/// Whether weights bear a path at their start, behind the model's name if there are several: those within a block
/// have longer ones.
fn starts_a_weight(analysis: &Analysis, path: &str) -> bool {
    let models = globals(analysis).into_iter().filter(|k| k.kind == NameKind::Model);
    let models: Vec<String> = models.map(|k| k.name).collect();
    let starts = |name: &str| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    let own = |name: &str, model: &String| {
        name.strip_prefix(model.as_str()).and_then(|rest| rest.strip_prefix('.')).is_some_and(starts)
    };
    let mut names = analysis.facts.stages.values().flat_map(|s| &s.weights).map(|(name, _)| name.as_str());
    names.any(|name| starts(name) || models.iter().any(|model| own(name, model)))
}

/// Metrics that the spec names, and the loss: what can be monitored.
pub fn monitored(analysis: &Analysis) -> Vec<String> {
    let mut all = vec!["loss".to_string()];
    for one in analysis.facts.uses.iter().filter(|u| u.kind == NameKind::Metric) {
        let name = analysis.sources.slice(one.span).to_string();
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// Whether a type is being written.
pub fn in_type(place: &Place) -> bool {
    place.top().part == Part::Type
}
