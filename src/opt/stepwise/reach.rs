//! How far each element of a graph sees along time.
//!
//! Time is axis 1 of one leaf, the tokens. An element sees up to some step if it is the same whatever stands behind that
//! step. Each primitive's rule holds for any numbers that its inputs may hold, so a proof about a value is one about every way
//! of computing it. What hides later steps is a region of places: a comparison of two indices is 0 there, what it selects is a
//! constant there, and a product with 0 sees nothing of its other factor. The one thing that is taken on trust is that scores
//! far below all others ([`FAR`]) weigh exactly 0 behind an exponential, as the library's softmax has it.

use super::super::movement::regroup::{Group, regroup};
use super::kinds::{Kind, kind_of};
use crate::base::Shape;
use crate::graph::{Einsum, Fold, Graph, LeafId, Prim, ScalarOp, ScanBody, Value};
use std::collections::BTreeMap;

/// The steps that an element depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sees {
    /// Up to the largest of `index[axis] + ahead`; nothing of time if there is none.
    UpTo(BTreeMap<usize, i64>),
    /// Perhaps all.
    All,
}

/// Where `index[key] > index[query] + ahead`, each element is of a kind.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Region {
    query: usize,
    key: usize,
    ahead: i64,
}

/// What is known of a value.
#[derive(Clone, Debug)]
pub struct Facts {
    pub sees: Sees,
    /// Each element is its own index along this axis, plus a number.
    index: Option<(usize, i64)>,
    hidden: Vec<(Region, Kind)>,
}

impl Sees {
    pub fn nothing() -> Sees {
        Sees::UpTo(BTreeMap::new())
    }

    pub fn is_nothing(&self) -> bool {
        *self == Sees::nothing()
    }

    /// The one axis that it lies on, if no step is ahead of its own.
    pub fn along(&self) -> Option<usize> {
        match self {
            Sees::UpTo(axes) if axes.len() == 1 && axes.values().all(|ahead| *ahead <= 0) => {
                axes.keys().next().copied()
            }
            Sees::UpTo(_) | Sees::All => None,
        }
    }

    /// Whether an element may see steps behind its place along `axis`.
    pub fn ahead_of(&self, axis: usize) -> bool {
        match self {
            Sees::UpTo(axes) => axes.get(&axis).is_some_and(|ahead| *ahead > 0),
            Sees::All => true,
        }
    }

    /// What an element sees that is made of one of each.
    fn and(self, other: Sees) -> Sees {
        let (Sees::UpTo(mut all), Sees::UpTo(more)) = (self, other) else { return Sees::All };
        for (axis, ahead) in more {
            let known = all.entry(axis).or_insert(ahead);
            *known = ahead.max(*known);
        }
        Sees::UpTo(all)
    }

    /// With axes at other places, and by how much further each sees there; all if an axis has none.
    fn moved(&self, place: &dyn Fn(usize) -> Option<(usize, i64)>) -> Sees {
        let Sees::UpTo(axes) = self else { return Sees::All };
        let mut moved = Sees::nothing();
        for (&axis, &ahead) in axes {
            let Some((to, further)) = place(axis) else { return Sees::All };
            moved = moved.and(Sees::UpTo(BTreeMap::from([(to, ahead + further)])));
        }
        moved
    }

    /// Without what lies in a region.
    fn without(self, region: Region) -> Sees {
        let Sees::UpTo(mut axes) = self else { return Sees::All };
        match axes.remove(&region.key) {
            Some(ahead) => {
                let query = Sees::UpTo(BTreeMap::from([(region.query, ahead + region.ahead)]));
                Sees::UpTo(axes).and(query)
            }
            None => Sees::UpTo(axes),
        }
    }
}

impl Facts {
    fn of(sees: Sees) -> Facts {
        Facts { sees, index: None, hidden: Vec::new() }
    }

