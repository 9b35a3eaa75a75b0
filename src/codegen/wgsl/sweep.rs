//! The phases of a body that folds: sweeps over the row, each of which can use what the sweeps before it folded.
//!
//! A sweep computes what it needs of each point anew, for rows are short or close. Stores at every point belong to the
//! last sweep, stores once for the row come after it.

use super::body::{Emitter, both};
use super::ir::{Binary, Expr, Local, Stmt, Type};
use crate::codegen::dims::{strides_set, variation};
use crate::graph::{Fold, ScalarOp};
use crate::loops::{Body, Node, NodeId};

/// Which sweep computes what. Lists are by node, or by store.
pub struct Sweeps {
    /// Whether it belongs to each point of the row, not to the row.
    row: Vec<bool>,
    /// How many sweeps must come before it.
    level: Vec<usize>,
    /// Whether some store needs it.
    live: Vec<bool>,
    row_store: Vec<bool>,
    pub count: usize,
    /// The first dim of the row.
    outer: usize,
}

/// Who walks a row.
#[derive(Clone, Debug)]
pub enum Walk {
    /// One invocation.
    Alone,
    /// One invocation; the sums of a contraction are read by this function of the row, given here, and the row-major
    /// number of the point in it.
    Sums {
        function: String,
        row: Expr,
    },
    Shared(Lanes),
}

/// Several invocations of a workgroup that share a row.
#[derive(Clone, Debug)]
pub struct Lanes {
    /// How many, and which this one is: `i32`.
    pub lanes: i32,
    pub lane: Expr,
    /// Rows of the workgroup, a power of two, and which of them this one is: `i32`.
    pub points: i32,
    pub point: Expr,
    /// The place of this invocation among all lanes of all rows of the workgroup, rows fastest: `i32`.
    pub place: Expr,
    /// True where there is such a row; none if there always is.
    pub exists: Option<Expr>,
}

impl Sweeps {
    /// Of a body whose row dims are those from `outer` on.
    pub fn of(body: &Body, sizes: &[usize], outer: usize) -> Sweeps {
        let many = |set: u64| (outer..sizes.len()).any(|d| sizes[d] != 1 && set >> d & 1 == 1);
        let row_dims = (outer..sizes.len()).fold(0, |set, d| set | 1 << d);
        let varies = variation(body, sizes.len(), row_dims);
        let row: Vec<bool> = varies.iter().map(|&set| many(set)).collect();
        let mut level: Vec<usize> = Vec::with_capacity(body.nodes.len());
        for (_, node) in body.nodes.iter() {
            let deepest = node.inputs().iter().map(|i| level[i.index()]).max().unwrap_or(0);
            level.push(deepest + usize::from(matches!(node, Node::Fold { .. })));
        }
        let row_store =
            |s: &crate::loops::Store| many(strides_set(&s.access.strides)) || row[s.value.index()];
        let row_store: Vec<bool> = body.stores.iter().map(row_store).collect();
        let stored = body.stores.iter().zip(&row_store).filter(|(_, row)| **row);
        let last_store = stored.map(|(s, _)| level[s.value.index()] + 1).max().unwrap_or(0);
        let live = live(body);
        let folds = body.nodes.iter().filter(|(id, n)| live[id.index()] && matches!(n, Node::Fold { .. }));
        let last_fold = folds.map(|(id, _)| level[id.index()]).max().unwrap_or(0);
        Sweeps { row, level, live, row_store, count: last_fold.max(last_store), outer }
    }

    /// Whether nothing is folded and, where there are rows, everything is stored at every point of them.
    pub fn is_map(&self, body: &Body, sizes: &[usize]) -> bool {
        let folds = body.nodes.iter().any(|(id, n)| self.live[id.index()] && matches!(n, Node::Fold { .. }));
        let has_rows = sizes[self.outer..].iter().any(|&n| n != 1);
        !folds && (!has_rows || self.row_store.iter().all(|row| *row))
    }

    /// All sweeps and stores at one point of the outer dims, of which `e` has the indices.
    pub fn emit(&self, e: &mut Emitter, walk: &Walk) {
        for step in 0..self.count {
            self.sweep(e, walk, step);
        }
        let stores: Vec<usize> = (0..self.row_store.len()).filter(|&s| !self.row_store[s]).collect();
        if stores.is_empty() {
            return;
        }
        let body = e.body;
        stores.iter().for_each(|&s| _ = e.named(body.stores[s].value));
        let Walk::Shared(lanes) = walk else { return e.stores(&stores) };
        let written = |buffer| stores.iter().any(|&s| body.stores[s].access.buffer == buffer);
        if body.loads().any(|load| written(load.buffer)) {
            // Other lanes may still have to read what is overwritten now.
            e.push(Stmt::StorageBarrier);
        }
        let first = lanes.lane.clone().binary(Binary::Eq, Expr::I32(0));
        e.when(both(Some(first), lanes.exists.clone()), |e| e.stores(&stores));
    }

