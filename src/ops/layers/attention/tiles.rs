//! Long sequences: attention by tiles of queries.
//!
//! All scores of a long sequence take more memory than all else, and the way back reads them again. A loop over tiles of
//! queries ([`Keep::Nothing`]) holds the scores of one tile at a time and computes them again on the way back, where what the
//! tiles add to the gradients of keys and values is added up from the last to the first. So memory grows with the length and not
//! with its square. Short sequences keep their scores, which is faster there.

use super::{Attention, Form, Sizes, Wrong, form, whole};
use crate::base::{Dim, Shape};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Keep, ScanInputs, Value};
use crate::ops::Library;

/// From so many scores of a head on: 1024 steps that see as many. There a training step takes as long either way; of
/// 512 steps it takes a quarter longer by tiles.
const LONG: i64 = 1024 * 1024;
/// Queries of a tile: as many as divide all of them in this range.
const TILE: std::ops::RangeInclusive<i64> = 32..=128;

/// How many queries a tile has, if there are to be tiles.
pub(super) fn queries(b: &Builder, sizes: &Sizes) -> Option<Dim> {
    let (steps, seen) = (sizes.steps.as_const()?, sizes.seen.as_const()?);
    if b.along_time || steps * seen < LONG {
        return None;
    }
    TILE.rev().find(|size| steps % size == 0).map(Dim::from)
}

/// As [`whole`], tile by tile.
pub(super) fn attend(
    lib: &Library,
    b: &mut Builder,
    [q, k, v]: [Value; 3],
    how: &Attention,
    sizes: Sizes,
    queries: Dim,
    wrong: Wrong,
) -> Result<Value, Diagnostic> {
    let tiles = sizes.steps.div_exact(&queries).expect("attention: tiles come out even");
    let cut = |b: &mut Builder, x: Value, axis: usize| {
        let shape = b.shape(x).with(axis, tiles.clone()).with_axis(axis + 1, queries.clone());
        let x = b.reshape(x, shape);
        let rank = b.shape(x).rank();
        let first: Vec<usize> = std::iter::once(axis).chain((0..rank).filter(|a| *a != axis)).collect();
        b.permute(x, &first)
    };
    let places = b.iota(Shape::from(vec![sizes.steps.clone()]), 0);
    let mut slices = vec![cut(b, q, 1), cut(b, places, 0)];
    let mut constants = vec![k, v];
    // By mask: whether each tile has its own part.
    let mut own = Vec::new();
    for &mask in &how.masks {
        let axis = match form(b, mask, &sizes, wrong)? {
            Form::Keys => None,
            Form::Pairs => Some(0),
            Form::Rows => Some(1),
        };
        match axis {
            Some(axis) => slices.push(cut(b, mask, axis)),
            None => constants.push(mask),
        }
        own.push(axis.is_some());
    }
    let scan = ScanInputs {
        length: tiles.clone(),
        keep: Keep::Nothing,
        reverse: false,
        carries: &[],
        slices: &slices,
        constants: &constants,
    };
    let of_tile = Sizes { steps: queries.clone(), ..sizes.clone() };
    let span = b.span();
    let [_, made] = b.scan(&scan, |b, step| {
        b.at(span);
        let (mut with, mut all) = (step.slices[2..].iter(), step.constants[2..].iter());
        let mask = |own: &bool| *if *own { with.next() } else { all.next() }.expect("attention: its masks");
        let how = Attention { masks: own.iter().map(mask).collect(), ..how.clone() };
        let tensors = [step.slices[0], step.constants[0], step.constants[1]];
        let y = whole(lib, b, tensors, &how, of_tile, Some(step.slices[1]), wrong)?;
        Ok::<_, Diagnostic>([Vec::new(), vec![y]])
    })?;
    // f32[tiles, B, queries, n]
    let y = b.permute(made[0], &[1, 0, 2, 3]);
    let features = b.shape(y).last().cloned().expect("attention: a result has features");
    Ok(b.reshape(y, vec![sizes.batch, sizes.steps, features]))
}
