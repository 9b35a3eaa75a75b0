//! What pest expected, said so that it teaches.
//!
//! pest knows rules; people want to know what they wrote, what could stand
//! there, and how the whole piece should look. Signs of other languages get an
//! answer of their own.

use super::ast::Bytes;
use super::build::Rule;
use super::parse::RESERVED;
use super::scan::{Kind, Token};
use crate::base::{FileId, Span};
use crate::diag::Diagnostic;
use pest::error::{Error, ErrorVariant, InputLocation};
use std::collections::BTreeSet;

/// What was being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    Header,
    Item,
    Param,
    Dim,
    Import,
    Op,
    Block,
    Entry,
    Let,
    Input,
    Output,
    Value,
}

impl Piece {
    pub fn is_entry(self) -> bool {
        matches!(self, Piece::Entry | Piece::Let | Piece::Input | Piece::Output)
    }

    /// How it should look.
    fn pattern(self) -> &'static str {
        match self {
            Piece::Header => "the first line is `mlspec 1` or `mlspec 1 defaults torch`",
            Piece::Item => {
                "an item is `word name { … }`, or starts with `param`, `dim`, `op`, `block` or `import`"
            }
            Piece::Param => "a param is `param hidden: int = 128`, perhaps with a domain: `in [64, 128]`",
            Piece::Dim => "a dim is `dim T <= 256` or `dim T = 64`",
            Piece::Import => "an import is `import \"file.mlspec\"`",
            Piece::Op => {
                "an op is `op name(x: f32[..s]) -> f32[..s] = formula`, or has `{ let … output … }` for a body"
            }
            Piece::Block => "a block is `block Name(setting: int) (x: f32[B, d]) -> (y: f32[B, d]) { … }`",
            Piece::Entry => "an entry is `key = value`, `column : how` or `word { … }`",
            Piece::Let => "a let is `let a = value` or `let a, b = value`",
            Piece::Input => "an input is `input x: f32[B, 28, 28]`",
            Piece::Output => "an output is `output y: f32[B, 10] = value`",
            Piece::Value => "a value is a number, a string, a name, a list `[…]`, or made of these",
        }
    }
}

/// The text that an error lies in.
pub struct Context<'a> {
    pub text: &'a str,
    pub file: FileId,
    pub tokens: &'a [Token],
    /// The end of the section or file that was being read.
    pub hi: usize,
}

/// Where in its slice pest got stuck.
pub fn position(error: &Error<Rule>) -> usize {
    match error.location {
        InputLocation::Pos(at) => at,
        InputLocation::Span((at, _)) => at,
    }
}

