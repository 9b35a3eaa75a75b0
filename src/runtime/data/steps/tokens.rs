//! Texts as ids: of their words, of their characters, of the pieces of a published tokenizer.
//!
//! What training rows decide is the list of words or characters; how a text is cut is a function of the text alone, so
//! that a prediction years later cuts as training did.

use super::super::cells::{Checked, Lookup};
use super::super::table::quoted;
use super::Fitted;
use super::bpe::Bpe;
use super::words::Text;
use crate::ops::transform::{Encode, Side, Signs, Words};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Ids, some for each row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ragged {
    pub ids: Vec<i32>,
    /// Where the ids of each row end.
    pub ends: Vec<usize>,
}

/// Ids, as many for each row as `row` says; of windows, the ids of all steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    pub row: Vec<usize>,
    pub values: Vec<i32>,
}

/// The id that pads, that of a word without one of its own, and that of the start of a text.
const PADS: i32 = 0;
const UNKNOWN: i32 = 1;
const BOS: i32 = 2;

/// Words in the order of their ids: a file holds them in one line, since no word has a blank in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct WordList(pub Vec<String>);

impl From<String> for WordList {
    fn from(text: String) -> WordList {
        WordList(text.split(' ').filter(|w| !w.is_empty()).map(str::to_string).collect())
    }
}

impl From<WordList> for String {
    fn from(list: WordList) -> String {
        list.0.join(" ")
    }
}

/// Everything that training rows decide of `words`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedWords {
    pub vocab: usize,
    pub bos: bool,
    pub eos: bool,
    pub signs: Signs,
    pub words: WordList,
}

/// Everything that training rows decide of `chars`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedChars {
    pub pad: bool,
    /// In the order of their ids.
    pub chars: String,
}

impl FittedChars {
    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.chars.chars().count() + if self.pad { UNKNOWN as usize + 1 } else { 0 }
    }
}

// ---- how a text is cut ----

/// The words of a text.
pub struct WordsOf<'t> {
    rest: &'t str,
    signs: Signs,
}

pub fn words_of(text: &str, signs: Signs) -> WordsOf<'_> {
    WordsOf { rest: text, signs }
}

/// Letters, digits, and the marks that stand on letters.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&c)
}

impl<'t> Iterator for WordsOf<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        loop {
            let first = self.rest.chars().next()?;
            let len = match is_part(first) {
                true => word_length(self.rest),
                false => first.len_utf8(),
            };
            let (piece, rest) = self.rest.split_at(len);
            self.rest = rest;
            let sign =
                !is_part(first) && (first.is_whitespace() || first.is_control() || self.signs == Signs::Drop);
            if !sign {
                return Some(piece);
            }
        }
    }
}

/// Bytes of the word that a text starts with.
fn word_length(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let inside = matches!(c, '\'' | '’') && chars.peek().is_some_and(|(_, next)| is_part(*next));
        if !is_part(c) && !inside {
            return at;
        }
    }
    text.len()
}

/// A text's words, with nothing where an end of the text has its id.
fn marked<'t>(text: &'t Text, bos: bool, eos: bool, signs: Signs) -> impl Iterator<Item = Option<&'t str>> {
    let words = words_of(text.as_deref().unwrap_or_default(), signs).map(Some);
    bos.then_some(None).into_iter().chain(words).chain(eos.then_some(None))
}

// ---- training rows ----

/// Which of the pieces decide.
#[derive(Clone, Copy)]
pub enum Training<'r> {
    /// Those of these rows.
    Rows(&'r [u32]),
    /// Those at these places, all texts one behind the other.
    Stream(&'r [u32]),
}

/// Every piece that decides, in order.
fn deciding<'t, P>(
    texts: &'t [Text<'t>],
    training: Training<'t>,
    pieces: impl Fn(&'t Text<'t>) -> P + 't,
) -> Box<dyn Iterator<Item = P::Item> + 't>
where
    P: Iterator + 't,
{
    match training {
        Training::Rows(rows) => Box::new(rows.iter().flat_map(move |row| pieces(&texts[*row as usize]))),
        Training::Stream(steps) => {
            let first = steps.first().map_or(0, |s| *s as usize);
            let end = steps.last().map_or(0, |s| *s as usize + 1);
            Box::new(texts.iter().flat_map(pieces).take(end).skip(first))
        }
    }
}

