//! Scans, step by step.

use super::rounding::{Bounded, bounded};
use super::{Inputs, Run, Tensor, run as run_graph};
use crate::graph::scan::ScanBody;
use std::collections::BTreeMap;

/// All results of a scan, in one vector.
pub(super) fn run(run: &Run, body: &ScanBody, given: &[&Tensor], shape: Vec<usize>) -> Tensor {
    let mut results = Results::new(run, body, given);
    for step in 0..results.length {
        let inputs = Inputs { leaves: results.inputs(given), ..results.frame() };
        results.take(step, run_graph(&body.graph, &inputs));
        results.at = step + 1;
    }
    results.vector(shape)
}

/// How far each result may be off.
pub(super) fn errors(run: &Run, body: &ScanBody, given: &[(&Tensor, &Tensor)], shape: Vec<usize>) -> Tensor {
    let values: Vec<&Tensor> = given.iter().map(|(value, _)| *value).collect();
    let off: Vec<&Tensor> = given.iter().map(|(_, error)| *error).collect();
    let (mut results, mut errors) = (Results::new(run, body, &values), Results::new(run, body, &off));
    for step in 0..results.length {
        let inputs = Inputs { leaves: results.inputs(&values), ..results.frame() };
        let found = bounded(&body.graph, &inputs, &errors.inputs(&off));
        let (value, error) = found.into_iter().map(|Bounded { value, error }| (value, error)).unzip();
        results.take(step, value);
        errors.take(step, error);
        (results.at, errors.at) = (step + 1, step + 1);
    }
    errors.vector(shape)
}

/// A scan under way.
struct Results<'a> {
    body: &'a ScanBody,
    length: usize,
    /// What the node reads beside its inputs.
    frame: Inputs,
    /// The step to come.
    at: usize,
    carries: Vec<Tensor>,
    /// By per-step output, the rows so far.
    rows: Vec<Vec<Tensor>>,
}

impl<'a> Results<'a> {
    fn new(run: &Run, body: &'a ScanBody, given: &[&Tensor]) -> Results<'a> {
        let length = usize::try_from(run.number(&body.length)).expect("interp: a length is a size");
        let frame = Inputs {
            leaves: BTreeMap::new(),
            bindings: run.bindings.clone(),
            seed: run.inputs.seed,
            step: run.inputs.step,
        };
        let carries = given[..body.carries].iter().map(|&t| t.clone()).collect();
        let rows = vec![vec![Tensor::default(); length]; body.graph.outputs.len() - body.carries];
        Results { body, length, frame, at: 0, carries, rows }
    }

    /// What the body's leaves are at this step.
    /// What the step to come reads beside its leaves.
    fn frame(&self) -> Inputs {
        let row = self.body.row(self.at, self.length);
        Inputs { step: ScanBody::draws(self.frame.step, row), ..self.frame.clone() }
    }

    fn inputs(&self, given: &[&Tensor]) -> BTreeMap<String, Tensor> {
        let names = self.body.graph.leaves.iter().map(|(_, leaf)| leaf.name.to_string());
        let row = self.body.row(self.at, self.length);
        let tensor = |i: usize| match self.carries.get(i) {
            Some(carry) => carry.clone(),
            None if self.body.is_slice(i) => nth(given[i], row),
            None => given[i].clone(),
        };
        names.enumerate().map(|(i, name)| (name, tensor(i))).collect()
    }

    fn take(&mut self, step: usize, mut found: Vec<Tensor>) {
        let row = self.body.row(step, self.length);
        for (rows, output) in self.rows.iter_mut().zip(found.split_off(self.body.carries)) {
            rows[row] = output;
        }
        self.carries = found;
    }

    fn vector(self, shape: Vec<usize>) -> Tensor {
        let parts = self.carries.into_iter().chain(self.rows.into_iter().flatten());
        Tensor::new(shape, parts.flat_map(|t| t.data).collect::<Vec<f64>>())
    }
}

/// Row `i` along axis 0.
fn nth(tensor: &Tensor, i: usize) -> Tensor {
    let shape = tensor.shape[1..].to_vec();
    let len: usize = shape.iter().product();
    Tensor { data: tensor.data[i * len..(i + 1) * len].to_vec(), shape }
}
