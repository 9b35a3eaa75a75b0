//! The code of one strip: vector loops, strip calls, folds, stores.
//!
//! The order of a fold is part of the language's promise of equal bits. Along a row, element `i`
//! of each run of the lane dim goes to accumulator `i % 16`; the 16 are joined as `(q0 + q1) +
//! (q2 + q3)` by quarters of four, then `(l0 + l1) + (l2 + l3)`. Down columns each lane is one chain
//! in row-major order of the row.

use super::emit::{At, Gen, Len, Place};
use super::nest::Form;
use super::strip::StripPlan;
use super::wide::{Begin, RowsOf, Want};
use crate::base::DType;
use crate::graph::Fold;
use crate::loops::{Node, NodeId};
use cranelift_codegen::ir::types::{F32X4, I32X4};
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::Variable;

/// The running folds of a row.
pub struct Accumulators {
    /// Four vectors each.
    pub folds: Vec<(NodeId, [Variable; 4])>,
    /// Whether one strip is all that they meet: they are at their start before it.
    pub once: bool,
}

/// Cost of a loop body up to which it is repeated within a round.
const UNROLLED: u32 = 12;

impl Gen<'_, '_> {
    // ---- vector loops

    /// Calls `body` at every position of a strip. With `sixteen`, quarters go round by position.
    pub fn lane_loop(&mut self, len: Len, sixteen: bool, unroll: usize, body: &mut dyn FnMut(&mut Self, At)) {
        match len {
            Len::Const(n) => self.lane_loop_const(n, if sixteen { 4 } else { unroll }, body),
            Len::Dyn { value, fours } => self.lane_loop_dyn(value, fours, unroll, body),
        }
    }

    fn lane_loop_const(&mut self, n: usize, unroll: usize, body: &mut dyn FnMut(&mut Self, At)) {
        let round = 4 * unroll;
        let rounds = n / round;
        let mut one_round = |g: &mut Self, bytes: Option<Value>| {
            for quarter in 0..unroll {
                g.forget();
                body(g, At { bytes, beyond: 4 * quarter, take: 4, quarter });
            }
        };
        match rounds {
            0 => {}
            1 => one_round(self, None),
            _ => {
                let end = self.iconst(4 * (rounds * round) as i64);
                self.for_each(end, 4 * round as i64, true, &mut |g, i| one_round(g, Some(i)));
            }
        }
        for beyond in (rounds * round..n).step_by(4) {
            self.forget();
            let take = (n - beyond).min(4);
            body(self, At { bytes: None, beyond, take, quarter: beyond / 4 % 4 });
        }
        self.forget();
    }

    /// Rounds of whole vectors, then whole vectors, then single lanes.
    fn lane_loop_dyn(&mut self, n: Value, fours: bool, unroll: usize, body: &mut dyn FnMut(&mut Self, At)) {
        let bytes = self.times(n, 4);
        let whole = if fours { bytes } else { self.b.ins().band_imm_s(bytes, -16) };
        let round = 16 * unroll as i64;
        let rounds = if unroll > 1 { self.b.ins().band_imm_s(bytes, -round) } else { self.iconst(0) };
        if unroll > 1 {
            self.for_each(rounds, round, false, &mut |g, i| {
                for quarter in 0..unroll {
                    g.forget();
                    body(g, At { bytes: Some(i), beyond: 4 * quarter, take: 4, quarter: 0 });
                }
            });
        }
        let left = self.b.ins().isub(whole, rounds);
        self.for_each(left, 16, fours && unroll == 1, &mut |g, i| {
            g.forget();
            let i = g.b.ins().iadd(rounds, i);
            body(g, At { bytes: Some(i), beyond: 0, take: 4, quarter: 0 });
        });
        if !fours {
            let rest = self.b.ins().isub(bytes, whole);
            self.for_each(rest, 4, false, &mut |g, i| {
                g.forget();
                let i = g.b.ins().iadd(whole, i);
                body(g, At { bytes: Some(i), beyond: 0, take: 1, quarter: 0 });
            });
        }
        self.forget();
    }

