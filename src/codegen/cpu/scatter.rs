//! `Scatter` kernels: rows added up in index order, tasks owning columns.

use super::emit::{At, Gen, Len, MEM};
use super::facts::Facts;
use super::jit::Jit;
use super::nest::{Form, Nest};
use crate::base::DType;
use crate::loops::{Body, Scatter};
use cranelift_codegen::ir::types::{F32X4, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::FunctionBuilder;
use cranelift_module::FuncId;

/// Columns of a task: whole pairs of cache lines.
const COLUMNS: usize = 64;
/// Numbers added below which one task is enough.
const INLINE: usize = 50_000;

/// How a `Scatter` kernel runs.
pub struct ScatterPlan {
    nest: Nest,
    facts: Facts,
    scatter: Scatter,
    columns: usize,
    pub tasks: usize,
}

impl ScatterPlan {
    pub fn new(scatter: &Scatter) -> ScatterPlan {
        let dtypes = vec![DType::I32, DType::F32, DType::F32];
        let nest = Nest {
            form: Form::Map,
            dims: vec![scatter.width],
            outer: Vec::new(),
            seq: Vec::new(),
            lane: 0,
            body: Body::default(),
            dtypes,
        };
        let facts = Facts::of(&nest, false);
        let work = (scatter.count + scatter.rows) * scatter.width;
        let columns = if work < INLINE { scatter.width.max(1) } else { COLUMNS.min(scatter.width.max(1)) };
        let tasks = scatter.width.div_ceil(columns);
        ScatterPlan { nest, facts, scatter: scatter.clone(), columns, tasks }
    }

    pub fn describe(&self) -> String {
        format!("in index order, {} columns x {} tasks", self.columns, self.tasks)
    }

    fn emit(&self, g: &mut Gen, task: Value) {
        let Scatter { index, updates, out, count, rows, width } = self.scatter;
        let (index, updates, out) =
            (g.buffers[index.index()], g.buffers[updates.index()], g.buffers[out.index()]);
        let first = g.times(task, self.columns as i64);
        let all = g.iconst(width as i64);
        let left = g.b.ins().isub(all, first);
        let most = g.iconst(self.columns as i64);
        let columns = g.b.ins().umin(left, most);
        let len = Len::Dyn { value: columns, fours: width % 4 == 0 };
        let bytes = g.times(first, 4);
        let (updates, out) = (g.b.ins().iadd(updates, bytes), g.b.ins().iadd(out, bytes));
        g.repeat(rows, &mut |g, row| {
            let row = g.times(row, 4 * width as i64);
            let to = g.b.ins().iadd(out, row);
            let zero = g.float(0.0);
            g.lane_loop(len, false, 1, &mut |g, at| {
                let to = lane(g, to, at);
                g.store_dense(zero, to, 0, at.take);
            });
        });
        g.repeat(count, &mut |g, i| {
            let from = g.times(i, 4 * width as i64);
            let from = g.b.ins().iadd(updates, from);
            let at = g.times(i, 4);
            let at = g.b.ins().iadd(index, at);
            let row = g.b.ins().load(I32, MEM, at, 0);
            let row = g.row_offset(row, rows, 4 * width as i64);
            let to = g.b.ins().iadd(out, row);
            g.lane_loop(len, false, 1, &mut |g, at| {
                let (from, to) = (lane(g, from, at), lane(g, to, at));
                let x = g.load_dense(F32X4, from, 0, at.take);
                let sum = g.load_dense(F32X4, to, 0, at.take);
                let sum = g.b.ins().fadd(sum, x);
                g.store_dense(sum, to, 0, at.take);
            });
        });
    }
}

fn lane(g: &mut Gen, start: Value, at: At) -> Value {
    at.bytes.map_or(start, |i| g.b.ins().iadd(start, i))
}

/// Compiles the kernel's task function.
pub fn define(jit: &mut Jit, name: &str, plan: &ScatterPlan) -> FuncId {
    jit.define(name, &[I64, I64, I64], |jit, func, context| {
        let b = FunctionBuilder::new(func, context);
        let (mut g, args) = Gen::open(jit, b, &plan.nest, &plan.facts);
        plan.emit(&mut g, args[1]);
        g.close();
    })
}
