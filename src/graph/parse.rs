//! Reads what [`print`](super::print) writes.
//!
//! For tests and tools: the text is ours, so an error is one line that says where and what
//! was expected. The graph read is verified node by node; what stands inline becomes a node
//! at its first use.

use super::builder::Builder;
use super::infer;
use super::ir::{Einsum, Fold, Graph, Init, InitScale, LeafKind, Output, OutputKind, Prim, Value};
use super::print::is_word;
use super::scalar::ScalarOp;
use super::scan::{Keep, ScanBody};
use crate::base::{DType, Dim, Shape, TensorType};
use std::sync::Arc;

/// A graph from its text; the error names the line.
pub fn parse(text: &str) -> Result<Graph, String> {
    let mut reader = Reader { b: Builder::new(""), values: Vec::new(), outputs: Vec::new(), body: None };
    let mut name = None;
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if line.ends_with('{') {
            reader.body = Some(body(&mut lines)?);
        }
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        let at = |why: String| format!("line {}: {why}: `{line}`", number + 1);
        match (line.strip_prefix("graph"), &name) {
            (Some(rest), None) => name = Some(rest.trim().to_string()),
            (_, None) => return Err(at("a graph starts with `graph NAME`".into())),
            (_, Some(_)) => reader.line(&mut Cursor { rest: line }).map_err(at)?,
        }
    }
    let mut graph = reader.b.finish();
    graph.name = name.ok_or("there is no graph")?;
    graph.outputs = reader.outputs;
    Ok(graph)
}

/// The graph of a scan's body, up to its closing brace.
fn body<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) -> Result<Graph, String> {
    let (mut text, mut depth) = (String::from("graph step\n"), 1);
    for (_, line) in lines {
        depth += usize::from(line.ends_with('{'));
        depth -= usize::from(line.trim() == "}");
        if depth == 0 {
            return parse(&text);
        }
        text += line;
        text += "\n";
    }
    Err("a body is not closed".into())
}

struct Reader {
    b: Builder,
    /// The nodes `%0`, `%1`, …
    values: Vec<Value>,
    outputs: Vec<Output>,
    /// Of the scan that is read next.
    body: Option<Graph>,
}

impl Reader {
    fn line(&mut self, at: &mut Cursor) -> Result<(), String> {
        if at.rest.starts_with('%') {
            self.node(at)?;
        } else {
            match at.word()? {
                "leaf" => self.leaf(at)?,
                "loss" => self.output(at, OutputKind::Loss)?,
                "metric" => self.output(at, OutputKind::Metric)?,
                "value" => self.output(at, OutputKind::Value)?,
                "update" => self.update(at)?,
                other => return Err(format!("`{other}` starts no line")),
            }
        }
        at.end()
    }

    fn leaf(&mut self, at: &mut Cursor) -> Result<(), String> {
        let name = at.name()?;
        at.expect(":")?;
        let ty = at.tensor_type()?;
        let kind = match at.word()? {
            "batch" => LeafKind::Batch,
            "scalar" => LeafKind::Scalar,
            "param" => LeafKind::Param(at.init()?),
            "state" => LeafKind::State(at.init()?),
            other => return Err(format!("`{other}` is no kind of leaf")),
        };
        if self.b.find(&name).is_some() {
            return Err(format!("leaf `{name}` exists"));
        }
        self.b.leaf(name, ty, kind);
        Ok(())
    }

    fn node(&mut self, at: &mut Cursor) -> Result<(), String> {
        at.expect("%")?;
        let number: usize = at.number()?;
        if number != self.values.len() {
            return Err(format!("the next node is %{}", self.values.len()));
        }
        at.expect(":")?;
        let ty = at.tensor_type()?;
        at.expect("=")?;
        let prim = self.operation(at)?;
        let inputs: Vec<&TensorType> = prim.inputs().iter().map(|&v| self.b.ty(v)).collect();
        infer::check(&prim, &ty, &inputs)?;
        let value = self.b.push(prim, ty);
        self.values.push(value);
        Ok(())
    }

