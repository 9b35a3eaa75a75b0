//! Formatting and code actions.

use super::super::publish;
use super::{Answer, Seen};
use crate::base::Span;
use crate::syntax;
use crate::tools::ide::actions::{self, Action, ActionKind};
use crate::tools::ide::edit::{self, Edit};
use crate::tools::lsp::server::{Refusal, Server};
use gen_lsp_types::*;

pub fn format(server: &mut Server, params: DocumentFormattingParams) -> Answer<Vec<TextEdit>> {
    let Some(seen) = Seen::of(server, &params.text_document.uri) else { return Ok(None) };
    let edits = formatted(&seen)?;
    Ok(Some(edits.iter().map(|edit| seen.edit(edit)).collect()))
}

/// Of the whole text's formatting, the lines that touch a range.
pub fn format_within(server: &mut Server, params: DocumentRangeFormattingParams) -> Answer<Vec<TextEdit>> {
    let Some(seen) = Seen::of(server, &params.text_document.uri) else { return Ok(None) };
    let within = seen.span(params.range);
    let touches = |span: Span| span.lo <= within.hi && within.lo <= span.hi;
    let edits = formatted(&seen)?;
    Ok(Some(edits.iter().filter(|edit| touches(edit.span)).map(|edit| seen.edit(edit)).collect()))
}

/// A text that does not parse is left alone: what is broken in it would be lost.
fn formatted(seen: &Seen) -> Result<Vec<Edit>, Refusal> {
    let (sources, file) = (&seen.analysis.sources, seen.analysis.file);
    let (ast, found) = syntax::parse(sources, file);
    if found.has_errors() {
        return Err(Refusal::cannot("what does not parse cannot be formatted: see the errors"));
    }
    Ok(edit::between(file, &seen.document.text, &syntax::format(&ast)))
}

pub fn actions(server: &mut Server, params: CodeActionParams) -> Answer<Vec<CodeActionResponse>> {
    let Some(seen) = Seen::of(server, &params.text_document.uri) else { return Ok(None) };
    let wanted = |kind: ActionKind| {
        let only = params.context.only.as_deref();
        only.is_none_or(|only| only.iter().any(|asked| covers(asked, &protocols(kind))))
    };
    let check = |text: &str| server.checked_instead(&seen.document, text).diagnostics;
    let all = actions::actions(&seen.analysis, seen.span(params.range), &wanted, &check);
    Ok(Some(all.iter().map(|action| CodeActionResponse::CodeAction(one(&seen, action))).collect()))
}

fn one(seen: &Seen, action: &Action) -> CodeAction {
    let answered = action
        .diagnostic
        .map(|i| vec![publish::one(&seen.document, &seen.analysis, &seen.analysis.diagnostics[i])]);
    CodeAction {
        title: action.title.clone(),
        kind: Some(protocols(action.kind)),
        diagnostics: answered,
        is_preferred: action.preferred.then_some(true),
        edit: Some(seen.workspace_edit(&action.edits)),
        ..CodeAction::default()
    }
}

fn protocols(kind: ActionKind) -> CodeActionKind {
    match kind {
        ActionKind::QuickFix => CodeActionKind::QuickFix,
        ActionKind::Refactor => CodeActionKind::Refactor,
        ActionKind::FixAll => CodeActionKind::SourceFixAll,
    }
}

/// `refactor` asks for `refactor.rewrite`, too.
fn covers(asked: &CodeActionKind, kind: &CodeActionKind) -> bool {
    let (asked, kind) = (asked.to_string(), kind.to_string());
    asked.is_empty() || kind == asked || kind.strip_prefix(&asked).is_some_and(|rest| rest.starts_with('.'))
}