    /// How often to repeat the work of `roots` within a round of a loop over `len`.
    fn unroll(&self, len: Len, roots: &[NodeId]) -> usize {
        let cost: u32 = roots.iter().map(|r| self.facts.cost[r.index()].max(1)).sum();
        match len {
            Len::Const(n) if n % 16 == 0 && 3 * cost <= UNROLLED => 4,
            Len::Const(n) if n % 8 == 0 && cost <= UNROLLED => 2,
            Len::Dyn { .. } if 3 * cost <= UNROLLED => 4,
            Len::Dyn { .. } if cost <= UNROLLED => 2,
            Len::Const(_) | Len::Dyn { .. } => 1,
        }
    }

    // ---- strips

    /// Runs a plan over the present strip. `layout` says where each node goes in scratch.
    pub fn strip(
        &mut self,
        plan: &StripPlan,
        layout: &[Option<Place>],
        len: Len,
        accumulators: Option<&Accumulators>,
    ) {
        let place = |id: NodeId| layout[id.index()].expect("codegen: what a strip stores has a place");
        let n = match len {
            Len::Const(n) => self.iconst(n as i64),
            Len::Dyn { value, .. } => value,
        };
        for stage in &plan.stages {
            for &call in &stage.calls {
                let out = self.place_pointer(place(call));
                self.call_strip(call, n, out);
                self.put(call, place(call));
            }
            self.leave(&stage.outs, layout, len);
        }
        let (plain, conditional): (Vec<usize>, Vec<usize>) =
            plan.stores.iter().partition(|&&s| self.store_dims(s).is_empty());
        if !plan.folds.is_empty() || !plain.is_empty() {
            self.last_loop(&plan.folds, &plain, layout, len, accumulators);
        }
        for store in conditional {
            let condition = self.at_origin(store);
            self.when(condition, &mut |g| g.last_loop(&[], &[store], layout, len, None));
        }
        self.leave(&plan.outs, layout, len);
        for (id, place) in layout.iter().enumerate() {
            if matches!(place, Some(Place::Strip(_))) {
                self.places[id] = None;
            }
        }
    }

    /// Runs a plan over several rows by one call, down columns if it folds; false if there is none for it.
    pub fn strip_rows(&mut self, plan: &StripPlan, layout: &[Option<Place>], len: Len, rows: RowsOf) -> bool {
        let single = plan.stages.is_empty() && plan.outs.is_empty();
        if !single || !plan.stores.iter().all(|&s| self.store_dims(s).is_empty()) {
            return false;
        }
        let nest = self.nest;
        let place = |fold: NodeId| layout[fold.index()].expect("codegen: a fold down columns has a place");
        let folds = plan.folds.iter().map(|&fold| Want::Down(fold, place(fold)));
        let stores = plan.stores.iter().map(|&s| &nest.body.stores[s]);
        let wants: Vec<Want> = folds.chain(stores.map(|s| Want::Store(s.value, &s.access))).collect();
        self.wide_rows(len, &wants, rows)
    }

    /// Computes nodes into scratch.
    fn leave(&mut self, outs: &[NodeId], layout: &[Option<Place>], len: Len) {
        if outs.is_empty() {
            return;
        }
        let place = |out: NodeId| layout[out.index()].expect("codegen: an out has a place");
        let wants: Vec<Want> = outs.iter().map(|&out| Want::Leave(out, place(out))).collect();
        if self.wide(len, &wants, None) {
            outs.iter().for_each(|&out| self.put(out, place(out)));
            return;
        }
        self.prepare(outs);
        let targets: Vec<Value> = outs.iter().map(|&out| self.place_pointer(place(out))).collect();
        let unroll = self.unroll(len, outs);
        self.lane_loop(len, false, unroll, &mut |g, at| {
            let values: Vec<Value> = outs.iter().map(|&out| g.value(out, at)).collect();
            for (x, &target) in values.into_iter().zip(&targets) {
                let address = at.bytes.map_or(target, |i| g.b.ins().iadd(target, i));
                g.store_dense(x, address, 4 * at.beyond as i32, at.take);
            }
        });
        outs.iter().for_each(|&out| self.put(out, place(out)));
    }

