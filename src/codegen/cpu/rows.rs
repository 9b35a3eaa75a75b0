//! `Rows` kernels: the plan of their sweeps and tasks, and their function.

mod cut;
mod sheet;

pub use sheet::is_even;

use super::emit::{Gen, Len, Place};
use super::facts::{Class, Facts};
use super::jit::Jit;
use super::nest::{Form, Nest};
use super::strip::{self, StripPlan, Targets};
use crate::base::DType;
use crate::loops::{Node, NodeId};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::FuncId;
use cut::{column_strip, cost};

/// Lanes of a strip: with a few values of each it stays in L1.
const STRIP: usize = 1024;
/// Scratch for values that sweeps hand on; beyond it they compute them anew.
const KEPT_BYTES: usize = 256 * 1024;
/// Element operations below which a kernel is one task on the calling thread, and of one task.
const INLINE_COST: usize = 100_000;
const TASK_COST: usize = 25_000;
const MAX_TASKS: usize = 64;

/// How a `Rows` kernel runs.
pub struct RowsPlan {
    pub nest: Nest,
    pub facts: Facts,
    /// Nodes that the step function computes, in order of their parameter slots.
    pub uniforms: Vec<NodeId>,
    live: Vec<bool>,
    sweeps: Vec<Sweep>,
    /// Work on whole columns before the first sweep and after each.
    columns: Vec<Sweep>,
    /// Lanes of one strip.
    strip: usize,
    /// Whether folds down columns stay in registers.
    in_registers: bool,
    /// Strips of lanes that are units of their own (not in form `Rows`).
    chunks: usize,
    pub units: usize,
    /// Units that a loop runs through after each other, the points of the last outer dim: their indices need no
    /// division. 1 for none.
    looped: usize,
    /// In blocks of `looped` units.
    pub per_task: usize,
    pub tasks: usize,
    pub scratch_bytes: usize,
    keeps: bool,
}

/// A strip plan with places.
struct Sweep {
    plan: StripPlan,
    layout: Vec<Option<Place>>,
    folds: Vec<NodeId>,
}

impl RowsPlan {
    /// `wide` says whether loops may be.
    pub fn new(nest: Nest, wide: bool) -> RowsPlan {
        let facts = Facts::of(&nest, wide);
        let live = live_nodes(&nest);
        let uniforms = uniform_roots(&nest, &facts, &live);
        let lanes = nest.lanes();
        let (strip, in_registers) = match nest.form {
            Form::Map | Form::Rows => (lanes.min(STRIP), false),
            Form::Columns => column_strip(&nest, &facts, &live),
        };
        let chunks = match nest.form {
            Form::Rows => 1,
            Form::Map | Form::Columns => lanes.div_ceil(strip.max(1)),
        };
        let units = nest.points(&nest.outer) * chunks;
        let mut plan = RowsPlan {
            nest,
            facts,
            uniforms,
            live,
            sweeps: Vec::new(),
            columns: Vec::new(),
            strip,
            in_registers,
            chunks,
            units,
            looped: 1,
            per_task: units.max(1),
            tasks: usize::from(units > 0),
            scratch_bytes: 0,
            keeps: true,
        };
        plan.plan_sweeps();
        plan.cut();
        plan
    }

    /// Values of a lane from one point of the row to the next, padded to whole cache lines.
    fn pitch(&self) -> usize {
        let lanes = match self.nest.form {
            Form::Rows => self.nest.lanes(),
            Form::Map | Form::Columns => self.strip,
        };
        lanes.next_multiple_of(16)
    }

