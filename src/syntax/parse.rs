//! Text to AST, going on behind every mistake.
//!
//! The text is read item by item, sections entry by entry; pest judges each
//! piece alone. A piece that does not parse is reported once, becomes `Broken`
//! and is skipped up to the next line that can start a piece, so every mistake
//! of a file is shown and all that is sound reaches the next stages.

mod comments;
mod memo;
mod reports;

pub use memo::Memo;

use super::ast::*;
use super::brackets::{Brackets, Fault, brackets};
use super::build::{Builder, Grammar, Rule};
use super::expect;
use super::scan::{Bracket, Kind, Scan, Token, scan};
use crate::base::{FileId, Sources, Span};
use crate::diag::{Diagnostic, Diagnostics, did_you_mean};
use pest::Parser as _;
use pest::iterators::{Pair, Pairs};
use std::path::PathBuf;
use std::sync::Arc;

/// Words that cannot be names.
pub const RESERVED: [&str; 8] = ["let", "input", "output", "as", "in", "repeat", "true", "false"];

/// Words that start an item which is no section.
const ITEM_WORDS: [&str; 5] = ["param", "dim", "op", "block", "import"];

/// Adds what was read from a file to `sources`, and reports bytes that are no text.
pub fn decode(
    sources: &mut Sources,
    name: impl Into<String>,
    folder: Option<PathBuf>,
    bytes: &[u8],
) -> (FileId, Diagnostics) {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut diagnostics = Diagnostics::new();
    let text: Arc<str> = String::from_utf8_lossy(bytes).into();
    let file = sources.add(name, folder, text.clone());
    if let Err(error) = std::str::from_utf8(bytes) {
        let at = error.valid_up_to();
        diagnostics.push(
            Diagnostic::error(
                "syntax::not_utf8",
                "this file is not UTF-8 text",
                Span::new(file, at, at + char::REPLACEMENT_CHARACTER.len_utf8()),
                format!("byte {at} is 0x{:02x}, which no character starts or goes on with here", bytes[at]),
            )
            .help("save the file as UTF-8; if this is not a spec at all, check the path"),
        );
    }
    (file, diagnostics)
}

/// The AST of a text. What did not parse is `Broken` in it and has a diagnostic.
pub fn parse(sources: &Sources, file: FileId) -> (File, Diagnostics) {
    parse_with(sources, file, None)
}

/// The same, for a text that differs little from the one that `memo` was last used for.
pub fn parse_again(sources: &Sources, file: FileId, memo: &mut Memo) -> (File, Diagnostics) {
    parse_with(sources, file, Some(memo))
}

fn parse_with(sources: &Sources, file: FileId, memo: Option<&mut Memo>) -> (File, Diagnostics) {
    let text = sources.get(file).text.clone();
    let Scan { tokens, comments } = scan(&text);
    let brackets = brackets(&text, &tokens);
    let mut parser = Parser {
        text: &text,
        file,
        tokens: &tokens,
        comments: &comments,
        brackets: &brackets,
        held: vec![false; comments.len()],
        diagnostics: Diagnostics::new(),
    };
    let ast = parser.file(memo);
    (ast, parser.diagnostics)
}

/// One expression, such as the value of `--set lr=1e-3`; the text must hold nothing else.
pub fn parse_value(sources: &Sources, span: Span) -> Result<Expr, Diagnostics> {
    let text = sources.get(span.file).text.clone();
    let range = span.range();
    let Scan { mut tokens, .. } = scan(&text[range.clone()]);
    for token in &mut tokens {
        token.lo += range.start;
        token.hi += range.start;
    }
    let brackets = brackets(&text, &tokens);
    let mut parser = Parser {
        text: &text,
        file: span.file,
        tokens: &tokens,
        comments: &[],
        brackets: &brackets,
        held: Vec::new(),
        diagnostics: Diagnostics::new(),
    };
    parser.report_faults();
    if parser.diagnostics.has_errors() {
        return Err(parser.diagnostics);
    }
    let expr = match Grammar::parse(Rule::value_alone, &text[range.clone()]) {
        Ok(mut pairs) => {
            let pair = pairs.next().expect("grammar: a value is one expression");
            Some(parser.build(range.start, |b| b.expr(pair)))
        }
        Err(error) => {
            parser.report(&error, range.start, range.end, expect::Piece::Value);
            None
        }
    };
    expr.filter(|_| !parser.diagnostics.has_errors()).ok_or(parser.diagnostics)
}

