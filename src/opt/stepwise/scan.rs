//! One step of a loop over time: its body, with carries that are states.

use super::reach::scan_result;
use super::{At, Checked, Steps};
use crate::base::Dim;
use crate::graph::{ScanBody, Value};

impl Steps<'_> {
    /// A result along time, of which there is one row now.
    pub(super) fn scanned(&mut self, of: Value) -> Checked<Value> {
        let (scan, body, inputs, k) = scan_result(self.graph, of).expect("stepwise: a result of a loop");
        if !self.scans.contains_key(&scan) {
            let outputs = self.body(of, body, inputs)?;
            self.scans.insert(scan, outputs);
        }
        let row = self.scans[&scan][k];
        Ok(self.b.reshape(row, self.shape(of).with(0, Dim::one())))
    }

    /// What the body makes of this step's rows and the carries of the step before.
    fn body(&mut self, of: Value, body: &ScanBody, inputs: &[Value]) -> Checked<Vec<Value>> {
        let mut leaves = Vec::with_capacity(inputs.len());
        let mut states = Vec::new();
        for (i, input) in inputs.iter().enumerate() {
            let (_, leaf) = body.graph.leaves.iter().nth(i).expect("scan: an input has a leaf");
            let value = if i < body.carries {
                let first = self.whole(*input)?;
                let (state, Some(before)) = self.state(&leaf.ty.shape) else { return self.unproven(of) };
                states.push(state);
                let zero = self.b.int(0);
                let starts = self.b.eq(self.now, zero);
                self.b.select(starts, first, before)
            } else if body.is_slice(i) {
                let row = self.pick(*input, 0, At::Now)?;
                self.b.reshape(row, leaf.ty.shape.clone())
            } else {
                self.whole(*input)?
            };
            leaves.push(value);
        }
        // What is proved to look back only draws nothing.
        let outputs = self.b.inline(body, &leaves);
        for (state, next) in states.into_iter().zip(&outputs) {
            let name = self.b.graph().leaves[state].name.clone();
            self.b.update(name, state, *next);
        }
        Ok(outputs)
    }
}
