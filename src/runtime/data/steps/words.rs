//! Values that are names: classes, categories, hashes.

use super::super::cells::{Checked, Lookup, Numbers};
use super::super::files::{FNV_START, fnv1a};
use super::Fitted;
use crate::ops::transform::Unknown;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The value of a row; nothing where it is missing.
pub type Text<'a> = Option<Cow<'a, str>>;

/// The values that training rows have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vocabulary {
    /// Sorted, as numbers if all are numbers.
    pub names: Vec<String>,
    /// Whether training rows lack some: then to be missing is a value of its own, behind the names.
    pub missing: bool,
    /// Where [`Unknown::Other`], what no training row has is the last.
    pub unknown: Unknown,
}

impl Vocabulary {
    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.names.len() + usize::from(self.missing) + usize::from(self.unknown == Unknown::Other)
    }

    /// What each id stands for.
    pub fn all_names(&self) -> Vec<String> {
        let mut names = self.names.clone();
        names.extend(self.missing.then(|| "missing".to_string()));
        names.extend((self.unknown == Unknown::Other).then(|| "other".to_string()));
        names
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of each row; `None` of what is to be ignored.
    fn ids(&self, at: &Lookup, texts: &[Text], call: &str) -> Checked<Vec<Option<usize>>> {
        let places: BTreeMap<&str, usize> =
            self.names.iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
        let mut unseen = Vec::new();
        let mut id = |(row, text): (usize, &Text)| {
            let known = match text {
                Some(text) => places.get(&**text).copied(),
                None => self.missing.then_some(self.names.len()),
            };
            match (known, self.unknown) {
                (Some(id), _) => Some(id),
                (None, Unknown::Other) => Some(self.len() - 1),
                (None, Unknown::Ignore) => None,
                (None, Unknown::Error) => {
                    unseen.push(row);
                    None
                }
            }
        };
        let ids = texts.iter().enumerate().map(&mut id).collect();
        if unseen.is_empty() {
            return Ok(ids);
        }
        let what = "occurs in no training row";
        let help = format!(
            "say what becomes of such values, `{call}(unknown=other)`, or stratify the split by the column"
        );
        Err(at.bad("data::unseen", &unseen, what, &help))
    }
}

/// The values of the training rows. Ids that are counted already are all there are, seen or not.
pub fn vocabulary(texts: &[Text], rows: &[u32], unknown: Unknown, before: Option<&Fitted>) -> Vocabulary {
    if let Some(ids) = before.and_then(Fitted::ids) {
        let names = (0..ids).map(|id| id.to_string()).collect();
        return Vocabulary { names, missing: false, unknown };
    }
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut missing = false;
    for row in rows {
        match &texts[*row as usize] {
            Some(text) => drop(seen.insert(text)),
            None => missing = true,
        }
    }
    let names = in_natural_order(seen.into_iter().map(str::to_string).collect());
    Vocabulary { names, missing, unknown }
}

pub fn one_hot(at: &Lookup, texts: Vec<Text>, vocabulary: &Vocabulary) -> Checked<Numbers> {
    let width = vocabulary.len();
    let mut values = vec![0.0; texts.len() * width];
    for (row, id) in vocabulary.ids(at, &texts, "one_hot")?.into_iter().enumerate() {
        if let Some(id) = id {
            values[row * width + id] = 1.0;
        }
    }
    Ok(Numbers { row: vec![width], values })
}

pub fn category(at: &Lookup, texts: Vec<Text>, vocabulary: &Vocabulary) -> Checked<Numbers> {
    let ids = vocabulary.ids(at, &texts, "category")?;
    Ok(Numbers::scalars(ids.into_iter().map(|id| id.unwrap_or_default() as f64).collect()))
}

/// FNV-1a-64 of the text, modulo `buckets`.
pub fn hashed(texts: Vec<Text>, buckets: usize) -> Numbers {
    let id = |text: Text| {
        let hash = fnv1a(FNV_START, text.as_deref().unwrap_or_default().as_bytes());
        (hash % buckets as u64) as f64
    };
    Numbers::scalars(texts.into_iter().map(id).collect())
}

