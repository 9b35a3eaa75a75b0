//! Models and blocks become nodes of a graph.
//!
//! [`Elab`] is the scope of a model, block or `train` section: it adds layers,
//! blocks, models and columns to what formulas know ([`Eval`]). Each tensor
//! carries the chain of stages that made it, so that a shape error can show
//! how the shape came about.

mod apply;
mod attend;
mod bodies;
mod concat;
mod copies;
pub(in crate::sema) mod cut;
mod einsum;
mod masks;
mod pipe;
mod repeat;
mod resolve;
mod several;
mod types;

pub(super) use bodies::{alone, as_value, block_alone, define, fed, placeholders};
pub use several::{FUNCTIONS, Function};
pub(super) use types::declared_row;

use super::consts::item as constant;
use super::ctx::Ctx;
use super::facts::Mark;
use super::job::{Balance, LayerInfo, Wanted};
use super::train::Choice;
use crate::base::{Dim, Span, TensorType};
use crate::diag::Diagnostic;
use crate::graph::Value;
use crate::ops::formula::{Checked, Eval, Item, Scope};
use crate::ops::{AttrValue, Mode};
use crate::syntax::ast::{Expr, ExprKind, Ident};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// What a name or call is that is neither number nor tensor.
#[derive(Clone, Debug)]
pub(super) enum Entity {
    /// A layer or block with its settings, waiting for tensors.
    Pending(Rc<Pending>),
    Model(Arc<str>),
}

/// `Dense(10)` before its `(x)`.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub what: What,
    /// The weight path that `let` or `as` gave, and where.
    pub name: Option<(String, Span)>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// By name in the registry; its settings are checked.
    Layer { name: &'static str, attrs: Vec<(AttrValue, Span)> },
    /// By name in the file. A setting whose value is wrong is `None`.
    Block { name: Arc<str>, settings: Names },
}

/// What names stand for; `None` where the value is wrong and reported.
pub(super) type Names = BTreeMap<Arc<str>, Option<Item<Entity>>>;

/// One step of the chain that made a tensor.
#[derive(Debug)]
struct Link {
    span: Span,
    text: String,
    before: Option<Rc<Link>>,
}

impl Drop for Link {
    /// One by one: a chain of tens of thousands, each dropped inside the one before, would overflow the stack.
    fn drop(&mut self) {
        let mut next = self.before.take();
        while let Some(mut link) = next.and_then(Rc::into_inner) {
            next = link.before.take();
        }
    }
}

/// What is known of a tensor beside its type.
#[derive(Clone, Debug, Default)]
struct Meta {
    chain: Option<Rc<Link>>,
    prob: Option<Prob>,
    classes: Option<(Dim, Span)>,
    /// Which steps count, `f32[B, T]`: 1 keeps, 0 is padding.
    mask: Option<Value>,
}

/// Shares or probabilities, made by an activation.
#[derive(Clone, Debug)]
pub(super) struct Prob {
    /// `Softmax` or `Sigmoid`.
    pub by: &'static str,
    pub span: Span,
    /// What went in, if the activation can be folded into a loss.
    pub logits: Option<Value>,
}

/// What a `feed` may read, and what it makes of a row's type when nobody could look.
pub(super) struct Feeding {
    pub row: Option<TensorType>,
    /// Data sections that were read, by their place.
    pub read: BTreeSet<usize>,
}

/// The pair that a loss compared, for metrics.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub prediction: (Item<Entity>, Span),
    pub label: (Item<Entity>, Span),
    /// The column that the label is, whatever form the loss gave it.
    pub column: Option<String>,
    /// The activation that the loss has in itself: `Softmax`, `Sigmoid`.
    pub folds: Option<&'static str>,
    /// The id of labels that count nothing: `ignore=3`.
    pub ignore: Option<i64>,
    /// What the loss made of them, a scalar.
    pub loss: Value,
}

