//! `augment { image = image |> flip |> crop(32, pad=4) }`: what is done to training rows alone.

use super::Data;
use super::how::stages;
use crate::base::{DType, Dim, TensorType};
use crate::diag::Diagnostic;
use crate::ops::transform::{AUGMENTS, Augment, Encode};
use crate::sema::ctx::{Ctx, suggest};
use crate::sema::job::{AugmentPlan, Column, ColumnKind};
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
    let steps: Vec<Option<(Augment, Option<String>)>> = steps.iter().map(|stage| step(cx, stage)).collect();
    let (steps, labels): (Vec<Augment>, Vec<Option<String>>) =
        steps.into_iter().collect::<Option<Vec<_>>>()?.into_iter().unzip();
    let mut labels = labels.into_iter().flatten();
    let label = labels.next();
    if labels.next().is_some() {
        let message = "a row is mixed with one other row";
        let d = Diagnostic::error("column::augment", message, value.span, "mixed twice");
        cx.report(d.help("leave one `mixup`, with a larger `alpha`"));
        return None;
    }
    Some(AugmentPlan { column: name.name.to_string(), steps, label, span: name.span })
}

/// A step, and the label that it changes besides.
fn step(cx: &Ctx, stage: &Expr) -> Option<(Augment, Option<String>)> {
    let (name, args): (&Ident, &[Arg]) = match &stage.bare().kind {
        ExprKind::Name(name) => (name, &[]),
        ExprKind::Call { callee, args } => (callee.as_name()?, args),
        _other => {
            let d = Diagnostic::error("column::augment", "this changes no image", stage.span, "not a change");
            cx.report(d.help(
                "write `flip`, `crop(32, pad=4)`, `rotate(10)`, `jitter`, `cutout(8)` or `mixup(0.2, label)`",
            ));
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
    cx.settings(&def.sig, args, stage.span).map(|values| (def.step(&values), def.label(&values)))
}

impl<'a> Data<'a> {
    /// A column as batches have it: the label of rows that are mixed has a share for each class. Where neither files nor a
    /// run tell how many, it stays as it is.
    pub(super) fn as_mixed(&self, cx: &Ctx<'a>, column: Column) -> Column {
        let mixes = self.augment.iter().any(|plan| plan.label.as_deref() == Some(column.name.as_str()));
        let ColumnKind::One(field) = &column.kind else { return column };
        let classes = self.classes(&column.name).filter(|_| mixes && column.ty.shape.rank() == 0);
        let classes = classes.map(|classes| classes.bind(&cx.settings.bindings));
        let known = |classes: &Dim| self.schema.is_some() || classes.as_const().is_some();
        let Some(classes) = classes.filter(known) else { return column };
        let mut field = field.clone();
        field.how.push(Encode::Shares(classes.as_const().and_then(|n| usize::try_from(n).ok())));
        Column { kind: ColumnKind::One(field), ty: TensorType::f32([classes]), ..column }
    }

    /// The label of mixed rows is fed, and numbers that have something between them.
    fn check_mixed(&self, cx: &Ctx<'a>, columns: &[Column], plan: &AugmentPlan) {
        let Some(label) = &plan.label else { return };
        let wrong = |message: String, label: &str| {
            Diagnostic::error("column::augment", message, plan.span, label.to_string())
        };
        let Some(column) = columns.iter().find(|c| c.name == *label) else {
            let d =
                wrong(format!("`{label}` is no column of the source that is fed"), "mixed with its label");
            let known = columns.iter().map(|c| c.name.as_str());
            let ident = Ident { name: label.as_str().into(), span: plan.span };
            return cx.report(suggest(d, "column", &ident, known));
        };
        if column.name == plan.column {
            let d = wrong(format!("`{label}` is mixed, and is no label of itself"), "the same column");
            return cx.report(d.help("name the column that the loss compares: `mixup(0.2, label)`"));
        }
        let unseen = self.schema.is_none() && self.classes(label).is_some();
        if column.ty.dtype != DType::F32 && !unseen {
            let message =
                format!("`{label}` holds whole numbers without classes: between two of them is none");
            let d = wrong(message, "labels cannot mix").label(column.span, column.ty.to_string());
            cx.report(d.help(format!(
                "say that they are classes, `{label} : class`, or numbers, `{label} : float`"
            )));
        }
    }

    /// Checks the columns that are changed against those that batches hold.
    pub(in crate::sema) fn check_augment(&self, cx: &Ctx<'a>) {
        let columns = self.columns.borrow();
        // Without a feed, which is reported, there is nothing to compare with.
        if columns.is_empty() {
            return;
        }
        for plan in &self.augment {
            self.check_mixed(cx, &columns, plan);
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
            let channels = sizes.get(2).copied().unwrap_or(1);
            for step in &plan.steps {
                let moved = self.source.as_ref().is_some_and(|s| s.kind.voc().is_some());
                let wrong = match moved.then(|| moves(plan, *step)).flatten() {
                    Some(wrong) => Some(wrong),
                    None => misfit(plan, *step, [height, width, channels], column.ty.dtype),
                };
                if let Some(wrong) = wrong {
                    cx.report(wrong.label(column.span, column.ty.to_string()));
                }
            }
        }
    }
}

/// Why a step is not for images that have boxes: they would stay where they are.
fn moves(plan: &AugmentPlan, step: Augment) -> Option<Diagnostic> {
    let name = match step {
        Augment::Flip => "flip",
        Augment::Crop { .. } => "crop",
        Augment::Rotate { .. } => "rotate",
        Augment::Mixup { .. } => "mixup",
        Augment::Jitter { .. } | Augment::Cutout { .. } => return None,
    };
    let message = format!("`{name}` moves what is in an image, and its boxes would stay");
    let d = Diagnostic::error("column::augment", message, plan.span, "boxes are of this column");
    Some(d.help(format!("take `{name}` out; `jitter` and `cutout` leave everything in its place")))
}

/// Why a step is not for such images: height, width, channels.
fn misfit(plan: &AugmentPlan, step: Augment, image: [usize; 3], dtype: DType) -> Option<Diagnostic> {
    let [height, width, channels] = image;
    match step {
        Augment::Crop { size, .. } if [size, size] != [height, width] => {
            Some(other_size(plan, size, [height, width]))
        }
        Augment::Rotate { .. } if dtype == DType::I32 => {
            let message = format!("`{}` holds whole numbers: between two of them is none", plan.column);
            let d = Diagnostic::error("column::augment", message, plan.span, "not turned");
            Some(d.help("rotate images of bytes or of f32, or leave `rotate` out"))
        }
        Augment::Mixup { .. } if dtype == DType::I32 => {
            let message = format!("`{}` holds whole numbers: between two of them is none", plan.column);
            let d = Diagnostic::error("column::augment", message, plan.span, "not mixed");
            Some(d.help("mix images of bytes or of f32, or leave `mixup` out"))
        }
        Augment::Jitter { .. } if dtype != DType::U8 => {
            let message = format!("`jitter` is for bytes from 0 to 255, but `{}` is {dtype}", plan.column);
            let d = Diagnostic::error("column::augment", message, plan.span, "how bright is white?");
            Some(d.help("save the images as bytes (u8), or leave `jitter` out"))
        }
        Augment::Jitter { saturation, .. } if saturation > 0.0 && channels != 3 => {
            let message = format!(
                "`saturation` is of three channels, red, green and blue, but `{}` has {channels}",
                plan.column
            );
            let d = Diagnostic::error("column::augment", message, plan.span, "no colours");
            Some(d.help("leave `saturation` out: `jitter(0.2, 0.2)`"))
        }
        Augment::Cutout { size } if size > height.max(width) => {
            let message = format!("`cutout({size})` covers images of {height} x {width} whole");
            let d = Diagnostic::error("column::augment", message, plan.span, "nothing would be left");
            Some(d.help(format!(
                "write `cutout({})`: half as large as the image",
                (height.min(width) / 2).max(1)
            )))
        }
        Augment::Flip
        | Augment::Crop { .. }
        | Augment::Rotate { .. }
        | Augment::Jitter { .. }
        | Augment::Cutout { .. }
        | Augment::Mixup { .. } => None,
    }
}

fn no_image(plan: &AugmentPlan, shape: &str) -> Diagnostic {
    let message = format!("`{}` is no image: a row of it is {shape}", plan.column);
    let d = Diagnostic::error("column::augment", message, plan.span, "height and width are wanted");
    d.help("change a column of shape [height, width] or [height, width, channels]")
}

fn other_size(plan: &AugmentPlan, size: usize, [height, width]: [usize; 2]) -> Diagnostic {
    let message = format!("`crop({size})` cuts {size} x {size} out of images of {height} x {width}");
    let d = Diagnostic::error("column::augment", message, plan.span, "another size than validation sees");
    match height == width {
        true => d.help(format!("write `crop({height}, pad=4)`: the image moves by up to 4 pixels")),
        false => d.help("bring the images to a square first: `images(…, resize=[64, 64])`"),
    }
}
