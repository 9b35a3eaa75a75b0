//! A loop over time: a program of its own, run once for each step.
//!
//! A buffer of the body is one of the program around it, seen at a place that moves with
//! the step, or a temporary. A carry is read where it was given at the first step and is
//! written where its last value belongs at the last one; in between two places take turns.

use super::ir::{Buffer, BufferId, BufferKind, Program};
use super::memory::{self, ALIGN};
use crate::base::{DType, Id};
use std::sync::Arc;

/// Runs `body` for `length` steps, in order.
///
/// The first buffers of the body are its leaves: carries, slices, and what is the same at
/// each step, one for each of `inputs`. Its outputs are the next carries, then what is
/// stacked; each has a buffer of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    pub body: Arc<Program>,
    pub length: usize,
    pub reverse: bool,
    pub carries: usize,
    pub slices: usize,
    /// What each leaf is given: a buffer, and the element where it starts.
    pub inputs: Vec<(BufferId, usize)>,
    /// The last value of each carry, then every stack: one after the other.
    pub out: BufferId,
    /// The places of carries between steps, and the temporaries of the body.
    pub room: BufferId,
}

/// Where the buffers of a body lie, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanLayout {
    /// By carry: its two places in the room.
    pub carries: Vec<[usize; 2]>,
    /// By buffer of the body: its place in the room, if it is a temporary.
    pub temps: Vec<Option<usize>>,
    pub room: usize,
}

impl ScanLayout {
    pub fn of(body: &Program, carries: usize) -> ScanLayout {
        let mut end = 0;
        let mut place = |bytes: usize| {
            end += bytes.next_multiple_of(ALIGN);
            end - bytes.next_multiple_of(ALIGN)
        };
        let size = |i: usize| body.buffers[Id::new(i)].bytes();
        let carries = (0..carries).map(|i| [place(size(i)), place(size(i))]).collect();
        let plan = memory::plan(body);
        let arena = place(plan.arena_bytes);
        let temps = plan.offsets.iter().map(|at| at.map(|at| arena + at)).collect();
        ScanLayout { carries, temps, room: end }
    }

    /// The room as a buffer.
    pub fn buffer(&self) -> Buffer {
        let shape = vec![self.room / DType::F32.bytes()];
        Buffer { name: "room".into(), dtype: DType::F32, shape, kind: BufferKind::Temp }
    }
}

impl Scan {
    /// The row that a step works on.
    pub fn row(&self, step: usize) -> usize {
        if self.reverse { self.length - 1 - step } else { step }
    }

    /// The number of elements of the body's leaf `i`.
    pub fn leaf_len(&self, i: usize) -> usize {
        self.body.buffers[Id::new(i)].len()
    }

    /// The number of elements of output `k` at one step.
    pub fn output_len(&self, k: usize) -> usize {
        self.body.buffers[self.body.outputs[k].1].len()
    }

    /// Where output `k` starts in `out`, in elements.
    pub fn output_offset(&self, k: usize) -> usize {
        let rows = |k: usize| if k < self.carries { 1 } else { self.length };
        (0..k).map(|k| rows(k) * self.output_len(k)).sum()
    }

    pub fn is_slice(&self, i: usize) -> bool {
        (self.carries..self.carries + self.slices).contains(&i)
    }

    /// Points it at other buffers.
    pub fn rename(&mut self, mut to: impl FnMut(BufferId) -> BufferId) {
        for (buffer, _) in &mut self.inputs {
            *buffer = to(*buffer);
        }
        self.out = to(self.out);
        self.room = to(self.room);
    }

    /// Whether everything has the size that the body needs.
    pub fn check(&self, program: &Program) -> Result<(), String> {
        super::verify(&self.body).map_err(|why| format!("in its body: {why}"))?;
        let mut places: Vec<BufferId> = self.body.outputs.iter().map(|o| o.1).collect();
        places.sort();
        places.dedup();
        if places.len() != self.body.outputs.len() {
            return Err("two results of a step share a buffer".into());
        }
        for (i, &(buffer, at)) in self.inputs.iter().enumerate() {
            let rows = if self.is_slice(i) { self.length } else { 1 };
            let (given, leaf) = (&program.buffers[buffer], &self.body.buffers[Id::new(i)]);
            if given.dtype != leaf.dtype || at + rows * leaf.len() > given.len() {
                return Err(format!("{} does not hold {rows} times {}", given.name, leaf.name));
            }
        }
        let room = ScanLayout::of(&self.body, self.carries).room;
        let sized = [(self.out, 4 * self.output_offset(self.body.outputs.len())), (self.room, room)];
        match sized.into_iter().find(|(buffer, bytes)| program.buffers[*buffer].bytes() != *bytes) {
            Some((buffer, bytes)) => Err(format!("{} has not {bytes} bytes", program.buffers[buffer].name)),
            None => Ok(()),
        }
    }
}
