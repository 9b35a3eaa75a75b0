//! What each transform computes: decided on training rows by [`fit`], then applied to any rows by [`apply`].
//!
//! A missing value stays missing until a step takes it; what is left at the end of a chain is an error. Whatever is
//! decided is in [`Fitted`] whole, so that other rows need neither the spec nor the training data.

mod date;
mod fill;
mod normal;
mod scale;
mod words;

use super::cells::{Checked, Flow, Lookup, Numbers};
use crate::base::DType;
use crate::ops::transform::{Classes, DatePart, Encode, Spread};
use serde::{Deserialize, Serialize};
pub use words::{Vocabulary, classes_of};

/// A step with everything that training rows decide; a number for each element of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Fitted {
    AsIs,
    Float,
    Int,
    /// `(x - mean) / std`, the standard deviation of the population; over 1 where that is 0.
    Standardize {
        mean: Vec<f64>,
        std: Vec<f64>,
    },
    /// `(x - min) / (max - min)`; over 1 where all values are equal.
    Minmax {
        min: Vec<f64>,
        max: Vec<f64>,
    },
    /// `(x - center) / scale`; over 1 where the scale is 0.
    Robust {
        center: Vec<f64>,
        scale: Vec<f64>,
    },
    /// The share of `quantiles` below, which lie at even steps from 0 to 1, spread out.
    Quantile {
        quantiles: Vec<Vec<f64>>,
        #[serde(default)]
        spread: Spread,
    },
    Log,
    Log1p,
    Clip {
        lo: f64,
        hi: f64,
    },
    /// How many inner edges are not above.
    Bins {
        edges: Vec<Vec<f64>>,
    },
    ImputeNumber {
        values: Vec<f64>,
    },
    ImputeText {
        value: String,
    },
    OneHot(Vocabulary),
    Category(Vocabulary),
    Hashed {
        buckets: usize,
    },
    Date {
        format: String,
        parts: Vec<DatePart>,
    },
    /// Whole numbers below `count`.
    ClassCount {
        count: usize,
    },
    /// The class is the place in the list.
    ClassNames {
        names: Vec<String>,
    },
}

impl Fitted {
    /// How many classes there are, for a class.
    pub fn classes(&self) -> Option<usize> {
        match self {
            Fitted::ClassCount { count } => Some(*count),
            Fitted::ClassNames { names } => Some(names.len()),
            _numbers => None,
        }
    }

    /// How many ids it gives, from 0.
    pub fn ids(&self) -> Option<usize> {
        match self {
            Fitted::Category(vocabulary) => Some(vocabulary.len()),
            Fitted::Hashed { buckets } => Some(*buckets),
            Fitted::Bins { edges } if edges.len() == 1 => Some(scale::bins(&edges[0])),
            other => other.classes(),
        }
    }

    /// Scale and offset that lead back: `x = y * scale + offset`. `None` where a step is no straight line, or takes
    /// several numbers a row. What it moves to a bound, or fills in, is in the unit of the others.
    pub fn straight(&self) -> Option<(f64, f64)> {
        let by = |scale: &[f64], offset: &[f64]| match (scale, offset) {
            ([scale], [offset]) => Some((if *scale == 0.0 { 1.0 } else { *scale }, *offset)),
            (_, _) => None,
        };
        match self {
            Fitted::AsIs | Fitted::Float | Fitted::Int | Fitted::Clip { .. } => Some((1.0, 0.0)),
            Fitted::ImputeNumber { .. } | Fitted::ImputeText { .. } => Some((1.0, 0.0)),
            Fitted::Standardize { mean, std } => by(std, mean),
            Fitted::Minmax { min, max } => {
                let width: Vec<f64> = max.iter().zip(min).map(|(max, min)| max - min).collect();
                by(&width, min)
            }
            Fitted::Robust { center, scale } => by(scale, center),
            Fitted::Quantile { .. } | Fitted::Log | Fitted::Log1p | Fitted::Bins { .. } => None,
            Fitted::OneHot(_) | Fitted::Category(_) | Fitted::Hashed { .. } | Fitted::Date { .. } => None,
            Fitted::ClassCount { .. } | Fitted::ClassNames { .. } => None,
        }
    }

