//! An `op` item, its signature read.

use super::types::Pattern;
use super::{Checked, Number, Reported};
use crate::base::Span;
use crate::diag::{Diagnostic, Diagnostics};
use crate::syntax::ast::{self, Entry, EntryKind, Expr, ExprKind, Field, IndexItem, OpBody, OpResult};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A formula of the library or of the user.
#[derive(Clone, Debug)]
pub struct OpDecl {
    pub name: Arc<str>,
    pub name_span: Span,
    /// The doc comment, `@example` lines included.
    pub doc: String,
    pub params: Vec<OpParam>,
    /// Names (none for a single anonymous result) and types.
    pub results: Vec<(Option<Arc<str>>, Pattern)>,
    pub body: OpBody,
    /// Of the library: its own text is never what a user's diagnostic points at first.
    pub std: bool,
}

#[derive(Clone, Debug)]
pub struct OpParam {
    pub name: Arc<str>,
    pub kind: ParamKind,
    pub default: Option<Expr>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ParamKind {
    Tensor(Pattern),
    /// A whole number, known while compiling.
    Int,
    /// A number, known while compiling.
    Float,
    Bool,
}

impl ParamKind {
    /// `f32[..s]`, `int`.
    pub fn text(&self) -> String {
        match self {
            ParamKind::Tensor(pattern) => pattern.to_string(),
            ParamKind::Int => "int".to_string(),
            ParamKind::Float => "float".to_string(),
            ParamKind::Bool => "bool".to_string(),
        }
    }
}

impl OpDecl {
    /// Reads the signature. `known` answers for names that are fixed outside of it.
    pub fn from_ast(
        op: &ast::Op,
        doc: Option<&str>,
        std: bool,
        known: &dyn Fn(&Expr) -> Option<Number>,
        diags: &mut Diagnostics,
    ) -> Checked<OpDecl> {
        let settings: BTreeSet<&str> =
            op.params.iter().filter(|p| &*p.ty.name.name == "int").map(|p| &*p.name.name).collect();
        // A setting's name in a shape is bound by the call, whatever the file says of it.
        let fixed = |expr: &Expr| match expr.as_name() {
            Some(name) if settings.contains(&*name.name) => None,
            Some(_) | None => known(expr),
        };
        let params: Vec<_> = op.params.iter().map(|p| param(p, &fixed, diags)).collect();
        let results = match &op.result {
            OpResult::One(ty) => Pattern::from_ast(ty, &fixed, diags).map(|p| vec![(None, p)]),
            OpResult::Named(fields) => fields
                .iter()
                .map(|f| Pattern::from_ast(&f.ty, &fixed, diags).map(|p| (Some(f.name.name.clone()), p)))
                .collect::<Checked<Vec<_>>>(),
        };
        let decl = OpDecl {
            name: op.name.name.clone(),
            name_span: op.name.span,
            doc: doc.unwrap_or_default().to_string(),
            params: params.into_iter().collect::<Checked<_>>()?,
            results: results?,
            body: op.body.clone(),
            std,
        };
        decl.distinct(diags)?;
        decl.all_used(diags)?;
        Ok(decl)
    }

    pub fn param(&self, name: &str) -> Option<&OpParam> {
        self.params.iter().find(|p| &*p.name == name)
    }

    /// The lines behind `@example` of the doc comment.
    pub fn examples(&self) -> impl Iterator<Item = &str> {
        self.doc.lines().filter_map(|line| line.trim().strip_prefix("@example")).map(str::trim)
    }

    /// `leaky_relu(x: f32[..s], slope: float) -> f32[..s]`
    pub fn signature(&self) -> String {
        let params: Vec<String> =
            self.params.iter().map(|p| format!("{}: {}", p.name, p.kind.text())).collect();
        let results: Vec<String> = self
            .results
            .iter()
            .map(|(name, p)| name.as_ref().map_or_else(|| p.to_string(), |n| format!("{n}: {p}")))
            .collect();
        let results = match results.as_slice() {
            [one] => one.clone(),
            several => format!("({})", several.join(", ")),
        };
        format!("{}({}) -> {results}", self.name, params.join(", "))
    }

    /// Every name that the body and the defaults mention.
    pub fn mentions(&self) -> BTreeSet<Arc<str>> {
        let mut names = BTreeSet::new();
        match &self.body {
            OpBody::Formula(expr) => mentioned(expr, &mut names),
            OpBody::Body(entries) => entries.iter().for_each(|e| mentioned_by_entry(e, &mut names)),
        }
        self.params.iter().filter_map(|p| p.default.as_ref()).for_each(|e| mentioned(e, &mut names));
        names
    }