pub fn fit_words<'t>(texts: &'t [Text<'t>], spec: &Words, training: Training<'t>) -> Fitted {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let Words { bos, eos, signs, .. } = *spec;
    let words = deciding(texts, training, move |text| marked(text, bos, eos, signs));
    words.flatten().for_each(|word| *counts.entry(word).or_insert(0) += 1);
    let mut all: Vec<(&str, usize)> = counts.into_iter().collect();
    all.sort_unstable_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
    let room = spec.vocab.map_or(all.len(), |ids| ids - spec.first());
    let words: Vec<String> = all.into_iter().take(room).map(|(word, _)| word.to_string()).collect();
    Fitted::Words(FittedWords {
        vocab: spec.vocab.unwrap_or(spec.first() + words.len()),
        bos: spec.bos,
        eos: spec.eos,
        signs: spec.signs,
        words: WordList(words),
    })
}

pub fn fit_chars<'t>(texts: &'t [Text<'t>], pad: bool, training: Training<'t>) -> Fitted {
    let chars = deciding(texts, training, |text| text.as_deref().unwrap_or_default().chars());
    let mut seen = vec![false; char::MAX as usize + 1];
    chars.for_each(|c| seen[c as usize] = true);
    let chars = ('\0'..=char::MAX).filter(|&c| seen[c as usize]).collect();
    Fitted::Chars(FittedChars { pad, chars })
}

/// How many pieces all texts have together; nothing of a step that cuts no text.
pub fn count(texts: &[Text], step: &Encode, bpe: Option<&Bpe>) -> Option<usize> {
    let text = |t: &Text| t.as_deref().unwrap_or_default().chars().count();
    match (step, bpe) {
        (Encode::Words(w), _) => Some(texts.iter().map(|t| marked(t, w.bos, w.eos, w.signs).count()).sum()),
        (Encode::Chars { .. }, _) => Some(texts.iter().map(text).sum()),
        (Encode::Bpe { .. }, Some(bpe)) => Some(bpe.ragged(texts).ids.len()),
        (_, _) => None,
    }
}

// ---- any rows ----

pub fn words(at: &Lookup, texts: &[Text], fitted: &FittedWords) -> Checked<Ragged> {
    no_missing(at, texts)?;
    let first = UNKNOWN + 1 + i32::from(fitted.bos) + i32::from(fitted.eos);
    let places: HashMap<&str, i32> =
        fitted.words.0.iter().enumerate().map(|(i, word)| (word.as_str(), first + i as i32)).collect();
    let mut ragged = Ragged::default();
    for text in texts {
        ragged.ids.extend(fitted.bos.then_some(BOS));
        let words = words_of(text.as_deref().unwrap_or_default(), fitted.signs);
        ragged.ids.extend(words.map(|word| places.get(word).copied().unwrap_or(UNKNOWN)));
        ragged.ids.extend(fitted.eos.then_some(first - 1));
        ragged.ends.push(ragged.ids.len());
    }
    Ok(ragged)
}

pub fn chars(at: &Lookup, texts: &[Text], fitted: &FittedChars) -> Checked<Ragged> {
    no_missing(at, texts)?;
    let first = if fitted.pad { UNKNOWN + 1 } else { 0 };
    let mut places: Vec<Option<i32>> = vec![None; fitted.chars.chars().max().map_or(0, |c| c as usize + 1)];
    fitted.chars.chars().enumerate().for_each(|(i, c)| places[c as usize] = Some(first + i as i32));
    let mut ragged = Ragged::default();
    let mut unseen: Option<(usize, usize, char)> = None;
    let mut others = 0;
    for (row, text) in texts.iter().enumerate() {
        for (offset, c) in text.as_deref().unwrap_or_default().char_indices() {
            match places.get(c as usize).copied().flatten() {
                Some(id) => ragged.ids.push(id),
                None if fitted.pad => ragged.ids.push(UNKNOWN),
                None => {
                    others += usize::from(unseen.is_some());
                    unseen.get_or_insert((row, offset, c));
                }
            }
        }
        ragged.ends.push(ragged.ids.len());
    }
    match unseen {
        None => Ok(ragged),
        Some(first) => Err(unseen_character(at, first, others)),
    }
}