    /// How many numbers a row has behind it, where the step decides that.
    pub fn width(&self) -> Option<usize> {
        match self {
            Fitted::OneHot(vocabulary) => Some(vocabulary.len()),
            _other => None,
        }
    }

    /// Whether training rows have one value alone, so that nothing can be learnt from it.
    pub fn is_constant(&self) -> bool {
        match self {
            Fitted::Standardize { std, .. } => std.as_slice() == [0.0],
            Fitted::Minmax { min, max } => min.len() == 1 && min == max,
            Fitted::OneHot(vocabulary) => vocabulary.names.len() + usize::from(vocabulary.missing) == 1,
            _other => false,
        }
    }
}

/// Decides what training rows decide, step by step.
pub fn fit(at: &Lookup, steps: &[Encode], rows: &[u32], dtype: DType) -> Checked<Vec<Fitted>> {
    // Made when a step looks at values: as numbers, images take eight times their room.
    let mut flow = None;
    let mut fitted: Vec<Fitted> = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        let made = fit_step(at, step, &mut flow, fitted.last(), rows, dtype)?;
        if i + 1 < steps.len() {
            flow = Some(apply(at, &made, taken(at, &mut flow))?);
        }
        fitted.push(made);
    }
    Ok(fitted)
}

/// What flows into the next step; into the first the values of the source.
fn taken<'a>(at: &Lookup<'a>, flow: &mut Option<Flow<'a>>) -> Flow<'a> {
    flow.take().unwrap_or_else(|| at.flow())
}

fn as_is(at: &Lookup, dtype: DType) -> Fitted {
    match at.byte_labels() {
        // Labels of an IDX file: as many classes as its largest says, test rows included.
        Some(labels) if dtype == DType::I32 => Fitted::ClassCount { count: classes_of(labels) },
        Some(_) | None => Fitted::AsIs,
    }
}

/// Decides one step; a flow that it looks at stays as the step reads it.
fn fit_step<'a>(
    at: &Lookup<'a>,
    step: &Encode,
    flow: &mut Option<Flow<'a>>,
    before: Option<&Fitted>,
    rows: &[u32],
    dtype: DType,
) -> Checked<Fitted> {
    let of_numbers = |flow: &mut Option<Flow<'a>>, fit: &dyn Fn(&Numbers) -> Fitted| {
        let numbers = at.numbers(taken(at, flow))?;
        let fitted = fit(&numbers);
        *flow = Some(Flow::Numbers(numbers));
        Ok(fitted)
    };
    let of_texts = |flow: &mut Option<Flow<'a>>, fit: &dyn Fn(&[words::Text]) -> Checked<Fitted>| {
        let texts = taken(at, flow).texts();
        let fitted = fit(&texts)?;
        *flow = Some(Flow::Text(texts));
        Ok(fitted)
    };
    match step {
        Encode::AsIs => Ok(as_is(at, dtype)),
        Encode::Inferred | Encode::Float => Ok(Fitted::Float),
        Encode::Int => Ok(Fitted::Int),
        Encode::Standardize => of_numbers(flow, &|n| scale::standardize(n, rows)),
        Encode::Minmax => of_numbers(flow, &|n| scale::minmax(n, rows)),
        Encode::Robust => of_numbers(flow, &|n| scale::robust(n, rows)),
        Encode::Quantile { points, spread } => {
            of_numbers(flow, &|n| scale::quantile(n, rows, *points, *spread))
        }
        Encode::Bins { count, by } => of_numbers(flow, &|n| scale::binned(n, rows, *count, *by)),
        Encode::Log => Ok(Fitted::Log),
        Encode::Log1p => Ok(Fitted::Log1p),
        Encode::Clip { lo, hi } => Ok(Fitted::Clip { lo: *lo, hi: *hi }),
        Encode::Impute(filling) => {
            let (after, fitted) = fill::fit(at, filling, taken(at, flow), rows)?;
            *flow = Some(after);
            Ok(fitted)
        }
        Encode::OneHot(unknown) => {
            of_texts(flow, &|t| Ok(Fitted::OneHot(words::vocabulary(t, rows, *unknown, before))))
        }
        Encode::Category(unknown) => {
            of_texts(flow, &|t| Ok(Fitted::Category(words::vocabulary(t, rows, *unknown, before))))
        }
        Encode::Hashed { buckets } => Ok(Fitted::Hashed { buckets: *buckets }),
        Encode::Date { format, parts } => Ok(Fitted::Date { format: format.clone(), parts: parts.clone() }),
        Encode::Class(Classes::Count(count)) => Ok(Fitted::ClassCount { count: *count }),
        Encode::Class(Classes::Named(names)) => Ok(Fitted::ClassNames { names: names.clone() }),
        Encode::Class(Classes::Infer) => of_texts(flow, &|t| words::classes(at, t, rows)),
    }
}

