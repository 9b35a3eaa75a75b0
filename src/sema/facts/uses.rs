//! Names and what they stand for.

use crate::base::Span;
use crate::ops::Library;
use crate::syntax::ast;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NameKind {
    // The file's own.
    Param,
    Dim,
    /// A user's `op`.
    Op,
    Block,
    Model,
    Data,
    Variant,
    /// A name that `train`, `groups` or a data-like section bears.
    Section,
    Let,
    Input,
    Output,
    /// A setting of a block, a parameter of an op.
    Setting,
    /// A size that a signature binds, or the index of a `repeat`.
    Size,
    /// What `as` or a `let` of a layer gives, and parts of it: `fc1`, `fc1.weight`.
    Weight,
    /// Of a data section.
    Column,
    /// What `feed` calls a column.
    Feed,
    // The language's.
    Word,
    Key,
    Type,
    Batch,
    // The library's.
    Layer,
    Function,
    Loss,
    Metric,
    Optimizer,
    Schedule,
    Clip,
    Stop,
    Initialiser,
    Source,
    Generator,
    Transform,
    /// The name of an argument: `activation` in `activation=relu`.
    Argument,
    /// One of an argument's choices: `left` in `side=left`.
    Choice,
    /// What the data know of themselves: `features` in `people.features`.
    DataSize,
}

/// A name in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    pub span: Span,
    pub kind: NameKind,
    /// Where the file makes it: the name's span there, which may be this one. `None` of what the file does not make.
    pub definition: Option<Span>,
    /// What it belongs to: of an argument the callee, of a key the section's word, of a column the data section,
    /// of an output the model.
    pub owner: Option<String>,
}

/// Every name of the tree, in order of place.
pub(in crate::sema) fn uses_in(file: &ast::File, library: &Library, seen: &super::Facts) -> Vec<Use> {
    super::walk::Walker::new(file, library, seen).run(file)
}
