//! What can be folded away: bodies in braces, long values, runs of comments.

use super::nodes;
use crate::base::{FileId, Span};
use crate::syntax::ast::File;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoldKind {
    Comment,
    Code,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fold {
    /// From the line that stays to the last one that goes.
    pub span: Span,
    pub kind: FoldKind,
}

/// In order of place; each takes several lines, and no two start on one line.
pub fn folds(text: &str, file: &File) -> Vec<Fold> {
    let mut all = comments(text, file.span.file);
    nodes::visit(file, &mut |span| {
        let tall = text[span.range()].contains('\n');
        if tall {
            all.push(Fold { span, kind: FoldKind::Code });
        }
        tall
    });
    // Of those that start on one line, the longest.
    let line = |fold: &Fold| file.lines.partition_point(|start| *start <= fold.span.lo);
    let mut keyed: Vec<(usize, Fold)> = all.into_iter().map(|fold| (line(&fold), fold)).collect();
    keyed.sort_by_key(|(line, fold)| (*line, std::cmp::Reverse(fold.span.hi)));
    keyed.dedup_by_key(|(line, _)| *line);
    keyed.into_iter().map(|(_, fold)| fold).collect()
}

/// Lines that hold nothing but comments, several in a row.
fn comments(text: &str, file: FileId) -> Vec<Fold> {
    let (mut all, mut run, mut at): (Vec<Fold>, Option<(usize, usize, usize)>, usize) = (Vec::new(), None, 0);
    for line in text.split_inclusive('\n') {
        let is_comment = line.trim_start().starts_with("//");
        let end = at + line.trim_end().len();
        run = match (is_comment, run) {
            (true, Some((start, _, lines))) => Some((start, end, lines + 1)),
            (true, None) => Some((at, end, 1)),
            (false, run) => {
                all.extend(run.and_then(|run| fold(file, run)));
                None
            }
        };
        at += line.len();
    }
    all.extend(run.and_then(|run| fold(file, run)));
    all
}

fn fold(file: FileId, (start, end, lines): (usize, usize, usize)) -> Option<Fold> {
    (lines > 1).then(|| Fold { span: Span::new(file, start, end), kind: FoldKind::Comment })
}
