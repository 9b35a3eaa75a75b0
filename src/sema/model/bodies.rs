//! Bodies: blocks and models are entered, elaborated entry by entry, and left.

use super::apply::{Use, arity, claim, default_of, named_or_say, typed};
use super::pipe::Inputs;
use super::types::{Declared, fit, pattern, rigid};
use super::{Entity, Ev, Names, Pending, Prob, What, note};
use crate::base::{DType, Dim, Span};
use crate::diag::Diagnostic;
use crate::ops::formula::{
    BLOCK, Bound, Checked, Given, Item, MOST_NODES, Reported, Slot, bind, depth, in_use, room, written,
};
use crate::syntax::ast::{Arg, Block, Entry, EntryKind, Ident, Section, Type};
use std::sync::Arc;

type Found = Checked<Item<Entity>>;

/// What the nearest names were before a body was entered.
struct Outer {
    names: Names,
    prefix: String,
}

fn enter(ev: &mut Ev, name: &Arc<str>, names: Names, prefix: String, at: Span) -> Checked<Outer> {
    if ev.scope.active.contains(name) {
        let d = Diagnostic::error("block::cycle", format!("`{name}` uses itself"), at, "would never end");
        return ev.fail(d.help("blocks and models are built of others; `repeat(n)` chains copies"));
    }
    depth(ev.b, ev.diags, BLOCK, &format!("`{name}`"), at)?;
    ev.b.nesting += BLOCK;
    ev.scope.active.push(name.clone());
    Ok(Outer {
        names: std::mem::replace(&mut ev.scope.names, names),
        prefix: std::mem::replace(&mut ev.scope.prefix, prefix),
    })
}

fn leave(ev: &mut Ev, outer: Outer) {
    ev.scope.active.pop();
    ev.b.nesting -= BLOCK;
    ev.scope.names = outer.names;
    ev.scope.prefix = outer.prefix;
}

pub(super) fn block(ev: &mut Ev, block: &Block, settings: &Names, using: &Use) -> Found {
    let wanted: Vec<&str> = block.inputs.iter().map(|i| &*i.name.name).collect();
    if using.inputs.len() != wanted.len() {
        return arity(ev, &block.name.name, &wanted, using);
    }
    let (path, proposal) = claim(ev, using)?;
    let before = ev.b.graph().leaves.len();
    let outer = enter(ev, &block.name.name, settings.clone(), format!("{path}."), using.stage)?;
    // Mistakes of shape depend on the use, so they name it.
    let mut own = std::mem::take(ev.diags);
    let result = block_body(ev, block, using);
    let of_use = |d: &Diagnostic| {
        let shape = ["shape::", "dtype::", "size::"].iter().any(|p| d.code.starts_with(p));
        shape && !d.labels.iter().any(|l| l.span == using.stage)
    };
    let found = std::mem::take(ev.diags);
    own.extend(in_use(found, &format!("`{}`", block.name.name), using.stage, of_use));
    *ev.diags = own;
    leave(ev, outer);
    named_or_say(ev, using, &block.name.name, before, proposal);
    let mut items = result?;
    Ok(if items.len() == 1 { items.remove(0) } else { Item::Tuple(items) })
}

/// Elaborates a block, unless it is known to be too large or too deep, which is reported then: of a chain of blocks
/// that double, each would fill a graph to its limit again to find that out.
fn block_body(ev: &mut Ev, block: &Block, using: &Use) -> Checked<Vec<Item<Entity>>> {
    let cx = ev.scope.cx;
    if cx.too_large.borrow().contains(&block.name.name) {
        return Err(Reported);
    }
    let before = written(ev.b);
    let made = block_entries(ev, block, using);
    let after = written(ev.b);
    let too_large = after > MOST_NODES && after - before > MOST_NODES / 2;
    if made.is_err() && (too_large || ev.diags.iter().any(|d| d.code == "graph::too_deep")) {
        cx.too_large.borrow_mut().insert(block.name.name.clone());
    }
    made
}

