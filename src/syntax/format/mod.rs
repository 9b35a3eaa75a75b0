//! AST to text, in the one style that specs have.
//!
//! [`format`] loses no comment and says the same: the text that it gives parses
//! to the same AST, and formats to itself. Of the old layout it keeps what the
//! author meant: which entries share a line, sections on one line, breaks before
//! a `|>`, single blank lines. Spaces, alignment, long lines and the spelling of
//! numbers are its own.

mod align;
pub(super) mod flat;
mod layout;

use super::ast::*;
use crate::base::Span;
use align::{Key, comment_columns, pads, param_pads};
use layout::Layout;

/// Lines stay within it where they can be broken.
pub const WIDTH: usize = 120;
/// One level of indentation.
const STEP: usize = 2;
/// Neighbours are aligned if that takes at most this much space: more would tear lines apart.
const MAX_PAD: usize = 8;

/// The text of a file without errors; what is `Broken` in it is left out.
pub fn format(file: &File) -> String {
    Formatter { file }.file()
}

pub struct Formatter<'a> {
    file: &'a File,
}

/// What stands on lines of its own: an item, an entry, or several entries on one line.
struct Row {
    /// Comments, docs and blank lines before it.
    before: Vec<String>,
    /// From the indentation on; further lines have theirs.
    text: String,
    /// The comment behind its last line.
    after: Option<String>,
}

impl Row {
    fn is_tall(&self) -> bool {
        self.text.contains('\n')
    }
}

