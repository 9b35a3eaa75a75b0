//! What names, members and calls mean inside a model: the language's own
//! things before the formulas' rules.

use super::apply::{self, Use};
use super::bodies;
use super::masks;
use super::several;
use super::{Entity, Ev, Pending, What, pipe};
use crate::base::Span;
use crate::diag::{Diagnostic, did_you_mean};
use crate::ops;
use crate::ops::formula::{Checked, Given, Item, Operand, Reported, arith, builtins};
use crate::sema::ctx::Global;
use crate::sema::{data, elsewhere, train};
use crate::syntax::ast::{Arg, BinOp, EntryKind, Expr, ExprKind, Ident, IndexItem};
use std::rc::Rc;

type Found = Checked<Item<Entity>>;

pub(super) fn expr(ev: &mut Ev, expr: &Expr) -> Option<Found> {
    match &expr.kind {
        ExprKind::Name(name) => value(ev, name),
        ExprKind::Member(base, member) => Some(self::member(ev, expr, base, member)),
        ExprKind::Call { callee, args } => call(ev, expr, callee, args),
        ExprKind::Pipe { input, stage } => Some(pipe::pipe(ev, input, stage, expr.span)),
        ExprKind::As { stage, path } => Some(pipe::named(ev, stage, path, expr.span)),
        ExprKind::Index { base, items } if ev.scope.feeding.is_some() => {
            let cx = ev.scope.cx;
            Some(super::cut::fed(ev, cx, base, items, expr.span))
        }
        ExprKind::Index { base, items } => Some(index(ev, base, items, expr.span)),
        ExprKind::Binary { op, left, right, .. } => Some(binary(ev, *op, left, right, expr.span)),
        ExprKind::Repeat { .. } => {
            let d = Diagnostic::error(
                "value::kind",
                "`repeat` is a stage of a pipe",
                expr.span,
                "nothing flows in here",
            );
            Some(ev.fail(d.help("write `x |> repeat(n) Layer(…) as h`")))
        }
        ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Percent(_)
        | ExprKind::Bytes(_)
        | ExprKind::Str(_)
        | ExprKind::Bool(_)
        | ExprKind::Neg(_)
        | ExprKind::Range(..)
        | ExprKind::List(_)
        | ExprKind::By { .. }
        | ExprKind::Tuple(_)
        | ExprKind::Paren(_)
        | ExprKind::Broken => None,
    }
}

/// `x[:, 0]`
fn index(ev: &mut Ev, base: &Expr, items: &[IndexItem], span: Span) -> Found {
    let before = ev.eval(base)?;
    let made = ev.index(before.clone(), base.span, items, span)?;
    if let (Item::Tensor(before), Item::Tensor(made)) = (before, &made) {
        masks::of_index(ev, before, items, *made, span);
        let text = format!("`[…]` takes {}", ev.b.ty(*made));
        ev.scope.note(*made, Some(before), span, text);
    }
    Ok(made)
}

/// A bare name as a value; `None` where formulas' rules apply.
fn value(ev: &mut Ev, name: &Ident) -> Option<Found> {
    match ev.scope.names.get(&name.name) {
        Some(Some(_)) => return None,
        Some(None) => return Some(Err(Reported)),
        None => {}
    }
    if ev.scope.cx.is_poisoned(&name.name) {
        return Some(Err(Reported));
    }
    match ev.scope.cx.globals.get(&name.name).map(|(_, g)| *g) {
        Some(Global::Model(_)) => Some(Ok(Item::Entity(Entity::Model(name.name.clone())))),
        Some(Global::Block(_)) => Some(pending(ev, name, &[], name.span)),
        Some(Global::Data) => {
            let message = format!("`{}` is a data section, not a tensor", name.name);
            let d = Diagnostic::error("value::kind", message, name.span, "a whole section");
            Some(ev.fail(d.help(format!("name a column of it in `feed`: `x = {}.column`", name.name))))
        }
        Some(Global::Param | Global::Dim | Global::Op) => None,
        None if is_function(ev, name) => None,
        None if is_layer_word(&name.name) => Some(pending(ev, name, &[], name.span)),
        None => Some(match below(ev, name) {
            Some(d) => ev.fail(d),
            None => ev.unknown("name", name),
        }),
    }
}

