//! Columns that are computed and then transformed: `bmi = weight / height^2` with `bmi : standardize`.
//!
//! What training rows decide must be known before a batch is made, so such a formula does not become part of the
//! model's graph: it is a graph of its own, which reads stored columns and is run row by row where data are read.

use super::Data;
use super::columns::{Made, Named};
use super::how::{Chain, How, chain, stages};
use super::rows::arithmetic;
use crate::base::{DType, Dim, Shape, Span, Sym};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Graph, LeafKind, OutputKind, Prim, Value};
use crate::ops::transform::Kind;
use crate::sema::ctx::Ctx;
use crate::sema::job::Formula;
use crate::sema::walk;
use crate::syntax::ast::{EntryKind, Expr, Ident};
use std::sync::Arc;

impl<'a> Data<'a> {
    /// The entry that makes the column that `name : how` types: one that reads no column of that name, which
    /// would be the source's.
    pub(super) fn typed_entry(&self, name: &str) -> Option<usize> {
        let at = self.derived.iter().rposition(|(n, _)| &*n.name == name)?;
        let reads = walk::names_in(|f| walk::expr(self.derived[at].1, f));
        (!reads.contains(name)).then_some(at)
    }

    /// What `name : how` makes of the column of an entry, which is `made` without that.
    pub(super) fn typed_again(&self, cx: &Ctx<'a>, at: usize, made: Named<'a>) -> Named<'a> {
        let (name, _) = self.derived[at];
        if self.typed_entry(&name.name) != Some(at) {
            return made;
        }
        let Some((typed, how)) = self.typed.iter().find(|(n, _)| n.name == name.name) else { return made };
        let (How::Known(_), Some(expr)) = (how, self.typing(&name.name)) else { return Named::Poison };
        let stages = stages(expr);
        match made {
            Named::Chain(made) => match chain(cx, Some(&made.chain), &stages) {
                How::Known(chain) => Named::Chain(Made { chain, span: typed.span, ..made }),
                How::Poison => Named::Poison,
            },
            Named::Derived(at, expr) => self.computed(cx, (typed, at), expr, &stages),
            Named::Rows(_) | Named::Poison | Named::Raw => Named::Poison,
        }
    }

    /// What stands behind `name :`.
    fn typing(&self, name: &str) -> Option<&'a Expr> {
        self.section.entries.iter().find_map(|entry| match &entry.kind {
            EntryKind::Typed { names, how } => names.iter().any(|n| &*n.name == name).then_some(how),
            EntryKind::Bind { .. }
            | EntryKind::Section(_)
            | EntryKind::Let { .. }
            | EntryKind::Input { .. }
            | EntryKind::Output { .. }
            | EntryKind::Broken => None,
        })
    }

    /// Transforms of arithmetic on the columns before an entry.
    pub(super) fn computed(
        &self,
        cx: &Ctx<'a>,
        (name, before): (&Ident, usize),
        input: &'a Expr,
        stages: &[&Expr],
    ) -> Named<'a> {
        let Some(formula) = self.formula(cx, name, before, input) else {
            // What else is wrong is said as well.
            chain(cx, None, stages);
            return Named::Poison;
        };
        match chain(cx, Some(&Chain::of(kind(&formula))), stages) {
            How::Known(chain) => Named::Chain(Made {
                source: name.name.to_string(),
                formula: Some(Arc::new(formula)),
                chain,
                span: name.span,
            }),
            How::Poison => Named::Poison,
        }
    }

    /// Arithmetic on columns as a graph of its own; `None` is reported.
    fn formula(&self, cx: &Ctx<'a>, name: &Ident, before: usize, input: &'a Expr) -> Option<Formula> {
        let mut b = Builder::new(&*name.name);
        let (value, inputs) = arithmetic(cx, self, before, input, &mut b)?;
        b.output(name.name.clone(), value, OutputKind::Value);
        let graph = b.finish();
        if !is_of_rows(&graph, value) {
            cx.report(mixes_rows(name, input.span));
            return None;
        }
        Some(Formula { inputs, graph })
    }
}

fn mixes_rows(name: &Ident, at: Span) -> Diagnostic {
    let message = format!("`{}` is not computed row by row, so it cannot be transformed", name.name);
    let d = Diagnostic::error("column::rows", message, at, "one row is not enough for this");
    d.help("compute it from columns and numbers alone; what all training rows decide, transforms fit: `standardize`")
}

/// What a chain finds that stands behind a formula.
fn kind(formula: &Formula) -> Kind {
    let shape = formula.row();
    match (shape.as_const().as_deref(), formula.dtype()) {
        (Some([]), DType::F32) => Kind::Number,
        (Some([]), DType::I32 | DType::U8) => Kind::Whole,
        (Some(sizes), _) => Kind::Vector(Some(sizes.iter().product())),
        (None, _) => Kind::Vector(None),
    }
}

/// Whether every row of `value` is made of that row of the columns alone.
fn is_of_rows(graph: &Graph, value: Value) -> bool {
    let rows = Sym::from("B");
    let is_rows = |dim: &Dim| dim.as_sym() == Some(&rows);
    let along = |shape: &Shape| match shape.split_first() {
        Some((first, others)) => is_rows(first) && others.iter().all(|dim| !dim.syms().contains(&rows)),
        None => false,
    };
    let mut of_columns = vec![false; graph.nodes.len()];
    for (id, node) in graph.nodes.iter() {
        let reads = match &node.prim {
            Prim::Leaf(leaf) => graph.leaves[*leaf].kind == LeafKind::Batch,
            Prim::Size(size) if size.syms().contains(&rows) => return false,
            Prim::Iota { axis: 0 } if node.ty.shape.first().is_some_and(is_rows) => return false,
            Prim::Random { .. } => return false,
            prim => prim.inputs().iter().any(|input| of_columns[input.index()]),
        };
        of_columns[id.index()] = reads;
        if reads && !along(&node.ty.shape) {
            return false;
        }
    }
    of_columns[value.index()]
}
