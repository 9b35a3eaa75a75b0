//! A part of a graph once more, with other inputs and under other names.

use super::Builder;
use crate::graph::ir::{LeafKind, Node, OutputKind, Prim, Value};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Nodes that follow each other, and what they are called by: leaves and random sites `from`, `from.…`.
#[derive(Clone, Debug)]
pub struct Part {
    pub nodes: Range<usize>,
    pub from: String,
}

/// By node of a part, and of what it is given, what stands for it in a copy.
#[derive(Debug)]
pub struct Renamed {
    first: usize,
    own: Vec<Option<Value>>,
    given: BTreeMap<Value, Value>,
}

impl Renamed {
    fn new(part: &Part, given: impl IntoIterator<Item = (Value, Value)>) -> Renamed {
        Renamed {
            first: part.nodes.start,
            own: vec![None; part.nodes.len()],
            given: given.into_iter().collect(),
        }
    }

    pub fn get(&self, old: Value) -> Option<Value> {
        match old.index().checked_sub(self.first).and_then(|i| self.own.get(i)) {
            Some(own) => *own,
            None => self.given.get(&old).copied(),
        }
    }

    fn insert(&mut self, old: Value, new: Value) {
        match old.index().checked_sub(self.first).and_then(|i| self.own.get_mut(i)) {
            Some(own) => *own = Some(new),
            None => drop(self.given.insert(old, new)),
        }
    }
}

impl Part {
    /// `h.0.fc.weight` of `h.0` as `h.1.fc.weight`; none if the name is not the part's.
    pub fn rename(&self, name: &str, to: &str) -> Option<String> {
        let rest = name.strip_prefix(&self.from).filter(|rest| rest.is_empty() || rest.starts_with('.'))?;
        Some(format!("{to}{rest}"))
    }
}

impl Builder {
    /// Whether a copy of `part` is what would be built again: nothing in it is called but by the part's name, and it
    /// reads weights and numbers alone beside what is `given`.
    pub fn can_repeat(&self, part: &Part, given: &[Value]) -> bool {
        let graph = &self.graph;
        let own = |name: &str| part.rename(name, "").is_some();
        let inside = |v: &Value| part.nodes.contains(&v.index());
        let known = |v: &Value| match &graph.nodes[*v].prim {
            Prim::Leaf(leaf) => {
                let leaf = &graph.leaves[*leaf];
                own(&leaf.name) || !matches!(leaf.kind, LeafKind::State(_))
            }
            Prim::Const(_) | Prim::Size(_) => true,
            _ => inside(v) || given.contains(v),
        };
        let draws = |node: &Node| node.prim.sites().iter().any(|site| !own(site));
        let nodes = graph.nodes.iter().skip(part.nodes.start).take(part.nodes.len());
        nodes.into_iter().all(|(v, node)| known(&v) && !draws(node) && node.prim.inputs().iter().all(known))
    }

    /// Adds the nodes of `part` again, called `to`, reading what is `given` instead of what they read, and returns
    /// by node what stands for it now. Leaves that are there already are read.
    pub fn repeat(
        &mut self,
        part: &Part,
        to: &str,
        given: impl IntoIterator<Item = (Value, Value)>,
    ) -> Renamed {
        let mut renamed = Renamed::new(part, given);
        let old: Vec<Value> = self.graph.nodes.ids().skip(part.nodes.start).take(part.nodes.len()).collect();
        for old in old {
            let Node { mut prim, ty, span } = self.graph.nodes[old].clone();
            for input in prim.inputs_mut() {
                *input = self.again(part, to, &mut renamed, *input);
            }
            let new = match &mut prim {
                Prim::Leaf(_) => self.again(part, to, &mut renamed, old),
                _ => {
                    let own =
                        |site: &str| part.rename(site, to).expect("graph: the part draws from its own sites");
                    prim.rename_sites(&own);
                    self.copy(Node { prim, ty, span })
                }
            };
            renamed.insert(old, new);
        }
        self.update_again(part, to, &renamed);
        renamed
    }

    /// What stands for `old` in a copy: itself, unless it was renamed or is a leaf of the part.
    fn again(&mut self, part: &Part, to: &str, renamed: &mut Renamed, old: Value) -> Value {
        if let Some(new) = renamed.get(old) {
            return new;
        }
        let Prim::Leaf(leaf) = self.graph.nodes[old].prim else { return old };
        let known = &self.graph.leaves[leaf];
        let Some(name) = part.rename(&known.name, to) else { return old };
        let (ty, kind, span) = (known.ty.clone(), known.kind.clone(), known.span);
        let new = match self.find(&name) {
            Some(leaf) => self.read(leaf),
            None => {
                let outer = std::mem::replace(&mut self.span, span);
                let new = self.leaf(name, ty, kind);
                self.span = outer;
                new
            }
        };
        renamed.insert(old, new);
        new
    }

    /// States that the part carries along, its copy does too.
    fn update_again(&mut self, part: &Part, to: &str, renamed: &Renamed) {
        let mut more = Vec::new();
        for output in &self.graph.outputs {
            let OutputKind::Update(leaf) = output.kind else { continue };
            let Some(value) = renamed.get(output.value) else { continue };
            let name = part.rename(&self.graph.leaves[leaf].name, to);
            let name = name.expect("graph: the part carries its own states along");
            let leaf = self.find(&name).expect("graph: a state that is updated was read");
            let called = part.rename(&output.name, to).map_or_else(|| output.name.clone(), Arc::from);
            more.push((called, leaf, value));
        }
        more.into_iter().for_each(|(name, leaf, value)| self.update(name, leaf, value));
    }
}
