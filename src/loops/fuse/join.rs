//! Makes one kernel of two whose spaces are aligned.

use super::super::ir::*;
use std::collections::BTreeMap;

/// The body that first does what `producer` does, then what `consumer` does, where each load of a
/// value that the producer stores becomes the value; none where such a load is not at the
/// stored point.
pub fn bodies(producer: &Body, consumer: &Body) -> Option<Body> {
    let mut joined = producer.clone();
    let mut renamed: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for (id, node) in consumer.nodes.iter() {
        let stored = node.access().and_then(|a| {
            let mut stores = producer.stores.iter().filter(|s| s.access.buffer == a.buffer).peekable();
            let first = stores.peek().copied()?;
            Some(stores.find(|s| same_place(a, &s.access)).unwrap_or(first))
        });
        let new = match (stored, node) {
            (Some(store), Node::Load(access)) if same_place(access, &store.access) => store.value,
            (Some(_), _) => return None,
            (None, node) => {
                let mut node = node.clone();
                node.inputs_mut().iter_mut().for_each(|input| *input = renamed[input]);
                let known = joined.nodes.iter().find(|(_, n)| **n == node).map(|(id, _)| id);
                known.unwrap_or_else(|| joined.nodes.push(node))
            }
        };
        renamed.insert(id, new);
    }
    let stores = consumer.stores.iter().map(|s| Store { value: renamed[&s.value], access: s.access.clone() });
    joined.stores.extend(stores);
    Some(joined)
}

fn same_place(load: &Access, store: &Access) -> bool {
    load.guards.is_empty() && load.offset == store.offset && load.strides == store.strides
}