fn block_entries(ev: &mut Ev, block: &Block, using: &Use) -> Checked<Vec<Item<Entity>>> {
    ev.scope.cx.entered.borrow_mut().insert(block.name.name.clone());
    let mut bound = Bound::new();
    let mut ok = Ok(());
    for (field, given) in block.inputs.iter().zip(&using.inputs) {
        let declared = Declared { ty: &field.ty, name: &format!("`{}`", field.name.name), at: given.span };
        let fitted = pattern(ev, &field.ty)
            .and_then(|pattern| fit(ev, given.value.clone(), &pattern, &mut bound, declared));
        ok = ok.and(fitted.map(drop));
        let item = fitted.ok().map(Item::Tensor);
        note_name(ev, &field.name, item.as_ref());
        ev.scope.names.insert(field.name.name.clone(), item);
    }
    ok?;
    name_sizes(ev, &bound);
    let made = body(ev, &block.body, &mut bound);
    let mut items = Vec::new();
    for field in &block.outputs {
        let Some((value, at)) =
            made.iter().find(|(n, ..)| n.name == field.name.name).map(|(_, v, at)| (v, *at))
        else {
            let message = format!("`{}` has no `output {}`", block.name.name, field.name.name);
            let d = Diagnostic::error("block::output", message, field.span, "promised here");
            items.push(ev.fail(d.help(format!("add `output {} = …` to its body", field.name.name))));
            continue;
        };
        let declared = Declared { ty: &field.ty, name: &format!("`{}`", field.name.name), at };
        let item = value.clone().ok_or(Reported);
        items.push(item.and_then(|item| {
            let pattern = pattern(ev, &field.ty)?;
            fit(ev, item, &pattern, &mut bound, declared).map(Item::Tensor)
        }));
    }
    for (name, ..) in &made {
        if !block.outputs.iter().any(|o| o.name.name == name.name) {
            let known: Vec<&str> = block.outputs.iter().map(|o| &*o.name.name).collect();
            let message = format!("`{}` promises no output `{}`", block.name.name, name.name);
            let d = Diagnostic::error("block::output", message, name.span, "not in the signature");
            ev.diags.push(crate::sema::ctx::suggest(d, "output", name, known));
        }
    }
    items.into_iter().collect()
}

/// Sizes that a signature binds are numbers in the body.
fn name_sizes(ev: &mut Ev, bound: &Bound) {
    let sizes: Vec<(Arc<str>, Dim)> =
        bound.sizes().map(|(name, dim)| (Arc::from(name), dim.clone())).collect();
    for (name, dim) in sizes {
        ev.scope.names.entry(name).or_insert_with(|| Some(Item::int(dim)));
    }
}

type Outputs<'b> = Vec<(&'b Ident, Option<Item<Entity>>, Span)>;

/// The entries of a body in order; a wrong one poisons its names alone.
fn body<'b>(ev: &mut Ev, entries: &'b [Entry], bound: &mut Bound) -> Outputs<'b> {
    let mut outputs = Outputs::new();
    for entry in entries {
        match &entry.kind {
            EntryKind::Let { names, ty, value } => {
                let mut found = ev.eval(value);
                if let (Some(ty), Ok(item), [name]) = (ty, &found, names.as_slice()) {
                    let declared = Declared { ty, name: &format!("`{}`", name.name), at: value.span };
                    let item = item.clone();
                    found =
                        pattern(ev, ty).and_then(|p| fit(ev, item, &p, bound, declared)).map(Item::Tensor);
                }
                define(ev, names, found, value.span);
            }
            EntryKind::Output { name, ty, value } => {
                let mut found = ev.eval(value);
                if let Some(ty) = ty {
                    let declared = Declared { ty, name: &format!("`{}`", name.name), at: value.span };
                    let pattern = pattern(ev, ty);
                    found =
                        found.and_then(|item| fit(ev, item, &pattern?, bound, declared)).map(Item::Tensor);
                    meaning(ev, ty, &found, value.span);
                }
                let item = found.ok();
                note_name(ev, name, item.as_ref());
                ev.scope.names.insert(name.name.clone(), item.clone());
                outputs.push((name, item, value.span));
            }
            // Inputs are bound by whoever applies the body; the rest is checked with the section.
            EntryKind::Input { .. }
            | EntryKind::Bind { .. }
            | EntryKind::Typed { .. }
            | EntryKind::Section(_)
            | EntryKind::Broken => {}
        }
    }
    outputs
}

