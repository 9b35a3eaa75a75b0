//! The text of a program, for people: what `dump --stage loops` shows.
//!
//! A value that is used once stands where it is used; others get a line.
//! Buffers are indexed by their own axes where the dims allow, flat (`@`)
//! otherwise.

use super::affine::{Affine, unflatten};
use super::dims::{self, Role};
use super::ir::*;
use super::memory;
use super::scan::Scan;
use crate::base::{Id, Precision};
use crate::graph::{Fold, ScalarOp};
use std::fmt::Write;

/// Bytes as people read them.
pub fn bytes(n: usize) -> String {
    match n {
        0..1024 => format!("{n} B"),
        1024..1_048_576 => format!("{:.1} KiB", n as f64 / 1024.0),
        _ => format!("{:.1} MiB", n as f64 / 1_048_576.0),
    }
}

pub fn print(program: &Program) -> String {
    let plan = memory::plan(program);
    let bound: Vec<String> = program.bindings.iter().map(|(sym, n)| format!("{sym} = {n}")).collect();
    let bindings = if bound.is_empty() { String::new() } else { format!(" ({})", bound.join(", ")) };
    let mut out = format!(
        "program {}{bindings}  arena {}, live bound {}\n",
        program.name,
        bytes(plan.arena_bytes),
        bytes(plan.live_bound_bytes)
    );
    for (id, buffer) in program.buffers.iter() {
        let shape: Vec<String> = buffer.shape.iter().map(usize::to_string).collect();
        let kind = match buffer.kind {
            BufferKind::Batch => "batch",
            BufferKind::Param(_) => "param",
            BufferKind::State(_) => "state",
            BufferKind::Scalar => "scalar",
            BufferKind::Temp => "temp",
            BufferKind::Output => "output",
        };
        let place = plan.offsets[id.index()].map_or(String::new(), |at| format!(" at {at}"));
        let ty = format!("{}[{}]", buffer.dtype, shape.join(", "));
        writeln!(out, "  {kind} {}: {ty}{place}", buffer.name).expect("text grows");
    }
    for (i, kernel) in program.kernels.iter().enumerate() {
        out += &print_kernel(program, i, kernel);
    }
    out
}

fn print_kernel(program: &Program, number: usize, kernel: &Kernel) -> String {
    let dims = Names::of(&kernel.kind);
    let header: String = dims.all.iter().map(|(name, size, _)| format!(" {name}:{size}")).collect();
    let word = match &kernel.kind {
        KernelKind::Rows(rows) if rows.row.is_empty() => "map",
        KernelKind::Rows(_) => "rows",
        KernelKind::Contract(_) => "contract",
        KernelKind::Scatter(_) => "scatter",
        KernelKind::Scan(_) => "scan",
    };
    let mut out = format!("k{number} {word}{header}");
    match &kernel.kind {
        KernelKind::Rows(rows) => {
            out += "\n";
            out += &Bodies {
                program,
                body: &rows.body,
                dims: dims.over(&[Role::Outer, Role::Row]),
                folded: dims.over(&[Role::Row]),
            }
            .print();
        }
        KernelKind::Contract(c) => {
            let operand = |name, operand: &Operand, free| {
                let dims = dims.over(&[Role::Batch, free, Role::K]);
                Bodies { program, body: &operand.body, dims, folded: Vec::new() }
                    .print_value(name, operand.value)
            };
            let [(lhs, before_lhs), (rhs, before_rhs)] =
                [operand("a", &c.lhs, Role::M), operand("b", &c.rhs, Role::N)];
            let precision = match c.precision {
                Precision::F32 => String::new(),
                Precision::Bf16 => format!("  in {}", c.precision.name()),
            };
            writeln!(out, "  a = {lhs}  b = {rhs}{precision}").expect("text grows");
            out += &before_lhs;
            out += &before_rhs;
            let tile = dims.over(&[Role::Batch, Role::M, Role::N]);
            out += &Bodies { program, body: &c.body, dims: tile, folded: dims.over(&[Role::N]) }.print();
        }
        KernelKind::Scatter(s) => {
            let name = |id: BufferId| &program.buffers[id].name;
            writeln!(out, " i:{} width:{}", s.count, s.width).expect("text grows");
            writeln!(out, "    {}[{}[i], ..] += {}[i, ..]", name(s.out), name(s.index), name(s.updates))
                .expect("text grows");
        }
        KernelKind::Scan(scan) => out += &print_scan(program, scan),
    }
    for reason in &kernel.reasons {
        writeln!(out, "    - {reason}").expect("text grows");
    }
    out
}

