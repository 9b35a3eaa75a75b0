//! Everything that is tested from outside, in one binary.

mod attention;
mod bad_input;
mod balanced;
mod broken;
mod buckets;
mod check;
mod cli;
mod code;
mod computed;
mod counts;
mod data;
#[cfg(all(feature = "sql", unix))]
mod databases;
mod editors;
mod evaluated;
mod expected;
mod floors;
mod folders;
mod folds;
mod fuzz;
mod generate;
#[cfg(feature = "gpu")]
mod gpu;
mod imports;
mod labels;
mod lessons;
mod limits;
mod lsp;
mod memory;
mod metrics;
mod nets;
mod ops;
mod parity;
mod portable;
mod predict;
mod pretrained;
mod random;
mod run;
mod runs;
mod schedules;
mod schema;
mod sections;
mod sequences;
#[cfg(feature = "gpu")]
mod shaders;
mod sources;
mod stages;
mod steps;
mod stopping;
mod style;
mod support;
mod tables;
mod texts;
mod tidy;
mod transforms;
mod verify;
