//! Repairs that a diagnostic does not offer itself, each tried out before it is offered.

use super::{Action, ActionKind, Check, stages, touches};
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::syntax::ast::*;
use crate::tools::ide::Analysis;
use crate::tools::ide::edit::{Edit, applied};

/// A guess, not tried out yet.
struct Guess {
    title: String,
    edits: Vec<Edit>,
}

impl Guess {
    fn new(title: impl Into<String>, span: Span, text: impl Into<String>) -> Guess {
        Guess { title: title.into(), edits: vec![Edit { span, text: text.into() }] }
    }
}

/// So many guesses are tried for one diagnostic: each costs a check.
const TRIED: usize = 4;

/// The guesses for diagnostic `i` that hold.
pub fn repairs(analysis: &Analysis, i: usize, d: &Diagnostic, check: Check) -> Vec<Action> {
    let guesses = match d.code {
        "shape::declared" | "shape::layer" | "shape::mismatch" | "shape::matmul" => flatten(analysis, d),
        "call::missing" => argument(analysis, d),
        "name::unknown" => declare(analysis, d),
        "name::unused" => take_out(analysis, d),
        "model::output" | "block::output" => output(analysis, d),
        _others => Vec::new(),
    };
    let holds = |guess: &Guess| helps(analysis, d, &check(&applied(analysis.text(), &guess.edits)));
    let action = |Guess { title, edits }| Action {
        title,
        kind: ActionKind::QuickFix,
        edits,
        diagnostic: Some(i),
        preferred: false,
    };
    guesses.into_iter().take(TRIED).filter(holds).map(action).collect()
}

/// Whether one thing less is wrong, and it is this.
fn helps(analysis: &Analysis, d: &Diagnostic, found: &[Diagnostic]) -> bool {
    let said =
        |all: &[Diagnostic]| all.iter().filter(|o| (o.code, &o.message) == (d.code, &d.message)).count();
    found.len() < analysis.diagnostics.len() && said(found) < said(&analysis.diagnostics)
}

/// The names in backticks of a message, in order.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

/// `Flatten` before the first layer that works on one axis and is given several.
fn flatten(analysis: &Analysis, d: &Diagnostic) -> Vec<Guess> {
    let near = |stage: &Expr| d.labels.iter().any(|label| touches(label.span, stage.span));
    let several = |input: &Expr| {
        let known = analysis.facts.types.get(&input.span);
        known.is_none_or(|known| known.types.iter().any(|ty| ty.shape.rank() > 2))
    };
    let guess =
        |(_, stage): (&Expr, &Expr)| Guess::new("insert `Flatten`", stage.span.start(), "Flatten |> ");
    stages(&analysis.ast)
        .into_iter()
        .filter(|(input, stage)| {
            head(stage).is_some_and(|name| &*name.name == "Dense") && near(stage) && several(input)
        })
        .map(guess)
        .take(1)
        .collect()
}

/// The name that a stage calls.
fn head(stage: &Expr) -> Option<&Ident> {
    match &stage.bare().kind {
        ExprKind::Name(name) => Some(name),
        ExprKind::Call { callee, .. } => head(callee),
        ExprKind::As { stage, .. } => head(stage),
        ExprKind::Repeat { body, .. } => head(body),
        _no_call => None,
    }
}

/// The argument that a call lacks: a name of the file that is called as it is, or a number.
fn argument(analysis: &Analysis, d: &Diagnostic) -> Vec<Guess> {
    let Some([_, missing]) = quoted(&d.message).get(..2).map(|two| [two[0], two[1]]) else {
        return Vec::new();
    };
    let span = d.span();
    let text = &analysis.text()[span.range()];
    // Behind the last argument of the call that the label covers, or in parentheses of its own.
    let (at, before, after) = match text.rfind(')') {
        Some(close) => {
            let empty = text[..close].trim_end().ends_with('(');
            (
                Span::new(span.file, span.lo as usize + close, span.lo as usize + close),
                if empty { "" } else { ", " },
                "",
            )
        }
        None => (span.end(), "(", ")"),
    };
    let value = |value: &str| {
        let shown = if value == missing { value.to_string() } else { format!("{missing}={value}") };
        Guess::new(format!("add `{shown}`"), at, format!("{before}{shown}{after}"))
    };
    let guessed = declared_size(&analysis.text()[..span.lo as usize]);
    [missing, guessed.unwrap_or("10"), "1", "0.5"].into_iter().map(value).collect()
}

/// The last size of the type that was written last: `10` behind `output logits: f32[B, 10] = image |> `.
fn declared_size(before: &str) -> Option<&str> {
    let sizes = &before[..before.rfind(']')?];
    let size = sizes[sizes.rfind(['[', ','])? + 1..].trim();
    (!size.is_empty()).then_some(size)
}