/// A name that a `let` further down in the same body makes.
fn below(ev: &Ev, name: &Ident) -> Option<Diagnostic> {
    // In a flood nothing is searched.
    let flood = ev.diags.is_flood();
    let bodies = ev.scope.cx.globals.values().filter(|_| !flood).filter_map(|(_, global)| match global {
        Global::Model(section) => Some(&section.entries),
        Global::Block(block) => Some(&block.body),
        Global::Param | Global::Dim | Global::Op | Global::Data => None,
    });
    let mut body = bodies.filter(|entries| entries.iter().any(|e| e.span.contains(name.span)));
    let made = body.next()?.iter().find_map(|e| match &e.kind {
        EntryKind::Let { names, .. } => names.iter().find(|n| n.name == name.name),
        EntryKind::Input { .. }
        | EntryKind::Output { .. }
        | EntryKind::Bind { .. }
        | EntryKind::Typed { .. }
        | EntryKind::Section(_)
        | EntryKind::Broken => None,
    })?;
    if made.span.lo < name.span.hi {
        return None;
    }
    let message = format!("`{}` is used before it is made", name.name);
    let d = Diagnostic::error("name::unknown", message, name.span, "not made yet");
    let help =
        format!("move the `let` of `{}` above this line: a body is read from top to bottom", name.name);
    Some(d.label(made.span, "defined below, here").help(help))
}

/// Words that mean a layer, here or elsewhere.
fn is_layer_word(name: &str) -> bool {
    ops::layer(name).is_some()
        || ops::alias(name).is_some()
        || ops::loss::alias(name).is_some()
        || ops::known_later(name)
}

/// Ops, builtins, and constants: what the formulas' rules know.
pub(super) fn is_function(ev: &Ev, name: &Ident) -> bool {
    let builtin = builtins().any(|f| f.name == &*name.name);
    builtin
        || several::find(&name.name).is_some()
        || ev.lib.op(&name.name).is_some()
        || ev.lib.is_broken(&name.name)
        || ev.lib.constant(&name.name).is_some()
}

/// A layer or block with settings in parentheses.
pub(super) fn pending(ev: &mut Ev, name: &Ident, args: &[Arg], span: Span) -> Found {
    let what = if let Some(block) = ev.scope.cx.block(&name.name) {
        let settings = apply::settings(ev, block, args, span)?;
        What::Block { name: name.name.clone(), settings }
    } else if let Some(def) = ops::layer(&name.name) {
        What::Layer { name: def.sig().name, attrs: ops::attrs::attrs(ev, def.sig(), args, span)? }
    } else {
        return no_layer(ev, name, args);
    };
    Ok(Item::Entity(Entity::Pending(Rc::new(Pending { what, name: None, span }))))
}

/// A name that is neither layer, block nor function.
fn no_layer(ev: &mut Ev, name: &Ident, args: &[Arg]) -> Found {
    let cx = ev.scope.cx;
    if cx.is_poisoned(&name.name) {
        return Err(Reported);
    }
    if let Some(ours) = ops::alias(&name.name).or_else(|| ops::loss::alias(&name.name)) {
        let message = format!("`{}` is called `{ours}` here", name.name);
        let d = Diagnostic::error(
            "name::foreign",
            message,
            name.span,
            "the name that another framework gives it",
        );
        if let Some((span, text)) = elsewhere::without_input_width(cx, name, ours, args) {
            let write = format!("write `{text})`");
            let help = format!("{write}: the width of the input is known from the shape before it");
            return ev.fail(d.help(help).fix(write, span, text));
        }
        // Its arguments are other frameworks' too; they are looked at once the name is right.
        return ev.fail(d.help(format!("write `{ours}`")).fix(format!("write `{ours}`"), name.span, ours));
    }
    if ops::known_later(&name.name) || ops::loss::known_later(&name.name) {
        args.iter().for_each(|a| later_argument(ev, &a.value));
        let what = format!("`{}`", name.name);
        cx.later("later::layer", what, name.span, "make a `block` of layers that there are");
        return Err(Reported);
    }
    // In a flood nothing is searched: each search looks at every name.
    let flood = ev.diags.is_flood();
    let mut known = if flood { Vec::new() } else { crate::ops::formula::Scope::names(ev.scope) };
    known.extend(ops::layers().iter().map(|l| l.sig().name.to_string()));
    known.extend(ops::later_layers().map(str::to_string));
    known.extend(ev.lib.op_names().map(str::to_string));
    known.extend(builtins().map(|f| f.name.to_string()));
    known.extend(several::FUNCTIONS.iter().map(|f| f.name.to_string()));
    let message = format!("there is no layer, block or function `{}`", name.name);
    let d = Diagnostic::error("name::unknown", message, name.span, "not known here");
    if let Some(means) = elsewhere::means(&name.name) {
        return ev.fail(d.help(means));
    }
    ev.fail(match did_you_mean(&name.name, known.iter().map(String::as_str)) {
        Some(near) => {
            d.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), name.span, near)
        }
        None => d.help(format!("make a `block` of that name, or take a layer of the library: {}", layers())),
    })
}

