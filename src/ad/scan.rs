//! The gradient of a scan is a scan in the other direction.
//!
//! Its step is the gradient of the body's step. What that reads of the forward pass is
//! stacked there as further results: carries as each step found them, and what is dear
//! (products, folds, transcendental functions); cheap chains are computed again. Gradients of
//! carries are carried, those of slices are stacked. What a step adds to the gradient of
//! something that is the same at each step is summed behind the loop where it is a
//! product or a fold: the weight of a recurrent layer gets one product over steps and rows.
//! A scan that keeps nothing has only its carries stacked: its step is computed again on the way back, drawn numbers
//! too, and what steps add is carried, so that memory is that of one step.

use super::gradient;
use crate::base::{DType, Dim, Shape};
use crate::graph::{
    Builder, Einsum, Fold, Graph, Keep, LeafKind, Output, OutputKind, Prim, ScalarOp, ScanBody, ScanInputs,
    Value,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The share of each input of the scan `y`, given the gradients of its results by their
/// number. The scan is given more results where the way back reads them.
pub fn pull(b: &mut Builder, y: Value, dys: &BTreeMap<usize, Value>, wanted: &[bool]) -> Vec<Option<Value>> {
    let Prim::Scan { body, inputs } = b.graph().nodes[y].prim.clone() else {
        unreachable!("ad: called for a scan")
    };
    let step = Step::of(&body, dys, wanted);
    let saved = step.save(b, y, &inputs);
    step.back(b, &inputs, dys, &saved)
}

/// A step with its gradient, in one graph.
struct Step {
    body: Arc<ScanBody>,
    graph: Graph,
    /// How many nodes are those of the body.
    forward: usize,
    leaves: Vec<Value>,
    /// The gradients of the carries that the step makes, and of its per-step outputs.
    seeds: Vec<(usize, Value)>,
    /// By leaf: its gradient, if it is wanted or carried and not zero.
    grads: Vec<Option<Value>>,
    /// By node, whether it differs from step to step.
    varies: Vec<bool>,
    /// What is summed behind the loop is made of these.
    terms: BTreeSet<Value>,
}

impl Step {
    fn of(body: &Arc<ScanBody>, dys: &BTreeMap<usize, Value>, wanted: &[bool]) -> Step {
        let mut graph = body.graph.clone();
        let outputs = std::mem::take(&mut graph.outputs);
        let mut b = Builder::resume(graph);
        let ids: Vec<_> = b.graph().leaves.ids().collect();
        let leaves: Vec<Value> = ids.into_iter().map(|leaf| b.read(leaf)).collect();
        let forward = b.graph().nodes.len();
        let mut seeds = Vec::new();
        let mut loss = b.constant(0.0);
        for (k, output) in outputs.iter().enumerate() {
            if k >= body.carries && !dys.contains_key(&k) {
                continue;
            }
            let ty = b.ty(output.value).clone();
            let name = (0..).map(|n| format!("d{n}")).find(|name| b.find(name).is_none());
            let seed = b.leaf(name.expect("ad: some number is free"), ty, LeafKind::Batch);
            let along = b.mul(output.value, seed);
            let along = b.sum_all(along);
            loss = b.add(loss, along);
            seeds.push((k, seed));
        }
        let is_wanted = |i: usize| b.dtype(leaves[i]) == DType::F32 && (i < body.carries || wanted[i]);
        let wrt: Vec<usize> = (0..leaves.len()).filter(|&i| is_wanted(i)).collect();
        let found = gradient(&mut b, loss, &wrt.iter().map(|&i| leaves[i]).collect::<Vec<_>>());
        let mut grads = vec![None; leaves.len()];
        for (i, grad) in wrt.into_iter().zip(found) {
            // What does not hang on a seed is zero.
            grads[i] = (i < body.carries || !b.is_constant(grad)).then_some(grad);
        }
        let graph = Graph { outputs, ..b.finish() };
        let varies = varies(&graph, body);
        let mut step =
            Step { body: body.clone(), graph, forward, leaves, seeds, grads, varies, terms: BTreeSet::new() };
        let sums: Vec<Value> = match body.keep {
            Keep::Stacks => step.grads[body.carries + body.slices..].iter().copied().flatten().collect(),
            Keep::Nothing => Vec::new(),
        };
        let mut terms = BTreeSet::new();
        sums.into_iter().for_each(|grad| step.collect_terms(grad, &mut terms));
        step.terms = terms;
        step
    }

    fn prim(&self, v: Value) -> &Prim {
        &self.graph.nodes[v].prim
    }

    fn leaf_of(&self, v: Value) -> Option<usize> {
        self.leaves.iter().position(|&leaf| leaf == v)
    }

    fn is_slice(&self, v: Value) -> bool {
        self.leaf_of(v).is_some_and(|i| self.body.is_slice(i))
    }

    /// Whether the forward pass hands a value over rather than have it computed again.
    fn is_saved(&self, v: Value) -> bool {
        if v.index() >= self.forward || !self.varies[v.index()] || self.graph.ty(v).dtype != DType::F32 {
            return false;
        }
        let carried = self.leaf_of(v).is_some_and(|i| i < self.body.carries);
        match self.body.keep {
            Keep::Stacks => {
                carried || is_dear(self.prim(v)) || (self.terms.contains(&v) && !self.is_slice(v))
            }
            Keep::Nothing => carried,
        }
    }

    /// What the way back computes at each step.
    fn roots(&self) -> Vec<Value> {
        let per_step = self.grads[..self.body.carries + self.body.slices].iter().copied().flatten();
        let added = self.added_up().into_iter().map(|(_, grad)| grad);
        per_step.chain(self.terms.iter().copied()).chain(added).collect()
    }

    /// By leaf that is the same at every step: its gradient, if all steps' are added up on the way.
    fn added_up(&self) -> Vec<(usize, Value)> {
        let constants = self.body.carries + self.body.slices..self.leaves.len();
        match self.body.keep {
            Keep::Stacks => Vec::new(),
            Keep::Nothing => constants.filter_map(|i| Some((i, self.grads[i]?))).collect(),
        }
    }

    /// Everything that the way back computes or is given, in order.
    fn live(&self) -> BTreeSet<Value> {
        let mut live = BTreeSet::new();
        let mut open = self.roots();
        while let Some(v) = open.pop() {
            if live.insert(v) && !self.is_saved(v) {
                open.extend(self.prim(v).inputs());
            }
        }
        live
    }

    /// Has the forward scan hand over what is saved: by value of the step, its stack.
    fn save(&self, b: &mut Builder, y: Value, inputs: &[Value]) -> BTreeMap<Value, Value> {
        let mut body = ScanBody::clone(&self.body);
        body.graph.nodes = self.graph.nodes.iter().take(self.forward).map(|(_, node)| node.clone()).collect();
        let mut results: BTreeMap<Value, usize> = BTreeMap::new();
        for v in self.live().into_iter().filter(|&v| self.is_saved(v)) {
            let stacked = self.graph.outputs.iter().skip(body.carries).position(|o| o.value == v);
            let result = stacked.map_or_else(
                || {
                    let name = format!("o{}", body.graph.outputs.len()).into();
                    body.graph.outputs.push(Output { name, value: v, kind: OutputKind::Value });
                    body.graph.outputs.len() - 1
                },
                |k| k + body.carries,
            );
            results.insert(v, result);
        }
        let body = Arc::new(body);
        b.widen(y, Prim::Scan { body: body.clone(), inputs: inputs.to_vec() }, body.ty());
        results.into_iter().map(|(v, k)| (v, b.scan_result(&body, y, k))).collect()
    }

    /// The scan in the other direction, and what is summed behind it.
    fn back(
        &self,
        b: &mut Builder,
        inputs: &[Value],
        dys: &BTreeMap<usize, Value>,
        saved: &BTreeMap<Value, Value>,
    ) -> Vec<Option<Value>> {
        let live = self.live();
        let mut given: Vec<(Value, Value)> = saved.iter().map(|(&v, &stack)| (v, stack)).collect();
        let slices =
            (self.body.carries..self.body.carries + self.body.slices).map(|i| (self.leaves[i], inputs[i]));
        given.extend(slices.filter(|(v, _)| live.contains(v)));
        let stacked_seeds = self.seeds.iter().filter(|(k, _)| *k >= self.body.carries);
        given.extend(stacked_seeds.map(|(k, seed)| (*seed, dys[k])));
        let fixed = (self.body.carries + self.body.slices..inputs.len()).map(|i| (self.leaves[i], inputs[i]));
        let fixed: Vec<(Value, Value)> = fixed.filter(|(v, _)| live.contains(v)).collect();
        let added = self.added_up();
        let mut firsts: Vec<Value> = (0..self.body.carries)
            .map(|k| dys.get(&k).copied().unwrap_or_else(|| super::zeros(b, inputs[k])))
            .collect();
        firsts.extend(added.iter().map(|(i, _)| super::zeros(b, inputs[*i])));
        let slice_grads: Vec<(usize, Value)> = (self.body.carries..self.body.carries + self.body.slices)
            .filter_map(|i| Some((i, self.grads[i]?)))
            .collect();
        let known: BTreeSet<Value> = given.iter().map(|(v, _)| *v).collect();
        let stacked: Vec<Value> = self.terms.iter().copied().filter(|v| !known.contains(v)).collect();
        let per_step: Vec<Value> =
            slice_grads.iter().map(|(_, grad)| *grad).chain(stacked.iter().copied()).collect();
        let mut outputs = per_step.clone();
        outputs.sort();
        outputs.dedup();

        let ends = |pairs: &[(Value, Value)]| pairs.iter().map(|(_, outer)| *outer).collect::<Vec<_>>();
        let scan = ScanInputs {
            length: self.body.length.clone(),
            keep: self.body.keep,
            reverse: !self.body.reverse,
            carries: &firsts,
            slices: &ends(&given),
            constants: &ends(&fixed),
        };
        let seeds = self.seeds.iter().filter(|(k, _)| *k < self.body.carries).map(|(_, seed)| *seed);
        let [lasts, stacks] = b
            .scan(&scan, |nb, step| {
                let mut place: BTreeMap<Value, Value> = seeds.zip(step.carries.iter().copied()).collect();
                place.extend(given.iter().map(|(v, _)| *v).zip(step.slices.iter().copied()));
                place.extend(fixed.iter().map(|(v, _)| *v).zip(step.constants.iter().copied()));
                for &v in &live {
                    if !place.contains_key(&v) {
                        let mut node = self.graph.nodes[v].clone();
                        node.prim.inputs_mut().iter_mut().for_each(|input| *input = place[input]);
                        place.insert(v, nb.copy(node));
                    }
                }
                let carried = self.grads[..self.body.carries].iter();
                let mut next: Vec<Value> =
                    carried.map(|grad| place[&grad.expect("ad: a carry has a gradient")]).collect();
                for ((_, grad), sum) in added.iter().zip(&step.carries[self.body.carries..]) {
                    next.push(nb.add(*sum, place[grad]));
                }
                Ok::<_, std::convert::Infallible>([next, outputs.iter().map(|v| place[v]).collect()])
            })
            .unwrap_or_else(|never| match never {});
        let mut outside: BTreeMap<Value, Value> = given.into_iter().collect();
        outside.extend(outputs.into_iter().zip(stacks));
        let fixed = self.leaves.iter().zip(inputs).skip(self.body.carries + self.body.slices);
        let mut behind =
            Behind { step: self, stacks: outside, fixed: fixed.map(|(&v, &x)| (v, x)).collect() };
        (0..inputs.len())
            .map(|i| match i {
                i if i < self.body.carries => Some(lasts[i]),
                i if self.body.is_slice(i) => self.grads[i].map(|grad| behind.stacks[&grad]),
                i if self.body.keep == Keep::Nothing => {
                    added.iter().position(|(of, _)| *of == i).map(|place| lasts[self.body.carries + place])
                }
                i => self.grads[i].map(|grad| behind.sum(b, grad)),
            })
            .collect()
    }

    /// The values whose stacks the sum of `v` over all steps is made of.
    fn collect_terms(&self, v: Value, terms: &mut BTreeSet<Value>) {
        match self.summed(v) {
            Summed::Movement(input) => self.collect_terms(input, terms),
            Summed::Plus(inputs) => inputs.iter().for_each(|&input| self.collect_terms(input, terms)),
            Summed::Product(_, inputs) => {
                terms.extend(inputs.into_iter().filter(|v| self.varies[v.index()]));
            }
            Summed::Fold(_, input) => {
                terms.insert(input);
            }
            Summed::Other => {
                terms.insert(v);
            }
        }
    }

    /// How the sum of a value over all steps comes about.
    fn summed(&self, v: Value) -> Summed<'_> {
        match self.prim(v) {
            Prim::Reshape { input } | Prim::Permute { input, .. } | Prim::Broadcast { input, .. }
                if self.varies[input.index()] =>
            {
                Summed::Movement(*input)
            }
            Prim::Map { op: ScalarOp::Add, inputs }
                if inputs
                    .iter()
                    .all(|x| self.varies[x.index()] && self.graph.ty(*x).shape == self.graph.ty(v).shape) =>
            {
                Summed::Plus([inputs[0], inputs[1]])
            }
            Prim::Contract { spec, inputs } => Summed::Product(spec, *inputs),
            Prim::Reduce { fold: Fold::Sum, axes, input } => Summed::Fold(axes, *input),
            Prim::Leaf(_)
            | Prim::Const(_)
            | Prim::Size(_)
            | Prim::Iota { .. }
            | Prim::Map { .. }
            | Prim::Reduce { .. }
            | Prim::Reshape { .. }
            | Prim::Permute { .. }
            | Prim::Broadcast { .. }
            | Prim::Slice { .. }
            | Prim::Pad { .. }
            | Prim::Window { .. }
            | Prim::Gather { .. }
            | Prim::Scatter { .. }
            | Prim::Random { .. }
            | Prim::Scan { .. } => Summed::Other,
        }
    }
}