/// What goes in and out of each step, then the program of a step.
fn print_scan(program: &Program, scan: &Scan) -> String {
    let name = |id: BufferId| &program.buffers[id].name;
    let direction = if scan.reverse { "from the last row" } else { "from the first row" };
    let mut out = format!(" t:{} {direction}\n", scan.length);
    for (i, (buffer, at)) in scan.inputs.iter().enumerate() {
        let leaf = &scan.body.buffers[Id::new(i)].name;
        let start = if *at == 0 { String::new() } else { format!(" from {at}") };
        let how = match i {
            i if i < scan.carries => " at first",
            i if scan.is_slice(i) => "[t]",
            _ => "",
        };
        writeln!(out, "    {leaf} = {}{how}{start}", name(*buffer)).expect("text grows");
    }
    writeln!(out, "    {} = results of its steps, {} between them", name(scan.out), name(scan.room))
        .expect("text grows");
    for line in print(&scan.body).lines() {
        writeln!(out, "    {line}").expect("text grows");
    }
    out
}

/// Dims with the names that people see.
struct Names {
    all: Vec<(String, usize, Role)>,
}

type Named = Vec<(String, usize)>;

impl Names {
    fn of(kind: &KernelKind) -> Names {
        let dims = dims::of(kind);
        let name = |dim: usize| {
            let role = dims[dim].1;
            let letter = match role {
                Role::Outer => "i",
                Role::Row => "r",
                Role::Batch => "b",
                Role::M => "m",
                Role::N => "n",
                Role::K => "k",
            };
            let same: Vec<usize> = (0..dims.len()).filter(|&d| dims[d].1 == role).collect();
            let rank = same.iter().position(|&d| d == dim).expect("loops: a dim has its role");
            if same.len() == 1 { letter.to_string() } else { format!("{letter}{rank}") }
        };
        Names { all: (0..dims.len()).map(|d| (name(d), dims[d].0, dims[d].1)).collect() }
    }

    fn over(&self, roles: &[Role]) -> Named {
        self.all.iter().filter(|d| roles.contains(&d.2)).map(|d| (d.0.clone(), d.1)).collect()
    }
}

/// `2*i + 1`
fn form(offset: i64, strides: &[i64], dims: &Named) -> String {
    let mut out = String::new();
    for (&stride, (name, size)) in strides.iter().zip(dims) {
        if stride == 0 || *size == 1 {
            continue;
        }
        let sign = match (out.is_empty(), stride < 0) {
            (true, false) => "",
            (true, true) => "-",
            (false, false) => " + ",
            (false, true) => " - ",
        };
        let times = if stride.abs() == 1 { String::new() } else { format!("{}*", stride.abs()) };
        out += &format!("{sign}{times}{name}");
    }
    match (out.is_empty(), offset) {
        (true, _) => offset.to_string(),
        (false, 0) => out,
        (false, n) if n < 0 => format!("{out} - {}", -n),
        (false, n) => format!("{out} + {n}"),
    }
}

fn access(program: &Program, access: &Access, dims: &Named) -> String {
    let buffer = &program.buffers[access.buffer];
    let guards: Vec<String> = access
        .guards
        .iter()
        .map(|g| format!("0 <= {} < {}", form(g.offset, &g.strides, dims), g.size))
        .collect();
    let place = place(access, &buffer.shape, dims);
    match guards.is_empty() {
        true => format!("{}{place}", buffer.name),
        false => format!("{}{place} if {} else {}", buffer.name, guards.join(" and "), number(access.fill)),
    }
}

/// `[i, 2*r]`, or `@(20*i + r)` where the dims do not follow the axes.
fn place(access: &Access, shape: &[usize], dims: &Named) -> String {
    if shape.is_empty() {
        return String::new();
    }
    let sizes: Vec<usize> = dims.iter().map(|d| d.1).collect();
    let element = Affine { offset: access.offset, strides: access.strides.clone() };
    // Behind guards an axis may run out of range, which would print as its neighbour's.
    match unflatten(&element, shape, &sizes) {
        Ok(at) if access.guards.is_empty() => {
            let axes: Vec<String> = at.iter().map(|a| form(a.offset, &a.strides, dims)).collect();
            format!("[{}]", axes.join(", "))
        }
        Ok(_) | Err(_) => format!("@({})", form(access.offset, &access.strides, dims)),
    }
}

fn number(x: f64) -> String {
    if x == f64::NEG_INFINITY { "-inf".into() } else { format!("{x}") }
}

struct Bodies<'a> {
    program: &'a Program,
    body: &'a Body,
    dims: Named,
    folded: Named,
}