impl Context<'_> {
    /// The diagnostic for an error of pest in the slice that starts at `lo`.
    pub fn explain(&self, error: &Error<Rule>, lo: usize, piece: Piece) -> Diagnostic {
        let at = self.tokens.partition_point(|t| t.hi <= lo + position(error));
        let wanted = match &error.variant {
            ErrorVariant::ParsingError { positives, .. } => wanted(positives),
            ErrorVariant::CustomError { .. } => BTreeSet::new(),
        };
        if let Some(lesson) = self.lesson(at, &wanted) {
            return lesson;
        }
        let list = either(&wanted);
        let found = self.found(at);
        let previous = at.checked_sub(1).filter(|p| self.tokens[*p].lo >= lo).map(|p| self.tokens[p]);
        let here = self.tokens.get(at).filter(|t| t.lo < self.hi);
        let new_line = here.is_none_or(|t| t.starts_line);
        let d = match (previous, here) {
            // The mistake is at the end of the line before, not where the next thing stands.
            (Some(p), _) if new_line => Diagnostic::error(
                "syntax::unexpected",
                format!("expected {list} behind `{}`, found {found}", &self.text[p.lo..p.hi]),
                Span::new(self.file, p.lo, p.hi),
                format!("expected {list} behind this"),
            ),
            (_, Some(t)) => Diagnostic::error(
                "syntax::unexpected",
                format!("expected {list}, found {found}"),
                Span::new(self.file, t.lo, t.hi),
                format!("expected {list}"),
            ),
            (_, None) => Diagnostic::error(
                "syntax::unexpected",
                format!("expected {list}, found {found}"),
                Span::new(self.file, self.hi, self.hi),
                format!("expected {list}"),
            ),
        };
        d.help(piece.pattern())
    }

    /// The diagnostic for a token that can start nothing where it stands.
    pub fn stray(&self, at: usize, piece: Piece) -> Diagnostic {
        self.lesson(at, &BTreeSet::new()).unwrap_or_else(|| {
            let t = self.tokens[at];
            let what = if piece == Piece::Item { "an item" } else { "an entry" };
            Diagnostic::error(
                "syntax::unexpected",
                format!("expected {what}, found {}", self.found(at)),
                Span::new(self.file, t.lo, t.hi),
                format!("{what} starts with a word"),
            )
            .help(piece.pattern())
        })
    }

    fn slice(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).filter(|t| t.lo < self.hi).map(|t| &self.text[t.lo..t.hi])
    }

    fn found(&self, at: usize) -> String {
        match self.tokens.get(at) {
            None => "the end of the file".into(),
            Some(t) => match t.kind {
                Kind::Close(b) => format!("`{}`", b.close()),
                Kind::Word if RESERVED.contains(&&self.text[t.lo..t.hi]) => {
                    format!("the reserved word `{}`", &self.text[t.lo..t.hi])
                }
                Kind::Str | Kind::OpenStr => "a string".into(),
                Kind::Word | Kind::Number | Kind::Open(_) | Kind::Sign | Kind::Foreign => {
                    format!("`{}`", &self.text[t.lo..t.hi])
                }
            },
        }
    }

    /// Mistakes that have an answer of their own.
    fn lesson(&self, at: usize, wanted: &BTreeSet<Wanted>) -> Option<Diagnostic> {
        if let Some(point) = self.open_point(at) {
            return Some(point);
        }
        let before = at.checked_sub(1).map(|p| self.tokens[p]);
        let here = self.tokens.get(at).filter(|t| t.lo < self.hi);
        let behind_as =
            before.filter(|p| &self.text[p.lo..p.hi] == "as" && here.is_none_or(|t| t.starts_line));
        if let (Some(word), true) = (behind_as, wanted.contains(&Wanted::Name)) {
            return Some(self.nameless(word));
        }
        let text = self.slice(at)?;
        let token = self.tokens[at];
        let span = Span::new(self.file, token.lo, token.hi);
        if let Some(foreign) = self.foreign(at, text, span) {
            return Some(foreign);
        }
        let names_column = matches!(self.slice(at + 1), Some(":" | ","));
        let starts_entry = token.starts_line && names_column;
        let takes_name = starts_entry || !wanted.contains(&Wanted::Operator);
        if RESERVED.contains(&text) && wanted.contains(&Wanted::Name) && takes_name {
            let d = Diagnostic::error(
                "syntax::reserved",
                format!("`{text}` is reserved and cannot be a name"),
                span,
                "expected a name",
            );
            let of_file = match names_column {
                true => {
                    "; if a column of a file is called so, name the columns yourself: `skip=1, columns=[…]`"
                }
                false => "",
            };
            return Some(d.help(format!("choose another name, such as `{text}_` or a longer word{of_file}")));
        }
        let value_starts = matches!(token.kind, Kind::Word | Kind::Number | Kind::Str);
        let value_ended =
            before.is_some_and(|p| matches!(p.kind, Kind::Word | Kind::Number | Kind::Str | Kind::Close(_)));
        let in_list = wanted.contains(&Wanted::Sign(")")) || wanted.contains(&Wanted::Sign("]"));
        if value_starts && value_ended && wanted.contains(&Wanted::Comma) && in_list {
            let gap = Span::new(self.file, token.lo, token.lo);
            let d = Diagnostic::error(
                "syntax::comma",
                format!("a comma is missing before `{text}`"),
                span,
                "a new element starts here",
            );
            let help = "inside `( )` and `[ ]` elements are separated by commas; only between the entries of `{ }` they may be left out";
            return Some(d.help(help).fix("add the comma", gap, ", "));
        }
        if text == "->" && wanted.contains(&Wanted::Operator) {
            let d = Diagnostic::error(
                "syntax::sign",
                "`->` carries no value on",
                span,
                "no sign of this language",
            );
            return Some(d.help("the pipe is `|>`; `->` leads to the result of an `op` or `block`").fix(
                "write `|>`",
                span,
                "|>",
            ));
        }
        let method = before.map(|p| &self.text[p.lo..p.hi]).filter(|m| ["add", "compile", "fit"].contains(m));
        if let (Some(method), "(", true) = (method, text, wanted.contains(&Wanted::Sign("="))) {
            let message = format!("nothing is called for its effect here, as `{method}` would be");
            let d = Diagnostic::error("syntax::sign", message, span, "a call that gives nothing");
            return Some(d.help(
                "layers are chained by the pipe, `x |> Dense(128) as fc1 |> Dense(10) as fc2`; the rest stands in `train`",
            ));
        }
        if text == "{" && wanted.contains(&Wanted::Value) {
            let d = Diagnostic::error(
                "syntax::braces",
                "braces hold the entries of a section and are no value",
                span,
                "expected a value",
            );
            return Some(d.help("a list is `[a, b]`; a section is `word { … }`, without `=`"));
        }
        None
    }

    /// `x |> Dense(4) as`, and the line ends.
    fn nameless(&self, word: Token) -> Diagnostic {
        let span = Span::new(self.file, word.lo, word.hi);
        let d =
            Diagnostic::error("syntax::unexpected", "a name is missing behind `as`", span, "names nothing");
        d.help("give the layer a name, `Dense(4) as hidden`, or take `as` away")
    }

    /// `1.`, followed by whatever.
    fn open_point(&self, at: usize) -> Option<Diagnostic> {
        let (number, point) = (self.tokens.get(at.checked_sub(1)?)?, self.tokens.get(at)?);
        let adjacent = number.kind == Kind::Number && number.hi == point.lo;
        if !adjacent || &self.text[point.lo..point.hi] != "." {
            return None;
        }
        let span = Span::new(self.file, number.lo, point.hi);
        let d =
            Diagnostic::error("syntax::sign", "a number does not end in a point", span, "a digit is missing");
        Some(d.help("write a digit behind the point: `1.0`").fix("add the digit", span.end(), "0"))
    }

    /// Signs of other languages, with what to write here.
    fn foreign(&self, at: usize, text: &str, span: Span) -> Option<Diagnostic> {
        let say = |message: String, help: &str| {
            Diagnostic::error("syntax::sign", message, span, "no sign of this language").help(help)
        };
        let no = |what: &str, help: &str| say(format!("`{text}` is no {what} here"), help);
        let next = self.slice(at + 1);
        let kind = self.tokens[at].kind;
        if text == "%" {
            return Some(no("operator", "there is no remainder; `80%` is a number, written without a space"));
        }
        if text == "-" && next == Some(">") {
            return Some(no("arrow", "write `->` without a space"));
        }
        if text == "." && self.tokens.get(at + 1).is_some_and(|t| t.kind == Kind::Number) {
            return Some(no("start of a number", "write a digit before the point: `0.5`"));
        }
        if kind == Kind::Number && text.contains('_') {
            let plain = text.replace('_', "");
            let d = say(format!("`{text}` is no number"), "write the digits without `_`");
            return Some(d.fix("take the underscores away", span, plain));
        }
        if kind == Kind::Number
            && let Some(bytes) = in_bytes(text)
        {
            let d = say(
                format!("`{text}` is no number of bytes"),
                "units are `KiB`, `MiB`, `GiB` or `KB`, `MB`, `GB`",
            );
            return Some(d.fix(format!("write `{bytes}`"), span, bytes));
        }
        if kind == Kind::Number && text.ends_with(|c: char| c.is_ascii_alphabetic()) {
            let help = "a name starts with a letter, a number holds digits only; `2*n` is a product";
            return Some(say(format!("`{text}` is neither a number nor a name"), help));
        }
        if kind != Kind::Foreign {
            return None;
        }
        Some(match text {
            "**" => no("operator", "the power is `^`").fix("write `^`", span, "^"),
            "&&" => no("operator", "comparisons are masks of 0 and 1: multiply them, `(a < b) * (b < c)`"),
            "||" => no("operator", "comparisons are masks of 0 and 1: take the larger, `max(a < b, c < d)`"),
            ":=" | "=>" => no("sign", "`=` binds, `:` types, `->` leads to a result"),
            "+=" | "-=" | "*=" | "/=" | "++" => {
                no("operator", "nothing is changed in place: give the new value a name, `let b = a + 1`")
            }
            "::" => no("sign", "parts of a name are joined by a point: `train.epochs`"),
            ";" => no("sign", "entries are separated by line breaks or commas").fix("take it away", span, ""),
            "|" => no("operator", "the pipe is `|>`").fix("write `|>`", span, "|>"),
            "!" => no("operator", "`!=` compares; the opposite of a mask `m` is `1 - m`"),
            t if t.starts_with('#') => {
                no("comment", "comments start with `//`").fix("write `//`", span, format!("//{}", &t[1..]))
            }
            t if t.starts_with('\'') => {
                let inner = t.trim_matches('\'');
                no("string", "strings stand in double quotes").fix(
                    "use double quotes",
                    span,
                    format!("\"{inner}\""),
                )
            }
            "“" | "”" | "„" => {
                no("quote", "strings stand in straight quotes: `\"`").fix("write `\"`", span, "\"")
            }
            "−" | "–" | "—" => no("operator", "the minus is `-`").fix("write `-`", span, "-"),
            t if t.starts_with(invisible) => unseen(t, span),
            t if t.chars().all(char::is_alphanumeric) => {
                no("name", "names are made of the letters a to z, digits and `_`")
            }
            _other => no("sign", "take it away; in a string every sign is allowed"),
        })
    }
}

