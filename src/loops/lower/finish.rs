//! The last steps: order, weights in place, dims merged, names.

use super::super::dims;
use super::super::ir::*;
use super::Draft;
use super::order::{Links, sort};
use crate::base::Arena;
use std::collections::BTreeMap;
use std::sync::Arc;

pub fn run(draft: Draft) -> Program {
    let Draft { mut program, becomes } = draft;
    let links = Links::of(&program.kernels, &becomes);
    // What leaves nothing behind but weights, results and single numbers frees what it reads, which is near by now.
    let is_kept = |b: BufferId| {
        let buffer = &program.buffers[b];
        buffer.kind != BufferKind::Temp || buffer.len() == 1 || becomes.contains_key(&b)
    };
    let leaves_nothing = |i: usize| links.writes(i).iter().all(|b| is_kept(*b));
    let order = sort(&links.all_after(program.kernels.len()), &leaves_nothing);
    let order = order.expect("loops: joining kernels made no cycle");
    let mut kernels: Vec<Option<Kernel>> = program.kernels.into_iter().map(Some).collect();
    program.kernels =
        order.into_iter().map(|i| kernels[i].take().expect("loops: an order lists each once")).collect();
    for kernel in &mut program.kernels {
        redirect(kernel, |buffer| becomes.get(&buffer).copied().unwrap_or(buffer));
        if let Some(body) = kernel.body_mut() {
            prune(body);
        }
        dims::merge(&mut kernel.kind);
    }
    compact(&mut program);
    for i in 0..program.kernels.len() {
        program.kernels[i].label = label(&program, &program.kernels[i]);
    }
    program
}

/// Points a kernel at other buffers.
pub fn redirect(kernel: &mut Kernel, to: impl Fn(BufferId) -> BufferId) {
    match &mut kernel.kind {
        KernelKind::Rows(_) | KernelKind::Contract(_) => {}
        KernelKind::Scatter(s) => {
            s.index = to(s.index);
            s.updates = to(s.updates);
            s.out = to(s.out);
        }
        KernelKind::Scan(scan) => scan.rename(&to),
    }
    for body in kernel.bodies_mut() {
        for access in body.nodes.iter_mut().filter_map(Node::access_mut) {
            access.buffer = to(access.buffer);
        }
        for store in &mut body.stores {
            store.access.buffer = to(store.access.buffer);
        }
    }
}

/// Drops the nodes that no store needs.
pub fn prune(body: &mut Body) {
    let stored: Vec<NodeId> = body.stores.iter().map(|store| store.value).collect();
    let renamed = keep(body, &stored);
    for store in &mut body.stores {
        store.value = renamed[&store.value];
    }
}

/// Drops the nodes that the value does not need.
pub fn prune_operand(operand: &mut Operand) {
    operand.value = keep(&mut operand.body, &[operand.value])[&operand.value];
}

/// Keeps the nodes that some of them need; what they are called then.
fn keep(body: &mut Body, needed: &[NodeId]) -> BTreeMap<NodeId, NodeId> {
    let mut live = vec![false; body.nodes.len()];
    for id in needed {
        live[id.index()] = true;
    }
    for (id, node) in body.nodes.iter().rev() {
        if live[id.index()] {
            node.inputs().iter().for_each(|input| live[input.index()] = true);
        }
    }
    let mut kept = Arena::new();
    let mut renamed = BTreeMap::new();
    for (id, node) in body.nodes.iter().filter(|(id, _)| live[id.index()]) {
        let mut node = node.clone();
        node.inputs_mut().iter_mut().for_each(|input| *input = renamed[input]);
        renamed.insert(id, kept.push(node));
    }
    body.nodes = kept;
    renamed
}

/// Keeps leaves and results, and the temporaries that are used, numbered as they are written.
fn compact(program: &mut Program) {
    let mut buffers = Arena::new();
    let mut renamed = BTreeMap::new();
    for (id, buffer) in program.buffers.iter() {
        if buffer.kind != BufferKind::Temp {
            renamed.insert(id, buffers.push(buffer.clone()));
        }
    }
    let written: Vec<BufferId> = program.kernels.iter().flat_map(Kernel::writes).collect();
    let mut temps = 0;
    for id in written {
        renamed.entry(id).or_insert_with(|| {
            let name = Arc::from(format!("t{temps}"));
            temps += 1;
            buffers.push(Buffer { name, ..program.buffers[id].clone() })
        });
    }
    program.buffers = buffers;
    for kernel in &mut program.kernels {
        redirect(kernel, |buffer| renamed[&buffer]);
    }
    for (_, buffer) in &mut program.outputs {
        *buffer = renamed[buffer];
    }
}

/// The weights and results that a kernel writes, or else the weights that it reads.
pub fn label(program: &Program, kernel: &Kernel) -> String {
    let names = |buffers: Vec<BufferId>, keep: fn(&BufferKind) -> bool| -> Vec<&str> {
        buffers.iter().map(|&b| &program.buffers[b]).filter(|b| keep(&b.kind)).map(|b| &*b.name).collect()
    };
    let written = names(kernel.writes(), |kind| *kind != BufferKind::Temp);
    if !written.is_empty() {
        return written.join(" ");
    }
    names(kernel.reads(), |kind| matches!(kind, BufferKind::Param(_))).join(" ")
}
