//! A kernel's loops in the one form that code is generated from.
//!
//! Dims that every access walks as one are merged, and one dim becomes the **lane**: the one that
//! vectors run along.
//!
//! | form | lane | who owns a lane | a fold |
//! |---|---|---|---|
//! | `Map` | any dim | a unit: one strip of lanes at one point of the other dims | has none |
//! | `Rows` | a dim of the row | a unit: one point of `outer`, its whole row | 16 lanes, then a tree |
//! | `Columns` | a dim of `outer` | a unit: one strip of lanes at one point of the other outer dims | a chain in row order |

use crate::base::DType;
use crate::codegen::dims::{bits_of, insert_unit_dim, merge_dims, strides_set, variation};
use crate::loops::{Access, Body, Node};

/// What a body of a kernel becomes.
#[derive(Clone, Debug)]
pub struct Nest {
    pub form: Form,
    pub dims: Vec<usize>,
    /// Points of these dims are units of work, outermost first; without the lane.
    pub outer: Vec<usize>,
    /// Dims that a fold walks beside the lane, outermost first.
    pub seq: Vec<usize>,
    pub lane: usize,
    /// Strides are over `dims`, buffers are slots.
    pub body: Body,
    /// Of each buffer slot.
    pub dtypes: Vec<DType>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Map,
    Rows,
    Columns,
}

impl Nest {
    /// The nest of a `Rows` kernel whose buffers are bound.
    pub fn of_rows(rows: &crate::loops::Rows, dtypes: &[DType]) -> Nest {
        let mut body = rows.body.clone();
        let folds = body.nodes.iter().any(|(_, n)| matches!(n, Node::Fold { .. }));
        let mut dims: Vec<usize> = rows.outer.iter().chain(&rows.row).copied().collect();
        let mut groups = if folds { vec![rows.outer.len(), rows.row.len()] } else { vec![dims.len(), 0] };
        merge_dims(&mut body, &mut dims, &mut groups);
        if folds && groups[1] == 0 {
            insert_unit_dim(&mut body, &mut dims, groups[0]);
            groups[1] = 1;
        }
        if dims.is_empty() {
            insert_unit_dim(&mut body, &mut dims, 0);
            groups[0] = 1;
        }
        let (form, lane) = choose_lane(&body, &dims, groups[0], folds);
        let outer = (0..groups[0]).filter(|&d| d != lane).collect();
        let seq = (groups[0]..dims.len()).filter(|&d| d != lane).collect();
        Nest { form, dims, outer, seq, lane, body, dtypes: dtypes.to_vec() }
    }

    pub fn lanes(&self) -> usize {
        self.dims[self.lane]
    }

    /// Points of the dims in `which`.
    pub fn points(&self, which: &[usize]) -> usize {
        which.iter().map(|&d| self.dims[d]).product()
    }
}

/// The form and the lane with the lowest guess of the cost for each element.
fn choose_lane(body: &Body, dims: &[usize], outer: usize, folds: bool) -> (Form, usize) {
    let row = bits_of(&(outer..dims.len()).collect::<Vec<_>>());
    let varies = variation(body, dims.len(), row);
    // Prefers the innermost dim where the guesses are equal.
    let mut best: Option<(f64, Form, usize)> = None;
    for lane in (0..dims.len()).rev() {
        let form = match (folds, lane < outer) {
            (false, _) => Form::Map,
            (true, false) => Form::Rows,
            (true, true) => Form::Columns,
        };
        let cost = access_cost(body, dims, &varies, lane) + overhead(form, dims[lane]);
        if best.is_none_or(|(least, _, _)| cost < least) {
            best = Some((cost, form, lane));
        }
    }
    let (_, form, lane) = best.expect("nest: there is a dim to run along");
    (form, lane)
}

/// Work outside the vector loop, shared by the elements of one run along the lane.
fn overhead(form: Form, lanes: usize) -> f64 {
    let per_run = match form {
        Form::Map | Form::Columns => 8.0,
        Form::Rows => 16.0,
    };
    per_run / lanes as f64
}

/// Loads and stores in quarter vectors for each element: 1 where they are contiguous. An access
/// that repeats along some dims is paid once for them.
fn access_cost(body: &Body, dims: &[usize], varies: &[u64], lane: usize) -> f64 {
    let share = |set: u64| {
        let repeats = dims.iter().enumerate().filter(|(d, _)| set >> d & 1 == 0 && *d != lane);
        1.0 / repeats.map(|(_, &size)| size as f64).product::<f64>()
    };
    let of_access = |access: &Access, set: u64, gathered: bool| {
        let guarded = access.guards.iter().any(|g| g.strides[lane] != 0);
        let price = match access.strides[lane] {
            _ if gathered || guarded => 6.0,
            0 => 1.0 / dims[lane] as f64,
            1 => 1.0,
            _ => 5.0,
        };
        price * share(set)
    };
    let loads: f64 = body
        .nodes
        .iter()
        .map(|(id, node)| match node {
            Node::Load(access) => of_access(access, varies[id.index()], false),
            Node::LoadAt { access, index, .. } => {
                of_access(access, varies[id.index()], varies[index.index()] >> lane & 1 == 1)
            }
            Node::Acc
            | Node::Const { .. }
            | Node::Index { .. }
            | Node::Random { .. }
            | Node::Op { .. }
            | Node::Fold { .. } => 0.0,
        })
        .sum();
    let stores: f64 = body
        .stores
        .iter()
        .map(|s| of_access(&s.access, varies[s.value.index()] | strides_set(&s.access.strides), false))
        .sum();
    loads + stores
}
