//! How a product is cut: tiles, blocks, packing and tasks, all from its shape alone.

use super::pairs::{self, Whole};
use super::tile::{self, TileFn};
use super::{Offsets, Operand, Out, Precision, Problem};
use crate::isa::Isa;

/// Multiply-adds below which a product runs on the calling thread: waking another costs about
/// 1 us, in which a core does 60,000.
const SMALL: usize = 400_000;
/// Multiply-adds that a task should have at least.
const TASK: usize = 200_000;
/// Tasks that a product is cut into at most: enough to even out a slow core.
const MOST_TASKS: usize = 16;
/// Tasks enough for a product of long k.
const FEW_TASKS: usize = 4;
/// Sums of a task that stay in the second cache from one block of k to the next.
const SUMS: usize = 32 * 1024;
/// The longest stretch of k between visits to the sums: what lies far apart along k, as columns of a gradient do, is
/// still in the second cache when the next rows read what lies beside it.
const MOST_K: usize = 640;
/// The same where each task copies its columns: the copy, the rows and the sums share the second cache.
const MOST_COPIED_K: usize = 384;
/// Numbers of a block of `rhs` that stays in the second cache while rows pass by.
const NEAR: usize = 128 * 1024;
/// Tasks that may each copy the same columns where these come in blocks of k: a block is soon used and stays near, the
/// copy of all of k would go to memory and back.
const COPIES: usize = 4;
/// Columns of a finished strip that stays in the first cache for its epilogue.
const STRIP: usize = 256;
/// Vectors of sums that keep the multipliers busy: fewer wait for each other.
const BUSY: usize = 8;
/// Values of k in a run from which on tiles go through runs: shorter ones cost more than a copy.
const SHORT_RUN: usize = 8;
/// Numbers of row tiles that are copied together where their rows lie side by side: each k then gives whole lines, where
/// tiles one by one would call for the same lines again, too late.
const GROUP: usize = 32 * 1024;
/// Numbers from one k to the next from which on it pays.
const FAR: usize = 256;
/// Row tiles that are turned together when the product is computed transposed.
const TURNED: usize = 8;

/// How `rhs` reaches the tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackB {
    /// Read in place.
    No,
    /// Packed by the team into the workspace before the tiles start.
    Shared,
    /// Each task packs its own columns into its scratch.
    Private,
}

/// How operands lie for the tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// As they are.
    Numbers,
    /// In copies, rounded to `bf16` and kept as `f32`.
    Rounded,
    /// In copies, two `bf16` in the place of a number.
    Pairs,
}

impl Grain {
    fn of(p: &Problem, isa: Isa) -> Grain {
        match p.precision {
            Precision::F32 => Grain::Numbers,
            Precision::Bf16 if pairs::are_fast(isa) => Grain::Pairs,
            Precision::Bf16 => Grain::Rounded,
        }
    }
}

/// The parts of a task's scratch: where each begins, in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scratch {
    /// A packed row tile of `lhs` is at the start; then the private columns of `rhs`.
    pub columns: usize,
    /// A strip of sums.
    pub strip: usize,
    /// The strip, turned.
    pub turned: usize,
    /// What packing pairs needs for itself.
    pub temp: usize,
    pub end: usize,
}

/// The plan of one product. `m`, `n` are those of the problem, exchanged if it is `turned`.
pub struct Plan {
    pub isa: Isa,
    pub grain: Grain,
    /// The transpose is computed, `rhs` in the place of `lhs`, and turned at the end.
    pub turned: bool,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// Rows of the largest tile, and its columns in vectors.
    pub rows: usize,
    pub vectors: usize,
    /// Row tiles.
    pub tiles: usize,
    /// Rows that are cut into tiles as even as can be, and those tiles: all rows, or a run of them.
    run: usize,
    tiles_in_run: usize,
    pub tiles_per_task: usize,
    pub cols_per_task: usize,
    /// Row tiles whose finished sums wait together in scratch.
    pub tiles_per_strip: usize,
    pub kc: usize,
    pub pack_a: bool,
    /// Row tiles that are packed together.
    pub tiles_per_copy: usize,
    /// Whether the pairs of a row of `lhs` lie side by side in its copy, as they do in memory.
    pub pairs_along_k: bool,
    /// `lhs` paired as a whole; then tiles read it as they would numbers.
    pub whole: Option<Whole>,
    pub pack_b: PackB,
    /// Whether sums go to scratch before they reach `out` or the epilogue.
    pub via_scratch: bool,
    /// Whether one task after the other runs on the calling thread.
    pub serial: bool,
    /// Where a task keeps what.
    pub scratch: Scratch,
    kernels: Kernels,
}

