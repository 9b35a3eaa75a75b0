//! Semantic tokens as the protocol counts them: each from the one before.

use super::place::Lines;
use crate::tools::ide::tokens::{Modifiers, Token, TokenKind};
use gen_lsp_types::{SemanticToken, SemanticTokensLegend};

/// What the numbers of tokens mean.
pub fn legend() -> SemanticTokensLegend {
    let names = |all: &[&str]| all.iter().map(|name| name.to_string()).collect();
    let kinds: Vec<&str> = KINDS.iter().map(|(_, name)| *name).collect();
    SemanticTokensLegend { token_types: names(&kinds), token_modifiers: names(&MODIFIERS) }
}

const KINDS: [(TokenKind, &str); 14] = [
    (TokenKind::Namespace, "namespace"),
    (TokenKind::Type, "type"),
    (TokenKind::Class, "class"),
    (TokenKind::TypeParameter, "typeParameter"),
    (TokenKind::Parameter, "parameter"),
    (TokenKind::Variable, "variable"),
    (TokenKind::Property, "property"),
    (TokenKind::EnumMember, "enumMember"),
    (TokenKind::Function, "function"),
    (TokenKind::Keyword, "keyword"),
    (TokenKind::Comment, "comment"),
    (TokenKind::String, "string"),
    (TokenKind::Number, "number"),
    (TokenKind::Operator, "operator"),
];

const MODIFIERS: [&str; 4] = ["declaration", "readonly", "defaultLibrary", "documentation"];

/// Tokens in order of place; none spans lines.
pub fn encoded(text: &str, lines: &Lines, tokens: &[Token]) -> Vec<SemanticToken> {
    let (mut line, mut start) = (0, 0);
    let mut all = Vec::with_capacity(tokens.len());
    for token in tokens {
        let at = lines.position(text, token.span.lo as usize);
        if at.line != line {
            start = 0;
        }
        let kind =
            KINDS.iter().position(|(kind, _)| *kind == token.kind).expect("tokens: every kind has a row");
        all.push(SemanticToken {
            delta_line: at.line - line,
            delta_start: at.character - start,
            length: lines.encoding().width(&text[token.span.range()]),
            token_type: kind as u32,
            token_modifiers_bitset: bits(token.modifiers),
        });
        (line, start) = (at.line, at.character);
    }
    all
}

/// In the order of [`MODIFIERS`].
fn bits(m: Modifiers) -> u32 {
    let set = [m.declaration, m.readonly, m.library, m.documentation];
    set.iter().enumerate().map(|(i, on)| u32::from(*on) << i).sum()
}
