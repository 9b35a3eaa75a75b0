//! Which skeleton runs a product, and with which numbers: by shape and device alone.

use crate::codegen::wgsl::{Target, WORKGROUP};
use crate::loops::Contract;
use std::cmp::Reverse;

/// Workgroups that keep a large GPU busy, and those that keep a processor busy.
const BUSY: u64 = 128;
const BUSY_SOFTWARE: u64 = 4;

/// Sums of a tile that are wanted, at least this part; the rest falls off the edges.
const USEFUL: f64 = 0.6;

/// The least k that goes through workgroup memory, and how many terms a slice has at least.
const TILED_K: usize = 16;
const SLICE_K: usize = 4;

/// Slices of a split product: fewer would leave its tiles no smaller than others'.
const SLICES: [u32; 5] = [16, 32, 64, 128, 256];

/// Rows of sums for an invocation.
const ROWS: [u32; 3] = [4, 2, 1];

/// Tiles through workgroup memory, largest first: fours of rows and columns for each invocation, and k of a block.
/// A block has at most 13 KiB.
const TILES: [(u32, u32, u32); 3] = [(2, 2, 8), (1, 2, 16), (1, 1, 16)];

/// Points of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub batch: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// Its rows are finished as a whole.
    pub by_row: bool,
}

/// How a product runs. The skeletons say what the numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lowering {
    /// `rows` x 4 sums for each invocation, operands straight from memory.
    Direct { rows: u32 },
    /// 4 `rows` x 4 `columns` sums for each of 16 x 16 invocations, operands through workgroup memory, `block` k at a time.
    Tiled { rows: u32, columns: u32, block: u32 },
    /// `rows` x 4 sums for each of `slices` x `along_m` x `along_n` invocations, each with a part of k.
    Split { rows: u32, slices: u32, along_m: u32, along_n: u32 },
}

impl Shape {
    /// Rows without columns have one that nobody sees, so that they are finished too.
    pub fn of(contract: &Contract) -> Shape {
        let size = |dims: &[usize]| dims.iter().product();
        let (batch, m) = (size(&contract.batch), size(&contract.m));
        let (n, k, by_row) = (size(&contract.n), size(&contract.k), contract.folds());
        if by_row && n == 0 {
            return Shape { batch, m, n: 1, k: 0, by_row };
        }
        Shape { batch, m, n, k, by_row }
    }

    /// With rows as columns.
    pub fn turned(self) -> Shape {
        Shape { m: self.n, n: self.m, ..self }
    }

    /// Whether it should be turned: sums come in fours along n, so where n has fewer, rows become columns.
    pub fn wants_turn(self) -> bool {
        self.n < 4 && self.m > self.n && !self.by_row
    }

    pub fn points(self) -> usize {
        self.batch * self.m * self.n
    }
}

impl Lowering {
    /// Rows and columns of sums of a workgroup's tile; of an invocation's, where it has its own.
    fn tile(self) -> (u32, u32) {
        match self {
            Lowering::Direct { rows } => (rows, 4),
            Lowering::Tiled { rows, columns, .. } => (64 * rows, 64 * columns),
            Lowering::Split { rows, along_m, along_n, .. } => (along_m * rows, 4 * along_n),
        }
    }

    fn tiles(self, shape: Shape) -> u64 {
        let (rows, columns) = self.tile();
        let along = |size: usize, by: u32| (size as u64).div_ceil(u64::from(by));
        shape.batch as u64 * along(shape.m, rows) * along(shape.n, columns)
    }

    pub fn groups(self, shape: Shape) -> u64 {
        match self {
            Lowering::Direct { .. } => self.tiles(shape).div_ceil(u64::from(WORKGROUP)),
            Lowering::Tiled { .. } | Lowering::Split { .. } => self.tiles(shape),
        }
    }

    /// The part of the computed sums that is wanted.
    fn useful(self, shape: Shape) -> f64 {
        let (rows, columns) = self.tile();
        shape.points() as f64 / (self.tiles(shape) * u64::from(rows * columns)) as f64
    }

    /// Elements of the operands that are loaded, for each k.
    fn loads(self, shape: Shape) -> u64 {
        let (rows, columns) = self.tile();
        self.tiles(shape) * u64::from(rows + columns)
    }

    /// Elements of the operands that an invocation loads.
    fn loads_each(self, shape: Shape) -> usize {
        match self {
            Lowering::Direct { rows } => shape.k * (rows as usize + 4),
            Lowering::Tiled { rows, columns, .. } => shape.k * (rows + columns) as usize / 4,
            Lowering::Split { rows, slices, .. } => shape.k.div_ceil(slices as usize) * (rows as usize + 4),
        }
    }