/// Reads pieces of a text whose brackets are matched.
struct Parser<'a> {
    text: &'a str,
    file: FileId,
    /// Less comments.
    tokens: &'a [Token],
    comments: &'a [Comment],
    brackets: &'a Brackets,
    /// Which comments some [`Trivia`] holds already.
    held: Vec<bool>,
    diagnostics: Diagnostics,
}

/// A piece that parsed and the token behind it; or where to go on.
type Piece<T> = Result<(T, usize), usize>;

impl<'a> Parser<'a> {
    fn file(&mut self, memo: Option<&mut Memo>) -> File {
        let mut seen = Memo::default();
        self.report_faults();
        self.report_open_strings();
        let mut file = File {
            span: Span::new(self.file, 0, self.text.len()),
            lines: line_starts(self.text),
            ..File::default()
        };
        if self.brackets.faults.iter().any(|f| matches!(f, Fault::TooDeep(_))) {
            return file;
        }
        let (header, mut at) = self.header();
        let mut from = header.as_ref().map_or(0, |h| self.behind(h.span.hi as usize));
        file.header = header;
        while at < self.tokens.len() {
            let (before, doc) = self.leading(from, self.tokens[at].lo);
            let read = match memo.as_deref() {
                Some(memo) => self.item_again(at, memo, &mut seen),
                None => self.item(at),
            };
            let (kind, next) = match read {
                Ok(done) => done,
                Err(next) => (ItemKind::Broken, next.max(at + 1)),
            };
            let span = self.span_of(at, next);
            let mut trivia = Trivia { before, after: None };
            (trivia.after, from) = self.trailing(span);
            file.items.push(Item { kind, span, doc, trivia });
            at = next;
        }
        if let Some(memo) = memo {
            *memo = seen;
        }
        file.end = self.rest(from, self.text.len());
        let inner = self.comments.iter().zip(&self.held).filter(|(_, held)| !**held);
        file.inner = inner.map(|(c, _)| c.clone()).collect();
        file
    }

    /// The first line, or a diagnostic that says how it should be.
    fn header(&mut self) -> (Option<Header>, usize) {
        let Some(first) = self.tokens.first().copied() else {
            self.diagnostics.push(
                Diagnostic::error("syntax::empty", "this spec is empty", Span::new(self.file, 0, 0), "nothing stands here")
                    .help("start with the line `mlspec 1`, then say what to train: `data`, `model` and `train` sections"),
            );
            return (None, 0);
        };
        if self.word(0) != Some("mlspec") {
            let at = Span::new(self.file, first.lo, first.hi);
            self.diagnostics.push(
                Diagnostic::error(
                    "syntax::header",
                    "the first line of a spec is missing",
                    at,
                    "should stand below `mlspec 1`",
                )
                .help("put `mlspec 1` first: it names the version of the language")
                .fix("add the line", at.start(), "mlspec 1\n\n"),
            );
            return (None, 0);
        }
        let (before, doc) = self.leading(0, first.lo);
        let before = before
            .into_iter()
            .chain(doc.iter().flat_map(|d| d.lines().map(|l| format!("/// {l}"))))
            .collect();
        let parsed =
            self.pest(Rule::header_alone, 0, self.tokens.len(), expect::Piece::Header, |b, mut pairs| {
                b.header(pairs.next().expect("grammar: a header"))
            });
        match parsed {
            Ok((mut header, next)) => {
                header.trivia = Trivia { before, after: None };
                (header.trivia.after, _) = self.trailing(header.span);
                self.check_version(&header);
                (Some(header), next)
            }
            Err(next) => (None, next),
        }
    }

    fn check_version(&mut self, header: &Header) {
        let (version, span) = header.version;
        if version != 1 {
            self.diagnostics.push(
                Diagnostic::error(
                    "syntax::version",
                    format!("this mlc reads version 1, not {version}"),
                    span,
                    "the version asked for",
                )
                .help("write `mlspec 1`, or install an mlc that knows this version")
                .fix("ask for version 1", span, "1"),
            );
        }
    }

    // ---- items ----

    fn item(&mut self, at: usize) -> Piece<ItemKind> {
        let end = self.tokens.len();
        let Some(word) = self.word(at) else {
            if !self.is_reported(at) {
                self.unexpected(at, expect::Piece::Item);
            }
            return Err(self.next_piece(at, end));
        };
        match word {
            "param" => self.pest(Rule::param_alone, at, end, expect::Piece::Param, |b, mut p| {
                b.param(p.next().expect("grammar: a param"))
            }),
            "dim" => self.pest(Rule::dim_alone, at, end, expect::Piece::Dim, |b, mut p| {
                b.dim(p.next().expect("grammar: a dim"))
            }),
            "import" => self.pest(Rule::import_alone, at, end, expect::Piece::Import, |b, mut p| {
                b.import(p.next().expect("grammar: an import"))
            }),
            "op" => self.op(at),
            "block" => {
                let (mut block, brace) =
                    self.pest(Rule::block_alone, at, end, expect::Piece::Block, |b, mut p| {
                        b.block(p.next().expect("grammar: a block"))
                    })?;
                let body = self.body(brace);
                block.body = body.entries;
                Ok((ItemKind::Block(block), body.next))
            }
            _section => self.section_item(at),
        }
    }

