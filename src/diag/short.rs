//! Names of thousands of characters, cut to what a reader needs of them.

/// Longer words are cut, in characters.
const LONGEST: usize = 120;

/// What is kept of a word that is cut.
const KEPT: usize = 60;

/// The text with an ellipsis in every word that nobody would read to its end. Paths are words with
/// signs between them, so they stay whole.
pub(super) fn words(text: impl Into<String>) -> String {
    let text = text.into();
    // Most texts are shorter than one such word.
    if text.len() <= LONGEST {
        return text;
    }
    let of_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = rest.find(|c| !of_word(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        match word.char_indices().nth(KEPT) {
            Some((cut, _)) if word.chars().count() > LONGEST => {
                out.push_str(&word[..cut]);
                out.push('…');
            }
            _ => out.push_str(word),
        }
        let signs = behind.find(of_word).unwrap_or(behind.len());
        out.push_str(&behind[..signs]);
        rest = &behind[signs..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn long_words_are_cut_and_the_rest_stays() {
        let (long, wide) = ("q".repeat(5000), "ä".repeat(5000));
        let short = words(format!("there is no name `{long}` here, nor `{wide}`; see /a/b.c"));
        let (q, a) = ("q".repeat(60), "ä".repeat(60));
        assert_eq!(short, format!("there is no name `{q}…` here, nor `{a}…`; see /a/b.c"));
    }

    #[test]
    fn readable_words_and_paths_stay_whole() {
        let path = format!("{}/{}", "folder/".repeat(60), "x".repeat(120));
        assert_eq!(words(path.as_str()), path);
        assert_eq!(words(""), "");
    }
}
