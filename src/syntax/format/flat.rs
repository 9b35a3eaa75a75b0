//! The one way to write each node on one line.

use crate::syntax::ast::*;
use std::fmt::Write as _;

/// Joins what `each` writes of the items.
fn list<T>(items: &[T], each: impl Fn(&T) -> String) -> String {
    items.iter().map(each).collect::<Vec<_>>().join(", ")
}

pub fn idents(names: &[Ident]) -> String {
    list(names, |n| n.name.to_string())
}

pub fn ty(ty: &Type) -> String {
    let mut out = ty.name.name.to_string();
    if !ty.args.is_empty() {
        let _ = write!(out, "({})", args(&ty.args));
    }
    if let Some(shape) = &ty.shape {
        let _ = write!(out, "[{}]", list(shape, size));
    }
    out
}

fn size(size: &SizeExpr) -> String {
    match size {
        SizeExpr::Size(e) => expr(e),
        SizeExpr::Rest(name) => format!("..{}", name.name),
        SizeExpr::Any(_) => "_".into(),
    }
}

pub fn field(field: &Field) -> String {
    let default = field.default.as_ref().map_or(String::new(), |d| format!(" = {}", expr(d)));
    format!("{}: {}{default}", field.name.name, ty(&field.ty))
}

pub fn fields(fields: &[Field]) -> String {
    format!("({})", list(fields, field))
}

pub fn args(args: &[Arg]) -> String {
    list(args, arg)
}

pub fn arg(arg: &Arg) -> String {
    let name = arg.name.as_ref().map_or(String::new(), |n| format!("{}=", n.name));
    format!("{name}{}", expr(&arg.value))
}

pub fn index_item(item: &IndexItem) -> String {
    match item {
        IndexItem::At(e) => expr(e),
        IndexItem::Rest(_) => "..".to_string(),
        IndexItem::Slice { start, stop, step, .. } => {
            let part = |e: &Option<Expr>| e.as_ref().map_or(String::new(), expr);
            let step = step.as_ref().map_or(String::new(), |s| format!(":{}", expr(s)));
            format!("{}:{}{step}", part(start), part(stop))
        }
    }
}

pub fn expr(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Int(n) => n.to_string(),
        ExprKind::Float(x) => float(*x),
        ExprKind::Percent(x) => format!("{x}%"),
        ExprKind::Bytes(Bytes { count, unit }) => format!("{count}{unit}"),
        ExprKind::Str(text) => string(text),
        ExprKind::Bool(b) => b.to_string(),
        ExprKind::Name(name) => name.name.to_string(),
        ExprKind::Member(base, name) => format!("{}.{}", expr(base), name.name),
        ExprKind::Call { callee, args: list } => format!("{}({})", expr(callee), args(list)),
        ExprKind::Index { base, items } => format!("{}[{}]", expr(base), list(items, index_item)),
        ExprKind::Neg(inner) => format!("-{}", expr(inner)),
        ExprKind::Binary { op, left, right, .. } => format!("{}{}{}", expr(left), infix(*op), expr(right)),
        ExprKind::Pipe { input, stage } => format!("{} |> {}", expr(input), expr(stage)),
        ExprKind::As { stage, path } => format!("{} as {}", expr(stage), path.dotted()),
        ExprKind::By { metric, column } => format!("{} by {}", expr(metric), column.name),
        ExprKind::Repeat { count, body, .. } => format!("{}{}) {}", repeat_head(e), expr(count), expr(body)),
        ExprKind::Range(lo, hi) => format!("{}..{}", expr(lo), expr(hi)),
        ExprKind::List(items) => format!("[{}]", list(items, expr)),
        ExprKind::Tuple(items) if items.len() == 1 => format!("({},)", expr(&items[0])),
        ExprKind::Tuple(items) => format!("({})", list(items, expr)),
        ExprKind::Paren(inner) => format!("({})", expr(inner)),
        ExprKind::Broken => String::new(),
    }
}

/// `repeat(` or `repeat(i in `.
pub fn repeat_head(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Repeat { var: Some(var), .. } => format!("repeat({} in ", var.name),
        _no_variable => "repeat(".into(),
    }
}

/// An entry on one line, its key as it is.
pub fn entry(e: &Entry) -> String {
    match &e.kind {
        EntryKind::Let { names, ty, value } => {
            format!("let {}{} = {}", idents(names), typed(ty), expr(value))
        }
        EntryKind::Input { name, ty: t } => format!("input {}: {}", name.name, ty(t)),
        EntryKind::Output { name, ty, value } => {
            format!("output {}{} = {}", name.name, typed(ty), expr(value))
        }
        EntryKind::Bind { path, value } => format!("{} = {}", path.dotted(), expr(value)),
        EntryKind::Typed { names, how } => format!("{} : {}", idents(names), expr(how)),
        EntryKind::Section(section) => format!("{} {}", head(section), braces(section)),
        EntryKind::Broken => String::new(),
    }
}

/// `word name` before the braces.
pub fn head(section: &Section) -> String {
    match &section.name {
        Some(name) => format!("{} {}", section.word.name, name.name),
        None => section.word.name.to_string(),
    }
}

/// `{ a = 1  b = 2 }`
pub fn braces(section: &Section) -> String {
    let entries: Vec<String> = section.entries.iter().map(entry).collect();
    if entries.is_empty() { "{}".into() } else { format!("{{ {} }}", entries.join("  ")) }
}

fn typed(t: &Option<Type>) -> String {
    t.as_ref().map_or(String::new(), |t| format!(": {}", ty(t)))
}

/// The operator with the space around it: a power is tight.
pub fn infix(op: BinOp) -> String {
    match op {
        BinOp::Pow => op.sign().into(),
        BinOp::Mul | BinOp::Div | BinOp::MatMul | BinOp::Add | BinOp::Sub => format!(" {} ", op.sign()),
        BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge => format!(" {} ", op.sign()),
    }
}

/// The shortest text that reads back as `x`: `0.02`, `1e-3`, `1.0`, `2.5e7`.
///
/// Decimals unless the exponent form is shorter; from 1 to 100,000 always decimals.
pub fn float(x: f64) -> String {
    let decimal = format!("{x:?}");
    let decimal = if decimal.contains('e') { format!("{x}") } else { decimal };
    let exponent = format!("{x:e}");
    let usual = x == 0.0 || (1.0..1e5).contains(&x.abs());
    let whole = !decimal.contains('.');
    if usual || (decimal.len() <= exponent.len() && !whole) { decimal } else { exponent }
}

fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::float;

    #[test]
    fn floats_are_short_and_read_back() {
        for (x, text) in [
            (1e-3, "1e-3"),
            (2e-4, "2e-4"),
            (0.02, "0.02"),
            (0.01, "0.01"),
            (0.0015, "0.0015"),
            (127.5, "127.5"),
            (1.0, "1.0"),
            (100.0, "100.0"),
            (1e5, "1e5"),
            (1e20, "1e20"),
            (0.0, "0.0"),
            (0.7978845608, "0.7978845608"),
            (1.5e-300, "1.5e-300"),
            (f64::MAX, "1.7976931348623157e308"),
            (123456.5, "123456.5"),
        ] {
            assert_eq!(float(x), text);
            assert_eq!(text.parse::<f64>(), Ok(x));
        }
    }
}
