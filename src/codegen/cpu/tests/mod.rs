//! Compiled programs against the f64 interpreter, for 1, 2 and 3 threads with equal bits.

mod contract;
mod mlp;
mod rows;
mod scan;

use super::{Instance, Options};
use crate::base::{Bindings, DType, Precision};
use crate::graph::{Fold, ScalarOp};
use crate::loops::{
    Access, Body, Buffer, BufferId, BufferKind, Contract, Guard, Kernel, KernelKind, Node, NodeId, Operand,
    Program, Rows, Scatter, Store, interp,
};
use mlc_kernels::Isa;
use std::sync::Arc;

/// Builds programs by hand.
#[derive(Default)]
pub struct Make {
    program: Program,
}

impl Make {
    pub fn buffer(&mut self, name: &str, dtype: DType, shape: &[usize]) -> BufferId {
        self.program.buffers.push(Buffer {
            name: Arc::from(name),
            dtype,
            shape: shape.to_vec(),
            kind: BufferKind::Batch,
        })
    }

    pub fn f32(&mut self, name: &str, shape: &[usize]) -> BufferId {
        self.buffer(name, DType::F32, shape)
    }

    pub fn kernel(&mut self, kind: KernelKind) {
        let label = format!("kernel {}", self.program.kernels.len());
        self.program.kernels.push(Kernel { label, ..Kernel::of(kind) });
    }

    pub fn rows(&mut self, outer: &[usize], row: &[usize], body: Body) {
        self.kernel(KernelKind::Rows(Rows { outer: outer.to_vec(), row: row.to_vec(), body }));
    }

    pub fn program(mut self) -> Program {
        self.program.name = "test".to_string();
        self.program.bindings = Bindings::new();
        self.program
    }
}

pub fn access(buffer: BufferId, strides: &[i64]) -> Access {
    Access { buffer, offset: 0, strides: strides.to_vec(), guards: Vec::new(), fill: 0.0 }
}

/// Builds bodies by hand.
#[derive(Default)]
pub struct Code {
    body: Body,
}

impl Code {
    pub fn node(&mut self, node: Node) -> NodeId {
        self.body.nodes.push(node)
    }

    pub fn load(&mut self, buffer: BufferId, strides: &[i64]) -> NodeId {
        self.node(Node::Load(access(buffer, strides)))
    }

    pub fn number(&mut self, value: f64) -> NodeId {
        self.node(Node::Const { value, dtype: DType::F32 })
    }

    pub fn op(&mut self, op: ScalarOp, inputs: &[NodeId]) -> NodeId {
        self.node(Node::Op { op, inputs: inputs.to_vec() })
    }

    pub fn fold(&mut self, fold: Fold, input: NodeId) -> NodeId {
        self.node(Node::Fold { fold, input })
    }

    pub fn store(&mut self, value: NodeId, buffer: BufferId, strides: &[i64]) {
        self.body.stores.push(Store { value, access: access(buffer, strides) });
    }

    pub fn body(self) -> Body {
        self.body
    }
}

/// What a buffer holds at first: small numbers of both signs, class ids where they are whole.
fn fill(dtype: DType, buffer: usize, i: usize) -> f64 {
    let hash = ((i * 7919 + buffer * 104_729 + 17) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    match dtype {
        DType::F32 => f64::from((hash as f64 / f64::from(1 << 24) * 4.0 - 2.0) as f32),
        DType::I32 => (hash % 23) as f64 - 4.0,
        DType::U8 => (hash % 256) as f64,
    }
}

fn set(instance: &mut Instance, memory: &interp::Memory) {
    for id in instance.program().buffers.ids() {
        let from = &memory[id.index()];
        match instance.program().buffers[id].dtype {
            DType::F32 => instance.f32_mut(id).iter_mut().zip(from).for_each(|(x, &y)| *x = y as f32),
            DType::I32 => instance.i32_mut(id).iter_mut().zip(from).for_each(|(x, &y)| *x = y as i32),
            DType::U8 => instance.u8_mut(id).iter_mut().zip(from).for_each(|(x, &y)| *x = y as u8),
        }
    }
}

fn bits(instance: &Instance, id: BufferId) -> Vec<u32> {
    match instance.program().buffers[id].dtype {
        DType::F32 => instance.f32(id).iter().map(|x| x.to_bits()).collect(),
        DType::I32 => instance.i32(id).iter().map(|&x| x as u32).collect(),
        DType::U8 => instance.u8(id).iter().map(|&x| u32::from(x)).collect(),
    }
}

/// Runs a program compiled and interpreted; they agree within `tolerance` of the largest number
/// of each buffer. Neither threads nor instructions matter.
pub fn check(program: &Program, tolerance: f64) {
    let mut memory = interp::memory(program);
    for (id, buffer) in program.buffers.iter() {
        let values = memory[id.index()].iter_mut().enumerate();
        values.for_each(|(i, x)| *x = fill(buffer.dtype, id.index(), i));
    }
    let mut first: Option<Vec<Vec<u32>>> = None;
    let start = memory.clone();
    interp::run(program, &mut memory, 42, 7);
    let best = Isa::detect();
    let lesser = Isa::all().filter(|isa| *isa != best).map(|isa| (1, isa));
    for (threads, isa) in [1, 2, 3].map(|threads| (threads, best)).into_iter().chain(lesser) {
        let options = Options { threads, texts: threads == 1, isa, ..Options::default() };
        let mut instance = Instance::new(program.clone(), &options);
        set(&mut instance, &start);
        instance.step(42, 7);
        let all: Vec<Vec<u32>> = program.buffers.ids().map(|id| bits(&instance, id)).collect();
        match &first {
            None => {
                compare(program, &instance, &memory, tolerance);
                first = Some(all);
            }
            Some(first) => assert!(*first == all, "{threads} threads with {isa} change bits"),
        }
    }
}

fn compare(program: &Program, instance: &Instance, memory: &interp::Memory, tolerance: f64) {
    // Temporaries share memory: only what lasts can be compared.
    let lasting = program.buffers.iter().filter(|(_, b)| b.kind != BufferKind::Temp);
    for (id, buffer) in lasting {
        let wanted = &memory[id.index()];
        let found: Vec<f64> = match buffer.dtype {
            DType::F32 => instance.f32(id).iter().map(|&x| f64::from(x)).collect(),
            DType::I32 => instance.i32(id).iter().map(|&x| f64::from(x)).collect(),
            DType::U8 => instance.u8(id).iter().map(|&x| f64::from(x)).collect(),
        };
        let scale = wanted.iter().filter(|x| x.is_finite()).fold(1e-3f64, |m, x| m.max(x.abs()));
        for (i, (&w, &f)) in wanted.iter().zip(&found).enumerate() {
            let close = w == f || w.is_nan() && f.is_nan() || (w - f).abs() <= tolerance * scale;
            assert!(
                close,
                "{}[{i}] is {f}, should be {w}\n{}\n{}",
                buffer.name,
                instance.compiled().schedule().join("\n"),
                instance.compiled().clif()
            );
        }
    }
}
