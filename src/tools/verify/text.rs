//! The report for people.

use super::{Difference, NOT_A_NUMBER, Report, Role, Row};
use std::fmt::Write;

/// The table, grouped by the lines of the spec; a `!` marks what is over its bound, a `?` what has
/// none worth the name.
pub fn text(report: &Report) -> String {
    let mut text = head(report);
    let cells: Vec<(&Row, Vec<String>)> = report.tensors.iter().map(|row| (row, cells(row))).collect();
    let titles = titles(report.gpu.is_some());
    let width = |i: usize| {
        let all = cells.iter().map(|(_, cells)| cells[i].chars().count());
        all.chain([titles[i].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let line = |mark: char, cells: &[String]| {
        let mut line = format!("{mark} ");
        for (i, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
            // Names and shapes to the left, numbers to the right.
            let _ = if i < 2 { write!(line, " {cell:<width$} ") } else { write!(line, " {cell:>width$} ") };
        }
        format!("{}\n", line.trim_end())
    };
    text += &line(' ', &titles);
    let mut here = None;
    for (row, cells) in &cells {
        if here != Some((&row.file, row.line)) {
            here = Some((&row.file, row.line));
            let _ = writeln!(text, "{}:{}  {}", row.file, row.line, row.source);
        }
        let mark = match (row.over(), row.open()) {
            (true, _) => '!',
            (false, true) => '?',
            (false, false) => ' ',
        };
        text += &line(mark, cells);
    }
    text + &verdict(report)
}

fn head(report: &Report) -> String {
    let Report { spec, batch, rows, seed, cpu, gpu, notes, bound, .. } = report;
    let mut text = format!("{spec}: one training step, {batch} rows, {rows}, seed {seed}\n");
    let mut say = |name: &str, what: &str| {
        let _ = writeln!(text, "  {name:<9} {what}");
    };
    say("reference", "interpreter in f64, the graph as written");
    say("cpu", cpu);
    if let Some(gpu) = gpu {
        say("gpu", gpu);
    }
    say("ulp", "numbers of f32 between a side and the reference, at the worst element");
    say(
        "relative",
        "the largest difference over the tensor's largest magnitude; of what the step changes, over the largest change",
    );
    say("bound", bound);
    say("", "each element has its own; the table shows that of the middle element, relative");
    say(
        "of bound",
        "the largest share that an element takes of its own bound: above 100% something is wrong",
    );
    notes.iter().for_each(|note| say("note", note));
    text + "\n"
}

fn titles(gpu: bool) -> Vec<String> {
    let mut titles = vec!["tensor", "shape", "bound", "cpu ulp", "relative", "of bound"];
    if gpu {
        titles.extend(["gpu ulp", "relative", "of bound", "cpu-gpu ulp", "relative"]);
    }
    titles.into_iter().map(String::from).collect()
}

fn cells(row: &Row) -> Vec<String> {
    let name = match row.role {
        Role::Value | Role::Loss | Role::Weight | Role::State => row.name.clone(),
        Role::Gradient => format!("d {}", row.name),
    };
    let shape = row.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let mut cells = vec![name, format!("[{shape}]"), short(row.bound)];
    for side in [Some(row.cpu), row.gpu].into_iter().flatten() {
        cells.extend(numbers(side));
        cells.push(percent(side.share));
    }
    cells.extend(row.cpu_gpu.into_iter().flat_map(numbers));
    cells
}

fn numbers(difference: Difference) -> [String; 2] {
    let ulp = match difference.ulp {
        NOT_A_NUMBER => "NaN".to_string(),
        // Beyond a million the digits say nothing.
        n if n >= 1_000_000 => format!("{:.0e}", n as f64),
        n => n.to_string(),
    };
    [ulp, short(difference.relative)]
}

fn percent(share: f64) -> String {
    match share {
        0.0 => "0".to_string(),
        share if share < 1e4 => format!("{:.2}%", 100.0 * share),
        share => format!("{:.0e}%", 100.0 * share),
    }
}

fn short(x: f64) -> String {
    if x == 0.0 { "0".to_string() } else { format!("{x:.1e}") }
}

fn verdict(report: &Report) -> String {
    let all = report.tensors.len();
    let over = report.tensors.iter().filter(|row| row.over()).count();
    let open = report.tensors.iter().filter(|row| !row.over() && row.open()).count();
    let mut text = match over {
        0 => format!("{} tensors agree within what rounding can do\n", all - open),
        over => format!("{over} of {all} tensors differ by more than rounding can do\n"),
    };
    if open > 0 {
        let _ = writeln!(text, "of {open} (?) nothing is said: rounding alone could make any number of them");
    }
    text
}
