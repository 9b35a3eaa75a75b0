//! Functions of one number as data: what they do to a vector, step by step.
//!
//! Generated code that computes strips of its own takes the same steps as the functions of this module, so it gives the
//! same bits. A formula is not written a second time: [`Recorder`] is an instruction set whose instructions write down
//! that they were called.

use super::{Function1, erf, exp, log};
use crate::simd::Simd;
use std::cell::RefCell;

/// The number of a step; its result is a vector of numbers, of whole numbers, or of truths.
pub type Ref = usize;

/// One vector, made from those of earlier steps. Each is what [`Simd`] says of the method of its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// What the function is of: the first step, and no other.
    Argument,
    /// The same 32 bits in all lanes.
    Splat(u32),
    Sqrt(Ref),
    ToFloat(Ref),
    Binary(Binary, Ref, Ref),
    /// The first times the second, and the third added.
    Fma(Ref, Ref, Ref),
    Shift(Shift, Ref, u32),
    Select(Ref, Ref, Ref),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
    Lt,
    Eq,
    Both,
    Either,
    IAdd,
    ISub,
    IAnd,
    IOr,
    IXor,
    IEq,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shift {
    /// To the left.
    Left,
    /// To the right, the sign coming in.
    Arithmetic,
    /// To the right, zeros coming in.
    Logical,
}

impl Step {
    pub fn operands(&self) -> Vec<Ref> {
        match *self {
            Step::Argument | Step::Splat(_) => Vec::new(),
            Step::Sqrt(x) | Step::ToFloat(x) | Step::Shift(_, x, _) => vec![x],
            Step::Binary(_, x, y) => vec![x, y],
            Step::Fma(x, y, z) | Step::Select(x, y, z) => vec![x, y, z],
        }
    }
}

/// The steps of a strip function by its symbol, of which the last is the result. None where it is not a function of one
/// number, or where what it does depends on what it meets.
pub fn formula(symbol: &str) -> Option<Vec<Step>> {
    Some(match symbol {
        "mlc_exp" => record::<exp::Exp>(),
        "mlc_expm1" => record::<exp::Expm1>(),
        "mlc_log" => record::<log::Log>(),
        "mlc_log1p" => record::<log::Log1p>(),
        "mlc_tanh" => record::<exp::Tanh>(),
        "mlc_sigmoid" => record::<exp::Sigmoid>(),
        "mlc_erf" => record::<erf::Erf>(),
        _ => return None,
    })
}

fn record<G: Function1>() -> Vec<Step> {
    let steps = RefCell::new(vec![Step::Argument]);
    let result = G::eval(Recorder(&steps), 0);
    live(&steps.into_inner(), result)
}

/// The steps that a result needs, it being the last.
fn live(steps: &[Step], result: Ref) -> Vec<Step> {
    let mut needed = vec![false; steps.len()];
    (needed[0], needed[result]) = (true, true);
    for at in (0..steps.len()).rev().filter(|&at| at <= result) {
        if needed[at] {
            steps[at].operands().into_iter().for_each(|operand| needed[operand] = true);
        }
    }
    let mut place = vec![0; steps.len()];
    let mut kept = Vec::new();
    for at in (0..steps.len()).filter(|&at| needed[at]) {
        place[at] = kept.len();
        let to = |x: Ref| place[x];
        kept.push(match steps[at] {
            Step::Sqrt(x) => Step::Sqrt(to(x)),
            Step::ToFloat(x) => Step::ToFloat(to(x)),
            Step::Binary(op, x, y) => Step::Binary(op, to(x), to(y)),
            Step::Fma(x, y, z) => Step::Fma(to(x), to(y), to(z)),
            Step::Shift(shift, x, by) => Step::Shift(shift, to(x), by),
            Step::Select(mask, yes, no) => Step::Select(to(mask), to(yes), to(no)),
            step @ (Step::Argument | Step::Splat(_)) => step,
        });
    }
    kept
}

/// Writes down what is asked of it. Numbers, whole numbers and truths are all numbers of steps.
#[derive(Clone, Copy)]
struct Recorder<'a>(&'a RefCell<Vec<Step>>);

impl Recorder<'_> {
    fn push(self, step: Step) -> Ref {
        let mut steps = self.0.borrow_mut();
        steps.push(step);
        steps.len() - 1
    }
}

/// Methods that are one binary step.
macro_rules! binaries {
    ($($name:ident = $op:ident;)*) => { $(
        fn $name(self, a: Ref, b: Ref) -> Ref {
            self.push(Step::Binary(Binary::$op, a, b))
        }
    )* };
}

const ONE_NUMBER: &str = "kernels: a formula is of single numbers and reads no memory";

