//! The rows: every transform with its settings.

use super::{
    Binning, Classes, DATE_PARTS, DATE_SIGNS, DatePart, Encode, Filling, Kind, Spread, Takes, TransformDef,
    Unknown, text,
};
use crate::ops::attrs::as_number;
use crate::ops::{Attr, AttrType, AttrValue, Default, Sig};

const PART_NAMES: &[&str] =
    &["year", "month", "day", "weekday", "dayofyear", "hour", "minute", "second", "days"];

/// The settings of a call, in the order of the signature.
pub(super) struct Settings<'a> {
    sig: &'a Sig,
    values: &'a [AttrValue],
}

impl<'a> Settings<'a> {
    pub(super) fn new(sig: &'a Sig, values: &'a [AttrValue]) -> Settings<'a> {
        Settings { sig, values }
    }

    fn get(&self, name: &str) -> &AttrValue {
        let at = self.sig.attrs.iter().position(|a| a.name == name);
        &self.values[at.expect("transform: a row reads settings of its signature")]
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        as_number(self.get(name))
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.number(name).expect("transform: a count has a default or is required") as usize
    }

    pub(super) fn real(&self, name: &str) -> f64 {
        self.number(name).expect("transform: a number has a default or is required")
    }

    pub(super) fn word(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            AttrValue::Word(word) => Some(word),
            AttrValue::Size(_)
            | AttrValue::Sizes(_)
            | AttrValue::Float(_)
            | AttrValue::Bool(_)
            | AttrValue::Words(_)
            | AttrValue::Activation(_)
            | AttrValue::Init(_)
            | AttrValue::Layer(_)
            | AttrValue::None => None,
        }
    }

    pub(super) fn is(&self, name: &str, word: &str) -> bool {
        self.word(name) == Some(word)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), AttrValue::Bool(true))
    }

    fn unknown(&self) -> Unknown {
        match self.word("unknown") {
            Some("other") => Unknown::Other,
            Some("ignore") => Unknown::Ignore,
            Some(_) | None => Unknown::Error,
        }
    }

    fn parts(&self) -> Vec<DatePart> {
        let AttrValue::Words(words) = self.get("part") else { return vec![DatePart::Days] };
        DATE_PARTS.iter().filter(|(n, _)| words.iter().any(|w| w == n)).map(|(_, part)| *part).collect()
    }

    fn filling(&self) -> Result<Filling, String> {
        let constant = self.word("value");
        let filling = match (self.word("strategy"), constant) {
            (Some("constant"), Some(value)) => return Ok(Filling::Constant(value.to_string())),
            (Some("constant"), None) => {
                return Err("a constant needs its value: `impute(constant, 0)`".to_string());
            }
            (Some("mean"), _) => Filling::Mean,
            (Some("median"), _) => Filling::Median,
            (_, _) => Filling::MostFrequent,
        };
        match constant {
            None => Ok(filling),
            Some(value) => Err(format!("only a constant has a value: `impute(constant, {value})`")),
        }
    }
}

/// `%Y-%m-%d` with signs that [`DATE_SIGNS`] has.
fn format(settings: &Settings) -> Result<String, String> {
    let text = settings.word("format").unwrap_or_default();
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        if sign != '%' {
            continue;
        }
        match signs.next() {
            Some(sign) if DATE_SIGNS.contains(sign) => {}
            Some(sign) => return Err(format!("`%{sign}` is no sign of a date format that is known here")),
            None => return Err("a date format does not end in `%`".to_string()),
        }
    }
    Ok(text.to_string())
}

fn clip(settings: &Settings) -> Result<Encode, String> {
    let (lo, hi) = (settings.number("lo"), settings.number("hi"));
    match (lo, hi) {
        (None, None) => Err("`clip` needs a bound: `clip(lo=0)`, `clip(0, 100)`".to_string()),
        (Some(lo), Some(hi)) if lo > hi => Err(format!("no number lies between {lo} and {hi}")),
        (lo, hi) => Ok(Encode::Clip { lo: lo.unwrap_or(f64::NEG_INFINITY), hi: hi.unwrap_or(f64::INFINITY) }),
    }
}

