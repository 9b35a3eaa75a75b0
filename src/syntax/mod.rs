//! mlspec text to AST and back.
//!
//! `grammar/mlspec.pest` is the grammar of record. Around it: a scan for words
//! and comments, a bracket matcher, and a parser that goes piece by piece, so
//! that one mistake does not hide another.

pub mod ast;
mod brackets;
mod build;
mod dump;
mod expect;
mod format;
mod outline;
mod parse;
pub mod scan;
mod shift;

#[cfg(test)]
mod tests;

pub use dump::dump;
pub use format::format;
pub use outline::outline;
pub use parse::{Memo, RESERVED, decode, parse, parse_again, parse_value};
