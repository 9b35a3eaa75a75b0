//! Which neighbours are aligned, and where.

use super::{Laid, MAX_PAD, Row, flat};
use crate::syntax::ast::*;

/// How wide the part before `=`, `{` or `:` is written in each row.
///
/// Runs of neighbours are aligned: bindings with bindings, one-line sections with bindings
/// that are wider, typed columns with typed columns. A blank line, a row of several lines
/// or too great a difference ends a run; a paragraph with several entries on a line is not
/// aligned at all.
pub fn pads(groups: &[Vec<Laid>], indent: usize) -> Vec<usize> {
    let mut pads = vec![0; groups.len()];
    let starts = |g: &Vec<Laid>| g[0].entry.trivia.before.iter().any(String::is_empty);
    let mut start = 0;
    for end in 1..=groups.len() {
        if end == groups.len() || starts(&groups[end]) {
            let paragraph = &groups[start..end];
            if paragraph.iter().all(|g| g.len() == 1) {
                let keys: Vec<Key> = paragraph.iter().map(|g| g[0].aligns(indent)).collect();
                pads[start..end].copy_from_slice(&aligned(&keys));
            }
            start = end;
        }
    }
    pads
}

/// What a row is aligned by, and how wide that is.
#[derive(Clone, Copy, PartialEq)]
pub enum Key {
    Bind(usize),
    Section(usize),
    Typed(usize),
    Alone,
}

/// The widths at which the signs behind the keys of a paragraph stand in one column.
fn aligned(keys: &[Key]) -> Vec<usize> {
    let mut pads = vec![0; keys.len()];
    let mut start = 0;
    while start < keys.len() {
        let end = start + run(&keys[start..]);
        let width = keys[start..end].iter().filter_map(|k| k.own_width()).max().unwrap_or(0);
        for (pad, key) in pads[start..end].iter_mut().zip(&keys[start..end]) {
            *pad = if key.width() <= width { width } else { 0 };
        }
        start = end;
    }
    pads
}

/// How many keys from the first on belong together.
fn run(keys: &[Key]) -> usize {
    let (mut least, mut most) = (usize::MAX, 0);
    for (i, key) in keys.iter().enumerate() {
        let same = matches!(
            (keys[0], key),
            (Key::Bind(_) | Key::Section(_), Key::Bind(_) | Key::Section(_)) | (Key::Typed(_), Key::Typed(_))
        );
        if let Some(width) = key.own_width() {
            (least, most) = (least.min(width), most.max(width));
        }
        if i > 0 && (!same || most > least.saturating_add(MAX_PAD)) {
            return i;
        }
    }
    keys.len()
}

impl Key {
    fn width(self) -> usize {
        match self {
            Key::Bind(width) | Key::Section(width) | Key::Typed(width) => width,
            Key::Alone => 0,
        }
    }

    /// The width that the run must have because of this key; a section only follows.
    fn own_width(self) -> Option<usize> {
        match self {
            Key::Bind(width) | Key::Typed(width) => Some(width),
            Key::Section(_) | Key::Alone => None,
        }
    }
}

/// For each item, how wide `name:` and the type are written: params below each other are aligned.
pub fn param_pads(items: &[&Item]) -> Vec<(usize, usize)> {
    let widths: Vec<Option<(usize, usize)>> = items
        .iter()
        .map(|item| match &item.kind {
            ItemKind::Param { name, ty: Some(ty), .. } => {
                Some((name.name.chars().count() + 1, flat::ty(ty).chars().count()))
            }
            ItemKind::Param { .. } | ItemKind::Dim { .. } | ItemKind::Op(_) | ItemKind::Block(_) => None,
            ItemKind::Import { .. } | ItemKind::Section(_) | ItemKind::Broken => None,
        })
        .collect();
    let mut pads = vec![(0, 0); items.len()];
    let mut start = 0;
    for end in 1..=items.len() {
        let goes_on = end < items.len()
            && widths[end].is_some()
            && widths[start].is_some()
            && !items[end].trivia.before.iter().any(String::is_empty)
            && spread(&widths[start..=end]) <= MAX_PAD;
        if !goes_on {
            let most = |of: fn(&(usize, usize)) -> usize| {
                widths[start..end].iter().flatten().map(of).max().unwrap_or(0)
            };
            pads[start..end].fill((most(|w| w.0), most(|w| w.1)));
            start = end;
        }
    }
    pads
}

/// The greatest difference between names.
fn spread(widths: &[Option<(usize, usize)>]) -> usize {
    let names = || widths.iter().flatten().map(|w| w.0);
    names().max().unwrap_or(0) - names().min().unwrap_or(0)
}

/// The column of the comment behind each row; it is at least three spaces behind the text.
pub fn comment_columns(rows: &[Row], widths: &[usize]) -> Vec<usize> {
    let mut columns = vec![0; rows.len()];
    let mut start = 0;
    for end in 1..=rows.len() {
        let joins = end < rows.len()
            && rows[end].after.is_some()
            && rows[start].after.is_some()
            && !rows[end].is_tall()
            && rows[end].before.is_empty()
            && {
                let run = &widths[start..=end];
                run.iter().max().expect("not empty") - run.iter().min().expect("not empty") <= 2 * MAX_PAD
            };
        if !joins {
            let column = widths[start..end].iter().max().map_or(0, |w| w + 3);
            columns[start..end].fill(column);
            start = end;
        }
    }
    columns
}
