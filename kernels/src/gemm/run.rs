//! Runs a plan: packs, walks the tiles, hands finished strips on.

use super::pack::{Block, pack, round, turn};
use super::pairs;
use super::plan::{Grain, PackB, Plan};
use super::tile::{Ahead, LINE, Tile};
use super::{Gemm, Offsets, Operand, Out, Problem};
use crate::abi::Ctx;
use crate::simd::prefetch;
use crate::team::Team;
use std::ops::Range;

/// Values of k that are packed before the next panel is: they share the lines of a row of `rhs`.
const PACKED_TOGETHER: usize = 64;

/// Values of k from which on the products of a panel hide what its epilogue calls for.
const SPREAD_K: usize = 64;

/// Values of k, an even number, that several tiles copy in turn: their lines stay in the first cache.
const TURN: usize = 32;

/// Runs a product.
///
/// # Safety
/// `gemm` is live; `lhs` and `rhs` are readable wherever its offsets lead; with [`Out::Store`]
/// `out` is writable there and overlaps neither. `ctx` is live with a `team` and a `workspace` of
/// at least what `gemm` asks for, and is what an epilogue expects. Not called from inside a task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mlc_gemm(
    ctx: *const Ctx,
    gemm: *const Gemm,
    lhs: *const f32,
    rhs: *const f32,
    out: *mut f32,
) {
    // SAFETY: the caller's promise.
    let (gemm, team) = unsafe { (&*gemm, &*(*ctx).team.cast::<Team>()) };
    let (problem, plan) = (&gemm.problem, &gemm.plan);
    let (a, b, batch_a, batch_b, base_a, base_b) = if plan.turned {
        (&problem.rhs, &problem.lhs, &problem.batch_rhs, &problem.batch_lhs, rhs, lhs)
    } else {
        (&problem.lhs, &problem.rhs, &problem.batch_lhs, &problem.batch_rhs, lhs, rhs)
    };
    // SAFETY: `ctx` is live.
    let workspace: *mut f32 = unsafe { (*ctx).workspace }.cast();
    let words = workspace.wrapping_add(plan.columns(problem.batch));
    let mut a = Side { operand: a, batch: batch_a, base: base_a };
    if let Some(whole) = &plan.whole {
        a = Side { operand: &whole.operand, batch: &whole.batch, base: words };
    }
    let run = Run {
        problem,
        plan,
        ctx,
        a,
        b: Side { operand: b, batch: batch_b, base: base_b },
        out,
        workspace,
        scratch_bytes: gemm.scratch_bytes(),
    };
    assert!(team.scratch_bytes() >= run.scratch_bytes, "the team's scratch holds the plan's");
    if plan.m == 0 || plan.n == 0 {
        return;
    }
    let tasks = problem.batch * plan.m_tasks() * plan.n_tasks();
    if let Some(whole) = &plan.whole {
        let (from, to) = (Shared(base_a.cast_mut()), Shared(words));
        // SAFETY: pieces lie apart, and the workspace has room for all.
        region(team, plan.serial, whole.pieces(), &|piece, _| unsafe {
            whole.pack(piece, from.at(), to.at())
        });
    }
    if plan.pack_b == PackB::Shared {
        let panels = problem.batch * plan.padded_n() / plan.panel();
        // SAFETY (both closures): tasks write apart, see `pack_panel` and `task`.
        region(team, plan.serial, panels, &|panel, scratch| unsafe { run.pack_panel(panel, scratch.cast()) });
    }
    region(team, plan.serial, tasks, &|task, scratch| unsafe { run.task(task, scratch.cast()) });
}

/// An address that threads share.
struct Shared(*mut f32);

// SAFETY: whoever uses the address answers for what lies there.
unsafe impl Sync for Shared {}

impl Shared {
    fn at(&self) -> *mut f32 {
        self.0
    }
}

/// Runs the tasks on the team, or as one task if they are too small to share.
fn region(team: &Team, serial: bool, tasks: usize, f: &(impl Fn(usize, *mut u8) + Sync)) {
    if serial {
        team.each(1, &|_, scratch| (0..tasks).for_each(|task| f(task, scratch)));
    } else {
        team.each(tasks, f);
    }
}

