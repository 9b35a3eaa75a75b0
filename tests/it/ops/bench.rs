//! Expressions of `x` and `i` become graphs, as a model body would make them.

use mlc::base::{DType, FileId, Shape, Sources, Span, TensorType};
use mlc::diag::{Diagnostic, Diagnostics};
use mlc::graph::interp::{self, Inputs, Tensor};
use mlc::graph::{Builder, Graph, Init, LeafKind, OutputKind, Value};
use mlc::ops::formula::{Checked, Eval, Item, Reported, Scope};
use mlc::ops::{self, Call, Framework, Library, Mode};
use mlc::syntax::ast::{Arg, Expr, ExprKind, Ident};
use mlc::syntax::{parse, parse_value};
use std::collections::BTreeMap;

/// A scope with two tensors and every layer.
struct Body {
    x: Value,
    i: Value,
    mode: Mode,
    penalties: Vec<Value>,
    /// Which steps of a value count, if not all do.
    masks: BTreeMap<Value, Value>,
}

#[derive(Clone, Debug)]
pub enum Never {}

impl Scope for Body {
    type Entity = Never;

    fn expr(ev: &mut Eval<'_, Self>, expr: &Expr) -> Option<Checked<Item<Never>>> {
        let ExprKind::Pipe { input, stage } = &expr.kind else { return None };
        let (stage, path) = match &stage.kind {
            ExprKind::As { stage, path } => (stage.as_ref(), path.parts[0].name.to_string()),
            _ => (stage.as_ref(), "layer".to_string()),
        };
        let (name, args): (_, &[Arg]) = match &stage.bare().kind {
            ExprKind::Call { callee, args } => (callee.as_name()?, args),
            _ => (stage.as_name()?, &[]),
        };
        let layer = ops::layer(&name.name)?;
        Some(apply(ev, layer, input, args, path, stage.span))
    }

    fn name(&mut self, name: &Ident) -> Option<Item<Never>> {
        match &*name.name {
            "x" => Some(Item::Tensor(self.x)),
            "i" => Some(Item::Tensor(self.i)),
            _ => None,
        }
    }

    fn names(&self) -> Vec<String> {
        vec!["x".to_string(), "i".to_string()]
    }

    fn describe(&self, entity: &Never) -> String {
        match *entity {}
    }
}

fn apply(
    ev: &mut Eval<'_, Body>,
    layer: &'static dyn ops::OpDef,
    input: &Expr,
    args: &[Arg],
    path: String,
    span: Span,
) -> Checked<Item<Never>> {
    let inputs = tensors(ev, input)?;
    let x = inputs[0];
    let attrs = ops::attrs::attrs(ev, layer.sig(), args, span)?;
    let (sig, mode, framework) = (layer.sig(), ev.scope.mode, ev.lib.framework());
    let masks: Vec<_> = inputs.iter().map(|v| ev.scope.masks.get(v).copied()).collect();
    let mask = masks[0];
    let call = Call { sig, inputs, masks, attrs, path, span, framework, mode };
    match layer.build(ev.lib, ev.b, &call) {
        Ok(built) => {
            ev.scope.penalties.extend(built.penalties);
            let y = built.outputs[0];
            if let Some(mask) = built.mask.follow(mask, ev.b.shape(x), ev.b.shape(y)) {
                ev.scope.masks.insert(y, mask);
            }
            Ok(match built.outputs.as_slice() {
                [y] => Item::Tensor(*y),
                all => Item::Tuple(all.iter().map(|v| Item::Tensor(*v)).collect()),
            })
        }
        Err(d) => ev.fail(d),
    }
}

/// One tensor, or several in parentheses.
fn tensors(ev: &mut Eval<'_, Body>, input: &Expr) -> Checked<Vec<Value>> {
    match &input.bare().kind {
        ExprKind::Tuple(items) => items.iter().map(|item| ev.tensor(item)).collect(),
        _ => Ok(vec![ev.tensor(input)?]),
    }
}

/// One expression and the ops that it may use.
pub struct Bench {
    pub framework: Framework,
    pub mode: Mode,
    pub x: Shape,
    /// The text of a file with `op` items.
    pub ops: String,
}

/// What came of it.
pub struct Outcome {
    pub sources: Sources,
    pub result: Result<Graph, Vec<Diagnostic>>,
}

