//! `Rows` kernels: pointwise work, and folds over rows.
//!
//! | form | who owns what | when |
//! |---|---|---|
//! | map | an invocation owns a point, or a few far apart | nothing is folded |
//! | rows | an invocation owns a row | short rows, or rows enough to keep a device busy |
//! | lanes | a power of two of invocations share a row; their folds are joined by a fixed tree | long rows |
//!
//! Neighbouring invocations walk what lies side by side: along the row, or down columns. The order of a fold depends on
//! the kernel's shape and on whether the device is a processor, on nothing else.

use super::body::{Emitter, merged};
use super::ir::{Binary, Expr, Function, Type};
use super::sweep::{Lanes, Sweeps, Walk, count};
use super::{Piece, Target, WORKGROUP};
use crate::base::DType;
use crate::loops::{Body, Contract, Node, Rows};

/// Points of a map beyond which an invocation takes several.
const MANY_POINTS: usize = 1 << 20;
/// Points that it takes then.
const POINTS_EACH: usize = 4;
/// Invocations that keep a large device busy.
const BUSY: usize = 1 << 14;
/// Elements of a row that an invocation folds at least.
const LEAST_EACH: usize = 8;
/// Invocations side by side that make one access of memory, and as few as waste little of it.
const SIDE_BY_SIDE: usize = 32;
const LEAST_SIDE_BY_SIDE: usize = 8;
/// From here on rows are shared on a processor too, if they are so few that a workgroup is not filled otherwise.
const LONG_FOR_PROCESSOR: usize = 64;

/// The piece of a bound kernel; `dtypes` are those of its slots.
pub fn lower(rows: &Rows, dtypes: &[DType], prefix: &str, target: &Target) -> Piece {
    let (body, sizes, [outer, _]) = merged(&rows.body, [&rows.outer, &rows.row]);
    let sweeps = Sweeps::of(&body, &sizes, outer);
    if sweeps.is_map(&body, &sizes) || body.stores.is_empty() {
        return map(rows, dtypes, prefix);
    }
    let space = Space { body: &body, sizes: &sizes, outer, sweeps };
    match space.lanes(dtypes, target) {
        1 => space.row_each(dtypes, prefix),
        lanes => space.shared(dtypes, prefix, lanes),
    }
}

/// `fn {prefix}{name}(b: i32, m: i32, row: i32)`: the body of a contraction that folds over all of `n`, for one point of `batch`
/// and `m`, by one invocation. The sums are read from `fn {prefix}acc(row: i32, n: i32) -> f32`, `n` being row-major.
pub fn finish_rows(contract: &Contract, dtypes: &[DType], name: &str, prefix: &str) -> String {
    let (body, sizes, counts) = merged(&contract.body, [&contract.batch, &contract.m, &contract.n]);
    let outer = counts[0] + counts[1];
    let sweeps = Sweeps::of(&body, &sizes, outer);
    let function = Function::new(format!("{prefix}{name}"));
    let mut e = Emitter::new(&body, dtypes, &sizes, prefix, function);
    e.enter_groups(["b", "m", "row"], &[counts[0], counts[1], 0]);
    let row = Expr::Local(e.function.params[2]);
    sweeps.emit(&mut e, &Walk::Sums { function: format!("{prefix}acc"), row });
    e.finish()
}

/// A main function, its two parameters as `i32` and `u32`.
fn main_of<'a>(
    body: &'a Body,
    sizes: &'a [usize],
    dtypes: &[DType],
    prefix: &'a str,
) -> (Emitter<'a>, Expr, Expr) {
    let function = Function::new(format!("{prefix}main"));
    let mut e = Emitter::new(body, dtypes, sizes, prefix, function);
    let group = e.function.param("group", Type::U32, true);
    let local = e.function.param("local", Type::U32, false);
    (e, group, local)
}

/// What must hold for a point to be one of `points`; none where all that are counted are.
fn inside(point: &Expr, points: usize, counted: u64) -> Option<Expr> {
    (counted != points as u64).then(|| point.clone().binary(Binary::Lt, count(points)))
}

/// A kernel without folds: all its dims are one space.
fn map(rows: &Rows, dtypes: &[DType], prefix: &str) -> Piece {
    let (body, sizes, _) = merged(&rows.body, [&[rows.outer.as_slice(), &rows.row].concat()]);
    let points: usize = sizes.iter().product();
    let each = if points > MANY_POINTS { POINTS_EACH } else { 1 };
    let groups = points.div_ceil(WORKGROUP as usize * each) as u64;
    let counted = groups * u64::from(WORKGROUP) * each as u64;
    let (mut e, group, local) = main_of(&body, &sizes, dtypes, prefix);
    let stores: Vec<usize> = (0..body.stores.len()).collect();
    let first = group.cast(Type::I32).times((WORKGROUP as usize * each) as i32).plus(local.cast(Type::I32));
    let first = e.bind("point", first);
    let at_point = |e: &mut Emitter, point: Expr| {
        let condition = inside(&point, points, counted);
        e.when(condition, |e| {
            e.enter(0..e.sizes.len(), point);
            e.stores(&stores);
        });
    };
    match each {
        1 => at_point(&mut e, first),
        _ => {
            let end = Expr::I32((WORKGROUP as usize * each) as i32);
            e.repeat("step", [Expr::I32(0), end, Expr::I32(WORKGROUP as i32)], |e, step| {
                let point = e.bind("point", first.plus(step));
                at_point(e, point);
            });
        }
    }
    let how = match each {
        1 => "a point for each invocation".to_string(),
        _ => format!("{each} points for each invocation"),
    };
    Piece { text: e.finish(), groups, shared_bytes: 0, how }
}

