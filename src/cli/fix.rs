//! `mlc check --fix`: the edits that diagnostics offer, as far as they help.

use super::spec::Checked;
use crate::base::FileId;
use crate::diag::{Diagnostic, Fix};

/// A text after its fixes.
pub struct Fixed {
    pub text: String,
    /// How many were applied.
    pub count: usize,
    /// What is still wrong.
    pub checked: Checked,
}

/// Applies fixes until none leaves fewer things wrong: all at once, or else the first that does. A guess
/// that turns out wrong (`did you mean …?`) is not kept.
///
/// `check` tells what is wrong with a text.
pub fn fixed<E>(text: String, check: &dyn Fn(&str) -> Result<Checked, E>) -> Result<Fixed, E> {
    let checked = check(&text)?;
    let mut best = Fixed { text, count: 0, checked };
    loop {
        let all = apart(&best.checked.diagnostics);
        let alone = all.iter().map(std::slice::from_ref);
        let mut better = None;
        for fixes in std::iter::once(all.as_slice()).chain(alone).filter(|fixes| !fixes.is_empty()) {
            let text = edited(&best.text, fixes);
            let checked = check(&text)?;
            if checked.diagnostics.len() < best.checked.diagnostics.len() {
                better = Some(Fixed { text, count: best.count + fixes.len(), checked });
                break;
            }
        }
        match better {
            Some(found) => best = found,
            None => return Ok(best),
        }
    }
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
