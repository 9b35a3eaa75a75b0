//! What a function gives where its operands are known.

use crate::graph::ScalarOp;

/// What all elements of a region are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Number(f64),
    /// So far below all that counts that its exponential is 0 beside theirs.
    Far,
}

/// Scores below it are out of sight.
pub const FAR: f64 = -1e8;

impl Kind {
    fn is_far(self) -> bool {
        match self {
            Kind::Far => true,
            Kind::Number(x) => x <= FAR,
        }
    }

    fn number(self) -> Option<f64> {
        match self {
            Kind::Number(x) => Some(x),
            Kind::Far => None,
        }
    }
}

/// What `op` gives of operands of which this is known.
pub fn kind_of(op: ScalarOp, operands: &[Option<Kind>]) -> Option<Kind> {
    let numbers: Option<Vec<f64>> = operands.iter().map(|kind| kind.and_then(Kind::number)).collect();
    if let Some(numbers) = numbers {
        return Some(Kind::Number(op.eval(&numbers)));
    }
    let is = |i: usize, x: f64| operands[i] == Some(Kind::Number(x));
    let far = |i: usize| operands[i].is_some_and(Kind::is_far);
    let at_least_1 = |i: usize| operands[i].and_then(Kind::number).is_some_and(|x| x >= 1.0);
    let zero = Some(Kind::Number(0.0));
    if op == ScalarOp::Select {
        return match operands[0] {
            Some(Kind::Number(c)) => operands[if c == 0.0 { 2 } else { 1 }],
            Some(Kind::Far) | None if far(1) && far(2) => Some(Kind::Far),
            Some(Kind::Far) | None => operands[1].filter(|_| operands[1] == operands[2]),
        };
    }
    match op {
        ScalarOp::Mul if is(0, 0.0) || is(1, 0.0) => zero,
        ScalarOp::Mul if (far(0) && at_least_1(1)) || (far(1) && at_least_1(0)) => Some(Kind::Far),
        ScalarOp::Div if is(0, 0.0) => zero,
        ScalarOp::Exp | ScalarOp::Sigmoid if far(0) => zero,
        ScalarOp::Add | ScalarOp::Min if far(0) || far(1) => Some(Kind::Far),
        ScalarOp::Max if far(0) && far(1) => Some(Kind::Far),
        ScalarOp::Sub if far(0) && !far(1) => Some(Kind::Far),
        ScalarOp::Stop if far(0) => Some(Kind::Far),
        _other => None,
    }
}