impl Formatter<'_> {
    // ---- what is known of the old layout ----

    /// The line of a byte, when there is an old layout.
    fn line(&self, at: u32) -> Option<usize> {
        (!self.file.lines.is_empty()).then(|| self.file.lines.partition_point(|l| *l <= at))
    }

    /// Whether `after` starts on a later line than `before` ends. What was put in from another
    /// text (an override) stood on no line of this one.
    fn breaks(&self, before: Span, after: Span) -> bool {
        let foreign = before.file != self.file.span.file || after.file != self.file.span.file;
        !foreign && self.line(before.hi.max(1) - 1) < self.line(after.lo)
    }

    /// Whether the author broke a line before some stage in `e`.
    fn has_breaks(&self, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Pipe { input, stage } => {
                self.breaks(input.span, stage.span) || self.has_breaks(input) || self.has_breaks(stage)
            }
            ExprKind::Member(inner, _) | ExprKind::Neg(inner) | ExprKind::Paren(inner) => {
                self.has_breaks(inner)
            }
            ExprKind::As { stage, .. } => self.has_breaks(stage),
            ExprKind::By { metric, .. } => self.has_breaks(metric),
            ExprKind::Call { callee, args } => {
                self.has_breaks(callee) || args.iter().any(|a| self.has_breaks(&a.value))
            }
            ExprKind::Index { base, items } => {
                self.has_breaks(base) || items.iter().any(|i| self.index_breaks(i))
            }
            ExprKind::Binary { left, right, .. } => self.has_breaks(left) || self.has_breaks(right),
            ExprKind::Repeat { count, body, .. } => self.has_breaks(count) || self.has_breaks(body),
            ExprKind::Range(lo, hi) => self.has_breaks(lo) || self.has_breaks(hi),
            ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().any(|e| self.has_breaks(e)),
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Percent(_)
            | ExprKind::Bytes(_)
            | ExprKind::Str(_) => false,
            ExprKind::Bool(_) | ExprKind::Name(_) | ExprKind::Broken => false,
        }
    }

    fn index_breaks(&self, item: &IndexItem) -> bool {
        match item {
            IndexItem::At(e) => self.has_breaks(e),
            // A slice is always written on one line.
            IndexItem::Rest(_) | IndexItem::Slice { .. } => false,
        }
    }

    /// The comments inside a span that no trivia holds.
    fn comments(&self, span: Span) -> &[Comment] {
        if span.file != self.file.span.file {
            return &[];
        }
        let index = |at: u32| self.file.inner.partition_point(|c| c.at < at);
        &self.file.inner[index(span.lo)..index(span.hi)]
    }

    // ---- the file ----

    fn file(&self) -> String {
        let mut lines = Vec::new();
        if let Some(header) = &self.file.header {
            let defaults =
                header.defaults.as_ref().map_or(String::new(), |d| format!(" defaults {}", d.name));
            let before = self.comments(header.span).iter().map(|c| c.text.clone());
            let row = Row {
                before: header.trivia.before.iter().cloned().chain(before).collect(),
                text: format!("mlspec {}{defaults}", header.version.0),
                after: header.trivia.after.clone(),
            };
            lines.extend(self.lines_of(vec![row], 0));
            lines.push(String::new());
        }
        let mut rows = self.items();
        self.part_tall_items(&mut rows);
        lines.extend(self.lines_of(rows, 0));
        lines.extend(self.file.end.iter().cloned());
        tidy_blank_lines(lines)
    }

    fn items(&self) -> Vec<Row> {
        let items: Vec<&Item> = self.file.items.iter().filter(|i| i.kind != ItemKind::Broken).collect();
        let pads = param_pads(&items);
        items.iter().zip(pads).map(|(item, pad)| self.item(item, pad)).collect()
    }

    /// Items of several lines stand between blank lines.
    fn part_tall_items(&self, rows: &mut [Row]) {
        for i in 1..rows.len() {
            let part = rows[i].is_tall() || rows[i - 1].is_tall();
            if part && rows[i].before.first().is_none_or(|l| !l.is_empty()) {
                rows[i].before.insert(0, String::new());
            }
        }
    }

    fn item(&self, item: &Item, pad: (usize, usize)) -> Row {
        let mut l = Layout::new(self, self.head_span(item), 0);
        match &item.kind {
            ItemKind::Param { name, ty, value, domain } => {
                self.param(&mut l, (name, ty.as_ref(), value, domain.as_ref()), pad);
            }
            ItemKind::Dim { name, bound, value } => {
                let sign = match bound {
                    DimBound::AtMost => "<=",
                    DimBound::Exactly => "=",
                };
                l.push(&format!("dim {} {sign}", name.name));
                l.value(value, name.span, false);
            }
            ItemKind::Import { path } => {
                let literal = Expr { kind: ExprKind::Str(path.value.clone()), span: path.span };
                l.push(&format!("import {}", flat::expr(&literal)));
            }
            ItemKind::Op(op) => self.op(&mut l, op, item.span),
            ItemKind::Block(block) => self.block(&mut l, block, item.span),
            ItemKind::Section(section) => {
                let text = self.section(section, 0, false);
                l.push(&text);
            }
            ItemKind::Broken => {}
        }
        let (text, left) = l.finish();
        row(text, left, &item.trivia, item.doc.as_deref())
    }

    /// The part of an item outside its braces.
    fn head_span(&self, item: &Item) -> Span {
        let hi = match &item.kind {
            ItemKind::Section(section) => section.body.lo,
            ItemKind::Block(block) => body_start(&block.body, block_end(block)),
            ItemKind::Op(op) => match &op.body {
                OpBody::Body(entries) => body_start(entries, op_end(op)),
                OpBody::Formula(_) => item.span.hi,
            },
            ItemKind::Param { .. } | ItemKind::Dim { .. } => item.span.hi,
            ItemKind::Import { .. } | ItemKind::Broken => item.span.hi,
        };
        Span { hi, ..item.span }
    }

    fn param(
        &self,
        l: &mut Layout,
        (name, ty, value, domain): (&Ident, Option<&Type>, &Expr, Option<&Expr>),
        (name_pad, type_pad): (usize, usize),
    ) {
        match ty {
            Some(ty) => {
                let name = format!("{}:", name.name);
                l.push(&format!("param {name:name_pad$} {:type_pad$} =", flat::ty(ty)));
                l.value(value, ty.span, false);
            }
            None => {
                l.push(&format!("param {} =", name.name));
                l.value(value, name.span, false);
            }
        }
        if let Some(domain) = domain {
            l.push(" in ");
            l.expr(domain, 0);
        }
    }

    // ---- ops and blocks ----

    fn op(&self, l: &mut Layout, op: &Op, span: Span) {
        l.push(&format!("op {}", op.name.name));
        let result = match &op.result {
            OpResult::One(ty) => flat::ty(ty),
            OpResult::Named(fields) => flat::fields(fields),
        };
        self.signature(l, &[&op.params], &result);
        match &op.body {
            OpBody::Formula(formula) => {
                l.push(" =");
                l.value(formula, op_end(op), true);
            }
            OpBody::Body(entries) => self.braces(l, entries, op_end(op), span),
        }
    }

    fn block(&self, l: &mut Layout, block: &Block, span: Span) {
        l.push(&format!("block {}", block.name.name));
        let lists: Vec<&[Field]> = match block.settings.is_empty() {
            true => vec![&block.inputs],
            false => vec![&block.settings, &block.inputs],
        };
        self.signature(l, &lists, &flat::fields(&block.outputs));
        self.braces(l, &block.body, block_end(block), span);
    }

    /// `(…) (…) -> …`, on several lines if it is too long for one.
    fn signature(&self, l: &mut Layout, lists: &[&[Field]], result: &str) {
        let flat: Vec<String> = lists.iter().map(|fields| flat::fields(fields)).collect();
        let line = format!("{} -> {result}", flat.join(" "));
        if l.fits(&line, 2) {
            return l.push(&line);
        }
        for (i, fields) in lists.iter().enumerate() {
            if i > 0 {
                l.newline(2 * STEP);
            }
            l.push("(");
            for (n, field) in fields.iter().enumerate() {
                let text = flat::field(field);
                match (n, l.fits(&text, 3)) {
                    (0, _) => {}
                    (_, true) => l.push(" "),
                    (_, false) => l.newline(2 * STEP),
                }
                l.push(&text);
                l.push(if n + 1 < fields.len() { "," } else { "" });
            }
            l.push(")");
        }
        l.newline(2 * STEP);
        l.push(&format!("-> {result}"));
    }

    /// The body of an op or block that spans `item`, behind its signature.
    fn braces(&self, l: &mut Layout, entries: &[Entry], signature: Span, item: Span) {
        let last = entries.last().map_or(signature.hi, |e| e.span.hi);
        let end: Vec<String> =
            self.comments(Span { lo: last, ..item }).iter().map(|c| c.text.clone()).collect();
        if entries.is_empty() && end.is_empty() {
            return l.push(" {}");
        }
        l.push(" {\n");
        let one_line = !self.breaks(signature, item.end());
        l.push(&self.entries(entries, &end, STEP, one_line));
        l.push("}");
    }

    // ---- sections ----

    /// `word name { … }`
    fn section(&self, section: &Section, indent: usize, nested: bool) -> String {
        let head = flat::head(section);
        let one_line = match (self.line(section.body.lo), self.line(section.body.hi.max(1) - 1)) {
            (Some(first), Some(last)) => first == last,
            (_, _) => nested && section.entries.len() <= 4,
        };
        if one_line && is_plain(section) {
            let line = format!("{head} {}", flat::braces(section));
            if indent + line.chars().count() <= WIDTH {
                return line;
            }
        }
        let inside = self.entries(&section.entries, &section.end, indent + STEP, one_line);
        format!("{head} {{\n{inside}{}}}", " ".repeat(indent))
    }

    /// The lines of entries, each indented and ended; `apart` puts each on a line of its own.
    fn entries(&self, entries: &[Entry], end: &[String], indent: usize, apart: bool) -> String {
        let whole = entries.iter().filter(|e| e.kind != EntryKind::Broken);
        let laid: Vec<Laid> = whole.map(|e| self.laid(e, indent)).collect();
        let groups = match apart {
            true => laid.into_iter().map(|l| vec![l]).collect(),
            false => self.lines_shared(laid, indent),
        };
        let pads = pads(&groups, indent);
        let rows = groups.into_iter().zip(pads).map(|(group, pad)| self.group(group, pad)).collect();
        let mut lines = self.lines_of(rows, indent);
        lines.extend(end.iter().map(|c| indented(c, indent)));
        let start = lines.iter().position(|l| !l.is_empty()).unwrap_or(lines.len());
        lines[start..].iter().map(|l| format!("{l}\n")).collect()
    }

    fn laid<'e>(&self, entry: &'e Entry, indent: usize) -> Laid<'e> {
        let mut l = Layout::new(self, own_span(entry), indent);
        self.entry(&mut l, entry, indent);
        let (text, left) = l.finish();
        Laid { entry, text, left }
    }

    /// The entries that stand on one line each: those that the author put there, if they fit.
    fn lines_shared<'e>(&self, entries: Vec<Laid<'e>>, indent: usize) -> Vec<Vec<Laid<'e>>> {
        let mut groups: Vec<Vec<Laid>> = Vec::new();
        let mut width = 0;
        for laid in entries {
            let len = laid.text.chars().count();
            let shares =
                groups.last().and_then(|g| g.last()).is_some_and(|last| self.share_line(last, &laid));
            match groups.last_mut() {
                Some(group) if shares && indent + width + 2 + len <= WIDTH => {
                    width += 2 + len;
                    group.push(laid);
                }
                Some(_) | None => {
                    width = len;
                    groups.push(vec![laid]);
                }
            }
        }
        groups
    }

    fn share_line(&self, last: &Laid, next: &Laid) -> bool {
        let plain = last.entry.trivia.after.is_none()
            && last.left.is_empty()
            && next.left.is_empty()
            && next.entry.trivia.before.is_empty()
            && next.entry.doc.is_none();
        let same_line = !self.file.lines.is_empty() && !self.breaks(last.entry.span, next.entry.span);
        plain && same_line && !last.is_tall() && !next.is_tall()
    }

    fn group(&self, group: Vec<Laid>, pad: usize) -> Row {
        let after = group[group.len() - 1].entry.trivia.after.clone();
        let first = group[0].entry;
        let text = match group.as_slice() {
            [one] => one.padded(pad),
            several => several.iter().map(|l| l.text.clone()).collect::<Vec<_>>().join("  "),
        };
        let left = group.into_iter().flat_map(|l| l.left).collect();
        row(text, left, &Trivia { before: first.trivia.before.clone(), after }, first.doc.as_deref())
    }

    fn entry(&self, l: &mut Layout, entry: &Entry, indent: usize) {
        match &entry.kind {
            EntryKind::Let { names, ty, value } => {
                let (ty, before) = typed(ty.as_ref(), names.last().map_or(entry.span.start(), |n| n.span));
                l.push(&format!("let {}{ty} =", flat::idents(names)));
                l.value(value, before, false);
            }
            EntryKind::Input { name, ty } => l.push(&format!("input {}: {}", name.name, flat::ty(ty))),
            EntryKind::Output { name, ty, value } => {
                let (ty, before) = typed(ty.as_ref(), name.span);
                l.push(&format!("output {}{ty} =", name.name));
                l.value(value, before, false);
            }
            EntryKind::Bind { path, value } => {
                l.push(&format!("{} =", path.dotted()));
                l.value(value, path.span, false);
            }
            EntryKind::Typed { names, how } => {
                l.push(&format!("{} :", flat::idents(names)));
                l.value(how, names.last().map_or(entry.span.start(), |n| n.span), false);
            }
            EntryKind::Section(section) => l.push(&self.section(section, indent, true)),
            EntryKind::Broken => {}
        }
    }

    // ---- lines ----

    /// The lines of rows, with the comments behind them; neighbours' comments are aligned.
    fn lines_of(&self, rows: Vec<Row>, indent: usize) -> Vec<String> {
        let widths: Vec<usize> = rows.iter().map(|r| indent + last_line(&r.text, indent)).collect();
        let columns = comment_columns(&rows, &widths);
        let mut lines = Vec::new();
        for (row, (column, width)) in rows.iter().zip(columns.iter().zip(&widths)) {
            lines.extend(row.before.iter().map(|c| indented(c, indent)));
            let after =
                row.after.as_ref().map_or(String::new(), |c| format!("{}{c}", " ".repeat(column - width)));
            lines
                .extend(format!("{}{}{after}", " ".repeat(indent), row.text).split('\n').map(str::to_string));
        }
        lines
    }
}

