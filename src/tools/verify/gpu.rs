//! The side that runs on a GPU.

use super::side::{Side, results};
use super::start::Start;
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::graph::Graph;
use crate::loops::Fusion;
use crate::pipeline;
use crate::runtime::data::Values;
use crate::runtime::gpu::{Choice, Device, Fault, Instance};

/// A GPU, or a processor that plays one.
pub struct Card {
    device: Device,
    /// Where faults are reported.
    at: Span,
}

impl Card {
    /// # Errors
    /// If there is no device.
    pub fn open(at: Span) -> Result<Card, Box<Diagnostic>> {
        let device = Device::open(&Choice::from_env()).map_err(|fault| Box::new(fault.diagnostic(at)))?;
        Ok(Card { device, at })
    }

    fn outputs(&self, graph: &Graph, start: &Start) -> Result<Vec<Vec<f32>>, Fault> {
        let program = pipeline::lower(graph, &start.bindings, &Fusion::GPU);
        let mut instance = Instance::new(&self.device, program, start.seed)?;
        for (name, leaf) in &start.leaves {
            // Rewriting may have found that a leaf does not matter.
            if !instance.program().buffers.iter().any(|(_, b)| b.name == *name) {
                continue;
            }
            match &leaf.values {
                Values::U8(values) => instance.write(name, values)?,
                Values::I32(values) => instance.write(name, &bytes(values, |x| x.to_le_bytes()))?,
                Values::F32(values) => instance.write(name, &bytes(values, |x| x.to_le_bytes()))?,
            }
        }
        instance.run(start.step)?;
        let mut found = Vec::new();
        for (name, before) in results(graph, instance.program(), start) {
            let there = |name: &str| instance.program().buffers.iter().any(|(_, b)| *b.name == *name);
            let after = if there(&name) { instance.read_f32(&name)? } else { None };
            found.push(after.unwrap_or(before));
        }
        Ok(found)
    }
}

fn bytes<T: Copy>(values: &[T], of: fn(T) -> [u8; 4]) -> Vec<u8> {
    values.iter().flat_map(|&x| of(x)).collect()
}

impl Side for Card {
    fn device(&self) -> String {
        self.device.name()
    }

    fn run(&mut self, graph: &Graph, start: &Start) -> Result<Vec<Vec<f32>>, Box<Diagnostic>> {
        self.outputs(graph, start).map_err(|fault| Box::new(fault.diagnostic(self.at)))
    }
}
