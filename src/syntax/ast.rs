//! What a spec says, before anything in it is looked up.
//!
//! Section words are plain identifiers here (`modle Mlp { … }` parses; `sema`
//! says "did you mean `model`?"), and every section shares one entry grammar.
//! Nodes carry spans of the user's text; comments hang on the items, entries
//! and stages that they precede or end, so that the formatter loses none.

use crate::base::Span;
use std::sync::Arc;

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    pub name: Arc<str>,
    pub span: Span,
}

/// A dotted name: `train.epochs`, `mlp.c_fc`, `h.0.attn`. Parts may be numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub parts: Vec<Ident>,
    pub span: Span,
}

/// Comments around an item or entry, each as written, `//` included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trivia {
    /// Whole lines before it; an empty string is a blank line.
    pub before: Vec<String>,
    /// On its last line, behind it.
    pub after: Option<String>,
}

/// One spec.
#[derive(Clone, Debug, Default)]
pub struct File {
    pub span: Span,
    /// `mlspec 1 defaults torch`; `None` when it is missing.
    pub header: Option<Header>,
    pub items: Vec<Item>,
    /// Comments behind the last item.
    pub end: Vec<String>,
    /// Where each line of the text starts: which nodes shared a line is all that the formatter
    /// wants to know of the old layout. Empty in a file that was built and not parsed.
    pub lines: Vec<u32>,
    /// Comments inside items and entries, where no [`Trivia`] holds them, in order of place.
    pub inner: Vec<Comment>,
}

/// A comment by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The byte that it starts at.
    pub at: u32,
    /// As written, `//` included.
    pub text: String,
    /// Whether something other than space stands before it on its line.
    pub behind: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    pub span: Span,
    pub version: (i64, Span),
    /// The word behind `defaults`.
    pub defaults: Option<Ident>,
    pub trivia: Trivia,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub kind: ItemKind,
    pub span: Span,
    /// Lines behind `///`, joined by newlines, less the leading space.
    pub doc: Option<String>,
    pub trivia: Trivia,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// `param hidden: int = 128 in [32, 64]`
    Param { name: Ident, ty: Option<Type>, value: Expr, domain: Option<Expr> },
    /// `dim T <= 1024` or `dim T = 64`
    Dim { name: Ident, bound: DimBound, value: Expr },
    /// `op gelu(x: f32[..s]) -> f32[..s] = …`, or with a `{ let … output … }` body
    Op(Op),
    /// `block Layer(n: int) (x: f32[B, T, d]) -> (y: f32[B, T, d]) { … }`
    Block(Block),
    /// `import "file.mlspec"`
    Import { path: StrLit },
    /// `data`, `model`, `train`, `variant`, `generate`, … and what was meant to be one.
    Section(Section),
    /// Text that did not parse; its error is already reported.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DimBound {
    /// `<=`: takes its bound unless an override or the data fix it.
    AtMost,
    /// `=`
    Exactly,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StrLit {
    /// Without quotes, escapes resolved.
    pub value: String,
    pub span: Span,
}

/// A formula of the library or the user.
#[derive(Clone, Debug, PartialEq)]
pub struct Op {
    pub name: Ident,
    pub params: Vec<Field>,
    pub result: OpResult,
    pub body: OpBody,
}

#[derive(Clone, Debug, PartialEq)]
pub enum OpResult {
    /// `-> f32[..s]`
    One(Type),
    /// `-> (w: f32[..s], m: f32[..s])`
    Named(Vec<Field>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum OpBody {
    Formula(Expr),
    /// `let` and `output` entries.
    Body(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub name: Ident,
    /// In the first parentheses; empty if only one pair is written.
    pub settings: Vec<Field>,
    pub inputs: Vec<Field>,
    pub outputs: Vec<Field>,
    pub body: Vec<Entry>,
}

/// `p: float = 0.2`, a parameter of an op or block, or one of its results.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: Ident,
    pub ty: Type,
    pub default: Option<Expr>,
    pub span: Span,
}

/// `word name { entries }`
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    pub word: Ident,
    pub name: Option<Ident>,
    pub entries: Vec<Entry>,
    /// The braces and what is between them.
    pub body: Span,
    /// Comments behind the last entry.
    pub end: Vec<String>,
}

/// One line of a section, as it were.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub kind: EntryKind,
    pub span: Span,
    pub doc: Option<String>,
    pub trivia: Trivia,
}

