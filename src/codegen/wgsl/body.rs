//! Bodies of loops as statements, at one point of their space.
//!
//! Affine forms are `i32` without zero terms, and terms that several share stand once. A guarded load touches
//! nothing where a guard fails. Loads are bound where they stand, so no later store can change them; what is used once
//! and short stands where it is used.

use super::check;
use super::ir::{Binary, Block, Expr, Function, Kind, Local, Stmt, Type};
use super::print;
use crate::base::{DType, Precision};
use crate::codegen::dims::merge_dims;
use crate::graph::ScalarOp;
use crate::loops::{Access, Body, Guard, Node, NodeId, Store};
use std::collections::BTreeMap;

/// Parts of an expression beyond which it gets a line of its own.
const LONG: usize = 8;

/// Comparisons as conditions, and whether they hold where the condition fails.
const COMPARISONS: [(ScalarOp, Binary, bool); 6] = [
    (ScalarOp::Eq, Binary::Eq, false),
    // Compilers take `!=` to be false of what is not a number.
    (ScalarOp::Ne, Binary::Eq, true),
    (ScalarOp::Lt, Binary::Lt, false),
    (ScalarOp::Le, Binary::Le, false),
    (ScalarOp::Gt, Binary::Gt, false),
    (ScalarOp::Ge, Binary::Ge, false),
];

/// `fn {prefix}{name}(b: i32, m: i32, n: i32, acc: f32)`: a contraction's body without folds at one point. The parameters are
/// row-major numbers of points in the three groups of dims; strides are over them in order.
pub fn finish_function(
    body: &Body,
    groups: [&[usize]; 3],
    dtypes: &[DType],
    name: &str,
    prefix: &str,
) -> String {
    let (body, sizes, counts) = merged(body, groups);
    let function = Function::new(format!("{prefix}{name}"));
    let mut e = Emitter::new(&body, dtypes, &sizes, prefix, function);
    e.enter_groups(["b", "m", "n"], &counts);
    e.acc = Some(e.function.param("acc", Type::F32, false));
    e.stores(&(0..body.stores.len()).collect::<Vec<_>>());
    e.finish()
}

/// `fn {prefix}{name}(b: i32, i: i32, k: i32) -> f32`: the value of a node of a body without folds and stores; parameters as
/// [`finish_function`]'s.
pub fn value_function(
    body: &Body,
    value: NodeId,
    precision: Precision,
    groups: [&[usize]; 3],
    dtypes: &[DType],
    name: &str,
    prefix: &str,
) -> String {
    let (body, sizes, counts) = merged(body, groups);
    let function = Function::new(format!("{prefix}{name}"));
    let mut e = Emitter::new(&body, dtypes, &sizes, prefix, function);
    e.function.result = Some(Type::F32);
    e.enter_groups(["b", "i", "k"], &counts);
    let value = match precision {
        Precision::F32 => e.value(value),
        Precision::Bf16 => {
            Expr::Call { function: "mlc_bf16".into(), args: vec![e.value(value)], result: Type::F32 }
        }
    };
    e.push(Stmt::Return(Some(value)));
    e.finish()
}

/// The body over merged dims, their sizes, and how many belong to each group.
pub fn merged<const N: usize>(body: &Body, groups: [&[usize]; N]) -> (Body, Vec<usize>, [usize; N]) {
    let mut body = body.clone();
    let mut sizes = groups.concat();
    let mut counts = groups.map(<[usize]>::len);
    merge_dims(&mut body, &mut sizes, &mut counts);
    (body, sizes, counts)
}

/// Writes the code of a body's nodes and stores into a function.
pub struct Emitter<'a> {
    pub body: &'a Body,
    /// Of the dims that strides are over.
    pub sizes: &'a [usize],
    pub function: Function,
    /// The sum of a contraction, where there is one.
    pub acc: Option<Expr>,
    prefix: &'a str,
    /// By node.
    types: Vec<Type>,
    uses: Vec<usize>,
    known: Known,
    /// The blocks that are open, and what was known before each.
    open: Vec<(Block, Known)>,
}

