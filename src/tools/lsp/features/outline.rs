//! What the tree alone tells: symbols, folds, selections, tokens.

use super::super::tokens::encoded;
use super::{Answer, Seen};
use crate::tools::ide::folding::{self, FoldKind};
use crate::tools::ide::symbols::{self, Symbol, SymbolKind};
use crate::tools::ide::{selection, tokens as colours};
use crate::tools::lsp::server::Server;
use gen_lsp_types as lsp;
use gen_lsp_types::*;

pub fn symbols(server: &mut Server, params: DocumentSymbolParams) -> Answer<DocumentSymbolResponse> {
    let Some(seen) = Seen::of(server, &params.text_document.uri) else { return Ok(None) };
    let all = symbols::symbols(&seen.document.text, &seen.analysis.ast);
    let all = all.iter().map(|one| symbol(&seen, one)).collect();
    Ok(Some(DocumentSymbolResponse::DocumentSymbolList(all)))
}

#[allow(deprecated, reason = "the protocol's type has a field that is out of use, and no default")]
fn symbol(seen: &Seen, one: &Symbol) -> DocumentSymbol {
    let children: Vec<DocumentSymbol> = one.children.iter().map(|child| symbol(seen, child)).collect();
    DocumentSymbol {
        name: one.name.clone(),
        detail: one.detail.clone(),
        kind: icon(one.kind),
        tags: None,
        deprecated: None,
        range: seen.range(one.span),
        selection_range: seen.range(one.at),
        children: (!children.is_empty()).then_some(children),
    }
}

fn icon(kind: SymbolKind) -> lsp::SymbolKind {
    match kind {
        SymbolKind::Param | SymbolKind::Dim => lsp::SymbolKind::Constant,
        SymbolKind::Op => lsp::SymbolKind::Function,
        SymbolKind::Block => lsp::SymbolKind::Class,
        SymbolKind::Model => lsp::SymbolKind::Class,
        SymbolKind::Data => lsp::SymbolKind::Struct,
        SymbolKind::Section => lsp::SymbolKind::Namespace,
        SymbolKind::Import => lsp::SymbolKind::Module,
        SymbolKind::Let => lsp::SymbolKind::Variable,
        SymbolKind::Input | SymbolKind::Output => lsp::SymbolKind::Interface,
        SymbolKind::Key => lsp::SymbolKind::Property,
        SymbolKind::Column => lsp::SymbolKind::Field,
    }
}

pub fn folds(server: &mut Server, params: FoldingRangeParams) -> Answer<Vec<FoldingRange>> {
    let Some(seen) = Seen::of(server, &params.text_document.uri) else { return Ok(None) };
    let all = folding::folds(&seen.document.text, &seen.analysis.ast);
    let fold = |fold: folding::Fold| {
        let range = seen.range(fold.span);
        // A line that closes what is folded stays in view.
        let last_line = seen.document.text[fold.span.range()].rsplit('\n').next().unwrap_or_default();
        let closes = last_line.trim_start().starts_with(['}', ')', ']']);
        let last = range.end.line.saturating_sub(u32::from(closes));
        let kind = (fold.kind == FoldKind::Comment).then_some(FoldingRangeKind::Comment);
        (last > range.start.line).then(|| FoldingRange {
            start_line: range.start.line,
            end_line: last,
            kind,
            ..FoldingRange::default()
        })
    };
    Ok(Some(all.into_iter().filter_map(fold).collect()))
}

pub fn selections(server: &mut Server, params: SelectionRangeParams) -> Answer<Vec<SelectionRange>> {
    let Some(seen) = Seen::of(server, &params.text_document.uri) else { return Ok(None) };
    let text = &seen.document.text;
    let chain = |position: Position| {
        let spans = selection::around(&seen.analysis.ast, text, seen.document.lines.byte(text, position));
        let chain = spans.iter().rev().fold(None, |parent, span| {
            Some(SelectionRange { range: seen.range(*span), parent: parent.map(Box::new) })
        });
        chain.expect("selection: the whole text is around every place")
    };
    Ok(Some(params.positions.into_iter().map(chain).collect()))
}

pub fn tokens(server: &mut Server, params: SemanticTokensParams) -> Answer<SemanticTokens> {
    let Some(seen) = Seen::of(server, &params.text_document.uri) else { return Ok(None) };
    Ok(Some(coloured(&seen, None)))
}

pub fn tokens_within(server: &mut Server, params: SemanticTokensRangeParams) -> Answer<SemanticTokens> {
    let Some(seen) = Seen::of(server, &params.text_document.uri) else { return Ok(None) };
    Ok(Some(coloured(&seen, Some(params.range))))
}

fn coloured(seen: &Seen, within: Option<Range>) -> SemanticTokens {
    let all = colours::tokens(&seen.analysis, within.map(|range| seen.span(range)));
    SemanticTokens { result_id: None, data: encoded(&seen.document.text, &seen.document.lines, &all) }
}