/// Whether a message that quotes the character would show nothing.
fn invisible(c: char) -> bool {
    let formats = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    formats || c.is_control() || c.is_whitespace()
}

/// What nobody sees is named by its code point.
fn unseen(text: &str, at: Span) -> Diagnostic {
    let c = text.chars().next().expect("scan: a token is not empty");
    let point = format!("U+{:04X}", u32::from(c));
    let what = if c == '\u{a0}' { "a non-breaking space" } else { "an invisible character" };
    let d = Diagnostic::error(
        "syntax::sign",
        format!("{what} ({point}) stands here"),
        at,
        "no sign of this language",
    );
    if c.is_whitespace() {
        return d.help("replace it by a plain space").fix("write a space", at, " ");
    }
    d.help("take it away").fix("take it away", at, "")
}

/// Groups of rules as people know them, in the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Sign(&'static str),
    Comma,
    Name,
    Value,
    Type,
    Operator,
    NextEntry,
    NextItem,
    Text,
    Version,
}

impl Wanted {
    fn phrase(self) -> String {
        match self {
            Wanted::Sign(sign) => format!("`{sign}`"),
            Wanted::Comma => "`,`".into(),
            Wanted::Name => "a name".into(),
            Wanted::Value => "a value".into(),
            Wanted::Type => "a type".into(),
            Wanted::Operator => "an operator".into(),
            Wanted::NextEntry => "the next entry".into(),
            Wanted::NextItem => "the next item".into(),
            Wanted::Text => "a string".into(),
            Wanted::Version => "the version".into(),
        }
    }
}