/// `output p: prob[B]` and `output l: logits[B]` say which it is.
fn meaning(ev: &mut Ev, ty: &Type, found: &Found, at: Span) {
    let Ok(Item::Tensor(v)) = found else { return };
    let prob = ev.scope.prob(*v);
    match (&*ty.name.name, prob) {
        ("logits", Some(prob)) => {
            let d =
                Diagnostic::error("loss::meaning", "these are no logits", at, format!("made by {}", prob.by))
                    .label(ty.span, "declared logits here")
                    .label(prob.span, "squashed here");
            ev.diags.push(d.help(format!("take out the {}, or declare `prob`", prob.by)));
        }
        ("prob", None) => {
            let marked = Prob { by: "Softmax", span: ty.span, logits: None };
            ev.scope.meta.entry(*v).or_default().prob = Some(marked);
        }
        _ => {}
    }
}

/// Binds the names of a `let`; a layer takes the name as its weight path.
pub(in crate::sema) fn define(ev: &mut Ev, names: &[Ident], found: Found, at: Span) {
    let items: Vec<Option<Item<Entity>>> = match (found, names) {
        (Ok(Item::Entity(Entity::Pending(pending))), [name]) if pending.name.is_none() => {
            let named = Pending { name: Some((name.name.to_string(), name.span)), ..(*pending).clone() };
            vec![Some(Item::Entity(Entity::Pending(named.into())))]
        }
        (Ok(item), [_]) => vec![Some(item)],
        (Ok(Item::Tuple(items)), names) if items.len() == names.len() => {
            items.into_iter().map(Some).collect()
        }
        (Ok(item), names) => {
            let found = ev.describe(&item);
            let d = Diagnostic::error("let::count", format!("{} names for {found}", names.len()), at, found);
            ev.diags.push(d.help("give each value one name"));
            vec![None; names.len()]
        }
        (Err(Reported), names) => vec![None; names.len()],
    };
    for (name, item) in names.iter().zip(items) {
        note_name(ev, name, item.as_ref());
        ev.scope.names.insert(name.name.clone(), item);
    }
}

/// Notes what a name was made to stand for.
fn note_name(ev: &Ev, name: &Ident, item: Option<&Item<Entity>>) {
    if let Some(item) = item {
        note(ev, name.span, item);
    }
}

/// What a model takes: by place or by name.
fn inputs_of(section: &Section) -> Vec<(&Ident, &Type)> {
    let input = |entry: &'_ Entry| matches!(entry.kind, EntryKind::Input { .. });
    let all = section.entries.iter().filter(|e| input(e));
    all.filter_map(|e| match &e.kind {
        EntryKind::Input { name, ty } => Some((name, ty)),
        _ => None,
    })
    .collect()
}

/// `M(a, b)`, `M(x=a)`.
pub(super) fn model_call(ev: &mut Ev, model: &Ident, args: &[Arg], span: Span) -> Checked<Names> {
    let given = crate::sema::train::given(ev, args)?;
    model_on(ev, model, given, span)
}

/// A model on tensors in order or by name.
pub(super) fn model_on(ev: &mut Ev, model: &Ident, given: Inputs, span: Span) -> Checked<Names> {
    let section = ev.scope.cx.model(&model.name).expect("resolve: models are in the file");
    let inputs = inputs_of(section);
    let slots: Vec<Slot> = inputs.iter().map(|(n, _)| Slot { name: &n.name, required: true }).collect();
    let bound = bind(&model.name, span, &slots, given, ev.diags)?;
    let given = bound.into_iter().map(|g| g.expect("bind: every input was required")).collect();
    self::model(ev, model, section, given)
}

