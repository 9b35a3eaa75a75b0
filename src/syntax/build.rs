//! What pest matched, as AST.
//!
//! Trusts the grammar for order and kinds of children; adds what a grammar
//! cannot say: precedence, the value of literals, a bound on depth.

mod literals;

use super::ast::*;
use super::scan::Token;
use crate::base::{FileId, Span};
use crate::diag::{Diagnostic, Diagnostics};
use pest::iterators::{Pair, Pairs};

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/mlspec.pest"]
pub struct Grammar;

/// A tree is at most this high, so that recursive walks need no care.
pub const MAX_HEIGHT: usize = 400;

/// Turns pairs over a slice of the text into nodes with spans in the text.
pub struct Builder<'a> {
    pub file: FileId,
    /// Where the slice that was parsed starts.
    pub base: usize,
    pub tokens: &'a [Token],
    pub diagnostics: &'a mut Diagnostics,
    /// An upper bound of the height of the tree down to here.
    height: usize,
}

/// Binding power; both sides of a comparison or range are sums, so neither chains.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    Pipe,
    Compare,
    Range,
    Sum,
    Product,
    Unary,
    Power,
}

#[derive(Clone, Copy)]
enum Infix {
    Pipe,
    Range,
    Binary(BinOp),
}

/// The table of precedence, loose to tight.
fn infix(sign: &str) -> (Infix, Level) {
    match sign {
        "|>" => (Infix::Pipe, Level::Pipe),
        "==" => (Infix::Binary(BinOp::Eq), Level::Compare),
        "!=" => (Infix::Binary(BinOp::Ne), Level::Compare),
        "<" => (Infix::Binary(BinOp::Lt), Level::Compare),
        "<=" => (Infix::Binary(BinOp::Le), Level::Compare),
        ">" => (Infix::Binary(BinOp::Gt), Level::Compare),
        ">=" => (Infix::Binary(BinOp::Ge), Level::Compare),
        ".." => (Infix::Range, Level::Range),
        "+" => (Infix::Binary(BinOp::Add), Level::Sum),
        "-" => (Infix::Binary(BinOp::Sub), Level::Sum),
        "*" => (Infix::Binary(BinOp::Mul), Level::Product),
        "/" => (Infix::Binary(BinOp::Div), Level::Product),
        "@" => (Infix::Binary(BinOp::MatMul), Level::Product),
        "^" => (Infix::Binary(BinOp::Pow), Level::Power),
        other => unreachable!("grammar: `{other}` is no binary operator"),
    }
}