/// An entry and its text, not aligned yet.
struct Laid<'e> {
    entry: &'e Entry,
    text: String,
    /// Comments inside that found no place in the text.
    left: Vec<String>,
}

impl Laid<'_> {
    fn is_tall(&self) -> bool {
        self.text.contains('\n')
    }

    /// What stands before the `=`, `{` or `:`.
    fn key(&self) -> Option<String> {
        match &self.entry.kind {
            EntryKind::Bind { path, .. } => Some(path.dotted()),
            EntryKind::Typed { names, .. } => Some(flat::idents(names)),
            EntryKind::Section(section) => Some(flat::head(section)),
            EntryKind::Let { .. } | EntryKind::Input { .. } | EntryKind::Output { .. } => None,
            EntryKind::Broken => None,
        }
    }

    /// The text with its key as wide as `pad`.
    fn padded(&self, pad: usize) -> String {
        match self.key() {
            Some(key) if !self.is_tall() => format!("{key:pad$}{}", &self.text[key.len()..]),
            Some(_) | None => self.text.clone(),
        }
    }

    /// How it is aligned; such a line must have room for the space that this takes.
    fn aligns(&self, indent: usize) -> Key {
        let room = !self.is_tall() && indent + self.text.chars().count() + MAX_PAD <= WIDTH;
        let Some(key) = self.key().filter(|_| room) else { return Key::Alone };
        let width = key.chars().count();
        match &self.entry.kind {
            EntryKind::Typed { .. } => Key::Typed(width),
            EntryKind::Section(_) => Key::Section(width),
            EntryKind::Bind { .. } => Key::Bind(width),
            EntryKind::Let { .. } | EntryKind::Input { .. } | EntryKind::Output { .. } => Key::Alone,
            EntryKind::Broken => Key::Alone,
        }
    }
}

