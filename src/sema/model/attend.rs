//! `attend(q, k, v, heads=8, mask=causal)`: its arguments; what they mean is built where layers are.

use super::Ev;
use super::pipe::Inputs;
use super::several::{Argument, Found, bound, size, tensor};
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::ops::formula::{ArgSource, Checked, Item, Slot};
use crate::ops::{self, Attention, Masking, Mode};
use crate::syntax::ast::{Arg, Expr, ExprKind};

const SLOTS: [Slot; 8] = [
    Slot { name: "q", required: true },
    Slot { name: "k", required: true },
    Slot { name: "v", required: true },
    Slot { name: "heads", required: false },
    Slot { name: "mask", required: false },
    Slot { name: "dropout", required: false },
    Slot { name: "kv_heads", required: false },
    Slot { name: "scale", required: false },
];

pub(super) fn attend(ev: &mut Ev, leading: Inputs, args: &[Arg], span: Span) -> Found {
    let given = bound(ev, "attend", &SLOTS, leading, args, span)?;
    let Ok([q, k, v, heads, mask, dropout, kv_heads, scale]) = <[Option<Argument>; 8]>::try_from(given)
    else {
        unreachable!("bind: as many as there are slots")
    };
    let mut tensors = Vec::new();
    for argument in [q, k, v].into_iter().flatten() {
        tensors.push(tensor(ev, argument));
    }
    let tensors = tensors.into_iter().collect::<Checked<Vec<_>>>()?;
    let (q, k, v) = (tensors[0], tensors[1], tensors[2]);
    let mut how = Attention::default();
    if let Some(heads) = heads {
        how.heads = size(ev, "attend", &heads)?;
        how.kv_heads = how.heads.clone();
    }
    if let Some(heads) = kv_heads {
        how.kv_heads = size(ev, "attend", &heads)?;
    }
    how.scale = scale.map(|scale| number(ev, &scale, f64::MIN, f64::MAX)).transpose()?;
    let rate = dropout.map(|rate| number(ev, &rate, 0.0, 1.0)).transpose()?.unwrap_or(0.0);
    how.masks.extend(ev.scope.mask(k));
    if let Some(Argument { value: ArgSource::Expr(expr), .. }) = &mask {
        masks(ev, expr, &mut how)?;
    }
    ev.at(span);
    if ev.scope.mode == Mode::Train && rate > 0.0 {
        let site = ops::free_site(ev.b, &format!("{}attend", ev.scope.prefix));
        how.dropout = Some((rate, site));
    }
    let wrong = |message: &str, help: &str| {
        Diagnostic::error("shape::attend", format!("`attend` {message}"), span, "does not fit").help(help)
    };
    let made = match ops::attend(ev.lib, ev.b, [q, k, v], &how, &wrong) {
        Ok(made) => made,
        Err(d) => {
            let d = ev.scope.explain(d, q);
            return ev.fail(d);
        }
    };
    let mask = Masking::Kept.follow(ev.scope.mask(q), ev.b.shape(q), ev.b.shape(made));
    ev.scope.note_mask(made, mask);
    let text = format!("`attend` gives {}", ev.b.ty(made));
    ev.scope.note(made, Some(q), span, text);
    Ok(Item::Tensor(made))
}

/// `causal`, a tensor, or a list of such.
fn masks(ev: &mut Ev, expr: &Expr, how: &mut Attention) -> Checked<()> {
    match &expr.bare().kind {
        ExprKind::List(items) | ExprKind::Tuple(items) => {
            items.iter().try_for_each(|item| masks(ev, item, how))
        }
        ExprKind::Name(name) if &*name.name == "causal" && !ev.scope.names.contains_key(&name.name) => {
            how.causal = true;
            Ok(())
        }
        ExprKind::Name(name) if &*name.name == "none" && !ev.scope.names.contains_key(&name.name) => Ok(()),
        _ => {
            let item = ev.eval(expr)?;
            let Item::Tensor(mask) = item else {
                let found = ev.describe(&item);
                let message = "`mask` of `attend` is `causal`, a tensor, or a list of them";
                let d = Diagnostic::error("call::type", message, expr.span, found);
                return ev
                    .fail(d.help("write `mask=causal`, `mask=padding(x)`, or `mask=[causal, padding(x)]`"));
            };
            ev.at(expr.span);
            let mask = ev.b.to_f32(mask);
            if !how.masks.contains(&mask) {
                how.masks.push(mask);
            }
            Ok(())
        }
    }
}

/// A number known while compiling, at least `least` and below `most`.
fn number(ev: &mut Ev, argument: &Argument, least: f64, most: f64) -> Checked<f64> {
    let found = match &argument.value {
        ArgSource::Expr(expr) => ev.number(expr)?.as_f64(),
        ArgSource::Item(_) => None,
    };
    match found.filter(|x| (least..most).contains(x)) {
        Some(x) => Ok(x),
        None => {
            let d = Diagnostic::error(
                "call::range",
                "`attend` cannot take this number",
                argument.span,
                "out of range",
            );
            ev.fail(d.help("`dropout` is at least 0 and below 1; `scale` is any known number"))
        }
    }
}