    fn operation(&mut self, at: &mut Cursor) -> Result<Prim, String> {
        let name = at.word()?;
        if let Some(op) = ScalarOp::by_name(name) {
            return Ok(Prim::Map { op, inputs: self.operands(at, op.arity())? });
        }
        Ok(match name {
            "iota" => Prim::Iota { axis: at.number()? },
            "random" => Prim::Random { site: at.quoted()?.into() },
            "reduce" => {
                let fold = at.word()?;
                let fold = Fold::by_name(fold).ok_or_else(|| format!("`{fold}` is no fold"))?;
                Prim::Reduce { fold, axes: at.numbers()?, input: self.operand(at)? }
            }
            "contract" => {
                let text = at.quoted()?;
                let spec = Einsum::parse(&text).ok_or_else(|| format!("\"{text}\" is no einsum"))?;
                Prim::Contract { spec, inputs: self.pair(at)? }
            }
            "reshape" => Prim::Reshape { input: self.operand(at)? },
            "permute" => Prim::Permute { perm: at.numbers()?, input: self.operand(at)? },
            "broadcast" => Prim::Broadcast { axes: at.numbers()?, input: self.operand(at)? },
            "slice" => {
                let start = at.dims()?;
                at.expect("step")?;
                Prim::Slice { start, step: at.numbers()?, input: self.operand(at)? }
            }
            "pad" => {
                let lo = at.dims()?;
                at.expect("hi")?;
                let hi = at.dims()?;
                at.expect("inner")?;
                let inner = at.numbers()?;
                at.expect("value")?;
                Prim::Pad { lo, hi, inner, value: at.number()?, input: self.operand(at)? }
            }
            "window" => {
                let axis = at.number()?;
                let [size, stride, dilation] = ["size", "stride", "dilation"].map(|key| at.keyed(key));
                let (size, stride, dilation) = (size?, stride?, dilation?);
                Prim::Window { axis, size, stride, dilation, input: self.operand(at)? }
            }
            "gather" => Prim::Gather { inputs: self.pair(at)? },
            "scatter" => Prim::Scatter { inputs: self.pair(at)? },
            "scan" => self.scan(at)?,
            other => return Err(format!("there is no operation `{other}`")),
        })
    }

    fn scan(&mut self, at: &mut Cursor) -> Result<Prim, String> {
        let (reverse, keep) = match at.word()? {
            "forward" => (false, Keep::Stacks),
            "reverse" => (true, Keep::Stacks),
            "forward_again" => (false, Keep::Nothing),
            "reverse_again" => (true, Keep::Nothing),
            other => return Err(format!("`{other}` is no direction")),
        };
        let [length] = <[Dim; 1]>::try_from(at.dims()?).map_err(|_| "a scan has one length")?;
        let (carries, slices) = (at.keyed("carries")?, at.keyed("slices")?);
        let graph = self.body.take().ok_or("a scan has a body")?;
        let inputs = self.operands(at, graph.leaves.len())?;
        at.expect("{")?;
        Ok(Prim::Scan { body: Arc::new(ScanBody { length, keep, reverse, carries, slices, graph }), inputs })
    }

    fn operands(&mut self, at: &mut Cursor, count: usize) -> Result<Vec<Value>, String> {
        let mut operands = Vec::with_capacity(count);
        for i in 0..count {
            if i > 0 {
                at.expect(",")?;
            }
            operands.push(self.operand(at)?);
        }
        Ok(operands)
    }

    fn pair(&mut self, at: &mut Cursor) -> Result<[Value; 2], String> {
        let first = self.operand(at)?;
        at.expect(",")?;
        Ok([first, self.operand(at)?])
    }

    /// A node, a leaf, a size or a number.
    fn operand(&mut self, at: &mut Cursor) -> Result<Value, String> {
        if at.take("%") {
            let number: usize = at.number()?;
            return self.values.get(number).copied().ok_or_else(|| format!("%{number} comes later or never"));
        }
        if at.take("size(") {
            let dim = dim(at.until(")")?)?;
            return Ok(self.b.size(&dim));
        }
        let token = at.peek_token();
        if at.rest.starts_with('"') || is_word(token) {
            let name = at.name()?;
            let leaf = self.b.find(&name).ok_or_else(|| format!("there is no leaf `{name}`"))?;
            return Ok(self.b.read(leaf));
        }
        let whole = token.trim_start_matches('-').bytes().all(|c| c.is_ascii_digit());
        let dtype = if whole { DType::I32 } else { DType::F32 };
        let x = at.number()?;
        Ok(self.b.number(x, dtype))
    }

    fn output(&mut self, at: &mut Cursor, kind: OutputKind) -> Result<(), String> {
        let name = at.name()?;
        at.expect("=")?;
        let value = self.operand(at)?;
        self.outputs.push(Output { name: name.into(), value, kind });
        Ok(())
    }

