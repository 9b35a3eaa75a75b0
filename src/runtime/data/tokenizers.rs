//! The `tokenizer.json` files that a section names, read before its columns are made.

use super::Checked;
use super::files::{FileInfo, Places, problem};
use super::steps::Bpe;
use super::text::{MOST_TEXT, Text};
use crate::diag::Diagnostic;
use crate::ops::transform::Encode;
use crate::sema::job::{Column, ColumnKind, DataPlan, Field, SourcePlan};
use std::borrow::Cow;
use std::sync::Arc;

/// The plan with the text of each tokenizer, and the files that were read. A plan without any stays as it is.
pub fn read<'a>(plan: &'a DataPlan, places: &Places) -> Checked<(Cow<'a, DataPlan>, Vec<FileInfo>)> {
    let named = |field: &Field| field.how.iter().any(|step| matches!(step, Encode::Bpe { .. }));
    if !plan.columns.iter().flat_map(Column::fields).any(named) {
        return Ok((Cow::Borrowed(plan), Vec::new()));
    }
    let (mut plan, mut files) = (plan.clone(), Vec::new());
    for column in &mut plan.columns {
        let ColumnKind::One(field) = &mut column.kind else { continue };
        for step in &mut field.how {
            if let Encode::Bpe { path, text } = step {
                let at = SourcePlan { span: field.span, path_span: field.span, ..plan.source.clone() };
                let (found, info) = file(path, places, &at)?;
                *text = Some(found);
                files.push(info);
            }
        }
    }
    Ok((Cow::Owned(plan), files))
}

/// A file that is a tokenizer; `at` is where the spec names it.
fn file(path: &str, places: &Places, at: &SourcePlan) -> Checked<(Arc<str>, FileInfo)> {
    let mut open = Text::open(path, places, at)?;
    open.fill(MOST_TEXT)?;
    let (text, _) = open.take(usize::MAX);
    let text: Arc<str> = text.into();
    match Bpe::read(&text) {
        Ok(_) => Ok((text, open.finish()?)),
        Err(why) => Err(unreadable(&open.name, &why, at)),
    }
}

fn unreadable(name: &str, why: &str, at: &SourcePlan) -> Box<Diagnostic> {
    let message = format!("{name}: no tokenizer: {why}");
    let help = "`bpe` takes the `tokenizer.json` of Hugging Face; older models have `vocab.json` and `merges.txt`, from \
                which `tokenizers` in Python writes one";
    Box::new(problem("data::tokenizer", message, at).help(help))
}