/// The names of all layers, in order.
fn layers() -> String {
    let names: std::collections::BTreeSet<&str> = ops::layers().iter().map(|l| l.sig().name).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Arithmetic; where shapes clash, both sides show how theirs came about.
fn binary(ev: &mut Ev, op: BinOp, left: &Expr, right: &Expr, span: Span) -> Found {
    let (l, r) = (ev.operand(left), ev.operand(right));
    let (l, r) = (l?, r?);
    let tensors = [&l, &r].map(|operand| match operand {
        Operand::Tensor(v) => Some(*v),
        Operand::Number(_) => None,
    });
    ev.at(span);
    match arith(ev.b, op, (l, left.span), (r, right.span), span) {
        Ok(made) => {
            let item: Item<Entity> = made.into();
            if let Item::Tensor(v) = item {
                masks::of_both(ev, op, tensors, v);
                let text = format!("`{}` gives {}", op.sign(), ev.b.ty(v));
                ev.scope.note(v, tensors[0].or(tensors[1]), span, text);
            }
            Ok(item)
        }
        Err(d) => {
            let d = tensors.into_iter().flatten().fold(d, |d, v| ev.scope.explain(d, v));
            ev.fail(d)
        }
    }
}

/// Arguments of what is not built yet may be choices (`mask=causal`): only calls and pipes in
/// them are looked at.
fn later_argument(ev: &mut Ev, value: &Expr) {
    if matches!(value.bare().kind, ExprKind::Pipe { .. }) {
        let _ = ev.eval(value);
    }
}

/// `a.b`: a size of the data, a column while a feed is read, an output of a model, a weight.
fn member(ev: &mut Ev, whole: &Expr, base: &Expr, member: &Ident) -> Found {
    if let Some(found) = column(ev, base, member) {
        return found;
    }
    if let Some(size) = ev.scope.cx.data_size(base, member) {
        return size.map(Item::int).ok_or(Reported);
    }
    if let Some(answer) = elsewhere::prefixed(ev, whole, base, member) {
        return answer;
    }
    if let ExprKind::Call { callee, args } = &base.bare().kind
        && let Some(model) = callee.as_name().filter(|n| ev.scope.cx.model(&n.name).is_some())
    {
        let outputs = bodies::model_call(ev, model, args, base.span)?;
        return output(ev, model, &outputs, member);
    }
    match ev.eval(base)? {
        Item::Entity(Entity::Model(name)) => {
            let model = Ident { name, span: base.span };
            let outputs = bodies::fed(ev, &model, base.span)?;
            output(ev, &model, &outputs, member)
        }
        Item::Entity(Entity::Pending(layer)) => weight(ev, &layer, base, member),
        other => {
            let found = ev.describe(&other);
            let message = format!("`{}` has no member `{}`", ev.scope.cx.text(base.span), member.name);
            let d = Diagnostic::error("name::member", message, member.span, format!("it is {found}"));
            let text = ev.scope.cx.text(whole.span);
            ev.fail(d.help(format!(
                "`{text}` would be an output of a model, a weight of a named layer, or a column"
            )))
        }
    }
}

/// `digits.image` in a feed.
fn column(ev: &mut Ev, base: &Expr, member: &Ident) -> Option<Found> {
    let section = base.as_name()?;
    let cx = ev.scope.cx;
    let sections = cx.data.borrow();
    let at = sections.iter().position(|d| d.name.name == section.name)?;
    let found = &sections[at];
    let Some(feeding) = &mut ev.scope.feeding else {
        if cx.data_size(base, member).is_some() {
            return None;
        }
        let message = format!("`{}.{}` is a column, which only `feed` reads", section.name, member.name);
        let d = Diagnostic::error("column::place", message, base.span.to(member.span), "not in a feed");
        return Some(ev.fail(
            d.help(format!("write `feed {{ {0} = {1}.{0} }}` and use `{0}`", member.name, section.name)),
        ));
    };
    feeding.read.insert(at);
    let row = feeding.row.clone();
    let value = data::column(cx, found, member, data::pending(found), row.as_ref(), ev.b);
    let classes = found.classes(&member.name);
    if let (Some(v), Some(classes)) = (value, classes) {
        let classes = classes.bind(&cx.settings.bindings);
        ev.scope.note_classes(v, classes, member.span);
    }
    Some(value.map(Item::Tensor).ok_or(Reported))
}

fn output(ev: &mut Ev, model: &Ident, outputs: &super::Names, member: &Ident) -> Found {
    match outputs.get(&member.name) {
        Some(item) => item.clone().ok_or(Reported),
        None => {
            let message = format!("`{}` has no output `{}`", model.name, member.name);
            let d = Diagnostic::error("name::output", message, member.span, "not an output");
            let known = outputs.keys().map(|k| &**k);
            ev.fail(crate::sema::ctx::suggest(d, "output", member, known))
        }
    }
}

/// `wte.weight`: there once the layer has been used, since its shape follows from its input.
fn weight(ev: &mut Ev, layer: &Pending, base: &Expr, member: &Ident) -> Found {
    let Some((path, _)) = &layer.name else {
        let d = Diagnostic::error("name::member", "this layer has no name", base.span, "not bound by `let`");
        return ev.fail(d.help("bind it first: `let fc = Dense(10)`"));
    };
    let full = format!("{}{path}.{}", ev.scope.prefix, member.name);
    if let Some(leaf) = ev.b.find(&full) {
        return Ok(Item::Tensor(ev.b.read(leaf)));
    }
    let start = format!("{}{path}.", ev.scope.prefix);
    let known: Vec<String> =
        ev.b.graph()
            .leaves
            .iter()
            .filter_map(|(_, l)| l.name.strip_prefix(&start).map(str::to_string))
            .collect();
    let d =
        Diagnostic::error("name::member", format!("there is no weight `{full}`"), member.span, "not there");
    if known.is_empty() {
        return ev
            .fail(d.help(format!("use `{path}` before its weights: their shapes follow from its input")));
    }
    ev.fail(crate::sema::ctx::suggest(d, "weight", member, known.iter().map(String::as_str)))
}

/// A call; `None` where formulas' rules apply.
fn call(ev: &mut Ev, whole: &Expr, callee: &Expr, args: &[Arg]) -> Option<Found> {
    let Some(name) = callee.as_name() else {
        return Some(match ev.eval(callee) {
            Ok(Item::Entity(entity)) => applied(ev, &entity, args, whole),
            Ok(other) => not_callable(ev, callee, &other),
            Err(Reported) => Err(Reported),
        });
    };
    match ev.scope.names.get(&name.name).cloned() {
        Some(Some(Item::Entity(entity))) => return Some(applied(ev, &entity, args, whole)),
        Some(Some(_)) => return None,
        // What is wrong with its tensors is worth saying all the same.
        Some(None) => return Some(train::given(ev, args).and(Err(Reported))),
        None => {}
    }
    if ev.scope.cx.is_poisoned(&name.name) {
        return Some(Err(Reported));
    }
    if ev.scope.cx.model(&name.name).is_some() {
        let entity = Entity::Model(name.name.clone());
        return Some(applied(ev, &entity, args, whole));
    }
    if let Some(block) = ev.scope.cx.block(&name.name) {
        // With one pair of parentheses in its signature, a block takes tensors at once.
        if block.settings.is_empty() && !args.is_empty() {
            let entity = pending(ev, name, &[], name.span);
            return Some(entity.and_then(|item| match item {
                Item::Entity(entity) => applied(ev, &entity, args, whole),
                other => Ok(other),
            }));
        }
        return Some(pending(ev, name, args, whole.span));
    }
    if let Some(loss) = ops::loss::find(&name.name).filter(|_| ev.lib.op(&name.name).is_some_and(|op| op.std))
    {
        let given = train::given(ev, args);
        return Some(given.and_then(|given| train::loss(ev, loss, name, given, whole.span)));
    }
    if is_function(ev, name) {
        return Some(pipe::function(ev, name, Vec::new(), args, whole.span));
    }
    Some(pending(ev, name, args, whole.span))
}

/// `fc(x)`, `M(a, b)`: tensors in parentheses.
fn applied(ev: &mut Ev, entity: &Entity, args: &[Arg], whole: &Expr) -> Found {
    match entity {
        Entity::Model(name) => {
            let model = Ident { name: name.clone(), span: whole.span };
            let outputs = bodies::model_call(ev, &model, args, whole.span)?;
            bodies::as_value(ev, &model, &outputs)
        }
        Entity::Pending(layer) => {
            let mut inputs = Vec::new();
            let mut ok = Ok(());
            for arg in args {
                match (&arg.name, ev.eval(&arg.value)) {
                    (None, Ok(value)) => inputs.push(Given { name: None, value, span: arg.value.span }),
                    (Some(name), _) => {
                        let message = "tensors come in order, without names";
                        let d = Diagnostic::error("call::unknown", message, name.span, "not a setting");
                        ok = ev.fail(d.help("settings stand in the layer's own parentheses: `Dense(10)(x)`"));
                    }
                    (None, Err(Reported)) => ok = Err(Reported),
                }
            }
            ok?;
            let name = layer.name.clone();
            apply::apply(ev, Use { pending: layer, name, inputs, stage: whole.span })
        }
    }
}

fn not_callable(ev: &mut Ev, callee: &Expr, found: &Item<Entity>) -> Found {
    let found = ev.describe(found);
    let d = Diagnostic::error("call::callee", "this cannot be called", callee.span, found);
    ev.fail(d.help("name a layer, block, model or function"))
}