/// A kernel that folds, over merged dims.
struct Space<'a> {
    body: &'a Body,
    sizes: &'a [usize],
    outer: usize,
    sweeps: Sweeps,
}

impl Space<'_> {
    fn points(&self) -> usize {
        self.sizes[..self.outer].iter().product()
    }

    fn row(&self) -> usize {
        self.sizes[self.outer..].iter().product()
    }

    /// How many invocations share a row.
    fn lanes(&self, dtypes: &[DType], target: &Target) -> usize {
        let (points, row) = (self.points().max(1), self.row());
        let most = (row / LEAST_EACH).min(WORKGROUP as usize);
        // The tree is made for `f32`, and lanes count the points of a row by `i32`.
        let shareable = !self.folds_whole_numbers(dtypes) && i32::try_from(row).is_ok();
        if most < 2 || self.sweeps.count == 0 || !shareable {
            return 1;
        }
        let most = 1 << most.ilog2();
        if target.software {
            let room = (WORKGROUP as usize / points).max(1);
            return if row >= LONG_FOR_PROCESSOR { most.min(1 << room.ilog2()) } else { 1 };
        }
        let wanted = BUSY.div_ceil(points).next_power_of_two();
        match self.along_rows() {
            true if row > SIDE_BY_SIDE => wanted.max(SIDE_BY_SIDE).min(most),
            true => wanted.min(most),
            false => {
                let columns = (WORKGROUP as usize / wanted.min(WORKGROUP as usize))
                    .clamp(LEAST_SIDE_BY_SIDE, SIDE_BY_SIDE)
                    .min(points.next_power_of_two());
                wanted.min(most).min(WORKGROUP as usize / columns)
            }
        }
    }

    fn folds_whole_numbers(&self, dtypes: &[DType]) -> bool {
        let e = Emitter::new(self.body, dtypes, self.sizes, "", Function::new(""));
        let whole = |(id, node): (_, &Node)| matches!(node, Node::Fold { .. }) && e.ty(id) != Type::F32;
        self.body.nodes.iter().any(whole)
    }

    /// Whether neighbours in memory are neighbours of a row rather than of a column.
    fn along_rows(&self) -> bool {
        let accesses = self.body.loads().chain(self.body.stores.iter().map(|s| &s.access));
        let (mut rows, mut columns) = (0, 0);
        for access in accesses {
            let side_by_side = |d: usize| access.strides[d].abs() == 1;
            rows += usize::from((self.outer..self.sizes.len()).any(side_by_side));
            columns += usize::from((0..self.outer).any(side_by_side) && self.walks_row(&access.strides));
        }
        rows >= columns
    }

    fn walks_row(&self, strides: &[i64]) -> bool {
        strides[self.outer..].iter().any(|&s| s != 0)
    }

    /// One row for each invocation.
    fn row_each(&self, dtypes: &[DType], prefix: &str) -> Piece {
        let points = self.points();
        let groups = points.div_ceil(WORKGROUP as usize) as u64;
        let (mut e, group, local) = main_of(self.body, self.sizes, dtypes, prefix);
        let point = group.cast(Type::I32).times(WORKGROUP as i32).plus(local.cast(Type::I32));
        let point = e.bind("point", point);
        let condition = inside(&point, points, groups * u64::from(WORKGROUP));
        e.when(condition, |e| {
            e.enter(0..self.outer, point);
            self.sweeps.emit(e, &Walk::Alone);
        });
        let how = format!("a row of {} for each invocation", self.row());
        Piece { text: e.finish(), groups, shared_bytes: 0, how }
    }

    /// `lanes` invocations for each row.
    fn shared(&self, dtypes: &[DType], prefix: &str, lanes: usize) -> Piece {
        let (points, row, along) = (self.points(), self.row(), self.along_rows());
        let each = WORKGROUP as usize / lanes;
        let groups = points.div_ceil(each) as u64;
        let (mut e, group, local) = main_of(self.body, self.sizes, dtypes, prefix);
        let (lane, at) = places(&mut e, &local, lanes, along);
        let named = e.bind("point", group.cast(Type::I32).times(each as i32).plus(at.clone()));
        let condition = inside(&named, points, groups * each as u64);
        // Lanes past the last row fold it once more, so that all meet at the barriers.
        let point = match condition {
            Some(_) => {
                let last = Expr::call("min", vec![named.clone(), count(points - 1)], Type::I32);
                e.bind("row", last)
            }
            None => named,
        };
        e.enter(0..self.outer, point);
        let place = e.bind("place", lane.clone().times(each as i32).plus(at.clone()));
        let lanes_of =
            Lanes { lanes: lanes as i32, lane, points: each as i32, point: at, place, exists: condition };
        self.sweeps.emit(&mut e, &Walk::Shared(lanes_of));
        let how = match each {
            1 => format!("a workgroup for each row of {row}"),
            _ => format!("{lanes} lanes for each row of {row}"),
        };
        Piece { text: e.finish(), groups, shared_bytes: 4 * WORKGROUP, how }
    }
}

/// Which lane of which of the workgroup's rows an invocation is: neighbours lie along the row, or down columns.
fn places(e: &mut Emitter, local: &Expr, lanes: usize, along: bool) -> (Expr, Expr) {
    let inner = if along { lanes } else { WORKGROUP as usize / lanes };
    let (names, local) = (if along { ["at", "lane"] } else { ["lane", "at"] }, local.clone().cast(Type::I32));
    let (high, low) = match inner == WORKGROUP as usize {
        true => (Expr::I32(0), local),
        false => local.split(inner),
    };
    let (high, low) = (e.bind(names[0], high), e.bind(names[1], low));
    if along { (low, high) } else { (high, low) }
}

#[cfg(test)]
mod tests;
