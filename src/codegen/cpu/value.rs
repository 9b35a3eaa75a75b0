//! The code of nodes: one vector of each, at a position of the vector loop or for a whole unit.

use super::emit::{At, Gen, MEM, Place};
use super::facts::strip_function;
use crate::base::DType;
use crate::graph::ScalarOp;
use crate::loops::{Access, Node, NodeId};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32X4, I32, I32X4, I64};
use cranelift_codegen::ir::{InstBuilder, Type, Value};

/// Where nodes without a position are evaluated: every operand is a scalar.
const NOWHERE: At = At { bytes: None, beyond: 0, take: 4, quarter: 0 };

impl Gen<'_, '_> {
    /// Computes what one vector loop needs once: where its loads start. `roots` are its values.
    pub fn prepare(&mut self, roots: &[NodeId]) {
        let mut seen = vec![false; self.nest.body.nodes.len()];
        let mut todo: Vec<NodeId> = roots.to_vec();
        while let Some(id) = todo.pop() {
            let at = id.index();
            if self.scalars[at].is_some() || std::mem::replace(&mut seen[at], true) {
                continue;
            }
            if let Some(place) = self.places[at] {
                self.pointers[at] = Some(self.place_pointer(place));
                continue;
            }
            let nest = self.nest;
            let node = &nest.body.nodes[id];
            self.pointers[at] = match node {
                Node::Acc => self.acc,
                Node::Load(access) => Some(self.address(access)),
                Node::LoadAt { access, index, .. } => Some(match self.scalar_value(*index) {
                    Some(_) => self.row_pointer(id),
                    None => self.address(access),
                }),
                Node::Index { offset, strides } => {
                    let first = self.affine(*offset, strides);
                    Some(self.splat_i64(first))
                }
                Node::Const { .. } | Node::Op { .. } => None,
                Node::Random { .. } | Node::Fold { .. } => {
                    panic!("codegen: node {id} is in scratch before a loop reads it")
                }
            };
            todo.extend(node.inputs());
        }
    }

    /// Where the row begins that a node looks up by one number.
    pub fn row_pointer(&mut self, id: NodeId) -> Value {
        let Node::LoadAt { access, index, rows, stride } = &self.nest.body.nodes[id] else {
            panic!("codegen: node {id} looks up no row")
        };
        let base = self.address(access);
        let row = self.scalar_value(*index).expect("codegen: the row's number is there");
        let row = self.b.ins().extractlane(row, 0);
        let offset = self.row_offset(row, *rows, stride * self.element_bytes(access));
        self.b.ins().iadd(base, offset)
    }

    /// The value that serves all lanes, if there is one.
    pub fn scalar_value(&mut self, id: NodeId) -> Option<Value> {
        match self.nest.body.nodes[id] {
            Node::Const { value, dtype } => Some(self.constant(value, dtype)),
            _ => self.scalars[id.index()],
        }
    }

    fn constant(&mut self, value: f64, dtype: DType) -> Value {
        match dtype {
            DType::F32 => self.float(value as f32),
            DType::I32 | DType::U8 => self.lanes(I32X4, [value as i32 as u32; 4]),
        }
    }

    /// The vector of a node at a position of the loop that was prepared.
    pub fn value(&mut self, id: NodeId, at: At) -> Value {
        if let Some(x) = self.scalar_value(id) {
            return x;
        }
        if let Some(x) = self.memo[id.index()] {
            return x;
        }
        let x = self.compute(id, at);
        self.memo[id.index()] = Some(x);
        x
    }