/// An operand in memory.
#[derive(Clone, Copy)]
struct Side<'a> {
    operand: &'a Operand,
    batch: &'a Offsets,
    base: *const f32,
}

impl Side<'_> {
    /// Where batch entry `b` begins.
    fn entry(&self, b: usize) -> *const f32 {
        self.base.wrapping_offset(self.batch.at(b))
    }
}

/// One call, shared by the threads. `a` and `b` are exchanged if the plan is turned.
struct Run<'a> {
    problem: &'a Problem,
    plan: &'a Plan,
    ctx: *const Ctx,
    a: Side<'a>,
    b: Side<'a>,
    out: *mut f32,
    workspace: *mut f32,
    scratch_bytes: usize,
}

// SAFETY: threads read the operands, and write disjoint parts of `out` and of the workspace.
unsafe impl Sync for Run<'_> {}

/// The part of a product that one task computes.
struct Part {
    entry: usize,
    tiles: Range<usize>,
    cols: Range<usize>,
}

/// A block of `rhs` as the tiles of a task read it: from the task's first column and the block's first k on.
#[derive(Clone, Copy)]
struct Panels {
    base: *const f32,
    packed: bool,
    /// Numbers from one k to the next.
    ldb: isize,
    /// Numbers from one panel to the next.
    panel_step: usize,
}

/// How `lhs` lies along k from some k on: see [`Tile`].
struct Along {
    first: usize,
    run: usize,
    runs: *const i32,
    step: isize,
}

impl Along {
    fn of(ks: &Offsets, k0: usize) -> Along {
        match ks {
            Offsets::Stride(step) => Along { first: 0, run: usize::MAX, runs: std::ptr::null(), step: *step },
            Offsets::Runs { starts, len, step } => Along {
                first: k0 % len,
                run: *len,
                runs: starts[(k0 / len).min(starts.len())..].as_ptr(),
                step: *step,
            },
        }
    }
}

