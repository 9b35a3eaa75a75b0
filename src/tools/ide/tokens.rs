//! What each word of a text is, for its colour.

use super::Analysis;
use crate::base::Span;
use crate::sema::facts::{NameKind, Use};
use crate::syntax::scan::{Kind, scan};

/// The protocol's standard kinds, as far as they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenKind {
    Namespace,
    Type,
    Class,
    TypeParameter,
    Parameter,
    Variable,
    Property,
    EnumMember,
    Function,
    Keyword,
    Comment,
    String,
    Number,
    Operator,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modifiers {
    /// Whether the name is made here.
    pub declaration: bool,
    /// Whether nothing in the spec changes it.
    pub readonly: bool,
    /// Whether it is the library's.
    pub library: bool,
    pub documentation: bool,
}

/// A piece of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub span: Span,
    pub kind: TokenKind,
    pub modifiers: Modifiers,
}

/// All tokens, or those that touch `within`, in order of place.
pub fn tokens(analysis: &Analysis, within: Option<Span>) -> Vec<Token> {
    let text = analysis.text();
    let found = scan(text);
    let wanted = |span: &Span| within.is_none_or(|w| span.lo < w.hi && w.lo < span.hi);
    let span = |lo: usize, hi: usize| Span::new(analysis.file, lo, hi);
    let words = found.tokens.iter().filter_map(|token| {
        let span = span(token.lo, token.hi);
        wanted(&span).then(|| word(analysis, token.kind, span)).flatten()
    });
    let comments = found.comments.iter().filter_map(|comment| {
        let lo = comment.at as usize;
        let documentation = comment.text.starts_with("///") && !comment.behind;
        let modifiers = Modifiers { documentation, ..Modifiers::default() };
        let token = Token { span: span(lo, lo + comment.text.len()), kind: TokenKind::Comment, modifiers };
        wanted(&token.span).then_some(token)
    });
    let mut all: Vec<Token> = words.chain(comments).collect();
    all.sort_by_key(|token| token.span);
    all
}

fn word(analysis: &Analysis, kind: Kind, span: Span) -> Option<Token> {
    let plain = |kind| Some(Token { span, kind, modifiers: Modifiers::default() });
    match kind {
        Kind::Word => match analysis.facts.uses.binary_search_by_key(&span, |u| u.span) {
            Ok(i) => Some(named(&analysis.facts.uses[i])),
            Err(_) if is_keyword(&analysis.text()[span.range()]) => plain(TokenKind::Keyword),
            Err(_) => None,
        },
        Kind::Number => plain(TokenKind::Number),
        Kind::Str | Kind::OpenStr => plain(TokenKind::String),
        Kind::Sign => {
            let sign = &analysis.text()[span.range()];
            (!matches!(sign, "," | "." | ":" | "_")).then(|| plain(TokenKind::Operator)).flatten()
        }
        Kind::Open(_) | Kind::Close(_) | Kind::Foreign => None,
    }
}

/// Words that the grammar knows; section words are names, which the facts know.
fn is_keyword(word: &str) -> bool {
    const HEADS: [&str; 8] = ["mlspec", "defaults", "param", "dim", "op", "block", "import", "by"];
    crate::syntax::RESERVED.contains(&word) || HEADS.contains(&word)
}

fn named(name: &Use) -> Token {
    let (kind, readonly, library) = match name.kind {
        NameKind::Param | NameKind::Dim => (TokenKind::Variable, true, false),
        NameKind::Op => (TokenKind::Function, false, false),
        NameKind::Block | NameKind::Model => (TokenKind::Class, false, false),
        NameKind::Data | NameKind::Variant | NameKind::Section => (TokenKind::Namespace, false, false),
        NameKind::Let | NameKind::Input | NameKind::Output | NameKind::Feed => {
            (TokenKind::Variable, false, false)
        }
        NameKind::Setting | NameKind::Argument => (TokenKind::Parameter, false, false),
        NameKind::Size => (TokenKind::TypeParameter, false, false),
        NameKind::Batch => (TokenKind::TypeParameter, true, true),
        NameKind::Weight | NameKind::Column => (TokenKind::Property, false, false),
        NameKind::DataSize => (TokenKind::Property, true, true),
        NameKind::Key => (TokenKind::Property, false, true),
        NameKind::Word => (TokenKind::Keyword, false, false),
        NameKind::Type => (TokenKind::Type, false, true),
        NameKind::Layer => (TokenKind::Class, false, true),
        NameKind::Function
        | NameKind::Loss
        | NameKind::Metric
        | NameKind::Optimizer
        | NameKind::Schedule
        | NameKind::Clip
        | NameKind::Stop
        | NameKind::Initialiser
        | NameKind::Source
        | NameKind::Generator
        | NameKind::Transform => (TokenKind::Function, false, true),
        NameKind::Choice => (TokenKind::EnumMember, true, true),
    };
    let declaration = name.definition == Some(name.span);
    let modifiers = Modifiers { declaration, readonly, library, documentation: false };
    Token { span: name.span, kind, modifiers }
}
