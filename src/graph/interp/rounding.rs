//! How far a run in `f32` may be from the reference: running error analysis.
//!
//! Beside every number `x` stands a bound `e`: whatever a sound way of running the graph in `f32`
//! computes there lies within `x ± e`. Bounds are carried through the graph element by element
//! (Wilkinson 1963; Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., chapter 3):
//!
//! - what enters is exact; a constant is off by its own rounding;
//! - a scalar function of operands within `x ± e` is off by as much as it changes over the corners of that box,
//!   and rounds its result by [`roundings`] times [`UNIT`]. All rows of the scalar table are
//!   monotone in each operand, or turn where the corners show it, so corners are enough;
//! - a comparison that the box leaves open may fall either way, and so may the branch of a `select`
//!   that hangs on it: a relu's mask near 0 counts in full;
//! - a sum of `n` terms rounds by `n u` of the sum of magnitudes at most, in whatever order it is taken and whether
//!   or not its products are fused. Long sums are far better: roundings are as good as independent and of mean
//!   zero, and then `8 sqrt(n) u` is exceeded with probability 2 exp(-32) (Higham and Mary, "A new
//!   approach to probabilistic rounding error analysis", 2019, theorem 2.4 with lambda = 8). The smaller one counts;
//! - what the terms of a sum bring along adds up as independent errors do, by squares. The worst case would
//!   grow by the magnitudes of all weights with every layer and soon say nothing;
//! - what is smaller than the smallest normal number may be flushed to zero.
//!
//! The bound holds for the graph as it stands: it is asked of the graph that was rewritten, since
//! rewriting changes what is rounded. Terms whose errors are the same (rows that one rounded number scales) add up
//! plainly in truth; the margin for that lies in the rounding of the sum itself, which counts magnitudes.

use super::scan;
use super::{Inputs, Run, Tensor, bindings, contract, gather, pad, reduce, scatter};
use crate::base::{DType, Precision};
use crate::graph::ir::{Einsum, Fold, Graph, Node, Prim};
use crate::graph::scalar::ScalarOp;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Half the distance from 1 to the next larger `f32`: the relative error of one rounding.
pub const UNIT: f64 = 1.0 / (1u64 << 24) as f64;

/// What is smaller in magnitude may be flushed to zero.
const SMALLEST_NORMAL: f64 = f32::MIN_POSITIVE as f64;

/// A tensor and how far each of its elements may be off.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounded {
    pub value: Tensor,
    /// Not negative; infinite where nothing is known. Of the value's shape.
    pub error: Tensor,
}

/// The outputs in the graph's order, each with its bound.
///
/// # Panics
/// As [`run`](super::run).
pub fn run_bounded(graph: &Graph, inputs: &Inputs) -> Vec<Bounded> {
    bounded(graph, inputs, &BTreeMap::new())
}

/// The same where some leaves are off already.
pub(super) fn bounded(graph: &Graph, inputs: &Inputs, off: &BTreeMap<String, Tensor>) -> Vec<Bounded> {
    let run = Run { bindings: bindings(graph, inputs), graph, inputs };
    let last = graph.last_uses();
    let (mut values, mut errors): (Vec<Tensor>, Vec<Tensor>) = (Vec::new(), Vec::new());
    for (id, node) in graph.nodes.iter() {
        let value = run.node(node, &values);
        let given = if let Prim::Leaf(leaf) = node.prim { off.get(&*graph.leaves[leaf].name) } else { None };
        let error = given.cloned().unwrap_or_else(|| error(&run, node, &value, &values, &errors));
        values.push(value);
        errors.push(error);
        for input in node.prim.inputs().iter().filter(|v| last[v.index()] == Some(id)) {
            values[input.index()] = Tensor::default();
            errors[input.index()] = Tensor::default();
        }
    }
    let outputs = graph.outputs.iter().map(|o| o.value.index());
    outputs.map(|i| Bounded { value: values[i].clone(), error: errors[i].clone() }).collect()
}

