//! `impute`: what stands where a value is missing.

use super::super::cells::{Checked, Flow, Lookup, Numbers};
use super::{Fitted, scale, words};
use crate::ops::transform::Filling;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Decides the filling on the training rows that have a value.
pub fn fit<'a>(
    at: &Lookup<'a>,
    filling: &Filling,
    flow: Flow<'a>,
    rows: &[u32],
) -> Checked<(Flow<'a>, Fitted)> {
    let flow = match filling {
        Filling::Mean | Filling::Median => Flow::Numbers(at.numbers(flow)?),
        Filling::MostFrequent | Filling::Constant(_) => flow,
    };
    let fitted = match (&flow, filling) {
        (Flow::Text(_), Filling::Constant(value)) => {
            Fitted::ImputeText { value: with_sign(value, at.decimal()) }
        }
        (Flow::Text(texts), _) => {
            let values = rows.iter().filter_map(|r| texts[*r as usize].as_deref());
            Fitted::ImputeText { value: most_frequent(values).ok_or_else(|| nothing(at, rows))?.to_string() }
        }
        (Flow::Tokens(_) | Flow::Ids(_), _) => panic!("data: checked, nothing is filled in behind a text"),
        (Flow::Numbers(numbers), filling) => of_numbers(at, numbers, filling, rows)?,
    };
    Ok((flow, fitted))
}

fn of_numbers(at: &Lookup, numbers: &Numbers, filling: &Filling, rows: &[u32]) -> Checked<Fitted> {
    let width = numbers.width();
    let value = |i: usize| {
        let there = rows.iter().map(|row| numbers.values[*row as usize * width + i]);
        let mut there: Vec<f64> = there.filter(|x| !x.is_nan()).collect();
        let value = match filling {
            Filling::Mean => there.iter().sum::<f64>() / there.len() as f64,
            Filling::Median => {
                there.sort_by(f64::total_cmp);
                scale::median(&there)
            }
            Filling::MostFrequent => most_frequent_number(&mut there),
            Filling::Constant(text) => {
                return text.parse().map_err(|_| {
                    let help = "give a number: `impute(constant, 0)`";
                    let what = format!("cannot be filled like others with `{text}`, which is no number");
                    at.bad("data::number", &[0], &what, help)
                });
            }
        };
        if there.is_empty() { Err(nothing(at, rows)) } else { Ok(value) }
    };
    let values = (0..width).map(value).collect::<Checked<Vec<f64>>>()?;
    Ok(Fitted::ImputeNumber { values })
}

fn nothing(at: &Lookup, rows: &[u32]) -> Box<crate::diag::Diagnostic> {
    let rows: Vec<usize> = rows.iter().map(|r| *r as usize).collect();
    let help = "take the column out, or fill in a constant: `impute(constant, 0)`";
    at.bad("data::missing_value", &rows, "is missing in every training row", help)
}

/// A constant as the cells of the source would write it.
fn with_sign(value: &str, decimal: u8) -> String {
    match value.parse::<f64>() {
        Ok(_) if decimal != b'.' => value.replace('.', &char::from(decimal).to_string()),
        Ok(_) | Err(_) => value.to_string(),
    }
}

/// Of several as frequent, the first in order.
fn most_frequent<'t>(values: impl Iterator<Item = &'t str>) -> Option<&'t str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    values.for_each(|v| *counts.entry(v).or_default() += 1);
    let most = counts.values().copied().max()?;
    let tied = counts.iter().filter(|(_, n)| **n == most).map(|(v, _)| v.to_string()).collect();
    let first = words::in_natural_order(tied).into_iter().next()?;
    counts.into_keys().find(|v| **v == *first)
}

fn most_frequent_number(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let mut best = (0, 0.0);
    for run in values.chunk_by(|a, b| a == b) {
        if run.len() > best.0 {
            best = (run.len(), run[0]);
        }
    }
    best.1
}

pub fn text<'a>(value: &str, flow: Flow<'a>) -> Flow<'a> {
    let fill = |text: Option<Cow<'a, str>>| Some(text.unwrap_or_else(|| Cow::Owned(value.to_string())));
    Flow::Text(flow.texts().into_iter().map(fill).collect())
}

pub fn numbers(mut numbers: Numbers, values: &[f64]) -> Numbers {
    let width = numbers.width();
    for (i, x) in numbers.values.iter_mut().enumerate().filter(|(_, x)| x.is_nan()) {
        *x = values[i % width];
    }
    numbers
}
