//! AST and library to graphs: names, sizes, defaults, data columns.

pub mod job;
