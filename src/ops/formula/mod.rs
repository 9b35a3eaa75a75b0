//! Expressions of the language become nodes of a graph.
//!
//! [`Eval`] knows numbers, tensors, arithmetic with NumPy broadcasting,
//! builtin functions and calls of `op` items. What else a name or an
//! expression may mean is the business of a [`Scope`]: the body of an op
//! adds its parameters, a model body adds layers, blocks and columns. Every
//! mistake is reported into [`Eval::diags`]; [`Reported`] is the proof.

mod arith;
mod bind;
mod body;
mod builtin;
mod call;
mod decl;
mod fit;
mod index;
mod item;
mod limit;
mod memo;
mod types;

pub use arith::{arith, promote, tensor_of};
pub use bind::{Slot, bind};
pub(in crate::ops) use body::Body;
pub use builtin::{Builtin, Kind as BuiltinKind, builtins};
pub use call::{apply, apply_std};
pub use decl::{OpDecl, OpParam, ParamKind, mentioned};
pub use index::spread;
pub use item::{Given, Item, Never, Number, Operand};
pub use limit::{BLOCK, MOST_NODES, OP, USE, depth, in_use, room, written};
pub use memo::Memo;
pub use types::{Bound, Mismatch, Pattern, PatternSize, TYPES, unify};

use super::Library;
use crate::base::{Dim, Span};
use crate::diag::{Code, Diagnostic, Diagnostics, did_you_mean};
use crate::graph::{Builder, Value};
use crate::syntax::ast::{Arg, BinOp, Expr, ExprKind, Ident};

/// A diagnostic has been pushed; the caller has nothing to add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported;

pub type Checked<T> = Result<T, Reported>;

/// What names and further expressions mean at some place of a spec.
pub trait Scope: Sized {
    /// What this scope adds to numbers and tensors; [`Never`] if nothing.
    type Entity: Clone + std::fmt::Debug;

    /// Has the first say on every expression, parentheses aside. `None`: the
    /// rules of [`Eval::eval`] apply. This is where layers, pipes into
    /// layers, `as`, `repeat` and members are taken over.
    fn expr(ev: &mut Eval<'_, Self>, expr: &Expr) -> Option<Checked<Item<Self::Entity>>>;

    /// What a bare name is bound to. Not ops and builtins: those are looked up after it.
    fn name(&mut self, name: &Ident) -> Option<Item<Self::Entity>>;

    /// All names that [`Scope::name`] knows, for "did you mean".
    fn names(&self) -> Vec<String>;

    /// Whether a name was to be bound by text with a mistake, which is reported: uses of it say
    /// nothing more.
    fn is_broken(&self, _name: &str) -> bool {
        false
    }

    /// Uses of ops whose results may be taken again: those of a formula under way, if this is one.
    /// Elsewhere the text itself bounds how many there are.
    fn memo(&self) -> Memo {
        Memo::default()
    }

    /// How messages call an entity: "a layer".
    fn describe(&self, entity: &Self::Entity) -> String;
}

/// Python's flags.
fn python(name: &str) -> Option<&'static str> {
    match name {
        "True" => Some("true"),
        "False" => Some("false"),
        _other => None,
    }
}

/// An evaluation under way.
pub struct Eval<'a, S: Scope> {
    pub lib: &'a Library,
    pub b: &'a mut Builder,
    pub diags: &'a mut Diagnostics,
    pub scope: &'a mut S,
    /// Inside the library's formulas: the user's text that all nodes come from.
    pub pin: Option<Span>,
}

/// An argument not evaluated yet, or one that came by the pipe.
#[derive(Clone, Debug)]
pub enum ArgSource<'e, E> {
    Expr(&'e Expr),
    Item(Item<E>),
}

impl<'a, S: Scope> Eval<'a, S> {
    pub fn new(lib: &'a Library, b: &'a mut Builder, diags: &'a mut Diagnostics, scope: &'a mut S) -> Self {
        Eval { lib, b, diags, scope, pin: None }
    }

    /// The nodes to follow come from `span`.
    pub fn at(&mut self, span: Span) {
        self.b.at(self.pin.unwrap_or(span));
    }

    /// Pushes a diagnostic: `Err(Reported)` in disguise.
    pub fn fail<T>(&mut self, diagnostic: Diagnostic) -> Checked<T> {
        self.diags.push(diagnostic);
        Err(Reported)
    }

