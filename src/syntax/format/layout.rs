//! One entry on as many lines as it needs.
//!
//! Breaks stand where the author put them before a `|>`; beyond that an entry is
//! broken only if it does not fit: pipes before each stage, lists filled up to
//! the margin. Comments inside keep their place in pipes and lists; from other
//! places they move before the entry.

use super::flat;
use super::{Formatter, STEP, WIDTH};
use crate::base::Span;
use crate::syntax::ast::*;

pub struct Layout<'a> {
    formatter: &'a Formatter<'a>,
    /// The first line lacks its indentation, the others have it.
    out: String,
    /// Where the first line starts.
    start: usize,
    /// Where the lines after it start.
    indent: usize,
    /// The comments inside the entry, and which of them stand in `out`.
    comments: &'a [Comment],
    placed: Vec<bool>,
}

/// An element of a list, call or index.
struct Element<'e> {
    prefix: String,
    span: Span,
    value: Value<'e>,
}

enum Value<'e> {
    Expr(&'e Expr),
    /// Always on one line.
    Text(String),
}

/// What is on the line behind the piece being laid out: closing brackets, a comma.
type Tail = usize;

impl<'a> Layout<'a> {
    /// For a piece that starts behind `indent` spaces and spans `span` of the text.
    pub fn new(formatter: &'a Formatter<'a>, span: Span, indent: usize) -> Self {
        let comments = formatter.comments(span);
        Layout {
            formatter,
            out: String::new(),
            start: indent,
            indent,
            comments,
            placed: vec![false; comments.len()],
        }
    }

    /// The text, and the comments that found no place in it.
    pub fn finish(self) -> (String, Vec<String>) {
        let left = self.comments.iter().zip(&self.placed).filter(|(_, placed)| !**placed);
        (self.out, left.map(|(c, _)| c.text.clone()).collect())
    }

