//! Loops drawn at random, held against one number after the other.

use super::super::jit::Jit;
use super::{Begin, Binary, End, IPredicate, Join, Loop, Predicate, Step, Unary, is_available};
use mlc_kernels::Isa;
use mlc_kernels::strip::Shift;

/// Numbers of each argument's memory.
const LONG: usize = 80;

/// A generator of numbers that are good enough for tests (Knuth's MMIX).
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Mostly plain numbers.
    fn number(&mut self) -> f32 {
        match self.below(12) {
            0 => self.of(&[0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1.0]),
            _ => (self.below(4001) as f32 - 2000.0) / 250.0,
        }
    }
}

const WHOLE: [IPredicate; 6] = {
    use IPredicate::*;
    [Equal, Less, LessOrEqual, NotEqual, GreaterOrEqual, Greater]
};

/// Of `loads` arguments to read, some numbers, and 2 or 3 ends.
fn draw(d: &mut Draw, loads: usize, steps: usize) -> Loop {
    use Binary::*;
    use Predicate::*;
    let mut of = Loop::default();
    of.steps.extend((0..loads).map(|i| if i % 7 == 3 { Step::Bytes(1 + i) } else { Step::Load(1 + i) }));
    of.steps.extend((0..4).map(|i| Step::Spread(1 + loads + i)));
    of.steps.extend([2.5f32, -0.5, f32::NAN].map(|x| Step::Const(x.to_bits())));
    // Whose bits are known: which no-number comes out of arithmetic is nobody's business.
    let mut exact: Vec<usize> = (0..of.steps.len()).collect();
    for _ in 0..steps {
        let values: Vec<usize> = (0..of.steps.len()).filter(|&s| !of.steps[s].is_mask()).collect();
        let (x, y) = (d.of(&values), d.of(&values));
        let step = match d.below(14) {
            0 => Step::Unary(d.of(&[Unary::Sqrt, Unary::Floor]), x),
            1 | 2 => {
                let all = [Equal, Less, LessOrEqual, Unordered, NotEqual, GreaterOrEqual, Greater];
                of.steps.push(Step::Compare(d.of(&all), x, y));
                let mut mask = of.steps.len() - 1;
                if d.below(2) == 0 {
                    of.steps.push(match d.below(2) {
                        0 => Step::Compare(d.of(&all), y, d.of(&values)),
                        _ => Step::ICompare(d.of(&WHOLE), d.of(&exact), d.of(&exact)),
                    });
                    of.steps.push(Step::Join(d.of(&[Join::Both, Join::Either]), mask, mask + 1));
                    mask += 2;
                }
                if d.below(2) == 0 { Step::One(mask) } else { Step::Pick(mask, y, d.of(&values)) }
            }
            3 | 4 => Step::Fma(x, y, d.of(&values)),
            5..=7 => {
                let (x, y) = (d.of(&exact), d.of(&exact));
                exact.push(of.steps.len());
                match d.below(4) {
                    0 => Step::Unary(Unary::ToFloat, x),
                    1 => Step::Shift(
                        d.of(&[Shift::Left, Shift::Arithmetic, Shift::Logical]),
                        x,
                        d.of(&[1, 9, 23, 31]),
                    ),
                    _ => Step::Binary(d.of(&[And, Or, Xor, IAdd, ISub]), x, y),
                }
            }
            _ => Step::Binary(d.of(&[Add, Sub, Mul, Div, Max, Min]), x, y),
        };
        of.steps.push(step);
    }
    let last = of.steps.len() - 1;
    let first_free = 1 + loads + 4;
    let begin = d.of(&[Begin::There, Begin::Anew]);
    of.ends = vec![End::Store(last, first_free), End::Sum(last - steps / 3, first_free + 1, begin)];
    if of.steps[last - steps / 3].is_mask() {
        of.ends.pop();
    }
    of.ends.push(End::Max(last, first_free + 2, begin));
    of
}

/// Memory of each argument, as words.
type Memory = Vec<Vec<u32>>;

fn memory(d: &mut Draw, of: &Loop) -> Memory {
    let arguments = of.ends.iter().map(|end| match end {
        End::Store(_, arg) | End::Sum(_, arg, _) | End::Max(_, arg, _) => *arg,
    });
    let count = arguments.max().map_or(0, |most| most + 1);
    let mut memory: Memory = (0..count).map(|_| (0..LONG).map(|_| d.number().to_bits()).collect()).collect();
    for end in &of.ends {
        match end {
            End::Store(..) => {}
            End::Sum(_, arg, _) => memory[*arg].fill(0),
            End::Max(_, arg, _) => memory[*arg].fill(f32::NEG_INFINITY.to_bits()),
        }
    }
    memory
}

