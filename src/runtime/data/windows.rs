//! Rows that are windows of steps: the steps are parted, then each part is cut into windows that overlap.
//!
//! A step is a piece of a text, all texts one behind the other, or a row of a table. A window is named by its first
//! step; nothing is copied until a batch is gathered.

use super::csv::count;
use super::encode::{self, FittedColumn};
use super::files::problem;
use super::split::{self, Parts};
use super::{Checked, Loaded, Store, steps};
use crate::diag::Diagnostic;
use crate::ops::transform::Windows;
use crate::sema::job::{DataPlan, SourcePlan};

/// The parts of the steps, in order.
pub fn parts(plan: &DataPlan, main: &Loaded) -> Checked<Parts> {
    parts_of(plan, all(plan, main)?)
}

/// The parts of so many steps.
pub fn parts_of(plan: &DataPlan, steps: usize) -> Checked<Parts> {
    let facts = split::Facts { rows: steps, ..split::Facts::default() };
    split::part(&plan.split, &facts).map_err(|refusal| {
        let message = format!("`{}`: {}", plan.name, refusal.why.replace("row", "step"));
        let wrong = Diagnostic::error("data::split", message, plan.split.span, "split here");
        Box::new(wrong.help(refusal.help.replace("row", "step")))
    })
}

/// How many steps a source has.
fn all(plan: &DataPlan, main: &Loaded) -> Checked<usize> {
    let mut first: Option<(&str, usize)> = None;
    for column in &plan.columns {
        for field in column.fields() {
            // What is computed from columns has a step for each row.
            let here = match field.formula {
                Some(_) => main.table.rows,
                None => encode::lookup(field, &main.table, main.source, |at| steps::count(at, &field.how))?,
            };
            match first {
                Some((name, steps)) if steps != here => {
                    return Err(differ(main.source, (name, steps), (&column.name, here)));
                }
                Some(_) => {}
                None => first = Some((&column.name, here)),
            }
        }
    }
    let steps = first.map_or(0, |(_, steps)| steps);
    if u32::try_from(steps).is_err() {
        let message = format!("{steps} steps are more than can be counted in 32 bits");
        return Err(Box::new(problem("data::windows", message, main.source).help("split the file")));
    }
    Ok(steps)
}

fn differ(source: &SourcePlan, one: (&str, usize), other: (&str, usize)) -> Box<Diagnostic> {
    let message =
        format!("`{}` has {}, `{}` has {}", one.0, count(one.1, "step"), other.0, count(other.1, "step"));
    let help =
        "windows of several columns are made of the same steps: feed one of them, or make both of rows";
    Box::new(problem("data::windows", message, source).help(help))
}

/// Where the windows of a part start. A part without steps has none; one that is shorter than a window is an error.
pub fn starts(
    part: &str,
    steps: &[u32],
    size: usize,
    stride: usize,
    source: &SourcePlan,
) -> Checked<Vec<u32>> {
    let Some(first) = steps.first() else { return Ok(Vec::new()) };
    if steps.len() < size {
        let message = format!(
            "a window of {size} steps does not fit into the {} of the {part} part",
            count(steps.len(), "step")
        );
        let help = format!("give {part} more steps, or make windows of {} or fewer", steps.len());
        return Err(Box::new(problem("data::windows", message, source).help(help)));
    }
    let last = *first as usize + steps.len() - size;
    Ok((*first as usize..=last).step_by(stride).map(|start| start as u32).collect())
}

/// The windows of each part of the main source: those of training by their stride, others by that of evaluation.
pub fn of_parts(windows: &Windows, parts: &Parts, source: &SourcePlan) -> Checked<Parts> {
    let Windows { size, stride, eval_stride } = *windows;
    Ok(Parts {
        train: starts("training", &parts.train, size, stride, source)?,
        valid: starts("validation", &parts.valid, size, eval_stride, source)?,
        test: starts("test", &parts.test, size, eval_stride, source)?,
    })
}

/// The windows of a source of its own, for evaluation.
pub fn of_store(windows: &Windows, store: &Store, source: &SourcePlan) -> Checked<Vec<u32>> {
    of_steps(windows, store.steps(), source)
}

/// The windows of so many steps, for evaluation.
pub fn of_steps(windows: &Windows, steps: usize, source: &SourcePlan) -> Checked<Vec<u32>> {
    let steps: Vec<u32> = (0..steps as u32).collect();
    starts("evaluated", &steps, windows.size, windows.eval_stride, source)
}

/// The windows that fitted columns make, if they make some.
pub fn fitted(columns: &[FittedColumn]) -> Option<Windows> {
    columns.iter().find_map(FittedColumn::windows)
}

/// Sources that do not fit into memory.
pub fn too_large(source: &SourcePlan) -> Diagnostic {
    let message = "windows of a text are made of pieces in memory, and this source does not fit";
    problem("data::windows", message, source).help("take a part of it, or allow more memory by `MLC_MEMORY`")
}