/// What has been computed in the blocks that are open.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Where the point is along each dim; 0 along those of loops that are not open.
    index: Vec<Expr>,
    /// By node.
    values: Vec<Option<Expr>>,
    /// By strides: the sum of strides times indices.
    forms: BTreeMap<Vec<i64>, Expr>,
}

impl<'a> Emitter<'a> {
    pub fn new(
        body: &'a Body,
        dtypes: &[DType],
        sizes: &'a [usize],
        prefix: &'a str,
        function: Function,
    ) -> Emitter<'a> {
        let known = Known {
            index: vec![Expr::I32(0); sizes.len()],
            values: vec![None; body.nodes.len()],
            forms: BTreeMap::new(),
        };
        Emitter {
            body,
            sizes,
            function,
            acc: None,
            prefix,
            types: types(body, dtypes),
            uses: uses(body),
            known,
            open: vec![(Block::new(), Known::default())],
        }
    }

    /// The function's text, checked.
    pub fn finish(mut self) -> String {
        let (block, _) = self.open.pop().expect("wgsl: the body of the function is open");
        assert!(self.open.is_empty(), "wgsl: blocks are closed before the function ends");
        self.function.body = block;
        check::check(&self.function);
        print::print(&self.function)
    }

    // ---- statements

    pub fn push(&mut self, stmt: Stmt) {
        self.open.last_mut().expect("wgsl: a block is open").0.push(stmt);
    }

    /// Names a value, unless it is as short as a name.
    pub fn bind(&mut self, hint: &'static str, value: Expr) -> Expr {
        if value.is_atom() {
            return value;
        }
        let local = self.function.local(hint, value.ty(&self.function), Kind::Let);
        self.push(Stmt::Let { local, value });
        Expr::Local(local)
    }

    pub fn var(&mut self, hint: &'static str, value: Expr) -> Local {
        let local = self.function.local(hint, value.ty(&self.function), Kind::Var);
        self.push(Stmt::Var { local, value });
        local
    }

    pub fn call(&mut self, function: impl Into<String>, args: Vec<Expr>, collective: bool) {
        self.push(Stmt::Call { function: function.into(), args, collective });
    }

    /// Opens a block: what is computed in it is forgotten when it is closed.
    pub fn open(&mut self) {
        self.open.push((Block::new(), self.known.clone()));
    }

    pub fn close(&mut self) -> Block {
        let (block, known) = self.open.pop().expect("wgsl: a block is open");
        self.known = known;
        block
    }

    /// Runs `inside` as the block of an `if`, or at once where nothing is asked.
    pub fn when(&mut self, condition: Option<Expr>, inside: impl FnOnce(&mut Self)) {
        let Some(when) = condition else { return inside(self) };
        self.open();
        inside(self);
        let then = self.close();
        self.push(Stmt::If { when, then, otherwise: Block::new() });
    }

    /// A loop over `i32` numbers.
    pub fn repeat(
        &mut self,
        hint: &'static str,
        [from, to, step]: [Expr; 3],
        inside: impl FnOnce(&mut Self, Expr),
    ) {
        let counter = self.function.local(hint, Type::I32, Kind::Counter);
        self.open();
        inside(self, Expr::Local(counter));
        let body = self.close();
        self.push(Stmt::For { counter, from, to, step, body });
    }

    // ---- the point

    /// Makes parameters of three groups of dims, and sets the indices from them.
    pub fn enter_groups(&mut self, names: [&'static str; 3], counts: &[usize; 3]) {
        let mut first = 0;
        for (name, count) in names.into_iter().zip(counts) {
            let point = self.function.param(name, Type::I32, false);
            self.enter(first..first + count, point);
            first += count;
        }
    }

    /// Sets the indices of `dims` from the row-major number of a point of them.
    pub fn enter(&mut self, dims: std::ops::Range<usize>, point: Expr) {
        let mut rest = point;
        let first = dims.start;
        for dim in dims.rev() {
            let (high, low) = match dim == first {
                true => (Expr::I32(0), rest),
                false => rest.split(self.sizes[dim]),
            };
            self.known.index[dim] = self.bind("i", low);
            rest = if dim == first { high } else { self.bind("i", high) };
        }
    }

    /// The row-major number of the point in `dims`.
    pub fn row_major(&mut self, dims: std::ops::Range<usize>) -> Expr {
        let mut strides = vec![0; self.sizes.len()];
        let mut step = 1;
        for dim in dims.rev() {
            strides[dim] = step;
            step *= self.sizes[dim] as i64;
        }
        self.form(0, &strides)
    }

    /// Sets the index of one dim.
    pub fn set_index(&mut self, dim: usize, at: Expr) {
        self.known.index[dim] = at;
    }

    // ---- affine forms

    /// `offset + sum of strides * indices`
    fn form(&mut self, offset: i64, strides: &[i64]) -> Expr {
        let strides: Vec<i64> =
            strides.iter().zip(self.sizes).map(|(&s, &n)| if n == 1 { 0 } else { s }).collect();
        let whole = |n: i64| i32::try_from(n).expect("wgsl: elements of a buffer are counted by i32");
        let base = match self.known.forms.get(&strides) {
            Some(base) => base.clone(),
            None => {
                let terms = strides.iter().zip(&self.known.index).filter(|(s, _)| **s != 0);
                let sum = terms.fold(Expr::I32(0), |sum, (&s, i)| sum.plus(i.clone().times(whole(s))));
                let base = self.bind("at", sum);
                self.known.forms.insert(strides, base.clone());
                base
            }
        };
        base.plus(Expr::I32(whole(offset)))
    }

    /// What must hold for a guard to hold; none if it always does.
    fn guard(&mut self, guard: &Guard) -> Option<Expr> {
        let ends = guard.strides.iter().zip(self.sizes).map(|(&s, &n)| s * (n as i64 - 1).max(0));
        let (mut least, mut greatest) = (guard.offset, guard.offset);
        for end in ends {
            least += end.min(0);
            greatest += end.max(0);
        }
        let at = self.form(guard.offset, &guard.strides);
        let size = i32::try_from(guard.size).expect("wgsl: sizes fit i32");
        let low = (least < 0).then(|| at.clone().binary(Binary::Ge, Expr::I32(0)));
        let high = (greatest >= guard.size).then(|| at.binary(Binary::Lt, Expr::I32(size)));
        both(low, high)
    }

    // ---- values

    /// The value of a node at the point.
    pub fn value(&mut self, id: NodeId) -> Expr {
        if let Some(value) = &self.known.values[id.index()] {
            return value.clone();
        }
        let value = self.compute(id);
        let keep = !value.is_atom() && (self.uses[id.index()] > 1 || size(&value) > LONG);
        let value = if keep { self.bind("x", value) } else { value };
        self.know(id, value.clone());
        value
    }

    /// The value of a node, by name.
    pub fn named(&mut self, id: NodeId) -> Expr {
        let value = self.value(id);
        let value = self.bind("x", value);
        self.know(id, value.clone());
        value
    }

    /// From here to the end of the block the node has this value.
    pub fn know(&mut self, id: NodeId, value: Expr) {
        self.known.values[id.index()] = Some(value);
    }

    pub fn ty(&self, id: NodeId) -> Type {
        self.types[id.index()]
    }

    fn compute(&mut self, id: NodeId) -> Expr {
        let body = self.body;
        match &body.nodes[id] {
            Node::Acc => {
                let acc = self.acc.clone().expect("wgsl: a sum is used where there is a product");
                self.bind("acc", acc)
            }
            Node::Const { value, dtype } => match dtype {
                DType::F32 => Expr::F32(*value as f32),
                DType::I32 => Expr::I32(*value as i32),
                DType::U8 => Expr::U32(*value as u32),
            },
            Node::Index { offset, strides } => self.form(*offset, strides),
            Node::Random { site, offset, strides } => {
                let element = self.form(*offset, strides).cast(Type::U32);
                let draw = Expr::call(format!("{}random{site}", self.prefix), vec![element], Type::F32);
                self.bind("x", draw)
            }
            Node::Load(access) => {
                let at = self.form(access.offset, &access.strides);
                self.guarded(access, self.types[id.index()], at)
            }
            Node::LoadAt { access, index, rows, stride } => {
                let index = self.value(*index);
                let last = i32::try_from(rows.saturating_sub(1)).expect("wgsl: sizes fit i32");
                let row = Expr::call("clamp", vec![index, Expr::I32(0), Expr::I32(last)], Type::I32);
                let stride = i32::try_from(*stride).expect("wgsl: strides fit i32");
                let base = self.form(access.offset, &access.strides);
                self.guarded(access, self.types[id.index()], row.times(stride).plus(base))
            }
            Node::Op { op, inputs } => self.op(*op, inputs),
            Node::Fold { .. } => panic!("wgsl: a fold is known before it is used"),
        }
    }

    /// A load behind its guards.
    fn guarded(&mut self, access: &Access, ty: Type, at: Expr) -> Expr {
        let mut condition = None;
        for guard in &access.guards {
            let next = self.guard(guard);
            condition = both(condition, next);
        }
        let function = format!("{}get{}", self.prefix, access.buffer.index());
        let load = Expr::call(function, vec![at], ty);
        let Some(when) = condition else { return self.bind("x", load) };
        let fill = match ty {
            Type::F32 => Expr::F32(access.fill as f32),
            Type::I32 => Expr::I32(access.fill as i32),
            Type::U32 => Expr::U32(access.fill as u32),
            Type::Bool => panic!("wgsl: memory holds numbers"),
        };
        let local = self.var("x", fill);
        self.push(Stmt::If {
            when,
            then: vec![Stmt::Assign { local, value: load }],
            otherwise: Block::new(),
        });
        Expr::Local(local)
    }

    fn op(&mut self, op: ScalarOp, inputs: &[NodeId]) -> Expr {
        if op == ScalarOp::Stop {
            return self.value(inputs[0]);
        }
        if op == ScalarOp::Select
            && let Some(when) = self.comparison(inputs[0])
        {
            let (then, otherwise) = (self.value(inputs[1]), self.value(inputs[2]));
            return Expr::Select {
                when: Box::new(when),
                then: Box::new(then),
                otherwise: Box::new(otherwise),
            };
        }
        let mut args: Vec<Expr> = inputs.iter().map(|input| self.value(*input)).collect();
        if args.iter().all(Expr::is_literal) {
            // Left to itself, the compiler of the shader would refuse constants that overflow.
            args[0] = self.bind_literal(args[0].clone());
        } else if let Some(share) = self.reciprocal(op, inputs) {
            args[1] = Expr::F32(share);
            return Expr::Scalar { op: ScalarOp::Mul, args };
        }
        Expr::Scalar { op, args }
    }

    /// What to multiply by instead of dividing by a constant: two roundings are one unit of the last place at most,
    /// as much as `mlc_div` promises, and pixels over 255 stand in the innermost loop of a product.
    fn reciprocal(&self, op: ScalarOp, inputs: &[NodeId]) -> Option<f32> {
        if op != ScalarOp::Div {
            return None;
        }
        let Node::Const { value, .. } = self.body.nodes[inputs[1]] else { return None };
        let (divisor, share) = (value as f32, (1.0 / value) as f32);
        (divisor.is_normal() && share.is_normal()).then_some(share)
    }

    fn bind_literal(&mut self, value: Expr) -> Expr {
        let local = self.function.local("x", value.ty(&self.function), Kind::Let);
        self.push(Stmt::Let { local, value });
        Expr::Local(local)
    }

    /// A comparison of which only the truth is asked.
    fn comparison(&mut self, id: NodeId) -> Option<Expr> {
        let Node::Op { op, inputs } = &self.body.nodes[id] else { return None };
        if self.uses[id.index()] > 1 || self.known.values[id.index()].is_some() {
            return None;
        }
        let (_, sign, negated) = COMPARISONS.iter().copied().find(|(row, ..)| row == op)?;
        let (a, b) = (self.value(inputs[0]), self.value(inputs[1]));
        let a = if a.is_literal() && b.is_literal() { self.bind_literal(a) } else { a };
        let holds = a.binary(sign, b);
        Some(if negated { Expr::Not(Box::new(holds)) } else { holds })
    }

    // ---- stores

    /// Makes these stores of the body, all values before the first is written.
    pub fn stores(&mut self, which: &[usize]) {
        let body = self.body;
        let stores: Vec<&Store> = which.iter().map(|&s| &body.stores[s]).collect();
        let values: Vec<Expr> = stores.iter().map(|s| self.value(s.value)).collect();
        for (store, value) in stores.into_iter().zip(values) {
            let at = self.form(store.access.offset, &store.access.strides);
            let function = format!("{}set{}", self.prefix, store.access.buffer.index());
            let once = self.once(store);
            let set = Stmt::Call { function, args: vec![at, value], collective: false };
            match once {
                Some(when) => self.push(Stmt::If { when, then: vec![set], otherwise: Block::new() }),
                None => self.push(set),
            }
        }
    }

    /// True at one of the points that would store the same element; none where each point stores its own.
    fn once(&mut self, store: &Store) -> Option<Expr> {
        let repeats = (0..self.sizes.len()).filter(|&d| self.sizes[d] > 1 && store.access.strides[d] == 0);
        let first = |d: usize| match &self.known.index[d] {
            Expr::I32(0) => None,
            index => Some(index.clone().binary(Binary::Eq, Expr::I32(0))),
        };
        let once = repeats.filter_map(first).fold(None, |all, next| both(all, Some(next)));
        let in_place = self.body.loads().any(|load| load.buffer == store.access.buffer);
        assert!(
            !(once.is_some() && in_place),
            "loops: what a kernel overwrites has an element for each point"
        );
        once
    }
}