enum Summed<'a> {
    /// Movement of a sum.
    Movement(Value),
    Plus([Value; 2]),
    /// One product, time being summed too.
    Product(&'a Einsum, [Value; 2]),
    /// One fold, time being folded too.
    Fold(&'a [usize], Value),
    /// The values of all steps are stacked and added up.
    Other,
}

/// What is computed once all steps are done.
struct Behind<'a> {
    step: &'a Step,
    /// By value of a step, the values of all steps along a new axis 0.
    stacks: BTreeMap<Value, Value>,
    /// What is the same at each step.
    fixed: BTreeMap<Value, Value>,
}

impl Behind<'_> {
    fn sum(&mut self, b: &mut Builder, v: Value) -> Value {
        match self.step.summed(v) {
            Summed::Movement(input) => {
                let input = self.sum(b, input);
                let mut node = self.step.graph.nodes[v].clone();
                node.prim.inputs_mut()[0] = input;
                b.copy(node)
            }
            Summed::Plus([x, y]) => {
                let (x, y) = (self.sum(b, x), self.sum(b, y));
                b.add(x, y)
            }
            Summed::Product(spec, inputs) => {
                let time = (b'a'..=b'z').find(|l| !spec.lhs.contains(l) && !spec.rhs.contains(l));
                let time = time.expect("ad: a product has few axes");
                let mut spec = spec.clone();
                let mut operand = |b: &mut Builder, labels: &mut Vec<u8>, v: Value| {
                    if !self.step.varies[v.index()] {
                        return self.outside(b, v);
                    }
                    labels.insert(0, time);
                    self.stacks[&v]
                };
                let lhs = operand(b, &mut spec.lhs, inputs[0]);
                let rhs = operand(b, &mut spec.rhs, inputs[1]);
                match (spec.lhs.contains(&time), spec.rhs.contains(&time)) {
                    (true, true) => b.einsum(spec, lhs, rhs),
                    (true, false) => {
                        spec.lhs.remove(0);
                        let lhs = b.sum(lhs, &[0]);
                        b.einsum(spec, lhs, rhs)
                    }
                    (false, _) => {
                        let rhs = if spec.rhs.contains(&time) { b.sum(rhs, &[0]) } else { rhs };
                        spec.rhs.retain(|&l| l != time);
                        b.einsum(spec, lhs, rhs)
                    }
                }
            }
            Summed::Fold(axes, input) => {
                let stack = self.stacks[&input];
                let axes: Vec<usize> = std::iter::once(0).chain(axes.iter().map(|a| a + 1)).collect();
                b.sum(stack, &axes)
            }
            Summed::Other => {
                let stack = self.stacks[&v];
                b.sum(stack, &[0])
            }
        }
    }

    /// What does not differ from step to step, computed once.
    fn outside(&mut self, b: &mut Builder, v: Value) -> Value {
        if let Some(&known) = self.fixed.get(&v) {
            return known;
        }
        let mut node = self.step.graph.nodes[v].clone();
        for input in node.prim.inputs_mut() {
            *input = self.outside(b, *input);
        }
        let made = b.copy(node);
        self.fixed.insert(v, made);
        made
    }
}

