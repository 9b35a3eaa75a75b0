//! A wide loop as machine code: registers are dealt in the order of steps, then each step is one instruction or two.
//!
//! The body stands twice: once for whole vectors, once for the lanes behind them, whose loads and stores are masked.

use super::asm::{
    Asm, Evex, Gpr, Mask, Operands, RAX, RBP, RBX, RDI, RDX, RSI, Rm, VADDPS, VANDPS, VBLENDMPS,
    VBROADCASTSS, VCMPPS, VCVTDQ2PS, VDIVPS, VFMADD132PS, VFMADD213PS, VFMADD231PS, VMAXPS, VMINPS,
    VMOVUPS_LOAD, VMOVUPS_STORE, VMULPS, VORPS, VPADDD, VPCMPD, VPMOVZXBD, VPSHIFTD, VPSUBD, VRNDSCALEPS,
    VSQRTPS, VSUBPS, VXORPS,
};
use super::{Begin, Binary, End, Join, Loop, Predicate, Ref, Step, Unary};
use mlc_kernels::strip::Shift;

/// Vector registers that values may take; the one behind them is for numbers in passing.
const VECTORS: usize = 31;
const PASSING: u8 = 31;
/// Mask registers of comparisons: the first is of the lanes behind whole vectors, 0 means no mask.
const MASKS: std::ops::Range<u8> = 2..7;
const REST: u8 = 1;
/// Of a maximum that met no number.
const NAN: u8 = 7;
/// Opcodes that join masks.
const KANDW: u8 = 0x41;
const KORW: u8 = 0x45;
/// Conditions of jumps.
const BELOW: u8 = 2;
const EQUAL: u8 = 4;
const NOT_EQUAL: u8 = 5;
/// Registers that hold addresses, the first six free for any function.
const ADDRESSES: [Gpr; 10] = [RAX, 1, 8, 9, 10, 11, RBX, 12, 14, 15];
const FREE: usize = 6;
/// Counts rows.
const ROWS: Gpr = 13;

pub fn assemble(of: &Loop) -> Option<Vec<u8>> {
    let registers = Registers::deal(of)?;
    let mut emit = Emit { of, registers, asm: Asm::default(), mask: Mask::None };
    emit.function();
    Some(emit.asm.finish())
}

/// Which register each value is in.
struct Registers {
    /// By step: a vector or mask register; none for a number that is read from memory where it is used.
    of: Vec<Option<u8>>,
    /// Of each end that folds.
    sums: Vec<Option<u8>>,
    /// The argument in each address register.
    addresses: Vec<usize>,
}

impl Registers {
    fn deal(of: &Loop) -> Option<Registers> {
        let last = last_uses(of);
        let sums = of.ends.iter().filter(|end| !matches!(end, End::Store(..))).count();
        let mut most = 0;
        Registers::pass(of, &last, &mut (0..VECTORS as u8).collect(), &mut most)?;
        // Numbers that serve all lanes have registers as far as there are some, those used most first.
        let mut uses = vec![0usize; of.steps.len()];
        let read = of.steps.iter().flat_map(Step::operands).chain(of.ends.iter().map(End::value));
        read.for_each(|at| uses[at] += 1);
        let mut fixed: Vec<Ref> =
            (0..of.steps.len()).filter(|&s| of.steps[s].is_fixed() && uses[s] > 0).collect();
        fixed.sort_by_key(|&s| (std::cmp::Reverse(uses[s]), s));
        let left = VECTORS.checked_sub(most + sums)?;
        fixed.truncate(left);
        // From the top: sums, then numbers; what lives shortly is below.
        let mut top = (0..VECTORS as u8).rev();
        let folds = of.ends.iter();
        let sums: Vec<Option<u8>> =
            folds.map(|end| if matches!(end, End::Store(..)) { None } else { top.next() }).collect();
        let kept: Vec<(Ref, u8)> = fixed.into_iter().zip(top.by_ref()).collect();
        let mut free: Vec<u8> = top.collect();
        let mut registers = Registers::pass(of, &last, &mut free, &mut most)?;
        kept.into_iter().for_each(|(step, register)| registers[step] = Some(register));
        let mut addresses = addresses(of);
        addresses.truncate(ADDRESSES.len());
        Some(Registers { of: registers, sums, addresses })
    }