    fn plan_sweeps(&mut self) {
        let kept = self.kept_nodes();
        let kept_bytes = 4 * self.pitch() * self.nest.points(&self.nest.seq);
        self.keeps = kept_bytes * kept.iter().filter(|k| **k).count() <= KEPT_BYTES;
        let kept = if self.keeps { kept } else { vec![false; kept.len()] };
        let nodes = self.nest.body.nodes.len();
        let mut lasting: Vec<Option<Place>> = vec![None; nodes];
        let mut bytes = 0;
        for id in self.nest.body.nodes.ids().filter(|id| kept[id.index()]) {
            lasting[id.index()] = Some(Place::Kept(bytes));
            bytes += kept_bytes;
        }
        if self.nest.form == Form::Columns {
            let column_outs = self.column_nodes();
            for id in self.nest.body.nodes.ids().filter(|id| column_outs[id.index()]) {
                lasting[id.index()] = Some(Place::Column(bytes));
                bytes += 4 * self.strip.next_multiple_of(16);
            }
        }
        let mut most = bytes;
        for step in 0..=self.facts.sweeps {
            if self.nest.form == Form::Columns {
                let sweep = self.plan_columns(step, &lasting, bytes, &mut most);
                self.columns.push(sweep);
            }
            if step < self.facts.sweeps {
                let sweep = self.plan_sweep(step, &kept, &lasting, bytes, &mut most);
                self.sweeps.push(sweep);
            }
        }
        self.scratch_bytes = most;
    }

    fn plan_sweep(
        &self,
        step: usize,
        kept: &[bool],
        lasting: &[Option<Place>],
        free: usize,
        most: &mut usize,
    ) -> Sweep {
        let targets = self.targets(step, kept);
        let folds = targets.folds.clone();
        // In scratch by now: what earlier sweeps kept, and columns that are complete.
        let have: Vec<bool> = self
            .nest
            .body
            .nodes
            .ids()
            .map(|id| {
                let level = self.facts.level[id.index()];
                let ready = if self.facts.row[id.index()] { level < step } else { level <= step };
                !self.facts.is_lane(id) || ready && lasting[id.index()].is_some()
            })
            .collect();
        let plan = strip::plan(&self.nest, &self.facts, &have, targets);
        let layout = lay_out(&plan, lasting, self.strip, free, most);
        Sweep { plan, layout, folds }
    }

    /// What a sweep over the row computes.
    fn targets(&self, step: usize, kept: &[bool]) -> Targets {
        let nodes = &self.nest.body.nodes;
        let at_level = |id: NodeId| self.facts.level[id.index()] == step;
        let folds = nodes
            .iter()
            .filter(|(id, node)| self.live[id.index()] && matches!(node, Node::Fold { .. }))
            .filter(|(_, node)| node.inputs().iter().all(|&i| at_level(i)))
            .map(|(id, _)| id)
            .collect();
        let outs = nodes.ids().filter(|&id| kept[id.index()] && at_level(id)).collect();
        let last = step + 1 == self.facts.sweeps;
        let stores = (0..self.nest.body.stores.len())
            .filter(|&s| last && self.facts.stores[s].row && self.facts.stores[s].class == Class::Lane)
            .collect();
        Targets { outs, folds, stores }
    }

    /// What is worth handing on from sweep to sweep.
    fn kept_nodes(&self) -> Vec<bool> {
        let nodes = &self.nest.body.nodes;
        let mut kept = vec![false; nodes.len()];
        for step in (0..self.facts.sweeps).rev() {
            let targets = self.targets(step, &kept);
            let values = targets.stores.iter().map(|&s| self.nest.body.stores[s].value);
            let terms = targets.folds.iter().flat_map(|f| nodes[*f].inputs()).copied();
            let mut todo: Vec<NodeId> = targets.outs.iter().copied().chain(values).chain(terms).collect();
            let mut seen = vec![false; nodes.len()];
            while let Some(id) = todo.pop() {
                if std::mem::replace(&mut seen[id.index()], true) || !self.facts.is_lane(id) {
                    continue;
                }
                let earlier = self.facts.row[id.index()] && self.facts.level[id.index()] < step;
                if earlier && self.facts.worth_storing(id) {
                    kept[id.index()] = true;
                } else if !matches!(nodes[id], Node::Fold { .. }) {
                    todo.extend(nodes[id].inputs());
                }
            }
        }
        kept
    }

