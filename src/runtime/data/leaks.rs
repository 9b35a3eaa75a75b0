//! How rows for testing may tell on themselves: warnings about a split, from the rows.
//!
//! | warning | when |
//! |---|---|
//! | `leak::duplicates` | two rows or more of one part are, in every column, rows of another |
//! | `leak::target` | an input column tells the target, value for value |
//! | `leak::time` | rows have dates, or times in order, and are shuffled into parts |
//! | `leak::groups` | a column of ids repeats, and rows of one id are in several parts |
//!
//! Each is silenced by `allow = [duplicates]` in the data section. A single pair of equal rows is no warning: small
//! tables have them by chance. What is made up (`synthetic`) is no measurement and not looked at.
//!
//! A leak that other tools know cannot happen here: statistics of all rows in the inputs. Everything that is fitted
//! (scalers, vocabularies, classes) is fitted on training rows, of each fold anew, and applied to rows of other parts
//! and files as it is; arithmetic on columns has constants only.

use super::inferred::{Distinct, Inferred, Kind, infer};
use super::same::{self, PAIRS, PARTS};
use super::split::Parts;
use super::table::{Table, quoted};
use super::{Opened, profile};
use crate::diag::{Diagnostic, Severity};
use crate::sema::job::{DataPlan, Leak, RowOrder, SourceKind};
use std::cell::OnceCell;

/// Warnings about how the rows of a section are parted.
pub fn lint(plan: &DataPlan, opened: &Opened, parts: &Parts) -> Vec<Diagnostic> {
    if matches!(plan.source.kind, SourceKind::Synthetic { .. }) {
        return Vec::new();
    }
    let inferred = opened.main.table.columns.iter().map(|_| OnceCell::new()).collect();
    let lint = Lint { plan, opened, parts, inferred };
    let found = Leak::ALL.into_iter().filter(|leak| !plan.allow.contains(leak)).flat_map(|leak| match leak {
        Leak::Duplicates => lint.duplicates(),
        Leak::Target => lint.target(),
        Leak::Time => lint.time(),
        Leak::Groups => lint.groups(),
    });
    found.collect()
}

/// From so many rows on, two parts share rows by more than chance.
const SHARED: usize = 2;
/// Fewer rows may agree by chance.
const ROWS: usize = 20;

struct Lint<'a> {
    plan: &'a DataPlan,
    opened: &'a Opened<'a>,
    parts: &'a Parts,
    /// By column: several warnings look at one.
    inferred: Vec<OnceCell<Inferred>>,
}

