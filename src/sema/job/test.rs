//! A `test` section, checked: what a trained run must reach.

use crate::base::Span;
use crate::syntax::ast::BinOp;

/// `test floor { expect = [accuracy >= 0.97, loss <= 0.1] }`
#[derive(Clone, Debug)]
pub struct TestPlan {
    pub name: String,
    pub span: Span,
    /// The `train` section whose runs it is about, by its name; the last one of those that run in turn.
    pub train: Option<String>,
    /// `train`, `valid` or `test`: the rows that it is about; without it those that `mlc eval` takes.
    pub part: Option<String>,
    pub expects: Vec<Expectation>,
}

/// `accuracy >= 0.97`
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// A metric as reports call it, or `loss`.
    pub metric: String,
    pub op: BinOp,
    pub bound: f64,
}

impl Expectation {
    /// Whether a number is what was asked for; one that is not defined never is.
    pub fn holds(&self, found: Option<f64>) -> bool {
        let Some(found) = found else { return false };
        match self.op {
            BinOp::Lt => found < self.bound,
            BinOp::Le => found <= self.bound,
            BinOp::Gt => found > self.bound,
            BinOp::Ge => found >= self.bound,
            BinOp::Eq | BinOp::Ne | BinOp::Pow | BinOp::Mul | BinOp::Div => false,
            BinOp::MatMul | BinOp::Add | BinOp::Sub => false,
        }
    }

    /// `accuracy >= 0.97`
    pub fn text(&self) -> String {
        format!("{} {} {}", self.metric, self.op.sign(), self.bound)
    }
}