    // ---- columns

    /// Values of whole columns that are stored: folds, what follows from them, and calls.
    fn column_nodes(&self) -> Vec<bool> {
        let nodes = &self.nest.body.nodes;
        let mut used = vec![false; nodes.len()];
        for (id, node) in nodes.iter().filter(|(id, _)| self.live[id.index()]) {
            for &input in node.inputs() {
                let at = input.index();
                let later = self.facts.row[id.index()] || self.facts.level[id.index()] > self.facts.level[at];
                used[at] |= later && (self.facts.level[at] > 0 || self.facts.dear[at]);
            }
        }
        nodes
            .iter()
            .map(|(id, node)| {
                let column = self.facts.is_lane(id) && !self.facts.row[id.index()] && self.live[id.index()];
                column && (matches!(node, Node::Fold { .. }) || used[id.index()])
            })
            .collect()
    }

    /// Work on columns before sweep `step`; behind the last sweep it stores what is one for each.
    fn plan_columns(&self, step: usize, lasting: &[Option<Place>], free: usize, most: &mut usize) -> Sweep {
        let nodes = &self.nest.body.nodes;
        let is_fold = |id: NodeId| matches!(nodes[id], Node::Fold { .. });
        let have: Vec<bool> = nodes
            .ids()
            .map(|id| {
                let level = self.facts.level[id.index()];
                let done = level < step || level == step && is_fold(id);
                !self.facts.is_lane(id) || done && lasting[id.index()].is_some()
            })
            .collect();
        let outs = nodes
            .ids()
            .filter(|id| matches!(lasting[id.index()], Some(Place::Column(_))))
            .filter(|id| self.facts.level[id.index()] == step && !is_fold(*id))
            .collect();
        let stores = (0..self.nest.body.stores.len())
            .filter(|&s| step == self.facts.sweeps && !self.facts.stores[s].row)
            .filter(|&s| self.facts.stores[s].class == Class::Lane)
            .collect();
        let plan = strip::plan(&self.nest, &self.facts, &have, Targets { outs, folds: Vec::new(), stores });
        let layout = lay_out(&plan, lasting, self.strip, free, most);
        Sweep { plan, layout, folds: Vec::new() }
    }

    // ---- tasks

    /// Cuts the units into tasks by what they cost alone, never by the number of threads.
    fn cut(&mut self) {
        let cost = cost(&self.nest, &self.facts, &self.live);
        let alone = self.units == 0 || cost < INLINE_COST;
        let wanted = if alone { 1 } else { (cost / TASK_COST).min(MAX_TASKS).min(self.units).max(1) };
        if let [.., _, last] = self.nest.outer[..]
            && self.chunks == 1
            && self.units / self.nest.dims[last].max(1) >= wanted
        {
            self.looped = self.nest.dims[last].max(1);
        }
        let blocks = self.units / self.looped;
        self.per_task = blocks.div_ceil(wanted).max(1);
        self.tasks = blocks.div_ceil(self.per_task);
    }

    pub fn describe(&self) -> String {
        let form = match self.nest.form {
            Form::Map => "map",
            Form::Rows => "along rows",
            Form::Columns => "down columns",
        };
        let sweeps = match self.facts.sweeps {
            0 | 1 => String::new(),
            n if self.keeps => format!(", {n} sweeps"),
            n => format!(", {n} sweeps that recompute"),
        };
        let tasks = if self.tasks > 1 { format!("{} tasks", self.tasks) } else { "1 task".to_string() };
        format!("{form}, strips of {} x {} units{sweeps}, {tasks}", self.strip, self.units)
    }
}