/// Tiles of the two row counts, for full panels and for the last.
struct Kernels {
    low: [TileFn; 2],
    high: [TileFn; 2],
}

impl Plan {
    pub fn new(p: &Problem, isa: Isa) -> Plan {
        let turned = cost(p, isa, true) < cost(p, isa, false);
        let (m, n) = if turned { (p.n, p.m) } else { (p.m, p.n) };
        let (a, b) = if turned { (&p.rhs, &p.lhs) } else { (&p.lhs, &p.rhs) };
        let batch_a = if turned { &p.batch_rhs } else { &p.batch_lhs };
        let grain = Grain::of(p, isa);
        let lanes = tile::lanes(isa);
        let vectors = if n <= lanes { 1 } else { 2 };
        let whole = if grain == Grain::Pairs { Whole::of(a, batch_a, [p.batch, m, p.k]) } else { None };
        let whole = whole.filter(|w| in_place(&w.operand, m, isa, vectors) && !rows_clash(&w.operand, m, n));
        let a = whole.as_ref().map_or(a, |w| &w.operand);
        let in_place = (grain == Grain::Numbers || whole.is_some()) && in_place(a, m, isa, vectors);
        let run = if in_place { row_run(a, m) } else { m };
        let tiles_in_run = run.div_ceil(tile::most_rows(isa, vectors)).max(1);
        let tiles = tiles_in_run * (m / run.max(1)).max(1);
        let rows = run.div_ceil(tiles_in_run);

        let via_scratch = turned || matches!(p.out, Out::Epilogue(_));
        let pack_a = !in_place || rows_clash(a, m, n);
        let pairs_along_k = pack_a && grain == Grain::Pairs && pairs::lie_along_k(a);
        let unit_a = (pack_a && !pairs_along_k) || (!pack_a && a.rows.run(0, 2.min(m)).1 == 1);
        let panel = vectors * lanes;
        let packs_b = grain != Grain::Numbers || packs_b(b, m, n, p.k, panel);
        let long = Cut::of_long(p.batch, m, n, tiles, panel);
        let copies = packs_b && p.k > MOST_K && tiles.div_ceil(long.tiles) <= COPIES;
        let most_k = if copies { MOST_COPIED_K } else { MOST_K };
        let kc = even(p.k, if grain == Grain::Pairs { 2 * most_k } else { most_k }, 8);
        let depth = if grain == Grain::Pairs { kc.div_ceil(2) } else { kc };
        let cut =
            if copies { long } else { Cut::new(p.batch, m, n, p.k, kc, depth, tiles, panel, via_scratch) };
        let far = matches!(a.ks, Offsets::Stride(step) if step.unsigned_abs() >= FAR);
        let side_by_side = pack_a && !pairs_along_k && far && a.rows == Offsets::Stride(1);
        let tiles_per_copy =
            if side_by_side { (GROUP / (rows * depth).max(1)).clamp(1, cut.tiles.max(1)) } else { 1 };
        let pack_b = match packs_b {
            false => PackB::No,
            true if copies || cut.tiles == tiles => PackB::Private,
            true => PackB::Shared,
        };
        let serial = p.batch * m * n * p.k < SMALL;
        let mut plan = Plan {
            isa,
            grain,
            turned,
            m,
            n,
            k: p.k,
            rows,
            vectors,
            tiles,
            run,
            tiles_in_run,
            tiles_per_task: cut.tiles,
            cols_per_task: cut.cols,
            tiles_per_strip: if turned { TURNED.min(cut.tiles) } else { 1 },
            kc,
            pack_a,
            tiles_per_copy,
            pairs_along_k,
            pack_b,
            via_scratch,
            serial,
            scratch: Scratch::default(),
            kernels: Kernels::new(isa, run / tiles_in_run, rows, n, vectors, unit_a, grain == Grain::Pairs),
            whole,
        };
        plan.scratch = plan.lay_out();
        plan
    }

    pub fn panel(&self) -> usize {
        self.vectors * tile::lanes(self.isa)
    }

    /// Columns with the last panel filled up.
    pub fn padded_n(&self) -> usize {
        self.n.next_multiple_of(self.panel())
    }

    pub fn m_tasks(&self) -> usize {
        self.tiles.div_ceil(self.tiles_per_task)
    }

    pub fn n_tasks(&self) -> usize {
        self.n.div_ceil(self.cols_per_task)
    }

    pub fn k_blocks(&self) -> usize {
        self.k.div_ceil(self.kc)
    }

    /// The first row of row tile `t`.
    pub fn row(&self, t: usize) -> usize {
        let (run, tile) = (t / self.tiles_in_run, t % self.tiles_in_run);
        run * self.run + self.run * tile / self.tiles_in_run
    }

