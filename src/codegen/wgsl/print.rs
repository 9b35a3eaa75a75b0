//! Kernels as WGSL: one text for one function.
//!
//! Locals are numbered where several are called alike, in the order in which they stand. Floats are written in
//! shortest form; what is not finite by its bits, by a function of `math.wgsl`, since WGSL has no constant of it.

use super::ir::{Barrier, Block, Expr, Function, Kind, Local, Stmt, Type, Unary};
use crate::graph::ScalarOp;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The function's text, ending with a line break.
pub fn print(function: &Function) -> String {
    let mut printer = Printer { function, names: names(function), out: String::new(), depth: 1 };
    printer.header();
    printer.block(&function.body);
    printer.out += "}\n";
    printer.out
}

/// A number of the scalar types as WGSL writes it.
pub fn f32_literal(x: f32) -> String {
    if x.is_finite() { format!("{x:?}") } else { format!("mlc_float({:#x}u)", x.to_bits()) }
}

/// What each local is called.
fn names(function: &Function) -> Vec<String> {
    let mut order = Vec::new();
    declared(&function.body, &mut order);
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for variable in &function.locals {
        *count.entry(variable.hint).or_default() += 1;
    }
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names: Vec<String> = function.locals.iter().map(|v| v.hint.to_string()).collect();
    for local in order {
        let hint = function.variable(local).hint;
        if count[hint] > 1 {
            let number = next.entry(hint).or_default();
            names[local.0 as usize] = format!("{hint}{number}");
            *number += 1;
        }
    }
    names
}

/// The locals that a block declares, in order.
fn declared(block: &Block, into: &mut Vec<Local>) {
    for stmt in block {
        match stmt {
            Stmt::Let { local, .. } | Stmt::Var { local, .. } => into.push(*local),
            Stmt::If { then, otherwise, .. } => {
                declared(then, into);
                declared(otherwise, into);
            }
            Stmt::For { counter, body, .. } => {
                into.push(*counter);
                declared(body, into);
            }
            Stmt::Assign { .. }
            | Stmt::Write { .. }
            | Stmt::Call { .. }
            | Stmt::Barrier(_)
            | Stmt::Return(_) => {}
        }
    }
}

struct Printer<'a> {
    function: &'a Function,
    names: Vec<String>,
    out: String,
    depth: usize,
}

