//! Definition, references, highlights and rename.

use super::{Answer, Seen};
use crate::tools::ide::edit;
use crate::tools::ide::names::{self, Reference};
use crate::tools::lsp::publish;
use crate::tools::lsp::server::{Refusal, Server};
use gen_lsp_types::*;

pub fn definition(server: &mut Server, params: DefinitionParams) -> Answer<DefinitionResponse> {
    let Some((seen, at)) = Seen::at(server, &params.text_document_position_params) else { return Ok(None) };
    let made = names::definition(&seen.analysis, at);
    let made = made.and_then(|span| publish::location(&seen.document, &seen.analysis, span));
    Ok(made.map(|location| DefinitionResponse::Definition(Definition::Location(location))))
}

pub fn references(server: &mut Server, params: ReferenceParams) -> Answer<Vec<Location>> {
    let Some((seen, at)) = Seen::at(server, &params.text_document_position_params) else { return Ok(None) };
    let wanted = |r: &Reference| params.context.include_declaration || !r.made;
    let location = |r: Reference| Location { uri: seen.document.uri.clone(), range: seen.range(r.span) };
    Ok(Some(names::references(&seen.analysis, at).into_iter().filter(wanted).map(location).collect()))
}

pub fn highlights(server: &mut Server, params: DocumentHighlightParams) -> Answer<Vec<DocumentHighlight>> {
    let Some((seen, at)) = Seen::at(server, &params.text_document_position_params) else { return Ok(None) };
    let highlight = |r: Reference| {
        let kind = if r.made { DocumentHighlightKind::Write } else { DocumentHighlightKind::Read };
        DocumentHighlight { range: seen.range(r.span), kind: Some(kind) }
    };
    Ok(Some(names::references(&seen.analysis, at).into_iter().map(highlight).collect()))
}

pub fn prepare_rename(server: &mut Server, params: PrepareRenameParams) -> Answer<PrepareRenameResult> {
    let Some((seen, at)) = Seen::at(server, &params.text_document_position_params) else { return Ok(None) };
    let span = names::renameable(&seen.analysis, at).map_err(Refusal::cannot)?;
    let placeholder = seen.document.text[span.range()].to_string();
    let range = seen.range(span);
    Ok(Some(PrepareRenameResult::PrepareRenamePlaceholder(PrepareRenamePlaceholder { range, placeholder })))
}

/// The edits of a rename, unless the renamed text says something else than before.
pub fn rename(server: &mut Server, params: RenameParams) -> Answer<WorkspaceEdit> {
    let Some((seen, at)) = Seen::at(server, &params.text_document_position_params) else { return Ok(None) };
    let new = params.new_name.trim();
    let edits = names::rename(&seen.analysis, at, new).map_err(Refusal::cannot)?;
    let renamed = server.checked_instead(&seen.document, &edit::applied(&seen.document.text, &edits));
    if !names::same_but_for_names(&seen.analysis.diagnostics, &renamed.diagnostics) {
        let new_one =
            renamed.diagnostics.iter().find(|d| !seen.analysis.diagnostics.iter().any(|b| b.code == d.code));
        let why = new_one.map_or(String::new(), |d| format!(": {}", d.message));
        return Err(Refusal::cannot(format!("with the name `{new}` the spec would say something else{why}")));
    }
    Ok(Some(seen.workspace_edit(&edits)))
}
