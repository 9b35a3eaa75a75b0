//! Places of one axis of each primitive, made of places of its inputs.

use super::reach::{partner, scan_result};
use super::{At, Checked, Steps};
use crate::base::{Dim, Shape, TensorType};
use crate::graph::{Einsum, Node, Prim, Value};

impl Steps<'_> {
    /// The places `at` of an axis, which stays.
    pub(super) fn pick(&mut self, of: Value, axis: usize, at: At) -> Checked<Value> {
        let At::Now = at else { return self.picked(of, axis, at) };
        if let Some(known) = self.picked.get(&(of, axis)) {
            return Ok(*known);
        }
        if self.sees(of).ahead_of(axis) {
            return self.unproven(of);
        }
        let value = self.picked(of, axis, at)?;
        self.picked.insert((of, axis), value);
        Ok(value)
    }

    fn picked(&mut self, of: Value, axis: usize, at: At) -> Checked<Value> {
        let node = &self.graph.nodes[of];
        // Of what earlier steps computed there is nothing but what was kept.
        let recomputed = matches!(at, At::Now) || self.sees(of).is_nothing();
        let shape = node.ty.shape.with(axis, Dim::from(self.count(at)));
        match &node.prim {
            Prim::Leaf(leaf) if *leaf == self.tokens && matches!(at, At::Now) && axis == 1 => {
                Ok(self.token())
            }
            Prim::Leaf(_) | Prim::Scatter { .. } | Prim::Scan { .. } | Prim::Random { .. } => {
                self.of_whole(of, axis, at)
            }
            Prim::Const(_) | Prim::Size(_) => self.whole(of),
            Prim::Iota { axis: along } if *along == axis => {
                let index = self.index(at);
                Ok(self.b.broadcast(index, shape, &[axis]))
            }
            Prim::Iota { axis: along } => Ok(self.b.iota(shape, *along)),
            Prim::Map { .. } | Prim::Reduce { .. } | Prim::Contract { .. } if !recomputed => {
                self.of_whole(of, axis, at)
            }
            Prim::Map { inputs, .. } => {
                let each = |steps: &mut Self, input: Value| match steps.shape(input).rank() {
                    0 => steps.whole(input),
                    _ => steps.pick(input, axis, at),
                };
                let inputs: Checked<Vec<Value>> = inputs.iter().map(|v| each(self, *v)).collect();
                self.rebuilt(node, shape, &inputs?)
            }
            Prim::Reduce { axes, input, .. } => {
                let mut kept = (0..self.shape(*input).rank()).filter(|a| !axes.contains(a));
                let from = kept.nth(axis).expect("stepwise: an axis of a fold comes from one");
                let input = self.pick(*input, from, at)?;
                self.rebuilt(node, shape, &[input])
            }
            Prim::Contract { spec, inputs } => self.product(node, spec, *inputs, axis, at),
            Prim::Reshape { input } => self.reshaped(of, *input, axis, at),
            Prim::Permute { input, perm } => {
                let input = self.pick(*input, perm[axis], at)?;
                self.rebuilt(node, shape, &[input])
            }
            Prim::Broadcast { input, axes } => {
                let input = match axes.iter().position(|a| *a == axis) {
                    Some(from) => self.pick(*input, from, at)?,
                    None => self.whole(*input)?,
                };
                self.rebuilt(node, shape, &[input])
            }
            Prim::Slice { .. } => self.sliced(node, axis, at),
            Prim::Pad { .. } => self.padded(node, axis, at),
            Prim::Window { .. } => self.windows(of, axis, at),
            Prim::Gather { inputs: [table, index] } => {
                let rank = self.shape(*index).rank();
                let inputs = match axis < rank {
                    true => [self.whole(*table)?, self.pick(*index, axis, at)?],
                    false => [self.pick(*table, axis - rank + 1, at)?, self.whole(*index)?],
                };
                self.rebuilt(node, shape, &inputs)
            }
        }
    }

    fn count(&self, at: At) -> usize {
        match at {
            At::Now => 1,
            At::Rows(_, count) => count,
        }
    }

    fn index(&self, at: At) -> Value {
        match at {
            At::Now => self.row,
            At::Rows(index, _) => index,
        }
    }

    fn of_whole(&mut self, of: Value, axis: usize, at: At) -> Checked<Value> {
        let whole = self.whole(of)?;
        let index = self.index(at);
        Ok(self.gathered(whole, axis, index))
    }

    /// The same operation on other inputs, of another shape.
    fn rebuilt(&mut self, node: &Node, shape: Shape, inputs: &[Value]) -> Checked<Value> {
        let mut prim = node.prim.clone();
        prim.inputs_mut().copy_from_slice(inputs);
        self.b.at(node.span);
        Ok(self.b.push(prim, TensorType { dtype: node.ty.dtype, shape }))
    }

    fn product(
        &mut self,
        node: &Node,
        spec: &Einsum,
        inputs: [Value; 2],
        axis: usize,
        at: At,
    ) -> Checked<Value> {
        let label = spec.out[axis];
        let mut picked = inputs;
        for (input, labels) in picked.iter_mut().zip([&spec.lhs, &spec.rhs]) {
            *input = match labels.iter().position(|l| *l == label) {
                Some(from) => self.pick(*input, from, at)?,
                None => self.whole(*input)?,
            };
        }
        let shape = node.ty.shape.with(axis, Dim::from(self.count(at)));
        self.rebuilt(node, shape, &picked)
    }

    fn reshaped(&mut self, of: Value, input: Value, axis: usize, at: At) -> Checked<Value> {
        if scan_result(self.graph, of).is_some() && !self.sees(of).is_nothing() {
            return match (at, axis) {
                (At::Now, 0) => self.scanned(of),
                (At::Now | At::Rows(..), _) => self.of_whole(of, axis, at),
            };
        }
        let node = &self.graph.nodes[of];
        match partner(&node.ty.shape, self.shape(input), axis) {
            Some(from) => {
                let input = self.pick(input, from, at)?;
                self.rebuilt(node, node.ty.shape.with(axis, Dim::from(self.count(at))), &[input])
            }
            None => self.of_whole(of, axis, at),
        }
    }

    /// An index with each place times `step` and then `start` further.
    fn shifted(&mut self, at: At, start: i64, step: i64) -> At {
        let index = self.index(at);
        let (step, start) = (self.b.int(step), self.b.int(start));
        let index = self.b.mul(index, step);
        At::Rows(self.b.add(index, start), self.count(at))
    }

    fn sliced(&mut self, node: &Node, axis: usize, at: At) -> Checked<Value> {
        let Prim::Slice { input, start, step } = &node.prim else {
            unreachable!("stepwise: a slice is taken apart");
        };
        let Some(first) = start[axis].as_const() else { return self.unproven(*input) };
        let inner = if (first, step[axis]) == (0, 1) { at } else { self.shifted(at, first, step[axis]) };
        let picked = self.pick(*input, axis, inner)?;
        let (mut start, mut step) = (start.clone(), step.clone());
        (start[axis], step[axis]) = (Dim::zero(), 1);
        self.b.at(node.span);
        Ok(self.b.slice(picked, start, step, node.ty.shape.with(axis, Dim::from(self.count(at)))))
    }

    fn padded(&mut self, node: &Node, axis: usize, at: At) -> Checked<Value> {
        let Prim::Pad { input, lo, hi, inner, value } = &node.prim else {
            unreachable!("stepwise: a pad is taken apart");
        };
        let (mut los, mut his) = (lo.clone(), hi.clone());
        (los[axis], his[axis]) = (Dim::zero(), Dim::zero());
        let zero = Dim::zero();
        if lo[axis] == zero && hi[axis] == zero && inner[axis] == 0 {
            let picked = self.pick(*input, axis, at)?;
            self.b.at(node.span);
            return Ok(self.b.pad(picked, los, his, inner.clone(), *value));
        }
        let size = self.shape(*input)[axis].as_const();
        let (Some(first), Some(size), 0) = (lo[axis].as_const(), size, inner[axis]) else {
            return self.unproven(*input);
        };
        let moved = self.shifted(at, -first, 1);
        let picked = self.pick(*input, axis, moved)?;
        self.b.at(node.span);
        let shape = self.b.shape(picked).clone();
        let index = self.index(moved);
        let (least, end) = (self.b.int(0), self.b.int(size));
        let (from, to) = (self.b.ge(index, least), self.b.lt(index, end));
        let inside = self.b.mul(from, to);
        let inside = self.b.broadcast(inside, shape, &[axis]);
        let outside = self.b.number(*value, node.ty.dtype);
        let picked = self.b.select(inside, picked, outside);
        Ok(self.b.pad(picked, los, his, inner.clone(), *value))
    }

    fn windows(&mut self, of: Value, axis: usize, at: At) -> Checked<Value> {
        let node = &self.graph.nodes[of];
        let &Prim::Window { input, axis: along, size, stride, dilation } = &node.prim else {
            unreachable!("stepwise: a window is taken apart");
        };
        let count = self.count(at);
        let shape = node.ty.shape.with(axis, Dim::from(count));
        if axis == along {
            // The places that each window sees, one window behind the other.
            let each = Shape::from([count, size]);
            let first = self.shifted(at, 0, stride as i64);
            let first = self.b.broadcast(self.index(first), each.clone(), &[0]);
            let inside = self.b.iota(each, 1);
            let wide = self.b.int(dilation as i64);
            let inside = self.b.mul(inside, wide);
            let seen = self.b.add(first, inside);
            let seen = self.b.reshape(seen, [count * size]);
            let picked = self.pick(input, axis, At::Rows(seen, count * size))?;
            self.b.at(node.span);
            return Ok(self.b.reshape(picked, shape));
        }
        if axis == along + 1 {
            return self.of_whole(of, axis, at);
        }
        let picked = self.pick(input, if axis < along { axis } else { axis - 1 }, at)?;
        self.b.at(node.span);
        Ok(self.b.window(picked, along, size, stride, dilation))
    }
}
