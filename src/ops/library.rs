//! Every formula in reach of a spec: the library's, then the user's.
//!
//! An op of the library is parsed when it is first looked up: a spec needs few of them, and
//! checking it has to take milliseconds.

use super::formula::{Body, Checked, Eval, Number, OpDecl, Reported};
use super::sig::Framework;
use crate::base::{FileId, Sources, Span};
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::Builder;
use crate::syntax::{self, ast};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, LazyLock, OnceLock};

/// The library's texts, in the order in which they are read.
pub static STD: &[(&str, &str)] = &[
    ("std/activation.mlspec", include_str!("../../kernels/std/activation.mlspec")),
    ("std/clip.mlspec", include_str!("../../kernels/std/clip.mlspec")),
    ("std/loss.mlspec", include_str!("../../kernels/std/loss.mlspec")),
    ("std/metric.mlspec", include_str!("../../kernels/std/metric.mlspec")),
    ("std/optimizer.mlspec", include_str!("../../kernels/std/optimizer.mlspec")),
    ("std/norm.mlspec", include_str!("../../kernels/std/norm.mlspec")),
    ("std/random.mlspec", include_str!("../../kernels/std/random.mlspec")),
];

/// An op of the library, parsed when asked for.
#[derive(Clone, Debug)]
struct StdOp {
    file: FileId,
    text: &'static str,
    /// The item's bytes, doc comment included.
    at: Range<usize>,
    decl: OnceLock<OpDecl>,
}

/// Where each op of a library text stands: from its first doc line to the next item's.
fn ops_of(text: &'static str) -> Vec<(&'static str, Range<usize>)> {
    let mut ops: Vec<(&str, Range<usize>)> = Vec::new();
    let mut doc: Option<usize> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with("///") {
            doc.get_or_insert(at);
        } else if let Some(rest) = line.strip_prefix("op ") {
            let name = rest.split('(').next().expect("split gives at least one part");
            let start = doc.take().unwrap_or(at);
            if let Some((_, last)) = ops.last_mut() {
                last.end = start;
            }
            ops.push((name, start..text.len()));
        }
        at += line.len();
    }
    ops
}

impl StdOp {
    /// Parses the item alone, at its own place: all around it is blank, so that spans point
    /// into the whole text.
    ///
    /// # Panics
    /// If the text of the library is wrong.
    fn decl(&self) -> &OpDecl {
        self.decl.get_or_init(|| {
            let mut sources = Sources::new();
            for _ in 0..self.file.0 {
                sources.add("", None, "");
            }
            let header = self.text.find('\n').expect("library: a text has lines");
            let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
            let between = self.text[header..self.at.start].chars().map(blank);
            let piece: String = self.text[..header].chars().chain(between).collect();
            let file = sources.add("std", None, piece + &self.text[self.at.clone()]);
            let (parsed, mut diags) = syntax::parse(&sources, file);
            let decl = parsed.items.iter().find_map(|item| {
                let ast::ItemKind::Op(op) = &item.kind else { return None };
                OpDecl::from_ast(op, item.doc.as_deref(), true, &|_| None, &mut diags).ok()
            });
            assert!(!diags.has_errors(), "library: its texts are right: {:?}", diags.sorted());
            decl.expect("library: each piece is one op")
        })
    }
}

type Std = BTreeMap<&'static str, StdOp>;

/// The ops of the library's texts, the first of which is file `first`.
fn std_from(first: FileId) -> Std {
    let mut std = Std::new();
    for (i, (_, text)) in STD.iter().enumerate() {
        let file = FileId(first.0 + i as u16);
        std.extend(
            ops_of(text).into_iter().map(|(op, at)| (op, StdOp { file, text, at, decl: OnceLock::new() })),
        );
    }
    std
}

/// The ops where the texts stand behind one spec and nothing else: an editor's every check. What one check has
/// parsed, the next finds.
static BEHIND_A_SPEC: LazyLock<Arc<Std>> = LazyLock::new(|| Arc::new(std_from(FileId(1))));