/// A flat piece of an expression.
enum Piece<'i> {
    Minus(Span),
    Atom(Pair<'i, Rule>),
    /// The path behind `as`.
    As(Path),
    Infix(&'i str, Span),
}

type Pieces<'i> = std::iter::Peekable<std::vec::IntoIter<Piece<'i>>>;

impl<'a> Builder<'a> {
    pub fn new(file: FileId, base: usize, tokens: &'a [Token], diagnostics: &'a mut Diagnostics) -> Self {
        Builder { file, base, tokens, diagnostics, height: 0 }
    }

    /// A pair's span less the space and comments that pest may count in at its end.
    pub fn span(&self, pair: &Pair<Rule>) -> Span {
        let range = pair.as_span();
        let (lo, hi) = (self.base + range.start(), self.base + range.end());
        let last = self.tokens.partition_point(|t| t.lo < hi);
        let hi = if last == 0 { hi } else { hi.min(self.tokens[last - 1].hi).max(lo) };
        Span::new(self.file, lo, hi)
    }

    fn ident(&self, pair: &Pair<Rule>) -> Ident {
        Ident { name: pair.as_str().into(), span: self.span(pair) }
    }

    /// `mlspec 1 defaults torch`
    pub fn header(&mut self, pair: Pair<Rule>) -> Header {
        let span = self.span(&pair);
        let mut header = Header { span, version: (0, span), defaults: None, trivia: Trivia::default() };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::version => {
                    header.version = (part.as_str().parse().unwrap_or(i64::MAX), self.span(&part))
                }
                Rule::ident => header.defaults = Some(self.ident(&part)),
                _sign => {}
            }
        }
        header
    }

    pub fn param(&mut self, pair: Pair<Rule>) -> ItemKind {
        let (mut name, mut ty, mut exprs) = (None, None, Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::ident => name = Some(self.ident(&part)),
                Rule::r#type => ty = Some(self.ty(part)),
                Rule::expr => exprs.push(self.expr(part)),
                _sign => {}
            }
        }
        let mut exprs = exprs.into_iter();
        ItemKind::Param {
            name: name.expect("grammar: a param has a name"),
            ty,
            value: exprs.next().expect("grammar: a param has a value"),
            domain: exprs.next(),
        }
    }

    pub fn dim(&mut self, pair: Pair<Rule>) -> ItemKind {
        let (mut name, mut bound, mut value) = (None, DimBound::Exactly, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::ident => name = Some(self.ident(&part)),
                Rule::at_most => bound = DimBound::AtMost,
                Rule::expr => value = Some(self.expr(part)),
                _sign => {}
            }
        }
        ItemKind::Dim {
            name: name.expect("grammar: a dim has a name"),
            bound,
            value: value.expect("grammar: a dim has a value"),
        }
    }

    pub fn import(&mut self, pair: Pair<Rule>) -> ItemKind {
        let path =
            pair.into_inner().find(|p| p.as_rule() == Rule::string).expect("grammar: an import has a path");
        match self.string(&path) {
            Some(value) => ItemKind::Import { path: StrLit { value, span: self.span(&path) } },
            None => ItemKind::Broken,
        }
    }

    /// The signature; the body is a formula that follows, or braces.
    pub fn op(&mut self, pairs: Pairs<Rule>) -> Op {
        let (mut name, mut lists, mut result, mut body) = (None, Vec::new(), None, OpBody::Body(Vec::new()));
        for part in pairs.flat_map(|p| p.into_inner()) {
            match part.as_rule() {
                Rule::ident => name = Some(self.ident(&part)),
                Rule::fields => lists.push(self.fields(part)),
                Rule::r#type => result = Some(OpResult::One(self.ty(part))),
                Rule::expr => body = OpBody::Formula(self.expr(part)),
                _sign => {}
            }
        }
        let mut lists = lists.into_iter();
        Op {
            name: name.expect("grammar: an op has a name"),
            params: lists.next().expect("grammar: an op has parameters"),
            result: result
                .unwrap_or_else(|| OpResult::Named(lists.next().expect("grammar: an op has a result"))),
            body,
        }
    }

    /// The signature; the body follows in braces.
    pub fn block(&mut self, pair: Pair<Rule>) -> Block {
        let (mut name, mut lists) = (None, Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::ident => name = Some(self.ident(&part)),
                Rule::fields => lists.push(self.fields(part)),
                _sign => {}
            }
        }
        let outputs = lists.pop().expect("grammar: a block has outputs");
        let inputs = lists.pop().expect("grammar: a block has inputs");
        let settings = lists.pop().unwrap_or_default();
        Block {
            name: name.expect("grammar: a block has a name"),
            settings,
            inputs,
            outputs,
            body: Vec::new(),
        }
    }

    fn fields(&mut self, pair: Pair<Rule>) -> Vec<Field> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::field).map(|p| self.field(p)).collect()
    }

    fn field(&mut self, pair: Pair<Rule>) -> Field {
        let span = self.span(&pair);
        let (mut name, mut ty, mut default) = (None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::ident => name = Some(self.ident(&part)),
                Rule::r#type => ty = Some(self.ty(part)),
                Rule::expr => default = Some(self.expr(part)),
                _sign => {}
            }
        }
        Field {
            name: name.expect("grammar: a field has a name"),
            ty: ty.expect("grammar: a field has a type"),
            default,
            span,
        }
    }

    /// Any entry but a section.
    pub fn entry(&mut self, pair: Pair<Rule>) -> EntryKind {
        let rule = pair.as_rule();
        let (mut names, mut path, mut ty, mut value) = (Vec::new(), None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::ident => names.push(self.ident(&part)),
                Rule::path => path = Some(self.path(part)),
                Rule::r#type => ty = Some(self.ty(part)),
                Rule::expr => value = Some(self.expr(part)),
                _sign => {}
            }
        }
        let value = value.ok_or(());
        const VALUE: &str = "grammar: this entry has a value";
        match rule {
            Rule::r#let => EntryKind::Let { names, ty, value: value.expect(VALUE) },
            Rule::input => {
                EntryKind::Input { name: names.remove(0), ty: ty.expect("grammar: an input has a type") }
            }
            Rule::output => EntryKind::Output { name: names.remove(0), ty, value: value.expect(VALUE) },
            Rule::bind => EntryKind::Bind {
                path: path.expect("grammar: a bind has a path"),
                value: value.expect(VALUE),
            },
            Rule::typed => EntryKind::Typed { names, how: value.expect(VALUE) },
            other => unreachable!("grammar: {other:?} is no entry"),
        }
    }

    fn path(&mut self, pair: Pair<Rule>) -> Path {
        let span = self.span(&pair);
        let parts = pair
            .into_inner()
            .filter(|p| matches!(p.as_rule(), Rule::ident | Rule::keyword | Rule::part | Rule::digits))
            .map(|p| self.ident(&p));
        Path { parts: parts.collect(), span }
    }

    fn ty(&mut self, pair: Pair<Rule>) -> Type {
        let span = self.span(&pair);
        let (mut name, mut args, mut shape) = (None, Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::ident => name = Some(self.ident(&part)),
                Rule::args => args = self.args(part),
                Rule::shape => shape = Some(self.shape(part)),
                _sign => {}
            }
        }
        Type { name: name.expect("grammar: a type has a name"), args, shape, span }
    }

    fn shape(&mut self, pair: Pair<Rule>) -> Vec<SizeExpr> {
        let sizes = pair.into_inner().filter_map(|part| match part.as_rule() {
            Rule::rest => {
                part.into_inner().find(|p| p.as_rule() == Rule::ident).map(|p| SizeExpr::Rest(self.ident(&p)))
            }
            Rule::any => Some(SizeExpr::Any(self.span(&part))),
            Rule::expr => Some(SizeExpr::Size(self.expr(part))),
            _sign => None,
        });
        sizes.collect()
    }

    fn args(&mut self, pair: Pair<Rule>) -> Vec<Arg> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::arg).map(|p| self.arg(p)).collect()
    }

    fn arg(&mut self, pair: Pair<Rule>) -> Arg {
        let (mut name, mut value) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::ident => name = Some(self.ident(&part)),
                Rule::expr => value = Some(self.expr(part)),
                _sign => {}
            }
        }
        Arg { name, value: value.expect("grammar: an argument has a value") }
    }

    // ---- expressions ----

    pub fn expr(&mut self, pair: Pair<Rule>) -> Expr {
        let span = self.span(&pair);
        let mut pieces = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::operand => {
                    for p in part.into_inner() {
                        match p.as_rule() {
                            Rule::minus => pieces.push(Piece::Minus(self.span(&p))),
                            Rule::weights => pieces.push(Piece::As(self.path(p))),
                            Rule::repeat | Rule::postfix => pieces.push(Piece::Atom(p)),
                            _sign => {}
                        }
                    }
                }
                Rule::binary => pieces.push(Piece::Infix(part.as_str(), self.span(&part))),
                other => unreachable!("grammar: {other:?} in an expression"),
            }
        }
        let levels = pieces.iter().filter(|p| !matches!(p, Piece::Atom(_))).count();
        self.within(levels, span, |b| {
            let mut pieces = pieces.into_iter().peekable();
            b.climb(&mut pieces, Level::Pipe)
        })
    }

    /// Builds a node that adds up to `levels` to the height, or reports that the tree is too high.
    fn within(&mut self, levels: usize, span: Span, build: impl FnOnce(&mut Self) -> Expr) -> Expr {
        if self.height + levels > MAX_HEIGHT {
            self.diagnostics.push(
                Diagnostic::error(
                    "syntax::deep",
                    "this expression is too long a chain",
                    span,
                    format!("more than {MAX_HEIGHT} steps inside one another"),
                )
                .help("cut it into several `let` entries, or say `repeat(n)` for equal layers"),
            );
            return Expr { kind: ExprKind::Broken, span };
        }
        self.height += levels;
        let expr = build(self);
        self.height -= levels;
        expr
    }

    /// Precedence climbing: reads operators that bind at least as tightly as `least`.
    fn climb(&mut self, pieces: &mut Pieces, least: Level) -> Expr {
        let mut left = self.prefix(pieces);
        while let Some(Piece::Infix(sign, op_span)) = pieces.peek() {
            let (op, level) = infix(sign);
            let op_span = *op_span;
            if level < least {
                break;
            }
            pieces.next();
            let right = match level {
                Level::Pipe => self.climb(pieces, Level::Compare),
                Level::Compare => self.climb(pieces, Level::Range),
                Level::Range => self.climb(pieces, Level::Sum),
                Level::Sum => self.climb(pieces, Level::Product),
                Level::Product => self.climb(pieces, Level::Unary),
                // To the right: a^b^c is a^(b^c), and a^-b is allowed.
                Level::Power | Level::Unary => self.climb(pieces, Level::Power),
            };
            self.refuse_chain(&left, op, op_span);
            left = join(left, op, op_span, right);
        }
        left
    }

    fn prefix(&mut self, pieces: &mut Pieces) -> Expr {
        match pieces.next() {
            Some(Piece::Minus(minus)) => {
                let inner = self.climb(pieces, Level::Power);
                Expr { span: minus.to(inner.span), kind: ExprKind::Neg(Box::new(inner)) }
            }
            Some(Piece::Atom(pair)) => {
                let atom = self.atom(pair);
                let Some(Piece::As(_)) = pieces.peek() else { return atom };
                let Some(Piece::As(path)) = pieces.next() else { unreachable!("just seen") };
                Expr { span: atom.span.to(path.span), kind: ExprKind::As { stage: Box::new(atom), path } }
            }
            Some(Piece::Infix(..) | Piece::As(_)) | None => unreachable!("grammar: an operand stands here"),
        }
    }

    /// `a < b < c` and `1..2..3` mean different things to different people.
    fn refuse_chain(&mut self, left: &Expr, op: Infix, op_span: Span) {
        let compares = |op: BinOp| infix(op.sign()).1 == Level::Compare;
        let chained = match (&left.kind, op) {
            (ExprKind::Binary { op: first, .. }, Infix::Binary(second)) => {
                compares(*first) && compares(second)
            }
            (ExprKind::Range(..), Infix::Range) => true,
            _other => false,
        };
        if chained {
            self.diagnostics.push(
                Diagnostic::error(
                    "syntax::chain",
                    "comparisons and ranges do not chain",
                    op_span,
                    "the second one",
                )
                .label(left.span, "the first one")
                .help("put one of them in parentheses; to ask whether both hold, multiply them: `(a < b) * (b < c)`"),
            );
        }
    }

    fn atom(&mut self, pair: Pair<Rule>) -> Expr {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::repeat => self.repeat(pair, span),
            Rule::postfix => self.postfix(pair, span),
            other => unreachable!("grammar: {other:?} is no operand"),
        }
    }

    fn repeat(&mut self, pair: Pair<Rule>, span: Span) -> Expr {
        let (mut var, mut count, mut body) = (None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::ident => var = Some(self.ident(&part)),
                Rule::expr => count = Some(self.expr(part)),
                Rule::postfix => {
                    let at = self.span(&part);
                    body = Some(self.postfix(part, at));
                }
                _sign => {}
            }
        }
        let count = Box::new(count.expect("grammar: a repeat has a count"));
        let body = Box::new(body.expect("grammar: a repeat has a body"));
        Expr { kind: ExprKind::Repeat { var, count, body }, span }
    }

    fn postfix(&mut self, pair: Pair<Rule>, span: Span) -> Expr {
        let parts: Vec<_> = pair.into_inner().collect();
        self.within(parts.len(), span, |b| {
            let mut parts = parts.into_iter();
            let first = parts.next().expect("grammar: a primary comes first");
            let primary = b.primary(first);
            parts.fold(primary, |base, part| b.applied(base, part))
        })
    }

    /// A call, index or member behind `base`.
    fn applied(&mut self, base: Expr, part: Pair<Rule>) -> Expr {
        let span = base.span.to(self.span(&part));
        let base = Box::new(base);
        let kind = match part.as_rule() {
            Rule::args => ExprKind::Call { callee: base, args: self.args(part) },
            Rule::index => ExprKind::Index {
                base,
                items: part
                    .into_inner()
                    .filter(|p| p.as_rule() == Rule::slice)
                    .map(|p| self.slice(p))
                    .collect(),
            },
            Rule::member => {
                let name = part
                    .into_inner()
                    .find(|p| p.as_rule() != Rule::dot)
                    .expect("grammar: a member has a name");
                ExprKind::Member(base, self.ident(&name))
            }
            other => unreachable!("grammar: {other:?} behind a value"),
        };
        Expr { kind, span }
    }

    fn slice(&mut self, pair: Pair<Rule>) -> IndexItem {
        let span = self.span(&pair);
        if pair.clone().into_inner().any(|part| part.as_rule() == Rule::dots) {
            return IndexItem::Rest(span);
        }
        let (mut parts, mut colons) = ([None, None, None], 0);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::colon => colons += 1,
                Rule::expr => parts[colons] = Some(self.expr(part)),
                other => unreachable!("grammar: {other:?} in an index"),
            }
        }
        match (parts, colons) {
            ([Some(at), _, _], 0) => IndexItem::At(at),
            ([start, stop, step], _) => IndexItem::Slice { start, stop, step, span },
        }
    }

    fn primary(&mut self, pair: Pair<Rule>) -> Expr {
        let span = self.span(&pair);
        let text = pair.as_str();
        let kind = match pair.as_rule() {
            Rule::int => self.int(text, span),
            Rule::float => self.float(text, span).map_or(ExprKind::Broken, ExprKind::Float),
            Rule::percent => {
                self.float(text.trim_end_matches('%'), span).map_or(ExprKind::Broken, ExprKind::Percent)
            }
            Rule::bytes => {
                let named = |(name, _): &&(&str, u64)| text.ends_with(name);
                let (unit, _) = Bytes::UNITS.iter().find(named).expect("grammar: bytes have a unit");
                let count = self.float(text.trim_end_matches(unit), span);
                count.map_or(ExprKind::Broken, |count| ExprKind::Bytes(Bytes { count, unit }))
            }
            Rule::string => match self.string(&pair) {
                Some(text) => ExprKind::Str(text),
                None => ExprKind::Broken,
            },
            Rule::boolean => ExprKind::Bool(text == "true"),
            Rule::ident => ExprKind::Name(self.ident(&pair)),
            Rule::list => ExprKind::List(self.listed(pair)),
            Rule::paren => {
                let comma = pair.clone().into_inner().any(|p| p.as_rule() == Rule::comma);
                let mut items = self.exprs(pair);
                match (items.len(), comma) {
                    (1, false) => ExprKind::Paren(Box::new(items.remove(0))),
                    (_, _) => ExprKind::Tuple(items),
                }
            }
            other => unreachable!("grammar: {other:?} is no value"),
        };
        Expr { kind, span }
    }

    /// The elements of a list, some of them `by` a column.
    fn listed(&mut self, pair: Pair<Rule>) -> Vec<Expr> {
        let elements: Vec<_> = pair.into_inner().filter(|p| p.as_rule() == Rule::listed).collect();
        let element = |(b, pair): (&mut Self, Pair<Rule>)| {
            let (mut value, mut column) = (None, None);
            for part in pair.into_inner() {
                match part.as_rule() {
                    Rule::expr => value = Some(b.expr(part)),
                    Rule::ident => column = Some(b.ident(&part)),
                    _sign => {}
                }
            }
            let value = value.expect("grammar: an element has a value");
            match column {
                None => value,
                Some(column) => Expr {
                    span: value.span.to(column.span),
                    kind: ExprKind::By { metric: Box::new(value), column },
                },
            }
        };
        elements.into_iter().map(|pair| element((self, pair))).collect()
    }

    fn exprs(&mut self, pair: Pair<Rule>) -> Vec<Expr> {
        pair.into_inner().filter(|p| p.as_rule() == Rule::expr).map(|p| self.expr(p)).collect()
    }
}

fn join(left: Expr, op: Infix, op_span: Span, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    let (left, right) = (Box::new(left), Box::new(right));
    let kind = match op {
        Infix::Pipe => ExprKind::Pipe { input: left, stage: right },
        Infix::Range => ExprKind::Range(left, right),
        Infix::Binary(op) => ExprKind::Binary { op, op_span, left, right },
    };
    Expr { kind, span }
}