    /// The same numbers where an element of axis `a` at `i` comes to lie at `i - further` of another axis.
    fn moved(&self, place: &dyn Fn(usize) -> Option<(usize, i64)>) -> Facts {
        let region = |(region, kind): &(Region, Kind)| {
            let (query, of_query) = place(region.query)?;
            let (key, of_key) = place(region.key)?;
            Some((Region { query, key, ahead: region.ahead + of_query - of_key }, *kind))
        };
        Facts {
            sees: self.sees.moved(place),
            index: self.index.and_then(|(axis, n)| place(axis).map(|(to, further)| (to, n + further))),
            hidden: self.hidden.iter().filter_map(region).collect(),
        }
    }

    fn kind(&self, region: Region) -> Option<Kind> {
        self.hidden.iter().find(|(known, _)| *known == region).map(|(_, kind)| *kind)
    }
}

/// Of every node of a graph with that leaf for tokens.
pub fn facts(graph: &Graph, tokens: LeafId) -> Vec<Facts> {
    let mut reach = Reach { graph, tokens, facts: Vec::with_capacity(graph.nodes.len()) };
    for value in graph.nodes.ids() {
        let facts = reach.of(value);
        reach.facts.push(facts);
    }
    reach.facts
}

/// A scan's result along time as its readers see it: the scan, and which of its results.
pub fn scan_result(graph: &Graph, value: Value) -> Option<(Value, &ScanBody, &[Value], usize)> {
    let Prim::Reshape { input } = &graph.nodes[value].prim else { return None };
    let Prim::Slice { input: scan, start, step } = &graph.nodes[*input].prim else { return None };
    let Prim::Scan { body, inputs } = &graph.nodes[*scan].prim else { return None };
    let k = (body.carries..body.graph.outputs.len())
        .find(|&k| start[0] == body.offset(k) && step[0] == 1 && body.result(k) == graph.ty(value).shape)?;
    Some((*scan, body, inputs, k))
}

/// The axis of a reshape's input that is `axis` of its output, with the roles of the two as given.
pub fn partner(from: &Shape, to: &Shape, axis: usize) -> Option<usize> {
    let single = |group: &Group| group.from.len() == 1 && group.to.len() == 1;
    let groups = regroup(from, to)?;
    groups.iter().find(|g| g.from.contains(&axis) && single(g)).map(|g| g.to.start)
}

struct Reach<'g> {
    graph: &'g Graph,
    tokens: LeafId,
    facts: Vec<Facts>,
}