    /// What `expr` is worth here.
    pub fn eval(&mut self, expr: &Expr) -> Checked<Item<S::Entity>> {
        depth(self.b, self.diags, 1, "this expression", expr.span)?;
        self.b.nesting += 1;
        let item = self.eval_inside(expr);
        self.b.nesting -= 1;
        item
    }

    fn eval_inside(&mut self, expr: &Expr) -> Checked<Item<S::Entity>> {
        if let ExprKind::Paren(inner) = &expr.kind {
            return self.eval(inner);
        }
        if let Some(result) = S::expr(self, expr) {
            return result;
        }
        match &expr.kind {
            ExprKind::Int(n) => Ok(Item::int(*n)),
            ExprKind::Float(x) => Ok(Item::float(*x)),
            ExprKind::Bool(x) => Ok(Item::Bool(*x)),
            ExprKind::Str(text) => Ok(Item::Text(text.clone())),
            ExprKind::Name(name) => self.name(name),
            ExprKind::Paren(inner) => self.eval(inner),
            ExprKind::List(items) | ExprKind::Tuple(items) => self.tuple(items),
            ExprKind::Neg(inner) => self.negate(inner, expr.span),
            ExprKind::Binary { op, left, right, .. } => self.binary(*op, left, right, expr.span),
            ExprKind::Call { callee, args } => self.call(expr.span, callee, Vec::new(), args),
            ExprKind::Pipe { input, stage } => self.pipe(input, stage, expr.span),
            ExprKind::Broken => Err(Reported),
            ExprKind::Index { base, items } => {
                let item = self.eval(base)?;
                self.index(item, base.span, items, expr.span)
            }
            ExprKind::Percent(share) => {
                // As decimal digits: a division would round.
                let number: f64 = format!("{share}e-2").parse().unwrap_or(share / 100.0);
                let message = "a percentage has no meaning here";
                let d = Diagnostic::error("value::kind", message, expr.span, "out of place");
                let fix = format!("write `{number}`");
                self.fail(d.help(format!("{fix}: only a `split` takes percentages")).fix(
                    fix,
                    expr.span,
                    number.to_string(),
                ))
            }
            ExprKind::Bytes(_) => {
                self.out_of_place("value::kind", "a number of bytes has no meaning here", expr)
            }
            ExprKind::Member(..) => self.out_of_place("value::kind", "nothing here has members", expr),
            ExprKind::As { .. } => {
                self.out_of_place("value::kind", "`as` names the weights of a layer, and this is none", expr)
            }
            ExprKind::By { .. } => {
                self.out_of_place("value::kind", "`by` groups a metric, and this is none", expr)
            }
            ExprKind::Repeat { .. } => {
                self.out_of_place("value::kind", "`repeat` chains layers, and there are none here", expr)
            }
            ExprKind::Range(..) => self.out_of_place("value::kind", "a range has no meaning here", expr),
        }
    }

    /// A number or tensor, else a diagnostic.
    pub fn operand(&mut self, expr: &Expr) -> Checked<Operand> {
        let item = self.eval(expr)?;
        self.as_operand(item, expr.span)
    }

    pub fn as_operand(&mut self, item: Item<S::Entity>, span: Span) -> Checked<Operand> {
        match item {
            Item::Number(n) => Ok(Operand::Number(n)),
            Item::Tensor(v) => Ok(Operand::Tensor(v)),
            Item::Bool(_) | Item::Text(_) | Item::Tuple(_) | Item::Entity(_) => {
                let found = self.describe(&item);
                let message = format!("a number or tensor is needed here, but this is {found}");
                let d = Diagnostic::error("value::kind", message, span, found);
                self.fail(d.help("name one value; a layer gives one once it has its input: `x |> Dense(10)`"))
            }
        }
    }

    /// A tensor; numbers become constants.
    pub fn tensor(&mut self, expr: &Expr) -> Checked<Value> {
        let operand = self.operand(expr)?;
        self.at(expr.span);
        Ok(tensor_of(self.b, &operand))
    }