/// Whether nothing in a section keeps it from standing on one line.
fn is_plain(section: &Section) -> bool {
    let plain = |e: &Entry| {
        let inner = match &e.kind {
            EntryKind::Section(section) => is_plain(section),
            EntryKind::Broken => false,
            EntryKind::Let { .. } | EntryKind::Input { .. } | EntryKind::Output { .. } => true,
            EntryKind::Bind { .. } | EntryKind::Typed { .. } => true,
        };
        inner && e.doc.is_none() && e.trivia == Trivia::default()
    };
    section.end.is_empty() && section.entries.iter().all(plain)
}

/// Where the comments in a body start to be those of its entries.
fn body_start(entries: &[Entry], signature: Span) -> u32 {
    entries.first().map_or(signature.hi, |e| e.span.lo)
}

/// The last thing in a signature.
fn op_end(op: &Op) -> Span {
    match &op.result {
        OpResult::One(ty) => ty.span,
        OpResult::Named(fields) => fields.last().or(op.params.last()).map_or(op.name.span, |f| f.span),
    }
}

fn block_end(block: &Block) -> Span {
    block.outputs.last().or(block.inputs.last()).map_or(block.name.span, |f| f.span)
}

/// The part of an entry whose comments are its own and not those of nested entries.
fn own_span(entry: &Entry) -> Span {
    match &entry.kind {
        EntryKind::Section(section) => Span { hi: section.body.lo, ..entry.span },
        EntryKind::Let { .. } | EntryKind::Input { .. } | EntryKind::Output { .. } => entry.span,
        EntryKind::Bind { .. } | EntryKind::Typed { .. } | EntryKind::Broken => entry.span,
    }
}

