//! From the nodes of a body to a wide loop and its arguments.

use super::super::emit::{Gen, Len, MEM, Place};
use super::super::facts::strip_function;
use super::super::lanes::Accumulators;
use super::{Begin, Binary, End, IPredicate, Join, Loop, Predicate, Ref, Step, Unary};
use crate::base::DType;
use crate::graph::{Fold, ScalarOp};
use crate::loops::{Access, Node, NodeId};
use cranelift_codegen::ir::types::{F32, F32X4, I32, I64};
use cranelift_codegen::ir::{InstBuilder, StackSlotData, StackSlotKind, Value};
use mlc_kernels::strip as kernels;

const SIGN: u32 = 1 << 31;
/// The longest strip whose lanes are counted.
const LONGEST: usize = 1024;
/// The number of each lane of a strip.
static NUMBERS: [i32; LONGEST] = {
    let mut all = [0; LONGEST];
    let mut lane = 0;
    while lane < LONGEST {
        all[lane] = lane as i32;
        lane += 1;
    }
    all
};
/// Steps of lanes that are worth a call.
const WORTH: usize = 768;

/// What a loop is to leave behind.
#[derive(Clone, Copy)]
pub enum Want<'a> {
    /// Lanes of a node, in a buffer.
    Store(NodeId, &'a Access),
    /// Lanes of a node, in scratch.
    Leave(NodeId, Place),
    /// A fold along the row.
    Along(NodeId, Begin),
    /// A fold down columns, whose chains lie in scratch.
    Down(NodeId, Place),
}

/// Rows that one call goes through.
#[derive(Clone, Copy)]
pub struct RowsOf {
    /// The dim that goes from row to row; its present index is the first row's.
    pub dim: usize,
    pub count: Value,
    /// Bytes from one row of sums to the next, in an epilogue.
    pub acc: Option<Value>,
}

/// What Cranelift's code hands to a loop.
#[derive(Clone, PartialEq)]
enum Argument {
    /// Where an access is at the start of the strip.
    At(Access),
    /// Where the row begins that a node looks up.
    Row(NodeId),
    Scratch(Place),
    Acc,
    /// A node of one number.
    Number(NodeId),
    /// The coordinate of the first lane.
    First(NodeId),
    /// The number of each lane.
    Lanes,
    /// The element of an access that all lanes read.
    Single(Access),
    /// The chains of a fold along the row.
    Sums(NodeId),
}

/// A loop as far as it is described.
struct Build<'g, 'a, 'f> {
    g: &'g Gen<'a, 'f>,
    of: Loop,
    arguments: Vec<Argument>,
    memo: Vec<Option<Ref>>,
    /// The dim that goes from row to row, if one call goes through several.
    dim: Option<usize>,
    /// Whether a strip function is part of it, which is always worth a call.
    has_formula: bool,
}

/// A loop that was described.
struct Described {
    of: Loop,
    arguments: Vec<Argument>,
    has_formula: bool,
}

