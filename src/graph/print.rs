//! The text form of a graph: what `mlc dump` shows, snapshots hold and tests read.
//!
//! ```text
//! graph line.train
//!   leaf x: f32[B, 2] batch
//!   leaf w: f32[2, 3] param uniform sqrt(6.0 / 5)
//!   leaf lr: f32[] scalar
//!
//!   %0: f32[B, 3] = contract "bi,ij->bj" x, w
//!   %1: f32[] = reduce sum [0, 1] %0
//!   %2: f32[] = div %1, size(3*B)
//!
//!   loss mean = %2
//!   value y = %0
//! ```
//!
//! Leaves, numbers and sizes stand where they are used; all else is numbered in order.
//! An `f32` number has a point or an exponent, an `i32` number has not. [`parse`](super::parse)
//! reads the same text back; places in the user's source are not part of it.

use super::ir::{Graph, Init, InitScale, Leaf, LeafKind, Output, OutputKind, Prim, Value};
use super::scan::{Keep, ScanBody};
use crate::base::{DType, Dim};
use std::fmt::{Display, Write};

/// The text of a graph.
pub fn print(graph: &Graph) -> String {
    Printer::new(graph).graph()
}

struct Printer<'a> {
    graph: &'a Graph,
    /// How users of a node name it.
    names: Vec<String>,
}

impl<'a> Printer<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut count = 0;
        let names = graph.nodes.iter().map(|(_, node)| {
            inline(graph, &node.prim, node.ty.dtype).unwrap_or_else(|| {
                count += 1;
                format!("%{}", count - 1)
            })
        });
        Printer { graph, names: names.collect() }
    }

    fn graph(&self) -> String {
        let mut out = format!("graph {}\n", self.graph.name);
        for (_, leaf) in self.graph.leaves.iter() {
            line(&mut out, &leaf_text(leaf));
        }
        out.push('\n');
        for (value, node) in self.graph.nodes.iter() {
            if inline(self.graph, &node.prim, node.ty.dtype).is_none() {
                line(
                    &mut out,
                    &format!("{}: {} = {}", self.name(value), node.ty, self.operation(&node.prim)),
                );
            }
        }
        out.push('\n');
        for output in &self.graph.outputs {
            line(&mut out, &self.output(output));
        }
        out
    }

    fn name(&self, value: Value) -> &str {
        &self.names[value.index()]
    }

    fn operands(&self, prim: &Prim) -> String {
        join(prim.inputs().iter().map(|&v| self.name(v)))
    }

    fn operation(&self, prim: &Prim) -> String {
        let of = self.operands(prim);
        match prim {
            Prim::Leaf(_) | Prim::Const(_) | Prim::Size(_) => unreachable!("print: {prim:?} stands inline"),
            Prim::Iota { axis } => format!("iota {axis}"),
            Prim::Random { site } => format!("random {}", quoted(site)),
            Prim::Map { op, .. } => format!("{} {of}", op.name()),
            Prim::Reduce { fold, axes, .. } => format!("reduce {} [{}] {of}", fold.name(), join(axes)),
            Prim::Contract { spec, .. } => format!("contract \"{spec}\" {of}"),
            Prim::Reshape { .. } => format!("reshape {of}"),
            Prim::Permute { perm, .. } => format!("permute [{}] {of}", join(perm)),
            Prim::Broadcast { axes, .. } => format!("broadcast [{}] {of}", join(axes)),
            Prim::Slice { start, step, .. } => format!("slice [{}] step [{}] {of}", join(start), join(step)),
            Prim::Pad { lo, hi, inner, value, .. } => {
                let [lo, hi, inner] = [join(lo), join(hi), join(inner)];
                format!("pad [{lo}] hi [{hi}] inner [{inner}] value {value:?} {of}")
            }
            Prim::Window { axis, size, stride, dilation, .. } => {
                format!("window {axis} size {size} stride {stride} dilation {dilation} {of}")
            }
            Prim::Gather { .. } => format!("gather {of}"),
            Prim::Scatter { .. } => format!("scatter {of}"),
            Prim::Scan { body, .. } => scan_text(body, &of),
        }
    }

    fn output(&self, output: &Output) -> String {
        let (name, value) = (word(&output.name), self.name(output.value));
        match &output.kind {
            OutputKind::Loss => format!("loss {name} = {value}"),
            OutputKind::Metric => format!("metric {name} = {value}"),
            OutputKind::Value => format!("value {name} = {value}"),
            OutputKind::Update(leaf) => match &self.graph.leaves[*leaf].name {
                same if *same == output.name => format!("update {name} = {value}"),
                other => format!("update {name} of {} = {value}", word(other)),
            },
        }
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "  {text}").expect("print: a string takes all text");
}

