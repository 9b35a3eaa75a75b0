//! Every op, from the tables: examples run, gradients agree with differences, ranges hold.

mod bench;
mod formulas;
mod gradients;
mod images;
mod layers;
mod mistakes;
mod recurrent;
mod tables;
mod values;