/// Ops by name, and the numbers that a file's `param` and `dim` items name.
#[derive(Clone, Debug)]
pub struct Library {
    framework: Framework,
    std: Arc<Std>,
    /// The user's; they may take over names of the library.
    user: BTreeMap<Arc<str>, Arc<OpDecl>>,
    /// The user's ops with a mistake that is reported: uses of them say nothing more.
    broken: BTreeSet<Arc<str>>,
    constants: BTreeMap<Arc<str>, Number>,
}

/// What formulas use, looked up once for each: every op asks for all that it leads to.
type Uses = BTreeMap<Arc<str>, Arc<[Arc<str>]>>;

impl Library {
    /// The library's own formulas. Their texts are added to `sources`, behind the user's.
    pub fn std(framework: Framework, sources: &mut Sources) -> Library {
        let files: Vec<FileId> = STD.iter().map(|(name, text)| sources.add(*name, None, *text)).collect();
        let std = match files[0] {
            FileId(1) => BEHIND_A_SPEC.clone(),
            first => Arc::new(std_from(first)),
        };
        Library { framework, std, user: BTreeMap::new(), broken: BTreeSet::new(), constants: BTreeMap::new() }
    }

    pub fn framework(&self) -> Framework {
        self.framework
    }

    /// Names a number for shapes and formulas: a `param` or `dim` of the file. Before [`Library::declare`].
    pub fn define(&mut self, name: &str, number: Number) {
        self.constants.insert(Arc::from(name), number);
    }

    pub fn constant(&self, name: &str) -> Option<&Number> {
        self.constants.get(name)
    }

    pub fn constants(&self) -> impl Iterator<Item = &str> {
        self.constants.keys().map(|n| &**n)
    }

    /// The op of that name: the user's, else the library's.
    pub fn op(&self, name: &str) -> Option<&OpDecl> {
        self.user.get(name).map(|op| &**op).or_else(|| self.std_op(name))
    }

    /// The library's op of that name, whatever the user calls theirs.
    pub fn std_op(&self, name: &str) -> Option<&OpDecl> {
        self.std.get(name).map(StdOp::decl)
    }

    /// Every op, each name once, sorted.
    pub fn ops(&self) -> impl Iterator<Item = &OpDecl> {
        self.op_names().filter_map(|name| self.op(name))
    }

    pub fn op_names(&self) -> impl Iterator<Item = &str> {
        let names: BTreeSet<&str> = self.std.keys().copied().chain(self.user.keys().map(|n| &**n)).collect();
        names.into_iter()
    }

