//! The settings in a layer's parentheses, checked against its signature.
//!
//! Positional arguments fill them in order; defaults come from the signature or the table of
//! the chosen framework; ranges and kinds are checked here and nowhere else.

mod foreign;
mod inner;
mod places;
mod regulariser;

use super::formula::{Checked, Eval, Given, Item, Number, ParamKind, Reported, Scope, Slot, bind};
use super::init;
use super::sig::{Attr, AttrType, AttrValue, Default, Framework, Sig};
use super::{Library, defaults};
use crate::base::{Dim, Span};
use crate::diag::{Diagnostic, did_you_mean};
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident};

/// The checked settings of one call, one for each of `sig.attrs`, with where the user wrote
/// them (`call` for defaults).
pub fn attrs<S: Scope>(
    ev: &mut Eval<'_, S>,
    sig: &Sig,
    args: &[Arg],
    call: Span,
) -> Checked<Vec<(AttrValue, Span)>> {
    let translated = foreign(ev, sig, args);
    let ours = translated.len() == args.len() && args.iter().zip(&translated).all(|(a, t)| a.name == t.name);
    let (sizes, args): (Vec<&Arg>, Vec<&Arg>) =
        translated.iter().partition(|a| takes_sizes(sig) && a.name.is_none());
    let slots: Vec<Slot> = sig.attrs.iter().map(|a| slot(ev.lib, sig, a, !sizes.is_empty())).collect();
    let given = args
        .into_iter()
        .map(|a| Given { name: a.name.clone(), value: &a.value, span: a.value.span })
        .collect();
    let bound = bind(sig.name, call, &slots, given, ev.diags)?;
    let mut values = Vec::new();
    for (attr, arg) in sig.attrs.iter().zip(bound) {
        values.push(match (attr.ty, arg) {
            (AttrType::Sizes, None) => sizes_of(ev, &sizes).map(|v| (v, call)),
            (_, Some(given)) => written(ev, sig, attr, given.value).map(|v| (v, given.span)),
            (_, None) => Ok((by_default(ev.lib, attr), call)),
        });
    }
    let values = values.into_iter().collect::<Checked<Vec<_>>>()?;
    // What was translated is reported; the rest was checked all the same.
    if ours { Ok(values) } else { Err(Reported) }
}

/// Settings without arguments, or only those of a test: all defaults. `None` if one is required.
pub fn all_defaults(lib: &Library, sig: &Sig) -> Option<Vec<AttrValue>> {
    let open = sig.attrs.iter().any(|a| slot(lib, sig, a, false).required);
    (!open).then(|| sig.attrs.iter().map(|a| by_default(lib, a)).collect())
}

fn takes_sizes(sig: &Sig) -> bool {
    sig.attrs.iter().any(|a| a.ty == AttrType::Sizes)
}

fn slot<'a>(lib: &Library, sig: &Sig, attr: &'a Attr, sizes: bool) -> Slot<'a> {
    debug_assert!(!sizes || takes_sizes(sig), "attrs: only some layers take sizes");
    let required = match attr.default {
        Default::Required => !(attr.ty == AttrType::Sizes && sizes),
        Default::Table(key) => defaults::attr(lib.framework(), key).is_none(),
        Default::None | Default::Int(_) | Default::Float(_) | Default::Bool(_) | Default::Word(_) => false,
    };
    Slot { name: attr.name, required }
}

