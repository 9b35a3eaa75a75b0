//! `name : how`: chains of transforms, read against their table.

use crate::base::Span;
use crate::diag::{Diagnostic, did_you_mean};
use crate::ops::transform::{self, AUGMENTS, Kind, TRANSFORMS, Takes, TransformDef};
use crate::sema::ctx::{Ctx, suggest};
use crate::sema::job::{Classes, Encode};
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident};

/// What `name : how` says.
#[derive(Clone, Debug)]
pub(super) enum How {
    Known(Chain),
    /// Reported: wrong, or not built yet.
    Poison,
}

/// Steps from cells to numbers, and what they end in.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub steps: Vec<Encode>,
    pub kind: Kind,
    /// The first step, if it makes numbers of cells: words are none.
    pub reads_numbers: Option<&'static str>,
}

impl Chain {
    /// No step yet.
    pub fn of(kind: Kind) -> Chain {
        Chain { steps: Vec::new(), kind, reads_numbers: None }
    }

    /// Of a column that nothing says more about.
    pub fn inferred() -> Chain {
        Chain { steps: vec![Encode::Inferred], kind: Kind::Number, reads_numbers: None }
    }

    /// Labels and ids, whose size says nothing, and windows: `row` leaves them out.
    pub fn is_ids(&self) -> bool {
        match self.kind {
            Kind::Ids(_) | Kind::Tokens(_) | Kind::Sequence { .. } => true,
            Kind::Series { .. } | Kind::Frames { .. } => true,
            Kind::Cell | Kind::Number | Kind::Whole | Kind::Vector(_) => false,
        }
    }
}

/// Reads `standardize`, `impute(median) |> log`, `class("<=50K", ">50K")`, …
///
/// `before` is what the column is already, if that is numbers.
pub(super) fn how(cx: &Ctx, before: Option<&Chain>, expr: &Expr) -> How {
    chain(cx, before, &stages(expr))
}

/// The stages of a chain, in order.
pub(super) fn stages(expr: &Expr) -> Vec<&Expr> {
    let mut stages = Vec::new();
    let mut first = expr;
    while let ExprKind::Pipe { input, stage } = &first.bare().kind {
        stages.push(&**stage);
        first = input;
    }
    stages.push(first);
    stages.reverse();
    stages
}

/// Reads stages one behind the other, after those of `before`. What is wrong with each is said.
pub(super) fn chain(cx: &Ctx, before: Option<&Chain>, stages: &[&Expr]) -> How {
    let mut made = before.cloned().or(Some(Chain::of(Kind::Cell)));
    for (at, stage) in stages.iter().enumerate() {
        let Some((def, step)) = read(cx, stage) else {
            made = None;
            continue;
        };
        let Some(chain) = &mut made else { continue };
        if !def.takes.accepts(chain.kind) {
            let before = (at > 0).then(|| stages[at - 1].span);
            misplaced(cx, def, chain.kind, stage.span, before);
            made = None;
            continue;
        }
        if let Some(without) = chain.steps.last().and_then(|before| padless(before, &step)) {
            cx.report(nothing_pads(without, stage.span, (at > 0).then(|| stages[at - 1].span)));
            made = None;
            continue;
        }
        let given = (def.gives)(chain.kind, &step);
        // `impute` is content with words unless it must reckon.
        let reckons = match def.takes {
            Takes::Numbers => true,
            Takes::Gaps => chain.kind == Kind::Cell && given == Kind::Number,
            Takes::Steps => chain.kind == Kind::Cell,
            Takes::Values | Takes::Texts | Takes::Tokens => false,
        };
        if reckons && chain.steps.is_empty() {
            chain.reads_numbers = Some(def.sig.name);
        }
        chain.kind = given;
        chain.steps.push(step);
    }
    made.filter(|chain| !chain.steps.is_empty()).map_or(How::Poison, How::Known)
}

