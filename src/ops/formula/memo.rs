//! Uses of ops that were made before.
//!
//! Formulas have no state: the same op on the same values is the same tensor. Without this table a
//! chain of ops, each using the one before twice, would be written out like a tree.

use super::Checked;
use super::decl::OpDecl;
use super::fit::Placed;
use super::item::{Item, Number};
use crate::base::Dim;
use crate::graph::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// The uses under one outermost use, shared by all formulas inside it. Only looked up, never listed.
#[derive(Clone, Debug, Default)]
pub struct Memo(Rc<RefCell<HashMap<Use, Checked<Vec<Item>>>>>);

/// An op by name, whether it is the library's, and one argument for each parameter.
pub(super) type Use = (Arc<str>, bool, Vec<Option<Argument>>);

/// An [`Item`] that can be looked up; floats by their bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Argument {
    Int(Dim),
    Float(u64),
    Tensor(Value),
    Bool(bool),
    Text(String),
    Tuple(Vec<Argument>),
}

impl Argument {
    fn of(item: &Item) -> Argument {
        match item {
            Item::Number(Number::Int(dim)) => Argument::Int(dim.clone()),
            Item::Number(Number::Float(x)) => Argument::Float(x.to_bits()),
            Item::Tensor(v) => Argument::Tensor(*v),
            Item::Bool(x) => Argument::Bool(*x),
            Item::Text(text) => Argument::Text(text.clone()),
            Item::Tuple(items) => Argument::Tuple(items.iter().map(Argument::of).collect()),
            Item::Entity(never) => match *never {},
        }
    }
}

impl Memo {
    pub(super) fn key(op: &OpDecl, args: &[Option<Placed>]) -> Use {
        let args = args.iter().map(|arg| arg.as_ref().map(|(item, _)| Argument::of(item)));
        (op.name.clone(), op.std, args.collect())
    }

    /// What the use gave before. A mistake in it is reported already.
    pub(super) fn get(&self, key: &Use) -> Option<Checked<Vec<Item>>> {
        self.0.borrow().get(key).cloned()
    }

    pub(super) fn put(&self, key: Use, made: Checked<Vec<Item>>) {
        self.0.borrow_mut().insert(key, made);
    }
}