    /// A number known while compiling, else a diagnostic.
    pub fn number(&mut self, expr: &Expr) -> Checked<Number> {
        match self.operand(expr)? {
            Operand::Number(n) => Ok(n),
            Operand::Tensor(v) => {
                let ty = self.b.ty(v).to_string();
                self.fail(
                    Diagnostic::error(
                        "value::constant",
                        "this must be known before training, but it is a tensor",
                        expr.span,
                        ty,
                    )
                    .help("write a number, or the name of a `param` or `dim`"),
                )
            }
        }
    }

    /// A whole number, possibly with symbols. Division must be exact.
    pub fn size(&mut self, expr: &Expr) -> Checked<Dim> {
        if let ExprKind::Binary { op: BinOp::Div, left, right, .. } = &expr.bare().kind {
            let (left, right) = (self.size(left), self.size(right));
            let (left, right) = (left?, right?);
            if right.as_const() == Some(0) {
                return self.fail(
                    Diagnostic::error(
                        "size::inexact",
                        format!("`{left} / {right}` divides by zero"),
                        expr.span,
                        "no size",
                    )
                    .help("divide by a size of at least 1"),
                );
            }
            return match left.div_exact(&right) {
                Some(quotient) => Ok(quotient),
                None => self.fail(
                    Diagnostic::error(
                        "size::inexact",
                        format!("`{left} / {right}` leaves a rest, so it is no size"),
                        expr.span,
                        format!("{left} is not a multiple of {right}"),
                    )
                    .help(format!("choose a size that {right} divides")),
                ),
            };
        }
        match self.number(expr)? {
            Number::Int(dim) => Ok(dim),
            Number::Float(x) => {
                // With its point, as it is written.
                let message = format!("a size is whole, but this is {x:?}");
                let d = Diagnostic::error("size::whole", message, expr.span, "no whole number");
                self.fail(match expr.bare().kind {
                    ExprKind::Float(_) if x.fract() == 0.0 => {
                        d.help(format!("write `{x}`")).fix(format!("write `{x}`"), expr.span, x.to_string())
                    }
                    _ => d.help("write a whole number"),
                })
            }
        }
    }

    /// How messages call an item.
    pub fn describe(&self, item: &Item<S::Entity>) -> String {
        match item {
            Item::Entity(entity) => self.scope.describe(entity),
            other => other.describe(self.b),
        }
    }

    /// What a name is: of the scope, else a constant of the file.
    pub fn name(&mut self, name: &Ident) -> Checked<Item<S::Entity>> {
        if let Some(item) = self.scope.name(name) {
            return Ok(item);
        }
        if self.scope.is_broken(&name.name) {
            return Err(Reported);
        }
        if let Some(constant) = self.lib.constant(&name.name) {
            return Ok(Item::Number(constant.clone()));
        }
        if self.lib.op(&name.name).is_some() || builtin::find(&name.name).is_some() {
            return self.fail(
                Diagnostic::error(
                    "value::kind",
                    format!("`{}` is a function: it needs arguments", name.name),
                    name.span,
                    "a function, not a value",
                )
                .help(format!("call it: `{}(x)`, or `x |> {}`", name.name, name.name)),
            );
        }
        self.unknown("name", name)
    }