    /// One walk over the steps; `most` is how many vectors lived at a time.
    fn pass(of: &Loop, last: &[usize], free: &mut Vec<u8>, most: &mut usize) -> Option<Vec<Option<u8>>> {
        let mut registers: Vec<Option<u8>> = vec![None; of.steps.len()];
        let mut masks: Vec<u8> = MASKS.collect();
        let mut live = 0;
        for (at, step) in of.steps.iter().enumerate().filter(|(_, step)| !step.is_fixed()) {
            let mut operands = step.operands();
            operands.sort_unstable();
            operands.dedup();
            for operand in operands.into_iter().filter(|&o| last[o] == at) {
                let Some(register) = registers[operand] else { continue };
                if of.steps[operand].is_mask() {
                    masks.push(register);
                } else {
                    free.push(register);
                    live -= 1;
                }
            }
            registers[at] = if step.is_mask() {
                Some(masks.pop()?)
            } else {
                live += 1;
                *most = (*most).max(live);
                Some(free.pop()?)
            };
        }
        Some(registers)
    }
}

/// The step that reads each value last; ends read behind all steps.
fn last_uses(of: &Loop) -> Vec<usize> {
    let mut last: Vec<usize> = (0..of.steps.len()).collect();
    for (at, step) in of.steps.iter().enumerate() {
        step.operands().into_iter().for_each(|o| last[o] = at);
    }
    of.ends.iter().for_each(|end| last[end.value()] = usize::MAX);
    last
}

/// Arguments that loads and stores go through.
fn addresses(of: &Loop) -> Vec<usize> {
    let loads = of.steps.iter().filter_map(|step| match step {
        Step::Load(arg) | Step::Bytes(arg) => Some(*arg),
        _ => None,
    });
    let stores = of.ends.iter().filter_map(|end| match end {
        End::Store(_, arg) => Some(*arg),
        End::Sum(..) | End::Max(..) => None,
    });
    let mut all: Vec<usize> = loads.chain(stores).collect();
    all.sort_unstable();
    all.dedup();
    all
}

struct Emit<'a> {
    of: &'a Loop,
    registers: Registers,
    asm: Asm,
    /// Of the loads and stores of the present body.
    mask: Mask,
}

fn field(argument: usize) -> i32 {
    8 * argument as i32
}

