//! Functions of sequences: places, tables of rows, sums along time.

use super::{Builtin, Evaluated, Kind, Use, needs, takes};
use crate::base::{DType, Dim, Shape};
use crate::diag::Diagnostic;
use crate::graph::Value;
use crate::ops::formula::Operand;
use crate::ops::formula::arith::{as_f32, check_broadcast};

/// How slowly the slowest pair of a position turns (Vaswani et al., 2017).
const BASE: f64 = 10_000.0;

pub(super) static SEQUENCE: &[Builtin] = &[
    Builtin {
        name: "positions",
        params: &[needs("x", Kind::Operand)],
        doc: "The places along time of `[B, T, ..]`: `i32[T]`, 0 to T - 1. A table of them fits all rows: \
              `wte(tokens) + wpe(positions(tokens))`.",
        example: "positions(x)",
        build: |call| {
            let x = call.tensor(0);
            match call.b.shape(x).get(1).cloned() {
                Some(steps) => Ok(call.b.iota([steps], 0).into()),
                None => {
                    Err(call.wrong(0, "needs an axis of time behind the batch", "give it `[B, T]` or more"))
                }
            }
        },
    },
    Builtin {
        name: "sinusoidal",
        params: &[needs("x", Kind::Operand), takes("base", Kind::Operand)],
        doc: "Positions as waves, `f32[T, n]` of `[.., T, n]`: sin(t / base^(i / n)) at even i, the cosine of the wave \
              before at odd (Vaswani et al., 2017). `base` is 10000 unless said. Add it: `x + sinusoidal(x)`.",
        example: "sinusoidal(x)",
        build: |call| {
            let base = call.base(1)?;
            let (_, shape) = call.steps()?;
            Ok(sinusoidal(call, shape, base).into())
        },
    },
    Builtin {
        name: "rotary",
        params: &[needs("x", Kind::Operand), takes("heads", Kind::Size), takes("base", Kind::Operand)],
        doc: "Turns pairs of features by their place, `f32[.., T, n]` (Su et al., 2021): feature i of the first half of \
              each head with i of the second, by t / base^(2 i / width) radians. Scores of queries and keys that are \
              turned so depend on distances alone.",
        example: "rotary(one_hot(i, 4) * mean(x), heads=2)",
        build: |call| call.rotary(),
    },
    Builtin {
        name: "gather",
        params: &[needs("x", Kind::Operand), needs("index", Kind::Operand), takes("axis", Kind::Axes)],
        doc: "`x[index]`: the rows of a table at `i32` places, which are clamped into range. With `axis` n the first n \
              axes are those of both: `gather(x, last, axis=1)` takes one step of each row.",
        example: "gather(x, i)",
        build: |call| call.gather(),
    },
    Builtin {
        name: "cumsum",
        params: &[needs("x", Kind::Operand), takes("axis", Kind::Axes)],
        doc: "Sums of all up to each place along `axis` (the last unless said), as a product with a triangle of ones.",
        example: "cumsum(x, axis=0)",
        build: |call| call.cumsum(),
    },
    Builtin {
        name: "roll",
        params: &[needs("x", Kind::Operand), needs("shift", Kind::Size), takes("axis", Kind::Axes)],
        doc: "Moves all places `shift` further along `axis` (the last unless said); what falls out comes in again.",
        example: "roll(x, 1)",
        build: |call| call.roll(),
    },
    Builtin {
        name: "dot",
        params: &[needs("x", Kind::Operand), needs("y", Kind::Operand)],
        doc: "The sum of products over the last axis; the others broadcast.",
        example: "dot(x, sin(x))",
        build: |call| {
            let ((x, at_x), (y, at_y)) = (call.given(0), call.given(1));
            let (x, y) = (as_f32(call.b, &x), as_f32(call.b, &y));
            let shape = check_broadcast(call.b, "dot", (x, at_x), (y, at_y), call.span)?;
            let product = call.b.mul(x, y);
            match shape.rank() {
                0 => Ok(product.into()),
                rank => Ok(call.b.sum(product, &[rank - 1]).into()),
            }
        },
    },
];