    pub fn tile(&self, rows: usize, full: bool) -> TileFn {
        let pair = if rows == self.rows { &self.kernels.high } else { &self.kernels.low };
        pair[usize::from(!full)]
    }

    /// Numbers that values of k take in a copy.
    pub fn depth(&self, ks: usize) -> usize {
        if self.grain == Grain::Pairs { ks.div_ceil(2) } else { ks }
    }

    fn lay_out(&self) -> Scratch {
        let cols = self.cols_per_task.next_multiple_of(self.panel());
        let depth = self.depth(self.kc);
        let tile = if self.pack_a { self.tiles_per_copy * self.rows * depth } else { 0 };
        let columns = if self.pack_b == PackB::Private { depth * cols } else { 0 };
        let strip = if self.via_scratch { self.strip_tiles() * self.rows * cols } else { 0 };
        let turned =
            if self.turned { (self.tiles_per_strip * self.rows).next_multiple_of(8) * cols } else { 0 };
        let temp = if self.grain == Grain::Pairs { pairs::TEMP } else { 0 };
        let mut end = 0;
        let mut behind = |part: usize| {
            end += part.next_multiple_of(32);
            end
        };
        Scratch {
            columns: behind(tile),
            strip: behind(columns),
            turned: behind(strip),
            temp: behind(turned),
            end: behind(temp),
        }
    }

    /// Row tiles of sums that are in scratch at a time: all of a task's if k comes in blocks.
    pub fn strip_tiles(&self) -> usize {
        if self.k_blocks() > 1 { self.tiles_per_task } else { self.tiles_per_strip }
    }

    /// Numbers of workspace: `rhs`, packed, then `lhs`, paired.
    pub fn workspace(&self, batch: usize) -> usize {
        self.columns(batch) + self.whole.as_ref().map_or(0, Whole::words)
    }

    /// Numbers of the first part.
    pub fn columns(&self, batch: usize) -> usize {
        let all = batch * self.depth(self.k) * self.padded_n();
        if self.pack_b == PackB::Shared { all.next_multiple_of(32) } else { 0 }
    }

    pub fn describe(&self, batch: usize, threads: usize) -> String {
        let mut text = format!("{}x{} tiles ({})", self.rows, self.panel(), self.isa);
        if self.turned {
            text += ", transposed";
        }
        if self.k_blocks() > 1 {
            text += &format!(", kc {}", self.kc);
        }
        text += match self.grain {
            Grain::Numbers if self.pack_a => ", A packed",
            Grain::Numbers => "",
            Grain::Rounded => ", rounded to bf16",
            Grain::Pairs if self.whole.is_some() => ", A in pairs of bf16",
            Grain::Pairs => ", pairs of bf16",
        };
        text += match self.pack_b {
            PackB::No => "",
            PackB::Shared => ", B packed",
            PackB::Private => ", B packed by each task",
        };
        let tasks = batch * self.m_tasks() * self.n_tasks();
        match (if self.serial { 1 } else { threads.min(tasks) }, tasks) {
            (1, _) => text + ", 1 thread",
            (threads, tasks) => text + &format!(", {tasks} tasks on {threads} threads"),
        }
    }
}

impl Kernels {
    fn new(isa: Isa, low: usize, high: usize, n: usize, vectors: usize, unit: bool, pairs: bool) -> Kernels {
        let lanes = tile::lanes(isa);
        let last = match n % (vectors * lanes) {
            0 => vectors,
            cols => cols.div_ceil(lanes),
        };
        // An empty product has no tiles to choose.
        let of = |rows: usize| [vectors, last].map(|v| tile::find(isa, rows.max(1), v, unit, pairs));
        Kernels { low: of(low), high: of(high) }
    }
}

/// How the rows and columns of one batch entry are dealt to tasks.
struct Cut {
    tiles: usize,
    cols: usize,
}

impl Cut {
    #[allow(clippy::too_many_arguments, reason = "the sizes of one product, used once")]
    fn new(
        batch: usize,
        m: usize,
        n: usize,
        k: usize,
        kc: usize,
        depth: usize,
        tiles: usize,
        panel: usize,
        via_scratch: bool,
    ) -> Cut {
        // Columns: what the caches hold.
        let near = NEAR / depth.max(1);
        let most = if via_scratch { near.min(STRIP) } else { near };
        let most = (most / panel * panel).max(panel);
        let mut cols = even(n, most, panel);
        // Parts: what the team can share out, over rows if there are many, else over columns.
        let work = m * n * k;
        let wanted = (work / TASK).clamp(1, MOST_TASKS).div_ceil(batch.max(1));
        let wanted = wanted.div_ceil(n.div_ceil(cols).max(1));
        let tiles_per_task = if tiles >= 2 * wanted || tiles >= 8 {
            let few = FEW_TASKS.div_ceil(batch.max(1)).div_ceil(n.div_ceil(cols).max(1));
            // A task goes through all of k: the fewer there are, the less often it comes from memory.
            let fitting = (SUMS / (m.div_ceil(tiles) * cols)).max(1);
            let large = if k > kc { tiles.div_ceil(few).min(fitting) } else { 1 };
            tiles.div_ceil(wanted.min(tiles)).max(large)
        } else {
            let parts = n.div_ceil(cols).max(1) * wanted;
            cols = cols.min(n.div_ceil(parts).next_multiple_of(panel)).max(panel);
            let across = n.div_ceil(cols).max(1) * batch.max(1);
            // Few rows by few columns: a tile, of which there are few too, is a task.
            if across < FEW_TASKS { tiles.div_ceil(wanted) } else { tiles }
        };
        Cut { tiles: tiles_per_task, cols }
    }
}

