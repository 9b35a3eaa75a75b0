//! What every graph promises, checked after each stage that makes or changes one.
//!
//! - Leaves have distinct names; a scalar leaf is rank 0.
//! - Inputs precede users, and every node's type is right ([`infer::check`]); the node of
//!   a leaf has the leaf's type.
//! - Outputs name nodes of the graph. A loss is an `f32` scalar, a metric `f32`. An update has
//!   the type of its leaf, which is a weight or a state, and is the only one of that leaf.
//!   Outputs that are not updates have distinct names.

use super::infer;
use super::ir::{Graph, Leaf, LeafKind, Node, Output, OutputKind, Prim, Value};
use crate::base::{DType, TensorType};
use std::collections::BTreeSet;

/// Whether the graph keeps its promises; the error names the first that it breaks.
pub fn verify(graph: &Graph) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for (_, leaf) in graph.leaves.iter() {
        check_leaf(leaf)?;
        if !names.insert(&leaf.name) {
            return Err(format!("two leaves are called `{}`", leaf.name));
        }
    }
    for (value, node) in graph.nodes.iter() {
        check_node(graph, value, node).map_err(|why| format!("{value}, {:?}: {why}", node.prim))?;
    }
    let mut outputs = BTreeSet::new();
    for output in &graph.outputs {
        check_output(graph, output).map_err(|why| format!("output `{}` {why}", output.name))?;
        let key = match &output.kind {
            OutputKind::Update(leaf) => (Some(*leaf), None),
            OutputKind::Loss | OutputKind::Metric | OutputKind::Value => (None, Some(&output.name)),
        };
        if !outputs.insert(key) {
            return Err(format!("output `{}` is there twice", output.name));
        }
    }
    Ok(())
}

fn check_leaf(leaf: &Leaf) -> Result<(), String> {
    let scalar_has_axes = leaf.kind == LeafKind::Scalar && leaf.ty.rank() > 0;
    if scalar_has_axes { Err(format!("scalar leaf `{}` is {}", leaf.name, leaf.ty)) } else { Ok(()) }
}

fn check_node(graph: &Graph, value: Value, node: &Node) -> Result<(), String> {
    if let Some(late) = node.prim.inputs().iter().find(|&&input| input >= value) {
        return Err(format!("its input {late} does not precede it"));
    }
    if let Prim::Leaf(leaf) = node.prim {
        if leaf.index() >= graph.leaves.len() {
            return Err(format!("there is no leaf {leaf}"));
        }
        let wanted = &graph.leaves[leaf].ty;
        return if node.ty == *wanted {
            Ok(())
        } else {
            Err(format!("the leaf is {wanted}, not {}", node.ty))
        };
    }
    let inputs: Vec<&TensorType> = node.prim.inputs().iter().map(|&v| graph.ty(v)).collect();
    infer::check(&node.prim, &node.ty, &inputs)?;
    if let Prim::Scan { body, .. } = &node.prim {
        verify(&body.graph).map_err(|why| format!("in its body: {why}"))?;
    }
    Ok(())
}

fn check_output(graph: &Graph, output: &Output) -> Result<(), String> {
    if output.value.index() >= graph.nodes.len() {
        return Err(format!("is {}, which does not exist", output.value));
    }
    let ty = graph.ty(output.value);
    match &output.kind {
        OutputKind::Value => Ok(()),
        OutputKind::Metric if ty.dtype == DType::F32 => Ok(()),
        OutputKind::Loss if *ty == TensorType::scalar(DType::F32) => Ok(()),
        OutputKind::Loss | OutputKind::Metric => Err(format!("is {ty}, not f32[]")),
        OutputKind::Update(leaf) => {
            let leaf = &graph.leaves[*leaf];
            match leaf.kind {
                LeafKind::Param(_) | LeafKind::State(_) if leaf.ty == *ty => Ok(()),
                LeafKind::Param(_) | LeafKind::State(_) => Err(format!("is {ty}, but its leaf {}", leaf.ty)),
                LeafKind::Batch | LeafKind::Scalar => Err(format!("updates `{}`", leaf.name)),
            }
        }
    }
}
