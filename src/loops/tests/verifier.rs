//! Programs broken in one place each: the verifier names it.

use super::training::{adam, mlp};
use crate::base::{DType, Id};
use crate::graph::{Fold, ScalarOp};
use crate::loops::{
    self, Body, BufferId, BufferKind, Contract, Fusion, Guard, KernelKind, Node, Program, Rows, memory,
};

fn program() -> Program {
    loops::lower(&mlp(6, [5, 4, 3], adam), &Fusion::CPU)
}

fn buffer(p: &Program, name: &str) -> BufferId {
    p.buffers.iter().find(|(_, b)| &*b.name == name).expect("a buffer of that name").0
}

fn rows(p: &mut Program) -> &mut Rows {
    let found = p.kernels.iter_mut().find_map(|k| match &mut k.kind {
        KernelKind::Rows(rows) if !rows.row.is_empty() => Some(rows),
        KernelKind::Rows(_) | KernelKind::Contract(_) | KernelKind::Scatter(_) | KernelKind::Scan(_) => None,
    });
    found.expect("the step has rows")
}

fn product(p: &mut Program) -> &mut Contract {
    let found = p.kernels.iter_mut().find_map(|k| match &mut k.kind {
        KernelKind::Contract(c) => Some(c),
        KernelKind::Rows(_) | KernelKind::Scatter(_) | KernelKind::Scan(_) => None,
    });
    found.expect("the step has products")
}

fn first_load(body: &mut Body) -> &mut loops::Access {
    body.nodes.iter_mut().find_map(Node::access_mut).expect("the body loads")
}

/// What the verifier says, and what is done to a sound program.
type Case = (&'static str, fn(&mut Program));

#[test]
fn every_property_is_checked() {
    let cases: &[Case] = &[
        ("strides", |p| first_load(&mut rows(p).body).strides.push(0)),
        ("is read at", |p| first_load(&mut rows(p).body).offset = 1),
        ("is read at", |p| first_load(&mut product(p).lhs.body).offset = -1),
        // A guard may keep a load inside its buffer, or not.
        ("is read at", |p| {
            let load = first_load(&mut product(p).lhs.body);
            load.offset = -1;
            load.guards.push(Guard { offset: 0, strides: load.strides.clone(), size: 1 << 20 });
        }),
        ("an operand folds", |p| {
            let lhs = &mut product(p).lhs;
            lhs.value = lhs.body.nodes.push(Node::Fold { fold: Fold::Sum, input: lhs.value });
        }),
        ("an operand stores", |p| {
            let store = product(p).body.stores[0].clone();
            product(p).lhs.body.stores.push(store);
        }),
        ("does more than it gives", |p| {
            product(p).lhs.body.nodes.push(Node::Const { value: 0.0, dtype: DType::F32 });
        }),
        ("an operand is i32", |p| {
            let lhs = &mut product(p).lhs;
            lhs.value = lhs.body.nodes.push(Node::Op { op: ScalarOp::ToI32, inputs: vec![lhs.value] });
        }),
        ("is the sum of no product", |p| {
            let rhs = &mut product(p).rhs;
            rhs.value = rhs.body.nodes.push(Node::Acc);
        }),
        ("is the sum of no product", |p| {
            rows(p).body.nodes.push(Node::Acc);
        }),
        ("uses what follows it", |p| {
            let body = &mut rows(p).body;
            let last = Id::new(body.nodes.len() - 1);
            let node = body.nodes.iter_mut().find(|n| !n.inputs().is_empty()).expect("the body computes");
            node.inputs_mut()[0] = last;
        }),
        ("stored as another type", |p| {
            let body = &mut rows(p).body;
            let value = body.nodes.push(Node::Const { value: 0.0, dtype: DType::I32 });
            body.stores[0].value = value;
        }),
        ("not stored once everywhere", |p| rows(p).body.stores[0].access.offset = 1),
        ("stored over too few dims", |p| {
            let body = &mut rows(p).body;
            let full = body.stores.iter().map(|s| s.value).next_back().expect("stores");
            body.stores[0].value = full;
        }),
        ("read before it is written", |p| p.kernels.swap(0, 2)),
        ("is written twice", |p| p.kernels.insert(1, p.kernels[0].clone())),
        ("is written", |p| {
            let image = buffer(p, "image");
            p.buffers[image].kind = BufferKind::Batch;
            let kernel = p.kernels.iter_mut().find_map(|k| k.body_mut()).expect("a body");
            kernel.stores[0].access.buffer = image;
        }),
        ("never written", |p| p.kernels.retain(|k| !k.label.contains("loss"))),
        ("overwritten before it is read", |p| {
            let update = p.kernels.last_mut().expect("kernels").body_mut().expect("a body");
            let weight = update.stores.last().expect("an update").access.buffer;
            let old = update.nodes.iter_mut().filter_map(Node::access_mut).find(|a| a.buffer == weight);
            let old = old.expect("the old weight is read");
            old.strides.iter_mut().for_each(|s| *s = 0);
        }),
    ];
    loops::verify(&program()).expect("sound before it is broken");
    for (wanted, harm) in cases {
        let mut broken = program();
        harm(&mut broken);
        let found = loops::verify(&broken).expect_err(wanted);
        assert!(found.contains(wanted), "{wanted}: {found}");
    }
}

#[test]
fn the_plan_reaches_its_bound_and_shares_nothing() {
    let program = program();
    let plan = memory::plan(&program);
    assert_eq!(plan.arena_bytes, plan.live_bound_bytes);
    let placed: Vec<usize> = (0..plan.offsets.len()).filter(|&i| plan.offsets[i].is_some()).collect();
    let mut moved = plan.clone();
    moved.offsets[placed[0]] = moved.offsets[placed[1]];
    memory::verify(&program, &moved).expect_err("two live temporaries in one place");
    let mut odd = plan.clone();
    odd.offsets[placed[0]] = Some(4);
    memory::verify(&program, &odd).expect_err("not aligned");
}