impl Reach<'_> {
    fn facts(&self, value: Value) -> &Facts {
        &self.facts[value.index()]
    }

    fn of(&self, value: Value) -> Facts {
        let node = &self.graph.nodes[value];
        match &node.prim {
            Prim::Leaf(leaf) if *leaf == self.tokens => Facts::of(Sees::UpTo(BTreeMap::from([(1, 0)]))),
            Prim::Leaf(_) | Prim::Const(_) | Prim::Size(_) => Facts::of(Sees::nothing()),
            Prim::Iota { axis } => Facts { index: Some((*axis, 0)), ..Facts::of(Sees::nothing()) },
            // What is drawn depends on the places of all elements.
            Prim::Random { .. } => Facts::of(Sees::All),
            Prim::Map { op, inputs } => self.map(*op, inputs),
            Prim::Reduce { fold, axes, input } => self.reduce(*fold, axes, *input),
            Prim::Contract { spec, inputs: [lhs, rhs] } => self.contract(spec, *lhs, *rhs),
            Prim::Reshape { input } => self.reshape(value, *input),
            Prim::Permute { input, perm } => {
                self.facts(*input).moved(&|axis| perm.iter().position(|a| *a == axis).map(|to| (to, 0)))
            }
            Prim::Broadcast { input, axes } => self.facts(*input).moved(&|axis| Some((axes[axis], 0))),
            Prim::Slice { input, start, step } => self
                .facts(*input)
                .moved(&|axis| start[axis].as_const().filter(|_| step[axis] == 1).map(|start| (axis, start))),
            Prim::Pad { input, lo, inner, .. } => Facts::of(
                self.facts(*input)
                    .sees
                    .moved(&|axis| lo[axis].as_const().filter(|_| inner[axis] == 0).map(|lo| (axis, -lo))),
            ),
            Prim::Window { input, axis, size, stride, dilation } => {
                Facts::of(self.facts(*input).sees.moved(&|of| match of.cmp(axis) {
                    std::cmp::Ordering::Less => Some((of, 0)),
                    std::cmp::Ordering::Equal => (*stride == 1).then(|| (of, ((size - 1) * dilation) as i64)),
                    std::cmp::Ordering::Greater => Some((of + 1, 0)),
                }))
            }
            Prim::Gather { inputs: [table, index] } => {
                let rank = self.graph.ty(*index).rank();
                let rows = self.facts(*table).sees.moved(&|of| (of > 0).then(|| (rank + of - 1, 0)));
                Facts::of(rows.and(self.facts(*index).sees.clone()))
            }
            Prim::Scatter { inputs } => self.free(inputs),
            Prim::Scan { inputs, .. } => self.free(inputs),
        }
    }

    /// Nothing of nothing, and perhaps all of all else.
    fn free(&self, inputs: &[Value]) -> Facts {
        let free = inputs.iter().all(|v| self.facts(*v).sees.is_nothing());
        Facts::of(if free { Sees::nothing() } else { Sees::All })
    }

    fn map(&self, op: ScalarOp, inputs: &[Value]) -> Facts {
        let all: Vec<&Facts> = inputs.iter().map(|v| self.facts(*v)).collect();
        let compared = compared(op, &all);
        let mut regions: Vec<Region> = compared.iter().map(|(region, _)| *region).collect();
        regions.extend(all.iter().flat_map(|facts| facts.hidden.iter().map(|(region, _)| *region)));
        let mut parts: Vec<Sees> = all.iter().map(|facts| facts.sees.clone()).collect();
        let mut hidden: Vec<(Region, Kind)> = compared;
        for region in regions {
            let kinds: Vec<Option<Kind>> = inputs.iter().map(|v| self.kind(*v, region)).collect();
            if let (ScalarOp::Select, Some(Kind::Number(c))) = (op, kinds[0]) {
                let dropped = if c == 0.0 { 1 } else { 2 };
                parts[dropped] = parts[dropped].clone().without(region);
            }
            let known = hidden.iter().any(|(r, _)| *r == region);
            if let (Some(kind), false) = (kind_of(op, &kinds), known) {
                hidden.push((region, kind));
            }
        }
        let sees = parts.into_iter().fold(Sees::nothing(), Sees::and);
        // Nothing is seen where there is one number only.
        let sees = hidden.iter().fold(sees, |sees, (region, _)| sees.without(*region));
        Facts { sees, index: self.index(op, inputs), hidden }
    }

    /// What is known of a value in a region.
    fn kind(&self, value: Value, region: Region) -> Option<Kind> {
        self.facts(value).kind(region).or_else(|| self.number(value).map(Kind::Number))
    }

    /// The number that a value is everywhere.
    fn number(&self, value: Value) -> Option<f64> {
        match &self.graph.nodes[value].prim {
            Prim::Const(x) => Some(*x),
            Prim::Broadcast { input, .. } | Prim::Reshape { input } => self.number(*input),
            Prim::Leaf(_)
            | Prim::Size(_)
            | Prim::Iota { .. }
            | Prim::Map { .. }
            | Prim::Reduce { .. }
            | Prim::Contract { .. }
            | Prim::Permute { .. }
            | Prim::Slice { .. }
            | Prim::Pad { .. }
            | Prim::Window { .. }
            | Prim::Gather { .. }
            | Prim::Scatter { .. }
            | Prim::Random { .. }
            | Prim::Scan { .. } => None,
        }
    }

    /// An index stays one as another type of number, and with a whole number added.
    fn index(&self, op: ScalarOp, inputs: &[Value]) -> Option<(usize, i64)> {
        let of = |i: usize| self.facts(inputs[i]).index;
        let whole = |i: usize| self.number(inputs[i]).filter(|x| x.fract() == 0.0).map(|x| x as i64);
        let shifted = |index: Option<(usize, i64)>, by: Option<i64>| Some((index?.0, index?.1 + by?));
        if matches!(op, ScalarOp::ToF32 | ScalarOp::ToI32 | ScalarOp::Stop) {
            of(0)
        } else if op == ScalarOp::Add {
            shifted(of(0), whole(1)).or_else(|| shifted(of(1), whole(0)))
        } else if op == ScalarOp::Sub {
            shifted(of(0), whole(1).map(|n| -n))
        } else {
            None
        }
    }

    fn reduce(&self, fold: Fold, axes: &[usize], input: Value) -> Facts {
        let mut facts = self.facts(input).moved(&|axis| {
            let before = axes.iter().filter(|a| **a < axis).count();
            (!axes.contains(&axis)).then(|| (axis - before, 0))
        });
        if fold == Fold::Sum {
            facts.index = None;
            facts.hidden.retain(|(_, kind)| matches!(kind, Kind::Far | Kind::Number(0.0)));
        }
        facts
    }

    fn contract(&self, spec: &Einsum, lhs: Value, rhs: Value) -> Facts {
        let labelled = |value: Value, labels: &[u8]| {
            let labels = labels.to_vec();
            self.facts(value).moved(&move |axis| Some((usize::from(labels[axis]), 0)))
        };
        let (lhs, rhs) = (labelled(lhs, &spec.lhs), labelled(rhs, &spec.rhs));
        let zeros: Vec<Region> = [&lhs, &rhs]
            .into_iter()
            .flat_map(|facts| facts.hidden.iter().filter(|(_, kind)| *kind == Kind::Number(0.0)))
            .map(|(region, _)| *region)
            .collect();
        let sees = lhs.sees.clone().and(rhs.sees.clone());
        let sees = zeros.iter().fold(sees, |sees, region| sees.without(*region));
        let hidden = zeros.into_iter().map(|region| (region, Kind::Number(0.0))).collect();
        let product = Facts { sees, index: None, hidden };
        product.moved(&|label| spec.out.iter().position(|l| usize::from(*l) == label).map(|axis| (axis, 0)))
    }

    fn reshape(&self, value: Value, input: Value) -> Facts {
        if let Some((_, body, inputs, _)) = scan_result(self.graph, value)
            && !self.facts(input).sees.is_nothing()
        {
            return Facts::of(self.scanned(body, inputs));
        }
        let (from, to) = (&self.graph.ty(input).shape, &self.graph.ty(value).shape);
        self.facts(input).moved(&|axis| partner(from, to, axis).map(|axis| (axis, 0)))
    }

    /// What each step of a loop gives sees the steps so far.
    fn scanned(&self, body: &ScanBody, inputs: &[Value]) -> Sees {
        let (slices, others): (Vec<_>, Vec<_>) =
            inputs.iter().enumerate().partition(|(i, _)| body.is_slice(*i));
        let free = others.iter().all(|(_, v)| self.facts(**v).sees.is_nothing());
        if body.reverse || !free {
            return Sees::All;
        }
        let rows =
            slices.iter().map(|(_, v)| self.facts(**v).sees.moved(&|axis| (axis == 0).then_some((0, 0))));
        rows.fold(Sees::nothing(), Sees::and)
    }
}

/// Where a comparison of two indices is 0, and where it is 1.
fn compared(op: ScalarOp, inputs: &[&Facts]) -> Vec<(Region, Kind)> {
    // x >= y or x > y; the others are these, exchanged.
    let (x, y, equal) = match (op, inputs) {
        (ScalarOp::Ge, [x, y]) | (ScalarOp::Le, [y, x]) => (x, y, true),
        (ScalarOp::Gt, [x, y]) | (ScalarOp::Lt, [y, x]) => (x, y, false),
        (_other, _) => return Vec::new(),
    };
    let (Some((a, p)), Some((b, q))) = (x.index, y.index) else { return Vec::new() };
    if a == b {
        return Vec::new();
    }
    // index[b] + q > index[a] + p, or where that is no more than equal.
    let below = Region { query: a, key: b, ahead: p - q - i64::from(!equal) };
    let above = Region { query: b, key: a, ahead: q - p - i64::from(equal) };
    vec![(below, Kind::Number(0.0)), (above, Kind::Number(1.0))]
}