fn by_default(lib: &Library, attr: &Attr) -> AttrValue {
    match attr.default {
        Default::None => match attr.ty {
            AttrType::Activation => AttrValue::Activation(None),
            AttrType::Size { .. }
            | AttrType::Sizes
            | AttrType::Pair { .. }
            | AttrType::Sides
            | AttrType::Int { .. }
            | AttrType::Float { .. }
            | AttrType::Bool
            | AttrType::Choice(_)
            | AttrType::Init
            | AttrType::Metric
            | AttrType::Str
            | AttrType::Choices(_)
            | AttrType::Cell
            | AttrType::Layer(_) => AttrValue::None,
        },
        Default::Int(n) => places::spread(attr.ty, Dim::from(n)),
        Default::Float(x) => AttrValue::Float(x),
        Default::Bool(x) => AttrValue::Bool(x),
        Default::Word(word) => match attr.ty {
            AttrType::Init => {
                AttrValue::Init(init::find(word).expect("sig: a default names an initialiser").spec(&[]))
            }
            AttrType::Activation => AttrValue::Activation(Some(word.to_string())),
            AttrType::Choices(_) => AttrValue::Words(vec![word.to_string()]),
            AttrType::Size { .. }
            | AttrType::Sizes
            | AttrType::Pair { .. }
            | AttrType::Sides
            | AttrType::Int { .. }
            | AttrType::Float { .. }
            | AttrType::Bool
            | AttrType::Choice(_)
            | AttrType::Metric
            | AttrType::Str
            | AttrType::Cell
            | AttrType::Layer(_) => AttrValue::Word(word.to_string()),
        },
        Default::Table(key) => {
            defaults::attr(lib.framework(), key).expect("attrs: a required setting was bound")
        }
        Default::Required => unreachable!("attrs: a required setting was bound"),
    }
}

/// Answers arguments that other frameworks have, and gives all as they should be written.
fn foreign<S: Scope>(ev: &mut Eval<'_, S>, sig: &Sig, args: &[Arg]) -> Vec<Arg> {
    let mut translated = Vec::new();
    for (i, arg) in args.iter().enumerate() {
        let row = arg.name.as_ref().and_then(|name| Some((name, foreign::ours(sig.name, &name.name)?)));
        if let Some(d) = regulariser::answer(sig, arg).or_else(|| momentum(ev.lib, sig, arg)) {
            ev.diags.push(d);
            continue;
        }
        let Some((name, (ours, why))) = row else {
            translated.push(arg.clone());
            continue;
        };
        let d = Diagnostic::error(
            "call::foreign",
            format!("`{}` has no `{}` here", sig.name, name.name),
            name.span,
            "of another framework",
        );
        ev.diags.push(match ours {
            Some(ours) => {
                d.help(format!("write `{ours}`: {why}")).fix(format!("write `{ours}`"), name.span, ours)
            }
            None => d.help(format!("leave it out: {why}")).fix("take it out", alone(args, i), ""),
        });
        if let Some(ours) = ours {
            let name = Ident { name: ours.into(), span: name.span };
            translated.push(Arg { name: Some(name), value: arg.value.clone() });
        }
    }
    translated
}

/// The text of an argument with the comma that would stand alone without it.
fn alone(args: &[Arg], i: usize) -> Span {
    let start = |arg: &Arg| arg.name.as_ref().map_or(arg.value.span, |n| n.span).start();
    let end = args[i].value.span.end();
    match (args.get(i + 1), i.checked_sub(1)) {
        (Some(next), _) => start(&args[i]).to(start(next)),
        (None, Some(before)) => args[before].value.span.end().to(end),
        (None, None) => start(&args[i]).to(end),
    }
}

/// `momentum` of a BatchNorm means two things.
fn momentum(lib: &Library, sig: &Sig, arg: &Arg) -> Option<Diagnostic> {
    let name = arg.name.as_ref().filter(|n| sig.name == "BatchNorm" && &*n.name == "momentum")?;
    let message = "`momentum` of `BatchNorm` means two things, so it is called `decay` here";
    let d = Diagnostic::error("call::foreign", message, name.span, "of Keras, or of PyTorch?");
    let kept = match arg.value.bare().kind {
        ExprKind::Float(x) => x,
        _ => 0.99,
    };
    // In two digits more than it was written with: 1 - 0.1 is no 0.9 in f64.
    let other: f64 = format!("{:.6}", 1.0 - kept).parse().unwrap_or(1.0 - kept);
    let help = format!(
        "Keras' momentum is the share that is kept: `decay={kept}`; PyTorch's the share that is new: `decay={other}`"
    );
    let ours = match lib.framework() {
        Framework::Keras => kept,
        Framework::Torch => other,
    };
    let whole = name.span.to(arg.value.span);
    Some(d.help(help).fix(format!("write `decay={ours}`"), whole, format!("decay={ours}")))
}