    fn last_loop(
        &mut self,
        folds: &[NodeId],
        stores: &[usize],
        layout: &[Option<Place>],
        len: Len,
        accumulators: Option<&Accumulators>,
    ) {
        let nest = self.nest;
        if self.last_loop_is_wide(folds, stores, layout, len, accumulators) {
            return;
        }
        let values: Vec<NodeId> = stores.iter().map(|&s| nest.body.stores[s].value).collect();
        let terms: Vec<NodeId> = folds.iter().map(|f| nest.body.nodes[*f].inputs()[0]).collect();
        let roots: Vec<NodeId> = terms.iter().chain(&values).copied().collect();
        self.prepare(&roots);
        let targets: Vec<Value> = stores.iter().map(|&s| self.address(&nest.body.stores[s].access)).collect();
        let columns: Vec<Value> = match nest.form {
            Form::Columns => folds.iter().map(|f| self.column_pointer(*f, layout)).collect(),
            Form::Map | Form::Rows => Vec::new(),
        };
        let along = nest.form == Form::Rows && !folds.is_empty();
        let unroll = match len {
            Len::Const(n) if !self.sums.is_empty() => (n / 4).max(1),
            Len::Const(_) | Len::Dyn { .. } => self.unroll(len, &roots),
        };
        self.lane_loop(len, along, unroll, &mut |g, at| {
            let values: Vec<Value> = values.iter().map(|&v| g.value(v, at)).collect();
            for (i, (&fold, &term)) in folds.iter().zip(&terms).enumerate() {
                let x = g.value(term, at);
                match accumulators {
                    Some(accumulators) if along => g.fold_along(accumulators, fold, x, at),
                    _ => g.fold_down(fold, x, columns[i], at),
                }
            }
            for ((&store, &x), &target) in stores.iter().zip(&values).zip(&targets) {
                g.store_lanes(store, x, target, at);
            }
        });
    }

    fn last_loop_is_wide(
        &mut self,
        folds: &[NodeId],
        stores: &[usize],
        layout: &[Option<Place>],
        len: Len,
        accumulators: Option<&Accumulators>,
    ) -> bool {
        let nest = self.nest;
        let place = |fold: NodeId| layout[fold.index()].expect("codegen: a fold down columns has a place");
        let begin = if accumulators.is_some_and(|all| all.once) { Begin::Anew } else { Begin::There };
        let folds = folds.iter().map(|&fold| match nest.form {
            Form::Columns => Want::Down(fold, place(fold)),
            Form::Map | Form::Rows => Want::Along(fold, begin),
        });
        let stores = stores.iter().map(|&s| &nest.body.stores[s]);
        let wants: Vec<Want> = folds.chain(stores.map(|s| Want::Store(s.value, &s.access))).collect();
        self.wide(len, &wants, accumulators)
    }

    fn column_pointer(&mut self, fold: NodeId, layout: &[Option<Place>]) -> Value {
        let place = layout[fold.index()].expect("codegen: a fold down columns has a place");
        self.place_pointer(place)
    }

    fn store_lanes(&mut self, store: usize, x: Value, target: Value, at: At) {
        let nest = self.nest;
        let access = &nest.body.stores[store].access;
        let stride = access.strides[nest.lane];
        let moved = at.bytes.map(|i| self.times(i, stride));
        let address = moved.map_or(target, |moved| self.b.ins().iadd(target, moved));
        let offset = 4 * at.beyond as i64 * stride;
        let offset = i32::try_from(offset).expect("codegen: a strip spans less than 2 GiB");
        if stride == 1 {
            return self.store_dense(x, address, offset, at.take);
        }
        for l in 0..at.take {
            self.store_lane(x, l as u8, address, offset + (4 * l as i64 * stride) as i32);
        }
    }