/// How far a node's elements may be off, given that of its inputs.
fn error(run: &Run, node: &Node, value: &Tensor, values: &[Tensor], errors: &[Tensor]) -> Tensor {
    let shape = value.shape.clone();
    match &node.prim {
        Prim::Leaf(_) | Prim::Iota { .. } | Prim::Random { .. } => filled(shape, 0.0),
        Prim::Const(x) => filled(shape, own_rounding(*x, node.ty.dtype)),
        Prim::Size(_) => filled(shape, own_rounding(value.data[0], node.ty.dtype)),
        Prim::Map { op, inputs } => {
            let x: Vec<&Tensor> = inputs.iter().map(|v| &values[v.index()]).collect();
            let e: Vec<&Tensor> = inputs.iter().map(|v| &errors[v.index()]).collect();
            mapped(*op, node.ty.dtype, value, &x, &e)
        }
        Prim::Reduce { fold, axes, input } => {
            let (x, e) = (&values[input.index()], &errors[input.index()]);
            let terms: usize = axes.iter().map(|&a| x.shape[a]).product();
            match fold {
                Fold::Sum => {
                    let squares = reduce(Fold::Sum, axes, &each(e, square), shape.clone());
                    let sizes = reduce(Fold::Sum, axes, &magnitudes(x, e), shape);
                    zip(&squares, &sizes, |squares, size| squares.sqrt() + rounded(terms, size))
                }
                // The largest moves by no more than the element that moves most; of none it is -inf for all.
                Fold::Max => each(&reduce(Fold::Max, axes, e, shape), |e| e.max(0.0)),
            }
        }
        Prim::Contract { spec, inputs: [a, b] } => {
            let rounded = |v: usize| seen(spec.precision, &values[v], &errors[v]);
            let ([a, ea], [b, eb]) = (rounded(a.index()), rounded(b.index()));
            product(spec, (&a, &ea), (&b, &eb), shape)
        }
        // Movement moves bounds as it moves numbers.
        Prim::Reshape { .. }
        | Prim::Permute { .. }
        | Prim::Broadcast { .. }
        | Prim::Slice { .. }
        | Prim::Window { .. } => run.node(node, errors),
        Prim::Pad { input, lo, inner, value, .. } => {
            let lo: Vec<i64> = lo.iter().map(|d| run.number(d)).collect();
            pad(&errors[input.index()], &lo, inner, own_rounding(*value, node.ty.dtype), shape)
        }
        Prim::Gather { inputs: [table, index] } => match exact(&errors[index.index()]) {
            true => gather(&errors[table.index()], &values[index.index()], shape),
            false => filled(shape, f64::INFINITY),
        },
        Prim::Scatter { inputs: [index, updates] } => {
            let (at, e) = (&values[index.index()], &errors[updates.index()]);
            if !exact(&errors[index.index()]) {
                return filled(shape, f64::INFINITY);
            }
            let squares = scatter(at, &each(e, square), shape.clone());
            let sizes = scatter(at, &magnitudes(&values[updates.index()], e), shape);
            zip(&squares, &sizes, |squares, size| squares.sqrt() + rounded(at.data.len(), size))
        }
        Prim::Scan { body, inputs } => {
            let given = inputs.iter().map(|v| (&values[v.index()], &errors[v.index()]));
            scan::errors(run, body, &given.collect::<Vec<_>>(), shape)
        }
    }
}

/// An operand as a product sees it. Rounding keeps order, so it takes the ends of an interval to those of its image.
fn seen<'a>(precision: Precision, x: &'a Tensor, e: &'a Tensor) -> [Cow<'a, Tensor>; 2] {
    if precision == Precision::F32 {
        return [Cow::Borrowed(x), Cow::Borrowed(e)];
    }
    let error = zip(x, e, |x, e| {
        let [low, middle, high] = [x - e, x, x + e].map(|x| precision.round(x));
        (high - middle).max(middle - low)
    });
    [Cow::Owned(each(x, |x| precision.round(x))), Cow::Owned(error)]
}

/// A term's error is `ea (|b| + eb) + |a| eb`; and the rounding of the sum.
fn product(
    spec: &Einsum,
    (a, ea): (&Tensor, &Tensor),
    (b, eb): (&Tensor, &Tensor),
    shape: Vec<usize>,
) -> Tensor {
    let summed = spec.lhs.iter().enumerate().filter(|(_, l)| !spec.out.contains(l));
    let terms: usize = summed.map(|(axis, _)| a.shape[axis]).product();
    let (all_a, all_b) = (magnitudes(a, ea), magnitudes(b, eb));
    let plain = Einsum { precision: Precision::F32, ..spec.clone() };
    let sum = |a: &Tensor, b: &Tensor| contract(&plain, a, b, shape.clone());
    // Many small errors add up as random ones do; a few that each are a step of a coarse grid may all point one way.
    let carried = |x: &Tensor, y: &Tensor| {
        let squares = sum(&each(x, square), &each(y, square));
        match spec.precision {
            Precision::F32 => each(&squares, f64::sqrt),
            Precision::Bf16 => {
                let most = sum(&each(x, f64::abs), &each(y, f64::abs));
                zip(&squares, &most, |squares, most| most.min(4.0 * squares.sqrt()))
            }
        }
    };
    let mut error = each(&sum(&all_a, &all_b), |size| rounded(terms, size));
    if !exact(ea) {
        error = zip(&error, &carried(ea, &all_b), |e, carried| e + carried);
    }
    if !exact(eb) {
        error = zip(&error, &carried(a, eb), |e, carried| e + carried);
    }
    error
}