    fn compute(&mut self, id: NodeId, at: At) -> Value {
        let ty = self.vector_type(id);
        if self.places[id.index()].is_some() {
            let (address, offset) = self.lane_address(self.pointer(id), 1, 4, at);
            return self.load_dense(ty, address, offset, 4);
        }
        let nest = self.nest;
        match &nest.body.nodes[id] {
            Node::Acc => {
                let (address, offset) = self.lane_address(self.pointer(id), 1, 4, at);
                self.load_dense(ty, address, offset, at.take)
            }
            Node::Load(access) if access.guards.is_empty() => self.load(access, self.pointer(id), at),
            Node::Load(access) if self.all_or_none(access) => self.load_all(access, self.pointer(id), at),
            Node::Load(access) => self.load_each(access, self.pointer(id), at, None),
            Node::LoadAt { access, index, rows, stride } => match self.scalar_value(*index) {
                Some(_) if access.guards.is_empty() => self.load(access, self.pointer(id), at),
                Some(_) if self.all_or_none(access) => self.load_all(access, self.pointer(id), at),
                Some(_) => self.load_each(access, self.pointer(id), at, None),
                None => {
                    let row = self.value(*index, at);
                    self.load_each(access, self.pointer(id), at, Some((row, *rows, *stride)))
                }
            },
            Node::Index { strides, .. } => self.coordinates(self.pointer(id), strides[nest.lane], at),
            Node::Op { op, inputs } => self.op(*op, inputs, at),
            Node::Const { .. } | Node::Random { .. } | Node::Fold { .. } => {
                panic!("codegen: node {id} has its value elsewhere")
            }
        }
    }

    fn pointer(&self, id: NodeId) -> Value {
        self.pointers[id.index()].expect("codegen: the loop was prepared for its nodes")
    }

    /// `start + stride * element`, as an address and a constant offset.
    fn lane_address(&mut self, start: Value, stride: i64, bytes: i64, at: At) -> (Value, i32) {
        let offset = at.beyond as i64 * stride * bytes;
        let offset = i32::try_from(offset).expect("codegen: a strip spans less than 2 GiB");
        let Some(i) = at.bytes else { return (start, offset) };
        let moved = if bytes == 4 { i } else { self.b.ins().ushr_imm_u(i, 2) };
        let moved = self.times(moved, stride);
        (self.b.ins().iadd(start, moved), offset)
    }

    /// The element's number within the strip, as an `I64`.
    fn element(&mut self, at: At, lane: usize) -> Value {
        let ahead = (at.beyond + lane) as i64;
        match at.bytes {
            None => self.iconst(ahead),
            Some(i) => {
                let i = self.b.ins().ushr_imm_u(i, 2);
                self.plus(i, ahead)
            }
        }
    }

    fn load(&mut self, access: &Access, start: Value, at: At) -> Value {
        let dtype = self.nest.dtypes[access.buffer.index()];
        let (stride, bytes) = (access.strides[self.nest.lane], dtype.bytes() as i64);
        let (address, offset) = self.lane_address(start, stride, bytes, at);
        match (stride, dtype) {
            (0, _) => self.load_splat(dtype, address, offset),
            (1, DType::F32) => self.load_dense(F32X4, address, offset, at.take),
            (1, DType::I32) => self.load_dense(I32X4, address, offset, at.take),
            (1, DType::U8) => self.load_bytes(address, offset, at.take),
            (_, _) => {
                let lanes: Vec<Value> = (0..at.take)
                    .map(|l| self.load_bits(dtype, address, offset + (l as i64 * stride * bytes) as i32))
                    .collect();
                self.gather_bits(dtype, &lanes)
            }
        }
    }

    /// One element as 32 bits.
    fn load_bits(&mut self, dtype: DType, address: Value, offset: i32) -> Value {
        match dtype {
            DType::F32 | DType::I32 => self.b.ins().load(I32, MEM, address, offset),
            DType::U8 => self.b.ins().uload8(I32, MEM, address, offset),
        }
    }

    fn gather_bits(&mut self, dtype: DType, lanes: &[Value]) -> Value {
        let bits = self.gather(I32X4, lanes);
        self.cast(vector_of(dtype), bits)
    }

    /// Whether the guards of words side by side are the same for all lanes.
    fn all_or_none(&self, access: &Access) -> bool {
        let lane = self.nest.lane;
        let words = self.nest.dtypes[access.buffer.index()].bytes() == 4;
        words && access.strides[lane] == 1 && access.guards.iter().all(|guard| guard.strides[lane] == 0)
    }

