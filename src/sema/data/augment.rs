//! `augment { image = image |> flip |> crop(32, pad=4) }`: what is done to training rows alone.

use super::Data;
use super::how::stages;
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::ops::transform::{AUGMENTS, Augment};
use crate::sema::ctx::{Ctx, suggest};
use crate::sema::job::AugmentPlan;
use crate::sema::keyed::stray;
use crate::syntax::ast::{Arg, Entry, EntryKind, Expr, ExprKind, Ident, Section};

/// The entries that are right; what is wrong is reported.
pub(super) fn read(cx: &Ctx, section: &Section) -> Vec<AugmentPlan> {
    section.entries.iter().filter_map(|entry| one(cx, entry)).collect()
}

fn one(cx: &Ctx, entry: &Entry) -> Option<AugmentPlan> {
    let EntryKind::Bind { path, value } = &entry.kind else {
        if entry.kind != EntryKind::Broken {
            stray(cx, "augment", entry);
        }
        return None;
    };
    let all = stages(value);
    let ([name], [first, steps @ ..]) = (path.parts.as_slice(), all.as_slice()) else {
        stray(cx, "augment", entry);
        return None;
    };
    if first.as_name().is_none_or(|n| n.name != name.name) || steps.is_empty() {
        let message = format!("`augment` changes a column in its place, `{}` of itself", name.name);
        let d = Diagnostic::error("column::augment", message, value.span, "made of something else");
        cx.report(d.help(format!("write `{0} = {0} |> flip`", name.name)));
        return None;
    }
    let steps: Vec<Option<Augment>> = steps.iter().map(|stage| step(cx, stage)).collect();
    Some(AugmentPlan {
        column: name.name.to_string(),
        steps: steps.into_iter().collect::<Option<_>>()?,
        span: name.span,
    })
}

fn step(cx: &Ctx, stage: &Expr) -> Option<Augment> {
    let (name, args): (&Ident, &[Arg]) = match &stage.bare().kind {
        ExprKind::Name(name) => (name, &[]),
        ExprKind::Call { callee, args } => (callee.as_name()?, args),
        _other => {
            let d = Diagnostic::error("column::augment", "this changes no image", stage.span, "not a change");
            cx.report(d.help("write `flip` or `crop(32, pad=4)`"));
            return None;
        }
    };
    let Some(def) = AUGMENTS.iter().find(|def| def.sig.name == &*name.name) else {
        let theirs =
            AUGMENTS.iter().find(|def| def.sig.aliases.contains(&&*name.name)).map(|def| def.sig.name);
        let message = format!("there is no change `{}` of training rows", name.name);
        let d = Diagnostic::error("column::augment", message, name.span, "not known");
        cx.report(match theirs {
            Some(ours) => d.help(format!("write `{ours}`")).fix(format!("write `{ours}`"), name.span, ours),
            None => suggest(d, "change", name, AUGMENTS.iter().map(|def| def.sig.name)),
        });
        return None;
    };
    cx.settings(&def.sig, args, stage.span).map(|values| def.step(&values))
}

impl<'a> Data<'a> {
    /// Checks the columns that are changed against those that batches hold.
    pub(in crate::sema) fn check_augment(&self, cx: &Ctx<'a>) {
        let columns = self.columns.borrow();
        // Without a feed, which is reported, there is nothing to compare with.
        if columns.is_empty() {
            return;
        }
        for plan in &self.augment {
            let column = columns.iter().find(|c| c.name == plan.column);
            let Some(column) = column else {
                let message = format!("`{}` is no column of the source that is fed", plan.column);
                let d = Diagnostic::error("column::augment", message, plan.span, "nothing to change");
                let known = columns.iter().map(|c| c.name.as_str());
                let ident = Ident { name: plan.column.as_str().into(), span: plan.span };
                cx.report(suggest(d, "column", &ident, known));
                continue;
            };
            let sizes = column.ty.shape.as_const().unwrap_or_default();
            let ([height, width] | [height, width, _]) = *sizes.as_slice() else {
                cx.report(no_image(plan, &column.ty.shape.to_string()));
                continue;
            };
            for step in &plan.steps {
                if let Augment::Crop { size, .. } = step
                    && (*size != height || *size != width)
                {
                    cx.report(other_size(plan, *size, [height, width], column.span));
                }
            }
        }
    }
}

fn no_image(plan: &AugmentPlan, shape: &str) -> Diagnostic {
    let message = format!("`{}` is no image: a row of it is {shape}", plan.column);
    let d = Diagnostic::error("column::augment", message, plan.span, "height and width are wanted");
    d.help("change a column of shape [height, width] or [height, width, channels]")
}

fn other_size(plan: &AugmentPlan, size: usize, [height, width]: [usize; 2], column: Span) -> Diagnostic {
    let message = format!("`crop({size})` cuts {size} x {size} out of images of {height} x {width}");
    let d = Diagnostic::error("column::augment", message, plan.span, "another size than validation sees")
        .label(column, format!("{height} x {width}"));
    match height == width {
        true => d.help(format!("write `crop({height}, pad=4)`: the image moves by up to 4 pixels")),
        false => d.help("bring the images to a square first: `images(…, resize=[64, 64])`"),
    }
}
