//! What each transform computes: decided on training rows by [`fit`], then applied to any rows by [`apply`].
//!
//! A missing value stays missing until a step takes it; what is left at the end of a chain is an error. Whatever is
//! decided is in [`Fitted`] whole, so that other rows need neither the spec nor the training data.

mod bpe;
mod date;
mod fill;
mod normal;
mod scale;
mod speech;
mod tokens;
mod words;

use super::cells::{Checked, Flow, Lookup, Numbers};
use crate::base::DType;
use crate::diag::Diagnostic;
use crate::ops::transform::{Classes, DatePart, Encode, Filling, Side, Spread, Windows};
pub use bpe::Bpe;
use serde::{Deserialize, Serialize};
pub use speech::Speech;
use std::borrow::Cow;
use std::sync::Arc;
use tokens::Training;
pub use tokens::{FittedChars, FittedWords, Ids, Ragged};
pub use words::{Vocabulary, classes_of};

/// A step with everything that training rows decide; a number for each element of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Fitted {
    AsIs,
    Float,
    Int,
    /// Ids as one share for each class, 1 for its own.
    Shares {
        classes: usize,
    },
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
    Lowercase,
    Words(FittedWords),
    Chars(FittedChars),
    /// A `tokenizer.json`, whole.
    Bpe {
        tokenizer: Bpe,
    },
    Pad {
        length: usize,
        side: Side,
        /// The id that fills up.
        with: i32,
    },
    Windows(Windows),
}

impl Fitted {
    /// How many classes there are, for a class.
    pub fn classes(&self) -> Option<usize> {
        match self {
            Fitted::ClassCount { count } => Some(*count),
            Fitted::ClassNames { names } => Some(names.len()),
            Fitted::Shares { classes } => Some(*classes),
            _numbers => None,
        }
    }

    /// How many ids it gives, from 0.
    pub fn ids(&self) -> Option<usize> {
        match self {
            Fitted::Category(vocabulary) => Some(vocabulary.len()),
            Fitted::Hashed { buckets } => Some(*buckets),
            Fitted::Words(words) => Some(words.vocab),
            Fitted::Chars(chars) => Some(chars.len()),
            Fitted::Bpe { tokenizer } => Some(tokenizer.len()),
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
            Fitted::Shares { .. } => None,
            Fitted::ClassCount { .. } | Fitted::ClassNames { .. } => None,
            Fitted::Windows(_) => Some((1.0, 0.0)),
            Fitted::Lowercase | Fitted::Words(_) | Fitted::Chars(_) => None,
            Fitted::Bpe { .. } | Fitted::Pad { .. } => None,
        }
    }

    /// Whether it only arranges the ids or numbers that stand before it.
    pub fn arranges(&self) -> bool {
        matches!(self, Fitted::Pad { .. } | Fitted::Windows(_))
    }