    pub fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    pub fn newline(&mut self, indent: usize) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
        self.out.push_str(&" ".repeat(indent));
    }

    fn column(&self) -> usize {
        match self.out.rfind('\n') {
            Some(n) => self.out[n + 1..].chars().count(),
            None => self.start + self.out.chars().count(),
        }
    }

    pub fn fits(&self, text: &str, tail: Tail) -> bool {
        self.column() + text.chars().count() + tail <= WIDTH
    }

    /// `value` behind `=`, which ends what was written so far. The author's break behind the
    /// `=` is kept where `keep` says so, and made where the value would not fit otherwise.
    pub fn value(&mut self, value: &Expr, before: Span, keep: bool) {
        let pipe = matches!(value.kind, ExprKind::Pipe { .. });
        let text = flat::expr(value);
        let broken_by_author = (pipe || keep) && self.formatter.breaks(before, value.span);
        let loose = !self.forced(value);
        let no_room = loose && !self.fits(&text, 1) && (pipe || keep);
        if broken_by_author || no_room {
            self.newline(self.indent + STEP);
        } else {
            self.push(" ");
        }
        self.expr(value, 0);
    }

    /// Whether `e` cannot stand on one line.
    fn forced(&self, e: &Expr) -> bool {
        let inside = |c: &Comment| e.span.lo <= c.at && c.at < e.span.hi;
        let foreign = e.span.file != self.formatter.file.span.file;
        !foreign && self.comments.iter().any(inside) || self.formatter.has_breaks(e)
    }

    pub fn expr(&mut self, e: &Expr, tail: Tail) {
        let text = flat::expr(e);
        if !self.forced(e) && self.fits(&text, tail) {
            return self.push(&text);
        }
        match &e.kind {
            ExprKind::Pipe { .. } => self.pipe(e, tail),
            ExprKind::Binary { .. } => self.binary(e, tail),
            ExprKind::Call { callee, args } => {
                self.expr(callee, 1);
                let close = e.span.end();
                let elements = args.iter().map(argument).collect();
                self.elements("(", elements, ")", callee.span, close, tail);
            }
            ExprKind::Index { base, items } => {
                self.expr(base, 1);
                self.elements("[", items.iter().map(index).collect(), "]", base.span, e.span.end(), tail);
            }
            ExprKind::List(items) => {
                let elements = items.iter().map(|e| element(String::new(), e)).collect();
                self.elements("[", elements, "]", e.span.start(), e.span.end(), tail);
            }
            ExprKind::Tuple(items) => {
                let elements = items.iter().map(|e| element(String::new(), e)).collect();
                let close = if items.len() == 1 { ",)" } else { ")" };
                self.elements("(", elements, close, e.span.start(), e.span.end(), tail);
            }
            ExprKind::Paren(inner) => {
                self.push("(");
                self.expr(inner, tail + 1);
                self.push(")");
            }
            ExprKind::As { stage, path } => {
                let name = format!(" as {}", path.dotted());
                self.expr(stage, tail + name.chars().count());
                self.push(&name);
            }
            ExprKind::By { metric, column } => {
                let by = format!(" by {}", column.name);
                self.expr(metric, tail + by.chars().count());
                self.push(&by);
            }
            ExprKind::Neg(inner) => {
                self.push("-");
                self.expr(inner, tail);
            }
            ExprKind::Repeat { count, body, .. } => {
                self.push(&flat::repeat_head(e));
                self.expr(count, 2);
                self.push(") ");
                self.expr(body, tail);
            }
            ExprKind::Range(lo, hi) => {
                self.expr(lo, 2);
                self.push("..");
                self.expr(hi, tail);
            }
            ExprKind::Member(base, name) => {
                self.expr(base, 1 + name.name.len());
                self.push(&format!(".{}", name.name));
            }
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Percent(_)
            | ExprKind::Bytes(_)
            | ExprKind::Str(_) => self.push(&text),
            ExprKind::Bool(_) | ExprKind::Name(_) | ExprKind::Broken => self.push(&text),
        }
    }

    // ---- pipes ----

    /// The head and, below each other, the stages.
    fn pipe(&mut self, e: &Expr, tail: Tail) {
        let mut stages = Vec::new();
        let mut head = e;
        while let ExprKind::Pipe { input, stage } = &head.kind {
            stages.push(&**stage);
            head = input;
        }
        stages.reverse();
        let start = self.column();
        self.expr(head, 0);
        let mut bar = start;
        let mut before = head.span;
        // Written on one line that does not fit: one stage a line, the first beside the head.
        let all = !self.forced(e);
        for (i, stage) in stages.iter().enumerate() {
            let last = i + 1 == stages.len();
            let room = if last { tail } else { 0 };
            let text = format!(" |> {}", flat::expr(stage));
            let commented = self.comments_between(before, stage.span);
            let crowded = !self.forced(stage) && !self.fits(&text, room);
            let breaks = !commented.is_empty()
                || self.formatter.breaks(before, stage.span)
                || crowded
                || (all && i > 0);
            if i == 0 && !breaks {
                bar = self.column() + 1;
            }
            self.comments_at(&commented, bar);
            if breaks {
                self.newline(bar);
                self.push("|> ");
            } else {
                self.push(" |> ");
            }
            self.expr(stage, room);
            before = stage.span;
        }
    }

    /// Comments behind the line so far, and on lines of their own.
    fn comments_at(&mut self, which: &[usize], indent: usize) {
        for i in which {
            let comment = &self.comments[*i];
            match comment.behind && !self.out.ends_with(' ') && !self.ends_in_comment() {
                true => self.push("   "),
                false => self.newline(indent),
            }
            self.push(&comment.text);
            self.placed[*i] = true;
        }
    }

    fn ends_in_comment(&self) -> bool {
        let line = self.out.rsplit('\n').next().unwrap_or_default();
        self.comments.iter().zip(&self.placed).any(|(c, placed)| *placed && line.ends_with(&c.text))
    }

    fn comments_between(&self, before: Span, after: Span) -> Vec<usize> {
        if before.file != after.file || after.file != self.formatter.file.span.file {
            return Vec::new();
        }
        let between = |c: &Comment| before.hi <= c.at && c.at < after.lo;
        (0..self.comments.len()).filter(|i| !self.placed[*i] && between(&self.comments[*i])).collect()
    }

    // ---- operators ----

    /// Operands one after the other, broken before an operator whose operand does not fit.
    fn binary(&mut self, e: &Expr, tail: Tail) {
        let start = self.column();
        self.operands(e, start, tail);
    }

    fn operands(&mut self, e: &Expr, start: usize, tail: Tail) {
        let ExprKind::Binary { op, left, right, .. } = &e.kind else { return self.expr(e, tail) };
        self.operands(left, start, 0);
        let sign = flat::infix(*op);
        let text = format!("{sign}{}", flat::expr(right));
        let sum = matches!(op, BinOp::Add | BinOp::Sub);
        // What does not fit on a line of its own either is better broken inside.
        let fits_below = start + text.trim_start().chars().count() + tail <= WIDTH;
        let breaks = fits_below && !self.forced(right) && !self.fits(&text, tail);
        if sum && breaks && self.column() > start {
            self.newline(start);
            self.push(sign.trim_start());
        } else {
            self.push(&sign);
        }
        self.expr(right, tail);
    }

    // ---- lists ----

    fn elements(&mut self, open: &str, all: Vec<Element>, close: &str, before: Span, end: Span, tail: Tail) {
        self.push(open);
        let mut gaps = vec![before.end()];
        gaps.extend(all.iter().map(|e| e.span));
        let starts: Vec<Span> = all.iter().map(|e| e.span).chain([end]).collect();
        let commented: Vec<Vec<usize>> =
            gaps.iter().zip(&starts).map(|(g, s)| self.comments_between(*g, *s)).collect();
        if commented.iter().all(Vec::is_empty) {
            self.fill(&all, tail + close.len());
        } else {
            self.column_of(&all, &commented);
        }
        self.push(close);
    }

    /// As many on a line as fit.
    fn fill(&mut self, all: &[Element], tail: Tail) {
        for (i, e) in all.iter().enumerate() {
            let last = i + 1 == all.len();
            let room = if last { tail } else { 1 };
            let text = format!("{}{}", e.prefix, e.value.flat());
            let space = usize::from(i > 0);
            let next_line = self.indent + STEP;
            let fits_here = self.column() + space + text.chars().count() + room <= WIDTH;
            let fits_below = next_line + text.chars().count() + room <= WIDTH;
            if !fits_here && (fits_below || !e.value.can_break()) && self.column() > next_line {
                self.newline(next_line);
            } else if i > 0 {
                self.push(" ");
            }
            self.element(e, room);
            if !last {
                self.push(",");
            }
        }
    }

    /// One on each line, with comments behind and between.
    fn column_of(&mut self, all: &[Element], commented: &[Vec<usize>]) {
        let outer = self.indent;
        self.indent += STEP;
        for (i, e) in all.iter().enumerate() {
            self.comments_at(&commented[i], self.indent);
            self.newline(self.indent);
            self.element(e, 1);
            if i + 1 < all.len() {
                self.push(",");
            }
        }
        self.comments_at(&commented[all.len()], self.indent);
        self.indent = outer;
        self.newline(self.indent);
    }

    fn element(&mut self, e: &Element, tail: Tail) {
        self.push(&e.prefix);
        match &e.value {
            Value::Expr(value) => self.expr(value, tail),
            Value::Text(text) => self.push(text),
        }
    }
}