fn square(x: f64) -> f64 {
    x * x
}

/// The rounding of a sum of terms whose magnitudes add up to `size`.
fn rounded(terms: usize, size: f64) -> f64 {
    let n = terms as f64;
    flushed(size, n.min(8.0 * n.sqrt()) * UNIT * size)
}

/// `error`, and what flushing to zero may add to it for a number of up to `size`.
fn flushed(size: f64, error: f64) -> f64 {
    if size == 0.0 { error } else { error + SMALLEST_NORMAL }
}

/// How far a number is from the nearest one of its type.
fn own_rounding(x: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F32 if x.is_finite() => (x - f64::from(x as f32)).abs(),
        DType::F32 | DType::I32 | DType::U8 => 0.0,
    }
}

fn mapped(op: ScalarOp, dtype: DType, value: &Tensor, inputs: &[&Tensor], errors: &[&Tensor]) -> Tensor {
    let (mut x, mut e) = (vec![0.0; inputs.len()], vec![0.0; inputs.len()]);
    let at = |t: &Tensor, i: usize| if t.shape.is_empty() { t.data[0] } else { t.data[i] };
    let data = value.data.iter().enumerate().map(|(i, &y)| {
        for (k, (input, error)) in inputs.iter().zip(errors).enumerate() {
            (x[k], e[k]) = (at(input, i), at(error, i));
        }
        let carried = if e.iter().all(|&e| e == 0.0) { 0.0 } else { spread(op, y, &x, &e) };
        let own = match (dtype, op) {
            (DType::I32 | DType::U8, _) => 0.0,
            (DType::F32, ScalarOp::ToF32) => own_rounding(y, dtype),
            (DType::F32, _) if roundings(op) == 0.0 || !y.is_finite() => 0.0,
            (DType::F32, _) => flushed(y.abs() + carried, roundings(op) * UNIT * (y.abs() + carried)),
        };
        known(carried + own)
    });
    Tensor { data: data.collect(), shape: value.shape.clone() }
}

/// Roundings of a function's result, in units of [`UNIT`]. Sums, differences and products are
/// IEEE 754's. Of the others the kernels and shaders promise 4 ULP, a GPU's division 2.5: 8 covers both.
fn roundings(op: ScalarOp) -> f64 {
    use ScalarOp::*;
    match op {
        Neg | Abs | Sign | Floor | Max | Min | Eq | Ne | Lt | Le | Gt | Ge | Select | ToF32 | ToI32
        | Stop => 0.0,
        Add | Sub | Mul => 1.0,
        Exp | Expm1 | Log | Log1p | Sqrt | Rsqrt | Tanh | Sigmoid | Erf | Sin | Cos | Div | Pow => 8.0,
    }
}

/// How far `op` moves from `y`, its value at `x`, when each operand moves by up to its `e`.
fn spread(op: ScalarOp, y: f64, x: &[f64], e: &[f64]) -> f64 {
    use ScalarOp::*;
    match op {
        Eq | Ne => f64::from((x[0] - x[1]).abs() <= e[0] + e[1]),
        Select if x[0].abs() <= e[0] && e[0] > 0.0 => (x[1] - x[2]).abs() + e[1].max(e[2]),
        Select => {
            if x[0] == 0.0 {
                e[2]
            } else {
                e[1]
            }
        }
        // No slope is steeper than 1, no two values further apart than 2.
        Sin | Cos => e[0].min(2.0),
        Div if x[1].abs() <= e[1] => f64::INFINITY,
        // A sound run takes no root of a negative number where the reference does not.
        Sqrt if x[0] >= 0.0 => corners(op, y, &[x[0].max(e[0])], e),
        Neg | Abs | Sign | Floor | Max | Min | Lt | Le | Gt | Ge | ToF32 | ToI32 | Stop | Add | Sub | Mul
        | Exp | Expm1 | Log | Log1p | Sqrt | Rsqrt | Tanh | Sigmoid | Erf | Div | Pow => corners(op, y, x, e),
    }
}

/// The farthest of the box's corners from `y`; infinite if `op` has no value at one.
fn corners(op: ScalarOp, y: f64, x: &[f64], e: &[f64]) -> f64 {
    let mut at = x.to_vec();
    let mut far = 0f64;
    for corner in 0..1usize << x.len() {
        for (k, to) in at.iter_mut().enumerate() {
            *to = if corner >> k & 1 == 0 { x[k] - e[k] } else { x[k] + e[k] };
        }
        let found = op.eval(&at);
        // Both infinite: not moved.
        let moved = if found == y { 0.0 } else { known((found - y).abs()) };
        far = far.max(moved);
    }
    far
}

