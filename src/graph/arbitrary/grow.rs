//! Grows a graph: leaves, then one operation after another on what is there.

mod scan;

use super::decide::is_clear;
use super::draw::Draw;
use super::{SYM, inputs};
use crate::base::{DType, Dim, Precision, Shape, TensorType};
use crate::graph::builder::{Builder, broadcast_shapes};
use crate::graph::infer::window_places;
use crate::graph::interp::{Inputs, Tensor, extend};
use crate::graph::ir::{Einsum, Graph, Init, OutputKind, Value};
use crate::graph::scalar::{ScalarOp, TABLE, Types};

/// Larger tensors would only make tests slow.
const MAX_ELEMENTS: i64 = 240;
/// Larger numbers lose the digits that are compared.
const MAX_NUMBER: f64 = 30.0;

pub fn graph(seed: u64) -> (Graph, Inputs) {
    let mut grower = Grower::new(seed);
    for _ in 0..4 + grower.draw.below(12) {
        grower.step();
    }
    grower.finish()
}

struct Grower {
    draw: Draw,
    b: Builder,
    inputs: Inputs,
    values: Vec<Tensor>,
    /// What operations may read: computed, moderate, clear.
    pool: Vec<Value>,
}

impl Grower {
    fn new(seed: u64) -> Grower {
        let mut draw = Draw::new(seed, "graph");
        let mut b = Builder::new(format!("random.{seed}"));
        let zero = || Init::Constant(0.0);
        let mut pool = Vec::new();
        for i in 0..2 + draw.below(3) {
            let shape = shape(&mut draw);
            pool.push(b.param(format!("w{i}"), shape, zero()));
        }
        let x = shape(&mut draw);
        pool.push(b.batch("x", TensorType::f32(x)));
        let index = shape(&mut draw);
        pool.push(b.batch("index", TensorType::new(DType::I32, index)));
        if draw.chance(0.3) {
            let shape = shape(&mut draw);
            let bytes = b.batch("bytes", TensorType::new(DType::U8, shape));
            let (pixels, full) = (b.to_f32(bytes), b.constant(255.0));
            pool.push(b.div(pixels, full));
        }
        if draw.chance(0.3) {
            pool.push(b.scalar_leaf("lr", DType::F32));
        }
        let inputs = inputs(b.graph(), seed);
        let mut grower = Grower { draw, b, inputs, values: Vec::new(), pool };
        extend(grower.b.graph(), &grower.inputs, &mut grower.values);
        grower
    }

    /// Tries one operation; its result joins the pool if it is sound.
    fn step(&mut self) {
        let before = self.b.graph().nodes.len();
        let Some(result) = self.operation() else { return };
        let graph = self.b.graph();
        let fresh: Vec<Value> = graph.nodes.ids().skip(before).collect();
        if fresh.iter().any(|&v| !self.is_small(v)) {
            return self.forget(before);
        }
        extend(self.b.graph(), &self.inputs, &mut self.values);
        let graph = self.b.graph();
        let sound = fresh.iter().all(|&v| {
            let moderate = self.values[v.index()].data.iter().all(|x| x.abs() <= MAX_NUMBER);
            moderate && is_clear(graph, &graph.nodes[v], &self.values)
        });
        if !sound {
            return self.forget(before);
        }
        self.pool.push(result);
    }

    fn is_small(&self, v: Value) -> bool {
        let size = self.b.shape(v).size().bind(&self.inputs.bindings);
        size.as_const().is_some_and(|n| n <= MAX_ELEMENTS)
    }

    /// Takes the nodes from `before` on back.
    fn forget(&mut self, before: usize) {
        let mut graph = std::mem::replace(&mut self.b, Builder::new("")).finish();
        graph.nodes = graph.nodes.iter().take(before).map(|(_, node)| node.clone()).collect();
        self.values.truncate(before);
        self.b = Builder::resume(graph);
    }