fn misplaced(cx: &Ctx, def: &TransformDef, kind: Kind, at: Span, before: Option<Span>) {
    let name = def.sig.name;
    let message = format!("`{name}` cannot stand behind {}", kind.name());
    let mut d = Diagnostic::error("column::chain", message, at, "takes something else");
    if let Some(before) = before {
        d = d.label(before, format!("gives {}", kind.name()));
    }
    cx.report(
        d.help(match kind {
            Kind::Ids(_) if def.takes == Takes::Texts => {
                "`name : class` makes ids of the column itself: name them otherwise, `label = name |> class`"
                    .to_string()
            }
            Kind::Ids(_) => {
                format!("take `{name}` out, or put `one_hot` before it, which makes numbers of ids")
            }
            Kind::Cell if def.takes == Takes::Tokens => {
                format!("make ids of the text first: `words(vocab=10000) |> {}`", def.sig.example)
            }
            Kind::Cell | Kind::Number | Kind::Whole | Kind::Vector(_) if def.takes == Takes::Texts => {
                format!("take `{name}` out, or put it first: it takes text")
            }
            Kind::Cell | Kind::Number | Kind::Whole | Kind::Vector(_) => {
                format!("put `{name}` before it: it takes one value a row")
            }
            Kind::Tokens(_) => format!("take `{name}` out: `pad` or `windows` stands behind ids of pieces"),
            Kind::Sequence { .. } | Kind::Series { .. } | Kind::Frames { .. } => {
                format!("take `{name}` out, or put it before: sequences end a chain")
            }
        }),
    );
}

/// What gives ids that none of which pads, before a step that needs one.
fn padless(before: &Encode, step: &Encode) -> Option<&'static str> {
    let bare = matches!((before, step), (Encode::Chars { pad: false }, Encode::Pad { .. }));
    bare.then_some("chars")
}

fn nothing_pads(name: &str, at: Span, before: Option<Span>) -> Diagnostic {
    let message = format!("`{name}` gives no id that pads");
    let mut d = Diagnostic::error("column::setting", message, at, "what would it fill up with?");
    if let Some(before) = before {
        d = d.label(before, "every id is a character").fix(
            format!("write `{name}(pad=true)`"),
            before,
            format!("{name}(pad=true)"),
        );
    }
    d.help(format!("write `{name}(pad=true)`, which adds ids for padding and unknown characters"))
}

/// One stage; `None` is reported.
fn read(cx: &Ctx, stage: &Expr) -> Option<(&'static TransformDef, Encode)> {
    let (name, args): (&Ident, &[Arg]) = match &stage.bare().kind {
        ExprKind::Name(name) => (name, &[]),
        ExprKind::Call { callee, args } => match callee.as_name() {
            Some(name) => (name, args),
            None => return not_a_transform(cx, stage),
        },
        ExprKind::Broken => return None,
        _ => return not_a_transform(cx, stage),
    };
    let Some(def) = transform::find(&name.name) else {
        unknown(cx, name);
        return None;
    };
    if def.lists_values {
        let classes = if args.is_empty() { Some(Classes::Infer) } else { class(cx, stage.span, args) };
        return classes.map(|classes| (def, Encode::Class(classes)));
    }
    if let ([], [first, ..]) = (def.sig.attrs, args) {
        let message = format!("`{}` takes no arguments", name.name);
        let d = Diagnostic::error("call::many", message, first.value.span, "not needed");
        cx.report(d.help(format!("write `{}`", name.name)));
        return None;
    }
    let values = cx.settings(&def.sig, args, stage.span)?;
    match def.step(&values) {
        Ok(step) => Some((def, step)),
        Err(why) => {
            let d = Diagnostic::error("column::setting", why, stage.span, "cannot be");
            cx.report(d.help(format!("write it as in `{}`", def.sig.example)));
            None
        }
    }
}

/// Names of transforms, built or not.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    let changes = AUGMENTS.iter().map(|change| change.sig.name);
    TRANSFORMS.iter().map(|t| t.sig.name).chain(changes).chain(transform::LATER.iter().copied())
}

