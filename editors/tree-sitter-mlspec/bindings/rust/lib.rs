//! The grammar of mlspec for the crate `tree-sitter`, with the queries that editors run on its trees.

use tree_sitter_language::LanguageFn;

unsafe extern "C" {
    fn tree_sitter_mlspec() -> *const ();
}

/// What `tree_sitter::Parser::set_language` takes.
// SAFETY: the generated function takes nothing and gives a language that lives as long as the program.
pub const LANGUAGE: LanguageFn = unsafe { LanguageFn::from_raw(tree_sitter_mlspec) };

/// Kinds and fields of the tree.
pub const NODE_TYPES: &str = include_str!("../../src/node-types.json");

pub const HIGHLIGHTS: &str = include_str!("../../queries/highlights.scm");
pub const FOLDS: &str = include_str!("../../queries/folds.scm");
pub const INDENTS: &str = include_str!("../../queries/indents.scm");
pub const LOCALS: &str = include_str!("../../queries/locals.scm");
pub const INJECTIONS: &str = include_str!("../../queries/injections.scm");
