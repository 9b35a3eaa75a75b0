//! Cuts a text into words, signs and comments.
//!
//! The parser recovers from errors by what is seen here: which token starts a
//! line, and where comments stand. Never fails: what no spec may hold becomes
//! a [`Kind::Foreign`] sign, an unclosed string ends with its line.

use super::ast::Comment;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Word,
    Number,
    Str,
    /// A string that its line leaves open.
    OpenStr,
    Open(Bracket),
    Close(Bracket),
    Sign,
    /// A sign of other languages: `#…`, `**`, `'…'`, `;`.
    Foreign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bracket {
    Round,
    Square,
    Curly,
}

impl Bracket {
    pub fn open(self) -> char {
        match self {
            Bracket::Round => '(',
            Bracket::Square => '[',
            Bracket::Curly => '{',
        }
    }

    pub fn close(self) -> char {
        match self {
            Bracket::Round => ')',
            Bracket::Square => ']',
            Bracket::Curly => '}',
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub kind: Kind,
    pub lo: usize,
    pub hi: usize,
    /// Nothing but space stands before it on its line.
    pub starts_line: bool,
}

/// The signs of the language, longest first.
const SIGNS: [&str; 21] = [
    "|>", "->", "==", "!=", "<=", ">=", "..", "=", "+", "-", "*", "/", "@", "^", "<", ">", ":", ",", ".",
    "_", "%",
];

/// Signs that other languages use, longest first; caught whole so that a label covers them.
const FOREIGN: [&str; 12] = ["**", "//=", "&&", "||", ":=", "=>", "+=", "-=", "*=", "/=", "++", "::"];

pub struct Scan {
    pub tokens: Vec<Token>,
    pub comments: Vec<Comment>,
}

pub fn scan(text: &str) -> Scan {
    let mut out = Scan { tokens: Vec::new(), comments: Vec::new() };
    let (mut at, mut fresh, mut line_end) = (0, true, 0);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        // As in the grammar: other space, such as U+00A0, is a sign that no spec may hold.
        if matches!(c, ' ' | '\t' | '\r' | '\n') {
            fresh |= c == '\n';
            at += c.len_utf8();
            continue;
        }
        if line_end <= at {
            line_end = rest.find('\n').map_or(text.len(), |n| at + n);
        }
        let line = &text[at..line_end];
        if rest.starts_with("//") {
            let text = line.trim_end().to_string();
            out.comments.push(Comment { at: at as u32, text, behind: !fresh });
            at += line.len();
            continue;
        }
        let (kind, len) = token(line, c);
        out.tokens.push(Token { kind, lo: at, hi: at + len, starts_line: fresh });
        fresh = false;
        at += len;
    }
    out
}

/// The kind and length of the token that `line` starts with.
fn token(line: &str, c: char) -> (Kind, usize) {
    match c {
        '(' => (Kind::Open(Bracket::Round), 1),
        '[' => (Kind::Open(Bracket::Square), 1),
        '{' => (Kind::Open(Bracket::Curly), 1),
        ')' => (Kind::Close(Bracket::Round), 1),
        ']' => (Kind::Close(Bracket::Square), 1),
        '}' => (Kind::Close(Bracket::Curly), 1),
        '"' => string(line),
        '#' => (Kind::Foreign, line.trim_end().len()),
        '\'' => (Kind::Foreign, line[1..].find('\'').map_or(1, |n| n + 2)),
        '0'..='9' => (Kind::Number, number(line)),
        c if c.is_alphabetic() || c == '_' => {
            let len = line.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(line.len());
            let ascii = line[..len].is_ascii();
            (if ascii { Kind::Word } else { Kind::Foreign }, len)
        }
        c => sign(line, c),
    }
}

fn sign(line: &str, c: char) -> (Kind, usize) {
    if let Some(sign) = FOREIGN.iter().find(|s| line.starts_with(**s)) {
        return (Kind::Foreign, sign.len());
    }
    match SIGNS.iter().find(|s| line.starts_with(**s)) {
        Some(sign) => (Kind::Sign, sign.len()),
        None => (Kind::Foreign, c.len_utf8()),
    }
}

fn string(line: &str) -> (Kind, usize) {
    let mut escaped = false;
    for (i, c) in line.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return (Kind::Str, i + 1),
            _ => {}
        }
    }
    (Kind::OpenStr, line.trim_end().len())
}

/// `12`, `0.5`, `1e-3`, `80%`, but the `1` of `1..4`.
fn number(line: &str) -> usize {
    let digits = |from: usize| from + line[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    if line[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if line[end..].starts_with(['e', 'E']) {
        let sign = usize::from(line[end + 1..].starts_with(['+', '-']));
        if digits(end + 1 + sign) > end + 1 + sign {
            end = digits(end + 1 + sign);
        }
    }
    let word = line[end..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    end + word + usize::from(line[end + word..].starts_with('%'))
}
