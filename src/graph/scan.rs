//! Loops over time: what a scan is, and how its results lie in one tensor.
//!
//! A scan runs a body once for each step. A node is one tensor, so all results of a scan
//! lie in one `f32` vector, one after the other in the order of the body's outputs: the
//! last value of each carry, then every per-step output along a new axis 0. A reader
//! takes its part by a slice and a reshape, which cost nothing.

use super::builder::Builder;
use super::ir::{Graph, LeafKind, Node, OutputKind, Prim, Value};
use super::print::print;
use crate::base::{Bindings, DType, Dim, Shape, TensorType};
use std::sync::Arc;

/// What a scan does at each step.
///
/// The leaves of the graph are, in this order, carries (at the first step what the node
/// was given, then what the step before made), slices (at step `t` row `t` of what the
/// node was given) and what is the same at every step. Its outputs are the next value of
/// each carry, then per-step outputs, all `f32`. Random numbers are those of the row, whatever
/// the direction ([`ScanBody::draws`]); a body within a body draws none.
#[derive(Clone, Debug)]
pub struct ScanBody {
    /// How many steps, at least one.
    pub length: Dim,
    pub keep: Keep,
    /// Whether the last row comes first. Rows of slices and of outputs keep their places.
    pub reverse: bool,
    pub carries: usize,
    pub slices: usize,
    pub graph: Graph,
}

impl PartialEq for ScanBody {
    /// The text of a graph tells all of it but where it came from, also 0 from -0.
    fn eq(&self, other: &Self) -> bool {
        let heads = |b: &ScanBody| (b.length.clone(), b.keep, b.reverse, b.carries, b.slices);
        heads(self) == heads(other) && print(&self.graph) == print(&other.graph)
    }
}

impl ScanBody {
    /// The shape of a result as its readers see it.
    pub fn result(&self, k: usize) -> Shape {
        let shape = &self.graph.ty(self.graph.outputs[k].value).shape;
        if k < self.carries { shape.clone() } else { shape.with_axis(0, self.length.clone()) }
    }

    /// Where the result starts in the vector of all.
    pub fn offset(&self, k: usize) -> Dim {
        (0..k).fold(Dim::zero(), |at, k| at + self.result(k).size())
    }

    /// The type of the vector of all results.
    pub fn ty(&self) -> TensorType {
        TensorType::f32(Shape::from(vec![self.offset(self.graph.outputs.len())]))
    }

    /// The type of input `i` of the node.
    pub fn input(&self, i: usize) -> TensorType {
        let leaf = self.graph.leaves.iter().nth(i).expect("scan: an input has a leaf").1;
        let mut ty = leaf.ty.clone();
        if self.is_slice(i) {
            ty.shape = ty.shape.with_axis(0, self.length.clone());
        }
        ty
    }

    pub fn is_slice(&self, i: usize) -> bool {
        (self.carries..self.carries + self.slices).contains(&i)
    }

    pub fn bind(&self, bindings: &Bindings) -> ScanBody {
        ScanBody { length: self.length.bind(bindings), graph: self.graph.bind(bindings), ..self.clone() }
    }

    /// The row that is worked on at a step.
    pub fn row(&self, step: usize, length: usize) -> usize {
        if self.reverse { length - 1 - step } else { step }
    }

    /// The step that the random numbers of a row are those of, in a run of the program for `step`. Steps count
    /// to less than 2^40, rows from 0.
    pub fn draws(step: u64, row: usize) -> u64 {
        step + ((row as u64 + 1) << DRAWN_ROWS)
    }

    /// Whether inputs of these types are what the body takes, and its outputs what a scan gives.
    pub fn check(&self, inputs: &[&TensorType]) -> Result<(), String> {
        let leaves = self.graph.leaves.len();
        if inputs.len() != leaves || self.carries + self.slices > leaves {
            return Err(format!("a body of {leaves} leaves is given {}", inputs.len()));
        }
        for (i, found) in inputs.iter().enumerate() {
            if **found != self.input(i) {
                return Err(format!("input {i} is {found}, not {}", self.input(i)));
            }
        }
        if self.length.as_const().is_some_and(|n| n < 1) {
            return Err("a scan has at least one step".into());
        }
        if self.graph.outputs.len() < self.carries {
            return Err("a carry has no next value".into());
        }
        for (k, output) in self.graph.outputs.iter().enumerate() {
            let ty = self.graph.ty(output.value);
            if ty.dtype != DType::F32 || output.kind != OutputKind::Value {
                return Err(format!("output {k} of the body is {ty}"));
            }
            if k < self.carries && *ty != self.input(k) {
                return Err(format!("carry {k} is {} and then {ty}", self.input(k)));
            }
        }
        let mut nodes = self.graph.nodes.iter();
        let draws = |(_, node): (Value, &Node)| match &node.prim {
            Prim::Scan { body, .. } => {
                body.graph.nodes.iter().any(|(_, node)| matches!(node.prim, Prim::Random { .. }))
            }
            _other => false,
        };
        match nodes.any(draws) {
            true => {
                Err("a body within a body draws random numbers, which would be the same at each step".into())
            }
            false => Ok(()),
        }
    }
}

/// Where the row stands in the number that draws are counted by.
pub const DRAWN_ROWS: u32 = 40;

