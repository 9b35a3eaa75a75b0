//! What a name is, where the cursor rests on it.

use super::callable::callable;
use super::{Analysis, describe};
use crate::base::Span;
use crate::sema::facts::{ColumnFact, NameKind, StageFact, Use};
use crate::sema::job::ParamValue;
use crate::sema::keys::{self, Status};
use crate::syntax::ast::{Entry, EntryKind, ExprKind, Item, ItemKind};

/// Markdown about the text at a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    pub span: Span,
    pub markdown: String,
}

/// What is known of the name at a byte.
pub fn hover(analysis: &Analysis, at: usize) -> Option<Hover> {
    let found = analysis.facts.use_at(at)?;
    let text = analysis.sources.slice(found.span);
    let markdown = match found.kind {
        NameKind::Param | NameKind::Dim => constant(analysis, found)?,
        NameKind::Let | NameKind::Input | NameKind::Output | NameKind::Feed | NameKind::Setting => {
            local(analysis, found, text)
        }
        NameKind::Weight => weight(analysis, text),
        NameKind::Column => column(analysis, found, text)?,
        NameKind::Data => describe::data(analysis.facts.data(text)?),
        NameKind::DataSize => size(analysis, found, text),
        NameKind::Key => key(found.owner.as_deref()?, text)?,
        NameKind::Word => word(text)?,
        NameKind::Argument => argument(analysis, found, text)?,
        NameKind::Choice => choice(text)?,
        NameKind::Type => documented(text, TYPES.iter().find(|(name, _)| *name == text)?.1),
        NameKind::Batch => documented("B", "The batch: how many rows a step takes at once."),
        NameKind::Size => documented(text, "A size that is bound where it is used."),
        NameKind::Variant | NameKind::Section => return None,
        NameKind::Op
        | NameKind::Block
        | NameKind::Model
        | NameKind::Layer
        | NameKind::Function
        | NameKind::Loss
        | NameKind::Metric
        | NameKind::Optimizer
        | NameKind::Schedule
        | NameKind::Clip
        | NameKind::Stop
        | NameKind::Initialiser
        | NameKind::Source
        | NameKind::Generator
        | NameKind::Transform => called(analysis, found, text)?,
    };
    Some(Hover { span: found.span, markdown })
}

/// Types of tensors, of settings, and those that say what numbers mean.
const TYPES: &[(&str, &str)] = &[
    ("f32", "Numbers with a fraction, 32 bits."),
    ("i32", "Whole numbers, 32 bits."),
    ("u8", "Bytes, as files hold images; `f32` once a model takes them."),
    ("class", "Whole numbers from 0 that name classes."),
    ("logits", "Scores before a softmax or sigmoid: what losses take."),
    ("prob", "Shares of 1, made by a softmax or sigmoid."),
    ("box", "Four numbers along the last axis, left, top, right, bottom: `box(xyxy)[B, 4]`."),
    ("mask", "1 where something holds, else 0."),
    ("number", "Numbers of either kind."),
    ("int", "A whole number that is known before training."),
    ("float", "A number that is known before training."),
    ("bool", "`true` or `false`."),
    ("str", "A word, or a text in quotes."),
];

fn documented(name: &str, doc: &str) -> String {
    format!("`{name}`: {}{}", doc[..1].to_lowercase(), &doc[1..])
}

/// The text of a declaration, its lines joined.
fn code(analysis: &Analysis, span: Span) -> String {
    let text = analysis.sources.slice(span).split_whitespace().collect::<Vec<_>>().join(" ");
    format!("```mlspec\n{text}\n```")
}

fn with_doc(head: String, doc: Option<&str>) -> String {
    let lines = doc.unwrap_or_default().lines().filter(|l| !l.trim().starts_with("@example"));
    let doc = lines.collect::<Vec<_>>().join("\n");
    if doc.trim().is_empty() { head } else { format!("{head}\n\n{}", doc.trim()) }
}

/// A param or dim: its declaration, what it is said to be, and its value.
fn constant(analysis: &Analysis, found: &Use) -> Option<String> {
    let made = found.definition?;
    let item = analysis.items().find(|i| i.span.contains(made))?;
    let (start, value) = match &item.kind {
        ItemKind::Param { name, value, .. } | ItemKind::Dim { name, value, .. } => (name.span, value),
        _other => return None,
    };
    let word = if matches!(item.kind, ItemKind::Dim { .. }) { "dim" } else { "param" };
    let end = match &item.kind {
        ItemKind::Param { domain: Some(domain), .. } => domain.span,
        _ => value.span,
    };
    let text = analysis.sources.slice(start.to(end)).split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = with_doc(format!("```mlspec\n{word} {text}\n```"), item.doc.as_deref());
    if let Some(known) = analysis.facts.values.get(&made) {
        let shown = match known {
            ParamValue::Int(n) => n.to_string(),
            ParamValue::Float(x) => format!("{x}"),
            ParamValue::Bool(x) => x.to_string(),
            ParamValue::Str(text) => format!("{text:?}"),
        };
        // What stands there anyway is not said again.
        let literal = matches!(
            value.kind,
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Str(_) | ExprKind::Name(_)
        );
        if !literal {
            out.push_str(&format!("\n\nIts value is `{shown}`."));
        }
    }
    Some(out)
}