/// The scope of one graph.
pub(super) struct Elab<'c, 'a> {
    pub cx: &'c Ctx<'a>,
    mode: Mode,
    /// The nearest names: of a body or a `train` section.
    pub names: Names,
    /// In front of weight paths: empty, or with a dot behind.
    prefix: String,
    /// Weight paths in use, and the `as` or `let` that made each.
    claimed: BTreeMap<String, Span>,
    meta: BTreeMap<Value, Meta>,
    pub layers: Vec<LayerInfo>,
    pub penalties: Vec<Value>,
    /// What is not trained.
    pub freeze: Choice,
    /// Paths whose penalties are counted: shared layers count once.
    penalized: BTreeSet<String>,
    /// Blocks and models under way: none may use itself.
    active: Vec<Arc<str>>,
    /// Paths that were made up for layers without a name.
    made_up: BTreeSet<String>,
    /// The name proposed at a stage, one for all copies of it.
    proposed: BTreeMap<Span, String>,
    /// While a `feed` is read.
    pub feeding: Option<Feeding>,
    /// Names that `feed` gave, for models whose inputs are fed by name; `None` outside `train`.
    pub fed: Option<Names>,
    /// Outputs of models that were fed, each elaborated once.
    outputs: BTreeMap<Arc<str>, Names>,
    pub pairs: Vec<Pair>,
    /// What losses want of columns of the batch, by name.
    pub wanted: Vec<(Arc<str>, Wanted)>,
    /// Weights of classes that training rows decide.
    pub balanced: Vec<Balance>,
    /// Whether what is seen is noted: once for each text, so in one graph alone.
    records: bool,
}

pub(super) type Ev<'e, 'c, 'a> = Eval<'e, Elab<'c, 'a>>;

impl<'c, 'a> Elab<'c, 'a> {
    pub fn new(cx: &'c Ctx<'a>, mode: Mode) -> Elab<'c, 'a> {
        Elab {
            cx,
            mode,
            names: Names::new(),
            prefix: String::new(),
            claimed: BTreeMap::new(),
            meta: BTreeMap::new(),
            layers: Vec::new(),
            penalties: Vec::new(),
            freeze: Choice::default(),
            penalized: BTreeSet::new(),
            active: Vec::new(),
            made_up: BTreeSet::new(),
            proposed: BTreeMap::new(),
            feeding: None,
            fed: None,
            outputs: BTreeMap::new(),
            pairs: Vec::new(),
            wanted: Vec::new(),
            balanced: Vec::new(),
            records: false,
        }
    }

    /// The same, noting what is seen if anybody wants to know.
    pub fn recording(self) -> Elab<'c, 'a> {
        Elab { records: self.cx.facts.is_on(), ..self }
    }

    /// Forgets what belongs to one step of a training, before another is built: what models were given, and the
    /// penalties. The names are those that all steps are fed.
    pub fn begin_step(&mut self, fed: Names) {
        self.names = fed;
        self.outputs.clear();
        self.penalties.clear();
        self.penalized.clear();
    }

    /// Outputs of the models that were fed, by model.
    pub fn outputs(&self) -> impl Iterator<Item = (&Arc<str>, &Names)> {
        self.outputs.iter()
    }

    fn meta(&self, v: Value) -> Meta {
        self.meta.get(&v).cloned().unwrap_or_default()
    }

    /// Notes how a tensor came about.
    pub fn note(&mut self, v: Value, before: Option<Value>, span: Span, text: String) {
        let chain = before.and_then(|b| self.meta(b).chain);
        self.meta.entry(v).or_default().chain = Some(Rc::new(Link { span, text, before: chain }));
    }

    pub fn note_classes(&mut self, v: Value, classes: Dim, span: Span) {
        self.meta.entry(v).or_default().classes = Some((classes, span));
    }

    pub fn classes(&self, v: Value) -> Option<(Dim, Span)> {
        self.meta(v).classes
    }

    /// Which steps of `v` count, if any do not.
    pub fn mask(&self, v: Value) -> Option<Value> {
        self.meta.get(&v)?.mask
    }