pub(super) const fn attr(name: &'static str, ty: AttrType, default: Default, doc: &'static str) -> Attr {
    Attr { name, ty, default, doc }
}

pub(super) const fn count(name: &'static str, min: i64, default: Default, doc: &'static str) -> Attr {
    attr(name, AttrType::Int { min, max: 1 << 24 }, default, doc)
}

const ANY: AttrType = AttrType::Float { min: f64::MIN, max: f64::MAX, open: false };

const UNKNOWN_ONE_HOT: Attr = attr(
    "unknown",
    AttrType::Choice(&["error", "other", "ignore"]),
    Default::Word("error"),
    "What a value becomes that no training row has: an error, a category of its own behind the others, all zeros.",
);

const UNKNOWN_CATEGORY: Attr = attr(
    "unknown",
    AttrType::Choice(&["error", "other"]),
    Default::Word("error"),
    "What a value becomes that no training row has: an error, an id of its own behind the others.",
);

pub(super) const fn sig(
    name: &'static str,
    aliases: &'static [&'static str],
    doc: &'static str,
    example: &'static str,
    attrs: &'static [Attr],
) -> Sig {
    Sig { name, aliases, doc, example, inputs: &[], attrs }
}

pub(super) const fn row(
    sig: Sig,
    takes: Takes,
    gives: fn(Kind, &Encode) -> Kind,
    make: fn(&Settings) -> Result<Encode, String>,
) -> TransformDef {
    TransformDef { sig, takes, gives, lists_values: false, make }
}

/// A number stays one, several stay several.
fn scaled(kind: Kind, _: &Encode) -> Kind {
    match kind {
        Kind::Vector(width) => Kind::Vector(width),
        Kind::Cell | Kind::Number | Kind::Whole | Kind::Ids(_) => Kind::Number,
        Kind::Tokens(_) | Kind::Sequence { .. } | Kind::Series { .. } | Kind::Frames { .. } => kind,
    }
}

fn whole(kind: Kind, _: &Encode) -> Kind {
    match kind {
        Kind::Vector(width) => Kind::Vector(width),
        Kind::Cell | Kind::Number | Kind::Whole | Kind::Ids(_) => Kind::Whole,
        Kind::Tokens(_) | Kind::Sequence { .. } | Kind::Series { .. } | Kind::Frames { .. } => kind,
    }
}

/// Cells stay cells where their values are not numbers.
fn filled(kind: Kind, step: &Encode) -> Kind {
    match (kind, step) {
        (Kind::Cell, Encode::Impute(Filling::Mean | Filling::Median)) => Kind::Number,
        (kind, _) => kind,
    }
}

fn ids(_: Kind, step: &Encode) -> Kind {
    Kind::Ids(match step {
        Encode::Class(Classes::Count(n)) | Encode::Hashed { buckets: n } => Some(*n),
        Encode::Class(Classes::Named(names)) => Some(names.len()),
        _of_data => None,
    })
}

fn indicators(kind: Kind, _: &Encode) -> Kind {
    Kind::Vector(match kind {
        Kind::Ids(known) => known,
        Kind::Cell | Kind::Number | Kind::Whole | Kind::Vector(_) => None,
        Kind::Tokens(_) | Kind::Sequence { .. } | Kind::Series { .. } | Kind::Frames { .. } => None,
    })
}

fn date_parts(_: Kind, step: &Encode) -> Kind {
    match step {
        Encode::Date { parts, .. } if parts.len() > 1 => Kind::Vector(Some(parts.len())),
        _one => Kind::Number,
    }
}

