//! What an expression can be worth.

use crate::base::{Dim, Span};
use crate::graph::{Builder, Value};
use crate::syntax::ast::Ident;
use std::fmt;

/// A number known while compiling. Sizes are exact, possibly with symbols.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    Int(Dim),
    Float(f64),
}

impl Number {
    /// Its value, when it holds no symbol.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Number::Int(dim) => dim.as_const().map(|n| n as f64),
            Number::Float(x) => Some(*x),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Number::Int(dim) => dim.fmt(f),
            Number::Float(x) => x.fmt(f),
        }
    }
}

/// What arithmetic works on.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    Number(Number),
    Tensor(Value),
}

impl From<Value> for Operand {
    fn from(value: Value) -> Operand {
        Operand::Tensor(value)
    }
}

impl From<f64> for Operand {
    fn from(x: f64) -> Operand {
        Operand::Number(Number::Float(x))
    }
}

impl From<Dim> for Operand {
    fn from(dim: Dim) -> Operand {
        Operand::Number(Number::Int(dim))
    }
}

/// An entity that does not exist: formulas know numbers and tensors alone.
#[derive(Clone, Debug)]
pub enum Never {}

/// What an expression is worth; `E` is what the scope adds (layers, models, columns).
#[derive(Clone, Debug)]
pub enum Item<E = Never> {
    Number(Number),
    Tensor(Value),
    Bool(bool),
    /// Of a string literal.
    Text(String),
    /// Of `(a, b)`, of `[a, b]`, and of calls with several results.
    Tuple(Vec<Item<E>>),
    Entity(E),
}

impl<E> Item<E> {
    pub fn int(n: impl Into<Dim>) -> Self {
        Item::Number(Number::Int(n.into()))
    }

    pub fn float(x: f64) -> Self {
        Item::Number(Number::Float(x))
    }

    /// How messages call it: ``f32[B, 10]``, ``the number 3``.
    pub fn describe(&self, b: &Builder) -> String {
        match self {
            Item::Number(n) => format!("the number {n}"),
            Item::Tensor(v) => format!("{}", b.ty(*v)),
            Item::Bool(x) => format!("`{x}`"),
            Item::Text(text) => format!("the text \"{text}\""),
            Item::Tuple(items) => format!("{} values", items.len()),
            Item::Entity(_) => "not a value".to_string(),
        }
    }
}

impl<E> From<Operand> for Item<E> {
    fn from(operand: Operand) -> Item<E> {
        match operand {
            Operand::Number(n) => Item::Number(n),
            Operand::Tensor(v) => Item::Tensor(v),
        }
    }
}

/// An argument of a call: by place or by name.
#[derive(Clone, Debug)]
pub struct Given<T> {
    pub name: Option<Ident>,
    pub value: T,
    /// The argument's value in the text.
    pub span: Span,
}

impl<T> Given<T> {
    /// By place.
    pub fn new(value: T, span: Span) -> Self {
        Given { name: None, value, span }
    }

    pub fn named(name: &str, value: T, span: Span) -> Self {
        Given { name: Some(Ident { name: name.into(), span }), value, span }
    }
}
