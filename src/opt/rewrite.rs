//! What local rewrites share: a graph is rebuilt node by node, in order, and a rule may
//! put something else in a node's place.

use super::dce;
use crate::base::TensorType;
use crate::graph::{Builder, Graph, Node, Prim, Value};

/// Sees a node whose inputs are rebuilt already; gives what replaces it. An equal node is
/// no change.
pub type Rule = fn(&mut Rebuild, &Prim, &TensorType) -> Option<Value>;

/// The new graph so far.
pub struct Rebuild {
    pub b: Builder,
    /// Users of each new node, as the old graph had them.
    uses: Vec<usize>,
}

impl Rebuild {
    pub fn prim(&self, v: Value) -> &Prim {
        &self.b.graph().nodes[v].prim
    }

    pub fn rank(&self, v: Value) -> usize {
        self.b.shape(v).rank()
    }

    /// Whether moving the node into its user copies no work.
    pub fn is_used_once(&self, v: Value) -> bool {
        self.uses.get(v.index()).is_none_or(|&n| n <= 1)
    }

    fn count(&mut self, v: Value, users: usize) {
        if self.uses.len() <= v.index() {
            self.uses.resize(v.index() + 1, 0);
        }
        self.uses[v.index()] += users;
    }
}

/// Rebuilds `graph` by `rule`, leaving out what no output needs. True if a rule changed
/// something.
pub fn rewrite(graph: &mut Graph, rule: Rule) -> bool {
    let live = dce::live(graph);
    let users = users(graph, &live);
    let old = std::mem::take(graph);
    let fresh = Graph { name: old.name, leaves: old.leaves, ..Graph::default() };
    let mut rebuild = Rebuild { b: Builder::resume(fresh), uses: Vec::new() };
    let mut place: Vec<Value> = Vec::with_capacity(live.len());
    let mut changed = false;
    for (index, node) in old.nodes.into_iter().enumerate() {
        if !live[index] {
            // Never read: a live node has live inputs.
            place.push(Value::new(index));
            continue;
        }
        let (new, rewritten) = renew(&mut rebuild, node, &place, rule);
        changed |= rewritten;
        rebuild.count(new, users[index]);
        place.push(new);
    }
    *graph = rebuild.b.finish();
    graph.outputs = old.outputs;
    graph.outputs.iter_mut().for_each(|o| o.value = place[o.value.index()]);
    changed
}

fn renew(rebuild: &mut Rebuild, mut node: Node, place: &[Value], rule: Rule) -> (Value, bool) {
    node.prim.inputs_mut().iter_mut().for_each(|v| *v = place[v.index()]);
    rebuild.b.at(node.span);
    match rule(rebuild, &node.prim, &node.ty) {
        Some(new) => {
            let same = *rebuild.prim(new) == node.prim && *rebuild.b.ty(new) == node.ty;
            (new, !same)
        }
        None => (rebuild.b.copy(node), false),
    }
}

fn users(graph: &Graph, live: &[bool]) -> Vec<usize> {
    let mut users = vec![0; graph.nodes.len()];
    let nodes = graph.nodes.iter().filter(|(v, _)| live[v.index()]);
    let reads = nodes.flat_map(|(_, node)| node.prim.inputs().iter().copied());
    reads.chain(graph.outputs.iter().map(|o| o.value)).for_each(|v| users[v.index()] += 1);
    users
}
