//! `kernel_regularizer=l2(1e-4)` of Keras, answered with `l2=1e-4`.

use crate::diag::Diagnostic;
use crate::ops::Sig;
use crate::syntax::ast::{Arg, Expr, ExprKind};

/// What Keras calls the weights that a regulariser is of, and what stands in front of our settings.
static WEIGHTS: &[(&str, &str)] = &[
    ("kernel_regularizer", ""),
    ("gamma_regularizer", ""),
    ("alpha_regularizer", ""),
    ("bias_regularizer", "bias_"),
    ("beta_regularizer", "bias_"),
];

/// What Keras takes when a regulariser has no number.
const USUAL: &str = "0.01";

/// The answer to an argument of Keras, if it is a regulariser that the layer has.
pub(super) fn answer(sig: &Sig, arg: &Arg) -> Option<Diagnostic> {
    let name = arg.name.as_ref()?;
    let message = format!("`{}` has no `{}` here", sig.name, name.name);
    let wrong = Diagnostic::error("call::foreign", message, name.span, "of another framework");
    if &*name.name == "activity_regularizer" {
        let stage = "ActivityRegularization(l1=1e-4)";
        return Some(
            wrong.help(format!("leave it out, and put `{stage}` behind: `x |> {} |> {stage}`", sig.name)),
        );
    }
    let (_, prefix) = WEIGHTS.iter().find(|(theirs, _)| *theirs == &*name.name)?;
    let has = |setting: &str| sig.attrs.iter().any(|a| a.name == setting);
    if !has(&format!("{prefix}l2")) {
        return None;
    }
    let help = format!("write `{prefix}l2=1e-4`, or `{prefix}l1`: it is added to the loss");
    let ours = ours(&arg.value, prefix)?;
    Some(wrong.help(help).fix(format!("write `{ours}`"), name.span.to(arg.value.span), ours))
}

/// `l2=1e-4` for `l2(1e-4)`, `regularizers.L2(1e-4)` or `"l2"`.
fn ours(value: &Expr, prefix: &str) -> Option<String> {
    let (kind, args): (String, &[Arg]) = match &value.bare().kind {
        ExprKind::Call { callee, args } => (word(callee)?, args),
        ExprKind::Str(text) => (text.to_lowercase(), &[]),
        _ => (word(value).unwrap_or_else(|| "l2".to_string()), &[]),
    };
    let number = |arg: &Arg| match arg.value.bare().kind {
        ExprKind::Int(n) => Some(n.to_string()),
        ExprKind::Float(x) => Some(format!("{x:?}")),
        _ => None,
    };
    if kind == "l1_l2" || kind == "l1l2" {
        let named =
            args.iter().filter_map(|a| Some(format!("{prefix}{}={}", a.name.as_ref()?.name, number(a)?)));
        let all: Vec<String> = named.collect();
        return Some(if all.is_empty() {
            format!("{prefix}l1={USUAL}, {prefix}l2={USUAL}")
        } else {
            all.join(", ")
        });
    }
    let kind = if kind == "l1" { "l1" } else { "l2" };
    let factor = args.first().and_then(number).unwrap_or_else(|| USUAL.to_string());
    Some(format!("{prefix}{kind}={factor}"))
}

/// The last name of `L2` or `keras.regularizers.L2`, in small letters.
fn word(callee: &Expr) -> Option<String> {
    match &callee.bare().kind {
        ExprKind::Name(name) | ExprKind::Member(_, name) => Some(name.name.to_lowercase()),
        _ => None,
    }
}