pub fn pieces(at: &Lookup, texts: &[Text], tokenizer: &Bpe) -> Checked<Ragged> {
    no_missing(at, texts)?;
    Ok(tokenizer.ragged(texts))
}

fn unseen_character(
    at: &Lookup,
    (row, offset, c): (usize, usize, char),
    others: usize,
) -> Box<crate::diag::Diagnostic> {
    let more = match others {
        0 => String::new(),
        n => format!(" (and {n} more like it)"),
    };
    let place = at.table.place_in(at.column, row, offset);
    let message = format!(
        "{place}: the character {} in column `{}` occurs in no training row{more}",
        quoted(&c.to_string()),
        at.name
    );
    let help = "take it out of the text, give it to the training rows, or write `chars(pad=true)`, which has an id for \
                characters that are not known";
    at.problem("data::unseen", message, help)
}

fn no_missing(at: &Lookup, texts: &[Text]) -> Checked<()> {
    let missing: Vec<usize> = (0..texts.len()).filter(|row| texts[*row].is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let help = format!(
        "an empty text is written `\"\"`; or fill it in: `{} |> impute(constant, \"\") |> …`",
        at.name
    );
    Err(at.bad("data::missing_value", &missing, "stands for a missing value", &help))
}

/// Rows of `length` ids, filled up or cut at one side.
pub fn pad(ragged: &Ragged, length: usize, side: Side, with: i32) -> Ids {
    let mut values = vec![with; ragged.ends.len() * length];
    let mut start = 0;
    for (row, end) in values.chunks_exact_mut(length).zip(&ragged.ends) {
        let ids = &ragged.ids[start..*end];
        start = *end;
        let n = ids.len().min(length);
        match side {
            Side::Left => row[length - n..].copy_from_slice(&ids[ids.len() - n..]),
            Side::Right => row[..n].copy_from_slice(&ids[..n]),
        }
    }
    Ids { row: vec![length], values }
}

/// The id that pads behind a step.
pub fn pads(before: Option<&Fitted>) -> Option<i32> {
    match before {
        Some(Fitted::Bpe { tokenizer }) => tokenizer.pads(),
        Some(_) | None => Some(PADS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, signs: Signs) -> Vec<&str> {
        words_of(text, signs).collect()
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        let text = "Don't <br />stop, l’été 2x-3 'quoted' naïve\u{301} 日本 _a_";
        let words = ["Don't", "br", "stop", "l’été", "2x", "3", "quoted", "naïve\u{301}", "日本", "a"];
        assert_eq!(cut(text, Signs::Drop), words);
        assert_eq!(cut("a, b!\t(c)", Signs::Keep), ["a", ",", "b", "!", "(", "c", ")"]);
        assert_eq!(cut(" '' ", Signs::Drop), [""; 0]);
    }

    fn texts(all: &[&'static str]) -> Vec<Text<'static>> {
        all.iter().map(|t| Some((*t).into())).collect()
    }

    #[test]
    fn frequent_words_come_first_and_training_rows_alone_decide() {
        let texts = texts(&["b a b", "c c c c", "a d"]);
        let spec = Words { vocab: Some(5), bos: true, eos: false, signs: Signs::Drop };
        let Fitted::Words(fitted) = fit_words(&texts, &spec, Training::Rows(&[0, 2])) else {
            panic!("words")
        };
        assert_eq!((fitted.vocab, fitted.words.0.join(" ")), (5, "a b".to_string()));
        let all = Words { vocab: None, bos: false, ..spec };
        let Fitted::Words(fitted) = fit_words(&texts, &all, Training::Stream(&[2, 3, 4])) else {
            panic!("words")
        };
        assert_eq!((fitted.vocab, fitted.words.0.join(" ")), (4, "c b".to_string()));
    }

    #[test]
    fn a_side_is_filled_up_or_cut() {
        let ragged = Ragged { ids: vec![1, 2, 3, 4], ends: vec![3, 4, 4] };
        assert_eq!(pad(&ragged, 2, Side::Right, 0).values, [1, 2, 4, 0, 0, 0]);
        assert_eq!(pad(&ragged, 2, Side::Left, 0).values, [2, 3, 0, 4, 0, 0]);
    }
}
