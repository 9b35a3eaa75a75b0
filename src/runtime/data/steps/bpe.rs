//! Pieces of a published tokenizer: a `tokenizer.json` of Hugging Face, read by its authors' crate.
//!
//! A run keeps the file's text, so that nobody needs the file again. Padding and cutting that the file may ask for are
//! left out: `pad` and `windows` say that.

use super::tokens::Ragged;
use super::words::Text;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokenizers::Tokenizer;

/// A tokenizer with the text that it was read from.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bpe {
    text: Arc<str>,
    tokenizer: Arc<Tokenizer>,
    pads: Option<u32>,
    ids: usize,
}

impl std::fmt::Debug for Bpe {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Bpe({} ids)", self.ids)
    }
}

impl PartialEq for Bpe {
    fn eq(&self, other: &Bpe) -> bool {
        self.text == other.text
    }
}

impl TryFrom<String> for Bpe {
    type Error = String;

    fn try_from(text: String) -> Result<Bpe, String> {
        Bpe::read(&text.into())
    }
}

impl From<Bpe> for String {
    fn from(bpe: Bpe) -> String {
        bpe.text.to_string()
    }
}

/// Tokens that pad by custom, where the file does not say.
const PADDING: [&str; 4] = ["[PAD]", "<pad>", "<|pad|>", "<PAD>"];

impl Bpe {
    /// Reads the text of a file, or says what is wrong with it.
    pub fn read(text: &Arc<str>) -> Result<Bpe, String> {
        let mut tokenizer = Tokenizer::from_bytes(text.as_bytes()).map_err(|e| e.to_string())?;
        let by_custom = || PADDING.iter().find_map(|token| tokenizer.token_to_id(token));
        let pads = tokenizer.get_padding().map(|p| p.pad_id).or_else(by_custom);
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| e.to_string())?;
        // Ids may have gaps.
        let ids = tokenizer.get_vocab(true).into_values().max().map_or(0, |most| most as usize + 1);
        Ok(Bpe { text: text.clone(), tokenizer: Arc::new(tokenizer), pads, ids })
    }

    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.ids
    }

    pub fn pads(&self) -> Option<i32> {
        self.pads.map(|id| id as i32)
    }

    /// The ids of each text. Texts are shared out among threads, and come back in order.
    pub fn ragged(&self, texts: &[Text]) -> Ragged {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = texts.len().div_ceil(threads).max(1);
        let parts: Vec<Vec<Vec<u32>>> = std::thread::scope(|scope| {
            let work = texts.chunks(share).map(|part| scope.spawn(move || self.all(part)));
            let work: Vec<_> = work.collect();
            work.into_iter().map(|w| w.join().expect("data: a tokenizer does not panic")).collect()
        });
        let mut ragged = Ragged::default();
        for ids in parts.into_iter().flatten() {
            ragged.ids.extend(ids.into_iter().map(|id| id as i32));
            ragged.ends.push(ragged.ids.len());
        }
        ragged
    }

    /// The ids of one text.
    pub fn tokens(&self, text: &str) -> Vec<i32> {
        self.ragged(&[Some(text.into())]).ids
    }

    /// The text of some ids.
    pub fn text(&self, ids: &[i32]) -> String {
        let ids: Vec<u32> = ids.iter().filter_map(|id| u32::try_from(*id).ok()).collect();
        self.tokenizer.decode(&ids, true).unwrap_or_default()
    }

    fn all(&self, texts: &[Text]) -> Vec<Vec<u32>> {
        let one = |text: &Text| {
            let text = text.as_deref().unwrap_or_default();
            let encoding = self.tokenizer.encode_fast(text, true);
            // A model without a piece for a sign, and without one for what it does not know, leaves it out.
            encoding.map_or_else(|_| Vec::new(), |e| e.get_ids().to_vec())
        };
        texts.iter().map(one).collect()
    }
}