    /// The loss: 2.5 times some values, so that a rule that forgets its upstream shows.
    fn finish(mut self) -> (Graph, Inputs) {
        let floats: Vec<Value> =
            self.pool.iter().copied().filter(|&v| self.b.dtype(v) == DType::F32).collect();
        let mut loss = None;
        for (i, &v) in floats.iter().rev().take(3).enumerate() {
            self.b.output(format!("y{i}"), v, OutputKind::Value);
            let factor = self.b.constant(2.5 - i as f64);
            let scaled = self.b.mul(v, factor);
            let part = self.b.sum_all(scaled);
            loss = Some(loss.map_or(part, |sum| self.b.add(sum, part)));
        }
        self.b.output("loss", loss.expect("arbitrary: the first leaves are f32"), OutputKind::Loss);
        if let Some(&whole) = self.pool.iter().rev().find(|&&v| self.b.dtype(v) == DType::I32) {
            self.b.output("whole", whole, OutputKind::Value);
        }
        let mut graph = self.b.finish();
        graph.outputs.sort_by_key(|o| o.kind != OutputKind::Loss);
        (graph, self.inputs)
    }

    fn pick(&mut self, accept: impl Fn(&TensorType) -> bool) -> Option<Value> {
        let fit: Vec<Value> = self.pool.iter().copied().filter(|&v| accept(self.b.ty(v))).collect();
        if fit.is_empty() {
            return None;
        }
        // Late values make deep graphs.
        let recent = fit.len().saturating_sub(4);
        Some(if self.draw.chance(0.6) { self.draw.of(&fit[recent..]) } else { self.draw.of(&fit) })
    }

    fn float(&mut self) -> Option<Value> {
        self.pick(|t| t.dtype == DType::F32)
    }

    fn operation(&mut self) -> Option<Value> {
        match self.draw.below(26) {
            0..=3 => self.unary(),
            4..=7 => self.binary(),
            8 => self.select(),
            9 | 10 => self.reduce(),
            11 | 12 => self.contract(),
            13 => self.reshape(),
            14 => self.permute(),
            15 => self.broadcast(),
            16 => self.slice(),
            17 => self.pad(),
            18 => self.window(),
            19 => self.gather(),
            20 => self.scatter(),
            21 => self.source(),
            22 => self.one_hot(),
            23 => self.concat(),
            _ => self.scan(),
        }
    }

    /// A function of one number, its operand brought to where it is tame.
    fn unary(&mut self) -> Option<Value> {
        let x = self.float()?;
        let rows: Vec<ScalarOp> =
            TABLE.iter().filter(|r| r.types == Types::Float && r.grads.len() == 1).map(|r| r.op).collect();
        let extra = [ScalarOp::Stop, ScalarOp::ToI32];
        let op = self.draw.of(&[rows.as_slice(), &extra].concat());
        use ScalarOp::*;
        let x = match op {
            Log | Sqrt | Rsqrt | Log1p => self.positive(x),
            Exp | Expm1 => self.b.tanh(x),
            Neg | Abs | Sign | Tanh | Sigmoid | Erf | Sin | Cos | Floor | ToI32 | Stop => x,
            Add | Sub | Mul | Div | Pow | Max | Min | Eq | Ne | Lt | Le | Gt | Ge | Select | ToF32 => {
                unreachable!("arbitrary: {} is no function of one number", op.name())
            }
        };
        Some(self.b.map(op, &[x]))
    }

    /// At least a half.
    fn positive(&mut self, x: Value) -> Value {
        let half = self.b.constant(0.5);
        let size = self.b.abs(x);
        self.b.add(size, half)
    }

    /// A function of two, of shapes that broadcast; of equal operands now and then.
    fn binary(&mut self) -> Option<Value> {
        use ScalarOp::*;
        let op = self.draw.of(&[Add, Sub, Mul, Mul, Div, Pow, Max, Min, Eq, Ne, Lt, Le, Gt, Ge]);
        let whole = !matches!(op, Div | Pow) && self.draw.chance(0.2);
        let dtype = if whole { DType::I32 } else { DType::F32 };
        let x = self.pick(|t| t.dtype == dtype)?;
        let number: f64 = self.draw.of(&[-1.0, 0.0, 1.0, 2.0, 3.0, 0.25]);
        let y = if self.draw.chance(0.3) {
            self.b.number(if whole { number.floor() } else { number }, dtype)
        } else {
            let shape = self.b.shape(x).clone();
            self.pick(|t| t.dtype == dtype && broadcast_shapes(&shape, &t.shape).is_some())?
        };
        let (x, y) = match op {
            Div => (x, self.positive(y)),
            Pow => (self.positive(x), y),
            _ if self.draw.chance(0.3) => (y, x),
            _ => (x, y),
        };
        Some(self.b.map(op, &[x, y]))
    }