impl Lint<'_> {
    fn table(&self) -> &Table {
        &self.opened.main.table
    }

    fn inferred(&self, column: usize) -> &Inferred {
        let decimal = self.plan.source.kind.decimal();
        self.inferred[column].get_or_init(|| infer(self.table(), column, decimal))
    }

    fn warning(&self, leak: Leak, message: String, instead: &str) -> Diagnostic {
        let d = Diagnostic::error(leak.code(), message, self.plan.split.span, "rows are parted here")
            .label(self.plan.source.path_span, "read here")
            .help(format!(
                "{instead}; if it is meant, write `allow = [{}]` in `data {}`",
                leak.word(),
                self.plan.name
            ));
        Diagnostic { severity: Severity::Warning, ..d }
    }

    /// Rows that the source's own split shuffles apart.
    fn parted(&self) -> bool {
        !self.parts.valid.is_empty() || !self.parts.test.is_empty()
    }

    fn duplicates(&self) -> Vec<Diagnostic> {
        let beside = [&self.opened.valid, &self.opened.test].map(|l| l.as_ref().map(|l| &l.table));
        let tables = [Some(self.table()), beside[0], beside[1]];
        if !self.parted() && beside.iter().all(Option::is_none) {
            return Vec::new();
        }
        let same = same::rows(tables, &same::places(self.table(), Some(self.parts), beside[0], beside[1]));
        let shared: Vec<_> =
            PAIRS.into_iter().zip(same.across).filter(|(_, across)| across.rows >= SHARED).collect();
        let Some(first) = shared.iter().find_map(|(_, across)| across.first) else { return Vec::new() };
        let counts: Vec<String> = shared
            .iter()
            .map(|((one, other), across)| {
                format!("{} of `{}` in `{}`", across.rows, PARTS[*other], PARTS[*one])
            })
            .collect();
        let (a, b) = (profile::place(tables, first.0), profile::place(tables, first.1));
        let message = format!(
            "parts share rows that are the same in every column: {}; first {b} as {a}",
            counts.join(", ")
        );
        let instead = "take the repeated rows out of the file, or keep them together by a `group`";
        vec![self.warning(Leak::Duplicates, message, instead)]
    }

    /// Inputs that are the target under another name: its values, or others one to one.
    fn target(&self) -> Vec<Diagnostic> {
        let table = self.table();
        let roles = &self.plan.roles;
        // With one input alone, learning what it tells is the task.
        if roles.inputs.len() < 2 || table.rows < ROWS {
            return Vec::new();
        }
        let looked = |name: &String, most: usize| {
            let at = table.column(name)?;
            let distinct = Distinct::up_to(most, table, at, self.inferred(at));
            Some(Looked { numbers: &self.inferred(at).numbers, distinct })
        };
        let targets: Vec<(&String, Looked)> =
            roles.targets.iter().filter_map(|name| Some((name, looked(name, usize::MAX)?))).collect();
        // An input with more values than each target does not tell one, value for value.
        let most = targets.iter().filter_map(|(_, target)| target.values(table.rows)).max().unwrap_or(0);
        let mut found = Vec::new();
        for name in roles.inputs.difference(&roles.targets) {
            let Some(input) = looked(name, most) else { continue };
            for (target, values) in &targets {
                if let Some(how) = tells(&input, values, table.rows) {
                    let message = format!("the input `{name}` {how} `{target}`, which is to be predicted");
                    found.push(self.warning(Leak::Target, message, "leave the column out of the inputs"));
                }
            }
        }
        found
    }

    fn time(&self) -> Vec<Diagnostic> {
        if self.plan.split.order != RowOrder::Shuffled || !self.parted() {
            return Vec::new();
        }
        let times = self.table().columns.iter().enumerate().filter(|(at, column)| {
            let inferred = self.inferred(*at);
            match inferred.kind {
                Kind::Date => !is_birth(&column.name) && several(&inferred.numbers),
                Kind::Whole | Kind::Number => is_clock(inferred),
                Kind::Text | Kind::Array(_) | Kind::Nothing => false,
            }
        });
        let said = |(_, column): (usize, &super::table::RawColumn)| {
            let name = &column.name;
            let message = format!(
                "rows have a time, `{name}`, and are shuffled: the model trains on what comes after its test"
            );
            self.warning(Leak::Time, message, &format!("part rows in order, `split {{ time = {name} }}`"))
        };
        // One is enough to say.
        times.take(1).map(said).collect()
    }

    fn groups(&self) -> Vec<Diagnostic> {
        let split = &self.plan.split;
        if split.group.is_some() || split.order != RowOrder::Shuffled || !self.parted() {
            return Vec::new();
        }
        let table = self.table();
        let ids = table.columns.iter().enumerate().filter(|(_, c)| {
            // An id that is an input is to be recognised.
            is_id(&c.name) && !self.plan.roles.inputs.contains(&c.name)
        });
        ids.filter_map(|(at, column)| self.group(at, &column.name)).collect()
    }

    fn group(&self, at: usize, name: &str) -> Option<Diagnostic> {
        let table = self.table();
        let distinct = Distinct::of(table, at, self.inferred(at));
        let rows: usize = distinct.counts.iter().sum();
        // Few ids, or ids that hardly repeat, make no groups.
        if distinct.len() < 10 || rows * 2 < distinct.len() * 3 {
            return None;
        }
        let mut trained = vec![false; distinct.len()];
        let code = |row: &u32| {
            (distinct.of[*row as usize] != Distinct::NONE).then(|| distinct.of[*row as usize] as usize)
        };
        self.parts.train.iter().filter_map(code).for_each(|c| trained[c] = true);
        let others = self.parts.valid.iter().chain(&self.parts.test);
        let mut shared: Vec<usize> = others.filter_map(code).filter(|c| trained[*c]).collect();
        shared.sort_unstable();
        shared.dedup();
        let first = table.value_text(at, distinct.first[*shared.first()?] as usize);
        let (n, of) = (shared.len(), distinct.len());
        let message = format!(
            "rows of one `{name}` are trained on and tested on: {n} of {of}, first {}",
            quoted(&first)
        );
        Some(self.warning(
            Leak::Groups,
            message,
            &format!("keep them together, `split {{ group = {name} }}`"),
        ))
    }
}