fn written<S: Scope>(ev: &mut Eval<'_, S>, sig: &Sig, attr: &Attr, expr: &Expr) -> Checked<AttrValue> {
    match attr.ty {
        AttrType::Size { .. } | AttrType::Int { .. } => size_in(ev, sig, attr, expr),
        AttrType::Float { .. } => float_in(ev, sig, attr, expr),
        AttrType::Pair { .. } => places::pair(ev, sig, attr, expr),
        AttrType::Sides => places::sides(ev, sig, attr, expr),
        AttrType::Bool => match ev.eval(expr)? {
            Item::Bool(x) => Ok(AttrValue::Bool(x)),
            other => wrong_kind(ev, sig, attr, expr, &other, "`true` or `false`"),
        },
        AttrType::Str => match ev.eval(expr)? {
            Item::Text(text) => Ok(AttrValue::Word(text)),
            other => wrong_kind(ev, sig, attr, expr, &other, "a text in quotes"),
        },
        AttrType::Sizes => {
            if let ExprKind::List(items) | ExprKind::Tuple(items) = &expr.bare().kind {
                return sizes_of_exprs(ev, items.iter());
            }
            sizes_of_exprs(ev, [expr].into_iter())
        }
        AttrType::Choice(words) => choice(ev, sig, attr, expr, words).map(AttrValue::Word),
        AttrType::Choices(words) => {
            let one = std::slice::from_ref(expr);
            let list = if let ExprKind::List(items) = &expr.bare().kind { items.as_slice() } else { one };
            let chosen: Vec<_> = list.iter().map(|e| choice(ev, sig, attr, e, words)).collect();
            chosen.into_iter().collect::<Checked<Vec<String>>>().map(AttrValue::Words)
        }
        AttrType::Cell => cell(ev, sig, attr, expr),
        AttrType::Layer(choice) => inner::layer(ev, sig, attr, expr, choice),
        AttrType::Activation => activation(ev, sig, attr, expr),
        AttrType::Init => initialiser(ev, expr).map(AttrValue::Init),
        AttrType::Metric => match expr.dotted() {
            Some(name) => Ok(AttrValue::Word(name)),
            None => {
                let message = format!("`{}` of `{}` is a value to watch", attr.name, sig.name);
                let d = Diagnostic::error("call::type", message, expr.span, "no name");
                if let ExprKind::Str(text) = &expr.bare().kind
                    && let Some(metric) = text.strip_prefix("val_")
                {
                    let ours = format!("valid.{metric}");
                    return ev.fail(d.help(format!("write `{ours}`")).fix(
                        format!("write `{ours}`"),
                        expr.span,
                        ours,
                    ));
                }
                ev.fail(d.help("write `valid.loss`, or another metric behind `valid.`"))
            }
        },
    }
}

fn wrong_kind<S: Scope, T>(
    ev: &mut Eval<'_, S>,
    sig: &Sig,
    attr: &Attr,
    expr: &Expr,
    found: &Item<S::Entity>,
    wanted: &str,
) -> Checked<T> {
    let found = ev.describe(found);
    ev.fail(
        Diagnostic::error(
            "call::type",
            format!("`{}` of `{}` is {wanted}, but this is {found}", attr.name, sig.name),
            expr.span,
            found.clone(),
        )
        .help(format!("write {wanted}: {}", attr.doc)),
    )
}

