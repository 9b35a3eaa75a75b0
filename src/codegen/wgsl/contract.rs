//! `Contract` kernels: which skeleton runs a product, and its instance.
//!
//! Three lowerings, chosen by shape and device alone: every sum in registers ([`Lowering::Direct`]), blocks of the operands
//! in workgroup memory ([`Lowering::Tiled`]), and k cut among the invocations of a workgroup ([`Lowering::Split`]). The first
//! two add a sum in order of k; the third in an order that its shape fixes.

use super::body;
use super::skeleton::{Fill, Skeleton};
use super::{Piece, Target, WORKGROUP};
use crate::base::DType;
use crate::loops::{Contract, Operand};
use std::cmp::Reverse;
use std::sync::LazyLock;

/// Workgroups that keep a large GPU busy.
const BUSY: u64 = 128;

/// Sums of a tile that are wanted, at least this part; the rest falls off the edges.
const USEFUL: f64 = 0.6;

/// The least k that goes through workgroup memory, and how many terms a slice has at least.
const TILED_K: usize = 16;
const SLICE_K: usize = 4;

/// Slices of a split product: fewer would leave its tiles no smaller than others'.
const SLICES: [u32; 5] = [16, 32, 64, 128, 256];

/// Tiles through workgroup memory, largest first: fours of rows and columns for each invocation, and k of a block.
/// A block has at most 8.5 KiB.
const TILES: [(u32, u32, u32); 3] = [(2, 2, 8), (1, 2, 16), (1, 1, 16)];

static DIRECT: LazyLock<Skeleton> =
    LazyLock::new(|| Skeleton::parse(include_str!("../../../kernels/wgsl/contract_direct.wgsl")));
static TILED: LazyLock<Skeleton> =
    LazyLock::new(|| Skeleton::parse(include_str!("../../../kernels/wgsl/contract_tiled.wgsl")));
static SPLIT: LazyLock<Skeleton> =
    LazyLock::new(|| Skeleton::parse(include_str!("../../../kernels/wgsl/contract_split.wgsl")));

/// Points of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub batch: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
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
    pub fn of(contract: &Contract) -> Shape {
        let size = |dims: &[usize]| dims.iter().product();
        Shape {
            batch: size(&contract.batch),
            m: size(&contract.m),
            n: size(&contract.n),
            k: size(&contract.k),
        }
    }

    /// With rows as columns.
    fn turned(self) -> Shape {
        Shape { m: self.n, n: self.m, ..self }
    }

    fn points(self) -> usize {
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

    fn shared_bytes(self) -> u32 {
        match self {
            Lowering::Direct { .. } => 0,
            Lowering::Tiled { rows, columns, block } => 16 * block * (16 * rows + 1 + 16 * columns + 1),
            Lowering::Split { rows, .. } => 16 * WORKGROUP * rows,
        }
    }

    fn describe(self, shape: Shape) -> String {
        let (rows, columns) = self.tile();
        let how = match self {
            Lowering::Direct { .. } => format!("direct {rows}x{columns} tiles"),
            Lowering::Tiled { block, .. } => {
                format!("{rows}x{columns} tiles through workgroup memory, k by {block}")
            }
            Lowering::Split { slices, .. } => {
                format!("{rows}x{columns} tiles, k cut among {slices} invocations, added by a tree")
            }
        };
        let groups = self.groups(shape);
        format!("{how}, {groups} workgroup{}", if groups == 1 { "" } else { "s" })
    }
}

/// Large tiles move the fewest bytes, so the largest that leaves enough workgroups; a product with few sums but a long k is
/// split. On a processor neither workgroup memory nor more invocations gain anything.
pub fn choose(shape: Shape, target: &Target) -> Lowering {
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
        _ => split(shape, target)
            .unwrap_or_else(|| [2, 1].map(direct).into_iter().find(busy).unwrap_or(direct(1))),
    }
}

/// The split that keeps the device busy and loads least; failing that the one with the most workgroups.
fn split(shape: Shape, target: &Target) -> Option<Lowering> {
    splits(shape).filter(|s| s.shared_bytes() <= target.workgroup_bytes).min_by_key(|s| {
        let (groups, (rows, columns)) = (s.groups(shape), s.tile());
        (Reverse(groups.min(BUSY)), groups * u64::from(rows + columns))
    })
}

/// Every split in which a slice has some terms.
fn splits(shape: Shape) -> impl Iterator<Item = Lowering> {
    let slices = SLICES.into_iter().filter(move |&s| shape.k >= SLICE_K * s as usize);
    let rows = [4, 2, 1].into_iter().filter(move |&r| r as usize <= shape.m);
    slices.flat_map(move |slices| {
        let places = WORKGROUP / slices;
        rows.clone().flat_map(move |rows| {
            (0..=places.ilog2()).map(move |log| {
                let along_m = 1 << log;
                Lowering::Split { rows, slices, along_m, along_n: places / along_m }
            })
        })
    })
}

