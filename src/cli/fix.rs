//! `mlc check --fix`: the edits that diagnostics offer, as far as they help.

use super::spec::Checked;
use crate::base::FileId;
use crate::diag::{Diagnostic, Fix};

/// A text after its fixes.
pub struct Fixed {
    pub text: String,
    /// What was done, in the order in which it was done.
    pub done: Vec<Done>,
    /// What is still wrong.
    pub checked: Checked,
}

/// A fix that was applied.
pub struct Done {
    pub title: String,
    /// Where it begins in the text that it was applied to, both from 1.
    pub line: usize,
    pub column: usize,
}

/// Applies fixes until none leaves less wrong: all at once, or else one after the other, each on top of those
/// that helped. A guess that turns out wrong (`did you mean …?`) is not kept.
///
/// `check` tells what is wrong with a text.
pub fn fixed<E>(text: String, check: &dyn Fn(&str) -> Result<Checked, E>) -> Result<Fixed, E> {
    let checked = check(&text)?;
    let mut best = Fixed { text, done: Vec::new(), checked };
    loop {
        let before = best.done.len();
        let fixes = apart(&best.checked.diagnostics);
        if !best.accepts(&fixes, check)? {
            // From the end, so that the places of those before stay true.
            for fix in fixes.iter().rev() {
                best.accepts(std::slice::from_ref(fix), check)?;
            }
        }
        if best.done.len() == before {
            return Ok(best);
        }
    }
}

impl Fixed {
    /// Keeps the fixes if they leave less wrong, and says whether they do.
    fn accepts<E>(&mut self, fixes: &[Fix], check: &dyn Fn(&str) -> Result<Checked, E>) -> Result<bool, E> {
        let text = edited(&self.text, fixes);
        if fixes.is_empty() || text == self.text {
            return Ok(false);
        }
        let checked = check(&text)?;
        let helps = wrong(&checked) < wrong(&self.checked);
        if helps {
            self.done.extend(fixes.iter().map(|fix| self.done_by(fix)).collect::<Vec<_>>());
            self.text = text;
            self.checked = checked;
        }
        Ok(helps)
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
}

/// How bad a text is. What does not parse hides other mistakes, so that comes first: a comma put in its place
/// helps, though it brings to light what else is wrong with the line.
fn wrong(checked: &Checked) -> (usize, usize) {
    let syntax = checked.diagnostics.iter().filter(|d| d.code.starts_with("syntax::"));
    (syntax.count(), checked.diagnostics.len())
}

/// The fixes in the spec itself, in its order, none over another.
fn apart(diagnostics: &[Diagnostic]) -> Vec<Fix> {
    let mut all: Vec<&Fix> = diagnostics.iter().filter_map(|d| d.fix.as_ref()).collect();
    all.retain(|fix| fix.span.file == FileId::default());
    all.sort_by_key(|fix| fix.span);
    let mut kept: Vec<Fix> = Vec::new();
    for fix in all {
        if kept.last().is_none_or(|before| before.span.hi <= fix.span.lo && before.span != fix.span) {
            kept.push(fix.clone());
        }
    }
    kept
}

fn edited(text: &str, fixes: &[Fix]) -> String {
    let mut edited = text.to_string();
    for fix in fixes.iter().rev() {
        edited.replace_range(fix.span.range(), &fix.replacement);
    }
    edited
}