impl Emit<'_> {
    fn function(&mut self) {
        let used = self.registers.addresses.len();
        let saved: Vec<Gpr> = ADDRESSES[..used].iter().skip(FREE).copied().chain([RBP, ROWS]).collect();
        saved.iter().for_each(|&r| self.asm.push(r));
        for (number, sums) in self.registers.sums.clone().into_iter().enumerate() {
            if let Some(register) = sums {
                self.begin(number, register);
            }
        }
        for (i, arg) in self.registers.addresses.clone().into_iter().enumerate() {
            self.asm.load(ADDRESSES[i], RSI, field(arg));
        }
        for step in 0..self.of.steps.len() {
            if let (true, Some(register)) = (self.of.steps[step].is_fixed(), self.registers.of[step]) {
                let from = self.number(step);
                self.vector(VBROADCASTSS, register, 0, from);
            }
        }
        self.rows();
        for (number, sums) in self.registers.sums.clone().into_iter().enumerate() {
            if let Some(register) = sums {
                let to = self.sums_of(number);
                self.vector(VMOVUPS_STORE, register, 0, to);
            }
        }
        saved.iter().rev().for_each(|&r| self.asm.pop(r));
        // vzeroupper; ret
        self.asm.bytes(&[0xC5, 0xF8, 0x77, 0xC3]);
    }

    /// Sets a fold to where it begins.
    fn begin(&mut self, end: usize, register: u8) {
        let start = match self.of.ends[end] {
            End::Sum(_, _, Begin::Anew) => 0.0,
            End::Max(_, _, Begin::Anew) => f32::NEG_INFINITY,
            End::Store(..) | End::Sum(..) | End::Max(..) => {
                let from = self.sums_of(end);
                return self.vector(VMOVUPS_LOAD, register, 0, from);
            }
        };
        let start = Rm::Constant(self.asm.constant(start.to_bits()));
        self.vector(VBROADCASTSS, register, 0, start);
    }

    fn rows(&mut self) {
        let Some(arguments) = self.of.rows else { return self.loops() };
        assert!(self.registers.sums.iter().all(Option::is_none), "codegen: rows are not folded");
        let row = self.asm.label();
        // mov r13, rdx
        self.asm.bytes(&[0x49, 0x89, 0xC0 | RDX << 3 | ROWS & 7]);
        self.asm.bind(row);
        self.mask = Mask::None;
        self.loops();
        for arg in addresses(self.of) {
            let step = field(arguments + arg);
            match self.registers.addresses.iter().position(|&a| a == arg) {
                Some(i) => self.asm.add(ADDRESSES[i], RSI, step),
                None => {
                    self.asm.load(RBP, RSI, field(arg));
                    self.asm.add(RBP, RSI, step);
                    self.asm.store(RBP, RSI, field(arg));
                }
            }
        }
        // dec r13
        self.asm.bytes(&[0x49, 0xFF, 0xC8 | ROWS & 7]);
        self.asm.jump_if(NOT_EQUAL, row);
    }

    fn loops(&mut self) {
        let (head, rest, done) = (self.asm.label(), self.asm.label(), self.asm.label());
        // xor edx, edx; test rdi, rdi
        self.asm.bytes(&[0x31, 0xC0 | RDX << 3 | RDX, 0x48, 0x85, 0xC0 | RDI << 3 | RDI]);
        self.asm.jump_if(EQUAL, rest);
        self.asm.bind(head);
        self.body();
        // add rdx, 16; cmp rdx, rdi
        self.asm.bytes(&[0x48, 0x83, 0xC0 | RDX, 16, 0x48, 0x39, 0xC0 | RDI << 3 | RDX]);
        self.asm.jump_if(BELOW, head);
        self.asm.bind(rest);
        // cmp dword [rsi], 0
        self.asm.bytes(&[0x83, 0x38 | RSI, 0]);
        self.asm.jump_if(EQUAL, done);
        // kmovw k1, [rsi]
        self.asm.bytes(&[0xC5, 0xF8, 0x90, REST << 3 | RSI]);
        self.mask = Mask::Merge(REST);
        self.body();
        self.asm.bind(done);
    }

    fn body(&mut self) {
        for step in 0..self.of.steps.len() {
            if !self.of.steps[step].is_fixed() {
                self.step(step);
            }
        }
        for (number, end) in self.of.ends.iter().enumerate() {
            self.end(number, *end);
        }
    }

    fn step(&mut self, at: Ref) {
        let to = self.registers.of[at].expect("codegen: a value of lanes has a register");
        match self.of.steps[at] {
            Step::Load(arg) => {
                let rm = self.element(arg, 4);
                let mask = self.zeroing();
                self.masked(VMOVUPS_LOAD, to, 0, rm, mask, false, None);
            }
            Step::Bytes(arg) => {
                let rm = self.element(arg, 1);
                let mask = self.zeroing();
                self.masked(VPMOVZXBD, to, 0, rm, mask, false, None);
                self.vector(VCVTDQ2PS, to, 0, Rm::Register(to));
            }
            Step::Unary(op, x) => {
                let x = self.register(x);
                match op {
                    Unary::Sqrt => self.vector(VSQRTPS, to, 0, Rm::Register(x)),
                    // Towards minus infinity, without the flag of inexact results.
                    Unary::Floor => {
                        self.masked(VRNDSCALEPS, to, 0, Rm::Register(x), Mask::None, false, Some(0b1001));
                    }
                    Unary::ToFloat => self.vector(VCVTDQ2PS, to, 0, Rm::Register(x)),
                }
            }
            Step::Fma(x, y, z) => self.fma(to, x, y, z),
            Step::Shift(shift, x, by) => {
                let x = Rm::Register(self.register(x));
                self.masked(VPSHIFTD, digit(shift), to, x, Mask::None, false, Some(by));
            }
            Step::Binary(op, x, y) => {
                let (evex, turns) = binary(op);
                let (x, y) = if turns && self.registers.of[x].is_none() { (y, x) } else { (x, y) };
                self.with_last(evex, to, x, y, None);
            }
            Step::Compare(op, x, y) => self.with_last(VCMPPS, to, x, y, Some(op as u8)),
            Step::ICompare(op, x, y) => self.with_last(VPCMPD, to, x, y, Some(op as u8)),
            Step::Join(op, x, y) => {
                let (x, y) = (self.register(x), self.register(y));
                self.asm.masks(if op == Join::Both { KANDW } else { KORW }, to, x, y);
            }
            Step::One(mask) => {
                let k = self.register(mask);
                let one = Rm::Constant(self.asm.constant(1f32.to_bits()));
                self.masked(VBROADCASTSS, to, 0, one, Mask::Zero(k), false, None);
            }
            Step::Pick(mask, yes, no) => {
                let k = self.register(mask);
                let no = self.register(no);
                let (rm, spread) = self.operand(yes);
                self.masked(VBLENDMPS, to, no, rm, Mask::Merge(k), spread, None);
            }
            Step::Spread(_) | Step::Const(_) => unreachable!("codegen: numbers are no part of the body"),
        }
    }

    /// `x * y + z`. The instruction overwrites one of its operands: one that nobody reads any more, if there is one.
    fn fma(&mut self, to: u8, x: Ref, y: Ref, z: Ref) {
        let in_register = |step: Ref| self.registers.of[step];
        let (x, y) = if in_register(x).is_none() || in_register(y) == Some(to) { (y, x) } else { (x, y) };
        if self.registers.of[z] == Some(to) {
            let first = self.register(x);
            let (rm, spread) = self.operand(y);
            return self.masked(VFMADD231PS, to, first, rm, Mask::None, spread, None);
        }
        match self.registers.of[x] {
            Some(at) if at == to => {}
            Some(at) => self.vector(VMOVUPS_LOAD, to, 0, Rm::Register(at)),
            None => {
                let from = self.number(x);
                self.vector(VBROADCASTSS, to, 0, from);
            }
        }
        match self.registers.of[z] {
            Some(third) => {
                let (rm, spread) = self.operand(y);
                self.masked(VFMADD132PS, to, third, rm, Mask::None, spread, None);
            }
            None => {
                let second = self.register(y);
                let (rm, spread) = self.operand(z);
                self.masked(VFMADD213PS, to, second, rm, Mask::None, spread, None);
            }
        }
    }

    /// An instruction whose last operand may be a number in memory.
    fn with_last(&mut self, evex: Evex, to: u8, x: Ref, y: Ref, immediate: Option<u8>) {
        let x = self.register(x);
        let (rm, spread) = self.operand(y);
        self.masked(evex, to, x, rm, Mask::None, spread, immediate);
    }

    fn end(&mut self, number: usize, end: End) {
        let value = self.register(end.value());
        let sums = self.registers.sums[number];
        match (end, sums) {
            (End::Store(_, arg), _) => {
                let rm = self.element(arg, 4);
                self.masked(VMOVUPS_STORE, value, 0, rm, self.mask, false, None);
            }
            (End::Sum(..), Some(sums)) => {
                self.masked(VADDPS, sums, sums, Rm::Register(value), self.mask, false, None);
            }
            (End::Max(..), Some(sums)) => {
                self.masked(VMAXPS, sums, value, Rm::Register(sums), self.mask, false, None);
                let unordered = Some(Predicate::Unordered as u8);
                self.masked(VCMPPS, NAN, value, Rm::Register(value), self.mask, false, unordered);
                let none = Rm::Constant(self.asm.constant(u32::MAX));
                self.masked(VBROADCASTSS, sums, 0, none, Mask::Merge(NAN), false, None);
            }
            (End::Sum(..) | End::Max(..), None) => unreachable!("codegen: a fold has a register"),
        }
    }

    // ---- operands

    /// A value in a register; a number that has none passes through one.
    fn register(&mut self, step: Ref) -> u8 {
        if let Some(register) = self.registers.of[step] {
            return register;
        }
        let from = self.number(step);
        self.vector(VBROADCASTSS, PASSING, 0, from);
        PASSING
    }

    /// A value as a last operand, and whether it is one number in memory.
    fn operand(&mut self, step: Ref) -> (Rm, bool) {
        match self.registers.of[step] {
            Some(register) => (Rm::Register(register), false),
            None => (self.number(step), true),
        }
    }

    /// Where a number that serves all lanes lies.
    fn number(&mut self, step: Ref) -> Rm {
        match self.of.steps[step] {
            Step::Spread(arg) => Rm::Field { base: RSI, at: field(arg) },
            Step::Const(bits) => Rm::Constant(self.asm.constant(bits)),
            _ => unreachable!("codegen: what lanes change has a register"),
        }
    }

    /// The present elements of an argument.
    fn element(&mut self, arg: usize, bytes: u8) -> Rm {
        match self.registers.addresses.iter().position(|&a| a == arg) {
            Some(i) => Rm::Element { base: ADDRESSES[i], bytes },
            None => {
                self.asm.load(RBP, RSI, field(arg));
                Rm::Element { base: RBP, bytes }
            }
        }
    }

    fn sums_of(&mut self, end: usize) -> Rm {
        let (End::Store(_, arg) | End::Sum(_, arg, _) | End::Max(_, arg, _)) = self.of.ends[end];
        self.asm.load(RBP, RSI, field(arg));
        Rm::Field { base: RBP, at: 0 }
    }

    fn zeroing(&self) -> Mask {
        match self.mask {
            Mask::Merge(k) => Mask::Zero(k),
            other => other,
        }
    }

    fn vector(&mut self, evex: Evex, reg: u8, first: u8, rm: Rm) {
        self.masked(evex, reg, first, rm, Mask::None, false, None);
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of an instruction")]
    fn masked(
        &mut self,
        evex: Evex,
        reg: u8,
        first: u8,
        rm: Rm,
        mask: Mask,
        spread: bool,
        immediate: Option<u8>,
    ) {
        self.asm.vector(evex, Operands { reg, first, rm, mask, spread, immediate });
    }
}

/// What tells shifts apart: the number in the field of the destination.
fn digit(shift: Shift) -> u8 {
    match shift {
        Shift::Logical => 2,
        Shift::Arithmetic => 4,
        Shift::Left => 6,
    }
}

/// The instruction, and whether its operands may change places.
fn binary(op: Binary) -> (Evex, bool) {
    match op {
        Binary::Add => (VADDPS, true),
        Binary::Sub => (VSUBPS, false),
        Binary::Mul => (VMULPS, true),
        Binary::Div => (VDIVPS, false),
        Binary::Max => (VMAXPS, false),
        Binary::Min => (VMINPS, false),
        Binary::And => (VANDPS, true),
        Binary::Or => (VORPS, true),
        Binary::IAdd => (VPADDD, true),
        Binary::ISub => (VPSUBD, false),
        Binary::Xor => (VXORPS, true),
    }
}