impl Bodies<'_> {
    fn print(&self) -> String {
        let (texts, mut out) = self.texts("x");
        for store in &self.body.stores {
            let place = access(self.program, &store.access, &self.dims);
            writeln!(out, "    {place} = {}", texts[store.value.index()].0).expect("text grows");
        }
        out
    }

    /// The text of one value, and the lines of what it uses more than once.
    fn print_value(&self, letter: &str, value: NodeId) -> (String, String) {
        let (mut texts, lines) = self.texts(letter);
        (texts.swap_remove(value.index()).0, lines)
    }

    /// The text of each node and how tightly it binds, and the lines of those that have a name.
    fn texts(&self, letter: &str) -> (Vec<(String, u8)>, String) {
        let uses = self.uses();
        let mut texts: Vec<(String, u8)> = Vec::with_capacity(self.body.nodes.len());
        let mut out = String::new();
        let mut lets = 0;
        for (id, node) in self.body.nodes.iter() {
            let text = self.node(node, &texts);
            let is_fold = matches!(node, Node::Fold { .. });
            let simple = matches!(node, Node::Acc | Node::Const { .. } | Node::Index { .. });
            let stands_alone = is_fold || (uses[id.index()] > 1 && !simple);
            texts.push(if stands_alone {
                let name = format!("{letter}{lets}");
                lets += 1;
                writeln!(out, "    {name} = {}", text.0).expect("text grows");
                (name, ATOM)
            } else {
                text
            });
        }
        (texts, out)
    }

    fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.body.nodes.len()];
        for (_, node) in self.body.nodes.iter() {
            node.inputs().iter().for_each(|input| uses[input.index()] += 1);
        }
        self.body.stores.iter().for_each(|s| uses[s.value.index()] += 1);
        uses
    }

    /// The text of a node and how tightly it binds.
    fn node(&self, node: &Node, texts: &[(String, u8)]) -> (String, u8) {
        let text = |id: &NodeId| texts[id.index()].0.clone();
        match node {
            Node::Acc => ("acc".into(), ATOM),
            Node::Const { value, .. } => (number(*value), if *value < 0.0 { SUM } else { ATOM }),
            Node::Index { offset, strides } => {
                let index = form(*offset, strides, &self.dims);
                let binds = if index.contains(' ') { SUM } else { PRODUCT };
                (index, binds)
            }
            Node::Random { site, offset, strides } => {
                (format!("random({site}, {})", form(*offset, strides, &self.dims)), ATOM)
            }
            Node::Load(a) => {
                let text = access(self.program, a, &self.dims);
                if a.guards.is_empty() { (text, ATOM) } else { (format!("({text})"), ATOM) }
            }
            Node::LoadAt { access: a, index, stride, .. } => {
                let (base, rest) =
                    (&self.program.buffers[a.buffer].name, form(a.offset, &a.strides, &self.dims));
                let times = if *stride == 1 { String::new() } else { format!("{stride}*") };
                (format!("{base}@({rest} + {times}[{}])", text(index)), ATOM)
            }
            Node::Fold { fold, input } => {
                let word = match fold {
                    Fold::Sum => "sum",
                    Fold::Max => "max",
                };
                let over: Vec<&str> = self.folded.iter().map(|d| d.0.as_str()).collect();
                (format!("{word} {}: {}", over.join(" "), text(input)), LOOSE)
            }
            Node::Op { op, inputs } => operation(*op, inputs, texts),
        }
    }
}

const LOOSE: u8 = 0;
const COMPARE: u8 = 1;
const SUM: u8 = 2;
const PRODUCT: u8 = 3;
const ATOM: u8 = 4;

fn operation(op: ScalarOp, inputs: &[NodeId], texts: &[(String, u8)]) -> (String, u8) {
    use ScalarOp::*;
    let operand = |i: usize, least: u8| {
        let (text, binds) = &texts[inputs[i].index()];
        if *binds >= least { text.clone() } else { format!("({text})") }
    };
    let infix = |sign: &str, binds: u8, right: u8| {
        (format!("{} {sign} {}", operand(0, binds), operand(1, right)), binds)
    };
    match op {
        Add => infix("+", SUM, PRODUCT),
        Sub => infix("-", SUM, PRODUCT),
        Mul => infix("*", PRODUCT, ATOM),
        Div => infix("/", PRODUCT, ATOM),
        Eq => infix("==", COMPARE, SUM),
        Ne => infix("!=", COMPARE, SUM),
        Lt => infix("<", COMPARE, SUM),
        Le => infix("<=", COMPARE, SUM),
        Gt => infix(">", COMPARE, SUM),
        Ge => infix(">=", COMPARE, SUM),
        ToF32 => (format!("f32({})", operand(0, LOOSE)), ATOM),
        ToI32 => (format!("i32({})", operand(0, LOOSE)), ATOM),
        Neg => (format!("-{}", operand(0, ATOM)), PRODUCT),
        Abs | Sign | Exp | Expm1 | Log | Log1p | Sqrt | Rsqrt | Tanh | Sigmoid | Erf | Sin | Cos | Floor
        | Pow | Max | Min | Select | Stop => {
            let operands: Vec<String> = (0..inputs.len()).map(|i| operand(i, LOOSE)).collect();
            (format!("{}({})", op.name(), operands.join(", ")), ATOM)
        }
    }
}