    pub fn shared_bytes(self) -> u32 {
        match self {
            Lowering::Direct { .. } => 0,
            Lowering::Tiled { rows, columns, block } => 16 * block * (16 * rows + 1 + 16 * columns + 1),
            Lowering::Split { rows, .. } => 16 * WORKGROUP * rows,
        }
    }

    pub fn describe(self, shape: Shape) -> String {
        let (rows, columns) = self.tile();
        let how = match self {
            Lowering::Direct { .. } => format!("direct {rows}x{columns} tiles"),
            Lowering::Tiled { block, .. } => {
                format!("{rows}x{columns} tiles through workgroup memory, k by {block}")
            }
            Lowering::Split { slices, .. } => {
                let tile = match (shape.by_row, rows) {
                    (true, 1) => "one whole row".to_string(),
                    (true, rows) => format!("{rows} whole rows"),
                    (false, rows) => format!("{rows}x{columns} tiles"),
                };
                let cut = format!("k cut among {slices} invocations and added by a tree");
                if slices == 1 { tile } else { format!("{tile}, {cut}") }
            }
        };
        let groups = self.groups(shape);
        format!("{how}, {groups} workgroup{}", if groups == 1 { "" } else { "s" })
    }
}

/// Large tiles move the fewest bytes, so the largest that leaves enough workgroups; a product with few sums but a long k is
/// split. On a processor neither workgroup memory nor more invocations gain anything. Rows that are finished as a whole
/// meet in workgroup memory everywhere.
pub fn choose(shape: Shape, target: &Target) -> Lowering {
    if shape.by_row {
        let busy = if target.software { BUSY_SOFTWARE } else { BUSY };
        return best(whole_rows(shape), shape, target, busy).expect("wgsl: a row is one tile of a workgroup");
    }
    let direct = |rows| Lowering::Direct { rows };
    let most = direct(if shape.m >= 4 { 4 } else { shape.m.max(1) as u32 });
    if target.software || shape.k == 0 {
        return most;
    }
    let busy = |lowering: &Lowering| lowering.groups(shape) >= BUSY;
    let tiled = TILES
        .into_iter()
        .map(|(rows, columns, block)| Lowering::Tiled { rows, columns, block })
        .find(|t| busy(t) && t.useful(shape) >= USEFUL && t.shared_bytes() <= target.workgroup_bytes);
    match tiled {
        Some(tiled) if shape.k >= TILED_K => tiled,
        _ if busy(&most) => most,
        _ => best(splits(shape), shape, target, BUSY)
            .unwrap_or_else(|| [2, 1].map(direct).into_iter().find(busy).unwrap_or(direct(1))),
    }
}

/// The lowering that keeps the device busy and loads least, as a whole and then for each invocation; failing that the
/// one with the most workgroups.
fn best(among: impl Iterator<Item = Lowering>, shape: Shape, target: &Target, busy: u64) -> Option<Lowering> {
    among
        .filter(|l| l.shared_bytes() <= target.workgroup_bytes)
        .min_by_key(|l| (Reverse(l.groups(shape).min(busy)), l.loads(shape), l.loads_each(shape)))
}

/// Every split that uses all invocations and gives each some terms.
fn splits(shape: Shape) -> impl Iterator<Item = Lowering> {
    let slices = SLICES.into_iter().filter(move |&s| shape.k >= SLICE_K * s as usize);
    slices.flat_map(move |slices| {
        let places = WORKGROUP / slices;
        rows_within(shape).flat_map(move |rows| {
            powers(places).map(move |along_m| Lowering::Split {
                rows,
                slices,
                along_m,
                along_n: places / along_m,
            })
        })
    })
}

/// Every split whose tiles are whole rows, those with the most slices first.
fn whole_rows(shape: Shape) -> impl Iterator<Item = Lowering> {
    let along_n = u32::try_from(shape.n.div_ceil(4)).unwrap_or(u32::MAX);
    let slices = powers(WORKGROUP / along_n.min(WORKGROUP)).rev();
    let some_terms = move |s: &u32| *s == 1 || shape.k >= SLICE_K * *s as usize;
    slices.filter(some_terms).flat_map(move |slices| {
        rows_within(shape).flat_map(move |rows| {
            powers(WORKGROUP / slices / along_n).map(move |along_m| Lowering::Split {
                rows,
                slices,
                along_m,
                along_n,
            })
        })
    })
}

fn rows_within(shape: Shape) -> impl Iterator<Item = u32> {
    ROWS.into_iter().filter(move |&rows| rows as usize <= shape.m)
}

/// The powers of two up to `most`.
fn powers(most: u32) -> impl DoubleEndedIterator<Item = u32> {
    (0..=most.checked_ilog2().unwrap_or(0)).map(|log| 1 << log)
}
