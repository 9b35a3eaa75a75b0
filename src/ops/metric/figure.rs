//! What a metric says of the rows of a split: a number, a table, or a number for each group of rows.

use serde::{Deserialize, Serialize};

/// The value of a metric. In files a number is a number, one that is not defined `null`; groups
/// are [flattened](Figure::flat) into numbers with names of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Figure {
    /// None where rows decide nothing: the area under the curve of one class alone.
    Number(Option<f64>),
    Confusion(Confusion),
    Groups(Groups),
}

/// How often rows of each class were called what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// By id; numbers where nobody names them.
    pub classes: Vec<String>,
    /// A row for each class of the label, a column for each that was answered.
    pub counts: Vec<Vec<u64>>,
}

/// A metric of each group of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Groups {
    /// The column that says which group a row is of.
    pub by: String,
    /// By id; those without rows are left out.
    pub groups: Vec<Group>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub name: String,
    pub rows: u64,
    pub value: Option<f64>,
}

impl Figure {
    /// The number, if it is one and defined.
    pub fn number(&self) -> Option<f64> {
        match self {
            Figure::Number(number) => *number,
            Figure::Confusion(_) | Figure::Groups(_) => None,
        }
    }

    /// In another unit.
    pub fn times(self, factor: f64) -> Figure {
        match self {
            Figure::Number(number) => Figure::Number(number.map(|x| x * factor)),
            Figure::Confusion(confusion) => Figure::Confusion(confusion),
            Figure::Groups(mut groups) => {
                for group in &mut groups.groups {
                    group.value = group.value.map(|x| x * factor);
                }
                Figure::Groups(groups)
            }
        }
    }

    /// What files have under the metric's name: itself, or for `f1[sex]` numbers such as `f1[sex=Female]`, the
    /// rows of each group, and `f1[sex].gap`.
    pub fn flat(&self, name: &str) -> Vec<(String, Figure)> {
        let Figure::Groups(groups) = self else { return vec![(name.to_string(), self.clone())] };
        let by = &groups.by;
        let name = name.strip_suffix(&format!("[{by}]")).unwrap_or(name);
        let mut all = Vec::new();
        for group in &groups.groups {
            let of = format!("{name}[{by}={}]", group.name);
            all.push((of.clone(), Figure::Number(group.value)));
            all.push((format!("{of}.rows"), Figure::Number(Some(group.rows as f64))));
        }
        all.push((format!("{name}[{by}].gap"), Figure::Number(groups.gap())));
        all
    }

    /// As a line of text has it: `0.9763`, `-` where it is not defined; a table has lines of its own.
    pub fn short(&self) -> Option<String> {
        match self {
            Figure::Number(number) => Some(shown(*number)),
            Figure::Groups(groups) => Some(format!("gap {}", shown(groups.gap()))),
            Figure::Confusion(_) => None,
        }
    }
}

/// Four digits behind the point; `-` for what is not defined.
pub fn shown(number: Option<f64>) -> String {
    number.map_or("-".to_string(), |x| format!("{x:.4}"))
}

impl Confusion {
    /// Calls the classes by these names, in order of ids; a class that no row had gets its line.
    pub fn named(mut self, names: &[String]) -> Confusion {
        let classes = self.classes.len().max(names.len());
        self.counts.resize(classes, Vec::new());
        self.counts.iter_mut().for_each(|row| row.resize(classes, 0));
        self.classes = (0..classes).map(|i| names.get(i).map_or(i.to_string(), Clone::clone)).collect();
        self
    }
}

impl Groups {
    /// How far the best and the worst group are apart; not defined for fewer than two with a value.
    pub fn gap(&self) -> Option<f64> {
        let values: Vec<f64> = self.groups.iter().filter_map(|g| g.value).collect();
        let most = values.iter().copied().reduce(f64::max)?;
        let least = values.iter().copied().reduce(f64::min)?;
        (values.len() > 1).then_some(most - least)
    }
}
