//! What a spec says that another does not, their looks aside.
//!
//! Resuming asks: the steps to come would be others. How long to train and what to log may change, variants that are
//! not chosen and comments too.

use crate::base::Span;
use crate::syntax::ast::{Entry, EntryKind, File, Item, ItemKind, Section, Trivia};
use crate::syntax::format;

/// A difference, each side as the formatter writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where the new text says it; of what it lacks, its first line.
    pub at: Span,
    pub then: Option<String>,
    pub now: Option<String>,
}

/// An item, or an entry of a section.
#[derive(Debug)]
struct Piece {
    /// The section that it stands in, and what it is called there: `train`, `optimizer`.
    place: (String, String),
    text: String,
    span: Span,
}

/// All differences between two resolved specs, in the order of the new one.
pub fn changes(then: &File, now: &File) -> Vec<Change> {
    let (before, after) = (pieces(then), pieces(now));
    let same = |a: &Piece, b: &Piece| a.place == b.place && a.text == b.text;
    let start = Span { hi: now.span.lo, ..now.span };
    let mut gone: Vec<&Piece> = before.iter().filter(|b| !after.iter().any(|a| same(a, b))).collect();
    let mut all = Vec::new();
    for piece in after.iter().filter(|a| !before.iter().any(|b| same(a, b))) {
        let was = gone.iter().position(|b| b.place == piece.place).map(|i| gone.remove(i).text.clone());
        all.push(Change { at: piece.span, then: was, now: Some(piece.text.clone()) });
    }
    all.extend(gone.iter().map(|b| Change { at: start, then: Some(b.text.clone()), now: None }));
    let moved = before.iter().zip(&after).find(|(b, a)| !same(b, a));
    if let (true, Some((b, a))) = (all.is_empty(), moved) {
        // Columns are in the order of their text.
        all.push(Change { at: a.span, then: Some(b.text.clone()), now: Some(a.text.clone()) });
    }
    all
}

fn pieces(file: &File) -> Vec<Piece> {
    let mut all = Vec::new();
    if let Some(word) = file.header.as_ref().and_then(|h| h.defaults.as_ref()) {
        let place = (String::new(), "defaults".to_string());
        all.push(Piece { place, text: format!("defaults {}", word.name), span: word.span });
    }
    for item in &file.items {
        match &item.kind {
            ItemKind::Section(section) if &*section.word.name == "variant" => {}
            ItemKind::Section(section) => all.extend(entries(item, section)),
            ItemKind::Param { .. }
            | ItemKind::Dim { .. }
            | ItemKind::Op(_)
            | ItemKind::Block(_)
            | ItemKind::Import { .. }
            | ItemKind::Broken => {
                let text = written(item.kind.clone(), item);
                all.push(Piece { place: (String::new(), head(&text)), text, span: item.span });
            }
        }
    }
    all
}

fn entries(item: &Item, section: &Section) -> Vec<Piece> {
    let name = section.name.as_ref().map_or(String::new(), |n| format!(" {}", n.name));
    let title = format!("{}{name}", section.word.name);
    let piece = |entry: &Entry| {
        let bare = Entry { doc: None, trivia: Trivia::default(), ..entry.clone() };
        let alone = Section { entries: vec![bare], ..section.clone() };
        let text = written(ItemKind::Section(alone), item);
        // What stands in the braces.
        let inside = text.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}'));
        let text = inside.map_or(text.as_str(), |(inside, _)| inside).trim().to_string();
        Piece { place: (title.clone(), head(&text)), text, span: entry.span }
    };
    section.entries.iter().filter(|e| !is_free(section, e)).map(piece).collect()
}

/// How long to train, and what to tell of it.
fn is_free(section: &Section, entry: &Entry) -> bool {
    match &entry.kind {
        EntryKind::Section(inner) => &*section.word.name == "train" && &*inner.word.name == "log",
        EntryKind::Bind { path, .. } => {
            &*section.word.name == "train"
                && path.parts.len() == 1
                && ["epochs", "steps"].contains(&&*path.parts[0].name)
        }
        EntryKind::Let { .. }
        | EntryKind::Input { .. }
        | EntryKind::Output { .. }
        | EntryKind::Typed { .. }
        | EntryKind::Broken => false,
    }
}

/// As the formatter writes it, without comments.
fn written(kind: ItemKind, item: &Item) -> String {
    let item = Item { kind, span: item.span, doc: None, trivia: Trivia::default() };
    let file = File { items: vec![item], ..File::default() };
    format(&file).trim().to_string()
}

/// What a piece is called: what stands before its value.
fn head(text: &str) -> String {
    text.split(['=', ':', '{', '(']).next().unwrap_or_default().trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Sources;
    use crate::syntax::parse;

    const SPEC: &str = "mlspec 1\n\nparam n: int = 3\n\ndata d {\n  source = csv(\"a.csv\")\n  a, b : float\n}\n\n\
                        train {\n  feed { x = d.row }\n  optimizer = Adam(lr=1e-3)  // why\n  epochs = 5\n  seed = 1\n}\n";

    fn between(then: &str, now: &str) -> Vec<(Option<String>, Option<String>)> {
        let parsed = |text: &str| {
            let mut sources = Sources::new();
            let file = sources.add("a.mlspec", None, text);
            parse(&sources, file).0
        };
        changes(&parsed(then), &parsed(now)).into_iter().map(|c| (c.then, c.now)).collect()
    }

    #[test]
    fn looks_and_lengths_are_no_difference() {
        let other = SPEC.replace("  // why", "").replace("feed { x = d.row }", "feed {\n    x = d.row\n  }");
        let other = other.replace("epochs = 5", "steps = 70") + "// end\n";
        let other = other.replace("mlspec 1\n", "// lesson\nmlspec 1\n\nvariant v { n = 4 }\n");
        assert_eq!(between(SPEC, &other), []);
    }

    #[test]
    fn differences_are_told_side_by_side() {
        let some = |text: &str| Some(text.to_string());
        let other =
            SPEC.replace("lr=1e-3", "lr=2e-3").replace("  seed = 1\n", "").replace("int = 3", "int = 4");
        let other = other.replace("  epochs", "  clip = value(1)\n  epochs");
        assert_eq!(
            between(SPEC, &other),
            [
                (some("param n: int = 3"), some("param n: int = 4")),
                (some("optimizer = Adam(lr=1e-3)"), some("optimizer = Adam(lr=2e-3)")),
                (None, some("clip = value(1)")),
                (some("seed = 1"), None),
            ]
        );
        // Columns are taken in order: one line is taken out, another put in.
        assert_eq!(between(SPEC, &SPEC.replace("a, b", "b, a")).len(), 2);
        assert_eq!(between(SPEC, &SPEC.replace("mlspec 1", "mlspec 1 defaults torch")).len(), 1);
    }
}
