//! The fixes that diagnostics offer, applied as far as they help: `mlc check --fix`, and all at once in editors.

use super::ide::edit::{Edit, applied};
use crate::base::FileId;
use crate::diag::{Diagnostic, Fix};

/// A text after its fixes.
#[derive(Clone, Debug)]
pub struct Fixed {
    pub text: String,
    /// What was done, in the order in which it was done.
    pub done: Vec<Done>,
    /// What is still wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// A fix that was applied.
#[derive(Clone, Debug)]
pub struct Done {
    pub title: String,
    /// Where it begins in the text that it was applied to, both from 1.
    pub line: usize,
    pub column: usize,
}

/// How often fixes may bring to light what further fixes answer, before less must be wrong.
const DEEP: usize = 3;

/// Applies fixes until none leaves less wrong: all at once, or else one after the other, each on top of those
/// that helped. A guess that turns out wrong (`did you mean …?`) is not kept; one that only shows mistakes that it
/// hid is followed by their fixes, and all of them are kept if that helps.
///
/// `diagnostics` are those of `text`, which is `file`; `check` tells what is wrong with another.
pub fn fixed(
    text: String,
    diagnostics: Vec<Diagnostic>,
    file: FileId,
    check: &dyn Fn(&str) -> Vec<Diagnostic>,
) -> Fixed {
    let mut best = Fixed { text, done: Vec::new(), diagnostics };
    loop {
        let before = best.done.len();
        let fixes = best.fixes(file);
        // From the end, so that the places of those before stay true.
        let alone = fixes.iter().rev().map(std::slice::from_ref);
        if let Some(better) = best.better(&fixes, file, check) {
            best = better;
        } else if fixes.len() > 1 {
            for fix in alone {
                best = best.better(fix, file, check).unwrap_or(best);
            }
        }
        if best.done.len() == before {
            return best;
        }
    }
}

impl Fixed {
    /// The text with fixes and with those of what they show, if it has less wrong.
    fn better(&self, fixes: &[Fix], file: FileId, check: &dyn Fn(&str) -> Vec<Diagnostic>) -> Option<Fixed> {
        let mut next = self.with(fixes, check)?;
        for _ in 0..DEEP {
            if wrong(&next.diagnostics) < wrong(&self.diagnostics) {
                return Some(next);
            }
            next = next.with(&next.fixes(file), check)?;
        }
        None
    }

    /// The text with fixes, if they change it.
    fn with(&self, fixes: &[Fix], check: &dyn Fn(&str) -> Vec<Diagnostic>) -> Option<Fixed> {
        let edit = |fix: &Fix| Edit { span: fix.span, text: fix.replacement.clone() };
        let text = applied(&self.text, &fixes.iter().map(edit).collect::<Vec<_>>());
        if text == self.text {
            return None;
        }
        let diagnostics = check(&text);
        let done = self.done.iter().cloned().chain(fixes.iter().map(|fix| self.done_by(fix))).collect();
        Some(Fixed { text, done, diagnostics })
    }

    fn done_by(&self, fix: &Fix) -> Done {
        let before = &self.text[..fix.span.range().start];
        let line = before.rsplit('\n').next().unwrap_or_default();
        Done {
            title: fix.title.clone(),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }

    /// The fixes in the text itself, in its order, none over another.
    fn fixes(&self, file: FileId) -> Vec<Fix> {
        let mut all: Vec<&Fix> = self.diagnostics.iter().filter_map(|d| d.fix.as_ref()).collect();
        all.retain(|fix| fix.span.file == file);
        all.sort_by_key(|fix| fix.span);
        let mut kept: Vec<Fix> = Vec::new();
        for fix in all {
            if kept.last().is_none_or(|before| before.span.hi <= fix.span.lo && before.span != fix.span) {
                kept.push(fix.clone());
            }
        }
        kept
    }
}

/// How bad a text is. What does not parse hides other mistakes, so that comes first: a comma put in its place
/// helps, though it brings to light what else is wrong with the line.
fn wrong(diagnostics: &[Diagnostic]) -> (usize, usize) {
    let syntax = diagnostics.iter().filter(|d| d.code.starts_with("syntax::"));
    (syntax.count(), diagnostics.len())
}
