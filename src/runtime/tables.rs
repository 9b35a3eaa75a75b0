//! Figures that take more than a word, as text for a terminal.

use crate::ops::metric::{Confusion, Figure, Groups, shown};

/// More classes than this make no table that fits a terminal: the worst mistakes are listed instead.
const WIDE: usize = 12;
/// How many mistakes or groups are worth reading at once.
const MOST: usize = 20;
/// A group of fewer rows says little: its number may be chance.
const SMALL: u64 = 30;

/// The lines of a figure that needs its own, or none.
pub fn lines(name: &str, figure: &Figure) -> Vec<String> {
    match figure {
        Figure::Number(_) => Vec::new(),
        Figure::Confusion(confusion) if confusion.classes.len() > WIDE => mistakes(name, confusion),
        Figure::Confusion(confusion) => table(name, confusion),
        Figure::Groups(groups) => self::groups(name, groups),
    }
}

fn table(name: &str, confusion: &Confusion) -> Vec<String> {
    let width = |text: &String| text.chars().count();
    let first = confusion.classes.iter().map(width).max().unwrap_or(0);
    let cells = |row: &[u64]| row.iter().map(u64::to_string).collect::<Vec<_>>();
    let widest = confusion.counts.iter().flat_map(|row| cells(row)).map(|cell| cell.len()).max();
    let widths: Vec<usize> =
        confusion.classes.iter().map(|class| width(class).max(widest.unwrap_or(0))).collect();
    let line = |head: &str, cells: &[String]| {
        let cells = cells.iter().zip(&widths).map(|(cell, &w)| format!("  {cell:>w$}"));
        format!("  {head:<first$}{}", cells.collect::<String>())
    };
    let title = format!("{name}: a row for each class, a column for each answer");
    let rows = confusion.classes.iter().zip(&confusion.counts).map(|(class, row)| line(class, &cells(row)));
    [title, line("", &confusion.classes)].into_iter().chain(rows).collect()
}

/// What was taken for what, most often first.
fn mistakes(name: &str, confusion: &Confusion) -> Vec<String> {
    let classes = &confusion.classes;
    let mut wrong: Vec<(u64, &str, &str)> = Vec::new();
    for (actual, row) in confusion.counts.iter().enumerate() {
        let cells = row.iter().enumerate().filter(|(answer, n)| *answer != actual && **n > 0);
        wrong.extend(cells.map(|(answer, n)| (*n, classes[actual].as_str(), classes[answer].as_str())));
    }
    wrong.sort_by_key(|(n, _, _)| std::cmp::Reverse(*n));
    let title = format!("{name} of {} classes, the commonest mistakes:", classes.len());
    let lines =
        wrong.iter().take(MOST).map(|(n, actual, answer)| format!("  {n} of {actual} called {answer}"));
    std::iter::once(title).chain(lines).collect()
}

fn groups(name: &str, groups: &Groups) -> Vec<String> {
    let first = groups.groups.iter().map(|g| g.name.chars().count()).max().unwrap_or(0).max("gap".len());
    let line = |head: &str, value: Option<f64>| format!("  {head:<first$}  {:>8}", shown(value));
    let mut lines = vec![format!("{name}, by group:")];
    for group in groups.groups.iter().take(MOST) {
        let few = if group.rows < SMALL { ", few" } else { "" };
        lines.push(format!("{}  {} rows{few}", line(&group.name, group.value), group.rows));
    }
    if groups.groups.len() > MOST {
        lines.push(format!("  and {} more groups, in `run.yaml`", groups.groups.len() - MOST));
    }
    lines.push(line("gap", groups.gap()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::metric::Group;

    fn confusion(classes: usize, mistakes: &[(usize, usize, u64)]) -> Confusion {
        let mut counts = vec![vec![0; classes]; classes];
        (0..classes).for_each(|i| counts[i][i] = 9 + i as u64);
        mistakes.iter().for_each(|(actual, answer, n)| counts[*actual][*answer] = *n);
        Confusion { classes: (0..classes).map(|i| format!("class {i}")).collect(), counts }
    }

    #[test]
    fn few_classes_make_a_table() {
        let figure = Figure::Confusion(confusion(3, &[(2, 1, 1234567890)]));
        insta::assert_snapshot!(lines("confusion", &figure).join("\n"), @r"
        confusion: a row for each class, a column for each answer
                      class 0     class 1     class 2
          class 0           9           0           0
          class 1           0          10           0
          class 2           0  1234567890          11
        ");
    }

    #[test]
    fn of_many_classes_the_worst_mistakes_are_listed() {
        let figure = Figure::Confusion(confusion(20, &[(2, 1, 3), (7, 9, 5)]));
        insta::assert_snapshot!(lines("confusion", &figure).join("\n"), @r"
        confusion of 20 classes, the commonest mistakes:
          5 of class 7 called class 9
          3 of class 2 called class 1
        ");
    }

    #[test]
    fn groups_show_their_rows() {
        let group = |name: &str, rows, value| Group { name: name.to_string(), rows, value };
        let groups =
            vec![group("Female", 3251, Some(0.5)), group("Male", 12, Some(0.75)), group("-", 1, None)];
        let figure = Figure::Groups(Groups { by: "sex".to_string(), groups });
        insta::assert_snapshot!(lines("f1[sex]", &figure).join("\n"), @r"
        f1[sex], by group:
          Female    0.5000  3251 rows
          Male      0.7500  12 rows, few
          -              -  1 rows, few
          gap       0.2500
        ");
    }
}