/// By node: whether it hangs on something that differs from step to step.
fn varies(graph: &Graph, body: &ScanBody) -> Vec<bool> {
    let constants = body.carries + body.slices..body.graph.leaves.len();
    let mut varies = vec![false; graph.nodes.len()];
    for (v, node) in graph.nodes.iter() {
        varies[v.index()] = match &node.prim {
            Prim::Leaf(leaf) => !constants.contains(&leaf.index()),
            Prim::Random { .. } => true,
            prim => prim.inputs().iter().any(|x| varies[x.index()]),
        };
    }
    varies
}

/// Whether a value costs more to compute again than to keep.
fn is_dear(prim: &Prim) -> bool {
    use ScalarOp::*;
    match prim {
        Prim::Contract { .. } | Prim::Reduce { .. } | Prim::Scatter { .. } | Prim::Scan { .. } => true,
        Prim::Map { op, .. } => {
            matches!(op, Exp | Expm1 | Log | Log1p | Tanh | Sigmoid | Erf | Sin | Cos | Pow)
        }
        Prim::Leaf(_)
        | Prim::Const(_)
        | Prim::Size(_)
        | Prim::Iota { .. }
        | Prim::Reshape { .. }
        | Prim::Permute { .. }
        | Prim::Broadcast { .. }
        | Prim::Slice { .. }
        | Prim::Pad { .. }
        | Prim::Window { .. }
        | Prim::Gather { .. }
        | Prim::Random { .. } => false,
    }
}

/// The gradients of a scan's results by number, from those of the slices that read them.
pub fn results(b: &mut Builder, y: Value, parts: Vec<(Dim, Shape, Value)>) -> BTreeMap<usize, Value> {
    let Prim::Scan { body, .. } = b.graph().nodes[y].prim.clone() else {
        unreachable!("ad: called for a scan")
    };
    let mut dys: BTreeMap<usize, Value> = BTreeMap::new();
    for (start, size, dy) in parts {
        let is_read =
            |&k: &usize| body.offset(k) == start && Shape::from(vec![body.result(k).size()]) == size;
        let k = (0..body.graph.outputs.len()).find(is_read).expect("ad: readers take whole results");
        let dy = b.reshape(dy, body.result(k));
        let sum = dys.get(&k).map_or(dy, |&sum| b.add(sum, dy));
        dys.insert(k, sum);
    }
    dys
}