    /// A vector whose lanes are all within the guards or all outside. Outside it reads the stack, and takes `fill`
    /// instead.
    fn load_all(&mut self, access: &Access, start: Value, at: At) -> Value {
        let dtype = self.nest.dtypes[access.buffer.index()];
        let Some(held) = self.guards_hold(&access.guards, None) else { return self.load(access, start, at) };
        let (address, offset) = self.lane_address(start, 1, 4, at);
        let address = self.plus(address, i64::from(offset));
        let elsewhere = self.b.ins().stack_addr(I64, self.temp, 0);
        let safe = self.b.ins().select(held, address, elsewhere);
        let ty = vector_of(dtype);
        let x = self.load_dense(ty, safe, 0, at.take);
        let fill = self.lanes(I32X4, [fill_bits(access.fill, dtype); 4]);
        let fill = self.cast(ty, fill);
        self.b.ins().select(held, x, fill)
    }

    /// Each lane by itself: with guards, or at a row of its own. A lane outside its guards reads
    /// the buffer's first element, which is there, and takes `fill` instead.
    fn load_each(
        &mut self,
        access: &Access,
        start: Value,
        at: At,
        row: Option<(Value, usize, i64)>,
    ) -> Value {
        let dtype = self.nest.dtypes[access.buffer.index()];
        let bytes = dtype.bytes() as i64;
        let fill = fill_bits(access.fill, dtype);
        let mut lanes = Vec::with_capacity(at.take);
        for l in 0..at.take {
            let element = self.element(at, l);
            let moved = self.times(element, access.strides[self.nest.lane] * bytes);
            let mut address = self.b.ins().iadd(start, moved);
            if let Some((index, rows, stride)) = row {
                let index = self.b.ins().extractlane(index, l as u8);
                let offset = self.row_offset(index, rows, stride * bytes);
                address = self.b.ins().iadd(address, offset);
            }
            let held = self.guards_hold(&access.guards, Some(element));
            lanes.push(self.load_if(held, access, address, fill));
        }
        self.gather_bits(dtype, &lanes)
    }

    fn load_if(&mut self, held: Option<Value>, access: &Access, address: Value, fill: u32) -> Value {
        let slot = access.buffer.index();
        let dtype = self.nest.dtypes[slot];
        let Some(held) = held else { return self.load_bits(dtype, address, 0) };
        let safe = self.b.ins().select(held, address, self.buffers[slot]);
        let bits = self.load_bits(dtype, safe, 0);
        let fill = self.b.ins().iconst(I32, i64::from(fill));
        self.b.ins().select(held, bits, fill)
    }

    fn coordinates(&mut self, first: Value, stride: i64, at: At) -> Value {
        let steps = [0, 1, 2, 3].map(|l| (stride * (at.beyond as i64 + l)) as i32 as u32);
        let steps = self.lanes(I32X4, steps);
        let near = self.b.ins().iadd(first, steps);
        let Some(i) = at.bytes else { return near };
        let i = self.b.ins().ushr_imm_u(i, 2);
        let moved = self.times(i, stride);
        let moved = self.splat_i64(moved);
        self.b.ins().iadd(near, moved)
    }

    // ---- once for a unit

    /// Computes a node that no lane changes, from others that are there.
    pub fn compute_scalar(&mut self, id: NodeId) {
        let nest = self.nest;
        let x = match &nest.body.nodes[id] {
            Node::Const { .. } => return,
            Node::Load(access) => {
                let address = self.address(access);
                self.scalar_load(access, address)
            }
            Node::LoadAt { access, index, rows, stride } => {
                let base = self.address(access);
                let row = self.value(*index, NOWHERE);
                let row = self.b.ins().extractlane(row, 0);
                let offset = self.row_offset(row, *rows, stride * self.element_bytes(access));
                let address = self.b.ins().iadd(base, offset);
                self.scalar_load(access, address)
            }
            Node::Index { offset, strides } => {
                let x = self.affine(*offset, strides);
                self.splat_i64(x)
            }
            Node::Random { site, offset, strides } => {
                let element = self.affine(*offset, strides);
                let one = self.iconst(1);
                let out = self.b.ins().stack_addr(I64, self.temp, 0);
                self.uniform(site, element, one, out);
                self.load_splat(DType::F32, out, 0)
            }
            Node::Op { op, inputs } => match strip_function(*op) {
                None => self.op(*op, inputs, NOWHERE),
                Some(function) => self.call_once(function, inputs),
            },
            Node::Acc | Node::Fold { .. } => panic!("codegen: node {id} is no scalar of its own"),
        };
        self.scalars[id.index()] = Some(x);
    }