    fn select(&mut self) -> Option<Value> {
        let x = self.float()?;
        let shape = self.b.shape(x).clone();
        let y = self.pick(|t| t.dtype == DType::F32 && t.shape == shape)?;
        let c = if self.draw.chance(0.5) {
            let zero = self.b.constant(0.0);
            self.b.gt(x, zero)
        } else {
            self.b.number(self.draw.below(2) as f64, DType::F32)
        };
        Some(self.b.select(c, x, y))
    }

    fn reduce(&mut self) -> Option<Value> {
        let x = self.pick(|t| t.dtype == DType::F32 && t.rank() > 0)?;
        let axes = self.draw.subset(self.b.shape(x).rank(), 0.6);
        Some(match self.draw.below(5) {
            0 => self.b.max_of(x, &axes),
            1 => self.b.mean(x, &axes),
            2 => self.b.sum_keep(x, &axes),
            3 => {
                let top = self.b.max_keep(x, &axes);
                self.b.sub(x, top)
            }
            _ => self.b.sum(x, &axes),
        })
    }

    /// Two operands, axes of one size given one label, the output in any order.
    fn contract(&mut self) -> Option<Value> {
        let (a, b) = (self.float()?, self.float()?);
        let (left, right) = (self.b.shape(a).clone(), self.b.shape(b).clone());
        let lhs: Vec<u8> = (b'a'..).take(left.rank()).collect();
        let mut rhs: Vec<u8> = (b'p'..).take(right.rank()).collect();
        let mut shared = Vec::new();
        for (j, size) in right.iter().enumerate() {
            let twin = (0..left.rank()).find(|&i| left[i] == *size && !shared.contains(&lhs[i]));
            if let Some(i) = twin.filter(|_| self.draw.chance(0.8)) {
                rhs[j] = lhs[i];
                shared.push(lhs[i]);
            }
        }
        let mut out: Vec<u8> = lhs.iter().chain(&rhs).copied().collect();
        out.sort_unstable();
        out.dedup();
        out.retain(|l| !shared.contains(l) || self.draw.chance(0.3));
        let order = self.draw.permutation(out.len());
        let out = order.into_iter().map(|i| out[i]).collect();
        Some(self.b.einsum(Einsum { lhs, rhs, out, precision: Precision::F32 }, a, b))
    }

    /// Two neighbouring axes become one, or one of 4 becomes two, or one of size 1 comes or goes.
    fn reshape(&mut self) -> Option<Value> {
        let x = self.pick(|t| t.rank() > 0)?;
        let mut dims = self.b.shape(x).to_vec();
        let axis = self.draw.below(dims.len());
        match self.draw.below(3) {
            0 if axis + 1 < dims.len() => {
                let next = dims.remove(axis + 1);
                dims[axis] = dims[axis].clone() * next;
            }
            1 if dims[axis] == Dim::from(4) => {
                dims.splice(axis..=axis, [Dim::from(2), Dim::from(2)]);
            }
            2 if dims[axis].is_one() => {
                dims.remove(axis);
            }
            _ => dims.insert(axis, Dim::one()),
        }
        Some(self.b.reshape(x, dims))
    }

    fn permute(&mut self) -> Option<Value> {
        let x = self.pick(|t| t.rank() > 1)?;
        let perm = self.draw.permutation(self.b.shape(x).rank());
        Some(self.b.permute(x, &perm))
    }

    fn broadcast(&mut self) -> Option<Value> {
        let x = self.pick(|t| t.rank() < 3)?;
        let mut dims = self.b.shape(x).to_vec();
        let new = self.draw.below(dims.len() + 1);
        dims.insert(new, size(&mut self.draw));
        let axes: Vec<usize> = (0..dims.len()).filter(|&a| a != new).collect();
        Some(self.b.broadcast(x, dims, &axes))
    }

    fn slice(&mut self) -> Option<Value> {
        let x = self.pick(|t| t.rank() > 0)?;
        let shape = self.b.shape(x).clone();
        let (mut start, mut step, mut to) = (Vec::new(), Vec::new(), Vec::new());
        for size in shape.iter() {
            let Some(n) = size.as_const().filter(|_| self.draw.chance(0.7)) else {
                // An axis with a named size: all of it, or all but the first.
                let skip = i64::from(size.as_const().is_none() && self.draw.chance(0.3));
                start.push(Dim::from(skip));
                step.push(1);
                to.push(size.clone() - Dim::from(skip));
                continue;
            };
            let stride = self.draw.of(&[1, 1, 2, -1, -2]);
            let first = self.draw.below(n as usize) as i64;
            let room = if stride > 0 { (n - 1 - first) / stride } else { first / -stride };
            start.push(Dim::from(first));
            step.push(stride);
            to.push(Dim::from(1 + self.draw.below(room as usize + 1)));
        }
        Some(self.b.slice(x, start, step, to))
    }