/// A number must lie where the signature says; also what overrides bring in.
pub fn check_range(sig: &Sig, attr: &Attr, x: f64, at: Span) -> Result<(), Diagnostic> {
    let (fits, range) = match attr.ty {
        // Places in a tensor are counted with 32 bits; who writes -3 need not hear of it.
        AttrType::Size { min } | AttrType::Pair { min } if x < min as f64 => {
            (false, format!("at least {min}"))
        }
        AttrType::Sides if x < 0.0 => (false, "at least 0".to_string()),
        AttrType::Size { .. } | AttrType::Pair { .. } | AttrType::Sides => {
            (x <= f64::from(i32::MAX), format!("at most {}", i32::MAX))
        }
        AttrType::Int { min, max: i64::MAX } => (x >= min as f64, format!("at least {min}")),
        AttrType::Int { min, max } => (x >= min as f64 && x <= max as f64, format!("from {min} to {max}")),
        AttrType::Float { min, max, open } => {
            let above = if open { x < max } else { x <= max };
            let range = match (min == f64::MIN, max == f64::MAX, open) {
                (true, true, _) => "finite".to_string(),
                (true, false, true) => format!("below {max}"),
                (true, false, false) => format!("at most {max}"),
                (false, true, _) => format!("at least {min}"),
                (false, false, true) => format!("at least {min} and below {max}"),
                (false, false, false) => format!("from {min} to {max}"),
            };
            (x.is_finite() && x >= min && above, range)
        }
        AttrType::Sizes
        | AttrType::Bool
        | AttrType::Choice(_)
        | AttrType::Activation
        | AttrType::Init
        | AttrType::Metric
        | AttrType::Str
        | AttrType::Choices(_)
        | AttrType::Cell
        | AttrType::Layer(_) => (true, String::new()),
    };
    if fits {
        return Ok(());
    }
    Err(Diagnostic::error(
        "call::range",
        format!("`{}` of `{}` must be {range}, but is {x}", attr.name, sig.name),
        at,
        "out of range",
    )
    .help(format!("{}. {}", choose(&range), attr.doc)))
}

/// What to do where a number is not in `range`: `at least 0`, `from 1 to 5`, `finite`.
pub fn choose(range: &str) -> String {
    match range {
        "finite" => "choose a finite value".to_string(),
        _ if range.starts_with("from ") => format!("choose a value {range}"),
        _ => format!("choose a value that is {range}"),
    }
}

fn size_in<S: Scope>(ev: &mut Eval<'_, S>, sig: &Sig, attr: &Attr, expr: &Expr) -> Checked<AttrValue> {
    let dim = ev.size(expr)?;
    if let Some(n) = dim.as_const()
        && let Err(d) = check_range(sig, attr, n as f64, expr.span)
    {
        return ev.fail(d);
    }
    Ok(AttrValue::Size(dim))
}

fn float_in<S: Scope>(ev: &mut Eval<'_, S>, sig: &Sig, attr: &Attr, expr: &Expr) -> Checked<AttrValue> {
    let number = match ev.eval(expr)? {
        Item::Number(number) => number,
        other => return wrong_kind(ev, sig, attr, expr, &other, "a number"),
    };
    let Some(x) = number.as_f64() else {
        return wrong_kind(ev, sig, attr, expr, &Item::Number(number), "a number known before the data");
    };
    match check_range(sig, attr, x, expr.span) {
        Ok(()) => Ok(AttrValue::Float(x)),
        Err(d) => ev.fail(d),
    }
}

fn sizes_of<S: Scope>(ev: &mut Eval<'_, S>, args: &[&Arg]) -> Checked<AttrValue> {
    if let [arg] = args
        && let ExprKind::List(items) | ExprKind::Tuple(items) = &arg.value.bare().kind
    {
        let d = Diagnostic::error(
            "call::type",
            "sizes are arguments of their own",
            arg.value.span,
            "a list of sizes",
        )
        .help("write them without the brackets: `Reshape(28, 28)`");
        let plain: Option<Vec<String>> = items.iter().map(plain).collect();
        return ev.fail(match plain {
            Some(plain) => d.fix("take the brackets away", arg.value.span, plain.join(", ")),
            None => d,
        });
    }
    sizes_of_exprs(ev, args.iter().map(|a| &a.value))
}

/// A number or name as text.
fn plain(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Int(n) => Some(n.to_string()),
        ExprKind::Neg(inner) => plain(inner).map(|n| format!("-{n}")),
        _other => expr.dotted(),
    }
}

fn sizes_of_exprs<'e, S: Scope>(
    ev: &mut Eval<'_, S>,
    exprs: impl Iterator<Item = &'e Expr>,
) -> Checked<AttrValue> {
    let mut open: Option<Span> = None;
    let mut dims = Vec::new();
    for expr in exprs {
        let dim = ev.size(expr);
        if let Ok(dim) = &dim
            && let Some(n) = dim.as_const()
            && n < 1
        {
            let (message, help) = match (n, open) {
                (-1, None) => {
                    open = Some(expr.span);
                    dims.push(Ok(Dim::from(-1)));
                    continue;
                }
                (-1, Some(_)) => ("only one size can be -1".to_string(), "say all others"),
                _ => (
                    format!("a size is at least 1, but this is {n}"),
                    "write a positive size, or -1 for the rest",
                ),
            };
            dims.push(
                ev.fail(Diagnostic::error("call::range", message, expr.span, "out of range").help(help)),
            );
            continue;
        }
        dims.push(dim);
    }
    dims.into_iter().collect::<Checked<Vec<_>>>().map(AttrValue::Sizes)
}