    fn update(&mut self, at: &mut Cursor) -> Result<(), String> {
        let name = at.name()?;
        let of = if at.take("of ") { at.name()? } else { name.clone() };
        let leaf = self.b.find(&of).ok_or_else(|| format!("there is no leaf `{of}`"))?;
        at.expect("=")?;
        let value = self.operand(at)?;
        self.outputs.push(Output { name: name.into(), value, kind: OutputKind::Update(leaf) });
        Ok(())
    }
}

/// What is left of a line.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) -> Result<(), String> {
        if self.take(text) { Ok(()) } else { Err(format!("`{text}` expected before `{}`", self.rest)) }
    }

    fn end(&self) -> Result<(), String> {
        if self.rest.is_empty() { Ok(()) } else { Err(format!("`{}` is too much", self.rest)) }
    }

    /// The text before `stop`; both are taken.
    fn until(&mut self, stop: &str) -> Result<&'a str, String> {
        let (text, rest) = self.rest.split_once(stop).ok_or_else(|| format!("`{stop}` is missing"))?;
        self.rest = rest.trim_start();
        Ok(text.trim())
    }

    fn peek_token(&self) -> &'a str {
        let end = self.rest.find(|c: char| c.is_whitespace() || ",:()[]=\"{".contains(c));
        &self.rest[..end.unwrap_or(self.rest.len())]
    }

    fn token(&mut self) -> &'a str {
        let token = self.peek_token();
        self.rest = self.rest[token.len()..].trim_start();
        token
    }

    fn word(&mut self) -> Result<&'a str, String> {
        match self.token() {
            "" => Err(format!("a word expected before `{}`", self.rest)),
            word => Ok(word),
        }
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T, String> {
        let token = self.token();
        token.parse().map_err(|_| format!("`{token}` is not the number expected"))
    }

    fn keyed(&mut self, key: &str) -> Result<usize, String> {
        self.expect(key)?;
        self.number()
    }

    fn name(&mut self) -> Result<String, String> {
        if self.rest.starts_with('"') { self.quoted() } else { self.word().map(str::to_string) }
    }

    fn quoted(&mut self) -> Result<String, String> {
        let body =
            self.rest.strip_prefix('"').ok_or_else(|| format!("a quote expected before `{}`", self.rest))?;
        let mut text = String::new();
        let mut chars = body.char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = body[i + 1..].trim_start();
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, c)) => text.push(c),
                    None => break,
                },
                c => text.push(c),
            }
        }
        Err("a quote is not closed".into())
    }

    /// The texts between `[` and `]`.
    fn list(&mut self) -> Result<Vec<&'a str>, String> {
        self.expect("[")?;
        let text = self.until("]")?;
        if text.is_empty() { Ok(Vec::new()) } else { Ok(text.split(',').map(str::trim).collect()) }
    }

    fn dims(&mut self) -> Result<Vec<Dim>, String> {
        self.list()?.into_iter().map(dim).collect()
    }

    fn numbers<T: std::str::FromStr>(&mut self) -> Result<Vec<T>, String> {
        let numbers = self.list()?.into_iter();
        numbers.map(|text| text.parse().map_err(|_| format!("`{text}` is no number"))).collect()
    }

    fn tensor_type(&mut self) -> Result<TensorType, String> {
        let dtype = self.token();
        let dtype = dtype.parse().map_err(|()| format!("`{dtype}` is no element type"))?;
        Ok(TensorType { dtype, shape: Shape::from(self.dims()?) })
    }

    fn init(&mut self) -> Result<Init, String> {
        Ok(match self.word()? {
            "constant" => Init::Constant(self.number()?),
            "parts" => Init::Parts(self.numbers()?),
            "uniform" => Init::Uniform { bound: self.scale()? },
            "normal" => Init::Normal { mean: self.number()?, std: self.scale()? },
            "truncated_normal" => Init::TruncatedNormal { mean: self.number()?, std: self.scale()? },
            "orthogonal" => Init::Orthogonal { gain: self.number()? },
            "identity" => Init::Identity { gain: self.number()? },
            other => return Err(format!("`{other}` is no initialiser")),
        })
    }

    fn scale(&mut self) -> Result<InitScale, String> {
        if !self.take("sqrt(") {
            return Ok(InitScale::Fixed(self.number()?));
        }
        let num = self.number()?;
        self.expect("/")?;
        Ok(InitScale::Root { num, den: dim(self.until(")")?)? })
    }
}

fn dim(text: &str) -> Result<Dim, String> {
    Dim::parse(text).ok_or_else(|| format!("`{text}` is no size"))
}
