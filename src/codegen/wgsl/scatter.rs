//! `Scatter` kernels: an invocation owns an element of the result and adds what falls to it in index order.
//!
//! So every element is one chain of additions in the order of the indices, as on a CPU, and no two invocations ever
//! add to the same one. Indices out of range count as the nearest row.
//!
//! A workgroup takes 256 indices at a time and finds together which of them name one of its rows; only those are
//! looked at by all. A processor walks the indices alone.

use super::body::Emitter;
use super::ir::{Binary, Expr, Function, Kind, Local, Stmt, Type};
use super::sweep::count;
use super::{Piece, Target, WORKGROUP};
use crate::graph::ScalarOp;
use crate::loops::{Body, Scatter};

/// Indices of one word of hits.
const WORD_BITS: i32 = 32;

/// The piece of a bound kernel.
pub fn lower(scatter: &Scatter, prefix: &str, target: &Target) -> Piece {
    let points = scatter.rows * scatter.width;
    let body = Body::default();
    let mut e = Emitter::new(&body, &[], &[], prefix, Function::new(format!("{prefix}main")));
    let group = e.function.param("group", Type::U32, true);
    let local = e.function.param("local", Type::U32, false);
    let first = e.bind("first", group.cast(Type::I32).times(WORKGROUP as i32));
    let point = e.bind("point", first.clone().plus(local.clone().cast(Type::I32)));
    let (row, column) = point.clone().split(scatter.width);
    let (row, column) = (e.bind("row", row), e.bind("column", column));
    let sum = e.var("sum", Expr::F32(0.0));
    let work = Work { scatter, prefix, row, column, sum };
    let how = match (scatter.count, target.software) {
        (0, _) => "zeros",
        (_, true) => {
            work.alone(&mut e);
            "in index order, an element for each invocation"
        }
        (_, false) => {
            work.together(&mut e, &local, &first);
            "in index order, an element for each invocation, 256 indices at a time"
        }
    };
    let groups = points.div_ceil(WORKGROUP as usize) as u64;
    let exists = point.clone().binary(Binary::Lt, count(points));
    let exists = (groups * u64::from(WORKGROUP) != points as u64).then_some(exists);
    e.when(exists, |e| {
        let set = format!("{prefix}set{}", scatter.out.index());
        e.call(set, vec![point.clone(), Expr::Local(sum)], false);
    });
    let shared_bytes = if scatter.count > 0 && !target.software { 4 * (WORKGROUP + 8) } else { 0 };
    Piece { text: e.finish(), groups, shared_bytes, how: how.to_string() }
}

struct Work<'a> {
    scatter: &'a Scatter,
    prefix: &'a str,
    /// Of this invocation's element.
    row: Expr,
    column: Expr,
    sum: Local,
}

impl Work<'_> {
    /// The row that index `i` names.
    fn named_row(&self, i: Expr) -> Expr {
        let get = Expr::call(format!("{}get{}", self.prefix, self.scatter.index.index()), vec![i], Type::I32);
        let last = count(self.scatter.rows.saturating_sub(1));
        Expr::call("clamp", vec![get, Expr::I32(0), last], Type::I32)
    }

    /// Adds update `i` if `row` is this invocation's.
    fn add(&self, e: &mut Emitter, row: Expr, i: Expr) {
        let mine = row.binary(Binary::Eq, self.row.clone());
        let width = i32::try_from(self.scatter.width).expect("wgsl: sizes fit i32");
        e.when(Some(mine), |e| {
            let at = i.times(width).plus(self.column.clone());
            let update = Expr::call(
                format!("{}get{}", self.prefix, self.scatter.updates.index()),
                vec![at],
                Type::F32,
            );
            let value = Expr::Scalar { op: ScalarOp::Add, args: vec![Expr::Local(self.sum), update] };
            e.push(Stmt::Assign { local: self.sum, value });
        });
    }

    fn alone(&self, e: &mut Emitter) {
        e.repeat("i", [Expr::I32(0), count(self.scatter.count), Expr::I32(1)], |e, i| {
            let row = self.named_row(i.clone());
            self.add(e, row, i);
        });
    }

    fn together(&self, e: &mut Emitter, local: &Expr, first: &Expr) {
        let (first_row, _) = first.clone().split(self.scatter.width);
        let (last_row, _) = first.clone().plus(Expr::I32(WORKGROUP as i32 - 1)).split(self.scatter.width);
        let (first_row, last_row) = (e.bind("low", first_row), e.bind("high", last_row));
        let blocks = [Expr::I32(0), count(self.scatter.count), Expr::I32(WORKGROUP as i32)];
        e.repeat("block", blocks, |e, block| {
            self.stage(e, local, &block, [first_row, last_row]);
            let words = [Expr::I32(0), Expr::I32(WORKGROUP as i32 / WORD_BITS), Expr::I32(1)];
            e.repeat("word", words, |e, word| self.word(e, &block, &word));
        });
    }

    fn stage(&self, e: &mut Emitter, local: &Expr, block: &Expr, [low, high]: [Expr; 2]) {
        let i = e.bind("i", block.clone().plus(local.clone().cast(Type::I32)));
        let whole = self.scatter.count.is_multiple_of(WORKGROUP as usize);
        // No row is -1: past the last index nothing is named.
        let named = e.function.local("named", Type::I32, Kind::Var);
        e.push(Stmt::Var { local: named, value: Expr::I32(-1) });
        let there = (!whole).then(|| i.clone().binary(Binary::Lt, count(self.scatter.count)));
        e.when(there, |e| {
            let value = self.named_row(i);
            e.push(Stmt::Assign { local: named, value });
        });
        e.call("mlc_scatter_stage", vec![local.clone(), Expr::Local(named), low, high], true);
    }

    /// The hits of one word, the lowest bit first.
    fn word(&self, e: &mut Emitter, block: &Expr, word: &Expr) {
        let hits = Expr::call("mlc_scatter_hits", vec![word.clone()], Type::U32);
        let hits = e.bind("hits", hits);
        let left = e.var("left", hits.clone());
        let number = Expr::call("countOneBits", vec![hits], Type::U32).cast(Type::I32);
        let number = e.bind("number", number);
        e.repeat("hit", [Expr::I32(0), number, Expr::I32(1)], |e, _| {
            let bit = Expr::call("firstTrailingBit", vec![Expr::Local(left)], Type::U32).cast(Type::I32);
            let place = e.bind("place", word.clone().times(WORD_BITS).plus(bit));
            let fewer = Expr::Local(left).binary(Binary::Sub, Expr::U32(1));
            let value = Expr::Local(left).binary(Binary::BitAnd, fewer);
            e.push(Stmt::Assign { local: left, value });
            let index = Box::new(place.clone());
            let row = Expr::Element { array: "mlc_scatter_row".to_string(), ty: Type::I32, index };
            self.add(e, row, block.clone().plus(place));
        });
    }
}
