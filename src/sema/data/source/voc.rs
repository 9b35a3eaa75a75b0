//! `voc("bccd", classes=[RBC, WBC], boxes=40)`: which things, how many, of which images.

use super::{Args, Call, or};
use crate::diag::Diagnostic;
use crate::sema::job::{SourceKind, VocPlan};

impl Call<'_, '_> {
    pub(super) fn voc(&self, args: &Args) -> Option<SourceKind> {
        let [_, classes, skip, boxes, set, resize, clip] = args.as_slice() else {
            unreachable!("bind: one result for each slot")
        };
        let plan = VocPlan {
            path: self.path(args)?,
            classes: or(classes, Vec::new(), |e| self.names("classes", e))?,
            skip: or(skip, Vec::new(), |e| self.names("skip", e))?,
            boxes: or(boxes, 32, |e| self.cx.count("boxes", e, 1).map(|n| n as usize))?,
            set: or(set, None, |e| self.cx.string("set", e).map(Some))?,
            resize: self.resize(resize)?,
            clip: or(clip, false, |e| self.cx.flag("clip", e))?,
        };
        let at = classes.as_ref().map_or(self.span, |given| given.span);
        if plan.classes.is_empty() {
            self.cx.wants("classes", "at least one name: `[cat, dog]`", "value", at);
            return None;
        }
        if let Some(both) = plan.skip.iter().find(|name| plan.classes.contains(name)) {
            let message = format!("`{both}` is both a class and left out");
            let d = Diagnostic::error("call::many", message, at, "wanted here");
            self.cx.report(d.help("take it out of `classes` or out of `skip`"));
            return None;
        }
        Some(SourceKind::Voc(plan))
    }
}
