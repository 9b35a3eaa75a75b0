//! Texts to tokens and back, as a column of a run has them: for what a model goes on with.

use super::super::encode::FittedColumn;
use super::tokens::words_of;
use super::{Fitted, FittedChars, FittedWords};

/// How a column makes ids of texts.
#[derive(Clone, Copy, Debug)]
pub struct Speech<'a> {
    lowercase: bool,
    cut: Cut<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Cut<'a> {
    Words(&'a FittedWords),
    Chars(&'a FittedChars),
    Bpe(&'a super::Bpe),
}

/// The id of what has none of its own, and that of the start of a text.
const UNKNOWN: i32 = 1;
const BOS: i32 = 2;

impl<'a> Speech<'a> {
    /// None of a column that is no text.
    pub fn of(column: &'a FittedColumn) -> Option<Speech<'a>> {
        let steps = &column.fields.first()?.steps;
        let lowercase = steps.iter().any(|step| matches!(step, Fitted::Lowercase));
        let cut = steps.iter().find_map(|step| match step {
            Fitted::Words(words) => Some(Cut::Words(words)),
            Fitted::Chars(chars) => Some(Cut::Chars(chars)),
            Fitted::Bpe { tokenizer } => Some(Cut::Bpe(tokenizer)),
            _numbers => None,
        })?;
        Some(Speech { lowercase, cut })
    }

    /// The ids of a text.
    ///
    /// # Errors
    /// With the first sign that has no id.
    pub fn tokens(&self, text: &str) -> Result<Vec<i32>, char> {
        let lower = self.lowercase.then(|| text.to_lowercase());
        let text = lower.as_deref().unwrap_or(text);
        match self.cut {
            Cut::Words(words) => {
                let place = |word: &str| words.words.0.iter().position(|w| w == word);
                let id = |word| place(word).map_or(UNKNOWN, |at| at as i32 + first(words));
                let start = words.bos.then_some(BOS);
                Ok(start.into_iter().chain(words_of(text, words.signs).map(id)).collect())
            }
            Cut::Chars(chars) => text
                .chars()
                .map(|c| match (chars.chars.chars().position(|known| known == c), chars.pad) {
                    (Some(at), pad) => Ok(at as i32 + if pad { UNKNOWN + 1 } else { 0 }),
                    (None, true) => Ok(UNKNOWN),
                    (None, false) => Err(c),
                })
                .collect(),
            Cut::Bpe(bpe) => Ok(bpe.tokens(text)),
        }
    }

    /// The text of all tokens from the one at `start`, as it stands behind those before it.
    pub fn behind(&self, tokens: &[i32], start: usize) -> String {
        let new = &tokens[start..];
        match self.cut {
            Cut::Words(words) => {
                let word = |id: &i32| words.words.0.get(usize::try_from(id - first(words)).ok()?);
                new.iter().filter_map(word).map(|word| format!(" {word}")).collect()
            }
            Cut::Chars(chars) => {
                let all: Vec<char> = chars.chars.chars().collect();
                let before = if chars.pad { UNKNOWN + 1 } else { 0 };
                let sign = |id: &i32| all.get(usize::try_from(id - before).ok()?).copied();
                new.iter().filter_map(sign).collect()
            }
            // Pieces may be parts of one sign: the whole is cut where the start of it ends.
            Cut::Bpe(bpe) => {
                let (before, whole) = (bpe.text(&tokens[..start]), bpe.text(tokens));
                match whole.strip_prefix(&before) {
                    Some(rest) => rest.to_string(),
                    None => bpe.text(new),
                }
            }
        }
    }
}

/// The id of the first word.
fn first(words: &FittedWords) -> i32 {
    UNKNOWN + 1 + i32::from(words.bos) + i32::from(words.eos)
}