/// A `param` or `dim` of the name, at the head of the file.
fn declare(analysis: &Analysis, d: &Diagnostic) -> Vec<Guess> {
    let name = &analysis.text()[d.span().range()];
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(word) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Vec::new();
    }
    let Some(header) = &analysis.ast.header else { return Vec::new() };
    let declared = |item: &&Item| match &item.kind {
        ItemKind::Param { .. } | ItemKind::Dim { .. } | ItemKind::Import { .. } => true,
        ItemKind::Op(_) | ItemKind::Block(_) | ItemKind::Section(_) | ItemKind::Broken => false,
    };
    let last = analysis.ast.items.iter().take_while(declared).last();
    let (behind, gap) = last.map_or((header.span, "\n\n"), |item| (item.span, "\n"));
    // Behind a comment on the same line.
    let end = analysis.text()[behind.hi as usize..]
        .find('\n')
        .map_or(analysis.text().len(), |n| behind.hi as usize + n);
    let at = Span::new(behind.file, end, end);
    let item = |text: String| Guess::new(format!("declare `{text}`"), at, format!("{gap}{text}"));
    match in_a_type(analysis, d.span()) {
        true => vec![item(format!("dim {name} = 64"))],
        false => vec![item(format!("param {name}: int = 64")), item(format!("param {name}: float = 0.1"))],
    }
}

/// Whether a place is a size of a type: `f32[B, T]`.
fn in_a_type(analysis: &Analysis, span: Span) -> bool {
    let before = analysis.text()[..span.lo as usize]
        .trim_end_matches(|c: char| c != '[' && c != '\n' && c != '(' && c != '=');
    let word = before.trim_end_matches('[');
    before.ends_with('[') && word.ends_with(|c: char| c.is_ascii_alphanumeric() || c == ')')
}

/// What is made and never used, with its line.
fn take_out(analysis: &Analysis, d: &Diagnostic) -> Vec<Guess> {
    let at = d.span();
    let item = analysis.ast.items.iter().find(|item| match &item.kind {
        ItemKind::Param { name, .. } | ItemKind::Dim { name, .. } => name.span == at,
        ItemKind::Op(_) | ItemKind::Block(_) | ItemKind::Section(_) => false,
        ItemKind::Import { .. } | ItemKind::Broken => false,
    });
    let bodies = analysis.ast.items.iter().flat_map(|item| super::body(&item.kind));
    let entry = bodies.into_iter().find(|entry| match &entry.kind {
        EntryKind::Let { names, .. } => names.len() == 1 && names[0].span == at,
        EntryKind::Input { name, .. } => name.span == at,
        EntryKind::Output { .. } | EntryKind::Bind { .. } | EntryKind::Typed { .. } => false,
        EntryKind::Section(_) | EntryKind::Broken => false,
    });
    let Some(span) = item.map(|item| item.span).or(entry.map(|entry| entry.span)) else { return Vec::new() };
    let name = &analysis.text()[at.range()];
    vec![Guess::new(format!("take `{name}` out"), whole_lines(analysis.text(), span), "")]
}

/// A span with the rest of its lines, if nothing else stands there, and the lines of its docs.
fn whole_lines(text: &str, span: Span) -> Span {
    let (mut lo, mut hi) = (span.lo as usize, span.hi as usize);
    let line_start = text[..lo].rfind('\n').map_or(0, |n| n + 1);
    let line_end = text[hi..].find('\n').map_or(text.len(), |n| hi + n + 1);
    let alone = text[line_start..lo].trim().is_empty() && text[hi..line_end].trim().is_empty();
    if alone {
        (lo, hi) = (line_start, line_end);
        while let Some(above) = text[..lo].strip_suffix('\n') {
            let start = above.rfind('\n').map_or(0, |n| n + 1);
            if !above[start..].trim_start().starts_with("///") {
                break;
            }
            lo = start;
        }
    }
    Span::new(span.file, lo, hi)
}

/// An output of what the body made last.
fn output(analysis: &Analysis, d: &Diagnostic) -> Vec<Guess> {
    let Some(section) = analysis.ast.items.iter().find_map(|item| match &item.kind {
        ItemKind::Section(section) if section.name.as_ref().is_some_and(|name| name.span == d.span()) => {
            Some(section)
        }
        ItemKind::Section(_) | ItemKind::Param { .. } | ItemKind::Dim { .. } | ItemKind::Op(_) => None,
        ItemKind::Block(_) | ItemKind::Import { .. } | ItemKind::Broken => None,
    }) else {
        return Vec::new();
    };
    let made = section.entries.iter().rev().find_map(|entry| match &entry.kind {
        EntryKind::Let { names, .. } => names.last(),
        EntryKind::Input { name, .. } => Some(name),
        EntryKind::Output { .. } | EntryKind::Bind { .. } | EntryKind::Typed { .. } => None,
        EntryKind::Section(_) | EntryKind::Broken => None,
    });
    let Some((last, made)) = section.entries.last().zip(made) else { return Vec::new() };
    let name = if &*made.name == "y" { "out" } else { "y" };
    let text = format!("output {name} = {}", made.name);
    vec![Guess::new(format!("add `{text}`"), last.span.end(), format!("\n  {text}"))]
}