    /// Reports a name that nothing bears, with the nearest that something does.
    pub fn unknown<T>(&mut self, what: &str, name: &Ident) -> Checked<T> {
        // In a flood nothing is searched: each search looks at every name.
        let flood = self.diags.is_flood();
        let mut known = if flood { Vec::new() } else { self.scope.names() };
        known.extend(self.lib.constants().map(str::to_string));
        known.extend(self.lib.op_names().map(str::to_string));
        known.extend(builtins().map(|f| f.name.to_string()));
        // Every other letter is one edit away from a letter: only its other case is a typo of it.
        let letter = name.name.chars().count() == 1;
        known.retain(|k| !letter || k.eq_ignore_ascii_case(&name.name));
        let found = did_you_mean(&name.name, known.iter().map(String::as_str));
        let mut d = Diagnostic::error(
            "name::unknown",
            format!("there is no {what} `{}` here", name.name),
            name.span,
            "not known here",
        );
        if let Some(ours) = python(&name.name) {
            let write = format!("write `{ours}`");
            return self
                .fail(d.help(format!("{write}: it is written small here")).fix(write, name.span, ours));
        }
        d = match found {
            _ if &*name.name == "None" => d.help("leave it out; where nothing is a choice, it is `none`"),
            _ if &*name.name == "B" => d.help("`B` is the batch: it stands in shapes alone; write a number"),
            Some(near) => {
                d.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), name.span, near)
            }
            None => d.help("declare it, or use a name that is in reach here"),
        };
        self.fail(d)
    }

    fn tuple(&mut self, items: &[Expr]) -> Checked<Item<S::Entity>> {
        let all: Vec<_> = items.iter().map(|e| self.eval(e)).collect();
        Ok(Item::Tuple(all.into_iter().collect::<Checked<_>>()?))
    }

    fn negate(&mut self, inner: &Expr, span: Span) -> Checked<Item<S::Entity>> {
        let operand = self.operand(inner)?;
        self.at(span);
        Ok(arith::negate(self.b, operand).into())
    }

    fn binary(&mut self, op: BinOp, left: &Expr, right: &Expr, span: Span) -> Checked<Item<S::Entity>> {
        // Both sides first, so that mistakes in both are shown.
        let (l, r) = (self.operand(left), self.operand(right));
        let (l, r) = ((l?, left.span), (r?, right.span));
        self.at(span);
        match arith(self.b, op, l, r, span) {
            Ok(operand) => Ok(operand.into()),
            Err(d) => self.fail(d),
        }
    }

    /// `input |> stage`: a pipe fills the first arguments of a function.
    fn pipe(&mut self, input: &Expr, stage: &Expr, span: Span) -> Checked<Item<S::Entity>> {
        let leading = self.piped(input)?;
        if let ExprKind::Call { callee, args } = &stage.bare().kind {
            return self.call(span, callee, leading, args);
        }
        self.call(span, stage, leading, &[])
    }

    /// The values that `input |> …` hands on, several of a tuple.
    pub fn piped(&mut self, input: &Expr) -> Checked<Vec<Given<Item<S::Entity>>>> {
        let items = match self.eval(input)? {
            Item::Tuple(items) => items,
            item @ (Item::Number(_) | Item::Tensor(_) | Item::Bool(_) | Item::Text(_) | Item::Entity(_)) => {
                vec![item]
            }
        };
        Ok(items.into_iter().map(|value| Given { name: None, value, span: input.span }).collect())
    }

    /// Calls an op or builtin by name; `leading` came by the pipe.
    pub fn call(
        &mut self,
        span: Span,
        callee: &Expr,
        leading: Vec<Given<Item<S::Entity>>>,
        args: &[Arg],
    ) -> Checked<Item<S::Entity>> {
        let Some(name) = callee.as_name() else {
            return self.fail(
                Diagnostic::error("call::callee", "only a name can be called", callee.span, "not a function")
                    .help("name the function, op or layer to call"),
            );
        };
        if let Some(bound) = self.scope.name(name) {
            let found = self.describe(&bound);
            return self.fail(
                Diagnostic::error(
                    "call::callee",
                    format!("`{}` cannot be called: it is {found}", name.name),
                    name.span,
                    found.clone(),
                )
                .help("write `*` to multiply, or name a function"),
            );
        }
        if self.scope.is_broken(&name.name) {
            return Err(Reported);
        }
        self.call_name(name, span, leading, args)
    }

    /// The same of a name that is no value of the scope.
    pub fn call_name(
        &mut self,
        name: &Ident,
        span: Span,
        leading: Vec<Given<Item<S::Entity>>>,
        args: &[Arg],
    ) -> Checked<Item<S::Entity>> {
        let lib = self.lib;
        // The library's own formulas mean the library's names, whatever the user took over.
        let own = self.pin.is_some();
        if !own && lib.is_broken(&name.name) {
            return Err(Reported);
        }
        if let Some(op) = if own { lib.std_op(&name.name) } else { lib.op(&name.name) } {
            return self.call_op(op, span, leading, args);
        }
        if let Some(function) = builtin::find(&name.name) {
            return self.call_builtin(function, span, leading, args);
        }
        self.unknown("function", name)
    }

    fn out_of_place<T>(&mut self, code: Code, message: &str, expr: &Expr) -> Checked<T> {
        self.fail(
            Diagnostic::error(code, message, expr.span, "out of place")
                .help("write numbers, tensors, arithmetic and calls"),
        )
    }
}