/// A column as [`tells`] takes it.
struct Looked<'a> {
    numbers: &'a [f64],
    /// None of a column with too many values to matter.
    distinct: Option<Distinct>,
}

impl Looked<'_> {
    /// How many values a target has that repeats them. What hardly repeats is told apart by anything that does not
    /// repeat either: there, order must agree.
    fn values(&self, rows: usize) -> Option<usize> {
        self.distinct.as_ref().map(Distinct::len).filter(|values| values * 2 <= rows)
    }
}

/// How one column tells another, if it does.
fn tells(input: &Looked, target: &Looked, rows: usize) -> Option<&'static str> {
    if target.values(rows).is_none() {
        return in_step(input.numbers, target.numbers).then_some("goes in step with");
    }
    let (Some(a), Some(b)) = (&input.distinct, &target.distinct) else { return None };
    if b.len() < 2 || a.len() != b.len() {
        return None;
    }
    let mut tells = vec![Distinct::NONE; a.len()];
    let mut seen = 0;
    for (a, b) in a.of.iter().zip(&b.of) {
        if *a == Distinct::NONE || *b == Distinct::NONE {
            continue;
        }
        seen += 1;
        let told = &mut tells[*a as usize];
        if *told == Distinct::NONE {
            *told = *b;
        } else if told != b {
            return None;
        }
    }
    // As many values on both sides, each telling one: all must be told, and no two the same.
    let mut told = tells;
    told.sort_unstable();
    told.dedup();
    let one_to_one = told.len() == b.len() && told.last() != Some(&Distinct::NONE);
    (one_to_one && seen * 10 >= rows * 9).then_some("tells, value for value,")
}

/// Whether one only rises, or only falls, where the other rises; equal where it is equal.
fn in_step(x: &[f64], y: &[f64]) -> bool {
    let mut pairs: Vec<(f64, f64)> =
        x.iter().copied().zip(y.iter().copied()).filter(|(x, y)| !x.is_nan() && !y.is_nan()).collect();
    if pairs.len() < ROWS || pairs.len() * 10 < x.len() * 9 {
        return false;
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let step = |w: &[(f64, f64)]| (w[0].0 == w[1].0, w[0].1.total_cmp(&w[1].1));
    let mut rises = pairs.windows(2).map(step).filter(|(same, order)| !(*same && order.is_eq()));
    let Some((_, first)) = rises.next() else { return false };
    first.is_ne()
        && pairs.windows(2).map(step).all(|(same, order)| if same { order.is_eq() } else { order == first })
}

/// More than two times.
fn several(times: &[f64]) -> bool {
    let mut seen: Vec<f64> = Vec::new();
    for time in times.iter().filter(|t| !t.is_nan()) {
        if !seen.contains(time) {
            seen.push(*time);
        }
        if seen.len() > 2 {
            return true;
        }
    }
    false
}

/// A date of birth says how old someone is, not when the row was taken.
fn is_birth(name: &str) -> bool {
    let name = name.to_lowercase();
    ["birth", "born", "dob"].iter().any(|word| name.contains(word))
}

/// Whether numbers are seconds or milliseconds since 1970, in order: of the years 1980 to 2100.
fn is_clock(inferred: &Inferred) -> bool {
    const SECONDS: std::ops::RangeInclusive<f64> = 315_532_800.0..=4_102_444_800.0;
    let numbers = &inferred.numbers;
    let in_order = numbers.is_sorted() || numbers.iter().rev().is_sorted();
    let within = |scale: f64| numbers.iter().all(|x| SECONDS.contains(&(x / scale)));
    // Ids that are counted up by one are no clock.
    let counted = numbers.windows(2).all(|w| (w[1] - w[0]).abs() == 1.0);
    inferred.missing == 0 && in_order && several(numbers) && !counted && (within(1.0) || within(1e3))
}

/// `patient_id`, `userId`, `customer`: what rows may share.
fn is_id(name: &str) -> bool {
    const WORDS: [&str; 9] = [
        "user",
        "patient",
        "customer",
        "subject",
        "client",
        "session",
        "speaker",
        "household",
        "participant",
    ];
    let lower = name.to_lowercase();
    lower == "id"
        || lower.ends_with("_id")
        || name.ends_with("Id")
        || name.ends_with("ID")
        || WORDS.contains(&lower.as_str())
}
