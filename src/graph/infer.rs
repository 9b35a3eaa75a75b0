//! The type of every primitive: one function that infers what is determined,
//! one that checks what a node claims.
//!
//! Sizes are compared as polynomials. What only numbers could decide (is
//! `T - 3` at least 0?) passes here and is checked again once the symbols are
//! bound.

use super::ir::{Einsum, Prim};
use crate::base::{DType, Dim, Shape, TensorType};

type Inferred = Result<TensorType, String>;

/// The type that inputs alone determine; `None` where the node's shape is a choice.
pub fn infer(prim: &Prim, inputs: &[&TensorType]) -> Result<Option<TensorType>, String> {
    match prim {
        Prim::Leaf(_)
        | Prim::Const(_)
        | Prim::Iota { .. }
        | Prim::Random { .. }
        | Prim::Reshape { .. }
        | Prim::Broadcast { .. }
        | Prim::Slice { .. }
        | Prim::Scatter { .. } => Ok(None),
        Prim::Size(_) => Ok(Some(TensorType::scalar(DType::F32))),
        Prim::Map { op, .. } => {
            let dtypes: Vec<DType> = inputs.iter().map(|t| t.dtype).collect();
            let dtype = op.result(&dtypes)?;
            Ok(Some(TensorType { dtype, shape: map_shape(inputs)? }))
        }
        Prim::Reduce { axes, .. } => reduce(axes, inputs[0]).map(Some),
        Prim::Contract { spec, .. } => contract(spec, inputs[0], inputs[1]).map(Some),
        Prim::Permute { perm, .. } => permute(perm, inputs[0]).map(Some),
        Prim::Pad { lo, hi, inner, .. } => pad(lo, hi, inner, inputs[0]).map(Some),
        Prim::Window { axis, size, stride, dilation, .. } => {
            window(*axis, [*size, *stride, *dilation], inputs[0]).map(Some)
        }
        Prim::Gather { .. } => gather(inputs[0], inputs[1]).map(Some),
        Prim::Scan { body, .. } => {
            body.check(inputs)?;
            Ok(Some(body.ty()))
        }
    }
}

/// Whether `ty` is a right type for `prim` of inputs of these types.
pub fn check(prim: &Prim, ty: &TensorType, inputs: &[&TensorType]) -> Result<(), String> {
    if let Some(found) = infer(prim, inputs)? {
        return ensure(found == *ty, || format!("is {found}, not {ty}"));
    }
    match prim {
        Prim::Const(x) => {
            ensure(ty.rank() == 0, || format!("a constant is rank 0, not {ty}"))?;
            match ty.dtype {
                DType::F32 => Ok(()),
                DType::I32 => {
                    ensure(x.fract() == 0.0 && x.abs() <= 2f64.powi(31), || format!("{x} is not an i32"))
                }
                DType::U8 => Err("constants are f32 or i32".into()),
            }
        }
        Prim::Iota { axis } => {
            ensure(ty.dtype == DType::I32 && *axis < ty.rank(), || format!("an iota along {axis} is no {ty}"))
        }
        Prim::Random { .. } => ensure(ty.dtype == DType::F32, || format!("random numbers are no {ty}")),
        Prim::Reshape { .. } => {
            same_dtype(ty, inputs[0])?;
            ensure(ty.shape.size() == inputs[0].shape.size(), || {
                format!("{} has other elements than {ty}", inputs[0])
            })
        }
        Prim::Broadcast { axes, .. } => broadcast(axes, ty, inputs[0]),
        Prim::Slice { start, step, .. } => slice(start, step, ty, inputs[0]),
        Prim::Scatter { .. } => {
            let updates = gather(ty, inputs[0])?;
            ensure(updates == *inputs[1], || format!("updates are {}, not {updates}", inputs[1]))?;
            ensure(ty.dtype == DType::F32, || format!("scatter adds f32, not {}", ty.dtype))
        }
        Prim::Leaf(_)
        | Prim::Size(_)
        | Prim::Map { .. }
        | Prim::Reduce { .. }
        | Prim::Contract { .. }
        | Prim::Permute { .. }
        | Prim::Pad { .. }
        | Prim::Window { .. }
        | Prim::Gather { .. }
        | Prim::Scan { .. } => Ok(()),
    }
}