/// Both conditions, where there are any.
pub fn both(a: Option<Expr>, b: Option<Expr>) -> Option<Expr> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.binary(Binary::And, b)),
        (a, b) => a.or(b),
    }
}

/// How many parts an expression has.
fn size(expr: &Expr) -> usize {
    let all = |parts: &[Expr]| parts.iter().map(size).sum::<usize>();
    1 + match expr {
        Expr::F32(_) | Expr::I32(_) | Expr::U32(_) | Expr::Local(_) => 0,
        Expr::Not(x) | Expr::Cast { value: x, .. } | Expr::Element { index: x, .. } => size(x),
        Expr::Binary(_, a, b) => size(a) + size(b),
        Expr::Scalar { args, .. } | Expr::Call { args, .. } => all(args),
        Expr::Select { when, then, otherwise } => size(when) + size(then) + size(otherwise),
    }
}

/// How often each node is used, by nodes and by stores.
fn uses(body: &Body) -> Vec<usize> {
    let mut uses = vec![0; body.nodes.len()];
    let inputs = body.nodes.iter().flat_map(|(_, node)| node.inputs());
    inputs.chain(body.stores.iter().map(|s| &s.value)).for_each(|id| uses[id.index()] += 1);
    uses
}

/// The type of each node of a bound body.
fn types(body: &Body, dtypes: &[DType]) -> Vec<Type> {
    let mut all: Vec<DType> = Vec::with_capacity(body.nodes.len());
    for (_, node) in body.nodes.iter() {
        let dtype = match node {
            Node::Acc | Node::Random { .. } => DType::F32,
            Node::Const { dtype, .. } => *dtype,
            Node::Index { .. } => DType::I32,
            Node::Load(access) | Node::LoadAt { access, .. } => dtypes[access.buffer.index()],
            Node::Op { op, inputs } => {
                let operands: Vec<DType> = inputs.iter().map(|i| all[i.index()]).collect();
                op.result(&operands).unwrap_or_else(|why| panic!("loops: bodies are well typed: {why}"))
            }
            Node::Fold { input, .. } => all[input.index()],
        };
        all.push(dtype);
    }
    all.into_iter().map(Type::of).collect()
}
