//! Emits the code of one function: loops, vectors of four, and the values of nodes.
//!
//! Every number is a vector of four 32-bit lanes, also one that no lane changes (all lanes equal)
//! and the remainder of a row (the lanes behind it hold junk that is never stored). So a node has
//! one form of code, and its bits do not depend on where in a row it stands.

use super::facts::Facts;
use super::jit::Jit;
use super::nest::Nest;
use crate::base::DType;
use crate::loops::{Access, Guard, NodeId};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F32X4, I8X16, I32, I32X4, I64, I64X2};
use cranelift_codegen::ir::{
    BlockArg, ConstantData, Endianness, FuncRef, InstBuilder, MemFlagsData, StackSlot, StackSlotData,
    StackSlotKind, Type, Value,
};
use cranelift_frontend::{FunctionBuilder, Variable};
use std::collections::BTreeMap;

/// Every address is in bounds by the verifier of loops, every buffer is mapped. Not aligned: the
/// rows of a tensor start anywhere.
pub const MEM: MemFlagsData = MemFlagsData::new().with_notrap();

/// Where a value of each lane lies in the thread's scratch, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Only within a strip: a strip long.
    Strip(usize),
    /// From sweep to sweep: one row (or one strip of columns for each point of the row).
    Kept(usize),
    /// One strip of columns, for as long as the unit lasts.
    Column(usize),
}

/// A position of the vector loop.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// Bytes from the strip's start, of four-byte elements; none is 0.
    pub bytes: Option<Value>,
    /// Lanes beyond it.
    pub beyond: usize,
    /// How many lanes count: 1 to 4.
    pub take: usize,
    /// Which of the four accumulators these lanes belong to.
    pub quarter: usize,
}

/// The length of a strip.
#[derive(Clone, Copy, Debug)]
pub enum Len {
    Const(usize),
    /// A number of lanes known at run time; a multiple of 4 if `fours`.
    Dyn {
        value: Value,
        fours: bool,
    },
}

/// A function in the making.
pub struct Gen<'a, 'f> {
    pub b: FunctionBuilder<'f>,
    pub jit: &'a mut Jit,
    pub nest: &'a Nest,
    pub facts: &'a Facts,
    pub ctx: Value,
    pub params: Value,
    pub scratch: Value,
    /// Addresses of the buffers, by slot.
    pub buffers: Vec<Value>,
    /// The present index of each dim; of the lane, where the strip starts.
    pub index: Vec<Value>,
    /// The tile that a contraction's epilogue reads, at the start of the strip.
    pub acc: Option<Value>,
    /// Nodes that one number serves, as a vector of equal lanes.
    pub scalars: Vec<Option<Value>>,
    pub places: Vec<Option<Place>>,
    /// Bytes from the start of a kept value to the present strip.
    pub kept_at: Option<Value>,
    /// Running folds down columns that are in registers: a vector for each four lanes of the strip.
    pub(super) sums: Vec<(NodeId, Vec<Variable>)>,
    /// Where each node's first lane of the strip lies.
    pub(super) pointers: Vec<Option<Value>>,
    pub(super) memo: Vec<Option<Value>>,
    pub(super) temp: StackSlot,
    imports: BTreeMap<&'static str, FuncRef>,
}