    // ---- stores of values that do not vary over every dim

    /// Dims over which a store repeats: it runs at their origin alone.
    fn store_dims(&self, store: usize) -> Vec<usize> {
        let nest = self.nest;
        let facts = self.facts.stores[store];
        (0..nest.dims.len())
            .filter(|d| facts.varies >> d & 1 == 0)
            .filter(|d| *d != nest.lane || nest.form != Form::Rows)
            .filter(|d| facts.row || !nest.seq.contains(d))
            .collect()
    }

    /// Whether the present indices are 0 in all dims over which a store repeats.
    pub fn at_origin(&mut self, store: usize) -> Option<Value> {
        use cranelift_codegen::ir::condcodes::IntCC;
        let mut all = None;
        for d in self.store_dims(store) {
            all = Some(match all {
                None => self.index[d],
                Some(sum) => self.b.ins().bor(sum, self.index[d]),
            });
        }
        all.map(|sum| self.b.ins().icmp_imm_s(IntCC::Equal, sum, 0))
    }

    /// Stores a value that no lane changes, where the present indices call for it.
    pub fn store_scalar(&mut self, store: usize) {
        let nest = self.nest;
        let Some(x) = self.scalar_value(nest.body.stores[store].value) else {
            panic!("codegen: a unit's values are there before they are stored");
        };
        let condition = self.at_origin(store);
        self.when(condition, &mut |g| {
            let target = g.address(&nest.body.stores[store].access);
            g.store_lane(x, 0, target, 0);
        });
    }

    // ---- folds

    /// Opens the accumulators of folds along the row; `once` if it is one strip.
    pub fn open_folds(&mut self, folds: &[NodeId], once: bool) -> Accumulators {
        let folds = folds
            .iter()
            .map(|&fold| {
                let ty = self.vector_type(fold);
                let start = self.fold_start(fold);
                let quarters = [0; 4].map(|_| {
                    let variable = self.b.declare_var(ty);
                    self.b.def_var(variable, start);
                    variable
                });
                (fold, quarters)
            })
            .collect();
        Accumulators { folds, once }
    }

    /// Joins the accumulators of each fold; the results are scalars from here on.
    pub fn close_folds(&mut self, accumulators: &Accumulators) {
        for (fold, quarters) in &accumulators.folds {
            let q: Vec<Value> = quarters.iter().map(|&v| self.b.use_var(v)).collect();
            let low = self.join(*fold, q[0], q[1]);
            let high = self.join(*fold, q[2], q[3]);
            let four = self.join(*fold, low, high);
            let ty = self.vector_type(*fold);
            let lanes: Vec<Value> = (0..4u8)
                .map(|l| {
                    let lane = self.b.ins().extractlane(four, l);
                    self.b.ins().splat(ty, lane)
                })
                .collect();
            let low = self.join(*fold, lanes[0], lanes[1]);
            let high = self.join(*fold, lanes[2], lanes[3]);
            self.scalars[fold.index()] = Some(self.join(*fold, low, high));
        }
    }

    /// Sets the chains of folds down columns to their start: in registers, or where the columns lie.
    pub fn open_columns(
        &mut self,
        folds: &[NodeId],
        layout: &[Option<Place>],
        len: usize,
        in_registers: bool,
    ) {
        for &fold in folds {
            let start = self.fold_start(fold);
            if in_registers {
                let ty = self.vector_type(fold);
                let sums = (0..len.div_ceil(4)).map(|_| self.b.declare_var(ty)).collect::<Vec<_>>();
                sums.iter().for_each(|&sum| self.b.def_var(sum, start));
                self.sums.push((fold, sums));
                continue;
            }
            let target = self.column_pointer(fold, layout);
            self.lane_loop(Len::Const(len), false, 1, &mut |g, at| {
                let address = at.bytes.map_or(target, |i| g.b.ins().iadd(target, i));
                g.store_dense(start, address, 4 * at.beyond as i32, at.take);
            });
        }
    }

