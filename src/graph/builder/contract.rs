//! Contractions by their einsum text.

use super::Builder;
use crate::base::Precision;
use crate::graph::ir::{Einsum, Prim, Value};

impl Builder {
    /// Sums products: `"bi,ij->bj"`. In `"..i,ij->..j"`, `..` stands for the leading axes
    /// of that operand; where both have them, they are the same. A label of one operand
    /// that the output lacks is summed first.
    pub fn contract(&mut self, spec: &str, a: Value, b: Value) -> Value {
        self.contract_in(self.precision, spec, a, b)
    }

    /// The same where operands stay as they are, whatever products of layers do: they count or choose.
    pub fn exact_contract(&mut self, spec: &str, a: Value, b: Value) -> Value {
        self.contract_in(Precision::F32, spec, a, b)
    }

    fn contract_in(&mut self, precision: Precision, spec: &str, a: Value, b: Value) -> Value {
        let (spec, ranks) = (spec.replace(' ', ""), [self.shape(a).rank(), self.shape(b).rank()]);
        let spec = expand(&spec, ranks).unwrap_or_else(|| panic!("graph: {spec} fits ranks {ranks:?}"));
        let (a, lhs) = self.drop_lone(a, &spec.lhs, &spec.rhs, &spec.out);
        let (b, rhs) = self.drop_lone(b, &spec.rhs, &spec.lhs, &spec.out);
        self.einsum(Einsum { lhs, rhs, out: spec.out, precision }, a, b)
    }

    /// The same of a spec that is data.
    pub fn einsum(&mut self, spec: Einsum, a: Value, b: Value) -> Value {
        self.infer(Prim::Contract { spec, inputs: [a, b] })
    }

    /// Sums the axes of `v` whose labels are neither in `other` nor in `out`.
    fn drop_lone(&mut self, v: Value, labels: &[u8], other: &[u8], out: &[u8]) -> (Value, Vec<u8>) {
        let kept = |l: &u8| other.contains(l) || out.contains(l);
        let axes: Vec<usize> = (0..labels.len()).filter(|&i| !kept(&labels[i])).collect();
        (self.sum(v, &axes), labels.iter().copied().filter(kept).collect())
    }
}

/// Replaces `..` by labels that the spec does not use.
fn expand(spec: &str, ranks: [usize; 2]) -> Option<Einsum> {
    let (operands, out) = spec.split_once("->")?;
    let (lhs, rhs) = operands.split_once(',')?;
    let leading = [lhs, rhs].into_iter().zip(ranks).map(|(text, rank)| {
        let named = text.replace("..", "").len();
        if text.contains("..") { rank.checked_sub(named) } else { (rank == named).then_some(0) }
    });
    let leading = leading.max_by_key(|n| n.map_or(usize::MAX, |n| n))??;
    let unused = (b'A'..=b'Z').chain(b'a'..=b'z').filter(|&l| !spec.contains(char::from(l)));
    let fresh: Vec<u8> = unused.take(leading).collect();
    let labels = |text: &str| match text.split_once("..") {
        Some((before, after)) => [before.as_bytes(), &fresh, after.as_bytes()].concat(),
        None => text.as_bytes().to_vec(),
    };
    Some(Einsum { lhs: labels(lhs), rhs: labels(rhs), out: labels(out), precision: Precision::F32 })
}
