//! `Contract` kernels as instances of skeletons.
//!
//! Three lowerings, chosen by shape and device alone ([`choose`]): every sum in registers ([`Lowering::Direct`]), blocks of
//! the operands in workgroup memory ([`Lowering::Tiled`]), and k cut among the invocations of a workgroup
//! ([`Lowering::Split`]). The first two add a sum in order of k; the third in an order that its shape fixes. A body that folds
//! over n wants all sums of a row in one workgroup: it runs split, perhaps into one slice.

mod choice;

pub use choice::{Lowering, Shape, choose};

use super::skeleton::{Fill, Skeleton};
use super::{Piece, Target, body, rows};
use crate::base::DType;
use crate::loops::{Contract, Operand};
use std::sync::LazyLock;

static DIRECT: LazyLock<Skeleton> =
    LazyLock::new(|| Skeleton::parse(include_str!("../../../kernels/wgsl/contract_direct.wgsl")));
static TILED: LazyLock<Skeleton> =
    LazyLock::new(|| Skeleton::parse(include_str!("../../../kernels/wgsl/contract_tiled.wgsl")));
static SPLIT: LazyLock<Skeleton> =
    LazyLock::new(|| Skeleton::parse(include_str!("../../../kernels/wgsl/contract_split.wgsl")));

/// A kernel whose buffers are slots, as a piece.
pub fn lower(contract: &Contract, dtypes: &[DType], prefix: &str, target: &Target) -> Piece {
    let shape = Shape::of(contract);
    let turn = shape.wants_turn();
    let lowering = choose(if turn { shape.turned() } else { shape }, target);
    instance(contract, dtypes, prefix, lowering, turn)
}

/// The piece that runs a kernel in a given way, `turn`ed with rows as columns.
///
/// # Panics
/// If the body folds, and `turn` or another lowering than [`Lowering::Split`] is asked for.
pub fn instance(
    contract: &Contract,
    dtypes: &[DType],
    prefix: &str,
    lowering: Lowering,
    turn: bool,
) -> Piece {
    let shape = Shape::of(contract);
    let split = matches!(lowering, Lowering::Split { .. });
    assert!(!shape.by_row || (split && !turn), "wgsl: rows are finished where a tile has them whole");
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
            let along_k = contract.operands().map(|operand| runs_along_k(contract, operand));
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
                ("BY_ROW", contract.folds().to_string()),
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
        body::value_function(&operand.body, operand.value, contract.precision, groups, dtypes, name, prefix)
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
    let end = if contract.folds() {
        ("finish_row", rows::finish_rows(contract, dtypes, "finish_row", prefix))
    } else {
        ("finish", finish("finish"))
    };
    vec![
        ("lhs", operand(&contract.lhs, &contract.m, "lhs")),
        ("rhs", operand(&contract.rhs, &contract.n, "rhs")),
        end,
    ]
}

#[cfg(test)]
mod tests;