    fn note_mask(&mut self, v: Value, mask: Option<Value>) {
        if mask.is_some() {
            self.meta.entry(v).or_default().mask = mask;
        }
    }

    pub fn prob(&self, v: Value) -> Option<Prob> {
        self.meta(v).prob
    }

    /// Adds the stages that led to `v` to a diagnostic, oldest first.
    pub fn explain(&self, mut diagnostic: Diagnostic, v: Value) -> Diagnostic {
        const SHOWN: usize = 8;
        let mut links = Vec::new();
        let mut next = self.meta(v).chain;
        while let Some(link) = next {
            next = link.before.clone();
            links.push(link);
        }
        links.truncate(SHOWN);
        let mine = diagnostic.span();
        for link in links.into_iter().rev() {
            let shown = diagnostic.labels.iter().any(|l| l.span == link.span && l.span != mine);
            if link.span != mine && !shown {
                diagnostic = diagnostic.label(link.span, link.text.clone());
            }
        }
        diagnostic
    }
}

/// Notes what an expression gave. Names are looked up by the formulas' rules, which give nothing here.
fn note_type(ev: &Ev, expr: &Expr, found: Option<&Checked<Item<Entity>>>) {
    let item = match (found, &expr.kind) {
        (Some(Ok(item)), _) => Some(item),
        (None, ExprKind::Name(name)) => ev.scope.names.get(&name.name).and_then(Option::as_ref),
        (Some(Err(_)) | None, _) => None,
    };
    if let Some(item) = item {
        note(ev, expr.span, item);
    }
}

/// Notes the tensors that the text at `span` stands for.
fn note(ev: &Ev, span: Span, item: &Item<Entity>) {
    if ev.scope.records {
        ev.scope.cx.facts.types(span, || types(ev, std::slice::from_ref(item)));
    }
}

/// The types of what is a tensor, tuples one by one.
fn types(ev: &Ev, items: &[Item<Entity>]) -> Vec<TensorType> {
    let of = |item: &Item<Entity>| match item {
        Item::Tensor(v) => vec![ev.b.ty(*v).clone()],
        Item::Tuple(items) => types(ev, items),
        Item::Number(_) | Item::Bool(_) | Item::Text(_) | Item::Entity(_) => Vec::new(),
    };
    items.iter().flat_map(of).collect()
}

/// Notes a stage that was applied.
fn note_stage(ev: &Ev, span: Span, name: &str, before: Mark, inputs: &pipe::Inputs, made: &Item<Entity>) {
    if ev.scope.records {
        let given = || inputs.iter().flat_map(|g| types(ev, std::slice::from_ref(&g.value))).collect();
        let both = || (given(), types(ev, std::slice::from_ref(made)));
        ev.scope.cx.facts.stage(span, name, ev.b, before, both);
    }
}

impl Scope for Elab<'_, '_> {
    type Entity = Entity;

    fn expr(ev: &mut Eval<'_, Self>, expr: &Expr) -> Option<Checked<Item<Entity>>> {
        let found = resolve::expr(ev, expr);
        if ev.scope.records {
            note_type(ev, expr, found.as_ref());
        }
        found
    }

    fn name(&mut self, name: &Ident) -> Option<Item<Entity>> {
        match self.names.get(&name.name) {
            Some(item) => item.clone(),
            None => self.cx.value(&name.name).map(constant),
        }
    }

    fn names(&self) -> Vec<String> {
        let globals = self.cx.globals.keys();
        self.names.keys().chain(globals).map(|n| n.to_string()).collect()
    }

    fn describe(&self, entity: &Entity) -> String {
        match entity {
            Entity::Pending(pending) => match &pending.what {
                What::Layer { name, .. } => format!("the layer `{name}`, which waits for a tensor"),
                What::Block { name, .. } => format!("the block `{name}`, which waits for tensors"),
            },
            Entity::Model(name) => format!("the model `{name}`"),
        }
    }
}