/// What a body, a signature or a feed makes.
fn local(analysis: &Analysis, found: &Use, text: &str) -> String {
    let made = found.definition.unwrap_or(found.span);
    let kind = match found.kind {
        NameKind::Let => "let",
        NameKind::Input => "input",
        NameKind::Output => "output",
        NameKind::Feed => "feed",
        _setting => "setting",
    };
    let entry = entry_at(analysis, made);
    let typed = analysis.facts.types.get(&made).or_else(|| analysis.facts.types.get(&found.span));
    let head = match (typed, found.kind) {
        (Some(typed), _) => format!("```mlspec\n{kind} {text}: {}\n```", describe::types_text(&typed.types)),
        (None, NameKind::Feed) => match entry {
            Some(entry) => code(analysis, entry.span),
            None => format!("```mlspec\n{text}\n```"),
        },
        (None, _) => match (entry, line_of(analysis, made)) {
            (Some(entry), _) if !matches!(entry.kind, EntryKind::Broken) => code(analysis, entry.span),
            (_, line) => format!("```mlspec\n{line}\n```"),
        },
    };
    let varies = if typed.is_some_and(|t| t.varies) { "\n\nAt its first use; others differ." } else { "" };
    let stage =
        stage_at(analysis, found.span).map_or(String::new(), |s| format!("\n\n{}", describe::stage(s)));
    format!("{}{varies}{stage}", with_doc(head, entry.and_then(|e| e.doc.as_deref())))
}

/// The parameter of a signature that a name stands in: from the name to the comma or bracket behind it.
fn line_of(analysis: &Analysis, made: Span) -> String {
    let text = &analysis.text()[made.range().start..];
    let mut depth = 0_usize;
    let end = text.char_indices().find(|(_, c)| {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' if depth == 0 => return true,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        depth == 0 && matches!(c, ',' | '\n')
    });
    text[..end.map_or(text.len(), |(at, _)| at)].trim().to_string()
}

/// The innermost entry around a place.
fn entry_at(analysis: &Analysis, span: Span) -> Option<&Entry> {
    fn within(entries: &[Entry], span: Span) -> Option<&Entry> {
        let entry = entries.iter().find(|e| e.span.contains(span))?;
        match &entry.kind {
            EntryKind::Section(inner) => within(&inner.entries, span).or(Some(entry)),
            _plain => Some(entry),
        }
    }
    let item = analysis.ast.items.iter().find(|i| i.span.contains(span))?;
    match &item.kind {
        ItemKind::Section(section) => within(&section.entries, span),
        ItemKind::Block(block) => within(&block.body, span),
        _other => None,
    }
}

/// The stage that starts with a name.
fn stage_at(analysis: &Analysis, name: Span) -> Option<&StageFact> {
    let starts = |(span, _): &(&Span, _)| span.file == name.file && span.lo == name.lo;
    analysis.facts.stages.iter().find(starts).map(|(_, fact)| &**fact)
}

/// Something that is called: what it is, and what it does here.
fn called(analysis: &Analysis, found: &Use, text: &str) -> Option<String> {
    let callable = callable(analysis, found.kind, text)?;
    let mut out = describe::callable(analysis, &callable);
    if found.kind == NameKind::Model
        && let Some(made) = found.definition
    {
        out.push_str(&model(analysis, made));
    }
    if found.definition != Some(found.span)
        && let Some(stage) = stage_at(analysis, found.span)
    {
        out.push_str(&format!("\n\n{}", describe::stage(stage)));
    }
    Some(out)
}

/// What a model gives, and how many parameters it has.
fn model(analysis: &Analysis, made: Span) -> String {
    let mut out = String::new();
    let item = analysis.ast.items.iter().find(|i: &&Item| i.span.contains(made));
    if let Some(Item { kind: ItemKind::Section(section), .. }) = item {
        for entry in &section.entries {
            if let EntryKind::Output { name, .. } = &entry.kind
                && let Some(typed) = analysis.facts.types.get(&name.span)
            {
                out.push_str(&format!("\n- `{}: {}`", name.name, describe::types_text(&typed.types)));
            }
        }
    }
    if !out.is_empty() {
        out.insert_str(0, "\n\nOutputs:");
    }
    let weights = analysis.facts.models.get(&made);
    if let Some(n) = weights.and_then(|w| describe::parameters(w)) {
        out.push_str(&format!("\n\n{} parameters", describe::grouped(n)));
    }
    out
}