fn ensure(ok: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if ok { Ok(()) } else { Err(message()) }
}

fn same_dtype(a: &TensorType, b: &TensorType) -> Result<(), String> {
    ensure(a.dtype == b.dtype, || format!("{a} and {b} differ in element type"))
}

/// False only when it is certain that `d` is negative.
fn may_be_size(d: &Dim) -> bool {
    d.as_const().is_none_or(|n| n >= 0)
}

/// The one shape of rank above 0 among the inputs, or rank 0.
fn map_shape(inputs: &[&TensorType]) -> Result<Shape, String> {
    let mut shape = Shape::scalar();
    for t in inputs.iter().filter(|t| t.rank() > 0) {
        ensure(shape.rank() == 0 || shape == t.shape, || format!("{shape} and {} differ", t.shape))?;
        shape = t.shape.clone();
    }
    Ok(shape)
}

fn reduce(axes: &[usize], input: &TensorType) -> Inferred {
    let sorted = axes.windows(2).all(|w| w[0] < w[1]) && axes.iter().all(|&a| a < input.rank());
    ensure(sorted, || format!("axes {axes:?} of {input}"))?;
    ensure(input.dtype == DType::F32, || format!("folds {}", input.dtype))?;
    Ok(TensorType { dtype: input.dtype, shape: input.shape.without(axes) })
}

fn permute(perm: &[usize], input: &TensorType) -> Inferred {
    let mut sorted = perm.to_vec();
    sorted.sort_unstable();
    ensure(sorted.iter().copied().eq(0..input.rank()), || format!("permutes {input} by {perm:?}"))?;
    let shape = perm.iter().map(|&a| input.shape[a].clone()).collect();
    Ok(TensorType { dtype: input.dtype, shape })
}

fn contract(spec: &Einsum, lhs: &TensorType, rhs: &TensorType) -> Inferred {
    ensure(lhs.dtype == DType::F32 && rhs.dtype == DType::F32, || format!("contracts {lhs} with {rhs}"))?;
    ensure(spec.lhs.len() == lhs.rank() && spec.rhs.len() == rhs.rank(), || {
        format!("{spec} of {lhs} and {rhs}")
    })?;
    for labels in [&spec.lhs, &spec.rhs, &spec.out] {
        let once = labels.iter().enumerate().all(|(i, l)| !labels[..i].contains(l));
        ensure(once, || format!("a label occurs twice in an operand of {spec}"))?;
    }
    let size_in =
        |labels: &[u8], shape: &Shape, l: u8| labels.iter().position(|&x| x == l).map(|i| shape[i].clone());
    let sizes = |l: u8| (size_in(&spec.lhs, &lhs.shape, l), size_in(&spec.rhs, &rhs.shape, l));
    for &l in spec.lhs.iter().chain(&spec.rhs) {
        match sizes(l) {
            (Some(a), Some(b)) => ensure(a == b, || format!("{} is {a} and {b} in {spec}", char::from(l)))?,
            _ => ensure(spec.out.contains(&l), || format!("{} is lost in {spec}", char::from(l)))?,
        }
    }
    let out = spec.out.iter().map(|&l| match sizes(l) {
        (Some(d), _) | (None, Some(d)) => Ok(d),
        (None, None) => Err(format!("{} comes from nowhere in {spec}", char::from(l))),
    });
    Ok(TensorType::f32(out.collect::<Result<Shape, _>>()?))
}