impl Build<'_, '_, '_> {
    /// The number of an argument; the first word is the mask.
    fn argument(&mut self, argument: Argument) -> usize {
        let known = self.arguments.iter().position(|a| *a == argument);
        1 + known.unwrap_or_else(|| {
            self.arguments.push(argument);
            self.arguments.len() - 1
        })
    }

    fn push(&mut self, step: Step) -> Ref {
        self.of.steps.push(step);
        self.of.steps.len() - 1
    }

    /// A number that serves all lanes: one step, however often it is used.
    fn fixed(&mut self, step: Step) -> Ref {
        match self.of.steps.iter().position(|s| *s == step) {
            Some(known) => known,
            None => self.push(step),
        }
    }

    fn number(&mut self, x: f32) -> Ref {
        self.fixed(Step::Const(x.to_bits()))
    }

    /// Whether rows of one call see different values of a node.
    fn differs(&self, id: NodeId) -> bool {
        self.dim.is_some_and(|dim| self.g.facts.varies[id.index()] >> dim & 1 == 1)
    }

    fn is_f32(&self, id: NodeId) -> bool {
        self.g.facts.dtype[id.index()] == DType::F32
    }

    /// The lanes of a node of `f32`; none if a loop cannot make them.
    fn value(&mut self, id: NodeId) -> Option<Ref> {
        if let Some(known) = self.memo[id.index()] {
            return Some(known);
        }
        let value = self.compute(id)?;
        self.memo[id.index()] = Some(value);
        Some(value)
    }

    fn compute(&mut self, id: NodeId) -> Option<Ref> {
        if !self.is_f32(id) {
            return None;
        }
        let node = &self.g.nest.body.nodes[id];
        if let Node::Const { value, .. } = node {
            return Some(self.number(*value as f32));
        }
        if self.g.scalars[id.index()].is_some() {
            if self.differs(id) {
                return None;
            }
            let argument = self.argument(Argument::Number(id));
            return Some(self.fixed(Step::Spread(argument)));
        }
        if let Some(place) = self.g.places[id.index()] {
            if self.dim.is_some() && !matches!(place, Place::Column(_)) {
                return None;
            }
            let argument = self.argument(Argument::Scratch(place));
            return Some(self.push(Step::Load(argument)));
        }
        match node {
            Node::Acc => {
                let argument = self.argument(Argument::Acc);
                Some(self.push(Step::Load(argument)))
            }
            Node::Load(access) => self.load(access),
            Node::LoadAt { access, index, .. } => {
                let neighbours = access.guards.is_empty() && access.strides[self.g.nest.lane] == 1;
                let row_is_known = self.g.scalars[index.index()].is_some();
                if !neighbours || !row_is_known || self.differs(*index) {
                    return None;
                }
                let argument = self.argument(Argument::Row(id));
                Some(self.push(Step::Load(argument)))
            }
            Node::Op { op, inputs } => self.op(*op, inputs),
            Node::Const { .. } | Node::Index { .. } | Node::Random { .. } | Node::Fold { .. } => None,
        }
    }

    fn load(&mut self, access: &Access) -> Option<Ref> {
        if !access.guards.is_empty() {
            return None;
        }
        match access.strides[self.g.nest.lane] {
            1 => {
                let argument = self.argument(Argument::At(access.clone()));
                Some(self.push(Step::Load(argument)))
            }
            0 if self.dim.is_none_or(|dim| access.strides[dim] == 0) => {
                let argument = self.argument(Argument::Single(access.clone()));
                Some(self.fixed(Step::Spread(argument)))
            }
            _ => None,
        }
    }

    fn op(&mut self, op: ScalarOp, inputs: &[NodeId]) -> Option<Ref> {
        use ScalarOp::*;
        if op == Select {
            let mask = self.mask(inputs[0])?;
            let (yes, no) = (self.value(inputs[1])?, self.value(inputs[2])?);
            return Some(self.push(Step::Pick(mask, yes, no)));
        }
        if op == ToF32 {
            return self.bytes(inputs[0]);
        }
        if let Some(predicate) = predicate(op) {
            let mask = self.compare(predicate, inputs)?;
            return Some(self.push(Step::One(mask)));
        }
        let x = inputs.iter().map(|&i| self.value(i)).collect::<Option<Vec<Ref>>>()?;
        let binary = |op| Step::Binary(op, x[0], x[1]);
        Some(match op {
            Add => self.push(binary(Binary::Add)),
            Sub => self.push(binary(Binary::Sub)),
            Mul => self.push(binary(Binary::Mul)),
            Div => self.push(binary(Binary::Div)),
            Sqrt => self.push(Step::Unary(Unary::Sqrt, x[0])),
            Floor => self.push(Step::Unary(Unary::Floor, x[0])),
            Rsqrt => {
                let one = self.number(1.0);
                let root = self.push(Step::Unary(Unary::Sqrt, x[0]));
                self.push(Step::Binary(Binary::Div, one, root))
            }
            Neg => {
                let sign = self.fixed(Step::Const(SIGN));
                self.push(Step::Binary(Binary::Xor, x[0], sign))
            }
            Abs => {
                let others = self.fixed(Step::Const(!SIGN));
                self.push(Step::Binary(Binary::And, x[0], others))
            }
            Sign => self.sign(x[0]),
            Max => self.extreme(Binary::Max, &x, inputs),
            Min => self.extreme(Binary::Min, &x, inputs),
            Stop => x[0],
            Exp | Expm1 | Log | Log1p | Tanh | Sigmoid | Erf | Sin | Cos => {
                self.formula(&kernels::formula(strip_function(op)?)?, x[0])?
            }
            Pow | ToI32 => return None,
            Eq | Ne | Lt | Le | Gt | Ge | Select | ToF32 => {
                unreachable!("codegen: {} is handled before", op.name())
            }
        })
    }

    /// What a strip function does to `x`.
    fn formula(&mut self, steps: &[kernels::Step], x: Ref) -> Option<Ref> {
        use kernels::Binary as Of;
        let mut refs: Vec<Ref> = Vec::with_capacity(steps.len());
        for step in steps {
            let at = |r: kernels::Ref| refs[r];
            let step = match *step {
                kernels::Step::Argument => {
                    refs.push(x);
                    continue;
                }
                kernels::Step::Splat(bits) => {
                    refs.push(self.fixed(Step::Const(bits)));
                    continue;
                }
                kernels::Step::Sqrt(x) => Step::Unary(Unary::Sqrt, at(x)),
                kernels::Step::ToFloat(x) => Step::Unary(Unary::ToFloat, at(x)),
                kernels::Step::Fma(x, y, z) => Step::Fma(at(x), at(y), at(z)),
                kernels::Step::Shift(shift, x, by) => Step::Shift(shift, at(x), by as u8),
                kernels::Step::Select(mask, yes, no) => Step::Pick(at(mask), at(yes), at(no)),
                kernels::Step::Binary(op, x, y) => match op {
                    Of::Add => Step::Binary(Binary::Add, at(x), at(y)),
                    Of::Sub => Step::Binary(Binary::Sub, at(x), at(y)),
                    Of::Mul => Step::Binary(Binary::Mul, at(x), at(y)),
                    Of::Div => Step::Binary(Binary::Div, at(x), at(y)),
                    Of::Min => Step::Binary(Binary::Min, at(x), at(y)),
                    Of::Max => Step::Binary(Binary::Max, at(x), at(y)),
                    Of::IAnd => Step::Binary(Binary::And, at(x), at(y)),
                    Of::IOr => Step::Binary(Binary::Or, at(x), at(y)),
                    Of::IXor => Step::Binary(Binary::Xor, at(x), at(y)),
                    Of::IAdd => Step::Binary(Binary::IAdd, at(x), at(y)),
                    Of::ISub => Step::Binary(Binary::ISub, at(x), at(y)),
                    Of::Lt => Step::Compare(Predicate::Less, at(x), at(y)),
                    Of::Eq => Step::Compare(Predicate::Equal, at(x), at(y)),
                    Of::Both => Step::Join(Join::Both, at(x), at(y)),
                    Of::Either => Step::Join(Join::Either, at(x), at(y)),
                    Of::IEq => return None,
                },
            };
            refs.push(self.push(step));
        }
        self.has_formula = true;
        refs.last().copied()
    }

    /// Bytes that lie side by side, as numbers.
    fn bytes(&mut self, id: NodeId) -> Option<Ref> {
        let nest = self.g.nest;
        let Node::Load(access) = &nest.body.nodes[id] else { return None };
        let bytes = nest.dtypes[access.buffer.index()] == DType::U8;
        let elsewhere = self.g.places[id.index()].is_some() || self.g.scalars[id.index()].is_some();
        if !bytes || elsewhere || !access.guards.is_empty() || access.strides[nest.lane] != 1 {
            return None;
        }
        let argument = self.argument(Argument::At(access.clone()));
        Some(self.push(Step::Bytes(argument)))
    }

    /// The lanes where a condition is not 0.
    fn mask(&mut self, condition: NodeId) -> Option<Ref> {
        let at = condition.index();
        let inline = self.g.scalars[at].is_none() && self.g.places[at].is_none();
        if let (true, Node::Op { op, inputs }) = (inline, &self.g.nest.body.nodes[condition])
            && let Some(predicate) = predicate(*op)
        {
            return self.compare(predicate, inputs);
        }
        let value = self.value(condition)?;
        let zero = self.number(0.0);
        Some(self.push(Step::Compare(Predicate::NotEqual, value, zero)))
    }

    fn compare(&mut self, predicate: Predicate, inputs: &[NodeId]) -> Option<Ref> {
        if self.is_f32(inputs[0]) {
            let (x, y) = (self.value(inputs[0])?, self.value(inputs[1])?);
            return Some(self.push(Step::Compare(predicate, x, y)));
        }
        let (x, y) = (self.whole(inputs[0])?, self.whole(inputs[1])?);
        let predicate = match predicate {
            Predicate::Equal => IPredicate::Equal,
            Predicate::NotEqual => IPredicate::NotEqual,
            Predicate::Less => IPredicate::Less,
            Predicate::LessOrEqual => IPredicate::LessOrEqual,
            Predicate::Greater => IPredicate::Greater,
            Predicate::GreaterOrEqual => IPredicate::GreaterOrEqual,
            Predicate::Unordered => unreachable!("codegen: whole numbers have an order"),
        };
        Some(self.push(Step::ICompare(predicate, x, y)))
    }

    /// The lanes of a node of `i32`: coordinates, and what is the same for all.
    fn whole(&mut self, id: NodeId) -> Option<Ref> {
        let node = &self.g.nest.body.nodes[id];
        if self.g.facts.dtype[id.index()] != DType::I32 || self.differs(id) {
            return None;
        }
        if let Node::Const { value, .. } = node {
            return Some(self.fixed(Step::Const(*value as i32 as u32)));
        }
        if self.g.scalars[id.index()].is_some() {
            let argument = self.argument(Argument::Number(id));
            return Some(self.fixed(Step::Spread(argument)));
        }
        let Node::Index { strides, .. } = node else { return None };
        if strides[self.g.nest.lane] != 1 || self.g.places[id.index()].is_some() {
            return None;
        }
        if let Some(known) = self.memo[id.index()] {
            return Some(known);
        }
        let (first, lanes) = (self.argument(Argument::First(id)), self.argument(Argument::Lanes));
        let (first, lanes) = (self.fixed(Step::Spread(first)), self.push(Step::Load(lanes)));
        let coordinate = self.push(Step::Binary(Binary::IAdd, lanes, first));
        self.memo[id.index()] = Some(coordinate);
        Some(coordinate)
    }

    /// -1, 1, or the number itself where it is 0 or none.
    fn sign(&mut self, x: Ref) -> Ref {
        let [zero, one, minus] = [0.0, 1.0, -1.0].map(|n| self.number(n));
        let below = self.push(Step::Compare(Predicate::Less, x, zero));
        let low = self.push(Step::Pick(below, minus, x));
        let above = self.push(Step::Compare(Predicate::Greater, x, zero));
        self.push(Step::Pick(above, one, low))
    }

    /// As `Gen::extreme` has it.
    fn extreme(&mut self, op: Binary, x: &[Ref], inputs: &[NodeId]) -> Ref {
        let known = |i: usize| matches!(self.g.nest.body.nodes[inputs[i]], Node::Const { .. });
        let (first, second) = if known(1) { (x[1], x[0]) } else { (x[0], x[1]) };
        let is_number = known(0) || known(1);
        let result = self.push(Step::Binary(op, first, second));
        if is_number { result } else { self.keep_nan(result, first) }
    }

    /// `x`, or no number where `maybe` is none.
    fn keep_nan(&mut self, x: Ref, maybe: Ref) -> Ref {
        let none = self.fixed(Step::Const(u32::MAX));
        let mask = self.push(Step::Compare(Predicate::Unordered, maybe, maybe));
        self.push(Step::Pick(mask, none, x))
    }

    // ---- ends

    /// Adds what is wanted; none if a loop cannot do it.
    fn want(&mut self, want: Want) -> Option<()> {
        let nest = self.g.nest;
        match want {
            Want::Store(node, access) => {
                if access.strides[nest.lane] != 1 {
                    return None;
                }
                let value = self.value(node)?;
                let to = self.argument(Argument::At(access.clone()));
                self.of.ends.push(End::Store(value, to));
            }
            Want::Leave(node, place) => {
                let value = self.value(node)?;
                let to = self.argument(Argument::Scratch(place));
                self.of.ends.push(End::Store(value, to));
            }
            Want::Along(id, begin) => {
                let value = self.value(nest.body.nodes[id].inputs()[0])?;
                let sums = self.argument(Argument::Sums(id));
                self.of.ends.push(match self.g.fold_kind(id) {
                    Fold::Sum => End::Sum(value, sums, begin),
                    Fold::Max => End::Max(value, sums, begin),
                });
            }
            Want::Down(id, place) => {
                let value = self.value(nest.body.nodes[id].inputs()[0])?;
                let to = self.argument(Argument::Scratch(place));
                let so_far = self.push(Step::Load(to));
                let joined = match self.g.fold_kind(id) {
                    Fold::Sum => self.push(Step::Binary(Binary::Add, so_far, value)),
                    Fold::Max => {
                        let larger = self.push(Step::Binary(Binary::Max, value, so_far));
                        self.keep_nan(larger, value)
                    }
                };
                self.of.ends.push(End::Store(joined, to));
            }
        }
        Some(())
    }
}