    fn op(&mut self, at: usize) -> Piece<ItemKind> {
        let end = self.tokens.len();
        let (mut op, next) = self.pest(Rule::op_alone, at, end, expect::Piece::Op, |b, p| b.op(p))?;
        if let OpBody::Formula(_) = op.body {
            return Ok((ItemKind::Op(op), next));
        }
        let body = self.body(next);
        op.body = OpBody::Body(body.entries);
        Ok((ItemKind::Op(op), body.next))
    }

    fn section_item(&mut self, at: usize) -> Piece<ItemKind> {
        if let Some(brace) = self.section_brace(at) {
            let (section, next) = self.section(at, brace);
            return Ok((ItemKind::Section(section), next));
        }
        self.no_section(at);
        Err(if self.heads_by_colon(at) {
            self.indented_end(at)
        } else {
            self.next_piece(at, self.tokens.len())
        })
    }

    /// Whether a section opens as Python has it: `model Mlp:`.
    fn heads_by_colon(&self, at: usize) -> bool {
        matches!(self.word(at), Some("model" | "data" | "train" | "variant"))
            && (at + 1..at + 3).any(|i| self.sign(i) == Some(":"))
    }

    /// Behind the lines that are indented below the one that token `at` starts, and a brace that would end them.
    fn indented_end(&self, at: usize) -> usize {
        let end = (at + 1..self.tokens.len()).find(|&i| self.at_margin(i)).unwrap_or(self.tokens.len());
        end + usize::from(self.ends_by_brace(end))
    }

    /// Whether the token is the `}` of a section that a colon opened.
    fn ends_by_brace(&self, at: usize) -> bool {
        at < self.tokens.len()
            && self.tokens[at].kind == Kind::Close(Bracket::Curly)
            && self.brackets.closes_nothing(at)
            && (0..at).rev().find(|&i| self.at_margin(i)).is_some_and(|head| self.heads_by_colon(head))
    }

    /// A word at the top of the file that heads nothing.
    fn no_section(&mut self, at: usize) {
        let token = self.tokens[at];
        let span = Span::new(self.file, token.lo, token.hi);
        let word = &self.text[token.lo..token.hi];
        if RESERVED.contains(&word) {
            let help = "`let`, `input` and `output` stand inside a `model`, `block` or `op`: move it there";
            let d = Diagnostic::error(
                "syntax::outside",
                format!("`{word}` cannot stand outside a section"),
                span,
                "starts no item",
            );
            return self.diagnostics.push(d.help(help));
        }
        let sign = self.tokens.get(at + 1).map(|t| &self.text[t.lo..t.hi]);
        if matches!(sign, Some("=" | ":" | ".")) {
            let d = Diagnostic::error(
                "syntax::outside",
                format!("`{word}` cannot stand outside a section"),
                span,
                "belongs in braces",
            );
            return self.diagnostics.push(d.help(format!(
                "move it into the section that it sets (`train {{ {word} = … }}`), or declare it: `param {word}: int = …`"
            )));
        }
        let d = Diagnostic::error(
            "syntax::item",
            format!("`{word}` starts no item"),
            span,
            "expected a section or declaration",
        );
        if let Some(lesson) = self.python(word, at) {
            return self.diagnostics.push(d.help(lesson));
        }
        self.diagnostics.push(match did_you_mean(word, ITEM_WORDS) {
            Some(meant) => {
                d.help(format!("did you mean `{meant}`?")).fix(format!("write `{meant}`"), span, meant)
            }
            None => d.help(
                "an item is `word name { … }`, or starts with `param`, `dim`, `op`, `block` or `import`",
            ),
        });
    }

