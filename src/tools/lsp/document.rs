//! An open text, as the editor has it.

use super::place::{Encoding, Lines};
use super::uri;
use gen_lsp_types::{TextDocumentContentChangeEvent, Uri};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Document {
    pub uri: Uri,
    /// As the editor counts them.
    pub version: i32,
    pub text: Arc<str>,
    pub lines: Lines,
}

impl Document {
    pub fn new(uri: Uri, version: i32, text: String, encoding: Encoding) -> Document {
        let lines = Lines::of(&text, encoding);
        Document { uri, version, text: text.into(), lines }
    }

    /// As diagnostics call it.
    pub fn name(&self) -> String {
        uri::path(self.uri.as_ref()).map_or_else(|| self.uri.to_string(), |path| path.display().to_string())
    }

    /// Where paths in it are looked up first; none for a text that was never saved.
    pub fn folder(&self) -> Option<PathBuf> {
        uri::path(self.uri.as_ref())?.parent().map(PathBuf::from)
    }

    /// Applies changes in their order; each speaks of the text that the one before left.
    pub fn change(&mut self, version: i32, changes: Vec<TextDocumentContentChangeEvent>) {
        for change in changes {
            let text = match change {
                TextDocumentContentChangeEvent::TextDocumentContentChangePartial(part) => {
                    let mut text = self.text.to_string();
                    text.replace_range(self.lines.bytes(&self.text, part.range), &part.text);
                    text
                }
                TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(whole) => whole.text,
            };
            self.lines = Lines::of(&text, self.lines.encoding());
            self.text = text.into();
        }
        self.version = version;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn changed(text: &str, changes: serde_json::Value) -> String {
        let mut document = Document::new("file:///x".into(), 1, text.into(), Encoding::Utf16);
        document.change(2, serde_json::from_value(changes).unwrap());
        document.text.to_string()
    }

    fn edit(from: (u32, u32), to: (u32, u32), text: &str) -> serde_json::Value {
        json!({ "text": text, "range": {
            "start": { "line": from.0, "character": from.1 },
            "end": { "line": to.0, "character": to.1 },
        }})
    }

    #[test]
    fn changes_follow_each_other() {
        let all = json!([edit((0, 0), (0, 0), "x\n"), edit((1, 1), (1, 2), "B")]);
        assert_eq!(changed("abc", all), "x\naBc");
    }

    #[test]
    fn columns_behind_emoji_are_units() {
        assert_eq!(changed("// 😀 a", json!([edit((0, 6), (0, 7), "b")])), "// 😀 b");
    }

    #[test]
    fn the_whole_text_or_more_than_it() {
        assert_eq!(changed("abc", json!([{ "text": "new" }])), "new");
        assert_eq!(changed("abc", json!([edit((0, 0), (9, 9), "")])), "");
    }
}