/// One lane after the other.
fn interpret(of: &Loop, lanes: usize, memory: &mut Memory) {
    for lane in 0..lanes {
        let mut values: Vec<f32> = Vec::new();
        for step in &of.steps {
            let value = match *step {
                Step::Load(arg) => f32::from_bits(memory[arg][lane]),
                Step::Bytes(arg) => f32::from(memory[arg][lane / 4].to_le_bytes()[lane % 4]),
                Step::Spread(arg) => f32::from_bits(memory[arg][0]),
                Step::Const(bits) => f32::from_bits(bits),
                Step::Unary(Unary::Sqrt, x) => values[x].sqrt(),
                Step::Unary(Unary::Floor, x) => values[x].floor(),
                Step::Unary(Unary::ToFloat, x) => values[x].to_bits() as i32 as f32,
                Step::Fma(x, y, z) => values[x].mul_add(values[y], values[z]),
                Step::Shift(op, x, by) => shift(op, values[x].to_bits(), by),
                Step::Binary(op, x, y) => binary(op, values[x], values[y]),
                Step::Compare(op, x, y) => f32::from(u8::from(compare(op, values[x], values[y]))),
                Step::ICompare(op, x, y) => {
                    let [x, y] = [x, y].map(|v| values[v].to_bits() as i32);
                    f32::from(u8::from(compare_whole(op, x, y)))
                }
                Step::Join(Join::Both, x, y) => values[x] * values[y],
                Step::Join(Join::Either, x, y) => values[x].max(values[y]),
                Step::One(mask) => values[mask],
                Step::Pick(mask, yes, no) => values[if values[mask] == 1.0 { yes } else { no }],
            };
            values.push(value);
        }
        for end in &of.ends {
            match *end {
                End::Store(value, arg) => memory[arg][lane] = values[value].to_bits(),
                End::Sum(value, arg, _) => {
                    let sum = f32::from_bits(memory[arg][lane % 16]) + values[value];
                    memory[arg][lane % 16] = sum.to_bits();
                }
                End::Max(value, arg, _) => {
                    let most = f32::from_bits(memory[arg][lane % 16]);
                    let keep = most.is_nan() || most >= values[value];
                    memory[arg][lane % 16] = if keep { most } else { values[value] }.to_bits();
                }
            }
        }
    }
}

fn binary(op: Binary, x: f32, y: f32) -> f32 {
    match op {
        Binary::Add => x + y,
        Binary::Sub => x - y,
        Binary::Mul => x * y,
        Binary::Div => x / y,
        Binary::Max => {
            if x > y {
                x
            } else {
                y
            }
        }
        Binary::Min => {
            if x < y {
                x
            } else {
                y
            }
        }
        Binary::And => f32::from_bits(x.to_bits() & y.to_bits()),
        Binary::Or => f32::from_bits(x.to_bits() | y.to_bits()),
        Binary::IAdd => f32::from_bits(x.to_bits().wrapping_add(y.to_bits())),
        Binary::ISub => f32::from_bits(x.to_bits().wrapping_sub(y.to_bits())),
        Binary::Xor => f32::from_bits(x.to_bits() ^ y.to_bits()),
    }
}

fn shift(op: Shift, bits: u32, by: u8) -> f32 {
    f32::from_bits(match op {
        Shift::Left => bits << by,
        Shift::Arithmetic => (bits as i32 >> by) as u32,
        Shift::Logical => bits >> by,
    })
}

fn compare(op: Predicate, x: f32, y: f32) -> bool {
    match op {
        Predicate::Equal => x == y,
        Predicate::Less => x < y,
        Predicate::LessOrEqual => x <= y,
        Predicate::Unordered => x.is_nan() || y.is_nan(),
        Predicate::NotEqual => x != y,
        Predicate::GreaterOrEqual => x >= y,
        Predicate::Greater => x > y,
    }
}

fn compare_whole(op: IPredicate, x: i32, y: i32) -> bool {
    match op {
        IPredicate::Equal => x == y,
        IPredicate::Less => x < y,
        IPredicate::LessOrEqual => x <= y,
        IPredicate::NotEqual => x != y,
        IPredicate::GreaterOrEqual => x >= y,
        IPredicate::Greater => x > y,
    }
}

fn execute(of: &Loop, lanes: usize, memory: &mut Memory) -> bool {
    let mut jit = Jit::new(false, Isa::detect());
    let Some(function) = jit.wide(of.clone()) else { return false };
    let code = jit.seal();
    let mut words: Vec<u64> = memory.iter_mut().map(|m| m.as_mut_ptr() as u64).collect();
    words[0] = (1 << (lanes % 16)) - 1;
    for step in &of.steps {
        if let Step::Spread(arg) = step {
            words[*arg] = u64::from(memory[*arg][0]);
        }
    }
    // SAFETY: a wide loop is such a function; every argument that is an address leads to enough numbers.
    unsafe {
        let function =
            std::mem::transmute::<*const u8, extern "C" fn(usize, *mut u64, usize)>(code.address(function));
        function(lanes / 16 * 16, words.as_mut_ptr(), 1);
    }
    true
}

/// Not-numbers are all the same: which one comes out is nobody's business.
fn plain(memory: &Memory) -> Vec<Vec<u32>> {
    let plain = |&bits: &u32| if f32::from_bits(bits).is_nan() { u32::MAX } else { bits };
    memory.iter().map(|m| m.iter().map(plain).collect()).collect()
}

#[test]
fn random_loops_agree_with_one_number_after_the_other() {
    if !is_available(Isa::detect()) {
        return;
    }
    let mut d = Draw(1);
    let (mut made, mut refused) = (0, 0);
    for round in 0..400 {
        let (loads, steps) = (1 + d.below(36), 1 + d.below(40));
        let of = draw(&mut d, loads, steps);
        let lanes = [1, 15, 16, 17, 33, 64][round % 6];
        let mut wanted = memory(&mut d, &of);
        let mut found = wanted.clone();
        if !execute(&of, lanes, &mut found) {
            refused += 1;
            continue;
        }
        made += 1;
        interpret(&of, lanes, &mut wanted);
        assert!(plain(&wanted) == plain(&found), "{lanes} lanes, round {round}:\n{of}");
    }
    assert!(made > 200 && refused > 0, "{made} made, {refused} refused for want of registers");
}