/// Applies a step to all rows.
pub fn apply<'a>(at: &Lookup<'a>, fitted: &Fitted, flow: Flow<'a>) -> Checked<Flow<'a>> {
    let numbers = match fitted {
        Fitted::AsIs => return Ok(flow),
        Fitted::ImputeText { value } => return Ok(fill::text(value, flow)),
        Fitted::Float => at.numbers(flow)?,
        Fitted::Int => at.whole(at.numbers(flow)?)?,
        Fitted::Standardize { mean, std } => scale::affine(at.numbers(flow)?, mean, |i| std[i]),
        Fitted::Minmax { min, max } => scale::affine(at.numbers(flow)?, min, |i| max[i] - min[i]),
        Fitted::Robust { center, scale } => scale::affine(at.numbers(flow)?, center, |i| scale[i]),
        Fitted::Quantile { quantiles, spread } => scale::shares(at.numbers(flow)?, quantiles, *spread),
        Fitted::Bins { edges } => scale::bin_of(at.numbers(flow)?, edges),
        Fitted::Log => scale::log(at, at.numbers(flow)?)?,
        Fitted::Log1p => scale::log1p(at, at.numbers(flow)?)?,
        Fitted::Clip { lo, hi } => scale::each(at.numbers(flow)?, |_, x| x.max(*lo).min(*hi)),
        Fitted::ImputeNumber { values } => fill::numbers(at.numbers(flow)?, values),
        Fitted::OneHot(vocabulary) => words::one_hot(at, flow.texts(), vocabulary)?,
        Fitted::Category(vocabulary) => words::category(at, flow.texts(), vocabulary)?,
        Fitted::Hashed { buckets } => words::hashed(flow.texts(), *buckets),
        Fitted::Date { format, parts } => date::read(at, flow.texts(), format, parts)?,
        Fitted::ClassCount { count } => words::numbered_classes(at, at.numbers(flow)?, *count)?,
        Fitted::ClassNames { names } => words::named_classes(at, flow.texts(), names)?,
    };
    Ok(Flow::Numbers(numbers))
}

/// Applies all steps of a chain, and leaves missing what no step takes.
pub fn apply_with_gaps(at: &Lookup, steps: &[Fitted]) -> Checked<Numbers> {
    let mut flow = at.flow();
    for step in steps {
        flow = apply(at, step, flow)?;
    }
    at.numbers(flow)
}

/// Applies all steps of a chain: every element as the number that a batch will hold.
pub fn apply_all(at: &Lookup, steps: &[Fitted], dtype: DType) -> Checked<Numbers> {
    let numbers = apply_with_gaps(at, steps)?;
    at.no_missing(&at.rows_where(&numbers, f64::is_nan))?;
    match dtype {
        DType::F32 => Ok(numbers),
        DType::I32 | DType::U8 => at.whole(numbers),
    }
}