/// Weights by the path that names them.
fn weight(analysis: &Analysis, text: &str) -> String {
    let within = |name: &str| {
        let rest =
            name.strip_prefix(text).or_else(|| name.split_once(&format!(".{text}")).map(|(_, rest)| rest));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let ends = |name: &str| name == text || name.ends_with(&format!(".{text}"));
    let all = analysis.facts.models.values().flat_map(|weights| weights.iter());
    let rows: Vec<String> = all
        .filter(|(name, _)| within(name) || ends(name))
        .map(|(name, ty)| format!("\n| `{name}` | `{ty}` |"))
        .collect();
    let head = format!("`{text}`: weights");
    if rows.is_empty() { head } else { format!("{head}\n\n| weight | type |\n|---|---|{}", rows.concat()) }
}

fn column(analysis: &Analysis, found: &Use, text: &str) -> Option<String> {
    let data = analysis.facts.data(found.owner.as_deref()?)?;
    // Where a feed reads it, `data.column` has a type.
    let read =
        |span: &Span| span.file == found.span.file && span.hi == found.span.hi && span.lo < found.span.lo;
    let typed = analysis.facts.types.iter().find(|(span, _)| read(span)).map(|(_, typed)| &typed.types);
    let batch =
        typed.map_or(String::new(), |types| format!("\n\n`{}` in a batch.", describe::types_text(types)));
    match data.column(text) {
        Some(column) => Some(describe::column(analysis, data, column) + &batch),
        None if text == "row" => {
            let view = analysis.views.iter().find(|v| v.name == data.name);
            let goes = |c: &&ColumnFact| {
                view.is_some_and(|v| v.uses.get(&c.name).is_some_and(|u| u.goes.iter().any(|to| to == "row")))
            };
            let typed: Vec<String> = data.columns.iter().filter(goes).map(|c| c.name.clone()).collect();
            let doc =
                "every `name : how` column side by side, less classes and those that are used otherwise";
            Some(format!("`{}.row`: {doc}\n\nHere: {}", data.name, typed.join(", ")))
        }
        None => None,
    }
}

/// `people.features`
fn size(analysis: &Analysis, found: &Use, text: &str) -> String {
    let ends = |span: &Span| span.file == found.span.file && span.hi == found.span.hi;
    let known = analysis.facts.sizes.iter().find(|(span, _)| ends(span));
    let doc = match text {
        "features" => "how many numbers a row of it has",
        "vocab" => "how many ids it has",
        "classes" => "how many classes it has",
        _other => "a size that the data know",
    };
    match known.and_then(|(_, dim)| dim.as_const()) {
        Some(n) => format!("`{text}` = {n}: {doc}"),
        None => format!("`{text}`: {doc}, known once the data are read"),
    }
}

fn key(owner: &str, text: &str) -> Option<String> {
    let key = keys::find(owner, text)?;
    Some(match key.status {
        Status::Key => format!("```mlspec\n{text} = {}\n```\n\n{}", key.example, key.doc),
        Status::Section => format!("```mlspec\n{text} {{ {} }}\n```\n\n{}", key.example, key.doc),
        Status::Named => format!("```mlspec\n{text} {}\n```\n\n{}", key.example, key.doc),
    })
}

fn word(text: &str) -> Option<String> {
    let word = keys::WORDS.iter().chain(keys::ITEMS).find(|w| w.name == text)?;
    Some(match word.later {
        Some(instead) => format!("`{text}` is not built yet: {instead}."),
        None => word.doc.to_string(),
    })
}

/// One argument of a call, with its default in both tables.
fn argument(analysis: &Analysis, found: &Use, text: &str) -> Option<String> {
    let owner = found.owner.as_deref()?;
    let parameter = KINDS.iter().find_map(|kind| {
        let callable = callable(analysis, *kind, owner)?;
        callable.parameters.into_iter().find(|p| p.name == text)
    })?;
    let mut out = format!("```mlspec\n{owner}({})\n```", parameter.text());
    if !parameter.doc.is_empty() {
        out.push_str(&format!("\n\n{}", parameter.doc));
    }
    if let Some(elsewhere) = &parameter.elsewhere {
        let other = match analysis.framework {
            crate::ops::Framework::Keras => "PyTorch",
            crate::ops::Framework::Torch => "Keras",
        };
        out.push_str(&format!("\n\nIn {other} its default is `{elsewhere}`."));
    }
    Some(out)
}

/// What has arguments of its own; each name is of one kind, but for what stands first.
pub(super) const KINDS: [NameKind; 15] = [
    NameKind::Block,
    NameKind::Layer,
    NameKind::Loss,
    NameKind::Optimizer,
    NameKind::Schedule,
    NameKind::Clip,
    NameKind::Stop,
    NameKind::Metric,
    NameKind::Initialiser,
    NameKind::Transform,
    NameKind::Source,
    NameKind::Generator,
    NameKind::Function,
    NameKind::Op,
    NameKind::Model,
];

fn choice(text: &str) -> Option<String> {
    let doc = match text {
        "keras" => "the defaults of Keras 3",
        "torch" => "the defaults of PyTorch: epsilons, initialisers, rates",
        "valid" => "the validation part, after each evaluation",
        "train" => "the training part",
        "loss" => "the loss",
        _word => return None,
    };
    Some(format!("`{text}`: {doc}"))
}