/// Places for everything a plan stores that does not last longer.
pub fn lay_out(
    plan: &StripPlan,
    lasting: &[Option<Place>],
    strip: usize,
    free: usize,
    most: &mut usize,
) -> Vec<Option<Place>> {
    let mut layout = lasting.to_vec();
    let mut next = free;
    let stored = plan.stages.iter().flat_map(|s| s.calls.iter().chain(&s.outs)).chain(&plan.outs);
    for id in stored {
        if layout[id.index()].is_none() {
            layout[id.index()] = Some(Place::Strip(next));
            // One vector more: the last lanes are read as a whole one, wherever they start.
            next += 4 * (strip.next_multiple_of(16) + 16);
        }
    }
    *most = (*most).max(next);
    layout
}

/// Nodes that some store needs.
pub fn live_nodes(nest: &Nest) -> Vec<bool> {
    let nodes = &nest.body.nodes;
    let mut live = vec![false; nodes.len()];
    nest.body.stores.iter().for_each(|s| live[s.value.index()] = true);
    for id in nodes.ids().rev() {
        if live[id.index()] {
            nodes[id].inputs().iter().for_each(|i| live[i.index()] = true);
        }
    }
    live
}

/// Uniform nodes that others than uniform ones read, or that are stored.
pub fn uniform_roots(nest: &Nest, facts: &Facts, live: &[bool]) -> Vec<NodeId> {
    let nodes = &nest.body.nodes;
    let uniform =
        |id: NodeId| facts.class[id.index()] == Class::Uniform && !matches!(nodes[id], Node::Const { .. });
    let mut root = vec![false; nodes.len()];
    for (_, node) in nodes.iter().filter(|(id, _)| live[id.index()] && !uniform(*id)) {
        node.inputs().iter().filter(|i| uniform(**i)).for_each(|i| root[i.index()] = true);
    }
    let values = nest.body.stores.iter().map(|s| s.value);
    values.filter(|v| uniform(*v)).for_each(|v| root[v.index()] = true);
    nodes.ids().filter(|id| root[id.index()]).collect()
}

/// Compiles the kernel's task function.
pub fn define(jit: &mut Jit, name: &str, plan: &RowsPlan) -> FuncId {
    jit.define(name, &[I64, I64, I64], |jit, func, context| {
        let b = FunctionBuilder::new(func, context);
        let (mut g, args) = Gen::open(jit, b, &plan.nest, &plan.facts);
        g.scratch = args[2];
        g.load_uniforms(&plan.uniforms);
        plan.emit_task(&mut g, args[1]);
        g.close();
    })
}

impl Gen<'_, '_> {
    /// Reads what the step function computed for this kernel; it stands behind buffers and keys.
    pub fn load_uniforms(&mut self, uniforms: &[NodeId]) {
        let first = self.nest.dtypes.len() + self.site_count();
        for (i, &node) in uniforms.iter().enumerate() {
            let dtype = self.facts.dtype[node.index()];
            // Bytes were widened when they were handed over.
            let dtype = if dtype == DType::U8 { DType::I32 } else { dtype };
            let x = self.load_splat(dtype, self.params, 8 * (first + i) as i32);
            self.scalars[node.index()] = Some(x);
        }
    }

    fn site_count(&self) -> usize {
        site_count(self.nest)
    }
}

/// Distinct sites of a bound body.
pub fn site_count(nest: &Nest) -> usize {
    let numbers = nest.body.nodes.iter().filter_map(|(_, node)| match node {
        Node::Random { site, .. } => site.parse::<usize>().ok(),
        Node::Acc
        | Node::Const { .. }
        | Node::Index { .. }
        | Node::Load(_)
        | Node::LoadAt { .. }
        | Node::Op { .. }
        | Node::Fold { .. } => None,
    });
    numbers.max().map_or(0, |last| last + 1)
}

