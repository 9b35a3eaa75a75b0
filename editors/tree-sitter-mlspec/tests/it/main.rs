//! The grammar from outside: as generated, beside the compiler's, in the hands of editors.

mod agree;
mod fresh;
mod neovim;
mod queries;
mod recovery;
mod support;
