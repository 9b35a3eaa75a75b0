//! Kernels as WGSL: one text for one function.
//!
//! Locals are numbered where several are called alike, in the order in which they stand. Floats are written in
//! shortest form; what is not finite by its bits, by a function of `math.wgsl`, since WGSL has no constant of it.

use super::ir::{Binary, Block, Expr, Function, Local, Stmt, Type};
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
            Stmt::Assign { .. } | Stmt::Call { .. } | Stmt::StorageBarrier | Stmt::Return(_) => {}
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
                let (first, last) = (self.expr(from), self.operand(to, SUM));
                self.line(&format!(
                    "for (var {} = {first}; {name} < {last}; {advance}) {{",
                    self.typed(*counter)
                ));
                self.inside(body);
                self.line("}");
            }
            Stmt::StorageBarrier => self.line("storageBarrier();"),
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
            Expr::Not(x) => format!("!{}", self.operand(x, ATOM)),
            Expr::Binary(sign, a, b) => self.binary(sign.sign(), strength(*sign), a, b),
            Expr::Scalar { op, args } => self.scalar(*op, args),
            Expr::Select { when, then, otherwise } => {
                format!("select({}, {}, {})", self.expr(otherwise), self.expr(then), self.expr(when))
            }
            Expr::Call { function, args, .. } => format!("{function}({})", self.list(args)),
            Expr::Cast { to, value } => format!("{}({})", to.name(), self.expr(value)),
            Expr::Element { array, index, .. } => format!("{array}[{}]", self.expr(index)),
        }
    }

    /// Two operands and a sign that binds as strongly as `own`; of signs alike, the left one goes first.
    fn binary(&self, sign: &str, own: u8, a: &Expr, b: &Expr) -> String {
        let chain = matches!(a, Expr::Binary(first, ..) if first.sign() == sign);
        let (left, right) = match own {
            BITS => (ATOM, ATOM),
            LOGIC if chain => (LOGIC, COMPARISON),
            LOGIC | COMPARISON => (own + 1, own + 1),
            _ => (own, own + 1),
        };
        format!("{} {sign} {}", self.operand(a, left), self.operand(b, right))
    }

    /// An expression beside a sign: in brackets where it binds less than `least`.
    fn operand(&self, expr: &Expr, least: u8) -> String {
        let text = self.expr(expr);
        if self.strength(expr) >= least { text } else { format!("({text})") }
    }

    fn strength(&self, expr: &Expr) -> u8 {
        match expr {
            Expr::F32(x) if x.is_sign_negative() && x.is_finite() => NEGATION,
            Expr::I32(..0) | Expr::Not(_) => NEGATION,
            Expr::F32(_)
            | Expr::I32(_)
            | Expr::U32(_)
            | Expr::Local(_)
            | Expr::Select { .. }
            | Expr::Call { .. }
            | Expr::Cast { .. }
            | Expr::Element { .. } => ATOM,
            Expr::Binary(sign, ..) => strength(*sign),
            Expr::Scalar { op, args } => {
                let template = self.template(*op, args);
                match SIGNS.iter().find(|(_, row)| *row == template) {
                    Some((sign, _)) => strength(*sign),
                    None if template.starts_with('-') => NEGATION,
                    None => ATOM,
                }
            }
        }
    }

    /// The row's spelling for these operands.
    fn template(&self, op: ScalarOp, args: &[Expr]) -> &'static str {
        let whole = args.last().is_some_and(|arg| arg.ty(self.function) != Type::F32);
        if whole { op.info().wgsl_whole } else { op.info().wgsl }
    }

    /// Fills the operands into the row's template.
    fn scalar(&self, op: ScalarOp, args: &[Expr]) -> String {
        let template = self.template(op, args);
        if let Some((sign, _)) = SIGNS.iter().find(|(_, row)| *row == template) {
            return self.binary(sign.sign(), strength(*sign), &args[0], &args[1]);
        }
        let mut out = String::new();
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            let close = open + rest[open..].find('}').expect("scalar: a place in a template is closed");
            out += &rest[..open];
            let arg: usize = rest[open + 1..close].parse().expect("scalar: places are numbers");
            let before = rest[..open].trim_end().ends_with(['(', ',']);
            let after = rest[close + 1..].starts_with([',', ')']);
            // A whole argument of a call needs no brackets; beside a comparison sums need none.
            let least = match (before && after, rest[..open].ends_with('-')) {
                (true, _) => BITS,
                (false, true) => ATOM,
                (false, false) => COMPARISON + 1,
            };
            out += &self.operand(&args[arg], least);
            rest = &rest[close + 1..];
        }
        out + rest
    }
}

/// How strongly expressions hold together, the weakest first. WGSL knows no order of bits among other signs.
const BITS: u8 = 0;
const LOGIC: u8 = 1;
const COMPARISON: u8 = 2;
const SUM: u8 = 3;
const NEGATION: u8 = 3;
const PRODUCT: u8 = 4;
const ATOM: u8 = 5;

fn strength(sign: Binary) -> u8 {
    match sign {
        Binary::Add | Binary::Sub => SUM,
        Binary::Mul | Binary::Div | Binary::Rem => PRODUCT,
        Binary::Shr | Binary::BitAnd => BITS,
        Binary::Eq | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => COMPARISON,
        Binary::And => LOGIC,
    }
}

/// Rows of the scalar table that are a sign between two operands.
const SIGNS: [(Binary, &str); 3] =
    [(Binary::Add, "{0} + {1}"), (Binary::Sub, "{0} - {1}"), (Binary::Mul, "{0} * {1}")];

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn numbers_are_written_so_that_they_come_back() {
        let cases = [
            (Expr::F32(0.1), "0.1"),
            (Expr::F32(-0.0), "-0.0"),
            (Expr::F32(1e-40), "1e-40"),
            (Expr::F32(f32::NEG_INFINITY), "mlc_float(0xff800000u)"),
            (Expr::I32(i32::MIN), "-2147483648"),
            (Expr::U32(u32::MAX), "4294967295u"),
        ];
        for (expr, text) in cases {
            let mut function = Function::new("f");
            function.result = Some(expr.ty(&function));
            function.body = vec![Stmt::Return(Some(expr))];
            let printed = print(&function);
            assert!(printed.contains(&format!("return {text};")), "{printed}");
            let library = crate::codegen::wgsl::skeleton::needed(&printed);
            crate::codegen::wgsl::validate(&format!("{library}{printed}"))
                .unwrap_or_else(|why| panic!("{why}"));
        }
    }

    #[test]
    fn brackets_stand_where_signs_would_tear() {
        let mut function = Function::new("f");
        let x = function.param("x", Type::F32, false);
        let scalar = |op, args: Vec<Expr>| Expr::Scalar { op, args };
        let negative = scalar(ScalarOp::Neg, vec![Expr::F32(-1.0)]);
        let sum = scalar(ScalarOp::Add, vec![x.clone(), negative]);
        let product = scalar(ScalarOp::Mul, vec![sum.clone(), scalar(ScalarOp::Exp, vec![sum])]);
        let chosen =
            scalar(ScalarOp::Select, vec![x.clone(), product, x.binary(Binary::Sub, Expr::F32(1.0))]);
        function.result = Some(Type::F32);
        function.body = vec![Stmt::Return(Some(chosen))];
        insta::assert_snapshot!(print(&function), @r"
        fn f(x: f32) -> f32 {
            return select((x + (-(-1.0))) * mlc_exp(x + (-(-1.0))), x - 1.0, x == 0.0);
        }
        ");
    }
}