    fn sweep(&self, e: &mut Emitter, walk: &Walk, step: usize) {
        let body = e.body;
        let folds = self.folds(body, step);
        let last = step + 1 == self.count;
        let stores: Vec<usize> = (0..self.row_store.len()).filter(|&s| last && self.row_store[s]).collect();
        let terms = folds.iter().map(|&(_, _, input)| input);
        let values = stores.iter().map(|&s| body.stores[s].value);
        self.name_steady(e, terms.chain(values).collect());
        let sums: Vec<Local> =
            folds.iter().map(|&(_, fold, input)| e.var("f", start(fold, e.ty(input)))).collect();
        let exists = match walk {
            Walk::Shared(lanes) if !stores.is_empty() => lanes.exists.clone(),
            Walk::Shared(_) | Walk::Alone | Walk::Sums { .. } => None,
        };
        self.walk(e, walk, &mut |e| {
            for (&(_, fold, input), &sum) in folds.iter().zip(&sums) {
                let value = e.value(input);
                let value = Expr::Scalar { op: joins(fold), args: vec![Expr::Local(sum), value] };
                e.push(Stmt::Assign { local: sum, value });
            }
            e.when(exists.clone(), |e| e.stores(&stores));
        });
        for (&(id, fold, _), sum) in folds.iter().zip(sums) {
            let value = match walk {
                Walk::Alone | Walk::Sums { .. } => Expr::Local(sum),
                Walk::Shared(lanes) => tree(e, lanes, fold, Expr::Local(sum)),
            };
            e.know(id, value);
        }
    }

    /// The loop over the points of the row that fall to this invocation.
    fn walk(&self, e: &mut Emitter, walk: &Walk, inside: &mut dyn FnMut(&mut Emitter)) {
        let row: usize = e.sizes[self.outer..].iter().product();
        if row == 0 {
            return;
        }
        match walk {
            Walk::Alone => nest(e, self.outer, inside),
            Walk::Sums { function, row } => nest(e, self.outer, &mut |e| {
                let point = e.row_major(self.outer..e.sizes.len());
                e.acc = Some(Expr::call(function.clone(), vec![row.clone(), point], Type::F32));
                inside(e);
            }),
            Walk::Shared(lanes) => {
                let bounds = [lanes.lane.clone(), count(row), Expr::I32(lanes.lanes)];
                e.repeat("r", bounds, |e, r| {
                    e.enter(self.outer..e.sizes.len(), r);
                    inside(e);
                });
            }
        }
    }

    /// The folds of a sweep: node, fold, input.
    fn folds(&self, body: &Body, step: usize) -> Vec<(NodeId, Fold, NodeId)> {
        let mut folds = Vec::new();
        for (id, node) in body.nodes.iter() {
            if let Node::Fold { fold, input } = node
                && self.live[id.index()]
                && self.level[id.index()] == step + 1
            {
                folds.push((id, *fold, *input));
            }
        }
        folds
    }

    /// Computes what is the same at every point of the row before the loop over it.
    fn name_steady(&self, e: &mut Emitter, needed: Vec<NodeId>) {
        let mut seen = vec![false; e.body.nodes.len()];
        let mut steady = Vec::new();
        let mut todo = needed;
        while let Some(id) = todo.pop() {
            if std::mem::replace(&mut seen[id.index()], true) {
                continue;
            }
            match self.row[id.index()] {
                true => todo.extend(e.body.nodes[id].inputs()),
                false => steady.push(id),
            }
        }
        steady.sort();
        steady
            .into_iter()
            .filter(|id| !matches!(e.body.nodes[*id], Node::Acc))
            .for_each(|id| _ = e.named(id));
    }
}

/// A number of points.
pub fn count(points: usize) -> Expr {
    Expr::I32(i32::try_from(points).expect("wgsl: points are counted by i32"))
}

/// A loop over each dim from `dim` on, the outermost first.
fn nest(e: &mut Emitter, dim: usize, inside: &mut dyn FnMut(&mut Emitter)) {
    if dim == e.sizes.len() {
        return inside(e);
    }
    e.repeat("r", [Expr::I32(0), count(e.sizes[dim]), Expr::I32(1)], |e, at| {
        e.set_index(dim, at);
        nest(e, dim + 1, inside);
    });
}

/// What a fold of nothing is.
fn start(fold: Fold, ty: Type) -> Expr {
    match (fold, ty) {
        (Fold::Sum, Type::F32) => Expr::F32(0.0),
        (Fold::Max, Type::F32) => Expr::F32(f32::NEG_INFINITY),
        (Fold::Sum, Type::I32) => Expr::I32(0),
        (Fold::Max, Type::I32) => Expr::I32(i32::MIN),
        (Fold::Sum | Fold::Max, Type::U32 | Type::Bool) => panic!("loops: numbers are folded"),
    }
}

/// The function that takes in one more.
fn joins(fold: Fold) -> ScalarOp {
    match fold {
        Fold::Sum => ScalarOp::Add,
        Fold::Max => ScalarOp::Max,
    }
}

/// Folds what the lanes of each row have, by the tree of `fold.wgsl`.
fn tree(e: &mut Emitter, lanes: &Lanes, fold: Fold, sum: Expr) -> Expr {
    let step = match fold {
        Fold::Sum => "mlc_fold_sum",
        Fold::Max => "mlc_fold_max",
    };
    e.call("mlc_fold_begin", vec![lanes.place.clone(), sum], true);
    let mut distance = super::WORKGROUP as i32 / 2;
    while distance >= lanes.points {
        e.call(step, vec![lanes.place.clone(), Expr::I32(distance)], true);
        distance /= 2;
    }
    let folded =
        Expr::Element { array: "mlc_fold".to_string(), ty: Type::F32, index: Box::new(lanes.point.clone()) };
    e.bind("f", folded)
}

/// Nodes that some store needs.
fn live(body: &Body) -> Vec<bool> {
    let mut live = vec![false; body.nodes.len()];
    body.stores.iter().for_each(|s| live[s.value.index()] = true);
    for id in body.nodes.ids().rev() {
        if live[id.index()] {
            body.nodes[id].inputs().iter().for_each(|i| live[i.index()] = true);
        }
    }
    live
}