fn predicate(op: ScalarOp) -> Option<Predicate> {
    match op {
        ScalarOp::Eq => Some(Predicate::Equal),
        ScalarOp::Ne => Some(Predicate::NotEqual),
        ScalarOp::Lt => Some(Predicate::Less),
        ScalarOp::Le => Some(Predicate::LessOrEqual),
        ScalarOp::Gt => Some(Predicate::Greater),
        ScalarOp::Ge => Some(Predicate::GreaterOrEqual),
        _ => None,
    }
}

impl Gen<'_, '_> {
    /// Does what is wanted by a wide loop over the present strip; false if there is none for it.
    pub fn wide(&mut self, len: Len, wants: &[Want], accumulators: Option<&Accumulators>) -> bool {
        let Some(Described { of, arguments, has_formula }) = self.describe(wants, None) else { return false };
        let lanes = match len {
            Len::Const(n) => n,
            Len::Dyn { .. } => self.nest.lanes(),
        };
        let counted = arguments.contains(&Argument::Lanes);
        if lanes < 16
            || counted && !matches!(len, Len::Const(..=LONGEST))
            || !has_formula && lanes * of.steps.len() < WORTH
        {
            return false;
        }
        let Some(function) = self.jit.wide(of) else { return false };
        let words = self.slot(8 * (1 + arguments.len() as u32));
        let sums: Vec<(NodeId, Value)> = arguments
            .iter()
            .filter_map(|argument| if let Argument::Sums(fold) = argument { Some(*fold) } else { None })
            .map(|fold| (fold, self.slot(64)))
            .collect();
        let quarters = |fold: NodeId| {
            let known = accumulators.and_then(|all| all.folds.iter().find(|(f, _)| *f == fold));
            known.expect("codegen: every fold of a sweep is open").1
        };
        let there = accumulators.is_some_and(|all| !all.once);
        for &(fold, slot) in sums.iter().filter(|_| there) {
            for (i, variable) in quarters(fold).into_iter().enumerate() {
                let sums = self.b.use_var(variable);
                self.b.ins().store(MEM, sums, slot, 16 * i as i32);
            }
        }
        let (whole, mask) = self.whole_and_mask(len);
        self.b.ins().store(MEM, mask, words, 0);
        for (i, argument) in arguments.iter().enumerate() {
            let word = self.word(argument, &sums);
            self.b.ins().store(MEM, word, words, 8 * (1 + i as i32));
        }
        let function = self.jit.local(function, self.b.func);
        self.b.ins().call(function, &[whole, words, whole]);
        for &(fold, slot) in &sums {
            for (i, variable) in quarters(fold).into_iter().enumerate() {
                let sums = self.b.ins().load(F32X4, MEM, slot, 16 * i as i32);
                self.b.def_var(variable, sums);
            }
        }
        true
    }

