//! `Scan` kernels: a loop that gives the step function of the body its buffers and calls it.
//!
//! The table of addresses lies on the stack. What is the same at each step is written into it
//! once; rows of slices and stacks move on by their size; a carry alternates between two
//! places, but is read where it was given at first and written where it belongs at last.

use super::emit::{Gen, MEM};
use super::step::{context, stack};
use crate::graph::DRAWN_ROWS;
use crate::loops::{BufferId, Scan, ScanLayout};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_module::FuncId;
use mlc_kernels::abi::Ctx;
use std::mem::offset_of;

/// Emits the loop; `g.buffers` holds the addresses of the kernel's slots.
pub fn emit(g: &mut Gen, scan: &Scan, function: FuncId) {
    let table = stack(g, 8 * scan.body.buffers.len().max(1));
    let ctx = context(g, g.ctx, table);
    let frame = Frame { scan, layout: ScanLayout::of(&scan.body, scan.carries), table };
    frame.fix(g);
    let callee = g.jit.local(function, g.b.func);
    let drawn = g.b.ins().load(I64, MEM, g.ctx, offset_of!(Ctx, step) as i32);
    g.repeat(scan.length, &mut |g, step| {
        let row = frame.row(g, step);
        frame.advance(g, step, row);
        // As `ScanBody::draws` counts.
        let next = g.plus(row, 1);
        let next = g.b.ins().ishl_imm_u(next, i64::from(DRAWN_ROWS));
        let draws = g.b.ins().iadd(drawn, next);
        g.b.ins().store(MEM, draws, ctx, offset_of!(Ctx, step) as i32);
        g.b.ins().call(callee, &[ctx]);
    });
}

struct Frame<'s> {
    scan: &'s Scan,
    layout: ScanLayout,
    /// An address for each buffer of the body.
    table: Value,
}

impl Frame<'_> {
    fn set(&self, g: &mut Gen, buffer: usize, address: Value) {
        g.b.ins().store(MEM, address, self.table, 8 * buffer as i32);
    }

    /// Temporaries, and what is the same at each step.
    fn fix(&self, g: &mut Gen) {
        let room = g.buffers[self.scan.room.index()];
        for (buffer, at) in self.layout.temps.iter().enumerate() {
            if let Some(at) = at {
                let address = g.plus(room, *at as i64);
                self.set(g, buffer, address);
            }
        }
        for i in self.scan.carries + self.scan.slices..self.scan.inputs.len() {
            let address = self.given(g, i);
            self.set(g, i, address);
        }
    }

    /// Where leaf `i` starts.
    fn given(&self, g: &mut Gen, i: usize) -> Value {
        let (buffer, at) = self.scan.inputs[i];
        let bytes = self.scan.body.buffers[BufferId::new(i)].dtype.bytes();
        g.plus(g.buffers[buffer.index()], (at * bytes) as i64)
    }

    fn row(&self, g: &mut Gen, step: Value) -> Value {
        if self.scan.reverse {
            let last = g.iconst(self.scan.length as i64 - 1);
            g.b.ins().isub(last, step)
        } else {
            step
        }
    }

    /// What moves, at a step that works on `row`.
    fn advance(&self, g: &mut Gen, step: Value, row: Value) {
        let scan = self.scan;
        for i in 0..scan.carries {
            self.turn(g, i, step);
        }
        for i in scan.carries..scan.carries + scan.slices {
            let start = self.given(g, i);
            let bytes = scan.body.buffers[BufferId::new(i)].bytes();
            let moved = g.times(row, bytes as i64);
            let address = g.b.ins().iadd(start, moved);
            self.set(g, i, address);
        }
        for k in scan.carries..scan.body.outputs.len() {
            let start = self.result(g, k);
            let moved = g.times(row, 4 * scan.output_len(k) as i64);
            let address = g.b.ins().iadd(start, moved);
            self.set(g, scan.body.outputs[k].1.index(), address);
        }
    }

    /// Where result `k` starts.
    fn result(&self, g: &mut Gen, k: usize) -> Value {
        g.plus(g.buffers[self.scan.out.index()], 4 * self.scan.output_offset(k) as i64)
    }

    /// Has a carry read from one of its places, and written to the other.
    fn turn(&self, g: &mut Gen, carry: usize, step: Value) {
        let room = g.buffers[self.scan.room.index()];
        let places = self.layout.carries[carry].map(|at| g.plus(room, at as i64));
        let odd = g.b.ins().band_imm_u(step, 1);
        let from = g.b.ins().select(odd, places[1], places[0]);
        let to = g.b.ins().select(odd, places[0], places[1]);
        let (given, last) = (self.given(g, carry), self.result(g, carry));
        let zero = g.iconst(0);
        let is_first = g.b.ins().icmp(IntCC::Equal, step, zero);
        let from = g.b.ins().select(is_first, given, from);
        let end = g.iconst(self.scan.length as i64 - 1);
        let is_last = g.b.ins().icmp(IntCC::Equal, step, end);
        let to = g.b.ins().select(is_last, last, to);
        self.set(g, carry, from);
        self.set(g, self.scan.body.outputs[carry].1.index(), to);
    }
}