impl<'a, 'f> Gen<'a, 'f> {
    /// Opens the function whose parameters are `(ctx, …)`; gives its parameters too.
    pub fn open(
        jit: &'a mut Jit,
        mut b: FunctionBuilder<'f>,
        nest: &'a Nest,
        facts: &'a Facts,
    ) -> (Gen<'a, 'f>, Vec<Value>) {
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        let args = b.block_params(entry).to_vec();
        let ctx = args[0];
        let params = b.ins().load(I64, MEM, ctx, 0);
        let temp = b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 32, 4));
        let zero = b.ins().iconst(I64, 0);
        let nodes = nest.body.nodes.len();
        let mut gen_ = Gen {
            b,
            jit,
            nest,
            facts,
            ctx,
            params,
            scratch: zero,
            buffers: Vec::new(),
            index: vec![zero; nest.dims.len()],
            acc: None,
            scalars: vec![None; nodes],
            places: vec![None; nodes],
            kept_at: None,
            sums: Vec::new(),
            pointers: vec![None; nodes],
            memo: vec![None; nodes],
            temp,
            imports: BTreeMap::new(),
        };
        gen_.buffers = (0..nest.dtypes.len()).map(|slot| gen_.param(I64, slot)).collect();
        (gen_, args)
    }

    pub fn close(mut self) {
        self.b.ins().return_(&[]);
        let config = self.jit.frontend_config();
        self.b.finalize(config);
    }

    /// The kernel's parameter at `slot`, eight bytes apart.
    pub fn param(&mut self, ty: Type, slot: usize) -> Value {
        self.b.ins().load(ty, MEM, self.params, 8 * slot as i32)
    }

    pub fn call(&mut self, name: &'static str, args: &[Value]) {
        let callee = match self.imports.get(name) {
            Some(&callee) => callee,
            None => {
                let callee = self.jit.import(name, self.b.func);
                self.imports.insert(name, callee);
                callee
            }
        };
        self.b.ins().call(callee, args);
    }

    pub fn iconst(&mut self, n: i64) -> Value {
        self.b.ins().iconst(I64, n)
    }

    /// `base + n`, without an instruction for 0.
    pub fn plus(&mut self, base: Value, n: i64) -> Value {
        if n == 0 { base } else { self.b.ins().iadd_imm_s(base, n) }
    }

    pub fn times(&mut self, x: Value, n: i64) -> Value {
        match n {
            1 => x,
            n if n > 0 && n.count_ones() == 1 => self.b.ins().ishl_imm_u(x, i64::from(n.trailing_zeros())),
            n => self.b.ins().imul_imm_s(x, n),
        }
    }

    /// `offset + sum of strides * indices`.
    pub fn affine(&mut self, offset: i64, strides: &[i64]) -> Value {
        let mut sum = self.iconst(offset);
        for (d, &stride) in strides.iter().enumerate().filter(|(_, s)| **s != 0) {
            let term = self.times(self.index[d], stride);
            sum = self.b.ins().iadd(sum, term);
        }
        sum
    }

    // ---- control flow

    /// Runs `body(i)` for `i` in `0, step, …` below `end`; `end` is not 0 if `some`.
    pub fn for_each(&mut self, end: Value, step: i64, some: bool, body: &mut dyn FnMut(&mut Self, Value)) {
        let (head, exit) = (self.b.create_block(), self.b.create_block());
        let i = self.b.append_block_param(head, I64);
        let zero = self.iconst(0);
        if some {
            self.b.ins().jump(head, &[BlockArg::from(zero)]);
        } else {
            let any = self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, zero);
            self.b.ins().brif(any, head, &[BlockArg::from(zero)], exit, &[]);
        }
        self.b.switch_to_block(head);
        body(self, i);
        let next = self.b.ins().iadd_imm_s(i, step);
        let more = self.b.ins().icmp(IntCC::UnsignedLessThan, next, end);
        self.b.ins().brif(more, head, &[BlockArg::from(next)], exit, &[]);
        self.b.seal_block(head);
        self.b.switch_to_block(exit);
        self.b.seal_block(exit);
    }

    /// The same for a count known now; one round needs no loop.
    pub fn repeat(&mut self, count: usize, body: &mut dyn FnMut(&mut Self, Value)) {
        match count {
            0 => {}
            1 => {
                let zero = self.iconst(0);
                body(self, zero);
            }
            _ => {
                let end = self.iconst(count as i64);
                self.for_each(end, 1, true, body);
            }
        }
    }

    /// Runs `body` where all of `conditions` (of integers, 0 or not) hold.
    pub fn when(&mut self, condition: Option<Value>, body: &mut dyn FnMut(&mut Self)) {
        let Some(condition) = condition else { return body(self) };
        let (yes, after) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(condition, yes, &[], after, &[]);
        self.b.switch_to_block(yes);
        self.b.seal_block(yes);
        body(self);
        self.b.ins().jump(after, &[]);
        self.b.switch_to_block(after);
        self.b.seal_block(after);
    }

    /// Loops over the points of `dims`, outermost first, setting their indices.
    pub fn nest_loops(&mut self, dims: &[usize], body: &mut dyn FnMut(&mut Self)) {
        let Some((&first, rest)) = dims.split_first() else { return body(self) };
        let before = self.index[first];
        self.repeat(self.nest.dims[first], &mut |g, i| {
            g.index[first] = i;
            g.nest_loops(rest, body);
        });
        self.index[first] = before;
    }

    // ---- vectors

    pub fn float(&mut self, x: f32) -> Value {
        self.lanes(F32X4, [x.to_bits(); 4])
    }

    pub fn lanes(&mut self, ty: Type, lanes: [u32; 4]) -> Value {
        let bytes: Vec<u8> = lanes.iter().flat_map(|x| x.to_le_bytes()).collect();
        let handle = self.b.func.dfg.constants.insert(ConstantData::from(bytes));
        self.b.ins().vconst(ty, handle)
    }

    pub fn cast(&mut self, ty: Type, x: Value) -> Value {
        if self.b.func.dfg.value_type(x) == ty {
            return x;
        }
        self.b.ins().bitcast(ty, MemFlagsData::new().with_endianness(Endianness::Little), x)
    }

    pub fn splat_i64(&mut self, x: Value) -> Value {
        let narrow = self.b.ins().ireduce(I32, x);
        self.b.ins().splat(I32X4, narrow)
    }

    /// The element at `address` in all lanes.
    pub fn load_splat(&mut self, dtype: DType, address: Value, offset: i32) -> Value {
        match dtype {
            DType::F32 => {
                let x = self.b.ins().load(F32, MEM, address, offset);
                self.b.ins().splat(F32X4, x)
            }
            DType::I32 => {
                let x = self.b.ins().load(I32, MEM, address, offset);
                self.b.ins().splat(I32X4, x)
            }
            DType::U8 => {
                let x = self.b.ins().uload8(I32, MEM, address, offset);
                self.b.ins().splat(I32X4, x)
            }
        }
    }

    /// `take` neighbours of four bytes each.
    pub fn load_dense(&mut self, ty: Type, address: Value, offset: i32, take: usize) -> Value {
        if take == 4 {
            return self.b.ins().load(ty, MEM, address, offset);
        }
        if take == 1 {
            let x = self.b.ins().load(ty.lane_type(), MEM, address, offset);
            return self.b.ins().scalar_to_vector(ty, x);
        }
        let pair = self.b.ins().load(I64, MEM, address, offset);
        let pair = self.b.ins().scalar_to_vector(I64X2, pair);
        let pair = self.cast(ty, pair);
        if take == 2 {
            return pair;
        }
        let x = self.b.ins().load(ty.lane_type(), MEM, address, offset + 8);
        self.b.ins().insertlane(pair, x, 2)
    }

    pub fn store_dense(&mut self, x: Value, address: Value, offset: i32, take: usize) {
        match take {
            4 => drop(self.b.ins().store(MEM, x, address, offset)),
            1 => self.store_lane(x, 0, address, offset),
            _ => {
                let pairs = self.cast(I64X2, x);
                let pair = self.b.ins().extractlane(pairs, 0);
                self.b.ins().store(MEM, pair, address, offset);
                if take == 3 {
                    self.store_lane(x, 2, address, offset + 8);
                }
            }
        }
    }

    pub fn store_lane(&mut self, x: Value, lane: u8, address: Value, offset: i32) {
        let x = self.b.ins().extractlane(x, lane);
        self.b.ins().store(MEM, x, address, offset);
    }

    /// `take` bytes, widened to `i32`.
    pub fn load_bytes(&mut self, address: Value, offset: i32, take: usize) -> Value {
        if take < 4 {
            let lanes: Vec<Value> =
                (0..take).map(|l| self.b.ins().uload8(I32, MEM, address, offset + l as i32)).collect();
            return self.gather(I32X4, &lanes);
        }
        let four = self.b.ins().load(I32, MEM, address, offset);
        let four = self.b.ins().scalar_to_vector(I32X4, four);
        let bytes = self.cast(I8X16, four);
        let halves = self.b.ins().uwiden_low(bytes);
        self.b.ins().uwiden_low(halves)
    }

    /// A vector of single lanes.
    pub fn gather(&mut self, ty: Type, lanes: &[Value]) -> Value {
        let mut all = self.b.ins().scalar_to_vector(ty, lanes[0]);
        for (l, &lane) in lanes.iter().enumerate().skip(1) {
            all = self.b.ins().insertlane(all, lane, l as u8);
        }
        all
    }

    /// `x > y ? x : y`, one instruction.
    pub fn larger(&mut self, x: Value, y: Value) -> Value {
        let mask = self.b.ins().fcmp(FloatCC::LessThan, y, x);
        let mask = self.cast(F32X4, mask);
        self.b.ins().bitselect(mask, x, y)
    }

    /// `x < y ? x : y`, one instruction.
    pub fn smaller(&mut self, x: Value, y: Value) -> Value {
        let mask = self.b.ins().fcmp(FloatCC::LessThan, x, y);
        let mask = self.cast(F32X4, mask);
        self.b.ins().bitselect(mask, x, y)
    }

    /// `x`, or no number where `maybe` is none.
    pub fn keep_nan(&mut self, x: Value, maybe: Value) -> Value {
        let nan = self.b.ins().fcmp(FloatCC::Unordered, maybe, maybe);
        let x = self.cast(I32X4, x);
        let x = self.b.ins().bor(x, nan);
        self.cast(F32X4, x)
    }

    // ---- addresses

    pub fn element_bytes(&self, access: &Access) -> i64 {
        self.nest.dtypes[access.buffer.index()].bytes() as i64
    }

    /// The address of an access at the present indices.
    pub fn address(&mut self, access: &Access) -> Value {
        let bytes = self.element_bytes(access);
        let base = self.plus(self.buffers[access.buffer.index()], access.offset * bytes);
        let mut sum = base;
        for (d, &stride) in access.strides.iter().enumerate().filter(|(_, s)| **s != 0) {
            let term = self.times(self.index[d], stride * bytes);
            sum = self.b.ins().iadd(sum, term);
        }
        sum
    }

    /// Whether all guards hold at the present indices, the lane `ahead` further (an `I8`).
    pub fn guards_hold(&mut self, guards: &[Guard], ahead: Option<Value>) -> Option<Value> {
        let mut all = None;
        for guard in guards {
            let mut at = self.affine(guard.offset, &guard.strides);
            if let (Some(ahead), stride) = (ahead, guard.strides[self.nest.lane])
                && stride != 0
            {
                let further = self.times(ahead, stride);
                at = self.b.ins().iadd(at, further);
            }
            let size = self.iconst(guard.size);
            // One unsigned comparison also finds negative indices.
            let inside = self.b.ins().icmp(IntCC::UnsignedLessThan, at, size);
            all = Some(match all {
                None => inside,
                Some(before) => self.b.ins().band(before, inside),
            });
        }
        all
    }

    /// `clamp(i, 0, rows - 1)` of a 32-bit number, as an address offset of `stride` bytes.
    pub fn row_offset(&mut self, i: Value, rows: usize, stride_bytes: i64) -> Value {
        let zero = self.b.ins().iconst(I32, 0);
        let last = self.b.ins().iconst(I32, rows.saturating_sub(1) as i64);
        let i = self.b.ins().smax(i, zero);
        let i = self.b.ins().smin(i, last);
        let i = self.b.ins().uextend(I64, i);
        self.times(i, stride_bytes)
    }

    /// Where a value's lanes of the present strip lie in scratch.
    pub fn place_pointer(&mut self, place: Place) -> Value {
        match place {
            Place::Strip(offset) | Place::Column(offset) => self.plus(self.scratch, offset as i64),
            Place::Kept(offset) => {
                let base = self.plus(self.scratch, offset as i64);
                match self.kept_at {
                    Some(at) => self.b.ins().iadd(base, at),
                    None => base,
                }
            }
        }
    }

    pub fn vector_type(&self, node: NodeId) -> Type {
        match self.facts.dtype[node.index()] {
            DType::F32 => F32X4,
            DType::I32 | DType::U8 => I32X4,
        }
    }
}