fn join<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|x| x.to_string()).collect::<Vec<_>>().join(", ")
}

/// The text of what stands where it is used.
fn inline(graph: &Graph, prim: &Prim, dtype: DType) -> Option<String> {
    match prim {
        Prim::Leaf(leaf) => Some(word(&graph.leaves[*leaf].name)),
        Prim::Const(x) => Some(match dtype {
            DType::F32 => format!("{x:?}"),
            DType::I32 | DType::U8 => format!("{x}"),
        }),
        Prim::Size(dim) => Some(format!("size({dim})")),
        Prim::Iota { .. }
        | Prim::Map { .. }
        | Prim::Reduce { .. }
        | Prim::Contract { .. }
        | Prim::Reshape { .. }
        | Prim::Permute { .. }
        | Prim::Broadcast { .. }
        | Prim::Slice { .. }
        | Prim::Pad { .. }
        | Prim::Window { .. }
        | Prim::Gather { .. }
        | Prim::Scatter { .. }
        | Prim::Random { .. }
        | Prim::Scan { .. } => None,
    }
}

/// A line, the lines of the body without its title, and a closing brace.
fn scan_text(body: &ScanBody, of: &str) -> String {
    let direction = match (body.reverse, body.keep) {
        (false, Keep::Stacks) => "forward",
        (true, Keep::Stacks) => "reverse",
        (false, Keep::Nothing) => "forward_again",
        (true, Keep::Nothing) => "reverse_again",
    };
    let (carries, slices) = (body.carries, body.slices);
    let mut text = format!("scan {direction} [{}] carries {carries} slices {slices} {of} {{\n", body.length);
    for line in print(&body.graph).lines().skip(1) {
        let indent = if line.is_empty() { "" } else { "  " };
        writeln!(text, "{indent}{line}").expect("print: a string takes all text");
    }
    text + "  }"
}

fn leaf_text(leaf: &Leaf) -> String {
    let kind = match &leaf.kind {
        LeafKind::Batch => "batch".to_string(),
        LeafKind::Param(init) => format!("param {}", init_text(init)),
        LeafKind::State(init) => format!("state {}", init_text(init)),
        LeafKind::Scalar => "scalar".to_string(),
    };
    format!("leaf {}: {} {kind}", word(&leaf.name), leaf.ty)
}

fn init_text(init: &Init) -> String {
    let scale = |s: &InitScale| match s {
        InitScale::Fixed(x) => format!("{x:?}"),
        InitScale::Root { num, den } => root_text(*num, den),
    };
    match init {
        Init::Constant(x) => format!("constant {x:?}"),
        Init::Parts(numbers) => format!("parts [{}]", join(numbers)),
        Init::Uniform { bound } => format!("uniform {}", scale(bound)),
        Init::Normal { mean, std } => format!("normal {mean:?} {}", scale(std)),
        Init::TruncatedNormal { mean, std } => format!("truncated_normal {mean:?} {}", scale(std)),
        Init::Orthogonal { gain } => format!("orthogonal {gain:?}"),
        Init::Identity { gain } => format!("identity {gain:?}"),
    }
}

fn root_text(num: f64, den: &Dim) -> String {
    format!("sqrt({num:?} / {den})")
}

/// A name as it is if it reads as one, else in quotes.
fn word(name: &str) -> String {
    if is_word(name) { name.to_string() } else { quoted(name) }
}

/// Whether the parser would take the bare text for a leaf.
pub(super) fn is_word(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    starts && goes_on && !["inf", "NaN", "of"].contains(&name)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