/// A kernel whose buffers are slots, as a piece.
pub fn lower(contract: &Contract, dtypes: &[DType], prefix: &str, target: &Target) -> Piece {
    let shape = Shape::of(contract);
    // Sums come in fours along n: where n has fewer, rows become columns.
    let turn = shape.n < 4 && shape.m > shape.n;
    let shape = if turn { shape.turned() } else { shape };
    let lowering = choose(shape, target);
    instance(contract, dtypes, prefix, lowering, turn)
}

/// The piece that runs a kernel in the way that was chosen for it, `turn`ed or not.
pub fn instance(
    contract: &Contract,
    dtypes: &[DType],
    prefix: &str,
    lowering: Lowering,
    turn: bool,
) -> Piece {
    let shape = Shape::of(contract);
    let shape = if turn { shape.turned() } else { shape };
    if shape.points() == 0 {
        let text = format!("fn {prefix}main(group: u32, local: u32) {{\n}}\n");
        return Piece { text, groups: 0, shared_bytes: 0, how: "nothing to do".into() };
    }
    let (skeleton, constants) = plan(contract, lowering, turn);
    let fill = Fill {
        prefix: prefix.into(),
        constants: [sizes(shape), constants].concat(),
        holes: holes(contract, dtypes, prefix, turn),
    };
    Piece {
        text: skeleton.instance(&fill),
        groups: lowering.groups(shape),
        shared_bytes: lowering.shared_bytes(),
        how: lowering.describe(shape),
    }
}

type Constants = Vec<(&'static str, String)>;

fn number(value: impl std::fmt::Display) -> String {
    format!("{value}u")
}

fn sizes(shape: Shape) -> Constants {
    vec![
        ("BATCH", number(shape.batch)),
        ("M", number(shape.m)),
        ("N", number(shape.n)),
        ("K", number(shape.k)),
    ]
}

/// The skeleton of a lowering and its constants beside the sizes.
fn plan(contract: &Contract, lowering: Lowering, turn: bool) -> (&'static Skeleton, Constants) {
    match lowering {
        Lowering::Direct { rows } => (&DIRECT, vec![("ROWS", number(rows))]),
        Lowering::Tiled { rows, columns, block } => {
            let along_k = [runs_along_k(contract, &contract.lhs), runs_along_k(contract, &contract.rhs)];
            let [left, right] = if turn { [along_k[1], along_k[0]] } else { along_k };
            let constants = vec![
                ("ROWS", number(rows)),
                ("COLUMNS", number(columns)),
                ("SUMS", number(4 * rows * columns)),
                ("BLOCK", number(block)),
                ("LHS_LOADS", number(rows * block / 16)),
                ("RHS_LOADS", number(columns * block / 16)),
                ("LHS_ALONG_K", left.to_string()),
                ("RHS_ALONG_K", right.to_string()),
            ];
            (&TILED, constants)
        }
        Lowering::Split { rows, slices, along_m, along_n } => {
            let constants = vec![
                ("ROWS", number(rows)),
                ("SLICES", number(slices)),
                ("ALONG_M", number(along_m)),
                ("ALONG_N", number(along_n)),
            ];
            (&SPLIT, constants)
        }
    }
}

/// Whether neighbouring elements of an operand differ in k: in its first load the least stride is along k.
fn runs_along_k(contract: &Contract, operand: &Operand) -> bool {
    let step = |strides: &[i64]| strides.iter().map(|s| s.unsigned_abs()).filter(|s| *s != 0).min();
    let never = u64::MAX;
    operand.body.loads().next().is_some_and(|access| {
        let (others, ks) = access.strides.split_at(access.strides.len() - contract.k.len());
        step(ks).unwrap_or(never) < step(&others[contract.batch.len()..]).unwrap_or(never)
    })
}

/// The functions that the skeletons call. `turn`ed, the right operand is the left one.
fn holes(contract: &Contract, dtypes: &[DType], prefix: &str, turn: bool) -> Vec<(&'static str, String)> {
    let operand = |operand: &Operand, own: &[usize], name: &str| {
        let groups = [&contract.batch, own, &contract.k];
        body::value_function(&operand.body, operand.value, groups, dtypes, name, prefix)
    };
    let groups = [&contract.batch[..], &contract.m, &contract.n];
    let finish = |name: &str| body::finish_function(&contract.body, groups, dtypes, name, prefix);
    if turn {
        let call = format!(
            "fn {prefix}finish(b: i32, m: i32, n: i32, acc: f32) {{\n    {prefix}finish_turned(b, n, m, acc);\n}}\n"
        );
        return vec![
            ("lhs", operand(&contract.rhs, &contract.n, "lhs")),
            ("rhs", operand(&contract.lhs, &contract.m, "rhs")),
            ("finish", format!("{}\n{call}", finish("finish_turned"))),
        ];
    }
    vec![
        ("lhs", operand(&contract.lhs, &contract.m, "lhs")),
        ("rhs", operand(&contract.rhs, &contract.n, "rhs")),
        ("finish", finish("finish")),
    ]
}

#[cfg(test)]
mod tests;
