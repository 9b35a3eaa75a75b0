//! Layers meet their tensors; settings of layers and blocks are checked.

use super::bodies;
use super::pipe::{Inputs, made_up, stacked};
use super::{Entity, Ev, Names, Pending, Prob, What, note_stage};
use crate::base::{Dim, Span};
use crate::diag::Diagnostic;
use crate::graph::{LeafKind, Value};
use crate::ops::formula::{Checked, Given, Item, Number, Reported, Slot, bind, room, tensor_of};
use crate::ops::{self, AttrValue, Call, Mode, OpDef};
use crate::sema::facts::Mark;
use crate::sema::job::LayerInfo;
use crate::syntax::ast::{Arg, Block, Field, Ident};

type Found = Checked<Item<Entity>>;
/// Settings of a layer, each with its place.
type Attrs = Vec<(AttrValue, Span)>;

/// One use of a layer or block.
pub(super) struct Use<'u> {
    pub pending: &'u Pending,
    pub name: Option<(String, Span)>,
    pub inputs: Inputs,
    /// The stage or call that says what is applied.
    pub stage: Span,
}

pub(super) fn apply(ev: &mut Ev, using: Use) -> Found {
    let name = match &using.pending.what {
        What::Layer { name, .. } => name,
        What::Block { name, .. } => &**name,
    };
    room(ev.b, ev.diags, name, using.stage)?;
    let before = Mark::starts(ev.b);
    let made = match &using.pending.what {
        What::Layer { name, attrs } => {
            let def = ops::layer(name).expect("resolve: pending layers are in the registry");
            layer(ev, def, attrs, &using)
        }
        What::Block { name, settings } => {
            let block = ev.scope.cx.block(name).expect("resolve: pending blocks are in the file");
            bodies::block(ev, block, settings, &using)
        }
    }?;
    note_stage(ev, using.stage, name, before, &using.inputs, &made);
    Ok(made)
}

/// The weight path of a use, claimed for it; a made-up one for layers without a name.
pub(super) fn claim(ev: &mut Ev, using: &Use) -> Checked<(String, Option<String>)> {
    let Some((name, span)) = &using.name else {
        let (path, proposal) = made_up(ev, &using.pending.what, using.stage);
        return Ok((path, Some(proposal)));
    };
    let path = format!("{}{name}", ev.scope.prefix);
    match ev.scope.claimed.get(&path) {
        Some(first) if first != span => {
            let message = format!("two layers are named `{path}`");
            let d = Diagnostic::error("name::twice", message, *span, "named again")
                .label(*first, "first named here");
            ev.fail(d.help("rename one, or bind the layer by `let` and use it twice to share its weights"))
        }
        _ => {
            ev.scope.claimed.insert(path.clone(), *span);
            Ok((path, None))
        }
    }
}

/// Weights without a name are an error, so that no checkpoint holds a guess.
pub(super) fn named_or_say(ev: &mut Ev, using: &Use, what: &str, before: usize, proposal: Option<String>) {
    let Some(proposal) = proposal else { return };
    let weights = ev.b.graph().leaves.since(before).iter().any(|l| !matches!(l.kind, LeafKind::Batch));
    if weights {
        let message = format!("`{what}` has weights, so it needs a name");
        let d = Diagnostic::error("name::unnamed", message, using.stage, "name this");
        let title = format!("name it `{proposal}`");
        let d = d.help(format!("write `as {proposal}` behind it: its weights are then `{proposal}.…`"));
        ev.diags.push(d.fix(title, using.stage.end(), format!(" as {proposal}")));
    }
}

fn layer(ev: &mut Ev, def: &'static dyn OpDef, attrs: &[(AttrValue, Span)], using: &Use) -> Found {
    let sig = def.sig();
    let inputs = tensors(ev, sig.name, sig.inputs, using)?;
    let (path, proposal) = claim(ev, using)?;
    let first = inputs[0];
    if let Some(by) = squashes(acting(sig.name, attrs).0) {
        stacked(ev, Some(first), by, using.stage)?;
    }
    let (attrs, squash) = split_activation(ev, def, attrs);
    let frozen = ev.scope.freeze.is_layer(ev.scope.cx, &path, sig.name);
    let before = ev.b.graph().leaves.len();
    let call = Call {
        sig,
        masks: inputs.iter().map(|v| ev.scope.mask(*v)).collect(),
        inputs,
        attrs,
        path: path.clone(),
        span: using.stage,
        framework: ev.lib.framework(),
        // What is frozen behaves as it does in evaluation.
        mode: if frozen { Mode::Eval } else { ev.scope.mode },
    };
    ev.at(using.stage);
    let built = match def.build(ev.lib, ev.b, &call) {
        Ok(built) => built,
        Err(d) => {
            let d = ev.scope.explain(d, first);
            return ev.fail(d);
        }
    };
    named_or_say(ev, using, sig.name, before, proposal.clone());
    let mut out = built.outputs[0];
    let linear = out;
    if let Some((by, at)) = squash {
        let op = Ident { name: by.to_lowercase().into(), span: at };
        let given = vec![Given { name: None, value: Item::Tensor(out), span: using.stage }];
        if let Item::Tensor(v) = ev.call_name(&op, using.stage, given, &[])? {
            out = v;
        }
    }
    let mask = built.mask.follow(call.mask(0), ev.b.shape(first), ev.b.shape(out));
    ev.scope.note_mask(out, mask);
    ev.scope.note_mask(linear, mask);
    let text = format!("`{}` gives {}", sig.name, ev.b.ty(out));
    ev.scope.note(out, Some(first), using.stage, text);
    let prob = match squash {
        Some((by, at)) => Some(Prob { by, span: at, logits: Some(linear) }),
        None => carried(ev, def, &call, out),
    };
    ev.scope.meta.entry(out).or_default().prob = prob;
    if !frozen && ev.scope.penalized.insert(path.clone()) {
        ev.scope.penalties.extend(built.penalties);
    }
    let name = if proposal.is_some() { String::new() } else { path };
    describe(ev, using, (name, sig.name), first, out, before);
    Ok(with_states(ev, using, first, out, &built.outputs[1..]))
}