    /// Whether a user's op has a mistake that is reported already.
    pub fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(name)
    }

    /// Adds the `op` items of a user's file, which may take over names of the library, and
    /// checks each: signature, cycles, and its formula on shapes that are names alone.
    pub fn declare(&mut self, file: &ast::File, diags: &mut Diagnostics) {
        let declared = self.read(file, diags);
        self.check(&declared, diags);
    }

    /// Checks every formula, the library's own too: a test's business.
    pub fn check_all(&mut self, diags: &mut Diagnostics) {
        let all: Vec<Arc<str>> = self.ops().map(|op| op.name.clone()).collect();
        self.check(&all, diags);
    }

    fn read(&mut self, file: &ast::File, diags: &mut Diagnostics) -> Vec<Arc<str>> {
        let mut declared: Vec<(Arc<str>, Span)> = Vec::new();
        for item in &file.items {
            let ast::ItemKind::Op(op) = &item.kind else { continue };
            if let Some((_, first)) = declared.iter().find(|(name, _)| *name == op.name.name) {
                diags.push(
                    Diagnostic::error(
                        "name::twice",
                        format!("there are two ops `{}`", op.name.name),
                        op.name.span,
                        "declared again",
                    )
                    .label(*first, "declared here")
                    .help("rename one of them"),
                );
                continue;
            }
            declared.push((op.name.name.clone(), op.name.span));
            let constants = &self.constants;
            let known = |expr: &ast::Expr| constants.get(&*expr.as_name()?.name).cloned();
            match OpDecl::from_ast(op, item.doc.as_deref(), false, &known, diags) {
                Ok(decl) => {
                    self.user.insert(decl.name.clone(), Arc::new(decl));
                }
                Err(Reported) => {
                    self.broken.insert(op.name.name.clone());
                }
            }
        }
        declared.into_iter().map(|(name, _)| name).collect()
    }

    fn check(&mut self, names: &[Arc<str>], diags: &mut Diagnostics) {
        let mut uses = Uses::new();
        for name in names {
            if let Some(through) = self.cycle(name, &mut uses) {
                let op = self.op(name).expect("library: a cycle is made of ops");
                diags.push(
                    Diagnostic::error(
                        "op::cycle",
                        format!("`{name}` uses itself{through}"),
                        op.name_span,
                        "would never end",
                    )
                    .help("a formula is built of others: write it without itself"),
                );
                self.broken.insert(name.clone());
            }
        }
        // Those that use a broken one say nothing, so it comes first.
        for name in self.callees_first(names) {
            if let Some(op) = self.op(&name)
                && !self.is_broken(&name)
                && self.check_formula(op, diags) == Err(Reported)
            {
                self.broken.insert(name);
            }
        }
    }

    /// The same names, each behind those that its formula uses.
    fn callees_first(&self, names: &[Arc<str>]) -> Vec<Arc<str>> {
        let wanted: BTreeSet<&Arc<str>> = names.iter().collect();
        let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
        // A name comes back once those that it uses are through.
        let mut open: Vec<(Arc<str>, bool)> = names.iter().rev().map(|n| (n.clone(), false)).collect();
        while let Some((name, through)) = open.pop() {
            if through {
                order.push(name);
            } else if seen.insert(name.clone()) {
                let used = self.op(&name).map(OpDecl::mentions).unwrap_or_default();
                open.push((name, true));
                open.extend(used.into_iter().filter(|n| wanted.contains(n)).map(|n| (n, false)));
            }
        }
        order
    }

    fn check_formula(&self, op: &OpDecl, diags: &mut Diagnostics) -> Checked<()> {
        let mut b = Builder::new(&*op.name);
        let mut scope = Body::default();
        Eval::new(self, &mut b, diags, &mut scope).rehearse(op)
    }

    /// How `name` comes back to itself, if it does.
    fn cycle(&self, name: &Arc<str>, uses: &mut Uses) -> Option<String> {
        let mut seen = BTreeSet::new();
        let mut path = Vec::new();
        self.reaches(name, name, uses, &mut seen, &mut path).then(|| match path.as_slice() {
            [] => String::new(),
            through => format!(" through `{}`", through.join("`, `")),
        })
    }

    /// The names that a formula reads, less its own parameters.
    fn uses(&self, name: &str) -> Vec<Arc<str>> {
        let Some(op) = self.op(name) else { return Vec::new() };
        let own: BTreeSet<&str> = op.params.iter().map(|p| &*p.name).collect();
        op.mentions().into_iter().filter(|n| !own.contains(&**n)).collect()
    }

    fn reaches(
        &self,
        from: &Arc<str>,
        goal: &Arc<str>,
        uses: &mut Uses,
        seen: &mut BTreeSet<Arc<str>>,
        path: &mut Vec<String>,
    ) -> bool {
        if !uses.contains_key(from) {
            uses.insert(from.clone(), self.uses(from).into());
        }
        for next in uses[from].clone().iter() {
            if next == goal {
                return true;
            }
            if seen.insert(next.clone()) {
                path.push(next.to_string());
                if self.reaches(next, goal, uses, seen, path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_whole() {
        let mut sources = Sources::new();
        sources.add("spec.mlspec", None, "mlspec 1\n");
        let lib = Library::std(Framework::Keras, &mut sources);
        let mut names = 0;
        for (file, source) in sources.iter().skip(1) {
            let (parsed, diags) = syntax::parse(&sources, file);
            assert!(diags.is_empty(), "{}: {:?}", source.name, diags.sorted());
            assert!(source.text.is_ascii(), "{}: blanks are as long as what they stand for", source.name);
            for item in &parsed.items {
                let ast::ItemKind::Op(op) = &item.kind else { panic!("{} has ops alone", source.name) };
                let decl = lib.std_op(&op.name.name).expect("every op is found");
                assert_eq!((decl.name_span, &decl.body), (op.name.span, &op.body));
                assert_eq!(Some(decl.doc.as_str()), item.doc.as_deref());
                names += 1;
            }
        }
        assert_eq!(names, lib.op_names().count());
    }
}