impl Outcome {
    pub fn graph(self) -> Graph {
        self.result.unwrap_or_else(|why| panic!("{why:#?}"))
    }

    /// Each diagnostic as its code and the text it points at.
    pub fn mistakes(&self) -> Vec<(String, String)> {
        let found = self.result.as_ref().err().map_or(&[][..], Vec::as_slice);
        found.iter().map(|d| (d.code.to_string(), self.sources.slice(d.span()).to_string())).collect()
    }
}

impl Bench {
    pub fn new(x: impl Into<Shape>) -> Bench {
        Bench { framework: Framework::Keras, mode: Mode::Train, x: x.into(), ops: String::new() }
    }

    /// A graph with the outputs `0`, `1`, … and one `penalty` for each; `x` is a weight, so that
    /// gradients can be asked for, and `i` has its shape less the last axis.
    pub fn build(&self, text: &str) -> Outcome {
        let mut sources = Sources::new();
        let spec = sources.add("ops.mlspec", None, self.ops.as_str());
        let expr = sources.add("expression", None, text);
        let mut lib = Library::std(self.framework, &mut sources);
        let mut diags = Diagnostics::new();
        if !self.ops.is_empty() {
            let (file, found) = parse(&sources, spec);
            diags.extend(found.sorted());
            lib.declare(&file, &mut diags);
        }
        let result = self.evaluate(&lib, &sources, expr, &mut diags);
        let result = match result {
            Ok(graph) if diags.is_empty() => Ok(graph),
            Ok(_) | Err(Reported) => Err(diags.sorted()),
        };
        Outcome { sources, result }
    }

    fn evaluate(
        &self,
        lib: &Library,
        sources: &Sources,
        file: FileId,
        diags: &mut Diagnostics,
    ) -> Checked<Graph> {
        let text = &sources.get(file).text;
        let expr = parse_value(sources, Span::new(file, 0, text.len())).map_err(|found| {
            diags.extend(found.sorted());
            Reported
        })?;
        let mut b = Builder::new("bench");
        let x = b.leaf("x", TensorType::f32(self.x.clone()), LeafKind::Param(Init::Constant(0.0)));
        let rows = self.x.without(&[self.x.rank().saturating_sub(1)]);
        let i = b.batch("i", TensorType::new(DType::I32, rows));
        let mut scope = Body { x, i, mode: self.mode, penalties: Vec::new(), masks: BTreeMap::new() };
        let item = Eval::new(lib, &mut b, diags, &mut scope).eval(&expr)?;
        let items = match item {
            Item::Tuple(items) => items,
            item => vec![item],
        };
        for (n, item) in items.into_iter().enumerate() {
            let operand = Eval::new(lib, &mut b, diags, &mut scope).as_operand(item, expr.span)?;
            let v = ops::formula::tensor_of(&mut b, &operand);
            b.output(n.to_string(), v, OutputKind::Value);
        }
        for penalty in scope.penalties {
            b.output("penalty", penalty, OutputKind::Loss);
        }
        Ok(b.finish())
    }
}

/// Numbers without pattern, none near 0 or another kink.
pub fn noise(name: &str, count: usize, low: f64, high: f64) -> Vec<f64> {
    let key = mlc_kernels::rng::key(11, name);
    (0..count as u64).map(|i| low + (high - low) * f64::from(mlc_kernels::rng::uniform(key, 0, i))).collect()
}

/// Values for every leaf: floats from `low` to `high`, class ids below the last size of `x`.
pub fn inputs(graph: &Graph, x: &[usize], low: f64, high: f64) -> Inputs {
    let mut inputs = Inputs { seed: 3, step: 1, ..Inputs::default() };
    let classes = x.last().copied().unwrap_or(1);
    for (_, leaf) in graph.leaves.iter() {
        let shape = leaf.ty.shape.as_const().expect("bench: shapes are numbers");
        let count = shape.iter().product();
        let data = match leaf.ty.dtype {
            DType::F32 => noise(&leaf.name, count, low, high),
            DType::I32 | DType::U8 => (0..count).map(|n| (n * 7 % classes) as f64).collect(),
        };
        inputs.leaves.insert(leaf.name.to_string(), Tensor::new(shape, data));
    }
    inputs
}

/// All outputs for the noise of [`inputs`].
pub fn run(graph: &Graph, x: &[usize], low: f64, high: f64) -> Vec<Tensor> {
    interp::run(graph, &inputs(graph, x, low, high))
}