    fn scalar_load(&mut self, access: &Access, address: Value) -> Value {
        let dtype = self.nest.dtypes[access.buffer.index()];
        if access.guards.is_empty() {
            return self.load_splat(dtype, address, 0);
        }
        let held = self.guards_hold(&access.guards, None);
        let bits = self.load_if(held, access, address, fill_bits(access.fill, dtype));
        let all = self.b.ins().splat(I32X4, bits);
        self.cast(vector_of(dtype), all)
    }

    /// A strip function of one element, by way of the stack: the same bits as in any strip.
    fn call_once(&mut self, function: &'static str, inputs: &[NodeId]) -> Value {
        let mut args = vec![self.iconst(1)];
        for (i, &input) in inputs.iter().enumerate() {
            let x = self.value(input, NOWHERE);
            let address = self.b.ins().stack_addr(I64, self.temp, 4 * i as i32);
            self.store_lane(x, 0, address, 0);
            args.push(address);
        }
        let out = self.b.ins().stack_addr(I64, self.temp, 0);
        args.push(out);
        self.call(function, &args);
        self.load_splat(DType::F32, out, 0)
    }

    /// Draws `n` numbers of a site from `element` on.
    pub fn uniform(&mut self, site: &str, element: Value, n: Value, out: Value) {
        let at = 8 * self.site_slot(site) as i32;
        let low = self.b.ins().load(I32, MEM, self.params, at);
        let high = self.b.ins().load(I32, MEM, self.params, at + 4);
        self.call("mlc_uniform", &[self.ctx, low, high, element, n, out]);
    }

    /// Keys stand behind the buffers; a bound site is named by its number.
    fn site_slot(&self, site: &str) -> usize {
        let number: usize = site.parse().expect("codegen: bound sites are numbers");
        self.nest.dtypes.len() + number
    }

    // ---- functions of numbers

    fn op(&mut self, op: ScalarOp, inputs: &[NodeId], at: At) -> Value {
        if op == ScalarOp::Select {
            return self.select(inputs, at);
        }
        if let Some(mask) = self.comparison(op, inputs, at) {
            let one = self.lanes(I32X4, [1f32.to_bits(); 4]);
            let bits = self.b.ins().band(mask, one);
            return self.cast(F32X4, bits);
        }
        let x: Vec<Value> = inputs.iter().map(|&i| self.value(i, at)).collect();
        let dtype = self.facts.dtype[inputs[0].index()];
        match dtype {
            DType::F32 => self.float_op(op, &x, inputs),
            DType::I32 | DType::U8 => self.int_op(op, &x),
        }
    }

    fn float_op(&mut self, op: ScalarOp, x: &[Value], inputs: &[NodeId]) -> Value {
        use ScalarOp::*;
        match op {
            Neg => self.b.ins().fneg(x[0]),
            Abs => self.b.ins().fabs(x[0]),
            Sign => self.sign(x[0]),
            Sqrt => self.b.ins().sqrt(x[0]),
            Rsqrt => {
                let root = self.b.ins().sqrt(x[0]);
                let one = self.float(1.0);
                self.b.ins().fdiv(one, root)
            }
            Floor => self.b.ins().floor(x[0]),
            Add => self.b.ins().fadd(x[0], x[1]),
            Sub => self.b.ins().fsub(x[0], x[1]),
            Mul => self.b.ins().fmul(x[0], x[1]),
            Div => self.b.ins().fdiv(x[0], x[1]),
            Max | Min => self.extreme(op, x, inputs),
            ToI32 => self.b.ins().fcvt_to_sint_sat(I32X4, x[0]),
            Stop => x[0],
            Exp | Expm1 | Log | Log1p | Tanh | Sigmoid | Erf => self.formula(op, x[0]),
            Sin | Cos | Pow => panic!("codegen: {} is a strip call", op.name()),
            Eq | Ne | Lt | Le | Gt | Ge | Select | ToF32 => {
                panic!("codegen: {} of f32 is handled before", op.name())
            }
        }
    }

