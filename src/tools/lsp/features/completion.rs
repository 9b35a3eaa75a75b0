//! Completion.

use super::beside::markdown;
use super::{Answer, Seen};
use crate::tools::ide::complete::{self, Completion, CompletionKind};
use crate::tools::lsp::disk::Disk;
use crate::tools::lsp::server::Server;
use gen_lsp_types::*;

pub fn complete(server: &mut Server, params: CompletionParams) -> Answer<CompletionResponse> {
    let Some((seen, at)) = Seen::at(server, &params.text_document_position_params) else { return Ok(None) };
    let disk = Disk { places: server.places(&seen.document) };
    let all = complete::complete(&seen.analysis, at, &disk);
    let snippets = server.client().snippets;
    let items = all.into_iter().enumerate().map(|(i, one)| item(&seen, i, one, snippets)).collect();
    Ok(Some(CompletionResponse::CompletionItemList(items)))
}

fn item(seen: &Seen, i: usize, one: Completion, snippets: bool) -> CompletionItem {
    let range = seen.range(one.edit.span);
    let snippet = one.snippet.filter(|_| snippets);
    let format = if snippet.is_some() { InsertTextFormat::Snippet } else { InsertTextFormat::PlainText };
    let new_text = snippet.unwrap_or(one.edit.text);
    CompletionItem {
        label: one.label,
        kind: Some(icon(one.kind)),
        detail: (!one.detail.is_empty()).then_some(one.detail),
        documentation: (!one.doc.is_empty()).then(|| Documentation::MarkupContent(markdown(one.doc))),
        // Editors sort by this text; ours is the order of likelihood.
        sort_text: Some(format!("{i:04}")),
        insert_text_format: Some(format),
        text_edit: Some(CompletionItemTextEdit::TextEdit(TextEdit { range, new_text })),
        ..CompletionItem::default()
    }
}

fn icon(kind: CompletionKind) -> CompletionItemKind {
    match kind {
        CompletionKind::Word => CompletionItemKind::Keyword,
        CompletionKind::Key => CompletionItemKind::Property,
        CompletionKind::Layer | CompletionKind::Block | CompletionKind::Model => CompletionItemKind::Class,
        CompletionKind::Function => CompletionItemKind::Function,
        CompletionKind::Value => CompletionItemKind::Variable,
        CompletionKind::Column => CompletionItemKind::Field,
        CompletionKind::Constant => CompletionItemKind::Constant,
        CompletionKind::Choice => CompletionItemKind::EnumMember,
        CompletionKind::Argument => CompletionItemKind::Property,
        CompletionKind::Type => CompletionItemKind::TypeParameter,
        CompletionKind::File => CompletionItemKind::File,
        CompletionKind::Folder => CompletionItemKind::Folder,
        CompletionKind::Weight => CompletionItemKind::Reference,
    }
}