// ---- classes ----

/// The classes of the training rows.
pub fn classes(at: &Lookup, texts: &[Text], rows: &[u32]) -> Checked<Fitted> {
    at.no_missing(&missing(texts))?;
    let seen: BTreeSet<&str> = rows.iter().filter_map(|r| texts[*r as usize].as_deref()).collect();
    let names = in_natural_order(seen.into_iter().map(str::to_string).collect());
    Ok(Fitted::ClassNames { names })
}

fn missing(texts: &[Text]) -> Vec<usize> {
    (0..texts.len()).filter(|row| texts[*row].is_none()).collect()
}

/// How many classes byte labels stand for.
pub fn classes_of(labels: &[u8]) -> usize {
    labels.iter().max().map_or(0, |most| usize::from(*most) + 1)
}

/// As many classes as the largest id says.
pub fn counted(numbers: &Numbers) -> usize {
    numbers.values.iter().fold(0.0, |most: f64, x| most.max(*x)) as usize + 1
}

/// Ids as one share for each class.
pub fn shares(ids: Numbers, classes: usize) -> Numbers {
    let mut values = vec![0.0; ids.values.len() * classes];
    for (row, id) in ids.values.iter().enumerate() {
        values[row * classes + *id as usize] = 1.0;
    }
    Numbers { row: vec![classes], values }
}

pub fn numbered_classes(at: &Lookup, numbers: Numbers, classes: usize) -> Checked<Numbers> {
    at.no_missing(&at.rows_where(&numbers, f64::is_nan))?;
    let numbers = at.whole(numbers)?;
    let bad = at.rows_where(&numbers, |x| !(0.0..classes as f64).contains(&x));
    match bad.is_empty() {
        true => Ok(numbers),
        false => {
            let what = format!("is not one of the classes 0 to {}", classes.saturating_sub(1));
            let help = "correct the label, or give the right number of classes";
            Err(at.bad("data::class", &bad, &what, help))
        }
    }
}

pub fn named_classes(at: &Lookup, texts: Vec<Text>, names: &[String]) -> Checked<Numbers> {
    at.no_missing(&missing(&texts))?;
    // `class(1, 2)` means numbers, however the cells write them: `1.0`, `01`.
    let numbers: Vec<Option<f64>> = names.iter().map(|n| n.parse().ok()).collect();
    let class = |text: &Text| {
        let value = text.as_deref()?;
        let as_number = || {
            let value: f64 = value.parse().ok()?;
            numbers.iter().position(|n| *n == Some(value))
        };
        names.iter().position(|n| n == value).or_else(as_number)
    };
    let classes: Vec<Option<usize>> = texts.iter().map(class).collect();
    let bad: Vec<usize> = (0..classes.len()).filter(|r| classes[*r].is_none()).collect();
    if bad.is_empty() {
        return Ok(Numbers::scalars(classes.into_iter().flatten().map(|c| c as f64).collect()));
    }
    let shown: Vec<String> = names.iter().take(12).map(|n| format!("`{n}`")).collect();
    let dots = if names.len() > 12 { ", …" } else { "" };
    let what = format!("is not one of the classes {}{dots}", shown.join(", "));
    let help = "correct the label, or list all classes: `class(a, b, …)`; classes that are not listed are those of \
                the training rows";
    Err(at.bad("data::class", &bad, &what, at.heading(&bad).as_deref().unwrap_or(help)))
}

/// Sorted as numbers if all are numbers, else as text.
pub fn in_natural_order(mut names: Vec<String>) -> Vec<String> {
    let numbers: Option<Vec<f64>> = names.iter().map(|n| n.parse::<f64>().ok()).collect();
    if numbers.is_some() {
        let value = |n: &String| n.parse::<f64>().unwrap_or_default();
        names.sort_by(|a, b| value(a).total_cmp(&value(b)).then(a.cmp(b)));
    }
    names
}
