//! Tables of weights against the ids that a column feeds them: an id without a row of its own would take the last one's,
//! in silence.

use crate::base::{Dim, Span};
use crate::diag::Diagnostic;
use crate::graph::{Graph, LeafKind, Prim, ScalarOp, Value};
use crate::sema::ctx::Ctx;
use crate::sema::data::Data;
use crate::sema::job::{Range, Wanted};
use std::sync::Arc;

/// A column whose values pick rows of weights.
pub(super) struct Picked {
    pub column: Arc<str>,
    /// How many rows the weights have.
    pub rows: Dim,
    /// The weights in the user's text.
    pub span: Span,
}

/// Every column whose values pick rows of weights as they are, cut and reshaped at most.
pub(super) fn picked(graph: &Graph) -> Vec<Picked> {
    let mut all: Vec<Picked> = Vec::new();
    for (_, node) in graph.nodes.iter() {
        let Prim::Gather { inputs: [table, index] } = node.prim else { continue };
        let Prim::Leaf(weights) = graph.nodes[table].prim else { continue };
        let (weights, Some(column)) = (&graph.leaves[weights], column(graph, index)) else { continue };
        let rows = weights.ty.shape[0].clone();
        let known = all.iter().any(|p| p.column == column && p.rows == rows);
        if matches!(weights.kind, LeafKind::Param(_)) && !known {
            all.push(Picked { column, rows, span: node.span });
        }
    }
    all
}

/// The column of the batch that a value is made of, as long as no arithmetic stands between.
fn column(graph: &Graph, value: Value) -> Option<Arc<str>> {
    match &graph.nodes[value].prim {
        Prim::Leaf(leaf) => {
            let leaf = &graph.leaves[*leaf];
            matches!(leaf.kind, LeafKind::Batch).then(|| leaf.name.clone())
        }
        Prim::Map { op: ScalarOp::ToI32, inputs } => column(graph, inputs[0]),
        Prim::Reshape { input } | Prim::Permute { input, .. } | Prim::Slice { input, .. } => {
            column(graph, *input)
        }
        _computed => None,
    }
}

/// Says where a table has fewer rows than its column has ids; what only the data tell is noted for whoever reads them.
pub(super) fn check(cx: &Ctx, data: &Data, picked: &[Picked]) {
    for Picked { column, rows, span } in picked {
        let ids = data.ids(column);
        match (ids.as_ref().and_then(Dim::as_const), rows.as_const()) {
            (Some(ids), Some(rows)) if ids > rows => {
                let message =
                    format!("`{column}` has {ids} ids, but the weights that it picks have {rows} rows");
                let d = Diagnostic::error("column::ids", message, *span, format!("{rows} rows"));
                let d = match data.made_at(column) {
                    Some(made) => d.label(made, format!("{ids} ids")),
                    None => d,
                };
                cx.report(d.help(format!(
                    "make it `Embedding({ids}, …)`, or `Embedding({}.{column}.vocab, …)`, which follows the column",
                    data.name.name
                )));
            }
            (Some(_), Some(_)) => {}
            _ if ids.as_ref() == Some(rows) => {}
            _unknown => {
                let wanted = Wanted {
                    range: Range::Rows(rows.clone()),
                    except: None,
                    by: "Embedding".into(),
                    span: *span,
                };
                data.want(column, &wanted);
            }
        }
    }
}