    /// Leaves the chains that are in registers where the columns lie.
    pub fn close_columns(&mut self, layout: &[Option<Place>], len: usize) {
        for (fold, sums) in std::mem::take(&mut self.sums) {
            let target = self.column_pointer(fold, layout);
            for (i, sum) in sums.into_iter().enumerate() {
                let sum = self.b.use_var(sum);
                self.store_dense(sum, target, 16 * i as i32, (len - 4 * i).min(4));
            }
        }
    }

    fn fold_along(&mut self, accumulators: &Accumulators, fold: NodeId, x: Value, at: At) {
        let (_, quarters) = accumulators
            .folds
            .iter()
            .find(|(f, _)| *f == fold)
            .expect("codegen: every fold of a sweep is open");
        let variable = quarters[at.quarter];
        let x = if at.take == 4 { x } else { self.neutral_beyond(fold, x, at.take) };
        let so_far = self.b.use_var(variable);
        let joined = self.join(fold, so_far, x);
        self.b.def_var(variable, joined);
    }

    fn fold_down(&mut self, fold: NodeId, x: Value, column: Value, at: At) {
        if let Some((_, sums)) = self.sums.iter().find(|(f, _)| *f == fold) {
            assert!(at.bytes.is_none(), "codegen: lanes of sums in registers are written out");
            let sum = sums[at.beyond / 4];
            let so_far = self.b.use_var(sum);
            let joined = self.join(fold, so_far, x);
            return self.b.def_var(sum, joined);
        }
        let ty = self.vector_type(fold);
        let address = at.bytes.map_or(column, |i| self.b.ins().iadd(column, i));
        let offset = 4 * at.beyond as i32;
        let so_far = self.load_dense(ty, address, offset, at.take);
        let joined = self.join(fold, so_far, x);
        self.store_dense(joined, address, offset, at.take);
    }

    /// Replaces the lanes from `take` on by what changes no fold.
    fn neutral_beyond(&mut self, fold: NodeId, x: Value, take: usize) -> Value {
        let mask = [0, 1, 2, 3].map(|l| if l < take { u32::MAX } else { 0 });
        let mask = self.lanes(I32X4, mask);
        let ty = self.vector_type(fold);
        let mask = self.cast(ty, mask);
        let start = self.fold_start(fold);
        self.b.ins().bitselect(mask, x, start)
    }

    fn fold_start(&mut self, fold: NodeId) -> Value {
        match (self.fold_kind(fold), self.facts.dtype[fold.index()]) {
            (Fold::Sum, DType::F32) => self.float(0.0),
            (Fold::Sum, DType::I32 | DType::U8) => self.lanes(I32X4, [0; 4]),
            (Fold::Max, DType::F32) => self.float(f32::NEG_INFINITY),
            (Fold::Max, DType::I32 | DType::U8) => self.lanes(I32X4, [i32::MIN as u32; 4]),
        }
    }

    /// One step of a fold. No number, once met, stays.
    fn join(&mut self, fold: NodeId, so_far: Value, x: Value) -> Value {
        match (self.fold_kind(fold), self.b.func.dfg.value_type(x) == F32X4) {
            (Fold::Sum, true) => self.b.ins().fadd(so_far, x),
            (Fold::Sum, false) => self.b.ins().iadd(so_far, x),
            (Fold::Max, true) => {
                let larger = self.larger(x, so_far);
                self.keep_nan(larger, x)
            }
            (Fold::Max, false) => self.b.ins().smax(so_far, x),
        }
    }

    pub fn fold_kind(&self, id: NodeId) -> Fold {
        match &self.nest.body.nodes[id] {
            Node::Fold { fold, .. } => *fold,
            Node::Acc
            | Node::Const { .. }
            | Node::Index { .. }
            | Node::Random { .. }
            | Node::Load(_)
            | Node::LoadAt { .. }
            | Node::Op { .. } => panic!("codegen: node {id} is no fold"),
        }
    }
}
