//! What "select more" selects, step by step: the word, the argument, the stage, the entry, the section, the text.

use super::nodes;
use crate::base::Span;
use crate::syntax::ast::File;

/// The spans around a byte, each inside the next; the last is the whole text.
pub fn around(file: &File, text: &str, at: usize) -> Vec<Span> {
    let whole = Span::new(file.span.file, 0, text.len());
    let mut found = vec![whole];
    let at = at.min(text.len()) as u32;
    nodes::visit(file, &mut |span| {
        let covers = span.lo <= at && at <= span.hi;
        if covers {
            found.push(span);
        }
        covers
    });
    found.sort_by_key(|span| span.hi - span.lo);
    let mut chain: Vec<Span> = Vec::new();
    for span in found {
        // Of two neighbours that touch the place, the first is taken.
        if chain.last().is_none_or(|inner| span.contains(*inner) && span != *inner) {
            chain.push(span);
        }
    }
    chain
}