    /// The same over several rows: what is stored lies in buffers, and of what is in scratch only columns are read and
    /// folded.
    pub fn wide_rows(&mut self, len: Len, wants: &[Want], rows: RowsOf) -> bool {
        let Some(Described { mut of, arguments, .. }) = self.describe(wants, Some(rows.dim)) else {
            return false;
        };
        if arguments.contains(&Argument::Lanes) && !matches!(len, Len::Const(..=LONGEST)) {
            return false;
        }
        of.rows = Some(arguments.len());
        let Some(function) = self.jit.wide(of) else { return false };
        let words = self.slot(8 * (1 + 2 * arguments.len() as u32));
        let (whole, mask) = self.whole_and_mask(len);
        self.b.ins().store(MEM, mask, words, 0);
        for (i, argument) in arguments.iter().enumerate() {
            let word = self.word(argument, &[]);
            let step = match argument {
                Argument::At(access) => self.iconst(access.strides[rows.dim] * self.element_bytes(access)),
                Argument::Row(node) => match &self.nest.body.nodes[*node] {
                    Node::LoadAt { access, .. } => {
                        self.iconst(access.strides[rows.dim] * self.element_bytes(access))
                    }
                    _ => panic!("codegen: node {node} looks up no row"),
                },
                Argument::Acc => rows.acc.expect("codegen: sums come in rows"),
                Argument::Number(_)
                | Argument::First(_)
                | Argument::Lanes
                | Argument::Single(_)
                | Argument::Scratch(_) => self.iconst(0),
                Argument::Sums(_) => unreachable!("codegen: rows have no sums of their own"),
            };
            self.b.ins().store(MEM, word, words, 8 * (1 + i as i32));
            self.b.ins().store(MEM, step, words, 8 * (1 + (arguments.len() + i) as i32));
        }
        let function = self.jit.local(function, self.b.func);
        self.b.ins().call(function, &[whole, words, rows.count]);
        true
    }

