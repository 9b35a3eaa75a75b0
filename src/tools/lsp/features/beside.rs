//! What is shown beside the code: hints, hover, signatures, lenses.

use super::{Answer, Seen};
use crate::tools::ide::hints::{self, HintKind};
use crate::tools::ide::lens::{self, Lens};
use crate::tools::ide::{hover as hovers, signature as signatures};
use crate::tools::lsp::server::Server;
use gen_lsp_types::*;
use serde_json::json;

pub fn hints(server: &mut Server, params: InlayHintParams) -> Answer<Vec<InlayHint>> {
    let Some(seen) = Seen::of(server, &params.text_document.uri) else { return Ok(None) };
    let all = hints::hints(&seen.analysis, seen.span(params.range).range());
    let hint = |hint: hints::Hint| InlayHint {
        position: seen.document.lines.position(&seen.document.text, hint.at),
        label: Label::String(hint.label),
        kind: match hint.kind {
            HintKind::Type => Some(InlayHintKind::Type),
            HintKind::Value => None,
        },
        text_edits: None,
        tooltip: hint.tooltip.map(|text| Tooltip::MarkupContent(markdown(text))),
        padding_left: Some(true),
        padding_right: None,
        data: None,
    };
    Ok(Some(all.into_iter().map(hint).collect()))
}

pub fn hover(server: &mut Server, params: HoverParams) -> Answer<Hover> {
    let Some((seen, at)) = Seen::at(server, &params.text_document_position_params) else { return Ok(None) };
    let found = hovers::hover(&seen.analysis, at);
    Ok(found.map(|hover| Hover {
        range: Some(seen.range(hover.span)),
        contents: Contents::MarkupContent(markdown(hover.markdown)),
    }))
}

pub fn signature(server: &mut Server, params: SignatureHelpParams) -> Answer<SignatureHelp> {
    let Some((seen, at)) = Seen::at(server, &params.text_document_position_params) else { return Ok(None) };
    let Some(help) = signatures::signature(&seen.analysis, at) else { return Ok(None) };
    // Parts of a label are told in UTF-16 units, or in what was agreed.
    let encoding = seen.document.lines.encoding();
    let column = |byte: usize| encoding.width(&help.label[..byte]);
    let parameters = help.parameters.iter().map(|(part, doc)| ParameterInformation {
        label: ParameterInformationLabel::Tuple((column(part.start), column(part.end))),
        documentation: (!doc.is_empty()).then(|| Documentation::MarkupContent(markdown(doc.clone()))),
    });
    let active = help.active.map(|i| ActiveParameter::Int(i as u32));
    let information = SignatureInformation {
        label: help.label.clone(),
        documentation: (!help.doc.is_empty())
            .then(|| Documentation::MarkupContent(markdown(help.doc.clone()))),
        parameters: Some(parameters.collect()),
        active_parameter: active,
    };
    Ok(Some(SignatureHelp {
        signatures: vec![information],
        active_signature: Some(0),
        active_parameter: active,
    }))
}

pub fn lenses(server: &mut Server, params: CodeLensParams) -> Answer<Vec<CodeLens>> {
    let uri = params.text_document.uri;
    let Some(seen) = Seen::of(server, &uri) else { return Ok(None) };
    let lens = |one: Lens| {
        let range = seen.range(one.span);
        let data = json!({ "uri": uri, "version": seen.document.version, "title": one.title });
        match one.trains {
            // Its memory takes a while to plan, so it waits until the line is seen.
            true => CodeLens { range, command: None, data: Some(data) },
            false => CodeLens { range, command: Some(shown(one.title)), data: None },
        }
    };
    Ok(Some(lens::lenses(&seen.analysis).into_iter().map(lens).collect()))
}

/// A line that can be read and does nothing.
fn shown(title: String) -> Command {
    Command { title, tooltip: None, command: String::new(), arguments: None }
}

/// The lens with the memory of its training, to be worked out in a thread; `with_memory` unless another thread
/// is at it already. A lens of a text that has changed since stays as it is.
pub fn lens(
    server: &mut Server,
    lens: CodeLens,
    with_memory: bool,
) -> impl FnOnce() -> CodeLens + Send + 'static {
    let told = |key: &str| lens.data.as_ref().and_then(|data| data.get(key)).cloned();
    let text = |key: &str| told(key).and_then(|value| value.as_str().map(str::to_string)).unwrap_or_default();
    let (uri, title) = (Uri::from(text("uri")), text("title"));
    let current = |seen: &Seen| told("version") == Some(json!(seen.document.version));
    let seen = Seen::of(server, &uri).filter(|seen| with_memory && current(seen));
    let place = seen.map(|seen| (seen.span(lens.range), seen.analysis));
    move || {
        let all = place.map(|(word, analysis)| (word, lens::memory(&analysis)));
        let memory = all.and_then(|(word, all)| all.into_iter().find(|(span, _)| *span == word));
        let title = memory.map_or(title.clone(), |(_, memory)| format!("{title} · {memory}"));
        CodeLens { command: Some(shown(title)), data: None, ..lens }
    }
}

pub fn markdown(value: String) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value }
}