/// A model whose inputs are what `feed` calls by their names.
pub(in crate::sema) fn fed(ev: &mut Ev, model: &Ident, span: Span) -> Checked<Names> {
    let section = ev.scope.cx.model(&model.name).expect("resolve: models are in the file");
    if let Some(outputs) = ev.scope.outputs.get(&model.name) {
        return Ok(outputs.clone());
    }
    let Some(fed) = ev.scope.fed.clone() else {
        let message = format!("`{}` is applied to nothing here", model.name);
        let d = Diagnostic::error("call::inputs", message, span, "no tensors");
        return ev
            .fail(d.help(format!("write `{}(x).out`; only in `train` are inputs fed by name", model.name)));
    };
    let mut given = Vec::new();
    let mut ok = Ok(());
    for (name, _) in inputs_of(section) {
        match fed.get(&name.name) {
            Some(Some(item)) => given.push(Given { name: None, value: item.clone(), span }),
            Some(None) => ok = Err(Reported),
            None => {
                let message = format!("nothing feeds the input `{}` of `{}`", name.name, model.name);
                let d = Diagnostic::error("feed::missing", message, span, "used here")
                    .label(name.span, "wants a tensor");
                let known = fed.keys().map(|k| &**k);
                let d = match crate::diag::did_you_mean(&name.name, known) {
                    Some(near) => d.help(format!("`feed` has `{near}`: call it `{}`", name.name)),
                    None => d.help(format!("add `{} = …` to `feed`", name.name)),
                };
                ok = ev.fail(d);
            }
        }
    }
    let outputs = ok.and_then(|()| self::model(ev, model, section, given))?;
    ev.scope.outputs.insert(model.name.clone(), outputs.clone());
    Ok(outputs)
}

/// Elaborates a model on tensors, one for each input.
fn model(ev: &mut Ev, model: &Ident, section: &Section, given: Inputs) -> Checked<Names> {
    if ev.scope.cx.broken_models.borrow().contains(&model.name) {
        return Err(Reported);
    }
    room(ev.b, ev.diags, &model.name, model.span)?;
    let prefix = if ev.scope.cx.several_models() { format!("{}.", model.name) } else { String::new() };
    let outer = enter(ev, &model.name, Names::new(), prefix, model.span)?;
    // Its text is noted where it is checked alone.
    let records = std::mem::replace(&mut ev.scope.records, false);
    let result = model_body(ev, section, given);
    ev.scope.records = records;
    leave(ev, outer);
    result
}

fn model_body(ev: &mut Ev, section: &Section, given: Inputs) -> Checked<Names> {
    let mut bound = Bound::new();
    let mut ok = Ok(());
    for ((name, ty), given) in inputs_of(section).into_iter().zip(given) {
        let item = stored(ev, given.value, ty);
        let declared = Declared { ty, name: &format!("`{}`", name.name), at: given.span };
        let fitted = pattern(ev, ty).and_then(|p| fit(ev, item, &p, &mut bound, declared));
        ok = ok.and(fitted.map(drop));
        ev.scope.names.insert(name.name.clone(), fitted.ok().map(Item::Tensor));
    }
    ok?;
    name_sizes(ev, &bound);
    Ok(body(ev, &section.entries, &mut bound)
        .into_iter()
        .map(|(n, item, _)| (n.name.clone(), item))
        .collect())
}

/// Bytes of a file become `f32` where a model takes `f32`.
fn stored(ev: &mut Ev, item: Item<Entity>, ty: &Type) -> Item<Entity> {
    match item {
        Item::Tensor(v) if ev.b.dtype(v) == DType::U8 && &*ty.name.name == "f32" => {
            let converted = ev.b.to_f32(v);
            let meta = ev.scope.meta(v);
            ev.scope.meta.insert(converted, meta);
            Item::Tensor(converted)
        }
        Item::Tensor(v) if ev.b.dtype(v) == DType::U8 && matches!(&*ty.name.name, "i32" | "class") => {
            Item::Tensor(ev.b.to_i32(v))
        }
        other => other,
    }
}

