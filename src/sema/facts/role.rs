//! What a name may mean where it stands: by key of a section, by argument of a call.

use super::uses::NameKind;
use crate::ops::{self, AttrType, Sig};
use crate::syntax::ast::Ident;

/// What a bare name may mean where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A tensor, number, layer or function.
    Value,
    Optimizer,
    Schedule,
    Clip,
    Stop,
    Metric,
    Source,
    /// A file of weights.
    WeightFile,
    Generator,
    /// Behind `name :`.
    How,
    /// In a data section: a column, or what is computed from columns.
    Column,
    /// `bias`, `LayerNorm`, `fc1`
    Weights,
    /// `valid.loss`
    Monitor,
    Activation,
    Initialiser,
    /// A word of the callee's own.
    Choice,
    /// Names that the source is to give its columns.
    Columns,
}

/// What the value of a section's key may name.
pub fn role_of(word: &str, key: &str) -> Role {
    match (word, key) {
        ("data", "source" | "valid" | "test") => Role::Source,
        ("model", "pretrained") => Role::WeightFile,
        ("split", "stratify" | "group" | "time") | ("data", "bucket") => Role::Column,
        ("data", "allow") => Role::Choice,
        ("train" | "step", "optimizer") => Role::Optimizer,
        ("train" | "step", "schedule") => Role::Schedule,
        ("train" | "step", "clip") => Role::Clip,
        ("train", "stop") => Role::Stop,
        ("train", "metrics") => Role::Metric,
        ("train" | "model", "freeze")
        | ("model", "fresh")
        | ("train" | "step", "updates")
        | ("groups", "weights") => Role::Weights,
        ("checkpoint", "best") => Role::Monitor,
        _ => Role::Value,
    }
}

/// Which argument of a call.
pub(super) enum Slot<'s> {
    Named(&'s str),
    Place(usize),
}

/// What an argument's value may be.
pub(super) fn argument_role(callee: &Ident, kind: Option<NameKind>, slot: Slot) -> Role {
    let Some(kind) = kind else { return Role::Value };
    if let Some(sig) = sig_of(kind, &callee.name) {
        let attr = match slot {
            Slot::Named("no_decay") => return Role::Weights,
            Slot::Named(name) => sig.attrs.iter().find(|a| a.name == name),
            Slot::Place(at) => sig.attrs.get(at),
        };
        return match attr.map(|a| a.ty) {
            Some(AttrType::Activation) => Role::Activation,
            Some(AttrType::Init) => Role::Initialiser,
            Some(AttrType::Metric) => Role::Monitor,
            Some(AttrType::Choice(_) | AttrType::Choices(_) | AttrType::Cell) => Role::Choice,
            Some(
                AttrType::Size { .. }
                | AttrType::Sizes
                | AttrType::Pair { .. }
                | AttrType::Sides
                | AttrType::Int { .. }
                | AttrType::Float { .. }
                | AttrType::Bool
                | AttrType::Str
                | AttrType::Layer(_),
            )
            | None
                if kind == NameKind::Transform =>
            {
                Role::Choice
            }
            Some(_) | None => Role::Value,
        };
    }
    match (kind, slot) {
        (NameKind::Source, Slot::Named("columns")) => Role::Columns,
        (NameKind::Source, Slot::Named("layout")) => Role::Choice,
        (NameKind::Source, Slot::Place(0)) => Role::Generator,
        _ => Role::Value,
    }
}

/// The signature of what the library has under a name.
pub fn sig_of(kind: NameKind, name: &str) -> Option<&'static Sig> {
    match kind {
        NameKind::Layer => ops::layer(name).map(|l| l.sig()),
        NameKind::Metric => ops::metric::find(name).map(|m| &m.sig),
        NameKind::Optimizer => ops::optimizer::find(name).map(|o| &o.sig),
        NameKind::Schedule if name == ops::plateau::SIG.name => Some(&ops::plateau::SIG),
        NameKind::Schedule => ops::schedule::find(name).map(|s| &s.sig),
        NameKind::Clip => ops::clip::find(name).map(|c| &c.sig),
        NameKind::Stop => (name == ops::stop::EARLY_STOPPING.name).then_some(&ops::stop::EARLY_STOPPING),
        NameKind::Initialiser => ops::init::find(name).map(|i| &i.sig),
        NameKind::Transform => ops::transform::signature(name),
        _ => None,
    }
}
