//! Strip functions written out in vectors of four lanes, for loops that were to be wide and cannot be: their registers
//! did not suffice, or their strip was short. The steps are the same, so the bits are.

use super::emit::Gen;
use super::facts::strip_function;
use crate::graph::ScalarOp;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32X4, I32X4};
use cranelift_codegen::ir::{InstBuilder, Value};
use mlc_kernels::strip::{Binary, Shift, Step, formula};

impl Gen<'_, '_> {
    /// What a strip function does to a vector.
    pub fn formula(&mut self, op: ScalarOp, x: Value) -> Value {
        let steps =
            strip_function(op).and_then(formula).expect("codegen: a function that is no call has a formula");
        let mut values: Vec<Value> = Vec::with_capacity(steps.len());
        for step in steps {
            let value = self.formula_step(step, x, &values);
            values.push(value);
        }
        *values.last().expect("codegen: a formula has a result")
    }

    fn formula_step(&mut self, step: Step, x: Value, so_far: &[Value]) -> Value {
        let (float, bits) = (
            |g: &mut Self, at: usize| g.cast(F32X4, so_far[at]),
            |g: &mut Self, at: usize| g.cast(I32X4, so_far[at]),
        );
        match step {
            Step::Argument => x,
            Step::Splat(bits) => self.lanes(I32X4, [bits; 4]),
            Step::Sqrt(x) => {
                let x = float(self, x);
                self.b.ins().sqrt(x)
            }
            Step::ToFloat(x) => {
                let x = bits(self, x);
                self.b.ins().fcvt_from_sint(F32X4, x)
            }
            Step::Fma(x, y, z) => {
                let (x, y, z) = (float(self, x), float(self, y), float(self, z));
                self.b.ins().fma(x, y, z)
            }
            Step::Shift(shift, x, by) => {
                let (x, by) = (bits(self, x), i64::from(by));
                match shift {
                    Shift::Left => self.b.ins().ishl_imm_u(x, by),
                    Shift::Arithmetic => self.b.ins().sshr_imm_u(x, by),
                    Shift::Logical => self.b.ins().ushr_imm_u(x, by),
                }
            }
            Step::Select(mask, yes, no) => {
                let (mask, yes, no) = (bits(self, mask), bits(self, yes), bits(self, no));
                self.b.ins().bitselect(mask, yes, no)
            }
            Step::Binary(op, x, y) => {
                let (fx, fy) = (float(self, x), float(self, y));
                let (ix, iy) = (bits(self, x), bits(self, y));
                match op {
                    Binary::Add => self.b.ins().fadd(fx, fy),
                    Binary::Sub => self.b.ins().fsub(fx, fy),
                    Binary::Mul => self.b.ins().fmul(fx, fy),
                    Binary::Div => self.b.ins().fdiv(fx, fy),
                    Binary::Min => self.smaller(fx, fy),
                    Binary::Max => self.larger(fx, fy),
                    Binary::Lt => self.b.ins().fcmp(FloatCC::LessThan, fx, fy),
                    Binary::Eq => self.b.ins().fcmp(FloatCC::Equal, fx, fy),
                    Binary::IEq => self.b.ins().icmp(IntCC::Equal, ix, iy),
                    Binary::Both | Binary::IAnd => self.b.ins().band(ix, iy),
                    Binary::Either | Binary::IOr => self.b.ins().bor(ix, iy),
                    Binary::IXor => self.b.ins().bxor(ix, iy),
                    Binary::IAdd => self.b.ins().iadd(ix, iy),
                    Binary::ISub => self.b.ins().isub(ix, iy),
                }
            }
        }
    }
}