impl Value<'_> {
    fn flat(&self) -> String {
        match self {
            Value::Expr(e) => flat::expr(e),
            Value::Text(text) => text.clone(),
        }
    }

    fn can_break(&self) -> bool {
        match self {
            Value::Expr(e) => !matches!(
                e.kind,
                ExprKind::Int(_)
                    | ExprKind::Float(_)
                    | ExprKind::Percent(_)
                    | ExprKind::Bytes(_)
                    | ExprKind::Str(_)
                    | ExprKind::Bool(_)
                    | ExprKind::Name(_)
                    | ExprKind::Broken
            ),
            Value::Text(_) => false,
        }
    }
}

fn element(prefix: String, e: &Expr) -> Element<'_> {
    Element { prefix, span: e.span, value: Value::Expr(e) }
}

fn argument(arg: &Arg) -> Element<'_> {
    let span = arg.name.as_ref().map_or(arg.value.span, |n| n.span.to(arg.value.span));
    let prefix = arg.name.as_ref().map_or(String::new(), |n| format!("{}=", n.name));
    Element { prefix, span, value: Value::Expr(&arg.value) }
}

fn index(item: &IndexItem) -> Element<'_> {
    match item {
        IndexItem::At(e) => element(String::new(), e),
        IndexItem::Rest(span) | IndexItem::Slice { span, .. } => {
            Element { prefix: String::new(), span: *span, value: Value::Text(flat::index_item(item)) }
        }
    }
}
