//! The rows of texts and sequences: pieces of a text as ids, brought to one length or cut into windows.

use super::table::{Settings, attr, count, row, sig};
use super::{Encode, Kind, Takes, TransformDef};
use crate::ops::{AttrType, Default};
use serde::{Deserialize, Serialize};

/// How a text is cut into words, and which of them have ids of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// How many ids there are at most; without it every word of the training rows has one.
    pub vocab: Option<usize>,
    pub bos: bool,
    pub eos: bool,
    pub signs: Signs,
}

/// What becomes of signs that are no part of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signs {
    Drop,
    /// Each is a word.
    Keep,
}

/// An end of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Left,
    Right,
}

/// Rows that are runs of neighbouring steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// Steps of a row.
    pub size: usize,
    /// Steps from the start of one training row to that of the next.
    pub stride: usize,
    /// The same of validation and test rows.
    pub eval_stride: usize,
}

impl Words {
    /// The ids before those of words: 0 pads, 1 is what has none of its own, then the start and the end of a text.
    pub fn first(self) -> usize {
        2 + usize::from(self.bos) + usize::from(self.eos)
    }
}

fn words(s: &Settings) -> Result<Encode, String> {
    let signs = if s.is("punctuation", "keep") { Signs::Keep } else { Signs::Drop };
    let vocab = s.number("vocab").map(|n| n as usize);
    let words = Words { vocab, bos: s.flag("bos"), eos: s.flag("eos"), signs };
    match vocab {
        Some(ids) if ids <= words.first() => Err(format!(
            "{ids} ids leave none for words: {} stand for padding, unknown words and ends of texts",
            words.first()
        )),
        Some(_) | None => Ok(Encode::Words(words)),
    }
}

fn pad(s: &Settings) -> Result<Encode, String> {
    let side = if s.is("side", "left") { Side::Left } else { Side::Right };
    Ok(Encode::Pad { length: s.count("n"), side })
}

fn windows(s: &Settings) -> Result<Encode, String> {
    let size = s.count("n");
    let eval_stride = s.number("eval_stride").map_or(size, |n| n as usize);
    Ok(Encode::Windows(Windows { size, stride: s.count("stride"), eval_stride }))
}

fn cells(_: Kind, _: &Encode) -> Kind {
    Kind::Cell
}

fn tokens(_: Kind, step: &Encode) -> Kind {
    Kind::Tokens(match step {
        Encode::Words(words) => words.vocab,
        _of_data => None,
    })
}

fn padded(kind: Kind, step: &Encode) -> Kind {
    match (kind, step) {
        (Kind::Tokens(vocab), Encode::Pad { length, .. }) => Kind::Sequence { length: *length, vocab },
        (kind, _) => kind,
    }
}

fn windowed(kind: Kind, step: &Encode) -> Kind {
    let Encode::Windows(Windows { size: length, .. }) = *step else { return kind };
    match kind {
        Kind::Tokens(vocab) | Kind::Ids(vocab) => Kind::Sequence { length, vocab },
        Kind::Cell | Kind::Number | Kind::Whole => Kind::Series { length },
        Kind::Vector(width) => Kind::Frames { length, width },
        Kind::Sequence { .. } | Kind::Series { .. } | Kind::Frames { .. } => kind,
    }
}

pub(super) const LOWERCASE: TransformDef = row(
    sig(
        "lowercase",
        &["lower", "to_lower", "casefold"],
        "The text in small letters, as Unicode has them.",
        "lowercase |> category",
        &[],
    ),
    Takes::Texts,
    cells,
    |_| Ok(Encode::Lowercase),
);

pub(super) const WORDS: TransformDef = row(
    sig(
        "words",
        &["TextVectorization", "Tokenizer", "tokenize", "split_words"],
        "The words of a text as ids. A word is a run of letters and digits; an apostrophe between two of them belongs to \
         it (`don't`). 0 pads, 1 is a word that has no id of its own, then comes the start of a text, then the end, \
         if they are asked for, then the words of the training rows, the most frequent first; of as frequent ones the \
         one that sorts first. All of them count in `vocab`.",
        "words(vocab=10000) |> pad(200)",
        &[
            count("vocab", 3, Default::None, "How many ids there are; without it, every word has one."),
            attr(
                "bos",
                AttrType::Bool,
                Default::Bool(false),
                "Whether an id for the start goes before a text.",
            ),
            attr(
                "eos",
                AttrType::Bool,
                Default::Bool(false),
                "Whether an id for the end goes behind a text.",
            ),
            attr(
                "punctuation",
                AttrType::Choice(&["drop", "keep"]),
                Default::Word("drop"),
                "What becomes of signs that are no part of a word: nothing, or each a word of its own.",
            ),
        ],
    ),
    Takes::Texts,
    tokens,
    words,
);

pub(super) const CHARS: TransformDef = row(
    sig(
        "chars",
        &["characters", "char_level"],
        "The characters of a text as ids: those of the training rows, sorted by code point, from 0. Any other is an \
         error that names it. With `pad=true` 0 pads, 1 is any other character, and the rest begins at 2.",
        "chars |> windows(65)",
        &[attr(
            "pad",
            AttrType::Bool,
            Default::Bool(false),
            "Whether there are ids for padding and for characters that no training row has.",
        )],
    ),
    Takes::Texts,
    tokens,
    |s| Ok(Encode::Chars { pad: s.flag("pad") }),
);

pub(super) const BPE: TransformDef = row(
    sig(
        "bpe",
        &["wordpiece", "sentencepiece", "BPE", "AutoTokenizer"],
        "The pieces that a `tokenizer.json` of Hugging Face cuts a text into, as its ids, with the marks that its \
         template puts around a text. The file says how many ids there are, and which pads.",
        "bpe(\"tokenizer.json\") |> pad(128)",
        &[attr("path", AttrType::Str, Default::Required, "The file, looked up as those of sources are.")],
    ),
    Takes::Texts,
    tokens,
    |s| Ok(Encode::Bpe { path: s.word("path").unwrap_or_default().to_string(), text: None }),
);

pub(super) const PAD: TransformDef = row(
    sig(
        "pad",
        &["pad_sequences", "truncate"],
        "Exactly `n` ids a row: what is shorter is filled up with the id that pads, what is longer is cut, both on \
         the same side.",
        "pad(500, side=left)",
        &[
            count("n", 1, Default::Required, "How many ids a row has."),
            attr(
                "side",
                AttrType::Choice(&["left", "right"]),
                Default::Word("right"),
                "The end that is filled up, or cut.",
            ),
        ],
    ),
    Takes::Tokens,
    padded,
    pad,
);

pub(super) const WINDOWS: TransformDef = row(
    sig(
        "windows",
        &["sliding_window", "window", "timeseries_dataset_from_array", "chunks"],
        "Rows of `n` neighbouring steps: of the ids of all texts of a part, one behind the other, or of the rows of a \
         table. The split cuts the steps before windows are made, in order (`ordered = true`), so no window reaches \
         into another part. Windows overlap and take no memory of their own.",
        "windows(65, stride=1)",
        &[
            count("n", 1, Default::Required, "Steps of a row."),
            count(
                "stride",
                1,
                Default::Int(1),
                "Steps from the start of a training row to that of the next.",
            ),
            count(
                "eval_stride",
                1,
                Default::None,
                "The same of validation and test rows; without it `n`, so that each step is judged once.",
            ),
        ],
    ),
    Takes::Steps,
    windowed,
    windows,
);