/// A bound, where infinite less infinite left none.
fn known(bound: f64) -> f64 {
    if bound.is_nan() { f64::INFINITY } else { bound }
}

/// Whether numbers are known exactly.
fn exact(error: &Tensor) -> bool {
    error.data.iter().all(|&e| e == 0.0)
}

/// The largest magnitudes that bounds allow.
fn magnitudes(x: &Tensor, e: &Tensor) -> Tensor {
    zip(x, e, |x, e| x.abs() + e)
}

fn filled(shape: Vec<usize>, x: f64) -> Tensor {
    Tensor { data: vec![x; shape.iter().product()], shape }
}

fn each(t: &Tensor, f: impl Fn(f64) -> f64) -> Tensor {
    Tensor { data: t.data.iter().map(|&x| known(f(x))).collect(), shape: t.shape.clone() }
}

fn zip(a: &Tensor, b: &Tensor, f: impl Fn(f64, f64) -> f64) -> Tensor {
    let data = a.data.iter().zip(&b.data).map(|(&x, &y)| known(f(x, y)));
    Tensor { data: data.collect(), shape: a.shape.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::parse;

    /// The one output of a graph on leaf `x`.
    fn bounded(text: &str, x: &[f64]) -> Bounded {
        let graph =
            parse(&format!("graph t\nleaf x: f32[{}] batch\n{text}", x.len())).expect("the graph reads");
        let leaves = [("x".to_string(), Tensor::new([x.len()], x))].into();
        run_bounded(&graph, &Inputs { leaves, ..Inputs::default() }).remove(0)
    }

    #[test]
    fn what_does_not_round_is_exact() {
        let found = bounded("%0: f32[2] = max x, 0.0\n%1: f32[2] = neg %0\nvalue y = %1", &[1.5, -2.0]);
        assert_eq!((found.value.data, found.error.data), (vec![-1.5, 0.0], vec![0.0; 2]));
    }

    #[test]
    fn a_sum_rounds_by_its_terms_magnitudes() {
        let found = bounded("%0: f32[] = reduce sum [0] x\nvalue y = %0", &[1e4, -1e4, 1.0]);
        let wanted = 3.0 * UNIT * 20001.0;
        assert_eq!(found.value.data, [1.0]);
        assert!((found.error.data[0] / wanted - 1.0).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn cancellation_leaves_the_error_of_what_cancelled() {
        // 1 - 0.999 keeps the rounding of 0.999, a thousand times as large beside the result.
        let found = bounded("%0: f32[1] = mul x, 0.999\n%1: f32[1] = sub 1.0, %0\nvalue y = %1", &[1.0]);
        let relative = found.error.data[0] / found.value.data[0];
        assert!((1e-5..2e-4).contains(&relative), "{relative}");
    }

    #[test]
    fn an_open_comparison_counts_in_full() {
        let text = "%0: f32[2] = mul x, 0.1\n%1: f32[2] = gt %0, 0.0\n%2: f32[2] = select %1, 7.0, 1.0\nvalue y = %2";
        // A millionth is far above 0, what may be flushed is not.
        assert_eq!(bounded(text, &[1e-6, 1e-39]).error.data, [0.0, 6.0]);
        // Equal or not, a constant that is off may be on either side.
        let equal = "%0: f32[1] = ge x, 0.1\nvalue y = %0";
        assert_eq!(bounded(equal, &[0.1]).error.data, [1.0]);
        assert_eq!(bounded(equal, &[0.2]).error.data, [0.0]);
    }

    #[test]
    fn nothing_is_known_behind_a_pole() {
        let text = "%0: f32[1] = mul x, 1e-38\n%1: f32[1] = div 1.0, %0\nvalue y = %1";
        assert_eq!(bounded(text, &[0.5]).error.data, [f64::INFINITY]);
        let log = "%0: f32[1] = mul x, 1e-38\n%1: f32[1] = log %0\nvalue y = %1";
        assert_eq!(bounded(log, &[0.5]).error.data, [f64::INFINITY]);
    }

    #[test]
    fn infinities_of_both_agree() {
        let text = "%0: f32[1] = mul x, -inf\n%1: f32[1] = exp %0\nvalue y = %1";
        let found = bounded(text, &[1.0]);
        assert_eq!((found.value.data[0], found.error.data[0]), (0.0, 0.0));
    }
}