    /// What somebody wants who writes Python.
    fn python(&self, word: &str, at: usize) -> Option<&'static str> {
        const STATEMENTS: [&str; 10] =
            ["from", "class", "def", "for", "if", "while", "with", "print", "return", "async"];
        match word {
            _ if self.heads_by_colon(at) => {
                Some("what belongs to a section stands in braces, however it is indented: `model Mlp { … }`")
            }
            "class" => Some("a network is a section with braces: `model Mlp { input …  output … }`"),
            _ if STATEMENTS.contains(&word) => Some(
                "a spec says what is computed, not how: it has `data`, `model` and `train` sections and no statements",
            ),
            _other => None,
        }
    }

    // ---- sections ----

    /// The token of the `{`, if tokens from `at` read `word {` or `word name {`.
    fn section_brace(&self, at: usize) -> Option<usize> {
        let name = |i: usize| self.word(i).filter(|w| !RESERVED.contains(w));
        let brace = |i: usize| self.tokens.get(i).is_some_and(|t| t.kind == Kind::Open(Bracket::Curly));
        name(at)?;
        match () {
            () if brace(at + 1) => Some(at + 1),
            () if name(at + 1).is_some() && brace(at + 2) => Some(at + 2),
            () => None,
        }
    }

    fn section(&mut self, at: usize, brace: usize) -> (Section, usize) {
        let ident = |i: usize| {
            let t = self.tokens[i];
            Ident { name: self.text[t.lo..t.hi].into(), span: Span::new(self.file, t.lo, t.hi) }
        };
        let (word, name) = (ident(at), (brace == at + 2).then(|| ident(at + 1)));
        let body = self.body(brace);
        let end = self.rest(body.rest.0, body.rest.1);
        let section = Section { word, name, entries: body.entries, body: body.span, end };
        (section, body.next)
    }

    /// What stands in the braces that open at `brace`.
    fn body(&mut self, brace: usize) -> Body {
        let end = self.brackets.ends[brace].expect("brackets: every `{` has an end");
        let next = if end.closed { end.at + 1 } else { end.at };
        let span = self.span_of(brace, next);
        let inside_hi = if end.closed { self.tokens[end.at].lo } else { span.hi as usize };
        let (mut entries, mut at, mut from) = (Vec::new(), brace + 1, self.tokens[brace].hi);
        while at < end.at {
            let (before, doc) = self.leading(from, self.tokens[at].lo);
            let (kind, behind) = match self.entry(at, end.at) {
                Ok(done) => done,
                Err(behind) => (EntryKind::Broken, behind.max(at + 1)),
            };
            let entry_span = self.span_of(at, behind);
            at = behind;
            let mut shown = entry_span;
            if at < end.at && self.sign(at) == Some(",") {
                shown = self.span_of(at, at + 1);
                at += 1;
            }
            let mut trivia = Trivia { before, after: None };
            (trivia.after, from) = self.trailing(shown);
            entries.push(Entry { kind, span: entry_span, doc, trivia });
        }
        Body { entries, span, rest: (from, inside_hi), next }
    }

    fn entry(&mut self, at: usize, end: usize) -> Piece<EntryKind> {
        if let Some(brace) = self.section_brace(at) {
            let (section, next) = self.section(at, brace);
            return Ok((EntryKind::Section(section), next));
        }
        let Some(word) = self.word(at) else {
            if !self.is_reported(at) {
                self.unexpected(at, expect::Piece::Entry);
            }
            return Err(self.next_piece(at, end));
        };
        let piece = match word {
            "let" => expect::Piece::Let,
            "input" => expect::Piece::Input,
            "output" => expect::Piece::Output,
            _key => expect::Piece::Entry,
        };
        self.pest(Rule::entry_alone, at, end, piece, |b, mut p| b.entry(p.next().expect("grammar: an entry")))
    }

    // ---- one piece ----

    /// Lets pest read a piece that starts at token `at` and ends before token `end`.
    fn pest<T>(
        &mut self,
        rule: Rule,
        at: usize,
        end: usize,
        piece: expect::Piece,
        build: impl FnOnce(&mut Builder, Pairs<Rule>) -> T,
    ) -> Piece<T> {
        let lo = self.tokens[at].lo;
        let hi = self.tokens.get(end).map_or(self.text.len(), |t| t.lo);
        match Grammar::parse(rule, &self.text[lo..hi]) {
            Ok(pairs) => {
                let matched = pairs.clone().filter(|p| p.as_rule() != Rule::EOI).last();
                let stop = matched.as_ref().map_or(lo, |p: &Pair<Rule>| lo + p.as_span().end());
                let next = self.tokens.partition_point(|t| t.lo < stop);
                if let Some(i) = self.swallowed_head(at, next, end) {
                    self.missing_value(i);
                    return Err(i);
                }
                Ok((self.build(lo, |b| build(b, pairs)), next))
            }
            Err(error) => {
                let recover = self.next_piece(at, end);
                let failed = expect::position(&error) + lo;
                let failed_token = self.tokens.partition_point(|t| t.hi <= failed).min(end);
                if self.damaged(at, recover.min(failed_token + 1)) {
                    return Err(recover);
                }
                let recover = self.same_line(failed_token, recover, piece).unwrap_or(recover);
                match self.entry_before(at, failed_token, end) {
                    Some(i) if self.awaits_value(i) => self.missing_value(i),
                    Some(_) | None => self.report(&error, lo, hi, piece),
                }
                Err(recover)
            }
        }
    }

    fn build<T>(&mut self, base: usize, build: impl FnOnce(&mut Builder) -> T) -> T {
        build(&mut Builder::new(self.file, base, self.tokens, &mut self.diagnostics))
    }

    /// Where to go on behind a piece that is broken: the next line that can start one.
    fn next_piece(&self, at: usize, end: usize) -> usize {
        let mut i = at;
        loop {
            let closed_brace = match self.brackets.ends.get(i).copied().flatten() {
                Some(group) => {
                    let next = if group.closed { group.at + 1 } else { group.at };
                    i = next.max(i + 1);
                    self.tokens[i - 1].kind == Kind::Close(Bracket::Curly)
                }
                None => {
                    i += 1;
                    false
                }
            };
            if i >= end {
                return end;
            }
            let starts = self.tokens[i].starts_line || closed_brace;
            if starts && self.word(i).is_some_and(|w| !matches!(w, "as" | "in" | "true" | "false" | "repeat"))
            {
                return i;
            }
        }
    }

    /// Inside a section, `key =` behind the mistake starts an entry even on the same line.
    fn same_line(&self, failed: usize, recover: usize, piece: expect::Piece) -> Option<usize> {
        if !piece.is_entry() {
            return None;
        }
        let mut i = failed;
        while i < recover {
            i = self.brackets.ends[i].map_or(i + 1, |group| group.at.max(i + 1));
            let key = i < recover && self.word(i).is_some_and(|w| !RESERVED.contains(&w));
            if key && self.sign(i + 1) == Some("=") && self.sign(i - 1) != Some(".") {
                return Some(i);
            }
        }
        None
    }

    /// Whether the tokens hold an unclosed bracket or string, so that their mistake is reported already.
    fn damaged(&self, at: usize, end: usize) -> bool {
        (at..end).any(|i| self.is_reported(i))
    }

    fn is_reported(&self, i: usize) -> bool {
        let open = self.brackets.ends[i].is_some_and(|e| !e.closed);
        open || self.tokens[i].kind == Kind::OpenStr || self.brackets.closes_nothing(i)
    }

    /// The first line from `at` to the failure that looks like the start of the next entry.
    fn entry_before(&self, at: usize, failed: usize, end: usize) -> Option<usize> {
        let mut i = self.next_piece(at, end);
        while i <= failed && i < end {
            let behind = self.tokens.get(i + 1).map(|t| &self.text[t.lo..t.hi]);
            let keyword = matches!(self.word(i), Some("let" | "input" | "output"));
            if keyword || matches!(behind, Some("=" | ":" | "{")) || self.section_brace(i).is_some() {
                return Some(i);
            }
            i = self.next_piece(i, end);
        }
        None
    }

    /// Whether the token before `i` wants a value behind it.
    fn awaits_value(&self, i: usize) -> bool {
        self.sign(i - 1).is_some_and(|s| !matches!(s, "_" | "%" | ","))
    }

    /// `lr =` and, on the next line, `step critic {`: pest takes `step` for the value.
    fn swallowed_head(&self, at: usize, next: usize, end: usize) -> Option<usize> {
        let last = next.checked_sub(1).filter(|last| *last > at)?;
        let heads = self.tokens[last].starts_line && self.section_brace(last).is_some_and(|b| b < end);
        (heads && self.awaits_value(last)).then_some(last)
    }

    // ---- tokens ----

    fn word(&self, i: usize) -> Option<&'a str> {
        self.tokens.get(i).filter(|t| t.kind == Kind::Word).map(|t| &self.text[t.lo..t.hi])
    }

    fn sign(&self, i: usize) -> Option<&'a str> {
        self.tokens.get(i).filter(|t| t.kind == Kind::Sign).map(|t| &self.text[t.lo..t.hi])
    }

    /// From the start of token `at` to the end of the last token before `next`.
    fn span_of(&self, at: usize, next: usize) -> Span {
        Span::new(self.file, self.tokens[at].lo, self.tokens[next.max(at + 1) - 1].hi)
    }
}

struct Body {
    entries: Vec<Entry>,
    span: Span,
    /// The text behind the last entry, where only comments can stand.
    rest: (usize, usize),
    /// The token behind the closing brace.
    next: usize,
}

fn line_starts(text: &str) -> Vec<u32> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i as u32 + 1)).collect()
}
