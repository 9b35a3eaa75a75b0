//! Copies of a chain are written after the first one, without looking at its text again.
//!
//! A deep net is one block many times; what the first copy wrote into the graph and into the scope is all that there is
//! to know of the others, as long as they take the same types. What cannot be shown to be the same is elaborated.

use super::pipe::Inputs;
use super::{Elab, Entity, Ev, Meta};
use crate::base::{Span, TensorType};
use crate::graph::{Builder, Part, Value};
use crate::ops::formula::{Given, Item, MOST_NODES, USE, written};
use crate::sema::job::LayerInfo;
use std::collections::BTreeSet;

/// What a copy wrote, and what it took and gave.
pub(super) struct Copied {
    part: Part,
    uses: usize,
    inputs: Vec<Value>,
    mask: Option<Value>,
    outputs: Inputs,
    metas: Vec<Meta>,
    layers: Vec<LayerInfo>,
    penalties: Vec<Value>,
    /// Paths that layers in it took.
    taken: Taken,
}

/// Weight paths of a part: named, made up, and with penalties.
struct Taken {
    claimed: Vec<(String, Span)>,
    made_up: Vec<String>,
    penalized: Vec<String>,
}

impl Taken {
    fn within(scope: &Elab, part: &Part) -> Taken {
        let from = || part.from.clone()..;
        let own = |path: &String| part.rename(path, "").is_some();
        let all = |paths: &BTreeSet<String>| {
            paths
                .range(from())
                .take_while(|p| p.starts_with(&part.from))
                .filter(|p| own(p))
                .cloned()
                .collect()
        };
        let claimed = scope.claimed.range(from()).take_while(|(p, _)| p.starts_with(&part.from));
        Taken {
            claimed: claimed.filter(|(p, _)| own(p)).map(|(p, at)| (p.clone(), *at)).collect(),
            made_up: all(&scope.made_up),
            penalized: all(&scope.penalized),
        }
    }

    /// Whether nobody else took one of the same paths behind `to`.
    fn is_free(&self, scope: &Elab, part: &Part, to: &str) -> bool {
        self.claimed.iter().all(|(path, at)| {
            part.rename(path, to).and_then(|path| scope.claimed.get(&path)).is_none_or(|known| known == at)
        })
    }

    fn again(&self, scope: &mut Elab, part: &Part, to: &str) {
        let renamed = |path: &String| part.rename(path, to);
        scope.claimed.extend(self.claimed.iter().filter_map(|(path, at)| Some((renamed(path)?, *at))));
        scope.made_up.extend(self.made_up.iter().filter_map(renamed));
        scope.penalized.extend(self.penalized.iter().filter_map(renamed));
    }
}

/// What there was before a copy was elaborated.
pub(super) struct Before {
    nodes: usize,
    uses: usize,
    inputs: Vec<Value>,
    mask: Option<Value>,
    layers: usize,
    penalties: usize,
    /// What losses and models that are fed leave in the scope; it does not tell copies apart.
    elsewhere: [usize; 4],
}

fn elsewhere(scope: &Elab) -> [usize; 4] {
    [scope.pairs.len(), scope.wanted.len(), scope.balanced.len(), scope.outputs.len()]
}

/// The tensors of plain numbers that flow in, and the mask that they share.
fn plain(ev: &Ev, inputs: &Inputs) -> Option<(Vec<Value>, Option<Value>)> {
    let tensor = |given: &Given<Item<Entity>>| match given.value {
        Item::Tensor(v) => Some(v),
        _ => None,
    };
    let values: Vec<Value> = inputs.iter().map(tensor).collect::<Option<_>>()?;
    let metas: Vec<Meta> = values.iter().map(|v| ev.scope.meta(*v)).collect();
    let mask = metas.first()?.mask;
    let same = metas.iter().all(|m| m.prob.is_none() && m.classes.is_none() && m.mask == mask);
    same.then_some((values, mask))
}