impl Simd for Recorder<'_> {
    const LANES: usize = 1;
    type F = Ref;
    type I = Ref;
    type M = Ref;
    type Part = ();

    binaries! {
        add = Add;
        sub = Sub;
        mul = Mul;
        div = Div;
        min = Min;
        max = Max;
        lt = Lt;
        eq = Eq;
        both = Both;
        either = Either;
        iadd = IAdd;
        isub = ISub;
        iand = IAnd;
        ior = IOr;
        ixor = IXor;
        ieq = IEq;
    }

    fn splat(self, x: f32) -> Ref {
        self.push(Step::Splat(x.to_bits()))
    }
    fn isplat(self, x: i32) -> Ref {
        self.push(Step::Splat(x as u32))
    }
    fn sqrt(self, a: Ref) -> Ref {
        self.push(Step::Sqrt(a))
    }
    fn fma(self, a: Ref, b: Ref, c: Ref) -> Ref {
        self.push(Step::Fma(a, b, c))
    }
    fn select(self, m: Ref, yes: Ref, no: Ref) -> Ref {
        self.push(Step::Select(m, yes, no))
    }
    fn bits(self, a: Ref) -> Ref {
        a
    }
    fn float(self, a: Ref) -> Ref {
        a
    }
    fn to_float(self, a: Ref) -> Ref {
        self.push(Step::ToFloat(a))
    }
    fn shl<const BY: u32>(self, a: Ref) -> Ref {
        self.push(Step::Shift(Shift::Left, a, BY))
    }
    fn sar<const BY: u32>(self, a: Ref) -> Ref {
        self.push(Step::Shift(Shift::Arithmetic, a, BY))
    }
    fn shr<const BY: u32>(self, a: Ref) -> Ref {
        self.push(Step::Shift(Shift::Logical, a, BY))
    }

    fn any(self, _: Ref) -> bool {
        panic!("kernels: a formula takes the same steps whatever it meets")
    }
    unsafe fn load(self, _: *const f32) -> Ref {
        unreachable!("{ONE_NUMBER}")
    }
    unsafe fn store(self, _: *mut f32, _: Ref) {
        unreachable!("{ONE_NUMBER}")
    }
    fn first(self, _: usize) {
        unreachable!("{ONE_NUMBER}")
    }
    unsafe fn load_part(self, (): (), _: *const f32) -> Ref {
        unreachable!("{ONE_NUMBER}")
    }
    unsafe fn store_part(self, (): (), _: *mut f32, _: Ref) {
        unreachable!("{ONE_NUMBER}")
    }
    fn mul_even(self, _: Ref, _: Ref) -> Ref {
        unreachable!("{ONE_NUMBER}")
    }
    fn odd_to_even(self, _: Ref) -> Ref {
        unreachable!("{ONE_NUMBER}")
    }
    fn join_even(self, _: Ref, _: Ref) -> Ref {
        unreachable!("{ONE_NUMBER}")
    }
    fn zip_pairs(self, _: Ref, _: Ref) -> [Ref; 2] {
        unreachable!("{ONE_NUMBER}")
    }
    unsafe fn transpose(self, _: *const f32, _: usize, _: usize, _: usize, _: *mut f32, _: usize) {
        unreachable!("{ONE_NUMBER}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strip::{self, *};

    /// One number after the other, whatever the processor has.
    fn run(steps: &[Step], x: f32) -> f32 {
        let mut bits: Vec<u32> = Vec::new();
        for step in steps {
            let f = |at: Ref| f32::from_bits(bits[at]);
            let truth = |holds: bool| u32::from(holds);
            bits.push(match *step {
                Step::Argument => x.to_bits(),
                Step::Splat(bits) => bits,
                Step::Sqrt(x) => f(x).sqrt().to_bits(),
                Step::ToFloat(x) => (bits[x] as i32 as f32).to_bits(),
                Step::Fma(x, y, z) => f(x).mul_add(f(y), f(z)).to_bits(),
                Step::Shift(Shift::Left, x, by) => bits[x] << by,
                Step::Shift(Shift::Arithmetic, x, by) => (bits[x] as i32 >> by) as u32,
                Step::Shift(Shift::Logical, x, by) => bits[x] >> by,
                Step::Select(mask, yes, no) => bits[if bits[mask] == 1 { yes } else { no }],
                Step::Binary(op, a, b) => match op {
                    Binary::Add => (f(a) + f(b)).to_bits(),
                    Binary::Sub => (f(a) - f(b)).to_bits(),
                    Binary::Mul => (f(a) * f(b)).to_bits(),
                    Binary::Div => (f(a) / f(b)).to_bits(),
                    Binary::Min => bits[if f(a) < f(b) { a } else { b }],
                    Binary::Max => bits[if f(a) > f(b) { a } else { b }],
                    Binary::Lt => truth(f(a) < f(b)),
                    Binary::Eq => truth(f(a) == f(b)),
                    Binary::Both | Binary::IAnd => bits[a] & bits[b],
                    Binary::Either | Binary::IOr => bits[a] | bits[b],
                    Binary::IXor => bits[a] ^ bits[b],
                    Binary::IAdd => bits[a].wrapping_add(bits[b]),
                    Binary::ISub => bits[a].wrapping_sub(bits[b]),
                    Binary::IEq => truth(bits[a] == bits[b]),
                },
            });
        }
        f32::from_bits(*bits.last().expect("a formula has a result"))
    }

    #[test]
    fn formulas_are_what_the_strips_do() {
        let all: [(&str, crate::abi::Strip1Fn); 7] = [
            ("mlc_exp", mlc_exp),
            ("mlc_expm1", mlc_expm1),
            ("mlc_log", mlc_log),
            ("mlc_log1p", mlc_log1p),
            ("mlc_tanh", mlc_tanh),
            ("mlc_sigmoid", mlc_sigmoid),
            ("mlc_erf", mlc_erf),
        ];
        for (symbol, strip) in all {
            let steps = strip::formula(symbol).expect("it has a formula");
            // A step for each 10,007th number, and the ends.
            let some = (0..=u32::MAX / 10_007).map(|i| f32::from_bits(i * 10_007));
            let ends = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN, 1.0, -1.0];
            for x in some.chain(ends).filter(|x| !x.is_subnormal()) {
                let mut out = 0f32;
                // SAFETY: one number is read and one written.
                unsafe { strip(1, &x, &mut out) };
                let found = run(&steps, x);
                let same = found.to_bits() == out.to_bits() || found.is_nan() && out.is_nan();
                assert!(same, "{symbol}({x:e}): {found:e} by its formula, {out:e} by its strip");
            }
        }
        assert_eq!(strip::formula("mlc_sin"), None, "it branches");
    }
}