impl Printer<'_> {
    fn header(&mut self) {
        let params: Vec<String> = self.function.params.iter().map(|p| self.typed(*p)).collect();
        let result = self.function.result.map_or(String::new(), |ty| format!(" -> {}", ty.name()));
        writeln!(self.out, "fn {}({}){result} {{", self.function.name, params.join(", "))
            .expect("text grows");
    }

    fn typed(&self, local: Local) -> String {
        format!("{}: {}", self.name(local), self.function.variable(local).ty.name())
    }

    fn name(&self, local: Local) -> &str {
        &self.names[local.0 as usize]
    }

    fn line(&mut self, text: &str) {
        writeln!(self.out, "{:width$}{text}", "", width = 4 * self.depth).expect("text grows");
    }

    fn inside(&mut self, block: &Block) {
        self.depth += 1;
        self.block(block);
        self.depth -= 1;
    }

    fn block(&mut self, block: &Block) {
        block.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Let { local, value } => {
                self.line(&format!("let {} = {};", self.name(*local), self.expr(value)));
            }
            Stmt::Var { local, value } => {
                self.line(&format!("var {} = {};", self.typed(*local), self.expr(value)));
            }
            Stmt::Assign { local, value } => {
                self.line(&format!("{} = {};", self.name(*local), self.expr(value)));
            }
            Stmt::Write { array, index, value } => {
                self.line(&format!("{array}[{}] = {};", self.expr(index), self.expr(value)));
            }
            Stmt::Call { function, args, .. } => self.line(&format!("{function}({});", self.list(args))),
            Stmt::If { when, then, otherwise } => {
                self.line(&format!("if ({}) {{", self.expr(when)));
                self.inside(then);
                if !otherwise.is_empty() {
                    self.line("} else {");
                    self.inside(otherwise);
                }
                self.line("}");
            }
            Stmt::For { counter, from, to, step, body } => {
                let name = self.name(*counter);
                let advance = match step {
                    Expr::I32(1) => format!("{name}++"),
                    _ => format!("{name} += {}", self.expr(step)),
                };
                let (first, last) = (self.expr(from), self.operand(to));
                self.line(&format!(
                    "for (var {} = {first}; {name} < {last}; {advance}) {{",
                    self.typed(*counter)
                ));
                self.inside(body);
                self.line("}");
            }
            Stmt::Barrier(Barrier::Workgroup) => self.line("workgroupBarrier();"),
            Stmt::Barrier(Barrier::Storage) => self.line("storageBarrier();"),
            Stmt::Return(None) => self.line("return;"),
            Stmt::Return(Some(value)) => self.line(&format!("return {};", self.expr(value))),
        }
    }

    fn list(&self, args: &[Expr]) -> String {
        args.iter().map(|arg| self.expr(arg)).collect::<Vec<_>>().join(", ")
    }

    fn expr(&self, expr: &Expr) -> String {
        match expr {
            Expr::F32(x) => f32_literal(*x),
            // Without a suffix, since the least number has no literal that has one.
            Expr::I32(x) => x.to_string(),
            Expr::U32(x) => format!("{x}u"),
            Expr::Local(local) => self.name(*local).to_string(),
            Expr::Unary(Unary::Neg, x) => format!("-{}", self.operand(x)),
            Expr::Unary(Unary::Not, x) => format!("!{}", self.operand(x)),
            Expr::Binary(sign, a, b) => format!("{} {} {}", self.operand(a), sign.sign(), self.operand(b)),
            Expr::Scalar { op, args } => self.scalar(*op, args),
            Expr::Select { when, then, otherwise } => {
                format!("select({}, {}, {})", self.expr(otherwise), self.expr(then), self.expr(when))
            }
            Expr::Call { function, args, .. } => format!("{function}({})", self.list(args)),
            Expr::Cast { to, value } => format!("{}({})", to.name(), self.expr(value)),
            Expr::Bitcast { to, value } => format!("bitcast<{}>({})", to.name(), self.expr(value)),
            Expr::Element { array, index, .. } => format!("{array}[{}]", self.expr(index)),
        }
    }

    /// An expression beside a sign: in brackets unless it holds together by itself.
    fn operand(&self, expr: &Expr) -> String {
        let text = self.expr(expr);
        if holds_together(expr, &text) { text } else { format!("({text})") }
    }

    /// Fills the operands into the row's template.
    fn scalar(&self, op: ScalarOp, args: &[Expr]) -> String {
        let whole = args.last().is_some_and(|arg| arg.ty(self.function) != Type::F32);
        let info = op.info();
        let template = if whole { info.wgsl_whole } else { info.wgsl };
        let mut out = String::new();
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            let close = open + rest[open..].find('}').expect("scalar: a place in a template is closed");
            out += &rest[..open];
            let arg: usize = rest[open + 1..close].parse().expect("scalar: places are numbers");
            let (before, after) = (rest[..open].trim_end(), rest[close + 1..].chars().next());
            let whole_argument = (before.ends_with(['(', ',']) || template == "{0}")
                && matches!(after, Some(',' | ')') | None);
            out += &if whole_argument { self.expr(&args[arg]) } else { self.operand(&args[arg]) };
            rest = &rest[close + 1..];
        }
        out + rest
    }
}

/// Whether no sign beside it can tear it apart.
fn holds_together(expr: &Expr, text: &str) -> bool {
    match expr {
        Expr::F32(_) | Expr::I32(_) => !text.starts_with('-'),
        Expr::U32(_)
        | Expr::Local(_)
        | Expr::Select { .. }
        | Expr::Call { .. }
        | Expr::Cast { .. }
        | Expr::Bitcast { .. }
        | Expr::Element { .. } => true,
        Expr::Unary(..) | Expr::Binary(..) => false,
        Expr::Scalar { op, .. } => {
            let template = op.info().wgsl;
            template.ends_with(')') && !template.starts_with(['{', '-'])
        }
    }
}

impl Kind {
    /// Whether a statement may assign it.
    pub fn is_assigned(self) -> bool {
        match self {
            Kind::Var => true,
            Kind::Param { .. } | Kind::Let | Kind::Counter => false,
        }
    }
}