/// The one output of a model, or all of them as a tuple.
pub(in crate::sema) fn as_value(ev: &mut Ev, model: &Ident, outputs: &Names) -> Found {
    let section = ev.scope.cx.model(&model.name).expect("resolve: models are in the file");
    let order = section.entries.iter().filter_map(|e| match &e.kind {
        EntryKind::Output { name, .. } => Some(&name.name),
        _ => None,
    });
    let items: Option<Vec<Item<Entity>>> = order.map(|name| outputs.get(name).cloned().flatten()).collect();
    let mut items = items.ok_or(Reported)?;
    Ok(if items.len() == 1 { items.remove(0) } else { Item::Tuple(items) })
}

/// Checks a model on inputs of its declared types, names in them standing for themselves.
pub(in crate::sema) fn alone(ev: &mut Ev, name: &Ident, section: &Section) {
    let prefix = if ev.scope.cx.several_models() { format!("{}.", name.name) } else { String::new() };
    let Ok(outer) = enter(ev, &name.name, Names::new(), prefix, name.span) else { return };
    let mut bound = Bound::new();
    for (input, ty) in inputs_of(section) {
        let item = placeholder(ev, input, ty, &mut bound);
        note_name(ev, input, item.as_ref());
        ev.scope.names.insert(input.name.clone(), item);
    }
    name_sizes(ev, &bound);
    body(ev, &section.entries, &mut bound);
    leave(ev, outer);
}

/// Leaves for the inputs of a model, of their declared types: `input tokens`.
pub(in crate::sema) fn placeholders(ev: &mut Ev, section: &Section) -> Names {
    let mut bound = Bound::new();
    let inputs = inputs_of(section).into_iter();
    inputs.map(|(name, ty)| (name.name.clone(), placeholder(ev, name, ty, &mut bound))).collect()
}

fn placeholder(ev: &mut Ev, name: &Ident, ty: &Type, bound: &mut Bound) -> Option<Item<Entity>> {
    let pattern = pattern(ev, ty).ok()?;
    let tensor = rigid(&pattern, bound);
    let text = format!("`{}` is {tensor}", name.name);
    let leaf = format!("input {}", name.name);
    // A second input of one name is reported where names are.
    if ev.b.find(&leaf).is_some() {
        return None;
    }
    let v = ev.b.batch(leaf, tensor);
    ev.scope.note(v, None, name.span, text);
    Some(Item::Tensor(v))
}

/// Checks a block that nothing uses: settings take their defaults, or 1.
pub(in crate::sema) fn block_alone(ev: &mut Ev, block: &Block) {
    let mut names = Names::new();
    for setting in &block.settings {
        let value = match (&setting.default, &*setting.ty.name.name) {
            (Some(default), _) => default_of(ev, setting, default).ok(),
            (None, "float") => Some(Item::float(1.0)),
            (None, "bool") => Some(Item::Bool(true)),
            (None, "str") => Some(Item::Text(String::new())),
            (None, _) => typed(ev, setting, Item::int(1), setting.span).ok(),
        };
        names.insert(setting.name.name.clone(), value);
    }
    let Ok(outer) =
        enter(ev, &block.name.name, names.clone(), format!("{}.", block.name.name), block.name.span)
    else {
        return;
    };
    let mut bound = Bound::new();
    let mut inputs = Inputs::new();
    for field in &block.inputs {
        if let Some(value) = placeholder(ev, &field.name, &field.ty, &mut bound) {
            inputs.push(Given { name: None, value, span: field.span });
        }
    }
    if inputs.len() == block.inputs.len() {
        let what = What::Block { name: block.name.name.clone(), settings: names };
        let pending = Pending { what, name: None, span: block.name.span };
        let using = Use { pending: &pending, name: None, inputs, stage: block.name.span };
        // The sizes of the inputs stand for themselves, as `placeholder` named them.
        let _ = block_body(ev, block, &using);
    }
    leave(ev, outer);
}
