//! One small text a case: `¦` marks the cursor. What is shown is a snapshot.

mod completing;
mod hovering;
mod showing;

use super::{Analysis, analyse};
use crate::base::DType;
use crate::sema::job::{SourceKind, SourcePlan};
use crate::sema::{DataProbe, ProbeError, Sample, SchemaColumn, Settings, SourceSchema};

/// Files that are not there: `people.csv`, with a word, a number and a class; folders of images.
struct Made;

impl DataProbe for Made {
    fn probe(&self, source: &SourcePlan) -> Result<Option<SourceSchema>, ProbeError> {
        Ok(match &source.kind {
            SourceKind::Csv { path, .. } if path == "people.csv" => Some(SourceSchema {
                columns: vec![
                    cells("age", 40, 0, &[]),
                    cells("city", 3, 2, &["Bonn", "Köln", "Düren 😀"]),
                    cells("hours", 12, 0, &[]),
                    cells("income", 2, 0, &["high", "low"]),
                ],
                rows: Some(1000),
                hint: None,
            }),
            SourceKind::Idx { .. } => Some(SourceSchema {
                columns: vec![
                    array("image", DType::U8, &[8, 8], None),
                    array("label", DType::U8, &[], Some(10)),
                ],
                rows: Some(1000),
                hint: None,
            }),
            _other => None,
        })
    }
}

fn cells(name: &str, distinct: usize, missing: usize, words: &[&str]) -> SchemaColumn {
    let rows = 256;
    let whole = if words.is_empty() { rows - missing } else { 0 };
    let words = words.iter().map(|w| w.to_string()).collect();
    let sample = Sample { rows, missing, whole, fractions: 0, distinct, words };
    SchemaColumn { name: name.into(), dtype: None, shape: Vec::new(), classes: None, sample: Some(sample) }
}

fn array(name: &str, dtype: DType, shape: &[usize], classes: Option<usize>) -> SchemaColumn {
    SchemaColumn { name: name.into(), dtype: Some(dtype), shape: shape.to_vec(), classes, sample: None }
}

/// A text with everything, in which cases put their cursor.
const WHOLE: &str = include_str!("whole.mlspec");

fn analysed(text: &str) -> Analysis {
    analyse("test.mlspec", None, text, &Settings::default(), &Made)
}

/// The text less its cursor, and where that was.
fn cursor(text: &str) -> (String, usize) {
    let at = text.find('¦').unwrap_or_else(|| panic!("no cursor in {text:?}"));
    (text.replacen('¦', "", 1), at)
}

/// The cursor within the first `find` of [`WHOLE`], which `with` replaces.
fn edited(find: &str, with: &str) -> (Analysis, usize) {
    assert!(WHOLE.contains(find), "the text has {find:?}");
    let (text, at) = cursor(&WHOLE.replacen(find, with, 1));
    (analysed(&text), at)
}

#[test]
fn the_whole_text_is_right() {
    let analysis = analysed(WHOLE);
    let found: Vec<_> = analysis.diagnostics.iter().map(|d| &d.message).collect();
    assert!(found.is_empty(), "{found:?}");
    assert!(analysis.job.is_some());
}

#[test]
fn nothing_falls_over_wherever_the_text_ends() {
    let ends: Vec<usize> = (0..WHOLE.len()).filter(|at| WHOLE.is_char_boundary(*at)).step_by(23).collect();
    for end in ends {
        let analysis = analysed(&WHOLE[..end]);
        super::hover::hover(&analysis, end);
        super::signature::signature(&analysis, end);
        super::complete::complete(&analysis, end, &super::complete::NoFolders);
        super::hints::hints(&analysis, 0..end);
        super::lens::lenses(&analysis);
    }
}

#[test]
fn nothing_falls_over_wherever_the_cursor_stands() {
    let analysis = analysed(WHOLE);
    for at in (0..WHOLE.len()).filter(|at| WHOLE.is_char_boundary(*at)).step_by(7) {
        super::hover::hover(&analysis, at);
        super::signature::signature(&analysis, at);
        for one in super::complete::complete(&analysis, at, &super::complete::NoFolders) {
            let span = one.edit.span.range();
            assert!(span.start <= at && at == span.end, "{}: {span:?} at {at}", one.label);
        }
    }
}

#[test]
fn what_is_right_is_shown_whichever_line_is_missing() {
    let lines: Vec<&str> = WHOLE.split_inclusive('\n').collect();
    for missing in 0..lines.len() {
        let text: String = lines.iter().enumerate().filter(|(i, _)| *i != missing).map(|(_, l)| *l).collect();
        let analysis = analysed(&text);
        super::lens::lenses(&analysis);
        let shown = super::hints::hints(&analysis, 0..text.len()).len();
        // Without the header, or with an item torn open, little is known.
        let opens = lines[missing].contains('{') || lines[missing].starts_with('}') || missing == 1;
        assert!(shown >= 2 || opens, "{:?} leaves {shown} hints", lines[missing]);
    }
}

/// What completion writes for a key or an item is something that the language takes.
#[test]
fn examples_of_keys_and_items_parse() {
    use crate::sema::keys::{ITEMS, Status, WORDS, of};
    let parses = |text: String| {
        let mut sources = crate::base::Sources::new();
        let file = sources.add("x", None, text.as_str());
        let (_, found) = crate::syntax::parse(&sources, file);
        assert!(found.sorted().is_empty(), "{text}");
    };
    for word in ["data", "split", "model", "train", "step", "checkpoint", "log", "groups"] {
        for key in of(word) {
            match key.status {
                Status::Key => parses(format!("mlspec 1\ntrain {{ {} = {} }}\n", key.name, key.example)),
                Status::Section => {
                    parses(format!("mlspec 1\ntrain {{ {} {{ {} }} }}\n", key.name, key.example))
                }
                Status::Named => parses(format!("mlspec 1\ntrain {{ {} {} }}\n", key.name, key.example)),
            }
        }
    }
    for word in WORDS.iter().chain(ITEMS).filter(|w| w.later.is_none()) {
        parses(format!("mlspec 1\n{} {}\n", word.name, word.example));
    }
}
