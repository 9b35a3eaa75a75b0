//! Writing facts down while a spec is checked.

use super::{Facts, StageFact, Typed};
use crate::base::{Dim, FileId, Span, TensorType};
use crate::graph::{Builder, LeafKind, Prim};
use crate::sema::job::ParamValue;
use crate::sema::memo::Memo;
use std::cell::RefCell;
use std::sync::Arc;

/// Takes facts, or nothing where nobody asked for them.
#[derive(Debug, Default)]
pub(in crate::sema) struct Recorder {
    facts: Option<RefCell<Facts>>,
    /// What earlier texts told of models.
    memo: Option<RefCell<Memo>>,
}

/// How far a graph was before a stage was applied.
#[derive(Clone, Copy)]
pub(in crate::sema) struct Mark {
    leaves: usize,
    nodes: usize,
}

impl Mark {
    pub fn starts(b: &Builder) -> Mark {
        Mark { leaves: b.graph().leaves.len(), nodes: b.graph().nodes.len() }
    }
}

impl Recorder {
    pub fn on() -> Recorder {
        Recorder { facts: Some(RefCell::default()), memo: None }
    }

    /// With what earlier texts told.
    pub fn again(memo: Memo) -> Recorder {
        Recorder { memo: Some(RefCell::new(memo)), ..Recorder::on() }
    }

    pub fn memo(&self) -> Option<&RefCell<Memo>> {
        self.memo.as_ref()
    }

    /// What `act` alone notes.
    pub fn apart<T>(&self, act: impl FnOnce() -> T) -> (T, Facts) {
        let Some(facts) = &self.facts else { return (act(), Facts::default()) };
        let others = facts.take();
        let made = act();
        (made, facts.replace(others))
    }

    /// Notes what was noted apart.
    pub fn merge(&self, facts: Facts) {
        self.with(|all| all.merge(facts));
    }

    /// Keeps what was seen in one text: who shows facts beside it takes places for places in it.
    pub fn only_of(&self, file: FileId) {
        self.with(|facts| {
            let here = |span: &Span| span.file == file;
            facts.types.retain(|span, _| here(span));
            facts.stages.retain(|span, _| here(span));
            facts.values.retain(|span, _| here(span));
            facts.sizes.retain(|span, _| here(span));
            facts.models.retain(|span, _| here(span));
            facts.uses.retain(|one| here(&one.span));
        });
    }

    pub fn is_on(&self) -> bool {
        self.facts.is_some()
    }

    pub fn finish(self) -> (Facts, Memo) {
        let memo = self.memo.map(RefCell::into_inner).unwrap_or_default();
        (self.facts.map(RefCell::into_inner).unwrap_or_default(), memo)
    }

    fn with(&self, write: impl FnOnce(&mut Facts)) {
        if let Some(facts) = &self.facts {
            write(&mut facts.borrow_mut());
        }
    }

    /// Notes what the text at `span` gave; nothing of what is no tensor.
    pub fn types(&self, span: Span, types: impl FnOnce() -> Vec<TensorType>) {
        self.with(|facts| {
            let types = types();
            if types.is_empty() {
                return;
            }
            match facts.types.get_mut(&span) {
                Some(known) => {
                    let known = Arc::make_mut(known);
                    known.varies |= known.types != types;
                }
                None => {
                    facts.types.insert(span, Arc::new(Typed { types, varies: false }));
                }
            }
        });
    }

    /// Notes a stage that has just been applied.
    pub fn stage(
        &self,
        span: Span,
        name: &str,
        b: &Builder,
        before: Mark,
        types: impl FnOnce() -> (Vec<TensorType>, Vec<TensorType>),
    ) {
        self.with(|facts| {
            let (inputs, outputs) = types();
            if let Some(known) = facts.stages.get_mut(&span) {
                let known = Arc::make_mut(known);
                known.copies += 1;
                known.varies |= known.inputs != inputs || known.outputs != outputs;
                return;
            }
            let made = b.graph().leaves.since(before.leaves).iter();
            let weights = made.filter(|l| matches!(l.kind, LeafKind::Param(_)));
            let fact = StageFact {
                name: name.to_string(),
                inputs,
                outputs,
                weights: weights.map(|l| (l.name.to_string(), l.ty.clone())).collect(),
                products: products(b, before.nodes),
                copies: 1,
                varies: false,
            };
            facts.stages.insert(span, Arc::new(fact));
        });
    }

    /// Notes the weights of a model that is right.
    pub fn model(&self, name: Span, b: &Builder) {
        self.with(|facts| {
            let leaves = b.graph().leaves.iter().filter(|(_, l)| matches!(l.kind, LeafKind::Param(_)));
            let weights = leaves.map(|(_, l)| (l.name.to_string(), l.ty.clone())).collect();
            facts.models.insert(name, Arc::new(weights));
        });
    }

    pub fn value(&self, span: Span, value: &ParamValue) {
        self.with(|facts| drop(facts.values.insert(span, value.clone())));
    }

    pub fn size(&self, span: Span, size: &Dim) {
        self.with(|facts| drop(facts.sizes.insert(span, size.clone())));
    }

    pub fn data(&self, data: impl FnOnce() -> Vec<super::DataFact>) {
        self.with(|facts| facts.data = data());
    }

    pub fn uses(&self, uses: impl FnOnce(&Facts) -> Vec<super::Use>) {
        self.with(|facts| facts.uses = uses(facts));
    }
}

/// The matrix products behind node `before`, each as the sizes that its multiply-adds run over.
fn products(b: &Builder, before: usize) -> Vec<Vec<Dim>> {
    let graph = b.graph();
    let products = graph.nodes.since(before).iter().filter_map(|node| match &node.prim {
        Prim::Contract { spec, inputs } => Some((spec, inputs)),
        _moves_and_maps => None,
    });
    let sizes = products.map(|(spec, [lhs, rhs])| {
        let left = spec.lhs.iter().zip(graph.ty(*lhs).shape.iter());
        let right = spec.rhs.iter().zip(graph.ty(*rhs).shape.iter());
        let new = right.filter(|(label, _)| !spec.lhs.contains(label));
        left.chain(new).map(|(_, size)| size.clone()).collect()
    });
    sizes.collect()
}