    /// Whether it makes several pieces of a text, each a step of its own.
    pub fn cuts_texts(&self) -> bool {
        matches!(self, Fitted::Words(_) | Fitted::Chars(_) | Fitted::Bpe { .. })
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
    let windowed = matches!(steps.last(), Some(Encode::Windows(_)));
    let training = if windowed { Training::Stream(rows) } else { Training::Rows(rows) };
    for (i, step) in steps.iter().enumerate() {
        let made = match of_text(at, step, &mut flow, fitted.last(), training)? {
            Some(made) => made,
            None => fit_step(at, step, &mut flow, fitted.last(), rows, dtype)?,
        };
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

/// Decides a step of texts and sequences; of others nothing.
fn of_text<'a>(
    at: &Lookup<'a>,
    step: &Encode,
    flow: &mut Option<Flow<'a>>,
    before: Option<&Fitted>,
    training: Training,
) -> Checked<Option<Fitted>> {
    let mut of_texts = |fit: &dyn Fn(&[words::Text]) -> Fitted| {
        let texts = taken(at, flow).texts();
        let fitted = fit(&texts);
        *flow = Some(Flow::Text(texts));
        fitted
    };
    Ok(Some(match step {
        Encode::Lowercase => Fitted::Lowercase,
        Encode::Words(spec) => of_texts(&|texts| tokens::fit_words(texts, spec, training)),
        Encode::Chars { pad } => of_texts(&|texts| tokens::fit_chars(texts, *pad, training)),
        Encode::Bpe { text, .. } => Fitted::Bpe { tokenizer: tokenizer(text.as_ref()) },
        Encode::Pad { length, side } => match tokens::pads(before) {
            Some(with) => Fitted::Pad { length: *length, side: *side, with },
            None => return Err(nothing_pads(at)),
        },
        Encode::Windows(windows) => Fitted::Windows(*windows),
        _other => return Ok(None),
    }))
}

fn tokenizer(text: Option<&Arc<str>>) -> Bpe {
    let read = text.map(Bpe::read);
    read.and_then(Result::ok).expect("data: tokenizers are read before columns")
}

fn nothing_pads(at: &Lookup) -> Box<Diagnostic> {
    let message = format!("the tokenizer of column `{}` has no id that pads", at.name);
    let help = "put `windows(n)` there instead of `pad(n)`, or add a token `[PAD]` to the file";
    at.problem("data::tokenizer", message, help)
}

/// How many steps a column has before it is cut into windows: pieces of its texts, or rows.
pub fn count(at: &Lookup, steps: &[Encode]) -> Checked<usize> {
    let mut flow = at.flow();
    for step in steps {
        let bpe = match step {
            Encode::Bpe { text, .. } => Some(tokenizer(text.as_ref())),
            _other => None,
        };
        if let Flow::Text(texts) = &flow
            && let Some(count) = tokens::count(texts, step, bpe.as_ref())
        {
            return Ok(count);
        }
        // What stands before the cut of a text needs no training rows.
        flow = match step {
            Encode::Lowercase => apply(at, &Fitted::Lowercase, flow)?,
            Encode::Impute(Filling::Constant(value)) => fill::text(value, flow),
            _other => return Ok(at.table.rows),
        };
    }
    Ok(at.table.rows)
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
        Encode::Shares(known) => match known.or_else(|| before.and_then(Fitted::classes)) {
            Some(classes) => Ok(Fitted::Shares { classes }),
            None => of_numbers(flow, &|n| Fitted::Shares { classes: words::counted(n) }),
        },
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
        Encode::Lowercase
        | Encode::Words(_)
        | Encode::Chars { .. }
        | Encode::Bpe { .. }
        | Encode::Pad { .. }
        | Encode::Windows(_) => panic!("steps: those of texts are decided before"),
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
        Fitted::Shares { classes } => {
            words::shares(words::numbered_classes(at, at.numbers(flow)?, *classes)?, *classes)
        }
        Fitted::ClassNames { names } => words::named_classes(at, flow.texts(), names)?,
        Fitted::Lowercase => {
            let lower = |text: words::Text<'a>| text.map(|t| Cow::Owned(t.to_lowercase()));
            return Ok(Flow::Text(flow.texts().into_iter().map(lower).collect()));
        }
        Fitted::Words(words) => return Ok(Flow::Tokens(tokens::words(at, &flow.texts(), words)?)),
        Fitted::Chars(chars) => return Ok(Flow::Tokens(tokens::chars(at, &flow.texts(), chars)?)),
        Fitted::Bpe { tokenizer } => return Ok(Flow::Tokens(tokens::pieces(at, &flow.texts(), tokenizer)?)),
        Fitted::Pad { length, side, with } => {
            return Ok(Flow::Ids(tokens::pad(&flow.tokens(), *length, *side, *with)));
        }
        Fitted::Windows(windows) => return windowed(at, flow, windows),
    };
    Ok(Flow::Numbers(numbers))
}

/// Windows share the steps that they are made of: all of them stay, and a row is named by its first.
fn windowed<'a>(at: &Lookup<'a>, flow: Flow<'a>, windows: &Windows) -> Checked<Flow<'a>> {
    Ok(match flow {
        Flow::Tokens(ragged) => Flow::Ids(Ids { row: vec![windows.size], values: ragged.ids }),
        // Of each step, until the array is made.
        Flow::Text(_) | Flow::Numbers(_) | Flow::Ids(_) => Flow::Numbers(at.numbers(flow)?),
    })
}

fn all_steps<'a>(at: &Lookup<'a>, steps: &[Fitted]) -> Checked<Flow<'a>> {
    steps.iter().try_fold(at.flow(), |flow, step| apply(at, step, flow))
}

/// Applies all steps of a chain, and leaves missing what no step takes.
pub fn apply_with_gaps(at: &Lookup, steps: &[Fitted]) -> Checked<Numbers> {
    let flow = all_steps(at, steps)?;
    at.numbers(flow)
}

/// What a chain makes of all rows.
pub enum Made {
    Numbers(Numbers),
    /// Of the pieces of texts.
    Ids(Ids),
}

/// Applies all steps of a chain: numbers that a batch will hold, or ids as they are.
pub fn apply_made(at: &Lookup, steps: &[Fitted], dtype: DType) -> Checked<Made> {
    match all_steps(at, steps)? {
        Flow::Ids(ids) => Ok(Made::Ids(ids)),
        flow @ (Flow::Text(_) | Flow::Numbers(_) | Flow::Tokens(_)) => {
            held(at, at.numbers(flow)?, dtype).map(Made::Numbers)
        }
    }
}

/// Applies all steps of a chain: every element as the number that a batch will hold.
pub fn apply_all(at: &Lookup, steps: &[Fitted], dtype: DType) -> Checked<Numbers> {
    held(at, apply_with_gaps(at, steps)?, dtype)
}

fn held(at: &Lookup, numbers: Numbers, dtype: DType) -> Checked<Numbers> {
    at.no_missing(&at.rows_where(&numbers, f64::is_nan))?;
    match dtype {
        DType::F32 => Ok(numbers),
        DType::I32 | DType::U8 => at.whole(numbers),
    }
}