impl RowsPlan {
    fn emit_task(&self, g: &mut Gen, task: Value) {
        if self.emit_task_at_once(g, task) {
            return;
        }
        let blocks = self.units / self.looped;
        if self.tasks <= 1 {
            g.repeat(blocks, &mut |g, block| self.emit_block(g, block));
            return;
        }
        let first = g.times(task, self.per_task as i64);
        let all = g.iconst(blocks as i64);
        let left = g.b.ins().isub(all, first);
        let per = g.iconst(self.per_task as i64);
        let count = g.b.ins().umin(left, per);
        g.for_each(count, 1, true, &mut |g, i| {
            let block = g.b.ins().iadd(first, i);
            self.emit_block(g, block);
        });
    }

    /// The units that differ in the last outer index alone.
    fn emit_block(&self, g: &mut Gen, block: Value) {
        let [outer @ .., last] = &self.nest.outer[..] else { return self.emit_unit(g, block) };
        if self.looped == 1 {
            return self.emit_unit(g, block);
        }
        g.set_indices(outer, block);
        if self.emit_block_at_once(g, *last) {
            return;
        }
        g.repeat(self.looped, &mut |g, at| {
            g.index[*last] = at;
            self.emit_whole(g);
        });
    }

    /// Sets the indices of a unit and runs it.
    fn emit_unit(&self, g: &mut Gen, unit: Value) {
        let lane = self.nest.lane;
        let (point, chunk) = split_index(g, unit, self.chunks);
        g.set_indices(&self.nest.outer, point);
        if self.chunks == 1 {
            return self.emit_whole(g);
        }
        g.index[lane] = g.times(chunk, self.strip as i64);
        let rest = self.nest.lanes() % self.strip;
        if rest == 0 {
            return self.emit_lanes(g, self.strip);
        }
        let last = g.b.ins().icmp_imm_s(IntCC::Equal, chunk, self.chunks as i64 - 1);
        let (short, full, after) = (g.b.create_block(), g.b.create_block(), g.b.create_block());
        g.b.ins().brif(last, short, &[], full, &[]);
        for (block, len) in [(short, rest), (full, self.strip)] {
            g.b.switch_to_block(block);
            g.b.seal_block(block);
            self.emit_lanes(g, len);
            g.b.ins().jump(after, &[]);
        }
        g.b.switch_to_block(after);
        g.b.seal_block(after);
    }

    /// A unit of all lanes.
    fn emit_whole(&self, g: &mut Gen) {
        g.index[self.nest.lane] = g.iconst(0);
        let all = if self.nest.form == Form::Rows { self.nest.lanes() } else { self.strip };
        self.emit_lanes(g, all);
    }

    /// All sweeps of a unit whose lanes are `len` from the present lane index.
    fn emit_lanes(&self, g: &mut Gen, len: usize) {
        g.places.fill(None);
        self.scalars_of(g, Class::Unit, 0);
        self.emit_columns(g, 0, len);
        for (step, sweep) in self.sweeps.iter().enumerate() {
            match self.nest.form {
                Form::Rows => {
                    let once = len <= self.strip && self.nest.seq.is_empty();
                    let accumulators = g.open_folds(&sweep.folds, once);
                    self.emit_row(g, step, len, &accumulators);
                    g.close_folds(&accumulators);
                }
                Form::Map | Form::Columns => {
                    g.open_columns(&sweep.folds, &sweep.layout, len, self.in_registers);
                    if !self.emit_sweep_at_once(g, step, len) {
                        g.nest_loops(&self.nest.seq, &mut |g| {
                            self.set_kept(g);
                            self.scalars_of_seq(g, step);
                            g.strip(&sweep.plan, &sweep.layout, Len::Const(len), None);
                            self.store_seq(g, step);
                        });
                    }
                    g.close_columns(&sweep.layout, len);
                    sweep.folds.iter().for_each(|f| g.places[f.index()] = sweep.layout[f.index()]);
                }
            }
            self.scalars_of(g, Class::Unit, step + 1);
            self.emit_columns(g, step + 1, len);
        }
        for (store, facts) in self.facts.stores.iter().enumerate() {
            if matches!(facts.class, Class::Unit | Class::Uniform) {
                g.store_scalar(store);
            }
        }
    }