/// Every transform.
pub static TRANSFORMS: &[TransformDef] = &[
    row(
        sig("float", &["numeric", "number"], "The number as it is, `f32`.", "float", &[]),
        Takes::Numbers,
        scaled,
        |_| Ok(Encode::Float),
    ),
    row(
        sig("int", &["integer"], "The whole number as it is, `i32`; a fraction is an error.", "int", &[]),
        Takes::Numbers,
        whole,
        |_| Ok(Encode::Int),
    ),
    row(
        sig(
            "standardize",
            &["StandardScaler", "zscore", "normalize", "standard"],
            "(x - mean) / std of the training rows, the standard deviation over n; 0 where all are equal \
             (scikit-learn's StandardScaler). Missing values are left out and stay missing.",
            "standardize",
            &[],
        ),
        Takes::Numbers,
        scaled,
        |_| Ok(Encode::Standardize),
    ),
    row(
        sig(
            "minmax",
            &["MinMaxScaler", "min_max"],
            "(x - min) / (max - min) of the training rows; other rows may lie outside 0 to 1 (scikit-learn's \
             MinMaxScaler).",
            "minmax",
            &[],
        ),
        Takes::Numbers,
        scaled,
        |_| Ok(Encode::Minmax),
    ),
    row(
        sig(
            "robust",
            &["RobustScaler"],
            "(x - median) / (third quartile - first quartile) of the training rows: what lies far out moves neither \
             (scikit-learn's RobustScaler).",
            "robust",
            &[],
        ),
        Takes::Numbers,
        scaled,
        |_| Ok(Encode::Robust),
    ),
    row(
        sig(
            "quantile",
            &["QuantileTransformer"],
            "The share of training rows below x, from 0 to 1, by straight lines between `n` quantiles (scikit-learn's \
             QuantileTransformer).",
            "quantile(n=100, to=normal)",
            &[
                count(
                    "n",
                    2,
                    Default::Int(1000),
                    "How many quantiles; at most as many as there are training rows.",
                ),
                attr(
                    "to",
                    AttrType::Choice(&["uniform", "normal"]),
                    Default::Word("uniform"),
                    "Whether the share stays as it is, or becomes the number below which a standard normal variable lies \
                     with that probability, within 5.2 of 0.",
                ),
            ],
        ),
        Takes::Numbers,
        scaled,
        |s| {
            let spread = if s.is("to", "normal") { Spread::Normal } else { Spread::Uniform };
            Ok(Encode::Quantile { points: s.count("n"), spread })
        },
    ),
    row(
        sig("log", &["ln"], "The natural logarithm; of 0 and below an error.", "log", &[]),
        Takes::Numbers,
        scaled,
        |_| Ok(Encode::Log),
    ),
    row(
        sig("log1p", &[], "The natural logarithm of 1 + x; of -1 and below an error.", "log1p", &[]),
        Takes::Numbers,
        scaled,
        |_| Ok(Encode::Log1p),
    ),
    row(
        sig(
            "clip",
            &["clamp"],
            "What lies outside is moved to the nearer bound.",
            "clip(0, 100)",
            &[
                attr("lo", ANY, Default::None, "The least value that is left."),
                attr("hi", ANY, Default::None, "The largest value that is left."),
            ],
        ),
        Takes::Numbers,
        scaled,
        clip,
    ),
    row(
        sig(
            "bins",
            &["KBinsDiscretizer", "bucketize", "qcut"],
            "The number of the bin that x falls into, from 0; with `one_hot` behind it, one column for each. Edges that \
             fall together are one (scikit-learn's KBinsDiscretizer).",
            "bins(5) |> one_hot",
            &[
                count("n", 2, Default::Int(5), "How many bins."),
                attr(
                    "by",
                    AttrType::Choice(&["quantile", "uniform"]),
                    Default::Word("quantile"),
                    "Whether bins hold as many training rows, or are as wide.",
                ),
            ],
        ),
        Takes::Numbers,
        scaled,
        |s| {
            let by = if s.is("by", "uniform") { Binning::Uniform } else { Binning::Quantile };
            Ok(Encode::Bins { count: s.count("n"), by })
        },
    ),
    row(
        sig(
            "impute",
            &["SimpleImputer", "fillna"],
            "Puts the mean, the median, the most frequent value of the training rows or a constant where a value is \
             missing (scikit-learn's SimpleImputer).",
            "impute(median) |> standardize",
            &[
                attr(
                    "strategy",
                    AttrType::Choice(&["mean", "median", "most_frequent", "constant"]),
                    Default::Required,
                    "What is put there; of values as frequent, the least.",
                ),
                attr("value", AttrType::Cell, Default::None, "The constant, as a cell would hold it."),
            ],
        ),
        Takes::Gaps,
        filled,
        |s| s.filling().map(Encode::Impute),
    ),
    row(
        sig(
            "one_hot",
            &["OneHotEncoder", "dummies", "get_dummies", "onehot"],
            "One column for each value of the training rows, sorted, 1 where the row has it; missing values, if training \
             rows have some, are a value of their own behind the others (scikit-learn's OneHotEncoder).",
            "one_hot(unknown=other)",
            &[UNKNOWN_ONE_HOT],
        ),
        Takes::Values,
        indicators,
        |s| Ok(Encode::OneHot(s.unknown())),
    ),
    row(
        sig(
            "category",
            &["OrdinalEncoder", "LabelEncoder", "StringLookup", "ordinal", "categorical"],
            "The place of the value among those of the training rows, sorted, from 0, as `i32`: for an embedding of \
             `d.col.vocab` rows. Missing values, if training rows have some, are behind the others (scikit-learn's \
             OrdinalEncoder).",
            "category(unknown=other)",
            &[UNKNOWN_CATEGORY],
        ),
        Takes::Values,
        ids,
        |s| Ok(Encode::Category(s.unknown())),
    ),
    row(
        sig(
            "hashed",
            &["Hashing", "FeatureHasher"],
            "The FNV-1a-64 hash of the value's text, modulo `n`, as `i32`: ids without a list of values, for those that \
             have very many; a missing value is hashed as empty text. With `one_hot` behind it, `n` columns.",
            "hashed(64) |> one_hot",
            &[count("n", 2, Default::Required, "How many ids.")],
        ),
        Takes::Values,
        ids,
        |s| Ok(Encode::Hashed { buckets: s.count("n") }),
    ),
    row(
        sig(
            "date",
            &["datetime", "to_datetime", "timestamp"],
            "Numbers read off a date: year, month, day, weekday (Monday is 0), dayofyear (from 1), hour, minute, second, \
             days since 1970-01-01 (with the time of day as a fraction), in this order.",
            "date(\"%d.%m.%Y\", part=[year, month])",
            &[
                attr(
                    "format",
                    AttrType::Str,
                    Default::Word("%Y-%m-%d"),
                    "What the cells look like: %Y %y %m %b %B %d %e %j %H %M %S %f %T, as strftime has them.",
                ),
                attr(
                    "part",
                    AttrType::Choices(PART_NAMES),
                    Default::Word("days"),
                    "What is read off, one or several.",
                ),
            ],
        ),
        Takes::Values,
        date_parts,
        |s| Ok(Encode::Date { format: format(s)?, parts: s.parts() }),
    ),
    TransformDef {
        sig: sig(
            "class",
            &["label", "target"],
            "Ids of classes: `class(n)` takes 0 to n-1, `class(no, yes)` lists the values in order, of two the second is \
             positive; `class` alone takes those of the training rows, sorted.",
            "class(0, 1, 2)",
            &[],
        ),
        takes: Takes::Values,
        gives: ids,
        lists_values: true,
        make: |_| Ok(Encode::Class(Classes::Infer)),
    },
    text::LOWERCASE,
    text::WORDS,
    text::CHARS,
    text::BPE,
    text::PAD,
    text::WINDOWS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_dates_are_listed_once() {
        assert!(DATE_PARTS.iter().map(|(name, _)| name).eq(PART_NAMES));
    }
}