impl Cut {
    /// Of a product whose k comes in blocks, each task copying its columns block by block: as many rows share the copy
    /// as have their sums near.
    fn of_long(batch: usize, m: usize, n: usize, tiles: usize, panel: usize) -> Cut {
        let few = FEW_TASKS.div_ceil(batch.max(1));
        let cols = even(n, STRIP, panel);
        // In rows, since tiles may be of a row less than the largest.
        let fitting = |cols: usize| (SUMS / cols.max(1) * tiles / m.max(1)).clamp(1, tiles.max(1));
        let tasks = |cols: usize| n.div_ceil(cols) * tiles.div_ceil(fitting(cols));
        let narrow = even(n, n.div_ceil(few).max(2 * panel), panel);
        let cols = if tasks(cols) < few { narrow.min(cols) } else { cols };
        let down = few.div_ceil(n.div_ceil(cols).max(1));
        Cut { tiles: fitting(cols).min(tiles.div_ceil(down)).max(1), cols }
    }
}

/// Cycles, roughly: vectors of multiply-adds, plus numbers packed or turned at four a cycle.
fn cost(p: &Problem, isa: Isa, turned: bool) -> usize {
    let (m, n) = if turned { (p.n, p.m) } else { (p.m, p.n) };
    let (a, b) = if turned { (&p.rhs, &p.lhs) } else { (&p.lhs, &p.rhs) };
    let products = m * p.k * n.div_ceil(tile::lanes(isa));
    let vectors = if n <= tile::lanes(isa) { 1 } else { 2 };
    let packing_a = if in_place(a, m, isa, vectors) { 0 } else { m * p.k };
    let packing_b = if vectors_in_place(b) { 0 } else { n * p.k };
    let turning = if turned { m * n } else { 0 };
    products + (packing_a + packing_b + turning) / 4
}

/// Whether tiles read a copy of `rhs`.
fn packs_b(b: &Operand, m: usize, n: usize, k: usize, panel: usize) -> bool {
    // Many rows pay for the copy, which spares them far-apart lines; short columns are soon read.
    let pays = m > 96 && k > 32 && n > 2 * panel;
    !vectors_in_place(b) || pays
}

/// Whether tiles can read rows of `lhs` where they lie, and are large enough within its runs.
fn in_place(a: &Operand, m: usize, isa: Isa, vectors: usize) -> bool {
    let run = row_run(a, m);
    let rows = run.div_ceil(run.div_ceil(tile::most_rows(isa, vectors)).max(1));
    let long = match &a.ks {
        Offsets::Stride(_) => true,
        Offsets::Runs { len, .. } => *len >= SHORT_RUN,
    };
    long && m.is_multiple_of(run.max(1)) && (run == m || rows * vectors >= BUSY)
}

/// Rows of `lhs` that are equally far from each other.
fn row_run(a: &Operand, m: usize) -> usize {
    match &a.rows {
        Offsets::Stride(_) => m,
        Offsets::Runs { len, .. } => *len,
    }
}

/// Whether vectors of `rhs` can be loaded where they lie.
fn vectors_in_place(b: &Operand) -> bool {
    matches!((&b.rows, &b.ks), (Offsets::Stride(1), Offsets::Stride(_)))
}

/// Whether the rows of a tile fall on the same few lines of the first cache, 4 KiB apart, often
/// enough that a copy pays.
fn rows_clash(a: &Operand, m: usize, n: usize) -> bool {
    matches!(a.rows, Offsets::Stride(step) if step != 0 && step % 1024 == 0) && m > 8 && n > 96
}

/// The size of the even parts that `n` falls into if none exceeds `most`, rounded up to `unit`.
fn even(n: usize, most: usize, unit: usize) -> usize {
    let parts = n.div_ceil(most).max(1);
    n.div_ceil(parts).next_multiple_of(unit).clamp(1, n.max(1))
}