    fn int_op(&mut self, op: ScalarOp, x: &[Value]) -> Value {
        use ScalarOp::*;
        match op {
            Add => self.b.ins().iadd(x[0], x[1]),
            Sub => self.b.ins().isub(x[0], x[1]),
            Mul => self.b.ins().imul(x[0], x[1]),
            Max => self.b.ins().smax(x[0], x[1]),
            Min => self.b.ins().smin(x[0], x[1]),
            ToF32 => self.b.ins().fcvt_from_sint(F32X4, x[0]),
            ToI32 | Stop => x[0],
            Neg | Abs | Sign | Exp | Expm1 | Log | Log1p | Sqrt | Rsqrt | Tanh | Sigmoid | Erf | Sin
            | Cos | Floor | Div | Pow | Eq | Ne | Lt | Le | Gt | Ge | Select => {
                panic!("codegen: {} takes no i32 here", op.name())
            }
        }
    }

    /// -1, 1, or the number itself where it is 0 or none.
    fn sign(&mut self, x: Value) -> Value {
        let zero = self.float(0.0);
        let one = self.float(1.0);
        let above = self.b.ins().fcmp(FloatCC::GreaterThan, x, zero);
        let below = self.b.ins().fcmp(FloatCC::LessThan, x, zero);
        let minus = self.float(-1.0);
        let (above, below) = (self.cast(F32X4, above), self.cast(F32X4, below));
        let low = self.b.ins().bitselect(below, minus, x);
        self.b.ins().bitselect(above, one, low)
    }

    /// The scalar table's `max` and `min`: no number if either operand is none. A constant operand
    /// is a number, which saves the check.
    fn extreme(&mut self, op: ScalarOp, x: &[Value], inputs: &[NodeId]) -> Value {
        let known = |g: &Self, i: usize| matches!(g.nest.body.nodes[inputs[i]], Node::Const { .. });
        // The instruction gives its second operand where either is no number.
        let (first, second) = if known(self, 1) { (x[1], x[0]) } else { (x[0], x[1]) };
        let result = match op {
            ScalarOp::Max => self.larger(first, second),
            _ => self.smaller(first, second),
        };
        if known(self, 0) || known(self, 1) { result } else { self.keep_nan(result, first) }
    }

    /// The lanes where a comparison holds; none if `op` is no comparison.
    fn comparison(&mut self, op: ScalarOp, inputs: &[NodeId], at: At) -> Option<Value> {
        use ScalarOp::*;
        let (float, int) = match op {
            Eq => (FloatCC::Equal, IntCC::Equal),
            Ne => (FloatCC::NotEqual, IntCC::NotEqual),
            Lt => (FloatCC::LessThan, IntCC::SignedLessThan),
            Le => (FloatCC::LessThanOrEqual, IntCC::SignedLessThanOrEqual),
            Gt => (FloatCC::GreaterThan, IntCC::SignedGreaterThan),
            Ge => (FloatCC::GreaterThanOrEqual, IntCC::SignedGreaterThanOrEqual),
            Neg | Abs | Sign | Exp | Expm1 | Log | Log1p | Sqrt | Rsqrt | Tanh | Sigmoid | Erf | Sin
            | Cos | Floor | Add | Sub | Mul | Div | Pow | Max | Min | Select | ToF32 | ToI32 | Stop => {
                return None;
            }
        };
        let (x, y) = (self.value(inputs[0], at), self.value(inputs[1], at));
        Some(match self.facts.dtype[inputs[0].index()] {
            DType::F32 => self.b.ins().fcmp(float, x, y),
            DType::I32 | DType::U8 => self.b.ins().icmp(int, x, y),
        })
    }

