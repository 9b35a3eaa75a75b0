//! Requests of the editor, each answered by a function of [`ide`](crate::tools::ide).
//!
//! Parameters become bytes, results become lines and columns. A text that is not open has no
//! answer, which the protocol writes as null.

pub mod beside;
pub mod completion;
pub mod edits;
pub mod names;
pub mod outline;

use super::document::Document;
use super::server::{Refusal, Server};
use crate::base::Span;
use crate::tools::ide::Analysis;
use crate::tools::ide::edit::Edit;
use gen_lsp_types::{Range, TextDocumentPositionParams, TextEdit, Uri, WorkspaceEdit};
use std::sync::Arc;

/// What every function here answers with.
pub type Answer<T> = Result<Option<T>, Refusal>;

/// An open text and its check.
struct Seen {
    document: Document,
    analysis: Arc<Analysis>,
}

impl Seen {
    fn of(server: &mut Server, uri: &Uri) -> Option<Seen> {
        let analysis = server.analysis(uri.as_ref())?;
        let document = server.document(uri)?.clone();
        Some(Seen { document, analysis })
    }

    /// With the byte of a place in it.
    fn at(server: &mut Server, place: &TextDocumentPositionParams) -> Option<(Seen, usize)> {
        let seen = Seen::of(server, &place.text_document.uri)?;
        let at = seen.document.lines.byte(&seen.document.text, place.position);
        Some((seen, at))
    }

    fn range(&self, span: Span) -> Range {
        self.document.lines.range(&self.document.text, span)
    }

    fn span(&self, range: Range) -> Span {
        let bytes = self.document.lines.bytes(&self.document.text, range);
        Span::new(self.analysis.file, bytes.start, bytes.end)
    }

    fn edit(&self, edit: &Edit) -> TextEdit {
        TextEdit { range: self.range(edit.span), new_text: edit.text.clone() }
    }

    /// Edits of this text alone.
    fn workspace_edit(&self, edits: &[Edit]) -> WorkspaceEdit {
        let edits = edits.iter().map(|edit| self.edit(edit)).collect();
        let changes = [(self.document.uri.clone(), edits)].into_iter().collect();
        WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() }
    }
}