fn choice<S: Scope>(
    ev: &mut Eval<'_, S>,
    sig: &Sig,
    attr: &Attr,
    expr: &Expr,
    words: &'static [&'static str],
) -> Checked<String> {
    let quoted = if let ExprKind::Str(text) = &expr.bare().kind { Some(text.clone()) } else { None };
    let word = quoted.or_else(|| expr.as_name().map(|name| name.name.to_string()));
    match word {
        Some(word) if words.contains(&word.as_str()) => Ok(word),
        word => {
            let near = word.and_then(|w| did_you_mean(&w, words.iter().copied()));
            let d = Diagnostic::error(
                "call::choice",
                format!("`{}` of `{}` is one of {}", attr.name, sig.name, words.join(", ")),
                expr.span,
                "none of them",
            );
            ev.fail(match near {
                Some(near) => {
                    d.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), expr.span, near)
                }
                None => d.help(format!("write one of {}", words.join(", "))),
            })
        }
    }
}

/// A bare word or a text as it is; a number as cells write it.
fn cell<S: Scope>(ev: &mut Eval<'_, S>, sig: &Sig, attr: &Attr, expr: &Expr) -> Checked<AttrValue> {
    if let Some(name) = expr.as_name().filter(|name| ev.scope.name(name).is_none()) {
        return Ok(AttrValue::Word(name.name.to_string()));
    }
    match ev.eval(expr)? {
        Item::Text(text) => Ok(AttrValue::Word(text)),
        Item::Number(number) if number.as_f64().is_some() => {
            Ok(AttrValue::Word(number.as_f64().unwrap_or_default().to_string()))
        }
        other => wrong_kind(ev, sig, attr, expr, &other, "a number, a word or a text in quotes"),
    }
}

/// Builtins that may stand as `activation=…`.
static BUILTIN_ACTIVATIONS: &[&str] = &["tanh", "sigmoid", "exp", "abs"];

/// Whether `name` is a function of one tensor, its other parameters settings with defaults.
pub fn is_activation(lib: &Library, name: &str) -> bool {
    if BUILTIN_ACTIVATIONS.contains(&name) || lib.is_broken(name) {
        return true;
    }
    lib.op(name).is_some_and(|op| {
        let tensors = op.params.iter().filter(|p| matches!(p.kind, ParamKind::Tensor(_))).count();
        tensors == 1 && op.results.len() == 1
    })
}

/// All that [`is_activation`] says yes to.
pub fn activations(lib: &Library) -> Vec<&str> {
    let ops = lib.op_names().filter(|name| is_activation(lib, name));
    ops.chain(BUILTIN_ACTIVATIONS.iter().copied()).collect()
}

fn activation<S: Scope>(ev: &mut Eval<'_, S>, sig: &Sig, attr: &Attr, expr: &Expr) -> Checked<AttrValue> {
    let Some(name) = expr.as_name() else {
        let d = Diagnostic::error(
            "call::type",
            format!("`{}` of `{}` is the name of a function", attr.name, sig.name),
            expr.span,
            "not a name",
        );
        if let ExprKind::Str(text) = &expr.bare().kind {
            let d = d.help(format!("names are bare words: write `{text}` without quotes"));
            return ev.fail(d.fix("remove the quotes", expr.span, text.clone()));
        }
        if let ExprKind::Int(n) = &expr.bare().kind {
            let help = format!(
                "a layer takes the width of its output alone, `{}({n})`: that of the input is known",
                sig.name
            );
            return ev.fail(d.help(help));
        }
        let layer = "for settings use the layer behind: `|> LeakyReLU(0.2)`";
        return ev.fail(d.help(format!("write a bare name such as `relu`; {layer}")));
    };
    if &*name.name == "none" {
        return Ok(AttrValue::Activation(None));
    }
    let lib = ev.lib;
    if is_activation(lib, &name.name) {
        return Ok(AttrValue::Activation(Some(name.name.to_string())));
    }
    let d = Diagnostic::error(
        "name::activation",
        format!("there is no activation `{}`", name.name),
        name.span,
        "not known here",
    );
    let folded = name.name.to_lowercase();
    let known = activations(lib);
    let near = known
        .iter()
        .copied()
        .find(|n| *n == folded)
        .or_else(|| did_you_mean(&name.name, known.iter().copied().chain(["none"])));
    ev.fail(match near {
        Some(near) => {
            d.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), name.span, near)
        }
        None => d.help("usual ones are relu, gelu, silu, tanh and sigmoid; an `op` of your own will do too"),
    })
}