fn wanted(rules: &[Rule]) -> BTreeSet<Wanted> {
    let mut all: BTreeSet<Wanted> = rules.iter().filter_map(|r| group(*r)).collect();
    // Behind a whole value much is possible; only what is not always so helps.
    if all.contains(&Wanted::Operator) {
        for sign in ["(", "[", ".", ".."] {
            all.remove(&Wanted::Sign(sign));
        }
        all.remove(&Wanted::Value);
        if all.len() > 1 && !all.contains(&Wanted::NextEntry) && !all.contains(&Wanted::NextItem) {
            all.remove(&Wanted::Operator);
        }
    }
    if all.contains(&Wanted::Sign("=")) {
        all.remove(&Wanted::Sign("("));
        all.remove(&Wanted::Sign("["));
    }
    if all.contains(&Wanted::Value) {
        for sign in ["-", "(", "[", "repeat", ".."] {
            all.remove(&Wanted::Sign(sign));
        }
        all.remove(&Wanted::Name);
    }
    all
}

fn either(wanted: &BTreeSet<Wanted>) -> String {
    let phrases: Vec<String> = wanted.iter().map(|w| w.phrase()).collect();
    match phrases.as_slice() {
        [] => "something else".into(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// What a rule is for people; `None` for what is always possible.
/// `2gb` or `512M` as a number of bytes.
fn in_bytes(text: &str) -> Option<String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_ascii_lowercase();
    let named = |name: &str| {
        let name = name.to_ascii_lowercase();
        // `2G` and `2Gi` leave the bytes away.
        name == unit || name.strip_suffix('b') == Some(&unit)
    };
    let (name, _) = Bytes::UNITS.iter().find(|(name, _)| named(name))?;
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit());
    is_number.then(|| format!("{digits}{name}"))
}

fn group(rule: Rule) -> Option<Wanted> {
    use Wanted::{Comma, Name, NextEntry, NextItem, Operator, Sign, Text, Type, Value, Version};
    Some(match rule {
        Rule::expr
        | Rule::number
        | Rule::operand
        | Rule::postfix
        | Rule::primary
        | Rule::arg
        | Rule::slice
        | Rule::size
        | Rule::percent
        | Rule::bytes
        | Rule::float
        | Rule::int
        | Rule::boolean
        | Rule::minus
        | Rule::list
        | Rule::listed
        | Rule::paren
        | Rule::repeat
        | Rule::kw_repeat
        | Rule::rest
        | Rule::any
        | Rule::digits => Value,
        Rule::ident | Rule::path | Rule::weights | Rule::keyword | Rule::part | Rule::field => Name,
        Rule::r#type => Type,
        Rule::string => Text,
        Rule::version => Version,
        Rule::binary | Rule::kw_as => Operator,
        Rule::args | Rule::open_paren | Rule::fields => Sign("("),
        Rule::index | Rule::shape | Rule::open_bracket => Sign("["),
        Rule::member | Rule::dot => Sign("."),
        Rule::assign | Rule::op_formula => Sign("="),
        Rule::at_most => Sign("<="),
        Rule::colon => Sign(":"),
        Rule::comma => Comma,
        Rule::arrow => Sign("->"),
        Rule::dots => Sign(".."),
        Rule::close_paren => Sign(")"),
        Rule::close_bracket => Sign("]"),
        Rule::open_brace | Rule::body => Sign("{"),
        Rule::close_brace => Sign("}"),
        Rule::kw_in => Sign("in"),
        Rule::kw_defaults => Sign("defaults"),
        Rule::kw_let
        | Rule::kw_input
        | Rule::kw_output
        | Rule::starts_entry
        | Rule::entry
        | Rule::bind
        | Rule::typed
        | Rule::r#let
        | Rule::input
        | Rule::output
        | Rule::entry_alone => NextEntry,
        Rule::kw_mlspec
        | Rule::kw_param
        | Rule::kw_dim
        | Rule::kw_import
        | Rule::kw_op
        | Rule::kw_block
        | Rule::param
        | Rule::dim
        | Rule::import
        | Rule::op
        | Rule::op_head
        | Rule::block
        | Rule::block_head
        | Rule::section
        | Rule::section_head
        | Rule::item
        | Rule::param_alone
        | Rule::dim_alone
        | Rule::import_alone
        | Rule::op_alone
        | Rule::block_alone => NextItem,
        Rule::EOI
        // Only a list of metrics has it, but it may stand in any.
        | Rule::kw_by
        | Rule::WHITESPACE
        | Rule::COMMENT
        | Rule::file
        | Rule::header
        | Rule::header_alone
        | Rule::value_alone
        | Rule::word_char
        | Rule::reserved
        | Rule::digit_run
        | Rule::exponent => return None,
    })
}