    fn distinct(&self, diags: &mut Diagnostics) -> Checked<()> {
        for (i, param) in self.params.iter().enumerate() {
            if let Some(first) = self.params[..i].iter().find(|p| p.name == param.name) {
                diags.push(
                    Diagnostic::error(
                        "name::twice",
                        format!("`{}` has two parameters `{}`", self.name, param.name),
                        param.span,
                        "declared again",
                    )
                    .label(first.span, "declared here")
                    .help("rename one of them"),
                );
                return Err(Reported);
            }
        }
        Ok(())
    }

    fn all_used(&self, diags: &mut Diagnostics) -> Checked<()> {
        let mut used = self.mentions();
        let shapes = self.params.iter().filter_map(|p| match &p.kind {
            ParamKind::Tensor(pattern) => Some(pattern),
            ParamKind::Int | ParamKind::Float | ParamKind::Bool => None,
        });
        let results = self.results.iter().map(|(_, p)| p);
        used.extend(shapes.chain(results).flat_map(Pattern::names).map(Arc::from));
        let unused: Vec<_> = self.params.iter().filter(|p| !used.contains(&p.name)).collect();
        for param in &unused {
            diags.push(
                Diagnostic::error(
                    "op::unused",
                    format!("`{}` does not use its parameter `{}`", self.name, param.name),
                    param.span,
                    "never used",
                )
                .help("use it in the formula, or remove it"),
            );
        }
        if unused.is_empty() { Ok(()) } else { Err(Reported) }
    }
}

fn param(
    field: &Field,
    known: &dyn Fn(&Expr) -> Option<Number>,
    diags: &mut Diagnostics,
) -> Checked<OpParam> {
    let kind = match (&*field.ty.name.name, &field.ty.shape) {
        ("int", None) => ParamKind::Int,
        ("float", None) => ParamKind::Float,
        ("bool", None) => ParamKind::Bool,
        _ => ParamKind::Tensor(Pattern::from_ast(&field.ty, known, diags)?),
    };
    Ok(OpParam { name: field.name.name.clone(), kind, default: field.default.clone(), span: field.span })
}

fn mentioned_by_entry(entry: &Entry, names: &mut BTreeSet<Arc<str>>) {
    match &entry.kind {
        EntryKind::Let { value, .. } | EntryKind::Output { value, .. } | EntryKind::Bind { value, .. } => {
            mentioned(value, names)
        }
        EntryKind::Typed { how, .. } => mentioned(how, names),
        EntryKind::Section(section) => section.entries.iter().for_each(|e| mentioned_by_entry(e, names)),
        EntryKind::Input { .. } | EntryKind::Broken => {}
    }
}

/// Every name in an expression, functions included.
pub fn mentioned(expr: &Expr, names: &mut BTreeSet<Arc<str>>) {
    match &expr.kind {
        ExprKind::Name(name) => {
            names.insert(name.name.clone());
        }
        ExprKind::Member(base, _) | ExprKind::Neg(base) | ExprKind::Paren(base) => mentioned(base, names),
        ExprKind::Call { callee, args } => {
            mentioned(callee, names);
            args.iter().for_each(|a| mentioned(&a.value, names));
        }
        ExprKind::Index { base, items } => {
            mentioned(base, names);
            items.iter().for_each(|i| mentioned_by_index(i, names));
        }
        ExprKind::Binary { left, right, .. } | ExprKind::Range(left, right) => {
            mentioned(left, names);
            mentioned(right, names);
        }
        ExprKind::Pipe { input, stage } => {
            mentioned(input, names);
            mentioned(stage, names);
        }
        ExprKind::As { stage, .. } => mentioned(stage, names),
        ExprKind::By { metric, .. } => mentioned(metric, names),
        ExprKind::Repeat { count, body, .. } => {
            mentioned(count, names);
            mentioned(body, names);
        }
        ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().for_each(|e| mentioned(e, names)),
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Percent(_)
        | ExprKind::Bytes(_)
        | ExprKind::Str(_)
        | ExprKind::Bool(_)
        | ExprKind::Broken => {}
    }
}

fn mentioned_by_index(item: &IndexItem, names: &mut BTreeSet<Arc<str>>) {
    match item {
        IndexItem::At(expr) => mentioned(expr, names),
        IndexItem::Rest(_) => {}
        IndexItem::Slice { start, stop, step, .. } => {
            [start, stop, step].into_iter().flatten().for_each(|e| mentioned(e, names))
        }
    }
}