/// What the way back through a scan has of the way there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Carries and what is dear to compute, of all steps.
    #[default]
    Stacks,
    /// Carries alone: all else is computed again, step by step, and what steps add to the gradient of something that is
    /// the same at each of them is added up on the way. Memory is that of one step.
    Nothing,
}

/// What a scan is made of: what goes in, by its role.
pub struct ScanInputs<'a> {
    pub length: Dim,
    pub keep: Keep,
    pub reverse: bool,
    /// The first value of each carry.
    pub carries: &'a [Value],
    /// Axis 0 is time.
    pub slices: &'a [Value],
    /// The same at every step.
    pub constants: &'a [Value],
}

/// The leaves of a body, or its outputs: carries first.
pub struct ScanStep {
    pub carries: Vec<Value>,
    pub slices: Vec<Value>,
    pub constants: Vec<Value>,
}

impl Prim {
    /// What it draws from, also in the body of a loop.
    pub fn sites(&self) -> Vec<&Arc<str>> {
        if let Prim::Random { site } = self {
            vec![site]
        } else if let Prim::Scan { body, .. } = self {
            body.graph.nodes.iter().flat_map(|(_, node)| node.prim.sites()).collect()
        } else {
            Vec::new()
        }
    }

    /// Has it draw from other sites.
    pub fn rename_sites(&mut self, name: &dyn Fn(&str) -> String) {
        if self.sites().is_empty() {
            return;
        }
        if let Prim::Random { site } = self {
            *site = name(site).into();
        } else if let Prim::Scan { body, .. } = self {
            let nodes = Arc::make_mut(body).graph.nodes.iter_mut();
            nodes.for_each(|node| node.prim.rename_sites(name));
        }
    }
}

impl Builder {
    /// A body's outputs for what its leaves are, written out.
    ///
    /// # Panics
    /// If it draws random numbers, which are those of a row.
    pub fn inline(&mut self, body: &ScanBody, leaves: &[Value]) -> Vec<Value> {
        let mut values: Vec<Value> = Vec::with_capacity(body.graph.nodes.len());
        for (_, node) in body.graph.nodes.iter() {
            if let Prim::Leaf(leaf) = &node.prim {
                values.push(leaves[leaf.index()]);
                continue;
            }
            let mut node = node.clone();
            node.prim.inputs_mut().iter_mut().for_each(|v| *v = values[v.index()]);
            assert!(!matches!(node.prim, Prim::Random { .. }), "scan: what draws is not written out");
            values.push(self.copy(node));
        }
        body.graph.outputs.iter().map(|o| values[o.value.index()]).collect()
    }

    /// A loop over time whose step `build` writes into a graph of its own: it gives the next
    /// carries and the per-step outputs. The result is the last carries, and the outputs
    /// along a new axis 0.
    pub fn scan<E>(
        &mut self,
        inputs: &ScanInputs,
        build: impl FnOnce(&mut Builder, &ScanStep) -> Result<[Vec<Value>; 2], E>,
    ) -> Result<[Vec<Value>; 2], E> {
        let mut body = Builder::new("step");
        body.precision = self.precision;
        let leaf = |b: &mut Builder, name: String, ty: TensorType| b.leaf(name, ty, LeafKind::Batch);
        let named = |(i, &v): (usize, &Value)| (i, self.ty(v).clone());
        let row = |ty: TensorType| TensorType { shape: ty.shape.without(&[0]), ..ty };
        let step = ScanStep {
            carries: inputs
                .carries
                .iter()
                .enumerate()
                .map(named)
                .map(|(i, ty)| leaf(&mut body, format!("c{i}"), ty))
                .collect(),
            slices: inputs
                .slices
                .iter()
                .enumerate()
                .map(named)
                .map(|(i, ty)| leaf(&mut body, format!("x{i}"), row(ty)))
                .collect(),
            constants: inputs
                .constants
                .iter()
                .enumerate()
                .map(named)
                .map(|(i, ty)| leaf(&mut body, format!("w{i}"), ty))
                .collect(),
        };
        let [next, outputs] = build(&mut body, &step)?;
        next.iter().enumerate().for_each(|(i, &v)| body.output(format!("c{i}"), v, OutputKind::Value));
        outputs.iter().enumerate().for_each(|(i, &v)| body.output(format!("y{i}"), v, OutputKind::Value));
        let body = ScanBody {
            length: inputs.length.clone(),
            keep: inputs.keep,
            reverse: inputs.reverse,
            carries: inputs.carries.len(),
            slices: inputs.slices.len(),
            graph: body.finish(),
        };
        let all = [inputs.carries, inputs.slices, inputs.constants].concat();
        let body = Arc::new(body);
        let packed = self.infer(Prim::Scan { body: body.clone(), inputs: all });
        let mut results: Vec<Value> =
            (0..body.graph.outputs.len()).map(|k| self.scan_result(&body, packed, k)).collect();
        let outputs = results.split_off(body.carries);
        Ok([results, outputs])
    }

    /// One result of a scan.
    pub fn scan_result(&mut self, body: &ScanBody, packed: Value, k: usize) -> Value {
        let shape = body.result(k);
        let part = self.push(
            Prim::Slice { input: packed, start: vec![body.offset(k)], step: vec![1] },
            TensorType::f32(Shape::from(vec![shape.size()])),
        );
        self.push(Prim::Reshape { input: part }, TensorType::f32(shape))
    }
}