impl Run<'_> {
    /// Packs one panel of `rhs` of one batch entry, over all k, into the workspace.
    ///
    /// # Safety
    /// The promise of [`mlc_gemm`]; each panel is packed by one thread, to a place of its own; `scratch` is the thread's.
    unsafe fn pack_panel(&self, panel: usize, scratch: *mut f32) {
        let plan = self.plan;
        let panels = plan.padded_n() / plan.panel();
        let (entry, panel) = (panel / panels, panel % panels);
        let dst = self.workspace.wrapping_add(entry * plan.depth(plan.k) * plan.padded_n());
        let first = panel * plan.panel();
        let cols = first..(first + plan.panel()).min(plan.n);
        for k0 in (0..plan.k).step_by(plan.kc) {
            let kb = plan.kc.min(plan.k - k0);
            let block = dst.wrapping_add(plan.depth(k0) * plan.padded_n() + first * plan.depth(kb));
            // SAFETY: the workspace holds as deep a copy of all columns for each entry.
            unsafe { self.pack_cols(entry, cols.clone(), k0, block, scratch) };
        }
    }

    /// Packs columns over the block of k from `k0` on: for each panel, rows of the panel's width.
    ///
    /// # Safety
    /// The promise of [`mlc_gemm`]; `dst` holds `kc` rows of the columns, filled up to whole panels; `scratch` is the thread's.
    unsafe fn pack_cols(
        &self,
        entry: usize,
        cols: Range<usize>,
        k0: usize,
        dst: *mut f32,
        scratch: *mut f32,
    ) {
        let (plan, panel) = (self.plan, self.plan.panel());
        let temp = scratch.wrapping_add(plan.scratch.temp);
        let base = self.b.entry(entry);
        let kb = plan.kc.min(plan.k - k0);
        if let (Grain::Pairs, Offsets::Stride(1), Offsets::Stride(step)) =
            (plan.grain, &self.b.operand.rows, &self.b.operand.ks)
        {
            let src = base.wrapping_offset(cols.start as isize + k0 as isize * step);
            // SAFETY: the columns are within the operand, their place within `dst`.
            return unsafe { pairs::join_panels(src, *step, kb, cols.len(), dst, panel) };
        }
        for k in (0..kb).step_by(PACKED_TOGETHER) {
            let ks = PACKED_TOGETHER.min(kb - k);
            for col in cols.clone().step_by(panel) {
                let rows = panel.min(cols.end - col);
                let dst = dst.wrapping_add((col - cols.start) * plan.depth(kb) + plan.depth(k) * panel);
                let block = Block { row: col, rows, k: k0 + k, ks };
                // SAFETY: the block is within the operand, its place within `dst`.
                unsafe { self.pack_block(self.b.operand, base, block, dst, panel, temp) };
            }
        }
    }

    /// Copies a block as the tiles want it: `dst[k * ld + i]`, or in the place of each two `k` a pair.
    ///
    /// # Safety
    /// As [`pack`] and [`pairs::pack`].
    unsafe fn pack_block(
        &self,
        operand: &Operand,
        base: *const f32,
        block: Block,
        dst: *mut f32,
        ld: usize,
        temp: *mut f32,
    ) {
        let isa = self.plan.isa;
        // SAFETY: the caller's promise.
        unsafe {
            match self.plan.grain {
                Grain::Numbers => pack(isa, operand, base, block, dst, ld),
                Grain::Rounded => {
                    pack(isa, operand, base, block, dst, ld);
                    round(isa, dst, block.ks * ld);
                }
                Grain::Pairs => pairs::pack(operand, base, block, dst, ld, temp),
            }
        }
    }

    /// # Safety
    /// The promise of [`mlc_gemm`]; `scratch` is the thread's; each task is run by one thread.
    unsafe fn task(&self, task: usize, scratch: *mut f32) {
        let part = self.part(task);
        let plan = self.plan;
        // SAFETY: scratch holds the parts that the plan lists.
        unsafe {
            for k0 in (0..plan.k.max(1)).step_by(plan.kc) {
                let panels = self.panels(&part, k0, scratch);
                self.k_block(&part, k0, panels, scratch);
            }
        }
    }

    /// Tasks of one entry and the same columns follow each other: they share packed columns.
    fn part(&self, task: usize) -> Part {
        let plan = self.plan;
        let (rest, down) = (task / plan.m_tasks(), task % plan.m_tasks());
        let (entry, across) = (rest / plan.n_tasks(), rest % plan.n_tasks());
        let cut = |i: usize, size: usize, end: usize| i * size..((i + 1) * size).min(end);
        Part {
            entry,
            tiles: plan.tiles * down / plan.m_tasks()..plan.tiles * (down + 1) / plan.m_tasks(),
            cols: cut(across, plan.cols_per_task, plan.n),
        }
    }

    /// `rhs` over the block of k from `k0` on.
    ///
    /// # Safety
    /// As [`task`](Run::task).
    unsafe fn panels(&self, part: &Part, k0: usize, scratch: *mut f32) -> Panels {
        let (plan, panel) = (self.plan, self.plan.panel());
        let depth = plan.depth(plan.kc.min(plan.k - k0));
        let packed =
            |base: *const f32| Panels { base, packed: true, ldb: panel as isize, panel_step: panel * depth };
        match plan.pack_b {
            PackB::No => {
                let Offsets::Stride(step) = self.b.operand.ks else {
                    panic!("gemm: rows that are read in place are equally far apart")
                };
                let base = self.b.entry(part.entry).wrapping_add(part.cols.start);
                let base = base.wrapping_offset(k0 as isize * step);
                Panels { base, packed: false, ldb: step, panel_step: panel }
            }
            PackB::Shared => {
                let entry = self.workspace.wrapping_add(part.entry * plan.depth(plan.k) * plan.padded_n());
                packed(entry.wrapping_add(plan.depth(k0) * plan.padded_n() + part.cols.start * depth))
            }
            PackB::Private => {
                let private = scratch.wrapping_add(plan.scratch.columns);
                // SAFETY: the plan made the scratch as large as the widest task needs.
                unsafe { self.pack_cols(part.entry, part.cols.clone(), k0, private, scratch) };
                packed(private)
            }
        }
    }

    /// All row tiles of a task over one block of k.
    ///
    /// # Safety
    /// As [`task`](Run::task).
    unsafe fn k_block(&self, part: &Part, k0: usize, panels: Panels, scratch: *mut f32) {
        let (plan, places) = (self.plan, self.plan.scratch);
        let last = k0 + plan.kc >= plan.k;
        let strip = scratch.wrapping_add(places.strip);
        let ld = part.cols.len().next_multiple_of(plan.panel());
        let mut group = part.tiles.start;
        while group < part.tiles.end {
            let end = (group + plan.tiles_per_strip).min(part.tiles.end);
            let kept = if plan.k_blocks() > 1 { plan.row(group) - plan.row(part.tiles.start) } else { 0 };
            let sums = strip.wrapping_add(kept * ld);
            for t in group..end {
                let down = plan.row(t) - plan.row(group);
                let (c, ldc) = match self.problem.out {
                    Out::Store { ldc } if !plan.via_scratch => {
                        (self.out_entry(part).wrapping_add(plan.row(t) * ldc + part.cols.start), ldc)
                    }
                    Out::Store { .. } | Out::Epilogue(_) => (sums.wrapping_add(down * ld), ld),
                };
                // SAFETY: `c` is this task's part of `out` or of its strip.
                unsafe { self.row_of_tiles(part, t, k0, panels, scratch, c, ldc) };
            }
            if last && plan.via_scratch {
                let rows = plan.row(group)..plan.row(end);
                // SAFETY: the strip holds the finished sums of these rows.
                unsafe { self.finish(part, rows, sums, ld, scratch) };
            }
            group = end;
        }
    }

    /// Asks for what the epilogue of these rows and columns will read and write: it would wait for each line of it,
    /// while the products before it leave the memory idle.
    fn call_for_streams(&self, entry: usize, rows: Range<usize>, cols: Range<usize>) {
        let (rows, cols) = if self.plan.turned { (cols, rows) } else { (rows, cols) };
        for stream in &self.problem.streams {
            // SAFETY: the context is live, and its table has an address for each slot.
            let base = unsafe { *(*self.ctx).buffers.add(stream.slot) }.cast::<f32>();
            let at = stream.offset + stream.batch.at(entry) + cols.start as isize;
            for i in rows.clone() {
                let row = base.wrapping_offset(at + stream.rows.at(i));
                (0..cols.len()).step_by(LINE).for_each(|j| prefetch(row.wrapping_add(j)));
            }
        }
    }

    /// Where the result of a task's batch entry begins.
    fn out_entry(&self, part: &Part) -> *mut f32 {
        self.out.wrapping_offset(self.problem.batch_out.at(part.entry))
    }

    /// One row tile against all panels of the task, over one block of k.
    ///
    /// # Safety
    /// As [`task`](Run::task); `c` is writable for the tile's rows and the task's columns.
    #[allow(clippy::too_many_arguments, reason = "a loop body with a name")]
    unsafe fn row_of_tiles(
        &self,
        part: &Part,
        t: usize,
        k0: usize,
        panels: Panels,
        scratch: *mut f32,
        c: *mut f32,
        ldc: usize,
    ) {
        let (plan, panel) = (self.plan, self.plan.panel());
        let (row, rows) = (plan.row(t), plan.row(t + 1) - plan.row(t));
        let kb = plan.kc.min(plan.k - k0);
        let block = Block { row, rows, k: k0, ks: kb };
        // SAFETY: the first part of the scratch holds a packed row tile.
        let (a, row_step, along) = unsafe { self.row_tile(part, t, block, scratch) };
        let (next_a, next_step) = match plan.grain {
            Grain::Pairs if plan.pack_a => self.next_rows_to_copy(part, block),
            Grain::Numbers | Grain::Rounded | Grain::Pairs => self.next_rows(a, row_step, &along, rows),
        };
        let full = part.cols.len() / panel;
        let tile = Tile {
            k: plan.depth(kb),
            a,
            row_step,
            a_step: along.step,
            runs: along.runs,
            run: along.run,
            first: along.first,
            b: panels.base,
            ldb: panels.ldb,
            panel_step: panels.panel_step,
            panels: full,
            width: panel,
            b_is_padded: panels.packed,
            go_on: k0 > 0,
            c,
            ldc,
            next_a,
            next_step,
            ahead: self.next_columns(part, t, k0),
        };
        let streams = !self.problem.streams.is_empty() && k0 + plan.kc >= plan.k;
        // SAFETY: every address above is within its operand for these rows, columns and k.
        unsafe {
            if streams && kb >= SPREAD_K {
                self.panel_by_panel(part, row..row + rows, &tile);
            } else if full > 0 {
                if streams {
                    self.call_for_streams(part.entry, row..row + rows, part.cols.clone());
                }
                plan.tile(rows, true)(&tile);
            }
            let width = part.cols.len() % panel;
            if width > 0 {
                let b = panels.base.wrapping_add(full * panels.panel_step);
                let c = c.wrapping_add(full * panel);
                plan.tile(rows, false)(&Tile { panels: 1, width, b, c, ..tile });
            }
        }
    }

    /// The rows of `lhs` as a tile reads them: where they are, how far apart, and how they lie along k.
    ///
    /// # Safety
    /// As [`task`](Run::task); the block is of the part.
    unsafe fn row_tile(
        &self,
        part: &Part,
        t: usize,
        block: Block,
        scratch: *mut f32,
    ) -> (*const f32, isize, Along) {
        let (plan, operand) = (self.plan, self.a.operand);
        let Block { row, rows, k, ks } = block;
        let a = self.a.entry(part.entry);
        let all = |step: isize| Along { first: 0, run: usize::MAX, runs: std::ptr::null(), step };
        if plan.pairs_along_k {
            let ld = plan.depth(ks);
            // SAFETY: the caller's promise.
            unsafe { pairs::pack_along_k(operand, a, block, scratch, ld) };
            return (scratch, ld as isize, all(1));
        }
        if plan.pack_a {
            // SAFETY: the caller's promise.
            return (unsafe { self.packed_tile(part, t, block, scratch) }, 1, all(rows as isize));
        }
        let k = plan.depth(k);
        let along = Along::of(&operand.ks, k);
        let skipped = if along.runs.is_null() { k as isize * along.step } else { 0 };
        let first = a.wrapping_offset(operand.rows.at(row) + skipped);
        (first, operand.rows.run(row, row + rows).1, along)
    }

    /// Row tile `t`, copied; the first of several copies them all.
    ///
    /// # Safety
    /// As [`row_tile`](Run::row_tile).
    unsafe fn packed_tile(&self, part: &Part, t: usize, block: Block, scratch: *mut f32) -> *const f32 {
        let (plan, a) = (self.plan, self.a.entry(part.entry));
        let together = plan.tiles_per_copy;
        let (place, size) = ((t - part.tiles.start) % together, plan.rows * plan.depth(plan.kc));
        if place == 0 {
            let temp = scratch.wrapping_add(plan.scratch.temp);
            let end = (t + together).min(part.tiles.end);
            // Several tiles take turns, so that a line is near until all have read it.
            let ks = if end > t + 1 { TURN } else { block.ks.max(1) };
            for (k, tile) in (0..block.ks).step_by(ks).flat_map(|k| (t..end).map(move |tile| (k, tile))) {
                let (row, rows) = (plan.row(tile), plan.row(tile + 1) - plan.row(tile));
                let part = Block { row, rows, k: block.k + k, ks: ks.min(block.ks - k) };
                let dst = scratch.wrapping_add((tile - t) * size + plan.depth(k) * rows);
                // SAFETY: the caller's promise; the scratch has room for the tiles of a copy.
                unsafe { self.pack_block(self.a.operand, a, part, dst, rows, temp) };
            }
        }
        scratch.wrapping_add(place * size)
    }

    /// The rows behind a block's that is read where it lies, from `a` on: [`Tile::next_a`] and its step.
    fn next_rows(&self, a: *const f32, row_step: isize, along: &Along, rows: usize) -> (*const f32, isize) {
        if self.plan.pack_a || (row_step != 1 && along.step != 1) {
            return (std::ptr::null(), 0);
        }
        let step = match (along.runs.is_null(), row_step) {
            (true, 1) => along.step,
            (true, _) => row_step,
            // The next columns of a gradient lie in the lines of these.
            (false, 1) => return (std::ptr::null(), 0),
            // Windows side by side overlap, or nearly.
            (false, _) => (rows as isize - 1) * row_step + along.run as isize,
        };
        (a.wrapping_offset(rows as isize * row_step), step)
    }

    /// The same of a block that was copied in pairs. A copy of several tiles has called for them all.
    fn next_rows_to_copy(&self, part: &Part, block: Block) -> (*const f32, isize) {
        let (plan, Operand { rows, ks }) = (self.plan, self.a.operand);
        let (together, row_step) = rows.run(block.row, block.row + block.rows);
        let Offsets::Stride(k_step) = *ks else { return (std::ptr::null(), 0) };
        let known = if plan.pairs_along_k { row_step != 1 } else { row_step == 1 };
        if !known || plan.tiles_per_copy > 1 || together < block.rows {
            return (std::ptr::null(), 0);
        }
        let at = rows.at(block.row) + block.rows as isize * row_step + block.k as isize * k_step;
        let step = if row_step == 1 { k_step } else { row_step };
        (self.a.entry(part.entry).wrapping_offset(at), step)
    }

    /// The share of row tile `t` in what the task copies for the block of k behind that from `k0` on: each tile calls for some
    /// lines of all its rows, so that the copy finds them in the second cache.
    fn next_columns(&self, part: &Part, t: usize, k0: usize) -> Ahead {
        let (plan, next) = (self.plan, k0 + self.plan.kc);
        if next >= plan.k || plan.pack_b != PackB::Private {
            return Ahead::NONE;
        }
        let Operand { rows: Offsets::Stride(1), ks: Offsets::Stride(step) } = self.b.operand else {
            return Ahead::NONE;
        };
        let all = part.cols.len().div_ceil(LINE);
        let share = all.div_ceil(part.tiles.len());
        let first = (t - part.tiles.start) * share;
        let at = self.b.entry(part.entry).wrapping_offset(next as isize * step);
        match first < all {
            true => Ahead {
                at: at.wrapping_add(part.cols.start + first * LINE),
                step: *step,
                lines: share.min(all - first),
            },
            false => Ahead::NONE,
        }
    }

    /// The full panels of a row tile one by one, each behind a call for what the epilogue needs there: all lines at once
    /// would be more than may be under way.
    ///
    /// # Safety
    /// As [`row_of_tiles`](Run::row_of_tiles); the tile is of these rows.
    unsafe fn panel_by_panel(&self, part: &Part, rows: Range<usize>, tile: &Tile) {
        let compute = self.plan.tile(rows.len(), true);
        for p in 0..tile.panels {
            let col = part.cols.start + p * tile.width;
            self.call_for_streams(part.entry, rows.clone(), col..col + tile.width);
            let next_a = if p + 1 == tile.panels { tile.next_a } else { std::ptr::null() };
            let ahead = if p == 0 { tile.ahead } else { Ahead::NONE };
            let b = tile.b.wrapping_add(p * tile.panel_step);
            let c = tile.c.wrapping_add(p * tile.width);
            // SAFETY: the caller's promise, for one of its panels.
            unsafe { compute(&Tile { panels: 1, b, c, next_a, ahead, ..*tile }) };
        }
    }

    /// Hands finished sums on: turns them if need be, then stores them or calls the epilogue.
    ///
    /// # Safety
    /// As [`task`](Run::task); `sums` holds the rows' sums, `ld` apart.
    unsafe fn finish(&self, part: &Part, rows: Range<usize>, sums: *mut f32, ld: usize, scratch: *mut f32) {
        let (plan, cols) = (self.plan, part.cols.clone());
        let turned = scratch.wrapping_add(plan.scratch.turned);
        let rest = scratch.cast::<u8>().wrapping_add(self.scratch_bytes);
        // SAFETY: the caller's promise; `out` is this task's part of the result.
        unsafe {
            match self.problem.out {
                Out::Store { ldc } => {
                    // Only a turned product comes here: others store from the tile.
                    let out = self.out_entry(part).add(cols.start * ldc + rows.start);
                    turn(plan.isa, sums, ld, rows.len(), cols.len(), out, ldc);
                }
                Out::Epilogue(f) if plan.turned => {
                    let width = rows.len().next_multiple_of(8);
                    turn(plan.isa, sums, ld, rows.len(), cols.len(), turned, width);
                    let (i, j) = (cols.start, rows.start);
                    f(self.ctx, part.entry, turned, width, i, j, cols.len(), rows.len(), rest);
                }
                Out::Epilogue(f) => {
                    let (i, j) = (rows.start, cols.start);
                    f(self.ctx, part.entry, sums, ld, i, j, rows.len(), cols.len(), rest);
                }
            }
        }
    }
}
