//! Kernels without names: buffers and random sites become slots, so that equal kernels of repeated
//! layers are equal and share code.

use crate::base::{DType, Id};
use crate::loops::{Body, BufferId, KernelKind, Node, Program};
use std::sync::Arc;

/// What the slots of a kernel stand for.
#[derive(Clone, Debug, Default)]
pub struct Binding {
    pub buffers: Vec<BufferId>,
    pub dtypes: Vec<DType>,
    pub sites: Vec<Arc<str>>,
}

impl Binding {
    fn slot(&mut self, program: &Program, buffer: BufferId) -> BufferId {
        let at = self.buffers.iter().position(|&b| b == buffer).unwrap_or_else(|| {
            self.buffers.push(buffer);
            self.dtypes.push(program.buffers[buffer].dtype);
            self.buffers.len() - 1
        });
        Id::new(at)
    }

    fn site(&mut self, site: &Arc<str>) -> Arc<str> {
        let at = self.sites.iter().position(|s| s == site).unwrap_or_else(|| {
            self.sites.push(site.clone());
            self.sites.len() - 1
        });
        Arc::from(at.to_string())
    }
}

/// The kernel with slots for buffers and sites, and what they stand for. Kernels that differ in
/// their binding alone share code.
pub fn bind(program: &Program, kind: &KernelKind) -> (KernelKind, Binding) {
    let mut kind = kind.clone();
    let mut binding = Binding::default();
    kind.bodies_mut().into_iter().for_each(|body| bind_body(program, body, &mut binding));
    match &mut kind {
        KernelKind::Rows(_) | KernelKind::Contract(_) => {}
        KernelKind::Scatter(scatter) => {
            for buffer in [&mut scatter.index, &mut scatter.updates, &mut scatter.out] {
                *buffer = binding.slot(program, *buffer);
            }
        }
        KernelKind::Scan(scan) => scan.rename(|buffer| binding.slot(program, buffer)),
    }
    (kind, binding)
}

fn bind_body(program: &Program, body: &mut Body, binding: &mut Binding) {
    for node in body.nodes.iter_mut() {
        if let Some(access) = node.access_mut() {
            access.buffer = binding.slot(program, access.buffer);
        }
        if let Node::Random { site, .. } = node {
            *site = binding.site(site);
        }
    }
    for store in &mut body.stores {
        store.access.buffer = binding.slot(program, store.access.buffer);
    }
}