fn row(text: String, left: Vec<String>, trivia: &Trivia, doc: Option<&str>) -> Row {
    let doc = doc.iter().flat_map(|d| d.split('\n')).map(|line| match line {
        "" => "///".to_string(),
        line => format!("/// {line}"),
    });
    // Inside an entry `///` documents nothing; before it, it would.
    let left = left.into_iter().map(|c| match c.strip_prefix("///") {
        Some(rest) => format!("//{rest}"),
        None => c,
    });
    let before = trivia.before.iter().cloned().chain(left).chain(doc.collect::<Vec<_>>()).collect();
    Row { before, text, after: trivia.after.clone() }
}

/// `: type` and the span that ends before the `=`.
fn typed(ty: Option<&Type>, name: Span) -> (String, Span) {
    match ty {
        Some(ty) => (format!(": {}", flat::ty(ty)), ty.span),
        None => (String::new(), name),
    }
}

/// The width of the last line, less the indentation of the first.
fn last_line(text: &str, indent: usize) -> usize {
    match text.rfind('\n') {
        Some(n) => text[n + 1..].chars().count().saturating_sub(indent),
        None => text.chars().count(),
    }
}

fn indented(line: &str, indent: usize) -> String {
    if line.is_empty() { String::new() } else { format!("{}{line}", " ".repeat(indent)) }
}

/// One text: no blank line first or last, never two in a row.
fn tidy_blank_lines(lines: Vec<String>) -> String {
    let mut out: Vec<&str> = Vec::new();
    for line in &lines {
        if !line.is_empty() || out.last().is_some_and(|l| !l.is_empty()) {
            out.push(line);
        }
    }
    while out.last().is_some_and(|l| l.is_empty()) {
        out.pop();
    }
    out.iter().map(|l| format!("{l}\n")).collect()
}