#[derive(Clone, Debug, PartialEq)]
pub enum EntryKind {
    /// `let q, k, v = …`
    Let { names: Vec<Ident>, ty: Option<Type>, value: Expr },
    /// `input image: f32[B, 28, 28]`
    Input { name: Ident, ty: Type },
    /// `output logits: f32[B, 10] = …`
    Output { name: Ident, ty: Option<Type>, value: Expr },
    /// `key = …`, `train.epochs = 1`
    Bind { path: Path, value: Expr },
    /// `age, hours : standardize`
    Typed { names: Vec<Ident>, how: Expr },
    /// `split { … }`, `step critic { … }`
    Section(Section),
    /// Text that did not parse; its error is already reported.
    Broken,
}

/// `f32[B, 28, 28]`, `class(10)`, `int`, `class(10)[B, T]`
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    pub name: Ident,
    pub args: Vec<Arg>,
    /// `None` when no brackets are written.
    pub shape: Option<Vec<SizeExpr>>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SizeExpr {
    Size(Expr),
    /// `..s`: any number of axes, the same wherever `s` stands.
    Rest(Ident),
    /// `_`
    Any(Span),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

/// A number of bytes as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bytes {
    pub count: f64,
    /// One of [`UNITS`](Self::UNITS).
    pub unit: &'static str,
}

impl Bytes {
    /// What they are called, and how many bytes each is: binary (IEC 80000-13) and decimal.
    pub const UNITS: [(&'static str, u64); 8] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
    ];

    /// The bytes themselves, the nearest whole number of them.
    pub fn bytes(self) -> u64 {
        let unit = Self::UNITS.iter().find(|(name, _)| *name == self.unit);
        (self.count * unit.expect("syntax: a unit is in the table").1 as f64).round() as u64
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    Int(i64),
    Float(f64),
    /// `80%`: the 80.
    Percent(f64),
    /// `2GiB`
    Bytes(Bytes),
    Str(String),
    Bool(bool),
    Name(Ident),
    /// `a.b`; the member may be a number, as in `h.0`.
    Member(Box<Expr>, Ident),
    Call {
        callee: Box<Expr>,
        args: Vec<Arg>,
    },
    Index {
        base: Box<Expr>,
        items: Vec<IndexItem>,
    },
    Neg(Box<Expr>),
    Binary {
        op: BinOp,
        op_span: Span,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `input |> stage`
    Pipe {
        input: Box<Expr>,
        stage: Box<Expr>,
    },
    /// `Dense(10) as fc1`: names the weights of the stage before it.
    As {
        stage: Box<Expr>,
        path: Path,
    },
    /// `f1 by sex`, in a list of metrics: for each group of rows.
    By {
        metric: Box<Expr>,
        column: Ident,
    },
    /// `repeat(n) L` or `repeat(i in 1..4) L`
    Repeat {
        var: Option<Ident>,
        count: Box<Expr>,
        body: Box<Expr>,
    },
    /// `1..4`, both ends included.
    Range(Box<Expr>, Box<Expr>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    /// In parentheses; kept so that the formatter prints what was written.
    Paren(Box<Expr>),
    Broken,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    pub name: Option<Ident>,
    pub value: Expr,
}

#[derive(Clone, Debug, PartialEq)]
pub enum IndexItem {
    At(Expr),
    /// `[.., 0]`: all axes that nothing else is said of.
    Rest(Span),
    /// `[1:]`, `[:-1]`, `[::2]`
    Slice {
        start: Option<Expr>,
        stop: Option<Expr>,
        step: Option<Expr>,
        span: Span,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinOp {
    Pow,
    Mul,
    Div,
    MatMul,
    Add,
    Sub,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl BinOp {
    pub fn sign(self) -> &'static str {
        match self {
            BinOp::Pow => "^",
            BinOp::Mul => "*",
            BinOp::Div => "/",
            BinOp::MatMul => "@",
            BinOp::Add => "+",
            BinOp::Sub => "-",
            BinOp::Eq => "==",
            BinOp::Ne => "!=",
            BinOp::Lt => "<",
            BinOp::Le => "<=",
            BinOp::Gt => ">",
            BinOp::Ge => ">=",
        }
    }
}

impl Path {
    /// As it is written: `h.0.attn`.
    pub fn dotted(&self) -> String {
        self.parts.iter().map(|p| &*p.name).collect::<Vec<_>>().join(".")
    }
}

impl Expr {
    /// The expression less its parentheses.
    pub fn bare(&self) -> &Expr {
        match &self.kind {
            ExprKind::Paren(inner) => inner.bare(),
            _ => self,
        }
    }

    /// The name, when the expression is one name and nothing else.
    pub fn as_name(&self) -> Option<&Ident> {
        match &self.bare().kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The text of a name or of names with points between: `valid.loss`.
    pub fn dotted(&self) -> Option<String> {
        match &self.bare().kind {
            ExprKind::Name(name) => Some(name.name.to_string()),
            ExprKind::Member(base, member) => Some(format!("{}.{}", base.dotted()?, member.name)),
            _ => None,
        }
    }
}