    /// The loop that does what is wanted, and its arguments; none if there is none.
    fn describe(&self, wants: &[Want], dim: Option<usize>) -> Option<Described> {
        if !self.jit.is_wide() || !self.sums.is_empty() {
            return None;
        }
        let memo = vec![None; self.nest.body.nodes.len()];
        let (of, arguments) = (Loop::default(), Vec::new());
        let mut build = Build { g: self, of, arguments, memo, dim, has_formula: false };
        for want in wants {
            build.want(*want)?;
        }
        let Build { of, arguments, has_formula, .. } = build;
        Some(Described { of, arguments, has_formula })
    }

    /// The address of so many bytes on the stack.
    fn slot(&mut self, bytes: u32) -> Value {
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 4);
        let slot = self.b.create_sized_stack_slot(slot);
        self.b.ins().stack_addr(I64, slot, 0)
    }

    /// What the loop is handed as an argument.
    fn word(&mut self, argument: &Argument, sums: &[(NodeId, Value)]) -> Value {
        match argument {
            Argument::At(access) => self.address(access),
            Argument::Row(node) => self.row_pointer(*node),
            Argument::Scratch(place) => self.place_pointer(*place),
            Argument::Acc => self.acc.expect("codegen: only epilogues read sums"),
            Argument::Number(node) => {
                let x = self.scalars[node.index()].expect("codegen: a number is there before the loop");
                self.b.ins().extractlane(x, 0)
            }
            Argument::First(node) => {
                let Node::Index { offset, strides } = &self.nest.body.nodes[*node] else {
                    panic!("codegen: node {node} is no coordinate")
                };
                let first = self.affine(*offset, strides);
                self.b.ins().ireduce(I32, first)
            }
            Argument::Lanes => self.iconst(NUMBERS.as_ptr() as i64),
            Argument::Single(access) => {
                let address = self.address(access);
                self.b.ins().load(F32, MEM, address, 0)
            }
            Argument::Sums(fold) => {
                let known = sums.iter().find(|(f, _)| f == fold);
                known.expect("codegen: a fold's chains have a place").1
            }
        }
    }

    /// Lanes in whole vectors, and the mask of the others.
    fn whole_and_mask(&mut self, len: Len) -> (Value, Value) {
        match len {
            Len::Const(n) => (self.iconst((n & !15) as i64), self.iconst((1 << (n & 15)) - 1)),
            Len::Dyn { value, .. } => {
                let whole = self.b.ins().band_imm_s(value, -16);
                let rest = self.b.ins().band_imm_s(value, 15);
                let one = self.iconst(1);
                let mask = self.b.ins().ishl(one, rest);
                (whole, self.plus(mask, -1))
            }
        }
    }
}