fn unknown(cx: &Ctx, name: &Ident) {
    if transform::LATER.contains(&&*name.name) {
        let instead = "`docs/transforms.md` has the transforms that are built, and arithmetic on columns is";
        cx.later("later::transform", format!("the transform `{}`", name.name), name.span, instead);
        return;
    }
    if AUGMENTS.iter().any(|change| change.sig.name == &*name.name) {
        let message = format!("`{}` changes training rows alone", name.name);
        let d = Diagnostic::error("column::augment", message, name.span, "of every row?");
        return cx
            .report(d.help(format!("write `augment {{ image = image |> {} }}` in the section", name.name)));
    }
    if let Some(ours) = transform::alias(&name.name) {
        let message = format!("`{}` is called `{ours}` here", name.name);
        let d = Diagnostic::error("column::transform", message, name.span, "the name that others give it");
        return cx.report(d.help(format!("write `{ours}`")).fix(format!("write `{ours}`"), name.span, ours));
    }
    let message = format!("there is no transform `{}`", name.name);
    let d = Diagnostic::error("column::transform", message, name.span, "not a transform");
    cx.report(suggest(d, "transform", name, names()));
}

fn not_a_transform<T>(cx: &Ctx, expr: &Expr) -> Option<T> {
    let d = Diagnostic::error("column::transform", "this is not a transform", expr.span, "not a transform");
    cx.report(d.help("write `standardize`, `one_hot`, `class(…)`, or a chain: `impute(median) |> log`"));
    None
}

/// Whether a stage behind `|>` is a transform, perhaps misspelt.
pub(super) fn is_transform(stage: &Expr) -> bool {
    let name = match &stage.bare().kind {
        ExprKind::Name(name) => Some(name),
        ExprKind::Call { callee, .. } => callee.as_name(),
        _ => None,
    };
    name.is_some_and(|n| {
        let known = names().any(|known| known == &*n.name) || transform::alias(&n.name).is_some();
        known || did_you_mean(&n.name, TRANSFORMS.iter().map(|t| t.sig.name)).is_some()
    })
}

/// `class(10)` counts, `class(no, yes)` lists.
fn class(cx: &Ctx, span: Span, args: &[Arg]) -> Option<Classes> {
    let one_number = match args {
        [one] => !matches!(one.value.bare().kind, ExprKind::Str(_)) && one.value.as_name().is_none(),
        _ => false,
    };
    let param = match args {
        [one] => one.value.as_name().is_some_and(|n| cx.globals.contains_key(&n.name)),
        _ => false,
    };
    if one_number || param {
        return cx.count("class", &args[0].value, 2).map(|n| Classes::Count(n as usize));
    }
    let names: Option<Vec<String>> = args.iter().map(|a| class_value(cx, &a.value)).collect();
    let names = names?;
    let twice = names.iter().enumerate().find(|(i, n)| names[..*i].contains(n));
    let why = match (names.len(), twice) {
        (0 | 1, _) => "a class column has at least two classes".to_string(),
        (_, Some((_, name))) => format!("the class `{name}` is listed twice"),
        _ => return Some(Classes::Named(names)),
    };
    cx.report(Diagnostic::error("column::classes", why, span, "these classes").help(
        "list each value of the column once, as in `class(no, yes)`, or write `class(n)` for 0 to n-1",
    ));
    None
}

/// A value of a class column: a word, a string, or a number as the cells have it.
fn class_value(cx: &Ctx, expr: &Expr) -> Option<String> {
    match &expr.bare().kind {
        ExprKind::Int(n) => Some(n.to_string()),
        ExprKind::Float(x) => Some(x.to_string()),
        ExprKind::Neg(inner) => match &inner.bare().kind {
            ExprKind::Int(_) | ExprKind::Float(_) => class_value(cx, inner).map(|n| format!("-{n}")),
            _ => cx.word("class", expr),
        },
        _ => cx.word("class", expr),
    }
}