fn types(b: &Builder, values: &[Value]) -> Vec<TensorType> {
    values.iter().map(|v| b.ty(*v).clone()).collect()
}

impl Before {
    /// None if what flows in is known to be more than a tensor, or somebody notes what is seen.
    pub fn now(ev: &Ev, inputs: &Inputs) -> Option<Before> {
        let (inputs, mask) = plain(ev, inputs).filter(|_| !ev.scope.records)?;
        Some(Before {
            nodes: ev.b.graph().nodes.len(),
            uses: ev.b.uses,
            inputs,
            mask,
            layers: ev.scope.layers.len(),
            penalties: ev.scope.penalties.len(),
            elsewhere: elsewhere(ev.scope),
        })
    }

    /// The copy at `path` that was written since; none if another one may differ by more than its names.
    pub fn copied(self, ev: &Ev, outputs: &Inputs, path: &str) -> Option<Copied> {
        let graph = ev.b.graph();
        let part = Part { nodes: self.nodes..graph.nodes.len(), from: path.to_string() };
        let (values, _) = plain(ev, outputs)?;
        let given: Vec<Value> = self.inputs.iter().copied().chain(self.mask).collect();
        let own = |layer: &LayerInfo| layer.path.is_empty() || part.rename(&layer.path, "").is_some();
        let layers = ev.scope.layers[self.layers..].to_vec();
        let same = ev.diags.is_empty()
            && ev.scope.freeze.is_none()
            && elsewhere(ev.scope) == self.elsewhere
            && types(ev.b, &values) == types(ev.b, &self.inputs)
            && layers.iter().all(own)
            && ev.b.can_repeat(&part, &given);
        same.then(|| Copied {
            uses: ev.b.uses - self.uses,
            inputs: self.inputs,
            mask: self.mask,
            metas: values.iter().map(|v| ev.scope.meta(*v)).collect(),
            outputs: outputs.clone(),
            layers,
            penalties: ev.scope.penalties[self.penalties..].to_vec(),
            taken: Taken::within(ev.scope, &part),
            part,
        })
    }
}

/// Writes `copied` once more at `path`; none if that is not what elaboration would give.
pub(super) fn again(ev: &mut Ev, copied: &Copied, inputs: &Inputs, path: &str) -> Option<Inputs> {
    let part = &copied.part;
    let (inputs, mask) = plain(ev, inputs)?;
    let room = written(ev.b) + part.nodes.len() + copied.uses * USE <= MOST_NODES;
    let same = types(ev.b, &inputs) == types(ev.b, &copied.inputs) && mask.is_some() == copied.mask.is_some();
    if !room || !same || !copied.taken.is_free(ev.scope, part, path) {
        return None;
    }
    ev.b.uses += copied.uses;
    let masks = copied.mask.zip(mask);
    let given = copied.inputs.iter().copied().zip(inputs).chain(masks);
    let renamed = ev.b.repeat(part, path, given);
    let now = |v: Value| renamed.get(v).unwrap_or(v);
    copied.taken.again(ev.scope, part, path);
    let layer = |layer: &LayerInfo| LayerInfo {
        path: part.rename(&layer.path, path).unwrap_or_default(),
        params: layer.params.iter().map(|p| part.rename(p, path).unwrap_or_else(|| p.clone())).collect(),
        ..layer.clone()
    };
    ev.scope.layers.extend(copied.layers.iter().map(layer));
    ev.scope.penalties.extend(copied.penalties.iter().map(|v| now(*v)));
    let mut outputs = copied.outputs.clone();
    for (given, meta) in outputs.iter_mut().zip(&copied.metas) {
        let Item::Tensor(v) = &mut given.value else { unreachable!("copies: outputs are tensors") };
        *v = now(*v);
        ev.scope.meta.insert(*v, Meta { mask: meta.mask.map(now), ..meta.clone() });
    }
    Some(outputs)
}