    fn pad(&mut self) -> Option<Value> {
        let x = self.pick(|t| t.rank() > 0)?;
        let rank = self.b.shape(x).rank();
        let mut sizes = || -> Vec<Dim> { (0..rank).map(|_| Dim::from(self.draw.below(3))).collect() };
        let (lo, hi) = (sizes(), sizes());
        let inner = (0..rank).map(|_| self.draw.of(&[0, 0, 1, 2])).collect();
        let value = self.draw.of(&[0.0, 0.0, 1.0]);
        Some(self.b.pad(x, lo, hi, inner, value))
    }

    fn window(&mut self) -> Option<Value> {
        let x = self.pick(|t| t.rank() > 0)?;
        let axis = self.draw.below(self.b.shape(x).rank());
        let sizes = [1 + self.draw.below(3), 1 + self.draw.below(3), 1 + self.draw.below(2)];
        let n = self.b.shape(x)[axis].clone();
        // With a name the size of the result must hold for every number.
        let exact = n.as_const().is_some() || (sizes[1] == 1 && sizes[2] * (sizes[0] - 1) < 3);
        let [size, stride, dilation] = sizes;
        (exact && window_places(&n, sizes).is_some()).then(|| self.b.window(x, axis, size, stride, dilation))
    }

    fn gather(&mut self) -> Option<Value> {
        let table = self.pick(|t| t.rank() > 0 && t.dtype != DType::U8)?;
        let index = self.pick(|t| t.dtype == DType::I32)?;
        Some(self.b.gather(table, index))
    }

    /// Into a table of the updates' inner shape.
    fn scatter(&mut self) -> Option<Value> {
        let updates = self.pick(|t| t.dtype == DType::F32 && t.rank() > 0)?;
        let shape = self.b.shape(updates).clone();
        let index = self.pick(|t| {
            t.dtype == DType::I32 && t.rank() <= shape.rank() && t.shape[..] == shape[..t.rank()]
        })?;
        let mut table = shape[self.b.shape(index).rank()..].to_vec();
        table.insert(0, size(&mut self.draw));
        Some(self.b.scatter(table, index, updates))
    }

    /// Numbers from nowhere.
    fn source(&mut self) -> Option<Value> {
        let shape = shape(&mut self.draw);
        Some(match self.draw.below(3) {
            0 if shape.rank() > 0 => {
                let axis = self.draw.below(shape.rank());
                self.b.iota(shape, axis)
            }
            1 => self.b.size(&(Dim::sym(SYM.0) + Dim::one())),
            _ => {
                let site = format!("site{}", self.draw.below(2));
                self.b.random(site, shape)
            }
        })
    }

    fn one_hot(&mut self) -> Option<Value> {
        let index = self.pick(|t| t.dtype == DType::I32)?;
        let n = size(&mut self.draw);
        Some(self.b.one_hot(index, &n))
    }

    fn concat(&mut self) -> Option<Value> {
        let x = self.pick(|t| t.dtype == DType::F32 && t.rank() > 0)?;
        let shape = self.b.shape(x).clone();
        let axis = self.draw.below(shape.rank());
        let y = self.pick(|t| {
            t.dtype == DType::F32
                && t.rank() == shape.rank()
                && t.shape.without(&[axis]) == shape.without(&[axis])
        })?;
        Some(self.b.concat(&[x, y], axis))
    }
}

fn size(draw: &mut Draw) -> Dim {
    match draw.below(10) {
        0 | 1 => Dim::one(),
        2..=4 => Dim::from(2),
        5 | 6 => Dim::from(3),
        7 => Dim::from(4),
        8 => Dim::from(5),
        _ => Dim::sym(SYM.0),
    }
}

fn shape(draw: &mut Draw) -> Shape {
    let rank = draw.of(&[0, 1, 1, 2, 2, 2, 3]);
    (0..rank).map(|_| size(draw)).collect()
}