/// `f32[T, n]` of waves.
fn sinusoidal(call: &mut Use, shape: Shape, base: f64) -> Value {
    let b = &mut *call.b;
    let places = b.iota(shape.clone(), 0);
    let features = b.iota(shape.clone(), 1);
    let (places, features) = (b.to_f32(places), b.to_f32(features));
    let half = b.constant(0.5);
    let pairs = b.mul(features, half);
    let pairs = b.floor(pairs);
    let angles = angles(call, places, pairs, &shape[1], base);
    let b = &mut *call.b;
    let twice = b.add(pairs, pairs);
    let is_even = b.eq(features, twice);
    let (sin, cos) = (b.sin(angles), b.cos(angles));
    b.select(is_even, sin, cos)
}

/// place / base^(2 pair / width)
fn angles(call: &mut Use, places: Value, pairs: Value, width: &Dim, base: f64) -> Value {
    let b = &mut *call.b;
    let width = b.size(width);
    let rate = b.constant(-2.0 * libm::log(base));
    let rate = b.div(rate, width);
    let slower = b.mul(pairs, rate);
    let slower = b.exp(slower);
    b.mul(places, slower)
}

impl Use<'_> {
    /// The tensor as `f32`, and the sizes of its last two axes: time and features.
    fn steps(&mut self) -> Result<(Value, Shape), Diagnostic> {
        let (x, _) = self.given(0);
        let x = as_f32(self.b, &x);
        match self.b.shape(x).dims() {
            [.., steps, features] => Ok((x, Shape::from(vec![steps.clone(), features.clone()]))),
            _ => Err(self.wrong(0, "needs time and features as its last axes", "give it `[B, T, n]`")),
        }
    }

    /// A number above 0, or the usual one.
    fn base(&mut self, i: usize) -> Result<f64, Diagnostic> {
        match self.operand(i) {
            None => Ok(BASE),
            Some((Operand::Number(n), _)) if n.as_f64().is_some_and(|x| x > 0.0) => {
                Ok(n.as_f64().expect("sequence: just looked"))
            }
            Some(_) => {
                Err(self.wrong(i, "needs a number above 0 as `base`", "write a number such as `base=10000`"))
            }
        }
    }

    /// The one axis of argument `i`; the last without one.
    fn one_axis(&mut self, i: usize, x: Value) -> Result<usize, Diagnostic> {
        let rank = self.b.shape(x).rank();
        if rank == 0 {
            return Err(self.wrong(0, "needs at least one axis", "give it a tensor"));
        }
        if self.args[i].is_none() {
            return Ok(rank - 1);
        }
        match self.axes(i, x)?[..] {
            [axis] => Ok(axis),
            _ => Err(self.wrong(i, "takes one axis", "write one axis, such as `axis=1`")),
        }
    }

    fn rotary(&mut self) -> Result<Operand, Diagnostic> {
        let base = self.base(2)?;
        let heads = match &self.args[1] {
            Some((Evaluated::Size(heads), _)) => heads.clone(),
            Some(_) | None => Dim::one(),
        };
        let (x, sizes) = self.steps()?;
        let halves = sizes[1].div_exact(&heads).and_then(|width| width.div_exact(&Dim::from(2)));
        let Some(half) = halves else {
            let why = format!("cannot pair the {} features of {heads} heads", sizes[1]);
            return Err(self.wrong(0, &why, "make the width of each head even"));
        };
        let shape = self.b.shape(x).clone();
        let lead = shape.rank() - 2;
        let mut apart = shape[..=lead].to_vec();
        apart.extend([heads.clone(), Dim::from(2), half.clone()]);
        let pairs = self.b.reshape(x, apart);
        let side = |call: &mut Self, at: i64| {
            let axis = lead + 2;
            let v = call.b.slice_axis(pairs, axis, Dim::from(at), Dim::one());
            let shape = call.b.shape(v).without(&[axis]);
            call.b.reshape(v, shape)
        };
        let (first, second) = (side(self, 0), side(self, 1));
        let turned = self.turned(first, second, [sizes[0].clone(), heads, half], base);
        let joined = turned.map(|v| {
            let shape = self.b.shape(v).with_axis(lead + 2, Dim::one());
            self.b.reshape(v, shape)
        });
        let joined = self.b.concat(&joined, lead + 2);
        Ok(self.b.reshape(joined, shape).into())
    }

    /// Both sides of each pair, turned by their place: `[.., T, heads, half]` each.
    fn turned(&mut self, first: Value, second: Value, sizes: [Dim; 3], base: f64) -> [Value; 2] {
        let shape = Shape::from(sizes.to_vec());
        let places = self.b.iota(shape.clone(), 0);
        let features = self.b.iota(shape.clone(), 2);
        let (places, features) = (self.b.to_f32(places), self.b.to_f32(features));
        let width = sizes[2].clone() * Dim::from(2);
        let angles = angles(self, places, features, &width, base);
        let b = &mut *self.b;
        let (sin, cos) = (b.sin(angles), b.cos(angles));
        let (ac, bs, bc, a_s) =
            (b.mul(first, cos), b.mul(second, sin), b.mul(second, cos), b.mul(first, sin));
        [b.sub(ac, bs), b.add(bc, a_s)]
    }

    fn gather(&mut self) -> Result<Operand, Diagnostic> {
        let (x, index) = (self.tensor(0), self.whole(1)?);
        let axis = if self.args[2].is_some() { self.one_axis(2, x)? } else { 0 };
        let (table, places) = (self.b.shape(x).clone(), self.b.shape(index).clone());
        if table.rank() == 0 {
            return Err(self.wrong(0, "needs a table of rows", "give it a tensor"));
        }
        if places.get(..axis) != Some(&table[..axis]) {
            let why = format!("needs an index whose first axes are those of {table}, up to axis {axis}");
            return Err(self.wrong(1, &why, "give one index, or several, for each row"));
        }
        if axis == 0 {
            return Ok(self.b.gather(x, index).into());
        }
        let rows = Shape::from(table[..axis].to_vec());
        let flat: Vec<Dim> = [rows.size() * table[axis].clone()]
            .into_iter()
            .chain(table[axis + 1..].iter().cloned())
            .collect();
        let b = &mut *self.b;
        let flat = b.reshape(x, flat);
        let row = b.iota([rows.size()], 0);
        let row = b.reshape(row, rows);
        let row = b.broadcast(row, places, &(0..axis).collect::<Vec<_>>());
        let (zero, one, size) = (b.int(0), b.int(1), b.size(&table[axis]));
        let size = b.to_i32(size);
        let last = b.sub(size, one);
        let inside = b.max(index, zero);
        let inside = b.min(inside, last);
        let before = b.mul(row, size);
        let at = b.add(before, inside);
        Ok(b.gather(flat, at).into())
    }

    fn cumsum(&mut self) -> Result<Operand, Diagnostic> {
        let (x, _) = self.given(0);
        let x = as_f32(self.b, &x);
        let axis = self.one_axis(1, x)?;
        let b = &mut *self.b;
        let n = b.shape(x)[axis].clone();
        let (from, to) = (b.iota([n.clone(), n.clone()], 0), b.iota([n.clone(), n], 1));
        let up_to = b.le(from, to);
        let last = b.shape(x).rank() - 1;
        let mut perm: Vec<usize> = (0..=last).collect();
        perm.swap(axis, last);
        let moved = b.permute(x, &perm);
        let sums = b.exact_contract("..i,ij->..j", moved, up_to);
        Ok(b.permute(sums, &perm).into())
    }

    fn roll(&mut self) -> Result<Operand, Diagnostic> {
        let x = self.tensor(0);
        let x = if self.b.dtype(x) == DType::U8 { self.b.to_i32(x) } else { x };
        let axis = self.one_axis(2, x)?;
        let n = self.b.shape(x)[axis].clone();
        let Some(shift) = self.size(1).as_const() else {
            return Err(self.wrong(1, "needs a known number as `shift`", "write a number"));
        };
        let shift = n.as_const().map_or(shift, |n| shift.rem_euclid(n.max(1)));
        if shift == 0 {
            return Ok(x.into());
        }
        // What stands there afterwards begins at the place that is moved to the front.
        let first = if shift > 0 { n.clone() - Dim::from(shift) } else { Dim::from(-shift) };
        let rest = n - first.clone();
        let b = &mut *self.b;
        let (head, tail) =
            (b.slice_axis(x, axis, first.clone(), rest), b.slice_axis(x, axis, Dim::zero(), first));
        Ok(b.concat(&[head, tail], axis).into())
    }
}