fn broadcast(axes: &[usize], ty: &TensorType, input: &TensorType) -> Result<(), String> {
    same_dtype(ty, input)?;
    let increasing = axes.windows(2).all(|w| w[0] < w[1]) && axes.iter().all(|&a| a < ty.rank());
    ensure(axes.len() == input.rank() && increasing, || format!("{input} goes to axes {axes:?} of {ty}"))?;
    let kept = axes.iter().zip(input.shape.iter()).all(|(&a, d)| ty.shape[a] == *d);
    ensure(kept, || format!("{input} is not at axes {axes:?} of {ty}"))
}

fn slice(start: &[Dim], step: &[i64], ty: &TensorType, input: &TensorType) -> Result<(), String> {
    same_dtype(ty, input)?;
    let rank = input.rank();
    ensure(start.len() == rank && step.len() == rank && ty.rank() == rank, || format!("{ty} of {input}"))?;
    for axis in 0..rank {
        let (size, n) = (&input.shape[axis], &ty.shape[axis]);
        ensure(step[axis] != 0, || "a step is 0".to_string())?;
        if n.as_const() == Some(0) {
            continue;
        }
        let first = start[axis].clone();
        let last = first.clone() + (n.clone() - Dim::one()) * Dim::from(step[axis]);
        let inside = |at: &Dim| may_be_size(at) && may_be_size(&(size.clone() - Dim::one() - at.clone()));
        ensure(inside(&first) && inside(&last), || format!("{first} to {last} of axis {axis} of {input}"))?;
    }
    Ok(())
}

fn pad(lo: &[Dim], hi: &[Dim], inner: &[i64], input: &TensorType) -> Inferred {
    let rank = input.rank();
    ensure(lo.len() == rank && hi.len() == rank && inner.len() == rank, || format!("pads {input}"))?;
    let mut shape = Vec::with_capacity(rank);
    for axis in 0..rank {
        let n = &input.shape[axis];
        let sound = may_be_size(&lo[axis]) && may_be_size(&hi[axis]) && inner[axis] >= 0;
        ensure(sound, || format!("axis {axis} of {input} gains less than nothing"))?;
        ensure(inner[axis] == 0 || n.as_const() != Some(0), || format!("no neighbours in {input}"))?;
        let between = (n.clone() - Dim::one()) * Dim::from(inner[axis]);
        shape.push(lo[axis].clone() + n.clone() + between + hi[axis].clone());
    }
    Ok(TensorType { dtype: input.dtype, shape: Shape::from(shape) })
}

/// The number of places of a window: `floor((n - span) / stride) + 1`. With symbols the
/// division must be exact, or the stride 1.
pub fn window_places(n: &Dim, [size, stride, dilation]: [usize; 3]) -> Option<Dim> {
    let span = Dim::from(dilation * (size - 1) + 1);
    let room = n.clone() - span;
    let steps = match room.as_const() {
        Some(room) if room < 0 => return None,
        Some(room) => Dim::from(room / i64::try_from(stride).ok()?),
        None => room.div_exact(&Dim::from(stride))?,
    };
    Some(steps + Dim::one())
}

fn window(axis: usize, sizes: [usize; 3], input: &TensorType) -> Inferred {
    ensure(axis < input.rank() && !sizes.contains(&0), || {
        format!("window {sizes:?} on axis {axis} of {input}")
    })?;
    let places = window_places(&input.shape[axis], sizes)
        .ok_or_else(|| format!("window {sizes:?} does not fit axis {axis} of {input}"))?;
    let shape = input.shape.with(axis, places).with_axis(axis + 1, Dim::from(sizes[0]));
    Ok(TensorType { dtype: input.dtype, shape })
}

fn gather(table: &TensorType, index: &TensorType) -> Inferred {
    ensure(index.dtype == DType::I32 && table.rank() > 0, || format!("gathers {index} from {table}"))?;
    let shape = index.shape.iter().chain(table.shape.iter().skip(1)).cloned().collect();
    Ok(TensorType { dtype: table.dtype, shape })
}