/// `Normal(std=0.02)`, `glorot_uniform`.
pub fn initialiser<S: Scope>(ev: &mut Eval<'_, S>, expr: &Expr) -> Checked<super::InitSpec> {
    let called =
        if let ExprKind::Call { callee, args } = &expr.bare().kind { Some((callee, args)) } else { None };
    let (name, args): (Option<&Ident>, &[Arg]) = match called {
        Some((callee, args)) => (callee.as_name(), args),
        None => (expr.as_name(), &[]),
    };
    let Some(name) = name else {
        if let ExprKind::Str(text) = &expr.bare().kind
            && let Some(def) =
                init::INITS.iter().find(|i| i.sig.name == text || i.sig.aliases.contains(&text.as_str()))
        {
            let ours = def.sig.name;
            let d = Diagnostic::error(
                "name::init",
                "an initialiser is a name, not a text in quotes",
                expr.span,
                "a text",
            );
            return ev.fail(d.help(format!("write `{ours}`")).fix(
                format!("write `{ours}`"),
                expr.span,
                ours,
            ));
        }
        return ev.fail(
            Diagnostic::error(
                "name::init",
                "an initialiser is needed here",
                expr.span,
                "not the name of one",
            )
            .help("write a name such as `glorot_uniform`, or `Normal(std=0.02)`"),
        );
    };
    match init::find(&name.name) {
        Some(def) => {
            let settings = attrs(ev, &def.sig, args, expr.span)?;
            let values: Vec<AttrValue> = settings.into_iter().map(|(v, _)| v).collect();
            Ok(def.spec(&values))
        }
        None => {
            let names = || init::INITS.iter().map(|d| d.sig.name);
            let d = Diagnostic::error(
                "name::init",
                format!("there is no initialiser `{}`", name.name),
                name.span,
                "not known here",
            );
            let alias = init::INITS.iter().find(|d| d.sig.aliases.contains(&&*name.name)).map(|d| d.sig.name);
            let near = alias.or_else(|| did_you_mean(&name.name, names()));
            ev.fail(match near {
                Some(near) => {
                    d.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), name.span, near)
                }
                None => d.help(format!("one of {}", names().collect::<Vec<_>>().join(", "))),
            })
        }
    }
}

/// A number where a checked setting has one; symbols have none.
pub fn as_number(value: &AttrValue) -> Option<f64> {
    match value {
        AttrValue::Size(dim) => dim.as_const().map(|n| n as f64),
        AttrValue::Float(x) => Some(*x),
        AttrValue::Bool(x) => Some(f64::from(u8::from(*x))),
        AttrValue::Sizes(_)
        | AttrValue::Word(_)
        | AttrValue::Words(_)
        | AttrValue::Activation(_)
        | AttrValue::Init(_)
        | AttrValue::Layer(_)
        | AttrValue::None => None,
    }
}

/// The setting as an item of an expression, for formulas that take it.
pub fn as_item(value: &AttrValue) -> Option<Item> {
    match value {
        AttrValue::Size(dim) => Some(Item::Number(Number::Int(dim.clone()))),
        AttrValue::Float(x) => Some(Item::float(*x)),
        AttrValue::Bool(x) => Some(Item::Bool(*x)),
        AttrValue::Sizes(_)
        | AttrValue::Word(_)
        | AttrValue::Words(_)
        | AttrValue::Activation(_)
        | AttrValue::Init(_)
        | AttrValue::Layer(_)
        | AttrValue::None => None,
    }
}
