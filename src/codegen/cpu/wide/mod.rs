//! Loops over strips in vectors of 16 lanes, where the processor has AVX-512.
//!
//! Cranelift's vectors have four lanes. A loop whose body reads and writes neighbours in memory is described here as
//! data, a [`Loop`], and encoded by our own assembler; Cranelift's code calls it, and keeps everything else: indices,
//! addresses, guards, calls. Each step of a loop rounds as Cranelift's instruction of the same name does, and a fold
//! has the same 16 chains, so the bits are the same with and without these loops.

mod asm;
mod build;
mod emit;
#[cfg(test)]
mod tests;

pub use build::{RowsOf, Want};

use mlc_kernels::Isa;
use mlc_kernels::strip::Shift;
use std::fmt;

/// Whether wide loops run here: their functions follow the System V convention of calls.
pub fn is_available(isa: Isa) -> bool {
    isa == Isa::Avx512 && cfg!(all(target_arch = "x86_64", unix))
}

/// The number of a step.
pub type Ref = usize;

/// One vector, made from those of earlier steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Numbers from where an argument points on.
    Load(usize),
    /// Bytes from where an argument points on, as numbers.
    Bytes(usize),
    /// The number that an argument is, in all lanes.
    Spread(usize),
    /// A number by its bits, in all lanes.
    Const(u32),
    Unary(Unary, Ref),
    Binary(Binary, Ref, Ref),
    /// The first times the second, and the third added, rounded once.
    Fma(Ref, Ref, Ref),
    /// The bits moved by so many places.
    Shift(Shift, Ref, u8),
    /// A mask: the lanes where a comparison holds.
    Compare(Predicate, Ref, Ref),
    /// A mask: the same of whole numbers.
    ICompare(IPredicate, Ref, Ref),
    /// A mask of two.
    Join(Join, Ref, Ref),
    /// 1 where a mask holds, 0 elsewhere.
    One(Ref),
    /// By a mask the first or the second.
    Pick(Ref, Ref, Ref),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unary {
    Sqrt,
    Floor,
    /// The number that the bits are as a whole number.
    ToFloat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    /// The second where either is no number.
    Max,
    /// The second where either is no number.
    Min,
    /// Of bits.
    And,
    /// Of bits.
    Or,
    /// Of bits.
    Xor,
    /// Of whole numbers.
    IAdd,
    /// Of whole numbers.
    ISub,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Join {
    Both,
    Either,
}

/// A comparison of numbers, by its code in the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Predicate {
    Equal = 0x00,
    Less = 0x11,
    LessOrEqual = 0x12,
    Unordered = 0x03,
    NotEqual = 0x04,
    GreaterOrEqual = 0x1D,
    Greater = 0x1E,
}

/// A comparison of whole numbers, by its code in the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IPredicate {
    Equal = 0,
    Less = 1,
    LessOrEqual = 2,
    NotEqual = 4,
    GreaterOrEqual = 5,
    Greater = 6,
}

/// What a loop leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// A value goes to where an argument points.
    Store(Ref, usize),
    /// A value is added to 16 sums that an argument points to.
    Sum(Ref, usize, Begin),
    /// A value is joined with 16 maxima that an argument points to. No number, once met, stays.
    Max(Ref, usize, Begin),
}

/// Where a fold begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Begin {
    /// With what its argument points to.
    There,
    /// With what changes nothing.
    Anew,
}

/// A loop over a strip.
///
/// It is a function of how many lanes fill whole vectors, of the address of its arguments, words of eight bytes, and of
/// how many rows there are. The first word is the mask of the lanes behind the whole vectors; the others are addresses,
/// or numbers in their low half. If it is of several rows, as many words follow: how many bytes each address moves from
/// row to row.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loop {
    pub steps: Vec<Step>,
    pub ends: Vec<End>,
    /// The number of arguments, if it is of several rows. It has no folds then.
    pub rows: Option<usize>,
}

impl Step {
    fn operands(&self) -> Vec<Ref> {
        match *self {
            Step::Load(_) | Step::Bytes(_) | Step::Spread(_) | Step::Const(_) => Vec::new(),
            Step::Unary(_, x) | Step::Shift(_, x, _) | Step::One(x) => vec![x],
            Step::Binary(_, x, y) | Step::Compare(_, x, y) => vec![x, y],
            Step::ICompare(_, x, y) | Step::Join(_, x, y) => vec![x, y],
            Step::Fma(x, y, z) | Step::Pick(x, y, z) => vec![x, y, z],
        }
    }

    /// Whether one number serves all lanes and all positions.
    fn is_fixed(&self) -> bool {
        matches!(self, Step::Spread(_) | Step::Const(_))
    }

    fn is_mask(&self) -> bool {
        matches!(self, Step::Compare(..) | Step::ICompare(..) | Step::Join(..))
    }
}

impl End {
    fn value(&self) -> Ref {
        let (End::Store(value, _) | End::Sum(value, ..) | End::Max(value, ..)) = *self;
        value
    }
}

impl Loop {
    /// The machine code, or none where 32 registers do not hold what lives at a time.
    pub fn assemble(&self) -> Option<Vec<u8>> {
        emit::assemble(self)
    }
}

impl fmt::Display for Loop {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (i, step) in self.steps.iter().enumerate() {
            match step {
                Step::Load(arg) => writeln!(f, "v{i} = load a{arg}")?,
                Step::Bytes(arg) => writeln!(f, "v{i} = bytes a{arg}")?,
                Step::Spread(arg) => writeln!(f, "v{i} = spread a{arg}")?,
                Step::Const(bits) => writeln!(f, "v{i} = {:e}", f32::from_bits(*bits))?,
                Step::Unary(op, x) => writeln!(f, "v{i} = {op:?} v{x}")?,
                Step::Binary(op, x, y) => writeln!(f, "v{i} = {op:?} v{x} v{y}")?,
                Step::Fma(x, y, z) => writeln!(f, "v{i} = v{x} * v{y} + v{z}")?,
                Step::Shift(op, x, by) => writeln!(f, "v{i} = {op:?} v{x} {by}")?,
                Step::Compare(op, x, y) => writeln!(f, "v{i} = {op:?} v{x} v{y}")?,
                Step::ICompare(op, x, y) => writeln!(f, "v{i} = whole {op:?} v{x} v{y}")?,
                Step::Join(op, x, y) => writeln!(f, "v{i} = {op:?} v{x} v{y}")?,
                Step::One(mask) => writeln!(f, "v{i} = one v{mask}")?,
                Step::Pick(mask, yes, no) => writeln!(f, "v{i} = v{mask} ? v{yes} : v{no}")?,
            }
        }
        for end in &self.ends {
            match end {
                End::Store(value, arg) => writeln!(f, "store a{arg} v{value}")?,
                End::Sum(value, arg, begin) => writeln!(f, "sum a{arg} v{value} {begin:?}")?,
                End::Max(value, arg, begin) => writeln!(f, "max a{arg} v{value} {begin:?}")?,
            }
        }
        Ok(())
    }
}