    fn emit_columns(&self, g: &mut Gen, step: usize, len: usize) {
        if let Some(columns) = self.columns.get(step) {
            g.strip(&columns.plan, &columns.layout, Len::Const(len), None);
        }
    }

    /// One sweep along a row, strip by strip.
    fn emit_row(&self, g: &mut Gen, step: usize, lanes: usize, accumulators: &super::lanes::Accumulators) {
        let sweep = &self.sweeps[step];
        let lane = self.nest.lane;
        g.nest_loops(&self.nest.seq, &mut |g| {
            self.scalars_of_seq(g, step);
            let (full, rest) = (lanes / self.strip.max(1), lanes % self.strip.max(1));
            let places = g.places.clone();
            g.repeat(full, &mut |g, i| {
                g.index[lane] = g.times(i, self.strip as i64);
                self.set_kept(g);
                g.strip(&sweep.plan, &sweep.layout, Len::Const(self.strip), Some(accumulators));
            });
            if rest > 0 {
                g.places.clone_from(&places);
                g.index[lane] = g.iconst((full * self.strip) as i64);
                self.set_kept(g);
                g.strip(&sweep.plan, &sweep.layout, Len::Const(rest), Some(accumulators));
            }
            g.index[lane] = g.iconst(0);
            self.store_seq(g, step);
        });
    }

    /// Where kept values of the present strip lie.
    fn set_kept(&self, g: &mut Gen) {
        let mut point = g.iconst(0);
        for &d in &self.nest.seq {
            let before = g.times(point, self.nest.dims[d] as i64);
            point = g.b.ins().iadd(before, g.index[d]);
        }
        let mut at = g.times(point, self.pitch() as i64);
        if self.nest.form == Form::Rows {
            at = g.b.ins().iadd(at, g.index[self.nest.lane]);
        }
        g.kept_at = Some(g.times(at, 4));
    }

    /// Computes the live scalars of a class that are ready before sweep `level`, and not sooner.
    fn scalars_of(&self, g: &mut Gen, class: Class, level: usize) {
        for (id, node) in self.nest.body.nodes.iter() {
            let wanted = self.live[id.index()]
                && self.facts.class[id.index()] == class
                && self.facts.level[id.index()] == level
                && !matches!(node, Node::Fold { .. });
            if wanted {
                g.compute_scalar(id);
            }
        }
    }

    /// The scalars of a point of the sequential dims, as far as this sweep can know them.
    fn scalars_of_seq(&self, g: &mut Gen, step: usize) {
        (0..=step).for_each(|level| self.scalars_of(g, Class::Seq, level));
    }

    /// Stores of values that vary along the sequential dims but not along the lane.
    fn store_seq(&self, g: &mut Gen, step: usize) {
        if step + 1 < self.facts.sweeps {
            return;
        }
        for (store, facts) in self.facts.stores.iter().enumerate() {
            if facts.class == Class::Seq {
                g.store_scalar(store);
            }
        }
    }
}

/// `(i / n, i % n)`
pub fn split_index(g: &mut Gen, i: Value, n: usize) -> (Value, Value) {
    if n <= 1 {
        return (i, g.iconst(0));
    }
    let by = g.iconst(n as i64);
    let high = g.b.ins().udiv(i, by);
    let whole = g.times(high, n as i64);
    (high, g.b.ins().isub(i, whole))
}

impl Gen<'_, '_> {
    /// Sets the indices of `dims` from their row-major number.
    pub fn set_indices(&mut self, dims: &[usize], mut point: Value) {
        for (i, &d) in dims.iter().enumerate().rev() {
            if i == 0 {
                self.index[d] = point;
                return;
            }
            let (rest, at) = split_index(self, point, self.nest.dims[d]);
            self.index[d] = at;
            point = rest;
        }
    }
}