    fn select(&mut self, inputs: &[NodeId], at: At) -> Value {
        let (condition, yes, no) = (inputs[0], inputs[1], inputs[2]);
        let nest = self.nest;
        let inline = self.scalars[condition.index()].is_none() && self.places[condition.index()].is_none();
        let mask = match &nest.body.nodes[condition] {
            Node::Op { op, inputs } if inline => self.comparison(*op, inputs, at),
            Node::Op { .. }
            | Node::Acc
            | Node::Const { .. }
            | Node::Index { .. }
            | Node::Random { .. }
            | Node::Load(_)
            | Node::LoadAt { .. }
            | Node::Fold { .. } => None,
        };
        let mask = mask.unwrap_or_else(|| {
            let c = self.value(condition, at);
            let zero = self.float(0.0);
            self.b.ins().fcmp(FloatCC::NotEqual, c, zero)
        });
        let (yes, no) = (self.value(yes, at), self.value(no, at));
        let ty = self.b.func.dfg.value_type(yes);
        let mask = self.cast(ty, mask);
        self.b.ins().bitselect(mask, yes, no)
    }

    // ---- strips in memory

    /// Where the lanes of a node that a call reads begin.
    pub fn strip_pointer(&mut self, id: NodeId) -> Value {
        if let Some(place) = self.places[id.index()] {
            return self.place_pointer(place);
        }
        let nest = self.nest;
        match &nest.body.nodes[id] {
            Node::Load(access) => self.address(access),
            Node::Acc => self.acc.expect("codegen: only epilogues read sums"),
            Node::Const { .. }
            | Node::Index { .. }
            | Node::Random { .. }
            | Node::LoadAt { .. }
            | Node::Op { .. }
            | Node::Fold { .. } => panic!("codegen: node {id} is in scratch before a call reads it"),
        }
    }

    /// Fills `out` with `n` lanes of a node that is a strip call.
    pub fn call_strip(&mut self, id: NodeId, n: Value, out: Value) {
        let nest = self.nest;
        match &nest.body.nodes[id] {
            Node::Op { op, inputs } => {
                let function = strip_function(*op).expect("codegen: the plan calls strip functions");
                let mut args = vec![n];
                for &input in inputs {
                    args.push(self.strip_pointer(input));
                }
                args.push(out);
                self.call(function, &args);
            }
            Node::Random { site, offset, strides } => {
                let element = self.affine(*offset, strides);
                match strides[nest.lane] {
                    1 => self.uniform(site, element, n, out),
                    stride => self.for_each(n, 1, true, &mut |g, i| {
                        let further = g.times(i, stride);
                        let element = g.b.ins().iadd(element, further);
                        let bytes = g.times(i, 4);
                        let out = g.b.ins().iadd(out, bytes);
                        let one = g.iconst(1);
                        g.uniform(site, element, one, out);
                    }),
                }
            }
            Node::Acc
            | Node::Const { .. }
            | Node::Index { .. }
            | Node::Load(_)
            | Node::LoadAt { .. }
            | Node::Fold { .. } => panic!("codegen: node {id} is no call"),
        }
    }

    /// Forgets the vectors of the last position.
    pub fn forget(&mut self) {
        self.memo.fill(None);
    }

    /// Makes room for another body of `nodes`.
    pub fn forget_all(&mut self, nodes: usize) {
        self.memo = vec![None; nodes];
        self.pointers = vec![None; nodes];
    }

    pub fn put(&mut self, id: NodeId, place: Place) {
        self.places[id.index()] = Some(place);
    }
}

fn vector_of(dtype: DType) -> Type {
    match dtype {
        DType::F32 => F32X4,
        DType::I32 | DType::U8 => I32X4,
    }
}

fn fill_bits(fill: f64, dtype: DType) -> u32 {
    match dtype {
        DType::F32 => (fill as f32).to_bits(),
        DType::I32 | DType::U8 => fill as i32 as u32,
    }
}
