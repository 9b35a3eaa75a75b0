//! Shapes beside the code: behind each stage that ends a line, behind names without a type, and sizes that
//! the data tell.

use super::Analysis;
use super::describe::{grouped, stage_line, types_text};
use crate::base::Span;
use crate::sema::walk;
use crate::syntax::ast::{Entry, EntryKind, Expr, ExprKind, Ident, Item, ItemKind, OpBody, Path, Type};

/// A note that is shown in the text without being of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The byte that it stands before.
    pub at: usize,
    pub label: String,
    pub tooltip: Option<String>,
    pub kind: HintKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintKind {
    /// `: f32[B, 128]`
    Type,
    /// `= 43`
    Value,
}

/// More than a screen holds, and few enough for an editor.
const MOST: usize = 2000;

/// The hints of a range of bytes, in order of place.
pub fn hints(analysis: &Analysis, range: std::ops::Range<usize>) -> Vec<Hint> {
    let mut found = Finder { analysis, range, hints: Vec::new() };
    for item in &analysis.ast.items {
        if found.is_near(item.span) {
            found.item(item);
        }
    }
    found.sizes();
    let mut hints = found.hints;
    hints.sort_by_key(|h| h.at);
    hints.dedup_by_key(|h| h.at);
    hints.truncate(MOST);
    hints
}

struct Finder<'a> {
    analysis: &'a Analysis,
    range: std::ops::Range<usize>,
    hints: Vec<Hint>,
}

impl Finder<'_> {
    fn is_near(&self, span: Span) -> bool {
        span.range().start <= self.range.end && self.range.start <= span.range().end
    }

    fn push(&mut self, at: usize, label: String, tooltip: Option<String>, kind: HintKind) {
        if self.range.contains(&at) || at == self.range.end {
            self.hints.push(Hint { at, label, tooltip, kind });
        }
    }

    fn item(&mut self, item: &Item) {
        let entries = match &item.kind {
            ItemKind::Section(section) => &section.entries,
            ItemKind::Block(block) => &block.body,
            ItemKind::Op(op) => match &op.body {
                OpBody::Body(body) => body,
                OpBody::Formula(_) => return,
            },
            ItemKind::Param { .. } | ItemKind::Dim { .. } | ItemKind::Import { .. } | ItemKind::Broken => {
                return;
            }
        };
        let near: Vec<&Entry> = entries.iter().filter(|e| self.is_near(e.span)).collect();
        near.into_iter().for_each(|entry| self.entry(entry));
    }

    fn entry(&mut self, entry: &Entry) {
        match &entry.kind {
            EntryKind::Let { names, ty, value } => {
                self.names(names, ty.as_ref());
                self.stages(entry, value);
            }
            EntryKind::Output { name, ty, value } => {
                self.names(std::slice::from_ref(name), ty.as_ref());
                self.stages(entry, value);
            }
            EntryKind::Bind { path, value } => {
                self.rows(path, value);
                self.stages(entry, value);
            }
            EntryKind::Typed { names, how } => self.classes(names, how),
            EntryKind::Input { .. } | EntryKind::Section(_) | EntryKind::Broken => {}
        }
    }

    /// Names that are made without a type.
    fn names(&mut self, names: &[Ident], ty: Option<&Type>) {
        if ty.is_some() {
            return;
        }
        for name in names {
            if let Some(typed) = self.analysis.facts.types.get(&name.span) {
                let label = format!(": {}", types_text(&typed.types));
                let tooltip = typed.varies.then(|| VARIES.to_string());
                self.push(name.span.range().end, label, tooltip, HintKind::Type);
            }
        }
    }

    /// Stages of pipes that end a line. The last of an entry of one line says what its name says.
    fn stages(&mut self, entry: &Entry, value: &Expr) {
        let mut pipes = Vec::new();
        walk::expr(value, &mut |expr| {
            if let ExprKind::Pipe { stage, .. } = &expr.kind {
                pipes.push((expr.span, stage.span));
            }
        });
        let text = self.analysis.text();
        let one_line = |span: Span| !text[entry.span.range().start..span.range().end].contains('\n');
        for (pipe, stage) in pipes {
            if !ends_line(text, pipe.range().end) || one_line(pipe) {
                continue;
            }
            let Some(typed) = self.analysis.facts.types.get(&pipe) else { continue };
            let fact = self.analysis.facts.stages.get(&stage);
            let mut tooltip = fact.map(|fact| stage_line(fact)).unwrap_or_default();
            if typed.varies {
                tooltip = format!("{tooltip}\n\n{VARIES}").trim().to_string();
            }
            let label = format!(": {}", types_text(&typed.types));
            self.push(pipe.range().end, label, (!tooltip.is_empty()).then_some(tooltip), HintKind::Type);
        }
    }

    /// `source = …`, where a glance tells how many rows it has.
    fn rows(&mut self, path: &Path, value: &Expr) {
        let facts = &self.analysis.facts;
        let is_source = matches!(path.parts.as_slice(), [key] if &*key.name == "source");
        let section = self.analysis.ast.items.iter().find(|item| item.span.contains(path.span));
        let data = section.and_then(|item| facts.data.iter().find(|d| item.span.contains(d.span)));
        if let Some(rows) = data.and_then(|d| d.rows).filter(|_| is_source) {
            let label = format!(" {} rows", grouped(rows as u64));
            self.push(value.span.range().end, label, None, HintKind::Value);
        }
    }

    /// `species : class`, where the file tells how many there are.
    fn classes(&mut self, names: &[Ident], how: &Expr) {
        let ([name], Some(word)) = (names, how.as_name()) else { return };
        let data = &self.analysis.facts.data;
        let fact = data.iter().flat_map(|d| &d.columns).find(|c| c.span == Some(name.span));
        let known = fact.and_then(|c| c.classes.as_ref()).and_then(|n| n.as_const());
        if let (Some(n), "class") = (known, &*word.name) {
            self.push(how.span.range().end, format!(" {n} classes"), None, HintKind::Value);
        }
    }

    /// `people.features`, where it is known.
    fn sizes(&mut self) {
        let file = self.analysis.file;
        let known: Vec<(Span, i64)> = self
            .analysis
            .facts
            .sizes
            .iter()
            .filter(|(span, _)| span.file == file)
            .filter_map(|(span, dim)| Some((*span, dim.as_const()?)))
            .collect();
        for (span, size) in known {
            self.push(span.range().end, format!(" = {size}"), None, HintKind::Value);
        }
    }
}

const VARIES: &str = "Of the first use; others differ.";

/// Whether nothing but space and a comment follows on the line.
fn ends_line(text: &str, at: usize) -> bool {
    let rest = text[at..].split('\n').next().unwrap_or_default().trim();
    rest.is_empty() || rest.starts_with("//")
}