/// What a layer gives: a tensor, or that and its last states.
fn with_states(ev: &mut Ev, using: &Use, first: Value, out: Value, states: &[Value]) -> Item<Entity> {
    if states.is_empty() {
        return Item::Tensor(out);
    }
    for &state in states {
        let text = format!("a state of {}", ev.b.ty(state));
        ev.scope.note(state, Some(first), using.stage, text);
    }
    Item::Tuple([out].iter().chain(states).map(|&v| Item::Tensor(v)).collect())
}

/// The layer that acts on elements, and its settings: on each step by itself it acts as it does alone.
fn acting<'l>(name: &'l str, attrs: &'l [(AttrValue, Span)]) -> (&'l str, &'l [(AttrValue, Span)]) {
    match (name, attrs) {
        ("TimeDistributed", [(AttrValue::Layer(inner), _)]) => acting(inner.name, &inner.attrs),
        _ => (name, attrs),
    }
}

/// Activations whose output is made of shares.
fn squashes(layer: &str) -> Option<&'static str> {
    match layer {
        "Softmax" => Some("Softmax"),
        "Sigmoid" => Some("Sigmoid"),
        _ => None,
    }
}

/// Takes `activation=softmax` or `sigmoid` out, to apply it behind the layer: so a loss can take
/// what comes before it.
fn split_activation(
    ev: &Ev,
    def: &dyn OpDef,
    attrs: &[(AttrValue, Span)],
) -> (Attrs, Option<(&'static str, Span)>) {
    let mut attrs = attrs.to_vec();
    let sig = def.sig();
    // The activation of a cell is in the loop.
    if ops::RECURRENT.contains(&sig.name) {
        return (attrs, None);
    }
    if let ("TimeDistributed", [(AttrValue::Layer(inner), _)]) = (sig.name, attrs.as_mut_slice()) {
        let def = ops::layer(inner.name).expect("attrs: an inner layer is in the registry");
        let (parts, squash) = split_activation(ev, def, &inner.attrs);
        inner.attrs = parts;
        return (attrs, squash);
    }
    let mine = |op: &str| ev.lib.op(op).is_some_and(|op| !op.std);
    for (attr, (value, at)) in sig.attrs.iter().zip(&mut attrs) {
        let AttrValue::Activation(Some(op)) = value else { continue };
        let by = match op.as_str() {
            "softmax" if !mine("softmax") => "Softmax",
            "sigmoid" if !mine("sigmoid") => "Sigmoid",
            _ => continue,
        };
        if attr.name == "activation" {
            let at = *at;
            *value = AttrValue::Activation(None);
            return (attrs, Some((by, at)));
        }
    }
    (attrs, None)
}

/// Whether the output is still made of shares: made here, or only moved.
fn carried(ev: &mut Ev, def: &dyn OpDef, call: &Call, out: Value) -> Option<Prob> {
    let input = call.inputs[0];
    let (acts, settings) = acting(call.sig.name, &call.attrs);
    if let Some(by) = squashes(acts) {
        let last = match settings.first() {
            Some((AttrValue::Size(axis), _)) => *axis == Dim::from(-1),
            _ => true,
        };
        return Some(Prob { by, span: call.span, logits: last.then_some(input) });
    }
    let prob = ev.scope.prob(input)?;
    match acts {
        "Flatten" | "Reshape" | "Squeeze" => {
            // An elementwise activation commutes with moving elements; a softmax only over the
            // axis it was taken.
            let same = ev.b.shape(out) == ev.b.shape(input);
            let moved = match prob.logits.filter(|_| prob.by == "Sigmoid" || same) {
                Some(logits) => {
                    let call = Call { inputs: vec![logits], ..call.clone() };
                    def.build(ev.lib, ev.b, &call).ok().map(|built| built.outputs[0])
                }
                None => None,
            };
            Some(Prob { logits: moved, ..prob })
        }
        "Dropout" | "ActivityRegularization" if out == input => Some(prob),
        "Dropout" => Some(Prob { logits: None, ..prob }),
        _ => None,
    }
}

/// The tensors that a layer takes.
fn tensors(ev: &mut Ev, callee: &str, wanted: &[&str], using: &Use) -> Checked<Vec<Value>> {
    let needed = wanted.iter().filter(|name| !name.ends_with('?')).count();
    if !(needed..=wanted.len()).contains(&using.inputs.len()) {
        return arity(ev, callee, wanted, using);
    }
    let mut all = Vec::new();
    for given in &using.inputs {
        let operand = ev.as_operand(given.value.clone(), given.span)?;
        ev.at(given.span);
        all.push(tensor_of(ev.b, &operand));
    }
    Ok(all)
}

pub(super) fn arity<T>(ev: &mut Ev, callee: &str, wanted: &[&str], using: &Use) -> Checked<T> {
    let count = |n: usize| if n == 1 { "one tensor".to_string() } else { format!("{n} tensors") };
    let message = format!("`{callee}` takes {}, but {} come in", count(wanted.len()), using.inputs.len());
    let d = Diagnostic::error("call::inputs", message, using.stage, format!("takes {}", wanted.join(", ")));
    ev.fail(d.help(match wanted.len() {
        1 => format!("let one tensor flow in: `x |> {callee}`"),
        _ => format!("let several flow in: `(a, b) |> {callee}`"),
    }))
}

/// A row of the table that `plan` shows.
fn describe(
    ev: &mut Ev,
    using: &Use,
    (path, kind): (String, &str),
    input: Value,
    output: Value,
    before: usize,
) {
    let made = ev.b.graph().leaves.since(before).iter();
    let params = made.filter(|l| matches!(l.kind, LeafKind::Param(_))).map(|l| l.name.to_string());
    let info = LayerInfo {
        path,
        kind: kind.to_string(),
        call: ev.scope.cx.text(using.pending.span).to_string(),
        input: ev.b.ty(input).clone(),
        output: ev.b.ty(output).clone(),
        params: params.collect(),
        span: using.stage,
    };
    ev.scope.layers.push(info);
}

/// The settings of a block, by name; those without a value take their default.
pub(super) fn settings(ev: &mut Ev, block: &Block, args: &[Arg], span: Span) -> Checked<Names> {
    let slots: Vec<Slot> =
        block.settings.iter().map(|s| Slot { name: &s.name.name, required: s.default.is_none() }).collect();
    let given =
        args.iter().map(|a| Given { name: a.name.clone(), value: &a.value, span: a.value.span }).collect();
    let bound = bind(&block.name.name, span, &slots, given, ev.diags)?;
    let mut names = Names::new();
    for (setting, arg) in block.settings.iter().zip(bound) {
        let value = match (arg, &setting.default) {
            (Some(given), _) => ev.eval(given.value).and_then(|item| typed(ev, setting, item, given.span)),
            (None, Some(default)) => default_of(ev, setting, default),
            (None, None) => Err(Reported),
        };
        names.insert(setting.name.name.clone(), value.ok());
    }
    Ok(names)
}

/// Defaults see the file's names, not those of the caller.
pub(super) fn default_of(ev: &mut Ev, setting: &Field, default: &crate::syntax::ast::Expr) -> Found {
    let outer = std::mem::take(&mut ev.scope.names);
    let item = ev.eval(default).and_then(|item| typed(ev, setting, item, default.span));
    ev.scope.names = outer;
    item
}

pub(super) fn typed(ev: &mut Ev, setting: &Field, item: Item<Entity>, at: Span) -> Found {
    let wanted = &*setting.ty.name.name;
    let right = match (wanted, &item) {
        ("int", Item::Number(Number::Int(_))) | ("float", Item::Number(_)) => true,
        ("bool", Item::Bool(_)) | ("str", Item::Text(_)) => true,
        ("int" | "float" | "bool" | "str", _) => false,
        _ => {
            let d = Diagnostic::error(
                "type::unknown",
                format!("a setting has no type `{}`", ev.scope.cx.text(setting.ty.span)),
                setting.ty.span,
                "not a type of a setting",
            );
            let known = ["int", "float", "bool", "str"];
            return ev.fail(crate::sema::ctx::suggest(d, "type", &setting.ty.name, known));
        }
    };
    if right {
        return Ok(item);
    }
    let found = ev.describe(&item);
    let message = format!("`{}` is {wanted}, but this is {found}", setting.name.name);
    let d = Diagnostic::error("call::type", message, at, found).label(setting.ty.span, "its type");
    ev.fail(d.help(format!("give a value of type {wanted}")))
}
